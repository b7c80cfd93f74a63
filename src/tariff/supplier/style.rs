//! How a deck writes what a cell alone cannot tell: decimal mark, order of dates, unit, currency. Whole columns tell, or
//! the mapping does; what neither tells is asked.
//!
//! Does not know single rows' faults.

use super::Supplied;
use super::amounts::{self, Mark};
use super::bands::Named;
use super::dates::{self, Order, Said};
use super::header::{Column, Role};
use super::mapping::{ColumnName, End, Grace, Mapping, Per};
use super::table::Table;
use crate::tariff::findings::{Findings, Place};

/// How this deck writes.
pub(super) struct Style {
    pub mark: Mark,
    pub order: Option<Order>,
    pub per_second: bool,
    pub cents: bool,
    pub end: Option<End>,
    pub grace: Option<Grace>,
    pub international: Vec<String>,
    /// Peak and off-peak prices without one for all hours.
    pub bands: bool,
    /// When those hours are.
    pub named: Named,
}

const MONEY: [Role; 10] = [
    Role::Rate,
    Role::ConnectFee,
    Role::PerCall,
    Role::MinimumCost,
    Role::MaximumCost,
    Role::Peak,
    Role::OffPeak,
    Role::Weekend,
    Role::Interstate,
    Role::Intrastate,
];

/// Finds all of it out, and writes it into the mapping to be saved.
pub(super) fn decide(table: &Table, supplied: &mut Supplied, findings: &mut Findings) -> Option<Style> {
    let mark = decimal(table, supplied, findings);
    let order = order(table, supplied, findings);
    currency(supplied, findings);
    let Supplied { header, mapping, .. } = supplied;
    if header.at.contains_key(&Role::To)
        && mapping.end_dates.is_none()
        && any(table, header.first_row, header.at.get(&Role::To))
    {
        let hint = "end_dates = \"inclusive\" if a row still holds on that day, else \"exclusive\"";
        findings.error(place(table, header, Role::To), "does a row still hold on the day of its end?", hint);
    }
    let named = match Named::read(mapping, header.at.contains_key(&Role::Weekend)) {
        Ok(named) => named,
        Err((message, hint)) => {
            findings.error(Place::default(), message, hint);
            Named::default()
        }
    };
    if findings.refused() {
        return None;
    }
    if mapping.per == Some(Per::Minute) {
        header.per_second = false;
    }
    let style = Style {
        mark: mark?,
        order,
        per_second: header.per_second || mapping.per == Some(Per::Second),
        cents: mapping.cents.unwrap_or(header.cents),
        end: mapping.end_dates,
        grace: mapping.grace,
        international: mapping.international.clone().unwrap_or_else(|| vec!["00".to_owned()]),
        bands: !header.at.contains_key(&Role::Rate) && header.at.contains_key(&Role::Peak),
        named,
    };
    remember(mapping, &header.columns, &style, table.separator);
    Some(style)
}

fn place(table: &Table, header: &super::Header, role: Role) -> Place {
    let column = header.at.get(&role).map_or(0, |at| *at as u32 + 1);
    Place { line: header.first_row.checked_sub(1).map_or(0, |row| table.line(row)), column }
}

fn any(table: &Table, first: usize, column: Option<&usize>) -> bool {
    column.is_some_and(|c| (first..table.len()).any(|row| !table.cell(row, *c).is_empty()))
}

/// What was decided, so that the next file is not asked again.
fn remember(mapping: &mut Mapping, columns: &[Column], style: &Style, separator: Option<u8>) {
    mapping.separator = separator.map(char::from).or(mapping.separator);
    mapping.decimal = Some(style.mark);
    mapping.dates = style.order.or(mapping.dates);
    mapping.per = Some(if style.per_second { Per::Second } else { Per::Minute });
    mapping.cents = style.cents.then_some(true);
    let read = |c: &&Column| !matches!(c.role, Role::Known | Role::Telling | Role::Unknown) && !c.heading.is_empty();
    for column in columns.iter().filter(read) {
        let name = column.role.name().to_owned();
        mapping.columns.entry(name).or_insert_with(|| ColumnName::Heading(column.heading.clone()));
    }
}

