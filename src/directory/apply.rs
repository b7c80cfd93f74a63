//! A change applied to the rows there are: checked by the rules of the files, whole or not at all.
//!
//! Does not know who asks, the tariff's plans and countries, nor what becomes of calls.

use super::Directory;
use super::change::{AccountSet, Asked, Change, Conflict, Edited, NumberSet, Refusal};
use super::dated::{set_owner, set_rows};
use super::field::{self, Moment};
use super::layer::{Dated, Layer, Owned, Terms};
use super::read::{self, EVER, NEVER};
use super::table::{Fault, clip};
use crate::nearest::did_you_mean;
use crate::number::Number;
use crate::time::{Timestamp, Zone};

/// Applies a change to a directory and to what was changed on top of it before.
///
/// # Errors
/// Everything that stands against it, in the order of lines.
pub fn changed(directory: &Directory, before: &Layer, change: &Change) -> Result<Edited, Vec<Refusal>> {
    let mut work = Work {
        directory,
        before,
        change,
        mine: Layer::default(),
        refusals: Vec::new(),
        warnings: Vec::new(),
        since: NEVER,
    };
    for (line, asked) in &change.asked {
        match asked {
            Asked::Account(set) => work.account(*line, set),
            Asked::EndAccount(name, at) => work.end_account(*line, name, at.as_deref()),
            Asked::Number(set) => work.number(*line, set),
            Asked::EndNumber(number, at) => work.end_number(*line, number, at.as_deref()),
            Asked::AccountToFiles(name, rewrite) => work.account_to_files(*line, name, *rewrite),
            Asked::NumberToFiles(number, rewrite) => work.number_to_files(*line, number, *rewrite),
            Asked::AccountsFile(csv) => work.accounts_file(csv),
            Asked::NumbersFile(csv) => work.numbers_file(csv),
        }
        if work.refusals.len() >= super::table::ERRORS_MAX {
            break;
        }
    }
    work.done()
}

pub(super) struct Work<'a> {
    pub(super) directory: &'a Directory,
    before: &'a Layer,
    pub(super) change: &'a Change,
    pub(super) mine: Layer,
    pub(super) refusals: Vec<Refusal>,
    pub(super) warnings: Vec<Refusal>,
    pub(super) since: i64,
}

/// Gathers the faults of the cells of one row.
pub(super) struct Cells<'w> {
    pub(super) line: u32,
    pub(super) refusals: &'w mut Vec<Refusal>,
    pub(super) good: bool,
}

impl Cells<'_> {
    pub(super) fn take<T>(&mut self, field: &str, result: Result<T, Fault>) -> Option<T> {
        result
            .map_err(|fault| {
                self.good = false;
                self.refusals.push(refusal(self.line, field, fault));
            })
            .ok()
    }

    pub(super) fn conflict(&mut self, field: &str, fault: Fault, conflict: Conflict) {
        self.good = false;
        self.refusals.push(Refusal { conflict: Some(conflict), ..refusal(self.line, field, fault) });
    }

    /// A begin or an end as written; `open` where it is empty.
    fn instant(&mut self, field: &str, text: &str, open: i64, zone: impl Fn(Moment) -> Zone) -> i64 {
        if text.is_empty() || (open == NEVER && text.starts_with("9999-")) {
            return open;
        }
        let instant = field::moment(field, text).and_then(|moment| {
            let far = || Fault::new(format!("{field} {text:?} is too far away"), "write a year from 1 to 9998");
            moment.at(&zone(moment)).map(|at| at.0).ok_or_else(far)
        });
        self.take(field, instant).unwrap_or(open)
    }

    fn ordered(&mut self, field: &str, from: i64, to: i64) {
        if to <= from {
            let message = format!("{field} {} is not after {}", Timestamp(to), Timestamp(from));
            let hint = "ends are exclusive: the first instant at which it does not hold any more";
            self.take::<()>(field, Err(Fault::new(message, hint)));
        }
    }
}

fn refusal(line: u32, field: &str, fault: Fault) -> Refusal {
    Refusal { line, field: field.to_owned(), message: fault.message, hint: fault.hint, conflict: None }
}

