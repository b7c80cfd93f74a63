//! The flush: collects what every part gathered up to a marker, and holds it until the store says yes.
//!
//! One plain thread. A marker's parts come from the resolver and from each shard; when all are there, the books are
//! added up and checked, and one transaction writes rows, state and position. A store that refuses is asked again with
//! growing pauses; what waits meanwhile is held, and the sequencer bounds it.
//!
//! Does not know SQL, sockets, or how a price came about.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::Receiver;

use crate::batch::{Frame, Position, SourceId};
use crate::books::{Books, Share};
use crate::call::{Basis, TariffSlot};
use crate::images::Images;
use crate::record::Record;
use crate::resolver::Gathered;
use crate::road::{Marker, Road};
use crate::sequencer::Control;
use crate::shard::ShardPart;
use crate::store::{self, FlushBatch, Store, StoreError};
use crate::tariff::{PlanId, RowId};
use crate::time::Timestamp;

mod metrics;

use metrics::FlushMetrics;

/// One part's answer to a marker.
pub enum Part {
    /// The resolver's, with the marker itself.
    Resolver(Marker, Box<Gathered>, Share),
    /// A shard's.
    Shard {
        /// Which flush.
        number: u64,
        /// Its position.
        upto: Position,
        /// What it gathered.
        part: Box<ShardPart>,
        /// Its part of the books.
        share: Share,
    },
}

/// First pause after a refusal, and the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LONGEST: Duration = Duration::from_secs(10);

/// Why flushing ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum FlushError {
    /// The store refuses for a reason that waiting does not mend.
    #[error(transparent)]
    Store(StoreError),
}

/// The thread's parts.
pub struct Flush {
    inbox: Receiver<Part>,
    shards: usize,
    store: Arc<dyn Store>,
    images: Arc<Images>,
    road: Road,
    books: Books,
    /// Position the store has.
    stored: Position,
    /// Digests of the tariffs by slot, to say in words what decided a call.
    tariffs: Vec<String>,
    /// Flushes whose parts are not all there.
    open: BTreeMap<u64, Open>,
    metrics: FlushMetrics,
}

#[derive(Default)]
struct Open {
    resolver: Option<(Marker, Box<Gathered>, Share)>,
    shards: Vec<(Box<ShardPart>, Share)>,
}

impl Flush {
    /// Puts the parts together.
    pub fn new(
        inbox: Receiver<Part>,
        shards: usize,
        store: Arc<dyn Store>,
        images: Arc<Images>,
        road: Road,
        state: FlushState,
    ) -> Flush {
        Flush {
            inbox,
            shards,
            store,
            images,
            road,
            books: state.books,
            stored: state.position,
            tariffs: state.tariffs,
            open: BTreeMap::new(),
            metrics: FlushMetrics::default(),
        }
    }

    /// Runs until every part hung up.
    pub fn run(mut self) -> Result<(), FlushError> {
        self.metrics.books(&self.books, &[]);
        while let Ok(part) = self.inbox.recv() {
            let number = match &part {
                Part::Resolver(marker, ..) => marker.number,
                Part::Shard { number, .. } => *number,
            };
            let open = self.open.entry(number).or_default();
            match part {
                Part::Resolver(marker, gathered, share) => open.resolver = Some((marker, gathered, share)),
                Part::Shard { part, share, .. } => open.shards.push((part, share)),
            }
            if open.resolver.is_some() && open.shards.len() == self.shards {
                // Markers walk in order, so the one completed is the oldest.
                let Some(Open { resolver: Some((marker, gathered, share)), shards }) = self.open.remove(&number) else {
                    continue;
                };
                self.flush(marker, *gathered, share, shards)?;
            }
        }
        Ok(())
    }

