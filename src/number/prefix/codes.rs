//! Sorted numbers packed by what each shares with the one before: about 2.4 bytes each in a real deck, where an array
//! takes 8. Equal neighbours are allowed.
//!
//! ```text
//! section  count u32 │ zero u32 │ offset u32 of every 16th │ entries
//! entry    shared digits (4 bits, 15 at most) │ digits − 1 (4 bits) │ the other digits, two a byte, filled up with A
//! ```
//!
//! Does not know what the numbers are prefixes of.

use zerocopy::FromBytes;
use zerocopy::little_endian::U32;

use crate::number::Number;

/// Entries a block; the first of a block shares nothing, so that reading can begin there.
const BLOCK: usize = 16;
const SHARED_MAX: usize = 15;
const HEAD_BYTES: usize = 8;

/// Packs numbers that ascend lexicographically.
pub fn build(sorted: &[Number]) -> Vec<u8> {
    let mut offsets: Vec<u32> = Vec::with_capacity(sorted.len().div_ceil(BLOCK));
    let mut entries: Vec<u8> = Vec::with_capacity(sorted.len() * 3);
    for block in sorted.chunks(BLOCK) {
        offsets.push(entries.len() as u32);
        let mut before = None;
        for number in block {
            let length = number.len().max(1);
            let shared = before.map_or(0, |b| shared_digits(b, *number)).min(SHARED_MAX).min(length);
            entries.push((shared << 4 | (length - 1)) as u8);
            let rest = number.0 << (4 * shared);
            entries.extend_from_slice(&rest.to_be_bytes()[..(length - shared).div_ceil(2)]);
            before = Some(*number);
        }
    }
    let mut out = Vec::with_capacity(HEAD_BYTES + offsets.len() * 4 + entries.len());
    out.extend_from_slice(&(sorted.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    offsets.iter().for_each(|o| out.extend_from_slice(&o.to_le_bytes()));
    out.extend_from_slice(&entries);
    out
}

fn shared_digits(a: Number, b: Number) -> usize {
    ((a.0 ^ b.0).leading_zeros() / 4) as usize
}

/// A view over packed numbers.
#[derive(Clone, Copy)]
pub struct Codes<'a> {
    count: u32,
    offsets: &'a [U32],
    entries: &'a [u8],
}

impl<'a> Codes<'a> {
    /// Checks every entry and shows each to `visit` in order; ascending order is for `visit` to ask for.
    pub fn validate(
        bytes: &'a [u8],
        mut visit: impl FnMut(u32, Number) -> Result<(), &'static str>,
    ) -> Result<Codes<'a>, &'static str> {
        let codes = Codes::split(bytes).ok_or("codes: cut short")?;
        let mut at = 0;
        let mut before = None;
        for i in 0..codes.count {
            if (i as usize).is_multiple_of(BLOCK) {
                if codes.offsets.get(i as usize / BLOCK).map(|o| o.get() as usize) != Some(at) {
                    return Err("codes: a block lies elsewhere");
                }
                before = None;
            }
            let (number, length, next) = codes.entry(at, before).ok_or("codes: a bad entry")?;
            // The packed form of this very length and nothing else: digits, then filler.
            if number.prefix(length) != number || !digits_only(number, length) {
                return Err("codes: a bad entry");
            }
            visit(i, number)?;
            (before, at) = (Some((number, length)), next);
        }
        if at != codes.entries.len() {
            return Err("codes: something behind the last entry");
        }
        Ok(codes)
    }

    /// A view over bytes that `validate` accepted before.
    pub fn trusted(bytes: &'a [u8]) -> Codes<'a> {
        Codes::split(bytes).unwrap_or(Codes { count: 0, offsets: &[], entries: &[] })
    }

    fn split(bytes: &'a [u8]) -> Option<Codes<'a>> {
        let count = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?);
        let offsets_end = HEAD_BYTES.checked_add((count as usize).div_ceil(BLOCK).checked_mul(4)?)?;
        let offsets = <[U32]>::ref_from_bytes(bytes.get(HEAD_BYTES..offsets_end)?).ok()?;
        Some(Codes { count, offsets, entries: bytes.get(offsets_end..)? })
    }

    /// How many numbers.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The number at an index: at most 16 short steps.
    pub fn get(&self, i: u32) -> Option<Number> {
        if i >= self.count {
            return None;
        }
        let i = i as usize;
        let mut at = self.offsets.get(i / BLOCK)?.get() as usize;
        let mut before = None;
        for _ in 0..=i % BLOCK {
            let (number, length, next) = self.entry(at, before)?;
            (before, at) = (Some((number, length)), next);
        }
        before.map(|(number, _)| number)
    }

    /// All numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = Number> + use<'a> {
        let codes = *self;
        let (mut at, mut before) = (0, None);
        (0..codes.count as usize).map_while(move |i| {
            let (number, length, next) = codes.entry(at, before.filter(|_| i % BLOCK != 0))?;
            (before, at) = (Some((number, length)), next);
            Some(number)
        })
    }

    /// The number at a place among the entries, how many digits it has, and the place behind it.
    #[inline(always)]
    fn entry(&self, at: usize, before: Option<(Number, usize)>) -> Option<(Number, usize, usize)> {
        let rest = self.entries.get(at..)?;
        let head = *rest.first()?;
        let (shared, length) = (usize::from(head >> 4), usize::from(head & 0xF) + 1);
        let (before, digits_before) = before.map_or((0, 0), |(number, length)| (number.0, length));
        if shared > digits_before || shared > length {
            return None;
        }
        let bytes = (length - shared).div_ceil(2);
        let packed = match rest.get(1..9) {
            Some(eight) => u64::from_be_bytes(eight.try_into().ok()?),
            None => {
                // The last entries of all have fewer than eight bytes behind them.
                let mut eight = [0xAA; 8];
                let few = rest.get(1..)?;
                eight.get_mut(..few.len())?.copy_from_slice(few);
                u64::from_be_bytes(eight)
            }
        };
        if rest.len() <= bytes {
            return None;
        }
        // Shared digits, then own ones, then filler. A shift by all 64 bits is none of the digits, hence checked.
        let behind = |digits: usize| u64::MAX.checked_shr(4 * digits as u32).unwrap_or(0);
        let own = packed.checked_shr(4 * shared as u32).unwrap_or(0);
        let (from, to) = (behind(shared), behind(shared + 2 * bytes));
        let number = before & !from | own & from & !to | super::FILLER & to;
        Some((Number(number), length, at + 1 + bytes))
    }
}

/// Whether the first `length` nibbles are all below 10.
fn digits_only(number: Number, length: usize) -> bool {
    let x = number.0;
    let high = (x >> 3 & (x >> 2 | x >> 1)) & 0x1111_1111_1111_1111;
    let beyond = if length >= 16 { 0 } else { u64::MAX >> (4 * length as u32) };
    high & !beyond == 0
}
