//! Reads `plans.toml`: plans and what is said of decks → checked values.
//!
//! Does not know deck rows; whether a deck's file exists is asked when the image is compiled.

use toml::de::DeTable;

use super::bands::Holidays;
use super::cells;
use super::findings::{Findings, Place};
use super::steps::STEP_SECONDS_MAX;
use super::toml_cells::{Document, Table};
use super::{Allowance, Bands, Internal, Overage};
use crate::call::{StepMode, StepRule};
use crate::money::Money;
use crate::nearest::did_you_mean;
use crate::number::{Country, NumberKind};
use crate::time::Zone;

mod allowances;
mod buying;
mod currencies;
mod holidays;
mod minimum;
mod rollover;
mod successive;
mod text;
mod tiers;

pub use allowances::PoolText;
use buying::deck_list;
pub use buying::{BuyingText, Resolved, carriers, check_chains, resolved};
pub use text::{DeckText, Included, PlanText, Plans};
pub use tiers::TierText;

/// Most minutes a plan may include: far beyond the minutes of a month times any group, and seconds fit easily.
const INCLUDED_MINUTES_MAX: u64 = 1_000_000_000;
/// R18: money is stored with nine decimals, one of which is kept for rounding.
/// Most decimals that a cost may have.
pub const COST_DECIMALS_MAX: u64 = 8;
const COST_DECIMALS: u8 = 4;

const PLAN_KEYS: &[&str] = &[
    "country",
    "currency",
    "included_minutes",
    "allowances",
    "rollover",
    "tiers",
    "included",
    "overage_rate",
    "overage",
    "decks",
    "inbound_decks",
    "steps",
    "bands",
    "internal",
    "free",
    "prorate_first",
    "prorate_change",
    "cost_decimals",
    "successive",
    "minimum_spend",
];
const DECK_KEYS: &[&str] = &["currency", "timezone", "holidays", "source"];
const HOLIDAY_KEYS: &[&str] = &["yearly", "easter", "dates"];
const STEP_KEYS: &[&str] = &["increment", "initial", "minimum", "mode", "free_below"];

/// Kinds and their names in `included` and `numbering.csv`.
pub const KINDS: [(&str, NumberKind); 11] = [
    ("fixed", NumberKind::Fixed),
    ("mobile", NumberKind::Mobile),
    ("fixed_or_mobile", NumberKind::FixedOrMobile),
    ("premium", NumberKind::Premium),
    ("toll_free", NumberKind::TollFree),
    ("shared_cost", NumberKind::SharedCost),
    ("voip", NumberKind::Voip),
    ("uan", NumberKind::Uan),
    ("pager", NumberKind::Pager),
    ("personal", NumberKind::Personal),
    ("voicemail", NumberKind::Voicemail),
];

/// Bit of a kind in [`Included::kinds`].
pub const fn kind_bit(kind: NumberKind) -> u16 {
    1 << kind as u16
}

/// R9: the kinds that are in-plan where a country is.
pub const IN_PLAN: u16 = kind_bit(NumberKind::Fixed)
    | kind_bit(NumberKind::Mobile)
    | kind_bit(NumberKind::FixedOrMobile)
    | kind_bit(NumberKind::Voip)
    | kind_bit(NumberKind::Uan);

/// Reads the file; what it gives is complete only if `findings` hold no error.
pub fn read(bytes: &[u8], findings: &mut Findings) -> Plans {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(bad) => {
            let line = bytes.iter().take(bad.valid_up_to()).filter(|b| **b == b'\n').count() as u32 + 1;
            findings.error(Place { line, column: 0 }, "not UTF-8", "save the file as UTF-8");
            return Plans::default();
        }
    };
    let root = match DeTable::parse(text) {
        Ok(root) => root.into_inner(),
        Err(bad) => {
            let at = bad.span().map_or(0, |s| s.start);
            let at = Document::new(text, findings).place(at);
            findings.error(at, bad.message().to_owned(), "");
            return Plans::default();
        }
    };
    let mut document = Document::new(text, findings);
    let top = Table { name: "plans.toml", at: Place::default(), table: &root };
    document.known_keys(top, &["plan", "deck", "holidays"]);
    let mut read = Plans::default();
    let lists: Vec<(&str, Holidays)> = tables(&mut document, top, "holidays")
        .into_iter()
        .map(|(name, table)| (name, holidays::read(&mut document, table)))
        .collect();
    for (name, table) in tables(&mut document, top, "deck") {
        read.decks.extend(deck(&mut document, name, table, &lists));
    }
    for (name, table) in tables(&mut document, top, "plan") {
        read.plans.extend(plan(&mut document, name, table));
    }
    read.plans.sort_by(|a, b| a.name.cmp(&b.name));
    read.decks.sort_by(|a, b| a.name.cmp(&b.name));
    read
}

/// The tables `[key.NAME]`.
fn tables<'d, 't>(document: &mut Document<'t>, top: Table<'d, 't>, key: &'d str) -> Vec<(&'d str, Table<'d, 't>)> {
    let Some(all) = top.get(key).and_then(|value| document.table(key, value)) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, value) in all.table {
        let at = document.at(name);
        let name = name.get_ref().as_ref();
        if let Some(table) = document.table(name, value) {
            found.push((name, Table { at, ..table }));
        }
    }
    found
}

