//! The sequencer's counters, published once per sync.

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};

use crate::journal::JournalError;

/// Kept handles.
pub struct SequencerMetrics {
    appended: Counter,
    sync: Histogram,
}

/// Says what the metrics of this part mean; once, after the recorder is installed.
pub fn describe() {
    describe_counter!(
        "callrated_journal_append_bytes_total",
        Unit::Bytes,
        "Bytes of the frames written to the journal"
    );
    describe_histogram!("callrated_journal_sync_seconds", Unit::Seconds, "Time to write and sync a group of frames");
    describe_gauge!(
        "callrated_journal_lag_records",
        Unit::Count,
        "Records in the journal that the store does not cover yet: what a restart would replay"
    );
}

impl Default for SequencerMetrics {
    fn default() -> SequencerMetrics {
        SequencerMetrics {
            appended: counter!("callrated_journal_append_bytes_total"),
            sync: histogram!("callrated_journal_sync_seconds"),
        }
    }
}

impl SequencerMetrics {
    /// Measures a sync of so many bytes.
    pub(super) fn synced<T>(
        &self,
        bytes: u64,
        sync: impl FnOnce() -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let begun = std::time::Instant::now();
        let done = sync()?;
        self.appended.increment(bytes);
        self.sync.record(begun.elapsed().as_secs_f64());
        Ok(done)
    }
}
