//! Stored calls rated again: read from the store, resolved and priced under what is known, compared; and written as revisions.
//! Then their month is sealed: all of it put in canonical order, rated, and written into a manifest.
//!
//! `cargo bench --bench rerate -- [--calls N] [--threads N] [--folder PATH] [--only dry|draft|seal]`; `--test` runs it small. The
//! calls are rated under the tariff of the `rates` folder; a second one, in force from before the month on, prices the United
//! Kingdom otherwise, so that a tenth of the calls changes and no allowance is drawn anew. A hash of the digests and the report
//! is printed.

mod scene;

use std::path::Path;
use std::sync::Arc;

use callrated::batch::{Position, SourceId};
use callrated::call::{AccountKey, GroupKey, LegKey, TariffSlot};
use callrated::directory::{self, Directory};
use callrated::entry::{RerateBegin, RerateScope, SourceProfile};
use callrated::images::Images;
use callrated::os::clock::Clock;
use callrated::os::disk::RealDisk;
use callrated::period::rerate::{HELD, Run, THREADS, rate};
use callrated::period::{Progress, Seals};
use callrated::rating::{self, Draws, Resolution, Standing, World};
use callrated::record::Record;
use callrated::store::sqlite::SqliteStore;
use callrated::store::{
    Account, ActivationRow, BasisText, CallRow, FlushBatch, GroundsOf, Group, RerateRow, SourceRow, Store,
};
use callrated::tariff::{self, RatesText, Tariff};
use callrated::time::{Micros, Period, Timestamp, parse_rfc3339};
use scene::rates;

const MONTH: Period = Period(2026 * 12 + 9);
const ACCOUNTS: u32 = 1000;
/// Calls of a flush.
const FLUSH: u32 = 50_000;

fn main() {
    // In a test run nobody says `--bench`.
    let whole = std::env::args().any(|argument| argument == "--bench");
    let (mut calls, mut threads, mut folder) = (if whole { 1_000_000_u32 } else { 2_000 }, THREADS, None);
    let mut only = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--test" => calls = 2_000,
            "--calls" => calls = arguments.next().and_then(|n| n.parse().ok()).expect("a number"),
            "--threads" => threads = arguments.next().and_then(|n| n.parse().ok()).expect("a number"),
            "--folder" => folder = arguments.next(),
            "--only" => only = arguments.next(),
            // cargo passes `--bench`.
            _ => {}
        }
    }
    let folder = match folder {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a temporary folder");
    let scene = Scene::new(folder.path(), calls);
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    let asked = |name: &str| only.as_ref().is_none_or(|only| only == name);
    let at = Position(u64::MAX >> 2);
    for (name, what, draft) in [("dry", "dry run", None), ("draft", "with its draft", Some(1))] {
        if !asked(name) {
            continue;
        }
        let scope = RerateScope { first: MONTH.0, last: MONTH.0, ..RerateScope::default() };
        let begin = RerateBegin { scope, at: scene.begin.0, ..RerateBegin::default() };
        let run =
            Run { store: scene.store.as_ref(), images: &scene.images, at, begin: &begin, draft, threads, held: HELD };
        let clock = Clock::wall();
        let began = clock.running();
        let (report, drafted) = rate(&run, &Progress::default()).expect("it is rated");
        let seconds = clock.since(began).as_secs_f64();
        println!(
            "{what:<16} {:>9.0} stored calls/s ({} read, {} change, {threads} threads)",
            report.read as f64 / seconds,
            report.read,
            report.changed
        );
        assert!(report.read >= u64::from(calls) && report.changed > 0 && report.follow_on == 0);
        hash.update(format!("{:?}", report.total).as_bytes());
        hash.update(drafted.map_or_else(String::new, |(draft, _)| draft.digest).as_bytes());
    }
    if asked("seal") {
        let seals =
            Seals::new(scene.store.clone(), scene.images.clone(), Arc::new(RealDisk), &folder.path().join("aside"));
        let clock = Clock::wall();
        let began = clock.running();
        let draft = seals.draft(MONTH, at).expect("it is sealed");
        let seconds = clock.since(began).as_secs_f64();
        let (read, rated) = seals.progress().get();
        println!("{:<16} {:>9.0} stored calls/s ({read} read, {rated} rated)", "seal", read as f64 / seconds);
        assert!(read >= u64::from(calls) && rated + 1 >= read && !draft.superseded.is_empty());
        hash.update(draft.digest.as_bytes());
    }
    println!("totals {:016x}", hash.digest());
}

