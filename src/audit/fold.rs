//! The journal as a fold: what each record comes to, one after the other.
//!
//! Does not know what is stored: it starts from the names, activations and settings that the store has for a position,
//! and goes on by the journal alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::compare::Expected;
use super::counted::Counted;
use super::{AuditError, Difference, Sources, carried};
use crate::batch::{Entry, EntryKind, Frame, Position};
use crate::books::name;
use crate::call::{AccountKey, GroupKey, LegKey, Meter, TariffSlot};
use crate::directory::Directory;
use crate::entry::{Activation, Discard, Lost, Seal, Sealed, SourceProfile};
use crate::names::Names;
use crate::period::{Ledger, Place};
use crate::rating::{self, Answered, Draws, Leg, Resolution, Standing, World};
use crate::record::{Direction, Record};
use crate::store::{ActivationRow, StoredState};
use crate::tariff::{PlanId, Tariff};
use crate::time::{Period, Timestamp};

mod decide;
mod corrections;
mod parts;
mod retries;

/// Identities asked for in one question: each holds up the road for a microsecond or so.
const ASKED: usize = 1024;

/// See the module.
pub(super) struct Fold<'a> {
    sources: &'a Sources<'a>,
    state: &'a StoredState,
    accounts: Names,
    groups: Names,
    profiles: Vec<Option<SourceProfile>>,
    tariffs: Vec<(Activation, Arc<Tariff>)>,
    directory: Option<Arc<Directory>>,
    attempts: HashMap<(Position, Option<Direction>), Position>,
    /// Months that are closed.
    ledger: Ledger,
    /// What the seal that counts from this flush on changes of what was drawn.
    pub corrections: BTreeMap<(Period, GroupKey, Meter), i64>,
    /// A month was sealed: its revisions are in the books, and follow from no record alone.
    pub sealed: bool,
    pub drawn: Counted,
    draws: Draws,
    listeners: BTreeMap<u16, [i128; 3]>,
    /// Everything before this has been folded.
    pub position: Position,
    /// Legs rated since [`Fold::begin`], with their revision: a decision rates a leg anew.
    pub expected: BTreeMap<(LegKey, u32), Expected>,
    /// Contradictions since then.
    pub conflicts: Vec<Position>,
    /// Positions since then of which nothing can be said: calls told in parts that the journal no longer holds.
    pub untold: BTreeSet<Position>,
    /// Stretches that an operator gave up: what was stored from them cannot be rated again.
    pub lost: Vec<Range<u64>>,
    /// Calls came in parts. When each of them was whole depends on what waited at the fold's start, so what became of
    /// records is not counted.
    pub parts: bool,
    /// Records since then whose identity the index does not know as it should.
    pub strangers: Vec<Difference>,
    /// Counts since the fold's start, by their names in the books.
    pub books: BTreeMap<String, i128>,
}

/// A record, or one leg of it, that is tried.
struct Attempt {
    position: Position,
    source: u16,
    received_at: Timestamp,
    /// 0, or that of legs that replace others by somebody's word.
    revision: u32,
    /// Only this leg, held in this period.
    only: Option<(Direction, Period)>,
}

