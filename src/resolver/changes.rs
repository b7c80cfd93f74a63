//! Entries that are no records: settings of listeners, activations, retries.

use std::sync::Arc;

use super::gather::TariffActivated;
use super::pieces::still_unfinished;
use super::{Job, KnownTariff, Resolver, ResolverError, offset};
use crate::batch::{Entry, EntryKind, Frame, Position};
use crate::call::{SuspenseReason, TariffSlot};
use crate::entry::{
    Ack, Activation, Decide, DirectoryChange, Discard, Kept, Lost, Rerate, Retention, Retry, Seal, Sealed,
    SourceProfile,
};
use crate::guard::Entered;
use crate::period::Outcome;
use crate::record::{Direction, Record};
use crate::shard::ToShard;
use crate::store::{AckRow, ChangedRow, GuardsRow, RetentionRow};
use crate::time::{Period, Timestamp};

impl Resolver {
    /// An entry that is no record.
    pub(super) fn change(&mut self, frame: &Frame, entry: &Entry<'_>) -> Result<(), ResolverError> {
        let unreadable = |e: String| ResolverError::Entry(entry.position, e);
        let json = |e: serde_json::Error| ResolverError::Entry(entry.position, e.to_string());
        match EntryKind::from_byte(entry.kind) {
            Some(EntryKind::Source) => {
                let profile: SourceProfile = serde_json::from_slice(entry.payload).map_err(json)?;
                let index = usize::from(profile.index);
                if self.state.sources.len() <= index {
                    self.state.sources.resize(index + 1, None);
                }
                if self.state.profiles.len() <= index {
                    self.state.profiles.resize(index + 1, Position::default());
                }
                self.state.profiles[index] = entry.position;
                self.tally.gathered.sources.push((entry.position, profile.clone()));
                self.state.sources[index] = Some(profile);
            }
            Some(EntryKind::Tariff) => {
                let activation: Activation = serde_json::from_slice(entry.payload).map_err(json)?;
                let tariff = self.images.tariff(&activation.digest)?;
                let slot = TariffSlot(self.state.tariffs.len() as u16);
                self.tally.gathered.tariffs.push(TariffActivated {
                    slot,
                    position: entry.position,
                    activation: activation.clone(),
                });
                // Legs resolved so far were resolved under the tariffs known so far.
                self.hand_over(frame);
                self.to_all(|| ToShard::Tariff(slot, tariff.clone()));
                self.state.tariffs.push(KnownTariff { slot, activation, tariff });
            }
            Some(EntryKind::Directory) => {
                let activation: Activation = serde_json::from_slice(entry.payload).map_err(json)?;
                let directory = self.images.directory(&activation.digest)?;
                let slot = self.state.directories;
                self.state.directories += 1;
                self.tally.gathered.directories.push((slot, entry.position, activation));
                self.hand_over(frame);
                self.use_directory(slot, directory);
            }
            Some(EntryKind::DirectoryChange) => {
                let change: DirectoryChange = serde_json::from_slice(entry.payload).map_err(json)?;
                for name in change.accounts.into_iter().chain(change.numbers) {
                    self.tally.gathered.changed.push(ChangedRow { position: entry.position, name });
                }
            }
            Some(EntryKind::Retry) => {
                let (retry, record) =
                    Retry::decode(entry.payload).ok_or_else(|| unreadable("not a retry".to_owned()))?;
                self.retry(frame, entry, &retry, record)?;
            }
            Some(EntryKind::Lost) => {
                // Too short a gap has no room for words; the journal's folder then still has the file.
                let lost: Option<Lost> = serde_json::from_slice(entry.payload).ok();
                let (bytes, file) = lost.map_or((0, String::new()), |lost| (lost.bytes, lost.kept_in));
                tracing::error!(
                    "at position {} the journal lost {bytes} bytes, which were given up by an operator's word; they are \
                     kept in {file}",
                    entry.position
                );
            }
            Some(EntryKind::Tick) => self.tick(frame, entry)?,
            Some(EntryKind::Seal) => {
                let seal: Seal = serde_json::from_slice(entry.payload).map_err(json)?;
                self.close(&seal, entry.position);
            }
            Some(EntryKind::Sealed) => {
                let sealed: Sealed = serde_json::from_slice(entry.payload).map_err(json)?;
                self.sealed(frame, &sealed, entry.position)?;
            }
            Some(EntryKind::Rerate) => {
                let said: Rerate = serde_json::from_slice(entry.payload).map_err(json)?;
                self.rerate(frame, said, entry.position)?;
            }
            Some(EntryKind::Ack) => {
                let ack: Ack = serde_json::from_slice(entry.payload).map_err(json)?;
                self.tally.gathered.acks.push(AckRow {
                    position: entry.position,
                    period: Period(ack.period),
                    digest: ack.digest,
                    job: ack.job,
                    at: Timestamp(ack.at),
                });
            }
            Some(EntryKind::Discard) => {
                let (discard, record) =
                    Discard::decode(entry.payload).ok_or_else(|| unreadable("not a discard".to_owned()))?;
                self.discard(frame, entry, discard, record);
            }
            Some(EntryKind::Guard) => {
                let Entered::Rules { rules, at, by } = serde_json::from_slice(entry.payload).map_err(json)?;
                let rules = Arc::new(rules);
                let (position, at) = (entry.position, Timestamp(at));
                self.tally.gathered.guards.push(GuardsRow { position, at, by, rules: rules.clone() });
                self.hand_over(frame);
                self.use_guards(rules);
            }
            Some(EntryKind::Decide) => {
                let (decide, record) =
                    Decide::decode(entry.payload).ok_or_else(|| unreadable("not a decision".to_owned()))?;
                self.decide(frame, entry, decide, record)?;
            }
            // It is the store's business: no amount of what is there follows from it.
            Some(EntryKind::Retention) => {
                let entry_said: Retention = serde_json::from_slice(entry.payload).map_err(json)?;
                if entry_said.what == Kept::Erase {
                    // Calls that may be gone on with are held by their numbers: whose they are is not asked.
                    self.hand_over(frame);
                    self.correct(&Outcome::default());
                }
                self.tally.gathered.retention.push(RetentionRow { position: entry.position, entry: entry_said });
            }
            // Refused at the door, counted there, and kept for people only.
            Some(EntryKind::Refused) => {}
            Some(EntryKind::Record | EntryKind::Piece) | None => {
                return Err(unreadable(format!("kind {} is not known to this version", entry.kind)));
            }
        }
        Ok(())
    }

