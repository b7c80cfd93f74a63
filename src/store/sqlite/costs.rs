//! What calls cost us: a row beside each call that has it, and what they add up to, in the transaction of the call.
//!
//! Totals are brought up to date by what a flush adds and takes away; the flush's position makes sure that each does so once.
//!
//! Does not know how a cost came about, nor who asks.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rusqlite::{Connection, Row, Transaction};
use serde::{Deserialize, Serialize};

mod read;

pub use read::{accounts, accounts_deleted, known, read, routes};

use super::cell::{Cell, bytes_of};
use super::periods::period_number;
use super::{call_type_of, damaged, failed};
use crate::call::{Basis, CallType, Costs, RESELLERS_MAX};
use crate::money::Money;
use crate::store::{CallRow, FlushBatch, Margin, StoreError};

/// What calls share: a row of `cost_bases`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CostBasis {
    tariff: u16,
    plan: u16,
    carrier: Option<u16>,
    row: Option<u32>,
    sold: Option<u32>,
    call_type: CallType,
    scale: u8,
    currency: [u8; 3],
    decimals: u8,
}

/// Bases remembered; beyond, they are looked up no more and written again, which costs rows, not correctness.
const BASES_MAX: usize = 200_000;

type Map<K, V> = HashMap<K, V, FixedState>;

/// Known bases, and what the flush that is being written adds to totals.
#[derive(Default)]
pub struct CostMemory {
    bases: Map<CostBasis, u32>,
    last: Option<(CostBasis, u32)>,
    next: u32,
    routes: Map<(i64, u32), Margin>,
    accounts: Map<OfAccount, (Margin, u8)>,
}

impl CostMemory {
    pub fn load(connection: &Connection) -> Result<CostMemory, StoreError> {
        let mut memory = CostMemory::default();
        let last: i64 = connection
            .query_row("SELECT coalesce(max(id), 0) FROM cost_bases", (), |row| row.get(0))
            .map_err(failed)?;
        memory.next = u32::try_from(last).map_err(|_| damaged("too many costs"))?.saturating_add(1);
        let sql = format!("SELECT id, {BASIS_COLUMNS} FROM cost_bases WHERE id > ?1 ORDER BY id");
        let mut statement = connection.prepare(&sql).map_err(failed)?;
        let mut rows = statement.query([last - BASES_MAX as i64 / 2]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            memory.bases.insert(basis_of(row, 1)?, row.get(0).map_err(failed)?);
        }
        Ok(memory)
    }

    fn count(&mut self, period: i64, basis: u32, account: u32, money: ([u8; 3], u8), margin: &Margin, times: i64) {
        self.routes.entry((period, basis)).or_default().add(margin, times);
        let (currency, decimals) = money;
        let of_account = self.accounts.entry((period, account, currency)).or_default();
        of_account.0.add(margin, times);
        of_account.1 = of_account.1.max(decimals);
    }
}

const BASIS_COLUMNS: &str =
    "tariff_slot, plan_index, carrier_index, row_index, sold_index, call_type, cost_scale, currency, decimals";

fn basis_of(row: &Row<'_>, at: usize) -> Result<CostBasis, StoreError> {
    let bad = || damaged("what a call costs us");
    Ok(CostBasis {
        tariff: row.get(at).map_err(failed)?,
        plan: row.get(at + 1).map_err(failed)?,
        carrier: row.get(at + 2).map_err(failed)?,
        row: row.get(at + 3).map_err(failed)?,
        sold: row.get(at + 4).map_err(failed)?,
        call_type: call_type_of(row.get(at + 5).map_err(failed)?).ok_or_else(bad)?,
        scale: row.get(at + 6).map_err(failed)?,
        currency: currency_of(row, at + 7)?,
        decimals: row.get(at + 8).map_err(failed)?,
    })
}

fn currency_of(row: &Row<'_>, at: usize) -> Result<[u8; 3], StoreError> {
    let bytes = bytes_of(row.get_ref(at).map_err(failed)?);
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| damaged("a currency"))
}

