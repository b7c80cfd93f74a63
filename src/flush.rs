//! The flush: collects what every part gathered up to a marker, and holds it until the store says yes.
//!
//! Two plain threads. A marker's parts come from the resolver and from each shard; when all are there, the books are
//! added up and checked, and the second thread (`writer`) asks the store to write rows, state and position in one
//! transaction. It does nothing else, so that a store that never answers holds up nobody but the one who asked it.
//!
//! **While the store is away** it is asked again with growing, jittered pauses, and everything else goes on: records are
//! journalled, rated, added up and answered for. The flushes wait in their order, [`HELD_BYTES_MAX`] of them in memory
//! and the rest packed into files (`spill`), so that an outage costs disk and no memory. When the store is back it gets
//! them one by one, each with its position, as it would have without the outage. The same goes for a store that hangs in
//! the middle of a transaction: after [`HANGS_AFTER`] it counts as away, until it answers after all.
//!
//! **A store that is well, but slower than what comes**, makes those wait who can: over a quarter of that memory streams and
//! folders are read no faster than it takes their calls (`ingest::brake`).
//!
//! Why rated rows are put aside, and not rated again from the journal: live usage must stay exact during the outage, so
//! the shards go on drawing allowances; to rate the same records again from the stored position would take a second set
//! of shards at that position, and twice the work just when there is most of it. The packed rows take about half of what
//! the journal takes for the same calls.
//!
//! Does not know SQL, sockets, or how a price came about.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::TryRecvError;

use crate::batch::Position;
use crate::books::{Books, Share};
use crate::images::Images;
use crate::money::Money;
use crate::os::clock::Clock;
use crate::resolver::Gathered;
use crate::road::{Came, Inbox, Marker, Road, Step};
use crate::shard::ShardPart;
use crate::store::{Store, StoreError, Unreadable};
use crate::time::Micros;

mod asking;
mod held;
mod margins;
mod metrics;
mod rows;
mod spill;
#[cfg(test)]
mod tests;
mod words;
mod writer;

pub use asking::HANGS_AFTER;
pub use metrics::describe;
pub use spill::{Aside, Spill, SpillError};

use asking::Retry;
use held::{Body, Content, Gathering, Held};
use margins::Margins;
use metrics::FlushMetrics;
use words::Words;
use writer::Writer;

/// One part's answer to a marker.
pub enum Part {
    /// The resolver's, with the marker itself.
    Resolver(Marker, Box<Gathered>, Share),
    /// A shard's.
    Shard {
        /// Which flush.
        number: u64,
        /// Its position.
        upto: Position,
        /// What it gathered.
        part: Box<ShardPart>,
        /// Its part of the books.
        share: Share,
    },
}

/// Bytes of flushes that wait for the store in memory, if nothing else is set; beyond them they are put aside. Some 400,000
/// calls: a quarter makes senders wait that can, and what is on the road by then has room in the rest.
pub const HELD_BYTES_MAX: u64 = 256 << 20;

