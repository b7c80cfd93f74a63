//! Records over TCP from senders that do not write lines: syslog with its two framings, packets of capture agents, JSON
//! values back to back.
//!
//! Only JSON-RPC has answers: a request with an `id` (OpenSIPS' `reliable_mode`) is answered once its record is durable, or
//! with the reason why it is not. The others are never answered: what the sender's kernel had taken when a connection broke
//! is lost, and nobody can tell.
//!
//! Where the stream itself cannot be understood any more (a packet without its mark, a value without an end) the
//! connection is closed, so that the sender begins anew.
//!
//! Does not know what a message says, nor what becomes of a batch.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::collect::{Collector, Gathered, RefusedLine};
use super::tcp::{IDLE_MAX, IN_FLIGHT_MAX, LAST_READS, READ_BYTES, WRITE_MAX};
use super::{Cut, Door, LINE_MAX, Pending, Stop};
use crate::wire::elements::{Element, Elements};
use crate::wire::hep::{self, BadHep};
use crate::wire::octets::{Frame, Frames};
use crate::wire::{Refusal, hep::Length};

/// Serves one connection to its end.
pub async fn connection(stream: impl AsyncRead + AsyncWrite, peer: SocketAddr, door: &Door, stop: Stop) {
    let (reader, writer) = tokio::io::split(stream);
    let (answers, coming) = mpsc::channel(IN_FLIGHT_MAX);
    let (read, written) = tokio::join!(read(reader, door, answers, stop), write(writer, door, coming));
    for error in [read.err(), written.err()].into_iter().flatten() {
        tracing::debug!(listener = door.name, %peer, %error, "connection ended");
    }
}

/// How the stream falls into messages.
#[derive(Debug)]
enum Cutter {
    Syslog(Frames),
    Hep,
    Values(Elements),
}

/// What stands at the front of the buffer.
enum Piece {
    /// A message from..to, then so many bytes are done with.
    Whole(usize, usize, usize),
    /// Nothing to read in so many bytes.
    Nothing(usize),
    /// A message that is not taken.
    Refused(usize, Refusal),
    /// Nothing behind can be understood.
    Broken(Refusal),
}

impl Cutter {
    fn new(door: &Door) -> Cutter {
        match door.cut {
            Cut::Hep => Cutter::Hep,
            Cut::Syslog => Cutter::Syslog(Frames::new(LINE_MAX)),
            Cut::Lines | Cut::Values => Cutter::Values(Elements::stream(LINE_MAX)),
        }
    }

    fn next(&mut self, buffer: &[u8], last: bool) -> Option<Piece> {
        match self {
            Cutter::Syslog(frames) => Some(match frames.next(buffer, last)? {
                Frame::Whole { from, to, consumed } => Piece::Whole(from, to, consumed),
                Frame::TooLong { consumed } => Piece::Refused(consumed, Refusal::Line(LINE_MAX as u32)),
                Frame::Nothing { consumed } => Piece::Nothing(consumed),
            }),
            Cutter::Hep if buffer.is_empty() => None,
            Cutter::Hep => match hep::length(buffer) {
                Length::Of(length) if buffer.len() >= length => Some(Piece::Whole(0, length, length)),
                Length::Of(_) | Length::Short if last => Some(Piece::Broken(Refusal::Hep(BadHep::Length))),
                Length::Of(_) | Length::Short => None,
                Length::Not(why) => Some(Piece::Broken(Refusal::Hep(why))),
            },
            Cutter::Values(elements) => match elements.next(buffer) {
                Some(Element::Whole { from, to, consumed }) => Some(Piece::Whole(from, to, consumed)),
                // Its end cannot be told from the beginning of another: nothing parts them.
                Some(Element::TooLong { .. }) => Some(Piece::Broken(Refusal::Line(LINE_MAX as u32))),
                Some(Element::Broken { expected, .. }) => Some(Piece::Broken(Refusal::Json { column: 1, expected })),
                Some(Element::Nothing { consumed }) => Some(Piece::Nothing(consumed)),
                None => match elements.end() {
                    Err(expected) if last && !buffer.is_empty() => {
                        Some(Piece::Broken(Refusal::Json { column: buffer.len() as u32, expected }))
                    }
                    _ => None,
                },
            },
        }
    }
}

/// A batch under way, and who waits for it.
#[derive(Debug)]
struct Answer {
    /// None: nothing in it was a record.
    pending: Option<Pending>,
    records: u64,
    replies: Vec<Reply>,
}

/// A JSON-RPC answer that is owed.
#[derive(Debug)]
struct Reply {
    id: serde_json::Value,
    /// Its number among the messages.
    number: u64,
    refused: Option<String>,
}

