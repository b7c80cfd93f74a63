//! The program from outside: listeners for syslog, HEP and OpenSIPS' stream, fed as nodes do, and the calls that come of it.

// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;

use super::stories::packet;
use crate::daemon::{Daemon, PATIENCE, Place, free_port, wait_for};
use crate::programs::{self, rsyslogd};

/// Whose number it is: account `a`'s.
const CALLER: &str = "+4930231251";
const CALLED: &str = "+441132960100";

/// The daemon with a door for each.
struct Doors {
    daemon: Daemon,
    syslog: u16,
    hep: u16,
    opensips: u16,
}

impl Doors {
    fn open(place: &Place) -> Doors {
        let (syslog, hep, opensips) = (free_port(), free_port(), free_port());
        let settings = format!(
            "[flush]\nevery = \"1s\"\n\
             [[listen]]\nprotocol = \"syslog\"\naddress = \"127.0.0.1:{syslog}\"\n\
             [[listen]]\nprotocol = \"hep\"\naddress = \"127.0.0.1:{hep}\"\nkey = \"let me in\"\n\
             [[listen]]\nprotocol = \"tcp\"\nformat = \"opensips\"\naddress = \"127.0.0.1:{opensips}\"\n"
        );
        Doors { daemon: place.start(&settings, &[]), syslog, hep, opensips }
    }

    /// Talk time by id of the record, of all calls that are stored.
    fn calls(&self) -> Vec<(String, String)> {
        let month = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        let mut found = Vec::new();
        // A test that runs at the turn of a month finds its calls in either.
        for month in [month.clone(), month.checked_sub(jiff::Span::new().days(1)).unwrap()] {
            let path = format!("/v1/accounts/a/calls?columns=full&period={}", month.strftime("%Y-%m"));
            for call in self.daemon.get(&path).as_array().unwrap() {
                let text = |field: &str| call[field].as_str().unwrap().to_owned();
                found.push((text("id"), text("duration")));
            }
        }
        found.sort();
        found.dedup();
        found
    }

    fn expect(&self, mut expected: Vec<(String, String)>) {
        expected.sort();
        wait_for("every call", || self.calls().len() >= expected.len());
        assert_eq!(self.calls(), expected);
    }

    fn udp(&self, port: u16, message: &[u8]) {
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(message, ("127.0.0.1", port)).unwrap();
    }

    fn tcp(&self, port: u16, bytes: &[u8]) {
        TcpStream::connect(("127.0.0.1", port)).unwrap().write_all(bytes).unwrap();
    }
}

/// Some minutes ago, in whole seconds.
fn lately() -> i64 {
    jiff::Timestamp::now().as_second() - 600
}

fn acc(call: &str, method: &str, at: i64, code: u16) -> String {
    let numbers = if method == "INVITE" { format!(";src_user={CALLER};dst_user={CALLED}") } else { String::new() };
    format!(
        "ACC: transaction answered: timestamp={at};method={method};from_tag=f;to_tag=t;call_id={call};code={code};reason=x{numbers}"
    )
}

/// The two lines of a call of 61 seconds.
fn ends(call: &str, at: i64) -> [String; 2] {
    [acc(call, "INVITE", at, 200), acc(call, "BYE", at + 61, 200)]
}

