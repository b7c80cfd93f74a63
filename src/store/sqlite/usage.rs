//! Totals: appended as they change, folded into their table a sixteenth of the accounts at a time.
//!
//! Writing every touched line to its place in every flush would touch nearly every page of the table each time and
//! cost more than the calls. So a flush appends the touched lines (`usage_recent`), sorted, and folds those of one slice
//! of the accounts gathered over sixteen flushes. The latest recent line of a key counts, else the folded one.
//!
//! Does not know how totals come about.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, Transaction};

use super::memory::{Memory, SLICES, slice_of};
use super::{call_type_of, damaged, failed, period_number, period_of, state};
use crate::call::{AccountKey, CallType, GroupKey, Usage};
use crate::store::{Account, AllowanceLine, StoreError, UsageLine, Visit};
use crate::time::Period;

const NANOS: i128 = 1_000_000_000;
/// A recent line's row is its flush shifted by this, plus its place in the flush.
const RECENT_BITS: u32 = 24;
/// Accounts looked through in one read.
const NAMES_AT_ONCE: usize = 1000;

macro_rules! columns {
    () => {
        "period, account, billing_group, call_type, currency, decimals, calls, talk, billable_seconds, cost_units, \
         cost_nanos"
    };
}

type Key = (Period, AccountKey, GroupKey, CallType, [u8; 3]);

fn key(line: &UsageLine) -> Key {
    (line.period, line.account, line.group, line.call_type, line.currency)
}

