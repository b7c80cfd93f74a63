//! From the store to candidates: every leg that may belong to the month by what is known at the seal.
//!
//! Does not know prices, nor what becomes of a candidate.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::candidates::{Candidate, Facts, Fixed, Key, Row};
use super::known::{Known, read};
use super::outcome::{Outcome, SuspendedLeg};
use super::progress::{Progress, SealError};
use super::versions::Decided;
use super::{Ledger, everywhere};
use crate::batch::{Position, SourceId};
use crate::books::name;
use crate::call::{AccountKey, SuspenseReason};
use crate::rating::{Leg, Resolution, Suspended};
use crate::record::{Direction, Record};
use crate::store::{ScanOrder, StoredCall, StoredState, SuspenseItem, SuspenseKey, Visit};
use crate::time::{Months, Period, Timestamp};

/// Conflicts read at a time.
const CONFLICTS: usize = 1000;

/// What is gathered beside candidates.
#[derive(Default)]
pub struct Gathered {
    pub outcome: Outcome,
    pub decided: BTreeSet<Decided>,
    /// Legs of the month and records of its time that wait, by reason.
    pub waiting: BTreeMap<SuspenseReason, i64>,
    /// Rows that leave the month and are replaced by none.
    pub leaving: Vec<Row>,
}

/// Where a record was found.
enum Found {
    Row(Direction, Row),
    /// A row in a month that is sealed.
    Final(Direction),
    Leg(Direction, SuspenseReason, Option<Period>),
    Record(SuspenseItem),
}

pub struct Gather<'a, 's, 'p> {
    pub known: &'a Known<'s>,
    pub state: &'a StoredState,
    pub period: Period,
    pub seal: Position,
    /// Numbers of billing groups.
    pub number: &'a dyn Fn(&str) -> u32,
    /// Takes candidates in any order.
    pub put: &'a mut (dyn FnMut(Candidate) -> Result<(), SealError> + 'p),
    pub gathered: &'a mut Gathered,
    pub progress: &'a Progress,
    /// By the place of the first version.
    pub(super) conflicts: HashMap<Position, Vec<Facts>>,
    /// Those that somebody decided, by that place: the version taken, and why.
    pub(super) by_hand: HashMap<Position, (Position, String)>,
    /// Months by zone.
    months: Months,
}

