//! The journal: the one order of everything that can change an amount, on disk before it is acknowledged.
//!
//! ```text
//! journal/00000000000000000000.seg   head (64 bytes) │ frame │ frame │ … │ zeros
//! journal/00000000000067108544.seg   begins at the position at which the one before ends
//! ```
//!
//! A [`Position`] is a byte offset in the endless log; a segment's file is named by the position of its first frame,
//! and a frame never crosses segments. Room is taken from the disk before it is needed, so a full disk shows before
//! anything is half written.
//!
//! **Group commit** is the caller's: it appends every batch that waits, calls [`Journal::sync`] once (one write and one
//! sync for all of them), and then acknowledges. While that sync runs new batches gather, so the group grows with the
//! load by itself.
//!
//! **Recovery** cuts only what cannot have been acknowledged. A frame that does not check, with nothing valid behind it
//! written after it was durable, is a torn tail if some of it never reached the disk (a sector of zeros, or zeros at
//! its end), and is cut. Everything else that does not check is damage and refused by file, offset and position: a
//! frame followed by one whose `durable_before` lies beyond it, a frame whose sectors are all there, a gap between
//! segments, anything in a segment but the last. One case no reader can tell apart: the last synced group, if the disk
//! afterwards gives zeros for it; [`Settings::at_least`] lets the store say what it has seen.
//!
//! Does not know what a call is: bytes, positions, time.

mod error;
mod frame;
mod inspect;
mod reader;
mod recover;
mod repair;
mod segment;
mod space;
mod writer;

#[cfg(test)]
mod tests;

pub use error::JournalError;
pub use frame::{BadFrame, FRAME_LIMIT, check, seal};
pub use inspect::{Found, Inspection, inspect};
pub use reader::{Frames, JournalReader, OwnedEntry};
pub use repair::{Damage, accept_loss, look};
pub use segment::{FolderId, SEGMENT_HEAD, SegmentHead};
pub use writer::{Journal, Removed};

use std::path::PathBuf;

use crate::batch::Position;
use crate::time::Timestamp;

/// What the journal is to be like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes of a segment's file. 64 MiB: a minute at 3000 records a second, so that old ones go in small steps, and a
    /// tenth of a second to read at start.
    pub segment_bytes: u64,
    /// Bytes of the disk that are to stay free: for what the store and the index write, and for whoever mends it. The
    /// journal makes its segments smaller before it comes to that; its owner asks [`Journal::has_room`] first.
    pub min_free: u64,
    /// The data folder's id, written into new segments and demanded of old ones; none: whatever the old ones say.
    pub folder: Option<FolderId>,
    /// Every frame from this position on is checked when the journal is opened; what lies before is checked when read.
    /// The daemon passes the very end: it replays what is not stored, and a replay checks what it reads.
    pub verify_from: Position,
    /// The journal must reach this position (the store has seen it), or it has lost its end.
    pub at_least: Position,
    /// The operator's word after a refusal: damage at exactly this position of the last segment is cut like a torn
    /// tail.
    pub cut_at: Option<Position>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            segment_bytes: 64 << 20,
            min_free: 0,
            folder: None,
            verify_from: Position(0),
            at_least: Position(0),
            cut_at: None,
        }
    }
}

/// What opening the journal found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// There was none; an empty one was made.
    pub created: bool,
    /// First position still held.
    pub first: Position,
    /// Just behind the last frame: where the next one goes.
    pub end: Position,
    /// Receipt of the last frame, if the journal ever had one.
    pub last_received_at: Option<Timestamp>,
    /// The torn tail that was cut, if there was one.
    pub cut: Option<Cut>,
    /// The data folder's id.
    pub folder: FolderId,
}

/// A torn tail: written but never synced, so never acknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The segment's file.
    pub file: PathBuf,
    /// Where in the file the tail began.
    pub offset: u64,
    /// The same as a position.
    pub position: Position,
    /// Bytes up to the last one that was not zero.
    pub bytes: u64,
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Cut { file, offset, position, bytes } = self;
        write!(
            f,
            "cut {bytes} bytes off the end of {} at offset {offset} (position {position}): a write that was \
             interrupted before it was acknowledged",
            file.display()
        )
    }
}

/// One segment as the journal knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentInfo {
    /// Position of its first frame.
    pub start: Position,
    /// Just behind its last durable frame.
    pub end: Position,
    /// Bytes its file takes, head and reserved room included.
    pub bytes: u64,
    /// Receipt of its last frame; none if it is empty and the journal's first.
    pub last_received_at: Option<Timestamp>,
}
