//! Door 2, answers out: the HTTP API, one file per resource.
//!
//! Handlers ask the road (what is known now) or the store (what is stored up to a flush), and change an amount only by
//! putting an entry on the road. Amounts are decimal strings; errors are RFC 9457 problem details.
//!
//! ```text
//! server ─▶ manners ─▶ guard ─▶ route ─▶ handler ─▶ road, or settle and store
//!           errors in   auth     one table: method, path, who may call
//!           one form
//! ```
//!
//! Does not know how rating works, nor how a question is answered inside.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};

use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::daemon::engine::Engine;
use crate::daemon::reload::Reloader;
use crate::daemon::rerater::Rerater;
use crate::daemon::retainer::Retainer;
use crate::daemon::sealer::Sealer;
use crate::daemon::{Opened, Posts};
use crate::directory::Directory;
use crate::exit::Exit;
use crate::images::Images;
use crate::ingest::connect::Source;
use crate::ingest::{Door, Stop};
use crate::journal::JournalReader;
use crate::metrics::Metrics;
use crate::money::Money;
use crate::os::clock::Clock;
use crate::os::handed::Handed;
use crate::road::Road;
use crate::store::Store;
use crate::tariff::Tariff;
use crate::time::Timestamp;
use crate::tls::{Streams, Tls};
use crate::wire::formats::Formats;

mod accounts;
mod amounts;
pub mod auth;
mod backup;
mod calls;
mod changes;
mod changing;
mod conflicts;
mod decide;
mod details;
mod explain;
mod export;
mod guard;
mod health;
mod held;
mod history;
mod import;
mod manners;
mod margin;
mod minimums;
mod months;
pub mod node;
mod openapi;
mod page;
#[cfg(feature = "parquet")]
mod parquet;
mod periods;
mod post;
mod problem;
mod quote;
mod received;
mod retention;
mod rerate;
mod routes;
mod server;
mod settle;
mod shadow;
mod stream;
mod suspense;
mod tariff;
mod trial;
mod usage;
mod verify;
pub mod waiting;

pub use auth::{Scope, new_token};
pub use problem::Problem;
pub use routes::routes;
use routes::{Routes, api, of_health};

use auth::{Access, Caller, Guard};
use settle::Settler;

