//! Records over TCP: written one parcel behind the other, settled as the daemon says up to which line they are durable.
//!
//! Does not know the schedule.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, tcp};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{LAST_ANSWERS, Line, Parcel, Report, since};
use crate::os::clock::Clock;
use crate::time::Micros;

/// What the daemon says.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Hello {
        #[serde(rename = "hello")]
        _version: u32,
    },
    Durable {
        durable: u64,
    },
    Refused {
        refused: u64,
        error: String,
    },
    Error {
        error: String,
    },
}

/// Sends what is dealt to one connection and reads the answers beside it.
pub(super) async fn over_tcp(mut stream: TcpStream, line: Line) -> Report {
    let (reader, writer) = stream.split();
    let (written, under_way) = mpsc::unbounded_channel();
    let mut report = Report::default();
    let Line { parcels, clock, progress } = line;
    let sent = {
        let mut writing = std::pin::pin!(write(writer, parcels, written));
        let mut reading = std::pin::pin!(read(reader, under_way, &clock, &progress, &mut report));
        // Whichever ends first: the writer after the last record, or the reader when the daemon closes.
        tokio::select! {
            sent = &mut writing => match (sent, timeout(LAST_ANSWERS, reading).await) {
                (Ok(sent), Ok(())) => Ok(sent),
                (Ok(_), Err(_)) => Err(format!("no answer for {} s", LAST_ANSWERS.as_secs())),
                (Err(error), _) => Err(error.to_string()),
            },
            () = &mut reading => Err("the daemon closed the connection".to_owned()),
        }
    };
    let settled = report.durable + report.refused;
    match sent {
        Ok(sent) => report.sent = sent,
        Err(trouble) => {
            report.trouble.get_or_insert(trouble);
            report.sent = settled;
        }
    }
    report
}

async fn write(
    mut writer: tcp::WriteHalf<'_>,
    mut parcels: mpsc::Receiver<Parcel>,
    written: mpsc::UnboundedSender<(u64, Micros)>,
) -> io::Result<u64> {
    writer.write_all(b"{\"hello\":1}\n").await?;
    let mut sent = 0;
    while let Some(parcel) = parcels.recv().await {
        // Noted before it is written, so that no answer can overtake the note. The reader is there as long as we are.
        let _ = written.send((parcel.records, parcel.due));
        writer.write_all(&parcel.text).await?;
        sent += parcel.records;
    }
    writer.shutdown().await?;
    Ok(sent)
}

async fn read(
    reader: tcp::ReadHalf<'_>,
    mut under_way: mpsc::UnboundedReceiver<(u64, Micros)>,
    clock: &Clock,
    progress: &AtomicU64,
    report: &mut Report,
) {
    let mut answers = BufReader::new(reader).lines();
    // Lines of the parcel whose turn it is that are not settled, and its due time; how many lines are settled in all.
    let (mut left, mut due, mut settled) = (0, Micros(0), 0);
    let mut refused = HashSet::new();
    while let Ok(Some(answer)) = answers.next_line().await {
        match serde_json::from_str(&answer) {
            Ok(Said::Hello { .. }) => {}
            Ok(Said::Refused { refused: line, error }) => {
                refused.insert(line);
                report.refused += 1;
                progress.fetch_add(1, Ordering::Relaxed);
                report.trouble.get_or_insert(error);
            }
            Ok(Said::Durable { durable }) => {
                while report.durable < durable {
                    if left == 0 {
                        match under_way.try_recv() {
                            Ok(next) => (left, due) = next,
                            Err(_) => break,
                        }
                        continue;
                    }
                    left -= 1;
                    settled += 1;
                    if !refused.remove(&settled) {
                        report.durable += 1;
                        progress.fetch_add(1, Ordering::Relaxed);
                        report.latency.record(since(clock, due));
                    }
                }
            }
            Ok(Said::Error { error }) => {
                report.trouble.get_or_insert(error);
            }
            Err(error) => {
                report.trouble.get_or_insert(format!("an answer that is none: {error}"));
                return;
            }
        }
    }
}
