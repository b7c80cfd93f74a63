//! The engine: everything from the sequencer's inbox to the store, recovered and running; no doors, no answers.
//!
//! `serve` puts doors before it and answers behind it; commands that find no daemon running use it alone.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Sender, bounded};
use tokio::sync::mpsc;

use super::recover::{self, Recovered};
use crate::batch::Position;
use crate::config::Config;
use crate::exit::Exit;
use crate::flush::Flush;
use crate::images::Images;
use crate::ingest::{OUTBOX_MAX, Outbox};
use crate::journal::JournalReader;
use crate::os::clock::Clock;
use crate::os::lock::{FolderLock, LockError};
use crate::resolver::Resolver;
use crate::road::{Marker, Road, Travel};
use crate::sequencer::{Control, Progress, Sequencer, SequencerMetrics, SequencerSettings};
use crate::shard::Shard;
use crate::store::Store;

/// Questions and changes that may wait.
const CONTROLS_MAX: usize = 1024;
/// Frames between two threads of the road.
const ROAD_MAX: usize = 256;

/// The running parts.
pub struct Engine {
    /// Questions, changes, flushes.
    pub road: Road,
    /// Where doors put their batches.
    pub outbox: Outbox,
    /// Invoice storage, for questions about what is stored.
    pub store: Arc<dyn Store>,
    /// Images by digest.
    pub images: Arc<Images>,
    /// The journal, for proofs.
    pub journal: JournalReader,
    /// The clock all parts use.
    pub clock: Clock,
    /// The first reason for which a thread ended before its time.
    pub fatal: mpsc::Receiver<Exit>,
    /// What the start found and did, in one sentence each.
    pub report: Vec<String>,
    /// The latest activations, sources: what a reload compares with.
    pub known: recover::Known,
    lock: FolderLock,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Recovers the state of a data folder and starts the threads. Must be called inside a tokio runtime.
    pub fn start(config: &Config, clock: Clock) -> Result<Engine, Exit> {
        let begun = clock.running();
        let folder = &config.data_dir;
        std::fs::create_dir_all(folder)
            .map_err(|e| Exit::environment(format!("the data folder {} cannot be made: {e}", folder.display())))?;
        let lock = FolderLock::take(&folder.join("lock")).map_err(|e: LockError| Exit::environment(e))?;
        let Recovered { store, images, journal, identity, resolver, shards, flush, mut known, mut report } =
            recover::recover(config)?;

        let progress = Arc::new(Progress::default());
        let (controls, controls_inbox) = mpsc::channel(CONTROLS_MAX);
        let (outbox, deliveries_inbox) = Outbox::new(OUTBOX_MAX);
        let road = Road::new(controls, progress.clone());
        let (fatal_sender, fatal) = mpsc::channel::<Exit>(8);
        let mut threads = Vec::new();

        let (parts, parts_inbox) = bounded(ROAD_MAX);
        let mut inboxes = Vec::new();
        for (index, state) in shards.into_iter().enumerate() {
            let (sender, inbox) = bounded(ROAD_MAX);
            inboxes.push(sender);
            let shard = Shard::new(inbox, parts.clone(), clock.clone(), state);
            threads.push(spawn(&format!("shard-{index}"), &fatal_sender, move || {
                shard.run();
                Ok(())
            })?);
        }
        let stored = flush.position;
        let flush =
            Flush::new(parts_inbox, inboxes.len(), store.clone(), images.clone(), road.clone(), clock.clone(), flush);
        threads.push(spawn("flush", &fatal_sender, move || flush.run().map_err(recover::flush_exit))?);

        let (onward, road_inbox) = bounded(ROAD_MAX);
        let resolver = Resolver::new(road_inbox, inboxes, parts, identity, images.clone(), resolver);
        threads.push(spawn("resolver", &fatal_sender, move || resolver.run().map_err(recover::resolver_exit))?);

        let reader = journal.reader();
        let replayed = replay(&reader, stored, &onward, &progress, config.flush_calls, &clock, &mut known)?;
        if replayed > 0 {
            report.push(format!(
                "replayed {replayed} records after position {stored} in {:.1} s",
                clock.since(begun).as_secs_f64()
            ));
        }
        progress.durable.store(journal.durable().0, Ordering::Release);
        progress.stored.fetch_max(stored.0, Ordering::Release);

        let sequencer = Sequencer {
            deliveries: deliveries_inbox,
            controls: controls_inbox,
            journal,
            onward,
            clock: clock.clone(),
            progress,
            settings: SequencerSettings { flush_calls: config.flush_calls, keep_micros: config.journal.keep.0 },
            unflushed: 0,
            metrics: SequencerMetrics::default(),
        };
        let runtime = tokio::runtime::Handle::current();
        // The sequencer stands first on the road, so it is the first to be waited for.
        threads.insert(
            0,
            spawn("sequencer", &fatal_sender, move || sequencer.run(&runtime).map_err(recover::journal_exit))?,
        );
        Ok(Engine { road, outbox, store, images, journal: reader, clock, fatal, report, known, lock, threads })
    }

