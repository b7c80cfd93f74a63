//! From the text of a rates folder to an image. The same rates give the same bytes, in whatever order files list them.
//!
//! Does not know where the text comes from or where the image goes.

use std::collections::BTreeSet;

use zerocopy::IntoBytes;

use super::deck::{self, Deck};
use super::findings::{Findings, Place};
use super::image::{
    ENTRY_MANY, Kind, Meta, StoredDeck, StoredList, StoredPlan, StoredRow, StoredSteps, StoredTerms, Writer,
};
use super::plans::{self, PlanText, Plans};
use super::{Compiled, Finding, RatesText, Severity};
use crate::call::StepMode;
use crate::nearest;
use crate::nearest::did_you_mean;
use crate::number::classify::{self, NumberingRow};
use crate::number::countries::Countries;
use crate::number::prefix::{self, codes, lexicographic};
use crate::number::{Country, DIGITS_MAX, Number, NumberKind};
use crate::time::{MICROS_PER_SECOND, Micros, Zone};

/// Image indexes of deck lists have 16 bits, of which one tells typed rows apart.
const LISTS_MAX: usize = 1 << 15;

/// Text → image; all findings if any is an error.
pub fn compile(text: &RatesText) -> Result<Compiled, Vec<Finding>> {
    let mut found = Vec::new();
    let countries = read_text("countries.toml", &text.countries, &mut found, Countries::parse);
    let numbering = read_text("numbering.csv", &text.numbering, &mut found, classify::parse);
    let mut findings = Findings::new("plans.toml");
    let plans = plans::read(&text.plans, &mut findings);
    check_plans(&plans, countries.as_ref(), numbering.as_deref(), text, &mut findings);
    found.extend(findings.finish());
    let decks = read_decks(text, &plans, countries.as_ref(), &mut found);
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
    let (prefixes, rows) = write(&plans, &decks, &mut writer).map_err(|why| vec![whole_file("plans.toml", why)])?;
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
        for (name, at) in plan.decks.iter().chain(&plan.inbound_decks) {
            if !files().any(|file| file == name) {
                let hint = did_you_mean(name, files(), &format!("there is no decks/{name}.csv"));
                findings.error(*at, format!("deck {name:?} has no file"), hint);
            }
            let said = plans.decks.iter().find(|d| d.name == *name).and_then(|d| d.currency);
            if said.is_some_and(|currency| currency != plan.currency) {
                let message = format!("deck {name:?} is in another currency than plan {:?}", plan.name);
                findings.error(*at, message, "exchange rates are not yet supported: use a deck in the plan's currency");
            }
        }
    }
    check_shared_decks(plans, findings);
    countries.into_iter().for_each(|countries| warn_of_nothing_billed(plans, countries, findings));
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
    for plan in &plans.plans {
        for (name, at) in plan.decks.iter().chain(&plan.inbound_decks) {
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

/// A deck that was read, and what `plans.toml` says of it.
struct NamedDeck {
    stored: StoredDeck,
    deck: Deck,
}

/// Reads all decks that plans use, in the order of names; the others are checked too.
fn read_decks(
    text: &RatesText,
    plans: &Plans,
    countries: Option<&Countries>,
    found: &mut Vec<Finding>,
) -> Vec<NamedDeck> {
    let used: BTreeSet<&str> = plans
        .plans
        .iter()
        .flat_map(|p| p.decks.iter().chain(&p.inbound_decks))
        .map(|(name, _)| name.as_str())
        .collect();
    let mut files: Vec<&(String, Vec<u8>)> = text.decks.iter().collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    let mut decks = Vec::new();
    let mut first_row = 0;
    for (name, bytes) in files {
        let said = plans.decks.iter().find(|d| d.name == *name);
        let zone = said.map_or(Zone::UTC, |d| d.zone.clone());
        let mut findings = Findings::new(format!("decks/{name}.csv"));
        let keys = |country: Country, digits: &[u8]| match countries {
            Some(countries) => short_code(countries, country, digits),
            // Their own finding refuses the image; a key that tells countries apart serves for reading on.
            None => {
                let [a, b, _] = country.0;
                let stand_in = [format!("0{:02}{:02}", a % 100, b % 100).as_bytes(), digits].concat();
                Number::from_digits(&stand_in)
            }
        };
        let deck = deck::read(bytes, &zone, &keys, &mut findings);
        if !used.contains(name.as_str()) {
            findings.warn(Place::default(), "no plan uses this deck", "name it in a plan's decks or inbound_decks");
        }
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
        decks.push(NamedDeck { stored, deck });
    }
    decks
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

/// Writes everything that comes of decks and plans; gives prefixes and rows.
fn write(plans: &Plans, decks: &[NamedDeck], writer: &mut Writer) -> Result<(u64, u64), String> {
    let rows = write_rows(decks, writer)?;
    let mut lists: Vec<Vec<u16>> = Vec::new();
    let mut stored_plans = Vec::new();
    for plan in &plans.plans {
        let mut list = |names: &[(String, Place)]| -> u16 {
            let list: Vec<u16> = names
                .iter()
                .filter_map(|(name, _)| decks.iter().position(|d| d.stored.name == *name).map(|i| i as u16))
                .collect();
            let at = lists.iter().position(|known| *known == list).unwrap_or(lists.len());
            if at == lists.len() {
                lists.push(list);
            }
            at as u16
        };
        let (outbound_list, inbound_list) = (list(&plan.decks), list(&plan.inbound_decks));
        stored_plans.push(stored_plan(plan, outbound_list, inbound_list));
    }
    if lists.len() > LISTS_MAX || decks.len() > usize::from(u16::MAX) || plans.plans.len() > usize::from(u16::MAX) {
        return Err("too many plans, decks or different lists of decks".to_owned());
    }
    let lists = lists.into_iter().enumerate().map(|(i, list)| write_list(i, list, decks, &rows, writer)).collect();
    let mut keys: Vec<u64> = rows.iter().map(|r| lexicographic(r.prefix)).collect();
    keys.sort_unstable();
    keys.dedup();
    let prefixes = keys.len() as u64;
    let decks = decks.iter().map(|d| d.stored.clone()).collect();
    let meta = Meta { plans: stored_plans, decks, lists, prefixes };
    let meta = serde_json::to_vec(&meta).map_err(|bad| bad.to_string())?;
    writer.section(Kind::Meta, 0, meta);
    Ok((prefixes, rows.len() as u64))
}

fn stored_plan(plan: &PlanText, outbound_list: u16, inbound_list: u16) -> StoredPlan {
    // Kinds of one country are joined, so that the order in which `included` lists them changes nothing.
    let mut included: Vec<(String, u16)> = Vec::new();
    for entry in &plan.included {
        match included.iter_mut().find(|(country, _)| country == entry.country.as_str()) {
            Some((_, kinds)) => *kinds |= entry.kinds,
            None => included.push((entry.country.as_str().to_owned(), entry.kinds)),
        }
    }
    included.sort();
    StoredPlan {
        name: plan.name.clone(),
        country: plan.country.as_str().to_owned(),
        currency: String::from_utf8_lossy(&plan.currency).into_owned(),
        allowance: plan.allowance,
        overage: plan.overage,
        steps: plan.steps.map(StoredSteps::new),
        prorate_first: plan.prorate_first,
        cost_decimals: plan.cost_decimals,
        included,
        outbound_list,
        inbound_list,
    }
}

/// A row as maps need it; its place in the list is its id.
struct MapRow {
    prefix: Number,
    typed: bool,
}

/// Writes rows, their prefixes, terms and names, numbered in the order in which rows need them.
fn write_rows(decks: &[NamedDeck], writer: &mut Writer) -> Result<Vec<MapRow>, String> {
    let count = decks.iter().map(|d| d.deck.rows.len()).sum();
    if count >= ENTRY_MANY as usize {
        return Err("too many rows".to_owned());
    }
    let mut term_ids = std::collections::HashMap::new();
    let mut name_ids = std::collections::HashMap::new();
    let (mut rows, mut prefixes, mut map_rows) =
        (Vec::with_capacity(count * 8), Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut terms, mut names) = (Vec::new(), Vec::<u8>::new());
    for NamedDeck { deck, .. } in decks {
        for row in &deck.rows {
            let (Some(row_terms), Some(name)) = (deck.terms.get(row.terms as usize), deck.names.get(row.name as usize))
            else {
                return Err("a row without terms".to_owned());
            };
            let next = term_ids.len() as u32;
            let term = *term_ids.entry(row_terms).or_insert_with(|| {
                terms.extend_from_slice(StoredTerms::new(row_terms).as_bytes());
                next
            });
            let name = *name_ids.entry(name.as_str()).or_insert_with(|| {
                let at = names.len();
                names.extend_from_slice(&(name.len() as u16).to_le_bytes());
                names.extend_from_slice(name.as_bytes());
                at
            });
            let name = u32::try_from(name).map_err(|_| "destination names of more than 4 GiB")?;
            rows.extend_from_slice(StoredRow::new(term, row.prefix.len(), name).as_bytes());
            prefixes.push(row.prefix);
            map_rows.push(MapRow { prefix: row.prefix, typed: row_terms.call_type.is_some() });
        }
    }
    if term_ids.len() >= 1 << 28 {
        return Err("too many different prices".to_owned());
    }
    writer.section(Kind::Rows, 0, rows);
    writer.section(Kind::RowPrefixes, 0, codes::build(&prefixes));
    writer.section(Kind::Terms, 0, terms);
    writer.section(Kind::Names, 0, names);
    Ok(map_rows)
}

/// Writes the two indexes of a deck list: over all rows, and over rows that name a call type.
fn write_list(index: usize, list: Vec<u16>, decks: &[NamedDeck], rows: &[MapRow], writer: &mut Writer) -> StoredList {
    // (prefix, place of the deck in the list, row): rows of one deck and prefix are already later first.
    let mut all: Vec<(u64, u16, u32)> = Vec::new();
    for (rank, deck) in list.iter().enumerate() {
        let Some(NamedDeck { stored, .. }) = decks.get(usize::from(*deck)) else { continue };
        let ids = stored.first_row..stored.first_row + stored.rows;
        all.extend(ids.filter_map(|id| Some((lexicographic(rows.get(id as usize)?.prefix), rank as u16, id))));
    }
    if list.len() > 1 {
        all.sort_unstable();
    }
    let single = list.len() == 1 && all.windows(2).all(|w| w[0].0 != w[1].0);
    let first_row = if single { all.first().map(|(_, _, id)| *id) } else { None };
    let is_typed = |id: u32| rows.get(id as usize).is_some_and(|r| r.typed);
    // A row that names no type ends the force of an older one of its deck that does, so such decks stay whole.
    let typed: Vec<(u64, u16, u32)> = all
        .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
        .filter(|same| same.iter().any(|(_, _, id)| is_typed(*id)))
        .flatten()
        .copied()
        .collect();
    write_index(2 * index, &all, first_row.is_some(), rows, writer);
    write_index(2 * index + 1, &typed, false, rows, writer);
    StoredList { decks: list, first_row }
}

fn write_index(index: usize, sorted: &[(u64, u16, u32)], implied: bool, rows: &[MapRow], writer: &mut Writer) {
    let (mut prefixes, mut entries, mut many) = (Vec::new(), Vec::<u32>::new(), Vec::<u32>::new());
    for same in sorted.chunk_by(|a, b| a.0 == b.0) {
        let Some((_, _, id)) = same.first() else { continue };
        prefixes.extend(rows.get(*id as usize).map(|r| r.prefix));
        if same.len() == 1 {
            entries.push(*id);
        } else {
            entries.push(ENTRY_MANY | many.len() as u32);
            many.push(same.len() as u32);
            many.extend(same.iter().map(|(_, _, id)| *id));
        }
    }
    let shift = entries.len() as u32;
    let mut bytes = Vec::new();
    if !implied {
        for entry in entries {
            let entry = if entry & ENTRY_MANY != 0 { entry + shift } else { entry };
            bytes.extend_from_slice(&entry.to_le_bytes());
        }
        many.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    }
    writer.section(Kind::Map, index, prefix::build(&prefixes));
    writer.section(Kind::Entries, index, bytes);
}
