//! Lines into batches: decodes, counts, and remembers what was refused for the senders who want to know.
//!
//! Does not know sockets; TCP, UDP and HTTP all come here.

use xxhash_rust::xxh3::xxh3_64;

use crate::batch::Batch;
use crate::wire::{Decoder, Line, Refusal, Scratch, Skip};

use super::counters::Tally;
use super::{BATCH_BYTES, Door};

/// A line that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefusedLine {
    /// Its number, from 1, as the sender counts.
    pub line: u64,
    /// Why.
    pub refusal: Refusal,
}

/// Gathers a batch.
#[derive(Debug)]
pub struct Collector<'d> {
    door: &'d Door,
    decoder: Decoder,
    scratch: Scratch,
    batch: Batch,
    tally: Tally,
    refused: Vec<RefusedLine>,
    sequences: Option<Vec<(NodeHash, u64)>>,
}

/// A node, as the counters of sequences know it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NodeHash(u64);

impl NodeHash {
    /// Of a node's name.
    pub fn of(node: &[u8]) -> NodeHash {
        NodeHash(xxh3_64(node))
    }
}

/// What was gathered.
#[derive(Debug)]
pub struct Gathered {
    /// For the outbox.
    pub batch: Batch,
    /// Records in it.
    pub records: u64,
    /// What was refused meanwhile.
    pub refused: Vec<RefusedLine>,
    /// Nodes' counters in the order of the records, where they were asked for.
    pub sequences: Vec<(NodeHash, u64)>,
}

impl<'d> Collector<'d> {
    /// Gathers for a door what that decoder reads.
    pub fn new(door: &'d Door, decoder: Decoder) -> Collector<'d> {
        Collector {
            door,
            decoder,
            scratch: Scratch::default(),
            batch: Batch::new(door.source),
            tally: Tally::default(),
            refused: Vec::new(),
            sequences: None,
        }
    }

    /// Also keeps the nodes' own counters, for [`Gathered::sequences`].
    pub fn with_sequences(mut self) -> Collector<'d> {
        self.sequences = Some(Vec::new());
        self
    }

    /// Takes a line.
    #[inline]
    pub fn line(&mut self, number: u64, line: &[u8]) {
        match self.decoder.decode(line, &mut self.scratch) {
            Ok(Line::Piece(piece)) => {
                self.tally.received += 1;
                self.batch.push_piece(&piece);
            }
            Ok(Line::Record(record)) => {
                self.tally.received += 1;
                self.batch.push_record(&record);
                if let (Some(sequences), Some(seq)) = (&mut self.sequences, record.seq) {
                    sequences.push((NodeHash::of(record.node), seq));
                }
            }
            Ok(Line::Skipped(skip)) => self.skip(skip),
            Ok(Line::Header | Line::Blank) => {}
            Err(refusal) => self.refuse(number, refusal),
        }
    }

    /// Takes what another decoder made of a message whose sender is told that it was taken even if it was not understood:
    /// then the message is kept for people.
    pub fn decoded(&mut self, message: &[u8], decoded: Result<Line<'_>, Refusal>) {
        match decoded {
            Ok(Line::Piece(piece)) => {
                self.tally.received += 1;
                self.batch.push_piece(&piece);
            }
            Ok(Line::Record(record)) => {
                self.tally.received += 1;
                self.batch.push_record(&record);
            }
            Ok(Line::Skipped(skip)) => self.skip(skip),
            Ok(Line::Header | Line::Blank) => {}
            Err(refusal) => {
                self.batch.push_kept_refused(&refusal.to_string(), message);
                self.count_refused(1, refusal);
            }
        }
    }

    /// Counts a line as skipped: no record of ours, so not in the books.
    fn skip(&mut self, skip: Skip) {
        if let Some(count) = self.tally.skipped.get_mut(skip as usize) {
            *count += 1;
        }
    }

    /// Counts a line as refused.
    #[cold]
    pub fn refuse(&mut self, line: u64, refusal: Refusal) {
        self.batch.push_refused();
        self.count_refused(line, refusal);
    }

    fn count_refused(&mut self, line: u64, refusal: Refusal) {
        self.tally.received += 1;
        if let Some(count) = self.tally.refused.get_mut(refusal.index()) {
            *count += 1;
        }
        self.refused.push(RefusedLine { line, refusal });
    }

    /// Whether the batch is large enough to be handed on.
    pub fn is_full(&self) -> bool {
        self.batch.len() >= BATCH_BYTES
    }

    /// The lines to come stand for themselves, as each datagram does.
    pub fn restart(&mut self) {
        self.decoder.restart();
    }

    /// Another decoder for the lines to come.
    pub fn set_decoder(&mut self, decoder: Decoder) {
        self.decoder = decoder;
    }

    /// What was gathered since the last time, if anything; its counts are published.
    pub fn take(&mut self) -> Option<Gathered> {
        self.door.counters.publish(self.decoder.format(), &std::mem::take(&mut self.tally));
        self.decoder.now(self.door.clock.now());
        if self.batch.is_empty() {
            return None;
        }
        let next = self.batch.next();
        let batch = std::mem::replace(&mut self.batch, next);
        let refused = std::mem::take(&mut self.refused);
        if let Some(first) = refused.first()
            && let Some(count) = self.door.counters.worth_a_word(refused.len() as u64)
        {
            tracing::warn!(
                listener = self.door.name, refused = count, line = first.line, latest = %first.refusal,
                "records are refused"
            );
        }
        let sequences = self.sequences.as_mut().map(std::mem::take).unwrap_or_default();
        Some(Gathered { records: u64::from(batch.entries()), batch, refused, sequences })
    }
}
