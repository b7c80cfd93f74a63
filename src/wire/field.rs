//! The fields of the native record, what may stand in them, and the draft of a record while its line is read.
//!
//! Does not know JSON from CSV: it is given names and texts.

use super::place::Place;
use super::{Refusal, Scratch};
use crate::record::{Direction, ID_MAX, Record};
use crate::time::{Micros, Reading, Timestamp, parse_rfc3339};

/// Longest text in any field but `id`, in bytes: a SIP URI with parameters is a few hundred.
pub const TEXT_MAX: usize = 1024;
// The canonical form stores lengths of fields in 16 bits and would cut what is longer.
const _: () = assert!(TEXT_MAX <= u16::MAX as usize);

mod decimal;

pub(super) use decimal::micros;

/// Times and durations beyond this many microseconds (some 146 000 years) are no times; sums of two stay in an `i64`.
const MICROS_MAX: i64 = i64::MAX / 2;

/// From this on an integer counts milliseconds, not seconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// A field of the native record; the first twelve are kept as text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Field {
    /// Unique per node (and direction).
    Id,
    /// Who says so.
    Node,
    /// Who pays, where the sender names it.
    Account,
    /// Who forwarded the call and pays for it.
    ForwardedBy,
    /// Calling number.
    Source,
    /// Called number.
    Destination,
    /// Q.850 or SIP code.
    Cause,
    /// Where a ported number really leads.
    RoutingNumber,
    /// What the system that bills today charges.
    IncumbentCost,
    /// In which currency.
    IncumbentCurrency,
    /// The seconds it bills.
    IncumbentSeconds,
    /// Who carried the call on.
    Carrier,
    /// `outbound` or `inbound`.
    Direction,
    /// Set-up of the call.
    Start,
    /// When it was answered.
    Answer,
    /// When it ended.
    End,
    /// Seconds of talk.
    Duration,
    /// Per-node counter.
    Seq,
}

const TEXTS: usize = Field::Carrier as usize + 1;

impl Field {
    /// Every field.
    pub const ALL: [Field; 18] = [
        Field::Id,
        Field::Node,
        Field::Account,
        Field::ForwardedBy,
        Field::Source,
        Field::Destination,
        Field::Cause,
        Field::RoutingNumber,
        Field::IncumbentCost,
        Field::IncumbentCurrency,
        Field::IncumbentSeconds,
        Field::Carrier,
        Field::Direction,
        Field::Start,
        Field::Answer,
        Field::End,
        Field::Duration,
        Field::Seq,
    ];

    /// Its name in JSON and in a CSV header.
    pub const fn name(self) -> &'static str {
        match self {
            Field::Id => "id",
            Field::Node => "node",
            Field::Account => "account",
            Field::ForwardedBy => "forwarded_by",
            Field::Source => "source",
            Field::Destination => "destination",
            Field::Cause => "cause",
            Field::RoutingNumber => "routing_number",
            Field::IncumbentCost => "incumbent_cost",
            Field::IncumbentCurrency => "incumbent_currency",
            Field::IncumbentSeconds => "incumbent_seconds",
            Field::Carrier => "carrier",
            Field::Direction => "direction",
            Field::Start => "start",
            Field::Answer => "answer",
            Field::End => "end",
            Field::Duration => "duration",
            Field::Seq => "seq",
        }
    }

    /// Whether it can change no amount that a customer pays: what cannot be read of it does not refuse the record.
    const fn is_remark(self) -> bool {
        use Field::{Carrier, Cause, IncumbentCost, IncumbentCurrency, IncumbentSeconds};
        matches!(self, Cause | IncumbentCost | IncumbentCurrency | IncumbentSeconds | Carrier)
    }

    /// The field of that name.
    #[inline]
    pub fn named(name: &[u8]) -> Option<Field> {
        Some(match name {
            b"id" => Field::Id,
            b"node" => Field::Node,
            b"account" => Field::Account,
            b"forwarded_by" => Field::ForwardedBy,
            b"source" => Field::Source,
            b"destination" => Field::Destination,
            b"cause" => Field::Cause,
            b"routing_number" => Field::RoutingNumber,
            b"incumbent_cost" => Field::IncumbentCost,
            b"incumbent_currency" => Field::IncumbentCurrency,
            b"incumbent_seconds" => Field::IncumbentSeconds,
            b"carrier" => Field::Carrier,
            b"direction" => Field::Direction,
            b"start" => Field::Start,
            b"answer" => Field::Answer,
            b"end" => Field::End,
            b"duration" => Field::Duration,
            b"seq" => Field::Seq,
            _ => return None,
        })
    }
}

/// What has been read of a line so far.
#[derive(Default)]
pub(super) struct Draft {
    /// Bit per [`Field`] that stood in the line.
    met: u32,
    /// Bit per [`Field`] that had a value there, be it an empty text.
    present: u32,
    places: [Place; TEXTS],
    direction: Option<Direction>,
    start: Option<Timestamp>,
    answer: Option<Timestamp>,
    end: Option<Timestamp>,
    duration: Option<Micros>,
    seq: Option<u64>,
    fold: Option<Micros>,
}

impl Draft {
    /// Notes that a field stands in the line: it may do so once, with a value or with `null`, which counts as absent.
    #[inline]
    pub fn meet(&mut self, field: Field) -> Result<(), Refusal> {
        let bit = 1u32 << field as u8;
        if self.met & bit != 0 {
            return Err(Refusal::Repeated(field.name()));
        }
        self.met |= bit;
        Ok(())
    }

