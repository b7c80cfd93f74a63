//! `[plan.NAME.tiers.NAME]`: prices that depend on how much was billed in the month.
//!
//! Does not know which number belongs where.

use toml::de::DeValue;

use super::allowances::{CALL_TYPES, calls_of, is_name};
use super::{INCLUDED_MINUTES_MAX, missing, tables};
use crate::money::Money;
use crate::tariff::findings::Place;
use crate::tariff::pools::PoolOf;
use crate::tariff::tiers::{LEVELS_MAX, Level, LevelPrice, TIERS_MAX, Tier, WHOLE};
use crate::tariff::toml_cells::{Document, Table};

const KEYS: &[&str] = &["of", "levels"];
const LEVEL_KEYS: &[&str] = &["after_minutes", "rate", "discount"];
const EXAMPLE: &str =
    "levels = [{ after_minutes = 10000, discount = \"10%\" }, { after_minutes = 50000, rate = \"0.008\" }]";

/// A tier as its file has it.
#[derive(Clone, Debug)]
pub struct TierText {
    /// What it says.
    pub tier: Tier,
    /// Where its table begins.
    pub at: Place,
    /// Where each entry of `of` stands; none where it has none.
    pub of_at: Vec<Place>,
}

/// All of a plan, by name.
pub(super) fn read<'t>(document: &mut Document<'t>, plan: Table<'_, 't>) -> Vec<TierText> {
    let mut tiers: Vec<TierText> = Vec::new();
    for (name, table) in tables(document, plan, "tiers") {
        if is_name(document, "tiers", name, table.at) {
            tiers.extend(tier(document, name, table));
        }
    }
    tiers.sort_by(|a, b| a.tier.name.cmp(&b.tier.name));
    if let Some(beyond) = tiers.get(TIERS_MAX) {
        let message = format!("more than {TIERS_MAX} tiers in one plan");
        document.findings.error(beyond.at, message, "put what is alike into one `of`");
    }
    tiers
}

fn tier<'t>(document: &mut Document<'t>, name: &str, table: Table<'_, 't>) -> Option<TierText> {
    document.known_keys(table, KEYS);
    let (of, of_at) = match table.get("of") {
        // Whatever costs something.
        None => (CALL_TYPES.map(PoolOf::CallType).to_vec(), Vec::new()),
        Some(value) => calls_of(document, name, value),
    };
    let Some(value) = table.get("levels") else { return missing(document, table, "levels", EXAMPLE) };
    let DeValue::Array(list) = value.get_ref() else {
        document.wrong(value, format!("{name}: levels are a list"), format!("write {EXAMPLE}"));
        return None;
    };
    if list.is_empty() || list.len() > LEVELS_MAX {
        document.wrong(value, format!("{name}: {} levels", list.len()), format!("write 1 to {LEVELS_MAX}"));
    }
    let mut levels: Vec<Level> = Vec::new();
    for value in list.iter() {
        let Some(level) = document.table("levels", value).and_then(|table| level(document, table)) else { continue };
        if let Some(last) = levels.last() {
            if level.after <= last.after {
                let message =
                    format!("{name}: a level after {} min behind one after {} min", level.after / 60, last.after / 60);
                document.wrong(value, message, "write levels in the order in which they are reached");
                continue;
            }
            let dearer = match (last.price, level.price) {
                (LevelPrice::Rate(before), LevelPrice::Rate(now)) => now > before,
                (LevelPrice::Discount(before), LevelPrice::Discount(now)) => now < before,
                _ => false,
            };
            if dearer {
                let message = format!("{name}: {} after {}: who talks more pays more", level.price, last.price);
                document.findings.warn(document.at(value), message, "");
            }
        }
        levels.push(level);
    }
    Some(TierText { tier: Tier::new(name, of, levels), at: table.at, of_at })
}

fn level<'t>(document: &mut Document<'t>, table: Table<'_, 't>) -> Option<Level> {
    document.known_keys(table, LEVEL_KEYS);
    let Some(after) = table.get("after_minutes") else {
        return missing(document, table, "after_minutes", EXAMPLE);
    };
    let after = document.integer("after_minutes", after, INCLUDED_MINUTES_MAX)? * 60;
    let price = match (table.get("rate"), table.get("discount")) {
        (Some(rate), None) => LevelPrice::Rate(document.amount("rate", rate)?),
        (None, Some(value)) => {
            let text = document.string("discount", value)?;
            let Some(part) = discount(text) else {
                let hint = "write a percentage with at most one decimal, up to 100: \"10%\", \"12.5%\"";
                document.wrong(value, format!("discount: {text:?} is no discount"), hint);
                return None;
            };
            LevelPrice::Discount(part)
        }
        _ => {
            let message = "a level has either a rate or a discount";
            document.findings.error(table.at, message, format!("write {EXAMPLE}"));
            return None;
        }
    };
    Some(Level { after, price })
}

/// Thousandths.
fn discount(text: &str) -> Option<u16> {
    let percent = Money::parse(text.strip_suffix('%')?.trim_end()).ok()?;
    let part = percent.0 / 100_000_000;
    let exact = percent.0 % 100_000_000 == 0;
    u16::try_from(part).ok().filter(|part| exact && (1..=WHOLE).contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discount_is_a_percentage() {
        for (text, part) in [
            ("10%", Some(100)),
            ("12.5 %", Some(125)),
            ("100%", Some(1000)),
            ("0.1%", Some(1)),
            ("0%", None),
            ("0.05%", None),
            ("101%", None),
            ("-5%", None),
            ("10", None),
            ("%", None),
        ] {
            assert_eq!(discount(text), part, "{text}");
        }
    }
}
