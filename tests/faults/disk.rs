//! The disk runs full and has room again; a sync fails.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::daemon::{Place, wait_for};
use super::*;

/// A file system in memory that ends with the test.
struct Small(PathBuf);

impl Small {
    /// None where it may not be mounted.
    fn mount(at: PathBuf, megabytes: u32) -> Option<Small> {
        std::fs::create_dir_all(&at).unwrap();
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"]).arg(&at).output();
        if done.is_ok_and(|done| done.status.success()) {
            return Some(Small(at));
        }
        eprintln!("skipped: a small file system can only be mounted by root");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// The status and `Retry-After` of a posted record.
fn post(daemon: &Daemon, line: &str) -> (u16, bool) {
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.http)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = line.len();
    write!(
        stream,
        "POST /v1/calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{line}"
    )
    .unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.to_ascii_lowercase().contains("\r\nretry-after: "))
}

/// Lines with a kilobyte that nobody interprets: the journal and the store grow in another ratio than usual. What is stored
/// must take little of the small disk beside what goes once it is stored, else the doors would rightly stay closed.
fn long_lines(name: &str, count: usize) -> Vec<String> {
    let note = "x".repeat(1000);
    let long = |line: String| format!("{},\"note\":\"{note}\"}}", line.strip_suffix('}').unwrap());
    lines(name, count).into_iter().map(long).collect()
}

const SETTINGS: &str = "[journal]\nmin_free = \"24MiB\"\n[flush]\nevery = \"200ms\"\ncalls = 5000\n";

#[test]
fn doors_close_when_unstored_segments_fill_the_disk_and_open_when_there_is_room() {
    let place = Place::new("0.25");
    let Some(small) = Small::mount(place.path("data"), 64) else { return };
    let udp = daemon::free_port();
    let settings = format!("{SETTINGS}[[listen]]\nprotocol = \"udp\"\naddress = \"127.0.0.1:{udp}\"\n");
    let mut daemon = place.start(&settings, &[]);
    send(&daemon, &lines("before", 100));
    let ready = || daemon.ask("GET", "/readyz", "").unwrap();

    // Somebody else fills the disk, and clears it again.
    let filler = small.0.join("somebody-elses");
    std::fs::write(&filler, vec![1; 34 << 20]).unwrap();
    wait_for("closed doors", || ready().0 == 503);
    assert!(ready().1.contains("the journal has no room"), "{}", ready().1);
    assert_eq!(post(&daemon, &lines("refused", 1)[0]), (503, true));
    std::fs::remove_file(&filler).unwrap();
    wait_for("open doors", || ready().0 == 200);
    send(&daemon, &lines("between", 100));
    all_stored(&daemon);

    // The store is away, and the journal fills the disk.
    let lock = rusqlite::Connection::open(place.path("data/callrated.db")).unwrap();
    lock.busy_timeout(PATIENCE).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let all = long_lines("filling", 60_000);
    let (mut durable, mut answer) = (0, String::new());
    while answer.is_empty() {
        let chunk = &all[durable..durable + 1_000];
        let (taken, other) = Dialogue::open(&daemon).send(chunk, 0);
        durable += taken;
        answer = other;
    }
    assert!(answer.contains("journal full"), "{answer}");
    assert!(durable > 5_000, "{durable}");
    // The store says no only after it waited for the lock a while.
    wait_for("both reasons", || {
        let (status, why) = ready();
        status == 503 && why.contains("the journal has no room") && why.contains("the store is away")
    });
    assert_eq!(post(&daemon, &all[durable]), (503, true));
    // What is acknowledged is known, though it is nowhere but in the journal.
    has(&daemon, 200 + durable);

    // A datagram is lost, and counted.
    let refused = daemon.metric("callrated_records_refused_total", "reason=\"journal_full\"");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(all[durable].as_bytes(), ("127.0.0.1", udp)).unwrap();
    let udp_refused = || daemon.metric("callrated_records_refused_total", "reason=\"journal_full\"") == refused + 1;
    wait_for("the refused datagram", udp_refused);

    // A plain sender waits: its lines are taken in the end, without it doing anything.
    // More than the buffers of its socket, of the daemon's, and the batches in flight can hold.
    let plain: Vec<String> = long_lines("plain", 15_000);
    let text: String = plain.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.tcp)).unwrap();
    socket2::SockRef::from(&stream).set_send_buffer_size(64 << 10).unwrap();
    // A daemon that never takes them is a failure, not a hang.
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let sending = std::thread::spawn(move || {
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    });
    std::thread::sleep(Duration::from_millis(300));
    has(&daemon, 200 + durable);

    lock.execute_batch("ROLLBACK").unwrap();
    sending.join().unwrap();
    wait_for("the plain sender's calls", || usage(&daemon).0 as usize >= 200 + durable + plain.len());
    // Until the store has all of it, the doors may close once more.
    let (rest, taken) = (&all[durable..durable + 1_000], std::cell::Cell::new(0));
    wait_for("all of the rest to be taken", || {
        all_stored(&daemon);
        wait_for("open doors", || ready().0 == 200);
        taken.set(taken.get() + Dialogue::open(&daemon).send(&rest[taken.get()..], 0).0);
        taken.get() == rest.len()
    });
    let calls = 200 + durable + plain.len() + rest.len();
    has(&daemon, calls);
    all_stored(&daemon);
    assert_eq!(stored(&place), calls);
    assert!(daemon.log().contains("went before their time"), "{}", daemon.log());
    assert_eq!(daemon.metric("callrated_books_unbalanced", ""), 0);
    daemon.signal("-TERM");
    assert!(daemon.ended().success());
    drop(small);
}

