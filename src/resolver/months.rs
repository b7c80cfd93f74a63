//! Months that close: which legs still belong to them, and what their sealing changes.
//!
//! Does not know how a month is rated again.

use bytes::Bytes;

use super::gather::{Discarded, SuspendedRecord};
use super::{Job, Resolver, ResolverError, offset, shard_of};
use crate::batch::{Entry, FRAME_HEAD, Frame, Position};
use crate::call::{AccountKey, SuspenseReason};
use crate::directory::AccountRow;
use crate::entry::{Discard, Seal, Sealed};
use crate::period::{Outcome, Place};
use crate::rating::Leg;
use crate::shard::{LineKey, ToShard};
use crate::store::{ClosedRow, SealedRow};
use crate::time::{Period, Timestamp};

/// Where a leg is billed.
pub(super) enum Billed {
    /// In its own month, or in this open one instead (R21).
    In(Option<Period>),
    /// Nowhere yet.
    Waits,
}

impl Resolver {
    /// Where a leg is billed. A leg whose month is being sealed goes into suspense until that is done.
    pub(super) fn billed_in(
        &mut self,
        frame: &Frame,
        job: &Job,
        leg: &Leg,
        account: AccountRow<'_>,
        payer: AccountKey,
    ) -> Billed {
        if !self.state.periods.reaches(leg.answer) {
            return Billed::In(None);
        }
        let own = Period::containing(leg.answer, account.zone());
        match self.state.periods.place(own, Period::containing(job.received_at, account.zone())) {
            Place::Own => Billed::In(None),
            Place::Adjusts(open) => Billed::In(Some(open)),
            Place::Waits => {
                let reason = SuspenseReason::PeriodSealing;
                self.tally.leg_stays(reason, own);
                let held = Some((leg.direction, own));
                let mut kept = SuspendedRecord::of(frame, job, reason, held, "its month is being sealed");
                kept.account = Some(payer);
                self.tally.gathered.suspended.push(kept);
                Billed::Waits
            }
        }
    }

    /// A month takes no calls any more.
    pub(super) fn close(&mut self, seal: &Seal, at: Position) {
        let period = Period(seal.period);
        let given_up = self.state.periods.rerating();
        if !self.state.periods.seal(period, at) {
            return;
        }
        if let Some(run) = given_up {
            self.given_up(run.run, at, format!("{period} was closed meanwhile; ask again once it is sealed"));
        }
        self.number_everybody();
        let closed = ClosedRow { period, seal: at, at: Timestamp(seal.at), by: seal.by.clone() };
        self.tally.gathered.closed.push(closed);
    }

    /// A job may find calls of accounts that never had one: it cannot give out numbers, so all have theirs before it.
    pub(super) fn number_everybody(&mut self) {
        if let Some(directory) = self.state.directory.clone() {
            for row in 0..directory.rows() {
                let Some(account) = directory.account_row(row) else { continue };
                if account.is_only_named() {
                    continue;
                }
                self.account_key(account);
                self.group_key(account);
            }
        }
    }

    /// The draft of a closed month counts from here on.
    pub(super) fn sealed(&mut self, frame: &Frame, sealed: &Sealed, at: Position) -> Result<(), ResolverError> {
        let (period, seal) = (Period(sealed.period), Position(sealed.seal));
        if self.state.periods.get(period).is_none_or(|closed| closed.sealed || closed.seal != seal) {
            return Ok(());
        }
        let (digest, outcome) = self.seals.outcome(period, seal)?;
        if digest != sealed.digest {
            let told = format!("{period} was sealed to {}, and now comes to {digest}", sealed.digest);
            return Err(ResolverError::Entry(at, told));
        }
        self.state.periods.sealed(period, seal);
        self.counts(frame, &outcome, at, "found when its month was sealed");
        self.tally.gathered.sealed.push(SealedRow { period, seal, sealed: at });
        Ok(())
    }

    /// What a job found counts from here on.
    pub(super) fn counts(&mut self, frame: &Frame, outcome: &Outcome, at: Position, detail: &'static str) {
        self.hand_over(frame);
        self.tally.books(&outcome.books);
        for key in &outcome.released {
            self.state.attempts.insert((key.position, key.leg), at);
            self.tally.gathered.retried.push((key.position, key.leg, at));
        }
        self.suspend_all(frame, outcome, detail);
        self.correct(outcome);
    }

    /// What the sealing puts into suspense. Its records stand in no frame of the journal at hand: they get one in memory.
    fn suspend_all(&mut self, frame: &Frame, outcome: &Outcome, detail: &'static str) {
        if outcome.suspended.is_empty() {
            return;
        }
        let mut bytes = frame.bytes.get(..FRAME_HEAD).unwrap_or_default().to_vec();
        let mut places = Vec::with_capacity(outcome.suspended.len());
        for leg in &outcome.suspended {
            places.push(bytes.len());
            bytes.extend_from_slice(&leg.record);
        }
        let frame = Frame { position: frame.position, bytes: Bytes::from(bytes) };
        for (leg, at) in outcome.suspended.iter().zip(places) {
            self.tally.gathered.suspended.push(SuspendedRecord {
                position: leg.key.position,
                attempt: self.latest_attempt(leg.key.position, leg.key.leg),
                leg: leg.key.leg,
                reason: leg.reason,
                detail,
                period: Some(leg.period),
                account: leg.account,
                source: leg.source.0,
                received_at: leg.received_at,
                frame: frame.clone(),
                at,
                length: leg.record.len(),
            });
        }
    }

    /// Each shard takes the differences of its groups.
    pub(super) fn correct(&self, outcome: &Outcome) {
        let shards = self.shards.len();
        let mut lines = vec![Vec::new(); shards];
        for line in &outcome.lines {
            let key = LineKey {
                account: line.account,
                group: line.group,
                period: line.period,
                call_type: line.call_type,
                currency: line.currency,
            };
            lines[shard_of(line.group, shards)].push((key, line.usage, line.decimals));
        }
        let mut drawn = vec![Vec::new(); shards];
        for one in &outcome.drawn {
            drawn[shard_of(one.0, shards)].push(*one);
        }
        for ((shard, lines), drawn) in self.shards.iter().zip(lines).zip(drawn) {
            let _ = shard.send(ToShard::Correct { lines, drawn });
        }
    }

    /// Something in suspense is given up for good.
    pub(super) fn discard(&mut self, frame: &Frame, entry: &Entry<'_>, said: Discard, record: &[u8]) {
        let Some((position, leg, reason)) = self.latest(entry, &said.item, record) else { return };
        self.tally.gathered.retried.push((position, leg, entry.position));
        self.tally.discarded(reason, leg.map(|_| Period(said.item.period.unwrap_or(0))));
        let (at, length) = (offset(frame, record), record.len());
        let discarded = Discarded { entry: entry.position, said, frame: frame.clone(), at, length };
        self.tally.gathered.discarded.push(discarded);
    }
}
