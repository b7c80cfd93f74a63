//! The flush's metrics, set once per flush.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::books::{Books, Unbalanced};
use crate::call::SuspenseReason;

/// Kept handles.
pub(super) struct FlushMetrics {
    seconds: Histogram,
    failures: Counter,
    up: Gauge,
    unbalanced: Gauge,
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
        }
    }
}

impl FlushMetrics {
    /// A flush is stored.
    pub(super) fn done(&self, took: Duration) {
        self.seconds.record(took.as_secs_f64());
        self.up.set(1.0);
    }

    /// The store refused.
    pub(super) fn failed(&self) {
        self.failures.increment(1);
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
                    // A gauge in currency units: for the eye, never for a bill.
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
