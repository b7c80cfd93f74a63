//! The heading of a supplier's table: which row it is, and what each column means.
//!
//! Does not know how cells are read.

use std::collections::BTreeMap;

use super::mapping::{ColumnName, Mapping};
use super::table::Table;
use crate::nearest::did_you_mean;
use crate::tariff::findings::{Findings, Place};

mod roles;

pub use roles::Role;
use roles::{ROLES, key};

/// A column and what it was taken for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// As it stands in the file.
    pub heading: String,
    /// What it was taken for.
    pub role: Role,
}

/// The heading, read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// First row below the heading.
    pub first_row: usize,
    /// Every column in the order of the file.
    pub columns: Vec<Column>,
    /// Place of each role that is read.
    pub at: BTreeMap<Role, usize>,
    /// Currency that a heading of prices names.
    pub currency: Option<[u8; 3]>,
    /// Prices are per second.
    pub per_second: bool,
    /// Prices are in hundredths.
    pub cents: bool,
}

/// Any of these is a price.
pub(super) const PRICES: [Role; 5] = [Role::Rate, Role::Peak, Role::PerCall, Role::Interstate, Role::Intrastate];

/// Rows among which the heading is looked for.
const HEADING_WITHIN: usize = 40;

/// Finds the heading. None if there is none, which is said.
pub fn find(table: &Table, mapping: &Mapping, findings: &mut Findings) -> Option<Header> {
    let row = (0..table.len().min(HEADING_WITHIN)).max_by_key(|row| {
        let known = table.cells(*row).filter(|c| known(Role::of_heading(c)) || mapping.names(c)).count();
        // Of equals the first.
        (known, std::cmp::Reverse(*row))
    });
    let Some(row) = row else {
        findings.error(Place::default(), "the file is empty", "begin with a heading such as prefix,rate");
        return None;
    };
    let known_cells = table.cells(row).filter(|c| known(Role::of_heading(c)) || mapping.names(c)).count();
    let indexed = mapping.columns.values().all(|c| matches!(c, ColumnName::Place(_))) && mapping.columns.len() >= 2;
    let mut header = Header::default();
    if known_cells >= 2 {
        header.first_row = row + 1;
        header.columns =
            table.cells(row).map(|c| Column { heading: c.to_owned(), role: Role::of_heading(c) }).collect();
    } else if indexed {
        let width = (0..table.len().min(HEADING_WITHIN)).map(|row| table.width(row)).max().unwrap_or(0);
        header.columns = vec![Column { heading: String::new(), role: Role::Unknown }; width];
    } else {
        let hint = "name the columns in a mapping: [columns] prefix = 1, rate = 3, counted from 1";
        findings.error(Place::default(), "no row looks like a heading with a code and a price", hint);
        return None;
    }
    let line = table.line(row);
    header.overrule(mapping, line, findings);
    header.settle(line, findings);
    (!findings.refused()).then_some(header)
}

fn known(role: Role) -> bool {
    !matches!(role, Role::Unknown | Role::Telling)
}

impl Header {
    /// What the mapping says goes before what headings say.
    fn overrule(&mut self, mapping: &Mapping, line: u32, findings: &mut Findings) {
        for (name, column) in &mapping.columns {
            let Some(role) = Role::named(name) else {
                let names = ROLES.map(|(name, ..)| name);
                let hint = did_you_mean(name, names, &format!("there are {}", names.join(", ")));
                findings.error(Place::default(), format!("the mapping names a column {name:?}"), hint);
                continue;
            };
            let at = match column {
                ColumnName::Place(place) => place.checked_sub(1).filter(|at| *at < self.columns.len()),
                ColumnName::Heading(heading) => {
                    self.columns.iter().position(|c| c.heading.trim().eq_ignore_ascii_case(heading.trim()))
                }
            };
            let Some(at) = at else {
                let headings = self.columns.iter().map(|c| c.heading.as_str());
                let shown = match column {
                    ColumnName::Place(place) => format!("column {place}"),
                    ColumnName::Heading(heading) => format!("{heading:?}"),
                };
                let hint = did_you_mean(&shown, headings, "the supplier may have changed the layout");
                findings.error(Place { line, column: 0 }, format!("{name}: there is no {shown}"), hint);
                continue;
            };
            self.columns.iter_mut().filter(|c| c.role == role).for_each(|c| c.role = Role::Known);
            if let Some(column) = self.columns.get_mut(at) {
                column.role = role;
            }
        }
        for ignored in &mapping.ignore {
            let same = |c: &&mut Column| c.heading.trim().eq_ignore_ascii_case(ignored.trim());
            self.columns.iter_mut().filter(same).for_each(|c| c.role = Role::Unknown);
        }
    }

