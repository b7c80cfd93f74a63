//! Stopping under load, starting after a crash, and a backup taken while records come in.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callrated::journal::{Found, SEGMENT_HEAD, inspect};
use callrated::os::disk::RealDisk;

use crate::process::daemon::{Daemon, Dialogue, log_of, wait_for};
use crate::process::model::{Model, compare};
use crate::process::rates_folder;
use crate::process::traffic::{Random, calls, day};
use crate::stored_ids;

/// No flush but at the end: everything is in the journal only.
const NEVER: &str = "[flush]\nevery = \"1h\"\ncalls = 100000000\n";

/// Sends in small pieces until the connection ends; counts what is durable meanwhile.
fn pour(port: u16, lines: &[String], pause: Duration, durable: &AtomicUsize) {
    let mut dialogue = Dialogue::open(port);
    let mut stream = dialogue.stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for piece in lines.chunks(20) {
                if stream.write_all(piece.concat().as_bytes()).is_err() {
                    return;
                }
                std::thread::sleep(pause);
            }
        });
        while durable.load(Ordering::SeqCst) < lines.len() {
            match dialogue.durable() {
                Some(count) => durable.store(count, Ordering::SeqCst),
                None => return,
            }
        }
    });
}

#[test]
fn a_graceful_stop_under_load_loses_nothing_and_leaves_nothing_to_recover() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let day = day();
    let daemon = Daemon::start(folder.path());
    // More than can be sent before the stop.
    let senders: Vec<(Vec<String>, AtomicUsize)> = (0..4)
        .map(|sender| (calls(sender, 20_000, &day, &mut Random(21), &mut Model::default()), AtomicUsize::new(0)))
        .collect();
    let port = daemon.tcp;
    let took = std::thread::scope(|scope| {
        for (lines, durable) in &senders {
            scope.spawn(move || pour(port, lines, Duration::from_millis(10), durable));
        }
        wait_for("load", || senders.iter().all(|(_, durable)| durable.load(Ordering::SeqCst) > 500));
        let (status, took) = daemon.terminate();
        assert_eq!(status.code(), Some(0), "{}", log_of(folder.path()));
        took
    });
    let acknowledged: usize = senders.iter().map(|(_, durable)| durable.load(Ordering::SeqCst)).sum();
    println!("stopped in {took:?} with {acknowledged} records acknowledged");

    let stored = stored_ids(folder.path());
    let distinct: BTreeSet<&String> = stored.iter().collect();
    assert_eq!(distinct.len(), stored.len(), "a call is stored twice");
    for (sender, (lines, durable)) in senders.iter().enumerate() {
        let durable = durable.load(Ordering::SeqCst);
        assert!(durable < lines.len(), "the load ended before the stop");
        for i in 0..durable {
            assert!(distinct.contains(&format!("k{sender}-{i}")), "k{sender}-{i} was acknowledged and is not stored");
        }
    }
    let before = log_of(folder.path()).len();
    Daemon::start(folder.path()).kill();
    assert!(!log_of(folder.path())[before..].contains("replayed"), "{}", &log_of(folder.path())[before..]);
}

/// Writes the beginning of a frame behind the last one, as a machine that lost its power in the middle of a write.
fn tear(folder: &Path) -> (u64, u64) {
    let segment = folder.join("data/journal/00000000000000000000.seg");
    let inspection = inspect(&RealDisk, &segment).unwrap();
    let mut frames = inspection.found.iter().filter_map(|found| match found {
        Found::Frame { offset, head } => Some((*offset, u64::from(head.length.get()))),
        Found::Bad { .. } => None,
    });
    let (offset, length) = frames.next_back().unwrap();
    let file = File::options().read(true).write(true).open(&segment).unwrap();
    let mut torn = [0; 100];
    file.read_exact_at(&mut torn, offset).unwrap();
    // Its head says where it is, as any head does.
    torn[16..24].copy_from_slice(&(offset + length - SEGMENT_HEAD).to_le_bytes());
    torn[99] = 1;
    file.write_all_at(&torn, offset + length).unwrap();
    (offset + length, offset + length - SEGMENT_HEAD)
}

