//! The reading end: frames in order for replay, one entry for a proof.
//!
//! Does not know what is written at the same time: it reads what is durable.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::frame::{BadFrame, check, head};
use super::segment::{NEVER, SEGMENT_HEAD, path_of};
use super::{JournalError, Recovery, SegmentInfo};
use crate::batch::{ENTRY_HEAD, FRAME_HEAD, Frame, FrameHead, Position, entry_at};
use crate::os::disk::{Disk, DiskFile};
use crate::time::Timestamp;

/// Bytes read at once in a replay. Larger blocks leave the processor's cache before their frames are used.
const BLOCK: u64 = 1 << 20;

/// What writer and readers share.
pub(super) struct Shared {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
    durable: AtomicU64,
    /// Receipt of the last durable frame, [`NEVER`] if there is none.
    last_received_at: AtomicI64,
    /// Oldest first, never empty. Locked for moments only: once per block read, once per segment made or dropped.
    known: Mutex<Vec<Known>>,
}

/// A segment that has its name.
#[derive(Clone)]
pub(super) struct Known {
    pub start: Position,
    pub received_before: Option<Timestamp>,
    /// Open for the one being written; the others are opened when read, since there may be thousands.
    pub file: Option<Arc<dyn DiskFile>>,
}

impl Shared {
    pub fn new(disk: Arc<dyn Disk>, dir: &Path, known: Vec<Known>, recovery: &Recovery) -> Shared {
        Shared {
            disk,
            dir: dir.to_path_buf(),
            durable: AtomicU64::new(recovery.end.0),
            last_received_at: AtomicI64::new(recovery.last_received_at.map_or(NEVER, |at| at.0)),
            known: Mutex::new(known),
        }
    }

    fn last_received_at(&self) -> Option<Timestamp> {
        let at = self.last_received_at.load(Ordering::Acquire);
        (at != NEVER).then_some(Timestamp(at))
    }

    pub fn durable(&self) -> Position {
        Position(self.durable.load(Ordering::Acquire))
    }

    pub fn set_durable(&self, last: &Frame) {
        self.last_received_at.store(last.head().received_at.get(), Ordering::Release);
        self.durable.store(last.end().0, Ordering::Release);
    }

    pub fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        // Nothing that holds the lock can leave the list half changed.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, segment: Known) {
        let mut known = self.known();
        if let Some(last) = known.last_mut() {
            last.file = None;
        }
        known.push(segment);
    }

    /// Where the segment that begins at `start` ends: where the next one begins, else the durable end.
    pub fn end_of(&self, start: Position) -> Position {
        let known = self.known();
        known.iter().map(|segment| segment.start).find(|next| *next > start).unwrap_or_else(|| self.durable())
    }

    pub fn segments(&self) -> Result<Vec<SegmentInfo>, JournalError> {
        let (durable, last) = (self.durable(), self.last_received_at());
        let known = self.known().clone();
        let mut segments = Vec::with_capacity(known.len());
        for (at, segment) in known.iter().enumerate() {
            let next = known.get(at + 1);
            let end = next.map_or(durable.max(segment.start), |next| next.start);
            let bytes = match &segment.file {
                None => SEGMENT_HEAD + (end.0 - segment.start.0),
                Some(file) => {
                    let path = path_of(&self.dir, segment.start);
                    file.len().map_err(JournalError::io("ask for the length of", path))?
                }
            };
            let last_received_at = next.map_or(last, |next| next.received_before);
            segments.push(SegmentInfo { start: segment.start, end, bytes, last_received_at });
        }
        Ok(segments)
    }

    fn open(&self, segment: &Known, path: &Path) -> Result<Arc<dyn DiskFile>, JournalError> {
        match &segment.file {
            Some(file) => Ok(Arc::clone(file)),
            None => self.disk.open(path).map_err(JournalError::io("open", path)),
        }
    }

    /// The segment that holds a durable position, and where it ends.
    fn segment_at(&self, position: Position) -> Result<Segment, JournalError> {
        let durable = self.durable();
        let (found, end) = {
            let known = self.known();
            let behind = known.partition_point(|segment| segment.start <= position);
            let Some(found) = behind.checked_sub(1).and_then(|at| known.get(at)) else {
                let first = known.first().map_or(durable, |segment| segment.start);
                return Err(JournalError::Gone { position, first });
            };
            (found.clone(), known.get(behind).map_or(durable, |next| next.start))
        };
        let path = path_of(&self.dir, found.start);
        let file = self.open(&found, &path)?;
        Ok(Segment { start: found.start, end, file, path })
    }
}

struct Segment {
    start: Position,
    end: Position,
    file: Arc<dyn DiskFile>,
    path: PathBuf,
}

impl Segment {
    /// Reads from a position, up to `bytes` or the segment's end.
    fn read(&self, position: Position, bytes: u64) -> Result<Bytes, JournalError> {
        let mut buffer = vec![0; bytes.min(self.end.0.saturating_sub(position.0)) as usize];
        let offset = SEGMENT_HEAD + (position.0 - self.start.0);
        self.file.read_exact_at(&mut buffer, offset).map_err(JournalError::io("read", &self.path))?;
        Ok(buffer.into())
    }
}

fn damaged(path: &Path, start: Position, position: Position, bad: BadFrame) -> JournalError {
    let offset = SEGMENT_HEAD + (position.0 - start.0);
    JournalError::Damaged { file: path.to_path_buf(), offset, position, what: bad.what() }
}

/// A reading end of the journal, cheap to clone.
#[derive(Clone)]
pub struct JournalReader(Arc<Shared>);

