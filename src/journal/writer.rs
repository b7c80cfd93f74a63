//! The writing end: appends batches, syncs them in groups, drops old segments.
//!
//! Does not know who waits for a sync.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zerocopy::FromZeros;

use super::frame::{FRAME_LIMIT, seal};
use super::reader::{Known, Shared};
use super::segment::{SEGMENT_HEAD, SegmentHead, draft_of, path_of};
use super::space::room_of_new;
use super::{FolderId, JournalError, JournalReader, Recovery, SegmentInfo, Settings, recover};
use crate::batch::{Batch, Frame, FrameHead, Position};
use crate::os::disk::{Disk, DiskFile, is_no_space};
use crate::time::Timestamp;

/// Ended segments that the system may keep in memory: a start after a crash reads that much again. Older ones are hardly
/// read, and where they fill all memory each write has to find room first, which took as long as the write itself.
const WARM_SEGMENTS: usize = 4;

/// The journal, open for writing; one owner. Readers are made with [`Journal::reader`].
pub struct Journal {
    shared: Arc<Shared>,
    folder: FolderId,
    segment_bytes: u64,
    min_free: u64,
    /// Starts of those written before it that may stay in the system's memory, oldest first.
    warm: VecDeque<Position>,
    /// The segment being written, and those made for frames that no longer fit, in order; never empty.
    open: Vec<OpenSegment>,
    position: Position,
    last_received_at: Option<Timestamp>,
    latched: bool,
    /// The next frame begins a segment.
    ends: bool,
}

/// A segment with room taken from the disk.
pub(super) struct OpenSegment {
    pub file: Arc<dyn DiskFile>,
    pub start: Position,
    /// Bytes of the file, all allocated.
    pub room: u64,
    /// It still has its draft's name and no head.
    pub draft: bool,
    /// Receipt of the last frame before it.
    pub received_before: Option<Timestamp>,
    /// Appended, not yet written.
    pub pending: Vec<Frame>,
}

/// What [`Journal::remove_before`] dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Removed {
    /// Segments.
    pub segments: usize,
    /// Bytes of their files.
    pub bytes: u64,
}

