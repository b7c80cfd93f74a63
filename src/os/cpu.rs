//! What the processor can do beyond the least of its kind.
//!
//! The program is built for any x86-64 processor, and the least of them count no bits in one step; nearly all others do.
//! Work that counts bits in its inner loop is compiled twice, and the better one is taken at run time.
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

/// Runs `work` with the instructions that count bits and pick them apart, where the processor has them. Asking costs a
/// nanosecond: worth it for work of many steps.
#[inline]
pub fn with_bit_counts<W: CountsBits>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "popcnt,lzcnt,bmi1,bmi2")]
        fn counted<W: CountsBits>(work: W) -> W::Output {
            work.run()
        }
        use std::arch::is_x86_feature_detected as has;
        if has!("popcnt") && has!("lzcnt") && has!("bmi1") && has!("bmi2") {
            // SAFETY: the processor has just said that it has every feature that `counted` is compiled with.
            return unsafe { counted(work) };
        }
    }
    work.run()
}
