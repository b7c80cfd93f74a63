//! One simulated world: the parts of the road in one thread, moved by a seeded scheduler, on a disk and a store that fail
//! as the seed has it, through several lives of the process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use callrated::batch::{Batch, Position};
use callrated::daemon::parts::Parts;
use callrated::daemon::recover::{self, Ground, Recovered};
use callrated::exit::Exit;
use callrated::flush::HELD_BYTES_MAX;
use callrated::identity;
use callrated::ingest::{Delivery, Durable, NotTaken};
use callrated::journal;
use callrated::os::clock::Clock;
use callrated::os::disk::Disk;
use callrated::os::sim::{self, SimDisk};
use callrated::road::Step;
use callrated::sequencer::{Control, SequencerSettings};
use callrated::store::faulty::{self, FaultyStore};
use callrated::store::sqlite::SqliteStore;
use callrated::store::{Store, SuspensePage, Visit};
use callrated::time::{Micros, Timestamp};
use tokio::sync::oneshot;

use super::audit::{Auditor, Meant, ensure};
use super::model::NOVEMBER;
use super::plain_store::PlainStore;
use super::random::Random;
use super::rates::SHELF;
use super::traffic::{self, Traffic};

const FOLDER: &str = "/data";
const IDENTITY: &str = "/data/identity/identities.log";
/// Queues deep enough that no part ever waits for another, since one thread moves them all: a move puts one thing at most
/// into each, and a life has fewer moves.
const DEPTH: usize = 512;
/// Room of the identity index at first, so small that it grows in most worlds.
const INDEX_START: usize = 32;
/// A part that has not come to rest after so many steps never will.
const STEPS_MAX: usize = 200_000;
/// One world in so many has the real SQLite store.
const SQLITE_ONE_IN: u64 = 24;

/// What happened in a world; adds up over many.
#[derive(Clone, Copy, Debug, Default)]
pub struct Happened {
    pub records: u64,
    pub crashes: u64,
    pub kills: u64,
    pub stops: u64,
    pub deaths: u64,
    pub disk_faults: u64,
    pub full: u64,
    pub rot: u64,
    pub index_lost: u64,
    pub store_refused: u64,
    pub store_lost_after: u64,
    pub store_away: u64,
    pub duplicates: u64,
    pub conflicts: u64,
    pub retries_void: u64,
    pub replays: u64,
    pub audits: u64,
    pub parts: u64,
    pub unfinished: u64,
    pub store_hangs: u64,
    pub put_aside: u64,
    pub index_grown: u64,
}

impl Happened {
    pub fn add(&mut self, other: &Happened) {
        let Happened { records, crashes, kills, stops, deaths, disk_faults, full, rot, index_lost, .. } = other;
        self.records += records;
        self.crashes += crashes;
        self.kills += kills;
        self.stops += stops;
        self.deaths += deaths;
        self.disk_faults += disk_faults;
        self.full += full;
        self.rot += rot;
        self.index_lost += index_lost;
        self.store_refused += other.store_refused;
        self.store_lost_after += other.store_lost_after;
        self.store_away += other.store_away;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.retries_void += other.retries_void;
        self.replays += other.replays;
        self.audits += other.audits;
        self.parts += other.parts;
        self.unfinished += other.unfinished;
        self.store_hangs += other.store_hangs;
        self.put_aside += other.put_aside;
        self.index_grown += other.index_grown;
    }
}

/// The store of a world, which outlives the process.
enum Backing {
    Plain(Arc<FaultyStore<PlainStore>>),
    /// A file; opened anew in every life.
    Sqlite {
        folder: tempfile::TempDir,
        open: Option<Arc<FaultyStore<SqliteStore>>>,
        faults: faulty::Faults,
    },
}

impl Backing {
    fn open(&mut self, seed: u64) -> Result<Arc<dyn Store>, String> {
        match self {
            Backing::Plain(store) => Ok(store.clone()),
            Backing::Sqlite { folder, open, faults } => {
                *open = None;
                let store = SqliteStore::open(&folder.path().join("store.sqlite")).map_err(|e| e.to_string())?;
                let store = Arc::new(FaultyStore::new(store, seed, *faults));
                *open = Some(store.clone());
                Ok(store)
            }
        }
    }

