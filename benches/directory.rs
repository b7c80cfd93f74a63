//! What a directory costs: compiling, opening, and finding a number's owner at an instant.
//!
//! `cargo bench --bench directory` measures 1 k accounts (in cache) and 1 M accounts with 3 M numbers (out of cache);
//! `--test` runs 1 k only. Each size prints a hash of all answers, which must not change unless the layout's meaning does.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use callrated::directory::{Asked, Change, Composition, Directory, Layer, NumberSet, changed, compile};
use callrated::number::Number;
use callrated::time::{Timestamp, parse_rfc3339};
use divan::{Bencher, black_box, counter::ItemsCount};

/// Numbers asked for in one sample: enough to leave every cache behind at the large size.
const QUERIES: usize = 1 << 18;

/// Numbers asked for again and again in the `hot` benches, as busy customers' are.
const HOT: usize = 4096;

fn main() {
    for accounts in sizes() {
        let world = world(*accounts);
        println!("{accounts} accounts, {} numbers: answers {:016x}", world.directory.numbers(), answers(world));
        println!("  image {} bytes, {} an account with its numbers", world.image.len(), world.image.len() / accounts);
    }
    divan::main();
}

fn sizes() -> &'static [usize] {
    if std::env::args().any(|a| a == "--test") { &[1000] } else { &[1000, 1_000_000] }
}

/// Texts, image and questions of one size.
struct World {
    accounts: String,
    numbers: String,
    image: Bytes,
    directory: Directory,
    queries: Vec<Number>,
    strangers: Vec<Number>,
    names: Vec<String>,
}

/// Builds each size once.
fn world(accounts: usize) -> &'static World {
    static WORLDS: Mutex<BTreeMap<usize, &'static OnceLock<World>>> = Mutex::new(BTreeMap::new());
    let cell = {
        let mut worlds = WORLDS.lock().unwrap();
        *worlds.entry(accounts).or_insert_with(|| Box::leak(Box::default()))
    };
    cell.get_or_init(|| build(accounts))
}

fn build(count: usize) -> World {
    let zones = ["Europe/Berlin", "America/New_York", "UTC", "Europe/Rome", "America/Sao_Paulo"];
    let mut accounts = String::from("account,plan,country,billing_start,timezone,language,extensions,group,name\n");
    let mut numbers = String::from("number,account,valid_from,valid_to\n");
    let mut all = Vec::new();
    let mut random = Random(7);
    for i in 0..count {
        let (zone, plan) = (zones[i % zones.len()], i % 20);
        let group = if i % 10 == 0 { format!("group-{}", i / 100) } else { String::new() };
        writeln!(accounts, "customer-{i:07},plan-{plan},DE,2026-01-01,{zone},de,100-199;2001,{group},Customer {i}")
            .unwrap();
        for _ in 0..3 {
            // The factor shares no divisor with 10^11, so no two numbers are equal.
            let number = format!("49{:011}", all.len() as u128 * 38_654_705_647 % 100_000_000_000);
            let span = if random.next().is_multiple_of(50) { "2026-02-01,2027-01-01" } else { "," };
            writeln!(numbers, "+{number},customer-{i:07},{span}").unwrap();
            all.push(number);
        }
    }
    let (image, _) = compile(accounts.as_bytes(), numbers.as_bytes()).expect("a sound directory");
    let image = Bytes::from(image);
    let pick = |random: &mut Random| Number::from_digits(all[random.next() as usize % all.len()].as_bytes()).unwrap();
    let queries = (0..QUERIES).map(|_| pick(&mut random)).collect();
    let stranger = |random: &mut Random| format!("33{:011}", random.next() % 100_000_000_000);
    let strangers = (0..QUERIES).map(|_| Number::from_digits(stranger(&mut random).as_bytes()).unwrap()).collect();
    let names = (0..QUERIES).map(|_| format!("customer-{:07}", random.next() as usize % count)).collect();
    let directory = Directory::open(image.clone()).expect("its own image");
    World { accounts, numbers, image, directory, queries, strangers, names }
}

/// XXH3 over every answer's row.
fn answers(world: &World) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for number in world.queries.iter().chain(&world.strangers) {
        let row = world.directory.owner_at(*number, noon()).map_or(u32::MAX, |account| account.row);
        hash.update(&row.to_le_bytes());
    }
    hash.digest()
}

