//! What the tests from outside share: a folder with small rates, the daemon as its own process, and asking it.
#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test from outside measures the world, so it asks the world for the time"
)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde_json::Value;

#[path = "../process/program.rs"]
pub mod program;

use program::Process;
#[allow(unused_imports, reason = "each test file uses its own part of this")]
pub use program::{PATIENCE, free_port, wait_for};

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
        program::write_whole(&self.path(name), text);
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
            if daemon.process.is_ready() {
                return daemon;
            }
            let status = daemon.ended();
            // A port may be somebody else's by now: of a program that is none of ours.
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
        Daemon { process: Process::launch(self.folder.path(), &config, http, environment), tcp, http }
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

/// Of a request with that body: records, or a question.
fn headers(body: &str) -> [(&'static str, &'static str); 2] {
    let kind = if body.starts_with("{\"id\"") { "application/x-ndjson" } else { "application/json" };
    [("Accept", "application/json, text/plain"), ("Content-Type", kind)]
}

/// A daemon that ends with its test.
pub struct Daemon {
    process: Process,
    pub tcp: u16,
    pub http: u16,
}

impl Daemon {
    /// What it said so far on standard error.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// No goodbye: the process is gone between two instructions.
    pub fn kill(mut self) {
        self.process.kill();
    }

    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        self.process.ended()
    }

    /// Waits for its end, which must be an abort.
    pub fn aborted(mut self) {
        let status = self.ended();
        assert_eq!(status.signal(), Some(6), "{status}:\n{}", self.log());
    }

    /// Status and body of an answer; none if the daemon went away before it answered.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        self.process.ask(method, path, &headers(body), body)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.process.answered("GET", path, &headers(""), "").unwrap();
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
        self.process.metric(name, label)
    }
}
