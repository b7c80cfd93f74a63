//! The marks of a line in order, and whether the line is as plain as nearly all are.
//!
//! Does not know what stands between the marks.

use crate::os::marks::{BLOCK, marks};

/// The places of one byte in a line, found block by block as they are asked for.
pub(super) struct Marks<'a> {
    line: &'a [u8],
    mark: u8,
    odd: u8,
    /// Where the block begins whose marks are at hand.
    block: usize,
    /// Marks of the block that were not given yet.
    left: u64,
    /// Odd bytes so far.
    odds: u64,
}

impl<'a> Marks<'a> {
    /// Of a line; `odd` is a byte that no plain line has.
    #[inline]
    pub fn new(line: &'a [u8], mark: u8, odd: u8) -> Marks<'a> {
        let mut marks = Marks { line, mark, odd, block: 0, left: 0, odds: 0 };
        marks.look();
        marks
    }

    /// The next place of the mark, or the line's end.
    #[inline]
    pub fn next(&mut self) -> usize {
        while self.left == 0 {
            if self.block + BLOCK >= self.line.len() {
                return self.line.len();
            }
            self.block += BLOCK;
            self.look();
        }
        let at = self.block + self.left.trailing_zeros() as usize;
        self.left &= self.left - 1;
        at
    }

    /// Whether the whole line is printable ASCII without the odd byte. Only for one whose marks were all given.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.odds == 0
    }

    #[inline]
    fn look(&mut self) {
        let rest = self.line.get(self.block..).unwrap_or_default();
        let (marks, odds) = match (rest.first_chunk(), self.line.last_chunk()) {
            (Some(block), _) => marks(block, self.mark, self.odd),
            // The last block of the line reaches back into the one before, whose bytes are shifted out.
            (None, Some(block)) => {
                let (marks, odds) = marks(block, self.mark, self.odd);
                let seen = (BLOCK - rest.len()) as u32;
                (marks.checked_shr(seen).unwrap_or(0), odds.checked_shr(seen).unwrap_or(0))
            }
            (None, None) => {
                let mut block = [b' '; BLOCK];
                for (to, from) in block.iter_mut().zip(rest) {
                    *to = *from;
                }
                let (marks, odds) = marks(&block, self.mark, self.odd);
                let there = (1 << rest.len()) - 1;
                (marks & there, odds & there)
            }
        };
        (self.left, self.odds) = (marks, self.odds | odds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_mark_is_found(line in proptest::collection::vec(prop_oneof![3 => b' '..b'~', 1 => Just(b','), 1 => any::<u8>()], 0..200)) {
            let mut marks = Marks::new(&line, b',', b'"');
            let expected = line.iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(at, _)| at);
            for at in expected.chain([line.len(), line.len()]) {
                prop_assert_eq!(marks.next(), at);
            }
            let plain = line.iter().all(|byte| (0x20..0x80).contains(byte) && *byte != b'"');
            prop_assert_eq!(marks.is_plain(), plain);
        }
    }
}
