//! The resolver: decides, in journal order, whether a record was seen before and whose call it was, and hands each leg
//! to the shard of its billing group.
//!
//! One plain thread; it owns the identity index, the accounts' stable numbers, the tariffs and the directory in force.
//!
//! Does not know prices, sockets, or where results are kept.

use std::sync::Arc;

use crossbeam::channel::{Sender, TryRecvError};

use crate::batch::{Entry, EntryKind, Frame, Position, SourceId};
use crate::call::{AccountKey, GroupKey};
use crate::identity::{IdentityError, IdentityIndex, Key, Verdict};
use crate::images::{ImageMissing, Images};
use crate::period::{SealError, Seals};
use crate::poison;
use crate::rating::{self, Answered};
use crate::record::Record;
use crate::road::{Became, Inbox, Step, Travel};
use crate::shard::{LegBatch, LegJob, ToShard};

mod answers;
mod changes;
mod decide;
mod gather;
mod job;
mod keys;
mod metrics;
mod months;
mod pieces;
mod rerate;
mod settle;
mod state;
#[cfg(test)]
mod tests;

pub use gather::{
    AssembledCall, ConflictFound, Discarded, Gathered, SuspendedRecord, TariffActivated, UnansweredCharged,
};
use gather::{BecameOf, Tally};
use job::{Claim, Job};
use metrics::ResolverMetrics;
pub use metrics::describe;
use pieces::{PieceFate, Wholes};
pub use state::{KnownTariff, ResolverState};

