//! A file of accounts or of numbers as a change: it says the whole life of each that it names.
//!
//! Does not know the rules of a row, nor the rows there are.

use std::collections::{BTreeSet, HashSet};

use super::Severity;
use super::apply::{Cells, Work};
use super::change::Refusal;
use super::layer::{Layer, Owned};
use super::read::{self, Rows};
use super::table::{Fault, Findings, Place, Table};
use crate::tariff::Finding;

impl Work<'_> {
    pub(super) fn accounts_file(&mut self, csv: &[u8]) {
        let (rows, findings) = read::read(csv, b"");
        if !self.noticed(findings) {
            return;
        }
        for same in rows.accounts.chunk_by(|a, b| a.name == b.name) {
            let name = &same[0].name;
            let mut refusals = std::mem::take(&mut self.refusals);
            let mut cells = Cells { line: same[0].line, refusals: &mut refusals, good: true };
            self.ours(&mut cells, "account", self.account_of_files(name), &format!("account {name:?}"), read::ACCOUNTS);
            self.refusals = refusals;
            let dated = same.iter().map(|row| super::layer::dated(row, &rows)).collect();
            self.mine.accounts.insert(name.clone(), dated);
        }
    }

    pub(super) fn numbers_file(&mut self, csv: &[u8]) {
        let mut known = Layer::default();
        for name in accounts_named(csv) {
            let rows = self.rows(&name);
            if !rows.is_empty() {
                known.accounts.insert(name.into(), rows);
            }
        }
        let (rows, findings) = numbers_of(csv, known.rows());
        if !self.noticed(findings) {
            return;
        }
        for same in rows.numbers.chunk_by(|a, b| a.number == b.number) {
            let number = same[0].number;
            let mut refusals = std::mem::take(&mut self.refusals);
            let mut cells = Cells { line: same[0].line, refusals: &mut refusals, good: true };
            self.ours(&mut cells, "number", self.number_of_files(number), &format!("number +{number}"), read::NUMBERS);
            self.refusals = refusals;
            let owner = |row: &read::NumberRow| rows.names.get(row.account as usize).cloned().unwrap_or_default();
            let owners = same.iter().map(|row| Owned { from: row.from, to: row.to, account: owner(row) }).collect();
            self.mine.numbers.insert(number, owners);
        }
    }

    /// Whether no finding is an error.
    fn noticed(&mut self, findings: Vec<Finding>) -> bool {
        let mut good = true;
        for finding in findings {
            let Finding { severity, line, column, message, hint, .. } = finding;
            let field = if column > 0 { format!("column {column}") } else { String::new() };
            let list = match severity {
                Severity::Error => &mut self.refusals,
                Severity::Warning => &mut self.warnings,
            };
            good &= severity == Severity::Warning;
            list.push(Refusal { line, field, message, hint, conflict: None });
        }
        good
    }
}

/// What to do where an account of a number is not known.
const IN_FORCE: read::Whereabouts = ("is not known", "put the account first");

/// Reads numbers of accounts that are known.
fn numbers_of(csv: &[u8], accounts: Rows) -> (Rows, Vec<Finding>) {
    let mut rows = accounts;
    let mut findings = Findings::new(read::NUMBERS);
    let none = HashSet::new();
    if csv.is_empty() {
        findings.error(
            Place::default(),
            Fault::new("the file is empty", "the first row names the columns: number,account"),
        );
    }
    read::numbers(csv, &mut rows, Some(&none), &IN_FORCE, &mut findings);
    (rows, findings.finish())
}

/// The accounts that a file of numbers names, whatever is wrong with it.
fn accounts_named(csv: &[u8]) -> BTreeSet<String> {
    let mut findings = Findings::new(read::NUMBERS);
    let mut names = BTreeSet::new();
    if let Some(mut table) = Table::open(csv, &read::NUMBER_COLUMNS, &read::NUMBER_COLUMNS[..2], &mut findings) {
        while let Some(row) = table.next(&mut findings) {
            if !names.contains(row.get(1)) {
                names.insert(row.get(1).to_owned());
            }
        }
    }
    names
}
