//! A price in another currency than the cost.
//!
//! Does not know where exchange rates come from.

use serde::{Deserialize, Serialize};

use super::Basis;
use crate::money::Money;

/// The exchange rate of a price.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Exchange {
    /// The currency of the price, ISO 4217.
    pub from: [u8; 3],
    /// What one unit of it is worth in the currency of the cost.
    pub rate: Money,
}

impl Basis {
    /// The price per minute in the currency of the cost, to nine decimals, halves up.
    pub fn rate_in_currency(&self) -> Money {
        const ONE: i128 = 1_000_000_000;
        let rate = self.price.rate;
        self.exchange.map_or(rate, |exchange| {
            let product = i128::from(rate.0) * i128::from(exchange.rate.0);
            Money(i64::try_from((product + ONE / 2).div_euclid(ONE)).unwrap_or(i64::MAX))
        })
    }

    /// How its price was converted: `0.92 EUR/USD`.
    pub fn exchange_words(&self) -> Option<String> {
        let text = |currency: &[u8; 3]| String::from_utf8_lossy(currency).into_owned();
        let exchange = self.exchange.as_ref()?;
        Some(format!("{} {}/{}", exchange.rate.fixed(0), text(&self.currency), text(&exchange.from)))
    }
}
