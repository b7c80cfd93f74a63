//! A store that fails as told, around a store that works: it refuses, is slow, or loses the answer after the commit.
//!
//! The faults of flushes come from a seed, so that a failing run can be run again. Questions fail only while the store
//! is away. For tests of those who use a store.
//!
//! Does not know what it carries.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use super::*;

mod dice;
mod faults;

pub use faults::{Faults, Played};

/// A store that fails as told.
pub struct FaultyStore<S> {
    inner: S,
    faults: Faults,
    dice: AtomicU64,
    away: AtomicBool,
    hangs: Mutex<bool>,
    goes_on: Condvar,
    flushes: AtomicU64,
    refused: AtomicU64,
    lost_after: AtomicU64,
}

impl<S: Store> FaultyStore<S> {
    /// Wraps a store; the seed decides which flush meets which fault.
    pub fn new(inner: S, seed: u64, faults: Faults) -> FaultyStore<S> {
        FaultyStore {
            inner,
            faults,
            dice: AtomicU64::new(seed),
            away: AtomicBool::new(false),
            hangs: Mutex::new(false),
            goes_on: Condvar::new(),
            flushes: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            lost_after: AtomicU64::new(0),
        }
    }

    /// While away, everything fails with [`StoreError::Io`].
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// While it hangs, a flush does not return; afterwards it goes on as if nothing had been.
    pub fn set_hanging(&self, hangs: bool) {
        *self.hangs.lock().unwrap_or_else(PoisonError::into_inner) = hangs;
        self.goes_on.notify_all();
    }

