//! A CGRateS tariff plan as its files say it, each reference still a name.
//!
//! Does not know what of it a deck can say.

use std::collections::BTreeMap;

use super::Losses;
use super::price::{Slot, seconds};
use super::table::{Layout, Line, read};
use super::timing::{Bad, Timing};
use crate::money::Money;
use crate::number::Number;
use crate::tariff::Finding;
use crate::tariff::findings::{Findings, Place};
use crate::time::{Timestamp, parse_rfc3339};

/// `DestinationRates.csv`: a rate for a destination.
pub(super) struct DestinationRate {
    pub line: u32,
    pub destination: String,
    pub rate: String,
    pub method: String,
    pub decimals: u8,
    pub max_cost: Money,
    pub strategy: String,
}

/// `RatingPlans.csv`: destination rates at some times.
pub(super) struct PlanLine {
    pub line: u32,
    pub rates: String,
    pub timing: String,
    pub weight: Money,
}

/// `RatingProfiles.csv`: whose calls a plan prices, from when on.
pub(super) struct Profile {
    pub line: u32,
    pub subject: String,
    pub from: Option<Timestamp>,
    pub plan: String,
}

/// All files.
#[derive(Default)]
pub(super) struct Model {
    pub destinations: BTreeMap<String, Vec<(Number, u32)>>,
    pub timings: BTreeMap<String, (u32, Result<Timing, String>)>,
    pub rates: BTreeMap<String, Vec<Slot>>,
    pub destination_rates: BTreeMap<String, Vec<DestinationRate>>,
    pub plans: BTreeMap<String, Vec<PlanLine>>,
    pub profiles: Vec<Profile>,
    pub has_profiles: bool,
    /// Rows of each file.
    pub rows: BTreeMap<String, usize>,
}

pub(super) const DESTINATIONS: &str = "Destinations.csv";
pub(super) const TIMINGS: &str = "Timings.csv";
pub(super) const RATES: &str = "Rates.csv";
pub(super) const DESTINATION_RATES: &str = "DestinationRates.csv";
pub(super) const RATING_PLANS: &str = "RatingPlans.csv";
pub(super) const RATING_PROFILES: &str = "RatingProfiles.csv";

/// One file being read.
struct File<'a> {
    name: &'static str,
    findings: Findings,
    losses: &'a mut Losses,
}

impl File<'_> {
    fn wrong(&mut self, line: u32, message: impl Into<String>, hint: &str) {
        self.findings.error(Place { line, column: 0 }, message, hint);
    }

    fn amount(&mut self, line: &Line, at: usize, what: &str) -> Option<Money> {
        let text = line.cell(at);
        match Money::parse(if text.is_empty() { "0" } else { text }) {
            Ok(amount) if amount.0 >= 0 => Some(amount),
            Ok(_) => {
                self.wrong(line.line, format!("{what}: {text:?} is negative"), "credits are not prices");
                None
            }
            Err(bad) => {
                self.wrong(line.line, format!("{what}: {text:?} is no amount: {bad}"), "write it as 0.0125");
                None
            }
        }
    }

    fn seconds(&mut self, line: &Line, at: usize, what: &str) -> Option<Result<u32, String>> {
        match seconds(line.cell(at)) {
            Ok(read) => Some(read.map_err(|why| format!("{what} {why}"))),
            Err(message) => {
                self.wrong(line.line, format!("{what}: {message}"), "");
                None
            }
        }
    }

    /// The name that stands first in a row.
    fn name(&mut self, line: &Line) -> Option<String> {
        if line.cell(0).is_empty() {
            self.wrong(line.line, "the first cell, a name, is empty", "");
            return None;
        }
        Some(line.cell(0).to_owned())
    }
}

