//! The parts of a call whose price changes while it lasts (R17): by price steps of its row (`after`), and by time bands
//! where the plan says `bands = "split"`.
//!
//! ```text
//! answer                                                      billable seconds, stepped once before
//! │ first block │ increment │ increment │ increment │ increment │
//!       row A         row A       row A   ┊   row B       row B
//!                                      19:00: B's band begins
//! ```
//!
//! Where the rules leave something open, this is the answer:
//!
//! - Billed time is laid out from the answer, first block first, whatever was talked of it; what a minimum adds are
//!   further increments, the last cut short.
//! - The allowance takes the front. An increment that straddles it is charged, beyond it, by the row with which the
//!   increment began.
//! - A row that blocks at a later moment, or no row then, waits in suspense like a call that began with it.
//!
//! Does not know fees, caps or rounding.

use super::Why;
use super::kind::{Kind, Later, Nature};
use super::price::prices;
use crate::call::StepRule;
use crate::tariff::Found;
use crate::time::MICROS_PER_SECOND;

/// What is to be laid out.
pub(super) struct Parts<'k, 'a> {
    pub kind: &'k Kind<'a>,
    pub steps: StepRule,
    /// Billed seconds before the first that is charged.
    pub from: u32,
    /// All billed seconds.
    pub to: u32,
    /// Whether time bands split the call.
    pub split: bool,
}

/// Increments next to each other that one row prices.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    /// Billed seconds of the call before it, counted from the beginning of its first increment.
    pub begin: u32,
    /// Seconds charged.
    pub seconds: u32,
    pub row: Found<'a>,
}

/// Seconds after which a clock is asked again: bands begin and end with full minutes.
const MINUTE: i64 = 60 * MICROS_PER_SECOND;

impl<'a> Parts<'_, 'a> {
    /// Whether more than the row with which the call begins may have a say.
    #[inline]
    pub fn differ(&self, first: &Found<'a>) -> bool {
        first.next_after < self.to || self.split && first.by_band
    }

    /// Shows each part that is charged, in order. One row may come in several parts.
    pub fn each(&self, later: &Later<'_, 'a>, mut show: impl FnMut(Part<'a>) -> Result<(), Why>) -> Result<(), Why> {
        let mut begin = self.first();
        while begin < self.to {
            let row = self.row(later, begin)?;
            // Whatever begins before this is this row's.
            let mut until = row.next_after;
            if self.split && row.by_band {
                let at = later.leg.answer.0.saturating_add(i64::from(begin) * MICROS_PER_SECOND);
                // Offsets from UTC have been whole minutes since 1972, so every clock's minutes end together.
                let left = MINUTE - at.rem_euclid(MINUTE);
                let seconds = left / MICROS_PER_SECOND + i64::from(left % MICROS_PER_SECOND > 0);
                until = until.min(begin.saturating_add(u32::try_from(seconds).unwrap_or(60)));
            }
            let mut end = begin.saturating_add(self.block(begin));
            if end < until {
                let blocks = (until - end).div_ceil(self.increment());
                end = end.saturating_add(blocks.saturating_mul(self.increment()));
            }
            let end = end.min(self.to);
            show(Part { begin, seconds: end - begin.max(self.from), row })?;
            begin = end;
        }
        Ok(())
    }

    /// Where the first increment begins of which something is charged.
    fn first(&self) -> u32 {
        let first = self.block(0);
        if self.from < first {
            return 0;
        }
        first + (self.from - first) / self.increment() * self.increment()
    }

    fn block(&self, begin: u32) -> u32 {
        if begin == 0 && self.steps.initial > 0 { self.steps.initial } else { self.increment() }
    }

    fn increment(&self) -> u32 {
        self.steps.increment.max(1)
    }

    fn row(&self, later: &Later<'_, 'a>, begin: u32) -> Result<Found<'a>, Why> {
        let row = later.row(self.kind, begin, self.split);
        match self.kind.nature {
            // A block is ignored for in-plan calls, as long as there is a price.
            Nature::InPlan => row.ok().filter(prices).ok_or(Why::NoOverageRow),
            Nature::Free(_) | Nature::Uncounted | Nature::Charged(_) => match row? {
                row if row.blocked() => Err(Why::Blocked),
                row => Ok(row),
            },
        }
    }
}
