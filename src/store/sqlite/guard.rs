//! The spend guard's tables.
//!
//! Does not know what is watched.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior};

use super::write::Writer;
use super::{damaged, failed, whole};
use crate::batch::Position;
use crate::call::{AccountKey, GroupKey};
use crate::guard::Event;
use crate::store::{FlushBatch, GuardDelivery, GuardEvent, GuardPage, GuardsRow, StoreError};
use crate::time::Timestamp;

/// Writes what a flush brings.
pub(super) fn write(transaction: &Transaction<'_>, batch: &FlushBatch<'_>) -> Result<(), StoreError> {
    for row in batch.guards {
        let rules = serde_json::to_string(row.rules.as_ref()).map_err(|e| StoreError::Unstorable(e.to_string()))?;
        transaction
            .prepare_cached("INSERT OR REPLACE INTO guards (position, at, by, rules) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut insert| insert.execute((row.position.0 as i64, row.at.0, &row.by, rules)))
            .map_err(failed)?;
    }
    if !batch.guarded.is_empty() {
        let mut replace = transaction
            .prepare_cached("INSERT OR REPLACE INTO guarded (account, billing_group, state) VALUES (?1, ?2, ?3)")
            .map_err(failed)?;
        for row in batch.guarded {
            replace.execute((row.account.0, row.group.0, row.state)).map_err(failed)?;
        }
    }
    for row in batch.guard_events {
        transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO guard_events (id, account, at, rule, level, summary, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )
            .and_then(|mut insert| {
                insert.execute((row.id, row.account.0, row.at.0, row.rule, row.level, row.summary, row.body))
            })
            .map_err(failed)?;
    }
    Ok(())
}

/// The rules in force.
pub(super) fn rules(connection: &Connection) -> Result<Option<GuardsRow>, StoreError> {
    let row: Option<(i64, i64, String, String)> = connection
        .prepare_cached("SELECT position, at, by, rules FROM guards ORDER BY position DESC LIMIT 1")
        .and_then(|mut statement| {
            statement.query_row((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).optional()
        })
        .map_err(failed)?;
    let Some((position, at, by, rules)) = row else { return Ok(None) };
    let rules = serde_json::from_str(&rules).map_err(|e| damaged(&format!("rules of the spend guard: {e}")))?;
    Ok(Some(GuardsRow { position: Position(position as u64), at: Timestamp(at), by, rules: Arc::new(rules) }))
}

/// What is held of accounts.
pub(super) fn guarded(connection: &Connection) -> Result<Vec<(AccountKey, GroupKey, Vec<u8>)>, StoreError> {
    let sql = "SELECT account, billing_group, state FROM guarded ORDER BY account, billing_group";
    super::state::all(connection, sql, (), |row| Ok((AccountKey(row.get(0)?), GroupKey(row.get(1)?), row.get(2)?)))
}

/// What was told, with what became of it.
pub(super) fn events(connection: &Connection, page: GuardPage) -> Result<Vec<GuardEvent>, StoreError> {
    let order = if page.newest_first { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT number, id, account, at, rule, level, summary, body FROM guard_events
         WHERE number > ?1 AND at >= ?2 AND (?3 IS NULL OR account = ?3) ORDER BY number {order} LIMIT ?4"
    );
    let parameters = (
        whole(page.after)?,
        page.since.map_or(i64::MIN, |since| since.0),
        page.account.map(|account| account.0),
        i64::try_from(page.limit).unwrap_or(i64::MAX),
    );
    let mut found = super::state::all(connection, &sql, parameters, |row| {
        let event = Event {
            id: row.get(1)?,
            account: AccountKey(row.get(2)?),
            at: Timestamp(row.get(3)?),
            rule: row.get(4)?,
            level: row.get(5)?,
            summary: row.get(6)?,
            body: row.get(7)?,
        };
        Ok(GuardEvent { number: row.get::<_, i64>(0)? as u64, event, deliveries: Vec::new() })
    })?;
    for one in &mut found {
        let sql = "SELECT event, webhook, at, given_up FROM guard_deliveries WHERE event = ?1 ORDER BY webhook";
        one.deliveries = super::state::all(connection, sql, [&one.event.id], delivery)?;
    }
    Ok(found)
}

/// What became of events from an instant on.
pub(super) fn deliveries(connection: &Connection, since: Timestamp) -> Result<Vec<GuardDelivery>, StoreError> {
    let sql = "SELECT event, webhook, at, given_up FROM guard_deliveries WHERE at >= ?1 ORDER BY event, webhook";
    super::state::all(connection, sql, [since.0], delivery)
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<GuardDelivery> {
    Ok(GuardDelivery { event: row.get(0)?, webhook: row.get(1)?, at: Timestamp(row.get(2)?), given_up: row.get(3)? })
}

impl Writer {
    /// Keeps what became of events.
    pub fn guard_delivered(&mut self, deliveries: &[GuardDelivery]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        for one in deliveries {
            transaction
                .prepare_cached(
                    "INSERT OR IGNORE INTO guard_deliveries (event, webhook, at, given_up) VALUES (?1, ?2, ?3, ?4)",
                )
                .and_then(|mut insert| insert.execute((&one.event, &one.webhook, one.at.0, &one.given_up)))
                .map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }
}
