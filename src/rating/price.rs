//! How long is billed (R13), what the allowance takes of it (R12), and what the rest costs (R18).
//!
//! ```text
//! talk time ─steps─▶ billable seconds ─allowance─▶ included │ overage ─price─▶ cost, rounded once
//! ```
//!
//! Where the rules leave something open, this is the answer:
//!
//! - A billing group shares one allowance: that of the plan of the account that makes the call.
//! - Under `overage = "deck"` fee and caps of the row apply to what goes beyond the allowance, once.
//! - A price in another currency than the plan's is multiplied by the rate in force at the answer, fee and caps too,
//!   before the one rounding.
//! - Where prices change while a call lasts, fee, caps and steps are those of the row with which it begins.
//!
//! Does not know numbers, decks or countries.

use super::kind::{Kind, Later, Nature};
use super::parts::Parts;
use super::pools::{self, Month};
use super::successive::rest_of;
use super::tiers::{self, Counts, Tiered};
use super::{Draw, DrawOf, Draws, Standing, Why};
use crate::call::{Before, CallType, Exchange, Meter, StepRule};
use crate::money::{ExchangedSeconds, Money, Price};
use crate::tariff::rollover::Rollover;
use crate::tariff::{Allowance, Bands, Found, Overage, Plan};
use crate::time::{Micros, Period};

/// What a unit is worth in its own currency.
pub(super) const ONE: Money = Money(1_000_000_000);

/// What a call without a charge is priced at.
pub(super) const NO_PRICE: Price =
    Price { rate: Money::ZERO, connect_fee: Money::ZERO, minimum_cost: None, maximum_cost: None };

/// What a leg costs, and what was decided on the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    pub call_type: CallType,
    pub billable_seconds: u32,
    pub included_seconds: u32,
    /// The plan's minutes, where it asked those alone.
    pub allowance: Option<Asked>,
    /// The price as it stands in plan or row.
    pub price: Price,
    /// Row that gave the price.
    pub row: Option<u32>,
    /// Seconds to which the price is applied.
    pub charged_seconds: u32,
    /// What of the price was due: the fee may not be, the caps may not be.
    pub due: Price,
    pub cost: Money,
    /// Of the row that gave the price.
    pub exchange: Option<Exchange>,
    /// The tier that counts it.
    pub tier: Option<Counts>,
    /// What the call costs together with those before it that count as one with it (R28).
    pub whole: Money,
}

/// An allowance that was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// Of the period.
    pub allowance: Allowance,
    /// Drawn before this call.
    pub used: u64,
    /// Left before this call.
    pub left: u64,
    /// Of the month's seconds those that other months left to it.
    pub carried: i64,
}

