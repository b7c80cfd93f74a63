//! What kind of call a leg is: the first rule that fits of R6 to R11, and the row that speaks (R16).
//!
//! Where the rules leave something open, this is the answer:
//!
//! - A blocked row that is longer than the row which names the call type (R8) blocks the call: the longest prefix wins.
//! - A toll-free number called from home costs nothing (R10), but a blocked row still blocks it.
//! - An in-plan call under `overage = "deck"` is stepped by the matching row whether or not it goes beyond the
//!   allowance, since it is stepped before it is split. A plan without limit has no overage and asks no row.
//! - A ported number is rated by its routing number from R8 on, unless it is toll-free; whose it is (R7) goes by the
//!   number that was dialled.
//! - A short code is `domestic_premium` unless its row names another type.
//!
//! Does not know durations, allowances or amounts.

use super::{Called, Leg, Routing, Why};
use crate::call::{CallType, Exchange, StepRule};
use crate::number::classify::Class;
use crate::number::{Country, Number, NumberKind};
use crate::record::Direction;
use crate::tariff::buying::DeckList;
use crate::tariff::{Allowance, Asked, Found, Internal, Overage, PlanId, Side, Tariff};
use crate::time::{MICROS_PER_SECOND, Timestamp};

/// R16: digits beyond the calling code to which a row must go to price a number that is not known as valid.
const UNKNOWN_DIGITS: usize = 3;

/// What a leg is, by which rule, and the row that has a say in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind<'a> {
    /// 6 to 11, or 24.
    pub rule: u8,
    pub nature: Nature,
    /// Country and kind of the called number, where it is one.
    pub class: Option<Class>,
    /// The number by which it is rated, where it is one.
    pub number: Option<Number>,
    /// The row that decided type or price.
    pub row: Option<Found<'a>>,
    /// Whether that row sets the price: of the call, or of what goes beyond the allowance.
    pub row_prices: bool,
    /// How that row was looked up.
    asked: Option<Lookup>,
}

/// A look-up that found a row, to be asked again of a later moment of the call.
#[derive(Clone, Copy, Debug)]
struct Lookup {
    key: Number,
    among: Among,
}

/// Which rows are asked.
#[derive(Clone, Copy, Debug)]
enum Among {
    /// Of the plan's decks.
    Side(Side),
    /// Of them, only rows that name a call type (R8).
    Typed,
    /// Of what we pay.
    Costs(DeckList),
}

/// How a leg is charged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nature {
    /// Costs nothing, whatever its length.
    Free(CallType),
    /// Draws the allowance (R12).
    InPlan,
    /// Inside the account, where the plan does not count that: no seconds are billed.
    Uncounted,
    /// By its row.
    Charged(CallType),
}

impl<'a> Kind<'a> {
    /// Whether its length has a say in what it costs or draws.
    pub fn is_charged(&self) -> bool {
        matches!(self.nature, Nature::InPlan | Nature::Charged(_))
    }

    /// The steps of the row, where a deck row sets the price and has some (R14).
    #[inline]
    pub fn own_steps(&self) -> Option<StepRule> {
        self.pricing_row().and_then(Found::steps)
    }

    /// The row, where a deck row sets the price (R14).
    pub fn pricing_row(&self) -> Option<&Found<'a>> {
        self.row.as_ref().filter(|_| self.row_prices)
    }
}

/// R17: rows at later moments of a call, found as its first one was.
#[derive(Clone, Copy)]
pub(super) struct Later<'l, 'a> {
    pub leg: &'l Leg,
    pub home: Country,
    pub plan: PlanId,
    pub tariff: &'a Tariff,
}

impl<'a> Later<'_, 'a> {
    /// R18: how the prices of a row become costs in a currency; none where it is that of the row.
    #[inline]
    pub fn exchange(&self, row: &Found<'a>, currency: [u8; 3]) -> Result<Option<Exchange>, Why> {
        let Some(from) = self.tariff.currency_of(row.id).filter(|from| *from != currency) else { return Ok(None) };
        let rate = self.tariff.exchange(from, currency, self.leg.answer).ok_or(Why::NoExchangeRate)?.rate;
        Ok(Some(Exchange { from, rate }))
    }

    /// The row after so many billed seconds; the time of day is that moment's if bands split calls, else the answer's.
    pub fn row(&self, kind: &Kind<'a>, second: u32, split: bool) -> Result<Found<'a>, Why> {
        let Later { leg, home, plan, tariff } = *self;
        let Lookup { key, among } = kind.asked.ok_or(Why::NoRow)?;
        let into = if split { i64::from(second) * MICROS_PER_SECOND } else { 0 };
        let at = Timestamp(leg.answer.0.saturating_add(into));
        let asked = Asked { at, second, ..Asked::at_answer(leg.answer, leg.source) };
        let found = match among {
            Among::Side(side) => tariff.find(plan, side, key, &asked),
            Among::Typed => tariff.find_typed(plan, key, &asked),
            Among::Costs(list) => tariff.find_in_list(list, key, &asked),
        };
        let row = found.ok_or(Why::NoRow)?;
        match kind.class {
            Some(class) if !(Call { leg, home, plan, tariff }).reaches(&row, key, class) => Err(Why::RowTooShort),
            _ => Ok(row),
        }
    }
}

