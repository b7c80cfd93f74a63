//! The calls of a flush: sorted, packed into their cells, inserted many at a time.
//!
//! Does not know transactions' begin and end, nor what else a flush writes.

use hashbrown::HashMap;
use rusqlite::Transaction;

use super::cell::{Cell, DialForm, Digits, pack_id};
use super::locator::Run;
use super::memory::{FORMS_MAX, GROUNDS_MAX, Memory, NODES_MAX, RATINGS_MAX, Rating};
use super::{costs, failed, leg_number, period_number, whole};
use crate::batch::Position;
use crate::call::{AccountKey, LegKey};
use crate::poison;
use crate::store::{CallRow, FlushBatch, StoreError, SuspenseKey};

/// Where a row stands in the order of its flush; 32 bytes, so that sorting moves little.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
pub struct Place {
    pub account: AccountKey,
    period: i32,
    answer: i64,
    position: Position,
    pub index: u32,
}

/// Calls by account, then period, answer and position.
pub fn sorted(calls: &[CallRow<'_>]) -> Vec<Place> {
    let place = |(index, row): (usize, &CallRow<'_>)| Place {
        account: row.call.account,
        period: row.call.period.0,
        answer: row.call.answer.0,
        position: row.call.key.position,
        index: index as u32,
    };
    let mut order: Vec<Place> = calls.iter().enumerate().map(place).collect();
    order.sort_unstable();
    order
}

/// Rows inserted by one statement: what a statement costs to begin and end is shared by so many.
const GROUP: usize = 16;
/// Columns of a call, without its row number.
const COLUMNS: usize = 21;

fn insert_calls(rows: usize) -> String {
    // Whatever fails ends the whole transaction, and SQLite may know: else it copies every page of a statement of several
    // rows aside, to be able to take back that statement alone.
    let mut sql = "INSERT OR ROLLBACK INTO calls (position, account, billing_group, answer, setup, duration, source, \
                   source_dialled, destination, destination_dialled, rating, billable_seconds, included_seconds, cost, \
                   node, call_id, grounds, used_before, revision, run, correction) VALUES "
        .to_owned();
    for row in 0..rows {
        sql.push_str(if row == 0 { "(?" } else { ", (?" });
        sql.push_str(&", ?".repeat(COLUMNS - 1));
        sql.push(')');
    }
    sql
}

/// Writes the calls in order and tells where each account's rows lie.
pub fn write(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    batch: &FlushBatch<'_>,
    order: &[Place],
    first_row: i64,
) -> Result<Vec<Run>, StoreError> {
    let mut insert_group = transaction.prepare_cached(&insert_calls(GROUP)).map_err(failed)?;
    let mut insert_one = transaction.prepare_cached(&insert_calls(1)).map_err(failed)?;
    let mut runs: Vec<Run> = Vec::new();
    let mut group: Vec<CallRow<'_>> = Vec::with_capacity(GROUP);
    let mut scratch = Vec::new();
    let mut row = first_row;
    let attempts = Attempts::new(batch);
    for places in order.chunks(GROUP) {
        // The rows lie all over the memory: fetched side by side, their cache misses overlap.
        group.clear();
        group.extend(places.iter().filter_map(|place| batch.calls.get(place.index as usize)));
        let touch = |sum: usize, row: &CallRow<'_>| {
            [row.id, row.node, row.source_dialled, row.destination_dialled]
                .iter()
                .fold(sum, |sum, text| sum + usize::from(text.first().copied().unwrap_or(0)))
        };
        std::hint::black_box(group.iter().fold(0, touch));
        let whole_group = group.len() == GROUP;
        for (i, item) in group.iter().enumerate() {
            poison::at(attempts.of(item));
            #[cfg(debug_assertions)]
            poison::pretend("stored", item.id);
            let (insert, at) = if whole_group { (&mut *insert_group, i * COLUMNS) } else { (&mut *insert_one, 0) };
            bind(transaction, memory, batch, item, insert, at, &mut scratch)?;
            if !whole_group {
                insert_one.raw_execute().map_err(failed)?;
            }
            let call = &item.call;
            costs::write(transaction, &mut memory.costs, batch, item, row)?;
            if !(batch.from..batch.upto).contains(&call.key.position) {
                late(transaction, item, row)?;
            }
            match runs.last_mut() {
                Some(run) if run.account == call.account && run.period == call.period => run.rows += 1,
                _ => runs.push(Run { account: call.account, period: call.period, first: row, rows: 1 }),
            }
            row += 1;
        }
        if whole_group {
            insert_group.raw_execute().map_err(failed)?;
        }
    }
    poison::nowhere();
    // SQLite numbers rows one above the highest; the locators count on it.
    let last: i64 = transaction
        .prepare_cached("SELECT max(row) FROM calls")
        .and_then(|mut statement| statement.query_row((), |row| row.get(0)))
        .map_err(failed)?;
    if last != row - 1 {
        return Err(StoreError::Damaged("rows of calls are not consecutive".into()));
    }
    Ok(runs)
}

