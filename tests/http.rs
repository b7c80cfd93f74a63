//! The API from outside: a whole daemon in this process on free ports, the shipped rates, and requests over sockets.

// A test outside the program may look at the clock, and a table of requests is what it is.
#![allow(clippy::disallowed_methods, clippy::type_complexity)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use callrated::config::Config;
use callrated::daemon;
use callrated::exit::Exit;
use callrated::http::{self, Addresses};
use serde_json::{Value, json};
use tokio::sync::oneshot;

mod api;
#[path = "api/directory.rs"]
mod directory;
#[path = "api/margin.rs"]
mod margin;

use api::schema;

/// Longest wait for what should come at once; a slow machine is no fault.
const PATIENCE: Duration = Duration::from_secs(120);

/// A daemon on a thread of its own.
struct Daemon {
    addresses: Addresses,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), Exit>>>,
    folder: tempfile::TempDir,
}

impl Daemon {
    /// `http` is added to the configuration's `[http]` table.
    fn start(http: &str) -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        Daemon::start_in(folder, http)
    }

    fn start_in(folder: tempfile::TempDir, http: &str) -> Daemon {
        let own = folder.path().join("rates");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
        let rates = if own.is_dir() { own } else { shipped };
        let text = format!(
            "rates_dir = {rates:?}\nlisten = []\n[flush]\nevery = \"1h\"\n\
             [metrics]\naddress = \"127.0.0.2:0\"\n[http]\naddress = \"127.0.0.1:0\"\n{http}\n"
        );
        let config = Config::parse(&text, Some(&folder.path().join("callrated.toml"))).unwrap();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let ended = async move {
                let _ = stopped.await;
            };
            let ready = move |addresses: &Addresses| ready.send(*addresses).unwrap();
            runtime.block_on(daemon::run(config, ready, ended))
        });
        let addresses = is_ready.recv_timeout(PATIENCE).expect("the daemon starts");
        Daemon { addresses, stop: Some(stop), thread: Some(thread), folder }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        ask(self.addresses.api, method, path, headers, body)
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    /// Sends records, which must all be taken.
    fn send(&self, records: &[Value]) {
        let lines: String = records.iter().map(|r| format!("{r}\n")).collect();
        let answer = self.ask("POST", "/v1/calls", &[("Content-Type", "application/x-ndjson")], &lines);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json(), json!({ "durable": records.len(), "refused": [] }));
    }

    fn end(&mut self) -> Result<(), Exit> {
        let _ = self.stop.take().unwrap().send(());
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let (Some(stop), Some(thread)) = (self.stop.take(), self.thread.take()) {
            let _ = stop.send(());
            let _ = thread.join();
        }
        let _ = self.folder.path();
    }
}

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if headers.iter().all(|(name, _)| *name != "Host") {
        head.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // A body that is too long is refused before it is read whole.
    let _ = stream.write_all(body.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    read_answer(&answer)
}

fn read_answer(bytes: &[u8]) -> Answer {
    let at = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {bytes:?}"));
    let head = std::str::from_utf8(&bytes[..at]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut rest = &bytes[at + 4..];
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|t| t == "chunked") {
        loop {
            let end = rest.windows(2).position(|w| w == b"\r\n").expect("a chunk's length");
            let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
            if length == 0 {
                break;
            }
            body.extend_from_slice(&rest[end + 2..end + 2 + length]);
            rest = &rest[end + 2 + length + 2..];
        }
    } else {
        body.extend_from_slice(rest);
    }
    Answer { status, headers, body: String::from_utf8(body).unwrap() }
}

/// The middle of a month that has been over for two days in UTC: surely past everywhere, surely one month, surely not too
/// old.
fn last_month() -> (String, String) {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let today = today.checked_sub(jiff::Span::new().days(2)).unwrap();
    let middle = today.first_of_month().yesterday().unwrap().with().day(15).build().unwrap();
    (format!("{:04}-{:02}", middle.year(), middle.month()), middle.to_string())
}

fn record(id: &str, destination: &str, second: u32, duration: u32) -> Value {
    let (_, day) = last_month();
    let (h, m, s) = (8 + second / 3600, second / 60 % 60, second % 60);
    json!({
        "id": id, "node": "lab", "source": "+4930600", "destination": destination,
        "answer": format!("{day}T{h:02}:{m:02}:{s:02}Z"), "duration": duration,
    })
}

/// acme's thousand minutes drawn but for one, a call that straddles them, one abroad, one that waits, one that nobody pays.
fn records() -> Vec<Value> {
    let mut records: Vec<Value> = (0..5).map(|i| record(&format!("long{i}"), "030123450", i, 10_000)).collect();
    records.push(record("long5", "030123450", 5, 9_840));
    records.push(record("straddle/1@host", "030123450", 10, 61));
    records.push(record("abroad", "00551198765432", 11, 61));
    records.push(record("=cmd|' /C calc'!A0", "030123450", 12, 61));
    records.push(record("nowhere", "0099912345", 13, 61));
    let mut nobody = record("nobody", "0099912345", 14, 61);
    nobody["source"] = json!("+49888777666");
    records.push(nobody);
    records
}

#[test]
fn requests_get_the_right_status_and_form() {
    let daemon = Daemon::start("");
    daemon.send(&records());
    let (period, _) = last_month();
    let big = format!("{{\"account\":\"{}\"}}", "x".repeat(70_000));
    let usage = format!("/v1/accounts/acme/usage?period={period}");
    let json_kind = [("Content-Type", "application/json")];
    let none: [(&str, &str); 0] = [];
    // Method, path, headers, body → status and a part of the answer.
    let table: &[(&str, &str, &[(&str, &str)], &str, u16, &str)] = &[
        ("GET", "/healthz", &none, "", 200, "ok"),
        ("GET", "/readyz", &none, "", 200, "ready"),
        ("GET", "/", &none, "", 200, "<title>callrated</title>"),
        ("GET", "/page/script.js", &none, "", 200, "/v1/status"),
        ("GET", "/page/other.js", &none, "", 404, "style.css"),
        ("GET", &usage, &none, "", 200, "\"allowance\""),
        ("GET", "/v1/accounts/acme/usage?period=2026-13", &none, "", 400, "write year and month"),
        ("GET", "/v1/accounts/acme/usage?month=2026-10", &none, "", 400, "unknown field `month`"),
        ("GET", "/v1/accounts/acne/usage", &none, "", 404, "did you mean \\\"acme\\\""),
        ("GET", "/v1/accounts/acne/calls", &none, "", 404, "did you mean \\\"acme\\\""),
        ("GET", "/v1/accounts/acne", &none, "", 404, "did you mean \\\"acme\\\""),
        ("GET", "/v1/accounts/acme", &none, "", 200, "Acme GmbH"),
        ("GET", "/v1/accounts/soylent?at=2026-06-30T12:00:00Z", &none, "", 200, "de-payg"),
        ("GET", "/v1/accounts/soylent?at=2026-07-01T12:00:00Z", &none, "", 200, "de-business"),
        ("GET", "/v1/accounts/soylent?at=tomorrow", &none, "", 400, "write RFC 3339"),
        ("GET", "/v1/accounts/globex/calls", &none, "", 200, "Source Number"),
        ("GET", "/v1/accounts/acme/calls?lang=fr", &none, "", 400, "en, de and it"),
        ("GET", "/v1/accounts/acme/calls?columns=all", &none, "", 400, "usual, full or margin"),
        ("GET", "/v1/accounts/acme/calls", &[("Accept", "image/png")], "", 406, "text/csv"),
        ("GET", "/v1/calls/lab/straddle%2F1%40host", &none, "", 200, "\"overage_seconds\":60"),
        ("GET", "/v1/calls/lab/straddle%2F1@host", &none, "", 200, "straddle/1@host"),
        ("GET", "/v1/calls/lab/%FF", &none, "", 400, "UTF-8"),
        ("GET", "/v1/calls/lab/nowhere", &none, "", 404, "/v1/records/"),
        ("GET", "/v1/calls/lab/never", &none, "", 404, "was received"),
        ("GET", "/v1/records/lab/nowhere", &none, "", 200, "\"suspense\":[{\"leg\":\"outbound\""),
        ("GET", "/v1/records/lab/nobody", &none, "", 200, "\"disposition\":\"suspended\""),
        ("GET", "/v1/periods/2026/usage", &none, "", 400, "write year and month"),
        ("GET", "/v1/periods/2026-10/usage?limit=0", &none, "", 400, "1 to 10000"),
        ("GET", "/v1/periods/2026-10/usage?limit=x", &none, "", 400, "limit"),
        ("GET", "/v1/suspense?reason=no_rat", &none, "", 400, "no_rate"),
        ("GET", "/v1/suspense?after=x", &none, "", 400, "as the list shows it"),
        ("GET", "/nothing/here", &none, "", 404, "/openapi.json"),
        ("DELETE", "/v1/tariff", &none, "", 405, "Allow"),
        ("POST", "/v1/tariff", &json_kind, "{}", 405, "Allow"),
        ("POST", "/v1/quote", &none, "{}", 415, "application/json"),
        ("POST", "/v1/quote", &json_kind, "{", 400, "JSON"),
        ("POST", "/v1/quote", &json_kind, "{}", 422, "missing field"),
        ("POST", "/v1/quote", &json_kind, &big, 413, "65536"),
        (
            "POST",
            "/v1/quote",
            &json_kind,
            r#"{"account":"acme","destination":"00551198765432","duration":61}"#,
            200,
            "international",
        ),
        (
            "POST",
            "/v1/quote",
            &json_kind,
            r#"{"account":"acme","destination":"0099912345","duration":61,"proof":true}"#,
            422,
            "\"proof\":[",
        ),
        ("POST", "/v1/quote", &json_kind, r#"{"account":"acne","destination":"1","duration":1}"#, 404, "acme"),
        ("POST", "/v1/quote", &json_kind, r#"{"account":"acme","destination":"1","duration":"x"}"#, 400, "seconds"),
        ("POST", "/v1/calls", &[("Content-Type", "image/png")], "x", 415, "text/csv"),
        ("POST", "/v1/calls", &json_kind, "[{\"id\":1}]", 200, "\"refused\":[{\"line\":1"),
        ("POST", "/v1/suspense/retry", &none, "", 200, "\"tried\":2"),
        ("POST", "/v1/suspense/retry", &json_kind, r#"{"reason":"unknown_account"}"#, 200, "\"left\":1"),
        ("POST", "/v1/suspense/retry", &json_kind, r#"{"why":"no_rate"}"#, 422, "unknown field"),
        ("POST", "/v1/tariff/reload", &none, "", 200, "\"tariff_changed\":false"),
        ("POST", "/v1/tariff/reload", &json_kind, r#"{"effective_from":"soon"}"#, 400, "write RFC 3339"),
        // Not this machine's name, not this machine's page.
        ("GET", "/v1/tariff", &[("Host", "evil.example")], "", 403, "Host"),
        ("POST", "/v1/tariff/reload", &[("Origin", "https://evil.example")], "", 403, "evil.example"),
    ];
    for (method, path, headers, body, status, part) in table {
        let answer = daemon.ask(method, path, headers, body);
        let what = format!("{method} {path} {headers:?}: {}", answer.body);
        assert_eq!(answer.status, *status, "{what}");
        assert!(answer.body.contains(part), "{what}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
        assert!(answer.header("cache-control").starts_with("no-"), "{what}");
        if *status >= 400 {
            assert_eq!(answer.header("content-type"), "application/problem+json", "{what}");
            assert_eq!(answer.json()["status"], json!(status), "{what}");
        }
    }
    let head = daemon.ask("HEAD", "/v1/tariff", &[], "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(daemon.ask("DELETE", "/v1/tariff", &[], "").header("allow"), "GET,HEAD");
    let page = daemon.get("/");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(!page.body.contains("http://") && !page.body.contains("https://"), "the page asks nobody else");
}

#[test]
fn the_metrics_address_answers_health_and_nothing_else() {
    let daemon = Daemon::start("");
    let metrics = daemon.addresses.metrics;
    assert_ne!(metrics, daemon.addresses.api);
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/v1/status", 200),
        ("/", 200),
        ("/v1/tariff", 404),
        ("/v1/suspense", 404),
    ] {
        // By any name and from any page: what is here is open.
        let answer = ask(metrics, "GET", path, &[("Host", "metrics.example"), ("Origin", "http://x.example")], "");
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
}

#[test]
fn tokens_guard_every_route_by_its_scope() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    let mut tokens = BTreeMap::new();
    for scope in ["ingest", "read", "operate"] {
        let (token, hash) = http::new_token().unwrap();
        text.push_str(&format!("[[token]]\nname = {scope:?}\nblake3 = {hash:?}\nscopes = [{scope:?}]\n"));
        tokens.insert(scope, token);
    }
    std::fs::write(folder.path().join("tokens.toml"), text).unwrap();
    let daemon = Daemon::start_in(folder, "tokens = \"tokens.toml\"");
    let document = daemon.get("/openapi.json").json();
    let mut guarded = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let wanted: Vec<&str> = operation["security"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|one| one["token"].as_array())
                .flatten()
                .map(|scope| scope.as_str().unwrap())
                .collect();
            let path = path.replace("{file}", "style.css").replace(['{', '}'], "x");
            let ask = |headers: &[(&str, &str)]| daemon.ask(&method.to_uppercase(), &path, headers, "");
            if path.starts_with("/v1/") && path != "/v1/status" {
                guarded += 1;
                assert_eq!(wanted.len(), 1, "{path} names its scope");
                let answer = ask(&[]);
                assert_eq!(answer.status, 401, "{method} {path}");
                assert!(answer.header("www-authenticate").starts_with("Bearer"), "{method} {path}");
                assert_eq!(ask(&[("Authorization", "Bearer wrong")]).status, 401, "{method} {path}");
                for (scope, token) in &tokens {
                    let answer = ask(&[("Authorization", &format!("Bearer {token}"))]);
                    let refused = answer.status == 403;
                    assert_eq!(refused, !wanted.contains(scope), "{method} {path} with {scope}: {}", answer.body);
                    assert_ne!(answer.status, 401, "{method} {path} with {scope}");
                }
            } else {
                let open = ["/", "/calls/xnodex/xidx", "/page/style.css", "/openapi.json"].contains(&path.as_str());
                assert_eq!(ask(&[]).status, if open { 200 } else { 401 }, "{method} {path}");
                let bearer = format!("Bearer {}", tokens["ingest"]);
                assert_eq!(ask(&[("Authorization", &bearer)]).status, 200, "{method} {path}");
            }
        }
    }
    assert!(guarded >= 13, "{guarded} routes");
    // The metrics address stays open, and a withdrawn token is refused soon.
    assert_eq!(ask(daemon.addresses.metrics, "GET", "/metrics", &[], "").status, 200);
    std::fs::write(daemon.folder.path().join("tokens.toml"), "# none\n").unwrap();
    let bearer = format!("Bearer {}", tokens["read"]);
    let begun = std::time::Instant::now();
    while daemon.ask("GET", "/v1/tariff", &[("Authorization", &bearer)], "").status != 401 {
        assert!(begun.elapsed() < PATIENCE, "the token is still taken");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_tokens_file_that_is_wrong_keeps_the_daemon_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokens.toml"), "[[token]]\nname = 1\n").unwrap();
    let rates = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
    let text =
        format!("rates_dir = {rates:?}\nlisten = []\n[http]\naddress = \"127.0.0.1:0\"\ntokens = \"tokens.toml\"\n");
    let config = Config::parse(&text, Some(&folder.path().join("callrated.toml"))).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let exit = runtime.block_on(daemon::run(config, |_| panic!("it started"), std::future::pending())).unwrap_err();
    assert_eq!(exit.code, 2);
    assert!(exit.message.contains("tokens.toml") && exit.message.contains("line 2"), "{exit}");
}

#[test]
fn the_description_lists_the_routes_and_answers_are_as_described() {
    let daemon = Daemon::start("");
    daemon.send(&records());
    let document = daemon.get("/openapi.json").json();
    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let routed: BTreeSet<(String, String)> =
        http::routes().into_iter().map(|(method, path)| (method, path.to_owned())).collect();
    assert_eq!(described, routed);
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");

    // Every example is as its schema says.
    for (name, one) in document["components"]["schemas"].as_object().unwrap() {
        if let Some(example) = one.get("example") {
            assert_eq!(schema::faults(&document, one, example), Vec::<String>::new(), "the example of {name}");
        }
    }

    // Every JSON answer of every route.
    let (period, _) = last_month();
    let backups = tempfile::tempdir().unwrap();
    let month = format!("/v1/periods/{period}");
    daemon.ask("POST", &format!("{month}/seal"), &[("Content-Type", "application/json")], "{\"early\":true}");
    wait_until("the month is sealed", || daemon.get(&month).json()["state"] == "sealed");
    let digest = daemon.get(&month).json()["digest"].clone();
    // Its release is asked first.
    let why = json!({ "why": "a test" }).to_string();
    daemon.ask("PUT", "/v1/accounts/acme/hold", &[("Content-Type", "application/json")], &why);
    let in_force = daemon.get("/v1/tariff").json()["tariff"].clone();
    let now = daemon.get("/v1/status").json()["at"].clone();
    for duration in [5, 6] {
        let mut twice = record("twice", "030123450", 20, duration);
        (twice["answer"], twice["incumbent_cost"]) = (now.clone(), json!("0.5"));
        daemon.send(&[twice]);
    }
    let waits = daemon.get("/v1/suspense?reason=unknown_account").json()["items"][0]["key"].clone();
    let asked: BTreeMap<(&str, &str), (String, Value)> = BTreeMap::from([
        (("GET", "/v1/accounts/{account}"), ("/v1/accounts/acme".into(), Value::Null)),
        (("GET", "/v1/retention"), ("/v1/retention".into(), Value::Null)),
        (("POST", "/v1/retention/run"), ("/v1/retention/run".into(), json!({}))),
        (("GET", "/v1/accounts/{account}/hold"), ("/v1/accounts/acme/hold".into(), Value::Null)),
        (("PUT", "/v1/accounts/{account}/hold"), ("/v1/accounts/acme/hold".into(), json!({ "why": "a test" }))),
        (("DELETE", "/v1/accounts/{account}/hold"), ("/v1/accounts/acme/hold".into(), json!({ "why": "a test" }))),
        (("POST", "/v1/accounts/{account}/erase"), ("/v1/accounts/globex/erase".into(), json!({ "why": "a test" }))),
        (("GET", "/v1/accounts"), ("/v1/accounts?limit=3".into(), Value::Null)),
        (("PUT", "/v1/accounts/{account}"), ("/v1/accounts/acme?take_over=true".into(), json!({ "language": "en" }))),
        (("DELETE", "/v1/accounts/{account}"), ("/v1/accounts/hooli?take_over=true&at=2030-01-01".into(), Value::Null)),
        (
            ("POST", "/v1/accounts"),
            ("/v1/accounts?take_over=true".into(), json!({ "account": "acme", "language": "de" })),
        ),
        (("GET", "/v1/accounts/{account}/history"), ("/v1/accounts/acme/history".into(), Value::Null)),
        (("GET", "/v1/numbers/{number}"), ("/v1/numbers/+4930600".into(), Value::Null)),
        (
            ("PUT", "/v1/numbers/{number}"),
            ("/v1/numbers/+4930600?take_over=true".into(), json!({ "account": "globex" })),
        ),
        (
            ("DELETE", "/v1/numbers/{number}"),
            ("/v1/numbers/+12125550101?take_over=true&at=2030-01-01".into(), Value::Null),
        ),
        (
            ("POST", "/v1/numbers"),
            ("/v1/numbers?take_over=true".into(), json!({ "number": "+4930600", "account": "acme" })),
        ),
        (("GET", "/v1/numbers/{number}/history"), ("/v1/numbers/+4930600/history".into(), Value::Null)),
        (("GET", "/v1/accounts/{account}/usage"), (format!("/v1/accounts/acme/usage?period={period}"), Value::Null)),
        (("GET", "/v1/accounts/{account}/calls"), (format!("/v1/accounts/acme/calls?period={period}"), Value::Null)),
        (("GET", "/v1/periods/{period}/usage"), (format!("/v1/periods/{period}/usage"), Value::Null)),
        (("GET", "/v1/calls/{node}/{id}"), ("/v1/calls/lab/straddle%2F1%40host".into(), Value::Null)),
        (("GET", "/v1/records/{node}/{id}"), ("/v1/records/lab/nowhere".into(), Value::Null)),
        (("GET", "/v1/tariff"), ("/v1/tariff".into(), Value::Null)),
        (("GET", "/v1/directory"), ("/v1/directory".into(), Value::Null)),
        (("GET", "/v1/suspense"), ("/v1/suspense?limit=1".into(), Value::Null)),
        (("GET", "/v1/margin"), (format!("/v1/margin?period={period}"), Value::Null)),
        (("GET", "/v1/conflicts"), ("/v1/conflicts?limit=1".into(), Value::Null)),
        (("GET", "/v1/guard/events"), ("/v1/guard/events?newest=true".into(), Value::Null)),
        (("GET", "/v1/accounts/{account}/guard"), ("/v1/accounts/acme/guard".into(), Value::Null)),
        (("GET", "/v1/shadow"), (format!("/v1/shadow?period={period}"), Value::Null)),
        (
            ("POST", "/v1/conflicts/{node}/{id}/decide"),
            ("/v1/conflicts/lab/twice/decide".into(), json!({ "keep": "second", "why": "a test" })),
        ),
        (("GET", "/v1/status"), ("/v1/status".into(), Value::Null)),
        (("POST", "/v1/calls"), ("/v1/calls".into(), json!([record("more", "030123450", 20, 5), { "id": 1 }]))),
        (
            ("POST", "/v1/quote"),
            (
                "/v1/quote".into(),
                json!({ "account": "acme", "destination": "00551198765432", "duration": "61.2", "proof": true }),
            ),
        ),
        (("GET", "/v1/verify"), ("/v1/verify".into(), Value::Null)),
        (
            ("POST", "/v1/import"),
            ("/v1/import?node=old".into(), json!([record("old", "030123450", 21, 5), { "id": 1 }])),
        ),
        (("GET", "/v1/periods"), ("/v1/periods".into(), Value::Null)),
        (("GET", "/v1/periods/{period}"), (month.clone(), Value::Null)),
        (("GET", "/v1/periods/{period}/manifest"), (format!("{month}/manifest"), Value::Null)),
        (("POST", "/v1/periods/{period}/seal"), (format!("{month}/seal"), json!({}))),
        (("POST", "/v1/periods/{period}/ack"), (format!("{month}/ack"), json!({ "job": "x", "digest": digest }))),
        (("GET", "/v1/calls/{node}/{id}/explain"), ("/v1/calls/lab/abroad/explain".into(), Value::Null)),
        (("POST", "/v1/rerate"), ("/v1/rerate".into(), json!({ "period": period, "apply": true, "why": "a test" }))),
        (("GET", "/v1/rerate"), ("/v1/rerate".into(), Value::Null)),
        (("GET", "/v1/rerate/{job}"), ("/v1/rerate/1".into(), Value::Null)),
        (("POST", "/v1/rerate/{job}/undo"), ("/v1/rerate/1/undo".into(), json!({}))),
        (("POST", "/v1/suspense/discard"), ("/v1/suspense/discard".into(), json!({ "key": waits, "why": "a test" }))),
        (
            ("POST", "/v1/backup"),
            ("/v1/backup".into(), json!({ "dir": backups.path().join("monday").to_str().unwrap() })),
        ),
        (("POST", "/v1/suspense/retry"), ("/v1/suspense/retry".into(), json!({ "reason": "no_rate" }))),
        (("POST", "/v1/tariff/try"), ("/v1/tariff/try".into(), json!({ "period": period, "top": 2 }))),
        (("POST", "/v1/tariff/reload"), ("/v1/tariff/reload".into(), json!({}))),
        (("POST", "/v1/tariff/activate"), ("/v1/tariff/activate".into(), json!({ "tariff": in_force }))),
    ]);
    let mut checked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let Some(schema) = operation["responses"]["200"]["content"]["application/json"].get("schema") else {
                continue;
            };
            let method = method.to_uppercase();
            if path == "/openapi.json" {
                continue;
            }
            let Some((at, body)) = asked.get(&(method.as_str(), path.as_str())) else {
                panic!("{method} {path} is not asked in this test");
            };
            let (kind, text) =
                if body.is_null() { ("", String::new()) } else { ("application/json", body.to_string()) };
            let mut headers = vec![("Accept", "application/json")];
            if !kind.is_empty() {
                headers.push(("Content-Type", kind));
            }
            let answer = daemon.ask(&method, at, &headers, &text);
            // A run that takes longer than its answer waits is answered as it is by then.
            let runs = path.starts_with("/v1/rerate") && answer.status == 202;
            assert!(answer.status == 200 || runs, "{method} {at}: {} {}", answer.status, answer.body);
            if runs {
                wait_until("the run has ended", || daemon.get("/v1/rerate/1").json()["state"] != "rating");
            }
            let faults = schema::faults(&document, schema, &answer.json());
            assert_eq!(faults, Vec::<String>::new(), "{method} {at}: {}", answer.body);
            checked += 1;
        }
    }
    assert_eq!(checked, asked.len());
    let problem = daemon.get("/v1/accounts/acne").json();
    let schema = &document["components"]["schemas"]["Problem"];
    assert_eq!(schema::faults(&document, schema, &problem), Vec::<String>::new());
}

/// Reads CSV in which the cells of interest hold neither commas nor quotes.
fn column(csv: &str, index: usize) -> Vec<&str> {
    csv.split("\r\n").skip(1).filter(|row| !row.is_empty()).map(|row| row.split(',').nth(index).unwrap()).collect()
}

/// Adds decimals as whole numbers of the last of four places.
fn sum(amounts: &[&str]) -> i64 {
    amounts
        .iter()
        .map(|amount| {
            let (whole, part) = amount.split_once('.').unwrap();
            assert_eq!(part.len(), 4, "{amount}");
            whole.parse::<i64>().unwrap() * 10_000 + part.parse::<i64>().unwrap()
        })
        .sum()
}

#[test]
fn call_details_add_up_to_the_usage_in_every_form() {
    let daemon = Daemon::start("");
    let mut sent = records();
    for i in 0..2_000u32 {
        let to = ["00551198765432", "0033123456789", "004420794601", "030123450"][i as usize % 4];
        sent.push(record(&format!("many{i}"), to, 100 + i, i % 300));
    }
    daemon.send(&sent);
    let (period, day) = last_month();
    let usage = daemon.get(&format!("/v1/accounts/acme/usage?period={period}")).json();
    assert_eq!(daemon.get("/v1/verify").json()["balanced"], json!(true));
    let details = |query: &str, accept: &str| {
        let path = format!("/v1/accounts/acme/calls?period={period}{query}");
        let answer = daemon.ask("GET", &path, &[("Accept", accept)], "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer
    };
    let csv = details("", "*/*");
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.header("content-disposition").contains(&format!("calls-{period}.csv")));
    // The account's language, since none is asked for.
    assert!(csv.body.starts_with("Quellrufnummer,Zielrufnummer,Startzeit (UTC),"), "{}", &csv.body[..100]);
    let costs = column(&csv.body, 6);
    let calls: i64 = usage["totals"].as_array().unwrap().iter().map(|t| t["calls"].as_i64().unwrap()).sum();
    assert_eq!(costs.len() as i64, calls);
    assert_eq!(sum(&costs), sum(&[usage["cost"].as_str().unwrap()]));
    let totals: Vec<&str> = usage["totals"].as_array().unwrap().iter().map(|t| t["cost"].as_str().unwrap()).collect();
    assert_eq!(sum(&totals), sum(&costs));

    // By answer; the straddling call is one row with the overage rate, and counts once, under `included`.
    let starts = column(&csv.body, 2);
    assert!(starts.is_sorted());
    let row = csv.body.split("\r\n").find(|row| row.contains(&format!("{day} 08:00:10"))).unwrap();
    assert_eq!(row, format!("+4930600,+4930123450,{day} 08:00:10,{day} 08:01:11,61,2,0.0150,0.015,Inklusivminuten"));

    // The same calls as JSON lines and as one array.
    let lines: Vec<Value> =
        details("", "application/x-ndjson").body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let array = details("", "application/json").json();
    assert_eq!(array.as_array().unwrap(), &lines);
    assert_eq!(lines.iter().map(|l| l["cost"].as_str().unwrap()).collect::<Vec<_>>(), costs);

    // Billed only leaves out what costs nothing, and nothing else.
    let billed = details("&billed_only=true", "text/csv");
    let billed = column(&billed.body, 6);
    assert_eq!(billed, costs.iter().copied().filter(|cost| *cost != "0.0000").collect::<Vec<_>>());

    let italian = details("&lang=it", "text/csv").body;
    assert!(italian.starts_with("Numero di origine,Numero di destinazione,Ora di inizio (UTC+0),Ora di fine (UTC+0),"));
    assert!(column(&italian, 8).contains(&"Internazionale"));
    let full = details("&lang=en&columns=full", "text/csv").body;
    assert!(full.starts_with("Source Number,Destination Number,Start Time (UTC),End Time (UTC),Duration (sec),"));
    // A spreadsheet must not run a call's id.
    assert!(full.contains(",\"'=cmd|' /C calc'!A0\","), "{full}");
    assert!(!full.contains(",=cmd"));

    // An account without calls has an empty month; other months are empty, too.
    for path in ["/v1/accounts/globex/calls?lang=en", "/v1/accounts/acme/calls?period=2020-01&lang=en"] {
        let empty = daemon.get(path);
        assert_eq!((empty.status, empty.body.lines().count()), (200, 1), "{path}");
    }
    let empty = daemon.ask("GET", "/v1/accounts/globex/calls", &[("Accept", "application/json")], "");
    assert_eq!(empty.json(), json!([]));
}

#[test]
fn a_month_is_sealed_proved_taken_and_corrected() {
    let daemon = Daemon::start("");
    daemon.send(&records());
    let (period, day) = last_month();
    let month = format!("/v1/periods/{period}");
    assert_eq!(daemon.get(&month).json()["state"], "closing");
    assert_eq!(daemon.get(&format!("{month}/manifest")).status, 404);
    let json_kind = [("Content-Type", "application/json")];
    let post = |path: &str, body: &Value| daemon.ask("POST", path, &json_kind, &body.to_string());
    assert_eq!(post(&format!("{month}/ack"), &json!({"job": "invoices", "digest": "blake3:0"})).status, 409);
    assert_eq!(daemon.ask("POST", "/v1/periods/2099-01/seal", &[], "").status, 409);
    let usage = format!("/v1/accounts/acme/usage?period={period}");
    let before = daemon.get(&usage).json();

    let asked = post(&format!("{month}/seal"), &json!({"early": true, "by": "a test"}));
    assert_eq!(asked.status, 202, "{}", asked.body);
    wait_until("the month is sealed", || daemon.get(&month).json()["state"] == "sealed");
    let shown = daemon.get(&month).json();
    assert_eq!(shown["requested_by"], "a test");
    // Asking again changes nothing.
    assert_eq!(post(&format!("{month}/seal"), &json!({})).status, 200);
    let manifest = daemon.get(&format!("{month}/manifest"));
    assert_eq!(manifest.status, 200);
    assert_eq!(manifest.body, daemon.get(&format!("{month}/manifest")).body, "the same bytes every time");
    assert_eq!(manifest.json()["digest"], shown["digest"]);
    let acme = manifest.json()["accounts"][0].clone();
    let after = daemon.get(&usage).json();
    assert_eq!((&acme["account"], &acme["cost"]), (&json!("acme"), &after["cost"]));
    assert_eq!(after["state"], "sealed");
    // Told in order, the month was right before it was sealed.
    assert_eq!((&before["cost"], &before["totals"]), (&after["cost"], &after["totals"]));

    assert_eq!(post(&format!("{month}/ack"), &json!({"job": "invoices", "digest": "blake3:0"})).status, 409);
    let taken = post(&format!("{month}/ack"), &json!({"job": "invoices", "digest": shown["digest"]})).json();
    assert_eq!(taken["acks"][0]["job"], "invoices");

    // The proof of a stored call, in a customer's words.
    let proof = daemon.get("/v1/calls/lab/straddle%2F1%40host/explain?lang=de").json();
    let leg = &proof["legs"][0];
    assert_eq!(leg["proved"], true, "{proof:#}");
    let (cost, words) = (leg["cost"].as_str().unwrap(), leg["words"].as_array().unwrap());
    assert!(words.last().unwrap().as_str().unwrap().ends_with(cost), "{words:#?}");
    assert!(words[1].as_str().unwrap().starts_with("Gesprächsdauer"), "{words:#?}");
    assert!(leg["proof"].as_array().unwrap().last().unwrap()["text"].as_str().unwrap().contains(cost));
    assert_eq!(leg["record"], "raw");
    assert!(leg["raw"].as_str().unwrap().contains("straddle"));
    assert_eq!(daemon.get("/v1/calls/lab/abroad/explain?lang=fr").status, 400);
    assert_eq!(daemon.get("/v1/calls/lab/nobody/explain").status, 404);

    // What comes now is billed in the open month, and says where it belongs. The thousand minutes are gone.
    let late = json!({
        "id": "late", "node": "lab", "source": "+4930600", "destination": "030123450",
        "answer": format!("{day}T20:00:00Z"), "duration": 61,
    });
    daemon.send(&[late]);
    let call = daemon.get("/v1/calls/lab/late").json();
    let leg = &call["legs"][0];
    assert_eq!((&leg["adjusts"], &leg["call_type"]), (&json!(period), &json!("overage")), "{call:#}");
    assert_ne!(leg["period"], json!(period));
    assert_eq!(daemon.get(&usage).json()["totals"], after["totals"], "a sealed month does not change");
    assert_eq!(daemon.get("/v1/calls/lab/late/explain").json()["legs"][0]["proved"], true);
    assert_eq!(daemon.get(&format!("{month}/manifest")).body, manifest.body);

    // The month for other programs: rows of all accounts, which add up to what the header and the manifest say.
    let lines = daemon.ask("GET", &format!("{month}/calls"), &[("Accept", "application/x-ndjson")], "");
    let rows: Vec<Value> = lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let costs: Vec<&str> = rows.iter().map(|row| row["cost"].as_str().unwrap()).collect();
    let told = manifest.json()["cost"]["EUR"].as_str().unwrap().to_owned();
    assert_eq!((sum(&costs), lines.header("callrated-cost")), (sum(&[&told]), format!("EUR {told}").as_str()));
    assert_eq!(lines.header("callrated-calls"), rows.len().to_string());
    let csv = daemon.ask("GET", &format!("{month}/calls?lang=de"), &[("Accept", "text/csv")], "");
    assert_eq!(csv.body.lines().count(), rows.len() + 1);
    assert_eq!(sum(&column(&csv.body, 7)), sum(&[&told]), "{}", csv.body);

    for path in ["/v1/verify".to_owned(), format!("/v1/verify?period={period}")] {
        let verified = daemon.get(&path).json();
        assert_eq!(verified["balanced"], true, "{verified:#}");
    }

    // What waits can be given up, with a reason.
    let waiting = daemon.get("/v1/suspense").json();
    let key = waiting["items"][0]["key"].as_str().unwrap();
    assert_eq!(post("/v1/suspense/discard", &json!({"key": key, "why": " "})).status, 400);
    let discarded = post("/v1/suspense/discard", &json!({"key": key, "why": "a call of our own"}));
    assert_eq!(discarded.status, 200, "{}", discarded.body);
    assert_eq!(post("/v1/suspense/discard", &json!({"key": key, "why": "again"})).status, 404);
    let left = daemon.get("/v1/suspense").json()["items"].as_array().unwrap().len();
    assert_eq!(left + 1, waiting["items"].as_array().unwrap().len());
    assert_eq!(daemon.get("/v1/verify").json()["balanced"], true);
}

#[test]
fn months_seal_by_schedule_where_that_is_configured() {
    let mut daemon = Daemon::start("");
    daemon.send(&records());
    daemon.end().unwrap();
    let folder = std::mem::replace(&mut daemon.folder, tempfile::tempdir().unwrap());
    let daemon = Daemon::start_in(folder, "[periods]\ngrace = \"1h\"\nauto_seal = true");
    let month = format!("/v1/periods/{}", last_month().0);
    wait_until("the month is sealed", || daemon.get(&month).json()["state"] == "sealed");
    assert_eq!(daemon.get(&month).json()["requested_by"], "schedule");
    assert_eq!(daemon.get("/v1/verify").json()["balanced"], true);
}

/// Hamburg has drawn all but one of the thousand minutes that the depots share; Köln never called.
#[test]
fn a_quote_of_who_never_called_draws_what_its_group_has_left() {
    let daemon = Daemon::start("");
    let calls: Vec<Value> = [10_000, 10_000, 10_000, 10_000, 10_000, 9_840]
        .iter()
        .enumerate()
        .map(|(i, seconds)| {
            let mut call = record(&format!("hamburg{i}"), "030123450", i as u32, *seconds);
            call["source"] = json!("+494066969100");
            call
        })
        .collect();
    daemon.send(&calls);
    let (_, day) = last_month();
    let call = json!({ "account": "depot-koeln", "destination": "030123450", "answer": format!("{day}T20:00:00Z"),
                       "duration": 121 });
    let quote = daemon.ask("POST", "/v1/quote", &[("Content-Type", "application/json")], &call.to_string()).json();
    assert_eq!((&quote["billable_seconds"], &quote["included_seconds"]), (&json!(180), &json!(60)), "{quote}");
}

#[test]
fn pages_of_a_month_join_without_gap_or_repeat() {
    let daemon = Daemon::start("");
    daemon.send(&records());
    let (period, day) = last_month();
    for (i, source) in ["+12125550100", "+442079460100", "+390600000100"].iter().enumerate() {
        daemon.send(&[json!({ "id": format!("p{i}"), "node": "lab", "source": source, "destination": "+33123456789",
                              "answer": format!("{day}T09:00:00Z"), "duration": 60 })]);
    }
    let whole = daemon.get(&format!("/v1/periods/{period}/usage")).json();
    let names: Vec<String> =
        whole["accounts"].as_array().unwrap().iter().map(|a| a["account"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["acme", "globex", "initech", "umbrella"]);
    assert_eq!(whole["next"], Value::Null);
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = daemon.get(&format!("/v1/periods/{period}/usage?limit=1&after={after}")).json();
        paged.extend(page["accounts"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(&paged, whole["accounts"].as_array().unwrap());
    let accept = |kind| daemon.ask("GET", &format!("/v1/periods/{period}/usage"), &[("Accept", kind)], "");
    let lines: Vec<Value> =
        accept("application/x-ndjson").body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, paged);
    let csv = accept("text/csv").body;
    assert!(csv.starts_with("account,call_type,calls,seconds,"));
    let rows: usize = paged.iter().map(|a| a["totals"].as_array().unwrap().len()).sum();
    assert_eq!(column(&csv, 0).len(), rows);
}

#[test]
fn every_metric_is_described_and_a_number() {
    let daemon = Daemon::start("");
    daemon.send(&records());
    daemon.get("/v1/suspense");
    let text = daemon.get("/metrics").body;
    let mut names = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
        let name = series.split('{').next().unwrap();
        let name = ["_bucket", "_sum", "_count"].iter().fold(name, |n, end| n.strip_suffix(end).unwrap_or(n));
        names.insert(name.to_owned());
        // Neither an account nor a number is ever a label.
        assert!(!series.contains("acme") && !series.contains("4930"), "{line}");
    }
    for name in names {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not described");
    }
    let status = daemon.get("/v1/status").json();
    assert_eq!(
        (&status["ready"], &status["books_balanced"], &status["store_up"]),
        (&json!(true), &json!(true), &json!(true))
    );
}

#[test]
fn a_store_that_is_away_is_said_and_loses_nothing() {
    let daemon = Daemon::start("");
    daemon.send(&records()[..1]);
    let (period, _) = last_month();
    let file = daemon.folder.path().join("data/callrated.db");
    // Another process that writes keeps the store from writing.
    let other = rusqlite::Connection::open(file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    daemon.send(&records()[1..]);
    let stored = daemon.get(&format!("/v1/periods/{period}/usage"));
    assert_eq!(stored.status, 503, "{}", stored.body);
    assert_eq!(stored.header("retry-after"), "1");
    wait_until("not ready", || daemon.get("/readyz").status == 503);
    let ready = daemon.get("/readyz");
    assert!(ready.json()["errors"][0].as_str().unwrap().starts_with("the store is away"), "{}", ready.body);
    assert_eq!(daemon.get("/healthz").status, 200);
    assert_eq!(daemon.get("/v1/status").json()["store_up"], json!(false));
    // What is known now does not need the store.
    let live = daemon.get(&format!("/v1/accounts/acme/usage?period={period}"));
    assert_eq!(live.status, 200, "{}", live.body);
    other.execute_batch("ROLLBACK").unwrap();
    wait_until("ready", || daemon.get("/readyz").status == 200);
    let stored = daemon.get(&format!("/v1/periods/{period}/usage")).json();
    assert_eq!(stored["accounts"][0]["totals"], live.json()["totals"]);
    assert_eq!(daemon.get("/v1/status").json()["books_balanced"], json!(true));
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_stop_waits_for_nobody_who_dawdles() {
    let mut daemon = Daemon::start("");
    let api = daemon.addresses.api;
    // One that is kept open, one that never ends its head, one that never ends its body.
    let mut idle = TcpStream::connect(api).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let mut head = TcpStream::connect(api).unwrap();
    head.write_all(b"GET /healthz HTTP/1.1\r\nHost:").unwrap();
    let mut body = TcpStream::connect(api).unwrap();
    body.write_all(b"POST /v1/calls HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{\"id\"").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let (done, is_done) = std::sync::mpsc::channel();
    let ending = std::thread::spawn(move || done.send(daemon.end()));
    let ended = is_done.recv_timeout(PATIENCE).expect("the daemon ends");
    assert!(ended.is_ok(), "{ended:?}");
    let _ = ending.join();
}
