use std::collections::HashSet;
use std::sync::Mutex;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::udp::datagrams;
use super::*;
use crate::batch::{Position, entries};
use crate::ingest::allow::Allow;
use crate::ingest::counters::Counters;
use crate::ingest::settings::{ListenSettings, Protocol};
use crate::ingest::{self, Door, NotTaken, Outbox, Stop};
use crate::record::Record;
use crate::time::Timestamp;
use crate::traffic::recipe::{Caller, Recipe};
use crate::wire::Format;

#[test]
fn targets() {
    for (text, expected) in [
        ("tcp://127.0.0.1:7070", Some(Target::Tcp("127.0.0.1:7070".into()))),
        ("udp://[::1]:7070/", Some(Target::Udp("[::1]:7070".into()))),
        ("http://host", Some(Target::Http { authority: "host:80".into(), path: "/v1/calls".into() })),
        ("http://host:7080/x", Some(Target::Http { authority: "host:7080".into(), path: "/x".into() })),
        ("tcp://host", None),
        ("tcp://:1", None),
        ("tcp://host:99999", None),
        ("tcp://host:1/path", None),
        ("https://host", None),
        ("host:7070", None),
    ] {
        assert_eq!(text.parse::<Target>().ok(), expected, "{text}");
    }
}

#[test]
fn datagrams_hold_whole_lines() {
    let line = |n: usize| [vec![b'x'; n - 1], vec![b'\n']].concat();
    let text = [line(600), line(800), line(1), line(5000), line(1399), line(1)].concat();
    let lengths: Vec<_> = datagrams(&text).map(<[u8]>::len).collect();
    assert_eq!(lengths, [1400, 1, 5000, 1400]);
}

/// Sends to real doors before a sequencer that takes everything; gives report and distinct ids.
async fn run(scheme: &str, plan: Plan) -> (Report, usize) {
    let (outbox, mut inbox) = Outbox::new(ingest::OUTBOX_MAX);
    let (stop, stopped) = watch::channel(false);
    let door = Arc::new(Door {
        source: crate::batch::SourceId(0),
        name: "test".to_owned(),
        format: Format::Auto,
        columns: None,
        node: "n".to_owned(),
        zone: crate::time::Zone::UTC,
        cut: crate::ingest::Cut::Lines,
        hints: crate::ingest::Hints::default(),
        allow: Allow::default(),
        outbox,
        counters: Arc::new(Counters::new("test")),
        clock: crate::os::clock::Clock::wall(),
    });
    let (address, serving) = match scheme {
        "tcp" => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            (address, tokio::spawn(ingest::tcp::serve(listener, door, Stop(stopped))))
        }
        "udp" => {
            let address = Some("127.0.0.1:0".parse().unwrap());
            let listen =
                ListenSettings { address, ..ListenSettings::new(Protocol::Udp) }.check(&Default::default()).unwrap();
            let bound = ingest::udp::bind(&listen).unwrap();
            (bound.address, tokio::spawn(ingest::udp::serve(bound, door, Stop(stopped))))
        }
        _ => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let calls = axum::routing::post(ingest::http::calls);
            let router = axum::Router::new().route("/v1/calls", calls).with_state(door);
            let mut stop = Stop(stopped);
            let serving = async move {
                let server = axum::serve(listener, router);
                server.with_graceful_shutdown(async move { stop.stopped().await }).await.unwrap();
            };
            (address, tokio::spawn(serving))
        }
    };
    let ids = Arc::new(Mutex::new(HashSet::new()));
    let taken = ids.clone();
    let sequencing = tokio::spawn(async move {
        while let Some(delivery) = inbox.recv().await {
            let bytes = delivery.batch.into_bytes();
            for entry in entries(&bytes, Position(0)) {
                taken.lock().unwrap().insert(Record::decode(entry.payload).unwrap().id.to_vec());
            }
            let _ = delivery.reply.unwrap().send(Ok(Position(1)));
        }
    });
    let callers = vec![Caller { number: "+4930123456".to_owned(), country: "DE".to_owned() }];
    let traffic =
        Traffic::new(Recipe { disordered: 0.0, repeated: 0.0, ..Recipe::default() }, 1, 1, callers, Timestamp(0), "n");
    let progress = Arc::new(AtomicU64::new(0));
    let plan = Plan { target: format!("{scheme}://{address}").parse().unwrap(), ..plan };
    let report = send(&plan, traffic, progress.clone()).await.unwrap();
    assert_eq!(progress.load(Ordering::Relaxed), plan.records);
    stop.send(true).unwrap();
    serving.await.unwrap();
    sequencing.await.unwrap();
    let count = ids.lock().unwrap().len();
    (report, count)
}

fn plan(records: u64, rate: f64, connections: usize, batch: usize) -> Plan {
    Plan { target: Target::Tcp(String::new()), records, rate, connections, batch, token: None }
}

#[tokio::test]
async fn every_record_is_answered_for() {
    for scheme in ["tcp", "http"] {
        for plan in [plan(1000, 0.0, 1, 1), plan(1003, 0.0, 3, 10), plan(200, 2000.0, 2, 7), plan(0, 0.0, 1, 1)] {
            let (mut report, ids) = run(scheme, plan.clone()).await;
            assert_eq!(
                (report.sent, report.durable, report.refused),
                (plan.records, plan.records, 0),
                "{scheme} {plan:?}"
            );
            assert_eq!((report.trouble, ids), (None, plan.records as usize), "{scheme} {plan:?}");
            assert_eq!(report.latency.count() as u64, plan.records);
            assert!(plan.records == 0 || report.latency.percentile(1.0).unwrap() <= report.elapsed);
        }
    }
}

#[tokio::test]
async fn datagrams_are_sent_at_the_rate() {
    let (report, ids) = run("udp", plan(300, 3000.0, 2, 4)).await;
    assert_eq!((report.sent, report.durable, report.latency.count()), (300, 0, 300));
    assert_eq!(ids, 300);
    // The last of 300 records is due after 99.7 ms, unless it belongs to a burst.
    assert!(report.elapsed >= Duration::from_millis(80), "{:?}", report.elapsed);
}

#[tokio::test]
async fn a_daemon_that_is_not_there_and_one_that_takes_nothing() {
    // Below the ports that are given to whoever asks for any.
    let free = "127.0.0.1:1";
    let traffic = || Traffic::new(Recipe::default(), 1, 1, Vec::new(), Timestamp(0), "n");
    let plan = Plan { target: Target::Tcp(free.to_string()), ..plan(10, 0.0, 1, 1) };
    let error = send(&plan, traffic(), Arc::default()).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("{free} cannot be reached: ")), "{error}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plan = Plan { target: Target::Tcp(listener.local_addr().unwrap().to_string()), ..plan };
    let closing = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let error = format!("{{\"error\":\"{}\"}}\n", NotTaken::JournalFull);
        stream.write_all(error.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        // Kept open for reading, so that the sender is not met by a reset.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    });
    let report = send(&plan, traffic(), Arc::default()).await.unwrap();
    assert_eq!((report.durable, report.trouble), (0, Some(NotTaken::JournalFull.to_string())));
    closing.await.unwrap();
}
