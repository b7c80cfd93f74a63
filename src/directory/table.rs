//! CSV bytes → rows whose cells are found by the name of their column, and the findings on the way.
//!
//! Tolerates what spreadsheets write: byte-order mark, CRLF, `;` or tab as separator, columns in any order, blank rows,
//! spaces around cells. Any bytes may come in.
//!
//! Does not know what the columns mean.

use std::ops::Range;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use crate::nearest::nearest;
use crate::tariff::{Finding, Severity};

/// A file is read up to this many errors: nobody reads more at once, and both memory and time stay bounded.
pub const ERRORS_MAX: usize = 1000;

/// No honest row is longer; a file with one has lost a closing quote.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// Most columns a header may have; the files have at most twelve.
const COLUMNS_MAX: usize = 256;

/// Where in a file: 1-based line, and 1-based character in that line; 0 where the whole is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

/// What is wrong with a cell, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    pub message: String,
    pub hint: String,
}

impl Fault {
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault { message: message.into(), hint: hint.into() }
    }
}

/// Findings of one file.
pub struct Findings {
    file: &'static str,
    list: Vec<Finding>,
    errors: usize,
}

impl Findings {
    pub fn new(file: &'static str) -> Findings {
        Findings { file, list: Vec::new(), errors: 0 }
    }

    pub fn error(&mut self, place: Place, fault: Fault) {
        self.errors += 1;
        if self.errors <= ERRORS_MAX {
            self.push(Severity::Error, place, fault);
        }
    }

    pub fn warning(&mut self, place: Place, fault: Fault) {
        // Warnings share the bound, so that a million rows in a foreign language do not fill the memory.
        if self.list.len() < 2 * ERRORS_MAX {
            self.push(Severity::Warning, place, fault);
        }
    }

    /// Whether reading on would only repeat what is known: the file is bad.
    pub fn full(&self) -> bool {
        self.errors >= ERRORS_MAX
    }

    pub fn any_error(&self) -> bool {
        self.errors > 0
    }

    /// All findings in the order of places.
    pub fn finish(mut self) -> Vec<Finding> {
        self.list.sort_by_key(|f| (f.line, f.column));
        if self.full() {
            let hint = "mend these first, then check again";
            let fault = Fault::new(format!("read only up to the {ERRORS_MAX}th error"), hint);
            self.push(Severity::Error, Place::default(), fault);
        }
        self.list
    }

    fn push(&mut self, severity: Severity, place: Place, fault: Fault) {
        self.list.push(Finding {
            severity,
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            message: fault.message,
            hint: fault.hint,
        });
    }
}

/// A CSV file being read row by row.
pub struct Table<'t> {
    records: Records<'t>,
    /// Known column → place in the row.
    places: Vec<Option<usize>>,
    /// Place in the row → whether the header names it.
    named: Vec<bool>,
}

/// One row: cells by known column.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    pub line: u32,
    cells: &'r str,
    ends: &'r [usize],
    places: &'r [Option<usize>],
    raw: &'r [u8],
    separator: u8,
}

impl<'t> Table<'t> {
    /// Reads the header. None if the file cannot be read as this table; the findings say why.
    pub fn open(input: &'t [u8], known: &[&str], required: &[&str], findings: &mut Findings) -> Option<Table<'t>> {
        if input.starts_with(&[0xFF, 0xFE]) || input.starts_with(&[0xFE, 0xFF]) {
            findings.error(Place::default(), Fault::new("the file is UTF-16", "save it as CSV UTF-8"));
            return None;
        }
        let input = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input);
        let mut records = Records::new(input);
        if !records.read(findings) {
            if !findings.any_error() {
                let hint = format!("the first row names the columns: {}", known.join(","));
                findings.error(Place::default(), Fault::new("the file is empty", hint));
            }
            return None;
        }
        if !records.check(findings) {
            return None;
        }
        let header = records.row(&[]);
        let mut places = vec![None; known.len()];
        let mut named = Vec::new();
        for i in 0..header.ends.len() {
            let name = header.cell(i).to_ascii_lowercase();
            named.push(!name.is_empty());
            if name.is_empty() {
                continue;
            }
            match known.iter().position(|k| *k == name) {
                None => {
                    let near = nearest(&name, known.iter().copied());
                    let near = near.map_or(String::new(), |near| format!("did you mean {near:?}? "));
                    let hint = format!("{near}Known columns: {}", known.join(", "));
                    findings.error(header.place_of(i), Fault::new(format!("unknown column {name:?}"), hint));
                }
                Some(k) if places[k].is_some() => {
                    let fault = Fault::new(format!("column {name:?} appears twice"), "take one of them out");
                    findings.error(header.place_of(i), fault);
                }
                Some(k) => places[k] = Some(i),
            }
        }
        for name in required {
            if known.iter().zip(&places).any(|(k, place)| k == name && place.is_none()) {
                let hint = format!("the first row must name it; it needs at least {}", required.join(","));
                let place = Place { line: header.line, column: 0 };
                findings.error(place, Fault::new(format!("column {name:?} is missing"), hint));
            }
        }
        (!findings.any_error()).then_some(Table { records, places, named })
    }

