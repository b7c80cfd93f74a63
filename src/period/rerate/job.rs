//! The job of a run: first which groups draw their allowances anew, then what changes.
//!
//! Memory: what is looked up once, the changes beside rows, and the legs of a slice of the groups that draw anew.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;

use super::Run;
use super::rater::{Again, Rater, same_draws};
use super::report::{Report, Seen, Sums, gained, see};
use super::scope::Scope;
use super::sink::{Place, Sink};
use super::waiting::{Gain, gains};
use crate::call::{GroupKey, RatedCall};
use crate::period::drawn::Counted;
use crate::period::known::read;
use crate::period::{Ledger, Outcome, Progress, SealError};
use crate::record::Direction;
use crate::store::{Draft, DraftOf, OwnedCall, StoredCall, StoredState, Visit};
use crate::time::Period;

/// The allowance of a group in a month.
type Pool = (GroupKey, Period);

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
    if let Some(number) = run.draft {
        run.store.draft_begin(DraftOf::Run(number))?;
    }
    let scope = Scope::of(&run.begin.scope, &state, run.at)?;
    let ledger = Ledger::before(&state.periods, run.at);
    let reversed: HashSet<u64> = run.store.reversed()?.into_iter().collect();
    let months = months(run, &scope, &ledger)?;
    let gains = gains(run, &state, &scope, &ledger)?;
    let next = AtomicU64::new(0);
    let job =
        Job { run, state: &state, scope: &scope, ledger: &ledger, reversed, months, gains, next: &next, progress };

    let pools = job.look()?;
    let disturbed: HashSet<Pool> = pools.iter().filter(|(_, pool)| pool.disturbed).map(|(key, _)| *key).collect();
    let (mut sums, mut sink) = (Sums::default(), Sink::default());
    let mut read = 0;
    for (key, pool) in &pools {
        read += pool.legs;
        if !disturbed.contains(key) {
            sums.merge(&pool.sums);
        }
    }
    let mut slices = slices(&pools, run.held);
    if slices.is_empty() && run.draft.is_some() {
        slices.push(HashSet::new());
    }
    for (at, slice) in slices.iter().enumerate() {
        job.change(&disturbed, slice, at == 0, &mut sums, &mut sink)?;
    }
    let directory = Rater::new(run, &state, &scope, &ledger)?.known.directory;
    let (revisions, reversals) = sink.changed();
    let report = Report { position: run.at.0, read, revisions, reversals, ..Report::of(&sums, &state, &directory) };
    let Some(number) = run.draft else { return Ok((report, None)) };
    let (draft, outcome) = sink.draft(run.at, serde_json::to_vec(&report).unwrap_or_default())?;
    run.store.draft_finish(DraftOf::Run(number), &draft)?;
    Ok((report, Some((draft, outcome))))
}

/// Months in which legs of the run's months are billed.
fn months(run: &Run<'_>, scope: &Scope, ledger: &Ledger) -> Result<Vec<Period>, SealError> {
    let closed = (scope.first.0..=scope.last.0).any(|month| ledger.get(Period(month)).is_some());
    // Every month in between: one of nothing but corrections may count no leg.
    let known = run.store.months()?;
    let ends = (known.first().copied(), known.last().copied());
    let (Some(earliest), Some(latest)) = ends else { return Ok(Vec::new()) };
    let last = if closed { latest } else { scope.last.min(latest) };
    Ok((scope.first.max(earliest).0..=last.0).map(Period).collect())
}

/// Groups that draw anew, so many that their legs fit into memory; one at least.
fn slices(pools: &HashMap<Pool, PoolSeen>, held: usize) -> Vec<HashSet<Pool>> {
    let mut keys: Vec<(Pool, u64)> =
        pools.iter().filter(|(_, pool)| pool.disturbed).map(|(key, pool)| (*key, pool.legs)).collect();
    keys.sort_unstable();
    let (mut slices, mut size) = (Vec::<HashSet<Pool>>::new(), 0);
    for (key, legs) in keys {
        if slices.is_empty() || size + legs > held as u64 {
            slices.push(HashSet::new());
            size = 0;
        }
        size += legs;
        if let Some(last) = slices.last_mut() {
            last.insert(key);
        }
    }
    slices
}

/// What was seen of a group's month.
#[derive(Default)]
struct PoolSeen {
    legs: u64,
    /// A leg of the scope draws otherwise than it did.
    disturbed: bool,
    sums: Sums,
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
    gains: Vec<Gain>,
    next: &'a AtomicU64,
    progress: &'a Progress,
}

