//! Bytes of a supplier's file → rows of cells: encoding, separator and quotes found out.
//!
//! Does not know what any column means.

use std::borrow::Cow;

use crate::tariff::csv::{BadQuote, Decoded, Rows, decode};
use crate::tariff::findings::{Findings, Place};

/// Separators that are tried. Of equals the earlier wins, so the comma, which also is a decimal mark, comes last.
const SEPARATORS: [u8; 4] = [b'\t', b';', b'|', b','];
/// Rows by which the separator is told.
const SNIFFED: usize = 60;
/// Most bytes of a file: ten times the largest deck known, and offsets have 32 bits.
const BYTES_MAX: usize = 1 << 30;

/// Rows of cells, all in one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    text: String,
    /// End of each cell in the text; a cell begins where the one before it ends.
    ends: Vec<u32>,
    /// Line in the file, and how many cells there were before the row.
    rows: Vec<(u32, u32)>,
    /// What stood between the cells; none in a workbook.
    pub separator: Option<u8>,
}

impl Table {
    /// Adds a row; `line` is its line in the file, 1-based. Rows beyond a gibibyte of text are not taken: false.
    pub fn push<'c>(&mut self, line: u32, cells: impl IntoIterator<Item = &'c str>) -> bool {
        self.rows.push((line, self.ends.len() as u32));
        for cell in cells {
            self.text.push_str(cell);
            self.ends.push(self.text.len() as u32);
        }
        self.text.len() <= BYTES_MAX && self.ends.len() <= BYTES_MAX
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Line of a row in the file, 1-based; 0 if there is no such row.
    pub fn line(&self, row: usize) -> u32 {
        self.rows.get(row).map_or(0, |(line, _)| *line)
    }

    /// How many cells a row has.
    pub fn width(&self, row: usize) -> usize {
        let first = self.rows.get(row).map_or(self.ends.len(), |(_, first)| *first as usize);
        self.rows.get(row + 1).map_or(self.ends.len(), |(_, next)| *next as usize) - first
    }

    /// A cell; empty where the row ends before it.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        let Some((_, first)) = self.rows.get(row) else { return "" };
        if column >= self.width(row) {
            return "";
        }
        let at = *first as usize + column;
        let from = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        self.ends.get(at).and_then(|end| self.text.get(from..*end as usize)).unwrap_or("").trim()
    }

    /// The cells of a row.
    pub fn cells(&self, row: usize) -> impl Iterator<Item = &str> {
        (0..self.width(row)).map(move |column| self.cell(row, column))
    }
}

/// Reads delimited text. Without a separator it is found out.
pub fn read(bytes: &[u8], separator: Option<u8>, findings: &mut Findings) -> Table {
    let mut table = Table::default();
    if bytes.len() > BYTES_MAX {
        findings.error(Place::default(), "larger than a gibibyte", "split the deck");
        return table;
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xD0\xCF\x11\xE0") {
        findings.error(Place::default(), "this is a workbook, not text", "name it .xlsx, .xls or .ods");
        return table;
    }
    let text = match decode(bytes) {
        Decoded::Utf8(text) => Cow::Borrowed(text),
        Decoded::Latin1(text) => {
            findings.warn(Place::default(), "not UTF-8: read as Latin-1", "save the file as UTF-8 if names look wrong");
            Cow::Owned(text)
        }
        Decoded::Utf16 => Cow::Owned(utf16(bytes)),
    };
    let separator = separator.unwrap_or_else(|| sniff(&text));
    table.separator = Some(separator);
    let mut rows = Rows::separated(&text, separator);
    let mut fields = Vec::new();
    while let Some(row) = rows.next(&mut fields) {
        match row {
            Ok(line) => {
                table.push(line, fields.iter().map(|f| f.text.as_ref()));
            }
            Err(BadQuote(at)) => {
                findings.error(at, "a quote that does not end, or goes on behind its end", "double a quote in quotes");
            }
        }
    }
    table
}

/// With its mark; what is no letter becomes the sign for that.
fn utf16(bytes: &[u8]) -> String {
    let big = bytes.starts_with(&[0xFE, 0xFF]);
    let (pairs, _) = bytes.as_chunks::<2>();
    let units =
        pairs.iter().skip(1).map(|pair| if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) });
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// The separator by which most rows have equally many fields.
fn sniff(text: &str) -> u8 {
    if let Some(stated) = text.lines().next().and_then(|l| l.strip_prefix("sep="))
        && let Some(separator) = stated.as_bytes().first()
        && SEPARATORS.contains(separator)
    {
        return *separator;
    }
    let mut best = (0, 0, b',');
    for separator in SEPARATORS {
        let (mut rows, mut fields, mut widths) = (Rows::separated(text, separator), Vec::new(), Vec::new());
        while widths.len() < SNIFFED
            && let Some(row) = rows.next(&mut fields)
        {
            widths.push(if row.is_ok() { fields.len() } else { 0 });
        }
        widths.sort_unstable();
        for same in widths.chunk_by(|a, b| a == b) {
            let width = same.first().copied().unwrap_or(0);
            if width > 1 && (same.len(), width) > (best.0, best.1) {
                best = (same.len(), width, separator);
            }
        }
    }
    best.2
}
