//! What the daemon starts from, and the small tables: position, accounts, activations, flushes.
//!
//! Does not know calls.

use rusqlite::{Connection, OptionalExtension, Row};

use super::reader::Reader;
use super::{failed, leg_of, suspense, usage, whole};
use crate::batch::{Position, SourceId};
use crate::call::{AccountKey, GroupKey};
use crate::store::{
    Account, ActivationRow, FlushInfo, Group, Retried, SourceRow, StoreError, StoredState, SuspenseKey,
};
use crate::time::Timestamp;

pub(super) mod chains;
pub(super) mod start;

/// Where the store stands: the position, and the number of the last flush.
pub fn position(connection: &Connection) -> Result<(Position, u64), StoreError> {
    connection
        .prepare_cached("SELECT position, flush FROM state")
        .and_then(|mut statement| statement.query_row((), |row| Ok((Position(unsigned(row, 0)?), unsigned(row, 1)?))))
        .map_err(failed)
}

fn unsigned(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at).map(|value| value as u64)
}

pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.query_map(parameters, read).and_then(Iterator::collect).map_err(failed)
}

/// Everything, in one read transaction.
pub fn load(reader: &mut Reader) -> Result<StoredState, StoreError> {
    let transaction = reader.connection.unchecked_transaction().map_err(failed)?;
    Ok(StoredState {
        accounts: all(&transaction, "SELECT key, name FROM accounts ORDER BY key", (), account)?,
        groups: all(&transaction, "SELECT key, name FROM billing_groups ORDER BY key", (), |row| {
            Ok(Group { key: GroupKey(row.get(0)?), name: row.get(1)? })
        })?,
        usage: usage::load(&transaction)?,
        allowances: usage::load(&transaction)?,
        guarded: super::guard::guarded(&transaction)?,
        ..load_few(&transaction)?
    })
}

/// What has few rows.
fn load_few(connection: &Connection) -> Result<StoredState, StoreError> {
    let (position, flush) = position(connection)?;
    let retried = all(connection, "SELECT position, leg, attempt FROM retried ORDER BY 1, 2", (), |row| {
        let leg = row.get::<_, i64>(1)?;
        let leg = leg_of(leg).ok_or(rusqlite::Error::IntegralValueOutOfRange(1, leg))?;
        Ok(Retried {
            key: SuspenseKey { position: Position(unsigned(row, 0)?), leg },
            attempt: Position(unsigned(row, 2)?),
        })
    })?;
    Ok(StoredState {
        position,
        flush,
        sources: all(connection, "SELECT position, source, profile FROM sources ORDER BY 1, 2", (), |row| {
            Ok(SourceRow { position: Position(unsigned(row, 0)?), source: SourceId(row.get(1)?), json: row.get(2)? })
        })?,
        tariffs: activations(connection, "SELECT * FROM tariffs ORDER BY slot")?,
        directories: activations(connection, "SELECT * FROM directories ORDER BY slot")?,
        retried,
        open_calls: super::pieces::open_calls(connection)?,
        books: all(connection, "SELECT name, value FROM books ORDER BY ordinal, name", (), |row| {
            let value: String = row.get(1)?;
            let value = value.parse().map_err(|_| rusqlite::Error::IntegralValueOutOfRange(1, 0))?;
            Ok((row.get(0)?, value))
        })?,
        periods: super::periods::periods(connection)?,
        reruns: super::reruns::runs(connection)?,
        guards: super::guard::rules(connection)?,
        chains: chains::all(connection)?,
        suspense: suspense::counts(connection)?,
        ..StoredState::default()
    })
}

fn activations(connection: &Connection, sql: &str) -> Result<Vec<ActivationRow>, StoreError> {
    all(connection, sql, (), |row| {
        Ok(ActivationRow {
            slot: row.get(0)?,
            position: Position(unsigned(row, 1)?),
            digest: row.get(2)?,
            effective_from: row.get::<_, Option<i64>>(3)?.map(Timestamp),
            activated_at: Timestamp(row.get(4)?),
            by: row.get(5)?,
        })
    })
}

/// Tariffs and directories in the order of their activation.
pub fn load_activations(connection: &Connection) -> Result<(Vec<ActivationRow>, Vec<ActivationRow>), StoreError> {
    let tariffs = activations(connection, "SELECT * FROM tariffs ORDER BY slot")?;
    Ok((tariffs, activations(connection, "SELECT * FROM directories ORDER BY slot")?))
}

/// Positions at which an account or a number was changed by itself, in order.
pub fn changes(connection: &Connection, name: &str) -> Result<Vec<Position>, StoreError> {
    let sql = "SELECT position FROM directory_changes WHERE name = ?1 ORDER BY position";
    all(connection, sql, [name], |row| Ok(Position(unsigned(row, 0)?)))
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account { key: AccountKey(row.get(0)?), name: row.get(1)? })
}

/// Accounts by name, after a name.
pub fn accounts_after(connection: &Connection, after: Option<&str>, limit: usize) -> Result<Vec<Account>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match after {
        None => all(connection, "SELECT key, name FROM accounts ORDER BY name LIMIT ?1", [limit], account),
        Some(after) => {
            let sql = "SELECT key, name FROM accounts WHERE name > ?1 ORDER BY name LIMIT ?2";
            all(connection, sql, (after, limit), account)
        }
    }
}

pub fn account_named(connection: &Connection, name: &str) -> Result<Option<AccountKey>, StoreError> {
    connection
        .prepare_cached("SELECT key FROM accounts WHERE name = ?1")
        .and_then(|mut statement| statement.query_row([name], |row| row.get(0).map(AccountKey)).optional())
        .map_err(failed)
}

pub fn account_name(connection: &Connection, key: AccountKey) -> Result<Option<String>, StoreError> {
    connection
        .prepare_cached("SELECT name FROM accounts WHERE key = ?1")
        .and_then(|mut statement| statement.query_row([key.0], |row| row.get(0)).optional())
        .map_err(failed)
}

/// The profile of a source as it stood behind a position.
pub fn profile(connection: &Connection, source: SourceId, position: Position) -> Result<Option<String>, StoreError> {
    let sql = "SELECT profile FROM sources WHERE source = ?1 AND position <= ?2 ORDER BY position DESC LIMIT 1";
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row((source.0, position.0 as i64), |row| row.get(0)).optional())
        .map_err(failed)
}

pub fn flushes(connection: &Connection, after: Option<u64>, limit: usize) -> Result<Vec<FlushInfo>, StoreError> {
    let sql = "SELECT number, from_position, upto_position, at, calls FROM flushes WHERE number > ?1
               ORDER BY number LIMIT ?2";
    let parameters = (whole(after.unwrap_or(0))?, i64::try_from(limit).unwrap_or(i64::MAX));
    all(connection, sql, parameters, |row| {
        Ok(FlushInfo {
            number: unsigned(row, 0)?,
            from: Position(unsigned(row, 1)?),
            upto: Position(unsigned(row, 2)?),
            at: Timestamp(row.get(3)?),
            calls: unsigned(row, 4)?,
        })
    })
}
