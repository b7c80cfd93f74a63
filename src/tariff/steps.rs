//! How long is billed (R13): from talk time to whole seconds by a step rule.
//!
//! Does not know which rule applies to a call (R14: [`super::Tariff::steps`]) or what a second costs.

use crate::call::{StepMode, StepRule};
use crate::time::{MICROS_PER_SECOND, Micros};

/// The longest block, increment or minimum a rule may have, in seconds: the 24 hours a call may last (R2).
pub const STEP_SECONDS_MAX: u32 = 86_400;

/// A step rule that contradicts itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadSteps {
    /// Stepping by nothing never ends.
    #[error("increment must be at least 1 second")]
    NoIncrement,
    /// More than [`STEP_SECONDS_MAX`].
    #[error("{0} must be at most {STEP_SECONDS_MAX} seconds")]
    TooLong(&'static str),
    /// R13: rounding to the nearest increment has no first block of its own.
    #[error("mode nearest allows no initial other than the increment")]
    NearestWithInitial,
}

impl StepRule {
    /// R13: billable seconds of a talk time. What is not positive, or below `free_below`, is forgiven.
    ///
    /// Only the part behind the initial block is stepped, never the total: 91 s at 90/60 is 150 s.
    #[inline]
    pub fn billable(self, duration: Micros) -> u32 {
        if self.forgives(duration) {
            return 0;
        }
        // i64 microseconds hold 292,000 years; a u32 of seconds is far below.
        let micros = |seconds: u32| i64::from(seconds) * MICROS_PER_SECOND;
        let increment = i64::from(self.increment.max(1));
        let stepped = match self.mode {
            StepMode::Up if duration.0 <= micros(self.initial) => i64::from(self.initial),
            StepMode::Up => {
                let behind = duration.0 - micros(self.initial);
                let steps =
                    behind / (increment * MICROS_PER_SECOND) + i64::from(behind % (increment * MICROS_PER_SECOND) > 0);
                i64::from(self.initial) + steps * increment
            }
            StepMode::Nearest => {
                let half = increment * MICROS_PER_SECOND / 2;
                duration.0.saturating_add(half) / (increment * MICROS_PER_SECOND) * increment
            }
        };
        u32::try_from(stepped.max(i64::from(self.minimum))).unwrap_or(u32::MAX)
    }

    /// Whether R13 forgives the talk time: there was none, or less than `free_below`. The connect fee is due for any
    /// other (R18), even where 0 seconds are billed.
    pub fn forgives(self, duration: Micros) -> bool {
        duration.0 <= 0 || duration < self.free_below
    }

