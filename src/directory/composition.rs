//! What says of which images a directory consists, and the directory put together from them.
//!
//! ```text
//! cRdirL\r\n {"layers":["digest of the lowest", …, "of the uppermost"],"accounts":3,"numbers":7}
//! ```
//!
//! Does not know where images lie, nor who changes anything.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::image::Section;
use super::layer::Owned;
use super::{Directory, First, Image, Layers};
use crate::number::Number;
use crate::tariff::ImageError;

impl Directory {
    /// An account that a number on top of the lowest image belongs to, and that no image says anything of.
    pub fn owner_without_rows(&self) -> Option<(Number, String)> {
        for (i, image) in self.layers.images.iter().enumerate().skip(1) {
            let missing = image.row_items().iter().filter(|row| row.is_elsewhere()).map(|row| image.name(row));
            for name in missing.filter(|name| self.holder(name.as_bytes()).is_none()) {
                let numbers = self.layer(i).numbers;
                let of = |(number, owners): (&Number, &Vec<Owned>)| {
                    let here = owners.iter().any(|owned| &*owned.account == name);
                    // A number that was said anew further up has another owner by now.
                    let said_here = self.number_slot(*number).is_some_and(|(holder, _)| holder.is(image));
                    (here && said_here).then_some(*number)
                };
                if let Some(number) = numbers.iter().find_map(of) {
                    return Some((number, name.to_owned()));
                }
            }
        }
        None
    }

    /// Accounts of the lowest image that an upper one says anew: how many, and the first.
    pub fn said_anew(&self) -> (usize, String) {
        let (mut count, mut first) = (0, String::new());
        let Some((lowest, upper)) = self.layers.images.split_first() else { return (0, first) };
        let mut seen = BTreeSet::new();
        for name in upper.iter().flat_map(Image::account_names) {
            if lowest.account_slot(name.as_bytes()).is_some() && seen.insert(name) {
                count += 1;
                if count == 1 {
                    name.clone_into(&mut first);
                }
            }
        }
        (count, first)
    }

    /// Puts directories of one image each on top of each other, as a composition says it.
    ///
    /// # Errors
    /// More than can be numbered together.
    pub fn compose(composition: &Composition, images: Vec<Arc<Directory>>) -> Result<Directory, ImageError> {
        let (mut all, mut first): (Vec<Image>, First) = (Vec::new(), First::default());
        let mut plans = Vec::new();
        for image in images.iter().flat_map(|directory| &directory.layers.images) {
            let image = Image { first, ..image.clone() };
            let next = || {
                Some(First {
                    row: first.row.checked_add(image.row_items().len() as u32)?,
                    account: first.account.checked_add(image.account_count())?,
                    group: first.group.checked_add(image.group_count())?,
                    plan: first.plan.checked_add(image.tables.plans.len() as u16)?,
                    zone: first.zone.checked_add(image.tables.zones.len() as u16)?,
                })
            };
            first = next().ok_or(ImageError::Damaged("it has more than can be numbered"))?;
            plans.extend(image.tables.plans.iter().cloned());
            all.push(image);
        }
        if all.is_empty() {
            return Err(ImageError::Damaged("it consists of nothing"));
        }
        plans.sort_unstable();
        plans.dedup();
        let Composition { accounts, numbers, .. } = *composition;
        let digest = composition.digest();
        Ok(Directory { layers: Arc::new(Layers { images: all, digest, plans, accounts, numbers, held: images }) })
    }
}

/// What says of which images a directory consists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Composition {
    /// Digests of the images, from the lowest to the uppermost.
    pub layers: Vec<String>,
    /// Distinct accounts of all.
    pub accounts: u32,
    /// Distinct numbers of all.
    pub numbers: u64,
}

/// First bytes of a composition.
const MAGIC: &[u8; 8] = b"cRdirL\r\n";

/// Most images of one directory: far more than ever come together, few enough to be searched.
const LAYERS_MAX: usize = 16;

impl Composition {
    /// Of directories of one image each, from the lowest on; what several name counts once.
    pub fn of(images: &[Arc<Directory>]) -> Composition {
        let all: Vec<&Image> = images.iter().flat_map(|directory| &directory.layers.images).collect();
        let (mut accounts, mut numbers) = (0, 0);
        for (i, image) in all.iter().enumerate() {
            let below = &all[..i];
            let new = |name: &&str| below.iter().all(|lower| lower.account_slot(name.as_bytes()).is_none());
            accounts += image.account_names().filter(new).count() as u32;
            let of = |image: &Image, key| image.table(Section::Numbers).is_some_and(|t| t.find(key).next().is_some());
            let slots = image.table(Section::Numbers).into_iter().flat_map(|table| table.iter());
            numbers += slots.filter(|slot| !below.iter().any(|lower| of(lower, slot.key.get()))).count() as u64;
        }
        let layers = all.iter().map(|image| image.tables.digest.clone()).collect();
        Composition { layers, accounts, numbers }
    }

    /// As it is kept.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        // Plain text and numbers always serialise.
        bytes.extend(serde_json::to_vec(self).unwrap_or_default());
        bytes
    }

    /// BLAKE3 of its bytes, lower-case hex: names the directory.
    pub fn digest(&self) -> String {
        blake3::hash(&self.bytes()).to_hex().to_string()
    }

    /// Reads a composition; none if the bytes are something else, such as an image.
    ///
    /// # Errors
    /// It is damaged.
    pub fn read(bytes: &[u8]) -> Option<Result<Composition, ImageError>> {
        let json = bytes.strip_prefix(MAGIC)?;
        let read = serde_json::from_slice::<Composition>(json).ok();
        let sound = read.filter(|read| {
            let digest = |layer: &String| layer.len() == 64 && layer.bytes().all(|b| b.is_ascii_hexdigit());
            (2..=LAYERS_MAX).contains(&read.layers.len()) && read.layers.iter().all(digest) && read.bytes() == bytes
        });
        Some(sound.ok_or(ImageError::Damaged("it does not say which images a directory consists of")))
    }
}