fn deck<'t>(
    document: &mut Document<'t>,
    name: &str,
    table: Table<'_, 't>,
    lists: &[(&str, Holidays)],
) -> Option<DeckText> {
    document.known_keys(table, DECK_KEYS);
    let currency = table.get("currency").and_then(|value| currency(document, value));
    let mut zone = Zone::UTC;
    let mut timezone = "UTC".to_owned();
    if let Some(value) = table.get("timezone")
        && let Some(text) = document.string("timezone", value)
    {
        match Zone::named(text) {
            Ok(found) => (zone, timezone) = (found, text.to_owned()),
            Err(bad) => document.wrong(value, format!("timezone: {bad}"), "write an IANA name"),
        }
    }
    let source = table.get("source").and_then(|value| document.string("source", value)).unwrap_or("").to_owned();
    let mut holidays = None;
    if let Some(value) = table.get("holidays")
        && let Some(wanted) = document.string("holidays", value)
    {
        holidays = lists.iter().find(|(name, _)| *name == wanted).map(|(_, list)| list.clone());
        if holidays.is_none() {
            let known = lists.iter().map(|(name, _)| *name);
            let hint = did_you_mean(wanted, known, &format!("write [holidays.{wanted}]"));
            document.wrong(value, format!("holidays: there is no list {wanted:?}"), hint);
        }
    }
    Some(DeckText { name: name.to_owned(), at: table.at, currency, timezone, zone, holidays, source })
}

fn plan<'t>(document: &mut Document<'t>, name: &str, table: Table<'_, 't>) -> Option<PlanText> {
    document.known_keys(table, &[PLAN_KEYS, buying::KEYS].concat());
    let country_value = table.get("country");
    let country = match country_value {
        None => missing(document, table, "country", "country = \"DE\""),
        Some(value) => document.string("country", value).and_then(|text| {
            let country = Country::parse(text);
            if country.is_none() {
                document.wrong(
                    value,
                    format!("country: {text:?} is no country"),
                    "write two capital letters, ISO 3166: DE",
                );
            }
            country
        }),
    };
    let currency = match table.get("currency") {
        None => missing(document, table, "currency", "currency = \"EUR\""),
        Some(value) => currency(document, value),
    };
    let allowance = allowances::of_plan(document, table);
    let decks = deck_list(document, table, "decks");
    let inbound_decks = deck_list(document, table, "inbound_decks");
    let overage = overage(document, table, allowance, &decks);
    let steps = table.get("steps").and_then(|value| document.table("steps", value)).and_then(|t| steps(document, t));
    let included = table.get("included").map_or_else(Vec::new, |value| included(document, value));
    let bands = one_of(document, table, "bands", &[("start", Bands::Start), ("split", Bands::Split)]);
    let internal = one_of(document, table, "internal", &[("included", Internal::Included), ("free", Internal::Free)]);
    let pools = allowances::read(document, table);
    let (rollover, tiers) = (rollover::read(document, table, allowance), tiers::read(document, table));
    rollover::tell_apart(document, &pools, &tiers, rollover);
    let [prorate_first, prorate_change] = ["prorate_first", "prorate_change"]
        .map(|key| table.get(key).and_then(|v| document.boolean(key, v)).unwrap_or(false));
    let cost_decimals =
        table.get("cost_decimals").and_then(|v| document.integer("cost_decimals", v, COST_DECIMALS_MAX));
    let buying = buying::read(document, table);
    let currency = currency?;
    Some(PlanText {
        name: name.to_owned(),
        at: table.at,
        country: country?,
        country_at: country_value.map_or(table.at, |v| document.at(v)),
        currency,
        allowance,
        rollover,
        pools,
        tiers,
        included,
        overage,
        steps,
        prorate_first,
        prorate_change,
        cost_decimals: cost_decimals.map_or(COST_DECIMALS, |n| n as u8),
        decks,
        inbound_decks,
        bands,
        internal,
        buying,
        free: deck_list(document, table, "free"),
        successive: successive::read(document, table),
        minimum_spend: minimum::read(document, table, currency),
    })
}

/// A key that has a few words; the first where it is absent.
fn one_of<'t, T: Copy + Default>(
    document: &mut Document<'t>,
    table: Table<'_, 't>,
    key: &'static str,
    words: &[(&str, T)],
) -> T {
    let Some(value) = table.get(key) else { return T::default() };
    let Some(text) = document.string(key, value) else { return T::default() };
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
    if found.is_none() {
        let known = words.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(" or ");
        document.wrong(value, format!("{key}: {text:?} is not known"), format!("write {known}"));
    }
    found.unwrap_or_default()
}

fn missing<T>(document: &mut Document<'_>, table: Table<'_, '_>, key: &str, hint: &str) -> Option<T> {
    document.findings.error(table.at, format!("{}: {key} is missing", table.name), format!("write {hint}"));
    None
}

