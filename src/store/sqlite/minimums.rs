//! Minimum spends that sealed months bill.
//!
//! Does not know how they come about.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction};

use super::state::all;
use super::{damaged, failed, period_number, period_of};
use crate::call::{AccountKey, GroupKey};
use crate::money::Money;
use crate::store::{MinimumRow, MinimumsOf, StoreError};
use crate::time::Period;

const NANOS: i128 = 1_000_000_000;
const COLUMNS: &str = "m.own, m.account, m.currency, m.period, m.billing_group, m.decimals, m.minimum, m.charged_units,
    m.charged_nanos, m.cost_units, m.cost_nanos";
const SEALED: &str = "EXISTS (SELECT 1 FROM periods p WHERE p.period = m.period AND p.sealed IS NOT NULL)";

/// Forgets what a month would bill that is not sealed.
pub fn forget(transaction: &Transaction<'_>, period: Period) -> Result<(), StoreError> {
    let month = period_number(period);
    for of in ["own = ?1 AND period = ?1", "period = ?1 AND own <> period"] {
        let sql = format!("DELETE FROM minimums AS m WHERE {of} AND NOT {SEALED}");
        transaction.execute(&sql, [month]).map_err(failed)?;
    }
    Ok(())
}

/// Adds what a month bills once it is sealed.
pub fn draft(connection: &mut Connection, rows: &[MinimumRow]) -> Result<(), StoreError> {
    let transaction = connection.transaction().map_err(failed)?;
    {
        let sql = "INSERT OR IGNORE INTO minimums VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let mut insert = transaction.prepare_cached(sql).map_err(failed)?;
        for row in rows {
            let (charged, cost) = (parts(row.charged)?, parts(row.cost)?);
            let (own, period) = (period_number(row.own), period_number(row.period));
            let currency = String::from_utf8_lossy(&row.currency);
            let of = (own, row.account.0, currency, period, row.group.0, row.decimals, row.minimum.0);
            insert
                .execute((of.0, of.1, of.2, of.3, of.4, of.5, of.6, charged.0, charged.1, cost.0, cost.1))
                .map_err(failed)?;
        }
    }
    transaction.commit().map_err(failed)
}

/// Whole units, rounded down, and the rest.
fn parts(nanos: i128) -> Result<(i64, i64), StoreError> {
    let units = i64::try_from(nanos.div_euclid(NANOS));
    let units = units.map_err(|_| StoreError::Unstorable("a sum beyond 63 bits".into()))?;
    Ok((units, nanos.rem_euclid(NANOS) as i64))
}

/// What sealed months bill.
pub fn read(connection: &Connection, of: MinimumsOf<'_>) -> Result<Vec<MinimumRow>, StoreError> {
    let rows = |sql: &str, parameters: &[&dyn rusqlite::ToSql]| -> Result<Vec<MinimumRow>, StoreError> {
        let sql = sql.replace("{COLUMNS}", COLUMNS).replace("{SEALED}", SEALED);
        all(connection, &sql, parameters, row)?.into_iter().map(|row| row.ok_or_else(|| damaged("a minimum"))).collect()
    };
    match of {
        MinimumsOf::Own(account, own) => {
            let sql = "SELECT {COLUMNS} FROM minimums m WHERE own = ?1 AND account = ?2 AND {SEALED} ORDER BY currency, period";
            rows(sql, &[&period_number(own), &account.0])
        }
        MinimumsOf::Any(own) => {
            rows("SELECT {COLUMNS} FROM minimums m WHERE own = ?1 AND {SEALED} LIMIT 1", &[&period_number(own)])
        }
        MinimumsOf::Account(account, period) => {
            let own = "SELECT {COLUMNS} FROM minimums m WHERE own = ?1 AND account = ?2 AND period = ?1 AND {SEALED}
                ORDER BY currency";
            let others =
                "SELECT {COLUMNS} FROM minimums m WHERE period = ?1 AND account = ?2 AND own <> period AND {SEALED}
                ORDER BY own, currency";
            let parameters: [&dyn rusqlite::ToSql; 2] = [&period_number(period), &account.0];
            let mut found = rows(own, &parameters)?;
            found.extend(rows(others, &parameters)?);
            Ok(found)
        }
        MinimumsOf::Page { period, after, upto, limit } => {
            let month = period_number(period);
            let own = "SELECT 1 FROM minimums m WHERE m.own = ?1 AND m.period = ?1 AND {SEALED}";
            let others = "SELECT 1 FROM minimums m WHERE m.period = ?1 AND m.own <> m.period AND {SEALED}";
            let any = format!("SELECT EXISTS ({own}) OR EXISTS ({others})").replace("{SEALED}", SEALED);
            if !all(connection, &any, [month], |row| row.get(0))?.contains(&true) {
                return Ok(Vec::new());
            }
            // Names in their order, each with what is there under its number: the month is never sorted.
            let names = format!(
                "SELECT a.key FROM accounts a WHERE a.name > ?2 AND a.name <= ?3
                 AND (EXISTS ({own} AND m.account = a.key) OR EXISTS ({others} AND m.account = a.key)) ORDER BY a.name LIMIT ?4"
            );
            // Bytes come behind any text.
            let upto = upto.map_or(Value::Blob(Vec::new()), |name| Value::Text(name.to_owned()));
            let parameters = (month, after.unwrap_or(""), upto, i64::try_from(limit).unwrap_or(i64::MAX));
            let keys: Vec<u32> = all(connection, &names.replace("{SEALED}", SEALED), parameters, |row| row.get(0))?;
            let mut found = Vec::new();
            for key in keys {
                found.extend(read(connection, MinimumsOf::Account(AccountKey(key), period))?);
            }
            Ok(found)
        }
    }
}

/// None: a month or a currency is none.
fn row(row: &Row<'_>) -> rusqlite::Result<Option<MinimumRow>> {
    let (own, period) = (period_of(row.get(0)?), period_of(row.get(3)?));
    let currency = <[u8; 3]>::try_from(row.get_ref(2)?.as_bytes()?).ok();
    let sum = |at: usize| -> rusqlite::Result<i128> {
        Ok(i128::from(row.get::<_, i64>(at)?) * NANOS + i128::from(row.get::<_, i64>(at + 1)?))
    };
    let (Some(own), Some(period), Some(currency)) = (own, period, currency) else { return Ok(None) };
    Ok(Some(MinimumRow {
        period,
        own,
        account: AccountKey(row.get(1)?),
        group: GroupKey(row.get(4)?),
        currency,
        decimals: row.get(5)?,
        minimum: Money(row.get(6)?),
        charged: sum(7)?,
        cost: sum(9)?,
    }))
}

/// Closed months of which a month bills calls.
pub fn adjusted(connection: &Connection, period: Period) -> Result<Vec<Period>, StoreError> {
    let sql = "SELECT DISTINCT adjusts FROM ratings WHERE period = ?1 AND adjusts IS NOT NULL ORDER BY adjusts";
    let months: Vec<i64> = all(connection, sql, [period_number(period)], |row| row.get(0))?;
    Ok(months.into_iter().filter_map(period_of).collect())
}
