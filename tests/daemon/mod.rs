//! What the tests from outside share: a folder with small rates, the daemon as its own process, and asking it.
#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test from outside measures the world, so it asks the world for the time"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for anything: far beyond what a loaded machine needs, so that a hang is a failure and not a hang.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Every in-plan and foreign call costs what the deck `world` says.
const PLANS: &str = r#"
[plan.p]
country = "DE"
currency = "EUR"
included_minutes = 0
overage_rate = "0.5"
decks = ["world"]
"#;

/// A working folder with rates: one plan, accounts `a` and `b`, and calls to +44 at one price.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new(rate: &str) -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
        place.write("rates/countries.toml", &fs::read_to_string(shipped.join("countries.toml")).unwrap());
        // Only the two countries of these tests: compiled in no time.
        let numbering = fs::read_to_string(shipped.join("numbering.csv")).unwrap();
        let mut lines = numbering.lines().filter(|line| !line.starts_with('#'));
        let heading = lines.next().unwrap();
        let rows = lines.filter(|line| line.starts_with("49") || line.starts_with("44"));
        let numbering: String = std::iter::once(heading).chain(rows).flat_map(|line| [line, "\n"]).collect();
        place.write("rates/numbering.csv", &numbering);
        place.write("rates/plans.toml", PLANS);
        place.deck(rate);
        place.accounts("a");
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // In one go: the daemon watches the folder, and must not see half a file.
        let whole = path.with_extension("whole");
        fs::write(&whole, text).unwrap();
        fs::rename(&whole, &path).unwrap();
    }

    /// Price of a minute to +44.
    pub fn deck(&self, rate: &str) {
        self.write("rates/decks/world.csv", &deck(rate));
    }

    /// Accounts `a` and `b`; the number [`SHARED`] belongs to the one named.
    pub fn accounts(&self, owner: &str) {
        let rows = "account,plan,country,billing_start,timezone\na,p,DE,2020-01-01,UTC\nb,p,DE,2020-01-01,UTC\n";
        self.write("rates/accounts.csv", rows);
        self.write("rates/numbers.csv", &format!("number,account\n+4930231251,a\n+4930231252,b\n{SHARED},{owner}\n"));
    }

    /// Starts the daemon and waits until it is ready.
    pub fn start(&self, settings: &str, environment: &[(&str, &str)]) -> Daemon {
        for _ in 0..5 {
            let mut daemon = self.launch(settings, environment);
            if daemon.is_ready() {
                return daemon;
            }
            let status = daemon.ended();
            std::thread::sleep(Duration::from_millis(100));
            // A free port may be somebody else's by now: other tests look for some, too.
            let log = daemon.log();
            assert!(log.contains("in use"), "the daemon ended before it was ready, {status}:\n{log}");
        }
        panic!("no port stayed free five times in a row");
    }

    /// Starts the daemon, which may end before it is ready.
    pub fn launch(&self, settings: &str, environment: &[(&str, &str)]) -> Daemon {
        let (tcp, http) = (free_port(), free_port());
        let config = format!(
            "shards = 2\nrates_dir = \"rates\"\ndata_dir = \"data\"\n[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{tcp}\"\n\
             [http]\naddress = \"127.0.0.1:{http}\"\n{settings}\n"
        );
        self.write("callrated.toml", &config);
        let mut command = Command::new(env!("CARGO_BIN_EXE_callrated"));
        command.current_dir(self.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("RUST_LOG").env_remove("JOURNAL_STREAM").env_remove("CALLRATED_TOKEN");
        let mut child = command.envs(environment.iter().copied()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (mut stderr, told) = (BufReader::new(child.stderr.take().unwrap()), log.clone());
        std::thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|n| n > 0) {
                told.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        });
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Daemon { child, tcp, http, stdout, log }
    }
}

/// A number whose owner the tests change.
pub const SHARED: &str = "+4930231259";

/// A deck in which a minute to +44 costs so much.
pub fn deck(rate: &str) -> String {
    format!("prefix,destination,rate\n44,United Kingdom,{rate}\n")
}

/// A record of a call of whole minutes to +44.
pub fn record(id: &str, source: &str, answer: &str, minutes: u64) -> String {
    format!(
        r#"{{"id":"{id}","node":"sbc","source":"{source}","destination":"00442079460123","answer":"{answer}","duration":{}}}"#,
        minutes * 60
    )
}

/// The time so many seconds from now.
pub fn from_now(seconds: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).to_string()
}

/// A daemon that ends with its test.
pub struct Daemon {
    pub child: Child,
    pub tcp: u16,
    pub http: u16,
    stdout: BufReader<std::process::ChildStdout>,
    log: Arc<Mutex<String>>,
}

impl Daemon {
    fn is_ready(&mut self) -> bool {
        let mut line = String::new();
        while !line.contains("is ready") {
            line.clear();
            if self.stdout.read_line(&mut line).unwrap() == 0 {
                return false;
            }
        }
        true
    }

    /// What it said so far on standard error.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// No goodbye: the process is gone between two instructions.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the daemon does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end, which must be an abort.
    pub fn aborted(mut self) {
        let status = self.ended();
        // The reader of its log ends with the pipe.
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(status.signal(), Some(6), "{status}:\n{}", self.log());
    }

    /// Status and body of an answer; none if the daemon went away before it answered.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let kind = if body.starts_with("{\"id\"") { "application/x-ndjson" } else { "application/json" };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json, text/plain\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        // A body in chunks: sizes stand on lines of their own.
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            return Some((status, unchunked(body)));
        }
        Some((status, body.to_owned()))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, "").unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {e}: {body}"))
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &str) -> Value {
        let (status, body) = self.ask("POST", path, body).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {e}: {body}"))
    }

    /// Posts records, all of which must become durable.
    #[track_caller]
    pub fn records(&self, lines: &[String]) {
        let answer = self.post("/v1/calls", &lines.join("\n"));
        assert_eq!(answer["durable"], lines.len(), "{answer}");
    }

    /// The sum of a metric over its labels that contain a text.
    pub fn metric(&self, name: &str, label: &str) -> u64 {
        let (_, text) = self.ask("GET", "/metrics", "").unwrap();
        let named = |l: &&str| l.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values = text.lines().filter(named).filter(|l| l.contains(label));
        values.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unchunked(mut body: &str) -> String {
    let mut all = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        all.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    all
}

pub fn wait_for(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
