//! The axes along which other systems deviate: billable seconds, allowance, price, and the way to digits; ours first.
//!
//! Does not know what a deviation comes to.

use super::exact::Mode;
use super::guess::{Compared, Own};
use crate::call::{StepMode, StepRule};
use crate::money::{Money, Price};
use crate::record::Direction;
use crate::tariff::{Asked, PlanId, Side};
use crate::time::{MICROS_PER_SECOND, Micros};

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

/// One way along an axis: what it is called and what it gives; the first of an axis is ours.
pub struct Way<T> {
    pub name: &'static str,
    pub words: String,
    pub value: T,
}

fn way<T>(name: &'static str, words: impl Into<String>, value: T) -> Way<T> {
    Way { name, words: words.into(), value }
}

/// How the fraction becomes digits.
#[derive(Clone, Copy)]
pub enum Method {
    /// Multiplied, then rounded.
    Once(Mode, u32),
    /// The price a second rounded to so many decimals, multiplied, then rounded as ours is.
    Second(Mode, u32),
    /// The same with the price of a step.
    Step(Mode, u32),
}

/// A price, and the steps that go with it if they are its own.
#[derive(Clone, Copy)]
pub struct Priced {
    pub price: Price,
    pub steps: Option<StepRule>,
    /// Charged also where nothing of the call is.
    pub fee_always: bool,
}

impl Own {
    /// Billable seconds: ours first.
    pub fn seconds(&self, compared: &Compared<'_>) -> Vec<Way<u32>> {
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
    pub fn lefts(&self) -> Vec<Way<u32>> {
        let mut ways = vec![way("", "", self.left)];
        if self.in_plan {
            ways.push(way("allowance", "as if nothing were left of the allowance", 0));
        }
        ways
    }

    /// Prices: ours first.
    pub fn prices(&self, compared: &Compared<'_>) -> Vec<Way<Priced>> {
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
    pub fn methods(&self) -> Vec<Way<Method>> {
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