/// R16 among cost decks: the row by which a carrier charges; a block there is a price that is not known. A carrier goes by its
/// longest prefix whatever the numbering plan says of the number.
pub(super) fn bought<'a>(leg: &Leg, list: DeckList, key: Number, tariff: &'a Tariff) -> Result<Kind<'a>, Why> {
    let row = tariff.find_in_list(list, key, &Asked::at_answer(leg.answer, leg.source)).ok_or(Why::NoRow)?;
    charged(16, CallType::Overage, None, row, Lookup { key, among: Among::Costs(list) })
}

/// The row by which a plan sells to a prefix, whatever kind of call that is.
pub(super) fn sold<'a>(leg: &Leg, plan: PlanId, key: Number, tariff: &'a Tariff) -> Result<Kind<'a>, Why> {
    let asked = Asked::at_answer(leg.answer, leg.source);
    let row = tariff.find(plan, Side::Outbound, key, &asked).ok_or(Why::NoRow)?;
    charged(16, CallType::International, None, row, outbound(key))
}

/// R6 to R11.
pub(super) fn kind<'a>(leg: &Leg, home: Country, plan: PlanId, tariff: &'a Tariff) -> Result<Kind<'a>, Why> {
    let call = Call { leg, home, plan, tariff };
    match leg.direction {
        Direction::Outbound => call.outbound(),
        Direction::Inbound => call.inbound(),
    }
}

struct Call<'l, 'a> {
    leg: &'l Leg,
    home: Country,
    plan: PlanId,
    tariff: &'a Tariff,
}