impl Job<'_> {
    fn place(&self) -> Place<'_> {
        Place { store: self.run.store, run: self.run.draft, next: self.next }
    }

    fn rater(&self) -> Result<Rater<'_>, SealError> {
        Rater::new(self.run, self.state, self.scope, self.ledger)
    }

    /// Shows every row that stands for a leg of the run's months to threads of their own.
    fn each<T: Send>(
        &self,
        make: impl Fn() -> Result<T, SealError> + Sync,
        visit: impl Fn(&mut T, &StoredCall<'_>) -> Result<(), SealError> + Sync,
    ) -> Result<Vec<T>, SealError> {
        let threads = self.run.threads.max(1);
        let part = |part: usize| -> Result<T, SealError> {
            let mut mine = make()?;
            for month in &self.months {
                let mut failed = None;
                let mut read = 0;
                self.run.store.scan_part(*month, (part, threads), &mut |stored| {
                    let call = &stored.call;
                    let stands = call.key.position < self.run.at
                        && !call.reversal
                        && self.scope.has(call.own_period())
                        && (self.reversed.is_empty() || !self.reversed.contains(&stored.row));
                    if !stands {
                        return Visit::Continue(());
                    }
                    read += 1;
                    if read % 1024 == 0 {
                        self.progress.read(1024);
                    }
                    match visit(&mut mine, stored) {
                        Ok(()) => Visit::Continue(()),
                        Err(error) => {
                            failed = Some(error);
                            Visit::Break(())
                        }
                    }
                })?;
                self.progress.read(read % 1024);
                if let Some(error) = failed {
                    return Err(error);
                }
            }
            Ok(mine)
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

    /// Which groups draw anew, and what the legs of all others come to.
    fn look(&self) -> Result<HashMap<Pool, PoolSeen>, SealError> {
        let found = self.each(
            || Ok((self.rater()?, HashMap::<Pool, PoolSeen>::new())),
            |(rater, pools), stored| {
                let call = &stored.call;
                let pool = pools.entry((call.group, call.own_period())).or_default();
                pool.legs += 1;
                if !self.scope.holds(stored) {
                    return Ok(());
                }
                self.progress.rated(1);
                let again = rater.again(stored, None)?;
                see(&mut pool.sums, rater, stored, &again);
                pool.disturbed |= rater.in_succession(call);
                let draws = |call: &RatedCall| (call.group, demand(call));
                match again {
                    Again::Rated(new)
                        if rater.in_succession(&new)
                            || draws(&new) != draws(call)
                            || !same_draws(stored.draws, rater.drew()) =>
                    {
                        pool.disturbed = true;
                        if new.group != call.group {
                            pools.entry((new.group, new.own_period())).or_default().disturbed = true;
                        }
                    }
                    Again::Waits(_) | Again::Gone => pool.disturbed |= call.included_seconds > 0,
                    _ => {}
                }
                Ok(())
            },
        )?;
        let mut pools: HashMap<Pool, PoolSeen> = HashMap::new();
        for (_, seen) in found {
            for (key, one) in seen {
                let pool = pools.entry(key).or_default();
                pool.legs += one.legs;
                pool.disturbed |= one.disturbed;
                pool.sums.merge(&one.sums);
            }
        }
        let rater = if self.gains.is_empty() { None } else { Some(self.rater()?) };
        for (_, call, costs, drew) in &self.gains {
            let pool = pools.entry((call.group, call.own_period())).or_default();
            pool.legs += 1;
            let follows = rater.as_ref().is_some_and(|rater| rater.in_succession(call));
            pool.disturbed |= call.used_before.is_some() || !drew.is_empty() || follows;
            pool.sums.see(&gained(call, *costs));
        }
        Ok(pools)
    }

    /// The changes of a slice of the groups that draw anew; the first time also those of all that do not.
    fn change(
        &self,
        disturbed: &HashSet<Pool>,
        slice: &HashSet<Pool>,
        first: bool,
        sums: &mut Sums,
        sink: &mut Sink,
    ) -> Result<(), SealError> {
        let place = self.place();
        let found = self.each(
            || Ok((self.rater()?, Sink::default(), Vec::<(Order, Held)>::new())),
            |(rater, sink, held), stored| {
                let call = &stored.call;
                let in_scope = self.scope.holds(stored);
                let mut pool = (call.group, call.own_period());
                if !(disturbed.contains(&pool) || first && in_scope) {
                    return Ok(());
                }
                if in_scope {
                    let again = rater.again(stored, None)?;
                    if let Again::Rated(new) = &again {
                        pool.0 = new.group;
                    }
                    if !disturbed.contains(&pool) {
                        return if first { self.apply(rater, sink, &place, stored, &again) } else { Ok(()) };
                    }
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
                used.clear();
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
                used.linked(rater.draws());
                sums.see(&gained(&call, rater.costs()));
                let drew = rater.drew().to_vec();
                self.gain(rater, sink, place, item, (call, rater.costs(), &drew))
            }
            Held::Row(row, owned, true) => {
                let stored = StoredCall { row, ..owned.borrowed() };
                let again = rater.again(&stored, Some(used))?;
                see(sums, rater, &stored, &again);
                match &again {
                    Again::Rated(new) => {
                        used.stands(new, rater.drew());
                        used.linked(rater.draws());
                    }
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
                used.linked(rater.draws());
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

/// Seconds for which the plan's minutes are asked, and what an allowance gives.
fn demand(call: &RatedCall) -> (Option<u32>, u32) {
    (call.used_before.map(|_| call.billable_seconds), call.included_seconds)
}
