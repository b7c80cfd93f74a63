//! What a plan says of the other side of its prices: cost decks, carriers, resellers, and the least margin.
//!
//! Does not know decks' rows or currencies; whether a named deck exists is asked where all of them are.

use toml::de::DeValue;

use super::{PlanText, steps};
use crate::call::{RESELLERS_MAX, StepRule};
use crate::money::Money;
use crate::nearest::did_you_mean;
use crate::tariff::findings::{Findings, Place};
use crate::tariff::toml_cells::{Document, Table};
use crate::tariff::{Allowance, Overage};

/// The keys of a plan that are read here.
pub(super) const KEYS: &[&str] =
    &["cost_decks", "inbound_cost_decks", "carriers", "cost_steps", "reseller", "minimum_margin"];

/// As the file has it.
#[derive(Clone, Debug, Default)]
pub struct BuyingText {
    /// Decks of what carriers charge for calls made, each with the place that names it.
    pub decks: Vec<(String, Place)>,
    /// Decks of what carriers charge for calls received.
    pub inbound_decks: Vec<(String, Place)>,
    /// Decks of carriers by the name that records give them.
    pub carriers: Vec<(String, Vec<(String, Place)>)>,
    /// Steps of cost rows that have none; none: by the second.
    pub steps: Option<StepRule>,
    /// The plan under which whoever sells this one buys.
    pub reseller: Option<(String, Place)>,
    /// Least margin in per cent of the price.
    pub minimum_margin: Option<Money>,
}

impl BuyingText {
    /// Every deck that it names, each with its place.
    pub fn all_decks(&self) -> impl Iterator<Item = &(String, Place)> {
        let of_carriers = self.carriers.iter().flat_map(|(_, decks)| decks);
        self.decks.iter().chain(&self.inbound_decks).chain(of_carriers)
    }

    fn names_decks(&self) -> bool {
        self.all_decks().next().is_some()
    }
}

/// Reads the keys of one plan.
pub(super) fn read<'t>(document: &mut Document<'t>, table: Table<'_, 't>) -> BuyingText {
    let decks = deck_list(document, table, "cost_decks");
    let inbound_decks = deck_list(document, table, "inbound_cost_decks");
    let mut carriers: Vec<(String, Vec<(String, Place)>)> = Vec::new();
    if let Some(value) = table.get("carriers")
        && let Some(named) = document.table("carriers", value)
    {
        for (name, value) in named.table {
            let name = name.get_ref().as_ref();
            let mut list = Vec::new();
            if let DeValue::String(one) = value.get_ref() {
                list.push((one.as_ref().to_owned(), document.at(value)));
            } else {
                list.extend(
                    document
                        .strings("carriers", value)
                        .into_iter()
                        .map(|(deck, at)| (deck.to_owned(), document.at(at))),
                );
            }
            carriers.push((name.to_owned(), list));
        }
        carriers.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let rule =
        table.get("cost_steps").and_then(|value| document.table("cost_steps", value)).and_then(|t| steps(document, t));
    let reseller = table.get("reseller").and_then(|value| {
        let name = document.string("reseller", value)?.to_owned();
        Some((name, document.at(value)))
    });
    let minimum_margin = table.get("minimum_margin").and_then(|value| {
        let per_cent = document.amount("minimum_margin", value)?;
        if per_cent.0 > 100 * 1_000_000_000 {
            document.wrong(value, "minimum_margin: more than all of the price", "write per cent of the price: \"10\"");
            return None;
        }
        Some(per_cent)
    });
    BuyingText { decks, inbound_decks, carriers, steps: rule, reseller, minimum_margin }
}

/// Names of decks, each with its place.
pub(super) fn deck_list<'t>(
    document: &mut Document<'t>,
    table: Table<'_, 't>,
    key: &'static str,
) -> Vec<(String, Place)> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let mut list: Vec<(String, Place)> = Vec::new();
    for (name, value) in document.strings(key, value) {
        if list.iter().any(|(known, _)| known == name) {
            document.wrong(value, format!("{key}: {name:?} is listed twice"), "leave one out");
            continue;
        }
        list.push((name.to_owned(), document.at(value)));
    }
    list
}