    /// The next row that is not blank and can be split into cells.
    pub fn next(&mut self, findings: &mut Findings) -> Option<Row<'_>> {
        while !findings.full() && self.records.read(findings) {
            if self.records.check(findings) && self.is_row(findings) {
                return Some(self.records.row(&self.places));
            }
        }
        None
    }

    /// Whether the record read last is not blank and has its cells in named columns.
    fn is_row(&self, findings: &mut Findings) -> bool {
        let row = self.records.row(&self.places);
        if row.cells.trim().is_empty() {
            return false;
        }
        let unnamed = |i: &usize| !self.named.get(*i).is_some_and(|named| *named);
        let Some(stray) = (0..row.ends.len()).filter(unnamed).find(|i| !row.cell(*i).is_empty()) else { return true };
        let message = format!("{:?} stands in a column without a name", clip(row.cell(stray)));
        let hint = "a cell that holds the separator must be in double quotes";
        findings.error(row.place_of(stray), Fault::new(message, hint));
        false
    }
}

impl<'r> Row<'r> {
    /// The cell of a known column, trimmed; empty where the file has no such column.
    pub fn get(&self, column: usize) -> &'r str {
        self.places.get(column).copied().flatten().map_or("", |i| self.cell(i))
    }

    /// Where the cell of a known column begins.
    pub fn place(&self, column: usize) -> Place {
        match self.places.get(column).copied().flatten() {
            Some(i) => self.place_of(i),
            None => Place { line: self.line, column: 0 },
        }
    }

    fn range(&self, i: usize) -> Range<usize> {
        let end = self.ends.get(i).copied().unwrap_or(self.cells.len());
        let start = if i == 0 { 0 } else { self.ends.get(i - 1).copied().unwrap_or(self.cells.len()) };
        start..end
    }

    fn cell(&self, i: usize) -> &'r str {
        self.cells.get(self.range(i)).unwrap_or("").trim()
    }

    /// Finds the cell in the raw text; only faults pay for it.
    fn place_of(&self, i: usize) -> Place {
        let (mut left, mut quoted, mut column) = (i, false, 1);
        for b in self.raw {
            if left == 0 || (!quoted && matches!(b, b'\r' | b'\n')) {
                break;
            }
            quoted ^= *b == b'"';
            left -= usize::from(!quoted && *b == self.separator);
            // Continuation bytes of UTF-8 are not characters of their own.
            column += u32::from(*b & 0xC0 != 0x80);
        }
        Place { line: self.line, column }
    }
}

/// Raw records over `csv-core`.
struct Records<'t> {
    input: &'t [u8],
    position: usize,
    line: u32,
    separator: u8,
    reader: Reader,
    output: Vec<u8>,
    ends: Vec<usize>,
    /// The record read last: bytes of cells, how many cells, where it stands, and its text once checked.
    cells: usize,
    fields: usize,
    raw: Range<usize>,
    raw_line: u32,
    text: String,
}

