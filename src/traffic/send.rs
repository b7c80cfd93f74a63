//! Sends traffic at a rate and measures how long each record took to be safe.
//!
//! The schedule is open: records are handed to the connections when they are due, whether or not those before them were
//! answered, and their latency counts from there. A daemon that stands still for a second is seen by all records of that
//! second, not only by the one that happened to be under way. How far we ourselves lag behind the schedule is told apart.
//!
//! Does not know how records are made up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::os::clock::Clock;
use crate::time::Micros;

use super::histogram::Histogram;
use super::recipe::Traffic;
use super::target::Target;
use http::{Post, over_http};
use tcp::over_tcp;
use udp::{over_udp, udp_socket};

mod http;
mod tcp;
mod udp;

/// How long the last answers are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// Batches that wait for a connection when there is no rate: the daemon sets the pace.
const WAITING_MAX: usize = 16;

/// How much, how fast.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to.
    pub target: Target,
    /// Records in all, repeats included.
    pub records: u64,
    /// Records a second; 0: as fast as they are taken.
    pub rate: f64,
    /// Connections or sockets, at least 1.
    pub connections: usize,
    /// Records of one write, request or datagram, at least 1.
    pub batch: usize,
    /// Bearer token for HTTP.
    pub token: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Records written.
    pub sent: u64,
    /// Records known to be safe. UDP is never answered: always 0.
    pub durable: u64,
    /// Records refused.
    pub refused: u64,
    /// The first refusal's or failure's words.
    pub trouble: Option<String>,
    /// From the first record to the last answer.
    pub elapsed: Duration,
    /// From due to durable; over UDP from due to handed to the kernel.
    pub latency: Histogram,
    /// How far the sender itself lagged behind its schedule at worst: much more than a millisecond means that it, or this
    /// machine, could not keep the rate.
    pub late: Duration,
}

/// Why nothing could be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The target does not answer.
    #[error("{0} cannot be reached: {1}")]
    Connect(String, io::Error),
}

/// Records of one write.
struct Parcel {
    text: Vec<u8>,
    records: u64,
    /// When it was due, by the sender's clock.
    due: Micros,
}

/// What every connection needs beside its socket.
struct Line {
    parcels: mpsc::Receiver<Parcel>,
    clock: Clock,
    progress: Arc<AtomicU64>,
}

impl Line {
    fn since(&self, due: Micros) -> Duration {
        since(&self.clock, due)
    }

    fn settled(&self, records: u64) {
        self.progress.fetch_add(records, Ordering::Relaxed);
    }
}

fn since(clock: &Clock, due: Micros) -> Duration {
    Duration::from_micros(clock.running().0.saturating_sub(due.0).max(0).unsigned_abs())
}

/// Sends `plan.records` records; `progress` counts those that are settled.
pub async fn send(plan: &Plan, mut traffic: Traffic, progress: Arc<AtomicU64>) -> Result<Report, SendError> {
    // With a rate nothing may hold the schedule up; without one the daemon sets the pace.
    let waiting_max = if plan.rate > 0.0 { tokio::sync::Semaphore::MAX_PERMITS } else { WAITING_MAX };
    let clock = Clock::wall();
    let mut tasks = JoinSet::new();
    let mut inboxes = Vec::new();
    for _ in 0..plan.connections.max(1) {
        let (inbox, parcels) = mpsc::channel(waiting_max);
        inboxes.push(inbox);
        let line = Line { parcels, clock: clock.clone(), progress: progress.clone() };
        match &plan.target {
            Target::Tcp(address) => tasks.spawn(over_tcp(connect(address).await?, line)),
            Target::Udp(address) => {
                let socket = udp_socket(address).await.map_err(|e| SendError::Connect(address.clone(), e))?;
                tasks.spawn(over_udp(socket, line))
            }
            Target::Http { authority, path } => {
                let stream = connect(authority).await?;
                let post = Post { authority: authority.clone(), path: path.clone(), token: plan.token.clone() };
                tasks.spawn(over_http(stream, post, line))
            }
        };
    }
    let started = clock.running();
    let mut report = Report { late: deal(plan, &mut traffic, &clock, inboxes).await, ..Report::default() };
    while let Some(done) = tasks.join_next().await {
        let Ok(part) = done else { continue };
        report.sent += part.sent;
        report.durable += part.durable;
        report.refused += part.refused;
        report.latency.merge(&part.latency);
        report.trouble = report.trouble.or(part.trouble);
    }
    report.elapsed = since(&clock, started);
    Ok(report)
}

async fn connect(address: &str) -> Result<TcpStream, SendError> {
    let stream = TcpStream::connect(address).await.map_err(|e| SendError::Connect(address.to_owned(), e))?;
    // Without it the last batch would wait; a socket that refuses works all the same.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Deals parcels to the connections in turn, each when its last record is due; gives how late it was at worst.
async fn deal(plan: &Plan, traffic: &mut Traffic, clock: &Clock, mut inboxes: Vec<mpsc::Sender<Parcel>>) -> Duration {
    let started = clock.running();
    let (mut made, mut turn, mut late) = (0, 0, Duration::ZERO);
    let mut due = Duration::ZERO;
    while made < plan.records && !inboxes.is_empty() {
        let records = (plan.batch.max(1) as u64).min(plan.records - made);
        let mut text = Vec::with_capacity(records as usize * 256);
        for _ in 0..records {
            let record = traffic.next_record();
            if plan.rate > 0.0 && !record.burst {
                due = Duration::from_secs_f64(made as f64 / plan.rate);
            }
            made += 1;
            text.extend_from_slice(record.line.as_bytes());
            text.push(b'\n');
        }
        if plan.rate > 0.0 {
            let wait = due.saturating_sub(since(clock, started));
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            late = late.max(since(clock, started).saturating_sub(due));
        }
        turn = (turn + 1) % inboxes.len();
        // The hand-over is the due time: with a rate it never waits for the daemon, so what lies before it is ours.
        let parcel = Parcel { text, records, due: clock.running() };
        if inboxes[turn].send(parcel).await.is_err() {
            // That connection is gone; the others go on.
            inboxes.swap_remove(turn);
        }
    }
    late
}

#[cfg(test)]
mod tests;
