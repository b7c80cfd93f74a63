//! Reading the log at start: checks every stretch, finds where the log ends, and fills the tables.
//!
//! Does not know how the index is used afterwards.

use std::path::Path;
use std::sync::Arc;

use super::grow::{BLOCK, insert_all};
use super::index::Generation;
use super::log::{Entry, HEAD, Log, SLOT, STRETCH, Seal, Stored, offset_of, parse};
use super::table::Table;
use super::{IdentityError, Settings};
use crate::batch::Position;
use crate::os::disk::DiskFile;

/// What the log held.
pub(super) struct Scan {
    /// Open for appending, the tail cut.
    pub log: Log,
    pub generations: Vec<Generation>,
    /// Good entries found behind the first dropped one; they are to be appended again.
    pub kept: Vec<Entry>,
    /// Entries in the tables.
    pub entries: u64,
    /// Bytes cut because they were not wholly written.
    pub cut: u64,
    /// Entries beyond the journal's end.
    pub dropped: u64,
    /// The last seal in the file says more than is true now.
    pub stale: bool,
}

/// Reads the log from its start.
pub(super) fn scan(
    file: Arc<dyn DiskFile>,
    path: &Path,
    settings: &Settings,
    durable_end: Position,
) -> Result<Scan, IdentityError> {
    let length = file.len().map_err(IdentityError::io("ask for the length of", path))?;
    let slots = length.saturating_sub(HEAD) / SLOT as u64;
    let mut reader = Blocks { file: file.as_ref(), path, slots, block: Vec::new(), first: 0 };
    let mut builder = Builder { settings, generations: Vec::new(), entries: 0, slots };
    let (mut at, mut last_seal) = (0, None);
    let (mut dropping, mut kept, mut dropped) = (None, Vec::new(), 0);
    while let Some((entries, seal)) = stretch(reader.from(at)?, at) {
        let here = entries.len() / SLOT;
        let beyond = |slot: &[u8; SLOT]| matches!(parse(slot), Stored::Entry(entry) if entry.position >= durable_end);
        if dropping.is_none() {
            let good = entries.as_chunks().0.iter().position(beyond).unwrap_or(here);
            builder.add(&entries[..good * SLOT], at)?;
            if good < here {
                dropping = Some((at, at + good as u64));
            }
        }
        if let Some((_, from)) = dropping {
            let skip = from.saturating_sub(at) as usize;
            for slot in &entries.as_chunks().0[skip..] {
                match parse(slot) {
                    Stored::Entry(entry) if entry.position < durable_end => kept.push(entry),
                    _ => dropped += 1,
                }
            }
        }
        at += here as u64 + 1;
        last_seal = Some(seal);
    }
    if reader.says_durable(at)? {
        let (file, what) = (path.to_path_buf(), "entries that were synced do not check");
        return Err(IdentityError::Damaged { file, offset: offset_of(at), what });
    }
    let cut = length - offset_of(at);
    if cut > 0 {
        file.truncate(offset_of(at)).map_err(IdentityError::io("cut", path))?;
        reader.end_at(at);
    }
    // What was read may so far live in the system's memory only (the process was killed, not the machine), even after a
    // failed sync; so what is not known to be durable is written once more. The index syncs it before it is used.
    let synced = last_seal.map_or(0, |seal| seal.synced);
    reader.rewrite(synced, at)?;
    file.sync_data().map_err(IdentityError::io("sync", path))?;

    let sealed = last_seal.map_or(Position(0), |seal| seal.covered);
    let covered = sealed.min(durable_end);
    let stale = covered < sealed || dropping.is_some();
    let end = dropping.map_or(at, |(_, from)| from);
    let mut log = Log::new(Arc::clone(&file), path.to_path_buf(), end, covered);
    if let Some((start, from)) = dropping {
        // The stretch stays open where it was cut.
        let mut open = vec![0; (from - start) as usize * SLOT];
        file.read_exact_at(&mut open, offset_of(start)).map_err(IdentityError::io("read", path))?;
        log.resume(&open);
        file.truncate(offset_of(from)).map_err(IdentityError::io("cut", path))?;
        file.sync_data().map_err(IdentityError::io("sync", path))?;
    }
    let entries = builder.entries;
    if builder.generations.is_empty() {
        builder.begin(end)?;
    }
    Ok(Scan { log, generations: builder.generations, kept, entries, cut, dropped, stale })
}

