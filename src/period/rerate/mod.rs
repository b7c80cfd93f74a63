//! Re-rating (R22): which calls would cost something else, by what is known or by a tariff that is named, and the draft that
//! makes it so.
//!
//! ```text
//! dry run   rate ─▶ report, nothing written
//! apply     Begin entry at S ─▶ flush ─▶ rate everything before S ─▶ draft ─▶ Count entry ─▶ the flush behind it makes it count
//! ```
//! A leg of an open month gets a *revision*: a new row, and the one before is listed as superseded. A leg of a closed month
//! stays there for ever, as its manifest does; in the account's open month stand a *reversal* (the same amounts below zero, to
//! the digit) and the leg as it is now, both with `adjusts`. That is what an invoice shows: what is credited, what is charged
//! instead. A later run that changes such a pair while its month is open revises the new half only.
//!
//! **Allowances.** As long as every leg in the scope draws what it drew, nothing else changes. Where one draws more, less, or
//! in another group, the whole month of the group is drawn again in canonical order; legs outside the scope keep their own
//! tariff and directory, and those whose split changes are the *follow-on* of the report.
//!
//! **Left as they are**: legs stored before a row said what it was resolved by, legs whose month is another one by now (the seal
//! of an open month places them), whole records that wait, and legs that a record never had.
//!
//! **Taking back** ([`undo`]) writes what stood there before, to the digit, as revisions and adjustments again.
//!
//! **What is deleted meanwhile** (retention, erasure) waits until the run has ended; what was ordered before it goes first.
//!
//! What comes behind S is rated as ever, and the differences are added to whatever the totals are by then; nothing before S
//! changes meanwhile, since retries are void for the run's months and a month that closes gives the run up. So a replay makes
//! the same draft.
//!
//! Does not know who asks, nor how a report is shown.

use super::retained::{self, Watched};
use crate::batch::Position;
use crate::entry::RerateBegin;
use crate::images::Images;
use crate::period::SealError;
use crate::store::{DraftOf, Store};

mod apply;
mod decide;
mod job;
mod look;
mod rater;
mod report;
mod same;
mod scope;
mod sink;
mod told;
mod undo;
mod waiting;

pub use decide::decide;
pub use job::rate;
pub use report::Report;
pub use sink::RunOutcome;
pub use undo::undo;

/// What a run is over.
pub struct Run<'a> {
    /// Where the calls are.
    pub store: &'a dyn Store,
    /// The images that it names.
    pub images: &'a Images,
    /// What stands before this is rated again.
    pub at: Position,
    /// What was asked for.
    pub begin: &'a RerateBegin,
    /// The number whose draft is written; none: a dry run.
    pub draft: Option<u32>,
    /// Threads that read and rate.
    pub threads: usize,
    /// Legs held at once while allowances are drawn again.
    pub held: usize,
}

impl Run<'_> {
    /// Nothing of what it reads is deleted until it has ended; or, for a dry run, it is seen whether anything was.
    fn begins(&self) -> Result<Option<Watched>, SealError> {
        let Some(number) = self.draft else { return Watched::now(self.store).map(Some) };
        retained::carry_out(self.store, self.at)?;
        self.store.draft_begin(DraftOf::Run(number))?;
        Ok(None)
    }
}

/// Threads of a run: reading rows is most of the work, and SQLite reads on as many connections as one likes.
pub const THREADS: usize = 2;
/// Legs held at once, of some 700 bytes each; more where the month of one group has more.
pub const HELD: usize = 200_000;
