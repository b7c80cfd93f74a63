//! Recovery: store, images, journal and identity index of a data folder, opened and checked against each other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::assembly::{self, Assembly, CallKey};
use crate::batch::{EntryKind, Position};
use crate::books::Books;
use crate::call::TariffSlot;
use crate::config::Config;
use crate::entry::Activation;
use crate::exit::Exit;
use crate::flush::{FlushState, HELD_BYTES_MAX, Spill};
use crate::identity::{self, IdentityIndex, Key};
use crate::images::Images;
use crate::journal::{self, Journal, JournalError, JournalReader};
use crate::money::Money;
use crate::names::Names;
use crate::os::clock::Clock;
use crate::os::disk::{Disk, RealDisk};
use crate::period::{Ledger, Seals};
use crate::piece::Piece;
use crate::poison;
use crate::rating::{self, Answered};
use crate::record::Record;
use crate::resolver::{KnownTariff, ResolverState};
use crate::store::sqlite::SqliteStore;
use crate::store::{ActivationRow, SourceRow, Store, StoreError, StoredState};
use crate::time::Timestamp;

use super::rest::{Coming, Rest, share, unbalanced};

pub use super::exits::{flush_exit, identity_exit, image_exit, journal_exit, resolver_exit, store_exit};
pub use super::known::Known;

/// Everything a data folder holds, opened.
pub struct Recovered {
    /// Invoice storage, opened; every part goes on from the position it holds.
    pub store: Arc<dyn Store>,
    /// Compiled tariffs and directories by digest.
    pub images: Arc<Images>,
    /// The journal, cut to its last whole frame and ready to append.
    pub journal: Journal,
    /// Which records were seen, complete up to the stored position.
    pub identity: IdentityIndex,
    /// What months that close are sealed by.
    pub seals: Arc<Seals>,
    /// What the resolver starts from, without names.
    pub resolver: ResolverState,
    /// Names, and what each shard starts from.
    pub coming: Coming,
    /// What the flush starts from: position, books, tariffs by slot.
    pub flush: FlushState,
    /// The latest activations and listeners that the store has; the replay completes them.
    pub known: Known,
    /// What the start found and mended, in one sentence each.
    pub report: Vec<String>,
}

/// What a state is recovered from, as far as it is not in the journal and the identity index themselves.
pub struct Ground {
    /// Where journal and identity index lie.
    pub disk: Arc<dyn Disk>,
    /// The data folder on it.
    pub folder: PathBuf,
    /// Invoice storage.
    pub store: Arc<dyn Store>,
    /// Compiled tariffs and directories by digest.
    pub images: Arc<Images>,
    /// What the journal is like; the positions in it are those of the store, whatever stands here.
    pub journal: journal::Settings,
    /// What the identity index is like.
    pub identity: identity::Settings,
    /// How many shards there are to be.
    pub shards: usize,
    /// Positions on which the process died twice.
    pub set_aside: Vec<Position>,
    /// Most bytes of flushes that wait for the store in memory.
    pub in_memory: u64,
}

/// Opens what a configuration names.
pub fn recover(config: &Config) -> Result<(Recovered, Vec<Rest>), Exit> {
    let store: Arc<dyn Store> = Arc::new(open_store(&config.store, LOCK_WAIT)?);
    let images = Images::open(&config.data_dir.join("images"))
        .map_err(|e| Exit::environment(format!("the folder of images cannot be made: {e}")))?;
    let (recovered, rest) = begin_from(Ground {
        disk: Arc::new(RealDisk),
        folder: config.data_dir.clone(),
        store,
        images: Arc::new(images),
        journal: journal::Settings { min_free: config.journal.min_free.0, ..journal::Settings::default() },
        identity: identity::Settings::default(),
        shards: config.shards,
        set_aside: poison::set_aside(&config.data_dir),
        in_memory: config.flush_memory.map_or(HELD_BYTES_MAX, |bytes| bytes.0),
    })?;
    poison::forget_before(&config.data_dir, recovered.flush.position)
        .map_err(|e| Exit::environment(format!("{} cannot be written: {e}", config.data_dir.display())))?;
    Ok((recovered, rest))
}

/// How long a start waits for a store that another process has locked whole: a copy or a check of the file ends within
/// that time as a rule, and whoever started us tries again.
const LOCK_WAIT: Duration = Duration::from_secs(20);

