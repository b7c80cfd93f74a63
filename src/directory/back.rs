//! Accounts and numbers given back to the files: what those say is what holds again.
//!
//! The files are the lowest image: what was read of the rates folder last. Nothing is given back that they do not have, and
//! nothing that they say otherwise for an instant in the past, unless that is asked for: rated calls would come out otherwise.
//!
//! Does not know who asks, nor how images are put together.

use std::collections::BTreeSet;

use super::Directory;
use super::apply::{Cells, Work};
use super::change::Conflict;
use super::field;
use super::layer::{Dated, Layer, Owned};
use super::read::{self, EVER, NEVER};
use super::table::{Fault, clip};
use crate::number::Number;
use crate::time::Timestamp;

/// Accounts and numbers that are given back to the files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Back {
    /// By name.
    pub accounts: BTreeSet<Box<str>>,
    /// In order.
    pub numbers: BTreeSet<Number>,
}

impl Back {
    /// Nothing.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.numbers.is_empty()
    }
}

impl Layer {
    /// Says an account's rows anew.
    pub fn set_account(&mut self, name: &str, rows: Vec<Dated>) {
        self.back.accounts.remove(name);
        self.accounts.insert(name.into(), rows);
    }

    /// Says a number's owners anew.
    pub fn set_number(&mut self, number: Number, owners: Vec<Owned>) {
        self.back.numbers.remove(&number);
        self.numbers.insert(number, owners);
    }

    /// Puts a later change on top of this one.
    pub fn then(&mut self, later: Layer) {
        later.accounts.into_iter().for_each(|(name, rows)| self.set_account(&name, rows));
        later.numbers.into_iter().for_each(|(number, owners)| self.set_number(number, owners));
        self.back.accounts.extend(later.back.accounts);
        self.back.numbers.extend(later.back.numbers);
    }

    /// Without what is given back.
    pub fn without_back(mut self) -> Layer {
        let Back { accounts, numbers } = std::mem::take(&mut self.back);
        accounts.iter().for_each(|name| drop(self.accounts.remove(name)));
        numbers.iter().for_each(|number| drop(self.numbers.remove(number)));
        self
    }
}

impl Directory {
    /// Every dated row that the files have of an account, in order.
    pub fn files_rows_of(&self, name: &str) -> Vec<Dated> {
        let lowest = self.layers.images.first();
        let first = lowest.and_then(|image| Some((image, image.account_slot(name.as_bytes())?.1)));
        first.map_or_else(Vec::new, |(image, first)| image.dated(first))
    }

    /// Every owner that the files have of a number, in order.
    pub fn files_owners_of(&self, number: Number) -> Vec<Owned> {
        let lowest = self.layers.images.first();
        let slot = lowest.and_then(|image| Some((image, image.slot_of(number)?)));
        slot.map_or_else(Vec::new, |(image, slot)| image.owners(slot))
    }
}

impl Work<'_> {
    pub(super) fn account_to_files(&mut self, line: u32, name: &str, rewrite: bool) {
        let (was, files) = (self.rows(name), self.directory.files_rows_of(name));
        let what = format!("account {:?}", clip(name));
        let of_files = self.account_of_files(name);
        let value = |rows: &[Dated], at: i64| holds(rows, at, |row| (row.from, row.to)).map(|row| row.terms.clone());
        let bounds = was.iter().chain(&files).flat_map(|row| [row.from, row.to]);
        let since = first_difference(bounds, |at| value(&was, at) != value(&files, at));
        let there = (!was.is_empty(), !files.is_empty());
        if !of_files && self.may_go_back(line, ("account", &what, read::ACCOUNTS), there, since, rewrite) {
            self.mine.set_account(name, files);
            self.mine.back.accounts.insert(name.into());
        }
    }

    pub(super) fn number_to_files(&mut self, line: u32, number: &str, rewrite: bool) {
        let mut cells = Cells { line, refusals: &mut self.refusals, good: true };
        let Some(number) = cells.take("number", field::number(number)) else { return };
        let (was, files) = (self.owners(number), self.directory.files_owners_of(number));
        let of_files = self.number_of_files(number);
        let value = |rows: &[Owned], at: i64| holds(rows, at, |row| (row.from, row.to)).map(|row| row.account.clone());
        let bounds = was.iter().chain(&files).flat_map(|row| [row.from, row.to]);
        let since = first_difference(bounds, |at| value(&was, at) != value(&files, at));
        let what = format!("number +{number}");
        let there = (!was.is_empty(), !files.is_empty());
        if !of_files && self.may_go_back(line, ("number", &what, read::NUMBERS), there, since, rewrite) {
            self.mine.set_number(number, files);
            self.mine.back.numbers.insert(number);
        }
    }

    /// `there`: whether it is known, and whether the files have it. `since`: from when on the files say something else.
    fn may_go_back(
        &mut self,
        line: u32,
        (field, what, file): (&str, &str, &str),
        there: (bool, bool),
        since: Option<i64>,
        rewrite: bool,
    ) -> bool {
        let now = self.change.now.0;
        let mut cells = Cells { line, refusals: &mut self.refusals, good: true };
        match (there, since) {
            ((false, _), _) => cells.conflict(field, Fault::new(format!("{what} is not known"), ""), Conflict::Unknown),
            ((_, false), _) => {
                let hint = "write its rows there and reload them first: what was once known is not forgotten";
                let message = format!("{file} does not have {what}");
                cells.conflict(field, Fault::new(message, hint), Conflict::FilesDiffer);
            }
            (_, Some(since)) if since < now && !rewrite => {
                let from = if since == EVER { "ever".to_owned() } else { Timestamp(since).to_string() };
                let message = format!("{file} says something else of {what} since {from}, which is past");
                let hint =
                    "make its rows there what it is, or send ?rewrite=true: open months are then sealed by the file";
                cells.conflict(field, Fault::new(message, hint), Conflict::FilesDiffer);
            }
            _ => {}
        }
        if cells.good {
            self.since = self.since.min(since.unwrap_or(NEVER));
        }
        cells.good
    }
}

/// The row that holds at an instant.
fn holds<T>(rows: &[T], at: i64, bounds: impl Fn(&T) -> (i64, i64)) -> Option<&T> {
    rows.iter().find(|row| (bounds(row).0..bounds(row).1).contains(&at))
}

/// The first of the instants at which two lives differ; between two of them nothing changes.
fn first_difference(bounds: impl Iterator<Item = i64>, differ: impl Fn(i64) -> bool) -> Option<i64> {
    bounds.filter(|at| differ(*at)).min()
}
