//! `accounts.csv` and `numbers.csv` → checked rows in canonical order, with every finding.
//!
//! ```text
//! accounts.csv   account,plan,country,billing_start  [timezone,language,extensions,billing_end,group,name,valid_from,valid_to,free]
//! numbers.csv    number,account  [valid_from,valid_to]
//! ```
//!
//! Days are 00:00 in the account's zone, ends are exclusive, empty is open-ended. A number's day is read in the zone of
//! the account's row that holds on that day.
//!
//! Does not know how an image is laid out.

use std::collections::{HashMap, HashSet};

use super::field::{self, Moment};
use super::table::{Fault, Findings, Place, Row, Table, clip};
use crate::nearest::did_you_mean;
use crate::number::Number;
use crate::tariff::Finding;
use crate::time::{Timestamp, Zone};

mod overlap;

/// File names in findings.
pub const ACCOUNTS: &str = "accounts.csv";
const NUMBERS: &str = "numbers.csv";

/// Valid since ever.
pub const EVER: i64 = i64::MIN;
/// Open-ended: greater than every instant.
pub const NEVER: i64 = i64::MAX;

/// Everything an image says.
#[derive(Default)]
pub struct Rows {
    /// By name, then by `from`; rows of one account do not overlap.
    pub accounts: Vec<AccountRow>,
    /// By number, then by `from`; spans of one number do not overlap and differ in account where they touch.
    pub numbers: Vec<NumberRow>,
    /// Distinct account names in order.
    pub names: Vec<Box<str>>,
    pub plans: Names<()>,
    pub zones: Names<Zone>,
}

/// A dated row of an account.
pub struct AccountRow {
    pub line: u32,
    /// Where in the line the plan and the country stand.
    pub plan_column: u32,
    pub country_column: u32,
    pub name: Box<str>,
    /// In `Rows::plans`.
    pub plan: u32,
    /// In `Rows::zones`.
    pub zone: u32,
    pub country: [u8; 2],
    pub language: u8,
    pub billing_start: i64,
    pub billing_end: i64,
    pub from: i64,
    pub to: i64,
    pub group: Option<Box<str>>,
    /// Empty: the account's name.
    pub display: Box<str>,
    pub extensions: Vec<(u64, u64)>,
    /// Names of lists of free numbers, `;` between them.
    pub free: Box<str>,
    /// Where in the line they stand.
    pub free_column: u32,
}

/// A number belongs to an account for a while.
pub struct NumberRow {
    pub line: u32,
    pub number: Number,
    /// In `Rows::names`.
    pub account: u32,
    pub from: i64,
    pub to: i64,
}

/// Distinct texts with what each was found to be, in the order of their first use.
pub struct Names<T> {
    ids: HashMap<Box<str>, u32>,
    pub list: Vec<(Box<str>, T)>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Names { ids: HashMap::new(), list: Vec::new() }
    }
}

impl<T> Names<T> {
    fn get(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    fn add(&mut self, text: &str, value: T) -> u32 {
        let id = self.list.len() as u32;
        self.ids.insert(text.into(), id);
        self.list.push((text.into(), value));
        id
    }
}

/// Reads both files.
pub fn read(accounts_csv: &[u8], numbers_csv: &[u8]) -> (Rows, Vec<Finding>) {
    let mut rows = Rows::default();
    let mut findings = Findings::new(ACCOUNTS);
    let mut refused = HashSet::new();
    let whole = accounts(accounts_csv, &mut rows, &mut refused, &mut findings);
    let mut all = findings.finish();
    let mut findings = Findings::new(NUMBERS);
    numbers(numbers_csv, &mut rows, whole.then_some(&refused), &mut findings);
    all.extend(findings.finish());
    (rows, all)
}

/// Keeps the value of a cell, or its fault.
struct Cells<'a> {
    findings: &'a mut Findings,
    good: bool,
}

impl Cells<'_> {
    fn take<T>(&mut self, place: impl FnOnce() -> Place, result: Result<T, Fault>) -> Option<T> {
        result
            .map_err(|fault| {
                self.good = false;
                self.findings.error(place(), fault);
            })
            .ok()
    }

    /// An optional begin.
    fn from(&mut self, row: &Row<'_>, column: usize, what: &str, zone: &Zone) -> i64 {
        let text = row.get(column);
        if text.is_empty() {
            return EVER;
        }
        let instant = field::moment(what, text).and_then(|moment| instant(moment, what, text, zone));
        self.take(|| row.place(column), instant).unwrap_or(EVER)
    }

    /// An optional exclusive end.
    fn to(&mut self, row: &Row<'_>, column: usize, what: &str, zone: &Zone) -> i64 {
        match row.get(column) {
            // Systems without an empty date write the last day there is.
            text if text.is_empty() || text.starts_with("9999-") => NEVER,
            text => {
                let instant = field::moment(what, text).and_then(|moment| instant(moment, what, text, zone));
                self.take(|| row.place(column), instant).unwrap_or(NEVER)
            }
        }
    }

    fn ordered(&mut self, row: &Row<'_>, column: usize, (from, to): (i64, i64), (first, last): (&str, &str)) {
        if to <= from {
            let fault = Fault::new(
                format!("{last} {} is not after {first} {}", Timestamp(to), Timestamp(from)),
                "ends are exclusive: the first day on which it does not hold any more",
            );
            self.take::<()>(|| row.place(column), Err(fault));
        }
    }
}

