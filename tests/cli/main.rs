//! The built program as people and scripts call it: commands, exit codes, and what stands on the two outputs.
//!
//! Each test has a folder of its own with a few of the shipped rates, and ports that the system gives.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use callrated::os::clock::Clock;
use clap::{CommandFactory, Parser};
use serde_json::{Value, json};

mod margin;
mod metrics;
mod minimum;
mod rerate;
mod service;
mod shadow;
mod tariffs;
mod tls;
mod tour;

#[path = "../process/ports.rs"]
mod ports;

use ports::free_port;

const PROGRAM: &str = env!("CARGO_BIN_EXE_callrated");
/// Longer than anything here takes on a slow machine; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits no longer than [`PATIENCE`].
struct Patience(Clock, i64);

impl Patience {
    fn new() -> Patience {
        let clock = Clock::wall();
        let begun = clock.running().0;
        Patience(clock, begun)
    }

    fn lasts(&self) -> bool {
        self.0.running().0 - self.1 < PATIENCE.as_micros() as i64
    }
}

/// A working folder with rates.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// With one plan and account, and those rows of the shipped files that price a few countries: compiled in no time.
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let shipped = |file: &str| fs::read_to_string(shipped_rates().join(file)).unwrap();
        let rows = |text: &str, keep: &dyn Fn(&str) -> bool| -> String {
            let mut lines = text.lines().filter(|line| !line.starts_with('#'));
            let heading = lines.next().unwrap();
            std::iter::once(heading)
                .chain(lines.filter(|line| keep(line)))
                .fold(String::new(), |text, line| text + line + "\n")
        };
        let plans = shipped("plans.toml");
        let from = plans.find("[plan.de-business]").unwrap();
        let to = plans.find("[plan.us-business]").unwrap();
        place.write("rates/plans.toml", &plans[from..to]);
        place.write("rates/countries.toml", shipped("countries.toml"));
        let numbers = ["49", "55"];
        place.write(
            "rates/numbering.csv",
            rows(&shipped("numbering.csv"), &|line| numbers.iter().any(|n| line.starts_with(n))),
        );
        for deck in ["world-eur", "premium-de", "tollfree-de"] {
            let deck = format!("decks/{deck}.csv");
            let keep = |line: &str| deck != "decks/world-eur.csv" || line.starts_with("55");
            place.write(&format!("rates/{deck}"), rows(&shipped(&deck), &keep));
        }
        place.write("rates/accounts.csv", rows(&shipped("accounts.csv"), &|line| line.starts_with("acme,")));
        place.write("rates/numbers.csv", rows(&shipped("numbers.csv"), &|line| line.contains(",acme,")));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.folder.path());
        command.env_remove("RUST_LOG").env_remove("JOURNAL_STREAM").env_remove("CALLRATED_TOKEN");
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(arguments, self.command(arguments).stdin(Stdio::null()).output().unwrap())
    }

    /// Runs, demands code 0, and reads the last line as JSON.
    fn json(&self, arguments: &[&str]) -> Value {
        self.run(arguments).code(0).last_json()
    }

    /// A configuration with those ports; `more` follows the table of `[http]`.
    fn configured(&self, records: u16, api: u16, more: &str) {
        self.write(
            "callrated.toml",
            format!(
                "[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{records}\"\n[http]\naddress = \"127.0.0.1:{api}\"\n{more}"
            ),
        );
    }

    /// Starts the daemon on ports of its own.
    fn serve(&self, more: &str) -> Daemon {
        let (records, api) = (free_port(), free_port());
        self.configured(records, api, more);
        self.started(records, api)
    }

    /// Starts the daemon on the ports that its configuration has.
    fn started(&self, records: u16, api: u16) -> Daemon {
        let mut child = self.command(&["serve"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("is ready") {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "the daemon ended before it was ready");
        }
        Daemon { child, records, api, _lines: lines }
    }
}

/// A daemon that ends with its test.
struct Daemon {
    child: Child,
    records: u16,
    api: u16,
    /// Read no further, but open: it may write more.
    _lines: BufReader<std::process::ChildStdout>,
}

