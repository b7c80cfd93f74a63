//! Rows that SQLite shows while it goes through them: their columns come as the arguments of an SQL function.
//!
//! Asked for behind each step, a column is fetched through a lock, checks, and a way in and out, some 160 instructions; as an
//! argument it lies there, and takes 25. A statement calls the function in its condition, where it says whether to stop:
//!
//! ```text
//! SELECT 1 FROM t WHERE id BETWEEN ?1 AND ?2 AND shown(id, a, b) ORDER BY id
//! ```
//!
//! Does not know statements, nor what is in a row.
#![allow(unsafe_code)]

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::ops::{ControlFlow, Deref};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::slice::from_raw_parts;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ffi};

/// A connection whose statements may call `shown`.
pub struct Showing {
    connection: Connection,
    /// To whom rows are shown; the function has it, too.
    visitor: Arc<Current>,
}

/// Null while nobody waits for rows.
type Current = AtomicPtr<Visitor<'static>>;

struct Visitor<'v> {
    take: &'v mut dyn FnMut(Shown<'_>) -> ControlFlow<()>,
    panic: Option<Box<dyn Any + Send>>,
}

/// A row while it is shown.
#[derive(Clone, Copy)]
pub struct Shown<'r> {
    values: &'r [*mut ffi::sqlite3_value],
}

impl<'r> Shown<'r> {
    /// A column of whole numbers: most are such. None: it is null, or there are fewer columns.
    ///
    /// # Errors
    /// It is something else.
    #[inline(always)]
    pub fn whole(self, column: usize) -> Result<Option<i64>, NotWhole> {
        let Some(value) = self.values.get(column).copied() else { return Ok(None) };
        // SAFETY: as in `get`.
        unsafe {
            match ffi::sqlite3_value_type(value) {
                ffi::SQLITE_INTEGER => Ok(Some(ffi::sqlite3_value_int64(value))),
                ffi::SQLITE_NULL => Ok(None),
                _ => Err(NotWhole),
            }
        }
    }

    /// A column; null if there are fewer.
    #[inline(always)]
    pub fn get(self, column: usize) -> ValueRef<'r> {
        let Some(value) = self.values.get(column).copied() else { return ValueRef::Null };
        // SAFETY: SQLite gave the value to the function that is being called, which nobody leaves before `'r` ends. Nothing
        // asked here changes it: text is asked for as it is stored, in UTF-8.
        unsafe {
            match ffi::sqlite3_value_type(value) {
                ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_value_int64(value)),
                ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_value_double(value)),
                ffi::SQLITE_TEXT => ValueRef::Text(bytes(ffi::sqlite3_value_text(value), value)),
                ffi::SQLITE_BLOB => ValueRef::Blob(bytes(ffi::sqlite3_value_blob(value).cast(), value)),
                _ => ValueRef::Null,
            }
        }
    }
}

/// A column has something else than a whole number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotWhole;

/// Text or bytes of a value. An empty one may lie nowhere.
///
/// # Safety
/// `start` is what SQLite just said where they begin, and the value is not changed while they are used.
#[inline(always)]
unsafe fn bytes<'r>(start: *const u8, value: *mut ffi::sqlite3_value) -> &'r [u8] {
    // SAFETY: the length that is asked for behind the beginning belongs to it.
    unsafe {
        let length = usize::try_from(ffi::sqlite3_value_bytes(value)).unwrap_or(0);
        if start.is_null() { &[] } else { from_raw_parts(start, length) }
    }
}

impl Showing {
    /// Gives a connection the function `shown`.
    ///
    /// # Errors
    /// SQLite has no memory for it.
    pub fn new(connection: Connection) -> rusqlite::Result<Showing> {
        let visitor = Arc::new(Current::new(null_mut()));
        let of_function = Arc::into_raw(visitor.clone()).cast::<c_void>().cast_mut();
        // SAFETY: the handle is that of an open connection. The function's pointer is an `Arc` of its own, which SQLite gives to
        // `release` once, when the connection ends or this call fails.
        let code = unsafe {
            ffi::sqlite3_create_function_v2(
                connection.handle(),
                c"shown".as_ptr(),
                -1,
                ffi::SQLITE_UTF8 | ffi::SQLITE_DIRECTONLY,
                of_function,
                Some(show),
                None,
                None,
                Some(release),
            )
        };
        match code {
            ffi::SQLITE_OK => Ok(Showing { connection, visitor }),
            code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
        }
    }

    /// Shows every row to which `go` leads statements of this connection, until the visitor breaks it off.
    pub fn each<T>(&self, take: &mut dyn FnMut(Shown<'_>) -> ControlFlow<()>, go: impl FnOnce() -> T) -> T {
        let mut visitor = Visitor { take, panic: None };
        let here: *mut Visitor<'_> = &raw mut visitor;
        let outcome = {
            // A visitor may itself go through rows of this connection.
            let before = self.visitor.swap(here.cast(), Ordering::Relaxed);
            let _back = Back(&self.visitor, before);
            go()
        };
        if let Some(panic) = visitor.panic {
            resume_unwind(panic);
        }
        outcome
    }
}

impl Deref for Showing {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// Puts back who waited before, also where `go` panics.
struct Back<'c>(&'c Current, *mut Visitor<'static>);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        self.0.store(self.1, Ordering::Relaxed);
    }
}

