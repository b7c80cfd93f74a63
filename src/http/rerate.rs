//! `POST /v1/rerate`, `GET /v1/rerate`, `GET /v1/rerate/{job}`, `POST /v1/rerate/{job}/undo`: calls rated again (R22).
//!
//! Does not know how calls are rated again.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::tariff::{instant, known_digest};
use super::{App, Problem};
use crate::daemon::rerater::RerateFailed;
use crate::entry::{Rerate, RerateBegin, RerateScope};
use crate::period::SealError;
use crate::store::{RerateRun, RerateState};
use crate::time::{Period, Timestamp};

/// How long an answer waits for a job to end; what takes longer is asked for by its name.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked meanwhile.
const LOOK: Duration = Duration::from_millis(10);
/// Names in one list of a scope.
const NAMES_MAX: usize = 1000;
/// Longest cause and author.
const WHY_MAX: usize = 1000;

/// Which calls to rate again, and by what. A list that is left out asks nothing; what is asked must all hold.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({ "period": "2026-10", "accounts": ["acme"], "apply": true, "why": "wrong deck, ticket 1234" }))]
pub(super) struct RerateRequest {
    /// A month, or a range: `2026-08..2026-10`. Calls answered in it, also late ones that a later month bills.
    period: String,
    /// Who pays.
    accounts: Vec<String>,
    /// Whose allowance is drawn.
    groups: Vec<String>,
    /// First digits of the called number: `4420`.
    prefixes: Vec<String>,
    /// Destination names of the rows that priced the calls.
    destinations: Vec<String>,
    /// `international` and so on.
    call_types: Vec<String>,
    /// Calls priced by one of these tariffs: a digest, or its first 8 digits or more.
    rated_by: Vec<String>,
    /// Nodes of the records.
    nodes: Vec<String>,
    /// The tariff by which they are rated, whatever was in force; without it what is known now.
    tariff: Option<String>,
    /// With `tariff`: only calls answered from then on. RFC 3339.
    from: Option<String>,
    /// Make it count. Without it nothing is changed, and the answer says what would be.
    apply: bool,
    /// Why, in a sentence; kept for ever with what is corrected. Needed with `apply`.
    why: Option<String>,
    /// Who asks.
    by: Option<String>,
}

/// How to take a run back.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UndoRequest {
    /// Make it count. Without it nothing is changed, and the answer says what would be.
    apply: bool,
    /// Why, in a sentence. Needed with `apply`.
    why: Option<String>,
    /// Who asks.
    by: Option<String>,
}

/// A run of re-rating, or a dry run.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "job": "3", "run": 3, "state": "counts", "undoes": null, "undone_by": null, "by": "nora", "why": "wrong deck, ticket 1234",
    "at": "2026-11-05T06:00:00Z", "scope": { "period": "2026-10", "accounts": ["acme"] }, "progress": null, "failed": null,
    "report": { "calls": 4711, "changed": 12 },
}))]
pub(super) struct RerateJob {
    /// By which to ask for it: the number of a run, or `dry-` and a number, which is forgotten at a restart.
    job: String,
    /// The number of the run; null for a dry run.
    run: Option<u32>,
    /// `rating`; `done`: a dry run; `counts`; `given up`, see `failed`.
    state: &'static str,
    /// It takes this run back.
    undoes: Option<u32>,
    /// This later run took it back.
    undone_by: Option<u32>,
    by: String,
    why: String,
    /// When it was asked for. RFC 3339.
    at: String,
    /// What was asked for: names as in the request, `tariffs` for `rated_by`, digests whole.
    scope: Value,
    /// How far it is.
    progress: Option<RerateProgress>,
    /// Why nothing came of it.
    failed: Option<String>,
    /// What it changes. `calls` in the scope, `changed` of them, `follow_on`: calls outside it whose share of an allowance
    /// changes; `revisions` and `reversals` of rows; `total`, `accounts` (the largest difference first) and `call_types` with
    /// `before`, `after` and `difference` as decimals; `into_suspense` and `out_of_suspense`; `not_kept` and `other_month`:
    /// calls that stay as they are. Null in lists, and while it is at work.
    report: Value,
}

