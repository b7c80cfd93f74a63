//! Calls in quick succession that are under way (R28), by billing group and numbers.
//!
//! A chain is kept for [`CHAIN_KEPT`] bytes of journal behind its last call, so that what is held is bounded and the same whenever the
//! journal is read again; the seal joins whatever came later than that. A correction of any month ends all chains: what
//! they were built from may have changed. So does an erasure, since they are held by numbers.
//!
//! Does not know what joins calls.

use std::collections::VecDeque;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::ShardState;
use super::meters::OfGroup;
use crate::batch::Position;
use crate::call::{CHAIN_KEPT, Chain, GroupKey, Linked, Meter, Pair};
use crate::rating::Drawn;
use crate::time::Period;

/// Whose chain, between which numbers.
pub type ChainKey = (GroupKey, Pair);

/// A chain as it changed; none: it is forgotten.
pub type ChainChange = (ChainKey, Option<(Position, Chain)>);

/// See the module.
#[derive(Default)]
pub struct Chains {
    held: HashMap<ChainKey, (Position, Chain), RandomState>,
    /// When each came to be what it was then, oldest first.
    since: VecDeque<(Position, ChainKey)>,
    changed: Vec<ChainKey>,
}

impl Chains {
    /// Takes a stored chain; the oldest first.
    pub fn load(&mut self, key: ChainKey, at: Position, chain: Chain) {
        self.held.insert(key, (at, chain));
        self.since.push_back((at, key));
    }

    /// What a call at a place of the journal may go on with.
    pub fn get(&self, key: ChainKey, at: Position) -> Option<Chain> {
        let (since, chain) = self.held.get(&key)?;
        (at.0.saturating_sub(since.0) <= CHAIN_KEPT).then_some(*chain)
    }

    /// A call was rated.
    pub(super) fn link(&mut self, group: GroupKey, linked: Linked, at: Position) {
        let key = (group, linked.pair);
        self.held.insert(key, (at, linked.chain));
        self.since.push_back((at, key));
        self.changed.push(key);
    }

    /// Something before was corrected.
    pub(super) fn end(&mut self) {
        self.changed.extend(self.held.drain().map(|(key, _)| key));
        self.since.clear();
    }

    /// What changed since the last time, without what is older than it is kept for.
    pub(super) fn changes(&mut self, upto: Position) -> Vec<ChainChange> {
        let old = |at: Position| upto.0.saturating_sub(at.0) > CHAIN_KEPT;
        while let Some((at, key)) = self.since.front().copied().filter(|(at, _)| old(*at)) {
            self.since.pop_front();
            if self.held.get(&key).is_some_and(|(since, _)| *since == at) {
                self.held.remove(&key);
                self.changed.push(key);
            }
        }
        self.changed.sort_unstable();
        self.changed.dedup();
        self.changed.drain(..).map(|key| (key, self.held.get(&key).copied())).collect()
    }
}

/// What a call of a group finds.
pub(super) struct Found<'a> {
    meters: OfGroup<'a>,
    chains: &'a Chains,
    group: GroupKey,
    at: Position,
}

impl ShardState {
    /// For a call at a place of the journal.
    pub(super) fn found(&self, group: GroupKey, at: Position) -> Found<'_> {
        Found { meters: self.meters.of(group), chains: &self.chains, group, at }
    }
}

impl Drawn for Found<'_> {
    fn seconds(&self, month: Period, meter: Meter) -> u64 {
        self.meters.seconds(month, meter)
    }

    fn chain(&self, pair: Pair) -> Option<Chain> {
        self.chains.get((self.group, pair), self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Before, TariffSlot};
    use crate::number::Number;
    use crate::time::{Micros, Timestamp};

    #[test]
    fn a_chain_is_kept_for_so_much_journal_and_told_once() {
        let number = |text: &str| Number::from_digits(text.as_bytes()).unwrap();
        let pair = |to| Pair { source: number("5511987654321"), destination: number(to) };
        let chain = Chain {
            month: Period(0),
            tariff: TariffSlot(0),
            plan: 0,
            rule: 9,
            begin: Timestamp(0),
            end: Timestamp(1),
            talk: Micros(1),
            before: Before::default(),
        };
        let (one, other) = (pair("551133334444"), pair("551133335555"));
        let (group, mut chains) = (GroupKey(3), Chains::default());
        chains.link(group, Linked { pair: one, chain }, Position(10));
        chains.link(group, Linked { pair: other, chain }, Position(20));
        chains.link(group, Linked { pair: other, chain }, Position(30));
        assert_eq!(chains.get((GroupKey(4), one), Position(40)), None);
        assert_eq!(chains.get((group, one), Position(10 + CHAIN_KEPT)), Some(chain));
        assert_eq!(chains.get((group, one), Position(11 + CHAIN_KEPT)), None);
        let both = vec![((group, one), Some((Position(10), chain))), ((group, other), Some((Position(30), chain)))];
        assert_eq!(chains.changes(Position(40)), both);
        assert_eq!(chains.changes(Position(10 + CHAIN_KEPT)), vec![]);
        // The second one went on at 30.
        assert_eq!(chains.changes(Position(25 + CHAIN_KEPT)), vec![((group, one), None)]);
        chains.end();
        assert_eq!(chains.changes(Position(26 + CHAIN_KEPT)), vec![((group, other), None)]);
        assert_eq!(chains.get((group, other), Position(31)), None);
    }
}
