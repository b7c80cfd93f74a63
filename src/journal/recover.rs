//! Opening: which segments there are, whether they join, and where the log ends.
//!
//! Does not know how frames are used afterwards.

use std::path::Path;
use std::sync::Arc;

use super::frame::{check, head};
use super::reader::Known;
use super::segment::{SEGMENT_HEAD, SegmentHead, is_draft, path_of, position_of};
use super::space::room_of_new;
use super::writer::{OpenSegment, draft, name_draft};
use super::{Cut, FolderId, JournalError, Recovery, Settings};
use crate::batch::{FRAME_HEAD, FRAME_MAGIC, Position, entry_at};
use crate::os::disk::{Disk, DiskFile, is_no_space};
use crate::time::Timestamp;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

pub(super) struct Found {
    pub recovery: Recovery,
    pub known: Vec<Known>,
    pub last: OpenSegment,
}

pub(super) fn recover(disk: &dyn Disk, dir: &Path, settings: &Settings) -> Result<Found, JournalError> {
    disk.create_dir(dir).map_err(JournalError::io("make folder", dir))?;
    let names = disk.list(dir).map_err(JournalError::io("list folder", dir))?;
    for name in names.iter().filter(|name| is_draft(name)) {
        // A draft was never named a segment, so nothing in it was acknowledged.
        let path = dir.join(name);
        disk.remove(&path).map_err(JournalError::io("remove", &path))?;
    }
    let starts: Vec<Position> = names.iter().filter_map(|name| position_of(Path::new(name))).collect();
    let Some((&last_start, earlier)) = starts.split_last() else { return create(disk, dir, settings) };

    let mut known = Vec::with_capacity(starts.len());
    let mut folder = settings.folder;
    let mut last_file = None;
    for &start in &starts {
        let path = path_of(dir, start);
        let file = disk.open(&path).map_err(JournalError::io("open", &path))?;
        let head = SegmentHead::read(file.as_ref(), &path)?;
        if head.start != start {
            let what = "the file's name and its head name different positions";
            return Err(JournalError::Damaged { file: path, offset: 0, position: start, what });
        }
        if *folder.get_or_insert(head.folder) != head.folder {
            return Err(JournalError::OtherFolder { file: path });
        }
        known.push(Known { start, received_before: head.received_before, file: None });
        last_file = Some(file);
    }
    for (at, &start) in earlier.iter().enumerate() {
        check_closed(disk, dir, start, starts[at + 1], settings.verify_from)?;
    }
    // The list was not empty, so there is a last file and a folder.
    let (Some(file), Some(folder), Some(last)) = (last_file, folder, known.last_mut()) else {
        return create(disk, dir, settings);
    };
    last.file = Some(Arc::clone(&file));
    let received_before = last.received_before;

    let path = path_of(dir, last_start);
    let tail = walk(file.as_ref(), &path, last_start, settings)?;
    if tail.end < settings.at_least {
        return Err(JournalError::EndLost { end: tail.end, needed: settings.at_least });
    }
    let offset = SEGMENT_HEAD + (tail.end.0 - last_start.0);
    let cut = (tail.cut > 0).then(|| Cut { file: path.clone(), offset, position: tail.end, bytes: tail.cut });
    if cut.is_some() {
        // Zeros again before anything is written there: recovery after the next crash counts on them.
        file.truncate(offset).map_err(JournalError::io("cut", &path))?;
    }
    // What was read may so far live in the system's memory only (the process was killed, not the machine), even after a
    // failed sync. From here on it counts, so it is written once more and synced: at most the last group.
    file.write_all_at(&tail.uncertain, offset - tail.uncertain.len() as u64)
        .map_err(JournalError::io("write", &path))?;
    file.sync_data().map_err(JournalError::io("sync", &path))?;
    disk.sync_dir(dir).map_err(JournalError::io("sync folder", dir))?;
    let mut room = file.len().map_err(JournalError::io("ask for the length of", &path))?;
    let free = disk.free_space(dir).unwrap_or(u64::MAX);
    let wanted = settings.segment_bytes.min(room.saturating_add(free.saturating_sub(settings.min_free) / 4));
    if room < wanted {
        match file.allocate(wanted) {
            Ok(()) => room = wanted,
            // On a full disk the daemon must still start, to write its store and drop old segments.
            Err(error) if is_no_space(&error) => {}
            Err(error) => return Err(JournalError::io("allocate", &path)(error)),
        }
    }
    let first = starts[0];
    let last_received_at = tail.last_received_at.or(received_before);
    let recovery = Recovery { created: false, first, end: tail.end, last_received_at, cut, folder };
    let last = OpenSegment { file, start: last_start, room, draft: false, received_before, pending: Vec::new() };
    Ok(Found { recovery, known, last })
}

