//! Sealing months: closes one when asked or when its time has come, has it rated again beside the road, and makes the
//! result count.
//!
//! ```text
//! close ─▶ Seal entry ─▶ flush ─▶ draft (a thread of its own) ─▶ Sealed entry ─▶ flush ─▶ what waited is tried again
//! ```
//! Every step follows from the state of the store, so whatever ends in between, a start goes on from there.
//!
//! Does not know how a month is rated, nor who asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::retry::{RetryError, retry};
use crate::batch::{Batch, EntryKind, SourceId};
use crate::call::SuspenseReason;
use crate::entry::{Ack, Seal, Sealed};
use crate::ingest::NotTaken;
use crate::os::clock::Clock;
use crate::period::{PeriodSettings, SealError, Seals, everywhere};
use crate::road::{Road, RoadClosed};
use crate::store::{PeriodRow, Store, StoreError};
use crate::time::{Period, Timestamp};
use metrics::{Gauge, counter, describe_counter, describe_gauge, gauge};

/// How often it is looked whether a month is to be sealed by schedule, or one that failed can be gone on with.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Says what the metrics of this part mean; once, after the recorder is installed.
pub fn describe() {
    describe_gauge!("callrated_periods_sealed", "Months that are sealed");
    describe_gauge!("callrated_periods_sealing", "Months that are being sealed");
    describe_counter!("callrated_seal_failures_total", "Attempts at sealing a month that failed and are tried again");
}

