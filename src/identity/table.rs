//! A table in memory: from an identity to the numbers of the entries that may be it.
//!
//! Does not know where entries lie; it gives numbers, and its caller compares.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::os::memory::LargeTable;
use crate::os::prefetch::prefetch;
use crate::record::Identity;

/// Entries in a group: as many 16-bit fingerprints as fill a cache line.
const SLOTS: usize = 32;

/// Fingerprints, filled from the front, and the entries' numbers behind them: one large page for both, so that an
/// insertion costs one miss of the address translation.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy)]
#[repr(C, align(64))]
struct Group {
    /// 0 means free.
    fingerprints: [u16; SLOTS],
    ordinals: [u32; SLOTS],
}

const _: () = assert!(size_of::<Group>() == 192);

/// Where an identity belongs in one table.
#[derive(Clone, Copy)]
pub(super) struct Place {
    group: usize,
    fingerprint: u16,
}

/// A hash table of fixed size, open addressing by groups.
pub(super) struct Table {
    groups: LargeTable<Group>,
    count: usize,
    capacity: usize,
    /// Beyond this many look-ups would walk far.
    limit: usize,
}

impl Table {
    /// A table with room for `capacity` entries at a load of 0.8, where one group in eight is full and a look-up reads
    /// 1.1 groups.
    pub fn new(capacity: usize) -> std::io::Result<Table> {
        let groups = (capacity * 5).div_ceil(SLOTS * 4).max(1);
        Ok(Table { groups: LargeTable::new(groups)?, count: 0, capacity, limit: groups * SLOTS * 19 / 20 })
    }

    /// Touches all its memory; see [`LargeTable::touch`].
    pub fn touch(&mut self) {
        self.groups.touch();
    }

    /// Entries in it.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Entries it should hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether nothing more may be put in: a load of 0.95. Comes after [`Table::capacity`].
    #[inline]
    pub fn is_full(&self) -> bool {
        self.count >= self.limit
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.groups.bytes()
    }

    /// Where an identity belongs. Its upper half chooses the group, its lowest bits are the fingerprint.
    #[inline]
    pub fn place(&self, identity: Identity) -> Place {
        let groups = self.groups.as_slice().len() as u128;
        let group = ((((identity.0 >> 64) as u64 as u128) * groups) >> 64) as usize;
        // Only 0 is taken, so 65 535 fingerprints remain.
        let fingerprint = (identity.0 as u16).max(1);
        Place { group, fingerprint }
    }

    /// Asks for the group's memory ahead of its use.
    #[inline]
    pub fn prefetch(&self, identity: Identity) {
        if let Some(group) = self.groups.as_slice().get(self.place(identity).group) {
            prefetch(group);
        }
    }

    /// The first number with the place's fingerprint of which `is` says yes. Errors of `is` end the search.
    #[inline]
    pub fn find<T, E>(&self, place: Place, mut is: impl FnMut(u32) -> Result<Option<T>, E>) -> Result<Option<T>, E> {
        let groups = self.groups.as_slice();
        let mut at = place.group;
        // A table is never full, so a group with a free slot comes; the count only bounds the walk.
        for _ in 0..groups.len() {
            let Some(group) = groups.get(at) else { break };
            let mut hits = equal(&group.fingerprints, place.fingerprint);
            while hits != 0 {
                if let Some(found) = is(group.ordinals[hits.trailing_zeros() as usize])? {
                    return Ok(Some(found));
                }
                hits &= hits - 1;
            }
            if group.fingerprints[SLOTS - 1] == 0 {
                break;
            }
            at = if at + 1 == groups.len() { 0 } else { at + 1 };
        }
        Ok(None)
    }

    /// Puts a number in. The caller has seen to it that the table is not full and does not hold it.
    #[inline]
    pub fn insert(&mut self, place: Place, ordinal: u32) {
        let groups = self.groups.as_mut_slice();
        let length = groups.len();
        let mut at = place.group;
        for _ in 0..length {
            let Some(group) = groups.get_mut(at) else { break };
            if group.fingerprints[SLOTS - 1] == 0 {
                let free = equal(&group.fingerprints, 0).trailing_zeros() as usize;
                group.fingerprints[free] = place.fingerprint;
                group.ordinals[free] = ordinal;
                self.count += 1;
                return;
            }
            at = if at + 1 == length { 0 } else { at + 1 };
        }
    }
}

/// One bit per fingerprint that equals the wanted one. Written so that the compiler makes it four vector comparisons.
#[inline]
fn equal(fingerprints: &[u16; SLOTS], wanted: u16) -> u32 {
    let mut bits = 0;
    for (at, fingerprint) in fingerprints.iter().enumerate() {
        bits |= u32::from(*fingerprint == wanted) << at;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_found_up_to_the_last_place() {
        // Identities that all want the same few groups, so that groups overflow and wrap around.
        for step in [1u128, 1 << 100, 1 << 126] {
            let mut table = Table::new(1000).unwrap();
            let identity = |n: usize| Identity((n as u128).wrapping_mul(step).wrapping_add(u128::MAX << 70));
            let mut n = 0;
            while !table.is_full() {
                let place = table.place(identity(n));
                table.insert(place, n as u32);
                n += 1;
            }
            assert!(n > table.capacity() && n == table.count());
            for wanted in 0..n + 100 {
                let is = |ordinal: u32| Ok::<_, ()>((ordinal as usize == wanted).then_some(ordinal));
                let found = table.find(table.place(identity(wanted)), is).unwrap();
                assert_eq!(found.is_some(), wanted < n);
            }
        }
    }

    #[test]
    fn the_bits_of_equal_fingerprints() {
        let mut fingerprints = [7u16; SLOTS];
        fingerprints[0] = 9;
        fingerprints[31] = 9;
        fingerprints[5] = 0;
        assert_eq!(equal(&fingerprints, 9), 1 << 31 | 1);
        assert_eq!(equal(&fingerprints, 0), 1 << 5);
        assert_eq!(equal(&fingerprints, 8), 0);
    }
}
