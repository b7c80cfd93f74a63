//! What a seal or a run of re-rating changes of what was drawn.
//!
//! Does not know how it came about: the rows of its flush say it.

use super::Fold;
use crate::batch::Position;
use crate::entry::Rerate;
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
        self.chains.end();
        self.drawn.correct(std::mem::take(&mut self.corrections));
    }
}
