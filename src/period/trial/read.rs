//! What is tried: the legs that sealing would bill, found by several threads, each reading a part of the rows.
//!
//! A row of the month whose record nobody contradicts becomes its legs at once; all else (neighbouring months, what waits,
//! contradictions, adjustments) goes the way of the sealing job.
//!
//! Does not know what a leg costs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::legs::{Pile, Place, Shelf, Then, TriedLeg, What};
use super::{TOLD, Trial};
use crate::batch::{Position, SourceId};
use crate::call::TariffSlot;
use crate::directory::Account;
use crate::entry::{SourceProfile, Talk};
use crate::period::candidates::{Candidate, Row};
use crate::period::gather::{Gather, Gathered};
use crate::period::known::Known;
use crate::period::{Ledger, Progress, SealError, everywhere};
use crate::rating::{self, Leg, Resolution, World};
use crate::record::Direction;
use crate::store::{Grounds, StoredCall, StoredState, Visit};
use crate::tariff::Tariff;
use crate::time::{Months, Period};

/// Numbers of billing groups.
pub(super) struct Groups<'a> {
    stored: HashMap<&'a str, u32>,
    /// Of those that no call was billed to yet.
    others: Mutex<HashMap<String, u32>>,
}

impl<'a> Groups<'a> {
    pub fn of(state: &'a StoredState) -> Groups<'a> {
        let stored = state.groups.iter().map(|group| (group.name.as_str(), group.key.0)).collect();
        Groups { stored, others: Mutex::default() }
    }

    fn number(&self, name: &str) -> u32 {
        if let Some(number) = self.stored.get(name) {
            return *number;
        }
        let mut others = self.others.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Numbers are given from 0 on.
        let next = u32::MAX - others.len() as u32;
        *others.entry(name.to_owned()).or_insert(next)
    }
}

/// What all threads read by.
pub(super) struct Reading<'a> {
    pub trial: &'a Trial<'a>,
    pub state: &'a StoredState,
    pub seal: Position,
    pub groups: &'a Groups<'a>,
    pub shelf: &'a Shelf<'a>,
    /// Legs that a pile holds.
    pub held: usize,
    pub progress: &'a Progress,
}

impl Reading<'_> {
    /// One of so many parts: a pile for each thread that will rate.
    pub fn part(&self, part: usize, parts: usize) -> Result<Vec<Pile>, SealError> {
        let Reading { trial, state, seal, progress, .. } = *self;
        let mut known = Known::at(trial.store, trial.images, state, seal)?;
        let alike = known.tariffs().map(|tariff| tariff.reads_numbers_like(trial.tariff)).collect();
        let mut desk = Desk {
            reading: self,
            piles: (0..parts).map(|_| Pile::default()).collect(),
            alike,
            groups: Vec::new(),
            months: Months::default(),
            judged: HashMap::new(),
            last: None,
        };
        let strange = RefCell::new(Vec::<Candidate>::new());
        let mut put = |candidate| {
            strange.borrow_mut().push(candidate);
            Ok(())
        };
        let mut gathered = Gathered::default();
        // How far it is is told here.
        let silent = Progress::default();
        let period = trial.period;
        let mut gather = Gather::new(&mut known, state, (period, seal), &mut put, &mut gathered, &silent);
        gather.contradictions()?;
        let ledger = Ledger::before(&state.periods, seal);
        for month in [period, Period(period.0 - 1), Period(period.0 + 1)] {
            let closed = month != period && ledger.get(month).is_some();
            let (mut failed, mut read) = (None, 0);
            let mut show = |stored: &StoredCall<'_>| -> Result<(), SealError> {
                read += 1;
                if read == TOLD {
                    progress.read(std::mem::take(&mut read));
                }
                let call = &stored.call;
                if stored.superseded.is_some() {
                    return Ok(());
                }
                let alone = month == period && call.adjusts.is_none() && !gather.is_contradicted(call.key.position);
                if let Some(grounds) = stored.grounds.filter(|_| alone) {
                    return desk.plain(gather.known, stored, grounds);
                }
                gather.row(stored, month, closed)?;
                desk.strange(gather.known, &mut strange.borrow_mut())
            };
            trial.store.scan_part(month, (part, parts), &mut |stored| match show(stored) {
                Ok(()) => Visit::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    Visit::Break(())
                }
            })?;
            progress.read(read);
            failed.map_or(Ok(()), Err)?;
        }
        if part == 0 {
            let mut after = None;
            while gather.suspense_page(&ledger, &mut after)? {
                desk.strange(gather.known, &mut strange.borrow_mut())?;
            }
            desk.strange(gather.known, &mut strange.borrow_mut())?;
        }
        Ok(desk.piles)
    }
}

/// What one thread asks for each leg, looked up once.
struct Desk<'d, 'r> {
    reading: &'d Reading<'r>,
    piles: Vec<Pile>,
    /// By slot: whether that tariff makes the same legs of a record as the one that is tried.
    alike: Vec<bool>,
    /// Numbers of groups by row of the directory.
    groups: Vec<Option<u32>>,
    /// Months by zone.
    months: Months,
    /// Settings as a row wants them: R1 and R2 were judged when the record came.
    judged: HashMap<(SourceId, Position), Arc<SourceProfile>>,
    last: Option<((SourceId, Position), Arc<SourceProfile>)>,
}

