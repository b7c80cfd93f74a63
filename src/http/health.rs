//! `/healthz`, `/readyz`, `/metrics`, `/v1/status`: how the daemon is.
//!
//! Does not know who watches.

use std::sync::atomic::Ordering::Relaxed;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, Problem, waiting};
use crate::time::tz_database;

/// Alive.
///
/// The process answers.
#[utoipa::path(
    get, path = "/healthz", tag = "health", operation_id = "healthz",
    responses((status = 200, body = String, content_type = "text/plain", example = json!("ok\n"))),
)]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Ready.
///
/// Records are taken and the store keeps up. 503 says in `errors` why not. A line for each node that we call and are not
/// connected to follows; it does not count, since nothing else is hurt. So does one while a start still reads the totals of
/// earlier calls: questions about usage wait for them, a second for a million accounts.
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "readyz",
    responses(
        (status = 200, body = String, content_type = "text/plain", example = json!("ready\n")),
        (status = "default", response = super::openapi::AnyProblem),
    ),
)]
pub(super) async fn ready(State(app): State<App>) -> Result<String, Problem> {
    let reasons = reasons(&app);
    if reasons.is_empty() {
        let away = sources(&app).into_iter().filter(|source| !source.connected);
        let away: String = away.map(|source| source.sentence() + "\n").collect();
        let reading = match app.road.progress().reading.load(Relaxed) {
            0 => "",
            _ => "the totals of earlier calls are being read: questions about usage wait for them\n",
        };
        return Ok(format!("ready\n{reading}{away}"));
    }
    Err(Problem::unavailable(format!("not ready: {}", reasons.join("; "))).errors(reasons).retry_after(5))
}

/// Why it is not ready; empty if it is. While a start replays the journal nothing answers here at all.
fn reasons(app: &App) -> Vec<String> {
    let progress = app.road.progress();
    let waiting = waiting(app);
    let mut reasons = Vec::new();
    if *app.stop.0.borrow() {
        reasons.push("the daemon is stopping".to_owned());
    }
    if app.reloader.in_force().is_none() {
        reasons.push("no tariff is in force".to_owned());
    }
    if progress.journal_full.load(Relaxed) {
        let free = progress.free_bytes.load(Relaxed);
        reasons.push(format!(
            "the journal has no room ({free} bytes free, see journal.min_free): records are refused until there is space"
        ));
    }
    if progress.store_away.load(Relaxed) {
        reasons.push(format!("the store is away: {waiting} records are safe in the journal and wait for it"));
    }
    if progress.road_full.load(Relaxed) {
        reasons.push(format!("{waiting} records wait for the store: no more are read until it has some of them"));
    }
    if progress.index_behind.load(Relaxed) {
        reasons.push("the identity index has no room on its disk: the journal keeps the records meanwhile".to_owned());
    }
    reasons
}

fn waiting(app: &App) -> u64 {
    let progress = app.road.progress();
    progress.records_durable.load(Relaxed).saturating_sub(progress.records_stored.load(Relaxed))
}

/// Metrics.
///
/// In the Prometheus exposition format.
#[utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses((status = 200, body = String, content_type = "text/plain")),
)]
pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    waiting::waits(&app).await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render())
}

/// What somebody wants to know first at night. Counts begin at the start of the process.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "version": "0.1.0", "tz_database": "2026e", "at": "2026-10-05T03:00:00Z", "ready": true, "reasons": [], "records_received": 1200,
    "records_refused": 0, "legs_rated": 1010, "lag_records": 12, "books_balanced": true, "store_up": true,
    "journal_full": false, "suspense": [{ "reason": "no_rate", "count": 7, "oldest": "2026-10-04T22:00:00Z" }], "conflicts": 0,
    "conflicts_oldest": null, "below_margin": 0, "udp_dropped": 0, "sequence_gaps": 0,
    "sources": [{ "name": "connect:pbx:5038", "connected": true, "since": "2026-10-05T02:10:00Z", "trouble": null,
        "missed_from": "2026-10-05T02:00:00Z", "missed_to": "2026-10-05T02:10:00Z", "gap_seconds": 600 }],
    "tariff": "blake3:…", "prefixes": 6842, "directory": "blake3:…", "accounts": 9,
}))]
pub(super) struct Status {
    version: &'static str,
    /// Version of the time zone database that is compiled in.
    tz_database: &'static str,
    /// Now: rates are differences of counts over differences of this.
    at: String,
    ready: bool,
    /// Why it is not.
    reasons: Vec<String>,
    /// At the doors, good or bad.
    records_received: u64,
    records_refused: u64,
    legs_rated: u64,
    /// Records in the journal that the store does not cover yet.
    lag_records: u64,
    /// Every equation of the books holds.
    books_balanced: bool,
    store_up: bool,
    journal_full: bool,
    /// What waits, by reason; reasons without any are left out.
    suspense: Vec<SuspenseCount>,
    /// Records that came again with other content, and which nobody decided.
    conflicts: u64,
    /// RFC 3339: when the oldest of them came.
    conflicts_oldest: Option<String>,
    /// Destinations that brought less than their least margin, in the latest flush that had calls with costs.
    below_margin: u64,
    /// Datagrams that the kernel dropped.
    udp_dropped: u64,
    /// Numbers that senders' counters skipped: records that may be lost.
    sequence_gaps: u64,
    /// Nodes that we call.
    sources: Vec<SourceStatus>,
    /// BLAKE3 of the image in force; null: none is.
    tariff: Option<String>,
    prefixes: u64,
    directory: Option<String>,
    accounts: u32,
}

