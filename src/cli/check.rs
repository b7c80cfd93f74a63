//! `callrated check`: is everything right, before it is put in force?

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};

use super::deck_import::report;
use super::out::{self, Paint};
use super::usage::this_moment;
use crate::config::{Config, ConfigError, DEFAULT_FILE};
use crate::directory::Directory;
use crate::exit::Exit;
use crate::http::auth::{self, TokensError};
use crate::ingest::radius::Clients;
use crate::money::Money;
use crate::rates::{self, NO_FOLDER_HINT, RatesError, RatesFolder};
use crate::rating;
use crate::tariff::judge::{DeckRemarks, Kind, Remark};
use crate::tariff::{Finding, PlanId, Severity, Tariff};
use crate::time::{Micros, tz_database};
use crate::tls::{self, Tls};

/// Validate configuration, plans, decks, accounts and numbers.
///
/// Every fault is printed as FILE:LINE:COLUMN with a hint. Errors end with code 1, warnings with 0. Nothing is changed,
/// and a running daemon is not disturbed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  callrated check\n  callrated check --rates rates --json")]
pub struct CheckArguments {
    /// A rates folder other than the configured one.
    #[arg(long, value_name = "DIR")]
    rates: Option<PathBuf>,
    /// Kind of error in decks that is known to be right, such as lost_point. May be repeated.
    #[arg(long, value_name = "KIND")]
    accept: Vec<String>,
    /// Name every doubtful row of a deck, not only the first of each kind.
    #[arg(long)]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What was looked at.
#[derive(Default)]
struct Summary {
    plans: usize,
    decks: usize,
    rows: u64,
    prefixes: u64,
    accounts: u64,
    numbers: u64,
    tariff: String,
    directory: String,
}

pub(super) fn run(config: Option<&Path>, arguments: CheckArguments) -> Result<(), Exit> {
    let accepted = super::deck_import::kinds(&arguments.accept)?;
    let (mut findings, summary, judged) = match Config::load(config) {
        Ok(config) => {
            let (mut findings, summary, judged) =
                folder_checked(arguments.rates.as_ref().unwrap_or(&config.rates_dir), &accepted, config.least_margin);
            findings.splice(0..0, named_files(&config));
            (findings, summary, judged)
        }
        Err(error) => (vec![config_finding(&error)], None, Vec::new()),
    };
    findings.retain(|f| !said_twice(f, &judged));
    let remarks = || judged.iter().flat_map(|file| &file.remarks);
    let severities = || findings.iter().map(|f| f.severity).chain(remarks().map(|r| r.severity));
    let errors = severities().filter(|s| *s == Severity::Error).count();
    let warnings = severities().count() - errors;
    if arguments.json {
        out::json(&as_json(&findings, &judged, summary.as_ref(), errors, warnings))?;
    } else {
        for finding in &findings {
            out::line(&coloured(finding))?;
        }
        for file in &judged {
            report::lines(&file.file, &file.remarks, arguments.all).iter().try_for_each(|line| out::line(line))?;
        }
        out::line(&sentence(summary.as_ref(), errors, warnings))?;
    }
    if errors > 0 { Err(Exit { code: 1, message: String::new() }) } else { Ok(()) }
}

/// Files that the configuration names: tokens, certificates, and RADIUS secrets.
fn named_files(config: &Config) -> Vec<Finding> {
    let file = config.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE)).display().to_string();
    let mut found = Vec::new();
    if let Some(Err(error)) = config.tokens.as_deref().map(auth::check) {
        let finding = match error {
            TokensError::Unreadable(..) => whole_file(file.clone(), error.to_string(), String::new()),
            TokensError::Wrong(path, what) => {
                let place = what.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
                let (line, what) =
                    place.and_then(|(line, rest)| Some((line.parse().ok()?, rest))).unwrap_or((0, what.as_str()));
                Finding { line, ..whole_file(path.display().to_string(), what.to_owned(), String::new()) }
            }
        };
        found.push(finding);
    }
    let doors = config.listeners.iter().map(|listen| (listen.profile.listener.as_str(), &listen.tls));
    for (door, tls) in doors.chain([("[http]", &config.http_tls)]) {
        if let Some(Err(error)) = tls.as_ref().map(Tls::open) {
            found.push(whole_file(file.clone(), format!("{door}: {error}"), String::new()));
        }
    }
    for webhook in &config.webhooks {
        if let Err(error) = webhook.signer() {
            found.push(whole_file(file.clone(), format!("[[webhook]] {}: {error}", webhook.name), String::new()));
        }
        if let Some(Err(error)) = webhook.ca.as_deref().map(|ca| tls::client(Some(ca))) {
            found.push(whole_file(file.clone(), format!("[[webhook]] {}: {error}", webhook.name), String::new()));
        }
    }
    for listen in &config.listeners {
        if let Some(radius) = &listen.radius
            && let Err(error) = Clients::open(&listen.profile.listener, radius, &listen.allow)
        {
            let message = format!("[[listen]] {}: {error}", listen.profile.listener);
            found.push(whole_file(file.clone(), message, String::new()));
        }
    }
    found
}

/// The judge says what the reader warned of, and more exactly.
pub(super) fn said_twice(finding: &Finding, judged: &[DeckRemarks]) -> bool {
    let doubt = |r: &Remark| matches!(r.kind, Kind::LostPoint | Kind::RuinedCode) && r.line == finding.line;
    let file = || judged.iter().filter(|d| d.file == finding.file);
    finding.severity == Severity::Warning && file().any(|d| d.remarks.iter().any(doubt))
}

