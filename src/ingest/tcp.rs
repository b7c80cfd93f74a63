//! Records over TCP: a line each, and a dialogue with those who ask for it.
//!
//! A client that opens with `{"hello":1}` learns what became of its lines: `{"durable":N}` once N records of this
//! connection are synced, `{"refused":LINE,"error":"…"}` for each that was not taken, counted from the line behind the
//! hello. All others are never answered.
//!
//! **When the journal has no room** a client of the dialogue is told so by `{"error":"…"}` behind its last `durable`, and
//! the connection is closed. Plain senders cannot be told: what they sent is kept waiting, nothing more is read, and so
//! they wait too, until there is room again. Only where more waits than memory allows are plain connections closed, and
//! what had been read of them is counted as refused.
//!
//! One task per connection does two things at once: it reads, decodes and hands on; and it waits for the answers in the
//! order of the batches. Up to [`IN_FLIGHT_MAX`] batches are under way, then reading stops.
//!
//! Does not know what becomes of a batch, nor how TLS goes: a connection is anything that reads and writes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::collect::{Collector, Gathered, RefusedLine};
use super::counters::TurnedAway;
use super::lines::{Framed, Lines};
use super::{Cut, Door, LINE_MAX, Pending, Stop, stream};
use crate::tls::Streams;

/// Bytes asked of the socket at once: some 300 records, and a batch well under [`super::BATCH_BYTES`].
pub(super) const READ_BYTES: usize = 64 << 10;
/// Batches of one connection that wait for their sync: enough to read on during a sync of some milliseconds.
pub const IN_FLIGHT_MAX: usize = 16;
/// Connections at once: each may hold some 200 KiB.
pub const CONNECTIONS_MAX: usize = 1024;
/// A connection that brings nothing for this long is closed. Long, since a plain sender cannot tell that its next record
/// went into a closed connection; peers that are gone are found by keep-alive probes long before.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(24 * 3600);
/// A client that takes none of its answers for this long is dropped.
pub(super) const WRITE_MAX: Duration = Duration::from_secs(30);
/// What is read of a connection after the stop, at most: what had arrived by then.
pub(super) const LAST_READS: usize = 16;

/// Accepts connections until the stop, then waits for those that are open.
pub async fn serve(streams: impl Into<Streams>, door: Arc<Door>, mut stop: Stop) {
    let streams = streams.into();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.stopped() => break,
            accepted = streams.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (greeting, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or a connection that was gone again: the former needs a moment to pass.
                tracing::warn!(listener = door.name, %error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        if !door.allow.permits(peer.ip()) {
            door.counters.turned_away(TurnedAway::NotAllowed);
            tracing::debug!(listener = door.name, %peer, "connection from an address that may not send");
            continue;
        }
        let Ok(place) = places.clone().try_acquire_owned() else {
            door.counters.turned_away(TurnedAway::Connections);
            tracing::debug!(listener = door.name, %peer, "too many connections");
            continue;
        };
        let keepalive =
            socket2::TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(20));
        // Both only help; a socket that refuses them works all the same.
        let _ = socket2::SockRef::from(&greeting.stream).set_tcp_keepalive(&keepalive);
        let _ = greeting.stream.set_nodelay(true);
        let (door, stop) = (door.clone(), stop.clone());
        connections.spawn(async move {
            match greeting.stream().await {
                Ok(stream) if door.cut == Cut::Lines => connection(stream, peer, &door, stop).await,
                Ok(stream) => stream::connection(stream, peer, &door, stop).await,
                Err(error) => {
                    door.counters.turned_away(TurnedAway::Tls);
                    tracing::debug!(listener = door.name, %peer, %error, "no TLS came about");
                }
            }
            drop(place);
        });
    }
    drop(streams);
    while connections.join_next().await.is_some() {}
}

/// Serves one connection to its end.
pub async fn connection(stream: impl AsyncRead + AsyncWrite, peer: SocketAddr, door: &Door, stop: Stop) {
    let (reader, writer) = tokio::io::split(stream);
    let (answers, coming) = mpsc::channel(IN_FLIGHT_MAX);
    let reading = read(reader, door, answers, stop);
    let writing = write(writer, door, coming);
    let (read, written) = tokio::join!(reading, writing);
    for error in [read.err(), written.err()].into_iter().flatten() {
        tracing::debug!(listener = door.name, %peer, %error, "connection ended");
    }
}

/// What is to be said, in this order.
#[derive(Debug)]
enum Answer {
    /// The client opened the dialogue.
    Hello,
    /// A batch is under way.
    Batch { pending: Pending, records: u64, refused: Vec<RefusedLine> },
}

