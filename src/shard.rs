//! A shard: one thread, one inbox, one engine. It owns the accounts of its billing groups; nobody else touches them.
//!
//! It prices legs in the order in which they arrive, draws allowances, adds up totals, and answers questions about them
//! between two batches, so that an answer sees everything before it.
//!
//! Does not know where legs come from, nor where results go.

use std::sync::Arc;

use crossbeam::channel::{Sender, TryRecvError};
use tokio::sync::mpsc;

use crate::batch::{Frame, Position};
use crate::call::{AccountKey, Costs, GroupKey, LegKey, Meter, RatedCall, SuspenseReason, TariffSlot, Usage};
use crate::directory::Directory;
use crate::flush::Part;
use crate::guard::{self, Event, Fired, Judge, Rules, States};
use crate::os::clock::Clock;
use crate::poison;
use crate::rating::{self, Draws, Leg, Standing, World};
use crate::road::{Inbox, Later, LiveUsage, Step};
use crate::tariff::{PlanId, Tariff};
use crate::time::{Months, Period, Timestamp, Zone};

mod ahead;
mod chains;
mod correct;
mod counts;
mod guarding;
mod lines;
mod meters;
mod metrics;
mod paged;
mod state;

pub use chains::{ChainChange, ChainKey, Chains};
use counts::Counts;
pub use guarding::Outlet;
pub use lines::{LineKey, Lines};
pub use meters::Meters;
pub use metrics::describe;
use state::ShardState;
pub use state::{DrawnAndGuarded, ShardStart};

use metrics::ShardMetrics;

/// What reaches a shard.
pub enum ToShard {
    /// Legs of one frame.
    Legs(LegBatch),
    /// A tariff that legs behind this may name.
    Tariff(TariffSlot, Arc<Tariff>),
    /// The directory that legs behind this refer to, and its running number.
    Directory(u32, Arc<Directory>),
    /// What accounts are watched by from here on.
    Guards(Arc<Rules>),
    /// Where an account stands against its rules.
    Standings {
        /// Which account.
        key: (AccountKey, GroupKey),
        /// Its name.
        name: Arc<str>,
        /// At which instant.
        at: Timestamp,
        /// The answer.
        reply: mpsc::UnboundedSender<Vec<guard::Standing>>,
    },
    /// A month was sealed: differences of totals and of what was drawn.
    Correct {
        /// To be added to the lines.
        lines: Vec<(LineKey, Usage, u8)>,
        /// To be added to what was drawn.
        drawn: Vec<(GroupKey, Period, Meter, i64)>,
    },
    /// Everything before this belongs to the flush.
    Marker {
        /// Which flush.
        number: u64,
        /// Its position.
        upto: Position,
    },
    /// What one account's calls add up to here.
    Usage {
        /// Which account.
        account: AccountKey,
        /// Whose allowance.
        group: Option<GroupKey>,
        /// Which month.
        period: Period,
        /// The answer.
        reply: mpsc::UnboundedSender<Option<LiveUsage>>,
    },
}

/// Legs of one frame.
pub struct LegBatch {
    /// The frame that holds their records.
    pub frame: Frame,
    /// The legs.
    pub jobs: Vec<LegJob>,
}

/// A leg to be priced.
#[derive(Clone, Copy, Debug)]
pub struct LegJob {
    /// Which leg.
    pub key: LegKey,
    /// The record's position, or that of the retry.
    pub attempt: Position,
    /// Who pays.
    pub account: AccountKey,
    /// Whose allowance is drawn.
    pub group: GroupKey,
    /// Tariff in force at the answer.
    pub slot: TariffSlot,
    /// What was resolved.
    pub leg: Leg,
    /// R21: its own month is sealed, and this open one bills it.
    pub adjusts_in: Option<Period>,
    /// 0: rated for the first time; else it replaces a leg of a lower revision, by somebody's word.
    pub revision: u32,
    /// Where the canonical record lies in the frame.
    pub at: u32,
    /// And its length.
    pub length: u32,
    /// Source profile.
    pub source: u16,
    /// Position of the entry that brought that profile.
    pub profile: Position,
    /// Receipt.
    pub received_at: Timestamp,
}

