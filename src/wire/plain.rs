//! A record as nearly all are written: every field once, with a value, in printable ASCII. Anything else is not read here
//! but by the general way, which also knows what is wrong with it; a property test holds the two together.
//!
//! Does not know JSON from CSV.

use super::field::{Field, TEXT_MAX, micros, time};
use crate::record::{Direction, ID_MAX, Record};
use crate::time::{MICROS_PER_SECOND, Micros, Timestamp, parse_rfc3339};

/// What has been read of a plain line so far.
pub(super) struct Plain<'a> {
    record: Record<'a>,
    /// Bit per [`Field`].
    met: u32,
}

impl<'a> Plain<'a> {
    /// Nothing yet. A record that names no node has that one.
    #[inline]
    pub fn new(line: &'a [u8], node: &'a [u8]) -> Plain<'a> {
        Plain { record: Record { node, raw: line, ..Record::default() }, met: 0 }
    }

    /// Takes the text of a field, which is printable ASCII. None: not so simple.
    #[inline]
    pub fn set(&mut self, field: Field, text: &'a [u8], day: &mut Day) -> Option<()> {
        self.meet(field)?;
        self.put(field, text, day)
    }

    /// The same where nobody can name a field twice.
    #[inline(always)]
    pub fn put(&mut self, field: Field, text: &'a [u8], day: &mut Day) -> Option<()> {
        let record = &mut self.record;
        let place = match field {
            Field::Id if text.is_empty() || text.len() > ID_MAX => return None,
            Field::Id => &mut record.id,
            Field::Node if text.is_empty() => return Some(()),
            Field::Node => &mut record.node,
            Field::Account => &mut record.account,
            Field::ForwardedBy => &mut record.forwarded_by,
            Field::Source => &mut record.source,
            Field::Destination => &mut record.destination,
            Field::Cause => &mut record.cause,
            Field::RoutingNumber => &mut record.routing_number,
            Field::IncumbentCost => &mut record.incumbent_cost,
            Field::IncumbentCurrency => &mut record.incumbent_currency,
            Field::IncumbentSeconds => &mut record.incumbent_seconds,
            Field::Carrier => &mut record.carrier,
            Field::Direction => {
                record.direction = Some(match text {
                    b"outbound" => Direction::Outbound,
                    b"inbound" => Direction::Inbound,
                    _ => return None,
                });
                return Some(());
            }
            Field::Start => return day.time(field, text).map(|at| record.start = Some(at)),
            Field::Answer => return day.time(field, text).map(|at| record.answer = Some(at)),
            Field::End => return day.time(field, text).map(|at| record.end = Some(at)),
            Field::Duration => {
                let length = short_decimal(text).or_else(|| micros(text).map(|(length, _)| length));
                record.duration = Some(Micros(length.filter(|length| length.abs() <= LONG)?));
                return Some(());
            }
            Field::Seq => {
                record.seq = Some(number(text)?);
                return Some(());
            }
        };
        if text.len() > TEXT_MAX {
            return None;
        }
        *place = text;
        Some(())
    }

    #[inline]
    fn meet(&mut self, field: Field) -> Option<()> {
        let bit = 1u32 << field as u8;
        let again = self.met & bit != 0;
        self.met |= bit;
        (!again).then_some(())
    }

    /// The record, if nothing is missing.
    #[inline]
    pub fn finish(self) -> Option<Record<'a>> {
        const NEEDED: u32 = 1 << Field::Id as u8 | 1 << Field::Source as u8 | 1 << Field::Destination as u8;
        const LENGTH: u32 = 1 << Field::Duration as u8 | 1 << Field::End as u8;
        // No `then_some`: a record is three hundred bytes, and would be moved once more.
        if self.met & NEEDED == NEEDED && self.met & LENGTH != 0 { Some(self.record) } else { None }
    }

    /// The record of a row, in which no field but `source` is put that is empty.
    #[inline]
    pub fn finish_row(self) -> Option<Record<'a>> {
        let Record { id, destination, duration, end, .. } = &self.record;
        let whole = !id.is_empty() && !destination.is_empty() && (duration.is_some() || end.is_some());
        if whole { Some(self.record) } else { None }
    }
}

/// A talk time beyond this is looked at twice.
const LONG: i64 = 366 * 86_400 * MICROS_PER_SECOND;

/// Seconds of up to ten characters with no sign, and no more than six decimals, as microseconds: what [`micros`] reads.
#[inline]
fn short_decimal(text: &[u8]) -> Option<i64> {
    const SCALES: [i64; 7] = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    if text.len() > 10 {
        return None;
    }
    let (mut value, mut digits, mut decimals) = (0, 0, 0);
    for (i, byte) in text.iter().enumerate() {
        match byte.wrapping_sub(b'0') {
            digit @ 0..=9 => (value, digits) = (value * 10 + i64::from(digit), digits + 1),
            _ if *byte == b'.' && digits == i => decimals = text.len() - i - 1,
            _ => return None,
        }
    }
    (digits > 0).then_some(value * SCALES.get(decimals)?)
}

