//! How fast the store takes and gives rated calls, against bare loops that insert and read the same rows in the same run.
//!
//! `cargo bench --bench store -- [--calls N] [--accounts N] [--flush N] [--folder PATH]`; `--test` runs it small.
//!
//! The calls are like real ones: accounts skewed (the square of a uniform number), 32-digit hexadecimal ids, answers
//! in milliseconds, national and international dialling, ten thousand distinct price rows met by Zipf's law.

mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::path::Path;

use callrated::batch::{Position, SourceId};
use callrated::call::{
    AccountKey, Basis, CallType, GroupKey, LegKey, Meter, RatedCall, StepMode, StepRule, TariffSlot, Usage,
};
use callrated::money::{Money, Price};
use callrated::number::Number;
use callrated::record::Direction;
use callrated::store::sqlite::SqliteStore;
use callrated::store::{
    Account, AllowanceLine, BasisText, CallPage, CallRow, FlushBatch, GroundsOf, Group, ScanOrder, Store, UsageLine,
    Visit,
};
use callrated::time::{Micros, Period, Timestamp};
use hashbrown::HashMap;
use rusqlite::types::ValueRef;
use watch::Watch;

const PERIOD: Period = Period(2026 * 12 + 9);
const MONTH_START: i64 = 1_790_812_800_000_000;

struct Settings {
    calls: u64,
    accounts: u64,
    flush: u64,
    folder: Option<String>,
}

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) % below
    }
}

/// Records of one listener that name no account: most are such.
const GROUNDS: GroundsOf<'static> = GroundsOf {
    source: SourceId(0),
    profile: Position(0),
    directory: 0,
    direction: None,
    account: b"",
    forwarded_by: b"",
    routing_number: b"",
    carrier: b"",
};

struct Call {
    call: RatedCall,
    node: &'static str,
    id: String,
    source_dialled: String,
    destination_dialled: String,
    start: Timestamp,
}

fn call(dice: &mut Dice, settings: &Settings, index: u64) -> Call {
    let uniform = dice.roll(1 << 20);
    let account = ((((uniform * uniform) >> 20) * settings.accounts) >> 20) as u32;
    // Rank by Zipf: the product of uniform numbers falls off like one over the rank.
    let row = (10_000_u64 >> dice.roll(13)).min(dice.roll(10_000) + 1) as u32;
    let international = dice.roll(5) == 0;
    let bits = dice.roll(6);
    let billable = 60 * (1 + dice.roll(1 << bits)) as u32;
    let price = Price {
        rate: Money(1_000_000 * i64::from(row % 300)),
        connect_fee: Money(0),
        minimum_cost: None,
        maximum_cost: None,
    };
    let call_type = match (international, dice.roll(10)) {
        (true, _) => CallType::International,
        (false, 0) => CallType::Overage,
        (false, _) => CallType::Included,
    };
    let destination = if international {
        format!("{}{}", 33 + dice.roll(60), 100_000_000 + dice.roll(800_000_000))
    } else {
        format!("49{}", 1_500_000_000 + dice.roll(400_000_000))
    };
    let source = format!("4930{}", 1_000_000 + u64::from(account));
    let answer = MONTH_START as u64 + (index * 25_000 + dice.roll(60_000_000)) / 1000 * 1000;
    let free = call_type == CallType::Included;
    Call {
        call: RatedCall {
            key: LegKey { position: Position(index * 412), leg: Direction::Outbound },
            account: AccountKey(account),
            group: GroupKey(account),
            period: PERIOD,
            answer: Timestamp(answer as i64),
            duration: Micros(i64::from(billable) * 1_000_000 - dice.roll(59_000) as i64 * 1000),
            source: Number::from_digits(source.as_bytes()),
            destination: Number::from_digits(destination.as_bytes()),
            call_type,
            billable_seconds: billable,
            included_seconds: if free { billable } else { 0 },
            used_before: free.then_some(u64::from(billable)),
            adjusts: None,
            reversal: false,
            cost: if free { Money(0) } else { price.cost(i64::from(billable), 4) },
            basis: Basis {
                tariff: TariffSlot(0),
                plan: 1,
                rule: if international { 10 } else { 9 },
                row: international.then_some(row),
                steps: StepRule { mode: StepMode::Up, initial: 60, increment: 60, minimum: 0, free_below: Micros(0) },
                price: if international { price } else { Price { rate: Money(15_000_000), ..price } },
                currency: *b"EUR",
                decimals: 4,
                exchange: None,
            },
        },
        node: ["sbc-fra", "sbc-ber", "pbx"][dice.roll(3) as usize],
        id: format!("{:016x}{:016x}", dice.roll(u64::MAX), dice.roll(u64::MAX)),
        source_dialled: format!("+{source}"),
        destination_dialled: if international { format!("00{destination}") } else { format!("0{}", &destination[2..]) },
        start: Timestamp(answer as i64 - 3_000_000 - dice.roll(9000) as i64 * 1000),
    }
}

