//! An hour without a store, scaled down in time: the road itself, moved step by step in this process, with a store that
//! refuses. Memory stays flat, live usage exact; when the store is back everything lands once.
//!
//! Prints what a call takes on disk meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use callrated::batch::{Batch, EntryKind, SourceId};
use callrated::daemon::parts::Parts;
use callrated::daemon::recover::{self, Ground};
use callrated::entry::{Activation, SourceProfile};
use callrated::images::Images;
use callrated::os::clock::Clock;
use callrated::os::disk::{Disk, RealDisk};
use callrated::os::sim::SimDisk;
use callrated::rates::RatesFolder;
use callrated::record::Record;
use callrated::road::Step;
use callrated::sequencer::{Control, SequencerSettings};
use callrated::store::Store;
use callrated::store::faulty::{Faults, FaultyStore};
use callrated::store::sqlite::SqliteStore;
use callrated::time::{Micros, Period, Timestamp};

use super::daemon::Place;

const FLUSH_CALLS: u64 = 2_000;
const IN_MEMORY: u64 = 64 << 20;
const BATCH: usize = 500;

struct World {
    parts: Parts,
    store: Arc<FaultyStore<SqliteStore>>,
    runtime: tokio::runtime::Runtime,
    clock: Clock,
    sent: usize,
    held_most: u64,
}

impl World {
    fn new(folder: &Path, disk: Arc<dyn Disk>, data: &Path) -> World {
        let store =
            Arc::new(FaultyStore::new(SqliteStore::open(&folder.join("store.db")).unwrap(), 1, Faults::default()));
        let images = Arc::new(Images::open(&folder.join("images")).unwrap());
        let rates = RatesFolder::read(&folder.join("rates")).unwrap().compile().unwrap();
        let tariff = images.keep_tariff(&rates.tariff.image).unwrap().digest().to_owned();
        let directory = images.keep_directory(&rates.directory).unwrap().digest().to_owned();
        let ground = Ground {
            disk,
            folder: data.to_owned(),
            store: store.clone(),
            images,
            journal: callrated::journal::Settings { segment_bytes: 4 << 20, ..Default::default() },
            identity: callrated::identity::Settings::default(),
            shards: 2,
            set_aside: Vec::new(),
            in_memory: IN_MEMORY,
        };
        let clock = Clock::fake(Timestamp(1_791_190_800_000_000));
        let settings = SequencerSettings { flush_calls: FLUSH_CALLS, keep_micros: i64::MAX / 4, max_delay_micros: 0 };
        let recovered = recover::recover_from(ground).map_err(|exit| exit.message).unwrap();
        let parts = Parts::join(recovered, settings, &clock, 4096);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut world = World { parts, store, runtime, clock, sent: 0, held_most: 0 };
        loop {
            match world.parts.replay.step(&mut world.parts.known).map_err(|exit| exit.message).unwrap() {
                Step::Moved => {}
                Step::Idle => {
                    world.behind();
                }
                Step::Ended => break,
            }
        }
        world.moved();
        if world.parts.known.tariff.is_none() {
            let mut batch = Batch::new(SourceId(0));
            let profile = SourceProfile { listener: "test".to_owned(), max_age_days: 90, ..SourceProfile::default() };
            batch.push_entry(EntryKind::Source, &serde_json::to_vec(&profile).unwrap());
            for (kind, digest) in [(EntryKind::Tariff, tariff), (EntryKind::Directory, directory)] {
                let by = "test".to_owned();
                let activation = Activation { digest, effective_from: None, activated_at: 0, by };
                batch.push_entry(kind, &serde_json::to_vec(&activation).unwrap());
            }
            let (reply, mut answer) = tokio::sync::oneshot::channel();
            world.parts.road.try_send(Control::Enter(batch, reply)).unwrap();
            world.moved();
            answer.try_recv().unwrap().unwrap();
        }
        world
    }

    /// Moves every part until none has anything to do but to ask the store again.
    fn moved(&mut self) {
        loop {
            let moved = self.parts.sequencer.step().unwrap() == Step::Moved;
            if !(self.behind() || moved) {
                return;
            }
        }
    }

