//! A connection that answers questions, with the small tables it has looked up.
//!
//! Calls are never changed, so a long question is a chain of short reads up to the row that was the last one when it
//! began; between them nothing is held.
//!
//! Does not know who asks.

use std::ops::ControlFlow;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params};

use super::lookups::{Cache, Lookups};
use super::page::Page;
use super::row::{row_of, show_calls};
use super::{failed, segments, whole};
use crate::batch::Position;
use crate::os::shown::{Showing, Shown};
use crate::store::{OwnedCall, Revised, StoreError, StoredCall, Visit};
use crate::time::Period;

/// Rows read in one go: a few milliseconds.
pub const WINDOW_ROWS: i64 = 4096;
/// Ends of the rows that no longer count, where every row does.
const NONE_SUPERSEDED: (i64, i64) = (i64::MAX, i64::MIN);
/// Stretches of so many rows are asked once which of them no longer count; below, each row is asked.
const MANY_ROWS: i64 = 8;
/// The same where all of them count and some calls have costs: it is asked, too, whether one of the stretch has.
const VERY_MANY_ROWS: i64 = 256;

/// A reading connection.
pub struct Reader {
    pub connection: Showing,
    pub cache: Cache,
    /// The first and the last row that no longer counts, as the read that goes on sees it.
    superseded: (i64, i64),
    /// Whether any call tells what it costs us, as that read sees it.
    costs: bool,
}

impl Reader {
    pub fn new(connection: Connection) -> Result<Reader, StoreError> {
        let connection = Showing::new(connection).map_err(failed)?;
        Ok(Reader { connection, cache: Cache::default(), superseded: NONE_SUPERSEDED, costs: true })
    }

    /// The connection and the look-ups side by side.
    pub fn split(&mut self) -> (&Showing, Lookups<'_>) {
        (&self.connection, Lookups { connection: &self.connection, cache: &mut self.cache })
    }

    /// Begins a chain of reads: taking and leaving the read lock costs as much as some rows. Whoever begins also ends;
    /// on an error the connection is dropped, and with it the read.
    pub fn begin(&mut self) -> Result<(), StoreError> {
        if !self.connection.is_autocommit() {
            return Ok(());
        }
        self.run("BEGIN")?;
        let sql = "SELECT (SELECT min(row) FROM superseded), (SELECT max(row) FROM superseded), \
                   EXISTS (SELECT 1 FROM call_costs)";
        let (first, last, costs): (Option<i64>, Option<i64>, bool) = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))))
            .map_err(failed)?;
        self.superseded = first.zip(last).unwrap_or(NONE_SUPERSEDED);
        self.costs = costs;
        Ok(())
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
        let alone = self.connection.is_autocommit();
        self.begin()?;
        let ((first_gone, last_gone), costs) = (self.superseded, self.costs);
        {
            let (connection, mut lookups) = self.split();
            let mut all = connection.prepare_cached(show_calls!(all)).map_err(failed)?;
            // Where every row counts none is looked up: that takes some 700 instructions a row.
            let mut counting = connection.prepare_cached(rows_that_count(costs)).map_err(failed)?;
            for (first, last) in stretches {
                let all_count = last < first_gone || first > last_gone;
                let many = match (all_count, costs) {
                    (false, _) => MANY_ROWS,
                    (true, true) => VERY_MANY_ROWS,
                    (true, false) => i64::MAX,
                };
                if last - first >= many {
                    let _ended = each_row(connection, (first, last), &mut lookups, &mut |row, superseded, lookups| {
                        page.push_known(row, superseded, lookups).map(Visit::Continue)
                    })?;
                    continue;
                }
                let statement = if all_count { &mut counting } else { &mut all };
                let _ended = show(connection, statement, (first, last), &mut |row| {
                    page.push(row, &mut lookups).map(Visit::Continue)
                })?;
            }
        }
        if alone { self.end() } else { Ok(()) }
    }

    /// Appends the rows of a stretch that carry a position.
    fn rows_at(&mut self, first: i64, last: i64, position: i64, page: &mut Page) -> Result<(), StoreError> {
        let (connection, mut lookups) = self.split();
        let mut statement = connection.prepare_cached(show_calls!(of_record)).map_err(failed)?;
        let ended = show(connection, &mut statement, (first, last, position), &mut |row| {
            page.push(row, &mut lookups).map(Visit::Continue)
        });
        ended.map(|_| ())
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

    /// One of so many parts of [`Reader::scan_stored`]: every so many windows. Each call is shown as it is read, while it is
    /// in the nearest cache, so a visitor holds the read of a window, for some milliseconds.
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
                let (connection, mut lookups) = self.split();
                let ended = each_row(connection, (from, to), &mut lookups, &mut |row, superseded, lookups| {
                    page.clear();
                    page.push_known(row, superseded, lookups)?;
                    let shown = page.last().filter(|call| call.call.period == period);
                    Ok(shown.map_or(Visit::Continue(()), |call| visit(&call)))
                })?;
                if ended.is_break() {
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

/// Reads a stretch without asking which of its rows count, nor what they cost where no call has that.
fn rows_that_count(costs: bool) -> &'static str {
    if costs { show_calls!(costs) } else { show_calls!(calls) }
}

/// Shows the rows of a stretch.
fn show(
    connection: &Showing,
    statement: &mut CachedStatement<'_>,
    stretch: impl Params,
    visit: &mut dyn FnMut(Shown<'_>) -> Result<Visit, StoreError>,
) -> Result<Visit, StoreError> {
    let mut outcome = Ok(Visit::Continue(()));
    let mut take = |row: Shown<'_>| {
        outcome = visit(row);
        if matches!(outcome, Ok(Visit::Continue(()))) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    // A row comes out only of a visit that ends it.
    connection
        .each(&mut take, || statement.query(stretch).and_then(|mut rows| rows.next().map(|_| ())))
        .map_err(failed)
        .and(outcome)
}

/// What is done with a row, and the flush from which on it no longer counts.
type Show<'s> = dyn FnMut(Shown<'_>, Option<u64>, &mut Lookups<'_>) -> Result<Visit, StoreError> + 's;

/// Shows the rows of a stretch, each with the flush from which on it no longer counts: asked for all of them at once.
fn each_row(
    connection: &Showing,
    stretch: (i64, i64),
    lookups: &mut Lookups<'_>,
    visit: &mut Show<'_>,
) -> Result<Visit, StoreError> {
    // Before the rows: what replaces one later lies behind the stretch, so the old one is right.
    let superseded: Vec<(i64, u64)> = {
        let sql = "SELECT row, flush FROM superseded WHERE row BETWEEN ?1 AND ?2 ORDER BY row";
        let mut statement = connection.prepare_cached(sql).map_err(failed)?;
        let rows = statement.query_map(stretch, |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)));
        rows.and_then(Iterator::collect).map_err(failed)?
    };
    let mut superseded = superseded.into_iter().peekable();
    // The stretch is stored, and with it what its calls cost.
    let costs = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM call_costs WHERE row BETWEEN ?1 AND ?2)")
        .and_then(|mut statement| statement.query_row(stretch, |row| row.get(0)))
        .map_err(failed)?;
    let mut statement = connection.prepare_cached(rows_that_count(costs)).map_err(failed)?;
    show(connection, &mut statement, stretch, &mut |row| {
        let number = row_of(row)?;
        while superseded.next_if(|(row, _)| *row < number).is_some() {}
        let flush = superseded.next_if(|(row, _)| *row == number).map(|(_, flush)| flush);
        visit(row, flush, lookups)
    })
}
