//! When the lines of a rating plan hold: CGRateS' timings as days and hours that do not overlap.
//!
//! Of the lines that hold at a moment the one of most weight wins, and of equals the one that began last that day.
//!
//! Does not know prices.

use std::collections::BTreeMap;

use crate::money::Money;

const MINUTES: u16 = 24 * 60;
const ANY: &str = "*any";
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Days of the week and times of day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Timing {
    /// Bit 0: Mondays.
    days: u8,
    /// First minute.
    start: u16,
    /// First minute that is not in it any more.
    end: u16,
}

/// Why a timing cannot be taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Bad {
    /// It cannot be read.
    Unreadable(String),
    /// A deck cannot say it.
    NoCounterpart(String),
}

impl Timing {
    /// Every moment: the timing that CGRateS knows without a row.
    pub const ALWAYS: Timing = Timing { days: 0x7F, start: 0, end: MINUTES };

    /// From the cells years, months, days of the month, weekdays and time.
    pub fn read(years: &str, months: &str, month_days: &str, week_days: &str, time: &str) -> Result<Timing, Bad> {
        let mut days = 0;
        match week_days {
            ANY | "" => days = Timing::ALWAYS.days,
            list => {
                for part in list.split(';').map(str::trim) {
                    // Sunday is 0 to CGRateS, and 7.
                    let day = part.parse::<u8>().ok().filter(|day| *day <= 7).ok_or_else(|| {
                        Bad::Unreadable(format!("weekdays: {list:?} is neither {ANY} nor days from 1 (Monday) to 7"))
                    })?;
                    days |= 1 << ((day + 6) % 7);
                }
            }
        }
        let mut ends = time.split(';').map(str::trim);
        let first = ends.next().unwrap_or_default();
        if first == "*asap" {
            return Err(Bad::NoCounterpart("*asap is a moment of an action, not a time of day".to_owned()));
        }
        let start = if first == ANY { 0 } else { minute(first, false)? };
        let end = ends.next().filter(|end| !end.is_empty()).map_or(Ok(MINUTES), |end| minute(end, true))?;
        if ends.next().is_some() || end <= start {
            return Err(Bad::Unreadable(format!("time: {time:?} is no time of day, and not one from and to")));
        }
        let only = [("years", years), ("months", months), ("days of the month", month_days)];
        match only.into_iter().find(|(_, cell)| !matches!(*cell, ANY | "")) {
            Some((what, cell)) => Err(Bad::NoCounterpart(format!("holds only in some {what} ({cell})"))),
            None => Ok(Timing { days, start, end }),
        }
    }

    fn holds(&self, day: usize, minute: u16) -> bool {
        self.days >> day & 1 == 1 && (self.start..self.end).contains(&minute)
    }
}

/// `08:00:00`, and `18:59:59` as the end of the minute before seven.
fn minute(text: &str, end: bool) -> Result<u16, Bad> {
    let bad = || Bad::Unreadable(format!("time: {text:?} is no time of day such as 08:00:00"));
    let mut parts = [0; 3];
    let cells: Vec<&str> = text.split(':').collect();
    if cells.len() != parts.len() {
        return Err(bad());
    }
    for ((part, cell), most) in parts.iter_mut().zip(cells).zip([24, 59, 59]) {
        let sound = (1..=2).contains(&cell.len()) && cell.bytes().all(|b| b.is_ascii_digit());
        *part = cell.parse::<u16>().ok().filter(|n| sound && *n <= most).ok_or_else(bad)?;
    }
    let [hour, minute, second] = parts;
    let of_day = hour * 60 + minute;
    match second {
        _ if of_day > MINUTES => Err(bad()),
        0 => Ok(of_day),
        59 if end && of_day < MINUTES => Ok(of_day + 1),
        _ => Err(Bad::NoCounterpart(format!("begins or ends within a minute ({text})"))),
    }
}

/// When a line holds, or, without a line, none does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Held {
    /// Place in the list that was given.
    pub line: Option<usize>,
    /// As a deck's cells say it; empty for all.
    pub days: String,
    pub hours: String,
}

/// Two lines of which neither comes before the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tie(pub usize, pub usize);

/// Which of the lines holds when. `same` says whether two lines come to the same price.
pub(super) fn held(lines: &[(Money, Timing)], same: impl Fn(usize, usize) -> bool) -> Result<Vec<Held>, Tie> {
    type Hours = Vec<(u16, u16)>;
    let mut found: BTreeMap<(Option<usize>, Hours), u8> = BTreeMap::new();
    for day in 0..DAYS.len() {
        let mut ends: Vec<u16> = lines.iter().flat_map(|(_, t)| [t.start, t.end]).chain([0, MINUTES]).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut of_day: BTreeMap<Option<usize>, Hours> = BTreeMap::new();
        for (from, to) in ends.iter().zip(ends.iter().skip(1)) {
            let mut best: Option<usize> = None;
            for (at, (weight, timing)) in lines.iter().enumerate().filter(|(_, (_, t))| t.holds(day, *from)) {
                let rank = (weight.0, timing.start);
                match best.and_then(|best| Some((best, lines.get(best)?))) {
                    Some((best, (weight, timing))) if rank == (weight.0, timing.start) && !same(best, at) => {
                        return Err(Tie(best, at));
                    }
                    Some((_, (weight, timing))) if rank <= (weight.0, timing.start) => {}
                    _ => best = Some(at),
                }
            }
            let hours = of_day.entry(best).or_default();
            match hours.last_mut() {
                Some((_, end)) if *end == *from => *end = *to,
                _ => hours.push((*from, *to)),
            }
        }
        for (line, hours) in of_day {
            *found.entry((line, hours)).or_default() |= 1 << day;
        }
    }
    let word = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let hours = |hours: Hours| match hours.as_slice() {
        [(0, MINUTES)] => String::new(),
        hours => hours.iter().map(|(from, to)| format!("{}-{}", word(*from), word(*to))).collect::<Vec<_>>().join(";"),
    };
    let days = |days: u8| match days {
        0x7F => String::new(),
        0x1F => "mon-fri".to_owned(),
        days => {
            (0..7).filter(|i| days >> i & 1 == 1).filter_map(|i| DAYS.get(i).copied()).collect::<Vec<_>>().join(";")
        }
    };
    Ok(found.into_iter().map(|((line, h), d)| Held { line, days: days(d), hours: hours(h) }).collect())
}
