//! The job of a run: first which groups draw their allowances anew, then what changes.
//!
//! The first look tells which rows change, so the second reads only those, unless a group draws anew.
//!
//! Memory: what is looked up once, the changes beside rows, eight bytes for each row that changes, and the legs of a slice of
//! the groups that draw anew.

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;

use super::Run;
use super::look::{Pool, TOLD, gained, see, slices};
use super::rater::{Again, Rater};
use super::report::{Report, Seen, Sums};
use super::scope::Scope;
use super::sink::{Place, Sink};
use super::waiting::{Gain, gains};
use crate::period::drawn::Counted;
use crate::period::known::read;
use crate::period::{Ledger, Outcome, Progress, SealError};
use crate::record::Direction;
use crate::store::{Draft, DraftOf, OwnedCall, StoredCall, StoredState, Visit};
use crate::time::Period;

/// Rates what a run asks for. A run with a number leaves its draft in the store.
///
/// # Errors
/// Something that it reads is not there, or the scope names what is not known; nothing but an unfinished draft is left.
pub fn rate(run: &Run<'_>, progress: &Progress) -> Result<(Report, Option<(Draft, Outcome)>), SealError> {
    progress.begin();
    let state = run.store.load()?;
    if run.draft.is_some() && state.position <= run.at {
        return Err(SealError::Behind(run.at));
    }
    let watched = run.begins()?;
    let scope = Scope::of(&run.begin.scope, &state, run.at)?;
    let ledger = Ledger::before(&state.periods, run.at);
    let reversed: HashSet<u64> = run.store.reversed()?.into_iter().collect();
    let months = months(run, (scope.first, scope.last), &ledger)?;
    let gains = gains(run, &state, &scope, &ledger)?;
    let next = AtomicU64::new(0);
    let job =
        Job { run, state: &state, scope: &scope, ledger: &ledger, reversed, months, gains, next: &next, progress };

    let looked = job.look()?;
    let pools = &looked.pools.list;
    let disturbed: HashSet<Pool> = pools.iter().filter(|(_, pool)| pool.disturbed).map(|(key, _)| *key).collect();
    let (mut sums, mut sink) = (Sums::default(), Sink::default());
    let mut read = 0;
    for (_, pool) in pools {
        read += pool.legs;
        if !pool.disturbed {
            sums.merge(&pool.sums);
        }
    }
    let mut slices = slices(pools, run.held);
    if slices.is_empty() && run.draft.is_some() {
        slices.push(HashSet::new());
    }
    let change = Change { changed: &looked.changed, disturbed: &disturbed };
    for (at, slice) in slices.iter().enumerate() {
        job.change(&change, slice, at == 0, &mut sums, &mut sink)?;
    }
    let directory = Rater::new(run, &state, &scope, &ledger)?.known.directory;
    let (revisions, reversals) = sink.changed();
    let report = Report { position: run.at.0, read, revisions, reversals, ..Report::of(&sums, &state, &directory) };
    let Some(number) = run.draft else {
        watched.map_or(Ok(()), |watched| watched.unchanged(run.store))?;
        return Ok((report, None));
    };
    let (draft, outcome) = sink.draft(run.at, serde_json::to_vec(&report).unwrap_or_default())?;
    run.store.draft_finish(DraftOf::Run(number), &draft)?;
    Ok((report, Some((draft, outcome))))
}

/// Months in which legs of some months are billed.
pub(super) fn months(
    run: &Run<'_>,
    (first, last): (Period, Period),
    ledger: &Ledger,
) -> Result<Vec<Period>, SealError> {
    let closed = (first.0..=last.0).any(|month| ledger.get(Period(month)).is_some());
    // Every month in between: one of nothing but corrections may count no leg.
    let known = run.store.months()?;
    let ends = (known.first().copied(), known.last().copied());
    let (Some(earliest), Some(latest)) = ends else { return Ok(Vec::new()) };
    let last = if closed { latest } else { last.min(latest) };
    Ok((first.max(earliest).0..=last.0).map(Period).collect())
}

/// What the second look is about.
struct Change<'a> {
    /// What the first look found, in order.
    changed: &'a [u64],
    /// Groups that draw anew.
    disturbed: &'a HashSet<Pool>,
}

