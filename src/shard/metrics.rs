//! A shard's counters, published once per batch from plain integers.

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

use super::counts::Counts;
use crate::call::{CallType, SuspenseReason};

/// Kept handles.
pub(super) struct ShardMetrics {
    rated: Vec<Counter>,
    suspended: Vec<Counter>,
    held: Counter,
    seconds: Histogram,
}

/// Says what the metrics of this part mean; once, after the recorder is installed.
pub fn describe() {
    describe_counter!("callrated_legs_rated_total", "Legs that were rated, by call type");
    describe_counter!(
        "callrated_calls_before_billing_start_total",
        "Legs answered before their account's billing starts"
    );
    describe_histogram!("callrated_rating_seconds", Unit::Seconds, "From the receipt of a record to its price");
}

impl Default for ShardMetrics {
    fn default() -> ShardMetrics {
        ShardMetrics {
            rated: CallType::ALL
                .iter()
                .map(|t| counter!("callrated_legs_rated_total", "call_type" => t.name()))
                .collect(),
            suspended: SuspenseReason::ALL
                .iter()
                .map(|r| counter!("callrated_calls_suspense_total", "reason" => r.name()))
                .collect(),
            held: counter!("callrated_calls_before_billing_start_total"),
            seconds: histogram!("callrated_rating_seconds"),
        }
    }
}

impl ShardMetrics {
    /// Adds what was counted since the last time; `seconds` from receipt to rated, for the batch.
    pub(super) fn publish(&self, counts: &mut Counts, seconds: f64) {
        for (counter, count) in self.rated.iter().zip(&mut counts.rated) {
            if *count > 0 {
                counter.increment(std::mem::take(count));
            }
        }
        for (reason, count) in SuspenseReason::ALL.iter().zip(&mut counts.suspended) {
            if *count == 0 {
                continue;
            }
            let count = std::mem::take(count);
            match reason {
                SuspenseReason::BeforeBillingStart => self.held.increment(count),
                _ => self.suspended[*reason as usize].increment(count),
            }
        }
        self.seconds.record(seconds);
    }
}
