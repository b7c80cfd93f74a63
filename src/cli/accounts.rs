//! `callrated accounts`, `callrated numbers`: the directory in force, and changing it.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::{Method, Request, header};
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::client::{Client, exit_of, json, path, request, segment};
use super::out;
use super::usage::text;
use crate::config::Config;
use crate::exit::Exit;

/// Accounts asked for at a time.
const PAGE: usize = 1000;

/// Look at accounts, change them from an instant on, and see who changed what.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated accounts list\n  callrated accounts set acme plan=de-flat --from 2026-11-01\n  callrated accounts import accounts.csv"
)]
pub struct AccountsArguments {
    #[command(subcommand)]
    what: What<AccountWord>,
}

/// Look at numbers, give them to accounts from an instant on, and see whose they were.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated numbers show +4930123456\n  callrated numbers set +4930123456 account=acme --from 2026-11-01\n  callrated numbers import numbers.csv"
)]
pub struct NumbersArguments {
    #[command(subcommand)]
    what: What<NumberWord>,
}

/// What only accounts have.
#[derive(Debug, Subcommand)]
enum AccountWord {
    /// Show every account with its latest row.
    #[command(after_help = "Example:\n  callrated accounts list --after acme --limit 20")]
    List {
        /// Those behind this name.
        #[arg(long, default_value = "")]
        after: String,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What only numbers have.
#[derive(Debug, Subcommand)]
enum NumberWord {}

#[derive(Debug, Subcommand)]
enum What<T: Subcommand> {
    #[command(flatten)]
    Own(T),
    /// Show one.
    #[command(after_help = "Examples:\n  callrated accounts show acme\n  callrated numbers show +4930123456")]
    Show {
        /// The account, or the number.
        name: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show every change of one: who, when, from what to what.
    #[command(after_help = "Examples:\n  callrated accounts history acme\n  callrated numbers history +4930123456")]
    History {
        /// The account, or the number.
        name: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Change one from an instant on, or make it.
    #[command(
        after_help = "Examples:\n  callrated accounts set acme plan=de-flat --from 2026-11-01\n  callrated numbers set +4930123456 account=acme"
    )]
    Set {
        /// The account, or the number.
        name: String,
        /// Columns of accounts.csv or numbers.csv, such as plan=de-flat; nothing behind the = takes it away.
        #[arg(value_name = "COLUMN=VALUE")]
        cells: Vec<String>,
        /// A day or an instant; without it, now (of what is new: since ever).
        #[arg(long, value_name = "WHEN")]
        from: Option<String>,
        /// Until when, exclusive.
        #[arg(long, value_name = "WHEN")]
        to: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// End one at an instant: later calls belong to nobody.
    #[command(
        after_help = "Examples:\n  callrated accounts end acme --at 2027-01-01\n  callrated numbers end +4930123456"
    )]
    End {
        /// The account, or the number.
        name: String,
        /// A day or an instant; without it, now.
        #[arg(long, value_name = "WHEN")]
        at: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// Give one that is kept over the API back to the rates folder, whose rows hold again.
    #[command(
        after_help = "Examples:\n  callrated accounts give-back acme\n  callrated numbers give-back +4930123456 --rewrite"
    )]
    GiveBack {
        /// The account, or the number.
        name: String,
        /// Also where its rows there say something else of the past.
        #[arg(long)]
        rewrite: bool,
        /// Who asks, for the history.
        #[arg(long, default_value = "command line")]
        by: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Change many by a file, all or none.
    #[command(
        after_help = "Examples:\n  callrated accounts import accounts.csv --take-over\n  callrated numbers import numbers.csv"
    )]
    Import {
        /// As accounts.csv or numbers.csv, or lines of JSON (.ndjson, .jsonl).
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Debug, Args)]
struct How {
    /// Also what the rates folder has, whose rows there are not read any more then.
    #[arg(long)]
    take_over: bool,
    /// Who asks, for the history.
    #[arg(long, default_value = "command line")]
    by: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn accounts(config: &Config, arguments: AccountsArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let done = match arguments.what {
        What::Own(AccountWord::List { after, limit, json }) => list(&client, after, limit, json).await,
        what => common(&client, "accounts", what).await,
    };
    super::ended(done, client.close().await)
}

pub(super) async fn numbers(config: &Config, arguments: NumbersArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let done = common(&client, "numbers", arguments.what).await;
    super::ended(done, client.close().await)
}

async fn common<T: Subcommand>(client: &Client, kind: &str, what: What<T>) -> Result<(), Exit> {
    let of = |name: &str| format!("/v1/{kind}/{}", segment(name));
    match what {
        // Accounts have words of their own, which were heard before.
        What::Own(_) => Ok(()),
        What::Show { name, json } => show(&client.get_json(&of(&name)).await?, json),
        What::History { name, json } => history(&client.get_json(&format!("{}/history", of(&name))).await?, json),
        What::Set { name, cells, from, to, how } => {
            let mut body = Map::new();
            for cell in &cells {
                let (column, value) = cell.split_once('=').ok_or_else(|| {
                    Exit::usage(format!("{cell:?}: write COLUMN=VALUE, such as plan=de-flat or account=acme"))
                })?;
                body.insert(column.to_owned(), Value::from(value));
            }
            body.extend(from.map(|from| ("valid_from".to_owned(), Value::from(from))));
            body.extend(to.map(|to| ("valid_to".to_owned(), Value::from(to))));
            let body = Value::from(body).to_string();
            let answer = ask(client, Method::PUT, &of(&name), &how, None, "application/json", body.into()).await?;
            said(&answer, &how)
        }
        What::End { name, at, how } => {
            let answer = ask(client, Method::DELETE, &of(&name), &how, at.as_deref(), "", Body::empty()).await?;
            said(&answer, &how)
        }
        What::GiveBack { name, rewrite, by, json } => {
            let how = How { take_over: false, by, json };
            let rewrite = if rewrite { "true" } else { "false" };
            let to = path(&of(&name), &[("to", Some("files")), ("rewrite", Some(rewrite)), ("by", Some(&how.by))]);
            let answer = sent(client, request(Method::DELETE, &to, &[], Body::empty())?).await?;
            said(&answer, &how)
        }
        What::Import { file, how } => {
            let bytes = std::fs::read(&file).map_err(|e| Exit::usage(format!("{}: {e}", file.display())))?;
            let answer =
                ask(client, Method::POST, &format!("/v1/{kind}"), &how, None, content(&file), bytes.into()).await?;
            said(&answer, &how)
        }
    }
}

fn content(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("ndjson" | "jsonl" | "json") => "application/x-ndjson",
        _ => "text/csv",
    }
}

