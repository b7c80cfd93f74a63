//! The program from outside: 100,000 records of every kind over UDP, TCP and HTTP, killed in the middle, and every account's
//! totals equal to an independent model; the books balance.
//!
//! The model knows the records it made and computes what they come to with loops and `rust_decimal`; it calls nothing of the
//! program. `CALLRATED_OUTSIDE_RECORDS` changes the number of records.

// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rust_decimal::Decimal;

const RECORDS: usize = 100_000;
const GERMANS: usize = 40;
const AMERICANS: usize = 10;
/// Longest wait for anything: far beyond what a loaded machine needs, so that a hang is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(120);

// ---------------------------------------------------------------------------------------------- the world of the test

const PLANS: &str = r#"
[plan.de]
country = "DE"
currency = "EUR"
included_minutes = 2000
overage_rate = "0.015"
decks = ["premium", "world"]

[plan.us]
country = "US"
currency = "USD"
included_minutes = 0
overage_rate = "0.02"
decks = ["world"]
inbound_decks = ["tollfree"]
"#;
const WORLD: &str = "prefix,destination,rate,connect_fee\n44,United Kingdom,0.031,0.05\n1800,US toll-free,0.01,0\n";
const PREMIUM: &str = "prefix,destination,rate,call_type\n499005,0900-5,0.79,domestic_premium\n";
const TOLLFREE: &str = "prefix,destination,rate\n1800,Toll-free,0.02\n";

fn german(a: usize) -> String {
    format!("+4930231250{a:02}")
}

fn american(a: usize) -> String {
    format!("+180055501{a:02}")
}

/// A folder with the shipped countries and numbering plan, and plans, decks and accounts of the test's own.
fn rates_folder(folder: &Path) -> PathBuf {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
    let rates = folder.join("rates");
    std::fs::create_dir_all(rates.join("decks")).unwrap();
    for file in ["countries.toml", "numbering.csv"] {
        std::fs::copy(shipped.join(file), rates.join(file)).unwrap();
    }
    let (mut accounts, mut numbers) =
        ("account,plan,country,billing_start,timezone,language,extensions\n".to_owned(), "number,account\n".to_owned());
    for a in 0..GERMANS {
        writeln!(accounts, "de{a:02},de,DE,2020-01-01,UTC,de,100-199").unwrap();
        writeln!(numbers, "{},de{a:02}", german(a)).unwrap();
    }
    for a in 0..AMERICANS {
        writeln!(accounts, "us{a:02},us,US,2020-01-01,UTC,en,").unwrap();
        writeln!(numbers, "{},us{a:02}", american(a)).unwrap();
    }
    for (file, text) in [
        ("plans.toml", PLANS),
        ("decks/world.csv", WORLD),
        ("decks/premium.csv", PREMIUM),
        ("decks/tollfree.csv", TOLLFREE),
        ("accounts.csv", &accounts),
        ("numbers.csv", &numbers),
    ] {
        std::fs::write(rates.join(file), text).unwrap();
    }
    rates
}

// ------------------------------------------------------------------------------------------------------- the model

/// What one account's calls of one type come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Line {
    calls: u64,
    billable_seconds: u64,
    cost: Decimal,
}