    /// A value that is neither text nor number: refused where it could change an amount.
    pub fn other_kind(&mut self, field: Field) -> Result<(), Refusal> {
        match field {
            Field::Seq => Ok(()),
            _ if field.is_remark() => Ok(()),
            _ => Err(Refusal::Kind(field.name())),
        }
    }

    /// Takes the text of a field, and where it lies.
    #[inline]
    pub fn set(&mut self, field: Field, text: &[u8], place: Place) -> Result<(), Refusal> {
        self.present |= 1 << field as u8;
        match field {
            Field::Id => {
                if text.is_empty() || text.len() > ID_MAX {
                    return Err(Refusal::Id(text.len() as u32));
                }
                self.text(field, text, place)
            }
            Field::Direction => {
                self.direction = match text {
                    b"outbound" => Some(Direction::Outbound),
                    b"inbound" => Some(Direction::Inbound),
                    b"" => None,
                    _ => return Err(Refusal::Direction),
                };
                Ok(())
            }
            Field::Start => time(field, text).map(|t| self.start = t),
            Field::Answer => time(field, text).map(|t| self.answer = t),
            Field::End => time(field, text).map(|t| self.end = t),
            Field::Duration => {
                if !text.is_empty() {
                    let (value, _) = micros(text).filter(|m| m.0.abs() <= MICROS_MAX).ok_or(Refusal::Duration)?;
                    self.duration = Some(Micros(value));
                }
                Ok(())
            }
            Field::Seq => {
                // `u64::MAX` stands for "absent" in the canonical form.
                self.seq = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).filter(|seq| *seq != u64::MAX);
                Ok(())
            }
            // All others are kept as text.
            _ => self.text(field, text, place),
        }
    }

    /// Notes that a required text is there, be it empty.
    pub fn see(&mut self, field: Field) {
        self.present |= 1 << field as u8;
    }

    /// Takes an instant that was read already.
    pub fn set_instant(&mut self, field: Field, at: Timestamp) {
        let slot = match field {
            Field::Start => &mut self.start,
            Field::Answer => &mut self.answer,
            _ => &mut self.end,
        };
        *slot = Some(at).filter(|at| at.0.abs() <= MICROS_MAX);
    }

    /// Notes that the answer may be later, where its clock shows it twice.
    pub fn set_fold(&mut self, answer: Option<Reading>) {
        if let Some(Reading::Twice(_, more)) = answer {
            self.fold = Some(more);
        }
    }

    /// Takes a talk time that was read already.
    pub fn set_duration(&mut self, duration: Micros) {
        self.duration = Some(duration);
    }

    #[inline]
    fn text(&mut self, field: Field, text: &[u8], place: Place) -> Result<(), Refusal> {
        if text.len() > TEXT_MAX {
            // A remark stays in the raw bytes.
            return if field.is_remark() { Ok(()) } else { Err(Refusal::TooLong(field.name())) };
        }
        let name = matches!(field, Field::Id | Field::Node | Field::Account);
        if name && text.iter().any(|b| *b < 0x20) {
            return Err(Refusal::Control(field.name()));
        }
        if let Some(slot) = self.places.get_mut(field as usize) {
            *slot = place;
        }
        Ok(())
    }

    /// The record, if nothing that must be there is missing. A part of a call need not say how long it was.
    #[inline]
    pub fn finish<'a>(
        self,
        line: &'a [u8],
        scratch: &'a Scratch,
        node: &'a [u8],
        part: bool,
    ) -> Result<Record<'a>, Refusal> {
        let text = |field: Field| self.places.get(field as usize).map_or(&[][..], |p| p.of(line, &scratch.text));
        let id = text(Field::Id);
        if id.is_empty() {
            return Err(Refusal::Missing("id"));
        }
        for field in [Field::Source, Field::Destination] {
            if self.present & 1 << field as u8 == 0 {
                return Err(Refusal::Missing(field.name()));
            }
        }
        if !part && self.duration.is_none() && self.end.is_none() {
            return Err(Refusal::NoDuration);
        }
        let named = text(Field::Node);
        Ok(Record {
            id,
            node: if named.is_empty() { node } else { named },
            account: text(Field::Account),
            forwarded_by: text(Field::ForwardedBy),
            source: text(Field::Source),
            destination: text(Field::Destination),
            cause: text(Field::Cause),
            routing_number: text(Field::RoutingNumber),
            incumbent_cost: text(Field::IncumbentCost),
            incumbent_currency: text(Field::IncumbentCurrency),
            incumbent_seconds: text(Field::IncumbentSeconds),
            carrier: text(Field::Carrier),
            direction: self.direction,
            start: self.start,
            answer: self.answer,
            end: self.end,
            duration: self.duration,
            seq: self.seq,
            fold: self.fold,
            raw: line,
        })
    }
}

/// RFC 3339 with an offset, Unix seconds with decimals, or milliseconds as an integer over 10¹¹; empty: absent.
#[inline]
fn time(field: Field, text: &[u8]) -> Result<Option<Timestamp>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    // RFC 3339 has its first hyphen at the fifth place, a number has one at the first or behind an `e`.
    let micros = match text.get(4) {
        Some(b'-') => parse_rfc3339(text).map(|t| t.0).or_else(|| instant(text)),
        _ => instant(text),
    };
    match micros {
        Some(t) if t.abs() <= MICROS_MAX => Ok(Some(Timestamp(t))),
        _ => Err(Refusal::Time(field.name())),
    }
}

fn instant(text: &[u8]) -> Option<i64> {
    let (value, whole) = micros(text)?;
    if !whole || value.abs() / 1_000_000 <= MILLISECONDS_FROM {
        // 10¹¹ itself still counts seconds; anything over it is in milliseconds when it is written as an integer.
        return Some(value);
    }
    Some(value / 1000)
}
