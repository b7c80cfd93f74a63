//! Which bytes of a text are a certain mark, found sixteen at a time where the processor can, eight at a time elsewhere.
//!
//! Does not know what a mark means.

/// Bytes looked at in one go.
pub const BLOCK: usize = 64;

/// Two answers about a block: a bit for each byte that is `mark`, from the lowest on; and one for each other byte that is
/// `odd`, a control character, or no ASCII.
#[inline(always)]
pub fn marks(block: &[u8; BLOCK], mark: u8, odd: u8) -> (u64, u64) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has SSE2: it is part of the architecture.
    unsafe {
        sixteens(block, mark, odd)
    }
    #[cfg(not(target_arch = "x86_64"))]
    eights(block, mark, odd)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn sixteens(block: &[u8; BLOCK], mark: u8, odd: u8) -> (u64, u64) {
    use std::arch::x86_64::{_mm_andnot_si128, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_movemask_epi8, _mm_or_si128};
    use std::arch::x86_64::{_mm_set_epi64x, _mm_set1_epi8};
    let (mark, odd) = (_mm_set1_epi8(mark as i8), _mm_set1_epi8(odd as i8));
    let space = _mm_set1_epi8(0x20);
    let (mut marks, mut odds) = (0, 0);
    let (sixteens, _) = block.as_chunks::<16>();
    for (i, sixteen) in sixteens.iter().enumerate() {
        let word = u128::from_le_bytes(*sixteen);
        let bytes = _mm_set_epi64x((word >> 64) as i64, word as i64);
        let is_mark = _mm_cmpeq_epi8(bytes, mark);
        // As signed numbers, control characters and all beyond ASCII are less than a space.
        let is_odd = _mm_andnot_si128(is_mark, _mm_or_si128(_mm_cmpeq_epi8(bytes, odd), _mm_cmplt_epi8(bytes, space)));
        marks |= (_mm_movemask_epi8(is_mark) as u64) << (16 * i);
        odds |= (_mm_movemask_epi8(is_odd) as u64) << (16 * i);
    }
    (marks, odds)
}

/// The same on any processor.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn eights(block: &[u8; BLOCK], mark: u8, odd: u8) -> (u64, u64) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = ONES * 0x7f;
    // The high bit of each byte that is zero.
    let zero = |word: u64| !(((word & LOW) + LOW) | word | LOW);
    // One bit for each high bit: the product puts them side by side into the highest byte.
    let gathered = |high: u64| (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let (mut marks, mut odds) = (0, 0);
    let (eights, _) = block.as_chunks::<8>();
    for (i, eight) in eights.iter().enumerate() {
        let word = u64::from_le_bytes(*eight);
        let is_mark = zero(word ^ (ONES * u64::from(mark)));
        // No bit above the low five: below a space.
        let control = zero(word & (ONES * 0xe0));
        let is_odd = (zero(word ^ (ONES * u64::from(odd))) | control | (word & !LOW)) & !is_mark;
        marks |= gathered(is_mark) << (8 * i);
        odds |= gathered(is_odd) << (8 * i);
    }
    (marks, odds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn marks_are_where_they_are(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b'\\'), b' '..b'0'], BLOCK),
            mark in prop_oneof![Just(b'"'), Just(b','), Just(b'\t'), any::<u8>()],
            odd in prop_oneof![Just(b'\\'), Just(b'"'), any::<u8>()],
        ) {
            let block: &[u8; BLOCK] = bytes.first_chunk().unwrap();
            let (mut at, mut odds) = (0, 0);
            for (i, byte) in block.iter().enumerate() {
                if *byte == mark {
                    at |= 1 << i;
                } else if *byte == odd || *byte < 0x20 || !byte.is_ascii() {
                    odds |= 1 << i;
                }
            }
            prop_assert_eq!(eights(block, mark, odd), (at, odds));
            prop_assert_eq!(marks(block, mark, odd), (at, odds));
        }
    }
}
