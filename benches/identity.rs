//! What the identity index costs per record, in how much memory, and how long a restart takes.
//!
//! ```text
//! cargo bench --bench identity                    1 and 10 million records
//! cargo bench --bench identity -- 100000000       another size
//! cargo bench --bench identity -- 8000000 --generation 1000000
//!                                                 smaller generations, so that few records see many of them begin
//! ```
//!
//! One in a hundred records is a repeat: eight of ten among the last two million, two anywhere. Every verdict is
//! compared with what the generator knows. Times are the checking thread's processor time; the helper that doubles
//! tables is not in them. Without `--bench` (in a test run) it is small.
//!
//! Below each line stand the batches that took longest, by processor time and by the clock, with what happened in them:
//! what the index did beside answering (writes into the log, growth begun and taken over, generations begun), the time
//! that went into the program and into the system, page faults, and how often the thread had to wait or was sent away. A
//! batch in which nothing happened, that was slow by the clock only or was sent away, was slow for a reason outside.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use callrated::batch::Position;
use callrated::identity::{Chores, IdentityIndex, Key, Settings, Verdict};
use callrated::os::clock::{Clock, ThreadUse, thread_time_ns};
use callrated::os::disk::RealDisk;
use callrated::record::{Content, Identity};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

/// Records in a batch, as a busy TCP door hands them on.
const BATCH: u64 = 1000;
/// Records between two syncs, as between two flushes.
const FLUSH: u64 = 50_000;
/// Largest size at which the map is run beside: 1 GB.
const MAP_MAX: u64 = 10_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let full = arguments.iter().any(|argument| argument == "--bench") && !arguments.iter().any(|a| a == "--test");
    let option = arguments.iter().position(|argument| argument == "--generation");
    let number = |at: usize| arguments.get(at).and_then(|argument| argument.parse().ok());
    let mut settings = Settings::default();
    if let Some(generation) = option.and_then(|at| number(at + 1)) {
        settings.generation_entries = generation as usize;
    }
    let mut sizes: Vec<u64> =
        (0..arguments.len()).filter(|at| option.is_none_or(|option| *at != option + 1)).filter_map(number).collect();
    if sizes.is_empty() {
        sizes = if full { vec![1_000_000, 10_000_000] } else { vec![100_000] };
    }
    println!(
        "records   ns/record  last tenth  slowest batch  stalls  over a map  sync ns   memory  per id  restart (waited)  per id  verdicts"
    );
    for size in sizes {
        run(size, &settings);
    }
}

/// The record with a number: its position is the number's, so a repeat of record n says `first: position(n)`.
fn key(n: u64, position: u64) -> Key {
    Key { identity: Identity(xxh3_128(&n.to_le_bytes())), content: Content(n), position: Position(position) }
}

fn position(n: u64) -> u64 {
    64 + n * 300
}

/// Which record comes as the n-th, and whether it is a repeat.
fn source(n: u64) -> u64 {
    let chance = xxh3_64_with_seed(&n.to_le_bytes(), 1);
    if n < 1000 || chance % 1000 >= 10 {
        return n;
    }
    let back = if chance % 1000 < 8 { (chance >> 20) % n.min(2_000_000) } else { (chance >> 20) % n };
    n - back
}

/// Counts calls' processor time, for the machine may have other things to do; the slowest shows stalls.
#[derive(Default)]
struct Cost {
    total: u64,
    slowest: u64,
    last_tenth: u64,
    /// Calls of more than 10 ms, which nothing in the index should need.
    stalls: u64,
}

impl Cost {
    fn of(&mut self, late: bool, work: impl FnOnce()) {
        let before = thread_time_ns();
        work();
        let took = thread_time_ns() - before;
        self.total += took;
        self.slowest = self.slowest.max(took);
        self.stalls += u64::from(took > 10_000_000);
        self.last_tenth += if late { took } else { 0 };
    }
}

/// One batch, and what happened in it.
#[derive(Clone, Copy, Default)]
struct Batch {
    start: u64,
    processor: u64,
    clock: u64,
    did: Chores,
    used: ThreadUse,
}

/// The batches that took longest.
#[derive(Default)]
struct Longest {
    by_processor: Batch,
    by_clock: Batch,
}

