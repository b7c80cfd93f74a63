//! Calls of some accounts, German and American, under the tariff of the `rates` folder.
#![allow(dead_code, reason = "each benchmark that has this module uses a part of it")]

use std::hint::black_box;
use std::path::Path;

use bytes::Bytes;
use callrated::call::TariffSlot;
use callrated::directory::{self, Directory};
use callrated::entry::SourceProfile;
use callrated::rating::{self, Draws, Leg, Resolution, Standing, World};
use callrated::record::Record;
use callrated::tariff::{self, RatesText, Tariff};
use callrated::time::{Micros, Period, Timestamp, parse_rfc3339};

/// A world to rate in, and calls.
pub struct Scene {
    directory: Directory,
    pub tariff: Tariff,
    pub profile: SourceProfile,
    pub calls: Vec<Call>,
}

pub struct Call {
    pub source: String,
    pub destination: String,
    pub answer: Timestamp,
    duration: Micros,
}

impl Call {
    pub fn record(&self) -> Record<'_> {
        Record {
            id: b"c1",
            node: b"lab",
            source: self.source.as_bytes(),
            destination: self.destination.as_bytes(),
            answer: Some(self.answer),
            duration: Some(self.duration),
            ..Record::default()
        }
    }
}

impl Scene {
    /// With so many accounts, and calls of any of them.
    pub fn new(accounts: u32, calls: u32) -> Scene {
        let text = rates();
        let compiled = tariff::compile(&text).unwrap_or_else(|findings| panic!("{findings:#?}"));
        let tariff = Tariff::open(Bytes::from(compiled.image)).unwrap();
        let (accounts_csv, numbers_csv) = directory_of(accounts);
        let (image, _) = directory::compile(accounts_csv.as_bytes(), numbers_csv.as_bytes())
            .unwrap_or_else(|findings| panic!("{findings:#?}"));
        let directory = Directory::open(Bytes::from(image)).unwrap();
        let profile = SourceProfile { country: "DE".into(), max_age_days: 90, ..SourceProfile::default() };
        Scene { directory, tariff, profile, calls: self::calls(accounts, calls) }
    }

    pub fn world(&self) -> World<'_> {
        World { directory: &self.directory, tariff: &self.tariff, slot: TariffSlot(0) }
    }

    pub fn legs(&self, call: &Call, world: World<'_>) -> impl Iterator<Item = Leg> + use<> {
        let legs = match rating::resolve(black_box(&call.record()), call.answer, &self.profile, world) {
            Resolution::Legs(first, second) => [first, second],
            Resolution::Suspended(_) => [None, None],
        };
        legs.into_iter().flatten()
    }

    /// All calls lie in one.
    pub fn month(&self) -> Period {
        Period::of(2026, 10)
    }

    pub fn hash(&self) -> u64 {
        let world = self.world();
        let mut text = String::new();
        for call in &self.calls {
            for leg in self.legs(call, world) {
                let rated = rating::rate(&leg, world, leg.period(world), Standing::of(&0), &mut Draws::default());
                text += &format!("{rated:?}\n");
            }
        }
        xxhash_rust::xxh3::xxh3_64(text.as_bytes())
    }
}

/// The shipped rates folder.
pub fn rates() -> RatesText {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("rates/{name}: {error}"));
    let mut decks: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder.join("decks"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| Some((name.strip_suffix(".csv")?.to_owned(), read(&format!("decks/{name}")))))
        .collect();
    decks.sort();
    RatesText {
        countries: read("countries.toml"),
        numbering: read("numbering.csv"),
        plans: read("plans.toml"),
        decks,
        ..RatesText::default()
    }
}

/// The national number of an account: as many digits as so many accounts need.
pub fn national(account: u32, accounts: u32) -> String {
    match (account.is_multiple_of(4), accounts <= 10_000) {
        (true, true) => format!("212555{account:04}"),
        (true, false) => format!("212{account:07}"),
        (false, true) => format!("3023125{account:04}"),
        (false, false) => format!("30{account:08}"),
    }
}

/// Accounts with one number each, German ones and every fourth American.
pub fn directory_of(count: u32) -> (String, String) {
    let mut accounts = "account,plan,country,billing_start,timezone,language,extensions\n".to_owned();
    let mut numbers = "number,account,valid_from,valid_to\n".to_owned();
    for i in 0..count {
        let (plan, country, zone, code) = match i % 4 {
            0 => ("us-business", "US", "America/New_York", "1"),
            _ => ("de-business", "DE", "Europe/Berlin", "49"),
        };
        let number = national(i, count);
        accounts += &format!("a{i},{plan},{country},2026-01-01,{zone},en,100-199\n");
        numbers += &format!("+{code}{number},a{i},,\n");
    }
    (accounts, numbers)
}

/// Seven of ten calls stay at home, two go abroad, one goes to another account.
fn calls(accounts: u32, count: u32) -> Vec<Call> {
    let begin = parse_rfc3339(b"2026-10-05T09:00:00Z").unwrap();
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = |below: u64| {
        // xorshift64: a fixed sequence is all that is wanted.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut calls = Vec::with_capacity(count as usize);
    for i in 0..count {
        let account = next(u64::from(accounts)) as u32;
        let american = account.is_multiple_of(4);
        let own = national(account, accounts);
        let source = if american { format!("+1{own}") } else { format!("0{own}") };
        let (abroad, digits) = (if american { "011" } else { "00" }, next(10_000_000));
        let destination = match (next(10), american) {
            (0, _) => format!("+49{}", national(next(u64::from(accounts) / 4) as u32 * 4 + 1, accounts)),
            (1, _) => format!("{abroad}4420{digits:07}0"),
            (2, _) => format!("{abroad}551198{digits:07}"),
            (_, true) => format!("1415{digits:07}"),
            (_, false) => format!("0151{digits:07}1"),
        };
        let answer = Timestamp(begin.0 + i64::from(i) * 10_000);
        calls.push(Call { source, destination, answer, duration: Micros(next(300_000_000) as i64) });
    }
    calls
}