fn folder_checked(folder: &Path, accepted: &[Kind], least: Money) -> (Vec<Finding>, Option<Summary>, Vec<DeckRemarks>) {
    let read =
        RatesFolder::read(folder).and_then(|folder| Ok((folder.compile()?, folder.judge(accepted, this_moment()))));
    let (compiled, judged) = match read {
        Ok(both) => both,
        Err(RatesError::Wrong { findings, .. }) => return (findings, None, Vec::new()),
        Err(RatesError::NoFolder(folder)) => {
            let file = folder.display().to_string();
            return (vec![whole_file(file, "is not there".to_owned(), NO_FOLDER_HINT.to_owned())], None, Vec::new());
        }
        Err(RatesError::Unreadable { folder, file, source }) => {
            let message = format!("cannot be read: {source}");
            let hint = format!("the rates folder is {}", folder.display());
            return (vec![whole_file(file, message, hint)], None, Vec::new());
        }
    };
    let mut findings = compiled.findings;
    let mut summary = Summary { rows: compiled.tariff.rows, prefixes: compiled.tariff.prefixes, ..Summary::default() };
    if let Ok(tariff) = Tariff::open(Bytes::from(compiled.tariff.image)) {
        summary.plans = tariff.plans().len();
        summary.decks = tariff.decks().count();
        summary.tariff = format!("blake3:{}", tariff.digest());
        findings.extend(margins(&tariff, least));
    }
    if let Ok(directory) = Directory::open(Bytes::from(compiled.directory)) {
        summary.accounts = u64::from(directory.accounts());
        summary.numbers = directory.numbers();
        summary.directory = format!("blake3:{}", directory.digest());
    }
    (findings, Some(summary), judged)
}

/// Plans that sell for less than they should, in a call of a minute made now.
fn margins(tariff: &Tariff, least: Money) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut warn = |message: String, hint: String| {
        found.push(Finding { severity: Severity::Warning, ..whole_file("plans.toml".to_owned(), message, hint) });
    };
    for (place, plan) in tariff.plans().iter().enumerate() {
        let (Some(buying), Ok(place)) = (plan.buying.as_deref(), u16::try_from(place)) else { continue };
        let least = buying.minimum_margin.unwrap_or(least);
        let sums = rating::sums(tariff, PlanId(place), this_moment(), Micros::seconds(60), least);
        let amount = |money: Money| money.fixed(u32::from(plan.cost_decimals));
        if let Some((prefix, revenue, cost)) = &sums.worst {
            let message = format!(
                "plan {:?}: {} of {} prefixes leave less than {least} per cent of the price, most of all {prefix}: a minute brings {} and costs {}",
                plan.name,
                sums.below,
                sums.known + sums.unknown,
                amount(*revenue),
                amount(*cost)
            );
            warn(message, format!("`callrated tariff margin {}` names them all", plan.name));
        }
        if let Some(prefix) = &sums.first_unknown {
            let message = format!(
                "plan {:?}: {} prefixes are sold that no cost deck knows, such as {prefix}",
                plan.name, sums.unknown
            );
            warn(message, "what their calls cost will not be known".to_owned());
        }
    }
    found
}

fn config_finding(error: &ConfigError) -> Finding {
    match error {
        ConfigError::Unreadable(file, source) => {
            whole_file(file.display().to_string(), format!("cannot be read: {source}"), String::new())
        }
        ConfigError::Wrong { file, place, message, hint } => {
            let (line, column) = place.map_or((0, 0), |place| (place.line, place.column));
            Finding { line, column, ..whole_file(file.display().to_string(), message.clone(), hint.clone()) }
        }
    }
}

fn whole_file(file: String, message: String, hint: String) -> Finding {
    Finding { severity: Severity::Error, file, line: 0, column: 0, message, hint }
}

fn coloured(finding: &Finding) -> String {
    let text = rates::describe(finding);
    let (word, how) = match finding.severity {
        Severity::Error => ("error", Paint::Red),
        Severity::Warning => ("warning", Paint::Yellow),
    };
    text.replacen(&format!(": {word}: "), &format!(": {}: ", out::paint(word, how)), 1)
}

fn sentence(summary: Option<&Summary>, errors: usize, warnings: usize) -> String {
    let found = match (errors, warnings) {
        (0, 0) => "no faults".to_owned(),
        (0, warnings) => format!("{warnings} warning(s)"),
        (errors, 0) => format!("{errors} error(s)"),
        (errors, warnings) => format!("{errors} error(s), {warnings} warning(s)"),
    };
    let Some(s) = summary else { return found };
    let n = out::grouped;
    format!(
        "{found}: {} plans, {} decks, {} rows, {} prefixes, {} accounts, {} numbers; time zones of {}",
        s.plans,
        s.decks,
        n(s.rows),
        n(s.prefixes),
        n(s.accounts),
        n(s.numbers),
        tz_database()
    )
}

fn as_json(
    findings: &[Finding],
    judged: &[DeckRemarks],
    summary: Option<&Summary>,
    errors: usize,
    warnings: usize,
) -> Value {
    let decks: Vec<Value> = judged.iter().map(|file| json!({ "file": file.file, "remarks": file.remarks })).collect();
    json!({
        "decks": decks,
        "errors": errors,
        "warnings": warnings,
        "findings": findings,
        "tz_database": tz_database(),
        "summary": summary.map(|s| json!({
            "plans": s.plans, "decks": s.decks, "rows": s.rows, "prefixes": s.prefixes,
            "accounts": s.accounts, "numbers": s.numbers, "tariff": s.tariff, "directory": s.directory,
        })),
    })
}
