//! Country and kind of a number by the numbering plan: prefix and total length.
//!
//! Which numbers are valid, and of what kind, depends on their first digits and on how many they are (`+49 160`: mobiles
//! of 12 or 13 digits, voice mailboxes of 14 or 15). The longest prefix with a row for the number's length decides;
//! where it has none, the next shorter prefix is asked. A row of kind `unknown` says that no number that begins so, and
//! is so long, is valid: shorter rows hold for most of what lies below them and are corrected by longer ones.
//!
//! All this is settled when the section is built: each prefix leads to one answer for each length, and as few different
//! lists of answers exist, many prefixes lead to the same.
//!
//! ```text
//! section  magic u32 │ prefixes u32 │ answers u32 │ bytes of the map u32 │ zeros to 64 │ answers │ prefix map │ cells
//! answers  16 × class: that of a number of so many digits in all; one cache line
//! class    kind u8 │ country 3 × u8; all zeros: no valid number
//! cell     u32, one for each prefix: which answers
//! ```
//!
//! Does not know dialling plans, accounts or prices, nor how long a number may be where the plan does not ask.

use std::collections::HashMap;

use bytes::Bytes;
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
    /// Kind of numbers that begin so and have one of the lengths; `Unknown`: there is no valid one.
    pub kind: NumberKind,
    /// Bit n set: total length n allowed; 0: any length.
    pub lengths: u32,
}

/// Most digits a row may ask for; more than E.164 has, for the metadata knows such numbers.
const LENGTH_MAX: u32 = 20;
const HEADER: &str = "prefix,country,type,total_lengths";
const MAGIC: u32 = u32::from_le_bytes(*b"npl2");
/// Bytes before the answers, which want to begin on a cache line.
const HEAD_BYTES: usize = 64;
/// How many answers there are: one for each length of a [`Number`] from 0 to 15.
const LENGTHS: usize = NUMBER_MAX + 1;

#[derive(Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Packed {
    kind: u8,
    country: [u8; 3],
}

/// Class of a number by how many digits it has.
type Answers = [Packed; LENGTHS];

impl Packed {
    const NONE: Packed = Packed { kind: 0, country: [0; 3] };

    fn of(row: &NumberingRow) -> Packed {
        match row.kind {
            NumberKind::Unknown => Packed::NONE,
            kind => Packed { kind: kind as u8, country: row.country.0 },
        }
    }

    #[inline]
    fn class(self) -> Option<Class> {
        if self.country[0] == 0 {
            return None;
        }
        Some(Class { kind: *NumberKind::ALL.get(usize::from(self.kind))?, country: Country(self.country) })
    }

    /// Whether these are the bytes of [`Packed::of`] some row.
    fn is_sound(self) -> bool {
        let Some(class) = self.class() else { return self == Packed::NONE };
        class.kind != NumberKind::Unknown && Country::parse(class.country.as_str()) == Some(class.country)
    }
}

