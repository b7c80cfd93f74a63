//! Memory for big tables: zeroed, on 2 MiB pages where the system allows.
//!
//! It decides the speed of the identity index (its cost is misses of the cache and of the address translation, not
//! work). Does not know what is kept in it.

use memmap2::{Advice, MmapMut};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A large page on the platforms the program runs on.
const LARGE_PAGE: usize = 2 << 20;

/// A zeroed table of `T` whose memory comes straight from the system; dropped, it goes straight back.
pub struct LargeTable<T> {
    map: MmapMut,
    /// First byte of the table in the mapping: the mapping is longer, so that the table begins on a large page.
    start: usize,
    length: usize,
    of: std::marker::PhantomData<T>,
}

impl<T: FromBytes + IntoBytes + KnownLayout + Immutable> LargeTable<T> {
    /// A table of `length` zeroed elements. Pages are not touched yet; see [`LargeTable::touch`].
    pub fn new(length: usize) -> std::io::Result<LargeTable<T>> {
        let bytes = length.max(1) * size_of::<T>();
        let spare = if bytes >= LARGE_PAGE { LARGE_PAGE } else { 0 };
        let map = MmapMut::map_anon(bytes + spare)?;
        let start = if spare == 0 { 0 } else { map.as_ptr().align_offset(LARGE_PAGE).min(spare) };
        if spare != 0 {
            // Only a wish: a system without large pages is slower, not wrong.
            let _ = map.advise(Advice::HugePage);
        }
        Ok(LargeTable { map, start, length, of: std::marker::PhantomData })
    }

    /// Touches every page, so that no later access waits for the system to find one. Takes half a second for 245 MB
    /// (measured), hence for a helper thread.
    pub fn touch(&mut self) {
        let end = self.start + self.length * size_of::<T>();
        for page in self.map[self.start..end].chunks_mut(4096) {
            page[0] = std::hint::black_box(page[0]);
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.map.len()
    }

    /// The elements.
    pub fn as_slice(&self) -> &[T] {
        let bytes = &self.map[self.start..self.start + self.length * size_of::<T>()];
        // A mapping begins on a page, which is aligned for anything; the length is a multiple by construction.
        <[T]>::ref_from_bytes(bytes).unwrap_or(&[])
    }

    /// The elements, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        let bytes = &mut self.map[self.start..self.start + self.length * size_of::<T>()];
        <[T]>::mut_from_bytes(bytes).unwrap_or(&mut [])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_any_size_are_zeroed_and_writable() {
        for length in [0usize, 1, 5, 1 << 19, (1 << 19) + 3] {
            let mut table = LargeTable::<u64>::new(length).unwrap();
            table.touch();
            assert_eq!(table.as_slice().len(), length);
            assert!(table.as_slice().iter().all(|v| *v == 0));
            if let Some(last) = table.as_mut_slice().last_mut() {
                *last = 9;
            }
            assert_eq!(table.as_slice().last().copied().unwrap_or(9), 9);
            assert!(table.bytes() >= length * 8);
        }
    }
}
