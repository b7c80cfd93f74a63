//! What can go wrong with the journal, by what the caller does about it.
//!
//! Does not know exit codes or answers to senders; the caller chooses them.

use std::io;
use std::path::PathBuf;

use crate::batch::Position;

/// Why the journal did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Something that was acknowledged cannot be read: nothing may go on until a person has looked at it.
    #[error("{} is damaged at offset {offset} (position {position}): {what}", file.display())]
    Damaged {
        /// The segment's file.
        file: PathBuf,
        /// Where in the file.
        offset: u64,
        /// The same as a position.
        position: Position,
        /// What is wrong there.
        what: &'static str,
    },
    /// The journal ends before something the store has already seen.
    #[error(
        "the journal ends at position {end}, but the store has seen everything before {needed}: \
             its newest segments are missing; restore the journal and the store from one backup"
    )]
    EndLost {
        /// Where it ends.
        end: Position,
        /// How far it must reach.
        needed: Position,
    },
    /// Written by a newer version of the program.
    #[error("{} has format version {version}; this program reads up to {known}: use the newer program", file.display())]
    NewerVersion {
        /// The segment's file.
        file: PathBuf,
        /// Its version.
        version: u32,
        /// The newest version known here.
        known: u32,
    },
    /// A segment of another data folder lies here.
    #[error("{} belongs to another data folder", file.display())]
    OtherFolder {
        /// The segment's file.
        file: PathBuf,
    },
    /// The disk is full. Nothing was written; the batch got no place. Room may be made and the next append may succeed.
    #[error("no space for another journal segment of {bytes} bytes ({})", file.display())]
    NoSpace {
        /// The file that was to be made.
        file: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A batch larger than any frame may be; it got no place.
    #[error("a batch of {bytes} bytes is larger than a frame may be ({})", super::FRAME_LIMIT)]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A write or sync failed before: nothing more is promised, the process must end.
    #[error("the journal takes nothing more since a write or sync failed")]
    Latched,
    /// Asked for a position that was removed, oldest segments first.
    #[error("position {position} is no longer in the journal, which begins at {first}")]
    Gone {
        /// What was asked for.
        position: Position,
        /// The first position still held.
        first: Position,
    },
    /// The system refused an operation.
    #[error("cannot {action} {}: {source}", file.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl JournalError {
    /// Wraps what the system said; for `map_err`.
    pub(super) fn io(action: &'static str, file: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> JournalError {
        let file = file.into();
        move |source| JournalError::Io { action, file, source }
    }
}
