//! What is known at the seal's place: tariffs, directory, settings of listeners; and whose call it is by them.
//!
//! Does not know where records come from, nor what they cost.

use std::sync::Arc;

use super::candidates::Facts;
use super::progress::SealError;
use crate::batch::{Position, SourceId};
use crate::call::TariffSlot;
use crate::directory::Directory;
use crate::entry::{self, SourceProfile, Talk};
use crate::images::Images;
use crate::rating::{self, Resolution, World};
use crate::record::Record;
use crate::store::{Store, StoredState};
use crate::tariff::Tariff;
use crate::time::{Micros, Timestamp};

/// What is known at the seal's place.
pub struct Known<'a> {
    pub store: &'a dyn Store,
    tariffs: Vec<(Option<Timestamp>, Arc<Tariff>)>,
    pub directory: Arc<Directory>,
    pub directory_slot: u32,
    /// By source and position of the entry.
    settings: Vec<(SourceId, Position, Settings)>,
    /// Where none are kept.
    unset: Settings,
}

/// Settings of a listener.
#[derive(Default)]
struct Settings {
    /// As they were.
    said: SourceProfile,
    /// As a stored row wants them: R1 and R2 were judged when it came, and it has what they gave.
    judged: SourceProfile,
}

impl Settings {
    fn of(said: SourceProfile) -> Settings {
        let judged = SourceProfile { talk: Talk::Duration, max_age_days: u32::MAX, ..said.clone() };
        Settings { said, judged }
    }
}

