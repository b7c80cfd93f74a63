//! The file opened, to write and to read, and copied.
//!
//! Does not know what is in it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{SqliteStore, Writer, failed};
use crate::store::{StoreError, schema};

/// Page size of new files: account reads from a cold disk take half as long as with 4 KiB pages, inserts no longer.
const PAGE_SIZE: i64 = 16 * 1024;
/// How long to wait for a lock that another process holds.
const BUSY_WAIT: Duration = Duration::from_secs(2);

pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
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
            // A flush or two are copied from the log into the database at once, a megabyte or three: the journal's sync waits for
            // what is under way on the disk, which with SQLite's own sixteen megabytes was up to eight milliseconds.
            "PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;
             PRAGMA journal_size_limit = 134217728; PRAGMA wal_autocheckpoint = 64;
             -- What is deleted is overwritten: an erasure is worth nothing if the bytes stay in free pages.
             PRAGMA secure_delete = ON;",
        )
        .map_err(failed)?;
    keep_statements(&connection)?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
    connection.execute_batch("PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;").map_err(failed)?;
    keep_statements(&connection)?;
    Ok(connection)
}

/// Statements are compiled once. Without a word SQLite compiles one anew whenever a parameter gets another value that a plan
/// might depend on, which costs ten times what a look-up by key does; no plan of ours depends on one.
fn keep_statements(connection: &Connection) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    Ok(())
}

/// Copies within one read transaction: consistent, and the writer goes on. It is written beside the target and renamed
/// when it is whole.
pub(super) fn backup(source: &Connection, path: &Path) -> Result<(), StoreError> {
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

impl SqliteStore {
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
}

/// Says which file an error speaks of.
pub(super) fn at(path: &Path, error: StoreError) -> StoreError {
    let path = path.display();
    match error {
        StoreError::Io(why) => StoreError::Io(format!("cannot open the store {path}: {why}")),
        StoreError::Damaged(why) => StoreError::Damaged(format!("{path}: {why}")),
        other => other,
    }
}
