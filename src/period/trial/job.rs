//! Legs in canonical order, rated twice, and what that comes to.
//!
//! Sums are kept by numbers (rows of the directory, rows of a tariff) and named once at the end: a call allocates nothing.
//!
//! Does not know where legs come from, nor how sums are shown.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::legs::{Otherwise, Then, TriedLeg, What};
use super::{Billed, Both, Currency, Earned, Loss, Route, Trial, Tried};
use crate::call::{CallType, Costs, GroupKey, SuspenseReason, TariffSlot};
use crate::period::candidates::Fixed;
use crate::period::carry::Handed;
use crate::period::drawn::Counted;
use crate::period::known::Known;
use crate::rating::{self, Draws, Leg, Rated, Standing, World};
use crate::tariff::{PlanId, RowId, Tariff};

/// A destination before it has its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Destination {
    /// That of a row, of the tariff of a slot; none: of the one that is tried.
    Row(Option<TariffSlot>, u32),
    Type(CallType),
}

/// The way on which a call is sold and bought by the tariff that is tried.
type Way = (u16, Option<u16>, u32, Currency);

/// Sums by numbers.
struct ByNumber<K> {
    sums: Vec<(K, Both)>,
    places: HashMap<K, usize, FixedState>,
    last: usize,
}

impl<K: Copy + Eq + std::hash::Hash> ByNumber<K> {
    fn of(&mut self, key: K) -> &mut Both {
        // Legs come group by group: an account is mostly the one before.
        if self.sums.get(self.last).is_none_or(|(last, _)| *last != key) {
            let next = self.sums.len();
            self.last = *self.places.entry(key).or_insert(next);
            if self.last == next {
                self.sums.push((key, Both::default()));
            }
        }
        &mut self.sums[self.last].1
    }
}

impl<K> Default for ByNumber<K> {
    fn default() -> ByNumber<K> {
        ByNumber { sums: Vec::new(), places: HashMap::default(), last: 0 }
    }
}

/// What one thread rates.
pub(super) struct Job<'a> {
    trial: &'a Trial<'a>,
    known: &'a Known<'a>,
    /// What earlier months left; what this one hands on is not taken from it, as when it was sealed.
    handed: &'a Handed,
    /// Whose legs come.
    group: Option<u32>,
    /// Drawn by it so far, before and after.
    used: [Counted; 2],
    draws: Draws,
    accounts: ByNumber<(u32, Currency)>,
    destinations: ByNumber<(Destination, Currency)>,
    ways: HashMap<Way, Earned, FixedState>,
    /// What was told last of the decimals of costs.
    decimals: (Currency, u8),
    tried: Tried,
}

/// A leg that is rated, and what it costs us.
struct Priced {
    rated: Rated,
    costs: Option<Costs>,
    /// Of the row that gave the price.
    destination: Destination,
}

