//! Runs of re-rating: which there were, what they changed, and which rows stand for a call before and behind them.
//!
//! Does not know how a run comes about.

use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::memory::Memory;
use super::page::Page;
use super::reader::Reader;
use super::state::all;
use super::{failed, periods, whole};
use crate::batch::Position;
use crate::store::{Corrected, DraftOf, FlushBatch, RerateRow, RerateRun, RerateState, StoreError, StoredCall, Visit};

/// What a flush says of runs. Rows are written from `first_row` on; how many.
pub fn write(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    batch: &FlushBatch<'_>,
    number: u64,
    first_row: i64,
) -> Result<u64, StoreError> {
    let mut written = 0;
    for one in batch.rerated {
        match one {
            RerateRow::Begun { run, at, entry } => {
                let sql = "INSERT INTO rerate_runs (run, state, begun, entry) VALUES (?1, 'rating', ?2, ?3)";
                transaction.execute(sql, (run, whole(at.0)?, entry)).map_err(failed)?;
            }
            RerateRow::GivenUp { run, at, why } => {
                let sql = "UPDATE rerate_runs SET state = 'given up', settled = ?2, why_not = ?3 WHERE run = ?1";
                transaction.execute(sql, (run, whole(at.0)?, why)).map_err(failed)?;
                periods::forget(transaction, DraftOf::Run(*run))?;
            }
            RerateRow::Counts { run, begun, at } => {
                let of = DraftOf::Run(*run);
                let draft = periods::draft(transaction, of)?.filter(|draft| draft.seal == *begun);
                let draft = draft.ok_or_else(|| StoreError::Unstorable(format!("there is no draft of run {run}")))?;
                written += periods::rows(transaction, memory, batch, of, first_row + written as i64)?;
                periods::superseded(transaction, memory, &draft.superseded, number)?;
                for (sql, rows) in [
                    ("INSERT OR REPLACE INTO reversed (flush, row) VALUES (?1, ?2)", &draft.reversed),
                    ("DELETE FROM reversed WHERE row = ?2 AND flush <> ?1", &draft.restored),
                ] {
                    let mut change = transaction.prepare_cached(sql).map_err(failed)?;
                    for row in rows {
                        change.execute((number as i64, *row as i64)).map_err(failed)?;
                    }
                }
                let sql = "UPDATE rerate_runs SET state = 'counts', settled = ?2, flush = ?3, report = ?4, outcome = ?5
                           WHERE run = ?1";
                let ended = (run, whole(at.0)?, number as i64, &draft.manifest, &draft.outcome);
                transaction.execute(sql, ended).map_err(failed)?;
                periods::forget(transaction, of)?;
            }
        }
    }
    Ok(written)
}

const COLUMNS: &str = "run, state, begun, entry, settled, flush, why_not";

fn run_of(row: &Row<'_>) -> rusqlite::Result<RerateRun> {
    let state: String = row.get(1)?;
    Ok(RerateRun {
        run: row.get(0)?,
        state: RerateState::named(&state).ok_or(rusqlite::Error::InvalidQuery)?,
        begun: Position(row.get::<_, i64>(2)? as u64),
        entry: row.get(3)?,
        settled: row.get::<_, Option<i64>>(4)?.map(|at| Position(at as u64)),
        flush: row.get::<_, Option<i64>>(5)?.map(|flush| flush as u64),
        report: None,
        why_not: row.get(6)?,
    })
}

/// Every run, by number, without its report.
pub fn runs(connection: &Connection) -> Result<Vec<RerateRun>, StoreError> {
    all(connection, &format!("SELECT {COLUMNS} FROM rerate_runs ORDER BY run"), (), run_of)
}

/// A run with its report, and what it changed beside rows.
pub fn run(connection: &Connection, run: u32) -> Result<Option<(RerateRun, Vec<u8>)>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, report, outcome FROM rerate_runs WHERE run = ?1");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let found = statement.query_row([run], |row| {
        let outcome = row.get::<_, Option<Vec<u8>>>(8)?.unwrap_or_default();
        Ok((RerateRun { report: row.get(7)?, ..run_of(row)? }, outcome))
    });
    found.optional().map_err(failed)
}

fn numbers(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<u64>, StoreError> {
    all(connection, sql, parameters, |row| row.get::<_, i64>(0).map(|row| row as u64))
}

/// Rows of closed months that are taken back.
pub fn reversed(connection: &Connection) -> Result<Vec<u64>, StoreError> {
    numbers(connection, "SELECT row FROM reversed ORDER BY row", ())
}

/// What a flush took out of count.
pub fn corrected_by(connection: &Connection, flush: u64) -> Result<Corrected, StoreError> {
    let flush = whole(flush)?;
    Ok(Corrected {
        superseded: numbers(connection, "SELECT row FROM superseded WHERE flush = ?1 ORDER BY row", [flush])?,
        reversed: numbers(connection, "SELECT row FROM reversed WHERE flush = ?1 ORDER BY row", [flush])?,
    })
}

/// Some rows by their numbers, also those that no longer count.
pub fn rows(
    reader: &mut Reader,
    rows: &[u64],
    visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
) -> Result<(), StoreError> {
    let mut page = Page::of_all();
    for some in rows.chunks(1024) {
        page.clear();
        reader.rows(some.iter().map(|row| (*row as i64, *row as i64)), &mut page)?;
        if page.calls().any(|call| visit(&call).is_break()) {
            break;
        }
    }
    Ok(())
}
