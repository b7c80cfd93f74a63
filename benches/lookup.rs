//! Longest-prefix look-up: our prefix map beside a hash table probed per length and a sorted array.
//!
//! Every structure answers the same queries first; the hashes of the answers are printed and must be equal. With
//! `cargo bench` the sets are those of the trade: 32 thousand (the numbering plan), 543 thousand and 1.2 million
//! (generated, with a real deck's mix of lengths). Without it, or with `--test`, they are small. `CALLRATED_DECKS` may
//! name a deck as CSV (prefixes in its first column), which is then measured too.

use std::hint::black_box;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use callrated::number::Number;
use callrated::number::prefix::{PrefixMap, build, lexicographic};
use divan::Bencher;
use divan::counter::ItemsCount;
use hashbrown::HashMap;

fn main() {
    for set in SETS.iter() {
        for (mix, queries) in set.mixes() {
            let first = &queries[..queries.len().min(100_000)];
            let expected = hash(first.iter().map(|q| set.map().longest(*q).unwrap_or(u32::MAX)));
            let mut out = vec![0; first.len()];
            set.map().longest_batch(first, &mut out);
            assert_eq!(hash(out.into_iter()), expected, "batch");
            assert_eq!(hash(first.iter().map(|q| set.hashed(*q))), expected, "hash table");
            assert_eq!(hash(first.iter().map(|q| set.searched(*q))), expected, "sorted array");
            let bytes = set.bytes.len() as f64 / set.sorted.len().max(1) as f64;
            println!(
                "{:>9} {mix}: answers {expected:016x}, {} prefixes, {bytes:.1} bytes each",
                set.name,
                set.sorted.len()
            );
        }
    }
    divan::main();
}

/// Look-ups a sample; samples walk through all queries, so that caches see them as traffic would.
const SAMPLE: usize = 1 << 16;

/// Prefixes and the structures over them.
struct Set {
    name: &'static str,
    sorted: Vec<Number>,
    keys: Vec<u64>,
    bytes: Vec<u8>,
    ids: HashMap<u64, u32, foldhash::fast::FixedState>,
    lengths: u32,
    /// Next shorter prefix.
    parents: Vec<u32>,
    uniform: Vec<Number>,
    zipf: Vec<Number>,
}

static SETS: LazyLock<Vec<Set>> = LazyLock::new(|| {
    let small = std::env::args().any(|a| a == "--test") || !std::env::args().any(|a| a == "--bench");
    let queries = if small { 2_000 } else { 1_000_000 };
    let numbering = concat!(env!("CARGO_MANIFEST_DIR"), "/rates/numbering.csv");
    let mut sets = vec![
        Set::new("32k", first_column(numbering), queries),
        Set::new("543k", generated(if small { 3_000 } else { 542_840 }), queries),
        Set::new("1200k", generated(if small { 9_000 } else { 1_200_000 }), queries),
    ];
    if let Ok(path) = std::env::var("CALLRATED_DECKS") {
        sets.push(Set::new("deck", first_column(&path), queries));
    }
    sets
});

impl Set {
    fn new(name: &'static str, mut sorted: Vec<Number>, queries: usize) -> Set {
        sorted.sort_by_key(|n| lexicographic(*n));
        sorted.dedup();
        let bytes = build(&sorted);
        let map = PrefixMap::validate(&bytes).expect("a map that was just built");
        let parents = (0..map.len()).map(|id| map.parent(id).unwrap_or(u32::MAX)).collect();
        let ids = sorted.iter().zip(0..).map(|(n, id)| (n.0, id)).collect();
        let lengths = sorted.iter().fold(0, |bits, n| bits | 1 << n.len());
        let keys = sorted.iter().map(|n| lexicographic(*n)).collect();
        let mut random = Random(7);
        let uniform: Vec<Number> = (0..queries)
            .map(|_| {
                let prefix = sorted[random.below(sorted.len())];
                random.number_below(prefix)
            })
            .collect();
        let zipf = zipf(&sorted, queries);
        Set { name, keys, bytes, ids, lengths, parents, uniform, zipf, sorted }
    }

    fn mixes(&self) -> [(&'static str, &[Number]); 2] {
        [("uniform", &self.uniform), ("zipf", &self.zipf)]
    }

    fn map(&self) -> PrefixMap<'_> {
        PrefixMap::trusted(&self.bytes)
    }

    /// The longest length first, one probe each.
    #[inline(always)]
    fn hashed(&self, number: Number) -> u32 {
        let mut lengths = self.lengths;
        while lengths != 0 {
            let n = 31 - lengths.leading_zeros();
            if let Some(id) = self.ids.get(&number.prefix(n as usize).0) {
                return *id;
            }
            lengths &= !(1 << n);
        }
        u32::MAX
    }

    /// The last prefix not behind the number, then up its parents until one fits.
    #[inline(always)]
    fn searched(&self, number: Number) -> u32 {
        let key = lexicographic(number);
        let mut id = (self.keys.partition_point(|k| *k <= key) as u32).wrapping_sub(1);
        while id != u32::MAX && !number.starts_with(self.sorted[id as usize]) {
            id = self.parents[id as usize];
        }
        id
    }
}

fn hash(answers: impl Iterator<Item = u32>) -> u64 {
    let bytes: Vec<u8> = answers.flat_map(u32::to_le_bytes).collect();
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

/// SplitMix64: the same numbers on every machine.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// The prefix and random digits to 11 to 13 in all.
    fn number_below(&mut self, prefix: Number) -> Number {
        let mut text = prefix.to_string();
        let length = 11 + self.below(3);
        while text.len() < length {
            text.push((b'0' + self.below(10) as u8) as char);
        }
        Number::from_digits(text.as_bytes()).expect("digits")
    }
}

