//! What jobs prepare, and what makes it count.
//!
//! Does not know how anything is rated.

use serde::{Deserialize, Serialize};

use crate::batch::Position;
use crate::time::Period;

/// A run of re-rating, or what became of one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RerateRow {
    /// It began.
    Begun {
        /// Its number.
        run: u32,
        /// Position of the entry.
        at: Position,
        /// What the entry says, as JSON.
        entry: String,
    },
    /// Its draft counts.
    Counts {
        /// Its number.
        run: u32,
        /// Position of the entry that began it.
        begun: Position,
        /// Position of the entry behind which it counts.
        at: Position,
    },
    /// Nothing comes of it.
    GivenUp {
        /// Its number.
        run: u32,
        /// Position of the entry.
        at: Position,
        /// Why.
        why: String,
    },
}

/// What a draft is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DraftOf {
    /// The seal of a month.
    Month(Period),
    /// A run of re-rating.
    Run(u32),
}

/// What sealing a month or a run of re-rating prepares; changes nothing until a flush says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// Position of the entry that closed the month or began the run.
    pub seal: Position,
    /// BLAKE3 of what the manifest covers; of a run, a digest of its changes.
    pub digest: String,
    /// JSON: the manifest, or the report of a run.
    pub manifest: Vec<u8>,
    /// What it changes in the state, in the bytes of whoever made it.
    pub outcome: Vec<u8>,
    /// Rows of calls that will no longer count.
    pub superseded: Vec<u64>,
    /// Rows of closed months that are taken back in an open one.
    pub reversed: Vec<u64>,
    /// Those that no longer are.
    pub restored: Vec<u64>,
}
