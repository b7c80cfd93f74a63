//! The log on disk: every identity ever seen, in the order it came.
//!
//! ```text
//! identities.log   head (64 bytes) │ slot │ slot │ …
//! slot             identity u128 │ content u64 │ position u64                        an entry
//!                  own number u64 │ synced slots u64 │ covered u64 │ CRC u32 │ mark   a seal
//! ```
//!
//! A seal closes a stretch of entries: its CRC-32 covers them and its own first 24 bytes. A stretch without a good seal
//! was not wholly written. A seal comes with every sync, and after [`STRETCH`] entries at the latest. The top bit of a
//! slot tells the two apart: no position has it.
//!
//! Does not know how entries are found.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::IdentityError;
use crate::batch::Position;
use crate::os::disk::{Disk, DiskFile, is_no_space};
use crate::record::{Content, Identity};

/// Bytes of a slot.
pub(super) const SLOT: usize = 32;
/// Bytes before the first slot.
pub(super) const HEAD: u64 = 64;
/// Most entries between two seals: 128 KiB, which a CRC-32 guards well and which stay in cache between check and use.
/// Few in tests, so that a small log has many.
pub(super) const STRETCH: u32 = if cfg!(test) { 64 } else { 4096 };
/// Unwritten bytes kept in memory before they are written: few calls, and repeats of the last moment need no read.
const PENDING: usize = if cfg!(test) { 2 << 10 } else { 256 << 10 };
/// Last four bytes of a seal; its top bit is one that no position has.
const MARK: u32 = 0xf5ea_1ed1;
const MAGIC: [u8; 8] = *b"cRidents";
const VERSION: u32 = 1;

/// One slot's bytes.
pub(super) type Slot = [u8; SLOT];

/// An entry as stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub identity: Identity,
    pub content: Content,
    pub position: Position,
}

/// A seal as stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seal {
    /// Its own slot's number.
    pub slot: u64,
    /// Slots that were durable when it was written.
    pub synced: u64,
    /// See [`super::Rebuilt::covered`].
    pub covered: Position,
    pub checksum: u32,
}

/// What a slot holds.
pub(super) enum Stored {
    Entry(Entry),
    Seal(Seal),
    /// Neither: the top bit is set, but not the mark.
    Neither,
}

impl Entry {
    pub fn to_bytes(self) -> Slot {
        let mut bytes = [0; SLOT];
        bytes[..16].copy_from_slice(&self.identity.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.content.0.to_le_bytes());
        bytes[24..].copy_from_slice(&self.position.0.to_le_bytes());
        bytes
    }
}

/// Reads a slot.
#[inline]
pub(super) fn parse(slot: &Slot) -> Stored {
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&slot[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    let last = word(24);
    if last >> 63 == 0 {
        let identity = Identity(u128::from(word(8)) << 64 | u128::from(word(0)));
        return Stored::Entry(Entry { identity, content: Content(word(16)), position: Position(last) });
    }
    if (last >> 32) as u32 != MARK {
        return Stored::Neither;
    }
    Stored::Seal(Seal { slot: word(0), synced: word(8), covered: Position(word(16)), checksum: last as u32 })
}

impl Seal {
    fn to_bytes(self) -> Slot {
        let mut bytes = [0; SLOT];
        bytes[..8].copy_from_slice(&self.slot.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.synced.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.covered.0.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.checksum.to_le_bytes());
        bytes[28..].copy_from_slice(&MARK.to_le_bytes());
        bytes
    }
}

/// The log, open for appending.
pub(super) struct Log {
    pub file: Arc<dyn DiskFile>,
    pub path: PathBuf,
    /// Slots in the file.
    pub written: u64,
    /// Slots known to be durable.
    pub synced: u64,
    pub covered: Position,
    /// Slots behind `written`.
    pub pending: Vec<u8>,
    /// Entries since the last seal and the CRC over them.
    unsealed: u32,
    checksum: crc32fast::Hasher,
}

impl Log {
    pub fn new(file: Arc<dyn DiskFile>, path: PathBuf, slots: u64, covered: Position) -> Log {
        Log {
            file,
            path,
            written: slots,
            synced: slots,
            covered,
            pending: Vec::with_capacity(PENDING + 4096),
            unsealed: 0,
            checksum: crc32fast::Hasher::new(),
        }
    }

    /// Slots in the file and in memory.
    pub fn slots(&self) -> u64 {
        self.written + (self.pending.len() / SLOT) as u64
    }

    /// Appends an entry and says in which slot.
    #[inline]
    pub fn push(&mut self, entry: Entry) -> u64 {
        let slot = self.slots();
        self.pending.extend_from_slice(&entry.to_bytes());
        self.unsealed += 1;
        if self.unsealed == STRETCH {
            self.seal();
        }
        slot
    }

    /// Goes on with a stretch whose first entries are in the file already.
    pub fn resume(&mut self, entries: &[u8]) {
        self.unsealed = (entries.len() / SLOT) as u32;
        self.checksum.update(entries);
    }

    /// Closes the stretch, empty or not.
    pub fn seal(&mut self) {
        let mut seal = Seal { slot: self.slots(), synced: self.synced, covered: self.covered, checksum: 0 };
        // Entries are hashed here, in one go, and not one by one as they come.
        let entries = self.pending.len() - self.unhashed();
        self.checksum.update(&self.pending[entries..]);
        self.checksum.update(&seal.to_bytes()[..24]);
        seal.checksum = std::mem::take(&mut self.checksum).finalize();
        self.pending.extend_from_slice(&seal.to_bytes());
        self.unsealed = 0;
    }

    /// Bytes at the end of `pending` that the running CRC does not have yet.
    fn unhashed(&self) -> usize {
        (self.unsealed as usize * SLOT).min(self.pending.len())
    }

    /// The entry in a slot, from memory or disk.
    pub fn entry(&self, slot: u64) -> Result<Option<Entry>, IdentityError> {
        let mut bytes = [0; SLOT];
        if let Some(ahead) = slot.checked_sub(self.written) {
            let at = ahead as usize * SLOT;
            let Some(found) = self.pending.get(at..at + SLOT) else { return Ok(None) };
            bytes.copy_from_slice(found);
        } else {
            self.file.read_exact_at(&mut bytes, offset_of(slot)).map_err(IdentityError::io("read", &self.path))?;
        }
        Ok(match parse(&bytes) {
            Stored::Entry(entry) => Some(entry),
            Stored::Seal(_) | Stored::Neither => None,
        })
    }

    /// Whether enough has gathered to be written.
    pub fn is_due(&self) -> bool {
        self.pending.len() >= PENDING
    }

    /// Writes what is in memory; not durable yet.
    pub fn write(&mut self) -> Result<(), IdentityError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.file
            .write_all_at(&self.pending, offset_of(self.written))
            .map_err(|source| self.failed("write", source))?;
        // The stretch's bytes leave memory, so they are hashed now.
        let from = self.pending.len() - self.unhashed();
        self.checksum.update(&self.pending[from..]);
        self.written = self.slots();
        self.pending.clear();
        Ok(())
    }

    /// Makes everything durable, and with it the word that everything before `covered` is in here.
    pub fn sync(&mut self, covered: Position) -> Result<(), IdentityError> {
        if self.unsealed == 0 && self.synced == self.slots() && covered <= self.covered {
            return Ok(());
        }
        self.covered = self.covered.max(covered);
        self.seal();
        self.write()?;
        self.file.sync_data().map_err(|source| self.failed("sync", source))?;
        self.synced = self.written;
        Ok(())
    }

    fn failed(&self, action: &'static str, source: io::Error) -> IdentityError {
        if is_no_space(&source) {
            return IdentityError::NoSpace { file: self.path.clone() };
        }
        IdentityError::Io { action, file: self.path.clone(), source }
    }
}

