//! Months that close: the same records in any order, with repeats, restarts and reloads between, seal to one digest; and
//! that digest is the one that a plain list, sorted and rated from front to back, comes to.
//!
//! The road's own parts in one thread on a disk in memory and the real SQLite store, as in the other worlds, but nothing
//! fails here except the process.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callrated::audit;
use callrated::batch::{Batch, EntryKind, Position, SourceId};
use callrated::books::Books;
use callrated::call::{CallType, Chain, Meter, Pair, SuspenseReason, TariffSlot};
use callrated::daemon::parts::Parts;
use callrated::daemon::recover::{self, Ground};
use callrated::directory::Directory;
use callrated::entry::{Activation, Discard, Retry, Seal, Sealed, SourceProfile};
use callrated::explain::Archive;
use callrated::identity;
use callrated::journal;
use callrated::os::clock::Clock;
use callrated::os::disk::Disk;
use callrated::os::sim::SimDisk;
use callrated::period::Seals;
use callrated::rating::{self, Drawn, Draws, Resolution, Standing, World as Known};
use callrated::record::{Direction, Record};
use callrated::road::{Question, Step};
use callrated::sequencer::{Control, SequencerSettings};
use callrated::store::sqlite::SqliteStore;
use callrated::store::{MinimumsOf, OwnedCall, ScanOrder, Store, SuspenseItem, SuspensePage, Visit};
use callrated::tariff::Tariff;
use callrated::time::{Micros, Period, Timestamp, parse_rfc3339};
use serde_json::Value;
use tokio::sync::oneshot;

use super::random::Random;
use super::rates::{ACCOUNTS, SHELF, is_german, name, number};
use super::world::memory_folder;

mod decided;

pub const OCTOBER: Period = Period(2026 * 12 + 9);
pub const NOVEMBER: Period = Period(2026 * 12 + 10);
/// Orders in which each of the months is told.
const ORDERS: u64 = 4;
/// Months of an ordinary run; `CALLRATED_MONTHS` asks for more.
const MONTHS: u64 = 40;

fn at(text: &str) -> Timestamp {
    parse_rfc3339(text.as_bytes()).unwrap()
}

/// A record as its node would say it.
#[derive(Clone, Debug)]
pub struct Said {
    pub id: String,
    pub account: String,
    pub source: String,
    pub destination: String,
    pub direction: Option<Direction>,
    pub answer: Timestamp,
    pub duration: Micros,
}

impl Said {
    pub fn any(random: &mut Random, id: u64) -> Said {
        let account = random.below(ACCOUNTS as u64) as usize;
        let destination = match random.below(8) {
            0 => "+4420123456".to_owned(),
            1 => "+33112345678".to_owned(),
            2 => "+4990051234".to_owned(),
            3 => number(random.below(ACCOUNTS as u64) as usize),
            4 => "+43660123456".to_owned(),
            _ => "+4915123456789".to_owned(),
        };
        let start = at("2026-10-01T00:00:00Z").0;
        // Most within the month, some right at its ends, a few in the next.
        let answer = match random.below(12) {
            0 => start + random.below(3) as i64 * 1_000_000,
            1 => start + 31 * 86_400_000_000 - 1_000_000 + random.below(3) as i64 * 1_000_000,
            // Several at one instant: node, id and leg decide.
            2 | 3 => start + 86_400_000_000,
            _ => start + random.below(31 * 86_400) as i64 * 1_000_000,
        };
        Said {
            id: format!("c{id}"),
            account: if random.once_in(6) { name(account).to_owned() } else { String::new() },
            source: number(account),
            destination,
            direction: random.pick(&[None, None, None, Some(Direction::Outbound), Some(Direction::Inbound)]),
            answer: Timestamp(answer),
            duration: Micros(random.below(400_000_000) as i64),
        }
    }

    pub fn record(&self) -> Record<'_> {
        Record {
            id: self.id.as_bytes(),
            node: b"lab",
            account: self.account.as_bytes(),
            source: self.source.as_bytes(),
            destination: self.destination.as_bytes(),
            direction: self.direction,
            answer: Some(self.answer),
            duration: Some(self.duration),
            raw: self.id.as_bytes(),
            ..Record::default()
        }
    }
}

/// A process on a disk and a store that outlive it.
pub struct Folder {
    pub random: Random,
    disk: SimDisk,
    folder: tempfile::TempDir,
    pub store: Arc<SqliteStore>,
    clock: Clock,
    parts: Parts,
    pub seals: Seals,
}

