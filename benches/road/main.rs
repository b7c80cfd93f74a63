//! The whole road: socket → durable → rated → stored, the daemon as its own process, the sender beside it.
//!
//! Makes its records from a seed beforehand, so that the sender only writes. Then, one after the other:
//!
//! - *sink*: the least that anything which keeps records must do (read, find lines, write, sync), the machine's limit;
//! - *flood*: over one connection as fast as it goes, until all are durable, and until all are stored; a hash of the
//!   month's totals, which must not change from run to run;
//! - *replay*: the same records journalled by a daemon that never flushes and is killed; the next one replays them all,
//!   rates and stores them. Its totals must be the same;
//! - *pace*: an open loop at 10, 50 and 80 % of what the flood stored a second: how long from when a record was due to
//!   its acknowledgement, beside the same of the sink, and, of a few records beside them, until their account's usage shows them;
//! - *datagrams*: one record each at a steady pace; what was sent is received or dropped, as the kernel counts;
//! - *posts*: legs that a real FreeSWITCH posted, one at a time to a daemon at rest, until each is answered, sync included.
//!
//! ```text
//! cargo bench --bench road                     1,000,000 records
//! cargo bench --bench road -- --records 5000000
//! cargo bench --bench road -- --only flood     one of them: sink, flood, replay, pace, datagrams, posts
//! cargo bench --bench road -- --only pace --pace 400000 --settings '[flush]
//! calls = 10000'                               so many a second are 100 %, and the daemon has these settings, too
//! cargo bench --bench road -- --test           a small run that only shows that it works
//! ```

// A benchmark measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

mod daemon;
mod senders;
mod sink;
mod visible;
#[path = "../watch/mod.rs"]
mod watch;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use callrated::batch::{Batch, SourceId};
use callrated::time::Timestamp;
use callrated::traffic::recipe::{Caller, Recipe, Traffic};
use callrated::wire::{Decoder, Format, Line, Scratch};
use daemon::{Daemon, folder_bytes};

const RECORDS: u64 = 1_000_000;
const RECORDS_TEST: u64 = 5_000;
/// Records a second where the flood was not measured.
const PACE: u64 = 100_000;
/// Seconds at each pace.
const PACE_SECONDS: u64 = 5;
/// Datagrams a second.
const DATAGRAMS: u64 = 150_000;
/// Posts to a daemon at rest.
const POSTS: usize = 1_000;

/// What is measured, and on how much.
struct Run {
    records: u64,
    lines: Vec<u8>,
    small: bool,
    /// Of the daemon, beside its own.
    settings: String,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|i| arguments.get(i + 1));
    let small = arguments.iter().any(|a| a == "--test");
    let records =
        value("--records").map_or(if small { RECORDS_TEST } else { RECORDS }, |n| n.parse().expect("--records N"));
    let only = value("--only");
    let wanted = |part: &str| only.is_none_or(|only| only == part);

    let settings = value("--settings").cloned().unwrap_or_default();
    let run = Run { records, lines: make(records), small, settings };
    println!("made {records} records, {} bytes each on average", run.lines.len() as u64 / records);
    let mut limit = None;
    if wanted("sink") {
        limit = Some(run.sink());
    }
    let (mut there, mut pace) = (None, value("--pace").map_or(PACE, |n| n.parse().expect("--pace N")));
    if wanted("flood") {
        let (totals, stored) = run.flood(limit);
        pace = (records as f64 / stored.as_secs_f64()) as u64;
        there = Some(totals);
    }
    if wanted("replay") {
        let back = run.replay();
        assert!(there.is_none_or(|there| there == back), "a replay gives other totals");
    }
    if wanted("pace") {
        run.pace(pace);
    }
    if wanted("datagrams") {
        run.datagrams();
    }
    if wanted("posts") {
        let folder = folder();
        let daemon = Daemon::start(folder.path(), "");
        let times = senders::posts(daemon.posts, if small { 20 } else { POSTS });
        println!("posts     {}", percentiles(&times));
    }
}

