//! An order of retention: which rows it takes, and what keeps them.
//!
//! An order waits for a seal or a run of re-rating that began before it: what those found must be there when it comes to
//! count, else totals and calls would part. They end by themselves, in minutes, and a replay finds again what they found;
//! given up, an erasure a day would keep a large run from ever ending. What begins behind an order has it carried out
//! first, so that what it reads does not depend on how far the deletion happened to be.
//!
//! Does not know how rows are deleted.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use super::reader::Reader;
use super::retention::{entry_of, months};
use super::state::all;
use super::{failed, segments, whole};
use crate::batch::Position;
use crate::call::AccountKey;
use crate::entry::{Kept, Retention};
use crate::store::{Retired, StoreError};
use crate::time::Period;

/// What an order takes.
pub struct Order {
    pub position: i64,
    pub entry: Retention,
    pub row_at: i64,
    /// Sealed months whose details it takes; none: all sealed ones.
    pub periods: BTreeSet<Period>,
    /// The one account it takes.
    pub account: Option<AccountKey>,
    pub held: BTreeSet<u32>,
}

impl Order {
    /// As it stands; none: nothing is left of it in the store.
    pub fn read(connection: &Connection, position: Position) -> Result<Option<Order>, StoreError> {
        let at = whole(position.0)?;
        let found: Option<(String, i64)> = connection
            .query_row("SELECT entry, row_at FROM retention WHERE position = ?1 AND stored = 0", [at], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(failed)?;
        let Some((json, row_at)) = found else { return Ok(None) };
        let entry = entry_of(&json)?;
        let mut periods: BTreeSet<Period> =
            months(connection, "SELECT period FROM periods WHERE state = 'sealed'", ())?.into_iter().collect();
        let account = match entry.what {
            Kept::Erase => super::state::account_named(connection, &entry.account)?,
            _ => {
                periods.retain(|period| entry.periods.contains(&period.0));
                None
            }
        };
        let sql = "SELECT a.key FROM holds h JOIN accounts a ON a.name = h.account";
        let held = all(connection, sql, (), |row| row.get(0))?.into_iter().collect();
        Ok(Some(Order { position: at, entry, row_at, periods, account, held }))
    }

    /// Rows that may be its own, in order, behind those it has done.
    pub fn stretches(&self, reader: &Reader) -> Result<Vec<(i64, i64)>, StoreError> {
        let mut stretches: Vec<(i64, i64)> = match (self.entry.what, self.account) {
            (Kept::Erase, None) => Vec::new(),
            (Kept::Erase, Some(account)) => {
                segments::runs(&reader.connection, None, (account, account), reader.last_row()?)?
                    .iter()
                    .map(|run| (run.first, run.first + i64::from(run.rows) - 1))
                    .collect()
            }
            _ => {
                let mut all = Vec::new();
                for period in &self.periods {
                    all.extend(segments::stretches(&reader.connection, Some(*period))?);
                }
                all
            }
        };
        stretches.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for (first, last) in stretches {
            let first = first.max(self.row_at + 1);
            match merged.last_mut() {
                Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
                _ if first <= last => merged.push((first, last)),
                _ => {}
            }
        }
        Ok(merged)
    }

    /// Why nothing of it goes now.
    pub fn stays(&self, connection: &Connection) -> Result<Option<Retired>, StoreError> {
        let is = |sql: &str, parameters: &dyn rusqlite::ToSql| {
            connection.query_row(sql, [parameters], |row| row.get::<_, bool>(0)).map_err(failed)
        };
        let held = "SELECT EXISTS (SELECT 1 FROM holds WHERE account = ?1)";
        if self.entry.what == Kept::Erase && is(held, &self.entry.account)? {
            return Ok(Some(Retired::Held));
        }
        let at_work = "SELECT EXISTS (SELECT 1 FROM rerate_runs WHERE state = 'rating' AND begun < ?1)
                       OR EXISTS (SELECT 1 FROM periods WHERE state <> 'sealed' AND seal < ?1)";
        Ok(is(at_work, &self.position)?.then_some(Retired::Waits))
    }
}
