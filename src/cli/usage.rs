//! `callrated usage`: what calls add up to.

use clap::Args;
use serde_json::Value;

use super::client::{Client, path, segment};
use super::out;
use crate::config::Config;
use crate::exit::Exit;
use crate::time::{Period, Timestamp, Zone};

/// Accounts asked for at a time.
const PAGE: &str = "1000";

/// Show totals: of one account, or of all.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated usage\n  callrated usage acme\n  callrated usage acme --period 2026-10 --json"
)]
pub struct UsageArguments {
    /// Only this account.
    account: Option<String>,
    /// Which month, such as 2026-10 (default: the month that is running).
    #[arg(long, value_name = "YYYY-MM")]
    period: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, arguments: UsageArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let shown = match &arguments.account {
        Some(account) => one(&client, account, &arguments).await,
        None => all(&client, &arguments).await,
    };
    super::ended(shown, client.close().await)
}

async fn one(client: &Client, account: &str, arguments: &UsageArguments) -> Result<(), Exit> {
    let url = path(&format!("/v1/accounts/{}/usage", segment(account)), &[("period", arguments.period.as_deref())]);
    let usage = client.get_json(&url).await?;
    if arguments.json {
        return out::json(&usage);
    }
    let mut table = heading();
    rows(&mut table, &usage, true);
    out::line(&table.to_string())?;
    out::line(&format!(
        "{} in {} ({}): {} {}",
        text(&usage["account"]),
        text(&usage["period"]),
        text(&usage["state"]),
        text(&usage["cost"]),
        text(&usage["currency"])
    ))?;
    if let Some(rounded) = usage["rounded_cost"].as_str() {
        out::line(&format!(
            "on an invoice: {}, the sum of its rounded lines; rounded once it would be {rounded}",
            text(&usage["amount"])
        ))?;
    }
    minimums(&usage)?;
    allowance("allowance", &usage["allowance"])?;
    for pool in usage["allowances"].as_array().into_iter().flatten() {
        allowance(&format!("allowance {}", text(&pool["name"])), pool)?;
    }
    for tier in usage["tiers"].as_array().into_iter().flatten() {
        let seconds = |key: &str| tier[key].as_u64().map(minutes);
        let charged = seconds("charged_seconds").unwrap_or_default();
        let price = tier["price"].as_str().map_or_else(String::new, |price| format!(", now {price}"));
        let next = seconds("next_after_seconds").map_or_else(String::new, |next| format!(", next level after {next}"));
        out::line(&format!("tier {}: {charged} charged{price}{next}", text(&tier["name"])))?;
    }
    Ok(())
}

/// Minimum spends, and what calls and they come to.
fn minimums(usage: &Value) -> Result<(), Exit> {
    let when = if usage["state"] == "sealed" { "" } else { " by now" };
    for of in usage["minimums"].as_array().into_iter().flatten() {
        let [period, minimum, charged, cost, currency] =
            ["period", "minimum", "charged", "cost", "currency"].map(|key| text(&of[key]));
        out::line(&format!(
            "minimum spend of {period}: {minimum} {currency}, {charged} charged, {cost} billed beside calls{when}"
        ))?;
    }
    for due in usage["due"].as_array().into_iter().flatten() {
        let [cost, amount, currency] = ["cost", "amount", "currency"].map(|key| text(&due[key]));
        out::line(&format!("calls and minimum spend: {cost} {currency}, on an invoice {amount}"))?;
    }
    Ok(())
}

fn allowance(name: &str, allowance: &Value) -> Result<(), Exit> {
    let left = match allowance["left_seconds"].as_u64() {
        Some(left) => format!(", {} left", minutes(left)),
        None => String::new(),
    };
    out::line(&format!(
        "{name}: {} min, {} used{left}",
        text(&allowance["included_minutes"]),
        minutes(allowance["used_seconds"].as_u64().unwrap_or(0)),
    ))?;
    let of = |value: &Value, key: &str| minutes(value[key].as_u64().unwrap_or(0));
    for lot in allowance["carried"].as_array().into_iter().flatten() {
        let (from, until) = (text(&lot["from"]), text(&lot["until"]));
        let (seconds, left) = (of(lot, "seconds"), of(lot, "left_seconds"));
        out::line(&format!("  carried over from {from}: {seconds}, {left} left until the end of {until}"))?;
    }
    match allowance["handed_on_seconds"].as_u64() {
        Some(_) => out::line(&format!("  handed on to later months: {}", of(allowance, "handed_on_seconds"))),
        None => Ok(()),
    }
}

async fn all(client: &Client, arguments: &UsageArguments) -> Result<(), Exit> {
    let now = Period::containing(this_moment(), &Zone::UTC).to_string();
    let period = arguments.period.as_deref().unwrap_or(&now);
    let base = format!("/v1/periods/{}/usage", segment(period));
    let mut after: Option<String> = None;
    let (mut table, mut accounts) = (heading(), 0u64);
    if arguments.json {
        out::write(format!("{{\"period\":{},\"accounts\":[", Value::from(period)).as_bytes())?;
    }
    loop {
        let page = client.get_json(&path(&base, &[("after", after.as_deref()), ("limit", Some(PAGE))])).await?;
        for account in page["accounts"].as_array().into_iter().flatten() {
            if arguments.json {
                let comma = if accounts > 0 { "," } else { "" };
                out::write(format!("{comma}{account}").as_bytes())?;
            } else {
                rows(&mut table, account, false);
            }
            accounts += 1;
        }
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    if arguments.json {
        return out::line("]}");
    }
    if accounts == 0 {
        return out::line(&format!("no calls in {period}"));
    }
    out::line(&table.to_string())?;
    out::line(&format!("{period}: {} accounts", out::grouped(accounts)))
}

fn heading() -> comfy_table::Table {
    out::table(
        &["account", "call type", "calls", "minutes", "billable minutes", "cost", "amount", "currency"],
        &[2, 3, 4, 5, 6],
    )
}

fn rows(table: &mut comfy_table::Table, account: &Value, one: bool) {
    for line in account["totals"].as_array().into_iter().flatten() {
        let currency = if one { &account["currency"] } else { &line["currency"] };
        table.add_row([
            text(&account["account"]),
            text(&line["call_type"]),
            line["calls"].to_string(),
            talk(&text(&line["seconds"])),
            text(&line["billable_minutes"]),
            text(&line["cost"]),
            text(&line["amount"]),
            text(currency),
        ]);
    }
    for of in account["minimums"].as_array().into_iter().flatten() {
        let [period, cost, amount, currency] = ["period", "cost", "amount", "currency"].map(|key| text(&of[key]));
        let name = format!("minimum spend of {period}");
        let nothing = String::new;
        table.add_row([text(&account["account"]), name, nothing(), nothing(), nothing(), cost, amount, currency]);
    }
}

/// Talk time as minutes and whole seconds, `12:05 min`; the exact value is in the JSON.
fn talk(seconds: &str) -> String {
    let whole: u64 = seconds.split('.').next().and_then(|s| s.parse().ok()).unwrap_or(0);
    minutes(whole)
}

fn minutes(seconds: u64) -> String {
    format!("{}:{:02} min", seconds / 60, seconds % 60)
}

/// A JSON text without its quotes; anything else as it is.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Now.
pub(super) fn this_moment() -> Timestamp {
    crate::os::clock::Clock::wall().now()
}