impl Folder {
    pub fn new(seed: u64) -> Folder {
        let mut random = Random::new(seed);
        let disk = SimDisk::new(random.next());
        let folder = memory_folder().unwrap();
        let clock = Clock::fake(at("2026-11-02T00:00:00Z"));
        let (store, parts, seals) = Folder::start(&mut random, &disk, folder.path(), &clock);
        let mut new = Folder { random, disk, folder, store, clock, parts, seals };
        new.profile();
        new
    }

    fn start(random: &mut Random, disk: &SimDisk, folder: &Path, clock: &Clock) -> (Arc<SqliteStore>, Parts, Seals) {
        let store = Arc::new(SqliteStore::open(&folder.join("store.sqlite")).unwrap());
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let recovered = recover::recover_from(Ground {
            disk: shared.clone(),
            folder: PathBuf::from("/data"),
            store: store.clone(),
            images: SHELF.images.clone(),
            journal: journal::Settings { segment_bytes: 32_768, ..journal::Settings::default() },
            identity: identity::Settings { start_entries: 8192, ..identity::Settings::default() },
            shards: 1 + random.below(3) as usize,
            set_aside: Vec::new(),
            in_memory: callrated::flush::HELD_BYTES_MAX,
        });
        let recovered = recovered.unwrap_or_else(|exit| panic!("{exit}"));
        assert!(!recovered.report.iter().any(|said| said.contains("books")), "{:?}", recovered.report);
        let settings = SequencerSettings { flush_calls: 1_000_000, keep_micros: i64::MAX / 4, max_delay_micros: 0 };
        let parts = Parts::join(recovered, settings, clock, 4096);
        // Sorted in small runs, so that the merge is met.
        let seals = Seals::new(store.clone(), SHELF.images.clone(), shared, Path::new("/data/sealing"));
        (store, parts, seals.holding(1 + random.below(40) as usize))
    }

    /// The process ends, by a stop that loses nothing or by a crash of the machine, and starts again.
    pub fn restart(&mut self) {
        if self.random.once_in(2) {
            self.flush();
        }
        self.disk.crash();
        let (store, parts, seals) = Folder::start(&mut self.random, &self.disk, self.folder.path(), &self.clock);
        (self.store, self.parts, self.seals) = (store, parts, seals);
        while self.parts.replay.step(&mut self.parts.known).unwrap() != Step::Ended {
            self.behind();
        }
        self.pump();
    }

    fn behind(&mut self) {
        while self.parts.resolver.step().unwrap() == Step::Moved {}
        for shard in &mut self.parts.shards {
            while shard.step() == Step::Moved {}
        }
        while self.parts.flush.step().unwrap() == Step::Moved {}
    }

    fn pump(&mut self) {
        while self.parts.sequencer.step().unwrap() == Step::Moved {}
        self.behind();
        while self.parts.sequencer.step().unwrap() == Step::Moved {}
        self.behind();
    }

    pub fn enter(&mut self, batch: Batch) -> Position {
        let (reply, mut answer) = oneshot::channel();
        self.parts.road.try_send(Control::Enter(batch, reply)).unwrap();
        self.pump();
        answer.try_recv().unwrap().unwrap()
    }

    pub fn json(&mut self, kind: EntryKind, entry: &impl serde::Serialize) {
        let mut batch = Batch::new(SourceId(0));
        batch.push_entry(kind, &serde_json::to_vec(entry).unwrap());
        self.enter(batch);
    }

    fn profile(&mut self) {
        let listener = "tcp:lab".to_owned();
        let profile = SourceProfile { index: 1, listener, country: "DE".to_owned(), ..SourceProfile::default() };
        self.json(EntryKind::Source, &SourceProfile { max_age_days: 90, ..profile });
    }

    pub fn activate(&mut self, change: usize) {
        let (kind, digest, from) = change_of(change);
        let activation = Activation {
            digest: digest.to_owned(),
            effective_from: from.map(|t| t.0),
            activated_at: 0,
            by: "test".to_owned(),
        };
        self.json(kind, &activation);
    }

    pub fn flush(&mut self) {
        let (reply, _) = oneshot::channel();
        self.parts.road.try_send(Control::Flush(Some(reply))).unwrap();
        self.pump();
    }

    pub fn tell(&mut self, said: &[&Said]) {
        let mut batch = Batch::new(SourceId(1));
        said.iter().for_each(|said| batch.push_record(&said.record()));
        self.enter(batch);
    }

    /// What the spend guard told since it was asked last.
    pub fn told(&mut self) -> Vec<Arc<callrated::guard::Event>> {
        std::iter::from_fn(|| self.parts.told.events.try_recv().ok()).collect()
    }

