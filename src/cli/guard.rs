//! `callrated guard`: what the spend guard told, where accounts stand, and a test of the webhooks.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, path, segment};
use super::out;
use super::usage::{text, this_moment};
use crate::config::Config;
use crate::exit::Exit;
use crate::guard::Event;
use crate::webhook::send;

/// Events asked for at a time.
const PAGE: u64 = 1000;

/// Look at what the spend guard told and where accounts stand, and try the webhooks.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated guard events\n  callrated guard status acme\n  callrated guard test\n\nWhat is watched stands in guards.toml in the rates folder, who is told in [[webhook]] in callrated.toml."
)]
pub struct GuardArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show what was told, the newest last.
    #[command(after_help = "Example:\n  callrated guard events --account acme --limit 20")]
    Events {
        /// Only this account's.
        #[arg(long)]
        account: Option<String>,
        /// Only those behind this number, in order; without it the latest ones.
        #[arg(long)]
        after: Option<u64>,
        /// At most so many, up to 1000.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=PAGE))]
        limit: u64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show where an account stands against each rule that watches it.
    #[command(after_help = "Example:\n  callrated guard status acme")]
    Status {
        /// The account.
        account: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send a signed test event to every webhook of the configuration, and show the answers.
    #[command(after_help = "Example:\n  callrated guard test")]
    Test {
        /// Only the webhook of this name.
        #[arg(long)]
        webhook: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(config: &Config, arguments: GuardArguments) -> Result<(), Exit> {
    if let What::Test { webhook, json } = &arguments.what {
        return test(config, webhook.as_deref(), *json).await;
    }
    let client = Client::open(config).await?;
    let done = match &arguments.what {
        What::Events { account, after, limit, json } => {
            events(&client, account.as_deref(), *after, *limit, *json).await
        }
        What::Status { account, json } => status(&client, account, *json).await,
        What::Test { .. } => Ok(()),
    };
    super::ended(done, client.close().await)
}

async fn events(
    client: &Client,
    account: Option<&str>,
    after: Option<u64>,
    limit: u64,
    json: bool,
) -> Result<(), Exit> {
    let (after, limit) = (after.map(|after| after.to_string()), limit.to_string());
    let newest = if after.is_none() { Some("true") } else { None };
    let query =
        [("account", account), ("after", after.as_deref()), ("newest", newest), ("limit", Some(limit.as_str()))];
    let mut answer = client.get_json(&path("/v1/guard/events", &query)).await?;
    if newest.is_some()
        && let Some(items) = answer["items"].as_array_mut()
    {
        items.reverse();
    }
    if json {
        return out::json(&answer);
    }
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    if items.is_empty() {
        return out::line("nothing was told");
    }
    let mut table = out::table(&["no.", "at", "rule", "level", "what", "webhooks"], &[0]);
    for item in &items {
        let data = &item["event"]["data"];
        let level = data["level"].as_u64().map_or_else(|| "first".to_owned(), |level| format!("{level}%"));
        let webhooks = item["webhooks"].as_array().into_iter().flatten().map(|one| match one["given_up"].as_str() {
            Some(why) => format!("{}: given up, {why}", text(&one["webhook"])),
            None => format!("{}: taken", text(&one["webhook"])),
        });
        table.add_row([
            item["number"].to_string(),
            text(&item["event"]["timestamp"]),
            text(&data["rule"]),
            level,
            text(&data["summary"]),
            webhooks.collect::<Vec<_>>().join("; "),
        ]);
    }
    out::line(&table.to_string())
}

async fn status(client: &Client, account: &str, json: bool) -> Result<(), Exit> {
    let answer = client.get_json(&format!("/v1/accounts/{}/guard", segment(account))).await?;
    if json {
        return out::json(&answer);
    }
    let rules = answer["rules"].as_array().cloned().unwrap_or_default();
    if rules.is_empty() {
        return out::line(&format!("nothing watches {account}: guards.toml in the rates folder has no rule for it"));
    }
    let mut table = out::table(&["rule", "per", "now", "limit", "unit", "told", "from", "to"], &[2, 3]);
    for rule in &rules {
        let of = |name: &str| text(&rule[name]);
        let told = rule["told"].as_u64().map_or_else(String::new, |level| format!("{level}%"));
        table.add_row([
            of("rule"),
            of("per"),
            of("value"),
            of("limit"),
            if of("unit").is_empty() { of("what") } else { of("unit") },
            told,
            of("from"),
            of("to"),
        ]);
    }
    out::line(&table.to_string())
}

async fn test(config: &Config, only: Option<&str>, json: bool) -> Result<(), Exit> {
    let mut asked: Vec<Value> = Vec::new();
    for webhook in config.webhooks.iter().filter(|webhook| only.is_none_or(|only| webhook.name == only)) {
        let now = this_moment();
        let event = Event::test(now);
        let answer = send::ask(webhook, &event, now).await;
        let (name, url) = (&webhook.name, webhook.url.to_string());
        asked.push(match answer {
            Ok(answer) => json!({
                "webhook": name, "url": url, "id": event.id, "taken": answer.status.is_success(),
                "status": answer.status.as_u16(), "answer": answer.body,
            }),
            Err(why) => json!({
                "webhook": name, "url": url, "id": event.id, "taken": false, "status": null,
                "answer": null, "error": why.to_string(),
            }),
        });
    }
    if asked.is_empty() {
        return Err(Exit::usage(match only {
            Some(name) => format!("the configuration has no [[webhook]] of the name {name:?}"),
            None => "the configuration has no [[webhook]]".to_owned(),
        }));
    }
    let all_taken = asked.iter().all(|one| one["taken"] == true);
    if json {
        out::json(&json!({ "webhooks": asked }))?;
    } else {
        for one in &asked {
            let what = match one["error"].as_str() {
                Some(error) => error.to_owned(),
                None => format!("{} {}", one["status"], text(&one["answer"]).trim_end()),
            };
            out::line(&format!("{} ({}): {what}", text(&one["webhook"]), text(&one["url"])))?;
        }
    }
    if all_taken { Ok(()) } else { Err(Exit { code: 1, message: String::new() }) }
}