impl<'a> Known<'a> {
    pub fn at(
        store: &'a dyn Store,
        images: &Images,
        state: &StoredState,
        seal: Position,
    ) -> Result<Known<'a>, SealError> {
        let mut tariffs: Vec<(Option<Timestamp>, Arc<Tariff>)> = Vec::new();
        for row in state.tariffs.iter().filter(|row| row.position < seal) {
            tariffs.push((row.effective_from, images.tariff(&row.digest)?));
        }
        let directory = state.directories.iter().rfind(|row| row.position < seal);
        let directory = directory.ok_or(SealError::NothingInForce)?;
        if tariffs.is_empty() {
            return Err(SealError::NothingInForce);
        }
        let settings = state.sources.iter().map(|row| {
            let said = serde_json::from_str(&row.json).unwrap_or_default();
            (row.source, row.position, Settings::of(said))
        });
        let mut settings: Vec<_> = settings.collect();
        settings.sort_by_key(|(source, position, _)| (*source, *position));
        Ok(Known {
            store,
            tariffs,
            directory: images.directory(&directory.digest)?,
            directory_slot: directory.slot,
            settings,
            unset: Settings::of(SourceProfile::default()),
        })
    }

    fn settings(&self, source: SourceId, position: Position) -> &Settings {
        let behind = self.settings.partition_point(|(of, from, _)| (*of, *from) <= (source, position));
        let last = behind.checked_sub(1).and_then(|at| self.settings.get(at));
        last.filter(|(of, ..)| *of == source).map_or(&self.unset, |(.., settings)| settings)
    }

    /// Settings of a listener as they stood behind a position.
    pub fn profile(&self, source: SourceId, position: Position) -> &SourceProfile {
        &self.settings(source, position).said
    }

    /// The same as a stored row wants them: R1 and R2 were judged when it came, and it has what they gave.
    pub fn judged(&self, source: SourceId, position: Position) -> &SourceProfile {
        &self.settings(source, position).judged
    }

    /// The tariff by which a call answered then is rated.
    pub fn in_force(&self, answer: Timestamp) -> (TariffSlot, &Arc<Tariff>) {
        let slot =
            entry::in_force(&self.tariffs, |(from, _)| from.map(|from| from.0), answer).map_or(0, |(slot, _)| slot);
        (TariffSlot(slot as u16), &self.tariffs[slot].1)
    }

    /// All tariffs that were known at the seal.
    pub fn tariffs(&self) -> impl Iterator<Item = &Tariff> {
        self.tariffs.iter().map(|(_, tariff)| tariff.as_ref())
    }

    /// The tariff of a slot, as far as it was known at the seal.
    pub fn tariff(&self, slot: TariffSlot) -> Option<&Arc<Tariff>> {
        self.tariffs.get(usize::from(slot.0)).map(|(_, tariff)| tariff)
    }

    /// The same, unless an operator named the tariff.
    pub fn in_force_or(&self, answer: Timestamp, named: Option<TariffSlot>) -> (TariffSlot, &Arc<Tariff>) {
        match named.and_then(|slot| Some((slot, self.tariff(slot)?))) {
            Some(named) => named,
            None => self.in_force(answer),
        }
    }

    /// Whose call it is, by what is known here.
    pub fn resolve(&self, facts: &Facts) -> Result<(Resolution, TariffSlot), SealError> {
        self.resolve_by_slot(facts, None)
    }

    /// The same, unless an operator named the tariff.
    pub fn resolve_by_slot(
        &self,
        facts: &Facts,
        named: Option<TariffSlot>,
    ) -> Result<(Resolution, TariffSlot), SealError> {
        Ok(self.resolve_read(facts, &read(&facts.record)?, named))
    }

    /// The same of a record that is read already.
    pub fn resolve_read(
        &self,
        facts: &Facts,
        record: &Record<'_>,
        named: Option<TariffSlot>,
    ) -> (Resolution, TariffSlot) {
        let answer = record.answer.unwrap_or(Timestamp(facts.received_at.unwrap_or_default()));
        let (slot, tariff) = self.in_force_or(answer, named);
        (self.resolved(facts, record, tariff, slot), slot)
    }

    /// Whose call it would be by another tariff.
    pub fn resolve_by(&self, facts: &Facts, tariff: &Tariff) -> Result<Resolution, SealError> {
        Ok(self.resolved(facts, &read(&facts.record)?, tariff, TariffSlot(0)))
    }

    /// Whether a record that waits goes on waiting as a whole.
    pub fn suspends(
        &self,
        record: &Record<'_>,
        (source, position): (SourceId, Position),
        received_at: Timestamp,
    ) -> bool {
        let (slot, tariff) = self.in_force(record.answer.unwrap_or(received_at));
        let world = World { directory: &self.directory, tariff, slot };
        let resolution = rating::resolve(record, received_at, self.profile(source, position), world);
        matches!(resolution, Resolution::Suspended(_))
    }

    fn resolved(&self, facts: &Facts, record: &Record<'_>, tariff: &Tariff, slot: TariffSlot) -> Resolution {
        let world = World { directory: &self.directory, tariff, slot };
        let Facts { source, profile, .. } = *facts;
        match facts.received_at {
            Some(at) => rating::resolve(record, Timestamp(at), self.profile(source, profile), world),
            None => rating::resolve(record, record.answer.unwrap_or_default(), self.judged(source, profile), world),
        }
    }

    /// How versions of a record stand to each other (R20): those that somebody pays for first, then the shorter talk time,
    /// then the smaller digest. Nothing in it depends on which came first.
    pub fn standing(&self, facts: &Facts) -> Result<(bool, Micros, u64), SealError> {
        let record = read(&facts.record)?;
        let resolved = matches!(self.resolve(facts)?.0, Resolution::Legs(..));
        let profile = self.profile(facts.source, facts.profile);
        let talk = match facts.received_at {
            None => record.duration,
            Some(_) => rating::talk_time(&record, profile.talk),
        };
        let plain = Record { start: None, end: None, duration: talk, seq: None, fold: None, ..record };
        Ok((!resolved, talk.unwrap_or(Micros(i64::MAX)), plain.content().0))
    }
}

pub fn read(bytes: &[u8]) -> Result<Record<'_>, SealError> {
    Record::decode(bytes).map_err(|e| SealError::Unreadable(e.to_string()))
}
