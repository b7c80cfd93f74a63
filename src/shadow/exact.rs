//! Fractions of nano-units, and the ways in which systems make digits of them.
//!
//! Does not know what the fraction is the cost of.

use rust_decimal::Decimal;

/// How the last digit is decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Halves away from zero.
    HalfUp,
    /// Halves to the even digit.
    HalfEven,
    /// Cut off.
    Down,
    /// Away from zero whatever is left.
    Up,
}

/// A fraction of a nano-unit.
#[derive(Clone, Copy, Debug)]
pub struct Exact {
    over: i128,
    under: i128,
}

impl Exact {
    /// `over / under` nano-units; `under` is positive.
    pub fn new(over: i128, under: i128) -> Exact {
        Exact { over, under }
    }

    /// Plus an amount of nano-units.
    pub fn plus(self, nanos: i64) -> Exact {
        Exact { over: self.over + i128::from(nanos) * self.under, ..self }
    }

    /// The larger of this and an amount.
    pub fn at_least(self, nanos: i64) -> Exact {
        Exact { over: self.over.max(i128::from(nanos) * self.under), ..self }
    }

    /// The smaller of this and an amount.
    pub fn at_most(self, nanos: i64) -> Exact {
        Exact { over: self.over.min(i128::from(nanos) * self.under), ..self }
    }

    /// Times a fraction; none: too large to be told.
    pub fn times(self, over: i64, under: i64) -> Option<Exact> {
        Some(Exact {
            over: self.over.checked_mul(i128::from(over))?,
            under: self.under.checked_mul(i128::from(under))?,
        })
    }

    /// Nano-units, rounded to so many decimals of a unit; at most nine.
    pub fn rounded(self, mode: Mode, decimals: u32) -> Option<i128> {
        let step = 10_i128.checked_pow(9_u32.checked_sub(decimals)?)?;
        divided(self.over, self.under.checked_mul(step)?, mode).checked_mul(step)
    }

    /// The same as a decimal of any scale.
    pub fn digits(self, mode: Mode, decimals: u32) -> Option<Decimal> {
        if decimals <= 9 {
            return Decimal::try_from_i128_with_scale(self.rounded(mode, decimals)?, 9).ok();
        }
        let finer = self.over.checked_mul(10_i128.checked_pow(decimals - 9)?)?;
        Decimal::try_from_i128_with_scale(divided(finer, self.under, mode), decimals).ok()
    }
}

fn divided(over: i128, under: i128, mode: Mode) -> i128 {
    let (whole, rest) = (over / under, (over % under).abs());
    let away = match mode {
        Mode::Down => false,
        Mode::Up => rest > 0,
        Mode::HalfUp => rest >= under - rest,
        Mode::HalfEven => rest > under - rest || rest == under - rest && whole % 2 != 0,
    };
    if away { whole + if over < 0 { -1 } else { 1 } } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::RoundingStrategy;

    proptest! {
        #[test]
        fn digits_are_what_a_decimal_library_gives(over in -10_i64.pow(15)..10_i64.pow(15), decimals in 0_u32..12) {
            for (mode, strategy) in [
                (Mode::HalfUp, RoundingStrategy::MidpointAwayFromZero),
                (Mode::HalfEven, RoundingStrategy::MidpointNearestEven),
                (Mode::Down, RoundingStrategy::ToZero),
                (Mode::Up, RoundingStrategy::AwayFromZero),
            ] {
                // Sixteenths, so that the decimal is exact and halves come up.
                let exact = Decimal::from_i128_with_scale(i128::from(over), 9) / Decimal::from(16);
                let expected = exact.round_dp_with_strategy(decimals, strategy);
                prop_assert_eq!(Exact::new(i128::from(over), 16).digits(mode, decimals), Some(expected));
            }
        }
    }
}
