//! A contradiction that somebody decided (R20): the version taken is rated at once, in place of what was rated before.
//!
//! The entry says what stood for the record when it was written: rated legs, and what waits. Where anything of it changed
//! since, or a month of it closed or is being rated again, the entry is void; whoever wrote it sees that no decision came of it.
//! In a closed month a run of re-rating takes the version: see [`crate::period::rerate::decide`].
//!
//! Does not know who decides, nor why.

use super::{Job, Resolver, ResolverError, offset};
use crate::batch::{Entry, Frame, Position};
use crate::books::name;
use crate::call::{RatedCall, SuspenseReason};
use crate::entry::Decide;
use crate::period::{LineDelta, Outcome};
use crate::rating;
use crate::record::{Direction, Record};
use crate::store::DecidedRow;
use crate::time::{Period, Timestamp};

/// What may wait of a record.
const PARTS: [Option<Direction>; 3] = [None, Some(Direction::Outbound), Some(Direction::Inbound)];

impl Resolver {
    /// Takes a version of a record, if the entry is not void.
    pub(super) fn decide(
        &mut self,
        frame: &Frame,
        entry: &Entry<'_>,
        said: Decide,
        record: &[u8],
    ) -> Result<(), ResolverError> {
        let first = Position(said.first);
        let rated: Vec<(RatedCall, Vec<u8>)> = serde_json::from_value(said.rated.clone())
            .map_err(|error| ResolverError::Entry(entry.position, error.to_string()))?;
        let changed = |part: &Option<Direction>| {
            self.state.attempts.get(&(first, *part)).is_some_and(|at| *at >= Position(said.seen))
        };
        // What a run under way found must stand there when it counts.
        let months = &self.state.periods;
        let closed = |period: Period| months.get(period).is_some() || months.voids_retry(Some(period), None);
        let answer = Record::decode(record).ok().and_then(|record| record.answer);
        let at_work = months.voids_retry(None, answer);
        let mut months_of = rated.iter().flat_map(|(call, _)| [call.period, call.own_period()]);
        let mut waits = said.waiting.iter().filter_map(|item| item.period.map(Period));
        if at_work || PARTS.iter().any(changed) || months_of.any(closed) || waits.any(closed) {
            return Ok(());
        }
        for part in PARTS {
            self.state.attempts.insert((first, part), entry.position);
            self.tally.gathered.retried.push((first, part, entry.position));
        }
        self.tally.gathered.decided.push(DecidedRow {
            entry: entry.position,
            first,
            kept: Position(said.kept),
            why: said.why,
            by: said.by,
            at: Timestamp(said.at),
            revision: said.revision,
        });
        if said.revision == 0 {
            return Ok(());
        }
        let mut whole = false;
        for item in &said.waiting {
            let Some(reason) = SuspenseReason::named(&item.reason) else { continue };
            match item.period.filter(|_| item.leg.is_some()) {
                Some(period) => self.tally.leg_taken(reason, Period(period)),
                None => {
                    whole = true;
                    self.tally.suspended(reason, -1);
                }
            }
        }
        let mut outcome = Outcome::default();
        if !whole {
            // It is resolved again below, and one record is resolved once.
            *outcome.books.entry(name::records("resolved")).or_default() -= 1;
        }
        for (call, draws) in &rated {
            takes_out(call, draws, &mut outcome);
        }
        self.tally.books(&outcome.books);
        // Legs before this entry were rated before it.
        self.hand_over(frame);
        self.correct(&outcome);
        let job = Job {
            position: first,
            attempt: entry.position,
            at: offset(frame, record),
            length: record.len(),
            source: said.source,
            received_at: Timestamp(said.received_at),
            revision: said.revision,
            only: None,
        };
        self.resolve(frame, &[job])
    }
}

/// A rated leg leaves totals, allowance and books.
fn takes_out(call: &RatedCall, draws: &[u8], outcome: &mut Outcome) {
    for (call_type, usage) in call.usage_lines() {
        outcome.lines.push(LineDelta {
            account: call.account,
            group: call.group,
            period: call.period,
            call_type,
            currency: call.basis.currency,
            decimals: call.basis.decimals,
            usage: usage.times(-1),
        });
    }
    rating::drawn(call, draws, |meter, seconds| {
        outcome.drawn.push((call.group, call.own_period(), meter, -i64::from(seconds)));
    });
    for what in ["legs", "rated"] {
        *outcome.books.entry(name::legs(call.period, what)).or_default() -= 1;
    }
    let currency = String::from_utf8_lossy(&call.basis.currency);
    for what in ["calls", "totals"] {
        *outcome.books.entry(name::money(&currency, what)).or_default() -= i128::from(call.cost.0);
    }
}
