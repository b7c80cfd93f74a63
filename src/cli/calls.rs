//! `callrated calls`: call details of an account, streamed.

use axum::body::Body;
use axum::http::Response;
use clap::{Args, ValueEnum};
use http_body_util::BodyExt;
use serde_json::Value;

use super::client::{Client, path, segment};
use super::out;
use super::usage::text;
use crate::config::Config;
use crate::exit::Exit;

/// Calls shown in a table; a person reads no more, and a table is held in memory whole.
const TABLE_MAX: u64 = 10_000;

/// List an account's calls of a month with what each cost.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated calls acme\n  callrated calls acme --period 2026-10 --lang de --format csv\n  callrated calls acme --format ndjson --billed-only"
)]
pub struct CallsArguments {
    /// Whose calls.
    account: String,
    /// Which month, such as 2026-10 (default: the month that is running).
    #[arg(long, value_name = "YYYY-MM")]
    period: Option<String>,
    /// Language of headings and call types in CSV: en, de or it (default: the account's).
    #[arg(long)]
    lang: Option<String>,
    /// Columns of CSV.
    #[arg(long, value_enum, default_value_t = Columns::Usual)]
    columns: Columns,
    /// Leave out calls that cost nothing.
    #[arg(long)]
    billed_only: bool,
    /// How to print (default: a table on a terminal, else CSV).
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Print JSON lines: the same as --format ndjson.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Columns {
    Usual,
    Full,
    /// All, and what each call costs us.
    Margin,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    Csv,
    Ndjson,
    Table,
}

pub(super) async fn run(config: &Config, arguments: CallsArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let shown = show(&client, &arguments).await;
    super::ended(shown, client.close().await)
}

async fn show(client: &Client, arguments: &CallsArguments) -> Result<(), Exit> {
    let usual = if out::on_terminal() { Format::Table } else { Format::Csv };
    let format = if arguments.json { Format::Ndjson } else { arguments.format.unwrap_or(usual) };
    let columns = match arguments.columns {
        Columns::Usual => None,
        Columns::Full => Some("full"),
        Columns::Margin => Some("margin"),
    };
    let url = path(
        &format!("/v1/accounts/{}/calls", segment(&arguments.account)),
        &[
            ("period", arguments.period.as_deref()),
            ("lang", arguments.lang.as_deref()),
            ("columns", columns),
            ("billed_only", arguments.billed_only.then_some("true")),
        ],
    );
    let accept = if format == Format::Csv { "text/csv" } else { "application/x-ndjson" };
    let response = client.get(&url, accept).await?;
    match format {
        Format::Csv | Format::Ndjson => copy(response).await,
        Format::Table => table(response).await,
    }
}

/// The body as it comes.
async fn copy(response: Response<Body>) -> Result<(), Exit> {
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Exit::environment(format!("the answer ended early: {e}")))?;
        if let Ok(data) = frame.into_data() {
            out::write(&data)?;
        }
    }
    Ok(())
}

async fn table(response: Response<Body>) -> Result<(), Exit> {
    let mut body = response.into_body();
    let mut table = out::table(
        &["answered (UTC)", "from", "to", "seconds", "billable", "call type", "rate", "cost", "currency"],
        &[3, 4, 6, 7],
    );
    let (mut buffer, mut calls) = (Vec::new(), 0u64);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Exit::environment(format!("the answer ended early: {e}")))?;
        let Ok(data) = frame.into_data() else { continue };
        buffer.extend_from_slice(&data);
        while let Some(end) = memchr::memchr(b'\n', &buffer) {
            let call: Option<Value> = serde_json::from_slice(&buffer[..end]).ok();
            buffer.drain(..=end);
            calls += 1;
            if let Some(call) = call.filter(|_| calls <= TABLE_MAX) {
                row(&mut table, &call);
            }
        }
    }
    if calls == 0 {
        return out::line("no calls");
    }
    out::line(&table.to_string())?;
    if calls > TABLE_MAX {
        return out::line(&format!(
            "{} of {} calls; --format csv gives all",
            out::grouped(TABLE_MAX),
            out::grouped(calls)
        ));
    }
    out::line(&format!("{} calls", out::grouped(calls)))
}

fn row(table: &mut comfy_table::Table, call: &Value) {
    let of = |name: &str| text(&call[name]);
    table.add_row([
        of("start"),
        of("source"),
        of("destination"),
        of("duration"),
        of("billable_seconds"),
        of("call_type"),
        of("rate"),
        of("cost"),
        of("currency"),
    ]);
}
