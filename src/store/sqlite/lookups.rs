//! The small tables that rows of calls point to, looked up once and remembered.
//!
//! Does not know which rows are read.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::cell::{DialForm, Digits, bytes_of};
use super::costs::CostBasis;
use super::memory::{
    FORMS_MAX, GROUNDS_COLUMNS, NODES_MAX, RATING_COLUMNS, RATING_WIDTH, Rating, TEXT_COLUMNS, forms, grounds_of,
    nodes, rating_of, text_of,
};
use super::{damaged, failed};
use crate::store::{BasisText, Grounds, StoreError};

/// Ratings a connection remembers; beyond, it forgets all and looks them up again.
const RATINGS_MAX: usize = 100_000;

/// Accounts whose group a connection remembers: some megabytes.
const GROUPS_MAX: usize = 200_000;

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
    /// By their numbers, which are given from 1 on.
    nodes: Vec<Option<Box<[u8]>>>,
    forms: Vec<Option<DialForm>>,
    /// Accounts' usual groups; once there, they stay.
    groups: Map<u32, u32>,
    /// The latest account asked for and its group: calls come account by account.
    group: Option<(u32, u32)>,
}

/// Looks things up for a row.
pub struct Lookups<'a> {
    pub connection: &'a Connection,
    pub cache: &'a mut Cache,
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
        let group = match self.cache.groups.get(&account) {
            Some(group) => *group,
            None => {
                let group = self
                    .connection
                    .prepare_cached("SELECT billing_group FROM accounts WHERE key = ?1")
                    .and_then(|mut statement| statement.query_row([account], |row| row.get::<_, u32>(0)))
                    .map_err(|_| damaged("a call names an account without a group"))?;
                if self.cache.groups.len() >= GROUPS_MAX {
                    self.cache.groups.clear();
                }
                self.cache.groups.insert(account, group);
                group
            }
        };
        self.cache.group = Some((account, group));
        Ok(group)
    }

    /// Appends a dialled number.
    #[inline]
    pub fn dialled(&mut self, value: ValueRef<'_>, digits: &Digits, out: &mut Vec<u8>) -> Result<(), StoreError> {
        match value {
            ValueRef::Null => {}
            ValueRef::Integer(id) => {
                if numbered(&self.cache.forms, id).is_none() {
                    self.cache.forms = by_number(forms(self.connection)?, FORMS_MAX);
                }
                numbered(&self.cache.forms, id).ok_or_else(|| damaged("a dialling form"))?.write(digits, out);
            }
            other => out.extend_from_slice(bytes_of(other).ok_or_else(|| damaged("a dialled number"))?),
        }
        Ok(())
    }

    /// Appends a node's name.
    #[inline]
    pub fn node(&mut self, id: i64, out: &mut Vec<u8>) -> Result<(), StoreError> {
        if numbered(&self.cache.nodes, id).is_none() {
            self.cache.nodes = by_number(nodes(self.connection)?, NODES_MAX);
        }
        out.extend_from_slice(numbered(&self.cache.nodes, id).ok_or_else(|| damaged("a node"))?);
        Ok(())
    }
}

#[inline]
fn numbered<T>(table: &[Option<T>], id: i64) -> Option<&T> {
    table.get(usize::try_from(id).ok()?)?.as_ref()
}

/// What has a number, at its place; what the writer never gives is not known.
fn by_number<T>(rows: Vec<(u32, T)>, most: usize) -> Vec<Option<T>> {
    let mut table = Vec::new();
    for (id, value) in rows.into_iter().filter(|(id, _)| *id as usize <= most) {
        let place = id as usize;
        if table.len() <= place {
            table.resize_with(place + 1, || None);
        }
        table[place] = Some(value);
    }
    table
}