impl Daemon {
    fn stop(mut self) -> i32 {
        terminate(&self.child);
        wait(&mut self.child)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminate(child: &Child) {
    let done = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

fn wait(child: &mut Child) -> i32 {
    let patience = Patience::new();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        assert!(patience.lasts(), "a process does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How a command ended.
struct Ended {
    what: String,
    output: Output,
}

impl Ended {
    fn of(arguments: &[&str], output: Output) -> Ended {
        Ended { what: arguments.join(" "), output }
    }

    #[track_caller]
    fn code(self, expected: i32) -> Ended {
        assert_eq!(self.output.status.code(), Some(expected), "{}\n{}\n{}", self.what, self.out(), self.err());
        self
    }

    fn out(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    fn err(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    #[track_caller]
    fn last_json(&self) -> Value {
        let out = self.out();
        serde_json::from_str(out.lines().last().unwrap_or("")).unwrap_or_else(|e| panic!("{}: {e}: {out}", self.what))
    }

    /// The one sentence with which a command that could not do its work ends.
    #[track_caller]
    fn sentence(&self) -> String {
        let err = self.err();
        assert_eq!(err.lines().count(), 1, "{}: {err}", self.what);
        err.trim_end().strip_prefix("callrated: ").unwrap_or_else(|| panic!("{err}")).to_owned()
    }
}

fn shipped_rates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rates")
}

/// Records of calls in October 2026: every seventh unanswered, the others to four destinations.
fn records(count: usize, mark: &str) -> Vec<String> {
    let to = ["015123456789", "005511987654321", "0900123456", "+4930600"];
    (0..count)
        .map(|i| {
            let mut record = json!({
                "id": format!("{mark}{i}"), "node": "old", "source": "+4930123456", "destination": to[i % to.len()],
                "start": "2026-10-05T08:59:50Z", "duration": 0,
            });
            if i % 7 > 0 {
                record["answer"] = json!(format!("2026-10-{:02}T09:00:00.5Z", 1 + i % 28));
                record["duration"] = json!(1 + i * 13 % 700);
            }
            record.to_string()
        })
        .collect()
}

/// An amount in nano-units: decimals, never floats.
fn nano(amount: &Value) -> i128 {
    let text = amount.as_str().unwrap_or_else(|| panic!("{amount} is no text"));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let negative = whole.starts_with('-');
    let digits: i128 = format!("{}{part:0<9}", whole.trim_start_matches('-')).parse().unwrap();
    if negative { -digits } else { digits }
}

#[test]
fn every_example_in_the_help_is_understood() {
    fn walk(command: &mut clap::Command, seen: &mut usize) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        let name = command.get_name().to_owned();
        assert!(name == "callrated" || !examples.is_empty(), "{name} has no example");
        for example in examples {
            // What stands around a call is the shell's.
            let Some(at) = example.split(['|', '>', '&']).map(str::trim).find(|part| part.starts_with("callrated"))
            else {
                assert!(example.starts_with("printf"), "{example}");
                continue;
            };
            // As the shell splits: what stands between quotes is one word.
            let words = at.split(['"', '\'']).enumerate().flat_map(|(i, part)| match i % 2 {
                0 => part.split_whitespace().collect::<Vec<_>>(),
                _ => vec![part],
            });
            callrated::cli::Arguments::try_parse_from(words).unwrap_or_else(|e| panic!("{example}: {e}"));
            *seen += 1;
        }
        for below in command.get_subcommands_mut() {
            if below.get_name() != "help" {
                walk(below, seen);
            }
        }
    }
    let mut seen = 0;
    walk(&mut callrated::cli::Arguments::command(), &mut seen);
    assert!(seen > 20);
    callrated::cli::Arguments::command().debug_assert();
}

#[test]
fn the_shipped_rates_are_right_and_explain_ends_in_the_amount() {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    place.write("callrated.toml", format!("rates_dir = {:?}\n", shipped_rates()));
    let checked = place.json(&["check", "--json"]);
    assert_eq!(checked["errors"], 0);
    assert!(checked["summary"]["plans"].as_u64().unwrap() >= 8, "{checked}");
    assert!(checked["summary"]["accounts"].as_u64().unwrap() >= 5, "{checked}");
    let call = ["explain", "--account", "acme", "--to", "00551198765432", "--duration", "61.2s"];
    let explained = place.run(&[&call[..], &["--at", "2026-10-05T09:00:00Z"]].concat()).code(0);
    assert!(explained.out().contains("R13"), "{}", explained.out());
    assert!(explained.out().contains("61.2 s → 120 s"), "{}", explained.out());
    let last = explained.out().lines().last().unwrap().to_owned();
    let (_, amount) = last.split_once("EUR ").unwrap_or_else(|| panic!("{last}"));
    assert!(nano(&json!(amount)) > 0, "{last}");

    // A number of a fixed line that was ported to a mobile network: named, or in what is dialled.
    for (to, more) in [
        ("00551123456789", &["--routing-number", "+5511987654321"][..]),
        ("tel:+55-11-2345-6789;npdi;rn=+55-11-98765-4321", &[]),
    ] {
        let call = ["explain", "--account", "acme", "--to", to, "--duration", "61", "--json"];
        let ported = place.json(&[&call[..], more].concat());
        let said = ["destination", "routing_number", "type"].map(|name| ported[name].as_str().unwrap_or_default());
        assert_eq!(said, ["+551123456789", "+5511987654321", "mobile"], "{ported}");
    }
}

#[test]
fn check_names_file_line_and_hint() {
    let place = Place::new();
    let whole = place.run(&["check"]).code(0);
    assert!(whole.out().contains("no faults: 1 plans, 3 decks"), "{}{}", whole.out(), whole.err());
    let countries = fs::read_to_string(place.path("rates/countries.toml")).unwrap();
    let plans = fs::read_to_string(place.path("rates/plans.toml")).unwrap();
    // What stands in the file (none: it is gone), and each line that is to be said.
    let cases: &[(&str, Option<String>, &[&str])] = &[
        (
            "rates/decks/world-eur.csv",
            Some("prefix,rate\n55,0.1\n55,x\n".to_owned()),
            &["decks/world-eur.csv:3:4: error: rate: \"x\" is not an amount (hint: write a plain decimal number"],
        ),
        (
            "rates/decks/world-eur.csv",
            Some("prefix,rte\n55,0.1\n".to_owned()),
            &[
                "decks/world-eur.csv:1:1: error: no column rate",
                "decks/world-eur.csv:1:8: error: unknown column \"rte\" (hint: did you mean \"rate\"?)",
            ],
        ),
        ("rates/decks/world-eur.csv", None, &["plans.toml:6:24: error: deck \"world-eur\" has no file"]),
        (
            "rates/accounts.csv",
            Some(
                "account,plan,country,billing_start,timezone\nacme,de-busines,XX,2026-01-01,Europe/Berlin\n".to_owned(),
            ),
            &[
                "accounts.csv:2:6: error: account \"acme\" has plan \"de-busines\", which plans.toml does not have (hint: did you mean \"de-business\"?)",
                "accounts.csv:2:17: error: account \"acme\" is in country XX, which countries.toml does not have (hint: write ISO 3166",
            ],
        ),
        (
            "rates/accounts.csv",
            Some("account,plan,country,billing_start,free\nacme,de-business,DE,2026-01-01,hotline\n".to_owned()),
            &[
                "accounts.csv:2:32: error: account \"acme\" names the list of free numbers \"hotline\", which has no file (hint: there is no free/hotline.csv)",
            ],
        ),
        (
            "rates/free/hotline.csv",
            Some("numbr\n4930600\n".to_owned()),
            &[
                "free/hotline.csv:1:1: error: unknown column \"numbr\" (hint: did you mean \"number\"?)",
                "free/hotline.csv:1:1: error: neither a column number nor a column prefix",
            ],
        ),
        (
            "rates/numbers.csv",
            Some("number,account\n+4930600,acne\n".to_owned()),
            &["numbers.csv:2:10: error: account \"acne\" is not in accounts.csv (hint: did you mean \"acme\"?)"],
        ),
        ("rates/numbers.csv", None, &["numbers.csv: error: cannot be read: No such file or directory"]),
        (
            "rates/plans.toml",
            Some(plans.replace("included_minutes", "include_minutes")),
            &["error: de-business: unknown key \"include_minutes\" (hint: did you mean \"included_minutes\"?)"],
        ),
        ("rates/plans.toml", Some("\n[plan.x\n".to_owned()), &["plans.toml:2:8: error: unclosed table"]),
        (
            "rates/countries.toml",
            Some(countries.replacen(
                "
home = ", "
hme = ", 1,
            )),
            &[":1: error: unknown key `hme` (hint: did you mean `home`?)"],
        ),
        (
            "rates/numbering.csv",
            Some("prefix,country,type,total_lengths\n49x,DE,fixed,11\n".to_owned()),
            &["numbering.csv:2: error: "],
        ),
        (
            "callrated.toml",
            Some("shards = 1\ndata_dri = \"x\"\n".to_owned()),
            &["callrated.toml:2:1: error: unknown key `data_dri` (hint: did you mean `data_dir`?)"],
        ),
        ("callrated.toml", Some("shards = \n".to_owned()), &["callrated.toml:1:10: error: "]),
        (
            "callrated.toml",
            Some("[http]\ntokens = \"nosuch.toml\"\n".to_owned()),
            &["callrated.toml: error: the tokens file nosuch.toml cannot be read: No such file"],
        ),
        (
            "callrated.toml",
            Some("[http]\ntokens = \"callrated.toml\"\n".to_owned()),
            &["callrated.toml:1: error: unknown key `http`"],
        ),
        (
            "callrated.toml",
            Some("[http]\ntls = { cert = \"nosuch.pem\", key = \"callrated.toml\" }\n".to_owned()),
            &["callrated.toml: error: [http]: tls: nosuch.pem cannot be read: No such file"],
        ),
        (
            "callrated.toml",
            Some("[[listen]]\nprotocol = \"radius\"\nsecret = { file = \"nosuch\" }\n".to_owned()),
            &["callrated.toml: error: [[listen]] radius:127.0.0.1:1813: the secret in nosuch cannot be read"],
        ),
    ];
    for (file, text, expected) in cases {
        let kept = fs::read(place.path(file)).ok();
        match text {
            Some(text) => place.write(file, text),
            None => fs::remove_file(place.path(file)).unwrap(),
        }
        let found = place.run(&["check"]).code(1);
        for part in *expected {
            assert!(found.out().lines().any(|line| line.contains(part)), "{file}: {part}\n{}", found.out());
        }
        let shown = place.run(&["check", "--json"]).code(1).last_json();
        assert_eq!(shown["errors"], expected.len(), "{file}: {shown}");
        match kept {
            Some(kept) => place.write(file, kept),
            None => fs::remove_file(place.path(file)).unwrap(),
        }
    }
    place.run(&["check"]).code(0);
}

#[test]
fn what_is_imported_is_what_usage_and_calls_add_up_to() {
    let place = Place::new();
    let mut lines = records(200, "a");
    lines.push(lines[1].clone());
    lines.push(lines[2].replace("+4930123456", "+493023125100"));
    lines.push(
        r#"{"id":"x","source":"+4930999","destination":"015123456789","answer":"2026-10-05T09:00:00Z","duration":5}"#
            .to_owned(),
    );
    lines.push("no record".to_owned());
    place.write("old.json", lines.join("\n"));
    let imported = place.run(&["import", "old.json", "--json"]).code(1);
    let expected = r#"{"received":204,"refused":1,"unanswered":29,"duplicate":1,"conflict":1,"suspended":1,"resolved":171,"parts":0}"#;
    assert_eq!(imported.out().lines().last(), Some(expected));
    assert!(imported.err().contains("old.json:204: refused: "), "{}", imported.err());

    let usage = place.json(&["usage", "acme", "--period", "2026-10", "--json"]);
    let calls = place.run(&["calls", "acme", "--period", "2026-10", "--json"]).code(0).out();
    let calls: Vec<Value> = calls.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(calls.len() >= 171, "{}", calls.len());
    assert_eq!(calls.iter().map(|call| nano(&call["cost"])).sum::<i128>(), nano(&usage["cost"]));
    let totals = usage["totals"].as_array().unwrap();
    assert_eq!(totals.iter().map(|line| line["calls"].as_u64().unwrap()).sum::<u64>(), calls.len() as u64);
    assert_eq!(totals.iter().map(|line| nano(&line["cost"])).sum::<i128>(), nano(&usage["cost"]));
    assert!(nano(&usage["cost"]) > 0);
    // A totals table and a call list are there for people, too.
    assert!(place.run(&["usage", "--period", "2026-10"]).code(0).out().contains("domestic_premium"));
    let csv = place.run(&["calls", "acme", "--period", "2026-10", "--lang", "it", "--billed-only"]).code(0).out();
    assert!(csv.starts_with("Numero di origine,"), "{csv}");
    assert_eq!(csv.lines().count() - 1, calls.iter().filter(|call| nano(&call["cost"]) != 0).count());

    // Once more, from standard input and as CSV: the same records are duplicates, whatever their form.
    let mut csv = String::from("id;node;source;destination;answer;duration\n");
    for line in &lines[..200] {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["answer"].is_string() {
            let of = |name: &str| record[name].as_str().unwrap();
            let cells = [of("id"), of("node"), of("source"), of("destination"), of("answer")];
            csv += &format!("{};{}\n", cells.join(";"), record["duration"]);
        }
    }
    let mut child =
        place.command(&["import", "-", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(csv.as_bytes()).unwrap();
    let again = Ended::of(&["import", "-"], child.wait_with_output().unwrap()).code(0).last_json();
    assert_eq!((&again["received"], &again["duplicate"]), (&json!(171), &json!(171)), "{again}");

    let waiting = place.json(&["suspense", "list", "--json"]);
    assert_eq!(waiting["counts"], json!({ "unknown_account": 1 }));
    place
        .write("rates/numbers.csv", fs::read_to_string(place.path("rates/numbers.csv")).unwrap() + "+4930999,acme,,\n");
    assert_eq!(place.json(&["suspense", "retry", "--json"]), json!({ "tried": 1, "left": 0 }));
    assert_eq!(place.json(&["verify", "--json"])["balanced"], true);
    place.run(&["usage", "nobody"]).code(1);
    place.run(&["usage", "acme", "--period", "October"]).code(2);
}

#[test]
fn a_month_is_closed_proved_and_taken() {
    let place = Place::new();
    let mut lines = records(200, "m");
    // The same again, another destination and shorter: sealing takes the shorter.
    lines.push(lines[2].replace("0900123456", "015123456789").replace("\"duration\":27", "\"duration\":2"));
    lines.push(lines[3].replace("m3", "gone").replace("+4930600", "0099912345"));
    place.write("month.json", lines.join("\n"));
    place.run(&["import", "month.json"]).code(0);
    assert!(place.run(&["seal"]).code(0).out().contains("closing"));
    let future = place.run(&["seal", "2099-01"]).code(1);
    assert!(future.err().contains("is not over"), "{}", future.err());
    let told = place.run(&["seal", "2026-10"]).code(0).out();
    assert!(told.contains("2026-10 is sealed: ") && told.contains("bad_number"), "{told}");
    let manifest = place.run(&["seal", "2026-10", "--manifest"]).code(0).out();
    assert_eq!(manifest, place.run(&["seal", "2026-10", "--manifest"]).code(0).out());
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let taken = place.json(&["seal", "2026-10", "--ack", "invoices", "--json"]);
    assert_eq!((&taken["digest"], &taken["acks"][0]["job"]), (&manifest["digest"], &json!("invoices")));

    let exported = place.run(&["export", "2026-10", "--json"]).code(0);
    let rows: Vec<Value> = exported.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().map(|row| nano(&row["cost"])).sum::<i128>(), nano(&manifest["cost"]["EUR"]));
    let cost = manifest["cost"]["EUR"].as_str().unwrap();
    // An invoice has a line for each account and call type, rounded once: what usage says, and what is told beside.
    let usage = place.json(&["usage", "--period", "2026-10", "--json"]);
    let lines = usage["accounts"].as_array().unwrap().iter().flat_map(|account| account["totals"].as_array().unwrap());
    let cents = lines.map(|line| (nano(&line["cost"]) + 5_000_000) / 10_000_000).sum::<i128>();
    let amount = format!("EUR {}.{:02}", cents / 100, cents % 100);
    let expected = format!("adds up to EUR {cost}; on invoices {amount}\n");
    assert!(exported.err().ends_with(&expected), "{expected}{}", exported.err());
    assert!(told.contains(&format!("on invoices, each line rounded once: {amount}")), "{amount}: {told}");
    let csv = place.run(&["export", "2026-10"]).code(0).out();
    assert_eq!(csv.lines().count(), rows.len() + 1);
    assert!(place.run(&["export", "2026-10", "--totals"]).code(0).out().starts_with("account,call_type,"));
    // What it writes in a build that can is read by `tests/parquet`.
    if !cfg!(feature = "parquet") {
        for more in [&[][..], &["--totals"]] {
            let refused = place.run(&[&["export", "2026-10", "--format", "parquet"], more].concat()).code(2);
            assert!(refused.out().is_empty() && refused.err().contains("--features parquet"), "{}", refused.err());
        }
    }

    let proof = place.run(&["explain", "--call", "old/m2", "--lang", "it"]).code(0).out();
    assert!(proof.contains("as stored: EUR") && proof.contains("Durata della conversazione: 2"), "{proof}");
    assert_eq!(place.json(&["explain", "--call", "old/m1", "--json"])["legs"][0]["proved"], true);
    assert!(place.run(&["explain", "--call", "m1"]).code(2).err().contains("NODE/ID"));
    let verified = place.run(&["verify", "--period", "2026-10"]).code(0).out();
    assert!(verified.contains("2026-10 is as stored"), "{verified}");

    let waiting = place.json(&["suspense", "list", "--json"]);
    let key = waiting["items"][0]["key"].as_str().unwrap();
    let discarded = place.run(&["suspense", "discard", key, "--why", "a test of the line"]).code(0).out();
    assert!(discarded.contains("a test of the line"), "{discarded}");
    place.run(&["suspense", "discard", key, "--why", "again"]).code(1);
    place.run(&["verify"]).code(0);
}

#[test]
fn an_interrupted_import_goes_on_where_it_stopped() {
    let place = Place::new();
    // Long lines, so that few records make several pieces.
    let filler = "x".repeat(12_000);
    let heading = "id,node,source,destination,answer,duration,note\n";
    let mut text = heading.to_owned();
    let count = 2500;
    for i in 0..count {
        text += &format!("r{i},old,+4930123456,015123456789,2026-10-05T09:00:00Z,{},{filler}\n", 1 + i % 600);
    }
    place.write("old.csv", &text);
    let mut child =
        place.command(&["import", "old.csv", "--json"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let patience = Patience::new();
    while !place.path("data/imports.json").exists() {
        assert!(patience.lasts() && child.try_wait().unwrap().is_none(), "nothing was interrupted");
        std::thread::sleep(Duration::from_millis(2));
    }
    terminate(&child);
    let first = Ended::of(&["import"], child.wait_with_output().unwrap()).code(1);
    assert!(first.err().contains("interrupted behind line"), "{}", first.err());
    let second = place.run(&["import", "old.csv", "--json"]).code(0);
    assert!(second.err().contains("going on behind line"), "{}", second.err());
    // Both runs together, each record once: nothing was sent twice, nothing was left out.
    let expected = format!(
        r#"{{"received":{count},"refused":0,"unanswered":0,"duplicate":0,"conflict":0,"suspended":0,"resolved":{count},"parts":0}}"#
    );
    assert_eq!(second.out().lines().last(), Some(expected.as_str()));
    assert!(!place.path("data/imports.json").exists());
    // A whole file is not gone on with, but read again.
    let third = place.json(&["import", "old.csv", "--json"]);
    assert_eq!(third["duplicate"], count);
}

#[test]
fn a_backup_restores_to_its_position() {
    let place = Place::new();
    place.write("old.json", records(300, "a").join("\n"));
    place.json(&["import", "old.json", "--json"]);
    let manifest = place.json(&["backup", "copy", "--json"]);
    let before = place.json(&["verify", "--json"]);
    place.run(&["backup", "copy"]).code(1);
    place.run(&["backup", "data/inside"]).code(1);

    place.write("other.toml", "data_dir = \"other\"\n");
    let restored = place.json(&["--config", "other.toml", "restore", "copy", "--json"]);
    assert_eq!(restored["balanced"], true);
    for same in ["calls", "money", "lines", "periods"] {
        assert_eq!(restored[same], before[same], "{same}");
    }
    assert_eq!(restored["position"], manifest["position"]);
    let usage = ["usage", "acme", "--period", "2026-10", "--json"];
    assert_eq!(place.json(&[&["--config", "other.toml"], &usage[..]].concat()), place.json(&usage));
    // It goes on: what was there is known again, what is new is rated.
    place.write("more.json", [records(300, "a"), records(20, "b")].concat().join("\n"));
    let more = place.json(&["--config", "other.toml", "import", "more.json", "--json"]);
    assert_eq!((&more["duplicate"], &more["resolved"]), (&json!(257), &json!(17)), "{more}");

    place.run(&["--config", "other.toml", "restore", "copy"]).code(2);
    place.write("third.toml", "data_dir = \"third\"\n");
    let image = fs::read_dir(place.path("copy/images")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&image).unwrap();
    bytes[100] ^= 1;
    fs::write(&image, bytes).unwrap();
    let damaged = place.run(&["--config", "third.toml", "restore", "copy"]).code(4);
    assert!(damaged.sentence().contains("not what the manifest says"), "{}", damaged.err());
    assert!(!place.path("third/callrated.db").exists());
}

#[test]
fn with_a_daemon_at_work_the_same_commands_give_the_same() {
    let place = Place::new();
    let daemon = place.serve("");
    place.write("old.json", records(700, "a").join("\n"));
    let to = format!("tcp://127.0.0.1:{}", daemon.records);
    // Somebody else sends all the while: an import still counts exactly its own.
    let sending = place
        .command(&["send", "--to", &to, "--calls", "3000", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let imported = place.json(&["import", "old.json", "--json"]);
    assert_eq!(
        imported,
        json!({ "received": 700, "refused": 0, "unanswered": 100, "duplicate": 0, "conflict": 0, "suspended": 0, "resolved": 600, "parts": 0 })
    );
    let sent = Ended::of(&["send"], sending.wait_with_output().unwrap()).code(0).last_json();
    assert_eq!(sent["durable"], 3000);
    assert!(place.json(&["usage", "--json"])["accounts"].is_array());
    assert_eq!(place.json(&["verify", "--json"])["balanced"], true);
    let manifest = place.json(&["backup", "copy", "--json"]);
    assert!(manifest["position"].as_u64() >= manifest["stored"].as_u64());

    let second = place.run(&["serve"]).code(3);
    assert!(second.sentence().contains("held by process"), "{}", second.err());
    place.run(&["restore", "copy"]).code(3);
    let explained = place.run(&["explain", "--account", "acme", "--to", "0900123456", "--duration", "61"]).code(0);
    assert!(explained.out().trim_end().ends_with("EUR 2.9800"), "{}", explained.out());
    let usage = place.json(&["usage", "acme", "--period", "2026-10", "--json"]);
    assert_eq!(daemon.stop(), 0);
    assert_eq!(place.json(&["usage", "acme", "--period", "2026-10", "--json"]), usage);
    place.run(&["journal", "inspect"]).code(0);
}

#[test]
fn a_daemon_with_tokens_is_asked_with_one() {
    let place = Place::new();
    let token = place.json(&["token", "desk", "--scopes", "read,operate", "--json"]);
    place.write("tokens.toml", token["toml"].as_str().unwrap());
    let _daemon = place.serve("tokens = \"tokens.toml\"\n");
    let refused = place.run(&["verify"]).code(2);
    assert!(refused.sentence().contains("CALLRATED_TOKEN"), "{}", refused.err());
    let mut command = place.command(&["verify", "--json"]);
    let output = command.env("CALLRATED_TOKEN", token["token"].as_str().unwrap()).output().unwrap();
    assert_eq!(Ended::of(&["verify"], output).code(0).last_json()["balanced"], true);
}

#[test]
fn what_is_in_the_way_is_said_in_one_sentence_with_its_code() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (free, api) = (free_port(), free_port());
    let config = |records: u16, api: u16, more: &str| {
        format!(
            "{more}\n[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{records}\"\n[http]\naddress = \"127.0.0.1:{api}\"\n"
        )
    };
    place.write("taken.toml", config(port, api, ""));
    let said = place.run(&["--config", "taken.toml", "serve"]).code(3);
    assert!(
        said.err().lines().last().unwrap().contains(&format!("127.0.0.1:{port} cannot be opened")),
        "{}",
        said.err()
    );
    place.write("taken-api.toml", config(free, port, "data_dir = \"data-api\""));
    place.run(&["--config", "taken-api.toml", "serve"]).code(3);

    place.write("rateless.toml", config(free, api, "data_dir = \"data-2\"\nrates_dir = \"nowhere\""));
    let said = place.run(&["--config", "rateless.toml", "serve"]).code(2);
    assert!(said.sentence().contains("nowhere"), "{}", said.err());
    place.run(&["--config", "rateless.toml", "usage"]).code(2);
    // In a folder of something else: one sentence that says what to do, and nothing is left there.
    let elsewhere = Place { folder: tempfile::tempdir().unwrap() };
    for arguments in [&[][..], &["usage"]] {
        let said = elsewhere.run(arguments).code(2).sentence();
        assert!(
            said.starts_with("there is no rates folder ") && said.contains("rates_dir in callrated.toml"),
            "{said}"
        );
    }
    assert!(
        elsewhere.run(&["check"]).code(1).out().contains("rates: error: is not there (hint: start callrated where")
    );
    assert_eq!(fs::read_dir(elsewhere.folder.path()).unwrap().count(), 0);
    place.run(&["--config", "nosuch.toml", "usage"]).code(2);
    place.run(&["import", "nosuch.json"]).code(2);
    place.run(&["nonsense"]).code(2);

    place.write("file", "");
    place.write("unwritable.toml", "data_dir = \"file/data\"\n");
    assert!(place.run(&["--config", "unwritable.toml", "usage"]).code(3).sentence().contains("file/data"));
}

#[test]
fn data_of_a_newer_version_or_damaged_is_refused() {
    let place = Place::new();
    place.json(&["usage", "--json"]);
    let store = place.path("data/callrated.db");
    let connection = rusqlite::Connection::open(&store).unwrap();
    connection
        .execute(
            "UPDATE schema_version SET version = 9999 WHERE version = (SELECT max(version) FROM schema_version)",
            (),
        )
        .unwrap();
    drop(connection);
    let said = place.run(&["usage"]).code(4);
    assert!(said.sentence().contains("9999"), "{}", said.err());

    fs::remove_dir_all(place.path("data")).unwrap();
    place.json(&["usage", "--json"]);
    let segment = fs::read_dir(place.path("data/journal")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    bytes[64 + 70] ^= 1;
    fs::write(&segment, bytes).unwrap();
    place.run(&["journal", "inspect"]).code(4);
}

/// The daemon itself, not only the commands: each ends with its code, and its last line is one sentence that says why.
#[test]
fn a_daemon_that_cannot_start_says_why() {
    let ports = |place: &Place, more: &str| {
        place.configured(free_port(), free_port(), more);
    };
    // A version byte and the checksum of what stands before it, in files that have both in their heads.
    let newer = |path: PathBuf, checksum: usize| {
        let mut bytes = fs::read(&path).unwrap();
        bytes[8] = 99;
        let sum = crc32fast::hash(&bytes[..checksum]).to_le_bytes();
        bytes[checksum..checksum + 4].copy_from_slice(&sum);
        fs::write(path, bytes).unwrap();
    };
    let first_of = |folder: PathBuf| fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    type Spoil<'a> = &'a dyn Fn(&Place);
    let cases: &[(&str, i32, &str, Spoil<'_>)] = &[
        ("no rates folder and no images yet", 2, "rates", &|place| {
            fs::remove_dir_all(place.path("data")).unwrap();
            fs::remove_dir_all(place.path("rates")).unwrap();
        }),
        ("a broken deck and no images yet", 2, "callrated check", &|place| {
            fs::remove_dir_all(place.path("data")).unwrap();
            place.write("rates/decks/world-eur.csv", "prefix,rate\n55,cheap\n");
        }),
        ("a data folder that cannot be made", 3, "data", &|place| {
            fs::remove_dir_all(place.path("data")).unwrap();
            place.write("data", "a file");
        }),
        ("a data folder in which nothing can be written", 3, "lock", &|place| {
            fs::remove_dir_all(place.path("data")).unwrap();
            fs::create_dir_all(place.path("data/lock")).unwrap();
        }),
        ("a journal that cannot be written", 3, "journal", &|place| {
            fs::remove_dir_all(place.path("data/journal")).unwrap();
            fs::remove_dir_all(place.path("data/identity")).unwrap();
            fs::remove_file(place.path("data/callrated.db")).unwrap();
            place.write("data/journal", "a file");
        }),
        ("a store of a newer schema", 4, "9999", &|place| {
            let connection = rusqlite::Connection::open(place.path("data/callrated.db")).unwrap();
            let newest =
                "UPDATE schema_version SET version = 9999 WHERE version = (SELECT max(version) FROM schema_version)";
            connection.execute(newest, ()).unwrap();
        }),
        ("a store that is none", 4, "callrated.db", &|place| {
            for beside in ["-wal", "-shm"] {
                let _ = fs::remove_file(place.path(&format!("data/callrated.db{beside}")));
            }
            place
                .write("data/callrated.db", "this is no database, but long enough to have a head like one".repeat(100));
        }),
        ("a journal of a newer version", 4, "99", &|place| newer(first_of(place.path("data/journal")), 60)),
        ("an identity index of a newer version", 4, "99", &|place| newer(first_of(place.path("data/identity")), 60)),
        ("a damaged journal", 4, "journal", &|place| {
            let path = first_of(place.path("data/journal"));
            let mut bytes = fs::read(&path).unwrap();
            bytes[20] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("a journal that is gone", 4, "journal", &|place| fs::remove_dir_all(place.path("data/journal")).unwrap()),
        ("an image that is gone", 4, "image", &|place| fs::remove_dir_all(place.path("data/images")).unwrap()),
        ("tokens that cannot be read", 2, "nosuch.toml", &|place| ports(place, "tokens = \"nosuch.toml\"\n")),
        ("tokens that are wrong", 2, "tokens.toml", &|place| {
            place.write("tokens.toml", "[[token]]\nname = \"a\"\n");
            ports(place, "tokens = \"tokens.toml\"\n");
        }),
        ("a key nobody knows", 2, "did you mean `http`", &|place| ports(place, "[htp]\n")),
    ];
    for (what, code, expected, spoil) in cases {
        let place = Place::new();
        ports(&place, "");
        place.json(&["usage", "--json"]);
        spoil(&place);
        // One that starts all the same must not keep the test waiting for ever.
        let mut child = place
            .command(&["serve"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let patience = Patience::new();
        while child.try_wait().unwrap().is_none() && patience.lasts() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        let ended = Ended::of(&["serve"], child.wait_with_output().unwrap());
        assert_eq!(ended.output.status.code(), Some(*code), "{what}:\n{}\n{}", ended.out(), ended.err());
        assert!(!ended.out().contains("is ready"), "{what}: {}", ended.out());
        let err = ended.err();
        let at = err.rfind("callrated: ").unwrap_or_else(|| panic!("{what}: {err}"));
        assert!(err[at..].contains(expected), "{what}: {err}");
        assert!(!err.contains("panicked"), "{what}: {err}");
    }
}

#[test]
fn a_call_that_was_tampered_with_is_found() {
    let place = Place::new();
    place.write("old.json", records(50, "a").join("\n"));
    place.json(&["import", "old.json", "--json"]);
    let (undo, tamperings) = (
        place.path("kept.db"),
        [
            "UPDATE calls SET cost = cost + 1 WHERE row = (SELECT min(row) FROM calls WHERE cost > 0)",
            "UPDATE calls SET duration = duration + 1 WHERE row = 1",
            "DELETE FROM calls WHERE row = (SELECT max(row) FROM calls)",
            "UPDATE calls SET billable_seconds = billable_seconds + 60 WHERE row = 2",
        ],
    );
    let store = place.path("data/callrated.db");
    let open = || rusqlite::Connection::open(&store).unwrap();
    open().execute("VACUUM INTO ?1", [undo.to_str().unwrap()]).unwrap();
    for tampering in tamperings {
        assert!(open().execute(tampering, ()).unwrap() > 0, "{tampering}");
        let found = place.run(&["verify"]).code(1);
        assert!(found.out().contains("NOT balanced"), "{tampering}: {}", found.out());
        assert!(found.err().contains("the first: account "), "{tampering}: {}", found.err());
        for beside in ["-wal", "-shm"] {
            let _ = fs::remove_file(place.path(&format!("data/callrated.db{beside}")));
        }
        fs::copy(&undo, &store).unwrap();
        place.run(&["verify"]).code(0);
    }
}

#[test]
fn images_are_looked_into() {
    let place = Place::new();
    let compiled = place.json(&["tariff", "compile", "--out", "t.image", "--json"]);
    let shown =
        place.json(&["tariff", "show", "de-business", "--number", "+55 11 98765 4321", "--image", "t.image", "--json"]);
    assert_eq!(shown["tariff"], compiled["tariff"]);
    assert_eq!((&shown["country"], &shown["type"]), (&json!("BR"), &json!("mobile")));
    assert!(shown["plans"][0]["outbound"]["prefix"].as_str().unwrap().starts_with("5511"), "{shown}");
    place.run(&["tariff", "show", "nosuch"]).code(1);
    place.write("bad.image", "not an image");
    place.run(&["tariff", "show", "--image", "bad.image"]).code(4);
    assert!(place.run(&["completions", "bash"]).code(0).out().contains("callrated"));
    place.run(&["man", "man"]).code(0);
    assert!(place.path("man/callrated-usage.1").exists());
}
