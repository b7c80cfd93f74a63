//! `callrated seal`: months that close.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

use super::client::{Client, bytes};
use super::out;
use super::usage::text;
use crate::config::Config;
use crate::exit::Exit;
use crate::money::minor_unit;

/// How often to ask how far a seal is.
const LOOK: Duration = Duration::from_millis(200);

/// Close a month: rate it again in canonical order, write what that corrects, and make the manifest.
///
/// Without a month, the months and their states are listed. Ends with code 1 if the month cannot be sealed yet.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated seal\n  callrated seal 2026-10\n  callrated seal 2026-10 --manifest > 2026-10.json\n  callrated seal 2026-10 --ack invoices"
)]
pub struct SealArguments {
    /// Which month.
    #[arg(value_name = "YYYY-MM")]
    period: Option<String>,
    /// Do not wait for the grace time ([periods] grace).
    #[arg(long, requires = "period")]
    early: bool,
    /// Print the manifest of a sealed month, byte for byte.
    #[arg(long, requires = "period", conflicts_with_all = ["early", "ack"])]
    manifest: bool,
    /// Record that a job took the manifest.
    #[arg(long, value_name = "JOB", requires = "period", conflicts_with = "early")]
    ack: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, arguments: SealArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let done = match &arguments.period {
        None => list(&client, &arguments).await,
        Some(period) => one(&client, period, &arguments).await,
    };
    super::ended(done, client.close().await)
}

async fn list(client: &Client, arguments: &SealArguments) -> Result<(), Exit> {
    let answer = client.get_json("/v1/periods").await?;
    if arguments.json {
        return out::json(&answer);
    }
    let months = answer["periods"].as_array().map_or(&[][..], Vec::as_slice);
    if months.is_empty() {
        return out::line("no month has calls yet");
    }
    let mut table = out::table(&["month", "state", "may be sealed from", "digest", "taken by"], &[]);
    for month in months {
        let acks = month["acks"].as_array().map_or(&[][..], Vec::as_slice);
        let jobs: Vec<String> = acks.iter().map(|ack| text(&ack["job"])).collect();
        let of = |name: &str| text(&month[name]);
        table.add_row([of("period"), of("state"), of("due"), of("digest"), jobs.join(", ")]);
    }
    out::line(&table.to_string())
}

async fn one(client: &Client, period: &str, arguments: &SealArguments) -> Result<(), Exit> {
    let url = format!("/v1/periods/{}", super::client::segment(period));
    if arguments.manifest {
        let answer = client.get(&format!("{url}/manifest"), "application/json").await?;
        return out::write(&bytes(answer).await?);
    }
    if let Some(job) = &arguments.ack {
        let month = client.get_json(&url).await?;
        let asked = json!({ "job": job, "digest": month["digest"].as_str().unwrap_or_default() });
        let month = client.post_json(&format!("{url}/ack"), &asked).await?;
        return if arguments.json {
            out::json(&month)
        } else {
            out::line(&format!("{job} took {} of {period}", text(&month["digest"])))
        };
    }
    let asked = json!({ "early": arguments.early, "by": "command line" });
    let mut month = client.post_json(&format!("{url}/seal"), &asked).await?;
    let bar = bar();
    while month["state"] == "sealing" {
        if let Some(why) = month["failed"].as_str() {
            bar.finish_and_clear();
            return Err(Exit::environment(format!("{period} is closed, but not sealed yet: {why}")));
        }
        let count = |name: &str| out::grouped(month["progress"][name].as_u64().unwrap_or(0));
        bar.set_message(format!("{} calls read, {} legs rated again", count("read"), count("rated")));
        tokio::time::sleep(LOOK).await;
        month = client.get_json(&url).await?;
    }
    bar.finish_and_clear();
    if arguments.json {
        return out::json(&month);
    }
    let manifest: Value = client.get_json(&format!("{url}/manifest")).await?;
    let mut sums: Vec<String> = Vec::new();
    for (currency, cost) in manifest["cost"].as_object().into_iter().flatten() {
        sums.push(format!("{currency} {}", text(cost)));
    }
    let count = |value: &Value| out::grouped(value.as_u64().unwrap_or(0));
    let accounts = manifest["accounts"].as_array().map_or(0, Vec::len) as u64;
    out::line(&format!(
        "{period} is sealed: {} calls of {} accounts{}{}",
        count(&manifest["calls"]),
        out::grouped(accounts),
        if sums.is_empty() { "" } else { ", " },
        sums.join(", ")
    ))?;
    if manifest["minimums"].is_array() {
        out::line(&format!("    minimum spends, billed beside calls: {}", minimums(&manifest)))?;
    }
    let invoices: Vec<String> = invoices(&manifest).iter().map(|(currency, sum)| format!("{currency} {sum}")).collect();
    if !invoices.is_empty() {
        out::line(&format!("    on invoices, each line rounded once: {}", invoices.join(", ")))?;
    }
    for (reason, waiting) in manifest["suspense"].as_object().into_iter().flatten() {
        out::line(&format!("    in suspense: {} for {reason}", count(waiting)))?;
    }
    let conflicts = manifest["conflicts"].as_array().map_or(0, Vec::len);
    if conflicts > 0 {
        out::line(&format!("    contradictions decided: {conflicts} (the shorter call each time)"))?;
    }
    out::line(&format!("    digest {}", text(&manifest["digest"])))
}

