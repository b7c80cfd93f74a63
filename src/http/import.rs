//! `POST /v1/import`: old records by the same road as live ones, and what became of exactly these.
//!
//! They have a source of their own, which accepts answers of any age. One import at a time passes: so what the road counted
//! for that source between its beginning and its end is what became of its records, whoever else sends meanwhile.
//!
//! Does not know formats, nor what becomes of a record.

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{App, Problem};
use crate::ingest::Door;
use crate::ingest::http as ingest;
use crate::ingest::http::{PostError, Posted};
use crate::road::Became;
use crate::time::Zone;

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
    /// What the body is written in, by `callrated formats list`; without it told by its content type.
    #[param(example = "asterisk-csv")]
    format: Option<String>,
    /// IANA zone of times that bring no offset; UTC.
    #[param(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// What FreeSWITCH adds to every address; the record itself says it, too.
    #[allow(dead_code)]
    uuid: Option<String>,
}

impl Asked {
    /// The door for what was asked.
    pub(super) fn door(self, app: &App, door: &Door) -> Result<Door, Problem> {
        if let Some(node) =
            self.node.as_ref().filter(|n| n.is_empty() || n.len() > NODE_MAX || n.chars().any(char::is_control))
        {
            return Err(Problem::bad_request(format!(
                "node={node:?}: write 1 to {NODE_MAX} bytes without control characters"
            )));
        }
        let format = match &self.format {
            None => None,
            Some(name) => Some(app.formats.named(name).ok_or_else(|| unknown_format(name, app))?),
        };
        let mut door = door.with(format, self.node);
        if let Some(zone) = &self.timezone {
            door.zone = Zone::named(zone).map_err(|e| Problem::bad_request(format!("timezone: {e}")))?;
        }
        Ok(door)
    }
}

fn unknown_format(name: &str, app: &App) -> Problem {
    let known: Vec<&str> = app.formats.names().collect();
    Problem::bad_request(format!("format={name:?} is not known; there are {}", known.join(", ")))
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
    let door = asked.door(&app, &app.import)?;
    // A client that goes away must not cut the counting off from its records: the next import would count them.
    let work = tokio::spawn(async move { counted(&app, door, headers, body).await });
    match work.await {
        Ok(answer) => answer,
        Err(_) => Err(Problem::stopping()),
    }
}

async fn counted(app: &App, door: Door, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let stopping = |_| Problem::stopping();
    let alone = app.importing.lock().await;
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
