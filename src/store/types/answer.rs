//! Pages that can be asked for, and what comes out of the store.
//!
//! Does not know SQL or files, nor who asks.

use serde::{Deserialize, Serialize};

use super::flush::BasisText;
use super::grounds::Grounds;
use crate::batch::{Position, SourceId};
use crate::call::{AccountKey, Costs, LegKey, RatedCall, SuspenseReason};
use crate::record::{Direction, Record};
use crate::time::{Period, Timestamp};

/// A rated call as it comes out; borrows from the page that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredCall<'a> {
    /// The call, equal to what was flushed.
    pub call: RatedCall,
    /// Node of the record.
    pub node: &'a [u8],
    /// Id of the record.
    pub id: &'a [u8],
    /// Source as the record has it.
    pub source_dialled: &'a [u8],
    /// Destination as the record has it.
    pub destination_dialled: &'a [u8],
    /// Set-up of the call.
    pub start: Option<Timestamp>,
    /// What decided type and price, in words.
    pub text: &'a BasisText,
    /// What decided whose call it was, beside numbers and times; none where an earlier version stored it.
    pub grounds: Option<&'a Grounds>,
    /// 0: as first rated.
    pub revision: u32,
    /// The run of re-rating that wrote it.
    pub run: Option<u32>,
    /// An operator named the tariff (R22): sealing keeps it.
    pub named_tariff: bool,
    /// What it costs us, where its plan says how it is bought; for operators only.
    pub costs: Option<Costs>,
    /// Its row: names it in one store, for ever.
    pub row: u64,
    /// What it drew, where that is more than the plan's minutes: the text of [`crate::rating::Draws`].
    pub draws: &'a [u8],
    /// The flush from which on it no longer counts; such rows are shown only where every row is asked for.
    pub superseded: Option<u64>,
}

impl StoredCall<'_> {
    /// The same, owning its text.
    pub fn to_owned_call(&self) -> OwnedCall {
        OwnedCall {
            call: self.call,
            node: self.node.to_vec(),
            id: self.id.to_vec(),
            source_dialled: self.source_dialled.to_vec(),
            destination_dialled: self.destination_dialled.to_vec(),
            start: self.start,
            text: self.text.clone(),
            grounds: self.grounds.cloned(),
            revision: self.revision,
            run: self.run,
            named_tariff: self.named_tariff,
            costs: self.costs,
            draws: self.draws.to_vec(),
        }
    }

    /// Its place in the order of [`crate::store::Store::calls`].
    pub fn cursor(&self) -> CallCursor {
        CallCursor { answer: self.call.answer, key: self.call.key }
    }
}

/// A rated call that owns its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedCall {
    /// The call.
    pub call: RatedCall,
    /// Node of the record.
    pub node: Vec<u8>,
    /// Id of the record.
    pub id: Vec<u8>,
    /// Source as the record has it.
    pub source_dialled: Vec<u8>,
    /// Destination as the record has it.
    pub destination_dialled: Vec<u8>,
    /// Set-up of the call.
    pub start: Option<Timestamp>,
    /// What decided type and price, in words.
    pub text: BasisText,
    /// What decided whose call it was; see [`StoredCall::grounds`].
    pub grounds: Option<Grounds>,
    /// 0: as first rated.
    pub revision: u32,
    /// The run of re-rating that wrote it.
    pub run: Option<u32>,
    /// An operator named the tariff (R22): sealing keeps it.
    pub named_tariff: bool,
    /// What it costs us, where its plan says how it is bought; for operators only.
    pub costs: Option<Costs>,
    /// What it drew; see [`StoredCall::draws`].
    pub draws: Vec<u8>,
}

impl<'a> StoredCall<'a> {
    /// The record as far as rating asks for it; what else it said is in the journal, while that keeps it.
    pub fn record(&self, grounds: &'a Grounds) -> Record<'a> {
        Record {
            id: self.id,
            node: self.node,
            account: &grounds.account,
            forwarded_by: &grounds.forwarded_by,
            routing_number: &grounds.routing_number,
            carrier: &grounds.carrier,
            source: self.source_dialled,
            destination: self.destination_dialled,
            direction: grounds.direction,
            start: self.start,
            answer: Some(self.call.answer),
            duration: Some(self.call.duration),
            ..Record::default()
        }
    }
}

impl OwnedCall {
    /// The same, borrowed.
    pub fn borrowed(&self) -> StoredCall<'_> {
        StoredCall {
            call: self.call,
            node: &self.node,
            id: &self.id,
            source_dialled: &self.source_dialled,
            destination_dialled: &self.destination_dialled,
            start: self.start,
            text: &self.text,
            grounds: self.grounds.as_ref(),
            revision: self.revision,
            run: self.run,
            named_tariff: self.named_tariff,
            costs: self.costs,
            row: 0,
            draws: &self.draws,
            superseded: None,
        }
    }
}