    /// Without its faults, for the auditor.
    fn honest(&self) -> &dyn Store {
        match self {
            Backing::Plain(store) => store.inner(),
            Backing::Sqlite { open, .. } => open.as_ref().expect("opened").inner(),
        }
    }

    fn position(&self) -> Result<Position, String> {
        match self {
            Backing::Plain(store) => Ok(store.inner().position()),
            Backing::Sqlite { .. } => Ok(self.honest().load().map_err(|e| e.to_string())?.position),
        }
    }

    fn set_away(&self, away: bool) {
        match self {
            Backing::Plain(store) => store.set_away(away),
            Backing::Sqlite { open, .. } => open.iter().for_each(|store| store.set_away(away)),
        }
    }

    fn played(&self) -> faulty::Played {
        match self {
            Backing::Plain(store) => store.played(),
            Backing::Sqlite { open, .. } => open.as_ref().map(|store| store.played()).unwrap_or_default(),
        }
    }
}

/// A batch on its way; a sender keeps its bytes to send them again.
struct Sending {
    batch: usize,
    answer: oneshot::Receiver<Durable>,
}

/// A byte that rotted: file, place, the bit that turned, what the byte is now.
type Rot = (PathBuf, u64, u8, u8);

/// How likely each move is, drawn anew for every life: some lives have a slow store, some a fast sender.
struct Weights([u64; MOVES]);

const MOVES: usize = 13;
const SEND: usize = 0;
const AGAIN: usize = 1;
const FRONT: usize = 2;
const RESOLVER: usize = 3;
const SHARDS: usize = 4;
const FLUSH: usize = 5;
const CLOCK: usize = 6;
const TIMER: usize = 7;
const RELOAD: usize = 8;
const RETRY: usize = 9;
const DISK: usize = 10;
const STORE: usize = 11;
const TICK: usize = 12;

impl Weights {
    fn new(random: &mut Random) -> Weights {
        let mut weights = [8, 1, 12, 12, 16, 10, 4, 3, 1, 1, 1, 1, 1];
        for weight in &mut weights {
            *weight *= [1, 2, 4, 8][random.below(4) as usize];
        }
        Weights(weights)
    }

    fn choose(&self, random: &mut Random) -> usize {
        let mut at = random.below(self.0.iter().sum());
        for (one, weight) in self.0.iter().enumerate() {
            if at < *weight {
                return one;
            }
            at -= weight;
        }
        0
    }
}

/// The road while a process lives.
struct Life {
    parts: Parts,
    replaying: bool,
}

/// One seed's world.
pub struct World {
    random: Random,
    disk: SimDisk,
    store: Backing,
    clock: Clock,
    auditor: Auditor,
    traffic: Traffic,
    /// What each batch is made of, to send it again.
    batches: Vec<Batch>,
    sendings: Vec<Sending>,
    flushes: Vec<oneshot::Receiver<Position>>,
    life: Option<Life>,
    segment_bytes: u64,
    keep_micros: i64,
    flush_calls: u64,
    /// Most bytes of flushes in memory; the others are put aside.
    in_memory: u64,
    /// Identities of a full generation of the index.
    generation: usize,
    /// The store has been asked, and does not answer.
    hangs: bool,
    /// A fault of the disk that may end the process is armed, or its room is short.
    armed: bool,
    tight: bool,
    /// An older copy of the identity log.
    old_index: Option<Vec<u8>>,
    lives: u64,
    pub happened: Happened,
}

/// Plays a world to its end.
pub fn play(seed: u64) -> Result<Happened, String> {
    let mut world = World::new(seed)?;
    let told = world.run().map_err(|fault| format!("in life {} of the process: {fault}", world.lives));
    told.map(|()| world.happened)
}

