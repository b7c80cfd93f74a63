//! What the resolver gathers between two flush markers.
//!
//! Does not know the store: it keeps plain values, and frames whose bytes they point into.

use super::Job;
use crate::assembly::CallKey;
use crate::batch::{Frame, Position, SourceId};
use crate::books::{Share, name};
use crate::call::{AccountKey, GroupKey, SuspenseReason, TariffSlot};
use crate::entry::{Activation, Discard, SourceProfile};
use crate::record::{Content, Direction, Identity};
use crate::road::Became;
use crate::store::{AckRow, ClosedRow, GuardsRow, SealedRow};
use crate::time::{Period, Timestamp};

/// A record whose identity is known with other content (R20): both are kept.
#[derive(Clone, Debug)]
pub struct ConflictFound {
    /// The record that came first and stays rated.
    pub first: Position,
    /// The one that contradicts it.
    pub position: Position,
    /// The frame that holds it.
    pub frame: Frame,
    /// Its canonical form in the frame.
    pub at: usize,
    /// And its length.
    pub length: usize,
}

/// A record, or a leg of one, that waits in suspense.
#[derive(Clone, Debug)]
pub struct SuspendedRecord {
    /// The record's own position.
    pub position: Position,
    /// The latest attempt: the record's position, or that of a retry.
    pub attempt: Position,
    /// The leg, where only one waits.
    pub leg: Option<Direction>,
    /// Why.
    pub reason: SuspenseReason,
    /// More exactly why.
    pub detail: &'static str,
    /// Period of a leg.
    pub period: Option<Period>,
    /// Account of a leg.
    pub account: Option<AccountKey>,
    /// Source profile.
    pub source: u16,
    /// Receipt.
    pub received_at: Timestamp,
    /// The frame that holds the record.
    pub frame: Frame,
    /// Its canonical form in the frame.
    pub at: usize,
    /// And its length.
    pub length: usize,
}

impl SuspendedRecord {
    pub(super) fn of(
        frame: &Frame,
        job: &Job,
        reason: SuspenseReason,
        leg: Option<(Direction, Period)>,
        detail: &'static str,
    ) -> SuspendedRecord {
        SuspendedRecord {
            position: job.position,
            attempt: job.attempt,
            leg: leg.map(|(leg, _)| leg),
            reason,
            detail,
            period: leg.map(|(_, period)| period),
            account: None,
            source: job.source,
            received_at: job.received_at,
            frame: frame.clone(),
            at: job.at,
            length: job.length,
        }
    }
}

/// Something taken out of suspense for good.
#[derive(Clone, Debug)]
pub struct Discarded {
    /// Position of the entry.
    pub entry: Position,
    /// What it says.
    pub said: Discard,
    /// The frame that holds it.
    pub frame: Frame,
    /// The record's canonical form in the frame.
    pub at: usize,
    /// And its length.
    pub length: usize,
}

/// A call that was put together from pieces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssembledCall {
    /// Its place: that of the piece that completed it.
    pub position: Position,
    /// The places of its pieces, in order.
    pub pieces: Vec<Position>,
    /// What it is known by.
    pub known_by: (Identity, Content),
}

/// A tariff activation met on the road.
#[derive(Clone, Debug)]
pub struct TariffActivated {
    /// Its place in the order of activations.
    pub slot: TariffSlot,
    /// Where it stands in the journal.
    pub position: Position,
    /// What it says.
    pub activation: Activation,
}

/// Everything the resolver has for one flush.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Everything before this is durable in the identity index.
    pub covered: Position,
    /// Accounts seen for the first time.
    pub accounts: Vec<(AccountKey, String)>,
    /// Billing groups seen for the first time.
    pub groups: Vec<(GroupKey, String)>,
    /// Settings of listeners, new or changed.
    pub sources: Vec<(Position, SourceProfile)>,
    /// Tariffs activated.
    pub tariffs: Vec<TariffActivated>,
    /// Directories activated, with their place in the order of activations.
    pub directories: Vec<(TariffSlot, Position, Activation)>,
    /// Records (and legs that stay) in suspense.
    pub suspended: Vec<SuspendedRecord>,
    /// Things in suspense that were tried again: they are no longer what they were.
    pub retried: Vec<(Position, Option<Direction>, Position)>,
    /// Contradictions.
    pub conflicts: Vec<ConflictFound>,
    /// Calls put together from pieces.
    pub assembled: Vec<AssembledCall>,
    /// Months closed.
    pub closed: Vec<ClosedRow>,
    /// Months whose drafts count from now on.
    pub sealed: Vec<SealedRow>,
    /// Manifests taken.
    pub acks: Vec<AckRow>,
    /// What was taken out of suspense for good.
    pub discarded: Vec<Discarded>,
    /// What accounts are watched by, where that changed.
    pub guards: Vec<GuardsRow>,
    /// Calls told in parts whose state changed: the new one, or none where the call is forgotten.
    pub open_calls: Vec<(CallKey, Option<Vec<u8>>)>,
}

/// Running counts and gatherings of the resolver.
#[derive(Debug, Default)]
pub struct Tally {
    pub(super) gathered: Gathered,
    pub(super) duplicate: u64,
    pub(super) conflict: u64,
    pub(super) resolved: u64,
    /// Pieces that are part of calls counted otherwise.
    pub(super) merged: u64,
    /// Pieces of calls that wait, more or fewer.
    pub(super) open: i64,
    /// Answered records whose duration and end contradict each other (R2).
    pub(super) differ: u64,
    unanswered: u64,
    durable: u64,
    suspended: [i64; SuspenseReason::ALL.len()],
    listeners: Vec<Listener>,
    legs: Share,
    /// What was published as metrics already.
    pub(super) published: Published,
}

