//! Records over UDP: one or more lines a datagram, never answered.
//!
//! Each socket has one task: it takes what waits, many datagrams with one call, and makes one batch of it. Another hands the
//! batches on, so that datagrams are taken while the disk holds everything up: a tenth of a second of them is more than the
//! kernel's buffer has room for. Beyond 32 MiB of them none are read; then the kernel drops what does not fit its buffer and
//! counts it, and so do we.
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
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::batch::Batch;
use crate::os::udp::{Datagrams, drops};
use crate::wire::Refusal;

use super::collect::{Collector, Gathered};
use super::counters::TurnedAway;
use super::sequence::Sequences;
use super::settings::Listen;
use super::{Cut, Door, LINE_MAX, NotTaken, Pending, Stop};

/// Calls of 64 datagrams that go into one batch at most; 1024 small records are some 400 KB, and take about a millisecond.
const CALLS_PER_BATCH: usize = 16;
/// KiB of batches that a listener holds beside the outbox, which is full while a disk stands still: a second of 100,000 small
/// records.
const HELD_KIB_MAX: u32 = 32 << 10;
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

/// Takes over sockets that are bound to the listener's address already. What their buffers hold is not lost; what the kernel
/// dropped of them before is counted, since part of it was dropped while nobody was there.
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
    // What limits these is the room of batches, and that of the outbox.
    let (held, holds) = mpsc::unbounded_channel();
    let (waiting, waits) = mpsc::unbounded_channel();
    let hold = Hold { held, room: Arc::new(Semaphore::new(HELD_KIB_MAX as usize)) };
    let mut tasks = JoinSet::new();
    for socket in bound.sockets {
        let (door, hold, stop, sequences) = (door.clone(), hold.clone(), stop.clone(), sequences.clone());
        tasks.spawn(async move { receive(socket, &door, hold, stop, &sequences).await });
    }
    drop(hold);
    tokio::join!(carry(&door, holds, waiting), answers(&door, waits));
    while tasks.join_next().await.is_some() {}
}

/// A batch that waits for room in the outbox, and the room it takes meanwhile.
struct Held {
    batch: Batch,
    records: u64,
    _room: OwnedSemaphorePermit,
}

/// Where batches wait for the outbox.
#[derive(Clone)]
struct Hold {
    held: mpsc::UnboundedSender<Held>,
    /// In KiB.
    room: Arc<Semaphore>,
}

impl Hold {
    /// Puts a batch to those that wait, once there is room; false at the end.
    async fn put(&self, batch: Batch, records: u64) -> bool {
        let kib = (batch.len() as u32 >> 10).clamp(1, HELD_KIB_MAX);
        let Ok(room) = self.room.clone().acquire_many_owned(kib).await else { return false };
        self.held.send(Held { batch, records, _room: room }).is_ok()
    }
}

/// Hands on what waits, in its order.
async fn carry(door: &Door, mut holds: mpsc::UnboundedReceiver<Held>, waiting: mpsc::UnboundedSender<(Pending, u64)>) {
    while let Some(Held { batch, records, _room }) = holds.recv().await {
        match door.outbox.send(batch).await {
            // Who takes the answers ends after this.
            Ok(pending) => drop(waiting.send((pending, records))),
            Err(why) => not_taken(door, why, records),
        }
    }
}

/// Counts the records of batches that were not taken: nobody else will ever know of them.
async fn answers(door: &Door, mut waits: mpsc::UnboundedReceiver<(Pending, u64)>) {
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

async fn receive(socket: UdpSocket, door: &Door, hold: Hold, mut stop: Stop, sequences: &Mutex<Sequences>) {
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
            if !hold.put(batch, records).await {
                return;
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
