//! Reads a rate deck: delimited text as the trade sends it → checked rows, or every row that cannot be read.
//!
//! What can be read in one way only is read; what might mean two things is refused with its place, a reason and a hint.
//!
//! Does not know plans, other decks, or how rows are stored.

mod beside;
mod row;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::cells;
use super::condition::Condition;
use super::csv::{BadQuote, Decoded, Field, Rows, decode};
use super::findings::{Findings, Place};
use crate::call::{CallType, StepRule};
use crate::money::{Money, Price};
use crate::nearest::{did_you_mean, nearest};
use crate::number::{Country, Number, prefix::lexicographic};
use crate::time::{Timestamp, Zone};

/// Most prefixes in one deck, ranges written out; ids have 30 bits, and no deck ever seen has two million.
pub const ROWS_MAX: usize = 20_000_000;
/// Rates above this per minute are told, not refused: the dearest honest one seen is 13.65, a lost decimal point is likelier.
const RATE_WARN: Money = Money(50_000_000_000);
/// Longest destination name, in bytes; its length is stored in two.
const DESTINATION_MAX: usize = 1000;

/// What a row says beside prefix and destination: equal for very many rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Terms {
    /// Call type, where the row names one.
    pub call_type: Option<CallType>,
    /// Rate, fee and bounds, in the currency of the deck.
    pub price: Price,
    /// Billing steps of the row; none: those of the plan, else of the country rules.
    pub steps: Option<StepRule>,
    /// Calls there are not allowed.
    pub blocked: bool,
    /// First instant from which the row holds; none: since ever.
    pub valid_from: Option<Timestamp>,
    /// First instant from which it does not hold any more; none: open-ended.
    pub valid_to: Option<Timestamp>,
    /// What else the row asks of a call: 0: nothing, else the place in [`Deck::conditions`], counted from 1.
    pub condition: u32,
}

/// One prefix of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeckRow {
    /// Leading digits, calling code included.
    pub prefix: Number,
    /// Line of the row in its file, 1-based.
    pub line: u32,
    /// Index into [`Deck::names`].
    pub name: u32,
    /// Index into [`Deck::terms`].
    pub terms: u32,
}

/// A deck that was read, rows in the order of (prefix, the more particular condition first, later `valid_from` first).
#[derive(Debug, Default)]
pub struct Deck {
    /// Prefixes, a range written out as one row for each.
    pub rows: Vec<DeckRow>,
    /// Destination names, each once.
    pub names: Vec<String>,
    /// What rows say of type, price and dates, each combination once.
    pub terms: Vec<Terms>,
    /// What rows ask of a call besides its number, each combination once.
    pub conditions: Vec<Condition>,
}

impl Deck {
    /// What a row asks of a call besides its number.
    pub fn condition(&self, row: &DeckRow) -> Condition {
        let place = self.terms.get(row.terms as usize).and_then(|terms| (terms.condition as usize).checked_sub(1));
        place.and_then(|place| self.conditions.get(place)).copied().unwrap_or_default()
    }
}

/// Look-up key of a short code such as `DE:118`: country and digits → key.
pub type ShortCodes<'a> = &'a dyn Fn(Country, &[u8]) -> Option<Number>;

const COLUMNS: [&str; 23] = [
    "prefix",
    "rate",
    "destination",
    "call_type",
    "connect_fee",
    "initial",
    "increment",
    "minimum",
    "mode",
    "free_below",
    "days",
    "hours",
    "valid_from",
    "valid_to",
    "minimum_cost",
    "maximum_cost",
    "origin",
    "length",
    "jurisdiction",
    "rate_interstate",
    "rate_intrastate",
    "after",
    "per_call",
];
/// Columns by which a row asks for more than a prefix.
const ASKING: [&str; 6] = ["days", "hours", "origin", "length", "jurisdiction", "after"];
/// Columns of which a deck has one at least: else it has no prices.
const PRICES: [&str; 4] = ["rate", "per_call", "rate_interstate", "rate_intrastate"];
const BLOCKED: &str = "blocked";
/// A column so named is not passed over: whoever wrote it meant it to change an amount.
const TELLING: [&str; 14] = [
    "rate", "price", "fee", "cost", "charge", "min", "max", "incr", "interval", "step", "peak", "valid", "date", "type",
];

