//! Door 2, answers out: the HTTP API, one file per resource.
//!
//! Handlers ask the road (what is known now) or the store (what is stored up to a flush), and change an amount only by
//! putting an entry on the road. Amounts are decimal strings; errors are RFC 9457 problem details.
//!
//! Does not know how rating works, nor how a question is answered inside.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::daemon::reload::Reloader;
use crate::images::Images;
use crate::ingest::http::PostCalls;
use crate::journal::JournalReader;
use crate::os::clock::Clock;
use crate::road::Road;
use crate::store::Store;

mod auth;
mod calls;
mod details;
mod health;
mod openapi;
mod periods;
mod problem;
mod quote;
mod records;
mod suspense;
mod tariff;
mod usage;

pub use auth::Tokens;
pub use problem::Problem;

/// What the handlers share.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// See [`App`].
pub struct Shared {
    /// Questions, changes, flushes.
    pub road: Road,
    /// What is stored.
    pub store: Arc<dyn Store>,
    /// Images by digest.
    pub images: Arc<Images>,
    /// The journal, for records.
    pub journal: JournalReader,
    /// Reloads the rates folder.
    pub reloader: Arc<Reloader>,
    /// Now.
    pub clock: Clock,
    /// `POST /v1/calls`.
    pub ingest: PostCalls,
    /// Who may call.
    pub tokens: Tokens,
    /// Renders the metrics.
    pub metrics: crate::metrics::Metrics,
}
