//! What sealing changes in the state: differences, so that they hold wherever other months stand by then.
//!
//! Does not know how they came about.

use serde::{Deserialize, Serialize};

use crate::batch::SourceId;
use crate::books::Share;
use crate::call::{AccountKey, CallType, GroupKey, Meter, SuspenseReason, Usage};
use crate::store::SuspenseKey;
use crate::time::{Period, Timestamp};

/// See the module. It is kept in the draft, as bytes of this program's version: a draft of another one is made again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Differences of totals.
    pub lines: Vec<LineDelta>,
    /// Differences of allowance seconds drawn.
    pub drawn: Vec<(GroupKey, Period, Meter, i64)>,
    /// Differences of the books.
    pub books: Share,
    /// What is no longer in suspense.
    pub released: Vec<SuspenseKey>,
    /// What is from now on.
    pub suspended: Vec<SuspendedLeg>,
    /// Rows of calls that no longer count; the draft keeps them in a place of their own.
    #[serde(skip)]
    pub superseded: Vec<u64>,
    /// New rows of calls.
    pub rows: u64,
}

/// The difference of a line of totals.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LineDelta {
    /// Who pays.
    pub account: AccountKey,
    /// Whose allowance was drawn.
    pub group: GroupKey,
    /// Which month.
    pub period: Period,
    /// Type of the calls.
    pub call_type: CallType,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// Decimals of the new calls.
    pub decimals: u8,
    /// To be added.
    pub usage: Usage,
}

/// A leg that goes into suspense.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SuspendedLeg {
    /// Which.
    pub key: SuspenseKey,
    /// Why.
    pub reason: SuspenseReason,
    /// Its month.
    pub period: Period,
    /// Who would pay, where known.
    pub account: Option<AccountKey>,
    /// The record in canonical form.
    pub record: Vec<u8>,
    /// Source of its frame.
    pub source: SourceId,
    /// Receipt, as far as it is known: else the answer.
    pub received_at: Timestamp,
}

impl Outcome {
    /// As kept in a draft.
    pub fn pack(&self) -> Vec<u8> {
        // Every value has a form in bytes.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// Back from there; none: written by another version.
    pub fn unpack(bytes: &[u8]) -> Option<Outcome> {
        postcard::from_bytes(bytes).ok()
    }
}
