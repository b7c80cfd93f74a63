//! Months that are closed: drafts, what makes them count, manifests, and who took them.
//!
//! Does not know how a draft comes about.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::memory::Memory;
use super::state::all;
use super::write::{Writer, accounts};
use super::{calls, costs, damaged, failed, leg_number, minimums, reruns, segments, whole};
use crate::batch::Position;
use crate::store::{AckRow, CallRow, Draft, DraftOf, FlushBatch, PeriodRow, StoreError};
use crate::time::{Period, Timestamp};

impl Writer {
    /// Forgets a draft.
    pub fn draft_begin(&mut self, of: DraftOf) -> Result<(), StoreError> {
        let transaction = self.connection.transaction().map_err(failed)?;
        forget(&transaction, of)?;
        transaction.commit().map_err(failed)
    }

    /// Adds rows to a draft.
    pub fn draft_rows(&mut self, of: DraftOf, number: u64, rows: &[u8]) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO seal_draft_rows (period, number, rows) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute((key(of), number as i64, rows)))
            .map_err(failed)
            .map(|_| ())
    }

    /// Ends a draft.
    pub fn draft_finish(&mut self, of: DraftOf, draft: &Draft) -> Result<(), StoreError> {
        let pack = |rows: &[u64]| -> Vec<u8> { rows.iter().flat_map(|row| row.to_le_bytes()).collect() };
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO seal_drafts (period, seal, digest, manifest, outcome, superseded, reversed,
                 restored) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )
            .and_then(|mut insert| {
                let seal = draft.seal.0 as i64;
                insert.execute((
                    key(of),
                    seal,
                    &draft.digest,
                    &draft.manifest,
                    &draft.outcome,
                    pack(&draft.superseded),
                    pack(&draft.reversed),
                    pack(&draft.restored),
                ))
            })
            .map_err(failed)
            .map(|_| ())
    }
}

/// What a draft is kept under: a month as it is written, or minus the number of a run.
fn key(of: DraftOf) -> i64 {
    match of {
        DraftOf::Month(period) => period_number(period),
        DraftOf::Run(run) => -i64::from(run),
    }
}

pub(super) fn forget(transaction: &Transaction<'_>, of: DraftOf) -> Result<(), StoreError> {
    if let DraftOf::Month(period) = of {
        minimums::forget(transaction, period)?;
    }
    for table in ["seal_drafts", "seal_draft_rows"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE period = ?1"), [key(of)]).map_err(failed)?;
    }
    Ok(())
}

/// What a flush says of months. Rows are written from `first_row` on; how many.
pub fn write(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    batch: &FlushBatch<'_>,
    number: u64,
    first_row: i64,
) -> Result<u64, StoreError> {
    for closed in batch.closed {
        transaction
            .execute(
                "INSERT INTO periods (period, state, seal, requested_at, requested_by) VALUES (?1, 'sealing', ?2, ?3, ?4)",
                (period_number(closed.period), whole(closed.seal.0)?, closed.at.0, &closed.by),
            )
            .map_err(failed)?;
    }
    let mut written = 0;
    for sealed in batch.sealed {
        let of = DraftOf::Month(sealed.period);
        let draft = draft(transaction, of)?.filter(|draft| draft.seal == sealed.seal);
        let draft = draft.ok_or_else(|| StoreError::Unstorable(format!("there is no draft of {}", sealed.period)))?;
        written += rows(transaction, memory, batch, of, first_row + written as i64)?;
        superseded(transaction, memory, &draft.superseded, number)?;
        transaction
            .execute(
                "UPDATE periods SET state = 'sealed', sealed = ?2, digest = ?3, manifest = ?4 WHERE period = ?1",
                (period_number(sealed.period), whole(sealed.sealed.0)?, draft.digest, draft.manifest),
            )
            .map_err(failed)?;
        forget(transaction, of)?;
    }
    written += reruns::write(transaction, memory, batch, number, first_row + written as i64)?;
    for ack in batch.acks {
        transaction
            .execute(
                "INSERT OR REPLACE INTO acks (position, period, digest, job, at) VALUES (?1, ?2, ?3, ?4, ?5)",
                (whole(ack.position.0)?, period_number(ack.period), &ack.digest, &ack.job, ack.at.0),
            )
            .map_err(failed)?;
    }
    for one in batch.discarded {
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO discarded (position, leg, reason, why, by, at, entry, node, call_id, record, account)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                 (SELECT account FROM suspense WHERE position = ?1 AND leg = ?2))",
            )
            .and_then(|mut insert| {
                insert.execute((
                    one.key.position.0 as i64,
                    leg_number(one.key.leg),
                    one.reason.name(),
                    one.why,
                    one.by,
                    one.at.0,
                    one.entry.0 as i64,
                    one.node,
                    one.id,
                    one.record,
                ))
            })
            .map_err(failed)?;
    }
    Ok(written)
}

/// Rows that no longer count from a flush on: of calls, and of what they cost us.
pub(super) fn superseded(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    rows: &[u64],
    number: u64,
) -> Result<(), StoreError> {
    let mut insert =
        transaction.prepare_cached("INSERT OR IGNORE INTO superseded (row, flush) VALUES (?1, ?2)").map_err(failed)?;
    for row in rows {
        let row = *row as i64;
        if insert.execute((row, number as i64)).map_err(failed)? == 1 {
            costs::take_back(transaction, &mut memory.costs, row)?;
        }
    }
    Ok(())
}