/// The stretch at the start of some slots, if it is whole: its entries' bytes and its seal.
fn stretch(slots: &[u8], first: u64) -> Option<(&[u8], Seal)> {
    // Only the top bit is looked at on the way: it is all that tells a seal from an entry.
    let last =
        slots.as_chunks::<SLOT>().0.iter().take(STRETCH as usize + 1).position(|slot| slot[SLOT - 1] >> 7 == 1)?;
    let (entries, seal) = (slots.get(..last * SLOT)?, slots.get(last * SLOT..(last + 1) * SLOT)?);
    let Stored::Seal(found) = parse(seal.try_into().ok()?) else { return None };
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(entries);
    checksum.update(&seal[..24]);
    (found.slot == first + last as u64 && found.checksum == checksum.finalize()).then_some((entries, found))
}

/// Fills tables with slots in order.
struct Builder<'a> {
    settings: &'a Settings,
    generations: Vec<Generation>,
    entries: u64,
    slots: u64,
}

impl Builder<'_> {
    /// Adds entries whose first lies in slot `first`.
    fn add(&mut self, mut entries: &[u8], mut first: u64) -> Result<(), IdentityError> {
        while !entries.is_empty() {
            let room = self.generations.last().map_or(0, |last| last.table.capacity() - last.table.count());
            if room == 0 {
                self.begin(first)?;
                continue;
            }
            let (now, later) = entries.split_at((room * SLOT).min(entries.len()));
            if let Some(last) = self.generations.last_mut() {
                self.entries += insert_all(&mut last.table, now, first - last.base) as u64;
            }
            first += (now.len() / SLOT) as u64;
            entries = later;
        }
        Ok(())
    }

    /// Begins a generation large enough for what is left to come, as growth would have made it.
    fn begin(&mut self, base: u64) -> Result<(), IdentityError> {
        let Settings { start_entries, generation_entries, .. } = *self.settings;
        let left = self.slots.saturating_sub(base);
        let mut capacity = start_entries.max(1);
        while capacity < generation_entries && (capacity / 4 * 3) as u64 <= left {
            capacity = capacity.saturating_mul(2);
        }
        let table = Table::new(capacity.min(generation_entries.max(1)));
        let table = table.map_err(IdentityError::io("find memory to index", "the identity log"))?;
        self.generations.push(Generation { base, table });
        Ok(())
    }
}

/// Reads the log's slots in blocks.
struct Blocks<'a> {
    file: &'a dyn DiskFile,
    path: &'a Path,
    slots: u64,
    block: Vec<u8>,
    /// Slot at the start of the block.
    first: u64,
}

impl Blocks<'_> {
    /// The slots from one on: at least a whole stretch, or all there are.
    fn from(&mut self, slot: u64) -> Result<&[u8], IdentityError> {
        let wanted = (self.slots - slot).min(u64::from(STRETCH) + 1);
        let held = self.first + (self.block.len() / SLOT) as u64;
        if slot < self.first || slot + wanted > held {
            let bytes = ((self.slots - slot) * SLOT as u64).min(BLOCK as u64);
            self.block.resize(bytes as usize, 0);
            self.file.read_exact_at(&mut self.block, offset_of(slot)).map_err(IdentityError::io("read", self.path))?;
            self.first = slot;
        }
        Ok(&self.block[(slot - self.first) as usize * SLOT..])
    }

    /// The file ends before this slot now: what is held of later ones is gone.
    fn end_at(&mut self, slot: u64) {
        self.slots = slot;
        self.block.truncate((slot.saturating_sub(self.first) as usize).saturating_mul(SLOT));
    }

    /// Whether a seal behind slot `from` says that the slot was durable when the seal was written.
    fn says_durable(&mut self, from: u64) -> Result<bool, IdentityError> {
        let mut at = from;
        while at < self.slots {
            let slots = self.from(at)?.as_chunks::<SLOT>().0;
            for (n, slot) in slots.iter().enumerate() {
                if let Stored::Seal(seal) = parse(slot)
                    && seal.slot == at + n as u64
                    && seal.synced > from
                    && seal.synced <= seal.slot
                {
                    return Ok(true);
                }
            }
            at += slots.len() as u64;
        }
        Ok(false)
    }

    /// Writes some slots again as they are.
    fn rewrite(&mut self, from: u64, to: u64) -> Result<(), IdentityError> {
        let mut at = from;
        while at < to {
            let path = self.path;
            let file = self.file;
            let slots = self.from(at)?;
            let bytes = ((to - at) as usize * SLOT).min(slots.len());
            file.write_all_at(&slots[..bytes], offset_of(at)).map_err(IdentityError::io("write", path))?;
            at += (bytes / SLOT) as u64;
        }
        Ok(())
    }
}
