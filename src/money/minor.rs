//! The smallest unit in which a currency is paid, for documents that show no finer one (R18).
//!
//! Does not know what a line of a document is.

use super::{MONEY_DECIMALS, Sum};

/// ISO 4217, List One of its maintenance agency SIX (`list-one.xml`, element `CcyMnrUnts`): the currencies whose minor unit is
/// not a hundredth. Mauritania's MRU and Madagascar's MGA stand there with 2, though their coins are fifths.
const NOT_TWO: [(u32, &str); 3] = [
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
];

/// Decimals of the currency's minor unit: 2 for the euro, 0 for the yen. 2 where the list names none (XDR, and codes that are
/// not on it).
pub fn minor_unit(currency: [u8; 3]) -> u32 {
    let named = |codes: &str| codes.split_ascii_whitespace().any(|code| code.as_bytes() == currency);
    NOT_TWO.iter().find(|(_, codes)| named(codes)).map_or(2, |(decimals, _)| *decimals)
}

impl Sum {
    /// To so many decimals, halves away from zero.
    pub fn rounded(self, decimals: u32) -> Sum {
        let step = 10_i128.pow(MONEY_DECIMALS.saturating_sub(decimals));
        let half = step / 2;
        let whole = if self.0 < 0 { (self.0 - half) / step } else { (self.0 + half) / step };
        Sum(whole * step)
    }

    /// In the currency's minor unit, rounded once: what a line of a document says.
    pub fn in_minor_units(self, currency: [u8; 3]) -> Sum {
        self.rounded(minor_unit(currency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Money;
    use proptest::prelude::*;
    use rust_decimal::{Decimal, RoundingStrategy};

    fn shown(amount: &str, currency: &[u8; 3]) -> String {
        let sum = Sum(i128::from(Money::parse(amount).unwrap().0));
        sum.in_minor_units(*currency).fixed(minor_unit(*currency))
    }

    #[test]
    fn a_line_is_rounded_once_to_what_can_be_paid() {
        for (amount, currency, expected) in [
            ("0.1249", b"EUR", "0.12"),
            ("0.1250", b"EUR", "0.13"),
            ("-0.1250", b"EUR", "-0.13"),
            ("-0.1249", b"EUR", "-0.12"),
            ("0.0049", b"USD", "0.00"),
            ("-0.0049", b"USD", "0.00"),
            ("2.4999", b"JPY", "2"),
            ("2.5000", b"JPY", "3"),
            ("0.1234", b"KWD", "0.123"),
            ("0.1235", b"KWD", "0.124"),
            ("0.12345", b"CLF", "0.1235"),
            ("0.12345", b"CLP", "0"),
            ("7.005", b"XDR", "7.01"),
        ] {
            assert_eq!(shown(amount, currency), expected, "{amount} {}", String::from_utf8_lossy(currency));
        }
    }

    proptest! {
        #[test]
        fn sums_round_as_decimals_do(nanos in -10_i128.pow(18)..10_i128.pow(18), decimals in 0..=9_u32) {
            let expected = Decimal::from_i128_with_scale(nanos, MONEY_DECIMALS)
                .round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
            prop_assert_eq!(Decimal::from_i128_with_scale(Sum(nanos).rounded(decimals).0, MONEY_DECIMALS), expected);
        }
    }
}
