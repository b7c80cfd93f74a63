//! What senders and operators put on the road, made from the seed.

use callrated::batch::{Batch, EntryKind, SourceId};
use callrated::entry::{Activation, Retry, SourceProfile};
use callrated::piece::{Piece, PieceKind, Step};
use callrated::record::{Direction, Record};
use callrated::store::SuspenseItem;
use callrated::time::{Micros, Timestamp};

use super::audit::Meant;
use super::model::{Call, From, Item, To};
use super::random::Random;
use super::rates::{self, SHELF};
use super::told::{MAX_OPEN_SECONDS, Part, What};

const NODES: [&str; 2] = ["sbc-a", "pbx"];
/// Listeners.
pub const SOURCES: u16 = 2;
/// Calls remembered for repeats and contradictions.
const REMEMBERED: usize = 64;

/// Makes calls.
#[derive(Default)]
pub struct Traffic {
    made: u64,
    remembered: Vec<Call>,
    /// Parts that their nodes have still to tell, and some that they told.
    to_tell: Vec<Part>,
    told: Vec<Part>,
}

impl Traffic {
    /// A batch of one to `most` records from one listener.
    pub fn batch(&mut self, random: &mut Random, now: i64, most: u64) -> (Batch, Meant) {
        let source = random.below(u64::from(SOURCES)) as u16;
        let mut batch = Batch::new(SourceId(source));
        let (mut items, mut refused) = (Vec::new(), 0);
        for _ in 0..=random.below(most) {
            if random.once_in(20) {
                batch.push_refused();
                refused += 1;
            }
            if random.once_in(4) {
                let part = self.part(random, now);
                push_part(&mut batch, &part);
                items.push(Item::Part(part));
                continue;
            }
            let call = self.call(random, now);
            push(&mut batch, &call);
            items.push(Item::Call(call));
        }
        let received = items.len() as u64 + refused;
        (batch, Meant { source, received, refused, items })
    }

    /// A part of a call: one of a new call, one more of another, in any order, or what was told before.
    fn part(&mut self, random: &mut Random, now: i64) -> Part {
        if !self.told.is_empty() && random.once_in(6) {
            return self.told[random.below(self.told.len() as u64) as usize].clone();
        }
        if self.to_tell.is_empty() || random.once_in(3) {
            let mut call = self.new_call(random, now);
            call.answer.get_or_insert(now - 60_000_000);
            let mut plan: Vec<What> = match random.below(12) {
                0 => vec![What::Answer],
                1 => vec![What::End],
                2 => vec![What::Fail],
                3 => vec![What::Answer, What::Fail, What::End],
                _ => vec![What::Answer, What::End],
            };
            if random.once_in(3) {
                plan.reverse();
            }
            self.to_tell.extend(plan.into_iter().map(|what| Part { call: call.clone(), what }));
        }
        let part = self.to_tell.remove(random.below(self.to_tell.len() as u64) as usize);
        if self.told.len() < REMEMBERED {
            self.told.push(part.clone());
        } else {
            self.told[random.below(REMEMBERED as u64) as usize] = part.clone();
        }
        part
    }

    fn call(&mut self, random: &mut Random, now: i64) -> Call {
        if !self.remembered.is_empty() && random.once_in(5) {
            let at = random.below(self.remembered.len() as u64) as usize;
            let mut again = self.remembered[at].clone();
            match random.below(4) {
                0 => again.millis += 1 + random.below(100_000),
                1 => again.answer = again.answer.map(|answer| answer + 1),
                _ => again.cause = random.below(100) as u8,
            }
            return again;
        }
        let call = self.new_call(random, now);
        if self.remembered.len() < REMEMBERED {
            self.remembered.push(call.clone());
        } else {
            let at = random.below(REMEMBERED as u64) as usize;
            self.remembered[at] = call.clone();
        }
        call
    }