    pub fn waiting(&mut self) -> Vec<SuspenseItem> {
        self.flush();
        let mut keys = Vec::new();
        let page = SuspensePage { reason: None, after: None, limit: 100_000 };
        let all = self.store.suspense(page, &mut |item| {
            keys.push(item.key);
            Visit::Continue(())
        });
        all.unwrap();
        let of = |key: &callrated::store::SuspenseKey| self.store.suspense_of(key.position).unwrap();
        keys.iter().flat_map(|key| of(key).into_iter().filter(|item| item.key == *key)).collect()
    }

    fn item(item: &SuspenseItem) -> Retry {
        Retry {
            position: item.key.position.0,
            leg: item.key.leg.map(|leg| u8::from(leg == Direction::Inbound)),
            attempt: item.attempt.0,
            reason: item.reason.name().to_owned(),
            period: item.period.map(|p| p.0),
            source: item.source.0,
            received_at: item.received_at.0,
        }
    }

    pub fn retry(&mut self, reason: Option<SuspenseReason>) {
        let items = self.waiting();
        let mut batch = Batch::new(SourceId(0));
        for one in items.iter().filter(|item| reason.is_none_or(|reason| item.reason == reason)) {
            let mut payload = Vec::new();
            Folder::item(one).encode(&one.record, &mut payload).unwrap();
            batch.push_entry(EntryKind::Retry, &payload);
        }
        if !batch.is_empty() {
            self.enter(batch);
        }
    }

    /// The whole journal, replayed into an empty store and an empty index: whoever meets the Sealed entry makes the draft
    /// that is not there, and everything comes out as it was.
    pub fn again(&mut self) {
        self.flush();
        let disk = self.disk.copy(self.random.next());
        disk.remove(Path::new("/data/identity/identities.log")).unwrap();
        let folder = memory_folder().unwrap();
        let (store, mut parts, _) = Folder::start(&mut self.random, &disk, folder.path(), &self.clock);
        let behind = |parts: &mut Parts| {
            while parts.resolver.step().unwrap() == Step::Moved {}
            parts.shards.iter_mut().for_each(|shard| while shard.step() == Step::Moved {});
            while parts.flush.step().unwrap() == Step::Moved {}
        };
        while parts.replay.step(&mut parts.known).unwrap() != Step::Ended {
            behind(&mut parts);
        }
        parts.road.try_send(Control::Flush(None)).unwrap();
        while parts.sequencer.step().unwrap() == Step::Moved {}
        behind(&mut parts);
        let all = |store: &SqliteStore| {
            let mut calls = Vec::new();
            let scanned = store.scan(None, ScanOrder::Stored, &mut |call| {
                calls.push(call.to_owned_call());
                Visit::Continue(())
            });
            scanned.unwrap();
            calls.sort_by_key(|call| (call.call.key, call.revision, call.call.reversal, call.run));
            let state = store.load().unwrap();
            // A count that went up and down within one flush was never written; in two it was, as 0.
            let books: Vec<_> = state.books.into_iter().filter(|(_, count)| *count != 0).collect();
            (calls, state.usage, state.allowances, state.chains, books, state.periods, state.suspense)
        };
        let runs = |store: &SqliteStore| -> Vec<_> {
            let runs = store.rerate_runs().unwrap();
            runs.into_iter().map(|run| (run.run, run.state, run.begun, run.settled)).collect()
        };
        assert_eq!(runs(&store), runs(&self.store));
        assert_eq!(all(&store), all(&self.store));
        assert_eq!(store.manifest(OCTOBER).unwrap(), self.store.manifest(OCTOBER).unwrap());
        for row in self.store.periods().unwrap() {
            let page = MinimumsOf::Page { period: row.period, after: None, upto: None, limit: usize::MAX };
            assert_eq!(store.minimums(page).unwrap(), self.store.minimums(page).unwrap());
        }
    }

    /// Closes the month and makes its draft.
    pub fn close(&mut self, period: Period) -> Position {
        let mut batch = Batch::new(SourceId(0));
        let seal = Seal { period: period.0, at: self.clock.now().0, by: "test".to_owned() };
        batch.push_entry(EntryKind::Seal, &serde_json::to_vec(&seal).unwrap());
        self.enter(batch);
        self.flush();
        self.store.periods().unwrap().into_iter().find(|row| row.period == period).unwrap().seal
    }

    pub fn sealed(&mut self, period: Period, seal: Position) -> String {
        let digest = self.seals.draft(period, seal).unwrap().digest;
        self.json(EntryKind::Sealed, &Sealed { period: period.0, seal: seal.0, digest: digest.clone() });
        self.retry(Some(SuspenseReason::PeriodSealing));
        self.flush();
        digest
    }

