//! `POST /v1/calls`, `GET /v1/accounts/{account}/calls`, `GET /v1/calls/{node}/{id}`, `GET /v1/records/{node}/{id}`.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::details::{self, Columns, Language};
use super::{App, Problem, stream};
use crate::batch::Position;
use crate::ingest::http as ingest;
use crate::money::Money;
use crate::record::{Direction, Record, identity};
use crate::store::{CallPage, Visit};
use crate::time::Period;

/// Takes records.
pub(super) async fn post(State(app): State<App>, headers: HeaderMap, body: Body) -> Response {
    ingest::post_calls(&app.post, &headers, body, ingest::BODY_MAX).await
}

/// `?period=2026-10&lang=de&columns=full&billed_only=true`.
#[derive(Deserialize)]
pub(super) struct Asked {
    period: Option<String>,
    lang: Option<String>,
    columns: Option<String>,
    #[serde(default)]
    billed_only: bool,
}

/// Call details of a month, streamed.
pub(super) async fn of_account(
    State(app): State<App>,
    Path(account): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, directory) = app.in_force().await?;
    let now = app.clock.now();
    let row = directory.account_at(account.as_bytes(), now);
    let period = match &asked.period {
        Some(text) => text.parse::<Period>().map_err(|e| Problem::bad_request(e.to_string()))?,
        None => Period::containing(now, row.map_or(&crate::time::Zone::UTC, |r| r.zone)),
    };
    let language = asked.lang.as_deref().or(row.map(|r| r.language)).unwrap_or("en");
    let language = Language::named(language)
        .ok_or_else(|| Problem::bad_request(format!("lang={language:?}: en, de and it are known")))?;
    let columns = match asked.columns.as_deref() {
        None | Some("usual") => Columns::Usual,
        Some("full") => Columns::Full,
        Some(other) => return Err(Problem::bad_request(format!("columns={other:?}: write usual or full"))),
    };
    let known = row.is_some();
    app.settle().await?;
    let name = account.clone();
    let key = app.stored(move |store| store.account_named(&name)).await?;
    if key.is_none() && !known {
        return Err(Problem::not_found(format!("no account {account:?} is known")));
    }
    let lines = wants_json(&headers);
    let billed_only = asked.billed_only;
    let (mut writer, body) = stream::body();
    let store = app.store.clone();
    tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        if !lines {
            details::csv_header(language, columns, &mut text);
        }
        let Some(key) = key else {
            let _ = writer.write(text.as_bytes()).and_then(|()| writer.flush());
            return;
        };
        let outcome = store.calls(key, period, CallPage::default(), &mut |call| {
            if billed_only && call.call.cost == Money::ZERO {
                return Visit::Continue(());
            }
            if lines {
                text.push_str(&details::json(call).to_string());
                text.push('\n');
            } else {
                details::csv_row(call, language, columns, &mut text);
            }
            let written = writer.write(text.as_bytes());
            text.clear();
            if written.is_ok() { Visit::Continue(()) } else { Visit::Break(()) }
        });
        if let Err(error) = outcome {
            // The status is sent already: the body ends early, and the log says why.
            tracing::error!("call details ended early: {error}");
            return;
        }
        let _ = writer.write(text.as_bytes()).and_then(|()| writer.flush());
    });
    let kind = if lines { "application/x-ndjson" } else { "text/csv; charset=utf-8" };
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if !lines {
        let file = format!("attachment; filename=\"calls-{period}.csv\"");
        if let Ok(value) = HeaderValue::from_str(&file) {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
        }
    }
    Ok(response)
}

/// Whether the client asks for JSON lines rather than CSV.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("json"))
}

/// The rated legs of a record.
pub(super) async fn one(
    State(app): State<App>,
    Path((node, id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let positions = positions(&app, &node, &id).await?;
    app.settle().await?;
    let calls = rated(&app, positions).await?;
    if calls.is_empty() {
        return Err(Problem::not_found(format!(
            "no rated call of node {node:?} and id {id:?}; /v1/records/{{node}}/{{id}} says what became of the record"
        )));
    }
    Ok(Json(json!({ "node": node, "id": id, "legs": calls })))
}

/// What became of a record: disposition, legs, suspense.
pub(super) async fn record(
    State(app): State<App>,
    Path((node, id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let positions = positions(&app, &node, &id).await?;
    app.settle().await?;
    let mut records = Vec::new();
    for position in positions {
        let legs = rated(&app, vec![position]).await?;
        let held = app.stored(move |store| store.suspense_of(position)).await?;
        let suspense: Vec<Value> = held
            .iter()
            .map(|item| {
                json!({ "leg": item.key.leg.map(Direction::name), "reason": item.reason.name(), "detail": item.detail })
            })
            .collect();
        let disposition = match (legs.is_empty(), held.iter().any(|item| item.key.leg.is_none())) {
            (_, true) => "suspended",
            (false, _) => "resolved",
            (true, false) if suspense.is_empty() => "unknown",
            (true, false) => "resolved",
        };
        let journal = app.journal.clone();
        let raw = tokio::task::spawn_blocking(move || raw(&journal, position)).await.unwrap_or_default();
        records.push(json!({
            "position": position.0, "disposition": disposition, "legs": legs, "suspense": suspense, "received": raw,
        }));
    }
    Ok(Json(json!({ "node": node, "id": id, "records": records })))
}

/// What was received, and when, as long as the journal keeps it.
fn raw(journal: &crate::journal::JournalReader, position: Position) -> Value {
    match journal.entry(position) {
        Ok(Some((head, entry))) => match Record::decode(&entry.payload) {
            Ok(record) => json!({
                "at": crate::time::Timestamp(head.received_at.get()).to_string(),
                "raw": String::from_utf8_lossy(record.raw),
            }),
            Err(_) => Value::Null,
        },
        _ => Value::Null,
    }
}

/// Positions of the records of a node and id: one without direction, or one each way.
async fn positions(app: &App, node: &str, id: &str) -> Result<Vec<Position>, Problem> {
    let ways = [None, Some(Direction::Outbound), Some(Direction::Inbound)];
    let identities = ways.iter().map(|way| identity(node.as_bytes(), id.as_bytes(), *way)).collect();
    let found = app.road.find(identities).await.map_err(|_| Problem::stopping())?;
    let positions: Vec<Position> = found.into_iter().flatten().map(|(_, position)| position).collect();
    if positions.is_empty() {
        return Err(Problem::not_found(format!(
            "no answered record of node {node:?} and id {id:?} was received (unanswered attempts are only counted)"
        )));
    }
    Ok(positions)
}

async fn rated(app: &App, positions: Vec<Position>) -> Result<Vec<Value>, Problem> {
    app.stored(move |store| {
        let mut calls = Vec::new();
        for position in positions {
            for call in store.legs(position)? {
                let name = store.account_name(call.call.account)?;
                let mut shown = details::json(&call.borrowed());
                shown["account"] = json!(name);
                calls.push(shown);
            }
        }
        Ok(calls)
    })
    .await
}
