//! `GET /v1/suspense`, `POST /v1/suspense/retry`: what could not be rated, and trying it again.
//!
//! Does not know why something could not be rated, beyond the reason's name.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::waiting::{Ages, ages};
use super::{App, Problem};
use crate::batch::{Batch, EntryKind, Position, SourceId};
use crate::call::SuspenseReason;
use crate::daemon::retry::{self, entry};
use crate::entry::Discard;
use crate::record::Direction;
use crate::store::{SuspenseItem, SuspenseKey, SuspensePage, Visit};

/// Items in one page, unless less is asked for.
const LIMIT_DEFAULT: usize = 100;
/// Most items in one page.
const LIMIT_MAX: usize = 1000;

/// Which items.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only items of this reason.
    #[param(example = "no_rate")]
    reason: Option<String>,
    /// Only items behind this key: `next` of the page before.
    #[param(example = "4711:outbound")]
    after: Option<String>,
    /// At most so many, 1 to 1000; 100 unless said otherwise.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// What waits.
#[derive(Serialize, ToSchema)]
pub(super) struct Suspense {
    /// How many items there are of each reason.
    #[schema(example = json!({ "no_rate": 3 }))]
    counts: BTreeMap<&'static str, u64>,
    /// How long they have waited.
    ages: BTreeMap<&'static str, Ages>,
    /// A page of them, in the order in which they came.
    items: Vec<SuspenseShown>,
    /// Ask again with `after` set to this; null on the last page.
    next: Option<String>,
}

/// Something that waits: a leg of a record, or the whole record.
#[derive(Serialize, ToSchema)]
pub(super) struct SuspenseShown {
    /// The record's place in the journal, and the leg.
    #[schema(example = "4711:outbound")]
    key: String,
    #[schema(example = "no_rate")]
    reason: &'static str,
    /// What is wrong, in a sentence.
    detail: String,
    /// `outbound` or `inbound`; null: the whole record.
    leg: Option<&'static str>,
    node: String,
    id: String,
    /// As the record has it.
    source: String,
    /// As the record has it.
    destination: String,
    /// RFC 3339.
    answer: Option<String>,
    /// RFC 3339.
    received_at: String,
}

/// What waits in suspense.
///
/// Counts by reason and age, and a page of items.
#[utoipa::path(
    get, path = "/v1/suspense", tag = "operating", operation_id = "suspense", params(Asked),
    responses((status = 200, body = Suspense), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn list(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Json<Suspense>, Problem> {
    let reason = asked.reason.as_deref().map(reason_named).transpose()?;
    let after = asked.after.as_deref().map(key_named).transpose()?;
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        return Err(Problem::bad_request(format!("limit={limit}: write 1 to {LIMIT_MAX}")));
    }
    app.settle().await?;
    let now = app.clock.now();
    let (counts, ages, items) = app
        .stored(move |store| {
            let mut items = Vec::new();
            store.suspense(SuspensePage { reason, after, limit }, &mut |item| {
                items.push(item.clone());
                Visit::Continue(())
            })?;
            Ok((store.suspense_counts()?, ages(store, now)?, items))
        })
        .await?;
    let next = if items.len() == limit { items.last().map(|item| key_text(&item.key)) } else { None };
    Ok(Json(Suspense {
        counts: counts.into_iter().map(|(reason, count)| (reason.name(), count)).collect(),
        ages,
        items: items.iter().map(shown).collect(),
        next,
    }))
}

fn shown(item: &SuspenseItem) -> SuspenseShown {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    SuspenseShown {
        key: key_text(&item.key),
        reason: item.reason.name(),
        detail: item.detail.clone(),
        leg: item.key.leg.map(Direction::name),
        node: text(&item.node),
        id: text(&item.id),
        source: text(&item.source_dialled),
        destination: text(&item.destination_dialled),
        answer: item.answer.map(|t| t.to_string()),
        received_at: item.received_at.to_string(),
    }
}

/// Which items to try again.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RetryRequest {
    /// Only items of this reason; without it, all.
    #[schema(example = "no_rate")]
    reason: Option<String>,
}

/// What a retry did.
#[derive(Serialize, ToSchema)]
pub(super) struct Retried {
    /// Items tried again.
    tried: u64,
    /// Items that still wait.
    left: u64,
}

