//! Prefixes and numbers: those of the trade, or generated with a real deck's mix of lengths.

use callrated::number::Number;
use callrated::number::prefix::lexicographic;

/// Sorted unique prefixes and two mixes of numbers over them.
pub struct Numbers {
    pub sorted: Vec<Number>,
    pub uniform: Vec<Number>,
    pub zipf: Vec<Number>,
}

impl Numbers {
    pub fn over(mut sorted: Vec<Number>, queries: usize) -> Numbers {
        sorted.sort_by_key(|n| lexicographic(*n));
        sorted.dedup();
        let mut random = Random(7);
        let uniform = (0..queries)
            .map(|_| {
                let prefix = sorted[random.below(sorted.len())];
                random.number_below(prefix)
            })
            .collect();
        let zipf = zipf(&sorted, queries);
        Numbers { sorted, uniform, zipf }
    }
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
pub fn generated(count: usize) -> Vec<Number> {
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

pub fn first_column(path: &str) -> Vec<Number> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let digits = |line: &str| Number::from_digits(line.split(',').next()?.trim_matches('"').as_bytes());
    text.lines().filter_map(digits).collect()
}