impl Run {
    /// The machine's limit; the time.
    fn sink(&self) -> Duration {
        let folder = folder();
        let (port, thread) = sink::start(folder.path());
        let time = senders::flood(port, &self.lines, self.records);
        let cpu = thread.join().expect("the sink");
        self.say("sink", time);
        println!("          {:.2} µs of processor time a record", cpu * 1e6 / self.records as f64);
        time
    }

    /// Socket to store, live; the totals, and how long until all were stored.
    fn flood(&self, limit: Option<Duration>) -> (String, Duration) {
        let folder = folder();
        let daemon = Daemon::start(folder.path(), &self.settings);
        let begun = Instant::now();
        let durable = senders::flood(daemon.tcp, &self.lines, self.records);
        let totals = daemon.totals();
        let stored = begun.elapsed();
        self.say("durable", durable);
        self.say("stored", stored);
        let cpu = daemon.cpu_seconds() * 1e6 / self.records as f64;
        println!("          {cpu:.2} µs of processor time a record, all threads");
        self.budget(&daemon.threads());
        println!("          {} bytes of disk a record", folder_bytes(folder.path()) / self.records);
        if let Some(limit) = limit {
            println!("          {:.3} of the sink's speed", limit.as_secs_f64() / stored.as_secs_f64());
        }
        println!("          totals blake3:{}", blake3::hash(totals.as_bytes()).to_hex());
        (totals, stored)
    }

    /// Who spent how much, beside what each may: microseconds of processor time a record.
    fn budget(&self, threads: &BTreeMap<String, f64>) {
        let each = |seconds: f64| seconds * 1e6 / self.records as f64;
        let of = |names: &[&str]| each(names.iter().filter_map(|name| threads.get(*name)).sum());
        // Decoding shares its threads with the sockets, so it is measured once more by itself, over the same lines.
        let decode = each(decode_seconds(&self.lines));
        let doors = of(&["tokio-rt-worker", "callrated"]);
        for (what, took, may) in [
            ("socket", doors - decode, 0.15),
            ("decode", decode, 0.35),
            ("sequence and CRC", of(&["sequencer"]), 0.15),
            ("identity, resolve and rate", of(&["resolver", "shard"]), 0.15 + 0.4),
            ("store", of(&["flush", "store"]), 1.0),
        ] {
            println!("          {took:>5.2} µs {what}{} (budget {may:.2})", if took > may { ", over" } else { "" });
        }
        let known = ["tokio-rt-worker", "callrated", "sequencer", "resolver", "shard", "flush", "store"];
        let others = threads.iter().filter(|(name, _)| !known.contains(&name.as_str()));
        for (name, seconds) in others.filter(|(_, seconds)| each(**seconds) >= 0.01) {
            println!("          {:>5.2} µs {name} (no budget)", each(*seconds));
        }
    }

    /// Journal to store, after a kill; the totals.
    fn replay(&self) -> String {
        let folder = folder();
        let daemon = Daemon::start(folder.path(), "[flush]\nevery = \"1d\"\ncalls = 1000000000\n");
        senders::flood(daemon.tcp, &self.lines, self.records);
        drop(daemon);
        // Until it is ready: the start with nothing to replay is in it, some tens of milliseconds.
        let begun = Instant::now();
        let daemon = Daemon::start(folder.path(), &self.settings);
        let ready = begun.elapsed();
        let totals = daemon.totals();
        self.say("replayed", ready);
        self.say("restored", begun.elapsed());
        let cpu = daemon.cpu_seconds() * 1e6 / self.records as f64;
        println!("          {cpu:.2} µs of processor time a record, all threads");
        totals
    }

    fn pace(&self, capacity: u64) {
        let lines: Vec<&[u8]> = self.lines.split_inclusive(|b| *b == b'\n').collect();
        for percent in [10, 50, 80] {
            let folder = folder();
            let daemon = Daemon::start(folder.path(), &self.settings);
            let per_second = (capacity * percent / 100).max(1);
            let most = if self.small { 500 } else { per_second * PACE_SECONDS };
            let lines = &lines[..lines.len().min(most as usize)];
            let sent = AtomicBool::new(false);
            let (times, seen) = std::thread::scope(|scope| {
                let seen = scope.spawn(|| visible::probe(&daemon, &sent));
                let times = senders::paced(daemon.tcp, lines, per_second);
                sent.store(true, Ordering::Relaxed);
                (times, seen.join().expect("the probe"))
            });
            println!("pace      {percent:>2} %: {per_second} a second: {}", percentiles(&times));
            println!("          until usage shows it: {}", percentiles(&seen));
            println!("          of them for write and sync: {}", daemon.syncs());
            drop(daemon);
            println!("          the sink at that pace: {}", percentiles(&self.sink_at(lines, per_second)));
        }
    }

