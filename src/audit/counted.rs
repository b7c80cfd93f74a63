//! What billing groups have drawn, as the audit counts it.
//!
//! Does not know records, nor what is stored.

use std::collections::BTreeMap;

use crate::call::{GroupKey, Meter, RatedCall};
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

    /// What one group has drawn.
    pub fn of(&self, group: GroupKey) -> OfGroup<'_> {
        OfGroup { counted: self, group }
    }
}

/// See [`Counted::of`].
pub(super) struct OfGroup<'a> {
    counted: &'a Counted,
    group: GroupKey,
}

impl Drawn for OfGroup<'_> {
    fn seconds(&self, month: Period, meter: Meter) -> u64 {
        self.counted.0.get(&(month, self.group, meter)).copied().unwrap_or(0)
    }
}
