//! Longest prefix of a number among many: the structure behind every look-up.
//!
//! A table of little-endian `u32`. The *head* is indexed by the first one, three or five symbols of the number in base 11
//! (symbol 10: the number has ended), so that most look-ups begin deep. An *entry* is an answer or leads to a node:
//!
//! ```text
//! entry   1 │ id (30 bits; all ones: no prefix)                an answer
//!         0 │ kind (2 bits) │ place in the table (29 bits)     a node
//! kind 0  inner   runs u128 │ one entry a run                  two symbols wide; runs marks where answers change
//! kind 2  sparse  8 terms u8 │ inherited id │ first id         at most eight prefixes, all within two more digits
//! kind 3  dense   terms u128 │ inherited id │ first id │ 0 0   more than eight
//! ```
//!
//! Every entry of an inner node already holds the best answer so far, so a look-up goes forward only. Ids are places in
//! *lexicographic* order of the digits ("49" before "491" before "5"), which makes the ids below a last node contiguous:
//! `first id + rank`. This is not the numeric order of [`Number`]'s packed form, whose filler sorts an end behind every
//! digit; [`lexicographic`] gives a key that sorts as needed.
//!
//! Measured on a real deck of 542,840 prefixes: 3.1 bytes a prefix and 15 ns a look-up, 8 ns in lock-step.
//!
//! ```text
//! section  magic u32 │ digits of the head u32 │ prefixes u32 │ words of the table u32 │ zeros to 64 │ table │ codes
//! ```
//!
//! Does not know what the ids stand for.

mod batch;
mod build;
pub mod codes;
mod symbols;
#[cfg(test)]
mod tests;
mod validate;

use std::hint::select_unpredictable;

use bytes::Bytes;
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, IntoBytes};

use super::Number;
use crate::os::cpu::{CountsBits, with_bit_counts};
pub use build::build;
use codes::Codes;
use symbols::{Terms, after_head, after_node, bit, equal_bytes, head_index, pair, rank_through, slot, terms};

const MAGIC: u32 = u32::from_le_bytes(*b"pfx1");
/// Bytes before the table: one cache line, so that the table starts on a line of its own.
const HEAD_BYTES: usize = 64;

const LEAF: u32 = 1 << 31;
const ID_NONE: u32 = (1 << 30) - 1;
const PLACE: u32 = (1 << 29) - 1;
const KIND_INNER: u32 = 0;
const KIND_SPARSE: u32 = 2;
const KIND_DENSE: u32 = 3;
/// Words of a node before its entries, or in all.
const INNER_WORDS: usize = 4;
const SPARSE_WORDS: usize = 4;
const DENSE_WORDS: usize = 8;
/// Prefixes in a sparse node.
const SPARSE_MAX: usize = 8;
/// Inner nodes on the way to a 16-digit prefix at most: seven below a one-digit head, and one to spare.
const LEVELS_MAX: usize = 8;
/// Symbols of a node's slot: ten digits and the end.
const SYMBOLS: u32 = 11;
const SLOTS: u32 = SYMBOLS * SYMBOLS;
const FILLER: u64 = 0xAAAA_AAAA_AAAA_AAAA;

/// A key in whose numeric order numbers sort like their digits, a prefix before its extensions: each digit one up,
/// the end zero.
pub fn lexicographic(number: Number) -> u64 {
    let x = number.0;
    // The filler is 0b1010: no digit has bits 3 and 1 set.
    let end = (x >> 3 & x >> 1) & 0x1111_1111_1111_1111;
    (x & !(end * 0xF)) + (0x1111_1111_1111_1111 & !end)
}

/// A validated view over the bytes of a prefix map.
#[derive(Clone, Copy)]
pub struct PrefixMap<'a> {
    table: &'a [U32],
    head_digits: u32,
    count: u32,
    /// [`Codes`], taken apart only where they are asked for: no look-up does.
    codes: &'a [u8],
}