impl World {
    fn new(seed: u64) -> Result<World, String> {
        let mut random = Random::new(seed ^ 0x00ca_11ed_0000_0000);
        let disk = SimDisk::new(random.next());
        disk.set_faults(sim::Faults { short_writes: random.once_in(2) });
        let some = |random: &mut Random| if random.once_in(2) { random.below(150) } else { 0 };
        let faults = faulty::Faults {
            busy: some(&mut random),
            full: some(&mut random),
            lost_before: some(&mut random),
            lost_after: some(&mut random),
            // A slow store is one whose thread is seldom moved.
            slow: 0,
            delay: Duration::ZERO,
        };
        let store = if random.once_in(SQLITE_ONE_IN) {
            Backing::Sqlite { folder: memory_folder()?, open: None, faults }
        } else {
            Backing::Plain(Arc::new(FaultyStore::new(PlainStore::default(), random.next(), faults)))
        };
        Ok(World {
            disk,
            store,
            clock: Clock::fake(Timestamp(NOVEMBER - 2 * 3_600_000_000)),
            auditor: Auditor::default(),
            traffic: Traffic::default(),
            batches: Vec::new(),
            sendings: Vec::new(),
            flushes: Vec::new(),
            life: None,
            segment_bytes: random.pick(&[2048, 8192, 32_768]),
            keep_micros: random.pick(&[0, 600_000_000, i64::MAX / 4]),
            flush_calls: random.pick(&[5, 30, 1_000_000]),
            in_memory: random.pick(&[0, 10_000, HELD_BYTES_MAX]),
            generation: random.pick(&[INDEX_START, 4 * INDEX_START, 1 << 20]),
            hangs: false,
            armed: false,
            tight: false,
            old_index: None,
            lives: 0,
            happened: Happened::default(),
            random,
        })
    }

    fn run(&mut self) -> Result<(), String> {
        let lives = 2 + self.random.below(5);
        for _ in 0..lives {
            self.lives += 1;
            self.start(false)?;
            let weights = Weights::new(&mut self.random);
            let moves = 20 + self.random.below(260);
            let mut alive = true;
            for _ in 0..moves {
                alive = self.one_move(&weights)?;
                if !alive {
                    break;
                }
            }
            self.end(alive)?;
        }
        // The last life is calm: everything comes to rest, and everything is stored.
        self.lives += 1;
        self.calm();
        self.start(true)?;
        ensure!(self.stop()?, "a calm process died");
        self.rest()?;
        self.auditor.sendings_agree()?;
        self.again()?;
        let books = &self.auditor.model().books;
        self.happened.duplicates = books.get("records/duplicate").map_or(0, |n| *n as u64);
        self.happened.conflicts = books.get("records/conflict").map_or(0, |n| *n as u64);
        self.happened.retries_void = self.auditor.model().void;
        self.happened.parts = self.auditor.model().assembled.len() as u64;
        self.happened.unfinished = books.get("records/suspended/unfinished").map_or(0, |n| *n as u64);
        self.happened.records = self.auditor.records();
        self.happened.audits = self.auditor.audits;
        Ok(())
    }

    // ------------------------------------------------------------------------------------------- start and end of a life

    /// Starts a process, as often as it takes, and audits what it recovered.
    fn start(&mut self, calm: bool) -> Result<(), String> {
        let shards = 1 + self.random.below(4) as usize;
        let (mut rotten, mut sound_index) = (None, None);
        if !calm {
            self.tamper_with_index();
            sound_index = self.disk.contents(Path::new(IDENTITY));
            rotten = self.rot();
        }
        for attempt in 0.. {
            ensure!(attempt < 20, "the process does not start");
            if !calm && attempt < 3 && self.random.once_in(5) {
                self.arm();
            }
            let away = !calm && attempt < 3 && self.random.once_in(12);
            let store = self.store.open(self.random.next())?;
            self.store.set_away(away);
            let recovered = recover::recover_from(self.ground(store, shards, self.disk.clone()));
            self.store.set_away(false);
            match recovered {
                Ok(recovered) => {
                    if let Some(rot) = rotten.take() {
                        self.mend_rot(rot);
                    }
                    return self.begin(recovered);
                }
                Err(exit) if exit.code == 4 => {
                    let Some((path, offset, mask, _)) = rotten.take() else {
                        return Err(format!("sound data is refused: {exit}"));
                    };
                    self.happened.rot += 1;
                    if !self.disk.rot(&path, offset, mask)
                        && let Some(sound) = sound_index.take()
                    {
                        // The end of an index that does not check is cut off, since it may be torn; a backup has it.
                        self.disk.put(Path::new(IDENTITY), &sound);
                    }
                }
                Err(exit) => {
                    ensure!(away || self.armed || self.tight, "the start fails for no reason: {exit}");
                    self.happened.deaths += 1;
                    self.happened.store_away += u64::from(away);
                    if self.random.once_in(2) {
                        self.disk.kill()
                    } else {
                        self.disk.crash()
                    }
                    self.mend_disk();
                }
            }
        }
        Ok(())
    }

