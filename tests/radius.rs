//! RADIUS accounting from outside: calls told in halves over UDP, a kill between the halves, repeats, a lost index, a
//! restarted gateway; and `radclient` with a lost answer. Each call is charged once, and the books balance.
//!
//! The talk time expected is counted here from what was sent; nothing of the program is asked for it.

// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use md5::{Digest, Md5};
use serde_json::Value;

#[path = "process/ports.rs"]
mod ports;
mod programs;

use ports::free_port;

const SECRET: &str = "s3cret";
const CALLER: &str = "+442079460001";
const CALLED: &str = "+441132960100";
/// Longest wait for anything: far beyond what a loaded machine needs, so that a hang is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(120);

const PLANS: &str = "[plan.gb]\ncountry = \"GB\"\ncurrency = \"GBP\"\nincluded_minutes = 0\noverage_rate = \"0.06\"\n\
                     steps = { mode = \"up\", increment = 1 }\ndecks = []\n";

/// A daemon in a folder of its own, with a RADIUS listener.
struct Daemon {
    child: Child,
    radius: u16,
    http: u16,
}

impl Daemon {
    fn start(folder: &Path) -> Daemon {
        let rates = folder.join("rates");
        if !rates.exists() {
            let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
            std::fs::create_dir_all(rates.join("decks")).unwrap();
            for file in ["countries.toml", "numbering.csv"] {
                std::fs::copy(shipped.join(file), rates.join(file)).unwrap();
            }
            let accounts =
                "account,plan,country,billing_start,timezone,language,extensions\nacme,gb,GB,2020-01-01,UTC,en,\n";
            std::fs::write(rates.join("plans.toml"), PLANS).unwrap();
            std::fs::write(rates.join("accounts.csv"), accounts).unwrap();
            std::fs::write(rates.join("numbers.csv"), format!("number,account\n{CALLER},acme\n")).unwrap();
            let secret = folder.join("radius.secret");
            std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
            std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        let (radius, http) = (free_port(), free_port());
        let config = format!(
            "rates_dir = \"rates\"\ndata_dir = \"data\"\n[flush]\nevery = \"1s\"\n\
             [[listen]]\nprotocol = \"radius\"\naddress = \"127.0.0.1:{radius}\"\ncountry = \"GB\"\n\
             secret = {{ file = \"radius.secret\" }}\n\
             [[listen.clients]]\naddress = \"127.0.0.0/8\"\nnode = \"proxy\"\n\
             [http]\naddress = \"127.0.0.1:{http}\"\n"
        );
        std::fs::write(folder.join("callrated.toml"), config).unwrap();
        let mut child =
            Command::new(env!("CARGO_BIN_EXE_callrated")).current_dir(folder).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.is_ok_and(|l| l.contains("is ready"))), "the daemon did not become ready");
        std::thread::spawn(move || lines.for_each(drop));
        Daemon { child, radius, http }
    }

    /// No goodbye: the process is gone between two instructions.
    fn kill(self) {
        drop(self);
    }

    fn get(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Calls rated, seconds of talk, and what waits in suspense; everything stored adds up.
    fn comes_to(&self) -> (u64, i64, Value) {
        let verified = self.get("/v1/verify");
        assert_eq!(verified["balanced"], true, "{verified}");
        let now = jiff::Timestamp::now();
        // What was told a moment ago may lie in the month before.
        let mut periods = [now, now - jiff::SignedDuration::from_hours(24)]
            .map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m").to_string())
            .to_vec();
        periods.dedup();
        let (mut calls, mut seconds) = (0, 0);
        for period in periods {
            let usage = self.get(&format!("/v1/accounts/acme/usage?period={period}"));
            for line in usage["totals"].as_array().unwrap() {
                calls += line["calls"].as_u64().unwrap();
                seconds += line["billable_seconds"].as_i64().unwrap();
            }
        }
        (calls, seconds, self.get("/v1/suspense")["counts"].clone())
    }
}

/// A failed test leaves nobody behind either.
impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client as Kamailio has it: a new socket for each request.
struct Client<'a> {
    daemon: &'a Daemon,
    id: u8,
}

