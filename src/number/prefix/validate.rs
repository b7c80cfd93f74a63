//! Checks a prefix map's table once, so that look-ups stay inside it for every number.
//!
//! Does not know whether the answers are the right ones: the image's digest vouches for that.

use super::{
    DENSE_WORDS, ID_NONE, INNER_WORDS, KIND_DENSE, KIND_INNER, KIND_SPARSE, LEAF, PLACE, PrefixMap, SLOTS, SPARSE_MAX,
    SPARSE_WORDS, SYMBOLS, pair,
};

pub(super) fn validate(map: &PrefixMap<'_>) -> Result<(), &'static str> {
    let head = SYMBOLS.pow(map.head_digits) as usize;
    if map.table.len() < head || map.table.len() >= PLACE as usize || map.count >= ID_NONE {
        return Err("prefix map: sizes do not fit");
    }
    let mut check = Check { map, head, seen: vec![0; map.table.len().div_ceil(64)], open: Vec::new() };
    for i in 0..head {
        check.entry(map.word(i), 0)?;
    }
    while let Some((kind, place)) = check.open.pop() {
        check.node(kind, place)?;
    }
    Ok(())
}

struct Check<'a> {
    map: &'a PrefixMap<'a>,
    head: usize,
    /// Places at which a node was found: each node belongs to one entry.
    seen: Vec<u64>,
    open: Vec<(u32, usize)>,
}

impl Check<'_> {
    /// An entry met at `from`.
    fn entry(&mut self, entry: u32, from: usize) -> Result<(), &'static str> {
        if entry & LEAF != 0 {
            return self.id(entry & !LEAF);
        }
        let place = (entry & PLACE) as usize;
        if place < self.head || place <= from {
            return Err("prefix map: an entry leads backwards");
        }
        let (word, bit) = (place / 64, 1 << (place % 64));
        let seen = self.seen.get_mut(word).ok_or("prefix map: an entry leads out of the table")?;
        if *seen & bit != 0 {
            return Err("prefix map: a node with two parents");
        }
        *seen |= bit;
        self.open.push((entry >> 29, place));
        Ok(())
    }

    fn id(&self, id: u32) -> Result<(), &'static str> {
        if id == ID_NONE || id < self.map.count { Ok(()) } else { Err("prefix map: an id beyond the prefixes") }
    }

    fn node(&mut self, kind: u32, place: usize) -> Result<(), &'static str> {
        const SHORT: &str = "prefix map: a node leaves the table";
        let (words, align) = match kind {
            KIND_INNER => (INNER_WORDS, INNER_WORDS),
            KIND_SPARSE => (SPARSE_WORDS, SPARSE_WORDS),
            KIND_DENSE => (DENSE_WORDS, DENSE_WORDS),
            _ => return Err("prefix map: an unknown kind of node"),
        };
        if !place.is_multiple_of(align) || self.map.table.len() < place + words {
            return Err(SHORT);
        }
        let [a, b, c, d] = self.map.node(place).ok_or(SHORT)?;
        match kind {
            KIND_INNER => {
                let (low, high) = (pair(a, b), pair(c, d));
                if low & 1 == 0 || high >> (SLOTS - 64) != 0 {
                    return Err("prefix map: runs that do not begin at 0 or go too far");
                }
                let runs = (low.count_ones() + high.count_ones()) as usize;
                let entries = place + INNER_WORDS..place + INNER_WORDS + runs;
                if entries.end > self.map.table.len() {
                    return Err(SHORT);
                }
                entries.into_iter().try_for_each(|i| self.entry(self.map.word(i), place))
            }
            KIND_SPARSE => {
                let keys = pair(a, b).to_le_bytes();
                let used = keys.iter().take_while(|k| u32::from(**k) < SLOTS).count();
                let ascending = keys[..used].windows(2).all(|w| w[0] < w[1]);
                if used == 0 || !ascending || keys[used..].iter().any(|k| *k != 0xFF) {
                    return Err("prefix map: bad terms");
                }
                debug_assert!(used <= SPARSE_MAX);
                self.last(c.get(), d.get(), used as u32)
            }
            _ => {
                let [inherited, first] = self.map.node(place + 4).ok_or(SHORT)?;
                let (low, high) = (pair(a, b), pair(c, d));
                if high >> (SLOTS - 64) != 0 {
                    return Err("prefix map: bad terms");
                }
                self.last(inherited.get(), first.get(), low.count_ones() + high.count_ones())
            }
        }
    }

    fn last(&self, inherited: u32, first: u32, terms: u32) -> Result<(), &'static str> {
        self.id(inherited)?;
        match first.checked_add(terms) {
            Some(end) if terms > 0 && end <= self.map.count => Ok(()),
            _ => Err("prefix map: an id beyond the prefixes"),
        }
    }
}
