//! A shard's plain counts between two publications: for the metrics, and for the books.
//!
//! Does not know prices or accounts.

use crate::books::{Share, name};
use crate::call::{CallType, SuspenseReason};
use crate::time::Period;

/// Plain counts between two publications.
#[derive(Default)]
pub(super) struct Counts {
    /// Rated, by call type.
    pub(super) rated: [u64; CallType::ALL.len()],
    /// Kept, by reason.
    pub(super) suspended: [u64; SuspenseReason::ALL.len()],
    /// Legs by month: all, rated, kept by reason.
    pub(super) periods: Vec<(Period, u64, u64, [u64; SuspenseReason::ALL.len()])>,
    /// Cost of calls, and of what was added to totals, by currency.
    pub(super) money: Vec<([u8; 3], i128, i128)>,
}

impl Counts {
    pub(super) fn period(&mut self, period: Period) -> &mut (Period, u64, u64, [u64; SuspenseReason::ALL.len()]) {
        let place = match self.periods.iter().position(|p| p.0 == period) {
            Some(place) => place,
            None => {
                self.periods.push((period, 0, 0, [0; SuspenseReason::ALL.len()]));
                self.periods.len() - 1
            }
        };
        &mut self.periods[place]
    }

    pub(super) fn money(&mut self, currency: [u8; 3]) -> &mut ([u8; 3], i128, i128) {
        let place = match self.money.iter().position(|m| m.0 == currency) {
            Some(place) => place,
            None => {
                self.money.push((currency, 0, 0));
                self.money.len() - 1
            }
        };
        &mut self.money[place]
    }

    /// The shard's part of the books since the last marker.
    pub(super) fn share(&mut self) -> Share {
        let mut share = Share::new();
        for (period, legs, rated, suspended) in self.periods.drain(..) {
            share.insert(name::legs(period, "legs"), i128::from(legs));
            share.insert(name::legs(period, "rated"), i128::from(rated));
            for reason in SuspenseReason::ALL {
                let kept = suspended[*reason as usize];
                share.insert(name::suspended_legs(period, *reason), i128::from(kept));
            }
        }
        for (currency, calls, totals) in self.money.drain(..) {
            let currency = String::from_utf8_lossy(&currency);
            share.insert(name::money(&currency, "calls"), calls);
            share.insert(name::money(&currency, "totals"), totals);
        }
        share
    }
}
