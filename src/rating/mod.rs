//! The heart: from a record to what each leg costs, rules R1 to R18, and the proof of it (R23).
//!
//! The rules in the order in which a record meets them, and the file that holds each:
//!
//! ```text
//! answered   R1        legs.rs      answered at all?
//! resolve    R1 R2     legs.rs      plausible talk time; many records at a time: together.rs
//!            R4        legs.rs      whose call: no leg, one, or two; who pays: parties.rs
//!            R3        numbers.rs   what was dialled: emergency, extension, short code, E.164
//! rate       R5        mod.rs       not before billing starts
//!            R24       free.rs      a number that costs this account nothing
//!            R6 – R11  kind.rs      what kind of call, by which rule, by which row
//!            R12 – R18 price.rs     steps, allowance, price
//!            R28       successive.rs  calls in quick succession as one
//!            R12       pools.rs     how much of it pools and the plan's minutes cover
//!            R25       tiers.rs     prices by how much was billed in the month
//!            R17       parts.rs     the parts of a call whose price changes while it lasts
//! minimum    R26       minimum.rs   what an account spends at least in a month
//! costs      R16 R18   costs.rs     what the same call costs us: carrier, resellers
//! prove      R23       proof.rs     the same decisions, written down
//! ```
//!
//! Everything that decides comes in as a value: the record, the time of its receipt, the listener's settings, the two
//! images and what was drawn before ([`Standing`]). Nothing here allocates while rating, and nothing here can fail for another
//! reason than the call itself.
//!
//! Does not know files, sockets, threads, clocks, logs, metrics, the journal or the store.

mod costs;
mod free;
mod kind;
mod legs;
mod minimum;
mod numbers;
mod parties;
mod parts;
mod pools;
mod price;
mod proof;
mod routes;
mod standing;
mod successive;
mod tiers;
mod together;
mod why;

pub use costs::costs;
pub use legs::{MAX_AHEAD, MAX_TALK, answered, durations_differ, resolve, talk_time};
pub use minimum::{billed, minimum_spend};
pub use pools::allowance;
pub use proof::{
    Line, Proof, Quote, QuotedDraw, QuotedLevel, QuotedSteps, QuotedTier, Unpriced, billable_millionths,
    billable_minutes, prove,
};
pub use routes::{Route, RouteSums, routes, sums};
pub use standing::{Draw, DrawOf, Drawn, Draws, Standing, Told, drawn};
pub use together::{Question, TOGETHER, resolve_together};
pub use why::{Suspended, Why};

use serde::{Deserialize, Serialize};

use crate::call::{AccountKey, Basis, Before, CallType, GroupKey, LegKey, RatedCall, StepRule, TariffSlot};
use crate::directory::Directory;
use crate::money::Money;
use crate::number::dialling::BadNumber;
use crate::number::{Country, Number};
use crate::record::Direction;
use crate::tariff::successive::Successive;
use crate::tariff::{PlanId, Tariff};
use crate::time::{Micros, Period, Timestamp};
use successive::Succession;

/// What is known when a call is rated: values, never a clock. The caller picks both images by the answer instant.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Accounts, numbers, extensions.
    pub directory: &'a Directory,
    /// Plans, decks, numbering plan, country rules.
    pub tariff: &'a Tariff,
    /// The tariff's number in this data folder.
    pub slot: TariffSlot,
}

/// R1, before identity is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answered {
    /// Neither answer nor talk time: counted, claims no identity.
    No,
    /// It goes on.
    Yes,
}

/// What a record comes to.
#[derive(Clone, Copy, Debug)]
pub enum Resolution {
    /// The whole record waits.
    Suspended(Suspended),
    /// One or two legs; with two, the outbound one is first.
    Legs(Option<Leg>, Option<Leg>),
}

/// One account's side of a call, ready to be priced; small, `Copy`, no borrowed text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Leg {
    /// Outbound or inbound.
    pub direction: Direction,
    /// Row in the directory image of the [`World`] by which it was resolved.
    pub account_row: u32,
    /// What named the account.
    pub payer_by: PayerBy,
    /// Answer instant.
    pub answer: Timestamp,
    /// Talk time.
    pub duration: Micros,
    /// Calling number, if it could be read.
    pub source: Option<Number>,
    /// What was called.
    pub called: Called,
    /// Whether the called number belongs to the account of this leg (R7, R11).
    pub to_own_number: bool,
    /// Where a ported number leads: in its place for R8 to R10 and R16.
    pub routing: Routing,
    /// Which carrier took the call, by its number in the tariff of the [`World`] by which it was resolved; none: the record
    /// names none that any plan tells from others.
    pub carrier: Option<u16>,
}

