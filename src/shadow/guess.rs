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
use crate::call::{CallType, RatedCall, StepMode, StepRule};
use crate::money::{Money, Price};
use crate::record::Direction;
use crate::tariff::{Asked, Overage, PlanId, Side, Tariff};
use crate::time::{MICROS_PER_SECOND, Micros, Timestamp};

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

/// Steps that are sold: first block and each further one, seconds.
pub const STEPS: [(u32, u32); 24] = [
    (60, 60),
    (1, 1),
    (60, 1),
    (30, 6),
    (6, 6),
    (30, 30),
    (30, 1),
    (60, 6),
    (60, 30),
    (90, 60),
    (60, 10),
    (20, 6),
    (12, 6),
    (18, 6),
    (10, 10),
    (15, 15),
    (20, 20),
    (6, 1),
    (120, 60),
    (180, 60),
    (30, 60),
    (60, 15),
    (5, 5),
    (10, 1),
];

/// Most explanations told of one call: beyond them they say nothing.
const RULES_MAX: usize = 64;

/// One way along an axis: what it is called and what it gives; the first of an axis is ours.
struct Way<T> {
    name: &'static str,
    words: String,
    value: T,
}

fn way<T>(name: &'static str, words: impl Into<String>, value: T) -> Way<T> {
    Way { name, words: words.into(), value }
}

/// How the fraction becomes digits.
#[derive(Clone, Copy)]
enum Method {
    /// Multiplied, then rounded.
    Once(Mode, u32),
    /// The price a second rounded to so many decimals, multiplied, then rounded as ours is.
    Second(Mode, u32),
    /// The same with the price of a step.
    Step(Mode, u32),
}

/// A price, and the steps that go with it if they are its own.
#[derive(Clone, Copy)]
struct Priced {
    price: Price,
    steps: Option<StepRule>,
    /// Charged also where nothing of the call is.
    fee_always: bool,
}

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
struct Own {
    talk: Micros,
    steps: StepRule,
    billable: u32,
    decimals: u32,
    price: Price,
    exchange: Option<Money>,
    in_plan: bool,
    /// Allowance left before the call, as far as it mattered.
    left: u32,
    /// The formula gives our cost: not so where prices changed while the call lasted.
    holds: bool,
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

    /// Billable seconds: ours first.
    fn seconds(&self, compared: &Compared<'_>) -> Vec<Way<u32>> {
        let (talk, steps) = (self.talk, self.steps);
        let ours = shown(&steps);
        let mut ways = vec![way("", "", self.billable)];
        let bare = StepRule { minimum: 0, free_below: Micros(0), ..steps };
        for (initial, increment) in STEPS {
            let other = StepRule { mode: StepMode::Up, initial, increment, ..bare };
            ways.push(way("steps", format!("steps {initial}/{increment} instead of {ours}"), other.billable(talk)));
        }
        for increment in [60, 6, 1] {
            let other = StepRule { mode: StepMode::Nearest, initial: increment, increment, ..bare };
            let words = format!("seconds to the nearest {increment} instead of {ours}");
            ways.push(way("steps", words, other.billable(talk)));
        }
        if steps.mode == StepMode::Up && steps.initial != steps.increment {
            let whole = StepRule { initial: steps.increment, ..bare }.billable(talk).max(steps.initial);
            let words = format!(
                "the whole call in steps of {}, not what is behind the initial {}",
                steps.increment, steps.initial
            );
            ways.push(way("total_stepped", words, whole));
        }
        if steps.minimum > 0 {
            ways.push(way(
                "steps",
                format!("without the minimum of {} s", steps.minimum),
                StepRule { minimum: 0, ..steps }.billable(talk),
            ));
        }
        if steps.free_below > Micros(0) {
            let words = format!("calls below {} s are not forgiven", steps.free_below);
            ways.push(way("steps", words, StepRule { free_below: Micros(0), ..steps }.billable(talk)));
        }
        let second = MICROS_PER_SECOND;
        let down = talk.0.div_euclid(second) * second;
        let up = talk.0.saturating_add(second - 1).div_euclid(second) * second;
        let near = talk.0.saturating_add(second / 2).div_euclid(second) * second;
        for (words, micros) in [
            ("fractions of a second cut off before the steps", down),
            ("the next whole second before the steps", up),
            ("the nearest whole second before the steps", near),
        ] {
            ways.push(way("whole_seconds", words, steps.billable(Micros(micros))));
        }
        if let Some(rings) = compared.start.map(|start| compared.call.answer.0.saturating_sub(start.0))
            && (1..=3600 * second).contains(&rings)
        {
            let whole = Micros(talk.0.saturating_add(rings));
            ways.push(way("ringing", "from the set-up, ringing included", steps.billable(whole)));
        }
        ways
    }