async fn read(
    mut reader: impl AsyncRead + Unpin,
    door: &Door,
    answers: mpsc::Sender<Answer>,
    mut stop: Stop,
) -> std::io::Result<()> {
    let mut lines = Lines::new(LINE_MAX);
    let mut collector = Collector::new(door, door.decoder());
    let (mut opened, mut dialogue) = (false, false);
    let mut reads_left = None;
    loop {
        // The place for the answer comes first: without one nothing is read.
        let Ok(place) = answers.reserve().await else { return Ok(()) };
        let room = lines.room(READ_BYTES);
        let count = if let Some(left) = &mut reads_left {
            if *left == 0 {
                return Ok(());
            }
            *left -= 1;
            match timeout(Duration::ZERO, reader.read_buf(room)).await {
                Ok(count) => count?,
                Err(_) => return Ok(()),
            }
        } else {
            tokio::select! {
                biased;
                () = stop.stopped() => {
                    reads_left = Some(LAST_READS);
                    continue;
                }
                () = answers.closed() => return Ok(()),
                count = timeout(IDLE_MAX, async { door.outbox.free().await; reader.read_buf(room).await }) => match count {
                    Ok(count) => count?,
                    Err(_) => return Ok(()),
                },
            }
        };
        let mut place = Some(place);
        loop {
            let framed = if count == 0 { lines.take_last() } else { lines.take_next() };
            let Some(Framed { number, line }) = framed else { break };
            if !opened && !matches!(line, Ok(line) if line.trim_ascii().is_empty()) {
                opened = true;
                if line.is_ok_and(is_hello) {
                    lines.restart_numbers();
                    dialogue = true;
                    if let Some(place) = place.take() {
                        place.send(Answer::Hello);
                    }
                    continue;
                }
            }
            match line {
                Ok(line) => collector.line(number, line),
                Err(refusal) => collector.refuse(number, refusal),
            }
        }
        if let Some(Gathered { batch, records, refused, .. }) = collector.take() {
            let place = match place {
                Some(place) => place,
                None => match answers.reserve().await {
                    Ok(place) => place,
                    Err(_) => return Ok(()),
                },
            };
            let sent = if dialogue { door.outbox.send(batch).await } else { door.outbox.send_patiently(batch).await };
            match sent {
                Ok(pending) => place.send(Answer::Batch { pending, records, refused }),
                Err(why) => {
                    door.counters.not_taken(why, records);
                    return Ok(());
                }
            }
        }
        if count == 0 {
            return Ok(());
        }
    }
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    door: &Door,
    mut coming: mpsc::Receiver<Answer>,
) -> std::io::Result<()> {
    let mut dialogue = false;
    let mut durable = 0;
    let mut failed = None;
    let mut text = Vec::new();
    while let Some(answer) = coming.recv().await {
        text.clear();
        match answer {
            Answer::Hello => {
                dialogue = true;
                say(&mut text, &Said::Hello { hello: 1, version: env!("CARGO_PKG_VERSION") });
            }
            Answer::Batch { pending, records, refused } => match pending.durable().await {
                Ok(_) if failed.is_none() => {
                    for RefusedLine { line, refusal } in refused {
                        say(&mut text, &Said::Refused { refused: line, error: refusal.to_string() });
                    }
                    durable += records;
                    if records > 0 {
                        say(&mut text, &Said::Durable { durable });
                    }
                }
                // Behind a batch that was not taken nothing can be counted any more: the sender starts anew from the
                // last number it was given.
                Ok(_) => {}
                Err(why) => {
                    door.counters.not_taken(why, records);
                    if failed.is_none() {
                        say(&mut text, &Said::Error { error: why.to_string() });
                        failed = Some(why);
                        // The reader sees it and ends; what is under way is still waited for.
                        coming.close();
                    }
                }
            },
        }
        if dialogue && !text.is_empty() {
            timeout(WRITE_MAX, writer.write_all(&text)).await??;
        }
    }
    timeout(WRITE_MAX, writer.shutdown()).await?
}

/// The lines of the dialogue that are ours.
#[derive(Serialize)]
#[serde(untagged)]
enum Said {
    Hello { hello: u32, version: &'static str },
    Durable { durable: u64 },
    Refused { refused: u64, error: String },
    Error { error: String },
}

fn say(text: &mut Vec<u8>, said: &Said) {
    // Numbers and texts always have a JSON form, and a Vec takes every byte.
    let _ = serde_json::to_writer(&mut *text, said);
    text.push(b'\n');
}

/// Whether a first line opens the dialogue; a record with an extra field of that name does not.
fn is_hello(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Hello {
        #[serde(rename = "hello")]
        _version: u32,
        id: Option<serde::de::IgnoredAny>,
    }
    line.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<Hello>(line).is_ok_and(|hello| hello.id.is_none())
}
