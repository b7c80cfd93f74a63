//! What routes would leave: every prefix by which a plan sells or is bought, priced on both sides as a call of some length.
//!
//! The longest prefix decides on each side by itself, so a carrier's longer prefix is looked at under the shorter one by
//! which it is sold: 49 sold at one price, 49151 bought at a dearer one.
//!
//! Does not know calls that have happened, nor who wants to know.

use std::collections::BTreeSet;

use super::kind::{self, Kind, Later};
use super::price;
use super::{Called, Leg, PayerBy, Routing};
use crate::call::StepRule;
use crate::money::Money;
use crate::number::Number;
use crate::record::Direction;
use crate::tariff::{Found, PlanId, Row, Tariff};
use crate::time::{Micros, Timestamp};

/// A prefix, sold and bought.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// Where it begins.
    pub prefix: Number,
    /// Whose decks say what it costs; none: the plan's own.
    pub carrier: Option<&'a str>,
    /// By which row it is sold.
    pub sold: Row<'a>,
    /// What a call brings.
    pub revenue: Money,
    /// By which row it is bought; none: no deck knows it, or the carrier does not go there.
    pub bought: Option<Row<'a>>,
    /// What the call costs us; none: not known.
    pub cost: Option<Money>,
}

impl Route<'_> {
    /// Whether less is left than so many per cent (times 10⁹) of the price.
    pub fn is_below(&self, per_cent: i64) -> bool {
        self.cost.is_some_and(|cost| {
            let left = i128::from(self.revenue.0) - i128::from(cost.0);
            (cost.0 > 0 || self.revenue.0 > 0)
                && left * 100_000_000_000 < i128::from(self.revenue.0) * i128::from(per_cent)
        })
    }
}

/// Every route of a plan at an instant, for a call of such a length, by prefix; nothing where the plan names no cost decks.
/// What the plan sells by no row, or blocks, is no route.
pub fn routes<'a>(tariff: &'a Tariff, id: PlanId, at: Timestamp, talk: Micros, mut visit: impl FnMut(Route<'a>)) {
    let plan = tariff.plan(id);
    let Some(buying) = plan.buying.as_deref() else { return };
    for (carrier, list) in buying.outbound_lists() {
        let carrier = carrier.and_then(|carrier| tariff.carriers().get(usize::from(carrier))).map(String::as_str);
        let bought_by = match carrier {
            None => buying.decks.as_slice(),
            Some(name) => {
                let decks = buying
                    .carriers
                    .iter()
                    .find(|(number, _)| tariff.carriers().get(usize::from(*number)).is_some_and(|known| known == name));
                decks.map_or(&[][..], |(_, decks)| decks)
            }
        };
        let mut prefixes: BTreeSet<Digits> = BTreeSet::new();
        for deck in plan.decks.iter().chain(bought_by) {
            prefixes.extend(tariff.rows_of(deck).map(|id| Digits::of(tariff.row(id).prefix)));
        }
        for prefix in prefixes.iter().map(|digits| digits.0) {
            let leg = leg_to(prefix, at, talk);
            let later = Later { leg: &leg, home: plan.country, plan: id, tariff };
            let priced =
                |kind: &Kind<'a>, row: &Found<'a>, steps: StepRule| price::by_row(&later, kind, row, steps, plan).ok();
            let Ok(kind) = kind::sold(&leg, id, prefix, tariff) else { continue };
            let Some(sold) = kind.pricing_row().copied() else { continue };
            let steps = tariff.steps(id, plan.country, Some(tariff.classify(prefix)), sold.steps());
            let Some(revenue) = priced(&kind, &sold, steps) else { continue };
            let kind = kind::bought(&leg, list, prefix, tariff).ok();
            let bought = kind.as_ref().and_then(|kind| kind.pricing_row().copied());
            let cost = match (&kind, &bought) {
                (Some(kind), Some(row)) => priced(kind, row, row.steps().unwrap_or(buying.steps)),
                _ => None,
            };
            let (sold, bought) = (tariff.whole(&sold), bought.map(|row| tariff.whole(&row)));
            visit(Route { prefix, carrier, sold, revenue, bought, cost });
        }
    }
}

/// A prefix in the order in which people list them: 49, 491, 4915, 50.
#[derive(PartialEq, Eq)]
struct Digits(Number, u64);

impl Digits {
    fn of(prefix: Number) -> Digits {
        Digits(prefix, crate::number::prefix::lexicographic(prefix))
    }
}

impl PartialOrd for Digits {
    fn partial_cmp(&self, other: &Digits) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Digits {
    fn cmp(&self, other: &Digits) -> std::cmp::Ordering {
        self.1.cmp(&other.1)
    }
}

fn leg_to(number: Number, answer: Timestamp, duration: Micros) -> Leg {
    Leg {
        direction: Direction::Outbound,
        account_row: 0,
        payer_by: PayerBy::Record,
        answer,
        duration,
        source: None,
        called: Called::Number(number),
        to_own_number: false,
        routing: Routing::None,
        carrier: None,
    }
}

/// A finding of [`sums`].
#[derive(Clone, Debug, Default)]
pub struct RouteSums {
    /// Routes whose cost is known.
    pub known: u64,
    /// Routes that no cost deck knows.
    pub unknown: u64,
    /// Routes below the least margin.
    pub below: u64,
    /// Of these the one that loses most: its prefix, what it brings and what it costs.
    pub worst: Option<(String, Money, Money)>,
    /// The first that no cost deck knows.
    pub first_unknown: Option<String>,
}

/// The routes of a plan, counted.
pub fn sums(tariff: &Tariff, id: PlanId, at: Timestamp, talk: Micros, least: Money) -> RouteSums {
    let mut sums = RouteSums::default();
    routes(tariff, id, at, talk, |route| {
        let Some(cost) = route.cost else {
            sums.unknown += 1;
            sums.first_unknown.get_or_insert_with(|| route.prefix.to_string());
            return;
        };
        sums.known += 1;
        if !route.is_below(least.0) {
            return;
        }
        sums.below += 1;
        let lost = |revenue: Money, cost: Money| i128::from(cost.0) - i128::from(revenue.0);
        if sums.worst.as_ref().is_none_or(|(_, r, c)| lost(*r, *c) < lost(route.revenue, cost)) {
            sums.worst = Some((route.prefix.to_string(), route.revenue, cost));
        }
    });
    sums
}