    /// The same for the parts behind the sequencer; whether any of them did anything.
    fn behind(&mut self) -> bool {
        let mut ever = false;
        loop {
            let mut moved = false;
            while self.parts.resolver.step().map_err(|e| e.to_string()).unwrap() == Step::Moved {
                moved = true;
            }
            for shard in &mut self.parts.shards {
                while shard.step() == Step::Moved {
                    moved = true;
                }
            }
            ever |= moved;
            if !moved {
                self.flush();
                return ever;
            }
        }
    }

    /// Moves the flush until its inbox is empty and the store has refused, or has everything.
    fn flush(&mut self) {
        for _ in 0..4 {
            self.parts.flush.step().map_err(|e| e.to_string()).unwrap();
        }
        let held = self.parts.road.progress().held_bytes.load(Ordering::Relaxed);
        self.held_most = self.held_most.max(held);
    }

    /// Sends a batch of one-minute calls, which must become durable.
    fn send(&mut self, count: usize) {
        let mut batch = Batch::new(SourceId(0));
        for _ in 0..count {
            let raw = super::record(&format!("call-{}", self.sent), super::CALLER, "2026-10-05T09:00:00Z", 1);
            let id = format!("call-{}", self.sent);
            self.sent += 1;
            batch.push_record(&Record {
                id: id.as_bytes(),
                node: b"sbc",
                source: super::CALLER.as_bytes(),
                destination: b"00442079460123",
                answer: Some(Timestamp(1_791_190_800_000_000)),
                duration: Some(Micros(60_000_000)),
                raw: raw.as_bytes(),
                ..Record::default()
            });
        }
        let pending = self.runtime.block_on(self.parts.outbox.send(batch)).unwrap();
        self.moved();
        self.runtime.block_on(pending.durable()).unwrap();
    }

    /// Live calls of the account.
    fn live(&mut self) -> i64 {
        let (reply, mut answers) = tokio::sync::mpsc::unbounded_channel();
        let period = Period(2026 * 12 + 9);
        let question = callrated::road::Question::Usage { account: "a".to_owned(), period, reply };
        self.parts.road.try_send(Control::Ask(question)).unwrap();
        self.moved();
        let mut calls = 0;
        while let Ok(Some(live)) = answers.try_recv() {
            calls += live.lines.iter().map(|line| line.usage.calls).sum::<i64>();
        }
        calls
    }

    fn stored(&self) -> u64 {
        let mut calls = 0;
        self.store.inner().flushes(None, usize::MAX >> 1).unwrap().iter().for_each(|flush| calls += flush.calls);
        calls
    }

    /// Moves until the store has everything that was sent.
    fn settle(&mut self) {
        self.parts.road.try_send(Control::Flush(None)).unwrap();
        for _ in 0..100_000 {
            self.clock.advance(Micros(10_000_000));
            self.moved();
            if self.stored() == self.sent as u64 {
                return;
            }
        }
        panic!("{} of {} calls are stored", self.stored(), self.sent);
    }
}