    fn ground(&self, store: Arc<dyn Store>, shards: usize, disk: SimDisk) -> Ground {
        Ground {
            disk: Arc::new(disk),
            folder: PathBuf::from(FOLDER),
            store,
            images: SHELF.images.clone(),
            journal: journal::Settings { segment_bytes: self.segment_bytes, ..journal::Settings::default() },
            // Grown at once, by no second thread.
            identity: identity::Settings {
                start_entries: INDEX_START,
                generation_entries: self.generation,
                helper: false,
                ..identity::Settings::default()
            },
            shards,
            set_aside: Vec::new(),
            in_memory: self.in_memory,
        }
    }

    fn begin(&mut self, recovered: Recovered) -> Result<(), String> {
        self.happened.index_grown += u64::from(recovered.identity.len() as usize > INDEX_START);
        let journal = recovered.journal.reader();
        self.auditor.nothing_lost(&journal)?;
        self.auditor.follow(&journal)?;
        self.auditor.audit(self.store.honest())?;
        let settings =
            SequencerSettings { flush_calls: self.flush_calls, keep_micros: self.keep_micros, max_delay_micros: 0 };
        let parts = Parts::join(recovered, settings, &self.clock, DEPTH);
        self.life = Some(Life { parts, replaying: true });
        Ok(())
    }

    /// Ends a life in one of the ways in which lives end.
    fn end(&mut self, alive: bool) -> Result<(), String> {
        let stopped = alive && self.random.once_in(4) && self.stop()?;
        self.happened.stops += u64::from(stopped);
        self.happened.deaths += u64::from(!alive);
        self.gone();
        if self.random.once_in(4) {
            self.disk.kill();
            self.happened.kills += 1;
        } else {
            self.disk.crash();
            self.happened.crashes += 1;
        }
        self.mend_disk();
        self.store.set_away(false);
        self.hangs = false;
        Ok(())
    }

    /// The process is gone: nobody answers any more.
    fn gone(&mut self) {
        let played = self.store.played();
        if matches!(self.store, Backing::Sqlite { .. }) {
            self.happened.store_refused += played.refused;
            self.happened.store_lost_after += played.lost_after;
        } else {
            self.happened.store_refused = played.refused;
            self.happened.store_lost_after = played.lost_after;
        }
        self.life = None;
        self.sendings.clear();
        self.flushes.clear();
    }

    /// A stop as it should be. False if the process died of a fault on the way.
    fn stop(&mut self) -> Result<bool, String> {
        self.store.set_away(false);
        self.hangs = false;
        for _ in 0..STEPS_MAX {
            match self.front()? {
                Some(Step::Moved) => {}
                Some(Step::Idle) => break,
                Some(Step::Ended) => return Err("the sequencer ended before it was told to".into()),
                None => return Ok(false),
            }
            if !self.behind()? {
                return Ok(false);
            }
        }
        let Some(life) = &mut self.life else { return Ok(false) };
        ensure!(!life.replaying, "the replay does not end");
        life.parts.road.try_send(Control::Stop).map_err(|e| e.to_string())?;
        let ended = self.front()?;
        ensure!(matches!(ended, Some(Step::Ended) | None), "the sequencer goes on after the stop: {ended:?}");
        let Some(life) = &mut self.life else { return Ok(false) };
        if ended.is_none() {
            return Ok(false);
        }
        if let Err(error) = life.parts.sequencer.finish() {
            return self.died(recover::journal_exit(error)).map(|()| false);
        }
        self.answers()?;
        self.store.set_away(false);
        for _ in 0..STEPS_MAX {
            let before = self.rest_of();
            if !self.behind()? {
                return Ok(false);
            }
            if before == 0 && self.rest_of() == 0 {
                break;
            }
        }
        let (position, end) = (self.store.position()?, self.auditor.end());
        ensure!(position.0 == end, "after a stop the store stands at {position}, the journal ends at {end}");
        Ok(true)
    }

