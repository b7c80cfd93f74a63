//! What a sealed month hands on of its allowances to the next (roll-over), and what a month was handed.
//!
//! ```text
//! October is sealed ──▶ manifest: "carried"                 what each group's allowances had left
//!                  ──▶ outcome: counters of November        a lot for each month that its seconds are from
//!                               counter of October          all that it has handed on: nobody gets it a second time
//! ```
//! Only what is sealed carries over: before that nobody knows what is left. Until then the open month rates without it, and
//! its own seal rates all of it again, so the order in which calls and seals come changes nothing. What was handed on stays
//! handed on: a late call of a sealed month, or one that is rated again, draws what the month has left beside it.
//!
//! Of a group whose accounts have different plans the plan counts that gives most. Account, plan and group are those of the
//! month's last instant. A month that is sealed behind the next one hands on nothing.
//!
//! Does not know calls, nor how the counters are kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::drawn::Counted;
use super::known::Known;
use super::progress::SealError;
use crate::batch::Position;
use crate::call::{GroupKey, Meter};
use crate::rating::{self, World};
use crate::store::StoredState;
use crate::tariff::rollover::{Lots, ROLLOVER_MONTHS_MAX, Rollover};
use crate::tariff::{Allowance, Tariff};
use crate::time::{Period, Timestamp};

/// What one allowance of a group hands on, as the manifest has it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Carried {
    /// The billing group.
    pub group: String,
    /// Its name in `plans.toml`; empty: the plan's minutes.
    pub allowance: String,
    /// The month whose seconds they are.
    pub from: String,
    /// How many.
    pub seconds: u64,
}

impl Carried {
    /// Adds it to a digest.
    pub fn add_to(&self, hasher: &mut blake3::Hasher) {
        let seconds = self.seconds.to_le_bytes();
        for part in
            [b"carried".as_slice(), self.group.as_bytes(), self.allowance.as_bytes(), self.from.as_bytes(), &seconds]
        {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }

    /// The counters that it changes once the month that hands it on is sealed: month, counter, seconds.
    pub fn counters(&self, month: Period) -> Option<[(Period, Meter, u64); 2]> {
        let from: Period = self.from.parse().ok()?;
        let terms = crate::tariff::rollover::RolloverTerms { months: ROLLOVER_MONTHS_MAX as u8, at_most: None };
        let rollover = Rollover::new(&self.allowance, terms);
        let next = Period(month.0 + 1);
        let age = usize::try_from(next.0 - from.0).ok()?.checked_sub(1)?;
        Some([(next, *rollover.lots().get(age)?, self.seconds), (month, rollover.handed_on, self.seconds)])
    }
}

/// Counters of roll-over in the months of a run: few tariffs have any.
#[derive(Default)]
pub struct Handed(HashMap<(GroupKey, Period), Vec<(Meter, u64)>>);

impl Handed {
    /// Those that the store has of some months. `on`: with what these months have handed on themselves.
    pub fn of<'t>(
        state: &StoredState,
        tariffs: impl Iterator<Item = &'t Tariff>,
        months: (Period, Period),
        on: bool,
    ) -> Handed {
        let mut meters = BTreeSet::new();
        for plan in tariffs.flat_map(Tariff::plans) {
            for rollover in plan.rollover.iter().chain(plan.pools.iter().filter_map(|pool| pool.rollover.as_ref())) {
                meters.extend(rollover.lots());
                meters.extend(on.then_some(rollover.handed_on));
            }
        }
        let mut handed = Handed::default();
        if meters.is_empty() {
            return handed;
        }
        for line in &state.allowances {
            if months.0 <= line.period && line.period <= months.1 && meters.contains(&line.meter) {
                handed.0.entry((line.group, line.period)).or_default().push((line.meter, line.used_seconds));
            }
        }
        handed
    }

    /// Of a group's month.
    pub fn get(&self, group: GroupKey, month: Period) -> &[(Meter, u64)] {
        self.0.get(&(group, month)).map_or(&[][..], Vec::as_slice)
    }
}

/// What roll-over has to do with the sealing of a month.
pub struct RollOver {
    /// What the month was handed.
    pub handed: Handed,
    /// Whether it may hand anything on.
    pub hands_on: bool,
}