/// The parts of a prefix map, so that they need not be found for each look-up.
#[derive(Clone, Debug)]
pub struct Parts {
    table: Bytes,
    codes: Bytes,
    head_digits: u32,
    count: u32,
}

impl<'a> PrefixMap<'a> {
    /// Checks everything once: every place, size, kind and id. Look-ups in accepted bytes answer for every number.
    pub fn validate(bytes: &'a [u8]) -> Result<PrefixMap<'a>, &'static str> {
        PrefixMap::validate_with(bytes, |_, _| Ok(()))
    }

    /// [`PrefixMap::validate`], showing each id and its prefix to whoever has more to check.
    pub fn validate_with(
        bytes: &'a [u8],
        mut visit: impl FnMut(u32, Number) -> Result<(), &'static str>,
    ) -> Result<PrefixMap<'a>, &'static str> {
        let map = PrefixMap::split(bytes).ok_or("prefix map: cut short or foreign")?;
        validate::validate(&map)?;
        // No number's key is 0: it has at least one digit.
        let mut least = 0;
        let codes = Codes::validate(map.codes, |id, prefix| {
            let key = lexicographic(prefix);
            if key <= least {
                return Err("prefix map: prefixes are not in ascending order");
            }
            least = key;
            visit(id, prefix)
        })?;
        if codes.len() != map.count {
            return Err("prefix map: another number of codes than of prefixes");
        }
        Ok(map)
    }

    /// A view over bytes that `validate` accepted before. On other bytes answers are meaningless, never a panic.
    #[inline]
    pub fn trusted(bytes: &'a [u8]) -> PrefixMap<'a> {
        PrefixMap::split(bytes).unwrap_or(PrefixMap { table: &[], head_digits: 1, count: 0, codes: &[] })
    }

    /// The parts of a map.
    pub fn parts(bytes: &Bytes) -> Option<Parts> {
        let map = PrefixMap::split(bytes)?;
        let (table, codes) = (bytes.slice_ref(map.table.as_bytes()), bytes.slice_ref(map.codes));
        Some(Parts { table, codes, head_digits: map.head_digits, count: map.count })
    }

    /// [`PrefixMap::trusted`] of a map that was taken apart.
    #[inline]
    pub fn of(parts: &'a Parts) -> PrefixMap<'a> {
        let table = <[U32]>::ref_from_bytes(&parts.table).unwrap_or(&[]);
        PrefixMap { table, head_digits: parts.head_digits, count: parts.count, codes: &parts.codes }
    }

    #[inline]
    fn split(bytes: &'a [u8]) -> Option<PrefixMap<'a>> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let word = |i: usize| u32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]);
        let (magic, head_digits, count, words) = (word(0), word(4), word(8), word(12));
        if magic != MAGIC || !matches!(head_digits, 1 | 3 | 5) {
            return None;
        }
        let (table, codes) = <[U32]>::ref_from_prefix_with_elems(rest, words as usize).ok()?;
        Some(PrefixMap { table, head_digits, count, codes })
    }

    /// Id of the longest prefix.
    #[inline]
    pub fn longest(&self, number: Number) -> Option<u32> {
        with_bit_counts(One { table: self.table, head_digits: self.head_digits, number })
    }

    /// Many at once; `u32::MAX` where there is none. The two slices are of one length; what one has more is left alone.
    pub fn longest_batch(&self, numbers: &[Number], out: &mut [u32]) {
        with_bit_counts(batch::LockStep { map: self, numbers, out });
    }

    /// The prefix behind an id.
    pub fn prefix(&self, id: u32) -> Option<Number> {
        Codes::trusted(self.codes).get(id)
    }

    /// Id of the next shorter prefix in the map.
    pub fn parent(&self, id: u32) -> Option<u32> {
        self.shorter(self.prefix(id)?)
    }

