//! Callers against nodes that are a script: the bytes of captures, refused logins, connections that break.

use std::path::Path;
use std::sync::Mutex;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::settings::ConnectSettings;
use super::*;
use crate::ingest::Outbox;
use crate::ingest::tests::{Mood, Taken, door, sequencer};
use crate::os::clock::Clock;
use crate::time::Micros;

/// Longest wait for anything: far beyond what a loaded machine needs, so that a hang is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(60);
const BEGUN: Timestamp = Timestamp(1_795_298_300_000_000);

fn capture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures").join(name)).unwrap()
}

/// A caller, the node that it calls, and what came of it.
struct World {
    listener: TcpListener,
    taken: Arc<Mutex<Taken>>,
    source: Arc<Source>,
    clock: Clock,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
    data: tempfile::TempDir,
}

impl World {
    /// A node of that protocol, and what else of its settings.
    async fn new(protocol: &str, rest: &str, mood: Mood) -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let text = format!("protocol = \"{protocol}\"\naddress = \"{address}\"\nnode = \"n\"\n{rest}");
        let settings: ConnectSettings = toml::from_str(&text).unwrap();
        let connect = settings.check(Path::new(""), &Default::default()).unwrap();
        let (outbox, inbox) = Outbox::new(OUTBOX_MAX);
        let taken = Arc::new(Mutex::new(Taken::default()));
        tokio::spawn(sequencer(inbox, mood, None, taken.clone()));
        let clock = Clock::fake(BEGUN);
        let hints = connect.source.hints.clone();
        let door = door(connect.source.format.clone(), outbox);
        let door = Arc::new(Door { node: "n".to_owned(), clock: clock.clone(), hints, ..door });
        let data = tempfile::tempdir().unwrap();
        let source = Arc::new(Source::new("connect:test", data.path(), BEGUN));
        let short = Duration::from_millis(2);
        let pace = Pace {
            first: short,
            most: short * 4,
            refused_first: short,
            refused_most: short,
            answer: PATIENCE,
            look: short,
            ..Pace::default()
        };
        let (stop, stopped) = watch::channel(false);
        let caller = Caller::new(connect, door, source.clone()).with_pace(pace);
        let running = tokio::spawn(caller.run(Stop(stopped)));
        World { listener, taken, source, clock, stop, running, data }
    }

    async fn ami() -> World {
        World::new("ami", "user = \"u\"\nsecret = \"s3cret\"", Mood::Takes).await
    }

    /// The next call.
    async fn called(&self) -> TcpStream {
        let (stream, _) = timeout(PATIENCE, self.listener.accept()).await.expect("a call").unwrap();
        // What is written is there at once.
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// The next call, let in by an Asterisk.
    async fn let_in(&self) -> TcpStream {
        let mut stream = self.called().await;
        say(&mut stream, BANNER).await;
        assert_eq!(heard(&mut stream, "Events: cdr\r\n\r\n").await, LOGIN);
        say(&mut stream, "Response: Success\r\nMessage: Authentication accepted\r\n\r\n").await;
        stream
    }

    fn ids(&self) -> Vec<String> {
        self.taken.lock().unwrap().ids.clone()
    }

    async fn until(&self, what: &str, done: impl Fn(&World) -> bool) {
        let waited = async {
            while !done(self) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        if timeout(PATIENCE, waited).await.is_err() {
            panic!("waited in vain for {what}: {:?}, {:?}", self.source.standing(), self.ids());
        }
    }

    async fn stop(self) -> (Vec<String>, Standing, tempfile::TempDir) {
        self.stop.send(true).unwrap();
        timeout(PATIENCE, self.running).await.expect("an end").unwrap();
        let ids = self.taken.lock().unwrap().ids.clone();
        (ids, self.source.standing(), self.data)
    }
}

async fn say(stream: &mut TcpStream, words: impl AsRef<[u8]>) {
    stream.write_all(words.as_ref()).await.unwrap();
}

/// Reads up to the end of those words.
async fn heard(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let read = async {
        while !text.ends_with(end.as_bytes()) {
            text.push(stream.read_u8().await.unwrap());
        }
    };
    timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("{end:?} was not said"));
    String::from_utf8(text).unwrap()
}

const BANNER: &str = "Asterisk Call Manager/11.0.0\r\n";
const LOGIN: &str = "Action: Login\r\nUsername: u\r\nSecret: s3cret\r\nEvents: cdr\r\n\r\n";

