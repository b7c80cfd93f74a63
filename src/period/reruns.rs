//! Where the resolver gets what a run of re-rating makes count: from the draft, which it makes first if the store has none.
//!
//! Does not know journals, nor what the outcome is used for.

use std::sync::PoisonError;

use super::outcome::Outcome;
use super::progress::{Progress, SealError};
use super::rerate::{HELD, Report, Run, RunOutcome, THREADS, decide, rate, undo};
use super::seals::{LOOK, Seals};
use crate::batch::Position;
use crate::entry::{Rerate, RerateBegin};
use crate::store::{Draft, DraftOf};

impl Seals {
    /// How far the run under way is.
    pub fn rerating(&self) -> &Progress {
        &self.rerating
    }

    /// What a run would change, by what the store has now. Nothing is written.
    ///
    /// # Errors
    /// Something that it reads is not there, or the scope names what is not known.
    pub fn rerate_dry(&self, begin: &RerateBegin, progress: &Progress) -> Result<Report, SealError> {
        let at = self.store.load()?.position;
        self.rerate(begin, at, None, progress).map(|(report, _)| report)
    }

    /// The draft of a run that began at a position: the one that is there, else a new one.
    ///
    /// # Errors
    /// As [`Seals::rerate_dry`].
    pub fn rerate_draft(&self, run: u32, begun: Position) -> Result<Draft, SealError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(draft) = self.store.draft(DraftOf::Run(run))?
            && draft.seal == begun
            && postcard::from_bytes::<RunOutcome>(&draft.outcome).is_ok()
        {
            return Ok(draft);
        }
        let begin = self.begin_of(run, begun)?;
        match self.rerate(&begin, begun, Some(run), &self.rerating)? {
            (_, Some((draft, _))) => Ok(draft),
            (_, None) => Err(SealError::Unreadable(format!("run {run} of re-rating left no draft"))),
        }
    }

    fn begin_of(&self, run: u32, begun: Position) -> Result<RerateBegin, SealError> {
        let Some((row, _)) = self.store.rerate_run(run)?.filter(|(row, _)| row.begun == begun) else {
            return Err(SealError::Behind(begun));
        };
        match serde_json::from_str(&row.entry) {
            Ok(Rerate::Begin(begin)) => Ok(*begin),
            _ => Err(SealError::Unreadable(format!("run {run} of re-rating"))),
        }
    }

    fn rerate(
        &self,
        begin: &RerateBegin,
        at: Position,
        draft: Option<u32>,
        progress: &Progress,
    ) -> Result<(Report, Option<(Draft, Outcome)>), SealError> {
        let (store, images, held) = (self.store.as_ref(), self.images.as_ref(), self.in_memory.min(HELD));
        let run = Run { store, images, at, begin, draft, threads: THREADS, held };
        match (begin.undoes, &begin.decides) {
            (Some(taken), _) => undo(&run, taken, progress),
            (None, Some(decides)) => decide(&run, decides, progress),
            (None, None) => rate(&run, progress),
        }
    }

    /// What the entry makes count that ends a run, with its digest, and what was asked for.
    ///
    /// # Errors
    /// Something that the job reads is not there.
    pub fn rerated(&self, run: u32, begun: Position) -> Result<(String, Outcome, RerateBegin), SealError> {
        loop {
            match self.rerate_draft(run, begun) {
                Ok(draft) => {
                    let kept: RunOutcome = postcard::from_bytes(&draft.outcome)?;
                    return Ok((draft.digest, kept.outcome, self.begin_of(run, begun)?));
                }
                Err(SealError::Behind(_)) => std::thread::sleep(LOOK),
                Err(SealError::Store(error)) if error.is_retryable() => std::thread::sleep(LOOK),
                Err(error) => return Err(error),
            }
        }
    }
}
