//! Call history of Cisco voice gateways in syslog (`gw-accounting syslog`): one line per leg.
//!
//! ```text
//! %VOIPAAA-5-VOIP_CALL_HISTORY: CallLegType 2, ConnectionId CA52…, SetupTime 10:14:59.214 CET Thu Dec 16 2010,
//!   PeerAddress 510, PeerSubAddress , DisconnectCause 10  , DisconnectText normal call clearing (16), ConnectTime …,
//!   DisconnectTime …, CallOrigin 1, ChargedUnits 0, …
//! ```
//!
//! The leg that was answered by the gateway (`CallOrigin 2`) knows the caller and is what the customer pays for; the one it
//! originated (`CallOrigin 1`) knows who was called. Both are pieces of the call of that `ConnectionId`. A leg whose connect
//! and disconnect are the same was not connected: of an originated one another attempt may follow, so only the answered
//! leg says that the call failed. The cause is a hexadecimal number (`10` is 16, normal clearing) and is kept as decimal.
//!
//! Does not know syslog, nor how pieces are joined.

use crate::piece::{Piece, PieceKind, Step};
use crate::record::{ID_MAX, Record};
use crate::time::{Micros, Timestamp};
use crate::wire::clock::{self, BadReading};
use crate::wire::{Line, Origin, Refusal, Scratch, Skip, TEXT_MAX, utf8};

const MARK: &[u8] = b"VOIP_CALL_HISTORY:";

/// Whether a text comes from a gateway's accounting, and from where on.
pub fn history_of(text: &[u8]) -> Option<&[u8]> {
    let mark = memchr::memmem::find(text, b"%VOIPAAA-")?;
    text.get(mark..)
}

/// Reads a line, as [`history_of`] gives it.
pub fn read<'a>(line: &'a [u8], origin: &'a Origin, scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
    utf8(line)?;
    let Some(mark) = memchr::memmem::find(line, MARK) else { return Ok(Line::Skipped(Skip::NotACall)) };
    let fields = line.get(mark + MARK.len()..).unwrap_or_default();
    let time = |name: &'static str| -> Result<Timestamp, Refusal> {
        let text = field(fields, name).ok_or(Refusal::Missing(name))?;
        clock::read(text, &origin.zone).map_err(|bad| match bad {
            BadReading::Zone => Refusal::ZoneName(name),
            BadReading::Shape => Refusal::Time(name),
        })
    };
    let id = field(fields, "ConnectionId").ok_or(Refusal::Missing("ConnectionId"))?;
    if id.is_empty() || id.len() > ID_MAX {
        return Err(Refusal::Id(id.len() as u32));
    }
    let (setup, connect, disconnect) = (time("SetupTime")?, time("ConnectTime")?, time("DisconnectTime")?);
    let peer = field(fields, "PeerAddress").ok_or(Refusal::Missing("PeerAddress"))?;
    if peer.len() > TEXT_MAX {
        return Err(Refusal::TooLong("PeerAddress"));
    }
    scratch.text.clear();
    let hexadecimal = field(fields, "DisconnectCause").and_then(|cause| std::str::from_utf8(cause).ok());
    if let Some(cause) = hexadecimal.and_then(|cause| u8::from_str_radix(cause, 16).ok()) {
        scratch.text.extend_from_slice(cause.to_string().as_bytes());
    }
    let record =
        Record { id, node: &origin.node, cause: &scratch.text, start: Some(setup), raw: line, ..Record::default() };
    let connected = connect != disconnect;
    let (step, at, record) = match (field(fields, "CallOrigin"), connected) {
        (Some(b"1"), true) if peer.is_empty() => return Err(Refusal::Missing("PeerAddress")),
        (Some(b"1"), true) => (Step::Begin, setup, Record { destination: peer, ..record }),
        (Some(b"1"), false) => return Ok(Line::Skipped(Skip::OtherLeg)),
        (Some(b"2"), true) => {
            (Step::End, disconnect, Record { source: peer, answer: Some(connect), end: Some(disconnect), ..record })
        }
        (Some(b"2"), false) => (Step::Fail, disconnect, Record { source: peer, ..record }),
        _ => return Err(Refusal::Missing("CallOrigin")),
    };
    Ok(Line::Piece(Piece { kind: PieceKind::Acc, step, key: id, at: Some(at), delay: Micros(0), record }))
}

/// The value behind a name, up to the next comma.
fn field<'a>(fields: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields.split(|b| *b == b',').find_map(|part| {
        let (head, value) = part.trim_ascii().split_at_checked(name.len())?;
        (head == name.as_bytes() && matches!(value.first(), None | Some(b' '))).then(|| value.trim_ascii())
    })
}