/// Opens the store; waits for it that long, and says so, where another process has it for itself. One that is only being
/// written by another process can be opened: flushes wait for it then, and everything else goes on.
pub fn open_store(path: &Path, patience: Duration) -> Result<SqliteStore, Exit> {
    let clock = Clock::wall();
    let (begun, mut said) = (clock.running(), false);
    loop {
        match SqliteStore::open(path) {
            // Each try waits a while by itself.
            Err(StoreError::Busy) if clock.since(begun) < patience => {
                if !std::mem::replace(&mut said, true) {
                    let (path, seconds) = (path.display(), patience.as_secs());
                    tracing::warn!("the store {path} is locked by another process; waiting {seconds} s for it");
                }
            }
            Err(StoreError::Busy) => {
                return Err(Exit::environment(format!(
                    "the store {} is locked by another process, and was for {} s; end that process (`fuser` names it), then start again",
                    path.display(),
                    clock.since(begun).as_secs()
                )));
            }
            opened => return opened.map_err(store_exit),
        }
    }
}

/// Opens it all, and reads the rest.
pub fn recover_from(ground: Ground) -> Result<Recovered, Exit> {
    let (recovered, rest) = begin_from(ground)?;
    for rest in rest {
        (rest.read)()?();
    }
    Ok(recovered)
}

/// Opens it all, in the order in which one depends on the other. Resolver and shards wait for the rest.
pub fn begin_from(ground: Ground) -> Result<(Recovered, Vec<Rest>), Exit> {
    let Ground { disk, folder, store, images, journal, identity, shards, set_aside, in_memory } = ground;
    let mut report = Vec::new();
    let spill_disk = disk.clone();
    let seals = Seals::new(store.clone(), images.clone(), disk.clone(), &folder.join("sealing"));
    let start = store.start().map_err(store_exit)?;
    let books = Books::from_stored(start.state.books.iter().cloned());
    let (state, coming, rest) = share(start, shards, &books);

    // What is not stored is replayed, which checks each frame when it reads it: once is enough.
    let settings = journal::Settings { verify_from: Position(u64::MAX), at_least: state.position, ..journal };
    let (journal, recovery) = Journal::open(disk.clone(), &folder.join("journal"), &settings).map_err(journal_exit)?;
    report.extend(recovery.cut.map(|cut| cut.to_string()));
    if state.position < recovery.first {
        return Err(Exit::damaged(format!(
            "the store stands at position {}, but the journal begins at {}: segments that were not stored yet are gone; \
             restore both from one backup",
            state.position, recovery.first
        )));
    }
    let (identity, rebuilt) =
        IdentityIndex::open(disk, &folder.join("identity"), &identity, journal.durable()).map_err(identity_exit)?;
    let identity = catch_up(identity, &rebuilt, &journal, state.position, store.as_ref())?;
    if rebuilt.cut > 0 {
        report.push(format!("cut {} bytes off the identity index: they were never synced", rebuilt.cut));
    }

    let known = Known::stored(&state);
    let mut resolver = resolver_state(&state, &images, &known)?;
    // What is stored is never rated again, and a restored folder goes on at positions that may have been others' before.
    resolver.set_aside = set_aside.into_iter().filter(|position| *position >= state.position).collect();
    report.extend(books.check().iter().map(unbalanced));
    let flush = FlushState {
        position: state.position,
        books,
        tariffs: state.tariffs.iter().map(|t| t.digest.clone()).collect(),
        // What lies there was made from the journal and is made again from it.
        spill: Spill::open(spill_disk, &folder.join("spill")).map_err(Exit::environment)?,
        in_memory,
        least_margin: Money::ZERO,
    };
    let seals = Arc::new(seals);
    Ok((Recovered { store, images, journal, identity, seals, resolver, coming, flush, known, report }, rest))
}