struct Scene {
    store: Arc<SqliteStore>,
    images: Arc<Images>,
    begin: Timestamp,
}

impl Scene {
    fn new(folder: &Path, calls: u32) -> Scene {
        let store = Arc::new(SqliteStore::open(&folder.join("callrated.db")).unwrap());
        let images = Arc::new(Images::open(&folder.join("images")).unwrap());
        let text = rates();
        let compiled =
            |text: &RatesText| tariff::compile(text).unwrap_or_else(|findings| panic!("{findings:#?}")).image;
        let first = images.keep_tariff(&compiled(&text)).unwrap();
        let mut other = text;
        for (_, deck) in &mut other.decks {
            *deck = String::from_utf8(std::mem::take(deck))
                .unwrap()
                .replace("\n44,United Kingdom,", "\n44,United Kingdom,9")
                .into();
        }
        let second = images.keep_tariff(&compiled(&other)).unwrap();
        let (accounts, numbers) = accounts();
        let (image, _) = directory::compile(accounts.as_bytes(), numbers.as_bytes())
            .unwrap_or_else(|findings| panic!("{findings:#?}"));
        let directory = images.keep_directory(&image).unwrap();
        let begin = parse_rfc3339(b"2026-10-05T09:00:00Z").unwrap();
        let scene = Scene { store, images, begin };
        scene.found(&first, &second, &directory);
        scene.fill(calls, &first, &directory);
        scene
    }

    /// What rows refer to.
    fn found(&self, first: &Tariff, second: &Tariff, directory: &Directory) {
        let accounts: Vec<Account> =
            (0..ACCOUNTS).map(|i| Account { key: AccountKey(i), name: format!("a{i}") }).collect();
        let groups: Vec<Group> = (0..ACCOUNTS).map(|i| Group { key: GroupKey(i), name: format!("a{i}") }).collect();
        let row = |slot: u32, digest: &str| ActivationRow {
            slot,
            position: Position(1),
            digest: digest.to_owned(),
            effective_from: None,
            activated_at: self.begin,
            by: "bench".to_owned(),
        };
        let profile = serde_json::to_string(&profile()).unwrap();
        let batch = FlushBatch {
            accounts: &accounts,
            groups: &groups,
            tariffs: &[row(0, first.digest()), row(1, second.digest())],
            directories: &[row(0, directory.digest())],
            sources: &[SourceRow { source: SourceId(0), position: Position(1), json: profile }],
            rerated: &[RerateRow::Begun { run: 1, at: Position(2), entry: String::new() }],
            books: &[("period/2026-10/legs", 1)],
            ..FlushBatch::empty(Position(0), Position(100), self.begin)
        };
        self.store.flush(&batch).unwrap();
    }

