//! The index: generations of tables over one log.
//!
//! Does not know what a verdict leads to.

use std::path::Path;
use std::sync::Arc;

use super::filter::{Filter, FilterJob, Filtering};
use super::grow::{AHEAD, Grown, Growth, Job, fill, insert_all};
use super::log::{Entry, Log, SLOT};
use super::rebuild::{self, Scan};
use super::table::Table;
use super::{IdentityError, Key, Rebuilt, Settings, Verdict, log};
use crate::batch::Position;
use crate::os::disk::Disk;
use crate::record::{Content, Identity};

/// Keys handled between two looks at growth.
const TURN: usize = if cfg!(test) { 16 } else { 1024 };
/// Slots that a helper may leave to the index itself; where more have come meanwhile, it goes on.
const LAST_STEP: u64 = if cfg!(test) { 50 } else { 8192 };
/// Of these, brought over into the larger table in one turn: each is a miss of the cache, so that all at once would hold a
/// batch up for milliseconds. More than come in a turn, so that it has an end.
const BRING: u64 = 2 * TURN as u64;
/// Tables and filters larger than this are given back to the system by another thread: it takes milliseconds.
const SLOW_TO_DROP: usize = 8 << 20;

/// What the index has done beside answering, since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Chores {
    /// Writes of the log that were due.
    pub writes: u64,
    /// Times a helper was sent to build a larger table, or to go on with it.
    pub growths: u64,
    /// Times a larger table took the place of a full one.
    pub taken_over: u64,
    /// Generations begun.
    pub generations: u64,
}

impl Chores {
    /// What was done since an earlier look.
    pub fn since(self, before: Chores) -> Chores {
        Chores {
            writes: self.writes - before.writes,
            growths: self.growths - before.growths,
            taken_over: self.taken_over - before.taken_over,
            generations: self.generations - before.generations,
        }
    }
}

/// The identity index; one owner.
pub struct IdentityIndex {
    log: Log,
    settings: Settings,
    /// Oldest first; the last one takes new entries. Never empty.
    generations: Vec<Generation>,
    growth: Option<Growth>,
    /// A larger table that lacks only what came last.
    arriving: Option<Grown>,
    /// The first table of the next generation, while the last one fills up.
    next: Option<Growth>,
    /// Says which identities may be in full generations.
    filter: Option<Filter>,
    /// One that knows of more of them.
    filtering: Option<Filtering>,
    entries: u64,
    latched: bool,
    chores: Chores,
}

/// A table and where its entries begin.
pub(super) struct Generation {
    /// Slot of ordinal 0.
    pub base: u64,
    pub table: Table,
}

