//! What calls cost us, as it comes out: call by call, and added up.
//!
//! Does not know how any of it was written.

use rusqlite::{Connection, OptionalExtension};

use super::{BASIS_COLUMNS, CostBasis, basis_of, currency_of, margin_of, nanos};
use crate::call::{AccountKey, Costs, RESELLERS_MAX};
use crate::money::Money;
use crate::os::shown::Shown;
use crate::store::sqlite::cell::bytes_of;
use crate::store::sqlite::periods::period_number;
use crate::store::sqlite::{call_type_of, damaged, failed};
use crate::store::{Margin, MarginAccount, MarginRoute, StoreError};
use crate::time::Period;

/// What a row of `call_costs` says that is shown, its columns from `at` on: basis, billable_seconds, cost, resale_1 to resale_3. What takes
/// a call back is stored below zero.
pub fn read(
    row: Shown<'_>,
    at: usize,
    reversal: bool,
    known: impl FnOnce(u32) -> Result<CostBasis, StoreError>,
) -> Result<Option<Costs>, StoreError> {
    let bad = || damaged("what a call costs us");
    let number = |i: usize| row.whole(at + i).map_err(|_| bad());
    let Some(basis) = number(0)? else { return Ok(None) };
    let basis = known(u32::try_from(basis).map_err(|_| bad())?)?;
    let mut amounts = [None; 1 + RESELLERS_MAX];
    for (i, amount) in amounts.iter_mut().enumerate() {
        *amount = number(2 + i)?.map(|stored| nanos(stored, basis.scale)).transpose()?.map(Money);
    }
    let [carrier_cost, resale @ ..] = amounts;
    let seconds = number(1)?.and_then(|seconds| if reversal { seconds.checked_neg() } else { Some(seconds) });
    let billable_seconds = seconds.and_then(|s| u32::try_from(s).ok()).ok_or_else(bad)?;
    Ok(Some(Costs { carrier: basis.carrier, row: basis.row, billable_seconds, carrier_cost, resale }))
}

/// A basis by its number.
pub fn known(connection: &Connection, id: u32) -> Result<CostBasis, StoreError> {
    let sql = format!("SELECT {BASIS_COLUMNS} FROM cost_bases WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let found = statement.query_row([id], |row| Ok(basis_of(row, 0))).optional().map_err(failed)?;
    found.unwrap_or_else(|| Err(damaged("a call names costs that are not there")))
}

/// What the calls of a month cost us, route by route.
pub fn routes(connection: &Connection, period: Period) -> Result<Vec<MarginRoute>, StoreError> {
    let mut select = connection
        .prepare_cached(
            "SELECT m.calls, m.unknown, m.talk, m.billable_seconds, m.revenue, m.revenue_known, m.cost, m.resale,
             b.tariff, b.plan, b.carrier, b.deck, b.prefix, b.destination, b.row_index IS NOT NULL, b.call_type,
             b.currency, b.decimals
             FROM margin_routes m JOIN cost_bases b ON b.id = m.basis WHERE m.period = ?1 ORDER BY m.basis",
        )
        .map_err(failed)?;
    let mut rows = select.query([period_number(period)]).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let margin = margin_of(row, 0)?;
        // Everything was replaced. A credit for a call of a closed month beside what stands for it now is no call and money.
        if margin == Margin::default() {
            continue;
        }
        let text = |i: usize| row.get::<_, String>(i).map_err(failed);
        let carrier = bytes_of(row.get_ref(10).map_err(failed)?).unwrap_or_default();
        found.push(MarginRoute {
            margin,
            tariff: text(8)?,
            plan: text(9)?,
            carrier: String::from_utf8_lossy(carrier).into_owned(),
            deck: text(11)?,
            prefix: text(12)?,
            destination: text(13)?,
            bought: row.get(14).map_err(failed)?,
            call_type: call_type_of(row.get(15).map_err(failed)?).ok_or_else(|| damaged("a call type"))?,
            currency: currency_of(row, 16)?,
            decimals: row.get(17).map_err(failed)?,
        });
    }
    Ok(found)
}

/// What the calls of a month cost us, account by account, in the order of names.
pub fn accounts(connection: &Connection, period: Period) -> Result<Vec<MarginAccount>, StoreError> {
    of_accounts(connection, "margin_accounts", period)
}

/// Of these, what stands for calls whose details are gone.
pub fn accounts_deleted(connection: &Connection, period: Period) -> Result<Vec<MarginAccount>, StoreError> {
    of_accounts(connection, "deleted_margins", period)
}

fn of_accounts(connection: &Connection, table: &str, period: Period) -> Result<Vec<MarginAccount>, StoreError> {
    let sql = format!(
        "SELECT m.calls, m.unknown, m.talk, m.billable_seconds, m.revenue, m.revenue_known, m.cost, m.resale,
         m.account, a.name, m.currency, m.decimals
         FROM {table} m JOIN accounts a ON a.key = m.account WHERE m.period = ?1 ORDER BY a.name, m.currency"
    );
    let mut select = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = select.query([period_number(period)]).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let margin = margin_of(row, 0)?;
        if margin == Margin::default() {
            continue;
        }
        found.push(MarginAccount {
            margin,
            account: AccountKey(row.get(8).map_err(failed)?),
            name: row.get(9).map_err(failed)?,
            currency: currency_of(row, 10)?,
            decimals: row.get(11).map_err(failed)?,
        });
    }
    Ok(found)
}
