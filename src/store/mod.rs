//! Invoice storage: what was rated, what waits, what the books say, and up to which journal position all of it holds.
//!
//! A [`Store`] keeps one promise: [`Store::flush`] writes a whole batch *and* its position in one transaction, or
//! nothing. State at the stored position plus the journal after it is the state now. Questions go over connections of
//! their own and never hold up the writer.
//!
//! It is a trait because tests play the world through it: [`faulty`] refuses, is slow, or fails after the commit.
//!
//! Does not know shards, schedules, HTTP, the journal's bytes, or how a price came about.

use std::ops::ControlFlow;
use std::path::Path;

use crate::batch::{Position, SourceId};
use crate::call::{AccountKey, GroupKey, LegKey, SuspenseReason};
use crate::time::{Period, Timestamp};

pub mod faulty;
mod schema;
pub mod sqlite;
mod types;

pub use types::*;

/// What went wrong, as far as the caller acts on it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else holds the database; try again.
    #[error("the store is in use by another process; trying again helps")]
    Busy,
    /// No room on the disk (or the database's own limit); nothing was written.
    #[error("the disk that holds the store is full")]
    Full,
    /// The file was written by a later version of this program.
    #[error("the store has schema version {found}, this program knows up to {known}: use the newer program")]
    Newer {
        /// Version found in the file.
        found: u32,
        /// Newest version this program knows.
        known: u32,
    },
    /// The file is not a store, or what it holds contradicts itself.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The batch does not begin where the store stands; nothing was written.
    #[error("the store stands at position {stored}, the batch does not begin there")]
    OutOfOrder {
        /// Where the store stands.
        stored: Position,
    },
    /// The batch holds what no batch may hold (a programming error upstream); nothing was written.
    #[error("the batch cannot be stored: {0}")]
    Unstorable(String),
    /// The file system or the connection gave out; the outcome of a flush may be unknown: send the same batch again.
    #[error("{0}")]
    Io(String),
}

impl StoreError {
    /// Whether the same call may succeed later without anything being repaired.
    pub fn is_retryable(&self) -> bool {
        matches!(self, StoreError::Busy | StoreError::Full | StoreError::Io(_))
    }
}

/// Conflicts read at a time.
const CONFLICTS_PAGE: usize = 1000;

/// Tells a scan to go on or to stop.
pub type Visit = ControlFlow<()>;

/// Is shown what is in suspense.
type Items<'v> = dyn FnMut(&SuspenseItem) -> Visit + 'v;

/// Invoice storage. One instance is shared by the flush thread and all who ask.
pub trait Store: Send + Sync {
    /// Everything the daemon needs to go on from the stored position.
    fn load(&self) -> Result<StoredState, StoreError>;

    /// The same for a start, which goes on while the many rows of it are still being read.
    fn start(&self) -> Result<StoredStart, StoreError> {
        self.load().map(StoredStart::of)
    }

