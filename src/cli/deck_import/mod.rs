//! `callrated tariff import`: a supplier's deck, understood, judged, shown, and written as a deck of ours.
//!
//! Does not know how decks are read or judged.

pub(super) mod report;
mod workbook;

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::usage::this_moment;
use crate::exit::Exit;
use crate::number::classify;
use crate::number::countries::Countries;
use crate::os::clock::Clock;
use crate::tariff::deck::{self, Deck};
use crate::tariff::findings::Findings;
use crate::tariff::judge::{self, Kind, Remark, World};
use crate::tariff::plans::{self, Plans};
use crate::tariff::supplier::mapping::Mapping;
use crate::tariff::supplier::table::{self, Table};
use crate::tariff::supplier::write::{self, Written};
use crate::tariff::supplier::{self, Supplied};
use crate::tariff::{Finding, Severity};
use crate::time::Zone;

/// Read a supplier's deck, show what was understood, and write it into the rates folder.
///
/// Nothing is written without --write, or a yes at a terminal. A deck with an error is refused whole, and every row that
/// cannot be read is named.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated tariff import rates.xlsx --as acme-az\n  callrated tariff import rates.csv --as acme-az --set dates=dmy --save-mapping --write\n\nPlaces of the mapping, if --mapping does not say: rates/suppliers/NAME.toml."
)]
pub(super) struct DeckImportArguments {
    /// Text with any separator, or a workbook (.xlsx, .xls, .ods).
    file: PathBuf,
    /// Name of the deck: rates/decks/NAME.csv.
    #[arg(long = "as", value_name = "NAME")]
    name: String,
    /// What is known of the supplier's files.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// A line of the mapping, such as dates=dmy or columns.rate=Peak. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Sheet of a workbook (default: the first that holds anything).
    #[arg(long)]
    sheet: Option<String>,
    /// Kind of error that is known to be right, such as lost_point. May be repeated.
    #[arg(long, value_name = "KIND")]
    accept: Vec<String>,
    /// Write the deck without asking.
    #[arg(long)]
    write: bool,
    /// Keep what was found out of the supplier's files, for the next deck.
    #[arg(long)]
    save_mapping: bool,
    /// Name every row, not only the first of each kind.
    #[arg(long)]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// All that came of a file.
struct Outcome {
    file: String,
    sheet: Option<(String, Vec<String>)>,
    supplied: Supplied,
    written: Written,
    /// By the reader, and by the reader of our own decks.
    findings: Vec<Finding>,
    remarks: Vec<Remark>,
    prefixes: usize,
    milliseconds: i64,
}

impl Outcome {
    fn errors(&self) -> usize {
        self.findings.iter().filter(|f| f.severity == Severity::Error).count()
            + self.remarks.iter().filter(|r| r.severity == Severity::Error).count()
    }

