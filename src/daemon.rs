//! The daemon: builds the parts, joins them, waits, stops them. Only here is it known who stands next to whom.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::batch::{Batch, SourceId};
use crate::config::Config;
use crate::exit::Exit;
use crate::flush;
use crate::http;
use crate::ingest::{self, Stop};
use crate::metrics::Metrics;
use crate::os::clock::Clock;
use crate::os::handed::Handed;
use crate::os::notify;
use crate::poison;
use crate::rates;
use crate::resolver;
use crate::road::Road;
use crate::sequencer::{self, Control};
use crate::shard;
use crate::webhook;
use crate::webhook::herald::Herald;

pub mod backup;
mod certificates;
pub mod changes;
mod doors;
pub mod engine;
mod exits;
mod gauges;
pub mod inside;
pub mod known;
pub mod old_images;
pub mod parts;
mod reading;
pub mod recover;
pub mod reload;
pub mod rest;
pub mod retainer;
pub mod rerater;
pub mod retry;
pub mod schedule;
pub mod sealer;
mod watch_rates;

use certificates::Certificates;
pub use doors::{Opened, Posts};
use engine::Engine;
use parts::Told;
use reload::{ReloadError, Reloader, Wish};
use watch_rates::Watched;

/// How often the time is journalled while calls wait. The shortest waiting is a minute.
const TICK_EVERY: Duration = Duration::from_secs(5);

/// Who asks for the first load of a daemon.
const BY_START: &str = "start";

/// Runs the daemon until a signal ends it, or until something it needs gives out.
pub async fn serve(config: Config) -> Result<(), Exit> {
    let ended = ended_by_signal()?;
    make_folder(&config)?;
    poison::end_on_panic(&config.data_dir);
    let greeted = config.clone();
    run(config, move |addresses| welcome(&greeted, addresses), ended).await
}

/// Runs the daemon until `ended`, or until something it needs gives out. `ready` is told where it answers once it does.
pub async fn run(
    config: Config,
    ready: impl FnOnce(&http::Addresses),
    ended: impl Future<Output = ()>,
) -> Result<(), Exit> {
    // By default this signal ends a process, and a start may take a while.
    let (prices, papers) = (hangups(), hangups());
    let handed = Handed::take()
        .map_err(|e| Exit::environment(format!("the sockets of the service manager cannot be used: {e}")))?;
    let metrics = Metrics::install();
    describe_metrics();
    let clock = Clock::wall();
    make_folder(&config)?;
    let mut engine = Engine::start(&config, clock.clone())?;
    for sentence in &engine.report {
        tracing::info!("{sentence}");
    }

    let (stop_doors, stop) = watch::channel(false);
    let stop = Stop(stop);
    let reloader = Arc::new(Reloader::new(
        &config.rates_dir,
        engine.images.clone(),
        engine.road.clone(),
        clock.clone(),
        engine.known.clone(),
    ));
    let watched = Watched::begin(reloader.folder());
    first_load(&reloader, BY_START).await?;

    let mut doors = JoinSet::new();
    let mut certificates = Certificates::default();
    let opened = doors::open(&config, &mut engine, &handed, &mut certificates, &stop, &mut doors).await?;
    let sealer = Arc::new(engine.sealer(&config)?);
    let retainer = Arc::new(engine.retainer(&config)?);
    let guards = (sealer.clone(), retainer.clone());
    let app = http::App::new(&engine, reloader.clone(), guards, metrics.clone(), opened, stop.clone(), &config)?;
    let tls = certificates.open(config.http_tls.as_ref())?;
    let addresses = http::serve(app, &config, tls, &handed, &stop, &mut doors).await?;
    for address in handed.left() {
        tracing::warn!("the service manager opened {address}, where nothing listens by the configuration");
    }
    drop(handed);
    engine.announce(&addresses.api.to_string());

    let mut helpers = JoinSet::new();
    helpers.spawn(flush_timer(engine.road.clone(), Duration::from_micros(config.flush_every.0.max(1_000) as u64)));
    helpers.spawn(gauges::set(engine.road.clone(), engine.outbox.depth(), engine.depths.clone()));
    helpers.spawn(ticks(engine.road.clone(), clock.clone()));
    helpers.spawn(metrics.upkeep());
    if let Some(Told { events, missed }) = engine.told.take() {
        let herald = Herald::new(events, missed, engine.store.clone(), clock.clone(), &config.webhooks);
        helpers.spawn(herald.run());
    }
    helpers.spawn(watched.reload_at_changes(reloader.clone()));
    helpers.spawn(sealer.run());
    helpers.spawn(retainer.run());
    helpers.spawn(engine.rerater.clone().run());
    helpers.spawn(reload_on_signal(reloader.clone(), prices));
    helpers.spawn(certificates.renew_on_signal(papers));
    helpers.spawn(watchdog());

    // Without systemd there is nobody to tell, which is fine.
    let _ = notify::ready();
    ready(&addresses);
    let reason = tokio::select! {
        exit = engine.fatal.recv() => exit,
        () = ended => None,
    };
    let _ = notify::stopping();

    // Doors first, then the road from front to back, then the last flush.
    let _ = stop_doors.send(true);
    // Senders that wait for space would wait for ever now.
    let _ = engine.road.send(Control::Closing).await;
    while doors.join_next().await.is_some() {}
    helpers.shutdown().await;
    match reason {
        Some(exit) => Err(exit),
        None => engine.stop().await,
    }
}

