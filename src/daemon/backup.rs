//! Backup and restore of the whole data folder, consistent at one position.
//!
//! ```text
//! 1  store      a snapshot, which stands at a position P
//! 2  identity   its log, which then reaches P or beyond
//! 3  journal    from the segment that holds P to what is durable by then
//! 4  images     everything, hence every image that the copied journal or store names
//! 5  manifest   what was copied, with sizes and digests
//! ```
//! In this order each part holds at least what the part before it needs, so recovery replays the copy to one position: the
//! journal's end. The daemon goes on meanwhile.
//!
//! Does not know how a backup is asked for, nor what the files hold.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::batch::Position;
use crate::config::Config;
use crate::journal::{JournalReader, SEGMENT_HEAD};
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

/// Name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// The store in a backup, whatever its file is called in the configuration.
const STORE: &str = "callrated.db";
/// Folders of the data folder.
const JOURNAL: &str = "journal";
const IDENTITY: &str = "identity";
const IMAGES: &str = "images";
/// The lock of a data folder; belongs to no backup.
const LOCK: &str = "lock";
/// Layout of the manifest.
const VERSION: u32 = 1;
/// Bytes copied at a time.
const BLOCK: usize = 1 << 20;

/// What a backup is made of.
pub struct Parts {
    /// Invoice storage.
    pub store: Arc<dyn Store>,
    /// The journal.
    pub journal: JournalReader,
    /// The data folder.
    pub data_dir: PathBuf,
    /// Now.
    pub at: Timestamp,
}

/// What a backup holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of this file.
    pub manifest: u32,
    /// Program that wrote it.
    pub callrated: String,
    /// When it was asked for.
    pub at: String,
    /// Position of the store.
    pub stored: u64,
    /// Position to which the copy is restored: every record that was acknowledged before it is in it.
    pub position: u64,
    /// Every file.
    pub files: Vec<ManifestFile>,
}

/// One file of a backup.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Relative to the backup, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Of its content, lower-case hex.
    pub blake3: String,
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is something in the folder that is to be written.
    #[error("{} is not empty: name a folder that is not there yet", .0.display())]
    NotEmpty(PathBuf),
    /// A backup inside of what it is a backup of.
    #[error("{} lies inside the data folder: a backup must outlive it", .0.display())]
    Inside(PathBuf),
    /// The backup is not what its manifest says.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// The store's snapshot.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file system gave out.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::Io { path, source }
}

/// Writes a backup into a folder that is empty or not there yet.
///
/// # Errors
/// A folder that holds anything is left alone; after any other failure what was written stays, without a manifest.
pub fn write(parts: &Parts, dir: &Path) -> Result<Manifest, BackupError> {
    make_empty(dir, &[])?;
    let inside = fs::canonicalize(dir).map_err(io_at(dir))?;
    if inside.starts_with(fs::canonicalize(&parts.data_dir).map_err(io_at(&parts.data_dir))?) {
        let _ = fs::remove_dir(dir);
        return Err(BackupError::Inside(dir.to_owned()));
    }
    let mut files = Vec::new();
    let store = dir.join(STORE);
    parts.store.backup_to(&store)?;
    let stored = position_of(&store)?;
    files.push(described(dir, STORE)?);
    for (folder, copied) in [(IDENTITY, None), (JOURNAL, Some(stored)), (IMAGES, None)] {
        let target = dir.join(folder);
        fs::create_dir(&target).map_err(io_at(&target))?;
        match copied {
            Some(stored) => segments(parts, stored, dir, &mut files)?,
            None => whole_folder(&parts.data_dir, folder, dir, &mut files)?,
        }
        sync_folder(&target)?;
    }
    let position = files_end(parts, &files);
    let manifest = Manifest {
        manifest: VERSION,
        callrated: env!("CARGO_PKG_VERSION").to_owned(),
        at: parts.at.to_string(),
        stored: stored.0,
        position,
        files,
    };
    let path = dir.join(MANIFEST);
    let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    File::create(&path)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .map_err(io_at(&path))?;
    sync_folder(dir)?;
    Ok(manifest)
}

/// The position at which a copied store stands. Opening it also proves that it can be opened.
fn position_of(path: &Path) -> Result<Position, BackupError> {
    let position = SqliteStore::open(path)?.load()?.position;
    // Its last connection was a reading one, which leaves an empty log and its index behind.
    for beside in ["-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(beside);
        let file = PathBuf::from(file);
        if beside == "-wal" && file.metadata().is_ok_and(|m| m.len() > 0) {
            return Err(BackupError::Damaged(format!("{} holds what the store should hold", file.display())));
        }
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_at(&file)(error)),
            _ => {}
        }
    }
    Ok(position)
}

fn whole_folder(data_dir: &Path, folder: &str, dir: &Path, files: &mut Vec<ManifestFile>) -> Result<(), BackupError> {
    for name in names(&data_dir.join(folder))? {
        // Written aside and not renamed yet: nobody names it.
        if name.ends_with(".new") {
            continue;
        }
        let path = format!("{folder}/{name}");
        files.push(copy(&data_dir.join(&path), dir, &path, u64::MAX)?);
    }
    Ok(())
}

/// Copies the segments that hold anything from `from` on, up to what is durable now.
fn segments(parts: &Parts, from: Position, dir: &Path, files: &mut Vec<ManifestFile>) -> Result<(), BackupError> {
    let durable = parts.journal.durable();
    let folder = parts.data_dir.join(JOURNAL);
    let start_of = |name: &String| name.strip_suffix(".seg").and_then(|digits| digits.parse::<u64>().ok());
    let mut starts: Vec<(u64, String)> =
        names(&folder)?.into_iter().filter_map(|name| Some((start_of(&name)?, name))).collect();
    starts.sort_unstable();
    for (at, (start, name)) in starts.iter().enumerate() {
        let end = starts.get(at + 1).map_or(durable.0, |(next, _)| *next).min(durable.0);
        // The last one is copied in any case: it is where the copy goes on.
        let needed = end > from.0 || (at + 1 == starts.len());
        if !needed || *start > durable.0 {
            continue;
        }
        let bytes = SEGMENT_HEAD + end.saturating_sub(*start);
        files.push(copy(&folder.join(name), dir, &format!("{JOURNAL}/{name}"), bytes)?);
    }
    Ok(())
}

