//! Dates as suppliers write them: `2014-06-05`, `05/06/2014`, `05-Jun-2014`. Which of two numbers is the day, the whole
//! column must tell, or the mapping.
//!
//! Does not know rows or zones.

use serde::{Deserialize, Serialize};

/// Order of day, month and year where all three are numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// 5 June: `05/06/2014`.
    Dmy,
    /// 6 May: `05/06/2014`.
    Mdy,
    /// `14/06/05`
    Ymd,
}

/// A day, checked to exist.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Day {
    /// 1970 to 2199.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
}

impl Day {
    fn new(year: i64, month: i64, day: i64) -> Option<Day> {
        let sound =
            (1970..2200).contains(&year) && (1..=12).contains(&month) && (1..=last_of(year, month)).contains(&day);
        sound.then_some(Day { year, month, day })
    }

    /// The day after.
    pub fn next(self) -> Day {
        let Day { year, month, day } = self;
        if day < last_of(year, month) {
            Day { day: day + 1, ..self }
        } else if month < 12 {
            Day { year, month: month + 1, day: 1 }
        } else {
            Day { year: year + 1, month: 1, day: 1 }
        }
    }
}

impl std::fmt::Display for Day {
    /// `2014-06-05`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

fn last_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// What one cell says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    /// Can be read in one way only.
    Sure(Day),
    /// Three numbers in the order they stand; the year has four digits only in the last place.
    Numbers(i64, i64, i64),
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Reads the shape of a date. A time of midnight behind it is passed over, any other is not a date.
pub fn read(text: &str) -> Option<Said> {
    let text = text.trim();
    let (date, time) = match text.split_once('T') {
        Some((date, time)) if date.len() == 10 && date.is_ascii() => (date, time),
        // `05 Jun 2014` has blanks, too: a time has a colon in it.
        _ => match text.rsplit_once(' ') {
            Some((date, time)) if time.contains(':') => (date.trim(), time),
            _ => (text, ""),
        },
    };
    if !time.trim_end_matches('Z').bytes().all(|b| matches!(b, b'0' | b':' | b'.')) {
        return None;
    }
    if date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) {
        let year: i64 = date.get(..4)?.parse().ok()?;
        return Day::new(year, date.get(4..6)?.parse().ok()?, date.get(6..)?.parse().ok()?).map(Said::Sure);
    }
    let parts: Vec<&str> = date.split(['-', '/', '.', ' ', ',']).filter(|p| !p.is_empty()).collect();
    let [a, b, c] = parts.as_slice() else { return None };
    let number = |text: &str| -> Option<i64> {
        let sound = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| text.parse().ok())?
    };
    let month = |text: &str| -> Option<i64> {
        let lower = text.to_ascii_lowercase();
        let front = lower.get(..3)?;
        let letters = text.len() <= 9 && text.bytes().all(|b| b.is_ascii_alphabetic());
        letters.then(|| MONTHS.iter().position(|m| *m == front).map(|m| m as i64 + 1))?
    };
    let century = |year: i64, text: &str| if text.len() == 2 { 2000 + year } else { year };
    if let Some(month) = month(b) {
        return Day::new(century(number(c)?, c), month, number(a)?).map(Said::Sure);
    }
    if let Some(month) = month(a) {
        return Day::new(century(number(c)?, c), month, number(b)?).map(Said::Sure);
    }
    let (x, y, z) = (number(a)?, number(b)?, number(c)?);
    if a.len() == 4 {
        return Day::new(x, y, z).map(Said::Sure);
    }
    if c.len() == 4 && x == y {
        return Day::new(z, x, y).map(Said::Sure);
    }
    (a.len() <= 2 && b.len() <= 2 && matches!(c.len(), 2 | 4)).then_some(Said::Numbers(x, y, z))
}

/// The day that three numbers mean in an order.
pub fn day(said: Said, order: Order) -> Option<Day> {
    match said {
        Said::Sure(day) => Some(day),
        Said::Numbers(a, b, c) => {
            let year = |y: i64| if y < 100 { 2000 + y } else { y };
            match order {
                Order::Dmy => Day::new(year(c), b, a),
                Order::Mdy => Day::new(year(c), a, b),
                Order::Ymd => Day::new(year(a), b, c),
            }
        }
    }
}

/// Which order all dates of a deck can be read in: none if no order or several fit. Two digits for a year never tell.
pub fn order(said: impl Iterator<Item = Said>) -> Option<Order> {
    let (mut dmy, mut mdy) = (true, true);
    for said in said {
        if let Said::Numbers(_, _, year) = said {
            if year < 100 {
                return None;
            }
            dmy &= day(said, Order::Dmy).is_some();
            mdy &= day(said, Order::Mdy).is_some();
        }
    }
    match (dmy, mdy) {
        (true, false) => Some(Order::Dmy),
        (false, true) => Some(Order::Mdy),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_many_hands() {
        for (text, expected) in [
            ("2014-06-05", "2014-06-05"),
            ("2014-06-05T00:00:00Z", "2014-06-05"),
            ("2014-06-05 00:00:00", "2014-06-05"),
            ("20140605", "2014-06-05"),
            ("2014/6/5", "2014-06-05"),
            ("05-Jun-2014", "2014-06-05"),
            ("5 June 2014", "2014-06-05"),
            ("Jun 5, 2014", "2014-06-05"),
            ("05-JUN-14", "2014-06-05"),
            ("05/05/2014", "2014-05-05"),
            ("05/06/2014", "5 6 2014"),
            ("5.6.14", "5 6 14"),
            ("29/02/2014", "29 2 2014"),
            ("2014-02-29", "!"),
            ("2014-06-05 12:00", "!"),
            ("41795", "!"),
            ("05-Foo-2014", "!"),
            ("", "!"),
        ] {
            let shown = match read(text) {
                Some(Said::Sure(day)) => day.to_string(),
                Some(Said::Numbers(a, b, c)) => format!("{a} {b} {c}"),
                None => "!".to_owned(),
            };
            assert_eq!(shown, expected, "{text:?}");
        }
    }

    #[test]
    fn the_column_tells_what_a_cell_cannot() {
        for (cells, expected) in [
            (vec!["05/06/2014", "25/06/2014"], Some(Order::Dmy)),
            (vec!["05/06/2014", "06/25/2014"], Some(Order::Mdy)),
            (vec!["05/06/2014", "07/08/2014"], None),
            (vec!["25/06/2014", "06/25/2014"], None),
            (vec!["25/06/14"], None),
        ] {
            assert_eq!(order(cells.iter().filter_map(|c| read(c))), expected, "{cells:?}");
        }
    }

    #[test]
    fn the_day_after() {
        for (text, expected) in
            [("2024-02-28", "2024-02-29"), ("2023-02-28", "2023-03-01"), ("2023-12-31", "2024-01-01")]
        {
            let Some(Said::Sure(day)) = read(text) else { panic!("{text}") };
            assert_eq!(day.next().to_string(), expected);
        }
    }
}
