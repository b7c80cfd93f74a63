//! Orders and holds as the journal has them, and what is left where details are gone.
//!
//! Does not know how anything is deleted: `retire` does.

use rusqlite::{Connection, Transaction};

use super::state::all;
use super::{call_type_of, damaged, failed, period_number, period_of, whole};
use crate::batch::Position;
use crate::call::{AccountKey, GroupKey, Meter, SuspenseReason, Usage};
use crate::entry::{Kept, Retention};
use crate::store::{AllowanceLine, DeletedRow, DeletedSum, DiscardedRecord, OrderRow, RetentionRow, StoreError};
use crate::time::{Period, Timestamp};

/// Keeps what a flush brings.
pub fn write(transaction: &Transaction<'_>, rows: &[RetentionRow]) -> Result<(), StoreError> {
    for RetentionRow { position, entry } in rows {
        let at = whole(position.0)?;
        let (what, done) = match entry.what {
            Kept::Delete => ("delete", None),
            Kept::Erase => ("erase", None),
            Kept::Hold => ("hold", Some(entry.at)),
            Kept::Release => ("release", Some(entry.at)),
        };
        let json = serde_json::to_string(entry).map_err(|e| StoreError::Unstorable(e.to_string()))?;
        transaction
            .execute(
                "INSERT OR IGNORE INTO retention (position, what, entry, stored, done_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                (at, what, json, done.is_some(), done),
            )
            .map_err(failed)?;
        match entry.what {
            Kept::Hold => transaction.execute("INSERT OR REPLACE INTO holds VALUES (?1, ?2)", (&entry.account, at)),
            Kept::Release => transaction.execute("DELETE FROM holds WHERE account = ?1", [&entry.account]),
            Kept::Delete | Kept::Erase => Ok(0),
        }
        .map_err(failed)?;
    }
    Ok(())
}

pub(super) fn entry_of(json: &str) -> Result<Retention, StoreError> {
    serde_json::from_str(json).map_err(|_| damaged("an order of retention"))
}

/// What was ordered.
pub fn orders(connection: &Connection) -> Result<Vec<OrderRow>, StoreError> {
    type Stored = (i64, String, bool, Option<i64>);
    let rows: Vec<Stored> =
        all(connection, "SELECT position, entry, stored, done_at FROM retention ORDER BY position", (), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
    rows.into_iter()
        .map(|(position, json, stored, done_at)| {
            let done_at = done_at.map(Timestamp);
            Ok(OrderRow { position: Position(position as u64), entry: entry_of(&json)?, stored, done_at })
        })
        .collect()
}

/// By which directories calls were resolved: grounds that no kept call names go with the last call that did.
pub fn directories(connection: &Connection) -> Result<Vec<u32>, StoreError> {
    all(connection, "SELECT DISTINCT directory FROM grounds ORDER BY directory", (), |row| row.get(0))
}

/// What holds accounts.
pub fn holds(connection: &Connection) -> Result<Vec<RetentionRow>, StoreError> {
    let sql = "SELECT h.position, r.entry FROM holds h JOIN retention r ON r.position = h.position ORDER BY h.account";
    let rows: Vec<(i64, String)> = all(connection, sql, (), |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.into_iter()
        .map(|(position, json)| Ok(RetentionRow { position: Position(position as u64), entry: entry_of(&json)? }))
        .collect()
}

pub(super) fn months(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<Period>, StoreError> {
    let rows: Vec<i64> = all(connection, sql, parameters, |row| row.get(0))?;
    rows.into_iter().map(|month| period_of(month).ok_or_else(|| damaged("a month"))).collect()
}

/// Sealed months that no rule has taken yet, or whose held accounts were released since.
pub fn due(connection: &Connection, before: Period) -> Result<Vec<Period>, StoreError> {
    months(
        connection,
        "SELECT period FROM periods p WHERE state = 'sealed' AND period < ?1 AND (
             period NOT IN (SELECT period FROM deleted_months)
             OR EXISTS (SELECT 1 FROM deletion_held d JOIN accounts a ON a.key = d.account
                        WHERE d.period = p.period AND a.name NOT IN (SELECT account FROM holds)))
         ORDER BY period",
        [period_number(before)],
    )
}

/// Whose details are gone.
pub fn deleted(connection: &Connection, period: Option<Period>) -> Result<Vec<DeletedRow>, StoreError> {
    let sql = "SELECT period, account, retention, rows, first_position, last_position FROM deleted_details
               WHERE ?1 IS NULL OR period = ?1 ORDER BY period, account";
    all(connection, sql, [period.map(period_number)], |row| {
        let month = row.get(0)?;
        Ok(DeletedRow {
            period: period_of(month).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, month))?,
            account: AccountKey(row.get(1)?),
            order: Position(row.get::<_, i64>(2)? as u64),
            rows: row.get::<_, i64>(3)? as u64,
            first: Position(row.get::<_, i64>(4)? as u64),
            last: Position(row.get::<_, i64>(5)? as u64),
        })
    })
}

