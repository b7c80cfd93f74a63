//! The store is held by another process while records come.

use super::daemon::{Place, wait_for};
use super::*;

/// More than is held in memory while the store is away.
const CALLS: usize = 160_000;

fn folder_bytes(path: std::path::PathBuf) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // What is taken from the disk, not what is reserved at the end of the last segment: it is counted by its length.
    std::fs::read_dir(path).unwrap().map(|file| file.unwrap().metadata().unwrap().size()).sum()
}

#[test]
fn while_the_store_is_locked_doors_stay_open_and_afterwards_all_is_stored_once() {
    let place = Place::new("0.25");
    let daemon = place.start("[flush]\nevery = \"200ms\"\ncalls = 20000\nmemory = \"64MiB\"\n", &[]);
    let lines = lines("locked", CALLS);
    let (before, during) = lines.split_at(5_000);
    send(&daemon, before);
    all_stored(&daemon);
    assert_eq!(daemon.metric("callrated_store_up", ""), 1);

    let lock = rusqlite::Connection::open(place.path("data/callrated.db")).unwrap();
    lock.busy_timeout(PATIENCE).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let appended = daemon.metric("callrated_journal_append_bytes_total", "");
    send(&daemon, during);
    // Repeats are recognised, as ever.
    send(&daemon, &during[..100]);
    store_is_missed(&daemon, "the store is away, ");
    has(&daemon, CALLS);
    wait_for("everything to wait", || daemon.metric("callrated_flush_pending_calls", "") == during.len() as u64);
    wait_for("the spill", || daemon.metric("callrated_flush_spilled_bytes", "") > 0);
    // The one that the store is asked for stays beside the others until the store has refused it.
    wait_for("memory to be within its bound", || daemon.metric("callrated_flush_held_bytes", "") <= 64 << 20);
    assert!(daemon.metric("callrated_flush_failures_total", "") > 0);
    let journal = daemon.metric("callrated_journal_append_bytes_total", "") - appended;
    println!("the journal took {} bytes a record", journal / (during.len() as u64 + 100));
    assert!(folder_bytes(place.path("data/spill")) >= daemon.metric("callrated_flush_spilled_bytes", ""));

    lock.execute_batch("ROLLBACK").unwrap();
    drop(lock);
    all_stored(&daemon);
    wait_for("readiness", || daemon.ask("GET", "/readyz", "").unwrap().0 == 200);
    assert_eq!(daemon.metric("callrated_store_up", ""), 1);
    wait_for("the queue to be empty", || daemon.metric("callrated_flush_pending_calls", "") == 0);
    wait_for("the spill to be empty", || daemon.metric("callrated_flush_spilled_bytes", "") == 0);
    assert_eq!(std::fs::read_dir(place.path("data/spill")).unwrap().count(), 0);
    assert_eq!(stored(&place), CALLS);
    has(&daemon, CALLS);
    assert_eq!(daemon.metric("callrated_records_duplicate_total", ""), 100);
    assert_eq!(daemon.metric("callrated_books_unbalanced", ""), 0);

    // Slow readers of what is stored now: they read nothing, and hold nobody back.
    let slow: Vec<TcpStream> = (0..6)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", daemon.http)).unwrap();
            let path = format!("/v1/accounts/a/calls?period={}", period());
            write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\n\r\n").unwrap();
            stream
        })
        .collect();
    // They are under way: the first bytes are there.
    for stream in &slow {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(stream.peek(&mut [0; 1]).unwrap() > 0);
    }
    for round in 0..3 {
        let more = super::lines(&format!("beside-slow-readers-{round}"), 2_000);
        send(&daemon, &more);
        all_stored(&daemon);
        has(&daemon, CALLS + (round + 1) * 2_000);
    }
    assert_eq!(stored(&place), CALLS + 6_000);
    drop(slow);
}

#[test]
fn a_stop_while_the_store_is_away_leaves_the_rest_to_the_next_start() {
    let place = Place::new("0.25");
    let mut daemon = place.start("[flush]\nevery = \"50ms\"\ncalls = 100\n", &[]);
    let lines = lines("stopped", 2_000);
    let lock = rusqlite::Connection::open(place.path("data/callrated.db")).unwrap();
    lock.busy_timeout(PATIENCE).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    send(&daemon, &lines);
    daemon.signal("-TERM");
    assert!(daemon.ended().success(), "{}", daemon.log());
    lock.execute_batch("ROLLBACK").unwrap();
    assert!(stored(&place) < lines.len());
    let daemon = place.start("", &[]);
    has(&daemon, lines.len());
    all_stored(&daemon);
    assert_eq!(stored(&place), lines.len());
}

