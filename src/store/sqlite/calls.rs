//! The calls of a flush: sorted, packed into their cells, inserted many at a time.
//!
//! Does not know transactions' begin and end, nor what else a flush writes.

use hashbrown::HashMap;
use rusqlite::Transaction;

use super::binder::Binder;
use super::cell::{Cell, DialForm, Digits, pack_id};
use super::locator::Run;
use super::memory::{FORMS_MAX, GROUNDS_MAX, Memory, NODES_MAX};
use super::rating::{rating, times};
use super::stand_in::StandIn;
use super::{costs, failed, leg_number, whole};
use crate::batch::Position;
use crate::call::{AccountKey, LegKey};
use crate::os::prefetch::{prefetch, prefetch_all};
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
    let prepare = |rows| transaction.prepare_cached(&insert_calls(rows)).map(Binder::new).map_err(failed);
    let (mut insert_group, mut insert_one) = (prepare(GROUP)?, prepare(1)?);
    let mut runs: Vec<Run> = Vec::new();
    let mut scratch = Vec::new();
    let mut row = first_row;
    let attempts = Attempts::new(batch);
    let stand_in = StandIn::before(transaction, first_row)?;
    for (n, places) in order.chunks(GROUP).enumerate() {
        ask_ahead(batch.calls, order, n * GROUP);
        let whole_group = places.len() == GROUP;
        for (i, place) in places.iter().enumerate() {
            let item = batch.calls.get(place.index as usize);
            let item = item.ok_or_else(|| StoreError::Unstorable("an order names a row that is not there".into()))?;
            poison::at(attempts.of(item));
            #[cfg(debug_assertions)]
            poison::pretend("stored", item.id);
            let (insert, at) = if whole_group { (&mut insert_group, i * COLUMNS) } else { (&mut insert_one, 0) };
            bind(transaction, memory, batch, item, insert, at, &mut scratch)?;
            if !whole_group {
                insert_one.execute()?;
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
            insert_group.execute()?;
        }
    }
    poison::nowhere();
    stand_in.map_or(Ok(()), |stand_in| stand_in.leaves(transaction))?;
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

/// In the order of accounts the rows lie all over the memory, and their text once more. So the rows of the group after the
/// next are asked for, and the text of the next one.
#[inline]
fn ask_ahead(calls: &[CallRow<'_>], order: &[Place], at: usize) {
    let rows = |from: usize| {
        let places = order.get(from..).unwrap_or_default().iter().take(GROUP);
        places.filter_map(|place| calls.get(place.index as usize))
    };
    for row in rows(at + 2 * GROUP) {
        prefetch_all(row);
    }
    for row in rows(at + GROUP) {
        for text in [row.id, row.node, row.source_dialled, row.destination_dialled] {
            text.first().into_iter().for_each(prefetch);
        }
    }
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
    insert: &mut Binder<'_>,
    at: usize,
    scratch: &mut Vec<u8>,
) -> Result<(), StoreError> {
    let call = &item.call;
    // Wrapping: reading wraps back, so that any start a sender may claim is kept as it was.
    let setup = item.start.map(|start| call.answer.0.wrapping_sub(start.0));
    let times = times(memory, call, setup);
    let (rating, cost) = rating(transaction, memory, batch, item, times)?;
    let group = (memory.group(call.account.0) != call.group.0).then(|| i64::from(call.group.0));
    let (source, destination) = (Digits::of(call.source), Digits::of(call.destination));
    let source_form = form(transaction, memory, item.source_dialled, source.as_slice())?;
    let destination_form = form(transaction, memory, item.destination_dialled, destination.as_slice())?;
    let node = node(transaction, memory, item.node)?;
    let id = pack_id(item.id, scratch);
    let grounds = grounds(transaction, memory, item)?;
    let correction = i64::from(call.reversal) | i64::from(item.named_tariff) << 1;
    let cells: [Cell<'_>; COLUMNS] = [
        Cell::Int(whole(call.key.position.0)?),
        Cell::Int(i64::from(call.account.0)),
        Cell::option(group),
        Cell::Int((call.answer.0 - times.epoch) / times.tick),
        Cell::option(setup.map(|setup| setup / times.tick)),
        Cell::Int(call.duration.0 / times.tick),
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
    insert.put(at, &cells)
}

/// A leg that is stored later than the flush of its record's position is found by name.
fn late(transaction: &Transaction<'_>, item: &CallRow<'_>, row: i64) -> Result<(), StoreError> {
    transaction
        .prepare_cached("INSERT INTO late_calls VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute((item.call.key.position.0 as i64, row)))
        .map_err(failed)?;
    Ok(())
}

/// The number of what decided whose call it was.
#[inline]
fn grounds(transaction: &Transaction<'_>, memory: &mut Memory, item: &CallRow<'_>) -> Result<Option<u32>, StoreError> {
    let Some(grounds) = item.grounds else { return Ok(None) };
    if let Some((last, id)) = &memory.grounds_last
        && last.is(&grounds)
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
    if let Some((_, id)) = memory.forms_last.iter().find(|(last, _)| *last == form) {
        return Ok(Cell::Int(i64::from(*id)));
    }
    if let Some(id) = memory.forms.get(&form) {
        memory.forms_last.rotate_right(1);
        memory.forms_last[0] = (form, *id);
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
