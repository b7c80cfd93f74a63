//! Who sends: as fast as it goes, at a steady pace, by datagrams, by posts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use callrated::os::thread;

use super::daemon::connect;

/// Bytes written in one call: what a busy node's kernel would send.
const CHUNK: usize = 64 << 10;
/// Between two writes of a steady sender: a network hands over what came in such a while together, and a sender that woke up for
/// every few records would take as much of the two cores as the daemon does.
const TOGETHER: Duration = Duration::from_micros(250);
/// Datagrams between two looks at the clock.
const BURST: usize = 32;

/// Opens the dialogue of a TCP listener: the stream, and where it answers.
pub fn hello(port: u16) -> (TcpStream, BufReader<TcpStream>) {
    let mut stream = connect(port);
    stream.set_nodelay(true).expect("a setting");
    let mut answers = BufReader::new(stream.try_clone().expect("a second handle"));
    stream.write_all(b"{\"hello\":1}\n").expect("hello");
    answers.read_line(&mut String::new()).expect("an answer to hello");
    (stream, answers)
}

/// The next `durable`; every record must be taken.
fn durable(answers: &mut BufReader<TcpStream>, answer: &mut String) -> u64 {
    answer.clear();
    assert!(answers.read_line(answer).expect("an answer") > 0, "it hung up");
    let number = answer.trim_end().strip_prefix("{\"durable\":").and_then(|n| n.strip_suffix('}'));
    number.unwrap_or_else(|| panic!("{answer}")).parse().expect("a number")
}

/// Writes everything and waits for the last `durable`.
pub fn flood(port: u16, lines: &[u8], records: u64) -> Duration {
    let (mut stream, mut answers) = hello(port);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| lines.chunks(CHUNK).for_each(|chunk| stream.write_all(chunk).expect("it reads")));
        let mut answer = String::new();
        while durable(&mut answers, &mut answer) < records {}
        begun.elapsed()
    })
}

/// Sends at a steady pace, whether or not answers come (an open loop), and measures each record from the moment at which
/// it was due to the moment at which it was acknowledged; sorted. Both threads stand for a network, which waits for nobody's
/// processor, so they go first.
pub fn paced(port: u16, lines: &[&[u8]], per_second: u64) -> Vec<Duration> {
    let (mut stream, mut answers) = hello(port);
    let begun = Instant::now() + Duration::from_millis(20);
    let due = |i: usize| begun + Duration::from_nanos(i as u64 * 1_000_000_000 / per_second);
    let mut latencies = Vec::with_capacity(lines.len());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            thread::goes_first();
            let (mut next, mut bytes) = (0, Vec::new());
            while next < lines.len() {
                let now = Instant::now();
                bytes.clear();
                while next < lines.len() && due(next) <= now {
                    bytes.extend_from_slice(lines[next]);
                    next += 1;
                }
                if !bytes.is_empty() {
                    stream.write_all(&bytes).expect("it reads");
                }
                std::thread::sleep((now + TOGETHER).saturating_duration_since(Instant::now()));
            }
        });
        thread::goes_first();
        let mut answer = String::new();
        while latencies.len() < lines.len() {
            let upto = durable(&mut answers, &mut answer) as usize;
            let now = Instant::now();
            latencies.extend((latencies.len()..upto).map(|i| now.saturating_duration_since(due(i))));
        }
    });
    latencies.sort_unstable();
    latencies
}

/// One record a datagram, at a steady pace; the time it took.
pub fn datagrams(port: u16, lines: &[&[u8]], per_second: u64) -> Duration {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.connect(("127.0.0.1", port)).expect("the daemon's port");
    let begun = Instant::now();
    for (burst, lines) in lines.chunks(BURST).enumerate() {
        let due = Duration::from_nanos((burst * BURST) as u64 * 1_000_000_000 / per_second);
        while begun.elapsed() < due {
            std::hint::spin_loop();
        }
        for line in lines {
            socket.send(line).expect("the daemon's socket");
        }
    }
    begun.elapsed()
}

/// Legs as FreeSWITCH posts them, one at a time on one connection: how long each took until it was answered with 200;
/// sorted.
pub fn posts(port: u16, count: usize) -> Vec<Duration> {
    let leg = include_str!("../../tests/data/captures/freeswitch/cdr_1.json");
    let mut stream = connect(port);
    stream.set_nodelay(true).expect("a setting");
    let mut answers = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut one = |i: usize| {
        let body = leg.replace("503dc1a5-81f2-4d78-8749-68c64d536d7e", &format!("{i:08x}-81f2-4d78-8749-68c64d536d7e"));
        let head = format!("POST /?uuid={i} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        let begun = Instant::now();
        stream.write_all((head + &body).as_bytes()).expect("a post");
        let (mut line, mut length) = (String::new(), 0);
        answers.read_line(&mut line).expect("an answer");
        assert!(line.contains(" 200 "), "{line}");
        while line.trim_end() != "" {
            line.clear();
            answers.read_line(&mut line).expect("a header");
            let header = line.to_ascii_lowercase();
            length = header.strip_prefix("content-length: ").map_or(length, |n| n.trim().parse().expect("a length"));
        }
        let mut body = vec![0; length];
        answers.read_exact(&mut body).expect("a body");
        let took = begun.elapsed();
        assert_eq!(body, br#"{"durable":1,"refused":[]}"#, "{}", String::from_utf8_lossy(&body));
        took
    };
    let mut times: Vec<Duration> = (0..count).map(&mut one).collect();
    times.sort_unstable();
    times
}