    /// What the machine allows: the same open loop against the sink.
    fn sink_at(&self, lines: &[&[u8]], per_second: u64) -> Vec<Duration> {
        let folder = folder();
        let (port, thread) = sink::start(folder.path());
        let times = senders::paced(port, lines, per_second);
        thread.join().expect("the sink");
        times
    }

    fn datagrams(&self) {
        let folder = folder();
        let daemon = Daemon::start(folder.path(), "");
        let lines: Vec<&[u8]> = self.lines.split(|b| *b == b'\n').filter(|line| !line.is_empty()).collect();
        let time = senders::datagrams(daemon.udp, &lines, DATAGRAMS);
        let count = |name: &str| daemon.metric(name, "udp:");
        let settled = Instant::now() + Duration::from_secs(30);
        let (mut received, mut dropped) = (0, 0);
        while received + dropped < self.records && Instant::now() < settled {
            std::thread::sleep(Duration::from_millis(50));
            (received, dropped) = (count("callrated_records_received_total"), count("callrated_udp_dropped_total"));
        }
        let lost = self.records - received;
        println!(
            "datagrams {:.0} a second: {received} received, {lost} lost, {dropped} counted as dropped by the kernel",
            self.records as f64 / time.as_secs_f64()
        );
        assert_eq!(lost, dropped, "what was lost was not counted");
    }

    fn say(&self, what: &str, time: Duration) {
        let rate = (self.records as f64 / time.as_secs_f64()) as u64;
        println!("{what:<8} {rate:>9} records/s  ({:.2} s)", time.as_secs_f64());
    }
}

/// Processor time to decode lines into batches as large as a read of a socket makes them.
fn decode_seconds(lines: &[u8]) -> f64 {
    let watch = watch::Watch::start();
    let (mut decoder, mut scratch) = (Decoder::new(Format::Auto, "bench"), Scratch::default());
    let mut batch = Batch::new(SourceId(0));
    for line in lines.split(|byte| *byte == b'\n') {
        if let Ok(Line::Record(record)) = decoder.decode(line, &mut scratch) {
            batch.push_record(&record);
        }
        if batch.len() > 100 << 10 {
            batch = std::hint::black_box(batch.next());
        }
    }
    watch.seconds()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn percentiles(sorted: &[Duration]) -> String {
    let at = |thousandths: usize| sorted[(sorted.len() * thousandths / 1000).min(sorted.len() - 1)].as_secs_f64() * 1e3;
    format!(
        "{:.2} ms median, {:.2} ms p99, {:.2} ms p99.9, {:.2} ms longest, of {}",
        at(500),
        at(990),
        at(999),
        at(1000),
        sorted.len()
    )
}

/// Native records as lines, from one seed; answers lie in one month.
fn make(records: u64) -> Vec<u8> {
    let callers = [("+4930600", "DE"), ("+493023125001", "DE"), ("+12125550100", "US"), ("+442079460000", "GB")];
    let callers = callers.iter().map(|(n, c)| Caller { number: (*n).to_owned(), country: (*c).to_owned() }).collect();
    // Receipt is now, and records older than 90 days are implausible; yesterday's calls are what a node sends.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    let from = Timestamp((now.as_secs() as i64 - 86_400) * 1_000_000);
    let recipe = Recipe { disordered: 0.0, ..Recipe::default() };
    let mut traffic = Traffic::new(recipe, 1, 1, callers, from, "bench");
    let mut lines = Vec::new();
    for _ in 0..records {
        lines.extend_from_slice(traffic.next_record().line.as_bytes());
        lines.push(b'\n');
    }
    lines
}