/// A rated call with the place of its record's text.
#[derive(Clone, Copy, Debug)]
pub struct RatedRow {
    /// The call.
    pub call: RatedCall,
    /// Index of its frame in the part's frames.
    pub frame: u32,
    /// Where the canonical record lies in the frame.
    pub at: u32,
    /// And its length.
    pub length: u32,
    /// Source profile.
    pub source: u16,
    /// Position of the entry that brought that profile.
    pub profile: Position,
    /// Running number of the directory.
    pub directory: u32,
    /// See [`LegJob::revision`].
    pub revision: u32,
    /// Length of the text of what it drew, where that was more than the plan's minutes.
    pub draws_length: u16,
    /// Where that begins in the part's texts.
    pub draws_at: u32,
}

/// A leg that waits in suspense.
#[derive(Clone, Copy, Debug)]
pub struct SuspendedLeg {
    /// What was to be priced.
    pub job: LegJob,
    /// Why it was not.
    pub reason: SuspenseReason,
    /// More exactly why.
    pub detail: &'static str,
    /// Its month.
    pub period: Period,
    /// Index of its frame in the part's frames.
    pub frame: u32,
}

/// What a shard has for one flush.
#[derive(Debug, Default)]
pub struct ShardPart {
    /// Frames that hold the rows' records.
    pub frames: Vec<Frame>,
    /// Rated calls, in arrival order.
    pub rows: Vec<RatedRow>,
    /// What some of them cost us, by the place of their row, in order; nothing for plans that do not say.
    pub costs: Vec<(u32, Costs)>,
    /// Legs in suspense.
    pub suspended: Vec<SuspendedLeg>,
    /// Lines that changed, whole.
    pub lines: Vec<(LineKey, Usage, u8)>,
    /// Meters that changed, whole.
    pub drawn: Vec<(GroupKey, Period, Meter, u64)>,
    /// Calls in quick succession, where they changed, whole.
    pub chains: Vec<ChainChange>,
    /// Texts of draws, one after the other.
    pub draws: Vec<u8>,
    /// What was set off.
    pub guard_events: Vec<Arc<Event>>,
    /// What the spend guard holds of accounts, where it changed.
    pub guarded: Vec<((AccountKey, GroupKey), Vec<u8>)>,
}

/// The thread's parts.
pub struct Shard {
    inbox: Inbox<ToShard>,
    flush: Sender<Part>,
    clock: Clock,
    state: ShardState,
    coming: Option<(Later<Lines>, Later<DrawnAndGuarded>)>,
    /// By slot.
    tariffs: Vec<Arc<Tariff>>,
    directory: Option<(u32, Arc<Directory>)>,
    months: Months,
    part: ShardPart,
    drawn: Vec<(GroupKey, Period, Meter)>,
    draws: Draws,
    judge: Judge,
    /// Reused from call to call.
    fired: Vec<Fired>,
    outlet: Outlet,
    counts: Counts,
    metrics: ShardMetrics,
}

impl Shard {
    /// Puts the parts together.
    pub fn new(inbox: Inbox<ToShard>, flush: Sender<Part>, clock: Clock, start: ShardStart) -> Shard {
        let ShardStart { chains, lines, drawn } = start;
        let state = ShardState { chains, ..ShardState::default() };
        Shard {
            inbox,
            flush,
            clock,
            state,
            coming: Some((lines, drawn)),
            tariffs: Vec::new(),
            directory: None,
            months: Months::default(),
            part: ShardPart::default(),
            drawn: Vec::new(),
            draws: Draws::default(),
            judge: Judge::new(States::default()),
            fired: Vec::new(),
            outlet: Outlet::default(),
            counts: Counts::default(),
            metrics: ShardMetrics::default(),
        }
    }

    /// Runs until the resolver hangs up.
    pub fn run(mut self) {
        if !self.begun() {
            return;
        }
        while let Ok(message) = self.inbox.recv() {
            self.take(message);
        }
    }

    /// Takes one message, if there is one; never waits.
    pub fn step(&mut self) -> Step {
        if !self.begun() {
            return Step::Ended;
        }
        match self.inbox.try_recv() {
            Ok(message) => {
                self.take(message);
                Step::Moved
            }
            Err(TryRecvError::Empty) => Step::Idle,
            Err(TryRecvError::Disconnected) => Step::Ended,
        }
    }

