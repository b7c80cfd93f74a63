//! `/healthz`, `/readyz`, `/metrics`.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::{App, Problem};

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Records are taken and the store keeps up.
pub(super) async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    use std::sync::atomic::Ordering::Relaxed;
    let progress = app.road.progress();
    let waiting = progress.records_durable.load(Relaxed).saturating_sub(progress.records_stored.load(Relaxed));
    if waiting >= crate::sequencer::PENDING_RECORDS_MAX {
        return Err(Problem::unavailable(&format!("{waiting} records wait for the store")));
    }
    Ok("ready\n")
}

/// Prometheus exposition.
pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render())
}
