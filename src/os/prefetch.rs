//! A hint to the processor that a value will be read soon.
//!
//! Does not know what is read, or whether it ever is.
#![allow(unsafe_code)]

/// Asks for the cache line in which an element of a slice lies; changes nothing but time. The element need not be there.
/// Nothing happens on processors other than x86-64.
#[inline(always)]
pub fn prefetch_place<T>(slice: &[T], place: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing and cannot fault, whatever the address; `wrapping_add` may leave the slice.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(slice.as_ptr().wrapping_add(place).cast::<i8>());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, place);
}
