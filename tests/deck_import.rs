//! Suppliers' decks through the built program, and every real deck at the desk.
//!
//! `CALLRATED_DECKS` names a folder of decks, each a `.csv` or `.csv.gz`. Each is understood, written as a deck of ours and
//! judged; how many findings of each kind there are is compared with the snapshot, and with `--nocapture` the time is
//! printed. Without the variable it says that it was skipped: real decks have owners, so none is in this repository.

// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use callrated::number::classify;
use callrated::number::countries::Countries;
use callrated::tariff::findings::Findings;
use callrated::tariff::judge::{self, World};
use callrated::tariff::supplier::mapping::Mapping;
use callrated::tariff::supplier::{table, understand, write};
use callrated::tariff::{Severity, deck};
use callrated::time::Zone;
use serde_json::Value;

fn shipped(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rates").join(file)
}

fn data(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/decks").join(file).display().to_string()
}

/// A folder with the numbering plan and no deck.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::create_dir_all(place.0.path().join("rates/decks")).unwrap();
        for file in ["countries.toml", "numbering.csv"] {
            fs::copy(shipped(file), place.0.path().join("rates").join(file)).unwrap();
        }
        place
    }

    fn import(&self, code: i32, arguments: &[&str]) -> Output {
        self.run(code, &[&["tariff", "import"], arguments].concat())
    }

    fn run(&self, code: i32, arguments: &[&str]) -> Output {
        let program = env!("CARGO_BIN_EXE_callrated");
        let mut command = Command::new(program);
        command.current_dir(self.0.path()).args(arguments);
        let output = command.output().unwrap();
        let shown = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{shown}");
        output
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let output = self.import(code, &[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.path().join(file)).unwrap()
    }

    fn exists(&self, file: &str) -> bool {
        self.0.path().join(file).exists()
    }
}

#[test]
fn a_deck_is_shown_first_and_written_when_asked() {
    let place = Place::new();
    let file = data("commas.csv");
    let shown = place.json(0, &[&file, "--as", "example"]);
    assert!(!place.exists("rates/decks/example.csv"), "nothing is written without being asked");
    assert_eq!(shown["rows"], 5);
    assert_eq!(shown["prefixes"], 7);
    assert_eq!(shown["not_taken"][0]["line"], 9);
    assert_eq!(shown["text_lines"], serde_json::json!([1, 10]));
    assert_eq!(shown["prices"]["least"], "0.01");
    assert_eq!(shown["columns"][1]["taken_for"], "prefix");
    place.import(0, &[&file, "--as", "example", "--write", "--save-mapping"]);
    let expected = "prefix,destination,rate,valid_from\n39,Italy,0.0125,2026-06-25\n393,Italy Mobile,0.025,2026-06-05\n\
                    43,Austria,0.02,2026-06-25\n431,Austria,0.02,2026-06-25\n44,United Kingdom,0.01,2026-06-25\n\
                    4474,United Kingdom Mobile,0.03,2026-06-25\n4475,United Kingdom Mobile,0.03,2026-06-25\n";
    assert_eq!(place.read("rates/decks/example.csv"), expected);
    // The mapping is kept and found again, though the next deck's dates alone would not tell.
    let mapping = place.read("rates/suppliers/example.toml");
    assert!(mapping.contains("dates = \"dmy\"") && mapping.contains("decimal = \",\""), "{mapping}");
    let next = "Destinations;Code;Peak;Off peak;Effective;Comment\nItaly;39;0,0125;0,0125;05/06/2026;\n";
    fs::write(place.0.path().join("next.csv"), next).unwrap();
    place.import(1, &["next.csv", "--as", "other"]);
    place.import(0, &["next.csv", "--as", "example", "--write"]);
    assert!(place.read("rates/decks/example.csv").contains("39,Italy,0.0125,2026-06-05"));
}