    /// Flushes that are under way.
    fn rest_of(&self) -> u64 {
        use Ordering::Relaxed;
        let Some(life) = &self.life else { return 0 };
        let progress = life.parts.road.progress();
        progress.markers_sent.load(Relaxed) - progress.markers_stored.load(Relaxed)
    }

    /// After the last stop: the store is what the model has, and so it is after one more start.
    fn rest(&mut self) -> Result<(), String> {
        self.gone();
        self.disk.crash();
        self.start(true)?;
        let (position, end) = (self.store.position()?, self.auditor.end());
        ensure!(position.0 == end, "the last flush is not stored: {position} of {end}");
        self.gone();
        Ok(())
    }

    /// The whole journal, replayed into an empty store and an empty index, gives the same rows.
    fn again(&mut self) -> Result<(), String> {
        let kept = self.disk.list(Path::new("/data/journal")).map_err(|e| e.to_string())?;
        // It takes as long as everything before, so not every world does it.
        let whole = kept.iter().any(|name| name.starts_with("00000000000000000000"));
        if !whole || !self.random.once_in(3) {
            return Ok(());
        }
        let disk = self.disk.copy(self.random.next());
        disk.remove(Path::new(IDENTITY)).map_err(|e| e.to_string())?;
        let store = Arc::new(FaultyStore::new(PlainStore::default(), 0, faulty::Faults::default()));
        let mut before = std::mem::replace(&mut self.store, Backing::Plain(store.clone()));
        let shards = 1 + self.random.below(4) as usize;
        let recovered = recover::recover_from(self.ground(store.clone(), shards, disk)).map_err(|e| e.to_string())?;
        let settings =
            SequencerSettings { flush_calls: self.flush_calls, keep_micros: i64::MAX / 4, max_delay_micros: 0 };
        let parts = Parts::join(recovered, settings, &self.clock, DEPTH);
        self.life = Some(Life { parts, replaying: true });
        ensure!(self.stop()?, "the replay died");
        self.life = None;
        std::mem::swap(&mut self.store, &mut before);
        self.happened.replays += 1;
        let (ours, again) = (self.store.honest(), store.inner());
        let (left, right) = (told(ours)?, told(again)?);
        let differ = left.iter().zip(&right).find(|(left, right)| left != right);
        ensure!(left == right, "a replay of the whole journal gives other rows: {differ:#?}");
        Ok(())
    }

    // ------------------------------------------------------------------------------------------------------------- moves

    /// One move of the scheduler's choice. False if the process died of a fault that was asked for.
    fn one_move(&mut self, weights: &Weights) -> Result<bool, String> {
        match weights.choose(&mut self.random) {
            SEND => self.send_new(),
            AGAIN => self.send_again(),
            FRONT => return Ok(self.front()?.is_some()),
            RESOLVER => return self.resolver(),
            SHARDS => self.shards(),
            FLUSH => return self.flush(),
            CLOCK => self.set_clock(),
            TIMER => self.ask_for_flush()?,
            RELOAD => self.reload(),
            RETRY => self.retry()?,
            DISK => self.trouble_disk(),
            STORE => {
                let away = self.random.once_in(3);
                self.happened.store_away += u64::from(away);
                self.store.set_away(away);
                self.hangs = self.random.once_in(4);
                self.happened.store_hangs += u64::from(self.hangs);
            }
            TICK => self.tick(),
            _ => {}
        }
        Ok(true)
    }

