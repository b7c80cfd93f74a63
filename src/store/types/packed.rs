//! A flush as bytes, to be put aside while the store is away and given to it later.
//!
//! Compact (postcard: small numbers take few bytes), and read back without copying text. It lives in one process only:
//! the bytes carry no version and are never read by another one.
//!
//! Does not know where the bytes are kept.

use serde::{Deserialize, Serialize};

use super::SuspenseKey;
use super::chains::ChainRow;
use super::draft::RerateRow;
use super::flush::{
    AckRow, ActivationRow, AssembledRow, BasisText, CallRow, ChangedRow, ClosedRow, ConflictRow, DiscardedRow,
    FlushBatch, OpenCallRow, SealedRow, SourceRow, SuspendedRow,
};
use super::guard::{GuardEventRow, GuardedRow, GuardsRow};
use super::retention::RetentionRow;
use super::state::{Account, AllowanceLine, Group, Retried, UsageLine};
use super::told::{DecidedRow, ToldRow};
use crate::batch::Position;
use crate::call::Basis;
use crate::time::Timestamp;

/// Bytes that are no packed flush.
#[derive(Debug, thiserror::Error)]
#[error("what was put aside cannot be read back: {0}")]
pub struct Unreadable(#[from] postcard::Error);

/// As written: borrowed slices. The fields stand in the same order as in [`PackedFlush`].
#[derive(Serialize)]
struct Packing<'a> {
    from: Position,
    upto: Position,
    at: Timestamp,
    accounts: &'a [Account],
    groups: &'a [Group],
    tariffs: &'a [ActivationRow],
    directories: &'a [ActivationRow],
    changed: &'a [ChangedRow],
    sources: &'a [SourceRow],
    calls: &'a [CallRow<'a>],
    usage: &'a [UsageLine],
    allowances: &'a [AllowanceLine],
    suspended: &'a [SuspendedRow<'a>],
    released: &'a [SuspenseKey],
    retried: &'a [Retried],
    conflicts: &'a [ConflictRow<'a>],
    assembled: &'a [AssembledRow],
    open_calls: &'a [OpenCallRow<'a>],
    closed: &'a [ClosedRow],
    sealed: &'a [SealedRow],
    rerated: &'a [RerateRow],
    acks: &'a [AckRow],
    discarded: &'a [DiscardedRow<'a>],
    guards: &'a [GuardsRow],
    guarded: &'a [GuardedRow<'a>],
    chains: &'a [ChainRow],
    guard_events: &'a [GuardEventRow<'a>],
    decided: &'a [DecidedRow],
    told: &'a [ToldRow<'a>],
    retention: &'a [RetentionRow],
    books: &'a [(&'a str, i128)],
}

/// A flush that was put aside, read back; its text lies in the bytes it was read from.
#[derive(Deserialize)]
pub struct PackedFlush<'a> {
    from: Position,
    upto: Position,
    at: Timestamp,
    accounts: Vec<Account>,
    groups: Vec<Group>,
    tariffs: Vec<ActivationRow>,
    directories: Vec<ActivationRow>,
    changed: Vec<ChangedRow>,
    sources: Vec<SourceRow>,
    #[serde(borrow)]
    calls: Vec<CallRow<'a>>,
    usage: Vec<UsageLine>,
    allowances: Vec<AllowanceLine>,
    #[serde(borrow)]
    suspended: Vec<SuspendedRow<'a>>,
    released: Vec<SuspenseKey>,
    retried: Vec<Retried>,
    #[serde(borrow)]
    conflicts: Vec<ConflictRow<'a>>,
    assembled: Vec<AssembledRow>,
    #[serde(borrow)]
    open_calls: Vec<OpenCallRow<'a>>,
    closed: Vec<ClosedRow>,
    sealed: Vec<SealedRow>,
    rerated: Vec<RerateRow>,
    acks: Vec<AckRow>,
    #[serde(borrow)]
    discarded: Vec<DiscardedRow<'a>>,
    guards: Vec<GuardsRow>,
    #[serde(borrow)]
    guarded: Vec<GuardedRow<'a>>,
    chains: Vec<ChainRow>,
    #[serde(borrow)]
    guard_events: Vec<GuardEventRow<'a>>,
    decided: Vec<DecidedRow>,
    #[serde(borrow)]
    told: Vec<ToldRow<'a>>,
    retention: Vec<RetentionRow>,
    #[serde(borrow)]
    books: Vec<(&'a str, i128)>,
}

impl FlushBatch<'_> {
    /// The batch as bytes. What a basis means in words is not in them: whoever reads them back says it.
    ///
    /// # Errors
    /// None that is known: every value of a batch has a form in bytes.
    pub fn pack(&self) -> Result<Vec<u8>, Unreadable> {
        // Every field is named, so that a new one is not forgotten here.
        let FlushBatch {
            from,
            upto,
            at,
            accounts,
            groups,
            tariffs,
            directories,
            changed,
            sources,
            calls,
            describe: _,
            usage,
            allowances,
            suspended,
            released,
            retried,
            conflicts,
            assembled,
            open_calls,
            closed,
            sealed,
            rerated,
            acks,
            discarded,
            guards,
            guarded,
            chains,
            guard_events,
            decided,
            told,
            retention,
            books,
        } = *self;
        let packing = Packing {
            from,
            upto,
            at,
            accounts,
            groups,
            tariffs,
            directories,
            changed,
            sources,
            calls,
            usage,
            allowances,
            suspended,
            released,
            retried,
            conflicts,
            assembled,
            open_calls,
            closed,
            sealed,
            rerated,
            acks,
            discarded,
            guards,
            guarded,
            chains,
            guard_events,
            decided,
            told,
            retention,
            books,
        };
        Ok(postcard::to_stdvec(&packing)?)
    }
}

impl<'a> PackedFlush<'a> {
    /// Reads a packed flush.
    ///
    /// # Errors
    /// The bytes are not those of [`FlushBatch::pack`].
    pub fn read(bytes: &'a [u8]) -> Result<PackedFlush<'a>, Unreadable> {
        Ok(postcard::from_bytes(bytes)?)
    }

    /// The batch, as it was packed.
    pub fn batch<'b>(&'b self, describe: &'b dyn Fn(&Basis) -> BasisText) -> FlushBatch<'b> {
        FlushBatch {
            from: self.from,
            upto: self.upto,
            at: self.at,
            accounts: &self.accounts,
            groups: &self.groups,
            tariffs: &self.tariffs,
            directories: &self.directories,
            changed: &self.changed,
            sources: &self.sources,
            calls: &self.calls,
            describe,
            usage: &self.usage,
            allowances: &self.allowances,
            suspended: &self.suspended,
            released: &self.released,
            retried: &self.retried,
            conflicts: &self.conflicts,
            assembled: &self.assembled,
            open_calls: &self.open_calls,
            closed: &self.closed,
            sealed: &self.sealed,
            rerated: &self.rerated,
            acks: &self.acks,
            discarded: &self.discarded,
            guards: &self.guards,
            guarded: &self.guarded,
            chains: &self.chains,
            guard_events: &self.guard_events,
            decided: &self.decided,
            told: &self.told,
            retention: &self.retention,
            books: &self.books,
        }
    }
}
