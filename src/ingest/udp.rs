//! Records over UDP: one or more lines a datagram, never answered.
//!
//! Each socket has one task: it takes what waits, many datagrams with one call, makes one batch of it and hands it on. While
//! the outbox is full it does not read; then the kernel drops what does not fit its buffer and counts it, and so do we.
//!
//! Does not know what becomes of a batch, except that records of one that was not taken are counted.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::os::udp::{Datagrams, drops};
use crate::wire::Refusal;

use super::collect::{Collector, Gathered};
use super::counters::TurnedAway;
use super::sequence::Sequences;
use super::settings::Listen;
use super::{Cut, Door, LINE_MAX, NotTaken, OUTBOX_MAX, Pending, Stop};

/// Calls of 64 datagrams that go into one batch at most; 1024 small records are some 400 KB, and take about a millisecond.
const CALLS_PER_BATCH: usize = 16;
/// Batches taken after the stop at most: what the kernel's buffer may hold, and an end where senders have none.
const LAST_BATCHES: usize = 64;

/// Sockets that are bound, and what the kernel made of our wish.
#[derive(Debug)]
pub struct Bound {
    /// Ready to be served.
    pub sockets: Vec<UdpSocket>,
    /// Where.
    pub address: SocketAddr,
    /// Bytes of each socket's buffer as granted; the kernel's own bookkeeping has its place in them.
    pub receive_buffer: usize,
    /// Less was granted than wished for: `net.core.rmem_max` is smaller.
    pub clamped: bool,
}

/// Binds a listener's sockets to its address.
pub fn bind(listen: &Listen) -> io::Result<Bound> {
    let mut address = listen.address;
    let mut sockets = Vec::new();
    for _ in 0..listen.sockets {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
        // Only where it is needed: without it a second daemon on the port is told so.
        if listen.sockets > 1 {
            socket.set_reuse_port(true)?;
        }
        socket.set_recv_buffer_size(listen.receive_buffer as usize)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        // With port 0 the first socket finds the port for all.
        address = socket.local_addr()?.as_socket().unwrap_or(address);
        sockets.push(socket);
    }
    bound(listen, address, sockets)
}

/// Takes over sockets that are bound to the listener's address already. What their buffers hold is not lost.
pub fn adopt(listen: &Listen, sockets: Vec<std::net::UdpSocket>) -> io::Result<Bound> {
    let sockets: Vec<Socket> = sockets.into_iter().map(Socket::from).collect();
    for socket in &sockets {
        // Whoever opened them may grant more than we could ask for.
        if socket.recv_buffer_size()? < doubled(listen.receive_buffer) {
            socket.set_recv_buffer_size(listen.receive_buffer as usize)?;
        }
    }
    bound(listen, listen.address, sockets)
}

/// Linux doubles what is asked for and tells the doubled size.
fn doubled(size: u32) -> usize {
    size as usize * 2
}

fn bound(listen: &Listen, address: SocketAddr, sockets: Vec<Socket>) -> io::Result<Bound> {
    let wish = doubled(listen.receive_buffer);
    let mut receive_buffer = wish;
    for socket in &sockets {
        receive_buffer = receive_buffer.min(socket.recv_buffer_size()?);
    }
    let clamped = receive_buffer < wish;
    if clamped {
        tracing::warn!(
            %address,
            wished = listen.receive_buffer,
            granted = receive_buffer / 2,
            "the kernel grants a smaller receive buffer: bursts may be dropped; raise net.core.rmem_max"
        );
    }
    let sockets = sockets.into_iter().map(|socket| UdpSocket::from_std(socket.into())).collect::<io::Result<_>>()?;
    Ok(Bound { sockets, address, receive_buffer, clamped })
}

/// Takes datagrams until the stop, then what still waits, and ends when all batches are answered.
pub async fn serve(bound: Bound, door: Arc<Door>, stop: Stop) {
    let sequences = Arc::new(Mutex::new(Sequences::default()));
    let (waiting, waits) = mpsc::channel(OUTBOX_MAX);
    let mut tasks = JoinSet::new();
    for socket in bound.sockets {
        let (door, waiting, stop, sequences) = (door.clone(), waiting.clone(), stop.clone(), sequences.clone());
        tasks.spawn(async move { receive(socket, &door, waiting, stop, &sequences).await });
    }
    drop(waiting);
    answers(&door, waits).await;
    while tasks.join_next().await.is_some() {}
}

