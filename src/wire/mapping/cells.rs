//! Rows of cells: by their place, by the number of cells, or under a header.
//!
//! Does not know what a cell means.

use super::settings::Quotes;
use super::{Read, Values};
use crate::wire::place::Place;
use crate::wire::{Refusal, column};

/// How rows are cut.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub separator: u8,
    pub quotes: Quotes,
}

/// Which cell is which value.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// The value of each cell, if any field wants it.
    pub values: Box<[Option<u16>]>,
    /// The cell to which surplus ones belong.
    pub wide: Option<usize>,
    /// Surplus ones stand behind and are nobody's.
    pub open: bool,
}

/// Reads a row whose layout is told by the number of its cells.
pub(super) fn read(cut: Cut, layouts: &[Layout], values: &mut Values<'_>) -> Result<Read, Refusal> {
    let mut cells = std::mem::take(&mut values.scratch.cells);
    let outcome = cut.cells(values, &mut cells).and_then(|()| {
        let exact = layouts.iter().find(|layout| layout.values.len() == cells.len());
        let takes_more = |layout: &&Layout| layout.open || layout.wide.is_some();
        let wide = || layouts.iter().find(|layout| takes_more(layout) && layout.values.len() < cells.len());
        match (exact.or_else(wide), layouts) {
            (Some(layout), _) => {
                layout.place(&cells, values);
                Ok(Read::Values)
            }
            (None, [only]) => Err(Refusal::Cells { cells: cells.len() as u32, columns: only.values.len() as u32 }),
            (None, _) => Err(Refusal::Layout { cells: cells.len() as u32 }),
        }
    });
    values.scratch.cells = cells;
    outcome
}

/// Reads a row under a header, or the header.
pub(super) fn read_under_header(
    cut: Cut,
    names: &[Box<str>],
    header: &mut Option<(Layout, Box<[u8]>)>,
    values: &mut Values<'_>,
) -> Result<Read, Refusal> {
    let mut cells = std::mem::take(&mut values.scratch.cells);
    let outcome = cut.cells(values, &mut cells).and_then(|()| match header {
        Some((_, line)) if **line == *values.message => Ok(Read::Header),
        Some((layout, _)) => {
            if cells.len() != layout.values.len() {
                return Err(Refusal::Cells { cells: cells.len() as u32, columns: layout.values.len() as u32 });
            }
            layout.place(&cells, values);
            Ok(Read::Values)
        }
        None => {
            let value_of = |place: &Place| {
                let text = place.of(values.message, &values.scratch.text).trim_ascii();
                let found = names.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(text));
                found.and_then(|at| u16::try_from(at).ok())
            };
            let layout = Layout { values: cells.iter().map(value_of).collect(), wide: None, open: false };
            if layout.values.iter().all(Option::is_none) {
                return Err(Refusal::Columns);
            }
            *header = Some((layout, values.message.into()));
            Ok(Read::Header)
        }
    });
    values.scratch.cells = cells;
    outcome
}

impl Layout {
    fn place(&self, cells: &[Place], values: &mut Values<'_>) {
        let surplus = cells.len().saturating_sub(self.values.len());
        for (at, value) in self.values.iter().enumerate() {
            let Some(value) = value else { continue };
            let (first, last) = match self.wide {
                Some(wide) if at > wide => (at + surplus, at + surplus),
                Some(wide) if at == wide => (at, at + surplus),
                _ => (at, at),
            };
            let (Some(first), Some(last)) = (cells.get(first), cells.get(last)) else { continue };
            // Cells joined again lie in the message as they were; one whose quotes were doubled lies elsewhere.
            let joined = first == last || !first.in_scratch && !last.in_scratch;
            values.set(*value, if joined { Place { end: last.end, ..*first } } else { *first });
        }
    }
}

impl Cut {
    /// The cells of the message, without the quotes around them.
    fn cells(self, values: &mut Values<'_>, cells: &mut Vec<Place>) -> Result<(), Refusal> {
        let message = values.message;
        cells.clear();
        let mut at = 0;
        loop {
            let rest = message.get(at..).unwrap_or_default();
            let spaces = rest.iter().take_while(|b| **b == b' ' && self.separator != b' ').count();
            let next = if self.quotes != Quotes::None && rest.get(spaces) == Some(&b'"') {
                self.quoted(at + spaces + 1, values, cells)?
            } else {
                let length = memchr::memchr(self.separator, rest).unwrap_or(rest.len());
                let text = rest.get(..length).unwrap_or_default();
                let start = at + spaces.min(length);
                cells.push(Values::at(start, start.max(at + text.trim_ascii_end().len())));
                at + length
            };
            if next >= message.len() {
                return Ok(());
            }
            at = next + 1;
            if at == message.len() {
                // Behind the last separator there is one more, which is empty.
                cells.push(Values::at(at, at));
                return Ok(());
            }
        }
    }

    /// A cell in quotes, from behind the opening one; where its separator stands.
    fn quoted(self, start: usize, values: &mut Values<'_>, cells: &mut Vec<Place>) -> Result<usize, Refusal> {
        let message = values.message;
        let wrong = |at: usize, expected| Refusal::Csv { column: column(at), expected };
        let quote_from = |at: usize| {
            let found = memchr::memchr(b'"', message.get(at..).unwrap_or_default());
            found.map(|length| at + length).ok_or_else(|| wrong(start - 1, "the quoted cell is not closed on its line"))
        };
        let ends = |at: usize| {
            let rest = message.get(at + 1..).unwrap_or_default();
            let spaces = rest.iter().take_while(|b| **b == b' ' && self.separator != b' ').count();
            match rest.get(spaces) {
                None => Some(message.len()),
                Some(byte) if *byte == self.separator => Some(at + 1 + spaces),
                Some(_) => None,
            }
        };
        let mut end = quote_from(start)?;
        if self.quotes == Quotes::Literal {
            loop {
                if let Some(separator) = ends(end) {
                    cells.push(Values::at(start, end));
                    return Ok(separator);
                }
                end = quote_from(end + 1)?;
            }
        }
        if message.get(end + 1) != Some(&b'"') {
            cells.push(Values::at(start, end));
            return ends(end).ok_or_else(|| wrong(end + 1, "expected the separator behind the closing quote"));
        }
        let (begun, mut from) = (values.scratch.text.len(), start);
        loop {
            let doubled = message.get(end + 1) == Some(&b'"');
            // A doubled quote is kept once.
            values.write(message.get(from..end + usize::from(doubled)).unwrap_or_default());
            if !doubled {
                cells.push(values.written(begun));
                return ends(end).ok_or_else(|| wrong(end + 1, "expected the separator behind the closing quote"));
            }
            from = end + 2;
            end = quote_from(from)?;
        }
    }
}
