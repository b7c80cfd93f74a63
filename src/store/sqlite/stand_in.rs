//! SQLite numbers rows one above the highest. Where the last ones were deleted, a row stands in for them while others are
//! written, so that no number is given twice.
//!
//! Does not know what is written.

use rusqlite::Transaction;

use super::failed;
use crate::store::StoreError;

/// See the module.
pub struct StandIn(i64);

impl StandIn {
    /// One before the row that is written first, if the last ones are gone.
    pub fn before(transaction: &Transaction<'_>, first_row: i64) -> Result<Option<StandIn>, StoreError> {
        let highest: i64 = transaction
            .prepare_cached("SELECT coalesce(max(row), 0) FROM calls")
            .and_then(|mut statement| statement.query_row((), |row| row.get(0)))
            .map_err(failed)?;
        if highest + 1 >= first_row {
            return Ok(None);
        }
        transaction
            .prepare_cached(
                "INSERT INTO calls (row, position, account, answer, duration, rating, billable_seconds,
                 included_seconds, cost, node, call_id) VALUES (?1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
            )
            .and_then(|mut insert| insert.execute([first_row - 1]))
            .map_err(failed)?;
        Ok(Some(StandIn(first_row - 1)))
    }

    /// The others are written.
    pub fn leaves(self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        transaction.execute("DELETE FROM calls WHERE row = ?1", [self.0]).map_err(failed).map(|_| ())
    }
}
