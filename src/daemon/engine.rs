//! The engine: everything from the sequencer's inbox to the store, recovered and running; no doors, no answers.
//!
//! `serve` puts doors before it and answers behind it; commands that find no daemon running use it alone.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use super::parts::{Parts, ROAD_MAX, Told};
use super::recover;
use super::rerater::Rerater;
use super::retainer::{Places, Retainer};
use super::sealer::Sealer;
use crate::config::Config;
use crate::exit::Exit;
use crate::images::Images;
use crate::ingest::Outbox;
use crate::journal::JournalReader;
use crate::os::clock::Clock;
use crate::os::lock::{FolderLock, LockError};
use crate::period::Seals;
use crate::road::{Depth, Road, Step};
use crate::sequencer::{Control, SequencerSettings};
use crate::store::Store;

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
    /// What months that close are sealed by.
    pub seals: Arc<Seals>,
    /// Rates calls again.
    pub rerater: Arc<Rerater>,
    /// The clock all parts use.
    pub clock: Clock,
    /// The first reason for which a thread ended before its time.
    pub fatal: mpsc::Receiver<Exit>,
    /// What the start found and did, in one sentence each.
    pub report: Vec<String>,
    /// The latest activations, sources: what a reload compares with.
    pub known: recover::Known,
    /// What the spend guard tells at once, for whoever takes it first.
    pub told: Option<Told>,
    /// How full the queues between the parts are, by name.
    pub depths: Vec<(String, Depth)>,
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
        let (mut recovered, rest) = recover::recover(config)?;
        recovered.flush.least_margin = config.least_margin;
        let (store, images, seals) = (recovered.store.clone(), recovered.images.clone(), recovered.seals.clone());
        let mut report = std::mem::take(&mut recovered.report);
        let stored = recovered.flush.position;
        let settings = SequencerSettings {
            flush_calls: config.flush_calls,
            keep_micros: config.journal.keep.0,
            max_delay_micros: config.journal.max_delay.0,
        };
        let Parts { road, outbox, mut replay, sequencer, resolver, shards, flush, journal, mut known, told, depths } =
            Parts::join(recovered, settings, &clock, ROAD_MAX);

        let (fatal_sender, mut fatal) = mpsc::channel::<Exit>(8);
        let mut threads = Vec::new();
        // First, since everybody waits for them.
        road.progress().reading.store(rest.len(), Ordering::Relaxed);
        for rest in rest {
            let road = road.clone();
            threads.push(spawn(rest.name, &fatal_sender, move || {
                let give = (rest.read)()?;
                // Before: whoever has everything answers, and an answer counts only if all was read.
                road.progress().reading.fetch_sub(1, Ordering::AcqRel);
                give();
                Ok(())
            })?);
        }
        for (index, shard) in shards.into_iter().enumerate() {
            threads.push(spawn(&format!("shard-{index}"), &fatal_sender, move || {
                shard.run();
                Ok(())
            })?);
        }
        threads.push(spawn("flush", &fatal_sender, move || flush.run().map_err(recover::flush_exit))?);
        threads.push(spawn("resolver", &fatal_sender, move || resolver.run().map_err(recover::resolver_exit))?);

        loop {
            match replay.step(&mut known)? {
                Step::Moved => {}
                // A part that died stores nothing more: waiting for it would be for ever.
                Step::Idle => match fatal.try_recv() {
                    Ok(exit) => return Err(exit),
                    Err(_) => std::thread::sleep(Duration::from_millis(1)),
                },
                Step::Ended => break,
            }
        }
        let replayed = replay.records();
        drop(replay);
        if replayed > 0 {
            report.push(format!(
                "replayed {replayed} records after position {stored} in {:.1} s",
                clock.since(begun).as_secs_f64()
            ));
        }
        let runtime = tokio::runtime::Handle::current();
        // The sequencer stands first on the road, so it is the first to be waited for.
        threads.insert(
            0,
            spawn("sequencer", &fatal_sender, move || sequencer.run(&runtime).map_err(recover::journal_exit))?,
        );
        let rerater = Arc::new(Rerater::new(road.clone(), store.clone(), seals.clone()));
        Ok(Engine {
            road,
            outbox,
            store,
            images,
            journal,
            seals,
            rerater,
            clock,
            fatal,
            report,
            known,
            told: Some(told),
            depths,
            lock,
            threads,
        })
    }

    /// What seals months.
    pub fn sealer(&self, config: &Config) -> Result<Sealer, Exit> {
        let (road, store) = (self.road.clone(), self.store.clone());
        Sealer::new(road, store, self.seals.clone(), self.clock.clone(), config.periods).map_err(recover::store_exit)
    }

    /// What deletes, holds and erases.
    pub fn retainer(&self, config: &Config) -> Result<Retainer, Exit> {
        let places = Places { store: self.store.clone(), images: self.images.clone(), journal: self.journal.clone() };
        Retainer::new(self.road.clone(), places, self.clock.clone(), config.retention).map_err(recover::store_exit)
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
