//! Calls through a real Kamailio, which tells of each in six ways at once: accounting lines and CDRs through rsyslog, the
//! same two as JSON over HTTP, RADIUS, captured SIP. Six times the same must come of them.
//!
//! What is expected is known from the two ends of the calls: the logs of sipp, which made and took them, say between
//! which instants each call must have been answered and ended.

// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

mod lines;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::daemon::{Daemon, Place, free_port, wait_for};
use crate::programs::{self, Running};

const PACKAGES: &str = "kamailio kamailio-json-modules kamailio-extra-modules kamailio-utils-modules \
                        kamailio-radius-modules sip-tester rsyslog";

/// Node and account of a way, and how finely it tells time, in microseconds.
const WAYS: [(&str, i64); 6] =
    [("acc", 1), ("cdr", 1000), ("json", 1_000_000), ("json-cdr", 1000), ("radius", 1_000_000), ("hep", 1)];

/// How late a process may look at the clock on a busy machine after it passed a message on: less than it rings.
const BUSY: i64 = 500_000;
/// By how much sipp may cut a pause short.
const HASTE: i64 = 50_000;
/// How long it rings (`called.xml`).
const RINGS: i64 = 1_200_000;

/// A call to be made: scenario, number called, pause of the scenario in milliseconds.
const CALLS: [(&str, &str, i64); 5] = [
    ("calling", "+441132960100", 1500),
    ("calling", "+441132960101", 600),
    ("waiting", "+441132960188", 1500),
    ("failing", "+441132960186", 0),
    ("cancelling", "+441132960187", 0),
];

/// A message in a log of sipp.
struct Logged {
    at: i64,
    sent: bool,
    text: String,
}

impl Logged {
    fn is(&self, sent: bool, start: &str, cseq: &str) -> bool {
        self.sent == sent && self.text.starts_with(start) && self.text.contains(&format!("\nCSeq: {cseq}"))
    }
}

/// A log that sipp wrote with its clock at UTC.
fn log(file: &Path) -> Vec<Logged> {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let text = text.replace('\r', "");
    let parts = text.split("----------------------------------------------- ").skip(1);
    let message = |part: &str| {
        let (time, rest) = part.split_once('\n').unwrap();
        let (what, text) = rest.split_once("\n\n").unwrap();
        let at: jiff::civil::DateTime = time.trim().parse().unwrap_or_else(|e| panic!("{time:?}: {e}"));
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_microsecond();
        Logged { at, sent: what.contains("sent"), text: text.to_owned() }
    };
    parts.map(message).collect()
}

/// An answered call, as its two ends saw it.
#[derive(Debug)]
struct Expected {
    call_id: String,
    called: &'static str,
    /// From when to when.
    answered: (i64, i64),
    ended: (i64, i64),
}

fn expected(called: &'static str, pause: i64, caller: &[Logged], callee: &[Logged]) -> Expected {
    let call_id = caller[0].text.lines().find_map(|line| line.strip_prefix("Call-ID: ")).unwrap().to_owned();
    let of_call = |log: &Logged| log.text.contains(&format!("Call-ID: {call_id}\n"));
    let callee: Vec<&Logged> = callee.iter().filter(|log| of_call(log)).collect();
    let rang = callee.iter().find(|log| log.is(true, "SIP/2.0 180", "1 INVITE")).unwrap().at;
    let heard = caller.iter().find(|log| log.is(false, "SIP/2.0 200", "1 INVITE")).unwrap().at;
    // Whoever hung up.
    let caller: Vec<&Logged> = caller.iter().collect();
    let log =
        [caller, callee].into_iter().find(|log| log.iter().any(|l| l.sent && l.text.starts_with("BYE "))).unwrap();
    let bye = log.iter().position(|l| l.sent && l.text.starts_with("BYE ")).unwrap();
    let acknowledged = log.iter().find(|l| !l.sent && l.text.starts_with("SIP/2.0 200") && l.text.contains(" BYE\n"));
    Expected {
        call_id,
        called,
        answered: (rang + RINGS - HASTE, heard + BUSY),
        ended: (log[bye - 1].at + pause * 1000 - HASTE, acknowledged.unwrap().at + BUSY),
    }
}

/// Everything that one run is about.
struct Stage {
    place: Place,
    ports: Vec<(&'static str, u16)>,
}

impl Stage {
    fn new() -> Stage {
        let place = Place::new("0.03");
        let plan = "[plan.gb]\ncountry = \"GB\"\ncurrency = \"GBP\"\nincluded_minutes = 0\noverage_rate = \"0.06\"\n\
                    steps = { mode = \"up\", increment = 1 }\ndecks = [\"world\"]\n";
        place.write("rates/plans.toml", plan);
        let rows = WAYS.map(|(way, _)| format!("{way},gb,GB,2020-01-01,UTC\n")).concat();
        place.write("rates/accounts.csv", &format!("account,plan,country,billing_start,timezone\n{rows}"));
        place.write("rates/numbers.csv", "number,account\n");
        place.write("radius.secret", "s3cret\n");
        place.write("radius.servers", "127.0.0.1 s3cret\n");
        fs::set_permissions(place.path("radius.secret"), PermissionsExt::from_mode(0o600)).unwrap();
        let names = ["SIP", "CALLED", "SYSLOG", "ACC_LINES", "CDR_LINES", "ACC", "CDR", "RADIUS", "HEP"];
        let stage = Stage { place, ports: names.map(|name| (name, free_port())).into() };
        for file in ["kamailio.cfg", "radiusclient.conf", "radius.dictionary", "rsyslog.conf"] {
            stage.fill(file);
        }
        stage
    }

