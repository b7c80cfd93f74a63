//! What billing groups have drawn, as the audit counts it.
//!
//! Does not know records, nor what is stored.

use std::collections::BTreeMap;

use crate::call::{Chain, GroupKey, Meter, Pair, RatedCall};
use crate::rating::{self, Drawn};
use crate::time::Period;

/// Seconds by month, group and meter.
#[derive(Clone, Default)]
pub(super) struct Counted(pub BTreeMap<(Period, GroupKey, Meter), u64>);

impl Counted {
    /// Adds what a call drew.
    pub fn add(&mut self, call: &RatedCall, draws: &[u8]) {
        rating::drawn(call, draws, |meter, seconds| {
            let drawn = self.0.entry((call.own_period(), call.group, meter)).or_default();
            *drawn = drawn.saturating_add_signed(i64::from(seconds) * call.sign());
        });
    }

    /// Adds what the sealing of a month changed.
    pub fn correct(&mut self, corrections: BTreeMap<(Period, GroupKey, Meter), i64>) {
        for (place, seconds) in corrections {
            let drawn = self.0.entry(place).or_default();
            *drawn = drawn.saturating_add_signed(seconds);
        }
    }

    /// What one group has drawn, and what a call of it goes on with.
    pub fn of<'a>(&'a self, group: GroupKey, chain: &'a dyn Fn(Pair) -> Option<Chain>) -> OfGroup<'a> {
        OfGroup { counted: self, group, chain }
    }
}

/// See [`Counted::of`].
pub(super) struct OfGroup<'a> {
    counted: &'a Counted,
    group: GroupKey,
    chain: &'a dyn Fn(Pair) -> Option<Chain>,
}

impl Drawn for OfGroup<'_> {
    fn seconds(&self, month: Period, meter: Meter) -> u64 {
        self.counted.0.get(&(month, self.group, meter)).copied().unwrap_or(0)
    }

    fn chain(&self, pair: Pair) -> Option<Chain> {
        (self.chain)(pair)
    }
}