#[test]
fn syslog_in_every_framing_hep_and_reliable_opensips() {
    let place = Place::new("0.03");
    let doors = Doors::open(&place);
    let t = lately();
    let mut expected = Vec::new();

    // Syslog: one call of 61 s each way; the line of a failed call twice; lines that are no calls.
    for line in ends("udp", t) {
        doors.udp(doors.syslog, format!("<181>Nov 21 22:01:47 kam kamailio: {line}\0").as_bytes());
    }
    let lf: String = ends("lf", t).iter().map(|l| format!("<181>Nov 21 22:01:47 kam kamailio[7]: {l}\n")).collect();
    doors.tcp(doors.syslog, lf.as_bytes());
    let counted: String = ends("octets", t)
        .iter()
        .map(|l| format!("<181>1 2026-11-21T22:01:47.489782+00:00 kam kamailio - - -  {l}"))
        .map(|l| format!("{} {l}", l.len()))
        .collect();
    doors.tcp(doors.syslog, counted.as_bytes());
    let nul: String = ends("nul", t).iter().map(|l| format!("<181>kamailio: {l}\0")).collect();
    doors.tcp(doors.syslog, nul.as_bytes());
    for _ in 0..2 {
        doors.udp(
            doors.syslog,
            format!("<181>Nov 21 22:01:47 kam kamailio: {}", acc("busy", "INVITE", t, 486)).as_bytes(),
        );
    }
    for way in ["udp", "lf", "octets", "nul"] {
        expected.push((format!("{way};f;t"), "61".to_owned()));
    }
    let chatter = "<38>Nov 21 22:01:47 kam sshd[9]: Accepted publickey for root";
    doors.udp(doors.syslog, chatter.as_bytes());

    // HEP: a call over datagrams, one over a stream; one packet without the key.
    for (call, stream) in [("h-udp", false), ("h-tcp", true)] {
        let message = |first: &str, method: &str, tag: &str| {
            format!(
                "{first}\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:{CALLER}@a>;tag=f\r\nTo: <sip:b@b>{tag}\r\nCall-ID: {call}\r\nCSeq: 1 {method}\r\n\r\n"
            )
        };
        let at = t * 1_000_000;
        let packets = [
            packet(at - 5_000_000, &message(&format!("INVITE sip:{CALLED}@h SIP/2.0"), "INVITE", "")),
            packet(at, &message("SIP/2.0 200 OK", "INVITE", ";tag=t")),
            packet(at + 30_250_000, &message("BYE sip:x SIP/2.0", "BYE", ";tag=t")),
        ];
        let keyed: Vec<Vec<u8>> = packets.iter().map(|p| with_key(p, b"let me in")).collect();
        if stream {
            let mut connection = TcpStream::connect(("127.0.0.1", doors.hep)).unwrap();
            // However the stream is cut.
            for piece in keyed.concat().chunks(7) {
                connection.write_all(piece).unwrap();
            }
        } else {
            doors.udp(doors.hep, &packets[0]);
            keyed.iter().for_each(|packet| doors.udp(doors.hep, packet));
        }
        expected.push((format!("{call};f;t"), "30.25".to_owned()));
    }

    // OpenSIPS with reliable_mode: values back to back, answered once they are durable.
    let cdr = |call: &str, id: u32| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"E_ACC_CDR","params":{{"method":"INVITE","from_tag":"f","to_tag":"t","callid":"{call}","sip_code":"200","sip_reason":"OK","time":{t},"caller":"{CALLER}","callee":"{CALLED}","duration":4,"ms_duration":3006,"setuptime":1,"created":{}}},"id":{id}}}"#,
            t - 1
        )
    };
    let mut connection = TcpStream::connect(("127.0.0.1", doors.opensips)).unwrap();
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

    doors.expect(expected);
    let daemon = &doors.daemon;
    // The chatter came behind both lines of the failed call, by the same way.
    wait_for("the counters", || daemon.metric("callrated_records_skipped_total", "not_a_call") >= 1);
    wait_for("the failed call", || daemon.metric("callrated_records_duplicate_total", "") >= 1);
    assert_eq!(daemon.metric("callrated_calls_unanswered_total", ""), 1, "a failed call told twice is one");
    assert_eq!(daemon.metric("callrated_records_refused_total", "malformed_hep"), 1);
    assert_eq!(daemon.metric("callrated_records_refused_total", "listener=\"syslog"), 0);
}

/// The program of util-linux, in each framing that it has.
#[test]
fn logger_in_every_framing() {
    if !programs::are_here(&["logger"], "bsdutils") {
        return;
    }
    let place = Place::new("0.03");
    let doors = Doors::open(&place);
    let (t, mut expected) = (lately(), Vec::new());
    for (name, options) in [
        ("udp3164", &["-d", "--rfc3164"][..]),
        ("udp5424", &["-d", "--rfc5424"]),
        (
            "udp5424-data",
            &["-d", "--rfc5424=notq", "--msgid", "CDR", "--sd-id", "cdr@32473", "--sd-param", "a=\"\\]x\\\"y\""],
        ),
        ("tcp3164", &["-T", "--rfc3164"]),
        ("tcp5424", &["-T", "--rfc5424"]),
        ("octets3164", &["-T", "--octet-count", "--rfc3164"]),
        ("octets5424", &["-T", "--octet-count", "--rfc5424"]),
    ] {
        for line in ends(name, t) {
            let mut logger = Command::new("logger");
            logger.args(["-n", "127.0.0.1", "-P", &doors.syslog.to_string()]).args(options);
            assert!(logger.args(["-t", "kamailio", &line]).status().unwrap().success(), "{name}");
        }
        expected.push((format!("{name};f;t"), "61".to_owned()));
    }
    doors.expect(expected);
    assert_eq!(doors.daemon.metric("callrated_records_refused_total", ""), 0, "{}", doors.daemon.log());
}

