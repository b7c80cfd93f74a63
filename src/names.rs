//! Stable numbers for names: the first name seen is 0, the next 1, and so on, for ever in one data folder.
//!
//! Does not know what is named.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// Names by number and numbers by name.
#[derive(Clone, Debug, Default)]
pub struct Names {
    names: Vec<Box<str>>,
    keys: HashMap<Box<str>, u32, RandomState>,
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

    /// The number of a name, and whether it was given just now.
    pub fn key(&mut self, name: &str) -> (u32, bool) {
        if let Some(key) = self.keys.get(name) {
            return (*key, false);
        }
        let key = self.names.len() as u32;
        self.names.push(name.into());
        self.keys.insert(name.into(), key);
        (key, true)
    }

    /// The number of a name that was seen.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.keys.get(name).copied()
    }

    /// The name behind a number.
    pub fn name(&self, key: u32) -> Option<&str> {
        self.names.get(key as usize).map(|n| &**n)
    }
}
