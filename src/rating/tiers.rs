//! Prices by how much was billed in the month (R25).
//!
//! Where the rules leave something open, this is the answer:
//!
//! - What counts is what is charged: seconds that no allowance covers, whatever they cost.
//! - Fee and caps of the row are due once, as ever; a discount is off the price per minute alone.
//! - The front of a call counts first: where prices change while it lasts, each part by where the month stands when it comes.
//! - A call that goes on with another (R28) counts what it adds, where the month stands now. Seconds of those before it keep the
//!   level in which they were counted, whoever called meanwhile; all of them are one call, with one fee, rounded once.
//!
//! Does not know rows or allowances.

use super::kind::Kind;
use super::price::ONE;
use super::{Draw, DrawOf, Draws, Standing, pools};
use crate::call::{Before, LEVELS, TierCounted};
use crate::money::{DiscountedSeconds, Money};
use crate::tariff::Plan;
use crate::tariff::tiers::{self, LEVELS_MAX, Level, LevelPrice, Tier, WHOLE};
use crate::time::Period;

const _: () = assert!(LEVELS == LEVELS_MAX + 1);

/// The plan's tier that counts a call.
pub(super) fn of_call(plan: &Plan, kind: &Kind<'_>) -> Option<u8> {
    if plan.tiers.is_empty() {
        return None;
    }
    tiers::of_call(&plan.tiers, &pools::call_of(kind)?)
}

/// What a tier counts of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    /// The tier, by its place in the plan.
    pub place: u8,
    /// Counted before the call.
    pub used: u64,
    /// Charged seconds that the call adds.
    added: u32,
}

impl Counts {
    /// Where the tier stood before the call.
    pub fn of_own<'t>(&self, plan: &'t Plan) -> Option<tiers::Standing<'t>> {
        Some(tiers::Standing { tier: plan.tiers.get(usize::from(self.place))?, at: self.used })
    }

    /// The levels of all that counts as one with it, from its first charged second on.
    pub fn of_all<'t>(&self, plan: &'t Plan, before: &Before) -> Option<Levels<'t>> {
        Some(Levels::of(self.of_own(plan)?, before))
    }
}

/// What a tier has counted of a call and of those before it that count as one with it, for the next one; none: no tier
/// counts such a call.
pub(super) fn counted(plan: &Plan, kind: &Kind<'_>, counts: Option<Counts>, before: &Before) -> Option<TierCounted> {
    let mut all = before.tier.unwrap_or(TierCounted { tier: of_call(plan, kind)?, seconds: [0; LEVELS] });
    if let Some(counts) = counts
        && let Some(mut own) = counts.of_own(plan)
    {
        let levels = &own.tier.levels;
        own.count(counts.added, |level, seconds| {
            let reached = level.map_or(0, |level| levels.partition_point(|other| other.after <= level.after));
            all.seconds[reached.min(LEVELS - 1)] += seconds;
        });
    }
    Some(all)
}

/// The levels into which the charged seconds of a call fall, front to back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels<'t> {
    /// Of calls before it that count as one with it: seconds that are still to come, by level.
    before: [u32; LEVELS],
    /// Behind them.
    own: tiers::Standing<'t>,
}

impl<'t> Levels<'t> {
    fn of(own: tiers::Standing<'t>, before: &Before) -> Levels<'t> {
        Levels { before: before.tier.map_or([0; LEVELS], |tier| tier.seconds), own }
    }

    /// Shows each stretch of the next seconds with its level; none: below the first.
    pub fn count(&mut self, mut seconds: u32, mut show: impl FnMut(Option<&'t Level>, u32)) {
        let Tier { levels, .. } = self.own.tier;
        for (reached, left) in self.before.iter_mut().enumerate() {
            let here = seconds.min(*left);
            if here > 0 {
                show(reached.checked_sub(1).and_then(|i| levels.get(i)), here);
            }
            *left -= here;
            seconds -= here;
        }
        self.own.count(seconds, show);
    }
}

/// A tier, and what it had counted before a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiered<'t> {
    counts: Counts,
    levels: Levels<'t>,
}

impl<'t> Tiered<'t> {
    /// Counts the charged seconds that a call adds to those of calls before it, and makes ready to price all of them.
    pub fn draw(
        plan: &'t Plan,
        place: u8,
        (added, before): (u32, &Before),
        month: Period,
        standing: Standing<'_>,
        draws: &mut Draws,
    ) -> Tiered<'t> {
        let tier = &plan.tiers[usize::from(place)];
        let used = standing.drawn.seconds(month, tier.meter);
        let draw = Draw { meter: tier.meter, of: DrawOf::Tier(place), seconds: added, used, left: None, carried: 0 };
        draws.push(&tier.name, draw);
        let levels = Levels::of(tiers::Standing { tier, at: used }, before);
        Tiered { counts: Counts { place, used, added }, levels }
    }

    /// What it counts.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Begins to add up.
    pub fn sum(self) -> TieredSum<'t> {
        TieredSum { levels: self.levels, seconds: DiscountedSeconds::default() }
    }
}

/// Seconds of a call, each at the price of the level in which it falls.
pub(super) struct TieredSum<'t> {
    levels: Levels<'t>,
    pub seconds: DiscountedSeconds,
}

impl TieredSum<'_> {
    /// The next seconds of the call, at a price in a currency of which one unit is worth `exchange`.
    pub fn add(&mut self, rate: Money, exchange: Money, seconds: u32) {
        let sum = &mut self.seconds;
        self.levels.count(seconds, |level, seconds| match level.map(|level| level.price) {
            None => sum.add(rate, exchange, WHOLE, seconds),
            Some(LevelPrice::Discount(part)) => sum.add(rate, exchange, WHOLE - part.min(WHOLE), seconds),
            Some(LevelPrice::Rate(own)) => sum.add(own, ONE, WHOLE, seconds),
        });
    }
}
