//! Rows of a supplier's table, once it is known how the deck writes.
//!
//! Does not know how columns were found.

use super::amounts::{self, Mark};
use super::asks::{Asks, Length, Origin};
use super::dates::{self, Day};
use super::header::{PRICES, Role};
use super::mapping::{End, Grace};
use super::style::Style;
use super::table::Table;
use super::{Held, Supplied, SupplierRow, bands, codes};
use crate::money::Money;
use crate::tariff::bands::Band;
use crate::tariff::cells::{self, LENGTH_MAX};
use crate::tariff::deck::ROWS_MAX;
use crate::tariff::findings::{Findings, Place};

mod prefixes;

type Bad = (String, String);
/// A price per minute, and when it holds.
type Banded = (Option<Band>, Option<Money>);

/// Words by which a supplier says that a row is no offer any more.
const CLOSING: [&str; 7] = ["deleted", "delete", "closed", "close", "removed", "discontinued", "blocked"];
/// What to do about a column that names no currency; the file is the supplier's.
const NO_CURRENCY: &str = "write ISO 4217, such as USD, or leave the column out by its heading: --set 'ignore=[\"currency\"]' --set currency=USD";

pub(super) fn read(table: &Table, style: &Style, supplied: &mut Supplied, findings: &mut Findings) {
    let mut prefixes = 0;
    let mut currency = supplied.currency;
    let before: Vec<u32> = (0..supplied.header.first_row).map(|row| table.line(row)).collect();
    // The heading itself is no text that was passed over.
    supplied.texts.extend(before.split_last().map_or(&[][..], |(_, titles)| titles));
    for at in supplied.header.first_row..table.len() {
        let row = Row { table, at, style, supplied };
        let line = table.line(at);
        if row.is_text() {
            supplied.texts.push(line);
            continue;
        }
        if let Some(why) = row.held() {
            supplied.held.push(Held { line, why });
            continue;
        }
        match row.read(&mut currency) {
            Ok(read) => {
                prefixes += read.iter().map(|row| row.prefixes.len()).sum::<usize>();
                if prefixes > ROWS_MAX {
                    findings.error(
                        Place { line, column: 0 },
                        format!("more than {ROWS_MAX} prefixes"),
                        "split the deck",
                    );
                    return;
                }
                supplied.rows.extend(read);
            }
            Err((column, (message, hint))) => {
                findings.error(Place { line, column: column as u32 + 1 }, message, hint);
            }
        }
    }
    supplied.currency = currency;
    supplied.mapping.currency = currency.map(|c| String::from_utf8_lossy(&c).into_owned());
}

struct Row<'a> {
    table: &'a Table,
    at: usize,
    style: &'a Style,
    supplied: &'a Supplied,
}

impl<'a> Row<'a> {
    fn column(&self, role: Role) -> Option<usize> {
        self.supplied.header.at.get(&role).copied()
    }

