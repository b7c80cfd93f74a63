//! What travels the road between its threads, and the handle by which doors and answers put something on it.
//!
//! Does not know what any part does with what it is handed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvError, Sender, TryRecvError};
use tokio::sync::{mpsc, oneshot};

use crate::batch::{Batch, Frame, Position, SourceId};
use crate::call::{CallType, Meter, Usage};
use crate::guard::Standing;
use crate::ingest::NotTaken;
use crate::rating::Drawn;
use crate::record::Content;
use crate::record::Identity;
use crate::sequencer::{Control, Progress};
use crate::time::{Period, Timestamp};

mod later;

pub use later::Later;

/// One thing on the road, in journal order.
#[derive(Debug)]
pub enum Travel {
    /// A durable frame.
    Frame(Frame),
    /// Everything before this belongs to the flush.
    Marker(Marker),
    /// A question that sees everything before it.
    Ask(Question),
}

/// The receiving end of a queue between two parts of the road; tells outside how many things wait in it.
#[derive(Debug)]
pub struct Inbox<T> {
    receiver: Receiver<T>,
    depth: Depth,
}

/// How many things wait in a queue, as of the last time one was taken out.
#[derive(Clone, Debug, Default)]
pub struct Depth(Arc<AtomicUsize>);

impl Depth {
    /// How many.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A queue of at most so many things.
pub fn queue<T>(most: usize) -> (Sender<T>, Inbox<T>) {
    let (sender, receiver) = crossbeam::channel::bounded(most);
    (sender, Inbox { receiver, depth: Depth::default() })
}

impl<T> Inbox<T> {
    /// What tells outside how many wait.
    pub fn depth(&self) -> Depth {
        self.depth.clone()
    }

    /// Waits for the next one; an error: nothing more will come.
    pub fn recv(&self) -> Result<T, RecvError> {
        let taken = self.receiver.recv();
        self.tell();
        taken
    }

    /// Waits for the next one, or for something that comes by another way; no patience: for ever.
    pub fn recv_beside<U>(&self, other: &Receiver<U>, patience: Option<Duration>) -> Came<T, U> {
        let came = crossbeam::select! {
            recv(self.receiver) -> own => own.map_or(Came::Ended, Came::Own),
            recv(other) -> other => other.map_or(Came::Ended, Came::Other),
            default(patience.unwrap_or(Duration::MAX)) => Came::Nothing,
        };
        self.tell();
        came
    }

    /// The next one, if it is there.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let taken = self.receiver.try_recv();
        self.tell();
        taken
    }

    fn tell(&self) {
        self.depth.0.store(self.receiver.len(), Ordering::Relaxed);
    }
}

/// What came first.
#[derive(Debug)]
pub enum Came<T, U> {
    /// Out of the queue.
    Own(T),
    /// By the other way.
    Other(U),
    /// Nothing, for as long as there was patience.
    Nothing,
    /// Nothing more will come by one of the two.
    Ended,
}

/// What a part of the road did when it was told to go on without waiting. Each part runs as a loop in a thread of its
/// own; one that plays the world moves all of them in one thread, step by step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It did something.
    Moved,
    /// There was nothing to do.
    Idle,
    /// Nothing more will come.
    Ended,
}

/// The flush marker: walks the records' road, and each part answers with what it gathered up to it.
#[derive(Debug)]
pub struct Marker {
    /// Counts from 1 in this process.
    pub number: u64,
    /// Journal position: everything before it is in this flush or an earlier one.
    pub upto: Position,
    /// Records journalled up to it in this process, for the measure of what waits.
    pub records: u64,
    /// When it was sent.
    pub at: Timestamp,
    /// Told once the store has it.
    pub replies: Vec<oneshot::Sender<Position>>,
}

/// A question about what is known now.
#[derive(Debug)]
pub enum Question {
    /// An account's usage in a period.
    Usage {
        /// Account name.
        account: String,
        /// Which month.
        period: Period,
        /// Each shard's answer; none: there is nobody by that name.
        reply: mpsc::UnboundedSender<Option<LiveUsage>>,
    },
    /// Where an account stands against the rules that watch it.
    Standings {
        /// Account name.
        account: String,
        /// At which instant.
        at: Timestamp,
        /// The answer; none comes if the account was never seen.
        reply: mpsc::UnboundedSender<Vec<Standing>>,
    },
    /// Where records with these identities lie.
    Find {
        /// Identities to look for.
        identities: Vec<Identity>,
        /// Content and position of each that is known.
        reply: oneshot::Sender<Vec<Option<(Content, Position)>>>,
    },
    /// How many calls told in parts are remembered: as long as there are any, ticks are needed.
    OpenCalls {
        /// The number.
        reply: oneshot::Sender<usize>,
    },
    /// What became of the records of one source since this process began.
    Became {
        /// Which source.
        source: SourceId,
        /// Counts that only grow.
        reply: oneshot::Sender<Became>,
    },
}