/// What they added up to.
pub fn sums(connection: &Connection, period: Option<Period>) -> Result<Vec<DeletedSum>, StoreError> {
    let sql = "SELECT period, account, billing_group, call_type, currency, calls, talk, billable_seconds, cost
               FROM deleted_sums WHERE ?1 IS NULL OR period = ?1 ORDER BY 1, 2, 3, 4, 5";
    all(connection, sql, [period.map(period_number)], |row| {
        let bad = |at: usize| rusqlite::Error::IntegralValueOutOfRange(at, 0);
        let exact = |at: usize| row.get::<_, String>(at)?.parse::<i128>().map_err(|_| bad(at));
        Ok(DeletedSum {
            period: period_of(row.get(0)?).ok_or(bad(0))?,
            account: AccountKey(row.get(1)?),
            group: GroupKey(row.get(2)?),
            call_type: call_type_of(row.get(3)?).ok_or(bad(3))?,
            currency: row.get::<_, String>(4)?.as_bytes().try_into().map_err(|_| bad(4))?,
            usage: Usage { calls: row.get(5)?, talk: exact(6)?, billable_seconds: row.get(7)?, cost: exact(8)? },
        })
    })
}

/// What they drew.
pub fn draws(connection: &Connection) -> Result<Vec<AllowanceLine>, StoreError> {
    let sql = "SELECT period, billing_group, meter, seconds FROM deleted_draws ORDER BY 1, 2, 3";
    all(connection, sql, (), |row| {
        Ok(AllowanceLine {
            period: period_of(row.get(0)?).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, 0))?,
            group: GroupKey(row.get(1)?),
            meter: Meter(row.get(2)?),
            used_seconds: row.get::<_, i64>(3)? as u64,
        })
    })
}

/// Nothing is left to do of an order.
pub fn done(connection: &Connection, order: Position, at: Timestamp) -> Result<(), StoreError> {
    connection
        .execute("UPDATE retention SET done_at = ?2 WHERE position = ?1", (whole(order.0)?, at.0))
        .map_err(failed)
        .map(|_| ())
}

/// Folds the write-ahead log back and cuts it to nothing: it holds pages as they were before.
pub fn scrub(connection: &Connection) -> Result<bool, StoreError> {
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get(0)).map_err(failed)?;
    Ok(busy == 0)
}

/// What was discarded of an account.
pub fn discarded_of(connection: &Connection, account: AccountKey) -> Result<Vec<DiscardedRecord>, StoreError> {
    let sql = "SELECT position, reason, why, by, at, record FROM discarded WHERE account = ?1 ORDER BY position, leg";
    all(connection, sql, [account.0], |row| {
        let reason: String = row.get(1)?;
        Ok(DiscardedRecord {
            position: Position(row.get::<_, i64>(0)? as u64),
            reason: SuspenseReason::named(&reason).ok_or(rusqlite::Error::IntegralValueOutOfRange(1, 0))?,
            why: row.get(2)?,
            by: row.get(3)?,
            at: Timestamp(row.get(4)?),
            record: row.get(5)?,
        })
    })
}
