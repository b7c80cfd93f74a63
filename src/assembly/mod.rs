//! Calls that are told in parts (RADIUS Start and Stop, accounting lines of INVITE and BYE, SIP messages, segments),
//! joined into one record.
//!
//! Pieces come in any order, repeated, or not at all. What counts is the set of a call's pieces: [`fold`] says of a set
//! whether the call is whole, and [`Assembly`] keeps the sets that are not, by key, with a time at which waiting ends.
//!
//! ```text
//!             piece                      Stop alone says all, or opening and end are there
//!   (nothing) ─────▶ waiting ──────────────────────────────────────────▶ answered ── 10 min ──▶ (nothing)
//!                      │  │ Fail, or Stop without talk                      ▲ on the usual road: identity, rating
//!                      │  └────────────────▶ unanswered ── 10 min ──▶ (nothing)
//!                      └─ tick after `max_open`, or the node restarted ─▶ unfinished, kept in suspense
//!                                                                           │ the missing piece comes after all:
//!                                                                           └─ the suspended record goes, the call is rated
//! ```
//!
//! What was decided, and why:
//!
//! - **Whole** is a call whose end is known together with its answer and the number called. A Stop that has all of it
//!   stands for itself (Cisco, Asterisk), and nothing is taken from its Start, so that it makes no difference which of
//!   the two came first. Otherwise the first non-empty field wins in the order opening, answer, end, update.
//! - **Repeats** of a step are told by the step: of two, the one with the earlier time stays, or of two answers the one
//!   that names whom it reached (the other is a re-INVITE's). A call that is over is
//!   remembered for [`CLOSED_KEPT`], so that a late or repeated piece does not open it again; later ones are told by
//!   the identity of the whole call, where the caller knows that from an *earlier* place in the journal (an index that
//!   ran ahead of a replay knows it from a later one, which means nothing).
//! - **Never ended**: after `max_open` (25 h unless the source says otherwise: R2's longest call, and an hour) the call
//!   goes into suspense as `unfinished` and is not charged. It is remembered for [`UNFINISHED_KEPT`]: should the missing
//!   piece come within that time, the record leaves suspense and the call is rated as any other. An end without a
//!   beginning waits for [`END_WAITS`] only: beginnings are sent long before.
//! - **Time** is told by the journal: receipts of pieces and ticks. So a replay decides as the first run did.
//!
//! Each piece is one durable record in the books: of the pieces of a call that is over, one counts as the call, the
//! others as `merged`; pieces of a call that waits count as `open`; a repeated piece is a `duplicate`.
//!
//! Does not know formats, identities, accounts, or where what waits is kept.

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_128;

use crate::batch::Position;
use crate::piece::{Piece, PieceKind, Step};
use crate::record::Record;
use crate::time::{Micros, Timestamp};

mod call;
mod fold;

pub use call::{BadCall, waiting_pieces};
pub use fold::{Fold, Missing, fold, rebuild};

use call::{Call, Kept, State};

/// How long a call that is over is remembered by its key: clients repeat within seconds, relays within minutes.
pub const CLOSED_KEPT: Micros = Micros::seconds(600);
/// How long an end waits for its beginning.
pub const END_WAITS: Micros = Micros::seconds(3600);
/// How long a failure waits for the answer of another branch of a fork: twice SIP's longest transaction (RFC 3261, timer
/// B and F: 32 s).
pub const FAIL_WAITS: Micros = Micros::seconds(64);
/// How long the missing piece of an unfinished call may still come.
pub const UNFINISHED_KEPT: Micros = Micros::seconds(30 * 86_400);
/// Pieces kept of one call at most: a call of so many segments does not exist, and memory must have an end.
const PIECES_MAX: usize = 256;

/// Names a call among all that are told in parts: hash of kind, node and key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CallKey(pub u128);

impl CallKey {
    /// Of a piece.
    pub fn of(piece: &Piece<'_>) -> CallKey {
        let (node, key) = (piece.record.node, piece.key);
        let mut bytes = Vec::with_capacity(5 + node.len() + key.len());
        bytes.push(piece.kind as u8);
        bytes.extend_from_slice(&(node.len() as u32).to_le_bytes());
        bytes.extend_from_slice(node);
        bytes.extend_from_slice(key);
        CallKey(xxh3_128(&bytes))
    }
}

/// A piece as it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// The piece.
    pub piece: Piece<'a>,
    /// Its place in the journal.
    pub position: Position,
    /// Receipt of its frame.
    pub received_at: Timestamp,
    /// Source profile of its frame.
    pub source: u16,
    /// How long a call of this source may be open.
    pub max_open: Micros,
}

/// What became of a piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    /// Kept until more is known: it counts as open.
    Waits,
    /// Said before.
    Repeat,
    /// Belongs to a call that is over or unfinished, or adds nothing: it counts as merged.
    Merged,
    /// It completes its call.
    Over(Over),
}

/// A call that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Over {
    /// Whether it was answered: then its canonical record was appended. Otherwise it is counted as unanswered.
    pub answered: bool,
    /// Pieces that counted as open until now.
    pub waited: u64,
    /// Where its pieces lie, in order; this one included.
    pub pieces: Vec<Position>,
    /// The record in suspense that this ends.
    pub suspended: Option<Position>,
}

