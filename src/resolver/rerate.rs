//! Calls that are rated again: which run is under way, and what it changes once it counts.
//!
//! Does not know how calls are rated again.

use super::{Resolver, ResolverError};
use crate::batch::{Frame, Position};
use crate::entry::Rerate;
use crate::store::{DecidedRow, RerateRow};
use crate::time::{Period, Timestamp};

impl Resolver {
    /// An entry of re-rating. One that comes at the wrong time is void.
    pub(super) fn rerate(&mut self, frame: &Frame, said: Rerate, at: Position) -> Result<(), ResolverError> {
        match said {
            Rerate::Begin(begin) => {
                let months = (Period(begin.scope.first), Period(begin.scope.last));
                let Some(run) = self.state.periods.begin_rerate(at, months) else { return Ok(()) };
                self.number_everybody();
                // Plain text and numbers always serialise.
                let entry = serde_json::to_string(&Rerate::Begin(begin)).unwrap_or_default();
                self.tally.gathered.rerated.push(RerateRow::Begun { run, at, entry });
            }
            Rerate::Count { run, begun, digest } => {
                let begun = Position(begun);
                if self.state.periods.rerating().is_none_or(|one| one.run != run || one.begun != begun) {
                    return Ok(());
                }
                let (found, outcome, begin) = self.seals.rerated(run, begun)?;
                if found != digest {
                    let told = format!("run {run} came to {digest}, and now comes to {found}");
                    return Err(ResolverError::Entry(at, told));
                }
                self.state.periods.end_rerate(run);
                self.counts(frame, &outcome, at, "found when it was rated again");
                self.tally.gathered.rerated.push(RerateRow::Counts { run, begun, at });
                if let Some(decides) = begin.decides {
                    self.tally.gathered.decided.push(DecidedRow {
                        entry: at,
                        first: Position(decides.first),
                        kept: Position(decides.kept),
                        why: begin.why,
                        by: begin.by,
                        at: Timestamp(begin.at),
                        // The rows of the run say what counts.
                        revision: 0,
                    });
                }
            }
            Rerate::GiveUp { run, why } => {
                if self.state.periods.end_rerate(run) {
                    self.given_up(run, at, why);
                }
            }
        }
        Ok(())
    }

    pub(super) fn given_up(&mut self, run: u32, at: Position, why: String) {
        self.tally.gathered.rerated.push(RerateRow::GivenUp { run, at, why });
    }
}