#[test]
fn an_outage_costs_disk_and_no_memory_and_everything_lands_once() {
    let calls = std::env::var("CALLRATED_OUTAGE_CALLS").ok().map_or(300_000, |n| n.parse().unwrap());
    let place = Place::new("0.25");
    let data = place.path("data");
    let mut world = World::new(place.folder.path(), Arc::new(RealDisk), &data);
    world.send(BATCH);
    world.settle();

    world.store.set_away(true);
    let journal = world.parts.road.progress().durable.load(Ordering::Relaxed);
    while world.sent < calls + BATCH {
        world.send(FLUSH_CALLS as usize);
        if world.sent % 50_000 < FLUSH_CALLS as usize {
            // Whoever asks is told the truth, whatever the store has.
            assert_eq!(world.live(), world.sent as i64);
        }
        let progress = world.parts.road.progress();
        assert!(!progress.road_full.load(Ordering::Relaxed), "the doors stay open");
    }
    assert_eq!(world.stored(), BATCH as u64);
    // The flush that has just come is counted before it is put aside.
    let one = IN_MEMORY / 4;
    assert!(world.held_most <= IN_MEMORY + one, "{} bytes were held", world.held_most);
    let progress = world.parts.road.progress();
    let spilled = progress.spilled_bytes.load(Ordering::Relaxed);
    let held = progress.held_bytes.load(Ordering::Relaxed);
    assert!(held <= IN_MEMORY && spilled > 0, "{held} held, {spilled} put aside");
    let files: Vec<u64> =
        std::fs::read_dir(data.join("spill")).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).collect();
    assert_eq!(files.iter().sum::<u64>(), spilled);
    // All flushes are alike, so those that were put aside tell what a call takes there.
    println!(
        "{calls} calls without a store: {} bytes of journal and {} of spill a call; {} MiB of memory held",
        (progress.durable.load(Ordering::Relaxed) - journal) / calls as u64,
        spilled / (files.len() as u64 * FLUSH_CALLS),
        held >> 20
    );

    world.store.set_away(false);
    world.settle();
    assert_eq!(world.live(), world.sent as i64);
    assert_eq!(std::fs::read_dir(data.join("spill")).unwrap().count(), 0);
    let state = world.store.inner().load().unwrap();
    let usage: Vec<_> = state.usage.iter().map(|line| (line.usage.calls, line.usage.cost)).collect();
    // 0.25 a call, in nano-units.
    assert_eq!(usage, [(world.sent as i64, world.sent as i128 * 250_000_000)]);
    let balanced = callrated::books::Books::from_stored(state.books.iter().cloned()).check();
    assert!(balanced.is_empty(), "{balanced:?}");
}

#[test]
fn what_was_put_aside_is_made_again_from_the_journal_after_a_crash() {
    let place = Place::new("0.25");
    let data = place.path("data");
    let mut world = World::new(place.folder.path(), Arc::new(RealDisk), &data);
    world.store.set_away(true);
    while world.parts.road.progress().spilled_bytes.load(Ordering::Relaxed) == 0 {
        world.send(FLUSH_CALLS as usize);
    }
    let sent = world.sent;
    // The process ends here: no goodbye, and its files may hold anything.
    drop(world);
    for file in std::fs::read_dir(data.join("spill")).unwrap() {
        std::fs::write(file.unwrap().path(), "not what was written").unwrap();
    }
    let mut world = World::new(place.folder.path(), Arc::new(RealDisk), &data);
    world.sent = sent;
    world.settle();
    assert_eq!(world.live(), sent as i64);
}

#[test]
fn an_index_without_room_waits_and_the_journal_keeps_its_records() {
    let place = Place::new("0.25");
    let disk = SimDisk::new(3);
    let data = Path::new("/data");
    let mut world = World::new(place.folder.path(), Arc::new(disk.clone()), data);
    world.send(BATCH);
    world.settle();
    let used = (1u64 << 40) - disk.free_space(data).unwrap();
    // The journal has its segment; nothing else has room for anything.
    disk.set_capacity(used);
    for _ in 0..4 {
        world.send(BATCH);
    }
    world.settle();
    let progress = world.parts.road.progress();
    assert!(progress.index_behind.load(Ordering::Relaxed));
    let (may_go, stored) = (progress.may_go.load(Ordering::Relaxed), progress.stored.load(Ordering::Relaxed));
    assert!(may_go < stored, "the journal keeps what the index has only in memory");
    let sent = world.sent;
    drop(world);
    // Power off: what the index had in memory is gone, and is made again from the journal.
    disk.crash();
    disk.set_capacity(1 << 40);
    let mut world = World::new(place.folder.path(), Arc::new(disk), data);
    // Everything comes again, and once more with something new: all but that is recognised.
    for _ in 0..sent / BATCH {
        world.send(BATCH);
    }
    assert_eq!((world.sent, world.live()), (sent, sent as i64));
    world.send(BATCH);
    world.settle();
    assert!(!world.parts.road.progress().index_behind.load(Ordering::Relaxed));
    assert_eq!(world.live(), world.sent as i64);
}
