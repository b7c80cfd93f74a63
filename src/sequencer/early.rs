//! Flushes before their time: what the store writes and syncs in one go is what acknowledgements may have to wait for, at the
//! disk and for a processor.
//!
//! Does not know what is in a flush.

use std::sync::atomic::Ordering;

use super::Sequencer;

/// The part of a whole flush that is enough for an early one.
const PART: u64 = 8;
/// Fewer records are not worth a flush of their own.
const LEAST: u64 = 1_000;

impl Sequencer {
    /// Whether the store is given less than a whole flush: where a second brings more than one, and the store has nothing
    /// to do. Many small flushes hold others up for moments only; a store that is behind gets whole ones, which cost less a
    /// call.
    pub(super) fn is_early(&self) -> bool {
        let whole = self.settings.flush_calls;
        if self.unflushed < (whole / PART).max(LEAST) {
            return false;
        }
        let stored = self.progress.markers_stored.load(Ordering::Relaxed);
        let idle = stored == self.progress.markers_sent.load(Ordering::Relaxed);
        let micros = self.clock.since(self.marked_at).as_micros();
        idle && u128::from(self.unflushed) * 1_000_000 > u128::from(whole) * micros
    }
}