impl Client<'_> {
    /// Sends a packet until it is answered, as clients do.
    fn tell(&mut self, attributes: &[(u8, Vec<u8>)]) {
        self.id = self.id.wrapping_add(1);
        let packet = request(self.id, attributes);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "never answered");
            socket.send_to(&packet, ("127.0.0.1", self.daemon.radius)).unwrap();
            let mut answer = [0; 64];
            let Ok(length) = socket.recv(&mut answer) else { continue };
            let mut expected = vec![5, self.id, 0, 20];
            let mut signed = expected.clone();
            signed.extend_from_slice(&packet[4..20]);
            signed.extend_from_slice(SECRET.as_bytes());
            expected.extend_from_slice(&Md5::digest(&signed));
            assert_eq!(answer[..length], expected[..]);
            return;
        }
    }
}

fn request(id: u8, attributes: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut packet = vec![4, id, 0, 0];
    packet.resize(20, 0);
    for (kind, value) in attributes {
        packet.extend_from_slice(&[*kind, value.len() as u8 + 2]);
        packet.extend_from_slice(value);
    }
    let length = (packet.len() as u16).to_be_bytes();
    packet[2..4].copy_from_slice(&length);
    let mut signed = packet.clone();
    signed.extend_from_slice(SECRET.as_bytes());
    let authenticator = Md5::digest(&signed);
    packet[4..20].copy_from_slice(&authenticator);
    packet
}

/// One half of a call in the way of Kamailio: no talk time anywhere, the number called in the first half only.
fn half(call: usize, status: u32, at: i64, delay: u32) -> Vec<(u8, Vec<u8>)> {
    let number = |value: u32| value.to_be_bytes().to_vec();
    let mut attributes = vec![
        (40, number(status)),
        (6, number(15)),
        (101, number(if status == 1 { 1 } else { 8 })),
        (102, number(200)),
        (55, number(at as u32)),
        (41, number(delay)),
        (44, format!("call-{call}@lab").into_bytes()),
        (31, CALLER.as_bytes().to_vec()),
    ];
    // The called side hangs up every other call, so the tags stand the other way round.
    let (from, to) = if status == 2 && call % 2 == 1 { ("callee", "caller") } else { ("caller", "callee") };
    attributes.push((105, from.as_bytes().to_vec()));
    attributes.push((104, to.as_bytes().to_vec()));
    if status == 1 {
        attributes.push((30, CALLED.as_bytes().to_vec()));
    }
    attributes
}

#[test]
fn halves_of_calls_survive_a_kill_and_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let now = jiff::Timestamp::now().as_second();
    let answer = |call: usize| now - 3600 + call as i64;
    let talk = |call: usize| 10 + call as i64;
    let calls = 20;
    let all: i64 = (0..calls).map(talk).sum();

    let daemon = Daemon::start(folder.path());
    let mut client = Client { daemon: &daemon, id: 0 };
    for call in 0..calls {
        // Every fourth Stop overtakes its Start.
        let (first, at) = if call % 4 == 3 { (2, answer(call) + talk(call)) } else { (1, answer(call)) };
        client.tell(&half(call, first, at, 0));
    }
    // All of them are stored as halves; then some become whole, and some of these are in the journal only.
    assert_eq!(daemon.comes_to(), (0, 0, serde_json::json!({})));
    let second = |client: &mut Client<'_>, call: usize, delay: u32| {
        let (step, at) = if call % 4 == 3 { (1, answer(call)) } else { (2, answer(call) + talk(call)) };
        client.tell(&half(call, step, at, delay));
    };
    (0..7).for_each(|call| second(&mut client, call, 0));
    daemon.kill();

    let daemon = Daemon::start(folder.path());
    let mut client = Client { daemon: &daemon, id: 100 };
    // The client did not hear of the last ones: the same with another id and a delay, twice; and the rest.
    (5..calls).for_each(|call| second(&mut client, call, 9));
    (5..calls).for_each(|call| second(&mut client, call, 12));
    let whole = (calls as u64, all, serde_json::json!({}));
    assert_eq!(daemon.comes_to(), whole);
    // What was received of a call: both packets.
    let found = daemon.get("/v1/records/proxy/call-0@lab;callee;caller");
    let raw = found["records"][0]["received"]["raw"].as_str().unwrap();
    let session = "call-0@lab".bytes().fold(String::new(), |mut hex, b| {
        write!(hex, "{b:02x}").unwrap();
        hex
    });
    assert!(raw.starts_with("hex:04") && raw.matches(&session).count() == 2, "{raw}");
    daemon.kill();

    // The index of what was seen is lost; it is made again, and everything told once more changes nothing.
    std::fs::remove_dir_all(folder.path().join("data/identity")).unwrap();
    let daemon = Daemon::start(folder.path());
    let mut client = Client { daemon: &daemon, id: 200 };
    for call in 0..calls {
        client.tell(&half(call, 1, answer(call), 60));
        client.tell(&half(call, 2, answer(call) + talk(call), 60));
    }
    assert_eq!(daemon.comes_to(), whole);
    daemon.kill();
}

