//! Nodes that we call: Asterisk's manager, FreeSWITCH's event socket, Kamailio's evapi, PBXs that wait for a collector of
//! lines.
//!
//! ```text
//! connect ─▶ log in ─▶ events … ─▶ lost ──▶ wait, longer each time ──▶ connect
//!    │          └─ refused ─▶ one sentence, wait for minutes ─────────────┘
//!    └─ unreachable ─▶ one sentence, wait, longer each time ──────────────┘
//! ```
//!
//! None of them keeps what nobody takes: what a node reports while it is not connected is lost to us. So each [`Source`]
//! knows the times for which that holds, over a restart too, and says them when it is connected again. What is heard goes the
//! way of every record; while the journal has no room nothing is read, and the node's own queue has to hold it.
//!
//! Does not know what a message says, nor what becomes of a batch.

mod flight;
mod pace;
pub mod settings;
mod source;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, sleep, timeout};

use super::collect::{Collector, Gathered};
use super::tcp::{LAST_READS, READ_BYTES, WRITE_MAX};
use super::{Door, OUTBOX_MAX, Pending, Stop};
use crate::os::random;
use crate::time::{MICROS_PER_SECOND, Timestamp};
use crate::wire::session::{Heard, LINE_MAX, Login, MESSAGE_MAX, Protocol, Session, Step};
use crate::wire::{Key, Refusal};

pub use pace::{Backoff, Pace};
pub use source::{Source, Standing, describe};

use flight::{Flight, answers};
use settings::Connect;

/// A connection at rest is asked by the kernel whether it is still there: after so long, every so often, so many times.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);
/// At the stop what has come is read: long enough for the kernel to tell of it.
const LAST_WAIT: Duration = Duration::from_millis(20);
/// A connection that broke with an error was there until so long before, at the latest: what its probes take.
const PROOF: i64 = 60 * MICROS_PER_SECOND;
const _: () = assert!(PROOF / MICROS_PER_SECOND == (KEEPALIVE.0.as_secs() + KEEPALIVE.1.as_secs() * 3) as i64);

/// Calls a node for as long as the daemon runs.
#[derive(Debug)]
pub struct Caller {
    connect: Connect,
    door: Arc<Door>,
    source: Arc<Source>,
    pace: Pace,
}

/// Why a connection came to its end, or never was one.
#[derive(Debug)]
enum Ended {
    /// We are to stop.
    Stopped,
    /// Nobody is there, or somebody else.
    Away(String),
    /// We are not let in.
    Refused(String),
    /// It was open.
    Lost { why: String, heard_until: Timestamp },
}

impl Caller {
    /// Of a node; `source` tells others how it stands.
    pub fn new(connect: Connect, door: Arc<Door>, source: Arc<Source>) -> Caller {
        Caller { connect, door, source, pace: Pace::default() }
    }

    /// The same with other times.
    pub fn with_pace(self, pace: Pace) -> Caller {
        Caller { pace, ..self }
    }

    /// Calls until the stop.
    pub async fn run(self, mut stop: Stop) {
        let mut backoff = Backoff::default();
        loop {
            let begun = self.door.clock.running();
            let ended = self.once(&mut stop).await;
            let now = self.door.clock.now();
            let refused = matches!(ended, Ended::Refused(_));
            match ended {
                Ended::Stopped => return,
                Ended::Away(why) => {
                    if self.source.troubled(&why) {
                        tracing::warn!(
                            listener = self.source.name,
                            why,
                            "the node cannot be called; tried again and again"
                        );
                    }
                }
                Ended::Refused(why) => {
                    if self.source.troubled(&why) {
                        tracing::error!(
                            listener = self.source.name,
                            user = self.connect.user,
                            why,
                            "the node refuses our login; tried again every few minutes"
                        );
                    }
                }
                Ended::Lost { why, heard_until } => {
                    if self.door.clock.since(begun) >= self.pace.steady {
                        backoff.reset();
                    }
                    self.source.troubled(&why);
                    self.source.lost(now, heard_until);
                    tracing::warn!(
                        listener = self.source.name, why, heard_until = %heard_until,
                        "the connection is lost: what the node reports is missing until it is back"
                    );
                }
            }
            self.source.waits(now);
            let wait = backoff.next(&self.pace, refused, random::number());
            tokio::select! {
                biased;
                () = stop.stopped() => return,
                () = sleep(wait) => {}
            }
        }
    }

