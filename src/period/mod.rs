//! Months that close: what a closed month means for calls, and the job that seals one.
//!
//! ```text
//!            Seal entry at S                          Sealed entry
//!   open ───────┬──────────────── sealing ────────────────┬──────── sealed ────────▶
//!               │ legs of the month wait in suspense      │ legs of the month are adjustments in an open month
//!               └─▶ job: everything before S, rated       │
//!                   again in canonical order ─▶ draft ────┘ the flush behind it makes the draft count, whole
//! ```
//!
//! **How it is represented.** A month is closed by an entry of the journal ([`Seal`](crate::entry::Seal)); what counts is what stands before
//! it. A job reads the stored calls, what waits and what contradicts, and rates all of it again under the directory and
//! the tariffs known there, in the order of answer instant, node, call id and leg. What it finds goes into a *draft* in
//! the store, which changes nothing yet; a restart begins the draft anew. A second entry ([`Sealed`](crate::entry::Sealed)) names the draft's
//! digest; from its place on the draft counts: the shards add its differences to their totals, the resolver takes what it
//! released out of suspense, and the flush that holds the entry writes it in its one transaction.
//!
//! A *revision* is a new row of calls; the row it replaces is listed as superseded and stays. An *adjustment* is a row of
//! an open month that names its own, closed one. The *manifest* is JSON, kept byte for byte; its digest covers what each
//! leg says and costs, by names, never by this folder's numbers, positions or times of receipt.
//!
//! A replay that meets a Sealed entry whose draft is not in the store makes it again first: it follows from the journal.
//!
//! **A leg that the job cannot place** (its month is another one by now) goes into suspense and is tried again by itself.
//! Adjustments are final when they are written: sealing the month that bills them does not rate them again.
//!
//! Does not know HTTP, nor who asked.

use std::collections::BTreeMap;

use crate::batch::Position;
use crate::entry::Rerate;
use crate::store::{PeriodRow, RerateRun};
use crate::time::{Micros, Period, Timestamp, Zone};

mod candidates;
mod carry;
mod draft;
mod drawn;
mod gather;
mod heads;
mod known;
mod manifest;
mod minimum;
mod names;
mod outcome;
mod progress;
pub mod rerate;
mod reruns;
mod retained;
mod seals;
mod sort;
pub mod trial;
mod versions;

pub use carry::{Carried, rolls_over};
pub use manifest::LegLine;
pub use minimum::{MinimumLine, Preview};
pub use outcome::{LineDelta, Outcome, SuspendedLeg};
pub use progress::{Progress, SealError};
pub use rerate::Report;
pub use seals::Seals;

/// `[periods]`.
#[derive(Clone, Copy, Debug)]
pub struct PeriodSettings {
    /// How long records of a month that is over are waited for.
    pub grace: Micros,
    /// Months seal by themselves after that.
    pub auto_seal: bool,
}

/// Time zones reach from 12 hours behind UTC to 14 before it.
const ZONE_BEHIND: i64 = 12 * 3_600_000_000;
const ZONE_BEFORE: i64 = 14 * 3_600_000_000;

/// Instants that may lie in a month somewhere on earth: `[start, end)`.
pub fn everywhere(period: Period) -> (Timestamp, Timestamp) {
    let (start, end) = period.bounds(&Zone::UTC);
    (Timestamp(start.0 - ZONE_BEFORE), Timestamp(end.0 + ZONE_BEHIND))
}

/// Which months are closed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ledger {
    closed: BTreeMap<Period, Closed>,
    /// No closed month reaches this instant, anywhere on earth.
    until: Option<Timestamp>,
    /// Runs of re-rating that began.
    runs: u32,
    rerating: Option<Rerating>,
}

/// A run of re-rating that is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rerating {
    /// Its number.
    pub run: u32,
    /// The entry that began it: what stands before it is rated again.
    pub begun: Position,
    /// First and last month.
    pub months: (Period, Period),
}

/// A month that takes no calls any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed {
    /// The entry that closed it: what stands before it counts.
    pub seal: Position,
    /// Its revisions count.
    pub sealed: bool,
}

/// Where a leg is billed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In its own month.
    Own,
    /// Nowhere yet: its month is being sealed.
    Waits,
    /// In this open month, as an adjustment (R21).
    Adjusts(Period),
}