/// An entry read for a proof.
#[derive(Clone, Debug)]
pub struct OwnedEntry {
    /// Where it lies.
    pub position: Position,
    /// What it is; a byte this version may not know.
    pub kind: u8,
    /// Its content.
    pub payload: Bytes,
}

impl JournalReader {
    pub(super) fn new(shared: Arc<Shared>) -> JournalReader {
        JournalReader(shared)
    }

    /// Everything before this position is durable.
    pub fn durable(&self) -> Position {
        self.0.durable()
    }

    /// First position still held.
    pub fn first(&self) -> Position {
        self.0.known().first().map_or(self.durable(), |segment| segment.start)
    }

    /// The frames from a position on (a frame's, or the end) to the durable end at the time of each step. After an
    /// error nothing more comes.
    pub fn frames_from(&self, position: Position) -> Frames {
        Frames { shared: Arc::clone(&self.0), position, block: Bytes::new(), segment: None, failed: false }
    }

    /// The entry at a position with the head of its frame, the frame's checksum checked. None if no entry begins there,
    /// or its segment was dropped.
    pub fn entry(&self, position: Position) -> Result<Option<(FrameHead, OwnedEntry)>, JournalError> {
        if position >= self.durable() {
            return Ok(None);
        }
        let segment = match self.0.segment_at(position) {
            Ok(segment) => segment,
            Err(JournalError::Gone { .. }) => return Ok(None),
            // Dropped just now.
            Err(JournalError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = match self.frame_back_from(&segment, position)? {
            Some(found) => Some(found),
            // Not an entry's position, or its way back is damaged: walking the segment tells which.
            None => self.frame_around(&segment, position)?,
        };
        let Some((head, frame)) = found else { return Ok(None) };
        let at = (position.0 - frame.position.0) as usize;
        // A position inside an entry may look like one; the entries must lead to it.
        if !frame.entries().any(|entry| entry.position == position) {
            return Ok(None);
        }
        Ok(entry_at(&frame.bytes, frame.position, at).map(|(entry, next)| {
            let payload = frame.bytes.slice(at + ENTRY_HEAD..next);
            (head, OwnedEntry { position, kind: entry.kind, payload })
        }))
    }

    /// The frame that the entry's own `back` leads to, if it does.
    fn frame_back_from(
        &self,
        segment: &Segment,
        position: Position,
    ) -> Result<Option<(FrameHead, Frame)>, JournalError> {
        let entry = segment.read(position, ENTRY_HEAD as u64)?;
        let Some(back) = entry.get(4..8).and_then(|back| back.try_into().ok()).map(u32::from_le_bytes) else {
            return Ok(None);
        };
        let start = match position.0.checked_sub(u64::from(back)) {
            Some(start) if start >= segment.start.0 => Position(start),
            _ => return Ok(None),
        };
        let Ok(head) = head(&segment.read(start, FRAME_HEAD as u64)?, start) else { return Ok(None) };
        let bytes = segment.read(start, u64::from(head.length.get()))?;
        match check(&bytes, start) {
            Ok(head) => Ok(Some((head, Frame { position: start, bytes }))),
            Err(_) => Ok(None),
        }
    }

    /// The frame that holds a position, found by walking its segment.
    fn frame_around(&self, segment: &Segment, position: Position) -> Result<Option<(FrameHead, Frame)>, JournalError> {
        for frame in self.frames_from(segment.start) {
            let frame = frame?;
            if frame.end() > position {
                return Ok(Some((frame.head(), frame)));
            }
        }
        Ok(None)
    }
}

/// Frames in order; see [`JournalReader::frames_from`]. Frames share the block they were read in.
pub struct Frames {
    shared: Arc<Shared>,
    position: Position,
    /// What is read and not yet given, from `position` on.
    block: Bytes,
    segment: Option<Segment>,
    failed: bool,
}

impl Frames {
    fn step(&mut self) -> Result<Option<Frame>, JournalError> {
        if self.position >= self.shared.durable() {
            return Ok(None);
        }
        if self.block.len() < FRAME_HEAD {
            self.fill(FRAME_HEAD as u64)?;
        }
        let length = u64::from(head(&self.block, self.position).map_err(|bad| self.damaged(bad))?.length.get());
        if (self.block.len() as u64) < length {
            self.fill(length)?;
        }
        check(&self.block, self.position).map_err(|bad| self.damaged(bad))?;
        let frame = Frame { position: self.position, bytes: self.block.split_to(length as usize) };
        self.position = frame.end();
        Ok(Some(frame))
    }

    /// Reads a new block from the position on, of at least `wanted` bytes unless the segment ends before.
    fn fill(&mut self, wanted: u64) -> Result<(), JournalError> {
        // The end of the segment being written moves on, and behind it the next segment begins.
        if self.segment.as_ref().is_none_or(|segment| segment.end.0 < self.position.0 + wanted) {
            self.segment = Some(self.shared.segment_at(self.position)?);
        }
        let Some(segment) = &self.segment else { return Ok(()) };
        let left = segment.end.0.saturating_sub(self.position.0);
        if left < wanted {
            return Err(self.damaged(BadFrame::Short));
        }
        self.block = segment.read(self.position, wanted.max(BLOCK))?;
        Ok(())
    }

    fn damaged(&self, bad: BadFrame) -> JournalError {
        let start = self.segment.as_ref().map_or(self.position, |segment| segment.start);
        damaged(&path_of(&self.shared.dir, start), start, self.position, bad)
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}
