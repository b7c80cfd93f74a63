//! What the group whose legs come has drawn so far in the month that is rated again, and what earlier months left to it.
//!
//! Does not know other groups, nor other months.

use std::collections::HashMap;

use crate::call::{Chain, Linked, Meter, Pair, RatedCall};
use crate::rating::{self, Drawn, Draws, Rated};
use crate::tariff::successive::WITHIN_MAX;
use crate::time::{MICROS_PER_SECOND, Period};

/// Chains that are held before those that no call can go on with any more are let go.
const CHAINS: usize = 4096;

/// See the module. A plan has few pools: they are looked through.
#[derive(Clone, Default, Debug)]
pub struct Counted {
    /// Below zero only while legs are taken out.
    drawn: Vec<(Meter, i64)>,
    /// Counters of roll-over, which no leg changes.
    handed: Vec<(Meter, u64)>,
    /// Calls in quick succession that are under way (R28).
    chains: HashMap<Pair, Chain>,
    most: usize,
}

impl Counted {
    /// The next group's legs come.
    pub fn begin(&mut self, handed: &[(Meter, u64)]) {
        self.drawn.clear();
        self.handed.clear();
        self.handed.extend_from_slice(handed);
        self.chains.clear();
    }

    /// All legs of the group came: no call goes on with them any more.
    pub fn ended(self) -> Counted {
        Counted { chains: HashMap::new(), most: 0, ..self }
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
        self.linked(draws);
        if draws.list.is_empty() {
            return self.add(Meter::PLAN, i64::from(rated.included_seconds));
        }
        draws.list.iter().for_each(|draw| self.add(draw.meter, i64::from(draw.seconds)));
    }

    /// A call that was rated may be gone on with. Calls come in the order of their answers.
    pub fn linked(&mut self, draws: &Draws) {
        let Some(Linked { pair, chain }) = draws.linked else { return };
        self.chains.insert(pair, chain);
        if self.chains.len() > self.most.max(CHAINS) {
            let soon = i64::from(WITHIN_MAX) * MICROS_PER_SECOND;
            self.chains.retain(|_, other| other.end.0.saturating_add(soon) >= chain.begin.0);
            self.most = self.chains.len() * 2;
        }
    }

    /// A call between the same numbers, answered when this row's was, goes on with what the row's went on with (R28).
    pub fn in_place_of(&mut self, call: &RatedCall, drew: &[u8]) {
        let (Some(source), Some(destination)) = (call.source, call.destination) else { return };
        let chain = Chain::told(call, drew);
        self.chains.extend(chain.map(|chain| (Pair { source, destination }, chain)));
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

    fn chain(&self, pair: Pair) -> Option<Chain> {
        self.chains.get(&pair).copied()
    }
}