/// How far a job is.
#[derive(Serialize, ToSchema)]
pub(super) struct RerateProgress {
    /// Stored calls read.
    read: u64,
    /// Calls rated again.
    rated: u64,
}

/// Runs, the latest first.
#[derive(Serialize, ToSchema)]
pub(super) struct RerateRuns {
    runs: Vec<RerateJob>,
}

/// Rate calls again.
///
/// Without `apply` a dry run: what would change, in money and calls, and nothing does. With it, calls of open months get a
/// revision, and calls of sealed months stay as they are: the account's open month has a reversal and the call as it is now,
/// both with `adjusts`. Everything stands in the journal, with author and cause, and can be taken back. A price that was
/// wrong from an instant on is best corrected by a tariff that is put in force from that instant (`effective_from`); then
/// the calls are rated again by what is known. Calls that come meanwhile are rated as ever.
#[utoipa::path(
    post, path = "/v1/rerate", tag = "operating", operation_id = "rerate",
    request_body = RerateRequest,
    responses(
        (status = 200, description = "It has ended", body = RerateJob),
        (status = 202, description = "It is at work: ask for it by its `job`", body = RerateJob),
        (status = "default", response = super::openapi::AnyProblem),
    ),
    security(("token" = ["operate"])),
)]
pub(super) async fn rerate(State(app): State<App>, Json(asked): Json<RerateRequest>) -> Result<Response, Problem> {
    let (why, by) = said(asked.apply, asked.why.as_deref(), asked.by.as_deref())?;
    let (apply, scope) = (asked.apply, scope(&app, asked).await?);
    start(&app, apply, RerateBegin { scope, by, why, at: app.clock.now().0, ..RerateBegin::default() }).await
}

/// Take a run back.
///
/// Amounts become what they were before it, to the digit, again as revisions and reversals. Possible as long as nothing
/// later stands on what it wrote.
#[utoipa::path(
    post, path = "/v1/rerate/{job}/undo", tag = "operating", operation_id = "rerate_undo",
    params(("job" = String, Path, description = "The number of a run")),
    request_body = UndoRequest,
    responses(
        (status = 200, description = "It has ended", body = RerateJob),
        (status = 202, description = "It is at work: ask for it by its `job`", body = RerateJob),
        (status = "default", response = super::openapi::AnyProblem),
    ),
    security(("token" = ["operate"])),
)]
pub(super) async fn undo(
    State(app): State<App>,
    Path(job): Path<String>,
    Json(asked): Json<UndoRequest>,
) -> Result<Response, Problem> {
    let (why, by) = said(asked.apply, asked.why.as_deref(), asked.by.as_deref())?;
    let number = job.parse().map_err(|_| Problem::not_found(format!("{job:?} is no number of a run")))?;
    app.settle().await?;
    let (run, _) = stored(&app, number).await?;
    if run.state != RerateState::Counts {
        return Err(Problem::conflict(format!("run {number} does not count: {}", run.state.name())));
    }
    let scope = begin_of(&run).scope;
    start(
        &app,
        asked.apply,
        RerateBegin { scope, undoes: Some(number), by, why, at: app.clock.now().0, ..RerateBegin::default() },
    )
    .await
}

