//! Reads `guards.toml` → checked rules, with every fault at its place.
//!
//! Does not know files; which plans and accounts there are comes in as a value.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::lengths::{length, parse_length};
use super::rules::{LEVELS_MAX, Override, Per, RULES_MAX, Rule, Rules, What, bit};
use crate::call::CallType;
use crate::nearest::did_you_mean;
use crate::number::{Country, Number};
use crate::tariff::findings::{Findings, Place};
use crate::tariff::toml_cells::{Document, Table};
use crate::tariff::{Finding, Severity};
use crate::time::{MICROS_PER_SECOND, Micros};

/// The file, in the rates folder.
pub const FILE: &str = "guards.toml";

/// Without a word about it, a call is judged if its record came within a day of its end.
const JUDGE_WITHIN: Micros = Micros::seconds(24 * 3600);
/// Without a word about it, an account learns for two weeks where it calls.
const LEARN: Micros = Micros::seconds(14 * 24 * 3600);
/// The shortest and the longest window that rolls: a twelfth of it is whole seconds.
const LAST_MIN: Micros = Micros::seconds(60);
const LAST_MAX: Micros = Micros::seconds(7 * 24 * 3600);
/// The highest level: ten times the limit.
const LEVEL_MAX: u64 = 1000;

const KEYS: &[&str] = &[
    "name",
    "plans",
    "accounts",
    "amount",
    "minutes",
    "calls",
    "first",
    "per",
    "levels",
    "currency",
    "call_types",
    "countries",
    "prefixes",
    "learn",
];

/// What the rules are checked against.
pub struct Known<'a> {
    /// Plans that accounts have, with their currencies.
    pub plans: Vec<(&'a str, String)>,
    /// Names of accounts.
    pub accounts: BTreeSet<&'a str>,
}

type Value<'d, 't> = &'d Spanned<DeValue<'t>>;

/// Text → rules; no rules if any finding is an error. An empty file has none, which is fine.
pub fn read(text: &[u8], known: &Known<'_>) -> (Option<Rules>, Vec<Finding>) {
    let mut findings = Findings::new(FILE);
    let rules = read_text(text, known, &mut findings);
    let findings = findings.finish();
    let refused = findings.iter().any(|finding| finding.severity == Severity::Error);
    (rules.filter(|_| !refused), findings)
}

fn read_text(bytes: &[u8], known: &Known<'_>, findings: &mut Findings) -> Option<Rules> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let Ok(text) = str::from_utf8(bytes) else {
        findings.error(Place::default(), "not UTF-8", "save the file as UTF-8");
        return None;
    };
    let root = match DeTable::parse(text) {
        Ok(root) => root.into_inner(),
        Err(bad) => {
            let at = Document::new(text, findings).place(bad.span().map_or(0, |span| span.start));
            findings.error(at, bad.message().to_owned(), "");
            return None;
        }
    };
    let mut document = Document::new(text, findings);
    let top = Table { name: FILE, at: Place::default(), table: &root };
    document.known_keys(top, &["judge_within", "rule", "account"]);
    let judge_within = top.get("judge_within").and_then(|value| length(&mut document, "judge_within", value));
    let mut rules = Rules { judge_within: judge_within.unwrap_or(JUDGE_WITHIN), ..Rules::default() };
    for value in tables(&mut document, top) {
        let Some(table) = document.table("[[rule]]", value) else { continue };
        let Some(rule) = rule(&mut document, table, known) else { continue };
        if rules.rules.iter().any(|other| other.name == rule.name) {
            let hint = "give each rule a name of its own";
            document.wrong(value, format!("[[rule]] {:?} stands there twice", rule.name), hint);
        } else if rules.rules.len() == RULES_MAX {
            document.wrong(value, format!("more than {RULES_MAX} rules"), "");
        } else {
            rules.rules.push(rule);
        }
    }
    if let Some(all) = top.get("account").and_then(|value| document.table("account", value)) {
        for (name, value) in all.table {
            let name = name.get_ref().as_ref();
            let Some(table) = document.table(name, value) else { continue };
            if !known.accounts.contains(name) {
                let hint = did_you_mean(name, known.accounts.iter().copied(), "accounts.csv does not have it (yet)");
                document.findings.warn(document.at(value), format!("there is no account {name:?}"), hint);
            }
            for (rule, value) in table.table {
                if let Some(different) = different(&mut document, &rules, rule, value) {
                    let own = rules.accounts.entry(name.to_owned()).or_default();
                    own.insert(rule.get_ref().to_string(), different);
                }
            }
        }
    }
    Some(rules)
}

fn tables<'d, 't>(document: &mut Document<'t>, top: Table<'d, 't>) -> Vec<Value<'d, 't>> {
    match top.get("rule") {
        None => Vec::new(),
        Some(value) => match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => {
                document.wrong(value, "rule: a list of tables is expected", "write [[rule]]");
                Vec::new()
            }
        },
    }
}