/// Writes what the call of a row costs, and counts it.
pub fn write(
    transaction: &Transaction<'_>,
    memory: &mut CostMemory,
    batch: &FlushBatch<'_>,
    item: &CallRow<'_>,
    row: i64,
) -> Result<(), StoreError> {
    let Some(costs) = &item.costs else { return Ok(()) };
    let call = &item.call;
    let (scale, amounts) = scaled(costs, call.basis.decimals);
    let key = CostBasis {
        tariff: call.basis.tariff.0,
        plan: call.basis.plan,
        carrier: costs.carrier,
        row: costs.row,
        sold: call.basis.row.filter(|_| costs.row.is_none()),
        call_type: call.call_type,
        scale,
        currency: call.basis.currency,
        decimals: call.basis.decimals,
    };
    let basis = match &memory.last {
        Some((last, id)) if *last == key => *id,
        _ => basis(transaction, memory, batch, item, &key)?,
    };
    memory.last = Some((key, basis));
    let mut insert = transaction
        .prepare_cached("INSERT OR ROLLBACK INTO call_costs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
        .map_err(failed)?;
    let [cost, resale @ ..] = amounts;
    let seconds = i64::from(costs.billable_seconds) * call.sign();
    insert.execute((row, basis, seconds, cost, resale[0], resale[1], resale[2])).map_err(failed)?;
    let money = (call.basis.currency, call.basis.decimals);
    memory.count(period_number(call.period), basis, call.account.0, money, &Margin::of(call, costs), 1);
    Ok(())
}

/// Amounts in the decimals of the plan, in nano-units where one of them is finer.
fn scaled(costs: &Costs, decimals: u8) -> (u8, [Option<i64>; 1 + RESELLERS_MAX]) {
    let scale = decimals.min(9);
    let step = 10_i64.pow(u32::from(9 - scale));
    let mut amounts = [costs.carrier_cost.map(|cost| cost.0); 1 + RESELLERS_MAX];
    for (amount, price) in amounts.iter_mut().skip(1).zip(&costs.resale) {
        *amount = price.map(|price| price.0);
    }
    if amounts.iter().flatten().all(|nanos| nanos % step == 0) {
        (scale, amounts.map(|amount| amount.map(|nanos| nanos / step)))
    } else {
        (9, amounts)
    }
}

/// The number of a basis, written when it is first met.
fn basis(
    transaction: &Transaction<'_>,
    memory: &mut CostMemory,
    batch: &FlushBatch<'_>,
    item: &CallRow<'_>,
    key: &CostBasis,
) -> Result<u32, StoreError> {
    if let Some(id) = memory.bases.get(key) {
        return Ok(*id);
    }
    if memory.bases.len() >= BASES_MAX {
        memory.bases.clear();
    }
    // A row of a cost deck is a row of the same image.
    let named = Basis { row: key.row.or(key.sold), ..item.call.basis };
    let mut text = (batch.describe)(&named);
    if text.destination.is_empty() {
        text.destination =
            if named.row.is_some() { text.prefix.clone() } else { format!("({})", key.call_type.name()) };
    }
    let carrier = item.grounds.filter(|_| key.carrier.is_some()).map_or(&b""[..], |grounds| grounds.carrier);
    let id = memory.next;
    let mut insert = transaction
        .prepare_cached(
            "INSERT INTO cost_bases VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )
        .map_err(failed)?;
    let cells = [
        Cell::Int(i64::from(id)),
        Cell::Int(i64::from(key.tariff)),
        Cell::Int(i64::from(key.plan)),
        Cell::option(key.carrier.map(i64::from)),
        Cell::option(key.row.map(i64::from)),
        Cell::option(key.sold.map(i64::from)),
        Cell::Int(i64::from(key.call_type as u8)),
        Cell::Int(i64::from(key.scale)),
        Cell::bytes(&key.currency),
        Cell::Int(i64::from(key.decimals)),
        Cell::Text(text.tariff.as_bytes()),
        Cell::Text(text.plan.as_bytes()),
        Cell::bytes(carrier),
        Cell::Text(text.deck.as_bytes()),
        Cell::Text(text.prefix.as_bytes()),
        Cell::Text(text.destination.as_bytes()),
    ];
    for (i, cell) in cells.iter().enumerate() {
        insert.raw_bind_parameter(i + 1, cell).map_err(failed)?;
    }
    insert.raw_execute().map_err(failed)?;
    memory.next = id.checked_add(1).ok_or_else(|| StoreError::Unstorable("too many costs".into()))?;
    memory.bases.insert(*key, id);
    Ok(id)
}

/// The call of a row no longer counts: whoever writes `superseded` says so, once for each row.
pub fn take_back(transaction: &Transaction<'_>, memory: &mut CostMemory, row: i64) -> Result<(), StoreError> {
    let mut select = transaction
        .prepare_cached(
            "SELECT k.cost, k.resale_1, k.resale_2, k.resale_3, b.cost_scale, b.currency, b.decimals, k.basis,
             c.account, c.duration, c.billable_seconds, c.cost, r.cost_scale, r.period, coalesce(c.correction, 0) & 1
             FROM call_costs k JOIN cost_bases b ON b.id = k.basis JOIN calls c ON c.row = k.row
             JOIN ratings r ON r.id = c.rating WHERE k.row = ?1",
        )
        .map_err(failed)?;
    let mut rows = select.query([row]).map_err(failed)?;
    let Some(found) = rows.next().map_err(failed)? else { return Ok(()) };
    let [carrier_cost, resale @ ..] = amounts_of(found, 0, found.get(4).map_err(failed)?)?;
    let revenue = nanos(found.get(11).map_err(failed)?, found.get(12).map_err(failed)?)?;
    let sign = 1 - 2 * found.get::<_, i64>(14).map_err(failed)?;
    let mut margin = Margin {
        calls: sign,
        unknown: if carrier_cost.is_some() { 0 } else { sign },
        talk: found.get::<_, i64>(9).map_err(failed)?.saturating_mul(sign),
        billable_seconds: found.get(10).map_err(failed)?,
        revenue: i128::from(revenue),
        ..Margin::default()
    };
    if let Some(cost) = carrier_cost {
        (margin.revenue_known, margin.cost) = (margin.revenue, i128::from(cost.0));
    }
    margin.resale = resale.map(|price| price.map_or((0, 0), |price| (sign, i128::from(price.0))));
    let money = (currency_of(found, 5)?, found.get(6).map_err(failed)?);
    let (basis, account, period) =
        (found.get(7).map_err(failed)?, found.get(8).map_err(failed)?, found.get(13).map_err(failed)?);
    memory.count(period, basis, account, money, &margin, -1);
    Ok(())
}

fn nanos(amount: i64, scale: u8) -> Result<i64, StoreError> {
    amount.checked_mul(10_i64.pow(u32::from(9 - scale.min(9)))).ok_or_else(|| damaged("a cost"))
}

/// The carrier's cost and the prices of the levels, from so many columns on.
fn amounts_of(row: &Row<'_>, at: usize, scale: u8) -> Result<[Option<Money>; 1 + RESELLERS_MAX], StoreError> {
    let mut amounts = [None; 1 + RESELLERS_MAX];
    for (i, amount) in amounts.iter_mut().enumerate() {
        let stored: Option<i64> = row.get(at + i).map_err(failed)?;
        *amount = stored.map(|stored| nanos(stored, scale)).transpose()?.map(Money);
    }
    Ok(amounts)
}

/// Adds what the flush counted to the totals.
pub fn finish(transaction: &Transaction<'_>, memory: &mut CostMemory) -> Result<(), StoreError> {
    for ((period, basis), more) in std::mem::take(&mut memory.routes) {
        let sql = "SELECT calls, unknown, talk, billable_seconds, revenue, revenue_known, cost, resale
                   FROM margin_routes WHERE period = ?1 AND basis = ?2";
        let mut margin = stored(transaction, sql, (period, basis))?;
        margin.add(&more, 1);
        let sums = Sums::of(&margin);
        transaction
            .prepare_cached("INSERT OR REPLACE INTO margin_routes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
            .and_then(|mut insert| {
                insert.execute((
                    period,
                    basis,
                    margin.calls,
                    margin.unknown,
                    margin.talk,
                    margin.billable_seconds,
                    &sums.revenue,
                    &sums.revenue_known,
                    &sums.cost,
                    &sums.resale,
                ))
            })
            .map_err(failed)?;
    }
    for (key, more) in std::mem::take(&mut memory.accounts) {
        add_to_account(transaction, "margin_accounts", key, more)?;
    }
    Ok(())
}

/// Month as it is written, account, currency.
pub type OfAccount = (i64, u32, [u8; 3]);

/// Keeps what calls of an account came to whose details go. The totals stay as they are.
pub fn deleted(transaction: &Transaction<'_>, key: OfAccount, sums: (Margin, u8)) -> Result<(), StoreError> {
    add_to_account(transaction, "deleted_margins", key, sums)
}

fn add_to_account(
    transaction: &Transaction<'_>,
    table: &str,
    (period, account, currency): OfAccount,
    (more, decimals): (Margin, u8),
) -> Result<(), StoreError> {
    let code = String::from_utf8_lossy(&currency).into_owned();
    let sql = format!(
        "SELECT calls, unknown, talk, billable_seconds, revenue, revenue_known, cost, resale
         FROM {table} WHERE period = ?1 AND account = ?2 AND currency = ?3"
    );
    let mut margin = stored(transaction, &sql, (period, account, &code))?;
    margin.add(&more, 1);
    let sums = Sums::of(&margin);
    let sql = format!(
        "INSERT INTO {table} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT DO UPDATE SET calls = excluded.calls, unknown = excluded.unknown, talk = excluded.talk,
         billable_seconds = excluded.billable_seconds, revenue = excluded.revenue,
         revenue_known = excluded.revenue_known, cost = excluded.cost, resale = excluded.resale,
         decimals = max(decimals, excluded.decimals)"
    );
    let Margin { calls, unknown, talk, billable_seconds, .. } = margin;
    let Sums { revenue, revenue_known, cost, resale } = &sums;
    transaction
        .prepare_cached(&sql)
        .and_then(|mut insert| {
            insert.execute((
                period,
                account,
                &code,
                calls,
                unknown,
                talk,
                billable_seconds,
                revenue,
                revenue_known,
                cost,
                resale,
                decimals,
            ))
        })
        .map_err(failed)
        .map(|_| ())
}

/// Sums of money as stored.
struct Sums {
    revenue: String,
    revenue_known: String,
    cost: String,
    resale: String,
}

/// Calls and nano-units, these as text: JSON's readers take no whole number beyond 64 bits.
#[derive(Serialize, Deserialize)]
struct Levels(Vec<(i64, String)>);

impl Sums {
    fn of(margin: &Margin) -> Sums {
        let used = margin.resale.iter().rposition(|level| *level != (0, 0)).map_or(0, |last| last + 1);
        let levels = Levels(margin.resale.iter().take(used).map(|(calls, sum)| (*calls, sum.to_string())).collect());
        Sums {
            revenue: margin.revenue.to_string(),
            revenue_known: margin.revenue_known.to_string(),
            cost: margin.cost.to_string(),
            // Numbers and texts always serialise.
            resale: serde_json::to_string(&levels).unwrap_or_default(),
        }
    }
}

fn stored(transaction: &Transaction<'_>, sql: &str, key: impl rusqlite::Params) -> Result<Margin, StoreError> {
    let mut select = transaction.prepare_cached(sql).map_err(failed)?;
    let mut rows = select.query(key).map_err(failed)?;
    match rows.next().map_err(failed)? {
        None => Ok(Margin::default()),
        Some(row) => margin_of(row, 0),
    }
}

/// Sums from a row whose columns from `at` on are those of both tables.
fn margin_of(row: &Row<'_>, at: usize) -> Result<Margin, StoreError> {
    let whole = |i: usize| row.get::<_, i64>(at + i).map_err(failed);
    let text = |i: usize| row.get::<_, String>(at + i).map_err(failed);
    let sum = |i: usize| text(i)?.parse::<i128>().map_err(|_| damaged("a sum of costs"));
    let Levels(levels) = serde_json::from_str(&text(7)?).map_err(|_| damaged("a sum of costs"))?;
    let mut resale = [(0, 0); RESELLERS_MAX];
    for (level, (calls, sum)) in resale.iter_mut().zip(levels) {
        *level = (calls, sum.parse().map_err(|_| damaged("a sum of costs"))?);
    }
    Ok(Margin {
        calls: whole(0)?,
        unknown: whole(1)?,
        talk: whole(2)?,
        billable_seconds: whole(3)?,
        revenue: sum(4)?,
        revenue_known: sum(5)?,
        cost: sum(6)?,
        resale,
    })
}
