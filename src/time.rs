//! Time as values: instants, talk time, time zones and billing periods.
//!
//! Everything is a count of microseconds in an `i64`; civil dates come from `jiff` with the time-zone
//! database compiled into the binary, so that one binary gives one answer on every machine.
//!
//! Does not know what time it is now: a clock is read only in `os/`.

use std::fmt;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

mod local;
mod months;
mod tz;

pub use local::{BadTimeFormat, Reading, TimeFormat, decimal};
pub use months::Months;
pub use tz::tz_database;

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// A length of time in microseconds: talk time, an offset, a tolerance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Micros(pub i64);

impl Micros {
    /// A whole number of seconds.
    pub const fn seconds(seconds: i64) -> Micros {
        Micros(seconds * MICROS_PER_SECOND)
    }
}

impl fmt::Display for Micros {
    /// Seconds as a decimal without trailing zeros: `61`, `0.4`, `-2.000001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let abs = self.0.unsigned_abs();
        let (whole, part) = (abs / 1_000_000, abs % 1_000_000);
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{part:06}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many sub-second digits as are needed: `2026-10-05T09:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(ts) => write!(f, "{ts}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

/// An IANA time zone, looked up once and then shared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone(TimeZone);

/// What is shown on a wall: date and time of day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wall {
    /// The civil day.
    pub date: jiff::civil::Date,
    /// 0: Monday.
    pub weekday: u8,
    /// Minutes that the clock shows since 00:00.
    pub minute: u16,
}

/// The name of a time zone that the compiled-in database does not have.
#[derive(Debug, thiserror::Error)]
#[error("unknown time zone {0:?}: write an IANA name such as \"Europe/Berlin\" or \"UTC\"")]
pub struct UnknownZone(pub String);

impl Zone {
    /// UTC, the default everywhere.
    pub const UTC: Zone = Zone(TimeZone::UTC);

    /// The zone of an IANA name, from the compiled-in database.
    pub fn named(name: &str) -> Result<Zone, UnknownZone> {
        if name.eq_ignore_ascii_case("UTC") {
            return Ok(Zone::UTC);
        }
        jiff::tz::TimeZoneDatabase::bundled().get(name).map(Zone).map_err(|_| UnknownZone(name.to_owned()))
    }

    /// The instant as a clock in this zone shows it, in a `strftime` format.
    pub fn shown(&self, at: Timestamp, format: &str) -> String {
        let instant = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        instant.to_zoned(self.0.clone()).strftime(format).to_string()
    }

    /// Day of the month (1 to 31) of an instant in this zone.
    pub fn day_of_month(&self, at: Timestamp) -> i8 {
        let ts = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.0.to_datetime(ts).day()
    }

    /// The instants at which clocks of this zone show a civil time, which [`civil`] gives: one, two in the hour that
    /// autumn repeats (the earlier first), none in the hour that spring leaves out.
    pub fn instants(&self, civil: i64) -> (Option<Timestamp>, Option<Timestamp>) {
        let shown = jiff::Timestamp::from_microsecond(civil).map(|at| TimeZone::UTC.to_datetime(at));
        let Ok(shown) = shown else { return (None, None) };
        let at = |offset: jiff::tz::Offset| Timestamp(civil - i64::from(offset.seconds()) * MICROS_PER_SECOND);
        match self.0.to_ambiguous_timestamp(shown).offset() {
            jiff::tz::AmbiguousOffset::Unambiguous { offset } => (Some(at(offset)), None),
            jiff::tz::AmbiguousOffset::Gap { .. } => (None, None),
            jiff::tz::AmbiguousOffset::Fold { before, after } => (Some(at(before)), Some(at(after))),
        }
    }

    /// What clocks and calendars of this zone show at an instant.
    pub fn wall(&self, at: Timestamp) -> Wall {
        let ts = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let shown = self.0.to_datetime(ts);
        Wall {
            date: shown.date(),
            weekday: shown.weekday().to_monday_zero_offset().unsigned_abs(),
            minute: u16::from(shown.hour().unsigned_abs()) * 60 + u16::from(shown.minute().unsigned_abs()),
        }
    }

    /// The zone behind the name.
    pub fn jiff(&self) -> &TimeZone {
        &self.0
    }
}

/// A billing period: one calendar month in an account's time zone, counted as `year * 12 + month − 1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Period(pub i32);

impl Period {
    /// The month in which the instant falls, in that zone.
    pub fn containing(at: Timestamp, zone: &Zone) -> Period {
        // Instants outside jiff's years -9999..9999 are refused long before (R2); the epoch stands in.
        let ts = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let date = zone.0.to_datetime(ts).date();
        Period::of(date.year(), date.month())
    }

