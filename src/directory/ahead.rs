//! A look-up by number in steps, so that whoever looks many up waits for their memory together: the line of the table,
//! then the row that it leads to.
//!
//! ```text
//! expect_owner ──line of the table asked for──▶ owner_place ──line of the row asked for──▶ owner_row
//! ```
//! Of accounts that no cache has each step is a line that the memory has to send, and one cannot be asked for before the one
//! before it is there.
//!
//! Does not know how many are looked up, nor why.

use super::image::{Row, Section};
use super::line::AccountRow;
use super::{Directory, Image, hash};
use crate::number::Number;
use crate::os::prefetch::prefetch_place;
use crate::time::Timestamp;

/// Where the rows of a number's owner begin.
#[derive(Clone, Copy)]
pub struct OwnerPlace<'a> {
    image: &'a Image,
    first: u32,
}

impl Directory {
    /// Asks for the memory in which a number is looked up.
    #[inline]
    pub fn expect_owner(&self, number: Number) {
        let key = hash::mix(number.0);
        for image in &self.layers.images {
            if let Some(table) = image.table(Section::Numbers) {
                table.expect(key);
            }
        }
    }

    /// Where the rows of the number's owner at the instant begin; asks for the first of them.
    #[inline]
    pub fn owner_place(&self, number: Number, at: Timestamp) -> Option<OwnerPlace<'_>> {
        let (image, slot) = self.number_slot(number)?;
        let first = image.owner(slot, at)?;
        image.expect_row(first);
        Some(OwnerPlace { image, first })
    }

    /// The row of the owner at the instant.
    #[inline]
    pub fn owner_row<'a>(&'a self, place: OwnerPlace<'a>, at: Timestamp) -> Option<AccountRow<'a>> {
        let OwnerPlace { image, first } = place;
        if self.layers.images.len() == 1 {
            return image.in_force(first, at);
        }
        // The owner may be said anew in an upper image, or stand in a lower one.
        let owner = image.row_items().get(first as usize)?;
        self.row_at(image.name(owner).as_bytes(), at)
    }

    /// Asks for the memory of a row.
    #[inline]
    pub fn expect_row(&self, row: u32) {
        if let Some((image, place)) = self.image_of(row) {
            image.expect_row(place);
        }
    }
}

impl AccountRow<'_> {
    /// Asks for the memory of its name.
    #[inline]
    pub fn expect_name(&self) {
        let text = self.image.section(Section::Text);
        prefetch_place(text, self.item.text_at.get() as usize);
    }
}

impl Image {
    #[inline]
    fn expect_row(&self, place: u32) {
        let rows: &[Row] = self.row_items();
        prefetch_place(rows, place as usize);
    }
}
