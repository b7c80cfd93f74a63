//! Details that go: deleted a window at a time, and what is left in their place.
//!
//! A window is read on a connection of its own, since rows never change; then one short transaction deletes what it found,
//! adds it to the sums, and moves the order on. So a flush waits for one window at most, and an order that is cut off goes
//! on where it was. `secure_delete` overwrites what is freed.
//!
//! Does not know who orders, nor when.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashSet;
use rusqlite::{OptionalExtension, Transaction};

use super::beside::{events, unanswered};
use super::order::Order;
use super::page::Page;
use super::reader::Reader;
use super::state::all;
use super::unname::{grounds, unname, used_grounds};
use super::{SqliteStore, costs, damaged, failed, period_number};
use crate::batch::Position;
use crate::call::{AccountKey, RatedCall, Usage};
use crate::entry::Kept;
use crate::record::Record;
use crate::store::{Margin, Retired, Store, StoreError};
use crate::time::{Period, Zone};
use draws::add_draws;

mod draws;

/// Rows read and deleted at once: some 350 KiB of pages, a few milliseconds.
const WINDOW_ROWS: i64 = 4096;
/// Windows without anything to delete that are passed over in one step.
const WINDOWS: usize = 64;

/// One window's worth of rows that go.
#[derive(Default)]
pub(super) struct Going {
    rows: Vec<(i64, RatedCall, bool)>,
    /// What those drew that count, by their own month.
    draws: BTreeMap<(i64, u32, u32), i64>,
    /// What those cost us that count.
    margins: BTreeMap<costs::OfAccount, (Margin, u8)>,
    held: BTreeSet<(Period, u32)>,
    /// Nodes and ids of calls that are erased.
    names: HashSet<(String, String)>,
    upto: i64,
}

/// Does a part of an order.
pub fn retire(store: &SqliteStore, position: Position) -> Result<Retired, StoreError> {
    let Some((order, going)) = found(store, position)? else { return Ok(Retired::Stored) };
    if let Some(going) = going {
        return goes(store, position, &order, &going);
    }
    let (used, last_row) = store.read(used_grounds)?;
    let kept = held_conflicts(store, &order)?;
    let mut writer = store.writer();
    writer.memory = None;
    let transaction = writer.connection.transaction().map_err(failed)?;
    if let Some(stays) = order.stays(&transaction)? {
        return Ok(stays);
    }
    finish(&transaction, &order, &kept)?;
    grounds(&transaction, used, last_row)?;
    transaction.commit().map_err(failed)?;
    Ok(Retired::Stored)
}

/// An order as it stands, and the next rows of it that go; none: nothing is left of it.
pub(super) fn found(store: &SqliteStore, position: Position) -> Result<Option<(Order, Option<Going>)>, StoreError> {
    store.read(|reader| {
        let Some(order) = Order::read(&reader.connection, position)? else { return Ok(None) };
        let going = window(reader, &order)?;
        Ok(Some((order, going)))
    })
}

/// Deletes rows that were found, unless it is otherwise by now.
pub(super) fn goes(
    store: &SqliteStore,
    position: Position,
    order: &Order,
    going: &Going,
) -> Result<Retired, StoreError> {
    let mut writer = store.writer();
    let transaction = writer.connection.transaction().map_err(failed)?;
    if let Some(stays) = order.stays(&transaction)? {
        return Ok(stays);
    }
    // A hold that came meanwhile counts, and two may be at one order: each window goes once.
    let as_found = |now: Order| (now.row_at, &now.held) == (order.row_at, &order.held);
    if !Order::read(&transaction, position)?.is_some_and(as_found) {
        return Ok(Retired::More(0));
    }
    delete(&transaction, order, going)?;
    transaction.commit().map_err(failed)?;
    Ok(Retired::More(going.rows.len() as u64))
}