/// The index is synced before the store takes a position, so it covers that position; an index that was removed or lost
/// its end is fed again from the journal, as long as that still holds the records.
fn catch_up(
    mut identity: IdentityIndex,
    rebuilt: &identity::Rebuilt,
    journal: &Journal,
    stored: Position,
    store: &dyn Store,
) -> Result<IdentityIndex, Exit> {
    if rebuilt.covered >= stored {
        return Ok(identity);
    }
    let gone = |error| match error {
        JournalError::Gone { .. } => Exit::damaged(format!(
            "the identity index knows records up to position {} only, and the journal no longer holds those up to \
             {stored}: restore both from one backup",
            rebuilt.covered
        )),
        error => journal_exit(error),
    };
    let reader = journal.reader();
    // Calls told in parts are known by what the store says of them: the journal may no longer have their first pieces.
    let mut assembled = store.assembled(rebuilt.covered, usize::MAX).map_err(store_exit)?.into_iter().peekable();
    let (mut keys, mut verdicts) = (Vec::new(), Vec::new());
    for frame in reader.frames_from(rebuilt.covered) {
        let frame = frame.map_err(gone)?;
        if frame.position >= stored {
            break;
        }
        keys.clear();
        verdicts.clear();
        for entry in frame.entries() {
            let damaged = |e: String| Exit::damaged(format!("journal entry at position {}: {e}", entry.position));
            match EntryKind::from_byte(entry.kind) {
                Some(EntryKind::Record) => {
                    let record = Record::decode(entry.payload).map_err(|e| damaged(e.to_string()))?;
                    if rating::answered(&record) == Answered::Yes {
                        keys.push(key_of(&record, entry.position));
                    }
                }
                Some(EntryKind::Piece) => {
                    let Some(call) = assembled.next_if(|call| call.position == entry.position) else { continue };
                    if let Some((identity, content)) = call.known_by {
                        keys.push(Key { identity, content, position: entry.position });
                        continue;
                    }
                    let whole = put_together(&reader, &call.pieces).map_err(gone)?;
                    let whole = whole.ok_or_else(|| damaged("its call cannot be put together".to_owned()))?;
                    let record = Record::decode(&whole).map_err(|e| damaged(e.to_string()))?;
                    keys.push(key_of(&record, entry.position));
                }
                _ => {}
            }
        }
        identity.check(&keys, &mut verdicts).map_err(identity_exit)?;
    }
    identity.sync(stored).map_err(identity_exit)?;
    Ok(identity)
}

fn key_of(record: &Record<'_>, position: Position) -> Key {
    Key { identity: record.identity(), content: record.content(), position }
}

/// The canonical record of a call from the places of its pieces; none if they are no longer what they were.
pub fn put_together(journal: &JournalReader, places: &[Position]) -> Result<Option<Vec<u8>>, JournalError> {
    let mut found = Vec::with_capacity(places.len());
    for place in places {
        let Some((head, entry)) = journal.entry(*place)? else { return Ok(None) };
        found.push((Timestamp(head.received_at.get()), entry));
    }
    let pieces: Option<Vec<_>> =
        found.iter().map(|(at, entry)| Some((*at, Piece::decode(&entry.payload).ok()?))).collect();
    Ok(pieces.and_then(|pieces| assembly::rebuild(&pieces)))
}

fn resolver_state(state: &StoredState, images: &Images, known: &Known) -> Result<ResolverState, Exit> {
    let mut tariffs = Vec::with_capacity(state.tariffs.len());
    for row in &state.tariffs {
        let tariff = images.tariff(&row.digest).map_err(image_exit)?;
        tariffs.push(KnownTariff { slot: TariffSlot(row.slot as u16), activation: activation(row), tariff });
    }
    let directory = match state.directories.last() {
        Some(row) => Some(images.directory(&row.digest).map_err(image_exit)?),
        None => None,
    };
    Ok(ResolverState {
        accounts: Names::default(),
        groups: Names::default(),
        sources: known.sources.clone(),
        profiles: profiles(&state.sources),
        tariffs,
        directory,
        directories: state.directories.len() as u32,
        set_aside: Vec::new(),
        periods: Ledger::before(&state.periods, state.position).with_runs(&state.reruns, state.position),
        assembly: assembly(state)?,
        guards: state.guards.as_ref().map(|row| row.rules.clone()).unwrap_or_default(),
        attempts: state.retried.iter().map(|r| ((r.key.position, r.key.leg), r.attempt)).collect(),
    })
}

/// Where the latest settings of each listener were journalled.
fn profiles(rows: &[SourceRow]) -> Vec<Position> {
    let mut places = Vec::new();
    for row in rows {
        let index = usize::from(row.source.0);
        if places.len() <= index {
            places.resize(index + 1, Position::default());
        }
        places[index] = row.position;
    }
    places
}

/// Calls told in parts that are not whole yet.
fn assembly(state: &StoredState) -> Result<Assembly, Exit> {
    let mut assembly = Assembly::default();
    for (key, bytes) in &state.open_calls {
        assembly.load(CallKey(*key), bytes).map_err(|e| Exit::damaged(format!("the store: {e}")))?;
    }
    Ok(assembly)
}

fn activation(row: &ActivationRow) -> Activation {
    Activation {
        digest: row.digest.clone(),
        effective_from: row.effective_from.map(|t| t.0),
        activated_at: row.activated_at.0,
        by: row.by.clone(),
    }
}
