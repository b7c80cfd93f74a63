//! A batch: what one door hands to the road in one go, already in the shape of a journal frame.
//!
//! A door encodes each record once, behind room for the frame's head; the sequencer fills the head in place, the journal
//! writes the very same bytes, and the threads behind read them where they lie. Nothing is copied on the way.
//!
//! ```text
//! frame:  head (64 bytes) │ entry │ entry │ …
//! entry:  length u32 (of kind and payload) │ back u32 (bytes from the frame's start to this entry) │ kind u8 │ payload
//! ```
//!
//! A frame whose last byte would be a zero has one byte more ([`FRAME_END`]).
//!
//! A [`Position`] is the byte offset of a frame or an entry in the endless log; `back` leads from an entry to its frame,
//! whose checksum proves it.
//!
//! Does not know files, sockets, or what a payload means.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::piece::Piece;
use crate::record::Record;
use crate::time::Timestamp;

/// A place in the journal: bytes since its beginning. Grows for ever; an entry's position is its identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Position(pub u64);

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which listener a frame came from: an index into the journalled source profiles.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct SourceId(pub u16);

/// What an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum EntryKind {
    /// A call record in canonical form.
    Record = 1,
    /// A listener's settings, JSON: [`crate::entry::SourceProfile`].
    Source = 2,
    /// A tariff comes into force, JSON: [`crate::entry::Activation`].
    Tariff = 3,
    /// A directory comes into force, JSON: [`crate::entry::Activation`].
    Directory = 4,
    /// Something in suspense is tried again: [`crate::entry::Retry`].
    Retry = 5,
    /// A part of a call in canonical form: [`crate::piece::Piece`].
    Piece = 6,
    /// A time, for what waits for its end: microseconds since 1970, i64. Counts as no record.
    Tick = 7,
    /// A record that was refused and yet acknowledged, kept for people: [`Batch::push_kept_refused`]. It was counted as
    /// refused; nothing behind the journal acts on it.
    Refused = 8,
    /// A month is closed, JSON: [`crate::entry::Seal`].
    Seal = 9,
    /// Its revisions count from here on, JSON: [`crate::entry::Sealed`].
    Sealed = 10,
    /// A manifest was taken, JSON: [`crate::entry::Ack`].
    Ack = 11,
    /// Something is taken out of suspense for good: [`crate::entry::Discard`].
    Discard = 12,
    /// Calls are rated again, JSON: [`crate::entry::Rerate`].
    Rerate = 14,
    /// The spend guard changes, JSON: [`crate::guard::Entered`].
    Guard = 17,
    /// Somebody takes a version of a record that contradicts itself: [`crate::entry::Decide`].
    Decide = 18,
    /// Accounts and numbers were changed by themselves, JSON: [`crate::entry::DirectoryChange`]. What they came to is the
    /// directory that comes into force behind it.
    DirectoryChange = 13,
    /// Stands where damaged bytes were given up, JSON: [`crate::entry::Lost`].
    Lost = 15,
    /// Data is deleted, held or erased, JSON: [`crate::entry::Retention`].
    Retention = 16,
}

impl EntryKind {
    /// The kind behind a stored byte.
    pub fn from_byte(byte: u8) -> Option<EntryKind> {
        Some(match byte {
            1 => EntryKind::Record,
            2 => EntryKind::Source,
            3 => EntryKind::Tariff,
            4 => EntryKind::Directory,
            5 => EntryKind::Retry,
            6 => EntryKind::Piece,
            7 => EntryKind::Tick,
            8 => EntryKind::Refused,
            9 => EntryKind::Seal,
            10 => EntryKind::Sealed,
            11 => EntryKind::Ack,
            12 => EntryKind::Discard,
            13 => EntryKind::DirectoryChange,
            14 => EntryKind::Rerate,
            15 => EntryKind::Lost,
            17 => EntryKind::Guard,
            18 => EntryKind::Decide,
            16 => EntryKind::Retention,
            _ => return None,
        })
    }
}

/// Bytes kept free at the front of a batch for the frame's head.
pub const FRAME_HEAD: usize = 64;
/// Bytes before an entry's payload.
pub const ENTRY_HEAD: usize = 9;
/// Stands behind the last entry of a frame that would end in a zero otherwise: what was not written reads as zeros, and a
/// frame that was must not look like one that was cut short.
pub const FRAME_END: u8 = 0xff;
/// Largest frame; a batch is handed on before it grows beyond this.
pub const FRAME_MAX: usize = 4 << 20;