/// The record's routing number (R3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Routing {
    /// It has none.
    None,
    /// The call is rated by this number.
    Number(Number),
    /// It has one that is no number; guessing would be rating by the wrong one.
    Bad(BadNumber),
}

impl Leg {
    /// The called number; none for emergency numbers, extensions, short codes and what is no number.
    pub fn destination(&self) -> Option<Number> {
        self.called.number()
    }

    /// The month to which it belongs wholly (R19): that of its answer in the account's zone.
    pub fn period(&self, world: World<'_>) -> Period {
        Period::containing(self.answer, world.directory.row(self.account_row).zone)
    }
}

/// R4: what named the account of a leg.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PayerBy {
    /// The record's `account`.
    Record,
    /// The owner of the number that forwarded the call.
    ForwardedBy,
    /// The listener's `account`.
    Node,
    /// The owner of the calling number.
    Source,
    /// The owner of the called number.
    Destination,
}

/// What was called (R3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Called {
    /// Exactly an emergency number of the home country.
    Emergency,
    /// An extension of the account.
    Extension,
    /// Look-up key of a short code of the home country.
    ShortCode(Number),
    /// An E.164 number.
    Number(Number),
    /// Suspense `bad_number`, after the billing-start check.
    Bad(BadNumber),
}

impl Called {
    /// The E.164 number, if it is one.
    pub fn number(self) -> Option<Number> {
        match self {
            Called::Number(number) => Some(number),
            _ => None,
        }
    }
}

/// What rating a leg gives besides its keys (the shard adds account, group and position).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rated {
    /// Month of the answer in the account's zone.
    pub period: Period,
    /// A straddling call is `included`.
    pub call_type: CallType,
    /// R13's result.
    pub billable_seconds: u32,
    /// Of these, drawn from the allowance.
    pub included_seconds: u32,
    /// Seconds of the plan's minutes drawn before, where those and no other pool were asked.
    pub used_before: Option<u64>,
    /// The charge, rounded once.
    pub cost: Money,
    /// What decided it.
    pub basis: Basis,
}

impl Rated {
    /// The rated call of this leg under its keys.
    pub fn call(&self, leg: &Leg, key: LegKey, account: AccountKey, group: GroupKey) -> RatedCall {
        RatedCall {
            key,
            account,
            group,
            period: self.period,
            answer: leg.answer,
            duration: leg.duration,
            source: leg.source,
            destination: leg.destination(),
            call_type: self.call_type,
            billable_seconds: self.billable_seconds,
            included_seconds: self.included_seconds,
            used_before: self.used_before,
            adjusts: None,
            reversal: false,
            cost: self.cost,
            basis: self.basis,
        }
    }
}

/// R5 to R18: prices a leg. `period` is [`Leg::period`]; `standing` is asked for what the billing group has drawn so far;
/// `draws` tells what this call draws where that is more than the plan's minutes. Afterwards the caller counts: what is in
/// `draws`, else `included_seconds` of the plan's minutes.
pub fn rate(
    leg: &Leg,
    world: World<'_>,
    period: Period,
    standing: Standing<'_>,
    draws: &mut Draws,
) -> Result<Rated, Suspended> {
    Ok(decide(leg, world, period, standing, draws, |_, _, _, rated| rated)?)
}

/// Everything that was decided on the way to a [`Rated`], for the proof.
struct Decided<'a> {
    /// What was priced: with calls before it where they count as one (R28).
    whole: Leg,
    kind: kind::Kind<'a>,
    charge: price::Charge,
    rated: Rated,
}

