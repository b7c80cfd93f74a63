//! What can go wrong with the identity index, by what the caller does about it.
//!
//! Does not know exit codes.

use std::io;
use std::path::PathBuf;

/// Why the index did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Something that was synced cannot be read: repeats would be charged twice, so nothing may go on.
    #[error("{} is damaged at offset {offset}: {what}; restore it from a backup, or remove it while the journal still \
             holds every record, to have it built again", file.display())]
    Damaged {
        /// The log.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// Written by a newer version of the program.
    #[error("{} has format version {version}; this program reads up to {known}: use the newer program", file.display())]
    NewerVersion {
        /// The log.
        file: PathBuf,
        /// Its version.
        version: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The log of another data folder.
    #[error("{} belongs to another data folder", file.display())]
    OtherFolder {
        /// The log.
        file: PathBuf,
    },
    /// The disk is full. Nothing is lost: what could not be written is kept in memory and tried again.
    #[error("no space to write {} further", file.display())]
    NoSpace {
        /// The log.
        file: PathBuf,
    },
    /// A write or sync failed before: nothing more is promised, the process must end.
    #[error("the identity index takes nothing more since a write or sync failed")]
    Latched,
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

impl IdentityError {
    /// Wraps what the system said; for `map_err`.
    pub(super) fn io(action: &'static str, file: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> IdentityError {
        let file = file.into();
        move |source| IdentityError::Io { action, file, source }
    }
}