async fn read(
    mut reader: impl AsyncRead + Unpin,
    door: &Door,
    answers: mpsc::Sender<Answer>,
    mut stop: Stop,
) -> std::io::Result<()> {
    let mut cutter = Cutter::new(door);
    let mut collector = Collector::new(door, door.decoder());
    let mut buffer = BytesMut::new();
    let mut number = 0;
    let mut broken = false;
    let mut reads_left = None;
    loop {
        // The place for the answer comes first: without one nothing is read.
        let Ok(place) = answers.reserve().await else { return Ok(()) };
        buffer.reserve(READ_BYTES);
        let count = if let Some(left) = &mut reads_left {
            if *left == 0 {
                return Ok(());
            }
            *left -= 1;
            match timeout(Duration::ZERO, reader.read_buf(&mut buffer)).await {
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
                count = timeout(IDLE_MAX, async { door.outbox.free().await; reader.read_buf(&mut buffer).await }) => match count {
                    Ok(count) => count?,
                    Err(_) => return Ok(()),
                },
            }
        };
        let mut replies = Vec::new();
        while let Some(piece) = cutter.next(&buffer, count == 0) {
            let consumed = match piece {
                Piece::Whole(from, to, consumed) => {
                    number += 1;
                    let message = buffer.get(from..to).unwrap_or_default();
                    if let Some(id) = request_id(door, message) {
                        replies.push(Reply { id, number, refused: None });
                    }
                    collector.line(number, message);
                    consumed
                }
                Piece::Nothing(consumed) => consumed,
                Piece::Refused(consumed, refusal) => {
                    number += 1;
                    collector.refuse(number, refusal);
                    consumed
                }
                Piece::Broken(refusal) => {
                    number += 1;
                    collector.refuse(number, refusal);
                    broken = true;
                    break;
                }
            };
            buffer.advance(consumed);
        }
        if let Some(Gathered { batch, records, refused, .. }) = collector.take() {
            mark_refused(&mut replies, &refused);
            match door.outbox.send(batch).await {
                Ok(pending) => place.send(Answer { pending: Some(pending), records, replies }),
                Err(why) => {
                    door.counters.not_taken(why, records);
                    return Ok(());
                }
            }
        } else if !replies.is_empty() {
            // Nothing in it was a record: what was skipped is answered behind what came before it.
            place.send(Answer { pending: None, records: 0, replies });
        }
        if count == 0 || broken {
            return Ok(());
        }
    }
}

fn mark_refused(replies: &mut [Reply], refused: &[RefusedLine]) {
    for reply in replies {
        let found = refused.iter().find(|one| one.line == reply.number);
        reply.refused = found.map(|one| one.refusal.to_string());
    }
}

/// The id of a JSON-RPC request; none for a notification, and where nobody asks.
fn request_id(door: &Door, message: &[u8]) -> Option<serde_json::Value> {
    #[derive(Deserialize)]
    struct Request {
        #[serde(rename = "jsonrpc")]
        _version: serde::de::IgnoredAny,
        id: Option<serde_json::Value>,
    }
    if door.cut != Cut::Values || memchr::memmem::find(message, b"\"jsonrpc\"").is_none() {
        return None;
    }
    serde_json::from_slice::<Request>(message).ok()?.id
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    door: &Door,
    mut coming: mpsc::Receiver<Answer>,
) -> std::io::Result<()> {
    let mut failed = false;
    let mut text = Vec::new();
    while let Some(Answer { pending, records, replies }) = coming.recv().await {
        text.clear();
        let durable = match pending {
            Some(pending) => pending.durable().await.map(|_| ()),
            None => Ok(()),
        };
        for reply in replies {
            let why = match (&durable, reply.refused) {
                (_, Some(refused)) => Some((-32602, refused)),
                (Err(why), None) => Some((-32000, why.to_string())),
                (Ok(_), None) => None,
            };
            say(&mut text, reply.id, why);
        }
        if let Err(why) = durable {
            door.counters.not_taken(why, records);
            if !failed {
                failed = true;
                // The reader sees it and ends; what is under way is still waited for.
                coming.close();
            }
        }
        if !text.is_empty() {
            timeout(WRITE_MAX, writer.write_all(&text)).await??;
        }
    }
    timeout(WRITE_MAX, writer.shutdown()).await?
}

/// The answer to a request: what it asked for is done, or why not.
fn say(text: &mut Vec<u8>, id: serde_json::Value, why: Option<(i32, String)>) {
    #[derive(Serialize)]
    struct Failure {
        code: i32,
        message: String,
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Said {
        Done { jsonrpc: &'static str, result: &'static str, id: serde_json::Value },
        Failed { jsonrpc: &'static str, error: Failure, id: serde_json::Value },
    }
    let said = match why {
        None => Said::Done { jsonrpc: "2.0", result: "ok", id },
        Some((code, message)) => Said::Failed { jsonrpc: "2.0", error: Failure { code, message }, id },
    };
    // Numbers and texts always have a JSON form, and a Vec takes every byte.
    let _ = serde_json::to_writer(&mut *text, &said);
}
