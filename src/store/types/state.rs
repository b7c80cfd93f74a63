//! What the daemon goes on from: totals, allowances, and everything else that holds at a position.
//!
//! Does not know SQL or files.

use serde::{Deserialize, Serialize};

use super::answer::{RerateRun, SuspenseKey};
use super::chains::ChainRow;
use super::flush::{ActivationRow, SourceRow};
use crate::batch::Position;
use crate::call::{AccountKey, CallType, GroupKey, Meter, SuspenseReason, Usage};
use crate::time::{Period, Timestamp};

/// An account and its name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Its number in this data folder.
    pub key: AccountKey,
    /// Its name in the directory.
    pub name: String,
}

/// A billing group and its name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Group {
    /// Its number in this data folder.
    pub key: GroupKey,
    /// Its name in the directory.
    pub name: String,
}

/// One line of the totals.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AllowanceLine {
    /// Whose.
    pub group: GroupKey,
    /// Of which month.
    pub period: Period,
    /// Which allowance.
    #[serde(default)]
    pub meter: Meter,
    /// Seconds drawn.
    pub used_seconds: u64,
}

/// The latest attempt at something that was tried again; kept after it was resolved, so that a retry journalled
/// before the answer was known is void.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Retried {
    /// What was tried.
    pub key: SuspenseKey,
    /// Position of the retry's entry.
    pub attempt: Position,
}

/// A month that takes no calls any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PeriodRow {
    /// Which.
    pub period: Period,
    /// The entry that closed it.
    pub seal: Position,
    /// The entry behind which its revisions count; none: they are being made.
    pub sealed: Option<Position>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Who or what asked.
    pub requested_by: String,
    /// BLAKE3 of what the manifest covers, once it is sealed.
    pub digest: Option<String>,
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
    /// Calls told in parts that are not whole, by key: state in the bytes of [`crate::assembly`].
    pub open_calls: Vec<(u128, Vec<u8>)>,
    /// In the book's own order.
    pub books: Vec<(String, i128)>,
    /// Months that are closed, by month.
    pub periods: Vec<PeriodRow>,
    /// Runs of re-rating, by number, without their reports.
    pub reruns: Vec<RerateRun>,
    /// What accounts are watched by; none: nothing ever was.
    pub guards: Option<super::GuardsRow>,
    /// What the spend guard holds of accounts, by account and group.
    pub guarded: Vec<(AccountKey, GroupKey, Vec<u8>)>,
    /// Calls in quick succession that are under way, by position.
    pub chains: Vec<ChainRow>,
    /// Reasons without any are left out.
    pub suspense: Vec<(SuspenseReason, u64)>,
}
