//! From the parts' answers to the rows of one transaction.
//!
//! Does not know SQL, nor when it is written.

use crate::batch::{Frame, Position, SourceId};
use crate::books::Share;
use crate::call::SuspenseReason;
use crate::entry::Activation;
use crate::guard::Event;
use crate::os::prefetch::prefetch_bytes;
use crate::record::{Direction, Record};
use crate::resolver::{Discarded, Gathered, UnansweredCharged};
use crate::shard::ShardPart;
use crate::store;
use crate::time::Timestamp;

/// The rows of one flush, borrowed from the parts.
pub(super) struct Rows<'a> {
    pub(super) accounts: Vec<store::Account>,
    pub(super) groups: Vec<store::Group>,
    pub(super) tariffs: Vec<store::ActivationRow>,
    pub(super) directories: Vec<store::ActivationRow>,
    pub(super) sources: Vec<store::SourceRow>,
    pub(super) calls: Vec<store::CallRow<'a>>,
    pub(super) usage: Vec<store::UsageLine>,
    pub(super) allowances: Vec<store::AllowanceLine>,
    pub(super) suspended: Vec<store::SuspendedRow<'a>>,
    pub(super) released: Vec<store::SuspenseKey>,
    pub(super) retried: Vec<store::Retried>,
    pub(super) conflicts: Vec<store::ConflictRow<'a>>,
    pub(super) assembled: Vec<store::AssembledRow>,
    pub(super) open_calls: Vec<store::OpenCallRow<'a>>,
    pub(super) discarded: Vec<store::DiscardedRow<'a>>,
    pub(super) guarded: Vec<store::GuardedRow<'a>>,
    pub(super) chains: Vec<store::ChainRow>,
    pub(super) guard_events: Vec<store::GuardEventRow<'a>>,
    pub(super) told: Vec<store::ToldRow<'a>>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(gathered: &'a Gathered, shards: &'a [(Box<ShardPart>, Share)]) -> Rows<'a> {
        let parts = || shards.iter().map(|(part, _)| part);
        let mut calls = Vec::with_capacity(parts().map(|p| p.rows.len()).sum());
        let mut suspended: Vec<store::SuspendedRow<'a>> = Vec::new();
        let mut told: Vec<store::ToldRow<'a>> = gathered.unanswered.iter().map(unanswered).collect();
        for part in parts() {
            let mut costs = part.costs.iter().peekable();
            for (place, row) in part.rows.iter().enumerate() {
                if let Some(next) = part.rows.get(place + AHEAD) {
                    ask_ahead(&part.frames[next.frame as usize], next.at as usize, next.length as usize);
                }
                let record = record_of(&part.frames[row.frame as usize], row.at as usize, row.length as usize).1;
                if record.is_compared() {
                    told.push(told_of(row.call.key.position, &record));
                }
                calls.push(store::CallRow {
                    call: row.call,
                    node: record.node,
                    id: record.id,
                    source_dialled: record.source,
                    destination_dialled: record.destination,
                    start: record.start,
                    grounds: Some(store::GroundsOf::of(&record, SourceId(row.source), row.profile, row.directory)),
                    revision: row.revision,
                    run: None,
                    named_tariff: false,
                    costs: costs.next_if(|(of, _)| *of as usize == place).map(|(_, costs)| *costs),
                    draws: part
                        .draws
                        .get(row.draws_at as usize..)
                        .map_or(b"", |rest| rest.get(..usize::from(row.draws_length)).unwrap_or_default()),
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
        for (place, kept) in gathered.suspended.iter().enumerate() {
            if let Some(next) = gathered.suspended.get(place + AHEAD) {
                ask_ahead(&next.frame, next.at, next.length);
            }
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
            accounts: gathered
                .accounts
                .iter()
                .map(|(key, name)| store::Account { key: *key, name: name.clone() })
                .collect(),
            groups: gathered.groups.iter().map(|(key, name)| store::Group { key: *key, name: name.clone() }).collect(),
            tariffs: gathered.tariffs.iter().map(|t| activation(t.slot.0.into(), t.position, &t.activation)).collect(),
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
                .map(|(group, period, meter, used)| store::AllowanceLine {
                    group: *group,
                    period: *period,
                    meter: *meter,
                    used_seconds: *used,
                })
                .collect(),
            retried,
            conflicts: gathered
                .conflicts
                .iter()
                .map(|c| store::ConflictRow {
                    position: c.position,
                    first: c.first,
                    record: record_of(&c.frame, c.at, c.length).0,
                    source: SourceId(c.frame.head().source.get()),
                    received_at: Timestamp(c.frame.head().received_at.get()),
                })
                .collect(),
            assembled: gathered
                .assembled
                .iter()
                .map(|call| store::AssembledRow {
                    position: call.position,
                    pieces: call.pieces.clone(),
                    known_by: Some(call.known_by),
                })
                .collect(),
            open_calls: gathered
                .open_calls
                .iter()
                .map(|(key, state)| store::OpenCallRow { key: key.0, state: state.as_deref() })
                .collect(),
            discarded: gathered.discarded.iter().filter_map(discarded).collect(),
            guarded: parts()
                .flat_map(|p| &p.guarded)
                .map(|((account, group), state)| store::GuardedRow { account: *account, group: *group, state })
                .collect(),
            chains: parts()
                .flat_map(|p| &p.chains)
                .map(|((group, pair), chain)| store::ChainRow { group: *group, pair: *pair, chain: *chain })
                .collect(),
            guard_events: parts().flat_map(|p| &p.guard_events).map(|event| guard_event(event)).collect(),
            calls,
            suspended,
            released,
            told,
        }
    }
}

fn guard_event(event: &Event) -> store::GuardEventRow<'_> {
    let Event { id, account, at, rule, level, summary, body } = event;
    store::GuardEventRow { id, account: *account, at: *at, rule, level, summary, body }
}

/// What somebody else charges for a record, as it tells.
fn told_of<'a>(position: Position, record: &Record<'a>) -> store::ToldRow<'a> {
    store::ToldRow {
        position,
        cost: record.incumbent_cost,
        currency: record.incumbent_currency,
        seconds: record.incumbent_seconds,
        unanswered: None,
    }
}

