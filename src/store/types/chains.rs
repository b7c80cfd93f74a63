//! Calls in quick succession that are under way (R28).
//!
//! Does not know what joins calls.

use serde::{Deserialize, Serialize};

use crate::batch::Position;
use crate::call::{Chain, GroupKey, Pair};

/// Between two numbers of a billing group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChainRow {
    /// Whose.
    pub group: GroupKey,
    /// Between whom.
    pub pair: Pair,
    /// Where the last call of it was rated, and what it comes to; none: it is forgotten.
    pub chain: Option<(Position, Chain)>,
}
