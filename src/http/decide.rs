//! `POST /v1/conflicts/{node}/{id}/decide`: which version of a record counts (R20).
//!
//! Does not know how a version is rated.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::calls::{positions, rated};
use super::details::Leg;
use super::received::kept;
use super::rerate::run_of;
use super::{App, Problem};
use crate::batch::{Batch, EntryKind, Position, SourceId};
use crate::call::RatedCall;
use crate::daemon::retry::entry;
use crate::entry::{Decide, Decides, RerateBegin, RerateScope};
use crate::record::Record;
use crate::store::{Conflict, DecidedRow, RerateState};
use crate::time::{Period, Timestamp, Zone};

/// How long an answer waits for a run of re-rating: it reads the months in which the account's allowance was drawn.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which version, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecideRequest {
    /// `first`, `second`, or the position of a version as the list shows it.
    #[schema(value_type = String, example = "second")]
    keep: Value,
    /// Why, in a sentence.
    #[schema(example = "the gateway corrected its record, ticket 1234")]
    why: String,
    /// Who says so.
    by: Option<String>,
}

/// A decision.
#[derive(Serialize, ToSchema)]
pub(super) struct DecisionShown {
    /// Position of the version taken.
    kept: u64,
    why: String,
    by: String,
    /// RFC 3339.
    at: String,
}

impl DecisionShown {
    /// As the store has it.
    pub(super) fn of(row: &DecidedRow) -> DecisionShown {
        DecisionShown { kept: row.kept.0, why: row.why.clone(), by: row.by.clone(), at: row.at.to_string() }
    }
}

/// What came of a decision.
#[derive(Serialize, ToSchema)]
pub(super) struct Decided {
    node: String,
    id: String,
    /// Position of the record that came first.
    first: u64,
    decision: DecisionShown,
    /// The legs that counted before.
    before: Vec<Leg>,
    /// Those that count now.
    now: Vec<Leg>,
    /// How much of the record waits in suspense now.
    waiting: usize,
    /// The run of re-rating that took it, where a month of the record is closed; else null.
    run: Option<u32>,
}

