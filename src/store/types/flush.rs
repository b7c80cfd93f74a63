//! What a flush brings into the store.
//!
//! Does not know SQL or files, nor how anything is asked for.

use serde::{Deserialize, Serialize};

use super::answer::SuspenseKey;
use super::chains::ChainRow;
use super::draft::RerateRow;
use super::grounds::GroundsOf;
use super::guard::{GuardEventRow, GuardedRow, GuardsRow};
use super::retention::RetentionRow;
use super::state::{Account, AllowanceLine, Group, Retried, UsageLine};
use super::told::{DecidedRow, ToldRow};
use crate::batch::{Position, SourceId};
use crate::call::{AccountKey, Basis, Costs, RatedCall, SuspenseReason};
use crate::record::{Content, Identity};
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
    /// Accounts and numbers that were changed by themselves.
    pub changed: &'a [ChangedRow],
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
    /// Calls put together from pieces.
    pub assembled: &'a [AssembledRow],
    /// Calls told in parts that are not whole: new states, and those that are forgotten.
    pub open_calls: &'a [OpenCallRow<'a>],
    /// Months closed.
    pub closed: &'a [ClosedRow],
    /// Months whose drafts count from now on.
    pub sealed: &'a [SealedRow],
    /// Runs of re-rating: those that began, and what became of them.
    pub rerated: &'a [RerateRow],
    /// Manifests taken.
    pub acks: &'a [AckRow],
    /// What was taken out of suspense for good.
    pub discarded: &'a [DiscardedRow<'a>],
    /// What accounts are watched by, where that changed.
    pub guards: &'a [GuardsRow],
    /// What the spend guard holds of accounts.
    pub guarded: &'a [GuardedRow<'a>],
    /// Calls in quick succession that are under way, where they changed.
    pub chains: &'a [ChainRow],
    /// What it told.
    pub guard_events: &'a [GuardEventRow<'a>],
    /// Which versions of records were taken by hand; what they replace no longer counts.
    pub decided: &'a [DecidedRow],
    /// What others charge for calls.
    pub told: &'a [ToldRow<'a>],
    /// What is deleted, held or erased.
    pub retention: &'a [RetentionRow],
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
            changed: &[],
            sources: &[],
            calls: &[],
            describe: &|_| BasisText::default(),
            usage: &[],
            allowances: &[],
            suspended: &[],
            released: &[],
            retried: &[],
            conflicts: &[],
            assembled: &[],
            open_calls: &[],
            closed: &[],
            sealed: &[],
            rerated: &[],
            acks: &[],
            discarded: &[],
            guards: &[],
            guarded: &[],
            chains: &[],
            guard_events: &[],
            decided: &[],
            told: &[],
            retention: &[],
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

/// A tariff or directory that came into force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ActivationRow {
    /// Running number of its kind, from 0, in the journal's order.
    pub slot: u32,
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
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
    /// What else decided whose call it was; none where that is not known.
    #[serde(borrow)]
    pub grounds: Option<GroundsOf<'a>>,
    /// 0: as first rated.
    pub revision: u32,
    /// The run of re-rating that wrote it.
    pub run: Option<u32>,
    /// An operator named the tariff (R22): sealing keeps it.
    pub named_tariff: bool,
    /// What it costs us, where its plan says how it is bought.
    pub costs: Option<Costs>,
    /// What it drew, where that is more than the plan's minutes: the text of [`crate::rating::Draws`].
    pub draws: &'a [u8],
}

/// Something on its way into suspense.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
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

/// A record that contradicts an earlier one of its identity, on its way into the store.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ConflictRow<'a> {
    /// Its position.
    pub position: Position,
    /// Position of the first record of this identity.
    pub first: Position,
    /// The record in canonical form.
    pub record: &'a [u8],
    /// Source of its frame.
    pub source: SourceId,
    /// Receipt of its frame.
    pub received_at: Timestamp,
}

/// A month that was closed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClosedRow {
    /// Which.
    pub period: Period,
    /// Position of the entry.
    pub seal: Position,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who or what asked.
    pub by: String,
}

/// A month whose draft counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SealedRow {
    /// Which.
    pub period: Period,
    /// Position of the entry that closed it.
    pub seal: Position,
    /// Position of the entry behind which it counts.
    pub sealed: Position,
}

/// An account or a number that was changed by itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedRow {
    /// Position of the entry.
    pub position: Position,
    /// Name of the account, or the number with its `+`.
    pub name: String,
}

/// Which job took which manifest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AckRow {
    /// Position of the entry.
    pub position: Position,
    /// Which month.
    pub period: Period,
    /// Digest of the manifest that was taken.
    pub digest: String,
    /// The job.
    pub job: String,
    /// When.
    pub at: Timestamp,
}

/// Something taken out of suspense for good.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct DiscardedRow<'a> {
    /// What waited.
    pub key: SuspenseKey,
    /// Why it waited.
    pub reason: SuspenseReason,
    /// Why it was discarded.
    pub why: &'a str,
    /// By whom.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
    /// Position of the entry.
    pub entry: Position,
    /// Node of the record.
    pub node: &'a [u8],
    /// Id of the record.
    pub id: &'a [u8],
    /// The record in canonical form.
    pub record: &'a [u8],
}

/// A call that was put together from pieces.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AssembledRow {
    /// Its place: that of the piece that completed it.
    pub position: Position,
    /// The places of its pieces, in order.
    pub pieces: Vec<Position>,
    /// What it is known by; none where an earlier version wrote the row.
    pub known_by: Option<(Identity, Content)>,
}

/// A call told in parts that is not whole yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenCallRow<'a> {
    /// Names it.
    pub key: u128,
    /// Its state, in the bytes of [`crate::assembly`]; none: it is forgotten.
    #[serde(borrow)]
    pub state: Option<&'a [u8]>,
}