/// What became of each source's records since this process began.
#[derive(Debug, Default)]
pub(super) struct BecameOf(Vec<Became>);

impl BecameOf {
    /// Adds a frame of so many records. Whatever else did not become of them waits in suspense.
    pub fn frame(&mut self, source: SourceId, records: u64, frame: Became) {
        // A frame that changes something holds no records.
        if frame.received == 0 {
            return;
        }
        let index = usize::from(source.0);
        if self.0.len() <= index {
            self.0.resize(index + 1, Became::default());
        }
        let settled = frame.unanswered + frame.duplicate + frame.conflict + frame.resolved + frame.parts;
        self.0[index].add(Became { suspended: records.saturating_sub(settled), ..frame });
    }

    /// Of one source.
    pub fn of(&self, source: SourceId) -> Became {
        self.0.get(usize::from(source.0)).copied().unwrap_or_default()
    }
}

/// Counts of one listener since the last marker.
#[derive(Clone, Copy, Debug, Default)]
struct Listener {
    received: u64,
    refused: u64,
    durable: u64,
}

/// The part of the counts that the metrics have seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Published {
    pub(super) durable: u64,
    pub(super) unanswered: u64,
    pub(super) duplicate: u64,
    pub(super) conflict: u64,
    pub(super) resolved: u64,
    pub(super) merged: u64,
    pub(super) differ: u64,
    pub(super) suspended: [i64; SuspenseReason::ALL.len()],
}

impl Tally {
    /// Counts of one frame.
    pub(super) fn frame(&mut self, source: SourceId, received: u64, refused: u64, durable: u64, unanswered: u64) {
        let index = usize::from(source.0);
        if self.listeners.len() <= index {
            self.listeners.resize(index + 1, Listener::default());
        }
        let listener = &mut self.listeners[index];
        listener.received += received;
        listener.refused += refused;
        listener.durable += durable;
        self.durable += durable;
        self.unanswered += unanswered;
    }

    /// Records settled so far, as far as these counts only grow; what is missing is in suspense.
    pub(super) fn settled(&self) -> Became {
        Became { duplicate: self.duplicate, conflict: self.conflict, resolved: self.resolved, ..Became::default() }
    }

    /// Counts a call whose failure was waited with, and which nothing else followed.
    pub(super) fn unanswered_late(&mut self) {
        self.unanswered += 1;
    }

    /// Counts records into suspense, or out of it.
    pub(super) fn suspended(&mut self, reason: SuspenseReason, count: i64) {
        self.suspended[reason as usize] += count;
    }

    /// A leg leaves suspense to be rated again: its period has one leg less until the shard counts it anew.
    pub(super) fn leg_taken(&mut self, reason: SuspenseReason, period: Period) {
        *self.legs.entry(name::suspended_legs(period, reason)).or_default() -= 1;
        *self.legs.entry(name::legs(period, "legs")).or_default() -= 1;
    }

    /// Differences of the books that come from elsewhere.
    pub(super) fn books(&mut self, share: &Share) {
        for (name, count) in share {
            *self.legs.entry(name.clone()).or_default() += count;
        }
    }

    /// Something in suspense is given up: it counts as discarded from now on.
    pub(super) fn discarded(&mut self, reason: SuspenseReason, period: Option<Period>) {
        let discarded = match period {
            None => {
                self.suspended(reason, -1);
                name::records("discarded")
            }
            Some(period) => {
                *self.legs.entry(name::suspended_legs(period, reason)).or_default() -= 1;
                name::legs(period, "discarded")
            }
        };
        *self.legs.entry(discarded).or_default() += 1;
    }

    /// A leg that was taken goes back unchanged.
    pub(super) fn leg_stays(&mut self, reason: SuspenseReason, period: Period) {
        *self.legs.entry(name::suspended_legs(period, reason)).or_default() += 1;
        *self.legs.entry(name::legs(period, "legs")).or_default() += 1;
    }

    /// What was counted so far, for the metrics.
    pub(super) fn counted(&self) -> Published {
        Published {
            durable: self.durable,
            unanswered: self.unanswered,
            duplicate: self.duplicate,
            conflict: self.conflict,
            resolved: self.resolved,
            merged: self.merged,
            differ: self.differ,
            suspended: self.suspended,
        }
    }

    /// Hands everything to the flush and begins anew.
    pub(super) fn take(&mut self, sources: &[Option<SourceProfile>]) -> (Gathered, Share) {
        let all = std::mem::take(self);
        let mut share = all.legs;
        let mut put = |name: String, value: i128| *share.entry(name).or_default() += value;
        for (index, listener) in all.listeners.iter().enumerate() {
            let named = sources.get(index).and_then(Option::as_ref).map(|s| s.listener.replace('/', "_"));
            let named = named.unwrap_or_else(|| format!("source-{index}"));
            put(name::received(&named), i128::from(listener.received));
            put(name::refused(&named), i128::from(listener.refused));
            put(name::durable(&named), i128::from(listener.durable));
        }
        put(name::records("unanswered"), i128::from(all.unanswered));
        put(name::records("duplicate"), i128::from(all.duplicate));
        put(name::records("conflict"), i128::from(all.conflict));
        put(name::records("resolved"), i128::from(all.resolved));
        put(name::records("merged"), i128::from(all.merged));
        put(name::records("open"), i128::from(all.open));
        for reason in SuspenseReason::ALL {
            let count = all.suspended[*reason as usize];
            put(name::suspended_records(*reason), i128::from(count));
        }
        (all.gathered, share)
    }
}
