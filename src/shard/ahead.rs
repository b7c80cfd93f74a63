//! What the next legs of a batch read is asked for while the ones before them are priced: of millions of accounts hardly any
//! lies in a cache, and each leg would wait for its row, its group's minutes and its line of totals, one after the other.
//!
//! Does not know what is done with any of it.

use super::{LegJob, Shard};
use crate::directory::Directory;

/// How many legs ahead each is asked for: a row and the places that lead to totals, the first line of totals, the second one.
/// Pricing three legs takes longer than a line from memory.
const AHEAD: [usize; 3] = [9, 6, 3];

impl Shard {
    /// Asks for what legs behind this one read.
    #[inline]
    pub(super) fn expect(&self, directory: &Directory, jobs: &[LegJob], at: usize) {
        let [far, near, next] = AHEAD.map(|ahead| jobs.get(at + ahead));
        if let Some(far) = far {
            directory.expect_row(far.leg.account_row);
            self.state.lines.expect_first(far.account);
            self.state.meters.expect(far.group);
        }
        if let Some(near) = near {
            self.state.lines.expect_line(near.account);
        }
        if let Some(next) = next {
            self.state.lines.expect_second(next.account);
        }
    }
}
