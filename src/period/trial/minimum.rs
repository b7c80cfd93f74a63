//! What either side would bill beside calls (R26).
//!
//! Does not know how legs are rated.

use super::{Currency, Known, SealError, Sum, Tariff, Trial, Tried};
use crate::call::TariffSlot;
use crate::money::minor_unit;
use crate::period::minimum::{accounts, short};
use crate::rating::{self, World};

/// What a minimum spend is called among destinations.
const DESTINATION: &str = "(minimum_spend)";

impl Tried {
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
        self.more_decimals(currency, minor_unit(currency) as u8);
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