fn currency<'t>(document: &mut Document<'t>, value: &toml::Spanned<toml::de::DeValue<'t>>) -> Option<[u8; 3]> {
    let text = document.string("currency", value)?;
    let code = <[u8; 3]>::try_from(text.as_bytes()).ok().filter(|c| c.iter().all(u8::is_ascii_uppercase));
    if code.is_none() {
        document.wrong(
            value,
            format!("currency: {text:?} is no currency"),
            "write three capital letters, ISO 4217: EUR",
        );
    } else if !currencies::is_known(text) {
        let hint = did_you_mean(text, currencies::codes(), "fine, if it is one of your own");
        document.findings.warn(document.at(value), format!("currency: {text:?} is not in ISO 4217"), hint);
    }
    code
}

fn overage<'t>(
    document: &mut Document<'t>,
    table: Table<'_, 't>,
    allowance: Allowance,
    decks: &[(String, Place)],
) -> Overage {
    let rate = table.get("overage_rate").map(|value| (value, document.amount("overage_rate", value)));
    let word = table.get("overage").and_then(|value| document.string("overage", value).map(|text| (value, text)));
    match (word, rate) {
        (Some((value, "deck")), Some(_)) => {
            document.wrong(value, "overage = \"deck\" beside an overage_rate", "leave one of them out");
            Overage::Deck
        }
        (Some((value, "deck")), None) => {
            if decks.is_empty() {
                document.wrong(value, "overage = \"deck\" without decks", "name the plan's decks");
            }
            Overage::Deck
        }
        (Some((value, text)), _) if text != "rate" => {
            document.wrong(value, format!("overage: {text:?} is not known"), "write \"rate\" or \"deck\"");
            Overage::Deck
        }
        (_, Some((_, rate))) => Overage::Rate(rate.unwrap_or(Money::ZERO)),
        (_, None) if allowance == Allowance::Unlimited => Overage::Rate(Money::ZERO),
        (_, None) => {
            missing::<()>(
                document,
                table,
                "overage_rate",
                "overage_rate = \"0.015\" or overage = \"deck\": what minutes beyond the included ones cost",
            );
            Overage::Deck
        }
    }
}

fn included<'t>(document: &mut Document<'t>, value: &toml::Spanned<toml::de::DeValue<'t>>) -> Vec<Included> {
    let mut list = Vec::new();
    for (text, value) in document.strings("included", value) {
        let (country, kind) = text.split_once(':').map_or((text, None), |(c, k)| (c, Some(k)));
        let Some(country) = Country::parse(country) else {
            document.wrong(value, format!("included: {text:?} names no country"), "write \"CA\" or \"DE:mobile\"");
            continue;
        };
        let kinds = match kind {
            None => IN_PLAN,
            Some(kind) => match KINDS.iter().find(|(name, _)| *name == kind) {
                Some((_, kind)) => kind_bit(*kind),
                None => {
                    let hint = did_you_mean(
                        kind,
                        KINDS.iter().map(|(name, _)| *name),
                        "kinds are fixed, mobile, fixed_or_mobile, …",
                    );
                    document.wrong(value, format!("included: {kind:?} is no kind of number"), hint);
                    continue;
                }
            },
        };
        list.push(Included { country, kinds, at: document.at(value) });
    }
    list
}

fn steps<'t>(document: &mut Document<'t>, table: Table<'_, 't>) -> Option<StepRule> {
    document.known_keys(table, STEP_KEYS);
    let seconds = |document: &mut Document<'t>, key: &str| {
        table.get(key).and_then(|v| document.integer(key, v, u64::from(STEP_SECONDS_MAX))).map(|n| n as u32)
    };
    let (increment, initial, minimum) =
        (seconds(document, "increment"), seconds(document, "initial"), seconds(document, "minimum"));
    let mut mode = StepMode::Up;
    if let Some(value) = table.get("mode")
        && let Some(text) = document.string("mode", value)
    {
        match cells::mode(text) {
            Ok(read) => mode = read,
            Err((message, hint)) => document.wrong(value, format!("mode: {message}"), hint),
        }
    }
    let mut free_below = Default::default();
    if let Some(value) = table.get("free_below") {
        let text = match value.get_ref() {
            toml::de::DeValue::Integer(n) if n.radix() == 10 => Some(n.as_str()),
            _ => document.string("free_below", value),
        };
        match text.map(cells::fine_seconds) {
            Some(Ok(read)) => free_below = read,
            Some(Err((message, hint))) => document.wrong(value, format!("free_below: {message}"), hint),
            None => {}
        }
    }
    let Some(increment) = increment else {
        if table.get("increment").is_none() {
            return missing(document, table, "increment", "increment = 60: a rule is whole and inherits nothing");
        }
        return None;
    };
    let rule =
        StepRule { mode, initial: initial.unwrap_or(increment), increment, minimum: minimum.unwrap_or(0), free_below };
    match rule.check() {
        Ok(rule) => Some(rule),
        Err(bad) => {
            document.findings.error(table.at, format!("steps: {bad}"), "");
            None
        }
    }
}
