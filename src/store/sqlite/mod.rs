//! The store in one SQLite file, readable by any SQLite tool.
//!
//! Rated calls lie in a packed plain table in the order of flushes, sorted by account within a flush; a small locator
//! per flush leads to an account's rows. Any secondary index over calls costs several times the insert itself after a
//! few million rows, this does not. One connection writes; every question has a connection of its own and reads in
//! short windows, so that it neither blocks the writer nor keeps the write-ahead log from being folded back.
//!
//! Does not know shards, schedules or HTTP.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::*;

mod account_order;
mod beside;
mod binder;
mod calls;
mod cell;
mod costs;
mod guard;
mod locator;
mod lookups;
mod memory;
mod minimums;
mod open;
mod order;
mod page;
mod periods;
mod pieces;
mod rating;
mod reader;
mod reruns;
mod retention;
mod retire;
mod row;
mod segments;
mod stand_in;
mod state;
mod suspense;
mod told;
mod unname;
mod usage;
mod usage_line;
mod usage_pack;
mod value;
mod write;

#[cfg(test)]
mod tests;

use open::{at, backup, open_reader, open_writer};
use periods::{period_number, period_of};
use reader::Reader;
pub(super) use value::failed;
use value::{call_type_of, damaged, leg_number, leg_of, whole};
use write::Writer;

/// Idle connections kept for questions; more are opened when needed and closed afterwards.
const IDLE_READERS: usize = 8;

/// The store in an SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Writer>,
    readers: Mutex<Vec<Reader>>,
}

impl SqliteStore {
    /// Opens or creates the file, and brings its schema up to date.
    pub fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        let connection = open_writer(path).map_err(|error| at(path, error))?;
        let (writer, readers) = (Mutex::new(Writer::new(connection)), Mutex::new(Vec::new()));
        Ok(SqliteStore { path: path.to_owned(), writer, readers })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic while flushing left a transaction that is rolled back when the next one begins.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a connection of its own to a question.
    fn read<T>(&self, ask: impl FnOnce(&mut Reader) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => open_reader(&self.path).and_then(Reader::new).map_err(|error| at(&self.path, error))?,
        };
        let answer = ask(&mut reader)?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        Ok(answer)
    }
}

impl Store for SqliteStore {
    fn load(&self) -> Result<StoredState, StoreError> {
        self.read(state::load)
    }

    fn start(&self) -> Result<StoredStart, StoreError> {
        state::start::start(&self.path)
    }

    fn flush(&self, batch: &FlushBatch<'_>) -> Result<FlushReport, StoreError> {
        self.writer().flush(batch)
    }

    fn load_activations(&self) -> Result<(Vec<ActivationRow>, Vec<ActivationRow>), StoreError> {
        self.read(|reader| state::load_activations(&reader.connection))
    }