fn noon() -> Timestamp {
    parse_rfc3339(b"2026-10-05T12:00:00Z").unwrap()
}

#[divan::bench(args = sizes(), max_time = 10)]
fn compiles(bencher: Bencher, accounts: usize) {
    let world = world(accounts);
    bencher.bench(|| compile(world.accounts.as_bytes(), world.numbers.as_bytes()).map(|(image, _)| image.len()));
}

#[divan::bench(args = sizes(), max_time = 5)]
fn opens(bencher: Bencher, accounts: usize) {
    let world = world(accounts);
    bencher.bench(|| Directory::open(world.image.clone()).map(|d| d.accounts()));
}

/// One number given to another account: the image on top, the composition, and all of it opened.
#[divan::bench(args = sizes(), max_time = 3)]
fn changes_one(bencher: Bencher, accounts: usize) {
    let lowest = Arc::new(world(accounts).directory.clone());
    let number = NumberSet { number: "+4930777123".into(), account: "customer-0000007".into(), ..NumberSet::default() };
    let change = Change { asked: vec![(0, Asked::Number(number))], take_over: false, now: noon() };
    bencher.bench(|| {
        let layer = changed(&lowest, &Layer::default(), &change).expect("nothing against it").layer;
        let top = Arc::new(Directory::open(layer.image().expect("small").into()).expect("its own image"));
        let composition = Composition {
            layers: vec![lowest.digest().to_owned(), top.digest().to_owned()],
            accounts: lowest.accounts(),
            numbers: lowest.numbers() + 1,
        };
        Directory::compose(&composition, vec![lowest.clone(), top]).map(|directory| directory.numbers())
    });
}

/// The same as `owner_at_uniform` with a small image on top.
#[divan::bench(args = sizes(), max_time = 3)]
fn owner_at_changed(bencher: Bencher, accounts: usize) {
    let lowest = Arc::new(world(accounts).directory.clone());
    let number = NumberSet { number: "+4930777123".into(), account: "customer-0000007".into(), ..NumberSet::default() };
    let change = Change { asked: vec![(0, Asked::Number(number))], take_over: false, now: noon() };
    let layer = changed(&lowest, &Layer::default(), &change).expect("nothing against it").layer;
    let all = vec![lowest, Arc::new(Directory::open(layer.image().expect("small").into()).expect("its own image"))];
    let directory = Directory::compose(&Composition::of(&all), all).expect("two images");
    ask(bencher, &directory, &world(accounts).queries);
}

fn ask(bencher: Bencher, directory: &Directory, numbers: &[Number]) {
    let at = noon();
    bencher.counter(ItemsCount::new(numbers.len())).bench(|| {
        let mut rows = 0_u64;
        for number in numbers {
            if let Some(account) = directory.owner_at(black_box(*number), at) {
                rows = rows.wrapping_add(u64::from(account.row));
                black_box(account);
            }
        }
        rows
    });
}

/// Any number of the directory.
#[divan::bench(args = sizes(), max_time = 3)]
fn owner_at_uniform(bencher: Bencher, accounts: usize) {
    ask(bencher, &world(accounts).directory, &world(accounts).queries);
}

/// The same few numbers.
#[divan::bench(args = sizes(), max_time = 3)]
fn owner_at_hot(bencher: Bencher, accounts: usize) {
    ask(bencher, &world(accounts).directory, &world(accounts).queries[..HOT]);
}

/// Numbers of nobody here, as most called numbers are.
#[divan::bench(args = sizes(), max_time = 3)]
fn owner_at_stranger(bencher: Bencher, accounts: usize) {
    ask(bencher, &world(accounts).directory, &world(accounts).strangers);
}

#[divan::bench(args = sizes(), max_time = 3)]
fn account_at_uniform(bencher: Bencher, accounts: usize) {
    let world = world(accounts);
    let at = noon();
    bencher.counter(ItemsCount::new(world.names.len())).bench(|| {
        world.names.iter().filter(|name| world.directory.account_at(black_box(name.as_bytes()), at).is_some()).count()
    });
}

/// SplitMix64: the same world on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ word >> 31
    }
}
