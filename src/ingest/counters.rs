//! The counters of a listener, as handles that are kept; plain integers are added to them once per batch.
//!
//! Does not know how metrics are exported.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use metrics::{Counter, counter, describe_counter};

use super::NotTaken;
use crate::wire::{Refusal, Skip};

/// Says what the counters of this part mean; once, after the recorder is installed.
pub fn describe() {
    describe_counter!("callrated_records_received_total", "Records received by the doors, good or bad");
    describe_counter!("callrated_records_refused_total", "Records refused at the doors, by reason");
    describe_counter!(
        "callrated_records_skipped_total",
        "Messages that were understood and are no record of ours, by reason; not in the books"
    );
    describe_counter!("callrated_senders_refused_total", "Connections, datagrams and requests turned away unread");
    describe_counter!(
        "callrated_udp_dropped_total",
        "Datagrams the kernel dropped because the socket's buffer was full"
    );
    describe_counter!("callrated_udp_sequence_gaps_total", "Numbers a node's seq skipped: records that may be lost");
    describe_counter!("callrated_udp_sequence_late_total", "Skipped numbers that came after all, out of order");
}

/// Why somebody was turned away before anything was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TurnedAway {
    /// Not on the list of those who may send.
    NotAllowed,
    /// As many connections as are taken.
    Connections,
    /// No TLS came about: another protocol, no certificate that is trusted, too slow.
    Tls,
}

/// Kept handles of one listener.
#[derive(Debug)]
pub struct Counters {
    listener: String,
    /// By format; a new one is met seldom: at first, or where a sender says what it writes.
    received: RwLock<Vec<(String, Counter)>>,
    skipped: [Counter; Skip::ALL.len()],
    refused: [Counter; Refusal::REASONS.len()],
    journal_full: Counter,
    shutting_down: Counter,
    not_allowed: Counter,
    connections: Counter,
    tls: Counter,
    /// Refused so far, to tell the operator in words when it doubles.
    refused_ever: AtomicU64,
    /// Datagrams dropped by the kernel.
    pub udp_dropped: Counter,
    /// Numbers skipped.
    pub sequence_gaps: Counter,
    /// Of these, come later.
    pub sequence_late: Counter,
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tally({} received, {} refused)", self.received, self.refused.iter().sum::<u64>())
    }
}

impl Counters {
    /// The counters of the listener of that name.
    pub fn new(listener: &str) -> Counters {
        let refused = |reason: &'static str| counter!("callrated_records_refused_total", "listener" => listener.to_owned(), "reason" => reason);
        let away = |reason: &'static str| counter!("callrated_senders_refused_total", "listener" => listener.to_owned(), "reason" => reason);
        Counters {
            listener: listener.to_owned(),
            // The two that nobody has to name are shown before their first record.
            received: RwLock::new(["json", "csv"].map(|format| (format.to_owned(), received(listener, format))).into()),
            skipped: Skip::ALL.map(|skip| {
                counter!("callrated_records_skipped_total", "listener" => listener.to_owned(), "reason" => skip.reason())
            }),
            refused: Refusal::REASONS.map(refused),
            journal_full: refused(NotTaken::JournalFull.reason()),
            shutting_down: refused(NotTaken::ShuttingDown.reason()),
            not_allowed: away("not_allowed"),
            connections: away("connections"),
            tls: away("tls"),
            refused_ever: AtomicU64::new(0),
            udp_dropped: counter!("callrated_udp_dropped_total", "listener" => listener.to_owned()),
            sequence_gaps: counter!("callrated_udp_sequence_gaps_total"),
            sequence_late: counter!("callrated_udp_sequence_late_total"),
        }
    }

    /// Adds what a batch counted.
    pub fn publish(&self, format: &str, tally: &Tally) {
        if tally.received > 0 {
            self.received(format, tally.received);
        }
        for (counter, count) in self.skipped.iter().zip(tally.skipped) {
            if count > 0 {
                counter.increment(count);
            }
        }
        for (counter, count) in self.refused.iter().zip(tally.refused) {
            if count > 0 {
                counter.increment(count);
            }
        }
    }

    fn received(&self, format: &str, count: u64) {
        let known = |formats: &[(String, Counter)]| {
            formats.iter().find(|(name, _)| name == format).map(|(_, counter)| counter.increment(count)).is_some()
        };
        if known(&self.received.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut formats = self.received.write().unwrap_or_else(PoisonError::into_inner);
        if !known(&formats) {
            let counter = received(&self.listener, format);
            counter.increment(count);
            formats.push((format.to_owned(), counter));
        }
    }

    /// Notes refused records for the log; gives their number so far whenever it has passed another power of two, so that a
    /// sender who is always wrong is mentioned often at first and seldom later, without a clock.
    pub fn worth_a_word(&self, refused: u64) -> Option<u64> {
        let before = self.refused_ever.fetch_add(refused, Ordering::Relaxed);
        let now = before + refused;
        (refused > 0 && (before == 0 || now.ilog2() > before.ilog2())).then_some(now)
    }

    /// Counts records that were good but not taken.
    pub fn not_taken(&self, why: NotTaken, records: u64) {
        match why {
            NotTaken::JournalFull => self.journal_full.increment(records),
            NotTaken::ShuttingDown => self.shutting_down.increment(records),
        }
    }

    /// Counts somebody who was turned away.
    pub fn turned_away(&self, why: TurnedAway) {
        match why {
            TurnedAway::NotAllowed => self.not_allowed.increment(1),
            TurnedAway::Connections => self.connections.increment(1),
            TurnedAway::Tls => self.tls.increment(1),
        }
    }
}

fn received(listener: &str, format: &str) -> Counter {
    counter!("callrated_records_received_total", "listener" => listener.to_owned(), "format" => format.to_owned())
}

/// What one batch counted.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    /// Records received, good or bad.
    pub received: u64,
    /// Refused, by [`Refusal::index`].
    pub refused: [u64; Refusal::REASONS.len()],
    /// Skipped, in the order of [`Skip::ALL`].
    pub skipped: [u64; Skip::ALL.len()],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_said_whenever_refusals_double() {
        let counters = Counters::new("test");
        let said: Vec<_> = [0, 1, 1, 1, 1, 3, 1, 90, 1].map(|n| counters.worth_a_word(n)).into();
        assert_eq!(said, [None, Some(1), Some(2), None, Some(4), None, Some(8), Some(98), None]);
    }
}