fn describe(basis: &Basis) -> BasisText {
    BasisText {
        tariff: "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262".into(),
        plan: "business".into(),
        deck: basis.row.map_or(String::new(), |_| "world".into()),
        prefix: basis.row.map_or(String::new(), |row| row.to_string()),
        destination: basis.row.map_or(String::new(), |row| format!("Somewhere mobile {row}")),
    }
}

/// The bare loop: the same rows, as they are, into a table without index, in the same transactions.
struct Bare {
    connection: rusqlite::Connection,
}

impl Bare {
    fn open(path: &Path) -> rusqlite::Result<Bare> {
        let connection = rusqlite::Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE calls (position INTEGER, leg TEXT, account INTEGER, billing_group INTEGER, period INTEGER,
             answer INTEGER, start INTEGER, duration INTEGER, source TEXT, source_dialled TEXT, destination TEXT,
             destination_dialled TEXT, call_type TEXT, billable INTEGER, included INTEGER, cost INTEGER,
             currency TEXT, rate INTEGER, rule INTEGER, node TEXT, call_id TEXT);
             CREATE TABLE totals (account INTEGER, period INTEGER, call_type TEXT, calls INTEGER, seconds INTEGER, cost INTEGER,
             PRIMARY KEY (account, period, call_type)) WITHOUT ROWID;
             CREATE TABLE allowances (billing_group INTEGER, period INTEGER, used INTEGER, PRIMARY KEY (billing_group, period))
             WITHOUT ROWID;",
        )?;
        Ok(Bare { connection })
    }

    /// The same totals by key, as anybody would write them.
    fn totals(&mut self, usage: &[UsageLine], drawn: &[AllowanceLine]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut line = transaction.prepare_cached("REPLACE INTO totals VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            for of in usage {
                let (calls, seconds) = (of.usage.calls, of.usage.billable_seconds);
                line.execute((of.account.0, of.period.0, of.call_type.name(), calls, seconds, of.usage.cost as i64))?;
            }
            let mut line = transaction.prepare_cached("REPLACE INTO allowances VALUES (?1, ?2, ?3)")?;
            for of in drawn {
                line.execute((of.group.0, of.period.0, of.used_seconds as i64))?;
            }
        }
        transaction.commit()
    }

    fn insert(&mut self, calls: &[Call]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO calls VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20, ?21)",
            )?;
            for item in calls {
                let c = &item.call;
                let text = |number: Option<Number>| number.map(Number::digits);
                let (source, destination) = (text(c.source), text(c.destination));
                let str = |digits: &'_ Option<([u8; 16], usize)>| -> Option<String> {
                    digits.as_ref().map(|(bytes, n)| String::from_utf8_lossy(&bytes[..*n]).into_owned())
                };
                insert.raw_bind_parameter(1, c.key.position.0 as i64)?;
                insert.raw_bind_parameter(2, c.key.leg.name())?;
                insert.raw_bind_parameter(3, c.account.0)?;
                insert.raw_bind_parameter(4, c.group.0)?;
                insert.raw_bind_parameter(5, c.period.0)?;
                insert.raw_bind_parameter(6, c.answer.0)?;
                insert.raw_bind_parameter(7, item.start.0)?;
                insert.raw_bind_parameter(8, c.duration.0)?;
                insert.raw_bind_parameter(9, str(&source))?;
                insert.raw_bind_parameter(10, &item.source_dialled)?;
                insert.raw_bind_parameter(11, str(&destination))?;
                insert.raw_bind_parameter(12, &item.destination_dialled)?;
                insert.raw_bind_parameter(13, c.call_type.name())?;
                insert.raw_bind_parameter(14, c.billable_seconds)?;
                insert.raw_bind_parameter(15, c.included_seconds)?;
                insert.raw_bind_parameter(16, c.cost.0)?;
                insert.raw_bind_parameter(17, "EUR")?;
                insert.raw_bind_parameter(18, c.basis.price.rate.0)?;
                insert.raw_bind_parameter(19, c.basis.rule)?;
                insert.raw_bind_parameter(20, item.node)?;
                insert.raw_bind_parameter(21, &item.id)?;
                insert.raw_execute()?;
            }
        }
        transaction.commit()
    }

    /// Reads every column of every row, one behind the other; a sum of whole numbers and lengths.
    fn read(&self) -> rusqlite::Result<u64> {
        let mut statement = self.connection.prepare("SELECT * FROM calls")?;
        let columns = statement.column_count();
        let (mut rows, mut sum) = (statement.query(())?, 0_u64);
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                sum = sum.wrapping_add(match row.get_ref(column)? {
                    ValueRef::Integer(number) => number as u64,
                    ValueRef::Text(text) => text.len() as u64,
                    _ => 0,
                });
            }
        }
        Ok(sum)
    }
}