    pub fn seal(&mut self, period: Period) -> String {
        let seal = self.close(period);
        self.sealed(period, seal)
    }

    pub fn manifest(&self, period: Period) -> Value {
        serde_json::from_slice(&self.store.manifest(period).unwrap().unwrap()).unwrap()
    }

    pub fn calls(&self, period: Period) -> Vec<OwnedCall> {
        let mut calls = Vec::new();
        let all = self.store.scan(Some(period), ScanOrder::Stored, &mut |call| {
            calls.push(call.to_owned_call());
            Visit::Continue(())
        });
        all.unwrap();
        calls
    }

    /// The books balance, the totals are the sums of the calls that count, and the audit finds what the records give.
    pub fn check(&mut self) {
        self.flush();
        let state = self.store.load().unwrap();
        let books = Books::from_stored(state.books.iter().cloned());
        assert_eq!(books.check(), []);
        let mut sums: BTreeMap<_, callrated::call::Usage> = BTreeMap::new();
        let mut drawn: BTreeMap<_, i64> = BTreeMap::new();
        let all = self.store.scan(None, ScanOrder::Stored, &mut |call| {
            for (call_type, usage) in call.call.usage_lines() {
                let call = &call.call;
                let key = (call.period, call.account, call.group, call_type, call.basis.currency);
                sums.entry(key).or_default().add(&usage);
            }
            // By the text alone, as whoever reads the column would.
            let own = (call.call.own_period(), call.call.group);
            let told: Vec<(String, u64)> = match call.draws {
                b"" => vec![(String::new(), u64::from(call.call.included_seconds))],
                text => {
                    let told: Value = serde_json::from_slice(text).unwrap();
                    let all: Vec<Vec<Value>> =
                        serde_json::from_value(told.get("draws").unwrap_or(&told).clone()).unwrap();
                    all.iter().map(|one| (one[0].as_str().unwrap().to_owned(), one[1].as_u64().unwrap())).collect()
                }
            };
            // What an allowance covers is not charged, and a tier counts what is.
            let sum = |tier: bool| -> u64 {
                told.iter().filter(|told| told.0.starts_with("tier:") == tier).map(|told| told.1).sum()
            };
            assert_eq!(sum(false), u64::from(call.call.included_seconds));
            assert!(sum(true) == 0 || sum(true) == u64::from(call.call.charged_seconds()));
            for (name, seconds) in told {
                *drawn.entry((own.0, own.1, Meter::named(&name))).or_default() += seconds as i64 * call.call.sign();
            }
            Visit::Continue(())
        });
        all.unwrap();
        // Of what was deleted, what it added up to is left.
        for sum in self.store.deleted_sums(None).unwrap() {
            let key = (sum.period, sum.account, sum.group, sum.call_type, sum.currency);
            sums.entry(key).or_default().add(&sum.usage);
        }
        for line in self.store.deleted_draws().unwrap() {
            *drawn.entry((line.period, line.group, line.meter)).or_default() += line.used_seconds as i64;
        }
        for line in &state.usage {
            let key = (line.period, line.account, line.group, line.call_type, line.currency);
            assert_eq!(line.usage, sums.remove(&key).unwrap_or_default(), "{key:?}");
        }
        // What is taken back and charged as it was comes to nothing.
        sums.retain(|_, usage| *usage != callrated::call::Usage::default());
        assert!(sums.is_empty(), "{sums:?}");
        // What sealed months handed on, by their manifests.
        for row in state.periods.iter().filter(|row| row.sealed.is_some()) {
            for one in self.manifest(row.period)["carried"].as_array().into_iter().flatten() {
                let (group, seconds) = (one["group"].as_str().unwrap(), one["seconds"].as_i64().unwrap());
                let group = state.groups.iter().find(|known| known.name == group).unwrap().key;
                let (name, from) = (one["allowance"].as_str().unwrap(), one["from"].as_str().unwrap());
                let age = row.period.0 + 1 - from.parse::<Period>().unwrap().0;
                let next = Period(row.period.0 + 1);
                for (month, meter) in [(next, format!("{name}<{age}")), (row.period, format!("{name}>"))] {
                    *drawn.entry((month, group, Meter::named(&meter))).or_default() += seconds;
                }
            }
        }
        for line in &state.allowances {
            assert_eq!(
                line.used_seconds as i64,
                drawn.get(&(line.period, line.group, line.meter)).copied().unwrap_or(0),
                "{line:?}"
            );
        }
        self.audited(&state);
        self.proved();
        for row in &state.periods {
            let month = audit::month(self.store.as_ref(), &SHELF.images, row.period).unwrap();
            assert_eq!(month.differences, []);
        }
    }