fn unanswered(one: &UnansweredCharged) -> store::ToldRow<'_> {
    let (bytes, record) = record_of(&one.frame, one.at, one.length);
    let received_at = Timestamp(one.frame.head().received_at.get());
    store::ToldRow { unanswered: Some((received_at, bytes)), ..told_of(one.position, &record) }
}

fn discarded(one: &Discarded) -> Option<store::DiscardedRow<'_>> {
    let (bytes, record) = record_of(&one.frame, one.at, one.length);
    let item = &one.said.item;
    let leg = item.leg.map(|leg| if leg == 0 { Direction::Outbound } else { Direction::Inbound });
    Some(store::DiscardedRow {
        key: store::SuspenseKey { position: Position(item.position), leg },
        // The resolver has read it before.
        reason: SuspenseReason::named(&item.reason)?,
        why: &one.said.why,
        by: &one.said.by,
        at: Timestamp(one.said.at),
        entry: one.entry,
        node: record.node,
        id: record.id,
        record: bytes,
    })
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

fn activation(slot: u32, position: Position, one: &Activation) -> store::ActivationRow {
    store::ActivationRow {
        slot,
        position,
        digest: one.digest.clone(),
        effective_from: one.effective_from.map(Timestamp),
        activated_at: Timestamp(one.activated_at),
        by: one.by.clone(),
    }
}

/// How many records ahead of its turn one is asked for.
const AHEAD: usize = 8;

/// By now a record has long left the caches, and to wait for each of its lines takes longer than to read them.
#[inline]
fn ask_ahead(frame: &Frame, at: usize, length: usize) {
    prefetch_bytes(frame.bytes.get(at..at + length).unwrap_or_default());
}

/// A record in a frame: its canonical bytes and its fields. The resolver has read it before, so it can be read.
fn record_of(frame: &Frame, at: usize, length: usize) -> (&[u8], Record<'_>) {
    let bytes = frame.bytes.get(at..at + length).unwrap_or(&[]);
    (bytes, Record::decode(bytes).unwrap_or_default())
}
