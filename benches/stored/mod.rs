//! A stored month: calls of many accounts in a store of its own, rated under the tariff of the `rates` folder; another one,
//! in force since before the month, prices the United Kingdom otherwise.
//!
//! It has the module `scene` beside it.
#![allow(dead_code, reason = "each benchmark that has this module uses a part of it")]

use std::path::Path;
use std::sync::Arc;

use callrated::batch::{Position, SourceId};
use callrated::call::{AccountKey, GroupKey, LegKey, SuspenseReason, TariffSlot};
use callrated::directory::{self, Directory};
use callrated::entry::SourceProfile;
use callrated::images::Images;
use callrated::rating::{self, Draws, Resolution, Standing, World};
use callrated::record::Record;
use callrated::store::sqlite::SqliteStore;
use callrated::store::{
    Account, ActivationRow, BasisText, CallRow, FlushBatch, GroundsOf, Group, RerateRow, SourceRow, Store,
    SuspendedRow, SuspenseKey,
};
use callrated::tariff::{self, RatesText, Tariff};
use callrated::time::{Micros, Period, Timestamp, parse_rfc3339};

use super::scene::{directory_of, national, rates};

pub const MONTH: Period = Period(2026 * 12 + 9);
/// Behind everything that is stored.
pub const END: Position = Position(u64::MAX >> 2);
/// Calls of a flush.
const FLUSH: u32 = 50_000;
/// Positions from one flush to the next, for each call.
const SPREAD: u64 = 200;

/// What a month is made of.
#[derive(Clone, Copy)]
pub struct Mix {
    pub calls: u32,
    pub accounts: u32,
    /// Of a hundred calls, those of numbers that nobody has: but where they call an account, they wait.
    pub strangers: u32,
    /// Every plan asks a minimum spend.
    pub minimum: bool,
}

impl Mix {
    pub fn plain(calls: u32) -> Mix {
        Mix { calls, accounts: 1000, strangers: 0, minimum: false }
    }
}

pub struct Stored {
    pub store: Arc<SqliteStore>,
    pub images: Arc<Images>,
    pub begin: Timestamp,
    /// By which calls were rated.
    pub first: Arc<Tariff>,
    /// Legs that are rated.
    pub rated: u64,
    /// Records that wait.
    pub waiting: u64,
}

impl Stored {
    pub fn new(folder: &Path, mix: Mix) -> Stored {
        let store = Arc::new(SqliteStore::open(&folder.join("callrated.db")).unwrap());
        let images = Arc::new(Images::open(&folder.join("images")).unwrap());
        let mut text = rates();
        if mix.minimum {
            let plans = String::from_utf8(text.plans).unwrap();
            text.plans = plans.replace("\ncountry = ", "\nminimum_spend = \"20.00\"\ncountry = ").into();
        }
        let compiled =
            |text: &RatesText| tariff::compile(text).unwrap_or_else(|findings| panic!("{findings:#?}")).image;
        let first = images.keep_tariff(&compiled(&text)).unwrap();
        for (_, deck) in &mut text.decks {
            *deck = String::from_utf8(std::mem::take(deck))
                .unwrap()
                .replace("\n44,United Kingdom,", "\n44,United Kingdom,9")
                .into();
        }
        let second = images.keep_tariff(&compiled(&text)).unwrap();
        let (accounts, numbers) = directory_of(mix.accounts);
        let (image, _) = directory::compile(accounts.as_bytes(), numbers.as_bytes())
            .unwrap_or_else(|findings| panic!("{findings:#?}"));
        let directory = images.keep_directory(&image).unwrap();
        let begin = parse_rfc3339(b"2026-10-05T09:00:00Z").unwrap();
        let mut stored = Stored { store, images, begin, first: first.clone(), rated: 0, waiting: 0 };
        stored.found(mix.accounts, &first, &second, &directory);
        stored.fill(mix, &first, &directory);
        stored
    }

