//! `callrated suspense`: what could not be rated, and trying it again.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::{Client, path, segment};
use super::export::copy;
use super::out;
use super::usage::text;
use crate::config::Config;
use crate::exit::Exit;

/// Items asked for at a time.
const PAGE: u64 = 1000;

/// Look at what could not be rated, and try it again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  callrated suspense list\n  callrated suspense retry --reason no_rate")]
pub struct SuspenseArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show what waits and why.
    #[command(after_help = "Example:\n  callrated suspense list --reason no_rate --limit 20")]
    List {
        /// Only what waits for this reason, such as no_rate or unknown_account.
        #[arg(long)]
        reason: Option<String>,
        /// At most so many items; counts are of all.
        #[arg(long, default_value_t = 100)]
        limit: u64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show records that came again with other content: the first stays rated, both are kept.
    #[command(after_help = "Example:\n  callrated suspense conflicts --limit 20")]
    Conflicts {
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Decide which version of a record counts that came again with other content.
    #[command(
        after_help = "Examples:\n  callrated suspense decide sbc-fra/c1 --keep second --why ticket-1234\n  callrated suspense decide sbc-fra/c1 --keep 4711 --why ticket-1234"
    )]
    Decide {
        /// Node and id of the record.
        #[arg(value_name = "NODE/ID")]
        record: String,
        /// Which version: first, second, or a position as `conflicts --json` shows it.
        #[arg(long)]
        keep: String,
        /// Why it counts.
        #[arg(long)]
        why: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write all that waits, with the records as they came; a line that was mended can be imported.
    #[command(after_help = "Example:\n  callrated suspense export --reason bad_number --format ndjson > mend.ndjson")]
    Export {
        /// Only what waits for this reason.
        #[arg(long)]
        reason: Option<String>,
        /// How to write.
        #[arg(long, value_enum, default_value_t = Format::Csv)]
        format: Format,
        /// Write JSON lines: the same as --format ndjson.
        #[arg(long, conflicts_with = "format")]
        json: bool,
    },
    /// Give up something for good; it is kept with the reason, and never rated.
    #[command(after_help = "Example:\n  callrated suspense discard 4711:outbound --why test-call")]
    Discard {
        /// Its key, as `list --json` shows it.
        key: String,
        /// Why nothing is to come of it.
        #[arg(long)]
        why: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Try again what waits, by the tariff and the directory in force now.
    #[command(after_help = "Example:\n  callrated suspense retry")]
    Retry {
        /// Only what waits for this reason.
        #[arg(long)]
        reason: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    Csv,
    Ndjson,
}

pub(super) async fn run(config: &Config, arguments: SuspenseArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let done = match &arguments.what {
        What::List { reason, limit, json } => list(&client, reason.as_deref(), *limit, *json).await,
        What::Conflicts { limit, json } => conflicts(&client, *limit, *json).await,
        What::Decide { record, keep, why, json } => decide(&client, record, keep, why, *json).await,
        What::Export { reason, format, json } => {
            let accept = if *json || *format == Format::Ndjson { "application/x-ndjson" } else { "text/csv" };
            let url = path("/v1/suspense/export", &[("reason", reason.as_deref())]);
            match client.get(&url, accept).await {
                Ok(response) => copy(response, 0).await,
                Err(refused) => Err(refused),
            }
        }
        What::Discard { key, why, json } => discard(&client, key, why, *json).await,
        What::Retry { reason, json } => retry(&client, reason.as_deref(), *json).await,
    };
    super::ended(done, client.close().await)
}

async fn list(client: &Client, reason: Option<&str>, limit: u64, json: bool) -> Result<(), Exit> {
    let (mut items, mut after): (Vec<Value>, Option<String>) = (Vec::new(), None);
    let (counts, ages) = loop {
        let page = (limit.saturating_sub(items.len() as u64)).clamp(1, PAGE).to_string();
        let url = path("/v1/suspense", &[("reason", reason), ("after", after.as_deref()), ("limit", Some(&page))]);
        let mut answer = client.get_json(&url).await?;
        if let Value::Array(more) = answer["items"].take() {
            items.extend(more);
        }
        after = answer["next"].as_str().map(str::to_owned);
        if after.is_none() || items.len() as u64 >= limit {
            break (answer["counts"].take(), answer["ages"].take());
        }
    };
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    if json {
        return out::json(&json!({ "counts": counts, "ages": ages, "items": items, "next": after }));
    }
    let counts = counts.as_object().cloned().unwrap_or_default();
    if counts.is_empty() {
        return out::line("nothing is in suspense");
    }
    if !items.is_empty() {
        let mut table =
            out::table(&["key", "node", "id", "leg", "from", "to", "answered", "waits since", "reason", "why"], &[]);
        for item in &items {
            let of = |name: &str| text(&item[name]);
            table.add_row([
                of("key"),
                of("node"),
                of("id"),
                of("leg"),
                of("source"),
                of("destination"),
                of("answer"),
                of("received_at"),
                of("reason"),
                of("detail"),
            ]);
        }
        out::line(&table.to_string())?;
    }
    let classes = ["under_an_hour", "under_a_day", "under_a_week", "under_a_month", "older"];
    let mut table = out::table(
        &["reason", "waiting", "< 1 hour", "< 1 day", "< 1 week", "< 1 month", "older", "oldest"],
        &[1, 2, 3, 4, 5, 6],
    );
    for (reason, count) in &counts {
        let ages = &ages[reason.as_str()];
        let number = |value: &Value| out::grouped(value.as_u64().unwrap_or(0));
        let row = [reason.clone(), number(count)].into_iter().chain(classes.map(|class| number(&ages[class])));
        table.add_row(row.chain([text(&ages["oldest"])]));
    }
    out::line(&table.to_string())
}

async fn conflicts(client: &Client, limit: u64, json: bool) -> Result<(), Exit> {
    let (mut items, mut after): (Vec<Value>, Option<String>) = (Vec::new(), None);
    while (items.len() as u64) < limit {
        let page = (limit - items.len() as u64).min(PAGE).to_string();
        let url = path("/v1/conflicts", &[("after", after.as_deref()), ("limit", Some(&page))]);
        let mut answer = client.get_json(&url).await?;
        if let Value::Array(more) = answer["items"].take() {
            items.extend(more);
        }
        after = answer["next"].as_u64().map(|next| next.to_string());
        if after.is_none() {
            break;
        }
    }
    if json {
        return out::json(&json!({ "items": items, "next": after }));
    }
    if items.is_empty() {
        return out::line("no record contradicts another");
    }
    let mut table =
        out::table(&["node", "id", "from", "to", "answered", "the other version, kept and not charged"], &[]);
    for item in &items {
        let of = |name: &str| text(&item[name]);
        table.add_row([of("node"), of("id"), of("source"), of("destination"), of("answer"), of("raw")]);
    }
    out::line(&table.to_string())
}

async fn decide(client: &Client, record: &str, keep: &str, why: &str, json: bool) -> Result<(), Exit> {
    let (node, id) =
        record.split_once('/').ok_or_else(|| Exit::usage(format!("{record:?}: write NODE/ID, such as sbc-fra/c1")))?;
    let asked = json!({ "keep": keep, "why": why, "by": "command line" });
    let url = format!("/v1/conflicts/{}/{}/decide", segment(node), segment(id));
    let answer = client.post_json(&url, &asked).await?;
    if json {
        return out::json(&answer);
    }
    let legs = |name: &str| {
        let legs: Vec<String> = answer[name]
            .as_array()
            .into_iter()
            .flatten()
            .map(|leg| format!("{} {} {}", text(&leg["direction"]), text(&leg["currency"]), text(&leg["cost"])))
            .collect();
        if legs.is_empty() { "nothing".to_owned() } else { legs.join(", ") }
    };
    let kept = text(&answer["decision"]["kept"]);
    out::line(&format!(
        "{record}: the version at position {kept} counts; before {}, now {}",
        legs("before"),
        legs("now")
    ))?;
    if let Some(run) = answer["run"].as_u64() {
        out::line(&format!("its month is closed and stays: the open one has the difference (run {run} of re-rating)"))?;
    }
    match answer["waiting"].as_u64() {
        None | Some(0) => Ok(()),
        Some(waiting) => out::line(&format!("{waiting} of it waits in suspense")),
    }
}

async fn discard(client: &Client, key: &str, why: &str, json: bool) -> Result<(), Exit> {
    let asked = json!({ "key": key, "why": why, "by": "command line" });
    let answer = client.post_json("/v1/suspense/discard", &asked).await?;
    if json {
        return out::json(&answer);
    }
    let of = |name: &str| text(&answer["item"][name]);
    out::line(&format!("discarded {}/{} ({}): {}", of("node"), of("id"), of("reason"), text(&answer["why"])))
}

async fn retry(client: &Client, reason: Option<&str>, json: bool) -> Result<(), Exit> {
    let asked = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
    let answer = client.post_json("/v1/suspense/retry", &asked).await?;
    if json {
        return out::json(&answer);
    }
    let of = |name: &str| out::grouped(answer[name].as_u64().unwrap_or(0));
    out::line(&format!("tried {}, {} still wait", of("tried"), of("left")))
}
