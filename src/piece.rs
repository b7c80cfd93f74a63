//! A part of a call as a node told it: a RADIUS Start or Stop, the accounting line of an INVITE or a BYE, a SIP message, a
//! segment of a transferred call; and its canonical form, the bytes that are journalled.
//!
//! A decoder whose node tells a call in parts gives pieces instead of records; the fold of [`crate::assembly`] joins them
//! by their [`Piece::key`] and gives the whole call as one record. A piece is journalled as it came, before anything is
//! joined: what waits for its other half is safe.
//!
//! ```text
//! version u8 │ kind u8 │ step u8 │ 0 │ key length u16 │ 0 u16 │ at i64 │ delay i64 │ key │ canonical record
//! ```
//!
//! Does not know formats, sockets, or which piece ends a call.

use zerocopy::little_endian::{I64, U16};
use zerocopy::{FromBytes, IntoBytes, KnownLayout, Unaligned};

use crate::record::{BadRecord, Record};
use crate::time::{Micros, Timestamp};

/// Longest key, in bytes: a Call-ID with two tags; a decoder shortens what is longer by a digest.
pub const KEY_MAX: usize = 4096;

/// By whose rules pieces are joined.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum PieceKind {
    /// RADIUS accounting packets: one opening, one end, interim updates between them.
    Radius = 1,
    /// Accounting lines of a SIP proxy, one for the INVITE, one for the BYE.
    Acc = 2,
    /// SIP messages seen by a capture agent. A failure waits a moment: another branch of a fork may still answer. `id` of an
    /// answer and an end names their dialog, `seq` counts the hops: fewest are nearest to the caller.
    Sip = 3,
    /// Segments of one call, each with its own talk time, the last one marked ([`Step::End`]): talk times add up.
    Segments = 4,
    /// Events of one call (Asterisk's channel events): as accounting lines, but the node also says when all is over
    /// ([`Step::Fail`]), whether it was answered or not.
    Steps = 5,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Step {
    /// The call was set up; not answered yet, as far as the piece knows.
    Begin = 1,
    /// It was answered: at the record's `answer`, else at [`Piece::at`].
    Answer = 2,
    /// It goes on; also every segment but the last.
    Update = 3,
    /// It ended after it had been answered: at the record's `end`, else at [`Piece::at`].
    End = 4,
    /// It ended without having been answered.
    Fail = 5,
    /// No step of a call: the node says that it forgot all it had open (RADIUS Accounting-On and -Off). Only the record's
    /// `node` and [`Piece::at`] count.
    Reset = 6,
}

impl Step {
    /// Bit in a set of steps.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// One piece, borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece<'a> {
    /// By whose rules it is joined.
    pub kind: PieceKind,
    /// What happened.
    pub step: Step,
    /// Names the call among those of the record's `node` and this kind: the same in each of the call's pieces, 1 to
    /// [`KEY_MAX`] bytes. Pieces of one call must agree on `node` too.
    pub key: &'a [u8],
    /// When it happened, by the node's clock, if the piece says so; else receipt less [`Piece::delay`].
    pub at: Option<Timestamp>,
    /// For how long the node has been trying to tell us.
    pub delay: Micros,
    /// The fields that this piece brings, empty where it does not; `raw` is the piece as received, `id` and `node` are
    /// those of the whole call (where pieces differ in `id`, the end's counts).
    pub record: Record<'a>,
}

/// Layout version of the canonical form; readers keep every version ever released.
const VERSION: u8 = 1;
const ABSENT_TIME: i64 = i64::MIN;

#[derive(FromBytes, IntoBytes, KnownLayout, zerocopy::Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
struct Head {
    version: u8,
    kind: u8,
    step: u8,
    reserved: u8,
    key_length: U16,
    reserved_too: U16,
    at: I64,
    delay: I64,
}

const _: () = assert!(size_of::<Head>() == 24);

/// A canonical form that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPiece {
    /// Shorter than its own head or key.
    #[error("piece is cut short")]
    Short,
    /// A layout this version does not know.
    #[error("piece has layout version {0}, newer than this program reads")]
    Version(u8),
    /// A kind this version does not know.
    #[error("piece has kind {0}, which this program does not know")]
    Kind(u8),
    /// A step this version does not know.
    #[error("piece has step {0}, which this program does not know")]
    Step(u8),
    /// Its record.
    #[error(transparent)]
    Record(#[from] BadRecord),
}

