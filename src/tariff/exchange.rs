//! Exchange rates by date: what prices of a deck in another currency than its plan's are worth.
//!
//! `exchange.csv` has `from,to,rate,valid_from`: one unit of `from` is worth so many of `to`, from 00:00 UTC of a day or
//! from an instant on, until the next row of the pair. Nothing is turned round or chained: a rate is what the file says.
//!
//! Does not know prices.

use serde::{Deserialize, Serialize};

use super::cells;
use super::csv::{BadQuote, Decoded, Rows, decode};
use super::findings::{Findings, Place};
use crate::money::Money;
use crate::time::{Timestamp, Zone};

/// A rate and from when it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DatedRate {
    /// ISO 4217.
    pub from: [u8; 3],
    /// ISO 4217.
    pub to: [u8; 3],
    /// First instant, `i64::MIN` if there is none.
    pub valid_from: Timestamp,
    /// Units of `to` for one of `from`.
    pub rate: Money,
}

impl DatedRate {
    fn pair(&self) -> ([u8; 3], [u8; 3]) {
        (self.from, self.to)
    }
}

const COLUMNS: [&str; 4] = ["from", "to", "rate", "valid_from"];

/// Reads the file: rates by pair and date. Nothing is no rates.
pub fn read(bytes: &[u8], findings: &mut Findings) -> Vec<DatedRate> {
    let text = match decode(bytes) {
        Decoded::Utf8(text) => text,
        Decoded::Latin1(_) | Decoded::Utf16 => {
            findings.error(Place::default(), "not UTF-8", "save the file as UTF-8");
            return Vec::new();
        }
    };
    let (mut rows, mut fields, mut read) = (Rows::new(text), Vec::new(), Vec::new());
    let mut style = cells::Style::of_separator(rows.separator());
    let mut header = true;
    while let Some(row) = rows.next(&mut fields) {
        let line = match row {
            Ok(line) => line,
            Err(BadQuote(at)) => {
                findings.error(at, "a quote that does not end", "close it, or leave it out");
                continue;
            }
        };
        let place = Place { line, column: 1 };
        let [from, to, rate, valid_from] = fields.as_slice() else {
            findings.error(place, format!("{} fields instead of 4", fields.len()), "write USD,EUR,0.92,2026-10-01");
            continue;
        };
        if std::mem::take(&mut header) {
            if COLUMNS.iter().zip(&fields).any(|(column, field)| *column != field.text) {
                findings.error(place, "the header is another", "begin with the line from,to,rate,valid_from");
            }
            continue;
        }
        let mut currency = |field: &super::csv::Field<'_>| {
            let code = <[u8; 3]>::try_from(field.text.as_bytes()).ok().filter(|c| c.iter().all(u8::is_ascii_uppercase));
            if code.is_none() {
                let message = format!("{:?} is no currency", field.text);
                findings.error(field.place(text), message, "write three capital letters, ISO 4217: EUR");
            }
            code
        };
        let (from, to) = (currency(from), currency(to));
        let mut value = |read: Result<i64, (String, String)>, field: &super::csv::Field<'_>| {
            read.map_err(|(message, hint)| findings.error(field.place(text), message, hint)).ok()
        };
        let amount = style.amount(&rate.text, rate.quoted, rate.place(text)).and_then(|rate| match rate.0 {
            0 => Err(("a rate of 0".to_owned(), "leave the row out".to_owned())),
            rate => Ok(rate),
        });
        let rate = value(amount, rate);
        let since = match valid_from.text.as_ref() {
            "" => Ok(i64::MIN),
            date => cells::date(date, &Zone::UTC).map(|at| at.0),
        };
        let since = value(since, valid_from);
        if let (Some(from), Some(to), Some(rate), Some(since)) = (from, to, rate, since) {
            read.push((DatedRate { from, to, valid_from: Timestamp(since), rate: Money(rate) }, line));
        }
    }
    style.finish(findings);
    read.sort_by_key(|(rate, line)| (rate.pair(), rate.valid_from, *line));
    read.dedup_by(|(next, line), (first, before)| {
        let same = (next.pair(), next.valid_from) == (first.pair(), first.valid_from);
        if same && next.rate != first.rate {
            let message = format!("the pair stands in line {before} with another rate from the same day");
            findings.error(Place { line: *line, column: 1 }, message, "leave one out");
        }
        same
    });
    read.into_iter().map(|(rate, _)| rate).collect()
}

/// The rate of a pair in force; the list is sorted as [`read`] gives it.
pub fn in_force(rates: &[DatedRate], from: [u8; 3], to: [u8; 3], at: Timestamp) -> Option<&DatedRate> {
    let behind = rates.partition_point(|rate| (rate.pair(), rate.valid_from) <= ((from, to), at));
    rates.get(behind.checked_sub(1)?).filter(|rate| rate.pair() == (from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_text(text: &str) -> (Vec<DatedRate>, Vec<String>) {
        let mut findings = Findings::new("exchange.csv");
        let rates = read(text.as_bytes(), &mut findings);
        (rates, findings.finish().iter().map(|f| format!("{}:{} {}", f.line, f.column, f.message)).collect())
    }

    #[test]
    fn the_latest_rate_that_has_begun() {
        let (rates, findings) = read_text(
            "from,to,rate,valid_from\nUSD,EUR,0.93,2026-10-01\nUSD,EUR,0.92,2026-01-01\nGBP,EUR,1.15,\nUSD,EUR,0.93,2026-10-01\n",
        );
        assert!(findings.is_empty(), "{findings:?}");
        let at = |text: &str| crate::time::parse_rfc3339(text.as_bytes()).unwrap();
        for (from, to, when, expected) in [
            (b"USD", b"EUR", "2025-12-31T23:59:59Z", None),
            (b"USD", b"EUR", "2026-01-01T00:00:00Z", Some(920_000_000)),
            (b"USD", b"EUR", "2026-09-30T23:59:59.999999Z", Some(920_000_000)),
            (b"USD", b"EUR", "2026-10-01T00:00:00Z", Some(930_000_000)),
            (b"GBP", b"EUR", "1999-01-01T00:00:00Z", Some(1_150_000_000)),
            // Nothing is turned round.
            (b"EUR", b"USD", "2026-10-01T00:00:00Z", None),
            (b"GBP", b"USD", "2026-10-01T00:00:00Z", None),
        ] {
            assert_eq!(in_force(&rates, *from, *to, at(when)).map(|r| r.rate.0), expected, "{when}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("usd,eur\n", "1:1 2 fields"),
            ("a,b,c,d\n", "1:1 the header is another"),
            ("from,to,rate,valid_from\nusd,EUR,1,\n", "2:1 \"usd\" is no currency"),
            ("from,to,rate,valid_from\nUSD,EUR,0,\n", "2:9 a rate of 0"),
            ("from,to,rate,valid_from\nUSD,EUR,x,\n", "2:9 \"x\" is not an amount"),
            ("from,to,rate,valid_from\nUSD,EUR,1,1/2/26\n", "2:11 \"1/2/26\" may be day"),
            ("from,to,rate,valid_from\nUSD,EUR,1,\nUSD,EUR,2,\n", "3:1 the pair stands in line 2"),
        ] {
            let (_, findings) = read_text(text);
            assert!(findings.len() == 1 && findings[0].starts_with(expected), "{text:?}: {findings:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "(from,to,rate,valid_from\n)?[A-Z0-9,.;\n-]{0,60}") {
            read_text(&text);
        }
    }
}
