//! Judges what decks leave out of the numbering plan: countries, mobile numbers, and premium numbers that a row for
//! ordinary ones would price.
//!
//! Does not know single rows' faults.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, NAMED, Prefixes, Remarks, World, is_ordinary, median, rate};
use crate::money::Money;
use crate::number::prefix::lexicographic;
use crate::number::{Country, Number, NumberKind};
use crate::tariff::deck::{Deck, DeckRow};

/// Decks of so many countries are meant for the whole world.
const WORLD_COUNTRIES: usize = 30;

/// All rows of several decks in the order of prefixes.
struct Rows<'a>(Vec<(Number, &'a Deck, &'a DeckRow)>);

impl<'a> Rows<'a> {
    /// The longest row for numbers that begin so; of several of one prefix one that prices them.
    fn over(&self, prefix: Number) -> Option<(Number, &'a Deck, &'a DeckRow)> {
        (1..=prefix.len()).rev().find_map(|n| {
            let front = lexicographic(prefix.prefix(n));
            let from = self.0.partition_point(|(p, ..)| lexicographic(*p) < front);
            let same = self.0.iter().skip(from).take_while(|(p, ..)| lexicographic(*p) == front);
            same.min_by_key(|(_, deck, row)| blocked(deck, row)).copied()
        })
    }

    /// The first row for some of the numbers that begin so.
    fn within(&self, prefix: Number) -> Option<Number> {
        let from = self.0.partition_point(|(p, ..)| lexicographic(*p) < lexicographic(prefix));
        self.0.get(from).map(|(p, ..)| *p).filter(|p| p.starts_with(prefix))
    }
}

/// Whether calls there wait, whatever the row's price.
fn blocked(deck: &Deck, row: &DeckRow) -> bool {
    deck.terms.get(row.terms as usize).is_some_and(|terms| terms.blocked)
}

/// What was found for a country.
#[derive(Default)]
struct Found {
    covered: bool,
    ordinary: bool,
    mobile: Vec<Number>,
    premium: Vec<Number>,
    /// Prices of rows for mobile numbers alone.
    mobile_prices: Vec<i64>,
    /// Mobile prefixes that a row for the landline prices, and that row's prefix.
    on_landline: Vec<(Number, Number)>,
}

/// The landline is so many times cheaper than mobile numbers, and by more than half a hundredth: nobody sells them at one price.
const CHEAPER: i64 = 2;
const SMALL: i64 = 5_000_000;

/// Mobile numbers that fall to the country's landline, where others have rows of their own and cost far more.
fn mobile_inherits(
    country: &Country,
    found: &Found,
    rows: &Rows<'_>,
    remarks: &mut Remarks,
    named: &dyn Fn(&[Number]) -> String,
) {
    let mut prices = found.mobile_prices.clone();
    prices.sort_unstable();
    let usual = median(&prices);
    let cheap = |(_, by): &(Number, Number)| {
        let price = rows.over(*by).and_then(|(_, deck, row)| rate(deck, row)).map_or(i64::MAX, |price| price.0);
        price.saturating_mul(CHEAPER) <= usual && usual - price > SMALL
    };
    let fallen: Vec<(Number, Number)> = found.on_landline.iter().copied().filter(cheap).collect();
    let Some((_, by)) = fallen.first() else { return };
    let price = rows.over(*by).and_then(|(_, deck, row)| rate(deck, row)).unwrap_or(Money::ZERO);
    let distinct: Vec<Number> = fallen.iter().map(|(prefix, _)| *prefix).collect::<BTreeSet<_>>().into_iter().collect();
    let message = format!(
        "{country}: mobile numbers priced as the landline by {by} at {price}, where others cost {}: {}",
        Money(usual),
        named(&distinct)
    );
    remarks.push(Kind::MobileInherits, None, message, "add rows for them");
}