/// The head of a frame, little-endian on disk.
///
/// `checksum` is the CRC-32 of the whole frame with its own four bytes zero. `durable_before` is the position up to
/// which everything was synced when the frame was written: it tells a torn tail from a damaged middle.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct FrameHead {
    /// [`FRAME_MAGIC`].
    pub magic: [u8; 4],
    /// Bytes of the frame, head included.
    pub length: U32,
    /// CRC-32 of the frame, these four bytes taken as zero.
    pub checksum: U32,
    /// Entries in the frame.
    pub entries: U32,
    /// Where the frame lies.
    pub position: U64,
    /// Everything before this position was durable when the frame was written.
    pub durable_before: U64,
    /// Receipt: microseconds since 1970, one stamp for the whole frame.
    pub received_at: I64,
    /// Index of the source profile.
    pub source: U16,
    /// Zero.
    pub reserved: [u8; 6],
    /// Records received by the door for this frame, good or bad.
    pub received: U32,
    /// Of these, refused.
    pub refused: U32,
    /// Zero.
    pub reserved_too: [u8; 8],
}

/// First bytes of every frame.
pub const FRAME_MAGIC: [u8; 4] = *b"cRf1";
const _: () = assert!(size_of::<FrameHead>() == FRAME_HEAD);

/// Entries on their way to the journal.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Where they came from.
    pub source: SourceId,
    /// Records received for this batch, good or bad.
    pub received: u32,
    /// Of these, refused.
    pub refused: u32,
    bytes: Vec<u8>,
    entries: u32,
    /// Bytes to make room for at the first entry.
    room: usize,
}

impl Batch {
    /// An empty batch from a source.
    pub fn new(source: SourceId) -> Batch {
        Batch { source, received: 0, refused: 0, bytes: vec![0; FRAME_HEAD], entries: 0, room: 0 }
    }

    /// An empty batch from the same source that is to take about as much: with its first entry it gets room for it at
    /// once, since to grow step by step copies every byte once more.
    pub fn next(&self) -> Batch {
        Batch { room: self.bytes.len() + self.bytes.len() / 8, ..Batch::new(self.source) }
    }

    /// Appends a record; it counts as received.
    pub fn push_record(&mut self, record: &Record<'_>) {
        self.received += 1;
        self.push_with(EntryKind::Record, |out| record.encode(out));
    }

    /// Appends a part of a call; it counts as received.
    pub fn push_piece(&mut self, piece: &Piece<'_>) {
        self.received += 1;
        self.push_with(EntryKind::Piece, |out| piece.encode(out));
    }

    /// Counts a record that was refused, and keeps it for people: a sentence that says why, a line end, and the bytes.
    pub fn push_kept_refused(&mut self, why: &str, raw: &[u8]) {
        self.push_refused();
        self.push_with(EntryKind::Refused, |out| {
            out.extend_from_slice(why.as_bytes());
            out.push(b'\n');
            out.extend_from_slice(raw);
        });
    }

    /// Appends a time at which waitings may end.
    pub fn push_tick(&mut self, at: Timestamp) {
        self.push_entry(EntryKind::Tick, &at.0.to_le_bytes());
    }

    /// Counts a record that was refused.
    pub fn push_refused(&mut self) {
        self.received += 1;
        self.refused += 1;
    }

    /// Appends any other entry.
    pub fn push_entry(&mut self, kind: EntryKind, payload: &[u8]) {
        self.push_with(kind, |out| out.extend_from_slice(payload));
    }

    fn push_with(&mut self, kind: EntryKind, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.bytes.len();
        self.bytes.reserve(std::mem::take(&mut self.room));
        self.bytes.extend_from_slice(&[0; ENTRY_HEAD]);
        write(&mut self.bytes);
        let length = (self.bytes.len() - at - ENTRY_HEAD + 1) as u32;
        self.bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
        self.bytes[at + 4..at + 8].copy_from_slice(&(at as u32).to_le_bytes());
        self.bytes[at + 8] = kind as u8;
        self.entries += 1;
    }

    /// Entries so far.
    pub fn entries(&self) -> u32 {
        self.entries
    }

    /// Bytes so far, head included.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Nothing in it worth a frame: no entry, no refusal.
    pub fn is_empty(&self) -> bool {
        self.entries == 0 && self.received == 0
    }

    /// Sees to it that the frame does not end in a zero ([`FRAME_END`]); nothing is appended to it afterwards.
    pub fn close(&mut self) {
        if self.bytes.last() == Some(&0) {
            self.bytes.push(FRAME_END);
        }
    }

    /// The frame's bytes with the head still blank.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// One entry of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Where it lies in the journal.
    pub position: Position,
    /// What it is; a byte this version may not know.
    pub kind: u8,
    /// Its content.
    pub payload: &'a [u8],
}

