//! The SQLite schema: numbered SQL files, applied in order, each once.
//!
//! A released file is never changed; a change is a new file. A store written by a newer program is refused, since its
//! tables may mean something this program does not know.
//!
//! Does not know what the tables are used for.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::StoreError;
use super::sqlite::failed;
use crate::call::CallType;

/// Marks the file as ours: `file` and any SQLite tool show it. The letters `cRs1`.
pub const APPLICATION_ID: i32 = i32::from_be_bytes(*b"cRs1");

/// The files, in order; the first is version 1.
const FILES: &[&str] = &[
    include_str!("0001.sql"),
    include_str!("0002.sql"),
    include_str!("0003.sql"),
    include_str!("0004.sql"),
    include_str!("0005.sql"),
    include_str!("0006.sql"),
    include_str!("0007.sql"),
    include_str!("0008.sql"),
    include_str!("0009.sql"),
    include_str!("0010.sql"),
];

/// The newest version this program knows.
pub const KNOWN: u32 = FILES.len() as u32;

/// The version of a store: 0 for an empty file, an error for a file that is not a store of ours.
pub fn version(connection: &Connection) -> Result<u32, StoreError> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).map_err(failed)?;
    if tables == 0 {
        return Ok(0);
    }
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed)?;
    if id != APPLICATION_ID {
        return Err(StoreError::Damaged("it is an SQLite file of another program".into()));
    }
    let found: Option<u32> = connection
        .query_row("SELECT max(version) FROM schema_version", (), |row| row.get(0))
        .optional()
        .map_err(failed)?
        .flatten();
    found.ok_or_else(|| StoreError::Damaged("it names no schema version".into()))
}

/// Whether a store that may not be changed is of the newest version.
pub fn must_be_known(connection: &Connection) -> Result<(), StoreError> {
    match version(connection)? {
        KNOWN => Ok(()),
        found if found > KNOWN => Err(StoreError::Newer { found, known: KNOWN }),
        _ => Err(StoreError::Io(
            "the store was written by an earlier version; `callrated usage` brings it up to date".into(),
        )),
    }
}

/// Brings a store to the newest version, in one transaction.
pub fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    migrate_to(connection, KNOWN)
}

pub(super) fn migrate_to(connection: &mut Connection, target: u32) -> Result<(), StoreError> {
    let found = version(connection)?;
    if found > KNOWN {
        return Err(StoreError::Newer { found, known: KNOWN });
    }
    if found >= target {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Somebody else may have migrated while we waited for the lock.
    let found = version(&transaction)?;
    if found == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        transaction.execute_batch("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)").map_err(failed)?;
    }
    for number in found + 1..=target {
        let Some(sql) = FILES.get(number as usize - 1) else { break };
        transaction.execute_batch(sql).map_err(failed)?;
        transaction.execute("INSERT INTO schema_version VALUES (?1)", [number]).map_err(failed)?;
    }
    // The names of call types live in the program; a newer one may know more.
    for call_type in CallType::ALL {
        transaction
            .execute("INSERT OR IGNORE INTO call_types VALUES (?1, ?2)", (*call_type as u8, call_type.name()))
            .map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}
