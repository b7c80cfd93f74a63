//! What threads found, added up; and what either side would bill beside calls (R26).
//!
//! Does not know how legs are rated.

use super::{Billed, Both, Currency, Known, SealError, Sum, Tariff, Trial, Tried};
use crate::call::TariffSlot;
use crate::money::minor_unit;
use crate::period::minimum::{accounts, short};
use crate::rating::{self, World};

/// What a minimum spend is called among destinations.
const DESTINATION: &str = "(minimum_spend)";

impl Billed {
    fn merge(&mut self, other: Billed) {
        self.calls += other.calls;
        self.cost = Sum(self.cost.0 + other.cost.0);
    }
}

impl Both {
    fn merge(&mut self, other: Both) {
        self.before.merge(other.before);
        self.after.merge(other.after);
    }
}

impl Tried {
    /// Adds what other groups come to.
    pub(super) fn merge(&mut self, other: Tried) {
        let Tried { position: _, accounts, destinations, total, lost, gained, waiting, fixed, decimals, late } = other;
        accounts.into_iter().for_each(|(key, both)| self.accounts.entry(key).or_default().merge(both));
        destinations.into_iter().for_each(|(key, both)| self.destinations.entry(key).or_default().merge(both));
        total.into_iter().for_each(|(key, both)| self.total.entry(key).or_default().merge(both));
        lost.into_iter().for_each(|(key, billed)| self.lost.entry(key).or_default().merge(billed));
        late.into_iter().for_each(|(key, cost)| *self.late.entry(key).or_default() += cost);
        for (currency, most) in decimals {
            let decimals = self.decimals.entry(currency).or_default();
            *decimals = most.max(*decimals);
        }
        self.gained += gained;
        self.waiting += waiting;
        self.fixed += fixed;
    }

    /// Adds what calls are short of minimum spends.
    pub(super) fn minimums(&mut self, trial: &Trial<'_>, known: &Known<'_>) -> Result<(), SealError> {
        let directory = known.directory.clone();
        accounts(&directory, known.tariffs().chain([trial.tariff]), trial.period, |account, last| {
            if trial.account.is_some_and(|only| only != account.name()) {
                return Ok(());
            }
            let mut sides: Vec<(bool, Currency, i128)> = Vec::new();
            let now: &Tariff = known.in_force(last).1;
            for (after, tariff) in [(false, now), (true, trial.tariff)] {
                let world = World { directory: &directory, tariff, slot: TariffSlot(0) };
                for (currency, minimum) in rating::minimum_spend(world, &account, trial.period) {
                    let place = (account.name().to_owned(), currency);
                    let calls = self.accounts.get(&place).copied().unwrap_or_default();
                    let cost = if after { calls.after.cost.0 } else { calls.before.cost.0 };
                    let late = self.late.get(&place).copied().unwrap_or_default();
                    sides.push((after, currency, short(minimum, cost - late)));
                }
            }
            for (after, currency, short) in sides.into_iter().filter(|(.., short)| *short > 0) {
                self.bill_beside(after, account.name(), currency, short);
            }
            Ok(())
        })
    }

    fn bill_beside(&mut self, after: bool, account: &str, currency: Currency, cost: i128) {
        let least = minor_unit(currency) as u8;
        let decimals = self.decimals.entry(currency).or_insert(least);
        *decimals = least.max(*decimals);
        for both in [
            self.accounts.entry((account.to_owned(), currency)).or_default(),
            self.destinations.entry((DESTINATION.to_owned(), currency)).or_default(),
            self.total.entry(currency).or_default(),
        ] {
            let side = if after { &mut both.after } else { &mut both.before };
            side.cost = Sum(side.cost.0 + cost);
        }
    }
}
