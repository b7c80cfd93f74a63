//! From sorted prefixes to the bytes of a prefix map.
//!
//! Does not know where the prefixes come from or how look-ups read the bytes.

use super::{
    DENSE_WORDS, HEAD_BYTES, ID_NONE, INNER_WORDS, KIND_DENSE, KIND_INNER, KIND_SPARSE, LEAF, MAGIC, Number, PLACE,
    SLOTS, SPARSE_MAX, SPARSE_WORDS, SYMBOLS, codes, lexicographic,
};

/// From how many prefixes on the head has three digits, and five. A five-digit head is 644 KB whatever it holds, and
/// fills half a core's cache; below a hundred thousand prefixes a three-digit head of 5 KB is the better neighbour.
const HEAD_OF_THREE: usize = 16;
const HEAD_OF_FIVE: usize = 100_000;

/// Builds the section bytes from distinct prefixes in lexicographic order (ids are indexes in that order: sort by
/// [`lexicographic`], not by [`Number`]). Bytes built from anything else are refused by `validate`.
///
/// # Panics
/// With 2³⁰ − 1 prefixes or more, or a table of 2²⁹ words or more: beyond every deck by three orders of magnitude.
pub fn build(sorted: &[Number]) -> Vec<u8> {
    let digits = match sorted.len() {
        n if n >= HEAD_OF_FIVE => 5,
        n if n >= HEAD_OF_THREE => 3,
        _ => 1,
    };
    build_with_head(sorted, digits)
}

pub(super) fn build_with_head(sorted: &[Number], digits: u32) -> Vec<u8> {
    assert!(sorted.len() < ID_NONE as usize, "more prefixes than ids");
    debug_assert!(sorted.windows(2).all(|w| lexicographic(w[0]) < lexicographic(w[1])), "prefixes are not sorted");
    let head = SYMBOLS.pow(digits) as usize;
    let mut builder = Builder { sorted, table: vec![LEAF | ID_NONE; head], head_digits: digits as usize };
    builder.head(0, sorted.len(), 0, ID_NONE, 0);
    let table = builder.table;
    assert!(table.len() < PLACE as usize, "table too large");
    let codes = codes::build(sorted);
    let mut out = Vec::with_capacity(HEAD_BYTES + table.len() * 4 + codes.len());
    for word in [MAGIC, digits, sorted.len() as u32, table.len() as u32] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.resize(HEAD_BYTES, 0);
    table.iter().for_each(|w| out.extend_from_slice(&w.to_le_bytes()));
    out.extend_from_slice(&codes);
    out
}

struct Builder<'a> {
    sorted: &'a [Number],
    table: Vec<u32>,
    head_digits: usize,
}

/// What lies behind a slot: an answer, or the longer prefixes `low..high` with the answer they inherit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Answer(u32),
    Longer { low: usize, high: usize, inherited: u32 },
}

