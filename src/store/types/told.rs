//! What others charge for calls, and which versions of records somebody took: on their way into the store and out of it.
//!
//! Does not know SQL or files, nor how prices are compared.

use serde::{Deserialize, Serialize};

use crate::batch::Position;
use crate::time::Timestamp;

/// Which version of a record somebody took.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DecidedRow {
    /// Position of the entry.
    pub entry: Position,
    /// Position of the record that came first.
    pub first: Position,
    /// Position of the version taken.
    pub kept: Position,
    /// Why.
    pub why: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Rows of this record with a lower revision no longer count; 0: all stay. Not kept: the rows say it.
    pub revision: u32,
}

/// What the system that bills today charges for a record, in its own digits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ToldRow<'a> {
    /// Position of the record.
    pub position: Position,
    /// The charge.
    pub cost: &'a [u8],
    /// Its currency, where it is said.
    pub currency: &'a [u8],
    /// The seconds it bills, where that is said.
    pub seconds: &'a [u8],
    /// The record in canonical form and its receipt, where nobody answered it: nothing else is kept of it.
    #[serde(borrow)]
    pub unanswered: Option<(Timestamp, &'a [u8])>,
}

/// What another system charges for a record, in its own digits.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// The charge.
    pub cost: Vec<u8>,
    /// Its currency; empty: not said.
    pub currency: Vec<u8>,
    /// The seconds it bills; empty: not said.
    pub seconds: Vec<u8>,
}

/// A record that nobody answered, and for which another system charges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToldUnanswered {
    /// Its position.
    pub position: Position,
    /// Receipt of its frame.
    pub received_at: Timestamp,
    /// The record in canonical form.
    pub record: Vec<u8>,
}
