//! Lengths of time as `guards.toml` has them: `90s`, `15m`, `24h`, `14d`.
//!
//! Does not know what they are for.

use toml::Spanned;
use toml::de::DeValue;

use crate::tariff::toml_cells::Document;
use crate::time::Micros;

/// The length behind a key.
pub(super) fn length<'t>(document: &mut Document<'t>, key: &str, value: &Spanned<DeValue<'t>>) -> Option<Micros> {
    let text = document.string(key, value)?;
    let read = parse_length(text);
    if read.is_none() {
        document.wrong(value, format!("{key}: {text:?} is no length of time"), "write 24h or 14d");
    }
    read
}

/// `15m`, `24h`, `14d`, `90s`.
pub(super) fn parse_length(text: &str) -> Option<Micros> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let number: i64 = number.parse().ok().filter(|number| (0..=100_000).contains(number))?;
    Some(Micros::seconds(number * seconds))
}
