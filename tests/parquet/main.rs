//! Parquet as another program reads it: a month of random calls exported by the built program, read by DuckDB (from PyPI, into
//! `target/`), and compared row by row with the exports in JSON and CSV.

// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

#[path = "../process/mod.rs"]
mod process;
#[path = "../programs/mod.rs"]
mod programs;

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::civil::Date;
use jiff::{ToSpan, Zoned};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use process::daemon::{Daemon, log_of};
use process::program::program;
use process::traffic::Random;
use process::{PLANS, american, german, rates_folder};

/// More legs than a row group holds.
const CALLS: usize = 66_000;
/// What a row group holds.
const GROUP: usize = 65_536;

/// A call that anything may be said of.
fn call(i: usize, first: Date, days: u64, random: &mut Random) -> String {
    let day = first.saturating_add((random.below(days) as i64).days());
    let source =
        if random.below(8) == 0 { american(random.below(10) as usize) } else { german(random.below(40) as usize) };
    let destination = match random.below(8) {
        0 => "00442079460123".to_owned(),
        1 => "0900 5 123456".to_owned(),
        2 => american(random.below(10) as usize),
        3 => "112".to_owned(),
        _ => format!("0151 2345{:04}", random.below(10_000)),
    };
    // Ids are the nodes' own texts.
    let odd = ["", "=1+1", "a,\"b\"", "ü", "'"][random.below(5) as usize];
    let (hour, minute, second) = (random.below(24), random.below(60), random.below(59));
    let at = |second, micros: u64| format!("{day}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z");
    let mut record = json!({
        "id": format!("{odd}{i}"), "node": format!("sbc-{}", random.below(3)), "source": source, "destination": destination,
        "answer": at(second + 1, random.below(1_000_000)),
        "duration": format!("{}.{:06}", random.below(1200), 1 + random.below(999_999)),
    });
    if random.below(2) == 0 {
        record["start"] = at(second, 0).into();
    }
    record.to_string()
}