/// Names of all carriers, in order.
pub fn carriers(plans: &[PlanText]) -> Vec<String> {
    let mut names: Vec<String> =
        plans.iter().flat_map(|plan| &plan.buying.carriers).map(|(name, _)| name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// The plans under which a plan is bought, level by level; ends where a name is not known or the chain is too long.
fn chain<'p>(plan: &'p PlanText, plans: &'p [PlanText]) -> Vec<&'p PlanText> {
    let mut chain = Vec::new();
    let mut at = plan;
    while let Some((name, _)) = &at.buying.reseller {
        let Some(next) = plans.iter().find(|plan| plan.name == *name) else { break };
        chain.push(next);
        if chain.len() > RESELLERS_MAX {
            break;
        }
        at = next;
    }
    chain
}

/// A plan's buying with all that it has from others.
pub struct Resolved<'p> {
    /// Whose cost decks hold: its own, else those of the nearest reseller that names some.
    pub text: &'p BuyingText,
    /// Places of the plans of its chain.
    pub chain: Vec<u16>,
    /// Its own.
    pub minimum_margin: Option<Money>,
}

/// What a plan buys by; none where neither it nor its resellers say anything.
pub fn resolved<'p>(plan: &'p PlanText, plans: &'p [PlanText]) -> Option<Resolved<'p>> {
    let chain = chain(plan, plans);
    let text = std::iter::once(plan).chain(chain.iter().copied()).map(|p| &p.buying).find(|b| b.names_decks());
    if text.is_none() && chain.is_empty() {
        return None;
    }
    let place = |one: &&PlanText| plans.iter().position(|plan| plan.name == one.name).map(|place| place as u16);
    Some(Resolved {
        text: text.unwrap_or(&plan.buying),
        chain: chain.iter().filter_map(place).collect(),
        minimum_margin: plan.buying.minimum_margin,
    })
}

/// Chains of resellers must end, be in one currency, and price each call by itself.
pub fn check_chains(plans: &[PlanText], findings: &mut Findings) {
    for plan in plans {
        let Some((name, at)) = &plan.buying.reseller else { continue };
        let Some(reseller) = plans.iter().find(|other| other.name == *name) else {
            let hint = did_you_mean(name, plans.iter().map(|p| p.name.as_str()), "write [plan.NAME] for it");
            findings.error(*at, format!("reseller: there is no plan {name:?}"), hint);
            continue;
        };
        let above = chain(plan, plans);
        if above.iter().any(|other| other.name == plan.name) {
            let way: Vec<&str> = above.iter().map(|p| p.name.as_str()).collect();
            let message = format!("reseller: plan {:?} would buy from itself, by {}", plan.name, way.join(" and "));
            findings.error(*at, message, "the last plan of a chain has no reseller");
            continue;
        }
        if above.len() > RESELLERS_MAX {
            let message = format!("reseller: more than {RESELLERS_MAX} levels above plan {:?}", plan.name);
            findings.error(*at, message, "leave levels out that nobody bills");
        }
        if reseller.currency != plan.currency {
            let [own, other] = [plan.currency, reseller.currency].map(|c| String::from_utf8_lossy(&c).into_owned());
            let message = format!("reseller: plan {name:?} is in {other}, plan {:?} in {own}", plan.name);
            findings.error(*at, message, "a chain is in one currency; its decks may be in others");
        }
        if reseller.allowance != Allowance::Seconds(0) || !reseller.pools.is_empty() {
            let message = format!("reseller: plan {name:?} includes minutes, which resold calls do not draw");
            findings.error(*at, message, "a plan that others are bought by has included_minutes = 0");
        }
        if matches!(reseller.overage, Overage::Deck) && reseller.decks.is_empty() {
            findings.error(*at, format!("reseller: plan {name:?} has no decks"), "name its decks");
        }
    }
    let mut priced: Vec<(&str, Place, &PlanText)> = Vec::new();
    for plan in plans {
        for (deck, at) in plan.buying.all_decks() {
            priced.push((deck, *at, plan));
        }
    }
    for (deck, at, plan) in priced {
        if plan.decks.iter().chain(&plan.inbound_decks).any(|(name, _)| name == deck) {
            findings.warn(
                at,
                format!("plan {:?} sells by deck {deck:?}, and buys by it: no call has a margin", plan.name),
                "name the carrier's own deck",
            );
        }
    }
}
