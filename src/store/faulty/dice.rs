//! The dice that decide which flush meets which fault.
//!
//! Does not know what a fault does.

use std::sync::atomic::Ordering;

use super::{FaultyStore, FlushReport, StoreError};

impl<S> FaultyStore<S> {
    /// 0 to 999, the same in every run with the same seed (splitmix64).
    pub(super) fn roll(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.dice.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) % 1000
    }

    pub(super) fn refuse(&self, error: StoreError) -> Result<FlushReport, StoreError> {
        self.refused.fetch_add(1, Ordering::SeqCst);
        Err(error)
    }
}
