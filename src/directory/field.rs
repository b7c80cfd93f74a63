//! The text of one cell → a checked value, or what is wrong with it.
//!
//! Does not know rows, columns or files.

use super::table::{Fault, clip};
use crate::nearest::nearest_of;
use crate::number::Number;
use crate::tariff::free;
use crate::time::{Timestamp, Zone, day_start, parse_rfc3339};

/// Longest name of an account, group or plan, in bytes; URLs, file names and labels hold it comfortably.
pub const NAME_BYTES_MAX: usize = 128;

/// Longest display name in bytes; its length is one byte in the image.
pub const DISPLAY_BYTES_MAX: usize = 255;

/// Most digits of an E.164 number (ITU-T E.164, 6.1).
const E164_DIGITS_MAX: usize = 15;

/// Fewest digits taken for a number with its country code; shorter ones are short codes or extensions.
const E164_DIGITS_MIN: usize = 4;

/// Most digits of an extension, so that a range's ends fit into one word with their length.
const EXTENSION_DIGITS_MAX: usize = 15;

/// Most lists of free numbers of an account: each costs a look-up for every call.
const FREE_LISTS_MAX: usize = 8;

/// Languages of call details, in the order of their codes in the image.
pub const LANGUAGES: [&str; 3] = ["en", "de", "it"];

/// A date or an instant as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    Day { year: i16, month: i8, day: i8 },
    Instant(Timestamp),
}

impl Moment {
    /// The instant: 00:00 of a day in the zone. None outside the years that civil time is kept for.
    pub fn at(self, zone: &Zone) -> Option<Timestamp> {
        match self {
            Moment::Day { year, month, day } => day_start(year, month, day, zone),
            Moment::Instant(at) => Some(at),
        }
    }
}

/// Name of an account or group.
pub fn name(what: &str, text: &str) -> Result<(), Fault> {
    plan_name(what, text)?;
    match text.contains('/') {
        true => Err(Fault::new(
            format!("{what} {:?} holds a /", clip(text)),
            "a name stands in URLs, so / is kept out; write - instead",
        )),
        false => Ok(()),
    }
}

/// Name of a plan.
pub fn plan_name(what: &str, text: &str) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(Fault::new(format!("the {what} is empty"), format!("every row names its {what}")));
    }
    length(what, text, NAME_BYTES_MAX)
}

/// What people call an account.
pub fn display_name(text: &str) -> Result<(), Fault> {
    length("name", text, DISPLAY_BYTES_MAX)
}

fn length(what: &str, text: &str, max: usize) -> Result<(), Fault> {
    if text.len() > max {
        let message = format!("{what} {:?}… is {} bytes long", clip(text), text.len());
        return Err(Fault::new(message, format!("at most {max} bytes")));
    }
    if text.chars().any(char::is_control) {
        let message = format!("{what} {:?} holds a control character", clip(text));
        return Err(Fault::new(message, "take out tabs and other invisible characters"));
    }
    Ok(())
}

/// Two capital letters.
pub fn country(text: &str) -> Result<[u8; 2], Fault> {
    let hint = "write the two capital letters of ISO 3166, such as DE or US";
    match text.as_bytes() {
        [] => Err(Fault::new("the country is empty", hint)),
        b"UK" => Err(Fault::new("\"UK\" is not a country of ISO 3166", "the United Kingdom is GB")),
        [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok([*a, *b]),
        _ => Err(Fault::new(format!("{:?} is not a country", clip(text)), hint)),
    }
}

/// The zone and its name as the database writes it.
pub fn zone(text: &str) -> Result<(String, Zone), Fault> {
    let zone = Zone::named(text).map_err(|_| {
        let hint = match nearest_zone(text) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "write an IANA name such as \"Europe/Berlin\" or \"UTC\"".to_owned(),
        };
        Fault::new(format!("unknown time zone {:?}", clip(text)), hint)
    })?;
    Ok((zone.jiff().iana_name().unwrap_or(text).to_owned(), zone))
}

/// A zone whose name, or whose city alone, is almost this.
fn nearest_zone(text: &str) -> Option<String> {
    let zones = jiff::tz::TimeZoneDatabase::bundled();
    let names: Vec<String> = zones.available().map(|name| name.as_str().to_owned()).collect();
    let spellings =
        names.iter().flat_map(|name| [(name.as_str(), name), (name.rsplit('/').next().unwrap_or(name), name)]);
    nearest_of(&text.replace(' ', "_"), spellings).cloned()
}

/// Index in [`LANGUAGES`]; `de-AT` and `DE` are `de`. An unknown one is a warning, its calls are listed in English.
pub fn language(text: &str) -> Result<u8, Fault> {
    let primary = text.split(['-', '_']).next().unwrap_or("").to_ascii_lowercase();
    match LANGUAGES.iter().position(|l| *l == primary) {
        Some(i) => Ok(i as u8),
        None if text.is_empty() => Ok(0),
        None => Err(Fault::new(
            format!("unknown language {:?}: en is taken", clip(text)),
            format!("known languages: {}", LANGUAGES.join(", ")),
        )),
    }
}