    /// The replay, and after it the sequencer. None if the process died.
    fn front(&mut self) -> Result<Option<Step>, String> {
        let Some(life) = &mut self.life else { return Ok(None) };
        if life.replaying {
            return match life.parts.replay.step(&mut life.parts.known) {
                Ok(Step::Ended) => {
                    life.replaying = false;
                    Ok(Some(Step::Moved))
                }
                // The parts behind are behind: that is no rest.
                Ok(_) => Ok(Some(Step::Moved)),
                Err(exit) => self.died(exit).map(|()| None),
            };
        }
        let stepped = life.parts.sequencer.step();
        self.answers()?;
        match stepped {
            Ok(step) => Ok(Some(step)),
            Err(error) => self.died(recover::journal_exit(error)).map(|()| None),
        }
    }

    fn resolver(&mut self) -> Result<bool, String> {
        let Some(life) = &mut self.life else { return Ok(false) };
        match life.parts.resolver.step() {
            Ok(_) => Ok(true),
            Err(error) => self.died(recover::resolver_exit(error)).map(|()| false),
        }
    }

    fn shards(&mut self) {
        let Some(life) = &mut self.life else { return };
        let at = self.random.below(life.parts.shards.len() as u64) as usize;
        life.parts.shards[at].step();
    }

    fn flush(&mut self) -> Result<bool, String> {
        let Some(life) = &mut self.life else { return Ok(false) };
        let flush = &mut life.parts.flush;
        if let Err(error) = if self.hangs { flush.step_unanswered() } else { flush.step() } {
            // No fault of the world makes a store refuse for good.
            return Err(format!("the flush gave up: {error}"));
        }
        let aside = life.parts.road.progress().spilled_bytes.load(Ordering::Relaxed);
        self.happened.put_aside += u64::from(aside > 0);
        for mut flush in std::mem::take(&mut self.flushes) {
            match flush.try_recv() {
                Ok(upto) => {
                    let position = self.store.position()?;
                    ensure!(position >= upto, "flushed up to {upto}, but the store is at {position}")
                }
                Err(oneshot::error::TryRecvError::Empty) => self.flushes.push(flush),
                Err(oneshot::error::TryRecvError::Closed) => {}
            }
        }
        Ok(true)
    }

    /// Everything behind the sequencer, until it rests. False if the process died.
    fn behind(&mut self) -> Result<bool, String> {
        if !self.resolver()? {
            return Ok(false);
        }
        self.shards();
        self.flush()
    }

    fn set_clock(&mut self) {
        let by = match self.random.below(16) {
            // Somebody set the clock.
            0 => -(self.random.below(7_200_000_000) as i64),
            1 => self.random.below(10_800_000_000) as i64,
            _ => self.random.below(60_000_000) as i64,
        };
        self.clock.advance(Micros(by));
    }

    fn ask_for_flush(&mut self) -> Result<(), String> {
        let Some(life) = &mut self.life else { return Ok(()) };
        let reply = self.random.once_in(3).then(|| {
            let (reply, answer) = oneshot::channel();
            self.flushes.push(answer);
            reply
        });
        life.parts.road.try_send(Control::Flush(reply)).map_err(|e| e.to_string())
    }

    // ----------------------------------------------------------------------------------------------------------- traffic

    fn send_new(&mut self) {
        let now = self.clock.now().0;
        let (batch, meant) = if self.auditor.end() == 0 {
            if !self.sendings.is_empty() {
                return;
            }
            traffic::beginning(now)
        } else {
            self.traffic.batch(&mut self.random, now, 6)
        };
        self.send(batch, meant);
    }

    fn send(&mut self, mut batch: Batch, meant: Meant) {
        batch.close();
        let at = self.auditor.meant(meant, &batch.clone().into_bytes());
        if at == self.batches.len() {
            self.batches.push(batch);
        }
        self.hand_over(at);
    }

    /// A sender that has no answer, or did not believe it, sends the same once more.
    fn send_again(&mut self) {
        if !self.batches.is_empty() && self.auditor.end() > 0 {
            let back = self.random.below(8).min(self.batches.len() as u64 - 1) as usize;
            self.hand_over(self.batches.len() - 1 - back);
        }
    }

