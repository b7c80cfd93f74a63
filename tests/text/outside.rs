//! The program from outside: listeners for syslog, HEP and OpenSIPS' stream, fed as nodes do, and the calls that come of it.

// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::stories::packet;

/// Longest wait for anything: far beyond what a loaded machine needs, so that a hang is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(120);

struct Daemon {
    child: Child,
    syslog: u16,
    hep: u16,
    opensips: u16,
    http: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Daemon {
    fn start() -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        let rates = folder.path().join("rates");
        std::fs::create_dir_all(rates.join("decks")).unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
        for file in ["countries.toml", "numbering.csv"] {
            std::fs::copy(shipped.join(file), rates.join(file)).unwrap();
        }
        for (file, text) in [
            (
                "plans.toml",
                "[plan.gb]\ncountry = \"GB\"\ncurrency = \"GBP\"\nincluded_minutes = 2000\noverage_rate = \"0.01\"\ndecks = [\"world\"]\n",
            ),
            ("decks/world.csv", "prefix,destination,rate\n49,Germany,0.03\n"),
            (
                "accounts.csv",
                "account,plan,country,billing_start,timezone,language,extensions\nacme,gb,GB,2020-01-01,UTC,en,\n",
            ),
            ("numbers.csv", "number,account\n+442079460001,acme\n"),
        ] {
            std::fs::write(rates.join(file), text).unwrap();
        }
        let (syslog, hep, opensips, http) = (free_port(), free_port(), free_port(), free_port());
        let config = format!(
            "rates_dir = \"rates\"\ndata_dir = \"data\"\n[flush]\nevery = \"1s\"\n\
             [[listen]]\nprotocol = \"syslog\"\naddress = \"127.0.0.1:{syslog}\"\n\
             [[listen]]\nprotocol = \"hep\"\naddress = \"127.0.0.1:{hep}\"\nkey = \"let me in\"\n\
             [[listen]]\nprotocol = \"tcp\"\nformat = \"opensips\"\naddress = \"127.0.0.1:{opensips}\"\n\
             [http]\naddress = \"127.0.0.1:{http}\"\n"
        );
        std::fs::write(folder.path().join("callrated.toml"), config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_callrated"))
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.is_ok_and(|l| l.contains("is ready"))), "the daemon did not become ready");
        std::thread::spawn(move || lines.for_each(drop));
        Daemon { child, syslog, hep, opensips, http, _folder: folder }
    }

    fn get(&self, path: &str, kind: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {kind}\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        if head.starts_with("HTTP/1.1 200") { body.to_owned() } else { String::new() }
    }

    /// The sum of a metric over its labels that contain a text.
    fn metric(&self, name: &str, label: &str) -> u64 {
        let text = self.get("/metrics", "text/plain");
        let values = text.lines().filter(|l| l.starts_with(name) && l.contains(label));
        values.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// Talk time by id of the record, of all calls that are stored.
    fn calls(&self) -> Vec<(String, String)> {
        let month = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        let mut found = Vec::new();
        // A test that runs at the turn of a month finds its calls in either.
        for month in [month.clone(), month.checked_sub(jiff::Span::new().days(1)).unwrap()] {
            let path = format!("/v1/accounts/acme/calls?columns=full&period={}", month.strftime("%Y-%m"));
            // The answer comes in chunks, whose lengths stand on lines of their own.
            for line in self.get(&path, "application/x-ndjson").lines().filter(|line| line.starts_with('{')) {
                let call: serde_json::Value = serde_json::from_str(line).unwrap();
                let text = |field: &str| call[field].as_str().map_or_else(|| call[field].to_string(), str::to_owned);
                found.push((text("id"), text("duration")));
            }
        }
        found.sort();
        found.dedup();
        found
    }

    fn udp(&self, port: u16, message: &[u8]) {
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(message, ("127.0.0.1", port)).unwrap();
    }

    fn tcp(&self, port: u16, bytes: &[u8]) {
        TcpStream::connect(("127.0.0.1", port)).unwrap().write_all(bytes).unwrap();
    }
}

fn wait_for(what: &str, daemon: &Daemon, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}; calls {:?}", daemon.calls());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Some minutes ago, in whole seconds.
fn lately() -> i64 {
    jiff::Timestamp::now().as_second() - 600
}

fn acc(call: &str, method: &str, at: i64, code: u16) -> String {
    let numbers = if method == "INVITE" { ";src_user=+442079460001;dst_user=+441132960100" } else { "" };
    format!(
        "ACC: transaction answered: timestamp={at};method={method};from_tag=f;to_tag=t;call_id={call};code={code};reason=x{numbers}"
    )
}

