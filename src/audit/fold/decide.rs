//! A contradiction that somebody decided: what was rated goes, and the version taken is rated again.
//!
//! Does not know what is stored.

use super::{Attempt, Fold, read};
use crate::audit::AuditError;
use crate::batch::{Entry, Position};
use crate::books::name;
use crate::call::RatedCall;
use crate::entry::Decide;
use crate::rating;
use crate::record::{Direction, Record};
use crate::time::{Period, Timestamp};

impl Fold<'_> {
    pub(super) fn decide(&mut self, entry: &Entry<'_>) -> Result<(), AuditError> {
        let unreadable = |why: &str| AuditError::Entry(entry.position, why.to_owned());
        let (said, record) = Decide::decode(entry.payload).ok_or_else(|| unreadable("not a decision"))?;
        let rated: Vec<(RatedCall, Vec<u8>)> =
            serde_json::from_value(said.rated).map_err(|error| unreadable(&error.to_string()))?;
        let first = Position(said.first);
        let parts = [None, Some(Direction::Outbound), Some(Direction::Inbound)];
        let closed = |period: Period| self.ledger.get(period).is_some() || self.ledger.voids_retry(Some(period), None);
        let answer = Record::decode(record).ok().and_then(|record| record.answer);
        let void = self.ledger.voids_retry(None, answer)
            || parts.iter().any(|part| self.attempts.get(&(first, *part)).is_some_and(|at| at.0 >= said.seen))
            || rated.iter().any(|(call, _)| closed(call.period) || closed(call.own_period()))
            || said.waiting.iter().any(|item| item.period.is_some_and(|period| closed(Period(period))));
        if void {
            return Ok(());
        }
        for part in parts {
            self.attempts.insert((first, part), entry.position);
        }
        if said.revision == 0 {
            return Ok(());
        }
        let mut whole = false;
        for item in &said.waiting {
            match item.period.filter(|_| item.leg.is_some()) {
                Some(period) => self.count(name::legs(Period(period), "legs"), -1),
                None => whole = true,
            }
        }
        if !whole {
            self.count(name::records("resolved"), -1);
        }
        self.chains.end();
        for (call, draws) in &rated {
            self.count(name::legs(call.period, "legs"), -1);
            rating::drawn(call, draws, |meter, seconds| {
                let drawn = self.drawn.0.entry((call.own_period(), call.group, meter)).or_default();
                *drawn = drawn.saturating_sub(u64::from(seconds));
            });
        }
        let record = read(entry.position, record)?;
        let (received_at, revision) = (Timestamp(said.received_at), said.revision);
        self.attempt(&record, &Attempt { position: first, source: said.source, received_at, revision, only: None })
    }
}