/// Walks the entries of a frame whose head and checksum have been checked (`bytes` is the whole frame).
pub fn entries(frame: &[u8], position: Position) -> impl Iterator<Item = Entry<'_>> {
    let mut at = FRAME_HEAD;
    std::iter::from_fn(move || {
        let (entry, next) = entry_at(frame, position, at)?;
        at = next;
        Some(entry)
    })
}

/// The entry at an offset of a frame, and the offset behind it.
pub fn entry_at(frame: &[u8], position: Position, at: usize) -> Option<(Entry<'_>, usize)> {
    let head = frame.get(at..at + ENTRY_HEAD)?;
    let length = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    let back = u32::from_le_bytes(head[4..8].try_into().ok()?) as usize;
    if length == 0 || back != at {
        return None;
    }
    let next = at.checked_add(ENTRY_HEAD - 1)?.checked_add(length)?;
    let payload = frame.get(at + ENTRY_HEAD..next)?;
    Some((Entry { position: Position(position.0 + at as u64), kind: head[8], payload }, next))
}

/// A frame that is durable: its bytes, shared by all who read it, and its place.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Where its head lies in the journal.
    pub position: Position,
    /// Head and entries.
    pub bytes: Bytes,
}

impl Frame {
    /// Its head.
    pub fn head(&self) -> FrameHead {
        // A frame is made only from bytes that hold a checked head.
        FrameHead::read_from_prefix(&self.bytes).map_or_else(|_| FrameHead::new_zeroed(), |(head, _)| head)
    }

    /// Its entries in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        entries(&self.bytes, self.position)
    }

    /// The position just behind it.
    pub fn end(&self) -> Position {
        Position(self.position.0 + self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of three entries, and where each begins.
    fn three() -> (Vec<u8>, Vec<usize>) {
        let mut batch = Batch::new(SourceId(3));
        let mut places = Vec::new();
        for payload in [&b"one"[..], b"", b"three"] {
            places.push(batch.len());
            batch.push_entry(EntryKind::Source, payload);
        }
        assert_eq!((batch.entries(), batch.received), (3, 0));
        (batch.into_bytes(), places)
    }

    #[test]
    fn entries_are_walked_in_order() {
        let (bytes, places) = three();
        let walked: Vec<_> =
            entries(&bytes, Position(1000)).map(|e| (e.position.0, e.kind, e.payload.to_vec())).collect();
        let at = |i: usize| 1000 + places[i] as u64;
        assert_eq!(walked, [(at(0), 2, b"one".to_vec()), (at(1), 2, vec![]), (at(2), 2, b"three".to_vec())]);
    }

    #[test]
    fn an_entry_whose_way_back_leads_elsewhere_ends_the_walk() {
        let (good, places) = three();
        for (i, at) in places.iter().enumerate() {
            for wrong in [0, *at as u32 - 1, *at as u32 + 1, u32::MAX] {
                let mut bytes = good.clone();
                bytes[at + 4..at + 8].copy_from_slice(&wrong.to_le_bytes());
                assert_eq!(entries(&bytes, Position(0)).count(), i, "entry {i} leads {wrong} back");
                assert!(entry_at(&bytes, Position(0), *at).is_none());
            }
        }
        // Bytes inside a payload that look like an entry are none: their way back is not where they lie.
        let mut batch = Batch::new(SourceId(0));
        batch.push_entry(EntryKind::Source, &good[FRAME_HEAD..]);
        let inner = FRAME_HEAD + ENTRY_HEAD;
        assert!(entry_at(&batch.into_bytes(), Position(0), inner).is_none());
    }

    #[test]
    fn no_frame_ends_in_a_zero() {
        let mut tick = Batch::new(SourceId(0));
        tick.push_tick(Timestamp(1_791_190_800_000_000));
        let mut refused = Batch::new(SourceId(0));
        refused.push_refused();
        let mut text = Batch::new(SourceId(0));
        text.push_entry(EntryKind::Source, b"text");
        for (mut batch, more) in [(tick, 1), (refused, 1), (text, 0)] {
            let (before, count) = (batch.len(), batch.entries() as usize);
            batch.close();
            batch.close();
            assert_eq!(batch.len(), before + more);
            let bytes = batch.into_bytes();
            assert!(bytes.last() != Some(&0) && entries(&bytes, Position(0)).count() == count);
        }
    }

    #[test]
    fn a_length_that_cannot_be_ends_the_walk() {
        let (good, places) = three();
        for wrong in [0, 100, u32::MAX] {
            let mut bytes = good.clone();
            bytes[places[2]..places[2] + 4].copy_from_slice(&wrong.to_le_bytes());
            assert_eq!(entries(&bytes, Position(0)).count(), 2, "length {wrong}");
        }
    }
}