    fn audited(&mut self, state: &callrated::store::StoredState) {
        let (store, journal) = (self.store.clone(), self.parts.journal.clone());
        let folder = RefCell::new(self);
        let find = |identities| {
            let (reply, mut answer) = oneshot::channel();
            let mut folder = folder.borrow_mut();
            folder.parts.road.try_send(Control::Ask(Question::Find { identities, reply })).unwrap();
            folder.pump();
            answer.try_recv().ok()
        };
        let sources = audit::Sources { store: store.as_ref(), journal: &journal, images: &SHELF.images, find: &find };
        let audited = audit::audit(&sources, state).unwrap();
        assert_eq!(audited.differences, []);
    }

    /// Every call that counts is derived anew from what the store alone keeps, to the digit.
    fn proved(&self) {
        let archive = Archive::open(self.store.as_ref(), &SHELF.images).unwrap();
        let all = self.store.scan(None, ScanOrder::Stored, &mut |call| {
            let explained = archive.explain(&call.to_owned_call(), &[]).unwrap();
            assert_eq!(explained.differences, [], "{:?}\n{:#?}", call, explained.proof);
            Visit::Continue(())
        });
        all.unwrap();
    }
}

/// What is put in force, always in this order; the first two before any record.
fn change_of(change: usize) -> (EntryKind, &'static str, Option<Timestamp>) {
    match change {
        0 => (EntryKind::Tariff, &SHELF.pooled[0], None),
        1 => (EntryKind::Directory, &SHELF.directories[0], None),
        2 => (EntryKind::Tariff, &SHELF.pooled[1], Some(at("2026-10-11T00:00:00Z"))),
        3 => (EntryKind::Directory, &SHELF.directories[1], None),
        4 => (EntryKind::Tariff, &SHELF.pooled[2], Some(at("2026-10-21T00:00:00Z"))),
        _ => (EntryKind::Directory, &SHELF.directories[2], None),
    }
}

pub const CHANGES: usize = 6;

/// A month: records, and versions of some of them that contradict.
pub fn month(seed: u64) -> Vec<Said> {
    let mut random = Random::new(seed);
    let mut said: Vec<Said> = (0..8 + random.below(40)).map(|id| Said::any(&mut random, id)).collect();
    // Some are repeated soon after they ended.
    for at in 0..said.len() {
        let mut last = said[at].clone();
        while random.once_in(3) {
            let end = last.answer.0 + last.duration.0;
            last.answer = Timestamp(end + random.below(150) as i64 * 1_000_000);
            last.duration = Micros(random.below(90_000_000) as i64);
            last.id = format!("c{}", said.len());
            said.push(last.clone());
        }
    }
    for at in 0..said.len() {
        if random.once_in(8) {
            let mut other = said[at].clone();
            match random.below(3) {
                0 => other.duration = Micros(random.below(200_000_000) as i64),
                1 => other.destination = "+4420123456".to_owned(),
                _ => other.source = number(random.below(ACCOUNTS as u64) as usize),
            }
            said.push(other);
        }
    }
    said
}

/// Tells a month in an order of its own, with repeats, restarts, reloads, retries and flushes between.
pub fn told(seed: u64, said: &[Said], changes: usize) -> Folder {
    let mut folder = Folder::new(seed);
    let mut left: Vec<&Said> = said.iter().collect();
    for at in (1..left.len()).rev() {
        left.swap(at, folder.random.below(at as u64 + 1) as usize);
    }
    folder.activate(0);
    folder.activate(1);
    let mut change = 2;
    while !left.is_empty() || change < changes {
        match folder.random.below(12) {
            0..6 if !left.is_empty() => {
                let some = (1 + folder.random.below(6) as usize).min(left.len());
                let batch: Vec<&Said> = left.drain(..some).collect();
                folder.tell(&batch);
            }
            6 => {
                let again = &said[folder.random.below(said.len() as u64) as usize];
                // Only what was told already, or its order would be another.
                if !left.iter().any(|one| std::ptr::eq(*one, again)) {
                    folder.tell(&[again]);
                }
            }
            7 => folder.flush(),
            8 => folder.restart(),
            9 if folder.random.once_in(3) => folder.retry(None),
            10 if change < changes => {
                folder.activate(change);
                change += 1;
            }
            _ => {}
        }
    }
    folder
}