/// Zipf with s = 1.1 over the prefixes in random order.
fn zipf(sorted: &[Number], queries: usize) -> Vec<Number> {
    let mut random = Random(11);
    let mut order: Vec<Number> = sorted.to_vec();
    for i in (1..order.len()).rev() {
        order.swap(i, random.below(i + 1));
    }
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=order.len())
        .map(|rank| {
            sum += (rank as f64).powf(-1.1);
            sum
        })
        .collect();
    let draw = |random: &mut Random| {
        let at = (random.next() >> 11) as f64 / (1_u64 << 53) as f64 * sum;
        order[cumulative.partition_point(|c| *c < at).min(order.len() - 1)]
    };
    (0..queries)
        .map(|_| {
            let prefix = draw(&mut random);
            random.number_below(prefix)
        })
        .collect()
}

/// Prefixes with a real deck's mix of lengths: a block of North American seven-digit codes, and nests of longer codes
/// below a few hundred stems.
fn generated(count: usize) -> Vec<Number> {
    let mut random = Random(count as u64);
    let stems: Vec<String> = (0..400).map(|_| (2_000 + random.below(80_000)).to_string()).collect();
    let mut set = std::collections::BTreeSet::new();
    while set.len() < count {
        let text = match random.below(100) {
            0..45 => format!(
                "1{:03}{:03}",
                200 + random.below(if count > 1_000_000 { 800 } else { 400 }),
                200 + random.below(800)
            ),
            45..73 => stem(&stems, &mut random, 9),
            73..90 => stem(&stems, &mut random, 8),
            90..95 => stem(&stems, &mut random, 6),
            95..97 => stem(&stems, &mut random, 10),
            97..98 => stem(&stems, &mut random, 5),
            _ => stem(&stems, &mut random, 11),
        };
        set.insert(text);
    }
    set.iter().map(|t| Number::from_digits(t.as_bytes()).expect("digits")).collect()
}

fn stem(stems: &[String], random: &mut Random, length: usize) -> String {
    // The smaller of two draws: a few countries have most codes.
    let mut text = stems[random.below(stems.len()).min(random.below(stems.len()))].clone();
    while text.len() < length {
        text.push((b'0' + random.below(10) as u8) as char);
    }
    text
}

fn first_column(path: &str) -> Vec<Number> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let digits = |line: &str| Number::from_digits(line.split(',').next()?.trim_matches('"').as_bytes());
    text.lines().filter_map(digits).collect()
}

fn cases() -> Vec<String> {
    SETS.iter().flat_map(|s| s.mixes().map(|(mix, _)| format!("{} {mix}", s.name))).collect()
}

/// Runs samples over the queries of a case.
fn run(bencher: Bencher<'_, '_>, case: &str, sample: impl Fn(&Set, &[Number]) -> u32 + Sync) {
    let (name, mix) = case.split_once(' ').expect("set and mix");
    let set = SETS.iter().find(|s| s.name == name).expect("a set");
    let queries = set.mixes().into_iter().find(|(m, _)| *m == mix).expect("a mix").1;
    let size = SAMPLE.min(queries.len());
    let at = AtomicUsize::new(0);
    bencher.counter(ItemsCount::new(size)).bench(|| {
        let from = at.fetch_add(size, Ordering::Relaxed) % (queries.len() - size + 1);
        sample(set, &queries[from..from + size])
    });
}

/// Each look-up waits for the one before.
fn dependent(queries: &[Number], longest: impl Fn(Number) -> u32) -> u32 {
    let mask = black_box(0);
    queries.iter().fold(0, |last, q| longest(Number(q.0 ^ u64::from(last & mask))))
}

#[divan::bench(args = cases())]
fn map_single(bencher: Bencher<'_, '_>, case: &str) {
    run(bencher, case, |set, queries| {
        let map = set.map();
        dependent(queries, |q| map.longest(q).unwrap_or(u32::MAX))
    });
}

#[divan::bench(args = cases())]
fn map_loop(bencher: Bencher<'_, '_>, case: &str) {
    run(bencher, case, |set, queries| {
        let map = set.map();
        queries.iter().fold(0, |sum, q| sum ^ map.longest(*q).unwrap_or(u32::MAX))
    });
}

#[divan::bench(args = cases())]
fn map_batch(bencher: Bencher<'_, '_>, case: &str) {
    run(bencher, case, |set, queries| {
        let map = set.map();
        let mut out = [0; 256];
        queries.chunks(256).fold(0, |sum, q| {
            map.longest_batch(q, &mut out);
            sum ^ out[0]
        })
    });
}

#[divan::bench(args = cases())]
fn hash_single(bencher: Bencher<'_, '_>, case: &str) {
    run(bencher, case, |set, queries| dependent(queries, |q| set.hashed(q)));
}

#[divan::bench(args = cases())]
fn hash_loop(bencher: Bencher<'_, '_>, case: &str) {
    run(bencher, case, |set, queries| queries.iter().fold(0, |sum, q| sum ^ set.hashed(*q)));
}

#[divan::bench(args = cases())]
fn sorted_single(bencher: Bencher<'_, '_>, case: &str) {
    run(bencher, case, |set, queries| dependent(queries, |q| set.searched(q)));
}

#[divan::bench(args = cases())]
fn sorted_loop(bencher: Bencher<'_, '_>, case: &str) {
    run(bencher, case, |set, queries| queries.iter().fold(0, |sum, q| sum ^ set.searched(*q)));
}
