use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;
use crate::ingest::settings::{ListenSettings, Protocol};
use crate::ingest::udp::{bind, serve};

/// A listener that is bound but not yet served, its metrics, and a socket to send from.
struct World {
    bound: crate::ingest::udp::Bound,
    door: Door,
    inbox: mpsc::Receiver<Delivery>,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    sender: std::net::UdpSocket,
}

impl World {
    fn new(settings: ListenSettings) -> World {
        let listen = ListenSettings { address: Some("127.0.0.1:0".parse().unwrap()), ..settings }
            .check(&Default::default())
            .unwrap();
        let bound = bind(&listen).unwrap();
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = recorder.handle();
        let (outbox, inbox) = Outbox::new(OUTBOX_MAX);
        let door = metrics::with_local_recorder(&recorder, || Door {
            columns: listen.columns.clone(),
            allow: listen.allow.clone(),
            ..door(listen.format, outbox)
        });
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(bound.address).unwrap();
        World { bound, door, inbox, metrics, sender }
    }

    fn send(&self, text: impl AsRef<[u8]>) {
        self.sender.send(text.as_ref()).unwrap();
    }

    /// Serves what was sent, and ends.
    async fn run(self, mood: Mood) -> (Taken, String) {
        let taken = Arc::new(Mutex::new(Taken::default()));
        let sequencing = tokio::spawn(sequencer(self.inbox, mood, None, taken.clone()));
        // The stop comes at once: what waits in the kernel is taken nevertheless.
        let (_stop, stopped) = watch::channel(true);
        let serving: JoinHandle<()> = tokio::spawn(serve(self.bound, Arc::new(self.door), Stop(stopped)));
        serving.await.unwrap();
        sequencing.await.unwrap();
        (Arc::into_inner(taken).unwrap().into_inner().unwrap(), self.metrics.render())
    }
}

fn udp() -> ListenSettings {
    ListenSettings::new(Protocol::Udp)
}

/// The value of a metric whose line begins so.
fn metric(metrics: &str, name: &str) -> u64 {
    let found = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no {name} in\n{metrics}"))
}