type Totals = HashMap<(AccountKey, CallType), Usage>;

fn main() {
    let mut settings = Settings { calls: 2_000_000, accounts: 100_000, flush: 50_000, folder: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse().ok()).expect("a number");
        match argument.as_str() {
            "--test" => settings = Settings { calls: 4000, accounts: 300, flush: 100, folder: None },
            "--calls" => settings.calls = number(),
            "--accounts" => settings.accounts = number(),
            "--flush" => settings.flush = number(),
            "--folder" => settings.folder = arguments.next(),
            // cargo passes `--bench`.
            _ => {}
        }
    }
    let folder = match &settings.folder {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a temporary folder");
    run(&settings, folder.path()).expect("the bench runs");
}

fn run(settings: &Settings, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let path = folder.join("callrated.db");
    let store = SqliteStore::open(&path)?;
    let mut bare = Bare::open(&folder.join("bare.db"))?;
    let mut dice = Dice(1);
    let mut totals = Totals::new();
    let mut allowances: HashMap<GroupKey, u64> = HashMap::new();
    let (mut windows, mut bare_seconds, mut totals_seconds, mut worst) = (Vec::new(), 0.0, 0.0, 0.0_f64);
    let accounts: Vec<Account> = (0..settings.accounts as u32)
        .map(|i| Account {
            key: AccountKey(i),
            name: format!("account-{:07}", u64::from(i) * 7919 % settings.accounts),
        })
        .collect();
    let groups: Vec<Group> =
        (0..settings.accounts as u32).map(|i| Group { key: GroupKey(i), name: format!("account-{i:07}") }).collect();
    let batch = FlushBatch::empty(Position(0), Position(1), Timestamp(MONTH_START));
    let began = Watch::start();
    store.flush(&FlushBatch { accounts: &accounts, groups: &groups, ..batch })?;
    println!("accounts            {:>8.2} us each", micros(began, settings.accounts));
    let mut position = 1;
    let mut made = 0;
    while made < settings.calls {
        let calls: Vec<Call> =
            (made..made + settings.flush.min(settings.calls - made)).map(|i| call(&mut dice, settings, i)).collect();
        made += calls.len() as u64;
        let mut touched: BTreeSet<(AccountKey, CallType)> = BTreeSet::new();
        for item in &calls {
            for (call_type, usage) in item.call.usage_lines() {
                touched.insert((item.call.account, call_type));
                totals.entry((item.call.account, call_type)).or_default().add(&usage);
            }
            *allowances.entry(item.call.group).or_default() += u64::from(item.call.included_seconds);
        }
        let usage: Vec<UsageLine> = touched
            .iter()
            .map(|key| UsageLine {
                account: key.0,
                // Every account draws from its own group.
                group: GroupKey(key.0.0),
                decimals: 4,
                period: PERIOD,
                call_type: key.1,
                currency: *b"EUR",
                usage: totals.get(key).copied().unwrap_or_default(),
            })
            .collect();
        let drawn: BTreeSet<GroupKey> =
            calls.iter().filter(|c| c.call.included_seconds > 0).map(|c| c.call.group).collect();
        let drawn: Vec<AllowanceLine> = drawn
            .into_iter()
            .map(|group| AllowanceLine { group, period: PERIOD, meter: Meter::PLAN, used_seconds: allowances[&group] })
            .collect();
        let rows: Vec<CallRow<'_>> = calls
            .iter()
            .map(|item| CallRow {
                call: item.call,
                node: item.node.as_bytes(),
                id: item.id.as_bytes(),
                source_dialled: item.source_dialled.as_bytes(),
                destination_dialled: item.destination_dialled.as_bytes(),
                start: Some(item.start),
                grounds: Some(GROUNDS),
                revision: 0,
                run: None,
                named_tariff: false,
                costs: None,
                draws: b"",
            })
            .collect();
        let upto = made * 412;
        let batch = FlushBatch::empty(Position(position), Position(upto), Timestamp(MONTH_START));
        let began = Watch::start();
        store.flush(&FlushBatch { calls: &rows, describe: &describe, usage: &usage, allowances: &drawn, ..batch })?;
        let seconds = began.seconds();
        worst = worst.max(seconds);
        windows.push((seconds, calls.len() as f64, usage.len() as f64));
        position = upto;
        let began = Watch::start();
        bare.insert(&calls)?;
        bare_seconds += began.seconds();
        let began = Watch::start();
        bare.totals(&usage, &drawn)?;
        totals_seconds += began.seconds();
    }
    let per_row = |windows: &[(f64, f64, f64)]| {
        windows.iter().map(|w| w.0).sum::<f64>() * 1e6 / windows.iter().map(|w| w.1).sum::<f64>().max(1.0)
    };
    let tenth = (windows.len() / 10).max(1);
    let mean = per_row(&windows);
    let bare_mean = bare_seconds * 1e6 / made as f64;
    println!("(times are of the processor)");
    println!("flush with totals   {mean:>8.3} us a row ({made} calls, {} a flush)", settings.flush);
    println!(
        "  first, last tenth {:>8.3} {:.3} us a row; worst flush {:.0} ms; {:.2} totals lines a row",
        per_row(&windows[..tenth]),
        per_row(&windows[windows.len() - tenth..]),
        worst * 1e3,
        windows.iter().map(|w| w.2).sum::<f64>() / made as f64
    );
    println!("bare insert loop    {bare_mean:>8.3} us a row; ratio {:.2}", mean / bare_mean);
    let with_totals = bare_mean + totals_seconds * 1e6 / made as f64;
    println!("  and totals by key {with_totals:>8.3} us a row; ratio {:.2}", mean / with_totals);
    sizes(&path, &folder.join("bare.db"), made)?;
    let began = Watch::start();
    black_box(bare.read()?);
    println!("bare read loop      {:>8.3} us a row", micros(began, made));
    questions(&store, &totals, made)
}

