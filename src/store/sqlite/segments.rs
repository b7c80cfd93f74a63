//! Segments of the locators: one per flush, merged sixteen at a time so that an account is found in few of them.
//!
//! Does not know what a call is, only where rows lie.

use rusqlite::{Connection, Transaction};

use super::locator::{Run, decode, encode};
use super::{damaged, failed, period_number, period_of, whole};
use crate::call::AccountKey;
use crate::store::StoreError;
use crate::time::Period;

/// Segments of one level that are merged into one of the next.
const FAN: usize = 16;
/// Calls of a merged segment at most: its runs (24 bytes each) are in memory while it is made.
const MERGED_CALLS_MAX: u64 = 4_000_000;

/// A stretch of `calls` with locators.
#[derive(Clone, Copy, Debug)]
struct Segment {
    id: i64,
    first_row: i64,
    calls: u64,
    period_min: Period,
}

impl Segment {
    /// Id of the locator that begins with the account, or would.
    fn locator(&self, account: AccountKey) -> i64 {
        self.id << 32 | i64::from(account.0)
    }
}

/// Adds the segment of a flush, then merges where there are enough.
pub fn insert(transaction: &Transaction<'_>, runs: &[Run], first_row: i64, calls: u64) -> Result<(), StoreError> {
    write(transaction, 0, runs, first_row, calls)?;
    for level in 0.. {
        let segments = list(transaction, Some(level), None)?;
        let calls: u64 = segments.iter().map(|segment| segment.calls).sum();
        if segments.len() < FAN || calls > MERGED_CALLS_MAX {
            break;
        }
        let mut runs = Vec::new();
        for segment in &segments {
            read(transaction, segment, AccountKey(0), AccountKey(u32::MAX), &mut runs)?;
        }
        // Each segment's runs are sorted; a stable sort finds these stretches and merges them.
        runs.sort();
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else { break };
        transaction
            .prepare_cached("DELETE FROM locators WHERE id >= ?1 AND id < ?2")
            .and_then(|mut delete| {
                for segment in &segments {
                    delete.execute((segment.id << 32, (segment.id + 1) << 32))?;
                }
                Ok(())
            })
            .map_err(failed)?;
        transaction
            .prepare_cached("DELETE FROM segments WHERE level = ?1 AND id BETWEEN ?2 AND ?3")
            .and_then(|mut delete| delete.execute((level, first.id, last.id)))
            .map_err(failed)?;
        write(transaction, level + 1, &runs, first.first_row, calls)?;
    }
    Ok(())
}

fn write(
    transaction: &Transaction<'_>,
    level: i64,
    runs: &[Run],
    first_row: i64,
    calls: u64,
) -> Result<(), StoreError> {
    let periods = || runs.iter().map(|run| run.period);
    let (Some(min), Some(max)) = (periods().min(), periods().max()) else { return Ok(()) };
    // Ids only grow, and stay within 31 bits for two thousand million flushes.
    let id: i64 = transaction
        .prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM segments")
        .and_then(|mut statement| statement.query_row((), |row| row.get(0)))
        .map_err(failed)?;
    if id > i64::from(i32::MAX) {
        return Err(StoreError::Unstorable("too many segments".into()));
    }
    transaction
        .prepare_cached("INSERT INTO segments VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .and_then(|mut insert| {
            insert.execute((id, level, first_row, calls as i64, period_number(min), period_number(max)))
        })
        .map_err(failed)?;
    let mut insert = transaction.prepare_cached("INSERT INTO locators VALUES (?1, ?2)").map_err(failed)?;
    let mut outcome = Ok(());
    encode(runs, min, first_row, |account, bytes| {
        if outcome.is_ok() {
            outcome = insert.execute((id << 32 | i64::from(account.0), bytes)).map_err(failed).map(|_| ());
        }
    });
    outcome
}

fn list(connection: &Connection, level: Option<i64>, period: Option<Period>) -> Result<Vec<Segment>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT id, first_row, calls, period_min FROM segments
             WHERE (?1 IS NULL OR level = ?1) AND (?2 IS NULL OR period_min <= ?2 AND period_max >= ?2) ORDER BY first_row",
        )
        .map_err(failed)?;
    let mut rows = statement.query((level, period.map(period_number))).map_err(failed)?;
    let mut segments = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        segments.push(Segment {
            id: row.get(0).map_err(failed)?,
            first_row: row.get(1).map_err(failed)?,
            calls: u64::try_from(row.get::<_, i64>(2).map_err(failed)?).map_err(|_| damaged("a segment's size"))?,
            period_min: period_of(row.get(3).map_err(failed)?).ok_or_else(|| damaged("a segment names no month"))?,
        });
    }
    Ok(segments)
}

/// Runs of accounts `from..=to` in one segment.
fn read(
    connection: &Connection,
    segment: &Segment,
    from: AccountKey,
    to: AccountKey,
    runs: &mut Vec<Run>,
) -> Result<(), StoreError> {
    // The locator before may reach into the accounts asked for; none before: the first one behind.
    let mut statement = connection
        .prepare_cached(
            "SELECT id, runs FROM locators WHERE id BETWEEN
                 coalesce((SELECT max(id) FROM locators WHERE id BETWEEN ?1 AND ?2), ?2) AND ?3 ORDER BY id",
        )
        .map_err(failed)?;
    let mut rows = statement.query((segment.id << 32, segment.locator(from), segment.locator(to))).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let id: i64 = row.get(0).map_err(failed)?;
        let bytes = row.get_ref(1).map_err(failed)?.as_blob().map_err(|_| damaged("a locator"))?;
        let wanted = |account| if account > to { None } else { Some(account >= from) };
        decode(bytes, AccountKey(id as u32), segment.period_min, segment.first_row, wanted, runs)
            .ok_or_else(|| damaged("a locator"))?;
    }
    Ok(())
}

/// Runs of accounts `from..=to` in rows up to `last_row`, of one period or all, by account, period and row.
pub fn runs(
    connection: &Connection,
    period: Option<Period>,
    (from, to): (AccountKey, AccountKey),
    last_row: i64,
) -> Result<Vec<Run>, StoreError> {
    let mut runs = Vec::new();
    for segment in list(connection, None, period)? {
        if segment.first_row <= last_row {
            read(connection, &segment, from, to, &mut runs)?;
        }
    }
    runs.retain(|run| run.first <= last_row && period.is_none_or(|period| run.period == period));
    runs.sort();
    Ok(runs)
}

/// Stretches of rows (first, last) that may hold calls of the period, in order.
pub fn stretches(connection: &Connection, period: Option<Period>) -> Result<Vec<(i64, i64)>, StoreError> {
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    for segment in list(connection, None, period)? {
        let end = segment.first_row + whole(segment.calls)?;
        match stretches.last_mut() {
            Some((_, last)) if *last + 1 == segment.first_row => *last = end - 1,
            _ => stretches.push((segment.first_row, end - 1)),
        }
    }
    Ok(stretches)
}
