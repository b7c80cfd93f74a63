//! Parts of calls: joined here, before identity is asked, so that a whole call goes on like any other record.
//!
//! A whole call's place is that of the piece that completed it. Its canonical form stands in no frame of the journal;
//! the wholes of one frame are put together in a frame of their own, in memory only, and the places of the pieces are
//! kept in the store, so that the call can be put together again.
//!
//! Does not know formats, nor when a call is whole.

use bytes::Bytes;

use super::gather::AssembledCall;
use super::{Claim, Resolver, ResolverError, SuspendedRecord};
use crate::assembly::{Arrived, Lapsed, Missing, Over, Taken};
use crate::batch::{Entry, FRAME_HEAD, Frame, FrameHead, Position};
use crate::call::SuspenseReason;
use crate::entry::SourceProfile;
use crate::identity::Key;
use crate::piece::{Piece, Step};
use crate::rating;
use crate::record::Record;
use crate::time::Timestamp;

/// Whole calls that wait to be asked for their identity.
#[derive(Default)]
pub(super) struct Wholes {
    /// The head of the journal's frame, then canonical records.
    bytes: Vec<u8>,
    claims: Vec<Claim>,
}

/// What became of a piece, as the counts of its frame see it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceFate {
    /// Part of a call that waits, or of one that is counted otherwise.
    Part,
    /// Said before, as is counted already.
    Repeat,
    /// It ended a call that was not answered.
    Unanswered,
    /// It completed a call, which is counted as any record.
    Call,
}

impl Resolver {
    /// Takes a part of a call.
    pub(super) fn piece(
        &mut self,
        frame: &Frame,
        entry: &Entry<'_>,
        wholes: &mut Wholes,
    ) -> Result<PieceFate, ResolverError> {
        let piece = Piece::decode(entry.payload).map_err(|e| ResolverError::Entry(entry.position, e.to_string()))?;
        let head = frame.head();
        let source = head.source.get();
        let profile = self.state.sources.get(usize::from(source)).and_then(Option::as_ref);
        let max_open = profile.map_or_else(|| SourceProfile::default().max_open(), SourceProfile::max_open);
        let received_at = Timestamp(head.received_at.get());
        let arrived = Arrived { piece, position: entry.position, received_at, source, max_open };
        if piece.step == Step::Reset {
            let lapsed = self.state.assembly.reset(arrived);
            self.lapsed(frame, lapsed);
            self.tally.merged += 1;
            return Ok(PieceFate::Part);
        }
        if wholes.bytes.is_empty() {
            wholes.bytes.extend_from_slice(frame.bytes.get(..FRAME_HEAD).unwrap_or_default());
        }
        let at = wholes.bytes.len();
        let index = &self.index;
        let known = |record: &Record<'_>| {
            // A later place is this very call, seen before a replay; or one that only became known after this piece.
            Ok::<_, ResolverError>(index.find(record.identity())?.is_some_and(|(_, first)| first < entry.position))
        };
        match self.state.assembly.take(arrived, known, &mut wholes.bytes)? {
            Taken::Waits => {
                self.tally.open += 1;
                Ok(PieceFate::Part)
            }
            Taken::Merged => {
                self.tally.merged += 1;
                Ok(PieceFate::Part)
            }
            Taken::Repeat => {
                self.tally.duplicate += 1;
                Ok(PieceFate::Repeat)
            }
            Taken::Over(over) => self.over(entry.position, over, at, wholes),
        }
    }

    fn over(
        &mut self,
        position: Position,
        over: Over,
        at: usize,
        wholes: &mut Wholes,
    ) -> Result<PieceFate, ResolverError> {
        self.tally.open -= over.waited as i64;
        self.tally.merged += over.waited;
        if let Some(suspended) = over.suspended {
            // As if it had been tried again: entries that still name an older attempt are void.
            self.state.attempts.insert((suspended, None), position);
            self.tally.gathered.retried.push((suspended, None, position));
            self.tally.suspended(SuspenseReason::Unfinished, -1);
            self.tally.merged += 1;
        }
        if !over.answered {
            return Ok(PieceFate::Unanswered);
        }
        let bytes = wholes.bytes.get(at..).unwrap_or_default();
        let record = Record::decode(bytes).map_err(|e| ResolverError::Entry(position, e.to_string()))?;
        self.tally.differ += u64::from(rating::durations_differ(&record));
        let (identity, content) = (record.identity(), record.content());
        self.keys.push(Key { identity, content, position });
        wholes.claims.push(Claim { at, length: bytes.len() });
        let known_by = (identity, content);
        self.tally.gathered.assembled.push(AssembledCall { position, pieces: over.pieces, known_by });
        Ok(PieceFate::Call)
    }

    /// Sends what was put together on its way.
    pub(super) fn settle_wholes(
        &mut self,
        frame: &Frame,
        head: &FrameHead,
        wholes: &mut Wholes,
    ) -> Result<(), ResolverError> {
        if wholes.claims.is_empty() {
            return Ok(());
        }
        // What was resolved from the journal's frame goes with that frame.
        self.hand_over(frame);
        let bytes = Bytes::from(std::mem::take(&mut wholes.bytes));
        let frame = Frame { position: frame.position, bytes };
        self.settle(&frame, head, &mut wholes.claims)?;
        self.hand_over(&frame);
        Ok(())
    }

    /// A time: what waited too long goes into suspense.
    pub(super) fn tick(&mut self, frame: &Frame, entry: &Entry<'_>) -> Result<(), ResolverError> {
        let bytes: [u8; 8] =
            entry.payload.try_into().map_err(|_| ResolverError::Entry(entry.position, "not a tick".to_owned()))?;
        let lapsed = self.state.assembly.tick(Timestamp(i64::from_le_bytes(bytes)));
        self.lapsed(frame, lapsed);
        Ok(())
    }

    fn lapsed(&mut self, frame: &Frame, lapsed: Vec<Lapsed>) {
        for Lapsed { waited, unfinished } in lapsed {
            self.tally.open -= waited as i64;
            self.tally.merged += waited.saturating_sub(1);
            let Some(call) = unfinished else {
                self.tally.unanswered_late();
                continue;
            };
            self.tally.suspended(SuspenseReason::Unfinished, 1);
            self.tally.gathered.suspended.push(SuspendedRecord {
                position: call.position,
                attempt: call.position,
                leg: None,
                reason: SuspenseReason::Unfinished,
                detail: call.detail,
                period: None,
                account: None,
                source: call.source,
                received_at: call.received_at,
                at: 0,
                length: call.record.len(),
                frame: Frame { position: frame.position, bytes: Bytes::from(call.record) },
            });
        }
    }
}

/// What is said of an unfinished call that is tried again: nothing but its missing piece can help it.
pub(super) fn still_unfinished(record: &[u8]) -> &'static str {
    let ended = Record::decode(record).is_ok_and(|record| record.end.is_some());
    if ended { Missing::Beginning.words() } else { Missing::End.words() }
}
