//! A month under another tariff: what the sealing job would bill now, beside what it would bill if every call were priced by
//! that tariff. Nothing is written but what does not fit into memory, and that aside.
//!
//! Both sides are rated from front to back in canonical order, each with its own allowances, so that they differ by the
//! tariff alone and never by the order in which calls came. Adjustments and rows of an earlier version stand as they are.
//! What either side is short of a plan's minimum spend is in the sums, and a destination of its own; what the month bills of
//! minimums of earlier months is the same on both sides and left out.
//!
//! Several threads read, each a part of the rows (`read`), and put legs on piles, sorted and put aside where they are many
//! (`legs`); then they rate, share after share of the billing groups (`job`). Memory: [`HELD`] legs, contradictions, the
//! accounts with calls in the month, and what destinations they called.
//!
//! Does not know where the tariff comes from, nor how the outcome is shown.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::carry::Handed;
use super::known::Known;
use super::progress::{Progress, SealError};
use super::{Ledger, everywhere};
use crate::batch::Position;
use crate::call::{Costs, SuspenseReason};
use crate::flush::Spill;
use crate::images::Images;
use crate::money::{Money, Sum};
use crate::os::disk::Disk;
use crate::store::{Margin, Store};
use crate::tariff::Tariff;
use crate::time::Period;
use job::Job;
use legs::Pile;
use read::{Groups, Reading};

mod job;
mod legs;
mod minimum;
mod read;
mod report;

pub use report::{TrialDone, TrialEarned, TrialLost, TrialRoute, TrialRow, TrialTotal};

/// Legs held at once, of some 200 bytes each.
pub const HELD: usize = 1_000_000;
/// For each thread so many shares of the groups are rated, as one is done with the one before: groups differ, and so would the
/// time that threads take for as many.
const SHARES: usize = 8;
/// Rows and legs of which it is told at a time how far a thread is.
const TOLD: u64 = 1024;

/// Calls and what they cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Billed {
    /// Legs.
    pub calls: u64,
    /// Their cost, each rounded as it is billed.
    pub cost: Sum,
}

impl Billed {
    fn of(cost: Money) -> Billed {
        Billed { calls: 1, cost: Sum(i128::from(cost.0)) }
    }

    fn merge(&mut self, other: Billed) {
        self.calls += other.calls;
        self.cost = Sum(self.cost.0 + other.cost.0);
    }
}

/// What is left of calls whose plan says how they are bought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Earned {
    /// Legs.
    pub calls: u64,
    /// Of these, legs of which it is not known what they cost.
    pub unknown: u64,
    /// What customers pay for the others.
    pub revenue: Sum,
    /// What we pay for those.
    pub cost: Sum,
}

impl Earned {
    fn of(price: Money, costs: &Costs) -> Earned {
        let Some(cost) = costs.carrier_cost else { return Earned { calls: 1, unknown: 1, ..Earned::default() } };
        let sum = |money: Money| Sum(i128::from(money.0));
        Earned { calls: 1, unknown: 0, revenue: sum(price), cost: sum(cost) }
    }

    fn merge(&mut self, other: Earned) {
        self.calls += other.calls;
        self.unknown += other.unknown;
        self.revenue = Sum(self.revenue.0 + other.revenue.0);
        self.cost = Sum(self.cost.0 + other.cost.0);
    }

    /// What is left, by the rules of all margins; what it does not say of calls is 0.
    pub fn margin(&self) -> Margin {
        let (calls, unknown) = (self.calls.cast_signed(), self.unknown.cast_signed());
        let (revenue, cost) = (self.revenue.0, self.cost.0);
        Margin { calls, unknown, revenue, revenue_known: revenue, cost, ..Margin::default() }
    }
}

/// How calls are sold and bought by the tariff that is tried.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Route {
    /// Of the account.
    pub plan: String,
    /// Where the plan has decks of its own for it; else empty.
    pub carrier: String,
    /// Which deck says what it costs.
    pub deck: String,
    /// By which prefix there.
    pub prefix: String,
    /// Its destination there.
    pub destination: String,
    /// ISO 4217.
    pub currency: Currency,
    /// What it has to leave at least, in per cent.
    pub least: Money,
}

/// By the tariffs that were in force, and by the one that is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Both {
    /// As sealing would bill it.
    pub before: Billed,
    /// By the tariff that is tried.
    pub after: Billed,
    /// What is left of it as sealing would bill it.
    pub earned_before: Earned,
    /// What would be left.
    pub earned_after: Earned,
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
    /// What would be left of calls that are sold, by the way on which they are bought.
    pub routes: BTreeMap<Route, Earned>,
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

impl Both {
    fn of(before: Option<(Billed, Earned)>, after: Option<(Billed, Earned)>) -> Both {
        let ((before, earned_before), (after, earned_after)) = (before.unwrap_or_default(), after.unwrap_or_default());
        Both { before, after, earned_before, earned_after }
    }

    fn merge(&mut self, other: Both) {
        self.before.merge(other.before);
        self.after.merge(other.after);
        self.earned_before.merge(other.earned_before);
        self.earned_after.merge(other.earned_after);
    }

