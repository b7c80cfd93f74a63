//! The whole road: TCP → durable → rated → stored, the daemon as its own process, the sender beside it.
//!
//! Makes its records from a seed beforehand, so that the sender only writes; then sends them over one connection with the
//! dialogue, waits until all are durable, and asks for the month's totals, which waits until all are stored. Prints calls
//! per second for both, and a hash of the totals, which must not change from run to run. At last, the daemon being at
//! rest, legs that a real FreeSWITCH posted are posted one at a time: how long until each is answered, sync included.
//!
//! ```text
//! cargo bench --bench road                     1,000,000 records
//! cargo bench --bench road -- --records 5000000
//! cargo bench --bench road -- --test           a small run that only shows that it works
//! ```

// A benchmark measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use callrated::time::Timestamp;
use callrated::traffic::recipe::{Caller, Recipe, Traffic};

const RECORDS: u64 = 1_000_000;
const RECORDS_TEST: u64 = 5_000;
/// Posts to a daemon at rest.
const POSTS: usize = 1_000;
const POSTS_TEST: usize = 20;
/// Bytes written in one call: what a busy node's kernel would send.
const CHUNK: usize = 64 << 10;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let small = arguments.iter().any(|a| a == "--test");
    let asked = arguments.iter().position(|a| a == "--records").and_then(|i| arguments.get(i + 1));
    let records = asked.map_or(if small { RECORDS_TEST } else { RECORDS }, |n| n.parse().expect("--records N"));

    let folder = tempfile::tempdir().expect("a temporary folder");
    let (tcp, http, node) = (free_port(), free_port(), free_port());
    let rates = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
    let config = format!(
        "data_dir = \"data\"\nrates_dir = {rates:?}\n[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{tcp}\"\n\
         [[listen]]\nprotocol = \"http\"\naddress = \"127.0.0.1:{node}\"\nformat = \"freeswitch\"\n\
         [http]\naddress = \"127.0.0.1:{http}\"\n"
    );
    std::fs::write(folder.path().join("callrated.toml"), config).expect("a configuration");
    let lines = make(records);
    println!("made {records} records, {} bytes each on average", lines.len() as u64 / records);

    let daemon = Daemon::start(folder.path());
    let stream = connect(tcp);
    let begun = Instant::now();
    let durable = send(stream, &lines, records);
    let stored_totals = totals(http);
    let stored = begun.elapsed();
    let rate = |time: Duration| (records as f64 / time.as_secs_f64()) as u64;
    println!("durable  {:>9} records/s  ({:.2} s)", rate(durable), durable.as_secs_f64());
    println!("stored   {:>9} records/s  ({:.2} s)", rate(stored), stored.as_secs_f64());
    let cpu = daemon.cpu_seconds();
    println!("daemon   {:.2} µs of processor time a record, all threads", cpu * 1e6 / records as f64);
    println!("disk     {} bytes a record", folder_bytes(folder.path()) / records);
    println!("totals   blake3:{}", blake3::hash(stored_totals.as_bytes()).to_hex());
    let mut times = post(node, if small { POSTS_TEST } else { POSTS });
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "posts    {:.2} ms median, {:.2} ms 99 of 100, {:.2} ms longest, of {}",
        at(50),
        at(99),
        at(100),
        times.len()
    );
    drop(daemon);
}

/// Legs as FreeSWITCH posts them, one at a time on one connection: how long each took until it was answered with 200.
fn post(port: u16, count: usize) -> Vec<Duration> {
    let leg = include_str!("../tests/data/captures/freeswitch/cdr_1.json");
    let mut stream = connect(port);
    stream.set_nodelay(true).expect("a setting");
    let mut answers = BufReader::new(stream.try_clone().expect("a second handle"));
    let one = |i: usize| {
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
            length = line
                .to_ascii_lowercase()
                .strip_prefix("content-length: ")
                .map_or(length, |n| n.trim().parse().expect("a length"));
        }
        let mut body = vec![0; length];
        answers.read_exact(&mut body).expect("a body");
        let took = begun.elapsed();
        assert_eq!(body, br#"{"durable":1,"refused":[]}"#, "{}", String::from_utf8_lossy(&body));
        took
    };
    (0..count).map(one).collect()
}

/// Native records as lines, from one seed; answers lie in one month.
fn make(records: u64) -> Vec<u8> {
    let callers = [("+4930600", "DE"), ("+493023125001", "DE"), ("+12125550100", "US"), ("+442079460000", "GB")];
    let callers = callers.iter().map(|(n, c)| Caller { number: (*n).to_owned(), country: (*c).to_owned() }).collect();
    // Receipt is now, and records older than 90 days are implausible; yesterday's calls are what a node sends.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    let from = Timestamp((now.as_secs() as i64 - 86_400) * 1_000_000);
    let recipe = Recipe { disordered: 0.0, ..Recipe::default() };
    let mut traffic = Traffic::new(recipe, 1, 1, callers, from, "bench");
    let mut lines = Vec::new();
    for _ in 0..records {
        lines.extend_from_slice(traffic.next_record().line.as_bytes());
        lines.push(b'\n');
    }
    lines
}

struct Daemon(Child);

impl Daemon {
    fn start(folder: &Path) -> Daemon {
        let mut child = Command::new(env!("CARGO_BIN_EXE_callrated"))
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the daemon starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        assert!(lines.any(|line| line.is_ok_and(|l| l.contains("is ready"))), "the daemon did not become ready");
        // Its later lines have nowhere to go, and nobody to wait for them.
        std::thread::spawn(move || lines.for_each(drop));
        Daemon(child)
    }

    /// User and system time of all its threads so far.
    fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        // Fields 14 and 15 of stat(5), in clock ticks of a hundredth of a second.
        let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).expect("the daemon's listener")
}

/// Writes everything and waits for the last `durable`.
fn send(stream: TcpStream, lines: &[u8], records: u64) -> Duration {
    let mut answers = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut stream = stream;
    stream.write_all(b"{\"hello\":1}\n").expect("hello");
    let mut answer = String::new();
    answers.read_line(&mut answer).expect("an answer to hello");
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| lines.chunks(CHUNK).for_each(|chunk| stream.write_all(chunk).expect("the daemon reads")));
        let needle = format!("{{\"durable\":{records}}}");
        loop {
            answer.clear();
            assert!(answers.read_line(&mut answer).expect("an answer") > 0, "the daemon hung up");
            assert!(!answer.contains("refused"), "{answer}");
            if answer.trim_end() == needle {
                return begun.elapsed();
            }
        }
    })
}

/// The month's totals of all accounts, which come from the store once everything is there.
fn totals(port: u16) -> String {
    let now = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
    let period = now.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m").to_string();
    let mut stream = connect(port);
    let request = format!(
        "GET /v1/periods/{period}/usage HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a question");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer.split("\r\n\r\n").nth(1).unwrap_or("").to_owned()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port()
}

fn folder_bytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => folders.push(entry.path()),
                // Blocks, since the journal takes room before it needs it.
                Ok(meta) => bytes += meta.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    bytes
}
