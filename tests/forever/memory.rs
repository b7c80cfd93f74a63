//! Call details of any size are streamed: the daemon's memory does not grow with what is asked for.

use std::io::{Read, Write};
use std::net::TcpStream;

use callrated::batch::Position;
use callrated::call::{LegKey, RatedCall};
use callrated::store::sqlite::SqliteStore;
use callrated::store::{BasisText, CallRow, FlushBatch, Store, StoredCall, Visit};
use callrated::time::Timestamp;

use crate::process::daemon::{Daemon, EACH_SECOND, wait_for};
use crate::process::{german, rates_folder};

/// Rows of the month: by far more than a page, and than the places of one account that are in memory at once.
const ROWS: u64 = 320_000;
/// Rows of a flush.
const FLUSH: u64 = 40_000;
/// What a download may add: pages, the places of an account of this size (40 bytes each, 262,144 at most), a row group of
/// Parquet. The downloads themselves are several times that.
const GROWTH_MAX: u64 = 40 << 20;

/// Most memory that the process ever had, in bytes.
fn high_water(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Bytes and line ends of an answer, which is not kept.
fn drained(daemon: &Daemon, path: &str, accept: &str) -> (u64, u64) {
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.http)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: l\r\nAccept: {accept}\r\nConnection: close\r\n\r\n").unwrap();
    let (mut bytes, mut lines, mut buffer) = (0, 0, vec![0; 1 << 16]);
    let mut begins = Vec::new();
    loop {
        let some = stream.read(&mut buffer).unwrap();
        if some == 0 {
            assert!(begins.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&begins));
            return (bytes, lines);
        }
        begins.extend(buffer[..some].iter().take(200_usize.saturating_sub(begins.len())));
        bytes += some as u64;
        lines += buffer[..some].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
}

/// A month of so many calls of one account, by the store's own writer, each like the one that is there.
fn filled(folder: &std::path::Path, rows: u64) {
    let store = SqliteStore::open(&folder.join("data/callrated.db")).unwrap();
    let mut one = None;
    let all = store.scan(None, callrated::store::ScanOrder::Stored, &mut |stored: &StoredCall<'_>| {
        one = Some(stored.to_owned_call());
        Visit::Break(())
    });
    all.unwrap();
    let one = one.expect("a call");
    let text = one.text.clone();
    let describe = move |_: &_| -> BasisText { text.clone() };
    let mut from = store.load().unwrap().position.0;
    for flush in (0..rows).step_by(FLUSH as usize) {
        let ids: Vec<String> = (flush..rows.min(flush + FLUSH)).map(|i| format!("{i:032x}")).collect();
        let calls: Vec<CallRow<'_>> = (ids.iter().enumerate())
            .map(|(i, id)| CallRow {
                call: RatedCall {
                    key: LegKey { position: Position(from + i as u64), leg: one.call.key.leg },
                    answer: Timestamp(one.call.answer.0 + (flush + i as u64) as i64),
                    ..one.call
                },
                node: &one.node,
                id: id.as_bytes(),
                source_dialled: &one.source_dialled,
                destination_dialled: &one.destination_dialled,
                start: None,
                grounds: one.grounds.as_ref().map(|grounds| grounds.borrowed()),
                revision: 0,
                run: None,
                named_tariff: false,
                draws: b"",
            })
            .collect();
        let upto = from + calls.len() as u64;
        let batch = FlushBatch::empty(Position(from), Position(upto), Timestamp(1));
        store.flush(&FlushBatch { calls: &calls, describe: &describe, ..batch }).unwrap();
        from = upto;
    }
}

#[test]
fn call_details_of_any_size_are_streamed_at_constant_memory() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let daemon = Daemon::start_with(folder.path(), EACH_SECOND);
    // The middle of the month before: one month in every zone.
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().first_of_month();
    let month = now.checked_sub(jiff::Span::new().months(1)).unwrap().strftime("%Y-%m").to_string();
    let call = serde_json::json!({
        "id": "one", "node": "sbc", "account": "de00", "direction": "outbound", "source": german(0),
        "destination": "00442079460123", "answer": format!("{month}-15T10:00:00Z"), "duration": 61,
    });
    daemon.send_http(&[&call.to_string()]);
    wait_for("it is stored", || daemon.ask("GET", "/v1/calls/sbc/one", "").0 == 200);
    assert_eq!(daemon.terminate().0.code(), Some(0));
    filled(folder.path(), ROWS);

    let daemon = Daemon::start_with(folder.path(), EACH_SECOND);
    let account = format!("/v1/accounts/de00/calls?period={month}");
    let whole = format!("/v1/periods/{month}/calls");
    let before = high_water(&daemon);
    let mut downloads = vec![(&account, "text/csv"), (&whole, "text/csv"), (&whole, "application/x-ndjson")];
    if cfg!(feature = "parquet") {
        downloads.push((&whole, "application/vnd.apache.parquet"));
    }
    for (path, accept) in downloads {
        let (bytes, lines) = drained(&daemon, path, accept);
        let grown = high_water(&daemon) - before;
        println!("{path} as {accept}: {} MiB, and {} MiB more memory", bytes >> 20, grown >> 20);
        assert!(accept.contains("parquet") || lines > ROWS, "{lines} lines of {path} as {accept}");
        assert!(accept.contains("parquet") || bytes > GROWTH_MAX / 2, "{bytes} bytes of {path} as {accept}");
        assert!(grown < GROWTH_MAX, "{path} as {accept}: {} MiB more for {} MiB", grown >> 20, bytes >> 20);
    }
}
