//! A small number for each of many keys that are numbered from 0: in pages, which come into being when something of them is
//! told. No hash to be taken, nothing to be moved when it grows, and a quarter of what a table takes.
//!
//! Does not know what the numbers mean.

use crate::os::prefetch::prefetch_place;

/// Keys of a page: some that were never told beside one that was cost little, and the list of pages is short.
const PAGE: usize = 256;

/// See the module. What was never told is 0.
#[derive(Default)]
pub(super) struct Paged(Vec<Option<Box<[u32; PAGE]>>>);

impl Paged {
    pub(super) fn get(&self, key: u32) -> u32 {
        let page = self.0.get(key as usize / PAGE).and_then(Option::as_ref);
        page.map_or(0, |page| page[key as usize % PAGE])
    }

    /// Asks for the memory of a key.
    pub(super) fn expect(&self, key: u32) {
        if let Some(Some(page)) = self.0.get(key as usize / PAGE) {
            prefetch_place(&page[..], key as usize % PAGE);
        }
    }

    pub(super) fn place(&mut self, key: u32) -> &mut u32 {
        let page = key as usize / PAGE;
        if self.0.len() <= page {
            self.0.resize(page + 1, None);
        }
        &mut self.0[page].get_or_insert_with(|| Box::new([0; PAGE]))[key as usize % PAGE]
    }
}
