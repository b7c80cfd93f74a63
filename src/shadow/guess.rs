//! By which rule another system may have come to its price: each hypothesis is one deviation from ours, or two, computed
//! with exact arithmetic from the call's talk time and price. Those that give its digits are the explanations.
//!
//! ```text
//! talk time ─ seconds ─▶ billable ─ allowance ─▶ charged ─ price ─▶ fraction ─ method ─▶ digits
//!             steps,                 left or               fee, caps,         rounding, price
//!             whole seconds,         nothing left          shorter prefix     rounded first
//!             ringing
//! ```
//! One deviation is tried before two; what two hypotheses give alike is ambiguous, and all are told.
//!
//! Does not know where calls come from, nor how many there are.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::exact::{Exact, Mode};
use super::ways::{Method, Priced};
use crate::call::{CallType, RatedCall, StepRule};
use crate::money::{Money, Price};
use crate::tariff::{Overage, Tariff};
use crate::time::{Micros, Timestamp};

/// One call, and what the other system says of it.
#[derive(Clone, Copy)]
pub struct Compared<'a> {
    /// As we rated it.
    pub call: &'a RatedCall,
    /// Set-up of the call.
    pub start: Option<Timestamp>,
    /// The image by which it was rated, for other rows of its decks.
    pub tariff: Option<&'a Tariff>,
    /// What the other system charges, in the currency of our cost.
    pub told: Decimal,
    /// The seconds it bills, where it says so.
    pub seconds: Option<u32>,
}

/// An explanation. Its order is that of preference where two explain equally many calls.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rule {
    /// Deviations from our way: 1 or 2.
    pub deviations: u8,
    rank: u16,
    /// A name for programs: `steps`, `rounding`, …; two joined by `+`.
    pub name: Cow<'static, str>,
    /// A sentence for people.
    pub words: String,
}

impl Rule {
    /// An explanation of its own.
    pub fn new(name: &'static str, words: impl Into<String>) -> Rule {
        Rule { deviations: 1, rank: 0, name: Cow::Borrowed(name), words: words.into() }
    }
}

/// Most explanations told of one call: beyond them they say nothing.
const RULES_MAX: usize = 64;

/// Every explanation, best first; none: unexplained. `equal` calls are not asked about.
pub fn rules(compared: &Compared<'_>) -> Vec<Rule> {
    let call = compared.call;
    let own = Own::of(compared);
    let told = compared.told;
    let mut found = Vec::new();
    if told.is_zero() {
        found.push((
            true,
            if own.in_plan {
                Rule::new("allowance", "they charge nothing: to them the allowance covers it")
            } else {
                Rule::new("nothing", "they charge nothing")
            },
        ));
    } else if told == -call.cost.decimal() {
        return vec![Rule::new("sign", "the same amount with the other sign")];
    }
    if !own.holds {
        return found.into_iter().map(|(_, rule)| rule).collect();
    }
    let seconds = own.seconds(compared);
    let lefts = own.lefts();
    let prices = own.prices(compared);
    let methods = own.methods();
    for deviations in 1..=2 {
        for (s, second) in seconds.iter().enumerate() {
            for (l, left) in lefts.iter().enumerate() {
                for (p, priced) in prices.iter().enumerate() {
                    let used = usize::from(s > 0) + usize::from(l > 0) + usize::from(p > 0);
                    // The last axis adds one or none.
                    if used > deviations || used + 1 < deviations {
                        continue;
                    }
                    let billable = match priced.value.steps {
                        Some(steps) if s == 0 => steps.billable(call.duration),
                        _ => second.value,
                    };
                    // With the last axis the sum has to come out: either it deviates, or it does not.
                    let range = if used == deviations { 0..1 } else { 1..methods.len() };
                    for (m, method) in methods.iter().enumerate().take(range.end).skip(range.start) {
                        if own.cost(billable, left.value, &priced.value, method.value) != Some(told) {
                            continue;
                        }
                        let parts: Vec<(&'static str, &str)> = [
                            (s > 0).then_some((second.name, second.words.as_str())),
                            (l > 0).then_some((left.name, left.words.as_str())),
                            (p > 0).then_some((priced.name, priced.words.as_str())),
                            (m > 0).then_some((method.name, method.words.as_str())),
                        ]
                        .into_iter()
                        .flatten()
                        .collect();
                        let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
                        let words: Vec<&str> = parts.iter().map(|(_, words)| *words).collect();
                        let fits = compared.seconds.is_none_or(|told| told == billable);
                        let rule = Rule {
                            deviations: deviations as u8,
                            rank: (s + l + p + m) as u16,
                            name: names.join("+").into(),
                            words: words.join(", and "),
                        };
                        found.push((fits, rule));
                    }
                }
            }
        }
        if deviations == 1 {
            found.extend(own.boundary(compared).map(|rule| (true, rule)));
        }
        if !found.is_empty() {
            break;
        }
    }
    settle(compared, &own, found)
}

