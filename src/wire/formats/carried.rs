//! Records within syslog messages: takes the envelope off, finds out what the text is, and reads it.
//!
//! A listener's log is full of other lines. What is not told to be a record by a mark of its own is skipped and counted,
//! never refused; what has the mark and cannot be read is refused. With a format given, the marks of others mean nothing:
//! only texts that can be of that format are read.
//!
//! Does not know sockets or frames.

use crate::time::Timestamp;
use crate::wire::{Decode, Decoder, Format, Line, Origin, Refusal, Scratch, Skip, syslog};

use super::acc::Acc;
use super::audiocodes::AudioCodes;
use super::cisco;

/// Reads syslog messages.
#[derive(Debug)]
pub struct Carried {
    origin: Origin,
    /// The host that a message names is its node: the listener was given none.
    host_is_node: bool,
    wanted: Wanted,
    acc: Acc,
    audiocodes: AudioCodes,
}

/// What the texts are.
#[derive(Debug)]
enum Wanted {
    /// Whatever bears a known mark.
    Any(Box<Decoder>),
    Acc,
    AudioCodes,
    Cisco,
    /// A format whose rows have no mark: every text is one.
    Rows(Box<Decoder>),
}

/// Formats that are known by name here only.
pub const AUDIOCODES: &str = "audiocodes";
/// See [`AUDIOCODES`].
pub const CISCO: &str = "cisco";

/// A decoder for the tables of formats.
pub fn audiocodes(origin: &Origin) -> Box<dyn Decode> {
    Box::new(Carried::of(Wanted::AudioCodes, origin, false))
}

/// A decoder for the tables of formats.
pub fn cisco(origin: &Origin) -> Box<dyn Decode> {
    Box::new(Carried::of(Wanted::Cisco, origin, false))
}

impl Carried {
    /// Reads texts of that format within messages from there.
    pub fn new(format: &Format, origin: &Origin, host_is_node: bool) -> Carried {
        let wanted = match format.name() {
            "auto" => Wanted::Any(Box::new(Decoder::of(&Format::Json, origin))),
            "kamailio" | "opensips" => Wanted::Acc,
            AUDIOCODES => Wanted::AudioCodes,
            CISCO => Wanted::Cisco,
            _ => Wanted::Rows(Box::new(Decoder::of(format, origin))),
        };
        Carried::of(wanted, origin, host_is_node)
    }

    fn of(wanted: Wanted, origin: &Origin, host_is_node: bool) -> Carried {
        let (acc, audiocodes) = (Acc::new(origin), AudioCodes::new(origin));
        Carried { origin: origin.clone(), host_is_node, wanted, acc, audiocodes }
    }

    /// What a text is, by the marks that count here, and the part that is to be read.
    fn told<'a>(&self, text: &'a [u8]) -> Told<'a> {
        let any = matches!(self.wanted, Wanted::Any(_));
        if matches!(self.wanted, Wanted::Rows(_)) {
            return Told::Other(text);
        }
        if any || matches!(self.wanted, Wanted::Acc) {
            if text.first() == Some(&b'{') {
                return if any && is_native(text) { Told::Other(text) } else { Told::AccJson(text) };
            }
            if let Some(text) = Acc::text_of(text) {
                return Told::AccText(text);
            }
        }
        if (any || matches!(self.wanted, Wanted::Cisco))
            && let Some(text) = cisco::history_of(text)
        {
            return Told::Cisco(text);
        }
        if (any || matches!(self.wanted, Wanted::AudioCodes))
            && let Some(row) = AudioCodes::row_of(text)
        {
            return Told::AudioCodes(row);
        }
        Told::Nothing
    }

    fn text<'a>(&'a mut self, text: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        // A mark of structured messages (`logger`, rsyslog's mmjsonparse).
        let text = text.strip_prefix(b"@cee:").unwrap_or(text).trim_ascii();
        match self.told(text) {
            Told::AccText(text) => self.acc.text(text, scratch),
            Told::AccJson(text) => self.acc.json(text, scratch),
            Told::Cisco(text) => cisco::read(text, &self.origin, scratch),
            Told::AudioCodes(row) => self.audiocodes.row(row, &self.origin),
            Told::Other(text) => match &mut self.wanted {
                Wanted::Any(other) | Wanted::Rows(other) => other.decode(text, scratch),
                _ => Ok(Line::Skipped(Skip::NotACall)),
            },
            Told::Nothing => Ok(Line::Skipped(Skip::NotACall)),
        }
    }
}

/// What a text is.
enum Told<'a> {
    AccText(&'a [u8]),
    AccJson(&'a [u8]),
    Cisco(&'a [u8]),
    AudioCodes(&'a [u8]),
    /// For the decoder of another format.
    Other(&'a [u8]),
    Nothing,
}

/// Whether JSON looks like the house's own record: accounting never has these two members.
fn is_native(text: &[u8]) -> bool {
    let has = |name: &[u8]| memchr::memmem::find(text, name).is_some();
    has(b"\"id\"") && has(b"\"destination\"") && !has(b"\"jsonrpc\"")
}

impl Decode for Carried {
    fn decode<'a>(&'a mut self, message: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        let envelope = syslog::read(message);
        if envelope.text.is_empty() {
            return Ok(Line::Blank);
        }
        let host = if self.host_is_node { envelope.host } else { b"" };
        let mut line = self.text(envelope.text, scratch)?;
        // Whoever looks at the record again should see the envelope too, with its sender and time.
        let record = match &mut line {
            Line::Record(record) => record,
            Line::Piece(piece) => &mut piece.record,
            _ => return Ok(line),
        };
        if std::str::from_utf8(message).is_ok() {
            record.raw = message;
        }
        if !host.is_empty() {
            record.node = host;
        }
        Ok(line)
    }

    fn now(&mut self, now: Timestamp) {
        if let Wanted::Any(other) | Wanted::Rows(other) = &mut self.wanted {
            other.now(now);
        }
    }
}