    /// The store within, without faults.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn present(&self) -> Result<&S, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Io("the store is away (a fault that was asked for)".into()));
        }
        Ok(&self.inner)
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn flush(&self, batch: &FlushBatch<'_>) -> Result<FlushReport, StoreError> {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        let hangs = self.hangs.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.goes_on.wait_while(hangs, |hangs| *hangs));
        let store = match self.present() {
            Ok(store) => store,
            Err(error) => return self.refuse(error),
        };
        let lost = || StoreError::Io("the connection was lost (a fault that was asked for)".into());
        let faults = &self.faults;
        let roll = self.roll();
        let mut below = faults.busy;
        if roll < below {
            return self.refuse(StoreError::Busy);
        }
        below += faults.full;
        if roll < below {
            return self.refuse(StoreError::Full);
        }
        below += faults.lost_before;
        if roll < below {
            return self.refuse(lost());
        }
        below += faults.lost_after;
        if roll < below {
            store.flush(batch)?;
            self.lost_after.fetch_add(1, Ordering::SeqCst);
            return Err(lost());
        }
        below += faults.slow;
        if roll < below {
            std::thread::sleep(faults.delay);
        }
        store.flush(batch)
    }

    fn load(&self) -> Result<StoredState, StoreError> {
        self.present()?.load()
    }

    fn start(&self) -> Result<StoredStart, StoreError> {
        self.present()?.start()
    }

    fn load_activations(&self) -> Result<(Vec<ActivationRow>, Vec<ActivationRow>), StoreError> {
        self.present()?.load_activations()
    }

    fn calls(
        &self,
        account: AccountKey,
        period: Period,
        page: CallPage,
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<Option<CallCursor>, StoreError> {
        self.present()?.calls(account, period, page, visit)
    }

    fn legs(&self, position: Position) -> Result<Vec<OwnedCall>, StoreError> {
        self.present()?.legs(position)
    }

    fn scan(
        &self,
        period: Option<Period>,
        order: ScanOrder,
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<(), StoreError> {
        self.present()?.scan(period, order, visit)
    }

    fn calls_of_flush(&self, flush: u64, visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit) -> Result<(), StoreError> {
        self.present()?.calls_of_flush(flush, visit)
    }

    fn usage(&self, account: AccountKey, period: Period) -> Result<Vec<UsageLine>, StoreError> {
        self.present()?.usage(account, period)
    }

    fn allowances(&self, group: GroupKey, period: Period) -> Result<Vec<AllowanceLine>, StoreError> {
        self.present()?.allowances(group, period)
    }

    fn period_usage(
        &self,
        period: Period,
        after: Option<&str>,
        limit: usize,
        visit: &mut dyn FnMut(&Account, &[UsageLine]) -> Visit,
    ) -> Result<(), StoreError> {
        self.present()?.period_usage(period, after, limit, visit)
    }

    fn account_named(&self, name: &str) -> Result<Option<AccountKey>, StoreError> {
        self.present()?.account_named(name)
    }

    fn account_name(&self, key: AccountKey) -> Result<Option<String>, StoreError> {
        self.present()?.account_name(key)
    }

    fn suspense(&self, page: SuspensePage, visit: &mut Items<'_>) -> Result<(), StoreError> {
        self.present()?.suspense(page, visit)
    }

    fn suspense_counts(&self) -> Result<Vec<(SuspenseReason, u64)>, StoreError> {
        self.present()?.suspense_counts()
    }

    fn suspense_whole(&self, page: SuspensePage, visit: &mut Items<'_>) -> Result<(), StoreError> {
        self.present()?.suspense_whole(page, visit)
    }

    fn suspense_part(&self, part: (usize, usize), visit: &mut Items<'_>) -> Result<(), StoreError> {
        self.present()?.suspense_part(part, visit)
    }

    fn suspense_ages(&self, since: [Timestamp; AGES - 1]) -> Result<Vec<SuspenseAges>, StoreError> {
        self.present()?.suspense_ages(since)
    }

    fn suspense_oldest(&self) -> Result<Vec<(SuspenseReason, Timestamp)>, StoreError> {
        self.present()?.suspense_oldest()
    }

    fn conflicts_undecided(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        self.present()?.conflicts_undecided()
    }

    fn discarded_of(&self, position: Position) -> Result<Vec<DiscardedItem>, StoreError> {
        self.present()?.discarded_of(position)
    }

    fn decisions(&self, first: Option<Position>) -> Result<Vec<DecidedRow>, StoreError> {
        self.present()?.decisions(first)
    }

    fn told(&self, positions: &[Position]) -> Result<Vec<Option<Told>>, StoreError> {
        self.present()?.told(positions)
    }

    fn told_unanswered(&self, after: Option<Position>, limit: usize) -> Result<Vec<ToldUnanswered>, StoreError> {
        self.present()?.told_unanswered(after, limit)
    }

    fn suspense_of(&self, position: Position) -> Result<Vec<SuspenseItem>, StoreError> {
        self.present()?.suspense_of(position)
    }

    fn pieces(&self, position: Position) -> Result<Vec<Position>, StoreError> {
        self.present()?.pieces(position)
    }

    fn assembled(&self, from: Position, limit: usize) -> Result<Vec<AssembledRow>, StoreError> {
        self.present()?.assembled(from, limit)
    }

    fn conflicts(&self, after: Option<Position>, limit: usize) -> Result<Vec<Conflict>, StoreError> {
        self.present()?.conflicts(after, limit)
    }

    fn flushes(&self, after: Option<u64>, limit: usize) -> Result<Vec<FlushInfo>, StoreError> {
        self.present()?.flushes(after, limit)
    }

    fn draft_begin(&self, of: DraftOf) -> Result<(), StoreError> {
        self.present()?.draft_begin(of)
    }

    fn draft_rows(&self, of: DraftOf, number: u64, rows: &[u8]) -> Result<(), StoreError> {
        self.present()?.draft_rows(of, number, rows)
    }

    fn draft_finish(&self, of: DraftOf, draft: &Draft) -> Result<(), StoreError> {
        self.present()?.draft_finish(of, draft)
    }

    fn draft(&self, of: DraftOf) -> Result<Option<Draft>, StoreError> {
        self.present()?.draft(of)
    }

    fn scan_part(
        &self,
        period: Period,
        part: (usize, usize),
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<(), StoreError> {
        self.present()?.scan_part(period, part, visit)
    }

    fn rows(&self, rows: &[u64], visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit) -> Result<(), StoreError> {
        self.present()?.rows(rows, visit)
    }

    fn revisions(&self, position: Position) -> Result<Vec<Revised>, StoreError> {
        self.present()?.revisions(position)
    }

    fn rerate_runs(&self) -> Result<Vec<RerateRun>, StoreError> {
        self.present()?.rerate_runs()
    }

    fn rerate_run(&self, run: u32) -> Result<Option<(RerateRun, Vec<u8>)>, StoreError> {
        self.present()?.rerate_run(run)
    }

    fn corrected_by(&self, flush: u64) -> Result<Corrected, StoreError> {
        self.present()?.corrected_by(flush)
    }

    fn reversed(&self) -> Result<Vec<u64>, StoreError> {
        self.present()?.reversed()
    }

    fn periods(&self) -> Result<Vec<PeriodRow>, StoreError> {
        self.present()?.periods()
    }

    fn margin_routes(&self, period: Period) -> Result<Vec<MarginRoute>, StoreError> {
        self.present()?.margin_routes(period)
    }

    fn margin_accounts(&self, period: Period) -> Result<Vec<MarginAccount>, StoreError> {
        self.present()?.margin_accounts(period)
    }

    fn deleted_margins(&self, period: Period) -> Result<Vec<MarginAccount>, StoreError> {
        self.present()?.deleted_margins(period)
    }

    fn minimums(&self, of: MinimumsOf<'_>) -> Result<Vec<MinimumRow>, StoreError> {
        self.present()?.minimums(of)
    }

    fn draft_minimums(&self, rows: &[MinimumRow]) -> Result<(), StoreError> {
        self.present()?.draft_minimums(rows)
    }

    fn adjusted(&self, period: Period) -> Result<Vec<Period>, StoreError> {
        self.present()?.adjusted(period)
    }

    fn months(&self) -> Result<Vec<Period>, StoreError> {
        self.present()?.months()
    }

    fn manifest(&self, period: Period) -> Result<Option<Vec<u8>>, StoreError> {
        self.present()?.manifest(period)
    }

    fn changes(&self, name: &str) -> Result<Vec<Position>, StoreError> {
        self.present()?.changes(name)
    }

    fn acks(&self, period: Period) -> Result<Vec<AckRow>, StoreError> {
        self.present()?.acks(period)
    }

    fn profile(&self, source: SourceId, position: Position) -> Result<Option<String>, StoreError> {
        self.present()?.profile(source, position)
    }

    fn guard_events(&self, page: GuardPage) -> Result<Vec<GuardEvent>, StoreError> {
        self.present()?.guard_events(page)
    }

    fn guard_delivered(&self, deliveries: &[GuardDelivery]) -> Result<(), StoreError> {
        self.present()?.guard_delivered(deliveries)
    }

    fn guard_deliveries(&self, since: Timestamp) -> Result<Vec<GuardDelivery>, StoreError> {
        self.present()?.guard_deliveries(since)
    }

    fn retention(&self) -> Result<Vec<OrderRow>, StoreError> {
        self.present()?.retention()
    }

    fn directories_of_calls(&self) -> Result<Option<Vec<u32>>, StoreError> {
        self.present()?.directories_of_calls()
    }

    fn holds(&self) -> Result<Vec<RetentionRow>, StoreError> {
        self.present()?.holds()
    }

    fn deletion_due(&self, before: Period) -> Result<Vec<Period>, StoreError> {
        self.present()?.deletion_due(before)
    }

    fn deleted(&self, period: Option<Period>) -> Result<Vec<DeletedRow>, StoreError> {
        self.present()?.deleted(period)
    }

    fn deleted_sums(&self, period: Option<Period>) -> Result<Vec<DeletedSum>, StoreError> {
        self.present()?.deleted_sums(period)
    }

    fn deleted_draws(&self) -> Result<Vec<AllowanceLine>, StoreError> {
        self.present()?.deleted_draws()
    }

    fn retire(&self, order: Position) -> Result<Retired, StoreError> {
        self.present()?.retire(order)
    }

    fn retired(&self, order: Position, at: Timestamp) -> Result<(), StoreError> {
        self.present()?.retired(order, at)
    }

    fn scrub(&self) -> Result<bool, StoreError> {
        self.present()?.scrub()
    }

    fn discarded_of_account(&self, account: AccountKey) -> Result<Vec<DiscardedRecord>, StoreError> {
        self.present()?.discarded_of_account(account)
    }

    fn backup_to(&self, path: &Path) -> Result<(), StoreError> {
        self.present()?.backup_to(path)
    }
}
