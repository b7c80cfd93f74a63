//! Amounts as suppliers write them: `$0.0125`, `0,0125 EUR`, `1.234,50`. One cell seldom tells what its comma means; the
//! column does.
//!
//! Does not know rows or what an amount is for.

use serde::{Deserialize, Serialize};

use crate::money::{BadMoney, Money};

type Bad = (String, String);

/// What stands before the decimals.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Mark {
    /// `0.02`
    #[serde(rename = ".")]
    Point,
    /// `0,02`
    #[serde(rename = ",")]
    Comma,
}

/// Symbols and the currencies they stand for. A dollar may be another's dollar, so the report shows what was taken.
const SYMBOLS: [(&str, [u8; 3]); 7] =
    [("US$", *b"USD"), ("R$", *b"BRL"), ("$", *b"USD"), ("€", *b"EUR"), ("£", *b"GBP"), ("¥", *b"JPY"), ("₹", *b"INR")];
/// Currencies decks are traded in, by their code.
const CODES: [&str; 36] = [
    "USD", "EUR", "GBP", "BRL", "CAD", "AUD", "CHF", "JPY", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "RON", "BGN",
    "TRY", "RUB", "UAH", "INR", "CNY", "HKD", "SGD", "NZD", "ZAR", "MXN", "ARS", "CLP", "COP", "PEN", "AED", "SAR",
    "ILS", "KRW", "THB", "MYR",
];

/// A currency by its code, in any letters.
pub fn currency(text: &str) -> Option<[u8; 3]> {
    let upper = text.trim().to_ascii_uppercase();
    if let Some((_, code)) = SYMBOLS.iter().find(|(symbol, _)| *symbol == upper) {
        return Some(*code);
    }
    CODES.iter().find(|code| **code == upper).and_then(|code| code.as_bytes().try_into().ok())
}

/// An amount without its currency: digits, points, commas, spaces and apostrophes; and the currency.
fn bare(text: &str) -> (&str, Option<[u8; 3]>) {
    let mut rest = text.trim();
    for (symbol, code) in SYMBOLS {
        if let Some(plain) = rest.strip_prefix(symbol).or_else(|| rest.strip_suffix(symbol)) {
            return (plain.trim(), Some(code));
        }
    }
    for at in [rest.len().checked_sub(3), Some(3)].into_iter().flatten() {
        let Some((front, end)) = rest.split_at_checked(at) else { continue };
        if let Some(code) = currency(end) {
            return (front.trim(), Some(code));
        }
        if let Some(code) = currency(front) {
            return (end.trim(), Some(code));
        }
    }
    rest = rest.trim();
    (rest, None)
}

/// Whether `whole` and `part` could be thousands: `1` and `234`.
fn groups(whole: &str, part: &str) -> bool {
    (1..=3).contains(&whole.len()) && !whole.starts_with('0') && part.len() == 3
}

/// What one cell tells about the decimal mark: nothing, where it can be read in two ways.
pub fn tells(text: &str) -> Option<Mark> {
    let plain = bare(text).0;
    match (plain.rfind('.'), plain.rfind(',')) {
        (None, None) => None,
        (Some(point), Some(comma)) => Some(if point > comma { Mark::Point } else { Mark::Comma }),
        (at, comma) => {
            let (mark, other) = if at.is_some() { (Mark::Point, Mark::Comma) } else { (Mark::Comma, Mark::Point) };
            let (whole, part) = plain.split_at_checked(at.or(comma)?)?;
            let part = part.get(1..).unwrap_or("");
            if whole.contains(['.', ',']) {
                return Some(other);
            }
            (!groups(whole, part)).then_some(mark)
        }
    }
}

/// Whether a comma stands there that may be either mark.
pub fn doubtful(text: &str) -> bool {
    text.contains(',') && tells(text).is_none()
}

