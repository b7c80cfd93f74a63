//! `GET /v1/suspense`, `POST /v1/suspense/retry`: what could not be rated, and trying it again.

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{App, Problem};
use crate::batch::{Batch, EntryKind, Position, SourceId};
use crate::call::SuspenseReason;
use crate::entry::Retry;
use crate::record::Direction;
use crate::store::{SuspenseItem, SuspenseKey, SuspensePage, Visit};

/// Items in one page, unless less is asked for.
const LIMIT_DEFAULT: usize = 100;
/// Most items in one page.
const LIMIT_MAX: usize = 1000;
/// Items retried by one journal frame: with records of at most 64 KiB, usually 1 KiB, well below a frame's limit.
const RETRY_BATCH: usize = 500;

/// `?reason=no_rate&after=4711:outbound&limit=50`.
#[derive(Deserialize)]
pub(super) struct Asked {
    reason: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// What waits: counts by reason, and a page of items.
pub(super) async fn list(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Json<Value>, Problem> {
    let reason = asked.reason.as_deref().map(reason_named).transpose()?;
    let after = asked.after.as_deref().map(key_named).transpose()?;
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        return Err(Problem::bad_request(format!("limit={limit}: write 1 to {LIMIT_MAX}")));
    }
    app.settle().await?;
    let (counts, items) = app
        .stored(move |store| {
            let mut items = Vec::new();
            store.suspense(SuspensePage { reason, after, limit }, &mut |item| {
                items.push(item.clone());
                Visit::Continue(())
            })?;
            Ok((store.suspense_counts()?, items))
        })
        .await?;
    let counts: serde_json::Map<String, Value> =
        counts.into_iter().map(|(reason, count)| (reason.name().to_owned(), json!(count))).collect();
    let next = if items.len() == limit { items.last().map(|item| key_text(&item.key)) } else { None };
    let items: Vec<Value> = items.iter().map(shown).collect();
    Ok(Json(json!({ "counts": counts, "items": items, "next": next })))
}

fn shown(item: &SuspenseItem) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    json!({
        "key": key_text(&item.key),
        "reason": item.reason.name(),
        "detail": item.detail,
        "leg": item.key.leg.map(Direction::name),
        "node": text(&item.node),
        "id": text(&item.id),
        "source": text(&item.source_dialled),
        "destination": text(&item.destination_dialled),
        "answer": item.answer.map(|t| t.to_string()),
        "received_at": item.received_at.to_string(),
    })
}

/// Which items to try again; without a reason, all.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RetryAsked {
    reason: Option<String>,
}

/// Tries again what waits, by what is in force now.
pub(super) async fn retry(State(app): State<App>, body: axum::body::Bytes) -> Result<Json<Value>, Problem> {
    let asked: RetryAsked = if body.is_empty() {
        RetryAsked::default()
    } else {
        serde_json::from_slice(&body).map_err(|e| Problem::bad_request(format!("the body: {e}")))?
    };
    let reason = asked.reason.as_deref().map(reason_named).transpose()?;
    app.settle().await?;
    let (mut tried, mut after) = (0u64, None);
    loop {
        // The same store that shows a page gives the records of its items.
        let items = app
            .stored(move |store| {
                let mut keys = Vec::new();
                store.suspense(SuspensePage { reason, after, limit: RETRY_BATCH }, &mut |item| {
                    keys.push(item.key);
                    Visit::Continue(())
                })?;
                let mut items: Vec<SuspenseItem> = Vec::with_capacity(keys.len());
                for key in keys {
                    items.extend(store.suspense_of(key.position)?.into_iter().filter(|item| item.key == key));
                }
                Ok(items)
            })
            .await?;
        let Some(last) = items.last() else { break };
        after = Some(last.key);
        let mut batch = Batch::new(SourceId(0));
        for item in &items {
            let mut payload = Vec::with_capacity(item.record.len() + 256);
            if entry(item).encode(&item.record, &mut payload).is_ok() {
                batch.push_entry(EntryKind::Retry, &payload);
                tried += 1;
            }
        }
        app.road.enter(batch).await.map_err(|e| Problem::unavailable(&e.to_string()))?;
        if items.len() < RETRY_BATCH {
            break;
        }
    }
    app.settle().await?;
    let counts = app.stored(|store| store.suspense_counts()).await?;
    let left: u64 =
        counts.iter().filter(|(held, _)| reason.is_none_or(|asked| asked == *held)).map(|(_, count)| *count).sum();
    Ok(Json(json!({ "tried": tried, "left": left })))
}

fn entry(item: &SuspenseItem) -> Retry {
    Retry {
        position: item.key.position.0,
        leg: item.key.leg.map(|leg| match leg {
            Direction::Outbound => 0,
            Direction::Inbound => 1,
        }),
        attempt: item.attempt.0,
        reason: item.reason.name().to_owned(),
        period: item.period.map(|p| p.0),
        source: item.source.0,
        received_at: item.received_at.0,
    }
}

fn reason_named(name: &str) -> Result<SuspenseReason, Problem> {
    SuspenseReason::named(name).ok_or_else(|| {
        let known: Vec<&str> = SuspenseReason::ALL.iter().map(|r| r.name()).collect();
        Problem::bad_request(format!("reason={name:?}: known are {}", known.join(", ")))
    })
}

/// `4711` for a record, `4711:outbound` for a leg.
fn key_text(key: &SuspenseKey) -> String {
    match key.leg {
        None => key.position.to_string(),
        Some(leg) => format!("{}:{}", key.position, leg.name()),
    }
}

fn key_named(text: &str) -> Result<SuspenseKey, Problem> {
    let bad = || Problem::bad_request(format!("after={text:?}: write a key as the list shows it"));
    let (position, leg) = match text.split_once(':') {
        None => (text, None),
        Some((position, "outbound")) => (position, Some(Direction::Outbound)),
        Some((position, "inbound")) => (position, Some(Direction::Inbound)),
        Some(_) => return Err(bad()),
    };
    Ok(SuspenseKey { position: Position(position.parse().map_err(|_| bad())?), leg })
}
