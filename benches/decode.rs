//! Nanoseconds a record from bytes to fields, and on into the batch: JSON beside a bare borrowed serde_json, CSV beside
//! csv-core. `cargo bench --bench decode`; with `--test` each runs once over few records.
//!
//! Before anything is measured a hash over all that is decoded is printed: equal hashes, equal work.

use std::borrow::Cow;
use std::hint::black_box;

use callrated::batch::{Batch, SourceId};
use callrated::record::Record;
use callrated::wire::{Decoder, Format, Line, Scratch};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use serde::Deserialize;
use xxhash_rust::xxh3::Xxh3;

fn main() {
    for (name, lines, format) in [("json", json(1000), Format::Json), ("csv", csv(1000), Format::Csv)] {
        println!("{name}: hash of 1000 records {:016x}", hash(&lines, format));
    }
    divan::main();
}

/// Small in a test run, else enough that the lines do not stay in the first-level cache.
fn count() -> usize {
    if std::env::args().any(|a| a == "--test") { 100 } else { 20_000 }
}

fn json(count: usize) -> Vec<String> {
    let line = |i: usize| {
        format!(
            r#"{{"id":"{i:08x}-7d1c-4e0f-9a51","node":"sbc-fra-1","source":"+49301234{:05}","destination":"00441132{:06}","start":"2026-10-05T09:00:00.250Z","answer":"2026-10-05T09:00:07.125Z","duration":{}.{:03},"cause":16,"seq":{i},"codec":"opus"}}"#,
            i % 100_000,
            i * 7 % 1_000_000,
            i % 4000,
            i % 1000,
        )
    };
    (0..count).map(line).collect()
}

fn csv(count: usize) -> Vec<String> {
    let line = |i: usize| {
        format!(
            "{i:08x}-7d1c-4e0f-9a51,sbc-fra-1,+49301234{:05},00441132{:06},2026-10-05T09:00:00.250Z,2026-10-05T09:00:07.125Z,{}.{:03},16,{i},opus",
            i % 100_000,
            i * 7 % 1_000_000,
            i % 4000,
            i % 1000,
        )
    };
    let header = "id,node,source,destination,start,answer,duration,cause,seq,codec".to_owned();
    std::iter::once(header).chain((0..count).map(line)).collect()
}

/// Shows every record of some lines; what is none is left out.
fn records(lines: &[String], format: Format, scratch: &mut Scratch, mut show: impl FnMut(Record<'_>)) {
    let mut decoder = Decoder::new(format, "bench");
    for line in lines {
        if let Ok(Line::Record(record)) = decoder.decode(line.as_bytes(), scratch) {
            show(record);
        }
    }
}

/// Measures work over all lines, and counts lines and bytes.
fn measure<T>(bencher: Bencher<'_, '_>, lines: &[String], work: impl FnMut() -> T) {
    let bytes = BytesCount::new(lines.iter().map(String::len).sum::<usize>());
    bencher.counter(ItemsCount::new(lines.len())).counter(bytes).bench_local(work);
}

fn hash(lines: &[String], format: Format) -> u64 {
    let mut hasher = Xxh3::new();
    let mut canonical = Vec::new();
    records(lines, format, &mut Scratch::default(), |record| {
        canonical.clear();
        record.encode(&mut canonical);
        hasher.update(&canonical);
    });
    hasher.digest()
}

fn decode(bencher: Bencher<'_, '_>, lines: Vec<String>, format: Format) {
    let mut scratch = Scratch::default();
    measure(bencher, &lines, || {
        let mut sum = 0;
        records(&lines, format.clone(), &mut scratch, |record| sum += black_box(record).duration.map_or(0, |d| d.0));
        sum
    });
}

#[divan::bench]
fn json_decode(bencher: Bencher<'_, '_>) {
    decode(bencher, json(count()), Format::Json);
}

#[divan::bench]
fn csv_decode(bencher: Bencher<'_, '_>) {
    decode(bencher, csv(count()), Format::Csv);
}

#[divan::bench]
fn json_decode_and_encode(bencher: Bencher<'_, '_>) {
    let lines = json(count());
    let mut scratch = Scratch::default();
    measure(bencher, &lines, || {
        let mut batch = Batch::new(SourceId(0));
        let mut sum = 0;
        records(&lines, Format::Json, &mut scratch, |record| {
            batch.push_record(&record);
            if batch.len() > 1 << 20 {
                sum += std::mem::replace(&mut batch, Batch::new(SourceId(0))).len();
            }
        });
        sum + batch.len()
    });
}

/// The same fields, numbers as floats, instants as text: the least any decoder on serde_json does.
#[derive(Deserialize)]
#[allow(dead_code)]
struct Bare<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    node: Option<Cow<'a, str>>,
    #[serde(borrow)]
    account: Option<Cow<'a, str>>,
    #[serde(borrow)]
    direction: Option<Cow<'a, str>>,
    #[serde(borrow)]
    forwarded_by: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    destination: Cow<'a, str>,
    #[serde(borrow)]
    start: Option<Cow<'a, str>>,
    #[serde(borrow)]
    answer: Option<Cow<'a, str>>,
    #[serde(borrow)]
    end: Option<Cow<'a, str>>,
    duration: Option<f64>,
    cause: Option<u32>,
    seq: Option<u64>,
}

#[divan::bench]
fn json_bare_serde(bencher: Bencher<'_, '_>) {
    let lines = json(count());
    measure(bencher, &lines, || {
        let mut sum = 0.0;
        for line in &lines {
            if let Ok(bare) = serde_json::from_str::<Bare<'_>>(line) {
                sum += black_box(bare).duration.unwrap_or_default();
            }
        }
        sum
    });
}

#[divan::bench]
fn csv_core(bencher: Bencher<'_, '_>) {
    let lines = csv(count());
    let text = lines.join("\n");
    measure(bencher, &lines, || {
        let mut reader = csv_core::Reader::new();
        let (mut out, mut ends) = ([0; 1024], [0; 32]);
        let mut rest = text.as_bytes();
        let mut sum = 0;
        while !rest.is_empty() {
            let (_, read, _, cells) = reader.read_record(rest, &mut out, &mut ends);
            rest = &rest[read..];
            sum += cells;
        }
        sum
    });
}