    /// What an entry about something in suspense speaks of, if it names its latest attempt and no job is at work on its
    /// month. The entry is the latest attempt from now on.
    pub(super) fn latest(
        &mut self,
        entry: &Entry<'_>,
        named: &Retry,
        record: &[u8],
    ) -> Option<(Position, Option<Direction>, SuspenseReason)> {
        let position = Position(named.position);
        let leg = named.leg.map(|leg| if leg == 0 { Direction::Outbound } else { Direction::Inbound });
        let reason = SuspenseReason::named(&named.reason)?;
        if self.latest_attempt(position, leg) != Position(named.attempt) {
            return None;
        }
        let answer = Record::decode(record).ok().and_then(|record| record.answer);
        if self.state.periods.voids_retry(named.period.map(Period), answer) {
            return None;
        }
        self.state.attempts.insert((position, leg), entry.position);
        Some((position, leg, reason))
    }

    /// A leg that has not been tried by itself came about when its record was tried last, if it ever was.
    pub(super) fn latest_attempt(&self, position: Position, leg: Option<Direction>) -> Position {
        let attempts = &self.state.attempts;
        let latest = attempts.get(&(position, leg)).or_else(|| attempts.get(&(position, None)));
        latest.copied().unwrap_or(position)
    }

    /// Tries something in suspense again, if this names its latest attempt.
    fn retry(&mut self, frame: &Frame, entry: &Entry<'_>, retry: &Retry, record: &[u8]) -> Result<(), ResolverError> {
        let Some((position, leg, reason)) = self.latest(entry, retry, record) else { return Ok(()) };
        self.tally.gathered.retried.push((position, leg, entry.position));
        let held = Period(retry.period.unwrap_or(0));
        match leg {
            None => self.tally.suspended(reason, -1),
            Some(_) => self.tally.leg_taken(reason, held),
        }
        let job = Job {
            position,
            attempt: entry.position,
            at: offset(frame, record),
            length: record.len(),
            source: retry.source,
            received_at: Timestamp(retry.received_at),
            revision: 0,
            only: leg.map(|leg| (leg, (reason, held))),
        };
        if reason == SuspenseReason::Unfinished {
            self.suspend(frame, &job, reason, still_unfinished(record));
            return Ok(());
        }
        let before: usize = self.outgoing.iter().map(Vec::len).sum();
        self.resolve(frame, &[job])?;
        if let Some(leg) = leg {
            let after: usize = self.outgoing.iter().map(Vec::len).sum();
            let suspended = self.tally.gathered.suspended.last().is_some_and(|s| s.attempt == entry.position);
            if after == before && !suspended {
                // The record still yields legs, but no longer this one: it stays in suspense as it was.
                let job = Job { only: Some((leg, (reason, held))), ..job };
                self.suspend(frame, &job, reason, "the record no longer yields this leg");
            }
        }
        Ok(())
    }
}
