//! How far a job over a month is, and why it cannot go on.
//!
//! Does not know what the job is.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::batch::Position;
use crate::flush::SpillError;
use crate::images::ImageMissing;
use crate::store::StoreError;

/// How far the job is; read by whoever asks.
#[derive(Debug, Default)]
pub struct Progress {
    read: AtomicU64,
    rated: AtomicU64,
}

impl Progress {
    pub(super) fn read(&self, calls: u64) {
        self.read.fetch_add(calls, Ordering::Relaxed);
    }

    pub(super) fn rated(&self, legs: u64) {
        self.rated.fetch_add(legs, Ordering::Relaxed);
    }

    /// Stored calls read so far, and legs rated again so far.
    pub fn get(&self) -> (u64, u64) {
        (self.read.load(Ordering::Relaxed), self.rated.load(Ordering::Relaxed))
    }

    pub(super) fn begin(&self) {
        self.read.store(0, Ordering::Relaxed);
        self.rated.store(0, Ordering::Relaxed);
    }
}

/// Why a month cannot be sealed now.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An image that was in force.
    #[error(transparent)]
    Image(#[from] ImageMissing),
    /// What does not fit into memory cannot be put aside.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// What was put aside cannot be read.
    #[error("what was put aside cannot be read back: {0}")]
    Aside(#[from] postcard::Error),
    /// A stored record.
    #[error("a stored record cannot be read: {0}")]
    Unreadable(String),
    /// Nothing was ever in force.
    #[error("no tariff or no directory was in force at the seal")]
    NothingInForce,
    /// What was asked for cannot be.
    #[error("{0}")]
    Refused(String),
    /// The store does not have what stands before the job's place.
    #[error("the store does not stand behind position {0}")]
    Behind(Position),
}
