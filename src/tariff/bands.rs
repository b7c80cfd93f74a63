//! Time bands (R17): on which days and at which times of day a row holds, by the clocks and the calendar of its deck.
//!
//! A day is a weekday or, where the deck's list of holidays has it, a holiday and no weekday: so the eight kinds of day
//! never overlap, and a row that names no days holds on all of them. Times are those that wall clocks show; an hour that
//! autumn repeats belongs twice to its band, one that spring skips never comes.
//!
//! Does not know rows, plans or prices.

use serde::{Deserialize, Serialize};

use crate::time::{Wall, Zone};

/// Minutes of a day that a wall clock can show.
pub const MINUTES: u16 = 24 * 60;
/// Words of a bit for each minute.
pub const WORDS: usize = 23;
const _: () = assert!(WORDS * 64 >= MINUTES as usize && (WORDS - 1) * 64 < MINUTES as usize);

/// Kinds of day as cells write them; bit n of [`Band::days`].
const DAYS: [&str; 8] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"];
const HOLIDAY: u8 = 7;
/// All minutes, as times of day are shown.
const WHOLE_DAY: &str = "00:00-24:00";
/// Every kind of day.
pub const ALL_DAYS: u8 = 0xFF;

type Bad = (String, String);

/// Days and minutes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Band {
    /// Bit 0: Mondays … bit 6: Sundays, bit 7: holidays.
    pub days: u8,
    /// Bit n of all words: minute n of the day.
    pub minutes: [u64; WORDS],
}

impl Band {
    /// From the cells `days` and `hours`; an empty one stands for all.
    pub fn read(days: &str, hours: &str) -> Result<Band, (&'static str, Bad)> {
        let days = if days.is_empty() { ALL_DAYS } else { read_days(days).map_err(|bad| ("days", bad))? };
        let minutes = read_hours(hours).map_err(|bad| ("hours", bad))?;
        Ok(Band { days, minutes })
    }

    /// Whether there is a moment in both.
    pub fn overlaps(&self, other: &Band) -> bool {
        self.days & other.days != 0 && self.minutes.iter().zip(&other.minutes).any(|(a, b)| a & b != 0)
    }

    /// Whether holidays are among its days, and named: a row of all days does not care.
    pub fn names_holidays(&self) -> bool {
        self.days != ALL_DAYS && self.days >> HOLIDAY & 1 == 1
    }

    /// Whether it tells days apart.
    pub fn names_days(&self) -> bool {
        self.days != ALL_DAYS
    }

    /// Whether it holds on a kind of day at a minute.
    pub fn holds(&self, day: u8, minute: u16) -> bool {
        let word = self.minutes.get(usize::from(minute / 64)).copied().unwrap_or(0);
        self.days >> (day & 7) & 1 == 1 && word >> (minute % 64) & 1 == 1
    }

    /// The cells `days` and `hours` that [`Band::read`] makes this of; empty ones stand for all.
    pub fn cells(&self) -> (String, String) {
        let (days, times) = self.parts();
        let cell = |text: String| text.replace(", ", ";");
        let days = if self.days == ALL_DAYS { String::new() } else { cell(days) };
        (days, if times == WHOLE_DAY { String::new() } else { cell(times) })
    }

    /// `mon-fri 08:00-18:00`; as people read it.
    pub fn words(&self) -> String {
        let (days, times) = self.parts();
        match (self.days == ALL_DAYS, times == WHOLE_DAY) {
            (true, true) => "always".to_owned(),
            (true, false) => times,
            (false, true) => days,
            (false, false) => format!("{days} {times}"),
        }
    }

