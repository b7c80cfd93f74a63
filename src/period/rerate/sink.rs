//! What a run changes: rows, differences of totals, of allowances and of the books, and what comes into suspense or out of it.
//!
//! Does not know why anything changes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::books::{Share, name};
use crate::call::{AccountKey, CallType, Costs, GroupKey, Meter, RatedCall, SuspenseReason, Usage};
use crate::period::{LineDelta, Outcome, SealError, SuspendedLeg};
use crate::rating;
use crate::store::{CallRow, Draft, DraftOf, GroundsOf, Store, StoredCall, SuspenseKey};
use crate::time::Period;

/// New rows written at a time.
const ROWS: u64 = 2_000;

type LineKey = (AccountKey, GroupKey, Period, CallType, [u8; 3]);

/// What a run changed beside rows: enough to take it back.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RunOutcome {
    /// What counts from the entry on.
    pub outcome: Outcome,
    /// Legs that waited and are rated.
    pub gained: Vec<SuspendedLeg>,
    /// Rows of closed months that are no longer taken back.
    pub restored: Vec<u64>,
    /// Rows it revised, and rows it took back.
    pub revised: (u64, u64),
}

/// Changes of one thread, or all of them.
#[derive(Default)]
pub struct Sink {
    pub superseded: Vec<u64>,
    pub reversed: Vec<u64>,
    pub restored: Vec<u64>,
    pub suspended: Vec<SuspendedLeg>,
    pub gained: Vec<SuspendedLeg>,
    pub released: Vec<SuspenseKey>,
    lines: BTreeMap<LineKey, (Usage, u8)>,
    drawn: BTreeMap<(GroupKey, Period, Meter), i64>,
    books: Share,
    legs: BTreeMap<Period, (i64, i64)>,
    money: BTreeMap<[u8; 3], i128>,
    buffer: Vec<u8>,
    buffered: u64,
    rows: u64,
    digest: u128,
}

/// Where rows are written to.
pub struct Place<'a> {
    pub store: &'a dyn Store,
    /// None: nowhere.
    pub run: Option<u32>,
    /// Number of the next piece of the draft.
    pub next: &'a AtomicU64,
}

impl Sink {
    /// A row of an open month no longer counts.
    pub fn supersede(&mut self, row: u64, call: &RatedCall, draws: &[u8]) {
        self.superseded.push(row);
        self.mark(b's', row, call, None);
        self.count(call, draws, -1);
    }

    /// A row of a closed month is taken back in an open one.
    pub fn reverse(&mut self, place: &Place<'_>, stored: &StoredCall<'_>, open: Period) -> Result<(), SealError> {
        let own = stored.call.own_period();
        let call = RatedCall { period: open, adjusts: Some(own), ..stored.call.reversed() };
        self.reversed.push(stored.row);
        let grounds = stored.grounds.map(|grounds| grounds.borrowed());
        let costs = stored.costs.map(|costs| costs.reversed());
        self.row(place, stored, (call, costs, stored.draws), grounds, stored.revision, false)
    }

    /// A new row with the text of another.
    pub fn row(
        &mut self,
        place: &Place<'_>,
        text: &StoredCall<'_>,
        (call, costs, draws): (RatedCall, Option<Costs>, &[u8]),
        grounds: Option<GroundsOf<'_>>,
        revision: u32,
        named_tariff: bool,
    ) -> Result<(), SealError> {
        let row = CallRow {
            call,
            node: text.node,
            id: text.id,
            source_dialled: text.source_dialled,
            destination_dialled: text.destination_dialled,
            start: text.start,
            grounds,
            revision,
            run: place.run,
            named_tariff,
            costs,
            draws,
        };
        self.new_row(place, &row)
    }

    /// A new row.
    pub fn new_row(&mut self, place: &Place<'_>, row: &CallRow<'_>) -> Result<(), SealError> {
        self.mark(b'n', u64::from(row.revision), &row.call, row.costs);
        self.count(&row.call, row.draws, 1);
        self.rows += 1;
        if place.run.is_none() {
            return Ok(());
        }
        self.buffer = postcard::to_extend(row, std::mem::take(&mut self.buffer))?;
        self.buffered += 1;
        if self.buffered >= ROWS { self.write(place) } else { Ok(()) }
    }

    /// Writes the rows that are held.
    pub fn write(&mut self, place: &Place<'_>) -> Result<(), SealError> {
        let Some(run) = place.run.filter(|_| self.buffered > 0) else { return Ok(()) };
        // A list begins with its length.
        let mut rows = postcard::to_stdvec(&self.buffered)?;
        rows.append(&mut self.buffer);
        self.buffered = 0;
        place.store.draft_rows(DraftOf::Run(run), place.next.fetch_add(1, Ordering::Relaxed), &rows)?;
        Ok(())
    }

    /// A leg goes into suspense.
    pub fn suspend(&mut self, leg: SuspendedLeg) {
        self.waits(leg.period, leg.reason, 1);
        self.suspended.push(leg);
    }

    /// A leg leaves suspense to be rated.
    pub fn gain(&mut self, leg: SuspendedLeg) {
        self.waits(leg.period, leg.reason, -1);
        self.released.push(leg.key);
        self.gained.push(leg);
    }

