//! Door 1: bytes come in, batches of records go out.
//!
//! Each listener has one [`Door`]: what its records are called, who may send, where batches go. The socket files (`udp`,
//! `tcp`, `http`) only move bytes; lines become records in [`collect::Collector`], and a [`Batch`] leaves through the
//! [`Outbox`] with a reply handle that is answered once the batch is durable.
//!
//! Limits are constants here, each with its reason; a full outbox stops TCP reading and lets the kernel drop UDP, and both
//! are counted. While the store has more to write than it should, streams and folders wait already before ([`Brake`]).
//!
//! Does not know tariffs, money, accounts, or that a journal exists: it has an outbox and an answer.

pub mod allow;
pub mod brake;
pub mod collect;
pub mod connect;
pub mod counters;
pub mod folder;
pub mod http;
pub mod lines;
pub mod protocol;
pub mod radius;
pub mod secret;
pub mod sequence;
pub mod settings;
pub mod stream;
pub mod tcp;
pub mod udp;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::batch::{Batch, Position, SourceId};
use crate::os::clock::Clock;
use crate::time::Zone;
use crate::wire::{Carrier, Decoder, Format, Origin, csv::Columns};

use crate::wire::Key;
use allow::Allow;
use brake::Brake;
use counters::Counters;

/// Longest line on TCP and UDP (a promise of the interface).
pub const LINE_MAX: usize = 64 << 10;
/// Batches that wait for the sequencer: with TCP batches of at most a quarter MiB some 16 MiB, a few group syncs' worth.
pub const OUTBOX_MAX: usize = 64;
/// A batch is handed on once it holds this much; a quarter of the largest frame, so that a last long record still fits.
pub const BATCH_BYTES: usize = crate::batch::FRAME_MAX / 4;
// Behind that limit one more record may come: its raw bytes, and as much again where its text had escapes.
const _: () = assert!(BATCH_BYTES + 2 * crate::record::RAW_MAX + 1024 < crate::batch::FRAME_MAX);

/// A batch on its way to the sequencer.
#[derive(Debug)]
pub struct Delivery {
    /// The records.
    pub batch: Batch,
    /// Who waits for it to be durable.
    pub reply: Option<oneshot::Sender<Durable>>,
    /// Its sender cannot be told that it was not taken, but can be kept waiting: where the journal has no room the batch
    /// is kept until it has, instead of being refused.
    pub patient: bool,
}

/// The end of the batch's frame, once it is synced; or why it was not taken.
pub type Durable = Result<Position, NotTaken>;

/// Why a batch was not taken. Nothing of it was kept: the sender must send it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotTaken {
    /// The disk has no room for more.
    #[error("journal full: nothing more is accepted until stored segments are freed")]
    JournalFull,
    /// The daemon is ending.
    #[error("shutting down")]
    ShuttingDown,
}

impl NotTaken {
    /// The label of the counter.
    pub const fn reason(self) -> &'static str {
        match self {
            NotTaken::JournalFull => "journal_full",
            NotTaken::ShuttingDown => "shutting_down",
        }
    }
}

/// Where the doors put their batches.
#[derive(Clone, Debug)]
pub struct Outbox {
    deliveries: mpsc::Sender<Delivery>,
    brake: Brake,
}

impl Outbox {
    /// An outbox and the end from which the sequencer takes.
    pub fn new(capacity: usize) -> (Outbox, mpsc::Receiver<Delivery>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Outbox { deliveries: sender, brake: Brake::default() }, receiver)
    }

    /// The same, which tells by a brake when senders that can wait are to wait.
    pub fn braked_by(self, brake: Brake) -> Outbox {
        Outbox { brake, ..self }
    }

    /// What tells how many batches wait, and keeps nobody from ending.
    pub fn depth(&self) -> mpsc::WeakSender<Delivery> {
        self.deliveries.downgrade()
    }

    /// Waits until senders that can wait need not wait any more.
    pub async fn free(&self) {
        self.brake.off().await;
    }

    /// Hands a batch on, waiting for room; gives what will tell that it is durable.
    pub async fn send(&self, batch: Batch) -> Result<Pending, NotTaken> {
        self.deliver(batch, false).await
    }

    /// The same for a sender that waits rather than being refused; see [`Delivery::patient`].
    pub async fn send_patiently(&self, batch: Batch) -> Result<Pending, NotTaken> {
        self.deliver(batch, true).await
    }

    async fn deliver(&self, batch: Batch, patient: bool) -> Result<Pending, NotTaken> {
        let (reply, pending) = oneshot::channel();
        let delivery = Delivery { batch, reply: Some(reply), patient };
        self.deliveries.send(delivery).await.map_err(|_| NotTaken::ShuttingDown)?;
        Ok(Pending(pending))
    }
}