/// Why flushing ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum FlushError {
    /// The store refuses for a reason that waiting does not mend.
    #[error(transparent)]
    Store(StoreError),
    /// What was put aside is gone; the journal has all of it.
    #[error("{0}; nothing is lost: the next start makes it again from the journal")]
    Spill(#[from] SpillError),
    /// The same, found a step later.
    #[error("{0}; nothing is lost: the next start makes it again from the journal")]
    Unreadable(#[from] Unreadable),
    /// The thread that asks the store.
    #[error("the thread that writes into the store cannot be started: {0}")]
    Thread(std::io::Error),
}

/// The thread's parts.
pub struct Flush {
    inbox: Inbox<Part>,
    shards: usize,
    store: Arc<dyn Store>,
    road: Road,
    /// Times the transactions and the pauses between refusals.
    clock: Clock,
    /// As they stand behind everything that was taken.
    books: Books,
    /// Position the store has.
    stored: Position,
    /// Position of the last flush that was taken.
    taken: Position,
    /// Says in words what decided a call.
    words: Words,
    /// Flushes whose parts are not all there.
    open: BTreeMap<u64, Open>,
    /// Flushes that the store does not have yet, oldest first.
    held: VecDeque<Held>,
    /// Since when the store is asked to take the oldest of them, by [`Clock::running`]; none: it is not.
    asked: Option<Micros>,
    spill: Spill,
    /// Most bytes that wait in memory.
    in_memory: u64,
    retry: Retry,
    /// The latest flush that was taken, for those who wait for it: its number, and the records up to it.
    latest: (u64, u64),
    /// The spill refuses, which was said.
    spill_refuses: bool,
    margins: Margins,
    metrics: FlushMetrics,
}

#[derive(Default)]
struct Open {
    resolver: Option<(Marker, Box<Gathered>, Share)>,
    shards: Vec<(Box<ShardPart>, Share)>,
}

impl Flush {
    /// Puts the parts together.
    pub fn new(
        inbox: Inbox<Part>,
        shards: usize,
        store: Arc<dyn Store>,
        images: Arc<Images>,
        road: Road,
        clock: Clock,
        state: FlushState,
    ) -> Flush {
        let metrics = FlushMetrics::default();
        metrics.books(&state.books, &state.books.check());
        Flush {
            inbox,
            shards,
            store,
            road,
            clock,
            books: state.books,
            stored: state.position,
            taken: state.position,
            words: Words::new(images, state.tariffs),
            open: BTreeMap::new(),
            held: VecDeque::new(),
            asked: None,
            spill: state.spill,
            in_memory: state.in_memory,
            retry: Retry::default(),
            latest: (0, 0),
            margins: Margins::new(state.least_margin),
            spill_refuses: false,
            metrics,
        }
    }

    /// Runs until every part hung up, and what waits is stored or the store refuses it.
    ///
    /// # Errors
    /// The store refuses for good, or what was put aside cannot be read back.
    pub fn run(mut self) -> Result<(), FlushError> {
        let writer = Writer::start(self.store.clone())?;
        loop {
            if self.is_due() {
                self.ask(&writer);
            }
            match self.inbox.recv_beside(writer.answers(), self.patience()) {
                Came::Own(part) => self.take(part),
                Came::Other(answer) => self.answered(answer)?,
                Came::Nothing => {}
                Came::Ended => return self.finish(writer),
            }
            self.watch();
            self.relieve()?;
        }
    }

    /// Takes a part, if there is one, and asks the store once, if a flush waits for it; never waits, not even between two
    /// refusals.
    ///
    /// # Errors
    /// As [`Flush::run`]: after one it must not be asked again.
    pub fn step(&mut self) -> Result<Step, FlushError> {
        let taken = self.take_one();
        let Some(oldest) = self.held.front() else { return Ok(taken) };
        self.answered(writer::ask(self.store.as_ref(), &oldest.content, &self.words))?;
        self.relieve()?;
        Ok(Step::Moved)
    }

    /// The same with a store that has been asked and does not answer: the next [`Flush::step`] brings its answer.
    ///
    /// # Errors
    /// As [`Flush::run`].
    pub fn step_unanswered(&mut self) -> Result<Step, FlushError> {
        let taken = self.take_one();
        if !self.held.is_empty() {
            self.asked.get_or_insert(self.clock.running());
        }
        self.watch();
        self.relieve()?;
        Ok(taken)
    }

    fn take_one(&mut self) -> Step {
        match self.inbox.try_recv() {
            Ok(part) => {
                self.take(part);
                Step::Moved
            }
            Err(TryRecvError::Empty) => Step::Idle,
            Err(TryRecvError::Disconnected) => Step::Ended,
        }
    }

    /// Whether the store is to be asked now.
    fn is_due(&self) -> bool {
        self.asked.is_none() && !self.held.is_empty() && self.retry.left(&self.clock).is_zero()
    }

    /// How long to wait for the next part or answer; none: for ever.
    fn patience(&self) -> Option<Duration> {
        match self.asked {
            Some(since) => self.until_it_hangs(since),
            None => self.held.front().map(|_| self.retry.left(&self.clock)),
        }
    }

    /// Puts a part to the others of its flush; the last one completes it.
    fn take(&mut self, part: Part) {
        let number = held::number_of(&part);
        let open = self.open.entry(number).or_default();
        match part {
            Part::Resolver(marker, gathered, share) => open.resolver = Some((marker, gathered, share)),
            Part::Shard { part, share, .. } => open.shards.push((part, share)),
        }
        if open.resolver.is_none() || open.shards.len() < self.shards {
            return;
        }
        // Markers walk in order, so the one completed is the oldest.
        let Some(Open { resolver: Some((marker, gathered, share)), shards }) = self.open.remove(&number) else {
            return;
        };
        self.complete(marker, gathered, share, shards);
    }

    /// A flush whose parts are all there: into the books, and to those that wait for the store.
    fn complete(
        &mut self,
        marker: Marker,
        gathered: Box<Gathered>,
        share: Share,
        shards: Vec<(Box<ShardPart>, Share)>,
    ) {
        self.books.add(&share);
        for (_, share) in &shards {
            self.books.add(share);
        }
        let faults = self.books.check();
        for fault in &faults {
            tracing::error!("the books do not balance at position {}: {fault}", marker.upto);
        }
        self.metrics.books(&self.books, &faults);
        self.words.learn(gathered.tariffs.iter().map(|t| t.activation.digest.clone()));
        self.margins.look(&shards, &self.words);
        self.latest = (marker.number, marker.records);
        let Marker { number, upto, records, at, replies } = marker;
        let (from, covered) = (self.taken, gathered.covered);
        if from == upto {
            // Nothing new: who waits, waits for the last one.
            match self.held.back_mut() {
                Some(last) => {
                    last.replies.extend(replies);
                    (last.number, last.records, last.covered) = (number, records, covered);
                }
                None => self.settled(number, upto, records, covered, replies),
            }
            return;
        }
        self.taken = upto;
        let calls = shards.iter().map(|(part, _)| part.rows.len() as u64).sum();
        let body = Body::Memory(Box::new(Gathering::new(gathered, shards, self.books.clone())));
        let content = Arc::new(Content { from, upto, at, body });
        self.held.push_back(Held { number, records, covered, calls, replies, content });
    }

    fn calls_held(&self) -> u64 {
        self.held.iter().map(|held| held.calls).sum()
    }

    /// Shows what waits.
    fn show(&self) {
        let bytes = self.held.iter().map(Held::bytes).sum();
        self.metrics.pending(self.calls_held());
        let progress = self.road.progress();
        progress.held_bytes.store(bytes, Ordering::Relaxed);
        progress.spilled_bytes.store(self.spill.bytes(), Ordering::Relaxed);
    }
}

/// State of the flush at a position.
pub struct FlushState {
    /// Position the store has.
    pub position: Position,
    /// Its books.
    pub books: Books,
    /// Digests of the tariffs by slot.
    pub tariffs: Vec<String>,
    /// Where flushes go that do not fit into memory.
    pub spill: Spill,
    /// Most bytes of flushes that wait in memory, as [`HELD_BYTES_MAX`].
    pub in_memory: u64,
    /// Least margin in per cent, where a plan says none.
    pub least_margin: Money,
}
