//! A page of rated calls, decoded into memory that is used again, so that a visitor never holds a read open.
//!
//! Does not know which calls are wanted, or in what order.

use std::sync::Arc;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::cell::{Digits, bytes_of, unpack_id};
use super::lookups::{Known, Lookups};
use super::memory::Times;
use super::{StoredCall, costs, damaged, failed};
use crate::batch::Position;
use crate::call::{AccountKey, Costs, GroupKey, LegKey, RatedCall};
use crate::money::Money;
use crate::store::{CallCursor, Grounds, StoreError};
use crate::time::{Micros, Timestamp};

/// Reads the rows of a stretch, or what a condition leaves of it, in the order of [`Page::push`].
macro_rules! select_calls {
    ($condition:literal) => {
        select_calls!($condition, "(SELECT flush FROM superseded WHERE superseded.row = calls.row)")
    };
    // With what says which flush took the row out of count.
    ($condition:literal, $superseded:literal) => {
        select_calls!(
            $condition,
            $superseded,
            "k.basis, k.billable_seconds, k.cost, k.resale_1, k.resale_2, k.resale_3",
            " LEFT JOIN call_costs k USING (row)"
        )
    };
    // Where none of them costs us anything that is kept: to look for it costs a seventh of a row.
    ($condition:literal, $superseded:literal, none_bought) => {
        select_calls!($condition, $superseded, "NULL, NULL, NULL, NULL, NULL, NULL", "")
    };
    ($condition:literal, $superseded:literal, $costs:literal, $join:literal) => {
        concat!(
            "SELECT row, position, account, billing_group, answer, setup, duration, source, source_dialled, \
             destination, destination_dialled, rating, calls.billable_seconds, included_seconds, calls.cost, node, \
             call_id, grounds, used_before, revision, run, correction, ",
            $superseded,
            ", ",
            $costs,
            " FROM calls",
            $join,
            " WHERE ",
            $condition,
            " ORDER BY row"
        )
    };
}
pub(super) use select_calls;

/// Decoded calls and their text.
#[derive(Default)]
pub struct Page {
    rows: Vec<PageRow>,
    /// Places in `rows` in the order in which they are shown; empty: as they came.
    order: Vec<u32>,
    text: Vec<u8>,
    /// With rows that no longer count.
    all: bool,
}

struct PageRow {
    row: i64,
    call: RatedCall,
    start: Option<Timestamp>,
    rating: Arc<Known>,
    grounds: Option<Arc<Grounds>>,
    revision: u32,
    run: Option<u32>,
    named_tariff: bool,
    costs: Option<Costs>,
    draws: Vec<u8>,
    superseded: Option<u64>,
    /// Ends of source, destination, node and id in the text; the first begins where the row before ended.
    begin: usize,
    ends: [usize; 4],
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
        self.text.clear();
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Decodes a row of [`select_calls`].
    pub fn push(&mut self, row: &Row<'_>, lookups: &mut Lookups<'_>) -> Result<(), StoreError> {
        let superseded = match row.get_ref(22).map_err(failed)? {
            ValueRef::Null => None,
            ValueRef::Integer(flush) => Some(u64::try_from(flush).map_err(|_| damaged("a call's number"))?),
            _ => return Err(damaged("a call's number")),
        };
        self.push_known(row, superseded, lookups)
    }

