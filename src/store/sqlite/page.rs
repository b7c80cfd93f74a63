//! A page of rated calls, decoded into memory that is used again, so that a visitor never holds a read open.
//!
//! Does not know which calls are wanted, or in what order.

use std::sync::Arc;

use rusqlite::types::ValueRef;

use super::cell::{Digits, bytes_of, unpack_id};
use super::lookups::{Known, Lookups};
use super::memory::Times;
use super::row::{BAD_NUMBER, Damaged, Fault, column, number, small, small_or_none, whole, whole_or_none};
use super::{StoredCall, costs};
use crate::batch::Position;
use crate::call::{AccountKey, Costs, GroupKey, LegKey, RatedCall};
use crate::money::Money;
use crate::number::Number;
use crate::os::prefetch::{prefetch_all, prefetch_place};
use crate::os::shown::Shown;
use crate::store::{CallCursor, Grounds, StoreError};
use crate::time::{Micros, Timestamp};

/// Rows that are asked of memory ahead.
const AHEAD: usize = 4;

/// Decoded calls and their text.
#[derive(Default)]
pub struct Page {
    rows: Vec<PageRow>,
    /// What rows point to, with their numbers: neighbours mostly share it.
    ratings: Vec<(u32, Arc<Known>)>,
    grounds: Vec<(u32, Arc<Grounds>)>,
    costs: Vec<Costs>,
    /// Places in `rows` in the order in which they are shown; empty: as they came.
    order: Vec<u32>,
    text: Vec<u8>,
    /// With rows that no longer count.
    all: bool,
}

/// What a call does not share with others.
struct PageRow {
    row: i64,
    key: LegKey,
    answer: Timestamp,
    duration: Micros,
    start: Option<Timestamp>,
    source: Option<Number>,
    destination: Option<Number>,
    used_before: Option<u64>,
    cost: Money,
    account: AccountKey,
    group: GroupKey,
    billable_seconds: u32,
    included_seconds: u32,
    revision: u32,
    run: Option<u32>,
    /// Places in the page's lists.
    rating: u32,
    grounds: Option<u32>,
    costs: Option<u32>,
    reversal: bool,
    named_tariff: bool,
    superseded: Option<u64>,
    /// Source, destination, node, id and draws stand in the text from `begin` on, each so long.
    begin: usize,
    lengths: [u32; 5],
}

impl Page {
    /// A page that shows rows that no longer count, too.
    pub fn of_all() -> Page {
        Page { all: true, ..Page::default() }
    }

    /// Calls for which it has room.
    #[cfg(test)]
    pub fn room(&self) -> usize {
        self.rows.capacity()
    }

    pub fn clear(&mut self) {
        self.rows.clear();
        self.order.clear();
        self.costs.clear();
        self.text.clear();
        // The next row may well share them.
        only_last(&mut self.ratings);
        only_last(&mut self.grounds);
    }

    /// Decodes a row of [`show_calls`](super::row::show_calls).
    pub fn push(&mut self, row: Shown<'_>, lookups: &mut Lookups<'_>) -> Result<(), StoreError> {
        let superseded = whole_or_none(row, column::SUPERSEDED).map_err(Damaged::told)?;
        self.push_known(row, superseded, lookups)
    }

    /// The same, of a row of which it is known from which flush on it no longer counts.
    pub fn push_known(
        &mut self,
        row: Shown<'_>,
        superseded: Option<u64>,
        lookups: &mut Lookups<'_>,
    ) -> Result<(), StoreError> {
        if superseded.is_some() && !self.all {
            return Ok(());
        }
        self.decode(row, superseded, lookups).map_err(Fault::told)
    }

