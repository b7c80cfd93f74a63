//! Prices by how much was billed in the month (R25).
//!
//! Where the rules leave something open, this is the answer:
//!
//! - What counts is what is charged: seconds that no allowance covers, whatever they cost.
//! - Fee and caps of the row are due once, as ever; a discount is off the price per minute alone.
//! - The front of a call counts first: where prices change while it lasts, each part by where the month stands when it comes.
//! - A call that goes on with another (R28) counts what it adds. All of them are priced as if they had been charged without
//!   another between them, the last second where the month stands now: calls of others meanwhile stand before them.
//!
//! Does not know rows or allowances.

use super::kind::Kind;
use super::price::ONE;
use super::{Draw, DrawOf, Draws, Standing, pools};
use crate::money::{DiscountedSeconds, Money};
use crate::tariff::Plan;
use crate::tariff::tiers::{self, LevelPrice, WHOLE};
use crate::time::Period;

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
    /// Of this, seconds of calls that count as one with it (R28).
    before: u32,
}

impl Counts {
    /// Where the tier stood before the call.
    pub fn of_own<'t>(&self, plan: &'t Plan) -> Option<tiers::Standing<'t>> {
        Some(tiers::Standing { tier: plan.tiers.get(usize::from(self.place))?, at: self.used })
    }

    /// Where it would have stood before all that counts as one with it, had nobody else called since.
    pub fn of_all<'t>(&self, plan: &'t Plan) -> Option<tiers::Standing<'t>> {
        let own = self.of_own(plan)?;
        Some(tiers::Standing { at: own.at.saturating_sub(u64::from(self.before)), ..own })
    }
}

/// A tier, and what it had counted before a call, or before all that counts as one with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiered<'t> {
    counts: Counts,
    standing: tiers::Standing<'t>,
}

impl<'t> Tiered<'t> {
    /// Counts the charged seconds that a call adds to those of calls before it, and makes ready to price all of them.
    pub fn draw(
        plan: &'t Plan,
        place: u8,
        (added, charged): (u32, u32),
        month: Period,
        standing: Standing<'_>,
        draws: &mut Draws,
    ) -> Tiered<'t> {
        let tier = &plan.tiers[usize::from(place)];
        let used = standing.drawn.seconds(month, tier.meter);
        let draw = Draw { meter: tier.meter, of: DrawOf::Tier(place), seconds: added, used, left: None, carried: 0 };
        draws.push(&tier.name, draw);
        let before = charged.saturating_sub(added);
        let at = used.saturating_sub(u64::from(before));
        Tiered { counts: Counts { place, used, before }, standing: tiers::Standing { tier, at } }
    }

    /// What it counts.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Begins to add up.
    pub fn sum(self) -> TieredSum<'t> {
        TieredSum { standing: self.standing, seconds: DiscountedSeconds::default() }
    }
}

/// Seconds of a call, each at the price of the level in which it falls.
pub(super) struct TieredSum<'t> {
    standing: tiers::Standing<'t>,
    pub seconds: DiscountedSeconds,
}

impl TieredSum<'_> {
    /// The next seconds of the call, at a price in a currency of which one unit is worth `exchange`.
    pub fn add(&mut self, rate: Money, exchange: Money, seconds: u32) {
        let sum = &mut self.seconds;
        self.standing.count(seconds, |level, seconds| match level.map(|level| level.price) {
            None => sum.add(rate, exchange, WHOLE, seconds),
            Some(LevelPrice::Discount(part)) => sum.add(rate, exchange, WHOLE - part.min(WHOLE), seconds),
            Some(LevelPrice::Rate(own)) => sum.add(own, ONE, WHOLE, seconds),
        });
    }
}
