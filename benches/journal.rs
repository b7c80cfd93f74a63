//! What the journal costs over the disk: append and sync against a bare write and sync of the same bytes, in one run.
//!
//! ```text
//! cargo bench --bench journal
//! cargo bench --bench journal -- /mnt/other       in a folder on another disk
//! ```
//!
//! The two take turns, group by group, so that a disk busy with something else hurts both. Without `--bench` (in a test
//! run) it is small.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use callrated::batch::{Batch, Position, SourceId};
use callrated::journal::{Journal, Settings};
use callrated::os::clock::Clock;
use callrated::os::disk::{Disk, DiskFile, RealDisk};
use callrated::record::Record;
use callrated::time::{Micros, Timestamp};
use xxhash_rust::xxh3::xxh3_64_with_seed;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let full = arguments.iter().any(|argument| argument == "--bench") && !arguments.iter().any(|a| a == "--test");
    let folder = arguments.iter().find(|argument| !argument.starts_with("--")).map(PathBuf::from);
    let dir = match folder {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let dir = dir.expect("a folder for the journal");
    println!(
        "group                 journal        bare       ratio   sync of a group   replay           what was read back"
    );
    // One record at a time, a datagram's worth, a busy second's group commit, a flood.
    let sizes: &[(u64, u64, u64)] =
        if full { &[(1, 1, 2000), (1, 50, 2000), (10, 200, 500), (8, 4000, 40)] } else { &[(1, 1, 5), (3, 50, 5)] };
    for &(batches, records, groups) in sizes {
        run(dir.path(), batches, records, groups);
    }
}

fn batch(records: u64, seed: u64) -> Batch {
    let mut batch = Batch::new(SourceId(1));
    for n in 0..records {
        let raw = format!(
            r#"{{"id":"{seed:08x}-{n:08x}","node":"sbc-fra-1","source":"+4930{:07}","destination":"+4989{:07}","answer":1791190800.5,"duration":61.25}}"#,
            (seed * 31 + n) % 10_000_000,
            (seed * 17 + n * 7) % 10_000_000
        );
        let raw = raw.as_bytes();
        batch.push_record(&Record {
            id: &raw[7..24],
            node: &raw[34..43],
            source: &raw[55..67],
            destination: &raw[84..96],
            answer: Some(Timestamp(1_791_190_800_500_000)),
            duration: Some(Micros(61_250_000)),
            raw,
            ..Record::default()
        });
    }
    batch
}

fn run(dir: &Path, batches: u64, records: u64, groups: u64) {
    let clock = Clock::wall();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let dir = dir.join(format!("{batches}-{records}"));
    let settings = Settings::default();
    let (mut journal, _) = Journal::open(Arc::clone(&disk), &dir.join("journal"), &settings).expect("the journal");
    let length: u64 = (0..batches).map(|n| batch(records, n).len() as u64).sum();
    let bare = disk.create(&dir.join("bare")).expect("a bare file");
    bare.allocate(length * groups).expect("room");
    bare.sync_data().expect("a sync");

    let (mut ours, mut theirs, mut end) = (0, 0, 0);
    for group in 0..groups {
        let ready: Vec<Batch> = (0..batches).map(|n| batch(records, group * batches + n)).collect();
        // The same bytes in one piece, copied outside of what is measured.
        let bytes: Vec<u8> = (0..batches).flat_map(|n| batch(records, group * batches + n).into_bytes()).collect();
        let journal_turn = |journal: &mut Journal| {
            let before = clock.running().0;
            for batch in ready {
                journal.append(batch, Timestamp(group as i64)).expect("an append");
            }
            journal.sync().expect("a sync");
            clock.running().0 - before
        };
        let bare_turn = |bare: &dyn DiskFile| {
            let before = clock.running().0;
            bare.write_all_at(&bytes, end).expect("a write");
            bare.sync_data().expect("a sync");
            clock.running().0 - before
        };
        if group % 2 == 0 {
            ours += journal_turn(&mut journal);
            theirs += bare_turn(bare.as_ref());
        } else {
            theirs += bare_turn(bare.as_ref());
            ours += journal_turn(&mut journal);
        }
        end += bytes.len() as u64;
    }

    let before = clock.running().0;
    let (mut entries, mut frames) = (0, Vec::new());
    for frame in journal.reader().frames_from(Position(0)) {
        let frame = frame.expect("a frame");
        entries += frame.entries().count() as u64;
        frames.push(frame);
    }
    let replay = clock.running().0 - before;
    let hash = frames.iter().fold(0, |hash, frame| xxh3_64_with_seed(&frame.bytes, hash));
    assert_eq!(entries, batches * records * groups);
    println!(
        "{batches:>2} × {records:<4} records {:>8.1} MB/s {:>7.1} MB/s {:>7.2} {:>14.2} ms {:>7.1} M records/s  {hash:016x}",
        end as f64 / ours as f64,
        end as f64 / theirs as f64,
        theirs as f64 / ours as f64,
        ours as f64 / groups as f64 / 1000.0,
        entries as f64 / replay.max(1) as f64,
    );
}