impl<'a> Call<'_, 'a> {
    fn outbound(&self) -> Result<Kind<'a>, Why> {
        let number = match self.leg.called {
            Called::Emergency => return Ok(free(6, CallType::Emergency, None)),
            Called::Extension if self.internal_is_free() => return Ok(uncounted(None)),
            Called::Extension => return Ok(in_plan(7, None, None, false)),
            Called::ShortCode(key) => return self.short_code(key),
            Called::Number(number) => number,
            Called::Bad(bad) => return Err(Why::BadNumber(bad)),
        };
        let class = self.tariff.classify(number);
        if self.leg.to_own_number && self.internal_is_free() {
            return Ok(uncounted(Some(class)));
        }
        if self.leg.to_own_number {
            return Ok(self.in_plan(7, number, class));
        }
        // Toll-free numbers lead elsewhere by their nature, and are not rated by where.
        let (number, class) = match self.leg.routing {
            _ if class.kind == NumberKind::TollFree => (number, class),
            Routing::None => (number, class),
            Routing::Number(routing) => (routing, self.tariff.classify(routing)),
            Routing::Bad(_) => return Err(Why::BadRoutingNumber),
        };
        if let Some(row) = self.tariff.find_typed(self.plan, number, &self.asked()) {
            return self.named_by_row(row, number, Some(class));
        }
        let at_home = self.tariff.countries().is_home(self.home, class.country);
        if at_home && is_ordinary(class.kind) || self.tariff.plan_includes(self.plan, class) {
            return Ok(self.in_plan(9, number, class));
        }
        if class.kind == NumberKind::TollFree && self.shares_home_calling_code(number) {
            return match self.row(Side::Outbound, number) {
                Some(row) if row.blocked() => Err(Why::Blocked),
                _ => Ok(free(10, CallType::TollFreeOutbound, Some(class))),
            };
        }
        let call_type = if at_home { CallType::DomesticPremium } else { CallType::International };
        let row = self.row(Side::Outbound, number).ok_or(Why::NoRow)?;
        if !self.reaches(&row, number, class) {
            return Err(Why::RowTooShort);
        }
        charged(10, call_type, Some(class), row, outbound(number))
    }

    fn inbound(&self) -> Result<Kind<'a>, Why> {
        let number = match self.leg.called {
            Called::Number(number) => number,
            Called::Bad(bad) => return Err(Why::BadNumber(bad)),
            Called::Emergency | Called::Extension | Called::ShortCode(_) => {
                return Ok(free(11, CallType::Inbound, None));
            }
        };
        let class = self.tariff.classify(number);
        if !self.leg.to_own_number || class.kind != NumberKind::TollFree {
            return Ok(free(11, CallType::Inbound, Some(class)));
        }
        let row = self.row(Side::Inbound, number).ok_or(Why::NoRow)?;
        charged(11, CallType::TollFree, Some(class), row, Lookup { key: number, among: Among::Side(Side::Inbound) })
    }

    fn short_code(&self, key: Number) -> Result<Kind<'a>, Why> {
        if let Some(row) = self.tariff.find_typed(self.plan, key, &self.asked()) {
            return self.named_by_row(row, key, None);
        }
        let row = self.row(Side::Outbound, key).ok_or(Why::NoRow)?;
        charged(10, CallType::DomesticPremium, None, row, outbound(key))
    }

    /// R8: the longest row that names a call type gives type and price.
    fn named_by_row(&self, row: Found<'a>, number: Number, class: Option<Class>) -> Result<Kind<'a>, Why> {
        let asked = Lookup { key: number, among: Among::Typed };
        match row.call_type() {
            Some(CallType::Included) | None => {
                let number = class.map(|_| number);
                Ok(Kind { number, ..in_plan(8, class, Some((row, asked)), self.overage_by_deck()) })
            }
            Some(call_type) => {
                let longest = self.row(Side::Outbound, number);
                if longest.is_some_and(|longest| longest.blocked() && longest.digits() > row.digits()) {
                    return Err(Why::Blocked);
                }
                charged(8, call_type, class, row, asked)
            }
        }
    }

    #[inline(always)]
    fn in_plan(&self, rule: u8, number: Number, class: Class) -> Kind<'a> {
        if self.overage_by_deck() {
            return self.in_plan_by_deck(rule, number, class);
        }
        let (class, number) = (Some(class), Some(number));
        Kind { rule, nature: Nature::InPlan, class, number, row: None, row_prices: false, asked: None }
    }

    fn in_plan_by_deck(&self, rule: u8, number: Number, class: Class) -> Kind<'a> {
        let row = self.row(Side::Outbound, number).filter(|row| self.reaches(row, number, class));
        let asked = row.map(|row| (row, outbound(number)));
        Kind { number: Some(number), ..in_plan(rule, Some(class), asked, true) }
    }

    fn internal_is_free(&self) -> bool {
        self.tariff.plan(self.plan).internal == Internal::Free
    }

    fn overage_by_deck(&self) -> bool {
        let plan = self.tariff.plan(self.plan);
        plan.overage == Overage::Deck && plan.allowance != Allowance::Unlimited
    }

    fn row(&self, side: Side, number: Number) -> Option<Found<'a>> {
        self.tariff.find(self.plan, side, number, &self.asked())
    }

    fn asked(&self) -> Asked {
        Asked::at_answer(self.leg.answer, self.leg.source)
    }

    /// R16: whether a row may price a number that is not known as valid.
    fn reaches(&self, row: &Found<'_>, number: Number, class: Class) -> bool {
        if class.kind != NumberKind::Unknown || row.call_type().is_some() {
            return true;
        }
        let code = self.tariff.countries().calling_code(number).map_or(0, |(code, _)| code);
        let code_digits = code.checked_ilog10().map_or(0, |log| log as usize + 1);
        row.digits() >= code_digits + UNKNOWN_DIGITS
    }

    fn shares_home_calling_code(&self, number: Number) -> bool {
        let countries = self.tariff.countries();
        let called = countries.calling_code(number).map(|(code, _)| code);
        called.is_some() && called == countries.get(self.home).map(|plan| plan.calling_code())
    }
}

/// R9: the kinds that a plan includes inside the home country without naming them.
fn is_ordinary(kind: NumberKind) -> bool {
    matches!(
        kind,
        NumberKind::Fixed | NumberKind::Mobile | NumberKind::FixedOrMobile | NumberKind::Voip | NumberKind::Uan
    )
}

fn outbound(key: Number) -> Lookup {
    Lookup { key, among: Among::Side(Side::Outbound) }
}

pub(super) fn free<'a>(rule: u8, call_type: CallType, class: Option<Class>) -> Kind<'a> {
    Kind { rule, nature: Nature::Free(call_type), class, number: None, row: None, row_prices: false, asked: None }
}

fn uncounted<'a>(class: Option<Class>) -> Kind<'a> {
    Kind { rule: 7, nature: Nature::Uncounted, class, number: None, row: None, row_prices: false, asked: None }
}

fn in_plan<'a>(rule: u8, class: Option<Class>, row: Option<(Found<'a>, Lookup)>, row_prices: bool) -> Kind<'a> {
    let (row, asked) = row.unzip();
    Kind { rule, nature: Nature::InPlan, class, number: None, row, row_prices, asked }
}

fn charged<'a>(
    rule: u8,
    call_type: CallType,
    class: Option<Class>,
    row: Found<'a>,
    asked: Lookup,
) -> Result<Kind<'a>, Why> {
    if row.blocked() {
        return Err(Why::Blocked);
    }
    let nature = Nature::Charged(call_type);
    // A short code is no number, and has no class.
    let number = class.map(|_| asked.key);
    Ok(Kind { rule, nature, class, number, row: Some(row), row_prices: true, asked: Some(asked) })
}