impl<'a> Job<'a> {
    pub fn new(trial: &'a Trial<'a>, known: &'a Known<'a>, handed: &'a Handed) -> Job<'a> {
        Job {
            trial,
            known,
            handed,
            group: None,
            used: Default::default(),
            draws: Draws::default(),
            accounts: ByNumber::default(),
            destinations: ByNumber::default(),
            ways: HashMap::default(),
            decimals: Default::default(),
            tried: Tried::default(),
        }
    }

    /// The next leg.
    pub fn leg(&mut self, leg: TriedLeg) {
        if leg.closed {
            return;
        }
        if self.group != Some(leg.group) {
            self.group = Some(leg.group);
            let handed = self.handed.get(GroupKey(leg.group), self.trial.period);
            self.used.iter_mut().for_each(|used| used.begin(handed));
        }
        match leg.what {
            What::Rated(slot, leg) => self.rate(slot, &leg, Ok(&leg)),
            What::Otherwise(otherwise) => match *otherwise {
                Otherwise::Stands(fixed) => self.stands(&fixed),
                Otherwise::Rated(slot, now, Then::Other(leg)) => self.rate(slot, &now, Ok(&leg)),
                // By other dialling rules it is nobody's leg on this side.
                Otherwise::Rated(slot, now, Then::None(why)) => {
                    self.rate(slot, &now, Err(why.unwrap_or(rating::Why::NobodyPays.reason())));
                }
            },
        }
    }

    fn stands(&mut self, fixed: &Fixed) {
        if fixed.draws {
            self.used.iter_mut().for_each(|used| used.stands(&fixed.call, &fixed.drew));
        }
        if !self.wanted(&fixed.account) {
            return;
        }
        self.tried.fixed += 1;
        let (call, tried) = (&fixed.call, &mut self.tried);
        let currency = call.basis.currency;
        let side =
            (Billed::of(call.cost), fixed.costs.map_or(Earned::default(), |costs| Earned::of(call.cost, &costs)));
        let both = Both::of(Some(side), Some(side));
        if call.adjusts.is_some() {
            *tried.late.entry((fixed.account.clone(), currency)).or_default() += i128::from(call.cost.0);
        }
        tried.more_decimals(currency, call.basis.decimals);
        tried.accounts.entry((fixed.account.clone(), currency)).or_default().merge(both);
        tried.destinations.entry((in_parentheses(call.call_type), currency)).or_default().merge(both);
        tried.total.entry(currency).or_default().merge(both);
    }

    fn rate(&mut self, slot: TariffSlot, now: &Leg, then: Result<&Leg, SuspenseReason>) {
        // Borrowed: threads that count the users of one image up and down for each leg wait for each other.
        let known = self.known;
        let Some(tariff) = known.tariff(slot) else { return };
        let before = self.priced(now, World { directory: &known.directory, tariff, slot }, 0);
        let tried = World { directory: &known.directory, tariff: self.trial.tariff, slot: TariffSlot(0) };
        let after = then.and_then(|leg| self.priced(leg, tried, 1));
        if self.trial.account.is_none() || self.wanted(known.directory.row(now.account_row).name()) {
            self.compare(tariff, now, before, after);
        }
    }

    fn wanted(&self, account: &str) -> bool {
        self.trial.account.is_none_or(|only| only == account)
    }

    fn priced(&mut self, leg: &Leg, world: World<'_>, side: usize) -> Result<Priced, SuspenseReason> {
        let (period, used) = (self.trial.period, &mut self.used[side]);
        let rated = rating::rate(leg, world, period, Standing::of(used), &mut self.draws).map_err(|why| why.reason)?;
        used.rated(&rated, &self.draws);
        let costs = rating::costs(leg, world, PlanId(rated.basis.plan), period);
        let slot = (side == 0).then_some(world.slot);
        let destination = rated.basis.row.map_or(Destination::Type(rated.call_type), |row| Destination::Row(slot, row));
        Ok(Priced { rated, costs, destination })
    }

    fn compare(
        &mut self,
        tariff: &Tariff,
        leg: &Leg,
        before: Result<Priced, SuspenseReason>,
        after: Result<Priced, SuspenseReason>,
    ) {
        // A call is listed under one name, and that is the one it has now.
        let Some(destination) = before.as_ref().or(after.as_ref()).ok().map(|priced| priced.destination) else {
            self.tried.waiting += 1;
            return;
        };
        let side = |priced: &Result<Priced, SuspenseReason>| {
            let Priced { rated, costs, .. } = priced.as_ref().ok()?;
            let earned = costs.map_or(Earned::default(), |costs| Earned::of(rated.cost, &costs));
            Some((rated.basis.currency, rated.basis.decimals, (Billed::of(rated.cost), earned)))
        };
        let mut bill = |currency, both| {
            self.accounts.of((leg.account_row, currency)).merge(both);
            self.destinations.of((destination, currency)).merge(both);
        };
        match (side(&before), side(&after)) {
            (Some((currency, _, now)), Some((other, _, then))) if currency == other => {
                bill(currency, Both::of(Some(now), Some(then)));
            }
            (now, then) => {
                for (side, is_now) in [(now, true), (then, false)] {
                    let Some((currency, _, side)) = side else { continue };
                    bill(currency, if is_now { Both::of(Some(side), None) } else { Both::of(None, Some(side)) });
                }
            }
        }
        for (currency, decimals, _) in [side(&before), side(&after)].into_iter().flatten() {
            if self.decimals != (currency, decimals) {
                self.decimals = (currency, decimals);
                self.tried.more_decimals(currency, decimals);
            }
        }
        if let Ok(Priced { rated, costs: Some(costs), .. }) = &after
            && let Some(row) = costs.row.filter(|_| rated.call_type.is_sold())
        {
            let way = (rated.basis.plan, costs.carrier, row, rated.basis.currency);
            self.ways.entry(way).or_default().merge(Earned::of(rated.cost, costs));
        }
        match (before, after) {
            (Ok(priced), Err(reason)) => {
                let called = || leg.destination().map_or_else(String::new, |number| number.to_string());
                let row = priced.rated.basis.row.map(|row| tariff.row(RowId(row)).prefix.to_string());
                let loss = Loss {
                    reason,
                    prefix: row.unwrap_or_else(called),
                    destination: self.named(destination),
                    currency: priced.rated.basis.currency,
                };
                self.tried.lost.entry(loss).or_default().merge(Billed::of(priced.rated.cost));
            }
            (Err(_), Ok(_)) => self.tried.gained += 1,
            _ => {}
        }
    }

    fn named(&self, destination: Destination) -> String {
        let (slot, row) = match destination {
            Destination::Type(call_type) => return in_parentheses(call_type),
            Destination::Row(slot, row) => (slot, row),
        };
        let tariff = slot.and_then(|slot| self.known.tariff(slot)).map_or(self.trial.tariff, |tariff| tariff);
        let row = tariff.row(RowId(row));
        if row.destination.is_empty() { row.prefix.to_string() } else { row.destination.to_owned() }
    }

    /// All of it, by names.
    pub fn done(mut self) -> Tried {
        let directory = &self.known.directory;
        let mut tried = std::mem::take(&mut self.tried);
        for ((row, currency), both) in &self.accounts.sums {
            let name = directory.row(*row).name().to_owned();
            tried.accounts.entry((name, *currency)).or_default().merge(*both);
            tried.total.entry(*currency).or_default().merge(*both);
        }
        for ((destination, currency), both) in &self.destinations.sums {
            tried.destinations.entry((self.named(*destination), *currency)).or_default().merge(*both);
        }
        let tariff = self.trial.tariff;
        for ((plan, carrier, row, currency), earned) in &self.ways {
            let (plan, row) = (tariff.plan(PlanId(*plan)), tariff.row(RowId(*row)));
            let least = plan.buying.as_ref().and_then(|buying| buying.minimum_margin);
            let route = Route {
                plan: plan.name.clone(),
                carrier: carrier.map_or_else(String::new, |at| tariff.carriers()[usize::from(at)].clone()),
                deck: row.deck.to_owned(),
                prefix: row.prefix.to_string(),
                destination: row.destination.to_owned(),
                currency: *currency,
                least: least.unwrap_or(self.trial.least_margin),
            };
            tried.routes.entry(route).or_default().merge(*earned);
        }
        tried
    }
}

fn in_parentheses(call_type: CallType) -> String {
    format!("({})", call_type.name())
}