/// The next rows that go; none: there are no more.
fn window(reader: &mut Reader, order: &Order) -> Result<Option<Going>, StoreError> {
    let (mut page, mut going, mut windows) = (Page::of_all(), Going::default(), 0);
    for (first, last) in order.stretches(reader)? {
        let mut from = first;
        while from <= last {
            let to = last.min(from + WINDOW_ROWS - 1);
            page.clear();
            reader.rows([(from, to)], &mut page)?;
            for call in page.calls() {
                let account = call.call.account;
                if !order.periods.contains(&call.call.period) || order.account.is_some_and(|own| own != account) {
                    continue;
                }
                if order.held.contains(&account.0) {
                    going.held.insert((call.call.period, account.0));
                } else {
                    if order.account.is_some() {
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        going.names.insert((text(call.node), text(call.id)));
                    }
                    if call.superseded.is_none() {
                        add_draws(&call, &mut going.draws)?;
                        if let Some(costs) = &call.costs {
                            let basis = &call.call.basis;
                            let key = (period_number(call.call.period), account.0, basis.currency);
                            let sum = going.margins.entry(key).or_default();
                            sum.0.add(&Margin::of(&call.call, costs), 1);
                            sum.1 = sum.1.max(basis.decimals);
                        }
                    }
                    going.rows.push((call.row as i64, call.call, call.superseded.is_none()));
                }
            }
            (going.upto, windows, from) = (to, windows + 1, to + 1);
            if windows >= WINDOWS || going.rows.len() as i64 >= WINDOW_ROWS {
                return Ok(Some(going));
            }
        }
    }
    Ok((windows > 0).then_some(going))
}

type SumKey = (i64, u32, u32, u8, [u8; 3]);