    /// Says in the lock file where the daemon answers.
    pub fn announce(&self, address: &str) {
        if let Err(error) = self.lock.set_address(address) {
            tracing::warn!("the lock file does not say where the daemon answers: {error}");
        }
    }

    /// Finishes what was delivered, flushes, and ends every thread in the order of the road.
    pub async fn stop(self) -> Result<(), Exit> {
        let Engine { road, outbox, mut fatal, threads, lock, .. } = self;
        drop(outbox);
        // An error means the sequencer is gone already; then the threads below end by themselves.
        let _ = road.send(Control::Stop).await;
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        let _ = joined.await;
        drop(lock);
        match fatal.try_recv() {
            Ok(exit) => Err(exit),
            Err(_) => Ok(()),
        }
    }
}

/// Sends everything behind the stored position down the road, with markers between, so that memory stays bounded.
fn replay(
    reader: &JournalReader,
    from: Position,
    onward: &Sender<Travel>,
    progress: &Progress,
    flush_calls: u64,
    clock: &Clock,
    known: &mut recover::Known,
) -> Result<u64, Exit> {
    let (mut records, mut unmarked) = (0u64, 0u64);
    for frame in reader.frames_from(from) {
        let frame = frame.map_err(recover::journal_exit)?;
        let entries = u64::from(frame.head().entries.get());
        let end = frame.end();
        known.note(&frame);
        records += entries;
        unmarked += entries;
        progress.records_durable.fetch_add(entries, Ordering::Relaxed);
        let _ = onward.send(Travel::Frame(frame));
        if unmarked >= flush_calls {
            unmarked = 0;
            let number = progress.markers_sent.fetch_add(1, Ordering::Relaxed) + 1;
            let marker = Marker { number, upto: end, records, at: clock.now(), replies: Vec::new() };
            let _ = onward.send(Travel::Marker(marker));
            while number - progress.markers_stored.load(Ordering::Acquire) > 2 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
    Ok(records)
}

/// A named thread whose failure is told to whoever waits for the engine's end.
fn spawn(
    name: &str,
    fatal: &mpsc::Sender<Exit>,
    work: impl FnOnce() -> Result<(), Exit> + Send + 'static,
) -> Result<JoinHandle<()>, Exit> {
    let fatal = fatal.clone();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            if let Err(exit) = work() {
                let _ = fatal.try_send(exit);
            }
        })
        .map_err(|e| Exit::environment(format!("the thread {name} cannot be started: {e}")))
}

/// Whether somebody is at work in the data folder, and where it answers.
pub fn running(folder: &Path) -> Option<String> {
    FolderLock::holder(&folder.join("lock")).ok().flatten().map(|holder| holder.address)
}