    fn port(&self, name: &str) -> u16 {
        self.ports.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// A file of `tests/nodes` with this run's ports in it.
    fn fill(&self, file: &str) {
        let mut text = fs::read_to_string(nodes().join(file)).unwrap();
        for (name, port) in &self.ports {
            text = text.replace(&format!("@{name}@"), &port.to_string());
        }
        self.place.write(file, &text.replace("@FOLDER@", &self.place.folder.path().display().to_string()));
    }

    fn daemon(&self) -> Daemon {
        let listener = |way: &str, protocol: &str, port: &str, more: &str| {
            format!(
                "[[listen]]\nprotocol = \"{protocol}\"\naddress = \"127.0.0.1:{}\"\nnode = \"{way}\"\naccount = \"{way}\"\n\
                 country = \"GB\"\n{more}\n",
                self.port(port)
            )
        };
        let settings = [
            listener(
                "acc",
                "syslog",
                "ACC_LINES",
                "transport = \"tcp\"\nformat = \"kamailio\"\ncolumns = \"src_user=$fU;dst_user=$rU;src_ip=$si\"",
            ),
            listener(
                "cdr",
                "syslog",
                "CDR_LINES",
                "transport = \"tcp\"\nformat = \"kamailio\"\ncolumns = \"callid;caller;callee\"\ntalk_includes_ringing = false",
            ),
            listener("json", "http", "ACC", "format = \"kamailio\""),
            listener("json-cdr", "http", "CDR", "format = \"kamailio\"\ntalk_includes_ringing = false"),
            listener("radius", "radius", "RADIUS", "secret = { file = \"radius.secret\" }"),
            listener("hep", "hep", "HEP", "transport = \"udp\""),
        ];
        self.place.start(&format!("{}[flush]\nevery = \"1s\"\n", settings.concat()), &[])
    }

    /// sipp, with its log at UTC.
    fn sipp(&self, scenario: &str, port: u16, log: &str, more: &[&str]) -> Running {
        let file = nodes().join(format!("{scenario}.xml")).display().to_string();
        let port = port.to_string();
        let mut arguments = vec!["TZ=UTC", "sipp", "-sf", &file, "-i", "127.0.0.1", "-p", &port, "-nostdin"];
        arguments.extend(["-timeout", "50s", "-timeout_error", "-trace_msg", "-message_file", log]);
        arguments.extend(more);
        Running::start(self.place.folder.path(), "env", &arguments)
    }
}

fn nodes() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nodes")
}

/// Calls of an account, of this month and the last: a run may cross from one to the other.
fn calls(daemon: &Daemon, account: &str) -> Vec<Value> {
    let now = jiff::Timestamp::now();
    let mut months = [now, now - jiff::SignedDuration::from_hours(1)]
        .map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m").to_string())
        .to_vec();
    months.dedup();
    let of = |month: &String| daemon.get(&format!("/v1/accounts/{account}/calls?columns=full&period={month}"));
    months.iter().flat_map(|month| of(month).as_array().unwrap().clone()).collect()
}

/// Answers a request by any method, once Kamailio is there to do so.
fn answers_sip(port: u16) -> bool {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_millis(100))).unwrap();
    let own = socket.local_addr().unwrap();
    let request = format!(
        "OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKready\r\nFrom: <sip:test@{own}>;tag=t\r\n\
         To: <sip:127.0.0.1:{port}>\r\nCall-ID: ready@{own}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n"
    );
    let mut answer = [0; 1500];
    socket.send_to(request.as_bytes(), ("127.0.0.1", port)).is_ok() && socket.recv(&mut answer).is_ok()
}

