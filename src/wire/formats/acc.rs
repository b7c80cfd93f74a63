//! What Kamailio and OpenSIPS tell of calls: accounting of transactions and CDRs of dialogs, as text or as JSON.
//!
//! ```text
//! ACC: transaction answered: timestamp=…;method=INVITE;from_tag=…;to_tag=…;call_id=…;code=200;reason=OK;…
//! ACC: call ended: created=…;call_start_time=…;duration=4;ms_duration=3006;…            (OpenSIPS)
//! start_time=1795297590.489; end_time=1795297594.016; duration=3.527; …                  (Kamailio)
//! {"time": …, "method": "INVITE", "from_tag": …, "callid": …, "sip_code": "200", …}      {"start_time": …}
//! {"jsonrpc":"2.0","method":"E_ACC_CDR","params":{"method":"INVITE",…,"ms_duration":3006,…}}
//! ```
//!
//! - A 200 of an INVITE and the BYE are two pieces of a call: talk is the time between them, so that ringing never counts;
//!   its precision is a second unless `time_exten` or `time_attr` says more. An INVITE that failed is an unanswered call,
//!   however often it is told; 401 and 407 only ask for a password.
//! - OpenSIPS' CDR starts at the answer; its `duration` is rounded up, so `ms_duration` counts.
//! - Kamailio's CDR starts at the INVITE unless `cdr_start_on_confirmed` is set, and nothing in it tells: see
//!   [`Origin::talk_includes_ringing`]. Only one of the two counts: told that CDRs are without ringing, transactions are
//!   skipped; otherwise the CDRs are.
//! - Operators name what they add. Caller, callee and account are looked for under the names of `NAMES`, the first of
//!   them that is there; the call's id too, since a Kamailio CDR has only what `cdr_extra` adds.
//! - In text nothing is escaped, so a caller could write `;callee=…` into his own name: see [`text`].
//!
//! Does not know sockets or envelopes, nor how pieces are joined.

use crate::piece::{Piece, PieceKind, Step};
use crate::record::{ID_MAX, Record};
use crate::time::{Micros, Timestamp};
use crate::wire::field::micros;
use crate::wire::json::{Value, members};
use crate::wire::place::Place;
use crate::wire::{Decode, Line, Origin, Refusal, Scratch, Skip, TEXT_MAX};

use super::dialog;

pub mod text;

/// Reads lines of text and JSON objects.
#[derive(Debug)]
pub struct Acc {
    origin: Origin,
    /// The operator's fields, in their order, where the listener was told them.
    extras: Option<text::Extras>,
}

/// A decoder, for the table of formats.
pub fn build(origin: &Origin) -> Box<dyn Decode> {
    Box::new(Acc::new(origin))
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
enum Key {
    Time,
    Exten,
    Attr,
    Method,
    FromTag,
    ToTag,
    CallId,
    Code,
    Created,
    CallStart,
    Start,
    End,
    Duration,
    MsDuration,
    Caller,
    Callee,
    Account,
}

const KEYS: usize = Key::Account as usize + 1;

/// Names by which a field goes. Of several names of one field the one that stands first here counts.
const NAMES: &[(&[u8], Key)] = &[
    (b"timestamp", Key::Time),
    (b"time", Key::Time),
    (b"time_exten", Key::Exten),
    (b"time_attr", Key::Attr),
    (b"method", Key::Method),
    (b"from_tag", Key::FromTag),
    (b"to_tag", Key::ToTag),
    (b"call_id", Key::CallId),
    (b"callid", Key::CallId),
    (b"ci", Key::CallId),
    (b"code", Key::Code),
    (b"sip_code", Key::Code),
    (b"created", Key::Created),
    (b"call_start_time", Key::CallStart),
    (b"start_time", Key::Start),
    (b"end_time", Key::End),
    (b"duration", Key::Duration),
    (b"ms_duration", Key::MsDuration),
    (b"caller", Key::Caller),
    (b"src_user", Key::Caller),
    (b"from_user", Key::Caller),
    (b"source", Key::Caller),
    (b"src", Key::Caller),
    (b"calling", Key::Caller),
    (b"callee", Key::Callee),
    (b"dst_user", Key::Callee),
    (b"destination", Key::Callee),
    (b"dst", Key::Callee),
    (b"called", Key::Callee),
    (b"to_user", Key::Callee),
    (b"dst_ouser", Key::Callee),
    (b"account", Key::Account),
    (b"acct", Key::Account),
    (b"accountcode", Key::Account),
    (b"account_code", Key::Account),
];

/// Rank and key of a name.
fn known(name: &[u8]) -> Option<(u8, Key)> {
    (0u8..).zip(NAMES).find(|(_, (known, _))| *known == name).map(|(rank, (_, key))| (rank, *key))
}

/// What a line says, by key: rank of the name, and where the value lies.
#[derive(Clone, Copy, Default)]
struct Told {
    slots: [Option<(u8, Place)>; KEYS],
}

impl Told {
    /// Takes a value of JSON. A member that stands twice is refused: which of the two counts depends on who reads it.
    fn set(&mut self, name: &[u8], place: Place) -> Result<(), Refusal> {
        let Some((rank, key)) = known(name) else { return Ok(()) };
        let Some(slot) = self.slots.get_mut(key as usize) else { return Ok(()) };
        match slot {
            Some((old, _)) if *old == rank => Err(Refusal::Repeated(key.name())),
            Some((old, _)) if *old < rank => Ok(()),
            _ => {
                *slot = Some((rank, place));
                Ok(())
            }
        }
    }

    fn has(&self, key: Key) -> bool {
        self.slots.get(key as usize).is_some_and(Option::is_some)
    }

    fn place(&self, key: Key) -> Place {
        self.slots.get(key as usize).copied().flatten().map_or(Place::default(), |(_, place)| place)
    }
}

impl Key {
    /// The name in messages: the first by which it goes.
    fn name(self) -> &'static str {
        let first = NAMES.iter().find(|(_, key)| *key == self).map_or(&b""[..], |(name, _)| name);
        std::str::from_utf8(first).unwrap_or_default()
    }
}

