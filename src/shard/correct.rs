//! What changes a shard's totals: calls as they are rated, and the differences that a seal brings.
//!
//! Does not know why they change.

use super::{LineKey, Shard};
use crate::call::{GroupKey, Usage};
use crate::time::Period;

impl Shard {
    pub(super) fn add_to_line(&mut self, key: LineKey, usage: &Usage, decimals: u8) {
        let line = match self.state.lines.get_mut(&key) {
            Some(line) => line,
            None => {
                self.state.by_account.entry(key.account).or_default().push(key);
                self.state.lines.entry(key).or_default()
            }
        };
        line.usage.add(usage);
        line.decimals = line.decimals.max(decimals);
        if !line.touched {
            line.touched = true;
            self.touched.push(key);
        }
    }

    /// Whoever found the differences has counted them in the books.
    pub(super) fn correct(&mut self, lines: Vec<(LineKey, Usage, u8)>, drawn: Vec<(GroupKey, Period, i64)>) {
        for (key, usage, decimals) in lines {
            self.add_to_line(key, &usage, decimals);
        }
        for (group, period, seconds) in drawn {
            let used = self.state.drawn.entry((group, period)).or_insert(0);
            *used = used.saturating_add_signed(seconds);
            self.drawn.push((group, period));
        }
    }
}
