//! How long what waits has waited, and all of it for other programs: `GET /v1/suspense/export`.
//!
//! Does not know why something waits.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use metrics::{Unit, describe_gauge, gauge};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::received::readable;
use super::suspense::{key_text, reason_named};
use super::{App, Problem, details, export, manners, stream};
use crate::call::SuspenseReason;
use crate::record::{Direction, Record};
use crate::store::{AGES, Store, StoreError, SuspenseAges, SuspenseItem, SuspensePage, Visit};
use crate::time::{Micros, Timestamp};

const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv; charset=utf-8";

/// How long an answer of the store about what waits is good enough for those who ask every other second.
const FRESH: Micros = Micros(5_000_000);

/// An hour, a day, a week, a month: where the classes of age end.
const ENDS: [i64; AGES - 1] = [3600, 86_400, 7 * 86_400, 30 * 86_400];

/// How many wait for one reason, by how long.
#[derive(Serialize, ToSchema)]
pub(super) struct Ages {
    under_an_hour: u64,
    under_a_day: u64,
    under_a_week: u64,
    /// Under 30 days.
    under_a_month: u64,
    older: u64,
    /// RFC 3339: when the oldest came.
    oldest: String,
    oldest_seconds: i64,
}

/// What waits by reason and age.
pub(super) fn ages(store: &dyn Store, now: Timestamp) -> Result<BTreeMap<&'static str, Ages>, StoreError> {
    let since = ENDS.map(|seconds| Timestamp(now.0.saturating_sub(seconds * 1_000_000)));
    let of = |one: SuspenseAges| {
        let [under_an_hour, under_a_day, under_a_week, under_a_month, older] = one.counts;
        let oldest_seconds = (now.0.saturating_sub(one.oldest.0) / 1_000_000).max(0);
        let oldest = one.oldest.to_string();
        (
            one.reason.name(),
            Ages { under_an_hour, under_a_day, under_a_week, under_a_month, older, oldest, oldest_seconds },
        )
    };
    Ok(store.suspense_ages(since)?.into_iter().map(of).collect())
}

/// What waits for somebody, as of a moment ago.
#[derive(Clone, Default, Debug)]
pub(super) struct Waits {
    /// Receipt of the oldest, by reason.
    pub oldest: Vec<(SuspenseReason, Timestamp)>,
    /// Contradictions that nobody decided, and receipt of the oldest.
    pub undecided: (u64, Option<Timestamp>),
}

/// The last answer, and when it was given.
#[derive(Default)]
pub(super) struct WaitsKept(Mutex<Option<(Timestamp, Waits)>>);

/// Says what the metric means; once, after the recorder is installed.
pub fn describe() {
    describe_gauge!(
        "callrated_suspense_oldest_seconds",
        Unit::Seconds,
        "How long the oldest of what waits in suspense has waited, by reason; 0: nothing waits"
    );
    for reason in SuspenseReason::ALL {
        gauge!("callrated_suspense_oldest_seconds", "reason" => reason.name()).set(0.0);
    }
}

/// What waits; while the store does not answer, what it answered last. Sets the metric.
pub(super) async fn waits(app: &App) -> Waits {
    let now = app.clock.now();
    let kept = || app.waits.0.lock().unwrap_or_else(PoisonError::into_inner);
    let fresh = kept().clone().filter(|(at, _)| now.0.saturating_sub(at.0) < FRESH.0);
    let waits = match fresh {
        Some((_, waits)) => waits,
        None => {
            let asked = app.stored(|store| {
                Ok(Waits { oldest: store.suspense_oldest()?, undecided: store.conflicts_undecided()? })
            });
            match asked.await {
                Ok(waits) => {
                    *kept() = Some((now, waits.clone()));
                    waits
                }
                Err(_) => kept().clone().map(|(_, waits)| waits).unwrap_or_default(),
            }
        }
    };
    for reason in SuspenseReason::ALL {
        let oldest = waits.oldest.iter().find(|(of, _)| of == reason).map(|(_, at)| *at);
        let seconds = oldest.map_or(0, |at| (now.0.saturating_sub(at.0) / 1_000_000).max(0));
        gauge!("callrated_suspense_oldest_seconds", "reason" => reason.name()).set(seconds as f64);
    }
    waits
}

