//! The counters of a listener, as handles that are kept; plain integers are added to them once per batch.
//!
//! Does not know how metrics are exported.

use metrics::{Counter, counter, describe_counter};

use super::NotTaken;
use crate::wire::{Format, Refusal};

/// Says what the counters of this part mean; once, after the recorder is installed.
pub fn describe() {
    describe_counter!("callrated_records_received_total", "Records received by the doors, good or bad");
    describe_counter!("callrated_records_refused_total", "Records refused at the doors, by reason");
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
}

/// Kept handles of one listener.
#[derive(Debug)]
pub struct Counters {
    received: [Counter; Format::ALL.len()],
    refused: [Counter; Refusal::REASONS.len()],
    journal_full: Counter,
    shutting_down: Counter,
    not_allowed: Counter,
    connections: Counter,
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
            received: Format::ALL.map(|format| {
                counter!("callrated_records_received_total", "listener" => listener.to_owned(), "format" => format.name())
            }),
            refused: Refusal::REASONS.map(refused),
            journal_full: refused(NotTaken::JournalFull.reason()),
            shutting_down: refused(NotTaken::ShuttingDown.reason()),
            not_allowed: away("not_allowed"),
            connections: away("connections"),
            udp_dropped: counter!("callrated_udp_dropped_total", "listener" => listener.to_owned()),
            sequence_gaps: counter!("callrated_udp_sequence_gaps_total"),
            sequence_late: counter!("callrated_udp_sequence_late_total"),
        }
    }

    /// Adds what a batch counted.
    pub fn publish(&self, format: Format, tally: &Tally) {
        if let Some(received) = self.received.get(format as usize) {
            received.increment(tally.received);
        }
        for (counter, count) in self.refused.iter().zip(tally.refused) {
            if count > 0 {
                counter.increment(count);
            }
        }
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
        }
    }
}

/// What one batch counted.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    /// Records received, good or bad.
    pub received: u64,
    /// Refused, by [`Refusal::index`].
    pub refused: [u64; Refusal::REASONS.len()],
}
