//! Exact money: integers of fixed scale in the heart, `rust_decimal` at the edges.
//!
//! A [`Money`] is a count of nano-units (10⁻⁹ of a currency unit) in an `i64`; a price is rounded once (R18).
//! No binary floating point exists here or anywhere a price is made.
//!
//! Does not know rates' sources, or who pays.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

mod minor;

pub use minor::minor_unit;

/// Decimals of a [`Money`].
pub const MONEY_DECIMALS: u32 = 9;
const NANOS: i128 = 1_000_000_000;

/// The largest rate, fee or cap a deck may hold, in units. With a 24-hour call (R2) a cost stays below
/// 1 440 × 10⁶ + 10⁶ units, which an `i64` of nano-units (9.2 × 10⁹ units) holds.
pub const MONEY_INPUT_MAX: i64 = 1_000_000;
const _: () = assert!((MONEY_INPUT_MAX as i128) * 1442 * NANOS < i64::MAX as i128);

/// An amount or a per-minute rate in nano-units of its currency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Money(pub i64);

/// A sum of amounts; wide enough for every call ever rated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Sum(pub i128);

/// Why a text is not an amount.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMoney {
    /// Not digits with at most one point.
    #[error("not a decimal number")]
    NotDecimal,
    /// More than nine decimals would have to be cut.
    #[error("more than {MONEY_DECIMALS} decimals: it would have to be rounded")]
    TooFine,
    /// Beyond [`MONEY_INPUT_MAX`].
    #[error("larger than {MONEY_INPUT_MAX}")]
    TooLarge,
}

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);

    /// Reads `0.02`, `12`, `-1.5`. No thousands separator, no exponent: a comma is never guessed at here.
    pub fn parse(text: &str) -> Result<Money, BadMoney> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() && part.is_empty() || !all_digits(whole) || !all_digits(part) {
            return Err(BadMoney::NotDecimal);
        }
        let part = part.trim_end_matches('0');
        if part.len() > MONEY_DECIMALS as usize {
            return Err(BadMoney::TooFine);
        }
        let whole = whole.trim_start_matches('0');
        if whole.len() > 9 {
            return Err(BadMoney::TooLarge);
        }
        let mut nanos: i64 = 0;
        for b in whole.bytes() {
            nanos = nanos * 10 + i64::from(b - b'0');
        }
        if nanos > MONEY_INPUT_MAX {
            return Err(BadMoney::TooLarge);
        }
        for i in 0..MONEY_DECIMALS as usize {
            let d = part.as_bytes().get(i).map_or(0, |b| i64::from(b - b'0'));
            nanos = nanos * 10 + d;
        }
        Ok(Money(if negative { -nanos } else { nanos }))
    }

    /// The same amount as a `rust_decimal`.
    pub fn decimal(self) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(self.0), MONEY_DECIMALS)
    }

    /// With at least `decimals` decimals, more only where the value needs them: `0.0200`.
    pub fn fixed(self, decimals: u32) -> String {
        Sum(i128::from(self.0)).fixed(decimals)
    }
}

/// A share as people write it: `5` or `"2.5"` per cent.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged)]
pub enum PerCent {
    /// Whole per cent.
    Whole(u8),
    /// A decimal in quotes.
    Decimal(Money),
}

impl PerCent {
    /// Per cent; none where it is more than all, or less than nothing.
    pub fn value(&self) -> Option<Money> {
        let value = match self {
            PerCent::Whole(whole) => Money(i64::from(*whole) * 1_000_000_000),
            PerCent::Decimal(value) => *value,
        };
        (0..=100_000_000_000).contains(&value.0).then_some(value)
    }
}

impl Sum {
    /// Adds one amount; cannot overflow below 10²⁰ calls.
    pub fn add(&mut self, amount: Money) {
        self.0 += i128::from(amount.0);
    }

    /// With at least `decimals` decimals, more only where the value needs them.
    pub fn fixed(self, decimals: u32) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let abs = self.0.unsigned_abs();
        let (whole, part) = (abs / NANOS as u128, abs % NANOS as u128);
        let mut text = format!("{part:09}");
        let needed = text.trim_end_matches('0').len().max(decimals as usize);
        text.truncate(needed);
        if text.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{text}") }
    }
}

impl fmt::Display for Money {
    /// Shortest exact form: `0.02`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fixed(0))
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fixed(0))
    }
}