fn cdr(id: u32) -> String {
    format!(
        "Event: Cdr\r\nSource: 1\r\nDestination: 2\r\nStartTime: 2026-11-21 21:56:51\r\nAnswerTime: 2026-11-21 21:56:51\r\n\
         EndTime: 2026-11-21 21:56:54\r\nBillableSeconds: 3\r\nDisposition: ANSWERED\r\nUniqueID: {id}.0\r\nSequence: {id}\r\n\r\n"
    )
}

/// What real nodes said.
#[tokio::test]
async fn captures_of_every_protocol() {
    let login = "secret = \"ClueCon\"";
    for (protocol, rest, file, first, answers, expected) in [
        (
            "ami",
            "user = \"u\"\nsecret = \"s3cret\"",
            "asterisk/ami.bin",
            BANNER.len(),
            &["Events: cdr\r\n\r\n"][..],
            &["n/1795298211.0/0", "n/1795298215.4/2", "n/1795298215.8/5"][..],
        ),
        (
            "esl",
            login,
            "freeswitch/esl_plain.bin",
            0,
            &["auth ClueCon\n\n", "event plain CHANNEL_HANGUP_COMPLETE\n\n"],
            &[
                "n/503dc1a5-81f2-4d78-8749-68c64d536d7e",
                "n/c12c7067-1747-4e82-a022-5b9773bb7338",
                "n/b7871cd8-7ffa-49e8-b678-72e187957d97",
            ],
        ),
        (
            "esl",
            login,
            "freeswitch/esl_json.bin",
            0,
            &["auth ClueCon\n\n", "event plain CHANNEL_HANGUP_COMPLETE\n\n"],
            &[
                "n/503dc1a5-81f2-4d78-8749-68c64d536d7e",
                "n/c12c7067-1747-4e82-a022-5b9773bb7338",
                "n/b7871cd8-7ffa-49e8-b678-72e187957d97",
            ],
        ),
        (
            "evapi",
            "talk_includes_ringing = false",
            "kamailio/evapi_netstring.bin",
            0,
            &[],
            &["n/1-4264@127.0.0.1", "n/1-4470@127.0.0.1", "Fail n/1-4562@127.0.0.1", "Fail n/1-4568@127.0.0.1"],
        ),
    ] {
        let world = World::new(protocol, rest, Mood::Takes).await;
        let capture = capture(file);
        let mut node = world.called().await;
        let (greeting, events) = capture.split_at(first);
        say(&mut node, greeting).await;
        if greeting.is_empty() {
            say(&mut node, events).await;
        }
        for answer in answers {
            heard(&mut node, answer).await;
        }
        if !greeting.is_empty() {
            // However the stream is cut.
            for piece in events.chunks(1000) {
                say(&mut node, piece).await;
            }
        }
        world.until("all records", |world| world.ids().len() >= expected.len()).await;
        drop(node);
        // All of the connection is done with when it is made anew.
        let _again = world.called().await;
        assert_eq!(world.ids(), expected, "{file}");
        assert_eq!(world.taken.lock().unwrap().refused, 0, "{file}");
        world.stop().await;
    }
}

#[tokio::test]
async fn lines_of_a_pbx_that_waits_for_us() {
    let world = World::new("tcp", "format = \"avaya-ipo\"", Mood::Takes).await;
    let mut node = world.called().await;
    say(&mut node, "\0\0\r\n2008/06/28 09:30:57,00:00:13,7,01707392200,I,299999,299999,,0,1000014160,1,E4750,John Smith,T9002,LINE 1.2,11,0\r\n").await;
    say(&mut node, "2008/06/28 09:30:57,00:00:21,0,01707392200,I,299999,299999,,0,1000014160,0,V9502,VM Channel 2,T9002,LINE 1.2,0,0\r\nhalf a li").await;
    drop(node);
    let _again = world.called().await;
    let call = "n/1000014160/2008/06/28 09:30:57";
    assert_eq!(world.stop().await.0, [format!("Update {call}"), format!("End {call}")]);
}

#[tokio::test]
async fn a_refused_login_is_said_and_tried_again() {
    let world = World::ami().await;
    for _ in 0..3 {
        let mut node = world.called().await;
        say(&mut node, BANNER).await;
        heard(&mut node, "Events: cdr\r\n\r\n").await;
        say(&mut node, "Response: Error\r\nMessage: Authentication failed\r\n\r\n").await;
        let refused = |world: &World| world.source.standing().trouble.as_deref() == Some("Authentication failed");
        world.until("the refusal", refused).await;
    }
    // Once it is mended all is well, and nothing that was never open counts as a gap.
    let mut node = world.let_in().await;
    say(&mut node, cdr(1)).await;
    world.until("the record", |world| !world.ids().is_empty()).await;
    let standing = world.source.standing();
    assert_eq!((standing.connected, standing.trouble, standing.last_gap), (true, None, None));
    assert_eq!(world.stop().await.0, ["n/1.0/1"]);
}

