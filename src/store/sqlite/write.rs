//! The one transaction of a flush.
//!
//! Does not know when flushes happen, nor how anything is read back.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::calls::{self, Place};
use super::memory::{Memory, NO_GROUP};
use super::{costs, failed, periods, segments, suspense, usage, whole};
use crate::call::AccountKey;
use crate::store::{ActivationRow, FlushBatch, FlushReport, StoreError};

/// The connection that writes, and what it remembers.
pub struct Writer {
    pub(super) connection: Connection,
    /// None at first and after a failed flush.
    pub(super) memory: Option<Memory>,
}

impl Writer {
    pub fn new(connection: Connection) -> Writer {
        Writer { connection, memory: None }
    }

    #[cfg(test)]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub fn flush(&mut self, batch: &FlushBatch<'_>) -> Result<FlushReport, StoreError> {
        if batch.upto < batch.from {
            return Err(StoreError::Unstorable(format!(
                "it ends at {} before it begins at {}",
                batch.upto, batch.from
            )));
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        // The memory is taken out and put back only after the commit: whatever fails, it is read again.
        let memory = self.memory.take();
        let (stored, last) = super::state::position(&transaction)?;
        if stored == batch.upto {
            self.memory = memory.filter(|memory| memory.flush == last);
            return Ok(FlushReport { already_done: true, flush: last, calls: 0 });
        }
        if stored != batch.from {
            self.memory = memory;
            return Err(StoreError::OutOfOrder { stored });
        }
        let mut memory = match memory {
            // Another process may have flushed in between.
            Some(memory) if memory.flush == last => memory,
            _ => Memory::load(&transaction, last)?,
        };
        let number = last + 1;
        write_all(&transaction, &mut memory, batch, number)?;
        transaction.commit().map_err(failed)?;
        memory.flush = number;
        self.memory = Some(memory);
        Ok(FlushReport { already_done: false, flush: number, calls: batch.calls.len() as u64 })
    }
}

fn write_all(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    batch: &FlushBatch<'_>,
    number: u64,
) -> Result<(), StoreError> {
    let order = calls::sorted(batch.calls);
    accounts(transaction, memory, batch, &order)?;
    {
        let mut insert =
            transaction.prepare_cached("INSERT INTO billing_groups (key, name) VALUES (?1, ?2)").map_err(failed)?;
        for group in batch.groups {
            insert.execute((group.key.0, &group.name)).map_err(failed)?;
        }
    }
    activations(transaction, "tariffs", batch.tariffs)?;
    activations(transaction, "directories", batch.directories)?;
    {
        let mut insert =
            transaction.prepare_cached("INSERT OR IGNORE INTO directory_changes VALUES (?1, ?2)").map_err(failed)?;
        for row in batch.changed {
            insert.execute((&row.name, whole(row.position.0)?)).map_err(failed)?;
        }
    }
    {
        let mut insert = transaction
            .prepare_cached("INSERT OR REPLACE INTO sources (position, source, profile) VALUES (?1, ?2, ?3)")
            .map_err(failed)?;
        for row in batch.sources {
            insert.execute((whole(row.position.0)?, row.source.0, &row.json)).map_err(failed)?;
        }
    }
    let first_row: i64 = transaction
        .prepare_cached(
            // A number is never given twice, also where the last rows were deleted.
            "SELECT max(coalesce((SELECT max(row) FROM calls), 0), coalesce(
                 (SELECT first_row + calls - 1 FROM flushes ORDER BY number DESC LIMIT 1), 0)) + 1",
        )
        .and_then(|mut statement| statement.query_row((), |row| row.get(0)))
        .map_err(failed)?;
    if !order.is_empty() {
        let runs = calls::write(transaction, memory, batch, &order, first_row)?;
        segments::insert(transaction, &runs, first_row, order.len() as u64)?;
    }
    super::retention::write(transaction, batch.retention)?;
    let corrected = periods::write(transaction, memory, batch, number, first_row + order.len() as i64)?;
    let calls = order.len() as u64 + corrected;
    usage::write(transaction, &mut memory.usage, batch.usage, number)?;
    usage::write(transaction, &mut memory.allowances, batch.allowances, number)?;
    suspense::write(transaction, batch)?;
    super::pieces::write(transaction, batch)?;
    super::guard::write(transaction, batch)?;
    super::state::chains::write(transaction, batch)?;
    {
        let mut upsert = transaction
            .prepare_cached(
                "INSERT INTO books (name, ordinal, value) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET ordinal = excluded.ordinal, value = excluded.value",
            )
            .map_err(failed)?;
        for (ordinal, (name, value)) in batch.books.iter().enumerate() {
            upsert.execute((name, ordinal as i64, value.to_string())).map_err(failed)?;
        }
    }
    let upto = whole(batch.upto.0)?;
    transaction
        .prepare_cached("INSERT INTO flushes VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .and_then(|mut insert| {
            insert.execute((number as i64, batch.from.0 as i64, upto, batch.at.0, first_row, calls as i64))
        })
        .map_err(failed)?;
    super::told::write(transaction, memory, batch, number)?;
    costs::finish(transaction, &mut memory.costs)?;
    transaction
        .prepare_cached("UPDATE state SET position = ?1, flush = ?2")
        .and_then(|mut update| update.execute((upto, number as i64)))
        .map_err(failed)?;
    Ok(())
}

/// Writes new accounts, and the usual group of accounts whose first call comes with this batch.
pub(super) fn accounts(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    batch: &FlushBatch<'_>,
    order: &[Place],
) -> Result<(), StoreError> {
    {
        let mut insert = transaction
            .prepare_cached("INSERT INTO accounts (key, name, billing_group) VALUES (?1, ?2, ?3)")
            .map_err(failed)?;
        for account in batch.accounts {
            // The first call mostly comes with the name.
            let place = order.get(order.partition_point(|place| place.account < account.key));
            let place = place.filter(|place| place.account == account.key);
            let call = place.and_then(|place| batch.calls.get(place.index as usize));
            let group = call.map(|call| call.call.group.0);
            insert.execute((account.key.0, &account.name, group)).map_err(failed)?;
            if let Some(group) = group {
                memory.set_group(account.key.0, group);
            }
        }
    }
    let mut update = transaction
        .prepare_cached("UPDATE accounts SET billing_group = ?2 WHERE key = ?1 AND billing_group IS NULL")
        .map_err(failed)?;
    for same in order.chunk_by(|a, b| a.account == b.account) {
        let Some(call) = same.first().and_then(|place| batch.calls.get(place.index as usize)) else { continue };
        let (account, group) = (call.call.account.0, call.call.group.0);
        if memory.group(account) != NO_GROUP {
            continue;
        }
        if update.execute((account, group)).map_err(failed)? == 1 {
            memory.set_group(account, group);
        } else if super::state::account_name(transaction, AccountKey(account))?.is_none() {
            return Err(StoreError::Unstorable(format!("account {account} was never announced")));
        }
    }
    Ok(())
}

fn activations(transaction: &Transaction<'_>, table: &str, rows: &[ActivationRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut insert =
        transaction.prepare(&format!("INSERT INTO {table} VALUES (?1, ?2, ?3, ?4, ?5, ?6)")).map_err(failed)?;
    for row in rows {
        insert
            .execute((
                row.slot,
                whole(row.position.0)?,
                &row.digest,
                row.effective_from.map(|t| t.0),
                row.activated_at.0,
                &row.by,
            ))
            .map_err(failed)?;
    }
    Ok(())
}
