//! Taking a run back: what stood there before stands there again, to the digit.
//!
//! Nothing is rated: rows say what they cost. Possible as long as nothing later stands on what the run wrote; whoever wants to
//! take back two runs takes back the later one first.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;

use super::Run;
use super::rater::Rater;
use super::report::{Report, Sums};
use super::scope::Scope;
use super::sink::{Place, RunOutcome, Sink};
use crate::call::{LegKey, RatedCall, SuspenseReason};
use crate::period::{Ledger, Outcome, Progress, SealError, SuspendedLeg};
use crate::store::{Draft, DraftOf, OwnedCall, RerateState, Revised, StoredCall, Visit};

/// Takes a run back. A run with a number leaves its draft in the store.
///
/// # Errors
/// As [`super::rate`]; and the run does not count, or something later stands on it.
pub fn undo(run: &Run<'_>, taken: u32, progress: &Progress) -> Result<(Report, Option<(Draft, Outcome)>), SealError> {
    progress.begin();
    let state = run.store.load()?;
    if run.draft.is_some() && state.position <= run.at {
        return Err(SealError::Behind(run.at));
    }
    if let Some(number) = run.draft {
        run.store.draft_begin(DraftOf::Run(number))?;
    }
    let refused = |why: String| SealError::Refused(why);
    let found = run.store.rerate_run(taken)?.ok_or_else(|| refused(format!("there is no run {taken}")))?;
    let (row, outcome) = found;
    let Some(flush) = row.flush.filter(|_| row.state == RerateState::Counts) else {
        return Err(refused(format!("run {taken} does not count: {}", row.state.name())));
    };
    let kept: RunOutcome =
        postcard::from_bytes(&outcome).map_err(|_| refused(format!("run {taken} was made by another version")))?;
    let scope = Scope::of(&run.begin.scope, &state, run.at)?;
    let ledger = Ledger::before(&state.periods, run.at);
    let rater = Rater::new(run, &state, &scope, &ledger)?;
    let back: HashSet<u64> = run.store.reversed()?.into_iter().collect();
    let later = || refused(format!("what run {taken} wrote was changed since: take that back first"));

    let mut written: Vec<Revised> = Vec::new();
    run.store.calls_of_flush(flush, &mut |stored| {
        if stored.run == Some(taken) {
            progress.read(1);
            let counts = stored.superseded.is_none() && !back.contains(&stored.row);
            written.push(Revised { call: stored.to_owned_call(), row: stored.row, counts });
        }
        Visit::Continue(())
    })?;
    // A run behind it that was taken back has left the same again.
    for one in written.iter_mut().filter(|one| !one.counts) {
        let now = run.store.revisions(one.call.call.key.position)?;
        let same = |now: &Revised| {
            now.counts
                && !back.contains(&now.row)
                && (now.call.call, now.call.costs, &now.call.draws) == (one.call.call, one.call.costs, &one.call.draws)
        };
        *one = now.into_iter().find(same).ok_or_else(later)?;
    }
    let corrected = run.store.corrected_by(flush)?;
    let mut before: Vec<(u64, OwnedCall)> = Vec::new();
    run.store.rows(&corrected.superseded, &mut |stored| {
        before.push((stored.row, stored.to_owned_call()));
        Visit::Continue(())
    })?;
    let next = AtomicU64::new(0);
    let place = Place { store: run.store, run: run.draft, next: &next };
    let (mut sink, mut sums) = (Sink::default(), Sums::default());
    let mut highest: HashMap<LegKey, u32> = HashMap::new();
    for Revised { call: owned, row, .. } in &written {
        let stored = StoredCall { row: *row, ..owned.borrowed() };
        let highest = highest.entry(owned.call.key).or_default();
        *highest = (*highest).max(owned.revision);
        sums.see_row(false, &owned.call, owned.costs);
        if ledger.get(owned.call.period).is_none() {
            sink.supersede(*row, &owned.call, &owned.draws);
            // What it took back stands again where it always stood.
            if owned.call.reversal {
                let rows = run.store.revisions(owned.call.key.position)?;
                let stood = rows.iter().find(|row| {
                    back.contains(&row.row)
                        && (row.call.call.key, row.call.revision) == (owned.call.key, owned.revision)
                });
                sink.restored.extend(stood.map(|row| row.row));
            }
        } else {
            let open = rater.open_of(&owned.call);
            let back = RatedCall { period: open, ..owned.call.reversed() };
            sums.see_row(true, &back, owned.costs.map(|costs| costs.reversed()));
            sink.reverse(&place, &stored, open)?;
        }
    }
    for (number, owned) in &before {
        let stored = StoredCall { row: *number, ..owned.borrowed() };
        let mut call = owned.call;
        if ledger.get(call.period).is_some() {
            call.adjusts = Some(call.own_period());
            call.period = rater.open_of(&call);
        }
        let revision = match call.reversal {
            true => owned.revision,
            false => highest.get(&call.key).copied().unwrap_or(0).max(owned.revision) + 1,
        };
        sums.see_row(true, &call, owned.costs);
        let grounds = stored.grounds.map(|grounds| grounds.borrowed());
        sink.row(&place, &stored, (call, owned.costs, &owned.draws), grounds, revision, owned.named_tariff)?;
    }
    let legs: HashSet<LegKey> =
        written.iter().map(|one| one.call.call.key).chain(before.iter().map(|(_, o)| o.call.key)).collect();
    (sums.scope, sums.changed) = (legs.len() as u64, legs.len() as u64);
    let place_of = |key: LegKey| (key.position, Some(key.leg));
    let waited = |legs: &[SuspendedLeg]| -> HashMap<_, SuspenseReason> {
        legs.iter().map(|leg| ((leg.key.position, leg.key.leg), leg.reason)).collect()
    };
    let (waits, left) = (waited(&kept.outcome.suspended), waited(&kept.gained));
    for (_, owned) in before.iter().filter(|(_, owned)| waits.contains_key(&place_of(owned.call.key))) {
        sums.comes_out_of_suspense(&owned.call);
    }
    for Revised { call: owned, .. } in &written {
        if let Some(reason) = left.get(&place_of(owned.call.key)) {
            sums.goes_into_suspense(&owned.call, *reason);
        }
    }
    // What the run had put back in its place is taken back again.
    sink.reversed.extend(&kept.restored);
    for leg in &kept.outcome.suspended {
        let waits = run.store.suspense_of(leg.key.position)?.into_iter().any(|item| item.key == leg.key);
        if !waits {
            return Err(later());
        }
        sink.release(leg);
    }
    for leg in kept.gained {
        sink.suspend(leg);
    }
    sink.write(&place)?;
    let (revisions, reversals) = sink.changed();
    let read = (written.len() + before.len()) as u64;
    let report =
        Report { position: run.at.0, read, revisions, reversals, ..Report::of(&sums, &state, &rater.known.directory) };
    let Some(number) = run.draft else { return Ok((report, None)) };
    let (draft, outcome) = sink.draft(run.at, serde_json::to_vec(&report).unwrap_or_default())?;
    run.store.draft_finish(DraftOf::Run(number), &draft)?;
    Ok((report, Some((draft, outcome))))
}
