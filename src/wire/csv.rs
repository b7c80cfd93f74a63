//! Rows under a header that names the native record's fields, in any order, with any other columns between them.
//!
//! The separator is the one of `,` `;` and tab that the header uses. A cell may stand in double quotes, with quotes inside
//! doubled. One row is one line: a cell that holds a line break is refused, since in a stream nobody could tell it from a
//! quote that was never closed, and one bad row must not swallow those behind it. White space around a cell is not part of
//! it, an empty cell is an absent field.
//!
//! Does not know JSON, nor where lines come from.

mod plain;

use super::field::{Draft, Field};
use super::place::Place;
use super::{Refusal, Scratch, column, utf8};
use crate::record::Record;

/// What the header says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Columns {
    separator: u8,
    fields: Box<[Option<Field>]>,
    header: Box<[u8]>,
}

impl Columns {
    /// Reads a header line.
    ///
    /// Errors: it is not text, or lacks a column that every record needs.
    pub fn from_header(line: &[u8]) -> Result<Columns, Refusal> {
        utf8(line)?;
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        let count = |separator: u8| line.iter().filter(|b| **b == separator).count();
        let separator = [b',', b';', b'\t'].into_iter().max_by_key(|s| (count(*s), *s == b',')).unwrap_or(b',');
        let mut fields = Vec::new();
        let mut scratch = Scratch::default();
        let mut cells = Cells::new(line, separator);
        while let Some(place) = cells.next(&mut scratch)? {
            let field = Field::named(&place.of(line, &scratch.text).to_ascii_lowercase());
            if let Some(field) = field.filter(|f| fields.contains(&Some(*f))) {
                return Err(Refusal::Repeated(field.name()));
            }
            fields.push(field);
        }
        let has = |field: Field| fields.contains(&Some(field));
        for field in [Field::Id, Field::Source, Field::Destination] {
            if !has(field) {
                return Err(Refusal::Header(field.name()));
            }
        }
        if !has(Field::Duration) && !has(Field::End) {
            return Err(Refusal::Header("duration"));
        }
        Ok(Columns { separator, fields: fields.into(), header: line.into() })
    }

    /// Whether the line is the same header once more, as when a sender connects anew or files are joined.
    pub fn is_header(&self, line: &[u8]) -> bool {
        *self.header == *line
    }
}

/// Decodes one row. `node` is given to a record that names none.
// Inlined, so that the record is written where the caller wants it.
#[inline(always)]
pub fn decode<'a>(
    line: &'a [u8],
    columns: &Columns,
    node: &'a [u8],
    scratch: &'a mut Scratch,
) -> Result<Record<'a>, Refusal> {
    if let Some(record) = plain::read(line, columns, node, &mut scratch.day) {
        return Ok(record);
    }
    general(line, columns, node, scratch)
}

/// Whether the short way reads it.
#[cfg(test)]
pub(super) fn is_plain(line: &[u8], columns: &Columns, day: &mut super::plain::Day) -> bool {
    plain::read(line, columns, b"", day).is_some()
}

/// Any row at all, and what is wrong with it.
#[inline(never)]
pub(super) fn general<'a>(
    line: &'a [u8],
    columns: &Columns,
    node: &'a [u8],
    scratch: &'a mut Scratch,
) -> Result<Record<'a>, Refusal> {
    utf8(line)?;
    scratch.text.clear();
    let mut draft = Draft::default();
    let mut cells = Cells::new(line, columns.separator);
    let mut count = 0;
    while let Some(place) = cells.next(scratch)? {
        let Some(field) = columns.fields.get(count) else {
            return Err(Refusal::Cells { cells: count as u32 + 1, columns: columns.fields.len() as u32 });
        };
        count += 1;
        let Some(field) = field else { continue };
        let text = place.of(line, &scratch.text);
        // `source` may be empty: a caller may withhold the number. Everything else that is empty is absent.
        if !text.is_empty() || *field == Field::Source {
            draft.set(*field, text, place)?;
        }
    }
    if count != columns.fields.len() {
        return Err(Refusal::Cells { cells: count as u32, columns: columns.fields.len() as u32 });
    }
    draft.finish(line, scratch, node, false)
}

