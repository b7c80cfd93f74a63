//! Which exit code a failure of the parts has, and the sentence that goes with it.
//!
//! Does not know where a failure came from.

use crate::exit::Exit;
use crate::flush::FlushError;
use crate::identity::IdentityError;
use crate::images::ImageMissing;
use crate::journal::JournalError;
use crate::period::SealError;
use crate::resolver::ResolverError;
use crate::store::StoreError;

/// Which exit code a store's failure has.
pub fn store_exit(error: StoreError) -> Exit {
    match error {
        StoreError::Newer { .. }
        | StoreError::Damaged(_)
        | StoreError::OutOfOrder { .. }
        | StoreError::Unstorable(_) => Exit::damaged(error),
        StoreError::Busy | StoreError::Full | StoreError::Io(_) => Exit::environment(error),
    }
}

/// Which exit code a flush's failure has.
pub fn flush_exit(error: FlushError) -> Exit {
    match error {
        FlushError::Store(error) => store_exit(error),
        FlushError::Spill(_) | FlushError::Unreadable(_) | FlushError::Thread(_) => Exit::environment(error),
    }
}

/// Which exit code a missing image has.
pub fn image_exit(error: ImageMissing) -> Exit {
    match error {
        ImageMissing::Unwritable { .. } => Exit::environment(error),
        ImageMissing::Missing { .. } | ImageMissing::Damaged { .. } => Exit::damaged(error),
    }
}

/// Which exit code a resolver's failure has.
pub fn resolver_exit(error: ResolverError) -> Exit {
    match error {
        ResolverError::Identity(error) => identity_exit(error),
        ResolverError::Image(error) | ResolverError::Seal(SealError::Image(error)) => image_exit(error),
        ResolverError::Seal(SealError::Store(error)) => store_exit(error),
        ResolverError::Seal(error @ SealError::Spill(_)) => Exit::environment(error),
        ResolverError::Seal(error) => Exit::damaged(error),
        ResolverError::Entry(..) => Exit::damaged(error),
    }
}

/// Which exit code a journal's failure has.
pub fn journal_exit(error: JournalError) -> Exit {
    match &error {
        JournalError::Damaged { file, offset, .. } if *offset > 0 => {
            let file = file.display();
            Exit::damaged(format!(
                "{error}; look at it with `callrated journal inspect {file}`, then restore a backup, or give up what lies \
                 there (it is kept beside the journal) with `callrated journal repair --accept-loss {file}@{offset}`"
            ))
        }
        JournalError::Damaged { .. }
        | JournalError::EndLost { .. }
        | JournalError::NewerVersion { .. }
        | JournalError::OtherFolder { .. }
        | JournalError::Gone { .. } => Exit::damaged(error),
        JournalError::NoSpace { .. }
        | JournalError::TooLarge { .. }
        | JournalError::Latched
        | JournalError::Io { .. } => Exit::environment(error),
    }
}

/// Which exit code an identity index's failure has.
pub fn identity_exit(error: IdentityError) -> Exit {
    match error {
        IdentityError::Damaged { .. } | IdentityError::NewerVersion { .. } | IdentityError::OtherFolder { .. } => {
            Exit::damaged(error)
        }
        IdentityError::NoSpace { .. } | IdentityError::Latched | IdentityError::Io { .. } => Exit::environment(error),
    }
}