    fn hand_over(&mut self, at: usize) {
        let Some(life) = &mut self.life else { return };
        let batch = self.batches[at].clone();
        let (reply, answer) = oneshot::channel();
        let sent = if batch.received > 0 {
            // A full outbox makes the door wait; this one goes away.
            life.parts
                .outbox
                .depth()
                .upgrade()
                .unwrap()
                .try_send(Delivery { batch, reply: Some(reply), patient: false })
                .is_ok()
        } else {
            life.parts.road.try_send(Control::Enter(batch, reply)).is_ok()
        };
        if sent {
            self.auditor.sent(at);
            self.sendings.push(Sending { batch: at, answer });
        }
    }

    /// Takes the answers that have come. The ledger is brought up to date first: an answer never comes before its frame.
    fn answers(&mut self) -> Result<(), String> {
        let Some(life) = &self.life else { return Ok(()) };
        self.auditor.follow(&life.parts.journal)?;
        for mut sending in std::mem::take(&mut self.sendings) {
            match sending.answer.try_recv() {
                Ok(Ok(end)) => self.auditor.acknowledged(sending.batch, end.0)?,
                Ok(Err(NotTaken::JournalFull)) => {
                    ensure!(self.tight, "a batch is refused for want of room, and there is room");
                    self.auditor.refused(sending.batch);
                    self.happened.full += 1;
                }
                // Shutting down: the sender cannot know.
                Ok(Err(NotTaken::ShuttingDown)) | Err(oneshot::error::TryRecvError::Closed) => {}
                Err(oneshot::error::TryRecvError::Empty) => self.sendings.push(sending),
            }
        }
        Ok(())
    }

    fn reload(&mut self) {
        if self.auditor.end() > 0 {
            let (batch, meant) = traffic::change(&mut self.random, self.clock.now().0);
            self.send(batch, meant);
        }
    }

    fn tick(&mut self) {
        if self.auditor.end() > 0 {
            let (batch, meant) = traffic::tick(self.clock.now().0);
            self.send(batch, meant);
        }
    }

    /// An operator tries again what the store has in suspense, perhaps all of it, perhaps what was tried just now.
    fn retry(&mut self) -> Result<(), String> {
        let store = self.store.honest();
        let mut positions = Vec::new();
        let all = SuspensePage { reason: None, after: None, limit: 1_000_000 };
        let listed = store.suspense(all, &mut |item| {
            positions.push(item.key.position);
            Visit::Continue(())
        });
        listed.map_err(|e| e.to_string())?;
        positions.dedup();
        let mut items = Vec::new();
        for position in positions {
            if self.random.once_in(3) {
                items.extend(store.suspense_of(position).map_err(|e| e.to_string())?);
            }
        }
        items.truncate(12);
        if !items.is_empty() {
            let (batch, meant) = traffic::retries(&items);
            self.send(batch, meant);
        }
        Ok(())
    }

    // ------------------------------------------------------------------------------------------------------------ faults

    /// The process died. That is fine if the world gave a reason.
    fn died(&mut self, exit: Exit) -> Result<(), String> {
        ensure!(exit.code == 3 && (self.armed || self.tight), "the process died for no reason: {exit}");
        Ok(())
    }

    fn arm(&mut self) {
        self.armed = true;
        self.happened.disk_faults += 1;
        if self.random.once_in(2) {
            self.disk.fail_sync_after(self.random.below(8));
        } else {
            self.disk.fail_write_after(self.random.below(12));
        }
    }

    fn trouble_disk(&mut self) {
        match self.random.below(4) {
            0 => self.arm(),
            1 => {
                self.tight = true;
                self.disk.set_capacity(1 << 40);
                let free = self.disk.free_space(Path::new(FOLDER)).unwrap_or(0);
                let used = (1 << 40) - free.min(1 << 40);
                self.disk.set_capacity(used + self.random.below(2 * self.segment_bytes));
            }
            2 => self.disk.set_capacity(1 << 40),
            _ => self.old_index = self.disk.contents(Path::new(IDENTITY)),
        }
    }

