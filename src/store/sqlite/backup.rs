//! A consistent copy of the store into a file of its own.
//!
//! Does not know what the store holds.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::failed;
use crate::store::StoreError;

/// Copies within one read transaction: consistent, and the writer goes on. It is written beside the target and renamed
/// when it is whole.
pub fn copy(source: &Connection, path: &Path) -> Result<(), StoreError> {
    let io = |error: std::io::Error| StoreError::Io(error.to_string());
    if path.exists() {
        return Err(StoreError::Io("the file exists already, and a backup overwrites nothing".into()));
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let mut target = Connection::open(&partial).map_err(failed)?;
    {
        let backup = rusqlite::backup::Backup::new(source, &mut target).map_err(failed)?;
        // All pages in one step: between steps a flush would make the copy start again.
        match backup.step(-1).map_err(failed)? {
            rusqlite::backup::StepResult::Done => {}
            _ => return Err(StoreError::Busy),
        }
    }
    target.close().map_err(|(_, error)| failed(error))?;
    std::fs::File::open(&partial).and_then(|file| file.sync_all()).map_err(io)?;
    std::fs::rename(&partial, path).map_err(io)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    }
    Ok(())
}