    #[inline(always)]
    fn decode(&mut self, row: Shown<'_>, superseded: Option<u64>, lookups: &mut Lookups<'_>) -> Result<(), Fault> {
        let rating_id = small(row, column::RATING)?;
        if self.ratings.last().is_none_or(|(last, _)| *last != rating_id) {
            self.ratings.push((rating_id, lookups.rating(rating_id)?));
        }
        let grounds = small_or_none(row, column::GROUNDS)?;
        if let Some(id) = grounds
            && self.grounds.last().is_none_or(|(last, _)| *last != id)
        {
            self.grounds.push((id, lookups.grounds(id)?));
        }
        let Page { rows, ratings, grounds: all_grounds, costs: all_costs, text, .. } = self;
        let Some((_, known)) = ratings.last() else { return Err(Damaged("a rating").into()) };
        let rating = &known.rating;
        let account = small(row, column::ACCOUNT)?;
        let group = match small_or_none(row, column::GROUP)? {
            None => lookups.group(account)?,
            Some(group) => group,
        };
        let Times { epoch, tick } = rating.times;
        let bad_time = Damaged("a call's time");
        let micros = |ticks: i64| ticks.checked_mul(tick).ok_or(bad_time);
        let answer = micros(number(row, column::ANSWER)?)?.checked_add(epoch).ok_or(bad_time)?;
        let start = match row.whole(column::SETUP) {
            Ok(Some(setup)) => Some(Timestamp(answer.wrapping_sub(micros(setup)?))),
            _ => None,
        };
        let source = Digits::read(row.get(column::SOURCE)).ok_or(Damaged("a number"))?;
        let destination = Digits::read(row.get(column::DESTINATION)).ok_or(Damaged("a number"))?;
        let (draws, used_before): (&[u8], _) = match row.get(column::USED_BEFORE) {
            ValueRef::Text(text) => (text, None),
            _ => (&[], whole_or_none(row, column::USED_BEFORE)?),
        };
        let revision = small_or_none(row, column::REVISION)?.unwrap_or_default();
        let run = small_or_none(row, column::RUN)?;
        let correction = whole(row, column::CORRECTION)?.unwrap_or_default();
        let reversal = correction & 1 != 0;
        // What is taken back is stored below zero, so that columns add up for whoever reads the table.
        let seconds = |i: usize| {
            let stored = number(row, i)?;
            let seconds = if reversal { stored.checked_neg() } else { Some(stored) };
            seconds.and_then(|s| u32::try_from(s).ok()).ok_or(BAD_NUMBER)
        };
        let costs = costs::read(row, column::COSTS, reversal, |id| lookups.costs(id))?;
        all_costs.extend(costs);
        let begin = text.len();
        lookups.dialled(row.get(column::SOURCE_DIALLED), &source, text)?;
        let source_end = text.len();
        lookups.dialled(row.get(column::DESTINATION_DIALLED), &destination, text)?;
        let destination_end = text.len();
        match row.get(column::NODE) {
            ValueRef::Integer(node) => lookups.node(node, text)?,
            name => text.extend_from_slice(bytes_of(name).ok_or(Damaged("a node"))?),
        }
        let node_end = text.len();
        unpack_id(row.get(column::CALL_ID), text).ok_or(Damaged("a call id"))?;
        let id_end = text.len();
        if !draws.is_empty() {
            text.extend_from_slice(draws);
        }
        // A row has no gigabytes.
        let length = |from: usize, to: usize| (to - from) as u32;
        let lengths = [
            length(begin, source_end),
            length(source_end, destination_end),
            length(destination_end, node_end),
            length(node_end, id_end),
            length(id_end, text.len()),
        ];
        let cost = number(row, column::COST)?
            .checked_mul(10_i64.pow(u32::from(9 - rating.scale.min(9))))
            .ok_or(Damaged("a cost"))?;
        let position = u64::try_from(number(row, column::POSITION)?).map_err(|_| Damaged("a position"))?;
        rows.push(PageRow {
            row: number(row, column::ROW)?,
            key: LegKey { position: Position(position), leg: rating.leg },
            answer: Timestamp(answer),
            duration: Micros(micros(number(row, column::DURATION)?)?),
            start,
            source: source.number(),
            destination: destination.number(),
            used_before,
            cost: Money(cost),
            account: AccountKey(account),
            group: GroupKey(group),
            billable_seconds: seconds(column::BILLABLE_SECONDS)?,
            included_seconds: seconds(column::INCLUDED_SECONDS)?,
            revision,
            run,
            rating: ratings.len() as u32 - 1,
            grounds: grounds.map(|_| all_grounds.len() as u32 - 1),
            costs: costs.map(|_| all_costs.len() as u32 - 1),
            reversal,
            named_tariff: correction & 2 != 0,
            superseded,
            begin,
            lengths,
        });
        Ok(())
    }

