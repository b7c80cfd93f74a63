//! The sequencer: gives each batch its place. It stamps, journals, syncs once for everything that waits, hands on, and
//! only then acknowledges.
//!
//! One plain thread. Deliveries wait in a bounded queue of the doors (a full queue makes the doors wait, which stops TCP
//! reading and leaves UDP to the kernel); questions, changes and flush requests come by a second queue and travel the
//! same road behind everything that was acknowledged before them.
//!
//! Does not know what a record says, who rates it, or where results are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crossbeam::channel::Sender;
use tokio::sync::{mpsc, oneshot};

use crate::batch::{Batch, Frame, Position};
use crate::ingest::brake::Brake;
use crate::ingest::{Delivery, Durable, NotTaken};
use crate::journal::{Journal, JournalError};
use crate::os::clock::Clock;
use crate::os::thread;
use crate::road::{Marker, Question, Step, Travel};
use crate::time::{Micros, Timestamp};

mod early;
mod metrics;
mod space;
#[cfg(test)]
mod tests;

pub use metrics::{SequencerMetrics, describe};
pub use space::Space;

/// Most bytes journalled by one sync: bounds the memory of a group and the wait of its first batch (0.56 ms for 750 KB
/// where this was measured).
const GROUP_BYTES_MAX: usize = 8 << 20;
/// Most batches acknowledged by one sync.
const GROUP_BATCHES_MAX: usize = 1024;

/// What reaches the sequencer beside deliveries.
#[derive(Debug)]
pub enum Control {
    /// Entries that change something (activations, retries): journalled like records.
    Enter(Batch, oneshot::Sender<Result<Position, NotTaken>>),
    /// A question that must see everything acknowledged before it.
    Ask(Question),
    /// Flush now; answered with the position once the store has it.
    Flush(Option<oneshot::Sender<Position>>),
    /// Segments before this position are stored and may go.
    Trim(Position),
    /// What comes next begins a segment of the journal.
    EndSegment,
    /// Segments before this position go, whatever their age, as far as they are stored.
    Release(Position),
    /// The doors are closing: nothing waits for room any longer.
    Closing,
    /// Finish what was delivered, flush, end.
    Stop,
}

/// Settings of the sequencer.
#[derive(Clone, Copy, Debug)]
pub struct SequencerSettings {
    /// Records after which a flush is due.
    pub flush_calls: u64,
    /// Stored segments whose newest frame is older than this many microseconds go.
    pub keep_micros: i64,
    /// A sync that takes longer than this many microseconds is counted: what came meanwhile waited that long for its own.
    pub max_delay_micros: i64,
}

/// How far the parts behind are, shared as plain counters.
#[derive(Debug, Default)]
pub struct Progress {
    /// Flush markers sent.
    pub markers_sent: AtomicU64,
    /// Flush markers that are stored, or wait for the store within the bounds of memory.
    pub markers_taken: AtomicU64,
    /// Flush markers whose transaction is done.
    pub markers_stored: AtomicU64,
    /// Records journalled.
    pub records_durable: AtomicU64,
    /// Records whose flush is stored, or waits for the store within the bounds of memory.
    pub records_taken: AtomicU64,
    /// Records covered by the last stored flush.
    pub records_stored: AtomicU64,
    /// Position up to which the journal is durable.
    pub durable: AtomicU64,
    /// Position the store has.
    pub stored: AtomicU64,
    /// Position before which the journal is no longer needed: the store has it, and so has the identity index on disk.
    pub may_go: AtomicU64,
    /// The store refused the latest flush, which is tried again.
    pub store_away: AtomicBool,
    /// Bytes of memory taken by flushes that wait for the store.
    pub held_bytes: AtomicU64,
    /// Bytes of disk taken by flushes that were put aside.
    pub spilled_bytes: AtomicU64,
    /// On while the store is well, and more waits for it than it should.
    pub brake: Brake,
    /// The identity index had no room on its disk at the last stored flush.
    pub index_behind: AtomicBool,
    /// The doors are closed for want of space: free space is below what is to be left.
    pub journal_full: AtomicBool,
    /// Bytes free on the journal's disk when last asked.
    pub free_bytes: AtomicU64,
    /// As many records are between journal and flush as there may be: nothing is read until some are flushed.
    pub road_full: AtomicBool,
    /// Parts of the stored state that a start is still reading: until then nothing behind the journal moves.
    pub reading: AtomicUsize,
}

/// Flushes that may be under way at once: one being written, one being gathered.
const FLUSHES_UNDER_WAY: u64 = 2;

/// Records that may be between the journal and a flush that was taken, before the doors wait: all of them are in memory,
/// at some 600 bytes each. A store that is away, or hangs, does not bring it to that (flushes are put aside), only a disk
/// that does not take what is put aside.
const GATHERED_RECORDS_MAX: u64 = 1_000_000;