impl serde::Serialize for Money {
    /// A decimal string: amounts are never JSON numbers.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Money::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Hundredths of a per cent with their sign: `+25.00`.
pub fn signed_percent(hundredths: i64) -> String {
    let sign = if hundredths < 0 { '-' } else { '+' };
    let by = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", by / 100, by % 100)
}

/// What a price is made of (R18). Rates are per minute.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Price {
    /// Per minute.
    pub rate: Money,
    /// Due once whenever there was talk time that was not forgiven.
    pub connect_fee: Money,
    /// Smallest cost if something is billable.
    pub minimum_cost: Option<Money>,
    /// Largest cost if something is billable.
    pub maximum_cost: Option<Money>,
}

/// Seconds, each times its rate per minute and times what a unit of its currency is worth: sixtieths of a nano-unit
/// times 10⁹.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExchangedSeconds(pub i128);

impl ExchangedSeconds {
    /// Adds seconds at a rate in a currency of which one unit is worth `exchange`.
    pub fn add(&mut self, rate: Money, exchange: Money, seconds: u32) {
        self.0 += i128::from(rate.0) * i128::from(seconds) * i128::from(exchange.0);
    }
}

/// The same, each times what is left of it after a discount, in thousandths: sixtieths of a nano-unit times 10¹².
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DiscountedSeconds(pub i128);

impl DiscountedSeconds {
    /// Adds seconds of whose price so many thousandths are due.
    pub fn add(&mut self, rate: Money, exchange: Money, thousandths: u16, seconds: u32) {
        // At most 10¹⁵ × 10⁵ × 10¹⁵ × 10³, still below what 128 bits hold.
        self.0 += i128::from(rate.0) * i128::from(seconds) * i128::from(exchange.0) * i128::from(thousandths);
    }
}

impl Price {
    /// `round(min(max(connect_fee + rate × seconds / 60, minimum), maximum), decimals)`: multiplied first,
    /// rounded once, halves away from zero (R18). The caller decides whether the fee and the caps are due.
    #[inline]
    pub fn cost(&self, billable_seconds: i64, decimals: u32) -> Money {
        match self.cost_in_one_word(billable_seconds, decimals) {
            Some(cost) => cost,
            None => self.cost_of_any(billable_seconds, decimals),
        }
    }

    /// [`Price::cost`] for whatever fits: dividing 128 bits takes longer than all the rest.
    #[inline]
    fn cost_of_any(&self, billable_seconds: i64, decimals: u32) -> Money {
        // Sixtieths of a nano-unit, so that nothing is divided before the one rounding.
        let seconds = i128::from(self.rate.0) * i128::from(billable_seconds);
        self.bounded(seconds, 60, 60 * rounding_step(decimals), decimals)
    }

    /// [`Price::cost`] where every step of it fits into 64 bits, as for nearly every call: the same steps, none where one does
    /// not fit.
    #[inline]
    fn cost_in_one_word(&self, billable_seconds: i64, decimals: u32) -> Option<Money> {
        let step = STEPS.get(decimals as usize).copied().unwrap_or(1);
        let divisor = 60 * step;
        let mut sum = self.rate.0.checked_mul(billable_seconds)?.checked_add(self.connect_fee.0.checked_mul(60)?)?;
        if let Some(least) = self.minimum_cost {
            sum = sum.max(least.0.checked_mul(60)?);
        }
        if let Some(most) = self.maximum_cost {
            sum = sum.min(most.0.checked_mul(60)?);
        }
        let half = divisor / 2;
        // The last decimal is at most 10⁹ nano-units, and what is left of it is less: the product fits as the sum did.
        let rounded = sum.checked_add(if sum < 0 { -half } else { half })? / divisor;
        rounded.checked_mul(step).map(Money)
    }

    /// [`Price::cost`] where seconds have rates of their own, multiplied and added up already, and one unit of this price's
    /// currency is worth `exchange`: converted within the one rounding. Its own rate does not count.
    pub fn cost_exchanged(&self, seconds: ExchangedSeconds, exchange: Money, decimals: u32) -> Money {
        // Sixtieths of a nano-unit times 10⁹: at most 10¹⁵ × 10⁵ × 10¹⁵, far below what 128 bits hold.
        let unit = 60 * i128::from(exchange.0);
        self.bounded(seconds.0, unit, 60 * NANOS * rounding_step(decimals), decimals)
    }

