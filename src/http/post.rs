//! `POST /v1/calls`.
//!
//! Does not know formats, nor what becomes of a record.

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, Problem, import};
use crate::ingest::http as ingest;

/// What became of the posted records.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "durable": 2, "refused": [{ "line": 3, "error": "no answer time" }] }))]
#[allow(dead_code)]
pub(super) struct Posted {
    /// Records that are safe. Repeats are safe too, and counted later.
    durable: u64,
    /// Lines that were not taken.
    refused: Vec<PostedRefusal>,
    /// Refused lines beyond the first 10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_more: Option<u64>,
}

/// A line that was not taken.
#[derive(Serialize, ToSchema)]
#[allow(dead_code)]
pub(super) struct PostedRefusal {
    /// From 1; in a JSON array the place of the element.
    line: u64,
    /// What to mend.
    error: String,
}

/// Send records.
///
/// Answered once they are synced to disk. 503 with `Retry-After` when no more can be taken; records synced before it
/// stay, and sending the whole body again is safe. With `format` the body may be of any content type, as nodes write it.
#[utoipa::path(
    post, path = "/v1/calls", tag = "records", operation_id = "post_calls", params(import::Asked),
    request_body(content(
        (serde_json::Value = "application/x-ndjson"), (serde_json::Value = "application/json"), (String = "text/csv"),
    )),
    responses((status = 200, body = Posted), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["ingest"])),
)]
pub(super) async fn post(
    State(app): State<App>,
    Query(asked): Query<import::Asked>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let door = asked.door(&app, &app.post)?;
    Ok(ingest::post_calls(&door, &headers, body, ingest::BODY_MAX).await)
}