impl RollOver {
    /// At the place of a month's seal.
    ///
    /// # Errors
    /// A month that was closed before it is not sealed yet: what that hands on is not known.
    pub fn of(
        known: &Known<'_>,
        state: &StoredState,
        (period, seal): (Period, Position),
    ) -> Result<RollOver, SealError> {
        let any = known.tariffs().any(rolls_over);
        let closed = || state.periods.iter().filter(|row| row.seal < seal);
        if any && closed().any(|row| row.period < period && row.sealed.is_none()) {
            return Err(SealError::Behind(seal));
        }
        Ok(RollOver {
            handed: Handed::of(state, known.tariffs(), (period, period), false),
            hands_on: any && closed().all(|row| row.period.0 != period.0 + 1),
        })
    }
}

/// What a month hands on.
pub struct Hands {
    /// As the manifest has it, in order.
    pub carried: Vec<Carried>,
    /// Differences of counters.
    pub drawn: Vec<(GroupKey, Period, Meter, i64)>,
}

/// Whether anything rolls over by a tariff.
pub fn rolls_over(tariff: &Tariff) -> bool {
    tariff.plans().iter().any(|plan| plan.rollover.is_some() || plan.pools.iter().any(|pool| pool.rollover.is_some()))
}

/// What a month hands on: `drawn` is what its groups drew in canonical order, `handed` what it was handed itself.
pub fn hands(
    known: &Known<'_>,
    period: Period,
    groups: &HashMap<&str, GroupKey>,
    drawn: &BTreeMap<String, Counted>,
    handed: &Handed,
) -> Hands {
    let mut found: BTreeMap<(&str, String), (u64, Rollover, Meter)> = BTreeMap::new();
    let directory = known.directory.clone();
    for row in 0..directory.rows() {
        let account = directory.row(row);
        let last = Timestamp(period.bounds(account.zone).1.0 - 1);
        // In a directory that was changed, what a lower image says of the account may have been said anew.
        let there = directory.row_at(account.name().as_bytes(), last).is_some_and(|at| at.row() == row);
        let billed = account.billing_start <= last && account.billing_end.is_none_or(|end| end > last);
        if account.is_only_named() || !billed || !there {
            continue;
        }
        let (slot, tariff) = known.in_force(last);
        let Some(plan) = tariff.plan_named(account.plan).map(|id| tariff.plan(id)) else { continue };
        let world = World { directory: &directory, tariff, slot };
        let pools = plan.pools.iter().map(|pool| (pool.name.as_str(), pool.meter, &pool.rollover, Some(pool)));
        for (name, meter, rollover, pool) in [("", Meter::PLAN, &plan.rollover, None)].into_iter().chain(pools) {
            let Some(rollover) = rollover else { continue };
            let Allowance::Seconds(own) = rating::allowance(world, plan, &account, period, pool) else { continue };
            let most = |own: u64, rollover: &Rollover| {
                (own, rollover.terms.months, rollover.terms.at_most.unwrap_or(u64::MAX))
            };
            let place = (account.group(), name.to_owned());
            let other = found.get(&place).map(|(own, rollover, _)| most(*own, rollover));
            if other.is_none_or(|other| most(own, rollover) > other) {
                found.insert(place, (own, rollover.clone(), meter));
            }
        }
    }
    let mut hands = Hands { carried: Vec::new(), drawn: Vec::new() };
    let nothing = Counted::default();
    for ((group, allowance), (own, rollover, meter)) in found {
        let Some(key) = groups.get(group).copied() else { continue };
        let counters = handed.get(key, period);
        let of = |meter: Meter| counters.iter().find(|(of, _)| *of == meter).map_or(0, |(_, seconds)| *seconds);
        let mut lots: Lots = [0; ROLLOVER_MONTHS_MAX];
        lots.iter_mut().zip(rollover.lots()).for_each(|(lot, meter)| *lot = of(*meter));
        let next = rollover.next(&lots, own, drawn.get(group).unwrap_or(&nothing).counted(meter));
        // The oldest first, as they are drawn.
        for (age, seconds) in next.into_iter().enumerate().rev().filter(|(_, seconds)| *seconds > 0) {
            let from = Period(period.0 - age as i32).to_string();
            let one = Carried { group: group.to_owned(), allowance: allowance.clone(), from, seconds };
            let counters = one.counters(period).into_iter().flatten();
            hands.drawn.extend(counters.map(|(month, meter, seconds)| (key, month, meter, seconds.cast_signed())));
            hands.carried.push(one);
        }
    }
    hands
}
