//! A call record (CDR) in the house's own words, and its canonical form: the bytes that are journalled, rated and proved.
//!
//! A decoder fills a [`Record`] with slices of what it received; [`Record::encode`] writes the raw bytes once and the
//! fields as places in them, so that a field the sender wrote plainly costs six bytes. Replay reads this form and never
//! runs a decoder.
//!
//! Does not know formats, sockets, accounts or prices.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::time::{Micros, Timestamp};

/// Longest `id`, in bytes.
pub const ID_MAX: usize = 255;
/// Longest raw record, in bytes (one line on TCP, one datagram, one posted body).
pub const RAW_MAX: usize = 1 << 20;

/// Which side of the call a record or a leg speaks of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Direction {
    /// The caller's side: who called pays.
    Outbound,
    /// The called side: the owner of the called number pays, if anyone does.
    Inbound,
}

impl Direction {
    /// `outbound` or `inbound`.
    pub const fn name(self) -> &'static str {
        match self {
            Direction::Outbound => "outbound",
            Direction::Inbound => "inbound",
        }
    }
}

/// One decoded record, borrowed. Absent text is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Record<'a> {
    /// Unique per node (and direction), 1 to [`ID_MAX`] bytes.
    pub id: &'a [u8],
    /// Who says so.
    pub node: &'a [u8],
    /// The account, where the sender names it (R4).
    pub account: &'a [u8],
    /// Who forwarded the call and pays for it (R4).
    pub forwarded_by: &'a [u8],
    /// As dialled or E.164.
    pub source: &'a [u8],
    /// As dialled or E.164.
    pub destination: &'a [u8],
    /// Q.850 or SIP code, kept.
    pub cause: &'a [u8],
    /// Where a ported number really leads: the call is rated by it, `destination` is shown.
    pub routing_number: &'a [u8],
    /// What the system that bills today charges for the call, as it writes it. Decides nothing: it is compared with.
    pub incumbent_cost: &'a [u8],
    /// The currency of that, where it is said.
    pub incumbent_currency: &'a [u8],
    /// The seconds which that system bills, where it says so.
    pub incumbent_seconds: &'a [u8],
    /// Who carried the call on, where the node says so: decides what it costs us, and nothing that a customer pays.
    pub carrier: &'a [u8],
    /// This leg only; none: the source's `legs` decides (R4).
    pub direction: Option<Direction>,
    /// Set-up of the call.
    pub start: Option<Timestamp>,
    /// When it was answered.
    pub answer: Option<Timestamp>,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// Talk time as the sender states it (R2).
    pub duration: Option<Micros>,
    /// Per-node counter.
    pub seq: Option<u64>,
    /// The node's clock showed the answer's time twice: `answer` is the earlier instant, and the other is so much later
    /// (whole half-hours, at most 31.5 hours). None: the instant is sure.
    pub fold: Option<Micros>,
    /// What was received, byte for byte.
    pub raw: &'a [u8],
}

/// Identity of a record: hash of (node, id, direction or none) (R20).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Identity(pub u128);

/// Digest of a record's content: what must be equal for a repeat to be a duplicate (R20).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Content(pub u64);

const FIELDS: usize = 7;
const ABSENT_TIME: i64 = i64::MIN;
const ABSENT_SEQ: u64 = u64::MAX;
/// Layout version of the canonical form; readers keep every version ever released.
const VERSION: u8 = 1;
/// The same with a [`Place`] behind the head; written only where there is a routing number.
const VERSION_ROUTED: u8 = 2;
/// The same with [`COMPARED`] of them; written only where somebody else's price is told.
const VERSION_COMPARED: u8 = 3;
/// The same with [`CARRIED`] of them; written only where a carrier is named.
const VERSION_CARRIED: u8 = 4;

/// The fixed part of the canonical form; the text follows: raw bytes, then what was not found in them.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
struct Head {
    version: u8,
    direction: u8,
    lengths: [U16; FIELDS],
    starts: [U32; FIELDS],
    raw_length: U32,
    start: I64,
    answer: I64,
    end: I64,
    duration: I64,
    seq: U64,
}

const HEAD: usize = size_of::<Head>();
const _: () = assert!(HEAD == 88);

/// Where a field lies in the text that few records have.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
struct Place {
    start: U32,
    length: U16,
}

const PLACE: usize = size_of::<Place>();
const _: () = assert!(PLACE == 6);

/// Places behind the head where somebody else's price is told: of the routing number and its three fields.
const COMPARED: usize = 4;
/// Of these and the carrier.
const CARRIED: usize = 5;

/// A canonical form that cannot be read: written by a newer version, or not by us.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// Shorter than its own head or text.
    #[error("record is cut short")]
    Short,
    /// A layout this version does not know.
    #[error("record has layout version {0}, newer than this program reads")]
    Version(u8),
}