/// Where in the journal the word stands that made a call be rated: its record's place, or that of the latest retry.
struct Attempts<'a> {
    batch: &'a FlushBatch<'a>,
    retried: HashMap<SuspenseKey, Position>,
}

impl<'a> Attempts<'a> {
    fn new(batch: &'a FlushBatch<'a>) -> Attempts<'a> {
        Attempts { batch, retried: batch.retried.iter().map(|one| (one.key, one.attempt)).collect() }
    }

    fn of(&self, item: &CallRow<'_>) -> Position {
        let LegKey { position, leg } = item.call.key;
        if position >= self.batch.from {
            return position;
        }
        let tried = |leg| self.retried.get(&SuspenseKey { position, leg }).copied();
        tried(Some(leg)).or_else(|| tried(None)).unwrap_or(position)
    }
}

/// Packs a call into the parameters behind `at`.
fn bind(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    batch: &FlushBatch<'_>,
    item: &CallRow<'_>,
    insert: &mut rusqlite::Statement<'_>,
    at: usize,
    scratch: &mut Vec<u8>,
) -> Result<(), StoreError> {
    let call = &item.call;
    let (rating, cost) = rating(transaction, memory, batch, item)?;
    let group = (memory.group(call.account.0) != call.group.0).then(|| i64::from(call.group.0));
    let (source, destination) = (Digits::of(call.source), Digits::of(call.destination));
    let source_form = form(transaction, memory, item.source_dialled, source.as_slice())?;
    let destination_form = form(transaction, memory, item.destination_dialled, destination.as_slice())?;
    let node = node(transaction, memory, item.node)?;
    let id = pack_id(item.id, scratch);
    let grounds = grounds(transaction, memory, item)?;
    // Wrapping: reading wraps back, so that any start a sender may claim is kept as it was.
    let setup = item.start.map(|start| call.answer.0.wrapping_sub(start.0));
    let correction = i64::from(call.reversal) | i64::from(item.named_tariff) << 1;
    let cells: [Cell<'_>; COLUMNS] = [
        Cell::Int(whole(call.key.position.0)?),
        Cell::Int(i64::from(call.account.0)),
        Cell::option(group),
        Cell::Int(call.answer.0),
        Cell::option(setup),
        Cell::Int(call.duration.0),
        source.cell(),
        source_form,
        destination.cell(),
        destination_form,
        Cell::Int(i64::from(rating)),
        Cell::Int(i64::from(call.billable_seconds) * call.sign()),
        Cell::Int(call.drawn()),
        Cell::Int(cost),
        node,
        id,
        Cell::option(grounds.map(i64::from)),
        match item.draws {
            b"" => Cell::option(call.used_before.map(whole).transpose()?),
            draws => Cell::Text(draws),
        },
        Cell::option((item.revision > 0).then(|| i64::from(item.revision))),
        Cell::option(item.run.map(i64::from)),
        Cell::option((correction > 0).then_some(correction)),
    ];
    for (i, cell) in cells.iter().enumerate() {
        insert.raw_bind_parameter(at + i + 1, cell).map_err(failed)?;
    }
    Ok(())
}