fn rule<'t>(document: &mut Document<'t>, table: Table<'_, 't>, known: &Known<'_>) -> Option<Rule> {
    document.known_keys(table, KEYS);
    let Some(name) = table.get("name").and_then(|value| document.string("name", value)) else {
        document.findings.error(table.at, "[[rule]]: name is missing", "events and metrics call the rule by it");
        return None;
    };
    let table = Table { name, ..table };
    let well_named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 64 || !name.chars().all(well_named) {
        document.findings.error(table.at, format!("name: {name:?}"), "write 1 to 64 letters, digits, - and _");
    }
    let (what, limit) = measure(document, table)?;
    let per = per(document, table, what)?;
    let mut levels = levels(document, table);
    if what.is_first() {
        levels.clear();
    }
    let plans = names(document, table, "plans", |document, plan, value| {
        if !known.plans.iter().any(|one| one.0 == plan) {
            let hint = did_you_mean(plan, known.plans.iter().map(|one| one.0), "no account has it");
            document.wrong(value, format!("{name}: there is no plan {plan:?}"), hint);
        }
    });
    let accounts = names(document, table, "accounts", |document, account, value| {
        if !known.accounts.contains(account) {
            let hint = did_you_mean(account, known.accounts.iter().copied(), "accounts.csv does not have it (yet)");
            document.findings.warn(document.at(value), format!("{name}: there is no account {account:?}"), hint);
        }
    });
    let currency = table.get("currency").and_then(|value| {
        let text = document.string("currency", value)?;
        let good = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
        if !good {
            let hint = "write three capital letters, ISO 4217: EUR";
            document.wrong(value, format!("currency: {text:?} is no currency"), hint);
        }
        good.then(|| text.to_owned())
    });
    let mut call_types = 0;
    names(document, table, "call_types", |document, text, value| match CallType::named(text) {
        Some(call_type) => call_types |= bit(call_type),
        None => {
            let all = CallType::ALL.iter().map(|one| one.name());
            let hint = did_you_mean(text, all.clone(), &format!("known: {}", all.collect::<Vec<_>>().join(", ")));
            document.wrong(value, format!("call_types: {text:?} is not known"), hint);
        }
    });
    if call_types == 0 {
        // What the account's users do; and, where it is about money, what others make it pay.
        let all = CallType::ALL.iter().map(|one| bit(*one)).sum::<u16>() & !bit(CallType::Inbound);
        call_types = if what == What::Amount { all } else { all & !bit(CallType::TollFree) };
    }
    let countries = names(document, table, "countries", |document, text, value| {
        if Country::parse(text).is_none() {
            document.wrong(
                value,
                format!("countries: {text:?} is no country"),
                "write two capital letters, such as CU",
            );
        }
    });
    let prefixes = names(document, table, "prefixes", |document, text, value| {
        if Number::from_digits(text.trim_start_matches('+').as_bytes()).is_none() {
            document.wrong(value, format!("prefixes: {text:?} is no prefix"), "write +881 or 881");
        }
    });
    let prefixes = prefixes.iter().map(|text| text.trim_start_matches('+').to_owned()).collect();
    let learn = match table.get("learn") {
        Some(value) => length(document, "learn", value)?,
        None => LEARN,
    };
    let learn = if what.is_first() { learn } else { Micros(0) };
    let rule = Rule {
        name: name.to_owned(),
        plans,
        accounts,
        what,
        per,
        limit,
        levels,
        currency,
        call_types,
        countries,
        prefixes,
        learn,
    };
    one_currency(document, table, &rule, known);
    Some(rule)
}

/// Amounts of several currencies are not to be compared with one limit.
fn one_currency(document: &mut Document<'_>, table: Table<'_, '_>, rule: &Rule, known: &Known<'_>) {
    if rule.what != What::Amount || rule.currency.is_some() || !rule.accounts.is_empty() {
        return;
    }
    let mut currencies: Vec<&str> =
        known.plans.iter().filter(|plan| rule.watches("", plan.0)).map(|plan| plan.1.as_str()).collect();
    currencies.sort_unstable();
    currencies.dedup();
    if currencies.len() > 1 {
        let message =
            format!("{}: its accounts are charged in {}, and it has one limit", rule.name, currencies.join(" and "));
        document.findings.warn(table.at, message, "write a rule for each, with currency or plans");
    }
}

/// What is measured and where 100 % lie: exactly one of the keys that say so.
fn measure<'t>(document: &mut Document<'t>, table: Table<'_, 't>) -> Option<(What, i64)> {
    let keys = ["amount", "minutes", "calls", "first"];
    let mut given = keys.iter().filter_map(|key| Some((*key, table.get(key)?)));
    let (Some((key, value)), another) = (given.next(), given.next()) else {
        let hint = "write amount, minutes, calls or first";
        document.findings.error(table.at, format!("{}: nothing is measured", table.name), hint);
        return None;
    };
    if let Some((other, value)) = another {
        document.wrong(value, format!("{}: {key} and {other}", table.name), "write a rule for each");
        return None;
    }
    if key == "first" {
        return match document.string("first", value)? {
            "country" => Some((What::NewCountry, 0)),
            "call_type" => Some((What::NewCallType, 0)),
            other => {
                document.wrong(value, format!("first: {other:?} is not known"), "write \"country\" or \"call_type\"");
                None
            }
        };
    }
    let what = match key {
        "amount" => What::Amount,
        "minutes" => What::Minutes,
        _ => What::Calls,
    };
    Some((what, limit(document, key, what, value)?))
}