#[test]
fn a_restarted_gateway_leaves_its_calls_in_suspense_until_their_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let now = jiff::Timestamp::now().as_second();
    let daemon = Daemon::start(folder.path());
    let mut client = Client { daemon: &daemon, id: 0 };
    client.tell(&half(1, 1, now - 100, 0));
    client.tell(&half(2, 1, now - 90, 0));
    client.tell(&[(40, vec![0, 0, 0, 7]), (55, (now as u32 - 50).to_be_bytes().to_vec())]);
    assert_eq!(daemon.comes_to(), (0, 0, serde_json::json!({ "unfinished": 2 })));
    daemon.kill();
    let daemon = Daemon::start(folder.path());
    let mut client = Client { daemon: &daemon, id: 9 };
    client.tell(&half(2, 2, now - 60, 55));
    assert_eq!(daemon.comes_to(), (1, 30, serde_json::json!({ "unfinished": 1 })));
    daemon.kill();
}

/// Debian's own client, whose first answer is lost on the way: it asks again, and pays once.
#[test]
fn radclient_with_a_lost_answer_pays_once() {
    if !programs::are_here(&["radclient"], "freeradius-utils") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let between = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = between.local_addr().unwrap();
    let lost = AtomicUsize::new(0);
    let now = jiff::Timestamp::now();
    let clock = |at: jiff::Timestamp| {
        at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%H:%M:%S%.3f UTC %a %b %-d %Y").to_string()
    };
    let (answer, end) = (now - jiff::SignedDuration::from_secs(100), now - jiff::SignedDuration::from_millis(38_667));
    let text = format!(
        "Acct-Status-Type = Stop\nAcct-Session-Id = \"0A1B2C3D\"\nCalling-Station-Id = \"{CALLER}\"\n\
         Called-Station-Id = \"{CALLED}\"\nAcct-Session-Time = 61\nEvent-Timestamp = {}\n\
         h323-conf-id = \"h323-conf-id=0A1B2C3D 00112233 44556677 8899AABB\"\nh323-call-origin = \"h323-call-origin=answer\"\n\
         h323-connect-time = \"h323-connect-time=*{}\"\nh323-disconnect-time = \"h323-disconnect-time=*{}\"\n",
        end.as_second(),
        clock(answer),
        clock(end)
    );
    let file = folder.path().join("in.txt");
    std::fs::write(&file, text).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Passes packets on, and loses the first answer.
            let onward = UdpSocket::bind("127.0.0.1:0").unwrap();
            onward.connect(("127.0.0.1", daemon.radius)).unwrap();
            onward.set_read_timeout(Some(PATIENCE)).unwrap();
            between.set_read_timeout(Some(PATIENCE)).unwrap();
            for turn in 0..2 {
                let mut packet = [0; 4096];
                let (length, from) = between.recv_from(&mut packet).unwrap();
                onward.send(&packet[..length]).unwrap();
                let length = onward.recv(&mut packet).unwrap();
                if turn == 0 {
                    lost.fetch_add(1, Ordering::Relaxed);
                } else {
                    between.send_to(&packet[..length], from).unwrap();
                }
            }
        });
        let done = Command::new("radclient")
            .args(["-x", "-r", "5", "-t", "1", "-f"])
            .arg(&file)
            .args([&address.to_string(), "acct", SECRET])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success() && said.contains("Received Accounting-Response"), "{said}");
    });
    assert_eq!(lost.load(Ordering::Relaxed), 1);
    // 61.333 seconds in steps of one.
    assert_eq!(daemon.comes_to(), (1, 62, serde_json::json!({})));
    daemon.kill();
}