impl<'a> Record<'a> {
    /// Appends the canonical form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let head_at = out.len();
        let (version, places) = self.layout();
        out.resize(head_at + HEAD + places * PLACE, 0);
        let text_at = out.len();
        out.extend_from_slice(self.raw);
        let fields = self.fields();
        let mut head = Head {
            version,
            direction: direction_byte(self.direction) | fold_bits(self.fold),
            lengths: [U16::ZERO; FIELDS],
            starts: [U32::ZERO; FIELDS],
            raw_length: U32::new(self.raw.len() as u32),
            start: I64::new(self.start.map_or(ABSENT_TIME, |t| t.0)),
            answer: I64::new(self.answer.map_or(ABSENT_TIME, |t| t.0)),
            end: I64::new(self.end.map_or(ABSENT_TIME, |t| t.0)),
            duration: I64::new(self.duration.map_or(ABSENT_TIME, |t| t.0)),
            seq: U64::new(self.seq.unwrap_or(ABSENT_SEQ)),
        };
        let mut put = |field: &[u8]| {
            // A field never exceeds the raw record by much; 64 KiB is the decoders' limit for one field.
            let field = &field[..field.len().min(usize::from(u16::MAX))];
            let start = match place_in(self.raw, field) {
                Some(place) => place,
                None => {
                    let place = out.len() - text_at;
                    out.extend_from_slice(field);
                    place
                }
            };
            (U32::new(start as u32), U16::new(field.len() as u16))
        };
        for (i, field) in fields.iter().enumerate() {
            (head.starts[i], head.lengths[i]) = put(field);
        }
        let mut placed = [Place { start: U32::ZERO, length: U16::ZERO }; CARRIED];
        for (place, field) in placed.iter_mut().zip(self.further()).take(places) {
            (place.start, place.length) = put(field);
        }
        out[head_at + HEAD..text_at].copy_from_slice(placed[..places].as_bytes());
        out[head_at..head_at + HEAD].copy_from_slice(head.as_bytes());
    }

    /// The layout that says all there is in the fewest bytes, and how many places stand behind its head.
    fn layout(&self) -> (u8, usize) {
        if !self.carrier.is_empty() {
            (VERSION_CARRIED, CARRIED)
        } else if self.is_compared() {
            (VERSION_COMPARED, COMPARED)
        } else if self.routing_number.is_empty() {
            (VERSION, 0)
        } else {
            (VERSION_ROUTED, 1)
        }
    }

    /// What few records have, in the order of its places.
    fn further(&self) -> [&'a [u8]; CARRIED] {
        [self.routing_number, self.incumbent_cost, self.incumbent_currency, self.incumbent_seconds, self.carrier]
    }

    /// Whether it tells what somebody else charges.
    pub fn is_compared(&self) -> bool {
        !self.incumbent_cost.is_empty() || !self.incumbent_currency.is_empty() || !self.incumbent_seconds.is_empty()
    }

    /// Reads the canonical form back.
    pub fn decode(bytes: &'a [u8]) -> Result<Record<'a>, BadRecord> {
        let version = *bytes.first().ok_or(BadRecord::Short)?;
        let places = match version {
            VERSION => 0,
            VERSION_ROUTED => 1,
            VERSION_COMPARED => COMPARED,
            VERSION_CARRIED => CARRIED,
            newer => return Err(BadRecord::Version(newer)),
        };
        let (head, mut text) = Head::ref_from_prefix(bytes).map_err(|_| BadRecord::Short)?;
        let mut further = [&b""[..]; CARRIED];
        if places > 0 {
            let (found, rest) = <[Place]>::ref_from_prefix_with_elems(text, places).map_err(|_| BadRecord::Short)?;
            for (field, place) in further.iter_mut().zip(found) {
                let start = place.start.get() as usize;
                *field = rest.get(start..start + usize::from(place.length.get())).ok_or(BadRecord::Short)?;
            }
            text = rest;
        }
        let [routing_number, incumbent_cost, incumbent_currency, incumbent_seconds, carrier] = further;
        let field = |i: usize| -> Result<&'a [u8], BadRecord> {
            let start = head.starts[i].get() as usize;
            text.get(start..start + usize::from(head.lengths[i].get())).ok_or(BadRecord::Short)
        };
        let time = |t: I64| (t.get() != ABSENT_TIME).then(|| Timestamp(t.get()));
        Ok(Record {
            id: field(0)?,
            node: field(1)?,
            account: field(2)?,
            forwarded_by: field(3)?,
            source: field(4)?,
            destination: field(5)?,
            cause: field(6)?,
            routing_number,
            incumbent_cost,
            incumbent_currency,
            incumbent_seconds,
            carrier,
            direction: match head.direction & DIRECTION {
                1 => Some(Direction::Outbound),
                2 => Some(Direction::Inbound),
                _ => None,
            },
            start: time(head.start),
            answer: time(head.answer),
            end: time(head.end),
            duration: time(head.duration).map(|t| Micros(t.0)),
            seq: (head.seq.get() != ABSENT_SEQ).then(|| head.seq.get()),
            fold: match head.direction >> FOLD_SHIFT {
                0 => None,
                half_hours => Some(Micros(i64::from(half_hours) * HALF_HOUR)),
            },
            raw: text.get(..head.raw_length.get() as usize).ok_or(BadRecord::Short)?,
        })
    }

    /// The identity under which repeats are recognised (R20).
    pub fn identity(&self) -> Identity {
        identity(self.node, self.id, self.direction)
    }

    /// The content that a repeat must share to be a duplicate (R20): `seq`, cause, carrier and extras do not count.
    pub fn content(&self) -> Content {
        let texts = [self.account, self.source, self.destination, self.forwarded_by];
        let needed: usize = texts.iter().map(|t| t.len() + 4).sum::<usize>() + 17 + self.routing_number.len();
        let (mut short, mut middle, mut long);
        let buffer: &mut [u8] = if needed <= SHORT {
            short = [0u8; SHORT];
            &mut short
        } else if needed <= MIDDLE {
            middle = [0u8; MIDDLE];
            &mut middle
        } else {
            long = vec![0u8; needed];
            &mut long
        };
        let mut at = 0;
        let mut put = |part: &[u8]| {
            buffer[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        for text in texts {
            put(&(text.len() as u32).to_le_bytes());
            put(text);
        }
        put(&self.answer.map_or(ABSENT_TIME, |t| t.0).to_le_bytes());
        put(&self.talk_as_decoded().to_le_bytes());
        put(&[direction_byte(self.direction)]);
        // Last, so that records without one keep the digests they have always had.
        put(self.routing_number);
        Content(xxh3_64(&buffer[..at]))
    }

    /// Talk time as decoded, for the digest: the stated duration, else end − answer.
    fn talk_as_decoded(&self) -> i64 {
        match (self.duration, self.answer, self.end) {
            (Some(duration), _, _) => duration.0,
            (None, Some(answer), Some(end)) => end.0.saturating_sub(answer.0),
            _ => ABSENT_TIME,
        }
    }

    fn fields(&self) -> [&'a [u8]; FIELDS] {
        [self.id, self.node, self.account, self.forwarded_by, self.source, self.destination, self.cause]
    }
}

/// Bytes to be hashed of nearly every record, and of nearly every other one: so many are cleared first, and none are asked of
/// the allocator.
const SHORT: usize = 192;
const MIDDLE: usize = 640;

/// The lower bits of the head's direction.
const DIRECTION: u8 = 0b11;
/// The upper ones: half-hours between the two instants that the answer may be, 0 if it is sure.
const FOLD_SHIFT: u32 = 2;
const HALF_HOUR: i64 = 1_800_000_000;

fn direction_byte(direction: Option<Direction>) -> u8 {
    match direction {
        None => 0,
        Some(Direction::Outbound) => 1,
        Some(Direction::Inbound) => 2,
    }
}

/// Clocks go back by whole half-hours; by anything else (before 1970) the nearest greater one keeps the doubt alive.
fn fold_bits(fold: Option<Micros>) -> u8 {
    let half_hours = fold.map_or(0, |fold| fold.0.max(1).div_euclid(HALF_HOUR) + i64::from(fold.0 % HALF_HOUR != 0));
    (half_hours.clamp(0, 63) as u8) << FOLD_SHIFT
}

/// Identity of (node, id, direction): a 128-bit xxh3 with separators, the same in every process and version.
pub fn identity(node: &[u8], id: &[u8], direction: Option<Direction>) -> Identity {
    let needed = node.len() + id.len() + 5;
    let (mut short, mut middle, mut long);
    let bytes: &mut [u8] = if needed <= SHORT {
        short = [0u8; SHORT];
        &mut short[..needed]
    } else if needed <= MIDDLE {
        middle = [0u8; MIDDLE];
        &mut middle[..needed]
    } else {
        long = vec![0u8; needed];
        &mut long
    };
    bytes[0] = direction_byte(direction);
    bytes[1..5].copy_from_slice(&(node.len() as u32).to_le_bytes());
    bytes[5..5 + node.len()].copy_from_slice(node);
    bytes[5 + node.len()..].copy_from_slice(id);
    Identity(xxh3_128(bytes))
}

/// Where `field` lies inside `raw`, if it is a slice of it.
fn place_in(raw: &[u8], field: &[u8]) -> Option<usize> {
    if field.is_empty() {
        return Some(0);
    }
    let place = (field.as_ptr() as usize).checked_sub(raw.as_ptr() as usize)?;
    (place + field.len() <= raw.len()).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let raw = br#"{"id":"c1","node":"lab","source":"+4930123456"}"#.as_slice();
        let record = Record {
            id: &raw[7..9],
            node: b"elsewhere",
            source: &raw[33..44],
            destination: b"0151",
            direction: Some(Direction::Inbound),
            answer: Some(Timestamp(5)),
            duration: Some(Micros(61_000_000)),
            raw,
            ..Record::default()
        };
        let mut bytes = vec![9, 9];
        record.encode(&mut bytes);
        // Two fields lie in the raw text; two were appended.
        assert_eq!(bytes.len(), 2 + HEAD + raw.len() + "elsewhere".len() + "0151".len());
        assert_eq!(Record::decode(&bytes[2..]), Ok(record));
    }

    #[test]
    fn identity_separates_its_parts() {
        assert_ne!(identity(b"a", b"bc", None), identity(b"ab", b"c", None));
        assert_ne!(identity(b"a", b"b", None), identity(b"a", b"b", Some(Direction::Outbound)));
    }

    #[test]
    fn a_routing_number_is_content_and_needs_the_second_layout() {
        let plain = Record { id: b"c1", destination: b"+15125550100", raw: b"raw", ..Record::default() };
        let routed = Record { routing_number: b"+17035550100", ..plain };
        let bytes = |record: &Record<'_>| {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            bytes
        };
        assert_eq!((bytes(&plain)[0], bytes(&routed)[0]), (1, 2), "what has none is written as before");
        assert_eq!(Record::decode(&bytes(&routed)), Ok(routed));
        assert_ne!(plain.content(), routed.content());
        assert_eq!(plain.identity(), routed.identity());
        for cut in 0..bytes(&routed).len() {
            assert!(Record::decode(&bytes(&routed)[..cut]).is_err());
        }
    }

    #[test]
    fn a_price_to_compare_with_is_no_content_and_needs_the_third_layout() {
        let plain = Record { id: b"c1", destination: b"+15125550100", raw: b"raw 0.0198", ..Record::default() };
        let told = Record { incumbent_cost: &plain.raw[4..], incumbent_currency: b"EUR", ..plain };
        let routed = Record { routing_number: b"+17035550100", incumbent_seconds: b"60", ..told };
        let bytes = |record: &Record<'_>| {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            bytes
        };
        // Four places; what stands in the raw text is not written twice.
        assert_eq!(bytes(&told).len(), bytes(&plain).len() + COMPARED * PLACE + "EUR".len());
        for record in [told, routed] {
            assert_eq!(bytes(&record)[0], 3);
            assert_eq!(Record::decode(&bytes(&record)), Ok(record));
            for cut in 0..bytes(&record).len() {
                assert!(Record::decode(&bytes(&record)[..cut]).is_err());
            }
        }
        assert_eq!(plain.content(), told.content(), "a repeat with another price is a repeat");
        assert_eq!(plain.identity(), told.identity());
    }

    #[test]
    fn a_carrier_is_no_content_and_needs_the_fourth_layout() {
        let plain = Record { id: b"c1", destination: b"+15125550100", raw: b"raw", ..Record::default() };
        let compared = Record { incumbent_cost: b"0.02", ..plain };
        let routed = Record { routing_number: b"+17035550100", ..plain };
        for other in [plain, routed, compared, Record { incumbent_seconds: b"60", ..routed }] {
            let carried = Record { carrier: b"colt", ..other };
            let mut bytes = Vec::new();
            carried.encode(&mut bytes);
            assert_eq!((bytes[0], Record::decode(&bytes)), (4, Ok(carried)));
            assert_eq!(carried.content(), other.content());
            assert_eq!(carried.identity(), other.identity());
            for cut in 0..bytes.len() {
                assert!(Record::decode(&bytes[..cut]).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Record::decode(&bytes);
        }

        #[test]
        fn round_trip(id in "[a-z]{1,20}", source in "[0-9+]{0,20}", answer in any::<Option<i64>>(), seq in any::<Option<u64>>()) {
            let answer = answer.filter(|a| *a != ABSENT_TIME).map(Timestamp);
            let seq = seq.filter(|s| *s != ABSENT_SEQ);
            let record = Record { id: id.as_bytes(), source: source.as_bytes(), answer, seq, raw: id.as_bytes(), ..Record::default() };
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            prop_assert_eq!(Record::decode(&bytes).unwrap(), record);
        }
    }
}
