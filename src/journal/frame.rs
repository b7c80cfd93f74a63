//! Frames as bytes: how a batch is sealed, and how bytes prove to be a frame.
//!
//! Does not know files; a frame is checked wherever it lies.

use zerocopy::{FromBytes, IntoBytes};

use crate::batch::{FRAME_HEAD, FRAME_MAGIC, FRAME_MAX, FrameHead, Position};

/// No frame is longer: twice what a door should hand on, since one record may carry a batch over its limit.
pub const FRAME_LIMIT: usize = 2 * FRAME_MAX;

/// Where the checksum lies in the head.
const CHECKSUM: std::ops::Range<usize> = 8..12;
const _: () = assert!(std::mem::offset_of!(FrameHead, checksum) == CHECKSUM.start);

/// Why bytes are not the frame they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadFrame {
    /// Nothing but zeros where the head should be: nothing was written here.
    #[error("no frame was written here")]
    Blank,
    /// It does not begin as a frame does.
    #[error("this is not the beginning of a frame")]
    Magic,
    /// A frame that belongs elsewhere.
    #[error("the frame here belongs to another position")]
    Position,
    /// A length that cannot be.
    #[error("the frame's length is impossible")]
    Length,
    /// The bytes end before the frame does.
    #[error("the frame is cut short")]
    Short,
    /// The bytes are not those that were written.
    #[error("the frame's checksum does not match")]
    Checksum,
}

impl BadFrame {
    /// The same as text that needs no allocation.
    pub fn what(self) -> &'static str {
        match self {
            BadFrame::Blank => "no frame was written here",
            BadFrame::Magic => "this is not the beginning of a frame",
            BadFrame::Position => "the frame here belongs to another position",
            BadFrame::Length => "the frame's length is impossible",
            BadFrame::Short => "the frame is cut short",
            BadFrame::Checksum => "the frame's checksum does not match",
        }
    }
}

/// Writes the head into the room a batch keeps for it, with length, magic and checksum filled in. `bytes` is the whole
/// frame, [`FRAME_HEAD`] to [`FRAME_LIMIT`] bytes; shorter bytes are left alone.
pub fn seal(bytes: &mut [u8], head: FrameHead) {
    let length = bytes.len() as u32;
    let head = FrameHead { magic: FRAME_MAGIC, length: length.into(), checksum: 0.into(), ..head };
    let Some(room) = bytes.get_mut(..FRAME_HEAD) else { return };
    room.copy_from_slice(head.as_bytes());
    let checksum = checksum(bytes);
    bytes[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
}

/// The frame at the start of `bytes`, which may hold more behind it: its head, if everything proves right.
pub fn check(bytes: &[u8], position: Position) -> Result<FrameHead, BadFrame> {
    let head = head(bytes, position)?;
    let frame = bytes.get(..head.length.get() as usize).ok_or(BadFrame::Short)?;
    if checksum(frame) != head.checksum.get() {
        return Err(BadFrame::Checksum);
    }
    Ok(head)
}

/// The head at the start of `bytes`, checked for all that can be known without the rest of the frame.
pub(super) fn head(bytes: &[u8], position: Position) -> Result<FrameHead, BadFrame> {
    let (head, _) = FrameHead::read_from_prefix(bytes).map_err(|_| BadFrame::Short)?;
    if head.magic != FRAME_MAGIC {
        let blank = head.as_bytes().iter().all(|byte| *byte == 0);
        return Err(if blank { BadFrame::Blank } else { BadFrame::Magic });
    }
    if head.position.get() != position.0 || head.durable_before.get() > position.0 {
        return Err(BadFrame::Position);
    }
    if !(FRAME_HEAD..=FRAME_LIMIT).contains(&(head.length.get() as usize)) {
        return Err(BadFrame::Length);
    }
    Ok(head)
}

/// CRC-32 of the frame with the checksum's own bytes taken as zero.
fn checksum(frame: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&frame[..CHECKSUM.start]);
    crc.update(&[0; 4]);
    crc.update(&frame[CHECKSUM.end..]);
    crc.finalize()
}
