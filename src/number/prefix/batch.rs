//! Sixty-four look-ups in lock-step: while one waits for memory the others go on.
//!
//! Does not know what the look-ups are for.

use std::hint::select_unpredictable;

use super::symbols::{after_head, after_node, head_index, slot, terms};
use super::{ID_NONE, KIND_DENSE, KIND_INNER, KIND_SPARSE, LEAF, LEVELS_MAX, Number, PLACE, PrefixMap};
use crate::os::cpu::CountsBits;
use crate::os::prefetch::prefetch_place;

/// Look-ups at a time. Each list of them ends with a jump that was foretold wrongly, so that 32 take a nanosecond more.
const LANES: usize = 64;

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
        let mut lanes = Lanes::over(*self.map);
        for (numbers, out) in self.numbers.chunks(LANES).zip(self.out.chunks_mut(LANES)) {
            lanes.look_up(numbers, out);
        }
    }
}

/// Lanes, appended to without a branch; so much room that no length of a byte leads out of it.
#[derive(Clone, Copy)]
struct List([u8; 256]);

impl List {
    #[inline(always)]
    fn push_if(&mut self, len: &mut u8, lane: usize, wanted: bool) {
        // Always stored, counted only if wanted.
        self.0[usize::from(*len)] = lane as u8;
        *len = len.wrapping_add(u8::from(wanted));
    }

    #[inline(always)]
    fn lane(&self, i: u8) -> usize {
        usize::from(self.0[usize::from(i)]) & (LANES - 1)
    }
}

/// How many there are in each list; apart from them, so that they stay in registers.
#[derive(Clone, Copy, Default)]
struct Lengths {
    inner: u8,
    sparse: u8,
    dense: u8,
}

struct Lanes<'a> {
    map: PrefixMap<'a>,
    rest: [u64; LANES],
    /// Where the next entry lies.
    place: [u32; LANES],
    /// The last one read.
    entry: [u32; LANES],
    inner: List,
    sparse: List,
    dense: List,
}

impl<'a> Lanes<'a> {
    fn over(map: PrefixMap<'a>) -> Lanes<'a> {
        let list = List([0; 256]);
        let (rest, place, entry) = ([0; LANES], [0; LANES], [LEAF | ID_NONE; LANES]);
        Lanes { map, rest, place, entry, inner: list, sparse: list, dense: list }
    }

    #[inline(always)]
    fn look_up(&mut self, numbers: &[Number], out: &mut [u32]) {
        let (map, n) = (self.map, numbers.len().min(LANES));
        match map.head_digits {
            5 => self.begin(numbers, 5),
            3 => self.begin(numbers, 3),
            _ => self.begin(numbers, 1),
        }
        let mut lengths = Lengths::default();
        for lane in 0..n {
            self.file(lane, &mut lengths);
        }
        for _ in 0..LEVELS_MAX {
            if lengths.inner == 0 {
                break;
            }
            for i in 0..lengths.inner {
                let lane = self.inner.lane(i);
                // An entry that leads to an inner node is its place, and no more.
                let at = map.inner(self.entry[lane] as usize, slot(self.rest[lane]));
                prefetch_place(map.table, at);
                self.place[lane] = at as u32;
                self.rest[lane] = after_node(self.rest[lane]);
            }
            // Those that go on are listed anew in the same place: no more than were read by then.
            for i in 0..std::mem::take(&mut lengths.inner) {
                self.file(self.inner.lane(i), &mut lengths);
            }
        }
        for i in 0..lengths.inner {
            // Only unvalidated bytes lead here: a look-up that would never end.
            self.entry[self.inner.lane(i)] = LEAF | ID_NONE;
        }
        for i in 0..lengths.sparse {
            let lane = self.sparse.lane(i);
            self.entry[lane] = map.sparse((self.entry[lane] & PLACE) as usize, terms(self.rest[lane]));
        }
        for i in 0..lengths.dense {
            let lane = self.dense.lane(i);
            self.entry[lane] = map.dense((self.entry[lane] & PLACE) as usize, terms(self.rest[lane]));
        }
        out.iter_mut().zip(&self.entry).take(n).for_each(|(out, entry)| *out = widen(*entry & ID_NONE));
    }

    /// Where the entries of the head lie. They are not asked for beforehand, which took longer: they lie close together, and
    /// the processor itself has a dozen of them under way.
    #[inline(always)]
    fn begin(&mut self, numbers: &[Number], head_digits: u32) {
        for ((number, place), rest) in numbers.iter().zip(&mut self.place).zip(&mut self.rest) {
            *place = head_index(number.0, head_digits) as u32;
            *rest = after_head(number.0, head_digits);
        }
    }

    /// Reads a lane's next entry, files the lane under what that leads to, and asks for it.
    #[inline(always)]
    fn file(&mut self, lane: usize, lengths: &mut Lengths) {
        let entry = self.map.word(self.place[lane] as usize);
        let kind = entry >> 29;
        self.entry[lane] = entry;
        self.inner.push_if(&mut lengths.inner, lane, kind == KIND_INNER);
        self.sparse.push_if(&mut lengths.sparse, lane, kind == KIND_SPARSE);
        self.dense.push_if(&mut lengths.dense, lane, kind == KIND_DENSE);
        // Of an answer nothing more is needed: the table's first line is asked for once more.
        prefetch_place(self.map.table, select_unpredictable(entry >= LEAF, 0, (entry & PLACE) as usize));
    }
}

/// An id of 30 bits to one of 32: no prefix becomes `u32::MAX`.
#[inline(always)]
fn widen(id: u32) -> u32 {
    id | (((id + 1) & 0x4000_0000) * 3)
}
