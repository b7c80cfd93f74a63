//! The auditor: keeps the ledger of what is durable, and compares every store it meets with its own model.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use callrated::batch::{FRAME_END, FRAME_HEAD, Position};
use callrated::books::Books;
use callrated::journal::JournalReader;
use callrated::store::{ScanOrder, Store, SuspensePage, Visit};

use super::model::{At, Item, Model, nano};

/// A batch as its sender means it: what it received, what it refused, and its entries.
pub struct Meant {
    pub source: u16,
    pub received: u64,
    pub refused: u64,
    pub items: Vec<Item>,
}

/// What makes one batch differ from another in the journal: listener, received, refused, and its entries' bytes.
type Content = (u16, u32, u32, Vec<u8>);

/// A durable frame.
struct Written {
    position: u64,
    bytes: Bytes,
    batch: usize,
}

/// What is known of the sendings of one batch.
#[derive(Default)]
struct Sendings {
    acknowledged: Vec<u64>,
    refused: u64,
    /// Sent, with no answer yet or none for ever.
    open: u64,
}

/// The auditor.
#[derive(Default)]
pub struct Auditor {
    batches: Vec<Meant>,
    sendings: Vec<Sendings>,
    by_content: HashMap<Content, usize>,
    ledger: Vec<Written>,
    model: Model,
    /// Frames of the ledger that the model has taken.
    taken: usize,
    /// Stores compared so far.
    pub audits: u64,
}

macro_rules! ensure {
    ($holds:expr, $($words:tt)+) => {
        if !$holds { return Err(format!($($words)+)); }
    };
}
pub(crate) use ensure;

impl Auditor {
    /// Is told of a batch before it is sent for the first time; `bytes` is what the door made of it.
    pub fn meant(&mut self, meant: Meant, bytes: &[u8]) -> usize {
        let content = (meant.source, meant.received as u32, meant.refused as u32, bytes[FRAME_HEAD..].to_vec());
        // A batch of repeats alone may be another batch, byte for byte.
        *self.by_content.entry(content).or_insert_with(|| {
            self.batches.push(meant);
            self.sendings.push(Sendings::default());
            self.batches.len() - 1
        })
    }

    /// A batch was handed to the road, perhaps once more.
    pub fn sent(&mut self, batch: usize) {
        self.sendings[batch].open += 1;
    }

    /// It was acknowledged: its frame, which ends there, must be in the ledger already.
    pub fn acknowledged(&mut self, batch: usize, end: u64) -> Result<(), String> {
        let sendings = &mut self.sendings[batch];
        sendings.open -= 1;
        sendings.acknowledged.push(end);
        let found = self.ledger.iter().rev().find(|w| w.position + w.bytes.len() as u64 == end);
        let right = found.is_some_and(|written| written.batch == batch);
        ensure!(right, "batch {batch} was acknowledged at {end}, but the journal has no such frame");
        Ok(())
    }

    /// It was refused: nothing of it may be kept.
    pub fn refused(&mut self, batch: usize) {
        let sendings = &mut self.sendings[batch];
        sendings.open -= 1;
        sendings.refused += 1;
    }

    /// The position behind the last durable frame.
    pub fn end(&self) -> u64 {
        self.ledger.last().map_or(0, |last| last.position + last.bytes.len() as u64)
    }

    /// Records so far that are durable.
    pub fn records(&self) -> u64 {
        let calls = |w: &Written| self.batches[w.batch].items.iter().filter(|i| i.is_record()).count();
        self.ledger.iter().map(|w| calls(w) as u64).sum()
    }

    /// What the model holds, for figures.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Takes what became durable since the last time.
    pub fn follow(&mut self, journal: &JournalReader) -> Result<(), String> {
        for frame in journal.frames_from(Position(self.end())) {
            let frame = frame.map_err(|e| format!("the journal cannot be read: {e}"))?;
            ensure!(frame.position.0 == self.end(), "a gap in the journal at {}", frame.position);
            let word = |at: usize| u32::from_le_bytes(frame.bytes[at..at + 4].try_into().expect("four bytes"));
            let content = (word(40) as u16, word(48), word(52), frame.bytes[FRAME_HEAD..].to_vec());
            let Some(&batch) = self.by_content.get(&content) else {
                return Err(format!("nobody sent the frame at {}", frame.position));
            };
            self.ledger.push(Written { position: frame.position.0, bytes: frame.bytes, batch });
        }
        Ok(())
    }

