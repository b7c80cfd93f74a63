//! `GET /v1/periods`, `GET /v1/periods/{period}`, its manifest, `POST …/seal`, `POST …/ack`: months that close.
//!
//! Does not know how a month is rated again.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, Problem};
use crate::daemon::sealer::SealFailed;
use crate::period::{everywhere, rolls_over};
use crate::store::AckRow;
use crate::time::Period;

/// A month.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "period": "2026-10", "state": "sealed", "over": "2026-11-01T12:00:00Z", "due": "2026-11-04T12:00:00Z",
    "requested_at": "2026-11-05T06:00:00Z", "requested_by": "api", "digest": "blake3:…", "progress": null,
    "failed": null, "acks": [{ "job": "invoices", "digest": "blake3:…", "at": "2026-11-05T07:00:00Z" }],
}))]
pub(super) struct Month {
    /// Year and month.
    period: String,
    /// `open`; `closing`: over, and records may still come; `sealing`: being rated again; `sealed`.
    state: &'static str,
    /// When it is over everywhere on earth. RFC 3339.
    over: String,
    /// From when on it may be sealed without saying that it is early: over, and the grace time. RFC 3339.
    due: String,
    /// When it was asked to be sealed.
    requested_at: Option<String>,
    /// Who or what asked.
    requested_by: Option<String>,
    /// BLAKE3 of what its manifest covers.
    digest: Option<String>,
    /// How far it is, while it is being sealed.
    progress: Option<SealProgress>,
    /// Why the last attempt failed; it is tried again.
    failed: Option<String>,
    /// Who took the manifest.
    acks: Vec<Acked>,
}

/// How far a seal is.
#[derive(Serialize, ToSchema)]
pub(super) struct SealProgress {
    /// Stored calls read.
    read: u64,
    /// Legs rated again.
    rated: u64,
}

/// A job took a manifest.
#[derive(Serialize, ToSchema)]
pub(super) struct Acked {
    job: String,
    digest: String,
    /// RFC 3339.
    at: String,
}

/// Every month that has calls or is closed.
#[derive(Serialize, ToSchema)]
pub(super) struct Months {
    /// The earliest first.
    periods: Vec<Month>,
}

/// Months and their states.
#[utoipa::path(
    get, path = "/v1/periods", tag = "usage", operation_id = "periods",
    responses((status = 200, body = Months), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn list(State(app): State<App>) -> Result<Json<Months>, Problem> {
    app.settle().await?;
    let (mut months, closed) = app.stored(|store| Ok((store.months()?, store.periods()?))).await?;
    months.extend(closed.iter().map(|row| row.period));
    months.sort_unstable();
    months.dedup();
    let mut periods = Vec::with_capacity(months.len());
    for period in months {
        periods.push(month(&app, period).await?);
    }
    Ok(Json(Months { periods }))
}

/// A month and its state.
#[utoipa::path(
    get, path = "/v1/periods/{period}", tag = "usage", operation_id = "period",
    params(("period" = String, Path, description = "Year and month, such as 2026-10")),
    responses((status = 200, body = Month), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn one(State(app): State<App>, Path(period): Path<String>) -> Result<Json<Month>, Problem> {
    Ok(Json(month(&app, named(&period)?).await?))
}

async fn month(app: &App, period: Period) -> Result<Month, Problem> {
    let over = everywhere(period).1;
    let state = app.sealer.state(period, over);
    let closed = app.sealer.closed(period);
    let acks = match state {
        "sealed" => app.stored(move |store| store.acks(period)).await?,
        _ => Vec::new(),
    };
    let sealing = state == "sealing";
    let (read, rated) = app.sealer.progress();
    Ok(Month {
        period: period.to_string(),
        state,
        over: over.to_string(),
        due: app.sealer.due(period).to_string(),
        requested_at: closed.as_ref().map(|row| row.requested_at.to_string()),
        requested_by: closed.as_ref().map(|row| row.requested_by.clone()),
        digest: closed.and_then(|row| row.digest),
        progress: sealing.then_some(SealProgress { read, rated }),
        failed: app.sealer.failed().filter(|_| sealing),
        acks: acks
            .into_iter()
            .map(|AckRow { job, digest, at, .. }| Acked { job, digest, at: at.to_string() })
            .collect(),
    })
}

/// How to seal.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SealRequest {
    /// The grace time need not be over. The month must be.
    early: bool,
    /// Who asks, for the record.
    by: Option<String>,
}

/// Seal a month.
///
/// The month takes no calls any more: what comes later is an adjustment in an open month. Everything of it is rated again
/// in canonical order by what is known now, corrections are written, and the manifest is made. That goes on behind the
/// answer; `GET /v1/periods/{period}` tells how far it is. Asking again changes nothing.
#[utoipa::path(
    post, path = "/v1/periods/{period}/seal", tag = "operating", operation_id = "seal",
    params(("period" = String, Path, description = "Year and month, such as 2026-10")),
    request_body = Option<SealRequest>,
    responses(
        (status = 200, description = "It is sealed", body = Month), (status = 202, description = "It is being sealed", body = Month),
        (status = "default", response = super::openapi::AnyProblem),
    ),
    security(("token" = ["operate"])),
)]
pub(super) async fn seal(
    State(app): State<App>,
    Path(period): Path<String>,
    asked: Option<Json<SealRequest>>,
) -> Result<Response, Problem> {
    let period = named(&period)?;
    let asked = asked.map(|Json(asked)| asked).unwrap_or_default();
    let now = app.clock.now();
    let over = everywhere(period).1;
    if app.sealer.closed(period).is_none() {
        if now < over {
            return Err(Problem::conflict(format!("{period} is not over everywhere before {over}")));
        }
        let due = app.sealer.due(period);
        if now < due && !asked.early {
            return Err(Problem::conflict(format!(
                "records of {period} are waited for until {due}; to seal it all the same, say that it is early"
            )));
        }
        app.settle().await?;
        in_order(&app, period).await?;
        app.sealer.close(period, asked.by.as_deref().unwrap_or("api")).await.map_err(failed)?;
    }
    let shown = month(&app, period).await?;
    if shown.state == "sealed" {
        return Ok(Json(shown).into_response());
    }
    let sealer = app.sealer.clone();
    // It says itself why it fails, and is tried again.
    tokio::spawn(async move { sealer.go_on().await });
    Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
}

