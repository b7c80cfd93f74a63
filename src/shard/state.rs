//! What a shard holds, and what it starts from.
//!
//! Does not know what changes it.

use super::{Chains, Judge, Lines, Meters, Shard};
use crate::guard::States;
use crate::road::Later;

/// What groups have drawn, and what the spend guard holds of accounts.
pub type DrawnAndGuarded = (Meters, States);

/// What a shard starts from.
pub struct ShardStart {
    /// Calls in quick succession that are under way.
    pub chains: Chains,
    /// Totals.
    pub lines: Later<Lines>,
    /// What groups have drawn, and what the spend guard holds of accounts.
    pub drawn: Later<DrawnAndGuarded>,
}

impl Default for ShardStart {
    fn default() -> ShardStart {
        let (lines, drawn) = (Later::Here(Lines::default()), Later::Here(Default::default()));
        ShardStart { chains: Chains::default(), lines, drawn }
    }
}

/// What it holds, beside what its judge does.
#[derive(Default)]
pub(super) struct ShardState {
    /// Totals.
    pub lines: Lines,
    /// What groups have drawn.
    pub meters: Meters,
    /// Calls in quick succession that are under way.
    pub chains: Chains,
}

impl Shard {
    /// Has everything it starts from; false if it will not come.
    pub(super) fn begun(&mut self) -> bool {
        let Some((lines, drawn)) = self.coming.take() else { return true };
        let (Some(lines), Some((meters, guarded))) = (lines.wait(), drawn.wait()) else { return false };
        (self.state.lines, self.state.meters) = (lines, meters);
        self.judge = Judge::new(guarded);
        true
    }
}
