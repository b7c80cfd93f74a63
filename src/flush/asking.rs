//! Asking the store: again after a refusal, in the order of the flushes, and what is put aside meanwhile.
//!
//! Does not know how a flush came together.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::RecvTimeoutError;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use super::held::{Body, Held};
use super::writer::{Answer, Writer};
use super::{Flush, FlushError};
use crate::batch::Position;
use crate::os::clock::Clock;
use crate::sequencer::Control;
use crate::time::Micros;

/// A store that has not answered for so long counts as away, although it has not refused: a transaction takes a fifth of a
/// second, and two where somebody else holds the lock.
pub const HANGS_AFTER: Duration = Duration::from_secs(5);
/// First pause after a refusal, and the longest: a store that is back is found within seconds, and one that is away is
/// not worn down by questions.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LONGEST: Duration = Duration::from_secs(5);
/// How long the last flushes are tried when the daemon ends: a graceful stop is to take less than five seconds, and what
/// is not stored is in the journal. A transaction that is under way, in a store that is not known to hang, is waited for.
const LAST_TRIES: Duration = Duration::from_secs(3);

/// When the store is asked again.
pub(super) struct Retry {
    pause: Duration,
    /// By [`Clock::running`]; none: at once.
    at: Option<Micros>,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { pause: PAUSE_FIRST, at: None }
    }
}

impl Retry {
    /// How long it is until then.
    pub fn left(&self, clock: &Clock) -> Duration {
        let left = self.at.map_or(0, |at| at.0 - clock.running().0);
        Duration::from_micros(u64::try_from(left).unwrap_or(0))
    }
}

impl Flush {
    /// Asks the store to take the oldest flush that waits.
    pub(super) fn ask(&mut self, writer: &Writer) {
        if let Some(oldest) = self.held.front() {
            self.asked = Some(self.clock.running());
            writer.ask(oldest.content.clone(), self.words.clone());
        }
    }

    /// How long the store may still take for its answer before it counts as away; none: it does already.
    pub(super) fn until_it_hangs(&self, since: Micros) -> Option<Duration> {
        let away = self.road.progress().store_away.load(Ordering::Relaxed);
        (!away).then(|| HANGS_AFTER.saturating_sub(self.clock.since(since)))
    }

    /// Says once that the store does not answer.
    pub(super) fn watch(&mut self) {
        let hangs = self.asked.and_then(|since| self.until_it_hangs(since)).is_some_and(|left| left.is_zero());
        if hangs {
            self.away();
            let (seconds, calls) = (HANGS_AFTER.as_secs(), self.calls_held());
            tracing::warn!("the store has not answered for {seconds} s, {calls} calls wait");
        }
    }

    fn away(&self) {
        self.metrics.away();
        self.brake(false);
        self.road.progress().store_away.store(true, Ordering::Relaxed);
    }

    /// What the store said of the oldest flush that waits.
    pub(super) fn answered(&mut self, answer: Answer) -> Result<(), FlushError> {
        let now = self.clock.running();
        let begun = self.asked.take().unwrap_or(now);
        match answer? {
            Ok(_) => {
                self.metrics.done(self.clock.since(begun));
                if self.road.progress().store_away.swap(false, Ordering::Relaxed) {
                    tracing::info!("the store is back; {} calls are on their way to it", self.calls_held());
                }
                self.retry = Retry::default();
                let Some(held) = self.held.pop_front() else { return Ok(()) };
                if let Body::Aside(aside) = &held.content.body {
                    self.spill.drop_one(aside);
                }
                // Who waits for the flush may look at the figures next.
                self.show();
                self.settled(held.number, held.content.upto, held.records, held.covered, held.replies);
                Ok(())
            }
            Err(error) if error.is_retryable() => {
                self.metrics.failed();
                self.away();
                tracing::warn!("the store is away, {} calls wait: {error}", self.calls_held());
                self.retry.at = Some(Micros(now.0 + jittered(self.retry.pause, now)));
                self.retry.pause = (self.retry.pause * 2).min(PAUSE_LONGEST);
                Ok(())
            }
            Err(error) => Err(FlushError::Store(error)),
        }
    }

