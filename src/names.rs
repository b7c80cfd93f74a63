//! Stable numbers for names: the first name seen is 0, the next 1, and so on, for ever in one data folder.
//!
//! There are millions, so they stand one behind the other in one text, and the table that finds them holds their numbers and
//! hashes only: it grows without reading a name. Whoever looks many up asks for the memory of each step beforehand:
//!
//! ```text
//! expect ──place in the table asked for──▶ expect_end ──where the name ends──▶ expect_text ──the name──▶ key
//! ```
//!
//! Does not know what is named.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::os::prefetch::prefetch_place;

/// Names by number and numbers by name.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// All names, by number.
    text: String,
    /// Where each ends in it.
    ends: Vec<u32>,
    /// Each at the place that its hash says, or in the next free one behind it.
    table: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    hash: Hash,
    /// [`FREE`]: nothing stands here.
    key: u32,
}

/// There is no memory for so many names.
const FREE: u32 = u32::MAX;
const NOTHING: Place = Place { hash: Hash(0), key: FREE };

/// Of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hash(u32);

impl Hash {
    /// Of a name.
    pub fn of(name: &str) -> Hash {
        Hash(xxh3_64(name.as_bytes()) as u32)
    }
}

/// Places for so many names: at most three in four are taken.
fn places(names: usize) -> usize {
    names + names / 3 + 1
}

impl Names {
    /// From names in the order of their numbers.
    pub fn from_stored(names: impl IntoIterator<Item = String>) -> Names {
        let mut all = Names::default();
        for name in names {
            all.key(&name);
        }
        all
    }

    /// So many more will come.
    pub fn reserve(&mut self, more: usize) {
        self.ends.reserve(more);
        self.grow(places(self.ends.len() + more));
    }

    /// The number of a name, and whether it was given just now.
    pub fn key(&mut self, name: &str) -> (u32, bool) {
        let hash = Hash::of(name);
        if let Some(key) = self.found(hash, |key| self.is(key, name)) {
            return (key, false);
        }
        let key = self.ends.len() as u32;
        self.text.push_str(name);
        // A directory's image has no room for so many names either.
        assert!(self.text.len() <= u32::MAX as usize, "names of 4 GiB");
        self.ends.push(self.text.len() as u32);
        self.grow(places(self.ends.len()));
        put(&mut self.table, Place { hash, key });
        (key, true)
    }

    /// The number of a name that was seen.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.found(Hash::of(name), |key| self.is(key, name))
    }

    /// The name behind a number.
    pub fn name(&self, key: u32) -> Option<&str> {
        self.text.get(self.range(key)?)
    }

    /// Asks for the memory in which a name is looked up.
    pub fn expect(&self, hash: Hash) {
        prefetch_place(&self.table, self.home(hash));
    }

    /// Asks for what says where a name lies that may be the one.
    pub fn expect_end(&self, hash: Hash) {
        if let Some(key) = self.found(hash, |_| true) {
            prefetch_place(&self.ends, key as usize);
        }
    }

    /// Asks for that name.
    pub fn expect_text(&self, hash: Hash) {
        if let Some(range) = self.found(hash, |_| true).and_then(|key| self.range(key)) {
            prefetch_place(self.text.as_bytes(), range.start);
        }
    }

    fn is(&self, key: u32, name: &str) -> bool {
        self.name(key) == Some(name)
    }

    fn range(&self, key: u32) -> Option<Range<usize>> {
        let end = |key: u32| self.ends.get(key as usize).map(|end| *end as usize);
        Some(key.checked_sub(1).map_or(Some(0), end)?..end(key)?)
    }

    fn home(&self, hash: Hash) -> usize {
        home(&self.table, hash)
    }

    /// The first number under a hash that is the one.
    fn found(&self, hash: Hash, is: impl Fn(u32) -> bool) -> Option<u32> {
        let (before, from) = self.table.split_at_checked(self.home(hash))?;
        let all = from.iter().chain(before).take_while(|place| place.key != FREE);
        all.filter(|place| place.hash == hash).map(|place| place.key).find(|key| is(*key))
    }

    /// A table of at least so many places, and of half as many again as it had.
    fn grow(&mut self, places: usize) {
        let had = self.table.len();
        if places <= had {
            return;
        }
        let mut table = vec![NOTHING; places.max(had + had / 2)];
        for place in self.table.iter().filter(|place| place.key != FREE) {
            put(&mut table, *place);
        }
        self.table = table;
    }
}

fn home(table: &[Place], hash: Hash) -> usize {
    ((u64::from(hash.0) * table.len() as u64) >> 32) as usize
}

/// Into the first free place; there is one.
fn put(table: &mut [Place], new: Place) {
    let home = home(table, new.hash);
    let (before, from) = table.split_at_mut(home);
    if let Some(place) = from.iter_mut().chain(before).find(|place| place.key == FREE) {
        *place = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_numbers() {
        let mut names = Names::from_stored(["a", "", "ä", "b"].map(str::to_owned));
        assert_eq!(Names::default().find("a"), None);
        names.reserve(3);
        for (name, expected) in
            [("a", (0, false)), ("", (1, false)), ("ä", (2, false)), ("c", (4, true)), ("c", (4, false))]
        {
            assert_eq!(names.key(name), expected, "{name}");
        }
        for number in 0..1000 {
            assert_eq!(names.key(&format!("account {number}")), (number + 5, true));
        }
        for number in 0..1000 {
            let name = format!("account {number}");
            assert_eq!((names.find(&name), names.name(number + 5)), (Some(number + 5), Some(&*name)));
        }
        // What is asked for changes nothing, known or not.
        for name in ["c", "d", "account 7"] {
            let hash = Hash::of(name);
            names.expect(hash);
            names.expect_end(hash);
            names.expect_text(hash);
            Names::default().expect(hash);
        }
        assert_eq!(names.name(2), Some("ä"));
        assert_eq!((names.find("d"), names.name(1005)), (None, None));
    }
}
