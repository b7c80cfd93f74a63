//! How cost grows: with accounts, with what they call, with shards, and (by a model) with cores that this machine lacks.
//!
//! - *accounts*: a daemon with so many accounts takes one call to a mobile number at home of each, or more where they are
//!   few, then one abroad of each: calls stored a second, processor time by part, how long a start takes, how long until it
//!   answers what an account has used, and how much of the daemon's own memory (mapped files are not in it) an account takes
//!   before and after, at a start, when nothing is under way; what a daemon of a thousand accounts takes is taken off;
//! - *shards*: the flood of the road with one shard and with two;
//! - *model*: a queueing network of the road's parts ([`model`]), fed with what *shards* measured: records a second on 1, 2, 4
//!   and 8 cores, which part is the limit, and how long a record waits until it is rated. Its answer for two cores stands
//!   beside what was measured.
//!
//! ```text
//! cargo bench --bench scaling                              1 thousand, 100 thousand and 1 million accounts
//! cargo bench --bench scaling -- --accounts 5000000        another number beside a thousand, each called once
//! cargo bench --bench scaling -- --accounts 5000000 --records 1000000     a million of them are called, of each kind
//! cargo bench --bench scaling -- --only shards             and the model; or accounts
//! cargo bench --bench scaling -- --test                    a small run that only shows that it works
//! ```

// A benchmark measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

#[path = "../road/daemon.rs"]
#[allow(dead_code)]
mod daemon;
mod model;
#[path = "../road/senders.rs"]
#[allow(dead_code)]
mod senders;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use callrated::time::Timestamp;
use daemon::Daemon;
use model::{Cores, Part};

const RECORDS: usize = 1_000_000;
/// Records that come in one read of a socket: 64 KiB of lines.
const FRAME: f64 = 350.0;
/// How the called numbers begin; seven digits follow.
const HOME: &str = "01511";
const ABROAD: &str = "003361";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|i| arguments.get(i + 1));
    let small = arguments.iter().any(|a| a == "--test");
    let only = value("--only");
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    if wanted("accounts") {
        let (few, many): (usize, Vec<usize>) = match value("--accounts") {
            _ if small => (10, vec![200]),
            Some(n) => (1_000, vec![n.parse().expect("--accounts N")]),
            None => (1_000, vec![100_000, 1_000_000]),
        };
        let least = if small { 1_000 } else { RECORDS };
        let told = value("--records").map(|n| n.parse().expect("--records N"));
        for many in many {
            let records = told.unwrap_or(least.max(many));
            let (base, grown) = (accounts(few, records), accounts(many, records));
            if many == few {
                continue;
            }
            let taken = |at: usize| (grown[at] - base[at]) as f64;
            let (all, called) = ((many - few) as f64, (many.min(records) - few.min(records)) as f64);
            println!(
                "memory   {:.0} bytes an account, {:.0} more when it called one type, {:.0} for another",
                taken(0) / all,
                (taken(1) - taken(0)) / called,
                (taken(2) - taken(1)) / called
            );
        }
    }
    if wanted("shards") {
        let records = if small { 2_000 } else { RECORDS };
        let one = flood(1, records);
        let two = flood(2, records);
        let mut speeds = BTreeMap::new();
        for cores in [1, 2, 4, 8] {
            let found = model::run(&two.parts, Cores(cores), FRAME, two.sync);
            println!("model    {cores} cores: {found}");
            speeds.insert(cores, found.per_second);
        }
        println!("measured 2 cores: 1 shard {:.0} records/s, 2 shards {:.0}", one.per_second, two.per_second);
        println!("         the model's two cores are {:.2} of it", speeds[&2] / two.per_second);
    }
}

/// A rates folder of so many accounts, each with a number and an allowance of its own.
fn rates(folder: &Path, count: usize) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
    let copy = |name: &str| std::fs::copy(shipped.join(name), folder.join(name)).expect("the shipped rates");
    for name in ["countries.toml", "numbering.csv", "plans.toml"] {
        copy(name);
    }
    std::fs::create_dir(folder.join("decks")).expect("a folder");
    for deck in std::fs::read_dir(shipped.join("decks")).expect("the shipped decks").flatten() {
        std::fs::copy(deck.path(), folder.join("decks").join(deck.file_name())).expect("a shipped deck");
    }
    let mut accounts = String::from("account,plan,country,billing_start,timezone\n");
    let mut numbers = String::from("number,account\n");
    for i in 0..count {
        let _ = writeln!(accounts, "a{i},de-business,DE,2020-01-01,Europe/Berlin");
        let _ = writeln!(numbers, "+4930{i:08},a{i}");
    }
    std::fs::write(folder.join("accounts.csv"), accounts).expect("accounts");
    std::fs::write(folder.join("numbers.csv"), numbers).expect("numbers");
}