/// An empty journal.
fn create(disk: &dyn Disk, dir: &Path, settings: &Settings) -> Result<Found, JournalError> {
    let start = Position(0);
    if settings.at_least > start {
        return Err(JournalError::EndLost { end: start, needed: settings.at_least });
    }
    let folder = settings.folder.unwrap_or_else(|| FolderId::of(dir, Timestamp(0)));
    let free = disk.free_space(dir).unwrap_or(u64::MAX);
    let room = room_of_new(settings.segment_bytes, free, settings.min_free, 0);
    let file = draft(disk, dir, start, room)?;
    name_draft(disk, dir, file.as_ref(), SegmentHead { start, folder, received_before: None }, &[])?;
    if let Some(parent) = dir.parent() {
        disk.sync_dir(parent).map_err(JournalError::io("sync folder", parent))?;
    }
    let known = vec![Known { start, received_before: None, file: Some(Arc::clone(&file)) }];
    let recovery = Recovery { created: true, first: start, end: start, last_received_at: None, cut: None, folder };
    let last = OpenSegment { file, start, room, draft: false, received_before: None, pending: Vec::new() };
    Ok(Found { recovery, known, last })
}

/// A segment but the last: it must reach exactly to the next one.
fn check_closed(
    disk: &dyn Disk,
    dir: &Path,
    start: Position,
    next: Position,
    verify_from: Position,
) -> Result<(), JournalError> {
    let path = path_of(dir, start);
    let damaged = |position: Position, what| {
        let offset = SEGMENT_HEAD + (position.0 - start.0);
        JournalError::Damaged { file: path.clone(), offset, position, what }
    };
    let file = disk.open(&path).map_err(JournalError::io("open", &path))?;
    let there = file.len().map_err(JournalError::io("ask for the length of", &path))?.saturating_sub(SEGMENT_HEAD);
    if there < next.0 - start.0 {
        return Err(damaged(Position(start.0 + there), "the segment ends before the next one begins"));
    }
    if there > next.0 - start.0 {
        // Room that was not given back when the segment was closed; it may stay if it must.
        let _ = file.truncate(SEGMENT_HEAD + (next.0 - start.0));
    }
    if next <= verify_from {
        return Ok(());
    }
    let mut bytes = vec![0; (next.0 - start.0) as usize];
    file.read_exact_at(&mut bytes, SEGMENT_HEAD).map_err(JournalError::io("read", &path))?;
    let mut at = 0;
    while at < bytes.len() {
        let position = Position(start.0 + at as u64);
        let head = check(&bytes[at..], position).map_err(|bad| damaged(position, bad.what()))?;
        at += head.length.get() as usize;
    }
    Ok(())
}

struct Tail {
    end: Position,
    last_received_at: Option<Timestamp>,
    /// Bytes to cut.
    cut: u64,
    /// The bytes before `end` that no later frame says were durable.
    uncertain: Vec<u8>,
}

