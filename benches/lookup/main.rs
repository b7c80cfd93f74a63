//! Longest-prefix look-up: our prefix map beside every structure a user would pick instead, in one run.
//!
//! ```text
//! cargo bench --bench lookup                 all sets: 32 thousand, 543 thousand, 1.2 million prefixes
//! cargo bench --bench lookup -- --only 543k  one of them
//! CALLRATED_DECKS=deck.csv cargo bench --bench lookup -- --only deck    a deck of your own (prefixes in its first column)
//! ```
//!
//! The 32 thousand are the numbering plan; the larger sets are generated, with a real deck's mix of lengths. Every
//! structure answers the same numbers first; the hash of the answers is printed and must be equal. All take ASCII digits.
//!
//! - *single*: each look-up waits for the one before (a bit of the last answer goes into the next question);
//! - *loop*: independent look-ups one by one;
//! - *batch*: 256 at a time, packed and looked up in lock-step. Only ours has that; for the others their loop is their best.
//!
//! Each figure is processor time, the least of several passes over all numbers; the ratio is yada's time (loop, for a batch) to it.

mod peers;
mod sets;
#[path = "../watch/mod.rs"]
mod watch;

use std::hint::black_box;

use callrated::number::Number;
use callrated::number::prefix::{PrefixMap, build};
use peers::{Fst, HashPerLength, NONE, SortedArray, TenAry, Yada};
use sets::{Numbers, first_column, generated};
use watch::Watch;

/// Numbers packed before they are looked up in lock-step.
const BATCH: usize = 256;

/// ASCII digits side by side, as they lie in a frame.
struct Texts {
    bytes: Vec<u8>,
    lengths: Vec<u8>,
}

/// Digits of one number in [`Texts::bytes`], the rest of it unused.
const STRIDE: usize = 16;

impl Texts {
    fn of(numbers: &[Number]) -> Texts {
        let mut texts = Texts { bytes: vec![b'0'; numbers.len() * STRIDE], lengths: Vec::new() };
        for (number, place) in numbers.iter().zip(texts.bytes.chunks_exact_mut(STRIDE)) {
            let (digits, n) = number.digits();
            place[..n].copy_from_slice(&digits[..n]);
            texts.lengths.push(n as u8);
        }
        texts
    }

    #[inline(always)]
    fn get(&self, i: usize) -> &[u8] {
        &self.bytes[i * STRIDE..][..usize::from(self.lengths[i])]
    }

    fn len(&self) -> usize {
        self.lengths.len()
    }
}

#[inline(always)]
fn pack(digits: &[u8]) -> Number {
    Number::from_digits(digits).expect("digits")
}

/// Nanoseconds a look-up, the least of the passes, and the hash of the first answers.
struct Figure {
    single: f64,
    each: f64,
    hash: u64,
}

fn least(passes: usize, numbers: usize, mut pass: impl FnMut() -> u32) -> f64 {
    (0..passes)
        .map(|_| {
            let begun = Watch::start();
            black_box(pass());
            begun.seconds() * 1e9 / numbers as f64
        })
        .fold(f64::INFINITY, f64::min)
}

#[inline(always)]
fn measure(texts: &Texts, passes: usize, longest: impl Fn(&[u8]) -> u32) -> Figure {
    let answers: Vec<u8> = (0..texts.len().min(100_000)).flat_map(|i| longest(texts.get(i)).to_le_bytes()).collect();
    // Zero at run time, and unknown to the compiler.
    let mask = black_box(0);
    let single = least(passes, texts.len(), || {
        (0..texts.len()).fold(0, |last, i| longest(texts.get(i + (last & mask) as usize)))
    });
    let each = least(passes, texts.len(), || (0..texts.len()).fold(0, |sum, i| sum ^ longest(texts.get(i))));
    Figure { single, each, hash: xxhash_rust::xxh3::xxh3_64(&answers) }
}