    fn warnings(&self) -> usize {
        self.findings.len() + self.remarks.len() - self.errors()
    }
}

pub(super) fn run(rates: &Path, arguments: DeckImportArguments) -> Result<(), Exit> {
    let name = arguments.name.as_str();
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(sound) {
        return Err(Exit::usage(format!("--as {name}: write letters, digits, - and _")));
    }
    let kept = rates.join("suppliers").join(format!("{name}.toml"));
    let mapping = mapping(&arguments, &kept)?;
    let mut accepted = kinds(&arguments.accept)?;
    accepted.extend(kinds(&mapping.accept)?);
    let place = rates.join("decks").join(format!("{name}.csv"));
    let mut outcome = understood(rates, &arguments, &mapping, &place)?;
    judge::accept(&mut outcome.remarks, &accepted);
    outcome.remarks.sort_by_key(|r| r.severity);
    // What was accepted once need not be accepted again.
    let mut keep: Vec<String> = accepted.iter().map(|k| k.name().to_owned()).collect();
    keep.sort();
    keep.dedup();
    outcome.supplied.mapping.accept = keep;
    let sound = outcome.errors() == 0;
    if !arguments.json {
        report::show(&outcome, arguments.all)?;
    }
    let mut written = Vec::new();
    if sound && arguments.save_mapping {
        put(&kept, &outcome.supplied.mapping.text())?;
        written.push(kept.display().to_string());
    }
    if sound && (arguments.write || !arguments.json && asked(&place)?) {
        put(&place, &outcome.written.text)?;
        written.push(place.display().to_string());
    }
    if arguments.json {
        report::json(&outcome, &written)?;
    } else {
        report::end(&outcome, &written, &place)?;
    }
    if sound { Ok(()) } else { Err(Exit { code: 1, message: String::new() }) }
}

/// Kinds of remarks by their names.
pub(super) fn kinds(names: &[String]) -> Result<Vec<Kind>, Exit> {
    let named = |name: &String| {
        Kind::named(name).map_err(|hint| Exit::usage(format!("--accept {name}: no such kind ({hint})")))
    };
    names.iter().map(named).collect()
}

/// The mapping that is named or kept, and over it what the command line says.
fn mapping(arguments: &DeckImportArguments, kept: &Path) -> Result<Mapping, Exit> {
    let file = arguments.mapping.as_deref().or_else(|| kept.exists().then_some(kept));
    let (text, shown) = match file {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|e| Exit::usage(format!("{}: {e}", file.display())))?;
            (text, file.display().to_string())
        }
        None => (String::new(), "--set".to_owned()),
    };
    let wrong = |what: &str, why: &dyn std::fmt::Display| Exit::usage(format!("{what}: {why}"));
    let mut whole: toml::Table = toml::from_str(&text).map_err(|e| wrong(&shown, &e))?;
    for line in &arguments.set {
        let Some((key, value)) = line.split_once('=') else {
            return Err(wrong("--set", &format!("{line:?} is not KEY=VALUE")));
        };
        let plain = toml::from_str::<toml::Table>(&format!("{key} = {value}"));
        let quoted = || toml::from_str::<toml::Table>(&format!("{key} = {}", toml::Value::from(value.trim())));
        let said = plain.or_else(|_| quoted()).map_err(|e| wrong("--set", &e))?;
        for (key, value) in said {
            match (whole.get_mut(&key), value) {
                (Some(toml::Value::Table(there)), toml::Value::Table(new)) => there.extend(new),
                (_, value) => {
                    whole.insert(key, value);
                }
            }
        }
    }
    Mapping::parse(&whole.to_string()).map_err(|e| wrong(&shown, &e))
}

fn understood(rates: &Path, arguments: &DeckImportArguments, mapping: &Mapping, place: &Path) -> Result<Outcome, Exit> {
    let clock = Clock::wall();
    let begun = clock.running();
    let shown = arguments.file.display().to_string();
    let bytes = std::fs::read(&arguments.file).map_err(|e| Exit::usage(format!("{shown}: {e}")))?;
    let mut findings = Findings::new(shown.clone());
    let extension = arguments.file.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let (table, sheet) = if matches!(extension.as_str(), "xlsx" | "xlsm" | "xlsb" | "xls" | "ods") {
        let read = workbook::read(bytes, arguments.sheet.as_deref());
        let (table, sheet, others) = read.map_err(|e| Exit::faults(format!("{shown}: {e}")))?;
        (table, Some((sheet, others)))
    } else {
        (read_text(&bytes, mapping, &mut findings), None)
    };
    let supplied = supplier::understand(&table, mapping, &mut findings);
    let refused = findings.refused();
    let mut outcome = Outcome {
        file: shown,
        sheet,
        written: write::deck(&supplied.rows),
        prefixes: supplied.rows.iter().map(|r| r.prefixes.len()).sum(),
        supplied,
        findings: findings.finish(),
        remarks: Vec::new(),
        milliseconds: 0,
    };
    if !refused {
        judged(rates, place, &mut outcome)?;
    }
    outcome.milliseconds = (clock.running().0 - begun.0) / 1000;
    Ok(outcome)
}

fn read_text(bytes: &[u8], mapping: &Mapping, findings: &mut Findings) -> Table {
    table::read(bytes, mapping.separator.and_then(|c| u8::try_from(c).ok()), findings)
}

