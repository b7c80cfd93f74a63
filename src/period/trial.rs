//! A month under another tariff: what the sealing job would bill now, beside what it would bill if every call were priced by
//! that tariff. Nothing is written but what does not fit into memory, and that aside.
//!
//! Both sides are rated from front to back in canonical order, each with its own allowances, so that they differ by the
//! tariff alone and never by the order in which calls came. Adjustments and rows of an earlier version stand as they are. What
//! either side is short of a plan's minimum spend is in the sums, and a destination of its own; what the month bills of minimums
//! of earlier months is the same on both sides and left out.
//!
//! Calls are gathered and sorted by one thread and rated by several, a billing group by one of them. Memory: `IN_MEMORY` candidates and a few batches, the accounts with calls in the month, and what destinations they called.
//!
//! Does not know where the tariff comes from, nor how the outcome is shown.

use std::collections::{BTreeMap, HashMap};

use crossbeam::channel::{Receiver, Sender, bounded};

use super::Ledger;
use super::candidates::{Candidate, Row};
use super::carry::Handed;
use super::draft::{Progress, SealError};
use super::drawn::Counted;
use super::gather::{Gather, Gathered};
use super::known::Known;
use super::sort::{IN_MEMORY, Sorter};
use crate::batch::Position;
use crate::call::{CallType, GroupKey, SuspenseReason, TariffSlot};
use crate::flush::Spill;
use crate::images::Images;
use crate::money::{Money, Sum};
use crate::rating::{self, Draws, Leg, Rated, Resolution, Standing, Suspended, World};
use crate::record::Direction;
use crate::store::Store;
use crate::tariff::{RowId, Tariff};
use crate::time::Period;

mod sums;

/// Legs handed to a thread at a time.
const BATCH: usize = 512;
/// Batches that wait for a thread.
const QUEUED: usize = 4;

/// Calls and what they cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Billed {
    /// Legs.
    pub calls: u64,
    /// Their cost, each rounded as it is billed.
    pub cost: Sum,
}

impl Billed {
    fn add(&mut self, cost: Money) {
        self.calls += 1;
        self.cost.add(cost);
    }
}

/// By the tariffs that were in force, and by the one that is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Both {
    /// As sealing would bill it.
    pub before: Billed,
    /// By the tariff that is tried.
    pub after: Billed,
}

/// ISO 4217.
pub type Currency = [u8; 3];

/// Calls that would no longer be rated.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Loss {
    /// Why not.
    pub reason: SuspenseReason,
    /// Prefix of the row that prices them now; where none does, the called number.
    pub prefix: String,
    /// Their destination.
    pub destination: String,
    /// In which currency they are billed now.
    pub currency: Currency,
}

/// What a tariff would do to a month.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tried {
    /// Everything before it in the journal is in these figures.
    pub position: Position,
    /// By account and currency.
    pub accounts: BTreeMap<(String, Currency), Both>,
    /// By destination and currency; what no row prices is called by its call type, in parentheses.
    pub destinations: BTreeMap<(String, Currency), Both>,
    /// Of all of them.
    pub total: BTreeMap<Currency, Both>,
    /// What would no longer be rated, with what it costs now.
    pub lost: BTreeMap<Loss, Billed>,
    /// Legs that wait now and would be rated.
    pub gained: u64,
    /// Legs that are rated by neither.
    pub waiting: u64,
    /// Legs that stand as they are, in both figures: adjustments, and rows of an earlier version.
    pub fixed: u64,
    /// Most decimals of a cost, by currency.
    pub decimals: BTreeMap<Currency, u8>,
    /// What of an account's calls counts towards the minimum spend of an earlier month.
    late: BTreeMap<(String, Currency), i128>,
}

/// What is tried on what.
pub struct Trial<'a> {
    /// Where the calls are; only read.
    pub store: &'a dyn Store,
    /// The images that it names.
    pub images: &'a Images,
    /// Which month.
    pub period: Period,
    /// What prices every call.
    pub tariff: &'a Tariff,
    /// Only what this account pays.
    pub account: Option<&'a str>,
    /// Threads that rate. The outcome is the same for any number of them: groups draw apart from each other.
    pub threads: usize,
}

