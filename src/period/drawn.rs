//! What the group whose legs come has drawn so far in the month that is rated again, and what earlier months left to it.
//!
//! Does not know other groups, nor other months.

use crate::call::{Meter, RatedCall};
use crate::rating::{self, Drawn, Draws, Rated};
use crate::time::Period;

/// See the module. A plan has few pools: they are looked through.
#[derive(Clone, Default, Debug)]
pub struct Counted {
    /// Below zero only while legs are taken out.
    drawn: Vec<(Meter, i64)>,
    /// Counters of roll-over, which no leg changes.
    handed: Vec<(Meter, u64)>,
}

impl Counted {
    /// The next group's legs come.
    pub fn begin(&mut self, handed: &[(Meter, u64)]) {
        self.drawn.clear();
        self.handed.clear();
        self.handed.extend_from_slice(handed);
    }

    /// What a meter has counted.
    pub fn counted(&self, meter: Meter) -> u64 {
        self.drawn.iter().find(|(of, _)| *of == meter).map_or(0, |(_, counted)| (*counted).max(0) as u64)
    }

    /// So many seconds more, or less.
    pub fn add(&mut self, meter: Meter, seconds: i64) {
        match self.drawn.iter_mut().find(|(of, _)| *of == meter) {
            Some((_, counted)) => *counted += seconds,
            None => self.drawn.push((meter, seconds)),
        }
    }

    /// A leg was rated.
    pub fn rated(&mut self, rated: &Rated, draws: &Draws) {
        if draws.list.is_empty() {
            return self.add(Meter::PLAN, i64::from(rated.included_seconds));
        }
        draws.list.iter().for_each(|draw| self.add(draw.meter, i64::from(draw.seconds)));
    }

    /// A row stands as it is.
    pub fn stands(&mut self, call: &RatedCall, drew: &[u8]) {
        rating::drawn(call, drew, |meter, seconds| self.add(meter, i64::from(seconds)));
    }
}

impl Drawn for Counted {
    fn seconds(&self, _month: Period, meter: Meter) -> u64 {
        // No allowance has the name of a counter of roll-over.
        match self.handed.iter().find(|(of, _)| *of == meter) {
            Some((_, seconds)) => *seconds,
            None => self.counted(meter),
        }
    }
}
