//! From the text of a rates folder to an image. The same rates give the same bytes, in whatever order files list them.
//!
//! Does not know where the text comes from or where the image goes.

use std::collections::BTreeSet;

use super::condition::Condition;
use super::deck::{self, Deck};
use super::exchange::{self, DatedRate};
use super::findings::{Findings, Place};
use super::free::{self, FreeList};
use super::image::{Kind, StoredCalendar, StoredDeck, Writer};
use super::plans::{self, PlanText, Plans};
use super::pools::PoolOf;
use super::states;
use super::{Compiled, Finding, RatesText, Severity};
use crate::call::{CallType, StepMode};
use crate::money::MONEY_INPUT_MAX;
use crate::nearest;
use crate::nearest::did_you_mean;
use crate::number::classify::{self, NumberingRow};
use crate::number::countries::Countries;
use crate::number::{Country, DIGITS_MAX, Number, NumberKind};
use crate::time::{MICROS_PER_SECOND, Micros, Zone};

mod write;

/// Text → image; all findings if any is an error.
pub fn compile(text: &RatesText) -> Result<Compiled, Vec<Finding>> {
    let mut found = Vec::new();
    let countries = read_text("countries.toml", &text.countries, &mut found, Countries::parse);
    let numbering = read_text("numbering.csv", &text.numbering, &mut found, classify::parse);
    let mut findings = Findings::new("exchange.csv");
    let exchange = exchange::read(&text.exchange, &mut findings);
    found.extend(findings.finish());
    let mut findings = Findings::new("plans.toml");
    let plans = plans::read(&text.plans, &mut findings);
    check_plans(&plans, countries.as_ref(), numbering.as_deref(), &exchange, text, &mut findings);
    found.extend(findings.finish());
    let decks = read_decks(text, &plans, countries.as_ref(), &mut found);
    check_products(&plans, &decks, &exchange, &mut found);
    let free = read_free(text, countries.as_ref(), &mut found);
    let mut findings = Findings::new("states.csv");
    let states = states::read(&text.states, &mut findings);
    found.extend(findings.finish());
    if found.iter().any(|f| f.severity == Severity::Error) {
        return Err(found);
    }
    let (Some(countries), Some(numbering)) = (countries, numbering) else { return Err(found) };
    let mut writer = Writer::default();
    match serde_json::to_vec(&countries) {
        Ok(json) => writer.section(Kind::Countries, 0, json),
        Err(bad) => return Err(vec![whole_file("countries.toml", bad.to_string())]),
    }
    writer.section(Kind::Numbering, 0, classify::build(&numbering));
    let (map, names) = if states.is_empty() { Default::default() } else { states::build(&states) };
    writer.section(Kind::StateMap, 0, map);
    writer.section(Kind::States, 0, names);
    let (prefixes, rows) =
        write::write(&plans, &decks, exchange, free, &mut writer).map_err(|why| vec![whole_file("plans.toml", why)])?;
    Ok(Compiled { image: writer.finish(), findings: found, prefixes, rows })
}

fn whole_file(file: &str, message: String) -> Finding {
    Finding { severity: Severity::Error, file: file.to_owned(), line: 0, column: 0, message, hint: String::new() }
}

/// A file whose reader says what is wrong in one sentence.
fn read_text<T>(
    file: &str,
    bytes: &[u8],
    found: &mut Vec<Finding>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let read =
        std::str::from_utf8(bytes).map_err(|bad| format!("not UTF-8 at byte {}", bad.valid_up_to())).and_then(parse);
    read.map_err(|why| {
        // Their readers put the place in front: `line 12: …`, `line 12, column 3: …`.
        let split = why.strip_prefix("line ").and_then(|rest| {
            let (place, what) = rest.split_once(": ")?;
            let (line, column) = place.split_once(", column ").unwrap_or((place, "0"));
            Some((line.parse().ok()?, column.parse().ok()?, what))
        });
        let (line, column, message) = split.unwrap_or((0, 0, why.as_str()));
        let (message, hint) = nearest::unknown(message).unwrap_or_else(|| (message.to_owned(), String::new()));
        found.push(Finding { line, column, hint, ..whole_file(file, message) });
    })
    .ok()
}

