//! Totals and allowances: appended as they change, folded into their table a sixteenth of the owners at a time.
//!
//! Writing every touched line to its place in every flush would touch nearly every page of the table each time and
//! cost more than the calls. So a flush appends the touched lines, sorted, some hundreds to a row, and folds those of one
//! slice of the owners gathered over sixteen flushes. The latest recent line of a key counts, else the folded one.
//!
//! Does not know how totals come about.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Transaction};

use super::cell::Cell;
use super::usage_line::Line;
use super::usage_pack::{pack, unpack};
use super::{damaged, failed, period_number, state};
use crate::call::{AccountKey, GroupKey};
use crate::store::{Account, AllowanceLine, StoreError, UsageLine, Visit};
use crate::time::Period;

/// Flushes after which every line has been folded.
const SLICES: usize = 16;
/// Lines of a chunk: some 3 KiB, so that chunks fill pages, and one account's lines are soon found.
const CHUNK_LINES: usize = 128;
/// A chunk's row is its flush shifted by this, plus its place in the flush.
const FLUSH_BITS: u32 = 24;
/// Accounts looked through in one read.
const NAMES_AT_ONCE: usize = 1000;

/// Lines that wait to be folded, by slice, oldest first.
pub type Slices<L> = [Vec<L>; SLICES];

/// Which slice an owner's lines are folded with: neighbours share one, so that a fold touches few pages.
fn slice_of(owner: u32) -> usize {
    (owner >> 10) as usize % SLICES
}

fn first_row(flush: u64) -> i64 {
    (flush as i64) << FLUSH_BITS
}

/// The flushes whose lines may not have been folded yet.
fn recent_flushes(last: u64) -> std::ops::RangeInclusive<u64> {
    (last + 1).saturating_sub(SLICES as u64)..=last
}

/// Appends the touched lines and folds this flush's slice.
pub fn write<L: Line>(
    transaction: &Transaction<'_>,
    slices: &mut Slices<L>,
    lines: &[L],
    flush: u64,
) -> Result<(), StoreError> {
    // Every slice has had its turn with what is older, this flush's own in what follows. First, so that the pages are used
    // again at once: what is freed is overwritten, and would be written twice.
    let oldest = first_row(*recent_flushes(flush).start());
    transaction.prepare_cached(L::FORGET).and_then(|mut delete| delete.execute([oldest])).map_err(failed)?;
    let mut touched = lines.to_vec();
    touched.sort_unstable_by_key(L::key);
    append(transaction, &touched, flush)?;
    for line in touched {
        slices[slice_of(line.owner())].push(line);
    }
    let slice = &mut slices[flush as usize % SLICES];
    // Stable: of one key the latest stands last.
    slice.sort_by_key(L::key);
    let mut fold = transaction.prepare_cached(L::FOLD).map_err(failed)?;
    for same in slice.chunk_by(|a, b| a.key() == b.key()) {
        if let Some(line) = same.last() {
            line.bind(&mut fold)?;
            fold.raw_execute().map_err(failed)?;
        }
    }
    slice.clear();
    Ok(())
}

/// Writes sorted lines in chunks; the lines of one owner and period stay together.
fn append<L: Line>(transaction: &Transaction<'_>, lines: &[L], flush: u64) -> Result<(), StoreError> {
    if lines.len() >= 1 << FLUSH_BITS || flush >> (62 - FLUSH_BITS) != 0 {
        return Err(StoreError::Unstorable("too many lines of totals in one flush".into()));
    }
    let mut insert = transaction.prepare_cached(L::APPEND).map_err(failed)?;
    let mut row = first_row(flush);
    let (mut numbers, mut bytes): (Vec<i64>, Vec<u8>) = (Vec::new(), Vec::new());
    let mut rest = lines;
    while let Some(head) = rest.first() {
        let mut count = 0;
        for same in rest.chunk_by(|a, b| (a.period(), a.owner()) == (b.period(), b.owner())) {
            if count >= CHUNK_LINES {
                break;
            }
            count += same.len();
        }
        let (chunk, others) = rest.split_at(count);
        numbers.clear();
        bytes.clear();
        let packable = chunk.iter().all(|line| line.numbers(&mut numbers));
        let shape = if packable { pack(&numbers, L::STEPS, &mut bytes) } else { None };
        let lines = if shape.is_some() {
            Cell::Blob(&bytes)
        } else {
            json(chunk, &mut bytes)?;
            Cell::Text(&bytes)
        };
        insert.execute((row, period_number(head.period()), head.owner(), lines, shape)).map_err(failed)?;
        row += 1;
        rest = others;
    }
    Ok(())
}

/// Lines as JSON: any number has room there.
fn json<L: Line>(lines: &[L], out: &mut Vec<u8>) -> Result<(), StoreError> {
    out.clear();
    for (i, line) in lines.iter().enumerate() {
        out.push(if i == 0 { b'[' } else { b',' });
        line.write(out)?;
    }
    out.push(b']');
    Ok(())
}

