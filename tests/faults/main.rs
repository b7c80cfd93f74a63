//! Faults of the environment, played on the program from outside and on its parts from inside: the store away, the disk
//! full, a sync that fails, a damaged journal, nodes and readers that stall.
//!
//! What needs root (a small file system) or a C compiler (a sync that fails) says so when it is left out.

#![allow(
    clippy::disallowed_methods,
    reason = "a test from outside measures the world, so it asks the world for the time"
)]

#[path = "../daemon/mod.rs"]
mod daemon;

mod damage;
mod disk;
mod guard;
mod outage;
mod overload;
mod preload;
mod store;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use daemon::{Daemon, PATIENCE, from_now, record};

/// Who calls in these tests: account `a`.
const CALLER: &str = "+4930231251";

/// One-minute calls with ids of their own, as lines.
fn lines(name: &str, count: usize) -> Vec<String> {
    let answer = from_now(-3600);
    (0..count).map(|n| record(&format!("{name}-{n}"), CALLER, &answer, 1)).collect()
}

/// The month in which those calls lie.
fn period() -> String {
    from_now(-3600)[..7].to_owned()
}

/// A connection with the dialogue.
struct Dialogue {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Dialogue {
    fn open(daemon: &Daemon) -> Dialogue {
        let mut stream = TcpStream::connect(("127.0.0.1", daemon.tcp)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"{\"hello\":1}\n").unwrap();
        let mut dialogue = Dialogue { answers: BufReader::new(stream.try_clone().unwrap()), stream };
        assert!(dialogue.answer().starts_with("{\"hello\":1,"));
        dialogue
    }

    /// The next answer; empty once the connection is closed.
    fn answer(&mut self) -> String {
        let mut answer = String::new();
        // A connection that is reset is closed too.
        let _ = self.answers.read_line(&mut answer);
        answer
    }

    /// Sends lines and waits until they are durable, or until something else is answered, which is given with how many
    /// were durable then.
    fn send(&mut self, lines: &[String], before: usize) -> (usize, String) {
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let mut stream = self.stream.try_clone().unwrap();
        let mut durable = before;
        let writing = std::thread::spawn(move || drop(stream.write_all(text.as_bytes())));
        let other = loop {
            if durable == before + lines.len() {
                break String::new();
            }
            let answer = self.answer();
            match answer.trim_end().strip_prefix("{\"durable\":").and_then(|n| n.strip_suffix('}')) {
                Some(number) => durable = number.parse().unwrap(),
                None => break answer,
            }
        };
        if !other.is_empty() {
            // Whoever still writes into it must end.
            let _ = self.stream.shutdown(std::net::Shutdown::Both);
        }
        writing.join().unwrap();
        (durable, other)
    }
}

/// Sends lines with the dialogue; all must become durable.
#[track_caller]
fn send(daemon: &Daemon, lines: &[String]) {
    let (durable, other) = Dialogue::open(daemon).send(lines, 0);
    assert_eq!((durable, other.as_str()), (lines.len(), ""), "{}", daemon.log());
}

/// Live usage of account `a`: calls and cost.
#[track_caller]
fn usage(daemon: &Daemon) -> (u64, String) {
    let usage = daemon.get(&format!("/v1/accounts/a/usage?period={}", period()));
    let calls = usage["totals"].as_array().unwrap().iter().map(|line| line["calls"].as_u64().unwrap()).sum();
    (calls, usage["cost"].as_str().unwrap().to_owned())
}

/// Asserts that account `a` has so many calls at 0.25, live.
#[track_caller]
fn has(daemon: &Daemon, calls: usize) {
    let cost = rust_decimal::Decimal::new(25, 2) * rust_decimal::Decimal::from(calls);
    let (found, total) = usage(daemon);
    assert_eq!((found, total.parse::<rust_decimal::Decimal>().unwrap()), (calls as u64, cost));
}

/// Waits until everything that was acknowledged is stored: the totals of all accounts are answered from the store then.
fn all_stored(daemon: &Daemon) {
    let path = format!("/v1/periods/{}/usage?limit=1", period());
    // A store that was away a moment ago is said to be away until it has taken something.
    daemon::wait_for("the store", || daemon.ask("GET", &path, "").is_some_and(|(status, _)| status == 200));
}

/// Waits until it is noticed that the store does not take anything: in metrics, in the answer of readiness, and in the log by
/// those words.
fn store_is_missed(daemon: &Daemon, words: &str) {
    daemon::wait_for("the store to be missed", || daemon.metric("callrated_store_up", "") == 0);
    let said = |(status, why): (u16, String)| status == 503 && why.contains("the store is away");
    daemon::wait_for("readiness to say so", || daemon.ask("GET", "/readyz", "").is_some_and(said));
    daemon::wait_for("a word in the log", || daemon.log().contains(words));
}

/// Rows of calls in the store, read beside the daemon.
fn stored(place: &daemon::Place) -> usize {
    let store = rusqlite::Connection::open(place.path("data/callrated.db")).unwrap();
    store.busy_timeout(PATIENCE).unwrap();
    store.query_row("SELECT count(*) FROM call_details", (), |row| row.get::<_, i64>(0)).unwrap() as usize
}