/// A place in an account's calls.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CallCursor {
    /// Answer instant.
    pub answer: Timestamp,
    /// Which leg.
    pub key: LegKey,
}

/// Which part of an account's calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CallPage {
    /// Only calls behind this place.
    pub after: Option<CallCursor>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// In which order a scan goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScanOrder {
    /// As stored: fastest, one pass over the file.
    Stored,
    /// By account key, then answer, position and leg.
    Account,
}

/// What waits: a leg of a record, or the whole record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct SuspenseKey {
    /// Position of the record's entry.
    pub position: Position,
    /// Which leg; none: the record.
    pub leg: Option<Direction>,
}

/// Something in suspense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SuspenseItem {
    /// What waits.
    pub key: SuspenseKey,
    /// Why.
    pub reason: SuspenseReason,
    /// Position of the latest attempt.
    pub attempt: Position,
    /// Who would pay, where known.
    pub account: Option<AccountKey>,
    /// Period of a leg.
    pub period: Option<Period>,
    /// Node of the record.
    pub node: Vec<u8>,
    /// Id of the record.
    pub id: Vec<u8>,
    /// Source as the record has it.
    pub source_dialled: Vec<u8>,
    /// Destination as the record has it.
    pub destination_dialled: Vec<u8>,
    /// Answer instant.
    pub answer: Option<Timestamp>,
    /// The record in canonical form; empty in lists.
    pub record: Vec<u8>,
    /// Source profile of the record's frame.
    pub source: SourceId,
    /// Receipt of the record's frame.
    pub received_at: Timestamp,
    /// A sentence for people.
    pub detail: String,
}

/// Which part of what is in suspense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SuspensePage {
    /// Only for this reason.
    pub reason: Option<SuspenseReason>,
    /// Only behind this key.
    pub after: Option<SuspenseKey>,
    /// At most so many.
    pub limit: usize,
}

/// A record that contradicts an earlier one of its identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// Its position.
    pub position: Position,
    /// Position of the first record of this identity.
    pub first: Position,
    /// The record in canonical form.
    pub record: Vec<u8>,
    /// Source of its frame.
    pub source: SourceId,
    /// Receipt of its frame; none where an earlier version stored it.
    pub received_at: Option<Timestamp>,
}

/// Something taken out of suspense for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiscardedItem {
    /// What waited.
    pub key: SuspenseKey,
    /// Why it waited.
    pub reason: SuspenseReason,
    /// Why it was discarded.
    pub why: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// How long things wait for one reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SuspenseAges {
    /// Why.
    pub reason: SuspenseReason,
    /// How many were received since the first of the instants asked for, between it and the second, and so on; the last:
    /// before all of them.
    pub counts: [u64; AGES],
    /// Receipt of the oldest.
    pub oldest: Timestamp,
}

/// In how many classes of age what waits is counted.
pub const AGES: usize = 5;

/// A flush as the store remembers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlushInfo {
    /// Running number from 1.
    pub number: u64,
    /// Where the store stood before.
    pub from: Position,
    /// Where it stood afterwards.
    pub upto: Position,
    /// When it was begun.
    pub at: Timestamp,
    /// Calls written.
    pub calls: u64,
}

/// A run of re-rating.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RerateRun {
    /// Its number.
    pub run: u32,
    /// What became of it.
    pub state: RerateState,
    /// Position of the entry that began it.
    pub begun: Position,
    /// What that entry says, as JSON.
    pub entry: String,
    /// Position of the entry that ended it.
    pub settled: Option<Position>,
    /// The flush that made it count.
    pub flush: Option<u64>,
    /// What it changed, as JSON.
    pub report: Option<Vec<u8>>,
    /// Why it was given up.
    pub why_not: Option<String>,
}

/// What became of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RerateState {
    /// It is under way.
    Rating,
    /// It counts.
    Counts,
    /// Nothing came of it.
    GivenUp,
}

impl RerateState {
    /// As stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            RerateState::Rating => "rating",
            RerateState::Counts => "counts",
            RerateState::GivenUp => "given up",
        }
    }

    /// The state behind a name.
    pub fn named(name: &str) -> Option<RerateState> {
        [RerateState::Rating, RerateState::Counts, RerateState::GivenUp].into_iter().find(|state| state.name() == name)
    }
}

/// A row of a leg, whether it counts or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revised {
    /// What it says.
    pub call: OwnedCall,
    /// Its number.
    pub row: u64,
    /// Whether it counts; a later one stands for it otherwise, or none does.
    pub counts: bool,
}

/// Rows that a flush took out of count.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Corrected {
    /// Replaced, or left out.
    pub superseded: Vec<u64>,
    /// Taken back in an open month, and still so.
    pub reversed: Vec<u64>,
}
