//! What sealed months handed on of their allowances (roll-over): as their manifests have it, and derived a second time.
//!
//! It shares no code with the job that seals but the rules: what was drawn is added up from the rows, what a month was handed
//! is read from the manifest before it, and minutes are taken one lot after the other from a queue.
//!
//! Does not know how calls are rated.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;

use super::AuditError;
use crate::call::{GroupKey, Meter};
use crate::images::Images;
use crate::period::Carried;
use crate::rating::{self, World};
use crate::store::{Store, StoreError, StoredState};
use crate::tariff::Allowance;
use crate::time::{Period, Timestamp};

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    carried: Vec<Carried>,
}

/// What the manifest of a month says; nothing where there is none.
pub(super) fn told(store: &dyn Store, month: Period) -> Result<Vec<Carried>, StoreError> {
    let manifest = store.manifest(month)?.unwrap_or_default();
    Ok(serde_json::from_slice::<Manifest>(&manifest).map_or_else(|_| Vec::new(), |manifest| manifest.carried))
}

/// The counters that follow from it.
pub(super) fn counters(
    store: &dyn Store,
    state: &StoredState,
    month: Period,
) -> Result<BTreeMap<(Period, GroupKey, Meter), i64>, StoreError> {
    let (mut counters, groups) = (BTreeMap::new(), groups(state));
    for carried in told(store, month)? {
        // A group that the store does not have is told as what it is.
        let group = groups.get(carried.group.as_str()).copied().unwrap_or(GroupKey(u32::MAX));
        for (of, meter, seconds) in carried.counters(month).into_iter().flatten() {
            *counters.entry((of, group, meter)).or_default() += seconds.cast_signed();
        }
    }
    Ok(counters)
}

fn groups(state: &StoredState) -> BTreeMap<&str, GroupKey> {
    state.groups.iter().map(|group| (group.name.as_str(), group.key)).collect()
}

/// What a sealed month must have handed on, by what its rows drew.
pub(super) fn derived(
    store: &dyn Store,
    images: &Images,
    month: Period,
    drawn: &BTreeMap<(GroupKey, Meter), u64>,
) -> Result<Vec<Carried>, AuditError> {
    let state = store.load()?;
    let closed = |month: Period| state.periods.iter().find(|row| row.period == month);
    let Some(seal) = closed(month).map(|row| row.seal) else { return Ok(Vec::new()) };
    if closed(Period(month.0 + 1)).is_some_and(|next| next.seal < seal) {
        return Ok(Vec::new());
    }
    let directory = state.directories.iter().rfind(|row| row.position < seal);
    let Some(directory) = directory else { return Ok(Vec::new()) };
    let directory = images.directory(&directory.digest)?;
    let before = closed(Period(month.0 - 1)).filter(|row| row.seal < seal);
    let handed = if before.is_some() { told(store, Period(month.0 - 1))? } else { Vec::new() };

    let known: Vec<_> = state.tariffs.iter().filter(|row| row.position < seal).collect();
    // By group and allowance: most seconds, then most months, then the highest bound.
    let mut most: BTreeMap<(String, String), (u64, u8, u64, Meter)> = BTreeMap::new();
    let mut tariffs = BTreeMap::new();
    for row in 0..directory.rows() {
        let named = directory.row(row);
        if named.is_only_named() {
            continue;
        }
        let last = Timestamp(month.bounds(named.zone).1.0 - 1);
        let Some(account) = directory.account_at(named.name().as_bytes(), last).filter(|at| at.row == row) else {
            continue;
        };
        if account.billing_start > last || account.billing_end.is_some_and(|end| end <= last) {
            continue;
        }
        let Some(in_force) =
            known.iter().rfind(|row| row.effective_from.is_none_or(|from| from <= last)).or(known.first())
        else {
            continue;
        };
        if !tariffs.contains_key(&in_force.digest) {
            tariffs.insert(in_force.digest.clone(), images.tariff(&in_force.digest)?);
        }
        let tariff = &tariffs[&in_force.digest];
        let Some(plan) = tariff.plan_named(account.plan).map(|id| tariff.plan(id)) else { continue };
        let world = World { directory: &directory, tariff, slot: crate::call::TariffSlot(0) };
        let own = plan.rollover.iter().map(|rollover| (None, rollover));
        let pools = plan.pools.iter().filter_map(|pool| Some((Some(pool), pool.rollover.as_ref()?)));
        for (pool, rollover) in own.chain(pools) {
            let Allowance::Seconds(seconds) = rating::allowance(world, plan, &account, month, pool) else { continue };
            let (name, meter) = pool.map_or((String::new(), Meter::PLAN), |pool| (pool.name.clone(), pool.meter));
            let this = (seconds, rollover.terms.months, rollover.terms.at_most.unwrap_or(u64::MAX), meter);
            let kept = most.entry((account.group().to_owned(), name)).or_insert(this);
            *kept = (*kept).max(this);
        }
    }
    let (mut carried, groups) = (Vec::new(), groups(&state));
    for ((group, allowance), (own, months, at_most, meter)) in most {
        let Some(key) = groups.get(group.as_str()).copied() else { continue };
        let mut queue: VecDeque<(Period, u64)> = handed
            .iter()
            .filter(|one| one.group == group && one.allowance == allowance)
            .filter_map(|one| Some((one.from.parse().ok()?, one.seconds)))
            .filter(|(from, _): &(Period, u64)| month.0 - from.0 <= i32::from(months))
            .collect();
        queue.make_contiguous().sort_unstable();
        queue.push_back((month, own));
        let mut drawn = drawn.get(&(key, meter)).copied().unwrap_or(0);
        while let Some((_, seconds)) = queue.front_mut().filter(|_| drawn > 0) {
            let taken = drawn.min(*seconds);
            (*seconds, drawn) = (*seconds - taken, drawn - taken);
            if *seconds == 0 {
                queue.pop_front();
            }
        }
        // What the next month is too late for stays; and the oldest beyond the bound.
        queue.retain(|(from, seconds)| month.0 + 1 - from.0 <= i32::from(months) && *seconds > 0);
        let mut beyond = queue.iter().map(|(_, seconds)| seconds).sum::<u64>().saturating_sub(at_most);
        for (from, seconds) in queue {
            let stays = beyond.min(seconds);
            beyond -= stays;
            if seconds > stays {
                let (group, allowance) = (group.clone(), allowance.clone());
                carried.push(Carried { group, allowance, from: from.to_string(), seconds: seconds - stays });
            }
        }
    }
    Ok(carried)
}
