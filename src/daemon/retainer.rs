//! Retention: deletes what its time is over for, holds and erases accounts.
//!
//! ```text
//! ask ─▶ Retention entry ─▶ flush ─▶ the store deletes, a window at a time ─▶ (erasure) journal segments go,
//!                                                                             (images) files go ─▶ done
//! ```
//! Every step follows from the state of the store, so whatever ends in between, a start goes on from there.
//!
//! An erasure ends once no byte of the account is left in what this program keeps: the journal begins a new segment, all
//! before it is stored and goes, and the database's write-ahead log is emptied.
//!
//! Does not know how anything is deleted, nor who asked.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use super::old_images::{OldImages, old_images};
use crate::batch::{Batch, EntryKind, Position, SourceId};
use crate::entry::{Kept, Retention};
use crate::images::Images;
use crate::ingest::NotTaken;
use crate::journal::JournalReader;
use crate::os::clock::Clock;
use crate::period::RetentionSettings;
use crate::road::{Road, RoadClosed};
use crate::sequencer::Control;
use crate::store::{OrderRow, RetentionRow, Retired, Store, StoreError};
use crate::time::{Period, Timestamp, Zone};

/// How often it is looked whether something is left to do.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Looks between two runs by the rules: a day.
const LOOKS_A_RUN: u32 = 24 * 60;
/// Who orders by the rules.
const BY_SCHEDULE: &str = "schedule";

/// Says what the metrics of this part mean; once, after the recorder is installed.
pub fn describe() {
    describe_gauge!("callrated_accounts_held", "Accounts of which nothing is deleted or erased (legal hold)");
    describe_gauge!("callrated_retention_pending", "Deletions and erasures that are not finished");
    describe_counter!("callrated_call_details_deleted_total", "Rows of call details deleted or erased");
    describe_counter!(
        "callrated_images_deleted_total",
        "Images of directories deleted because nothing kept needs them"
    );
}

/// Why something is not deleted, held or erased.
#[derive(Debug, thiserror::Error)]
pub enum RetainFailed {
    /// The journal takes nothing.
    #[error(transparent)]
    Journal(#[from] NotTaken),
    /// The daemon is stopping.
    #[error(transparent)]
    Road(#[from] RoadClosed),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder of images.
    #[error("an image cannot be deleted: {0}")]
    Images(std::io::Error),
}

/// What the rules would delete now.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Due {
    /// Months whose details go.
    pub periods: Vec<Period>,
    /// Contradicting records before this instant go.
    pub conflicts_before: Option<Timestamp>,
    /// What was discarded before this instant goes.
    pub discarded_before: Option<Timestamp>,
    /// Images of directories that were replaced before this instant and that nothing needs go.
    pub images_before: Option<Timestamp>,
    /// Which those are.
    pub images: OldImages,
}

/// What is kept, and where.
pub struct Places {
    /// Calls and what leads to them.
    pub store: Arc<dyn Store>,
    /// Compiled tariffs and directories by digest.
    pub images: Arc<Images>,
    /// Records as they came.
    pub journal: JournalReader,
}

/// Does one thing at a time.
pub struct Retainer {
    road: Road,
    store: Arc<dyn Store>,
    images: Arc<Images>,
    journal: JournalReader,
    clock: Clock,
    settings: RetentionSettings,
    turn: tokio::sync::Mutex<()>,
    held: Gauge,
    pending: Gauge,
    deleted: Counter,
    images_deleted: Counter,
}

impl Retainer {
    /// Over a running road.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn new(road: Road, places: Places, clock: Clock, settings: RetentionSettings) -> Result<Retainer, StoreError> {
        let Places { store, images, journal } = places;
        let retainer = Retainer {
            road,
            store,
            images,
            journal,
            clock,
            settings,
            turn: tokio::sync::Mutex::default(),
            held: gauge!("callrated_accounts_held"),
            pending: gauge!("callrated_retention_pending"),
            deleted: counter!("callrated_call_details_deleted_total"),
            images_deleted: counter!("callrated_images_deleted_total"),
        };
        retainer.show(retainer.store.holds()?.len(), &retainer.store.retention()?);
        Ok(retainer)
    }