    /// [`Price::cost_exchanged`] where of each second's price not all may be due. Fee and caps are due whole.
    pub fn cost_discounted(&self, seconds: DiscountedSeconds, exchange: Money, decimals: u32) -> Money {
        let unit = 60 * i128::from(exchange.0) * 1000;
        self.bounded(seconds.0, unit, 60 * NANOS * 1000 * rounding_step(decimals), decimals)
    }

    /// Fee, caps and rounding, all in parts of which `unit` make a nano-unit of this price, `divisor` a last decimal.
    fn bounded(&self, seconds: i128, unit: i128, divisor: i128, decimals: u32) -> Money {
        let mut sum = i128::from(self.connect_fee.0) * unit + seconds;
        if let Some(least) = self.minimum_cost {
            sum = sum.max(i128::from(least.0) * unit);
        }
        if let Some(most) = self.maximum_cost {
            sum = sum.min(i128::from(most.0) * unit);
        }
        // Halves away from zero.
        let half = divisor / 2;
        let rounded = if sum < 0 { (sum - half) / divisor } else { (sum + half) / divisor };
        Money(i64::try_from(rounded * rounding_step(decimals)).unwrap_or(i64::MAX))
    }
}

/// Nano-units in the last decimal, by how many there are; with more than these it is one.
const STEPS: [i64; MONEY_DECIMALS as usize] =
    [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10];

