//! What is tried: the legs that sealing would bill, found by several threads, each reading a part of the rows.
//!
//! A row of the month whose record nobody contradicts becomes its legs at once; all else (neighbouring months, what waits,
//! contradictions, adjustments) goes the way of the sealing job.
//!
//! Does not know what a leg costs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Mutex;

use super::legs::{Otherwise, Pile, Piles, Place, Shelf, Then, What};
use super::{TOLD, Trial};
use crate::batch::Position;
use crate::call::TariffSlot;
use crate::directory::AccountRow;
use crate::period::candidates::{Candidate, Row};
use crate::period::gather::{Gather, Gathered};
use crate::period::known::Known;
use crate::period::{Ledger, Progress, SealError};
use crate::rating::{self, Leg, Resolution, World};
use crate::record::Direction;
use crate::store::{Grounds, StoredCall, StoredState, Visit};
use crate::tariff::Tariff;
use crate::time::{Months, Period, Timestamp};

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
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub trial: &'a Trial<'a>,
    pub known: &'a Known<'a>,
    /// By slot: whether that tariff makes the same legs of a record as the one that is tried.
    pub alike: &'a [bool],
    /// What the month may be in any zone.
    pub everywhere: (Timestamp, Timestamp),
    pub state: &'a StoredState,
    pub seal: Position,
    pub groups: &'a Groups<'a>,
    pub shelf: &'a Shelf<'a>,
    /// Legs that each of them holds.
    pub held: usize,
    pub progress: &'a Progress,
}

impl Reading<'_> {
    /// One of so many parts: a pile for each share of the groups.
    pub fn part(&self, part: (usize, usize), shares: usize) -> Result<Vec<Pile>, SealError> {
        let Reading { trial, known, state, seal, progress, .. } = *self;
        let desk = RefCell::new(Desk {
            reading: self,
            piles: Piles::new(shares, self.held, self.shelf),
            groups: Vec::new(),
            months: Months::default(),
        });
        let number = |name: &str| self.groups.number(name);
        let mut put = |candidate| desk.borrow_mut().strange(candidate);
        let mut gathered = Gathered::default();
        // How far it is is told here.
        let silent = Progress::default();
        let period = trial.period;
        let mut gather = Gather::new(known, state, (period, seal), &number, &mut put, &mut gathered, &silent);
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
                match stored.grounds.filter(|_| alone) {
                    Some(grounds) => desk.borrow_mut().plain(stored, grounds),
                    None => gather.row(stored, month, closed),
                }
            };
            trial.store.scan_part(month, part, &mut |stored| match show(stored) {
                Ok(()) => Visit::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    Visit::Break(())
                }
            })?;
            progress.read(read);
            failed.map_or(Ok(()), Err)?;
        }
        gather.suspense(part, &ledger)?;
        Ok(desk.into_inner().piles.list)
    }
}

/// What one thread asks for each leg, looked up once.
struct Desk<'d, 'r> {
    reading: &'d Reading<'r>,
    piles: Piles<'d, 'r>,
    /// Numbers of groups by row of the directory.
    groups: Vec<Option<u32>>,
    /// Months by zone.
    months: Months,
}

impl Desk<'_, '_> {
    /// A row of the month whose record stands for itself: as [`Gather::row`], without copying it.
    fn plain(&mut self, stored: &StoredCall<'_>, grounds: &Grounds) -> Result<(), SealError> {
        let (Reading { trial, known, .. }, call) = (*self.reading, &stored.call);
        let (start, end) = self.reading.everywhere;
        if call.key.position >= self.reading.seal || call.answer < start || call.answer >= end {
            return Ok(());
        }
        let profile = known.judged(grounds.source, grounds.profile);
        let (slot, tariff) = known.in_force(call.answer);
        let record = stored.record(grounds);
        let resolve = |tariff: &Tariff, slot| {
            let world = World { directory: &known.directory, tariff, slot };
            rating::resolve(&record, call.answer, profile, world)
        };
        let Resolution::Legs(first, second) = resolve(tariff, slot) else { return Ok(()) };
        for leg in [first, second].into_iter().flatten() {
            let Some(account) = known.directory.account_row(leg.account_row) else { continue };
            if self.months.period(account.zone_index(), account.zone(), leg.answer) != trial.period {
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
            let alike = self.reading.alike.get(usize::from(slot.0)).is_some_and(|alike| *alike);
            let what =
                if alike { What::Rated(slot, leg) } else { what(slot, leg, resolve(trial.tariff, TariffSlot(0))) };
            let place = Place {
                group: self.group(account),
                answer: leg.answer.0,
                node: stored.node,
                id: stored.id,
                side: leg.direction,
                direction: grounds.direction,
                position: call.key.position,
                version: (0, true),
                own,
                closed: false,
            };
            self.piles.push(&place, what)?;
        }
        Ok(())
    }

    /// What went the way of the sealing job.
    fn strange(&mut self, candidate: Candidate) -> Result<(), SealError> {
        let Candidate { key, facts, leg: _, row, waits: _, closed, fixed } = candidate;
        let Reading { trial, known, .. } = *self.reading;
        let what = match fixed {
            Some(fixed) => What::Otherwise(Box::new(Otherwise::Stands(fixed))),
            None => {
                let (now, slot) = known.resolve_by_slot(&facts, row.as_ref().and_then(Row::named))?;
                // Without a leg under the tariffs in force it is no leg of this month.
                let Ok(leg) = side(now, key.leg) else { return Ok(()) };
                what(slot, leg, known.resolve_by(&facts, trial.tariff)?)
            }
        };
        let place = Place {
            group: key.group,
            answer: key.answer,
            node: &key.node,
            id: &key.id,
            side: key.leg,
            direction: key.direction,
            position: key.position,
            version: key.version,
            own: row.is_some(),
            closed,
        };
        self.piles.push(&place, what)
    }

    fn group(&mut self, account: AccountRow<'_>) -> u32 {
        let row = account.row() as usize;
        if let Some(Some(group)) = self.groups.get(row) {
            return *group;
        }
        if self.groups.len() <= row {
            self.groups.resize(row + 1, None);
        }
        *self.groups[row].insert(self.reading.groups.number(account.account().group()))
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

/// A leg, with what the tariff that is tried makes of its record.
fn what(slot: TariffSlot, now: Leg, tried: Resolution) -> What {
    let then = match side(tried, now.direction) {
        Ok(leg) if leg == now => return What::Rated(slot, now),
        Ok(leg) => Then::Other(leg),
        Err(none) => none,
    };
    What::Otherwise(Box::new(Otherwise::Rated(slot, now, then)))
}