/// What everything comes to.
#[derive(Default)]
struct Model {
    /// (account, call type) → line. In-plan calls are kept under `in_plan` until the allowance is split.
    lines: BTreeMap<(String, &'static str), Line>,
    unanswered: u64,
    /// Copies that must be recognised, and contradictions; a kill may repeat more of them.
    duplicates: u64,
    conflicts: u64,
    /// In suspense, by reason.
    suspense: BTreeMap<&'static str, u64>,
}

/// Whole minutes, up: counted, not divided.
fn minutes_up(millis: u64) -> u64 {
    let mut minutes = 0;
    while minutes * 60_000 < millis {
        minutes += 1;
    }
    minutes
}

/// To the nearest whole minute, halves up.
fn minutes_nearest(millis: u64) -> u64 {
    let mut minutes = 0;
    while minutes * 60_000 + 30_000 <= millis {
        minutes += 1;
    }
    minutes
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

impl Model {
    fn add(&mut self, account: String, call_type: &'static str, minutes: u64, cost: Decimal) {
        let line = self.lines.entry((account, call_type)).or_default();
        line.calls += 1;
        line.billable_seconds += minutes * 60;
        line.cost += cost;
    }

    /// Every call is whole minutes and the overage rate is exact to four decimals, so it does not matter which of an
    /// account's calls met the end of its allowance.
    fn expected(&self) -> BTreeMap<(String, &'static str), Line> {
        let mut expected = BTreeMap::new();
        for ((account, call_type), line) in &self.lines {
            if *call_type != "in_plan" {
                expected.insert((account.clone(), *call_type), *line);
                continue;
            }
            let included = line.billable_seconds.min(2000 * 60);
            let overage = line.billable_seconds - included;
            expected.insert((account.clone(), "included"), Line { billable_seconds: included, ..Line::default() });
            if overage > 0 {
                let cost = decimal("0.015") * Decimal::from(overage / 60);
                expected.insert((account.clone(), "overage"), Line { billable_seconds: overage, cost, calls: 0 });
            }
        }
        expected
    }

    fn in_plan_calls(&self, account: &str) -> u64 {
        self.lines.get(&(account.to_owned(), "in_plan")).map_or(0, |l| l.calls)
    }
}

/// One record and the way it goes.
struct Sent {
    line: String,
    way: Way,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Udp,
    Tcp,
    Http,
}

/// Makes the records and, beside them, what they must come to.
fn make(records: usize, day: &str) -> (Vec<Sent>, Model) {
    let (mut sent, mut model) = (Vec::with_capacity(records), Model::default());
    let mut i = 0usize;
    while sent.len() < records {
        let a = i % GERMANS;
        let account = format!("de{a:02}");
        let millis = 1 + (i as u64 * 7919) % 600_000;
        let seconds = format!("{}.{:03}", millis / 1000, millis % 1000);
        let answer = format!("{day}T{:02}:{:02}:{:02}Z", i / 3600 % 24, i / 60 % 60, i % 60);
        let way = match i % 10 {
            0 => Way::Udp,
            1 | 2 => Way::Http,
            _ => Way::Tcp,
        };
        let record = |source: &str, destination: &str, duration: &str, more: &str| {
            format!(
                r#"{{"id":"call-{i}","node":"sbc","source":"{source}","destination":"{destination}","answer":"{answer}","duration":{duration}{more}}}"#
            )
        };
        let mobile = format!("0151 2345{:04}", i % 10_000);
        let mut push = |line: String, way: Way| sent.push(Sent { line, way });
        match i / 10 % 20 {
            0..10 => {
                model.add(account, "in_plan", minutes_up(millis), Decimal::ZERO);
                push(record(&german(a), &mobile, &seconds, ""), way);
            }
            10 => {
                let minutes = minutes_up(millis);
                let cost = decimal("0.05") + decimal("0.031") * Decimal::from(minutes);
                model.add(account, "international", minutes, cost);
                push(record(&german(a), "00442079460123", &seconds, ""), way);
            }
            11 => {
                let minutes = minutes_up(millis);
                model.add(account, "domestic_premium", minutes, decimal("0.79") * Decimal::from(minutes));
                push(record(&german(a), "0900 5 123456", &seconds, ""), way);
            }
            12 => {
                // One record, two accounts: the caller's leg abroad, and the toll-free number's inbound leg.
                let minutes = minutes_up(millis);
                model.add(account, "international", minutes, decimal("0.01") * Decimal::from(minutes));
                let nearest = minutes_nearest(millis);
                let owner = format!("us{:02}", i % AMERICANS);
                model.add(owner, "toll_free", nearest, decimal("0.02") * Decimal::from(nearest));
                push(record(&german(a), &american(i % AMERICANS), &seconds, ""), way);
            }
            13 => {
                model.add(account, "in_plan", minutes_up(millis), Decimal::ZERO);
                let forwarded = format!(r#","forwarded_by":"{}""#, german(a));
                push(record("+4915199999999", &mobile, &seconds, &forwarded), way);
            }
            14 => {
                model.unanswered += 1;
                let line = format!(
                    r#"{{"id":"call-{i}","node":"sbc","source":"{}","destination":"{mobile}","duration":0,"cause":"486"}}"#,
                    german(a)
                );
                push(line, way);
            }
            15 => {
                *model.suspense.entry("unknown_account").or_default() += 1;
                push(record("+4915188888888", "+4915177777777", &seconds, ""), way);
            }
            16 => {
                model.add(account, "in_plan", minutes_up(millis), Decimal::ZERO);
                model.duplicates += 1;
                let line = record(&german(a), &mobile, &seconds, "");
                push(line.clone(), Way::Tcp);
                push(line, Way::Tcp);
            }
            17 => {
                model.add(account, "in_plan", minutes_up(millis), Decimal::ZERO);
                model.conflicts += 1;
                push(record(&german(a), &mobile, &seconds, ""), Way::Tcp);
                push(record(&german(a), &mobile, "7200", ""), Way::Tcp);
            }
            18 => {
                *model.suspense.entry("no_rate").or_default() += 1;
                push(record(&german(a), "+33123456789", &seconds, ""), way);
            }
            _ => {
                *model.suspense.entry("bad_number").or_default() += 1;
                push(record(&german(a), "00 1 555 123", &seconds, ""), way);
            }
        }
        i += 1;
    }
    (sent, model)
}

// ------------------------------------------------------------------------------------------------------- the program

struct Daemon {
    child: Child,
    folder: PathBuf,
    tcp: u16,
    udp: u16,
    http: u16,
}

impl Daemon {
    fn start(folder: &Path) -> Daemon {
        let (tcp, udp, http) = (free_port(), free_port(), free_port());
        let config = format!(
            "rates_dir = \"rates\"\ndata_dir = \"data\"\n[flush]\nevery = \"1s\"\ncalls = 5000\n\
             [[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{tcp}\"\n\
             [[listen]]\nprotocol = \"udp\"\naddress = \"127.0.0.1:{udp}\"\n\
             [http]\naddress = \"127.0.0.1:{http}\"\n"
        );
        std::fs::write(folder.join("callrated.toml"), config).unwrap();
        let mut child =
            Command::new(env!("CARGO_BIN_EXE_callrated")).current_dir(folder).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.is_ok_and(|l| l.contains("is ready"))), "the daemon did not become ready");
        std::thread::spawn(move || lines.for_each(drop));
        Daemon { child, folder: folder.to_owned(), tcp, udp, http }
    }

    /// No goodbye: the process is gone between two instructions.
    fn kill(mut self) -> PathBuf {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.folder.clone()
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\nConnection: close\r\n\r\n")
            .unwrap();
        body(stream)
    }

    fn post(&self, path: &str, kind: &str, text: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        )
        .unwrap();
        body(stream)
    }