/// Not an error, but no answer either: a disk or a network under the store that has gone to sleep.
#[test]
fn a_store_that_never_answers_holds_nobody_up_and_a_stop_ends_all_the_same() {
    let place = Place::new("0.25");
    let Some(library) = preload::library(place.folder.path()) else { return };
    let trigger = place.path("the-store-sleeps");
    let environment = [("LD_PRELOAD", library.to_str().unwrap()), ("HANG_STORE_WHILE", trigger.to_str().unwrap())];
    let settings = "[flush]\nevery = \"100ms\"\ncalls = 10000\nmemory = \"64MiB\"\n";
    let daemon = place.start(settings, &environment);
    // The one that the store is asked for is kept in memory beside the others.
    let calls = CALLS + 30_000;
    let lines = lines("sleeping", calls);
    let (before, during) = lines.split_at(5_000);
    send(&daemon, before);
    all_stored(&daemon);

    std::fs::write(&trigger, "").unwrap();
    // One flush is on its way and does not come back; the others are put aside.
    send(&daemon, during);
    has(&daemon, calls);
    store_is_missed(&daemon, "the store has not answered for 5 s");
    wait_for("everything to wait", || daemon.metric("callrated_flush_pending_calls", "") == during.len() as u64);
    wait_for("the spill", || daemon.metric("callrated_flush_spilled_bytes", "") > 0);
    // What fits, and the one that is asked for.
    let bounded = || daemon.metric("callrated_flush_held_bytes", "") <= (64 + 16) << 20;
    wait_for("memory to be within its bound", bounded);
    send(&daemon, &super::lines("one-more", 1));
    has(&daemon, calls + 1);

    std::fs::remove_file(&trigger).unwrap();
    all_stored(&daemon);
    wait_for("readiness", || daemon.ask("GET", "/readyz", "").unwrap().0 == 200);
    wait_for("the spill to be empty", || daemon.metric("callrated_flush_spilled_bytes", "") == 0);
    assert_eq!((daemon.metric("callrated_store_up", ""), stored(&place)), (1, calls + 1));
    assert_eq!(daemon.metric("callrated_books_unbalanced", ""), 0);

    // It falls asleep again, and this time the daemon is stopped before it wakes up.
    std::fs::write(&trigger, "").unwrap();
    send(&daemon, &super::lines("stopped", 1_000));
    let mut daemon = daemon;
    daemon.signal("-TERM");
    assert!(daemon.ended().success(), "{}", daemon.log());
    std::fs::remove_file(&trigger).unwrap();
    let daemon = place.start(settings, &environment);
    has(&daemon, calls + 1_001);
    all_stored(&daemon);
    assert_eq!(stored(&place), calls + 1_001);
}

#[test]
fn a_start_beside_another_writer_of_the_store_is_a_start() {
    let place = Place::new("0.25");
    let lines = lines("beside", 500);
    let daemon = place.start("[flush]\nevery = \"1h\"\n", &[]);
    send(&daemon, &lines);
    daemon.kill();
    let lock = rusqlite::Connection::open(place.path("data/callrated.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    // It recovers from the journal, answers, and takes records; flushes wait.
    let daemon = place.start("[flush]\nevery = \"100ms\"\n", &[]);
    has(&daemon, lines.len());
    store_is_missed(&daemon, "the store is away, ");
    assert_eq!(stored(&place), 0);
    lock.execute_batch("ROLLBACK").unwrap();
    all_stored(&daemon);
    assert_eq!(stored(&place), lines.len());
}

/// Another process has the whole file for itself: a start waits a while and says so, and then ends with a sentence.
#[test]
fn a_start_waits_for_a_store_that_is_locked_whole_and_then_says_so() {
    let place = Place::new("0.25");
    place.start("", &[]).kill();
    let path = place.path("data/callrated.db");
    let lock = || {
        let lock = rusqlite::Connection::open(&path).unwrap();
        lock.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; CREATE TABLE t (a); ROLLBACK").unwrap();
        lock
    };
    let held = lock();
    let refused = callrated::daemon::recover::open_store(&path, std::time::Duration::ZERO);
    let refused = refused.err().expect("a store that is locked");
    assert_eq!(refused.code, 3);
    assert!(refused.message.contains("is locked by another process"), "{refused}");

    let daemon = place.launch("", &[]);
    wait_for("the start to say that it waits", || daemon.log().contains("is locked by another process; waiting"));
    drop(held);
    wait_for("the start", || daemon.ask("GET", "/readyz", "").is_some_and(|(status, _)| status == 200));
    send(&daemon, &lines("after", 10));
    has(&daemon, 10);
}
