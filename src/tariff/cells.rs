//! Reads the cells of a deck: amounts with point or comma, seconds, dates, flags.
//!
//! Does not know columns or rows.

use super::condition::Jurisdiction;
use super::findings::{Findings, Place};
use super::steps::STEP_SECONDS_MAX;
use crate::call::{CallType, StepMode};
use crate::money::{BadMoney, Money};
use crate::nearest::did_you_mean;
use crate::time::{MICROS_PER_SECOND, Micros, Timestamp, Zone, day_start, parse_rfc3339};

type Bad = (String, String);

fn bad<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Bad> {
    Err((message.into(), hint.into()))
}

/// How a deck writes amounts: what one cell cannot tell, others may.
#[derive(Debug)]
pub struct Style {
    comma_separates: bool,
    /// Where a comma was certainly a decimal comma.
    decimal_comma: Option<Place>,
    /// Points that stand where a thousands point would, if the deck has decimal commas.
    doubtful_points: Vec<(Place, String)>,
}

impl Style {
    /// A deck with this separator between its fields.
    pub fn of_separator(separator: u8) -> Style {
        Style { comma_separates: separator == b',', decimal_comma: None, doubtful_points: Vec::new() }
    }

    /// An amount that is not negative. A comma is a decimal comma where it can be nothing else.
    pub fn amount(&mut self, text: &str, quoted: bool, place: Place) -> Result<Money, Bad> {
        const POINT: &str = "write it with a decimal point and without thousands separators";
        if text.starts_with('-') {
            return bad(format!("{text:?} is negative"), "credits are not prices");
        }
        let plain = match text.split_once(',') {
            None => {
                self.doubt(text, place);
                text.to_owned()
            }
            // A comma inside an unquoted field of comma-separated text cannot be: it would have ended the field.
            Some(_) if self.comma_separates && !quoted => return bad(format!("{text:?} is not an amount"), POINT),
            Some((whole, part)) => {
                if part.contains(',') || text.contains('.') {
                    return bad(format!("{text:?} holds more than a decimal comma"), POINT);
                }
                if part.is_empty() || whole.is_empty() {
                    return bad(format!("{text:?} is not an amount"), POINT);
                }
                if groups_thousands(whole, part) {
                    return bad(format!("{text:?} may be a decimal comma or thousands"), POINT);
                }
                self.decimal_comma = self.decimal_comma.or(Some(place));
                format!("{whole}.{part}")
            }
        };
        match Money::parse(&plain) {
            Ok(money) => Ok(money),
            Err(BadMoney::NotDecimal) => bad(
                format!("{text:?} is not an amount"),
                "write a plain decimal number such as 0.0125, without a currency",
            ),
            Err(BadMoney::TooFine) => bad(format!("{text:?} has {}", BadMoney::TooFine), "write at most nine decimals"),
            Err(BadMoney::TooLarge) => {
                bad(format!("{text:?} is {}", BadMoney::TooLarge), "has a decimal point been lost?")
            }
        }
    }

    fn doubt(&mut self, text: &str, place: Place) {
        // More than a thousand rows with such points and decimal commas need no further names.
        if let Some((whole, part)) = text.split_once('.')
            && groups_thousands(whole, part)
            && self.doubtful_points.len() < 1000
        {
            self.doubtful_points.push((place, text.to_owned()));
        }
    }

    /// At the end of the deck: beside decimal commas, `1.234` may be thousands.
    pub fn finish(&mut self, findings: &mut Findings) {
        let Some(comma) = self.decimal_comma else { return };
        for (place, text) in self.doubtful_points.drain(..) {
            let message =
                format!("{text:?} may be a decimal point or thousands: line {} has a decimal comma", comma.line);
            findings.error(place, message, "write all amounts of the deck in one way");
        }
    }
}

/// Whether `whole.part` could be a number of thousands: one to three digits that do not begin with 0, then exactly three.
fn groups_thousands(whole: &str, part: &str) -> bool {
    (1..=3).contains(&whole.len()) && !whole.starts_with('0') && part.len() == 3
}

