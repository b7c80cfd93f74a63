//! What the identity index costs per record, in how much memory, and how long a restart takes.
//!
//! ```text
//! cargo bench --bench identity                    1 and 10 million records
//! cargo bench --bench identity -- 100000000       another size
//! ```
//!
//! One in a hundred records is a repeat: eight of ten among the last two million, two anywhere. Every verdict is compared
//! with what the generator knows. Without `--bench` (in a test run) it is small.

use std::path::Path;
use std::sync::Arc;

use callrated::batch::Position;
use callrated::identity::{IdentityIndex, Key, Settings, Verdict};
use callrated::os::clock::Clock;
use callrated::os::disk::RealDisk;
use callrated::record::{Content, Identity};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

/// Records in a batch, as a busy TCP door hands them on.
const BATCH: u64 = 1000;
/// Records between two syncs, as between two flushes.
const FLUSH: u64 = 50_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let full = arguments.iter().any(|argument| argument == "--bench") && !arguments.iter().any(|a| a == "--test");
    let mut sizes: Vec<u64> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = if full { vec![1_000_000, 10_000_000] } else { vec![100_000] };
    }
    println!("records      ns/record  last tenth  slowest batch  syncs   memory   per id  restart      per id  verdicts");
    for size in sizes {
        run(size);
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

fn run(size: u64) {
    let clock = Clock::wall();
    let dir = tempfile::tempdir().expect("a folder for the log");
    let open = |dir: &Path| {
        IdentityIndex::open(Arc::new(RealDisk), dir, &Settings::default(), Position(u64::MAX >> 2)).expect("the index")
    };
    let (mut index, _) = open(dir.path());
    let (mut batch, mut verdicts) = (Vec::new(), Vec::new());
    let (mut checking, mut syncing, mut slowest, mut late) = (0, 0, 0, 0);
    let mut hash = 0;
    for start in (0..size).step_by(BATCH as usize) {
        batch.clear();
        verdicts.clear();
        batch.extend((start..(start + BATCH).min(size)).map(|n| key(first_of(n), position(n))));
        let before = clock.running().0;
        index.check(&batch, &mut verdicts).expect("a check");
        let took = clock.running().0 - before;
        checking += took;
        slowest = slowest.max(took);
        late += if start >= size / 10 * 9 { took } else { 0 };
        for (n, verdict) in (start..).zip(&verdicts) {
            let first = first_of(n);
            let expected = if first == n { Verdict::New } else { Verdict::Duplicate { first: Position(position(first)) } };
            assert_eq!(*verdict, expected, "record {n}");
            hash = xxh3_64_with_seed(&first.to_le_bytes(), hash);
        }
        if start % FLUSH == 0 {
            let before = clock.running().0;
            index.sync(Position(position(start))).expect("a sync");
            syncing += clock.running().0 - before;
        }
    }
    index.sync(Position(position(size))).expect("a sync");
    let (entries, memory) = (index.len(), index.memory_bytes());
    drop(index);
    let before = clock.running().0;
    let (index, rebuilt) = open(dir.path());
    let restart = clock.running().0 - before;
    assert_eq!((index.len(), rebuilt.cut, rebuilt.dropped), (entries, 0, 0));
    println!(
        "{size:<12} {:>9} {:>11} {:>11.1} ms {:>4.0} ms {:>5} MB {:>6.1} B {:>5.0} ms {:>8} ns  {hash:016x}",
        checking * 1000 / size as i64,
        late * 1000 / (size / 10).max(1) as i64,
        slowest as f64 / 1000.0,
        syncing as f64 / 1000.0,
        memory >> 20,
        memory as f64 / entries as f64,
        restart as f64 / 1000.0,
        restart * 1000 / entries as i64,
    );
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