    /// The same, of a row of which it is known from which flush on it no longer counts.
    pub fn push_known(
        &mut self,
        row: &Row<'_>,
        superseded: Option<u64>,
        lookups: &mut Lookups<'_>,
    ) -> Result<(), StoreError> {
        if superseded.is_some() && !self.all {
            return Ok(());
        }
        let number = |i: usize| match row.get_ref(i).map_err(failed)? {
            ValueRef::Integer(number) => Ok(number),
            _ => Err(damaged("a call's number")),
        };
        let small = |i: usize| u32::try_from(number(i)?).map_err(|_| damaged("a call's number"));
        let rating = lookups.rating(small(11)?)?;
        let account = small(2)?;
        let group = match row.get_ref(3).map_err(failed)? {
            ValueRef::Null => lookups.group(account)?,
            _ => small(3)?,
        };
        let Times { epoch, tick } = rating.rating.times;
        let micros = |ticks: i64| ticks.checked_mul(tick).ok_or_else(|| damaged("a call's time"));
        let answer = micros(number(4)?)?.checked_add(epoch).ok_or_else(|| damaged("a call's time"))?;
        let start = match row.get_ref(5).map_err(failed)? {
            ValueRef::Integer(setup) => Some(Timestamp(answer.wrapping_sub(micros(setup)?))),
            _ => None,
        };
        let source = Digits::read(row.get_ref(7).map_err(failed)?).ok_or_else(|| damaged("a number"))?;
        let destination = Digits::read(row.get_ref(9).map_err(failed)?).ok_or_else(|| damaged("a number"))?;
        let grounds = match row.get_ref(17).map_err(failed)? {
            ValueRef::Null => None,
            _ => Some(lookups.grounds(small(17)?)?),
        };
        let (mut draws, told) = (Vec::new(), row.get_ref(18).map_err(failed)?);
        let used_before = match told {
            ValueRef::Null => None,
            ValueRef::Text(text) => {
                draws = text.to_vec();
                None
            }
            _ => Some(u64::try_from(number(18)?).map_err(|_| damaged("a call's number"))?),
        };
        let revision = match row.get_ref(19).map_err(failed)? {
            ValueRef::Null => 0,
            _ => small(19)?,
        };
        let run = match row.get_ref(20).map_err(failed)? {
            ValueRef::Null => None,
            _ => Some(small(20)?),
        };
        let correction = match row.get_ref(21).map_err(failed)? {
            ValueRef::Null => 0,
            _ => number(21)?,
        };
        let reversal = correction & 1 != 0;
        // What is taken back is stored below zero, so that columns add up for whoever reads the table.
        let seconds = |i: usize| {
            let stored = number(i)?;
            let seconds = if reversal { stored.checked_neg() } else { Some(stored) };
            seconds.and_then(|s| u32::try_from(s).ok()).ok_or_else(|| damaged("a call's number"))
        };
        let costs = costs::read(row, 23, reversal, |id| lookups.costs(id))?;
        let begin = self.text.len();
        lookups.dialled(row.get_ref(8).map_err(failed)?, source.as_slice(), &mut self.text)?;
        let source_end = self.text.len();
        lookups.dialled(row.get_ref(10).map_err(failed)?, destination.as_slice(), &mut self.text)?;
        let destination_end = self.text.len();
        match row.get_ref(15).map_err(failed)? {
            ValueRef::Integer(node) => lookups.node(node, &mut self.text)?,
            name => self.text.extend_from_slice(bytes_of(name).ok_or_else(|| damaged("a node"))?),
        }
        let node_end = self.text.len();
        unpack_id(row.get_ref(16).map_err(failed)?, &mut self.text).ok_or_else(|| damaged("a call id"))?;
        let cost = number(14)?
            .checked_mul(10_i64.pow(u32::from(9 - rating.rating.scale.min(9))))
            .ok_or_else(|| damaged("a cost"))?;
        self.rows.push(PageRow {
            row: number(0)?,
            call: RatedCall {
                key: LegKey {
                    position: Position(u64::try_from(number(1)?).map_err(|_| damaged("a position"))?),
                    leg: rating.rating.leg,
                },
                account: AccountKey(account),
                group: GroupKey(group),
                period: rating.rating.period,
                answer: Timestamp(answer),
                duration: Micros(micros(number(6)?)?),
                source: source.number(),
                destination: destination.number(),
                call_type: rating.rating.call_type,
                billable_seconds: seconds(12)?,
                included_seconds: seconds(13)?,
                used_before,
                adjusts: rating.rating.adjusts,
                reversal,
                cost: Money(cost),
                basis: rating.rating.basis,
            },
            start,
            rating,
            grounds,
            revision,
            run,
            named_tariff: correction & 2 != 0,
            costs,
            draws,
            superseded,
            begin,
            ends: [source_end, destination_end, node_end, self.text.len()],
        });
        Ok(())
    }

    /// Sorts by account, answer, position and leg.
    pub fn sort(&mut self) {
        // Keys and places are sorted: a row is ten times as large.
        let key = |(place, row): (usize, &PageRow)| (row.call.account, row.call.answer, row.call.key, place as u32);
        let mut keys: Vec<_> = self.rows.iter().enumerate().map(key).collect();
        keys.sort_unstable();
        self.order.clear();
        self.order.extend(keys.into_iter().map(|(.., place)| place));
    }

    /// The calls in order.
    pub fn calls(&self) -> impl Iterator<Item = StoredCall<'_>> {
        let in_order = self.order.iter().filter_map(|place| self.rows.get(*place as usize));
        let as_they_came = self.rows.iter().skip(if self.order.is_empty() { 0 } else { usize::MAX });
        in_order.chain(as_they_came).map(|row| {
            let [source, destination, node, id] = row.ends;
            let text = |from: usize, to: usize| self.text.get(from..to).unwrap_or_default();
            StoredCall {
                call: row.call,
                start: row.start,
                source_dialled: text(row.begin, source),
                destination_dialled: text(source, destination),
                node: text(destination, node),
                id: text(node, id),
                text: &row.rating.text,
                grounds: row.grounds.as_deref(),
                revision: row.revision,
                run: row.run,
                named_tariff: row.named_tariff,
                costs: row.costs,
                row: row.row as u64,
                draws: &row.draws,
                superseded: row.superseded,
            }
        })
    }

    /// Places and row numbers, for an order to be found before the rows are read again.
    pub fn places(&self) -> impl Iterator<Item = (CallCursor, i64)> {
        self.rows.iter().map(|row| (CallCursor { answer: row.call.answer, key: row.call.key }, row.row))
    }
}