/// Asks for a change; every fault is printed by itself.
async fn ask(
    client: &Client,
    method: Method,
    to: &str,
    how: &How,
    at: Option<&str>,
    content: &str,
    body: Body,
) -> Result<Value, Exit> {
    let take_over = how.take_over.then_some("true");
    let url = path(to, &[("by", Some(&how.by)), ("take_over", take_over), ("at", at)]);
    sent(client, request(method, &url, &[(header::CONTENT_TYPE, content)], body)?).await
}

async fn sent(client: &Client, request: Request<Body>) -> Result<Value, Exit> {
    let response = client.send(request).await?;
    let status = response.status();
    let answer = json(response).await?;
    if status.is_success() {
        return Ok(answer);
    }
    let errors = answer["errors"].as_array().map_or(&[][..], Vec::as_slice);
    if errors.len() > 1 {
        for error in errors {
            eprintln!("{}", text(error));
        }
    }
    Err(exit_of(status, Some(&answer)))
}

fn said(answer: &Value, how: &How) -> Result<(), Exit> {
    for warning in answer["warnings"].as_array().map_or(&[][..], Vec::as_slice) {
        eprintln!("warning: {}", text(warning));
    }
    if how.json {
        return out::json(answer);
    }
    let Some(changed) = answer["changed"].as_bool() else {
        let count = |name: &str| out::grouped(answer[name].as_u64().unwrap_or(0));
        return out::line(&format!("changed: {} accounts, {} numbers", count("accounts"), count("numbers")));
    };
    out::line(if changed { "changed; from now on it is:" } else { "nothing changed; it is:" })?;
    show(answer, false)?;
    for (period, calls) in answer["rated_calls"].as_object().into_iter().flatten() {
        let calls = out::grouped(calls.as_u64().unwrap_or(0));
        out::line(&format!("{period}: at most {calls} rated calls would come out otherwise; a seal rates them again"))?;
    }
    Ok(())
}