/// The thread's parts.
pub struct Sequencer {
    /// Deliveries of the doors.
    pub deliveries: mpsc::Receiver<Delivery>,
    /// Everything else.
    pub controls: mpsc::Receiver<Control>,
    /// The journal; nobody else writes it.
    pub journal: Journal,
    /// The road behind.
    pub onward: Sender<Travel>,
    /// Receipt stamps.
    pub clock: Clock,
    /// Shared counters.
    pub progress: Arc<Progress>,
    /// Settings.
    pub settings: SequencerSettings,
    /// Records since the last marker.
    pub unflushed: u64,
    /// When that was, by [`Clock::running`].
    pub marked_at: Micros,
    /// Counters.
    pub metrics: SequencerMetrics,
    /// Whether there is space, and who waits for it.
    pub space: Space,
}

/// What was taken from both queues for one group.
#[derive(Default)]
struct Taken {
    batches: Vec<Delivery>,
    controls: Vec<Control>,
}

/// One batch between append and acknowledgement.
struct Waiting {
    frame: Frame,
    reply: Reply,
}

enum Reply {
    None,
    Door(oneshot::Sender<Durable>),
    Change(oneshot::Sender<Result<Position, NotTaken>>),
}

impl Reply {
    fn answer(self, answer: Result<Position, NotTaken>) {
        // A door that went away no longer wants its answer.
        match self {
            Reply::None => {}
            Reply::Door(reply) => drop(reply.send(answer)),
            Reply::Change(reply) => drop(reply.send(answer)),
        }
    }
}

impl Sequencer {
    /// Runs until told to stop or until the journal gives out.
    ///
    /// # Errors
    /// The journal's failure: nothing more is promised after it, and the process ends.
    pub fn run(mut self, runtime: &tokio::runtime::Handle) -> Result<(), JournalError> {
        thread::goes_first();
        let mut taken = Taken::default();
        loop {
            let open = self.wait(runtime, &mut taken);
            if !self.turn(&mut taken)? || !open {
                return self.finish();
            }
        }
    }

    /// Takes what is there and treats it as one group; never waits.
    ///
    /// # Errors
    /// As [`Sequencer::run`]: after one it must not be asked again.
    pub fn step(&mut self) -> Result<Step, JournalError> {
        let mut taken = Taken::default();
        let room = self.room();
        self.take_more(room, &mut taken);
        if taken.batches.is_empty() && taken.controls.is_empty() {
            return Ok(if self.controls.is_closed() { Step::Ended } else { Step::Idle });
        }
        Ok(if self.turn(&mut taken)? { Step::Moved } else { Step::Ended })
    }

    /// One group: journalled, synced, handed on, acknowledged; then questions, then a marker if one is due. False once
    /// told to stop.
    fn turn(&mut self, taken: &mut Taken) -> Result<bool, JournalError> {
        let mut go_on = true;
        let mut waiting = Vec::with_capacity(taken.batches.len());
        self.mind_space(&mut waiting)?;
        for delivery in taken.batches.drain(..) {
            self.deliver(delivery, &mut waiting)?;
        }
        let (mut questions, mut flush_asked, mut flush_replies) = (Vec::new(), false, Vec::new());
        for control in taken.controls.drain(..) {
            match control {
                Control::Enter(batch, reply) => self.append(batch, Reply::Change(reply), &mut waiting)?,
                Control::Ask(question) => questions.push(question),
                Control::Flush(reply) => {
                    flush_asked = true;
                    flush_replies.extend(reply);
                }
                Control::Trim(position) => self.trim(position)?,
                Control::EndSegment => self.journal.end_segment(),
                Control::Release(position) => self.release(position)?,
                Control::Closing => self.nobody_waits(),
                Control::Stop => go_on = false,
            }
        }
        self.commit(waiting)?;
        for question in questions {
            self.hand_on(Travel::Ask(question));
        }
        let under_way =
            self.progress.markers_sent.load(Ordering::Relaxed) - self.progress.markers_taken.load(Ordering::Relaxed);
        let due = flush_asked || self.unflushed >= self.settings.flush_calls || self.is_early();
        // Somebody who waits for a flush gets one marker of his own; the timer and the count can wait.
        if !flush_replies.is_empty() || due && under_way < FLUSHES_UNDER_WAY {
            self.mark(flush_replies);
        }
        Ok(go_on)
    }

    /// Whether more records may be taken: those that no flush has taken yet are in memory.
    fn room(&self) -> bool {
        let gathered =
            self.progress.records_durable.load(Ordering::Relaxed) - self.progress.records_taken.load(Ordering::Relaxed);
        // A flush must be able to come together, however many records it is to have.
        let full = gathered >= GATHERED_RECORDS_MAX.max(4 * self.settings.flush_calls);
        self.progress.road_full.store(full, Ordering::Relaxed);
        !full
    }

