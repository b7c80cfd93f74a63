//! What `tariff import` prints.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::Outcome;
use crate::cli::out::{self, Paint};
use crate::exit::Exit;
use crate::money::Money;
use crate::rates;
use crate::tariff::Finding;
use crate::tariff::judge::{self, Remark};
use crate::tariff::supplier::SupplierRow;
use crate::tariff::supplier::header::Role;

/// Rows shown as they were understood, and findings of one kind that are named unless all are asked for.
const FIRST: usize = 8;

/// A remark as a line.
pub(in crate::cli) fn line(file: &str, remark: &Remark) -> String {
    let finding = Finding {
        severity: remark.severity,
        file: file.to_owned(),
        line: remark.line,
        column: 0,
        message: format!("{}: {}", remark.kind.name(), remark.message),
        hint: remark.hint.clone(),
    };
    rates::describe(&finding)
}

/// Remarks as lines, so many of each kind, and then how many more there are.
pub(in crate::cli) fn lines(file: &str, remarks: &[Remark], all: bool) -> Vec<String> {
    let most = if all { usize::MAX } else { FIRST };
    let (shown, counts) = judge::bounded(remarks, most);
    let mut lines: Vec<String> = shown.into_iter().map(|r| line(file, r)).collect();
    for (kind, _, count) in counts.iter().filter(|(.., count)| *count > most) {
        lines.push(format!(
            "{file}: {} more of kind {} (--all shows them)",
            out::grouped((count - most) as u64),
            kind.name()
        ));
    }
    lines
}

pub(super) fn show(outcome: &Outcome, all: bool) -> Result<(), Exit> {
    let supplied = &outcome.supplied;
    let n = |count: usize| out::grouped(count as u64);
    let bold = |text: &str| out::paint(text, Paint::Bold);
    if let Some((sheet, others)) = &outcome.sheet {
        let others = if others.is_empty() { String::new() } else { format!(" (not read: {})", others.join(", ")) };
        out::line(&format!("sheet       {sheet}{others}"))?;
    }
    let mut columns = out::table(&["column", "heading", "taken for"], &[0]);
    for (i, column) in supplied.header.columns.iter().enumerate() {
        let role = match column.role {
            Role::Telling => "not taken, though it looks as if it could change an amount".to_owned(),
            Role::Known | Role::Unknown => "not taken".to_owned(),
            Role::OffPeak | Role::Peak | Role::Weekend if supplied.header.at.contains_key(&Role::Rate) => {
                "not taken: there is a price for all hours".to_owned()
            }
            role => role.name().to_owned(),
        };
        columns.add_row([(i + 1).to_string(), column.heading.clone(), role]);
    }
    out::line(&format!("{}\n{columns}", bold("Columns")))?;
    if !supplied.rows.is_empty() {
        let mut table =
            out::table(&["line", "prefix", "destination", "rate", "fee", "steps", "from", "to"], &[0, 3, 4]);
        for row in supplied.rows.iter().take(FIRST) {
            table.add_row(cells(row));
        }
        out::line(&format!("{}\n{table}", bold("First rows")))?;
        let (least, middle, most) = prices(&supplied.rows);
        let currency = currency(outcome).unwrap_or_else(|| "currency not stated".to_owned());
        out::line(&format!(
            "rows        {}, {} prefixes, read in {} ms",
            n(supplied.rows.len()),
            n(outcome.prefixes),
            outcome.milliseconds
        ))?;
        out::line(&format!("prices      {least} to {most} per minute, middle {middle}, {currency}"))?;
        let steps = steps(&supplied.rows);
        let shown: Vec<String> =
            steps.iter().take(FIRST).map(|(steps, count)| format!("{steps} × {}", n(*count))).collect();
        out::line(&format!("steps       {}{}", shown.join(", "), if steps.len() > FIRST { ", …" } else { "" }))?;
        let asks = asks(&supplied.rows);
        if !asks.is_empty() {
            let shown: Vec<String> = asks.iter().map(|(what, count)| format!("{what} × {}", n(*count))).collect();
            out::line(&format!("only for    {}", shown.join(", ")))?;
        }
        let dates = dates(&supplied.rows);
        let shown: Vec<String> =
            dates.iter().take(FIRST).map(|(date, count)| format!("{date} × {}", n(*count))).collect();
        out::line(&format!("valid from  {}{}", shown.join(", "), if dates.len() > FIRST { ", …" } else { "" }))?;
    }
    if !supplied.texts.is_empty() {
        out::line(&format!(
            "text        {} lines are neither code nor price: {}",
            n(supplied.texts.len()),
            named(&supplied.texts, all)
        ))?;
    }
    let mut held: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    supplied.held.iter().for_each(|h| held.entry(h.why).or_default().push(h.line));
    for (why, lines) in held {
        out::line(&format!("not taken   {} rows: {why}: lines {}", n(lines.len()), named(&lines, all)))?;
    }
    let most = if all { usize::MAX } else { 40 };
    for finding in outcome.findings.iter().take(most) {
        out::line(&rates::describe(finding))?;
    }
    if outcome.findings.len() > most {
        out::line(&format!("{} more (--all shows them)", n(outcome.findings.len() - most)))?;
    }
    lines(&outcome.file, &outcome.remarks, all).iter().try_for_each(|line| out::line(line))
}

