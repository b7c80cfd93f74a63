//! RADIUS accounting over UDP (RFC 2866): a packet is answered once its record is durable, and not before.
//!
//! A client throws its record away when it is answered, and sends it again when it is not; so the answer is the promise.
//! A packet that is not signed with the client's secret is dropped and counted. A genuine packet that says nothing we can
//! use is kept for people and answered too, or its client would send it for ever. A repeated packet gets the answer
//! it got before; one that says the same with another id is told by its content, far behind this door.
//!
//! Does not know what a packet means, nor what becomes of a batch.

mod cache;
pub mod settings;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{Counter, counter, describe_counter};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::allow::{Allow, Network};
use super::collect::{Collector, Gathered};
use super::counters::TurnedAway;
use super::secret::{NoSecret, SecretSettings};
use super::udp::Bound;
use super::{Door, OUTBOX_MAX, Pending, Stop};
use crate::os::udp::{Datagram, Datagrams, drops};
use crate::wire::radius::{self, Packet, Reading, sign};
use crate::wire::{Decoder, Scratch};

use cache::{Cache, Known, PacketKey};
use settings::RadiusListen;

/// Calls of 64 datagrams that go into one batch at most.
const CALLS_PER_BATCH: usize = 16;
/// Batches taken after the stop at most.
const LAST_BATCHES: usize = 64;

/// Says what the counters of this part mean; once, after the recorder is installed.
pub fn describe() {
    describe_counter!("callrated_radius_packets_total", "RADIUS packets by what was done with them");
}

/// Who has which secret, and what was done with their packets.
pub struct Clients {
    packets: Packets,
    named: Vec<(Network, Client)>,
    others: Option<(Allow, Client)>,
}

struct Client {
    secret: Box<[u8]>,
    reading: Reading,
}

impl Clients {
    /// Reads the secrets of the listener of that name.
    pub fn open(listener: &str, listen: &RadiusListen, allow: &Allow) -> Result<Clients, NoSecret> {
        let client = |secret: &SecretSettings, reading: &Reading| {
            secret.warn_if_open();
            Ok(Client { secret: secret.read()?, reading: reading.clone() })
        };
        let named = listen
            .clients
            .iter()
            .map(|(network, secret, reading)| Ok((*network, client(secret, reading)?)))
            .collect::<Result<_, NoSecret>>()?;
        let others = listen.secret.as_ref().map(|secret| client(secret, &listen.reading)).transpose()?;
        Ok(Clients { packets: Packets::new(listener), named, others: others.map(|client| (allow.clone(), client)) })
    }

    fn of(&self, address: IpAddr) -> Option<&Client> {
        let named = self.named.iter().find(|(network, _)| network.contains(address)).map(|(_, client)| client);
        named.or_else(|| self.others.as_ref().filter(|(allow, _)| allow.permits(address)).map(|(_, client)| client))
    }
}

/// What was done with packets.
struct Packets {
    taken: Counter,
    repeated: Counter,
    status: Counter,
    forged: Counter,
    malformed: Counter,
}

impl Packets {
    fn new(listener: &str) -> Packets {
        let counted = |outcome: &'static str| counter!("callrated_radius_packets_total", "listener" => listener.to_owned(), "outcome" => outcome);
        Packets {
            taken: counted("taken"),
            repeated: counted("repeated"),
            status: counted("status_server"),
            forged: counted("bad_authenticator"),
            malformed: counted("malformed"),
        }
    }
}

/// An answer that may be sent once its batch is durable.
struct Reply {
    key: PacketKey,
    answer: Vec<u8>,
}

/// A batch on its way, and who waits for it; without one there was nothing to keep.
struct Waiting {
    pending: Option<Pending>,
    records: u64,
    replies: Vec<Reply>,
}

/// What the two tasks of a socket share.
struct Shared {
    socket: UdpSocket,
    cache: Mutex<Cache>,
    door: Arc<Door>,
    clients: Arc<Clients>,
}