    fn flush(
        &mut self,
        marker: Marker,
        gathered: Gathered,
        share: Share,
        shards: Vec<(Box<ShardPart>, Share)>,
    ) -> Result<(), FlushError> {
        self.books.add(&share);
        for (_, share) in &shards {
            self.books.add(share);
        }
        let faults = self.books.check();
        for fault in &faults {
            tracing::error!("the books do not balance at position {}: {fault}", marker.upto);
        }
        self.tariffs.extend(gathered.tariffs.iter().map(|t| t.activation.digest.clone()));
        let moved = marker.upto != self.stored;
        if moved {
            let rows = Rows::new(&gathered, &shards);
            let books: Vec<(&str, i128)> = self.books.iter().collect();
            self.insist(&FlushBatch {
                from: self.stored,
                upto: marker.upto,
                at: marker.at,
                accounts: &rows.accounts,
                groups: &rows.groups,
                tariffs: &rows.tariffs,
                directories: &rows.directories,
                sources: &rows.sources,
                calls: &rows.calls,
                describe: &|basis| self.describe(basis),
                usage: &rows.usage,
                allowances: &rows.allowances,
                suspended: &rows.suspended,
                released: &rows.released,
                retried: &rows.retried,
                conflicts: &rows.conflicts,
                books: &books,
            })?;
        }
        self.stored = marker.upto;
        self.metrics.books(&self.books, &faults);
        let progress = self.road.progress();
        progress.stored.store(marker.upto.0, Ordering::Release);
        progress.records_stored.fetch_max(marker.records, Ordering::Relaxed);
        progress.markers_stored.store(marker.number, Ordering::Release);
        for reply in marker.replies {
            let _ = reply.send(marker.upto);
        }
        if moved {
            // The sequencer may be waiting for room, or gone at the end: either way trimming can wait.
            let _ = self.road.try_send(Control::Trim(marker.upto));
        }
        Ok(())
    }

    /// Writes the batch, again and again while the store is away.
    fn insist(&self, batch: &FlushBatch<'_>) -> Result<(), FlushError> {
        let mut pause = PAUSE_FIRST;
        loop {
            let begun = std::time::Instant::now();
            match self.store.flush(batch) {
                Ok(_) => {
                    self.metrics.done(begun.elapsed());
                    return Ok(());
                }
                Err(error) if error.is_retryable() => {
                    self.metrics.failed();
                    tracing::warn!("the store is away, {} calls wait: {error}", batch.calls.len());
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(PAUSE_LONGEST);
                }
                Err(error) => return Err(FlushError::Store(error)),
            }
        }
    }

    /// What decided a call, in words, from the image it names.
    fn describe(&self, basis: &Basis) -> store::BasisText {
        let Some(digest) = self.tariffs.get(usize::from(basis.tariff.0)) else { return store::BasisText::default() };
        // The image is mapped already: it was used to rate the call.
        let Ok(tariff) = self.images.tariff(digest) else { return store::BasisText::default() };
        let mut text = store::BasisText {
            tariff: digest.clone(),
            plan: tariff.plan(PlanId(basis.plan)).name.clone(),
            ..store::BasisText::default()
        };
        if let Some(row) = basis.row {
            let row = tariff.row(RowId(row));
            text.deck = row.deck.to_owned();
            text.prefix = row.prefix.to_string();
            text.destination = row.destination.to_owned();
        }
        text
    }
}

/// State of the flush at a position.
#[derive(Debug, Default)]
pub struct FlushState {
    /// Position the store has.
    pub position: Position,
    /// Its books.
    pub books: Books,
    /// Digests of the tariffs by slot.
    pub tariffs: Vec<String>,
}

/// The rows of one flush, borrowed from the parts.
struct Rows<'a> {
    accounts: Vec<store::Account>,
    groups: Vec<store::Group>,
    tariffs: Vec<store::ActivationRow>,
    directories: Vec<store::ActivationRow>,
    sources: Vec<store::SourceRow>,
    calls: Vec<store::CallRow<'a>>,
    usage: Vec<store::UsageLine>,
    allowances: Vec<store::AllowanceLine>,
    suspended: Vec<store::SuspendedRow<'a>>,
    released: Vec<store::SuspenseKey>,
    retried: Vec<store::Retried>,
    conflicts: Vec<store::ConflictRow<'a>>,
}

