//! What the job rates: a leg of a record, with all that decides it and all that is stored of it.
//!
//! Does not know where it came from.

use serde::{Deserialize, Serialize};

use crate::batch::{Position, SourceId};
use crate::call::{Costs, RatedCall, SuspenseReason, TariffSlot};
use crate::rating::Leg;
use crate::record::Direction;
use crate::time::Period;

/// The canonical order (R19), and below it what makes it total.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Key {
    /// Groups draw apart from each other; by its place in the order of names where one is asked for, so that an account's legs
    /// come in one order in every folder.
    pub group: u32,
    pub answer: i64,
    pub node: Vec<u8>,
    pub id: Vec<u8>,
    pub leg: Direction,
    pub direction: Option<Direction>,
    /// Where the identity was first seen. Two legs that are equal up to here are one leg, found twice.
    pub position: Position,
    /// A call of a closed month may be taken back and charged anew in one open month: revision, and the reversal first.
    pub version: (u32, bool),
}

/// A leg.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Candidate {
    pub key: Key,
    /// What is to be rated.
    pub facts: Facts,
    /// What that is by the tariff in force.
    pub leg: Option<(TariffSlot, Leg)>,
    /// The row that counts for it now.
    pub row: Option<Row>,
    /// Why this leg waits in suspense, if it does, and in which month's count.
    pub waits: Option<(SuspenseReason, Period)>,
    /// It is billed in a month that is sealed already: final, and none of this month's.
    pub closed: bool,
    /// Not to be rated again: a row of an earlier version, or an adjustment.
    pub fixed: Option<Fixed>,
}

/// Everything that rating asks of a record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// In canonical form.
    pub record: Vec<u8>,
    pub source: SourceId,
    /// Position of the profile's entry, or any behind it and before the next.
    pub profile: Position,
    /// As received; none: judged already, from a stored row.
    pub received_at: Option<i64>,
    /// It is a later version of the record (R20).
    pub other: bool,
}

/// A stored row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Row {
    pub number: u64,
    pub revision: u32,
    pub call: RatedCall,
    pub costs: Option<Costs>,
    /// What it drew; see `StoredCall::draws`.
    pub draws: Vec<u8>,
    /// An operator named its tariff (R22).
    pub named_tariff: bool,
}

impl Row {
    /// The tariff that an operator named.
    pub fn named(&self) -> Option<TariffSlot> {
        self.named_tariff.then_some(self.call.basis.tariff)
    }
}

/// A row that stays as it is, with what the manifest says of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fixed {
    pub call: RatedCall,
    pub costs: Option<Costs>,
    /// What it drew; see `StoredCall::draws`.
    pub drew: Vec<u8>,
    pub account: String,
    pub tariff: String,
    /// Its allowance was drawn in this month.
    pub draws: bool,
}

impl Candidate {
    /// Takes what another finding of the same leg knows.
    pub fn merge(&mut self, other: Candidate) {
        self.row = self.row.take().or(other.row);
        self.waits = self.waits.or(other.waits);
        self.closed |= other.closed;
        self.fixed = self.fixed.take().or(other.fixed);
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Candidate) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Candidate) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}