/// One to eighteen digits.
#[inline]
fn number(text: &[u8]) -> Option<u64> {
    if !(1..=18).contains(&text.len()) {
        return None;
    }
    let mut value = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// The day of the last instant that was read: nearly always that of the next one, too.
#[derive(Debug, Default)]
pub(super) struct Day {
    /// `2026-10-05T`, in two words.
    date: (u64, u32),
    /// Its beginning in UTC.
    start: i64,
}

impl Day {
    /// An instant of a field; none: absent, bad, or not so simple.
    #[inline]
    fn time(&mut self, field: Field, text: &[u8]) -> Option<Timestamp> {
        match text.get(4) {
            Some(b'-') => self.rfc3339(text),
            _ => time(field, text).ok()?,
        }
    }

    /// As [`parse_rfc3339`] reads it.
    #[inline]
    fn rfc3339(&mut self, text: &[u8]) -> Option<Timestamp> {
        let date = date_of(text)?;
        if date != self.date {
            return self.rfc3339_of_another_day(date, text);
        }
        let seconds = seconds(u64::from_le_bytes(*text.get(11..)?.first_chunk()?))?;
        let rest = text.get(19..)?;
        let mut micros = 0;
        match rest {
            [b'Z'] => {}
            [b'.', digits @ .., b'Z'] if (1..=6).contains(&digits.len()) => {
                let mut scale = 1_000_000;
                for byte in digits {
                    let digit = byte.wrapping_sub(b'0');
                    if digit > 9 {
                        return None;
                    }
                    scale /= 10;
                    micros += i64::from(digit) * scale;
                }
            }
            // Offsets, more digits, and whatever is wrong.
            _ => return parse_rfc3339(text),
        }
        Some(Timestamp(self.start + seconds * MICROS_PER_SECOND + micros))
    }

    #[cold]
    fn rfc3339_of_another_day(&mut self, date: (u64, u32), text: &[u8]) -> Option<Timestamp> {
        let at = parse_rfc3339(text)?;
        let mut midnight = *b"0000-00-00T00:00:00Z";
        if let (Some(to), Some(from)) = (midnight.get_mut(..10), text.get(..10)) {
            to.copy_from_slice(from);
        }
        if text.get(10) == Some(&b'T')
            && let Some(start) = parse_rfc3339(&midnight)
        {
            (self.date, self.start) = (date, start.0);
        }
        Some(at)
    }
}

/// The first eleven bytes.
#[inline]
fn date_of(text: &[u8]) -> Option<(u64, u32)> {
    let head = text.first_chunk::<11>()?;
    let (eight, four) = (head.first_chunk()?, head.last_chunk()?);
    Some((u64::from_le_bytes(*eight), u32::from_le_bytes(*four)))
}

/// Seconds since midnight of `HH:MM:SS`, all eight bytes at once.
#[inline]
pub(super) fn seconds(text: u64) -> Option<i64> {
    const ZEROS: u64 = u64::from_le_bytes(*b"00:00:00");
    // What carries into the high bit of a byte: ten of a digit, one of a colon.
    const OVER: u64 = u64::from_le_bytes([0x76, 0x76, 0x7f, 0x76, 0x76, 0x7f, 0x76, 0x76]);
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let digits = text ^ ZEROS;
    if (digits | (digits & !HIGH).wrapping_add(OVER)) & HIGH != 0 {
        return None;
    }
    // Ten times each byte and its right neighbour: at most 99, which stays in its byte.
    let pairs = digits * 10 + (digits >> 8);
    let pair = |at: u32| (pairs >> (8 * at) & 0xff) as i64;
    let (hour, minute, second) = (pair(0), pair(3), pair(6));
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usual_lengths_are_short() {
        for (text, length) in
            [("61", 61_000_000), ("0.4", 400_000), ("1234.567891", -1), ("123.456789", 123_456_789), (".5", 500_000)]
        {
            assert_eq!(short_decimal(text.as_bytes()).unwrap_or(-1), length, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Whatever days came before.
        #[test]
        fn instants_are_what_the_general_way_reads(texts in proptest::collection::vec(prop_oneof![
            4 => "2026-(10-0[4-6]|02-(28|29|30))T(0[0-9]|1[0-9]|2[0-9]):[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,7})?Z",
            1 => "2024-02-29[Tt ]0[0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,3})?([Zz]|\\+02:00|-0[0-9]:30|x)?",
            1 => "2026-10-05T[0-9:/;]{8}(\\.[0-9/:]{0,3})?Z",
            1 => "[ -~]{0,24}",
        ], 1..6)) {
            let mut day = Day::default();
            for text in texts {
                prop_assert_eq!(day.rfc3339(text.as_bytes()), parse_rfc3339(text.as_bytes()), "{}", text);
            }
        }

        #[test]
        fn short_lengths_are_what_the_general_way_reads(text in prop_oneof!["[0-9]{0,6}(\\.[0-9]{0,7})?", "[-0-9.e]{0,11}", "[ -~]{0,3}"]) {
            if let Some(length) = short_decimal(text.as_bytes()) {
                prop_assert_eq!(micros(text.as_bytes()).map(|(length, _)| length), Some(length));
            }
        }

        #[test]
        fn any_eight_bytes_are_a_clock_or_not(bytes in any::<[u8; 8]>(), digits in "[0-9:]{2}:[0-9]{2}:[0-9:]{2}") {
            for bytes in [&bytes[..], digits.as_bytes()] {
                let text = [b"2026-10-05T", bytes, b"Z"].concat();
                let at = seconds(u64::from_le_bytes(bytes.try_into().unwrap()));
                let expected = parse_rfc3339(&text).map(|at| (at.0 - 1_791_158_400_000_000) / MICROS_PER_SECOND);
                prop_assert_eq!(at, expected);
            }
        }
    }
}
