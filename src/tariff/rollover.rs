//! What is left of an allowance at the end of a month and carries over to the next ones.
//!
//! A month's minutes are *lots*: what each of the months before it left, and its own. The oldest lot is drawn first, since
//! it goes first; the month's own minutes last. So one counter of what was drawn says how much of each lot is left.
//!
//! ```text
//! October's lots     from August │ from September │ own
//! drawn              ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░░░░░░░░░░░
//! November's lots    (too old)     from September │ from October │ own     with months = 2
//! ```
//!
//! Does not know who counts, nor when a month is over.

use serde::{Deserialize, Serialize};

use crate::call::Meter;

/// Most months for which minutes are kept.
pub const ROLLOVER_MONTHS_MAX: usize = 12;

/// Seconds of each lot by its age in months: the first is what the month just before left.
pub type Lots = [u64; ROLLOVER_MONTHS_MAX];

/// What is said of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RolloverTerms {
    /// For how many months behind its own a minute is kept, 1 to [`ROLLOVER_MONTHS_MAX`].
    pub months: u8,
    /// Most seconds that a month hands on, of whatever age; none: all that are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u64>,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rollover {
    /// What is said.
    pub terms: RolloverTerms,
    /// In the month that has the lot: what counts it, by its age.
    lots: [Meter; ROLLOVER_MONTHS_MAX],
    /// In the month that it was left by: what counts all that it has handed on.
    pub handed_on: Meter,
}

impl Rollover {
    /// Of an allowance with a name; that of the plan's minutes is empty.
    pub fn new(name: &str, terms: RolloverTerms) -> Rollover {
        // No name has these signs.
        let lots = std::array::from_fn(|i| Meter::named(&format!("{name}<{}", i + 1)));
        Rollover { terms, lots, handed_on: handed_on(name) }
    }

    /// What counts each lot that a month may have, the youngest first.
    pub fn lots(&self) -> &[Meter] {
        &self.lots[..usize::from(self.terms.months).min(ROLLOVER_MONTHS_MAX)]
    }

    /// Every counter beside the allowance's own.
    pub fn meters(&self) -> impl Iterator<Item = Meter> + '_ {
        self.lots().iter().copied().chain([self.handed_on])
    }

    /// Of a month's lots and its own seconds, what is left once so many were drawn.
    pub fn left(&self, lots: &Lots, own: u64, drawn: u64) -> (Lots, u64) {
        let (mut left, mut drawn) = (*lots, drawn);
        for lot in left.iter_mut().rev() {
            let taken = drawn.min(*lot);
            (*lot, drawn) = (*lot - taken, drawn - taken);
        }
        (left, own.saturating_sub(drawn))
    }

    /// What a month hands on: the next month's lots. Under `at_most` the oldest stay behind.
    pub fn next(&self, lots: &Lots, own: u64, drawn: u64) -> Lots {
        let (left, own) = self.left(lots, own, drawn);
        let (mut next, mut room) = ([0; ROLLOVER_MONTHS_MAX], self.terms.at_most.unwrap_or(u64::MAX));
        let ages = self.lots().len();
        for (to, from) in next.iter_mut().zip([own].iter().chain(&left)).take(ages) {
            *to = (*from).min(room);
            room -= *to;
        }
        next
    }
}

/// The counter of all that a month has handed on of an allowance with a name.
pub fn handed_on(name: &str) -> Meter {
    Meter::named(&format!("{name}>"))
}

impl std::fmt::Display for Rollover {
    /// `2 months, at most 100 min`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} months", self.terms.months)?;
        self.terms.at_most.map_or(Ok(()), |most| write!(f, ", at most {} min", most / 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lots(some: &[u64]) -> Lots {
        std::array::from_fn(|i| some.get(i).copied().unwrap_or(0))
    }

    #[test]
    fn the_oldest_goes_first_and_what_is_too_old_is_gone() {
        // months, at most, lots by age, own, drawn → the next month's lots by age
        for (months, at_most, had, own, drawn, next) in [
            // 100 minutes, 40 drawn: 60 are left for one month …
            (1, None, &[][..], 100, 40, &[60][..]),
            // … in which they are drawn before its own: of 60 + 100, 70 drawn leave 90 of its own, and nothing that is older.
            (1, None, &[60], 100, 70, &[90]),
            // 50 drawn are all of the 60: the 10 left of those are too old for the month after.
            (1, None, &[60], 100, 50, &[100]),
            // For two months: 30 of the month before last, 60 of the last. 50 drawn: 30 + 20, so 40 of the last are left.
            (2, None, &[60, 30], 100, 50, &[100, 40]),
            // Nothing drawn: the 30 are too old.
            (2, None, &[60, 30], 100, 0, &[100, 60]),
            // At most 120 of 100 + 60: the youngest stay whole, of the older 20.
            (2, Some(120), &[60, 30], 100, 0, &[100, 20]),
            (2, Some(80), &[60, 30], 100, 0, &[80, 0]),
            // More drawn than there was (minutes that were taken away afterwards): nothing.
            (2, None, &[60, 30], 100, 500, &[0, 0]),
        ] {
            let rollover = Rollover::new("mobile", RolloverTerms { months, at_most });
            assert_eq!(rollover.next(&lots(had), own, drawn), lots(next), "{months} {had:?} {own} {drawn}");
        }
    }

    #[test]
    fn counters_are_named_by_what_they_count() {
        let rollover = Rollover::new("mobile", RolloverTerms { months: 2, at_most: None });
        let named = ["mobile<1", "mobile<2", "mobile>"].map(Meter::named);
        assert_eq!(rollover.meters().collect::<Vec<_>>(), named);
        let plan = Rollover::new("", RolloverTerms { months: 1, at_most: None });
        assert_eq!(plan.meters().collect::<Vec<_>>(), ["<1", ">"].map(Meter::named));
    }
}
