//! What very many calls share, written once: price, steps, month, and how their amounts and times are counted.
//!
//! Does not know the calls' own columns.

use rusqlite::Transaction;

use super::cell::Cell;
use super::memory::{Memory, RATINGS_MAX, Rating, SECOND, Times, epoch_of};
use super::{failed, leg_number, period_number};
use crate::call::RatedCall;
use crate::store::{BasisText, CallRow, FlushBatch, StoreError};

/// The number of what decided the call, and its cost in the scale that goes with it.
#[inline]
pub(super) fn rating(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    batch: &FlushBatch<'_>,
    item: &CallRow<'_>,
    times: Times,
) -> Result<(u32, i64), StoreError> {
    let call = &item.call;
    let (scale, cost) = scaled(call.cost.0, call.basis.decimals);
    let key = Rating {
        basis: call.basis,
        period: call.period,
        leg: call.key.leg,
        call_type: call.call_type,
        scale,
        times,
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

/// How the times of a call are counted.
#[inline]
pub(super) fn times(memory: &mut Memory, call: &RatedCall, setup: Option<i64>) -> Times {
    if memory.epoch_last.0 != call.period {
        memory.epoch_last = epoch_of(call.period);
    }
    // An answer that lies nowhere near its month is kept as it is.
    let epoch = if call.answer.0.checked_sub(memory.epoch_last.1).is_some() { memory.epoch_last.1 } else { 0 };
    let whole = |tick: i64| [call.answer.0, setup.unwrap_or(0), call.duration.0].iter().all(|time| time % tick == 0);
    let tick = match () {
        () if whole(SECOND) => SECOND,
        () if whole(1000) => 1000,
        () => 1,
    };
    Times { epoch, tick }
}

/// Nano-units in the decimals to which the cost was rounded; nine where it was not.
#[inline]
fn scaled(nanos: i64, decimals: u8) -> (u8, i64) {
    const POWERS: [i64; 10] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
    let scale = decimals.min(9);
    let step = POWERS.get(usize::from(9 - scale)).copied().unwrap_or(1);
    if nanos % step == 0 { (scale, nanos / step) } else { (9, nanos) }
}

fn insert_rating(transaction: &Transaction<'_>, id: u32, rating: &Rating, text: &BasisText) -> Result<(), StoreError> {
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
        number(rating.times.epoch),
        number(rating.times.tick),
    ];
    let mut insert = transaction
        .prepare_cached(
            "INSERT INTO ratings (id, period, leg, call_type, cost_scale, currency, decimals, rule, tariff_slot,
             plan_index, row_index, tariff, plan, deck, prefix, destination, step_mode, initial, increment, minimum,
             free_below, rate, connect_fee, minimum_cost, maximum_cost, adjusts, exchange_from, exchange_rate, epoch, tick) VALUES (?1,
             ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25,
             ?26, ?27, ?28, ?29, ?30)",
        )
        .map_err(failed)?;
    for (i, cell) in cells.iter().enumerate() {
        insert.raw_bind_parameter(i + 1, cell).map_err(failed)?;
    }
    insert.raw_execute().map_err(failed).map(|_| ())
}