/// A deck as suppliers of the newer kind send it, from its file to the price of calls.
#[test]
fn rows_that_ask_for_more_are_counted_and_price_calls() {
    let place = Place::new();
    let deck = "Example Telecom, wholesale\n\
                Origination Prefixes,Code,Destination,Peak USD,Off Peak USD,Interstate,Intrastate,Price per call,From second,Interval 1,Interval N,Exact match,Effective\n\
                ,34,Spain,0.30,0.30,,,,0,60,60,,2026-01-01\n\
                ,34,Spain,0.12,0.12,,,,180,60,60,,2026-01-01\n\
                \"4930, 4940\",34,Spain from Germany,0.05,0.05,,,,,60,60,,2026-01-01\n\
                ,33,France,0.04,0.02,,,,,60,60,,2026-01-01\n\
                ,1212,New York,,,0.01,0.02,,,6,6,,2026-01-01\n\
                ,491371,Germany 0137,,,,,0.14,,60,60,,2026-01-01\n\
                ,34912345678,Spain hotline,0,0,,,,,60,60,1,2026-01-01\n";
    fs::write(place.0.path().join("new.csv"), deck).unwrap();
    let asked = place.json(1, &["new.csv", "--as", "new"]);
    assert_eq!(asked["findings"][0]["message"], "when is peak?", "{}", asked["findings"]);
    let hours = "bands.peak=\"mon-fri 8-18\"";
    let shown = place.json(0, &["new.csv", "--as", "new", "--set", hours, "--write", "--save-mapping"]);
    // France has three rows: peak, the rest of weekdays, and weekends.
    assert_eq!((&shown["rows"], &shown["prefixes"], &shown["currency"]), (&9.into(), &9.into(), &"USD".into()));
    let count = |what: &str| {
        let of = shown["only_for"].as_array().unwrap().iter().find(|one| one["what"] == what);
        of.map_or(0, |one| one["rows"].as_u64().unwrap())
    };
    let counts = ["days and hours", "origin", "after", "states", "price by the call", "length"].map(count);
    assert_eq!(counts, [3, 1, 1, 1, 1, 1], "{}", shown["only_for"]);
    let told = String::from_utf8(place.import(0, &["new.csv", "--as", "new", "--write"]).stdout).unwrap();
    for expected in ["only for    ", "days and hours × 3", "[deck.new] currency = \"USD\"", "states.csv"] {
        assert!(told.contains(expected), "{expected}: {told}");
    }

    for (file, text) in [
        (
            "plans.toml",
            "[plan.p]\ncountry = \"DE\"\ncurrency = \"USD\"\noverage_rate = \"0\"\ndecks = [\"new\"]\n\
             [plan.us]\ncountry = \"US\"\ncurrency = \"USD\"\nincluded_minutes = 0\noverage = \"deck\"\ndecks = [\"new\"]\n\
             [deck.new]\ncurrency = \"USD\"\ntimezone = \"Europe/Berlin\"\n",
        ),
        ("accounts.csv", "account,plan,country,billing_start\na,p,DE,2026-01-01\nu,us,US,2026-01-01\n"),
        ("numbers.csv", "number,account\n"),
        ("states.csv", "prefix,state\n1212,NY\n1201,NJ\n"),
    ] {
        fs::write(place.0.path().join("rates").join(file), text).unwrap();
    }
    place.run(0, &["check", "--rates", "rates"]);
    let cost = |account: &str, from: &str, to: &str, lasts: &str, at: &str| {
        let call =
            ["explain", "--account", account, "--from", from, "--to", to, "--duration", lasts, "--at", at, "--json"];
        let quote: Value = serde_json::from_slice(&place.run(0, &call).stdout).unwrap();
        quote["cost"].as_str().unwrap().to_owned()
    };
    let monday = "2026-10-05T10:00:00Z";
    // 300 s: three minutes at 0.30, two at 0.12.
    assert_eq!(cost("a", "+43123456", "+34911111111", "300", monday), "1.1400");
    // Callers from Berlin: 5 × 0.05.
    assert_eq!(cost("a", "+4930123456", "+34911111111", "300", monday), "0.2500");
    // That number alone is free.
    assert_eq!(cost("a", "+43123456", "+34912345678", "300", monday), "0.0000");
    // 17:59 in Berlin is peak, 18:00 is not, nor is Sunday noon.
    assert_eq!(cost("a", "", "+33123456789", "60", "2026-10-05T15:59:59Z"), "0.0400");
    assert_eq!(cost("a", "", "+33123456789", "60", "2026-10-05T16:00:00Z"), "0.0200");
    assert_eq!(cost("a", "", "+33123456789", "60", "2026-10-04T10:00:00Z"), "0.0200");
    // Within New York 0.02 a minute, from New Jersey 0.01; 90 s are a minute and a half.
    assert_eq!(cost("u", "+12125550100", "+12125550101", "90", monday), "0.0300");
    assert_eq!(cost("u", "+12015550100", "+12125550101", "90", monday), "0.0150");
    // By the call, however long.
    assert_eq!(cost("a", "", "01371123456", "600", monday), "0.1400");
}

