//! What lies beside calls and goes with them: what was told of them, and attempts that were never calls.
//!
//! Does not know who orders it, nor when.

use rusqlite::Transaction;

use super::failed;
use super::state::all;
use crate::record::Record;
use crate::store::StoreError;

/// Forgets what the spend guard told, and to whom: an event names the numbers of the call that set it off.
pub(super) fn events(transaction: &Transaction<'_>, which: &str, value: i64) -> Result<(), StoreError> {
    for sql in [
        format!("DELETE FROM guard_deliveries WHERE event IN (SELECT id FROM guard_events WHERE {which})"),
        format!("DELETE FROM guard_events WHERE {which}"),
    ] {
        transaction.execute(&sql, [value]).map_err(failed)?;
    }
    Ok(())
}

/// Forgets records that nobody answered and somebody else charges for, with what that one charges.
pub(super) fn unanswered(
    transaction: &Transaction<'_>,
    goes: impl Fn(&Record<'_>, i64) -> bool,
) -> Result<(), StoreError> {
    let sql = "SELECT position, received_at, record FROM incumbents_unanswered";
    let rows: Vec<(i64, i64, Vec<u8>)> = all(transaction, sql, (), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for (position, received_at, bytes) in &rows {
        if goes(&Record::decode(bytes).unwrap_or_default(), *received_at) {
            for table in ["incumbents_unanswered", "incumbents"] {
                let sql = format!("DELETE FROM {table} WHERE position = ?1");
                transaction.execute(&sql, [position]).map_err(failed)?;
            }
        }
    }
    Ok(())
}
