//! Accounting as text, in which nothing is escaped: whoever chooses a value may write what looks like further fields.
//!
//! - The first name says what a line is, and nobody can forge it: `timestamp` is a transaction, `created` a CDR of OpenSIPS,
//!   `start_time` one of Kamailio. Names that such a line does not have mean nothing in it: a `ms_duration` in a
//!   transaction was written by a caller.
//! - A field that stands twice with two values refuses the line, by whichever of its names; only the number dialled may
//!   stand beside the one that was called.
//! - An account is not believed: whoever calls, or answers with a reason of his own, may have written it.
//! - A listener that was told the operator's fields (`columns`) reads exactly these: each stands once, in that order, and
//!   its value ends where the next begins, whatever is in it. Then nothing can be forged, values may hold separators, and
//!   an account counts.
//!
//! Does not know what the fields mean.

use crate::wire::place::Place;
use crate::wire::{Line, Refusal, Scratch, utf8};

use super::{Acc, Key, Told, known};

/// Fields that an operator adds at most.
const EXTRAS_MAX: usize = 32;

/// The operator's fields, in their order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extras(Box<[Box<[u8]>]>);

impl Extras {
    /// From what stands in `log_extra` or `cdr_extra`: `account=$avp(a);src_user=$fU;dst_user=$rU`, or the names alone. None
    /// if there are none or too many, one stands twice, or none names whom a call reached.
    pub fn read(text: &str) -> Option<Extras> {
        let name = |field: &str| field.split('=').next().unwrap_or_default().trim().as_bytes().into();
        let names: Vec<Box<[u8]>> = text.split(';').map(name).collect();
        let once =
            names.iter().all(|name| !name.is_empty() && names.iter().filter(|other| *other == name).count() == 1);
        let called = names.iter().any(|name| known(name).is_some_and(|(_, key)| key == Key::Callee));
        (once && called && names.len() <= EXTRAS_MAX).then(|| Extras(names.into()))
    }
}

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Transaction,
    /// OpenSIPS' CDR.
    Dialog,
    /// Kamailio's CDR.
    Cdr,
}

impl Kind {
    fn of(first: &[u8]) -> Kind {
        match first {
            b"created" | b"call_start_time" => Kind::Dialog,
            b"start_time" => Kind::Cdr,
            _ => Kind::Transaction,
        }
    }

    /// Whether such a line has a field of that kind.
    fn has(self, key: Key) -> bool {
        match key {
            Key::Created | Key::CallStart | Key::MsDuration => self == Kind::Dialog,
            Key::Start | Key::End => self == Kind::Cdr,
            Key::Duration => self != Kind::Transaction,
            Key::Method => self != Kind::Cdr,
            Key::Time | Key::Exten | Key::Attr => self == Kind::Transaction,
            _ => true,
        }
    }
}

/// A field: where it begins, its name, its value.
struct Part<'a> {
    at: usize,
    name: &'a [u8],
    value: Place,
}

/// The fields of a line behind `from`, parted by `;`. What has no `=` belongs to none.
fn parts(line: &[u8], from: usize) -> impl Iterator<Item = Part<'_>> {
    let mut at = from;
    std::iter::from_fn(move || {
        loop {
            let rest = line.get(at..).filter(|rest| !rest.is_empty())?;
            let begun = at;
            let length = memchr::memchr(b';', rest).unwrap_or(rest.len());
            at += length + 1;
            let part = rest.get(..length).unwrap_or_default();
            if let Some(equals) = memchr::memchr(b'=', part) {
                let name = part.get(..equals).unwrap_or_default().trim_ascii();
                return Some(Part { at: begun, name, value: trimmed(line, begun + equals + 1, begun + length) });
            }
        }
    })
}

fn trimmed(line: &[u8], from: usize, to: usize) -> Place {
    let value = line.get(from..to).unwrap_or_default();
    let lead = value.len() - value.trim_ascii_start().len();
    let start = from + lead;
    Place { start: start as u32, end: (start + value.trim_ascii().len()) as u32, in_scratch: false }
}

