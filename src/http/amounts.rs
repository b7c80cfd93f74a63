//! What lines add up to by currency: exact, and as an invoice of rounded lines has it.
//!
//! Does not know what the lines are of.

use serde::Serialize;
use utoipa::ToSchema;

use crate::money::{Sum, minor_unit};
use crate::road::UsageLine;

/// An amount and its currency.
#[derive(Serialize, ToSchema)]
pub(super) struct CostIn {
    /// ISO 4217.
    pub(super) currency: String,
    /// Exact: a decimal.
    pub(super) cost: String,
    /// The sum of the lines' `amount`s.
    pub(super) amount: String,
    /// `cost`, rounded once: only where that is not `amount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rounded_cost: Option<String>,
}

/// What a line says on an invoice.
pub(super) fn amount(line: &UsageLine) -> Sum {
    Sum(line.usage.cost).in_minor_units(line.currency)
}

/// What lines add up to in a currency.
pub(super) struct Cost {
    pub(super) currency: [u8; 3],
    /// To show of the exact sum.
    decimals: u8,
    exact: Sum,
    /// Of lines that were rounded one by one.
    amount: Sum,
}

impl Cost {
    fn of(currency: [u8; 3]) -> Cost {
        Cost { currency, decimals: 0, exact: Sum::default(), amount: Sum::default() }
    }

    pub(super) fn shown(&self) -> CostIn {
        let decimals = minor_unit(self.currency);
        let rounded = self.exact.in_minor_units(self.currency);
        CostIn {
            currency: text(&self.currency),
            cost: self.exact.fixed(self.decimals.into()),
            amount: self.amount.fixed(decimals),
            rounded_cost: (rounded != self.amount).then(|| rounded.fixed(decimals)),
        }
    }
}

/// What lines add up to by currency.
#[derive(Default)]
pub(super) struct Costs(pub(super) Vec<Cost>);

impl Costs {
    /// Adds lines; a currency that is new comes last.
    pub(super) fn add(&mut self, lines: &[UsageLine]) {
        for line in lines {
            self.put(line.currency, line.decimals, line.usage.cost, amount(line));
        }
    }

    /// Adds a line: what it costs exactly, and what it says.
    pub(super) fn put(&mut self, currency: [u8; 3], decimals: u8, exact: i128, amount: Sum) {
        let at = self.0.iter().position(|cost| cost.currency == currency).unwrap_or_else(|| {
            self.0.push(Cost::of(currency));
            self.0.len() - 1
        });
        let cost = &mut self.0[at];
        cost.exact.0 += exact;
        cost.amount.0 += amount.0;
        cost.decimals = cost.decimals.max(decimals);
    }

    /// A currency in which nothing was charged yet, and its decimals.
    pub(super) fn begin(&mut self, currency: Option<([u8; 3], u8)>) {
        self.0.extend(currency.map(|(currency, decimals)| Cost { decimals, ..Cost::of(currency) }));
    }

    /// The first currency's sum (an empty one if there is none), and the others'.
    pub(super) fn shown(self) -> (CostIn, Vec<CostIn>) {
        let mut all = self.0.iter().map(Cost::shown);
        let nothing = || Sum::default().fixed(0);
        let main = all.next().unwrap_or_else(|| CostIn {
            currency: String::new(),
            cost: nothing(),
            amount: nothing(),
            rounded_cost: None,
        });
        (main, all.collect())
    }
}

/// ISO 4217 as text.
pub(super) fn text(currency: &[u8]) -> String {
    String::from_utf8_lossy(currency).trim_end().to_owned()
}
