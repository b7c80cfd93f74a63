//! What a genuine accounting packet says of a call.
//!
//! **Identity.** `id` is the Acct-Session-Id with what makes it unique where the client says such a thing: the tags of a
//! SIP dialog (both, sorted, for either side may hang up), or Cisco's conference id. Otherwise, since many clients count
//! sessions anew after a restart, it is the session with the day (UTC) on which the call ended by the packet's own times;
//! a repeat has the same times, so it has the same id. A Start without such a thing has the bare session id, and is known
//! as a repeat only as long as the assembly remembers the call, or by the id of the End, which counts for the whole.
//!
//! **Steps.** A Start of a SIP proxy comes with the 200, so it is the answer; any other Start is the beginning, unless it
//! brings a connect time. A Stop is the end of an answered call, or a failure: with a SIP code that is none of success,
//! without connect time among Cisco's times (or with one equal to the disconnect time), with a session time of 0.
//!
//! **Asterisk** sends one Stop per row of its CDR and nothing else: that is a record by itself. Its unique id is not one:
//! several rows share it, so start and destination channel stand beside it. Answered is what has the disposition
//! `ANSWERED` and talk time.
//!
//! Does not know secrets, nor whether another packet said the same.

use core::net::IpAddr;
use std::io::Write;
use std::ops::Range;

use xxhash_rust::xxh3::xxh3_128;

use super::attributes::{Asterisk, SIP_SESSION, Said};
use super::text::{conference, dotted, hexadecimal, user_of};
use super::{CallOrigin, Packet, Reading, times};
use crate::piece::{KEY_MAX, Piece, PieceKind, Step};
use crate::record::{Direction, ID_MAX, Record};
use crate::time::{MICROS_PER_SECOND, Micros, Timestamp};
use crate::wire::{Line, Refusal, Scratch, Skip};

/// Acct-Status-Type.
const START: u32 = 1;
const STOP: u32 = 2;
const INTERIM: u32 = 3;
const ON: u32 = 7;
const OFF: u32 = 8;
const FAILED: u32 = 15;

/// Sip-Method as Kamailio and OpenSIPS number it.
const INVITE: u32 = 1;
const BYE: u32 = 8;

/// Says what a packet means; `client` sent it. Text that stands in it plainly is handed out as slices of it.
pub fn decode<'a>(
    packet: &Packet<'a>,
    reading: &'a Reading,
    client: Option<IpAddr>,
    scratch: &'a mut Scratch,
) -> Result<Line<'a>, Refusal> {
    let said = Said::of(packet);
    let status = said.status.ok_or(Refusal::Radius("it has no Acct-Status-Type"))?;
    if !matches!(status, START | STOP | INTERIM | ON | OFF | FAILED) {
        // Tunnels and links of tunnels: no calls.
        return Ok(Line::Skipped(Skip::NotACall));
    }
    if is_sip(&said) && said.sip_method.is_some_and(|method| !matches!(method, INVITE | BYE)) {
        // A CANCEL is told as a Stop; the 487 to its INVITE is told too, and is the call's.
        return Ok(Line::Skipped(Skip::NotACall));
    }
    let text = &mut scratch.text;
    text.clear();
    let node = node(&said, reading, client, text);
    if matches!(status, ON | OFF) {
        return Ok(Line::Piece(reset(packet, &said, node.of(&scratch.text))));
    }
    let direction = match (origin(said.origin), reading.call_origin) {
        (Some(Origin::Answer), CallOrigin::Originate) | (Some(Origin::Originate), CallOrigin::Answer) => {
            return Ok(Line::Skipped(Skip::OtherLeg));
        }
        (Some(Origin::Answer), CallOrigin::Both) => Some(Direction::Outbound),
        (Some(Origin::Originate), CallOrigin::Both) => Some(Direction::Inbound),
        _ => None,
    };
    if let (STOP, Some(asterisk)) = (status, &said.asterisk) {
        return asterisk_row(packet, &said, asterisk, reading, node, scratch).map(Line::Record);
    }
    if said.session_id.is_empty() {
        return Err(Refusal::Radius("it has no Acct-Session-Id"));
    }
    let times = Times::of(&said, status, reading, &mut scratch.gateway_day)?;
    let step = times.step(&said, status);
    let key = key(&said, text);
    let id = id(&said, &times, step, key.clone(), text);
    let cause = cause(&said, text);
    let text = &scratch.text;
    let own = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
    let record = Record {
        id: own(&id),
        node: node.of(text),
        account: match said.account_code {
            b"" if reading.user_name_is_account => said.user_name,
            code => code,
        },
        forwarded_by: said.redirecting,
        source: user_of(said.calling),
        destination: user_of(said.called),
        cause: own(&cause),
        direction,
        start: times.setup,
        answer: times.answer,
        end: times.end,
        duration: times.talk,
        raw: packet.bytes(),
        ..Record::default()
    };
    let delay = Micros::seconds(i64::from(said.delay));
    Ok(Line::Piece(Piece { kind: PieceKind::Radius, step, key: own(&key), at: times.at, delay, record }))
}