fn instant(moment: Moment, what: &str, text: &str, zone: &Zone) -> Result<i64, Fault> {
    let at = moment.at(zone).map(|at| at.0);
    at.ok_or_else(|| Fault::new(format!("{what} {text:?} is too far away"), "write a year from 1 to 9998"))
}

/// Whether the file could be read as a table to its end.
fn accounts(csv: &[u8], rows: &mut Rows, refused: &mut HashSet<Box<str>>, findings: &mut Findings) -> bool {
    const KNOWN: [&str; 13] = [
        "account",
        "plan",
        "country",
        "billing_start",
        "timezone",
        "language",
        "extensions",
        "billing_end",
        "group",
        "name",
        "valid_from",
        "valid_to",
        "free",
    ];
    let [
        account,
        plan,
        country,
        billing_start,
        timezone,
        language,
        extensions,
        billing_end,
        group,
        display,
        from,
        to,
        free,
    ] = std::array::from_fn(|i| i);
    let Some(mut table) = Table::open(csv, &KNOWN, &KNOWN[..4], findings) else { return false };
    while let Some(row) = table.next(findings) {
        let mut cells = Cells { findings: &mut *findings, good: true };
        let name = row.get(account);
        cells.take(|| row.place(account), field::name("account", name));
        let plan_name = row.get(plan);
        cells.take(|| row.place(plan), field::plan_name("plan", plan_name));
        let (plan_column, country_column) = (row.place(plan).column, row.place(country).column);
        let country = cells.take(|| row.place(country), field::country(row.get(country)));
        let zone = match row.get(timezone) {
            "" => "UTC",
            text => text,
        };
        let zone = match rows.zones.get(zone) {
            Some(known) => Some(known),
            // The name as the database writes it may be known already under another spelling.
            None => cells
                .take(|| row.place(timezone), field::zone(zone))
                .map(|(name, zone)| rows.zones.get(&name).unwrap_or_else(|| rows.zones.add(&name, zone))),
        };
        let clock = zone.and_then(|z| rows.zones.list.get(z as usize)).map_or(Zone::UTC, |(_, zone)| zone.clone());
        let text = row.get(billing_start);
        let start = match text {
            "" => Err(Fault::new("billing_start is empty", "write the first billed day, such as 2026-10-01")),
            _ => field::moment("billing_start", text).and_then(|m| instant(m, "billing_start", text, &clock)),
        };
        let start = cells.take(|| row.place(billing_start), start).unwrap_or(EVER);
        let end = cells.to(&row, billing_end, "billing_end", &clock);
        cells.ordered(&row, billing_end, (start, end), ("billing_start", "billing_end"));
        let valid_from = cells.from(&row, from, "valid_from", &clock);
        let valid_to = cells.to(&row, to, "valid_to", &clock);
        cells.ordered(&row, to, (valid_from, valid_to), ("valid_from", "valid_to"));
        let language_code = field::language(row.get(language)).unwrap_or_else(|fault| {
            cells.findings.warning(row.place(language), fault);
            0
        });
        let group_name = Some(row.get(group)).filter(|g| !g.is_empty() && *g != name);
        if let Some(group_name) = group_name {
            cells.take(|| row.place(group), field::name("group", group_name));
        }
        cells.take(|| row.place(display), field::display_name(row.get(display)));
        let extensions = cells.take(|| row.place(extensions), field::extensions(row.get(extensions)));
        let lists = cells.take(|| row.place(free), field::free_lists(row.get(free))).unwrap_or_default();
        match (cells.good, country, zone, extensions) {
            (true, Some(country), Some(zone), Some(extensions)) => rows.accounts.push(AccountRow {
                line: row.line,
                plan_column,
                country_column,
                name: name.into(),
                plan: rows.plans.get(plan_name).unwrap_or_else(|| rows.plans.add(plan_name, ())),
                zone,
                country,
                language: language_code,
                billing_start: start,
                billing_end: end,
                from: valid_from,
                to: valid_to,
                group: group_name.map(Into::into),
                display: row.get(display).into(),
                extensions,
                free: lists.into(),
                free_column: row.place(free).column,
            }),
            _ => {
                refused.insert(name.into());
            }
        }
    }
    rows.accounts.sort_unstable_by(|a, b| (&a.name, a.from, a.to, a.line).cmp(&(&b.name, b.from, b.to, b.line)));
    overlap::overlapping_accounts(&rows.accounts, findings);
    if rows.accounts.is_empty() && !findings.any_error() {
        findings.warning(Place::default(), Fault::new("there are no accounts", "every row below the header is one"));
    }
    rows.names = rows.accounts.chunk_by(|a, b| a.name == b.name).map(|same| same[0].name.clone()).collect();
    !findings.full()
}

