//! Country and kind of a number by the numbering plan: prefix and total length.
//!
//! Some prefixes are shared by numbers of several kinds that only their total length tells apart (`+49 160`: mobiles
//! of 12 or 13 digits, voice mailboxes of 14 or 15). The longest prefix with a row for the number's length decides;
//! where it has none, the next shorter prefix is asked.
//!
//! ```text
//! section  magic u32 │ prefixes u32 │ rules u32 │ bytes of the map u32 │ zeros to 64 │ prefix map │ cells │ rules
//! cell     kind u8 │ country 3 × u8             one for each prefix: one class whatever the length
//!          0xFF    │ first rule u24             several
//! rule     lengths u32 │ kind u8 │ country 3 × u8   bit n of lengths: n digits in all; bit 0: the last of its prefix
//! ```
//!
//! Does not know dialling plans, accounts or prices, nor how long a number may be where the plan does not ask.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::dialling::NUMBER_MAX;
use super::prefix::{self, PrefixMap, lexicographic};
use super::{Country, Number, NumberKind};

#[cfg(test)]
mod tests;

/// What the numbering plan says of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Class {
    /// Country to which the plan gives the prefix.
    pub country: Country,
    /// What sort of line it is.
    pub kind: NumberKind,
}

/// One row of `numbering.csv`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NumberingRow {
    /// Leading digits, calling code included.
    pub prefix: Number,
    /// Country of numbers that begin so.
    pub country: Country,
    /// Kind of numbers that begin so and have one of the lengths.
    pub kind: NumberKind,
    /// Bit n set: total length n allowed; 0: any length.
    pub lengths: u32,
}

/// Most digits a row may ask for; more than E.164 has, for the metadata has such rows.
const LENGTH_MAX: u32 = 20;
const HEADER: &str = "prefix,country,type,total_lengths";
const MAGIC: u32 = u32::from_le_bytes(*b"npl1");
/// Bytes before the prefix map, which wants to begin on a cache line.
const HEAD_BYTES: usize = 64;
/// In place of a kind: the cell leads to rules.
const RULES: u8 = 0xFF;
const LAST: u32 = 1;
/// Every length, in a rule.
const ANY: u32 = !LAST;
/// Most rules a cell can lead to: its index has three bytes.
const RULES_MAX: usize = 1 << 24;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Cell {
    kind: u8,
    /// Country, or index of the first rule.
    rest: [u8; 3],
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Rule {
    lengths: U32,
    cell: Cell,
}

impl Cell {
    fn of(row: &NumberingRow) -> Cell {
        Cell { kind: row.kind as u8, rest: row.country.0 }
    }

    fn class(self) -> Option<Class> {
        Some(Class { kind: *NumberKind::ALL.get(usize::from(self.kind))?, country: Country(self.rest) })
    }

    fn first_rule(self) -> usize {
        let [a, b, c] = self.rest;
        u32::from_le_bytes([a, b, c, 0]) as usize
    }
}

/// Reads `numbering.csv`: header `prefix,country,type,total_lengths`, lengths apart by spaces or semicolons; lines that
/// begin with `#` are skipped. The error begins with the line: `line 12: …`.
pub fn parse(csv: &str) -> Result<Vec<NumberingRow>, String> {
    let csv = csv.strip_prefix('\u{FEFF}').unwrap_or(csv);
    let lines = csv.lines().enumerate().map(|(i, line)| (i + 1, line.trim()));
    let mut lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    match lines.next() {
        Some((_, HEADER)) => {}
        Some((i, other)) => return Err(format!("line {i}: the header must be `{HEADER}`, not `{other}`")),
        None => return Err(format!("line 1: the file is empty; it begins with `{HEADER}`")),
    }
    let mut rows: Vec<NumberingRow> = Vec::new();
    let mut places = Vec::new();
    for (i, line) in lines {
        rows.push(row(line).map_err(|what| format!("line {i}: {what}"))?);
        places.push((rows.len() - 1, i));
    }
    // Two rows for one prefix and one length would leave the answer to chance.
    places.sort_by_key(|(row, line)| (lexicographic(rows[*row].prefix), *line));
    let overlaps = |a: &NumberingRow, b: &NumberingRow| a.lengths == b.lengths || a.lengths & b.lengths != 0;
    for (at, (row, line)) in places.iter().enumerate() {
        let same = places[..at].iter().rev().take_while(|(other, _)| rows[*other].prefix == rows[*row].prefix);
        if let Some((_, first)) = same.into_iter().find(|(other, _)| overlaps(&rows[*other], &rows[*row])) {
            let prefix = rows[*row].prefix;
            return Err(format!("line {line}: prefix {prefix} has a row for the same length in line {first}"));
        }
    }
    Ok(rows)
}

fn row(line: &str) -> Result<NumberingRow, String> {
    let mut fields = line.split(',').map(str::trim);
    let (Some(prefix), Some(country), Some(kind), Some(lengths), None) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(format!("`{line}` has not the four fields {HEADER}"));
    };
    let digits = Number::from_digits(prefix.as_bytes()).filter(|p| p.len() <= NUMBER_MAX);
    let mut set = 0;
    for length in lengths.split([' ', ';']).filter(|l| !l.is_empty()) {
        // The metadata knows numbers of up to 17 digits that are only dialled inside Japan; they fit no number of ours.
        let number = length.parse::<u32>().ok().filter(|n| (1..=LENGTH_MAX).contains(n));
        set |=
            1u32 << number.ok_or(format!("`{length}` is no length; write digits in all, such as `11` or `10 11`"))?;
    }
    Ok(NumberingRow {
        prefix: digits.ok_or(format!("`{prefix}` is no prefix; write 1 to {NUMBER_MAX} digits without +"))?,
        country: Country::parse(country).ok_or(format!("`{country}` is no territory; write DE, or 001"))?,
        kind: NumberKind::named(kind).ok_or_else(|| {
            let all = NumberKind::ALL.map(NumberKind::name).join(", ");
            format!("`{kind}` is no kind of number; there are {all}")
        })?,
        lengths: set,
    })
}

