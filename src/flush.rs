//! The flush: collects what every part gathered up to a marker, and holds it until the store says yes.
//!
//! One plain thread. A marker's parts come from the resolver and from each shard; when all are there, the books are
//! added up and checked, and one transaction writes rows, state and position. A store that refuses is asked again with
//! growing pauses; what waits meanwhile is held, and the sequencer bounds it.
//!
//! Does not know SQL, sockets, or how a price came about.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::{Receiver, TryRecvError};

use crate::batch::Position;
use crate::books::{Books, Share, Unbalanced};
use crate::call::Basis;
use crate::images::Images;
use crate::os::clock::Clock;
use crate::resolver::Gathered;
use crate::road::{Marker, Road, Step};
use crate::sequencer::Control;
use crate::shard::ShardPart;
use crate::store::{self, FlushBatch, Store, StoreError};
use crate::tariff::{PlanId, RowId};

mod metrics;
mod rows;

pub use metrics::describe;

use metrics::FlushMetrics;
use rows::Rows;

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

/// First pause after a refusal, and the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LONGEST: Duration = Duration::from_secs(10);

/// Why flushing ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum FlushError {
    /// The store refuses for a reason that waiting does not mend.
    #[error(transparent)]
    Store(StoreError),
}

/// The thread's parts.
pub struct Flush {
    inbox: Receiver<Part>,
    shards: usize,
    store: Arc<dyn Store>,
    images: Arc<Images>,
    road: Road,
    /// Times the transactions.
    clock: Clock,
    books: Books,
    /// Position the store has.
    stored: Position,
    /// Digests of the tariffs by slot, to say in words what decided a call.
    tariffs: Vec<String>,
    /// Flushes whose parts are not all there.
    open: BTreeMap<u64, Open>,
    /// The flush that is the store's next, complete and counted.
    due: Option<Due>,
    metrics: FlushMetrics,
}

#[derive(Default)]
struct Open {
    resolver: Option<(Marker, Box<Gathered>, Share)>,
    shards: Vec<(Box<ShardPart>, Share)>,
}

/// A flush whose parts are all there and stand in the books.
struct Due {
    marker: Marker,
    gathered: Box<Gathered>,
    shards: Vec<(Box<ShardPart>, Share)>,
    faults: Vec<Unbalanced>,
    /// How long to wait after the next refusal.
    pause: Duration,
}

impl Flush {
    /// Puts the parts together.
    pub fn new(
        inbox: Receiver<Part>,
        shards: usize,
        store: Arc<dyn Store>,
        images: Arc<Images>,
        road: Road,
        clock: Clock,
        state: FlushState,
    ) -> Flush {
        Flush {
            inbox,
            shards,
            store,
            images,
            road,
            clock,
            books: state.books,
            stored: state.position,
            tariffs: state.tariffs,
            open: BTreeMap::new(),
            due: None,
            metrics: FlushMetrics::default(),
        }
    }

    /// Runs until every part hung up.
    pub fn run(mut self) -> Result<(), FlushError> {
        self.metrics.books(&self.books, &[]);
        while let Ok(part) = self.inbox.recv() {
            self.take(part);
            while let Some(pause) = self.store_due()? {
                std::thread::sleep(pause);
            }
        }
        Ok(())
    }

    /// Asks the store once more if a flush waits for it, else takes one part, if there is one; never waits.
    ///
    /// # Errors
    /// As [`Flush::run`]: after one it must not be asked again.
    pub fn step(&mut self) -> Result<Step, FlushError> {
        if self.due.is_none() {
            match self.inbox.try_recv() {
                Ok(part) => self.take(part),
                Err(TryRecvError::Empty) => return Ok(Step::Idle),
                Err(TryRecvError::Disconnected) => return Ok(Step::Ended),
            }
        }
        self.store_due()?;
        Ok(Step::Moved)
    }

    /// Puts a part to the others of its flush; the last one makes the flush due.
    fn take(&mut self, part: Part) {
        let number = match &part {
            Part::Resolver(marker, ..) => marker.number,
            Part::Shard { number, .. } => *number,
        };
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
        self.books.add(&share);
        for (_, share) in &shards {
            self.books.add(share);
        }
        let faults = self.books.check();
        for fault in &faults {
            tracing::error!("the books do not balance at position {}: {fault}", marker.upto);
        }
        self.tariffs.extend(gathered.tariffs.iter().map(|t| t.activation.digest.clone()));
        self.due = Some(Due { marker, gathered, shards, faults, pause: PAUSE_FIRST });
    }

    /// Writes the flush that is due, if there is one. Where the store is away it stays due, and the answer is how long
    /// to wait.
    fn store_due(&mut self) -> Result<Option<Duration>, FlushError> {
        let Some(mut due) = self.due.take() else { return Ok(None) };
        let moved = due.marker.upto != self.stored;
        if moved && !self.write(&due)? {
            let pause = due.pause;
            due.pause = (pause * 2).min(PAUSE_LONGEST);
            self.due = Some(due);
            return Ok(Some(pause));
        }
        let Due { marker, faults, .. } = due;
        self.stored = marker.upto;
        self.metrics.books(&self.books, &faults);
        let progress = self.road.progress();
        progress.stored.store(marker.upto.0, Ordering::Release);
        progress.records_stored.fetch_max(marker.records, Ordering::Relaxed);
        progress.markers_stored.store(marker.number, Ordering::Release);
        for reply in marker.replies {
            let _ = reply.send(marker.upto);
        }
        if moved {
            // The sequencer may be waiting for room, or gone at the end: either way trimming can wait.
            let _ = self.road.try_send(Control::Trim(marker.upto));
        }
        Ok(None)
    }

    /// One transaction; false if the store is away.
    fn write(&self, due: &Due) -> Result<bool, FlushError> {
        let rows = Rows::new(&due.gathered, &due.shards);
        let books: Vec<(&str, i128)> = self.books.iter().collect();
        let batch = FlushBatch {
            from: self.stored,
            upto: due.marker.upto,
            at: due.marker.at,
            accounts: &rows.accounts,
            groups: &rows.groups,
            tariffs: &rows.tariffs,
            directories: &rows.directories,
            sources: &rows.sources,
            calls: &rows.calls,
            describe: &|basis| self.describe(basis),
            usage: &rows.usage,
            allowances: &rows.allowances,
            suspended: &rows.suspended,
            released: &rows.released,
            retried: &rows.retried,
            conflicts: &rows.conflicts,
            assembled: &rows.assembled,
            open_calls: &rows.open_calls,
            books: &books,
        };
        self.metrics.pending(batch.calls.len());
        let begun = self.clock.running();
        match self.store.flush(&batch) {
            Ok(_) => {
                self.road.progress().store_away.store(false, Ordering::Relaxed);
                self.metrics.done(self.clock.since(begun));
                Ok(true)
            }
            Err(error) if error.is_retryable() => {
                self.road.progress().store_away.store(true, Ordering::Relaxed);
                self.metrics.failed();
                tracing::warn!("the store is away, {} calls wait: {error}", batch.calls.len());
                Ok(false)
            }
            Err(error) => Err(FlushError::Store(error)),
        }
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
#[derive(Debug, Default)]
pub struct FlushState {
    /// Position the store has.
    pub position: Position,
    /// Its books.
    pub books: Books,
    /// Digests of the tariffs by slot.
    pub tariffs: Vec<String>,
}