    /// Allowance left: ours first.
    fn lefts(&self) -> Vec<Way<u32>> {
        let mut ways = vec![way("", "", self.left)];
        if self.in_plan {
            ways.push(way("allowance", "as if nothing were left of the allowance", 0));
        }
        ways
    }

    /// Prices: ours first.
    fn prices(&self, compared: &Compared<'_>) -> Vec<Way<Priced>> {
        let ours = Priced { price: self.price, steps: None, fee_always: false };
        let mut ways = vec![way("", "", ours)];
        let price = self.price;
        if price.connect_fee != Money::ZERO {
            let none = Priced { price: Price { connect_fee: Money::ZERO, ..price }, ..ours };
            ways.push(way("fee", "without the connect fee", none));
            ways.push(way("fee", "with the connect fee where none is due", Priced { fee_always: true, ..ours }));
        }
        if price.minimum_cost.is_some() {
            let none = Priced { price: Price { minimum_cost: None, ..price }, ..ours };
            ways.push(way("caps", "without the least cost of a call", none));
        }
        if price.maximum_cost.is_some() {
            let none = Priced { price: Price { maximum_cost: None, ..price }, ..ours };
            ways.push(way("caps", "without the highest cost of a call", none));
        }
        for priced in shorter(compared) {
            ways.push(way("prefix", "the price of a shorter prefix of the decks", priced));
        }
        ways
    }

    /// Ways to digits: ours first.
    fn methods(&self) -> Vec<Way<Method>> {
        let own = self.decimals;
        let mut ways = vec![way("", "", Method::Once(Mode::HalfUp, own))];
        for (mode, words) in
            [(Mode::Down, "rounded down"), (Mode::Up, "rounded up"), (Mode::HalfEven, "halves rounded to even")]
        {
            ways.push(way("rounding", words, Method::Once(mode, own)));
        }
        for decimals in [2, 3, 4, 5, 6, 1, 0, 7, 8, 9, 10, 12].into_iter().filter(|decimals| *decimals != own) {
            for (mode, how) in [(Mode::HalfUp, "rounded"), (Mode::Down, "rounded down"), (Mode::Up, "rounded up")] {
                let words = format!("{how} to {decimals} decimals instead of {own}");
                ways.push(way("rounding", words, Method::Once(mode, decimals)));
            }
        }
        for decimals in 2..=8 {
            for (mode, how) in [(Mode::HalfUp, "rounded"), (Mode::Down, "rounded down")] {
                let words =
                    |of: &str| format!("the price of {of} {how} to {decimals} decimals before it is multiplied");
                ways.push(way("price_rounded_first", words("a second"), Method::Second(mode, decimals)));
                ways.push(way("price_rounded_first", words("a step"), Method::Step(mode, decimals)));
            }
        }
        ways
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

fn shown(steps: &StepRule) -> String {
    match steps.mode {
        StepMode::Up => format!("{}/{}", steps.initial, steps.increment),
        StepMode::Nearest => format!("the nearest {}", steps.increment),
    }
}

/// Prices of the shorter prefixes that the plan's decks have for the number, from longer to shorter.
fn shorter(compared: &Compared<'_>) -> Vec<Priced> {
    let call = compared.call;
    let (Some(tariff), Some(number), Some(row)) = (compared.tariff, call.destination, call.basis.row) else {
        return Vec::new();
    };
    if row >= tariff.row_count() || usize::from(call.basis.plan) >= tariff.plans().len() {
        return Vec::new();
    }
    let side = match call.key.leg {
        Direction::Outbound => Side::Outbound,
        Direction::Inbound => Side::Inbound,
    };
    let asked = Asked::at_answer(call.answer, call.source);
    let mut digits = tariff.row(crate::tariff::RowId(row)).prefix.len();
    let mut found = Vec::new();
    while digits > 1 {
        let Some(shorter) = tariff.lookup(PlanId(call.basis.plan), side, number.prefix(digits - 1), asked) else {
            break;
        };
        digits = shorter.prefix.len();
        if !shorter.blocked {
            found.push(Priced { price: shorter.price, steps: shorter.steps, fee_always: false });
        }
    }
    found
}