fn settle(compared: &Compared<'_>, own: &Own, found: Vec<(bool, Rule)>) -> Vec<Rule> {
    // Where the seconds that it bills are told, what bills others is out, if anything else is left.
    let fits = found.iter().any(|(fits, _)| *fits);
    let mut rules: Vec<Rule> = found.into_iter().filter(|(of, _)| *of || !fits).map(|(_, rule)| rule).collect();
    if rules.is_empty() {
        rules.extend(own.last_resort(compared));
    }
    rules.sort();
    rules.dedup();
    rules.truncate(RULES_MAX);
    rules
}

/// What our own price was made of.
pub(super) struct Own {
    pub talk: Micros,
    pub steps: StepRule,
    pub billable: u32,
    pub decimals: u32,
    pub price: Price,
    pub exchange: Option<Money>,
    pub in_plan: bool,
    /// Allowance left before the call, as far as it mattered.
    pub left: u32,
    /// The formula gives our cost: not so where prices changed while the call lasted.
    pub holds: bool,
}

impl Own {
    fn of(compared: &Compared<'_>) -> Own {
        let call = compared.call;
        let in_plan = matches!(call.call_type, CallType::Included | CallType::Overage);
        let beyond = call.overage_seconds();
        let mut own = Own {
            talk: call.duration,
            steps: call.basis.steps,
            billable: call.billable_seconds,
            decimals: u32::from(call.basis.decimals),
            price: call.basis.price,
            exchange: call.basis.exchange.map(|exchange| exchange.rate),
            in_plan,
            left: if beyond > 0 || !in_plan { call.included_seconds } else { u32::MAX },
            holds: true,
        };
        let ours = Priced { price: own.price, steps: None, fee_always: false };
        own.holds = own.cost(own.billable, own.left, &ours, Method::Once(Mode::HalfUp, own.decimals))
            == Some(call.cost.decimal());
        // A call that the allowance covers has no price of its own: what goes beyond would have the plan's.
        if own.in_plan && beyond == 0 {
            let plan = compared.tariff.and_then(|tariff| tariff.plans().get(usize::from(call.basis.plan)));
            if let Some(Overage::Rate(rate)) = plan.map(|plan| plan.overage) {
                own.price.rate = rate;
            }
        }
        own
    }

    /// The cost in digits, or none where the digits overflow.
    fn cost(&self, billable: u32, left: u32, priced: &Priced, method: Method) -> Option<Decimal> {
        let charged = if self.in_plan { billable.saturating_sub(left) } else { billable };
        let price = &priced.price;
        let nothing = self.in_plan && charged == 0;
        let due = !self.steps.forgives(self.talk) && !nothing || priced.fee_always;
        let fee = if due { price.connect_fee.0 } else { 0 };
        let talk = match method {
            Method::Once(..) => Exact::new(i128::from(price.rate.0) * i128::from(charged), 60),
            Method::Second(mode, decimals) => {
                let second = Exact::new(i128::from(price.rate.0), 60).rounded(mode, decimals)?;
                Exact::new(second.checked_mul(i128::from(charged))?, 1)
            }
            Method::Step(mode, decimals) => {
                let increment = self.steps.increment.max(1);
                if charged % increment != 0 {
                    return None;
                }
                let step = i128::from(price.rate.0) * i128::from(increment);
                let step = Exact::new(step, 60).rounded(mode, decimals)?;
                Exact::new(step.checked_mul(i128::from(charged / increment))?, 1)
            }
        };
        let mut sum = talk.plus(fee);
        if charged > 0 {
            if let Some(least) = price.minimum_cost {
                sum = sum.at_least(least.0);
            }
            if let Some(most) = price.maximum_cost {
                sum = sum.at_most(most.0);
            }
        }
        if let Some(rate) = self.exchange {
            sum = sum.times(rate.0, 1_000_000_000)?;
        }
        let (mode, decimals) = match method {
            Method::Once(mode, decimals) => (mode, decimals),
            _ => (Mode::HalfUp, self.decimals),
        };
        sum.digits(mode, decimals)
    }

    /// What is said where nothing fits but a number of seconds.
    fn last_resort(&self, compared: &Compared<'_>) -> Option<Rule> {
        let ours = Priced { price: self.price, steps: None, fee_always: false };
        let once = Method::Once(Mode::HalfUp, self.decimals);
        if let Some(seconds) = compared.seconds
            && self.cost(seconds, self.left, &ours, once) == Some(compared.told)
        {
            return Some(Rule::new("seconds", "our price, by the seconds that they say they bill"));
        }
        None
    }

    /// Whether the call's charge is ours for another part of it.
    fn boundary(&self, compared: &Compared<'_>) -> Option<Rule> {
        if !self.in_plan || self.price.rate == Money::ZERO {
            return None;
        }
        let ours = Priced { price: self.price, steps: None, fee_always: false };
        let cost = |seconds| self.cost(seconds, 0, &ours, Method::Once(Mode::HalfUp, self.decimals));
        // Costs grow with the seconds that are charged: one of so many gives the digits, or none does.
        let (mut low, mut high) = (0, self.billable);
        while low < high {
            let middle = low + (high - low) / 2;
            let less = cost(middle).is_some_and(|cost| cost < compared.told);
            (low, high) = if less { (middle + 1, high) } else { (low, middle) };
        }
        let inside = low > 0 && low < self.billable && cost(low) == Some(compared.told);
        inside.then(|| Rule::new("allowance", "their allowance ends at another second of the call"))
    }
}
