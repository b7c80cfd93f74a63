//! A connection that answers questions, with the small tables it has looked up.
//!
//! Calls are never changed, so a long question is a chain of short reads up to the row that was the last one when it
//! began; between them nothing is held.
//!
//! Does not know who asks.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};

use super::cell::{DialForm, bytes_of};
use super::costs::CostBasis;
use super::memory::{
    GROUNDS_COLUMNS, RATING_COLUMNS, RATING_WIDTH, Rating, TEXT_COLUMNS, forms, grounds_of, nodes, rating_of, text_of,
};
use super::page::{Page, select_calls};
use super::{damaged, failed, segments, whole};
use crate::batch::Position;
use crate::store::{BasisText, Grounds, OwnedCall, Revised, StoreError, StoredCall, Visit};
use crate::time::Period;

/// Rows read in one go: a few milliseconds.
pub const WINDOW_ROWS: i64 = 4096;
/// Ratings a connection remembers; beyond, it forgets all and looks them up again.
const RATINGS_MAX: usize = 100_000;

/// A rating with its words.
pub struct Known {
    pub rating: Rating,
    pub text: BasisText,
}

type Map<K, V> = HashMap<K, V, FixedState>;

/// What does not change once written.
#[derive(Default)]
pub struct Cache {
    ratings: Map<u32, Arc<Known>>,
    grounds: Map<u32, Arc<Grounds>>,
    costs: Map<u32, CostBasis>,
    nodes: Map<u32, Box<[u8]>>,
    forms: Map<u32, DialForm>,
    /// The latest account asked for and its usual group: calls come account by account.
    group: Option<(u32, u32)>,
}

/// A reading connection.
pub struct Reader {
    pub connection: Connection,
    pub cache: Cache,
}

/// Looks things up for a row.
pub struct Lookups<'a> {
    pub connection: &'a Connection,
    pub cache: &'a mut Cache,
}

impl Reader {
    pub fn new(connection: Connection) -> Reader {
        Reader { connection, cache: Cache::default() }
    }

    /// The connection and the look-ups side by side.
    pub fn split(&mut self) -> (&Connection, Lookups<'_>) {
        (&self.connection, Lookups { connection: &self.connection, cache: &mut self.cache })
    }

    /// Begins a chain of reads: taking and leaving the read lock costs as much as some rows. Whoever begins also ends;
    /// on an error the connection is dropped, and with it the read.
    pub fn begin(&self) -> Result<(), StoreError> {
        if self.connection.is_autocommit() { self.run("BEGIN") } else { Ok(()) }
    }

    /// Ends a chain of reads.
    pub fn end(&self) -> Result<(), StoreError> {
        if self.connection.is_autocommit() { Ok(()) } else { self.run("COMMIT") }
    }

    fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(())).map_err(failed).map(|_| ())
    }

    /// The last row there is.
    pub fn last_row(&self) -> Result<i64, StoreError> {
        self.connection
            .prepare_cached("SELECT coalesce(max(row), 0) FROM calls")
            .and_then(|mut statement| statement.query_row((), |row| row.get(0)))
            .map_err(failed)
    }

    /// Appends stretches of rows (first, last) to the page.
    pub fn rows(&mut self, stretches: impl IntoIterator<Item = (i64, i64)>, page: &mut Page) -> Result<(), StoreError> {
        let (connection, mut lookups) = self.split();
        let mut statement = connection.prepare_cached(select_calls!("row BETWEEN ?1 AND ?2")).map_err(failed)?;
        for stretch in stretches {
            let mut rows = statement.query(stretch).map_err(failed)?;
            while let Some(row) = rows.next().map_err(failed)? {
                page.push(row, &mut lookups)?;
            }
        }
        Ok(())
    }

    /// Appends the rows of a stretch that carry a position.
    fn rows_at(&mut self, first: i64, last: i64, position: i64, page: &mut Page) -> Result<(), StoreError> {
        let (connection, mut lookups) = self.split();
        let mut statement =
            connection.prepare_cached(select_calls!("row BETWEEN ?1 AND ?2 AND position = ?3")).map_err(failed)?;
        let mut rows = statement.query((first, last, position)).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            page.push(row, &mut lookups)?;
        }
        Ok(())
    }

    /// The legs of a record.
    pub fn legs(&mut self, position: Position) -> Result<Vec<OwnedCall>, StoreError> {
        let mut page = Page::default();
        self.of_record(position, &mut page)?;
        let mut legs: Vec<OwnedCall> = page.calls().map(|call| call.to_owned_call()).collect();
        legs.sort_by_key(|leg| (leg.call.key, leg.revision, !leg.call.reversal));
        Ok(legs)
    }

    /// Every row of a record, and whether it counts.
    pub fn revisions(&mut self, position: Position) -> Result<Vec<Revised>, StoreError> {
        let mut page = Page::of_all();
        self.of_record(position, &mut page)?;
        let rows = page.calls().map(|row| {
            let (call, counts) = (row.to_owned_call(), row.superseded.is_none());
            Revised { call, row: row.row, counts }
        });
        let mut rows: Vec<Revised> = rows.collect();
        rows.sort_by_key(|row| (row.call.call.key, row.row));
        Ok(rows)
    }

    fn of_record(&mut self, position: Position, page: &mut Page) -> Result<(), StoreError> {
        let at = whole(position.0)?;
        let flush: Option<(i64, i64)> = {
            let mut statement = self
                .connection
                .prepare_cached(
                    "SELECT first_row, calls FROM flushes WHERE upto_position > ?1 ORDER BY upto_position LIMIT 1",
                )
                .map_err(failed)?;
            let mut rows = statement.query([at]).map_err(failed)?;
            match rows.next().map_err(failed)? {
                Some(row) => Some((row.get(0).map_err(failed)?, row.get(1).map_err(failed)?)),
                None => None,
            }
        };
        if let Some((first, calls)) = flush {
            self.rows_at(first, first + calls - 1, at, page)?;
        }
        let late: Vec<i64> = {
            let mut statement =
                self.connection.prepare_cached("SELECT row FROM late_calls WHERE position = ?1").map_err(failed)?;
            let rows = statement.query_map([at], |row| row.get(0)).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)?
        };
        self.rows(late.into_iter().map(|row| (row, row)), page)
    }

    /// Every call of a period, or of all, in the order of rows.
    pub fn scan_stored(
        &mut self,
        period: Option<Period>,
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<(), StoreError> {
        for (first, last) in segments::stretches(&self.connection, period)? {
            let wanted = |call: &StoredCall<'_>| period.is_none_or(|period| call.call.period == period);
            if self.stretch(Page::default(), first, last, &mut |call| {
                if wanted(call) { visit(call) } else { Visit::Continue(()) }
            })? {
                break;
            }
        }
        Ok(())
    }

    /// One of so many parts of [`Reader::scan_stored`]: every so many windows.
    pub fn scan_part(
        &mut self,
        period: Period,
        (part, parts): (usize, usize),
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<(), StoreError> {
        let mut page = Page::default();
        for (first, last) in segments::stretches(&self.connection, Some(period))? {
            let mut next = first;
            while next <= last {
                // By the rows' own numbers: another part may see other stretches, since flushes go on.
                let window = next / WINDOW_ROWS;
                let (from, to) = (next, last.min((window + 1) * WINDOW_ROWS - 1));
                next = to + 1;
                if window as usize % parts != part {
                    continue;
                }
                page.clear();
                self.rows([(from, to)], &mut page)?;
                if page.calls().any(|call| call.call.period == period && visit(&call).is_break()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The calls of a flush, also those that no longer count: its rows lie before those of the next one that has any, and nothing else does.
    pub fn of_flush(&mut self, flush: u64, visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit) -> Result<(), StoreError> {
        let flush = whole(flush)?;
        let rows = self
            .connection
            .prepare_cached(
                "SELECT first_row, coalesce((SELECT n.first_row - 1 FROM flushes n WHERE n.number > f.number AND \
                 n.calls > 0 ORDER BY n.number LIMIT 1), (SELECT max(row) FROM calls), 0) \
                 FROM flushes f WHERE number = ?1 AND calls > 0",
            )
            .and_then(|mut statement| statement.query_row([flush], |row| Ok((row.get(0)?, row.get(1)?))).optional())
            .map_err(failed)?;
        match rows {
            Some((first, last)) => self.stretch(Page::of_all(), first, last, visit).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Some rows, a window at a time; whether the visitor ended it.
    fn stretch(
        &mut self,
        mut page: Page,
        first: i64,
        last: i64,
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<bool, StoreError> {
        let mut from = first;
        while from <= last {
            let to = last.min(from + WINDOW_ROWS - 1);
            page.clear();
            self.rows([(from, to)], &mut page)?;
            if page.calls().any(|call| visit(&call).is_break()) {
                return Ok(true);
            }
            from = to + 1;
        }
        Ok(false)
    }
}

impl Lookups<'_> {
    pub fn rating(&mut self, id: u32) -> Result<Arc<Known>, StoreError> {
        if let Some(known) = self.cache.ratings.get(&id) {
            return Ok(known.clone());
        }
        let sql = format!("SELECT {RATING_COLUMNS}, {TEXT_COLUMNS} FROM ratings WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        let mut rows = statement.query([id]).map_err(failed)?;
        let row = rows.next().map_err(failed)?.ok_or_else(|| damaged("a call names a rating that is not there"))?;
        let known = Arc::new(Known { rating: rating_of(row, 0)?, text: text_of(row, RATING_WIDTH)? });
        if self.cache.ratings.len() >= RATINGS_MAX {
            self.cache.ratings.clear();
        }
        self.cache.ratings.insert(id, known.clone());
        Ok(known)
    }

    pub fn grounds(&mut self, id: u32) -> Result<Arc<Grounds>, StoreError> {
        if let Some(known) = self.cache.grounds.get(&id) {
            return Ok(known.clone());
        }
        let sql = format!("SELECT {GROUNDS_COLUMNS} FROM grounds WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        let mut rows = statement.query([id]).map_err(failed)?;
        let row = rows.next().map_err(failed)?.ok_or_else(|| damaged("a call names grounds that are not there"))?;
        let known = Arc::new(grounds_of(row, 0)?);
        if self.cache.grounds.len() >= RATINGS_MAX {
            self.cache.grounds.clear();
        }
        self.cache.grounds.insert(id, known.clone());
        Ok(known)
    }

    /// How calls are bought, by number.
    pub fn costs(&mut self, id: u32) -> Result<CostBasis, StoreError> {
        if let Some(known) = self.cache.costs.get(&id) {
            return Ok(*known);
        }
        let known = super::costs::known(self.connection, id)?;
        if self.cache.costs.len() >= RATINGS_MAX {
            self.cache.costs.clear();
        }
        self.cache.costs.insert(id, known);
        Ok(known)
    }

    /// The account's usual group.
    pub fn group(&mut self, account: u32) -> Result<u32, StoreError> {
        if let Some((known, group)) = self.cache.group
            && known == account
        {
            return Ok(group);
        }
        let group = self
            .connection
            .prepare_cached("SELECT billing_group FROM accounts WHERE key = ?1")
            .and_then(|mut statement| statement.query_row([account], |row| row.get::<_, u32>(0)))
            .map_err(|_| damaged("a call names an account without a group"))?;
        self.cache.group = Some((account, group));
        Ok(group)
    }

    /// Appends a dialled number.
    pub fn dialled(&mut self, value: ValueRef<'_>, digits: &[u8], out: &mut Vec<u8>) -> Result<(), StoreError> {
        match value {
            ValueRef::Null => {}
            ValueRef::Integer(id) => {
                let id = u32::try_from(id).map_err(|_| damaged("a dialling form"))?;
                if !self.cache.forms.contains_key(&id) {
                    self.cache.forms.extend(forms(self.connection)?);
                }
                self.cache.forms.get(&id).ok_or_else(|| damaged("a dialling form"))?.write(digits, out);
            }
            other => out.extend_from_slice(bytes_of(other).ok_or_else(|| damaged("a dialled number"))?),
        }
        Ok(())
    }

    /// Appends a node's name.
    pub fn node(&mut self, id: i64, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let id = u32::try_from(id).map_err(|_| damaged("a node"))?;
        if !self.cache.nodes.contains_key(&id) {
            self.cache.nodes.extend(nodes(self.connection)?);
        }
        out.extend_from_slice(self.cache.nodes.get(&id).ok_or_else(|| damaged("a node"))?);
        Ok(())
    }
}
