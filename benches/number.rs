//! How long a number takes: read, normalise, classify. Each result is hashed and printed, so that nothing is optimised
//! away and two versions can be told to give the same answers.

use std::hash::Hasher;

use callrated::number::classify::{self, NumberingPlan};
use callrated::number::countries::Countries;
use callrated::number::dialling::Dialled;
use callrated::number::{Country, Number};
use divan::counter::ItemsCount;

/// Enough that no branch predictor learns them by heart, few enough to stay in the second cache.
const NUMBERS: usize = if cfg!(debug_assertions) { 64 } else { 16_384 };

struct World {
    countries: Countries,
    numbering: Vec<u8>,
    /// Home country and what was dialled there.
    dialled: Vec<(Country, Vec<u8>)>,
}

impl World {
    /// Valid prefixes of all countries, dialled as at home, behind an international prefix, or with `+`.
    fn new() -> World {
        let countries = Countries::parse(include_str!("../rates/countries.toml")).expect("the shipped file");
        let rows = classify::parse(include_str!("../rates/numbering.csv")).expect("the shipped file");
        let country = |name| Country::parse(name).expect("a country");
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = |n: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 11) as usize % n
        };
        let mut dialled = Vec::with_capacity(NUMBERS);
        while dialled.len() < NUMBERS {
            let row = &rows[random(rows.len())];
            let digits = format!("{}{:012}", row.prefix, random(1_000_000_000_000));
            let lengths = if row.lengths == 0 { 0b1111 << 9 } else { row.lengths };
            let Some(length) = (0..16).cycle().skip(random(16)).take(16).find(|n| lengths >> n & 1 == 1) else {
                continue;
            };
            let digits = &digits[..length];
            let (home, text) = match random(4) {
                0 => ("US", format!("011{digits}")),
                1 => ("DE", format!("00{digits}")),
                2 if digits.starts_with("49") => ("DE", format!("0{}", &digits[2..])),
                2 if digits.starts_with('1') => ("US", digits.to_owned()),
                _ => ("GB", format!("+{digits}")),
            };
            dialled.push((country(home), text.into_bytes()));
        }
        World { countries, numbering: classify::build(&rows), dialled }
    }

    fn normalise(&self, home: Country, dialled: &Dialled, plan: NumberingPlan<'_>) -> Number {
        let number = self.countries.get(home).and_then(|p| p.normalise(dialled, &self.countries, Some(plan)).ok());
        number.unwrap_or(Number(0))
    }
}

fn hash(name: &str, words: impl Iterator<Item = u64>) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    words.for_each(|word| hasher.write_u64(word));
    let hash = hasher.finish();
    println!("{name}: {hash:016x}");
    hash
}

fn main() {
    divan::main();
    let world = World::new();
    let plan = NumberingPlan::trusted(&world.numbering);
    let numbers = world.dialled.iter().map(|(home, text)| world.normalise(*home, &Dialled::read(text), plan));
    hash("normalised", numbers.clone().map(|n| n.0));
    let class = |n: Number| {
        plan.classify(n).map_or(0, |c| u64::from(c.country.0[0]) << 16 | u64::from(c.country.0[1]) << 8 | c.kind as u64)
    };
    hash("classified", numbers.clone().map(class));
    println!("of {} are no number: {}", NUMBERS, numbers.filter(|n| n.0 == 0).count());
}

#[divan::bench]
fn read(bencher: divan::Bencher) {
    let world = World::new();
    bencher
        .counter(ItemsCount::new(NUMBERS))
        .bench_local(|| world.dialled.iter().map(|(_, text)| Dialled::read(text).digits().len()).sum::<usize>());
}

#[divan::bench]
fn special(bencher: divan::Bencher) {
    let world = World::new();
    let read: Vec<(Country, Dialled)> = world.dialled.iter().map(|(home, text)| (*home, Dialled::read(text))).collect();
    bencher.counter(ItemsCount::new(NUMBERS)).bench_local(|| {
        let special = |(home, dialled): &&(Country, Dialled)| {
            world.countries.get(*home).is_some_and(|p| p.special(dialled).is_some())
        };
        read.iter().filter(special).count()
    });
}

#[divan::bench]
fn normalise(bencher: divan::Bencher) {
    let world = World::new();
    let plan = NumberingPlan::trusted(&world.numbering);
    let read: Vec<(Country, Dialled)> = world.dialled.iter().map(|(home, text)| (*home, Dialled::read(text))).collect();
    bencher
        .counter(ItemsCount::new(NUMBERS))
        .bench_local(|| read.iter().fold(0, |sum, (home, dialled)| sum ^ world.normalise(*home, dialled, plan).0));
}

#[divan::bench]
fn read_and_normalise(bencher: divan::Bencher) {
    let world = World::new();
    let plan = NumberingPlan::trusted(&world.numbering);
    bencher.counter(ItemsCount::new(NUMBERS)).bench_local(|| {
        world.dialled.iter().fold(0, |sum, (home, text)| sum ^ world.normalise(*home, &Dialled::read(text), plan).0)
    });
}

#[divan::bench]
fn classify(bencher: divan::Bencher) {
    let world = World::new();
    let plan = NumberingPlan::trusted(&world.numbering);
    let numbers: Vec<Number> =
        world.dialled.iter().map(|(home, text)| world.normalise(*home, &Dialled::read(text), plan)).collect();
    bencher
        .counter(ItemsCount::new(NUMBERS))
        .bench_local(|| numbers.iter().fold(0, |sum, n| sum + plan.classify(*n).map_or(99, |c| c.kind as u64)));
}