/// A supplier announces prices of next month and sends these alone: whoever writes the deck is told what calls until then find.
#[test]
fn a_deck_that_begins_later_says_what_has_no_price_until_then() {
    let place = Place::new();
    let write = |file: &str, text: &str| fs::write(place.0.path().join(file), text).unwrap();
    let plan = |name: &str, decks: &str| {
        format!(
            "[plan.{name}]\ncountry = \"DE\"\ncurrency = \"EUR\"\nincluded_minutes = 0\noverage = \"deck\"\ndecks = [{decks}]\n"
        )
    };
    write("rates/plans.toml", &(plan("p", "\"carrier\"") + &plan("q", "\"carrier\", \"beside\"")));
    write("rates/decks/carrier.csv", "prefix,destination,rate\n33,France,0.02\n34,Spain,0.03\n");
    write("rates/decks/beside.csv", "prefix,destination,rate\n34,Spain,0.05\n");
    write("rates/accounts.csv", "account,plan,country,billing_start\n");
    write("rates/numbers.csv", "number,account\n");
    let rows: String = (0..50).map(|n| format!("France,33{n},0.01,2099-12-01\n")).collect();
    write(
        "new.csv",
        &format!("Destination,Code,Rate,Effective\n{rows}Spain,34,0.01,2099-12-01\nItaly,39,0.01,2026-01-01\n"),
    );
    let shown = place.json(0, &["new.csv", "--as", "carrier", "--write"]);
    assert_eq!(shown["kinds"]["uncovered"], 2, "{}", shown["remarks"]);
    let told = |remarks: &Value| -> Vec<String> {
        let of = remarks.as_array().unwrap().iter().filter(|remark| remark["kind"] == "uncovered");
        of.map(|remark| {
            format!(
                "{} {} {}",
                remark["line"],
                remark["severity"].as_str().unwrap(),
                remark["message"].as_str().unwrap()
            )
        })
        .collect()
    };
    // Spain is priced by the other deck of plan q.
    let expected = [
        "2 warning plan \"p\": 51 prefixes have no row until 2099-12-01T00:00:00Z: 330, 331, 3310, 3311, 3312 and 46 more; the deck \
         that this one replaces prices 51 of them now",
        "2 warning plan \"q\": 50 prefixes have no row until 2099-12-01T00:00:00Z: 330, 331, 3310, 3311, 3312 and 45 more; the deck \
         that this one replaces prices 50 of them now",
    ];
    assert_eq!(told(&shown["remarks"]), expected);
    // `check` says it of what was written, and so often as it is.
    let check = |code| -> Value { serde_json::from_slice(&place.run(code, &["check", "--json"]).stdout).unwrap() };
    let checked = check(0);
    let deck = checked["decks"].as_array().unwrap().iter().find(|deck| deck["file"] == "decks/carrier.csv").unwrap();
    let short: Vec<String> = expected.iter().map(|line| line.split(';').next().unwrap().to_owned()).collect();
    assert_eq!(told(&deck["remarks"]), short);
    // The rows of now beside them, as the hint has it.
    let first = shown["remarks"].as_array().unwrap().iter().find(|remark| remark["kind"] == "uncovered").unwrap();
    let hint = first["hint"].as_str().unwrap();
    assert!(hint.contains("no_rate") && hint.contains("valid_to"), "{hint}");
    let text = place.read("rates/decks/carrier.csv");
    assert!(text.starts_with("prefix,destination,rate,valid_from\n"), "{text}");
    let rest: String = text.lines().skip(1).map(|line| format!("{line},\n")).collect();
    write(
        "rates/decks/carrier.csv",
        &format!(
            "prefix,destination,rate,valid_from,valid_to\n33,France,0.02,,2099-12-01\n34,Spain,0.03,,2099-12-01\n{rest}"
        ),
    );
    for deck in check(0)["decks"].as_array().unwrap() {
        assert_eq!(told(&deck["remarks"]), [] as [&str; 0]);
    }
}