/// Why a month is not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealFailed {
    /// The journal takes nothing.
    #[error(transparent)]
    Journal(#[from] NotTaken),
    /// The daemon is stopping.
    #[error(transparent)]
    Road(#[from] RoadClosed),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The month cannot be rated.
    #[error(transparent)]
    Rating(#[from] SealError),
    /// What waited cannot be tried again.
    #[error(transparent)]
    Retry(#[from] RetryError),
}

/// Seals one month at a time.
pub struct Sealer {
    road: Road,
    store: Arc<dyn Store>,
    seals: Arc<Seals>,
    clock: Clock,
    settings: PeriodSettings,
    /// As last seen in the store.
    known: Mutex<BTreeMap<Period, PeriodRow>>,
    /// Why the last attempt failed.
    failed: Mutex<Option<String>>,
    /// The month at which it is at work.
    busy: Mutex<Option<Period>>,
    /// What a former process left waiting was tried again.
    begun: AtomicBool,
    turn: tokio::sync::Mutex<()>,
    sealed: Gauge,
    sealing: Gauge,
}

impl Sealer {
    /// Over a running road.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn new(
        road: Road,
        store: Arc<dyn Store>,
        seals: Arc<Seals>,
        clock: Clock,
        settings: PeriodSettings,
    ) -> Result<Sealer, StoreError> {
        let sealer = Sealer {
            road,
            store,
            seals,
            clock,
            settings,
            known: Mutex::default(),
            failed: Mutex::default(),
            busy: Mutex::default(),
            begun: AtomicBool::new(false),
            turn: tokio::sync::Mutex::default(),
            sealed: gauge!("callrated_periods_sealed"),
            sealing: gauge!("callrated_periods_sealing"),
        };
        sealer.know(sealer.store.periods()?);
        Ok(sealer)
    }

    /// What is known of a closed month; none: it is open.
    pub fn closed(&self, period: Period) -> Option<PeriodRow> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&period).cloned()
    }

    /// `open`, `closing` (over, and its records may still come), `sealing`, `sealed`. `over`: when it ends.
    pub fn state(&self, period: Period, over: Timestamp) -> &'static str {
        match self.closed(period) {
            Some(PeriodRow { sealed: Some(_), .. }) if !self.is_busy(period) => "sealed",
            Some(_) => "sealing",
            None if self.clock.now() >= over => "closing",
            None => "open",
        }
    }

    fn is_busy(&self, period: Period) -> bool {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) == Some(period)
    }

    /// Stored calls of the month under way that were read, and legs that were rated again.
    pub fn progress(&self) -> (u64, u64) {
        self.seals.progress().get()
    }

    /// Why the last attempt failed; none: it did not.
    pub fn failed(&self) -> Option<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From when on a month can be sealed without saying that it is early.
    pub fn due(&self, period: Period) -> Timestamp {
        Timestamp(everywhere(period).1.0.saturating_add(self.settings.grace.0))
    }

    /// Closes a month; it is sealed by [`Sealer::go_on`]. A month that is closed stays as it is.
    pub async fn close(&self, period: Period, by: &str) -> Result<(), SealFailed> {
        if self.closed(period).is_some() {
            return Ok(());
        }
        let seal = Seal { period: period.0, at: self.clock.now().0, by: by.to_owned() };
        self.enter(EntryKind::Seal, &seal).await?;
        self.road.flush().await?;
        self.look().await?;
        tracing::info!("{period} is closed ({by}); it is rated again in canonical order");
        Ok(())
    }

    /// Seals every month that is closed and not sealed yet, in the order in which they were closed: what one hands on or bills
    /// of another is known then.
    pub async fn go_on(&self) -> Result<(), SealFailed> {
        let _turn = self.turn.lock().await;
        let done = self.seal_all().await;
        self.at_work(None);
        let failed = done.as_ref().err().map(ToString::to_string);
        if let Some(error) = &failed {
            counter!("callrated_seal_failures_total").increment(1);
            tracing::error!("a month cannot be sealed now, and is tried again: {error}");
        }
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        done
    }

    async fn seal_all(&self) -> Result<(), SealFailed> {
        loop {
            self.look().await?;
            let next = {
                let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known
                    .values()
                    .filter(|row| row.sealed.is_none())
                    .min_by_key(|row| row.seal)
                    .map(|row| (row.period, row.seal))
            };
            let Some((period, seal)) = next else {
                if !self.begun.swap(true, Ordering::Relaxed) {
                    self.tried_again("a seal").await?;
                }
                return Ok(());
            };
            self.at_work(Some(period));
            let seals = self.seals.clone();
            let draft = tokio::task::spawn_blocking(move || seals.draft(period, seal));
            let draft = draft.await.map_err(|_| RoadClosed)??;
            let digest = draft.digest;
            self.enter(EntryKind::Sealed, &Sealed { period: period.0, seal: seal.0, digest: digest.clone() }).await?;
            self.road.flush().await?;
            self.look().await?;
            tracing::info!("{period} is sealed: {digest}");
            self.tried_again(&format!("the seal of {period}")).await?;
        }
    }

    /// What waited for a seal goes on.
    async fn tried_again(&self, what: &str) -> Result<(), SealFailed> {
        let waited = retry(&self.road, &self.store, Some(SuspenseReason::PeriodSealing)).await?;
        if waited > 0 {
            tracing::info!("{waited} calls waited for {what} and were tried again");
            self.road.flush().await?;
        }
        Ok(())
    }

    fn at_work(&self, period: Option<Period>) {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) = period;
    }

    /// Records which job took a manifest.
    pub async fn ack(&self, period: Period, digest: &str, job: &str) -> Result<(), SealFailed> {
        let ack = Ack { period: period.0, digest: digest.to_owned(), job: job.to_owned(), at: self.clock.now().0 };
        self.enter(EntryKind::Ack, &ack).await?;
        self.road.flush().await?;
        Ok(())
    }

    /// Goes on with what a former process began, seals by schedule, and goes on with what failed.
    pub async fn run(self: Arc<Sealer>) {
        let mut timer = tokio::time::interval(LOOK_EVERY);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            if self.settings.auto_seal
                && let Err(error) = self.close_due().await
            {
                tracing::warn!("months whose time has come cannot be closed now: {error}");
            }
            // What failed was said.
            let _ = self.go_on().await;
        }
    }

    async fn close_due(&self) -> Result<(), SealFailed> {
        self.road.flush().await?;
        let store = self.store.clone();
        let months = tokio::task::spawn_blocking(move || store.months()).await.map_err(|_| RoadClosed)??;
        let now = self.clock.now();
        for period in months.into_iter().filter(|period| self.due(*period) <= now) {
            self.close(period, "schedule").await?;
        }
        Ok(())
    }

    async fn enter(&self, kind: EntryKind, entry: &impl serde::Serialize) -> Result<(), NotTaken> {
        let mut batch = Batch::new(SourceId(0));
        // Plain text and numbers always serialise.
        batch.push_entry(kind, &serde_json::to_vec(entry).unwrap_or_default());
        self.road.enter(batch).await.map(|_| ())
    }

    async fn look(&self) -> Result<(), SealFailed> {
        let store = self.store.clone();
        let rows = tokio::task::spawn_blocking(move || store.periods()).await.map_err(|_| RoadClosed)??;
        self.know(rows);
        Ok(())
    }

    fn know(&self, rows: Vec<PeriodRow>) {
        let sealed = rows.iter().filter(|row| row.sealed.is_some()).count();
        self.sealed.set(sealed as f64);
        self.sealing.set((rows.len() - sealed) as f64);
        let rows = rows.into_iter().map(|row| (row.period, row)).collect();
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }
}
