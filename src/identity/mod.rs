//! The identity index: has this record been seen before, and was it the same (R20)?
//!
//! Everything ever seen lies in one append-only log of 32-byte entries on disk; in memory stands, per entry, a 16-bit
//! fingerprint and the entry's number, in groups of 32 that fill one cache line of fingerprints. An answer is always
//! exact: a fingerprint that matches is compared in the log with all 128 bits of the identity. The index in memory is a
//! pure function of the log and is built from it at start.
//!
//! The cost is misses of cache and address translation, not work, hence: groups of a batch are fetched ahead, tables
//! lie on 2 MiB pages, and a table that fills up is doubled by a helper thread while the full one goes on serving. Past
//! [`Settings::generation_entries`] a new generation of tables begins, so that nothing ever larger has to be built; its
//! first table is made by a helper, too, while the last one fills up.
//!
//! Full generations are asked by way of one filter over all of them, which a helper makes anew when one more is full; until
//! it is there, and at a start, each is asked itself.
//!
//! Memory: 8.5 bytes per identity in a full generation; the last one holds 10 to 20 (it is doubled at three quarters),
//! and 30 while it is being doubled. Measured with `cargo bench --bench identity`: 18.5 bytes at one million
//! identities (17 MB), 13.0 at ten million (122 MB).
//!
//! **What a crash leaves.** The log is cut back to its last whole stretch. [`Rebuilt::covered`] says up to which
//! journal position every identity is in it; whoever needs more feeds the journal's records from there through
//! [`IdentityIndex::check`] once more: those that are known find themselves ([`Verdict::Itself`]). So losing a tail of
//! the log is harmless, and the index may as well run ahead of everything else. Entries at or beyond the journal's own
//! end are dropped, for a lost tail of the journal must not leave identities behind.
//!
//! Does not know records, prices or accounts: hashes, digests and positions.

mod error;
mod filter;
mod grow;
mod index;
mod log;
mod rebuild;
mod table;

#[cfg(test)]
mod tests;

pub use error::IdentityError;
pub use index::{Chores, IdentityIndex};

use crate::batch::Position;
use crate::record::{Content, Identity};

/// A record as the index sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// Hash of node, id and direction.
    pub identity: Identity,
    /// Digest of what must be equal for a repeat to be a duplicate.
    pub content: Content,
    /// Where the record's entry lies in the journal, below 2⁶³.
    pub position: Position,
}

/// What the index says about a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Never seen; now known.
    New,
    /// Known, and from this very position: it is being replayed.
    Itself,
    /// Known with the same content.
    Duplicate {
        /// Where it was first seen.
        first: Position,
    },
    /// Known with other content; the first one stays.
    Conflict {
        /// Where it was first seen.
        first: Position,
    },
}

/// What the index is to be like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder's id, written into a new log and demanded of an old one; none: whatever the old one says.
    pub folder: Option<[u8; 16]>,
    /// Entries for which the first table has room. 65 536: half a megabyte, made in no time.
    pub start_entries: usize,
    /// Entries of a full generation. 32 million: 245 MB. Built at 50 to 90 ns an entry,
    /// so the largest doubling keeps a helper thread busy for one or two seconds.
    pub generation_entries: usize,
    /// Larger tables are built by a thread of their own; if not, at once, for who plays the world in one thread.
    pub helper: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { folder: None, start_entries: 1 << 16, generation_entries: 1 << 25, helper: true }
    }
}

/// What opening the index found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rebuilt {
    /// There was no log; an empty one was made.
    pub created: bool,
    /// Identities known.
    pub entries: u64,
    /// Every identity of a record before this position is in the index; later ones may be missing.
    pub covered: Position,
    /// Bytes cut off the log's end: written but never synced.
    pub cut: u64,
    /// Entries dropped because the journal does not reach their position.
    pub dropped: u64,
}
