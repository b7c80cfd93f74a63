//! What could not be rated, and records that contradict an earlier one.
//!
//! Does not know when something is tried again.

use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::cell::{Cell, bytes_of};
use super::{damaged, failed, leg_number, leg_of, period_number, period_of, whole};
use crate::batch::{Position, SourceId};
use crate::call::{AccountKey, SuspenseReason};
use crate::os::prefetch::prefetch_bytes;
use crate::poison;
use crate::store::{
    AGES, Conflict, DiscardedItem, FlushBatch, StoreError, SuspenseAges, SuspenseItem, SuspenseKey, SuspensePage, Visit,
};
use crate::time::Timestamp;

/// Items read in one go.
const AT_ONCE: usize = 1000;
/// The same with records, each of which may be a mebibyte.
const WHOLE_AT_ONCE: usize = 100;
/// Bytes of the journal whose records are read in one go as a part: some thousand.
const STRETCH: u64 = 1 << 20;

/// How many records ahead of its turn one is asked for: the calls written before have put them out of the caches.
const AHEAD: usize = 4;

/// Writes what came, takes out what left, and keeps attempts and conflicts.
pub fn write(transaction: &Transaction<'_>, batch: &FlushBatch<'_>) -> Result<(), StoreError> {
    let mut insert = transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO suspense (position, leg, reason, attempt, account, answer, received_at,
             source_profile, node, call_id, source_dialled, destination_dialled, detail, record, period)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )
        .map_err(failed)?;
    for (place, row) in batch.suspended.iter().enumerate() {
        poison::at(row.attempt);
        if let Some(next) = batch.suspended.get(place + AHEAD) {
            prefetch_bytes(next.record);
        }
        let cells = [
            Cell::Int(whole(row.key.position.0)?),
            Cell::Int(leg_number(row.key.leg)),
            Cell::Text(row.reason.name().as_bytes()),
            Cell::Int(whole(row.attempt.0)?),
            Cell::option(row.account.map(|account| i64::from(account.0))),
            Cell::option(row.answer.map(|answer| answer.0)),
            Cell::Int(row.received_at.0),
            Cell::Int(i64::from(row.source.0)),
            Cell::bytes(row.node),
            Cell::bytes(row.id),
            Cell::bytes(row.source_dialled),
            Cell::bytes(row.destination_dialled),
            Cell::Text(row.detail.as_bytes()),
            Cell::Blob(row.record),
            Cell::option(row.period.map(period_number)),
        ];
        for (i, cell) in cells.iter().enumerate() {
            insert.raw_bind_parameter(i + 1, cell).map_err(failed)?;
        }
        insert.raw_execute().map_err(failed)?;
    }
    poison::nowhere();
    let mut delete =
        transaction.prepare_cached("DELETE FROM suspense WHERE position = ?1 AND leg = ?2").map_err(failed)?;
    for key in batch.released {
        delete.execute((whole(key.position.0)?, leg_number(key.leg))).map_err(failed)?;
    }
    let mut upsert = transaction
        .prepare_cached("INSERT OR REPLACE INTO retried (position, leg, attempt) VALUES (?1, ?2, ?3)")
        .map_err(failed)?;
    for retried in batch.retried {
        let key = (whole(retried.key.position.0)?, leg_number(retried.key.leg), whole(retried.attempt.0)?);
        upsert.execute(key).map_err(failed)?;
    }
    let mut insert = transaction
        .prepare_cached("INSERT OR REPLACE INTO conflicts (position, first_position, record, source_profile, received_at) VALUES (?1, ?2, ?3, ?4, ?5)")
        .map_err(failed)?;
    for conflict in batch.conflicts {
        let (source, received_at) = (conflict.source.0, conflict.received_at.0);
        insert
            .execute((whole(conflict.position.0)?, whole(conflict.first.0)?, conflict.record, source, received_at))
            .map_err(failed)?;
    }
    Ok(())
}

macro_rules! select {
    ($record:literal, $rest:literal) => {
        concat!(
            "SELECT position, leg, reason, attempt, account, answer, received_at, source_profile, node, call_id, \
             source_dialled, destination_dialled, detail, ",
            $record,
            ", period FROM suspense ",
            $rest
        )
    };
}

fn item(row: &Row<'_>) -> Result<SuspenseItem, StoreError> {
    let mut item = empty();
    read(row, &mut item)?;
    Ok(item)
}

/// One into which others are read.
fn empty() -> SuspenseItem {
    SuspenseItem {
        key: SuspenseKey { position: Position(0), leg: None },
        reason: SuspenseReason::InternalError,
        attempt: Position(0),
        account: None,
        period: None,
        node: Vec::new(),
        id: Vec::new(),
        source_dialled: Vec::new(),
        destination_dialled: Vec::new(),
        answer: None,
        record: Vec::new(),
        source: SourceId(0),
        received_at: Timestamp(0),
        detail: String::new(),
    }
}

