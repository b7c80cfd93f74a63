//! Calls out of captured SIP: each HEPv3 packet whose message moves a call is a piece of it.
//!
//! | message | piece |
//! | --- | --- |
//! | INVITE without To-tag | begin: caller and callee, nearest to the caller counts |
//! | 2xx of an INVITE | answer of the dialog of its tags |
//! | BYE | end of that dialog |
//! | CANCEL; 3xx to 6xx of an INVITE but 401 and 407 | failure, unless an answer says otherwise |
//! | 408 or 481 of an UPDATE | end: the other side knows no such dialog any more |
//!
//! All else is skipped: re-INVITEs change no time, 183 is no answer. The same message seen at two capture points, or sent
//! twice, makes the same piece twice, and of two the earlier stays. All pieces of a call have its Call-ID for key; an
//! answer and an end bear their dialog's tags in `id`, so that the end of one branch of a fork does not end another. The
//! number of `Via` entries goes into `seq`: fewer are nearer to the caller.
//!
//! Kept as raw is the head of the SIP message: the body may hold keys of the media, the packet the agent's key.
//!
//! Does not know sockets, secrets, nor how pieces are joined.

use crate::piece::{Piece, PieceKind, Step};
use crate::record::Record;
use crate::time::Micros;
use crate::wire::hep::{self, BadHep};
use crate::wire::place::Place;
use crate::wire::sip::{self, Start};
use crate::wire::{Decode, Key, Line, Origin, Refusal, Scratch, Skip, TEXT_MAX};

use super::dialog;

/// The format's name in metrics.
pub const NAME: &str = "hep";

/// Reads packets.
#[derive(Debug)]
pub struct Captured {
    origin: Origin,
    key: Option<Key>,
    /// Where compressed messages are unpacked.
    room: Vec<u8>,
}

impl Captured {
    /// For packets from there that show the key, where one is given.
    pub fn new(origin: &Origin, key: Option<Key>) -> Captured {
        Captured { origin: origin.clone(), key, room: Vec::new() }
    }
}

impl Decode for Captured {
    fn decode<'a>(&'a mut self, message: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        let packet = hep::read(message).map_err(Refusal::Hep)?;
        if let Some(Key(key)) = &self.key
            && !hep::same_key(packet.key, key)
        {
            return Err(Refusal::Hep(BadHep::Key));
        }
        if packet.protocol != hep::SIP {
            return Ok(Line::Skipped(Skip::NotACall));
        }
        let message = packet.payload.unpack(&mut self.room).map_err(Refusal::Hep)?.trim_ascii_start();
        // What keeps a way through NAT open.
        if message.iter().all(|b| b.is_ascii_whitespace() || *b == 0) {
            return Ok(Line::Skipped(Skip::NotACall));
        }
        let sip = sip::read(message).map_err(Refusal::Sip)?;
        let Some(step) = step(&sip) else { return Ok(Line::Skipped(Skip::NotACall)) };
        scratch.text.clear();
        let in_message = |part: &[u8]| place(message, part);
        let tags = [in_message(sip.from.tag), in_message(sip.to.tag)];
        let call = dialog::name(message, scratch, in_message(sip.call_id), [Place::default(); 2]);
        let id = match step {
            Step::Answer | Step::End => dialog::name(message, scratch, in_message(sip.call_id), tags),
            _ => call,
        };
        let (mut source, mut destination) = (Place::default(), Place::default());
        if let (Step::Begin, Start::Request(uri)) = (step, sip.start) {
            let caller = if sip.asserted.is_empty() { sip.from.user } else { sip.asserted };
            source = unescaped(message, caller, scratch);
            destination = unescaped(message, sip::user(uri), scratch);
            for (part, name) in [(source, "From"), (destination, "Request-URI")] {
                if part.len() > TEXT_MAX {
                    return Err(Refusal::TooLong(name));
                }
            }
        }
        let cause_at = scratch.text.len() as u32;
        if let (Step::Fail, Start::Response(code)) = (step, sip.start) {
            scratch.text.extend_from_slice(code.to_string().as_bytes());
        }
        let cause = Place { start: cause_at, end: scratch.text.len() as u32, in_scratch: true };
        let at = Some(packet.at);
        let scratch: &'a Scratch = scratch;
        let text = |place: Place| place.of(message, &scratch.text);
        for part in [text(call), text(id), text(source), text(destination)] {
            if std::str::from_utf8(part).is_err() {
                return Err(Refusal::NotUtf8(1));
            }
        }
        let record = Record {
            id: text(id),
            node: &self.origin.node,
            source: text(source),
            destination: text(destination),
            cause: text(cause),
            start: if step == Step::Begin { at } else { None },
            answer: if step == Step::Answer { at } else { None },
            end: if step == Step::End { at } else { None },
            seq: Some(u64::from(sip.hops)),
            raw: head(message),
            ..Record::default()
        };
        Ok(Line::Piece(Piece { kind: PieceKind::Sip, step, key: text(call), at, delay: Micros(0), record }))
    }
}

/// Which step of a call a message is; none: of no weight.
fn step(sip: &sip::Message<'_>) -> Option<Step> {
    match (sip.start, sip.method) {
        (Start::Request(_), b"INVITE") if sip.to.tag.is_empty() => Some(Step::Begin),
        (Start::Request(_), b"BYE") => Some(Step::End),
        (Start::Request(_), b"CANCEL") => Some(Step::Fail),
        (Start::Response(200..=299), b"INVITE") => Some(Step::Answer),
        // They only ask who it is; the caller comes again with an answer.
        (Start::Response(401 | 407), b"INVITE") => None,
        (Start::Response(300..), b"INVITE") => Some(Step::Fail),
        (Start::Response(408 | 481), b"UPDATE") => Some(Step::End),
        _ => None,
    }
}

/// Where a part of the message stands in it.
fn place(message: &[u8], part: &[u8]) -> Place {
    let start = (part.as_ptr() as usize).wrapping_sub(message.as_ptr() as usize);
    let start = if start.saturating_add(part.len()) <= message.len() { start } else { 0 };
    let length = if part.is_empty() { 0 } else { part.len() };
    Place { start: start as u32, end: (start + length) as u32, in_scratch: false }
}

/// A user without escapes: `%23` is `#`. One that is no escape stays as it is.
fn unescaped(message: &[u8], user: &[u8], scratch: &mut Scratch) -> Place {
    if memchr::memchr(b'%', user).is_none() {
        return place(message, user);
    }
    let start = scratch.text.len() as u32;
    scratch.text.extend(percent_encoding::percent_decode(user));
    Place { start, end: scratch.text.len() as u32, in_scratch: true }
}

/// Start line and headers.
fn head(message: &[u8]) -> &[u8] {
    let long = memchr::memmem::find(message, b"\r\n\r\n").map(|at| at + 2);
    let short = memchr::memmem::find(message, b"\n\n").map(|at| at + 1);
    let end = match (long, short) {
        (Some(one), Some(other)) => one.min(other),
        (one, other) => one.or(other).unwrap_or(message.len()),
    };
    message.get(..end).unwrap_or(message)
}
