//! The flush's metrics, set once per flush.

use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::books::{Books, Unbalanced};
use crate::call::SuspenseReason;

/// Kept handles.
pub(super) struct FlushMetrics {
    seconds: Histogram,
    failures: Counter,
    up: Gauge,
    unbalanced: Gauge,
    pending: Gauge,
    brake: Gauge,
}

/// Says what the metrics of this part mean; once, after the recorder is installed.
pub fn describe() {
    super::margins::describe();
    describe_histogram!("callrated_flush_seconds", Unit::Seconds, "Time of a store transaction");
    describe_counter!("callrated_flush_failures_total", "Store transactions that failed and were tried again");
    describe_gauge!(
        "callrated_flush_pending_calls",
        Unit::Count,
        "Rated calls that the store does not have yet, in memory or put aside; more than 0 for long: the store is away"
    );
    describe_gauge!(
        "callrated_store_up",
        "1 if the store took the latest flush, 0 if it refused it or does not answer"
    );
    describe_gauge!(
        "callrated_streams_braked",
        "1 while the store is well but has much to write, and records over TCP and from folders are read no faster than it takes them"
    );
    describe_gauge!("callrated_books_unbalanced", "Equations of the books that do not hold; must be 0");
    describe_gauge!("callrated_charged_total", "Sum of the cost of all stored calls, by currency, for the eye only");
    describe_gauge!("callrated_suspense_open", "Records and legs in suspense, by reason");
}

impl Default for FlushMetrics {
    fn default() -> FlushMetrics {
        let up = gauge!("callrated_store_up");
        up.set(1.0);
        FlushMetrics {
            seconds: histogram!("callrated_flush_seconds"),
            failures: counter!("callrated_flush_failures_total"),
            up,
            unbalanced: gauge!("callrated_books_unbalanced"),
            pending: gauge!("callrated_flush_pending_calls"),
            brake: gauge!("callrated_streams_braked"),
        }
    }
}

impl FlushMetrics {
    /// A flush is stored.
    pub(super) fn done(&self, took: Duration) {
        self.seconds.record(took.as_secs_f64());
        self.up.set(1.0);
    }

    /// So many calls wait for the store.
    pub(super) fn pending(&self, calls: u64) {
        self.pending.set(calls as f64);
    }

    /// Senders that can wait are to wait, or not.
    pub(super) fn brake(&self, on: bool) {
        self.brake.set(f64::from(u8::from(on)));
    }

    /// The store refused.
    pub(super) fn failed(&self) {
        self.failures.increment(1);
    }

    /// The store refused, or does not answer.
    pub(super) fn away(&self) {
        self.up.set(0.0);
    }

    /// What the books say at the stored position.
    pub(super) fn books(&self, books: &Books, faults: &[Unbalanced]) {
        self.unbalanced.set(faults.len() as f64);
        let mut open = [0i128; SuspenseReason::ALL.len()];
        for (name, value) in books.iter() {
            let mut parts = name.split('/');
            match (parts.next(), parts.next(), parts.next(), parts.next()) {
                (Some("records"), Some("suspended"), Some(reason), None)
                | (Some("period"), Some(_), Some("suspended"), Some(reason)) => {
                    if let Some(reason) = SuspenseReason::named(reason) {
                        open[reason as usize] += value;
                    }
                }
                (Some("money"), Some(currency), Some("calls"), None) => {
                    // A float in currency units: for the eye, never for a bill.
                    gauge!("callrated_charged_total", "currency" => currency.to_owned()).set(value as f64 / 1e9);
                }
                _ => {}
            }
        }
        for reason in SuspenseReason::ALL {
            gauge!("callrated_suspense_open", "reason" => reason.name()).set(open[*reason as usize] as f64);
        }
    }
}
