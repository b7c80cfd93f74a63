//! Lines of totals in a shard, and what an account's add up to.
//!
//! Does not know what changes them.

use super::{Shard, ShardState};
use crate::call::{AccountKey, CallType, GroupKey, Usage};
use crate::road::{LiveUsage, UsageLine};
use crate::time::Period;

/// A line of totals in one shard: an account's calls of one type in one month, as drawn from one group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LineKey {
    /// Who pays.
    pub account: AccountKey,
    /// Whose allowance was drawn; keeps a line in one shard even where an account changes its group.
    pub group: GroupKey,
    /// Which month.
    pub period: Period,
    /// Type of the calls.
    pub call_type: CallType,
    /// ISO 4217.
    pub currency: [u8; 3],
}

/// A line's value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    /// Sums.
    pub usage: Usage,
    /// Decimals in which amounts are shown: the most any of its calls has.
    pub decimals: u8,
    /// Changed since the last marker.
    pub(super) touched: bool,
}

impl ShardState {
    /// Takes a stored line.
    pub fn load_line(&mut self, key: LineKey, usage: Usage, decimals: u8) {
        self.by_account.entry(key.account).or_default().push(key);
        self.lines.insert(key, Line { usage, decimals, touched: false });
    }
}

impl Shard {
    pub(super) fn usage(&self, account: AccountKey, group: Option<GroupKey>, period: Period) -> LiveUsage {
        let keys = self.state.by_account.get(&account).map_or(&[][..], Vec::as_slice);
        let mut lines: Vec<UsageLine> = Vec::new();
        for key in keys.iter().filter(|k| k.period == period) {
            let Some(line) = self.state.lines.get(key) else { continue };
            let LineKey { call_type, currency, .. } = *key;
            UsageLine::gather(
                &mut lines,
                &UsageLine { call_type, currency, decimals: line.decimals, usage: line.usage },
            );
        }
        let drawn = group.map_or_else(Vec::new, |group| self.state.meters.all(group, period));
        LiveUsage { lines, drawn }
    }
}