#[test]
fn syslog_in_every_framing_hep_and_reliable_opensips() {
    let daemon = Daemon::start();
    let t = lately();
    let mut expected = Vec::new();

    // Syslog: one call of 61 s each way; the line of a failed call twice; lines that are no calls.
    let ends = |call: &str| [acc(call, "INVITE", t, 200), acc(call, "BYE", t + 61, 200)];
    for line in ends("udp") {
        daemon.udp(daemon.syslog, format!("<181>Nov 21 22:01:47 kam kamailio: {line}\0").as_bytes());
    }
    let lf: String = ends("lf").iter().map(|l| format!("<181>Nov 21 22:01:47 kam kamailio[7]: {l}\n")).collect();
    daemon.tcp(daemon.syslog, lf.as_bytes());
    let counted: String = ends("octets")
        .iter()
        .map(|l| format!("<181>1 2026-11-21T22:01:47.489782+00:00 kam kamailio - - -  {l}"))
        .map(|l| format!("{} {l}", l.len()))
        .collect();
    daemon.tcp(daemon.syslog, counted.as_bytes());
    let nul: String = ends("nul").iter().map(|l| format!("<181>kamailio: {l}\0")).collect();
    daemon.tcp(daemon.syslog, nul.as_bytes());
    for _ in 0..2 {
        daemon.udp(
            daemon.syslog,
            format!("<181>Nov 21 22:01:47 kam kamailio: {}", acc("busy", "INVITE", t, 486)).as_bytes(),
        );
    }
    for way in ["udp", "lf", "octets", "nul"] {
        expected.push((format!("{way};f;t"), "61".to_owned()));
    }
    let chatter = "<38>Nov 21 22:01:47 kam sshd[9]: Accepted publickey for root";
    daemon.udp(daemon.syslog, chatter.as_bytes());

    // logger of util-linux, in each framing that it has.
    let mut logger_ways = 0;
    for (name, options) in [
        ("l-udp", &["-d", "--rfc3164"][..]),
        ("l-udp5424", &["-d", "--rfc5424"]),
        ("l-tcp", &["-T", "--rfc3164"]),
        ("l-octets", &["-T", "--octet-count", "--rfc5424"]),
    ] {
        let sent = ends(name).iter().all(|line| {
            let mut logger = Command::new("logger");
            logger
                .args(["-n", "127.0.0.1", "-P", &daemon.syslog.to_string()])
                .args(options)
                .args(["-t", "kamailio", line]);
            logger.status().is_ok_and(|status| status.success())
        });
        if sent {
            logger_ways += 1;
            expected.push((format!("{name};f;t"), "61".to_owned()));
        }
    }
    println!("logger was used in {logger_ways} framings of 4");

    // HEP: a call over datagrams, one over a stream; one packet without the key.
    for (call, stream) in [("h-udp", false), ("h-tcp", true)] {
        let message = |first: &str, method: &str, tag: &str| {
            format!(
                "{first}\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:+442079460001@a>;tag=f\r\nTo: <sip:b@b>{tag}\r\nCall-ID: {call}\r\nCSeq: 1 {method}\r\n\r\n"
            )
        };
        let at = t * 1_000_000;
        let packets = [
            packet(at - 5_000_000, &message("INVITE sip:+441132960100@h SIP/2.0", "INVITE", "")),
            packet(at, &message("SIP/2.0 200 OK", "INVITE", ";tag=t")),
            packet(at + 30_250_000, &message("BYE sip:x SIP/2.0", "BYE", ";tag=t")),
        ];
        let keyed: Vec<Vec<u8>> = packets.iter().map(|p| with_key(p, b"let me in")).collect();
        if stream {
            let mut connection = TcpStream::connect(("127.0.0.1", daemon.hep)).unwrap();
            // However the stream is cut.
            for piece in keyed.concat().chunks(7) {
                connection.write_all(piece).unwrap();
            }
        } else {
            daemon.udp(daemon.hep, &packets[0]);
            keyed.iter().for_each(|packet| daemon.udp(daemon.hep, packet));
        }
        expected.push((format!("{call};f;t"), "30.25".to_owned()));
    }

    // OpenSIPS with reliable_mode: values back to back, answered once they are durable.
    let cdr = |call: &str, id: u32| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"E_ACC_CDR","params":{{"method":"INVITE","from_tag":"f","to_tag":"t","callid":"{call}","sip_code":"200","sip_reason":"OK","time":{t},"caller":"+442079460001","callee":"+441132960100","duration":4,"ms_duration":3006,"setuptime":1,"created":{}}},"id":{id}}}"#,
            t - 1
        )
    };
    let mut connection = TcpStream::connect(("127.0.0.1", daemon.opensips)).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.write_all(format!("{}{}", cdr("o-1", 7), cdr("", 8)).as_bytes()).unwrap();
    let mut answers = String::new();
    let mut byte = [0];
    while !answers.contains("\"id\":8}") {
        connection.read_exact(&mut byte).unwrap();
        answers.push(char::from(byte[0]));
    }
    assert_eq!(
        answers,
        r#"{"jsonrpc":"2.0","result":"ok","id":7}{"jsonrpc":"2.0","error":{"code":-32602,"message":"field \"callid\" is missing"},"id":8}"#
    );
    expected.push(("o-1;f;t".to_owned(), "3.006".to_owned()));

    expected.sort();
    wait_for("every call", &daemon, || daemon.calls().len() >= expected.len());
    assert_eq!(daemon.calls(), expected);
    assert_eq!(daemon.metric("callrated_calls_unanswered_total", ""), 1, "a failed call told twice is one");
    wait_for("the counters", &daemon, || daemon.metric("callrated_records_skipped_total", "not_a_call") >= 1);
    assert_eq!(daemon.metric("callrated_records_refused_total", "malformed_hep"), 1);
    assert_eq!(daemon.metric("callrated_records_refused_total", "listener=\"syslog"), 0);
}

/// The packet with an authentication key behind its last chunk.
fn with_key(packet: &[u8], key: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    packet.extend([0, 0, 0, 14]);
    packet.extend((key.len() as u16 + 6).to_be_bytes());
    packet.extend(key);
    let length = packet.len() as u16;
    packet[4..6].copy_from_slice(&length.to_be_bytes());
    packet
}