impl Acc {
    /// For what comes from there.
    pub fn new(origin: &Origin) -> Acc {
        let extras = origin.titles.as_deref().and_then(text::Extras::read);
        Acc { origin: origin.clone(), extras }
    }

    /// Whether a text is one of ours, and from where on.
    pub fn text_of(message: &[u8]) -> Option<&[u8]> {
        // Kamailio writes where in its source it is before either mark.
        let mark = memchr::memmem::find(message, b"ACC: ").or_else(|| memchr::memmem::find(message, b"start_time="))?;
        message.get(mark..)
    }

    /// Reads a JSON object. None of our fields in it: it is no call.
    pub fn json<'a>(&'a self, line: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        scratch.text.clear();
        let (mut outer, mut inner) = (Told::default(), Told::default());
        let mut is_event = false;
        members(line, b"params", scratch, &mut |name, inside, value, _text| {
            let Value::Plain(place) = value else {
                is_event |= name == b"params";
                return Ok(());
            };
            let told = if inside { &mut inner } else { &mut outer };
            told.set(name, place)
        })?;
        self.understood(if is_event { inner } else { outer }, line, scratch)
    }

    fn understood<'a>(&'a self, told: Told, line: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        let is_dialog = told.has(Key::MsDuration) || (told.has(Key::Duration) && told.has(Key::Method));
        let is_cdr = told.has(Key::Start) && told.has(Key::End);
        if !is_cdr && !told.has(Key::Method) && !told.has(Key::MsDuration) {
            return Ok(Line::Skipped(Skip::NotACall));
        }
        if told.place(Key::CallId).is_empty() {
            // Kamailio's CDR has none of its own; without one a repeat could not be told from another call.
            return Err(Refusal::Missing(if is_cdr { "callid: add it to cdr_extra" } else { "callid" }));
        }
        for key in [Key::Caller, Key::Callee, Key::Account, Key::CallId, Key::FromTag, Key::ToTag] {
            if told.place(key).len() > TEXT_MAX {
                return Err(Refusal::TooLong(key.name()));
            }
        }
        let tags = [told.place(Key::FromTag), told.place(Key::ToTag)];
        let id = dialog::name(line, scratch, told.place(Key::CallId), tags);
        let scratch: &'a Scratch = scratch;
        let text = |key: Key| told.place(key).of(line, &scratch.text);
        let id = id.of(line, &scratch.text);
        if id.len() > ID_MAX || id.iter().any(|b| *b < 0x20) || text(Key::Account).iter().any(|b| *b < 0x20) {
            return Err(Refusal::Control("id"));
        }
        let record = Record {
            id,
            node: &self.origin.node,
            account: text(Key::Account),
            source: text(Key::Caller),
            destination: text(Key::Callee),
            cause: text(Key::Code),
            raw: line,
            ..Record::default()
        };
        let seconds = |key: Key| seconds(key, text(key));
        let piece = |step, at, record| {
            let kind = PieceKind::Acc;
            Ok(Line::Piece(Piece { kind, step, key: id, at, delay: Micros(0), record }))
        };
        let code = std::str::from_utf8(text(Key::Code)).ok().and_then(|code| code.parse::<u16>().ok());
        if is_dialog {
            // 0 stands for "never": OpenSIPS fills it into records made without a dialog.
            let start = seconds(Key::Created)?.filter(|t| *t > 0).map(Timestamp);
            let answer = match seconds(Key::CallStart)? {
                Some(at) => Some(at),
                None => seconds(Key::Time)?,
            };
            let milliseconds = seconds(Key::MsDuration)?.map(|ms| ms / 1000);
            let talk = match milliseconds {
                Some(talk) => Some(talk),
                None => seconds(Key::Duration)?,
            };
            if code.is_some_and(|code| code >= 300) {
                return piece(Step::Fail, answer.map(Timestamp), Record { start, ..record });
            }
            let answer = answer.ok_or(Refusal::Missing("time"))?;
            let talk = talk.ok_or(Refusal::NoDuration)?;
            let duration = Some(Micros(talk));
            return called(Record { start, answer: Some(Timestamp(answer)), duration, ..record }).map(Line::Record);
        }
        if is_cdr {
            return self.cdr(&seconds, record);
        }
        if self.origin.talk_includes_ringing == Some(false) {
            // The node's CDRs are exact and count: its transactions would make every call twice.
            return Ok(Line::Skipped(Skip::OtherLeg));
        }
        let at = Some(self.transaction_time(text(Key::Exten), text(Key::Attr), seconds(Key::Time)?)?);
        match (text(Key::Method), code) {
            // They only ask who it is; the caller comes again with an answer.
            (_, Some(401 | 407)) => Ok(Line::Skipped(Skip::NotACall)),
            (b"INVITE", Some(200..=299)) => {
                let record = Record { answer: at, ..record };
                // A re-INVITE goes to the other side's contact, which need not have a user: there, and empty.
                let record = if told.has(Key::Callee) { record } else { called(record)? };
                piece(Step::Answer, at, record)
            }
            (b"INVITE", Some(300..=699)) => piece(Step::Fail, at, Record { start: at, ..record }),
            // Whatever the other side made of it, who sent it is gone.
            (b"BYE", Some(_)) => piece(Step::End, at, Record { end: at, ..record }),
            // A CANCEL is followed by the INVITE's own 487; others are no calls.
            _ => Ok(Line::Skipped(Skip::NotACall)),
        }
    }

    fn cdr<'a>(
        &self,
        seconds: &dyn Fn(Key) -> Result<Option<i64>, Refusal>,
        record: Record<'a>,
    ) -> Result<Line<'a>, Refusal> {
        let (start, end) = (seconds(Key::Start)?.map(Timestamp), seconds(Key::End)?.map(Timestamp));
        let talk = seconds(Key::Duration)?.ok_or(Refusal::NoDuration)?;
        if talk == 0 {
            // A call that failed, which its transaction tells too, where that counts.
            let fail = Record { start, ..record };
            let (kind, step) = (PieceKind::Acc, Step::Fail);
            return match self.origin.talk_includes_ringing {
                Some(false) => {
                    Ok(Line::Piece(Piece { kind, step, key: record.id, at: start, delay: Micros(0), record: fail }))
                }
                _ => Ok(Line::Skipped(Skip::ToldInParts)),
            };
        }
        match self.origin.talk_includes_ringing {
            None => Err(Refusal::Ringing),
            Some(true) => Ok(Line::Skipped(Skip::ToldInParts)),
            Some(false) => {
                called(Record { answer: start, end, duration: Some(Micros(talk)), ..record }).map(Line::Record)
            }
        }
    }

    /// Whole seconds, and what `time_exten` (microseconds) or `time_attr` (seconds with decimals) adds.
    fn transaction_time(&self, exten: &[u8], attr: &[u8], time: Option<i64>) -> Result<Timestamp, Refusal> {
        let time = time.ok_or(Refusal::Missing("timestamp"))?;
        if let Some((precise, false)) = micros(attr)
            && precise.abs_diff(time) < 1_000_000
        {
            return Ok(Timestamp(precise));
        }
        let digits = !exten.is_empty() && exten.len() <= 6 && exten.iter().all(u8::is_ascii_digit);
        let more = if digits { exten.iter().fold(0, |sum, b| sum * 10 + i64::from(b - b'0')) } else { 0 };
        Ok(Timestamp(time.saturating_add(more)))
    }
}

