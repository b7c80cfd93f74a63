//! What others charge for calls, and which versions of records were taken by hand.
//!
//! Does not know how prices are compared, nor why a version was taken.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::cell::{Cell, bytes_of};
use super::memory::Memory;
use super::periods::superseded;
use super::state::all;
use super::{damaged, failed, whole};
use crate::batch::Position;
use crate::store::{DecidedRow, FlushBatch, StoreError, Told, ToldUnanswered};
use crate::time::Timestamp;

/// Writes what a flush says of both. Its own row in `flushes` is written already.
pub fn write(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    batch: &FlushBatch<'_>,
    flush: u64,
) -> Result<(), StoreError> {
    for told in batch.told {
        let position = whole(told.position.0)?;
        match told.unanswered {
            None => transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO incumbents (position, cost, currency, seconds) VALUES (?1, ?2, ?3, ?4)",
                )
                .and_then(|mut insert| {
                    let [cost, currency, seconds] = [told.cost, told.currency, told.seconds].map(Cell::bytes);
                    insert.execute((position, cost, currency, seconds))
                }),
            Some((received_at, record)) => transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO incumbents_unanswered (position, received_at, record) VALUES (?1, ?2, ?3)",
                )
                .and_then(|mut insert| insert.execute((position, received_at.0, record))),
        }
        .map_err(failed)?;
    }
    for decided in batch.decided {
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO decisions (entry, first_position, kept_position, why, by, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .and_then(|mut insert| {
                let positions = [decided.entry.0, decided.first.0, decided.kept.0].map(|position| position as i64);
                insert.execute((positions[0], positions[1], positions[2], &decided.why, &decided.by, decided.at.0))
            })
            .map_err(failed)?;
        supersede(transaction, memory, decided, flush)?;
    }
    Ok(())
}

/// Rows of a record with a lower revision no longer count.
fn supersede(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    decided: &DecidedRow,
    flush: u64,
) -> Result<(), StoreError> {
    // Its rows lie in the flush of its position, or are named by `late_calls`.
    let sql = "SELECT c.row FROM calls c WHERE c.position = ?1 AND coalesce(c.revision, 0) < ?2 AND (
             c.row IN (SELECT l.row FROM late_calls l WHERE l.position = ?1) OR
             c.row BETWEEN (SELECT f.first_row FROM flushes f WHERE f.upto_position > ?1 ORDER BY f.upto_position LIMIT 1)
                 AND (SELECT f.first_row + f.calls - 1 FROM flushes f WHERE f.upto_position > ?1
                      ORDER BY f.upto_position LIMIT 1))";
    let rows = all(transaction, sql, (decided.first.0 as i64, decided.revision), |row| row.get::<_, i64>(0))?;
    let rows: Vec<u64> = rows.into_iter().map(|row| row as u64).collect();
    superseded(transaction, memory, &rows, flush)
}

/// Decisions in order, of one record or of all.
pub fn decisions(connection: &Connection, first: Option<Position>) -> Result<Vec<DecidedRow>, StoreError> {
    let sql = "SELECT entry, first_position, kept_position, why, by, at FROM decisions
               WHERE ?1 IS NULL OR first_position = ?1 ORDER BY entry";
    all(connection, sql, [first.map(|first| first.0 as i64)], |row| {
        let position = |at: usize| row.get::<_, i64>(at).map(|value| Position(value as u64));
        Ok(DecidedRow {
            entry: position(0)?,
            first: position(1)?,
            kept: position(2)?,
            why: row.get(3)?,
            by: row.get(4)?,
            at: Timestamp(row.get(5)?),
            revision: 0,
        })
    })
}

/// What others charge for records.
pub fn told(connection: &Connection, positions: &[Position]) -> Result<Vec<Option<Told>>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT cost, currency, seconds FROM incumbents WHERE position = ?1")
        .map_err(failed)?;
    let mut found = Vec::with_capacity(positions.len());
    for position in positions {
        let told = statement
            .query_row([whole(position.0)?], |row| {
                let text = |at: usize| row.get_ref(at).map(|value| bytes_of(value).map(<[u8]>::to_vec));
                Ok([text(0)?, text(1)?, text(2)?])
            })
            .optional()
            .map_err(failed)?;
        found.push(match told {
            None => None,
            Some([Some(cost), Some(currency), Some(seconds)]) => Some(Told { cost, currency, seconds }),
            Some(_) => return Err(damaged("what another charges for a call")),
        });
    }
    Ok(found)
}

/// What others charge for what nobody answered, by position.
pub fn unanswered(
    connection: &Connection,
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<ToldUnanswered>, StoreError> {
    let after = after.map_or(Ok(-1), |position| whole(position.0))?;
    let sql = "SELECT position, received_at, record FROM incumbents_unanswered WHERE position > ?1 ORDER BY position LIMIT ?2";
    all(connection, sql, (after, i64::try_from(limit).unwrap_or(i64::MAX)), |row| {
        Ok(ToldUnanswered {
            position: Position(row.get::<_, i64>(0)? as u64),
            received_at: Timestamp(row.get(1)?),
            record: row.get(2)?,
        })
    })
}
