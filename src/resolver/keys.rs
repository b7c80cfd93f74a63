//! Stable numbers of the accounts and billing groups of the directory in force.
//!
//! Does not know whose call it was: it is told.

use std::sync::Arc;

use super::Resolver;
use crate::call::{AccountKey, GroupKey};
use crate::directory::{AccountRow, Directory};
use crate::guard::Rules;
use crate::names::{Hash, Names};
use crate::os::prefetch::prefetch_place;
use crate::rating::TOGETHER;
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

    /// Asks for what gives the accounts of some rows, and their groups, their numbers: of those met before a place in a list, of
    /// the others their names, which were seen in an earlier life of the program, or never.
    pub(super) fn expect_keys(&self, rows: &[Option<AccountRow<'_>>]) {
        for row in rows.iter().flatten() {
            prefetch_place(&self.account_keys, row.index().0 as usize);
            prefetch_place(&self.group_keys, row.group_index() as usize);
        }
        let new =
            |row: &&AccountRow<'_>| self.account_keys.get(row.index().0 as usize).is_some_and(|key| key.0 == UNKNOWN);
        if !rows.iter().flatten().any(|row| new(&row)) {
            return;
        }
        rows.iter().flatten().filter(new).for_each(AccountRow::expect_name);
        // An account is mostly a group by itself, under its own name.
        let mut hashes = [None; 2 * TOGETHER];
        for (hash, row) in hashes.iter_mut().zip(rows.iter().flatten().filter(new)) {
            *hash = Some(Hash::of(row.account().name()));
        }
        for step in [Names::expect, Names::expect_end, Names::expect_text] {
            for hash in hashes.into_iter().flatten() {
                step(&self.state.accounts, hash);
                step(&self.state.groups, hash);
            }
        }
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
