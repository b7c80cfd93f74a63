//! Does not know what becomes of a call: the packets, their answers, and when they are given.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::sync::Semaphore;

use super::*;
use crate::ingest::radius::{Clients, serve};
use crate::ingest::settings::ListenSettings;
use crate::ingest::udp::bind;
use crate::wire::radius::{ACCOUNTING_REQUEST, STATUS_SERVER, sign};

const SECRET: &[u8] = b"s3cret";
/// Far longer than anything takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A listener that is served, and a socket of a client.
struct World {
    address: std::net::SocketAddr,
    client: tokio::net::UdpSocket,
    /// A batch becomes durable for each permit.
    gate: Arc<Semaphore>,
    stop: watch::Sender<bool>,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    taken: Arc<Mutex<Taken>>,
    tasks: tokio::task::JoinSet<()>,
}

impl World {
    async fn new(settings: &str, mood: Mood, permits: usize) -> World {
        let text = format!("protocol = \"radius\"\naddress = \"127.0.0.1:0\"\n{settings}");
        let listen =
            toml::from_str::<ListenSettings>(&text).unwrap().check(&crate::wire::formats::Formats::default()).unwrap();
        let bound = bind(&listen).unwrap();
        let address = bound.address;
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = recorder.handle();
        let (outbox, inbox) = Outbox::new(OUTBOX_MAX);
        let door = metrics::with_local_recorder(&recorder, || door(listen.format.clone(), outbox));
        let clients = metrics::with_local_recorder(&recorder, || {
            Clients::open("test", listen.radius.as_ref().unwrap(), &listen.allow).unwrap()
        });
        let (gate, taken) = (Arc::new(Semaphore::new(permits)), Arc::new(Mutex::new(Taken::default())));
        let (stop, stopped) = watch::channel(false);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(sequencer(inbox, mood, Some(gate.clone()), taken.clone()));
        tasks.spawn(serve(bound, Arc::new(door), Arc::new(clients), Stop(stopped)));
        let client = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        client.connect(address).await.unwrap();
        World { address, client, gate, stop, metrics, taken, tasks }
    }

    /// The next answer's id, after its signature was checked against the request.
    async fn answer(&self, request: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        let length = tokio::time::timeout(PATIENCE, self.client.recv(&mut bytes)).await.unwrap().unwrap();
        bytes.truncate(length);
        let expected = sign::response(&crate::wire::radius::Packet::read(request).unwrap(), SECRET);
        assert_eq!(bytes, expected);
        bytes
    }

    /// Whether nothing comes for as long as an honest answer would take many times over.
    async fn silence(&self) -> bool {
        tokio::time::timeout(Duration::from_millis(200), self.client.recv(&mut [0; 64])).await.is_err()
    }

    async fn end(mut self) -> Taken {
        self.stop.send(true).unwrap();
        self.gate.add_permits(1000);
        while let Some(done) = tokio::time::timeout(PATIENCE, self.tasks.join_next()).await.unwrap() {
            done.unwrap();
        }
        Arc::into_inner(self.taken).unwrap().into_inner().unwrap()
    }
}

fn packet(id: u8, attributes: &[(u8, &[u8])], secret: &[u8]) -> Vec<u8> {
    let mut out = vec![ACCOUNTING_REQUEST, id, 0, 0];
    out.resize(20, 0);
    for (kind, value) in attributes {
        out.extend_from_slice(&[*kind, value.len() as u8 + 2]);
        out.extend_from_slice(value);
    }
    sign::sign_request(&mut out, secret);
    out
}

fn start(id: u8, session: &str) -> Vec<u8> {
    packet(id, &[(40, &[0, 0, 0, 1]), (44, session.as_bytes()), (33, b"proxy")], SECRET)
}

