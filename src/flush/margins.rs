//! What the calls of a flush were sold and bought for: calls that bring less than they should are counted, and their
//! destinations said, once a flush.
//!
//! Only calls with a price of their own are looked at: those that a plan includes, and free ones, are paid for by something else.
//!
//! Does not know how a cost came about, nor who pays.

use std::collections::BTreeMap;

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

use super::words::Words;
use crate::books::Share;
use crate::call::{Basis, Costs};
use crate::money::{Money, Sum};
use crate::shard::{RatedRow, ShardPart};
use crate::store::Margin;

/// Destinations said in one flush; those beyond are counted.
const SAID_MAX: usize = 20;

/// Says what the metrics of this part mean.
pub(super) fn describe() {
    describe_counter!(
        "callrated_margin_calls_total",
        Unit::Count,
        "Rated calls whose plan says what they cost us, by result: unknown (no cost), below (the route brings less than its \
         least margin), fine"
    );
    describe_gauge!(
        "callrated_margin_destinations_below",
        Unit::Count,
        "Destinations sold below their least margin in the latest flush that had calls with costs"
    );
}

/// See the module.
pub(super) struct Margins {
    /// Per cent, where a plan says none of its own.
    least: Money,
    unknown: Counter,
    below: Counter,
    fine: Counter,
    destinations: Gauge,
}

impl Margins {
    pub fn new(least: Money) -> Margins {
        let calls = |result: &'static str| counter!("callrated_margin_calls_total", "result" => result);
        Margins {
            least,
            unknown: calls("unknown"),
            below: calls("below"),
            fine: calls("fine"),
            destinations: gauge!("callrated_margin_destinations_below"),
        }
    }

    /// Looks at the calls of a flush.
    pub fn look(&self, shards: &[(Box<ShardPart>, Share)], words: &Words) {
        if shards.iter().all(|(part, _)| part.costs.is_empty()) {
            return;
        }
        let mut routes: BTreeMap<Route, (Basis, Margin)> = BTreeMap::new();
        let mut others = Margin::default();
        for (part, _) in shards {
            for (place, costs) in &part.costs {
                let Some(RatedRow { call, .. }) = part.rows.get(*place as usize) else { continue };
                let margin = Margin::of(call, costs);
                if call.call_type.is_sold() && call.included_seconds == 0 {
                    routes
                        .entry(route(&call.basis, costs))
                        .or_insert((call.basis, Margin::default()))
                        .1
                        .add(&margin, 1);
                } else {
                    others.add(&margin, 1);
                }
            }
        }
        let (mut unknown, mut fine, mut below) = (others.unknown, others.calls - others.unknown, 0);
        let mut said = Vec::new();
        for (route, (basis, margin)) in &routes {
            let known = margin.calls - margin.unknown;
            unknown += margin.unknown;
            if margin.is_below(words.least_margin(basis).unwrap_or(self.least).0) {
                below += known;
                said.push((margin.margin(), route, basis, margin));
            } else {
                fine += known;
            }
        }
        for (counter, calls) in [(&self.unknown, unknown), (&self.fine, fine), (&self.below, below)] {
            counter.increment(u64::try_from(calls).unwrap_or(0));
        }
        self.destinations.set(said.len() as f64);
        said.sort_by_key(|(lost, ..)| *lost);
        for (_, route, basis, margin) in said.iter().take(SAID_MAX) {
            let text = words.describe(&Basis { row: route.2.or(basis.row), ..**basis });
            let amount = |nanos: i128| Sum(nanos).fixed(u32::from(basis.decimals));
            tracing::warn!(
                "sold below margin: {} {} by deck {} in plan {}: {} calls brought {} and cost us {} {}",
                text.prefix,
                text.destination,
                text.deck,
                text.plan,
                margin.calls - margin.unknown,
                amount(margin.revenue_known),
                amount(margin.cost),
                String::from_utf8_lossy(&basis.currency),
            );
        }
        if let Some(more) = said.len().checked_sub(SAID_MAX).filter(|more| *more > 0) {
            tracing::warn!("sold below margin: {more} further destinations; `callrated margin --below` lists them");
        }
    }
}

/// Tariff, plan, row of the cost deck, carrier.
type Route = (u16, u16, Option<u32>, Option<u16>);

fn route(basis: &Basis, costs: &Costs) -> Route {
    (basis.tariff.0, basis.plan, costs.row, costs.carrier)
}