    fn fill(&self, calls: u32, tariff: &Tariff, directory: &Directory) {
        let world = World { directory, tariff, slot: TariffSlot(0) };
        let describe = |_: &_| BasisText { tariff: tariff.digest().to_owned(), ..BasisText::default() };
        let profile = profile();
        let mut random = 88_172_645_463_325_252_u64;
        let (mut from, mut draws) = (100, Draws::default());
        for flush in (0..calls).step_by(FLUSH as usize) {
            let some: Vec<Call> =
                (flush..calls.min(flush + FLUSH)).map(|i| Call::any(&mut random, self.begin, i)).collect();
            let mut rows = Vec::with_capacity(some.len() * 2);
            for (i, call) in some.iter().enumerate() {
                let record = call.record();
                let Resolution::Legs(first, second) = rating::resolve(&record, call.answer, &profile, world) else {
                    continue;
                };
                for leg in [first, second].into_iter().flatten() {
                    // Nobody comes to the end of his minutes: allowances are another matter.
                    let Ok(rated) = rating::rate(&leg, world, leg.period(world), Standing::of(&0), &mut draws) else {
                        continue;
                    };
                    let key =
                        LegKey { position: Position(u64::from(flush) * 200 + 100 + i as u64), leg: leg.direction };
                    let name = directory.row(leg.account_row).name();
                    let account = name[1..].parse().unwrap();
                    rows.push(CallRow {
                        call: rated.call(&leg, key, AccountKey(account), GroupKey(account)),
                        node: record.node,
                        id: record.id,
                        source_dialled: record.source,
                        destination_dialled: record.destination,
                        start: None,
                        grounds: Some(GroundsOf {
                            source: SourceId(0),
                            profile: Position(1),
                            directory: 0,
                            direction: None,
                            account: b"",
                            forwarded_by: b"",
                            routing_number: b"",
                            carrier: b"",
                        }),
                        revision: 0,
                        run: None,
                        named_tariff: false,
                        costs: None,
                        draws: b"",
                    });
                }
            }
            let upto = 100 + u64::from(flush + FLUSH) * 200;
            let batch = FlushBatch::empty(Position(from), Position(upto), self.begin);
            self.store.flush(&FlushBatch { calls: &rows, describe: &describe, ..batch }).unwrap();
            from = upto;
        }
        let end = Position((u64::MAX >> 2) + 1);
        self.store.flush(&FlushBatch::empty(Position(from), end, self.begin)).unwrap();
    }
}

fn profile() -> SourceProfile {
    SourceProfile { country: "DE".into(), max_age_days: 90, ..SourceProfile::default() }
}

struct Call {
    id: String,
    source: String,
    destination: String,
    answer: Timestamp,
    duration: Micros,
}

impl Call {
    /// Seven of ten calls stay at home, two go abroad, one goes to another account.
    fn any(random: &mut u64, begin: Timestamp, i: u32) -> Call {
        let mut next = |below: u64| {
            // xorshift64: a fixed sequence is all that is wanted.
            *random ^= *random << 13;
            *random ^= *random >> 7;
            *random ^= *random << 17;
            *random % below
        };
        let account = next(u64::from(ACCOUNTS));
        let american = account % 4 == 0;
        let source = if american { format!("+1212555{account:04}") } else { format!("03023125{account:04}") };
        let (abroad, digits) = (if american { "011" } else { "00" }, next(10_000_000));
        let destination = match (next(10), american) {
            (0, _) => format!("+493023125{:04}", next(250) * 4 + 1),
            (1, _) => format!("{abroad}4420{digits:07}0"),
            (2, _) => format!("{abroad}551198{digits:07}"),
            (_, true) => format!("1415{digits:07}"),
            (_, false) => format!("0151{digits:07}1"),
        };
        let answer = Timestamp(begin.0 + i64::from(i) * 1_000_000);
        Call {
            id: format!("{:032x}", u128::from(next(u64::MAX))),
            source,
            destination,
            answer,
            duration: Micros(next(300_000_000) as i64),
        }
    }

    fn record(&self) -> Record<'_> {
        Record {
            id: self.id.as_bytes(),
            node: b"lab",
            source: self.source.as_bytes(),
            destination: self.destination.as_bytes(),
            answer: Some(self.answer),
            duration: Some(self.duration),
            ..Record::default()
        }
    }
}

/// Accounts with one number each, German ones and every fourth American.
fn accounts() -> (String, String) {
    let mut accounts = "account,plan,country,billing_start,timezone,language,extensions\n".to_owned();
    let mut numbers = "number,account,valid_from,valid_to\n".to_owned();
    for i in 0..ACCOUNTS {
        let (plan, country, zone, number) = match i % 4 {
            0 => ("us-business", "US", "America/New_York", format!("1212555{i:04}")),
            _ => ("de-business", "DE", "Europe/Berlin", format!("493023125{i:04}")),
        };
        accounts += &format!("a{i},{plan},{country},2026-01-01,{zone},en,100-199\n");
        numbers += &format!("+{number},a{i},,\n");
    }
    (accounts, numbers)
}