/// For how many calendar months what is kept; none: for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct RetentionSettings {
    /// Call details of sealed months, counted from the end of the month.
    pub calls: Option<u32>,
    /// Records that contradict another, from their receipt.
    pub conflicts: Option<u32>,
    /// What was taken out of suspense for good, from then on.
    pub discarded: Option<u32>,
    /// Images of directories that nothing kept needs, from when another came into force.
    pub images: Option<u32>,
}

impl Ledger {
    /// As stored, as far as it stands before a position.
    pub fn before(rows: &[PeriodRow], position: Position) -> Ledger {
        let mut ledger = Ledger::default();
        for row in rows.iter().filter(|row| row.seal < position) {
            ledger.seal(row.period, row.seal);
            if row.sealed.is_some_and(|at| at < position) {
                ledger.sealed(row.period, row.seal);
            }
        }
        ledger
    }

    /// With runs of re-rating as stored, as far as they stand before a position.
    pub fn with_runs(mut self, runs: &[RerateRun], position: Position) -> Ledger {
        for run in runs.iter().filter(|run| run.begun < position) {
            self.runs = self.runs.max(run.run);
            if run.settled.is_none_or(|at| at >= position)
                && let Ok(Rerate::Begin(begin)) = serde_json::from_str(&run.entry)
            {
                let months = (Period(begin.scope.first), Period(begin.scope.last));
                self.rerating = Some(Rerating { run: run.run, begun: run.begun, months });
            }
        }
        self
    }

    /// A run of re-rating begins: its number; none while a month is being sealed or another run is under way.
    pub fn begin_rerate(&mut self, begun: Position, months: (Period, Period)) -> Option<u32> {
        if self.rerating.is_some() || self.closed.values().any(|closed| !closed.sealed) {
            return None;
        }
        self.runs += 1;
        self.rerating = Some(Rerating { run: self.runs, begun, months });
        Some(self.runs)
    }

    /// The run under way.
    pub fn rerating(&self) -> Option<Rerating> {
        self.rerating
    }

    /// A run counts or is given up; false if it is not the one under way.
    pub fn end_rerate(&mut self, run: u32) -> bool {
        let ends = self.rerating.is_some_and(|one| one.run == run);
        if ends {
            self.rerating = None;
        }
        ends
    }

    /// Whether a call answered then may belong to a closed month: what is asked of every call, and costs no civil time.
    pub fn reaches(&self, answer: Timestamp) -> bool {
        self.until.is_some_and(|until| answer < until)
    }

    /// What is known of a month; none: it is open.
    pub fn get(&self, period: Period) -> Option<Closed> {
        self.closed.get(&period).copied()
    }

    /// Closes a month; false if it is closed already, and nothing changes. A run of re-rating under way is given up: what it
    /// found is not what the month is any more.
    pub fn seal(&mut self, period: Period, at: Position) -> bool {
        if self.closed.contains_key(&period) {
            return false;
        }
        self.closed.insert(period, Closed { seal: at, sealed: false });
        self.until = self.until.max(Some(everywhere(period).1));
        self.rerating = None;
        true
    }

    /// Its revisions count from here on; false if that is not the seal under way.
    pub fn sealed(&mut self, period: Period, seal: Position) -> bool {
        match self.closed.get_mut(&period) {
            Some(closed) if closed.seal == seal && !closed.sealed => {
                closed.sealed = true;
                true
            }
            _ => false,
        }
    }

    /// Where a leg of a month is billed that was received in another (both in the account's zone).
    pub fn place(&self, own: Period, received: Period) -> Place {
        match self.closed.get(&own) {
            None => Place::Own,
            Some(Closed { sealed: false, .. }) => Place::Waits,
            Some(Closed { sealed: true, .. }) => {
                let mut open = own.max(received);
                while self.closed.contains_key(&open) {
                    open = Period(open.0 + 1);
                }
                Place::Adjusts(open)
            }
        }
    }

    /// Whether trying something again is void: a job is at work on its month. `period` is that of a leg in suspense, for
    /// a whole record the answer decides, wherever on earth it was.
    pub fn voids_retry(&self, period: Option<Period>, answer: Option<Timestamp>) -> bool {
        let touches = |first: Period, last: Period| {
            let (start, end) = (everywhere(first).0, everywhere(last).1);
            period.is_some_and(|period| first <= period && period <= last)
                || answer.is_some_and(|at| start <= at && at < end)
        };
        let sealing = self.closed.iter().filter(|(_, closed)| !closed.sealed).any(|(month, _)| touches(*month, *month));
        sealing || self.rerating.is_some_and(|run| touches(run.months.0, run.months.1))
    }
}
