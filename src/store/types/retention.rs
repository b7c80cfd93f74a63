//! What goes and what stays: orders, holds, and what is left where call details are gone.
//!
//! Does not know SQL or files, nor who orders.

use serde::{Deserialize, Serialize};

use crate::batch::Position;
use crate::call::{AccountKey, CallType, GroupKey, SuspenseReason, Usage};
use crate::entry::Retention;
use crate::time::{Period, Timestamp};

/// An entry about data that is deleted, held or erased.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RetentionRow {
    /// Its position.
    pub position: Position,
    /// What it says.
    pub entry: Retention,
}

/// An order and how far it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderRow {
    /// Position of its entry.
    pub position: Position,
    /// What it says.
    pub entry: Retention,
    /// The store has nothing more of it.
    pub stored: bool,
    /// Since when nothing is left to do.
    pub done_at: Option<Timestamp>,
}

/// How far an order is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retired {
    /// There is more to do; so many rows went.
    More(u64),
    /// The account is held: nothing goes until it is released.
    Held,
    /// A run of re-rating or a seal that began before the order is at work on what goes: nothing goes until it has ended.
    Waits,
    /// The store has nothing more of it.
    Stored,
}

/// An account whose details of a month are gone, or some of them while the order is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeletedRow {
    /// Which month.
    pub period: Period,
    /// Whose.
    pub account: AccountKey,
    /// Position of the order by which they went.
    pub order: Position,
    /// Rows, those that no longer counted included.
    pub rows: u64,
    /// Where the first of their records lay.
    pub first: Position,
    /// And the last.
    pub last: Position,
}

/// What deleted details added up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeletedSum {
    /// Which month billed them.
    pub period: Period,
    /// Whose.
    pub account: AccountKey,
    /// Whose allowance they drew.
    pub group: GroupKey,
    /// Type of the calls.
    pub call_type: CallType,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// The sum.
    pub usage: Usage,
}

/// Something that was taken out of suspense for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiscardedRecord {
    /// Position of its record.
    pub position: Position,
    /// Why it waited.
    pub reason: SuspenseReason,
    /// Why it was discarded.
    pub why: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The record in canonical form.
    pub record: Vec<u8>,
}
