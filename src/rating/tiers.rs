//! Prices by how much was billed in the month (R25).
//!
//! Where the rules leave something open, this is the answer:
//!
//! - What counts is what is charged: seconds that no allowance covers, whatever they cost.
//! - Fee and caps of the row are due once, as ever; a discount is off the price per minute alone.
//! - The front of a call counts first: where prices change while it lasts, each part by where the month stands when it comes.
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

/// A tier, and what it had counted before a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiered<'t> {
    place: u8,
    standing: tiers::Standing<'t>,
}

impl<'t> Tiered<'t> {
    /// Counts a call's charged seconds.
    pub fn draw(
        plan: &'t Plan,
        place: u8,
        seconds: u32,
        month: Period,
        standing: Standing<'_>,
        draws: &mut Draws,
    ) -> Tiered<'t> {
        let tier = &plan.tiers[usize::from(place)];
        let used = standing.drawn.seconds(month, tier.meter);
        let draw = Draw { meter: tier.meter, of: DrawOf::Tier(place), seconds, used, left: None, carried: 0 };
        draws.push(&tier.name, draw);
        Tiered { place, standing: tiers::Standing { tier, at: used } }
    }

    /// Its place in the plan, and what it had counted.
    pub fn place(&self) -> (u8, u64) {
        (self.place, self.standing.at)
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