/// Which rows are read.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// All of the run's months.
    Months,
    /// These.
    Rows(&'a [u64]),
}

/// A leg of a group that draws anew.
enum Held {
    /// A row, and whether it is in the scope.
    Row(u64, Box<OwnedCall>, bool),
    /// By its place among those that wait.
    Waiting(usize),
}

/// Canonical order (R19), and below it what makes it total.
type Order = (Pool, i64, Vec<u8>, Vec<u8>, Direction, Option<Direction>, u64);

pub struct Job<'a> {
    run: &'a Run<'a>,
    state: &'a StoredState,
    pub scope: &'a Scope,
    pub ledger: &'a Ledger,
    reversed: HashSet<u64>,
    months: Vec<Period>,
    pub(super) gains: Vec<Gain>,
    next: &'a AtomicU64,
    pub(super) progress: &'a Progress,
}

impl Job<'_> {
    fn place(&self) -> Place<'_> {
        Place { store: self.run.store, run: self.run.draft, next: self.next }
    }

    pub(super) fn rater(&self) -> Result<Rater<'_>, SealError> {
        Rater::new(self.run, self.state, self.scope, self.ledger)
    }

    /// Shows rows that stand for legs of the run's months to threads of their own.
    pub(super) fn each<T: Send>(
        &self,
        source: Source<'_>,
        make: impl Fn() -> Result<T, SealError> + Sync,
        visit: impl Fn(&mut T, &StoredCall<'_>) -> Result<(), SealError> + Sync,
    ) -> Result<Vec<T>, SealError> {
        let threads = self.run.threads.max(1);
        let part = |part: usize| -> Result<T, SealError> {
            let mut mine = make()?;
            let mut failed = None;
            let mut read = 0;
            let mut show = |stored: &StoredCall<'_>| {
                let call = &stored.call;
                let stands = call.key.position < self.run.at
                    && !call.reversal
                    && stored.superseded.is_none()
                    && self.scope.has(call.own_period())
                    && (self.reversed.is_empty() || !self.reversed.contains(&stored.row));
                if !stands {
                    return Visit::Continue(());
                }
                read += 1;
                if read == TOLD {
                    self.progress.read(std::mem::take(&mut read));
                }
                match visit(&mut mine, stored) {
                    Ok(()) => Visit::Continue(()),
                    Err(error) => {
                        failed = Some(error);
                        Visit::Break(())
                    }
                }
            };
            match source {
                Source::Months => {
                    for month in &self.months {
                        self.run.store.scan_part(*month, (part, threads), &mut show)?;
                    }
                }
                Source::Rows(rows) => {
                    let some = rows.chunks(rows.len().div_ceil(threads).max(1)).nth(part).unwrap_or_default();
                    self.run.store.rows(some, &mut show)?;
                }
            }
            self.progress.read(read);
            failed.map_or(Ok(mine), Err)
        };
        std::thread::scope(|scope| {
            let part = &part;
            let others: Vec<_> = (1..threads).map(|at| scope.spawn(move || part(at))).collect();
            let mut all = vec![part(0)];
            all.extend(others.into_iter().map(|thread| match thread.join() {
                Ok(done) => done,
                Err(_) => Err(SealError::Unreadable("a thread that rated calls ended".to_owned())),
            }));
            all.into_iter().collect()
        })
    }

    /// The changes of a slice of the groups that draw anew; the first time also those of all that do not.
    fn change(
        &self,
        change: &Change<'_>,
        slice: &HashSet<Pool>,
        first: bool,
        sums: &mut Sums,
        sink: &mut Sink,
    ) -> Result<(), SealError> {
        let place = self.place();
        let Change { changed, disturbed } = *change;
        // A leg whose group changes disturbs both, so that of a group that is not disturbed stays in it.
        let source = if disturbed.is_empty() { Source::Rows(changed) } else { Source::Months };
        let found = self.each(
            source,
            || Ok((self.rater()?, Sink::default(), Vec::<(Order, Held)>::new())),
            |(rater, sink, held), stored| {
                let call = &stored.call;
                let mut pool = (call.group, call.own_period());
                if !disturbed.contains(&pool) {
                    if first && changed.binary_search(&stored.row).is_ok() {
                        let again = rater.again(stored, None)?;
                        return self.apply(rater, sink, &place, stored, &again);
                    }
                    return Ok(());
                }
                let in_scope = self.scope.holds(stored);
                if in_scope && let Again::Rated(new) = rater.again(stored, None)? {
                    pool.0 = new.group;
                }
                if slice.contains(&pool) {
                    let direction = stored.grounds.and_then(|grounds| grounds.direction);
                    let (node, id) = (stored.node.to_vec(), stored.id.to_vec());
                    let order = (pool, call.answer.0, node, id, call.key.leg, direction, call.key.position.0);
                    held.push((order, Held::Row(stored.row, Box::new(stored.to_owned_call()), in_scope)));
                }
                Ok(())
            },
        )?;
        let mut held = Vec::new();
        for (_, mut one, some) in found {
            one.write(&place)?;
            sink.merge(one);
            held.extend(some);
        }
        let mut rater = self.rater()?;
        for (at, (item, call, costs, drew)) in self.gains.iter().enumerate() {
            let pool = (call.group, call.own_period());
            if slice.contains(&pool) {
                let record = read(&item.record)?;
                let (node, id) = (item.node.clone(), item.id.clone());
                let position = item.key.position.0;
                let order = (pool, call.answer.0, node, id, call.key.leg, record.direction, position);
                held.push((order, Held::Waiting(at)));
            } else if first && !disturbed.contains(&pool) {
                self.gain(&rater, sink, &place, item, (*call, *costs, drew))?;
            }
        }
        held.sort_by(|a, b| a.0.cmp(&b.0));
        let (mut pool, mut used) = (None, Counted::default());
        for (order, one) in held {
            if pool != Some(order.0) {
                pool = Some(order.0);
                used.begin(rater.handed(order.0.0, order.0.1));
            }
            self.draw(&mut rater, sums, sink, &place, one, &mut used)?;
        }
        sink.write(&place)
    }

    /// A leg of a group that draws anew, behind what it has drawn so far.
    fn draw(
        &self,
        rater: &mut Rater<'_>,
        sums: &mut Sums,
        sink: &mut Sink,
        place: &Place<'_>,
        one: Held,
        used: &mut Counted,
    ) -> Result<(), SealError> {
        match one {
            Held::Waiting(at) => {
                let (item, ..) = &self.gains[at];
                let Some(call) = rater.waiting(item, used)? else { return Ok(()) };
                used.stands(&call, rater.drew());
                sums.see(&gained(&call, rater.costs()));
                let drew = rater.drew().to_vec();
                self.gain(rater, sink, place, item, (call, rater.costs(), &drew))
            }
            Held::Row(row, owned, true) => {
                let stored = StoredCall { row, ..owned.borrowed() };
                let again = rater.again(&stored, Some(used))?;
                see(sums, rater, &stored, &again);
                match &again {
                    Again::Rated(new) => used.stands(new, rater.drew()),
                    Again::Waits(_) | Again::Gone => {}
                    Again::Moved | Again::NotKept => used.stands(&stored.call, stored.draws),
                }
                self.apply(rater, sink, place, &stored, &again)
            }
            Held::Row(row, owned, false) => {
                let stored = StoredCall { row, ..owned.borrowed() };
                let Some(new) = rater.drawn_anew(&stored, used)? else {
                    used.stands(&stored.call, stored.draws);
                    return Ok(());
                };
                used.stands(&new, rater.drew());
                if rater.same(&stored, &new) {
                    return Ok(());
                }
                let old = Some((&stored.call, stored.costs));
                let new_costs = rater.costs();
                sums.see(&Seen { old, new: Some((&new, new_costs)), waits: None, changed: true, follow_on: true });
                let grounds = stored.grounds.map(|grounds| grounds.borrowed());
                self.replace(rater, sink, place, &stored)?;
                let (new, named) = ((new, new_costs, rater.drew()), stored.named_tariff);
                sink.row(place, &stored, new, grounds, stored.revision + 1, named)
            }
        }
    }
}