/// Whole seconds.
pub fn seconds(text: &str) -> Result<u32, Bad> {
    match text.parse::<u32>() {
        Ok(seconds) if seconds <= STEP_SECONDS_MAX && text.bytes().all(|b| b.is_ascii_digit()) => Ok(seconds),
        _ => {
            bad(format!("{text:?} is not a number of seconds"), format!("write whole seconds up to {STEP_SECONDS_MAX}"))
        }
    }
}

/// `60`, or `60/6`: initial and increment.
pub fn increment(text: &str) -> Result<(Option<u32>, u32), Bad> {
    match text.split_once('/') {
        None => Ok((None, seconds(text)?)),
        Some((initial, increment)) => Ok((Some(seconds(initial.trim())?), seconds(increment.trim())?)),
    }
}

/// Seconds with up to six decimals.
pub fn fine_seconds(text: &str) -> Result<Micros, Bad> {
    let wrong = || (format!("{text:?} is not a number of seconds"), "write seconds such as 3 or 2.5".to_owned());
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 6 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let micros = format!("{part:0<6}").parse::<i64>().map_err(|_| wrong())?;
    Ok(Micros(i64::from(seconds(whole)?) * MICROS_PER_SECOND + micros))
}

/// `up` or `nearest`.
pub fn mode(text: &str) -> Result<StepMode, Bad> {
    StepMode::named(text).ok_or_else(|| (format!("{text:?} is no mode"), "write up or nearest".to_owned()))
}

/// Types a row may name (R8).
pub const ROW_TYPES: [CallType; 4] =
    [CallType::Included, CallType::DomesticPremium, CallType::International, CallType::TollFreeOutbound];

/// A type a row may name.
pub fn call_type(text: &str) -> Result<CallType, Bad> {
    CallType::named(text).filter(|t| ROW_TYPES.contains(t)).ok_or_else(|| {
        let otherwise = "a row may name included, domestic_premium, international or toll_free_outbound";
        (
            format!("{text:?} is no call type a row may name"),
            did_you_mean(text, ROW_TYPES.map(CallType::name), otherwise),
        )
    })
}

/// `11`, `10-12`: digits of a number, calling code included.
pub fn lengths(text: &str) -> Result<(u8, u8), Bad> {
    let digits = |part: &str| part.trim().parse::<u8>().ok().filter(|n| (1..=LENGTH_MAX).contains(n));
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (digits(from), digits(to)) {
        (Some(from), Some(to)) if from <= to => Ok((from, to)),
        _ => bad(
            format!("{text:?} is no length of a number"),
            "write how many digits the whole number has, calling code included: 11, or 10-12",
        ),
    }
}

/// E.164's longest number.
pub const LENGTH_MAX: u8 = 15;

/// `interstate` or `intrastate`.
pub fn jurisdiction(text: &str) -> Result<Jurisdiction, Bad> {
    let found = Jurisdiction::ALL.into_iter().find(|jurisdiction| jurisdiction.name() == text.to_ascii_lowercase());
    found.ok_or_else(|| {
        (
            format!("{text:?} is no jurisdiction"),
            "write interstate or intrastate, or leave it empty for both".to_owned(),
        )
    })
}

/// Yes or no.
pub fn flag(text: &str) -> Result<bool, Bad> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => bad(format!("{text:?} is neither true nor false"), "write true or false"),
    }
}

/// `2026-10-01`: 00:00 in the zone; or an instant with offset.
pub fn date(text: &str, zone: &Zone) -> Result<Timestamp, Bad> {
    let hint = "write 2026-10-01 (00:00 in the deck's time zone) or 2026-10-01T12:00:00Z";
    if let Some(at) = parse_rfc3339(text.as_bytes()) {
        return Ok(at);
    }
    let part = |range: std::ops::Range<usize>| -> Option<i16> {
        let digits = text.get(range)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let shape = text.len() == 10 && text.as_bytes().get(4) == Some(&b'-') && text.as_bytes().get(7) == Some(&b'-');
    let day = match (part(0..4), part(5..7), part(8..10)) {
        (Some(year), Some(month), Some(day)) if shape && year >= 1970 => day_start(year, month as i8, day as i8, zone),
        _ => None,
    };
    match day {
        Some(at) => Ok(at),
        None if text.contains(['/', '.']) => bad(format!("{text:?} may be day and month or month and day"), hint),
        None => bad(format!("{text:?} is not a date"), hint),
    }
}