#[test]
fn a_cgrates_tariff_plan_is_converted_and_checked() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/convert/new").display().to_string();
    let of = |country, code, more: &[&str]| {
        let named =
            ["tariff", "convert", "--from", "cgrates", &folder, "--country", country, "--currency", "EUR", "--json"];
        let output = place.run(code, &[&named, more].concat());
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()
    };
    let convert = |code, more: &[&str]| of("DE", code, more);
    let shown = convert(0, &[]);
    assert!(!place.exists("rates/plans.toml") && !place.exists("rates/decks/RP_GAP.csv"), "nothing without --write");
    assert_eq!(shown["plans"][1]["subjects"], serde_json::json!(["example.org:*any"]));
    assert_eq!(shown["no_counterpart"][2]["lines"], serde_json::json!([7, 8]));
    assert_eq!(convert(0, &["--write"])["written"].as_array().unwrap().len(), 4);
    for (file, heading) in [("accounts.csv", "account,plan,country,billing_start"), ("numbers.csv", "number,account")] {
        fs::write(place.0.path().join("rates").join(file), format!("{heading}\n")).unwrap();
    }
    place.run(0, &["check", "--rates", "rates"]);
    // Decks that are there stay; plans stay even so.
    fs::write(place.0.path().join("rates/decks/RP_GAP.csv"), "mine").unwrap();
    let plans = place.read("rates/plans.toml");
    convert(2, &["--write"]);
    assert_eq!(place.read("rates/decks/RP_GAP.csv"), "mine");
    convert(0, &["--write", "--force"]);
    assert!(place.read("rates/decks/RP_GAP.csv").starts_with("prefix,destination,rate"));
    assert_eq!((place.read("rates/plans.toml"), place.read("rates/plans.cgrates.toml")), (plans.clone(), plans));
    // A country that there is not, a folder without files.
    of("XX", 1, &["--write", "--force"]);
    place.run(1, &["tariff", "convert", "--from", "cgrates", "rates", "--country", "DE", "--currency", "EUR"]);
}

#[test]
fn a_workbook_is_read() {
    let place = Place::new();
    place.import(0, &[&data("workbook.xlsx"), "--as", "book", "--write"]);
    let expected = "prefix,destination,rate,initial,increment,valid_from\n1829,Dominican Republic,0.05,60,1,2026-07-01\n\
                    44,United Kingdom,0.01,60,60,2026-07-01\n447400,United Kingdom Mobile,0.3,30,6,2026-07-01\n\
                    447401,United Kingdom Mobile,0.3,30,6,2026-07-01\n447402,United Kingdom Mobile,0.3,30,6,2026-07-01\n";
    assert_eq!(place.read("rates/decks/book.csv"), expected);
    place.import(1, &[&data("workbook.xlsx"), "--as", "book", "--sheet", "B"]);
}