impl Model {
    /// Reads the files that are there.
    pub fn read(
        files: &BTreeMap<String, Vec<u8>>,
        category: &str,
        losses: &mut Losses,
        all: &mut Vec<Finding>,
    ) -> Model {
        let mut model = Model::default();
        type Reader = fn(&mut Model, &mut File<'_>, &[Line], &str);
        let list: [(&'static str, usize, bool, Reader); 6] = [
            (DESTINATIONS, 2, true, |model, file, lines, _| model.destinations(file, lines)),
            (TIMINGS, 6, false, |model, file, lines, _| model.timings(file, lines)),
            (RATES, 6, true, |model, file, lines, _| model.rates(file, lines)),
            (DESTINATION_RATES, 3, true, |model, file, lines, _| model.destination_rates(file, lines)),
            (RATING_PLANS, 3, true, |model, file, lines, _| model.plans(file, lines)),
            (RATING_PROFILES, 5, false, Model::profiles),
        ];
        for (name, needed, must, reader) in list {
            let mut file = File { name, findings: Findings::new(name), losses: &mut *losses };
            match files.get(name) {
                None if must => {
                    file.wrong(0, "there is no such file in the folder", "name the folder of a tariff plan")
                }
                None => {}
                Some(bytes) => {
                    let directed = name == RATING_PROFILES;
                    let leading: &[&str] = if directed { &["tpid", "loadid"] } else { &["tpid", "tenant"] };
                    let lines = read(bytes, Layout { needed, leading, directed }, &mut file.findings);
                    model.rows.insert(name.to_owned(), lines.len());
                    model.has_profiles |= directed;
                    reader(&mut model, &mut file, &lines, category);
                }
            }
            all.extend(file.findings.finish());
        }
        model
    }

    fn destinations(&mut self, file: &mut File<'_>, lines: &[Line]) {
        for line in lines {
            let Some(name) = file.name(line) else { continue };
            let text = line.cell(1);
            let known = self.destinations.entry(name).or_default();
            let digits = text.strip_prefix('+').unwrap_or(text);
            let sound = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
            match Number::from_digits(digits.as_bytes()).filter(|_| sound && !digits.is_empty()) {
                Some(prefix) => known.push((prefix, line.line)),
                None if digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) => {
                    let why = "begins with 0: a deck's prefixes begin with the calling code";
                    file.losses.add(file.name, line.line, format!("prefix {text}"), why);
                }
                None => {
                    file.wrong(line.line, format!("prefix: {text:?} is not digits, at most 15"), "write it as +4915")
                }
            }
        }
    }

    fn timings(&mut self, file: &mut File<'_>, lines: &[Line]) {
        for line in lines {
            let Some(name) = file.name(line) else { continue };
            let timing = match Timing::read(line.cell(1), line.cell(2), line.cell(3), line.cell(4), line.cell(5)) {
                Ok(timing) => Ok(timing),
                Err(Bad::NoCounterpart(why)) => Err(why),
                Err(Bad::Unreadable(message)) => {
                    file.wrong(line.line, message, "");
                    continue;
                }
            };
            if self.timings.contains_key(&name) {
                file.wrong(line.line, format!("timing {name:?} stands twice"), "leave one out");
            }
            self.timings.insert(name, (line.line, timing));
        }
    }

    fn rates(&mut self, file: &mut File<'_>, lines: &[Line]) {
        for line in lines {
            let Some(name) = file.name(line) else { continue };
            // A row that cannot be read is named once, and not again by all that refer to it.
            let slots = self.rates.entry(name).or_default();
            let (fee, rate) = (file.amount(line, 1, "connect fee"), file.amount(line, 2, "rate"));
            let unit = file.seconds(line, 3, "rate unit");
            let increment = file.seconds(line, 4, "rate increment");
            let start = file.seconds(line, 5, "group interval start");
            let (Some(fee), Some(rate), Some(unit), Some(increment), Some(start)) = (fee, rate, unit, increment, start)
            else {
                continue;
            };
            slots.push(Slot { line: line.line, fee, rate, unit, increment, start });
        }
    }

    fn destination_rates(&mut self, file: &mut File<'_>, lines: &[Line]) {
        for line in lines {
            let Some(name) = file.name(line) else { continue };
            let rates = self.destination_rates.entry(name).or_default();
            let Some(max_cost) = file.amount(line, 5, "max cost") else { continue };
            let decimals = line.cell(4);
            let Ok(decimals) = (if decimals.is_empty() { Ok(0) } else { decimals.parse::<u8>() }) else {
                file.wrong(line.line, format!("rounding decimals: {decimals:?} is no number of decimals"), "");
                continue;
            };
            rates.push(DestinationRate {
                line: line.line,
                destination: line.cell(1).to_owned(),
                rate: line.cell(2).to_owned(),
                method: line.cell(3).to_owned(),
                decimals,
                max_cost,
                strategy: line.cell(6).to_owned(),
            });
        }
    }

    fn plans(&mut self, file: &mut File<'_>, lines: &[Line]) {
        for line in lines {
            let Some(name) = file.name(line) else { continue };
            let lines = self.plans.entry(name).or_default();
            let Some(weight) = file.amount(line, 3, "weight") else { continue };
            let (rates, timing) = (line.cell(1).to_owned(), line.cell(2).to_owned());
            lines.push(PlanLine { line: line.line, rates, timing, weight });
        }
    }

    fn profiles(&mut self, file: &mut File<'_>, lines: &[Line], wanted: &str) {
        for line in lines {
            let [tenant, category, subject, from, plan, fallback] = [0, 1, 2, 3, 4, 5].map(|at| line.cell(at));
            if [tenant, category, subject].contains(&"*in") {
                file.losses.add(file.name, line.line, "direction *in", "only calls made are converted");
                continue;
            }
            if category != wanted {
                let why = format!("only profiles of category {wanted} are converted (--category takes another)");
                file.losses.add(file.name, line.line, format!("category {category}"), why);
                continue;
            }
            let from = match from {
                "" | "*now" => None,
                text => match parse_rfc3339(text.as_bytes()) {
                    Some(at) => Some(at),
                    None => {
                        let hint = "write it as 2026-10-01T00:00:00Z";
                        file.wrong(line.line, format!("activation time: {text:?} is no time"), hint);
                        continue;
                    }
                },
            };
            if !fallback.is_empty() {
                let why = "accounts have one plan, and no other subject to fall back to";
                file.losses.add(file.name, line.line, format!("fallback subject {fallback}"), why);
            }
            let subject = format!("{tenant}:{subject}");
            self.profiles.push(Profile { line: line.line, subject, from, plan: plan.to_owned() });
        }
    }
}