/// The position at which the copied journal ends.
fn files_end(parts: &Parts, files: &[ManifestFile]) -> u64 {
    let last = files.iter().rev().find_map(|file| {
        let start = file.path.strip_prefix("journal/")?.strip_suffix(".seg")?.parse::<u64>().ok()?;
        Some(start + file.size.saturating_sub(SEGMENT_HEAD))
    });
    last.unwrap_or(parts.journal.durable().0)
}

/// Restores a backup into the data folder of a configuration, and tells what was restored.
///
/// # Errors
/// A data folder that holds anything, or a backup whose files are not what its manifest says: then nothing is written.
pub fn restore(config: &Config, dir: &Path) -> Result<Manifest, BackupError> {
    let path = dir.join(MANIFEST);
    let text = fs::read(&path).map_err(io_at(&path))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|e| BackupError::Damaged(format!("{}: {e}", path.display())))?;
    if manifest.manifest > VERSION {
        return Err(BackupError::Damaged(format!(
            "{} was written by callrated {}, which is newer than this program",
            path.display(),
            manifest.callrated
        )));
    }
    for file in &manifest.files {
        let found = described(dir, &checked_path(&file.path)?)?;
        if found != *file {
            return Err(BackupError::Damaged(format!("{} is not what the manifest says", file.path)));
        }
    }
    make_empty(&config.data_dir, &[LOCK])?;
    if config.store.exists() {
        return Err(BackupError::NotEmpty(config.store.clone()));
    }
    for folder in [JOURNAL, IDENTITY, IMAGES] {
        let target = config.data_dir.join(folder);
        fs::create_dir_all(&target).map_err(io_at(&target))?;
    }
    for file in &manifest.files {
        let source = dir.join(&file.path);
        let copied = if file.path == STORE {
            let (folder, name) = (config.store.parent().unwrap_or(Path::new(".")), config.store.file_name());
            fs::create_dir_all(folder).map_err(io_at(folder))?;
            copy(&source, folder, &name.unwrap_or_default().to_string_lossy(), u64::MAX)?
        } else {
            copy(&source, &config.data_dir, &file.path, u64::MAX)?
        };
        if copied.blake3 != file.blake3 {
            return Err(BackupError::Damaged(format!("{} changed while it was copied", file.path)));
        }
    }
    for folder in [JOURNAL, IDENTITY, IMAGES] {
        sync_folder(&config.data_dir.join(folder))?;
    }
    sync_folder(&config.data_dir)?;
    Ok(manifest)
}

/// A manifest's path that leads nowhere but into the backup.
fn checked_path(path: &str) -> Result<String, BackupError> {
    let good = path == STORE
        || path.split_once('/').is_some_and(|(folder, name)| {
            [JOURNAL, IDENTITY, IMAGES].contains(&folder) && !name.is_empty() && !name.contains('/') && name != ".."
        });
    if good { Ok(path.to_owned()) } else { Err(BackupError::Damaged(format!("the manifest names {path:?}"))) }
}

/// Makes a folder, or makes sure that it holds nothing but these.
fn make_empty(dir: &Path, but: &[&str]) -> Result<(), BackupError> {
    fs::create_dir_all(dir).map_err(io_at(dir))?;
    if names(dir)?.iter().any(|name| !but.contains(&name.as_str())) {
        return Err(BackupError::NotEmpty(dir.to_owned()));
    }
    Ok(())
}

/// Names in a folder, in order; none if it is not there.
fn names(folder: &Path) -> Result<Vec<String>, BackupError> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_at(folder)(error)),
    };
    let mut names = Vec::new();
    for entry in listed {
        names.push(entry.map_err(io_at(folder))?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// Copies at most so many bytes and syncs the copy.
fn copy(source: &Path, dir: &Path, path: &str, most: u64) -> Result<ManifestFile, BackupError> {
    let target = dir.join(path);
    let mut from = File::open(source).map_err(io_at(source))?;
    // What is appended while this copies belongs to a later moment.
    let length = from.metadata().map_err(io_at(source))?.len().min(most);
    let mut to = File::options().write(true).create_new(true).open(&target).map_err(io_at(&target))?;
    let (mut hasher, mut left, mut block) = (blake3::Hasher::new(), length, vec![0; BLOCK]);
    while left > 0 {
        let room = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = from.read(&mut block[..room]).map_err(io_at(source))?;
        if read == 0 {
            break;
        }
        hasher.update(&block[..read]);
        to.write_all(&block[..read]).map_err(io_at(&target))?;
        left -= read as u64;
    }
    to.sync_all().map_err(io_at(&target))?;
    Ok(ManifestFile { path: path.to_owned(), size: length - left, blake3: hasher.finalize().to_hex().to_string() })
}

/// What a file of a backup is.
fn described(dir: &Path, path: &str) -> Result<ManifestFile, BackupError> {
    let at = dir.join(path);
    let mut hasher = blake3::Hasher::new();
    let size = File::open(&at).and_then(|mut file| io::copy(&mut file, &mut hasher)).map_err(io_at(&at))?;
    Ok(ManifestFile { path: path.to_owned(), size, blake3: hasher.finalize().to_hex().to_string() })
}

fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(io_at(folder))
}
