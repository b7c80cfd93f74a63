//! `callrated tariff try`: what another tariff would make of a month that is stored.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::side::Side;
use crate::cli::out::{self, Paint};
use crate::cli::seal::bar;
use crate::config::Config;
use crate::daemon::recover::{image_exit, store_exit};
use crate::exit::Exit;
use crate::images::Images;
use crate::os::disk::RealDisk;
use crate::period::rerate::THREADS;
use crate::period::trial::{Trial, TrialDone, TrialEarned, TrialRoute, TrialRow, TrialTotal};
use crate::period::{Progress, SealError};
use crate::store::Store;
use crate::store::sqlite::SqliteStore;
use crate::time::Period;

/// Price the stored calls of a month by another tariff, and change nothing.
///
/// Shows calls and money by account and destination as sealing would bill the month now and as it would by that tariff, and calls
/// that would no longer be rated; where plans name cost decks also what is left, and routes that would be sold below their least
/// margin (the plan's minimum_margin, else [margin] warn_below_percent, else 0). Both are rated in canonical order, each with its own allowances. Works beside a daemon:
/// what it has stored counts (its last flush).
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated tariff try --period 2026-10 --tariff new-rates\n  callrated tariff try --period 2026-10 --tariff 2d1e5223 --account acme --json"
)]
pub struct TryArguments {
    /// Which month.
    #[arg(long, value_name = "YYYY-MM")]
    period: String,
    /// A rates folder, an image, or the digest of an image that was in force.
    #[arg(long, value_name = "NEW")]
    tariff: String,
    /// Only what this account pays.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// So many rows of each table, largest movers first (default: 20; all in JSON).
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Rows of a table where nobody says how many.
const TOP: usize = 20;
/// How often to look how far it is.
const LOOK: Duration = Duration::from_millis(200);

pub fn run(config: &Config, arguments: &TryArguments) -> Result<(), Exit> {
    let period: Period = arguments
        .period
        .parse()
        .map_err(|_| Exit::usage(format!("--period {}: write YYYY-MM, such as 2026-10", arguments.period)))?;
    let side = Side::open(config, &arguments.tariff)?;
    let Some(tariff) = side.tariff() else {
        return Err(Exit::usage(format!(
            "{} is one deck: name a rates folder that has it among the others, or an image",
            arguments.tariff
        )));
    };
    if !config.store.exists() {
        return Err(Exit::usage(format!("there is no store {}: no calls to try it on", config.store.display())));
    }
    let store = SqliteStore::open_to_read(&config.store).map_err(store_exit)?;
    if let Some(name) = &arguments.account
        && store.account_named(name).map_err(store_exit)?.is_none()
    {
        return Err(Exit::faults(format!("no calls of an account {name:?} are stored")));
    }
    let environment = |e: &dyn std::fmt::Display| Exit::environment(e);
    let images = Images::open(&config.data_dir.join("images")).map_err(|e| environment(&e))?;
    let aside = std::env::temp_dir().join(format!("callrated-try-{}", std::process::id()));
    let account = arguments.account.as_deref();
    let least_margin = config.least_margin;
    let trial = Trial { store: &store, images: &images, period, tariff, account, least_margin, threads: THREADS };
    let progress = Progress::default();
    let tried = std::thread::scope(|scope| {
        let waiting = std::thread::current();
        let (trial, aside, progress) = (&trial, &aside, &progress);
        let job = scope.spawn(move || {
            let tried = trial.run(Arc::new(RealDisk), aside, progress);
            waiting.unpark();
            tried
        });
        let bar = bar();
        while !job.is_finished() {
            let (read, rated) = progress.get();
            bar.set_message(format!("{} calls read, {} legs rated again", out::grouped(read), out::grouped(rated)));
            std::thread::park_timeout(LOOK);
        }
        bar.finish_and_clear();
        job.join()
    });
    // What lies there is of no use to anybody.
    let _ = std::fs::remove_dir_all(&aside);
    let tried = match tried {
        Ok(tried) => tried.map_err(|error| match error {
            SealError::Store(error) => store_exit(error),
            SealError::Image(error) => image_exit(error),
            error => environment(&error),
        })?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    let top = arguments.top.unwrap_or(usize::MAX);
    let done = TrialDone::of(&tried, period, tariff.digest(), if arguments.json { top } else { usize::MAX });
    if arguments.json { out::json(&json!(done)) } else { print(&done, arguments.top.unwrap_or(TOP)) }
}

fn print(done: &TrialDone, top: usize) -> Result<(), Exit> {
    out::line(&format!("{} by {}", done.period, done.tariff))?;
    if done.total.is_empty() {
        return out::line("no calls of that month are stored");
    }
    let mut table =
        out::table(&["currency", "calls", "then", "before", "after", "difference", "%"], &[1, 2, 3, 4, 5, 6]);
    for total in &done.total {
        table.add_row([total.currency.clone()].into_iter().chain(cells(total)));
    }
    out::line(&table.to_string())?;
    for (count, what) in [
        (done.gained, "calls that wait now would be rated"),
        (done.waiting, "calls are rated by neither"),
        (done.fixed, "calls stand as they are: adjustments, and calls of an earlier version"),
    ] {
        if count > 0 {
            out::line(&format!("{} {what}", out::grouped(count)))?;
        }
    }
    if done.total.iter().any(|total| total.margin_before.is_some()) {
        let mut table = margins("");
        for total in &done.total {
            add_margins(&mut table, None, total);
        }
        out::line(&format!("\n{}\n{table}", out::paint("what is left", Paint::Bold)))?;
    }
    moving("account", "accounts, largest movers first", &done.accounts, top)?;
    moving("destination", "destinations, largest movers first", &done.destinations, top)?;
    if !done.below.is_empty() {
        let headings = [
            "plan",
            "carrier",
            "deck",
            "prefix",
            "destination",
            "calls",
            "currency",
            "revenue",
            "cost",
            "margin",
            "%",
            "least",
        ];
        let mut table = out::table(&headings, &[5, 7, 8, 9, 10, 11]);
        for route in done.below.iter().take(top) {
            let [calls, _, revenue, cost, margin, percent] = earned(&route.earned);
            let TrialRoute { plan, carrier, deck, prefix, destination, currency, least_percent, .. } = route.clone();
            table.add_row([
                plan,
                carrier,
                deck,
                prefix,
                destination,
                calls,
                currency,
                revenue,
                cost,
                margin,
                percent,
                least_percent,
            ]);
        }
        let heading = out::paint("would be sold below their least margin", Paint::Red);
        out::line(&format!("\n{heading}{}\n{table}", more(done.below.len(), top)))?;
    }
    if done.lost.is_empty() {
        return Ok(());
    }
    let mut table = out::table(&["prefix", "destination", "why", "calls", "currency", "cost now"], &[3, 5]);
    for lost in done.lost.iter().take(top) {
        table.add_row([
            lost.prefix.clone(),
            lost.destination.clone(),
            lost.reason.to_owned(),
            out::grouped(lost.calls),
            lost.currency.clone(),
            lost.cost_before.clone(),
        ]);
    }
    let heading = out::paint("no longer rated", Paint::Red);
    out::line(&format!("\n{heading}{}\n{table}", more(done.lost.len(), top)))
}

fn cells(total: &TrialTotal) -> [String; 6] {
    [
        out::grouped(total.calls_before),
        out::grouped(total.calls_after),
        total.cost_before.clone(),
        total.cost_after.clone(),
        total.difference.clone(),
        total.percent.clone().unwrap_or_default(),
    ]
}

/// What moves; the rest is only counted.
fn moving(name: &str, heading: &str, rows: &[TrialRow], top: usize) -> Result<(), Exit> {
    let headings = [name, "currency", "calls", "then", "before", "after", "difference", "%"];
    let mut table = out::table(&headings, &[2, 3, 4, 5, 6, 7]);
    let moving: Vec<_> = rows.iter().filter(|row| row.moves()).collect();
    let still = out::grouped((rows.len() - moving.len()) as u64);
    if moving.is_empty() {
        return out::line(&format!("\n{}: none; {still} stay as they are", out::paint(heading, Paint::Bold)));
    }
    let mut left = margins(name);
    for row in moving.iter().take(top) {
        let key = row.name().to_owned();
        table.add_row([key.clone(), row.money.currency.clone()].into_iter().chain(cells(&row.money)));
        add_margins(&mut left, Some(key), &row.money);
    }
    let (heading, more) = (out::paint(heading, Paint::Bold), more(moving.len(), top));
    out::line(&format!("\n{heading}; {still} stay as they are{more}\n{table}"))?;
    if left.row_count() > 0 { out::line(&format!("what is left of them\n{left}")) } else { Ok(()) }
}

/// A table of what is left, before and after.
fn margins(name: &str) -> comfy_table::Table {
    let headings = [name, "currency", "", "calls", "cost unknown", "revenue", "cost", "margin", "%"];
    let from = usize::from(name.is_empty());
    out::table(&headings[from..], &[3 - from, 4 - from, 5 - from, 6 - from, 7 - from, 8 - from])
}

fn add_margins(table: &mut comfy_table::Table, name: Option<String>, total: &TrialTotal) {
    for (when, side) in [("before", &total.margin_before), ("after", &total.margin_after)] {
        if let Some(side) = side {
            let names = name.iter().cloned().chain([total.currency.clone(), when.to_owned()]);
            table.add_row(names.chain(earned(side)));
        }
    }
}

fn earned(earned: &TrialEarned) -> [String; 6] {
    [
        out::grouped(earned.calls),
        out::grouped(earned.unknown),
        earned.revenue.clone(),
        earned.cost.clone(),
        earned.margin.clone(),
        earned.percent.clone().unwrap_or_default(),
    ]
}

/// What a table leaves out.
fn more(rows: usize, top: usize) -> String {
    let left = rows.saturating_sub(top);
    if left > 0 { format!(" (--top shows the other {left})") } else { String::new() }
}