    /// The rules.
    pub fn settings(&self) -> RetentionSettings {
        self.settings
    }

    /// What the rules would delete now.
    pub async fn due(&self) -> Result<Due, RetainFailed> {
        let now = self.clock.now();
        let this = Period::containing(now, &Zone::UTC).0;
        // A month is over by its last day; then so many whole months follow.
        let before = move |months: u32| Period(this.saturating_sub_unsigned(months));
        let instant = move |months: u32| before(months).bounds(&Zone::UTC).0;
        let periods = match self.settings.calls {
            Some(months) => self.ask(move |store| store.deletion_due(before(months))).await?,
            None => Vec::new(),
        };
        let images_before = self.settings.images.map(instant);
        let images = self.old_images(images_before).await?;
        let mut due = Due {
            periods,
            conflicts_before: self.settings.conflicts.map(instant),
            discarded_before: self.settings.discarded.map(instant),
            images_before: images_before.filter(|_| images.count() > 0),
            images,
        };
        // What the last order said of them already needs no other one.
        let orders = self.ask(|store| store.retention()).await?;
        if let Some(last) = orders.iter().rev().find(|order| order.entry.what == Kept::Delete) {
            let said = |at: Option<i64>, now: &mut Option<Timestamp>| {
                if at == now.map(|now| now.0) {
                    *now = None;
                }
            };
            said(last.entry.conflicts_before, &mut due.conflicts_before);
            said(last.entry.discarded_before, &mut due.discarded_before);
        }
        Ok(due)
    }

    /// Orders what the rules say now and does it.
    pub async fn delete(&self, by: &str) -> Result<Due, RetainFailed> {
        let due = self.due().await?;
        if due != Due::default() {
            let months = |what: &str, months: Option<u32>| months.map(|months| format!("{what} = \"{months} months\""));
            let RetentionSettings { calls, conflicts, discarded, images } = self.settings;
            let rules = [("calls", calls), ("conflicts", conflicts), ("discarded", discarded), ("images", images)];
            let rules: Vec<String> = rules.into_iter().filter_map(|(what, rule)| months(what, rule)).collect();
            self.order(Retention {
                what: Kept::Delete,
                account: String::new(),
                periods: due.periods.iter().map(|period| period.0).collect(),
                conflicts_before: due.conflicts_before.map(|at| at.0),
                discarded_before: due.discarded_before.map(|at| at.0),
                images_before: due.images_before.map(|at| at.0),
                why: rules.join(", "),
                by: by.to_owned(),
                at: self.clock.now().0,
            })
            .await?;
            self.go_on().await?;
        }
        Ok(due)
    }

    /// Holds, releases or erases an account.
    pub async fn account(&self, what: Kept, account: &str, why: &str, by: &str) -> Result<(), RetainFailed> {
        self.order(Retention {
            what,
            account: account.to_owned(),
            periods: Vec::new(),
            conflicts_before: None,
            discarded_before: None,
            images_before: None,
            why: why.to_owned(),
            by: by.to_owned(),
            at: self.clock.now().0,
        })
        .await
    }

    async fn order(&self, entry: Retention) -> Result<(), RetainFailed> {
        let mut batch = Batch::new(SourceId(0));
        // Plain text and numbers always serialise.
        batch.push_entry(EntryKind::Retention, &serde_json::to_vec(&entry).unwrap_or_default());
        self.road.enter(batch).await?;
        self.road.flush().await?;
        self.look().await
    }

    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, RetainFailed> {
        let store = self.store.clone();
        let answer = tokio::task::spawn_blocking(move || ask(store.as_ref())).await.map_err(|_| RoadClosed)?;
        Ok(answer?)
    }

    async fn look(&self) -> Result<(), RetainFailed> {
        let (holds, orders) = self.ask(|store| Ok((store.holds()?, store.retention()?))).await?;
        self.show(holds.len(), &orders);
        Ok(())
    }

