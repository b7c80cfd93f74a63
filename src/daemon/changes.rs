//! Changes of accounts and numbers by themselves: those that wait at the same time become one image on top of the
//! directory in force, and come into force as one directory.
//!
//! ```text
//! rates folder ─▶ lowest image ─┐
//!        older changes ─▶ image ┼─ composition, named by its digest ─▶ journal ─▶ in force
//!           last changes ─▶ image ┘
//! ```
//!
//! A small image is put together with the next small one, a large one seldom, so that a change costs as little beside a
//! million accounts as beside ten.
//!
//! Does not know how a change is asked for, nor what it does to calls.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;

use super::reload::{InForce, Reloader, push};
use crate::batch::{Batch, EntryKind, SourceId};
use crate::directory::{self, Change, Composition, Directory, Layer, Refusal, revision};
use crate::entry::{Activation, BY_CHANGE, DirectoryChange};
use crate::images::{ImageMissing, Images};
use crate::ingest::NotTaken;
use crate::nearest::did_you_mean;
use crate::number::Number;
use crate::tariff::Tariff;

/// An image with fewer accounts and numbers is always put together with the next change.
const SMALL: usize = 64;
/// One that has not more than so many times as much as what comes on top of it is put together with it: each is written
/// again at most so many times, and a million accounts are six images.
const RATIO: usize = 16;
/// Most names in one journal entry: half a mebibyte, if they are as long as can be.
const NAMES_MAX: usize = 3000;
/// Most of what was asked that is kept word for word in the journal.
const ASKED_MAX: usize = 16 << 10;

/// What somebody wants changed.
pub struct Wanted {
    /// The change.
    pub change: Change,
    /// Who asks.
    pub by: String,
    /// As it was asked, for the journal.
    pub asked: Vec<Value>,
    /// Only if it is so.
    pub only_if: Option<(Subject, Expected)>,
}

/// What a condition is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// An account.
    Account(String),
    /// A number.
    Number(Number),
}

impl Subject {
    fn revision(&self, directory: &Directory, pending: &Layer) -> Option<String> {
        match self {
            Subject::Account(name) => {
                let rows = pending.accounts.get(&**name).cloned().unwrap_or_else(|| directory.rows_of(name));
                (!rows.is_empty()).then(|| revision(&rows))
            }
            Subject::Number(number) => {
                let owners = pending.numbers.get(number).cloned().unwrap_or_else(|| directory.owners_of(*number));
                (!owners.is_empty()).then(|| revision(&owners))
            }
        }
    }
}

/// What is expected of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// One of these revisions.
    Revision(Vec<String>),
    /// It is there.
    Present,
    /// It is not there.
    Absent,
}

/// What a change did.
#[derive(Clone, Debug)]
pub struct Done {
    /// The directory in force now.
    pub directory: Arc<Directory>,
    /// Accounts and numbers that are no longer what they were.
    pub accounts: usize,
    /// The same for numbers.
    pub numbers: usize,
    /// The earliest instant in the past from which something is said anew; `i64::MAX`: none.
    pub since: i64,
    /// Warnings.
    pub warnings: Vec<Refusal>,
}

/// Why nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It cannot be done.
    #[error("{} fault(s)", .0.len())]
    Refused(Vec<Refusal>),
    /// It is another revision by now.
    #[error("it is no longer what you saw: its revision is {}", .0.as_deref().unwrap_or("none, it is not there"))]
    Moved(Option<String>),
    /// More than an image can number.
    #[error("too large for one image: more {0}")]
    TooLarge(String),
    /// The images cannot be kept.
    #[error("{0}")]
    Image(String),
    /// It could not be journalled.
    #[error(transparent)]
    Journal(#[from] NotTaken),
}

/// A change that waits for its turn.
pub(super) struct Waiting {
    wanted: Wanted,
    reply: oneshot::Sender<Result<Done, ChangeError>>,
}

/// A change that was worked out, with the names that it changes.
struct Worked {
    reply: oneshot::Sender<Result<Done, ChangeError>>,
    accounts: Vec<String>,
    numbers: Vec<Number>,
    since: i64,
    warnings: Vec<Refusal>,
    by: String,
    asked: Vec<Value>,
}