/// The zone in which a day is read: of the row that holds then, else of the first, else UTC.
fn zone_then(rows: &[Dated], moment: Moment) -> Zone {
    let zone = |row: &Dated| Zone::named(&row.terms.zone).unwrap_or(Zone::UTC);
    let holds = |row: &&Dated| moment.at(&zone(row)).is_some_and(|at| row.from <= at.0);
    rows.iter().rev().find(holds).or(rows.first()).map_or(Zone::UTC, zone)
}

impl Work<'_> {
    pub(super) fn rows(&self, name: &str) -> Vec<Dated> {
        let edited = self.mine.accounts.get(name).or_else(|| self.before.accounts.get(name));
        edited.cloned().unwrap_or_else(|| self.directory.rows_of(name))
    }

    pub(super) fn owners(&self, number: Number) -> Vec<Owned> {
        let edited = self.mine.numbers.get(&number).or_else(|| self.before.numbers.get(&number));
        edited.cloned().unwrap_or_else(|| self.directory.owners_of(number))
    }

    pub(super) fn account_of_files(&self, name: &str) -> bool {
        let edited = [&self.mine, self.before].into_iter().find(|layer| layer.accounts.contains_key(name));
        edited.map_or_else(|| self.directory.account_lies_lowest(name), |layer| layer.back.accounts.contains(name))
    }

    pub(super) fn number_of_files(&self, number: Number) -> bool {
        let edited = [&self.mine, self.before].into_iter().find(|layer| layer.numbers.contains_key(&number));
        edited.map_or_else(|| self.directory.number_lies_lowest(number), |layer| layer.back.numbers.contains(&number))
    }

    /// Refuses what the files keep, unless it is to be taken over.
    pub(super) fn ours(&self, cells: &mut Cells<'_>, field: &str, of_files: bool, what: &str, file: &str) {
        if of_files && !self.change.take_over {
            let hint =
                format!("change it there, or send ?take_over=true: from then on its rows in {file} are not read");
            cells.conflict(field, Fault::new(format!("{what} comes from {file}"), hint), Conflict::OfFiles);
        }
    }

    fn account(&mut self, line: u32, set: &AccountSet) {
        let name = set.account.trim();
        let mut refusals = std::mem::take(&mut self.refusals);
        let mut cells = Cells { line, refusals: &mut refusals, good: true };
        cells.take("account", field::name("account", name));
        self.ours(
            &mut cells,
            "account",
            self.account_of_files(name),
            &format!("account {:?}", clip(name)),
            read::ACCOUNTS,
        );
        let rows = self.rows(name);
        let text = |cell: &Option<String>| cell.as_deref().map(|text| text.trim().to_owned());
        let zone = text(&set.timezone).map(|zone| if zone.is_empty() { "UTC".to_owned() } else { zone });
        let zone = zone.and_then(|zone| cells.take("timezone", field::zone(&zone)));
        let zone_of = |moment| zone.as_ref().map_or_else(|| zone_then(&rows, moment), |(_, zone)| zone.clone());
        let from = match text(&set.valid_from) {
            None if rows.is_empty() => EVER,
            None => self.change.now.0,
            Some(from) => cells.instant("valid_from", &from, EVER, zone_of),
        };
        let to = cells.instant("valid_to", &text(&set.valid_to).unwrap_or_default(), NEVER, zone_of);
        if cells.good {
            cells.ordered("valid_to", from, to);
        }
        // Days of billing are read in the zone that holds when the change begins.
        let base = rows.iter().rev().find(|row| row.from <= from).or(rows.first()).map(|row| &row.terms);
        let own = |_| match (&zone, base) {
            (Some((_, zone)), _) => zone.clone(),
            (None, Some(base)) => Zone::named(&base.zone).unwrap_or(Zone::UTC),
            (None, None) => Zone::UTC,
        };
        let needed = |cells: &mut Cells<'_>, field: &str, cell: &Option<String>, example: &str| match text(cell) {
            None if base.is_some() => None,
            Some(said) if !said.is_empty() => Some(said),
            _ => {
                let message = format!("{field} is missing");
                cells.take::<()>(field, Err(Fault::new(message, format!("a new account needs it, such as {example}"))));
                None
            }
        };
        let plan = needed(&mut cells, "plan", &set.plan, "\"de-business\"");
        let plan = plan.and_then(|plan| cells.take("plan", field::plan_name("plan", &plan)).map(|()| plan));
        let country = needed(&mut cells, "country", &set.country, "\"DE\"");
        let country = country.and_then(|country| cells.take("country", field::country(&country)));
        let start = needed(&mut cells, "billing_start", &set.billing_start, "\"2026-10-01\"");
        let start = start.map(|start| cells.instant("billing_start", &start, EVER, own));
        let end = text(&set.billing_end).map(|end| cells.instant("billing_end", &end, NEVER, own));
        let mut warnings = Vec::new();
        let language = text(&set.language).map(|language| {
            field::language(&language).unwrap_or_else(|fault| {
                warnings.push(refusal(line, "language", fault));
                0
            })
        });
        let group = text(&set.group);
        if let Some(group) = group.as_deref().filter(|group| !group.is_empty()) {
            cells.take("group", field::name("group", group));
        }
        let display = text(&set.name);
        if let Some(display) = &display {
            cells.take("name", field::display_name(display));
        }
        let extensions = text(&set.extensions);
        let extensions = extensions.and_then(|extensions| cells.take("extensions", field::extensions(&extensions)));
        let free = text(&set.free);
        let free = free.and_then(|free| cells.take("free", field::free_lists(&free)));
        if cells.good {
            let said = |terms: &Terms| Terms {
                plan: plan.as_deref().map_or_else(|| terms.plan.clone(), Into::into),
                country: country.unwrap_or(terms.country),
                zone: zone.as_ref().map_or_else(|| terms.zone.clone(), |(zone, _)| zone.as_str().into()),
                language: language.unwrap_or(terms.language),
                billing_start: start.unwrap_or(terms.billing_start),
                billing_end: end.unwrap_or(terms.billing_end),
                group: match &group {
                    None => terms.group.clone(),
                    Some(group) => {
                        Some(group.as_str()).filter(|group| !group.is_empty() && *group != name).map(Into::into)
                    }
                },
                display: display.as_deref().map_or_else(|| terms.display.clone(), Into::into),
                extensions: extensions.clone().unwrap_or_else(|| terms.extensions.clone()),
                free: free.as_deref().map_or_else(|| terms.free.clone(), Into::into),
            };
            let rows = set_rows(&rows, (from, to), &said, base.unwrap_or(&Terms::default()));
            if let Some(row) = rows.iter().find(|row| row.terms.billing_end <= row.terms.billing_start) {
                cells.ordered("billing_end", row.terms.billing_start, row.terms.billing_end);
            } else {
                self.mine.set_account(name, rows);
                self.since = self.since.min(from);
                self.warnings.append(&mut warnings);
            }
        }
        self.refusals = refusals;
    }

    fn end_account(&mut self, line: u32, name: &str, at: Option<&str>) {
        let mut refusals = std::mem::take(&mut self.refusals);
        let mut cells = Cells { line, refusals: &mut refusals, good: true };
        let rows = self.rows(name);
        if rows.is_empty() {
            cells.conflict(
                "account",
                Fault::new(format!("account {:?} is not known", clip(name)), ""),
                Conflict::Unknown,
            );
        }
        self.ours(
            &mut cells,
            "account",
            self.account_of_files(name),
            &format!("account {:?}", clip(name)),
            read::ACCOUNTS,
        );
        let at = match at {
            None => self.change.now.0,
            Some(at) => cells.instant("at", at, EVER, |moment| zone_then(&rows, moment)),
        };
        let kept: Vec<Dated> =
            rows.iter().filter(|row| row.from < at).map(|row| Dated { to: row.to.min(at), ..row.clone() }).collect();
        if cells.good && kept.is_empty() {
            cells.take::<()>("at", Err(nothing_left("account", &Timestamp(rows[0].from))));
        } else if cells.good {
            self.mine.set_account(name, kept);
            self.since = self.since.min(at);
        }
        self.refusals = refusals;
    }

    fn number(&mut self, line: u32, set: &NumberSet) {
        let mut refusals = std::mem::take(&mut self.refusals);
        let mut cells = Cells { line, refusals: &mut refusals, good: true };
        let number = cells.take("number", field::number(set.number.trim()));
        let name = set.account.trim();
        let rows = self.rows(name);
        if name.is_empty() {
            let fault = Fault::new("account is missing", "every number belongs to an account");
            cells.take::<()>("account", Err(fault));
        } else if rows.is_empty() {
            cells.take::<()>("account", Err(self.unknown_account(name)));
        }
        let owners = number.map_or_else(Vec::new, |number| self.owners(number));
        if let Some(number) = number {
            let what = format!("number +{number}");
            self.ours(&mut cells, "number", self.number_of_files(number), &what, read::NUMBERS);
        }
        let text = |cell: &Option<String>| cell.as_deref().map(|text| text.trim().to_owned());
        let from = match text(&set.valid_from) {
            None if owners.is_empty() => EVER,
            None => self.change.now.0,
            Some(from) => cells.instant("valid_from", &from, EVER, |moment| zone_then(&rows, moment)),
        };
        let to = text(&set.valid_to).unwrap_or_default();
        let to = cells.instant("valid_to", &to, NEVER, |moment| zone_then(&rows, moment));
        if cells.good {
            cells.ordered("valid_to", from, to);
        }
        if let (true, Some(number)) = (cells.good, number) {
            self.mine.set_number(number, set_owner(&owners, (from, to), Some(name)));
            // A number that was nobody's is no call's that was rated.
            self.since = if owners.is_empty() { self.since } else { self.since.min(from) };
        }
        self.refusals = refusals;
    }

    fn end_number(&mut self, line: u32, number: &str, at: Option<&str>) {
        let mut refusals = std::mem::take(&mut self.refusals);
        let mut cells = Cells { line, refusals: &mut refusals, good: true };
        if let Some(number) = cells.take("number", field::number(number)) {
            let owners = self.owners(number);
            if owners.is_empty() {
                let fault = Fault::new(format!("number +{number} belongs to nobody"), "");
                cells.conflict("number", fault, Conflict::Unknown);
            }
            self.ours(&mut cells, "number", self.number_of_files(number), &format!("number +{number}"), read::NUMBERS);
            let rows = owners.last().map_or_else(Vec::new, |owned| self.rows(&owned.account));
            let at = match at {
                None => self.change.now.0,
                Some(at) => cells.instant("at", at, EVER, |moment| zone_then(&rows, moment)),
            };
            let kept = set_owner(&owners, (at, NEVER), None);
            if cells.good && kept.is_empty() {
                cells.take::<()>("at", Err(nothing_left("number", &Timestamp(owners[0].from))));
            } else if cells.good {
                self.mine.set_number(number, kept);
                self.since = self.since.min(at);
            }
        }
        self.refusals = refusals;
    }

    fn unknown_account(&self, name: &str) -> Fault {
        let start: String = name.chars().take(1).collect();
        let neighbours = self.directory.accounts_after(&start, 200);
        let near = neighbours.iter().map(super::Account::name);
        let hint = did_you_mean(name, near, "put the account first");
        Fault::new(format!("account {:?} is not known", clip(name)), hint)
    }

    fn done(self) -> Result<Edited, Vec<Refusal>> {
        let Work { directory, before, change, mut mine, mut refusals, warnings, since } = self;
        if !refusals.is_empty() {
            refusals.sort_by_key(|refusal| refusal.line);
            refusals.truncate(super::table::ERRORS_MAX);
            return Err(refusals);
        }
        let back = mine.back.clone();
        mine.accounts.retain(|name, rows| {
            let was = before.accounts.get(name).cloned();
            let taken = change.take_over && was.is_none() && directory.account_lies_lowest(name);
            taken || back.accounts.contains(name) || was.unwrap_or_else(|| directory.rows_of(name)) != *rows
        });
        mine.numbers.retain(|number, owners| {
            let was = before.numbers.get(number).cloned();
            let taken = change.take_over && was.is_none() && directory.number_lies_lowest(*number);
            taken || back.numbers.contains(number) || was.unwrap_or_else(|| directory.owners_of(*number)) != *owners
        });
        Ok(Edited { layer: mine, warnings, since })
    }
}

fn nothing_left(what: &str, from: &Timestamp) -> Fault {
    let from = if from.0 == EVER { "ever".to_owned() } else { from.to_string() };
    Fault::new(
        format!("nothing of the {what} would be left: it begins at {from}"),
        "what was once kept is kept for ever; name an instant after it began",
    )
}