    fn calls(
        &self,
        account: AccountKey,
        period: Period,
        page: CallPage,
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<Option<CallCursor>, StoreError> {
        self.read(|reader| account_order::calls(reader, account, period, page, visit))
    }

    fn legs(&self, position: Position) -> Result<Vec<OwnedCall>, StoreError> {
        self.read(|reader| reader.legs(position))
    }

    fn scan(
        &self,
        period: Option<Period>,
        order: ScanOrder,
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<(), StoreError> {
        self.read(|reader| match order {
            ScanOrder::Stored => reader.scan_stored(period, visit),
            ScanOrder::Account => account_order::scan(reader, period, visit),
        })
    }

    fn calls_of_flush(&self, flush: u64, visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit) -> Result<(), StoreError> {
        self.read(|reader| reader.of_flush(flush, visit))
    }

    fn usage(&self, account: AccountKey, period: Period) -> Result<Vec<UsageLine>, StoreError> {
        self.read(|reader| usage::of_account(&reader.connection, account, period))
    }

    fn allowances(&self, group: GroupKey, period: Period) -> Result<Vec<AllowanceLine>, StoreError> {
        self.read(|reader| usage::allowances(&reader.connection, group, period))
    }

    fn period_usage(
        &self,
        period: Period,
        after: Option<&str>,
        limit: usize,
        visit: &mut dyn FnMut(&Account, &[UsageLine]) -> Visit,
    ) -> Result<(), StoreError> {
        self.read(|reader| usage::of_period(&reader.connection, period, after, limit, visit))
    }

    fn account_named(&self, name: &str) -> Result<Option<AccountKey>, StoreError> {
        self.read(|reader| state::account_named(&reader.connection, name))
    }

    fn account_name(&self, key: AccountKey) -> Result<Option<String>, StoreError> {
        self.read(|reader| state::account_name(&reader.connection, key))
    }

    fn suspense(&self, page: SuspensePage, visit: &mut dyn FnMut(&SuspenseItem) -> Visit) -> Result<(), StoreError> {
        self.read(|reader| suspense::list(&reader.connection, page, visit))
    }

    fn suspense_counts(&self) -> Result<Vec<(SuspenseReason, u64)>, StoreError> {
        self.read(|reader| suspense::counts(&reader.connection))
    }

    fn suspense_whole(&self, page: SuspensePage, visit: &mut Items<'_>) -> Result<(), StoreError> {
        self.read(|reader| suspense::list_whole(&reader.connection, page, visit))
    }

    fn suspense_part(&self, part: (usize, usize), visit: &mut Items<'_>) -> Result<(), StoreError> {
        self.read(|reader| suspense::part(&reader.connection, part, visit))
    }

    fn suspense_ages(&self, since: [Timestamp; AGES - 1]) -> Result<Vec<SuspenseAges>, StoreError> {
        self.read(|reader| suspense::ages(&reader.connection, since))
    }

    fn suspense_oldest(&self) -> Result<Vec<(SuspenseReason, Timestamp)>, StoreError> {
        self.read(|reader| suspense::oldest(&reader.connection))
    }

    fn conflicts_undecided(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        self.read(|reader| suspense::undecided(&reader.connection))
    }

    fn discarded_of(&self, position: Position) -> Result<Vec<DiscardedItem>, StoreError> {
        self.read(|reader| suspense::discarded(&reader.connection, position))
    }

    fn decisions(&self, first: Option<Position>) -> Result<Vec<DecidedRow>, StoreError> {
        self.read(|reader| told::decisions(&reader.connection, first))
    }

    fn told(&self, positions: &[Position]) -> Result<Vec<Option<Told>>, StoreError> {
        self.read(|reader| told::told(&reader.connection, positions))
    }

    fn told_unanswered(&self, after: Option<Position>, limit: usize) -> Result<Vec<ToldUnanswered>, StoreError> {
        self.read(|reader| told::unanswered(&reader.connection, after, limit))
    }

    fn suspense_of(&self, position: Position) -> Result<Vec<SuspenseItem>, StoreError> {
        self.read(|reader| suspense::of_record(&reader.connection, position))
    }

    fn pieces(&self, position: Position) -> Result<Vec<Position>, StoreError> {
        self.read(|reader| pieces::pieces(&reader.connection, position))
    }

    fn assembled(&self, from: Position, limit: usize) -> Result<Vec<AssembledRow>, StoreError> {
        self.read(|reader| pieces::assembled(&reader.connection, from, limit))
    }

    fn conflicts(&self, after: Option<Position>, limit: usize) -> Result<Vec<Conflict>, StoreError> {
        self.read(|reader| suspense::conflicts(&reader.connection, after, limit))
    }

    fn flushes(&self, after: Option<u64>, limit: usize) -> Result<Vec<FlushInfo>, StoreError> {
        self.read(|reader| state::flushes(&reader.connection, after, limit))
    }

    fn draft_begin(&self, of: DraftOf) -> Result<(), StoreError> {
        self.writer().draft_begin(of)
    }

    fn draft_rows(&self, of: DraftOf, number: u64, rows: &[u8]) -> Result<(), StoreError> {
        self.writer().draft_rows(of, number, rows)
    }

    fn draft_finish(&self, of: DraftOf, draft: &Draft) -> Result<(), StoreError> {
        self.writer().draft_finish(of, draft)
    }

    fn draft(&self, of: DraftOf) -> Result<Option<Draft>, StoreError> {
        self.read(|reader| periods::draft(&reader.connection, of))
    }

    fn scan_part(
        &self,
        period: Period,
        part: (usize, usize),
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<(), StoreError> {
        self.read(|reader| reader.scan_part(period, part, visit))
    }

    fn rows(&self, rows: &[u64], visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit) -> Result<(), StoreError> {
        self.read(|reader| reruns::rows(reader, rows, visit))
    }

    fn revisions(&self, position: Position) -> Result<Vec<Revised>, StoreError> {
        self.read(|reader| reader.revisions(position))
    }

    fn rerate_runs(&self) -> Result<Vec<RerateRun>, StoreError> {
        self.read(|reader| reruns::runs(&reader.connection))
    }

    fn rerate_run(&self, run: u32) -> Result<Option<(RerateRun, Vec<u8>)>, StoreError> {
        self.read(|reader| reruns::run(&reader.connection, run))
    }

    fn corrected_by(&self, flush: u64) -> Result<Corrected, StoreError> {
        self.read(|reader| reruns::corrected_by(&reader.connection, flush))
    }

    fn reversed(&self) -> Result<Vec<u64>, StoreError> {
        self.read(|reader| reruns::reversed(&reader.connection))
    }

    fn periods(&self) -> Result<Vec<PeriodRow>, StoreError> {
        self.read(|reader| periods::periods(&reader.connection))
    }

    fn margin_routes(&self, period: Period) -> Result<Vec<MarginRoute>, StoreError> {
        self.read(|reader| costs::routes(&reader.connection, period))
    }

    fn margin_accounts(&self, period: Period) -> Result<Vec<MarginAccount>, StoreError> {
        self.read(|reader| costs::accounts(&reader.connection, period))
    }

    fn deleted_margins(&self, period: Period) -> Result<Vec<MarginAccount>, StoreError> {
        self.read(|reader| costs::accounts_deleted(&reader.connection, period))
    }

    fn minimums(&self, of: MinimumsOf<'_>) -> Result<Vec<MinimumRow>, StoreError> {
        self.read(|reader| minimums::read(&reader.connection, of))
    }

    fn draft_minimums(&self, rows: &[MinimumRow]) -> Result<(), StoreError> {
        minimums::draft(&mut self.writer().connection, rows)
    }

    fn adjusted(&self, period: Period) -> Result<Vec<Period>, StoreError> {
        self.read(|reader| minimums::adjusted(&reader.connection, period))
    }

    fn months(&self) -> Result<Vec<Period>, StoreError> {
        self.read(|reader| periods::months(&reader.connection))
    }

    fn manifest(&self, period: Period) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|reader| periods::manifest(&reader.connection, period))
    }

    fn changes(&self, name: &str) -> Result<Vec<Position>, StoreError> {
        self.read(|reader| state::changes(&reader.connection, name))
    }

    fn acks(&self, period: Period) -> Result<Vec<AckRow>, StoreError> {
        self.read(|reader| periods::acks(&reader.connection, period))
    }

    fn profile(&self, source: SourceId, position: Position) -> Result<Option<String>, StoreError> {
        self.read(|reader| state::profile(&reader.connection, source, position))
    }

    fn guard_events(&self, page: GuardPage) -> Result<Vec<GuardEvent>, StoreError> {
        self.read(|reader| guard::events(&reader.connection, page))
    }

    fn guard_delivered(&self, deliveries: &[GuardDelivery]) -> Result<(), StoreError> {
        self.writer().guard_delivered(deliveries)
    }

    fn guard_deliveries(&self, since: Timestamp) -> Result<Vec<GuardDelivery>, StoreError> {
        self.read(|reader| guard::deliveries(&reader.connection, since))
    }

    fn retention(&self) -> Result<Vec<OrderRow>, StoreError> {
        self.read(|reader| retention::orders(&reader.connection))
    }

    fn directories_of_calls(&self) -> Result<Option<Vec<u32>>, StoreError> {
        self.read(|reader| retention::directories(&reader.connection)).map(Some)
    }

    fn holds(&self) -> Result<Vec<RetentionRow>, StoreError> {
        self.read(|reader| retention::holds(&reader.connection))
    }

    fn deletion_due(&self, before: Period) -> Result<Vec<Period>, StoreError> {
        self.read(|reader| retention::due(&reader.connection, before))
    }

    fn deleted(&self, period: Option<Period>) -> Result<Vec<DeletedRow>, StoreError> {
        self.read(|reader| retention::deleted(&reader.connection, period))
    }

    fn deleted_sums(&self, period: Option<Period>) -> Result<Vec<DeletedSum>, StoreError> {
        self.read(|reader| retention::sums(&reader.connection, period))
    }

    fn deleted_draws(&self) -> Result<Vec<AllowanceLine>, StoreError> {
        self.read(|reader| retention::draws(&reader.connection))
    }

    fn retire(&self, order: Position) -> Result<Retired, StoreError> {
        retire::retire(self, order)
    }

    fn retired(&self, order: Position, at: Timestamp) -> Result<(), StoreError> {
        retention::done(&self.writer().connection, order, at)
    }

    fn scrub(&self) -> Result<bool, StoreError> {
        retention::scrub(&self.writer().connection)
    }

    fn discarded_of_account(&self, account: AccountKey) -> Result<Vec<DiscardedRecord>, StoreError> {
        self.read(|reader| retention::discarded_of(&reader.connection, account))
    }

    fn backup_to(&self, path: &Path) -> Result<(), StoreError> {
        self.read(|reader| backup(&reader.connection, path).map_err(|error| at(path, error)))
    }
}
