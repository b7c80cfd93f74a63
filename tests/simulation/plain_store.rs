//! A store in memory, as plain as can be: the promise of [`Store::flush`] and what the auditor reads, nothing else. It is
//! fast enough for thousands of worlds; every sixteenth world has the real SQLite store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use callrated::batch::{Position, SourceId};
use callrated::call::{AccountKey, CallType, GroupKey, Meter, RatedCall, SuspenseReason};
use callrated::record::Direction;
use callrated::store::*;
use callrated::time::{Period, Timestamp};

/// A call with its node, its id and what it drew.
type Kept = (RatedCall, Vec<u8>, Vec<u8>, Vec<u8>);

#[derive(Default)]
struct Rows {
    state: StoredState,
    calls: Vec<Kept>,
    usage: BTreeMap<(i32, u32, u32, CallType, [u8; 3]), UsageLine>,
    allowances: BTreeMap<(GroupKey, Period, Meter), u64>,
    suspense: BTreeMap<(Position, Option<Direction>), SuspenseItem>,
    retried: BTreeMap<(Position, Option<Direction>), Position>,
    conflicts: BTreeMap<Position, Conflict>,
    assembled: Vec<AssembledRow>,
    open_calls: BTreeMap<u128, Vec<u8>>,
}

/// The store.
#[derive(Default)]
pub struct PlainStore(Mutex<Rows>);

