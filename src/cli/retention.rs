//! `callrated retention`, `callrated hold`, `callrated account-data`: what goes, what stays, and what the law asks.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, header};
use clap::{Args, Subcommand};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::client::{Client, json as read_json, request, segment};
use super::out;
use super::seal::bar;
use super::usage::text;
use crate::config::Config;
use crate::exit::Exit;

/// How often to ask how far a deletion is.
const LOOK: Duration = Duration::from_millis(200);
/// How often a command without a daemon asks before it leaves the rest to the next start.
const LOOKS: u32 = 3000;

/// What is kept how long: the rules, what went, and what a run would delete.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated retention\n  callrated retention run --dry-run\n  callrated retention run --apply"
)]
pub struct RetentionArguments {
    #[command(subcommand)]
    action: Option<RetentionAction>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum RetentionAction {
    /// Delete what its time is over for ([retention]); without --apply only what would go is shown.
    #[command(after_help = "Examples:\n  callrated retention run\n  callrated retention run --apply")]
    Run {
        /// Show what would go: the default.
        #[arg(long, conflicts_with = "apply")]
        dry_run: bool,
        /// Delete it.
        #[arg(long)]
        apply: bool,
    },
}

/// Legal holds: nothing of a held account is deleted or erased.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated hold add acme --why 'dispute 4711'\n  callrated hold list\n  callrated hold release acme --why 'dispute 4711 is settled'"
)]
pub struct HoldArguments {
    #[command(subcommand)]
    action: HoldAction,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum HoldAction {
    /// Hold an account.
    #[command(after_help = "Example:\n  callrated hold add acme --why \"dispute 4711\"")]
    Add(Of),
    /// Show the holds.
    #[command(after_help = "Example:\n  callrated hold list")]
    List,
    /// End the hold of an account.
    #[command(after_help = "Example:\n  callrated hold release acme --why \"settled\"")]
    Release(Of),
}

#[derive(Debug, Args)]
struct Of {
    /// The account.
    account: String,
    /// Why, in a sentence.
    #[arg(long)]
    why: String,
    /// Who says so.
    #[arg(long, default_value = "command line")]
    by: String,
}

/// Everything stored of one account: export it, or erase it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated account-data export acme > acme.ndjson\n  callrated account-data erase acme --why 'request of 2026-11-02, Art. 17 GDPR'\n  callrated account-data erase acme --why 'request of 2026-11-02, Art. 17 GDPR' --apply"
)]
pub struct AccountDataArguments {
    #[command(subcommand)]
    action: DataAction,
}

