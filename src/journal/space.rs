//! Room on the disk: how large a segment may be, when space is short, and what goes first then.
//!
//! Segments take their room from the disk beforehand, so that a full disk shows before anything is half written. A new
//! one takes at most a quarter of what lies above [`Settings::min_free`](super::Settings::min_free): near the limit they
//! get small, and the journal neither stops a whole segment early nor leaves the store nothing.
//!
//! Does not know who is told that there is no room.

use super::segment::SEGMENT_HEAD;
use super::writer::Removed;
use super::{Journal, JournalError};
use crate::batch::Position;

/// Segments do not get smaller than this when space is short: a few thousand records, so that there are never very many.
const SEGMENT_LEAST: u64 = 256 << 10;

/// Room for a new segment whose first frame has `frame` bytes, where `free` bytes are free on the disk.
pub(super) fn room_of_new(segment_bytes: u64, free: u64, min_free: u64, frame: u64) -> u64 {
    let quarter = free.saturating_sub(min_free) / 4;
    segment_bytes.min(quarter).max(least(segment_bytes)).max(SEGMENT_HEAD + frame)
}

fn least(segment_bytes: u64) -> u64 {
    SEGMENT_LEAST.min(segment_bytes).max(SEGMENT_HEAD)
}

impl Journal {
    /// Whether `bytes` more can be journalled and the disk then still has its [`super::Settings::min_free`], and `spare`
    /// bytes beyond it. A disk that does not tell what is free counts as empty; that it is full then shows at an append.
    pub fn has_room(&self, bytes: u64, spare: u64) -> bool {
        let free = self.free_space().unwrap_or(u64::MAX);
        let kept = self.min_free().saturating_add(spare);
        if free < kept {
            return false;
        }
        self.fits(bytes) || free - kept >= least(self.segment_bytes()).max(SEGMENT_HEAD + bytes)
    }

    /// Drops segments that end at or before a position, oldest first and whatever their age, until there is room as in
    /// [`Journal::has_room`] or none is left to drop. The segment being written stays.
    pub fn make_space(&mut self, stored: Position, bytes: u64, spare: u64) -> Result<Removed, JournalError> {
        let mut removed = Removed::default();
        while !self.has_room(bytes, spare) {
            let segments = self.segments()?;
            let [oldest, _, ..] = segments.as_slice() else { break };
            if oldest.end > stored {
                break;
            }
            let one = self.remove_before(oldest.end, None)?;
            if one.segments == 0 {
                break;
            }
            removed.segments += one.segments;
            removed.bytes += one.bytes;
        }
        Ok(removed)
    }
}