/// Where the byte stands from `from` on, or the end of the text; eight bytes at a time, since cells are too short for
/// `memchr` to be worth its call.
#[inline]
fn find(text: &[u8], from: usize, byte: u8) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = from;
    while let Some(eight) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let other = u64::from_le_bytes(*eight) ^ (ONES * u64::from(byte));
        // The high bit of each byte that is zero; false ones only above the first.
        let found = other.wrapping_sub(ONES) & !other & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while text.get(at).is_some_and(|b| *b != byte) {
        at += 1;
    }
    at.min(text.len())
}

/// The cells of one line.
struct Cells<'a> {
    line: &'a [u8],
    separator: u8,
    /// Where the next cell begins; none behind the last.
    at: Option<usize>,
}

impl<'a> Cells<'a> {
    fn new(line: &'a [u8], separator: u8) -> Cells<'a> {
        Cells { line, separator, at: Some(0) }
    }

    #[inline]
    fn next(&mut self, scratch: &mut Scratch) -> Result<Option<Place>, Refusal> {
        let Some(from) = self.at else { return Ok(None) };
        if !matches!(self.line.get(from), Some(b'#'..=b'~')) {
            return self.next_with_spaces(from, scratch).map(Some);
        }
        let end = find(self.line, from, self.separator);
        self.at = (end < self.line.len()).then_some(end + 1);
        Ok(Some(self.trimmed(from, end)))
    }

    /// A cell that is empty, or begins with white space, a quote, or something rare.
    fn next_with_spaces(&mut self, from: usize, scratch: &mut Scratch) -> Result<Place, Refusal> {
        let rest = self.line.get(from..).unwrap_or_default();
        let start = from + rest.iter().take_while(|b| self.is_space(**b)).count();
        if self.line.get(start) == Some(&b'"') {
            return self.quoted(start + 1, scratch);
        }
        let end = find(self.line, start, self.separator);
        self.at = (end < self.line.len()).then_some(end + 1);
        Ok(self.trimmed(start, end))
    }

    #[inline]
    fn trimmed(&self, start: usize, end: usize) -> Place {
        let mut end = end;
        while end > start && self.line.get(end - 1).is_some_and(|b| self.is_space(*b)) {
            end -= 1;
        }
        Place { start: start as u32, end: end as u32, in_scratch: false }
    }

    fn is_space(&self, byte: u8) -> bool {
        (byte == b' ' || byte == b'\t') && byte != self.separator
    }

    /// A cell in quotes, from behind the opening one.
    fn quoted(&mut self, start: usize, scratch: &mut Scratch) -> Result<Place, Refusal> {
        let wrong = |at: usize, expected| Refusal::Csv { column: column(at), expected };
        let quote_from = |at: usize| {
            let rest = self.line.get(at..).unwrap_or_default();
            memchr::memchr(b'"', rest).map(|length| at + length)
        };
        let unclosed = || wrong(start - 1, "the quoted cell is not closed on its line");
        let mut end = quote_from(start).ok_or_else(unclosed)?;
        let mut place = Place { start: start as u32, end: end as u32, in_scratch: false };
        if self.line.get(end + 1) == Some(&b'"') {
            place = Place { start: scratch.text.len() as u32, end: 0, in_scratch: true };
            let mut from = start;
            loop {
                let doubled = self.line.get(end + 1) == Some(&b'"');
                // A doubled quote is kept once.
                let to = if doubled { end + 1 } else { end };
                scratch.text.extend_from_slice(self.line.get(from..to).unwrap_or_default());
                if !doubled {
                    break;
                }
                from = end + 2;
                end = quote_from(from).ok_or_else(unclosed)?;
            }
            place.end = scratch.text.len() as u32;
        }
        let mut at = end + 1;
        while self.line.get(at).is_some_and(|b| self.is_space(*b)) {
            at += 1;
        }
        self.at = match self.line.get(at) {
            None => None,
            Some(byte) if *byte == self.separator => Some(at + 1),
            Some(_) => return Err(wrong(at, "expected the separator behind the closing quote")),
        };
        Ok(place)
    }
}
