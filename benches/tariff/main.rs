//! A large tariff's life: compiled, opened and checked, put in force while calls flow, and compared with what it costs.
//!
//! - *compile*: from the deck's text to the image; bytes of the image a prefix, destination names apart; the most memory
//!   that the process held so far;
//! - *open*: mapped and checked whole, as a start or an activation does it; the least of several;
//! - *routes*: sold against bought, prefix by prefix, where a second deck says what the first one costs us;
//! - *swap*: a daemon takes records at a steady pace while two tariffs take turns, twice a second; how long from when a
//!   record was due to its acknowledgement, without swaps and with them;
//! - *try*: `callrated tariff try` on a month of stored calls of a thousand accounts, of which two in a hundred wait, and on one
//!   of which half wait: stored calls a second, and a hash of the answer. `cargo bench --bench rerate` measures the same without
//!   the command around it.
//!
//! ```text
//! cargo bench --bench tariff                  32 thousand, 543 thousand, 5 million rows; swaps with 543 thousand
//! cargo bench --bench tariff -- --only 543k   one size
//! cargo bench --bench tariff -- --only swap   or try
//! cargo bench --bench tariff -- --test        a small run that only shows that it works
//! ```
//!
//! The rows are generated, with a real deck's mix of lengths; compile, open and routes are processor time, swaps are not.

// A benchmark measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

#[path = "../road/daemon.rs"]
#[allow(dead_code)]
mod daemon;
#[path = "../road/senders.rs"]
#[allow(dead_code)]
mod senders;
#[path = "../scene/mod.rs"]
mod scene;
#[path = "../lookup/sets.rs"]
#[allow(dead_code)]
mod sets;
#[path = "../stored/mod.rs"]
mod stored;
#[path = "../watch/mod.rs"]
mod watch;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use callrated::money::Money;
use callrated::os::map::map_file;
use callrated::rating;
use callrated::tariff::{self, PlanId, RatesText, Tariff};
use callrated::time::{Micros, Timestamp, parse_rfc3339};
use callrated::traffic::recipe::{Caller, Recipe, Traffic};
use daemon::Daemon;
use stored::{MONTH, Mix, Stored};
use watch::Watch;

const SIZES: [(&str, usize); 3] = [("32k", 32_000), ("543k", 543_000), ("5M", 5_000_000)];
/// Records a second under which tariffs are swapped: half of what two cores rate.
const PACE: u64 = 100_000;
const SECONDS: u64 = 20;
/// How often another tariff is put in force.
const SWAP_EVERY: Duration = Duration::from_millis(500);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let small = arguments.iter().any(|a| a == "--test");
    let only = arguments.iter().position(|a| a == "--only").and_then(|i| arguments.get(i + 1));
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    for (name, rows) in SIZES {
        if wanted(name) && (!small || name == "32k") {
            life(name, if small { 2_000 } else { rows });
        }
    }
    if wanted("swap") {
        swap(small);
    }
    if wanted("try") {
        trial(if small { 2_000 } else { 1_000_000 });
    }
}

/// A deck of so many rows: some 40 prices, and a destination for every 50 rows or so.
fn deck(rows: usize, dearer: u32) -> (Vec<u8>, usize, usize) {
    let mut csv = String::from("prefix,destination,rate,connect_fee,initial,increment\n");
    let mut names = BTreeSet::new();
    let prefixes = sets::generated(rows);
    for (i, prefix) in prefixes.iter().enumerate() {
        let price = (i / 7 % 37) as u32 * 13 + 11 + dearer;
        let name = format!("Destination {}", i / 50);
        let steps = if i % 3 == 0 { "60,60" } else { "1,1" };
        let _ = writeln!(csv, "{prefix},{name},0.{price:05},,{steps}");
        names.insert(name);
    }
    (csv.into_bytes(), names.iter().map(|name| name.len() + 2).sum(), prefixes.len())
}

fn text(decks: Vec<(String, Vec<u8>)>, plan: &str) -> RatesText {
    let rates = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
    let read = |name: &str| std::fs::read(rates.join(name)).expect("the shipped rates");
    let plans = format!("[plan.p]\ncountry = \"DE\"\ncurrency = \"EUR\"\noverage = \"deck\"\n{plan}\n");
    RatesText {
        countries: read("countries.toml"),
        numbering: read("numbering.csv"),
        plans: plans.into_bytes(),
        decks,
        ..RatesText::default()
    }
}

fn compiled(text: &RatesText) -> tariff::Compiled {
    tariff::compile(text).unwrap_or_else(|findings| panic!("{:#?}", findings.first()))
}

