//! The rows of a CGRateS file: cells by their place, as CGRateS reads them; a line that begins with `#` says nothing, but
//! that a heading may name columns that exports put in front.
//!
//! Does not know what the cells mean.

use std::borrow::Cow;

use crate::tariff::csv::{BadQuote, Decoded, Rows, decode};
use crate::tariff::findings::{Findings, Place};

/// One row.
#[derive(Debug)]
pub(super) struct Line {
    /// 1-based.
    pub line: u32,
    cells: Vec<String>,
}

impl Line {
    /// A cell; empty where the row has none.
    pub fn cell(&self, at: usize) -> &str {
        self.cells.get(at).map_or("", String::as_str)
    }
}

/// What a file's rows have.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Cells without which a row says nothing.
    pub needed: usize,
    /// Columns that a heading may put in front of them.
    pub leading: &'static [&'static str],
    /// Whether a cell `*out` or `*in` may stand among the first, as in the files of before 0.10.
    pub directed: bool,
}

/// Where `*out` stands in the layouts that have it.
const DIRECTION_AT: [usize; 2] = [0, 2];

/// Reads a file; rows that cannot be read are errors with their place.
pub(super) fn read(bytes: &[u8], layout: Layout, findings: &mut Findings) -> Vec<Line> {
    let text = match decode(bytes) {
        Decoded::Utf8(text) => Cow::Borrowed(text),
        Decoded::Latin1(text) => {
            findings.warn(Place::default(), "not UTF-8: read as Latin-1", "save the file as UTF-8 if names look wrong");
            Cow::Owned(text)
        }
        Decoded::Utf16 => {
            findings.error(Place::default(), "the file is UTF-16", "save it as UTF-8");
            return Vec::new();
        }
    };
    let mut rows = Rows::separated(&text, b',');
    let (mut fields, mut lines, mut skip) = (Vec::new(), Vec::new(), 0);
    while let Some(row) = rows.next(&mut fields) {
        let line = match row {
            Ok(line) => line,
            Err(BadQuote(at)) => {
                findings.error(at, "a quote that does not end", "close it, or leave it out");
                continue;
            }
        };
        if fields.first().is_some_and(|f| f.text.starts_with('#')) {
            if lines.is_empty() {
                let key = |text: &str| text.trim_start_matches(['#', ' ']).to_ascii_lowercase();
                skip = fields.iter().take_while(|f| layout.leading.contains(&key(&f.text).as_str())).count();
            }
            continue;
        }
        let mut cells: Vec<String> = fields.iter().skip(skip).map(|f| f.text.to_string()).collect();
        if layout.directed
            && let Some(at) =
                DIRECTION_AT.into_iter().find(|at| matches!(cells.get(*at).map(String::as_str), Some("*out")))
        {
            cells.remove(at);
        }
        if cells.len() < layout.needed {
            let message = format!("{} cells where {} are needed", cells.len(), layout.needed);
            findings.error(
                Place { line, column: 1 },
                message,
                "CGRateS separates cells by commas and passes such a row over",
            );
            continue;
        }
        lines.push(Line { line, cells });
    }
    lines
}
