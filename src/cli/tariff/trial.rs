//! `callrated tariff try`: what another tariff would make of a month that is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::diff::percent;
use super::side::Side;
use crate::cli::out::{self, Paint};
use crate::cli::seal::bar;
use crate::config::Config;
use crate::daemon::recover::{image_exit, store_exit};
use crate::exit::Exit;
use crate::flush::Spill;
use crate::images::Images;
use crate::money::{Money, Sum};
use crate::os::disk::RealDisk;
use crate::period::rerate::THREADS;
use crate::period::trial::{Both, Currency, Trial, Tried};
use crate::period::{Progress, SealError};
use crate::store::Store;
use crate::store::sqlite::SqliteStore;
use crate::tariff::diff;
use crate::time::Period;

/// Price the stored calls of a month by another tariff, and change nothing.
///
/// Shows calls and money by account and destination as sealing would bill the month now and as it would by that tariff, and calls
/// that would no longer be rated. Both are rated in canonical order, each with its own allowances. Works beside a daemon:
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
    let mut spill = Spill::open(Arc::new(RealDisk), &aside).map_err(|e| environment(&e))?;
    let account = arguments.account.as_deref();
    let trial = Trial { store: &store, images: &images, period, tariff, account, threads: THREADS };
    let progress = Progress::default();
    let tried = std::thread::scope(|scope| {
        let waiting = std::thread::current();
        let (trial, spill, progress) = (&trial, &mut spill, &progress);
        let job = scope.spawn(move || {
            let tried = trial.run(spill, progress);
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
    let shown = Shown { tried: &tried, digest: tariff.digest(), arguments };
    if arguments.json { shown.json() } else { shown.print() }
}

struct Shown<'a> {
    tried: &'a Tried,
    digest: &'a str,
    arguments: &'a TryArguments,
}

/// Rows of a table, by name and currency.
type Rows = BTreeMap<(String, Currency), Both>;

fn named(currency: Currency) -> String {
    String::from_utf8_lossy(&currency).into_owned()
}

fn difference(both: &Both) -> Sum {
    Sum(both.after.cost.0 - both.before.cost.0)
}

/// In per cent, with its sign; none from nothing.
fn by(both: &Both) -> Option<String> {
    let money = |sum: Sum| i64::try_from(sum.0 / 1000).map(Money).ok();
    diff::hundredths(money(both.before.cost)?, money(both.after.cost)?).map(percent)
}

/// Those that move most first.
fn ranked(rows: &Rows) -> Vec<(&(String, Currency), &Both)> {
    let mut ranked: Vec<_> = rows.iter().collect();
    ranked.sort_by_key(|(_, both)| std::cmp::Reverse(difference(both).0.unsigned_abs()));
    ranked
}

impl Shown<'_> {
    fn money(&self, sum: Sum, currency: Currency) -> String {
        sum.fixed(u32::from(self.tried.decimals.get(&currency).copied().unwrap_or(2)))
    }

    fn both(&self, both: &Both, currency: Currency) -> Value {
        json!({
            "currency": named(currency),
            "calls_before": both.before.calls,
            "calls_after": both.after.calls,
            "cost_before": self.money(both.before.cost, currency),
            "cost_after": self.money(both.after.cost, currency),
            "difference": self.money(difference(both), currency),
            "percent": by(both),
        })
    }

    fn json(&self) -> Result<(), Exit> {
        let top = self.arguments.top.unwrap_or(usize::MAX);
        let rows = |name: &str, rows: &Rows| -> Vec<Value> {
            let shown = ranked(rows).into_iter().take(top).map(|((key, currency), both)| {
                let mut row = self.both(both, *currency);
                row[name] = json!(key);
                row
            });
            shown.collect()
        };
        let lost = self.tried.lost.iter().map(|(loss, billed)| {
            json!({
                "prefix": loss.prefix,
                "destination": loss.destination,
                "reason": loss.reason.name(),
                "calls": billed.calls,
                "currency": named(loss.currency),
                "cost_before": self.money(billed.cost, loss.currency),
            })
        });
        out::json(&json!({
            "period": self.arguments.period,
            "tariff": format!("blake3:{}", self.digest),
            "position": self.tried.position.0,
            "total": self.tried.total.iter().map(|(c, both)| self.both(both, *c)).collect::<Vec<_>>(),
            "accounts": rows("account", &self.tried.accounts),
            "destinations": rows("destination", &self.tried.destinations),
            "lost": lost.collect::<Vec<_>>(),
            "gained": self.tried.gained,
            "waiting": self.tried.waiting,
            "fixed": self.tried.fixed,
        }))
    }

    fn print(&self) -> Result<(), Exit> {
        let tried = self.tried;
        out::line(&format!("{} by blake3:{}", self.arguments.period, self.digest))?;
        if tried.total.is_empty() {
            return out::line("no calls of that month are stored");
        }
        let mut table =
            out::table(&["currency", "calls", "then", "before", "after", "difference", "%"], &[1, 2, 3, 4, 5, 6]);
        for (currency, both) in &tried.total {
            let mut row = vec![named(*currency)];
            row.extend(self.cells(both, *currency));
            table.add_row(row);
        }
        out::line(&table.to_string())?;
        for (count, what) in [
            (tried.gained, "calls that wait now would be rated"),
            (tried.waiting, "calls are rated by neither"),
            (tried.fixed, "calls stand as they are: adjustments, and calls of an earlier version"),
        ] {
            if count > 0 {
                out::line(&format!("{} {what}", out::grouped(count)))?;
            }
        }
        self.table("account", "accounts, largest movers first", &tried.accounts)?;
        self.table("destination", "destinations, largest movers first", &tried.destinations)?;
        if tried.lost.is_empty() {
            return Ok(());
        }
        let mut lost: Vec<_> = tried.lost.iter().collect();
        lost.sort_by_key(|(_, billed)| std::cmp::Reverse((billed.calls, billed.cost.0)));
        let mut table = out::table(&["prefix", "destination", "why", "calls", "currency", "cost now"], &[3, 5]);
        let top = self.arguments.top.unwrap_or(TOP);
        for (loss, billed) in lost.iter().take(top) {
            table.add_row([
                loss.prefix.clone(),
                loss.destination.clone(),
                loss.reason.name().to_owned(),
                out::grouped(billed.calls),
                named(loss.currency),
                self.money(billed.cost, loss.currency),
            ]);
        }
        let heading = out::paint("no longer rated", Paint::Red);
        out::line(&format!("\n{heading}{}\n{table}", more(lost.len(), top)))
    }

    fn cells(&self, both: &Both, currency: Currency) -> [String; 6] {
        [
            out::grouped(both.before.calls),
            out::grouped(both.after.calls),
            self.money(both.before.cost, currency),
            self.money(both.after.cost, currency),
            self.money(difference(both), currency),
            by(both).unwrap_or_default(),
        ]
    }

    /// What moves; the rest is only counted.
    fn table(&self, name: &str, heading: &str, rows: &Rows) -> Result<(), Exit> {
        let headings = [name, "currency", "calls", "then", "before", "after", "difference", "%"];
        let mut table = out::table(&headings, &[2, 3, 4, 5, 6, 7]);
        let top = self.arguments.top.unwrap_or(TOP);
        let moving: Vec<_> = ranked(rows).into_iter().filter(|(_, both)| both.before != both.after).collect();
        let still = out::grouped((rows.len() - moving.len()) as u64);
        if moving.is_empty() {
            return out::line(&format!("\n{}: none; {still} stay as they are", out::paint(heading, Paint::Bold)));
        }
        for ((key, currency), both) in moving.iter().take(top) {
            let mut row = vec![key.clone(), named(*currency)];
            row.extend(self.cells(both, *currency));
            table.add_row(row);
        }
        let (heading, more) = (out::paint(heading, Paint::Bold), more(moving.len(), top));
        out::line(&format!("\n{heading}; {still} stay as they are{more}\n{table}"))
    }
}

/// What a table leaves out.
fn more(rows: usize, top: usize) -> String {
    let left = rows.saturating_sub(top);
    if left > 0 { format!(" (--top shows the other {left})") } else { String::new() }
}