/// Section bytes of the numbering plan for the tariff image. The order of the rows does not matter, except that of two
/// rows for one prefix and length, which [`parse`] refuses, the first counts.
///
/// # Panics
/// With 2²⁴ rows that ask for a length: `parse` is fed a few hundred.
pub fn build(rows: &[NumberingRow]) -> Vec<u8> {
    let mut sorted: Vec<&NumberingRow> = rows.iter().collect();
    // Rows for any length come behind those that ask for one.
    sorted.sort_by_key(|row| (lexicographic(row.prefix), row.lengths == 0));
    let (mut prefixes, mut cells, mut rules) = (Vec::new(), Vec::new(), Vec::new());
    for same in sorted.chunk_by(|a, b| a.prefix == b.prefix) {
        prefixes.push(same[0].prefix);
        if let [one] = same
            && one.lengths == 0
        {
            cells.push(Cell::of(one));
            continue;
        }
        let [a, b, c, _] = (rules.len() as u32).to_le_bytes();
        cells.push(Cell { kind: RULES, rest: [a, b, c] });
        for (i, row) in same.iter().enumerate() {
            let lengths = if row.lengths == 0 { ANY } else { row.lengths & ANY };
            let last = if i + 1 == same.len() { LAST } else { 0 };
            rules.push(Rule { lengths: U32::new(lengths | last), cell: Cell::of(row) });
        }
    }
    assert!(rules.len() < RULES_MAX, "more rules than a cell can lead to");
    let map = prefix::build(&prefixes);
    let mut out = Vec::with_capacity(HEAD_BYTES + map.len() + cells.len() * 4 + rules.len() * 8);
    for word in [MAGIC, cells.len() as u32, rules.len() as u32, map.len() as u32] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.resize(HEAD_BYTES, 0);
    out.extend_from_slice(&map);
    out.extend_from_slice(cells.as_bytes());
    out.extend_from_slice(rules.as_bytes());
    out
}

/// View over the section.
#[derive(Clone, Copy)]
pub struct NumberingPlan<'a> {
    map: PrefixMap<'a>,
    cells: &'a [Cell],
    rules: &'a [Rule],
}

impl<'a> NumberingPlan<'a> {
    /// Checks everything once: sizes, the prefix map, every cell and rule.
    pub fn validate(bytes: &'a [u8]) -> Result<NumberingPlan<'a>, &'static str> {
        let (map, cells, rules) = split(bytes).ok_or("numbering plan: cut short or foreign")?;
        let plan = NumberingPlan { map: PrefixMap::validate(map)?, cells, rules };
        if plan.map.len() as usize != cells.len() {
            return Err("numbering plan: another number of classes than of prefixes");
        }
        let sound = |cell: &Cell| {
            let country = Country(cell.rest);
            usize::from(cell.kind) < NumberKind::ALL.len() && Country::parse(country.as_str()) == Some(country)
        };
        for cell in cells {
            if !(sound(cell) || cell.kind == RULES && cell.first_rule() < rules.len()) {
                return Err("numbering plan: a prefix without a class");
            }
        }
        if rules.iter().any(|rule| !sound(&rule.cell)) || rules.last().is_some_and(|r| r.lengths.get() & LAST == 0) {
            return Err("numbering plan: a rule without a class or end");
        }
        Ok(plan)
    }

    /// A view over bytes that [`NumberingPlan::validate`] accepted before. On other bytes answers are meaningless,
    /// never a panic.
    pub fn trusted(bytes: &'a [u8]) -> NumberingPlan<'a> {
        let (map, cells, rules) = split(bytes).unwrap_or((&[], &[], &[]));
        NumberingPlan { map: PrefixMap::trusted(map), cells, rules }
    }

    /// None: not known as valid; the caller gives it the main territory of its calling code and `Unknown`
    /// ([`Countries::unknown_class`](super::countries::Countries::unknown_class)).
    #[inline]
    pub fn classify(&self, number: Number) -> Option<Class> {
        let mut id = self.map.longest(number)?;
        loop {
            let cell = self.cells.get(id as usize)?;
            if cell.kind != RULES {
                return cell.class();
            }
            if let Some(class) = self.by_length(*cell, number.len()) {
                return Some(class);
            }
            // Every step leads to a shorter prefix, so there are at most fifteen.
            id = self.map.parent(id).filter(|parent| *parent < id)?;
        }
    }

    fn by_length(&self, cell: Cell, length: usize) -> Option<Class> {
        for rule in self.rules.get(cell.first_rule()..)? {
            let lengths = rule.lengths.get();
            if lengths & ANY & 1 << (length & 31) != 0 {
                return rule.cell.class();
            }
            if lengths & LAST != 0 {
                return None;
            }
        }
        None
    }

    /// How many prefixes.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[Cell], &[Rule])> {
    let (words, _) = <[U32; 4]>::ref_from_prefix(bytes).ok()?;
    let [magic, cells, rules, map] = words.map(U32::get);
    if magic != MAGIC {
        return None;
    }
    let (map, rest) = bytes.get(HEAD_BYTES..)?.split_at_checked(map as usize)?;
    let (cells, rest) = <[Cell]>::ref_from_prefix_with_elems(rest, cells as usize).ok()?;
    Some((map, cells, <[Rule]>::ref_from_bytes_with_elems(rest, rules as usize).ok()?))
}