impl Builder<'_> {
    /// Fills the part of the head below the symbols in `base`: prefixes `low..high` all have more than `depth` digits.
    fn head(&mut self, low: usize, high: usize, depth: usize, inherited: u32, base: usize) {
        let span = (SYMBOLS as usize).pow((self.head_digits - depth - 1) as u32);
        let mut from = low;
        for symbol in 0..SYMBOLS as usize {
            let at = (base * SYMBOLS as usize + symbol) * span;
            let behind = self.below(&mut from, high, depth, symbol as u8, inherited);
            match behind {
                Behind::Answer(id) => self.table[at..at + span].fill(LEAF | id),
                Behind::Longer { low, high, inherited } if depth + 1 == self.head_digits => {
                    self.table[at] = self.node(low, high, depth + 1, inherited);
                }
                Behind::Longer { low, high, inherited } => {
                    self.head(low, high, depth + 1, inherited, base * SYMBOLS as usize + symbol);
                }
            }
        }
    }

    /// Takes the prefixes from `*from` on whose digit at `depth` is `symbol`.
    fn below(&self, from: &mut usize, high: usize, depth: usize, symbol: u8, inherited: u32) -> Behind {
        if symbol == 10 {
            return Behind::Answer(inherited);
        }
        let low = *from;
        let end = low + self.sorted[low..high].partition_point(|n| n.digit(depth).is_some_and(|d| d <= symbol));
        *from = end;
        if low == end {
            return Behind::Answer(inherited);
        }
        // The prefix that ends here sorts first.
        let own = self.sorted[low].len() == depth + 1;
        let (low, inherited) = if own { (low + 1, low as u32) } else { (low, inherited) };
        if low == end { Behind::Answer(inherited) } else { Behind::Longer { low, high: end, inherited } }
    }

    /// Appends the node of prefixes that all have more than `depth` digits; gives the entry that leads to it.
    fn node(&mut self, low: usize, high: usize, depth: usize, inherited: u32) -> u32 {
        if self.sorted[low..high].iter().all(|n| n.len() <= depth + 2) {
            return self.last(low, high, depth, inherited);
        }
        let mut slots = Vec::with_capacity(SLOTS as usize);
        let mut from = low;
        for first in 0..SYMBOLS as u8 {
            match self.below(&mut from, high, depth, first, inherited) {
                Behind::Answer(id) => slots.extend([Behind::Answer(id); SYMBOLS as usize]),
                Behind::Longer { low, high, inherited } => {
                    let mut from = low;
                    for second in 0..SYMBOLS as u8 {
                        slots.push(self.below(&mut from, high, depth + 1, second, inherited));
                    }
                }
            }
        }
        let mut runs = 0_u128;
        let mut entries = Vec::new();
        for (i, slot) in slots.iter().enumerate() {
            if entries.last() != Some(slot) {
                runs |= 1 << i;
                entries.push(*slot);
            }
        }
        let place = self.reserve(INNER_WORDS + entries.len(), INNER_WORDS);
        self.put_u128(place, runs);
        // Children follow their parent, so that places only grow along a look-up and cannot form a ring.
        for (i, behind) in entries.into_iter().enumerate() {
            let entry = match behind {
                Behind::Answer(id) => LEAF | id,
                Behind::Longer { low, high, inherited } => self.node(low, high, depth + 2, inherited),
            };
            self.table[place + INNER_WORDS + i] = entry;
        }
        KIND_INNER << 29 | place as u32
    }

    /// A node with nothing more than two digits below it.
    fn last(&mut self, low: usize, high: usize, depth: usize, inherited: u32) -> u32 {
        let terms = self.sorted[low..high].iter().map(|n| {
            let first = n.digit(depth).map_or(0, u32::from);
            first * SYMBOLS + n.digit(depth + 1).map_or(0, |d| u32::from(d) + 1)
        });
        let (place, kind) = if high - low <= SPARSE_MAX {
            let mut keys = [0xFF_u8; SPARSE_MAX];
            keys.iter_mut().zip(terms).for_each(|(key, term)| *key = term as u8);
            let keys = u64::from_le_bytes(keys);
            let place = self.reserve(SPARSE_WORDS, SPARSE_WORDS);
            self.table[place] = keys as u32;
            self.table[place + 1] = (keys >> 32) as u32;
            self.table[place + 2] = inherited;
            self.table[place + 3] = low as u32;
            (place, KIND_SPARSE)
        } else {
            let bits = terms.fold(0_u128, |bits, term| bits | 1 << term);
            let place = self.reserve(DENSE_WORDS, DENSE_WORDS);
            self.put_u128(place, bits);
            self.table[place + 4] = inherited;
            self.table[place + 5] = low as u32;
            (place, KIND_DENSE)
        };
        kind << 29 | place as u32
    }

    /// Room for a node, aligned so that its fixed part never straddles a cache line.
    fn reserve(&mut self, words: usize, align: usize) -> usize {
        let place = self.table.len().next_multiple_of(align);
        self.table.resize(place + words, 0);
        place
    }

    fn put_u128(&mut self, place: usize, bits: u128) {
        for i in 0..4 {
            self.table[place + i] = (bits >> (32 * i)) as u32;
        }
    }
}
