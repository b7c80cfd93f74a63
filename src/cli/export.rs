//! `callrated export`: a whole month for other programs.

use axum::http::Response;
use clap::{Args, ValueEnum};
use http_body_util::BodyExt;

use super::client::{Client, path, segment};
use super::out;
use crate::config::Config;
use crate::exit::Exit;

/// Write every call of a month, or every account's totals, as CSV, JSON lines or Parquet.
///
/// Streamed, at any size. The cost column of the calls adds up to the totals, to the digit; what it must come to is told on
/// standard error.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated export 2026-10 > calls.csv\n  callrated export 2026-10 --totals --format ndjson\n  callrated export 2026-10 --format parquet > calls.parquet"
)]
pub struct ExportArguments {
    /// Which month.
    #[arg(value_name = "YYYY-MM")]
    period: String,
    /// Totals by account and call type, instead of calls.
    #[arg(long)]
    totals: bool,
    /// How to write.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Language of headings and call types in CSV of calls: en, de or it.
    #[arg(long, conflicts_with = "totals")]
    lang: Option<String>,
    /// Write JSON lines: the same as --format ndjson.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    Csv,
    Ndjson,
    /// Typed columns in one file; in builds with `--features parquet`.
    Parquet,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv",
            Format::Ndjson => "application/x-ndjson",
            Format::Parquet => "application/vnd.apache.parquet",
        }
    }
}

pub(super) async fn run(config: &Config, arguments: ExportArguments) -> Result<(), Exit> {
    if arguments.format == Format::Parquet && out::on_terminal() {
        return Err(Exit::usage("Parquet is not for a terminal: write it into a file, with `> calls.parquet`"));
    }
    let client = Client::open(config).await?;
    let done = export(&client, &arguments).await;
    super::ended(done, client.close().await)
}

async fn export(client: &Client, arguments: &ExportArguments) -> Result<(), Exit> {
    let format = if arguments.json { Format::Ndjson } else { arguments.format };
    let accept = format.media_type();
    let month = format!("/v1/periods/{}", segment(&arguments.period));
    if arguments.totals {
        return match format {
            // One file, however many accounts.
            Format::Parquet => copy(client.get(&format!("{month}/usage"), accept).await?, 0).await,
            Format::Csv | Format::Ndjson => totals(client, &month, accept, format == Format::Csv).await,
        };
    }
    let response = client.get(&path(&format!("{month}/calls"), &[("lang", arguments.lang.as_deref())]), accept).await?;
    let told = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
    let (calls, cost, amount) = (told("callrated-calls"), told("callrated-cost"), told("callrated-amount"));
    copy(response, 0).await?;
    if cost.is_empty() {
        eprintln!("{}: {calls} calls; the cost column adds up to nothing", arguments.period);
    } else {
        eprintln!("{}: {calls} calls; the cost column adds up to {cost}; on invoices {amount}", arguments.period);
    }
    Ok(())
}

/// Accounts asked for at a time.
const PAGE: usize = 10_000;

/// Page by page; the heading comes once.
async fn totals(client: &Client, month: &str, accept: &str, csv: bool) -> Result<(), Exit> {
    let mut after: Option<String> = None;
    loop {
        let limit = PAGE.to_string();
        let url = path(&format!("{month}/usage"), &[("limit", Some(&limit)), ("after", after.as_deref())]);
        // A page of JSON tells which account is the last; the rows are written as they were asked for.
        let page = client.get_json(&url).await?;
        let skip = usize::from(csv && after.is_some());
        copy(client.get(&url, accept).await?, skip).await?;
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            return Ok(());
        }
    }
}

/// The body as it comes, without its first lines.
async fn copy(response: Response<axum::body::Body>, mut skip: usize) -> Result<(), Exit> {
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Exit::environment(format!("the answer ended early: {e}")))?;
        let Ok(mut data) = frame.into_data() else { continue };
        while skip > 0 {
            let Some(end) = memchr::memchr(b'\n', &data) else {
                data.clear();
                break;
            };
            data = data.slice(end + 1..);
            skip -= 1;
        }
        out::write(&data)?;
    }
    Ok(())
}
