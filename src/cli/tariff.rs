//! `callrated tariff`: compile a rates folder, look into what came of it, and change what is in force.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

mod diff;
mod history;
mod margin;
mod side;
mod trial;

use super::check::said_twice;
use super::deck_import::report;
use super::out;
use super::usage::this_moment;
use crate::config::Config;
use crate::directory::Directory;
use crate::exit::Exit;
use crate::money::Money;
use crate::number::Number;
use crate::os::clock::Clock;
use crate::rates::{self, RatesError, RatesFolder};
use crate::tariff::judge::{DeckRemarks, Kind};
use crate::tariff::{Allowance, Overage, Plan, PlanId, Row, Severity, Side, Tariff};
use crate::time::{Timestamp, parse_rfc3339};

/// Compile the rates folder, look into it, compare it with others, try it on a month, and go back to an earlier one.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated tariff compile\n  callrated tariff show de-business --number +551198765432"
)]
pub struct TariffArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Compile the rates folder to an image and say what is in it.
    #[command(after_help = "Example:\n  callrated tariff compile --out /tmp/tariff.image")]
    Compile {
        /// Write the tariff's image to this file.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Kind of error in decks that is known to be right, such as lost_point. May be repeated.
        #[arg(long, value_name = "KIND")]
        accept: Vec<String>,
        /// Name every doubtful row of a deck, not only the first of each kind.
        #[arg(long)]
        all: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    #[allow(missing_docs)]
    Import(super::deck_import::DeckImportArguments),
    #[allow(missing_docs)]
    Convert(super::convert::ConvertArguments),
    #[allow(missing_docs)]
    Diff(diff::DiffArguments),
    #[allow(missing_docs)]
    Margin(margin::MarginArguments),
    #[allow(missing_docs)]
    Try(trial::TryArguments),
    #[allow(missing_docs)]
    History(history::HistoryArguments),
    #[allow(missing_docs)]
    Activate(history::ActivateArguments),
    /// Show plans, decks, and which row prices a number.
    #[command(
        after_help = "Examples:\n  callrated tariff show\n  callrated tariff show de-business --number +551198765432 --at 2026-10-05T09:00:00Z"
    )]
    Show {
        /// Only this plan.
        plan: Option<String>,
        /// Which row prices this number: E.164, such as +551198765432.
        #[arg(long)]
        number: Option<String>,
        /// For a call answered then, RFC 3339 (default: now).
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// An image that was compiled before (default: the rates folder).
        #[arg(long, value_name = "FILE")]
        image: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(config: &Config, arguments: TariffArguments) -> Result<(), Exit> {
    match arguments.what {
        What::Compile { out, accept, all, json } => {
            let judged = judged(&config.rates_dir, &super::deck_import::kinds(&accept)?, all)?;
            compile(&config.rates_dir, out.as_deref(), &judged, json)
        }
        What::Import(arguments) => super::deck_import::run(&config.rates_dir, arguments),
        What::Convert(arguments) => super::convert::run(&config.rates_dir, arguments),
        What::Diff(arguments) => diff::run(config, &arguments),
        What::Margin(arguments) => margin::run(config, &arguments),
        What::Try(arguments) => trial::run(config, &arguments),
        What::History(arguments) => super::runtime()?.block_on(history::history(config, &arguments)),
        What::Activate(arguments) => super::runtime()?.block_on(history::activate(config, &arguments)),
        What::Show { plan, number, at, image, json } => {
            let tariff = match image {
                Some(file) => opened(&file)?,
                None => opened_image(compiled(&config.rates_dir)?.tariff.image)?,
            };
            show(&tariff, plan.as_deref(), number.as_deref(), at.as_deref(), json)
        }
    }
}

fn opened(file: &Path) -> Result<Tariff, Exit> {
    let bytes = std::fs::read(file).map_err(|e| Exit::environment(format!("{}: {e}", file.display())))?;
    Tariff::open(Bytes::from(bytes)).map_err(|e| Exit::damaged(format!("{} is {e}", file.display())))
}

fn opened_image(image: Vec<u8>) -> Result<Tariff, Exit> {
    Tariff::open(Bytes::from(image)).map_err(|e| Exit::damaged(format!("the image is {e}")))
}

/// The folder's images; where it is wrong, every finding on standard error.
pub(super) fn compiled(folder: &Path) -> Result<rates::CompiledRates, Exit> {
    let outcome = RatesFolder::read(folder).and_then(|folder| folder.compile());
    outcome.map_err(|error| match &error {
        RatesError::Wrong { findings, .. } => {
            for finding in findings {
                eprintln!("{}", rates::describe(finding));
            }
            Exit::faults(error)
        }
        RatesError::NoFolder(_) | RatesError::Unreadable { .. } => Exit::usage(error),
    })
}

/// What the judge says of the folder's decks, on standard error; errors end here. A folder that does not compile is left
/// to the compiler, which says why.
fn judged(folder: &Path, accepted: &[Kind], all: bool) -> Result<Vec<DeckRemarks>, Exit> {
    let Ok(read) = RatesFolder::read(folder) else { return Ok(Vec::new()) };
    let judged = read.judge(accepted, this_moment());
    for file in &judged {
        report::lines(&file.file, &file.remarks, all).iter().for_each(|line| eprintln!("{line}"));
    }
    let errors = judged.iter().flat_map(|f| &f.remarks).filter(|r| r.severity == Severity::Error).count();
    if errors > 0 {
        return Err(Exit::faults(format!(
            "{errors} error(s) in decks; --accept KIND takes a kind that is known to be right"
        )));
    }
    Ok(judged)
}

fn compile(folder: &Path, file: Option<&Path>, judged: &[DeckRemarks], json: bool) -> Result<(), Exit> {
    let clock = Clock::wall();
    let begun = clock.running();
    let compiled = compiled(folder)?;
    let milliseconds = (clock.running().0 - begun.0) / 1000;
    let bad = |e| Exit::damaged(format!("the image that was compiled is {e}"));
    let tariff = Tariff::open(Bytes::copy_from_slice(&compiled.tariff.image)).map_err(bad)?;
    let directory = Directory::open(Bytes::copy_from_slice(&compiled.directory)).map_err(bad)?;
    if let Some(file) = file {
        std::fs::write(file, &compiled.tariff.image)
            .map_err(|e| Exit::environment(format!("{}: {e}", file.display())))?;
    }
    if json {
        return out::json(&json!({
            "tariff": format!("blake3:{}", tariff.digest()),
            "bytes": compiled.tariff.image.len(),
            "plans": tariff.plans().len(),
            "decks": tariff.decks().count(),
            "rows": compiled.tariff.rows,
            "prefixes": compiled.tariff.prefixes,
            "directory": format!("blake3:{}", directory.digest()),
            "directory_bytes": compiled.directory.len(),
            "accounts": directory.accounts(),
            "numbers": directory.numbers(),
            "warnings": compiled.findings.len() + judged.iter().map(|f| f.remarks.len()).sum::<usize>(),
            "milliseconds": milliseconds,
        }));
    }
    for finding in compiled.findings.iter().filter(|f| !said_twice(f, judged)) {
        eprintln!("{}", rates::describe(finding));
    }
    let n = out::grouped;
    out::line(&format!(
        "tariff     blake3:{}\n           {}, {} plans, {} decks, {} rows, {} prefixes",
        tariff.digest(),
        out::size(compiled.tariff.image.len() as u64),
        tariff.plans().len(),
        tariff.decks().count(),
        n(compiled.tariff.rows),
        n(compiled.tariff.prefixes)
    ))?;
    out::line(&format!(
        "directory  blake3:{}\n           {}, {} accounts, {} numbers",
        directory.digest(),
        out::size(compiled.directory.len() as u64),
        n(u64::from(directory.accounts())),
        n(directory.numbers())
    ))?;
    out::line(&format!("compiled in {milliseconds} ms"))
}

fn show(tariff: &Tariff, plan: Option<&str>, number: Option<&str>, at: Option<&str>, json: bool) -> Result<(), Exit> {
    let at = match at {
        None => this_moment(),
        Some(text) => parse_rfc3339(text.as_bytes())
            .ok_or_else(|| Exit::usage(format!("--at {text}: write RFC 3339, such as 2026-10-05T09:00:00Z")))?,
    };
    let number = number.map(e164).transpose()?;
    let plans: Vec<PlanId> = match plan {
        Some(name) => vec![tariff.plan_named(name).ok_or_else(|| {
            let known: Vec<&str> = tariff.plans().iter().map(|p| p.name.as_str()).collect();
            Exit::faults(format!("there is no plan {name:?}; there are {}", known.join(", ")))
        })?],
        None => (0..tariff.plans().len()).filter_map(|i| u16::try_from(i).ok()).map(PlanId).collect(),
    };
    let rows = |id: PlanId| {
        let Some(number) = number else { return Vec::new() };
        let sides = [("outbound", Side::Outbound), ("inbound", Side::Inbound)];
        sides.into_iter().filter_map(|(name, side)| Some((name, tariff.lookup(id, side, number, at)?))).collect()
    };
    if json {
        let plans: Vec<Value> = plans.iter().map(|id| plan_json(tariff, *id, &rows(*id))).collect();
        let class = number.map(|n| tariff.classify(n));
        return out::json(&json!({
            "tariff": format!("blake3:{}", tariff.digest()),
            "decks": tariff.decks().collect::<Vec<_>>(),
            "rows": tariff.row_count(),
            "prefixes": tariff.prefixes(),
            "number": number.map(|n| format!("+{n}")),
            "country": class.map(|c| c.country.to_string()),
            "type": class.map(|c| c.kind.name()),
            "plans": plans,
        }));
    }
    let n = out::grouped;
    out::line(&format!(
        "blake3:{}: {} rows, {} prefixes",
        tariff.digest(),
        n(u64::from(tariff.row_count())),
        n(tariff.prefixes())
    ))?;
    let Some(number) = number else { return plan_table(tariff, &plans) };
    let class = tariff.classify(number);
    out::line(&format!("+{number} is {} {}; answered {at}:", class.country, class.kind.name()))?;
    let mut table = out::table(
        &["plan", "side", "prefix", "deck", "destination", "rate", "fee", "steps", "call type", "valid", "only"],
        &[5, 6],
    );
    for id in plans {
        for (side, row) in rows(id) {
            table.add_row([
                tariff.plan(id).name.clone(),
                side.to_owned(),
                row.prefix.to_string(),
                row.deck.to_owned(),
                row.destination.to_owned(),
                if row.blocked { "blocked".to_owned() } else { row.price.rate.fixed(0) },
                if row.price.connect_fee == Money::ZERO { String::new() } else { row.price.connect_fee.fixed(0) },
                row.steps.map_or_else(String::new, |s| format!("{} {}/{}", s.mode, s.initial, s.increment)),
                row.call_type.map_or("", |t| t.name()).to_owned(),
                validity(&row),
                tariff.condition_words(&row).unwrap_or_default(),
            ]);
        }
    }
    if table.row_count() == 0 {
        return out::line("no row prices it");
    }
    out::line(&table.to_string())
}

fn plan_table(tariff: &Tariff, plans: &[PlanId]) -> Result<(), Exit> {
    let mut table =
        out::table(&["plan", "country", "currency", "minutes", "overage", "steps", "decks", "inbound"], &[3, 4]);
    for id in plans {
        let plan = tariff.plan(*id);
        table.add_row([
            plan.name.clone(),
            plan.country.to_string(),
            String::from_utf8_lossy(&plan.currency).into_owned(),
            minutes(plan),
            overage(plan),
            plan.steps.map_or_else(|| "country".to_owned(), |s| format!("{} {}/{}", s.mode, s.initial, s.increment)),
            plan.decks.join(", "),
            plan.inbound_decks.join(", "),
        ]);
    }
    out::line(&table.to_string())
}

fn plan_json(tariff: &Tariff, id: PlanId, rows: &[(&str, Row<'_>)]) -> Value {
    let plan = tariff.plan(id);
    let mut shown = json!({
        "plan": plan.name,
        "country": plan.country.as_str(),
        "currency": String::from_utf8_lossy(&plan.currency),
        "included_minutes": minutes(plan),
        "overage": overage(plan),
        "decks": plan.decks,
        "inbound_decks": plan.inbound_decks,
    });
    for (side, row) in rows {
        shown[*side] = json!({
            "prefix": row.prefix.to_string(),
            "deck": row.deck,
            "destination": row.destination,
            "call_type": row.call_type.map(|t| t.name()),
            "rate": row.price.rate.fixed(0),
            "connect_fee": row.price.connect_fee.fixed(0),
            "blocked": row.blocked,
            "steps": row.steps.map(|s| json!({
                "mode": s.mode.name(), "initial": s.initial, "increment": s.increment, "minimum": s.minimum,
            })),
            "valid_from": row.valid_from.map(|t| t.to_string()),
            "valid_to": row.valid_to.map(|t| t.to_string()),
            "only": tariff.condition_words(row),
        });
    }
    shown
}

fn minutes(plan: &Plan) -> String {
    match plan.allowance {
        Allowance::Unlimited => "unlimited".to_owned(),
        Allowance::Seconds(seconds) => crate::rating::billable_minutes(i64::try_from(seconds).unwrap_or(i64::MAX)),
    }
}

fn overage(plan: &Plan) -> String {
    match plan.overage {
        Overage::Rate(rate) => rate.fixed(0),
        Overage::Deck => "deck".to_owned(),
    }
}

fn validity(row: &Row<'_>) -> String {
    let day = |t: Timestamp| t.to_string();
    match (row.valid_from, row.valid_to) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("from {}", day(from)),
        (None, Some(to)) => format!("before {}", day(to)),
        (Some(from), Some(to)) => format!("{} to {}", day(from), day(to)),
    }
}

/// `+49 30 123`, `004930123`, `4930123`.
fn e164(text: &str) -> Result<Number, Exit> {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
    let digits = digits.strip_prefix('+').or_else(|| digits.strip_prefix("00")).unwrap_or(&digits);
    let number = if digits.starts_with('0') { None } else { Number::from_digits(digits.as_bytes()) };
    number.ok_or_else(|| Exit::usage(format!("--number {text}: write E.164, such as +551198765432")))
}
