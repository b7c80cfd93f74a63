//! What the rates folder gave when it was last read, kept beside the images: a start that finds every file as it was then
//! need not read and compile them again, which takes seconds for a large deck or a million accounts.
//!
//! A file is as it was if its name, length, inode and both its times are; the time of its last change cannot be set by
//! programs. Files that were changed within [`SETTLED`] before they were read are not relied on: a second change within
//! one tick of the file system's clock would not show. Another build of the program reads everything anew.
//!
//! Does not know what the files mean, nor what comes into force.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::guard;
use crate::tariff::Finding;
use crate::time::Timestamp;

/// How long a file must have lain unchanged before it was read.
const SETTLED: i64 = 2_000_000;

/// What a folder gave.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reading {
    seen: Seen,
    /// When it was read, in microseconds since 1970.
    read_at: i64,
    /// Digest of the tariff.
    pub tariff: String,
    /// Digest of the directory.
    pub directory: String,
    /// What accounts are watched by.
    pub guards: guard::Rules,
    /// Warnings.
    pub findings: Vec<Finding>,
}

/// The files of a folder from outside, and who looked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    /// The program's own file.
    program: FileSeen,
    folder: PathBuf,
    files: Vec<FileSeen>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
struct FileSeen {
    path: PathBuf,
    bytes: u64,
    device: u64,
    inode: u64,
    /// Nanoseconds since 1970.
    modified: i128,
    changed: i128,
}

impl FileSeen {
    fn of(path: PathBuf) -> std::io::Result<FileSeen> {
        let meta = std::fs::metadata(&path)?;
        let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Ok(FileSeen {
            path,
            bytes: meta.len(),
            device: meta.dev(),
            inode: meta.ino(),
            modified: nanos(meta.mtime(), meta.mtime_nsec()),
            changed: nanos(meta.ctime(), meta.ctime_nsec()),
        })
    }
}

impl Seen {
    /// Looks at a folder; none where it cannot be looked at.
    pub fn of(folder: &Path) -> Option<Seen> {
        let folder = std::fs::canonicalize(folder).ok()?;
        let program = FileSeen::of(std::env::current_exe().ok()?).ok()?;
        let mut files = Vec::new();
        // Where the folder's files lie; a folder that is not there has none.
        for inner in ["", "decks", "free"] {
            let listed = match std::fs::read_dir(folder.join(inner)) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                listed => listed.ok()?,
            };
            for entry in listed {
                let seen = FileSeen::of(entry.ok()?.path()).ok()?;
                if !seen.path.is_dir() {
                    files.push(seen);
                }
            }
        }
        files.sort();
        Some(Seen { program, folder, files })
    }

    /// Whether nothing was changed shortly before an instant.
    fn had_settled(&self, at: i64) -> bool {
        self.files.iter().all(|file| file.changed < i128::from(at - SETTLED) * 1000)
    }
}

impl Reading {
    /// What the folder gave when it was read at an instant, looking the same before and after.
    pub fn new(
        seen: Seen,
        read_at: Timestamp,
        (tariff, directory): (&str, &str),
        guards: guard::Rules,
        findings: Vec<Finding>,
    ) -> Reading {
        let (tariff, directory) = (tariff.to_owned(), directory.to_owned());
        Reading { seen, read_at: read_at.0, tariff, directory, guards, findings }
    }

    /// What is kept in the folder of images, if it still holds for the rates folder as it is now.
    pub fn kept(images: &Path, rates: &Path) -> Option<Reading> {
        let kept: Reading = serde_json::from_slice(&std::fs::read(file(images)).ok()?).ok()?;
        (kept.seen.had_settled(kept.read_at) && Seen::of(rates)? == kept.seen).then_some(kept)
    }

    /// Keeps it. Not synced: what is not whole is not believed, and costs a reading of the folder.
    pub fn keep(&self, images: &Path) {
        let path = file(images);
        let aside = path.with_extension("new");
        // Plain text and numbers always serialise.
        let text = serde_json::to_vec(self).unwrap_or_default();
        if let Err(error) = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, &path)) {
            tracing::debug!("what the rates folder gave is not kept: {error}");
        }
    }
}

fn file(images: &Path) -> PathBuf {
    images.join("rates-read.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::clock::Clock;

    #[test]
    fn a_folder_as_it_was_is_known_again() {
        let dir = tempfile::tempdir().unwrap();
        let (images, rates) = (dir.path().join("images"), dir.path().join("rates"));
        let deck = rates.join("decks/a.csv");
        for folder in [&images, &rates.join("decks")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        for file in [&rates.join("plans.toml"), &deck] {
            std::fs::write(file, "one").unwrap();
        }
        let keep = |late: i64| {
            let at = Timestamp(Clock::wall().now().0 + late);
            let seen = Seen::of(&rates).unwrap();
            Reading::new(seen, at, ("t", "d"), guard::Rules::default(), Vec::new()).keep(&images);
        };
        let known = || Reading::kept(&images, &rates).map(|r| (r.tariff, r.directory));
        assert_eq!(known(), None, "nothing was read");
        keep(0);
        assert_eq!(known(), None, "the files are too young to be relied on");
        keep(10 * SETTLED);
        assert_eq!(known(), Some(("t".to_owned(), "d".to_owned())));
        // The same length and the same time of modification, as copying tools leave them.
        let modified = std::fs::metadata(&deck).unwrap().modified().unwrap();
        std::fs::write(&deck, "two").unwrap();
        std::fs::File::options().write(true).open(&deck).unwrap().set_modified(modified).unwrap();
        assert_eq!(known(), None);
        for change in [
            (|rates| std::fs::write(rates.join("free.csv"), "")) as fn(&Path) -> std::io::Result<()>,
            |rates| std::fs::create_dir(rates.join("free")).and_then(|()| std::fs::write(rates.join("free/x.csv"), "")),
            |rates| std::fs::remove_file(rates.join("decks/a.csv")),
        ] {
            keep(10 * SETTLED);
            assert!(known().is_some());
            change(&rates).unwrap();
            assert_eq!(known(), None);
        }
        keep(10 * SETTLED);
        std::fs::write(file(&images), "{").unwrap();
        assert_eq!(known(), None, "what is not whole is not believed");
    }
}