impl Journal {
    /// Opens the journal in a folder, making an empty one where there is none, and puts its end in order.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, settings: &Settings) -> Result<(Journal, Recovery), JournalError> {
        let found = recover::recover(disk.as_ref(), dir, settings)?;
        let end = found.recovery.end;
        let shared = Shared::new(disk, dir, found.known, &found.recovery);
        let journal = Journal {
            shared: Arc::new(shared),
            folder: found.recovery.folder,
            segment_bytes: settings.segment_bytes,
            min_free: settings.min_free,
            warm: VecDeque::new(),
            open: vec![found.last],
            position: end,
            last_received_at: found.recovery.last_received_at,
            latched: false,
            ends: false,
        };
        Ok((journal, found.recovery))
    }

    /// Gives a batch its place and its head. The frame is not durable before the next [`Journal::sync`]; its bytes are
    /// the batch's own allocation. `received_at` is the frame's one stamp.
    ///
    /// [`JournalError::NoSpace`] and [`JournalError::TooLarge`] leave the journal as it was; the batch is gone.
    pub fn append(&mut self, mut batch: Batch, received_at: Timestamp) -> Result<Frame, JournalError> {
        if self.latched {
            return Err(JournalError::Latched);
        }
        batch.close();
        if batch.len() > FRAME_LIMIT {
            return Err(JournalError::TooLarge { bytes: batch.len() });
        }
        self.make_room(batch.len() as u64)?;
        let head = FrameHead {
            entries: batch.entries().into(),
            position: self.position.0.into(),
            durable_before: self.durable().0.into(),
            received_at: received_at.0.into(),
            source: batch.source.0.into(),
            received: batch.received.into(),
            refused: batch.refused.into(),
            ..FrameHead::new_zeroed()
        };
        let mut bytes = batch.into_bytes();
        seal(&mut bytes, head);
        let frame = Frame { position: self.position, bytes: bytes.into() };
        self.position = frame.end();
        self.last_received_at = Some(received_at);
        if let Some(last) = self.open.last_mut() {
            last.pending.push(frame.clone());
        }
        Ok(frame)
    }

    /// Writes everything appended since the last sync and makes it durable: one write and one sync (more only where a
    /// segment ends). Returns the position before which everything is now durable.
    ///
    /// Any error latches the journal: what was appended since the last good sync may or may not be on disk.
    pub fn sync(&mut self) -> Result<Position, JournalError> {
        if self.latched {
            return Err(JournalError::Latched);
        }
        if self.position > self.durable() {
            // Stays latched should anything below fail.
            self.latched = true;
            self.write_out()?;
            self.latched = false;
        }
        Ok(self.durable())
    }

    /// Where the next frame goes.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Everything before this position is durable.
    pub fn durable(&self) -> Position {
        self.shared.durable()
    }

    /// Whether a write or sync has failed.
    pub fn is_latched(&self) -> bool {
        self.latched
    }

    /// A reading end; any number of them, on any thread.
    pub fn reader(&self) -> JournalReader {
        JournalReader::new(Arc::clone(&self.shared))
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> Result<Vec<SegmentInfo>, JournalError> {
        self.shared.segments()
    }

    /// Bytes that can still be written on the journal's disk.
    pub fn free_space(&self) -> Result<u64, JournalError> {
        self.shared
            .disk
            .free_space(&self.shared.dir)
            .map_err(JournalError::io("ask for the free space of", &self.shared.dir))
    }

    /// The free space that is to be left; see [`Settings::min_free`].
    pub fn min_free(&self) -> u64 {
        self.min_free
    }

    pub(super) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// Whether a frame of so many bytes fits into the room that is taken already.
    pub fn fits(&self, bytes: u64) -> bool {
        self.open.last().is_some_and(|last| {
            let ends = self.ends && last.start < self.position;
            !ends && SEGMENT_HEAD + (self.position.0 - last.start.0) + bytes <= last.room
        })
    }

    /// The next frame begins a segment of its own, so that the one being written can go once it is stored.
    pub fn end_segment(&mut self) {
        self.ends = true;
    }

    /// Drops, oldest first, whole segments that end at or before a position and whose last frame was received before
    /// `keep_newer_than` (none: whatever their age). The segment being written stays.
    pub fn remove_before(
        &mut self,
        position: Position,
        keep_newer_than: Option<Timestamp>,
    ) -> Result<Removed, JournalError> {
        let mut removed = Removed::default();
        let segments = self.segments()?;
        let closed = segments.len().saturating_sub(1);
        for segment in &segments[..closed] {
            let young = keep_newer_than.is_some_and(|limit| segment.last_received_at.is_some_and(|at| at >= limit));
            if segment.end > position || young {
                break;
            }
            let path = path_of(&self.shared.dir, segment.start);
            self.shared.disk.remove(&path).map_err(JournalError::io("remove", &path))?;
            self.shared.known().remove(0);
            removed.segments += 1;
            removed.bytes += segment.bytes;
        }
        if removed.segments > 0 {
            let dir = &self.shared.dir;
            self.shared.disk.sync_dir(dir).map_err(JournalError::io("sync folder", dir))?;
        }
        Ok(removed)
    }

    /// Sees to it that a frame of `bytes` fits into the last open segment.
    fn make_room(&mut self, bytes: u64) -> Result<(), JournalError> {
        if self.fits(bytes) {
            return Ok(());
        }
        let free = self.free_space().unwrap_or(u64::MAX);
        let Some(last) = self.open.last_mut() else { return Ok(()) };
        let needed = SEGMENT_HEAD + (self.position.0 - last.start.0) + bytes;
        let (disk, dir) = (self.shared.disk.as_ref(), &self.shared.dir);
        let made = if last.start == self.position {
            // Empty and yet too small: two segments cannot begin at one position, so this one grows.
            grow(last, dir, needed)
        } else {
            let room = room_of_new(self.segment_bytes, free, self.min_free, bytes);
            let (start, received_before) = (self.position, self.last_received_at);
            draft(disk, dir, start, room).map(|file| {
                self.ends = false;
                self.open.push(OpenSegment { file, start, room, draft: true, received_before, pending: Vec::new() });
            })
        };
        self.latched = matches!(&made, Err(error) if !matches!(error, JournalError::NoSpace { .. }));
        made
    }

    fn write_out(&mut self) -> Result<(), JournalError> {
        for at in 0..self.open.len() {
            let segment = &mut self.open[at];
            let frames = std::mem::take(&mut segment.pending);
            let (Some(first), Some(last)) = (frames.first(), frames.last()) else { continue };
            let segment = &self.open[at];
            if segment.draft {
                self.finish_draft(at, &frames)?;
            } else {
                let path = path_of(&self.shared.dir, segment.start);
                let offset = SEGMENT_HEAD + (first.position.0 - segment.start.0);
                let mut pieces: Vec<IoSlice<'_>> = frames.iter().map(|frame| IoSlice::new(&frame.bytes)).collect();
                segment.file.write_all_vectored_at(&mut pieces, offset).map_err(JournalError::io("write", &path))?;
                segment.file.sync_data().map_err(JournalError::io("sync", &path))?;
            }
            self.shared.set_durable(last);
        }
        // Only the last one is written on. An earlier one gives back what it did not need; should that fail it keeps
        // it.
        for closed in self.open.drain(..self.open.len() - 1) {
            let end = self.shared.end_of(closed.start);
            let _ = closed.file.truncate(SEGMENT_HEAD + (end.0 - closed.start.0));
            self.warm.push_back(closed.start);
        }
        while self.warm.len() > WARM_SEGMENTS
            && let Some(old) = self.warm.pop_front()
        {
            // It may have been dropped meanwhile.
            let file = self.shared.disk.open(&path_of(&self.shared.dir, old));
            file.into_iter().for_each(|file| file.forget());
        }
        Ok(())
    }

    /// Writes a draft's head and first frames, syncs, and only then gives it its name: a segment that can be seen is
    /// whole, and everything before it is durable.
    fn finish_draft(&mut self, at: usize, frames: &[Frame]) -> Result<(), JournalError> {
        let segment = &mut self.open[at];
        let (disk, dir) = (self.shared.disk.as_ref(), &self.shared.dir);
        let head = SegmentHead { start: segment.start, folder: self.folder, received_before: segment.received_before };
        name_draft(disk, dir, segment.file.as_ref(), head, frames)?;
        segment.draft = false;
        let known = Known {
            start: segment.start,
            received_before: segment.received_before,
            file: Some(Arc::clone(&segment.file)),
        };
        self.shared.push(known);
        Ok(())
    }
}

