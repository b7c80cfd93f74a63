//! The clock's reading as Cisco and AudioCodes write it: `17:00:29.954 UTC Thu Oct 14 2014`.
//!
//! The zone is a name. UTC, GMT and offsets from them (`GMT+4`) speak for themselves; any other must be a name by which the
//! listener's zone goes at that instant (`CET`, `EST`), and then also tells the two hours apart that autumn makes of one.
//! The weekday says nothing new, is sometimes wrong, and some leave it out. A mark before the time says how far the clock is trusted.
//!
//! Does not know which field a time stands in, nor what time it is now.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset};

use crate::time::{Timestamp, Zone};

/// Why a reading is no instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadReading {
    /// Not of that shape.
    Shape,
    /// The zone is none by which the listener's goes.
    Zone,
}

/// Reads an instant; `zone` is the listener's.
pub fn read(text: &[u8], zone: &Zone) -> Result<Timestamp, BadReading> {
    let shaped = split(text).ok_or(BadReading::Shape)?;
    let micros = |offset: Offset| {
        let at = offset.to_timestamp(shaped.at).ok()?;
        Some(Timestamp(at.as_microsecond()))
    };
    if let Some(offset) = fixed(shaped.zone) {
        return micros(offset).ok_or(BadReading::Shape);
    }
    let candidates = match zone.jiff().to_ambiguous_timestamp(shaped.at).offset() {
        AmbiguousOffset::Unambiguous { offset } => [offset, offset],
        AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => [before, after],
    };
    let named = |offset: &Offset| {
        let at = offset.to_timestamp(shaped.at).ok();
        at.is_some_and(|at| zone.jiff().to_offset_info(at).abbreviation().as_bytes().eq_ignore_ascii_case(shaped.zone))
    };
    let offset = candidates.into_iter().find(named).ok_or(BadReading::Zone)?;
    micros(offset).ok_or(BadReading::Shape)
}

struct Shaped<'a> {
    at: DateTime,
    zone: &'a [u8],
}

/// `[*.]HH:MM:SS[.fff] ZONE [Dow] Mon D YYYY`.
fn split(text: &[u8]) -> Option<Shaped<'_>> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"*").or_else(|| text.strip_prefix(b".")).unwrap_or(text);
    let mut words = text.split(|b| *b == b' ').filter(|w| !w.is_empty());
    let (clock, zone) = (words.next()?, words.next()?);
    let (first, second, third) = (words.next()?, words.next()?, words.next()?);
    let (month, day, year) = match words.next() {
        Some(year) => (second, third, year),
        None => (first, second, third),
    };
    if words.next().is_some() {
        return None;
    }
    const MONTHS: [&[u8; 3]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    let month = MONTHS.iter().zip(1..).find(|(name, _)| name.eq_ignore_ascii_case(month))?.1;
    let date = Date::new(number(year)?.try_into().ok()?, month, number(day)?.try_into().ok()?).ok()?;
    let (clock, fraction) = match memchr::memchr(b'.', clock) {
        Some(point) => (clock.get(..point)?, clock.get(point + 1..)?),
        None => (clock, &b""[..]),
    };
    let mut parts = clock.split(|b| *b == b':');
    let mut part = || i8::try_from(number(parts.next()?)?).ok();
    let (hour, minute, second) = (part()?, part()?, part()?);
    if parts.next().is_some() || fraction.len() > 9 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanos =
        fraction.iter().chain(std::iter::repeat(&b'0')).take(9).fold(0, |sum, b| sum * 10 + i32::from(b - b'0'));
    // What is below a microsecond is cut (R2).
    let time = Time::new(hour, minute, second, nanos / 1000 * 1000).ok()?;
    Some(Shaped { at: DateTime::from_parts(date, time), zone })
}

/// `UTC`, `GMT`, `Z`, and offsets from the first two.
fn fixed(name: &[u8]) -> Option<Offset> {
    if name.eq_ignore_ascii_case(b"Z") {
        return Some(Offset::UTC);
    }
    let (head, rest) = name.split_at_checked(3)?;
    if !head.eq_ignore_ascii_case(b"UTC") && !head.eq_ignore_ascii_case(b"GMT") {
        return None;
    }
    let Some((sign, digits)) = rest.split_first() else { return Some(Offset::UTC) };
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = match digits.split_at_checked(digits.len().saturating_sub(3)) {
        Some((hours, [b':', minutes @ ..])) => (hours, minutes),
        _ => (digits, &b"0"[..]),
    };
    let seconds = number(hours)?.checked_mul(3600)?.checked_add(number(minutes).filter(|m| *m < 60)? * 60)?;
    Offset::from_seconds(sign * seconds).ok()
}

/// Up to four digits.
fn number(text: &[u8]) -> Option<i32> {
    if text.is_empty() || text.len() > 4 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |sum, b| sum * 10 + i32::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn readings() {
        for (text, zone, expected) in [
            ("17:00:29.954 UTC Thu Oct 14 2014", "UTC", "2014-10-14T17:00:29.954Z"),
            ("*17:00:29.954 GMT Thu Oct 4 2014", "Europe/Berlin", "2014-10-04T17:00:29.954Z"),
            (".17:00:29 UTC+3 Thu Oct  4 2014 ", "UTC", "2014-10-04T14:00:29Z"),
            ("17:00:29 GMT-3:30 Thu Oct 4 2014", "UTC", "2014-10-04T20:30:29Z"),
            ("10:14:59.214 CET Thu Dec 16 2010", "Europe/Berlin", "2010-12-16T09:14:59.214Z"),
            ("10:14:59.214 CEST Thu Jun 16 2011", "Europe/Berlin", "2011-06-16T08:14:59.214Z"),
            // The repeated hour: the name says which.
            ("01:30:00.000 EDT Sun Nov 1 2026", "America/New_York", "2026-11-01T05:30:00Z"),
            ("01:30:00.000 EST Sun Nov 1 2026", "America/New_York", "2026-11-01T06:30:00Z"),
            // Not the listener's zone.
            ("10:14:59.214 CET Thu Dec 16 2010", "UTC", "Zone"),
            ("10:14:59.214 EST Thu Dec 16 2010", "Europe/Berlin", "Zone"),
            ("10:14:59.214 CET Thu Jun 16 2011", "Europe/Berlin", "Zone"),
            ("", "UTC", "Shape"),
            ("15:54:56.868 PST DEC 18 2017", "America/Los_Angeles", "2017-12-18T23:54:56.868Z"),
            ("10:14:59 UTC Dec 2010", "UTC", "Shape"),
            ("10:14:59 UTC Thu Dec 16 2010 x", "UTC", "Shape"),
            ("25:14:59 UTC Thu Dec 16 2010", "UTC", "Shape"),
            ("10:14 UTC Thu Dec 16 2010", "UTC", "Shape"),
            ("10:14:59 UTC Thu Foo 16 2010", "UTC", "Shape"),
            ("10:14:59 UTC Thu Feb 30 2010", "UTC", "Shape"),
            ("10:14:59.x UTC Thu Feb 3 2010", "UTC", "Shape"),
        ] {
            let found = match read(text.as_bytes(), &Zone::named(zone).unwrap()) {
                Ok(at) => at.to_string(),
                Err(bad) => format!("{bad:?}"),
            };
            assert_eq!(found, expected, "{text} in {zone}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&bytes, &Zone::UTC);
            let _ = read(&[b"10:14:59 ".as_slice(), &bytes].concat(), &Zone::UTC);
        }
    }
}
