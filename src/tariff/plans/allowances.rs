//! `[plan.NAME.allowances.NAME]`: pools of minutes for some calls.
//!
//! Does not know which number belongs where.

use toml::de::DeValue;

use super::{KINDS, kind_bit, missing, tables};
use crate::call::{CallType, Meter};
use crate::nearest::did_you_mean;
use crate::number::{Country, Number};
use crate::tariff::Allowance;
use crate::tariff::findings::Place;
use crate::tariff::pools::{POOLS_MAX, Pool, PoolOf};
use crate::tariff::rollover::{Rollover, handed_on};
use crate::tariff::toml_cells::{Document, Table};

const KEYS: &[&str] = &["minutes", "of", "rollover"];
/// Longest name of a pool.
const NAME_MAX: usize = 32;
/// Call types that cost something, so that minutes can cover them.
pub(super) const CALL_TYPES: [CallType; 4] =
    [CallType::Included, CallType::International, CallType::DomesticPremium, CallType::TollFree];

/// A pool as its file has it.
#[derive(Clone, Debug)]
pub struct PoolText {
    /// What it says.
    pub pool: Pool,
    /// Where its table begins.
    pub at: Place,
    /// Where each entry of `of` stands.
    pub of_at: Vec<Place>,
}

/// The plan's own minutes.
pub(super) fn of_plan<'t>(document: &mut Document<'t>, table: Table<'_, 't>) -> Allowance {
    table.get("included_minutes").map_or(Allowance::Seconds(0), |value| minutes(document, "included_minutes", value))
}

/// A whole number, or no limit.
fn minutes<'t>(document: &mut Document<'t>, key: &str, value: &toml::Spanned<DeValue<'t>>) -> Allowance {
    match value.get_ref() {
        DeValue::String(text) if text == "unlimited" => Allowance::Unlimited,
        DeValue::String(text) => {
            document.wrong(value, format!("{key}: {text:?} is not known"), "write a whole number or \"unlimited\"");
            Allowance::Seconds(0)
        }
        _ => Allowance::Seconds(document.integer(key, value, super::INCLUDED_MINUTES_MAX).unwrap_or(0) * 60),
    }
}

/// All of a plan, by name.
pub(super) fn read<'t>(document: &mut Document<'t>, plan: Table<'_, 't>) -> Vec<PoolText> {
    let mut pools: Vec<PoolText> = Vec::new();
    for (name, table) in tables(document, plan, "allowances") {
        if is_name(document, "allowances", name, table.at) {
            pools.extend(pool(document, name, table));
        }
    }
    pools.sort_by(|a, b| a.pool.name.cmp(&b.pool.name));
    if let Some(beyond) = pools.get(POOLS_MAX) {
        let message = format!("more than {POOLS_MAX} allowances in one plan");
        document.findings.error(beyond.at, message, "put what is alike into one `of`");
    }
    for (i, pool) in pools.iter().enumerate() {
        warn_of_overlap(document, &pools[..i], pool);
    }
    pools
}

/// Names become names of counters, and stand in texts that nobody escapes.
pub(super) fn is_name(document: &mut Document<'_>, what: &str, name: &str, at: Place) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let fits = !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(plain);
    if !fits {
        let message = format!("{what}: {name:?} cannot be a name");
        document.findings.error(at, message, "write at most 32 of a-z, 0-9, - and _");
    }
    fits
}

/// Two pools that mean the same calls equally closely: the name decides, which nobody may have thought of.
fn warn_of_overlap(document: &mut Document<'_>, before: &[PoolText], pool: &PoolText) {
    let alike = |a: &PoolOf, b: &PoolOf| match (a, b) {
        (PoolOf::Country(a, first), PoolOf::Country(b, second)) => {
            a == b && first & second != 0 && first.is_power_of_two() == second.is_power_of_two()
        }
        (a, b) => a == b,
    };
    for (of, at) in pool.pool.of.iter().zip(&pool.of_at) {
        for other in before.iter().filter(|other| other.pool.of.iter().any(|that| alike(that, of))) {
            let message = format!("allowances {:?} and {:?} overlap at {of}", other.pool.name, pool.pool.name);
            document.findings.warn(*at, message, format!("{:?} is drawn first, by its name", other.pool.name));
        }
    }
}