#[derive(Debug, Subcommand)]
enum DataAction {
    /// Print everything stored of an account, one JSON object a line.
    #[command(after_help = "Example:\n  callrated account-data export acme > acme.ndjson")]
    Export {
        /// The account.
        account: String,
    },
    /// Erase an account's personal data; without --apply only what would go is shown.
    #[command(after_help = "Example:\n  callrated account-data erase acme --why \"request of 2 November\" --apply")]
    Erase {
        #[command(flatten)]
        of: Of,
        /// Erase it.
        #[arg(long)]
        apply: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn retention(config: &Config, arguments: RetentionArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let done = match arguments.action {
        None => show(&client, arguments.json).await,
        Some(RetentionAction::Run { apply, .. }) => run(&client, apply, arguments.json).await,
    };
    super::ended(done, client.close().await)
}

async fn show(client: &Client, json: bool) -> Result<(), Exit> {
    let answer = client.get_json("/v1/retention").await?;
    if json {
        return out::json(&answer);
    }
    for (name, what) in [
        ("calls_months", "call details"),
        ("conflicts_months", "contradicting records"),
        ("discarded_months", "discarded records"),
        ("images_months", "directories that nothing needs"),
    ] {
        let months = &answer["rules"][name];
        let kept = if months.is_null() { "kept for ever".to_owned() } else { format!("{months} months") };
        out::line(&format!("{what}: {kept}"))?;
    }
    due(&answer["due"])?;
    for month in answer["deleted"].as_array().into_iter().flatten() {
        let (period, accounts) = (text(&month["period"]), &month["accounts"]);
        out::line(&format!("{period}: details of {accounts} accounts are gone ({} rows)", month["rows"]))?;
    }
    for order in answer["orders"].as_array().into_iter().flatten().filter(|order| order["state"] != "done") {
        let what = format!("{} {}", text(&order["what"]), text(&order["account"]));
        let waits = order["waits_for"].as_str().map_or_else(String::new, |what| format!(" for {what} to end"));
        out::line(&format!("{}: {}{waits}", what.trim_end(), text(&order["state"])))?;
    }
    holds(&answer["holds"])
}

fn due(due: &Value) -> Result<(), Exit> {
    let applied = due["applied"] == true;
    let periods = due["periods"].as_array().map_or(&[][..], Vec::as_slice);
    let going = if applied { "goes" } else { "would go" };
    for month in periods {
        let count = |name: &str| out::grouped(month[name].as_u64().unwrap_or(0));
        let (period, calls, bytes) = (text(&month["period"]), count("calls"), count("bytes"));
        out::line(&format!("{period}: details of {calls} calls {going} (some {bytes} bytes)"))?;
    }
    for (name, what) in [("conflicts_before", "contradicting records"), ("discarded_before", "discarded records")] {
        if let Some(at) = due[name].as_str() {
            out::line(&format!("{what} before {at} {}", if applied { "go" } else { "would go" }))?;
        }
    }
    if let Some(at) = due["images_before"].as_str() {
        let count = |name: &str| out::grouped(due[name].as_u64().unwrap_or(0));
        let (images, bytes) = (count("images"), count("image_bytes"));
        out::line(&format!("{images} images of directories replaced before {at} {going} ({bytes} bytes)"))?;
    }
    let none = |name: &&str| due[*name].is_null();
    let nothing = periods.is_empty() && ["conflicts_before", "discarded_before", "images_before"].iter().all(none);
    if nothing { out::line("nothing is due") } else { Ok(()) }
}

async fn run(client: &Client, apply: bool, json: bool) -> Result<(), Exit> {
    let asked = json!({ "apply": apply, "by": "command line" });
    let answer = client.post_json("/v1/retention/run", &asked).await?;
    if apply {
        settled(client, "delete", "").await?;
    }
    if json { out::json(&answer) } else { due(&answer) }
}

/// Waits until the latest order of a kind is done; its state.
async fn settled(client: &Client, what: &str, account: &str) -> Result<String, Exit> {
    let bar = bar();
    let mut state = String::new();
    for _ in 0..LOOKS {
        let answer = client.get_json("/v1/retention").await?;
        let orders = answer["orders"].as_array().map_or(&[][..], Vec::as_slice);
        let mine = |order: &&Value| order["what"] == what && (account.is_empty() || order["account"] == account);
        state = orders.iter().rev().find(mine).map_or_else(|| "done".to_owned(), |order| text(&order["state"]));
        if state == "done" || state == "held" {
            break;
        }
        bar.set_message(state.clone());
        tokio::time::sleep(LOOK).await;
    }
    bar.finish_and_clear();
    Ok(state)
}

pub(super) async fn hold(config: &Config, arguments: HoldArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let done = held(&client, &arguments).await;
    super::ended(done, client.close().await)
}

async fn held(client: &Client, arguments: &HoldArguments) -> Result<(), Exit> {
    let (method, of) = match &arguments.action {
        HoldAction::Add(of) => (Method::PUT, of),
        HoldAction::Release(of) => (Method::DELETE, of),
        HoldAction::List => {
            let answer = client.get_json("/v1/retention").await?;
            return if arguments.json { out::json(&answer["holds"]) } else { holds(&answer["holds"]) };
        }
    };
    let body = json!({ "why": of.why, "by": of.by }).to_string();
    let path = format!("/v1/accounts/{}/hold", segment(&of.account));
    let sent = request(method, &path, &[(header::CONTENT_TYPE, "application/json")], Body::from(body))?;
    let answer = read_json(client.ask(sent).await?).await?;
    if arguments.json {
        return out::json(&answer);
    }
    let state = if answer["hold"].is_null() { "is released" } else { "is held: nothing of it is deleted or erased" };
    out::line(&format!("{} {state}", of.account))
}

fn holds(holds: &Value) -> Result<(), Exit> {
    let holds = holds.as_array().map_or(&[][..], Vec::as_slice);
    if holds.is_empty() {
        return out::line("no account is held");
    }
    let mut table = out::table(&["held account", "since", "why", "by"], &[]);
    for hold in holds {
        let of = |name: &str| text(&hold[name]);
        table.add_row([of("account"), of("since"), of("why"), of("by")]);
    }
    out::line(&table.to_string())
}

pub(super) async fn account_data(config: &Config, arguments: AccountDataArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let done = match &arguments.action {
        DataAction::Export { account } => export(&client, account).await,
        DataAction::Erase { of, apply, json } => erase(&client, of, *apply, *json).await,
    };
    super::ended(done, client.close().await)
}

async fn export(client: &Client, account: &str) -> Result<(), Exit> {
    let path = format!("/v1/accounts/{}/data", segment(account));
    let mut body = client.get(&path, "application/x-ndjson").await?.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Exit::environment(format!("the answer broke off: {e}")))?;
        if let Some(data) = frame.data_ref() {
            out::write(data)?;
        }
    }
    Ok(())
}

async fn erase(client: &Client, of: &Of, apply: bool, json: bool) -> Result<(), Exit> {
    let asked = json!({ "why": of.why, "by": of.by, "apply": apply });
    let path = format!("/v1/accounts/{}/erase", segment(&of.account));
    let answer = client.post_json(&path, &asked).await?;
    if json {
        return out::json(&answer);
    }
    let going = if apply { "go" } else { "would go" };
    for (period, calls) in answer["calls"].as_object().into_iter().flatten() {
        out::line(&format!("{period}: details of {calls} calls {going}"))?;
    }
    let bytes = out::grouped(answer["journal_bytes"].as_u64().unwrap_or(0));
    out::line(&format!("raw records of all accounts up to now {going}: {bytes} bytes of the journal"))?;
    if !apply {
        return out::line("nothing was erased: --apply erases");
    }
    match settled(client, "erase", &of.account).await?.as_str() {
        "done" => out::line(&format!("{} is erased", of.account)),
        state => Err(Exit::faults(format!("{} is not erased yet: {state}", of.account))),
    }
}