impl Shared {
    /// Held for the packets of one call, never across a wait.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes packets until the stop, then what still waits, and ends when all of them are answered.
pub async fn serve(bound: Bound, door: Arc<Door>, clients: Arc<Clients>, stop: Stop) {
    let mut tasks = JoinSet::new();
    for socket in bound.sockets {
        let shared = Arc::new(Shared { socket, cache: Mutex::default(), door: door.clone(), clients: clients.clone() });
        let (waiting, waits) = mpsc::channel(OUTBOX_MAX);
        let (receiver, stop) = (shared.clone(), stop.clone());
        tasks.spawn(async move { receive(&receiver, waiting, stop).await });
        tasks.spawn(async move { answer(&shared, waits).await });
    }
    while tasks.join_next().await.is_some() {}
}

/// Answers batches in their order, each once it is durable.
async fn answer(shared: &Shared, mut waits: mpsc::Receiver<Waiting>) {
    while let Some(Waiting { pending, records, replies }) = waits.recv().await {
        let outcome = match pending {
            Some(pending) => pending.durable().await.map(|_| ()),
            None => Ok(()),
        };
        match outcome {
            Ok(()) => {
                for Reply { key, answer } in replies {
                    // A client that cannot be reached asks again.
                    let _ = shared.socket.send_to(&answer, key.client).await;
                    shared.cache().answered(&key, answer.into());
                }
            }
            Err(why) => {
                shared.door.counters.not_taken(why, records);
                tracing::warn!(listener = shared.door.name, records, %why, "packets are not answered");
                let mut cache = shared.cache();
                replies.iter().for_each(|reply| cache.failed(&reply.key));
            }
        }
    }
}

async fn receive(shared: &Shared, waiting: mpsc::Sender<Waiting>, mut stop: Stop) {
    let (socket, door) = (&shared.socket, &shared.door);
    let mut datagrams = Datagrams::default();
    let format = radius::format();
    let mut collector = Collector::new(door, Decoder::new(format, &door.node));
    let mut scratch = Scratch::default();
    let (mut dropped, mut last_batches) = (0, None);
    loop {
        let (mut more, mut replies, mut again) = (true, Vec::new(), Vec::new());
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
                Ok(_) => {
                    let (mut cache, now) = (shared.cache(), Instant::now());
                    for datagram in datagrams.iter() {
                        match take(shared, &mut cache, now, &datagram, &mut collector, &mut scratch) {
                            Some(Done::Taken(reply)) => replies.push(reply),
                            Some(Done::Again(client, answer)) => again.push((client, answer)),
                            None => {}
                        }
                    }
                }
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
        if let Ok(now) = drops(socket.as_fd()) {
            door.counters.udp_dropped.increment(u64::from(now.wrapping_sub(dropped)));
            dropped = now;
        }
        for (client, answer) in again {
            // A client that misses this one too asks again.
            let _ = socket.send_to(&answer, client).await;
        }
        let gathered = collector.take();
        if gathered.is_some() || !replies.is_empty() {
            let Ok(place) = waiting.reserve().await else { return };
            let (pending, records) = match gathered {
                None => (None, 0),
                Some(Gathered { batch, records, .. }) => match door.outbox.send(batch).await {
                    Ok(pending) => (Some(pending), records),
                    Err(why) => return door.counters.not_taken(why, records),
                },
            };
            place.send(Waiting { pending, records, replies });
        }
        match &mut last_batches {
            Some(left) if *left == 0 || !more => return,
            Some(left) => *left -= 1,
            None => {}
        }
    }
}

/// What is to be done about a packet; none: nothing.
enum Done {
    /// To be answered once the batch is durable.
    Taken(Reply),
    /// Answered before: the same once more.
    Again(SocketAddr, Box<[u8]>),
}

fn take(
    shared: &Shared,
    cache: &mut Cache,
    now: Instant,
    datagram: &Datagram<'_>,
    collector: &mut Collector<'_>,
    scratch: &mut Scratch,
) -> Option<Done> {
    let (door, packets) = (&shared.door, &shared.clients.packets);
    let known = datagram.sender.and_then(|sender| Some((sender, shared.clients.of(sender)?)));
    let Some((sender, client)) = known else {
        door.counters.turned_away(TurnedAway::NotAllowed);
        return None;
    };
    let packet = Packet::read(datagram.bytes).filter(|_| !datagram.truncated);
    let asked = |packet: &Packet<'_>| matches!(packet.code(), radius::ACCOUNTING_REQUEST | radius::STATUS_SERVER);
    let Some(packet) = packet.filter(asked) else {
        packets.malformed.increment(1);
        return None;
    };
    let from = SocketAddr::new(sender, datagram.port);
    let key = PacketKey { client: from, id: packet.id(), authenticator: packet.authenticator() };
    // The authenticator of a question whether we are there is a random number and proves nothing of it.
    let status = packet.code() == radius::STATUS_SERVER;
    match cache.look(&key) {
        _ if status => {}
        Known::New => {}
        Known::OnItsWay => {
            packets.repeated.increment(1);
            return None;
        }
        Known::Answered(answer) => {
            packets.repeated.increment(1);
            return Some(Done::Again(from, answer));
        }
    }
    if !sign::is_genuine(&packet, &client.secret) {
        packets.forged.increment(1);
        if let Some(count) = door.counters.worth_a_word(1) {
            tracing::warn!(
                listener = door.name, client = %sender, latest = count,
                "a RADIUS packet is not signed with the client's secret and is dropped: compare the secrets"
            );
        }
        return None;
    }
    if status {
        packets.status.increment(1);
    } else {
        cache.begin(key, now);
        packets.taken.increment(1);
        collector.decoded(packet.bytes(), radius::decode(&packet, &client.reading, Some(sender), scratch));
    }
    Some(Done::Taken(Reply { key, answer: sign::response(&packet, &client.secret) }))
}
