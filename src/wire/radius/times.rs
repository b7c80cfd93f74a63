//! Times as gateways write them: `*21:36:40.123 CET Sat Nov 21 2026`, with the name of a zone that only the gateway
//! knows for sure, and `2026-11-21 21:36:40 +0100`.
//!
//! A leading `*` (the clock was never set by anybody) or `.` (it was, and lost touch) is passed over: it is the best
//! clock there is. The day of the week says nothing new.
//!
//! Does not know which time is which.

use super::Reading;
use crate::time::{MICROS_PER_SECOND, Timestamp, Zone, civil};
use crate::wire::plain::seconds;

const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// What a text says by itself, before its zone is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Written<'a> {
    /// As if it were UTC.
    civil: i64,
    zone: &'a [u8],
}

/// The day of the last time that was read, nearly always that of the next one too.
#[derive(Debug)]
pub(in crate::wire) struct Day {
    /// As it stands in a time of the usual shape, with the space before it.
    written: [u8; 16],
    /// Its beginning as if it were UTC.
    midnight: i64,
}

impl Default for Day {
    fn default() -> Day {
        Day { written: *b" Thu Jan 01 1970", midnight: 0 }
    }
}

/// The instant of a gateway's time. Where the hour is one that autumn repeats, that of the two instants counts which is
/// next to `near`; without it there is none.
pub(super) fn gateway(text: &[u8], reading: &Reading, near: Option<Timestamp>, day: &mut Day) -> Option<Timestamp> {
    let Written { civil, zone } = usual(text, day).or_else(|| written(text))?;
    if let Some(offset) = offset_of(zone) {
        return Some(Timestamp(civil - offset * MICROS_PER_SECOND));
    }
    let named = reading.zones.iter().find(|(name, _)| name.eq_ignore_ascii_case(zone)).map(|(_, zone)| zone);
    in_zone(civil, named.or(reading.zone.as_ref())?, near)
}

/// The instant of Asterisk's time; without an offset it is in the client's zone.
pub(super) fn asterisk(text: &[u8], reading: &Reading, near: Option<Timestamp>) -> Option<Timestamp> {
    let mut parts = text.split(|b| *b == b' ').filter(|part| !part.is_empty());
    let (date, time, offset) = (parts.next()?, parts.next()?, parts.next());
    if date.len() != 10 || date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let (year, month, day) = (&date[..4], &date[5..7], &date[8..]);
    let civil = clock(time, number(year)?, number(month)?, number(day)?)?;
    match offset {
        Some(offset) => Some(Timestamp(civil - hours(offset)? * MICROS_PER_SECOND)),
        None => in_zone(civil, reading.zone.as_ref()?, near),
    }
}

fn in_zone(civil: i64, zone: &Zone, near: Option<Timestamp>) -> Option<Timestamp> {
    match (zone.instants(civil), near) {
        ((Some(only), None), _) => Some(only),
        ((Some(first), Some(second)), Some(near)) => {
            Some(if near.0.abs_diff(first.0) <= near.0.abs_diff(second.0) { first } else { second })
        }
        _ => None,
    }
}

/// `*21:36:40.123 UTC Sat Nov 21 2026`, every part as long as here, which is how nearly all are written.
#[inline]
fn usual<'t>(text: &'t [u8], day: &mut Day) -> Option<Written<'t>> {
    let text = if let [b'*' | b'.', rest @ ..] = text { rest } else { text };
    let (time, date) = text.split_first_chunk::<16>()?;
    let date: &[u8; 16] = date.try_into().ok()?;
    let zone = &time[13..];
    if time[8] != b'.' || time[12] != b' ' || zone.contains(&b' ') {
        return None;
    }
    let micros = (digit(time[9])? * 100 + two(time[10], time[11])?) * 1000;
    let seconds = seconds(u64::from_le_bytes(*time.first_chunk()?))?;
    if *date != day.written {
        *day = Day { written: *date, midnight: midnight(date)? };
    }
    Some(Written { civil: day.midnight + seconds * MICROS_PER_SECOND + micros, zone })
}

/// The beginning of ` Sat Nov 21 2026` as if it were UTC.
#[cold]
fn midnight(date: &[u8; 16]) -> Option<i64> {
    if [0, 4, 8, 11].iter().any(|at| date[*at] != b' ') || date[1..4].contains(&b' ') {
        return None;
    }
    let month = match &[date[5] | 0x20, date[6] | 0x20, date[7] | 0x20] {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    };
    let year = two(date[12], date[13])? * 100 + two(date[14], date[15])?;
    civil(year, month, two(date[9], date[10])?, 0, 0, 0, 0)
}