    /// The period of a year and a month (1 to 12).
    pub fn of(year: i16, month: i8) -> Period {
        Period(i32::from(year) * 12 + i32::from(month) - 1)
    }

    /// Year and month (1 to 12).
    pub fn year_month(self) -> (i16, i8) {
        (self.0.div_euclid(12) as i16, (self.0.rem_euclid(12) + 1) as i8)
    }

    /// First instant of the month and first instant of the next, in that zone: `[start, end)`.
    pub fn bounds(self, zone: &Zone) -> (Timestamp, Timestamp) {
        (self.start(zone), Period(self.0 + 1).start(zone))
    }

    fn start(self, zone: &Zone) -> Timestamp {
        let (year, month) = self.year_month();
        day_start(year, month, 1, zone).unwrap_or_default()
    }

    /// Days in this month.
    pub fn days(self) -> i8 {
        let (year, month) = self.year_month();
        jiff::civil::Date::new(year, month, 1).map_or(30, |d| d.days_in_month())
    }
}

/// The first instant of a civil day in a zone (00:00, or the end of the gap where midnight is skipped).
pub fn day_start(year: i16, month: i8, day: i8, zone: &Zone) -> Option<Timestamp> {
    let date = jiff::civil::Date::new(year, month, day).ok()?;
    let zoned = date.to_zoned(zone.0.clone()).ok()?;
    Some(Timestamp(zoned.timestamp().as_microsecond()))
}

impl fmt::Display for Period {
    /// `2026-10`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month) = self.year_month();
        write!(f, "{year:04}-{month:02}")
    }
}

impl std::str::FromStr for Period {
    type Err = BadPeriod;

    fn from_str(text: &str) -> Result<Period, BadPeriod> {
        let bad = || BadPeriod(text.to_owned());
        let (year, month) = text.split_once('-').ok_or_else(bad)?;
        if year.len() != 4 || month.len() != 2 {
            return Err(bad());
        }
        let year: i16 = year.parse().map_err(|_| bad())?;
        let month: i8 = month.parse().map_err(|_| bad())?;
        if !(1..=12).contains(&month) || year < 1970 {
            return Err(bad());
        }
        Ok(Period::of(year, month))
    }
}

/// Text that is not a period.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a period: write year and month, such as 2026-10")]
pub struct BadPeriod(pub String);

