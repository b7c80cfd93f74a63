//! Rating calls again: dry runs beside the road, and runs that count.
//!
//! ```text
//! dry run   a thread of its own ─▶ report
//! apply     Begin entry ─▶ flush ─▶ draft (a thread of its own) ─▶ Count entry ─▶ flush
//! ```
//! What was begun follows from the state of the store, so whatever ends in between, a start goes on from there.
//!
//! Does not know how calls are rated, nor who asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::batch::{Batch, EntryKind, FRAME_HEAD, Position, SourceId};
use crate::entry::{Rerate, RerateBegin};
use crate::ingest::NotTaken;
use crate::period::rerate::Report;
use crate::period::{Progress, SealError, Seals};
use crate::road::{Road, RoadClosed};
use crate::store::{RerateRun, RerateState, Store, StoreError};

/// How often a run that failed for a reason that may pass is gone on with.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Dry runs at work at once: each takes two threads and what it holds of allowances that are drawn anew.
const DRY_AT_ONCE: usize = 2;
/// Dry runs whose reports are remembered.
const DRY_KEPT: usize = 32;

/// Why a run does not count.
#[derive(Debug, thiserror::Error)]
pub enum RerateFailed {
    /// A month is being sealed, or another run is under way.
    #[error("a month is being sealed or another run of re-rating is under way; ask again once that has ended")]
    Busy,
    /// As many dry runs as are made at once.
    #[error("as many dry runs as are made at once are under way")]
    Full,
    /// The journal takes nothing.
    #[error(transparent)]
    Journal(#[from] NotTaken),
    /// The daemon is stopping.
    #[error(transparent)]
    Road(#[from] RoadClosed),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The calls cannot be rated.
    #[error(transparent)]
    Rating(#[from] SealError),
}

/// A dry run.
#[derive(Clone)]
pub struct DryRun {
    /// What was asked for.
    pub begin: Arc<RerateBegin>,
    /// How far it is.
    pub progress: Arc<Progress>,
    /// What it comes to, or why it does not; none: it is under way.
    pub done: Option<Result<Arc<Report>, Arc<SealError>>>,
}

/// Rates calls again.
pub struct Rerater {
    road: Road,
    store: Arc<dyn Store>,
    seals: Arc<Seals>,
    dry: Mutex<(u64, BTreeMap<u64, DryRun>)>,
    at_once: Arc<tokio::sync::Semaphore>,
    turn: tokio::sync::Mutex<()>,
}

impl Rerater {
    /// Over a running road.
    pub fn new(road: Road, store: Arc<dyn Store>, seals: Arc<Seals>) -> Rerater {
        let at_once = Arc::new(tokio::sync::Semaphore::new(DRY_AT_ONCE));
        Rerater { road, store, seals, dry: Mutex::default(), at_once, turn: tokio::sync::Mutex::default() }
    }

    /// Begins a dry run: its number.
    ///
    /// # Errors
    /// As many as are made at once are under way.
    pub fn dry_run(self: &Arc<Rerater>, begin: RerateBegin) -> Result<u64, RerateFailed> {
        let place = self.at_once.clone().try_acquire_owned().map_err(|_| RerateFailed::Full)?;
        let run = DryRun { begin: Arc::new(begin), progress: Arc::default(), done: None };
        let number = {
            let mut dry = self.dry.lock().unwrap_or_else(PoisonError::into_inner);
            dry.0 += 1;
            let number = dry.0;
            dry.1.insert(number, run.clone());
            while dry.1.len() > DRY_KEPT {
                dry.1.pop_first();
            }
            number
        };
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            let done = this.seals.rerate_dry(&run.begin, &run.progress).map(Arc::new).map_err(Arc::new);
            let mut dry = this.dry.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(run) = dry.1.get_mut(&number) {
                run.done = Some(done);
            }
            drop(place);
        });
        Ok(number)
    }

    /// A dry run by its number.
    pub fn dry(&self, number: u64) -> Option<DryRun> {
        self.dry.lock().unwrap_or_else(PoisonError::into_inner).1.get(&number).cloned()
    }

    /// Stored calls that the run under way has read, and legs that it has rated.
    pub fn progress(&self) -> (u64, u64) {
        self.seals.rerating().get()
    }

    /// Begins a run that is to count: its number. It is ended by [`Rerater::go_on`].
    ///
    /// # Errors
    /// Nothing can be begun now.
    pub async fn begin(&self, begin: RerateBegin) -> Result<u32, RerateFailed> {
        let (end, length) = self.enter(&Rerate::Begin(Box::new(begin))).await?;
        self.road.flush().await?;
        let runs = self.runs().await?;
        // The only entry of its frame, whose last byte may not be a zero.
        let ours = |run: &&RerateRun| {
            let from = run.begun.0 - FRAME_HEAD as u64 + length;
            from == end.0 || from + 1 == end.0
        };
        let run = runs.iter().rev().find(ours).ok_or(RerateFailed::Busy)?;
        tracing::info!("run {} of re-rating began at position {}", run.run, run.begun);
        Ok(run.run)
    }

    /// Ends every run that was begun.
    ///
    /// # Errors
    /// A reason that may pass; the run stays under way.
    pub async fn go_on(&self) -> Result<(), RerateFailed> {
        let _turn = self.turn.lock().await;
        for run in self.runs().await?.into_iter().filter(|run| run.state == RerateState::Rating) {
            let (number, begun, seals) = (run.run, run.begun, self.seals.clone());
            let draft = tokio::task::spawn_blocking(move || seals.rerate_draft(number, begun));
            let said = match draft.await.map_err(|_| RoadClosed)? {
                Ok(draft) => Rerate::Count { run: number, begun: begun.0, digest: draft.digest },
                Err(SealError::Store(error)) if error.is_retryable() => return Err(error.into()),
                Err(error) => {
                    tracing::error!("run {number} of re-rating is given up: {error}");
                    Rerate::GiveUp { run: number, why: error.to_string() }
                }
            };
            self.enter(&said).await?;
            self.road.flush().await?;
            tracing::info!("run {number} of re-rating has ended");
        }
        Ok(())
    }

    /// Goes on with what a former process began, and with what failed for a reason that may pass.
    pub async fn run(self: Arc<Rerater>) {
        let mut timer = tokio::time::interval(LOOK_EVERY);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            if let Err(error) = self.go_on().await {
                tracing::error!("calls cannot be rated again now, which is tried again: {error}");
            }
        }
    }

    async fn runs(&self) -> Result<Vec<RerateRun>, RerateFailed> {
        let store = self.store.clone();
        Ok(tokio::task::spawn_blocking(move || store.rerate_runs()).await.map_err(|_| RoadClosed)??)
    }

    async fn enter(&self, said: &Rerate) -> Result<(Position, u64), NotTaken> {
        let mut batch = Batch::new(SourceId(0));
        // Plain text and numbers always serialise.
        batch.push_entry(EntryKind::Rerate, &serde_json::to_vec(said).unwrap_or_default());
        let length = batch.len() as u64;
        Ok((self.road.enter(batch).await?, length))
    }
}
