//! Calls of some accounts, German and American, under the tariff of the `rates` folder.
#![allow(dead_code, reason = "each benchmark that has this module uses a part of it")]

use std::hint::black_box;
use std::path::Path;

use bytes::Bytes;
use callrated::batch::Position;
use callrated::call::{AccountKey, Basis, CallType, GroupKey, LegKey, RatedCall, TariffSlot};
use callrated::directory::{self, Directory};
use callrated::entry::SourceProfile;
use callrated::money::{Money, Price};
use callrated::number::{Number, NumberKind};
use callrated::os::map::map_file;
use callrated::rating::{self, Draws, Leg, Question, Resolution, Standing, TOGETHER, World};
use callrated::record::{Direction, Record};
use callrated::tariff::{self, Asked, PlanId, RatesText, Side, Tariff};
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

/// See [`Scene::bare_calls`].
pub struct Bare {
    source: Vec<u8>,
    destination: Vec<u8>,
    plan: PlanId,
    abroad: bool,
    leg: Leg,
}

/// Rated calls before the first place is written to again.
const ROOM: usize = 64;
const FREE: Price = Price { rate: Money::ZERO, connect_fee: Money::ZERO, minimum_cost: None, maximum_cost: None };

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
        let tariff = Tariff::open(mapped(&compiled.image)).unwrap();
        let (accounts_csv, numbers_csv) = directory_of(accounts);
        let (image, _) = directory::compile(accounts_csv.as_bytes(), numbers_csv.as_bytes())
            .unwrap_or_else(|findings| panic!("{findings:#?}"));
        let directory = Directory::open(mapped(&image)).unwrap();
        let profile = SourceProfile { country: "DE".into(), max_age_days: 90, ..SourceProfile::default() };
        Scene { directory, tariff, profile, calls: self::calls(accounts, calls) }
    }

    pub fn world(&self) -> World<'_> {
        World { directory: &self.directory, tariff: &self.tariff, slot: TariffSlot(0) }
    }

    /// Legs of calls in order, resolved together as a daemon's resolver does it.
    pub fn each_leg(&self, calls: &[Call], mut take: impl FnMut(&Leg)) {
        let world = self.world();
        let mut records = [Record::default(); TOGETHER];
        for calls in calls.chunks(TOGETHER) {
            for (record, call) in records.iter_mut().zip(calls) {
                *record = call.record();
            }
            let records = black_box(&records);
            let questions: [Question<'_>; TOGETHER] = std::array::from_fn(|i| {
                let received_at = calls[i.min(calls.len() - 1)].answer;
                Question { record: &records[i], received_at, source: &self.profile, world }
            });
            let mut answers = [Resolution::Legs(None, None); TOGETHER];
            let (questions, answers) = (&questions[..calls.len()], &mut answers[..calls.len()]);
            rating::resolve_together(questions, |_| (), answers);
            for answer in answers {
                if let Resolution::Legs(first, second) = answer {
                    [first, second].into_iter().flatten().for_each(|leg| take(leg));
                }
            }
        }
    }

    pub fn legs(&self) -> Vec<Leg> {
        let mut legs = Vec::new();
        self.each_leg(&self.calls, |leg| legs.push(*leg));
        legs
    }

    /// What [`Scene::bare`] begins with: what calls were made by whom, all of it read already.
    pub fn bare_calls(&self) -> Vec<Bare> {
        let made = |leg: Leg| {
            let account = self.directory.row(leg.account_row);
            let (source, destination) = (leg.source?, leg.destination()?);
            let outbound = leg.direction == Direction::Outbound;
            let plan = outbound.then(|| self.tariff.plan_named(account.plan)).flatten()?;
            let abroad = self.tariff.classify(destination).country != account.country;
            let digits = |number: Number| number.to_string().into_bytes();
            Some(Bare { source: digits(source), destination: digits(destination), plan, abroad, leg })
        };
        self.legs().into_iter().filter_map(made).collect()
    }

    /// The least that a call takes in these structures, whatever the rules: both numbers packed and their owners looked up, the
    /// called one classified and looked up among the rows that name a type, and abroad among all; one price; a rated call
    /// written. A yardstick: no dialling plan, no steps, no allowance, no dates, no reason why.
    pub fn bare(&self, calls: &[Bare], out: &mut [RatedCall; ROOM]) -> i64 {
        let mut sum = 0;
        for (i, call) in calls.iter().enumerate() {
            let (call, out) = (black_box(call), &mut out[i % ROOM]);
            let (answer, plan) = (call.leg.answer, call.plan);
            let packed = |digits: &[u8]| Number::from_digits(digits).expect("digits");
            let (source, destination) = (packed(&call.source), packed(&call.destination));
            let payer = self.directory.owner_row_at(source, answer);
            let owner = self.directory.owner_row_at(destination, answer);
            let asked = Asked::at_answer(answer, Some(source));
            let class = self.tariff.classify(destination);
            let typed = self.tariff.find_typed(plan, destination, &asked);
            let row = typed.or_else(|| {
                let row = || self.tariff.find(plan, Side::Outbound, destination, &asked);
                if call.abroad { row() } else { None }
            });
            let price = row.map_or(FREE, |row| row.price());
            let seconds = (call.leg.duration.0 / 1_000_000) as u32;
            *out = RatedCall {
                account: AccountKey(payer.map_or(0, |row| row.row())),
                group: GroupKey(owner.map_or(0, |row| row.row())),
                answer,
                duration: call.leg.duration,
                source: Some(source),
                destination: Some(destination),
                call_type: if class.kind == NumberKind::Mobile { CallType::Included } else { CallType::International },
                billable_seconds: seconds,
                cost: price.cost(i64::from(seconds), 4),
                basis: Basis { plan: plan.0, row: row.map(|row| row.id.0), price, ..out.basis },
                ..*out
            };
            sum += out.cost.0;
        }
        sum
    }

    /// Some place to write rated calls to.
    pub fn room(&self) -> [RatedCall; ROOM] {
        let mut first = None;
        self.each_leg(&self.calls[..1], |leg| {
            let rated = rating::rate(leg, self.world(), self.month(), Standing::of(&0), &mut Draws::default());
            let key = LegKey { position: Position(0), leg: leg.direction };
            first = first.or(rated.ok().map(|rated| rated.call(leg, key, AccountKey(0), GroupKey(0))));
        });
        [first.expect("the first call is rated"); ROOM]
    }

    /// All calls lie in one.
    pub fn month(&self) -> Period {
        Period::of(2026, 10)
    }

    pub fn hash(&self) -> u64 {
        let world = self.world();
        let mut text = String::new();
        self.each_leg(&self.calls, |leg| {
            let rated = rating::rate(leg, world, leg.period(world), Standing::of(&0), &mut Draws::default());
            text += &format!("{rated:?}\n");
        });
        xxhash_rust::xxh3::xxh3_64(text.as_bytes())
    }
}

/// An image as a daemon has it: a file, mapped.
fn mapped(image: &[u8]) -> Bytes {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), image).unwrap();
    map_file(file.path()).unwrap()
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