    /// What rows refer to.
    fn found(&self, accounts: u32, first: &Tariff, second: &Tariff, directory: &Directory) {
        let groups: Vec<Group> = (0..accounts).map(|i| Group { key: GroupKey(i), name: format!("a{i}") }).collect();
        let accounts: Vec<Account> =
            (0..accounts).map(|i| Account { key: AccountKey(i), name: format!("a{i}") }).collect();
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

    fn fill(&mut self, mix: Mix, tariff: &Tariff, directory: &Directory) {
        let world = World { directory, tariff, slot: TariffSlot(0) };
        let describe = |_: &_| BasisText { tariff: tariff.digest().to_owned(), ..BasisText::default() };
        let profile = profile();
        let mut random = 88_172_645_463_325_252_u64;
        let (mut from, mut draws) = (100, Draws::default());
        for flush in (0..mix.calls).step_by(FLUSH as usize) {
            let some: Vec<Call> =
                (flush..mix.calls.min(flush + FLUSH)).map(|i| Call::any(&mut random, self.begin, i, mix)).collect();
            let mut rows = Vec::with_capacity(some.len() * 2);
            let mut waiting = Vec::new();
            for (i, call) in some.iter().enumerate() {
                let record = call.record();
                let position = Position(u64::from(flush) * SPREAD + 100 + i as u64);
                let Resolution::Legs(first, second) = rating::resolve(&record, call.answer, &profile, world) else {
                    let mut bytes = Vec::new();
                    record.encode(&mut bytes);
                    waiting.push((position, call, bytes));
                    continue;
                };
                for leg in [first, second].into_iter().flatten() {
                    // Nobody comes to the end of his minutes: allowances are another matter.
                    let Ok(rated) = rating::rate(&leg, world, leg.period(world), Standing::of(&0), &mut draws) else {
                        continue;
                    };
                    let key = LegKey { position, leg: leg.direction };
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
            let suspended: Vec<SuspendedRow<'_>> = waiting
                .iter()
                .map(|(position, call, bytes)| SuspendedRow {
                    key: SuspenseKey { position: *position, leg: None },
                    reason: SuspenseReason::UnknownAccount,
                    attempt: *position,
                    account: None,
                    period: None,
                    answer: Some(call.answer),
                    received_at: call.answer,
                    source: SourceId(0),
                    node: b"lab",
                    id: call.id.as_bytes(),
                    source_dialled: call.source.as_bytes(),
                    destination_dialled: call.destination.as_bytes(),
                    detail: "nobody is known who pays for it",
                    record: bytes,
                })
                .collect();
            self.rated += rows.len() as u64;
            self.waiting += suspended.len() as u64;
            let upto = 100 + u64::from(flush + FLUSH) * SPREAD;
            let batch = FlushBatch::empty(Position(from), Position(upto), self.begin);
            let batch = FlushBatch { calls: &rows, describe: &describe, suspended: &suspended, ..batch };
            self.store.flush(&batch).unwrap();
            from = upto;
        }
        self.store.flush(&FlushBatch::empty(Position(from), Position(END.0 + 1), self.begin)).unwrap();
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
    fn any(random: &mut u64, begin: Timestamp, i: u32, mix: Mix) -> Call {
        let mut next = |below: u64| {
            // xorshift64: a fixed sequence is all that is wanted.
            *random ^= *random << 13;
            *random ^= *random >> 7;
            *random ^= *random << 17;
            *random % below
        };
        let account = next(u64::from(mix.accounts)) as u32;
        let american = account.is_multiple_of(4);
        let own = national(account, mix.accounts);
        let source = match (i % 100 < mix.strangers, american) {
            (true, _) => format!("0407770{:05}", account % 100_000),
            (false, true) => format!("+1{own}"),
            (false, false) => format!("0{own}"),
        };
        let (abroad, digits) = (if american { "011" } else { "00" }, next(10_000_000));
        let destination = match (next(10), american) {
            (0, _) => format!("+49{}", national(next(u64::from(mix.accounts) / 4) as u32 * 4 + 1, mix.accounts)),
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
