//! What stood before a leg, as its row tells.
//!
//! Does not know what becomes of the leg.

use crate::call::{Chain, Meter, Pair};
use crate::rating::{Drawn, Told};
use crate::store::StoredCall;
use crate::time::Period;

/// What a group had drawn before a leg, as the leg's row says.
pub(super) struct AsTold {
    plan: u64,
    told: Vec<Told>,
    chain: Option<Chain>,
}

impl AsTold {
    pub(super) fn of(stored: &StoredCall<'_>) -> AsTold {
        AsTold {
            plan: stored.call.used_before.unwrap_or(0),
            told: Told::read(stored.draws),
            chain: Chain::told(&stored.call, stored.draws),
        }
    }
}

impl Drawn for AsTold {
    fn seconds(&self, _month: Period, meter: Meter) -> u64 {
        let told = self.told.iter().find(|told| told.meter() == meter).map(|told| told.2);
        told.unwrap_or(if meter == Meter::PLAN { self.plan } else { 0 })
    }

    fn carried(&self, _month: Period, meter: Meter, _lots: &[Meter], _handed_on: Meter) -> i64 {
        self.told.iter().find(|told| told.meter() == meter).map_or(0, |told| told.4)
    }

    fn chain(&self, _pair: Pair) -> Option<Chain> {
        self.chain
    }
}