/// What invoices come to by currency that have a line for each account and call type, and one for each minimum spend: the
/// manifest has exact amounts only, and stays the bytes that it was.
fn invoices(manifest: &Value) -> BTreeMap<String, Decimal> {
    let decimal = |value: &Value| text(value).parse::<Decimal>().unwrap_or_default();
    let rounded = |cost: Decimal, currency: &str| {
        let decimals = currency.as_bytes().try_into().map_or(2, minor_unit);
        let mut amount = cost.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
        amount.rescale(decimals);
        amount
    };
    // What an account's lines come to, exact and as they are rounded.
    let mut accounts: BTreeMap<(String, String), (Decimal, Decimal)> = BTreeMap::new();
    for account in manifest["accounts"].as_array().into_iter().flatten() {
        let currency = text(&account["currency"]);
        let sum = accounts.entry((text(&account["account"]), currency.clone())).or_default();
        for line in account["totals"].as_array().into_iter().flatten() {
            let cost = decimal(&line["cost"]);
            *sum = (sum.0 + cost, sum.1 + rounded(cost, &currency));
        }
    }
    let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
    for line in manifest["minimums"].as_array().into_iter().flatten() {
        let (currency, cost) = (text(&line["currency"]), decimal(&line["cost"]));
        let calls = accounts.get(&(text(&line["account"]), currency.clone())).copied().unwrap_or_default();
        // What is short of the month's own minimum takes up what the other lines were rounded by.
        let amount = match line["adjusts"].is_null() && cost > Decimal::ZERO {
            true => rounded(calls.0 + cost, &currency) - calls.1,
            false => rounded(cost, &currency),
        };
        *sums.entry(currency).or_default() += amount;
    }
    for ((_, currency), (_, amounts)) in accounts {
        *sums.entry(currency).or_default() += amounts;
    }
    sums
}

/// What is billed beside calls, by currency.
fn minimums(manifest: &Value) -> String {
    let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
    for line in manifest["minimums"].as_array().into_iter().flatten() {
        *sums.entry(text(&line["currency"])).or_default() += text(&line["cost"]).parse::<Decimal>().unwrap_or_default();
    }
    sums.iter().map(|(currency, sum)| format!("{currency} {sum}")).collect::<Vec<_>>().join(", ")
}

/// Turns while there is something to wait for; only where people look.
pub(super) fn bar() -> ProgressBar {
    if !out::errors_on_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