/// A limit in its rule's unit: nano-units, microseconds, or calls.
fn limit<'t>(document: &mut Document<'t>, key: &str, what: What, value: Value<'_, 't>) -> Option<i64> {
    let (unit, decimals) = match what {
        What::Amount => (1_000_000_000, 9),
        What::Minutes => (60 * MICROS_PER_SECOND, 6),
        _ => (1, 0),
    };
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().replace('_', ""),
        _ => {
            document.wrong(value, format!("{key}: a number is expected"), "write 120 or, in quotes, \"12.50\"");
            return None;
        }
    };
    let read = Decimal::from_str_exact(&text).ok().filter(|number| number.normalize().scale() <= decimals);
    let read = read.and_then(|number| number.checked_mul(Decimal::from(unit))?.to_i64()).filter(|limit| *limit > 0);
    if read.is_none() {
        let hint = "write a number above 0, such as \"500\" or \"12.50\"";
        document.wrong(value, format!("{key}: {text:?} is no limit"), hint);
    }
    read
}

fn per<'t>(document: &mut Document<'t>, table: Table<'_, 't>, what: What) -> Option<Per> {
    let value = table.get("per");
    if what.is_first() {
        if let Some(value) = value {
            document.wrong(value, "per: a first time has none", "leave it out");
        }
        return Some(Per::Ever);
    }
    let hint = "write \"month\", \"day\", \"call\", or a length such as \"15m\"";
    let Some(value) = value else {
        document.findings.error(table.at, format!("{}: per is missing", table.name), hint);
        return None;
    };
    match document.string("per", value)? {
        "month" => Some(Per::Month),
        "day" => Some(Per::Day),
        "call" if what == What::Calls => {
            document.wrong(value, "per: calls of a call are one", "write minutes or amount");
            None
        }
        "call" => Some(Per::Call),
        text => match parse_length(text) {
            Some(length) if length >= LAST_MIN && length <= LAST_MAX && length.0 % LAST_MIN.0 == 0 => {
                Some(Per::Last(length))
            }
            Some(_) => {
                document.wrong(value, format!("per: {text:?}"), "write whole minutes, from 1m to 7d");
                None
            }
            None => {
                document.wrong(value, format!("per: {text:?} is not known"), hint);
                None
            }
        },
    }
}

fn levels<'t>(document: &mut Document<'t>, table: Table<'_, 't>) -> Vec<u32> {
    let Some(value) = table.get("levels") else { return vec![100] };
    let DeValue::Array(list) = value.get_ref() else {
        document.wrong(value, "levels: a list is expected", "write [50, 80, 100], per cent of the limit");
        return Vec::new();
    };
    let mut levels: Vec<u32> =
        list.iter().filter_map(|item| document.integer("levels", item, LEVEL_MAX)).map(|level| level as u32).collect();
    levels.sort_unstable();
    levels.dedup();
    if levels.is_empty() || levels.len() > LEVELS_MAX || levels.contains(&0) {
        document.wrong(value, "levels: 1 to 8 of them, none of them 0", "write [50, 80, 100], per cent of the limit");
    }
    levels
}

/// A list of texts, each looked at.
fn names<'t>(
    document: &mut Document<'t>,
    table: Table<'_, 't>,
    key: &str,
    mut look: impl FnMut(&mut Document<'t>, &str, Value<'_, 't>),
) -> Vec<String> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let listed = document.strings(key, value);
    if listed.is_empty() {
        document.wrong(value, format!("{key}: the list is empty"), "leave it out where all are meant");
    }
    for (text, value) in &listed {
        look(document, text, value);
    }
    listed.iter().map(|(text, _)| (*text).to_owned()).collect()
}

/// What an account has otherwise: `false`, or another limit.
fn different<'t>(
    document: &mut Document<'t>,
    rules: &Rules,
    name: &Spanned<std::borrow::Cow<'t, str>>,
    value: Value<'_, 't>,
) -> Option<Override> {
    let key = name.get_ref().as_ref();
    let Some(rule) = rules.rules.iter().find(|rule| rule.name == key) else {
        let hint =
            did_you_mean(key, rules.rules.iter().map(|rule| rule.name.as_str()), "write a [[rule]] of that name");
        document.findings.error(document.at(name), format!("there is no rule {key:?}"), hint);
        return None;
    };
    if let DeValue::Boolean(false) = value.get_ref() {
        return Some(Override::Off);
    }
    if rule.what.is_first() {
        document.wrong(value, format!("{key}: it has no limit"), "write false to leave the account out");
        return None;
    }
    limit(document, key, rule.what, value).map(Override::Limit)
}