fn known_columns() -> impl Iterator<Item = &'static str> {
    COLUMNS.into_iter().chain([BLOCKED])
}

/// Reads a deck. Rows are complete only if `findings` hold no error.
pub fn read(bytes: &[u8], zone: &Zone, short_codes: ShortCodes<'_>, findings: &mut Findings) -> Deck {
    let text = match decode(bytes) {
        Decoded::Utf8(text) => std::borrow::Cow::Borrowed(text),
        Decoded::Latin1(text) => {
            findings.warn(Place::default(), "not UTF-8: read as Latin-1", "save the file as UTF-8 if names look wrong");
            std::borrow::Cow::Owned(text)
        }
        Decoded::Utf16 => {
            findings.error(Place::default(), "the file is UTF-16", "save it as \"CSV UTF-8\"");
            return Deck::default();
        }
    };
    let mut rows = Rows::new(&text);
    let mut fields = Vec::new();
    let columns = match rows.next(&mut fields) {
        Some(Ok(_)) => Columns::read(&fields, &text, findings),
        Some(Err(BadQuote(at))) => {
            findings.error(at, "a quote that does not end", "close it, or leave it out");
            None
        }
        None => {
            findings.error(Place::default(), "empty: not even a header row", "begin with the line prefix,rate");
            None
        }
    };
    let Some(columns) = columns else { return Deck::default() };
    let mut reader = Reader {
        text: &text,
        zone,
        short_codes,
        columns,
        style: cells::Style::of_separator(rows.separator()),
        deck: Deck::default(),
        name_ids: HashMap::new(),
        term_ids: HashMap::new(),
        condition_ids: HashMap::new(),
        dates: HashMap::new(),
    };
    while let Some(row) = rows.next(&mut fields) {
        match row {
            Ok(line) => reader.row(line, &fields, findings),
            Err(BadQuote(at)) => findings.error(
                at,
                "a quote that does not end, or goes on behind its end",
                "double a quote inside quotes",
            ),
        }
    }
    reader.style.finish(findings);
    let mut deck = reader.deck;
    if deck.conditions.is_empty() {
        sort(&mut deck, findings)
    } else {
        beside::sort(&mut deck, findings)
    }
    deck
}

/// Which field is which.
struct Columns {
    count: usize,
    /// Field index of each known column.
    at: HashMap<&'static str, usize>,
    /// Whether any row can ask for more than a prefix: most decks have no such column, and are long.
    asks: bool,
}

impl Columns {
    fn read(fields: &[Field<'_>], text: &str, findings: &mut Findings) -> Option<Columns> {
        let mut at: HashMap<&'static str, usize> = HashMap::new();
        let mut sound = true;
        for (i, field) in fields.iter().enumerate() {
            let name = field.text.to_ascii_lowercase().replace([' ', '-'], "_");
            let place = field.place(text);
            if name.is_empty() {
                continue;
            }
            match known_columns().find(|known| *known == name) {
                Some(known) if at.contains_key(known) => {
                    findings.error(place, format!("two columns are named {known}"), "leave one out");
                    sound = false;
                }
                Some(known) => {
                    at.insert(known, i);
                }
                None if nearest(&name, known_columns()).is_some() || TELLING.iter().any(|t| name.contains(t)) => {
                    let otherwise =
                        "rename it to a known column, or leave it out: it looks as if it could change an amount";
                    findings.error(
                        place,
                        format!("unknown column {:?}", field.text),
                        did_you_mean(&name, known_columns(), otherwise),
                    );
                    sound = false;
                }
                None => findings.warn(
                    place,
                    format!("column {:?} is not known and not read", field.text),
                    "rename or remove it",
                ),
            }
        }
        for (needed, there) in
            [("prefix", at.contains_key("prefix")), ("rate", PRICES.iter().any(|price| at.contains_key(price)))]
        {
            if !there {
                let hint =
                    "the header row names the columns: prefix,rate and optional destination, connect_fee, increment, …";
                findings.error(Place { line: 1, column: 1 }, format!("no column {needed}"), hint);
                sound = false;
            }
        }
        let asks = ASKING.iter().any(|column| at.contains_key(column));
        sound.then_some(Columns { count: fields.len(), at, asks })
    }
}

struct Reader<'a> {
    text: &'a str,
    zone: &'a Zone,
    short_codes: ShortCodes<'a>,
    columns: Columns,
    style: cells::Style,
    deck: Deck,
    name_ids: HashMap<String, u32>,
    term_ids: HashMap<Terms, u32>,
    condition_ids: HashMap<Condition, u32>,
    /// Dates already looked up in the zone: decks repeat few.
    dates: HashMap<String, Timestamp>,
}