/// A record's identity: its id, and the side it speaks of.
type Identity = (String, Option<Direction>);

/// What the month must come to. Cost and included seconds by id and leg.
fn expected(said: &[Said], changes: usize) -> BTreeMap<(String, Direction), (i64, u32)> {
    let plain = plainly(said, changes, None).into_iter();
    plain.map(|(leg, (_, rated))| (leg, (rated.cost.0, rated.included_seconds))).collect()
}

/// What a group has drawn.
#[derive(Default)]
struct Plainly(BTreeMap<Meter, u64>, BTreeMap<Pair, Chain>);

impl Drawn for Plainly {
    fn seconds(&self, _month: Period, meter: Meter) -> u64 {
        self.0.get(&meter).copied().unwrap_or(0)
    }

    fn chain(&self, pair: Pair) -> Option<Chain> {
        self.1.get(&pair).copied()
    }
}

/// The month from a plain list: winners, sorted, rated from front to back, by what was in force or all by one tariff.
/// Account and what was rated, by id and leg.
pub fn plainly(
    said: &[Said],
    changes: usize,
    all_by: Option<&Tariff>,
) -> BTreeMap<(String, Direction), (String, rating::Rated)> {
    let last = |kind| (0..changes).rev().find(|c| change_of(*c).0 == kind).unwrap();
    let directory: Arc<Directory> = SHELF.images.directory(change_of(last(EntryKind::Directory)).1).unwrap();
    let tariffs: Vec<(Option<Timestamp>, Arc<Tariff>)> = (0..changes)
        .filter(|c| change_of(*c).0 == EntryKind::Tariff)
        .map(|c| (change_of(c).2, SHELF.images.tariff(change_of(c).1).unwrap()))
        .collect();
    let profile = SourceProfile { country: "DE".to_owned(), max_age_days: 90, ..SourceProfile::default() };
    let received = at("2026-11-02T00:00:00Z");
    let known = |answer: Timestamp| {
        let slot = tariffs.iter().rposition(|(from, _)| from.is_none_or(|from| from <= answer)).unwrap();
        Known { directory: &directory, tariff: &tariffs[slot].1, slot: TariffSlot(slot as u16) }
    };
    let mut versions: BTreeMap<Identity, Vec<&Said>> = BTreeMap::new();
    for one in said {
        versions.entry((one.id.clone(), one.direction)).or_default().push(one);
    }
    let mut legs = Vec::new();
    for ((id, direction), versions) in versions {
        let resolved = |one: &&Said| {
            matches!(rating::resolve(&one.record(), received, &profile, known(one.answer)), Resolution::Legs(..))
        };
        let winner =
            versions.into_iter().min_by_key(|one| (!resolved(one), one.duration, one.record().content().0)).unwrap();
        let world = known(winner.answer);
        if let Resolution::Legs(first, second) = rating::resolve(&winner.record(), received, &profile, world) {
            for leg in [first, second].into_iter().flatten() {
                if leg.period(world) == OCTOBER {
                    legs.push(((leg.answer, id.clone(), leg.direction, direction), leg));
                }
            }
        }
    }
    legs.sort_by(|a, b| a.0.cmp(&b.0));
    let (mut drawn, mut draws): (BTreeMap<String, Plainly>, Draws) = Default::default();
    let mut costs = BTreeMap::new();
    for ((answer, id, side, direction), leg) in legs {
        let used = drawn.entry(directory.row(leg.account_row).group().to_owned()).or_default();
        let world = known(answer);
        let world = Known { tariff: all_by.unwrap_or(world.tariff), ..world };
        if let Ok(rated) = rating::rate(&leg, world, OCTOBER, Standing::of(used), &mut draws) {
            for draw in &draws.list {
                *used.0.entry(draw.meter).or_default() += u64::from(draw.seconds);
            }
            if draws.list.is_empty() {
                *used.0.entry(Meter::PLAN).or_default() += u64::from(rated.included_seconds);
            }
            used.1.extend(draws.linked.map(|linked| (linked.pair, linked.chain)));
            let said = direction.map_or("", Direction::name);
            let account = directory.row(leg.account_row).name().to_owned();
            costs.insert((format!("{id}{said}"), side), (account, rated));
        }
    }
    costs
}