impl Reloader {
    /// Changes accounts and numbers: whole or not at all. Returns once it is durable and in force.
    ///
    /// # Errors
    /// What stands against it.
    pub async fn change(self: &Arc<Self>, wanted: Wanted) -> Result<Done, ChangeError> {
        let (reply, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(Waiting { wanted, reply });
        // Goes on though the one who asked is gone: the others' changes are in it.
        let reloader = self.clone();
        tokio::spawn(async move { reloader.change_all_that_wait().await });
        answer.await.unwrap_or(Err(NotTaken::ShuttingDown.into()))
    }

    async fn change_all_that_wait(&self) {
        let mut held = self.known.lock().await;
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        // Whoever came before took ours along.
        if waiting.is_empty() {
            return;
        }
        // Nothing is in force before the first reload, which every start begins with; the replies are dropped.
        let Some(in_force) = self.in_force() else { return };
        let (tariff, images) = (in_force.tariff.clone(), self.images.clone());
        let worked = tokio::task::spawn_blocking(move || work_out(&images, &in_force, waiting));
        let Ok((worked, directory)) = worked.await else { return };
        if worked.is_empty() {
            return;
        }
        match directory {
            Ok((directory, true)) => {
                if let Err(not_taken) = self.journal(&worked, &directory).await {
                    for one in worked {
                        let _ = one.reply.send(Err(not_taken.into()));
                    }
                    return;
                }
                held.known.directory = Some(directory.digest().to_owned());
                self.put_in_force(tariff, directory.clone());
                answer(worked, &directory);
            }
            Ok((directory, false)) => answer(worked, &directory),
            Err(error) => {
                for one in worked {
                    let _ = one.reply.send(Err(match &error {
                        ChangeError::TooLarge(what) => ChangeError::TooLarge(what.clone()),
                        error => ChangeError::Image(error.to_string()),
                    }));
                }
            }
        }
    }

    async fn journal(&self, worked: &[Worked], directory: &Directory) -> Result<(), NotTaken> {
        let at = self.clock.now().0;
        let mut batch = Batch::new(SourceId(0));
        for one in worked {
            let names = one.accounts.iter().map(|name| (true, name.clone()));
            let numbers = one.numbers.iter().map(|number| (false, format!("+{number}")));
            let names: Vec<(bool, String)> = names.chain(numbers).collect();
            for (i, part) in names.chunks(NAMES_MAX).enumerate() {
                let of = |account: bool| part.iter().filter(|n| n.0 == account).map(|n| n.1.clone()).collect();
                let asked = if i == 0 { one.asked.clone() } else { Vec::new() };
                let entry = DirectoryChange { by: one.by.clone(), at, accounts: of(true), numbers: of(false), asked };
                // Plain text and numbers always serialise.
                batch.push_entry(EntryKind::DirectoryChange, &serde_json::to_vec(&entry).unwrap_or_default());
                // What goes ahead of its directory is only a hint for a history: one that stays alone does no harm.
                if batch.entries() >= 4 {
                    self.road.enter(std::mem::replace(&mut batch, Batch::new(SourceId(0)))).await?;
                }
            }
        }
        let mut names: Vec<&str> = worked.iter().filter(|one| one.changes()).map(|one| &*one.by).collect();
        names.dedup();
        let by = match names[..] {
            [name] => format!("{BY_CHANGE}, {name}"),
            _ => BY_CHANGE.to_owned(),
        };
        let digest = directory.digest().to_owned();
        push(&mut batch, EntryKind::Directory, &Activation { digest, effective_from: None, activated_at: at, by });
        self.road.enter(batch).await.map(|_| ())
    }
}

impl Worked {
    fn changes(&self) -> bool {
        !self.accounts.is_empty() || !self.numbers.is_empty()
    }
}

fn answer(worked: Vec<Worked>, directory: &Arc<Directory>) {
    for one in worked {
        let _ = one.reply.send(Ok(Done {
            directory: directory.clone(),
            accounts: one.accounts.len(),
            numbers: one.numbers.len(),
            since: one.since,
            warnings: one.warnings,
        }));
    }
}

/// A directory, and whether it is another one than before.
type CameTo = (Arc<Directory>, bool);

/// What can be done of what waits, and the directory that it comes to.
fn work_out(images: &Images, in_force: &InForce, waiting: Vec<Waiting>) -> (Vec<Worked>, Result<CameTo, ChangeError>) {
    let InForce { tariff, directory } = in_force;
    let mut all = Layer::default();
    let mut worked = Vec::with_capacity(waiting.len());
    for Waiting { wanted, reply } in waiting {
        match edited(tariff, directory, &all, &wanted) {
            Err(error) => drop(reply.send(Err(error))),
            Ok(directory::Edited { layer, warnings, since }) => {
                let asked = wanted.asked;
                let short = asked.iter().map(|asked| asked.to_string().len()).sum::<usize>() <= ASKED_MAX;
                worked.push(Worked {
                    reply,
                    accounts: layer.accounts.keys().map(|name| name.to_string()).collect(),
                    numbers: layer.numbers.keys().copied().collect(),
                    since: if since < wanted.change.now.0 { since } else { i64::MAX },
                    warnings,
                    by: wanted.by,
                    asked: if short { asked } else { Vec::new() },
                });
                all.then(layer);
            }
        }
    }
    if all.items() == 0 {
        return (worked, Ok((directory.clone(), false)));
    }
    let laid = laid_on(images, directory, all).map(|directory| (directory, true));
    (worked, laid)
}

fn edited(
    tariff: &Tariff,
    directory: &Directory,
    before: &Layer,
    wanted: &Wanted,
) -> Result<directory::Edited, ChangeError> {
    if let Some((subject, expected)) = &wanted.only_if {
        let found = subject.revision(directory, before);
        let met = match (expected, &found) {
            (Expected::Revision(revisions), Some(found)) => revisions.contains(found),
            (Expected::Present, found) => found.is_some(),
            (Expected::Absent, found) => found.is_none(),
            (Expected::Revision(_), None) => false,
        };
        if !met {
            return Err(ChangeError::Moved(found));
        }
    }
    let edited = directory::changed(directory, before, &wanted.change).map_err(ChangeError::Refused)?;
    let misfits = misfits(tariff, &edited.layer);
    if misfits.is_empty() { Ok(edited) } else { Err(ChangeError::Refused(misfits)) }
}

/// Accounts whose plan or country the tariff does not know: none of their calls could be rated.
fn misfits(tariff: &Tariff, layer: &Layer) -> Vec<Refusal> {
    let plans = || tariff.plans().iter().map(|plan| plan.name.as_str());
    let mut found = Vec::new();
    for (name, rows) in &layer.accounts {
        let mut refuse = |field: &str, message: String, hint: String| {
            found.push(Refusal { line: 0, field: field.to_owned(), message, hint, conflict: None });
        };
        for row in rows {
            let plan = &*row.terms.plan;
            if tariff.plan_named(plan).is_none() {
                let hint = did_you_mean(plan, plans(), "add it to plans.toml");
                refuse(
                    "plan",
                    format!("account {name:?} would have plan {plan:?}, which plans.toml does not have"),
                    hint,
                );
                break;
            }
            let [a, b] = row.terms.country;
            if tariff.countries().get(crate::number::Country([a, b, b' '])).is_none() {
                let country = String::from_utf8_lossy(&row.terms.country).into_owned();
                let message =
                    format!("account {name:?} would be in country {country}, which countries.toml does not have");
                refuse("country", message, "write ISO 3166 alpha-2, such as DE, or add the country there".to_owned());
                break;
            }
            let mut lists = row.terms.free.split(';').filter(|list| !list.is_empty());
            if let Some(list) = lists.find(|list| tariff.free_list(list).is_none()) {
                let known = tariff.free_lists().iter().map(|list| list.name.as_str());
                let hint = did_you_mean(list, known, &format!("there is no free/{list}.csv"));
                refuse(
                    "free",
                    format!("account {name:?} would have the list of free numbers {list:?}, which has no file"),
                    hint,
                );
                break;
            }
        }
        if found.len() >= 100 {
            break;
        }
    }
    found
}

/// The directory with rows on top.
fn laid_on(images: &Images, directory: &Directory, top: Layer) -> Result<Arc<Directory>, ChangeError> {
    let missing = |e: ImageMissing| ChangeError::Image(e.to_string());
    if !top.back.is_empty() {
        return laid_anew(images, directory, top);
    }
    let (known_accounts, known_numbers) = (directory.accounts(), directory.numbers());
    let new_accounts = top.accounts.keys().filter(|name| directory.account_named(name.as_bytes()).is_none()).count();
    let new_numbers = top.numbers.keys().filter(|number| directory.owners_of(**number).is_empty()).count();
    let mut layers: Vec<String> = directory.images().into_iter().map(str::to_owned).collect();
    let items = directory.image_items();
    let mut top = top;
    while layers.len() > 1 && items[layers.len() - 1] <= SMALL.max(RATIO * top.items()) {
        top.absorb(directory.layer(layers.len() - 1));
        layers.pop();
    }
    let image = top.image().map_err(ChangeError::TooLarge)?;
    layers.push(images.keep_directory(&image).map_err(missing)?.digest().to_owned());
    let accounts = known_accounts + new_accounts as u32;
    let numbers = known_numbers + new_numbers as u64;
    images.keep_composition(&Composition { layers, accounts, numbers }).map_err(missing)
}

/// The same where something goes back to the files: all upper images become one that does not name it, or none.
fn laid_anew(images: &Images, directory: &Directory, mut top: Layer) -> Result<Arc<Directory>, ChangeError> {
    let missing = |e: ImageMissing| ChangeError::Image(e.to_string());
    let layers = directory.images();
    for at in (1..layers.len()).rev() {
        top.absorb(directory.layer(at));
    }
    let top = top.without_back();
    let lowest = images.directory(layers.first().unwrap_or(&"")).map_err(missing)?;
    if top.items() == 0 {
        return Ok(lowest);
    }
    let image = top.image().map_err(ChangeError::TooLarge)?;
    let all = [lowest, images.keep_directory(&image).map_err(missing)?];
    images.keep_composition(&Composition::of(&all)).map_err(missing)
}