    fn show(&self, holds: usize, orders: &[OrderRow]) {
        self.held.set(holds as f64);
        self.pending.set(orders.iter().filter(|order| order.done_at.is_none()).count() as f64);
    }

    /// Who is held, and why.
    pub async fn holds(&self) -> Result<Vec<RetentionRow>, RetainFailed> {
        self.ask(|store| store.holds()).await
    }

    /// Does what was ordered and is not done, as far as it can be done now.
    pub async fn go_on(&self) -> Result<(), RetainFailed> {
        let _turn = self.turn.lock().await;
        let orders = self.ask(|store| store.retention()).await?;
        for order in orders.iter().filter(|order| order.done_at.is_none()) {
            if !order.stored && !self.delete_stored(order.position).await? {
                continue;
            }
            let gone = match order.entry.what {
                Kept::Erase => {
                    self.leaves_the_journal(order.position).await? && self.ask(|store| store.scrub()).await?
                }
                _ => self.delete_images(order.entry.images_before.map(Timestamp)).await?,
            };
            if gone {
                let (position, at) = (order.position, self.clock.now());
                self.ask(move |store| store.retired(position, at)).await?;
                tracing::info!("retention: {:?} {} is done", order.entry.what, order.entry.account);
            }
        }
        self.look().await
    }

    /// False: it is held, or waits for a seal or a run of re-rating.
    async fn delete_stored(&self, order: Position) -> Result<bool, RetainFailed> {
        loop {
            match self.ask(move |store| store.retire(order)).await? {
                Retired::More(rows) => self.deleted.increment(rows),
                Retired::Held | Retired::Waits => return Ok(false),
                Retired::Stored => return Ok(true),
            }
            // Flushes come between: each step had the store for one transaction.
            tokio::task::yield_now().await;
        }
    }

    async fn old_images(&self, before: Option<Timestamp>) -> Result<OldImages, RetainFailed> {
        let Some(before) = before else { return Ok(OldImages::default()) };
        let (images, journal) = (self.images.clone(), self.journal.first());
        self.ask(move |store| old_images(store, &images, journal, before)).await
    }

    /// Which go is found anew: what an order found when it was given may be needed by now.
    async fn delete_images(&self, before: Option<Timestamp>) -> Result<bool, RetainFailed> {
        let old = self.old_images(before).await?;
        let images = self.images.clone();
        let gone = tokio::task::spawn_blocking(move || old.delete(&images));
        self.images_deleted.increment(gone.await.map_err(|_| RoadClosed)?.map_err(RetainFailed::Images)?);
        Ok(true)
    }

    /// Everything up to an order is stored and no longer in the journal.
    async fn leaves_the_journal(&self, order: Position) -> Result<bool, RetainFailed> {
        if self.journal.first() > order {
            return Ok(true);
        }
        self.road.send(Control::EndSegment).await?;
        let mut batch = Batch::new(SourceId(0));
        batch.push_tick(self.clock.now());
        let end = self.road.enter(batch).await?;
        self.road.flush().await?;
        // The segment of the order ends before the tick; the one that the tick began stays.
        self.road.send(Control::Release(end)).await?;
        // Answered behind what was asked before it.
        self.road.open_calls().await?;
        Ok(self.journal.first() > order)
    }

    /// Goes on with what a former process left, and runs by the rules once a day.
    pub async fn run(self: Arc<Retainer>) {
        let mut timer = tokio::time::interval(LOOK_EVERY);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looks = 0_u32;
        loop {
            timer.tick().await;
            let done = if looks.is_multiple_of(LOOKS_A_RUN) { self.run_by_rules().await } else { self.go_on().await };
            if let Err(error) = done {
                tracing::warn!("what is to be deleted stays for now: {error}");
            }
            looks = looks.wrapping_add(1);
        }
    }

    async fn run_by_rules(&self) -> Result<(), RetainFailed> {
        self.go_on().await?;
        self.delete(BY_SCHEDULE).await.map(|_| ())
    }
}