pub(super) fn judge(decks: &[&Deck], world: &World<'_>, elsewhere: &[Country], remarks: &mut Remarks) {
    let mut rows: Vec<_> = decks.iter().flat_map(|d| d.rows.iter().map(move |row| (row.prefix, *d, row))).collect();
    rows.sort_by_key(|(prefix, ..)| lexicographic(*prefix));
    let prefixes = Prefixes::new(rows.iter().map(|(prefix, ..)| *prefix));
    let rows = Rows(rows);
    let mut countries: BTreeMap<Country, Found> = BTreeMap::new();
    // Whether a row prices ordinary numbers, by its prefix; and whether it prices the landline.
    let mut prices_ordinary: BTreeMap<Number, bool> = BTreeMap::new();
    let mut prices_landline: BTreeMap<Number, bool> = BTreeMap::new();
    for row in world.plan.iter().filter(|row| !elsewhere.contains(&row.country)) {
        let found = countries.entry(row.country).or_default();
        let over = rows.over(row.prefix);
        let by = over.map(|(prefix, ..)| prefix).or_else(|| rows.within(row.prefix));
        let covered = by.is_some();
        found.covered |= covered;
        // A row for a premium prefix in the middle of ordinary ones prices no ordinary number.
        if !found.ordinary && is_ordinary(row.kind) {
            found.ordinary = by.is_some_and(|prefix| match world.above(prefix) {
                [] => true,
                same => same.iter().any(|r| is_ordinary(r.kind)),
            });
        }
        match row.kind {
            NumberKind::Mobile | NumberKind::FixedOrMobile if !covered => found.mobile.push(row.prefix),
            NumberKind::Mobile => {
                let Some((prefix, deck, by)) = over.filter(|(_, deck, by)| !blocked(deck, by)) else { continue };
                let landline = *prices_landline
                    .entry(prefix)
                    .or_insert_with(|| prefixes.priced(world, prefix).any(|r| r.kind == NumberKind::Fixed));
                if !landline {
                    found.mobile_prices.extend(rate(deck, by).map(|price| price.0));
                } else if rows.within(row.prefix).is_none() {
                    found.on_landline.push((row.prefix, prefix));
                }
            }
            NumberKind::Premium if rows.within(row.prefix).is_none() => {
                let Some((prefix, deck, by)) = over else { continue };
                if blocked(deck, by) {
                    continue;
                }
                let ordinary = *prices_ordinary
                    .entry(prefix)
                    .or_insert_with(|| prefixes.priced(world, prefix).any(|r| is_ordinary(r.kind)));
                if prefix.len() < row.prefix.len() && ordinary && !world.is_shared(row) {
                    found.premium.push(row.prefix);
                }
            }
            _ => {}
        }
    }
    let named = |prefixes: &[Number]| {
        let first: Vec<String> = prefixes.iter().take(NAMED).map(Number::to_string).collect();
        let more = prefixes.len().saturating_sub(NAMED);
        if more > 0 { format!("{} and {more} more", first.join(", ")) } else { first.join(", ") }
    };
    let none: Vec<String> = countries.iter().filter(|(_, f)| !f.covered).map(|(c, _)| c.to_string()).collect();
    if countries.len() - none.len() >= WORLD_COUNTRIES && !none.is_empty() {
        let message = format!("no row for {} countries and networks: {}", none.len(), none.join(", "));
        remarks.push(Kind::NoCountry, None, message, "calls there will wait in suspense as no_rate");
    }
    for (country, found) in &countries {
        mobile_inherits(country, found, &rows, remarks, &named);
        // A deck of special services alone leaves ordinary numbers to others.
        if found.ordinary && !found.mobile.is_empty() {
            let message = format!("{country}: mobile numbers without a row: {}", named(&found.mobile));
            remarks.push(Kind::NoMobile, None, message, "calls there will wait in suspense as no_rate");
        }
        let distinct: Vec<Number> = found.premium.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        if let Some(first) = distinct.first()
            && let Some((prefix, deck, row)) = rows.over(*first)
        {
            let price = rate(deck, row).unwrap_or(Money::ZERO);
            let message = format!(
                "{country}: premium numbers priced as ordinary ones by {prefix} at {price}: {}",
                named(&distinct)
            );
            // With several decks a line would not say in which one.
            let place = (decks.len() == 1).then_some(row);
            remarks.push(Kind::PremiumInherits, place, message, "add rows for them, or block them");
        }
    }
}
