//! Sends traffic at a rate and measures how long each record took to be safe.
//!
//! The schedule is open: records are handed to the connections when they are due, whether or not those before them were
//! answered, and their latency counts from there. A daemon that stands still for a second is seen by all records of that
//! second, not only by the one that happened to be under way. How far we ourselves lag behind the schedule is told apart.
//!
//! Does not know how records are made up.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UdpSocket, tcp};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::os::clock::Clock;
use crate::time::Micros;

use super::histogram::Histogram;
use super::recipe::Traffic;
use super::target::Target;

/// How long the last answers are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// Batches that wait for a connection when there is no rate: the daemon sets the pace.
const WAITING_MAX: usize = 16;
/// Lines of one datagram stay within this, so that it crosses an Ethernet whole.
const DATAGRAM_BYTES: usize = 1400;

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

async fn over_tcp(mut stream: TcpStream, line: Line) -> Report {
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

async fn udp_socket(address: &str) -> io::Result<UdpSocket> {
    let target = tokio::net::lookup_host(address).await?.next();
    let target = target.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
    let local = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(target).await?;
    Ok(socket)
}

async fn over_udp(socket: UdpSocket, mut line: Line) -> Report {
    let mut report = Report::default();
    while let Some(parcel) = line.parcels.recv().await {
        for datagram in datagrams(&parcel.text) {
            let records = datagram.iter().filter(|b| **b == b'\n').count() as u64;
            match socket.send(datagram).await {
                Ok(_) => report.sent += records,
                Err(error) => {
                    report.trouble.get_or_insert(error.to_string());
                }
            }
            let latency = line.since(parcel.due);
            (0..records).for_each(|_| report.latency.record(latency));
            line.settled(records);
        }
    }
    report
}

/// Cuts lines into datagrams of whole lines; a line that is too long for one stands alone.
fn datagrams(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = 0;
        for line in rest.split_inclusive(|b| *b == b'\n') {
            if end > 0 && end + line.len() > DATAGRAM_BYTES {
                break;
            }
            end += line.len();
        }
        let (datagram, behind) = rest.split_at(end);
        rest = behind;
        (!datagram.is_empty()).then_some(datagram)
    })
}

/// What stands in front of each body.
struct Post {
    authority: String,
    path: String,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Posted {
    durable: u64,
    refused: Vec<PostedRefusal>,
}

#[derive(Deserialize)]
struct PostedRefusal {
    error: String,
}

/// One request after the other on one connection.
async fn over_http(stream: TcpStream, post: Post, mut line: Line) -> Report {
    let mut report = Report::default();
    let (mut requests, connection) = match http1::handshake(TokioIo::new(stream)).await {
        Ok(ready) => ready,
        Err(error) => return Report { trouble: Some(error.to_string()), ..report },
    };
    let driving = tokio::spawn(connection);
    while let Some(parcel) = line.parcels.recv().await {
        let asked = ask(&mut requests, &post, parcel.text);
        let trouble = match timeout(LAST_ANSWERS, asked).await {
            Ok(Ok(posted)) => {
                let latency = line.since(parcel.due);
                report.sent += parcel.records;
                report.durable += posted.durable;
                report.refused += posted.refused.len() as u64;
                (0..posted.durable).for_each(|_| report.latency.record(latency));
                posted.refused.into_iter().next().map(|refusal| refusal.error)
            }
            Ok(Err(trouble)) => Some(trouble),
            Err(_) => Some(format!("no answer for {} s", LAST_ANSWERS.as_secs())),
        };
        line.settled(parcel.records);
        if report.trouble.is_none() {
            report.trouble = trouble;
        }
        if requests.is_closed() {
            report.trouble.get_or_insert("the daemon closed the connection".to_owned());
            break;
        }
    }
    driving.abort();
    report
}

async fn ask(requests: &mut http1::SendRequest<Full<Bytes>>, post: &Post, text: Vec<u8>) -> Result<Posted, String> {
    let mut request = Request::post(&post.path)
        .header(header::HOST, &post.authority)
        .header(header::CONTENT_TYPE, "application/x-ndjson");
    if let Some(token) = &post.token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Full::new(Bytes::from(text))).map_err(|e| e.to_string())?;
    requests.ready().await.map_err(|e| e.to_string())?;
    let response = requests.send_request(request).await.map_err(|e| e.to_string())?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
    if !status.is_success() {
        return Err(format!("status {status}: {}", String::from_utf8_lossy(&body)));
    }
    serde_json::from_slice(&body).map_err(|e| format!("an answer that is none: {e}"))
}

#[cfg(test)]
mod tests;
