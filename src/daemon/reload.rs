//! Reload: from the rates folder to what is in force. Compiles, keeps the images, and journals their activation; what is
//! in force stays if anything is wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use metrics::{Gauge, Unit, describe_gauge, gauge};
use tokio::sync::Mutex;

use super::recover::Known;
use crate::batch::{Batch, EntryKind, SourceId};
use crate::directory::Directory;
use crate::entry::Activation;
use crate::images::{ImageMissing, Images};
use crate::ingest::NotTaken;
use crate::os::clock::Clock;
use crate::rates::{CompiledRates, RatesError, RatesFolder};
use crate::road::Road;
use crate::tariff::{Finding, Tariff};

/// Says what the metrics of this part mean; once, after the recorder is installed.
pub fn describe() {
    describe_gauge!("callrated_tariff_prefixes", Unit::Count, "Distinct prefixes of the tariff in force");
    describe_gauge!("callrated_accounts", Unit::Count, "Accounts of the directory in force");
    describe_gauge!("callrated_tariff_info", "1, labelled with the digest of the tariff in force");
}

/// The images in force. Both stand and fall together: what reads one reads the other.
#[derive(Clone)]
pub struct InForce {
    /// The tariff.
    pub tariff: Arc<Tariff>,
    /// The directory.
    pub directory: Arc<Directory>,
}

/// Reloads one rates folder, one at a time.
pub struct Reloader {
    folder: PathBuf,
    images: Arc<Images>,
    road: Road,
    clock: Clock,
    /// Held while a reload is under way, which takes seconds for a large deck.
    known: Mutex<Known>,
    /// Read by every question, so that none waits for a reload.
    in_force: ArcSwapOption<InForce>,
    info: std::sync::Mutex<Option<Gauge>>,
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
        let images_known = match (&known.tariff, &known.directory) {
            (Some(tariff), Some(directory)) => images.tariff(tariff).ok().zip(images.directory(directory).ok()),
            _ => None,
        };
        let reloader = Reloader {
            folder: folder.to_owned(),
            images,
            road,
            clock,
            known: Mutex::new(known),
            in_force: ArcSwapOption::empty(),
            info: std::sync::Mutex::new(None),
        };
        if let Some((tariff, directory)) = images_known {
            reloader.put_in_force(tariff, directory);
        }
        reloader
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The images in force, if there are any.
    pub fn in_force(&self) -> Option<Arc<InForce>> {
        self.in_force.load_full()
    }

    fn put_in_force(&self, tariff: Arc<Tariff>, directory: Arc<Directory>) {
        gauge!("callrated_tariff_prefixes").set(tariff.prefixes() as f64);
        gauge!("callrated_accounts").set(f64::from(directory.accounts()));
        let info = gauge!("callrated_tariff_info", "digest" => tariff.digest().to_owned());
        let before = self.info.lock().unwrap_or_else(std::sync::PoisonError::into_inner).replace(info.clone());
        if let Some(before) = before {
            before.set(0.0);
        }
        info.set(1.0);
        // What can be charged is shown before anything is.
        for plan in tariff.plans() {
            let currency = String::from_utf8_lossy(&plan.currency).into_owned();
            let _ = gauge!("callrated_charged_total", "currency" => currency);
        }
        self.in_force.store(Some(Arc::new(InForce { tariff, directory })));
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
        self.put_in_force(tariff.clone(), directory.clone());
        Ok(Reloaded {
            tariff: tariff.digest().to_owned(),
            tariff_changed,
            directory: directory.digest().to_owned(),
            directory_changed,
            prefixes: tariff.prefixes(),
            accounts: directory.accounts(),
            findings,
        })
    }
}