impl PlainStore {
    /// Where it stands.
    pub fn position(&self) -> Position {
        self.rows().state.position
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn not_here<T>() -> Result<T, StoreError> {
    Err(StoreError::Unstorable("the plain store does not answer this".into()))
}

impl Store for PlainStore {
    fn load(&self) -> Result<StoredState, StoreError> {
        let rows = self.rows();
        let mut state = rows.state.clone();
        state.usage = rows.usage.values().copied().collect();
        state.allowances = (rows.allowances.iter())
            .map(|((group, period, meter), used)| AllowanceLine {
                group: *group,
                period: *period,
                meter: *meter,
                used_seconds: *used,
            })
            .collect();
        state.retried = (rows.retried.iter())
            .map(|(key, attempt)| Retried { key: SuspenseKey { position: key.0, leg: key.1 }, attempt: *attempt })
            .collect();
        state.open_calls = rows.open_calls.iter().map(|(key, state)| (*key, state.clone())).collect();
        Ok(state)
    }

    fn flush(&self, batch: &FlushBatch<'_>) -> Result<FlushReport, StoreError> {
        let rows = &mut *self.rows();
        let state = &mut rows.state;
        if batch.upto == state.position {
            return Ok(FlushReport { already_done: true, flush: state.flush, calls: 0 });
        }
        if batch.from != state.position {
            return Err(StoreError::OutOfOrder { stored: state.position });
        }
        state.position = batch.upto;
        state.flush += 1;
        state.accounts.extend_from_slice(batch.accounts);
        state.groups.extend_from_slice(batch.groups);
        state.tariffs.extend_from_slice(batch.tariffs);
        state.directories.extend_from_slice(batch.directories);
        state.sources.extend_from_slice(batch.sources);
        state.books = batch.books.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        rows.calls
            .extend(batch.calls.iter().map(|row| (row.call, row.node.to_vec(), row.id.to_vec(), row.draws.to_vec())));
        for line in batch.usage {
            let key = (line.period.0, line.account.0, line.group.0, line.call_type, line.currency);
            rows.usage.insert(key, *line);
        }
        for line in batch.allowances {
            rows.allowances.insert((line.group, line.period, line.meter), line.used_seconds);
        }
        for row in batch.suspended {
            let item = SuspenseItem {
                key: row.key,
                reason: row.reason,
                attempt: row.attempt,
                account: row.account,
                period: row.period,
                node: row.node.to_vec(),
                id: row.id.to_vec(),
                source_dialled: row.source_dialled.to_vec(),
                destination_dialled: row.destination_dialled.to_vec(),
                answer: row.answer,
                record: row.record.to_vec(),
                source: row.source,
                received_at: row.received_at,
                detail: row.detail.to_owned(),
            };
            rows.suspense.insert((row.key.position, row.key.leg), item);
        }
        for key in batch.released {
            rows.suspense.remove(&(key.position, key.leg));
        }
        for retried in batch.retried {
            rows.retried.insert((retried.key.position, retried.key.leg), retried.attempt);
        }
        rows.assembled.extend_from_slice(batch.assembled);
        for row in batch.open_calls {
            match row.state {
                Some(state) => drop(rows.open_calls.insert(row.key, state.to_vec())),
                None => drop(rows.open_calls.remove(&row.key)),
            }
        }
        for row in batch.conflicts {
            let conflict = Conflict {
                position: row.position,
                first: row.first,
                record: row.record.to_vec(),
                source: row.source,
                received_at: Some(row.received_at),
            };
            rows.conflicts.insert(row.position, conflict);
        }
        Ok(FlushReport { already_done: false, flush: state.flush, calls: batch.calls.len() as u64 })
    }

    fn scan(
        &self,
        _period: Option<Period>,
        _order: ScanOrder,
        visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<(), StoreError> {
        let text = BasisText::default();
        for (call, node, id, draws) in &self.rows().calls {
            let shown = StoredCall {
                call: *call,
                node,
                id,
                source_dialled: b"",
                destination_dialled: b"",
                start: None,
                text: &text,
                grounds: None,
                revision: 0,
                run: None,
                named_tariff: false,
                costs: None,
                row: 0,
                draws,
                superseded: None,
            };
            if visit(&shown).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn calls_of_flush(&self, _flush: u64, _visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit) -> Result<(), StoreError> {
        not_here()
    }

    fn suspense(&self, _page: SuspensePage, visit: &mut dyn FnMut(&SuspenseItem) -> Visit) -> Result<(), StoreError> {
        for item in self.rows().suspense.values() {
            let _ = visit(item);
        }
        Ok(())
    }

    fn suspense_whole(
        &self,
        _page: SuspensePage,
        _visit: &mut dyn FnMut(&SuspenseItem) -> Visit,
    ) -> Result<(), StoreError> {
        not_here()
    }

    fn suspense_ages(&self, _since: [Timestamp; AGES - 1]) -> Result<Vec<SuspenseAges>, StoreError> {
        not_here()
    }

    fn suspense_oldest(&self) -> Result<Vec<(SuspenseReason, Timestamp)>, StoreError> {
        not_here()
    }

    fn conflicts_undecided(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        not_here()
    }

    fn discarded_of(&self, _position: Position) -> Result<Vec<DiscardedItem>, StoreError> {
        not_here()
    }

    fn decisions(&self, _first: Option<Position>) -> Result<Vec<DecidedRow>, StoreError> {
        // Nobody decides in these worlds; `months` has a store that knows more.
        Ok(Vec::new())
    }

    fn told(&self, _positions: &[Position]) -> Result<Vec<Option<Told>>, StoreError> {
        not_here()
    }

    fn told_unanswered(&self, _after: Option<Position>, _limit: usize) -> Result<Vec<ToldUnanswered>, StoreError> {
        not_here()
    }

    fn suspense_of(&self, position: Position) -> Result<Vec<SuspenseItem>, StoreError> {
        Ok(self.rows().suspense.values().filter(|item| item.key.position == position).cloned().collect())
    }

    fn conflicts(&self, _after: Option<Position>, _limit: usize) -> Result<Vec<Conflict>, StoreError> {
        Ok(self.rows().conflicts.values().cloned().collect())
    }

    fn load_activations(&self) -> Result<(Vec<ActivationRow>, Vec<ActivationRow>), StoreError> {
        not_here()
    }

    fn calls(
        &self,
        _account: AccountKey,
        _period: Period,
        _page: CallPage,
        _visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
    ) -> Result<Option<CallCursor>, StoreError> {
        not_here()
    }

    fn legs(&self, _position: Position) -> Result<Vec<OwnedCall>, StoreError> {
        not_here()
    }

    fn usage(&self, _account: AccountKey, _period: Period) -> Result<Vec<UsageLine>, StoreError> {
        not_here()
    }

    fn allowances(&self, _group: GroupKey, _period: Period) -> Result<Vec<AllowanceLine>, StoreError> {
        not_here()
    }

    fn period_usage(
        &self,
        _period: Period,
        _after: Option<&str>,
        _limit: usize,
        _visit: &mut dyn FnMut(&Account, &[UsageLine]) -> Visit,
    ) -> Result<(), StoreError> {
        not_here()
    }

    fn account_named(&self, _name: &str) -> Result<Option<AccountKey>, StoreError> {
        not_here()
    }

    fn account_name(&self, _key: AccountKey) -> Result<Option<String>, StoreError> {
        not_here()
    }

    fn suspense_counts(&self) -> Result<Vec<(SuspenseReason, u64)>, StoreError> {
        not_here()
    }

    fn flushes(&self, _after: Option<u64>, _limit: usize) -> Result<Vec<FlushInfo>, StoreError> {
        not_here()
    }

    fn pieces(&self, _position: Position) -> Result<Vec<Position>, StoreError> {
        not_here()
    }

    fn assembled(&self, from: Position, limit: usize) -> Result<Vec<AssembledRow>, StoreError> {
        Ok(self.rows().assembled.iter().filter(|row| row.position >= from).take(limit).cloned().collect())
    }

    fn rows(&self, _rows: &[u64], _visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit) -> Result<(), StoreError> {
        not_here()
    }

    fn revisions(&self, _position: Position) -> Result<Vec<Revised>, StoreError> {
        not_here()
    }

    fn rerate_runs(&self) -> Result<Vec<RerateRun>, StoreError> {
        Ok(Vec::new())
    }

    fn rerate_run(&self, _run: u32) -> Result<Option<(RerateRun, Vec<u8>)>, StoreError> {
        not_here()
    }

    fn corrected_by(&self, _flush: u64) -> Result<Corrected, StoreError> {
        not_here()
    }

    fn reversed(&self) -> Result<Vec<u64>, StoreError> {
        not_here()
    }

    fn draft_begin(&self, _of: DraftOf) -> Result<(), StoreError> {
        not_here()
    }

    fn draft_rows(&self, _of: DraftOf, _number: u64, _rows: &[u8]) -> Result<(), StoreError> {
        not_here()
    }

    fn draft_finish(&self, _of: DraftOf, _draft: &Draft) -> Result<(), StoreError> {
        not_here()
    }

    fn draft(&self, _of: DraftOf) -> Result<Option<Draft>, StoreError> {
        not_here()
    }

    fn periods(&self) -> Result<Vec<PeriodRow>, StoreError> {
        not_here()
    }

    fn months(&self) -> Result<Vec<Period>, StoreError> {
        not_here()
    }

    fn manifest(&self, _period: Period) -> Result<Option<Vec<u8>>, StoreError> {
        not_here()
    }

    fn changes(&self, _name: &str) -> Result<Vec<Position>, StoreError> {
        not_here()
    }

    fn acks(&self, _period: Period) -> Result<Vec<AckRow>, StoreError> {
        not_here()
    }

    fn profile(&self, _source: SourceId, _position: Position) -> Result<Option<String>, StoreError> {
        not_here()
    }

    fn guard_events(&self, _page: GuardPage) -> Result<Vec<GuardEvent>, StoreError> {
        not_here()
    }

    fn guard_delivered(&self, _deliveries: &[GuardDelivery]) -> Result<(), StoreError> {
        not_here()
    }

    fn guard_deliveries(&self, _since: Timestamp) -> Result<Vec<GuardDelivery>, StoreError> {
        not_here()
    }

    fn backup_to(&self, _path: &Path) -> Result<(), StoreError> {
        not_here()
    }
}
