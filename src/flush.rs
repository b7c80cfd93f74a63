//! The flush: collects what every part gathered up to a marker, and holds it until the store says yes.
//!
//! One plain thread. A marker's parts come from the resolver and from each shard; when all are there, the books are
//! added up and checked, and one transaction writes rows, state and position.
//!
//! **While the store is away** it is asked again with growing, jittered pauses, and everything else goes on: records are
//! journalled, rated, added up and answered for. The flushes wait in their order, [`HELD_BYTES_MAX`] of them in memory
//! and the rest packed into files (`spill`), so that an outage costs disk and no memory. When the store is back it gets
//! them one by one, each with its position, as it would have without the outage.
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

use crossbeam::channel::{RecvTimeoutError, TryRecvError};

use crate::batch::Position;
use crate::books::{Books, Share};
use crate::call::Basis;
use crate::images::Images;
use crate::os::clock::Clock;
use crate::resolver::Gathered;
use crate::road::{Inbox, Marker, Road, Step};
use crate::shard::ShardPart;
use crate::store::{self, Store, StoreError, Unreadable};
use crate::tariff::{PlanId, RowId};

mod asking;
mod held;
mod metrics;
mod rows;
mod spill;
#[cfg(test)]
mod tests;

pub use metrics::describe;
pub use spill::{Aside, Spill, SpillError};

use asking::Retry;
use held::{Body, Gathering, Held};
use metrics::FlushMetrics;

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

/// Bytes of flushes that wait for the store in memory; beyond them they are put aside. Some 100,000 calls: enough that a
/// store that is busy for a moment costs no detour over the disk.
pub const HELD_BYTES_MAX: u64 = 64 << 20;
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
}

/// The thread's parts.
pub struct Flush {
    inbox: Inbox<Part>,
    shards: usize,
    store: Arc<dyn Store>,
    images: Arc<Images>,
    road: Road,
    /// Times the transactions and the pauses between refusals.
    clock: Clock,
    /// As they stand behind everything that was taken.
    books: Books,
    /// Position the store has.
    stored: Position,
    /// Position of the last flush that was taken.
    taken: Position,
    /// Digests of the tariffs by slot, to say in words what decided a call.
    tariffs: Vec<String>,
    /// Flushes whose parts are not all there.
    open: BTreeMap<u64, Open>,
    /// Flushes that the store does not have yet, oldest first.
    held: VecDeque<Held>,
    spill: Spill,
    retry: Retry,
    /// The latest flush that was taken, for those who wait for it: its number, and the records up to it.
    latest: (u64, u64),
    /// The spill refuses, which was said.
    spill_refuses: bool,
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
            images,
            road,
            clock,
            books: state.books,
            stored: state.position,
            taken: state.position,
            tariffs: state.tariffs,
            open: BTreeMap::new(),
            held: VecDeque::new(),
            spill: state.spill,
            retry: Retry::default(),
            latest: (0, 0),
            spill_refuses: false,
            metrics,
        }
    }

    /// Runs until every part hung up, and what waits is stored or the store refuses it.
    ///
    /// # Errors
    /// The store refuses for good, or what was put aside cannot be read back.
    pub fn run(mut self) -> Result<(), FlushError> {
        loop {
            let part = match self.wait() {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(pause) => self.inbox.recv_timeout(pause),
            };
            match part {
                Ok(part) => self.take(part),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.finish(),
            }
            if self.wait().is_some_and(|pause| pause.is_zero()) {
                self.store_next()?;
            }
            self.relieve()?;
        }
    }

    /// Takes a part, if there is one, and asks the store once, if a flush waits for it; never waits, not even between two
    /// refusals.
    ///
    /// # Errors
    /// As [`Flush::run`]: after one it must not be asked again.
    pub fn step(&mut self) -> Result<Step, FlushError> {
        let nothing = match self.inbox.try_recv() {
            Ok(part) => {
                self.take(part);
                None
            }
            Err(TryRecvError::Empty) => Some(Step::Idle),
            Err(TryRecvError::Disconnected) => Some(Step::Ended),
        };
        if self.held.is_empty() {
            return Ok(nothing.unwrap_or(Step::Moved));
        }
        self.store_next()?;
        self.relieve()?;
        Ok(Step::Moved)
    }

    /// How long to wait for the next part before the store is asked again; none: nothing waits for the store.
    fn wait(&self) -> Option<Duration> {
        self.held.front().map(|_| self.retry.left(&self.clock))
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
        self.tariffs.extend(gathered.tariffs.iter().map(|t| t.activation.digest.clone()));
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
        self.held.push_back(Held { number, from, upto, at, records, covered, calls, replies, body });
        self.show();
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

    /// What decided a call, in words, from the image it names.
    fn describe(&self, basis: &Basis) -> store::BasisText {
        let Some(digest) = self.tariffs.get(usize::from(basis.tariff.0)) else { return store::BasisText::default() };
        // The image is mapped already: it was used to rate the call.
        let Ok(tariff) = self.images.tariff(digest) else { return store::BasisText::default() };
        let mut text = store::BasisText {
            tariff: digest.clone(),
            plan: tariff.plan(PlanId(basis.plan)).name.clone(),
            ..store::BasisText::default()
        };
        if let Some(row) = basis.row {
            let row = tariff.row(RowId(row));
            text.deck = row.deck.to_owned();
            text.prefix = row.prefix.to_string();
            text.destination = row.destination.to_owned();
        }
        text
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
}
