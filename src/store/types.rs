//! The values that go into the store and come out of it.
//!
//! Does not know SQL or files.

use crate::batch::{Position, SourceId};
use crate::call::{AccountKey, Basis, CallType, GroupKey, LegKey, RatedCall, SuspenseReason, TariffSlot, Usage};
use crate::record::Direction;
use crate::time::{Period, Timestamp};

/// Everything that changed between two journal positions.
pub struct FlushBatch<'a> {
    /// Where the store stands before.
    pub from: Position,
    /// Where it stands afterwards.
    pub upto: Position,
    /// When the flush was begun.
    pub at: Timestamp,
    /// Accounts seen for the first time; before any row that names them.
    pub accounts: &'a [Account],
    /// Billing groups seen for the first time.
    pub groups: &'a [Group],
    /// Tariff activations.
    pub tariffs: &'a [ActivationRow],
    /// Directory activations.
    pub directories: &'a [ActivationRow],
    /// Source profiles, new or changed.
    pub sources: &'a [SourceRow],
    /// Rated calls in any order.
    pub calls: &'a [CallRow<'a>],
    /// Says in words what a basis means; asked once for each one the store has not written yet.
    pub describe: &'a dyn Fn(&Basis) -> BasisText,
    /// New values of the lines that were touched (not differences); one per key.
    pub usage: &'a [UsageLine],
    /// New values of the allowances that were touched (not differences); one per key.
    pub allowances: &'a [AllowanceLine],
    /// What came into suspense, or was tried again in vain: a key that exists is replaced.
    pub suspended: &'a [SuspendedRow<'a>],
    /// What left suspense; a key that does not exist is ignored.
    pub released: &'a [SuspenseKey],
    /// Latest attempts of what was tried again; a key that exists is replaced.
    pub retried: &'a [Retried],
    /// Records that contradict an earlier one of the same identity.
    pub conflicts: &'a [ConflictRow<'a>],
    /// All book counters in the book's own order, absolute values.
    pub books: &'a [(&'a str, i128)],
}

impl FlushBatch<'_> {
    /// A batch that only moves the position.
    pub fn empty(from: Position, upto: Position, at: Timestamp) -> FlushBatch<'static> {
        FlushBatch {
            from,
            upto,
            at,
            accounts: &[],
            groups: &[],
            tariffs: &[],
            directories: &[],
            sources: &[],
            calls: &[],
            describe: &|_| BasisText::default(),
            usage: &[],
            allowances: &[],
            suspended: &[],
            released: &[],
            retried: &[],
            conflicts: &[],
            books: &[],
        }
    }
}

/// What a flush did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FlushReport {
    /// The store had this batch already; nothing was written now.
    pub already_done: bool,
    /// Number of the flush, from 1.
    pub flush: u64,
    /// Calls written.
    pub calls: u64,
}

/// An account and its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its number in this data folder.
    pub key: AccountKey,
    /// Its name in the directory.
    pub name: String,
}

/// A billing group and its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its number in this data folder.
    pub key: GroupKey,
    /// Its name in the directory.
    pub name: String,
}

/// A tariff or directory that came into force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActivationRow {
    /// Running number of its kind, from 0, in the journal's order.
    pub slot: TariffSlot,
    /// Position of the activation's entry.
    pub position: Position,
    /// BLAKE3 of the image, lower-case hex.
    pub digest: String,
    /// For calls answered from then on; none: for every call rated from here on.
    pub effective_from: Option<Timestamp>,
    /// When it was asked for.
    pub activated_at: Timestamp,
    /// Who or what asked.
    pub by: String,
}

/// A source profile as it stood from a position on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceRow {
    /// Index by which frames name it.
    pub source: SourceId,
    /// Position of the entry that brought it.
    pub position: Position,
    /// The profile ([`crate::entry::SourceProfile`]) as JSON.
    pub json: String,
}

