//! A hash table as a section of bytes: keys in order of their hash, each at or right after its home.
//!
//! ```text
//! entries u64 │ homes u64 │ slot, slot, …          slot: key u64 │ value u32 │ extra u32; an empty one has the last key
//! ```
//!
//! The home of a key is monotone in the key, so slots are sorted and a search ends at the first larger key, found or not.
//! The layout follows from the set of keys alone, not from the order in which they came. Three homes in four are taken.
//!
//! Does not know what keys and values stand for, only that keys are well mixed.

use std::hint::select_unpredictable;

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::os::prefetch::prefetch_place;

/// One place of the table.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Slot {
    pub key: U64,
    pub value: U32,
    pub extra: U32,
}

const _: () = assert!(size_of::<Slot>() == 16);

impl Slot {
    /// The largest key ends every search; the value, which no section is long enough for, tells it from a real one.
    const EMPTY: Slot = Slot { key: U64::MAX_VALUE, value: U32::MAX_VALUE, extra: U32::ZERO };

    pub fn new(key: u64, value: u32, extra: u32) -> Slot {
        Slot { key: key.into(), value: value.into(), extra: extra.into() }
    }

    pub fn is_empty(&self) -> bool {
        self.value.get() == u32::MAX
    }
}

/// Bytes before the slots.
const HEAD: usize = 16;

/// Slots looked at together: one cache line, or the ends of two.
const WINDOW: usize = 4;

/// A table ends with so many empty slots, so that no search runs out of it.
const END: usize = 8;
const _: () = assert!(END >= WINDOW);

/// Mixes every bit of a word into its high bits, without loss: different words stay different.
/// The multipliers are those of SplitMix64 (Steele, Lea, Flood 2014).
pub const fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

/// The word that was mixed.
pub const fn unmix(word: u64) -> u64 {
    let word = (word ^ word >> 31 ^ word >> 62).wrapping_mul(inverse(0x94D0_49BB_1331_11EB));
    let word = (word ^ word >> 27 ^ word >> 54).wrapping_mul(inverse(0xBF58_476D_1CE4_E5B9));
    word ^ word >> 30 ^ word >> 60
}

/// The odd number by which a product with this one is undone: Newton's iteration doubles the bits that are right.
const fn inverse(odd: u64) -> u64 {
    let (mut inverse, mut round) = (odd, 0);
    while round < 5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
}

fn home(key: u64, homes: u64) -> usize {
    ((u128::from(key) * u128::from(homes)) >> 64) as usize
}

/// The section of these entries.
pub fn build(mut entries: Vec<Slot>) -> Vec<u8> {
    entries.sort_unstable_by_key(|slot| (slot.key.get(), slot.value.get()));
    let count = entries.len() as u64;
    let homes = count + count / 3 + 1;
    let mut slots = vec![Slot::EMPTY; homes as usize];
    let mut next = 0;
    for entry in entries {
        let at = home(entry.key.get(), homes).max(next);
        if at >= slots.len() {
            slots.resize(at + 1, Slot::EMPTY);
        }
        slots[at] = entry;
        next = at + 1;
    }
    slots.resize(slots.len() + END, Slot::EMPTY);
    let mut bytes = Vec::with_capacity(HEAD + slots.len() * size_of::<Slot>());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&homes.to_le_bytes());
    bytes.extend_from_slice(slots.as_bytes());
    bytes
}

/// A view of the section.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    homes: u64,
    slots: &'a [Slot],
}

impl<'a> Table<'a> {
    /// A view of bytes; any bytes are safe to search, `validate` says whether the answers are right.
    #[inline]
    pub fn view(bytes: &'a [u8]) -> Option<Table<'a>> {
        let (head, slots) = bytes.split_at_checked(HEAD)?;
        let homes = u64::from_le_bytes(head.get(8..)?.try_into().ok()?);
        Some(Table { homes, slots: <[Slot]>::ref_from_bytes(slots).ok()? })
    }

    /// Asks for the memory in which a key is looked up.
    #[inline]
    pub fn expect(&self, key: u64) {
        let home = home(key, self.homes);
        prefetch_place(self.slots, home);
        prefetch_place(self.slots, home + WINDOW - 1);
    }

    /// Slots with this key; mostly none or one.
    #[inline]
    pub fn find(&self, key: u64) -> impl Iterator<Item = &'a Slot> + use<'a> {
        let mut slots = self.slots.get(home(key, self.homes)..).unwrap_or(&[]);
        // How far a key lies behind its home is chance, which no processor predicts: the first key of a whole window that is
        // no smaller is found without a branch. One window in eight is not enough.
        while let Some((window, rest)) = slots.split_first_chunk::<WINDOW>() {
            let mut smaller = WINDOW;
            for (i, slot) in window.iter().enumerate().rev() {
                smaller = select_unpredictable(slot.key.get() >= key, i, smaller);
            }
            if smaller < WINDOW {
                slots = slots.get(smaller..).unwrap_or(&[]);
                break;
            }
            slots = rest;
        }
        slots.iter().take_while(move |slot| slot.key.get() == key && !slot.is_empty())
    }

    /// Every entry, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = &'a Slot> + use<'a> {
        self.slots.iter().filter(|slot| !slot.is_empty())
    }

