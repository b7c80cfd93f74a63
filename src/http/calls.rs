//! `GET /v1/accounts/{account}/calls`, `GET /v1/calls/{node}/{id}`, `GET /v1/records/{node}/{id}`.
//!
//! Does not know how calls are stored, nor how they are shown: `details` does.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::conflicts::Contradiction;
use super::details::{self, Columns, Language, Leg};
use super::received::{Received, received};
use super::retention::Gone;
use super::{App, Operates, Problem, accounts, manners, stream};
use crate::batch::Position;
use crate::call::AccountKey;
use crate::money::Money;
use crate::record::{Direction, identity};
use crate::store::{CallPage, DiscardedItem, Store, StoredCall, Visit};
use crate::time::{Period, Zone};

/// The path of an account's calls.
pub(super) const OF_ACCOUNT: &str = "/v1/accounts/{account}/calls";
const CSV: &str = "text/csv; charset=utf-8";
const NDJSON: &str = "application/x-ndjson";
const JSON: &str = "application/json";

/// Which calls, and how they are shown.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Year and month; without it the month that is running in the account's zone.
    #[param(example = "2026-10")]
    period: Option<String>,
    /// Language of the CSV headings and call types: `en`, `de`, `it`; without it the account's.
    lang: Option<String>,
    /// `usual` or `full`: with currency, allowance split, prefix, rule, node, id, tariff. `margin`: those, and what each call
    /// costs us; needs the scope `operate`, too.
    columns: Option<String>,
    /// Leaves out calls that cost nothing.
    #[serde(default)]
    #[param(required = false)]
    billed_only: bool,
}

/// Call details of a month.
///
/// One row per leg, by answer time, streamed. By `Accept`: CSV, one JSON object a line, or a JSON array. The costs add up
/// to the usage.
#[utoipa::path(
    get, path = "/v1/accounts/{account}/calls", tag = "calls", operation_id = "account_calls",
    params(("account" = String, Path, description = "The account's name"), Asked),
    responses(
        (status = 200, content((String = "text/csv"), (Leg = "application/x-ndjson"), (Vec<Leg> = "application/json"))),
        (status = "default", response = super::openapi::AnyProblem),
    ),
    security(("token" = ["read"])),
)]
pub(super) async fn of_account(
    State(app): State<App>,
    Path(account): Path<String>,
    Query(asked): Query<Asked>,
    operates: Option<Extension<Operates>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, directory) = app.in_force()?;
    let now = app.clock.now();
    let row = directory.account_at(account.as_bytes(), now);
    let period = match &asked.period {
        Some(text) => text.parse::<Period>().map_err(|e| Problem::bad_request(e.to_string()))?,
        None => Period::containing(now, row.map_or(&Zone::UTC, |r| r.zone)),
    };
    let language = asked.lang.as_deref().or(row.map(|r| r.language)).unwrap_or("en");
    let language = Language::named(language)
        .ok_or_else(|| Problem::bad_request(format!("lang={language:?}: en, de and it are known")))?;
    let columns = match asked.columns.as_deref() {
        None | Some("usual") => Columns::Usual,
        Some("full") => Columns::Full,
        Some("margin") if operates.is_none_or(|Extension(Operates(may))| may) => Columns::Margin,
        Some("margin") => return Err(Problem::forbidden("columns=margin needs a token with the scope operate, too")),
        Some(other) => {
            return Err(Problem::bad_request(format!("columns={other:?}: write usual, full or margin")));
        }
    };
    let kind = manners::choose(&headers, &[CSV, NDJSON, JSON])?;
    let known = directory.account_named(account.as_bytes()).is_some();
    app.settle().await?;
    let name = account.clone();
    let key = app.stored(move |store| store.account_named(&name)).await?;
    if key.is_none() && !known {
        return Err(accounts::unknown(&directory, &account));
    }
    if let Some(key) = key {
        let digest = app.sealer.closed(period).and_then(|row| row.digest);
        let gone = app.stored(move |store| Ok(Gone::read(store, Some(period))?.of(key))).await?;
        gone.problem(digest.as_deref())?;
    }
    let place =
        app.downloads.clone().try_acquire_owned().map_err(|_| {
            Problem::unavailable("as many downloads as are served at once are under way").retry_after(5)
        })?;
    let shape = match kind {
        NDJSON => Shape::Lines(columns == Columns::Margin),
        JSON => Shape::Array(columns == Columns::Margin),
        _ => Shape::Csv(language, columns),
    };
    let wanted = Wanted { account, key, period, billed_only: asked.billed_only };
    let (writer, body) = stream::body();
    let store = app.store.clone();
    tokio::task::spawn_blocking(move || {
        write(store.as_ref(), &wanted, shape, writer);
        drop(place);
    });
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if matches!(shape, Shape::Csv(..)) {
        let file = format!("attachment; filename=\"calls-{period}.csv\"");
        if let Ok(value) = HeaderValue::from_str(&file) {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
        }
    }
    Ok(response)
}