/// Call details that are streamed at once: each holds a thread, a connection to the store and some 400 KiB.
const DOWNLOADS_MAX: usize = 64;

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
    /// Reloads the rates folder; knows what is in force.
    pub reloader: Arc<Reloader>,
    /// Seals months.
    pub sealer: Arc<Sealer>,
    /// Deletes, holds and erases.
    pub retainer: Arc<Retainer>,
    /// Rates calls again.
    pub rerater: Arc<Rerater>,
    /// Now.
    pub clock: Clock,
    /// Where posted records go.
    pub post: Arc<Door>,
    /// Where imported records go.
    pub import: Arc<Door>,
    /// Nodes that are called.
    pub sources: Vec<Arc<Source>>,
    /// Formats that a sender may name.
    pub formats: Arc<Formats>,
    /// One import at a time, so that what became of its records can be told apart.
    pub importing: Arc<tokio::sync::Mutex<()>>,
    /// One month is tried at a time: it takes as many threads as there are.
    pub trying: Arc<tokio::sync::Mutex<()>>,
    /// The folder that a backup copies.
    pub data_dir: PathBuf,
    /// Renders the metrics.
    pub metrics: Metrics,
    /// Least margin in per cent, where a plan says none.
    pub least_margin: Money,
    /// Tells when the daemon stops.
    stop: Stop,
    settler: Settler,
    downloads: Arc<Semaphore>,
    /// What waited a moment ago.
    waits: waiting::WaitsKept,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// Over a running engine.
    pub fn new(
        engine: &Engine,
        reloader: Arc<Reloader>,
        (sealer, retainer): (Arc<Sealer>, Arc<Retainer>),
        metrics: Metrics,
        Opened { posts: Posts { calls, import }, sources }: Opened,
        stop: Stop,
        config: &Config,
    ) -> Result<App, Exit> {
        Ok(App(Arc::new(Shared {
            road: engine.road.clone(),
            store: engine.store.clone(),
            images: engine.images.clone(),
            journal: engine.journal.clone(),
            reloader,
            sealer,
            retainer,
            rerater: engine.rerater.clone(),
            clock: engine.clock.clone(),
            post: calls,
            import,
            sources,
            formats: Arc::new(config.formats.clone()),
            importing: Arc::default(),
            trying: Arc::default(),
            data_dir: config.data_dir.clone(),
            metrics,
            least_margin: config.least_margin,
            stop,
            settler: Settler::default(),
            downloads: Arc::new(Semaphore::new(DOWNLOADS_MAX)),
            waits: waiting::WaitsKept::default(),
        })))
    }

    /// Every route of the API for callers inside the process, who need no token.
    pub fn router(&self) -> Router {
        self.finish(api().router)
    }

    /// The same for callers from outside, each route behind its guard.
    fn guarded(&self, routes: Routes, guard: &Arc<Guard>, health_open: bool) -> Router {
        let table = Arc::new(routes.table);
        let (guard, clock) = (guard.clone(), self.clock.clone());
        let admit = move |mut request: Request, next: Next| {
            let admitted = admit(&guard, &table, health_open, clock.now(), &request);
            if request.extensions().get::<MatchedPath>().is_some_and(|path| path.as_str() == calls::OF_ACCOUNT) {
                let operates = admit_to(&guard, Access::Scope(Scope::Operate), health_open, clock.now(), &request);
                request.extensions_mut().insert(Operates(operates.is_ok()));
            }
            async move {
                match admitted {
                    Ok(()) => next.run(request).await,
                    Err(problem) => problem.into_response(),
                }
            }
        };
        self.finish(routes.router.layer(middleware::from_fn(admit)))
    }

    fn finish(&self, router: Router<App>) -> Router {
        router
            .layer(DefaultBodyLimit::max(manners::BODY_MAX))
            .layer(middleware::from_fn(manners::tidy))
            .with_state(self.clone())
    }

    /// The tariff and the directory in force.
    fn in_force(&self) -> Result<(Arc<Tariff>, Arc<Directory>), Problem> {
        self.in_force_at(self.clock.now())
    }

    /// The tariff of calls answered then, and the directory in force.
    fn in_force_at(&self, answer: Timestamp) -> Result<(Arc<Tariff>, Arc<Directory>), Problem> {
        match self.reloader.tariff_at(answer).zip(self.reloader.in_force()) {
            Some((tariff, in_force)) => Ok((tariff, in_force.directory.clone())),
            None => Err(Problem::unavailable("no tariff is in force")),
        }
    }

    /// Puts everything acknowledged so far into the store, so that an answer from there sees it.
    async fn settle(&self) -> Result<(), Problem> {
        self.settler.settle(&self.road).await
    }

    /// Asks the store on a thread that may wait.
    async fn stored<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Store) -> Result<T, crate::store::StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || ask(store.as_ref())).await {
            Ok(answer) => answer.map_err(|e| Problem::unavailable(e.to_string())),
            Err(_) => Err(Problem::stopping()),
        }
    }
}

/// Whether whoever asks may also see what is for operators only; absent where the request comes from inside the process.
#[derive(Clone, Copy)]
struct Operates(bool);

