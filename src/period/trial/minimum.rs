//! What either side would bill beside calls (R26).
//!
//! Does not know how legs are rated.

use std::collections::BTreeMap;

use super::{Currency, Known, Money, SealError, Sum, Tariff, Trial, Tried};
use crate::call::TariffSlot;
use crate::money::minor_unit;
use crate::period::minimum::{accounts, short};
use crate::rating::{self, World};

/// What a minimum spend is called among destinations.
const DESTINATION: &str = "(minimum_spend)";

impl Tried {
    /// Adds what calls are short of minimum spends.
    pub(super) fn minimums(&mut self, trial: &Trial<'_>, known: &Known<'_>) -> Result<(), SealError> {
        let directory = &known.directory;
        // By side and currency.
        let mut billed: BTreeMap<(bool, Currency), i128> = BTreeMap::new();
        let mut place = (String::new(), Currency::default());
        let mut sides: Vec<(bool, Currency, Money)> = Vec::new();
        accounts(directory, known.tariffs().chain([trial.tariff]), trial.period, |account, last| {
            if trial.account.is_some_and(|only| only != account.name()) {
                return Ok(());
            }
            let now: &Tariff = known.in_force(last).1;
            sides.clear();
            for (after, tariff) in [(false, now), (true, trial.tariff)] {
                let world = World { directory, tariff, slot: TariffSlot(0) };
                let minimums = rating::minimum_spend(world, &account, trial.period);
                sides.extend(minimums.into_iter().map(|(currency, minimum)| (after, currency, minimum)));
            }
            place.0.clear();
            place.0.push_str(account.name());
            // Both sides mostly ask in one currency, by which they come together here.
            sides.sort_unstable_by_key(|(after, currency, _)| (*currency, *after));
            for sides in sides.chunk_by(|(_, a, _), (_, b, _)| a == b) {
                place.1 = sides[0].1;
                let late = self.late.get(&place).copied().unwrap_or_default();
                let mut both = self.accounts.get(&place).copied().unwrap_or_default();
                let mut any = false;
                for (after, currency, minimum) in sides {
                    let side = if *after { &mut both.after } else { &mut both.before };
                    let short = short(*minimum, side.cost.0 - late);
                    side.cost = Sum(side.cost.0 + short);
                    if short > 0 {
                        *billed.entry((*after, *currency)).or_default() += short;
                        any = true;
                    }
                }
                if any {
                    match self.accounts.get_mut(&place) {
                        Some(there) => *there = both,
                        None => drop(self.accounts.insert(place.clone(), both)),
                    }
                }
            }
            Ok(())
        })?;
        for ((after, currency), cost) in billed {
            self.more_decimals(currency, minor_unit(currency) as u8);
            let destination = (DESTINATION.to_owned(), currency);
            for both in [self.destinations.entry(destination).or_default(), self.total.entry(currency).or_default()] {
                let side = if after { &mut both.after } else { &mut both.before };
                side.cost = Sum(side.cost.0 + cost);
            }
        }
        Ok(())
    }
}