#[tokio::test]
async fn somebody_else_is_there() {
    let world = World::ami().await;
    let mut node = world.called().await;
    say(&mut node, "HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let said = |world: &World| world.source.standing().trouble.is_some_and(|why| why.contains("does not greet"));
    world.until("the sentence", said).await;
    world.stop().await;
}

/// The node is restarted while it tells of a call: the gap is told to the second, and what is heard twice is the road's to
/// tell.
#[tokio::test]
async fn a_node_that_restarts_in_the_middle_of_an_event() {
    let world = World::ami().await;
    let mut node = world.let_in().await;
    say(&mut node, cdr(1)).await;
    world.until("the first record", |world| world.ids().len() == 1).await;
    let event = cdr(2);
    say(&mut node, &event[..event.len() / 2]).await;
    drop(node);
    world.until("the loss", |world| !world.source.standing().connected).await;
    let standing = world.source.standing();
    assert_eq!((standing.missed_since, standing.since), (Some(BEGUN), BEGUN));
    // It is there and does not greet yet.
    for _ in 0..3 {
        drop(world.called().await);
    }
    world.clock.advance(Micros::seconds(90));
    let mut node = world.let_in().await;
    say(&mut node, format!("{event}{}", cdr(3))).await;
    world.until("the other records", |world| world.ids().len() == 3).await;
    let (ids, standing, _) = world.stop().await;
    assert_eq!(ids, ["n/1.0/1", "n/2.0/2", "n/3.0/3"]);
    let back = Timestamp(BEGUN.0 + 90_000_000);
    assert_eq!((standing.last_gap, standing.gap_seconds, standing.missed_since), (Some((BEGUN, back)), 90, None));
}

#[tokio::test]
async fn a_node_that_falls_silent_is_called_again() {
    let world = World::ami().await;
    let mut node = world.let_in().await;
    for _ in 0..3 {
        heard(&mut node, "Action: Ping\r\n\r\n").await;
        say(&mut node, "Response: Success\r\nPing: Pong\r\n\r\n").await;
    }
    // It is asked still, and does not answer. Its last answer may have been heard at any of these times.
    let silent = |world: &World| {
        world.clock.advance(Micros::seconds(96));
        !world.source.standing().connected
    };
    world.until("the loss", silent).await;
    let standing = world.source.standing();
    assert_eq!(standing.trouble.as_deref(), Some("the node does not answer any more"));
    assert!(standing.missed_since.is_some_and(|from| from < standing.since));
    let _again = world.called().await;
    world.stop().await;
}

#[tokio::test]
async fn at_the_stop_what_had_come_is_taken_and_the_time_is_kept() {
    let world = World::ami().await;
    let mut node = world.let_in().await;
    world.until("the login", |world| world.source.standing().connected).await;
    say(&mut node, cdr(1)).await;
    world.clock.advance(Micros::seconds(5));
    let (ids, _, data) = world.stop().await;
    assert_eq!(ids, ["n/1.0/1"]);
    let next = Source::new("connect:test", data.path(), Timestamp(BEGUN.0 + 60_000_000));
    assert_eq!(next.standing().missed_since, Some(Timestamp(BEGUN.0 + 5_000_000)));
}

/// What was heard and not kept is missing, too: the gap begins when the last that is safe was read.
#[tokio::test]
async fn what_the_journal_does_not_take_belongs_to_the_gap() {
    let world = World::new("ami", "user = \"u\"\nsecret = \"s3cret\"", Mood::FullAfter(1)).await;
    let mut node = world.let_in().await;
    say(&mut node, cdr(1)).await;
    world.until("the first record", |world| world.ids().len() == 1).await;
    world.clock.advance(Micros::seconds(10));
    say(&mut node, cdr(2)).await;
    // The connection is given up, so that the gap has an end.
    world.until("the loss", |world| !world.source.standing().connected).await;
    let standing = world.source.standing();
    assert_eq!(standing.trouble.as_deref(), Some("what it reported could not be kept"));
    assert_eq!(standing.missed_since, Some(BEGUN));
    assert_eq!(world.taken.lock().unwrap().batches, 2);
    world.clock.advance(Micros::seconds(10));
    let _again = world.let_in().await;
    world.until("the end of the gap", |world| world.source.standing().connected).await;
    let gap = (BEGUN, Timestamp(BEGUN.0 + 20_000_000));
    assert_eq!(world.source.standing().last_gap, Some(gap));
    world.stop().await;
}
