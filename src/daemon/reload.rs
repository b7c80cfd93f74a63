//! Reload: from the rates folder to what is in force. Compiles, keeps the images, and journals their activation; what is
//! in force stays if anything is wrong.
//!
//! Roll-back: an image of earlier is put in force by its digest. The rates folder still says what was rolled back from, so a
//! reload that nobody asked for by name (a start, a change of a file, SIGHUP, which also renews certificates) leaves its
//! tariff alone for as long as the folder gives that very tariff. The journal says so itself: the latest activation
//! names who asked for it, and the latest one of the folder what it gave.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use metrics::{Gauge, Unit, describe_gauge, gauge};
use tokio::sync::Mutex;

use super::changes::Waiting;
use super::reading::{Reading, Seen};
use super::recover::Known;
use crate::batch::{Batch, EntryKind, SourceId};
use crate::directory::{Composition, Directory};
use crate::entry::{Activation, BY_DIGEST};
use crate::guard::{self, Entered};
use crate::images::{ImageMissing, Images};
use crate::ingest::NotTaken;
use crate::os::clock::Clock;
use crate::rates::{CompiledRates, RatesError, RatesFolder};
use crate::road::Road;
use crate::tariff::{Finding, Severity, Tariff};
use crate::webhook;

mod outcome;

pub use outcome::{Activated, ReloadError, Reloaded};

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
    pub(super) images: Arc<Images>,
    pub(super) road: Road,
    pub(super) clock: Clock,
    /// Held while a reload or a change is under way; a reload takes seconds for a large deck.
    pub(super) known: Mutex<Held>,
    /// Changes of accounts and numbers that wait for it.
    pub(super) waiting: std::sync::Mutex<Vec<Waiting>>,
    /// Read by every question, so that none waits for a reload.
    in_force: ArcSwapOption<InForce>,
    pub(super) schedule: Arc<super::schedule::Schedule>,
    info: std::sync::Mutex<Option<Gauge>>,
}

/// What is held while a reload is under way.
pub(super) struct Held {
    pub(super) known: Known,
    /// The folder gave another tariff since the roll-back: whatever it gives is meant.
    folder_moved: bool,
    /// Nothing was loaded by this process.
    first: bool,
}

/// What the folder gives.
struct Given {
    tariff: Arc<Tariff>,
    directory: Arc<Directory>,
    guards: guard::Rules,
    findings: Vec<Finding>,
}

/// Who wants the folder in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Somebody asked for it: it comes into force, whatever was rolled back.
    Asked,
    /// It is looked at by itself: what was rolled back from stays out.
    Noticed,
}

