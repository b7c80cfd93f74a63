//! What bytes mean: one line of a sender becomes a [`Record`], or is refused with a reason.
//!
//! One file per format, and a table of them in [`formats`]. A decoder hands out slices of the line itself wherever the sender wrote a field plainly, so that
//! [`Record::encode`] stores it as a place in the raw bytes; only text with escapes is written anew, into a [`Scratch`]
//! that lives as long as the connection. In the usual case nothing is allocated.
//!
//! Fields that cannot change an amount (`cause`, `seq`) are never a reason to refuse a record: what cannot be read there
//! stays in the raw bytes only.
//!
//! Does not know sockets, clocks, accounts, or what a call costs.

pub mod clock;
pub mod csv;
pub mod elements;
mod field;
pub mod formats;
pub mod fuzz;
pub mod hep;
pub mod json;
pub mod mapping;
mod marks;
pub mod messages;
mod native;
mod place;
mod plain;
pub mod octets;
mod refusal;
pub mod sip;
pub mod radius;
pub mod session;
pub mod syslog;
pub mod posted;

use crate::piece::Piece;
use crate::record::Record;
use crate::time::{Timestamp, Zone};

pub use field::{Field, TEXT_MAX};
pub use formats::{Decode, Format, Framing};
pub use refusal::Refusal;

/// Why a line that was understood is no record of ours. A closed list: each has a counter. Such a line is not in the books:
/// neither received nor refused, since nothing was asked of the house that it did not do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skip {
    /// No call: a keep-alive, a title, the beginning of a call, a row about its media.
    NotACall,
    /// A leg of a call whose other leg is charged (the leg policy of the format).
    OtherLeg,
    /// The node says that it is not to be billed.
    Omitted,
    /// A whole call whose parts are told too, and rate it better: Kamailio's CDR where its duration includes ringing.
    ToldInParts,
}

impl Skip {
    /// Every reason, in the order of the metrics.
    pub const ALL: [Skip; 4] = [Skip::NotACall, Skip::OtherLeg, Skip::Omitted, Skip::ToldInParts];

    /// The label of the counter: of bounded cardinality, stable.
    pub const fn reason(self) -> &'static str {
        match self {
            Skip::NotACall => "not_a_call",
            Skip::OtherLeg => "other_leg",
            Skip::Omitted => "omitted",
            Skip::ToldInParts => "told_in_parts",
        }
    }

    /// The reason of that name.
    pub fn named(name: &str) -> Option<Skip> {
        Skip::ALL.into_iter().find(|skip| skip.reason() == name)
    }
}

/// Where records come from: what a record is given that does not say so itself.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The node of records that name none.
    pub node: Box<[u8]>,
    /// The zone of times that bring no offset.
    pub zone: Zone,
    /// Whether durations include the ringing, where the records of a node do not tell (Kamailio's CDRs).
    pub talk_includes_ringing: Option<bool>,
    /// Titles of columns, where a format's rows come without them.
    pub titles: Option<Box<str>>,
    /// Roughly what time it is: a time without its year is the last such.
    pub now: Timestamp,
}

impl Origin {
    /// A node whose clock shows UTC.
    pub fn new(node: &str) -> Origin {
        Origin {
            node: node.as_bytes().into(),
            zone: Zone::UTC,
            talk_includes_ringing: None,
            titles: None,
            now: Timestamp(0),
        }
    }
}

/// What stands around the messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// Nothing.
    None,
    /// Syslog.
    Syslog {
        /// The host a message names is its node.
        host_is_node: bool,
    },
    /// Packets of capture agents, whose content is SIP whatever the format says.
    Hep {
        /// What agents must show.
        key: Option<Key>,
    },
}

/// A secret that senders show; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub Box<[u8]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Text that could not be left where it was received, kept from line to line for its room.
#[derive(Debug, Default)]
pub struct Scratch {
    text: Vec<u8>,
    /// Where the values of a mapped record lie.
    places: Vec<Option<place::Place>>,
    /// Where the cells of a row lie.
    cells: Vec<place::Place>,
    /// JSON that stood within a text of JSON.
    nested: Vec<u8>,
    /// The day of the last instant.
    day: plain::Day,
    /// The day of a gateway's last time.
    gateway_day: radius::GatewayDay,
}