pub fn stored(folder: &Folder) -> BTreeMap<(String, Direction), (i64, u32)> {
    let calls = folder.calls(OCTOBER);
    let count = calls.len();
    let by_leg: BTreeMap<_, _> = calls
        .iter()
        .map(|call| {
            let said = call.grounds.as_ref().unwrap().direction.map_or("", Direction::name);
            let id = format!("{}{said}", String::from_utf8_lossy(&call.id));
            ((id, call.call.key.leg), (call.call.cost.0, call.call.included_seconds))
        })
        .collect();
    assert_eq!(by_leg.len(), count, "a leg counts twice");
    by_leg
}

#[test]
fn a_month_told_in_any_order_seals_to_one_digest() {
    let months = std::env::var("CALLRATED_MONTHS").map_or(MONTHS, |text| text.parse().unwrap());
    let (mut revised, mut decided, mut late_now, mut waiting, mut joined) = (0, 0, 0, 0, 0);
    for seed in 0..months {
        let said = month(seed);
        let mut digests: Vec<(String, Value)> = Vec::new();
        let plain = expected(&said, CHANGES);
        for order in 0..ORDERS {
            let mut folder = told(seed * 1000 + order, &said, CHANGES);
            if order == 0 {
                folder.check();
            }
            let digest = folder.seal(OCTOBER);
            folder.check();
            assert_eq!(stored(&folder), plain, "month {seed}, order {order}");
            let manifest = folder.manifest(OCTOBER);
            assert_eq!(manifest["digest"], Value::from(digest.clone()));
            revised += folder.calls(OCTOBER).iter().filter(|call| call.revision > 0).count();
            joined += folder.calls(OCTOBER).iter().filter(|call| call.draws.starts_with(b"{")).count();
            decided += manifest["conflicts"].as_array().unwrap().len();
            waiting += manifest["suspense"].as_object().unwrap().len();
            // After the seal the folder is like any other: it starts again, and everything is as it was.
            if order == 0 {
                folder.restart();
                folder.check();
                assert_eq!(folder.manifest(OCTOBER), manifest);
            } else if order == 1 {
                folder.again();
            }
            late_now += folder.calls(NOVEMBER).len();
            digests.push((digest, manifest["accounts"].clone()));
        }
        for one in &digests {
            assert_eq!(one, &digests[0], "month {seed}");
        }
    }
    // Months in which nothing had to be decided show nothing.
    println!(
        "{revised} revisions, {decided} contradictions, {late_now} calls of November, {waiting} reasons of suspense, \
         {joined} calls joined to others"
    );
    assert!(revised > 0 && decided > 0 && waiting > 0 && late_now > 0 && joined > 0);
}