    /// The sum of a metric over its labels that contain a text.
    fn metric(&self, name: &str, label: &str) -> u64 {
        let text = self.get("/metrics");
        let values = text.lines().filter(|l| l.starts_with(name) && l.contains(label));
        values.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// Datagrams of a few lines each; waits until the daemon has what was sent, since the kernel promises nothing.
    fn send_udp(&self, lines: &[&str]) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let before = self.metric("callrated_records_durable_total", "");
        let mut sent = 0;
        for chunk in lines.chunks(4) {
            socket.send_to(chunk.join("\n").as_bytes(), ("127.0.0.1", self.udp)).unwrap();
            sent += chunk.len() as u64;
            if sent % 1000 < 4 {
                wait_for("datagrams", || self.metric("callrated_records_durable_total", "") >= before + sent);
            }
        }
        wait_for("datagrams", || self.metric("callrated_records_durable_total", "") >= before + sent);
    }

    fn send_http(&self, lines: &[&str]) {
        for chunk in lines.chunks(5000) {
            let answer = self.post("/v1/calls", "application/x-ndjson", &chunk.join("\n"));
            assert_eq!(answer, format!(r#"{{"durable":{},"refused":[]}}"#, chunk.len()));
        }
    }

    /// Sends lines with the dialogue until `stop_at` of them are said to be durable; tells how many were.
    fn send_tcp(&self, lines: &[&str], stop_at: usize) -> usize {
        let mut stream = TcpStream::connect(("127.0.0.1", self.tcp)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answers = BufReader::new(stream.try_clone().unwrap());
        stream.write_all(b"{\"hello\":1}\n").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert!(answer.starts_with("{\"hello\":1,"), "{answer}");
        let text: String = lines.iter().flat_map(|l| [*l, "\n"]).collect();
        let mut durable = 0;
        std::thread::scope(|scope| {
            // The daemon may be killed while this writes.
            scope.spawn(move || drop(stream.write_all(text.as_bytes())));
            while durable < stop_at {
                answer.clear();
                answers.read_line(&mut answer).unwrap();
                let number = answer.trim_end().strip_prefix("{\"durable\":").and_then(|n| n.strip_suffix('}'));
                durable = number.unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap();
            }
            if durable < lines.len() {
                // The writer must end for the scope to end: a killed daemon breaks its connection.
                Command::new("kill").args(["-9", &self.child.id().to_string()]).status().unwrap();
            }
        });
        durable
    }
}

fn body(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    body.to_owned()
}

fn wait_for(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

// ---------------------------------------------------------------------------------------------------------- the test

#[test]
fn totals_equal_the_model_and_a_kill_changes_nothing() {
    let records = std::env::var("CALLRATED_OUTSIDE_RECORDS").ok().and_then(|n| n.parse().ok()).unwrap_or(RECORDS);
    let yesterday = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48)).to_zoned(jiff::tz::TimeZone::UTC);
    let day = yesterday.strftime("%Y-%m-%d").to_string();
    let period = &day[..7];
    let (sent, model) = make(records, &day);
    let way = |way: Way| -> Vec<&str> { sent.iter().filter(|s| s.way == way).map(|s| s.line.as_str()).collect() };
    let (udp, tcp, http) = (way(Way::Udp), way(Way::Tcp), way(Way::Http));

    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let daemon = Daemon::start(folder.path());
    daemon.send_udp(&udp);
    daemon.send_http(&http[..http.len() / 2]);
    let durable = daemon.send_tcp(&tcp, tcp.len() / 2);
    let folder_again = daemon.kill();

    // What was said to be durable is not sent again; what was not, is.
    let daemon = Daemon::start(&folder_again);
    daemon.send_http(&http[http.len() / 2..]);
    assert_eq!(daemon.send_tcp(&tcp[durable..], tcp.len() - durable), tcp.len() - durable);
    compare(&daemon, &model, period);

    // And once more, after everything is stored.
    let daemon = Daemon::start(&daemon.kill());
    compare(&daemon, &model, period);
    assert_eq!(daemon.metric("callrated_udp_dropped_total", ""), 0);
    daemon.kill();
}

fn compare(daemon: &Daemon, model: &Model, period: &str) {
    let csv = daemon.get(&format!("/v1/periods/{period}/usage?limit=1000"));
    let mut found: BTreeMap<(String, String), Line> = BTreeMap::new();
    for row in csv.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let line = Line {
            calls: cells[2].parse().unwrap(),
            billable_seconds: cells[4].parse().unwrap(),
            cost: cells[7].parse().unwrap(),
        };
        found.insert((cells[0].to_owned(), cells[1].to_owned()), line);
    }
    let expected = model.expected();
    for ((account, call_type), line) in &expected {
        let got = found.get(&(account.clone(), (*call_type).to_owned())).copied().unwrap_or_default();
        assert_eq!(got.billable_seconds, line.billable_seconds, "{account} {call_type}");
        assert_eq!(got.cost, line.cost, "{account} {call_type}");
        if !["included", "overage"].contains(call_type) {
            assert_eq!(got.calls, line.calls, "{account} {call_type}");
        }
    }
    assert_eq!(found.len(), expected.len(), "{:?}", found.keys());
    for a in 0..GERMANS {
        let account = format!("de{a:02}");
        let calls = |call_type: &str| found.get(&(account.clone(), call_type.to_owned())).map_or(0, |l| l.calls);
        // A straddling call counts once, under `included`.
        assert_eq!(calls("included") + calls("overage"), model.in_plan_calls(&account), "{account}");
    }
    for (reason, count) in &model.suspense {
        let label = format!("reason=\"{reason}\"");
        assert_eq!(daemon.metric("callrated_suspense_open", &label), *count, "{reason}");
    }
    assert_eq!(daemon.metric("callrated_books_unbalanced", ""), 0);
    assert!(model.unanswered > 0 && model.duplicates > 0 && model.conflicts > 0);
}