/// A leg that is stored later than the flush of its record's position is found by name.
fn late(transaction: &Transaction<'_>, item: &CallRow<'_>, row: i64) -> Result<(), StoreError> {
    transaction
        .prepare_cached("INSERT INTO late_calls VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute((item.call.key.position.0 as i64, row)))
        .map_err(failed)?;
    Ok(())
}

/// The number of what decided the call, and its cost in the scale that goes with it.
#[inline]
fn rating(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    batch: &FlushBatch<'_>,
    item: &CallRow<'_>,
) -> Result<(u32, i64), StoreError> {
    let call = &item.call;
    let (scale, cost) = scaled(call.cost.0, call.basis.decimals);
    let key = Rating {
        basis: call.basis,
        period: call.period,
        leg: call.key.leg,
        call_type: call.call_type,
        scale,
        adjusts: call.adjusts,
    };
    if let Some((last, id)) = &memory.rating_last
        && *last == key
    {
        return Ok((*id, cost));
    }
    if let Some(id) = memory.ratings.get(&key) {
        memory.rating_last = Some((key, *id));
        return Ok((*id, cost));
    }
    if memory.ratings.len() >= RATINGS_MAX {
        memory.ratings.clear();
    }
    let id = memory.rating_next;
    insert_rating(transaction, id, &key, &(batch.describe)(&call.basis))?;
    memory.rating_next = id.checked_add(1).ok_or_else(|| StoreError::Unstorable("too many ratings".into()))?;
    memory.ratings.insert(key, id);
    Ok((id, cost))
}

/// Nano-units in the decimals to which the cost was rounded; nine where it was not.
#[inline]
fn scaled(nanos: i64, decimals: u8) -> (u8, i64) {
    const POWERS: [i64; 10] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
    let scale = decimals.min(9);
    let step = POWERS.get(usize::from(9 - scale)).copied().unwrap_or(1);
    if nanos % step == 0 { (scale, nanos / step) } else { (9, nanos) }
}

fn insert_rating(
    transaction: &Transaction<'_>,
    id: u32,
    rating: &Rating,
    text: &crate::store::BasisText,
) -> Result<(), StoreError> {
    let basis = &rating.basis;
    let (steps, price) = (&basis.steps, &basis.price);
    let number = |n: i64| Cell::Int(n);
    let cells = [
        number(i64::from(id)),
        number(period_number(rating.period)),
        number(leg_number(Some(rating.leg))),
        number(i64::from(rating.call_type as u8)),
        number(i64::from(rating.scale)),
        Cell::bytes(&basis.currency),
        number(i64::from(basis.decimals)),
        number(i64::from(basis.rule)),
        number(i64::from(basis.tariff.0)),
        number(i64::from(basis.plan)),
        Cell::option(basis.row.map(i64::from)),
        Cell::Text(text.tariff.as_bytes()),
        Cell::Text(text.plan.as_bytes()),
        Cell::Text(text.deck.as_bytes()),
        Cell::Text(text.prefix.as_bytes()),
        Cell::Text(text.destination.as_bytes()),
        Cell::Text(steps.mode.name().as_bytes()),
        number(i64::from(steps.initial)),
        number(i64::from(steps.increment)),
        number(i64::from(steps.minimum)),
        number(steps.free_below.0),
        number(price.rate.0),
        number(price.connect_fee.0),
        Cell::option(price.minimum_cost.map(|m| m.0)),
        Cell::option(price.maximum_cost.map(|m| m.0)),
        Cell::option(rating.adjusts.map(period_number)),
        basis.exchange.as_ref().map_or(Cell::Null, |exchange| Cell::bytes(&exchange.from)),
        Cell::option(basis.exchange.map(|exchange| exchange.rate.0)),
    ];
    let mut insert = transaction
        .prepare_cached(
            "INSERT INTO ratings (id, period, leg, call_type, cost_scale, currency, decimals, rule, tariff_slot,
             plan_index, row_index, tariff, plan, deck, prefix, destination, step_mode, initial, increment, minimum,
             free_below, rate, connect_fee, minimum_cost, maximum_cost, adjusts, exchange_from, exchange_rate) VALUES (?1,
             ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25,
             ?26, ?27, ?28)",
        )
        .map_err(failed)?;
    for (i, cell) in cells.iter().enumerate() {
        insert.raw_bind_parameter(i + 1, cell).map_err(failed)?;
    }
    insert.raw_execute().map_err(failed).map(|_| ())
}

