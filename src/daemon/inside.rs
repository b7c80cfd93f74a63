//! The engine and its API inside a command's own process: no listeners, no doors but those of the API.
//!
//! A command that finds nobody at work in the data folder asks the very same routes that a running daemon answers, so
//! there is one code path and one set of answers.
//!
//! Does not know which command asks, nor what it prints.

use std::sync::Arc;

use axum::Router;
use tokio::sync::watch;

use super::engine::Engine;
use super::reload::Reloader;
use super::{doors, first_load, make_folder};
use crate::config::Config;
use crate::exit::Exit;
use crate::http::App;
use crate::ingest::Stop;
use crate::metrics::Metrics;
use crate::os::clock::Clock;
use crate::poison;

/// A started engine and its routes.
pub struct Inside {
    engine: Engine,
    router: Router,
    /// Its loss would mean that everything stops.
    stop: watch::Sender<bool>,
}

impl Inside {
    /// Recovers the data folder, puts the rates folder in force as `serve` does, and makes the routes. Must be called
    /// inside a tokio runtime.
    pub async fn start(config: &Config) -> Result<Inside, Exit> {
        let metrics = Metrics::install();
        let clock = Clock::wall();
        make_folder(config)?;
        poison::end_on_panic(&config.data_dir);
        let mut engine = Engine::start(config, clock.clone())?;
        for sentence in &engine.report {
            tracing::info!("{sentence}");
        }
        let (stop, stopping) = watch::channel(false);
        match Inside::routes(config, &mut engine, metrics, clock, Stop(stopping)).await {
            Ok(router) => Ok(Inside { engine, router, stop }),
            Err(exit) => {
                // The first reason is the one to tell.
                let _ = engine.stop().await;
                Err(exit)
            }
        }
    }

    async fn routes(
        config: &Config,
        engine: &mut Engine,
        metrics: Metrics,
        clock: Clock,
        stop: Stop,
    ) -> Result<Router, Exit> {
        let reloader = Arc::new(Reloader::new(
            &config.rates_dir,
            engine.images.clone(),
            engine.road.clone(),
            clock,
            engine.known.clone(),
        ));
        first_load(&reloader, "command line").await?;
        let opened = doors::Opened { posts: doors::posts(engine).await?, sources: Vec::new() };
        let sealer = Arc::new(engine.sealer(config)?);
        let retainer = Arc::new(engine.retainer(config)?);
        Ok(App::new(engine, reloader, (sealer, retainer), metrics, opened, stop, config)?.router())
    }

    /// The routes of the API.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Stores everything and ends the engine.
    pub async fn stop(self) -> Result<(), Exit> {
        let Inside { engine, router, stop } = self;
        let _ = stop.send(true);
        drop(router);
        engine.stop().await
    }
}