    /// A cell; empty where the deck has no such column.
    fn cell(&self, role: Role) -> &'a str {
        self.column(role).map_or("", |column| self.table.cell(self.at, column))
    }

    /// Reads a cell, if it holds something, with a reader that says what is wrong.
    fn with<T>(&self, role: Role, read: impl FnOnce(&str) -> Result<T, Bad>) -> Result<Option<T>, (usize, Bad)> {
        let cell = self.cell(role);
        if cell.is_empty() {
            return Ok(None);
        }
        let place = self.column(role).unwrap_or(0);
        let named = |(message, hint): Bad| (place, (format!("{}: {message}", role.name()), hint));
        read(cell).map(Some).map_err(named)
    }

    /// A heading inside the table, a sum, a remark: no digit where the code stands, and no price.
    fn is_text(&self) -> bool {
        let digits = |role| self.cell(role).bytes().any(|b| b.is_ascii_digit());
        let code = digits(Role::Prefix) || digits(Role::CallingCode);
        let price = PRICES.into_iter().any(digits);
        let mut cells = self.table.cells(self.at).filter(|c| !c.is_empty());
        let sentence = cells.next().is_some_and(|c| c.contains(char::is_alphabetic)) && cells.next().is_none();
        !code && !price || sentence
    }

    /// What a deck of ours cannot say, or the supplier no longer offers.
    fn held(&self) -> Option<&'static str> {
        let origin = self.cell(Role::Origin);
        if !origin.is_empty() && !is_anonymous(origin) && !origin.bytes().any(|b| b.is_ascii_digit()) {
            return Some("holds for callers that are named in words");
        }
        let change = self.cell(Role::Change).to_ascii_lowercase();
        let closing = change.split(|c: char| !c.is_alphabetic()).any(|word| CLOSING.contains(&word));
        closing.then_some("the supplier says that it is closed")
    }

    fn read(&self, currency: &mut Option<[u8; 3]>) -> Result<Vec<SupplierRow>, (usize, Bad)> {
        let style = self.style;
        let blocked = self.with(Role::Blocked, cells::flag)?.unwrap_or(false);
        self.with(Role::Currency, |cell| match amounts::currency(cell) {
            Some(named) => one_currency(currency, named),
            None => Err((format!("{cell:?} is not a currency"), NO_CURRENCY.to_owned())),
        })?;
        let mut amount = |role| self.with(role, |cell| read_amount(cell, style, currency));
        let fee = amount(Role::ConnectFee)?.unwrap_or(Money::ZERO);
        let per_call = amount(Role::PerCall)?;
        let (least, most) = (amount(Role::MinimumCost)?, amount(Role::MaximumCost)?);
        let rates = self.rates(&mut amount)?;
        let states = [Role::Interstate, Role::Intrastate].map(|role| self.per_minute(role, &mut amount));
        let [interstate, intrastate] = states;
        let states = [interstate?, intrastate?];
        let any = rates.iter().any(|(_, rate)| rate.is_some()) || states.iter().any(Option::is_some);
        if !any && per_call.is_none() && !blocked {
            let hint = "0 is a price and must be written";
            let place = self.column(Role::Rate).unwrap_or(0);
            return Err((place, ("there is no price".to_owned(), hint.to_owned())));
        }
        // A price by the call that has another beside it is a fee of the call.
        let alone = !any && fee == Money::ZERO;
        let (per_call, fee) = match per_call.filter(|price| *price > Money::ZERO || alone) {
            Some(price) if !alone => (None, Money(fee.0.saturating_add(price.0))),
            price => (price, fee),
        };
        let prefixes = self.prefixes()?;
        let (initial, increment) = self.steps()?;
        let grace = self.with(Role::Grace, |cell| {
            let seconds = seconds(cell)?;
            match (seconds, style.grace) {
                (0, _) | (_, Some(Grace::Ignore)) => Ok(0),
                (seconds, Some(Grace::FreeBelow)) => Ok(seconds),
                (_, None) => Err((
                    format!("{cell:?} seconds may be free at the start of each call, or make only shorter calls free"),
                    "grace = \"free_below\" or grace = \"ignore\"".to_owned(),
                )),
            }
        })?;
        let free = self.with(Role::FreeBelow, seconds)?.or(grace).filter(|s| *s > 0);
        let day = |cell: &str| -> Result<Day, Bad> {
            let said = dates::read(cell);
            let day = said.and_then(|said| match (said, style.order) {
                (dates::Said::Sure(day), _) => Some(day),
                (said, Some(order)) => dates::day(said, order),
                (_, None) => None,
            });
            day.ok_or_else(|| (format!("{cell:?} is not a date"), "write it as 2026-10-01".to_owned()))
        };
        let from = self.with(Role::From, day)?;
        let to = self.with(Role::To, day)?.map(|d| if style.end == Some(End::Inclusive) { d.next() } else { d });
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            let place = self.column(Role::To).unwrap_or(0);
            return Err((place, ("the row ends before it begins".to_owned(), "exchange the dates".to_owned())));
        }
        let asks = self.asks()?;
        let row = SupplierRow {
            line: self.table.line(self.at),
            prefixes,
            destination: self.destination(),
            rate: None,
            interstate: states[0],
            intrastate: states[1],
            per_call: per_call.filter(|_| !blocked),
            connect_fee: fee,
            asks,
            initial,
            increment,
            minimum: self.with(Role::Minimum, seconds)?.filter(|m| *m > 0 && increment.is_some()),
            free_below: free.filter(|_| increment.is_some()),
            minimum_cost: least.filter(|m| *m > Money::ZERO),
            maximum_cost: most.filter(|m| *m > Money::ZERO),
            from,
            to,
            blocked,
        };
        // A fee alone, and what forbids a call, need a price to be written.
        let nothing = |rate: Option<Money>| rate.or((!any && row.per_call.is_none()).then_some(Money::ZERO));
        let rows = rates.into_iter().map(|(band, rate)| SupplierRow {
            rate: nothing(rate),
            asks: Asks { band: band.or(row.asks.band), ..row.asks.clone() },
            ..row.clone()
        });
        Ok(rows.collect())
    }

    /// Prices per minute, each with the days and hours of its column; those of two bands are told apart where they differ.
    fn rates(
        &self,
        amount: &mut impl FnMut(Role) -> Result<Option<Money>, (usize, Bad)>,
    ) -> Result<Vec<Banded>, (usize, Bad)> {
        let mut minutes = |role| self.per_minute(role, amount);
        if !self.style.bands {
            let rate = minutes(Role::Rate)?;
            return match self.band()? {
                None => Ok(vec![(None, rate)]),
                Some(bands) => Ok(bands.iter().map(|band| (Some(*band), rate)).collect()),
            };
        }
        let mut all = Vec::new();
        for (_, role) in bands::NAMES {
            all.extend(minutes(role)?.map(|rate| (role, rate)));
        }
        let Some((_, first)) = all.first().copied() else { return Ok(vec![(None, None)]) };
        if all.iter().all(|(_, rate)| *rate == first) {
            return Ok(vec![(None, Some(first))]);
        }
        // Hours without a price would be priced by a shorter code.
        let blank =
            bands::NAMES.into_iter().map(|(_, role)| role).find(|role| all.iter().all(|(known, _)| known != role));
        if let Some(at) = blank.and_then(|role| self.column(role)) {
            let hint = "0 is a price and must be written".to_owned();
            return Err((at, ("there is no price for these hours".to_owned(), hint)));
        }
        let mut rates = Vec::new();
        for (role, rate) in all {
            let place = self.column(role).unwrap_or(0);
            let bands = self.style.named.of(role).ok_or_else(|| (place, bands::unknown(role)))?;
            rates.extend(bands.iter().map(|band| (Some(*band), Some(rate))));
        }
        Ok(rates)
    }

    /// A price per minute, whatever the unit of the deck's.
    fn per_minute(
        &self,
        role: Role,
        amount: &mut impl FnMut(Role) -> Result<Option<Money>, (usize, Bad)>,
    ) -> Result<Option<Money>, (usize, Bad)> {
        let rate = amount(role)?;
        Ok(if self.style.per_second { rate.and_then(|rate| rate.0.checked_mul(60)).map(Money) } else { rate })
    }

    /// The band that a cell names, as its days and hours.
    fn band(&self) -> Result<Option<&'a [Band]>, (usize, Bad)> {
        let style = self.style;
        let cell = self.cell(Role::Band);
        if cell.is_empty() {
            return Ok(None);
        }
        style.named.cell(cell).map_err(|bad| (self.column(Role::Band).unwrap_or(0), bad))
    }

    /// What the row asks besides the number; its band may stand in the heading of a price instead.
    fn asks(&self) -> Result<Asks, (usize, Bad)> {
        let (days, hours) = (self.cell(Role::Days), self.cell(Role::Hours));
        let band = Band::read(days, hours).map_err(|(column, bad)| {
            let role = if column == "days" { Role::Days } else { Role::Hours };
            (self.column(role).unwrap_or(0), bad)
        })?;
        let codes = |cell: &str| codes::read(cell, None, &codes::Style { international: &self.style.international });
        let origin = match self.cell(Role::Origin) {
            "" => Origin::Anybody,
            cell if is_anonymous(cell) => Origin::Anonymous,
            _ => self.with(Role::Origin, codes)?.map_or(Origin::Anybody, Origin::Prefixes),
        };
        let digits = |role| self.with(role, |cell| cells::lengths(cell.trim_end_matches(".0")));
        let length = match (digits(Role::Length)?, digits(Role::MinLength)?, digits(Role::MaxLength)?) {
            _ if self.with(Role::Exact, cells::flag)?.unwrap_or(false) => Length::Exact,
            (Some((least, most)), None, None) => Length::Between(least, most),
            (None, None, None) => Length::Any,
            (None, least, most) => {
                let (least, most) = (least.map_or(1, |l| l.0), most.map_or(LENGTH_MAX, |m| m.1));
                if least > most {
                    let place = self.column(Role::MaxLength).unwrap_or(0);
                    return Err((place, (format!("{least} to {most} digits"), "exchange them".to_owned())));
                }
                Length::Between(least, most)
            }
            (Some(_), ..) => {
                let place = self.column(Role::Length).unwrap_or(0);
                let hint = "leave length, or the least and the most, out with ignore".to_owned();
                return Err((place, ("length stands in several columns".to_owned(), hint)));
            }
        };
        let band = Some(band).filter(|band| band.words() != "always");
        Ok(Asks { band, origin, length, after: self.with(Role::After, seconds)?.unwrap_or(0) })
    }

    /// Initial and increment; the mapping's where the row has none.
    fn steps(&self) -> Result<(Option<u32>, Option<u32>), (usize, Bad)> {
        let pair = |cell: &str| -> Result<(Option<u32>, u32), Bad> {
            match cell.split_once(['/', '+', '-', ':', '\\']) {
                Some((first, next)) => Ok((Some(seconds(first.trim())?), seconds(next.trim())?)),
                None => Ok((None, seconds(cell)?)),
            }
        };
        let first = self.with(Role::Initial, pair)?;
        let next = self.with(Role::Increment, pair)?;
        let place = || self.column(Role::Increment).or(self.column(Role::Initial)).unwrap_or(0);
        let (initial, increment) = match (first, next) {
            (None, None) => (self.supplied.mapping.initial, self.supplied.mapping.increment),
            // `60/60` in the column of initial steps.
            (Some((Some(initial), increment)), None) => (Some(initial), Some(increment)),
            (Some((None, initial)), None) => (Some(initial), Some(initial)),
            (None, Some((initial, increment))) => (initial, Some(increment)),
            (Some((None, initial)), Some((None, increment))) => (Some(initial).filter(|i| *i > 0), Some(increment)),
            _ => {
                let hint = "write 60/60 in one column, or both apart";
                return Err((place(), ("initial stands in two columns".to_owned(), hint.to_owned())));
            }
        };
        if increment == Some(0) || initial == Some(0) {
            let hint = "seconds from 1; leave it empty, or set increment in the mapping";
            return Err((place(), ("an increment of 0 seconds".to_owned(), hint.to_owned())));
        }
        Ok((initial.or(increment), increment))
    }

    /// `Germany Mobile`, also from `Germany` and `Mobile`.
    fn destination(&self) -> String {
        let (country, name) = (self.cell(Role::Country), self.cell(Role::Destination));
        let whole = if country.is_empty() || name.to_lowercase().starts_with(&country.to_lowercase()) {
            name.to_owned()
        } else if name.is_empty() {
            country.to_owned()
        } else {
            format!("{country} {name}")
        };
        whole.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn is_anonymous(origin: &str) -> bool {
    ["anonymous", "withheld"].iter().any(|word| origin.eq_ignore_ascii_case(word))
}

fn read_amount(cell: &str, style: &Style, currency: &mut Option<[u8; 3]>) -> Result<Money, Bad> {
    let (money, named) = amounts::read(cell, style.mark).map_err(|bad| foreign(cell, style.mark).unwrap_or(bad))?;
    if let Some(named) = named {
        one_currency(currency, named)?;
    }
    if style.cents {
        if money.0 % 100 != 0 {
            return Err((format!("{cell:?} in hundredths has more than nine decimals"), String::new()));
        }
        return Ok(Money(money.0 / 100));
    }
    Ok(money)
}

/// A better reason where the other decimal mark would do.
fn foreign(cell: &str, mark: Mark) -> Option<Bad> {
    let other = if mark == Mark::Point { Mark::Comma } else { Mark::Point };
    amounts::read(cell, other).ok()?;
    Some((format!("{cell:?} has another decimal mark than the deck"), "write all amounts in one way".to_owned()))
}

fn one_currency(currency: &mut Option<[u8; 3]>, named: [u8; 3]) -> Result<(), Bad> {
    match currency {
        Some(known) if *known != named => {
            let (known, named) =
                (String::from_utf8_lossy(known).into_owned(), String::from_utf8_lossy(&named).into_owned());
            Err((format!("{named}, where the deck is in {known}"), "one deck has one currency: split it".to_owned()))
        }
        _ => {
            *currency = Some(named);
            Ok(())
        }
    }
}

/// `60`, `60.0`, `60s`, `60 sec`.
fn seconds(cell: &str) -> Result<u32, Bad> {
    let lower = cell.trim().to_ascii_lowercase();
    let plain = lower.trim_end_matches(['s', 'e', 'c', 'o', 'n', 'd', '.']).trim();
    let plain = plain.strip_suffix(".0").or_else(|| plain.strip_suffix(".00")).unwrap_or(plain);
    cells::seconds(plain)
}