struct Wanted {
    account: String,
    /// None: the account is known and has no calls yet.
    key: Option<AccountKey>,
    period: Period,
    billed_only: bool,
}

#[derive(Clone, Copy)]
enum Shape {
    Csv(Language, Columns),
    /// Whether with what each call costs us.
    Lines(bool),
    /// The same.
    Array(bool),
}

/// Writes the rows while they are read. Where the client goes away, it ends.
fn write(store: &dyn Store, wanted: &Wanted, shape: Shape, mut writer: stream::Writer) {
    let mut text = String::new();
    match shape {
        Shape::Csv(language, columns) => details::csv_header(language, columns, &mut text),
        Shape::Array(_) => text.push('['),
        Shape::Lines(_) => {}
    }
    let mut first = true;
    let mut row = |call: &StoredCall<'_>| {
        if wanted.billed_only && call.call.cost == Money::ZERO {
            return Visit::Continue(());
        }
        match shape {
            Shape::Csv(language, columns) => details::csv_row(call, language, columns, &mut text),
            Shape::Lines(margin) | Shape::Array(margin) => {
                if matches!(shape, Shape::Array(_)) {
                    text.push_str(if first { "\n" } else { ",\n" });
                }
                first = false;
                let leg = Leg::of(call, &wanted.account);
                let leg = if margin { leg.with_costs(call) } else { leg };
                // Text and numbers always serialise.
                text.push_str(&serde_json::to_string(&leg).unwrap_or_default());
                if matches!(shape, Shape::Lines(_)) {
                    text.push('\n');
                }
            }
        }
        let written = writer.write(text.as_bytes());
        text.clear();
        if written.is_ok() { Visit::Continue(()) } else { Visit::Break(()) }
    };
    let outcome = match wanted.key {
        Some(key) => store.calls(key, wanted.period, CallPage::default(), &mut row).map(|_| ()),
        None => Ok(()),
    };
    if let Err(error) = outcome {
        // The status is sent already: the body is cut off, and the log says why.
        tracing::error!("call details are cut off: {error}");
        writer.cut_off();
        return;
    }
    if matches!(shape, Shape::Array(_)) {
        text.push_str("\n]\n");
    }
    // A client that went away wants no end.
    let _ = writer.write(text.as_bytes()).and_then(|()| writer.finish());
}

/// A call as it was rated.
#[derive(Serialize, ToSchema)]
pub(super) struct RatedCallLegs {
    node: String,
    id: String,
    /// Outbound first. A call of a sealed month that was corrected has three for a leg: as billed, taken back, and as it is now.
    legs: Vec<Leg>,
    /// Every row that was ever written of it, with what made it so; only where there is more than the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    revisions: Vec<Revision>,
}

