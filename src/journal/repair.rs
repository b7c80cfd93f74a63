//! A damaged place, and the operator's way on: the bytes that are no frame are copied to a file beside the journal, and
//! a frame that says so takes their place, so that everything behind them keeps its position and is read again.
//!
//! Nothing is given up by itself, nothing without its exact place being named, and nothing is thrown away. What the bytes
//! held is lost to rating until its senders send it again; repeats of what was rated already are recognised.
//!
//! A segment whose head is damaged, and one that is missing, are beyond this: they come back from a backup.
//!
//! Does not know who asked, nor what the bytes meant.

use std::path::{Path, PathBuf};

use zerocopy::FromZeros;

use super::JournalError;
use super::frame::{BadFrame, FRAME_LIMIT, check, seal};
use super::recover::{Rest, judge};
use super::segment::{SEGMENT_HEAD, SegmentHead, path_of, position_of};
use crate::batch::{Batch, ENTRY_HEAD, EntryKind, FRAME_END, FRAME_HEAD, FRAME_MAGIC, FrameHead, Position, SourceId};
use crate::entry::Lost;
use crate::os::disk::Disk;
use crate::time::Timestamp;

/// The longest frame that stands for lost bytes; a rest of this many is never too short for another one.
const FILLER_MAX: usize = FRAME_LIMIT / 2;

/// Bytes in a segment that should be frames and are not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The segment's file.
    pub file: PathBuf,
    /// Where in the file it begins.
    pub offset: u64,
    /// The same as a position.
    pub position: Position,
    /// Bytes up to the next frame that checks, or to where the next segment begins, or to the last byte written.
    pub bytes: u64,
    /// What is wrong with the first of them.
    pub why: BadFrame,
    /// Receipt of the frame before, if there is one in the segment.
    received_before: Option<Timestamp>,
}

/// Every damaged place of a journal, in order; a torn tail is none. Reads only.
///
/// # Errors
/// A file that cannot be read, and a segment whose head cannot be believed.
pub fn look(disk: &dyn Disk, dir: &Path) -> Result<Vec<Damage>, JournalError> {
    let names = disk.list(dir).map_err(JournalError::io("list folder", dir))?;
    let starts: Vec<Position> = names.iter().filter_map(|name| position_of(Path::new(name))).collect();
    let mut found = Vec::new();
    for (at, &start) in starts.iter().enumerate() {
        segment(disk, &path_of(dir, start), start, starts.get(at + 1).copied(), &mut found)?;
    }
    Ok(found)
}

/// One segment; `next` is where the one behind it begins.
fn segment(
    disk: &dyn Disk,
    path: &Path,
    start: Position,
    next: Option<Position>,
    found: &mut Vec<Damage>,
) -> Result<(), JournalError> {
    let file = disk.open(path).map_err(JournalError::io("open", path))?;
    SegmentHead::read(file.as_ref(), path)?;
    let there = file.len().map_err(JournalError::io("ask for the length of", path))?.saturating_sub(SEGMENT_HEAD);
    // Room behind the end of a closed segment means nothing; what it lacks reads as zeros.
    let length = next.map_or(there, |next| next.0.saturating_sub(start.0));
    let mut bytes = vec![0; length as usize];
    file.read_full_at(&mut bytes, SEGMENT_HEAD).map_err(JournalError::io("read", path))?;
    let (mut at, mut received_before) = (0, None);
    while at < bytes.len() {
        let (rest, position) = (&bytes[at..], Position(start.0 + at as u64));
        let why = match check(rest, position) {
            Ok(head) => {
                received_before = Some(Timestamp(head.received_at.get()));
                at += head.length.get() as usize;
                continue;
            }
            Err(why) => why,
        };
        let offset = SEGMENT_HEAD + at as u64;
        let behind = memchr::memmem::find_iter(rest, &FRAME_MAGIC)
            .find(|n| *n > 0 && check(&rest[*n..], Position(position.0 + *n as u64)).is_ok());
        let lost = match (behind, next) {
            (Some(behind), _) => behind,
            (None, Some(_)) => rest.len(),
            (None, None) => match judge(rest, position, offset) {
                Rest::Empty | Rest::Torn { .. } => break,
                Rest::Damaged { .. } => rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1),
            },
        };
        found.push(Damage { file: path.to_path_buf(), offset, position, bytes: lost as u64, why, received_before });
        at += lost;
    }
    Ok(())
}