fn micros(began: Watch, count: u64) -> f64 {
    began.seconds() * 1e6 / count.max(1) as f64
}

fn sizes(path: &Path, bare: &Path, calls: u64) -> Result<(), Box<dyn std::error::Error>> {
    let bytes = |path: &Path| -> rusqlite::Result<f64> {
        let connection = rusqlite::Connection::open(path)?;
        let size: i64 = connection.query_row(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            (),
            |row| row.get(0),
        )?;
        Ok(size as f64 / calls as f64)
    };
    println!("file                {:>8.1} bytes a row; bare {:.1}", bytes(path)?, bytes(bare)?);
    let connection = rusqlite::Connection::open(path)?;
    let mut statement =
        connection.prepare("SELECT name, sum(pgsize) AS size FROM dbstat GROUP BY name ORDER BY size DESC LIMIT 8")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let (name, size): (String, i64) = (row.get(0)?, row.get(1)?);
        println!("  {name:<17} {:>8.1} bytes a row", size as f64 / calls as f64);
    }
    Ok(())
}

fn questions(store: &SqliteStore, totals: &Totals, calls: u64) -> Result<(), Box<dyn std::error::Error>> {
    let began = Watch::start();
    let state = store.load()?;
    println!("load                {:>8.1} ms ({} totals lines)", began.seconds() * 1e3, state.usage.len());

    let mut by_account: BTreeMap<AccountKey, i64> = BTreeMap::new();
    for ((account, _), usage) in totals {
        *by_account.entry(*account).or_default() += usage.calls;
    }
    // The account nearest to a thousand calls.
    let (account, size) = by_account
        .iter()
        .min_by_key(|(_, calls)| (**calls - 1000).abs())
        .map(|(a, c)| (*a, *c))
        .unwrap_or((AccountKey(0), 0));
    for round in ["first", "warm"] {
        let began = Watch::start();
        let mut found = 0_i64;
        store.calls(account, PERIOD, CallPage::default(), &mut |call| {
            black_box(call);
            found += 1;
            Visit::Continue(())
        })?;
        assert_eq!(found, size);
        println!("account's month     {:>8.2} ms ({found} calls, {round})", began.seconds() * 1e3);
    }
    let began = Watch::start();
    let mut dice = Dice(9);
    for _ in 0..20 {
        assert_eq!(store.legs(Position(dice.roll(calls) * 412))?.len(), 1);
    }
    println!("one call            {:>8.3} ms", micros(began, 20) / 1e3);
    let began = Watch::start();
    for _ in 0..100 {
        black_box(store.usage(AccountKey(dice.roll(by_account.len() as u64) as u32), PERIOD)?);
    }
    println!("one account's usage {:>8.3} ms", micros(began, 100) / 1e3);
    let began = Watch::start();
    let mut lines = 0_u64;
    store.period_usage(PERIOD, None, usize::MAX, &mut |_, usage| {
        lines += usage.len() as u64;
        Visit::Continue(())
    })?;
    println!("period's usage      {:>8.3} us a line ({lines} lines)", micros(began, lines));
    for order in [ScanOrder::Stored, ScanOrder::Account] {
        let began = Watch::start();
        let mut sums = Totals::new();
        let mut last = AccountKey(0);
        store.scan(Some(PERIOD), order, &mut |item| {
            assert!(order == ScanOrder::Stored || item.call.account >= last);
            last = item.call.account;
            for (call_type, usage) in item.call.usage_lines() {
                sums.entry((item.call.account, call_type)).or_default().add(&usage);
            }
            Visit::Continue(())
        })?;
        assert!(sums == *totals, "the totals of all calls are not the totals that were flushed");
        println!(
            "scan by {order:<11} {:>8.3} us a row",
            micros(began, calls),
            order = format!("{order:?}").to_lowercase()
        );
    }
    let mut hash = blake3::Hasher::new();
    for line in &state.usage {
        let usage = &line.usage;
        hash.update(&line.account.0.to_le_bytes()).update(line.call_type.name().as_bytes());
        hash.update(&usage.calls.to_le_bytes()).update(&usage.talk.to_le_bytes());
        hash.update(&usage.billable_seconds.to_le_bytes()).update(&usage.cost.to_le_bytes());
        assert_eq!(totals.get(&(line.account, line.call_type)), Some(usage));
    }
    println!("totals              blake3:{}", hash.finalize().to_hex());
    Ok(())
}
