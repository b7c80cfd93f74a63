//! Why something is not a record: a closed list, each with a counter and a sentence for the person who must mend it.
//!
//! Does not know what is read, nor who counts.

use super::{TEXT_MAX, hep, sip};
use crate::record::ID_MAX;

/// Why a line is not a record. A closed list: each has a counter, and a sentence for the person who must mend it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The line is not JSON.
    #[error("malformed JSON at column {column}: {expected}")]
    Json {
        /// Byte in the line, from 1.
        column: u32,
        /// What should stand there.
        expected: &'static str,
    },
    /// The line is not a row.
    #[error("malformed CSV at column {column}: {expected}")]
    Csv {
        /// Byte in the line, from 1.
        column: u32,
        /// What is wrong there.
        expected: &'static str,
    },
    /// A row with another number of cells than the header has.
    #[error(
        "the row has {cells} cells and the header {columns}: a cell that holds the separator must stand in double quotes"
    )]
    Cells {
        /// Cells of the row; counting stops one behind the header's.
        cells: u32,
        /// Columns of the header.
        columns: u32,
    },
    /// The document is not XML.
    #[error("malformed XML at column {column}: {expected}")]
    Xml {
        /// Byte in the document, from 1.
        column: u32,
        /// What is wrong there.
        expected: &'static str,
    },
    /// A row with a number of cells that no layout of its format has.
    #[error("the row has {cells} cells, and no layout of this format has so many")]
    Layout {
        /// Cells of the row.
        cells: u32,
    },
    /// A value that reaches beyond its column.
    #[error("at column {0} a value reaches beyond its column: the node writes other columns than this format has")]
    Beyond(u32),
    /// The first line should name the columns of a format, and names none.
    #[error("the first line must name the columns, and names none that this format reads")]
    Columns,
    /// Not a time as the format writes it.
    #[error("field {0:?} is not a time as this format writes it")]
    Clock(&'static str),
    /// A time of which nothing may depend on which it was.
    #[error("the time in {0:?} came twice when the clocks went back: let the node write UTC, or Unix seconds")]
    Twice(&'static str),
    /// The line should name the columns, and does not name one that every record needs.
    #[error(
        "the first line must name the columns, and names none {0:?}: write a header such as id,source,destination,answer,duration"
    )]
    Header(&'static str),
    /// Neither a JSON object nor, since no header came, a row.
    #[error("neither a JSON record nor a CSV header with the columns id, source, destination, and duration or end")]
    Unknown,
    /// Not UTF-8.
    #[error("not UTF-8 at column {0}: send UTF-8")]
    NotUtf8(u32),
    /// A required field is absent.
    #[error("field {0:?} is missing")]
    Missing(&'static str),
    /// Neither duration nor end (R1).
    #[error("neither \"duration\" nor \"end\": how long the call was cannot be known")]
    NoDuration,
    /// A field stands twice in one record.
    #[error("field {0:?} stands twice")]
    Repeated(&'static str),
    /// A field holds something that is neither text nor number.
    #[error("field {0:?} must be a text or a number")]
    Kind(&'static str),
    /// Not an instant.
    #[error(
        "field {0:?} is not a time: write RFC 3339 with an offset (2026-10-05T09:00:00Z), or Unix seconds, or milliseconds"
    )]
    Time(&'static str),
    /// Not seconds.
    #[error("field \"duration\" is not a number of seconds such as 61 or 61.25")]
    Duration,
    /// Not a direction.
    #[error("field \"direction\" must be \"outbound\" or \"inbound\"")]
    Direction,
    /// `id` is empty or too long.
    #[error("field \"id\" has {0} bytes: it must have 1 to {ID_MAX}")]
    Id(u32),
    /// A text is longer than any such name or number.
    #[error("field {0:?} is longer than {TEXT_MAX} bytes")]
    TooLong(&'static str),
    /// A name holds control characters.
    #[error("field {0:?} holds a control character")]
    Control(&'static str),
    /// The line is longer than its door takes.
    #[error("the line is longer than {0} bytes")]
    Line(u32),
    /// Kamailio's CDRs look the same with and without the ringing.
    #[error(
        "a Kamailio CDR does not tell whether its duration includes the ringing: set talk_includes_ringing = false on the listener if Kamailio has cdr_start_on_confirmed = 1, else true, and calls are rated from the accounting of INVITE and BYE"
    )]
    Ringing,
    /// Not a packet of a capture agent.
    #[error("{0}")]
    Hep(hep::BadHep),
    /// Not a SIP message.
    #[error("{0}")]
    Sip(sip::BadSip),
    /// A time zone by a name that the listener's zone does not have.
    #[error(
        "the time in {0:?} names another zone than the listener's: set timezone to the node's, such as \"Europe/Berlin\""
    )]
    ZoneName(&'static str),
    /// A row whose columns are not those known.
    #[error(
        "the row does not have the columns that are known: let the node send its title row, or set columns on the listener"
    )]
    Titles,
    /// An account that a caller may have written.
    #[error(
        "an account in a line of text may have been written by a caller: set columns on the listener to what log_extra adds, or use JSON"
    )]
    Forgeable,
    /// A packet that is genuine and yet cannot be a call's.
    #[error("RADIUS packet: {0}")]
    Radius(&'static str),
    /// A time that a gateway wrote as text.
    #[error(
        "{0} is not a time, or its zone is not known, or stands twice in the night of the change: list the zone's name in zones, or set timezone"
    )]
    GatewayTime(&'static str),
    /// The datagram was cut on the way in.
    #[error("the datagram was cut short")]
    Truncated,
}

impl Refusal {
    /// The label of the counter: of bounded cardinality, stable.
    pub const fn reason(self) -> &'static str {
        Self::REASONS[self.index()]
    }

    /// Which of [`Refusal::REASONS`] this is.
    pub const fn index(self) -> usize {
        match self {
            Refusal::Json { .. } => 0,
            Refusal::Csv { .. } | Refusal::Cells { .. } | Refusal::Layout { .. } | Refusal::Beyond(_) => 1,
            Refusal::Header(_) | Refusal::Columns => 2,
            Refusal::Unknown => 3,
            Refusal::NotUtf8(_) => 4,
            Refusal::Missing(_) => 5,
            Refusal::NoDuration => 6,
            Refusal::Repeated(_) | Refusal::Forgeable => 7,
            Refusal::Kind(_) | Refusal::Direction | Refusal::Control(_) => 8,
            Refusal::Time(_) | Refusal::Clock(_) | Refusal::GatewayTime(_) | Refusal::Twice(_) => 9,
            Refusal::Duration => 10,
            Refusal::Id(_) => 11,
            Refusal::TooLong(_) => 12,
            Refusal::Line(_) => 13,
            Refusal::Truncated => 14,
            Refusal::Ringing => 15,
            Refusal::Hep(_) => 16,
            Refusal::Sip(_) => 17,
            Refusal::ZoneName(_) => 9,
            Refusal::Titles => 2,
            Refusal::Xml { .. } => 18,
            Refusal::Radius(_) => 19,
        }
    }

    /// Every label there is.
    pub const REASONS: [&'static str; 20] = [
        "malformed_json",
        "malformed_csv",
        "bad_header",
        "unknown_format",
        "not_utf8",
        "missing_field",
        "no_duration",
        "repeated_field",
        "bad_field",
        "bad_time",
        "bad_duration",
        "bad_id",
        "field_too_long",
        "line_too_long",
        "truncated",
        "ringing_unknown",
        "malformed_hep",
        "malformed_sip",
        "malformed_xml",
        "malformed_radius",
    ];
}
