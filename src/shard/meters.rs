//! What billing groups have drawn, month by month.
//!
//! The plan's minutes stand by themselves, four bytes for a group and a month, found without a look-up; pools of their own,
//! which few plans have, beside them in a short list for each group and month.
//!
//! Does not know what a meter counts.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::paged::Paged;
use crate::call::{GroupKey, Meter};
use crate::rating::Drawn;
use crate::time::Period;

/// See the module.
pub struct Meters {
    /// Only groups are counted here whose numbers leave the rest when they are divided by the first.
    every: u32,
    rest: u32,
    months: Vec<(Period, Month)>,
}

#[derive(Default)]
struct Month {
    /// By group: seconds of the plan's minutes, and 1; [`BESIDE`] where they have no room here.
    plan: Paged,
    others: HashMap<GroupKey, Vec<(Meter, u64)>, RandomState>,
}

/// The plan's minutes stand among the others: more than a century was drawn.
const BESIDE: u32 = u32::MAX;

impl Default for Meters {
    fn default() -> Meters {
        Meters::every(1, 0)
    }
}

impl Month {
    fn other(&self, group: GroupKey, meter: Meter) -> Option<u64> {
        let others = self.others.get(&group).map_or(&[][..], Vec::as_slice);
        others.iter().find(|(of, _)| *of == meter).map(|(_, seconds)| *seconds)
    }
}

impl Meters {
    /// Of the groups of one shard among so many: their numbers leave this rest.
    pub fn every(shards: usize, rest: usize) -> Meters {
        Meters { every: (shards as u32).max(1), rest: rest as u32, months: Vec::new() }
    }

    /// Where a group of this shard stands; none: it is another shard's, which is asked, too.
    fn place(&self, group: GroupKey) -> Option<u32> {
        (group.0 % self.every == self.rest).then_some(group.0 / self.every)
    }

    fn month(&self, period: Period) -> Option<&Month> {
        // The latest months are asked for most.
        self.months.iter().rfind(|month| month.0 == period).map(|month| &month.1)
    }

    /// Seconds counted.
    pub fn get(&self, group: GroupKey, period: Period, meter: Meter) -> u64 {
        let (Some(month), Some(place)) = (self.month(period), self.place(group)) else { return 0 };
        if meter == Meter::PLAN {
            match month.plan.get(place) {
                BESIDE => {}
                counted => return u64::from(counted.saturating_sub(1)),
            }
        }
        month.other(group, meter).unwrap_or(0)
    }

    /// Asks for the memory in which the plan's minutes of a group stand in the latest month.
    pub fn expect(&self, group: GroupKey) {
        if let (Some((_, month)), Some(place)) = (self.months.last(), self.place(group)) {
            month.plan.expect(place);
        }
    }

    /// Adds seconds, or takes some back.
    pub fn add(&mut self, group: GroupKey, period: Period, meter: Meter, seconds: i64) {
        let counted = self.get(group, period, meter);
        self.load(group, period, meter, counted.saturating_add_signed(seconds));
    }

    /// Takes a stored value.
    pub fn load(&mut self, group: GroupKey, period: Period, meter: Meter, seconds: u64) {
        let Some(place) = self.place(group) else { return debug_assert!(false, "{group:?} is another shard's") };
        let at = self.months.iter().rposition(|month| month.0 == period).unwrap_or_else(|| {
            self.months.push((period, Month::default()));
            self.months.len() - 1
        });
        let month = &mut self.months[at].1;
        if meter == Meter::PLAN {
            let place = month.plan.place(place);
            // What went beside stays there.
            if let (Ok(seconds @ 0..=0xffff_fffd), false) = (u32::try_from(seconds), *place == BESIDE) {
                *place = seconds + 1;
                return;
            }
            *place = BESIDE;
        }
        let others = month.others.entry(group).or_default();
        match others.iter_mut().find(|(of, _)| *of == meter) {
            Some(counted) => counted.1 = seconds,
            None => others.push((meter, seconds)),
        }
    }

    /// All meters of a group in a month, by their numbers.
    pub fn all(&self, group: GroupKey, period: Period) -> Vec<(Meter, u64)> {
        let (Some(month), Some(place)) = (self.month(period), self.place(group)) else { return Vec::new() };
        let plan = match month.plan.get(place) {
            0 | BESIDE => None,
            counted => Some((Meter::PLAN, u64::from(counted - 1))),
        };
        let others = month.others.get(&group).into_iter().flatten().copied();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_of_any_number_are_counted() {
        let (august, september) = (Period(24_331), Period(24_332));
        let pool = Meter::named("pool");
        let mut meters = Meters::every(3, 2);
        // Groups of one shard among three, in two pages.
        let (one, other) = (GroupKey(2), GroupKey(2 + 3 * 300));
        assert_eq!((meters.get(one, august, Meter::PLAN), meters.all(one, august)), (0, vec![]));
        for (group, period, meter, seconds, expected) in [
            (one, august, Meter::PLAN, 60, 60),
            (one, august, Meter::PLAN, -60, 0),
            (one, august, Meter::PLAN, -1, 0),
            (one, august, Meter::PLAN, 90, 90),
            (other, august, Meter::PLAN, 1, 1),
            (one, september, Meter::PLAN, 0xffff_fffd, 0xffff_fffd),
            (one, september, Meter::PLAN, 1, 0xffff_fffe),
            (one, september, Meter::PLAN, 1 << 40, (1 << 40) + 0xffff_fffe),
            (one, september, Meter::PLAN, -(1 << 40), 0xffff_fffe),
            (one, september, pool, 7, 7),
            (one, september, Meter::PLAN, -0xffff_fff0, 14),
            (other, september, pool, 30, 30),
        ] {
            meters.add(group, period, meter, seconds);
            assert_eq!(meters.get(group, period, meter), expected);
        }
        assert_eq!(meters.all(one, august), [(Meter::PLAN, 90)]);
        let mut both = [(Meter::PLAN, 14), (pool, 7)];
        both.sort_unstable();
        assert_eq!(meters.all(one, september), both);
        assert_eq!(meters.all(other, september), [(pool, 30)]);
        // Whoever asks after a group asks all shards.
        let neighbour = GroupKey(one.0 - 1);
        assert_eq!((meters.get(neighbour, august, Meter::PLAN), meters.all(neighbour, august)), (0, vec![]));
        meters.load(one, september, Meter::PLAN, 5);
        meters.load(other, september, Meter::PLAN, 0);
        assert_eq!((meters.get(one, september, Meter::PLAN), meters.get(other, september, Meter::PLAN)), (5, 0));
        assert_eq!(meters.all(other, september).len(), 2);
    }
}