/// What became of records, each counted once when it passed the resolver; a later retry changes nothing here.
///
/// `received = refused + unanswered + duplicate + conflict + suspended + resolved + parts`
///
/// A piece that completes a call counts as what becomes of the call, any other piece of it under `parts`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)]
pub struct Became {
    pub received: u64,
    pub refused: u64,
    pub unanswered: u64,
    pub duplicate: u64,
    pub conflict: u64,
    pub suspended: u64,
    pub resolved: u64,
    pub parts: u64,
}

impl Became {
    /// What came between an earlier count and this one.
    pub fn since(self, before: Became) -> Became {
        Became {
            received: self.received - before.received,
            refused: self.refused - before.refused,
            unanswered: self.unanswered - before.unanswered,
            duplicate: self.duplicate - before.duplicate,
            conflict: self.conflict - before.conflict,
            suspended: self.suspended - before.suspended,
            resolved: self.resolved - before.resolved,
            parts: self.parts - before.parts,
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: Became) {
        self.received += other.received;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        self.duplicate += other.duplicate;
        self.conflict += other.conflict;
        self.suspended += other.suspended;
        self.resolved += other.resolved;
        self.parts += other.parts;
    }
}

/// One line of live totals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UsageLine {
    /// Type of the calls.
    pub call_type: CallType,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// Decimals in which the amounts are shown.
    pub decimals: u8,
    /// Sums.
    pub usage: Usage,
}

impl UsageLine {
    /// Adds a line to those gathered so far, of which there is one for each type and currency, in their order. An account
    /// has several in one month if it changed its billing group.
    pub fn gather(lines: &mut Vec<UsageLine>, line: &UsageLine) {
        // What a seal corrected away.
        if line.usage == Usage::default() {
            return;
        }
        match lines.binary_search_by_key(&(line.call_type, line.currency), |l| (l.call_type, l.currency)) {
            Ok(at) => {
                lines[at].usage.add(&line.usage);
                lines[at].decimals = lines[at].decimals.max(line.decimals);
            }
            Err(at) => lines.insert(at, *line),
        }
    }
}

/// An account's usage as its shard holds it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LiveUsage {
    /// Lines in the order of call type and currency.
    pub lines: Vec<UsageLine>,
    /// Seconds drawn by the account's group in the period, by meter.
    pub drawn: Vec<(Meter, u64)>,
}

impl LiveUsage {
    /// Adds what another shard holds.
    fn merge(&mut self, other: LiveUsage) {
        other.lines.iter().for_each(|line| UsageLine::gather(&mut self.lines, line));
        // Only the shard of the group has drawn anything.
        self.drawn.extend(other.drawn);
    }
}

/// What is drawn in the period that was asked for.
impl Drawn for LiveUsage {
    fn seconds(&self, _month: Period, meter: Meter) -> u64 {
        self.drawn.iter().filter(|(of, _)| *of == meter).map(|(_, seconds)| seconds).sum()
    }
}

/// The road does not take anything more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the daemon is stopping")]
pub struct RoadClosed;

/// The handle for everything but records: questions, changes, flushes.
#[derive(Clone, Debug)]
pub struct Road {
    controls: mpsc::Sender<Control>,
    progress: Arc<Progress>,
}

impl Road {
    /// A handle over the sequencer's second queue.
    pub fn new(controls: mpsc::Sender<Control>, progress: Arc<Progress>) -> Road {
        Road { controls, progress }
    }

    /// Questions and changes that wait for the sequencer.
    pub fn waiting(&self) -> usize {
        self.controls.max_capacity() - self.controls.capacity()
    }

