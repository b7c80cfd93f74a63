//! Calls in quick succession between two numbers, which count as one (R28), as they are kept for a next one.
//!
//! Does not know what joins calls, nor who keeps them.

use serde::{Deserialize, Serialize};

use super::TariffSlot;
use crate::money::Money;
use crate::number::Number;
use crate::time::{Micros, Period, Timestamp};

/// How many bytes the journal goes on behind the last call of a chain until it is forgotten: minutes at full load, days at
/// an office's. A million and a half records, of which each could be a chain of a hundred bytes.
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

/// What calls that count as one with a call came to before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Before {
    /// Billable seconds.
    pub billed: u32,
    /// Of these, covered by allowances.
    pub included: u32,
    /// What they cost.
    pub cost: Money,
}

/// The chain that a call begins or goes on with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Linked {
    /// Between whom.
    pub pair: Pair,
    /// As it stands behind the call.
    pub chain: Chain,
}
