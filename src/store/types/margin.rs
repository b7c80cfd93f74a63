//! What calls cost us, added up.
//!
//! Does not know SQL or files, nor who may see it.

use crate::call::{AccountKey, CallType, Costs, RESELLERS_MAX, RatedCall};
use crate::money::Sum;
use crate::time::Micros;

/// Sums over calls whose plan says how they are bought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Margin {
    /// Calls.
    pub calls: i64,
    /// Of these, those whose cost is not known.
    pub unknown: i64,
    /// Talk time, microseconds.
    pub talk: i64,
    /// Seconds that customers are billed.
    pub billable_seconds: i64,
    /// What customers pay, nano-units.
    pub revenue: i128,
    /// Of this, for calls whose cost is known.
    pub revenue_known: i128,
    /// What we pay for those, nano-units.
    pub cost: i128,
    /// For each level of the reseller chain: calls whose price is known there, and what they come to.
    pub resale: [(i64, i128); RESELLERS_MAX],
}

impl Margin {
    /// One call; what takes a call back takes it off.
    pub fn of(call: &RatedCall, costs: &Costs) -> Margin {
        let known = costs.carrier_cost.is_some();
        let (sign, revenue) = (call.sign(), i128::from(call.cost.0));
        Margin {
            calls: sign,
            unknown: if known { 0 } else { sign },
            talk: call.duration.0.saturating_mul(sign),
            billable_seconds: i64::from(call.billable_seconds) * sign,
            revenue,
            revenue_known: if known { revenue } else { 0 },
            cost: costs.carrier_cost.map_or(0, |cost| i128::from(cost.0)),
            resale: costs.resale.map(|price| price.map_or((0, 0), |price| (sign, i128::from(price.0)))),
        }
    }

    /// Adds another, so many times.
    pub fn add(&mut self, other: &Margin, times: i64) {
        let wide = i128::from(times);
        self.calls += other.calls * times;
        self.unknown += other.unknown * times;
        self.talk = self.talk.saturating_add(other.talk.saturating_mul(times));
        self.billable_seconds += other.billable_seconds * times;
        self.revenue += other.revenue * wide;
        self.revenue_known += other.revenue_known * wide;
        self.cost += other.cost * wide;
        for (level, more) in self.resale.iter_mut().zip(&other.resale) {
            *level = (level.0 + more.0 * times, level.1 + more.1 * wide);
        }
    }

    /// What is left of the revenue of calls whose cost is known, nano-units.
    pub fn margin(&self) -> i128 {
        self.revenue_known - self.cost
    }

    /// That in hundredths of a per cent of the revenue; none where there is no revenue.
    pub fn basis_points(&self) -> Option<i128> {
        (self.revenue_known > 0).then(|| (self.margin() * 10_000).div_euclid(self.revenue_known))
    }

    /// The same in per cent, cut to two decimals: `39.73`.
    pub fn percent(&self) -> Option<String> {
        self.basis_points().map(|points| {
            let sign = if points < 0 { "-" } else { "" };
            format!("{sign}{}.{:02}", points.unsigned_abs() / 100, points.unsigned_abs() % 100)
        })
    }

    /// Whether less is left than so many per cent (times 10⁹) of the revenue. Calls that cost nothing have nothing to lose.
    pub fn is_below(&self, per_cent: i64) -> bool {
        let known = self.calls > self.unknown;
        known
            && (self.cost > 0 || self.revenue_known > 0)
            && self.margin() * 100_000_000_000 < self.revenue_known * i128::from(per_cent)
    }
}

impl std::fmt::Display for Margin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Margin { calls, unknown, talk, billable_seconds, .. } = self;
        let [revenue, known, cost] = [self.revenue, self.revenue_known, self.cost].map(Sum);
        write!(
            f,
            "{calls} calls, {unknown} of unknown cost, {} s talked, {billable_seconds} billable s, revenue {revenue}, of \
             known cost {known}, cost {cost}",
            Micros(*talk)
        )?;
        let levels = self.resale.iter().rposition(|level| *level != (0, 0)).map_or(0, |last| last + 1);
        let mut resold = self.resale.iter().take(levels);
        resold.try_for_each(|(calls, price)| write!(f, ", {calls} resold at {}", Sum(*price)))
    }
}

/// Calls of a month that are sold and bought the same way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MarginRoute {
    /// Digest of the tariff.
    pub tariff: String,
    /// Plan of the accounts.
    pub plan: String,
    /// Carrier, where the plan has decks of its own for it; else empty.
    pub carrier: String,
    /// Deck by which the carrier charges; where no row is known, that by which the call was sold.
    pub deck: String,
    /// Prefix of the row there.
    pub prefix: String,
    /// Destination; the call type in parentheses where no row says one.
    pub destination: String,
    /// Whether the cost is known by a row.
    pub bought: bool,
    /// Type of the calls.
    pub call_type: CallType,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// Decimals in which amounts are shown.
    pub decimals: u8,
    /// The sums.
    pub margin: Margin,
}

/// Calls of a month of one account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MarginAccount {
    /// Who pays.
    pub account: AccountKey,
    /// Its name.
    pub name: String,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// Decimals in which amounts are shown.
    pub decimals: u8,
    /// The sums.
    pub margin: Margin,
}
