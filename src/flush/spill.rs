//! The spill: flushes that do not fit into memory while the store is away, a file each, read back in their order.
//!
//! What is in here is in the journal as well, and a start makes it again from there. So nothing is ever synced, a start
//! throws away what it finds, and a file that cannot be read back costs a restart and no call.
//!
//! Does not know what the bytes mean.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::os::disk::Disk;

/// Bytes of the checksum behind the content.
const CHECKSUM: usize = 8;

/// Why something did not come back from the spill.
#[derive(Debug, thiserror::Error)]
pub enum SpillError {
    /// The system refused.
    #[error("cannot {action} {}: {source}", file.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are not those that were written.
    #[error("{} is not what was written there", file.display())]
    Changed {
        /// The file.
        file: PathBuf,
    },
}

/// The folder of what is put aside; one owner.
pub struct Spill {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Number of the next file.
    next: u64,
    /// Bytes in all files.
    bytes: u64,
}

/// One thing put aside; it stays until it is [dropped](Spill::drop_one).
pub struct Aside {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    length: u64,
}

impl Spill {
    /// Opens the folder and empties it.
    ///
    /// # Errors
    /// The folder cannot be made or emptied.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Spill, SpillError> {
        let failed = |action| move |source| SpillError::Io { action, file: dir.to_path_buf(), source };
        disk.create_dir(dir).map_err(failed("make folder"))?;
        for name in disk.list(dir).map_err(failed("list folder"))? {
            disk.remove(&dir.join(name)).map_err(failed("empty folder"))?;
        }
        Ok(Spill { disk, dir: dir.to_path_buf(), next: 0, bytes: 0 })
    }

    /// Puts bytes aside. A full disk leaves nothing behind.
    ///
    /// # Errors
    /// The system refuses.
    pub fn put(&mut self, bytes: &[u8]) -> Result<Aside, SpillError> {
        let path = self.path(self.next);
        let length = (bytes.len() + CHECKSUM) as u64;
        let written = self.disk.create(&path).and_then(|file| {
            file.write_all_at(bytes, 0)?;
            file.write_all_at(&xxh3_64(bytes).to_le_bytes(), bytes.len() as u64)
        });
        if let Err(source) = written {
            // If even this fails, the next start empties the folder.
            let _ = self.disk.remove(&path);
            return Err(SpillError::Io { action: "write", file: path, source });
        }
        self.next += 1;
        self.bytes += length;
        Ok(Aside { disk: self.disk.clone(), path, length })
    }

    /// Gives the room of something back; should that fail, the next start does it.
    pub fn drop_one(&mut self, aside: &Aside) {
        let _ = self.disk.remove(&aside.path);
        self.bytes -= aside.length;
    }

    /// Bytes put aside.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:012}.flush"))
    }
}

impl Aside {
    /// Reads it back, on whatever thread.
    ///
    /// # Errors
    /// The system refuses, or the bytes are not those that were written.
    pub fn read(&self) -> Result<Vec<u8>, SpillError> {
        let mut bytes = vec![0; self.length as usize];
        let read = self.disk.open(&self.path).and_then(|file| file.read_exact_at(&mut bytes, 0));
        read.map_err(|source| SpillError::Io { action: "read", file: self.path.clone(), source })?;
        let (content, checksum) = bytes.split_at(bytes.len().saturating_sub(CHECKSUM));
        if xxh3_64(content).to_le_bytes() != checksum {
            return Err(SpillError::Changed { file: self.path.clone() });
        }
        bytes.truncate(content.len());
        Ok(bytes)
    }
}