/// `2026-10-01` or RFC 3339 with an offset.
pub fn moment(what: &str, text: &str) -> Result<Moment, Fault> {
    if let Some(at) = parse_rfc3339(text.as_bytes()) {
        return Ok(Moment::Instant(at));
    }
    let midnight = format!("{text}T00:00:00Z");
    if text.len() == 10 && parse_rfc3339(midnight.as_bytes()).is_some() {
        let part = |range| text.get(range).and_then(|t: &str| t.parse().ok()).unwrap_or(0);
        let (year, month, day) = (part(0..4), part(5..7) as i8, part(8..10) as i8);
        return Ok(Moment::Day { year, month, day });
    }
    let hint = match parse_rfc3339(format!("{text}Z").as_bytes()) {
        Some(_) => format!("add the offset, such as {text}Z or {text}+02:00"),
        None => "write a day (2026-10-01) or an instant with its offset (2026-10-01T06:00:00+02:00)".to_owned(),
    };
    Err(Fault::new(format!("{what} {:?} is neither a day nor an instant", clip(text)), hint))
}

/// An E.164 number with or without `+`, spaces between digits.
pub fn number(text: &str) -> Result<Number, Fault> {
    let mut digits = [0; E164_DIGITS_MAX + 1];
    let mut n = 0;
    for c in text.strip_prefix('+').unwrap_or(text).chars().filter(|c| !c.is_whitespace()) {
        if !c.is_ascii_digit() {
            let hint = match c {
                'e' | 'E' => "a spreadsheet wrote it in short: format the column as text",
                '-' => "one number in a row, digits and spaces only",
                _ => "write country code and number, digits only, such as +4930123456",
            };
            return Err(Fault::new(format!("number {:?} holds {c:?}", clip(text)), hint));
        }
        if let Some(digit) = digits.get_mut(n) {
            *digit = c as u8;
        }
        n += 1;
    }
    if digits[0] == b'0' {
        let message = format!("number {:?} begins with 0", clip(text));
        return Err(Fault::new(message, "write it with its country code, such as +4930123456"));
    }
    if !(E164_DIGITS_MIN..=E164_DIGITS_MAX).contains(&n) {
        let message = format!("number {:?} has {n} digits", clip(text));
        return Err(Fault::new(message, format!("E.164 numbers have {E164_DIGITS_MIN} to {E164_DIGITS_MAX}")));
    }
    Number::from_digits(&digits[..n]).ok_or_else(|| Fault::new("not a number", "digits only"))
}

/// `hotline;service` → names of lists of free numbers in order, `;` between them.
pub fn free_lists(text: &str) -> Result<String, Fault> {
    let mut names: Vec<&str> = text.split([';', ',', ' ']).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    if let Some(bad) = names.iter().find(|name| !free::is_name(name)) {
        let message = format!("{:?} is no name of a list of free numbers", clip(bad));
        return Err(Fault::new(message, "letters, digits, -, _ and . only: that of a file in free/"));
    }
    let joined = names.join(";");
    if names.len() > FREE_LISTS_MAX || joined.len() > usize::from(u8::MAX) {
        let message = format!("{} lists of free numbers", names.len());
        return Err(Fault::new(message, format!("at most {FREE_LISTS_MAX}, and 255 bytes: put them into one")));
    }
    Ok(joined)
}

/// `100-199;2001` → ranges of [`extension_key`]s, sorted, apart from each other.
pub fn extensions(text: &str) -> Result<Vec<(u64, u64)>, Fault> {
    let mut ranges = Vec::new();
    for part in text.split(|c: char| c == ';' || c == ',' || c.is_whitespace()).filter(|p| !p.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (Some(low), Some(high)) = (extension_key(from.as_bytes()), extension_key(to.as_bytes())) else {
            let message = format!("{:?} is not an extension", clip(part));
            let hint = format!(
                "write extensions of 1 to {EXTENSION_DIGITS_MAX} digits and ranges without spaces, such as 100-199;2001"
            );
            return Err(Fault::new(message, hint));
        };
        if from.len() != to.len() || low > high {
            let message = format!("{:?} is not a range of extensions", clip(part));
            let hint = "both ends have as many digits, the smaller first, such as 100-199";
            return Err(Fault::new(message, hint));
        }
        ranges.push((low, high));
    }
    ranges.sort_unstable();
    // Neighbours are joined, so that one set of extensions has one form. Keys of different lengths never touch.
    ranges.dedup_by(|next, kept| {
        let joined = next.0 <= kept.1 + 1;
        if joined {
            kept.1 = kept.1.max(next.1);
        }
        joined
    });
    Ok(ranges)
}

/// How many digits the extension of a key has.
pub fn key_digits(key: u64) -> usize {
    (key >> 56) as usize
}

/// Length and value of the digits in one word, so that `0100` and `100` differ; none if they cannot be an extension.
pub fn extension_key(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > EXTENSION_DIGITS_MAX {
        return None;
    }
    let mut value = 0;
    for b in digits {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some((digits.len() as u64) << 56 | value)
}