fn digit(byte: u8) -> Option<i64> {
    Some(byte.wrapping_sub(b'0')).filter(|digit| *digit < 10).map(i64::from)
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// The same in any length.
fn written(text: &[u8]) -> Option<Written<'_>> {
    let text = text.strip_prefix(b"*").or(text.strip_prefix(b".")).unwrap_or(text);
    let mut parts = [&b""[..]; 6];
    let mut count = 0;
    for part in text.split(|b| *b == b' ').filter(|part| !part.is_empty()) {
        *parts.get_mut(count)? = part;
        count += 1;
    }
    // Zone and day of the week may each be absent; the last three are month, day and year.
    let [month, day, year] = *parts.get(count.checked_sub(3)?..count)? else { return None };
    let zone = match count {
        4 => b"",
        5 if is_weekday(parts[1]) => b"",
        5 | 6 => parts[1],
        _ => return None,
    };
    let month: [u8; 3] = month.try_into().ok()?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(&month))? as i64 + 1;
    Some(Written { civil: clock(parts[0], number(year)?, month, number(day)?)?, zone })
}

fn is_weekday(word: &[u8]) -> bool {
    [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"].iter().any(|day| word.eq_ignore_ascii_case(&day[..]))
}

/// `HH:MM:SS[.fraction]` on a day; digits beyond microseconds are cut.
fn clock(time: &[u8], year: i64, month: i64, day: i64) -> Option<i64> {
    let (whole, fraction) = match time.iter().position(|b| *b == b'.') {
        Some(at) => (&time[..at], &time[at + 1..]),
        None => (time, &b""[..]),
    };
    let mut parts = whole.split(|b| *b == b':');
    let (hour, minute, second) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    if parts.next().is_some() || fraction.iter().any(|b| !b.is_ascii_digit()) {
        return None;
    }
    let digit = |place: usize| fraction.get(place).map_or(0, |b| i64::from(b - b'0'));
    let micros = (0..6).fold(0, |micros, place| micros * 10 + digit(place));
    civil(year, month, day, hour, minute, second, micros)
}

/// Seconds east of Greenwich of `UTC`, `GMT`, `Z`, and of `GMT+4` and the like.
fn offset_of(zone: &[u8]) -> Option<i64> {
    let rest = match zone {
        b"UTC" | b"GMT" | b"Z" | b"z" => b"",
        _ => zone.get(3..).filter(|_| {
            let name = zone.get(..3).unwrap_or_default();
            name.eq_ignore_ascii_case(b"utc") || name.eq_ignore_ascii_case(b"gmt")
        })?,
    };
    if rest.is_empty() { Some(0) } else { hours(rest) }
}

/// `+4`, `-03`, `+0530`, `+5:30` in seconds.
fn hours(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text.split_first()? {
        (b'+', digits) => (1, digits),
        (b'-', digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.iter().position(|b| *b == b':') {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None if digits.len() == 4 => digits.split_at(2),
        None => (digits, &b"0"[..]),
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A number of one to four digits.
fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    digits.iter().try_fold(0, |value, b| b.is_ascii_digit().then(|| value * 10 + i64::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_rfc3339;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_usual_shape_is_read_as_any_other(
            text in "[*.]?[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{3} (UTC|GMT|[A-Z]{3}) (Sat|[a-z]{3}) (Nov|Feb|JUN|[a-z]{3}) [0-3][0-9] (2026|[0-9]{4})",
            at in any::<prop::sample::Index>(),
            byte in prop_oneof![Just(b' '), Just(b':'), any::<u8>()],
        ) {
            let mut spoiled = text.clone().into_bytes();
            spoiled[at.index(text.len())] = byte;
            // Whatever day came before.
            let mut day = Day::default();
            for text in [text.as_bytes(), &spoiled, text.as_bytes(), &spoiled] {
                if let Some(usual) = usual(text, &mut day) {
                    prop_assert_eq!(Some(usual), written(text));
                }
            }
        }
    }

    #[test]
    fn the_usual_shape_is_the_usual_way() {
        for text in ["*21:36:40.123 UTC Sat Nov 21 2026", "14:30:25.429 GMT Wed Jan 23 2002"] {
            assert!(usual(text.as_bytes(), &mut Day::default()).is_some());
        }
    }

    fn reading(zone: Option<&str>) -> Reading {
        Reading {
            zone: zone.map(|zone| Zone::named(zone).unwrap()),
            zones: vec![((*b"MSK").into(), Zone::named("Europe/Moscow").unwrap())],
            ..Reading::default()
        }
    }

    fn check(text: &str, zone: Option<&str>, near: Option<&str>, expected: Option<&str>) {
        let time = |text: &str| parse_rfc3339(text.as_bytes()).unwrap();
        let (text_of, reading, near_at) = (text.as_bytes(), reading(zone), near.map(time));
        let found = match text.starts_with("20") {
            true => asterisk(text_of, &reading, near_at),
            false => gateway(text_of, &reading, near_at, &mut Day::default()),
        };
        assert_eq!(found, expected.map(time), "{text} {zone:?} {near:?}");
    }

    #[test]
    fn what_gateways_write() {
        for (text, expected) in [
            ("*21:36:40.123 UTC Sat Nov 21 2026", "2026-11-21T21:36:40.123Z"),
            (".21:36:40.123 GMT Sat Nov 21 2026", "2026-11-21T21:36:40.123Z"),
            ("14:30:25.429 GMT Wed Jan 23 2002", "2002-01-23T14:30:25.429Z"),
            ("14:30:25 GMT+4 Wed Jan 3 2002", "2002-01-03T10:30:25Z"),
            ("14:30:25 UTC+3 Wed Jan  3 2002", "2002-01-03T11:30:25Z"),
            ("14:30:25 GMT-03:30 Wed Jan 3 2002", "2002-01-03T18:00:25Z"),
            ("14:30:25.1234567 MSK Wed Jan 3 2024", "2024-01-03T11:30:25.123456Z"),
            // Without the day of the week, in capitals (Acme Packet).
            ("15:54:56.868 UTC DEC 18 2017", "2017-12-18T15:54:56.868Z"),
            // The year changes by the zone.
            ("00:30:00 MSK Thu Jan 1 2026", "2025-12-31T21:30:00Z"),
        ] {
            check(text, None, None, Some(expected));
        }
        // A name that nobody explained is the client's zone, if it has one.
        check("12:00:00 CET Sat Nov 21 2026", None, None, None);
        check("12:00:00 CET Sat Nov 21 2026", Some("Europe/Berlin"), None, Some("2026-11-21T11:00:00Z"));
        check("12:00:00 Sat Nov 21 2026", Some("Europe/Berlin"), None, Some("2026-11-21T11:00:00Z"));
        check("12:00:00 Nov 21 2026", Some("Europe/Berlin"), None, Some("2026-11-21T11:00:00Z"));
        check("12:00:00 Nov 21 2026", None, None, None);
    }

    #[test]
    fn asterisk_brings_its_offset() {
        check("2026-11-21 21:36:40 +0100", None, None, Some("2026-11-21T20:36:40Z"));
        check("2026-11-21 21:36:40 -0330", None, None, Some("2026-11-22T01:06:40Z"));
        check("2026-11-21 21:36:40", Some("Europe/Berlin"), None, Some("2026-11-21T20:36:40Z"));
        for text in ["2026-11-21 21:36:40", "2026-11-21", "2026-11-2x 21:36:40 +0100", "2026/11/21 21:36:40 +0100"] {
            check(text, None, None, None);
        }
    }

    #[test]
    fn the_hour_that_comes_twice_is_told_by_another_time() {
        let text = "02:30:00 CET Sun Oct 25 2026";
        check(text, Some("Europe/Berlin"), None, None);
        check(text, Some("Europe/Berlin"), Some("2026-10-25T00:31:00Z"), Some("2026-10-25T00:30:00Z"));
        check(text, Some("Europe/Berlin"), Some("2026-10-25T01:29:00Z"), Some("2026-10-25T01:30:00Z"));
        // The hour that never was.
        check("02:30:00 CET Sun Mar 29 2026", Some("Europe/Berlin"), Some("2026-03-29T01:00:00Z"), None);
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "*",
            "21:36:40",
            "21:36 UTC Sat Nov 21 2026",
            "24:00:00 UTC Sat Nov 21 2026",
            "21:36:40 UTC Sat Nov 31 2026",
            "21:36:40 UTC Sat Nox 21 2026",
            "21:36:40 UTC Sat Nov 21 20260",
            "21:36:40.1x UTC Sat Nov 21 2026",
            "21:36:40 UTC+99 Sat Nov 21 2026",
            "1:2:3:4 UTC Sat Nov 21 2026",
            "21:36:40 a b c d Nov 21 2026",
        ] {
            check(text, None, None, None);
        }
    }
}