    /// Waits for the first message, then takes what else is there. False once every sender is gone.
    fn wait(&mut self, runtime: &tokio::runtime::Handle, taken: &mut Taken) -> bool {
        let room = self.room();
        // Without room nothing may even be taken out: what is dropped here would be refused for a reason that is not so.
        let first = if room { self.deliveries.try_recv().ok() } else { None };
        match first {
            Some(delivery) => taken.batches.push(delivery),
            None => {
                let (deliveries, inbox) = (&mut self.deliveries, &mut self.controls);
                let Taken { batches, controls } = taken;
                let open = runtime.block_on(async {
                    tokio::select! {
                        biased;
                        control = inbox.recv() => control.map(|c| controls.push(c)).is_some(),
                        delivery = deliveries.recv(), if room => {
                            // All doors gone is no reason to end: questions may still come.
                            if let Some(delivery) = delivery { batches.push(delivery) } else {
                                return match inbox.recv().await { Some(c) => { controls.push(c); true }, None => false };
                            }
                            true
                        }
                    }
                });
                if !open {
                    return false;
                }
            }
        }
        self.take_more(room, taken);
        true
    }

    /// Takes what is there, up to the size of a group.
    fn take_more(&mut self, room: bool, taken: &mut Taken) {
        let mut bytes: usize = taken.batches.iter().map(|d| d.batch.len()).sum();
        while room && taken.batches.len() < GROUP_BATCHES_MAX && bytes < GROUP_BYTES_MAX {
            let Ok(delivery) = self.deliveries.try_recv() else { break };
            bytes += delivery.batch.len();
            taken.batches.push(delivery);
        }
        while let Ok(control) = self.controls.try_recv() {
            taken.controls.push(control);
        }
    }

    /// After the last step: journals what the doors had already delivered, and sends the last marker.
    ///
    /// # Errors
    /// As [`Sequencer::run`].
    pub fn finish(&mut self) -> Result<(), JournalError> {
        self.drain()?;
        self.mark(Vec::new());
        Ok(())
    }

    /// After the stop: what the doors had already delivered.
    fn drain(&mut self) -> Result<(), JournalError> {
        let mut waiting = Vec::new();
        self.nobody_waits();
        while let Ok(delivery) = self.deliveries.try_recv() {
            self.deliver(delivery, &mut waiting)?;
        }
        self.commit(waiting)
    }

    fn append(&mut self, batch: Batch, reply: Reply, waiting: &mut Vec<Waiting>) -> Result<(), JournalError> {
        if batch.is_empty() {
            reply.answer(Ok(self.journal.durable()));
            return Ok(());
        }
        let records = u64::from(batch.entries());
        match self.journal.append(batch, self.clock.now()) {
            Ok(frame) => {
                self.unflushed += records;
                self.progress.records_durable.fetch_add(records, Ordering::Relaxed);
                waiting.push(Waiting { frame, reply });
                Ok(())
            }
            Err(error @ (JournalError::NoSpace { .. } | JournalError::TooLarge { .. })) => {
                // Nothing was written: the door says so to its sender, and everything before stays true.
                if matches!(error, JournalError::NoSpace { .. }) {
                    self.close();
                } else {
                    tracing::warn!("{error}");
                }
                reply.answer(Err(NotTaken::JournalFull));
                Ok(())
            }
            Err(error) => {
                reply.answer(Err(NotTaken::ShuttingDown));
                Err(error)
            }
        }
    }

    /// One sync for all, then acknowledge, then hand on: who asks for usage after an acknowledgement asks through this
    /// thread, so that the question travels behind the record.
    fn commit(&mut self, waiting: Vec<Waiting>) -> Result<(), JournalError> {
        if waiting.is_empty() {
            return Ok(());
        }
        let bytes = waiting.iter().map(|one| one.frame.bytes.len() as u64).sum();
        let begun = self.clock.running();
        let durable = self.journal.sync()?;
        let took = Micros(self.clock.running().0 - begun.0);
        self.metrics.synced(bytes, took, took.0 > self.settings.max_delay_micros);
        self.progress.durable.store(durable.0, Ordering::Release);
        let mut frames = Vec::with_capacity(waiting.len());
        for Waiting { frame, reply } in waiting {
            reply.answer(Ok(frame.end()));
            frames.push(frame);
        }
        for frame in frames {
            self.hand_on(Travel::Frame(frame));
        }
        Ok(())
    }

    fn trim(&mut self, stored: Position) -> Result<(), JournalError> {
        let oldest = self.clock.now().0.saturating_sub(self.settings.keep_micros);
        self.journal.remove_before(stored, Some(Timestamp(oldest))).map(|_| ())
    }

    fn release(&mut self, position: Position) -> Result<(), JournalError> {
        let may_go = Position(self.progress.may_go.load(Ordering::Relaxed));
        self.journal.remove_before(position.min(may_go), None).map(|_| ())
    }

    fn mark(&mut self, replies: Vec<oneshot::Sender<Position>>) {
        self.unflushed = 0;
        self.marked_at = self.clock.running();
        let number = self.progress.markers_sent.fetch_add(1, Ordering::Relaxed) + 1;
        let records = self.progress.records_durable.load(Ordering::Relaxed);
        self.hand_on(Travel::Marker(Marker {
            number,
            upto: self.journal.durable(),
            records,
            at: self.clock.now(),
            replies,
        }));
    }

    fn hand_on(&self, travel: Travel) {
        // The resolver ends only after this thread dropped its sender; if it is gone, its panic is already ending us.
        let _ = self.onward.send(travel);
    }
}
