//! `POST /v1/import`: old records by the same road as live ones, and what became of exactly these.
//!
//! They have a source of their own, which accepts answers of any age. One import at a time passes: so what the road counted
//! for that source between its beginning and its end is what became of its records, whoever else sends meanwhile.
//!
//! Does not know formats, nor what becomes of a record.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{App, Problem};
use crate::ingest::http as ingest;
use crate::ingest::http::{PostError, Posted};
use crate::ingest::{Door, counters::Counters};
use crate::road::Became;

/// Longest node name.
const NODE_MAX: usize = 255;

/// Whose records.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// The node of records that name none.
    #[param(example = "old-pbx")]
    node: Option<String>,
}

/// What became of the records of a body: `received = refused + unanswered + duplicate + conflict + suspended + resolved
/// + parts`.
#[derive(Serialize, ToSchema)]
pub(super) struct Imported {
    received: u64,
    refused: u64,
    unanswered: u64,
    duplicate: u64,
    conflict: u64,
    suspended: u64,
    resolved: u64,
    /// Parts of calls that another part completes, or has completed.
    parts: u64,
    /// Refused lines with the reason.
    refusals: Vec<ImportRefusal>,
    /// Refused lines that are not listed.
    refusals_more: u64,
}

/// A line that was refused.
#[derive(Serialize, ToSchema)]
pub(super) struct ImportRefusal {
    /// Its number, from 1.
    line: u64,
    /// What to mend.
    error: String,
}

/// Old records, by the same road as live ones.
///
/// The body is as for `POST /v1/calls`; answers may be of any age. The answer tells what became of exactly these records.
#[utoipa::path(
    post, path = "/v1/import", tag = "records", operation_id = "import", params(Asked),
    request_body(content = String, content_type = "application/x-ndjson", description = "Also application/json and text/csv"),
    responses((status = 200, body = Imported), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn post(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let node = asked.node.unwrap_or_else(|| app.import.node.clone());
    if node.is_empty() || node.len() > NODE_MAX || node.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!(
            "node={node:?}: write 1 to {NODE_MAX} bytes without control characters"
        )));
    }
    // A client that goes away must not cut the counting off from its records: the next import would count them.
    let work = tokio::spawn(async move { counted(&app, node, headers, body).await });
    match work.await {
        Ok(answer) => answer,
        Err(_) => Err(Problem::stopping()),
    }
}

async fn counted(app: &App, node: String, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let stopping = |_| Problem::stopping();
    let alone = app.importing.lock().await;
    let door = Door {
        source: app.import.source,
        name: app.import.name.clone(),
        format: app.import.format.clone(),
        columns: app.import.columns.clone(),
        node,
        zone: app.import.zone.clone(),
        cut: app.import.cut,
        hints: app.import.hints.clone(),
        allow: app.import.allow.clone(),
        outbox: app.import.outbox.clone(),
        counters: Arc::<Counters>::clone(&app.import.counters),
    };
    let before = app.road.became(door.source).await.map_err(stopping)?;
    let (posted, outcome) = ingest::take(&door, &headers, body, u64::MAX).await;
    let became = app.road.became(door.source).await.map_err(stopping)?.since(before);
    drop(alone);
    Ok(answer(posted, became, outcome))
}

fn answer(posted: Posted, became: Became, outcome: Result<(), PostError>) -> Response {
    let Became { received, refused, unanswered, duplicate, conflict, suspended, resolved, parts } = became;
    let refusals = posted.refused.into_iter().map(|r| ImportRefusal { line: r.line, error: r.error }).collect();
    let refusals_more = posted.refused_more;
    let shown = Imported {
        received,
        refused,
        unanswered,
        duplicate,
        conflict,
        suspended,
        resolved,
        parts,
        refusals,
        refusals_more,
    };
    match outcome {
        Ok(()) => Json(shown).into_response(),
        // What was taken before is safe, and counted: the client goes on behind it.
        Err(error) => {
            let detail = error.to_string();
            let problem = match error {
                PostError::NotTaken(_) => Problem::unavailable(detail),
                PostError::ContentType(_) | PostError::TooLong(_) | PostError::Body(_) => Problem::bad_request(detail),
            };
            problem.with("durable", json!(posted.durable)).with("became", json!(shown)).into_response()
        }
    }
}
