//! The lock of a data folder: one process at a time, and the next one is told who is there.
//!
//! The lock is the system's own on an open file, so it goes with the process however that ends; the file's text
//! (process id and address) only serves the message and the commands that want to speak to the running daemon.
//!
//! Does not know what the folder holds.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The lock held; released when dropped or when the process ends.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
}

/// Who holds a lock, as far as the file says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holder {
    /// Process id, 0 if the file does not say.
    pub pid: u32,
    /// Where it answers, empty if it does not or not yet.
    pub address: String,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process is at work in the folder.
    #[error("{path} is held by process {}{}: stop it first, or use another data folder", holder.pid,
        if holder.address.is_empty() { String::new() } else { format!(" answering on {}", holder.address) })]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who is there.
        holder: Holder,
    },
    /// The file cannot be opened, locked or written.
    #[error("cannot lock {path}: {source}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FolderLock {
    /// Takes the lock of which `path` is the file and writes the own process id into it. A lock that is held is tried a
    /// few times more within 50 ms, for [`FolderLock::holder`] holds it for a moment when it looks.
    pub fn take(path: &Path) -> Result<FolderLock, LockError> {
        let io = |source| LockError::Io { path: path.to_path_buf(), source };
        // Not truncated on opening: the text belongs to whoever holds the lock.
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        let mut tries = 5;
        match loop {
            tries -= 1;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) if tries > 0 => std::thread::sleep(Duration::from_millis(10)),
                done => break done,
            }
        } {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { path: path.to_path_buf(), holder: read(&file).unwrap_or_default() });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let lock = FolderLock { file };
        lock.write("").map_err(io)?;
        Ok(lock)
    }

    /// Says where the holder answers; shown to the next one and used by commands.
    pub fn set_address(&self, address: &str) -> io::Result<()> {
        self.write(address)
    }

    /// Who holds the lock at `path`; none if nobody does.
    pub fn holder(path: &Path) -> io::Result<Option<Holder>> {
        let file = match File::options().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            // Free; the lock just taken goes with the file.
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => read(&file).map(Some),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn write(&self, address: &str) -> io::Result<()> {
        let text = format!("pid {}\naddress {}\n", std::process::id(), address.replace(['\n', '\r'], " "));
        let mut file = &self.file;
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        self.file.set_len(text.len() as u64)
    }
}

/// The file's text; whatever is missing or strange is left empty, for it serves only a message.
fn read(mut file: &File) -> io::Result<Holder> {
    file.rewind()?;
    let mut text = Vec::new();
    file.take(4096).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("").trim();
    Ok(Holder { pid: value("pid ").parse().unwrap_or(0), address: value("address ").to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(FolderLock::holder(&path).unwrap(), None);
        let first = FolderLock::take(&path).unwrap();
        first.set_address("127.0.0.1:7080").unwrap();
        let error = FolderLock::take(&path).unwrap_err();
        let expected = Holder { pid: std::process::id(), address: "127.0.0.1:7080".into() };
        assert!(matches!(&error, LockError::Held { holder, .. } if *holder == expected), "{error}");
        assert!(error.to_string().contains("answering on 127.0.0.1:7080"), "{error}");
        assert_eq!(FolderLock::holder(&path).unwrap(), Some(expected));
        drop(first);
        assert_eq!(FolderLock::holder(&path).unwrap(), None);
        // A shorter text leaves nothing of a longer one behind.
        let again = FolderLock::take(&path).unwrap();
        assert_eq!(FolderLock::holder(&path).unwrap().unwrap().address, "");
        drop(again);
    }

    #[test]
    fn a_lock_without_a_folder_is_an_error() {
        let error = FolderLock::take(Path::new("/nonexistent-folder/lock")).unwrap_err();
        assert!(matches!(error, LockError::Io { .. }), "{error}");
    }
}