/// Calls of all accounts in turn, in an order that no cache helps, of yesterday.
fn lines(count: usize, records: usize, run: &str, destination: &str) -> Vec<u8> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    let from = (now.as_secs() as i64 - 86_400) * 1_000_000;
    let mut text = String::new();
    for i in 0..records {
        // A prime that divides no number of accounts used here.
        let account = i * 15_485_863 % count;
        let (at, seconds) = (Timestamp(from + i as i64 * 10_000), 20 + i % 200);
        let _ = writeln!(
            text,
            r#"{{"id":"{run}-{i:x}","node":"bench","source":"+4930{account:08}","destination":"{destination}{:07}","start":"{at}","answer":"{at}","duration":{seconds},"cause":16,"seq":{i}}}"#,
            i % 9_000_000 + 1_000_000
        );
    }
    text.into_bytes()
}

/// Bytes of memory of its own that a daemon has at its start when no account has called, when all have called home, and
/// when all have called abroad too. At its start, since then nothing is under way.
fn accounts(count: usize, records: usize) -> [i64; 3] {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let own = folder.path().join("rates");
    std::fs::create_dir(&own).expect("a folder");
    rates(&own, count);
    // A start reads files again that were written just before they were last read.
    std::thread::sleep(Duration::from_millis(2_500));
    let start = || Daemon::start_with(folder.path(), &own, "");
    let begun = Instant::now();
    start().stop();
    println!("accounts {count}: rates compiled in {:.2} s, the start with it", begun.elapsed().as_secs_f64());
    let ready = || {
        let begun = Instant::now();
        let daemon = start();
        let ready = begun.elapsed().as_secs_f64() * 1e3;
        daemon.usage("a0");
        let (whole, memory) = (begun.elapsed().as_secs_f64() * 1e3, daemon.own_memory());
        println!(
            "         ready in {ready:.0} ms, tells usage after {whole:.0} ms, {} kB of memory of its own",
            memory >> 10
        );
        (daemon, memory)
    };
    let (mut daemon, unused) = ready();
    let mut memory = vec![unused];
    for destination in [HOME, ABROAD] {
        let lines = lines(count, records, destination, destination);
        let before = daemon.threads();
        let begun = Instant::now();
        senders::flood(daemon.tcp, &lines, records as u64);
        let totals = daemon.totals();
        let took = begun.elapsed().as_secs_f64();
        let parts = spent(&before, &daemon.threads(), records);
        println!(
            "         {destination}: {:.0} records/s; {} µs; totals blake3:{}",
            records as f64 / took,
            parts.iter().map(|(name, micros)| format!("{name} {micros:.2}")).collect::<Vec<_>>().join(", "),
            &blake3::hash(totals.as_bytes()).to_hex()[..16]
        );
        daemon.stop();
        let now;
        (daemon, now) = ready();
        memory.push(now);
    }
    [memory[0], memory[1], memory[2]]
}

/// Microseconds a record of each kind of thread.
fn spent(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, records: usize) -> BTreeMap<&'static str, f64> {
    let names = [
        ("tokio-rt-worker", "doors"),
        ("callrated", "doors"),
        ("sequencer", "sequencer"),
        ("resolver", "resolver"),
        ("shard", "shards"),
        ("flush", "flush"),
        ("store", "store"),
    ];
    let mut parts = BTreeMap::new();
    for (thread, part) in names {
        let seconds = |of: &BTreeMap<String, f64>| of.get(thread).copied().unwrap_or(0.0);
        *parts.entry(part).or_insert(0.0) += (seconds(after) - seconds(before)) * 1e6 / records as f64;
    }
    parts
}

/// What a flood measured.
struct Flood {
    per_second: f64,
    parts: Vec<Part>,
    sync: Duration,
}

fn flood(shards: usize, records: usize) -> Flood {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let own = folder.path().join("rates");
    std::fs::create_dir(&own).expect("a folder");
    rates(&own, 1_000.min(records));
    let lines = lines(1_000.min(records), records, "f", HOME);
    let daemon = Daemon::start_above(folder.path(), &own, &format!("shards = {shards}"), "");
    let before = daemon.threads();
    let (begun, sending) = (Instant::now(), daemon::cpu_seconds("self"));
    senders::flood(daemon.tcp, &lines, records as u64);
    let sending = (daemon::cpu_seconds("self") - sending) * 1e6 / records as f64;
    daemon.totals();
    let per_second = records as f64 / begun.elapsed().as_secs_f64();
    let spent = spent(&before, &daemon.threads(), records);
    let text = spent.iter().map(|(name, micros)| format!("{name} {micros:.2}")).collect::<Vec<_>>().join(", ");
    println!("shards   {shards}: {per_second:.0} records/s stored; sender {sending:.2}, {text} µs");
    // In the order of the road. The sender is on these cores too.
    let of = |name: &str| spent.get(name).copied().unwrap_or(0.0);
    let parts = vec![
        Part::new("sender", sending, Some(1)),
        Part::new("doors", of("doors"), None),
        Part::new("sequencer", of("sequencer"), Some(1)).syncs(),
        Part::new("resolver", of("resolver"), Some(1)),
        Part::new("shards", of("shards"), None).rates(),
        Part::new("flush", of("flush"), Some(1)),
        Part::new("store", of("store"), Some(1)),
    ];
    Flood { per_second, parts, sync: daemon.sync_mean() }
}