/// The decimal mark that all amounts agree on.
fn decimal(table: &Table, supplied: &Supplied, findings: &mut Findings) -> Option<Mark> {
    if let Some(mark) = supplied.mapping.decimal {
        return Some(mark);
    }
    let columns: Vec<usize> = MONEY.iter().filter_map(|role| supplied.header.at.get(role).copied()).collect();
    let (mut point, mut comma, mut doubtful) = (None, None, None);
    for row in supplied.header.first_row..table.len() {
        for column in &columns {
            let cell = table.cell(row, *column);
            let place = Place { line: table.line(row), column: 0 };
            // A remark with a full stop in it is no amount.
            if !cell.bytes().any(|b| b.is_ascii_digit()) || cell.len() > 24 {
                continue;
            }
            match amounts::tells(cell) {
                Some(Mark::Point) => point = point.or(Some(place)),
                Some(Mark::Comma) => comma = comma.or(Some(place)),
                None if amounts::doubtful(cell) => doubtful = doubtful.or(Some((place, cell.to_owned()))),
                None => {}
            }
        }
    }
    match (point, comma, doubtful) {
        (Some(point), Some(comma), _) => {
            let message = format!("line {} has a decimal point and line {} a decimal comma", point.line, comma.line);
            findings.error(
                point.max(comma),
                message,
                "decimal = \".\" or \",\"; rows of the other kind are then named",
            );
            None
        }
        (None, Some(_), _) => Some(Mark::Comma),
        (None, None, Some((at, cell))) => {
            let hint = "decimal = \",\" or decimal = \".\"";
            findings.error(
                at,
                format!("{cell:?} may have a decimal comma or thousands, and no other amount tells"),
                hint,
            );
            None
        }
        _ => Some(Mark::Point),
    }
}

/// The order of day and month that all dates agree on; none where nothing needs one.
fn order(table: &Table, supplied: &Supplied, findings: &mut Findings) -> Option<Order> {
    if supplied.mapping.dates.is_some() {
        return supplied.mapping.dates;
    }
    let columns: Vec<usize> =
        [Role::From, Role::To].iter().filter_map(|r| supplied.header.at.get(r).copied()).collect();
    let cells = || {
        let rows = supplied.header.first_row..table.len();
        rows.flat_map(|row| columns.iter().map(move |c| (row, table.cell(row, *c))))
    };
    let numbers = |cell: &str| dates::read(cell).filter(|said| matches!(said, Said::Numbers(..)));
    let (row, first) = cells().find(|(_, cell)| numbers(cell).is_some())?;
    let order = dates::order(cells().filter_map(|(_, cell)| numbers(cell)));
    if order.is_none() {
        let shown = |order| numbers(first).and_then(|s| dates::day(s, order)).map(|d| d.to_string());
        let read: Vec<String> = [Order::Dmy, Order::Mdy, Order::Ymd].into_iter().filter_map(shown).collect();
        let message = format!("{first:?} may be {}, and no other date tells", read.join(" or "));
        let hint = "dates = \"dmy\" for day/month/year, \"mdy\" for month/day/year, \"ymd\" for year/month/day";
        findings.error(Place { line: table.line(row), column: 0 }, message, hint);
    }
    order
}

/// The currency that mapping and heading agree on. Cells may still name one.
fn currency(supplied: &mut Supplied, findings: &mut Findings) {
    let Supplied { header, mapping, currency, .. } = supplied;
    let given = mapping.currency.as_deref();
    *currency = given.and_then(|text| text.to_ascii_uppercase().as_bytes().try_into().ok()).or(header.currency);
    if let Some(text) = given
        && (text.len() != 3 || !text.bytes().all(|b| b.is_ascii_alphabetic()))
    {
        findings.error(Place::default(), format!("currency {text:?} in the mapping"), "write ISO 4217, such as USD");
    }
    if given.is_some() && header.currency.is_some() && *currency != header.currency {
        let message = "the heading of prices names another currency than the mapping";
        findings.error(Place::default(), message, "has the supplier changed it? Then change the mapping");
    }
}