/// Ours in lock-step: nanoseconds a look-up, and the hash of the first answers.
fn measure_batch(map: PrefixMap<'_>, texts: &Texts, passes: usize) -> (f64, u64) {
    let (mut packed, mut out) = ([Number(0); BATCH], [0; BATCH]);
    let mut batches = |mut each: Option<&mut Vec<u8>>| {
        let mut sum = 0;
        for from in (0..texts.len()).step_by(BATCH) {
            let n = BATCH.min(texts.len() - from);
            for (i, number) in packed[..n].iter_mut().enumerate() {
                *number = pack(texts.get(from + i));
            }
            map.longest_batch(&packed[..n], &mut out[..n]);
            sum ^= out[0];
            if let Some(all) = &mut each {
                all.extend(out[..n].iter().flat_map(|id| id.to_le_bytes()));
            }
        }
        sum
    };
    let mut answers = Vec::new();
    batches(Some(&mut answers));
    answers.truncate(texts.len().min(100_000) * 4);
    let hash = xxhash_rust::xxh3::xxh3_64(&answers);
    (least(passes, texts.len(), || batches(None)), hash)
}

fn run(name: &str, prefixes: Vec<Number>, queries: usize, passes: usize) {
    let numbers = Numbers::over(prefixes, queries);
    let count = numbers.sorted.len();
    let begun = Watch::start();
    let bytes = build(&numbers.sorted);
    let built = begun.seconds();
    let begun = Watch::start();
    let map = PrefixMap::validate(&bytes).expect("a map that was just built");
    let opened = begun.seconds();
    println!(
        "\n{name}: {count} prefixes; ours built in {:.0} ms, checked whole in {:.1} ms",
        built * 1e3,
        opened * 1e3
    );
    let (hash, sorted, ten) =
        (HashPerLength::new(&numbers.sorted), SortedArray::new(&numbers.sorted), TenAry::new(&numbers.sorted));
    let (yada, fst) = (Yada::new(&numbers.sorted), Fst::new(&numbers.sorted));
    for (mix, queries) in [("uniform", &numbers.uniform), ("zipf", &numbers.zipf)] {
        let texts = Texts::of(queries);
        let (batch, batch_hash) = measure_batch(map, &texts, passes);
        let rows = [
            ("ours", bytes.len(), measure(&texts, passes, |d| map.longest(pack(d)).unwrap_or(NONE))),
            ("yada", yada.bytes(), measure(&texts, passes, |d| yada.longest(d))),
            ("hash per length", hash.bytes(), measure(&texts, passes, |d| hash.longest(pack(d)))),
            ("10-ary array", ten.bytes(), measure(&texts, passes, |d| ten.longest(d))),
            ("sorted array", sorted.bytes(), measure(&texts, passes, |d| sorted.longest(pack(d)))),
            ("fst", fst.bytes(), measure(&texts, passes, |d| fst.longest(d))),
        ];
        let peer = &rows[1].2;
        println!(
            "  {mix:<8}{:>24} {:>8} {:>8} {:>8} {:>10}   yada/it: single, best",
            "single", "loop", "batch", "B/prefix", "answers"
        );
        for (who, size, figure) in &rows {
            assert_eq!(figure.hash, batch_hash, "{who} answers differently");
            let ours = *who == "ours";
            let best = if ours { batch.min(figure.each) } else { figure.each };
            let shown = if ours { format!("{batch:.1}") } else { "-".into() };
            println!(
                "    {who:<16}{:>12.1} {:>8.1} {shown:>8} {:>8.1} {:016x} {:>10.2} {:>6.2}",
                figure.single,
                figure.each,
                *size as f64 / count as f64,
                figure.hash,
                peer.single / figure.single,
                peer.each / best
            );
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let small = arguments.iter().any(|a| a == "--test") || !arguments.iter().any(|a| a == "--bench");
    let only = arguments.iter().position(|a| a == "--only").and_then(|at| arguments.get(at + 1));
    let (queries, passes) = if small { (2_000, 1) } else { (1_000_000, 5) };
    let deck = std::env::var("CALLRATED_DECKS").ok();
    let prefixes = |set: &str| match set {
        "32k" => first_column(concat!(env!("CARGO_MANIFEST_DIR"), "/rates/numbering.csv")),
        "543k" => generated(if small { 3_000 } else { 542_840 }),
        "1200k" => generated(if small { 9_000 } else { 1_200_000 }),
        _ => first_column(deck.as_deref().unwrap_or_default()),
    };
    let sets = ["32k", "543k", "1200k"].into_iter().chain(deck.is_some().then_some("deck"));
    println!("nanoseconds a look-up, least of {passes} passes over {queries} numbers");
    for set in sets.filter(|set| only.is_none_or(|only| only == set)) {
        run(set, prefixes(set), queries, passes);
    }
}
