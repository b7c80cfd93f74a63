//! Identity, then whose call, for records of a frame; and on to the shards, or into suspense.
//!
//! Records are resolved a window at a time, and what the next step reads is asked for before: see
//! [`rating::resolve_together`].
//!
//! Does not know what a frame holds besides records.

use super::gather::ConflictFound;
use super::months::Billed;
use super::state::in_force;
use super::{Claim, Job, Resolver, ResolverError, SuspendedRecord, shard_of};
use crate::batch::{Frame, FrameHead};
use crate::call::{LegKey, SuspenseReason, TariffSlot};
use crate::directory::AccountRow;
use crate::entry::SourceProfile;
use crate::identity::Verdict;
use crate::poison;
use crate::rating::{self, Leg, Question, Resolution, TOGETHER, World};
use crate::record::Record;
use crate::shard::LegJob;
use crate::time::Timestamp;

impl Resolver {
    /// Identity, then whose call, for the records gathered so far.
    pub(super) fn settle(
        &mut self,
        frame: &Frame,
        head: &FrameHead,
        claims: &mut Vec<Claim>,
    ) -> Result<(), ResolverError> {
        if claims.is_empty() {
            return Ok(());
        }
        let (mut verdicts, mut jobs) = (std::mem::take(&mut self.verdicts), std::mem::take(&mut self.jobs));
        verdicts.clear();
        // The index is asked for all of them at once.
        poison::nowhere();
        self.index.check(&self.keys, &mut verdicts)?;
        let received_at = Timestamp(head.received_at.get());
        for (i, (claim, verdict)) in claims.drain(..).zip(&verdicts).enumerate() {
            let position = self.keys[i].position;
            match verdict {
                Verdict::New | Verdict::Itself => jobs.push(Job {
                    position,
                    attempt: position,
                    at: claim.at,
                    length: claim.length,
                    source: head.source.get(),
                    received_at,
                    revision: 0,
                    only: None,
                }),
                Verdict::Duplicate { .. } => self.tally.duplicate += 1,
                Verdict::Conflict { first } => {
                    self.tally.conflict += 1;
                    self.tally.gathered.conflicts.push(ConflictFound {
                        first: *first,
                        position,
                        frame: frame.clone(),
                        at: claim.at,
                        length: claim.length,
                    });
                }
            }
        }
        jobs.chunks(TOGETHER).try_for_each(|jobs| self.resolve(frame, jobs))?;
        self.keys.clear();
        jobs.clear();
        (self.verdicts, self.jobs) = (verdicts, jobs);
        Ok(())
    }