/// `refused`: accounts whose rows are faulty, so that their numbers are no second fault; none if nothing is known.
fn numbers(csv: &[u8], rows: &mut Rows, refused: Option<&HashSet<Box<str>>>, findings: &mut Findings) {
    const KNOWN: [&str; 4] = ["number", "account", "valid_from", "valid_to"];
    let [number, account, from, to] = std::array::from_fn(|i| i);
    if csv.is_empty() {
        return;
    }
    let Some(mut table) = Table::open(csv, &KNOWN, &KNOWN[..2], findings) else { return };
    let index: HashMap<&str, u32> = rows.names.iter().enumerate().map(|(i, name)| (&**name, i as u32)).collect();
    let firsts = firsts(&rows.accounts);
    let mut found = Vec::new();
    while let Some(row) = table.next(findings) {
        let mut cells = Cells { findings: &mut *findings, good: true };
        let packed = cells.take(|| row.place(number), field::number(row.get(number)));
        let name = row.get(account);
        let owner = index.get(name).copied();
        if owner.is_none() && refused.is_some_and(|refused| !refused.contains(name)) {
            cells.take::<()>(|| row.place(account), Err(unknown_account(name, &rows.names)));
        }
        let dated = owner.and_then(|o| rows.accounts.get(*firsts.get(o as usize)?..*firsts.get(o as usize + 1)?));
        let zone = |text: &str| zone_on(text, dated.unwrap_or(&[]), &rows.zones);
        let valid_from = cells.from(&row, from, "valid_from", zone(row.get(from)));
        let valid_to = cells.to(&row, to, "valid_to", zone(row.get(to)));
        cells.ordered(&row, to, (valid_from, valid_to), ("valid_from", "valid_to"));
        if let (true, Some(number), Some(account)) = (cells.good, packed, owner) {
            found.push(NumberRow { line: row.line, number, account, from: valid_from, to: valid_to });
        }
    }
    rows.numbers = found;
    rows.numbers.sort_unstable_by_key(|n| (n.number, n.from, n.to, n.account, n.line));
    join_numbers(rows, findings);
}

/// Where each account's rows begin, and the end.
pub fn firsts(accounts: &[AccountRow]) -> Vec<usize> {
    let mut at = 0;
    let mut firsts = vec![0];
    for same in accounts.chunk_by(|a, b| a.name == b.name) {
        at += same.len();
        firsts.push(at);
    }
    firsts
}

/// The zone in which a date of an account's number is read: of the row that holds on that day, else of the first.
fn zone_on<'z>(text: &str, dated: &[AccountRow], zones: &'z Names<Zone>) -> &'z Zone {
    const UTC: &Zone = &Zone::UTC;
    let zone = |row: &AccountRow| zones.list.get(row.zone as usize).map_or(UTC, |(_, zone)| zone);
    let Some(first) = dated.first() else { return UTC };
    if dated.len() == 1 || text.is_empty() {
        return zone(first);
    }
    let Ok(moment) = field::moment("", text) else { return zone(first) };
    let holds = |row: &&AccountRow| moment.at(zone(row)).is_some_and(|at| row.from <= at.0);
    dated.iter().rev().find(holds).map_or(zone(first), zone)
}

fn unknown_account(name: &str, names: &[Box<str>]) -> Fault {
    if name.is_empty() {
        return Fault::new("the account is empty", "every number belongs to an account of accounts.csv");
    }
    // Only neighbours in name order are compared: a file may hold a million accounts and a thousand wrong names.
    let at = names.partition_point(|n| **n < *name);
    let near = names.iter().skip(at.saturating_sub(8)).take(16);
    let hint = did_you_mean(name, near.map(|n| &**n), "add a row for it to accounts.csv");
    Fault::new(format!("account {:?} is not in accounts.csv", clip(name)), hint)
}

/// Refuses a number in two hands at once, and joins spans of one account that overlap or touch.
fn join_numbers(rows: &mut Rows, findings: &mut Findings) {
    let names = &rows.names;
    let name = |row: &NumberRow| names.get(row.account as usize).map_or("", |n| clip(n)).to_owned();
    rows.numbers.dedup_by(|next, kept| {
        if next.number != kept.number || next.from > kept.to || (next.account != kept.account && next.from == kept.to) {
            return false;
        }
        let (first, last) = (kept.line.min(next.line), kept.line.max(next.line));
        let place = Place { line: last, column: 0 };
        if next.account != kept.account {
            let message = format!(
                "number {} belongs to {:?} and to {:?} {}: lines {first} and {last}",
                next.number,
                name(kept),
                name(next),
                if next.from == EVER { "at once".to_owned() } else { format!("at {}", Timestamp(next.from)) },
            );
            let hint = "give the earlier owner the valid_to that is the later owner's valid_from, as one instant";
            findings.error(place, Fault::new(message, hint));
        } else if next.from < kept.to {
            let message =
                format!("number {} is given to {:?} twice: lines {first} and {last}", next.number, name(next));
            findings.warning(place, Fault::new(message, "one row is enough"));
        }
        // The later end goes on, with whoever holds it, so that the next row is held against the right line.
        if next.to > kept.to {
            (kept.to, kept.line, kept.account) = (next.to, next.line, next.account);
        }
        true
    });
}