    /// Days and times of day.
    fn parts(&self) -> (String, String) {
        let days = runs(8, |i| self.days >> i & 1 == 1)
            .into_iter()
            .map(|(from, to)| match (DAYS.get(from), DAYS.get(to - 1)) {
                // Holidays follow no Sunday.
                (Some(first), _) if to - from == 1 => (*first).to_owned(),
                (Some(first), Some(&"holiday")) if to - from == 2 => format!("{first}, holiday"),
                (Some(first), Some(&"holiday")) => format!("{first}-sun, holiday"),
                (Some(first), Some(last)) => format!("{first}-{last}"),
                _ => String::new(),
            })
            .collect::<Vec<_>>()
            .join(", ");
        let minute = |i: usize| self.minutes.get(i / 64).is_some_and(|word| word >> (i % 64) & 1 == 1);
        let times = runs(usize::from(MINUTES), minute)
            .into_iter()
            .map(|(from, to)| format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60))
            .collect::<Vec<_>>()
            .join(", ");
        (days, times)
    }
}

/// Stretches of set bits, their ends exclusive.
fn runs(count: usize, set: impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for i in (0..count).filter(|i| set(*i)) {
        match found.last_mut() {
            Some((_, end)) if *end == i => *end = i + 1,
            _ => found.push((i, i + 1)),
        }
    }
    found
}

const DAYS_HINT: &str = "write mon-fri, sat;sun, or holiday";

/// `mon-fri`, `sat;sun`, `mon-fri holiday`.
fn read_days(text: &str) -> Result<u8, Bad> {
    let mut days = 0;
    let joined = text.replace(" - ", "-");
    for part in joined.split([';', ',', ' ']).map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('-') {
            None => days |= 1 << day(part, text)?,
            Some((from, to)) => {
                let (mut at, to) = (day(from.trim(), text)?, day(to.trim(), text)?);
                if at == HOLIDAY || to == HOLIDAY {
                    return Err((format!("{part:?}: holidays are in no order with weekdays"), DAYS_HINT.to_owned()));
                }
                days |= 1 << at;
                while at != to {
                    at = (at + 1) % HOLIDAY;
                    days |= 1 << at;
                }
            }
        }
    }
    if days == 0 { Err((format!("{text:?} names no day"), DAYS_HINT.to_owned())) } else { Ok(days) }
}

/// A day by the first letters of its English name, two at least.
fn day(text: &str, cell: &str) -> Result<u8, Bad> {
    const NAMES: [&str; 8] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "holidays"];
    let lower = text.to_ascii_lowercase();
    let found = NAMES.iter().position(|name| lower.len() >= 2 && name.starts_with(&lower));
    let numbers = || (format!("{cell:?} has numbers, which count from Sunday or from Monday"), DAYS_HINT.to_owned());
    match found {
        Some(at) => Ok(at as u8),
        None if text.bytes().all(|b| b.is_ascii_digit()) => Err(numbers()),
        None => Err((format!("{text:?} is no day"), DAYS_HINT.to_owned())),
    }
}

const HOURS_HINT: &str =
    "write 8-18 or 08:00-18:00, the end not included; 18-8 is from midnight to 8 and from 18 to midnight";

/// `8-18`, `08:00-12:00;13:00-17:30`, `20-8`; nothing: the whole day.
fn read_hours(text: &str) -> Result<[u64; WORDS], Bad> {
    let mut minutes = [0; WORDS];
    let mut set = |from: u16, to: u16| {
        for minute in from..to {
            if let Some(word) = minutes.get_mut(usize::from(minute / 64)) {
                *word |= 1 << (minute % 64);
            }
        }
    };
    if text.is_empty() {
        set(0, MINUTES);
        return Ok(minutes);
    }
    for part in text.split([';', ',']).map(str::trim) {
        let bad = || (format!("{part:?} is no time of day from and to"), HOURS_HINT.to_owned());
        let (from, to) = part.split_once('-').ok_or_else(bad)?;
        let (from, to) = (minute(from.trim(), part)?, minute(to.trim(), part)?);
        if from == to || from == MINUTES {
            return Err((format!("{part:?} ends where it begins"), HOURS_HINT.to_owned()));
        }
        if from < to {
            set(from, to);
        } else {
            set(from, MINUTES);
            set(0, to);
        }
    }
    Ok(minutes)
}