/// A batch that is on its way.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Durable>);

impl Pending {
    /// Waits until it is durable. A sequencer that ended without an answer was shutting down.
    pub async fn durable(self) -> Durable {
        self.0.await.unwrap_or(Err(NotTaken::ShuttingDown))
    }

    /// The same as a poll, for those who look without waiting.
    #[cfg(test)]
    pub(crate) fn poll_durable(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Durable> {
        let answer = std::future::Future::poll(std::pin::Pin::new(&mut self.0), context);
        answer.map(|durable| durable.unwrap_or(Err(NotTaken::ShuttingDown)))
    }
}

/// What a listener is, once its settings are checked and its profile is journalled.
#[derive(Clone, Debug)]
pub struct Door {
    /// Under which its frames name it.
    pub source: SourceId,
    /// Its name in metrics and logs, `tcp:127.0.0.1:7070`.
    pub name: String,
    /// What senders write.
    pub format: Format,
    /// Columns of rows that come without a header.
    pub columns: Option<Columns>,
    /// The node of records that name none.
    pub node: String,
    /// The zone of times that bring no offset.
    pub zone: Zone,
    /// How its bytes fall into messages.
    pub cut: Cut,
    /// What else of the settings its decoders need.
    pub hints: Hints,
    /// Who may send.
    pub allow: Allow,
    /// Where batches go.
    pub outbox: Outbox,
    /// Its counters.
    pub counters: Arc<Counters>,
    /// Tells the year of times that come without it.
    pub clock: Clock,
}

/// How a door's bytes fall into messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Cut {
    /// A line each.
    #[default]
    Lines,
    /// JSON values back to back, each perhaps a request that wants an answer.
    Values,
    /// Syslog: a datagram each; in a stream counted octets or an end mark.
    Syslog,
    /// Packets of capture agents.
    Hep,
}

/// Settings that only some formats ask for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hints {
    /// Whether durations include the ringing, where records do not tell.
    pub talk_includes_ringing: Option<bool>,
    /// Titles of columns, where rows come without them.
    pub titles: Option<Box<str>>,
    /// What capture agents show to be let in.
    pub key: Option<Key>,
}

impl Door {
    /// The same door for a sender who says what it writes, and whose records are of that node.
    pub fn with(&self, format: Option<Format>, node: Option<String>) -> Door {
        let mut door = self.clone();
        if let Some(format) = format {
            door.columns = None;
            door.format = format;
        }
        if let Some(node) = node {
            door.node = node;
        }
        door
    }

    /// A decoder for a new connection, datagram or body.
    pub fn decoder(&self) -> Decoder {
        self.decoder_of(&self.format)
    }

    /// The same where the sender said what it writes.
    pub fn decoder_of(&self, format: &Format) -> Decoder {
        let origin = Origin {
            zone: self.zone.clone(),
            talk_includes_ringing: self.hints.talk_includes_ringing,
            titles: self.hints.titles.clone(),
            now: self.clock.now(),
            ..Origin::new(&self.node)
        };
        let carrier = match self.cut {
            Cut::Lines | Cut::Values => Carrier::None,
            Cut::Syslog => Carrier::Syslog { host_is_node: self.node == settings::NODE_DEFAULT },
            Cut::Hep => Carrier::Hep { key: self.hints.key.clone() },
        };
        let decoder = Decoder::carried(format, &origin, carrier);
        match &self.columns {
            Some(columns) if *format != Format::Json => decoder.with_columns(columns.clone()),
            _ => decoder,
        }
    }
}

/// Becomes true, or loses its sender, when the doors are to close: they stop reading, hand over what was read, and wait
/// for the answers.
#[derive(Clone, Debug)]
pub struct Stop(pub watch::Receiver<bool>);

impl Stop {
    /// Waits for the end.
    pub async fn stopped(&mut self) {
        // An error means that whoever could say so is gone.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

#[cfg(test)]
mod tests;
