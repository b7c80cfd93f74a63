//! Door 2, answers out: the HTTP API, one file per resource.
//!
//! Handlers ask the road (what is known now) or the store (what is stored up to a flush), and change an amount only by
//! putting an entry on the road. Amounts are decimal strings; errors are RFC 9457 problem details.
//!
//! Does not know how rating works, nor how a question is answered inside.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::daemon::engine::Engine;
use crate::daemon::reload::Reloader;
use crate::directory::Directory;
use crate::exit::Exit;
use crate::images::Images;
use crate::ingest::{Door, Stop};
use crate::journal::JournalReader;
use crate::metrics::Metrics;
use crate::os::clock::Clock;
use crate::road::Road;
use crate::store::Store;
use crate::tariff::Tariff;

mod calls;
mod details;
mod health;
mod periods;
mod problem;
mod quote;
mod stream;
mod suspense;
mod tariff;
mod usage;

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
    /// Where posted records go.
    pub post: Arc<Door>,
    /// Renders the metrics.
    pub metrics: Metrics,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Longest wait of a question for the store: longer than a flush ever takes while the store is there.
const FLUSH_WAIT: Duration = Duration::from_secs(10);

impl App {
    /// Over a running engine.
    pub fn new(
        engine: &Engine,
        reloader: Arc<Reloader>,
        metrics: Metrics,
        post: Arc<Door>,
        _config: &Config,
    ) -> Result<App, Exit> {
        Ok(App(Arc::new(Shared {
            road: engine.road.clone(),
            store: engine.store.clone(),
            images: engine.images.clone(),
            journal: engine.journal.clone(),
            reloader,
            clock: engine.clock.clone(),
            post,
            metrics,
        })))
    }

    /// Every route of the API.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v1/calls", post(calls::post))
            .route("/v1/accounts/{account}/usage", get(usage::of_account))
            .route("/v1/accounts/{account}/calls", get(calls::of_account))
            .route("/v1/periods/{period}/usage", get(periods::usage))
            .route("/v1/calls/{node}/{id}", get(calls::one))
            .route("/v1/records/{node}/{id}", get(calls::record))
            .route("/v1/quote", post(quote::quote))
            .route("/v1/suspense", get(suspense::list))
            .route("/v1/suspense/retry", post(suspense::retry))
            .route("/v1/tariff", get(tariff::show))
            .route("/v1/tariff/reload", post(tariff::reload))
            .merge(self.health_router())
            .with_state(self.clone())
    }

    /// Health and metrics, for an address of their own.
    pub fn health_router(&self) -> Router<App> {
        Router::new()
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .route("/metrics", get(health::metrics))
    }

    /// The tariff and the directory in force.
    async fn in_force(&self) -> Result<(Arc<Tariff>, Arc<Directory>), Problem> {
        let Some((tariff, directory)) = self.reloader.in_force().await else {
            return Err(Problem::unavailable("no tariff is in force"));
        };
        let missing = |e: crate::images::ImageMissing| Problem::unavailable(&e.to_string());
        Ok((self.images.tariff(&tariff).map_err(missing)?, self.images.directory(&directory).map_err(missing)?))
    }

    /// Puts everything acknowledged so far into the store, so that an answer from there sees it.
    async fn settle(&self) -> Result<(), Problem> {
        match tokio::time::timeout(FLUSH_WAIT, self.road.flush()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Problem::stopping()),
            Err(_) => Err(Problem::unavailable("the store is away: what was acknowledged last is not stored yet")),
        }
    }

    /// Asks the store on a thread that may wait.
    async fn stored<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Store) -> Result<T, crate::store::StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || ask(store.as_ref())).await {
            Ok(answer) => answer.map_err(|e| Problem::unavailable(&e.to_string())),
            Err(_) => Err(Problem::stopping()),
        }
    }
}

/// Where the API and the metrics answer.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The API.
    pub api: SocketAddr,
    /// Health and metrics.
    pub metrics: SocketAddr,
}

/// Opens the addresses and answers until the stop.
pub async fn serve(app: App, config: &Config, stop: &Stop, tasks: &mut JoinSet<()>) -> Result<Addresses, Exit> {
    let api = bind(config.http_address).await?;
    let mut addresses = Addresses { api: local(&api)?, metrics: local(&api)? };
    if config.metrics_address != config.http_address {
        let metrics = bind(config.metrics_address).await?;
        addresses.metrics = local(&metrics)?;
        tasks.spawn(answer(metrics, app.health_router().with_state(app.clone()), stop.clone()));
    }
    tasks.spawn(answer(api, app.router(), stop.clone()));
    Ok(addresses)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Exit> {
    TcpListener::bind(address).await.map_err(|e| {
        Exit::environment(format!("http://{address} cannot be opened: {e}; is another daemon running there?"))
    })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Exit> {
    listener.local_addr().map_err(|e| Exit::environment(format!("an address cannot be read back: {e}")))
}

async fn answer(listener: TcpListener, router: Router, mut stop: Stop) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let stopped = async move { stop.stopped().await };
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped).await {
        tracing::error!("the HTTP server ended: {error}");
    }
}