#[test]
fn after_a_failed_sync_the_daemon_ends_and_has_acknowledged_nothing_more() {
    let place = Place::new("0.25");
    let Some(library) = preload::library(place.folder.path()) else { return };
    let trigger = place.path("the-disk-is-dying");
    let environment = [("LD_PRELOAD", library.to_str().unwrap()), ("FAIL_SYNC_WHILE", trigger.to_str().unwrap())];
    let mut daemon = place.start("[flush]\nevery = \"1h\"\n", &environment);
    let lines = lines("sync", 3);
    daemon.records(&lines[..1]);
    let mut dialogue = Dialogue::open(&daemon);
    std::fs::write(&trigger, "").unwrap();
    let (durable, other) = dialogue.send(&lines[1..2], 0);
    assert!(durable == 0 && (other.is_empty() || other.contains("error")), "{durable} {other}");
    if let Some((status, body)) = daemon.ask("POST", "/v1/calls", &lines[2]) {
        assert_eq!(status, 503, "{body}");
    }
    assert_eq!(daemon.ended().code(), Some(3), "{}", daemon.log());
    let log = daemon.log();
    assert!(log.contains("cannot sync") && log.contains(".seg"), "{log}");
    std::fs::remove_file(&trigger).unwrap();

    // The first one was acknowledged; of the others nobody knows, so they are sent again.
    let daemon = place.start("", &environment);
    assert!((1..=3).contains(&usage(&daemon).0));
    daemon.records(&lines);
    has(&daemon, 3);
}

#[test]
fn a_full_disk_under_the_store_keeps_flushes_waiting_and_nobody_else() {
    let place = Place::new("0.25");
    let Some(small) = Small::mount(place.path("store"), 16) else { return };
    let settings = "[store]\nurl = \"sqlite:store/callrated.db\"\n[flush]\nevery = \"100ms\"\n";
    let daemon = place.start(settings, &[]);
    send(&daemon, &lines("before", 100));
    all_stored(&daemon);
    // Somebody else takes all that is left of it.
    let mut filler = std::fs::File::create(small.0.join("somebody-elses")).unwrap();
    while filler.write_all(&[1; 4096]).is_ok() {}
    send(&daemon, &lines("during", 30_000));
    store_is_missed(&daemon, "the disk that holds the store is full");
    has(&daemon, 30_100);
    drop(filler);
    std::fs::remove_file(small.0.join("somebody-elses")).unwrap();
    all_stored(&daemon);
    let store = rusqlite::Connection::open(small.0.join("callrated.db")).unwrap();
    let stored: i64 = store.query_row("SELECT count(*) FROM call_details", (), |row| row.get(0)).unwrap();
    assert_eq!((stored, daemon.metric("callrated_store_up", "")), (30_100, 1));
    assert_eq!(daemon.metric("callrated_books_unbalanced", ""), 0);
    drop((store, daemon, small));
}