    /// After a recovery: everything that was durable is still there, byte for byte.
    pub fn nothing_lost(&self, journal: &JournalReader) -> Result<(), String> {
        let (first, durable) = (journal.first().0, journal.durable().0);
        ensure!(
            durable >= self.end(),
            "the journal ends at {durable}; acknowledged was everything before {}",
            self.end()
        );
        let mut held = self.ledger.iter().filter(|w| w.position >= first);
        for frame in journal.frames_from(Position(first)) {
            let frame = frame.map_err(|e| format!("the journal cannot be read: {e}"))?;
            let Some(known) = held.next() else { break };
            let same = known.position == frame.position.0 && known.bytes == frame.bytes;
            ensure!(same, "the frame at {} is not what was acknowledged", frame.position);
        }
        Ok(())
    }

    /// Each batch is in the journal as often as it was acknowledged, and not more often than it was sent in earnest.
    pub fn sendings_agree(&self) -> Result<(), String> {
        let mut times = vec![0; self.batches.len()];
        self.ledger.iter().for_each(|written| times[written.batch] += 1);
        for (batch, (sendings, times)) in self.sendings.iter().zip(&times).enumerate() {
            let acknowledged = sendings.acknowledged.len() as u64;
            let most = acknowledged + sendings.open;
            ensure!(
                (acknowledged..=most).contains(times),
                "batch {batch} is in the journal {times} times; acknowledged {acknowledged}, refused {}, unknown {}",
                sendings.refused,
                sendings.open
            );
        }
        Ok(())
    }

    /// The store at its position against the model at the same.
    pub fn audit(&mut self, store: &dyn Store) -> Result<(), String> {
        self.audits += 1;
        let state = store.load().map_err(|e| e.to_string())?;
        self.advance(state.position.0)?;
        let model = &self.model;
        let account = |key: u32| state.accounts.iter().find(|a| a.key.0 == key).map_or("?", |a| a.name.as_str());
        let group = |key: u32| state.groups.iter().find(|g| g.key.0 == key).map_or("?", |g| g.name.as_str());

        let mut calls = BTreeMap::new();
        let mut twice = None;
        let scanned = store.scan(None, ScanOrder::Stored, &mut |stored| {
            let call = &stored.call;
            let key = (call.key.position.0, call.key.leg as u8);
            let words = (
                (account(call.account.0), group(call.group.0), call.period.0, call.call_type.name()),
                (u64::from(call.billable_seconds), u64::from(call.included_seconds), i128::from(call.cost.0)),
                call.duration.0 as u64 / 1000,
            );
            if calls.insert(key, words).is_some() {
                twice = Some(key);
            }
            Visit::Continue(())
        });
        scanned.map_err(|e| e.to_string())?;
        ensure!(twice.is_none(), "the leg {twice:?} is stored twice");
        let expected = model.rated.iter().map(|(key, rated)| {
            let words = (
                (rated.account, rated.group, rated.period, rated.call_type),
                (rated.billable, rated.included, nano(rated.cost)),
                rated.millis,
            );
            (*key, words)
        });
        same("rated legs", calls, expected.collect())?;

        let usage = state.usage.iter().map(|line| {
            let currency = std::str::from_utf8(&line.currency).unwrap_or("?");
            let key = (account(line.account.0), group(line.group.0), line.period.0, line.call_type.name(), currency);
            let sums = &line.usage;
            (key, (sums.calls, sums.talk / 1000, sums.billable_seconds, sums.cost))
        });
        let expected = model.usage.iter().map(|((account, group, period, call_type, currency), line)| {
            let sums = (line.calls as i64, i128::from(line.millis), line.billable as i64, nano(line.cost));
            ((*account, *group, *period, *call_type, *currency), sums)
        });
        same("totals", usage.collect(), expected.collect())?;

        let drawn = state.allowances.iter().map(|line| ((group(line.group.0), line.period.0), line.used_seconds));
        same("allowances drawn", drawn.collect(), model.drawn.iter().map(|(key, used)| (*key, *used)).collect())?;

        let mut held = BTreeMap::new();
        let all = SuspensePage { reason: None, after: None, limit: 1_000_000 };
        let listed = store.suspense(all, &mut |item| {
            let key = (item.key.position.0, item.key.leg.map(|leg| leg as u8));
            held.insert(key, (item.reason.name(), item.attempt.0, item.period.map(|p| p.0)));
            Visit::Continue(())
        });
        listed.map_err(|e| e.to_string())?;
        let expected = model.suspense.iter().map(|(key, held)| (*key, (held.reason, held.attempt, held.period)));
        same("suspense", held, expected.collect())?;

        let conflicts = store.conflicts(None, 1_000_000).map_err(|e| e.to_string())?;
        let conflicts = conflicts.iter().map(|c| (c.position.0, c.first.0)).collect();
        same("conflicts", conflicts, model.conflicts.iter().map(|(at, first)| (*at, *first)).collect())?;

        let assembled = store.assembled(Position(0), usize::MAX).map_err(|e| e.to_string())?;
        let places = |places: &[Position]| places.iter().map(|place| place.0).collect::<Vec<_>>();
        let assembled = assembled.iter().map(|call| (call.position.0, places(&call.pieces))).collect();
        same("calls put together", assembled, model.assembled.clone())?;
        let (open, told) = (state.open_calls.len(), model.told.len());
        ensure!(open == told, "{open} calls told in parts are remembered, and should be {told}");

        let nonzero = |(name, value): (&str, i128)| (value != 0).then(|| (name.to_owned(), value));
        let books = state.books.iter().filter_map(|(name, value)| nonzero((name, *value)));
        let expected = model.books.iter().filter_map(|(name, value)| nonzero((name, *value)));
        same("books", books.collect(), expected.collect())?;
        let faults = Books::from_stored(state.books.iter().cloned()).check();
        ensure!(faults.is_empty(), "the books do not balance: {faults:?}");
        Ok(())
    }