/// How many items of a reason wait.
#[derive(Serialize, ToSchema)]
pub(super) struct SuspenseCount {
    reason: String,
    count: u64,
    /// RFC 3339: when the oldest came; null: not known at the moment.
    oldest: Option<String>,
}

/// A node that we call, and what of its may be missing.
#[derive(Serialize, ToSchema)]
pub(super) struct SourceStatus {
    name: String,
    connected: bool,
    /// Since when it has been so.
    since: String,
    /// What is in the way; null: nothing.
    trouble: Option<String>,
    /// From then on something may be missing: the gap that goes on, else the last one; null: there was none.
    missed_from: Option<String>,
    /// Up to then; null while the gap goes on.
    missed_to: Option<String>,
    /// Seconds of all gaps since the start of the process.
    gap_seconds: u64,
}

impl SourceStatus {
    fn sentence(&self) -> String {
        let missed = match &self.missed_from {
            Some(from) => format!("what it reported since {from} is missing"),
            None => format!("not connected since {}", self.since),
        };
        format!("{} is not connected ({}): {missed}", self.name, self.trouble.as_deref().unwrap_or("not called yet"))
    }
}

fn sources(app: &App) -> Vec<SourceStatus> {
    let of = |source: &std::sync::Arc<crate::ingest::connect::Source>| {
        let standing = source.standing();
        let (from, to) = match (standing.missed_since, standing.last_gap) {
            (Some(from), _) => (Some(from), None),
            (None, Some((from, to))) => (Some(from), Some(to)),
            (None, None) => (None, None),
        };
        SourceStatus {
            name: source.name.clone(),
            connected: standing.connected,
            since: standing.since.to_string(),
            trouble: standing.trouble,
            missed_from: from.map(|at| at.to_string()),
            missed_to: to.map(|at| at.to_string()),
            gap_seconds: standing.gap_seconds,
        }
    };
    app.sources.iter().map(of).collect()
}

/// How the daemon is.
///
/// What the page at `/` shows.
#[utoipa::path(
    get, path = "/v1/status", tag = "health", operation_id = "status",
    responses((status = 200, body = Status), (status = "default", response = super::openapi::AnyProblem)),
    security((), ("token" = [])),
)]
pub(super) async fn status(State(app): State<App>) -> Json<Status> {
    let waits = waiting::waits(&app).await;
    let samples = app.metrics.samples();
    // Counters are whole numbers far below 2^53.
    let sum = |name| samples.sum(name) as u64;
    let reasons = reasons(&app);
    let in_force = app.in_force().ok();
    let progress = app.road.progress();
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        tz_database: tz_database(),
        at: app.clock.now().to_string(),
        ready: reasons.is_empty(),
        reasons,
        records_received: sum("callrated_records_received_total"),
        records_refused: sum("callrated_records_refused_total"),
        legs_rated: sum("callrated_legs_rated_total"),
        lag_records: waiting(&app),
        books_balanced: samples.sum("callrated_books_unbalanced") == 0.0,
        store_up: !progress.store_away.load(Relaxed),
        journal_full: progress.journal_full.load(Relaxed),
        suspense: samples
            .by("callrated_suspense_open", "reason")
            .filter(|(_, count)| *count > 0.0)
            .map(|(reason, count)| SuspenseCount {
                reason: reason.to_owned(),
                count: count as u64,
                oldest: waits.oldest.iter().find(|(of, _)| of.name() == reason).map(|(_, at)| at.to_string()),
            })
            .collect(),
        conflicts: waits.undecided.0,
        conflicts_oldest: waits.undecided.1.map(|at| at.to_string()),
        below_margin: sum("callrated_margin_destinations_below"),
        udp_dropped: sum("callrated_udp_dropped_total"),
        sequence_gaps: sum("callrated_udp_sequence_gaps_total"),
        sources: sources(&app),
        tariff: in_force.as_ref().map(|(tariff, _)| format!("blake3:{}", tariff.digest())),
        prefixes: in_force.as_ref().map_or(0, |(tariff, _)| tariff.prefixes()),
        directory: in_force.as_ref().map(|(_, directory)| format!("blake3:{}", directory.digest())),
        accounts: in_force.as_ref().map_or(0, |(_, directory)| directory.accounts()),
    })
}