/// Runs of re-rating.
///
/// The latest first, without their reports. Dry runs are not listed.
#[utoipa::path(
    get, path = "/v1/rerate", tag = "operating", operation_id = "rerate_runs",
    responses((status = 200, body = RerateRuns), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn list(State(app): State<App>) -> Result<Json<RerateRuns>, Problem> {
    app.settle().await?;
    let runs = app.stored(|store| store.rerate_runs()).await?;
    Ok(Json(RerateRuns { runs: runs.iter().rev().map(|run| shown(&app, run, &runs)).collect() }))
}

/// A run or a dry run, with its report.
#[utoipa::path(
    get, path = "/v1/rerate/{job}", tag = "operating", operation_id = "rerate_job",
    params(("job" = String, Path, description = "The number of a run, or `dry-` and a number")),
    responses((status = 200, body = RerateJob), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn one(State(app): State<App>, Path(job): Path<String>) -> Result<Json<RerateJob>, Problem> {
    if let Some(number) = job.strip_prefix("dry-").and_then(|number| number.parse().ok()) {
        return dry(&app, number).map(Json);
    }
    let number = job.parse().map_err(|_| Problem::not_found(format!("{job:?} is no run and no dry run")))?;
    let (run, all) = stored(&app, number).await?;
    Ok(Json(shown(&app, &run, &all)))
}

/// Begins it, and waits a little for its end.
async fn start(app: &App, apply: bool, begin: RerateBegin) -> Result<Response, Problem> {
    app.settle().await?;
    let until = app.clock.running().0 + PATIENCE.as_micros() as i64;
    if !apply {
        let number = app.rerater.dry_run(begin).map_err(failed)?;
        loop {
            let job = dry(app, number)?;
            if job.state != "rating" {
                return Ok(Json(job).into_response());
            }
            if app.clock.running().0 > until {
                return Ok((StatusCode::ACCEPTED, Json(job)).into_response());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    let run = run_of(app, begin, PATIENCE).await?;
    let status = if run.state == RerateState::Rating { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(shown(app, &run, &[]))).into_response())
}

/// Begins a run, and waits a little for its end.
pub(super) async fn run_of(app: &App, begin: RerateBegin, patience: Duration) -> Result<RerateRun, Problem> {
    let number = app.rerater.begin(begin).await.map_err(failed)?;
    let rerater = app.rerater.clone();
    let ended = tokio::spawn(async move { rerater.go_on().await });
    // What fails is gone on with, and the log says so.
    let _ = tokio::time::timeout(patience, ended).await;
    Ok(stored(app, number).await?.0)
}

async fn stored(app: &App, number: u32) -> Result<(RerateRun, Vec<RerateRun>), Problem> {
    let (found, all) = app.stored(move |store| Ok((store.rerate_run(number)?, store.rerate_runs()?))).await?;
    let (run, _) = found.ok_or_else(|| Problem::not_found(format!("there is no run {number}")))?;
    Ok((run, all))
}

fn begin_of(run: &RerateRun) -> RerateBegin {
    match serde_json::from_str(&run.entry) {
        Ok(Rerate::Begin(begin)) => *begin,
        // The resolver wrote it.
        _ => RerateBegin::default(),
    }
}

fn shown(app: &App, run: &RerateRun, all: &[RerateRun]) -> RerateJob {
    let begin = begin_of(run);
    let undone =
        all.iter().rfind(|later| later.state == RerateState::Counts && begin_of(later).undoes == Some(run.run));
    let (read, rated) = app.rerater.progress();
    RerateJob {
        job: run.run.to_string(),
        run: Some(run.run),
        state: run.state.name(),
        undone_by: undone.map(|later| later.run),
        progress: (run.state == RerateState::Rating).then_some(RerateProgress { read, rated }),
        failed: run.why_not.clone(),
        report: run.report.as_ref().and_then(|report| serde_json::from_slice(report).ok()).unwrap_or_default(),
        ..of(&begin)
    }
}

fn dry(app: &App, number: u64) -> Result<RerateJob, Problem> {
    let run =
        app.rerater.dry(number).ok_or_else(|| Problem::not_found(format!("there is no dry run {number} any more")))?;
    let (read, rated) = run.progress.get();
    let job = RerateJob { job: format!("dry-{number}"), ..of(&run.begin) };
    match run.done {
        None => Ok(RerateJob { progress: Some(RerateProgress { read, rated }), ..job }),
        // Plain text and numbers always serialise.
        Some(Ok(report)) => {
            Ok(RerateJob { state: "done", report: serde_json::to_value(&*report).unwrap_or_default(), ..job })
        }
        Some(Err(error)) => match &*error {
            SealError::Refused(why) => Err(Problem::unprocessable(why.clone())),
            error => Err(Problem::unavailable(error.to_string())),
        },
    }
}

fn of(begin: &RerateBegin) -> RerateJob {
    let (first, last) = (Period(begin.scope.first), Period(begin.scope.last));
    // Plain text and numbers always serialise.
    let mut scope = serde_json::to_value(&begin.scope).unwrap_or_default();
    if let Some(scope) = scope.as_object_mut() {
        scope.remove("first");
        scope.remove("last");
        let months = if first == last { first.to_string() } else { format!("{first}..{last}") };
        scope.insert("period".to_owned(), Value::from(months));
        if let Some(from) = begin.scope.from {
            scope.insert("from".to_owned(), Value::from(Timestamp(from).to_string()));
        }
    }
    RerateJob {
        job: String::new(),
        run: None,
        state: RerateState::Rating.name(),
        undoes: begin.undoes,
        undone_by: None,
        by: begin.by.clone(),
        why: begin.why.clone(),
        at: Timestamp(begin.at).to_string(),
        scope,
        progress: None,
        failed: None,
        report: Value::Null,
    }
}

/// Cause and author.
fn said(apply: bool, why: Option<&str>, by: Option<&str>) -> Result<(String, String), Problem> {
    let why = why.unwrap_or_default().trim();
    if apply && why.is_empty() || why.len() > WHY_MAX {
        return Err(Problem::bad_request("why: say in a sentence why calls are rated again, in at most 1000 bytes"));
    }
    let by = by.unwrap_or("api").trim();
    if by.is_empty() || by.len() > WHY_MAX {
        return Err(Problem::bad_request("by: name who asks, in at most 1000 bytes"));
    }
    Ok((why.to_owned(), by.to_owned()))
}

/// What was asked, checked as far as names go.
async fn scope(app: &App, asked: RerateRequest) -> Result<RerateScope, Problem> {
    let bad = |e: crate::time::BadPeriod| Problem::bad_request(format!("period: {e}"));
    let (first, last) = asked.period.split_once("..").unwrap_or((&asked.period, &asked.period));
    let (first, last): (Period, Period) = (first.parse().map_err(bad)?, last.parse().map_err(bad)?);
    let lists = [&asked.accounts, &asked.groups, &asked.prefixes, &asked.destinations, &asked.call_types];
    let lists = lists.into_iter().chain([&asked.rated_by, &asked.nodes]);
    if lists.clone().any(|list| list.len() > NAMES_MAX) {
        return Err(Problem::bad_request(format!("a list of more than {NAMES_MAX} names: ask for fewer at a time")));
    }
    if lists.flatten().any(String::is_empty) {
        return Err(Problem::bad_request("an empty name in a list: leave the list out if it is to ask nothing"));
    }
    if asked.from.is_some() && asked.tariff.is_none() {
        return Err(Problem::bad_request("from: says from when a tariff applies, so name the tariff"));
    }
    app.settle().await?;
    let (accounts, groups) = (asked.accounts.clone(), asked.groups.clone());
    let unknown = app.stored(move |store| {
        for account in &accounts {
            if store.account_named(account)?.is_none() {
                return Ok(Some(format!("account {account:?}")));
            }
        }
        let known = if groups.is_empty() { Vec::new() } else { store.load()?.groups };
        let group = groups.iter().find(|group| !known.iter().any(|one| one.name == **group));
        Ok(group.map(|group| format!("billing group {group:?}")))
    });
    if let Some(unknown) = unknown.await? {
        return Err(Problem::not_found(format!("no call was ever rated of {unknown}")));
    }
    let mut tariffs = Vec::with_capacity(asked.rated_by.len());
    for written in &asked.rated_by {
        tariffs.push(known_digest(app, written).await?);
    }
    let by_tariff = match &asked.tariff {
        Some(written) => Some(known_digest(app, written).await?),
        None => None,
    };
    Ok(RerateScope {
        first: first.0,
        last: last.0,
        accounts: asked.accounts,
        groups: asked.groups,
        prefixes: asked.prefixes,
        destinations: asked.destinations,
        call_types: asked.call_types,
        tariffs,
        nodes: asked.nodes,
        by_tariff,
        from: instant(asked.from.as_deref())?.map(|from| from.0),
    })
}

fn failed(error: RerateFailed) -> Problem {
    match error {
        RerateFailed::Busy => Problem::conflict(error.to_string()),
        RerateFailed::Full => Problem::unavailable(error.to_string()).retry_after(5),
        error => Problem::unavailable(error.to_string()),
    }
}
