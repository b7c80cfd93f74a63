//! The resolver: decides, in journal order, whether a record was seen before and whose call it was, and hands each leg
//! to the shard of its billing group.
//!
//! One plain thread; it owns the identity index, the accounts' stable numbers, the tariffs and the directory in force.
//!
//! Does not know prices, sockets, or where results are kept.

use std::sync::Arc;

use crossbeam::channel::{Sender, TryRecvError};

use crate::batch::{Entry, EntryKind, Frame, FrameHead, Position, SourceId};
use crate::call::{AccountKey, GroupKey, LegKey, SuspenseReason, TariffSlot};
use crate::directory::Directory;
use crate::entry::SourceProfile;
use crate::identity::{IdentityError, IdentityIndex, Key, Verdict};
use crate::images::{ImageMissing, Images};
use crate::period::{SealError, Seals};
use crate::poison;
use crate::rating::{self, Answered, Leg, Resolution, World};
use crate::record::Record;
use crate::road::{Became, Inbox, Step, Travel};
use crate::shard::{LegBatch, LegJob, ToShard};
use crate::time::Timestamp;

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
use months::Billed;
use pieces::{PieceFate, Wholes};
use state::in_force;
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

    /// Identity, then whose call, for the records gathered so far.
    fn settle(&mut self, frame: &Frame, head: &FrameHead, claims: &mut Vec<Claim>) -> Result<(), ResolverError> {
        if claims.is_empty() {
            return Ok(());
        }
        let mut verdicts = std::mem::take(&mut self.verdicts);
        verdicts.clear();
        // The index is asked for all of them at once.
        poison::nowhere();
        self.index.check(&self.keys, &mut verdicts)?;
        let received_at = Timestamp(head.received_at.get());
        for (i, (claim, verdict)) in claims.drain(..).zip(&verdicts).enumerate() {
            let position = self.keys[i].position;
            match verdict {
                Verdict::New | Verdict::Itself => {
                    let job = Job {
                        position,
                        attempt: position,
                        at: claim.at,
                        length: claim.length,
                        source: head.source.get(),
                        received_at,
                        revision: 0,
                        only: None,
                    };
                    self.resolve(frame, job)?;
                }
                Verdict::Duplicate { .. } => self.tally.duplicate += 1,
                Verdict::Conflict { first } => {
                    self.tally.conflict += 1;
                    self.tally.gathered.conflicts.push(ConflictFound {
                        first: *first,
                        position,
                        frame: frame.clone(),
                        at: claim.at,
                        length: claim.length,
                    });
                }
            }
        }
        self.keys.clear();
        self.verdicts = verdicts;
        Ok(())
    }

    /// Whose call, and on to the shards; or into suspense.
    fn resolve(&mut self, frame: &Frame, job: Job) -> Result<(), ResolverError> {
        poison::at(job.attempt);
        if self.state.set_aside.contains(&job.attempt) {
            tracing::error!("the record at position {} ended the process twice; it is kept in suspense", job.position);
            return self.suspend(frame, &job, SuspenseReason::InternalError, "the program died on it twice");
        }
        let bytes = &frame.bytes[job.at..job.at + job.length];
        #[cfg(debug_assertions)]
        poison::pretend("resolved", bytes);
        let record = Record::decode(bytes).map_err(|e| ResolverError::Entry(job.position, e.to_string()))?;
        let Some(directory) = self.state.directory.clone() else {
            return self.suspend(frame, &job, SuspenseReason::UnknownAccount, "no directory is in force");
        };
        let at = record.answer.unwrap_or(job.received_at);
        let Some(known) = in_force(&self.state.tariffs, at) else {
            return self.suspend(frame, &job, SuspenseReason::UnknownAccount, "no tariff is in force");
        };
        let (slot, tariff) = (known.slot, known.tariff.clone());
        let world = World { directory: &directory, tariff: &tariff, slot };
        let fallback = SourceProfile::default();
        let profile = self.state.sources.get(usize::from(job.source)).and_then(Option::as_ref).unwrap_or(&fallback);
        match rating::resolve(&record, job.received_at, profile, world) {
            Resolution::Suspended(why) => self.suspend(frame, &job, why.reason, why.detail),
            Resolution::Legs(first, second) => {
                if job.only.is_none() {
                    self.tally.resolved += 1;
                }
                for leg in [first, second].into_iter().flatten() {
                    if job.only.is_none_or(|only| only.0 == leg.direction) {
                        self.send_leg(frame, &directory, leg, slot, &job);
                    }
                }
                Ok(())
            }
        }
    }

    fn send_leg(&mut self, frame: &Frame, directory: &Directory, leg: Leg, slot: TariffSlot, job: &Job) {
        // The directory that has just resolved the leg has the row.
        let Some(account) = directory.account_row(leg.account_row) else { return debug_assert!(false, "{leg:?}") };
        let key = self.account_key(account);
        let group = self.group_key(account);
        let adjusts_in = match self.billed_in(frame, job, &leg, account, key) {
            Billed::In(month) => month,
            Billed::Waits => return,
        };
        let shard = shard_of(group, self.shards.len());
        self.outgoing[shard].push(LegJob {
            key: LegKey { position: job.position, leg: leg.direction },
            attempt: job.attempt,
            account: key,
            group,
            slot,
            leg,
            adjusts_in,
            revision: job.revision,
            at: job.at as u32,
            length: job.length as u32,
            source: job.source,
            profile: self.state.profiles.get(usize::from(job.source)).copied().unwrap_or_default(),
            received_at: job.received_at,
        });
    }

    fn suspend(
        &mut self,
        frame: &Frame,
        job: &Job,
        reason: SuspenseReason,
        detail: &'static str,
    ) -> Result<(), ResolverError> {
        match job.only {
            // A leg that is retried and whose record no longer yields legs stays what it was.
            Some((leg, held)) => {
                self.tally.leg_stays(held.0, held.1);
                self.tally.gathered.suspended.push(SuspendedRecord::of(
                    frame,
                    job,
                    held.0,
                    Some((leg, held.1)),
                    detail,
                ));
            }
            None => {
                self.tally.suspended(reason, 1);
                self.tally.gathered.suspended.push(SuspendedRecord::of(frame, job, reason, None, detail));
            }
        }
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