/// What a [`Basis`] means in words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BasisText {
    /// Digest of the tariff image.
    pub tariff: String,
    /// Plan.
    pub plan: String,
    /// Deck of the row; empty where no row gave the price.
    pub deck: String,
    /// Prefix of the row, digits; empty where no row gave the price.
    pub prefix: String,
    /// Destination name of the row.
    pub destination: String,
}

/// A rated call on its way into the store.
#[derive(Clone, Copy, Debug)]
pub struct CallRow<'a> {
    /// The call.
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
}

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
        }
    }

    /// Its place in the order of [`super::Store::calls`].
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

/// One line of the totals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UsageLine {
    /// Whose.
    pub account: AccountKey,
    /// Whose allowance the calls drew: an account that changed its group has a line for each.
    pub group: GroupKey,
    /// Of which month.
    pub period: Period,
    /// Of which calls.
    pub call_type: CallType,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// Decimals in which amounts are shown: the most any of the calls has.
    pub decimals: u8,
    /// What they add up to.
    pub usage: Usage,
}

/// Allowance drawn by a group in a month.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AllowanceLine {
    /// Whose.
    pub group: GroupKey,
    /// Of which month.
    pub period: Period,
    /// Seconds drawn.
    pub used_seconds: u64,
}

/// What waits: a leg of a record, or the whole record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SuspenseKey {
    /// Position of the record's entry.
    pub position: Position,
    /// Which leg; none: the record.
    pub leg: Option<Direction>,
}

/// Something on its way into suspense.
#[derive(Clone, Copy, Debug)]
pub struct SuspendedRow<'a> {
    /// What waits.
    pub key: SuspenseKey,
    /// Why.
    pub reason: SuspenseReason,
    /// Position of the latest attempt (the record's own, or a retry's).
    pub attempt: Position,
    /// Who would pay, where known.
    pub account: Option<AccountKey>,
    /// Period of a leg.
    pub period: Option<Period>,
    /// Node of the record.
    pub node: &'a [u8],
    /// Id of the record.
    pub id: &'a [u8],
    /// Source as the record has it.
    pub source_dialled: &'a [u8],
    /// Destination as the record has it.
    pub destination_dialled: &'a [u8],
    /// Answer instant.
    pub answer: Option<Timestamp>,
    /// The record in canonical form.
    pub record: &'a [u8],
    /// Source profile of the record's frame.
    pub source: SourceId,
    /// Receipt of the record's frame.
    pub received_at: Timestamp,
    /// A sentence for people.
    pub detail: &'a str,
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

/// The latest attempt at something that was tried again; kept after it was resolved, so that a retry journalled
/// before the answer was known is void.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retried {
    /// What was tried.
    pub key: SuspenseKey,
    /// Position of the retry's entry.
    pub attempt: Position,
}

/// A record that contradicts an earlier one of its identity, on its way into the store.
#[derive(Clone, Copy, Debug)]
pub struct ConflictRow<'a> {
    /// Its position.
    pub position: Position,
    /// Position of the first record of this identity.
    pub first: Position,
    /// The record in canonical form.
    pub record: &'a [u8],
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
}

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

/// Everything the daemon needs to go on from a position.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoredState {
    /// All of this is the fold of the journal up to here.
    pub position: Position,
    /// Number of the last flush, 0 before the first.
    pub flush: u64,
    /// By key.
    pub accounts: Vec<Account>,
    /// By key.
    pub groups: Vec<Group>,
    /// By period, account, call type, currency.
    pub usage: Vec<UsageLine>,
    /// By period and group.
    pub allowances: Vec<AllowanceLine>,
    /// In the journal's order, older versions of a profile included.
    pub sources: Vec<SourceRow>,
    /// By slot.
    pub tariffs: Vec<ActivationRow>,
    /// By slot.
    pub directories: Vec<ActivationRow>,
    /// By key.
    pub retried: Vec<Retried>,
    /// In the book's own order.
    pub books: Vec<(String, i128)>,
    /// Reasons without any are left out.
    pub suspense: Vec<(SuspenseReason, u64)>,
}