/// A rated call.
///
/// `node` and `id` are percent-encoded where they hold `/` or other reserved characters.
#[utoipa::path(
    get, path = "/v1/calls/{node}/{id}", tag = "calls", operation_id = "call",
    params(("node" = String, Path, description = "The record's node"), ("id" = String, Path, description = "Its id")),
    responses((status = 200, body = RatedCallLegs), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn one(
    State(app): State<App>,
    Path((node, id)): Path<(String, String)>,
) -> Result<Json<RatedCallLegs>, Problem> {
    let positions = positions(&app, &node, &id).await?;
    app.settle().await?;
    let legs = rated(&app, positions.clone()).await?;
    if legs.is_empty() {
        gone(&app, positions).await?;
        return Err(Problem::not_found(format!(
            "no rated call of node {node:?} and id {id:?}; /v1/records/{{node}}/{{id}} says what became of the record"
        )));
    }
    let revisions = app.stored(move |store| revisions::of(store, &positions)).await?;
    Ok(Json(RatedCallLegs { node, id, legs, revisions }))
}

/// What became of the records of a node and id.
#[derive(Serialize, ToSchema)]
pub(super) struct Records {
    node: String,
    id: String,
    /// One, or one for each direction.
    records: Vec<RecordFate>,
}

/// What became of a record.
#[derive(Serialize, ToSchema)]
pub(super) struct RecordFate {
    /// Its place in the journal.
    position: u64,
    /// `resolved`: its legs are rated or in suspense; `suspended`: the whole record waits; `discarded`: somebody gave it up;
    /// `unknown`: a call told in parts that is not whole.
    #[schema(example = "resolved")]
    disposition: &'static str,
    /// Those that are rated.
    legs: Vec<Leg>,
    /// What waits.
    suspense: Vec<Held>,
    /// What somebody gave up of it, and why.
    discarded: Vec<Given>,
    /// What was received; null once the journal no longer keeps it.
    received: Option<Received>,
    /// Other versions of it that came later: kept, never charged.
    conflicts: Vec<Contradiction>,
}

/// Something that was given up for good.
#[derive(Serialize, ToSchema)]
pub(super) struct Given {
    /// `outbound` or `inbound`; null: the whole record.
    leg: Option<&'static str>,
    /// Why it waited.
    #[schema(example = "no_rate")]
    reason: &'static str,
    /// Why it was given up.
    why: String,
    by: String,
    /// RFC 3339.
    at: String,
}

impl Given {
    fn of(item: DiscardedItem) -> Given {
        Given {
            leg: item.key.leg.map(Direction::name),
            reason: item.reason.name(),
            why: item.why,
            by: item.by,
            at: item.at.to_string(),
        }
    }
}

/// Something that waits.
#[derive(Serialize, ToSchema)]
pub(super) struct Held {
    /// `outbound` or `inbound`; null: the whole record.
    leg: Option<&'static str>,
    #[schema(example = "no_rate")]
    reason: &'static str,
    detail: String,
}

/// What became of a record.
///
/// Its disposition, its rated legs, what of it is in suspense, its bytes as long as the journal keeps them, and every
/// version of it that contradicts the first.
#[utoipa::path(
    get, path = "/v1/records/{node}/{id}", tag = "records", operation_id = "record",
    params(("node" = String, Path, description = "The record's node"), ("id" = String, Path, description = "Its id")),
    responses((status = 200, body = Records), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn record(
    State(app): State<App>,
    Path((node, id)): Path<(String, String)>,
) -> Result<Json<Records>, Problem> {
    let positions = positions(&app, &node, &id).await?;
    app.settle().await?;
    let mut records = Vec::with_capacity(positions.len());
    for position in positions {
        let legs = rated(&app, vec![position]).await?;
        let held = app.stored(move |store| store.suspense_of(position)).await?;
        let whole = held.iter().any(|item| item.key.leg.is_none());
        let disposition = match (whole, legs.is_empty() && held.is_empty()) {
            (true, _) => "suspended",
            (false, false) => "resolved",
            (false, true) => "unknown",
        };
        let suspense = held
            .into_iter()
            .map(|item| Held {
                leg: item.key.leg.map(Direction::name),
                reason: item.reason.name(),
                detail: item.detail,
            })
            .collect();
        let pieces = app.stored(move |store| store.pieces(position)).await?;
        let journal = app.journal.clone();
        let received =
            tokio::task::spawn_blocking(move || received(&journal, position, &pieces)).await.unwrap_or_default();
        let (conflicts, decisions) =
            app.stored(move |store| Ok((store.conflicts_of(position)?, store.decisions(Some(position))?))).await?;
        let conflicts = conflicts.iter().map(|conflict| Contradiction::of(conflict, &decisions)).collect();
        let discarded = app.stored(move |store| store.discarded_of(position)).await?;
        let disposition = match disposition {
            "unknown" if !discarded.is_empty() => "discarded",
            other => other,
        };
        let discarded = discarded.into_iter().map(Given::of).collect();
        records.push(RecordFate { position: position.0, disposition, legs, suspense, discarded, received, conflicts });
    }
    Ok(Json(Records { node, id, records }))
}

/// Positions of the records of a node and id: one without direction, or one each way.
pub(super) async fn positions(app: &App, node: &str, id: &str) -> Result<Vec<Position>, Problem> {
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

/// 410, if the details of a record without legs may have been deleted.
pub(super) async fn gone(app: &App, positions: Vec<Position>) -> Result<(), Problem> {
    for position in positions {
        let gone = move |store: &dyn Store| {
            let waits = !store.suspense_of(position)?.is_empty();
            Ok((waits, Gone::read(store, None)?.around(position)))
        };
        let (waits, gone) = app.stored(gone).await?;
        if !waits {
            gone.problem(None)?;
        }
    }
    Ok(())
}

pub(super) async fn rated(app: &App, positions: Vec<Position>) -> Result<Vec<Leg>, Problem> {
    app.stored(move |store| {
        let mut legs = Vec::new();
        for position in positions {
            for call in store.legs(position)? {
                let name = store.account_name(call.call.account)?.unwrap_or_default();
                legs.push(Leg::of(&call.borrowed(), &name));
            }
        }
        Ok(legs)
    })
    .await
}

mod revisions;
#[cfg(test)]
mod tests;

use revisions::Revision;
