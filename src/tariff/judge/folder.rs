//! Judges all decks of a rates folder: each by itself, and for each plan what its decks together leave out.
//!
//! Does not know where the text comes from.

use super::{Kind, Remark, World, accept};
use crate::number::Country;
use crate::number::classify;
use crate::number::countries::Countries;
use crate::tariff::deck::{self, Deck};
use crate::tariff::findings::Findings;
use crate::tariff::{RatesText, compile, plans};
use crate::time::Zone;

/// What was noticed in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeckRemarks {
    /// `decks/world.csv`, or `plans.toml` for what a plan's decks leave out together.
    pub file: String,
    /// Errors first, then by kind and line.
    pub remarks: Vec<Remark>,
}

/// Judges a folder that compiles; a file that cannot be read is left to `compile`, which says why. `accepted` gives the
/// kinds that are known to be right in a deck.
pub fn folder(text: &RatesText, accepted: &dyn Fn(&str) -> Vec<Kind>) -> Vec<DeckRemarks> {
    let utf8 =
        |bytes: &[u8]| std::str::from_utf8(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)).map(str::to_owned);
    let countries = utf8(&text.countries).ok().and_then(|t| Countries::parse(&t).ok());
    let numbering = utf8(&text.numbering).ok().and_then(|t| classify::parse(&t).ok());
    let (Some(countries), Some(numbering)) = (countries, numbering) else { return Vec::new() };
    let world = World::new(&countries, &numbering);
    let plans = plans::read(&text.plans, &mut Findings::new("plans.toml"));
    let keys = |country, digits: &[u8]| compile::short_code(&countries, country, digits);
    let mut decks: Vec<(&str, Deck)> = Vec::new();
    let mut all = Vec::new();
    for (name, bytes) in &text.decks {
        let zone = plans.decks.iter().find(|d| d.name == *name).map_or(Zone::UTC, |d| d.zone.clone());
        let read = deck::read(bytes, &zone, &keys, &mut Findings::new(name.as_str()));
        let mut remarks = super::deck(&read, &world, None);
        accept(&mut remarks, &accepted(name));
        all.push(DeckRemarks { file: format!("decks/{name}.csv"), remarks });
        decks.push((name, read));
    }
    // Plans with the same decks leave out the same.
    let mut seen: Vec<Vec<&str>> = Vec::new();
    let mut missing = DeckRemarks { file: "plans.toml".to_owned(), remarks: Vec::new() };
    for plan in &plans.plans {
        let mut names: Vec<&str> = plan.decks.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if seen.contains(&names) {
            continue;
        }
        let used: Vec<&Deck> = decks.iter().filter(|(name, _)| names.contains(name)).map(|(_, deck)| deck).collect();
        // Included calls need no row, nor do those at home.
        let included: Vec<Country> = plan.included.iter().map(|entry| entry.country).chain([plan.country]).collect();
        let remarks = super::coverage(&used, &world, &included).into_iter();
        missing.remarks.extend(remarks.map(|r| Remark {
            message: format!("plan {:?}: {}", plan.name, r.message),
            line: 0,
            ..r
        }));
        seen.push(names);
    }
    all.push(missing);
    all.retain(|file| !file.remarks.is_empty());
    all
}