fn pool<'t>(document: &mut Document<'t>, name: &str, table: Table<'_, 't>) -> Option<PoolText> {
    document.known_keys(table, KEYS);
    let allowance = match table.get("minutes") {
        None => {
            missing::<()>(document, table, "minutes", "minutes = 200");
            Allowance::Seconds(0)
        }
        Some(value) => {
            let allowance = minutes(document, "minutes", value);
            if allowance == Allowance::Seconds(0) {
                document.wrong(value, format!("{name}: an allowance of 0 minutes gives nothing"), "leave it out");
            }
            allowance
        }
    };
    let Some(value) = table.get("of") else {
        return missing(document, table, "of", "of = [\"DE:mobile\", \"+4479\", \"international\"]");
    };
    let (of, of_at) = calls_of(document, name, value);
    let rollover = super::rollover::read(document, table, allowance).map(|terms| Rollover::new(name, terms));
    let (meter, handed_on) = (Meter::named(name), handed_on(name));
    let pool = Pool { name: name.to_owned(), meter, handed_on, allowance, rollover, of };
    Some(PoolText { pool, at: table.at, of_at })
}

/// The calls of `of`, each with its place.
pub(super) fn calls_of<'t>(
    document: &mut Document<'t>,
    name: &str,
    value: &toml::Spanned<DeValue<'t>>,
) -> (Vec<PoolOf>, Vec<Place>) {
    let (mut of, mut of_at) = (Vec::new(), Vec::new());
    for (text, item) in document.strings("of", value) {
        match entry(text) {
            Ok(entry) => {
                of.push(entry);
                of_at.push(document.at(item));
            }
            Err((message, hint)) => document.wrong(item, format!("of: {message}"), hint),
        }
    }
    if matches!(value.get_ref(), DeValue::Array(list) if list.is_empty()) {
        document.wrong(value, format!("{name}: no call draws it"), "name calls: of = [\"DE:mobile\"]");
    }
    (of, of_at)
}

fn entry(text: &str) -> Result<PoolOf, (String, String)> {
    if let Some(digits) = text.strip_prefix('+') {
        let number = Number::from_digits(digits.as_bytes()).filter(|number| !number.is_empty());
        return number.map(PoolOf::Prefix).ok_or_else(|| {
            (format!("{text:?} is no prefix"), "write + and the first digits with the calling code: +4479".to_owned())
        });
    }
    if text == "off_net" {
        return Ok(PoolOf::OffNet);
    }
    if let Some(call_type) = CallType::named(text) {
        return match CALL_TYPES.contains(&call_type) {
            true => Ok(PoolOf::CallType(call_type)),
            false => Err((
                format!("{text} calls draw no minutes"),
                "call types that do: included, international, domestic_premium, toll_free".to_owned(),
            )),
        };
    }
    let (country, kind) = text.split_once(':').map_or((text, None), |(country, kind)| (country, Some(kind)));
    let Some(country) = Country::parse(country) else {
        let known = CALL_TYPES.iter().map(|call_type| call_type.name()).chain(["off_net"]);
        let hint = "write a country \"CA\", one of its kinds \"DE:mobile\", a prefix \"+4479\", or a call type";
        return Err((format!("{text:?} names no calls"), did_you_mean(text, known, hint)));
    };
    let kinds = match kind {
        None => super::IN_PLAN,
        Some(kind) => match KINDS.iter().find(|(name, _)| *name == kind) {
            Some((_, kind)) => kind_bit(*kind),
            None => {
                let names = KINDS.iter().map(|(name, _)| *name);
                let hint = did_you_mean(kind, names, "kinds are fixed, mobile, fixed_or_mobile, …");
                return Err((format!("{kind:?} is no kind of number"), hint));
            }
        },
    };
    Ok(PoolOf::Country(country, kinds))
}