/// Try again what waits.
///
/// By what is in force now.
#[utoipa::path(
    post, path = "/v1/suspense/retry", tag = "operating", operation_id = "retry",
    request_body = Option<RetryRequest>,
    responses((status = 200, body = Retried), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn retry(State(app): State<App>, asked: Option<Json<RetryRequest>>) -> Result<Json<Retried>, Problem> {
    let asked = asked.map(|Json(asked)| asked).unwrap_or_default();
    let reason = asked.reason.as_deref().map(reason_named).transpose()?;
    app.settle().await?;
    let tried = retry::retry(&app.road, &app.store, reason).await.map_err(|e| Problem::unavailable(e.to_string()))?;
    app.settle().await?;
    let counts = app.stored(|store| store.suspense_counts()).await?;
    let left: u64 =
        counts.iter().filter(|(held, _)| reason.is_none_or(|asked| asked == *held)).map(|(_, count)| *count).sum();
    Ok(Json(Retried { tried, left }))
}

pub(super) fn reason_named(name: &str) -> Result<SuspenseReason, Problem> {
    SuspenseReason::named(name).ok_or_else(|| {
        let known: Vec<&str> = SuspenseReason::ALL.iter().map(|r| r.name()).collect();
        Problem::bad_request(format!("reason={name:?}: known are {}", known.join(", ")))
    })
}

/// What to discard, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DiscardRequest {
    /// As the list shows it.
    #[schema(example = "4711:outbound")]
    key: String,
    /// Why nothing is to come of it, in a sentence.
    #[schema(example = "test call of our own, ticket 1234")]
    why: String,
    /// Who says so.
    by: Option<String>,
}

/// What was discarded.
#[derive(Serialize, ToSchema)]
pub(super) struct DiscardedShown {
    /// What it was.
    item: SuspenseShown,
    why: String,
}

/// Give up what waits.
///
/// It leaves suspense and is never rated. The record, the reason it waited for, who discarded it and why are kept for ever,
/// in the journal and in the store's table `discarded`.
#[utoipa::path(
    post, path = "/v1/suspense/discard", tag = "operating", operation_id = "discard",
    request_body = DiscardRequest,
    responses((status = 200, body = DiscardedShown), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn discard(
    State(app): State<App>,
    Json(asked): Json<DiscardRequest>,
) -> Result<Json<DiscardedShown>, Problem> {
    let key = key_named(&asked.key)?;
    let why = asked.why.trim().to_owned();
    if why.is_empty() || why.len() > 1000 {
        return Err(Problem::bad_request("why: say in a sentence why nothing is to come of it, in at most 1000 bytes"));
    }
    app.settle().await?;
    let waits = move |store: &dyn crate::store::Store| {
        Ok(store.suspense_of(key.position)?.into_iter().find(|item| item.key == key))
    };
    let gone = || Problem::not_found(format!("nothing waits under the key {:?}", asked.key));
    let item = app.stored(waits).await?.ok_or_else(gone)?;
    let by = asked.by.clone().unwrap_or_else(|| "api".to_owned());
    let entry = Discard { item: entry(&item), why: why.clone(), by, at: app.clock.now().0 };
    let mut payload = Vec::with_capacity(item.record.len() + 512);
    // Plain text and numbers always serialise.
    let _ = entry.encode(&item.record, &mut payload);
    let mut batch = Batch::new(SourceId(0));
    batch.push_entry(EntryKind::Discard, &payload);
    app.road.enter(batch).await.map_err(|e| Problem::unavailable(e.to_string()))?;
    app.settle().await?;
    if app.stored(waits).await?.is_some() {
        return Err(Problem::conflict("it was tried again meanwhile, or its month is being sealed: look again"));
    }
    Ok(Json(DiscardedShown { item: shown(&item), why }))
}

/// `4711` for a record, `4711:outbound` for a leg.
pub(super) fn key_text(key: &SuspenseKey) -> String {
    match key.leg {
        None => key.position.to_string(),
        Some(leg) => format!("{}:{}", key.position, leg.name()),
    }
}

fn key_named(text: &str) -> Result<SuspenseKey, Problem> {
    let bad = || Problem::bad_request(format!("{text:?} is no key: write it as the list shows it"));
    let (position, leg) = match text.split_once(':') {
        None => (text, None),
        Some((position, "outbound")) => (position, Some(Direction::Outbound)),
        Some((position, "inbound")) => (position, Some(Direction::Inbound)),
        Some(_) => return Err(bad()),
    };
    Ok(SuspenseKey { position: Position(position.parse().map_err(|_| bad())?), leg })
}