impl<'a> Decided<'a> {
    fn of(whole: &Leg, kind: &kind::Kind<'a>, charge: price::Charge, rated: Rated) -> Decided<'a> {
        Decided { whole: *whole, kind: *kind, charge, rated }
    }
}

/// A leg that is priced, of which kind, by which steps.
#[derive(Clone, Copy)]
struct Priced<'l, 'a> {
    leg: &'l Leg,
    kind: &'l kind::Kind<'a>,
    steps: StepRule,
}

/// Shows what was decided to `take`, so that [`rate`] need not move what only the proof asks for.
fn decide<'a, T>(
    leg: &Leg,
    world: World<'a>,
    period: Period,
    standing: Standing<'_>,
    draws: &mut Draws,
    take: impl FnOnce(&Leg, &kind::Kind<'a>, price::Charge, Rated) -> T,
) -> Result<T, Why> {
    draws.clear();
    // Of an account that is not there billing never starts.
    let account = world.directory.account_row(leg.account_row).ok_or(Why::BeforeBillingStart)?;
    if leg.answer < account.billing_start() {
        return Err(Why::BeforeBillingStart);
    }
    if let Called::Bad(bad) = leg.called {
        return Err(Why::BadNumber(bad));
    }
    let plan_id = world.tariff.plan_called(account.plan()).ok_or(Why::NoPlan)?;
    let (plan, home) = (world.tariff.plan(plan_id), account.country());
    let kind = match free::kind(leg, &account, plan_id, world.tariff) {
        Some(free) => Ok(free),
        None => kind::kind(leg, home, plan_id, world.tariff),
    };
    // Not taken out of there: to copy it as soon as it is written makes the processor wait.
    let kind = kind.as_ref().map_err(|why| *why)?;
    let steps = world.tariff.steps(plan_id, home, kind.class, kind.own_steps());
    let own = Priced { leg, kind, steps };
    let terms = Terms { month: pools::Month { world, plan, account, period }, plan_id, home, standing };
    match plan.successive {
        None => {
            let (charge, rated) = terms.price(own, None, draws)?;
            Ok(take(leg, kind, charge, rated))
        }
        Some(rule) => terms.price_in_succession(rule, own, draws, take),
    }
}

/// By what a leg is priced.
struct Terms<'t, 'a> {
    month: pools::Month<'a, 'a>,
    plan_id: PlanId,
    home: Country,
    standing: Standing<'t>,
}

impl<'a> Terms<'_, 'a> {
    #[inline(always)]
    fn price(
        &self,
        priced: Priced<'_, 'a>,
        before: Option<&Before>,
        draws: &mut Draws,
    ) -> Result<(price::Charge, Rated), Why> {
        let Terms { month, plan_id, home, standing } = self;
        let (world, plan, period) = (month.world, month.plan, month.period);
        let Priced { leg, kind, steps } = priced;
        let later = kind::Later { leg, home: *home, plan: *plan_id, tariff: world.tariff };
        let charge = price::charge(&later, kind, steps, month, (*standing, before), draws)?;
        let rated = Rated {
            period,
            call_type: charge.call_type,
            billable_seconds: charge.billable_seconds,
            included_seconds: charge.included_seconds,
            used_before: charge.allowance.map(|asked| asked.used),
            cost: charge.cost,
            basis: Basis {
                tariff: world.slot,
                plan: plan_id.0,
                rule: kind.rule,
                row: charge.row,
                steps,
                price: charge.price,
                currency: plan.currency,
                decimals: plan.cost_decimals,
                exchange: charge.exchange,
            },
        };
        Ok((charge, rated))
    }

    /// R28: where the plan counts calls in quick succession as one.
    #[inline(never)]
    fn price_in_succession<T>(
        &self,
        rule: Successive,
        own: Priced<'_, 'a>,
        draws: &mut Draws,
        take: impl FnOnce(&Leg, &kind::Kind<'a>, price::Charge, Rated) -> T,
    ) -> Result<T, Why> {
        let Terms { ref month, plan_id, home, standing } = *self;
        let (world, period) = (month.world, month.period);
        let place = successive::Place { month: period, tariff: world.slot, plan: plan_id, home };
        let succession = Succession::of(rule, &own, place, world.tariff, standing);
        let joined = succession.as_ref().and_then(Succession::joined);
        let (priced, before) = joined.map_or((own, None), |(chain, whole)| (whole, Some(&chain.before)));
        let (charge, rated) = self.price(priced, before, draws)?;
        if let Some(succession) = &succession {
            let tier = tiers::counted(month.plan, priced.kind, charge.tier, before.unwrap_or(&Before::NOTHING));
            succession.tell(own.leg, place, &rated, tier, draws);
        }
        Ok(take(priced.leg, priced.kind, charge, rated))
    }
}
