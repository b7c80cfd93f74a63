//! The doors against a sequencer that is only a table of what it was given.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::batch::{EntryKind, FRAME_HEAD, entries};
use crate::piece::Piece;
use crate::record::Record;

mod http;
mod radius;
mod stream;
mod tcp;
mod udp;

/// What a sequencer took: `id/node` of each record, in order, and the counts of the batches.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub ids: Vec<String>,
    pub received: u64,
    pub refused: u64,
    pub batches: usize,
}

/// How it answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mood {
    Takes,
    /// Takes that many batches, then is full.
    FullAfter(usize),
}

/// Takes deliveries until the outbox is dropped. `gate`: a batch is answered for each permit.
pub(super) async fn sequencer(
    mut inbox: mpsc::Receiver<Delivery>,
    mood: Mood,
    gate: Option<Arc<tokio::sync::Semaphore>>,
    taken: Arc<Mutex<Taken>>,
) {
    let mut end = 0;
    while let Some(delivery) = inbox.recv().await {
        if let Some(gate) = &gate {
            gate.acquire().await.unwrap().forget();
        }
        let (received, refused) = (delivery.batch.received, delivery.batch.refused);
        let bytes = delivery.batch.into_bytes();
        assert!(bytes.len() < crate::batch::FRAME_MAX);
        end += bytes.len() as u64;
        let answer = {
            let mut taken = taken.lock().unwrap();
            taken.batches += 1;
            if mood == Mood::Takes || matches!(mood, Mood::FullAfter(n) if taken.batches <= n) {
                taken.received += u64::from(received);
                taken.refused += u64::from(refused);
                for entry in entries(&bytes, Position(0)) {
                    if entry.kind != EntryKind::Record as u8 {
                        let kind = EntryKind::from_byte(entry.kind).unwrap();
                        taken.ids.push(match (kind, Piece::decode(entry.payload)) {
                            (EntryKind::Piece, Ok(piece)) => {
                                let text = |t: &[u8]| String::from_utf8_lossy(t).into_owned();
                                format!("{:?} {}/{}", piece.step, text(piece.record.node), text(piece.record.id))
                            }
                            _ => format!("{kind:?}"),
                        });
                        continue;
                    }
                    let record = Record::decode(entry.payload).unwrap();
                    let text = |t: &[u8]| String::from_utf8(t.to_vec()).unwrap();
                    taken.ids.push(format!("{}/{}", text(record.node), text(record.id)));
                }
                assert!(bytes.len() > FRAME_HEAD || refused > 0);
                Ok(Position(end))
            } else {
                Err(NotTaken::JournalFull)
            }
        };
        if let Some(reply) = delivery.reply {
            let _ = reply.send(answer);
        }
    }
}

pub(super) fn door(format: Format, outbox: Outbox) -> Door {
    Door {
        source: SourceId(3),
        name: "test".to_owned(),
        format,
        columns: None,
        node: "listener".to_owned(),
        zone: crate::time::Zone::UTC,
        cut: crate::ingest::Cut::Lines,
        hints: crate::ingest::Hints::default(),
        allow: Allow::default(),
        outbox,
        counters: Arc::new(Counters::new("test")),
    }
}

/// A record in JSON with that id.
pub(super) fn record(id: impl std::fmt::Display) -> String {
    format!(r#"{{"id":"{id}","source":"+491","destination":"+492","answer":"2026-10-05T09:00:00Z","duration":61}}"#)
}

pub(super) async fn write(stream: &mut DuplexStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Reads up to the end of the connection.
pub(super) async fn rest(mut stream: DuplexStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}