impl<'a> Piece<'a> {
    /// Appends the canonical form. A key longer than [`KEY_MAX`] is cut there: the decoder's duty is not to let it come
    /// to that.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let key = &self.key[..self.key.len().min(KEY_MAX)];
        let head = Head {
            version: VERSION,
            kind: self.kind as u8,
            step: self.step as u8,
            reserved: 0,
            key_length: U16::new(key.len() as u16),
            reserved_too: U16::ZERO,
            at: I64::new(self.at.map_or(ABSENT_TIME, |t| t.0)),
            delay: I64::new(self.delay.0),
        };
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(key);
        self.record.encode(out);
    }

    /// Reads the canonical form back.
    pub fn decode(bytes: &'a [u8]) -> Result<Piece<'a>, BadPiece> {
        let version = *bytes.first().ok_or(BadPiece::Short)?;
        if version != VERSION {
            return Err(BadPiece::Version(version));
        }
        let (head, rest) = Head::ref_from_prefix(bytes).map_err(|_| BadPiece::Short)?;
        let (key, record) = rest.split_at_checked(usize::from(head.key_length.get())).ok_or(BadPiece::Short)?;
        Ok(Piece {
            kind: match head.kind {
                1 => PieceKind::Radius,
                2 => PieceKind::Acc,
                3 => PieceKind::Sip,
                4 => PieceKind::Segments,
                5 => PieceKind::Steps,
                other => return Err(BadPiece::Kind(other)),
            },
            step: match head.step {
                1 => Step::Begin,
                2 => Step::Answer,
                3 => Step::Update,
                4 => Step::End,
                5 => Step::Fail,
                6 => Step::Reset,
                other => return Err(BadPiece::Step(other)),
            },
            key,
            at: (head.at.get() != ABSENT_TIME).then(|| Timestamp(head.at.get())),
            delay: Micros(head.delay.get()),
            record: Record::decode(record)?,
        })
    }

    /// When it happened, for a piece received then.
    pub fn happened(&self, received_at: Timestamp) -> Timestamp {
        self.at.unwrap_or(Timestamp(received_at.0.saturating_sub(self.delay.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece(raw: &[u8]) -> Piece<'_> {
        Piece {
            kind: PieceKind::Acc,
            step: Step::End,
            key: &raw[2..5],
            at: Some(Timestamp(0x0102_0304)),
            delay: Micros(7),
            record: Record { id: b"i", node: b"n", end: Some(Timestamp(9)), raw, ..Record::default() },
        }
    }

    /// The bytes of version 1, for ever.
    #[test]
    fn golden_bytes() {
        let mut bytes = Vec::new();
        piece(b"BYE 42").encode(&mut bytes);
        let mut expected = vec![1, 2, 4, 0, 3, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0];
        expected.extend_from_slice(b"E 4");
        piece(b"BYE 42").record.encode(&mut expected);
        assert_eq!(bytes, expected);
        assert_eq!(Piece::decode(&bytes), Ok(piece(b"BYE 42")));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let mut bytes = Vec::new();
        piece(b"BYE 42").encode(&mut bytes);
        let with = |at: usize, byte: u8| {
            let mut bad = bytes.clone();
            bad[at] = byte;
            Piece::decode(&bad).err()
        };
        assert_eq!(with(0, 2), Some(BadPiece::Version(2)));
        assert_eq!(with(1, 9), Some(BadPiece::Kind(9)));
        assert_eq!(with(2, 0), Some(BadPiece::Step(0)));
        assert_eq!(with(5, 0xff), Some(BadPiece::Short));
        assert_eq!(Piece::decode(&bytes[..10]), Err(BadPiece::Short));
        assert_eq!(Piece::decode(&bytes[..40]), Err(BadPiece::Record(BadRecord::Short)));
    }

    #[test]
    fn a_piece_without_a_time_happened_before_the_node_began_to_tell() {
        let untimed = Piece { at: None, delay: Micros(3), ..piece(b"BYE 42") };
        assert_eq!(untimed.happened(Timestamp(10)), Timestamp(7));
        assert_eq!(piece(b"BYE 42").happened(Timestamp(10)), Timestamp(0x0102_0304));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Piece::decode(&bytes);
        }

        #[test]
        fn a_damaged_piece_is_read_or_refused(at in 0usize..140, byte in any::<u8>()) {
            let mut bytes = Vec::new();
            piece(b"BYE 42").encode(&mut bytes);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let _ = Piece::decode(&bytes);
        }
    }
}
