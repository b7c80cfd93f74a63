//! Calls in quick succession (R28), as the fold goes.
//!
//! Does not know records.

use std::collections::BTreeMap;

use super::Fold;
use crate::batch::Position;
use crate::call::{CHAIN_KEPT, Chain, GroupKey, LegKey, Linked, Pair};
use crate::store::OwnedCall;

/// See the module.
pub(super) struct Chains {
    held: BTreeMap<(GroupKey, Pair), (Position, Chain)>,
    /// What rows say that they went on with. A chain that began before the fold did is taken as it is told.
    told: BTreeMap<(LegKey, u32), Chain>,
    from: Position,
}

impl Chains {
    pub fn from(from: Position) -> Chains {
        Chains { held: BTreeMap::new(), told: BTreeMap::new(), from }
    }

    /// What a leg with a revision may go on with. `lost`: a part of the journal is.
    pub fn get(&self, key: (GroupKey, Pair), at: Position, leg: (LegKey, u32), lost: bool) -> Option<Chain> {
        match self.held.get(&key) {
            Some((since, chain)) => (at.0.saturating_sub(since.0) <= CHAIN_KEPT).then_some(*chain),
            None => self.told.get(&leg).copied().filter(|_| lost || self.from > Position(0)),
        }
    }

    pub fn link(&mut self, group: GroupKey, linked: Linked, at: Position) {
        self.held.insert((group, linked.pair), (at, linked.chain));
    }

    /// A correction ends all of them.
    pub fn end(&mut self) {
        self.held.clear();
    }
}

impl Fold<'_> {
    /// Rows of the flush whose frames come next.
    pub fn rows(&mut self, rows: &[OwnedCall]) {
        let of = |row: &OwnedCall| Some(((row.call.key, row.revision), Chain::told(&row.call, &row.draws)?));
        self.chains.told = rows.iter().filter_map(of).collect();
    }
}