/// R12 to R18, from the kind of call on. Inlined, so that what only the proof asks for is not moved where nobody proves.
#[inline(always)]
pub(super) fn charge<'a>(
    later: &Later<'_, 'a>,
    kind: &Kind<'a>,
    steps: StepRule,
    month: &Month<'_, 'a>,
    (standing, joined): (Standing<'_>, Option<&Before>),
    draws: &mut Draws,
) -> Result<Charge, Why> {
    let (talk, plan) = (later.leg.duration, month.plan);
    // R28: with what counts as one with it, and what of that is this call's.
    let before = joined.unwrap_or(&Before::NOTHING);
    let whole = steps.billable(talk);
    let billable = whole.saturating_sub(before.billed);
    let free = Charge {
        call_type: CallType::Included,
        billable_seconds: billable,
        included_seconds: 0,
        allowance: None,
        price: NO_PRICE,
        row: None,
        charged_seconds: 0,
        due: NO_PRICE,
        cost: Money::ZERO,
        exchange: None,
        tier: None,
        whole: Money::ZERO,
    };
    let plain = plan.pools.is_empty() && plan.tiers.is_empty() && plan.rollover.is_none();
    let tier = if plain { None } else { tiers::of_call(plan, kind) };
    let covered = |draws: &mut Draws| {
        if plain { None } else { pools::draw(kind, *month, billable, standing, draws, tier.is_some()) }
    };
    // Of all that is charged, what this call adds.
    let tiered = |draws: &mut Draws, added: u32, charged: u32| {
        let tier = tier.filter(|_| charged > 0)?;
        Some(Tiered::draw(plan, tier, (added, before), month.period, standing, draws))
    };
    match kind.nature {
        Nature::Free(call_type) => Ok(Charge { call_type, ..free }),
        Nature::Uncounted => Ok(Charge { billable_seconds: 0, ..free }),
        Nature::Charged(call_type) => {
            let row = kind.pricing_row().ok_or(Why::NoRow)?;
            let included = covered(draws).unwrap_or(0);
            let from = before.included.saturating_add(included);
            let rest = whole.saturating_sub(from);
            if from > 0 && rest == 0 {
                // The row is named, for whoever reads where the call went.
                return Ok(Charge { call_type, included_seconds: included, row: Some(row.id.0), ..free });
            }
            let due = due(row.price(), steps, talk, rest);
            let parts = Parts { kind, steps, from, to: from + rest, split: plan.bands == Bands::Split };
            let exchange = later.exchange(row, plan.currency)?;
            let tiered = tiered(draws, billable - included, rest);
            let whole = cost(Some(row), exchange, &parts, due, later, plan, tiered)?;
            Ok(Charge {
                call_type,
                included_seconds: included,
                price: row.price(),
                row: Some(row.id.0),
                charged_seconds: rest,
                due,
                cost: rest_of(whole, before.cost),
                exchange,
                tier: tiered.map(|tiered| tiered.counts()),
                whole,
                ..free
            })
        }
        Nature::InPlan => {
            let in_plan = match covered(draws) {
                Some(included) => Charge { included_seconds: included, ..free },
                None => {
                    let rollover = plan.rollover.as_ref().filter(|_| joined.is_some());
                    let asked = Asked::of(Counter::PLAN, month.allowance(None), month.period, standing, rollover);
                    let included_seconds = asked.gives(billable);
                    // Of a call that goes on with another everything is told, even of nothing that it adds; and where its row
                    // could not say what was left.
                    if joined.is_some() || asked.carried != 0 && billable > 0 {
                        asked.tell(included_seconds, draws);
                        Charge { included_seconds, ..free }
                    } else {
                        Charge { included_seconds, allowance: Some(asked), ..free }
                    }
                }
            };
            let included = in_plan.included_seconds;
            let overage = billable - included;
            if overage == 0 {
                return Ok(in_plan);
            }
            let (price, row) = match plan.overage {
                Overage::Rate(rate) => (Price { rate, ..NO_PRICE }, None),
                Overage::Deck => {
                    let row = kind.pricing_row().filter(|row| prices(row)).ok_or(Why::NoOverageRow)?;
                    (row.price(), Some(row))
                }
            };
            let from = before.included.saturating_add(included);
            let charged = whole.saturating_sub(from);
            let due = due(price, steps, talk, charged);
            let parts = Parts { kind, steps, from, to: from + charged, split: plan.bands == Bands::Split };
            let exchange = row.map(|row| later.exchange(row, plan.currency)).transpose()?.flatten();
            let tiered = tiered(draws, overage, charged);
            let whole = cost(row, exchange, &parts, due, later, plan, tiered)?;
            Ok(Charge {
                call_type: if included == 0 { CallType::Overage } else { CallType::Included },
                price,
                row: row.map(|row| row.id.0),
                charged_seconds: charged,
                due,
                cost: rest_of(whole, before.cost),
                exchange,
                tier: tiered.map(|tiered| tiered.counts()),
                whole,
                ..in_plan
            })
        }
    }
}

/// R13, R17, R18 of a call that a row prices from its first second.
pub(super) fn by_row<'a>(
    later: &Later<'_, 'a>,
    kind: &Kind<'a>,
    row: &Found<'a>,
    steps: StepRule,
    plan: &Plan,
) -> Result<Money, Why> {
    let talk = later.leg.duration;
    let billable = steps.billable(talk);
    let due = due(row.price(), steps, talk, billable);
    let parts = Parts { kind, steps, from: 0, to: billable, split: plan.bands == Bands::Split };
    let exchange = later.exchange(row, plan.currency)?;
    cost(Some(row), exchange, &parts, due, later, plan, None)
}

/// The counters of an allowance.
#[derive(Clone, Copy)]
pub(super) struct Counter {
    pub meter: Meter,
    /// What the month has handed on of it. That is gone for all calls, whether or not their own plan lets it roll over.
    pub handed_on: Meter,
}