impl Reader<'_> {
    fn row(&mut self, line: u32, fields: &[Field<'_>], findings: &mut Findings) {
        let surplus = fields.get(self.columns.count..).unwrap_or(&[]);
        if fields.len() < self.columns.count || surplus.iter().any(|f| !f.text.is_empty()) {
            let message = format!("{} fields where the header has {}", fields.len(), self.columns.count);
            findings.error(Place { line, column: 1 }, message, "quote a field that holds the separator");
            return;
        }
        let mut row = row::Row { reader: self, fields, findings, failed: false };
        let terms = row.terms();
        let prefixes = row.prefixes();
        let name = row.name();
        if row.failed {
            return;
        }
        let Some(prefixes) = prefixes else { return };
        let name = match self.name_ids.get(name) {
            Some(id) => *id,
            None => intern(&mut self.name_ids, &mut self.deck.names, name.to_owned()),
        };
        if self.deck.rows.len() + prefixes.len() * terms.len() > ROWS_MAX {
            findings.error(Place { line, column: 1 }, format!("more than {ROWS_MAX} prefixes"), "split the deck");
            return;
        }
        for terms in terms {
            let terms = intern(&mut self.term_ids, &mut self.deck.terms, terms);
            self.deck.rows.extend(prefixes.iter().map(|prefix| DeckRow { prefix: *prefix, line, name, terms }));
        }
    }
}

fn intern<T: Clone + Eq + std::hash::Hash>(ids: &mut HashMap<T, u32>, list: &mut Vec<T>, value: T) -> u32 {
    if let Some(id) = ids.get(&value) {
        return *id;
    }
    let id = list.len() as u32;
    list.push(value.clone());
    ids.insert(value, id);
    id
}

/// Sorts rows, drops what is said twice, refuses what is said in two ways.
fn sort(deck: &mut Deck, findings: &mut Findings) {
    let Deck { rows, terms, names, .. } = deck;
    let from = |row: &DeckRow| terms.get(row.terms as usize).and_then(|t| t.valid_from);
    // Later first; what has no beginning began before all others. Lines decide only which of two equal rows is named.
    rows.sort_unstable_by_key(|row| (lexicographic(row.prefix), std::cmp::Reverse(from(row)), row.line));
    rows.dedup_by(|row, before| {
        if row.prefix != before.prefix || from(row) != from(before) {
            return false;
        }
        told_twice(row, before, from(row), names, findings, "leave one out, or give them different valid_from");
        true
    });
}

/// Two rows that cannot stand beside each other.
fn told_twice(
    row: &DeckRow,
    before: &DeckRow,
    from: Option<Timestamp>,
    names: &[String],
    findings: &mut Findings,
    hint: &str,
) {
    let (place, prefix, first) = (Place { line: row.line, column: 1 }, row.prefix, before.line);
    if row.terms == before.terms && row.name == before.name {
        return findings.warn(place, format!("prefix {prefix} says the same as line {first}"), "leave one out");
    }
    let since = from.map_or_else(String::new, |from| format!(" from {from}"));
    let what = if row.terms == before.terms {
        format!("another destination, {:?} and {:?}", name(names, before.name), name(names, row.name))
    } else {
        "something else".to_owned()
    };
    findings.error(place, format!("prefix {prefix}{since} stands in line {first} with {what}"), hint);
}

fn name(names: &[String], id: u32) -> &str {
    names.get(id as usize).map_or("", String::as_str)
}