fn reset<'a>(packet: &Packet<'a>, said: &Said<'a>, node: &'a [u8]) -> Piece<'a> {
    Piece {
        kind: PieceKind::Radius,
        step: Step::Reset,
        key: b"",
        at: event(said),
        delay: Micros::seconds(i64::from(said.delay)),
        record: Record { node, raw: packet.bytes(), ..Record::default() },
    }
}

/// The times of a packet.
#[derive(Default)]
struct Times {
    /// When the event happened, by the client's clock.
    at: Option<Timestamp>,
    setup: Option<Timestamp>,
    answer: Option<Timestamp>,
    end: Option<Timestamp>,
    talk: Option<Micros>,
    /// Cisco's times are there, so what is missing among them did not happen.
    gateway: bool,
}

impl Times {
    fn of(said: &Said<'_>, status: u32, reading: &Reading, day: &mut times::Day) -> Result<Times, Refusal> {
        let at = event(said);
        let session = said.session_time.map(|seconds| Micros::seconds(i64::from(seconds)));
        let began = at.zip(session).map(|(at, session)| Timestamp(at.0 - session.0)).or(at);
        let mut time = |text: &[u8], near, name| match text {
            b"" => Ok(None),
            _ => times::gateway(text, reading, near, day).map(Some).ok_or(Refusal::GatewayTime(name)),
        };
        let setup = time(said.setup, began, "h323-setup-time")?;
        let connect = time(said.connect, began, "h323-connect-time")?;
        let disconnect = time(said.disconnect, at, "h323-disconnect-time")?;
        let gateway = disconnect.is_some() || connect.is_some();
        if status != STOP {
            return Ok(Times { at, setup, answer: connect, end: None, talk: None, gateway });
        }
        let measured = connect.zip(disconnect).map(|(from, to)| Micros(to.0.saturating_sub(from.0)));
        let talk = if reading.session_time { session.or(measured) } else { measured.or(session) };
        let end = disconnect.or(at);
        let answer = match (connect, gateway) {
            (Some(connect), _) => Some(connect),
            (None, true) => None,
            (None, false) => end.zip(talk.filter(|talk| talk.0 > 0)).map(|(end, talk)| Timestamp(end.0 - talk.0)),
        };
        Ok(Times { at: at.or(disconnect), setup, answer, end, talk, gateway })
    }

    fn step(&self, said: &Said<'_>, status: u32) -> Step {
        let failed = |code: Option<u32>| code.is_some_and(|code| code >= 300);
        match status {
            START if is_sip(said) || self.answer.is_some() => Step::Answer,
            START => Step::Begin,
            INTERIM => Step::Update,
            STOP => {
                let never = self.gateway && (self.answer.is_none() || self.answer == self.end);
                let talked = self.talk.is_none_or(|talk| talk.0 > 0);
                let refused = (failed(said.sip_code) || failed(said.acme_status)) && self.talk.is_none();
                if never || !talked || refused { Step::Fail } else { Step::End }
            }
            _ => Step::Fail,
        }
    }
}

fn event(said: &Said<'_>) -> Option<Timestamp> {
    said.event.map(|seconds| Timestamp(i64::from(seconds) * MICROS_PER_SECOND))
}

fn is_sip(said: &Said<'_>) -> bool {
    said.service == Some(SIP_SESSION)
}

enum Origin {
    Answer,
    Originate,
}

fn origin(text: &[u8]) -> Option<Origin> {
    if text.eq_ignore_ascii_case(b"answer") {
        Some(Origin::Answer)
    } else if text.eq_ignore_ascii_case(b"originate") {
        Some(Origin::Originate)
    } else {
        None
    }
}

/// Text that stands somewhere already, or that was written into the scratch.
enum Text<'a> {
    There(&'a [u8]),
    Written(Range<usize>),
}

