//! Times as nodes write them: counts since 1970, or a civil time by some layout, in the node's own zone.
//!
//! In the hour that autumn repeats, a local time names two instants; in the hour that spring skips, none, and both clocks
//! that could have shown it count. Which of the two was meant is not decided here.
//!
//! Does not know which field a time stands in, nor what time it is now.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime;
use jiff::tz::AmbiguousOffset;

use super::{Micros, Timestamp, Zone, parse_rfc3339};

/// An instant as far as a clock's reading tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// This instant.
    Once(Timestamp),
    /// One of two: the earlier, and how much later the other is.
    Twice(Timestamp, Micros),
}

impl Reading {
    /// The only instant, or the earlier one.
    pub fn earlier(self) -> Timestamp {
        match self {
            Reading::Once(at) | Reading::Twice(at, _) => at,
        }
    }
}

/// How a time is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimeFormat {
    /// Seconds since 1970, with decimals or without.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// Microseconds since 1970.
    Microseconds,
    /// RFC 3339 with its offset.
    Rfc3339,
    /// `2026-10-05 09:00:00`, with a `T` and with decimals if the node likes, in the node's zone; with an offset if it
    /// brings one.
    Civil,
    /// A layout in the words of `strftime`.
    Layout(Box<str>),
    /// A layout without the year: the last time that a clock showed this.
    Yearless(Box<str>),
}

/// A layout that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no time format: write \"seconds\", \"milliseconds\", \"microseconds\", \"rfc3339\", or a layout such as \"%Y-%m-%d %H:%M:%S\""
)]
pub struct BadTimeFormat(pub String);

/// Layouts are tried on this instant when they are checked: 2026-10-05 09:08:07 UTC.
const SAMPLE: i64 = 1_791_191_287;

impl TimeFormat {
    /// The format of that name, or of that layout.
    pub fn named(text: &str) -> Result<TimeFormat, BadTimeFormat> {
        let bad = || BadTimeFormat(text.to_owned());
        Ok(match text {
            "seconds" => TimeFormat::Seconds,
            "milliseconds" => TimeFormat::Milliseconds,
            "microseconds" => TimeFormat::Microseconds,
            "rfc3339" => TimeFormat::Rfc3339,
            "%Y-%m-%d %H:%M:%S" => TimeFormat::Civil,
            _ if text.contains('%') => {
                let sample = jiff::Timestamp::from_second(SAMPLE).map_err(|_| bad())?.to_zoned(jiff::tz::TimeZone::UTC);
                let written = strtime::format(text, &sample).map_err(|_| bad())?;
                // What it writes it must also read, to the minute: a layout without hours is none.
                let now = Timestamp(SAMPLE * 1_000_000);
                let reads = |format: &TimeFormat| {
                    let again = format.read(written.as_bytes(), &Zone::UTC, now);
                    again.is_some_and(|at| (SAMPLE - 59..=SAMPLE).contains(&at.earlier().0.div_euclid(1_000_000)))
                };
                let formats = [TimeFormat::Layout(text.into()), TimeFormat::Yearless(text.into())];
                formats.into_iter().find(reads).ok_or_else(bad)?
            }
            _ => return Err(bad()),
        })
    }

    /// Reads a time; none: it is not one by this format. `now` tells the year where the format has none.
    pub fn read(&self, text: &[u8], zone: &Zone, now: Timestamp) -> Option<Reading> {
        match self {
            TimeFormat::Seconds => decimal(text, 1_000_000).map(|at| Reading::Once(Timestamp(at))),
            TimeFormat::Milliseconds => decimal(text, 1_000).map(|at| Reading::Once(Timestamp(at))),
            TimeFormat::Microseconds => decimal(text, 1).map(|at| Reading::Once(Timestamp(at))),
            TimeFormat::Rfc3339 => parse_rfc3339(text).map(Reading::Once),
            TimeFormat::Civil => match civil(text) {
                Some((at, micros)) => zone.reading(at, micros),
                // Some write the same with an offset behind.
                None => parse_rfc3339(text).map(Reading::Once),
            },
            TimeFormat::Layout(layout) => {
                let read = strtime::parse(layout.as_bytes(), text).ok()?;
                if read.offset().is_some() || read.timestamp().is_some() {
                    return read.to_timestamp().ok().map(|at| Reading::Once(Timestamp(at.as_microsecond())));
                }
                zone.reading_of(&read)
            }
            TimeFormat::Yearless(layout) => {
                let mut read = strtime::parse(layout.as_bytes(), text).ok()?;
                // A node's clock may be ahead of ours by a little.
                let latest = now.0.saturating_add(DAY);
                let year = jiff::Timestamp::from_microsecond(latest).ok()?.to_zoned(zone.jiff().clone()).year();
                // Far enough back for a 29 February.
                (0..=8).find_map(|back| {
                    read.set_year(Some(year.checked_sub(back)?)).ok()?;
                    zone.reading_of(&read).filter(|at| at.earlier().0 <= latest)
                })
            }
        }
    }
}