impl<'a> Fold<'a> {
    /// The state at a position where a flush began. `drawn` is what the rows before it have drawn.
    pub fn at(
        sources: &'a Sources<'a>,
        state: &'a StoredState,
        position: Position,
        drawn: &BTreeMap<(Period, GroupKey, Meter), u64>,
    ) -> Result<Fold<'a>, AuditError> {
        let mut profiles = Vec::new();
        for row in state.sources.iter().filter(|row| row.position < position) {
            if let Ok(profile) = serde_json::from_str(&row.json) {
                put(&mut profiles, profile);
            }
        }
        let mut tariffs = Vec::new();
        for row in state.tariffs.iter().filter(|row| row.position < position) {
            tariffs.push((activation(row), sources.images.tariff(&row.digest)?));
        }
        let directory = state.directories.iter().rev().find(|row| row.position < position);
        let directory = directory.map(|row| sources.images.directory(&row.digest)).transpose()?;
        let retried = state.retried.iter().filter(|retried| retried.attempt < position);
        let mut drawn = Counted(drawn.clone());
        for row in state.periods.iter().filter(|row| row.sealed.is_some_and(|at| at < position)) {
            drawn.correct(carried::counters(sources.store, state, row.period)?);
        }
        Ok(Fold {
            sources,
            accounts: Names::from_stored(state.accounts.iter().map(|a| a.name.clone())),
            groups: Names::from_stored(state.groups.iter().map(|g| g.name.clone())),
            profiles,
            tariffs,
            directory,
            attempts: retried.map(|r| ((r.key.position, r.key.leg), r.attempt)).collect(),
            ledger: Ledger::before(&state.periods, position).with_runs(&state.reruns, position),
            corrections: BTreeMap::new(),
            sealed: false,
            state,
            drawn,
            draws: Draws::default(),
            listeners: BTreeMap::new(),
            position,
            expected: BTreeMap::new(),
            conflicts: Vec::new(),
            untold: BTreeSet::new(),
            lost: Vec::new(),
            parts: false,
            strangers: Vec::new(),
            books: BTreeMap::new(),
        })
    }

    /// A flush begins.
    pub fn begin(&mut self) {
        self.expected.clear();
        self.conflicts.clear();
        self.untold.clear();
        self.strangers.clear();
    }

    /// A flush ends: listeners are counted under the names they have by then.
    pub fn end(&mut self) {
        for (index, counts) in std::mem::take(&mut self.listeners) {
            let profile = self.profiles.get(usize::from(index)).and_then(Option::as_ref);
            let listener = profile.map_or_else(|| format!("source-{index}"), |p| p.listener.replace('/', "_"));
            for (name, count) in [name::received, name::refused, name::durable].into_iter().zip(counts) {
                *self.books.entry(name(&listener)).or_default() += count;
            }
        }
    }

    /// The next frame.
    pub fn frame(&mut self, frame: &Frame) -> Result<(), AuditError> {
        let head = frame.head();
        let (source, received_at) = (head.source.get(), Timestamp(head.received_at.get()));
        let (mut records, mut claims) = (0, Vec::new());
        for entry in frame.entries() {
            if entry.kind != EntryKind::Record as u8 {
                // What stands before a change is settled before it.
                self.settle(&mut claims, source, received_at)?;
                if entry.kind == EntryKind::Piece as u8 {
                    records += 1;
                    self.piece(entry.position, source, received_at)?;
                } else {
                    self.change(&entry, frame.position)?;
                }
                continue;
            }
            records += 1;
            let record = read(entry.position, entry.payload)?;
            if rating::answered(&record) == Answered::No {
                self.count(name::records("unanswered"), 1);
                continue;
            }
            claims.push((entry.position, record));
        }
        self.settle(&mut claims, source, received_at)?;
        let counts = self.listeners.entry(source).or_default();
        counts[0] += i128::from(head.received.get());
        counts[1] += i128::from(head.refused.get());
        counts[2] += records;
        self.position = frame.end();
        Ok(())
    }

    /// Which of the records came first under their identities; those are rated.
    fn settle(
        &mut self,
        claims: &mut Vec<(Position, Record<'_>)>,
        source: u16,
        received_at: Timestamp,
    ) -> Result<(), AuditError> {
        for some in claims.chunks(ASKED) {
            let identities = some.iter().map(|(_, record)| record.identity()).collect();
            let found = (self.sources.find)(identities).ok_or(AuditError::Stopping)?;
            for ((position, record), known) in some.iter().zip(found) {
                match known {
                    Some((content, first)) if first < *position => {
                        if content == record.content() {
                            self.count(name::records("duplicate"), 1);
                        } else {
                            self.count(name::records("conflict"), 1);
                            self.conflicts.push(*position);
                        }
                        continue;
                    }
                    Some((_, first)) if first == *position => {}
                    other => {
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        self.strangers.push(Difference {
                            account: None,
                            call: Some(format!("{}/{}", text(record.node), text(record.id))),
                            field: "position under which its identity is known".to_owned(),
                            expected: position.to_string(),
                            found: other.map_or("none".to_owned(), |(_, first)| first.to_string()),
                        });
                    }
                }
                self.attempt(record, &Attempt { position: *position, source, received_at, revision: 0, only: None })?;
            }
        }
        claims.clear();
        Ok(())
    }

    /// An entry that is no record, in a frame at a position.
    fn change(&mut self, entry: &Entry<'_>, frame: Position) -> Result<(), AuditError> {
        let json = |e: serde_json::Error| AuditError::Entry(entry.position, e.to_string());
        match EntryKind::from_byte(entry.kind) {
            Some(EntryKind::Source) => put(&mut self.profiles, serde_json::from_slice(entry.payload).map_err(json)?),
            Some(EntryKind::Tariff) => {
                let activation: Activation = serde_json::from_slice(entry.payload).map_err(json)?;
                let tariff = self.sources.images.tariff(&activation.digest)?;
                self.tariffs.push((activation, tariff));
            }
            Some(EntryKind::Directory) => {
                let activation: Activation = serde_json::from_slice(entry.payload).map_err(json)?;
                self.directory = Some(self.sources.images.directory(&activation.digest)?);
            }
            Some(EntryKind::Retry) => self.retry(entry)?,
            Some(EntryKind::Lost) => {
                let lost: Option<Lost> = serde_json::from_slice(entry.payload).ok();
                self.lost.push(frame.0..frame.0.saturating_add(lost.map_or(0, |lost| lost.bytes)));
            }
            Some(EntryKind::Seal) => {
                let seal: Seal = serde_json::from_slice(entry.payload).map_err(json)?;
                self.ledger.seal(Period(seal.period), entry.position);
            }
            Some(EntryKind::Sealed) => {
                let sealed: Sealed = serde_json::from_slice(entry.payload).map_err(json)?;
                let month = Period(sealed.period);
                if self.ledger.sealed(month, Position(sealed.seal)) {
                    self.corrected();
                    self.drawn.correct(carried::counters(self.sources.store, self.state, month)?);
                }
            }
            Some(EntryKind::Rerate) => {
                self.rerate(entry.position, serde_json::from_slice(entry.payload).map_err(json)?)
            }
            // Changes no amount; what a change of the directory comes to is the directory behind it.
            Some(EntryKind::Ack | EntryKind::Guard | EntryKind::DirectoryChange) => {}
            Some(EntryKind::Discard) => {
                let (discard, record) = Discard::decode(entry.payload)
                    .ok_or_else(|| AuditError::Entry(entry.position, "not a discard".to_owned()))?;
                self.latest(entry.position, &discard.item, record);
            }
            Some(EntryKind::Decide) => self.decide(entry)?,
            // What waits in parts is not followed here; what was refused was counted at the door.
            Some(EntryKind::Tick | EntryKind::Refused | EntryKind::Retention) => {}
            Some(EntryKind::Record | EntryKind::Piece) | None => {
                return Err(AuditError::Entry(entry.position, format!("kind {} is not known", entry.kind)));
            }
        }
        Ok(())
    }

    /// Whose call, and what it costs.
    fn attempt(&mut self, record: &Record<'_>, attempt: &Attempt) -> Result<(), AuditError> {
        let answer = record.answer.unwrap_or(attempt.received_at);
        let in_force = self.tariffs.iter().rposition(|(activation, _)| activation.applies(answer));
        let slot = in_force.unwrap_or(0);
        let (Some(directory), Some((_, tariff))) = (self.directory.clone(), self.tariffs.get(slot)) else {
            return self.waits(attempt);
        };
        let tariff = tariff.clone();
        let world = World { directory: &directory, tariff: &tariff, slot: TariffSlot(slot as u16) };
        let fallback = SourceProfile::default();
        let profile = self.profiles.get(usize::from(attempt.source)).and_then(Option::as_ref).unwrap_or(&fallback);
        let legs = match rating::resolve(record, attempt.received_at, profile, world) {
            Resolution::Suspended(_) => return self.waits(attempt),
            Resolution::Legs(first, second) => [first, second],
        };
        if attempt.only.is_none() {
            self.count(name::records("resolved"), 1);
        }
        let mut any = false;
        for leg in legs.into_iter().flatten() {
            if attempt.only.is_none_or(|(only, _)| only == leg.direction) {
                any = true;
                self.leg(record, attempt, &leg, world);
            }
        }
        if any { Ok(()) } else { self.waits(attempt) }
    }

    /// Nothing comes of it for now: a leg that was taken out of its month goes back.
    fn waits(&mut self, attempt: &Attempt) -> Result<(), AuditError> {
        if let Some((_, period)) = attempt.only {
            self.count(name::legs(period, "legs"), 1);
        }
        Ok(())
    }

    fn leg(&mut self, record: &Record<'_>, attempt: &Attempt, leg: &Leg, world: World<'_>) {
        let account = world.directory.row(leg.account_row);
        let period = leg.period(world);
        let billed = match self.ledger.place(period, Period::containing(attempt.received_at, account.zone)) {
            Place::Own => None,
            Place::Waits => return self.count(name::legs(period, "legs"), 1),
            Place::Adjusts(open) => Some(open),
        };
        // A name that the store does not have is told as what it is: an account of no call.
        let group = GroupKey(self.groups.find(account.group()).unwrap_or(u32::MAX));
        let key = AccountKey(self.accounts.find(account.name()).unwrap_or(u32::MAX));
        let of_group = self.drawn.of(group);
        let Ok(rated) = rating::rate(leg, world, period, Standing::of(&of_group), &mut self.draws) else {
            return self.count(name::legs(period, "legs"), 1);
        };
        self.count(name::legs(billed.unwrap_or(period), "legs"), 1);
        let place = LegKey { position: attempt.position, leg: leg.direction };
        let mut call = rated.call(leg, place, key, group);
        if let Some(open) = billed {
            (call.period, call.adjusts) = (open, Some(period));
        }
        let costs = rating::costs(leg, world, PlanId(call.basis.plan), period);
        let draws = self.draws.text.clone();
        self.drawn.add(&call, &draws);
        self.expected.insert((place, attempt.revision), Expected::of(call, costs, draws, record));
    }

    fn count(&mut self, name: String, by: i128) {
        *self.books.entry(name).or_default() += by;
    }
}

fn read(position: Position, bytes: &[u8]) -> Result<Record<'_>, AuditError> {
    Record::decode(bytes).map_err(|e| AuditError::Entry(position, e.to_string()))
}

fn put(profiles: &mut Vec<Option<SourceProfile>>, profile: SourceProfile) {
    let index = usize::from(profile.index);
    if profiles.len() <= index {
        profiles.resize(index + 1, None);
    }
    profiles[index] = Some(profile);
}

fn activation(row: &ActivationRow) -> Activation {
    Activation {
        digest: row.digest.clone(),
        effective_from: row.effective_from.map(|t| t.0),
        activated_at: row.activated_at.0,
        by: row.by.clone(),
    }
}
