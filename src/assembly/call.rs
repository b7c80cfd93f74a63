//! One call that is told in parts, as it is remembered, and the bytes in which it is kept.
//!
//! ```text
//! version u8 │ state u8 │ steps seen u8 │ 0 │ source u16 │ pieces u16 │ received_at i64 │ until i64 │ suspended u64
//! piece:  position u64 │ length u32 │ canonical piece
//! ```
//!
//! Does not know when a call is whole.

use super::Arrived;
use crate::batch::Position;
use crate::piece::{Piece, PieceKind, Step};
use crate::time::Timestamp;

/// Where a call stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Its pieces count as open.
    Waiting,
    /// Its time was over; what is known of it waits in suspense under this position.
    Suspended(Position),
    /// It went on as a record.
    Answered,
    /// It was counted as unanswered.
    Unanswered,
}

/// What is remembered of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Call {
    pub(super) state: State,
    /// Steps told so far: [`crate::piece::Step::bit`].
    pub(super) seen: u8,
    /// Source profile of the first piece.
    pub(super) source: u16,
    /// Receipt of the first piece.
    pub(super) received_at: Timestamp,
    /// When something is to be done about it.
    pub(super) until: Timestamp,
    /// Its pieces, in the order of their arrival; none once it is over.
    pub(super) pieces: Vec<Kept>,
}

/// A piece that waits, with its time filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Kept {
    pub(super) position: Position,
    pub(super) bytes: Box<[u8]>,
}

impl Kept {
    pub(super) fn of(arrived: &Arrived<'_>) -> Kept {
        let mut bytes = Vec::new();
        arrived.piece.encode(&mut bytes);
        Kept { position: arrived.position, bytes: bytes.into() }
    }

    fn piece(&self) -> Option<Piece<'_>> {
        Piece::decode(&self.bytes).ok()
    }

    /// Whether it is the same step, so that only one of the two may count.
    pub(super) fn says_the_same(&self, other: &Piece<'_>) -> bool {
        let Some(own) = self.piece() else { return false };
        own.step == other.step
            // Branches of a fork end and are answered each for itself.
            && (own.kind != PieceKind::Sip || own.record.id == other.record.id)
            && (own.kind != PieceKind::Segments
                || (own.at, own.record.seq, own.record.content())
                    == (other.at, other.record.seq, other.record.content()))
    }

    /// Which of two that say the same stays: the earlier; then any rule will do that does not ask who came first.
    pub(super) fn order(&self) -> impl Ord + '_ {
        let piece = self.piece();
        let beginning =
            |piece: &Piece<'_>| piece.kind == PieceKind::Sip && matches!(piece.step, Step::Begin | Step::Fail);
        // Of a SIP message on its way the sight nearest to the caller: numbers are rewritten further on.
        let hops = piece.filter(beginning).and_then(|piece| piece.record.seq);
        // A re-INVITE is told as an answer too, to a contact that is no number, within the same second if need be.
        let unnamed = piece.is_some_and(|piece| piece.step == Step::Answer && piece.record.destination.is_empty());
        (hops, unnamed, piece.and_then(|piece| piece.at), &self.bytes)
    }
}

/// A remembered call that cannot be read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadCall {
    /// Shorter than it says.
    #[error("an open call is cut short")]
    Short,
    /// A layout this version does not know.
    #[error("an open call has layout version {0}, newer than this program reads")]
    Version(u8),
    /// A state this version does not know.
    #[error("an open call has state {0}, which this program does not know")]
    State(u8),
}

const VERSION: u8 = 1;

impl Call {
    /// A call of one piece.
    pub(super) fn new(arrived: &Arrived<'_>) -> Call {
        Call {
            state: State::Waiting,
            seen: arrived.piece.step.bit(),
            source: arrived.source,
            received_at: arrived.received_at,
            until: arrived.received_at,
            pieces: vec![Kept::of(arrived)],
        }
    }

    /// Its pieces. Each was read before, when it came.
    pub(super) fn decoded(&self) -> Vec<Piece<'_>> {
        self.pieces.iter().filter_map(Kept::piece).collect()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let (state, suspended) = match self.state {
            State::Waiting => (0, 0),
            State::Suspended(position) => (1, position.0),
            State::Answered => (2, 0),
            State::Unanswered => (3, 0),
        };
        let mut out = vec![VERSION, state, self.seen, 0];
        out.extend_from_slice(&self.source.to_le_bytes());
        out.extend_from_slice(&(self.pieces.len() as u16).to_le_bytes());
        out.extend_from_slice(&self.received_at.0.to_le_bytes());
        out.extend_from_slice(&self.until.0.to_le_bytes());
        out.extend_from_slice(&suspended.to_le_bytes());
        for kept in &self.pieces {
            out.extend_from_slice(&kept.position.0.to_le_bytes());
            out.extend_from_slice(&(kept.bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(&kept.bytes);
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Call, BadCall> {
        let mut rest = bytes;
        let [version, state, seen, _] = part::<4>(&mut rest)?;
        if version != VERSION {
            return Err(BadCall::Version(version));
        }
        let source = u16::from_le_bytes(part(&mut rest)?);
        let count = u16::from_le_bytes(part(&mut rest)?);
        let received_at = Timestamp(i64::from_le_bytes(part(&mut rest)?));
        let until = Timestamp(i64::from_le_bytes(part(&mut rest)?));
        let suspended = Position(u64::from_le_bytes(part(&mut rest)?));
        let state = match state {
            0 => State::Waiting,
            1 => State::Suspended(suspended),
            2 => State::Answered,
            3 => State::Unanswered,
            other => return Err(BadCall::State(other)),
        };
        let mut pieces = Vec::new();
        for _ in 0..count {
            let position = Position(u64::from_le_bytes(part(&mut rest)?));
            let length = u32::from_le_bytes(part(&mut rest)?) as usize;
            let (bytes, behind) = rest.split_at_checked(length).ok_or(BadCall::Short)?;
            rest = behind;
            Piece::decode(bytes).map_err(|_| BadCall::Short)?;
            pieces.push(Kept { position, bytes: bytes.into() });
        }
        Ok(Call { state, seen, source, received_at, until, pieces })
    }
}

fn part<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BadCall> {
    let (part, behind) = rest.split_first_chunk::<N>().ok_or(BadCall::Short)?;
    *rest = behind;
    Ok(*part)
}

/// How many pieces of a remembered call count as open: what the books are compared with.
pub fn waiting_pieces(state: &[u8]) -> Result<u64, BadCall> {
    let call = Call::decode(state)?;
    Ok(if call.state == State::Waiting { call.pieces.len() as u64 } else { 0 })
}
