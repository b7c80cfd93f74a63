//! Deck exports of ASTPP and A2Billing: read as a supplier's deck, with what is known of these products.
//!
//! ASTPP charges a first block and then increments. A2Billing lengthens a call to its first block and then up to a
//! multiple of its increment, so the first block is a minimum here.
//!
//! Does not know how cells are read.

use std::collections::{BTreeMap, BTreeSet};

use super::write::{error, plan_toml, unused};
use super::{Converted, ConvertedPlan, Losses, Wishes};
use crate::tariff::findings::Findings;
use crate::tariff::supplier::header::{Header, Role};
use crate::tariff::supplier::mapping::{ColumnName, End, Grace, Mapping};
use crate::tariff::supplier::table::{self, Table};
use crate::tariff::supplier::{SupplierRow, understand, write};

/// Whose exports are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Product {
    /// Origination and termination rates of ASTPP.
    Astpp,
    /// Ratecards of A2Billing.
    A2billing,
}

/// Role of a deck → A2Billing's heading.
const A2BILLING_COLUMNS: [(&str, &str); 8] = [
    ("prefix", "dialprefix"),
    ("destination", "destination"),
    ("rate", "rateinitial"),
    ("connect_fee", "connectcharge"),
    ("minimum", "initblock"),
    ("increment", "billingblock"),
    ("valid_from", "startdate"),
    ("valid_to", "stopdate"),
];
/// What the carrier asks, which is no price of the deck.
const BUYING: [&str; 3] = ["buyrate", "buyrateinitblock", "buyrateincrement"];
/// Columns that change what a call costs, and what they hold where they do not.
const OTHERWISE: [(&str, &[&str]); 21] = [
    ("gracetime", &[]),
    ("includedseconds", &[]),
    ("disconnectcharge", &[]),
    ("disconnectchargeafter", &[]),
    ("stepchargea", &[]),
    ("stepchargeb", &[]),
    ("stepchargec", &[]),
    ("chargea", &[]),
    ("chargeb", &[]),
    ("chargec", &[]),
    ("timechargea", &[]),
    ("timechargeb", &[]),
    ("timechargec", &[]),
    ("roundingcalltime", &[]),
    ("additionalblockcharge", &[]),
    ("minimalcost", &[]),
    ("minimalcharge", &[]),
    ("additionalgrace", &[]),
    ("announcetimecorrection", &["1", "1.0", "1.000"]),
    ("starttime", &[]),
    // The last minute of a week.
    ("endtime", &["10079", "10080"]),
];

