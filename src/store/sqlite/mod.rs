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
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::schema;
use super::*;

mod account_order;
mod calls;
mod cell;
mod costs;
mod guard;
mod locator;
mod memory;
mod page;
mod periods;
mod pieces;
mod reader;
mod segments;
mod state;
mod suspense;
mod usage;
mod usage_line;
mod write;

#[cfg(test)]
mod tests;

use periods::{period_number, period_of};
use reader::Reader;
use write::Writer;

/// Page size of new files: account reads from a cold disk take half as long as with 4 KiB pages, inserts no longer.
const PAGE_SIZE: i64 = 16 * 1024;
/// How long to wait for a lock that another process holds.
const BUSY_WAIT: Duration = Duration::from_secs(2);
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

    /// Opens a store that is there only to ask it, also while a daemon writes into it. Nothing can be written by what this gives.
    ///
    /// # Errors
    /// There is none, or it is not of this version.
    pub fn open_to_read(path: &Path) -> Result<SqliteStore, StoreError> {
        let connection = open_reader(path).map_err(|error| at(path, error))?;
        schema::must_be_known(&connection)?;
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
            None => Reader::new(open_reader(&self.path).map_err(|error| at(&self.path, error))?),
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

    fn draft_begin(&self, period: Period) -> Result<(), StoreError> {
        self.writer().draft_begin(period)
    }

    fn draft_rows(&self, period: Period, number: u64, rows: &[u8]) -> Result<(), StoreError> {
        self.writer().draft_rows(period, number, rows)
    }

    fn draft_finish(&self, period: Period, draft: &Draft) -> Result<(), StoreError> {
        self.writer().draft_finish(period, draft)
    }

    fn draft(&self, period: Period) -> Result<Option<Draft>, StoreError> {
        self.read(|reader| periods::draft(&reader.connection, period))
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

    fn months(&self) -> Result<Vec<Period>, StoreError> {
        self.read(|reader| periods::months(&reader.connection))
    }

    fn manifest(&self, period: Period) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|reader| periods::manifest(&reader.connection, period))
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

    fn backup_to(&self, path: &Path) -> Result<(), StoreError> {
        self.read(|reader| backup(&reader.connection, path).map_err(|error| at(path, error)))
    }
}

fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
    // Look before anything is changed: a newer or foreign file stays as it is.
    let version = schema::version(&connection)?;
    if version > schema::KNOWN {
        return Err(StoreError::Newer { found: version, known: schema::KNOWN });
    }
    connection.pragma_update(None, "page_size", PAGE_SIZE).map_err(failed)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0)).map_err(failed)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(StoreError::Io("the file system does not allow SQLite's write-ahead log".into()));
    }
    connection
        .execute_batch(
            // FULL: what flush() answered is on the disk; one sync a flush is lost in the noise.
            // 64 MiB of cache hold the inner pages of everything a flush touches.
            "PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;
             PRAGMA journal_size_limit = 134217728;",
        )
        .map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    schema::migrate(&mut connection)?;
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
    connection.execute_batch("PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;").map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Copies within one read transaction: consistent, and the writer goes on. It is written beside the target and renamed
/// when it is whole.
fn backup(source: &Connection, path: &Path) -> Result<(), StoreError> {
    let io = |error: std::io::Error| StoreError::Io(error.to_string());
    if path.exists() {
        return Err(StoreError::Io("the file exists already, and a backup overwrites nothing".into()));
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let mut target = Connection::open(&partial).map_err(failed)?;
    {
        let backup = rusqlite::backup::Backup::new(source, &mut target).map_err(failed)?;
        // All pages in one step: between steps a flush would make the copy start again.
        match backup.step(-1).map_err(failed)? {
            rusqlite::backup::StepResult::Done => {}
            _ => return Err(StoreError::Busy),
        }
    }
    target.close().map_err(|(_, error)| failed(error))?;
    std::fs::File::open(&partial).and_then(|file| file.sync_all()).map_err(io)?;
    std::fs::rename(&partial, path).map_err(io)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    }
    Ok(())
}

/// Says which file an error speaks of.
fn at(path: &Path, error: StoreError) -> StoreError {
    let path = path.display();
    match error {
        StoreError::Io(why) => StoreError::Io(format!("cannot open the store {path}: {why}")),
        StoreError::Damaged(why) => StoreError::Damaged(format!("{path}: {why}")),
        other => other,
    }
}

/// An SQLite error as the caller acts on it.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    match &error {
        rusqlite::Error::SqliteFailure(cause, text) => match cause.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
            ErrorCode::DiskFull => StoreError::Full,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged(error.to_string()),
            ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => {
                StoreError::Unstorable(text.clone().unwrap_or_else(|| error.to_string()))
            }
            ErrorCode::CannotOpen => StoreError::Io(
                "the file cannot be opened or created; does its folder exist, and may we write there?".into(),
            ),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
                StoreError::Io("the file or its folder is not writable".into())
            }
            // A missing table or column: the file is not what its version says.
            ErrorCode::Unknown => StoreError::Damaged(error.to_string()),
            _ => StoreError::Io(error.to_string()),
        },
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => StoreError::Damaged(error.to_string()),
        _ => StoreError::Io(error.to_string()),
    }
}

/// A stored value that no version of this program wrote.
fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}

/// A position or counter as SQLite holds it.
fn whole(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Unstorable(format!("{value} is beyond 63 bits")))
}

fn leg_number(leg: Option<crate::record::Direction>) -> i64 {
    use crate::record::Direction;
    match leg {
        Some(Direction::Outbound) => 0,
        Some(Direction::Inbound) => 1,
        None => -1,
    }
}

fn leg_of(number: i64) -> Option<Option<crate::record::Direction>> {
    use crate::record::Direction;
    Some(match number {
        0 => Some(Direction::Outbound),
        1 => Some(Direction::Inbound),
        -1 => None,
        _ => return None,
    })
}

fn call_type_of(number: i64) -> Option<crate::call::CallType> {
    crate::call::CallType::ALL.get(usize::try_from(number).ok()?).copied()
}
