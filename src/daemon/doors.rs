//! Opens the doors: gives each listener its journalled profile and starts its tasks.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::engine::Engine;
use super::recover::Known;
use crate::batch::{Batch, EntryKind, SourceId};
use crate::config::Config;
use crate::entry::{MAX_AGE_DAYS, SourceProfile};
use crate::exit::Exit;
use crate::http::{self, node};
use crate::ingest::allow::Allow;
use crate::ingest::counters::Counters;
use crate::ingest::folder::Watcher;
use crate::ingest::radius::{self, Clients};
use crate::ingest::settings::{Listen, NODE_DEFAULT, Protocol, Transport};
use crate::ingest::{Cut, Door, Hints, Stop, tcp, udp};
use crate::os::handed::Handed;
use crate::road::Road;
use crate::time::Zone;
use crate::wire::Format;

/// Name of the source of records posted to the API.
const POST: &str = "http";
/// Name of the source of old records that are imported.
const IMPORT: &str = "import";
/// Oldest answer that an import accepts, in days: a century, which is to say that records may be as old as they like.
const IMPORT_AGE_DAYS: u32 = 36_525;

/// The doors behind the API's own routes.
pub struct Posts {
    /// `POST /v1/calls`.
    pub calls: Arc<Door>,
    /// `POST /v1/import`: a source of its own, so that what becomes of imported records is counted apart.
    pub import: Arc<Door>,
}

/// Opens every listener; gives the doors for records posted to the API.
pub(super) async fn open(
    config: &Config,
    engine: &mut Engine,
    handed: &Handed,
    stop: &Stop,
    tasks: &mut JoinSet<()>,
) -> Result<Posts, Exit> {
    let watched = config.watches.iter().map(|watch| &watch.source);
    let profiles = config.listeners.iter().chain(watched).map(|l| l.profile.clone()).collect();
    let mut ids = register(&engine.road, &mut engine.known, profiles).await?.into_iter();
    for (listen, id) in config.listeners.iter().zip(&mut ids) {
        listener(listen, door(listen, id, engine), handed, stop, tasks).await?;
    }
    for (watch, id) in config.watches.iter().zip(&mut ids) {
        let watcher = Watcher::new(watch.clone(), door(&watch.source, id, engine), &config.data_dir);
        tasks.spawn(watcher.run(stop.clone()));
    }
    posts(engine).await
}

fn door(listen: &Listen, source: SourceId, engine: &Engine) -> Arc<Door> {
    Arc::new(Door {
        source,
        name: listen.profile.listener.clone(),
        format: listen.format.clone(),
        columns: listen.columns.clone(),
        node: listen.node.clone(),
        zone: listen.zone.clone(),
        cut: listen.cut,
        hints: listen.hints.clone(),
        allow: listen.allow.clone(),
        outbox: engine.outbox.clone(),
        counters: Arc::new(Counters::new(&listen.profile.listener)),
    })
}

/// The doors of the API alone.
pub(super) async fn posts(engine: &mut Engine) -> Result<Posts, Exit> {
    let profile = |name: &str, max_age_days| SourceProfile {
        listener: name.to_owned(),
        max_age_days,
        ..SourceProfile::default()
    };
    let profiles = vec![profile(POST, MAX_AGE_DAYS), profile(IMPORT, IMPORT_AGE_DAYS)];
    let ids = register(&engine.road, &mut engine.known, profiles).await?;
    let door = |name: &str, source: Option<&SourceId>| {
        Arc::new(Door {
            source: source.copied().unwrap_or_default(),
            name: name.to_owned(),
            format: Format::Auto,
            columns: None,
            node: NODE_DEFAULT.to_owned(),
            zone: Zone::UTC,
            cut: Cut::Lines,
            hints: Hints::default(),
            allow: Allow::default(),
            outbox: engine.outbox.clone(),
            counters: Arc::new(Counters::new(name)),
        })
    };
    Ok(Posts { calls: door(POST, ids.first()), import: door(IMPORT, ids.last()) })
}

async fn listener(
    listen: &Listen,
    door: Arc<Door>,
    handed: &Handed,
    stop: &Stop,
    tasks: &mut JoinSet<()>,
) -> Result<(), Exit> {
    let taken = |e: std::io::Error| {
        Exit::environment(format!(
            "{} cannot be opened: {e}; is another daemon running there?",
            listen.profile.listener
        ))
    };
    let datagrams = || match handed.datagrams(listen.address) {
        sockets if sockets.is_empty() => udp::bind(listen).map_err(taken),
        sockets => udp::adopt(listen, sockets).map_err(taken),
    };
    let stream = async || http::bind(listen.address, handed).await.map_err(taken);
    let (has_datagrams, has_streams) = match (listen.protocol, listen.transport) {
        (Protocol::Udp, _) => (true, false),
        (Protocol::Tcp, _) => (false, true),
        (Protocol::Radius, _) => {
            let clients = match &listen.radius {
                Some(radius) => Clients::open(&door.name, radius, &listen.allow).map_err(Exit::environment)?,
                // A listener of this protocol has been checked to have it.
                None => return Err(Exit::environment("a RADIUS listener without its settings")),
            };
            tasks.spawn(radius::serve(datagrams()?, door, Arc::new(clients), stop.clone()));
            return Ok(());
        }
        (Protocol::Http, _) => {
            tasks.spawn(node::serve(stream().await?, door, stop.clone()));
            return Ok(());
        }
        (Protocol::Syslog | Protocol::Hep, transport) => (transport != Transport::Tcp, transport != Transport::Udp),
    };
    if has_datagrams {
        tasks.spawn(udp::serve(datagrams()?, door.clone(), stop.clone()));
    }
    if has_streams {
        tasks.spawn(tcp::serve(stream().await?, door, stop.clone()));
    }
    Ok(())
}

/// Journals the profiles that are new or changed, and gives each its index. A listener is known by its name.
pub async fn register(road: &Road, known: &mut Known, profiles: Vec<SourceProfile>) -> Result<Vec<SourceId>, Exit> {
    let mut batch = Batch::new(SourceId(0));
    let mut ids = Vec::with_capacity(profiles.len());
    for mut profile in profiles {
        let found = known.sources.iter().position(|s| s.as_ref().is_some_and(|s| s.listener == profile.listener));
        let index = found.unwrap_or(known.sources.len());
        profile.index = u16::try_from(index)
            .map_err(|_| Exit::environment("this data folder has seen 65,536 listeners: no more can be named"))?;
        if known.sources.get(index).and_then(Option::as_ref) != Some(&profile) {
            // Plain text and numbers always serialise.
            batch.push_entry(EntryKind::Source, &serde_json::to_vec(&profile).unwrap_or_default());
            known.source(profile);
        }
        ids.push(SourceId(index as u16));
    }
    if batch.entries() > 0 {
        road.enter(batch).await.map_err(|e| Exit::environment(format!("the listeners cannot be journalled: {e}")))?;
    }
    Ok(ids)
}
