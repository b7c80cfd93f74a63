//! A start: the few rows at once, and the many by connections of their own, all of them as of one position.
//!
//! Does not know who takes the rows.

use std::path::Path;

use rusqlite::Connection;

use super::super::open::{at, open_reader};
use super::super::value::damaged;
use super::super::{failed, usage};
use super::{load_few, position};
use crate::call::{AccountKey, GroupKey};
use crate::store::{Reading, StoreError, StoredRow, StoredStart};

pub fn start(path: &Path) -> Result<StoredStart, StoreError> {
    // Each sees the store as it stands when it begins. Nobody writes before the start has got this.
    let connections = [begun(path)?, begun(path)?, begun(path)?, begun(path)?];
    let [few, names, totals, drawn] = connections;
    let state = load_few(&few)?;
    for connection in [&names, &totals, &drawn] {
        if position(connection)? != (state.position, state.flush) {
            return Err(StoreError::Busy);
        }
    }
    let names: Reading = Box::new(move |take| {
        for table in ["accounts", "billing_groups"] {
            let sql = format!("SELECT coalesce(max(key) + 1, 0) FROM {table}");
            let count: i64 = names.query_row(&sql, (), |row| row.get(0)).map_err(failed)?;
            take(StoredRow::Names(usize::try_from(count).unwrap_or(0)));
            let mut statement = names.prepare(&format!("SELECT name FROM {table} ORDER BY key")).map_err(failed)?;
            let mut rows = statement.query(()).map_err(failed)?;
            while let Some(row) = rows.next().map_err(failed)? {
                let name = row.get_ref(0).map_err(failed)?.as_str().map_err(|_| damaged("a name"))?;
                take(if table == "accounts" { StoredRow::Account(name) } else { StoredRow::Group(name) });
            }
        }
        Ok(())
    });
    let totals: Reading = Box::new(move |take| usage::each(&totals, |line| take(StoredRow::Usage(line))));
    let drawn: Reading = Box::new(move |take| {
        usage::each(&drawn, |line| take(StoredRow::Allowance(line)))?;
        let mut statement = drawn.prepare("SELECT account, billing_group, state FROM guarded").map_err(failed)?;
        let mut rows = statement.query(()).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let (account, group) = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
            let held = row.get_ref(2).map_err(failed)?.as_blob().map_err(|_| damaged("what the spend guard holds"))?;
            take(StoredRow::Guarded(AccountKey(account), GroupKey(group), held));
        }
        Ok(())
    });
    Ok(StoredStart { state, names, usage: totals, drawn })
}

/// A connection that has begun to read.
fn begun(path: &Path) -> Result<Connection, StoreError> {
    let connection = open_reader(path).map_err(|error| at(path, error))?;
    // Every page is read once.
    connection.execute_batch("PRAGMA cache_size = -1024; BEGIN").map_err(failed)?;
    position(&connection)?;
    Ok(connection)
}