    fn new_call(&mut self, random: &mut Random, now: i64) -> Call {
        let german = random.below(5) as usize;
        let american = 5 + random.below(2) as usize;
        let (from, to) = match random.below(16) {
            0 => (From::Nobody, To::GermanMobile),
            1 => (From::Nobody, To::Account(german)),
            2 => (From::Nobody, To::Account(american)),
            3 => (From::Account(american), To::Account(11 - american)),
            4 => (From::Account(german), To::Account(american)),
            5 => (From::Account(german), To::Account(random.below(5) as usize)),
            6 => (From::Account(german), To::UnitedKingdom),
            7 => (From::Account(german), To::France),
            8 => (From::Account(german), To::Premium),
            9 => (From::Account(german), To::NoNumber),
            _ => (From::Account(german), To::GermanMobile),
        };
        // Most answers lie in the last minutes; some in the month before, some ahead of what can be.
        let answer = match random.below(24) {
            0 => None,
            1 => Some(now + 3_700_000_000),
            2 | 3 => Some(now - random.below(36 * 3_600_000_000) as i64),
            _ => Some(now - random.below(600_000_000) as i64),
        };
        let millis = match random.below(12) {
            0 => 0,
            1 => 60_000 * (1 + random.below(4)),
            _ => random.below(200_000),
        };
        self.made += 1;
        Call {
            node: random.pick(&NODES),
            id: self.made,
            from,
            to,
            forwarded_by: random.once_in(12).then_some(german),
            answer,
            millis,
            cause: 16,
        }
    }
}

/// A time, as the daemon journals it while calls wait for their other parts.
pub fn tick(now: i64) -> (Batch, Meant) {
    let mut changes = Changes::default();
    changes.batch.push_tick(Timestamp(now));
    changes.meant.items.push(Item::Tick(now));
    changes.done()
}

/// The parts of a call are told by a proxy's accounting: who called whom with the answer, nothing else with the end.
fn push_part(batch: &mut Batch, part: &Part) {
    let Part { call, what } = part;
    let (id, source, destination) = (format!("call-{}", call.id), call.source(), call.destination());
    let forwarded = call.forwarded_by.map(rates::number).unwrap_or_default();
    let raw = format!("{} {id} {what:?}", call.node);
    let answer = Timestamp(call.answer.unwrap_or_default());
    let end = Timestamp(answer.0 + call.millis as i64 * 1000);
    let named = Record { id: id.as_bytes(), node: call.node.as_bytes(), raw: raw.as_bytes(), ..Record::default() };
    let (step, at, record) = match what {
        What::Answer => {
            let (source, destination) = (source.as_bytes(), destination.as_bytes());
            let forwarded_by = forwarded.as_bytes();
            (Step::Answer, answer, Record { source, destination, forwarded_by, answer: Some(answer), ..named })
        }
        What::End => (Step::End, end, Record { end: Some(end), ..named }),
        What::Fail => (Step::Fail, answer, named),
    };
    let (kind, key, delay) = (PieceKind::Acc, id.as_bytes(), Micros(0));
    batch.push_piece(&Piece { kind, step, key, at: Some(at), delay, record });
}

fn push(batch: &mut Batch, call: &Call) {
    let (id, source, destination) = (format!("call-{}", call.id), call.source(), call.destination());
    let forwarded = call.forwarded_by.map(rates::number).unwrap_or_default();
    let raw = format!("{},{id},{source},{destination},{},{}", call.node, call.millis, call.cause);
    batch.push_record(&Record {
        id: id.as_bytes(),
        node: call.node.as_bytes(),
        source: source.as_bytes(),
        destination: destination.as_bytes(),
        forwarded_by: forwarded.as_bytes(),
        cause: call.cause.to_string().as_bytes(),
        answer: call.answer.map(Timestamp),
        duration: Some(Micros(call.millis as i64 * 1000)),
        raw: raw.as_bytes(),
        ..Record::default()
    });
}