impl IdentityIndex {
    /// Opens the index in a folder, making an empty one where there is none, and builds it from its log. Entries at or
    /// beyond `durable_end`, the journal's end, are dropped.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: &Settings,
        durable_end: Position,
    ) -> Result<(IdentityIndex, Rebuilt), IdentityError> {
        let (file, path, created) = log::open_file(disk.as_ref(), dir, settings.folder)?;
        let scan = rebuild::scan(Arc::clone(&file), &path, settings, durable_end)?;
        let Scan { log, generations, kept, entries, cut, dropped, stale } = scan;
        let (settings, chores) = (settings.clone(), Chores::default());
        let mut index = IdentityIndex {
            log,
            settings,
            generations,
            growth: None,
            arriving: None,
            next: None,
            filter: None,
            filtering: None,
            entries,
            latched: false,
            chores,
        };
        for entry in kept {
            index.insert(entry)?;
        }
        index.settle(stale)?;
        let covered = index.log.covered;
        let rebuilt = Rebuilt { created, entries: index.entries, covered, cut, dropped };
        Ok((index, rebuilt))
    }

    /// Decides for every key in turn, as if they came one by one, and appends the verdicts to `out`. New ones are known
    /// from then on, durable after the next [`IdentityIndex::sync`].
    ///
    /// A full disk does not show here but at the next sync; meanwhile new entries stay in memory.
    pub fn check(&mut self, batch: &[Key], out: &mut Vec<Verdict>) -> Result<(), IdentityError> {
        if self.latched {
            return Err(IdentityError::Latched);
        }
        out.reserve(batch.len());
        let done = self.check_all(batch, out);
        self.latched = done.is_err();
        done
    }

    /// Makes everything checked so far durable, together with the word that every record before `covered` has been
    /// checked. Called at each flush marker, before the store learns of the position.
    pub fn sync(&mut self, covered: Position) -> Result<(), IdentityError> {
        if self.latched {
            return Err(IdentityError::Latched);
        }
        let done = self.log.sync(covered);
        self.latched = matches!(&done, Err(error) if !matches!(error, IdentityError::NoSpace { .. }));
        done
    }

    /// Content and first position of an identity, if it is known.
    pub fn find(&self, identity: Identity) -> Result<Option<(Content, Position)>, IdentityError> {
        Ok(self.known(identity)?.map(|entry| (entry.content, entry.position)))
    }

    /// Identities known.
    pub fn len(&self) -> u64 {
        self.entries
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// See [`Rebuilt::covered`]; moves with each [`IdentityIndex::sync`].
    pub fn covered(&self) -> Position {
        self.log.covered
    }

    /// Bytes of memory held, a table being built not counted.
    pub fn memory_bytes(&self) -> usize {
        let tables: usize = self.generations.iter().map(|generation| generation.table.bytes()).sum();
        tables + self.filter.as_ref().map_or(0, Filter::bytes) + self.log.pending.capacity()
    }

    /// What it has done beside answering.
    pub fn chores(&self) -> Chores {
        self.chores
    }

    /// Generations of tables.
    pub fn generations(&self) -> usize {
        self.generations.len()
    }

    fn check_all(&mut self, batch: &[Key], out: &mut Vec<Verdict>) -> Result<(), IdentityError> {
        for turn in batch.chunks(TURN) {
            self.tend()?;
            turn.iter().take(AHEAD).for_each(|key| self.prefetch(key.identity));
            for (at, key) in turn.iter().enumerate() {
                if let Some(ahead) = turn.get(at + AHEAD) {
                    self.prefetch(ahead.identity);
                }
                let verdict = match self.known(key.identity)? {
                    None => {
                        let Key { identity, content, position } = *key;
                        self.insert(Entry { identity, content, position })?;
                        Verdict::New
                    }
                    Some(known) if known.position == key.position => Verdict::Itself,
                    Some(known) if known.content == key.content => Verdict::Duplicate { first: known.position },
                    Some(known) => Verdict::Conflict { first: known.position },
                };
                out.push(verdict);
            }
            if self.log.is_due() {
                self.write()?;
            }
        }
        Ok(())
    }

    #[inline]
    fn prefetch(&self, identity: Identity) {
        let filtered = self.filter.as_ref().map_or(0, |filter| {
            filter.prefetch(identity);
            filter.generations
        });
        self.generations.iter().skip(filtered).for_each(|generation| generation.table.prefetch(identity));
    }

    /// The entry of an identity, newest generation first: repeats mostly come soon.
    #[inline]
    fn known(&self, identity: Identity) -> Result<Option<Entry>, IdentityError> {
        let filtered = self.filter.as_ref().map_or(0, |filter| filter.generations);
        for (number, generation) in self.generations.iter().enumerate().rev() {
            if number + 1 == filtered && self.filter.as_ref().is_some_and(|filter| !filter.may_hold(identity)) {
                break;
            }
            let place = generation.table.place(identity);
            let found = generation.table.find(place, |ordinal| {
                let entry = self.log.entry(generation.base + u64::from(ordinal))?;
                Ok::<_, IdentityError>(entry.filter(|entry| entry.identity == identity))
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    #[inline]
    fn insert(&mut self, entry: Entry) -> Result<(), IdentityError> {
        while self.generations.last().is_none_or(|last| last.table.is_full()) {
            self.make_room()?;
        }
        let slot = self.log.push(entry);
        if let Some(last) = self.generations.last_mut() {
            let place = last.table.place(entry.identity);
            last.table.insert(place, (slot - last.base) as u32);
        }
        self.entries += 1;
        Ok(())
    }

    /// Writes what waits; a full disk is left for the next sync to report.
    fn write(&mut self) -> Result<(), IdentityError> {
        self.chores.writes += 1;
        match self.log.write() {
            Err(IdentityError::NoSpace { .. }) => Ok(()),
            done => done,
        }
    }

    /// Looks after growth: takes over a table that is ready, begins one that will be needed. Never waits.
    fn tend(&mut self) -> Result<(), IdentityError> {
        self.tend_filter()?;
        if self.arriving.is_some() || self.growth.as_ref().is_some_and(Growth::is_ready) {
            return self.take_over(BRING);
        }
        let Some(last) = self.generations.last() else { return Ok(()) };
        let (count, capacity) = (last.table.count(), last.table.capacity());
        if capacity >= self.settings.generation_entries {
            if count >= capacity {
                return self.begin_generation();
            }
            if self.next.is_none() && count >= capacity / 8 * 7 {
                self.next = Some(self.prepare_generation()?);
            }
            Ok(())
        } else if self.growth.is_none() && count >= capacity / 4 * 3 {
            self.begin_growth()
        } else {
            Ok(())
        }
    }

    /// Takes over a filter that is ready, begins one that knows of the generations that are full by now.
    fn tend_filter(&mut self) -> Result<(), IdentityError> {
        if let Some(filtering) = self.filtering.take_if(|filtering| filtering.is_ready()) {
            let filter = filtering.finish(&self.log.path)?;
            if let Some(old) = self.filter.replace(filter).filter(|old| old.bytes() > SLOW_TO_DROP) {
                drop_aside(old);
            }
        }
        let Some((last, full)) = self.generations.split_last() else { return Ok(()) };
        let known = self.filter.as_ref().map_or(0, |filter| filter.generations);
        // What a full disk keeps from the file, no filter can be made of.
        if self.filtering.is_none() && known < full.len() && self.log.written >= last.base {
            let (file, path) = (Arc::clone(&self.log.file), self.log.path.clone());
            let job = FilterJob { file, path, generations: full.len(), upto: last.base };
            self.filtering = Some(Filtering::start(job, self.settings.helper)?);
        }
        Ok(())
    }

    /// The last table can take nothing more: waits for its successor. Only a flood comes here, for a table is begun to
    /// be doubled when 60 in 100 places are taken and is full at 95.
    fn make_room(&mut self) -> Result<(), IdentityError> {
        if self.arriving.is_some() || self.growth.is_some() {
            return self.take_over(u64::MAX);
        }
        let largest =
            self.generations.last().is_none_or(|last| last.table.capacity() >= self.settings.generation_entries);
        if largest { self.begin_generation() } else { self.begin_growth() }
    }

    /// A generation begins with room enough that its first doublings do not come faster than a busy helper can follow:
    /// each is half the time after the one before.
    fn prepare_generation(&self) -> Result<Growth, IdentityError> {
        let Settings { start_entries, generation_entries, helper, .. } = self.settings;
        let capacity = start_entries.max(generation_entries / 16).min(generation_entries);
        let (file, path) = (Arc::clone(&self.log.file), self.log.path.clone());
        Growth::start(Job { file, path, base: 0, begun: Err(capacity), upto: 0 }, helper)
    }

    fn begin_generation(&mut self) -> Result<(), IdentityError> {
        let table = match self.next.take() {
            Some(next) if next.is_ready() => next.finish(&self.log.path)?.table,
            // A flood: nothing is waited for, and what was prepared is given back.
            _ => {
                let capacity = self.settings.start_entries.min(self.settings.generation_entries);
                Table::new(capacity).map_err(IdentityError::io("find memory to index", &self.log.path))?
            }
        };
        self.generations.push(Generation { base: self.log.slots(), table });
        self.chores.generations += 1;
        Ok(())
    }

    fn begin_growth(&mut self) -> Result<(), IdentityError> {
        let Some(last) = self.generations.last() else { return Ok(()) };
        let capacity = last.table.capacity().max(1).saturating_mul(2).min(self.settings.generation_entries);
        self.send_helper(Err(capacity))
    }

    fn send_helper(&mut self, begun: Result<Grown, usize>) -> Result<(), IdentityError> {
        self.write()?;
        self.chores.growths += 1;
        let base = self.generations.last().map_or(0, |last| last.base);
        let (file, path) = (Arc::clone(&self.log.file), self.log.path.clone());
        // Nothing of the generation may be in the file yet.
        let upto = self.log.written.max(base);
        self.growth = Some(Growth::start(Job { file, path, base, begun, upto }, self.settings.helper)?);
        Ok(())
    }

    /// Waits for the helper if need be, or sends it for another round if much has come since. Else brings over some of
    /// that, at most so many slots; once nothing is left the new table takes the old one's place.
    fn take_over(&mut self, most: u64) -> Result<(), IdentityError> {
        let mut grown = match (self.arriving.take(), self.growth.take()) {
            (Some(arriving), _) => arriving,
            (None, Some(growth)) => {
                let grown = growth.finish(&self.log.path)?;
                if self.log.written > grown.upto + LAST_STEP {
                    return self.send_helper(Ok(grown));
                }
                grown
            }
            (None, None) => return Ok(()),
        };
        let Some(last) = self.generations.last_mut() else { return Ok(()) };
        let end = self.log.slots().min(grown.upto.saturating_add(most));
        fill(&mut grown, self.log.file.as_ref(), &self.log.path, last.base, self.log.written.min(end))?;
        // What is not in the file yet; a generation may have begun within it.
        let (from, upto) = (grown.upto - self.log.written.min(grown.upto), end - self.log.written.min(end));
        if let Some(pending) = self.log.pending.get(from as usize * SLOT..upto as usize * SLOT) {
            insert_all(&mut grown.table, pending, grown.upto - last.base);
        }
        grown.upto = end;
        if end < self.log.slots() {
            self.arriving = Some(grown);
            return Ok(());
        }
        self.chores.taken_over += 1;
        let old = std::mem::replace(&mut last.table, grown.table);
        if old.bytes() > SLOW_TO_DROP {
            drop_aside(old);
        }
        Ok(())
    }

    /// Makes what opening changed durable before anything is built on it.
    fn settle(&mut self, changed: bool) -> Result<(), IdentityError> {
        if changed {
            self.log.seal();
        }
        self.log.sync(self.log.covered)
    }
}

/// Drops something large on a thread of its own, or here if none can be had.
fn drop_aside<T: Send + 'static>(large: T) {
    let _ = std::thread::Builder::new().name("identity-drop".into()).spawn(move || drop(large));
}
