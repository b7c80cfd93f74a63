//! `callrated tariff convert`: other software's tariff as decks and plans of ours, with a report of what they cannot say.
//!
//! Does not know how tariffs are read or converted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::deck_import::{kinds, put, report};
use super::out::{self, Paint};
use super::usage::this_moment;
use crate::exit::Exit;
use crate::number::Number;
use crate::number::countries::Countries;
use crate::rates;
use crate::tariff::convert::{self, Converted, FILES, Lost, Product, Wishes};
use crate::tariff::judge::{self, DeckRemarks};
use crate::tariff::{Finding, RatesText, Severity, compile};

/// Convert another software's tariff into decks and plans, and say what has no counterpart.
///
/// A price is converted exactly or not at all: where a deck cannot say it, its row is blocked, and calls there wait in
/// suspense. What rounding, caps and special days do otherwise is listed. Nothing is written without --write, no file is overwritten without --force. What will be written is compiled
/// and judged first, as `check` does.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated tariff convert --from cgrates /etc/cgrates/tariffplans/mine --country DE --currency EUR\n  callrated tariff convert --from cgrates tariffplan --country US --currency USD --timezone America/New_York --to rates --write\n  callrated tariff convert --from a2billing ratecard.csv --country DE --currency EUR"
)]
pub(super) struct ConvertArguments {
    /// Whose tariff it is.
    #[arg(long, value_enum)]
    from: Source,
    /// CGRateS: the folder of Destinations.csv, Timings.csv, Rates.csv, DestinationRates.csv, RatingPlans.csv and
    /// RatingProfiles.csv. ASTPP and A2Billing: exported rates, a deck and a plan of each file.
    #[arg(required = true, value_name = "FOLDER|FILE")]
    sources: Vec<PathBuf>,
    /// Rates folder to write into (default: the configured one). Its countries.toml and numbering.csv are asked.
    #[arg(long, value_name = "RATES_FOLDER")]
    to: Option<PathBuf>,
    /// Country of the plans, ISO 3166: DE.
    #[arg(long)]
    country: String,
    /// Currency of the prices, ISO 4217: EUR.
    #[arg(long)]
    currency: String,
    /// Whose clocks dates and times of day follow: default_timezone of the CGRateS configuration.
    #[arg(long, default_value = "UTC")]
    timezone: String,
    /// Category of the CGRateS profiles to convert.
    #[arg(long, default_value = "call")]
    category: String,
    /// Kind of error in decks that is known to be right, such as lost_point. May be repeated.
    #[arg(long, value_name = "KIND")]
    accept: Vec<String>,
    /// Write decks/NAME.csv for each plan, and plans.toml; plans.SOURCE.toml where there is a plans.toml.
    #[arg(long)]
    write: bool,
    /// Overwrite decks that are there.
    #[arg(long)]
    force: bool,
    /// Name every row, not only the first of each kind.
    #[arg(long)]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Source {
    Cgrates,
    Astpp,
    A2billing,
}

/// Rows named of one loss, unless all are asked for.
const FIRST: usize = 8;

pub(super) fn run(configured: &Path, arguments: ConvertArguments) -> Result<(), Exit> {
    let rates = arguments.to.as_deref().unwrap_or(configured);
    let accepted = kinds(&arguments.accept)?;
    let countries = Countries::parse(&String::from_utf8_lossy(&asked(rates, "countries.toml")?))
        .map_err(|e| Exit::faults(format!("countries.toml: {e}")))?;
    // A number of three digits tells its calling code.
    let numbers = (100..1000_u16).filter_map(|number| Number::from_digits(number.to_string().as_bytes()));
    let codes: BTreeSet<u16> = numbers.filter_map(|number| Some(countries.calling_code(number)?.0)).collect();
    let wishes = Wishes {
        calling_codes: codes.iter().filter_map(|code| Number::from_digits(code.to_string().as_bytes())).collect(),
        country: arguments.country.clone(),
        currency: arguments.currency.clone(),
        timezone: arguments.timezone.clone(),
        category: arguments.category.clone(),
    };
    let mut converted = match (arguments.from, arguments.sources.as_slice()) {
        (Source::Cgrates, [folder]) => convert::cgrates(&read(folder)?, &wishes),
        (Source::Cgrates, _) => return Err(Exit::usage("--from cgrates: name one folder")),
        (Source::Astpp, files) => convert::exports(Product::Astpp, &exported(files)?, &wishes),
        (Source::A2billing, files) => convert::exports(Product::A2billing, &exported(files)?, &wishes),
    };
    let errors = |findings: &[Finding]| findings.iter().filter(|f| f.severity == Severity::Error).count();
    let mut judged = Vec::new();
    if errors(&converted.findings) == 0 {
        judged = compiled(rates, &mut converted, &accepted)?;
    }
    let remarks = || judged.iter().flat_map(|deck| &deck.remarks);
    let wrong = errors(&converted.findings) + remarks().filter(|r| r.severity == Severity::Error).count();
    let places = places(rates, &converted, arguments.from);
    let mut written = Vec::new();
    if wrong == 0 && arguments.write {
        if let Some((there, _)) = places.iter().find(|(place, _)| !arguments.force && place.exists()) {
            return Err(Exit::usage(format!("{} is there; --force overwrites it", there.display())));
        }
        for (place, text) in &places {
            put(place, text)?;
            written.push(place.display().to_string());
        }
    }
    if arguments.json {
        let judged: Vec<_> = judged.iter().map(|d| json!({ "file": d.file, "remarks": d.remarks })).collect();
        out::json(&json!({
            "rows": converted.rows,
            "plans": converted.plans,
            "no_counterpart": converted.lost,
            "findings": converted.findings,
            "remarks": judged,
            "errors": wrong,
            "toml": converted.toml,
            "written": written,
        }))?;
    } else {
        show(&converted, &judged, arguments.all)?;
        let would: Vec<String> = places.iter().map(|(place, _)| place.display().to_string()).collect();
        out::line(&match (wrong, written.is_empty()) {
            (0, true) => format!("nothing is written; --write writes {}", would.join(", ")),
            (0, false) => format!("written: {}", written.join(", ")),
            _ => format!("refused: {wrong} error(s); nothing is written"),
        })?;
        // No mapping belongs to what a product exports.
        if converted.findings.iter().any(|finding| finding.hint.contains("mapping")) {
            out::line(
                "a deck with other headings or increments: callrated tariff import FILE --as NAME takes a mapping",
            )?;
        }
        if let Some((place, _)) = places.last().filter(|(place, _)| !written.is_empty() && !place.ends_with(PLANS)) {
            out::line(&format!("put {} into force: append it to {}", place.display(), rates.join(PLANS).display()))?;
        }
    }
    if wrong == 0 { Ok(()) } else { Err(Exit { code: 1, message: String::new() }) }
}

fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Exit> {
    let failed = |path: &Path, e: std::io::Error| Exit::usage(format!("{}: {e}", path.display()));
    std::fs::read_dir(folder).map_err(|e| failed(folder, e))?;
    let mut files = BTreeMap::new();
    for name in FILES {
        let path = folder.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => drop(files.insert(name.to_owned(), bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(failed(&path, e)),
        }
    }
    Ok(files)
}

/// Exported files by their names.
fn exported(paths: &[PathBuf]) -> Result<Vec<(String, Vec<u8>)>, Exit> {
    let read = |path: &PathBuf| {
        let bytes = std::fs::read(path).map_err(|e| Exit::usage(format!("{}: {e}", path.display())))?;
        Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes))
    };
    paths.iter().map(read).collect()
}

/// A file that every rates folder has.
fn asked(rates: &Path, file: &str) -> Result<Vec<u8>, Exit> {
    let path = rates.join(file);
    std::fs::read(&path)
        .map_err(|e| Exit::usage(format!("{}: {e}; --to names a rates folder, which has it", path.display())))
}

/// What will be written, as the daemon will read it: its findings are added, what the judge says of each deck is given.
fn compiled(rates: &Path, converted: &mut Converted, accepted: &[judge::Kind]) -> Result<Vec<DeckRemarks>, Exit> {
    let text = RatesText {
        countries: asked(rates, "countries.toml")?,
        numbering: asked(rates, "numbering.csv")?,
        plans: converted.toml.clone().into_bytes(),
        decks: converted.plans.iter().map(|plan| (plan.name.clone(), plan.deck.clone().into_bytes())).collect(),
        ..RatesText::default()
    };
    converted.findings.extend(match compile(&text) {
        Ok(compiled) => compiled.findings,
        Err(findings) => findings,
    });
    Ok(judge::folder(&text, this_moment(), &|_| accepted.to_vec()))
}

const PLANS: &str = "plans.toml";

/// What is written where; the plans come last.
fn places(rates: &Path, converted: &Converted, from: Source) -> Vec<(PathBuf, String)> {
    let decks = converted.plans.iter();
    let mut places: Vec<(PathBuf, String)> =
        decks.map(|plan| (rates.join("decks").join(format!("{}.csv", plan.name)), plan.deck.clone())).collect();
    // Somebody's plans are never written over: his accounts name them.
    let beside = match from {
        Source::Cgrates => "plans.cgrates.toml",
        Source::Astpp => "plans.astpp.toml",
        Source::A2billing => "plans.a2billing.toml",
    };
    let plans = if rates.join(PLANS).exists() { beside } else { PLANS };
    places.push((rates.join(plans), converted.toml.clone()));
    places
}

fn show(converted: &Converted, judged: &[DeckRemarks], all: bool) -> Result<(), Exit> {
    let n = |count: usize| out::grouped(count as u64);
    let rows: Vec<String> = converted.rows.iter().map(|(file, rows)| format!("{file} {}", n(*rows))).collect();
    out::line(&format!("rows read   {}", rows.join(", ")))?;
    if !converted.plans.is_empty() {
        let mut table = out::table(&["plan", "rating plans", "subjects", "prefixes", "rows", "blocked"], &[3, 4, 5]);
        for plan in &converted.plans {
            table.add_row([
                plan.name.clone(),
                plan.from.join(", then "),
                n(plan.subjects.len()),
                n(plan.prefixes),
                n(plan.rows),
                n(plan.blocked),
            ]);
        }
        out::line(&table.to_string())?;
    }
    if !converted.lost.is_empty() {
        out::line(&out::paint("No counterpart", Paint::Bold))?;
        converted.lost.iter().try_for_each(|lost| out::line(&lost_line(lost, all)))?;
    }
    converted.findings.iter().try_for_each(|finding| out::line(&rates::describe(finding)))?;
    for deck in judged {
        report::lines(&deck.file, &deck.remarks, all).iter().try_for_each(|line| out::line(line))?;
    }
    Ok(())
}

fn lost_line(lost: &Lost, all: bool) -> String {
    let most = if all { usize::MAX } else { FIRST };
    let mut lines: Vec<String> = lost.lines.iter().take(most).map(u32::to_string).collect();
    if lost.lines.len() > most {
        lines.push(format!("… ({} rows)", out::grouped(lost.lines.len() as u64)));
    }
    format!("{}:{}: {}: {}", lost.file, lines.join(","), lost.what, lost.why)
}
