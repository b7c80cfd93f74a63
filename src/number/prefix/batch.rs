//! Thirty-two look-ups in lock-step: while one waits for memory the others go on.
//!
//! Does not know what the look-ups are for.

use std::hint::select_unpredictable;

use zerocopy::little_endian::U32;

use super::{
    ID_NONE, KIND_DENSE, KIND_INNER, KIND_SPARSE, LEVELS_MAX, Number, PLACE, PrefixMap, after_head, after_node,
    head_index, slot, terms,
};
use crate::os::cpu::CountsBits;
use crate::os::prefetch::prefetch_read;

/// Look-ups at a time: 8 were a third slower and 64 no faster on decks of half a million and 1.2 million prefixes.
const LANES: usize = 32;

/// Look-ups of many numbers.
pub(super) struct LockStep<'m, 'a> {
    pub map: &'m PrefixMap<'a>,
    pub numbers: &'m [Number],
    pub out: &'m mut [u32],
}

impl CountsBits for LockStep<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (numbers, out) in self.numbers.chunks(LANES).zip(self.out.chunks_mut(LANES)) {
            lanes(self.map, numbers, out);
        }
    }
}

/// A list of lanes, appended to without a branch.
struct List {
    lanes: [u8; LANES],
    len: usize,
}

impl List {
    const EMPTY: List = List { lanes: [0; LANES], len: 0 };

    #[inline(always)]
    fn push_if(&mut self, lane: usize, wanted: bool) {
        // Always stored, counted only if wanted; no lane is pushed twice, so the list cannot overflow.
        self.lanes[self.len & (LANES - 1)] = lane as u8;
        self.len += usize::from(wanted);
    }

    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.lanes.iter().take(self.len).map(|lane| usize::from(*lane) & (LANES - 1))
    }
}

struct Lanes<'a> {
    table: &'a [U32],
    rest: [u64; LANES],
    place: [u32; LANES],
    answer: [u32; LANES],
    inner: List,
    sparse: List,
    dense: List,
}

impl Lanes<'_> {
    /// Files a lane under what its entry leads to, and asks for that node.
    #[inline(always)]
    fn file(&mut self, lane: usize, entry: u32) {
        let kind = entry >> 29;
        let place = entry & PLACE;
        self.place[lane] = place;
        self.answer[lane] = widen(entry & ID_NONE);
        self.inner.push_if(lane, kind == KIND_INNER);
        self.sparse.push_if(lane, kind == KIND_SPARSE);
        self.dense.push_if(lane, kind == KIND_DENSE);
        self.prefetch(select_unpredictable(kind > KIND_DENSE, 0, place as usize));
    }

    #[inline(always)]
    fn prefetch(&self, place: usize) {
        if let Some(word) = self.table.get(place) {
            prefetch_read(word);
        }
    }
}

/// An id of 30 bits to one of 32: no prefix becomes `u32::MAX`.
#[inline(always)]
fn widen(id: u32) -> u32 {
    id | (((id + 1) & 0x4000_0000) * 3)
}

#[inline(always)]
fn lanes(map: &PrefixMap<'_>, numbers: &[Number], out: &mut [u32]) {
    let mut l = Lanes {
        table: map.table,
        rest: [0; LANES],
        place: [0; LANES],
        answer: [u32::MAX; LANES],
        inner: List::EMPTY,
        sparse: List::EMPTY,
        dense: List::EMPTY,
    };
    let n = numbers.len().min(LANES);
    for (lane, number) in numbers.iter().enumerate().take(LANES) {
        let index = head_index(number.0, map.head_digits);
        l.prefetch(index);
        l.place[lane] = index as u32;
        l.rest[lane] = after_head(number.0, map.head_digits);
    }
    for lane in 0..n {
        l.file(lane, map.word(l.place[lane] as usize));
    }
    for _ in 0..LEVELS_MAX {
        if l.inner.len == 0 {
            break;
        }
        let walking = std::mem::replace(&mut l.inner, List::EMPTY);
        for lane in walking.iter() {
            let at = map.inner(l.place[lane] as usize, slot(l.rest[lane]));
            l.prefetch(at);
            l.place[lane] = at as u32;
            l.rest[lane] = after_node(l.rest[lane]);
        }
        for lane in walking.iter() {
            l.file(lane, map.word(l.place[lane] as usize));
        }
    }
    for lane in l.inner.iter() {
        // Only unvalidated bytes lead here: a look-up that would never end.
        l.answer[lane] = u32::MAX;
    }
    for lane in l.sparse.iter() {
        l.answer[lane] = widen(map.sparse(l.place[lane] as usize, terms(l.rest[lane])));
    }
    for lane in l.dense.iter() {
        l.answer[lane] = widen(map.dense(l.place[lane] as usize, terms(l.rest[lane])));
    }
    out.iter_mut().zip(&l.answer).take(n).for_each(|(out, answer)| *out = *answer);
}