/// `8`, `08:30`, `0830`, `24:00`; seconds only if there are none.
fn minute(text: &str, cell: &str) -> Result<u16, Bad> {
    let bad = || (format!("{text:?} is no time of day"), HOURS_HINT.to_owned());
    let number = |part: &str| -> Result<u16, Bad> {
        let digits = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if digits { part.parse().map_err(|_| bad()) } else { Err(bad()) }
    };
    let parts: Vec<&str> = match text.len() {
        4 if !text.contains(':') && text.is_char_boundary(2) => vec![&text[..2], &text[2..]],
        _ => text.split(':').collect(),
    };
    let (hour, minute, second) = match parts.as_slice() {
        [hour] => (number(hour)?, 0, 0),
        [hour, minute] => (number(hour)?, number(minute)?, 0),
        [hour, minute, second] => (number(hour)?, number(minute)?, number(second)?),
        _ => return Err(bad()),
    };
    if second != 0 {
        return Err((
            format!("{cell:?} has seconds"),
            "ends are not included: write 08:00-18:00, not 17:59:59".to_owned(),
        ));
    }
    let of_day = hour * 60 + minute;
    if minute > 59 || of_day > MINUTES { Err(bad()) } else { Ok(of_day) }
}

/// Days that are holidays, by rule or by date.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Holidays {
    /// Month and day of every year.
    pub yearly: Vec<(i8, i8)>,
    /// Days after Easter Sunday (western): −2 is Good Friday, 1 Easter Monday, 39 Ascension, 50 Whit Monday.
    pub easter: Vec<i16>,
    /// Year, month and day.
    pub dates: Vec<(i16, i8, i8)>,
}

impl Holidays {
    /// Whether a day is one.
    pub fn contains(&self, date: jiff::civil::Date) -> bool {
        let (year, month, day) = (date.year(), date.month(), date.day());
        let after_easter = || {
            let days = easter(year).and_then(|sunday| sunday.until(date).ok()).map(|span| span.get_days());
            days.is_some_and(|days| self.easter.iter().any(|offset| i32::from(*offset) == days))
        };
        self.yearly.contains(&(month, day))
            || self.dates.contains(&(year, month, day))
            || !self.easter.is_empty() && after_easter()
    }

    /// Whether it holds no day at all.
    pub fn is_empty(&self) -> bool {
        self.yearly.is_empty() && self.easter.is_empty() && self.dates.is_empty()
    }
}

/// Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876, after Meeus).
fn easter(year: i16) -> Option<jiff::civil::Date> {
    let y = i32::from(year);
    let (a, b, c) = (y.rem_euclid(19), y.div_euclid(100), y.rem_euclid(100));
    let (d, e, f) = (b / 4, b % 4, (b + 8) / 25);
    let g = (b - f + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let (month, day) = ((h + l - 7 * m + 114) / 31, (h + l - 7 * m + 114) % 31 + 1);
    jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Whose clocks and holidays a deck's bands mean.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// The deck's zone.
    pub zone: Zone,
    /// Its holidays.
    pub holidays: Holidays,
}

impl Calendar {
    /// The kind of day that a wall shows.
    pub fn day(&self, wall: &Wall) -> u8 {
        if !self.holidays.is_empty() && self.holidays.contains(wall.date) { HOLIDAY } else { wall.weekday }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cells_of_decks() {
        for (days, hours, expected) in [
            ("", "", "always"),
            ("mon-fri", "", "mon-fri"),
            ("Mon-Fri", "8-18", "mon-fri 08:00-18:00"),
            ("monday - friday", "08:00-18:00", "mon-fri 08:00-18:00"),
            ("mon-fri", "18-8", "mon-fri 00:00-08:00, 18:00-24:00"),
            ("mo-fr", "0800-1200; 1330-17:30", "mon-fri 08:00-12:00, 13:30-17:30"),
            ("sat;sun", "0-24", "sat-sun"),
            ("sat, sun, holiday", "", "sat-sun, holiday"),
            ("sat-mon", "", "mon, sat-sun"),
            ("sun holiday", "00:00:00-24:00:00", "sun, holiday"),
            ("holiday", "", "holiday"),
            ("mon-sun holiday", "", "always"),
            ("mon-sun", "20-21", "mon-sun 20:00-21:00"),
            ("", "23:59-24", "23:59-24:00"),
        ] {
            assert_eq!(Band::read(days, hours).map(|band| band.words()), Ok(expected.to_owned()), "{days:?} {hours:?}");
        }
        for (days, hours, column, part) in [
            ("1-5", "", "days", "Sunday or from Monday"),
            ("funday", "", "days", "no day"),
            ("m", "", "days", "no day"),
            ("mon-holiday", "", "days", "no order"),
            (";", "", "days", "names no day"),
            ("", "8", "hours", "from and to"),
            ("", "8-8", "hours", "ends where it begins"),
            ("", "24-8", "hours", "ends where it begins"),
            ("", "8-25", "hours", "no time of day"),
            ("", "8-17:60", "hours", "no time of day"),
            ("", "08:00-17:59:59", "hours", "seconds"),
            ("", "8-18;", "hours", "from and to"),
            ("", "8am-6pm", "hours", "no time of day"),
        ] {
            let bad = Band::read(days, hours).unwrap_err();
            assert_eq!(bad.0, column, "{days:?} {hours:?}");
            assert!(bad.1.0.contains(part), "{days:?} {hours:?}: {bad:?}");
        }
    }

    #[test]
    fn bands_overlap_where_a_day_and_a_minute_are_in_both() {
        let band = |days, hours| Band::read(days, hours).unwrap();
        for (one, other, expected) in [
            (("mon-fri", "8-18"), ("mon-fri", "18-8"), false),
            (("mon-fri", "8-18"), ("mon-fri", "17:59-20"), true),
            (("mon-fri", ""), ("sat;sun;holiday", ""), false),
            (("mon-sun", ""), ("holiday", ""), false),
            (("", "8-18"), ("holiday", ""), true),
            (("", ""), ("mon", "0-1"), true),
        ] {
            assert_eq!(band(one.0, one.1).overlaps(&band(other.0, other.1)), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn holidays_by_rule_and_by_date() {
        // Easter as the churches print it.
        for (year, month, day) in
            [(2000, 4, 23), (2008, 3, 23), (2024, 3, 31), (2026, 4, 5), (2027, 3, 28), (2038, 4, 25)]
        {
            assert_eq!(easter(year), jiff::civil::Date::new(year, month, day).ok(), "{year}");
        }
        let list = Holidays { yearly: vec![(1, 1)], easter: vec![-2, 50], dates: vec![(2026, 10, 31)] };
        for (date, expected) in [
            ((2026, 1, 1), true),
            ((2031, 1, 1), true),
            ((2026, 4, 3), true),
            ((2026, 5, 25), true),
            ((2026, 4, 6), false),
            ((2026, 10, 31), true),
            ((2027, 10, 31), false),
        ] {
            assert_eq!(list.contains(jiff::civil::date(date.0, date.1, date.2)), expected, "{date:?}");
        }
    }

    proptest! {
        /// What it says of itself is read as the same; a moment is in it as its words say.
        #[test]
        fn words_are_read_back(days in 1..255_u8, from in 0..MINUTES, length in 1..MINUTES, minute in 0..MINUTES, day in 0..8_u8) {
            let to = (from + length) % MINUTES;
            prop_assume!(from != to);
            let names: Vec<&str> = DAYS.iter().enumerate().filter(|(i, _)| days >> i & 1 == 1).map(|(_, name)| *name).collect();
            let clock = |m: u16| format!("{:02}:{:02}", m / 60, m % 60);
            let band = Band::read(&names.join(";"), &format!("{}-{}", clock(from), clock(to))).unwrap();
            let inside = (0..length).any(|n| (from + n) % MINUTES == minute);
            prop_assert_eq!(band.holds(day, minute), inside && days >> day & 1 == 1);
            let words = band.words();
            let split = words.find(|c: char| c.is_ascii_digit()).unwrap();
            prop_assert_eq!(Band::read(&words[..split], &words[split..]), Ok(band));
        }

        #[test]
        fn any_cells_are_answered(days in "[a-z0-9;, -]{0,20}", hours in "[0-9:;, -]{0,20}") {
            let _ = Band::read(&days, &hours);
        }
    }
}