fn key(heading: &str) -> String {
    heading.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Converts exports, each name and bytes of a file, into a deck and a plan each.
pub fn exports(product: Product, files: &[(String, Vec<u8>)], wishes: &Wishes) -> Converted {
    let (mut converted, mut losses, mut names) = (Converted::default(), Losses::default(), BTreeSet::new());
    for (file, bytes) in files {
        let mut findings = Findings::new(file.clone());
        let table = without_default(file, table::read(bytes, None, &mut findings), &mut losses);
        let mapping = mapping(product, &table);
        let mut supplied = understand(&table, &mapping, &mut findings);
        converted.findings.extend(findings.finish());
        converted.rows.insert(file.clone(), supplied.rows.len());
        if let Some(currency) = supplied.currency.filter(|currency| currency != wishes.currency.as_bytes()) {
            let message = format!("prices are in {}", String::from_utf8_lossy(&currency));
            converted.findings.push(error(file, 0, message, "name their currency with --currency"));
        }
        supplied.held.iter().for_each(|held| losses.add(file, held.line, "row", held.why));
        let neither = "neither code nor price; not taken";
        supplied.texts.iter().for_each(|line| losses.add(file, *line, "row", neither));
        let otherwise = otherwise(file, &table, &supplied.header, &mut losses);
        for row in &mut supplied.rows {
            if otherwise.contains(&row.line) {
                // With a price a row prices calls at home even so.
                row.block();
            }
            if product == Product::A2billing {
                lengthened(row);
            }
        }
        let name = unused(file.rsplit_once('.').map_or(file.as_str(), |(stem, _)| stem), &mut names);
        let mut prefixes: Vec<_> = supplied.rows.iter().flat_map(|row| &row.prefixes).collect();
        let rows = prefixes.len();
        prefixes.sort_unstable_by_key(|prefix| prefix.0);
        prefixes.dedup();
        let blocked = supplied.rows.iter().filter(|row| row.blocked).map(|row| row.prefixes.len()).sum();
        converted.toml.push_str(&plan_toml(&name, &[], wishes, false, None, &format!("export {file}")));
        converted.plans.push(ConvertedPlan {
            from: vec![file.clone()],
            subjects: Vec::new(),
            prefixes: prefixes.len(),
            rows,
            blocked,
            deck: write::deck(&supplied.rows).text,
            name,
        });
    }
    if converted.refused() {
        (converted.plans, converted.toml) = Default::default();
    }
    converted.plans.sort_by(|a, b| a.name.cmp(&b.name));
    converted.lost = losses.finish();
    converted
}

/// A2Billing's row for whatever has no other.
const DEFAULT_PREFIX: &str = "defaultprefix";

fn without_default(file: &str, table: Table, losses: &mut Losses) -> Table {
    let is_default = |row: usize| table.cells(row).any(|cell| cell.trim() == DEFAULT_PREFIX);
    if !(0..table.len()).any(is_default) {
        return table;
    }
    let mut kept = Table::default();
    for row in 0..table.len() {
        if is_default(row) {
            let why = "a deck has no row for all other destinations; write the calling codes that are meant";
            losses.add(file, table.line(row), DEFAULT_PREFIX, why);
        } else {
            kept.push(table.line(row), table.cells(row));
        }
    }
    kept
}

/// What is known of a product's headings, as far as the file has them.
fn mapping(product: Product, table: &Table) -> Mapping {
    let mut mapping = Mapping { grace: Some(Grace::Ignore), ..Mapping::default() };
    if product == Product::A2billing {
        let headings: Vec<&str> = (0..table.len().min(1)).flat_map(|row| table.cells(row)).map(str::trim).collect();
        let there = |name: &str| headings.iter().any(|heading| heading.eq_ignore_ascii_case(name));
        let columns = A2BILLING_COLUMNS.into_iter().filter(|(_, heading)| there(heading));
        mapping.columns = columns
            .map(|(role, heading)| (role.to_owned(), ColumnName::Heading(heading.to_owned())))
            .collect::<BTreeMap<_, _>>();
        mapping.ignore = BUYING.into_iter().filter(|heading| there(heading)).map(str::to_owned).collect();
        mapping.end_dates = Some(End::Exclusive);
    }
    mapping
}

/// Lines of rows in which a column that is not taken changes what a call costs.
fn otherwise(file: &str, table: &Table, header: &Header, losses: &mut Losses) -> BTreeSet<u32> {
    let mut lines = BTreeSet::new();
    for (column, heading) in header.columns.iter().enumerate() {
        let known = OTHERWISE.iter().find(|(name, _)| *name == key(&heading.heading));
        if known.is_none() && heading.role != Role::Telling {
            continue;
        }
        let harmless = known.map_or(&[][..], |(_, values)| values);
        for row in header.first_row..table.len() {
            let cell = table.cell(row, column).trim();
            if cell.chars().all(|c| matches!(c, '0' | '.' | ',')) || harmless.contains(&cell) {
                continue;
            }
            let line = table.line(row);
            lines.insert(line);
            losses.add(file, line, format!("column {}", heading.heading), "a deck has no such price or time; blocked");
        }
    }
    lines
}

/// A2Billing's first block, up to a multiple of the increment.
fn lengthened(row: &mut SupplierRow) {
    let Some(minimum) = row.minimum.filter(|minimum| *minimum > 0) else {
        row.minimum = None;
        return;
    };
    let increment = *row.increment.get_or_insert(1);
    row.minimum = minimum.checked_next_multiple_of(increment.max(1)).or(Some(minimum));
}
