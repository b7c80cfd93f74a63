//! `POST /v1/conflicts/{node}/{id}/decide`: which version of a record counts (R20).
//!
//! Does not know how a version is rated.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::calls::{positions, rated};
use super::details::Leg;
use super::received::kept;
use super::{App, Problem};
use crate::batch::{Batch, EntryKind, Position, SourceId};
use crate::call::RatedCall;
use crate::daemon::retry::entry;
use crate::entry::Decide;
use crate::store::{Conflict, DecidedRow};
use crate::time::{Period, Timestamp};

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
}

/// Decide which version of a record counts.
///
/// The version taken is rated at once, as a revision: its legs count in place of those before, which stay visible. It
/// counts at the seal, too, in place of the rule (the shorter talk time, then the smaller digest), and the manifest names
/// it with the reason. A later decision replaces it. Where a month of the record is closed, 409 says what to do.
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
    if let Some(closed) = months.find(|month| periods.iter().any(|row| row.period == *month)) {
        return Err(Problem::conflict(closed_says(closed)));
    }
    let latest = app.stored(move |store| store.decisions(Some(first))).await?.pop();
    let stands = latest.as_ref().map_or(first, |latest| latest.kept) == chosen;
    let taken = match versions.iter().find(|version| version.position == chosen) {
        Some(version) => (version.record.clone(), version.source, version.received_at),
        None if stands => (Vec::new(), SourceId(0), None),
        None => first_record(&app, first).await?,
    };
    let shown_before = rated(&app, vec![first]).await?;
    let by = asked.by.clone().unwrap_or_else(|| "api".to_owned());
    let at = app.clock.now();
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
        return Err(Problem::conflict("the record changed meanwhile, or its month was closed: look again"));
    };
    let now = rated(&app, vec![first]).await?;
    let waiting = app.stored(move |store| store.suspense_of(first)).await?.len();
    let decision = DecisionShown::of(&made);
    Ok(Json(Decided { node, id, first: first.0, decision, before: shown_before, now, waiting }))
}

fn closed_says(month: Period) -> String {
    format!(
        "{month} is closed: its legs are no longer changed by a decision. Correct it by an adjustment: re-rate the call, \
         or send the difference as a record of its own"
    )
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