/// What is left of minutes that roll over is known once their month is sealed, and a month that is sealed before that has
/// nothing of it for ever.
async fn in_order(app: &App, period: Period) -> Result<(), Problem> {
    if !rolls_over(&app.in_force()?.0) {
        return Ok(());
    }
    let months = app.stored(|store| store.months()).await?;
    let unsealed = |month: &Period| *month < period && app.sealer.state(*month, everywhere(*month).1) != "sealed";
    match months.into_iter().find(unsealed) {
        Some(earlier) => Err(Problem::conflict(format!(
            "{earlier} is not sealed, and what is left of its minutes rolls over: seal {earlier} first"
        ))),
        None => Ok(()),
    }
}

/// The manifest of a sealed month.
///
/// Per account and currency: calls, cost, totals by call type, first and last answer, digest; and the digest of the whole,
/// the tariffs used, what was late, contradictory or in suspense, and the minutes that roll over to the next month. The same bytes every time.
#[utoipa::path(
    get, path = "/v1/periods/{period}/manifest", tag = "usage", operation_id = "manifest",
    params(("period" = String, Path, description = "Year and month, such as 2026-10")),
    responses(
        (status = 200, body = serde_json::Value, content_type = "application/json"),
        (status = "default", response = super::openapi::AnyProblem),
    ),
    security(("token" = ["read"])),
)]
pub(super) async fn manifest(State(app): State<App>, Path(period): Path<String>) -> Result<Response, Problem> {
    let period = named(&period)?;
    match app.stored(move |store| store.manifest(period)).await? {
        Some(bytes) => Ok(([(header::CONTENT_TYPE, "application/json")], Bytes::from(bytes)).into_response()),
        None => {
            let state = app.sealer.state(period, everywhere(period).1);
            Err(Problem::not_found(format!("{period} is {state}; a month has a manifest once it is sealed")))
        }
    }
}

/// Who took a manifest.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AckRequest {
    /// The job, in its own words: `invoices 2026-11-05`.
    #[schema(example = "invoices")]
    job: String,
    /// Digest of the manifest it took.
    #[schema(example = "blake3:…")]
    digest: String,
}

/// Say that a job took the manifest.
///
/// Kept for ever beside the manifest. A digest that is not the manifest's is refused.
#[utoipa::path(
    post, path = "/v1/periods/{period}/ack", tag = "operating", operation_id = "ack",
    params(("period" = String, Path, description = "Year and month, such as 2026-10")),
    request_body = AckRequest,
    responses((status = 200, body = Month), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn ack(
    State(app): State<App>,
    Path(period): Path<String>,
    Json(asked): Json<AckRequest>,
) -> Result<Json<Month>, Problem> {
    let period = named(&period)?;
    if asked.job.trim().is_empty() || asked.job.len() > 255 {
        return Err(Problem::bad_request("job: name who took the manifest, in at most 255 bytes"));
    }
    match app.sealer.closed(period).and_then(|row| row.digest) {
        Some(digest) if digest == asked.digest => {}
        Some(digest) => return Err(Problem::conflict(format!("the manifest of {period} has the digest {digest}"))),
        None => return Err(Problem::conflict(format!("{period} is not sealed"))),
    }
    app.sealer.ack(period, &asked.digest, &asked.job).await.map_err(failed)?;
    Ok(Json(month(&app, period).await?))
}

fn named(period: &str) -> Result<Period, Problem> {
    period.parse().map_err(|e: crate::time::BadPeriod| Problem::bad_request(e.to_string()))
}

fn failed(error: SealFailed) -> Problem {
    Problem::unavailable(error.to_string())
}
