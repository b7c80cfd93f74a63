//! Batches of a connection on their way to the journal, and until when all that was heard is safe.
//!
//! Does not know connections, nor what is in a batch.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::ingest::{Door, Pending};
use crate::time::Timestamp;

/// What is on its way to the journal.
#[derive(Debug)]
pub(super) struct Flight {
    under_way: AtomicU64,
    /// When the latest batch that is safe was read.
    safe: AtomicI64,
    /// One was not taken: nothing behind it is safe.
    failed: AtomicBool,
}

impl Flight {
    /// Nothing is under way, and all is safe until now.
    pub fn new(now: Timestamp) -> Flight {
        Flight { under_way: AtomicU64::new(0), safe: AtomicI64::new(now.0), failed: AtomicBool::new(false) }
    }

    /// One more batch.
    pub fn takes_off(&self) {
        self.under_way.fetch_add(1, Ordering::AcqRel);
    }

    /// A batch was not taken.
    pub fn fails(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Whether a batch was not taken.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Until when all that was heard is safe.
    pub fn safe_until(&self, now: Timestamp) -> Timestamp {
        let all = self.under_way.load(Ordering::Acquire) == 0 && !self.has_failed();
        if all { now } else { Timestamp(self.safe.load(Ordering::Acquire)) }
    }
}

/// Notes which batches are safe; counts the records of those that were not taken, since the node does not send them again.
pub(super) async fn answers(door: &Door, flight: &Flight, mut waits: mpsc::Receiver<(Pending, u64, Timestamp)>) {
    while let Some((pending, records, read_at)) = waits.recv().await {
        match pending.durable().await {
            Ok(_) if !flight.has_failed() => flight.safe.store(read_at.0, Ordering::Release),
            Ok(_) => {}
            Err(why) => {
                flight.fails();
                door.counters.not_taken(why, records);
                if let Some(records) = door.counters.worth_a_word(records) {
                    tracing::warn!(listener = door.name, records, %why, "records were heard and not kept");
                }
            }
        }
        flight.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}