/// The value of a counter.
fn outcome(metrics: &str, outcome: &str) -> u64 {
    let name = format!("callrated_radius_packets_total{{listener=\"test\",outcome=\"{outcome}\"}}");
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.trim().parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn an_answer_means_durable() {
    let world = World::new("secret = \"s3cret\"", Mood::Takes, 0).await;
    let (one, two) = (start(1, "a"), start(2, "b"));
    world.client.send(&one).await.unwrap();
    assert!(world.silence().await);
    // Impatient: while it is on its way a repeat changes nothing.
    world.client.send(&one).await.unwrap();
    assert!(world.silence().await);
    world.gate.add_permits(1);
    world.answer(&one).await;
    // The answer was lost: the same packet gets the same answer, and is not taken again.
    world.client.send(&one).await.unwrap();
    world.answer(&one).await;
    // The same id with other content is another packet.
    world.client.send(&two).await.unwrap();
    world.gate.add_permits(1);
    world.answer(&two).await;
    let metrics = world.metrics.render();
    assert_eq!((outcome(&metrics, "taken"), outcome(&metrics, "repeated")), (2, 2));
    let taken = world.end().await;
    assert_eq!(taken.ids, ["Begin 127.0.0.1/a", "Begin 127.0.0.1/b"]);
    assert_eq!((taken.received, taken.refused), (2, 0));
}

#[tokio::test]
async fn who_is_not_believed_gets_no_answer() {
    let world = World::new("secret = \"s3cret\"", Mood::Takes, 1000).await;
    let forged = packet(1, &[(40, &[0, 0, 0, 1]), (44, b"a")], b"guess");
    let mut other_code = start(2, "a");
    other_code[0] = 1;
    for bytes in [&forged[..], &other_code, b"", b"hello", &forged[..28]] {
        world.client.send(bytes).await.unwrap();
    }
    assert!(world.silence().await);
    let metrics = world.metrics.render();
    assert_eq!((outcome(&metrics, "bad_authenticator"), outcome(&metrics, "malformed")), (1, 4));
    assert_eq!(world.end().await.ids.len(), 0);
    // A client that nobody named.
    let world = World::new("secret = \"s3cret\"\nallow = [\"192.0.2.0/24\"]", Mood::Takes, 1000).await;
    world.client.send(&start(1, "a")).await.unwrap();
    assert!(world.silence().await);
    let away = "callrated_senders_refused_total{listener=\"test\",reason=\"not_allowed\"} 1";
    assert!(world.metrics.render().contains(away));
    assert_eq!(world.end().await.ids.len(), 0);
}

#[tokio::test]
async fn what_is_not_understood_is_kept_and_answered() {
    let world = World::new("secret = \"s3cret\"", Mood::Takes, 1000).await;
    // Genuine, and no session id; a link of a tunnel; a question whether we are there.
    let nothing = packet(1, &[(40, &[0, 0, 0, 2])], SECRET);
    let tunnel = packet(2, &[(40, &[0, 0, 0, 9])], SECRET);
    for bytes in [&nothing, &tunnel] {
        world.client.send(bytes).await.unwrap();
        world.answer(bytes).await;
    }
    let taken = world.end().await;
    assert_eq!((taken.ids, taken.received, taken.refused), (vec!["Refused".to_owned()], 1, 1));
}

/// A question whether we are there (RFC 5997) is signed by its Message-Authenticator alone.
#[tokio::test]
async fn a_question_whether_we_are_there_is_answered() {
    let world = World::new("secret = \"s3cret\"", Mood::Takes, 1000).await;
    let mut asked = vec![STATUS_SERVER, 9, 0, 38];
    asked.resize(20, 0x5a);
    asked.extend_from_slice(&[80, 18]);
    asked.extend_from_slice(&[0; 16]);
    // HMAC-MD5 of the packet above with that secret, by Python's hmac.
    let code = u128::from_str_radix("71b9b42a969ea6d1d92380819ad2f66a", 16).unwrap().to_be_bytes();
    asked[22..].copy_from_slice(&code);
    world.client.send(&asked).await.unwrap();
    world.answer(&asked).await;
    asked[25] ^= 1;
    world.client.send(&asked).await.unwrap();
    assert!(world.silence().await);
    assert_eq!(world.end().await.ids.len(), 0);
}

#[tokio::test]
async fn each_client_has_its_secret_and_its_name() {
    let settings = r#"
        secret = "another"
        [[clients]]
        address = "127.0.0.0/8"
        secret = "wider"
        [[clients]]
        address = "127.0.0.1"
        secret = "s3cret"
        node = "cube-fra"
    "#;
    let world = World::new(settings, Mood::Takes, 1000).await;
    let one = start(1, "a");
    world.client.send(&one).await.unwrap();
    world.answer(&one).await;
    assert_eq!(world.end().await.ids, ["Begin cube-fra/a"]);
}

/// Nothing is promised that is not kept: the client asks again, and is heard.
#[tokio::test]
async fn what_is_not_taken_is_not_answered() {
    let world = World::new("secret = \"s3cret\"", Mood::FullAfter(0), 1000).await;
    world.client.send(&start(1, "a")).await.unwrap();
    assert!(world.silence().await);
    world.client.send(&start(1, "a")).await.unwrap();
    assert!(world.silence().await);
    assert_eq!(outcome(&world.metrics.render(), "taken"), 2);
    assert_eq!(world.end().await.batches, 2);
}

#[tokio::test]
async fn secrets_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("radius.secret");
    let settings = |file: &std::path::Path| format!("secret = {{ file = {file:?} }}");
    let open = |file: &std::path::Path| {
        let text = format!("protocol = \"radius\"\n{}", settings(file));
        let listen =
            toml::from_str::<ListenSettings>(&text).unwrap().check(&crate::wire::formats::Formats::default()).unwrap();
        Clients::open("test", listen.radius.as_ref().unwrap(), &listen.allow).map(|_| ()).map_err(|e| e.to_string())
    };
    assert!(open(&file).unwrap_err().contains("cannot be read"));
    std::fs::write(&file, "\n").unwrap();
    assert!(open(&file).unwrap_err().contains("is empty: write it into the first line"));
    std::fs::write(&file, "s3cret\n# of the gateways in Frankfurt\n").unwrap();
    let world = World::new(&settings(&file), Mood::Takes, 1000).await;
    let one = start(1, "a");
    world.client.send(&one).await.unwrap();
    world.answer(&one).await;
    assert!(world.address.port() > 0);
    world.end().await;
}
