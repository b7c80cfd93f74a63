//! One question for all full generations: might one of them hold this identity?
//!
//! Each generation that is asked costs a miss of the cache and of the address translation, some 30 ns a record. A filter of
//! eight bits an entry over all full ones answers for all of them from one line: of a hundred new identities it sends one
//! or two on to the tables, and it never denies one that is there.
//!
//! Does not know where entries lie, nor which of them are new.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::IdentityError;
use super::grow::{AHEAD, BLOCK};
use super::log::{SLOT, Stored, offset_of, parse};
use crate::os::disk::DiskFile;
use crate::os::memory::LargeTable;
use crate::os::prefetch::prefetch;
use crate::record::Identity;

/// Bits of a block: a line of the cache.
const BITS: u64 = 512;
/// Bits for an entry.
const PER_ENTRY: u64 = 8;
/// Bits that an entry sets: with eight for each the best number, and nine bits of the identity choose each.
const SET: u32 = 5;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; BITS as usize / 64]);

/// A Bloom filter in blocks.
pub(super) struct Filter {
    lines: LargeTable<Line>,
    /// It knows the entries of so many generations, the oldest.
    pub generations: usize,
}

impl Filter {
    fn new(entries: u64, generations: usize) -> std::io::Result<Filter> {
        let lines = (entries * PER_ENTRY).div_ceil(BITS).max(1);
        let mut lines = LargeTable::new(lines as usize)?;
        lines.touch();
        Ok(Filter { lines, generations })
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.lines.bytes()
    }

    /// The upper half chooses the line, as it chooses the group of a table.
    #[inline]
    fn line(&self, identity: Identity) -> usize {
        let lines = self.lines.as_slice().len() as u128;
        ((((identity.0 >> 64) as u64 as u128) * lines) >> 64) as usize
    }

    /// Nine bits of the lower half for each bit in the line; the lowest 16 are a table's fingerprint.
    #[inline]
    fn bits(identity: Identity) -> impl Iterator<Item = (usize, u64)> {
        let from = identity.0 as u64 >> 16;
        (0..SET).map(move |n| {
            let bit = from >> (9 * n) & (BITS - 1);
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }

    fn insert(&mut self, identity: Identity) {
        let at = self.line(identity);
        if let Some(line) = self.lines.as_mut_slice().get_mut(at) {
            Filter::bits(identity).for_each(|(word, bit)| line.0[word] |= bit);
        }
    }

    /// Asks for its memory ahead of [`Filter::may_hold`].
    #[inline]
    pub fn prefetch(&self, identity: Identity) {
        self.lines.as_slice().get(self.line(identity)).into_iter().for_each(prefetch);
    }

    /// Whether one of the generations may hold it; no is certain.
    #[inline]
    pub fn may_hold(&self, identity: Identity) -> bool {
        let line = self.lines.as_slice().get(self.line(identity));
        line.is_none_or(|line| Filter::bits(identity).all(|(word, bit)| line.0[word] & bit != 0))
    }
}

/// A filter being made.
pub(super) enum Filtering {
    Aside(JoinHandle<Result<Filter, IdentityError>>),
    Done(Result<Filter, IdentityError>),
}

/// Of what to make it.
pub(super) struct FilterJob {
    pub file: Arc<dyn DiskFile>,
    pub path: PathBuf,
    /// So many generations lie in the slots before this one, which are all in the file.
    pub generations: usize,
    pub upto: u64,
}

impl Filtering {
    /// Sets a helper to work, or does it at once.
    pub fn start(job: FilterJob, helper: bool) -> Result<Filtering, IdentityError> {
        if !helper {
            return Ok(Filtering::Done(job.run()));
        }
        let path = job.path.clone();
        let spawned = std::thread::Builder::new().name("identity-filter".into()).spawn(move || job.run());
        spawned.map(Filtering::Aside).map_err(IdentityError::io("start a thread to index", path))
    }

    /// Whether the result can be had without waiting.
    pub fn is_ready(&self) -> bool {
        match self {
            Filtering::Aside(thread) => thread.is_finished(),
            Filtering::Done(_) => true,
        }
    }

    /// The result; waits for it.
    pub fn finish(self, path: &Path) -> Result<Filter, IdentityError> {
        let died = |_| IdentityError::io("index", path)(std::io::Error::other("the helper thread died"));
        match self {
            Filtering::Aside(thread) => thread.join().map_err(died)?,
            Filtering::Done(done) => done,
        }
    }
}

impl FilterJob {
    fn run(self) -> Result<Filter, IdentityError> {
        let FilterJob { file, path, generations, upto } = self;
        let filter = Filter::new(upto, generations);
        let mut filter = filter.map_err(IdentityError::io("find memory to index", &path))?;
        let mut block = vec![0; BLOCK.min((upto as usize).saturating_mul(SLOT))];
        let mut at = 0;
        while at < upto {
            let bytes = ((upto - at) * SLOT as u64).min(BLOCK as u64) as usize;
            let block = &mut block[..bytes];
            file.read_exact_at(block, offset_of(at)).map_err(IdentityError::io("read", &path))?;
            let slots = block.as_chunks::<SLOT>().0;
            for (n, slot) in slots.iter().enumerate() {
                if let Some(Stored::Entry(ahead)) = slots.get(n + AHEAD).map(parse) {
                    filter.prefetch(ahead.identity);
                }
                if let Stored::Entry(entry) = parse(slot) {
                    filter.insert(entry.identity);
                }
            }
            at += slots.len() as u64;
        }
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_128;

    #[test]
    fn it_knows_what_was_put_in_and_little_else() {
        let identity = |n: u64| Identity(xxh3_128(&n.to_le_bytes()));
        let mut filter = Filter::new(10_000, 1).unwrap();
        (0..10_000).for_each(|n| filter.insert(identity(n)));
        assert!((0..10_000).all(|n| filter.may_hold(identity(n))));
        let others = (10_000..110_000).filter(|n| filter.may_hold(identity(*n))).count();
        assert!((500..4000).contains(&others), "{others} of 100 000");
    }
}