/// What stands at the beginning of every journal: the listeners, a directory, a tariff.
pub fn beginning(now: i64) -> (Batch, Meant) {
    let mut changes = Changes::default();
    (0..SOURCES).for_each(|index| changes.source(index, None));
    changes.directory(0, now);
    changes.tariff(0, None, now);
    changes.done()
}

/// A reload, or a listener whose settings changed.
pub fn change(random: &mut Random, now: i64) -> (Batch, Meant) {
    let mut changes = Changes::default();
    if random.once_in(4) {
        changes.source(random.below(u64::from(SOURCES)) as u16, random.once_in(2).then_some(2));
    }
    if random.once_in(2) {
        changes.directory(random.below(3) as usize, now);
    }
    if changes.meant.items.is_empty() || random.once_in(2) {
        let from = match random.below(4) {
            0 => None,
            1 => Some(now - 300_000_000),
            2 => Some(now + 300_000_000),
            _ => Some(now),
        };
        changes.tariff(random.below(3) as usize, from, now);
    }
    changes.done()
}

/// Tries again what a store had in suspense, as the API does.
pub fn retries(items: &[SuspenseItem]) -> (Batch, Meant) {
    let mut changes = Changes::default();
    for item in items {
        let leg = item.key.leg.map(|leg| match leg {
            Direction::Outbound => 0,
            Direction::Inbound => 1,
        });
        let retry = Retry {
            position: item.key.position.0,
            leg,
            attempt: item.attempt.0,
            reason: item.reason.name().to_owned(),
            period: item.period.map(|p| p.0),
            source: item.source.0,
            received_at: item.received_at.0,
        };
        let mut payload = Vec::new();
        retry.encode(&item.record, &mut payload).expect("a retry can be written");
        let meant = Item::Retry {
            place: (retry.position, leg),
            attempt: retry.attempt,
            source: retry.source,
            received_at: retry.received_at,
        };
        changes.push(EntryKind::Retry, &payload, meant);
    }
    changes.done()
}

struct Changes {
    batch: Batch,
    meant: Meant,
}

impl Default for Changes {
    fn default() -> Changes {
        let meant = Meant { source: 0, received: 0, refused: 0, items: Vec::new() };
        Changes { batch: Batch::new(SourceId(0)), meant }
    }
}

impl Changes {
    fn push(&mut self, kind: EntryKind, payload: &[u8], item: Item) {
        self.batch.push_entry(kind, payload);
        self.meant.items.push(item);
    }

    fn json(&mut self, kind: EntryKind, entry: &impl serde::Serialize, item: Item) {
        self.push(kind, &serde_json::to_vec(entry).expect("plain text"), item);
    }

    fn source(&mut self, index: u16, account: Option<usize>) {
        let profile = SourceProfile {
            index,
            listener: format!("tcp:{index}"),
            country: "DE".into(),
            account: account.map(rates::name).unwrap_or_default().into(),
            max_age_days: 90,
            max_open_seconds: MAX_OPEN_SECONDS,
            ..SourceProfile::default()
        };
        self.json(EntryKind::Source, &profile, Item::Source { index, account });
    }

    fn directory(&mut self, which: usize, now: i64) {
        let entry = activation(&SHELF.directories[which], None, now);
        self.json(EntryKind::Directory, &entry, Item::Directory { which });
    }

    fn tariff(&mut self, which: usize, from: Option<i64>, now: i64) {
        let entry = activation(&SHELF.tariffs[which], from, now);
        self.json(EntryKind::Tariff, &entry, Item::Tariff { which, from });
    }

    fn done(self) -> (Batch, Meant) {
        (self.batch, self.meant)
    }
}

fn activation(digest: &str, effective_from: Option<i64>, now: i64) -> Activation {
    Activation { digest: digest.to_owned(), effective_from, activated_at: now, by: "simulation".into() }
}
