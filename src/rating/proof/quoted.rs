//! What allowances and tiers have to do with a price, as a quote tells it.
//!
//! Does not know how it is shown.

use serde::Serialize;

use crate::rating::{Decided, Draws, Told};
use crate::tariff::Plan;
use crate::tariff::tiers::{self, LevelPrice};

/// What an allowance gave (R12); seconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct QuotedDraw {
    /// Empty: the plan's minutes.
    pub name: String,
    pub included_seconds: u32,
    /// Drawn by the billing group before this call.
    pub used_seconds: u64,
    /// Left before this call; none: no limit.
    pub left_seconds: Option<u64>,
    /// Of the month's seconds those that earlier months left to it; below zero: it has handed on more than it was left.
    #[serde(skip_serializing_if = "is_zero")]
    pub carried_seconds: i64,
}

fn is_zero(seconds: &i64) -> bool {
    *seconds == 0
}

impl QuotedDraw {
    pub(super) fn all(draws: &Draws) -> Vec<QuotedDraw> {
        let allowances = Told::read(&draws.text).into_iter().filter(|told| !told.is_tier());
        let of = |Told(name, included_seconds, used_seconds, left_seconds, carried_seconds)| QuotedDraw {
            name,
            included_seconds,
            used_seconds,
            left_seconds,
            carried_seconds,
        };
        allowances.map(of).collect()
    }
}

/// A tier that counts a call (R25).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct QuotedTier {
    pub name: String,
    /// Charged in the month before this call.
    pub used_seconds: u64,
    /// The call's charged seconds, by level.
    pub levels: Vec<QuotedLevel>,
}

/// Seconds of a call that fall into a level.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct QuotedLevel {
    /// From where on it holds; none: below the first.
    pub after_seconds: Option<u64>,
    pub seconds: u32,
    /// Per minute, instead of what they would cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// Per cent off what they would cost: `12.5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount_percent: Option<String>,
}

impl QuotedTier {
    /// Seconds of the call that it counts.
    pub fn seconds(&self) -> u32 {
        self.levels.iter().map(|level| level.seconds).sum()
    }

    pub(super) fn of(decided: &Decided<'_>, plan: &Plan) -> Option<QuotedTier> {
        let (place, at) = decided.charge.tier?;
        let tier = plan.tiers.get(usize::from(place))?;
        let (mut standing, mut levels) = (tiers::Standing { tier, at }, Vec::new());
        standing.count(decided.charge.charged_seconds, |level, seconds| {
            let (rate, discount_percent) = match level.map(|level| level.price) {
                None => (None, None),
                Some(LevelPrice::Rate(rate)) => (Some(rate.fixed(0)), None),
                Some(LevelPrice::Discount(part)) => (None, Some(tiers::percent(part))),
            };
            let after_seconds = level.map(|level| level.after);
            levels.push(QuotedLevel { after_seconds, seconds, rate, discount_percent });
        });
        Some(QuotedTier { name: tier.key().to_owned(), used_seconds: at, levels })
    }
}