impl<'a, 's, 'p> Gather<'a, 's, 'p> {
    pub fn new(
        known: &'a Known<'s>,
        state: &'a StoredState,
        (period, seal): (Period, Position),
        number: &'a dyn Fn(&str) -> u32,
        put: &'a mut (dyn FnMut(Candidate) -> Result<(), SealError> + 'p),
        gathered: &'a mut Gathered,
        progress: &'a Progress,
    ) -> Gather<'a, 's, 'p> {
        Gather {
            known,
            state,
            period,
            seal,
            number,
            put,
            gathered,
            progress,
            conflicts: HashMap::new(),
            by_hand: HashMap::new(),
            months: Months::default(),
        }
    }

    /// Everything that may belong to the month.
    pub fn all(&mut self) -> Result<(), SealError> {
        self.contradictions()?;
        let ledger = Ledger::before(&self.state.periods, self.seal);
        let months = [self.period, Period(self.period.0 - 1), Period(self.period.0 + 1)];
        for month in months {
            let closed = month != self.period && ledger.get(month).is_some();
            self.rows(month, closed)?;
        }
        self.suspense((0, 1), &ledger)
    }

    fn near(&self, answer: Timestamp) -> bool {
        let (start, end) = everywhere(self.period);
        start <= answer && answer < end
    }

    pub(super) fn contradictions(&mut self) -> Result<(), SealError> {
        for one in self.known.store.decisions(None)?.into_iter().filter(|one| one.entry < self.seal) {
            self.by_hand.insert(one.first, (one.kept, one.why));
        }
        let mut after = None;
        loop {
            let page = self.known.store.conflicts(after, CONFLICTS)?;
            let whole = page.len() == CONFLICTS;
            after = page.last().map(|last| last.position);
            for conflict in page.into_iter().filter(|conflict| conflict.position < self.seal) {
                let facts = Facts {
                    record: conflict.record,
                    source: conflict.source,
                    profile: conflict.position,
                    received_at: conflict.received_at.map(|at| at.0),
                    other: true,
                };
                self.conflicts.entry(conflict.first).or_default().push(facts);
            }
            if !whole {
                return Ok(());
            }
        }
    }

    /// Whether another version of a record came, by the place of the first one.
    pub(super) fn is_contradicted(&self, position: Position) -> bool {
        self.conflicts.contains_key(&position)
    }

    fn rows(&mut self, month: Period, closed: bool) -> Result<(), SealError> {
        let mut failed = None;
        let store = self.known.store;
        store.scan(Some(month), ScanOrder::Stored, &mut |call| match self.row(call, month, closed) {
            Ok(()) => Visit::Continue(()),
            Err(error) => {
                failed = Some(error);
                Visit::Break(())
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    pub(super) fn row(&mut self, stored: &StoredCall<'_>, month: Period, closed: bool) -> Result<(), SealError> {
        let call = stored.call;
        if month == self.period {
            self.progress.read(1);
        }
        if call.adjusts.is_some() {
            return if month == self.period { self.fixed(stored, false) } else { Ok(()) };
        }
        // Rows behind the seal are other months' business; those of this one wait.
        if call.key.position >= self.seal || !self.near(call.answer) {
            return Ok(());
        }
        let Some(grounds) = stored.grounds else {
            return if month == self.period { self.fixed(stored, true) } else { Ok(()) };
        };
        let mut bytes = Vec::with_capacity(192);
        stored.record(grounds).encode(&mut bytes);
        let facts =
            Facts { record: bytes, source: grounds.source, profile: grounds.profile, received_at: None, other: false };
        let row = Row {
            number: stored.row,
            revision: stored.revision,
            call,
            costs: stored.costs,
            draws: stored.draws.to_vec(),
            named_tariff: stored.named_tariff,
        };
        let found = if closed { Found::Final(call.key.leg) } else { Found::Row(call.key.leg, row) };
        self.consider(call.key.position, facts, found)
    }

    /// A row that is counted as it is.
    fn fixed(&mut self, stored: &StoredCall<'_>, draws: bool) -> Result<(), SealError> {
        let call = stored.call;
        let account = self.state.accounts.binary_search_by_key(&call.account, |a| a.key);
        let account = account.map_or("", |at| &self.state.accounts[at].name).to_owned();
        let group = self.state.groups.binary_search_by_key(&call.group, |g| g.key);
        let group = (self.number)(group.map_or("", |at| &self.state.groups[at].name));
        let record = Record {
            id: stored.id,
            node: stored.node,
            source: stored.source_dialled,
            destination: stored.destination_dialled,
            ..Record::default()
        };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let key = Key {
            group,
            answer: call.answer.0,
            node: stored.node.to_vec(),
            id: stored.id.to_vec(),
            leg: call.key.leg,
            direction: None,
            position: call.key.position,
            version: (stored.revision, !call.reversal),
        };
        let facts = Facts { record: bytes, source: SourceId(0), profile: Position(0), received_at: None, other: false };
        let drew = stored.draws.to_vec();
        let (costs, tariff) = (stored.costs, stored.text.tariff.clone());
        let fixed = Some(Fixed { call, costs, drew, account, tariff, draws });
        (self.put)(Candidate { key, facts, leg: None, row: None, waits: None, closed: false, fixed })
    }

    /// One of so many parts of what waits.
    pub(super) fn suspense(&mut self, part: (usize, usize), ledger: &Ledger) -> Result<(), SealError> {
        let mut failed = None;
        let store = self.known.store;
        store.suspense_part(part, &mut |item| match self.item(item, ledger) {
            Ok(()) => Visit::Continue(()),
            Err(error) => {
                failed = Some(error);
                Visit::Break(())
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn item(&mut self, item: &SuspenseItem, ledger: &Ledger) -> Result<(), SealError> {
        let position = item.key.position;
        if position >= self.seal || !item.answer.is_some_and(|answer| self.near(answer)) {
            return Ok(());
        }
        let of_this = item.period.is_none_or(|period| period == self.period);
        if of_this {
            *self.gathered.waiting.entry(item.reason).or_default() += 1;
        }
        // A call whose end never came can only be helped by its missing part, and one on which the program died by nobody.
        let helpless = matches!(item.reason, SuspenseReason::Unfinished | SuspenseReason::InternalError);
        let late = item.period.is_some_and(|period| period != self.period && ledger.get(period).is_some());
        if helpless || late {
            return Ok(());
        }
        // Most of what waits is nobody's still.
        let (place, at) = ((item.source, position), item.received_at);
        if !self.is_contradicted(position) && self.known.suspends(&read(&item.record)?, place, at) {
            return Ok(());
        }
        let facts = Facts {
            record: item.record.clone(),
            source: item.source,
            profile: position,
            received_at: Some(item.received_at.0),
            other: false,
        };
        match item.key.leg {
            Some(leg) => self.consider(position, facts, Found::Leg(leg, item.reason, item.period)),
            None => self.consider(position, facts, Found::Record(item.clone())),
        }
    }

    fn consider(&mut self, position: Position, first: Facts, found: Found) -> Result<(), SealError> {
        let (facts, versions, taken) = self.winner(position, first)?;
        let record = read(&facts.record)?;
        let (resolution, slot) = self.known.resolve_read(&facts, &record, None);
        let legs = match resolution {
            Resolution::Legs(first, second) => [first, second],
            Resolution::Suspended(why) => return self.unresolved(&facts, found, why),
        };
        let known = self.known;
        let mut placed: [Option<(Leg, Period, &str)>; 2] = [None, None];
        for (place, leg) in placed.iter_mut().zip(legs) {
            let Some(leg) = leg else { continue };
            let account = known.directory.row(leg.account_row);
            let month = self.months.period(account.zone_index, account.zone, leg.answer);
            *place = Some((leg, month, account.group()));
        }
        let placed = || placed.iter().flatten();
        let here = placed().any(|(_, period, _)| *period == self.period);
        match &found {
            Found::Row(leg, row)
                if row.call.period == self.period
                    && !placed().any(|(l, p, _)| l.direction == *leg && *p == self.period) =>
            {
                let elsewhere = placed().find(|(l, ..)| l.direction == *leg).map(|(_, period, _)| *period);
                self.leaves(row.clone(), &facts, elsewhere.map(|month| (SuspenseReason::PeriodSealing, month)));
            }
            // None of its legs is this month's: it goes on waiting.
            Found::Record(_) if !here => return Ok(()),
            Found::Record(item) => self.record_resolved(item, &facts, placed()),
            _ => {}
        }
        if versions > 1 && here {
            self.decided(&facts, versions, taken)?;
        }
        let (sealing, mut found) = (self.period, Some(found));
        for (leg, _, group) in placed().filter(|(_, period, _)| *period == sealing) {
            let side = leg.direction;
            let (mut row, mut waits, mut closed) = (None, None, false);
            match &found {
                Some(Found::Row(of, _)) if *of == side => {
                    if let Some(Found::Row(_, stored)) = found.take() {
                        row = Some(stored);
                    }
                }
                Some(Found::Final(of)) if *of == side => closed = true,
                // Only to keep the leg out; others come with their own rows.
                Some(Found::Final(_)) => continue,
                Some(Found::Leg(of, reason, month)) if *of == side => {
                    waits = Some((*reason, month.unwrap_or(sealing)));
                }
                _ => {}
            }
            let (node, id, direction) = (record.node.to_vec(), record.id.to_vec(), record.direction);
            let (group, answer, version) = ((self.number)(group), leg.answer.0, (0, true));
            let key = Key { group, answer, node, id, leg: side, direction, position, version };
            let (facts, leg) = (facts.clone(), Some((slot, *leg)));
            (self.put)(Candidate { key, facts, leg, row, waits, closed, fixed: None })?;
        }
        Ok(())
    }

    /// Nobody is known to pay for it any more: what was rated of it in this month waits.
    fn unresolved(&mut self, facts: &Facts, found: Found, why: Suspended) -> Result<(), SealError> {
        if let Found::Row(_, row) = found
            && row.call.period == self.period
        {
            self.leaves(row, facts, Some((why.reason, self.period)));
        }
        Ok(())
    }

    /// A row of this month that no leg of this month stands for any more.
    fn leaves(&mut self, row: Row, facts: &Facts, waits: Option<(SuspenseReason, Period)>) {
        if let Some((reason, month)) = waits {
            let key = SuspenseKey { position: row.call.key.position, leg: Some(row.call.key.leg) };
            let account = Some(row.call.account);
            suspend(self.gathered, self.period, key, (reason, month), account, facts, row.call.answer);
        }
        self.gathered.leaving.push(row);
    }

    /// A whole record that waited has legs now.
    fn record_resolved<'l>(
        &mut self,
        item: &SuspenseItem,
        facts: &Facts,
        placed: impl Iterator<Item = &'l (Leg, Period, &'l str)>,
    ) {
        let books = &mut self.gathered.outcome.books;
        *books.entry(name::suspended_records(item.reason)).or_default() -= 1;
        *books.entry(name::records("resolved")).or_default() += 1;
        *self.gathered.waiting.entry(item.reason).or_default() -= 1;
        self.gathered.outcome.released.push(item.key);
        let sealing = self.period;
        for (leg, month, _) in placed.filter(|(_, month, _)| *month != sealing) {
            let key = SuspenseKey { position: item.key.position, leg: Some(leg.direction) };
            suspend(self.gathered, sealing, key, (SuspenseReason::PeriodSealing, *month), None, facts, leg.answer);
        }
    }
}

/// Puts a leg into suspense, and into the books of its month.
pub fn suspend(
    gathered: &mut Gathered,
    sealing: Period,
    key: SuspenseKey,
    (reason, month): (SuspenseReason, Period),
    account: Option<AccountKey>,
    facts: &Facts,
    answer: Timestamp,
) {
    let books = &mut gathered.outcome.books;
    *books.entry(name::legs(month, "legs")).or_default() += 1;
    *books.entry(name::suspended_legs(month, reason)).or_default() += 1;
    if month == sealing {
        *gathered.waiting.entry(reason).or_default() += 1;
    }
    gathered.outcome.suspended.push(SuspendedLeg {
        key,
        reason,
        period: month,
        account,
        record: facts.record.clone(),
        source: facts.source,
        received_at: facts.received_at.map_or(answer, Timestamp),
    });
}
