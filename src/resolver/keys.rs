//! Stable numbers of the accounts and billing groups of the directory in force.
//!
//! Does not know whose call it was: it is told.

use std::sync::Arc;

use super::Resolver;
use crate::call::{AccountKey, GroupKey};
use crate::directory::{AccountRow, Directory};
use crate::guard::Rules;
use crate::shard::ToShard;

/// No number is known yet: there are never so many.
const UNKNOWN: u32 = u32::MAX;

impl Resolver {
    pub(super) fn use_directory(&mut self, slot: u32, directory: Arc<Directory>) {
        // Few are changed at a time: what both directories have below keeps its numbers.
        let shared = self.state.directory.as_ref().map_or((0, 0), |before| directory.shared_with(before));
        self.account_keys.truncate(shared.0 as usize);
        self.account_keys.resize(directory.account_index_count() as usize, AccountKey(UNKNOWN));
        self.group_keys.truncate(shared.1 as usize);
        self.group_keys.resize(directory.groups() as usize, GroupKey(UNKNOWN));
        self.to_all(|| ToShard::Directory(slot, directory.clone()));
        self.state.directory = Some(directory);
    }

    pub(super) fn use_guards(&mut self, rules: Arc<Rules>) {
        self.to_all(|| ToShard::Guards(rules.clone()));
        self.state.guards = rules;
    }

    pub(super) fn account_key(&mut self, account: AccountRow<'_>) -> AccountKey {
        let index = account.index().0 as usize;
        if let Some(key) = self.account_keys.get(index).filter(|key| key.0 != UNKNOWN) {
            return *key;
        }
        let (key, new) = self.state.accounts.key(account.account().name());
        let key = AccountKey(key);
        if new {
            self.tally.gathered.accounts.push((key, account.account().name().to_owned()));
        }
        if let Some(place) = self.account_keys.get_mut(index) {
            *place = key;
        }
        key
    }

    pub(super) fn group_key(&mut self, account: AccountRow<'_>) -> GroupKey {
        let index = account.group_index() as usize;
        if let Some(key) = self.group_keys.get(index).filter(|key| key.0 != UNKNOWN) {
            return *key;
        }
        let (key, new) = self.state.groups.key(account.account().group());
        let key = GroupKey(key);
        if new {
            self.tally.gathered.groups.push((key, account.account().group().to_owned()));
        }
        if let Some(place) = self.group_keys.get_mut(index) {
            *place = key;
        }
        key
    }
}
