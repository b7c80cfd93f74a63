//! `callrated verify`: do the totals follow from the calls, and the calls from the records?

use clap::Args;

use super::client::{Client, path};
use super::out;
use super::usage::text;
use crate::config::Config;
use crate::exit::Exit;

/// Differences printed.
const SHOWN: usize = 20;

/// Compute totals, allowances and books anew from the stored calls, rate again what the journal still keeps, and compare.
///
/// Ends with code 1 if anything differs, and with 4 if something is damaged. A running daemon goes on meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  callrated verify\n  callrated verify --period 2026-10\n  callrated verify --json")]
pub struct VerifyArguments {
    /// Only this month: derive each of its calls anew, and compute a sealed month's digests a second time.
    #[arg(long, value_name = "YYYY-MM")]
    period: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl VerifyArguments {
    /// For `restore`.
    pub(super) fn printing(json: bool) -> VerifyArguments {
        VerifyArguments { period: None, json }
    }
}

pub(super) async fn run(config: &Config, arguments: VerifyArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let done = show(&client, &arguments).await;
    super::ended(done, client.close().await)
}

pub(super) async fn show(client: &Client, arguments: &VerifyArguments) -> Result<(), Exit> {
    let answer = client.get_json(&path("/v1/verify", &[("period", arguments.period.as_deref())])).await?;
    let balanced = answer["balanced"].as_bool().unwrap_or(false);
    if arguments.json {
        out::json(&answer)?;
    } else {
        let differences = answer["differences"].as_array().map_or(&[][..], Vec::as_slice);
        for one in differences.iter().take(SHOWN) {
            out::line(&format!(
                "{}: stored {}, expected {}",
                text(&one["what"]),
                text(&one["stored"]),
                text(&one["recomputed"])
            ))?;
        }
        let count = |name: &str| out::grouped(answer[name].as_u64().unwrap_or(0));
        let mut sums: Vec<String> = Vec::new();
        for (currency, sum) in answer["money"].as_object().into_iter().flatten() {
            sums.push(format!("{currency} {}", text(sum)));
        }
        let sums = if sums.is_empty() { String::new() } else { format!(", {}", sums.join(", ")) };
        if let Some(journal) = answer["journal"].as_object() {
            let of = |name: &str| out::grouped(journal.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0));
            out::line(&format!(
                "rated again from the journal, positions {} to {}: {} calls",
                of("from"),
                of("upto"),
                of("calls")
            ))?;
        }
        if let Some(period) = &arguments.period {
            let proved = answer["proved"].as_u64().unwrap_or(0);
            let verdict = if balanced { "as stored" } else { "NOT as stored" };
            out::line(&format!(
                "{period} is {verdict}: {} of {} calls of {} accounts derived anew",
                out::grouped(proved),
                count("calls"),
                count("accounts")
            ))?;
        } else {
            out::line(&format!(
                "{}: {} calls of {} accounts in {} lines of totals{sums} (position {})",
                if balanced { "balanced" } else { "NOT balanced" },
                count("calls"),
                count("accounts"),
                count("lines"),
                text(&answer["position"])
            ))?;
        }
    }
    if balanced {
        return Ok(());
    }
    if let Some(damaged) = answer["damaged"].as_str() {
        return Err(Exit::damaged(damaged));
    }
    let first = &answer["differences"][0];
    Err(Exit::faults(format!(
        "{} differences, the first: {}: stored {}, expected {}",
        text(&answer["differences_count"]),
        text(&first["what"]),
        text(&first["stored"]),
        text(&first["recomputed"])
    )))
}