impl Desk<'_, '_> {
    /// A row of the month whose record stands for itself: as [`Gather::row`], without copying it.
    fn plain(&mut self, known: &mut Known<'_>, stored: &StoredCall<'_>, grounds: &Grounds) -> Result<(), SealError> {
        let (trial, call) = (self.reading.trial, &stored.call);
        let (start, end) = everywhere(trial.period);
        if call.key.position >= self.reading.seal || call.answer < start || call.answer >= end {
            return Ok(());
        }
        let profile = self.settle(known, grounds)?;
        let (slot, tariff) = known.in_force(call.answer);
        let record = stored.record(grounds);
        let resolve = |tariff: &Tariff, slot| {
            let world = World { directory: &known.directory, tariff, slot };
            rating::resolve(&record, call.answer, &profile, world)
        };
        let Resolution::Legs(first, second) = resolve(tariff, slot) else { return Ok(()) };
        for leg in [first, second].into_iter().flatten() {
            let account = known.directory.row(leg.account_row);
            if self.months.period(account.zone_index, account.zone, leg.answer) != trial.period {
                continue;
            }
            let own = leg.direction == call.key.leg;
            let named = (own && stored.named_tariff).then_some(call.basis.tariff).filter(|named| *named != slot);
            let (slot, leg) = match named.and_then(|named| Some((named, known.tariff(named)?))) {
                None => (slot, leg),
                Some((named, tariff)) => match side(resolve(tariff, named), leg.direction) {
                    Ok(leg) => (named, leg),
                    Err(_) => continue,
                },
            };
            let then = if self.alike.get(usize::from(slot.0)).is_some_and(|alike| *alike) {
                Then::Same
            } else {
                then(&leg, resolve(trial.tariff, TariffSlot(0)))
            };
            let group = self.group(leg.account_row, &account);
            let place = Place {
                group,
                answer: leg.answer.0,
                node: stored.node,
                id: stored.id,
                side: leg.direction,
                direction: grounds.direction,
                position: call.key.position,
                version: (0, true),
            };
            self.push(TriedLeg::new(&place, (own, false), What::Rated(slot, leg, then)))?;
        }
        Ok(())
    }

    /// What went the way of the sealing job.
    fn strange(&mut self, known: &mut Known<'_>, candidates: &mut Vec<Candidate>) -> Result<(), SealError> {
        for Candidate { key, facts, row, waits: _, closed, fixed } in candidates.drain(..) {
            let what = match fixed {
                Some(fixed) => What::Stands(Box::new(fixed)),
                None => {
                    let (now, slot) = known.resolve_by_slot(&facts, row.as_ref().and_then(Row::named))?;
                    // Without a leg under the tariffs in force it is no leg of this month.
                    let Ok(leg) = side(now, key.leg) else { continue };
                    let tried = known.resolve_by(&facts, self.reading.trial.tariff)?;
                    What::Rated(slot, leg, then(&leg, tried))
                }
            };
            let place = Place {
                group: self.reading.groups.number(&key.group),
                answer: key.answer,
                node: &key.node,
                id: &key.id,
                side: key.leg,
                direction: key.direction,
                position: key.position,
                version: key.version,
            };
            self.push(TriedLeg::new(&place, (row.is_some(), closed), what))?;
        }
        Ok(())
    }

    fn push(&mut self, leg: TriedLeg) -> Result<(), SealError> {
        let at = leg.group as usize % self.piles.len();
        self.piles[at].push(leg, self.reading.held, self.reading.shelf)
    }

    fn group(&mut self, row: u32, account: &Account<'_>) -> u32 {
        let row = row as usize;
        if let Some(Some(group)) = self.groups.get(row) {
            return *group;
        }
        if self.groups.len() <= row {
            self.groups.resize(row + 1, None);
        }
        *self.groups[row].insert(self.reading.groups.number(account.group()))
    }

    fn settle(&mut self, known: &mut Known<'_>, grounds: &Grounds) -> Result<Arc<SourceProfile>, SealError> {
        let place = (grounds.source, grounds.profile);
        if let Some((_, profile)) = self.last.as_ref().filter(|(last, _)| *last == place) {
            return Ok(profile.clone());
        }
        let judged = match self.judged.get(&place) {
            Some(judged) => judged.clone(),
            None => {
                let profile = known.profile(place.0, place.1)?;
                let judged = SourceProfile { talk: Talk::Duration, max_age_days: u32::MAX, ..(*profile).clone() };
                if self.judged.len() > 10_000 {
                    self.judged.clear();
                }
                self.judged.entry(place).or_insert(Arc::new(judged)).clone()
            }
        };
        self.last = Some((place, judged.clone()));
        Ok(judged)
    }
}

/// The leg on a side, or why there is none.
fn side(resolution: Resolution, side: Direction) -> Result<Leg, Then> {
    match resolution {
        Resolution::Legs(first, second) => {
            [first, second].into_iter().flatten().find(|leg| leg.direction == side).ok_or(Then::None(None))
        }
        Resolution::Suspended(why) => Err(Then::None(Some(why.reason))),
    }
}

fn then(now: &Leg, tried: Resolution) -> Then {
    match side(tried, now.direction) {
        Ok(leg) if leg == *now => Then::Same,
        Ok(leg) => Then::Other(Box::new(leg)),
        Err(none) => none,
    }
}
