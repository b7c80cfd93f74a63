//! Numbers of accounts and billing groups by name, and groups in the order of their names.
//!
//! Does not know calls.

use std::collections::HashMap;

use crate::call::{AccountKey, GroupKey};
use crate::store::StoredState;

/// Accounts and billing groups by name.
pub struct Names<'a> {
    pub accounts: HashMap<&'a str, AccountKey>,
    pub groups: HashMap<&'a str, GroupKey>,
    /// Groups in the order of their names, and their places there.
    ordered: Vec<(&'a str, GroupKey)>,
    places: HashMap<&'a str, u32>,
}

impl<'a> Names<'a> {
    pub fn of(state: &'a StoredState) -> Names<'a> {
        let mut ordered: Vec<(&str, GroupKey)> = state.groups.iter().map(|g| (g.name.as_str(), g.key)).collect();
        ordered.sort_unstable();
        Names {
            accounts: state.accounts.iter().map(|a| (a.name.as_str(), a.key)).collect(),
            groups: ordered.iter().copied().collect(),
            places: ordered.iter().enumerate().map(|(at, (name, _))| (*name, at as u32)).collect(),
            ordered,
        }
    }

    /// The place of a group in the order of names; one that has no number is behind all, where its first leg ends the job.
    pub fn number(&self, name: &str) -> u32 {
        self.places.get(name).copied().unwrap_or(u32::MAX)
    }

    /// The group at a place: its name and its number in this folder.
    pub fn group(&self, number: u32) -> Option<(&'a str, GroupKey)> {
        self.ordered.get(number as usize).copied()
    }
}