#[test]
fn a_start_after_a_crash_says_what_it_recovered() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let (day, mut model) = (day(), Model::default());
    // More identities than are read in one block (32,768), none of them synced.
    let lines = calls(0, 36_000, &day, &mut Random(3), &mut model);
    let daemon = Daemon::start_with(folder.path(), NEVER);
    let durable = AtomicUsize::new(0);
    pour(daemon.tcp, &lines, Duration::ZERO, &durable);
    daemon.kill();
    let (offset, position) = tear(folder.path());

    let before = log_of(folder.path()).len();
    let daemon = Daemon::start(folder.path());
    let said = log_of(folder.path())[before..].to_owned();
    assert!(said.contains("cut 100 bytes off the end of"), "{said}");
    assert!(said.contains(&format!("at offset {offset} (position {position})")), "{said}");
    // All records, and the entries that brought rates and listeners into force.
    let replayed = said.split("replayed ").nth(1).unwrap_or_else(|| panic!("{said}"));
    let count: usize = replayed.split(' ').next().unwrap().parse().unwrap();
    assert!((36_000..36_020).contains(&count) && replayed.contains(" records after position 0 in "), "{said}");
    compare(&daemon, &model, &day[..7]);
    daemon.kill();
}

#[test]
fn a_backup_taken_under_load_restores_to_a_prefix_of_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let day = day();
    let lines = calls(0, 12_000, &day, &mut Random(8), &mut Model::default());
    let daemon = Daemon::start_with(folder.path(), "[flush]\nevery = \"100ms\"\ncalls = 1000\n");
    let (durable, port) = (AtomicUsize::new(0), daemon.tcp);
    let backup = folder.path().join("backup");
    let (before, after) = std::thread::scope(|scope| {
        // Half a minute of load; a backup takes about a second, and then it ends.
        scope.spawn(|| pour(port, &lines, Duration::from_millis(50), &durable));
        wait_for("load", || durable.load(Ordering::SeqCst) > 500);
        let before = durable.load(Ordering::SeqCst);
        let (code, said, wrong) = Daemon::command(folder.path(), &["backup", backup.to_str().unwrap()]);
        assert_eq!(code, 0, "{said}{wrong}");
        let after = durable.load(Ordering::SeqCst);
        daemon.kill();
        (before, after)
    });
    assert!(after < lines.len(), "the load ended before the backup");

    let restored = tempfile::tempdir().unwrap();
    rates_folder(restored.path());
    // Ends with what `verify` says of it.
    let (code, said, wrong) = Daemon::command(restored.path(), &["restore", backup.to_str().unwrap()]);
    assert!(code == 0 && said.contains("balanced"), "{said}{wrong}");
    let stored = stored_ids(restored.path());
    println!("acknowledged before the backup {before}, in it {}, acknowledged after it {after}", stored.len());
    assert!((before..=lines.len()).contains(&stored.len()));
    // One connection: the journal's order is the order of sending, and the copy is a prefix of it, whole.
    let expected: Vec<String> = (0..stored.len()).map(|i| format!("k0-{i}")).collect();
    assert_eq!(stored, expected);
    let mut model = Model::default();
    calls(0, stored.len(), &day, &mut Random(8), &mut model);
    let daemon = Daemon::start(restored.path());
    compare(&daemon, &model, &day[..7]);

    // And it goes on: what the backup does not have comes again and is charged once, what it has is a duplicate.
    let missing = AtomicUsize::new(0);
    pour(daemon.tcp, &lines, Duration::ZERO, &missing);
    let mut all = Model::default();
    calls(0, lines.len(), &day, &mut Random(8), &mut all);
    compare(&daemon, &all, &day[..7]);
    assert_eq!(daemon.metric("callrated_records_duplicate_total", ""), stored.len() as u64);
    daemon.kill();
}
