//! The folder of images: tariffs and directories by the BLAKE3 of their content, mapped once and shared.
//!
//! An image is written and synced before any journal entry names it, and kept as long as anything kept names it.
//!
//! Does not know what an image means, nor when it comes into force.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hashbrown::{HashMap, HashSet};

use crate::directory::{Composition, Directory};
use crate::os;
use crate::tariff::{ImageError, Tariff};

/// An image that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ImageMissing {
    /// Not in the folder.
    #[error("the image {path} is missing, but the journal or the store names it: {source}")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There, but not what it was.
    #[error("the image {path} is {source}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: ImageError,
    },
    /// It could not be written.
    #[error("the image {path} cannot be written: {source}")]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Images that stay open though nobody uses them: what was in force long ago is asked for seldom. A directory that changes
/// all day leaves thousands behind.
const OPEN_MAX: usize = 256;

/// Files up to this long are read, not mapped: the system has few mappings to give, and a page for each.
const READ_MAX: u64 = 64 << 10;

fn read(path: &Path) -> std::io::Result<bytes::Bytes> {
    match path.metadata()?.len() {
        0..=READ_MAX => std::fs::read(path).map(Into::into),
        _ => os::map::map_file(path),
    }
}

/// Why an image that is there could not be opened.
#[derive(Debug)]
enum Unopened {
    Damaged(ImageError),
    /// One that it names.
    Missing(ImageMissing),
}

impl From<ImageError> for Unopened {
    fn from(error: ImageError) -> Unopened {
        Unopened::Damaged(error)
    }
}

impl From<ImageMissing> for Unopened {
    fn from(missing: ImageMissing) -> Unopened {
        Unopened::Missing(missing)
    }
}

/// Images by digest. The lock is taken when an image comes into force, never for a call.
#[derive(Default)]
pub struct Images {
    folder: PathBuf,
    tariffs: Mutex<HashMap<String, Arc<Tariff>>>,
    directories: Mutex<HashMap<String, Arc<Directory>>>,
    /// What was kept since the start, by its first digits: the entry that names it may still be on its way into the store.
    fresh: Mutex<HashSet<u64>>,
}