fn life(name: &str, rows: usize) {
    let (csv, names, prefixes) = deck(rows, 0);
    let base = compiled(&text(vec![("one".into(), b"prefix,rate\n1,1\n".to_vec())], "decks = [\"one\"]")).image.len();
    let one = text(vec![("world".into(), csv)], "decks = [\"world\"]");
    let began = Watch::start();
    let image = compiled(&one).image;
    let seconds = began.seconds();
    let of_rows = image.len().saturating_sub(base + names);
    println!(
        "compile {name:<5} {seconds:.3} s for {prefixes} rows, {} MiB, {:.1} bytes a prefix without names; most memory {} MiB",
        image.len() >> 20,
        of_rows as f64 / prefixes as f64,
        peak_mib(),
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("image");
    std::fs::write(&path, &image).expect("an image");
    drop(image);
    let mut least = f64::MAX;
    let mut digest = String::new();
    for _ in 0..5 {
        let began = Watch::start();
        let tariff = Tariff::open(map_file(&path).expect("the image")).expect("an image");
        least = least.min(began.seconds());
        digest = tariff.digest().to_owned();
    }
    println!("open    {name:<5} {:.1} ms, most memory {} MiB, blake3:{digest}", least * 1e3, peak_mib());
    if rows > 1_000_000 {
        return;
    }
    let decks = vec![("world".into(), deck(rows, 0).0), ("carrier".into(), deck(rows, 3).0)];
    let both = compiled(&text(decks, "decks = [\"world\"]\ncost_decks = [\"carrier\"]"));
    let tariff = Tariff::open(Bytes::from(both.image)).expect("an image");
    let at = parse_rfc3339(b"2026-10-05T09:00:00Z").expect("an instant");
    let began = Watch::start();
    let sums = rating::sums(&tariff, PlanId(0), at, Micros::seconds(60), Money::ZERO);
    println!(
        "routes  {name:<5} {:.3} s: {} known, {} below, {} unknown",
        began.seconds(),
        sums.known,
        sums.below,
        sums.unknown
    );
}

/// A daemon under load, at first with one tariff and then with two that take turns.
fn swap(small: bool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rates = folder.path().join("rates");
    ship(&rates);
    let rows = if small { 2_000 } else { 543_000 };
    let put = |dearer: u32| std::fs::write(rates.join("decks/world-eur.csv"), deck(rows, dearer).0).expect("a deck");
    put(0);
    let daemon = Daemon::start_with(folder.path(), &rates, "");
    let first = daemon.tariff();
    put(1);
    daemon.post("/v1/tariff/reload", "{}");
    let second = daemon.tariff();
    assert_ne!(first, second, "the second tariff was not taken");
    let (per_second, count) = if small { (500, 500) } else { (PACE, PACE * SECONDS) };
    let text = make(2 * count);
    let lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
    let (still, moving) = lines.split_at(count as usize);
    let times = senders::paced(daemon.tcp, still, per_second);
    println!("still   {rows} rows, {per_second} records a second: {}", percentiles(&times));
    let done = AtomicBool::new(false);
    let (times, swaps) = std::thread::scope(|scope| {
        let swapping = scope.spawn(|| {
            let mut swaps = 0_u32;
            while !done.load(Ordering::Relaxed) || swaps == 0 {
                let next = if swaps.is_multiple_of(2) { &first } else { &second };
                daemon.post("/v1/tariff/activate", &format!("{{\"tariff\":\"{next}\"}}"));
                swaps += 1;
                std::thread::sleep(SWAP_EVERY);
            }
            swaps
        });
        let times = senders::paced(daemon.tcp, moving, per_second);
        done.store(true, Ordering::Relaxed);
        (times, swapping.join().expect("the swaps"))
    });
    println!("swap    {rows} rows, {per_second} records a second, {swaps} swaps: {}", percentiles(&times));
    let durable = daemon.metric("callrated_records_durable_total", "");
    assert_eq!(durable, 2 * count, "records are missing");
}

/// A stored month by the rates folder, whose United Kingdom is not the one in force.
fn trial(calls: u32) {
    let rates = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
    for strangers in [2, 50] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stored = Stored::new(folder.path(), Mix { strangers, ..Mix::plain(calls) });
        let config = format!("data_dir = {:?}\nrates_dir = {rates:?}\n", folder.path());
        std::fs::write(folder.path().join("callrated.toml"), config).expect("a configuration");
        let began = std::time::Instant::now();
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_callrated"))
            .current_dir(folder.path())
            .args(["tariff", "try", "--json", "--period", &MONTH.to_string(), "--tariff"])
            .arg(&rates)
            .output()
            .expect("the command");
        let seconds = began.elapsed().as_secs_f64();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let all = stored.rated + stored.waiting;
        println!(
            "try     {:.0} stored calls a second ({} rated and {} that wait in {seconds:.2} s, the rates' compilation among them), blake3:{}",
            all as f64 / seconds,
            stored.rated,
            stored.waiting,
            blake3::hash(&done.stdout).to_hex()
        );
    }
}

/// The shipped rates folder, copied.
fn ship(rates: &Path) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
    std::fs::create_dir_all(rates.join("decks")).expect("a folder");
    for folder in ["", "decks"] {
        for file in std::fs::read_dir(shipped.join(folder)).expect("the shipped rates") {
            let file = file.expect("a file").path();
            if file.is_file() {
                let name = file.file_name().expect("a name");
                std::fs::copy(&file, rates.join(folder).join(name)).expect("a copy");
            }
        }
    }
}

fn make(records: u64) -> Vec<u8> {
    let callers = [("+4930600", "DE"), ("+493023125001", "DE"), ("+12125550100", "US"), ("+442079460000", "GB")];
    let callers = callers.iter().map(|(n, c)| Caller { number: (*n).to_owned(), country: (*c).to_owned() }).collect();
    // Records older than 90 days are implausible; yesterday's calls are what a node sends.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    let from = Timestamp((now.as_secs() as i64 - 86_400) * 1_000_000);
    let mut traffic = Traffic::new(Recipe { disordered: 0.0, ..Recipe::default() }, 1, 1, callers, from, "bench");
    let mut lines = Vec::new();
    for _ in 0..records {
        lines.extend_from_slice(traffic.next_record().line.as_bytes());
        lines.push(b'\n');
    }
    lines
}

fn percentiles(sorted: &[Duration]) -> String {
    let at = |thousandths: usize| sorted[(sorted.len() * thousandths / 1000).min(sorted.len() - 1)].as_secs_f64() * 1e3;
    format!("p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, longest {:.2} ms", at(500), at(990), at(999), at(1000))
}

/// The most memory that this process ever held, as the kernel says.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) >> 10
}
