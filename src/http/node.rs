//! A listener to which nodes post their records, each in its own way: any path, any content type.
//!
//! 200 once what was posted is synced, also where it was no record of ours. 422 where nothing could be read: a node that
//! keeps what it could not deliver (FreeSWITCH: `err-log-dir`) then keeps it, to be imported once the format is mended.
//! 503 with `Retry-After` when no more can be taken.
//!
//! Does not know formats, nor what becomes of a record.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};

use super::server::{self, Peer};
use crate::ingest::counters::TurnedAway;
use crate::ingest::{Door, Stop, http as ingest};
use crate::tls::Streams;

/// Serves a listener until the stop.
pub async fn serve(streams: Streams, door: Arc<Door>, stop: Stop) {
    server::answer(streams, Router::new().fallback(take).with_state(door), stop).await;
}

async fn take(
    State(door): State<Arc<Door>>,
    Extension(Peer(peer)): Extension<Peer>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !door.allow.permits(peer.ip()) {
        door.counters.turned_away(TurnedAway::NotAllowed);
        return (StatusCode::FORBIDDEN, "this address may not send here\n").into_response();
    }
    if method != Method::POST && method != Method::PUT {
        let allow = [(header::ALLOW, HeaderValue::from_static("POST, PUT"))];
        return (StatusCode::METHOD_NOT_ALLOWED, allow, "post records here\n").into_response();
    }
    match ingest::take(&door, &headers, body, ingest::BODY_MAX).await {
        (posted, Ok(())) if posted.refused_all() => (StatusCode::UNPROCESSABLE_ENTITY, Json(posted)).into_response(),
        (posted, Ok(())) => Json(posted).into_response(),
        (posted, Err(error)) => error.response(posted.durable),
    }
}