#[test]
fn what_comes_after_the_seal_is_an_adjustment_that_draws_what_its_month_had_left() {
    let mut seen = 0;
    for seed in 0..30 {
        let said = month(5_000 + seed);
        let (early, late) = said.split_at(said.len() / 2);
        let mut folder = told(seed, early, CHANGES);
        let seal = folder.close(OCTOBER);
        let manifest_before = folder.store.manifest(OCTOBER).unwrap();
        assert_eq!(manifest_before, None, "closed, not sealed");
        // While the job is at work, calls of the month wait.
        let (during, after) = late.split_at(late.len() / 2);
        folder.tell(&during.iter().collect::<Vec<_>>());
        folder.retry(None);
        if folder.random.once_in(2) {
            folder.restart();
        }
        folder.check();
        folder.sealed(OCTOBER, seal);
        folder.check();
        let bytes = folder.store.manifest(OCTOBER).unwrap().unwrap();
        if !after.is_empty() {
            folder.tell(&after.iter().collect::<Vec<_>>());
        }
        folder.check();
        if folder.random.once_in(2) {
            folder.restart();
            folder.check();
        }
        assert_eq!(folder.store.manifest(OCTOBER).unwrap().unwrap(), bytes, "a manifest never changes");
        for call in folder.calls(NOVEMBER) {
            if let Some(own) = call.call.adjusts {
                assert_eq!(own, OCTOBER);
                seen += 1;
            }
        }
        for item in folder.waiting() {
            assert_ne!(item.reason, SuspenseReason::PeriodSealing, "{item:?}");
        }
        // The month that bills them is sealed with them.
        let adjusted = folder.calls(NOVEMBER).iter().filter(|call| call.call.adjusts.is_some()).count();
        folder.seal(NOVEMBER);
        folder.check();
        let manifest = folder.manifest(NOVEMBER);
        let billed: u64 = manifest["late"].as_array().unwrap().iter().map(|l| l["calls"].as_u64().unwrap()).sum();
        assert_eq!(billed, adjusted as u64);
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn what_is_discarded_is_kept_with_its_reason_and_never_rated_again() {
    let said = Said {
        id: "lost".to_owned(),
        account: String::new(),
        source: "+4930999999".to_owned(),
        destination: "+4915123456789".to_owned(),
        direction: None,
        answer: at("2026-10-05T09:00:00Z"),
        duration: Micros::seconds(60),
    };
    let mut folder = told(1, &[said], 2);
    let items = folder.waiting();
    assert_eq!(items.len(), 1);
    let discard = Discard { item: Folder::item(&items[0]), why: "test call".to_owned(), by: "nora".to_owned(), at: 7 };
    let mut payload = Vec::new();
    discard.encode(&items[0].record, &mut payload).unwrap();
    let mut batch = Batch::new(SourceId(0));
    batch.push_entry(EntryKind::Discard, &payload);
    // A second time is void.
    batch.push_entry(EntryKind::Discard, &payload);
    folder.enter(batch);
    assert_eq!(folder.waiting(), []);
    folder.check();
    let books = folder.store.load().unwrap().books;
    assert!(books.contains(&("records/discarded".to_owned(), 1)), "{books:?}");
    // A retry that was on its way is void.
    let mut payload = Vec::new();
    Folder::item(&items[0]).encode(&items[0].record, &mut payload).unwrap();
    let mut batch = Batch::new(SourceId(0));
    batch.push_entry(EntryKind::Retry, &payload);
    folder.enter(batch);
    folder.restart();
    folder.check();
    assert_eq!(folder.waiting(), []);
}

/// The months above are worth something only if allowances are met in the middle of calls.
#[test]
fn months_straddle_allowances() {
    let (mut straddled, mut abroad) = (0, 0);
    for seed in 0..MONTHS {
        for (_, rated) in plainly(&month(seed), CHANGES, None).values() {
            let straddles = rated.included_seconds > 0 && rated.cost.0 > 0;
            straddled += u64::from(straddles && rated.call_type == CallType::Included);
            abroad += u64::from(straddles && rated.call_type == CallType::International);
        }
    }
    assert!(straddled > 10 && abroad > 10 && is_german(0), "{straddled} {abroad}");
}

/// One number changed in one row of the store, by another program: the month's audit names the call, or at least whose it
/// is.
#[test]
fn what_was_tampered_with_is_found_and_named() {
    let mut folder = told(7, &month(7), CHANGES);
    folder.seal(OCTOBER);
    folder.check();
    let audited = |folder: &Folder| audit::month(folder.store.as_ref(), &SHELF.images, OCTOBER).unwrap();
    let sound = audited(&folder);
    assert_eq!(sound.differences, []);
    assert_eq!((sound.calls, sound.proved), (folder.calls(OCTOBER).len() as u64, sound.calls));
    let file = folder.folder.path().join("store.sqlite");
    let tamper = |sql: &str| rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    let row: i64 = rusqlite::Connection::open(&file)
        .unwrap()
        .query_row(
            "SELECT c.row FROM calls c JOIN ratings r ON r.id = c.rating WHERE r.period = 202610 AND r.rule = 9
             AND c.included_seconds > 0 AND c.row NOT IN (SELECT row FROM superseded) LIMIT 1",
            (),
            |row| row.get(0),
        )
        .unwrap();
    for column in
        ["cost", "billable_seconds", "included_seconds", "duration", "answer", "source", "destination", "used_before"]
    {
        // Some seconds more used before may change nothing; more than the allowance do.
        let by = if column == "used_before" { 1_000_000 } else { 1 };
        tamper(&format!("UPDATE calls SET {column} = {column} + {by} WHERE row = {row}"));
        let found = audited(&folder);
        tamper(&format!("UPDATE calls SET {column} = {column} - {by} WHERE row = {row}"));
        assert!(found.count > 0, "{column} changed, and nobody saw it");
        let named = found.differences.iter().any(|one| one.account.is_some());
        assert!(named, "{column}: {:?}", found.differences);
        // These go into the proof as they are: what they change is the digest of the account.
        if !matches!(column, "answer" | "duration" | "destination") {
            assert!(found.differences.iter().any(|one| one.call.is_some()), "{column}: {:?}", found.differences);
        }
    }
    // A call that is gone, one that counts again, and one that was left out.
    tamper(&format!("INSERT INTO superseded VALUES ({row}, 1)"));
    assert!(audited(&folder).count > 0);
    tamper(&format!("DELETE FROM superseded WHERE row = {row}"));
    tamper(
        "UPDATE periods SET manifest = CAST(replace(CAST(manifest AS TEXT), '\"calls\":1,', '\"calls\":2,') AS BLOB)",
    );
    assert!(audited(&folder).count > 0);
    folder.random.next();
}