impl Longest {
    /// Hands the index to `work`, and keeps what it took if that is the most so far.
    fn of(&mut self, clock: &Clock, start: u64, index: &mut IdentityIndex, work: impl FnOnce(&mut IdentityIndex)) {
        let (did, used, processor, begun) = (index.chores(), ThreadUse::now(), thread_time_ns(), clock.running().0);
        work(index);
        let batch = Batch {
            start,
            processor: thread_time_ns() - processor,
            clock: (clock.running().0 - begun) as u64 * 1000,
            did: index.chores().since(did),
            used: ThreadUse::now().since(used),
        };
        if batch.processor > self.by_processor.processor {
            self.by_processor = batch;
        }
        if batch.clock > self.by_clock.clock {
            self.by_clock = batch;
        }
    }

    fn say(&self) {
        for (what, batch) in [("processor", &self.by_processor), ("clock", &self.by_clock)] {
            let (Batch { start, processor, clock, did, used }, ms) = (batch, |ns: u64| ns as f64 / 1e6);
            println!(
                "  longest by {what}: the batch at {start}, {:.2} ms of processor, {:.2} ms by the clock: {} writes, {} growths \
                 begun, {} taken over, {} generations begun; {:.2} ms in the program, {:.2} in the system, {} page faults \
                 ({} with a read), waited {} times, sent away {}",
                ms(*processor),
                ms(*clock),
                did.writes,
                did.growths,
                did.taken_over,
                did.generations,
                ms(used.program_ns),
                ms(used.system_ns),
                used.faults,
                used.faults_with_read,
                used.waited,
                used.sent_away,
            );
        }
    }
}

fn run(size: u64, settings: &Settings) {
    let clock = Clock::wall();
    let dir = tempfile::tempdir().expect("a folder for the log");
    let open = |dir: &Path| {
        IdentityIndex::open(Arc::new(RealDisk), dir, settings, Position(u64::MAX >> 2)).expect("the index")
    };
    let (mut index, _) = open(dir.path());
    // The yardstick: the same answers from a map in memory, which keeps nothing.
    let mut map: HashMap<u128, (u64, u64)> = HashMap::new();
    let (mut batch, mut verdicts) = (Vec::new(), Vec::new());
    let (mut ours, mut theirs, mut syncs) = (Cost::default(), Cost::default(), Cost::default());
    let (mut hash, mut longest) = (0, Longest::default());
    for start in (0..size).step_by(BATCH as usize) {
        batch.clear();
        verdicts.clear();
        batch.extend((start..(start + BATCH).min(size)).map(|n| key(first_of(n), position(n))));
        let late = start >= size / 10 * 9;
        ours.of(late, || {
            longest.of(&clock, start, &mut index, |index| index.check(&batch, &mut verdicts).expect("a check"));
        });
        if size <= MAP_MAX {
            theirs.of(late, || {
                for key in &batch {
                    black_box(*map.entry(key.identity.0).or_insert((key.content.0, key.position.0)));
                }
            });
        }
        for (n, verdict) in (start..).zip(&verdicts) {
            let first = first_of(n);
            let expected =
                if first == n { Verdict::New } else { Verdict::Duplicate { first: Position(position(first)) } };
            assert_eq!(*verdict, expected, "record {n}");
            hash = xxh3_64_with_seed(&first.to_le_bytes(), hash);
        }
        if start % FLUSH == 0 {
            syncs.of(late, || index.sync(Position(position(start))).expect("a sync"));
        }
    }
    index.sync(Position(position(size))).expect("a sync");
    let (entries, memory) = (index.len(), index.memory_bytes());
    drop(index);
    let (mut restart, before) = (Cost::default(), clock.running().0);
    restart.of(false, || {
        let (index, rebuilt) = open(dir.path());
        assert_eq!((index.len(), rebuilt.cut, rebuilt.dropped), (entries, 0, 0));
    });
    let waited = (clock.running().0 - before) as f64 / 1000.0;
    println!(
        "{size:<11} {:>7.0} {:>11.0} {:>11.2} ms {:>7} {:>11.2} {:>8.0} {:>6} MB {:>6.1} B {:>7.0} ({waited:.0}) ms {:>5} ns  {hash:016x}",
        ours.total as f64 / size as f64,
        ours.last_tenth as f64 / (size as f64 / 10.0),
        ours.slowest as f64 / 1e6,
        ours.stalls,
        ours.total as f64 / theirs.total.max(1) as f64 * if size <= MAP_MAX { 1.0 } else { 0.0 },
        syncs.total as f64 / size as f64,
        memory >> 20,
        memory as f64 / entries as f64,
        restart.total as f64 / 1e6,
        restart.total / entries,
    );
    longest.say();
}

/// The first record with the identity of the n-th: a repeat may name one that was a repeat itself.
fn first_of(mut n: u64) -> u64 {
    loop {
        match source(n) {
            same if same == n => return n,
            earlier => n = earlier,
        }
    }
}
