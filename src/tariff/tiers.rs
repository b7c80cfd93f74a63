//! Prices that depend on how much was billed in the month: volume tiers.
//!
//! A tier counts the seconds that are charged of the calls it means: what allowances cover does not count. As long as its
//! counter stands below the first level, calls cost what they cost; from a level on its price holds, for the seconds behind
//! it and only for those. A call that straddles a level is split there, to the second, and rounded once.
//!
//! Of the tiers that mean a call the one that means it most closely counts it, and no other, as with allowances
//! ([`crate::tariff::pools`]).
//!
//! Does not know who counts.

use serde::{Deserialize, Serialize};

use super::pools::{PoolCall, PoolOf, opened, stored};
use crate::call::Meter;
use crate::money::Money;

/// Most tiers a plan may have: a call looks through all of them.
pub const TIERS_MAX: usize = 8;
/// Most levels of a tier.
pub const LEVELS_MAX: usize = 16;
/// What a tier's name begins with wherever allowances and tiers stand together; no allowance has a colon in its name.
pub const TIER: &str = "tier:";
/// A whole, in the parts in which discounts are given.
pub const WHOLE: u16 = 1000;

/// A tier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tier {
    /// Its key in `plans.toml`, behind [`TIER`].
    pub name: String,
    /// What counts it.
    pub meter: Meter,
    /// Calls that it means.
    pub of: Vec<PoolOf>,
    /// By `after`.
    pub levels: Vec<Level>,
}

/// From where on which price holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Level {
    /// Seconds charged in the month.
    pub after: u64,
    /// What those behind it cost.
    pub price: LevelPrice,
}

/// What seconds of a level cost. Fee and caps of the row stay what they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelPrice {
    /// Per minute, in the plan's currency, instead of what they would cost.
    Rate(Money),
    /// So many thousandths less per minute than they would cost.
    Discount(u16),
}

impl Tier {
    /// With its counter.
    pub fn new(name: &str, of: Vec<PoolOf>, levels: Vec<Level>) -> Tier {
        let name = format!("{TIER}{name}");
        Tier { meter: Meter::named(&name), name, of, levels }
    }

    /// Its key in `plans.toml`.
    pub fn key(&self) -> &str {
        self.name.strip_prefix(TIER).unwrap_or(&self.name)
    }
}

/// The tier that counts a call.
pub fn of_call(tiers: &[Tier], call: &PoolCall) -> Option<u8> {
    let mut closest: Option<(u8, u8)> = None;
    for (i, tier) in tiers.iter().enumerate().take(TIERS_MAX) {
        let rank = tier.of.iter().map(|of| of.fits(call)).max().unwrap_or(0);
        // Tiers come by name: of two alike the first stays.
        if rank > closest.map_or(0, |(rank, _)| rank) {
            closest = Some((rank, i as u8));
        }
    }
    closest.map(|(_, i)| i)
}

/// A tier and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'t> {
    /// Which.
    pub tier: &'t Tier,
    /// Seconds counted so far.
    pub at: u64,
}

impl<'t> Standing<'t> {
    /// Counts seconds, and shows each stretch of them with its level; none: below the first.
    pub fn count(&mut self, mut seconds: u32, mut show: impl FnMut(Option<&'t Level>, u32)) {
        while seconds > 0 {
            let reached = self.tier.levels.partition_point(|level| level.after <= self.at);
            let room = self.tier.levels.get(reached).map_or(u64::MAX, |next| next.after - self.at);
            let here = u32::try_from(room).map_or(seconds, |room| room.min(seconds));
            show(reached.checked_sub(1).and_then(|i| self.tier.levels.get(i)), here);
            self.at = self.at.saturating_add(u64::from(here));
            seconds -= here;
        }
    }
}

impl std::fmt::Display for LevelPrice {
    /// `0.008 a minute`, `10 % less`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LevelPrice::Rate(rate) => write!(f, "{rate} a minute"),
            LevelPrice::Discount(part) => write!(f, "{} % less", percent(*part)),
        }
    }
}

impl std::fmt::Display for Tier {
    /// `world of international: 10 % less after 10000 min`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of: Vec<String> = self.of.iter().map(|of| of.to_string()).collect();
        let level = |level: &Level| format!("{} after {} min", level.price, level.after / 60);
        let levels: Vec<String> = self.levels.iter().map(level).collect();
        write!(f, "{} of {}: {}", self.key(), of.join(" "), levels.join(", "))
    }
}

/// Thousandths in per cent: `12.5`.
pub fn percent(part: u16) -> String {
    Money(i64::from(part) * 100_000_000).fixed(0)
}

/// A tier as an image has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredTier {
    /// Its key in `plans.toml`.
    pub name: String,
    /// As with pools.
    pub of: Vec<String>,
    /// See [`Tier`].
    pub levels: Vec<Level>,
}

impl StoredTier {
    /// As it is stored.
    pub fn new(tier: &Tier) -> StoredTier {
        StoredTier { name: tier.key().to_owned(), of: stored(&tier.of), levels: tier.levels.clone() }
    }

    /// Back from there; none: damaged.
    pub fn tier(&self) -> Option<Tier> {
        let sound = self.levels.is_sorted_by(|a, b| a.after < b.after)
            && self.levels.iter().all(|level| !matches!(level.price, LevelPrice::Discount(part) if part > WHOLE));
        sound.then_some(Tier::new(&self.name, opened(&self.of)?, self.levels.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_split_where_a_level_begins() {
        let level = |after, part| Level { after, price: LevelPrice::Discount(part) };
        let tier = Tier::new("world", Vec::new(), vec![level(100, 100), level(160, 250)]);
        // counted before, seconds → stretches: discount, seconds
        for (at, seconds, stretches) in [
            (0, 60, &[(0, 60)][..]),
            (40, 60, &[(0, 60)]),
            (40, 61, &[(0, 60), (100, 1)]),
            (100, 60, &[(100, 60)]),
            (0, 500, &[(0, 100), (100, 60), (250, 340)]),
            (1_000, 7, &[(250, 7)]),
            (0, 0, &[]),
        ] {
            let (mut standing, mut found) = (Standing { tier: &tier, at }, Vec::new());
            standing.count(seconds, |level, seconds| {
                let part = level.map_or(0, |level| match level.price {
                    LevelPrice::Discount(part) => part,
                    LevelPrice::Rate(_) => WHOLE,
                });
                found.push((part, seconds));
            });
            assert_eq!(found, stretches, "{at} {seconds}");
            assert_eq!(standing.at, at + u64::from(seconds));
        }
    }
}