/// Makes the data folder. Nothing is made where there is nothing to rate by either: most likely that is the wrong place.
fn make_folder(config: &Config) -> Result<(), Exit> {
    if !config.data_dir.exists() && !config.rates_dir.exists() {
        rates::RatesFolder::read(&config.rates_dir).map_err(Exit::usage)?;
    }
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|e| Exit::environment(format!("the data folder {} cannot be made: {e}", config.data_dir.display())))
}

/// Says what each part's metrics mean.
fn describe_metrics() {
    ingest::counters::describe();
    ingest::radius::describe();
    ingest::connect::describe();
    sequencer::describe();
    resolver::describe();
    shard::describe();
    flush::describe();
    reload::describe();
    gauges::describe();
    sealer::describe();
    webhook::describe();
    http::waiting::describe();
    retainer::describe();
}

/// Puts the rates folder in force, or keeps the last good images if it is wrong. `by` says who asked.
async fn first_load(reloader: &Reloader, by: &str) -> Result<(), Exit> {
    match reloader.reload(by, Wish::Noticed, None).await {
        Ok(loaded) => {
            if by == BY_START
                && let Some(left) = &loaded.left
            {
                tracing::warn!("{}", watch_rates::left_alone(&loaded.tariff, left));
            }
            for finding in &loaded.findings {
                // A command that only asks something is not the place for them: `check` tells, and the daemon's log.
                if by == BY_START {
                    tracing::warn!("{}", rates::describe(finding));
                }
            }
            Ok(())
        }
        Err(ReloadError::Rates(error)) => {
            if let rates::RatesError::Wrong { findings, .. } = &error {
                for finding in findings {
                    tracing::error!("{}", rates::describe(finding));
                }
            }
            match reloader.in_force() {
                Some(_) => {
                    tracing::error!("{error}; the last good images stay in force");
                    Ok(())
                }
                None if matches!(error, rates::RatesError::NoFolder(_)) => Err(Exit::usage(error)),
                None => Err(Exit::usage(format!("{error}; `callrated check` shows every fault"))),
            }
        }
        // What was changed by itself does not go with the folder as it is now.
        Err(error @ (ReloadError::NoPlan { .. } | ReloadError::OwnerGone { .. })) if reloader.in_force().is_some() => {
            tracing::error!("{error}; the last good images stay in force");
            Ok(())
        }
        Err(error) => Err(Exit::environment(error)),
    }
}

/// Ends at SIGTERM or SIGINT.
fn ended_by_signal() -> Result<impl Future<Output = ()>, Exit> {
    let cannot = |_| Exit::environment("signals cannot be received");
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Every SIGHUP from now on; none where they cannot be received.
fn hangups() -> Option<Signal> {
    let heard = signal(SignalKind::hangup());
    heard.inspect_err(|_| tracing::warn!("SIGHUP cannot be received: POST /v1/tariff/reload reloads")).ok()
}

/// SIGHUP reloads.
async fn reload_on_signal(reloader: Arc<Reloader>, hangup: Option<Signal>) {
    let Some(mut hangup) = hangup else { return };
    while hangup.recv().await.is_some() {
        watch_rates::reload_and_say(&reloader, "sighup").await;
    }
}

async fn flush_timer(road: Road, every: Duration) {
    let mut timer = tokio::time::interval(every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    timer.tick().await;
    loop {
        timer.tick().await;
        if road.send(Control::Flush(None)).await.is_err() {
            return;
        }
    }
}

/// Journals the time while calls told in parts wait for their other parts, so that their waiting can end; a replay ends
/// it at the same places.
async fn ticks(road: Road, clock: Clock) {
    let mut timer = tokio::time::interval(TICK_EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        match road.open_calls().await {
            Ok(0) => {}
            Ok(_) => {
                let mut batch = Batch::new(SourceId(0));
                batch.push_tick(clock.now());
                // A full journal takes none; the next tick says the same and more.
                let _ = road.enter(batch).await;
            }
            Err(_) => return,
        }
    }
}

/// Tells systemd's watchdog that the runtime still runs, at half its patience.
async fn watchdog() {
    let Some(patience) = notify::watchdog_interval() else { return };
    let mut timer = tokio::time::interval(patience / 2);
    loop {
        timer.tick().await;
        let _ = notify::watchdog();
    }
}

/// A few friendly lines: where it listens, and what to try next.
fn welcome(config: &Config, addresses: &http::Addresses) {
    let doors: Vec<String> = config.listeners.iter().map(|l| l.profile.listener.clone()).collect();
    println!("callrated {} is ready.", env!("CARGO_PKG_VERSION"));
    let api = if config.http_tls.is_some() { "https" } else { "http" };
    let metrics = if addresses.metrics == addresses.api { api } else { "http" };
    println!("  records   {} and POST {api}://{}/v1/calls", doors.join(", "), addresses.api);
    if !config.connects.is_empty() {
        let called: Vec<&str> = config.connects.iter().map(|one| one.address.as_str()).collect();
        println!("  calls     {}", called.join(", "));
    }
    println!("  answers   {api}://{}/  (API, metrics at {metrics}://{}/metrics)", addresses.api, addresses.metrics);
    println!("  data      {}   rates {}", config.data_dir.display(), config.rates_dir.display());
    println!("try:  callrated send --calls 1000      then:  callrated usage");
}