/// What a line was.
// Nearly every line is a record; to box it would allocate for each.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line<'a> {
    /// A record.
    Record(Record<'a>),
    /// A part of a call, to be joined with its other parts.
    Piece(Piece<'a>),
    /// Understood, and no record of ours.
    Skipped(Skip),
    /// A header.
    Header,
    /// Nothing but white space.
    Blank,
}

/// Decodes the lines of one connection, one datagram or one body by whatever format its sender writes.
#[derive(Debug)]
pub struct Decoder(Kind);

#[derive(Debug)]
enum Kind {
    Native(native::Decoder),
    Named(Box<dyn Decode>, std::sync::Arc<str>),
}

impl Decoder {
    /// A decoder that gives `node` to records which name none, and takes times without offset for UTC.
    pub fn new(format: Format, node: &str) -> Decoder {
        Decoder::of(&format, &Origin::new(node))
    }

    /// A decoder of what comes from there.
    pub fn of(format: &Format, origin: &Origin) -> Decoder {
        Decoder(match format {
            Format::Named(named) => Kind::Named(named.decoder(origin), named.name.clone()),
            native => Kind::Native(native::Decoder::new(native.clone(), &origin.node)),
        })
    }

    /// A decoder of that format within an envelope.
    pub fn carried(format: &Format, origin: &Origin, carrier: Carrier) -> Decoder {
        match carrier {
            Carrier::None => Decoder::of(format, origin),
            Carrier::Syslog { host_is_node } => {
                let carried = formats::carried::Carried::new(format, origin, host_is_node);
                Decoder(Kind::Named(Box::new(carried), format.name().into()))
            }
            Carrier::Hep { key } => {
                let captured = formats::hep::Captured::new(origin, key);
                Decoder(Kind::Named(Box::new(captured), formats::hep::NAME.into()))
            }
        }
    }

    /// The same for rows without a header line: `columns` says what it would have said. Other formats know their columns.
    pub fn with_columns(self, columns: csv::Columns) -> Decoder {
        Decoder(match self.0 {
            Kind::Native(native) => Kind::Native(native.with_columns(columns)),
            named => named,
        })
    }

    /// Forgets a header that came as a line: what follows stands for itself, as each datagram does.
    pub fn restart(&mut self) {
        match &mut self.0 {
            Kind::Native(native) => native.restart(),
            Kind::Named(named, _) => named.restart(),
        }
    }

    /// Tells roughly what time it is, for times that come without their year.
    pub fn now(&mut self, now: Timestamp) {
        if let Kind::Named(named, _) = &mut self.0 {
            named.now(now);
        }
    }

    /// The format's name, JSON or CSV told apart as far as it is known by now.
    pub fn format(&self) -> &str {
        match &self.0 {
            Kind::Native(native) => native.format(),
            Kind::Named(_, name) => name,
        }
    }

    /// Decodes one line, without its line end. `raw` of the record is the line without white space around it.
    #[inline]
    pub fn decode<'a>(&'a mut self, line: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        match &mut self.0 {
            Kind::Native(native) => native.decode(line, scratch),
            Kind::Named(named, _) => named.decode(line, scratch),
        }
    }
}

/// Without a byte order mark, and without the white space that may stand around a line.
#[inline]
fn trim(line: &[u8]) -> &[u8] {
    // Nearly every line begins and ends with something that counts.
    if let (Some(b'!'..=b'~'), Some(b'!'..=b'~')) = (line.first(), line.last()) {
        return line;
    }
    trim_spaces(line)
}

fn trim_spaces(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    // A tab may be the last separator of a row, so it stays unless nothing else is there.
    let trimmed = line.trim_ascii_end();
    let spaces = |b: &u8| matches!(b, b' ' | b'\r' | b'\n');
    let end = line.iter().rposition(|b| !spaces(b)).map_or(0, |at| at + 1);
    let start = line.iter().position(|b| !spaces(b)).unwrap_or(0);
    if trimmed.is_empty() { trimmed } else { line.get(start..end).unwrap_or(trimmed) }
}

/// Checks that the whole line is UTF-8, so that every slice and the raw bytes are.
fn utf8(line: &[u8]) -> Result<(), Refusal> {
    // Nearly every line is ASCII, which is told sixteen bytes at a time.
    if line.is_ascii() {
        return Ok(());
    }
    std::str::from_utf8(line).map(|_| ()).map_err(|e| Refusal::NotUtf8(column(e.valid_up_to())))
}

/// A place in a line as people count it.
fn column(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests;
