//! Reads `[holidays.NAME]`: days of every year, days around Easter, single dates.
//!
//! Does not know decks.

use toml::de::DeValue;

use super::HOLIDAY_KEYS;
use crate::tariff::bands::Holidays;
use crate::tariff::toml_cells::{Document, Table};

/// A list; what cannot be read is told.
pub(super) fn read<'t>(document: &mut Document<'t>, table: Table<'_, 't>) -> Holidays {
    document.known_keys(table, HOLIDAY_KEYS);
    let mut list = Holidays::default();
    if let Some(value) = table.get("yearly") {
        for (text, value) in document.strings("yearly", value) {
            // 29 February is a day, in a leap year.
            match date(&format!("2000-{text}")) {
                Some((_, month, day)) => list.yearly.push((month, day)),
                None => document.wrong(value, format!("yearly: {text:?} is no day"), "write month and day: \"12-25\""),
            }
        }
    }
    if let Some(value) = table.get("dates") {
        for (text, value) in document.strings("dates", value) {
            match date(text) {
                Some(date) => list.dates.push(date),
                None => document.wrong(value, format!("dates: {text:?} is no date"), "write \"2026-12-25\""),
            }
        }
    }
    if let Some(value) = table.get("easter") {
        const HINT: &str =
            "write days after Easter Sunday: [-2, 1, 39, 50] are Good Friday, Easter Monday, Ascension and Whit Monday";
        let DeValue::Array(days) = value.get_ref() else {
            document.wrong(value, "easter: a list of whole numbers is expected", HINT);
            return list;
        };
        for day in days.iter() {
            let read = match day.get_ref() {
                DeValue::Integer(n) => i16::from_str_radix(n.as_str(), n.radix()).ok(),
                _ => None,
            };
            match read.filter(|days| (-100..=250).contains(days)) {
                Some(days) => list.easter.push(days),
                None => document.wrong(day, "easter: not a number of days", HINT),
            }
        }
    }
    list.yearly.sort_unstable();
    list.easter.sort_unstable();
    list.dates.sort_unstable();
    if list.is_empty() {
        document.findings.warn(table.at, format!("holidays {:?} has no day", table.name), "");
    }
    list
}

fn date(text: &str) -> Option<(i16, i8, i8)> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    let date: jiff::civil::Date = shape.then(|| text.parse().ok())??;
    Some((date.year(), date.month(), date.day()))
}