pub(super) fn end(outcome: &Outcome, written: &[String], place: &Path) -> Result<(), Exit> {
    let (errors, warnings) = (outcome.errors(), outcome.warnings());
    if errors > 0 {
        // The hints of what was asked, and not guessed, are lines of a mapping.
        let asked = outcome.findings.iter().find_map(|finding| finding.hint.split_once(" = \"").map(|(key, _)| key));
        if let Some(key) = asked.filter(|key| !key.contains(' ')) {
            out::line(&format!("answer with --set {key}=…; --save-mapping keeps it for the next deck"))?;
        }
        return out::line(&format!("refused: {errors} error(s), {warnings} warning(s); nothing is written"));
    }
    let what = if written.is_empty() {
        format!("nothing is written; --write writes {}", place.display())
    } else {
        format!("written: {}", written.join(", "))
    };
    hints(outcome, place)?;
    out::line(&format!("{warnings} warning(s); {what}"))
}

/// What the deck needs beside it.
fn hints(outcome: &Outcome, place: &Path) -> Result<(), Exit> {
    let name = place.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if let Some(currency) = currency(outcome) {
        out::line(&format!("currency    in plans.toml: [deck.{name}] currency = \"{currency}\""))?;
    }
    if outcome.supplied.rows.iter().any(|row| row.asks.band.is_some()) {
        out::line(&format!("hours       in plans.toml: [deck.{name}] timezone = \"…\", else they are those of UTC"))?;
    }
    if outcome.supplied.rows.iter().any(|row| row.interstate.is_some() || row.intrastate.is_some()) {
        out::line("states      states.csv must say in which state numbers are: prefix,state")?;
    }
    Ok(())
}

pub(super) fn json(outcome: &Outcome, written: &[String]) -> Result<(), Exit> {
    let supplied = &outcome.supplied;
    let columns: Vec<Value> = supplied
        .header
        .columns
        .iter()
        .map(|c| json!({ "heading": c.heading, "taken_for": Some(c.role.name()).filter(|n| !matches!(*n, "" | "known" | "ignore")) }))
        .collect();
    let (least, middle, most) = prices(&supplied.rows);
    let (_, counts) = judge::bounded(&outcome.remarks, 0);
    let counts: BTreeMap<&str, usize> = counts.into_iter().map(|(kind, _, count)| (kind.name(), count)).collect();
    out::json(&json!({
        "file": outcome.file,
        "sheet": outcome.sheet.as_ref().map(|(sheet, _)| sheet),
        "columns": columns,
        "rows": supplied.rows.len(),
        "prefixes": outcome.prefixes,
        "currency": currency(outcome),
        "prices": { "least": least, "middle": middle, "most": most },
        "steps": steps(&supplied.rows).into_iter().map(|(steps, rows)| json!({ "steps": steps, "rows": rows })).collect::<Vec<_>>(),
        "valid_from": dates(&supplied.rows).into_iter().map(|(from, rows)| json!({ "from": from, "rows": rows })).collect::<Vec<_>>(),
        "only_for": asks(&supplied.rows).into_iter().map(|(what, rows)| json!({ "what": what, "rows": rows })).collect::<Vec<_>>(),
        "text_lines": supplied.texts,
        "not_taken": supplied.held.iter().map(|h| json!({ "line": h.line, "why": h.why })).collect::<Vec<_>>(),
        "mapping": supplied.mapping,
        "errors": outcome.errors(),
        "warnings": outcome.warnings(),
        "findings": outcome.findings,
        "kinds": counts,
        "remarks": outcome.remarks,
        "written": written,
        "milliseconds": outcome.milliseconds,
    }))
}