    /// Something leaves suspense, and nothing comes of it.
    pub fn release(&mut self, leg: &SuspendedLeg) {
        self.waits(leg.period, leg.reason, -1);
        self.released.push(leg.key);
    }

    fn waits(&mut self, month: Period, reason: SuspenseReason, count: i128) {
        *self.books.entry(name::legs(month, "legs")).or_default() += count;
        *self.books.entry(name::suspended_legs(month, reason)).or_default() += count;
    }

    fn count(&mut self, call: &RatedCall, draws: &[u8], sign: i64) {
        for (call_type, usage) in call.usage_lines() {
            let key = (call.account, call.group, call.period, call_type, call.basis.currency);
            let line = self.lines.entry(key).or_default();
            line.0.add(&usage.times(sign));
            if sign > 0 {
                line.1 = line.1.max(call.basis.decimals);
            }
        }
        rating::drawn(call, draws, |meter, seconds| {
            let place = (call.group, call.own_period(), meter);
            *self.drawn.entry(place).or_default() += i64::from(seconds) * call.sign() * sign;
        });
        let legs = self.legs.entry(call.period).or_default();
        legs.0 += sign * call.sign();
        legs.1 += 1;
        *self.money.entry(call.basis.currency).or_default() += i128::from(call.cost.0) * i128::from(sign);
    }

    /// Adds a change to the digest, which does not depend on the order of changes, nor on this folder's row numbers.
    fn mark(&mut self, what: u8, number: u64, call: &RatedCall, costs: Option<Costs>) {
        let number = if what == b's' { 0 } else { number };
        let amounts = (call.billable_seconds, call.included_seconds, call.cost.0, call.reversal, call.period.0);
        let place = (what, number, call.key.position.0, call.key.leg as u8, call.account.0);
        // Numbers always have a form in bytes.
        let bytes = postcard::to_stdvec(&(place, amounts, costs)).unwrap_or_default();
        self.digest = self.digest.wrapping_add(xxhash_rust::xxh3::xxh3_128(&bytes));
    }

    /// Takes what another thread found.
    pub fn merge(&mut self, other: Sink) {
        self.superseded.extend(other.superseded);
        self.reversed.extend(other.reversed);
        self.restored.extend(other.restored);
        self.suspended.extend(other.suspended);
        self.gained.extend(other.gained);
        self.released.extend(other.released);
        for (key, (usage, decimals)) in other.lines {
            let line = self.lines.entry(key).or_default();
            line.0.add(&usage);
            line.1 = line.1.max(decimals);
        }
        for (key, seconds) in other.drawn {
            *self.drawn.entry(key).or_default() += seconds;
        }
        for (key, count) in other.books {
            *self.books.entry(key).or_default() += count;
        }
        for (key, (legs, calls)) in other.legs {
            let mine = self.legs.entry(key).or_default();
            *mine = (mine.0 + legs, mine.1 + calls);
        }
        for (key, amount) in other.money {
            *self.money.entry(key).or_default() += amount;
        }
        self.rows += other.rows;
        self.digest = self.digest.wrapping_add(other.digest);
    }

    /// Rows that are replaced or left out, rows that are taken back.
    pub fn changed(&self) -> (u64, u64) {
        (self.superseded.len() as u64, self.reversed.len() as u64)
    }

    /// The draft of all of it.
    pub fn draft(mut self, begun: crate::batch::Position, report: Vec<u8>) -> Result<(Draft, Outcome), SealError> {
        self.superseded.sort_unstable();
        self.reversed.sort_unstable();
        self.released.sort_unstable();
        self.suspended.sort_unstable_by_key(|leg| leg.key);
        self.gained.sort_unstable_by_key(|leg| leg.key);
        let revised = self.changed();
        let mut books = self.books;
        for (month, (legs, _)) in self.legs {
            for what in ["legs", "rated"] {
                *books.entry(name::legs(month, what)).or_default() += i128::from(legs);
            }
        }
        for (currency, amount) in self.money {
            let currency = String::from_utf8_lossy(&currency);
            for what in ["calls", "totals"] {
                *books.entry(name::money(&currency, what)).or_default() += amount;
            }
        }
        let outcome = Outcome {
            lines: LineDelta::of(self.lines),
            drawn: self.drawn.into_iter().filter(|(_, n)| *n != 0).map(|((g, p, m), n)| (g, p, m, n)).collect(),
            books: books.into_iter().filter(|(_, n)| *n != 0).collect(),
            released: self.released,
            suspended: self.suspended,
            superseded: Vec::new(),
            rows: self.rows,
        };
        let kept =
            RunOutcome { outcome: outcome.clone(), gained: self.gained, restored: self.restored.clone(), revised };
        let draft = Draft {
            seal: begun,
            digest: format!("{:032x}", self.digest),
            manifest: report,
            outcome: postcard::to_stdvec(&kept)?,
            superseded: self.superseded,
            reversed: self.reversed,
            restored: self.restored,
        };
        Ok((draft, outcome))
    }
}
