//! Calls in quick succession between two numbers, which count as one (R28), as they are kept for a next one.
//!
//! Does not know what joins calls, nor who keeps them.

use serde::{Deserialize, Serialize};

use super::TariffSlot;
use crate::money::Money;
use crate::number::Number;
use crate::time::{Micros, Period, Timestamp};

/// How many bytes the journal goes on behind the last call of a chain until it is forgotten: minutes at full load, days at
/// an office's. A million and a half records, of which each could be a chain of two hundred bytes.
pub const CHAIN_KEPT: u64 = 256 << 20;

/// Between which numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Pair {
    /// Who called.
    pub source: Number,
    /// Who was called.
    pub destination: Number,
}

/// Calls that count as one, so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Chain {
    /// Their month.
    pub month: Period,
    /// Their tariff.
    pub tariff: TariffSlot,
    /// Their plan in it.
    pub plan: u16,
    /// The rule that decided their kind.
    pub rule: u8,
    /// Answer of the first.
    pub begin: Timestamp,
    /// End of the last.
    pub end: Timestamp,
    /// Talk time of all.
    pub talk: Micros,
    /// What they come to.
    pub before: Before,
}

/// Stretches of a tier: below its first level, and behind each.
pub const LEVELS: usize = 17;

/// Seconds that a tier has counted of calls that count as one, by the level in which each was counted (R25).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TierCounted {
    /// The tier, by its place in the plan.
    pub tier: u8,
    /// Below the first level, behind the first, and so on.
    pub seconds: [u32; LEVELS],
}

impl TierCounted {
    /// As it is stored: the tier, and seconds up to the last level in which there are any.
    pub fn list(&self) -> Vec<u32> {
        let upto = self.seconds.iter().rposition(|seconds| *seconds > 0).map_or(0, |last| last + 1);
        std::iter::once(u32::from(self.tier)).chain(self.seconds[..upto].iter().copied()).collect()
    }

    /// Back from there; none where the list is empty, or no such list.
    pub fn of(list: &[u32]) -> Option<TierCounted> {
        let (tier, some) = list.split_first()?;
        let mut counted = TierCounted { tier: u8::try_from(*tier).ok()?, seconds: [0; LEVELS] };
        counted.seconds.get_mut(..some.len())?.copy_from_slice(some);
        Some(counted)
    }
}

/// What calls that count as one with a call came to before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Before {
    /// Billable seconds.
    pub billed: u32,
    /// Of these, covered by allowances.
    pub included: u32,
    /// What they cost.
    pub cost: Money,
    /// What the tier that counts them has counted of them; none: none does.
    pub tier: Option<TierCounted>,
}

impl Before {
    /// Of a call that goes on with nothing.
    pub const NOTHING: Before = Before { billed: 0, included: 0, cost: Money::ZERO, tier: None };
}

/// The chain that a call begins or goes on with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Linked {
    /// Between whom.
    pub pair: Pair,
    /// As it stands behind the call.
    pub chain: Chain,
}
