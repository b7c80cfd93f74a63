//! Reads the prefix cell of a deck: `+49 151`, `0049151`, lists, ranges, short codes.
//!
//! Does not know rates.

use super::deck::ShortCodes;
use crate::number::{Country, Number};

/// Most prefixes one cell may stand for: a range over four digits.
const CELL_MAX: usize = 10_000;
/// E.164's longest number.
const E164_MAX: usize = 15;

type Bad = (String, String);

/// All prefixes of a cell, at least one.
pub fn read(cell: &str, short_codes: ShortCodes<'_>) -> Result<Vec<Number>, Bad> {
    let mut all = Vec::new();
    for part in cell.split([';', ',']).map(str::trim) {
        if part.is_empty() {
            return Err((format!("{cell:?} has an empty place in its list"), "write 4470;4471".to_owned()));
        }
        match part.split_once(':') {
            Some((country, digits)) => all.push(short_code(part, country, digits, short_codes)?),
            None => match part.split_once('-') {
                Some((from, to)) => range(part, from, to, &mut all)?,
                None => all.push(one(part)?),
            },
        }
        if all.len() > CELL_MAX {
            return Err((format!("more than {CELL_MAX} prefixes in one cell"), "write a shorter prefix".to_owned()));
        }
    }
    Ok(all)
}

/// Whether it looks like 4950000000000, which spreadsheets make of 4.95E+12: no prefix is as long as that and ends in
/// six zeros.
pub fn looks_rounded(prefix: Number) -> bool {
    let (digits, n) = prefix.digits();
    // Keys of short codes begin with 0, prefixes never do.
    n >= 11 && digits.first() != Some(&b'0') && digits[..n].ends_with(b"000000")
}

fn one(text: &str) -> Result<Number, Bad> {
    let digits = digits(text)?;
    Number::from_digits(digits.as_bytes()).ok_or_else(|| (format!("{text:?} is not a prefix"), String::new()))
}

/// Digits of an international prefix.
fn digits(text: &str) -> Result<String, Bad> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let plain = compact.strip_prefix('+').or_else(|| compact.strip_prefix("00")).unwrap_or(&compact);
    let bad = |why: &str, hint: &str| Err((format!("{text:?} {why}"), hint.to_owned()));
    if plain.is_empty() {
        return bad("holds no digits", "write the calling code and what follows, such as 4930");
    }
    if !plain.bytes().all(|b| b.is_ascii_digit()) {
        let lower = plain.to_ascii_lowercase();
        if lower.contains("e+") && lower.bytes().any(|b| b.is_ascii_digit()) {
            return bad("was made a rounded number by a spreadsheet", "export the column as text");
        }
        if lower.contains(['x', '*', '.', '^', '[']) {
            return bad("is a pattern", "write the prefixes it stands for; a prefix matches all that begins with it");
        }
        return bad("is not digits", "write digits, +, 00, a range 4470-4479 or a list 4470;4471");
    }
    if plain.starts_with('0') {
        return bad("begins with 0", "write the calling code in front, without the trunk 0");
    }
    if plain.len() > E164_MAX {
        return bad("has more than 15 digits", "no number is longer");
    }
    Ok(plain.to_owned())
}

fn range(part: &str, from: &str, to: &str, all: &mut Vec<Number>) -> Result<(), Bad> {
    let hint = || "both ends have the same number of digits: 4470-4479".to_owned();
    let (from, to) = (digits(from)?, digits(to)?);
    if from.len() != to.len() {
        return Err((format!("range {part:?} has ends of different length"), hint()));
    }
    // At most 15 digits: they fit.
    let (low, high) = (from.parse::<u64>().unwrap_or(0), to.parse::<u64>().unwrap_or(0));
    if high < low {
        return Err((format!("range {part:?} runs backwards"), hint()));
    }
    if high - low >= CELL_MAX as u64 {
        return Err((
            format!("range {part:?} stands for more than {CELL_MAX} prefixes"),
            "write a shorter prefix".to_owned(),
        ));
    }
    all.extend((low..=high).filter_map(|n| Number::from_digits(n.to_string().as_bytes())));
    Ok(())
}

/// `DE:118`, or `DE:118*`, which means the same: a short code matches all that begins with it, like any prefix.
fn short_code(part: &str, country: &str, digits: &str, short_codes: ShortCodes<'_>) -> Result<Number, Bad> {
    let hint = || "a short code is written as country and digits: DE:118".to_owned();
    let country = Country::parse(country.trim()).ok_or_else(|| (format!("{part:?} names no country"), hint()))?;
    let digits: String = digits.strip_suffix('*').unwrap_or(digits).chars().filter(|c| !c.is_whitespace()).collect();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err((format!("{part:?} is not a short code"), hint()));
    }
    short_codes(country, digits.as_bytes()).ok_or_else(|| {
        (format!("{part:?}: country {country} is not in countries.toml, or the code is too long"), hint())
    })
}