#[tokio::test]
async fn datagrams_carry_one_or_more_lines() {
    let world = World::new(udp());
    world.send(record(1));
    world.send(format!("{}\n\n{}\r\nhuh\n{}\n", record(2), record(3), record(4)));
    world.send("id,source,destination,duration\n5,1,2,60\n6,1,2,60");
    world.send("7,1,2,60");
    world.send("");
    world.send(record(8));
    let (taken, metrics) = world.run(Mood::Takes).await;
    assert_eq!(taken.ids, ["1", "2", "3", "4", "5", "6", "8"].map(|id| format!("listener/{id}")));
    assert_eq!((taken.received, taken.refused, taken.batches), (9, 2, 1));
    assert_eq!(metric(&metrics, r#"callrated_records_refused_total{listener="test",reason="unknown_format"}"#), 2);
    let received = metric(&metrics, r#"callrated_records_received_total{listener="test",format="json"}"#);
    assert_eq!(received, 9);
}

#[tokio::test]
async fn rows_may_come_without_a_header() {
    let settings = ListenSettings {
        format: Some("csv".to_owned()),
        columns: Some("id;source;destination;duration".to_owned()),
        ..udp()
    };
    let world = World::new(settings);
    world.send("1;a;b;5\n2;a;b;5");
    world.send("3;a;b;5");
    assert_eq!(world.run(Mood::Takes).await.0.ids, ["listener/1", "listener/2", "listener/3"]);
}

#[tokio::test]
async fn what_was_sent_was_received_or_dropped() {
    let world = World::new(ListenSettings { receive_buffer: Some(32 << 10), ..udp() });
    assert!(!world.bound.clamped && world.bound.receive_buffer == 64 << 10);
    for id in 0..1000 {
        world.send(record(id));
    }
    let (taken, metrics) = world.run(Mood::Takes).await;
    let dropped = metric(&metrics, r#"callrated_udp_dropped_total{listener="test"}"#);
    assert!(dropped > 0 && !taken.ids.is_empty());
    assert_eq!(taken.ids.len() as u64 + dropped, 1000);
}

#[tokio::test]
async fn a_wish_the_kernel_does_not_grant_is_known() {
    let world = World::new(ListenSettings { receive_buffer: Some(1 << 30), ..udp() });
    assert!(world.bound.clamped && world.bound.receive_buffer < 1 << 30);
}

#[tokio::test]
async fn gaps_are_counted_by_node() {
    let world = World::new(udp());
    let numbered = |node: &str, seq: u64| record(seq).replacen('{', &format!(r#"{{"node":"{node}","seq":{seq},"#), 1);
    for (node, seq) in [("a", 1), ("b", 7), ("a", 2), ("a", 5), ("b", 9), ("a", 4), ("b", 10)] {
        world.send(numbered(node, seq));
    }
    let (taken, metrics) = world.run(Mood::Takes).await;
    assert_eq!(taken.ids.len(), 7);
    assert_eq!(metric(&metrics, "callrated_udp_sequence_gaps_total"), 3);
    assert_eq!(metric(&metrics, "callrated_udp_sequence_late_total"), 1);
}

#[tokio::test]
async fn strangers_are_not_read() {
    let world = World::new(ListenSettings { allow: Some(vec!["192.0.2.0/24".to_owned()]), ..udp() });
    world.send(record(1));
    let (taken, metrics) = world.run(Mood::Takes).await;
    assert_eq!((taken.ids.len(), taken.received), (0, 0));
    assert_eq!(metric(&metrics, r#"callrated_senders_refused_total{listener="test",reason="not_allowed"}"#), 1);
}

#[tokio::test]
async fn what_a_full_journal_did_not_take_is_counted() {
    let world = World::new(udp());
    world.send(format!("{}\n{}", record(1), record(2)));
    let (taken, metrics) = world.run(Mood::FullAfter(0)).await;
    assert_eq!(taken.ids.len(), 0);
    assert_eq!(metric(&metrics, r#"callrated_records_refused_total{listener="test",reason="journal_full"}"#), 2);
}

#[tokio::test]
async fn several_sockets_share_a_port_and_many_datagrams_a_batch() {
    let world = World::new(ListenSettings { sockets: Some(3), ..udp() });
    assert_eq!(world.bound.sockets.len(), 3);
    let senders: Vec<_> = (0..20).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    for id in 0..2000 {
        senders[id % 20].send_to(record(id).as_bytes(), world.bound.address).unwrap();
    }
    let (mut taken, metrics) = world.run(Mood::Takes).await;
    taken.ids.sort_unstable();
    taken.ids.dedup();
    let dropped = metric(&metrics, r#"callrated_udp_dropped_total{listener="test"}"#);
    assert_eq!(taken.ids.len() as u64 + dropped, 2000);
    assert!((2..20).contains(&taken.batches), "{}", taken.batches);
}

#[tokio::test]
async fn datagrams_are_taken_as_they_come() {
    let world = World::new(udp());
    let taken = Arc::new(Mutex::new(Taken::default()));
    let sequencing = tokio::spawn(sequencer(world.inbox, Mood::Takes, None, taken.clone()));
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(serve(world.bound, Arc::new(world.door), Stop(stopped)));
    for id in 0..5 {
        world.sender.send(record(id).as_bytes()).unwrap();
        while taken.lock().unwrap().ids.len() <= id {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    stop.send(true).unwrap();
    serving.await.unwrap();
    sequencing.await.unwrap();
    assert_eq!(taken.lock().unwrap().ids.len(), 5);
}

#[tokio::test]
async fn datagrams_are_taken_while_the_disk_stands_still() {
    let world = World::new(udp());
    let (taken, gate) = (Arc::new(Mutex::new(Taken::default())), Arc::new(Semaphore::new(0)));
    let sequencing = tokio::spawn(sequencer(world.inbox, Mood::Takes, Some(gate.clone()), taken.clone()));
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(serve(world.bound, Arc::new(world.door), Stop(stopped)));
    // Each is read before the next is sent, and is a batch of its own: more of them than the outbox has room for.
    let count = 2 * OUTBOX_MAX + 10;
    let all = async {
        for id in 0..count {
            world.sender.send(record(id).as_bytes()).unwrap();
            let name = r#"callrated_records_received_total{listener="test",format="json"}"#;
            let received = |metrics: &str| if metrics.contains(name) { metric(metrics, name) } else { 0 };
            while received(&world.metrics.render()) <= id as u64 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), all).await.expect("datagrams wait for the disk");
    assert_eq!(taken.lock().unwrap().batches, 0);
    gate.add_permits(count);
    stop.send(true).unwrap();
    serving.await.unwrap();
    sequencing.await.unwrap();
    let taken = taken.lock().unwrap();
    let expected: Vec<String> = (0..count).map(|id| format!("listener/{id}")).collect();
    assert_eq!((&taken.ids, taken.batches), (&expected, count));
}
