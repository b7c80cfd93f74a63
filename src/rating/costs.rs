//! The other side of a price: what a rated call costs us (R13, R16, R17, R18), and what it costs under each plan by which it
//! is resold.
//!
//! ```text
//! account's plan ──reseller──▶ plan ──reseller──▶ plan ──cost decks──▶ carrier
//!    revenue                  resale[0]          resale[1]             carrier_cost
//! ```
//!
//! Where the rules leave something open, this is the answer:
//!
//! - A carrier is paid for the way of the call, not for what it is sold as: minutes that a plan includes, and calls that are
//!   free, cost what the longest prefix of the cost decks says. Call types in a cost deck mean nothing.
//! - It is paid by its own steps: those of the row, else the plan's `cost_steps`, else by the second. Fee, caps, bands, price
//!   steps and exchange rate are those of its row; the result is rounded once, in the plan's currency and decimals.
//! - A ported number is paid by its routing number, unless it is toll-free.
//! - Nobody is paid for calls inside an account and to emergency numbers: 0. Calls received cost what `inbound_cost_decks`
//!   say; a plan that names none, and no reseller, has nothing to say of them.
//! - No row, a blocked row, or no exchange rate in force: the cost is not known, which is never 0. The call is billed all the same.
//! - A reseller's plan prices the call by the same rules as the account's, with no minutes included.
//! - Calls in quick succession that count as one for the account (R28) are bought one by one.
//!
//! Does not know what the call is sold for, nor who may see any of this.

use super::kind::{self, Later};
use super::pools::Month;
use super::price;
use super::{Called, Draws, Leg, Routing, Standing, World};
use crate::call::{Costs, RESELLERS_MAX};
use crate::money::Money;
use crate::number::{Number, NumberKind};
use crate::record::Direction;
use crate::tariff::{Buying, Plan, PlanId, Side};
use crate::time::Period;

/// What a leg costs us that was rated under a plan; none where the plan does not say how it is bought.
#[inline]
pub fn costs(leg: &Leg, world: World<'_>, plan: PlanId, period: Period) -> Option<Costs> {
    let buying = world.tariff.plan(plan).buying.as_deref()?;
    bought(leg, world, plan, buying, period)
}

fn bought(leg: &Leg, world: World<'_>, plan: PlanId, buying: &Buying, period: Period) -> Option<Costs> {
    let (side, nobody) = match leg.direction {
        Direction::Outbound => {
            (Side::Outbound, leg.to_own_number || matches!(leg.called, Called::Emergency | Called::Extension))
        }
        Direction::Inbound => (Side::Inbound, false),
    };
    let (list, carrier) = buying.list(side, leg.carrier);
    if list.is_none() && buying.resellers.is_empty() {
        return None;
    }
    let mut costs =
        Costs { carrier, row: None, billable_seconds: 0, carrier_cost: None, resale: [None; RESELLERS_MAX] };
    if nobody {
        (costs.carrier, costs.carrier_cost) = (None, Some(Money::ZERO));
    } else if let (Some(list), Some(key)) = (list, way(leg, world)) {
        let home = world.directory.row(leg.account_row).country;
        let later = Later { leg, home, plan, tariff: world.tariff };
        if let Ok(kind) = kind::bought(leg, list, key, world.tariff)
            && let Some(row) = kind.pricing_row()
        {
            let steps = row.steps().unwrap_or(buying.steps);
            (costs.row, costs.billable_seconds) = (Some(row.id.0), steps.billable(leg.duration));
            costs.carrier_cost = price::by_row(&later, &kind, row, steps, world.tariff.plan(plan)).ok();
        }
    }
    for (level, reseller) in costs.resale.iter_mut().zip(&buying.resellers) {
        *level = resold(leg, world, *reseller, world.tariff.plan(*reseller), period);
    }
    Some(costs)
}

/// The number by which a carrier is paid.
fn way(leg: &Leg, world: World<'_>) -> Option<Number> {
    let number = match leg.called {
        Called::Number(number) => number,
        Called::ShortCode(key) => return Some(key),
        Called::Emergency | Called::Extension | Called::Bad(_) => return None,
    };
    match leg.routing {
        Routing::Number(routing) if world.tariff.classify(number).kind != NumberKind::TollFree => Some(routing),
        _ => Some(number),
    }
}

/// What the call costs under another plan.
fn resold(leg: &Leg, world: World<'_>, id: PlanId, plan: &Plan, period: Period) -> Option<Money> {
    let account = world.directory.account_row(leg.account_row)?;
    let home = account.country();
    let later = Later { leg, home, plan: id, tariff: world.tariff };
    let kind = kind::kind(leg, home, id, world.tariff).ok()?;
    let steps = world.tariff.steps(id, home, kind.class, kind.own_steps());
    // Without minutes of its own nothing is drawn.
    let (none, mut draws) = (0_u64, Draws::default());
    let month = Month { world, plan, account, period };
    price::charge(&later, &kind, steps, &month, (Standing::of(&none), None), &mut draws).ok().map(|charge| charge.cost)
}
