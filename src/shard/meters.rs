//! What billing groups have drawn, month by month.
//!
//! The plan's minutes stand by themselves, found by one look-up; pools of their own, which few plans have, beside them in a
//! short list for each group and month.
//!
//! Does not know what a meter counts.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::call::{GroupKey, Meter};
use crate::rating::Drawn;
use crate::time::Period;

/// See the module.
#[derive(Default)]
pub struct Meters {
    plan: HashMap<(GroupKey, Period), u64, RandomState>,
    others: HashMap<(GroupKey, Period), Vec<(Meter, u64)>, RandomState>,
}

impl Meters {
    /// Seconds counted.
    pub fn get(&self, group: GroupKey, period: Period, meter: Meter) -> u64 {
        if meter == Meter::PLAN {
            return self.plan.get(&(group, period)).copied().unwrap_or(0);
        }
        let others = self.others.get(&(group, period)).map_or(&[][..], Vec::as_slice);
        others.iter().find(|(of, _)| *of == meter).map_or(0, |(_, seconds)| *seconds)
    }

    /// Adds seconds, or takes some back.
    pub fn add(&mut self, group: GroupKey, period: Period, meter: Meter, seconds: i64) {
        let counted = self.place(group, period, meter);
        *counted = counted.saturating_add_signed(seconds);
    }

    /// Takes a stored value.
    pub fn load(&mut self, group: GroupKey, period: Period, meter: Meter, seconds: u64) {
        *self.place(group, period, meter) = seconds;
    }

    fn place(&mut self, group: GroupKey, period: Period, meter: Meter) -> &mut u64 {
        if meter == Meter::PLAN {
            return self.plan.entry((group, period)).or_insert(0);
        }
        let others = self.others.entry((group, period)).or_default();
        let at = others.iter().position(|(of, _)| *of == meter).unwrap_or_else(|| {
            others.push((meter, 0));
            others.len() - 1
        });
        &mut others[at].1
    }

    /// All meters of a group in a month, by their numbers.
    pub fn all(&self, group: GroupKey, period: Period) -> Vec<(Meter, u64)> {
        let plan = self.plan.get(&(group, period)).map(|seconds| (Meter::PLAN, *seconds));
        let others = self.others.get(&(group, period)).into_iter().flatten().copied();
        let mut all: Vec<(Meter, u64)> = plan.into_iter().chain(others).collect();
        all.sort_unstable();
        all
    }

    /// Those of one group.
    pub fn of(&self, group: GroupKey) -> OfGroup<'_> {
        OfGroup { meters: self, group }
    }
}

/// The meters of one group.
pub struct OfGroup<'a> {
    meters: &'a Meters,
    group: GroupKey,
}

impl Drawn for OfGroup<'_> {
    fn seconds(&self, month: Period, meter: Meter) -> u64 {
        self.meters.get(self.group, month, meter)
    }
}
