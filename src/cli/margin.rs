//! `callrated margin`: what calls brought, what they cost us, and what is left.

use clap::{Args, ValueEnum};
use http_body_util::BodyExt;
use serde_json::Value;

use super::client::{Client, path};
use super::out::{self, Paint};
use super::usage::text;
use crate::config::Config;
use crate::exit::Exit;

/// Show what the calls of a month brought and what they cost us.
///
/// Calls of plans that name cost decks or a reseller; what earns least comes first. For operators: nothing of it is in any
/// answer to a customer.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated margin\n  callrated margin --by carrier --period 2026-10\n  callrated margin --below --format csv"
)]
pub struct MarginArguments {
    /// Which month, such as 2026-10 (default: the month that is running).
    #[arg(long, value_name = "YYYY-MM")]
    period: Option<String>,
    /// How to add up.
    #[arg(long, value_enum, default_value_t = By::Destination)]
    by: By,
    /// Only what brings less than its least margin.
    #[arg(long)]
    below: bool,
    /// How to print (default: a table).
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Print JSON.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum By {
    Destination,
    Carrier,
    Plan,
    Account,
    Reseller,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    Table,
    Csv,
}

pub(super) async fn run(config: &Config, arguments: MarginArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let shown = show(&client, &arguments).await;
    super::ended(shown, client.close().await)
}

async fn show(client: &Client, arguments: &MarginArguments) -> Result<(), Exit> {
    let by = match arguments.by {
        By::Destination => "destination",
        By::Carrier => "carrier",
        By::Plan => "plan",
        By::Account => "account",
        By::Reseller => "reseller",
    };
    let url = path(
        "/v1/margin",
        &[("period", arguments.period.as_deref()), ("by", Some(by)), ("below", arguments.below.then_some("true"))],
    );
    if arguments.format == Some(Format::Csv) {
        let body = client.get(&url, "text/csv").await?.into_body().collect().await;
        let body = body.map_err(|e| Exit::environment(format!("the answer ended early: {e}")))?;
        return out::write(&body.to_bytes());
    }
    let answer = client.get_json(&url).await?;
    if arguments.json {
        return out::json(&answer);
    }
    let empty = Vec::new();
    let lines = answer["lines"].as_array().unwrap_or(&empty);
    let totals = answer["total"].as_array().unwrap_or(&empty);
    let period = text(&answer["period"]);
    if totals.is_empty() {
        return out::line(&format!("no calls in {period} of a plan with cost_decks or a reseller"));
    }
    let headings = [by, "calls", "minutes", "revenue", "cost", "margin", "%", "currency", "cost unknown", ""];
    let mut table = out::table(&headings, &[1, 2, 3, 4, 5, 6, 8]);
    for line in lines {
        let name = match text(&line["name"]) {
            name if name.is_empty() => "(plan's own decks)".to_owned(),
            name => name,
        };
        table.add_row(row(line, name));
    }
    for line in totals {
        table.add_row(row(line, "all".to_owned()));
    }
    out::line(&table.to_string())?;
    let unknown: i64 = totals.iter().filter_map(|line| line["unknown"].as_i64()).sum();
    let state = text(&answer["state"]);
    match unknown {
        0 => out::line(&format!("{period} ({state})")),
        unknown => out::line(&format!(
            "{period} ({state}): {} calls without a cost are in revenue, not in margin",
            out::grouped(unknown.unsigned_abs())
        )),
    }
}

fn row(line: &Value, name: String) -> [String; 10] {
    let of = |key: &str| text(&line[key]);
    let below = line["below"].as_bool().unwrap_or(false);
    [
        name,
        of("calls"),
        whole_minutes(&of("minutes")),
        of("revenue"),
        of("cost"),
        of("margin"),
        of("percent"),
        of("currency"),
        match of("unknown") {
            none if none == "0" => String::new(),
            some => some,
        },
        if below { out::paint("below", Paint::Red) } else { String::new() },
    ]
}

/// Minutes to a tenth, for the eye; the exact value is in the JSON.
fn whole_minutes(minutes: &str) -> String {
    match minutes.split_once('.') {
        Some((whole, part)) => format!("{whole}.{}", part.get(..1).unwrap_or("0")),
        None => minutes.to_owned(),
    }
}
