//! What a seal or a run of re-rating changes of what was drawn.
//!
//! Does not know how it came about: the rows of its flush say it.

use super::Fold;
use crate::batch::Position;
use crate::call::RatedCall;
use crate::entry::Rerate;
use crate::rating;
use crate::time::Period;

impl Fold<'_> {
    /// An entry of re-rating.
    pub(super) fn rerate(&mut self, at: Position, said: Rerate) {
        match said {
            Rerate::Begin(begin) => {
                self.ledger.begin_rerate(at, (Period(begin.scope.first), Period(begin.scope.last)));
            }
            Rerate::Count { run, begun, .. } => {
                let under_way = self.ledger.rerating().is_some_and(|one| one.begun == Position(begun));
                if under_way && self.ledger.end_rerate(run) {
                    self.corrected();
                }
            }
            Rerate::GiveUp { run, .. } => {
                self.ledger.end_rerate(run);
            }
        }
    }

    /// The corrections of this flush count from here on.
    pub(super) fn corrected(&mut self) {
        self.sealed = true;
        for (pool, seconds) in std::mem::take(&mut self.corrections) {
            let drawn = self.drawn.entry(pool).or_default();
            *drawn = drawn.saturating_add_signed(seconds);
        }
    }

    /// What is stored and cannot be rated again has drawn what it has drawn.
    pub fn take_as_stored(&mut self, call: &RatedCall, draws: &[u8]) {
        rating::drawn(call, draws, |meter, seconds| {
            let drawn = self.drawn.entry((call.own_period(), call.group, meter)).or_default();
            *drawn = drawn.saturating_add_signed(i64::from(seconds) * call.sign());
        });
    }
}
