//! How long until a record that a node sent is seen in its account's usage, while others send at their pace.
//!
//! A probe sends calls of an account that nobody else uses, one every few milliseconds whatever became of the one before, and asks
//! for that account's usage over and over. The time of a call runs from when it was due to the end of the first answer that
//! counts it, so a millisecond and a question's own time are in it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use callrated::time::Timestamp;

use super::daemon::{Daemon, connect};
use super::senders;

/// Between two calls of the probe.
const EVERY: Duration = Duration::from_millis(10);
/// A call that is not seen by then is a fault, not a delay.
const PATIENCE: Duration = Duration::from_secs(60);

/// Until the others have sent all; sorted.
pub fn probe(daemon: &Daemon, sent: &AtomicBool) -> Vec<Duration> {
    let (mut stream, _answers) = senders::hello(daemon.tcp);
    let mut usage = Usage::open(daemon);
    let begun = Instant::now();
    let due = |i: usize| begun + EVERY * i as u32;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    let answer = Timestamp((now.as_secs() as i64 - 60) * 1_000_000);
    let (mut times, mut made) = (Vec::new(), 0);
    loop {
        let now = Instant::now();
        while due(made) <= now && !sent.load(Ordering::Relaxed) {
            let call = format!(
                r#"{{"id":"probe-{made}","node":"probe","source":"+390600000100","destination":"+390698765432","start":"{answer}","answer":"{answer}","duration":60,"cause":16,"seq":{made}}}"#
            );
            stream.write_all((call + "\n").as_bytes()).expect("it reads");
            made += 1;
        }
        // So that the questions are no load of their own: none where all calls are seen.
        std::thread::sleep(Duration::from_millis(1));
        if times.len() == made && !sent.load(Ordering::Relaxed) {
            continue;
        }
        let seen = usage.calls();
        let now = Instant::now();
        times.extend((times.len()..seen).map(|i| now.saturating_duration_since(due(i))));
        if sent.load(Ordering::Relaxed) && times.len() >= made {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{} of {made} calls were seen", times.len());
    }
    times.sort_unstable();
    times
}

/// Asks for the probe's usage, always on the same connection.
struct Usage {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Usage {
    fn open(daemon: &Daemon) -> Usage {
        let stream = connect(daemon.http);
        stream.set_nodelay(true).expect("a setting");
        let answers = BufReader::new(stream.try_clone().expect("a second handle"));
        Usage { stream, answers }
    }

    fn calls(&mut self) -> usize {
        self.stream
            .write_all(
                b"GET /v1/accounts/umbrella/usage HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n",
            )
            .expect("a question");
        let (mut line, mut length) = (String::new(), 0);
        while line.trim_end() != "" || length == 0 {
            line.clear();
            assert!(self.answers.read_line(&mut line).expect("a header") > 0, "it hung up");
            let header = line.to_ascii_lowercase();
            length = header.strip_prefix("content-length: ").map_or(length, |n| n.trim().parse().expect("a length"));
        }
        let mut body = vec![0; length];
        self.answers.read_exact(&mut body).expect("a body");
        let body = String::from_utf8_lossy(&body);
        let counts = body.split(r#""calls":"#).skip(1).map(|rest| rest.split([',', '}']).next().unwrap_or_default());
        counts.filter_map(|n| n.trim().parse::<usize>().ok()).sum()
    }
}
