//! The road's parts, made from a recovered state and joined by their queues, not yet running.
//!
//! [`super::engine`] gives each a thread of its own; a test that plays the world moves them itself, step by step.
//!
//! Does not know threads, folders or doors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::channel::Sender;
use tokio::sync::mpsc;

use super::recover::{self, Recovered};
use crate::batch::{EntryKind, Position};
use crate::exit::Exit;
use crate::flush::Flush;
use crate::guard::Event;
use crate::ingest::{OUTBOX_MAX, Outbox};
use crate::journal::{Frames, JournalReader};
use crate::os::clock::Clock;
use crate::resolver::Resolver;
use crate::road::{Depth, Marker, Road, Step, Travel, queue};
use crate::sequencer::{Progress, Sequencer, SequencerMetrics, SequencerSettings, Space};
use crate::shard::{Outlet, Shard};

/// Questions and changes that may wait.
const CONTROLS_MAX: usize = 1024;
/// Frames between two parts of the road.
pub const ROAD_MAX: usize = 256;
/// Flushes that a replay lets be under way, so that memory stays bounded.
const FLUSHES_UNDER_WAY: u64 = 2;

/// Events of the spend guard that may wait to be told at once; more are told from the store.
const TOLD_MAX: usize = 4096;

/// Where the spend guard's events come out before they are stored.
pub struct Told {
    /// The events.
    pub events: mpsc::Receiver<Arc<Event>>,
    /// Some found no room.
    pub missed: Arc<AtomicBool>,
}

/// The parts, in the order in which a record meets them.
pub struct Parts {
    /// Questions, changes, flushes.
    pub road: Road,
    /// Where doors put their batches.
    pub outbox: Outbox,
    /// Goes before the sequencer: what the journal holds and the store does not.
    pub replay: Replay,
    /// To be moved once the replay has ended.
    pub sequencer: Sequencer,
    /// Identity, and whose call.
    pub resolver: Resolver,
    /// By number.
    pub shards: Vec<Shard>,
    /// What writes into the store.
    pub flush: Flush,
    /// The journal, for proofs.
    pub journal: JournalReader,
    /// The latest activations and listeners that the store has; the replay completes them.
    pub known: recover::Known,
    /// What the spend guard tells at once.
    pub told: Told,
    /// How full the queues between the parts are, by name.
    pub depths: Vec<(String, Depth)>,
}

impl Parts {
    /// Joins them. At most `depth` things wait between two parts; a part that gives more waits, so whoever moves them in
    /// one thread sees to it that there is room.
    pub fn join(recovered: Recovered, settings: SequencerSettings, clock: &Clock, depth: usize) -> Parts {
        let Recovered { store, images, journal, identity, seals, resolver, coming, flush, known, .. } = recovered;
        let progress = Arc::new(Progress::default());
        let (controls, controls_inbox) = mpsc::channel(CONTROLS_MAX);
        let (outbox, deliveries) = Outbox::new(OUTBOX_MAX);
        let outbox = outbox.braked_by(progress.brake.clone());
        let road = Road::new(controls, progress.clone());

        let (parts, parts_inbox) = queue(depth);
        let mut depths = vec![("parts".to_owned(), parts_inbox.depth())];
        let (outlet, told, missed) = Outlet::new(TOLD_MAX);
        let (mut inboxes, mut running) = (Vec::new(), Vec::new());
        for start in coming.shards {
            let (sender, inbox) = queue(depth);
            depths.push((format!("shard-{}", inboxes.len()), inbox.depth()));
            inboxes.push(sender);
            running.push(Shard::new(inbox, parts.clone(), clock.clone(), start).telling(outlet.clone()));
        }
        let stored = flush.position;
        let flush = Flush::new(parts_inbox, inboxes.len(), store, images.clone(), road.clone(), clock.clone(), flush);
        let (onward, road_inbox) = queue(depth);
        depths.push(("road".to_owned(), road_inbox.depth()));
        let resolver =
            Resolver::new(road_inbox, inboxes, parts, identity, images, seals, resolver).awaiting(coming.names);

        progress.durable.store(journal.durable().0, Ordering::Release);
        progress.stored.store(stored.0, Ordering::Release);
        progress.may_go.store(stored.0, Ordering::Release);
        let reader = journal.reader();
        let replay = Replay {
            frames: reader.frames_from(stored),
            onward: onward.clone(),
            progress: progress.clone(),
            flush_calls: settings.flush_calls,
            clock: clock.clone(),
            records: 0,
            unmarked: 0,
        };
        let sequencer = Sequencer {
            deliveries,
            controls: controls_inbox,
            journal,
            onward,
            clock: clock.clone(),
            progress,
            settings,
            unflushed: 0,
            marked_at: clock.running(),
            metrics: SequencerMetrics::default(),
            space: Space::default(),
        };
        Parts {
            road,
            outbox,
            replay,
            sequencer,
            resolver,
            shards: running,
            flush,
            journal: reader,
            known,
            told: Told { events: told, missed },
            depths,
        }
    }
}

/// Sends everything behind the stored position down the road, with markers between, so that memory stays bounded.
pub struct Replay {
    frames: Frames,
    onward: Sender<Travel>,
    progress: Arc<Progress>,
    flush_calls: u64,
    clock: Clock,
    records: u64,
    unmarked: u64,
}

impl Replay {
    /// Sends one frame; [`Step::Idle`] if the parts behind must flush first. `known` learns what changed.
    ///
    /// # Errors
    /// The journal is damaged, or cannot be read.
    pub fn step(&mut self, known: &mut recover::Known) -> Result<Step, Exit> {
        let sent = self.progress.markers_sent.load(Ordering::Relaxed);
        if sent - self.progress.markers_taken.load(Ordering::Acquire) > FLUSHES_UNDER_WAY {
            return Ok(Step::Idle);
        }
        let Some(frame) = self.frames.next() else { return Ok(Step::Ended) };
        let frame = frame.map_err(recover::journal_exit)?;
        let entries = u64::from(frame.head().entries.get());
        let end = frame.end();
        known.note(&frame);
        self.records += entries;
        self.unmarked += entries;
        self.progress.records_durable.fetch_add(entries, Ordering::Relaxed);
        // Whoever seals a month or rates calls again needs everything before it stored, and so what the month before it
        // handed on.
        let mut changes = frame.entries().take_while(|entry| entry.kind != EntryKind::Record as u8);
        let ends = [EntryKind::Seal, EntryKind::Sealed, EntryKind::Rerate].map(|kind| kind as u8);
        let seal = changes.any(|entry| ends.contains(&entry.kind));
        drop(changes);
        let _ = self.onward.send(Travel::Frame(frame));
        if self.unmarked >= self.flush_calls || seal {
            self.mark(end);
        }
        Ok(Step::Moved)
    }

    /// Records sent so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    fn mark(&mut self, upto: Position) {
        self.unmarked = 0;
        let number = self.progress.markers_sent.fetch_add(1, Ordering::Relaxed) + 1;
        let marker = Marker { number, upto, records: self.records, at: self.clock.now(), replies: Vec::new() };
        let _ = self.onward.send(Travel::Marker(marker));
    }
}
