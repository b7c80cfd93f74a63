//! Entries about something in suspense: which of them are valid, and what comes of a retry.
//!
//! Does not know what is stored.

use super::{Attempt, Fold, read};
use crate::audit::AuditError;
use crate::batch::{Entry, Position};
use crate::books::name;
use crate::call::SuspenseReason;
use crate::entry::Retry;
use crate::record::{Direction, Record};
use crate::time::{Period, Timestamp};

impl Fold<'_> {
    /// What an entry about something in suspense speaks of, if it is not void.
    pub(super) fn latest(
        &mut self,
        at: Position,
        item: &Retry,
        record: &[u8],
    ) -> Option<(Position, Option<Direction>, SuspenseReason)> {
        let position = Position(item.position);
        let leg = item.leg.map(|leg| if leg == 0 { Direction::Outbound } else { Direction::Inbound });
        let reason = SuspenseReason::named(&item.reason)?;
        // An attempt before the fold's start that nothing is known of is the one that was valid then.
        let named = Position(item.attempt);
        let latest = self.attempts.get(&(position, leg)).copied();
        if latest.unwrap_or(if named < self.position { named } else { position }) != named {
            return None;
        }
        let answer = Record::decode(record).ok().and_then(|record| record.answer);
        if self.ledger.voids_retry(item.period.map(Period), answer) {
            return None;
        }
        self.attempts.insert((position, leg), at);
        Some((position, leg, reason))
    }

    pub(super) fn retry(&mut self, entry: &Entry<'_>) -> Result<(), AuditError> {
        let unreadable = || AuditError::Entry(entry.position, "not a retry".to_owned());
        let (retry, record) = Retry::decode(entry.payload).ok_or_else(unreadable)?;
        let Some((position, leg, reason)) = self.latest(entry.position, &retry, record) else { return Ok(()) };
        let only = leg.map(|leg| (leg, Period(retry.period.unwrap_or(0))));
        if let Some((_, period)) = only {
            self.count(name::legs(period, "legs"), -1);
        }
        if reason == SuspenseReason::Unfinished {
            // Only its missing part can help it.
            return Ok(());
        }
        let record = read(entry.position, record)?;
        let received_at = Timestamp(retry.received_at);
        self.attempt(&record, &Attempt { position, source: retry.source, received_at, revision: 0, only })
    }
}