    fn take(&mut self, message: ToShard) {
        match message {
            ToShard::Legs(batch) => self.legs(batch),
            ToShard::Tariff(slot, tariff) => {
                // Slots come in order; the shard holds all of them.
                debug_assert_eq!(self.tariffs.len(), usize::from(slot.0));
                self.tariffs.push(tariff);
            }
            ToShard::Directory(slot, directory) => {
                self.months = Months::default();
                self.judge.forget_rows();
                self.directory = Some((slot, directory));
            }
            ToShard::Guards(rules) => self.judge.use_rules(rules),
            ToShard::Standings { key, name, at, reply } => {
                let _ = reply.send(self.standings(key, &name, at));
            }
            ToShard::Correct { lines, drawn } => self.correct(lines, drawn),
            ToShard::Marker { number, upto } => self.marker(number, upto),
            ToShard::Usage { account, group, period, reply } => {
                let _ = reply.send(Some(self.usage(account, group, period)));
            }
        }
    }

    fn legs(&mut self, batch: LegBatch) {
        let Some((slot, directory)) = self.directory.clone() else { return };
        let frame = self.part.frames.len() as u32;
        let received_at = batch.frame.head().received_at.get();
        for (i, job) in batch.jobs.iter().enumerate() {
            self.expect(&directory, &batch.jobs, i);
            poison::at(job.attempt);
            #[cfg(debug_assertions)]
            poison::pretend("rated", &batch.frame.bytes[job.at as usize..][..job.length as usize]);
            self.leg(slot, &directory, job, frame, &batch.frame);
        }
        poison::nowhere();
        self.part.frames.push(batch.frame);
        let seconds = (self.clock.now().0 - received_at) as f64 / 1e6;
        self.metrics.publish(&mut self.counts, seconds);
    }

    fn leg(&mut self, slot: u32, directory: &Directory, job: &LegJob, frame: u32, bytes: &Frame) {
        let account = directory.account_row(job.leg.account_row);
        const UTC: &Zone = &Zone::UTC;
        let (zone_index, zone) = account.map_or((u16::MAX, UTC), |row| (row.zone_index(), row.zone()));
        let period = self.months.period(zone_index, zone, job.leg.answer);
        let Some(tariff) = self.tariffs.get(usize::from(job.slot.0)) else { return };
        let world = World { directory, tariff, slot: job.slot };
        let found = self.state.found(job.group, job.attempt);
        match rating::rate(&job.leg, world, period, Standing::of(&found), &mut self.draws) {
            Ok(rated) => {
                let costs = rating::costs(&job.leg, world, PlanId(rated.basis.plan), period);
                let billed = job.adjusts_in.unwrap_or(period);
                let counts = self.counts.period(billed);
                counts.1 += 1;
                counts.2 += 1;
                let (draws_at, draws_length) = self.draw(job, period, rated.included_seconds);
                let mut call = rated.call(&job.leg, job.key, job.account, job.group);
                if job.adjusts_in.is_some() {
                    (call.period, call.adjusts) = (billed, Some(period));
                }
                self.add_up(&call);
                if let Some(costs) = costs {
                    self.part.costs.push((self.part.rows.len() as u32, costs));
                }
                if !self.judge.is_idle() {
                    self.guard(&call, job, &directory.row(job.leg.account_row), bytes);
                }
                self.part.rows.push(RatedRow {
                    call,
                    frame,
                    at: job.at,
                    length: job.length,
                    source: job.source,
                    profile: job.profile,
                    directory: slot,
                    revision: job.revision,
                    draws_at,
                    draws_length,
                });
            }
            Err(why) => {
                let reason = why.reason;
                let counts = self.counts.period(period);
                counts.1 += 1;
                counts.3[reason as usize] += 1;
                self.counts.suspended[reason as usize] += 1;
                self.part.suspended.push(SuspendedLeg { job: *job, reason, detail: why.detail, period, frame });
            }
        }
    }

    fn marker(&mut self, number: u64, upto: Position) {
        let mut part = std::mem::take(&mut self.part);
        self.state.lines.changes(|key, usage, decimals| part.lines.push((key, usage, decimals)));
        self.drawn.sort_unstable();
        self.drawn.dedup();
        for (group, period, meter) in self.drawn.drain(..) {
            part.drawn.push((group, period, meter, self.state.meters.get(group, period, meter)));
        }
        part.chains = self.state.chains.changes(upto);
        part.guarded = self.judge.changes();
        let share = self.counts.share();
        let _ = self.flush.send(Part::Shard { number, upto, part: Box::new(part), share });
    }
}