/// A call whose time is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lapsed {
    /// Pieces that counted as open until now.
    pub waited: u64,
    /// What is known of it; none: it counts as unanswered.
    pub unfinished: Option<Unfinished>,
}

/// A call that goes into suspense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfinished {
    /// Place of its first piece, under which it waits.
    pub position: Position,
    /// Source profile of that piece.
    pub source: u16,
    /// Receipt of that piece.
    pub received_at: Timestamp,
    /// Why, in words.
    pub detail: &'static str,
    /// The canonical record of what is known.
    pub record: Vec<u8>,
}

/// All calls that wait, and those that were over a moment ago.
#[derive(Debug, Default)]
pub struct Assembly {
    calls: BTreeMap<CallKey, Call>,
    /// When something is to be done about a call.
    until: BTreeSet<(Timestamp, CallKey)>,
    /// Since the last [`Assembly::changes`].
    changed: BTreeSet<CallKey>,
}

impl Assembly {
    /// Takes back what [`Assembly::changes`] gave before.
    pub fn load(&mut self, key: CallKey, state: &[u8]) -> Result<(), BadCall> {
        let call = Call::decode(state)?;
        self.until.insert((call.until, key));
        self.calls.insert(key, call);
        Ok(())
    }

    /// Calls remembered, waiting or not: as long as there are any, ticks are needed.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// What changed since the last time: the new state of a call, or none where it is forgotten.
    pub fn changes(&mut self) -> Vec<(CallKey, Option<Vec<u8>>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|key| (key, self.calls.get(&key).map(Call::encode))).collect()
    }

    /// Takes a piece that is a step of a call. If that makes an answered call whole, its canonical record is appended to
    /// `out`. `known` is asked whether a record of that identity lies at an earlier place in the journal than this piece.
    pub fn take<E>(
        &mut self,
        arrived: Arrived<'_>,
        known: impl FnOnce(&Record<'_>) -> Result<bool, E>,
        out: &mut Vec<u8>,
    ) -> Result<Taken, E> {
        let timed = arrived.piece.at.is_some();
        let piece = Piece { at: Some(arrived.piece.happened(arrived.received_at)), ..arrived.piece };
        let arrived = Arrived { piece, ..arrived };
        let key = CallKey::of(&piece);
        let alone = fold(&[piece]);
        match self.calls.get(&key).map(|call| call.state) {
            Some(State::Waiting | State::Suspended(_)) => Ok(self.join(key, arrived, out)),
            // A whole end goes by its content: a repeat is a duplicate, another call under a number used again is seen.
            Some(State::Answered) if !(timed && matches!(alone, Fold::Whole(_))) => Ok(self.late(key, piece.step)),
            Some(State::Unanswered) if !matches!(piece.step, Step::Answer | Step::End) => {
                Ok(self.late(key, piece.step))
            }
            _ => {
                if matches!(alone, Fold::Open(..)) && known(&piece.record)? {
                    return Ok(Taken::Repeat);
                }
                let seen = self.calls.get(&key).map_or(0, |call| call.seen);
                let call = Call::new(&arrived);
                self.put(key, Call { seen: seen | call.seen, ..call });
                Ok(self.settle(key, arrived, 0, out).unwrap_or(Taken::Waits))
            }
        }
    }

    /// A piece of a call that is over.
    fn late(&mut self, key: CallKey, step: Step) -> Taken {
        let Some(call) = self.calls.get_mut(&key) else { return Taken::Merged };
        if call.seen & step.bit() != 0 {
            return Taken::Repeat;
        }
        call.seen |= step.bit();
        self.changed.insert(key);
        Taken::Merged
    }

    /// A piece of a call that waits, or that is unfinished.
    fn join(&mut self, key: CallKey, arrived: Arrived<'_>, out: &mut Vec<u8>) -> Taken {
        let Some(call) = self.calls.get_mut(&key) else { return Taken::Merged };
        let before = call.pieces.len() as u64;
        let kept = Kept::of(&arrived);
        if let Some(same) = call.pieces.iter_mut().find(|one| one.says_the_same(&arrived.piece)) {
            // Of two that say the same the earlier stays, whichever came first.
            if kept.order() < same.order() {
                *same = kept;
                call.pieces.sort_unstable_by_key(|one| one.position);
                self.changed.insert(key);
            }
            // Interim updates are many, each with news; the first one is enough for us.
            return if arrived.piece.step == Step::Update { Taken::Merged } else { Taken::Repeat };
        }
        if call.pieces.len() >= PIECES_MAX {
            return Taken::Merged;
        }
        call.seen |= arrived.piece.step.bit();
        call.pieces.push(kept);
        let suspended = matches!(call.state, State::Suspended(_));
        self.changed.insert(key);
        self.settle(key, arrived, before, out).unwrap_or(if suspended { Taken::Merged } else { Taken::Waits })
    }

    /// Ends the call if its pieces say that it is over; sets the time of its waiting otherwise.
    fn settle(&mut self, key: CallKey, arrived: Arrived<'_>, before: u64, out: &mut Vec<u8>) -> Option<Taken> {
        let call = self.calls.get(&key)?;
        let (waited, suspended) = match call.state {
            State::Suspended(position) => (0, Some(position)),
            _ => (before, None),
        };
        let decoded = call.decoded();
        let answered = match fold(&decoded) {
            Fold::Whole(record) => {
                fold::encode(&record, &decoded, out);
                true
            }
            Fold::Unanswered(_) if arrived.piece.kind != PieceKind::Sip || suspended.is_some() => false,
            found => {
                let wait = match found {
                    Fold::Unanswered(_) => FAIL_WAITS,
                    Fold::Open(Missing::Beginning, _) => END_WAITS.min(arrived.max_open),
                    _ => arrived.max_open,
                };
                // An unfinished call keeps its time; what only began waits from its first piece on.
                let until = match found {
                    Fold::Open(Missing::End, _) => call.received_at.0.saturating_add(wait.0),
                    _ => arrived.received_at.0.saturating_add(wait.0),
                };
                if suspended.is_none() {
                    self.set_until(key, Timestamp(until));
                }
                return None;
            }
        };
        let mut pieces: Vec<Position> = call.pieces.iter().map(|kept| kept.position).collect();
        pieces.sort_unstable();
        self.close(key, if answered { State::Answered } else { State::Unanswered }, arrived.received_at);
        Some(Taken::Over(Over { answered, waited, pieces, suspended }))
    }

    /// Ends every waiting whose time is over.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Lapsed> {
        let mut lapsed = Vec::new();
        while let Some((until, key)) = self.until.first().copied().filter(|(until, _)| *until <= now) {
            match self.calls.get(&key).map(|call| call.state) {
                Some(State::Waiting) => lapsed.extend(self.lapse(key, now, None)),
                _ => {
                    self.until.remove(&(until, key));
                    if self.calls.remove(&key).is_some() {
                        self.changed.insert(key);
                    }
                }
            }
        }
        lapsed
    }

    /// The node forgot what it had open: whatever it told us before that has no end any more.
    pub fn reset(&mut self, arrived: Arrived<'_>) -> Vec<Lapsed> {
        let happened = arrived.piece.happened(arrived.received_at);
        let of_node = |call: &Call| {
            call.state == State::Waiting
                && call.decoded().iter().all(|piece| {
                    (piece.kind, piece.record.node) == (arrived.piece.kind, arrived.piece.record.node)
                        && piece.at.is_none_or(|at| at < happened)
                })
        };
        let keys: Vec<CallKey> = self.calls.iter().filter(|(_, call)| of_node(call)).map(|(key, _)| *key).collect();
        let why = "the node restarted before it said how the call ended";
        keys.into_iter().filter_map(|key| self.lapse(key, arrived.received_at, Some(why))).collect()
    }

    fn lapse(&mut self, key: CallKey, now: Timestamp, why: Option<&'static str>) -> Option<Lapsed> {
        let call = self.calls.get(&key)?;
        let waited = call.pieces.len() as u64;
        let decoded = call.decoded();
        let (detail, record) = match fold(&decoded) {
            Fold::Unanswered(_) => {
                self.close(key, State::Unanswered, now);
                return Some(Lapsed { waited, unfinished: None });
            }
            Fold::Open(missing, record) => (why.unwrap_or(missing.words()), record),
            // A whole call does not wait; if one ever did, a person would look at it.
            Fold::Whole(record) => ("it is whole and was not rated", record),
        };
        let mut bytes = Vec::new();
        fold::encode(&record, &decoded, &mut bytes);
        let position = call.pieces.iter().map(|kept| kept.position).min()?;
        let unfinished =
            Unfinished { position, source: call.source, received_at: call.received_at, detail, record: bytes };
        if let Some(call) = self.calls.get_mut(&key) {
            call.state = State::Suspended(position);
        }
        self.set_until(key, Timestamp(now.0.saturating_add(UNFINISHED_KEPT.0)));
        self.changed.insert(key);
        Some(Lapsed { waited, unfinished: Some(unfinished) })
    }

    /// Nothing but its key is remembered of a call that is over, and which steps were told.
    fn close(&mut self, key: CallKey, state: State, now: Timestamp) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.state = state;
            call.pieces = Vec::new();
        }
        self.set_until(key, Timestamp(now.0.saturating_add(CLOSED_KEPT.0)));
        self.changed.insert(key);
    }

    fn put(&mut self, key: CallKey, call: Call) {
        let until = call.until;
        if let Some(old) = self.calls.insert(key, call) {
            self.until.remove(&(old.until, key));
        }
        self.until.insert((until, key));
        self.changed.insert(key);
    }

    fn set_until(&mut self, key: CallKey, until: Timestamp) {
        if let Some(call) = self.calls.get_mut(&key) {
            self.until.remove(&(call.until, key));
            call.until = until;
            self.until.insert((until, key));
        }
    }
}

#[cfg(test)]
mod tests;