/// Walks the last segment to its end, and judges what lies there.
fn walk(file: &dyn DiskFile, path: &Path, start: Position, settings: &Settings) -> Result<Tail, JournalError> {
    let length = file.len().map_err(JournalError::io("ask for the length of", path))?.saturating_sub(SEGMENT_HEAD);
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, SEGMENT_HEAD).map_err(JournalError::io("read", path))?;
    let mut at = 0;
    let (mut last_received_at, mut durable) = (None, start);
    while let Ok(head) = check(&bytes[at..], Position(start.0 + at as u64)) {
        at += head.length.get() as usize;
        last_received_at = Some(Timestamp(head.received_at.get()));
        durable = durable.max(Position(head.durable_before.get()));
    }
    let end = Position(start.0 + at as u64);
    let cut = match judge(&bytes[at..], end, SEGMENT_HEAD + at as u64) {
        Rest::Empty => 0,
        Rest::Torn { bytes } => bytes,
        Rest::Damaged { .. } if settings.cut_at == Some(end) => trimmed(&bytes[at..]).len() as u64,
        Rest::Damaged { what } => {
            let offset = SEGMENT_HEAD + at as u64;
            return Err(JournalError::Damaged { file: path.to_path_buf(), offset, position: end, what });
        }
    };
    let uncertain = bytes[(durable.0 - start.0) as usize..at].to_vec();
    Ok(Tail { end, last_received_at, cut, uncertain })
}

/// What lies behind the last frame that checks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing was written.
    Empty,
    /// Written, but not wholly: never synced, never acknowledged.
    Torn { bytes: u64 },
    /// Acknowledged, or not to be told from it.
    Damaged { what: &'static str },
}

/// Judges the bytes from the first frame that does not check to the segment's end; `offset` is where they lie in the
/// file.
pub(super) fn judge(rest: &[u8], position: Position, offset: u64) -> Rest {
    let written = trimmed(rest);
    if written.is_empty() {
        return Rest::Empty;
    }
    if proves_durable(rest, position) {
        return Rest::Damaged { what: "the frame does not check, and a later one says that it was durable" };
    }
    // How far the broken frame reaches, as far as its head can be believed; the head alone where it cannot.
    let reach = head(rest, position).map_or(FRAME_HEAD, |head| head.length.get() as usize);
    if whole_but_for_its_length(rest, position) {
        return Rest::Damaged { what: "the frame's length is wrong" };
    }
    let cut_short = written.len() < reach;
    if cut_short || sector_lost(rest, offset, reach) {
        return Rest::Torn { bytes: written.len() as u64 };
    }
    Rest::Damaged { what: "the last frame was wholly written but does not check" }
}

/// Whether a valid frame further on was written when everything up to beyond `position` was durable.
fn proves_durable(rest: &[u8], position: Position) -> bool {
    memchr::memmem::find_iter(rest, &FRAME_MAGIC).any(|at| {
        let there = Position(position.0 + at as u64);
        // The head first: it is cheap, and a checksum over megabytes is not.
        head(&rest[at..], there).is_ok_and(|head| head.durable_before.get() > position.0)
            && check(&rest[at..], there).is_ok()
    })
}

/// Whether the frame checks once its length is what its entries say: then all of it was written, and a wrong length
/// must not make it look cut short.
fn whole_but_for_its_length(rest: &[u8], position: Position) -> bool {
    let Ok(head) = head(rest, position) else { return false };
    let mut end = FRAME_HEAD;
    for _ in 0..head.entries.get() {
        match entry_at(rest, position, end) {
            Some((_, next)) => end = next,
            None => return false,
        }
    }
    [end, end + 1].into_iter().any(|end| {
        let Some(mut frame) = rest.get(..end).map(<[u8]>::to_vec) else { return false };
        frame[4..8].copy_from_slice(&(end as u32).to_le_bytes());
        check(&frame, position).is_ok()
    })
}

/// Whether one of the sectors that the first `reach` bytes touch holds nothing but zeros from the broken frame's start
/// on: it was never written.
fn sector_lost(rest: &[u8], offset: u64, reach: usize) -> bool {
    let first = (SECTOR - offset as usize % SECTOR).min(rest.len());
    let (head, others) = rest.split_at(first);
    let blank = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
    let more = reach.saturating_sub(first).div_ceil(SECTOR);
    blank(head) || others.chunks(SECTOR).take(more).any(blank)
}

/// The bytes without the zeros at their end: those of room not used yet, which may be many, are passed over in blocks.
fn trimmed(bytes: &[u8]) -> &[u8] {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut rest = bytes;
    while let Some((front, block)) = rest.split_last_chunk::<4096>()
        && *block == ZEROS
    {
        rest = front;
    }
    let end = rest.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    &rest[..end]
}
