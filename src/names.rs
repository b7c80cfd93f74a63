//! Stable numbers for names: the first name seen is 0, the next 1, and so on, for ever in one data folder.
//!
//! There are millions, so they stand one behind the other in one text, and the table that finds them holds their numbers only.
//!
//! Does not know what is named.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Names by number and numbers by name.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// All names, by number.
    text: String,
    /// Where each ends in it.
    ends: Vec<u32>,
    keys: HashTable<u32>,
    hasher: RandomState,
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
        let Names { text, ends, keys, hasher } = self;
        keys.reserve(more, |key| hasher.hash_one(of(text, ends, *key)));
    }

    /// The number of a name, and whether it was given just now.
    pub fn key(&mut self, name: &str) -> (u32, bool) {
        let Names { text, ends, keys, hasher } = self;
        let hash = hasher.hash_one(name);
        if let Some(key) = keys.find(hash, |key| of(text, ends, *key) == name) {
            return (*key, false);
        }
        let key = ends.len() as u32;
        text.push_str(name);
        // A directory's image has no room for so many names either.
        assert!(text.len() <= u32::MAX as usize, "names of 4 GiB");
        ends.push(text.len() as u32);
        keys.insert_unique(hash, key, |key| hasher.hash_one(of(text, ends, *key)));
        (key, true)
    }

    /// The number of a name that was seen.
    pub fn find(&self, name: &str) -> Option<u32> {
        let Names { text, ends, keys, hasher } = self;
        keys.find(hasher.hash_one(name), |key| of(text, ends, *key) == name).copied()
    }

    /// The name behind a number.
    pub fn name(&self, key: u32) -> Option<&str> {
        ((key as usize) < self.ends.len()).then(|| of(&self.text, &self.ends, key))
    }
}

/// The name of a number that was given.
fn of<'a>(text: &'a str, ends: &[u32], key: u32) -> &'a str {
    let end = |key: u32| ends[key as usize] as usize;
    &text[key.checked_sub(1).map_or(0, end)..end(key)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_numbers() {
        let mut names = Names::from_stored(["a", "", "ä", "b"].map(str::to_owned));
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
        assert_eq!(names.name(2), Some("ä"));
        assert_eq!((names.find("d"), names.name(1005)), (None, None));
    }
}