impl<'t> Records<'t> {
    fn new(input: &'t [u8]) -> Records<'t> {
        let separator = separator(input);
        Records {
            input,
            position: 0,
            line: 1,
            separator,
            reader: ReaderBuilder::new().delimiter(separator).build(),
            output: vec![0; 4096],
            ends: vec![0; COLUMNS_MAX],
            cells: 0,
            fields: 0,
            raw: 0..0,
            raw_line: 1,
            text: String::new(),
        }
    }

    /// Reads the next record; false at the end of the file or where reading on makes no sense.
    fn read(&mut self, findings: &mut Findings) -> bool {
        while let Some(b @ (b'\r' | b'\n')) = self.input.get(self.position) {
            self.line += u32::from(*b == b'\n' || self.input.get(self.position + 1) != Some(&b'\n'));
            self.position += 1;
        }
        let start = self.position;
        self.raw_line = self.line;
        (self.cells, self.fields) = (0, 0);
        loop {
            let rest = self.input.get(self.position..).unwrap_or(&[]);
            let (result, read, written, ended) =
                self.reader.read_record(rest, &mut self.output[self.cells..], &mut self.ends[self.fields..]);
            self.position += read;
            self.cells += written;
            self.fields += ended;
            let fault = match result {
                // All input was given, so the next turn tells the reader that it is at the end.
                ReadRecordResult::InputEmpty => continue,
                ReadRecordResult::End => return false,
                ReadRecordResult::Record => break,
                ReadRecordResult::OutputFull if self.output.len() < RECORD_BYTES_MAX => {
                    self.output.resize(self.output.len() * 2, 0);
                    continue;
                }
                ReadRecordResult::OutputFull => {
                    Fault::new("the row is longer than 1 MiB", "is a closing double quote missing?")
                }
                ReadRecordResult::OutputEndsFull => {
                    Fault::new(format!("the row has more than {COLUMNS_MAX} cells"), "is this the right file?")
                }
            };
            findings.error(Place { line: self.raw_line, column: 0 }, fault);
            // Nothing after this can be trusted to be a row.
            self.position = self.input.len();
            return false;
        }
        self.raw = start..self.position;
        for i in self.raw.clone() {
            let b = self.input[i];
            self.line += u32::from(b == b'\n' || (b == b'\r' && self.input.get(i + 1) != Some(&b'\n')));
        }
        true
    }

    /// Whether the record read last is text on one line; keeps it as such.
    fn check(&mut self, findings: &mut Findings) -> bool {
        self.text.clear();
        let bytes = self.output.get(..self.cells).unwrap_or(&[]);
        let ends = self.ends.get(..self.fields).unwrap_or(&[]);
        let cell = |i: usize| bytes.get(if i == 0 { 0 } else { ends[i - 1] }..ends[i]);
        let fault = match std::str::from_utf8(bytes) {
            Ok(text) if ends.iter().all(|end| text.is_char_boundary(*end)) => {
                let Some(at) = memchr::memchr2(b'\n', b'\r', bytes) else {
                    self.text.push_str(text);
                    return true;
                };
                let cell = ends.iter().position(|end| at < *end);
                (cell, Fault::new("a cell goes on over the end of the line", "is a closing double quote missing?"))
            }
            _ => {
                let is_text = |i: &usize| cell(*i).is_some_and(|cell| std::str::from_utf8(cell).is_ok());
                let bad = (0..ends.len()).find(|i| !is_text(i));
                (bad, Fault::new("the text is not UTF-8", "save the file as CSV UTF-8"))
            }
        };
        let (cell, fault) = fault;
        findings.error(self.row(&[]).place_of(cell.unwrap_or(0)), fault);
        false
    }

    /// The record that was checked last.
    fn row<'r>(&'r self, places: &'r [Option<usize>]) -> Row<'r> {
        Row {
            line: self.raw_line,
            cells: &self.text,
            ends: self.ends.get(..self.fields).unwrap_or(&[]),
            places,
            raw: self.input.get(self.raw.clone()).unwrap_or(&[]),
            separator: self.separator,
        }
    }
}

/// `,`, `;` or tab: the one that stands most often in the header row.
fn separator(input: &[u8]) -> u8 {
    let from = input.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(0);
    let header = input.get(from..).unwrap_or(&[]).split(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or(&[]);
    let count = |separator: u8| header.iter().filter(|b| **b == separator).count();
    // `max_by_key` takes the last of equals, so the comma stands last.
    [b'\t', b';', b','].into_iter().max_by_key(|s| count(*s)).unwrap_or(b',')
}

/// Text for a message, cut to a length that fits a line.
pub fn clip(text: &str) -> &str {
    text.char_indices().nth(60).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
}
