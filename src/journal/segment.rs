//! Segments: the journal's files, their names and their heads.
//!
//! Does not know what is in the frames.

use std::path::{Path, PathBuf};

use zerocopy::little_endian::{I64, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::JournalError;
use crate::batch::Position;
use crate::os::disk::DiskFile;
use crate::time::Timestamp;

/// Bytes before a segment's first frame.
pub const SEGMENT_HEAD: u64 = 64;
/// First bytes of every segment.
const MAGIC: [u8; 8] = *b"cRjournl";
/// The newest layout known here; every older one stays readable.
const VERSION: u32 = 1;
/// Stands for "no frame before": an instant that cannot be.
pub(super) const NEVER: i64 = i64::MIN;

/// Which data folder a segment belongs to, so that files of two folders cannot be mixed up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct FolderId(pub [u8; 16]);

impl FolderId {
    /// An id made from where and when the folder was made; no randomness, so a test knows it beforehand.
    pub fn of(folder: &Path, made_at: Timestamp) -> FolderId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&made_at.0.to_le_bytes());
        hasher.update(folder.as_os_str().as_encoded_bytes());
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        FolderId(id)
    }
}

impl std::fmt::Display for FolderId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The head of a segment as stored.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
struct Stored {
    magic: [u8; 8],
    version: U32,
    reserved: U32,
    start: U64,
    folder: [u8; 16],
    /// Receipt of the last frame before this segment, so that a segment's age is known without reading it.
    received_before: I64,
    reserved_too: [u8; 12],
    /// CRC-32 of the bytes before it; lies here in every version.
    checksum: U32,
}

const _: () = assert!(size_of::<Stored>() == SEGMENT_HEAD as usize);

/// What a segment's head says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentHead {
    /// Position of its first frame.
    pub start: Position,
    /// The data folder.
    pub folder: FolderId,
    /// Receipt of the last frame before this segment.
    pub received_before: Option<Timestamp>,
}

impl SegmentHead {
    /// As stored.
    pub(super) fn to_bytes(self) -> [u8; SEGMENT_HEAD as usize] {
        let stored = Stored {
            magic: MAGIC,
            version: VERSION.into(),
            reserved: 0.into(),
            start: self.start.0.into(),
            folder: self.folder.0,
            received_before: self.received_before.map_or(NEVER, |at| at.0).into(),
            reserved_too: [0; 12],
            checksum: 0.into(),
        };
        let mut bytes = [0; SEGMENT_HEAD as usize];
        bytes.copy_from_slice(stored.as_bytes());
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the head of an open segment.
    pub(super) fn read(file: &dyn DiskFile, path: &Path) -> Result<SegmentHead, JournalError> {
        let mut bytes = [0; SEGMENT_HEAD as usize];
        let n = file.read_full_at(&mut bytes, 0).map_err(JournalError::io("read", path))?;
        let damaged = |what| JournalError::Damaged {
            file: path.to_path_buf(),
            offset: 0,
            position: position_of(path).unwrap_or_default(),
            what,
        };
        if n < bytes.len() {
            return Err(damaged("the file is shorter than a segment's head"));
        }
        let stored = Stored::read_from_bytes(&bytes).map_err(|_| damaged("the head cannot be read"))?;
        if stored.magic != MAGIC {
            return Err(damaged("this is not a journal segment"));
        }
        if stored.checksum.get() != crc32fast::hash(&bytes[..60]) {
            return Err(damaged("the head's checksum does not match"));
        }
        if stored.version.get() > VERSION {
            let version = stored.version.get();
            return Err(JournalError::NewerVersion { file: path.to_path_buf(), version, known: VERSION });
        }
        Ok(SegmentHead {
            start: Position(stored.start.get()),
            folder: FolderId(stored.folder),
            received_before: (stored.received_before.get() != NEVER).then(|| Timestamp(stored.received_before.get())),
        })
    }
}

/// The file of the segment that begins at a position.
pub(super) fn path_of(dir: &Path, start: Position) -> PathBuf {
    dir.join(format!("{:020}.seg", start.0))
}

/// The name a segment has while it is being made.
pub(super) fn draft_of(dir: &Path, start: Position) -> PathBuf {
    dir.join(format!("{:020}.tmp", start.0))
}

/// Whether a name is that of a draft, to be thrown away at start.
pub(super) fn is_draft(name: &str) -> bool {
    name.strip_suffix(".tmp").is_some_and(|digits| digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The position in a segment's file name; none if it is not such a name.
pub(super) fn position_of(path: &Path) -> Option<Position> {
    let digits = path.file_name()?.to_str()?.strip_suffix(".seg")?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Position)
}