    /// Id of the longest prefix that is shorter than this one.
    pub fn shorter(&self, prefix: Number) -> Option<u32> {
        match prefix.len() {
            0 | 1 => None,
            n => self.longest(prefix.prefix(n - 1)),
        }
    }

    /// How many prefixes.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All prefixes in the order of their ids.
    pub fn prefixes(&self) -> impl Iterator<Item = Number> + 'a {
        Codes::trusted(self.codes).iter()
    }

    /// A word of the table. Validated tables are never left; elsewhere "no prefix" stands in.
    #[inline(always)]
    fn word(&self, place: usize) -> u32 {
        self.table.get(place).map_or(LEAF | ID_NONE, |w| w.get())
    }

    /// Where in the table the entry of an inner node's slot lies.
    #[inline(always)]
    fn inner(&self, place: usize, slot: usize) -> usize {
        let Some([a, b, c, d]) = self.node(place) else { return usize::MAX };
        let (low, high) = (pair(a, b), pair(c, d));
        // Runs that begin at or before the slot; a node's first run begins at slot 0, so there is at least one.
        (place + INNER_WORDS - 1).wrapping_add(rank_through(low, high, slot) as usize)
    }

    /// Answer of a sparse last node.
    #[inline(always)]
    fn sparse(&self, place: usize, terms: Terms) -> u32 {
        let Some([a, b, inherited, first]) = self.node(place) else { return ID_NONE };
        let keys = pair(a, b);
        let hits = equal_bytes(keys, terms.two) | equal_bytes(keys, terms.one);
        // Terms ascend, and one digit sorts before two, so the highest hit is the longest prefix.
        let position = (63 - (hits | 1).leading_zeros()) / 8;
        select_unpredictable(hits != 0, first.get().wrapping_add(position), inherited.get()) & ID_NONE
    }

    /// Answer of a dense last node.
    #[inline(always)]
    fn dense(&self, place: usize, terms: Terms) -> u32 {
        let Some([a, b, c, d, inherited, first, ..]) = self.node::<DENSE_WORDS>(place) else { return ID_NONE };
        let (low, high) = (pair(a, b), pair(c, d));
        let (has_two, has_one) = (bit(low, high, terms.two), bit(low, high, terms.one));
        // Reckoned, since the compiler makes a jump of a choice here that nobody can foretell.
        let hit = terms.one.wrapping_add(terms.two.wrapping_sub(terms.one).wrapping_mul(has_two));
        let id = first.get().wrapping_add(rank_through(low, high, hit)).wrapping_sub(1);
        select_unpredictable(has_two | has_one != 0, id, inherited.get()) & ID_NONE
    }

    #[inline(always)]
    fn node<const WORDS: usize>(&self, place: usize) -> Option<&'a [U32; WORDS]> {
        // Places have 29 bits: the sum is right, and one comparison is enough.
        self.table.get(place..place + WORDS)?.first_chunk()
    }
}

/// One look-up.
struct One<'a> {
    table: &'a [U32],
    head_digits: u32,
    number: Number,
}

impl CountsBits for One<'_> {
    type Output = Option<u32>;

    #[inline(always)]
    fn run(self) -> Option<u32> {
        let One { table, head_digits, number } = self;
        let map = PrefixMap { table, head_digits, count: 0, codes: &[] };
        let mut entry = map.word(head_index(number.0, map.head_digits));
        let mut rest = after_head(number.0, map.head_digits);
        for _ in 0..=LEVELS_MAX {
            let place = (entry & PLACE) as usize;
            match entry >> 29 {
                KIND_INNER => entry = map.word(map.inner(place, slot(rest))),
                KIND_SPARSE => return found(map.sparse(place, terms(rest))),
                KIND_DENSE => return found(map.dense(place, terms(rest))),
                _ => return found(entry & ID_NONE),
            }
            rest = after_node(rest);
        }
        None
    }
}

/// The answer as callers want it.
#[inline(always)]
fn found(id: u32) -> Option<u32> {
    (id != ID_NONE).then_some(id)
}