/// The function: 1 to stop.
unsafe extern "C" fn show(context: *mut ffi::sqlite3_context, count: c_int, values: *mut *mut ffi::sqlite3_value) {
    // SAFETY: SQLite calls this with the pointer that it was given in `Showing::new`, and with so many values that live as long as
    // the call. Whoever stands there waits in `Showing::each` on this same thread: a connection is used by one thread at a
    // time, and `each` borrows it. Meanwhile nobody else touches the visitor.
    unsafe {
        let current = &*ffi::sqlite3_user_data(context).cast::<Current>();
        let visitor = current.load(Ordering::Relaxed).cast::<Visitor<'_>>();
        if visitor.is_null() {
            let why = c"nobody waits for rows";
            return ffi::sqlite3_result_error(context, why.as_ptr(), -1);
        }
        let Visitor { take, panic } = &mut *visitor;
        let values = if count > 0 { from_raw_parts(values, count as usize) } else { &[] };
        let flow = catch_unwind(AssertUnwindSafe(|| take(Shown { values })));
        let stops = match flow {
            Ok(flow) => flow.is_break(),
            Err(caught) => {
                *panic = Some(caught);
                true
            }
        };
        ffi::sqlite3_result_int(context, c_int::from(stops));
    }
}

unsafe extern "C" fn release(visitor: *mut c_void) {
    // SAFETY: it is what `Showing::new` made of an `Arc`, and SQLite gives it back once.
    drop(unsafe { Arc::from_raw(visitor.cast::<Current>().cast_const()) });
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "SELECT 1 FROM t WHERE a BETWEEN ?1 AND ?2 AND shown(a, b) ORDER BY a";

    fn showing() -> Showing {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t (a INTEGER PRIMARY KEY, b);
                 INSERT INTO t VALUES (1, NULL), (2, -5), (3, 0.5), (4, 'text'), (5, ''), (6, x'00ff'), (7, x'');",
            )
            .unwrap();
        Showing::new(connection).unwrap()
    }

    /// Numbers of the rows that are shown until one is reached, and whether the statement stopped there.
    fn until(showing: &Showing, last: i64, within: &mut dyn FnMut(&Showing)) -> (Vec<i64>, bool) {
        let mut seen = Vec::new();
        let mut statement = showing.prepare_cached(SQL).unwrap();
        let stopped = showing.each(
            &mut |row| {
                within(showing);
                let ValueRef::Integer(a) = row.get(0) else { panic!("a number") };
                seen.push(a);
                if a == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
            || statement.query((1, 7)).unwrap().next().unwrap().is_some(),
        );
        (seen, stopped)
    }

    #[test]
    fn every_type_is_shown_as_it_is_stored() {
        let showing = showing();
        let mut seen = Vec::new();
        let mut statement = showing.prepare(SQL).unwrap();
        let stopped = showing.each(
            &mut |row| {
                let whole = match row.get(1) {
                    ValueRef::Integer(number) => Ok(Some(number)),
                    ValueRef::Null => Ok(None),
                    _ => Err(NotWhole),
                };
                assert_eq!((row.whole(1), row.whole(2)), (whole, Ok(None)));
                seen.push(format!("{:?} {:?}", row.get(1), row.get(2)));
                ControlFlow::Continue(())
            },
            || statement.query((1, 7)).unwrap().next().unwrap().is_some(),
        );
        let expected = [
            "Null Null",
            "Integer(-5) Null",
            "Real(0.5) Null",
            "Text([116, 101, 120, 116]) Null",
            "Text([]) Null",
            "Blob([0, 255]) Null",
            "Blob([]) Null",
        ];
        assert_eq!((seen, stopped), (expected.map(str::to_owned).to_vec(), false));
    }

    #[test]
    fn a_visitor_stops_where_it_likes_and_may_go_through_rows_itself() {
        let showing = showing();
        assert_eq!(until(&showing, 3, &mut |_| {}), (vec![1, 2, 3], true));
        let mut inner = Vec::new();
        let outer = until(&showing, 2, &mut |showing| inner.push(until(showing, 4, &mut |_| {}).0));
        assert_eq!((outer, inner), ((vec![1, 2], true), vec![vec![1, 2, 3, 4]; 2]));
    }

    #[test]
    fn without_a_visitor_the_function_is_an_error_and_a_panic_comes_back() {
        let showing = showing();
        assert!(showing.query_row(SQL, (1, 2), |_| Ok(())).unwrap_err().to_string().contains("nobody waits"));
        let panics = catch_unwind(AssertUnwindSafe(|| until(&showing, 3, &mut |_| panic!("of the visitor"))));
        assert_eq!(panics.unwrap_err().downcast_ref::<&str>(), Some(&"of the visitor"));
        assert!(showing.query_row(SQL, (1, 2), |_| Ok(())).is_err());
        assert_eq!(until(&showing, 2, &mut |_| {}), (vec![1, 2], true));
    }
}