#[test]
fn a_deck_with_an_error_is_refused_whole() {
    let place = Place::new();
    let file = data("spoiled.csv");
    let refused = place.json(1, &[&file, "--as", "bad", "--write", "--save-mapping"]);
    assert!(!place.exists("rates/decks/bad.csv") && !place.exists("rates/suppliers/bad.toml"));
    let found: Vec<String> = refused["remarks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["severity"] == "error")
        .map(|r| format!("{} {}", r["kind"].as_str().unwrap(), r["line"]))
        .collect();
    assert_eq!(found, ["ruined_code 3", "short_code 9", "lost_point 8"]);
    assert_eq!(refused["findings"], serde_json::json!([]), "what is an error is not warned of as well");
    let accept = ["ruined-code", "short_code", "lost_point"].map(|kind| ["--accept", kind]).concat();
    place.import(0, &[&[&*file, "--as", "bad", "--write"], &accept[..]].concat());
    assert!(place.exists("rates/decks/bad.csv"));
    place.import(2, &[&file, "--as", "bad", "--accept", "lost_pont"]);

    let unreadable = place.json(1, &[&data("unreadable.csv"), "--as", "worse"]);
    let lines: Vec<u64> =
        unreadable["findings"].as_array().unwrap().iter().map(|f| f["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [3, 4, 5]);
}

#[test]
fn every_real_deck_is_read_and_its_oddities_found() {
    let Some(folder) = std::env::var_os("CALLRATED_DECKS") else {
        println!("skipped: CALLRATED_DECKS names no folder of decks");
        return;
    };
    let countries = Countries::parse(&fs::read_to_string(shipped("countries.toml")).unwrap()).unwrap();
    let plan = classify::parse(&fs::read_to_string(shipped("numbering.csv")).unwrap()).unwrap();
    let world = World::new(&countries, &plan);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut report = String::new();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut bytes = fs::read(&path).unwrap();
        if name.ends_with(".gz") {
            let packed = std::mem::take(&mut bytes);
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
        } else if !name.ends_with(".csv") {
            continue;
        }
        let begun = Instant::now();
        // Their collector wrote `USD?` where the source does not state a currency.
        let mapping = Mapping::parse("ignore = [\"currency\"]\ncurrency = \"USD\"").unwrap();
        let mut findings = Findings::new(name.clone());
        let table = table::read(&bytes, None, &mut findings);
        let supplied = understand(&table, &mapping, &mut findings);
        writeln!(
            report,
            "{name}: {} rows, {} text lines, {} held",
            supplied.rows.len(),
            supplied.texts.len(),
            supplied.held.len()
        )
        .unwrap();
        let understood = begun.elapsed();
        if !findings.refused() {
            let written = write::deck(&supplied.rows);
            let read = deck::read(written.text.as_bytes(), &Zone::UTC, &|_, _| None, &mut findings);
            let mut remarks = judge::deck(&read, &world, None);
            remarks.extend(judge::coverage(&[&read], &world, &[]));
            let (first, counts) = judge::bounded(&remarks, 1);
            for (kind, severity, count) in counts {
                let first = first.iter().find(|r| r.kind == kind).unwrap();
                writeln!(report, "  {severity:?} {} {count}", kind.name()).unwrap();
                println!("{name}: {}: {}", kind.name(), first.message);
            }
        }
        let findings = findings.finish();
        for severity in [Severity::Error, Severity::Warning] {
            let mut of: Vec<_> = findings.iter().filter(|f| f.severity == severity).collect();
            of.sort_by_key(|f| f.line == 0);
            if let Some(first) = of.first() {
                writeln!(report, "  reader: {severity:?} {}", of.len()).unwrap();
                println!("{name}: reader: {}", first.message);
            }
        }
        println!("{name}: understood in {understood:.2?}, in all {:.2?}", begun.elapsed());
    }
    println!("{report}");
    insta::assert_snapshot!("real_decks", report);
}