/// Puts frames that say what was lost in the place of one damaged stretch, after copying its bytes to a file beside the
/// journal, which is returned. Safe to repeat if it is interrupted.
///
/// # Errors
/// The system refuses; the journal is then no worse than before.
pub fn accept_loss(disk: &dyn Disk, dir: &Path, damage: &Damage, at: Timestamp) -> Result<PathBuf, JournalError> {
    let path = &damage.file;
    let file = disk.open(path).map_err(JournalError::io("open", path))?;
    let mut bytes = vec![0; damage.bytes as usize];
    file.read_full_at(&mut bytes, damage.offset).map_err(JournalError::io("read", path))?;
    let kept = keep(disk, dir, damage.position, &bytes)?;
    let name = kept.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let filler = fillers(damage, name, at);
    file.write_all_at(&filler, damage.offset).map_err(JournalError::io("write", path))?;
    file.sync_data().map_err(JournalError::io("sync", path))?;
    Ok(kept)
}

/// Copies the bytes to a file of their own, durable before anything is changed.
fn keep(disk: &dyn Disk, dir: &Path, position: Position, bytes: &[u8]) -> Result<PathBuf, JournalError> {
    let mut number = 0;
    let (path, file) = loop {
        let path = dir.join(format!("{:020}.damaged-{number}", position.0));
        match disk.create(&path) {
            Ok(file) => break (path, file),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(JournalError::io("make", path)(error)),
        }
    };
    file.write_all_at(bytes, 0).map_err(JournalError::io("write", &path))?;
    file.sync_data().map_err(JournalError::io("sync", &path))?;
    disk.sync_dir(dir).map_err(JournalError::io("sync folder", dir))?;
    Ok(path)
}

/// Frames of exactly as many bytes as were lost; at the journal's end a few more where those would be too few.
fn fillers(damage: &Damage, kept_in: &str, at: Timestamp) -> Vec<u8> {
    let mut out = Vec::new();
    let mut left = damage.bytes as usize;
    // Lost frames were frames, of 64 bytes at least. Only at the very end can there be others.
    if left < FRAME_HEAD {
        left = FRAME_HEAD + ENTRY_HEAD;
    }
    while left > 0 {
        let length = if left > FRAME_LIMIT { FILLER_MAX } else { left };
        let position = Position(damage.position.0 + out.len() as u64);
        let mut frame = filler(length, damage, kept_in, at);
        let head = FrameHead {
            entries: u32::from(length >= FRAME_HEAD + ENTRY_HEAD).into(),
            position: position.0.into(),
            durable_before: position.0.into(),
            received_at: damage.received_before.unwrap_or(at).0.into(),
            ..FrameHead::new_zeroed()
        };
        seal(&mut frame, head);
        out.append(&mut frame);
        left -= length;
    }
    out
}

/// One frame of that length with its head still blank.
fn filler(length: usize, damage: &Damage, kept_in: &str, at: Timestamp) -> Vec<u8> {
    let mut batch = Batch::new(SourceId(0));
    let Some(room) = length.checked_sub(FRAME_HEAD + ENTRY_HEAD) else {
        let mut bytes = batch.into_bytes();
        bytes.resize(length, FRAME_END);
        return bytes;
    };
    let lost =
        Lost { bytes: damage.bytes, kept_in: kept_in.to_owned(), why: damage.why.what().to_owned(), accepted_at: at.0 };
    // Plain text and numbers always serialise. Where there is no room for them the file's name has to do.
    let mut payload = serde_json::to_vec(&lost).unwrap_or_default();
    if payload.len() > room {
        payload.clear();
    }
    payload.resize(room, b' ');
    batch.push_entry(EntryKind::Lost, &payload);
    batch.into_bytes()
}