/// Reads an item into the room of another.
fn read(row: &Row<'_>, item: &mut SuspenseItem) -> Result<(), StoreError> {
    let bad = || damaged("something in suspense");
    let number = |i: usize| row.get::<_, i64>(i).map_err(failed);
    let bytes = |i: usize, into: &mut Vec<u8>| -> Result<(), StoreError> {
        into.clear();
        into.extend_from_slice(bytes_of(row.get_ref(i).map_err(failed)?).ok_or_else(bad)?);
        Ok(())
    };
    item.key = SuspenseKey { position: Position(number(0)? as u64), leg: leg_of(number(1)?).ok_or_else(bad)? };
    item.reason = reason(row, 2)?;
    item.attempt = Position(number(3)? as u64);
    item.account = row.get::<_, Option<u32>>(4).map_err(failed)?.map(AccountKey);
    item.answer = row.get::<_, Option<i64>>(5).map_err(failed)?.map(Timestamp);
    item.received_at = Timestamp(number(6)?);
    item.source = SourceId(row.get(7).map_err(failed)?);
    bytes(8, &mut item.node)?;
    bytes(9, &mut item.id)?;
    bytes(10, &mut item.source_dialled)?;
    bytes(11, &mut item.destination_dialled)?;
    item.detail.clear();
    item.detail.push_str(row.get_ref(12).map_err(failed)?.as_str().map_err(|_| bad())?);
    bytes(13, &mut item.record)?;
    item.period = row.get::<_, Option<i64>>(14).map_err(failed)?.and_then(period_of);
    Ok(())
}

fn reason(row: &Row<'_>, at: usize) -> Result<SuspenseReason, StoreError> {
    let name = row.get_ref(at).map_err(failed)?.as_str().map_err(|_| damaged("a reason"))?;
    SuspenseReason::named(name).ok_or_else(|| StoreError::Damaged(format!("unknown reason {name:?}")))
}

fn items(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<SuspenseItem>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(parameters).map_err(failed)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        items.push(item(row)?);
    }
    Ok(items)
}

/// What waits, by key, in short reads, without records.
pub fn list(
    connection: &Connection,
    page: SuspensePage,
    visit: &mut dyn FnMut(&SuspenseItem) -> Visit,
) -> Result<(), StoreError> {
    let all = select!("x''", "WHERE (position, leg) > (?1, ?2) ORDER BY position, leg LIMIT ?3");
    let of_reason = select!("x''", "WHERE reason = ?4 AND (position, leg) > (?1, ?2) ORDER BY position, leg LIMIT ?3");
    by_key(connection, (all, of_reason), AT_ONCE, page, visit)
}

/// The same with records.
pub fn list_whole(
    connection: &Connection,
    page: SuspensePage,
    visit: &mut dyn FnMut(&SuspenseItem) -> Visit,
) -> Result<(), StoreError> {
    let all = select!("record", "WHERE (position, leg) > (?1, ?2) ORDER BY position, leg LIMIT ?3");
    let of_reason =
        select!("record", "WHERE reason = ?4 AND (position, leg) > (?1, ?2) ORDER BY position, leg LIMIT ?3");
    by_key(connection, (all, of_reason), WHOLE_AT_ONCE, page, visit)
}

fn by_key(
    connection: &Connection,
    (all, of_reason): (&str, &str),
    at_once: usize,
    page: SuspensePage,
    visit: &mut dyn FnMut(&SuspenseItem) -> Visit,
) -> Result<(), StoreError> {
    let mut after = page.after;
    let mut left = page.limit;
    while left > 0 {
        let limit = left.min(at_once);
        let (position, leg) = match after {
            Some(key) => (whole(key.position.0)?, leg_number(key.leg)),
            None => (-1, -1),
        };
        let found = match page.reason {
            None => items(connection, all, (position, leg, limit as i64))?,
            Some(reason) => items(connection, of_reason, (position, leg, limit as i64, reason.name()))?,
        };
        for item in &found {
            if visit(item).is_break() {
                return Ok(());
            }
        }
        left -= found.len();
        let Some(last) = found.last().filter(|_| found.len() == limit) else { break };
        after = Some(last.key);
    }
    Ok(())
}

/// One of so many parts of what waits, with records: every so many stretches of the journal, by positions alone, since others may
/// come and go between two parts. Each is shown as it is read, so a visitor holds the read of a stretch, for some milliseconds.
pub fn part(
    connection: &Connection,
    (part, parts): (usize, usize),
    visit: &mut dyn FnMut(&SuspenseItem) -> Visit,
) -> Result<(), StoreError> {
    let (part, parts) = (part as u64, parts.max(1) as u64);
    let next = "SELECT position FROM suspense WHERE position >= ?1 ORDER BY position, leg LIMIT 1";
    let stretch = select!("record", "WHERE position >= ?1 AND position < ?2 ORDER BY position, leg");
    let mut next = connection.prepare_cached(next).map_err(failed)?;
    let mut stretch = connection.prepare_cached(stretch).map_err(failed)?;
    // Behind the last position there is none.
    let whole = |position: u64| i64::try_from(position).unwrap_or(i64::MAX);
    let mut item = empty();
    let mut from = 0;
    loop {
        let found: Option<i64> = next.query_row([whole(from)], |row| row.get(0)).optional().map_err(failed)?;
        let Some(found) = found else { return Ok(()) };
        let at = found as u64 / STRETCH;
        let own = at + (part + parts - at % parts) % parts;
        if own == at {
            let mut rows = stretch.query((whole(from), whole((at + 1) * STRETCH))).map_err(failed)?;
            while let Some(row) = rows.next().map_err(failed)? {
                read(row, &mut item)?;
                if visit(&item).is_break() {
                    return Ok(());
                }
            }
        }
        from = if own == at { (at + parts) * STRETCH } else { own * STRETCH };
    }
}

