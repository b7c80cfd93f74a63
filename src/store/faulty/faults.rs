//! Which faults are played, and how often.
//!
//! Does not know a store.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::FaultyStore;

/// How often each fault of a flush happens, in thousandths; the first that applies is taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Refused as busy; nothing written.
    pub busy: u64,
    /// Refused for want of room; nothing written.
    pub full: u64,
    /// The connection breaks before anything is written.
    pub lost_before: u64,
    /// The connection breaks after all was written: the caller does not know.
    pub lost_after: u64,
    /// Takes [`Faults::delay`] longer, then works.
    pub slow: u64,
    /// How long a slow flush waits.
    pub delay: Duration,
}

/// What happened so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Played {
    /// Flushes asked for.
    pub flushes: u64,
    /// Of these, failed without anything written.
    pub refused: u64,
    /// Of these, written and reported as failed.
    pub lost_after: u64,
}

impl<S> FaultyStore<S> {
    /// What happened so far.
    pub fn played(&self) -> Played {
        Played {
            flushes: self.flushes.load(SeqCst),
            refused: self.refused.load(SeqCst),
            lost_after: self.lost_after.load(SeqCst),
        }
    }
}