/// Reads an amount that is not negative, and its currency if it has one.
pub fn read(text: &str, mark: Mark) -> Result<(Money, Option<[u8; 3]>), Bad> {
    let (plain, currency) = bare(text);
    let wrong = |why: &str, hint: &str| Err((format!("{text:?} {why}"), hint.to_owned()));
    if let Some((front, power)) = plain.split_once(['E', 'e'])
        && [front, power.trim_start_matches(['-', '+'])]
            .iter()
            .all(|part| part.starts_with(|c: char| c.is_ascii_digit()))
    {
        let hint = "give the column a number format with all decimals, and save it again";
        return wrong("is how a spreadsheet writes very small numbers, rounded", hint);
    }
    if plain.starts_with(['-', '(']) && plain.bytes().any(|b| b.is_ascii_digit()) {
        return wrong("is negative", "credits are not prices");
    }
    if plain.contains(['-', '–']) && plain.bytes().any(|b| b.is_ascii_digit()) {
        return wrong("is a range of prices", "ask the supplier which one holds");
    }
    // `0.125` is no thousand, whatever the mark of the deck.
    if tells(text).is_some_and(|told| told != mark) {
        return wrong("is not an amount", "write a plain decimal number such as 0.0125");
    }
    let (decimal, thousands) = match mark {
        Mark::Point => ('.', ','),
        Mark::Comma => (',', '.'),
    };
    let (whole, part) = plain.split_once(decimal).unwrap_or((plain, ""));
    let mut digits = String::with_capacity(plain.len());
    for (i, group) in whole.split([thousands, ' ', '\u{a0}', '\'']).enumerate() {
        if i > 0 && group.len() != 3 {
            return wrong("is not an amount", "write a plain decimal number such as 0.0125");
        }
        digits.push_str(group);
    }
    if !part.is_empty() {
        digits.push('.');
        digits.push_str(part);
    }
    match Money::parse(&digits) {
        Ok(money) => Ok((money, currency)),
        Err(BadMoney::NotDecimal) => wrong("is not an amount", "write a plain decimal number such as 0.0125"),
        Err(BadMoney::TooFine) => wrong("has more than nine decimals", "write at most nine decimals"),
        Err(BadMoney::TooLarge) => wrong("is larger than any price", "has a decimal point been lost?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_many_hands() {
        use Mark::{Comma, Point};
        for (text, mark, expected) in [
            ("0.0125", Point, "0.0125"),
            ("$0.377", Point, "0.377 USD"),
            ("€ 0,0125", Comma, "0.0125 EUR"),
            ("0,0125 EUR", Comma, "0.0125 EUR"),
            ("GBP1.5", Point, "1.5 GBP"),
            ("R$ 1,50", Comma, "1.5 BRL"),
            ("1,234.50", Point, "1234.5"),
            ("1.234,50", Comma, "1234.5"),
            ("1 234,5", Comma, "1234.5"),
            ("1'234.5", Point, "1234.5"),
            (".5", Point, "0.5"),
            ("12,34.5", Point, "!is not an amount"),
            ("-0.5", Point, "!is negative"),
            ("$0.377-$0.604", Point, "!is a range of prices"),
            ("3.83E-05", Point, "!is how a spreadsheet writes very small numbers, rounded"),
            ("4,2e-3", Comma, "!is how a spreadsheet writes very small numbers, rounded"),
            ("1.5ETB", Point, "!is not an amount"),
            ("n/a", Point, "!is not an amount"),
            ("", Point, "!is not an amount"),
            ("1.2.3", Point, "!is not an amount"),
            ("0.125", Comma, "!is not an amount"),
            ("0.12345678912", Point, "!has more than nine decimals"),
            ("2000000", Point, "!is larger than any price"),
        ] {
            let shown = match read(text, mark) {
                Ok((money, None)) => money.to_string(),
                Ok((money, Some(code))) => format!("{money} {}", String::from_utf8_lossy(&code)),
                Err((why, _)) => format!("!{}", why.trim_start_matches(&format!("{text:?} "))),
            };
            assert_eq!(shown, expected, "{text:?}");
        }
    }

    #[test]
    fn what_a_cell_tells_of_the_decimal_mark() {
        use Mark::{Comma, Point};
        for (text, expected) in [
            ("0.02", Some(Point)),
            ("0,02", Some(Comma)),
            ("0,125", Some(Comma)),
            ("1,234", None),
            ("1.234", None),
            ("1,234,567", Some(Point)),
            ("1,234.5", Some(Point)),
            ("1.234,5", Some(Comma)),
            ("12", None),
            ("$1,5", Some(Comma)),
        ] {
            assert_eq!(tells(text), expected, "{text}");
        }
    }
}