/// Decide which version of a record counts.
///
/// The version taken is rated at once, as a revision: its legs count in place of those before, which stay visible. It
/// counts at the seal, too, in place of the rule (the shorter talk time, then the smaller digest), and the manifest names
/// it with the reason. A later decision replaces it. Where a month of the record is closed, it stays as it is: a run of
/// re-rating takes the legs before back in the account's open month and charges those of the version taken there, with the
/// same author and cause, as it corrects any call of a closed month.
#[utoipa::path(
    post, path = "/v1/conflicts/{node}/{id}/decide", tag = "operating", operation_id = "decide",
    params(("node" = String, Path, description = "The record's node"), ("id" = String, Path, description = "Its id")),
    request_body = DecideRequest,
    responses((status = 200, body = Decided), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn decide(
    State(app): State<App>,
    Path((node, id)): Path<(String, String)>,
    Json(asked): Json<DecideRequest>,
) -> Result<Json<Decided>, Problem> {
    let why = asked.why.trim().to_owned();
    if why.is_empty() || why.len() > 1000 {
        return Err(Problem::bad_request("why: say in a sentence why this version counts, in at most 1000 bytes"));
    }
    let places = positions(&app, &node, &id).await?;
    app.settle().await?;
    // What is read below holds up to here at least; what changes it later makes the entry void.
    let seen = app.road.progress().stored.load(Ordering::Acquire);
    let (first, versions) = versions(&app, &places, &asked.keep).await?;
    let chosen = chosen(&asked.keep, first, &versions)?;
    let before = app.stored(move |store| store.legs(first)).await?;
    let waiting = app.stored(move |store| store.suspense_of(first)).await?;
    let periods = app.stored(|store| store.periods()).await?;
    let months = before.iter().flat_map(|leg| [leg.call.period, leg.call.own_period()]);
    let mut months = months.chain(waiting.iter().filter_map(|item| item.period));
    let closed = months.any(|month| periods.iter().any(|row| row.period == month));
    let latest = app.stored(move |store| store.decisions(Some(first))).await?.pop();
    // In a closed month the seal may have taken another than the first: the run looks what stands there.
    let stands = !closed && latest.as_ref().map_or(first, |latest| latest.kept) == chosen;
    let taken = match versions.iter().find(|version| version.position == chosen) {
        Some(version) => (version.record.clone(), version.source, version.received_at),
        None if stands => (Vec::new(), SourceId(0), None),
        None => first_record(&app, first).await?,
    };
    let shown_before = rated(&app, vec![first]).await?;
    let by = asked.by.clone().unwrap_or_else(|| "api".to_owned());
    let at = app.clock.now();
    if closed {
        let months: Vec<Period> = before.iter().map(|leg| leg.call.own_period()).collect();
        let own = months.into_iter().chain(waiting.iter().filter_map(|item| item.period));
        let run = by_a_run(&app, (first, chosen), taken, own.collect(), (&why, &by, at)).await?;
        let decision = DecisionShown { kept: chosen.0, why: why.clone(), by: by.clone(), at: at.to_string() };
        let now = rated(&app, vec![first]).await?;
        let waiting = app.stored(move |store| store.suspense_of(first)).await?.len();
        let run = Some(run);
        return Ok(Json(Decided { node, id, first: first.0, decision, before: shown_before, now, waiting, run }));
    }
    let rows: Vec<(RatedCall, &[u8])> = before.iter().map(|leg| (leg.call, &*leg.draws)).collect();
    let revision = before.iter().map(|leg| leg.revision).max().unwrap_or(0) + 1;
    let said = Decide {
        first: first.0,
        kept: chosen.0,
        source: taken.1.0,
        received_at: taken.2.unwrap_or(at).0,
        seen,
        revision: if stands { 0 } else { revision },
        // Numbers and text always serialise.
        rated: serde_json::to_value(&rows).unwrap_or_default(),
        waiting: waiting.iter().map(entry).collect(),
        why: why.clone(),
        by: by.clone(),
        at: at.0,
    };
    let mut payload = Vec::with_capacity(taken.0.len() + 1024);
    // The same.
    let _ = said.encode(&taken.0, &mut payload);
    let mut batch = Batch::new(SourceId(0));
    batch.push_entry(EntryKind::Decide, &payload);
    app.road.enter(batch).await.map_err(|e| Problem::unavailable(e.to_string()))?;
    app.settle().await?;
    let made = app.stored(move |store| store.decisions(Some(first))).await?.pop();
    let Some(made) = made.filter(|made| made.at == at && made.kept == chosen) else {
        return Err(Problem::conflict(
            "the record changed meanwhile, or its month was closed or is being rated again: look again",
        ));
    };
    let now = rated(&app, vec![first]).await?;
    let waiting = app.stored(move |store| store.suspense_of(first)).await?.len();
    let decision = DecisionShown::of(&made);
    Ok(Json(Decided { node, id, first: first.0, decision, before: shown_before, now, waiting, run: None }))
}

/// Takes a version where a month is closed: the number of the run that did.
async fn by_a_run(
    app: &App,
    (first, chosen): (Position, Position),
    (record, source, received_at): (Vec<u8>, SourceId, Option<Timestamp>),
    own: Vec<Period>,
    (why, by, at): (&str, &str, Timestamp),
) -> Result<u32, Problem> {
    // Wherever on earth the version taken was answered: nothing else changes in these months meanwhile.
    let answer = Record::decode(&record).ok().and_then(|record| record.answer);
    let month = answer.map(|answer| Period::containing(answer, &Zone::UTC));
    let near = month.into_iter().flat_map(|month| [Period(month.0 - 1), Period(month.0 + 1)]);
    let own: BTreeSet<Period> = own.into_iter().chain(near).collect();
    let ends = own.first().zip(own.last());
    let (begins, ends) = ends.ok_or_else(|| Problem::conflict("nothing of the record was rated: look again"))?;
    let begin = RerateBegin {
        scope: RerateScope { first: begins.0, last: ends.0, ..RerateScope::default() },
        undoes: None,
        decides: Some(Decides {
            first: first.0,
            kept: chosen.0,
            source: source.0,
            received_at: received_at.unwrap_or(at).0,
            record: STANDARD.encode(record),
        }),
        by: by.to_owned(),
        why: why.to_owned(),
        at: at.0,
    };
    let run = run_of(app, begin, PATIENCE).await?;
    match run.state {
        RerateState::Counts => Ok(run.run),
        RerateState::GivenUp => Err(Problem::conflict(run.why_not.unwrap_or_default())),
        RerateState::Rating => Err(Problem::unavailable(format!(
            "run {} of re-rating is at work on it: `callrated rerate list` shows when it has ended",
            run.run
        ))),
    }
}

/// The record that has contradictions, and those.
async fn versions(app: &App, places: &[Position], keep: &Value) -> Result<(Position, Vec<Conflict>), Problem> {
    let mut found = Vec::new();
    for place in places {
        let place = *place;
        let versions = app.stored(move |store| store.conflicts_of(place)).await?;
        if !versions.is_empty() {
            found.push((place, versions));
        }
    }
    let named = position(keep);
    let names = |first: Position, versions: &[Conflict]| {
        named.is_none_or(|named| first == named || versions.iter().any(|version| version.position == named))
    };
    found.retain(|(first, versions)| names(*first, versions));
    match (found.len(), found.pop()) {
        (1, Some(one)) => Ok(one),
        (0, _) | (_, None) => {
            Err(Problem::not_found("no version of this record contradicts another, or none is at that position"))
        }
        _ => Err(Problem::bad_request("both directions of this call have contradictions: write `keep` as a position")),
    }
}

fn position(keep: &Value) -> Option<Position> {
    keep.as_u64().or_else(|| keep.as_str().and_then(|text| text.parse().ok())).map(Position)
}

fn chosen(keep: &Value, first: Position, versions: &[Conflict]) -> Result<Position, Problem> {
    match (keep.as_str(), position(keep), versions) {
        (Some("first"), ..) => Ok(first),
        (Some("second"), _, [second]) => Ok(second.position),
        (Some("second"), ..) => Err(Problem::bad_request(format!(
            "there are {} versions besides the first: write `keep` as a position",
            versions.len()
        ))),
        (_, Some(position), _) => Ok(position),
        _ => Err(Problem::bad_request(format!("keep={keep}: write first, second, or a position"))),
    }
}

/// The record that came first, which only the journal has in its own words.
async fn first_record(app: &App, first: Position) -> Result<(Vec<u8>, SourceId, Option<Timestamp>), Problem> {
    let pieces = app.stored(move |store| store.pieces(first)).await?;
    let journal = app.journal.clone();
    let found = tokio::task::spawn_blocking(move || kept(&journal, first, &pieces)).await.unwrap_or_default();
    let found = found.ok_or_else(|| {
        Problem::conflict("the record that came first has left the journal, and another version stands for it: it cannot be taken back")
    })?;
    Ok((found.bytes, found.source, Some(found.received_at)))
}
