//! A flush on its way into the store: complete, counted in the books, in memory or put aside.
//!
//! Does not know when the store is asked, nor what it says.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::rows::Rows;
use super::spill::{Aside, Spill};
use super::{FlushError, Part};
use crate::batch::{Frame, Position};
use crate::books::{Books, Share};
use crate::call::{Basis, Costs, Usage};
use crate::guard::Event;
use crate::resolver::Gathered;
use crate::shard::{ChainChange, LineKey, RatedRow, ShardPart, SuspendedLeg};
use crate::store::{BasisText, FlushBatch, PackedFlush};
use crate::time::Timestamp;

/// A flush that waits for the store.
pub(super) struct Held {
    /// Its marker's number.
    pub number: u64,
    /// Records journalled up to it.
    pub records: u64,
    /// Everything before this is durable in the identity index.
    pub covered: Position,
    /// Rated calls in it.
    pub calls: u64,
    /// Who waits for it.
    pub replies: Vec<oneshot::Sender<Position>>,
    /// Shared with whoever asks the store to take it.
    pub content: Arc<Content>,
}

/// What the store is to write.
pub(super) struct Content {
    /// Where the store will stand before it.
    pub from: Position,
    /// And afterwards.
    pub upto: Position,
    /// When it was begun.
    pub at: Timestamp,
    pub body: Body,
}

/// Where it is.
pub(super) enum Body {
    /// As the parts gave it, with the books as they stand behind it.
    Memory(Box<Gathering>),
    /// Put aside.
    Aside(Aside),
}

/// What the parts gave for one flush.
pub(super) struct Gathering {
    pub gathered: Box<Gathered>,
    pub shards: Vec<(Box<ShardPart>, Share)>,
    pub books: Books,
    /// Bytes of memory it takes, about: frames that two shards share count twice.
    pub bytes: u64,
}

impl Gathering {
    pub fn new(gathered: Box<Gathered>, shards: Vec<(Box<ShardPart>, Share)>, books: Books) -> Gathering {
        let frames = |frames: &[Frame]| frames.iter().map(|frame| frame.bytes.len()).sum::<usize>();
        let parts: usize = shards
            .iter()
            .map(|(part, _)| {
                frames(&part.frames)
                    + part.rows.len() * size_of::<RatedRow>()
                    + part.costs.len() * size_of::<(u32, Costs)>()
                    + part.suspended.len() * size_of::<SuspendedLeg>()
                    + part.lines.len() * size_of::<(LineKey, Usage, u8)>()
                    + part.chains.len() * size_of::<ChainChange>()
                    + part.guarded.iter().map(|(_, state)| 48 + state.len()).sum::<usize>()
                    + part.guard_events.iter().map(|event| size_of::<Event>() + event.body.len()).sum::<usize>()
            })
            .sum();
        let kept: usize = gathered.suspended.iter().map(|kept| size_of_val(kept) + kept.length).sum();
        let conflicts: usize = gathered.conflicts.iter().map(|one| size_of_val(one) + one.length).sum();
        let open: usize = gathered.open_calls.iter().map(|(_, state)| 48 + state.as_ref().map_or(0, Vec::len)).sum();
        // A counter of the books: its name, its value, its place in the tree.
        let counters = books.iter().count() * 96;
        let own = size_of::<Gathering>() + size_of::<Gathered>() + shards.len() * size_of::<ShardPart>();
        Gathering { gathered, shards, books, bytes: (own + parts + kept + conflicts + open + counters) as u64 }
    }
}

impl Held {
    /// Bytes of memory it takes.
    pub fn bytes(&self) -> u64 {
        match &self.content.body {
            Body::Memory(gathering) => gathering.bytes,
            Body::Aside(_) => 0,
        }
    }

    /// Puts it aside, if it is not there already.
    pub fn put_aside(&mut self, spill: &mut Spill) -> Result<(), FlushError> {
        if matches!(self.content.body, Body::Aside(_)) {
            return Ok(());
        }
        let Content { from, upto, at, .. } = *self.content;
        let bytes = self.content.with_batch(&|_| BasisText::default(), |batch| batch.pack())??;
        self.content = Arc::new(Content { from, upto, at, body: Body::Aside(spill.put(&bytes)?) });
        Ok(())
    }
}

impl Content {
    /// Hands the batch to `use_it`, from wherever it is.
    pub fn with_batch<T>(
        &self,
        describe: &dyn Fn(&Basis) -> BasisText,
        use_it: impl FnOnce(&FlushBatch<'_>) -> T,
    ) -> Result<T, FlushError> {
        let gathering = match &self.body {
            Body::Memory(gathering) => gathering,
            Body::Aside(aside) => {
                let bytes = aside.read()?;
                return Ok(use_it(&PackedFlush::read(&bytes)?.batch(describe)));
            }
        };
        let rows = Rows::new(&gathering.gathered, &gathering.shards);
        let books: Vec<(&str, i128)> = gathering.books.iter().collect();
        Ok(use_it(&FlushBatch {
            from: self.from,
            upto: self.upto,
            at: self.at,
            accounts: &rows.accounts,
            groups: &rows.groups,
            tariffs: &rows.tariffs,
            directories: &rows.directories,
            sources: &rows.sources,
            calls: &rows.calls,
            describe,
            usage: &rows.usage,
            allowances: &rows.allowances,
            suspended: &rows.suspended,
            released: &rows.released,
            retried: &rows.retried,
            conflicts: &rows.conflicts,
            assembled: &rows.assembled,
            open_calls: &rows.open_calls,
            changed: &gathering.gathered.changed,
            closed: &gathering.gathered.closed,
            sealed: &gathering.gathered.sealed,
            rerated: &gathering.gathered.rerated,
            acks: &gathering.gathered.acks,
            discarded: &rows.discarded,
            guards: &gathering.gathered.guards,
            guarded: &rows.guarded,
            chains: &rows.chains,
            guard_events: &rows.guard_events,
            decided: &gathering.gathered.decided,
            told: &rows.told,
            retention: &gathering.gathered.retention,
            books: &books,
        }))
    }
}

/// Which flush a part belongs to.
pub(super) fn number_of(part: &Part) -> u64 {
    match part {
        Part::Resolver(marker, ..) => marker.number,
        Part::Shard { number, .. } => *number,
    }
}
