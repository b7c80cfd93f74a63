//! A supplier's rate deck: bytes as the trade sends them → rows understood, and what was taken for what.
//!
//! ```text
//! bytes ─▶ table::read ─┐
//! workbook (elsewhere) ─┴▶ Table ─▶ header::find ─▶ style::decide ─▶ rows::read ─▶ Supplied ─▶ write::deck
//!                                        ▲ Mapping, what is known of the supplier ▲
//! ```
//!
//! What can be read in one way only is read. What may mean two things is asked for by name, and settled by a line in the
//! supplier's mapping; nothing is guessed and nothing is dropped without being told.
//!
//! Does not know files, plans, or whether prices are sensible.

pub mod amounts;
pub mod asks;
pub mod bands;
pub mod codes;
pub mod dates;
pub mod header;
pub mod mapping;
mod rows;
mod style;
pub mod table;
#[cfg(test)]
mod tests;
pub mod write;

use asks::Asks;
use dates::Day;
use header::Header;
use mapping::Mapping;
use table::Table;

use crate::money::Money;
use crate::number::Number;
use crate::tariff::findings::Findings;

/// One row of a supplier's deck.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SupplierRow {
    /// Line in the file, 1-based.
    pub line: u32,
    /// At least one.
    pub prefixes: Vec<Number>,
    /// Destination, with its country where that has a column of its own.
    pub destination: String,
    /// Per minute; none where the row has another price.
    pub rate: Option<Money>,
    /// Per minute, from one state into another.
    pub interstate: Option<Money>,
    /// Per minute, within a state.
    pub intrastate: Option<Money>,
    /// For a call, however long; then there is no other price.
    pub per_call: Option<Money>,
    /// Once for each call.
    pub connect_fee: Money,
    /// What the row asks of a call besides its number.
    pub asks: Asks,
    /// Seconds of the first step.
    pub initial: Option<u32>,
    /// Seconds of each further step; none: the plan's.
    pub increment: Option<u32>,
    /// Fewest seconds that are charged.
    pub minimum: Option<u32>,
    /// Calls shorter than so many seconds are free.
    pub free_below: Option<u32>,
    /// Smallest cost of a call.
    pub minimum_cost: Option<Money>,
    /// Largest cost of a call.
    pub maximum_cost: Option<Money>,
    /// First day on which it holds.
    pub from: Option<Day>,
    /// First day on which it does not.
    pub to: Option<Day>,
    /// Calls there are not allowed.
    pub blocked: bool,
}

impl SupplierRow {
    /// Its prices per minute.
    pub fn rates(&self) -> impl Iterator<Item = Money> {
        [self.rate, self.interstate, self.intrastate].into_iter().flatten()
    }

    /// No price and no call.
    pub fn block(&mut self) {
        (self.rate, self.interstate, self.intrastate, self.per_call) = (Some(Money::ZERO), None, None, None);
        (self.blocked, self.connect_fee) = (true, Money::ZERO);
    }
}

/// A row that was understood and cannot be said in a deck of ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// Its line in the file.
    pub line: u32,
    /// Why it is not taken.
    pub why: &'static str,
}

/// A deck that was understood.
#[derive(Clone, Debug, Default)]
pub struct Supplied {
    /// Which column is what.
    pub header: Header,
    /// The mapping that was given, with all that was found out filled in: what to save.
    pub mapping: Mapping,
    /// In the order of the file.
    pub rows: Vec<SupplierRow>,
    /// Lines of text between rows, such as headings and sums.
    pub texts: Vec<u32>,
    /// Rows that are not taken.
    pub held: Vec<Held>,
    /// ISO 4217, if file or mapping name one.
    pub currency: Option<[u8; 3]>,
}

/// Understands a table. With an error in `findings` nothing of it may be used but to be shown.
pub fn understand(table: &Table, mapping: &Mapping, findings: &mut Findings) -> Supplied {
    let mut supplied = Supplied { mapping: mapping.clone(), ..Supplied::default() };
    let Some(header) = header::find(table, mapping, findings) else { return supplied };
    supplied.header = header;
    let Some(style) = style::decide(table, &mut supplied, findings) else { return supplied };
    rows::read(table, &style, &mut supplied, findings);
    asks::check_chains(&mut supplied.rows, findings);
    if supplied.rows.is_empty() && !findings.refused() {
        findings.error(Default::default(), "there is no row with a code and a price", "is this the right sheet?");
    }
    supplied
}
