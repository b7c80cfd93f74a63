//! What a supplier's row asks of a call besides its number, and how a deck of ours says it.
//!
//! Does not know prices.

use std::collections::HashMap;

use super::SupplierRow;
use crate::number::Number;
use crate::tariff::bands::Band;
use crate::tariff::condition::ANONYMOUS;
use crate::tariff::findings::{Findings, Place};

/// Conditions of a row; none of them in most.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Asks {
    /// Days and hours.
    pub band: Option<Band>,
    /// Who calls.
    pub origin: Origin,
    /// How long the called number is.
    pub length: Length,
    /// Billed seconds of the call before which the row does not hold.
    pub after: u32,
}

/// Whose calls a row prices.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Origin {
    /// Everybody's.
    #[default]
    Anybody,
    /// Of callers whose number is withheld.
    Anonymous,
    /// Of callers whose number begins so.
    Prefixes(Vec<Number>),
}

/// Digits of the called number, calling code included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Length {
    /// Any.
    #[default]
    Any,
    /// The code is the whole number.
    Exact,
    /// Fewest and most.
    Between(u8, u8),
}

/// Names of the columns and their cells for one prefix of a row.
pub const COLUMNS: [(&str, fn(&SupplierRow, Number) -> String); 5] = [
    ("days", |row, _| row.asks.band.map_or_else(String::new, |band| band.cells().0)),
    ("hours", |row, _| row.asks.band.map_or_else(String::new, |band| band.cells().1)),
    ("origin", |row, _| match &row.asks.origin {
        Origin::Anybody => String::new(),
        Origin::Anonymous => ANONYMOUS.to_owned(),
        Origin::Prefixes(prefixes) => prefixes.iter().map(Number::to_string).collect::<Vec<_>>().join(";"),
    }),
    ("length", |row, prefix| match row.asks.length {
        Length::Any => String::new(),
        Length::Exact => prefix.len().to_string(),
        Length::Between(least, most) if least == most => least.to_string(),
        Length::Between(least, most) => format!("{least}-{most}"),
    }),
    ("after", |row, _| if row.asks.after == 0 { String::new() } else { row.asks.after.to_string() }),
];

impl Asks {
    /// What it asks, by the names of our columns, for a count.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [
            self.band.is_some().then_some("days and hours"),
            (self.origin != Origin::Anybody).then_some("origin"),
            (self.length != Length::Any).then_some("length"),
            (self.after > 0).then_some("after"),
        ]
        .into_iter()
        .flatten()
    }
}

/// Fee, caps and steps of a call are those of the row with which it begins: what later ones repeat of it is taken off, and
/// what they say otherwise is refused, since it cannot be said.
pub(super) fn check_chains(rows: &mut [SupplierRow], findings: &mut Findings) {
    type Chain = (Vec<Number>, Asks, Option<super::Day>);
    let chain =
        |row: &SupplierRow| -> Chain { (row.prefixes.clone(), Asks { after: 0, ..row.asks.clone() }, row.from) };
    let whole = |row: &SupplierRow| (row.initial, row.increment, row.minimum, row.free_below);
    if rows.iter().all(|row| row.asks.after == 0) {
        return;
    }
    let first: HashMap<Chain, SupplierRow> =
        rows.iter().filter(|row| row.asks.after == 0).map(|row| (chain(row), row.clone())).collect();
    for row in rows.iter_mut().filter(|row| row.asks.after > 0) {
        let place = Place { line: row.line, column: 0 };
        let Some(first) = first.get(&chain(row)) else {
            let message = format!("no row says what is paid before {} s", row.asks.after);
            findings.error(place, message, "the first row of a chain has 0 or nothing there");
            continue;
        };
        let repeats = whole(row) == whole(first) || row.increment.is_none();
        let caps = |row: &SupplierRow| (row.minimum_cost, row.maximum_cost);
        let caps_repeat = caps(row) == (None, None) || caps(row) == caps(first);
        let fee_repeats = row.connect_fee.0 == 0 || row.connect_fee == first.connect_fee;
        if !repeats || !caps_repeat || !fee_repeats || row.per_call.is_some() || row.blocked {
            let message = format!("after {} s the row says more than a price", row.asks.after);
            findings.error(place, message, "fee, caps and steps of a call are those of the row it begins with");
            continue;
        }
        (row.initial, row.increment, row.minimum, row.free_below) = (None, None, None, None);
        (row.minimum_cost, row.maximum_cost) = (None, None);
        row.connect_fee = crate::money::Money::ZERO;
    }
}