    /// Writes all of the batch and its `upto` in one transaction, or nothing.
    ///
    /// A batch whose `upto` is the stored position is answered as done already, so a batch may be sent again after an
    /// unknown outcome. Any other batch that does not begin at the stored position is [`StoreError::OutOfOrder`].
    fn flush(&self, batch: &FlushBatch<'_>) -> Result<FlushReport, StoreError>;

    /// Tariffs and directories in the order of their activation.
    fn load_activations(&self) -> Result<(Vec<ActivationRow>, Vec<ActivationRow>), StoreError>;

    /// The rated calls of an account in a period, by answer instant, then position and leg.
    ///
    /// Returns the cursor of the last call shown if the page's limit or the visitor ended it, none at the end.
    fn calls(
        &self,
        account: AccountKey,
        period: Period,
        page: CallPage,
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<Option<CallCursor>, StoreError>;

    /// One rated leg.
    fn call(&self, key: LegKey) -> Result<Option<OwnedCall>, StoreError> {
        Ok(self.legs(key.position)?.into_iter().find(|leg| leg.call.key == key))
    }

    /// The rated legs of a record, outbound first. The position of a (node, id) is known to the identity index.
    fn legs(&self, position: Position) -> Result<Vec<OwnedCall>, StoreError>;

    /// Every rated call, of one period or of all, as of the moment of asking.
    fn scan(
        &self,
        period: Option<Period>,
        order: ScanOrder,
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<(), StoreError>;

    /// The rated calls that a flush wrote, in the order of their rows, also those that no longer count.
    fn calls_of_flush(&self, flush: u64, visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit) -> Result<(), StoreError>;

    /// The totals of an account in a period, by call type and currency.
    fn usage(&self, account: AccountKey, period: Period) -> Result<Vec<UsageLine>, StoreError>;

    /// What a group has drawn in a period, by meter.
    fn allowances(&self, group: GroupKey, period: Period) -> Result<Vec<AllowanceLine>, StoreError>;

    /// Totals of all accounts that have any in the period, by account name, after a name, at most `limit` accounts.
    fn period_usage(
        &self,
        period: Period,
        after: Option<&str>,
        limit: usize,
        visit: &mut dyn FnMut(&Account, &[UsageLine]) -> Visit,
    ) -> Result<(), StoreError>;

    /// An account by its name.
    fn account_named(&self, name: &str) -> Result<Option<AccountKey>, StoreError>;

    /// An account's name.
    fn account_name(&self, key: AccountKey) -> Result<Option<String>, StoreError>;

    /// What is in suspense, by position and leg, without the record's bytes.
    fn suspense(&self, page: SuspensePage, visit: &mut dyn FnMut(&SuspenseItem) -> Visit) -> Result<(), StoreError>;

    /// How many items wait, by reason; reasons without any are left out.
    fn suspense_counts(&self) -> Result<Vec<(SuspenseReason, u64)>, StoreError>;

    /// The same as [`Store::suspense`] with the records' bytes.
    fn suspense_whole(
        &self,
        page: SuspensePage,
        visit: &mut dyn FnMut(&SuspenseItem) -> Visit,
    ) -> Result<(), StoreError>;

    /// One of `part.1` parts of what is in suspense, with the records' bytes, in no order: every item is in one part.
    fn suspense_part(
        &self,
        part: (usize, usize),
        visit: &mut dyn FnMut(&SuspenseItem) -> Visit,
    ) -> Result<(), StoreError> {
        let all = SuspensePage { reason: None, after: None, limit: usize::MAX };
        if part.0 == 0 { self.suspense_whole(all, visit) } else { Ok(()) }
    }

    /// How long what waits has waited, by reason, in classes that begin at these instants, latest first.
    fn suspense_ages(&self, since: [Timestamp; AGES - 1]) -> Result<Vec<SuspenseAges>, StoreError>;

    /// Receipt of what waits longest, by reason; by the order of the journal, which is that of receipt.
    fn suspense_oldest(&self) -> Result<Vec<(SuspenseReason, Timestamp)>, StoreError>;

    /// How many contradictions nobody decided, and receipt of the oldest.
    fn conflicts_undecided(&self) -> Result<(u64, Option<Timestamp>), StoreError>;

    /// What of a record was taken out of suspense for good.
    fn discarded_of(&self, position: Position) -> Result<Vec<DiscardedItem>, StoreError>;

    /// Which versions of records were taken by hand, in order: of the record at a position, or all. The latest of a record
    /// counts.
    fn decisions(&self, first: Option<Position>) -> Result<Vec<DecidedRow>, StoreError>;

    /// What others charge for the records at these positions.
    fn told(&self, positions: &[Position]) -> Result<Vec<Option<Told>>, StoreError>;

    /// What others charge for what nobody answered, by position, after one, at most `limit`.
    fn told_unanswered(&self, after: Option<Position>, limit: usize) -> Result<Vec<ToldUnanswered>, StoreError>;

    /// Everything of one record that is in suspense, with the record's bytes.
    fn suspense_of(&self, position: Position) -> Result<Vec<SuspenseItem>, StoreError>;

    /// Where the pieces of a call lie in the journal, in order; none if it came as one record.
    fn pieces(&self, position: Position) -> Result<Vec<Position>, StoreError>;

    /// Calls put together from pieces, by position, from one on, at most `limit`.
    fn assembled(&self, from: Position, limit: usize) -> Result<Vec<AssembledRow>, StoreError>;

    /// Conflicts by position, after a position, at most `limit`.
    fn conflicts(&self, after: Option<Position>, limit: usize) -> Result<Vec<Conflict>, StoreError>;

    /// Conflicts with one record, by position.
    ///
    /// Reads all conflicts behind it: they are few, and an index over them would be paid for by every flush.
    fn conflicts_of(&self, first: Position) -> Result<Vec<Conflict>, StoreError> {
        let (mut found, mut after) = (Vec::new(), first);
        loop {
            let page = self.conflicts(Some(after), CONFLICTS_PAGE)?;
            let whole = page.len() == CONFLICTS_PAGE;
            after = page.last().map_or(after, |last| last.position);
            found.extend(page.into_iter().filter(|conflict| conflict.first == first));
            if !whole {
                return Ok(found);
            }
        }
    }

    /// Flushes in order, after a number, at most `limit`.
    fn flushes(&self, after: Option<u64>, limit: usize) -> Result<Vec<FlushInfo>, StoreError>;

    /// One of `part.1` parts of the calls of a month that count, in no order: every call is in one part.
    fn scan_part(
        &self,
        period: Period,
        part: (usize, usize),
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<(), StoreError> {
        if part.0 == 0 { self.scan(Some(period), ScanOrder::Stored, visit) } else { Ok(()) }
    }

    /// Some rows by their numbers, also those that no longer count.
    fn rows(&self, rows: &[u64], visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit) -> Result<(), StoreError>;

    /// Every row of a record's legs in the order in which they were written, and whether it counts.
    fn revisions(&self, position: Position) -> Result<Vec<Revised>, StoreError>;

    /// Runs of re-rating, by number, without their reports.
    fn rerate_runs(&self) -> Result<Vec<RerateRun>, StoreError>;

    /// A run with its report, and what it changed beside rows, in the bytes of whoever made its draft.
    fn rerate_run(&self, run: u32) -> Result<Option<(RerateRun, Vec<u8>)>, StoreError>;

    /// What a flush took out of count.
    fn corrected_by(&self, flush: u64) -> Result<Corrected, StoreError>;

    /// Rows of closed months that are taken back in an open one.
    fn reversed(&self) -> Result<Vec<u64>, StoreError>;

    /// Begins a draft anew.
    fn draft_begin(&self, of: DraftOf) -> Result<(), StoreError>;

    /// Adds rows to it, in the bytes of [`CallRow`]s (postcard). They change nothing yet.
    fn draft_rows(&self, of: DraftOf, number: u64, rows: &[u8]) -> Result<(), StoreError>;

    /// Ends it.
    fn draft_finish(&self, of: DraftOf, draft: &Draft) -> Result<(), StoreError>;

    /// A draft, if one was ended and does not count yet.
    fn draft(&self, of: DraftOf) -> Result<Option<Draft>, StoreError>;

    /// Months that are closed, by month.
    fn periods(&self) -> Result<Vec<PeriodRow>, StoreError>;

    /// What the calls of a month cost us, by how they are sold and bought. A store that keeps no costs has none.
    fn margin_routes(&self, _period: Period) -> Result<Vec<MarginRoute>, StoreError> {
        Ok(Vec::new())
    }

    /// What the calls of a month cost us, by account, in the order of names.
    fn margin_accounts(&self, _period: Period) -> Result<Vec<MarginAccount>, StoreError> {
        Ok(Vec::new())
    }

    /// Of these sums, what stands for calls whose details are gone.
    fn deleted_margins(&self, _period: Period) -> Result<Vec<MarginAccount>, StoreError> {
        Ok(Vec::new())
    }

    /// What sealed months bill of minimum spends, in order. A store that keeps none has none.
    fn minimums(&self, _of: MinimumsOf<'_>) -> Result<Vec<MinimumRow>, StoreError> {
        Ok(Vec::new())
    }

    /// The same of a month that is being sealed: it changes nothing before the month is. Those that are there already stay.
    fn draft_minimums(&self, _rows: &[MinimumRow]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Closed months of which a month bills calls.
    fn adjusted(&self, _period: Period) -> Result<Vec<Period>, StoreError> {
        Ok(Vec::new())
    }

    /// Every month that has or had a leg, by month.
    fn months(&self) -> Result<Vec<Period>, StoreError>;

    /// The manifest of a sealed month, byte for byte what it was.
    fn manifest(&self, period: Period) -> Result<Option<Vec<u8>>, StoreError>;

    /// Positions of the entries that changed an account or a number (with its `+`) by itself, in order.
    fn changes(&self, name: &str) -> Result<Vec<Position>, StoreError>;

    /// Who took the manifest of a month, in order.
    fn acks(&self, period: Period) -> Result<Vec<AckRow>, StoreError>;

    /// The profile of a source as it stood behind the entry at a position, as JSON.
    fn profile(&self, source: SourceId, position: Position) -> Result<Option<String>, StoreError>;

    /// What the spend guard told, by number, with what became of it.
    fn guard_events(&self, page: GuardPage) -> Result<Vec<GuardEvent>, StoreError>;

    /// Keeps what became of events at webhooks; one that is known already stays as it is. The events themselves may
    /// still be on their way into the store.
    fn guard_delivered(&self, deliveries: &[GuardDelivery]) -> Result<(), StoreError>;

    /// What became of events at webhooks from an instant on.
    fn guard_deliveries(&self, since: Timestamp) -> Result<Vec<GuardDelivery>, StoreError>;
    /// What was ordered of deletions, holds and erasures, by position.
    fn retention(&self) -> Result<Vec<OrderRow>, StoreError> {
        Ok(Vec::new())
    }

    /// By which directories the calls that are kept were resolved, by slot; none: nobody knows.
    fn directories_of_calls(&self) -> Result<Option<Vec<u32>>, StoreError> {
        Ok(None)
    }

    /// The entries that hold accounts now, by account.
    fn holds(&self) -> Result<Vec<RetentionRow>, StoreError> {
        Ok(Vec::new())
    }

    /// Sealed months before one that still have details which may go.
    fn deletion_due(&self, _before: Period) -> Result<Vec<Period>, StoreError> {
        Ok(Vec::new())
    }

    /// Whose details are gone, of one month or of all, by month and account.
    fn deleted(&self, _period: Option<Period>) -> Result<Vec<DeletedRow>, StoreError> {
        Ok(Vec::new())
    }

    /// What they added up to.
    fn deleted_sums(&self, _period: Option<Period>) -> Result<Vec<DeletedSum>, StoreError> {
        Ok(Vec::new())
    }

    /// What they drew of allowances, by their own month, group and meter.
    fn deleted_draws(&self) -> Result<Vec<AllowanceLine>, StoreError> {
        Ok(Vec::new())
    }

    /// Does a part of an order in a transaction of its own; asked again it goes on.
    fn retire(&self, _order: Position) -> Result<Retired, StoreError> {
        Ok(Retired::Stored)
    }

    /// Nothing is left to do of an order.
    fn retired(&self, _order: Position, _at: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    /// Empties what the database keeps beside its file; false where somebody reads just now.
    fn scrub(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// What was taken out of suspense for good, as far as it is known to be an account's.
    fn discarded_of_account(&self, _account: AccountKey) -> Result<Vec<DiscardedRecord>, StoreError> {
        Ok(Vec::new())
    }

    /// A consistent copy into a new file, while flushes go on. Refuses to overwrite.
    fn backup_to(&self, path: &Path) -> Result<(), StoreError>;
}