/// The rows of a draft, a piece at a time.
pub(super) fn rows(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    batch: &FlushBatch<'_>,
    of: DraftOf,
    first_row: i64,
) -> Result<u64, StoreError> {
    let mut select =
        transaction.prepare("SELECT rows FROM seal_draft_rows WHERE period = ?1 ORDER BY number").map_err(failed)?;
    let mut pieces = select.query([key(of)]).map_err(failed)?;
    let mut written = 0_u64;
    while let Some(piece) = pieces.next().map_err(failed)? {
        let bytes = piece.get_ref(0).and_then(|value| Ok(value.as_blob()?)).map_err(failed)?;
        let rows: Vec<CallRow<'_>> = postcard::from_bytes(bytes).map_err(|_| damaged("a draft"))?;
        let part = FlushBatch {
            calls: &rows,
            describe: batch.describe,
            ..FlushBatch::empty(batch.from, batch.upto, batch.at)
        };
        let order = calls::sorted(part.calls);
        accounts(transaction, memory, &part, &order)?;
        let first = first_row + written as i64;
        let runs = calls::write(transaction, memory, &part, &order, first)?;
        segments::insert(transaction, &runs, first, order.len() as u64)?;
        written += rows.len() as u64;
    }
    Ok(written)
}

/// A draft.
pub fn draft(connection: &Connection, of: DraftOf) -> Result<Option<Draft>, StoreError> {
    let sql =
        "SELECT seal, digest, manifest, outcome, superseded, reversed, restored FROM seal_drafts WHERE period = ?1";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut found = statement.query([key(of)]).map_err(failed)?;
    let Some(row) = found.next().map_err(failed)? else { return Ok(None) };
    let numbers = |at: usize| {
        let bytes = row.get::<_, Option<Vec<u8>>>(at).map_err(failed)?.unwrap_or_default();
        let (numbers, []) = bytes.as_chunks::<8>() else { return Err(damaged("a draft")) };
        Ok(numbers.iter().map(|row| u64::from_le_bytes(*row)).collect::<Vec<u64>>())
    };
    Ok(Some(Draft {
        seal: Position(row.get::<_, i64>(0).map_err(failed)? as u64),
        digest: row.get(1).map_err(failed)?,
        manifest: row.get(2).map_err(failed)?,
        outcome: row.get(3).map_err(failed)?,
        superseded: numbers(4)?,
        reversed: numbers(5)?,
        restored: numbers(6)?,
    }))
}

/// Months that are closed.
pub fn periods(connection: &Connection) -> Result<Vec<PeriodRow>, StoreError> {
    let sql = "SELECT period, seal, sealed, requested_at, requested_by, digest FROM periods ORDER BY period";
    all(connection, sql, (), |row| {
        let period = row.get(0)?;
        Ok(PeriodRow {
            period: period_of(period).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, period))?,
            seal: Position(row.get::<_, i64>(1)? as u64),
            sealed: row.get::<_, Option<i64>>(2)?.map(|at| Position(at as u64)),
            requested_at: Timestamp(row.get(3)?),
            requested_by: row.get(4)?,
            digest: row.get(5)?,
        })
    })
}

/// Months of legs, as the books name them. A month that has nothing but calls taken back and charged anew counts none: the
/// stretches of calls know it.
pub fn months(connection: &Connection) -> Result<Vec<Period>, StoreError> {
    let sql =
        "SELECT name FROM books WHERE name >= 'period/' AND name < 'period0' AND name LIKE '%/legs' ORDER BY name";
    let names: Vec<String> = all(connection, sql, (), |row| row.get(0))?;
    let of_name = |name: &String| name.strip_prefix("period/")?.strip_suffix("/legs")?.parse().ok();
    let mut months: Vec<Period> = names.iter().filter_map(of_name).collect();
    let ends = "SELECT period_min FROM segments UNION SELECT period_max FROM segments";
    months.extend(all(connection, ends, (), |row| row.get(0))?.into_iter().filter_map(period_of));
    months.sort_unstable();
    months.dedup();
    Ok(months)
}

/// The manifest of a sealed month.
pub fn manifest(connection: &Connection, period: Period) -> Result<Option<Vec<u8>>, StoreError> {
    let found: Option<Option<Vec<u8>>> = connection
        .prepare_cached("SELECT manifest FROM periods WHERE period = ?1")
        .and_then(|mut statement| statement.query_row([period_number(period)], |row| row.get(0)).optional())
        .map_err(failed)?;
    Ok(found.flatten())
}

/// Who took the manifest of a month.
pub fn acks(connection: &Connection, period: Period) -> Result<Vec<AckRow>, StoreError> {
    let sql = "SELECT position, digest, job, at FROM acks WHERE period = ?1 ORDER BY position";
    all(connection, sql, [period_number(period)], |row| {
        Ok(AckRow {
            position: Position(row.get::<_, i64>(0)? as u64),
            period,
            digest: row.get(1)?,
            job: row.get(2)?,
            at: Timestamp(row.get(3)?),
        })
    })
}

/// Year × 100 + month: what people read in the file.
pub(super) fn period_number(period: Period) -> i64 {
    let (year, month) = (period.0.div_euclid(12), period.0.rem_euclid(12) + 1);
    i64::from(year) * 100 + i64::from(month)
}

pub(super) fn period_of(number: i64) -> Option<Period> {
    let (year, month) = (number.div_euclid(100), number.rem_euclid(100));
    if !(1..=12).contains(&month) {
        return None;
    }
    Some(Period(i32::try_from(year).ok()?.checked_mul(12)?.checked_add(month as i32 - 1)?))
}
