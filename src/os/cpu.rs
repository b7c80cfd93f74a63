//! What the processor can do beyond the least of its kind.
//!
//! The program is built for any x86-64 processor, and the least of them count no bits in one step; nearly all others do.
//! Work that counts bits in its inner loop is compiled twice, and the better one is taken at run time. All of them work on
//! sixteen bytes at once, which the compiler sees in few loops by itself: digits are packed so.
//!
//! Does not know what the work is.
#![allow(unsafe_code)]

/// Work that counts bits. Its `run`, and what that calls, should be `#[inline(always)]`: only what is inlined gains.
pub trait CountsBits {
    /// What comes of it.
    type Output;
    /// Does it.
    fn run(self) -> Self::Output;
}

/// Whether the processor has all of them; asked once.
#[cfg(target_arch = "x86_64")]
#[inline]
fn counts_bits() -> bool {
    use std::arch::is_x86_feature_detected as has;
    use std::sync::atomic::{AtomicU8, Ordering};
    const NO: u8 = 1;
    const YES: u8 = 2;
    /// 0: not asked yet.
    static ANSWER: AtomicU8 = AtomicU8::new(0);
    #[cold]
    fn ask() -> bool {
        let has_all = has!("popcnt") && has!("lzcnt") && has!("bmi1") && has!("bmi2");
        ANSWER.store(if has_all { YES } else { NO }, Ordering::Relaxed);
        has_all
    }
    match ANSWER.load(Ordering::Relaxed) {
        YES => true,
        NO => false,
        _ => ask(),
    }
}

/// Runs `work` with the instructions that count bits and pick them apart, where the processor has them. Asking costs
/// less than a nanosecond: worth it for work of many steps.
#[inline(always)]
pub fn with_bit_counts<W: CountsBits>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "popcnt,lzcnt,bmi1,bmi2")]
        fn counted<W: CountsBits>(work: W) -> W::Output {
            work.run()
        }
        if counts_bits() {
            // SAFETY: the processor has just said that it has every feature that `counted` is compiled with.
            return unsafe { counted(work) };
        }
    }
    work.run()
}

/// Sixteen ASCII digits, eight and eight, as nibbles, the first one highest; none if one is no digit. By instructions that every
/// x86-64 processor has.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn pack_sixteen(front: [u8; 8], end: [u8; 8]) -> Option<u64> {
    use std::arch::x86_64::*;
    // SAFETY: SSE2 is part of x86-64, and none of these reads or writes memory.
    unsafe {
        let text = _mm_set_epi64x(i64::from_le_bytes(end), i64::from_le_bytes(front));
        let digits = _mm_xor_si128(text, _mm_set1_epi8(0x30));
        let zero = _mm_setzero_si128();
        let above_nine = _mm_subs_epu8(digits, _mm_set1_epi8(9));
        if _mm_movemask_epi8(_mm_cmpeq_epi8(above_nine, zero)) != 0xFFFF {
            return None;
        }
        // The first digit of a pair lies lower in memory, and so in the lower byte.
        let pairs = _mm_or_si128(_mm_slli_epi16::<4>(digits), _mm_srli_epi16::<8>(digits));
        let pairs = _mm_and_si128(pairs, _mm_set1_epi16(0xFF));
        Some((_mm_cvtsi128_si64(_mm_packus_epi16(pairs, zero)) as u64).swap_bytes())
    }
}
