//! Where the resolver gets what a Sealed entry makes count: from the draft, which it makes first if the store has none.
//!
//! Does not know journals, nor what the outcome is used for.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::draft;
use super::outcome::Outcome;
use super::progress::{Progress, SealError};
use super::sort::IN_MEMORY;
use crate::batch::Position;
use crate::flush::Spill;
use crate::images::Images;
use crate::os::disk::Disk;
use crate::store::{Draft, DraftOf, Store};
use crate::time::Period;

/// How often the store is looked at that does not stand behind the seal yet.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// Makes drafts, one at a time.
pub struct Seals {
    pub(super) store: Arc<dyn Store>,
    pub(super) images: Arc<Images>,
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Candidates held in memory.
    pub(super) in_memory: usize,
    /// One job at a time.
    pub(super) turn: Mutex<()>,
    progress: Progress,
    pub(super) rerating: Progress,
}

impl Seals {
    /// What does not fit into memory is put aside in a folder of its own.
    pub fn new(store: Arc<dyn Store>, images: Arc<Images>, disk: Arc<dyn Disk>, folder: &Path) -> Seals {
        Seals {
            store,
            images,
            disk,
            folder: folder.to_owned(),
            in_memory: IN_MEMORY,
            turn: Mutex::new(()),
            progress: Progress::default(),
            rerating: Progress::default(),
        }
    }

    /// The same, holding fewer candidates: for a test.
    pub fn holding(self, in_memory: usize) -> Seals {
        Seals { in_memory, ..self }
    }

    /// How far the job under way is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The draft of a month that was closed at a position: the one that is there, else a new one. Takes as long as the job
    /// takes.
    ///
    /// # Errors
    /// Something that the job reads is not there.
    pub fn draft(&self, period: Period, seal: Position) -> Result<Draft, SealError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(draft) = self.store.draft(DraftOf::Month(period))?
            && draft.seal == seal
            && Outcome::unpack(&draft.outcome).is_some()
        {
            return Ok(draft);
        }
        let mut spill = Spill::open(self.disk.clone(), &self.folder)?;
        draft::draft(self.store.as_ref(), &self.images, &mut spill, self.in_memory, (period, seal), &self.progress)
    }

    /// What a Sealed entry makes count, with its digest. Its draft is made first if it is not there: a replay over an older store meets the
    /// entry before anybody has asked for a draft, and waits here until the flush behind the seal is stored.
    ///
    /// # Errors
    /// Something that the job reads is not there.
    pub fn outcome(&self, period: Period, seal: Position) -> Result<(String, Outcome), SealError> {
        loop {
            match self.draft(period, seal) {
                Ok(draft) => {
                    let outcome = Outcome::unpack(&draft.outcome)
                        .ok_or_else(|| SealError::Unreadable(format!("the draft of {period}")))?;
                    return Ok((draft.digest, outcome));
                }
                Err(SealError::Behind(_)) => std::thread::sleep(LOOK),
                Err(SealError::Store(error)) if error.is_retryable() => std::thread::sleep(LOOK),
                Err(error) => return Err(error),
            }
        }
    }
}