    /// Whose calls, at most [`TOGETHER`] of them, and on to the shards; or into suspense.
    pub(super) fn resolve(&mut self, frame: &Frame, jobs: &[Job]) -> Result<(), ResolverError> {
        let Some(first) = jobs.first() else { return Ok(()) };
        if jobs.iter().any(|job| self.state.set_aside.contains(&job.attempt)) {
            if jobs.len() > 1 {
                return jobs.chunks(1).try_for_each(|job| self.resolve(frame, job));
            }
            tracing::error!(
                "the record at position {} ended the process twice; it is kept in suspense",
                first.position
            );
            self.suspend(frame, first, SuspenseReason::InternalError, "the program died on it twice");
            return Ok(());
        }
        let mut records = [Record::default(); TOGETHER];
        for (record, job) in records.iter_mut().zip(jobs) {
            poison::at(job.attempt);
            let bytes = &frame.bytes[job.at..job.at + job.length];
            #[cfg(debug_assertions)]
            poison::pretend("resolved", bytes);
            *record = Record::decode(bytes).map_err(|e| ResolverError::Entry(job.position, e.to_string()))?;
        }
        let missing = match (&self.state.directory, self.state.tariffs.is_empty()) {
            (None, _) => Some("no directory is in force"),
            (_, true) => Some("no tariff is in force"),
            (Some(_), false) => None,
        };
        let Some(directory) = self.state.directory.clone().filter(|_| missing.is_none()) else {
            let detail = missing.unwrap_or_default();
            jobs.iter().for_each(|job| self.suspend(frame, job, SuspenseReason::UnknownAccount, detail));
            return Ok(());
        };
        let fallback = SourceProfile::default();
        let questions: [Question<'_>; TOGETHER] = std::array::from_fn(|i| {
            let (job, record) = (jobs.get(i).unwrap_or(first), &records[i]);
            // There is one, so that one is in force at every instant.
            let known = in_force(&self.state.tariffs, record.answer.unwrap_or(job.received_at));
            let known = known.unwrap_or(&self.state.tariffs[0]);
            let source = self.state.sources.get(usize::from(job.source)).and_then(Option::as_ref);
            let world = World { directory: &directory, tariff: &known.tariff, slot: known.slot };
            Question { record, received_at: job.received_at, source: source.unwrap_or(&fallback), world }
        });
        let (mut answers, mut rows) = ([Resolution::Legs(None, None); TOGETHER], [None; 2 * TOGETHER]);
        let (questions, answers) = (&questions[..jobs.len()], &mut answers[..jobs.len()]);
        rating::resolve_together(questions, |i| poison::at(jobs[i].attempt), answers);
        let slots = std::array::from_fn::<_, TOGETHER, _>(|i| questions.get(i).map_or(TariffSlot(0), |q| q.world.slot));
        let legs = answers.iter().flat_map(|answer| match answer {
            Resolution::Legs(first, second) => [first.as_ref(), second.as_ref()],
            Resolution::Suspended(_) => [None, None],
        });
        for (row, leg) in rows.iter_mut().zip(legs) {
            // The directory that has just resolved the leg has its row.
            *row = leg.and_then(|leg| directory.account_row(leg.account_row));
        }
        self.expect_keys(&rows);
        for (i, (job, answer)) in jobs.iter().zip(answers).enumerate() {
            poison::at(job.attempt);
            match answer {
                Resolution::Suspended(why) => self.suspend(frame, job, why.reason, why.detail),
                Resolution::Legs(first, second) => {
                    if job.only.is_none() {
                        self.tally.resolved += 1;
                    }
                    for (leg, row) in [first, second].into_iter().zip(&rows[2 * i..]) {
                        if let (Some(leg), Some(row)) = (leg, row)
                            && job.only.is_none_or(|only| only.0 == leg.direction)
                        {
                            self.send_leg(frame, *row, leg, slots[i], job);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn send_leg(&mut self, frame: &Frame, account: AccountRow<'_>, leg: &Leg, slot: TariffSlot, job: &Job) {
        let key = self.account_key(account);
        let group = self.group_key(account);
        let adjusts_in = match self.billed_in(frame, job, leg, account, key) {
            Billed::In(month) => month,
            Billed::Waits => return,
        };
        let shard = shard_of(group, self.shards.len());
        self.outgoing[shard].push(LegJob {
            key: LegKey { position: job.position, leg: leg.direction },
            attempt: job.attempt,
            account: key,
            group,
            slot,
            leg: *leg,
            adjusts_in,
            revision: job.revision,
            at: job.at as u32,
            length: job.length as u32,
            source: job.source,
            profile: self.state.profiles.get(usize::from(job.source)).copied().unwrap_or_default(),
            received_at: job.received_at,
        });
    }

    pub(super) fn suspend(&mut self, frame: &Frame, job: &Job, reason: SuspenseReason, detail: &'static str) {
        match job.only {
            // A leg that is retried and whose record no longer yields legs stays what it was.
            Some((leg, held)) => {
                self.tally.leg_stays(held.0, held.1);
                let kept = SuspendedRecord::of(frame, job, held.0, Some((leg, held.1)), detail);
                self.tally.gathered.suspended.push(kept);
            }
            None => {
                self.tally.suspended(reason, 1);
                self.tally.gathered.suspended.push(SuspendedRecord::of(frame, job, reason, None, detail));
            }
        }
    }
}