/// Counts the records of batches that were not taken: nobody else will ever know of them.
async fn answers(door: &Door, mut waits: mpsc::Receiver<(Pending, u64)>) {
    while let Some((pending, records)) = waits.recv().await {
        if let Err(why) = pending.durable().await {
            not_taken(door, why, records);
        }
    }
}

fn not_taken(door: &Door, why: NotTaken, records: u64) {
    door.counters.not_taken(why, records);
    if let Some(records) = door.counters.worth_a_word(records) {
        tracing::warn!(listener = door.name, records, %why, "records of datagrams were received and not kept");
    }
}

async fn receive(
    socket: UdpSocket,
    door: &Door,
    waiting: mpsc::Sender<(Pending, u64)>,
    mut stop: Stop,
    sequences: &Mutex<Sequences>,
) {
    let mut datagrams = Datagrams::default();
    let mut collector = Collector::new(door, door.decoder()).with_sequences();
    let mut dropped = 0;
    let mut last_batches = None;
    loop {
        let mut more = true;
        if last_batches.is_none() {
            tokio::select! {
                biased;
                () = stop.stopped() => last_batches = Some(LAST_BATCHES),
                ready = socket.readable() => if let Err(error) = ready {
                    tracing::error!(listener = door.name, %error, "the socket cannot be waited for");
                    return;
                },
            }
        }
        for _ in 0..CALLS_PER_BATCH {
            let mut receive = || datagrams.receive(socket.as_fd());
            let received = match last_batches {
                None => socket.try_io(Interest::READABLE, receive),
                // At the end the socket is asked itself: tokio knows only of what it has been told to wait for.
                Some(_) => receive(),
            };
            match received {
                Ok(_) => take(&datagrams, door, &mut collector),
                Err(error) => {
                    more = false;
                    // Anything else is the kernel in want of memory: a moment's rest, so that we do not spin.
                    if error.kind() != io::ErrorKind::WouldBlock {
                        tracing::warn!(listener = door.name, %error, "datagrams could not be taken");
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    break;
                }
            }
            if collector.is_full() {
                break;
            }
        }
        // A kernel without this counter leaves it at 0.
        if let Ok(now) = drops(socket.as_fd()) {
            door.counters.udp_dropped.increment(u64::from(now.wrapping_sub(dropped)));
            dropped = now;
        }
        if let Some(Gathered { batch, records, sequences: numbers, .. }) = collector.take() {
            if !numbers.is_empty() {
                let gaps = sequences.lock().unwrap_or_else(PoisonError::into_inner).observe(&numbers);
                door.counters.sequence_gaps.increment(gaps.gaps);
                door.counters.sequence_late.increment(gaps.late);
            }
            let Ok(place) = waiting.reserve().await else { return };
            match door.outbox.send(batch).await {
                Ok(pending) => place.send((pending, records)),
                Err(why) => return not_taken(door, why, records),
            }
        }
        match &mut last_batches {
            Some(left) if *left == 0 || !more => return,
            Some(left) => *left -= 1,
            None => {}
        }
    }
}

/// The lines of datagrams.
fn take(datagrams: &Datagrams, door: &Door, collector: &mut Collector<'_>) {
    for datagram in datagrams.iter() {
        if !datagram.sender.is_some_and(|sender| door.allow.permits(sender)) {
            door.counters.turned_away(TurnedAway::NotAllowed);
            continue;
        }
        if datagram.truncated {
            collector.refuse(1, Refusal::Truncated);
            continue;
        }
        if matches!(door.cut, Cut::Syslog | Cut::Hep) {
            // The datagram is the message; what was learnt from one (a title row) counts for the next.
            collector.line(1, datagram.bytes);
            continue;
        }
        collector.restart();
        for (line, number) in datagram.bytes.split(|b| *b == b'\n').zip(1..) {
            if line.len() > LINE_MAX {
                collector.refuse(number, Refusal::Line(LINE_MAX as u32));
            } else {
                collector.line(number, line);
            }
        }
    }
}
