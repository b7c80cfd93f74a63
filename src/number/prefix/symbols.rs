//! The symbols of a number as the head and the nodes ask for them, and how the marks of a node are counted.
//!
//! What two symbols stand for, and which marks lie up to one, is read from small tables: three kilobytes, of which numbers
//! that consist of digits touch two. Reckoned, it took a good part of the instructions of a look-up.
//!
//! Does not know where nodes lie.

use std::hint::select_unpredictable;

use zerocopy::little_endian::U32;

use super::{FILLER, SYMBOLS};

const ONES: u64 = 0x0101_0101_0101_0101;

/// Marks of a node, low and high.
type Marks = [u64; 2];

/// The marks up to each, itself among them.
static THROUGH: [Marks; 128] = through();
/// Slot of two symbols.
static SLOTS: [u8; 256] = slots();
/// Terms of two symbols.
static TERMS: [[u8; 2]; 256] = all_terms();

const fn through() -> [Marks; 128] {
    let (mut all, mut i) = ([[0; 2]; 128], 0);
    while i < 128 {
        let upto = u128::MAX >> (127 - i);
        all[i] = [upto as u64, (upto >> 64) as u64];
        i += 1;
    }
    all
}

const fn slots() -> [u8; 256] {
    let (mut all, mut two) = ([0; 256], 0);
    while two < 256 {
        // No number has symbols beyond the tenth; what they would stand for stays below 128.
        all[two] = ((two as u32 - 5 * (two as u32 >> 4)) & 127) as u8;
        two += 1;
    }
    all
}

/// Terms of a last node: that of both symbols, the end as 0 and digits one up, so that terms sort lexicographically; and that
/// of the first digit alone, which is no more.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub two: usize,
    pub one: usize,
}

const fn all_terms() -> [[u8; 2]; 256] {
    let (mut all, mut two) = ([[0; 2]; 256], 0);
    while two < 256 {
        let (one, second) = ((two as u32 >> 4) * SYMBOLS, two as u32 & 0xF);
        let both = one + if second >= 10 { 0 } else { second + 1 };
        all[two] = [(both & 127) as u8, (one & 127) as u8];
        two += 1;
    }
    all
}

#[inline(always)]
pub(super) fn pair(low: &U32, high: &U32) -> u64 {
    u64::from(low.get()) | u64::from(high.get()) << 32
}

/// One bit of 128.
#[inline(always)]
pub(super) fn bit(low: u64, high: u64, i: usize) -> usize {
    (select_unpredictable(i < 64, low, high) >> (i & 63) & 1) as usize
}

/// How many of the bits 0 to `i` of 128 are set.
#[inline(always)]
pub(super) fn rank_through(low: u64, high: u64, i: usize) -> u32 {
    let [in_low, in_high] = THROUGH[i & 127];
    (low & in_low).count_ones() + (high & in_high).count_ones()
}

/// Marks (0x80) the bytes of `keys` that equal `byte`, exactly.
#[inline(always)]
pub(super) fn equal_bytes(keys: u64, byte: usize) -> u64 {
    const LOW: u64 = ONES * 0x7F;
    let v = keys ^ (byte as u64 * ONES);
    !(((v & LOW) + LOW) | v | LOW)
}

/// Pairs of symbols in base 11, one a byte: of 16 x + y, 5 x is taken off. No nibble borrows from another byte.
#[inline(always)]
fn pairs(packed: u64) -> u64 {
    packed - 5 * (packed >> 4 & 0x0F0F_0F0F_0F0F_0F0F)
}

/// Index into the head: the first symbols in base 11. Nibbles beyond 10, which no number has, stay inside the head.
#[inline(always)]
pub(super) fn head_index(packed: u64, digits: u32) -> usize {
    let pairs = pairs(packed);
    let (first, second) = ((pairs >> 56) as usize, (pairs >> 48 & 0xFF) as usize);
    let nibble = |i: u32| (packed >> (60 - 4 * i) & 0xF) as usize;
    match digits {
        5 => (first * 1331 + second * 11 + nibble(4)).min(161_050),
        3 => (first * 11 + nibble(2)).min(1330),
        _ => nibble(0).min(10),
    }
}

/// The symbols behind the head, moved to the front.
#[inline(always)]
pub(super) fn after_head(packed: u64, digits: u32) -> u64 {
    packed << (4 * digits) | FILLER >> (64 - 4 * digits)
}

/// The symbols behind a node.
#[inline(always)]
pub(super) fn after_node(rest: u64) -> u64 {
    rest << 8 | 0xAA
}

/// Slot of an inner node: both symbols, the end as 10.
#[inline(always)]
pub(super) fn slot(rest: u64) -> usize {
    usize::from(SLOTS[(rest >> 56) as usize])
}

/// Terms of the two symbols in front.
#[inline(always)]
pub(super) fn terms(rest: u64) -> Terms {
    let [two, one] = TERMS[(rest >> 56) as usize];
    // As words: the compiler makes jumps of choices between bytes.
    Terms { two: usize::from(two), one: usize::from(one) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_say_what_counting_says() {
        let bits = 0xA5A5_0F0F_3333_5555_8001_7FFE_1234_FEDC_u128;
        let (low, high) = (bits as u64, (bits >> 64) as u64);
        for i in 0..128 {
            let rank = (0..=i).filter(|at| bits >> at & 1 == 1).count() as u32;
            assert_eq!((rank_through(low, high, i), bit(low, high, i)), (rank, (bits >> i & 1) as usize), "{i}");
        }
        // Slots ascend with their symbols, the end behind every digit; terms ascend with the end before every digit.
        let symbols = || (0..11_u64).flat_map(|first| (0..11).map(move |second| (first, second)));
        for (slot_expected, (first, second)) in symbols().enumerate() {
            assert_eq!(slot(first << 60 | second << 56), slot_expected);
        }
        let end_first = |(first, second): (u64, u64)| (first, (second + 1) % 11);
        let mut sorted: Vec<_> = symbols().filter(|(first, _)| *first < 10).collect();
        sorted.sort_by_key(|two| end_first(*two));
        for (term, (first, second)) in sorted.into_iter().enumerate() {
            let found = terms(first << 60 | second << 56);
            assert_eq!((found.two, found.one as u64), (term, first * 11));
        }
    }
}