fn delete(transaction: &Transaction<'_>, order: &Order, going: &Going) -> Result<(), StoreError> {
    let mut sums: BTreeMap<SumKey, Usage> = BTreeMap::new();
    let mut details: BTreeMap<(i64, u32), (u64, u64, u64)> = BTreeMap::new();
    let mut positions: HashSet<i64> = HashSet::new();
    {
        let prepare = |sql| transaction.prepare_cached(sql).map_err(failed);
        let mut row_gone = prepare("DELETE FROM calls WHERE row = ?1")?;
        let mut costs_gone = prepare("DELETE FROM call_costs WHERE row = ?1")?;
        let mut superseded_gone = prepare("DELETE FROM superseded WHERE row = ?1")?;
        let mut late_gone = prepare("DELETE FROM late_calls WHERE position = ?1 AND row = ?2")?;
        for (row, call, counts) in &going.rows {
            let position = call.key.position.0;
            row_gone.execute([row]).map_err(failed)?;
            costs_gone.execute([row]).map_err(failed)?;
            superseded_gone.execute([row]).map_err(failed)?;
            late_gone.execute((position as i64, row)).map_err(failed)?;
            positions.insert(position as i64);
            let period = period_number(call.period);
            let detail = details.entry((period, call.account.0)).or_insert((0, u64::MAX, 0));
            *detail = (detail.0 + 1, detail.1.min(position), detail.2.max(position));
            if !counts {
                continue;
            }
            for (call_type, usage) in call.usage_lines() {
                let key = (period, call.account.0, call.group.0, call_type as u8, call.basis.currency);
                sums.entry(key).or_default().add(&usage);
            }
        }
    }
    for ((period, account), (rows, first, last)) in details {
        transaction
            .execute(
                "INSERT INTO deleted_details VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET
                 retention = excluded.retention, rows = rows + excluded.rows,
                 first_position = min(first_position, excluded.first_position),
                 last_position = max(last_position, excluded.last_position)",
                (period, account, order.position, rows as i64, first as i64, last as i64),
            )
            .map_err(failed)?;
    }
    for (key, usage) in sums {
        add_sum(transaction, key, usage)?;
    }
    for (key, sums) in &going.margins {
        costs::deleted(transaction, *key, *sums)?;
    }
    for ((period, group, meter), seconds) in &going.draws {
        transaction
            .execute(
                "INSERT INTO deleted_draws VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET seconds = seconds + excluded.seconds",
                (period, group, meter, *seconds),
            )
            .map_err(failed)?;
    }
    for (period, account) in &going.held {
        transaction
            .execute("INSERT OR IGNORE INTO deletion_held VALUES (?1, ?2)", (period_number(*period), account))
            .map_err(failed)?;
    }
    if order.entry.what == Kept::Erase {
        // Conflicts are few: no index leads from the first record to them.
        let sql = "SELECT position, first_position FROM conflicts";
        let conflicts: Vec<(i64, i64)> = all(transaction, sql, (), |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (position, _) in conflicts.iter().filter(|(_, first)| positions.contains(first)) {
            transaction.execute("DELETE FROM conflicts WHERE position = ?1", [position]).map_err(failed)?;
        }
    }
    versions_taken(transaction, &positions)?;
    let months: BTreeSet<i64> = going.rows.iter().map(|(_, call, _)| period_number(call.own_period())).collect();
    for month in months.into_iter().filter(|_| !going.names.is_empty()) {
        unname(transaction, month, &going.names)?;
    }
    let moved = "UPDATE retention SET row_at = ?2 WHERE position = ?1";
    transaction.execute(moved, (order.position, going.upto)).map_err(failed).map(|_| ())
}

/// A run that took a version of a record names its numbers, until the record's details go.
fn versions_taken(transaction: &Transaction<'_>, positions: &HashSet<i64>) -> Result<(), StoreError> {
    let sql = "SELECT run, json_extract(entry, '$.decides.first') FROM rerate_runs
               WHERE coalesce(json_extract(entry, '$.decides.record'), '') <> ''";
    let taken: Vec<(i64, i64)> = all(transaction, sql, (), |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (run, _) in taken.iter().filter(|(_, first)| positions.contains(first)) {
        let sql = "UPDATE rerate_runs SET entry = json_set(entry, '$.decides.record', '') WHERE run = ?1";
        transaction.execute(sql, [run]).map_err(failed)?;
    }
    Ok(())
}

fn add_sum(transaction: &Transaction<'_>, key: SumKey, usage: Usage) -> Result<(), StoreError> {
    let (period, account, group, call_type, currency) = key;
    let currency = String::from_utf8_lossy(&currency).into_owned();
    let whose = (period, account, group, call_type, &currency);
    let before: Option<(i64, String, i64, String)> = transaction
        .prepare_cached(
            "SELECT calls, talk, billable_seconds, cost FROM deleted_sums WHERE period = ?1 AND account = ?2
             AND billing_group = ?3 AND call_type = ?4 AND currency = ?5",
        )
        .and_then(|mut one| one.query_row(whose, |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))).optional())
        .map_err(failed)?;
    let mut sum = usage;
    if let Some((calls, talk, billable_seconds, cost)) = before {
        let exact = |text: &str| text.parse::<i128>().map_err(|_| damaged("the sum of deleted calls"));
        sum.add(&Usage { calls, talk: exact(&talk)?, billable_seconds, cost: exact(&cost)? });
    }
    let (talk, cost) = (sum.talk.to_string(), sum.cost.to_string());
    transaction
        .prepare_cached("INSERT OR REPLACE INTO deleted_sums VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
        .and_then(|mut put| {
            put.execute((period, account, group, call_type, &currency, sum.calls, talk, sum.billable_seconds, cost))
        })
        .map_err(failed)
        .map(|_| ())
}

/// Conflicts with records of held accounts.
fn held_conflicts(store: &SqliteStore, order: &Order) -> Result<HashSet<i64>, StoreError> {
    let mut kept = HashSet::new();
    if order.held.is_empty() || order.entry.conflicts_before.is_none() {
        return Ok(kept);
    }
    let mut discarded = HashSet::new();
    for account in &order.held {
        discarded.extend(store.discarded_of_account(AccountKey(*account))?.into_iter().map(|item| item.position));
    }
    let mut after = None;
    loop {
        let page = store.conflicts(after, 1000)?;
        let Some(last) = page.last() else { return Ok(kept) };
        after = Some(last.position);
        for conflict in page {
            let legs = store.legs(conflict.first)?;
            let waiting = store.suspense_of(conflict.first)?;
            let mut accounts =
                legs.iter().map(|leg| leg.call.account).chain(waiting.iter().filter_map(|item| item.account));
            if discarded.contains(&conflict.first) || accounts.any(|account| order.held.contains(&account.0)) {
                kept.insert(conflict.position.0 as i64);
            }
        }
    }
}

/// What an order takes beside calls, and that the store has no more of it.
fn finish(transaction: &Transaction<'_>, order: &Order, kept: &HashSet<i64>) -> Result<(), StoreError> {
    let Order { entry, position, periods, .. } = order;
    match entry.what {
        Kept::Erase => {
            if let Some(account) = order.account {
                contradicts_discarded(transaction, account.0)?;
                transaction.execute("DELETE FROM discarded WHERE account = ?1", [account.0]).map_err(failed)?;
                transaction.execute("DELETE FROM deletion_held WHERE account = ?1", [account.0]).map_err(failed)?;
                events(transaction, "account = ?1", account.0.into())?;
            }
            unanswered(transaction, |record, _| record.account == entry.account.as_bytes())?;
        }
        _ => {
            if let Some(before) = entry.conflicts_before {
                let sql = "SELECT position FROM conflicts WHERE coalesce(received_at, 0) < ?1";
                let old: Vec<i64> = all(transaction, sql, [before], |row| row.get(0))?;
                for one in old.iter().filter(|one| !kept.contains(*one)) {
                    transaction.execute("DELETE FROM conflicts WHERE position = ?1", [one]).map_err(failed)?;
                }
            }
            if let Some(before) = entry.discarded_before {
                transaction
                    .execute(
                        "DELETE FROM discarded WHERE at < ?1 AND coalesce(account, -1) NOT IN
                         (SELECT a.key FROM holds h JOIN accounts a ON a.name = h.account)",
                        [before],
                    )
                    .map_err(failed)?;
            }
            // What was told of calls goes with them; its months end in UTC.
            if let Some(before) = periods.iter().map(|period| period.bounds(&Zone::UTC).1).max() {
                let free =
                    "at < ?1 AND account NOT IN (SELECT a.key FROM holds h JOIN accounts a ON a.name = h.account)";
                events(transaction, free, before.0)?;
                unanswered(transaction, |_, received_at| received_at < before.0)?;
            }
            for period in periods {
                let month = period_number(*period);
                transaction
                    .execute("INSERT OR REPLACE INTO deleted_months VALUES (?1, ?2)", (month, position))
                    .map_err(failed)?;
                transaction
                    .execute(
                        "DELETE FROM deletion_held WHERE period = ?1 AND account NOT IN
                         (SELECT a.key FROM holds h JOIN accounts a ON a.name = h.account)",
                        [month],
                    )
                    .map_err(failed)?;
            }
        }
    }
    let sql = "UPDATE retention SET stored = 1 WHERE position = ?1";
    transaction.execute(sql, [position]).map_err(failed).map(|_| ())
}

/// What contradicts records of an account that were discarded goes with them: no call leads to it.
fn contradicts_discarded(transaction: &Transaction<'_>, account: u32) -> Result<(), StoreError> {
    let mut names = HashSet::new();
    let sql = "SELECT DISTINCT d.record FROM discarded d JOIN conflicts c ON c.first_position = d.position WHERE d.account = ?1";
    for record in all(transaction, sql, [account], |row| row.get::<_, Vec<u8>>(0))? {
        let record = Record::decode(&record).map_err(|_| damaged("a discarded record"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        names.insert((text(record.node), text(record.id)));
    }
    if names.is_empty() {
        return Ok(());
    }
    for month in all(transaction, "SELECT period FROM periods", (), |row| row.get(0))? {
        unname(transaction, month, &names)?;
    }
    let sql = "DELETE FROM conflicts WHERE first_position IN (SELECT position FROM discarded WHERE account = ?1)";
    transaction.execute(sql, [account]).map_err(failed).map(|_| ())
}