impl<'a> Text<'a> {
    fn of(&self, scratch: &'a [u8]) -> &'a [u8] {
        match self {
            Text::There(text) => text,
            Text::Written(range) => scratch.get(range.clone()).unwrap_or_default(),
        }
    }
}

fn written(text: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
    let from = text.len();
    write(text);
    from..text.len()
}

/// R20's node: as configured, else as the packet says, else the client's address.
fn node<'a>(said: &Said<'a>, reading: &'a Reading, client: Option<IpAddr>, text: &mut Vec<u8>) -> Text<'a> {
    let named = |name: &[u8]| (1..=ID_MAX).contains(&name.len()) && !name.iter().any(|b| *b < 0x20);
    if !reading.node.is_empty() {
        return Text::There(&reading.node);
    }
    if named(said.nas_identifier) {
        return Text::There(said.nas_identifier);
    }
    let address: Option<IpAddr> = match said.nas_address.len() {
        4 => <[u8; 4]>::try_from(said.nas_address).ok().map(Into::into),
        16 => <[u8; 16]>::try_from(said.nas_address).ok().map(Into::into),
        _ => None,
    };
    match address.or(client) {
        Some(address) => Text::Written(written(text, |out| match address {
            IpAddr::V4(address) => dotted(address.octets(), out),
            IpAddr::V6(address) => drop(write!(out, "{address}")),
        })),
        None => Text::There(b"unknown"),
    }
}

/// What joins the packets of a call.
fn key(said: &Said<'_>, text: &mut Vec<u8>) -> Range<usize> {
    let key = written(text, |out| {
        out.extend_from_slice(said.session_id);
        let (one, other) = (said.from_tag.min(said.to_tag), said.from_tag.max(said.to_tag));
        if is_sip(said) {
            for tag in [one, other].into_iter().filter(|tag| !tag.is_empty()) {
                out.push(b';');
                out.extend_from_slice(tag);
            }
        }
        if !said.conference.is_empty() {
            out.push(b';');
            conference(said.conference, out);
        }
    });
    shortened(key, KEY_MAX, text)
}

/// R20's id.
fn id(said: &Said<'_>, times: &Times, step: Step, key: Range<usize>, text: &mut Vec<u8>) -> Range<usize> {
    let unique = key.len() > said.session_id.len();
    let ended = if matches!(step, Step::End | Step::Fail) { times.end.or(times.at) } else { None };
    let id = match ended {
        Some(ended) if !unique => written(text, |out| {
            out.extend_from_slice(said.session_id);
            // An instant shows its day in its first ten characters.
            let shown = ended.to_string();
            out.push(b';');
            out.extend_from_slice(shown.as_bytes().get(..10).unwrap_or_default());
        }),
        _ => key,
    };
    shortened(id, ID_MAX, text)
}

/// A text that is too long keeps its beginning and gets a digest of all of it.
fn shortened(range: Range<usize>, max: usize, text: &mut Vec<u8>) -> Range<usize> {
    if range.len() <= max {
        return range;
    }
    let digest = xxh3_128(text.get(range.clone()).unwrap_or_default());
    written(text, |out| {
        out.extend_from_within(range.start..range.start + max - 33);
        let _ = write!(out, ";{digest:032x}");
    })
}

/// Q.850 in decimal (Cisco writes it in hexadecimal), else the SIP code, else the terminate cause with a mark.
fn cause(said: &Said<'_>, text: &mut Vec<u8>) -> Range<usize> {
    let q850 = hexadecimal(said.disconnect_cause);
    written(text, |out| {
        let (mark, number) =
            match (q850, said.sip_code.filter(|_| is_sip(said)).or(said.acme_status), said.terminate_cause) {
                (Some(cause), _, _) => ("", u32::from(cause)),
                (None, Some(code), _) => ("", code),
                (None, None, Some(cause)) => ("terminate-cause ", cause),
                _ => return,
            };
        out.extend_from_slice(mark.as_bytes());
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    })
}

/// One row of Asterisk's CDR.
fn asterisk_row<'a>(
    packet: &Packet<'a>,
    said: &Said<'a>,
    row: &Asterisk<'a>,
    reading: &Reading,
    node: Text<'a>,
    scratch: &'a mut Scratch,
) -> Result<Record<'a>, Refusal> {
    let time = |text: &[u8], near, name| match text {
        b"" => Ok(None),
        _ => times::asterisk(text, reading, near).map(Some).ok_or(Refusal::GatewayTime(name)),
    };
    let end = time(row.end, event(said), "Asterisk-End-Time")?;
    let talk = row.talk.map(|seconds| Micros::seconds(i64::from(seconds)));
    let began = end.zip(talk).map(|(end, talk)| Timestamp(end.0 - talk.0));
    let answer = time(row.answer, began, "Asterisk-Answer-Time")?;
    let answered = row.disposition.is_empty() || row.disposition.eq_ignore_ascii_case(b"ANSWERED");
    let answered = answered && talk.is_none_or(|talk| talk.0 > 0);
    let unique = if row.unique_id.is_empty() { said.session_id } else { row.unique_id };
    if unique.is_empty() {
        return Err(Refusal::Radius("it has neither Acct-Session-Id nor Asterisk-Unique-ID"));
    }
    if talk.is_none() && end.is_none() {
        return Err(Refusal::NoDuration);
    }
    let text = &mut scratch.text;
    let id = written(text, |out| {
        for (i, part) in [unique, row.start, row.to_channel].into_iter().enumerate() {
            if i > 0 {
                out.push(b';');
            }
            out.extend_from_slice(part);
        }
    });
    let id = shortened(id, ID_MAX, text);
    let text = &scratch.text;
    Ok(Record {
        id: text.get(id).unwrap_or_default(),
        node: node.of(text),
        account: row.account,
        source: if row.source.is_empty() { user_of(said.calling) } else { row.source },
        destination: if row.destination.is_empty() { user_of(said.called) } else { row.destination },
        cause: row.disposition,
        start: time(row.start, answer, "Asterisk-Start-Time")?,
        answer: answer.filter(|_| answered),
        end,
        duration: if answered { talk } else { Some(Micros(0)) },
        raw: packet.bytes(),
        ..Record::default()
    })
}