/// Appends the touched lines and folds this flush's slice.
pub fn write(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    lines: &[UsageLine],
    flush: u64,
) -> Result<(), StoreError> {
    let mut touched = lines.to_vec();
    touched.sort_unstable_by_key(key);
    append(
        transaction,
        concat!(
            "INSERT INTO usage_recent (row, ",
            columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        ),
        flush,
        &touched,
        put_usage,
    )?;
    for line in touched {
        memory.usage[slice_of(line.account.0)].push(line);
    }
    let slice = &mut memory.usage[flush as usize % SLICES];
    // Stable: of one key the latest stands last.
    slice.sort_by_key(key);
    let mut upsert = transaction
        .prepare_cached(concat!(
            "INSERT OR REPLACE INTO usage (",
            columns!(),
            ") VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        ))
        .map_err(failed)?;
    for same in slice.chunk_by(|a, b| key(a) == key(b)) {
        if let Some(line) = same.last() {
            put_usage(&mut upsert, line)?;
            upsert.raw_execute().map_err(failed)?;
        }
    }
    slice.clear();
    forget(transaction, "DELETE FROM usage_recent WHERE row < ?1", flush)
}

/// The same for allowances.
pub fn write_allowances(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    lines: &[AllowanceLine],
    flush: u64,
) -> Result<(), StoreError> {
    let by_key = |line: &AllowanceLine| (line.period, line.group);
    let mut touched = lines.to_vec();
    touched.sort_unstable_by_key(by_key);
    let sql = "INSERT INTO allowances_recent (row, period, billing_group, used_seconds) VALUES (?1, ?2, ?3, ?4)";
    append(transaction, sql, flush, &touched, put_allowance)?;
    for line in touched {
        memory.allowances[slice_of(line.group.0)].push(line);
    }
    let slice = &mut memory.allowances[flush as usize % SLICES];
    slice.sort_by_key(by_key);
    let mut upsert = transaction
        .prepare_cached("INSERT OR REPLACE INTO allowances (period, billing_group, used_seconds) VALUES (?2, ?3, ?4)")
        .map_err(failed)?;
    for same in slice.chunk_by(|a, b| by_key(a) == by_key(b)) {
        if let Some(line) = same.last() {
            put_allowance(&mut upsert, line)?;
            upsert.raw_execute().map_err(failed)?;
        }
    }
    slice.clear();
    forget(transaction, "DELETE FROM allowances_recent WHERE row < ?1", flush)
}

fn append<T>(
    transaction: &Transaction<'_>,
    sql: &str,
    flush: u64,
    lines: &[T],
    put: impl Fn(&mut rusqlite::Statement<'_>, &T) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    if lines.len() >= 1 << RECENT_BITS || flush >> (62 - RECENT_BITS) != 0 {
        return Err(StoreError::Unstorable("too many lines of totals in one flush".into()));
    }
    let mut insert = transaction.prepare_cached(sql).map_err(failed)?;
    for (i, line) in lines.iter().enumerate() {
        insert.raw_bind_parameter(1, recent_row(flush) + i as i64).map_err(failed)?;
        put(&mut insert, line)?;
        insert.raw_execute().map_err(failed)?;
    }
    Ok(())
}

/// Deletes the recent lines that every slice has had its turn with.
fn forget(transaction: &Transaction<'_>, sql: &str, flush: u64) -> Result<(), StoreError> {
    let oldest = recent_row((flush + 1).saturating_sub(SLICES as u64));
    transaction.prepare_cached(sql).and_then(|mut delete| delete.execute([oldest])).map_err(failed).map(|_| ())
}

fn recent_row(flush: u64) -> i64 {
    (flush as i64) << RECENT_BITS
}

/// Binds the columns of a line from the second parameter on.
fn put_usage(statement: &mut rusqlite::Statement<'_>, line: &UsageLine) -> Result<(), StoreError> {
    let too_large = |what: &str| StoreError::Unstorable(format!("{what} of an account's month is beyond 63 bits"));
    let usage = &line.usage;
    let talk = i64::try_from(usage.talk).map_err(|_| too_large("talk time"))?;
    let units = i64::try_from(usage.cost.div_euclid(NANOS)).map_err(|_| too_large("cost"))?;
    let numbers = [
        (2, period_number(line.period)),
        (3, i64::from(line.account.0)),
        (4, i64::from(line.group.0)),
        (5, i64::from(line.call_type as u8)),
        (7, i64::from(line.decimals)),
        (8, usage.calls),
        (9, talk),
        (10, usage.billable_seconds),
        (11, units),
        (12, usage.cost.rem_euclid(NANOS) as i64),
    ];
    for (at, number) in numbers {
        statement.raw_bind_parameter(at, number).map_err(failed)?;
    }
    statement.raw_bind_parameter(6, super::cell::Cell::bytes(&line.currency)).map_err(failed)
}

fn put_allowance(statement: &mut rusqlite::Statement<'_>, line: &AllowanceLine) -> Result<(), StoreError> {
    let numbers = [period_number(line.period), i64::from(line.group.0), super::whole(line.used_seconds)?];
    for (i, number) in numbers.into_iter().enumerate() {
        statement.raw_bind_parameter(i + 2, number).map_err(failed)?;
    }
    Ok(())
}

fn usage_of(row: &Row<'_>) -> Result<UsageLine, StoreError> {
    let bad = || damaged("a line of the totals");
    let number = |i: usize| row.get::<_, i64>(i).map_err(failed);
    let currency = super::cell::bytes_of(row.get_ref(4).map_err(failed)?).ok_or_else(bad)?;
    Ok(UsageLine {
        period: period_of(number(0)?).ok_or_else(bad)?,
        account: AccountKey(row.get(1).map_err(failed)?),
        group: GroupKey(row.get(2).map_err(failed)?),
        call_type: call_type_of(number(3)?).ok_or_else(bad)?,
        currency: currency.try_into().map_err(|_| bad())?,
        decimals: row.get(5).map_err(failed)?,
        usage: Usage {
            calls: number(6)?,
            talk: i128::from(number(7)?),
            billable_seconds: number(8)?,
            cost: i128::from(number(9)?) * NANOS + i128::from(number(10)?),
        },
    })
}

fn allowance_of(row: &Row<'_>) -> Result<AllowanceLine, StoreError> {
    let bad = || damaged("an allowance");
    Ok(AllowanceLine {
        period: period_of(row.get(0).map_err(failed)?).ok_or_else(bad)?,
        group: GroupKey(row.get(1).map_err(failed)?),
        used_seconds: u64::try_from(row.get::<_, i64>(2).map_err(failed)?).map_err(|_| bad())?,
    })
}

fn each<P: rusqlite::Params, T>(
    connection: &Connection,
    sql: &str,
    parameters: P,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    mut take: impl FnMut(T) -> Visit,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(parameters).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        if take(read(row)?).is_break() {
            break;
        }
    }
    Ok(())
}

const ON: Visit = Visit::Continue(());
const RECENT_USAGE: &str = concat!("SELECT ", columns!(), " FROM usage_recent ORDER BY row");
const RECENT_ALLOWANCES: &str = "SELECT period, billing_group, used_seconds FROM allowances_recent ORDER BY row";

/// The recent lines, oldest first.
pub fn recent(connection: &Connection, mut take: impl FnMut(UsageLine)) -> Result<(), StoreError> {
    each(connection, RECENT_USAGE, (), usage_of, |line| {
        take(line);
        ON
    })
}

/// The recent allowances, oldest first.
pub fn recent_allowances(connection: &Connection, mut take: impl FnMut(AllowanceLine)) -> Result<(), StoreError> {
    each(connection, RECENT_ALLOWANCES, (), allowance_of, |line| {
        take(line);
        ON
    })
}

/// All totals, by period, account, call type and currency.
pub fn load(connection: &Connection) -> Result<Vec<UsageLine>, StoreError> {
    let mut latest: BTreeMap<Key, UsageLine> = BTreeMap::new();
    recent(connection, |line| {
        latest.insert(key(&line), line);
    })?;
    let mut lines = Vec::new();
    let sql =
        concat!("SELECT ", columns!(), " FROM usage ORDER BY period, account, billing_group, call_type, currency");
    each(connection, sql, (), usage_of, |mut line| {
        if let Some(newer) = latest.remove(&key(&line)) {
            line = newer;
        }
        lines.push(line);
        ON
    })?;
    if !latest.is_empty() {
        lines.extend(latest.into_values());
        lines.sort_by_key(key);
    }
    Ok(lines)
}

/// All allowances, by period and group.
pub fn load_allowances(connection: &Connection) -> Result<Vec<AllowanceLine>, StoreError> {
    let mut lines: BTreeMap<(Period, GroupKey), u64> = BTreeMap::new();
    let mut take = |line: AllowanceLine| {
        lines.insert((line.period, line.group), line.used_seconds);
        ON
    };
    each(connection, "SELECT period, billing_group, used_seconds FROM allowances", (), allowance_of, &mut take)?;
    each(connection, RECENT_ALLOWANCES, (), allowance_of, &mut take)?;
    let line = |((period, group), used_seconds)| AllowanceLine { group, period, used_seconds };
    Ok(lines.into_iter().map(line).collect())
}

/// The first recent row of a flush at or behind (period, owner), found by halving: a flush's lines are sorted.
fn recent_start(connection: &Connection, probe: &str, flush: u64, wanted: (i64, i64)) -> Result<i64, StoreError> {
    let (mut low, mut high) = (recent_row(flush), recent_row(flush + 1));
    while low < high {
        let middle = low + (high - low) / 2;
        let mut found = None;
        each(
            connection,
            probe,
            [middle],
            |row| Ok((row.get(0).map_err(failed)?, row.get(1).map_err(failed)?)),
            |key| {
                found = Some(key);
                ON
            },
        )?;
        match found {
            Some(key) if key < wanted => low = middle + 1,
            // Not there: beyond the flush's last line.
            _ => high = middle,
        }
    }
    Ok(low)
}

/// One account's totals of a period, by call type and currency.
pub fn of_account(connection: &Connection, account: AccountKey, period: Period) -> Result<Vec<UsageLine>, StoreError> {
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    let mut lines = BTreeMap::new();
    folded(&transaction, account, period, &mut lines)?;
    let (_, last) = state::position(&transaction)?;
    let wanted = (period_number(period), i64::from(account.0));
    let probe = "SELECT period, account FROM usage_recent WHERE row = ?1";
    let sql = concat!("SELECT ", columns!(), " FROM usage_recent WHERE row >= ?1 AND row < ?2 ORDER BY row");
    for flush in (last + 1).saturating_sub(SLICES as u64)..=last {
        let start = recent_start(&transaction, probe, flush, wanted)?;
        each(&transaction, sql, (start, recent_row(flush + 1)), usage_of, |line| {
            if (line.period, line.account) != (period, account) {
                return Visit::Break(());
            }
            lines.insert(key(&line), line);
            ON
        })?;
    }
    Ok(lines.into_values().collect())
}

fn folded(
    connection: &Connection,
    account: AccountKey,
    period: Period,
    lines: &mut BTreeMap<Key, UsageLine>,
) -> Result<(), StoreError> {
    let sql = concat!("SELECT ", columns!(), " FROM usage WHERE period = ?1 AND account = ?2");
    each(connection, sql, (period_number(period), account.0), usage_of, |line| {
        lines.insert(key(&line), line);
        ON
    })
}

/// Seconds a group has drawn in a period.
pub fn allowance(connection: &Connection, group: GroupKey, period: Period) -> Result<u64, StoreError> {
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    let mut used = 0;
    let wanted = (period_number(period), i64::from(group.0));
    let sql = "SELECT period, billing_group, used_seconds FROM allowances WHERE period = ?1 AND billing_group = ?2";
    each(&transaction, sql, wanted, allowance_of, |line| {
        used = line.used_seconds;
        ON
    })?;
    let (_, last) = state::position(&transaction)?;
    let probe = "SELECT period, billing_group FROM allowances_recent WHERE row = ?1";
    let sql = "SELECT period, billing_group, used_seconds FROM allowances_recent WHERE row = ?1";
    for flush in (last + 1).saturating_sub(SLICES as u64)..=last {
        let start = recent_start(&transaction, probe, flush, wanted)?;
        each(&transaction, sql, [start], allowance_of, |line| {
            if (line.period, line.group) == (period, group) {
                used = line.used_seconds;
            }
            ON
        })?;
    }
    Ok(used)
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
    let mut overlay: (u64, BTreeMap<AccountKey, BTreeMap<Key, UsageLine>>) = (0, BTreeMap::new());
    while left > 0 {
        let transaction = connection.unchecked_transaction().map_err(failed)?;
        let (_, last) = state::position(&transaction)?;
        if overlay.0 != last {
            overlay = (last, BTreeMap::new());
            recent(&transaction, |line| {
                if line.period == period {
                    overlay.1.entry(line.account).or_default().insert(key(&line), line);
                }
            })?;
        }
        let names = state::accounts_after(&transaction, after.as_deref(), NAMES_AT_ONCE)?;
        let mut found = Vec::new();
        for account in &names {
            let mut lines = BTreeMap::new();
            folded(&transaction, account.key, period, &mut lines)?;
            if let Some(recent) = overlay.1.get(&account.key) {
                lines.extend(recent);
            }
            if !lines.is_empty() {
                found.push((account, lines.into_values().collect::<Vec<_>>()));
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
