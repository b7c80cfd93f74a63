//! The first look: which groups draw their allowances anew, what all others come to, and which rows change.
//!
//! Does not know what becomes of what changes.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

use super::job::{Job, Source};
use super::rater::{Again, Rater};
use super::report::{Seen, Sums};
use super::same::same_draws;
use crate::call::{Costs, GroupKey, RatedCall};
use crate::period::SealError;
use crate::rating;
use crate::store::StoredCall;
use crate::time::Period;

/// Rows of which it is told at a time how far a thread is: told of each, the threads would wait for each other.
pub(super) const TOLD: u64 = 1024;

/// The allowance of a group in a month.
pub(super) type Pool = (GroupKey, Period);

/// Groups that draw anew, so many that their legs fit into memory; one at least.
pub(super) fn slices(pools: &[(Pool, PoolSeen)], held: usize) -> Vec<HashSet<Pool>> {
    let mut keys: Vec<(Pool, u64)> =
        pools.iter().filter(|(_, pool)| pool.disturbed).map(|(key, pool)| (*key, pool.legs)).collect();
    keys.sort_unstable();
    let (mut slices, mut size) = (Vec::<HashSet<Pool>>::new(), 0);
    for (key, legs) in keys {
        if slices.is_empty() || size + legs > held as u64 {
            slices.push(HashSet::new());
            size = 0;
        }
        size += legs;
        if let Some(last) = slices.last_mut() {
            last.insert(key);
        }
    }
    slices
}

/// What was seen of a group's month.
#[derive(Default)]
pub(super) struct PoolSeen {
    pub legs: u64,
    /// A leg of the scope draws otherwise than it did.
    pub disturbed: bool,
    pub sums: Sums,
}

/// What was seen of every group's month.
#[derive(Default)]
pub(super) struct Pools {
    pub list: Vec<(Pool, PoolSeen)>,
    places: HashMap<Pool, usize, FixedState>,
    last: usize,
}

impl Pools {
    fn of(&mut self, key: Pool) -> &mut PoolSeen {
        // Rows come account by account: mostly it is the one before.
        if self.list.get(self.last).is_none_or(|(last, _)| *last != key) {
            let next = self.list.len();
            self.last = *self.places.entry(key).or_insert(next);
            if self.last == next {
                self.list.push((key, PoolSeen::default()));
            }
        }
        &mut self.list[self.last].1
    }

    fn merge(&mut self, other: Pools) {
        for (key, one) in other.list {
            let pool = self.of(key);
            pool.legs += one.legs;
            pool.disturbed |= one.disturbed;
            pool.sums.merge(&one.sums);
        }
    }
}

/// What the first look found.
#[derive(Default)]
pub(super) struct Looked {
    pub pools: Pools,
    /// Rows of the scope that do not stay as they are, unless their group draws anew; in order.
    pub changed: Vec<u64>,
    /// Legs of which nobody was told yet that they are rated.
    rated: u64,
}

impl Job<'_> {
    /// Which groups draw anew, what the legs of all others come to, and which rows change.
    pub(super) fn look(&self) -> Result<Looked, SealError> {
        let found = self.each(
            Source::Months,
            || Ok((self.rater()?, Looked::default())),
            |(rater, looked), stored| {
                let call = &stored.call;
                let pool = looked.pools.of((call.group, call.own_period()));
                pool.legs += 1;
                if !self.scope.holds(stored) {
                    return Ok(());
                }
                looked.rated += 1;
                if looked.rated == TOLD {
                    self.progress.rated(std::mem::take(&mut looked.rated));
                }
                let again = rater.again(stored, None)?;
                if see(&mut pool.sums, rater, stored, &again) {
                    looked.changed.push(stored.row);
                }
                pool.disturbed |= rater.in_succession(call);
                let draws = |call: &RatedCall| (call.group, demand(call));
                match again {
                    Again::Rated(new)
                        if rater.in_succession(&new)
                            || draws(&new) != draws(call)
                            || !same_draws(stored.draws, rater.drew()) =>
                    {
                        pool.disturbed = true;
                        if new.group != call.group {
                            looked.pools.of((new.group, new.own_period())).disturbed = true;
                        }
                    }
                    Again::Waits(_) | Again::Gone => {
                        rating::drawn(call, stored.draws, |_, seconds| pool.disturbed |= seconds > 0);
                    }
                    _ => {}
                }
                Ok(())
            },
        )?;
        let mut looked = Looked::default();
        for (_, one) in found {
            self.progress.rated(one.rated);
            looked.pools.merge(one.pools);
            looked.changed.extend(one.changed);
        }
        looked.changed.sort_unstable();
        let rater = if self.gains.is_empty() { None } else { Some(self.rater()?) };
        for (_, call, costs, drew) in &self.gains {
            let pool = looked.pools.of((call.group, call.own_period()));
            pool.legs += 1;
            let follows = rater.as_ref().is_some_and(|rater| rater.in_succession(call));
            pool.disturbed |= call.used_before.is_some() || !drew.is_empty() || follows;
            pool.sums.see(&gained(call, *costs));
        }
        Ok(looked)
    }
}

/// Seconds for which the plan's minutes are asked, and what an allowance gives.
fn demand(call: &RatedCall) -> (Option<u32>, u32) {
    (call.used_before.map(|_| call.billable_seconds), call.included_seconds)
}

/// Adds a leg of the scope to what the report says; whether its row does not stay as it is.
pub(super) fn see(sums: &mut Sums, rater: &Rater<'_>, stored: &StoredCall<'_>, again: &Again) -> bool {
    let old = (&stored.call, stored.costs);
    let changed = match again {
        Again::Rated(new) => !rater.same(stored, new),
        Again::Waits(_) | Again::Gone => true,
        Again::Moved | Again::NotKept => false,
    };
    let (new, waits) = match again {
        // A row that stays keeps what it says of costs.
        Again::Rated(new) => (Some((new, if changed { rater.costs() } else { stored.costs })), None),
        Again::Waits(reason) => (None, Some(*reason)),
        Again::Gone => (None, None),
        Again::Moved => {
            sums.moved += 1;
            (Some(old), None)
        }
        Again::NotKept => {
            sums.not_kept += 1;
            (Some(old), None)
        }
    };
    sums.see(&Seen { old: Some(old), new, waits, changed, follow_on: false });
    changed
}

/// A leg that waited and is rated.
pub(super) fn gained(call: &RatedCall, costs: Option<Costs>) -> Seen<'_> {
    Seen { old: None, new: Some((call, costs)), waits: None, changed: true, follow_on: false }
}
