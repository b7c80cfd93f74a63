//! How far interrupted imports got: `imports.json` in the data folder, an entry per file, gone once the file is done.
//!
//! A file is known again by its path and by the digest of its beginning, so that a log that has grown meanwhile goes on,
//! and another file under the same name begins anew. Losing this file costs only time: what is sent twice is recognised.
//!
//! Does not know what is imported.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::road::Became;

/// Name in the data folder.
const FILE: &str = "imports.json";
/// Bytes at the beginning of a file by which it is known again.
const HEAD: u64 = 64 << 10;

/// How far a file was imported.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Place {
    /// Bytes that are safe.
    pub offset: u64,
    /// Lines in them.
    pub line: u64,
    /// The heading of a CSV file.
    pub header: String,
    /// What became of them.
    pub became: Became,
    /// BLAKE3 of the first bytes, as many as are safe and at most [`HEAD`].
    head: String,
}

/// All of them.
pub(super) struct Progress {
    file: PathBuf,
    places: BTreeMap<String, Place>,
    warned: bool,
}

impl Progress {
    /// Reads what there is; a file that cannot be read counts as none.
    pub fn open(data_dir: &Path) -> Progress {
        let file = data_dir.join(FILE);
        let text = std::fs::read(&file).unwrap_or_default();
        Progress { file, places: serde_json::from_slice(&text).unwrap_or_default(), warned: false }
    }

    /// How far this file was imported, if it is the same one.
    pub fn find(&self, path: &Path, file: &mut File) -> Option<Place> {
        let place = self.places.get(&key(path))?;
        let long_enough = file.metadata().ok()?.len() >= place.offset;
        (long_enough && head(file, place.offset)? == place.head).then(|| place.clone())
    }

    /// Remembers how far it is now.
    pub fn note(&mut self, path: &Path, place: &mut Place) {
        if place.head.is_empty() || place.offset <= HEAD {
            place.head = File::open(path).ok().and_then(|mut f| head(&mut f, place.offset)).unwrap_or_default();
        }
        self.places.insert(key(path), place.clone());
        self.write();
    }

    /// It is done: imported again, it begins at its beginning.
    pub fn done(&mut self, path: &Path) {
        if self.places.remove(&key(path)).is_some() {
            self.write();
        }
    }

    fn write(&mut self) {
        let written = if self.places.is_empty() {
            std::fs::remove_file(&self.file)
        } else {
            let aside = self.file.with_extension("new");
            let text = serde_json::to_vec(&self.places).unwrap_or_default();
            std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, &self.file))
        };
        if let Err(error) = written
            && !std::mem::replace(&mut self.warned, true)
        {
            tracing::warn!("{} cannot be written, so an interrupted import begins anew: {error}", self.file.display());
        }
    }
}

fn key(path: &Path) -> String {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

/// Digest of the first bytes; the file stands somewhere else afterwards.
fn head(file: &mut File, offset: u64) -> Option<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(offset.min(HEAD)).read_to_end(&mut bytes).ok()?;
    Some(blake3::hash(&bytes).to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_again_by_its_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cdr.json");
        let open = || File::open(&path).unwrap();
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        let mut place = Place { offset: 8, line: 2, ..Place::default() };
        Progress::open(dir.path()).note(&path, &mut place);
        for (text, known) in
            [("one\ntwo\nthree\nfour\n", true), ("one\ntwo\n", true), ("one\ntwO\nthree\n", false), ("one\n", false)]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Progress::open(dir.path()).find(&path, &mut open()).is_some(), known, "{text:?}");
        }
        let mut progress = Progress::open(dir.path());
        progress.done(&path);
        assert!(!dir.path().join(FILE).exists());
    }
}