    /// Somebody made room and changed the cable.
    fn mend_disk(&mut self) {
        self.armed = false;
        self.tight = false;
        self.disk.set_capacity(1 << 40);
    }

    /// From now on nothing fails.
    fn calm(&mut self) {
        self.mend_disk();
        self.disk.set_faults(sim::Faults::default());
        self.store.set_away(false);
    }

    /// The index is lost, or is an older one from a backup: it stands behind the flush. Only where the journal still
    /// holds everything, for else nobody could build it again.
    fn tamper_with_index(&mut self) {
        // Segments go before their time where the disk is short.
        let kept = self.disk.list(Path::new("/data/journal")).unwrap_or_default();
        let whole = kept.iter().any(|name| name == "00000000000000000000.seg");
        if !whole || !self.random.once_in(6) {
            return;
        }
        let path = Path::new(IDENTITY);
        match (self.old_index.take(), self.random.once_in(2)) {
            (Some(old), true) => self.disk.put(path, &old),
            _ if self.disk.remove(path).is_ok() => {
                let _ = self.disk.sync_dir(Path::new("/data/identity"));
            }
            _ => return,
        }
        self.happened.index_lost += 1;
    }

    /// The start did not need the byte that rotted. It is mended where it still stands, since the auditor reads more than
    /// a start does.
    fn mend_rot(&mut self, (path, offset, mask, rotten): Rot) {
        let now = self.disk.contents(&path).and_then(|bytes| bytes.get(offset as usize).copied());
        if now == Some(rotten) {
            self.disk.rot(&path, offset, mask);
        }
    }

    /// One bit of a file turns.
    fn rot(&mut self) -> Option<Rot> {
        if !self.random.once_in(8) {
            return None;
        }
        let mut files: Vec<PathBuf> = vec![PathBuf::from(IDENTITY)];
        let folder = Path::new("/data/journal");
        files.extend(self.disk.list(folder).ok()?.into_iter().map(|name| folder.join(name)));
        let path = files[self.random.below(files.len() as u64) as usize].clone();
        let bytes = self.disk.contents(&path)?;
        // Where something is written; the room behind is zeros.
        let written = bytes.iter().rposition(|byte| *byte != 0)? as u64 + 1;
        let (offset, mask) = (self.random.below(written), 1 << self.random.below(8));
        let rotten = bytes[offset as usize] ^ mask;
        // A byte that rots to zero could not be told from one that was cut off.
        (rotten != 0 && self.disk.rot(&path, offset, mask)).then_some((path, offset, mask, rotten))
    }
}

/// A folder in memory where the system has one: the real store is to be tested here, not the real disk.
pub fn memory_folder() -> Result<tempfile::TempDir, String> {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.map_err(|e| e.to_string())
}

/// Everything that a store holds and a replay must give again, as text. Keys are given in the journal's order, so they
/// are the same too.
fn told(store: &dyn Store) -> Result<Vec<String>, String> {
    let state = store.load().map_err(|e| e.to_string())?;
    let mut lines = Vec::new();
    let scanned = store.scan(None, callrated::store::ScanOrder::Stored, &mut |stored| {
        let (node, id) = (String::from_utf8_lossy(stored.node), String::from_utf8_lossy(stored.id));
        lines.push(format!("{:?} {node} {id}", stored.call));
        Visit::Continue(())
    });
    scanned.map_err(|e| e.to_string())?;
    lines.extend(state.usage.iter().map(|line| format!("{line:?}")));
    lines.extend(state.allowances.iter().map(|line| format!("{line:?}")));
    lines.extend(state.retried.iter().map(|one| format!("{one:?}")));
    lines.extend(state.open_calls.iter().map(|call| format!("{call:?}")));
    lines.extend(state.books.iter().filter(|(_, value)| *value != 0).map(|book| format!("{book:?}")));
    let assembled = store.assembled(Position(0), usize::MAX).map_err(|e| e.to_string())?;
    lines.extend(assembled.iter().map(|call| format!("{call:?}")));
    lines.sort_unstable();
    lines.push(format!("{:?} {:?} {:?}", state.position, state.accounts, state.groups));
    Ok(lines)
}