impl Reloader {
    /// Over a folder; `known` says what is in force.
    pub fn new(folder: &Path, images: Arc<Images>, road: Road, clock: Clock, known: Known) -> Reloader {
        let digests = known.tariff.as_ref().zip(known.directory.as_ref());
        let images_known = digests.and_then(|(t, d)| images.tariff(t).ok().zip(images.directory(d).ok()));
        let reloader = Reloader {
            folder: folder.to_owned(),
            images,
            road,
            clock,
            waiting: std::sync::Mutex::default(),
            schedule: known.schedule.clone(),
            known: Mutex::new(Held { known, folder_moved: false, first: true }),
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

    /// The latest images, if there are any; [`Reloader::tariff_at`] says whether the tariff applies by now.
    pub fn in_force(&self) -> Option<Arc<InForce>> {
        self.in_force.load_full()
    }

    pub(super) fn put_in_force(&self, tariff: Arc<Tariff>, directory: Arc<Directory>) {
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
    pub async fn reload(&self, by: &str, wish: Wish, effective_from: Option<i64>) -> Result<Reloaded, ReloadError> {
        let mut held = self.known.lock().await;
        let Held { known, folder_moved, first } = &mut *held;
        let remembered = if std::mem::take(first) && wish == Wish::Noticed { self.remembered() } else { None };
        let Given { tariff, directory, guards, mut findings } = match remembered {
            Some(given) => given,
            None => self.read().await?,
        };
        let directory = self.with_changes(known.directory.as_deref(), directory, &mut findings).await?;
        let rolled_back = known.tariff != known.of_folder;
        *folder_moved |= known.of_folder.as_deref() != Some(tariff.digest());
        let mut left = None;
        let tariff = match &known.tariff {
            Some(in_force) if wish == Wish::Noticed && rolled_back && !*folder_moved => {
                left = Some(tariff.digest().to_owned());
                self.images.tariff(in_force)?
            }
            _ => tariff,
        };
        fits(&tariff, &directory)?;
        let tariff_changed = known.tariff.as_deref() != Some(tariff.digest());
        let directory_changed = known.directory.as_deref() != Some(directory.digest());
        let now = self.clock.now().0;
        let mut batch = Batch::new(SourceId(0));
        let activation = |digest: &str, effective_from| Activation {
            digest: digest.to_owned(),
            effective_from,
            activated_at: now,
            by: by.to_owned(),
        };
        if directory_changed {
            push(&mut batch, EntryKind::Directory, &activation(directory.digest(), None));
        }
        let from = if known.tariff.is_none() { None } else { Some(effective_from.unwrap_or(now)) };
        let of_tariff = activation(tariff.digest(), from);
        if tariff_changed {
            push(&mut batch, EntryKind::Tariff, &of_tariff);
        }
        let guards_changed = *known.guards != guards;
        let guards = Arc::new(guards);
        if guards_changed {
            let entered = Entered::Rules { rules: guards.as_ref().clone(), at: now, by: by.to_owned() };
            // Plain text and numbers always serialise.
            batch.push_entry(EntryKind::Guard, &serde_json::to_vec(&entered).unwrap_or_default());
        }
        if batch.entries() > 0 {
            self.road.enter(batch).await?;
        }
        let mut overtaken = Vec::new();
        if tariff_changed {
            overtaken = known.put_in_force(&of_tariff);
            if wish == Wish::Noticed {
                // Nobody waits for the answer.
                overtaken.iter().for_each(|one| tracing::warn!("{one}"));
            }
            *folder_moved = false;
        }
        known.directory = Some(directory.digest().to_owned());
        let rules = guards.rules.len();
        webhook::announce(&guards);
        known.guards = guards;
        self.put_in_force(tariff.clone(), directory.clone());
        Ok(Reloaded {
            tariff: tariff.digest().to_owned(),
            tariff_changed,
            directory: directory.digest().to_owned(),
            directory_changed,
            guards_changed,
            guards: rules,
            prefixes: tariff.prefixes(),
            accounts: directory.accounts(),
            left,
            overtaken,
            findings,
        })
    }

    /// What the folder gave when it was last read, if it is as it was. Whoever asks for the folder has it read anew.
    fn remembered(&self) -> Option<Given> {
        let Reading { tariff, directory, guards, findings, .. } = Reading::kept(self.images.folder(), &self.folder)?;
        let (tariff, directory) = (self.images.tariff(&tariff).ok()?, self.images.directory(&directory).ok()?);
        Some(Given { tariff, directory, guards, findings })
    }

    /// Reads and compiles the folder, and keeps the images.
    async fn read(&self) -> Result<Given, ReloadError> {
        let (folder, read_at) = (self.folder.clone(), self.clock.now());
        let compiled = tokio::task::spawn_blocking(move || {
            let before = Seen::of(&folder);
            let compiled = RatesFolder::read(&folder)?.compile()?;
            Ok::<_, RatesError>((compiled, before.filter(|before| Seen::of(&folder).as_ref() == Some(before))))
        });
        // A compiler that panics has aborted the process already.
        let (CompiledRates { tariff, directory, guards, findings }, seen) = match compiled.await {
            Ok(result) => result?,
            Err(_) => return Err(NotTaken::ShuttingDown.into()),
        };
        let tariff = self.images.keep_tariff(&tariff.image)?;
        let directory = self.images.keep_directory(&directory)?;
        if let Some(seen) = seen {
            let digests = (tariff.digest(), directory.digest());
            Reading::new(seen, read_at, digests, guards.clone(), findings.clone()).keep(self.images.folder());
        }
        Ok(Given { tariff, directory, guards, findings })
    }

    /// What the folder gives, with what was changed by itself on top.
    async fn with_changes(
        &self,
        in_force: Option<&str>,
        folder: Arc<Directory>,
        findings: &mut Vec<Finding>,
    ) -> Result<Arc<Directory>, ReloadError> {
        let Some(in_force) = in_force else { return Ok(folder) };
        let in_force = self.images.directory(in_force)?;
        if in_force.images().len() == 1 {
            return Ok(folder);
        }
        let same = in_force.images().first() == folder.images().first();
        let images = self.images.clone();
        let laid = tokio::task::spawn_blocking(move || {
            let directory = if same { in_force } else { relaid(&images, &in_force, &folder)? };
            if let Some((number, account)) = directory.owner_without_rows() {
                return Err(ReloadError::OwnerGone { number: number.to_string(), account });
            }
            let anew = directory.said_anew();
            Ok((directory, anew))
        });
        let (directory, (count, first)) = laid.await.unwrap_or(Err(NotTaken::ShuttingDown.into()))?;
        if count > 0 {
            findings.push(Finding {
                severity: Severity::Warning,
                file: "accounts.csv".to_owned(),
                line: 0,
                column: 0,
                message: format!(
                    "{count} account(s) are kept over the API, and their rows here are not read, such as {first:?}"
                ),
                hint: "take the rows out, or leave them: GET /v1/accounts/NAME tells who keeps an account".to_owned(),
            });
        }
        Ok(directory)
    }

    /// Puts an image of earlier in force from `effective_from` on (none: from now on). `by` says who asked.
    pub async fn activate(
        &self,
        digest: &str,
        by: &str,
        effective_from: Option<i64>,
    ) -> Result<Activated, ReloadError> {
        let mut held = self.known.lock().await;
        let (tariff, directory) = match (self.images.tariff(digest), &held.known.directory) {
            (Ok(tariff), Some(directory)) => (tariff, self.images.directory(directory)?),
            (Err(missing), _) => return Err(missing.into()),
            // Nothing is in force before the first reload, which every start begins with.
            (Ok(_), None) => return Err(NotTaken::ShuttingDown.into()),
        };
        fits(&tariff, &directory)?;
        let now = self.clock.now().0;
        let from = effective_from.unwrap_or(now);
        let by = format!("{BY_DIGEST}, {by}");
        let entry = Activation { digest: digest.to_owned(), effective_from: Some(from), activated_at: now, by };
        let mut batch = Batch::new(SourceId(0));
        push(&mut batch, EntryKind::Tariff, &entry);
        self.road.enter(batch).await?;
        let before = held.known.tariff.clone();
        let overtaken = held.known.put_in_force(&entry);
        held.folder_moved = false;
        let prefixes = tariff.prefixes();
        self.put_in_force(tariff, directory);
        Ok(Activated { before, effective_from: from, prefixes, overtaken })
    }
}

pub(super) fn push(batch: &mut Batch, kind: EntryKind, entry: &Activation) {
    // Plain text and numbers always serialise.
    batch.push_entry(kind, &serde_json::to_vec(entry).unwrap_or_default());
}

/// The upper images of a directory on another lowest one.
fn relaid(images: &Images, directory: &Directory, lowest: &Directory) -> Result<Arc<Directory>, ImageMissing> {
    let mut all = vec![images.directory(lowest.digest())?];
    for digest in directory.images().into_iter().skip(1) {
        all.push(images.directory(digest)?);
    }
    images.keep_composition(&Composition::of(&all))
}

/// Whether the accounts' plans are the tariff's.
fn fits(tariff: &Tariff, directory: &Directory) -> Result<(), ReloadError> {
    match directory.plan_names().iter().find(|plan| tariff.plan_named(plan).is_none()) {
        None => Ok(()),
        Some(plan) => Err(ReloadError::NoPlan { plan: plan.clone(), tariff: tariff.digest().to_owned() }),
    }
}