/// The number of what decided whose call it was.
#[inline]
fn grounds(transaction: &Transaction<'_>, memory: &mut Memory, item: &CallRow<'_>) -> Result<Option<u32>, StoreError> {
    let Some(grounds) = item.grounds else { return Ok(None) };
    if let Some((last, id)) = &memory.grounds_last
        && last.borrowed() == grounds
    {
        return Ok(Some(*id));
    }
    let key = grounds.to_owned_grounds();
    let id = match memory.grounds.get(&key) {
        Some(id) => *id,
        None => {
            if memory.grounds.len() >= GROUNDS_MAX {
                memory.grounds.clear();
            }
            let id = memory.grounds_next;
            transaction
                .prepare_cached("INSERT INTO grounds VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
                .and_then(|mut insert| {
                    insert.execute((
                        id,
                        grounds.source.0,
                        grounds.profile.0 as i64,
                        grounds.directory,
                        leg_number(grounds.direction),
                        Cell::bytes(grounds.account),
                        Cell::bytes(grounds.forwarded_by),
                        bytes_or_null(grounds.routing_number),
                        bytes_or_null(grounds.carrier),
                    ))
                })
                .map_err(failed)?;
            memory.grounds_next = id.checked_add(1).ok_or_else(|| StoreError::Unstorable("too many grounds".into()))?;
            memory.grounds.insert(key.clone(), id);
            id
        }
    };
    memory.grounds_last = Some((key, id));
    Ok(Some(id))
}

/// Text that a record may do without.
fn bytes_or_null(text: &[u8]) -> Cell<'_> {
    if text.is_empty() { Cell::Null } else { Cell::bytes(text) }
}

/// A dialled number: the number of its form where it is the E.164 digits in another dress, else as it is.
#[inline]
fn form<'a>(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    dialled: &'a [u8],
    digits: &[u8],
) -> Result<Cell<'a>, StoreError> {
    if dialled.is_empty() {
        return Ok(Cell::Null);
    }
    let Some(form) = DialForm::of(dialled, digits) else { return Ok(Cell::bytes(dialled)) };
    if let Some(id) = memory.forms.get(&form) {
        return Ok(Cell::Int(i64::from(*id)));
    }
    if memory.forms.len() >= FORMS_MAX {
        return Ok(Cell::bytes(dialled));
    }
    let id = memory.forms.len() as u32 + 1;
    transaction
        .prepare_cached("INSERT INTO dial_forms VALUES (?1, ?2, ?3)")
        .and_then(|mut insert| insert.execute((id, Cell::Text(form.prefix()), form.dropped)))
        .map_err(failed)?;
    memory.forms.insert(form, id);
    Ok(Cell::Int(i64::from(id)))
}

/// A node: its number, or its name where there are too many of them.
#[inline]
fn node<'a>(transaction: &Transaction<'_>, memory: &mut Memory, name: &'a [u8]) -> Result<Cell<'a>, StoreError> {
    if let Some(id) = memory.nodes.get(name) {
        return Ok(Cell::Int(i64::from(*id)));
    }
    if memory.nodes.len() >= NODES_MAX {
        return Ok(Cell::bytes(name));
    }
    let id = memory.nodes.len() as u32 + 1;
    transaction
        .prepare_cached("INSERT INTO nodes VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute((id, Cell::bytes(name))))
        .map_err(failed)?;
    memory.nodes.insert(name.into(), id);
    Ok(Cell::Int(i64::from(id)))
}