    /// One connection, to its end.
    async fn once(&self, stop: &mut Stop) -> Ended {
        let secret = match self.connect.secret.as_ref().map(|secret| secret.read()).transpose() {
            Ok(secret) => secret.unwrap_or_default(),
            Err(error) => return Ended::Away(error.to_string()),
        };
        let stream = tokio::select! {
            biased;
            () = stop.stopped() => return Ended::Stopped,
            made = timeout(self.pace.answer, TcpStream::connect(&self.connect.address)) => match made {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return Ended::Away(error.to_string()),
                Err(_) => return Ended::Away("no answer".to_owned()),
            },
        };
        keep_alive(&stream);
        let login =
            Login { user: self.connect.user.as_str().into(), secret: Key(secret), events: self.connect.events.name() };
        let now = self.door.clock.now();
        let flight = Flight::new(now);
        let (waiting, waits) = mpsc::channel(OUTBOX_MAX);
        let (reader, writer) = stream.into_split();
        let talk = Talk {
            caller: self,
            session: Session::new(self.connect.protocol, login),
            collector: Collector::new(&self.door, self.door.decoder()),
            reader,
            writer,
            buffer: BytesMut::new(),
            number: 0,
            heard: now,
            listening: now,
            waiting,
            flight: &flight,
        };
        let (mut ended, ()) = tokio::join!(talk.serve(stop), answers(&self.door, &flight, waits));
        if self.source.standing().connected {
            let mut stopped = self.door.clock.now();
            let until = if let Ended::Lost { heard_until, .. } = &mut ended { heard_until } else { &mut stopped };
            *until = flight.safe_until(*until);
            self.source.note(*until);
        }
        ended
    }

    /// Events come.
    fn opened(&self) {
        let now = self.door.clock.now();
        match self.source.opened(now) {
            None => tracing::info!(listener = self.source.name, "connected"),
            Some(from) => tracing::warn!(
                listener = self.source.name, from = %from, to = %now,
                seconds = now.0.saturating_sub(from.0) / MICROS_PER_SECOND,
                "connected; what the node reported in between is missing: import it from the node's own files, if it writes \
                 any (what was heard twice is recognised)"
            ),
        }
        self.source.note(now);
    }
}

/// One connection.
struct Talk<'c> {
    caller: &'c Caller,
    session: Session,
    collector: Collector<'c>,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    buffer: BytesMut,
    number: u64,
    /// When something was heard last.
    heard: Timestamp,
    /// Since when nothing but the node was waited for: what it said before has been read.
    listening: Timestamp,
    waiting: mpsc::Sender<(Pending, u64, Timestamp)>,
    flight: &'c Flight,
}