/// How many wait, by reason.
pub fn counts(connection: &Connection) -> Result<Vec<(SuspenseReason, u64)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT reason, count(*) FROM suspense GROUP BY reason").map_err(failed)?;
    let mut rows = statement.query(()).map_err(failed)?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        counts.push((reason(row, 0)?, row.get::<_, i64>(1).map_err(failed)? as u64));
    }
    counts.sort();
    Ok(counts)
}

/// How long what waits has waited, by reason.
pub fn ages(connection: &Connection, since: [Timestamp; AGES - 1]) -> Result<Vec<SuspenseAges>, StoreError> {
    let [a, b, c, d] = since.map(|at| at.0);
    let mut statement = connection
        .prepare_cached(
            "SELECT reason, sum(received_at >= ?1), sum(received_at < ?1 AND received_at >= ?2),
             sum(received_at < ?2 AND received_at >= ?3), sum(received_at < ?3 AND received_at >= ?4),
             sum(received_at < ?4), min(received_at) FROM suspense GROUP BY reason",
        )
        .map_err(failed)?;
    let mut rows = statement.query((a, b, c, d)).map_err(failed)?;
    let mut ages = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let mut counts = [0; AGES];
        for (at, count) in counts.iter_mut().enumerate() {
            *count = row.get::<_, i64>(at + 1).map_err(failed)? as u64;
        }
        ages.push(SuspenseAges { reason: reason(row, 0)?, counts, oldest: Timestamp(row.get(6).map_err(failed)?) });
    }
    ages.sort_by_key(|one| one.reason);
    Ok(ages)
}

/// Receipt of what waits longest, by reason: the first of each in the order of the journal.
pub fn oldest(connection: &Connection) -> Result<Vec<(SuspenseReason, Timestamp)>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT received_at FROM suspense WHERE reason = ?1 ORDER BY position, leg LIMIT 1")
        .map_err(failed)?;
    let mut found = Vec::new();
    for reason in SuspenseReason::ALL {
        let at = statement.query_row([reason.name()], |row| row.get(0)).optional().map_err(failed)?;
        found.extend(at.map(|at| (*reason, Timestamp(at))));
    }
    Ok(found)
}

/// Contradictions that nobody decided, and receipt of the oldest.
pub fn undecided(connection: &Connection) -> Result<(u64, Option<Timestamp>), StoreError> {
    connection
        .prepare_cached(
            "SELECT count(*), min(received_at) FROM conflicts
             WHERE first_position NOT IN (SELECT first_position FROM decisions)",
        )
        .and_then(|mut statement| {
            statement
                .query_row((), |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, Option<i64>>(1)?.map(Timestamp))))
        })
        .map_err(failed)
}

/// What of a record was taken out of suspense for good.
pub fn discarded(connection: &Connection, position: Position) -> Result<Vec<DiscardedItem>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT reason, leg, why, by, at FROM discarded WHERE position = ?1 ORDER BY leg")
        .map_err(failed)?;
    let mut rows = statement.query([whole(position.0)?]).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let leg = leg_of(row.get(1).map_err(failed)?).ok_or_else(|| damaged("something discarded"))?;
        found.push(DiscardedItem {
            key: SuspenseKey { position, leg },
            reason: reason(row, 0)?,
            why: row.get(2).map_err(failed)?,
            by: row.get(3).map_err(failed)?,
            at: Timestamp(row.get(4).map_err(failed)?),
        });
    }
    Ok(found)
}

/// Everything of one record that waits, with the record.
pub fn of_record(connection: &Connection, position: Position) -> Result<Vec<SuspenseItem>, StoreError> {
    items(connection, select!("record", "WHERE position = ?1 ORDER BY leg"), [whole(position.0)?])
}

/// Conflicts by position.
pub fn conflicts(connection: &Connection, after: Option<Position>, limit: usize) -> Result<Vec<Conflict>, StoreError> {
    let after = after.map_or(Ok(-1), |position| whole(position.0))?;
    let mut statement = connection
        .prepare_cached(
            "SELECT position, first_position, record, coalesce(source_profile, 0), received_at FROM conflicts
             WHERE position > ?1 ORDER BY position LIMIT ?2",
        )
        .map_err(failed)?;
    statement
        .query_map((after, i64::try_from(limit).unwrap_or(i64::MAX)), |row| {
            Ok(Conflict {
                position: Position(row.get::<_, i64>(0)? as u64),
                first: Position(row.get::<_, i64>(1)? as u64),
                record: row.get(2)?,
                source: SourceId(row.get(3)?),
                received_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
            })
        })
        .and_then(Iterator::collect)
        .map_err(failed)
}