#[test]
fn six_ways_to_the_same_calls() {
    if !programs::are_here(&["kamailio", "sipp", "rsyslogd"], PACKAGES) {
        return;
    }
    let stage = Stage::new();
    let folder = stage.place.folder.path();
    let modules = Running::start(folder, "kamailio", &["-c", "-f", "kamailio.cfg"]).said();
    if modules.contains("could not find module") {
        programs::skipped("modules of Kamailio are not installed", PACKAGES);
        return;
    }
    let daemon = stage.daemon();

    let mut rsyslog = programs::rsyslogd(folder);
    rsyslog.until_bound(stage.port("SYSLOG"));
    let mut kamailio =
        Running::start(folder, "kamailio", &["-f", "kamailio.cfg", "-m", "32", "-M", "4", "-DD", "-Y", "."]);
    kamailio.until("it answers", || answers_sip(stage.port("SIP")));
    let mut callee = stage.sipp("called", stage.port("CALLED"), "called.log", &["-m", "5"]);
    callee.until_bound(stage.port("CALLED"));
    let proxy = format!("127.0.0.1:{}", stage.port("SIP"));
    let call = |(i, (scenario, called, pause)): (usize, &(&str, &str, i64))| {
        let (log, pause) = (format!("caller{i}.log"), pause.to_string());
        let more = ["-m", "1", "-s", called, "-key", "caller", "+442079460001", "-d", &pause, &proxy];
        stage.sipp(scenario, free_port(), &log, &more)
    };
    let callers: Vec<Running> = CALLS.iter().enumerate().map(call).collect();
    callers.into_iter().for_each(Running::succeeds);
    callee.succeeds();
    let callee = log(&folder.join("called.log"));
    let expected: Vec<Expected> = (0..3)
        .map(|i| expected(CALLS[i].1, CALLS[i].2, &log(&folder.join(format!("caller{i}.log"))), &callee))
        .collect();

    // Each way the calls that were answered, and no other.
    wait_for("every call by every way", || WAYS.iter().all(|(way, _)| calls(&daemon, way).len() >= expected.len()));
    // Failures in captured SIP wait for other branches of a fork, longer than this test.
    wait_for("calls that failed", || daemon.metric("callrated_calls_unanswered_total", "") >= 10);
    assert!(daemon.metric("callrated_calls_unanswered_total", "") <= 12);
    let mut table = String::new();
    for call in &expected {
        let mut talks = Vec::new();
        for (way, precision) in WAYS {
            let told = calls(&daemon, way);
            assert_eq!(told.len(), expected.len(), "{way}: {told:#?}");
            let own = |told: &&Value| told["id"].as_str().unwrap().split(';').next() == Some(&call.call_id);
            let told = told.iter().find(own).unwrap_or_else(|| panic!("{way}: no {}: {told:#?}", call.call_id));
            let (answered, talk) = (time(&told["start"]), seconds(&told["duration"]));
            let what = format!("{way} told {told:#} of {call:?}");
            assert_eq!(
                (&told["source"], &told["destination"]),
                (&"+442079460001".into(), &call.called.into()),
                "{what}"
            );
            assert!((call.answered.0 - precision..=call.answered.1).contains(&answered), "answered: {what}");
            let ended = answered + talk;
            assert!((call.ended.0 - precision..=call.ended.1 + precision).contains(&ended), "ended: {what}");
            // One second costs a thousandth.
            let billed = (talk + 999_999) / 1_000_000;
            assert_eq!(told["billable_seconds"], billed, "{what}");
            assert_eq!(told["cost"], format!("0.{:04}", billed * 10), "{what}");
            talks.push((way, precision, talk));
            table += &format!("{way:9} {} {} talked {}\n", call.called, told["start"], told["duration"]);
        }
        // Captured SIP is the finest of them; the others lie as near to it as they can tell.
        let (_, _, finest) = talks[WAYS.len() - 1];
        for (way, precision, talk) in talks {
            assert!((talk - finest).abs() <= precision + BUSY, "{way} says {talk} µs, captured SIP {finest}");
        }
    }
    println!("{table}");

    // Posted twice, failures told twice, re-INVITEs, messages seen at both sides of the proxy.
    wait_for("what was told again", || daemon.metric("callrated_records_duplicate_total", "") >= 29 + 9);
    assert_eq!(daemon.metric("callrated_records_conflict_total", ""), 0);
    assert_eq!(daemon.metric("callrated_records_refused_total", ""), 0, "{}", daemon.log());
    assert_eq!(daemon.get("/v1/suspense")["counts"], serde_json::json!({}));
    let verified = daemon.get("/v1/verify");
    assert_eq!((&verified["balanced"], &verified["calls"]), (&true.into(), &18.into()), "{verified}");
    kamailio.stop();
    rsyslog.stop();

    // Nothing of it depends on having heard it: after a kill the journal says the same.
    let before = WAYS.map(|(way, _)| calls(&daemon, way));
    daemon.kill();
    let daemon = stage.daemon();
    assert_eq!(WAYS.map(|(way, _)| calls(&daemon, way)), before);
    let verified = daemon.get("/v1/verify");
    assert_eq!((&verified["balanced"], &verified["calls"]), (&true.into(), &18.into()), "{verified}");
}

fn time(text: &Value) -> i64 {
    text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// A decimal number of seconds in microseconds.
fn seconds(text: &Value) -> i64 {
    let text = text.as_str().unwrap();
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    whole.parse::<i64>().unwrap() * 1_000_000 + format!("{rest:0<6}").parse::<i64>().unwrap()
}
