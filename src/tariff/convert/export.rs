//! Deck exports of ASTPP and A2Billing: read as a supplier's deck, with what is known of these products.
//!
//! ASTPP charges a first block and then increments. A2Billing charges a call that is no longer than its first block that
//! block, and any other up to a multiple of its increment: the first block is a minimum here where it is such a multiple,
//! and has no counterpart where it is none. An increment of 0, or none, is a second to both.
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
        let (table, unclear) = prepared(product, file, &table::read(bytes, None, &mut findings), &mut losses);
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
            let counterpart = product == Product::Astpp || lengthened(row);
            if !counterpart {
                let why = "no multiple of the increment: calls no longer than it are charged otherwise; blocked";
                losses.add(file, row.line, "first block", why);
            }
            if !counterpart || otherwise.contains(&row.line) || unclear.contains(&row.line) {
                // With a price a row prices calls at home even so.
                row.block();
            }
            // What a plan or a country says of steps is not what these products do.
            row.increment.get_or_insert(1);
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

/// The rows that are meant, with a second where increments are 0; and the lines of which the steps are not clear.
fn prepared(product: Product, file: &str, table: &Table, losses: &mut Losses) -> (Table, BTreeSet<u32>) {
    let column = |name: &str| table.cells(0).position(|heading| key(heading) == name);
    let (initial, increment) = match product {
        Product::Astpp => (column("initialincrement"), column("increment")),
        Product::A2billing => (None, column("billingblock")),
    };
    let is_nought = |cell: &str| !cell.is_empty() && cell.chars().all(|c| matches!(c, '0' | '.' | ','));
    let (mut kept, mut unclear) = (Table::default(), BTreeSet::new());
    kept.separator = table.separator;
    for row in 0..table.len() {
        let line = table.line(row);
        if table.cells(row).any(|cell| cell == DEFAULT_PREFIX) {
            let why = "a deck has no row for all other destinations; write the calling codes that are meant";
            losses.add(file, line, DEFAULT_PREFIX, why);
            continue;
        }
        let mut cells: Vec<&str> = table.cells(row).collect();
        for at in [increment, initial].into_iter().flatten() {
            // The increment comes first: without a first block, calls of one second are all that versions agree on.
            let by_second = increment.is_none_or(|at| matches!(cells.get(at), None | Some(&("" | "1"))));
            match cells.get_mut(at) {
                Some(cell) if is_nought(cell) && (Some(at) == increment || by_second) => *cell = "1",
                Some(cell) if is_nought(cell) => {
                    let why = "one second to some versions, an increment to others; blocked";
                    losses.add(file, line, "initial increment 0", why);
                    unclear.insert(line);
                }
                _ => {}
            }
        }
        kept.push(line, cells);
    }
    (kept, unclear)
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

/// Takes A2Billing's first block as a minimum, if that is what it comes to.
fn lengthened(row: &mut SupplierRow) -> bool {
    row.minimum = row.minimum.filter(|minimum| *minimum > 0);
    row.minimum.is_none_or(|minimum| minimum.is_multiple_of(row.increment.unwrap_or(1).max(1)))
}
