use tokio::io::AsyncBufReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::*;
use crate::ingest::brake::Brake;
use crate::ingest::tcp::{IN_FLIGHT_MAX, connection, serve};

const PEER: std::net::SocketAddr = std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

/// Everything behind one connection, and the way to end it.
struct World {
    taken: Arc<Mutex<Taken>>,
    gate: Option<Arc<Semaphore>>,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl World {
    fn new(format: Format, mood: Mood, gated: bool) -> (World, DuplexStream) {
        World::braked(format, mood, gated, Brake::default())
    }

    fn braked(format: Format, mood: Mood, gated: bool, brake: Brake) -> (World, DuplexStream) {
        let (outbox, inbox) = Outbox::new(OUTBOX_MAX);
        let outbox = outbox.braked_by(brake);
        let taken = Arc::new(Mutex::new(Taken::default()));
        let gate = gated.then(|| Arc::new(Semaphore::new(0)));
        let (stop, stopped) = watch::channel(false);
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let tasks = vec![
            tokio::spawn(sequencer(inbox, mood, gate.clone(), taken.clone())),
            tokio::spawn(async move { connection(theirs, PEER, &door(format, outbox), Stop(stopped)).await }),
        ];
        (World { taken, gate, stop, tasks }, ours)
    }

    async fn end(self) -> Taken {
        for task in self.tasks {
            task.await.unwrap();
        }
        Arc::into_inner(self.taken).unwrap().into_inner().unwrap()
    }
}

/// Sends pieces one after the other, closes its half, and gives what was answered and what was taken.
async fn talk(format: Format, pieces: &[&str]) -> (String, Taken) {
    let (world, mut stream) = World::new(format, Mood::Takes, false);
    for piece in pieces {
        write(&mut stream, piece).await;
        tokio::task::yield_now().await;
    }
    stream.shutdown().await.unwrap();
    let answers = rest(stream).await;
    (answers, world.end().await)
}

/// The answers with durable counts reduced to the last, since they depend on how the stream was cut.
fn last_durable(answers: &str) -> Vec<String> {
    let mut lines: Vec<String> = answers.lines().map(str::to_owned).collect();
    let last = lines.iter().rposition(|l| l.starts_with("{\"durable\""));
    let mut i = 0;
    lines.retain(|line| {
        i += 1;
        !line.starts_with("{\"durable\"") || Some(i - 1) == last
    });
    lines
}

const HELLO: &str = concat!(r#"{"hello":1,"version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

#[tokio::test]
async fn plain_senders_are_not_answered() {
    let text = format!("{}\n{}\r\n\nhuh\n{}", record(1), record(2), record(3));
    let (answers, taken) = talk(Format::Auto, &[&text]).await;
    assert_eq!(answers, "");
    assert_eq!(taken.ids, ["listener/1", "listener/2", "listener/3"]);
    assert_eq!((taken.received, taken.refused), (4, 1));
}

#[tokio::test]
async fn the_dialogue() {
    let text = format!(
        "\r\n{{\"hello\": 1}}\r\n{}\n\nhuh\n{}\n{{\"hello\":1}}\n{}\n",
        record("a"),
        record("b"),
        r#"{"id":"c","node":"n","source":"","destination":"1","end":1791190800}"#
    );
    let (answers, taken) = talk(Format::Json, &[&text]).await;
    assert_eq!(
        last_durable(&answers),
        [
            HELLO,
            r#"{"refused":3,"error":"malformed JSON at column 1: a record is a JSON object and begins with {"}"#,
            r#"{"refused":5,"error":"field \"id\" is missing"}"#,
            r#"{"durable":3}"#,
        ]
    );
    assert_eq!(taken.ids, ["listener/a", "listener/b", "n/c"]);
    assert_eq!((taken.received, taken.refused), (5, 2));
}

#[tokio::test]
async fn a_record_that_has_a_field_hello_opens_no_dialogue() {
    let line = record(1).replacen('{', "{\"hello\":1,", 1);
    let (answers, taken) = talk(Format::Auto, &[&line, "\n", "{\"hello\":1}\n"]).await;
    assert_eq!(answers, "");
    assert_eq!((taken.ids.as_slice(), taken.refused), (&["listener/1".to_owned()][..], 1));
}

#[tokio::test]
async fn a_stream_may_be_cut_anywhere() {
    let text = format!("{{\"hello\":1}}\n{}\r\nhuh\n{}", record("é"), record(2));
    for cut in 0..=text.len() {
        let (a, b) = text.as_bytes().split_at(cut);
        let (world, mut stream) = World::new(Format::Auto, Mood::Takes, false);
        for piece in [a, b] {
            stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream.shutdown().await.unwrap();
        let answers = last_durable(&rest(stream).await);
        assert_eq!((answers.len(), answers[0].as_str()), (3, HELLO), "cut at {cut}: {answers:?}");
        assert!(answers[1].starts_with("{\"refused\":2,") || answers[2].starts_with("{\"refused\":2,"), "{answers:?}");
        assert_eq!(world.end().await.ids, ["listener/é", "listener/2"], "cut at {cut}");
    }
}

#[tokio::test]
async fn rows_come_under_a_header() {
    let text = "{\"hello\":1}\nid;source;destination;duration\n1;a;b;1\n2;a\n3;a;b;1";
    for format in [Format::Csv, Format::Auto] {
        let (answers, taken) = talk(format.clone(), &[text]).await;
        assert_eq!(taken.ids, ["listener/1", "listener/3"], "{format:?}");
        assert!(answers.contains("{\"refused\":3,") && answers.ends_with("{\"durable\":2}\n"), "{answers}");
    }
}

#[tokio::test]
async fn a_line_may_have_64_kib_and_no_more() {
    let fill = LINE_MAX - record("").len() - ",\"x\":\"\"".len();
    let line = |more: usize| {
        let text = record("").replacen('}', &format!(",\"x\":\"{}\"}}", "x".repeat(fill + more - 1)), 1);
        text.replacen("\"id\":\"\"", "\"id\":\"L\"", 1)
    };
    assert_eq!((line(0).len(), line(1).len()), (LINE_MAX, LINE_MAX + 1));
    let huge = "y".repeat(5 * LINE_MAX);
    let text = format!("{{\"hello\":1}}\n{}\r\n{}\n{huge}\n{}\n{huge}", line(0), line(1), record(2));
    let (answers, taken) = talk(Format::Auto, &[&text]).await;
    assert_eq!(taken.ids, ["listener/L", "listener/2"]);
    assert_eq!(last_durable(&answers).iter().filter(|l| l.contains("longer than 65536 bytes")).count(), 3, "{answers}");
    for line in [2, 3, 5] {
        assert!(answers.contains(&format!("{{\"refused\":{line},")), "{answers}");
    }
}

#[tokio::test]
async fn durable_is_said_only_after_the_sync_and_in_order() {
    let (world, stream) = World::new(Format::Auto, Mood::Takes, true);
    let gate = world.gate.clone().unwrap();
    let (reader, mut writer) = tokio::io::split(stream);
    let mut answers = tokio::io::BufReader::new(reader).lines();
    writer.write_all(b"{\"hello\":1}\n").await.unwrap();
    assert_eq!(answers.next_line().await.unwrap().unwrap(), HELLO);
    // Each is read by itself: the sequencer stands still, so nothing is said yet.
    for id in 0..3 {
        writer.write_all(format!("{}\n", record(id)).as_bytes()).await.unwrap();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    let silent = tokio::time::timeout(std::time::Duration::from_millis(20), answers.next_line()).await;
    assert!(silent.is_err(), "{silent:?}");
    for durable in 1..=3 {
        gate.add_permits(1);
        assert_eq!(answers.next_line().await.unwrap().unwrap(), format!("{{\"durable\":{durable}}}"));
    }
    drop((answers, writer));
    assert_eq!(world.end().await.batches, 3);
}

#[tokio::test]
async fn reading_stops_when_answers_are_outstanding() {
    let (world, mut stream) = World::new(Format::Auto, Mood::Takes, true);
    let gate = world.gate.clone().unwrap();
    // More than a sequencer at rest and one connection may hold: the pipe (1 MiB) must fill up in between.
    let line = format!("{}\n", record("x".repeat(200)));
    let total = 40_000;
    let sending = tokio::spawn(async move {
        for _ in 0..total {
            stream.write_all(line.as_bytes()).await.unwrap();
        }
        stream
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!sending.is_finished(), "12 MB were read while nothing was answered");
    gate.add_permits(Semaphore::MAX_PERMITS >> 1);
    drop(sending.await.unwrap());
    let taken = world.end().await;
    assert_eq!((taken.ids.len(), taken.refused), (total, 0));
    assert!(taken.batches > IN_FLIGHT_MAX);
}

#[tokio::test]
async fn a_full_journal_closes_the_connection_and_says_so() {
    let (world, mut stream) = World::new(Format::Auto, Mood::FullAfter(1), false);
    write(&mut stream, &format!("{{\"hello\":1}}\n{}\n", record(1))).await;
    let (reader, mut writer) = tokio::io::split(stream);
    let mut answers = tokio::io::BufReader::new(reader).lines();
    assert_eq!(answers.next_line().await.unwrap().unwrap(), HELLO);
    assert_eq!(answers.next_line().await.unwrap().unwrap(), "{\"durable\":1}");
    writer.write_all(format!("{}\n", record(2)).as_bytes()).await.unwrap();
    let error = "{\"error\":\"journal full: nothing more is accepted until stored segments are freed\"}";
    assert_eq!(answers.next_line().await.unwrap().unwrap(), error);
    assert_eq!(answers.next_line().await.unwrap(), None);
    assert_eq!(world.end().await.ids, ["listener/1"]);
}

/// While the brake is on nothing more is read than was asked for before; the sender waits, and loses nothing.
#[tokio::test]
async fn nothing_is_read_while_the_brake_is_on() {
    let brake = Brake::default();
    brake.put(true);
    let (world, mut stream) = World::braked(Format::Auto, Mood::Takes, false, brake.clone());
    write(&mut stream, &format!("{}\n{}\n", record(1), record(2))).await;
    // One thread: whatever could go on would have done so by then.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(world.taken.lock().unwrap().ids.is_empty());
    brake.put(false);
    stream.shutdown().await.unwrap();
    rest(stream).await;
    assert_eq!(world.end().await.ids, ["listener/1", "listener/2"]);
}

#[tokio::test]
async fn at_the_stop_what_had_arrived_is_taken_and_answered() {
    let (world, mut stream) = World::new(Format::Auto, Mood::Takes, false);
    write(&mut stream, &format!("{{\"hello\":1}}\n{}\n{}\n{{\"id\":\"unfinished", record(1), record(2))).await;
    world.stop.send(true).unwrap();
    let answers = rest(stream).await;
    assert_eq!(last_durable(&answers), [HELLO, "{\"durable\":2}"]);
    assert_eq!(world.end().await.ids, ["listener/1", "listener/2"]);
}

#[tokio::test]
async fn sockets_are_served_and_strangers_turned_away() {
    let (outbox, inbox) = Outbox::new(OUTBOX_MAX);
    let taken = Arc::new(Mutex::new(Taken::default()));
    let sequencing = tokio::spawn(sequencer(inbox, Mood::Takes, None, taken.clone()));
    let (stop, stopped) = watch::channel(false);
    let mut servers = Vec::new();
    for allow in ["127.0.0.1", "192.0.2.1"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let allow = Allow::networks([allow.parse().unwrap()]);
        let door = Arc::new(Door { allow, ..door(Format::Auto, outbox.clone()) });
        servers.push((address, tokio::spawn(serve(listener, door, Stop(stopped.clone())))));
    }
    drop(outbox);
    let mut stranger = TcpStream::connect(servers[1].0).await.unwrap();
    // Closed unread: an end, or a reset if our bytes were on their way.
    let _ = stranger.write_all(format!("{}\n", record("stranger")).as_bytes()).await;
    assert!(!matches!(stranger.read(&mut [0; 1]).await, Ok(1..)));
    let mut friend = TcpStream::connect(servers[0].0).await.unwrap();
    friend.write_all(format!("{{\"hello\":1}}\n{}", record("friend")).as_bytes()).await.unwrap();
    friend.shutdown().await.unwrap();
    let mut answers = String::new();
    friend.read_to_string(&mut answers).await.unwrap();
    assert_eq!(answers, format!("{HELLO}\n{{\"durable\":1}}\n"));
    stop.send(true).unwrap();
    for (_, server) in servers {
        server.await.unwrap();
    }
    sequencing.await.unwrap();
    assert_eq!(taken.lock().unwrap().ids, ["listener/friend"]);
}