/// Why the resolver cannot go on: the environment gave out, or its data is damaged.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// The identity index.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// An image that the journal names is not in the data folder.
    #[error(transparent)]
    Image(#[from] ImageMissing),
    /// What a sealed month comes to.
    #[error("a month cannot be sealed: {0}")]
    Seal(#[from] SealError),
    /// A journal entry that this version cannot read.
    #[error("journal entry at position {0} cannot be read: {1}")]
    Entry(Position, String),
}

/// The thread's parts.
pub struct Resolver {
    inbox: Inbox<Travel>,
    shards: Vec<Sender<ToShard>>,
    flush: Sender<crate::flush::Part>,
    index: IdentityIndex,
    images: Arc<Images>,
    seals: Arc<Seals>,
    state: ResolverState,
    tally: Tally,
    metrics: ResolverMetrics,
    /// Stable numbers of the accounts of the directory in force, by its own index; filled as they are met.
    account_keys: Vec<AccountKey>,
    group_keys: Vec<GroupKey>,
    /// Reused from frame to frame.
    keys: Vec<Key>,
    verdicts: Vec<Verdict>,
    jobs: Vec<Job>,
    outgoing: Vec<Vec<LegJob>>,
    /// By source, since this process began.
    became: BecameOf,
    /// Everything before this is durable in the identity index.
    covered: Position,
    /// Names of accounts and groups, which somebody else is reading.
    coming: Option<state::Coming>,
    /// The shards have what they are told first.
    has_begun: bool,
}

impl Resolver {
    /// Puts the parts together.
    pub fn new(
        inbox: Inbox<Travel>,
        shards: Vec<Sender<ToShard>>,
        flush: Sender<crate::flush::Part>,
        index: IdentityIndex,
        images: Arc<Images>,
        seals: Arc<Seals>,
        state: ResolverState,
    ) -> Resolver {
        let outgoing = shards.iter().map(|_| Vec::new()).collect();
        let covered = index.covered();
        let resolver = Resolver {
            inbox,
            shards,
            flush,
            index,
            images,
            seals,
            state,
            tally: Tally::default(),
            metrics: ResolverMetrics::default(),
            account_keys: Vec::new(),
            group_keys: Vec::new(),
            keys: Vec::new(),
            verdicts: Vec::new(),
            jobs: Vec::new(),
            outgoing,
            became: BecameOf::default(),
            covered,
            coming: None,
            has_begun: false,
        };
        resolver.metrics.identity(resolver.index.len(), resolver.index.memory_bytes());
        resolver
    }

    /// Runs until the sequencer hangs up.
    pub fn run(mut self) -> Result<(), ResolverError> {
        if !self.begun() {
            return Ok(());
        }
        while let Ok(travel) = self.inbox.recv() {
            self.take(travel)?;
        }
        Ok(())
    }

    /// Takes one thing, if there is one; never waits.
    ///
    /// # Errors
    /// As [`Resolver::run`]: after one it must not be asked again.
    pub fn step(&mut self) -> Result<Step, ResolverError> {
        if !self.begun() {
            return Ok(Step::Ended);
        }
        match self.inbox.try_recv() {
            Ok(travel) => self.take(travel).map(|()| Step::Moved),
            Err(TryRecvError::Empty) => Ok(Step::Idle),
            Err(TryRecvError::Disconnected) => Ok(Step::Ended),
        }
    }

    fn take(&mut self, travel: Travel) -> Result<(), ResolverError> {
        match travel {
            Travel::Frame(frame) => self.frame(&frame),
            Travel::Marker(marker) => self.marker(marker),
            Travel::Ask(question) => {
                self.question(question);
                Ok(())
            }
        }
    }

    fn frame(&mut self, frame: &Frame) -> Result<(), ResolverError> {
        let head = frame.head();
        let source = SourceId(head.source.get());
        let mut claims = Vec::with_capacity(head.entries.get() as usize);
        let (mut records, mut unanswered, mut parts, before) = (0u64, 0u64, 0u64, self.tally.settled());
        let mut wholes = Wholes::default();
        self.keys.clear();
        for entry in frame.entries() {
            if entry.kind != EntryKind::Record as u8 {
                poison::nowhere();
                // What stands before it is settled first: a change applies only to what stands behind it.
                if !claims.is_empty() {
                    self.settle(frame, &head, &mut claims)?;
                    self.hand_over(frame);
                }
                if entry.kind == EntryKind::Piece as u8 {
                    records += 1;
                    match self.piece(frame, &entry, &mut wholes)? {
                        PieceFate::Part => parts += 1,
                        PieceFate::Unanswered => unanswered += 1,
                        PieceFate::Repeat | PieceFate::Call => {}
                    }
                    continue;
                }
                self.settle_wholes(frame, &head, &mut wholes)?;
                self.change(frame, &entry)?;
                continue;
            }
            records += 1;
            self.settle_wholes(frame, &head, &mut wholes)?;
            poison::at(entry.position);
            let record = read(&entry)?;
            if rating::answered(&record) == Answered::No {
                unanswered += 1;
                self.tally.charged_unanswered(frame, &entry, &record);
                continue;
            }
            self.tally.differ += u64::from(rating::durations_differ(&record));
            self.keys.push(Key { identity: record.identity(), content: record.content(), position: entry.position });
            claims.push(Claim { at: offset(frame, entry.payload), length: entry.payload.len() });
        }
        self.settle(frame, &head, &mut claims)?;
        self.settle_wholes(frame, &head, &mut wholes)?;
        poison::nowhere();
        let (received, refused) = (u64::from(head.received.get()), u64::from(head.refused.get()));
        self.tally.frame(source, received, refused, records, unanswered);
        self.became.frame(
            source,
            records,
            Became { received, refused, unanswered, parts, ..self.tally.settled().since(before) },
        );
        self.metrics.publish(&mut self.tally);
        self.hand_over(frame);
        Ok(())
    }

    fn hand_over(&mut self, frame: &Frame) {
        for (shard, jobs) in self.shards.iter().zip(&mut self.outgoing) {
            if !jobs.is_empty() {
                let jobs = std::mem::replace(jobs, Vec::with_capacity(jobs.len()));
                // A shard ends only after this thread dropped its sender; if it is gone, the process is ending.
                let _ = shard.send(ToShard::Legs(LegBatch { frame: frame.clone(), jobs }));
            }
        }
    }

    fn to_all(&self, message: impl Fn() -> ToShard) {
        for shard in &self.shards {
            let _ = shard.send(message());
        }
    }
}

/// Which shard owns a billing group. Only this process's number of shards matters: state is spread anew at each start.
pub fn shard_of(group: GroupKey, shards: usize) -> usize {
    // Stable numbers are dense, so a remainder spreads them evenly.
    group.0 as usize % shards.max(1)
}

fn read<'a>(entry: &Entry<'a>) -> Result<Record<'a>, ResolverError> {
    Record::decode(entry.payload).map_err(|e| ResolverError::Entry(entry.position, e.to_string()))
}

/// Where a slice of the frame begins in it.
fn offset(frame: &Frame, slice: &[u8]) -> usize {
    slice.as_ptr() as usize - frame.bytes.as_ptr() as usize
}
