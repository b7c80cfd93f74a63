//! `callrated tariff history` and `callrated tariff activate`: what was in force, and going back to it.

use clap::Args;
use serde_json::json;

use crate::cli::client::Client;
use crate::cli::usage::text;
use crate::cli::{ended, out};
use crate::config::Config;
use crate::exit::Exit;

/// List every tariff that was put in force or planned: when, from when on it applies, who asked, and what became of it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  callrated tariff history\n  callrated tariff history --json")]
pub struct HistoryArguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Put a tariff of earlier in force again, from now on or from a time on.
///
/// The rates folder is left as it is. What it gives now stays out until its prices change, or until it is asked for by its digest or
/// by POST /v1/tariff/reload; accounts and numbers are taken from the folder as ever.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated tariff activate 2d1e5223\n  callrated tariff activate blake3:2d1e5223 --from 2026-11-01T00:00:00+01:00"
)]
pub struct ActivateArguments {
    /// Its digest, or the first 8 digits or more of it, as `tariff history` lists it.
    digest: String,
    /// For calls answered from then on, RFC 3339 (default: now).
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub async fn history(config: &Config, arguments: &HistoryArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let shown = list(&client, arguments).await;
    ended(shown, client.close().await)
}

async fn list(client: &Client, arguments: &HistoryArguments) -> Result<(), Exit> {
    let answer = client.get_json("/v1/tariff").await?;
    let tariffs = answer["tariffs"].as_array().map_or(&[][..], Vec::as_slice);
    if arguments.json {
        return out::json(&json!({ "tariff": answer["tariff"], "tariffs": tariffs }));
    }
    let mut table = out::table(&["activated", "for calls answered from", "tariff", "by", "state"], &[]);
    for tariff in tariffs {
        let of = |name: &str| text(&tariff[name]);
        let from = if tariff["effective_from"].is_null() { "ever".to_owned() } else { of("effective_from") };
        let state = match of("state").as_str() {
            "in_force" => "in force".to_owned(),
            "overtaken" => format!("will not apply: overtaken by {}", short(&of("overtaken_by"))),
            "earlier" => String::new(),
            state => state.to_owned(),
        };
        table.add_row([of("activated_at"), from, of("digest"), of("by"), state]);
    }
    out::line(&table.to_string())
}

pub async fn activate(config: &Config, arguments: &ActivateArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let done = put(&client, arguments).await;
    ended(done, client.close().await)
}

async fn put(client: &Client, arguments: &ActivateArguments) -> Result<(), Exit> {
    let asked = json!({
        "tariff": arguments.digest, "effective_from": arguments.from, "by": "command line",
    });
    let done = client.post_json("/v1/tariff/activate", &asked).await?;
    if arguments.json {
        return out::json(&done);
    }
    for one in done["overtaken"].as_array().into_iter().flatten() {
        eprintln!("warning: {}", text(&one["message"]));
    }
    let of = |name: &str| text(&done[name]);
    out::line(&format!(
        "{} is in force for calls answered from {} on; before: {}",
        of("tariff"),
        of("effective_from"),
        of("before")
    ))
}

/// Enough of a digest to name it.
fn short(digest: &str) -> &str {
    let digest = digest.trim_start_matches("blake3:");
    digest.get(..12).unwrap_or(digest)
}