impl Talk<'_> {
    async fn serve(mut self, stop: &mut Stop) -> Ended {
        let Pace { answer, look, .. } = self.caller.pace;
        if self.session.is_open() {
            self.caller.opened();
        }
        let mut looks = tokio::time::interval(look);
        // A look that takes long must not leave the node unheard.
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.tick().await;
        let deadline = sleep(answer);
        tokio::pin!(deadline);
        loop {
            self.buffer.reserve(READ_BYTES);
            let read = tokio::select! {
                biased;
                () = stop.stopped() => return self.last().await,
                _ = looks.tick() => match self.look().await {
                    Some(ended) => return ended,
                    None => continue,
                },
                read = self.reader.read_buf(&mut self.buffer) => read,
                () = &mut deadline, if !self.session.is_open() => {
                    return Ended::Away("the login is not answered".to_owned());
                }
            };
            if let Some(ended) = self.took(read).await {
                return ended;
            }
        }
    }

    /// What had come by the stop is taken.
    async fn last(mut self) -> Ended {
        for _ in 0..LAST_READS {
            self.buffer.reserve(READ_BYTES);
            match timeout(LAST_WAIT, self.reader.read_buf(&mut self.buffer)).await {
                Ok(read) => {
                    if self.took(read).await.is_some() {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        Ended::Stopped
    }

    /// Takes what was read; gives why the connection is at its end.
    async fn took(&mut self, read: io::Result<usize>) -> Option<Ended> {
        match read {
            Ok(0) => {
                // It was there until it said so.
                let (half, until) = match self.buffer.is_empty() {
                    true => ("", self.now()),
                    false => (" in the middle of a message", self.heard),
                };
                return Some(self.ended(format!("the node closed the connection{half}"), until));
            }
            Ok(_) => self.heard = self.now(),
            Err(error) => return Some(self.ended(error.to_string(), self.proven())),
        }
        let ended = self.steps().await;
        let handed_on = self.hand_on().await;
        self.listening = self.now();
        match handed_on {
            Ok(()) => ended,
            Err(why) => ended.or_else(|| Some(self.ended(why, self.heard))),
        }
    }

    async fn steps(&mut self) -> Option<Ended> {
        while let Some(Step { consumed, heard }) = self.session.next(&self.buffer) {
            match heard {
                Heard::Message(place) => {
                    self.number += 1;
                    self.collector.line(self.number, self.buffer.get(place).unwrap_or_default());
                }
                Heard::TooLong => {
                    self.number += 1;
                    let most = if self.caller.connect.protocol == Protocol::Tcp { LINE_MAX } else { MESSAGE_MAX };
                    self.collector.refuse(self.number, Refusal::Line(most as u32));
                }
                Heard::Say(words) => {
                    if let Err(error) = say(&mut self.writer, &words).await {
                        return Some(self.ended(error, self.heard));
                    }
                }
                Heard::Open => self.caller.opened(),
                Heard::Refused(why) => return Some(Ended::Refused(why)),
                Heard::Stranger(why) => return Some(self.ended(why.to_owned(), self.heard)),
                Heard::Nothing => {}
            }
            self.buffer.advance(consumed);
        }
        None
    }

    /// Hands on what was gathered; waits for room.
    async fn hand_on(&mut self) -> Result<(), String> {
        let Some(Gathered { batch, records, .. }) = self.collector.take() else { return Ok(()) };
        let door = &self.caller.door;
        let Ok(place) = self.waiting.reserve().await else { return Err("shutting down".to_owned()) };
        match door.outbox.send_patiently(batch).await {
            Ok(pending) => {
                self.flight.takes_off();
                place.send((pending, records, self.heard));
                Ok(())
            }
            Err(why) => {
                self.flight.fails();
                door.counters.not_taken(why, records);
                Err(why.to_string())
            }
        }
    }

    /// Sees whether the node is still there, and notes how far we are.
    async fn look(&mut self) -> Option<Ended> {
        let now = self.now();
        if !self.session.is_open() {
            return None;
        }
        if self.flight.has_failed() {
            // The gap is to have an end: the next connection begins anew.
            return Some(self.ended("what it reported could not be kept".to_owned(), now));
        }
        if let Some(ping) = self.session.ping() {
            let silence = i64::try_from(self.caller.pace.silence.as_micros()).unwrap_or(i64::MAX);
            if now.0.saturating_sub(self.listening.0) > silence {
                return Some(self.ended("the node does not answer any more".to_owned(), self.heard));
            }
            if let Err(error) = say(&mut self.writer, ping).await {
                return Some(self.ended(error, self.heard));
            }
        }
        self.caller.source.note(self.flight.safe_until(self.proven()));
        None
    }

    /// Until when the node was there for sure and all that it said was read.
    fn proven(&self) -> Timestamp {
        let probed = Timestamp(self.now().0.saturating_sub(PROOF));
        if self.listening <= probed { probed } else { self.heard }
    }

    fn ended(&self, why: String, heard_until: Timestamp) -> Ended {
        match self.session.is_open() {
            true => Ended::Lost { why, heard_until },
            false => Ended::Away(why),
        }
    }

    fn now(&self) -> Timestamp {
        self.caller.door.clock.now()
    }
}

async fn say(writer: &mut OwnedWriteHalf, words: &[u8]) -> Result<(), String> {
    match timeout(WRITE_MAX, writer.write_all(words)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the node takes nothing any more".to_owned()),
    }
}

/// Lets the kernel ask whether the node is still there, and gives up what it does not acknowledge. Both only help; a socket
/// that refuses them works all the same.
fn keep_alive(stream: &TcpStream) {
    let (time, interval, retries) = KEEPALIVE;
    let keepalive = socket2::TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(retries);
    let socket = socket2::SockRef::from(stream);
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_user_timeout(Some(time + interval * retries));
    let _ = stream.set_nodelay(true);
}

#[cfg(test)]
mod tests;
