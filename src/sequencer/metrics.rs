//! The sequencer's counters, published once per sync.

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};

use crate::time::{MICROS_PER_SECOND, Micros};

/// Kept handles.
pub struct SequencerMetrics {
    appended: Counter,
    sync: Histogram,
    late: Counter,
}

/// Says what the metrics of this part mean; once, after the recorder is installed.
pub fn describe() {
    describe_counter!(
        "callrated_journal_append_bytes_total",
        Unit::Bytes,
        "Bytes of the frames written to the journal"
    );
    describe_histogram!("callrated_journal_sync_seconds", Unit::Seconds, "Time to write and sync a group of frames");
    describe_counter!(
        "callrated_journal_late_syncs_total",
        "Syncs that took longer than journal.max_delay: what came meanwhile waited longer than that for its own sync"
    );
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
            late: counter!("callrated_journal_late_syncs_total"),
        }
    }
}

impl SequencerMetrics {
    /// So many bytes were synced in that time, which was longer than a batch should wait or not.
    pub(super) fn synced(&self, bytes: u64, took: Micros, late: bool) {
        self.appended.increment(bytes);
        self.late.increment(u64::from(late));
        self.sync.record(took.0 as f64 / MICROS_PER_SECOND as f64);
    }
}