    /// The store has everything up to a flush.
    pub(super) fn settled(
        &mut self,
        number: u64,
        upto: Position,
        records: u64,
        covered: Position,
        replies: Vec<oneshot::Sender<Position>>,
    ) {
        self.stored = upto;
        let progress = self.road.progress();
        progress.stored.store(upto.0, Ordering::Release);
        progress.records_stored.fetch_max(records, Ordering::Relaxed);
        progress.markers_stored.store(number, Ordering::Release);
        progress.index_behind.store(covered < upto, Ordering::Relaxed);
        for reply in replies {
            let _ = reply.send(upto);
        }
        // What the identity index lost is made again from the journal, so the journal keeps what the index has not synced.
        let may_go = upto.min(covered);
        if progress.may_go.fetch_max(may_go.0, Ordering::Relaxed) < may_go.0 {
            // The sequencer may be waiting for room, or gone at the end: either way trimming can wait.
            let _ = self.road.try_send(Control::Trim(may_go));
        }
    }

    /// Keeps memory flat: what does not fit is put aside, newest first, since the oldest is the next to be stored; the one
    /// that the store is asked to take stays where it is, beyond what fits. Where the spill refuses too, the flush is not
    /// taken, and the sequencer stops reading before memory runs out.
    pub(super) fn relieve(&mut self) -> Result<(), FlushError> {
        let asked = usize::from(self.asked.is_some());
        let mut bytes: u64 = self.held.iter().skip(asked).map(Held::bytes).sum();
        for held in self.held.iter_mut().skip(asked).rev() {
            if bytes <= self.in_memory {
                break;
            }
            let before = held.bytes();
            match held.put_aside(&mut self.spill) {
                Ok(()) => {
                    bytes -= before;
                    self.spill_refuses = false;
                }
                Err(FlushError::Spill(error)) => {
                    if !std::mem::replace(&mut self.spill_refuses, true) {
                        tracing::warn!("flushes cannot be put aside while the store is away: {error}");
                    }
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        self.show();
        self.mind(bytes);
        if bytes > self.in_memory {
            return Ok(());
        }
        let progress = self.road.progress();
        progress.markers_taken.store(self.latest.0, Ordering::Release);
        progress.records_taken.fetch_max(self.latest.1, Ordering::Release);
        if progress.road_full.load(Ordering::Relaxed) {
            // Wakes the sequencer, which waits for nothing but controls now.
            let _ = self.road.try_send(Control::Trim(Position(progress.may_go.load(Ordering::Relaxed))));
        }
        Ok(())
    }

    /// Lets senders that can wait do so while a store that is well has more to write than it should, so that nothing need be
    /// put aside. Behind an outage they do not wait: that would be as long as the outage was.
    fn mind(&self, bytes: u64) {
        let on = self.road.progress().brake.is_on();
        let much = self.in_memory / if on { 8 } else { 4 };
        let away = self.road.progress().store_away.load(Ordering::Relaxed);
        self.brake(bytes > much && !away && self.spill.bytes() == 0);
    }

    fn brake(&self, on: bool) {
        self.road.progress().brake.put(on);
        self.metrics.brake(on);
    }

    /// After the last part: what waits is stored as far as the store takes it in a few seconds. The rest is in the journal.
    pub(super) fn finish(mut self, writer: Writer) -> Result<(), FlushError> {
        let begun = self.clock.running();
        self.retry = Retry::default();
        while !self.held.is_empty() {
            let left = LAST_TRIES.saturating_sub(self.clock.since(begun));
            let patience = match self.asked {
                // Known to hang, or perhaps only slow.
                Some(since) => self.until_it_hangs(since).unwrap_or_default().max(left),
                None => left,
            };
            if patience.is_zero() {
                tracing::warn!("{} calls wait for the store: the next start brings them there", self.calls_held());
                break;
            }
            match self.asked {
                Some(_) => match writer.answers().recv_timeout(patience) {
                    Ok(answer) => self.answered(answer)?,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                },
                None if self.is_due() => self.ask(&writer),
                None => std::thread::sleep(self.retry.left(&self.clock).min(left)),
            }
        }
        if self.asked.is_none() {
            writer.end();
        }
        Ok(())
    }
}

/// Half of a pause to all of it, in microseconds, so that several daemons do not ask in step.
fn jittered(pause: Duration, now: Micros) -> i64 {
    let whole = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
    let chance = xxh3_64(&now.0.to_le_bytes()) % 1024;
    whole / 2 + whole / 2 / 1024 * chance as i64
}