/// What plans say of countries, kinds and decks must exist.
fn check_plans(
    plans: &Plans,
    countries: Option<&Countries>,
    numbering: Option<&[NumberingRow]>,
    exchange: &[DatedRate],
    text: &RatesText,
    findings: &mut Findings,
) {
    let files = || text.decks.iter().map(|(name, _)| name.as_str());
    let known = |country: Country| countries.is_none_or(|c| c.get(country).is_some());
    for deck in &plans.decks {
        if !files().any(|name| name == deck.name) {
            let hint = did_you_mean(&deck.name, files(), &format!("there is no decks/{}.csv", deck.name));
            findings.error(deck.at, format!("deck {:?} has no file", deck.name), hint);
        }
    }
    for plan in &plans.plans {
        if !known(plan.country) {
            findings.error(plan.country_at, format!("country {} is not in countries.toml", plan.country), "");
        }
        for entry in &plan.included {
            let Some(rows) = numbering else { continue };
            if !rows.iter().any(|r| r.country == entry.country && plans::kind_bit(r.kind) & entry.kinds != 0) {
                let message = format!("included: no number of {} is of such a kind", entry.country);
                findings.warn(
                    entry.at,
                    message,
                    "in +1 and elsewhere fixed and mobile numbers cannot be told apart: fixed_or_mobile",
                );
            }
        }
        for (name, at) in &plan.free {
            let lists = || text.free.iter().map(|(name, _)| name.as_str());
            if !lists().any(|list| list == name) {
                let hint = did_you_mean(name, lists(), &format!("there is no free/{name}.csv"));
                findings.error(*at, format!("list of free numbers {name:?} has no file"), hint);
            }
        }
        pools(plan, &known, numbering, findings);
        for (name, at) in plan.all_decks() {
            if !files().any(|file| file == name) {
                let hint = did_you_mean(name, files(), &format!("there is no decks/{name}.csv"));
                findings.error(*at, format!("deck {name:?} has no file"), hint);
            }
            let said = plans.decks.iter().find(|d| d.name == *name).and_then(|d| d.currency);
            if let Some(foreign) = said.filter(|currency| *currency != plan.currency)
                && !exchange.iter().any(|rate| (rate.from, rate.to) == (foreign, plan.currency))
            {
                let message = format!("deck {name:?} is in another currency than plan {:?}", plan.name);
                let [from, to] = [foreign, plan.currency].map(|code| String::from_utf8_lossy(&code).into_owned());
                findings.error(*at, message, format!("give a rate in exchange.csv: {from},{to},0.92,2026-10-01"));
            }
        }
    }
    check_shared_decks(plans, findings);
    plans::check_chains(&plans.plans, findings);
    countries.into_iter().for_each(|countries| warn_of_nothing_billed(plans, countries, findings));
}

/// What a plan's pools and tiers mean must exist, and be calls that the plan can have.
fn pools(
    plan: &PlanText,
    known: &dyn Fn(Country) -> bool,
    numbering: Option<&[NumberingRow]>,
    findings: &mut Findings,
) {
    let pools = plan.pools.iter().map(|text| (text.pool.name.as_str(), &text.pool.of, &text.of_at));
    let tiers = plan.tiers.iter().map(|text| (text.tier.key(), &text.tier.of, &text.of_at));
    for (name, of, at) in pools.chain(tiers) {
        for (of, at) in of.iter().zip(at) {
            let nothing = format!("{name}: no call draws it by {of}");
            let priced = || !plan.decks.is_empty();
            match *of {
                PoolOf::Country(country, _) if !known(country) => {
                    findings.error(*at, format!("of: country {country} is not in countries.toml"), "");
                }
                PoolOf::Country(country, kinds) => {
                    let there = |row: &NumberingRow| row.country == country && plans::kind_bit(row.kind) & kinds != 0;
                    if numbering.is_some_and(|rows| !rows.iter().any(there)) {
                        findings.warn(*at, nothing, "numbers that cannot be told apart are fixed_or_mobile");
                    } else if !priced()
                        && country != plan.country
                        && !plan.included.iter().any(|i| i.country == country)
                    {
                        findings.warn(*at, nothing, "the plan neither includes that country nor has decks");
                    }
                }
                PoolOf::CallType(CallType::International | CallType::DomesticPremium) if !priced() => {
                    findings.warn(*at, nothing, "the plan has no decks");
                }
                PoolOf::CallType(CallType::TollFree) if plan.inbound_decks.is_empty() => {
                    findings.warn(*at, nothing, "the plan has no inbound_decks");
                }
                PoolOf::CallType(_) | PoolOf::Prefix(_) | PoolOf::OffNet => {}
            }
        }
    }
}

/// R14: rounding to the nearest step forgives short calls, which surprises whoever reads it for the first time.
fn warn_of_nothing_billed(plans: &Plans, countries: &Countries, findings: &mut Findings) {
    for plan in &plans.plans {
        let rule = plan.steps.unwrap_or_else(|| countries.steps(plan.country, plan.country, NumberKind::Fixed));
        if rule.mode == StepMode::Nearest && rule.increment > 1 && rule.minimum == 0 {
            let half = Micros(i64::from(rule.increment) * MICROS_PER_SECOND / 2);
            let message = format!(
                "plan {:?}: calls under {half} s are billed 0 seconds, steps being nearest {}",
                plan.name, rule.increment
            );
            findings.warn(
                plan.at,
                message,
                "steps = { increment = 60 } rounds up; with a minimum short calls are billed too",
            );
        }
    }
}

