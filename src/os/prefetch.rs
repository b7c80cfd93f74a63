//! A hint to the processor that a value will be read soon.
//!
//! Does not know what is read, or whether it ever is.
#![allow(unsafe_code)]

/// Asks for the cache line of `value`; changes nothing but time. Nothing happens on processors other than x86-64.
#[inline(always)]
pub fn prefetch_read<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing and cannot fault; the address comes from a live reference all the same.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast::<i8>());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
