//! The resolver's counters, published once per frame from plain integers.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use super::gather::Tally;
use crate::call::SuspenseReason;

/// Kept handles: a macro per record would cost more than rating it.
pub(super) struct ResolverMetrics {
    durable: Counter,
    unanswered: Counter,
    duplicate: Counter,
    conflict: Counter,
    resolved: Counter,
    merged: Counter,
    open_calls: Gauge,
    differ: Counter,
    suspended: Vec<Counter>,
    identities: Gauge,
}

/// Says what the metrics of this part mean; once, after the recorder is installed.
pub fn describe() {
    describe_counter!(
        "callrated_records_durable_total",
        "Records that left the journal for rating, replayed ones included"
    );
    describe_counter!(
        "callrated_calls_unanswered_total",
        "Records of calls that were not answered: counted, never charged"
    );
    describe_counter!("callrated_records_duplicate_total", "Records that say again what is known already");
    describe_counter!(
        "callrated_records_conflict_total",
        "Records that contradict an earlier one of their node and id"
    );
    describe_counter!("callrated_records_resolved_total", "Records for which it is known who pays");
    describe_counter!("callrated_pieces_merged_total", "Parts of calls that are counted as one with another part");
    describe_gauge!("callrated_calls_open", "Calls told in parts that are remembered: most of them wait for their end");
    describe_counter!(
        "callrated_durations_differ_total",
        "Answered records whose duration and end - answer differ by more than 2 s"
    );
    describe_counter!("callrated_calls_suspense_total", "Records and legs that went into suspense, by reason");
    describe_gauge!("callrated_identity_entries", "Nodes and ids known: what repeats are told by");
}

impl Default for ResolverMetrics {
    fn default() -> ResolverMetrics {
        ResolverMetrics {
            durable: counter!("callrated_records_durable_total"),
            unanswered: counter!("callrated_calls_unanswered_total"),
            duplicate: counter!("callrated_records_duplicate_total"),
            conflict: counter!("callrated_records_conflict_total"),
            resolved: counter!("callrated_records_resolved_total"),
            merged: counter!("callrated_pieces_merged_total"),
            open_calls: gauge!("callrated_calls_open"),
            differ: counter!("callrated_durations_differ_total"),
            suspended: SuspenseReason::ALL
                .iter()
                .map(|r| counter!("callrated_calls_suspense_total", "reason" => r.name()))
                .collect(),
            identities: gauge!("callrated_identity_entries"),
        }
    }
}

impl ResolverMetrics {
    /// Adds what was counted since the last time.
    pub(super) fn publish(&self, tally: &mut Tally) {
        let now = tally.counted();
        let before = std::mem::replace(&mut tally.published, now);
        let add = |counter: &Counter, now: u64, before: u64| {
            if now > before {
                counter.increment(now - before);
            }
        };
        add(&self.durable, now.durable, before.durable);
        add(&self.unanswered, now.unanswered, before.unanswered);
        add(&self.duplicate, now.duplicate, before.duplicate);
        add(&self.conflict, now.conflict, before.conflict);
        add(&self.resolved, now.resolved, before.resolved);
        add(&self.merged, now.merged, before.merged);
        add(&self.differ, now.differ, before.differ);
        for (i, counter) in self.suspended.iter().enumerate() {
            // A retry takes a record out again; the counter counts only those that went in.
            let (now, before) = (now.suspended[i], before.suspended[i]);
            if now > before {
                counter.increment((now - before) as u64);
            }
        }
    }

    /// How many calls told in parts are remembered.
    pub(super) fn open_calls(&self, remembered: usize) {
        self.open_calls.set(remembered as f64);
    }

    /// How many identities are known.
    pub(super) fn identity(&self, known: u64) {
        self.identities.set(known as f64);
    }
}