/// In microseconds.
const DAY: i64 = 86_400_000_000;

impl Zone {
    /// What a clock of this zone means by a time that was read.
    fn reading_of(&self, read: &strtime::BrokenDownTime) -> Option<Reading> {
        let at = read.to_datetime().ok()?;
        let micros = i64::from(at.subsec_nanosecond() / 1000);
        self.reading(at.with().subsec_nanosecond(0).build().ok()?, micros)
    }

    /// What a clock of this zone means by a civil time and so many microseconds.
    pub fn reading(&self, at: DateTime, micros: i64) -> Option<Reading> {
        let with = |offset: jiff::tz::Offset| {
            let at = offset.to_timestamp(at).ok()?;
            Some(Timestamp(at.as_second().checked_mul(1_000_000)?.checked_add(micros)?))
        };
        match self.jiff().to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => with(offset).map(Reading::Once),
            AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
                let (one, other) = (with(before)?, with(after)?);
                let (earlier, later) = (one.min(other), one.max(other));
                Some(Reading::Twice(earlier, Micros(later.0 - earlier.0)))
            }
        }
    }
}

/// `2026-10-05 09:00:00[.ffffff…]` by hand: nearly every record of a PBX brings two or three of them.
fn civil(text: &[u8]) -> Option<(DateTime, i64)> {
    let head = text.first_chunk::<19>()?;
    let digit = |i: usize| head.get(i).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10);
    let two = |i: usize| Some(digit(i)? * 10 + digit(i + 1)?);
    let marks = (head[4], head[7], head[13], head[16]) == (b'-', b'-', b':', b':') && matches!(head[10], b' ' | b'T');
    if !marks {
        return None;
    }
    let year = i16::from(two(0)?) * 100 + i16::from(two(2)?);
    let date = Date::new(year, two(5)? as i8, two(8)? as i8).ok()?;
    let time = Time::new(two(11)? as i8, two(14)? as i8, two(17)? as i8, 0).ok()?;
    let mut micros = 0;
    if let Some((point, digits)) = text.get(19..).and_then(<[u8]>::split_first) {
        if *point != b'.' || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut scale = 100_000;
        for digit in digits {
            micros += i64::from(digit - b'0') * scale;
            scale /= 10;
        }
    }
    Some((DateTime::from_parts(date, time), micros))
}

