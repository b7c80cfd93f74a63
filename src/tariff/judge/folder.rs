//! Judges all decks of a rates folder: each by itself, and for each plan what its decks together leave out, of the world and of
//! the time to come.
//!
//! Does not know where the text comes from.

use super::dates::uncovered;
use super::{Kind, Remark, World, accept};
use crate::number::Country;
use crate::number::classify;
use crate::number::countries::Countries;
use crate::tariff::deck::{self, Deck};
use crate::tariff::findings::Findings;
use crate::tariff::plans::{PlanText, Plans};
use crate::tariff::{RatesText, compile, plans};
use crate::time::{Timestamp, Zone};

/// Plans named in one remark.
const PLANS_NAMED: usize = 3;

/// What was noticed in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeckRemarks {
    /// `decks/world.csv`, or `plans.toml` for what a plan's decks leave out together.
    pub file: String,
    /// Errors first, then by kind and line.
    pub remarks: Vec<Remark>,
}

/// Judges a folder that compiles, as of an instant; a file that cannot be read is left to `compile`, which says why. `accepted`
/// gives the kinds that are known to be right in a deck.
pub fn folder(text: &RatesText, now: Timestamp, accepted: &dyn Fn(&str) -> Vec<Kind>) -> Vec<DeckRemarks> {
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
    let named: Vec<(&str, &Deck)> = decks.iter().map(|(name, deck)| (*name, deck)).collect();
    for (name, remark) in in_plans(&plans, &named, &world, now, None) {
        let file = format!("decks/{name}.csv");
        if let Some(of) = all.iter_mut().find(|of| of.file == file) {
            of.remarks.push(remark);
        }
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
        let remarks = super::coverage(&used, &world, &elsewhere(plan)).into_iter();
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

/// Countries of which a plan needs no row: included calls need none, nor do those at home.
fn elsewhere(plan: &PlanText) -> Vec<Country> {
    plan.included.iter().map(|entry| entry.country).chain([plan.country]).collect()
}

/// What of each deck is left without a row for a time in which no other deck of a plan has one, as of an instant; each remark
/// once, with the plans in which it is so. A deck that no plan names is not judged. `before` names a deck and gives the one that
/// it replaces: then only that deck is judged.
pub fn in_plans<'a>(
    plans: &Plans,
    decks: &[(&'a str, &Deck)],
    world: &World<'_>,
    now: Timestamp,
    before: Option<(&str, Option<&Deck>)>,
) -> Vec<(&'a str, Remark)> {
    let mut found: Vec<(&str, Remark, Vec<&str>)> = Vec::new();
    for plan in &plans.plans {
        let mut used: Vec<(&str, &Deck)> =
            decks.iter().filter(|(name, _)| plan.decks.iter().any(|(own, _)| own == name)).copied().collect();
        // The one that replaces another stands first.
        used.sort_by_key(|(name, _)| before.is_some_and(|(new, _)| new != *name));
        if let Some((new, _)) = before
            && used.first().is_none_or(|(name, _)| *name != new)
        {
            continue;
        }
        let all: Vec<&Deck> = used.iter().map(|(_, deck)| *deck).collect();
        for (place, remark) in uncovered(&all, world, &elsewhere(plan), now, before.and_then(|(_, deck)| deck)) {
            let Some((name, _)) = used.get(place) else { continue };
            if before.is_some_and(|(new, _)| new != *name) {
                continue;
            }
            match found.iter_mut().find(|(of, told, _)| of == name && *told == remark) {
                Some((.., plans)) => plans.push(&plan.name),
                None => found.push((*name, remark, vec![&plan.name])),
            }
        }
    }
    let told = |(name, remark, plans): (&'a str, Remark, Vec<&str>)| {
        let (first, more) = plans.split_at(plans.len().min(PLANS_NAMED));
        let first: Vec<String> = first.iter().map(|plan| format!("{plan:?}")).collect();
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        let plans = if plans.len() == 1 { "plan" } else { "plans" };
        (name, Remark { message: format!("{plans} {}{more}: {}", first.join(", "), remark.message), ..remark })
    };
    found.into_iter().map(told).collect()
}