    /// Whether any of it has a cost that is known or asked for.
    pub fn is_bought(&self) -> bool {
        self.earned_before.calls + self.earned_after.calls > 0
    }
}

impl Tried {
    /// Ways on which calls would be sold for less than they have to bring.
    pub fn below(&self) -> impl Iterator<Item = (&Route, &Earned)> {
        self.routes.iter().filter(|(route, earned)| earned.margin().is_below(route.least.0))
    }

    fn more_decimals(&mut self, currency: Currency, decimals: u8) {
        let most = self.decimals.entry(currency).or_default();
        *most = decimals.max(*most);
    }

    /// Adds what other groups come to.
    fn merge(&mut self, other: Tried) {
        let Tried { position: _, accounts, destinations, total, routes, lost, gained, waiting, fixed, decimals, late } =
            other;
        accounts.into_iter().for_each(|(key, both)| self.accounts.entry(key).or_default().merge(both));
        destinations.into_iter().for_each(|(key, both)| self.destinations.entry(key).or_default().merge(both));
        total.into_iter().for_each(|(key, both)| self.total.entry(key).or_default().merge(both));
        routes.into_iter().for_each(|(key, earned)| self.routes.entry(key).or_default().merge(earned));
        lost.into_iter().for_each(|(key, billed)| self.lost.entry(key).or_default().merge(billed));
        decimals.into_iter().for_each(|(currency, decimals)| self.more_decimals(currency, decimals));
        late.into_iter().for_each(|(key, cost)| *self.late.entry(key).or_default() += cost);
        self.gained += gained;
        self.waiting += waiting;
        self.fixed += fixed;
    }
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
    /// What a route has to leave at least where its plan does not say, in per cent.
    pub least_margin: Money,
    /// Threads that read and rate. The outcome is the same for any number of them: groups draw apart from each other.
    pub threads: usize,
}

impl Trial<'_> {
    /// Rates the month twice. What does not fit into memory is put aside in a folder, which is emptied first.
    ///
    /// # Errors
    /// Something that it reads is not there, or nothing can be put aside.
    pub fn run(&self, disk: Arc<dyn Disk>, aside: &Path, progress: &Progress) -> Result<Tried, SealError> {
        self.run_holding(&mut Spill::open(disk, aside)?, HELD, progress)
    }

    /// The same, holding so many legs in memory.
    ///
    /// # Errors
    /// Something that it reads is not there.
    pub fn run_holding(&self, spill: &mut Spill, held: usize, progress: &Progress) -> Result<Tried, SealError> {
        let state = self.store.load()?;
        // Of a closed month what was known when it closed; of an open one all there is.
        let closed = Ledger::before(&state.periods, state.position).get(self.period);
        let seal = closed.map_or(state.position, |closed| closed.seal);
        // Shared: what it has is borrowed, and an image's users are not counted up and down for each leg.
        let known = &Known::at(self.store, self.images, &state, seal)?;
        let handed = Handed::of(&state, known.tariffs().chain([self.tariff]), (self.period, self.period), false);
        let (groups, shelf, threads) = (&Groups::of(&state), &Mutex::new(spill), self.threads.max(1));
        let (held, everywhere) = ((held / threads).max(1), everywhere(self.period));
        let alike = &known.tariffs().map(|tariff| tariff.reads_numbers_like(self.tariff)).collect::<Vec<_>>();
        let reading =
            Reading { trial: self, known, alike, everywhere, state: &state, seal, groups, shelf, held, progress };
        let shares = threads * SHARES;
        let found = in_parts(threads, |part| reading.part((part, threads), shares))?;
        // The first piles of all that read are one share, and so on.
        let mut piles: Vec<Vec<Pile>> = (0..shares).map(|_| Vec::new()).collect();
        for mut part in found {
            piles.iter_mut().zip(part.drain(..)).for_each(|(piles, pile)| piles.push(pile));
        }
        let piles = &Mutex::new(piles);
        let share = || piles.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let rated = in_parts(threads, |_| {
            let mut job = Job::new(self, known, &handed);
            let mut rated = 0;
            while let Some(piles) = share() {
                legs::each(piles, shelf, |leg| {
                    job.leg(leg);
                    rated += 1;
                    if rated == TOLD {
                        progress.rated(std::mem::take(&mut rated));
                    }
                    Ok(())
                })?;
            }
            progress.rated(rated);
            Ok(job.done())
        })?;
        let mut tried = Tried { position: state.position, ..Tried::default() };
        rated.into_iter().for_each(|part| tried.merge(part));
        tried.minimums(self, known)?;
        Ok(tried)
    }
}

/// The same work on each part, by a thread of its own.
fn in_parts<T: Send>(parts: usize, work: impl Fn(usize) -> Result<T, SealError> + Sync) -> Result<Vec<T>, SealError> {
    std::thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = (1..parts).map(|part| scope.spawn(move || work(part))).collect();
        let mut all = vec![work(0)];
        all.extend(others.into_iter().map(|thread| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }));
        all.into_iter().collect()
    })
}