/// An answered call must name whom it went to.
fn called(record: Record<'_>) -> Result<Record<'_>, Refusal> {
    if record.destination.is_empty() { Err(Refusal::Missing("callee")) } else { Ok(record) }
}

/// A decimal number of seconds in microseconds; absent where it is empty.
fn seconds(key: Key, text: &[u8]) -> Result<Option<i64>, Refusal> {
    // Instants beyond some 100,000 years are none; what is left can be added to without a check.
    const MOST: i64 = i64::MAX / 4;
    if text.is_empty() {
        return Ok(None);
    }
    match micros(text).map(|(value, _)| value).filter(|value| (0..=MOST).contains(value)) {
        Some(value) => Ok(Some(value)),
        None if matches!(key, Key::Duration | Key::MsDuration) => Err(Refusal::Duration),
        None => Err(Refusal::Time(key.name())),
    }
}

impl Decode for Acc {
    fn decode<'a>(&'a mut self, message: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        let message = message.trim_ascii();
        match message.first() {
            None => Ok(Line::Blank),
            Some(b'{') => self.json(message, scratch),
            Some(_) => match Acc::text_of(message) {
                Some(text) => self.text(text, scratch),
                None => Ok(Line::Skipped(Skip::NotACall)),
            },
        }
    }
}

#[cfg(test)]
mod tests;