/// Reads `numbering.csv`: header `prefix,country,type,total_lengths`, lengths such as `11` or `7-9 12`, apart by spaces
/// or semicolons; lines that begin with `#` are skipped. The error begins with the line: `line 12: …`.
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
    let mut order = Vec::new();
    for (i, line) in lines {
        rows.push(row(line).map_err(|what| format!("line {i}: {what}"))?);
        order.push((rows.len() - 1, i));
    }
    // Two rows for one prefix and one length would leave the answer to chance.
    order.sort_by_key(|(row, line)| (lexicographic(rows[*row].prefix), *line));
    let overlaps = |a: &NumberingRow, b: &NumberingRow| a.lengths == b.lengths || a.lengths & b.lengths != 0;
    for (at, (row, line)) in order.iter().enumerate() {
        let same = order[..at].iter().rev().take_while(|(other, _)| rows[*other].prefix == rows[*row].prefix);
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
    for part in lengths.split([' ', ';']).filter(|l| !l.is_empty()) {
        // The metadata knows numbers of up to 17 digits that are only dialled inside Japan; they fit no number of ours.
        let number = |text: &str| text.parse::<u32>().ok().filter(|n| (1..=LENGTH_MAX).contains(n));
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        match (number(low), number(high)) {
            (Some(low), Some(high)) if low <= high => (low..=high).for_each(|n| set |= 1 << n),
            _ => return Err(format!("`{part}` is no length; write digits in all, such as `11`, `10 11` or `7-9`")),
        }
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
pub fn build(rows: &[NumberingRow]) -> Vec<u8> {
    let mut sorted: Vec<&NumberingRow> = rows.iter().collect();
    // A prefix comes before its extensions, rows for any length behind those that ask for one.
    sorted.sort_by_key(|row| (lexicographic(row.prefix), row.lengths == 0));
    let (mut prefixes, mut cells, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    let mut known: HashMap<Answers, u32> = HashMap::new();
    // The prefixes of which the one at hand may be an extension, and what they answer.
    let mut above: Vec<(Number, Answers)> = Vec::new();
    for same in sorted.chunk_by(|a, b| a.prefix == b.prefix) {
        let prefix = same[0].prefix;
        above.truncate(above.iter().take_while(|(shorter, _)| prefix.starts_with(*shorter)).count());
        let mut answers = above.last().map_or([Packed::NONE; LENGTHS], |(_, answers)| *answers);
        for (length, answer) in answers.iter_mut().enumerate() {
            if length < prefix.len() {
                *answer = Packed::NONE;
            } else if let Some(row) = same.iter().find(|row| row.lengths == 0 || row.lengths >> length & 1 == 1) {
                *answer = Packed::of(row);
            }
        }
        above.push((prefix, answers));
        prefixes.push(prefix);
        let place = *known.entry(answers).or_insert_with(|| {
            lists.push(answers);
            lists.len() as u32 - 1
        });
        cells.push(U32::new(place));
    }
    let map = prefix::build(&prefixes);
    let mut out = Vec::with_capacity(HEAD_BYTES + map.len() + cells.len() * 4 + size_of_val(lists.as_slice()));
    for word in [MAGIC, cells.len() as u32, lists.len() as u32, map.len() as u32] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.resize(HEAD_BYTES, 0);
    out.extend_from_slice(lists.as_bytes());
    out.extend_from_slice(&map);
    out.extend_from_slice(cells.as_bytes());
    out
}

/// The parts of a numbering plan, so that they need not be found for each number.
#[derive(Clone, Debug)]
pub struct Parts {
    map: prefix::Parts,
    cells: Bytes,
    lists: Bytes,
}

/// View over the section.
#[derive(Clone, Copy)]
pub struct NumberingPlan<'a> {
    map: PrefixMap<'a>,
    cells: &'a [U32],
    lists: &'a [Answers],
}

impl<'a> NumberingPlan<'a> {
    /// Checks everything once: sizes, the prefix map, every cell and answer.
    pub fn validate(bytes: &'a [u8]) -> Result<NumberingPlan<'a>, &'static str> {
        let (map, cells, lists) = split(bytes).ok_or("numbering plan: cut short or foreign")?;
        let plan = NumberingPlan { map: PrefixMap::validate(map)?, cells, lists };
        if plan.map.len() as usize != cells.len() {
            return Err("numbering plan: another number of classes than of prefixes");
        }
        if cells.iter().any(|cell| cell.get() as usize >= lists.len()) {
            return Err("numbering plan: a prefix without answers");
        }
        if !lists.as_flattened().iter().all(|answer| answer.is_sound()) {
            return Err("numbering plan: an answer that is no class");
        }
        Ok(plan)
    }

    /// A view over bytes that [`NumberingPlan::validate`] accepted before. On other bytes answers are meaningless,
    /// never a panic.
    pub fn trusted(bytes: &'a [u8]) -> NumberingPlan<'a> {
        let (map, cells, lists) = split(bytes).unwrap_or((&[], &[], &[]));
        NumberingPlan { map: PrefixMap::trusted(map), cells, lists }
    }

    /// The parts of a plan.
    pub fn parts(bytes: &Bytes) -> Option<Parts> {
        let (map, cells, lists) = split(bytes)?;
        let map = PrefixMap::parts(&bytes.slice_ref(map))?;
        Some(Parts { map, cells: bytes.slice_ref(cells.as_bytes()), lists: bytes.slice_ref(lists.as_bytes()) })
    }

    /// [`NumberingPlan::trusted`] of a plan that was taken apart.
    #[inline]
    pub fn of(parts: &'a Parts) -> NumberingPlan<'a> {
        let cells = <[U32]>::ref_from_bytes(&parts.cells).unwrap_or(&[]);
        let lists = <[Answers]>::ref_from_bytes(&parts.lists).unwrap_or(&[]);
        NumberingPlan { map: PrefixMap::of(&parts.map), cells, lists }
    }

    /// None: not known as valid; the caller gives it the main territory of its calling code and `Unknown`
    /// ([`Countries::unknown_class`](super::countries::Countries::unknown_class)).
    #[inline]
    pub fn classify(&self, number: Number) -> Option<Class> {
        let id = self.map.longest(number)?;
        let cell = self.cells.get(id as usize)?;
        self.lists.get(cell.get() as usize)?.get(number.len())?.class()
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

fn split(bytes: &[u8]) -> Option<(&[u8], &[U32], &[Answers])> {
    let (words, _) = <[U32; 4]>::ref_from_prefix(bytes).ok()?;
    let [magic, cells, lists, map] = words.map(U32::get);
    if magic != MAGIC {
        return None;
    }
    let (lists, rest) = <[Answers]>::ref_from_prefix_with_elems(bytes.get(HEAD_BYTES..)?, lists as usize).ok()?;
    let (map, rest) = rest.split_at_checked(map as usize)?;
    Some((map, <[U32]>::ref_from_bytes_with_elems(rest, cells as usize).ok()?, lists))
}