/// Whether a request from outside may go on to its route.
fn admit(
    guard: &Guard,
    table: &[(Method, &'static str, Access)],
    health_open: bool,
    now: Timestamp,
    request: &Request,
) -> Result<(), Problem> {
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    // What has no route here is answered 404 or 405, which tells nobody anything.
    let access =
        table.iter().find(|(m, p, _)| m == method && Some(*p) == path).map_or(Access::Public, |(_, _, access)| *access);
    admit_to(guard, access, health_open, now, request)
}

/// Whether whoever sends a request from outside has such access.
fn admit_to(
    guard: &Guard,
    access: Access,
    health_open: bool,
    now: Timestamp,
    request: &Request,
) -> Result<(), Problem> {
    let headers = request.headers();
    let Some(server::Peer(peer)) = request.extensions().get() else {
        return Err(Problem::forbidden("this request came from nowhere"));
    };
    let caller = Caller {
        peer: Some(peer.ip()),
        host: text(headers, header::HOST),
        origin: text(headers, header::ORIGIN),
        authorization: text(headers, header::AUTHORIZATION),
    };
    guard.admit(access, health_open, caller, now)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    // A value that is no text names nothing known, which is what an empty one does.
    headers.get(name).map(|value| value.to_str().unwrap_or(""))
}

/// Where the API and the metrics answer.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The API.
    pub api: SocketAddr,
    /// Health and metrics.
    pub metrics: SocketAddr,
}

/// Opens the addresses and answers until the stop. With `tls` the API's streams are encrypted; those of a metrics address
/// of its own are not.
///
/// # Errors
/// An address that cannot be opened, a tokens file that cannot be used.
pub async fn serve(
    app: App,
    config: &Config,
    tls: Option<Arc<Tls>>,
    handed: &Handed,
    stop: &Stop,
    tasks: &mut JoinSet<()>,
) -> Result<Addresses, Exit> {
    let guard = Arc::new(Guard::open(config.tokens.as_deref()).map_err(Exit::usage)?);
    let api_listener = open(config.http_address, handed).await?;
    let mut addresses = Addresses { api: local(&api_listener)?, metrics: local(&api_listener)? };
    let shared = config.metrics_address == config.http_address;
    if !shared {
        let metrics = open(config.metrics_address, handed).await?;
        addresses.metrics = local(&metrics)?;
        tasks.spawn(server::answer(metrics.into(), app.guarded(of_health(), &guard, true), stop.clone()));
    }
    if guard.has_tokens() {
        tasks.spawn(look_at_tokens(guard.clone(), stop.clone()));
    } else if !addresses.api.ip().is_loopback() {
        tracing::warn!(
            "http://{} is open to the network, but without [http] tokens only this machine may call",
            addresses.api
        );
    }
    tasks.spawn(server::answer(Streams::new(api_listener, tls), app.guarded(api(), &guard, shared), stop.clone()));
    Ok(addresses)
}

/// Sees changes of the tokens file by themselves, and reads it at SIGHUP whatever its time and length say.
async fn look_at_tokens(guard: Arc<Guard>, mut stop: Stop) {
    // Where signals cannot be received, looking every other second still sees what changes.
    let mut hangups = signal(SignalKind::hangup()).ok();
    let mut hangup = async || match &mut hangups {
        Some(hangups) => drop(hangups.recv().await),
        None => std::future::pending().await,
    };
    loop {
        tokio::select! {
            () = stop.stopped() => return,
            () = hangup() => guard.look(true),
            () = tokio::time::sleep(auth::LOOK_EVERY) => guard.look(false),
        }
    }
}

/// The socket that was handed over for an address, else one of our own.
pub async fn bind(address: SocketAddr, handed: &Handed) -> std::io::Result<TcpListener> {
    match handed.stream(address) {
        Some(socket) => TcpListener::from_std(socket),
        None => TcpListener::bind(address).await,
    }
}

async fn open(address: SocketAddr, handed: &Handed) -> Result<TcpListener, Exit> {
    bind(address, handed).await.map_err(|e| {
        Exit::environment(format!("http://{address} cannot be opened: {e}; is another daemon running there?"))
    })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Exit> {
    listener.local_addr().map_err(|e| Exit::environment(format!("an address cannot be read back: {e}")))
}
