//! What a download costs the daemon: read as it comes, counted and thrown away.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use super::daemon::{Daemon, PATIENCE};
use super::german;

/// The most that memory may grow by one download of so many calls: what is read of the store stays in a cache, and of an
/// account with very many calls their places are held, both up to a limit; the rest is the same for any number.
fn growth_max(folder: &Path, calls: usize) -> u64 {
    let store = folder.join("data/callrated.db").metadata().unwrap().len();
    (24 << 20) + store.min(32 << 20) + (calls as u64 * 40).min(10 << 20)
}

/// What came of a download.
pub struct Downloaded {
    pub bytes: u64,
    pub lines: u64,
    /// Rows that its head promises.
    pub calls: Option<u64>,
}

/// Bytes of memory that a process has now, and the most that it had at once since it was asked to forget.
fn memory(process: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// The most begins anew with what it has now: a start needs more than a daemon that runs.
fn forget_peak(process: u32) {
    std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
}

/// Downloads; where the daemon has more to store first than it lets anybody wait for, again.
fn downloaded(port: u16, path: &str, kind: &str) -> Downloaded {
    let begun = Instant::now();
    loop {
        match download(port, path, kind) {
            Ok(done) => return done,
            Err(head) => {
                assert!(head.starts_with("http/1.0 503") && begun.elapsed() < PATIENCE, "{path}: {head}");
            }
        }
    }
}

/// What came; or the head of another answer than 200.
fn download(port: u16, path: &str, kind: &str) -> Result<Downloaded, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // By HTTP/1.0 a body is not told in pieces.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: {kind}\r\n\r\n").unwrap();
    let mut answer = BufReader::new(stream);
    let (mut head, mut line) = (String::new(), String::new());
    while answer.read_line(&mut line).unwrap() > 2 {
        head.push_str(&line.to_ascii_lowercase());
        line.clear();
    }
    if !head.starts_with("http/1.0 200") {
        return Err(head);
    }
    assert!(!head.contains("chunked"), "{head}");
    let calls = head.lines().find_map(|line| line.strip_prefix("callrated-calls: ")?.trim().parse().ok());
    let mut got = Downloaded { bytes: 0, lines: 0, calls };
    let mut buffer = vec![0; 64 << 10];
    loop {
        let some = answer.read(&mut buffer).unwrap();
        if some == 0 {
            return Ok(got);
        }
        got.bytes += some as u64;
        got.lines += buffer[..some].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
}

/// The month before this one: all of it lies within the 90 days of R2.
fn month() -> String {
    let first = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().first_of_month();
    first.checked_sub(jiff::Span::new().months(1)).unwrap().strftime("%Y-%m").to_string()
}

fn send(daemon: &Daemon, month: &str, calls: std::ops::Range<usize>) {
    for chunk in calls.collect::<Vec<_>>().chunks(5000) {
        let line = |i: &usize| {
            // Every other call is of one account, which so is a large one.
            let source = german(if i.is_multiple_of(2) { 0 } else { i / 2 % 40 });
            let (day, hour, minute, second) = (1 + i * 7 % 28, i % 24, i / 24 % 60, i / 1440 % 60);
            format!(
                r#"{{"id":"call-{i}","node":"sbc","source":"{source}","destination":"0044207946{:04}","answer":"{month}-{day:02}T{hour:02}:{minute:02}:{second:02}Z","duration":{}}}"#,
                i % 10_000,
                1 + i % 300,
            )
        };
        let lines: Vec<String> = chunk.iter().map(line).collect();
        daemon.send_http(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// Fills a month up to each size, and downloads it in each way from a daemon that has done nothing else: how much its memory
/// grows at most. Of accounts, the one with more than half of the calls is asked for.
pub fn grow(folder: &Path, sizes: &[usize], kinds: &[&str]) {
    super::rates_folder(folder);
    let (month, mut stored) = (month(), 0);
    for size in sizes {
        let daemon = Daemon::start(folder);
        send(&daemon, &month, stored..*size);
        stored = *size;
        assert_eq!(daemon.terminate().0.code(), Some(0));
        let daemon = Daemon::start(folder);
        for kind in kinds {
            // Everything that a first request wakes is awake.
            downloaded(daemon.http, "/v1/periods/2019-01/calls", kind);
            for path in [format!("/v1/periods/{month}/calls"), format!("/v1/accounts/de00/calls?period={month}")] {
                forget_peak(daemon.id());
                let before = memory(daemon.id()).0;
                let got = downloaded(daemon.http, &path, kind);
                let peak = memory(daemon.id()).1;
                let grown = peak.saturating_sub(before);
                let (asked, mib) = (path.trim_start_matches("/v1/"), |bytes: u64| bytes as f64 / f64::from(1 << 20));
                println!(
                    "{size} calls, {kind} of {asked}: {:.1} MiB come, memory grows by {:.1} MiB to {:.1} MiB",
                    mib(got.bytes),
                    mib(grown),
                    mib(peak)
                );
                if path.contains("periods") {
                    assert_eq!(got.calls, Some(stored as u64));
                    let rows = match *kind {
                        "text/csv" => Some(got.lines - 1),
                        "application/x-ndjson" => Some(got.lines),
                        _ => None,
                    };
                    assert!(rows.is_none_or(|rows| rows == stored as u64), "{rows:?}");
                }
                assert!(got.bytes > 10 * stored as u64, "{} bytes", got.bytes);
                assert!(grown < growth_max(folder, stored), "{grown} bytes");
            }
        }
    }
}