/// Takes more room for a segment.
fn grow(segment: &mut OpenSegment, dir: &Path, room: u64) -> Result<(), JournalError> {
    let file = path_of(dir, segment.start);
    match segment.file.allocate(room) {
        Ok(()) => {
            segment.room = room;
            Ok(())
        }
        Err(source) if is_no_space(&source) => Err(JournalError::NoSpace { file, bytes: room }),
        Err(source) => Err(JournalError::Io { action: "allocate", file, source }),
    }
}

/// Makes a draft with room taken from the disk; a full disk leaves nothing behind.
pub(super) fn draft(
    disk: &dyn Disk,
    dir: &Path,
    start: Position,
    room: u64,
) -> Result<Arc<dyn DiskFile>, JournalError> {
    let path: PathBuf = draft_of(dir, start);
    // One that an earlier full disk left behind; there is none as a rule.
    let _ = disk.remove(&path);
    let made = disk.create(&path).and_then(|file| file.allocate(room).map(|()| file));
    made.map_err(|source| {
        if is_no_space(&source) {
            // If even this fails the next start throws the draft away.
            let _ = disk.remove(&path);
            return JournalError::NoSpace { file: path, bytes: room };
        }
        JournalError::Io { action: "make", file: path, source }
    })
}

/// Writes head and frames into a draft, syncs it, and gives it its name.
pub(super) fn name_draft(
    disk: &dyn Disk,
    dir: &Path,
    file: &dyn DiskFile,
    head: SegmentHead,
    frames: &[Frame],
) -> Result<(), JournalError> {
    let (draft, path) = (draft_of(dir, head.start), path_of(dir, head.start));
    let head = head.to_bytes();
    let mut pieces = vec![IoSlice::new(&head)];
    pieces.extend(frames.iter().map(|frame| IoSlice::new(&frame.bytes)));
    file.write_all_vectored_at(&mut pieces, 0).map_err(JournalError::io("write", &draft))?;
    file.sync_data().map_err(JournalError::io("sync", &draft))?;
    disk.rename(&draft, &path).map_err(JournalError::io("rename", &draft))?;
    disk.sync_dir(dir).map_err(JournalError::io("sync folder", dir))
}