/// Which items.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only items of this reason.
    #[param(example = "no_rate")]
    reason: Option<String>,
}

/// Everything that waits.
///
/// Streamed. By `Accept`: one JSON object a line, or CSV. Each begins with the fields of the native record, so that a line
/// that was mended is a record again; then why it waits, and the record's bytes as they came. A mended record of the same
/// node and id contradicts the one that waits: `POST /v1/conflicts/{node}/{id}/decide` puts it in its place.
#[utoipa::path(
    get, path = "/v1/suspense/export", tag = "operating", operation_id = "suspense_export", params(Asked),
    responses(
        (status = 200, content((String = "application/x-ndjson"), (String = "text/csv"))),
        (status = "default", response = super::openapi::AnyProblem),
    ),
    security(("token" = ["operate"])),
)]
pub(super) async fn export(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reason = asked.reason.as_deref().map(reason_named).transpose()?;
    let kind = manners::choose(&headers, &[NDJSON, CSV])?;
    app.settle().await?;
    let place = export::place(&app, kind)?;
    let (writer, body) = stream::body();
    let store = app.store.clone();
    tokio::task::spawn_blocking(move || {
        write(store.as_ref(), reason, kind == CSV, writer);
        drop(place);
    });
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

/// Columns: the native record's fields, then what is said of it.
const COLUMNS: [&str; 22] = [
    "id",
    "node",
    "account",
    "direction",
    "source",
    "destination",
    "forwarded_by",
    "routing_number",
    "start",
    "answer",
    "end",
    "duration",
    "cause",
    "incumbent_cost",
    "incumbent_currency",
    "incumbent_seconds",
    "key",
    "reason",
    "detail",
    "waits_for",
    "received_at",
    "raw",
];

fn row(item: &SuspenseItem) -> [Option<String>; COLUMNS.len()] {
    let record = Record::decode(&item.record).unwrap_or_default();
    let some = |bytes: &[u8]| (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned());
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    [
        some(record.id),
        some(record.node),
        some(record.account),
        record.direction.map(|direction| direction.name().to_owned()),
        // Every record says these two, be it with nothing.
        Some(String::from_utf8_lossy(record.source).into_owned()),
        Some(String::from_utf8_lossy(record.destination).into_owned()),
        some(record.forwarded_by),
        some(record.routing_number),
        time(record.start),
        time(record.answer),
        time(record.end),
        record.duration.map(|duration| duration.to_string()),
        some(record.cause),
        some(record.incumbent_cost),
        some(record.incumbent_currency),
        some(record.incumbent_seconds),
        Some(key_text(&item.key)),
        Some(item.reason.name().to_owned()),
        Some(item.detail.clone()),
        Some(item.key.leg.map_or("the record", Direction::name).to_owned()),
        Some(item.received_at.to_string()),
        Some(readable(record.raw)),
    ]
}

/// Writes the items while they are read. Where the client goes away, it ends.
fn write(store: &dyn Store, reason: Option<SuspenseReason>, csv: bool, mut writer: stream::Writer) {
    let mut text = if csv { COLUMNS.join(",") + "\r\n" } else { String::new() };
    let page = SuspensePage { reason, after: None, limit: usize::MAX };
    let outcome = store.suspense_whole(page, &mut |item| {
        let row = row(item);
        if csv {
            for (i, value) in row.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                details::cell(value.as_deref().unwrap_or(""), &mut text);
            }
            text.push_str("\r\n");
        } else {
            let members = COLUMNS.iter().zip(row).filter_map(|(name, value)| Some(((*name).to_owned(), value?.into())));
            let object: Map<String, Value> = members.collect();
            text.push_str(&Value::Object(object).to_string());
            text.push('\n');
        }
        let written = writer.write(text.as_bytes());
        text.clear();
        if written.is_ok() { Visit::Continue(()) } else { Visit::Break(()) }
    });
    if let Err(error) = outcome {
        tracing::error!("the export of what waits is cut off: {error}");
        writer.cut_off();
        return;
    }
    // A client that went away wants no end.
    let _ = writer.write(text.as_bytes()).and_then(|()| writer.finish());
}