/// Nano-units in the last decimal.
fn rounding_step(decimals: u32) -> i128 {
    i128::from(STEPS.get(decimals as usize).copied().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::RoundingStrategy;

    /// Amounts of every size, of either sign.
    fn any_size() -> impl Strategy<Value = i64> {
        (0..63_u32, any::<i64>()).prop_map(|(bits, n)| n >> bits)
    }

    fn price(rate: &str, fee: &str) -> Price {
        Price {
            rate: Money::parse(rate).unwrap(),
            connect_fee: Money::parse(fee).unwrap(),
            minimum_cost: None,
            maximum_cost: None,
        }
    }

    #[test]
    fn costs_are_exact() {
        // rate, fee, seconds, decimals, cost
        for (rate, fee, seconds, decimals, cost) in [
            ("0.02", "0", 60, 4, "0.0200"),
            ("0.1", "0", 180, 4, "0.3000"),
            ("0.00005", "0", 60, 4, "0.0001"),
            ("0.015", "0", 60, 4, "0.0150"),
            ("0.12", "0", 36, 4, "0.0720"),
            ("0.12", "0", 42, 4, "0.0840"),
            ("0.79", "0", 60, 4, "0.7900"),
            ("1234.5", "1000", 60, 2, "2234.50"),
            ("-0.00005", "0", 60, 4, "-0.0001"),
            ("0.00333", "0.1", 7, 6, "0.100389"),
        ] {
            assert_eq!(price(rate, fee).cost(seconds, decimals).fixed(decimals), cost, "{rate} {fee} {seconds}");
        }
    }

    #[test]
    fn amounts_are_read_exactly_or_refused() {
        assert_eq!(Money::parse("0.123456789"), Ok(Money(123_456_789)));
        assert_eq!(Money::parse(".5"), Ok(Money(500_000_000)));
        assert_eq!(Money::parse("1000000"), Ok(Money(1_000_000_000_000_000)));
        assert_eq!(Money::parse("0.1234567891"), Err(BadMoney::TooFine));
        assert_eq!(Money::parse("1000001"), Err(BadMoney::TooLarge));
        for bad in ["", ".", "-", "1,5", "1e3", "0x1", " 1", "1.2.3", "１"] {
            assert_eq!(Money::parse(bad), Err(BadMoney::NotDecimal), "{bad:?}");
        }
    }

    #[test]
    fn steps_are_powers_of_ten() {
        for decimals in 0..=MONEY_DECIMALS + 1 {
            assert_eq!(rounding_step(decimals), 10_i128.pow(MONEY_DECIMALS.saturating_sub(decimals)), "{decimals}");
        }
    }

    proptest! {
        /// In 64 bits it is what it is in 128, up to where it does not fit any more.
        #[test]
        fn one_word_equals_two(
            (rate, fee) in (any_size(), any_size()), seconds in 0..200_000_i64, decimals in 0..=10_u32,
            (low, high) in (proptest::option::of(any_size()), proptest::option::of(any_size())),
        ) {
            let p = Price { rate: Money(rate), connect_fee: Money(fee), minimum_cost: low.map(Money), maximum_cost: high.map(Money) };
            let whole = p.cost_of_any(seconds, decimals);
            prop_assert_eq!(p.cost(seconds, decimals), whole);
            let small = [rate, fee, low.unwrap_or(0), high.unwrap_or(0)].iter().all(|n| n.abs() < 10_000_000_000_000);
            prop_assert_eq!(p.cost_in_one_word(seconds, decimals).unwrap_or(whole), whole);
            prop_assert!(!small || p.cost_in_one_word(seconds, decimals).is_some(), "slow where it need not be");
        }

        /// The heart's integers and `rust_decimal` agree to the digit.
        #[test]
        fn integers_equal_decimals(
            rate in 0..MONEY_INPUT_MAX * 1_000_000_000, fee in 0..1_000_000_000_000_i64, seconds in 0..86_400_i64,
            low in proptest::option::of(0..1_000_000_000_000_i64), high in proptest::option::of(0..1_000_000_000_000_i64),
            decimals in 0..=8_u32,
        ) {
            let p = Price { rate: Money(rate), connect_fee: Money(fee), minimum_cost: low.map(Money), maximum_cost: high.map(Money) };
            let mut expected = Money(rate).decimal() * Decimal::from(seconds) / Decimal::from(60) + Money(fee).decimal();
            if let Some(low) = low { expected = expected.max(Money(low).decimal()); }
            if let Some(high) = high { expected = expected.min(Money(high).decimal()); }
            let expected = expected.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
            prop_assert_eq!(p.cost(seconds, decimals).decimal(), expected);
        }

        #[test]
        fn exchanged_integers_equal_decimals(
            rate in 0..10_000_000_000_i64, fee in 0..1_000_000_000_i64, seconds in 0..86_400_u32, exchange in 1..20_000_000_000_i64,
            most in proptest::option::of(0..1_000_000_000_i64), decimals in 0..=8_u32,
        ) {
            let p = Price { rate: Money(rate), connect_fee: Money(fee), minimum_cost: None, maximum_cost: most.map(Money) };
            let mut sum = ExchangedSeconds::default();
            sum.add(Money(rate), Money(exchange), seconds);
            // Multiplied first, so that no decimal is cut by the division.
            let mut sixty = Money(rate).decimal() * Decimal::from(seconds) + Money(fee).decimal() * Decimal::from(60);
            if let Some(most) = most { sixty = sixty.min(Money(most).decimal() * Decimal::from(60)); }
            let expected = (sixty * Money(exchange).decimal() / Decimal::from(60)).round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
            prop_assert_eq!(p.cost_exchanged(sum, Money(exchange), decimals).decimal(), expected);
            prop_assert_eq!(p.cost_exchanged(ExchangedSeconds(i128::from(rate) * i128::from(seconds) * NANOS), Money(1_000_000_000), decimals), p.cost(i64::from(seconds), decimals));
        }

        #[test]
        fn discounted_integers_equal_decimals(
            // So many digits as a `Decimal` holds.
            parts in proptest::collection::vec((0..1_000_000_000_i64, 0..86_400_u32, 0..=1000_u16), 1..4),
            fee in 0..1_000_000_000_i64, exchange in 1..2_000_000_000_i64, decimals in 0..=8_u32,
        ) {
            let p = Price { rate: Money::ZERO, connect_fee: Money(fee), minimum_cost: None, maximum_cost: None };
            let (mut sum, mut sixty) = (DiscountedSeconds::default(), Money(fee).decimal() * Decimal::from(60) * Money(exchange).decimal());
            for (rate, seconds, thousandths) in parts {
                sum.add(Money(rate), Money(exchange), thousandths, seconds);
                sixty += Money(rate).decimal() * Money(exchange).decimal() * Decimal::from(seconds) * Decimal::new(thousandths.into(), 3);
            }
            let expected = (sixty / Decimal::from(60)).round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
            prop_assert_eq!(p.cost_discounted(sum, Money(exchange), decimals).decimal(), expected);
        }

        #[test]
        fn what_is_printed_is_read_back(nanos in -MONEY_INPUT_MAX * 999_999_999..MONEY_INPUT_MAX * 999_999_999, decimals in 0..=9_u32) {
            let shown = Money(nanos).fixed(decimals);
            prop_assert_eq!(Money::parse(&shown), Ok(Money(nanos)));
        }
    }
}
