//! `kill -9` at random moments under real TCP load, again and again on one data folder: what was acknowledged is there
//! once after every restart, and in the end every account's totals equal an independent model.
//!
//! ```text
//! cargo test --test kills                          30 kills
//! CALLRATED_KILLS=200 cargo test --test kills      more
//! CALLRATED_KILLS_SEED=7 …                         other moments and other calls
//! ```

// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

mod process;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use process::daemon::{Daemon, Dialogue, PATIENCE, log_of};
use process::model::{Model, compare};
use process::traffic::{Random, calls, day};
use process::{GERMANS, rates_folder};

const KILLS: usize = 30;
/// Calls handed to a daemon that is going to be killed; more than it takes before its end.
const ROUND: usize = 1500;
/// A flush every so often: under this load one is nearly always under way.
const OFTEN: &str = "[flush]\nevery = \"20ms\"\ncalls = 200\n";
/// No flush but at the very end: everything is recovered from the journal.
const NEVER: &str = "[flush]\nevery = \"1h\"\ncalls = 100000000\n";

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|n| n.parse().unwrap_or_else(|_| panic!("{name}={n}: a number is wanted")))
}

/// How often each id of a round is among its account's stored calls; nothing else of the round may be there.
fn stored(daemon: &Daemon, round: usize, period: &str) -> BTreeMap<usize, usize> {
    let csv = daemon.get(&format!("/v1/accounts/de{:02}/calls?period={period}&columns=full&lang=en", round % GERMANS));
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = names.iter().position(|name| *name == "Call ID").unwrap_or_else(|| panic!("{names:?}"));
    let mark = format!("k{round}-");
    let mut times = BTreeMap::new();
    for line in lines {
        let id = line.split(',').nth(column).unwrap();
        if let Some(number) = id.strip_prefix(&mark) {
            *times.entry(number.parse().unwrap()).or_default() += 1;
        }
    }
    times
}

/// Sends lines until the daemon is gone or has taken them all; `killer` runs beside and sees how many are durable.
fn send(daemon: &Daemon, lines: &[String], killer: impl FnOnce(&AtomicUsize) + Send) -> usize {
    let mut dialogue = Dialogue::open(daemon.tcp);
    let mut stream = dialogue.stream.try_clone().unwrap();
    let text = lines.concat();
    let durable = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        // Both threads end when the connection does.
        scope.spawn(move || {
            // In pieces, so that the daemon journals many batches.
            for piece in text.as_bytes().chunks(16 << 10) {
                if stream.write_all(piece).is_err() {
                    return;
                }
            }
        });
        scope.spawn(|| killer(&durable));
        while durable.load(Ordering::SeqCst) < lines.len() {
            match dialogue.durable() {
                Some(count) => durable.store(count, Ordering::SeqCst),
                None => break,
            }
        }
    });
    durable.into_inner()
}

fn kill(id: u32) {
    assert!(std::process::Command::new("kill").args(["-9", &id.to_string()]).status().unwrap().success());
}

#[test]
fn a_kill_at_any_moment_loses_nothing_and_charges_nothing_twice() {
    let kills = setting("CALLRATED_KILLS").map_or(KILLS, |n| n as usize);
    let seed = setting("CALLRATED_KILLS_SEED").unwrap_or(1);
    println!("CALLRATED_KILLS={kills} CALLRATED_KILLS_SEED={seed}");
    let (mut random, day, mut model) = (Random(seed), day(), Model::default());
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let period = &day[..7];

    let (mut acknowledged, mut lost, mut twice) = (0, 0, 0);
    let mut unacknowledged: Vec<String> = Vec::new();
    let mut before: Option<(usize, usize)> = None;
    for round in 0..kills {
        let daemon = Daemon::start_with(folder.path(), if random.below(3) == 0 { NEVER } else { OFTEN });
        if let Some((round, durable)) = before {
            let stored = stored(&daemon, round, period);
            lost += (0..durable).filter(|i| !stored.contains_key(i)).count();
            twice += stored.values().filter(|times| **times > 1).count();
            assert_eq!((lost, twice), (0, 0), "after the kill of round {round}, seed {seed}");
        }
        // Nobody knows what became of what was not acknowledged: it comes again.
        let resent = unacknowledged.len();
        let mut lines = std::mem::take(&mut unacknowledged);
        lines.extend(calls(round, ROUND, &day, &mut random, &mut model));
        // At a moment, or as soon as so many are durable, whichever comes first: also right at the start.
        let (after, count) = (Duration::from_millis(random.below(150)), random.below(lines.len() as u64) as usize);
        let begun = Instant::now();
        let id = daemon.id();
        let durable = send(&daemon, &lines, |durable| {
            while begun.elapsed() < after && durable.load(Ordering::SeqCst) < count {
                std::thread::sleep(Duration::from_micros(200));
            }
            kill(id);
        });
        daemon.kill();
        acknowledged += durable;
        before = Some((round, durable.saturating_sub(resent)));
        unacknowledged = lines.split_off(durable);
    }

    let daemon = Daemon::start(folder.path());
    acknowledged += send(&daemon, &unacknowledged, |_| {});
    compare(&daemon, &model, period);
    println!(
        "kills survived: {kills}; records acknowledged: {acknowledged} of {} calls; acknowledged lost: {lost}; charged twice: {twice}",
        kills * ROUND
    );
    assert_eq!(daemon.terminate().0.code(), Some(0));
    let (code, verified, _) = Daemon::command(folder.path(), &["verify"]);
    assert_eq!(code, 0, "{verified}");
}

#[test]
fn a_kill_while_the_store_writes_is_recovered_from_the_journal() {
    let (mut random, day, mut model) = (Random(11), day(), Model::default());
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    // Into the transaction at once, and later into it.
    for (round, later) in [0u64, 30, 120].into_iter().enumerate() {
        let daemon = Daemon::start_with(folder.path(), NEVER);
        let lines = calls(round, 10_000, &day, &mut random, &mut model);
        assert_eq!(send(&daemon, &lines, |_| {}), lines.len());
        let id = daemon.id();
        std::thread::scope(|scope| {
            // Asks for the whole store, so everything is flushed first; the kill takes its answer away.
            scope.spawn(|| {
                let asked = std::net::TcpStream::connect(("127.0.0.1", daemon.http)).unwrap();
                asked.set_read_timeout(Some(PATIENCE)).unwrap();
                let _ = (&asked).write_all(b"GET /v1/suspense HTTP/1.1\r\nHost: localhost\r\n\r\n");
                let _ = std::io::Read::read(&mut (&asked), &mut [0; 16]);
            });
            process::daemon::wait_for("the store to be written", || {
                daemon.metric("callrated_flush_pending_calls", "") > 0
                    || daemon.metric("callrated_flush_seconds_count", "") > 1
            });
            std::thread::sleep(Duration::from_millis(later));
            kill(id);
        });
        daemon.kill();
    }
    let daemon = Daemon::start(folder.path());
    assert!(log_of(folder.path()).contains("replayed"), "{}", log_of(folder.path()));
    compare(&daemon, &model, &day[..7]);
    daemon.kill();
}
