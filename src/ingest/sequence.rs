//! Gaps in the nodes' own counters: the only sign of a datagram that was lost on the way.
//!
//! A number that is skipped counts as a gap at once, so that a loss is seen when it happens; if it comes after all, among
//! the next 64, it counts as late: gaps − late are lost. A number seen before is a repeat and counts as nothing. A number
//! far from the others (64 or more behind, or a million or more ahead) may be a straggler or a node that began anew; the
//! second such number near the first decides for the latter, and counting goes on from there.
//!
//! At most 1024 nodes are followed; one more takes the place of the one not heard of for longest, whose next number is then
//! taken as its first.
//!
//! Does not know records or sockets.

use std::collections::HashMap;

use super::collect::NodeHash;

/// Nodes followed: some 80 KiB.
pub const NODES_MAX: usize = 1024;
/// How late a number may come and be known as late: one bit each.
const WINDOW: u64 = 64;
/// A step ahead as large as this is a counter that began anew, or counts something else.
const AHEAD_MAX: u64 = 1_000_000;

/// What a batch of numbers tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gaps {
    /// Numbers skipped.
    pub gaps: u64,
    /// Numbers that were skipped and have come.
    pub late: u64,
}

/// The counters of all nodes of one listener.
#[derive(Debug, Default)]
pub struct Sequences {
    nodes: HashMap<NodeHash, Node, foldhash::fast::RandomState>,
    clock: u64,
}

#[derive(Debug)]
struct Node {
    highest: u64,
    /// Bit i: `highest − i` was seen, or is older than the node's first number.
    seen: u64,
    /// A number far from `highest`.
    stray: Option<u64>,
    /// When it was last heard of.
    used: u64,
}

impl Sequences {
    /// Takes numbers in the order in which they came.
    pub fn observe(&mut self, numbers: &[(NodeHash, u64)]) -> Gaps {
        let mut gaps = Gaps::default();
        for (node, number) in numbers {
            self.clock += 1;
            let clock = self.clock;
            if let Some(node) = self.nodes.get_mut(node) {
                node.used = clock;
                node.observe(*number, &mut gaps);
                continue;
            }
            if self.nodes.len() >= NODES_MAX
                && let Some(oldest) = self.nodes.iter().min_by_key(|(_, node)| node.used).map(|(hash, _)| *hash)
            {
                self.nodes.remove(&oldest);
            }
            self.nodes.insert(*node, Node { highest: *number, seen: u64::MAX, stray: None, used: clock });
        }
        gaps
    }
}

impl Node {
    fn observe(&mut self, number: u64, gaps: &mut Gaps) {
        if let Some(ahead) = number.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            if ahead >= AHEAD_MAX {
                return self.stray(number, gaps);
            }
            gaps.gaps += ahead - 1;
            self.seen = if ahead >= WINDOW { 1 } else { self.seen << ahead | 1 };
            self.highest = number;
        } else {
            let behind = self.highest - number;
            if behind >= WINDOW {
                return self.stray(number, gaps);
            }
            let bit = 1 << behind;
            gaps.late += u64::from(self.seen & bit == 0);
            self.seen |= bit;
        }
        self.stray = None;
    }

    fn stray(&mut self, number: u64, gaps: &mut Gaps) {
        match self.stray.and_then(|stray| number.checked_sub(stray)) {
            Some(ahead @ 1..WINDOW) => {
                gaps.gaps += ahead - 1;
                // What the node sent before its stray is not known to be missing.
                self.seen = u64::MAX << ahead | 1;
                self.highest = number;
                self.stray = None;
            }
            _ => self.stray = Some(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[u64], gaps: u64, late: u64) {
        let node = NodeHash::of(b"sbc");
        let all: Vec<_> = numbers.iter().map(|n| (node, *n)).collect();
        assert_eq!(Sequences::default().observe(&all), Gaps { gaps, late }, "{numbers:?}");
        // One batch or many: the same.
        let mut sequences = Sequences::default();
        let each = all.iter().map(|n| sequences.observe(&[*n])).fold((0, 0), |sum, g| (sum.0 + g.gaps, sum.1 + g.late));
        assert_eq!(each, (gaps, late), "{numbers:?}");
    }

    #[test]
    fn gaps() {
        check(&[], 0, 0);
        check(&[5, 6, 7], 0, 0);
        check(&[1, 2, 5, 6], 2, 0);
        // Out of order: skipped, then come.
        check(&[1, 3, 2, 4], 1, 1);
        check(&[5, 4, 6], 0, 0);
        // Repeats are nothing.
        check(&[1, 2, 2, 1, 3, 3], 0, 0);
        check(&[1, 3, 2, 2], 1, 1);
        check(&[1, 100, 2], 98, 0);
        check(&[1, 64, 2], 62, 1);
        // A straggler, and the others go on.
        check(&[1000, 1001, 5, 1002, 1003], 0, 0);
        // A node that begins anew, losing one on the way.
        check(&[1000, 1001, 1, 2, 3, 5], 1, 0);
        check(&[1000, 1001, 1, 3, 2, 4], 1, 1);
        check(&[1, 2_000_000, 2_000_001, 2_000_003], 1, 0);
        check(&[u64::MAX - 1, 0, 1, 2], 0, 0);
    }

    #[test]
    fn nodes_are_counted_apart_and_the_longest_silent_is_forgotten() {
        let node = |i: usize| NodeHash::of(i.to_string().as_bytes());
        let mut sequences = Sequences::default();
        for i in 0..NODES_MAX {
            assert_eq!(sequences.observe(&[(node(i), 1)]), Gaps::default());
        }
        assert_eq!(sequences.observe(&[(node(0), 3)]).gaps, 1);
        // One node too many: node 1 was silent for longest, node 0 was not.
        sequences.observe(&[(node(NODES_MAX), 1)]);
        assert_eq!(sequences.nodes.len(), NODES_MAX);
        assert_eq!(sequences.observe(&[(node(0), 5)]).gaps, 1);
        assert_eq!(sequences.observe(&[(node(1), 9)]).gaps, 0);
    }
}