fn chunks<L: Line>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    mut take: impl FnMut(L),
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(parameters).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        match row.get_ref(0).map_err(failed)? {
            ValueRef::Blob(digits) => {
                let shape = row.get_ref(1).map_err(failed)?.as_str().map_err(|_| damaged("recent lines"))?;
                let take = |numbers: &[i64]| L::of_numbers(numbers).map(&mut take);
                unpack(shape, digits, L::STEPS.len(), take).ok_or_else(|| damaged("recent lines"))?;
            }
            ValueRef::Text(json) => L::parse(json)?.into_iter().for_each(&mut take),
            _ => return Err(damaged("recent lines")),
        }
    }
    Ok(())
}

fn places<L: Line>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    mut take: impl FnMut(L),
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(parameters).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        take(L::read(row)?);
    }
    Ok(())
}

/// What waits to be folded. Some of it may have been already; folding it again changes nothing.
pub fn slices<L: Line>(connection: &Connection) -> Result<Slices<L>, StoreError> {
    let mut slices = [const { Vec::new() }; SLICES];
    chunks::<L>(connection, L::CHUNKS, (), |line| slices[slice_of(line.owner())].push(line))?;
    Ok(slices)
}

/// All lines, by key.
pub fn load<L: Line>(connection: &Connection) -> Result<Vec<L>, StoreError> {
    let mut recent: Vec<L> = Vec::new();
    chunks(connection, L::CHUNKS, (), |line| recent.push(line))?;
    // Stable: of one key the latest stands last.
    recent.sort_by_key(L::key);
    let mut latest = recent.chunk_by(|a, b| a.key() == b.key()).filter_map(<[L]>::last).peekable();
    let mut lines: Vec<L> = Vec::new();
    places(connection, L::PLACES, (), |line: L| {
        while let Some(new) = latest.next_if(|new| new.key() < line.key()) {
            lines.push(*new);
        }
        lines.push(*latest.next_if(|new| new.key() == line.key()).unwrap_or(&line));
    })?;
    lines.extend(latest.copied());
    Ok(lines)
}

/// Tells all lines; of one key the latest counts.
pub fn each<L: Line>(connection: &Connection, mut take: impl FnMut(&L)) -> Result<(), StoreError> {
    places(connection, L::PLACES, (), |line| take(&line))?;
    chunks(connection, L::CHUNKS, (), |line| take(&line))
}

/// The lines of an owner and a period, by key, as of one moment.
fn of_owner<L: Line>(connection: &Connection, owner: u32, period: Period) -> Result<Vec<L>, StoreError> {
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    let mut lines = BTreeMap::new();
    let wanted = (period_number(period), owner);
    places(&transaction, L::OF_OWNER, wanted, |line: L| {
        lines.insert(line.key(), line);
    })?;
    let (_, last) = state::position(&transaction)?;
    for flush in recent_flushes(last) {
        let chunk = (first_row(flush), first_row(flush + 1), wanted.0, wanted.1);
        chunks(&transaction, L::CHUNK, chunk, |line: L| {
            if (line.period(), line.owner()) == (period, owner) {
                lines.insert(line.key(), line);
            }
        })?;
    }
    Ok(lines.into_values().collect())
}

/// One account's totals of a period, by call type and currency.
pub fn of_account(connection: &Connection, account: AccountKey, period: Period) -> Result<Vec<UsageLine>, StoreError> {
    of_owner(connection, account.0, period)
}

/// What a group has drawn in a period, by meter.
pub fn allowances(connection: &Connection, group: GroupKey, period: Period) -> Result<Vec<AllowanceLine>, StoreError> {
    of_owner(connection, group.0, period)
}

/// All accounts' totals of a period by account name, in short reads; each read sees the store as it stands then.
pub fn of_period(
    connection: &Connection,
    period: Period,
    after: Option<&str>,
    limit: usize,
    visit: &mut dyn FnMut(&Account, &[UsageLine]) -> Visit,
) -> Result<(), StoreError> {
    let mut after = after.map(str::to_owned);
    let mut left = limit;
    let mut read_at = None;
    let mut recent: Vec<UsageLine> = Vec::new();
    while left > 0 {
        let transaction = connection.unchecked_transaction().map_err(failed)?;
        let (_, last) = state::position(&transaction)?;
        if read_at != Some(last) {
            recent.clear();
            chunks(&transaction, UsageLine::CHUNKS, (), |line: UsageLine| {
                if line.period == period {
                    recent.push(line);
                }
            })?;
            recent.sort_by_key(Line::key);
            read_at = Some(last);
        }
        let names = state::accounts_after(&transaction, after.as_deref(), NAMES_AT_ONCE)?;
        let mut found: Vec<(&Account, Vec<UsageLine>)> = Vec::new();
        for account in &names {
            let mut lines = BTreeMap::new();
            places(&transaction, UsageLine::OF_OWNER, (period_number(period), account.key.0), |line: UsageLine| {
                lines.insert(line.key(), line);
            })?;
            let start = recent.partition_point(|line| line.account < account.key);
            let new = recent.iter().skip(start).take_while(|line| line.account == account.key);
            lines.extend(new.map(|line| (line.key(), *line)));
            if !lines.is_empty() {
                found.push((account, lines.into_values().collect()));
            }
            if found.len() == left {
                break;
            }
        }
        drop(transaction);
        left -= found.len();
        for (account, lines) in &found {
            if visit(account, lines).is_break() {
                return Ok(());
            }
        }
        let Some(name) = names.last().filter(|_| names.len() == NAMES_AT_ONCE) else { break };
        after = Some(name.name.clone());
    }
    Ok(())
}
