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
    let daemon = place.start("[flush]\nevery = \"200ms\"\ncalls = 20000\n", &[]);
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
    wait_for("the store to be missed", || daemon.metric("callrated_store_up", "") == 0);
    has(&daemon, CALLS);
    let (status, why) = daemon.ask("GET", "/readyz", "").unwrap();
    assert!(status == 503 && why.contains("the store is away"), "{why}");
    wait_for("everything to wait", || daemon.metric("callrated_flush_pending_calls", "") == during.len() as u64);
    wait_for("the spill", || daemon.metric("callrated_flush_spilled_bytes", "") > 0);
    assert!(daemon.metric("callrated_flush_held_bytes", "") <= 64 << 20);
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