/// Where a slot lies in the file.
pub(super) fn offset_of(slot: u64) -> u64 {
    HEAD + slot * SLOT as u64
}

/// The log's head for a data folder.
fn head(folder: [u8; 16]) -> [u8; HEAD as usize] {
    let mut bytes = [0; HEAD as usize];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..32].copy_from_slice(&folder);
    let checksum = crc32fast::hash(&bytes[..60]);
    bytes[60..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Opens the log's file, making it where there is none; says whether it was made.
pub(super) fn open_file(
    disk: &dyn Disk,
    dir: &Path,
    folder: Option<[u8; 16]>,
) -> Result<(Arc<dyn DiskFile>, PathBuf, bool), IdentityError> {
    let (path, draft) = (dir.join("identities.log"), dir.join("identities.tmp"));
    disk.create_dir(dir).map_err(IdentityError::io("make folder", dir))?;
    match disk.open(&path) {
        Ok(file) => {
            check_head(file.as_ref(), &path, folder)?;
            // Whoever made it may have been killed before its name was durable.
            sync_name(disk, dir).map_err(IdentityError::io("sync folder", dir))?;
            return Ok((file, path, false));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(IdentityError::io("open", &path)(error)),
    }
    // Left behind by a start that did not come this far.
    let _ = disk.remove(&draft);
    let made = disk.create(&draft).and_then(|file| {
        file.write_all_at(&head(folder.unwrap_or_default()), 0)?;
        file.sync_data()?;
        disk.rename(&draft, &path)?;
        sync_name(disk, dir)?;
        Ok(file)
    });
    match made {
        Ok(file) => Ok((file, path, true)),
        Err(error) if is_no_space(&error) => Err(IdentityError::NoSpace { file: draft }),
        Err(error) => Err(IdentityError::io("make", &draft)(error)),
    }
}

/// Makes the names in the folder durable, and its own.
fn sync_name(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    disk.sync_dir(dir)?;
    dir.parent().map_or(Ok(()), |parent| disk.sync_dir(parent))
}

fn check_head(file: &dyn DiskFile, path: &Path, folder: Option<[u8; 16]>) -> Result<(), IdentityError> {
    let mut bytes = [0; HEAD as usize];
    let n = file.read_full_at(&mut bytes, 0).map_err(IdentityError::io("read", path))?;
    let damaged = |what| Err(IdentityError::Damaged { file: path.to_path_buf(), offset: 0, what });
    if n < bytes.len() || bytes[..8] != MAGIC {
        return damaged("this is not an identity log");
    }
    if bytes[60..] != crc32fast::hash(&bytes[..60]).to_le_bytes() {
        return damaged("the head's checksum does not match");
    }
    let mut version = [0; 4];
    version.copy_from_slice(&bytes[8..12]);
    let version = u32::from_le_bytes(version);
    if version > VERSION {
        return Err(IdentityError::NewerVersion { file: path.to_path_buf(), version, known: VERSION });
    }
    if folder.is_some_and(|folder| bytes[16..32] != folder) {
        return Err(IdentityError::OtherFolder { file: path.to_path_buf() });
    }
    Ok(())
}
