//! The folder of images: tariffs and directories by the BLAKE3 of their content, mapped once and shared.
//!
//! An image is written and synced before any journal entry names it, and kept as long as anything kept names it.
//!
//! Does not know what an image means, nor when it comes into force.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hashbrown::HashMap;

use crate::directory::Directory;
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

/// Images by digest. The lock is taken when an image comes into force, never for a call.
#[derive(Default)]
pub struct Images {
    folder: PathBuf,
    tariffs: Mutex<HashMap<String, Arc<Tariff>>>,
    directories: Mutex<HashMap<String, Arc<Directory>>>,
}

impl Images {
    /// Over a folder, which is made if it is not there.
    pub fn open(folder: &Path) -> std::io::Result<Images> {
        std::fs::create_dir_all(folder)?;
        Ok(Images { folder: folder.to_owned(), ..Images::default() })
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

    /// The tariff of a digest.
    pub fn tariff(&self, digest: &str) -> Result<Arc<Tariff>, ImageMissing> {
        self.get(&self.tariffs, digest, "tariff", Tariff::open)
    }

    /// The directory of a digest.
    pub fn directory(&self, digest: &str) -> Result<Arc<Directory>, ImageMissing> {
        self.get(&self.directories, digest, "directory", Directory::open)
    }

    fn get<T>(
        &self,
        known: &Mutex<HashMap<String, Arc<T>>>,
        digest: &str,
        kind: &str,
        open: impl FnOnce(bytes::Bytes) -> Result<T, ImageError>,
    ) -> Result<Arc<T>, ImageMissing> {
        // A poisoned lock means a panic, after which this process is ending anyway.
        let mut known = known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(image) = known.get(digest) {
            return Ok(image.clone());
        }
        let path = self.path(digest, kind);
        let bytes = os::map::map_file(&path).map_err(|source| ImageMissing::Missing { path: path.clone(), source })?;
        let image = Arc::new(open(bytes).map_err(|source| ImageMissing::Damaged { path, source })?);
        known.insert(digest.to_owned(), image.clone());
        Ok(image)
    }

    fn path(&self, digest: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{digest}.{kind}"))
    }

    /// Written aside, synced, renamed, and the folder synced: a name in this folder always stands for whole content.
    fn write(&self, digest: &str, kind: &str, image: &[u8]) -> Result<(), ImageMissing> {
        let path = self.path(digest, kind);
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