async fn list(client: &Client, mut after: String, limit: usize, json: bool) -> Result<(), Exit> {
    let mut accounts: Vec<Value> = Vec::new();
    while accounts.len() < limit {
        let page = (limit - accounts.len()).min(PAGE).to_string();
        let url = path("/v1/accounts", &[("after", Some(&after)), ("limit", Some(&page))]);
        let mut answer = client.get_json(&url).await?;
        if let Value::Array(more) = answer["accounts"].take() {
            accounts.extend(more);
        }
        match answer["after"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    if json {
        return out::json(&Value::from(accounts));
    }
    rows(&accounts, &["account", "name", "plan", "country", "timezone", "group", "kept", "valid_from", "valid_to"])
}

/// What one is: its dated rows, or owners, as a table, or its cells one below the other.
fn show(answer: &Value, json: bool) -> Result<(), Exit> {
    if json {
        return out::json(answer);
    }
    if let Value::Array(dated) = &answer["rows"] {
        return rows(
            dated,
            &["valid_from", "valid_to", "plan", "country", "timezone", "group", "name", "billing_start"],
        );
    }
    if let Value::Array(owners) = &answer["owners"] {
        return rows(owners, &["valid_from", "valid_to", "account"]);
    }
    let mut table = out::table(&["", ""], &[]);
    for (name, value) in answer.as_object().into_iter().flatten() {
        table.add_row([name.clone(), cell(value)]);
    }
    out::line(&table.to_string())
}

fn history(answer: &Value, json: bool) -> Result<(), Exit> {
    if json {
        return out::json(answer);
    }
    for change in answer["changes"].as_array().map_or(&[][..], Vec::as_slice) {
        let of = |name: &str| cell(&change[name]);
        let kept = if change["kept"] == "api" { "kept over the API" } else { "kept by the files" };
        out::line(&format!("{}  {}  {kept}  (journal position {})", of("at"), of("by"), of("position")))?;
        for (sign, side) in [("-", "before"), ("+", "after")] {
            let (these, those) = match side {
                "before" => (&change["before"], &change["after"]),
                _ => (&change["after"], &change["before"]),
            };
            let those = those.as_array().map_or(&[][..], Vec::as_slice);
            for row in these.as_array().into_iter().flatten().filter(|row| !those.contains(row)) {
                let cells = row.as_object().into_iter().flatten().filter(|(_, value)| !cell(value).is_empty());
                let cells: Vec<String> = cells.map(|(name, value)| format!("{name}={}", cell(value))).collect();
                out::line(&format!("  {sign} {}", cells.join(" ")))?;
            }
        }
    }
    if answer["incomplete"] == Value::Bool(true) {
        out::line("older directories are no longer kept: what they changed is not told")?;
    }
    Ok(())
}

fn rows(rows: &[Value], columns: &[&str]) -> Result<(), Exit> {
    let mut table = out::table(columns, &[]);
    for row in rows {
        table.add_row(columns.iter().map(|column| cell(&row[column])));
    }
    out::line(&table.to_string())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