impl Told {
    /// Takes a value of a text.
    fn set_text(&mut self, (rank, key): (u8, Key), place: Place, line: &[u8]) -> Result<(), Refusal> {
        // They follow their time; further on somebody else wrote them.
        if matches!(key, Key::Exten | Key::Attr) && self.has(Key::Method) {
            return Ok(());
        }
        let Some(slot) = self.slots.get_mut(key as usize) else { return Ok(()) };
        let Some((old, held)) = *slot else {
            *slot = Some((rank, place));
            return Ok(());
        };
        let forgeable = matches!(key, Key::Caller | Key::Callee | Key::Account | Key::CallId);
        let same = held.of(line, b"") == place.of(line, b"");
        if !same && (old == rank || (forgeable && !is_dialled(old) && !is_dialled(rank))) {
            return Err(Refusal::Repeated(key.name()));
        }
        if rank < old {
            *slot = Some((rank, place));
        }
        Ok(())
    }
}

/// Names of the number as it was dialled, which is told beside the one that was called.
fn is_dialled(rank: u8) -> bool {
    [&b"to_user"[..], b"dst_ouser"].iter().any(|name| known(name).is_some_and(|(known, _)| known == rank))
}

impl Acc {
    /// Reads a line of text, from its mark on.
    pub fn text<'a>(&'a self, line: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        utf8(line)?;
        scratch.text.clear();
        // The comment between mark and fields is the operator's, and ends in a colon.
        let first = memchr::memchr(b'=', line).unwrap_or(line.len());
        let head = line.get(..first).unwrap_or_default();
        let from = memchr::memmem::rfind(head, b": ").map_or(0, |colon| colon + 2);
        let kind = Kind::of(head.get(from..).unwrap_or_default().trim_ascii());
        // Of the two that tell of the same calls one counts; the other's fields are others.
        let counts = (kind == Kind::Cdr) == (self.origin.talk_includes_ringing == Some(false));
        let told = match &self.extras {
            Some(extras) if counts || kind == Kind::Dialog => exactly(line, from, kind, extras)?,
            _ => as_they_come(line, from, kind)?,
        };
        self.understood(told, line, scratch)
    }
}

/// Fields by whatever names they have.
fn as_they_come(line: &[u8], from: usize, kind: Kind) -> Result<Told, Refusal> {
    let mut told = Told::default();
    for part in parts(line, from) {
        if let Some(known) = known(part.name).filter(|(_, key)| kind.has(*key)) {
            if known.1 == Key::Account {
                return Err(Refusal::Forgeable);
            }
            told.set_text(known, part.value, line)?;
        }
    }
    Ok(told)
}

/// The operator's fields, each once and in its order, and before them those that every such line has.
fn exactly(line: &[u8], from: usize, kind: Kind, extras: &Extras) -> Result<Told, Refusal> {
    // Where each begins, and its value.
    let mut found = [(0, 0); EXTRAS_MAX];
    let mut next = 0;
    for part in parts(line, from) {
        let Some(index) = extras.0.iter().position(|name| **name == *part.name) else { continue };
        if index != next {
            let name = || known(part.name).map_or("columns", |(_, key)| key.name());
            return Err(if index < next { Refusal::Repeated(name()) } else { Refusal::Titles });
        }
        if let Some(place) = found.get_mut(index) {
            *place = (part.at, part.value.start as usize);
        }
        next += 1;
    }
    if next < extras.0.len() {
        return Err(Refusal::Titles);
    }
    let begin = found.first().map_or(line.len(), |(at, _)| *at);
    let mut told = Told::default();
    for part in parts(line.get(..begin).unwrap_or_default(), from) {
        let own = |key: &Key| !matches!(key, Key::Caller | Key::Callee | Key::Account);
        if let Some(known) = known(part.name).filter(|(_, key)| kind.has(*key) && own(key)) {
            told.set_text(known, part.value, line)?;
        }
    }
    for (index, name) in extras.0.iter().enumerate() {
        let start = found.get(index).map_or(0, |(_, value)| *value);
        // Up to the separator before the next one.
        let end = match found.get(index + 1) {
            Some((at, _)) if index + 1 < extras.0.len() => at - 1,
            _ => line.len(),
        };
        if let Some(known) = known(name).filter(|(_, key)| kind.has(*key)) {
            told.set_text(known, trimmed(line, start, end), line)?;
        }
    }
    Ok(told)
}
