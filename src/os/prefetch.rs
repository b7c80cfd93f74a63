//! A hint to the processor that a value will be read soon.
//!
//! Does not know what is read, or whether it ever is.
#![allow(unsafe_code)]

/// A line of the cache on the platforms the program runs on.
const LINE: usize = 64;

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

/// Asks for the line at the start of a value.
#[inline(always)]
pub fn prefetch<T>(what: &T) {
    prefetch_place(std::slice::from_ref(what), 0);
}

/// Asks for every line of a value ahead of its use.
#[inline(always)]
pub fn prefetch_all<T>(what: &T) {
    let bytes = std::ptr::from_ref(what).cast::<std::mem::MaybeUninit<u8>>();
    for at in (0..size_of::<T>()).step_by(LINE) {
        // SAFETY: the byte lies within the value; nothing is said of what it holds.
        prefetch(unsafe { &*bytes.add(at) });
    }
}

/// Asks for every line of some bytes ahead of their use.
#[inline(always)]
pub fn prefetch_bytes(bytes: &[u8]) {
    bytes.iter().step_by(LINE).for_each(prefetch);
    bytes.last().into_iter().for_each(prefetch);
}