/// A deck without a currency that plans of two currencies use means two prices by one number.
fn check_shared_decks(plans: &Plans, findings: &mut Findings) {
    let mut first: Vec<(&str, &PlanText)> = Vec::new();
    let silent = |name: &str| !plans.decks.iter().any(|deck| deck.name == name && deck.currency.is_some());
    for plan in &plans.plans {
        for (name, at) in plan.all_decks().filter(|(name, _)| silent(name)) {
            match first.iter().find(|(deck, _)| deck == name) {
                None => first.push((name, plan)),
                Some((_, other)) if other.currency != plan.currency => {
                    let message =
                        format!("deck {name:?} is used in two currencies, by {:?} and {:?}", other.name, plan.name);
                    findings.warn(*at, message, format!("state its currency: [deck.{name}] currency = \"…\""));
                }
                Some(_) => {}
            }
        }
    }
}

/// A carrier that bills by the minute costs more than its deck says, where that says nothing of steps.
fn warn_of_silent_steps(name: &str, deck: &Deck, plans: &Plans, findings: &mut Findings) {
    let silent =
        |plan: &&PlanText| plan.buying.steps.is_none() && plan.buying.all_decks().any(|(deck, _)| deck == name);
    let mut rows = deck.rows.iter();
    let says = |row: &deck::DeckRow| {
        // A block costs nothing; what begins later in a call has the steps of its first row.
        let terms = deck.terms.get(row.terms as usize);
        terms.is_none_or(|terms| terms.steps.is_some() || terms.blocked) || deck.condition(row).after > 0
    };
    let without = rows.find(|row| !says(row));
    if let (Some(plan), Some(row)) = (plans.plans.iter().find(silent), without) {
        findings.warn(
            Place { line: row.line, column: 1 },
            format!("a cost deck of plan {:?} without increments: its calls cost us by the second", plan.name),
            "add the columns initial and increment, or cost_steps = { increment = 60 } to the plan",
        );
    }
}

/// A deck that was read, and what `plans.toml` says of it.
struct NamedDeck {
    stored: StoredDeck,
    deck: Deck,
    calendar: StoredCalendar,
}

/// Reads all decks that plans use, in the order of names; the others are checked too.
fn read_decks(
    text: &RatesText,
    plans: &Plans,
    countries: Option<&Countries>,
    found: &mut Vec<Finding>,
) -> Vec<NamedDeck> {
    let used: BTreeSet<&str> =
        plans.plans.iter().flat_map(PlanText::all_decks).map(|(name, _)| name.as_str()).collect();
    let mut files: Vec<&(String, Vec<u8>)> = text.decks.iter().collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    let mut decks = Vec::new();
    let mut first_row = 0;
    for (name, bytes) in files {
        let said = plans.decks.iter().find(|d| d.name == *name);
        let zone = said.map_or(Zone::UTC, |d| d.zone.clone());
        let mut findings = Findings::new(format!("decks/{name}.csv"));
        let keys = |country: Country, digits: &[u8]| short_code_or_stand_in(countries, country, digits);
        let deck = deck::read(bytes, &zone, &keys, &mut findings);
        let holidays = said.and_then(|d| d.holidays.clone());
        check_holidays(name, &deck, holidays.is_some(), &mut findings);
        if text.states.is_empty()
            && let Some(row) = deck.rows.iter().find(|row| deck.condition(row).jurisdiction.is_some())
        {
            findings.error(
                Place { line: row.line, column: 1 },
                "interstate and intrastate prices, but no states.csv",
                "put prefix,state into states.csv: 1212,NY; nothing else says in which state a number is",
            );
        }
        if !used.contains(name.as_str()) {
            findings.warn(Place::default(), "no plan uses this deck", "name it in a plan's decks or inbound_decks");
        }
        warn_of_silent_steps(name, &deck, plans, &mut findings);
        let refused = findings.refused();
        found.extend(findings.finish());
        if refused || !used.contains(name.as_str()) {
            continue;
        }
        let currency = said.and_then(|d| d.currency).map(|c| String::from_utf8_lossy(&c).into_owned());
        let rows = deck.rows.len() as u32;
        let stored = StoredDeck {
            name: name.clone(),
            first_row,
            rows,
            currency,
            timezone: said.map_or_else(|| "UTC".to_owned(), |d| d.timezone.clone()),
            source: said.map_or_else(String::new, |d| d.source.clone()),
        };
        first_row += rows;
        let timezone = stored.timezone.clone();
        let calendar = StoredCalendar { timezone, holidays: holidays.unwrap_or_default() };
        decks.push(NamedDeck { stored, deck, calendar });
    }
    decks
}

