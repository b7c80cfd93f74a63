//! Reload: from the rates folder to what is in force. Compiles, keeps the images, and journals their activation; what is
//! in force stays if anything is wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::recover::Known;
use crate::batch::{Batch, EntryKind, SourceId};
use crate::entry::Activation;
use crate::images::{ImageMissing, Images};
use crate::ingest::NotTaken;
use crate::os::clock::Clock;
use crate::rates::{CompiledRates, RatesError, RatesFolder};
use crate::road::Road;
use crate::tariff::{Finding, Tariff};

/// Reloads one rates folder, one at a time.
pub struct Reloader {
    folder: PathBuf,
    images: Arc<Images>,
    road: Road,
    clock: Clock,
    known: Mutex<Known>,
}

/// What a reload did.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// Digest of the tariff in force.
    pub tariff: String,
    /// It is another one than before.
    pub tariff_changed: bool,
    /// Digest of the directory in force.
    pub directory: String,
    /// It is another one than before.
    pub directory_changed: bool,
    /// Distinct prefixes of the tariff.
    pub prefixes: u64,
    /// Accounts of the directory.
    pub accounts: u32,
    /// Warnings.
    pub findings: Vec<Finding>,
}

/// Why nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The folder is wrong or cannot be read.
    #[error(transparent)]
    Rates(#[from] RatesError),
    /// The images cannot be kept.
    #[error(transparent)]
    Image(#[from] ImageMissing),
    /// The activation could not be journalled.
    #[error(transparent)]
    Journal(#[from] NotTaken),
}

impl Reloader {
    /// Over a folder; `known` says what is in force.
    pub fn new(folder: &Path, images: Arc<Images>, road: Road, clock: Clock, known: Known) -> Reloader {
        Reloader { folder: folder.to_owned(), images, road, clock, known: Mutex::new(known) }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The images in force, if there are any.
    pub async fn in_force(&self) -> Option<(String, String)> {
        let known = self.known.lock().await;
        Some((known.tariff.clone()?, known.directory.clone()?))
    }

    /// Reads, compiles and, where something changed, puts it in force from `effective_from` on (none: the tariff from
    /// now on; a first tariff reaches back for ever). `by` says who asked.
    pub async fn reload(&self, by: &str, effective_from: Option<i64>) -> Result<Reloaded, ReloadError> {
        let mut known = self.known.lock().await;
        let folder = self.folder.clone();
        let compiled = tokio::task::spawn_blocking(move || RatesFolder::read(&folder)?.compile());
        // A compiler that panics has aborted the process already.
        let CompiledRates { tariff, directory, findings } = match compiled.await {
            Ok(result) => result?,
            Err(_) => return Err(NotTaken::ShuttingDown.into()),
        };
        let tariff: Arc<Tariff> = self.images.keep_tariff(&tariff.image)?;
        let directory = self.images.keep_directory(&directory)?;
        let tariff_changed = known.tariff.as_deref() != Some(tariff.digest());
        let directory_changed = known.directory.as_deref() != Some(directory.digest());
        let now = self.clock.now().0;
        let mut batch = Batch::new(SourceId(0));
        let mut activate = |kind, digest: &str, effective_from| {
            let entry = Activation { digest: digest.to_owned(), effective_from, activated_at: now, by: by.to_owned() };
            // Plain text and numbers always serialise.
            batch.push_entry(kind, &serde_json::to_vec(&entry).unwrap_or_default());
        };
        if directory_changed {
            activate(EntryKind::Directory, directory.digest(), None);
        }
        if tariff_changed {
            let from = if known.tariff.is_none() { None } else { Some(effective_from.unwrap_or(now)) };
            activate(EntryKind::Tariff, tariff.digest(), from);
        }
        if batch.entries() > 0 {
            self.road.enter(batch).await?;
        }
        known.tariff = Some(tariff.digest().to_owned());
        known.directory = Some(directory.digest().to_owned());
        metrics::gauge!("callrated_tariff_prefixes").set(tariff.prefixes() as f64);
        metrics::gauge!("callrated_accounts").set(f64::from(directory.account_index_count()));
        metrics::gauge!("callrated_tariff_info", "digest" => tariff.digest().to_owned()).set(1.0);
        Ok(Reloaded {
            tariff: tariff.digest().to_owned(),
            tariff_changed,
            directory: directory.digest().to_owned(),
            directory_changed,
            prefixes: tariff.prefixes(),
            accounts: directory.account_index_count(),
            findings,
        })
    }
}
