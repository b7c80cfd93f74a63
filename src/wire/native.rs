//! The house's own records: JSON or CSV, told by the first byte where the sender did not say.
//!
//! Does not know how either is read, nor formats of others.

use super::{Format, Line, Refusal, Scratch, csv, json, trim};

/// Decodes the lines of one connection, one datagram or one body; remembers the header of CSV.
#[derive(Debug)]
pub(super) struct Decoder {
    format: Format,
    columns: Option<csv::Columns>,
    columns_given: bool,
    node: Box<[u8]>,
}

impl Decoder {
    /// A decoder that gives `node` to records which name none.
    pub fn new(format: Format, node: &[u8]) -> Decoder {
        Decoder { format, columns: None, columns_given: false, node: node.into() }
    }

    /// The same for rows without a header line: `columns` says what it would have said.
    pub fn with_columns(mut self, columns: csv::Columns) -> Decoder {
        self.columns = Some(columns);
        self.columns_given = true;
        self
    }

    /// Forgets a header that came as a line: what follows stands for itself, as each datagram does.
    pub fn restart(&mut self) {
        if !self.columns_given {
            self.columns = None;
        }
    }

    /// JSON or CSV, as far as it is known by now.
    pub fn format(&self) -> &'static str {
        match (&self.format, &self.columns) {
            (Format::Csv, _) | (Format::Auto, Some(_)) => "csv",
            _ => "json",
        }
    }

    /// Decodes one line, without its line end. `raw` of the record is the line without white space around it.
    pub fn decode<'a>(&'a mut self, line: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        let line = trim(line);
        let Some(first) = line.first() else { return Ok(Line::Blank) };
        let json = match self.format {
            Format::Json => true,
            Format::Csv => false,
            Format::Auto | Format::Named(_) => *first == b'{' && self.columns.is_none(),
        };
        if json {
            return json::decode(line, &self.node, scratch).map(Line::Record);
        }
        if self.columns.is_none() {
            let header = csv::Columns::from_header(line);
            self.columns = Some(header.map_err(|e| if self.format == Format::Auto { Refusal::Unknown } else { e })?);
            return Ok(Line::Header);
        }
        match &self.columns {
            Some(columns) if columns.is_header(line) => Ok(Line::Header),
            Some(columns) => csv::decode(line, columns, &self.node, scratch).map(Line::Record),
            None => Err(Refusal::Unknown),
        }
    }
}