    /// Refuses a rule that contradicts itself.
    pub fn check(self) -> Result<StepRule, BadSteps> {
        if self.increment == 0 {
            return Err(BadSteps::NoIncrement);
        }
        for (name, seconds) in [("increment", self.increment), ("initial", self.initial), ("minimum", self.minimum)] {
            if seconds > STEP_SECONDS_MAX {
                return Err(BadSteps::TooLong(name));
            }
        }
        if self.free_below.0 < 0 || self.free_below > Micros::seconds(i64::from(STEP_SECONDS_MAX)) {
            return Err(BadSteps::TooLong("free_below"));
        }
        if self.mode == StepMode::Nearest && self.initial != self.increment {
            return Err(BadSteps::NearestWithInitial);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn up(initial: u32, increment: u32, minimum: u32, free_below: i64) -> StepRule {
        let free_below = Micros::seconds(free_below);
        StepRule { mode: StepMode::Up, initial, increment, minimum, free_below }
    }

    fn nearest(increment: u32) -> StepRule {
        StepRule { mode: StepMode::Nearest, initial: increment, increment, minimum: 0, free_below: Micros(0) }
    }

    #[test]
    fn billable_seconds_of_the_rules_and_traps() {
        let brazil = up(30, 6, 30, 3);
        for (rule, millis, seconds) in [
            // The part behind the initial block is stepped, not the total.
            (up(90, 60, 0, 0), 91_000, 150),
            (up(20, 6, 0, 0), 21_000, 26),
            (up(60, 45, 0, 0), 61_000, 105),
            (up(30, 60, 0, 0), 31_000, 90),
            // A boundary belongs to the step it ends.
            (up(60, 60, 0, 0), 60_000, 60),
            (up(60, 60, 0, 0), 60_001, 120),
            (up(60, 60, 0, 0), 61_000, 120),
            (up(30, 6, 0, 0), 30_000, 30),
            (up(30, 6, 0, 0), 30_001, 36),
            (up(6, 6, 0, 0), 6_100, 12),
            // Talk under a second was talk; none was none.
            (up(60, 60, 0, 0), 400, 60),
            (up(60, 60, 0, 0), 0, 0),
            (up(60, 60, 60, 0), 0, 0),
            (up(60, 60, 0, 0), -1, 0),
            // The threshold is compared with the raw talk time, and belongs to what is billed.
            (brazil, 2_999, 0),
            (brazil, 3_000, 30),
            (brazil, 3_001, 30),
            (brazil, 36_001, 42),
            (up(1, 1, 30, 0), 10_000, 30),
            (up(1, 1, 30, 0), 31_000, 31),
            (up(0, 60, 0, 0), 1, 60),
            // Worked example 5.
            (nearest(60), 29_999, 0),
            (nearest(60), 30_000, 60),
            (nearest(60), 89_900, 60),
            (nearest(60), 90_000, 120),
            (nearest(60), 125_000, 120),
            (nearest(1), 499, 0),
            (nearest(1), 500, 1),
            (StepRule { minimum: 6, ..nearest(60) }, 10_000, 6),
        ] {
            assert_eq!(rule.billable(Micros(millis * 1000)), seconds, "{millis} ms by {rule:?}");
        }
        // A microsecond over a boundary counts.
        assert_eq!(up(60, 60, 0, 0).billable(Micros(60_000_001)), 120);
        assert_eq!(nearest(1).billable(Micros(499_999)), 0);
    }

    #[test]
    fn contradictions_are_refused() {
        assert_eq!(up(0, 0, 0, 0).check(), Err(BadSteps::NoIncrement));
        assert_eq!(up(60, 86_401, 0, 0).check(), Err(BadSteps::TooLong("increment")));
        assert_eq!(StepRule { initial: 30, ..nearest(60) }.check(), Err(BadSteps::NearestWithInitial));
        assert_eq!(up(30, 6, 30, 3).check(), Ok(up(30, 6, 30, 3)));
    }

    proptest! {
        /// Counting block by block in microseconds comes to the same.
        #[test]
        fn equals_counting_blocks(
            micros in 0..100_000_000_i64, initial in 0..100_u32, increment in 1..100_u32, minimum in 0..100_u32, free in 0..5_i64,
        ) {
            let rule = up(initial, increment, minimum, free);
            let mut seconds = i64::from(initial);
            while seconds * 1_000_000 < micros { seconds += i64::from(increment); }
            let forgiven = micros == 0 || micros < free * 1_000_000;
            let expected = if forgiven { 0 } else { seconds.max(i64::from(minimum)) };
            prop_assert_eq!(i64::from(rule.billable(Micros(micros))), expected);
        }

        /// The nearest multiple is at most half an increment away, and from exactly half the upper one.
        #[test]
        fn nearest_is_nearest(micros in 1..1_000_000_000_i64, increment in 1..1000_u32) {
            let billed = i64::from(nearest(increment).billable(Micros(micros))) * 1_000_000;
            let step = i64::from(increment) * 1_000_000;
            prop_assert_eq!(billed % step, 0);
            prop_assert!(2 * (billed - micros) <= step && 2 * (micros - billed) < step);
        }

        #[test]
        fn any_value_is_answered(micros in any::<i64>(), initial in any::<u32>(), increment in any::<u32>(), minimum in any::<u32>(), free in any::<i64>()) {
            for mode in [StepMode::Up, StepMode::Nearest] {
                let rule = StepRule { mode, initial, increment, minimum, free_below: Micros(free) };
                rule.billable(Micros(micros));
                let _ = rule.check();
            }
        }
    }
}