    /// Whether every entry is where a search looks for it and `good`; gives their number.
    pub fn validate(bytes: &[u8], mut good: impl FnMut(&Slot) -> bool) -> Option<u64> {
        let table = Table::view(bytes)?;
        let entries = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
        let homes = entries.checked_add(entries / 3)?.checked_add(1)?;
        if homes != table.homes || homes.checked_add(END as u64)? > table.slots.len() as u64 {
            return None;
        }
        if !table.slots.iter().rev().take(END).all(Slot::is_empty) {
            return None;
        }
        let (mut count, mut last, mut free) = (0, 0, 0);
        for (i, slot) in table.slots.iter().enumerate() {
            if slot.is_empty() {
                if slot.key.get() != u64::MAX || slot.extra.get() != 0 {
                    return None;
                }
                free = i + 1;
                continue;
            }
            let key = slot.key.get();
            let at = home(key, homes);
            if key < last || at > i || at < free || !good(slot) {
                return None;
            }
            last = key;
            count += 1;
        }
        (count == entries).then_some(entries)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Every key and its neighbours are found, or not, as in an ordered map.
    fn check(keys: impl Iterator<Item = u64>) {
        let map: BTreeMap<u64, u32> = keys.zip(0..).collect();
        let slots: Vec<Slot> = map.iter().map(|(key, value)| Slot::new(*key, *value, 7)).collect();
        let bytes = build(slots.iter().rev().copied().collect());
        assert_eq!(Table::validate(&bytes, |slot| slot.extra.get() == 7), Some(map.len() as u64));
        assert_eq!(bytes, build(slots), "the order of entries changes nothing");
        let table = Table::view(&bytes).unwrap();
        for key in map.keys().flat_map(|key| [*key, key.wrapping_add(1), key.wrapping_sub(1)]).chain([0, 1, u64::MAX]) {
            let found: Vec<u32> = table.find(key).map(|slot| slot.value.get()).collect();
            assert_eq!(found, map.get(&key).copied().into_iter().collect::<Vec<_>>(), "{key}");
        }
    }

    #[test]
    fn keys_are_found_however_they_crowd() {
        check(std::iter::empty());
        check([0].into_iter());
        check([u64::MAX].into_iter());
        check((0..20_000).map(mix));
        // All of one home, at either end and in the middle.
        check(0..1000);
        check((0..1000).map(|i| u64::MAX - i));
        check((0..1000).map(|i| (1 << 63) + i * 3));
    }

    #[test]
    fn equal_hashes_are_told_one_by_one() {
        let bytes = build(vec![Slot::new(5, 2, 0), Slot::new(5, 1, 0), Slot::new(6, 3, 0)]);
        let found: Vec<u32> = Table::view(&bytes).unwrap().find(5).map(|slot| slot.value.get()).collect();
        assert_eq!(found, [1, 2]);
    }

    #[test]
    fn no_more_than_four_homes_in_five_are_taken() {
        for count in [1, 10, 1000, 10_000] {
            let bytes = build((0..count).map(|i| Slot::new(mix(i), 0, 0)).collect());
            let homes = u64::from_le_bytes(bytes[8..16].try_into().unwrap());
            assert!(count * 5 <= homes * 4, "{count} in {homes}");
        }
    }

    #[test]
    fn mixing_loses_nothing() {
        for word in (0..10_000).map(|i| mix(i) ^ i << 40).chain([0, 1, u64::MAX, 1 << 63]) {
            assert_eq!(unmix(mix(word)), word);
        }
        let mixed: std::collections::BTreeSet<u64> = (0..100_000).map(mix).collect();
        assert_eq!(mixed.len(), 100_000);
    }
}
