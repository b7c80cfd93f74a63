//! A larger table, built from the log by a helper thread while the one in use goes on serving.
//!
//! Does not know what is asked meanwhile; the index brings the last entries over itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::IdentityError;
use super::log::{Entry, SLOT, Slot, Stored, offset_of, parse};
use super::table::Table;
use crate::os::disk::DiskFile;

/// Bytes of the log read at once.
pub(super) const BLOCK: usize = 1 << 20;
/// Entries fetched ahead: with 5 to 10 ns of work for each, enough to hide a miss of 100 to 200 ns.
pub(super) const AHEAD: usize = 24;

/// A table being built.
pub(super) enum Growth {
    Aside(JoinHandle<Result<Grown, IdentityError>>),
    Done(Result<Grown, IdentityError>),
}

/// A table that holds the entries of the slots from its generation's base to `upto`.
pub(super) struct Grown {
    pub table: Table,
    pub upto: u64,
}

/// What to put into which table.
pub(super) struct Job {
    pub file: Arc<dyn DiskFile>,
    pub path: PathBuf,
    /// First slot of the generation.
    pub base: u64,
    /// A table begun before and how far it is, or the capacity of a new one.
    pub begun: Result<Grown, usize>,
    /// Slots before this one are in the file.
    pub upto: u64,
}

impl Growth {
    /// Sets a helper to work, or does it at once.
    pub fn start(job: Job, helper: bool) -> Result<Growth, IdentityError> {
        if !helper {
            return Ok(Growth::Done(job.run()));
        }
        let path = job.path.clone();
        let spawned = std::thread::Builder::new().name("identity-grow".into()).spawn(move || job.run());
        spawned.map(Growth::Aside).map_err(IdentityError::io("start a thread to index", path))
    }

    /// Whether the result can be had without waiting.
    pub fn is_ready(&self) -> bool {
        match self {
            Growth::Aside(thread) => thread.is_finished(),
            Growth::Done(_) => true,
        }
    }

    /// The result; waits for it.
    pub fn finish(self, path: &Path) -> Result<Grown, IdentityError> {
        let died = |_| IdentityError::io("index", path)(io::Error::other("the helper thread died"));
        match self {
            Growth::Aside(thread) => thread.join().map_err(died)?,
            Growth::Done(done) => done,
        }
    }
}

impl Job {
    fn run(self) -> Result<Grown, IdentityError> {
        let mut grown = match self.begun {
            Ok(grown) => grown,
            Err(capacity) => {
                let mut table = Table::new(capacity).map_err(IdentityError::io("find memory to index", &self.path))?;
                table.touch();
                Grown { table, upto: self.base }
            }
        };
        fill(&mut grown, self.file.as_ref(), &self.path, self.base, self.upto)?;
        Ok(grown)
    }
}

/// Puts the entries of the file's slots up to `upto` into a table.
pub(super) fn fill(
    grown: &mut Grown,
    file: &dyn DiskFile,
    path: &Path,
    base: u64,
    upto: u64,
) -> Result<(), IdentityError> {
    let mut block = vec![0; BLOCK.min((upto.saturating_sub(grown.upto) as usize).saturating_mul(SLOT))];
    while grown.upto < upto {
        let bytes = ((upto - grown.upto) * SLOT as u64).min(BLOCK as u64) as usize;
        let block = &mut block[..bytes];
        file.read_exact_at(block, offset_of(grown.upto)).map_err(IdentityError::io("read", path))?;
        insert_all(&mut grown.table, block, grown.upto - base);
        grown.upto += (bytes / SLOT) as u64;
    }
    Ok(())
}

/// Puts the entries among some slots into a table that has room for them; the first slot has the number `ordinal` in
/// the table's generation. Says how many entries there were.
pub(super) fn insert_all(table: &mut Table, slots: &[u8], ordinal: u64) -> usize {
    let (slots, _) = slots.as_chunks::<SLOT>();
    let entry = |slot: &Slot| -> Option<Entry> {
        match parse(slot) {
            Stored::Entry(entry) => Some(entry),
            Stored::Seal(_) | Stored::Neither => None,
        }
    };
    let before = table.count();
    for (at, slot) in slots.iter().enumerate() {
        if let Some(ahead) = slots.get(at + AHEAD).and_then(entry) {
            table.prefetch(ahead.identity);
        }
        if let Some(entry) = entry(slot) {
            let place = table.place(entry.identity);
            table.insert(place, (ordinal + at as u64) as u32);
        }
    }
    table.count() - before
}