    /// Sorts by account, answer, position and leg.
    pub fn sort(&mut self) {
        // Keys and places are sorted: a row is ten times as large.
        let key = |(place, row): (usize, &PageRow)| (row.account, row.answer, row.key, place as u32);
        let mut keys: Vec<_> = self.rows.iter().enumerate().map(key).collect();
        keys.sort_unstable();
        self.order.clear();
        self.order.extend(keys.into_iter().map(|(.., place)| place));
    }

    /// The calls in order.
    pub fn calls(&self) -> impl Iterator<Item = StoredCall<'_>> {
        let sorted = !self.order.is_empty();
        (0..self.rows.len()).filter_map(move |at| {
            let place = |at: usize| if sorted { self.order.get(at).map(|place| *place as usize) } else { Some(at) };
            // Sorted they lie anywhere.
            if let Some(ahead) = place(at + AHEAD).filter(|_| sorted).and_then(|ahead| self.rows.get(ahead)) {
                prefetch_all(ahead);
                prefetch_place(&self.text, ahead.begin);
            }
            self.call(self.rows.get(place(at)?)?)
        })
    }

    /// The call that was decoded last.
    pub fn last(&self) -> Option<StoredCall<'_>> {
        self.call(self.rows.last()?)
    }

    #[inline]
    fn call(&self, row: &PageRow) -> Option<StoredCall<'_>> {
        let known = &*self.ratings.get(row.rating as usize)?.1;
        let rating = &known.rating;
        let mut rest = self.text.get(row.begin..)?;
        let mut next = |length: u32| {
            let (text, behind) = rest.split_at_checked(length as usize)?;
            rest = behind;
            Some(text)
        };
        let [source, destination, node, id, draws] = row.lengths;
        Some(StoredCall {
            call: RatedCall {
                key: row.key,
                account: row.account,
                group: row.group,
                period: rating.period,
                answer: row.answer,
                duration: row.duration,
                source: row.source,
                destination: row.destination,
                call_type: rating.call_type,
                billable_seconds: row.billable_seconds,
                included_seconds: row.included_seconds,
                used_before: row.used_before,
                adjusts: rating.adjusts,
                reversal: row.reversal,
                cost: row.cost,
                basis: rating.basis,
            },
            start: row.start,
            source_dialled: next(source)?,
            destination_dialled: next(destination)?,
            node: next(node)?,
            id: next(id)?,
            text: &known.text,
            grounds: row.grounds.and_then(|at| self.grounds.get(at as usize)).map(|(_, grounds)| &**grounds),
            revision: row.revision,
            run: row.run,
            named_tariff: row.named_tariff,
            costs: row.costs.and_then(|at| self.costs.get(at as usize)).copied(),
            row: row.row as u64,
            draws: next(draws)?,
            superseded: row.superseded,
        })
    }

    /// Places and row numbers, for an order to be found before the rows are read again.
    pub fn places(&self) -> impl Iterator<Item = (CallCursor, i64)> {
        self.rows.iter().map(|row| (CallCursor { answer: row.answer, key: row.key }, row.row))
    }
}

fn only_last<T>(list: &mut Vec<T>) {
    let before = list.len().saturating_sub(1);
    list.drain(..before);
}