/// Python with DuckDB, made in the target folder where it is not there yet.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("duckdb");
    let python = folder.join("bin/python");
    let run = |program: &Path, arguments: &[&str]| match Command::new(program).args(arguments).output() {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    };
    if run(&python, &["-c", "import duckdb"]).is_err() {
        run(Path::new("python3"), &["-m", "venv", &folder.display().to_string()])
            .map_err(|e| format!("python3 makes no environment: {e}"))?;
        run(&python, &["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "duckdb>=1.1,<3"])
            .map_err(|e| format!("pip does not install duckdb: {e}"))?;
    }
    Ok(python)
}

/// Writes an export into a file; what was said beside it.
fn export(folder: &Path, file: &str, arguments: &[&str]) -> String {
    let done = Command::new(program())
        .current_dir(folder)
        .arg("export")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(File::create(folder.join(file)).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{arguments:?}: {said}");
    said
}

/// Exports a month in every way, and has DuckDB compare them.
fn compared(python: &Path, folder: &Path, month: &str) -> Value {
    for (format, extension) in [("parquet", "parquet"), ("ndjson", "ndjson"), ("csv", "csv")] {
        let said = export(folder, &format!("{month}.{extension}"), &[month, "--format", format]);
        assert!(said.contains("the cost column adds up to"), "{said}");
        export(folder, &format!("{month}.totals.{extension}"), &[month, "--totals", "--format", format]);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parquet/read.py");
    let done = Command::new(python).arg("-B").arg(script).arg(folder).arg(month).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{err}");
    serde_json::from_str(&out).unwrap()
}

/// `EUR 1.5000, USD 2.0000` as amounts by currency.
fn amounts(text: &str) -> Vec<(String, Decimal)> {
    let pair =
        |one: &str| one.split_once(' ').map(|(c, cost)| (c.to_owned(), cost.parse::<Decimal>().unwrap().normalize()));
    text.split(", ").filter_map(pair).collect()
}

fn sums(found: &Value) -> Vec<(String, Decimal)> {
    let sums = found["sums"].as_object().unwrap();
    sums.iter().map(|(c, cost)| (c.clone(), cost.as_str().unwrap().parse::<Decimal>().unwrap().normalize())).collect()
}

/// Asks for the calls of a month, takes the head of the answer, and goes away.
fn left_early(port: u16, month: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        stream,
        "GET /v1/periods/{month}/calls HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/vnd.apache.parquet\r\n\r\n"
    )
    .unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
}

#[test]
fn duckdb_reads_what_json_and_csv_say() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            programs::skipped(&why, "python3-venv, and PyPI must be reached");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let rates = rates_folder(folder.path());
    // Premium numbers are bought in francs.
    std::fs::write(rates.join("plans.toml"), format!("{PLANS}\n[deck.premium]\ncurrency = \"CHF\"\n")).unwrap();
    std::fs::write(rates.join("exchange.csv"), "from,to,rate,valid_from\nCHF,EUR,1.0731,2020-01-01\n").unwrap();
    // Months that are over, whatever the day is; the one before is sealed before its calls come.
    let this = Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date().first_of_month();
    let (last, before) = (this.saturating_sub(1.month()), this.saturating_sub(2.months()));
    let name = |month: Date| month.strftime("%Y-%m").to_string();
    let daemon = Daemon::start(folder.path());
    let sealed = Daemon::command(folder.path(), &["seal", &name(before), "--early"]);
    assert_eq!(sealed.0, 0, "{}", sealed.2);
    let mut random = Random(20_261_126);
    let lines: Vec<String> = (0..CALLS)
        .map(|i| if i % 100 == 0 { call(i, before, 28, &mut random) } else { call(i, last, 28, &mut random) })
        .collect();
    daemon.send_http(&lines.iter().map(String::as_str).collect::<Vec<_>>());

    let found = compared(&python, folder.path(), &name(last));
    let (calls, totals) = (&found["calls"], &found["totals"]);
    let rows = calls["rows"].as_u64().unwrap() as usize;
    assert_eq!(calls["groups"], json!([GROUP, rows - GROUP]));
    assert_eq!(calls["told"]["calls"], rows.to_string());
    // Columns that may be empty: set-up in some rows, another month's call in every row of one month and in none of the other.
    let counted = |found: &Value, column: &str| found[column].as_u64().unwrap() as usize;
    assert!((1..rows).contains(&counted(calls, "set_up")));
    assert!((1..rows).contains(&counted(calls, "exchanged")));
    assert_eq!(counted(calls, "late"), 0);
    let late = &compared(&python, folder.path(), &name(this))["calls"];
    assert!(counted(late, "late") > 0 && counted(late, "late") == counted(late, "rows"), "{late}");
    // What the file says of itself is what its rows add up to, and what the totals say.
    let cost = amounts(calls["told"]["cost"].as_str().unwrap());
    assert!(cost.len() == 2 && cost.iter().all(|(_, cost)| *cost > Decimal::ZERO), "{cost:?}");
    assert_eq!(cost, sums(calls));
    assert_eq!(cost, sums(totals));
    let amounts = amounts(totals["told"]["amount"].as_str().unwrap());
    assert_eq!(amounts, sums(&json!({ "sums": totals["amounts"] })));
    assert!(amounts.iter().all(|(_, amount)| amount.scale() <= 2), "{amounts:?}");
    assert_eq!(calls["told"]["cost"], totals["told"]["cost"]);
    assert_eq!(calls["told"]["cost"], calls["told"]["month_cost"]);
    assert!(calls["told"]["sum_rule"].as_str().unwrap().contains("R18"));

    // Whoever goes away in the middle is no fault of the daemon's.
    left_early(daemon.http, &name(last));

    // A month without a call is a file with columns and no row.
    let empty = compared(&python, folder.path(), "2019-01");
    assert_eq!((&empty["calls"]["rows"], &empty["totals"]["rows"]), (&json!(0), &json!(0)));
    assert_eq!(empty["calls"]["columns"], calls["columns"]);
    assert_eq!(daemon.terminate().0.code(), Some(0));
    let log = log_of(folder.path());
    assert!(!log.contains("cut off"), "{log}");
}