impl<'a> Rows<'a> {
    fn new(gathered: &'a Gathered, shards: &'a [(Box<ShardPart>, Share)]) -> Rows<'a> {
        let parts = || shards.iter().map(|(part, _)| part);
        let mut calls = Vec::with_capacity(parts().map(|p| p.rows.len()).sum());
        let mut suspended: Vec<store::SuspendedRow<'a>> = Vec::new();
        for part in parts() {
            for row in &part.rows {
                let record = record_of(&part.frames[row.frame as usize], row.at as usize, row.length as usize).1;
                calls.push(store::CallRow {
                    call: row.call,
                    node: record.node,
                    id: record.id,
                    source_dialled: record.source,
                    destination_dialled: record.destination,
                    start: record.start,
                });
            }
            for leg in &part.suspended {
                let job = &leg.job;
                let frame = &part.frames[leg.frame as usize];
                let (bytes, record) = record_of(frame, job.at as usize, job.length as usize);
                suspended.push(store::SuspendedRow {
                    key: store::SuspenseKey { position: job.key.position, leg: Some(job.key.leg) },
                    reason: leg.reason,
                    attempt: job.attempt,
                    account: Some(job.account),
                    period: Some(leg.period),
                    node: record.node,
                    id: record.id,
                    source_dialled: record.source,
                    destination_dialled: record.destination,
                    answer: record.answer,
                    record: bytes,
                    source: SourceId(job.source),
                    received_at: job.received_at,
                    detail: leg.detail,
                });
            }
        }
        for kept in &gathered.suspended {
            let (bytes, record) = record_of(&kept.frame, kept.at, kept.length);
            suspended.push(store::SuspendedRow {
                key: store::SuspenseKey { position: kept.position, leg: kept.leg },
                reason: kept.reason,
                attempt: kept.attempt,
                account: kept.account,
                period: kept.period,
                node: record.node,
                id: record.id,
                source_dialled: record.source,
                destination_dialled: record.destination,
                answer: record.answer,
                record: bytes,
                source: SourceId(kept.source),
                received_at: kept.received_at,
                detail: kept.detail,
            });
        }
        let retried: Vec<store::Retried> = gathered
            .retried
            .iter()
            .map(|r| store::Retried { key: store::SuspenseKey { position: r.0, leg: r.1 }, attempt: r.2 })
            .collect();
        keep_latest(&mut suspended, &retried);
        let waiting: hashbrown::HashSet<store::SuspenseKey> = suspended.iter().map(|s| s.key).collect();
        let released = retried.iter().map(|r| r.key).filter(|key| !waiting.contains(key)).collect();
        Rows {
            accounts: gathered.accounts.iter().map(|(key, name)| store::Account { key: *key, name: name.clone() }).collect(),
            groups: gathered.groups.iter().map(|(key, name)| store::Group { key: *key, name: name.clone() }).collect(),
            tariffs: gathered.tariffs.iter().map(|t| activation(t.slot, t.position, &t.activation)).collect(),
            directories: gathered
                .directories
                .iter()
                .map(|(slot, position, one)| activation(*slot, *position, one))
                .collect(),
            sources: gathered
                .sources
                .iter()
                .map(|(position, profile)| store::SourceRow {
                    source: SourceId(profile.index),
                    position: *position,
                    // A profile is plain text and numbers: it always serialises.
                    json: serde_json::to_string(profile).unwrap_or_default(),
                })
                .collect(),
            usage: parts()
                .flat_map(|p| &p.lines)
                .map(|(key, usage, decimals)| store::UsageLine {
                    account: key.account,
                    group: key.group,
                    period: key.period,
                    call_type: key.call_type,
                    currency: key.currency,
                    decimals: *decimals,
                    usage: *usage,
                })
                .collect(),
            allowances: parts()
                .flat_map(|p| &p.drawn)
                .map(|(group, period, used)| store::AllowanceLine { group: *group, period: *period, used_seconds: *used })
                .collect(),
            retried,
            conflicts: gathered
                .conflicts
                .iter()
                .map(|c| store::ConflictRow {
                    position: c.position,
                    first: c.first,
                    record: record_of(&c.frame, c.at, c.length).0,
                })
                .collect(),
            calls,
            suspended,
            released,
        }
    }
}

/// Of several attempts at one thing between two markers only the last counts: one that failed and was then tried again
/// is no longer in suspense for the first failure.
fn keep_latest(suspended: &mut Vec<store::SuspendedRow<'_>>, retried: &[store::Retried]) {
    let mut latest: hashbrown::HashMap<store::SuspenseKey, Position> = hashbrown::HashMap::new();
    for one in retried {
        let attempt = latest.entry(one.key).or_insert(one.attempt);
        *attempt = (*attempt).max(one.attempt);
    }
    suspended.retain(|s| latest.get(&s.key).is_none_or(|attempt| s.attempt >= *attempt));
}

fn activation(slot: TariffSlot, position: Position, one: &crate::entry::Activation) -> store::ActivationRow {
    store::ActivationRow {
        slot,
        position,
        digest: one.digest.clone(),
        effective_from: one.effective_from.map(Timestamp),
        activated_at: Timestamp(one.activated_at),
        by: one.by.clone(),
    }
}

/// A record in a frame: its canonical bytes and its fields. The resolver has read it before, so it can be read.
fn record_of(frame: &Frame, at: usize, length: usize) -> (&[u8], Record<'_>) {
    let bytes = frame.bytes.get(at..at + length).unwrap_or(&[]);
    (bytes, Record::decode(bytes).unwrap_or_default())
}
