//! Space on the journal's disk: stored segments go before their time, then the doors close, and open by themselves.
//!
//! The doors close when the free space is below what is to be left (`journal.min_free`) and no stored segment is left to
//! drop. A batch that comes then is refused, except those of senders that can only be kept waiting: they are kept, up to
//! a limit, and journalled first when there is room. What the journal needs to change course, such as a retry or an
//! activation, may still use what is left.
//!
//! Does not know how much space there is, nor who holds the segments.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::{Reply, Sequencer, Waiting};
use crate::batch::Position;
use crate::ingest::{Delivery, NotTaken};
use crate::journal::JournalError;

/// Bytes of batches that may wait for space: a thousand connections with a batch of 64 KiB each.
const PARKED_BYTES_MAX: usize = 64 << 20;
/// Of what is to be left free, this part must be free beyond it before closed doors open, so that they do not open and
/// close with every page that the store writes.
const REOPEN_PART: u64 = 16;

/// Whether there is space, and who waits for it.
#[derive(Default)]
pub struct Space {
    closed: bool,
    /// Batches that wait, oldest first.
    parked: VecDeque<Delivery>,
    parked_bytes: usize,
    /// The daemon is ending: nobody waits any longer.
    ending: bool,
}

impl Sequencer {
    /// Looks at the space, once for each group: drops stored segments if it is short, closes or opens the doors. What
    /// waited is appended first once they are open.
    pub(super) fn mind_space(&mut self, waiting: &mut Vec<Waiting>) -> Result<(), JournalError> {
        let free = self.journal.free_space().unwrap_or(u64::MAX);
        self.progress.free_bytes.store(free, Ordering::Relaxed);
        let wanted = self.space.parked.front().map_or(0, |first| first.batch.len() as u64);
        if !self.has_space(wanted)? {
            self.close();
        } else if std::mem::take(&mut self.space.closed) {
            self.progress.journal_full.store(false, Ordering::Relaxed);
            tracing::info!("there is space for the journal again: records are taken");
        }
        while !self.space.closed
            && let Some(delivery) = self.space.parked.pop_front()
        {
            self.space.parked_bytes -= delivery.batch.len();
            self.deliver(delivery, waiting)?;
        }
        Ok(())
    }

    /// Appends a batch of a door, or refuses it, or keeps it waiting.
    pub(super) fn deliver(&mut self, delivery: Delivery, waiting: &mut Vec<Waiting>) -> Result<(), JournalError> {
        let bytes = delivery.batch.len();
        // A group is far smaller than a segment: within one, having looked once is enough.
        if !self.space.closed && !self.journal.fits(bytes as u64) && !self.has_space(bytes as u64)? {
            self.close();
        }
        if !self.space.closed || delivery.batch.is_empty() {
            let reply = delivery.reply.map_or(Reply::None, Reply::Door);
            return self.append(delivery.batch, reply, waiting);
        }
        if delivery.patient && !self.space.ending && self.space.parked_bytes + bytes <= PARKED_BYTES_MAX {
            self.space.parked_bytes += bytes;
            self.space.parked.push_back(delivery);
            return Ok(());
        }
        let why = if delivery.patient && self.space.ending { NotTaken::ShuttingDown } else { NotTaken::JournalFull };
        delivery.reply.map_or(Reply::None, Reply::Door).answer(Err(why));
        Ok(())
    }

    /// Whether `bytes` more may be journalled; makes space by dropping stored segments if not.
    fn has_space(&mut self, bytes: u64) -> Result<bool, JournalError> {
        let spare = if self.space.closed { self.journal.min_free() / REOPEN_PART } else { 0 };
        if self.journal.has_room(bytes, spare) {
            return Ok(true);
        }
        let may_go = Position(self.progress.may_go.load(Ordering::Relaxed));
        let removed = self.journal.make_space(may_go, bytes, spare)?;
        if removed.segments > 0 {
            tracing::warn!(
                "space is short: {} stored segments ({} bytes) of the journal went before their time",
                removed.segments,
                removed.bytes
            );
        }
        Ok(self.journal.has_room(bytes, spare))
    }

    /// Nothing more is taken of the doors until there is space.
    pub(super) fn close(&mut self) {
        self.progress.journal_full.store(true, Ordering::Relaxed);
        if !std::mem::replace(&mut self.space.closed, true) {
            tracing::error!(
                "the disk of the journal has {} bytes left, {} are to be left free (journal.min_free), and no stored \
                 segment is left to drop: records are refused until there is space",
                self.progress.free_bytes.load(Ordering::Relaxed),
                self.journal.min_free()
            );
        }
    }

    /// The end: who waits for space is told that it will not come.
    pub(super) fn nobody_waits(&mut self) {
        self.space.ending = true;
        self.space.parked_bytes = 0;
        for delivery in self.space.parked.drain(..) {
            delivery.reply.map_or(Reply::None, Reply::Door).answer(Err(NotTaken::ShuttingDown));
        }
    }
}