fn cells(row: &SupplierRow) -> [String; 8] {
    let prefixes = match row.prefixes.as_slice() {
        [one] => one.to_string(),
        [first, .., last] => format!("{first} … {last} ({})", row.prefixes.len()),
        [] => String::new(),
    };
    let day = |day: Option<_>| day.map_or_else(String::new, |d: crate::tariff::supplier::dates::Day| d.to_string());
    [
        row.line.to_string(),
        prefixes,
        row.destination.clone(),
        price(row),
        if row.connect_fee == Money::ZERO { String::new() } else { row.connect_fee.to_string() },
        step(row),
        day(row.from),
        day(row.to),
    ]
}

/// Prices as they stand: that of a call, that of a minute, those within and between states.
fn price(row: &SupplierRow) -> String {
    if row.blocked {
        return "blocked".to_owned();
    }
    let named = |name: &str, price: Option<Money>| price.map(|price| format!("{price}{name}"));
    let all = [
        named("", row.rate),
        named(" interstate", row.interstate),
        named(" intrastate", row.intrastate),
        named(" a call", row.per_call),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What rows ask besides the number, and how many do.
fn asks(rows: &[SupplierRow]) -> Vec<(String, usize)> {
    counted(rows.iter().flat_map(|row| {
        let states = row.interstate.is_some() || row.intrastate.is_some();
        let more = [states.then_some("states"), row.per_call.map(|_| "price by the call")];
        row.asks.names().chain(more.into_iter().flatten()).map(str::to_owned)
    }))
}

fn step(row: &SupplierRow) -> String {
    match (row.initial, row.increment) {
        (Some(initial), Some(increment)) => format!("{initial}/{increment}"),
        _ => String::new(),
    }
}

fn prices(rows: &[SupplierRow]) -> (Money, Money, Money) {
    let mut all: Vec<Money> = rows.iter().flat_map(SupplierRow::rates).collect();
    all.sort_unstable();
    let at = |i: usize| all.get(i).copied().unwrap_or(Money::ZERO);
    (at(0), at(all.len() / 2), at(all.len().saturating_sub(1)))
}

/// Steps and how many rows have them, the commonest first.
fn steps(rows: &[SupplierRow]) -> Vec<(String, usize)> {
    counted(rows.iter().map(|r| if r.increment.is_none() { "the plan's".to_owned() } else { step(r) }))
}

fn dates(rows: &[SupplierRow]) -> Vec<(String, usize)> {
    counted(rows.iter().map(|r| r.from.map_or_else(|| "ever".to_owned(), |d| d.to_string())))
}

fn counted(all: impl Iterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    all.for_each(|key| *counts.entry(key).or_default() += 1);
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

fn currency(outcome: &Outcome) -> Option<String> {
    outcome.supplied.currency.map(|c| String::from_utf8_lossy(&c).into_owned())
}

fn named(lines: &[u32], all: bool) -> String {
    let most = if all { usize::MAX } else { FIRST };
    let shown: Vec<String> = lines.iter().take(most).map(u32::to_string).collect();
    format!("{}{}", shown.join(", "), if lines.len() > most { ", …" } else { "" })
}