/// rsyslog passes on what programs log, in each framing that it has.
#[test]
fn rsyslog_in_every_framing() {
    if !programs::are_here(&["rsyslogd", "logger"], "rsyslog bsdutils") {
        return;
    }
    let place = Place::new("0.03");
    let doors = Doors::open(&place);
    let folder = place.folder.path();
    let socket = folder.join("log");
    let mut settings = format!(
        "global(workDirectory=\"{}\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=\"{}\")\n",
        folder.display(),
        socket.display()
    );
    let ways = [
        ("udp3164", "udp", "traditional", "RSYSLOG_TraditionalForwardFormat"),
        ("udp5424", "udp", "traditional", "RSYSLOG_SyslogProtocol23Format"),
        ("iso", "udp", "traditional", "RSYSLOG_ForwardFormat"),
        ("tcp3164", "tcp", "traditional", "RSYSLOG_TraditionalForwardFormat"),
        ("tcp5424", "tcp", "traditional", "RSYSLOG_SyslogProtocol23Format"),
        ("octets3164", "tcp", "octet-counted", "RSYSLOG_TraditionalForwardFormat"),
        ("octets5424", "tcp", "octet-counted", "RSYSLOG_SyslogProtocol23Format"),
    ];
    for (name, protocol, framing, template) in ways {
        settings += &format!(
            "if $msg contains \"call_id={name};\" then action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{}\" protocol=\"{protocol}\" \
             TCP_Framing=\"{framing}\" template=\"{template}\")\n",
            doors.syslog
        );
    }
    place.write("rsyslog.conf", &settings);
    let mut rsyslog = rsyslogd(folder);
    rsyslog.until("its socket is there", || Path::exists(&socket));
    let t = lately();
    for line in ways.iter().flat_map(|(name, ..)| ends(name, t)) {
        let logger = Command::new("logger").arg("-u").arg(&socket).args(["-t", "kamailio[7]", &line]).status();
        assert!(logger.unwrap().success());
    }
    doors.expect(ways.iter().map(|(name, ..)| (format!("{name};f;t"), "61".to_owned())).collect());
    assert_eq!(doors.daemon.metric("callrated_records_refused_total", ""), 0, "{}", doors.daemon.log());
    rsyslog.stop();
}

/// The lines that the README has for rsyslog: what was logged while nobody was there comes once somebody is.
#[test]
fn what_rsyslog_keeps_while_we_are_away() {
    if !programs::are_here(&["rsyslogd", "logger"], "rsyslog bsdutils") {
        return;
    }
    let place = Place::new("0.03");
    let (folder, port) = (place.folder.path(), free_port());
    let socket = folder.join("log");
    let readme = include_str!("../../README.md");
    let lines = readme.split_once("### Syslog\n").unwrap().1.split("```").nth(1).unwrap();
    let lines = lines.replace("10.0.0.1", "127.0.0.1").replace("\"514\"", &format!("\"{port}\""));
    let lines = lines.replace("action.resumeRetryCount", "action.resumeInterval=\"1\" action.resumeRetryCount");
    let settings = format!(
        "global(workDirectory=\"{}\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=\"{}\")\n{lines}\n",
        folder.display(),
        socket.display()
    );
    place.write("rsyslog.conf", &settings);
    let mut rsyslog = rsyslogd(folder);
    rsyslog.until("its socket is there", || Path::exists(&socket));
    let t = lately();
    for line in ends("early", t).iter().chain(&["not a call".to_owned()]) {
        let logger = Command::new("logger").arg("-u").arg(&socket).args(["-t", "kamailio", line]).status();
        assert!(logger.unwrap().success());
    }
    let listen =
        format!("[[listen]]\nprotocol = \"syslog\"\naddress = \"127.0.0.1:{port}\"\n[flush]\nevery = \"1s\"\n");
    let doors = Doors { daemon: place.start(&listen, &[]), syslog: port, hep: 0, opensips: 0 };
    doors.expect(vec![("early;f;t".to_owned(), "61".to_owned())]);
    rsyslog.stop();
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
