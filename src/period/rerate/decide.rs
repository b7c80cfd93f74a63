//! A version of a record that somebody takes (R20) where a month of it is closed: what was rated of the version before is taken
//! back there, and the version taken is rated in its place, in the open month.
//!
//! It draws what its own month had left: what its group drew there by now, less what the version before did.
//!
//! Does not know who decides, nor how a decision is kept.

use std::sync::atomic::AtomicU64;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Run;
use super::job::months;
use super::rater::{Again, Rater};
use super::report::{Report, Seen, Sums};
use super::scope::Scope;
use super::sink::{Place, Sink};
use crate::batch::{Position, SourceId};
use crate::call::{GroupKey, LegKey, RatedCall};
use crate::entry::Decides;
use crate::period::candidates::Facts;
use crate::period::drawn::Counted;
use crate::period::known::read;
use crate::period::{Ledger, Outcome, Progress, SealError, SuspendedLeg};
use crate::rating::{self, Leg, Resolution};
use crate::store::{CallRow, Draft, DraftOf, GroundsOf, Revised, StoredCall, Visit};
use crate::time::Period;

/// Takes a version. A run with a number leaves its draft in the store.
///
/// # Errors
/// As [`super::rate`]; and the version cannot be rated by what is known.
pub fn decide(
    run: &Run<'_>,
    decides: &Decides,
    progress: &Progress,
) -> Result<(Report, Option<(Draft, Outcome)>), SealError> {
    progress.begin();
    let state = run.store.load()?;
    if run.draft.is_some() && state.position <= run.at {
        return Err(SealError::Behind(run.at));
    }
    let watched = run.begins()?;
    let refused = |why: String| SealError::Refused(why);
    let first = Position(decides.first);
    let facts = Facts {
        record: STANDARD.decode(&decides.record).map_err(|error| SealError::Unreadable(error.to_string()))?,
        source: SourceId(decides.source),
        profile: Position(decides.kept),
        received_at: Some(decides.received_at),
        other: true,
    };
    let record = read(&facts.record)?;
    let scope = Scope::of(&run.begin.scope, &state, run.at)?;
    let ledger = Ledger::before(&state.periods, run.at);
    let mut rater = Rater::new(run, &state, &scope, &ledger)?;
    let back = run.store.reversed()?;
    let mut stand: Vec<Revised> = run.store.revisions(first)?;
    let highest = stand.iter().map(|row| row.call.revision).max().unwrap_or(0);
    stand.retain(|row| row.counts && !row.call.call.reversal && !back.contains(&row.row));
    let waiting = run.store.suspense_of(first)?;
    if waiting.iter().any(|item| item.key.leg.is_none()) {
        let what = "the record waits in suspense as a whole: discard it, or have it rated, before a version is taken";
        return Err(refused(what.to_owned()));
    }
    let slot = match record.answer {
        Some(answer) => rater.slot(answer),
        None => return Err(refused("the version taken was not answered".to_owned())),
    };
    let legs: Vec<Leg> = match rater.known.resolve_by_slot(&facts, Some(slot))?.0 {
        Resolution::Legs(first, second) => [first, second].into_iter().flatten().collect(),
        Resolution::Suspended(why) => {
            let why = why.reason.name();
            return Err(refused(format!(
                "the version taken cannot be rated by what is known ({why}): mend that first"
            )));
        }
    };

    let next = AtomicU64::new(0);
    let place = Place { store: run.store, run: run.draft, next: &next };
    let (mut sink, mut sums) = (Sink::default(), Sums::default());
    let (mut pool, mut drawn) = (None, Counted::default());
    for leg in legs {
        let side = leg.direction;
        let key = LegKey { position: first, leg: side };
        let (group, own) = rater.pays(&leg)?;
        // Both legs of a record may draw from one allowance.
        if pool != Some((group, own)) {
            drawn.begin(rater.handed(group, own));
            used(&mut drawn, run, &scope, &ledger, (group, own), first)?;
            pool = Some((group, own));
        }
        let new = match rater.leg(&leg, key, slot, &drawn)? {
            Again::Rated(new) => new,
            Again::Waits(why) => {
                let why = why.name();
                return Err(refused(format!(
                    "the version taken cannot be rated by what is known ({why}): mend that first"
                )));
            }
            // Only a row can have moved, be gone, or say too little.
            Again::Gone | Again::Moved | Again::NotKept => continue,
        };
        let (draws, costs) = (rater.drew().to_vec(), rater.costs());
        drawn.stands(&new, &draws);
        let before = stand.iter().position(|row| row.call.call.key.leg == side).map(|at| stand.swap_remove(at));
        if let Some(before) = &before {
            let stored = StoredCall { row: before.row, ..before.call.borrowed() };
            let dialled = (stored.source_dialled, stored.destination_dialled) == (record.source, record.destination);
            let times = |call: &RatedCall| (call.answer, call.duration);
            if dialled && times(&stored.call) == times(&new) && rater.same(&stored, &new) {
                sums.see(&Seen {
                    old: Some((&stored.call, stored.costs)),
                    new: Some((&new, stored.costs)),
                    waits: None,
                    changed: false,
                    follow_on: false,
                });
                continue;
            }
            super::apply::replace(&ledger, &rater, &mut sink, &place, &stored)?;
        }
        let old = before.as_ref().map(|before| (&before.call.call, before.call.costs));
        sums.see(&Seen { old, new: Some((&new, costs)), waits: None, changed: true, follow_on: false });
        for item in waiting.iter().filter(|item| item.key.leg == Some(side)) {
            sink.gain(SuspendedLeg {
                key: item.key,
                reason: item.reason,
                period: item.period.unwrap_or(own),
                account: item.account,
                record: item.record.clone(),
                source: item.source,
                received_at: item.received_at,
            });
        }
        sink.new_row(
            &place,
            &CallRow {
                call: new,
                node: record.node,
                id: record.id,
                source_dialled: record.source,
                destination_dialled: record.destination,
                start: record.start,
                grounds: Some(GroundsOf {
                    source: facts.source,
                    profile: facts.profile,
                    directory: rater.known.directory_slot,
                    direction: record.direction,
                    account: record.account,
                    forwarded_by: record.forwarded_by,
                    routing_number: record.routing_number,
                    carrier: record.carrier,
                }),
                revision: highest + 1,
                run: place.run,
                named_tariff: false,
                costs,
                draws: &draws,
            },
        )?;
    }
    // Legs that the version taken does not have.
    for before in &stand {
        let stored = StoredCall { row: before.row, ..before.call.borrowed() };
        sums.see(&Seen {
            old: Some((&stored.call, stored.costs)),
            new: None,
            waits: None,
            changed: true,
            follow_on: false,
        });
        super::apply::replace(&ledger, &rater, &mut sink, &place, &stored)?;
    }
    sink.write(&place)?;
    let (revisions, reversals) = sink.changed();
    let of = Report::of(&sums, &state, &rater.known.directory);
    let report = Report { position: run.at.0, read: of.calls, revisions, reversals, ..of };
    let Some(number) = run.draft else {
        watched.map_or(Ok(()), |watched| watched.unchanged(run.store))?;
        return Ok((report, None));
    };
    let (draft, outcome) = sink.draft(run.at, serde_json::to_vec(&report).unwrap_or_default())?;
    run.store.draft_finish(DraftOf::Run(number), &draft)?;
    Ok((report, Some((draft, outcome))))
}

/// Adds what a group drew in a month before the run, but for one record.
fn used(
    used: &mut Counted,
    run: &Run<'_>,
    scope: &Scope,
    ledger: &Ledger,
    (group, own): (GroupKey, Period),
    but: Position,
) -> Result<(), SealError> {
    for line in run.store.deleted_draws()?.iter().filter(|line| (line.group, line.period) == (group, own)) {
        used.add(line.meter, line.used_seconds as i64);
    }
    for month in months(run, (own.min(scope.first), own.max(scope.last)), ledger)? {
        run.store.scan_part(month, (0, 1), &mut |stored| {
            let call = &stored.call;
            if call.key.position < run.at && call.key.position != but && (call.group, call.own_period()) == (group, own)
            {
                rating::drawn(call, stored.draws, |meter, seconds| used.add(meter, i64::from(seconds) * call.sign()));
            }
            Visit::Continue(())
        })?;
    }
    Ok(())
}