impl Trial<'_> {
    /// Rates the month twice. `spill` takes what does not fit into memory.
    ///
    /// # Errors
    /// Something that it reads is not there.
    pub fn run(&self, spill: &mut Spill, progress: &Progress) -> Result<Tried, SealError> {
        self.run_holding(spill, IN_MEMORY, progress)
    }

    /// The same, holding so many candidates in memory.
    ///
    /// # Errors
    /// Something that it reads is not there.
    pub fn run_holding(&self, spill: &mut Spill, held: usize, progress: &Progress) -> Result<Tried, SealError> {
        let state = self.store.load()?;
        // Of a closed month what was known when it closed; of an open one all there is.
        let closed = Ledger::before(&state.periods, state.position).get(self.period);
        let seal = closed.map_or(state.position, |closed| closed.seal);
        let mut known = Known::at(self.store, self.images, &state, seal)?;
        let handed = Handed::of(&state, known.tariffs().chain([self.tariff]), (self.period, self.period), false);
        let mut gathered = Gathered::default();
        let mut sorter = Sorter::new(spill, held);
        Gather::new(&mut known, &state, (self.period, seal), &mut sorter, &mut gathered, progress).all()?;
        let groups: HashMap<&str, GroupKey> = state.groups.iter().map(|g| (g.name.as_str(), g.key)).collect();
        let rate = |batches: Receiver<Vec<Candidate>>| -> Result<Tried, SealError> {
            let mut job = Job {
                trial: self,
                known: Known::at(self.store, self.images, &state, seal)?,
                groups: &groups,
                handed: &handed,
                group: String::new(),
                used: Default::default(),
                draws: Draws::default(),
                tried: Tried::default(),
            };
            for batch in batches {
                batch.iter().try_for_each(|candidate| job.rate(candidate))?;
                progress.rated(batch.len() as u64);
            }
            Ok(job.tried)
        };
        std::thread::scope(|scope| {
            let rate = &rate;
            let (doors, threads): (Vec<_>, Vec<_>) = (0..self.threads.max(1))
                .map(|_| {
                    let (door, batches) = bounded(QUEUED);
                    (door, scope.spawn(move || rate(batches)))
                })
                .unzip();
            let handed = hand_out(sorter, doors);
            let mut tried = Tried { position: state.position, ..Tried::default() };
            for thread in threads {
                match thread.join() {
                    Ok(part) => tried.merge(part?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            handed?;
            tried.minimums(self, &known)?;
            Ok(tried)
        })
    }
}

/// Legs in canonical order, each once, to the threads in turn; those of a group to one.
fn hand_out(sorter: Sorter<'_>, doors: Vec<Sender<Vec<Candidate>>>) -> Result<(), SealError> {
    let (mut batch, mut turn): (Vec<Candidate>, usize) = (Vec::with_capacity(BATCH), 0);
    let send = |turn: usize, batch: &mut Vec<Candidate>| {
        let whole = std::mem::replace(batch, Vec::with_capacity(BATCH));
        // A thread that is gone failed, and says why itself.
        doors[turn].send(whole).map_err(|_| SealError::Unreadable("a thread that rated calls ended".to_owned()))
    };
    sorter.each(|candidate| {
        let Some(last) = batch.last_mut() else {
            batch.push(candidate);
            return Ok(());
        };
        if last.key == candidate.key {
            last.merge(candidate);
            return Ok(());
        }
        let other = last.key.group != candidate.key.group;
        if batch.len() >= BATCH {
            send(turn, &mut batch)?;
            if other {
                turn = (turn + 1) % doors.len();
            }
        }
        batch.push(candidate);
        Ok(())
    })?;
    send(turn, &mut batch)
}

struct Job<'a> {
    trial: &'a Trial<'a>,
    known: Known<'a>,
    groups: &'a HashMap<&'a str, GroupKey>,
    /// What earlier months left; what this one hands on is not taken from it, as when it was sealed.
    handed: &'a Handed,
    /// Whose legs come.
    group: String,
    /// Drawn by it so far, before and after.
    used: [Counted; 2],
    draws: Draws,
    tried: Tried,
}

/// A leg that is rated, and where its price comes from.
struct Priced {
    rated: Rated,
    prefix: String,
    destination: String,
}

impl Job<'_> {
    fn rate(&mut self, candidate: &Candidate) -> Result<(), SealError> {
        if candidate.closed {
            return Ok(());
        }
        if self.group != candidate.key.group {
            self.group.clone_from(&candidate.key.group);
            let key = self.groups.get(self.group.as_str());
            let handed = key.map_or(&[][..], |key| self.handed.get(*key, self.trial.period));
            self.used.iter_mut().for_each(|used| used.begin(handed));
        }
        if let Some(fixed) = &candidate.fixed {
            if fixed.draws {
                self.used.iter_mut().for_each(|used| used.stands(&fixed.call, &fixed.drew));
            }
            if self.wanted(&fixed.account) {
                self.tried.fixed += 1;
                let basis = fixed.call.basis;
                if fixed.call.adjusts.is_some() {
                    let late = self.tried.late.entry((fixed.account.clone(), basis.currency)).or_default();
                    *late += i128::from(fixed.call.cost.0);
                }
                let destination = in_parentheses(fixed.call.call_type);
                for after in [false, true] {
                    self.bill(after, &fixed.account, &destination, (basis.currency, basis.decimals), fixed.call.cost);
                }
            }
            return Ok(());
        }
        let (tariff, period, side) = (self.trial.tariff, self.trial.period, candidate.key.leg);
        let named = candidate.row.as_ref().and_then(Row::named);
        let (now, slot) = self.known.resolve_by_slot(&candidate.facts, named)?;
        let then = self.known.resolve_by(&candidate.facts, tariff)?;
        let directory = self.known.directory.clone();
        // Without a leg under the tariffs in force it is no leg of this month.
        let Some(leg) = leg_of(now, side) else { return Ok(()) };
        let account = directory.row(leg.account_row).name();
        let before = {
            let (_, tariff) = self.known.in_force_or(leg.answer, named);
            let world = World { directory: &directory, tariff, slot };
            Self::priced(&leg, world, period, &mut self.used[0], &mut self.draws)
        };
        let after = match (leg_of(then, side), then) {
            (Some(leg), _) => {
                let world = World { directory: &directory, tariff, slot: TariffSlot(0) };
                Self::priced(&leg, world, period, &mut self.used[1], &mut self.draws)
            }
            (None, Resolution::Suspended(why)) => Err(why),
            // By other dialling rules it is nobody's leg on this side.
            (None, Resolution::Legs(..)) => Err(rating::Why::NobodyPays.into()),
        };
        if self.wanted(account) {
            self.compare(account, &leg, before, after);
        }
        Ok(())
    }

    fn wanted(&self, account: &str) -> bool {
        self.trial.account.is_none_or(|only| only == account)
    }

    fn priced(
        leg: &Leg,
        world: World<'_>,
        period: Period,
        used: &mut Counted,
        draws: &mut Draws,
    ) -> Result<Priced, Suspended> {
        let rated = rating::rate(leg, world, period, Standing::of(used), draws)?;
        used.rated(&rated, draws);
        let row = rated.basis.row.map(|row| world.tariff.row(RowId(row)));
        let prefix = row.map_or_else(String::new, |row| row.prefix.to_string());
        let destination = match row {
            Some(row) if !row.destination.is_empty() => row.destination.to_owned(),
            Some(row) => row.prefix.to_string(),
            None => in_parentheses(rated.call_type),
        };
        Ok(Priced { rated, prefix, destination })
    }

    fn compare(
        &mut self,
        account: &str,
        leg: &Leg,
        before: Result<Priced, Suspended>,
        after: Result<Priced, Suspended>,
    ) {
        // A call is listed under one name, and that is the one it has now.
        let named = before.as_ref().or(after.as_ref()).map(|priced| priced.destination.clone());
        let Ok(destination) = named else {
            self.tried.waiting += 1;
            return;
        };
        for (is_after, priced) in [(false, &before), (true, &after)] {
            if let Ok(Priced { rated, .. }) = priced {
                let money = (rated.basis.currency, rated.basis.decimals);
                self.bill(is_after, account, &destination, money, rated.cost);
            }
        }
        match (before, after) {
            (Ok(priced), Err(why)) => {
                let called = || leg.destination().map_or_else(String::new, |number| number.to_string());
                let loss = Loss {
                    reason: why.reason,
                    prefix: if priced.prefix.is_empty() { called() } else { priced.prefix },
                    destination,
                    currency: priced.rated.basis.currency,
                };
                self.tried.lost.entry(loss).or_default().add(priced.rated.cost);
            }
            (Err(_), Ok(_)) => self.tried.gained += 1,
            _ => {}
        }
    }

    fn bill(&mut self, after: bool, account: &str, destination: &str, money: (Currency, u8), cost: Money) {
        let (currency, decimals) = money;
        let tried = &mut self.tried;
        let most = tried.decimals.entry(currency).or_default();
        *most = decimals.max(*most);
        for both in [
            tried.accounts.entry((account.to_owned(), currency)).or_default(),
            tried.destinations.entry((destination.to_owned(), currency)).or_default(),
            tried.total.entry(currency).or_default(),
        ] {
            let side = if after { &mut both.after } else { &mut both.before };
            side.add(cost);
        }
    }
}

fn leg_of(resolution: Resolution, side: Direction) -> Option<Leg> {
    match resolution {
        Resolution::Legs(first, second) => [first, second].into_iter().flatten().find(|leg| leg.direction == side),
        Resolution::Suspended(_) => None,
    }
}

fn in_parentheses(call_type: CallType) -> String {
    format!("({})", call_type.name())
}