/// A decimal count of units, each of `micros` microseconds, exactly; what is below a microsecond is cut.
pub fn decimal(text: &[u8], micros: i64) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    let point = digits.iter().position(|b| *b == b'.').unwrap_or(digits.len());
    let (whole, part) = (digits.get(..point)?, digits.get(point + 1..).unwrap_or_default());
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for b in whole {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
    }
    value = value.checked_mul(micros)?;
    let mut scale = micros;
    for b in part {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        scale /= 10;
        value = value.checked_add(i64::from(digit) * scale)?;
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings() {
        let check = |format: &str, zone: &str, text: &str, expected: &str| {
            let got = match TimeFormat::named(format).unwrap().read(
                text.as_bytes(),
                &Zone::named(zone).unwrap(),
                Timestamp(0),
            ) {
                None => "none".to_owned(),
                Some(Reading::Once(at)) => at.to_string(),
                Some(Reading::Twice(at, more)) => format!("{at} or {more} s later"),
            };
            assert_eq!(got, expected, "{format} {zone} {text}");
        };
        check("seconds", "UTC", "1795298211", "2026-11-21T21:56:51Z");
        check("seconds", "UTC", "1795298211.470976", "2026-11-21T21:56:51.470976Z");
        check("seconds", "UTC", "1795298211.4709769", "2026-11-21T21:56:51.470976Z");
        check("seconds", "UTC", "", "none");
        check("seconds", "UTC", "179529821x", "none");
        check("seconds", "UTC", "99999999999999999999", "none");
        check("milliseconds", "UTC", "1795298211470", "2026-11-21T21:56:51.47Z");
        check("microseconds", "UTC", "1795298211470976", "2026-11-21T21:56:51.470976Z");
        check("rfc3339", "Europe/Berlin", "2026-11-21T21:56:51+01:00", "2026-11-21T20:56:51Z");
        check("rfc3339", "Europe/Berlin", "2026-11-21T21:56:51", "none");
        let civil = "%Y-%m-%d %H:%M:%S";
        check(civil, "UTC", "2026-11-21 21:56:51", "2026-11-21T21:56:51Z");
        check(civil, "Europe/Berlin", "2026-11-21 21:56:51", "2026-11-21T20:56:51Z");
        check(civil, "Europe/Berlin", "2026-11-21T21:56:51.25", "2026-11-21T20:56:51.25Z");
        check(civil, "Europe/Berlin", "2026-11-21 21:56:51+00:00", "2026-11-21T21:56:51Z");
        check(civil, "Europe/Berlin", "2026-02-30 21:56:51", "none");
        check(civil, "Europe/Berlin", "2026-11-21 21:56", "none");
        check(civil, "Europe/Berlin", "2026-11-21 21:56:51 x", "none");
        // Summer time ends at 01:00 UTC on 25 October 2026 in Berlin, and begins there on 28 March 2027.
        check(civil, "Europe/Berlin", "2026-10-25 01:59:59", "2026-10-24T23:59:59Z");
        check(civil, "Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z or 3600 s later");
        check(civil, "Europe/Berlin", "2026-10-25 03:00:00", "2026-10-25T02:00:00Z");
        check(civil, "Europe/Berlin", "2027-03-28 02:30:00", "2027-03-28T00:30:00Z or 3600 s later");
        check(civil, "Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04T14:45:00Z or 1800 s later");
        check("%Y/%m/%d %H:%M:%S", "UTC", "2023/09/19 13:33:54", "2023-09-19T13:33:54Z");
        check(
            "%d.%m.%Y %H:%M:%S%.f",
            "Europe/Berlin",
            "25.10.2026 02:30:00.5",
            "2026-10-25T00:30:00.5Z or 3600 s later",
        );
        check("%d/%m/%Y %H:%M:%S", "UTC", "1/9/2017 16:33:01", "2017-09-01T16:33:01Z");
        check("%Y-%m-%d %H:%M:%S %z", "Europe/Berlin", "2026-10-25 02:30:00 +0200", "2026-10-25T00:30:00Z");
        check("%m%d%y%H%M", "UTC", "1121262156", "2026-11-21T21:56:00Z");
        for bad in ["", "soon", "%H:%M", "%Y-%m-%d", "%Q", "%m/%d", "%d %H:%M"] {
            assert!(TimeFormat::named(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_without_its_year_is_the_last_such() {
        let check = |zone: &str, now: &str, text: &str, expected: &str| {
            let now = parse_rfc3339(now.as_bytes()).unwrap();
            let read = TimeFormat::named("%m/%d %H:%M").unwrap();
            let read = read.read(text.as_bytes(), &Zone::named(zone).unwrap(), now);
            assert_eq!(read.map_or("none".to_owned(), |at| at.earlier().to_string()), expected, "{zone} {now} {text}");
        };
        check("UTC", "2026-11-26T10:00:00Z", "11/26 09:59", "2026-11-26T09:59:00Z");
        check("UTC", "2026-11-26T10:00:00Z", "11/27 09:59", "2026-11-27T09:59:00Z");
        check("UTC", "2026-11-26T10:00:00Z", "11/28 09:59", "2025-11-28T09:59:00Z");
        check("UTC", "2027-01-01T00:10:00Z", "12/31 23:59", "2026-12-31T23:59:00Z");
        check("America/New_York", "2027-01-01T03:10:00Z", "12/31 22:00", "2027-01-01T03:00:00Z");
        check("UTC", "2026-12-31T23:50:00Z", "01/01 00:05", "2027-01-01T00:05:00Z");
        check("UTC", "2027-03-01T00:00:00Z", "02/29 12:00", "2024-02-29T12:00:00Z");
        check("UTC", "2027-03-01T00:00:00Z", "02/30 12:00", "none");
        check("UTC", "2027-03-01T00:00:00Z", "02/28 12:00p", "none");
    }
}