    /// Brings the model to a position, which must be the end of a frame, and not before the last one asked for.
    fn advance(&mut self, position: u64) -> Result<(), String> {
        let mut at = self.taken.checked_sub(1).map_or(0, |last| {
            let last = &self.ledger[last];
            last.position + last.bytes.len() as u64
        });
        ensure!(at <= position, "the store went back from {at} to {position}");
        while at < position {
            let Some(written) = self.ledger.get(self.taken) else {
                return Err(format!("the store stands at {position}, the journal ends at {at}"));
            };
            take(&mut self.model, &self.batches[written.batch], written);
            self.taken += 1;
            at = written.position + written.bytes.len() as u64;
        }
        ensure!(at == position, "the store stands at {position}, in the middle of a frame");
        Ok(())
    }
}

/// Hands a frame's entries to the model. Where each lies follows from the lengths before it.
fn take(model: &mut Model, meant: &Meant, written: &Written) {
    let word = |at: usize| u32::from_le_bytes(written.bytes[at..at + 4].try_into().expect("four bytes"));
    let received_at = i64::from_le_bytes(written.bytes[32..40].try_into().expect("eight bytes"));
    let mut at = FRAME_HEAD;
    let mut records = 0;
    for item in &meant.items {
        let position = written.position + at as u64;
        model.entry(At { position, source: meant.source, received_at }, item);
        records += u64::from(item.is_record());
        at += 8 + word(at) as usize;
    }
    let rest = &written.bytes[at..];
    assert!(rest.is_empty() || rest == [FRAME_END], "the frame holds what was meant");
    model.frame(meant.source, meant.received, meant.refused, records);
}

/// Two tables, told by their first difference.
fn same<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    what: &str,
    got: BTreeMap<K, V>,
    expected: BTreeMap<K, V>,
) -> Result<(), String> {
    for (key, value) in &expected {
        match got.get(key) {
            Some(there) if there == value => {}
            Some(there) => return Err(format!("{what}: {key:?} is {there:?}, and should be {value:?}")),
            None => return Err(format!("{what}: {key:?} is missing, and should be {value:?}")),
        }
    }
    match got.iter().find(|(key, _)| !expected.contains_key(key)) {
        Some((key, value)) => Err(format!("{what}: {key:?} is {value:?}, and should not be there")),
        None => Ok(()),
    }
}