impl Counter {
    pub const PLAN: Counter = Counter { meter: Meter::PLAN, handed_on: Meter::PLAN_HANDED_ON };
}

impl Asked {
    /// What a meter says of an allowance.
    #[inline]
    pub fn of(
        Counter { meter, handed_on }: Counter,
        allowance: Allowance,
        period: Period,
        standing: Standing<'_>,
        rollover: Option<&Rollover>,
    ) -> Asked {
        let used = standing.drawn.seconds(period, meter);
        let Allowance::Seconds(whole) = allowance else {
            return Asked { allowance, used, left: standing.drawn.left(meter).unwrap_or(u64::MAX), carried: 0 };
        };
        let lots = rollover.map_or(&[][..], Rollover::lots);
        let carried = standing.drawn.carried(period, meter, lots, handed_on);
        let left = match standing.drawn.left(meter) {
            None => whole.saturating_add_signed(carried).saturating_sub(used),
            Some(left) => left,
        };
        Asked { allowance, used, left, carried }
    }

    /// Says what the plan's minutes gave of their own accord.
    fn tell(&self, seconds: u32, draws: &mut Draws) {
        let left = (self.allowance != Allowance::Unlimited).then_some(self.left);
        let draw = Draw { meter: Meter::PLAN, of: DrawOf::Plan, seconds, used: self.used, left, carried: self.carried };
        draws.push("", draw);
    }

    /// How many of so many seconds it gives.
    #[inline]
    pub fn gives(&self, seconds: u32) -> u32 {
        u32::try_from(self.left).map_or(seconds, |left| seconds.min(left))
    }
}

/// R18: what a price comes to in the plan's currency: that of a row, of the rows after it where prices change while the call
/// lasts, or of the plan where no row has one; with a tier by what the month has counted.
#[inline]
fn cost<'a>(
    row: Option<&Found<'a>>,
    exchange: Option<Exchange>,
    parts: &Parts<'_, 'a>,
    due: Price,
    later: &Later<'_, 'a>,
    plan: &Plan,
    tiered: Option<Tiered<'_>>,
) -> Result<Money, Why> {
    let (seconds, decimals) = (parts.to - parts.from, u32::from(plan.cost_decimals));
    let differ = row.is_some_and(|row| parts.differ(row));
    if !differ && exchange.is_none() && tiered.is_none() {
        return Ok(due.cost(i64::from(seconds), decimals));
    }
    let rate_of = |exchange: Option<Exchange>| exchange.map_or(ONE, |exchange| exchange.rate);
    let each = |add: &mut dyn FnMut(Money, Money, u32)| -> Result<(), Why> {
        if !differ {
            add(due.rate, rate_of(exchange), seconds);
            return Ok(());
        }
        parts.each(later, |part| {
            add(part.row.price().rate, rate_of(later.exchange(&part.row, plan.currency)?), part.seconds);
            Ok(())
        })
    };
    if let Some(tiered) = tiered {
        let mut sum = tiered.sum();
        each(&mut |rate, exchange, seconds| sum.add(rate, exchange, seconds))?;
        return Ok(due.cost_discounted(sum.seconds, rate_of(exchange), decimals));
    }
    let mut sum = ExchangedSeconds::default();
    each(&mut |rate, exchange, seconds| sum.add(rate, exchange, seconds))?;
    Ok(due.cost_exchanged(sum, rate_of(exchange), decimals))
}

/// A block is ignored for in-plan calls, but a blocked row may be written without a price, and no price is not 0.
pub(super) fn prices(row: &Found<'_>) -> bool {
    let price = row.price();
    !row.blocked() || price.rate != Money::ZERO || price.connect_fee != Money::ZERO
}

/// R18: the part of a price that is due: the fee whenever talk time was not forgiven, the caps only if something is
/// billable.
fn due(price: Price, rule: StepRule, talk: Micros, charged_seconds: u32) -> Price {
    let fee = if rule.forgives(talk) { Money::ZERO } else { price.connect_fee };
    if charged_seconds == 0 {
        return Price { rate: price.rate, connect_fee: fee, minimum_cost: None, maximum_cost: None };
    }
    Price { connect_fee: fee, ..price }
}