/// What will be written is read as the daemon will read it, and judged; places are those in the supplier's file.
fn judged(rates: &Path, place: &Path, outcome: &mut Outcome) -> Result<(), Exit> {
    let name = place.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    // What is wrong there is `check`'s to tell.
    let plans = std::fs::read(rates.join("plans.toml")).unwrap_or_default();
    let plans = plans::read(&plans, &mut Findings::new(""));
    let zone = zone_of(&plans, name);
    let mut again = Findings::new(outcome.file.clone());
    let mut deck = read_deck(outcome.written.text.as_bytes(), &zone, &mut again);
    let source = |line| outcome.written.source(line);
    deck.rows.iter_mut().for_each(|row| row.line = source(row.line));
    let mut again = again.finish();
    for finding in &mut again {
        (finding.line, finding.column) = (source(finding.line), 0);
        // Lines of the deck that will be written mean nothing to whoever looks at the supplier's.
        if let Some((front, line)) = finding.message.rsplit_once(" line ")
            && let Some((line, rest)) = line.split_once(' ').or(Some((line, "")))
            && let Ok(line) = line.parse::<u32>()
        {
            finding.message = format!("{front} line {} {rest}", source(line)).trim_end().to_owned();
        }
    }
    let text = |file: &str| {
        let path = rates.join(file);
        std::fs::read_to_string(&path).map_err(|e| Exit::usage(format!("{}: {e}", path.display())))
    };
    let countries =
        Countries::parse(&text("countries.toml")?).map_err(|e| Exit::faults(format!("countries.toml: {e}")))?;
    let plan = classify::parse(&text("numbering.csv")?).map_err(|e| Exit::faults(format!("numbering.csv: {e}")))?;
    let world = World::new(&countries, &plan);
    let before = kept_deck(place, &zone);
    let mut remarks = judge::deck(&deck, &world, before.as_ref());
    remarks.extend(judge::coverage(&[&deck], &world, &[]));
    remarks.extend(uncovered(rates, &plans, (name, &deck, before.as_ref()), &world));
    let judged_already = |f: &Finding| {
        f.severity == Severity::Warning && remarks.iter().any(|r| r.line == f.line && r.severity == Severity::Error)
    };
    again.retain(|f| !judged_already(f));
    outcome.findings.extend(again);
    outcome.remarks = remarks;
    Ok(())
}

/// What the deck leaves without a row for a time, beside the other decks of the plans that name it.
fn uncovered(
    rates: &Path,
    plans: &Plans,
    (name, deck, before): (&str, &Deck, Option<&Deck>),
    world: &World<'_>,
) -> Vec<Remark> {
    let now = this_moment();
    let using = || plans.plans.iter().filter(|plan| plan.decks.iter().any(|(own, _)| own == name));
    if using().next().is_none() {
        let alone = judge::uncovered(&[deck], world, &[], now, before);
        return alone.into_iter().map(|(_, remark)| remark).collect();
    }
    let others: BTreeSet<&str> = using().flat_map(|plan| &plan.decks).map(|(other, _)| other.as_str()).collect();
    let read = |other: &&str| kept_deck(&rates.join("decks").join(format!("{other}.csv")), &zone_of(plans, other));
    let others: Vec<(&str, Deck)> =
        others.into_iter().filter(|other| *other != name).filter_map(|other| Some((other, read(&other)?))).collect();
    let decks: Vec<(&str, &Deck)> = others.iter().map(|(other, deck)| (*other, deck)).chain([(name, deck)]).collect();
    let found = judge::in_plans(plans, &decks, world, now, Some((name, before)));
    found.into_iter().map(|(_, remark)| remark).collect()
}

/// The zone in which the dates of a deck are meant.
fn zone_of(plans: &Plans, name: &str) -> Zone {
    plans.decks.iter().find(|deck| deck.name == name).map_or(Zone::UTC, |deck| deck.zone.clone())
}

/// A deck that is in the rates folder already, as far as it can be read.
fn kept_deck(place: &Path, zone: &Zone) -> Option<Deck> {
    std::fs::read(place).ok().map(|bytes| read_deck(&bytes, zone, &mut Findings::new("")))
}

fn read_deck(bytes: &[u8], zone: &Zone, findings: &mut Findings) -> Deck {
    deck::read(bytes, zone, &|_, _| None, findings)
}

/// Whether somebody at a terminal says yes; without one, no.
fn asked(place: &Path) -> Result<bool, Exit> {
    let (input, mut output) = (std::io::stdin(), std::io::stderr());
    if !input.is_terminal() || !output.is_terminal() {
        return Ok(false);
    }
    let failed = |e: std::io::Error| Exit::environment(format!("the terminal gave out: {e}"));
    write!(output, "Write {}? [y/N] ", place.display()).and_then(|()| output.flush()).map_err(failed)?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Writes a file whole: the running daemon looks at the folder, and must not see half of a deck.
pub(super) fn put(place: &Path, text: &str) -> Result<(), Exit> {
    let failed = |e: std::io::Error| Exit::environment(format!("{}: {e}", place.display()));
    let folder = place.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    // A name that begins with a point is no deck.
    let new = folder.join(format!(".{}.new", place.file_name().and_then(|n| n.to_str()).unwrap_or("deck")));
    std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, place)).map_err(failed)
}
