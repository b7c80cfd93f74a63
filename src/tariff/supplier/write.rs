//! Rows of a supplier as a deck of ours: one line for each prefix, in the order of prefixes, so that two weeks' decks
//! can be laid side by side.
//!
//! Does not know where the deck goes.

use super::{SupplierRow, asks};
use crate::money::Money;
use crate::number::Number;
use crate::number::prefix::lexicographic;

/// A deck of ours, and where its lines come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// The text of `decks/NAME.csv`.
    pub text: String,
    /// Line n + 2 of the text was made from this line of the supplier's file.
    pub lines: Vec<u32>,
}

impl Written {
    /// The supplier's line behind a line of the deck; 0 for the heading and the whole.
    pub fn source(&self, line: u32) -> u32 {
        let at = (line as usize).checked_sub(2);
        at.and_then(|at| self.lines.get(at)).copied().unwrap_or(0)
    }
}

type Cell = (&'static str, fn(&SupplierRow, Number) -> String);

fn money(amount: Option<Money>) -> String {
    amount.map_or_else(String::new, |m| m.to_string())
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

/// Columns that only decks which need them have, but for those of [`asks::COLUMNS`].
const OPTIONAL: [Cell; 13] = [
    ("rate_interstate", |r, _| money(r.interstate)),
    ("rate_intrastate", |r, _| money(r.intrastate)),
    ("per_call", |r, _| money(r.per_call)),
    ("connect_fee", |r, _| money(Some(r.connect_fee).filter(|f| *f != Money::ZERO))),
    ("initial", |r, _| text(r.initial)),
    ("increment", |r, _| text(r.increment)),
    ("minimum", |r, _| text(r.minimum)),
    ("free_below", |r, _| text(r.free_below)),
    ("minimum_cost", |r, _| money(r.minimum_cost)),
    ("maximum_cost", |r, _| money(r.maximum_cost)),
    ("valid_from", |r, _| text(r.from)),
    ("valid_to", |r, _| text(r.to)),
    ("blocked", |r, _| if r.blocked { "true".to_owned() } else { String::new() }),
];

/// Writes the rows.
pub fn deck(rows: &[SupplierRow]) -> Written {
    let filled = |(_, cell): &Cell| rows.iter().any(|r| r.prefixes.first().is_some_and(|p| !cell(r, *p).is_empty()));
    let columns: Vec<Cell> = asks::COLUMNS.into_iter().chain(OPTIONAL).filter(filled).collect();
    let mut places: Vec<(u64, Option<super::Day>, usize, usize)> = Vec::with_capacity(rows.len());
    for (i, row) in rows.iter().enumerate() {
        places.extend(row.prefixes.iter().enumerate().map(|(p, prefix)| (lexicographic(*prefix), row.from, i, p)));
    }
    places.sort_unstable();
    let mut out = String::from("prefix,destination,rate");
    columns.iter().for_each(|(name, _)| {
        out.push(',');
        out.push_str(name);
    });
    out.push('\n');
    let mut lines = Vec::with_capacity(places.len());
    for (_, _, i, p) in places {
        let Some((row, prefix)) = rows.get(i).and_then(|row| Some((row, row.prefixes.get(p)?))) else { continue };
        lines.push(row.line);
        out.push_str(&format!("{prefix},{},{}", quoted(&row.destination), money(row.rate)));
        for (_, cell) in &columns {
            out.push(',');
            out.push_str(&quoted(&cell(row, *prefix)));
        }
        out.push('\n');
    }
    Written { text: out, lines }
}

/// A destination as a cell: without line ends, in quotes where it needs them.
pub(in crate::tariff) fn quoted(name: &str) -> String {
    let flat: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let flat = flat.trim();
    if flat.contains([',', '"', ';', '\t']) { format!("\"{}\"", flat.replace('"', "\"\"")) } else { flat.to_owned() }
}