    /// One column for each role, and all that is needed.
    fn settle(&mut self, line: u32, findings: &mut Findings) {
        let has = |columns: &[Column], role| columns.iter().any(|c| c.role == role);
        // A table with a country and an area code has no column for both; with `Code` beside `Country Code` that is the area.
        if has(&self.columns, Role::CallingCode) && !has(&self.columns, Role::Area) && has(&self.columns, Role::Prefix)
        {
            self.columns.iter_mut().filter(|c| c.role == Role::CallingCode).for_each(|c| c.role = Role::Known);
        }
        if !has(&self.columns, Role::Prefix) && !has(&self.columns, Role::CallingCode) {
            // An area code alone is a whole code.
            self.columns.iter_mut().filter(|c| c.role == Role::Area).for_each(|c| c.role = Role::Prefix);
        }
        if !has(&self.columns, Role::Destination) {
            self.columns.iter_mut().filter(|c| c.role == Role::Country).for_each(|c| c.role = Role::Destination);
        }
        let mut seen = Vec::<(Role, usize)>::new();
        for at in 0..self.columns.len() {
            let Some(column) = self.columns.get(at) else { continue };
            if matches!(column.role, Role::Known | Role::Telling | Role::Unknown) {
                continue;
            }
            match seen.iter().find(|(role, _)| *role == column.role) {
                // Several evenings and remarks say the same of themselves.
                Some((Role::OffPeak | Role::Change | Role::Destination | Role::Country, _)) => {
                    if let Some(column) = self.columns.get_mut(at) {
                        column.role = Role::Known;
                    }
                }
                Some((role, first)) => {
                    let first = self.columns.get(*first).map_or("", |c| c.heading.as_str());
                    let (name, second) = (role.name(), &column.heading);
                    let hint = format!("say which one in the mapping: [columns] {name} = {second:?}");
                    let message = format!("{first:?} and {second:?} both look like the column {name}");
                    findings.error(Place { line, column: at as u32 + 1 }, message, hint);
                }
                None => seen.push((column.role, at)),
            }
        }
        self.at = seen.into_iter().collect();
        let Some(prices) = self.prices(line, findings) else { return };
        let heading = self.columns.get(prices).map_or("", |c| c.heading.as_str());
        let (key, currency) = key(heading);
        self.currency = currency;
        self.per_second = key.contains("sec");
        self.cents = key.contains("cent") || key == "ppm" || key.contains("pence");
        if !self.at.contains_key(&Role::Prefix) && !(self.at.contains_key(&Role::CallingCode)) {
            let hint = "name it in the mapping: [columns] prefix = \"…\"; names alone cannot be rated by";
            findings.error(Place { line, column: 0 }, "no column of codes", hint);
        }
    }

    /// The column of prices, or what may be one.
    fn prices(&self, line: u32, findings: &mut Findings) -> Option<usize> {
        let found = PRICES.into_iter().find_map(|role| self.at.get(&role));
        if found.is_none() {
            let like: Vec<&str> =
                self.columns.iter().filter(|c| c.role == Role::Telling).map(|c| c.heading.as_str()).collect();
            let hint = match like.first() {
                Some(first) => format!("say which one in the mapping: [columns] rate = {first:?}; there are {like:?}"),
                None => "name it in the mapping: [columns] rate = \"…\"".to_owned(),
            };
            findings.error(Place { line, column: 0 }, "no column of prices", hint);
        }
        found.copied()
    }
}