    /// How far the parts are.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The account's live usage, seeing every record acknowledged before.
    pub async fn usage(&self, account: &str, period: Period) -> Result<Option<LiveUsage>, RoadClosed> {
        let (reply, mut answers) = mpsc::unbounded_channel();
        self.send(Control::Ask(Question::Usage { account: account.to_owned(), period, reply })).await?;
        let mut all: Option<LiveUsage> = None;
        while let Some(part) = answers.recv().await {
            // Nobody by that name: nothing of it is still being read.
            let Some(part) = part else { return Ok(None) };
            all.get_or_insert_default().merge(part);
        }
        self.whole()?;
        Ok(all)
    }

    /// Nobody answered for a part whose state could not be read at the start: the process is about to end of it.
    fn whole(&self) -> Result<(), RoadClosed> {
        if self.progress.reading.load(Ordering::Acquire) == 0 { Ok(()) } else { Err(RoadClosed) }
    }

    /// Where the account stands against the rules that watch it, seeing every record acknowledged before.
    pub async fn standings(&self, account: &str, at: Timestamp) -> Result<Vec<Standing>, RoadClosed> {
        let (reply, mut answers) = mpsc::unbounded_channel();
        self.send(Control::Ask(Question::Standings { account: account.to_owned(), at, reply })).await?;
        let standings = answers.recv().await.unwrap_or_default();
        self.whole()?;
        Ok(standings)
    }

    /// Content and position of each known identity.
    pub async fn find(&self, identities: Vec<Identity>) -> Result<Vec<Option<(Content, Position)>>, RoadClosed> {
        let (reply, answer) = oneshot::channel();
        self.send(Control::Ask(Question::Find { identities, reply })).await?;
        answer.await.map_err(|_| RoadClosed)
    }

    /// What became of everything of a source that was acknowledged before.
    pub async fn became(&self, source: SourceId) -> Result<Became, RoadClosed> {
        let (reply, answer) = oneshot::channel();
        self.send(Control::Ask(Question::Became { source, reply })).await?;
        answer.await.map_err(|_| RoadClosed)
    }

    /// How many calls told in parts are remembered.
    pub async fn open_calls(&self) -> Result<usize, RoadClosed> {
        let (reply, answer) = oneshot::channel();
        self.send(Control::Ask(Question::OpenCalls { reply })).await?;
        answer.await.map_err(|_| RoadClosed)
    }

    /// Puts everything acknowledged so far into the store; the position it then has.
    pub async fn flush(&self) -> Result<Position, RoadClosed> {
        let (reply, answer) = oneshot::channel();
        self.send(Control::Flush(Some(reply))).await?;
        answer.await.map_err(|_| RoadClosed)
    }

    /// Journals entries that change something; the position behind them.
    pub async fn enter(&self, batch: Batch) -> Result<Position, NotTaken> {
        let (reply, answer) = oneshot::channel();
        self.send(Control::Enter(batch, reply)).await.map_err(|_| NotTaken::ShuttingDown)?;
        answer.await.map_err(|_| NotTaken::ShuttingDown)?
    }

    /// Any other control.
    pub async fn send(&self, control: Control) -> Result<(), RoadClosed> {
        self.controls.send(control).await.map_err(|_| RoadClosed)
    }

    /// The same without waiting: for what can be left out when the queue is full.
    pub fn try_send(&self, control: Control) -> Result<(), RoadClosed> {
        self.controls.try_send(control).map_err(|_| RoadClosed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_type_and_currency_become_one() {
        let line = |call_type, currency: &[u8; 3], decimals, cost| UsageLine {
            call_type,
            currency: *currency,
            decimals,
            usage: Usage { calls: 1, cost, ..Usage::default() },
        };
        use CallType::{Included, International, Overage};
        let mut lines = Vec::new();
        for one in [
            line(International, b"USD", 4, 1),
            line(Included, b"EUR", 2, 2),
            line(International, b"EUR", 4, 4),
            line(Included, b"EUR", 4, 8),
            line(Overage, b"EUR", 4, 16),
            line(International, b"EUR", 2, 32),
        ] {
            UsageLine::gather(&mut lines, &one);
        }
        let shown: Vec<_> = lines
            .iter()
            .map(|l| (l.call_type, str::from_utf8(&l.currency).unwrap(), l.decimals, l.usage.calls, l.usage.cost))
            .collect();
        assert_eq!(
            shown,
            [
                (Included, "EUR", 4, 2, 10),
                (Overage, "EUR", 4, 1, 16),
                (International, "EUR", 4, 2, 36),
                (International, "USD", 4, 1, 1),
            ]
        );
    }
}
