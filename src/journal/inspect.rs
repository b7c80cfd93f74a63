//! Looking into one segment for a person: every frame with its place, and what is wrong where something is.
//!
//! Does not know what the entries mean, and judges nothing: opening does that.

use std::path::Path;

use super::JournalError;
use super::frame::{BadFrame, check};
use super::segment::{SEGMENT_HEAD, SegmentHead};
use crate::batch::{FRAME_MAGIC, FrameHead, Position};
use crate::os::disk::Disk;

/// One thing found in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// A frame that checks.
    Frame {
        /// Where in the file.
        offset: u64,
        /// Its head.
        head: FrameHead,
    },
    /// Bytes that are no frame.
    Bad {
        /// Where in the file.
        offset: u64,
        /// The same as a position.
        position: Position,
        /// Bytes up to the next frame that checks, or to the last that is not zero.
        bytes: u64,
        /// What is wrong with the first of them.
        why: BadFrame,
    },
}

/// What a segment holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inspection {
    /// Its head.
    pub head: SegmentHead,
    /// Everything in it, in order.
    pub found: Vec<Found>,
    /// Zeros at its end: room not used yet.
    pub unused: u64,
}

/// Looks into the segment at `path`. A head that cannot be believed is an error, as when the journal is opened.
pub fn inspect(disk: &dyn Disk, path: &Path) -> Result<Inspection, JournalError> {
    let file = disk.open(path).map_err(JournalError::io("open", path))?;
    let head = SegmentHead::read(file.as_ref(), path)?;
    let length = file.len().map_err(JournalError::io("ask for the length of", path))?.saturating_sub(SEGMENT_HEAD);
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, SEGMENT_HEAD).map_err(JournalError::io("read", path))?;
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);

    let (mut at, mut found) = (0, Vec::new());
    while at < written {
        let (offset, position) = (SEGMENT_HEAD + at as u64, Position(head.start.0 + at as u64));
        match check(&bytes[at..], position) {
            Ok(frame) => {
                found.push(Found::Frame { offset, head: frame });
                at += frame.length.get() as usize;
            }
            Err(why) => {
                let mut later = memchr::memmem::find_iter(&bytes[at + 1..], &FRAME_MAGIC).map(|n| at + 1 + n);
                let good = |n: &usize| check(&bytes[*n..], Position(head.start.0 + *n as u64)).is_ok();
                let until = later.find(good).unwrap_or(written);
                found.push(Found::Bad { offset, position, bytes: (until - at) as u64, why });
                at = until;
            }
        }
    }
    Ok(Inspection { head, found, unused: bytes.len().saturating_sub(at) as u64 })
}
