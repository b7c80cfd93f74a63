//! How a file to be imported falls into pieces.
//!
//! Does not know what a record says.

/// How a file falls into records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Json,
    Csv,
    Document,
    /// Lines of a format of a node's own.
    Lines,
    /// Lines of such a format under a heading.
    Rows,
    /// A whole document of such a format.
    Whole,
}

impl Kind {
    pub fn content_type(self) -> &'static str {
        match self {
            Kind::Json => "application/x-ndjson",
            Kind::Csv => "text/csv",
            Kind::Document => "application/json",
            Kind::Lines | Kind::Rows | Kind::Whole => "application/octet-stream",
        }
    }

    pub fn has_header(self) -> bool {
        matches!(self, Kind::Csv | Kind::Rows)
    }

    pub fn is_whole(self) -> bool {
        matches!(self, Kind::Document | Kind::Whole)
    }
}

/// Whether the first line is a JSON object of its own.
pub(super) fn object_on_a_line(start: &[u8]) -> bool {
    let line = start.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.first() == Some(&b'{') && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}