/// Reads all lists of free numbers, in the order of names.
fn read_free(text: &RatesText, countries: Option<&Countries>, found: &mut Vec<Finding>) -> Vec<FreeList> {
    let mut files: Vec<&(String, Vec<u8>)> = text.free.iter().collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    let keys = |country: Country, digits: &[u8]| short_code_or_stand_in(countries, country, digits);
    let read = |(name, bytes): &(String, Vec<u8>)| {
        let mut findings = Findings::new(format!("free/{name}.csv"));
        let list = free::read(name, bytes, &keys, &mut findings);
        found.extend(findings.finish());
        list
    };
    files.into_iter().map(read).collect()
}

/// The key of a short code. Without countries, whose own finding refuses the image, one that tells them apart, for reading on.
fn short_code_or_stand_in(countries: Option<&Countries>, country: Country, digits: &[u8]) -> Option<Number> {
    match countries {
        Some(countries) => short_code(countries, country, digits),
        None => {
            let [a, b, _] = country.0;
            let stand_in = [format!("0{:02}{:02}", a % 100, b % 100).as_bytes(), digits].concat();
            Number::from_digits(&stand_in)
        }
    }
}

/// R18: a price in the plan's currency must be as bounded as any, or a cost could be too large to be held.
fn check_products(plans: &Plans, decks: &[NamedDeck], exchange: &[DatedRate], found: &mut Vec<Finding>) {
    const MOST: i128 = MONEY_INPUT_MAX as i128 * 1_000_000_000;
    let mut findings = Findings::new("exchange.csv");
    let highest = |deck: &Deck| {
        let amounts = |t: &deck::Terms| {
            [Some(t.price.rate), Some(t.price.connect_fee), t.price.minimum_cost, t.price.maximum_cost]
        };
        deck.terms.iter().flat_map(amounts).flatten().map(|amount| amount.0).max().unwrap_or(0)
    };
    for NamedDeck { stored, deck, .. } in decks {
        let Some(from) = &stored.currency else { continue };
        let uses = |plan: &&PlanText| plan.all_decks().any(|(name, _)| *name == stored.name);
        for plan in plans.plans.iter().filter(uses) {
            let pair = |rate: &&DatedRate| rate.from == from.as_bytes() && rate.to == plan.currency;
            let rate = exchange.iter().filter(pair).map(|rate| rate.rate.0).max().unwrap_or(0);
            if i128::from(highest(deck)) * i128::from(rate) / 1_000_000_000 > MOST {
                let message = format!(
                    "a price of deck {:?} is more than {MONEY_INPUT_MAX} in the currency of plan {:?}",
                    stored.name, plan.name
                );
                findings.error(Place::default(), message, "has a decimal point been lost, in the deck or in the rate?");
            }
        }
    }
    found.extend(findings.finish());
}

/// Rows for holidays need a list of them, and a list makes weekdays of days that were none.
fn check_holidays(name: &str, deck: &Deck, has_list: bool, findings: &mut Findings) {
    let row_that = |names: fn(&Condition) -> bool| deck.rows.iter().find(|row| names(&deck.condition(row)));
    let for_holidays = row_that(|condition| condition.band.is_some_and(|band| band.names_holidays()));
    let for_days = row_that(|condition| condition.band.is_some_and(|band| band.names_days()));
    match (for_holidays, for_days) {
        (Some(row), _) if !has_list => findings.error(
            Place { line: row.line, column: 1 },
            "days: holiday, but the deck has no list of holidays",
            format!("write [deck.{name}] holidays = \"…\" and [holidays.…] in plans.toml"),
        ),
        (None, Some(row)) if has_list => findings.warn(
            Place { line: row.line, column: 1 },
            "the deck has holidays, and no row with days holds on them",
            "add holiday to the days of some rows: sun;holiday",
        ),
        _ => {}
    }
}

/// Look-up key of a short code. No E.164 number begins with 0, so `0`, the country's ordinal in three digits and the
/// code's digits share the prefix map with numbers.
pub fn short_code(countries: &Countries, country: Country, digits: &[u8]) -> Option<Number> {
    let ordinal = countries.ordinal(country).filter(|o| *o < 1000)?;
    let head = [0, ordinal / 100, ordinal / 10 % 10, ordinal % 10].map(|d| b'0' + d as u8);
    let mut key = [0; DIGITS_MAX];
    let length = head.len() + digits.len();
    key.get_mut(..head.len())?.copy_from_slice(&head);
    key.get_mut(head.len()..length)?.copy_from_slice(digits);
    if digits.is_empty() { None } else { Number::from_digits(key.get(..length)?) }
}