/// Parses RFC 3339 with an offset; digits beyond microseconds are cut (R2).
///
/// The usual shape `2026-10-05T09:00:00[.ffffff…](Z|±hh:mm)` is read by hand, since every record carries one.
pub fn parse_rfc3339(text: &[u8]) -> Option<Timestamp> {
    // The fixed part as an array, so that no place in it needs a check of its own: a fifth of the instructions.
    let head = text.first_chunk::<19>()?;
    let mut digits = true;
    let mut two = |i: usize| -> i64 {
        let (tens, ones) = (head[i].wrapping_sub(b'0'), head[i + 1].wrapping_sub(b'0'));
        digits &= (tens < 10) & (ones < 10);
        i64::from(tens) * 10 + i64::from(ones)
    };
    let year = two(0) * 100 + two(2);
    let (month, day) = (two(5), two(8));
    let (hour, minute, second) = (two(11), two(14), two(17));
    let separated = head[4] == b'-'
        && head[7] == b'-'
        && matches!(head[10], b'T' | b't' | b' ')
        && head[13] == b':'
        && head[16] == b':';
    if !digits || !separated || !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    // A leap second is written :60; it is taken as the last microsecond-counted second, like POSIX does.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let digit = |i: usize| -> Option<i64> {
        let b = text.get(i)?.wrapping_sub(b'0');
        (b < 10).then_some(i64::from(b))
    };
    let mut i = 19;
    let mut micros = 0;
    if text.get(i) == Some(&b'.') {
        i += 1;
        let from = i;
        let mut scale = 100_000;
        while let Some(d) = digit(i) {
            micros += d * scale;
            scale /= 10;
            i += 1;
        }
        if i == from {
            return None;
        }
    }
    let offset = match text.get(i)? {
        b'Z' | b'z' => {
            i += 1;
            0
        }
        sign @ (b'+' | b'-') => {
            if text.get(i + 3) != Some(&b':') {
                return None;
            }
            let (h, m) = (digit(i + 1)? * 10 + digit(i + 2)?, digit(i + 4)? * 10 + digit(i + 5)?);
            if h > 23 || m > 59 {
                return None;
            }
            i += 6;
            (h * 3600 + m * 60) * if *sign == b'+' { 1 } else { -1 }
        }
        _ => return None,
    };
    if i != text.len() {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    Some(Timestamp(seconds * MICROS_PER_SECOND + micros))
}

/// Microseconds from 1970-01-01T00:00:00 to a civil time as if it were UTC; none if there is no such time. A leap second
/// is the second after it.
pub fn civil(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64, micros: i64) -> Option<i64> {
    let date = (1..=9999).contains(&year) && (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
    let time = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    (date && time && (0..MICROS_PER_SECOND).contains(&micros)).then_some(seconds * MICROS_PER_SECOND + micros)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant's `days_from_civil`).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_agrees_with_jiff() {
        for text in [
            "2026-10-05T09:00:00Z",
            "2026-10-05T09:00:00.5+02:00",
            "2024-02-29T23:59:59.123456789-05:30",
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "2000-03-01 00:00:00z",
        ] {
            let ours = parse_rfc3339(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            let theirs: jiff::Timestamp = text.parse().unwrap();
            assert_eq!(ours.0, theirs.as_nanosecond().div_euclid(1000) as i64, "{text}");
        }
    }

    #[test]
    fn rfc3339_refuses() {
        for text in [
            "",
            "2026-10-05",
            "2026-10-05T09:00:00",
            "2026-13-05T09:00:00Z",
            "2026-02-29T09:00:00Z",
            "2026-10-05T24:00:00Z",
            "2026-10-05T09:00:00.Z",
            "2026-10-05T09:00:00Zx",
            "2026-10-05T09:00:00+2:00",
        ] {
            assert_eq!(parse_rfc3339(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_period_is_a_month_of_the_zone() {
        let guatemala = Zone::named("America/Guatemala").unwrap();
        // 28 February 21:30 local is 1 March 03:30 UTC and still belongs to February.
        let at = parse_rfc3339(b"2026-03-01T03:30:00Z").unwrap();
        assert_eq!(Period::containing(at, &guatemala).to_string(), "2026-02");
        assert_eq!(Period::containing(at, &Zone::UTC).to_string(), "2026-03");
        let kiritimati = Zone::named("Pacific/Kiritimati").unwrap();
        let (start, end) = "2026-10".parse::<Period>().unwrap().bounds(&kiritimati);
        assert_eq!(start.to_string(), "2026-09-30T10:00:00Z");
        assert_eq!(end.to_string(), "2026-10-31T10:00:00Z");
    }

    #[test]
    fn seconds_print_as_decimals() {
        for (micros, text) in [(61_000_000, "61"), (400_000, "0.4"), (-2_000_001, "-2.000001"), (0, "0")] {
            assert_eq!(Micros(micros).to_string(), text);
        }
    }
}