fn first_digits(digest: &str) -> u64 {
    digest.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

impl Images {
    /// Over a folder, which is made if it is not there.
    pub fn open(folder: &Path) -> std::io::Result<Images> {
        std::fs::create_dir_all(folder)?;
        Ok(Images { folder: folder.to_owned(), ..Images::default() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps a freshly compiled tariff; its digest.
    pub fn keep_tariff(&self, image: &[u8]) -> Result<Arc<Tariff>, ImageMissing> {
        let tariff = Tariff::open(bytes::Bytes::copy_from_slice(image))
            .map_err(|source| ImageMissing::Damaged { path: PathBuf::from("(in memory)"), source })?;
        self.write(tariff.digest(), "tariff", image)?;
        self.tariff(tariff.digest())
    }

    /// Keeps a freshly compiled directory; its digest.
    pub fn keep_directory(&self, image: &[u8]) -> Result<Arc<Directory>, ImageMissing> {
        let directory = Directory::open(bytes::Bytes::copy_from_slice(image))
            .map_err(|source| ImageMissing::Damaged { path: PathBuf::from("(in memory)"), source })?;
        self.write(directory.digest(), "directory", image)?;
        self.directory(directory.digest())
    }

    /// Keeps a directory that consists of images kept before, and opens it.
    pub fn keep_composition(&self, composition: &Composition) -> Result<Arc<Directory>, ImageMissing> {
        let digest = composition.digest();
        self.write(&digest, "directory", &composition.bytes())?;
        self.directory(&digest)
    }

    /// The tariff of a digest.
    pub fn tariff(&self, digest: &str) -> Result<Arc<Tariff>, ImageMissing> {
        self.get(&self.tariffs, digest, "tariff", |bytes| Ok(Tariff::open(bytes)?))
    }

    /// The directory of a digest.
    pub fn directory(&self, digest: &str) -> Result<Arc<Directory>, ImageMissing> {
        self.get(&self.directories, digest, "directory", |bytes| match Composition::read(&bytes) {
            None => Ok(Directory::open(bytes)?),
            Some(composition) => self.composed(digest, &composition?),
        })
    }

    fn composed(&self, digest: &str, composition: &Composition) -> Result<Directory, Unopened> {
        if composition.digest() != digest {
            return Err(ImageError::Damaged("it is another one than its name says").into());
        }
        let mut images = Vec::with_capacity(composition.layers.len());
        for layer in &composition.layers {
            images.push(self.get(&self.directories, layer, "directory", |bytes| Ok(Directory::open(bytes)?))?);
        }
        Ok(Directory::compose(composition, images)?)
    }

    fn get<T>(
        &self,
        known: &Mutex<HashMap<String, Arc<T>>>,
        digest: &str,
        kind: &str,
        open: impl FnOnce(bytes::Bytes) -> Result<T, Unopened>,
    ) -> Result<Arc<T>, ImageMissing> {
        // A poisoned lock means a panic, after which this process is ending anyway.
        let lock = || known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(image) = lock().get(digest) {
            return Ok(image.clone());
        }
        let path = self.path(digest, kind);
        let bytes = read(&path).map_err(|source| ImageMissing::Missing { path: path.clone(), source })?;
        // Not under the lock: a directory may consist of others. Who opens it at the same time opens the same.
        let image = Arc::new(open(bytes).map_err(|unopened| match unopened {
            Unopened::Damaged(source) => ImageMissing::Damaged { path, source },
            Unopened::Missing(missing) => missing,
        })?);
        let mut known = lock();
        if known.len() >= OPEN_MAX {
            known.retain(|_, image| Arc::strong_count(image) > 1);
        }
        Ok(known.entry(digest.to_owned()).or_insert(image).clone())
    }

    /// The images of which a directory consists; none: it is one itself, or is not there.
    pub fn layers_of_directory(&self, digest: &str) -> Vec<String> {
        let bytes = read(&self.path(digest, "directory")).unwrap_or_default();
        Composition::read(&bytes).and_then(Result::ok).map_or_else(Vec::new, |composition| composition.layers)
    }

    /// Bytes of a directory's file; none: it is not there.
    pub fn bytes_of_directory(&self, digest: &str) -> Option<u64> {
        self.path(digest, "directory").metadata().ok().map(|metadata| metadata.len())
    }

    /// Deletes a directory, unless it was kept since the start; whether it is gone. Who has it open goes on with it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn delete_directory(&self, digest: &str) -> std::io::Result<bool> {
        // Held meanwhile: what is kept again is written again.
        let fresh = self.fresh.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if fresh.contains(&first_digits(digest)) {
            return Ok(false);
        }
        self.directories.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(digest);
        match std::fs::remove_file(self.path(digest, "directory")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(true),
        }
    }

    /// What was deleted up to here is gone after a power cut, too, whatever is deleted next.
    ///
    /// # Errors
    /// The system refuses.
    pub fn sync_deletions(&self) -> std::io::Result<()> {
        std::fs::File::open(&self.folder)?.sync_all()
    }

    fn path(&self, digest: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{digest}.{kind}"))
    }

    /// Written aside, synced, renamed, and the folder synced: a name in this folder always stands for whole content.
    fn write(&self, digest: &str, kind: &str, image: &[u8]) -> Result<(), ImageMissing> {
        let path = self.path(digest, kind);
        // Held meanwhile: two that keep the same image would rename one file.
        let mut fresh = self.fresh.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        fresh.insert(first_digits(digest));
        if path.metadata().is_ok_and(|m| m.len() == image.len() as u64) {
            return Ok(());
        }
        let aside = path.with_extension(format!("{kind}.new"));
        let written = std::fs::File::create(&aside)
            .and_then(|mut file| {
                std::io::Write::write_all(&mut file, image)?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&aside, &path))
            .and_then(|()| std::fs::File::open(&self.folder)?.sync_all());
        written.map_err(|source| ImageMissing::Unwritable { path, source })
    }
}
