//! A statement and what stands in its parameters, so that what stays is not bound again.
//!
//! Half the columns of a call are what they were in the call before that stood in the same place: no group, no revision,
//! the same form of dialling. To bind one takes some 20 ns (a fifth of a flush for all 21).
//!
//! Does not know what is bound.

use rusqlite::{CachedStatement, Statement};

use super::cell::Cell;
use super::failed;
use crate::store::StoreError;

/// What stands in a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Null,
    Int(i64),
    /// Text or a blob: it is bound anew each time.
    Bytes,
}

/// A statement taken out of the connection's cache, where all its parameters are none.
pub(super) struct Binder<'a> {
    statement: CachedStatement<'a>,
    bound: Vec<Bound>,
}

impl<'a> Binder<'a> {
    pub fn new(mut statement: CachedStatement<'a>) -> Binder<'a> {
        statement.clear_bindings();
        let bound = vec![Bound::Null; Statement::parameter_count(&statement)];
        Binder { statement, bound }
    }

    /// Binds cells to the parameters from `at` on, counted from 0.
    #[inline]
    pub fn put(&mut self, at: usize, cells: &[Cell<'_>]) -> Result<(), StoreError> {
        let places = self.bound.get_mut(at..).unwrap_or_default();
        for (i, (cell, bound)) in cells.iter().zip(places).enumerate() {
            let new = match cell {
                Cell::Null => Bound::Null,
                Cell::Int(value) => Bound::Int(*value),
                Cell::Text(_) | Cell::Blob(_) => Bound::Bytes,
            };
            if new != *bound || new == Bound::Bytes {
                *bound = new;
                self.statement.raw_bind_parameter(at + i + 1, cell).map_err(failed)?;
            }
        }
        Ok(())
    }

    #[inline]
    pub fn execute(&mut self) -> Result<(), StoreError> {
        self.statement.raw_execute().map_err(failed).map(|_| ())
    }
}
