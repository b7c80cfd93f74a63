//! `callrated suspense`: what could not be rated, and trying it again.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, path};
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

pub(super) async fn run(config: &Config, arguments: SuspenseArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let done = match &arguments.what {
        What::List { reason, limit, json } => list(&client, reason.as_deref(), *limit, *json).await,
        What::Conflicts { limit, json } => conflicts(&client, *limit, *json).await,
        What::Discard { key, why, json } => discard(&client, key, why, *json).await,
        What::Retry { reason, json } => retry(&client, reason.as_deref(), *json).await,
    };
    super::ended(done, client.close().await)
}

async fn list(client: &Client, reason: Option<&str>, limit: u64, json: bool) -> Result<(), Exit> {
    let (mut items, mut after): (Vec<Value>, Option<String>) = (Vec::new(), None);
    let counts = loop {
        let page = (limit.saturating_sub(items.len() as u64)).clamp(1, PAGE).to_string();
        let url = path("/v1/suspense", &[("reason", reason), ("after", after.as_deref()), ("limit", Some(&page))]);
        let mut answer = client.get_json(&url).await?;
        if let Value::Array(more) = answer["items"].take() {
            items.extend(more);
        }
        after = answer["next"].as_str().map(str::to_owned);
        if after.is_none() || items.len() as u64 >= limit {
            break answer["counts"].take();
        }
    };
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    if json {
        return out::json(&json!({ "counts": counts, "items": items, "next": after }));
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
    for (reason, count) in &counts {
        out::line(&format!("{reason}: {}", out::grouped(count.as_u64().unwrap_or(0))))?;
    }
    Ok(())
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
