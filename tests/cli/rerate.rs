//! Calls rated again: shown first, made to count, taken back; open and sealed months.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::{Place, nano, records};

/// A month of calls, and behind it a deck that should have priced it from its first day on.
fn corrected() -> Place {
    let place = Place::new();
    place.write("rates/decks/world-eur.csv", "prefix,destination,rate\n55,Brazil,0.10\n");
    place.write("month.json", records(200, "m").join("\n"));
    place.run(&["import", "month.json"]).code(0);
    place.write("rates/decks/world-eur.csv", "prefix,destination,rate\n55,Brazil,0.10\n55119,Brazil Mobile,0.07\n");
    place
}

/// What is in force for calls of now, and what was before.
fn tariffs(place: &Place) -> (String, String) {
    let history = place.json(&["tariff", "history", "--json"]);
    let of = |value: &Value| value.as_str().unwrap().trim_start_matches("blake3:").to_owned();
    let now = of(&history["tariff"]);
    let all: Vec<String> = history["tariffs"].as_array().unwrap().iter().map(|one| of(&one["digest"])).collect();
    let before = all.into_iter().find(|one| *one != now).unwrap();
    (now, before)
}

fn in_force_from_october(place: &Place) {
    place.run(&["tariff", "activate", &tariffs(place).0, "--from", "2026-10-01T00:00:00Z"]).code(0);
}

fn cost(place: &Place, period: &str) -> i128 {
    nano(&place.json(&["usage", "acme", "--period", period, "--json"])["cost"])
}

/// The call of old/m1 as it counts now.
fn legs(place: &Place) -> Value {
    place.json(&["explain", "--call", "old/m1", "--json"])["legs"][0].clone()
}

fn got(port: u16, path: &str) -> Value {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(&answer[answer.find("\r\n\r\n").unwrap()..]).unwrap_or_else(|_| panic!("{answer}"))
}

#[test]
fn an_open_month_is_corrected_by_revisions_and_taken_back() {
    let place = corrected();
    let before = cost(&place, "2026-10");
    // By what is in force for October nothing changes.
    let same = place.json(&["rerate", "--period", "2026-10", "--json"]);
    assert_eq!((&same["state"], &same["report"]["changed"]), (&json!("done"), &json!(0)), "{same:#}");
    in_force_from_october(&place);
    assert!(place.run(&["rerate", "--period", "2026-10", "--apply"]).code(2).err().contains("--why"));
    assert!(place.run(&["rerate", "--period", "October"]).code(2).err().contains("period"));
    place.run(&["rerate", "--period", "2026-10", "--account", "nobody"]).code(1);

    let dry = place.run(&["rerate", "--period", "2026-10", "--prefix", "5511"]).code(0).out();
    assert!(dry.contains("nothing has changed") && dry.contains("international"), "{dry}");
    assert_eq!(cost(&place, "2026-10"), before);
    let asked = ["rerate", "--period", "2026-10", "--rated-by"];
    let first = tariffs(&place).1;
    let make = ["--apply", "--why", "wrong deck, ticket 1234", "--by", "nora", "--json"];
    let done = place.json(&[&asked[..], &[&first], &make].concat());
    assert_eq!((&done["run"], &done["state"]), (&json!(1), &json!("counts")), "{done:#}");
    let report = &done["report"];
    let (changed, total) = (report["changed"].as_u64().unwrap(), &report["total"][0]);
    assert!(changed > 20 && report["reversals"] == 0 && report["revisions"] == changed, "{report:#}");
    let after = cost(&place, "2026-10");
    assert_eq!(nano(&total["difference"]), after - before, "{total}");
    assert_eq!(
        (&report["accounts"][0]["name"], &report["accounts"][0]["difference"]),
        (&json!("acme"), &total["difference"])
    );

    // The call is proved as it counts now, and as it was.
    let now = legs(&place);
    assert_eq!((&now["proved"], &now["revision"]), (&json!(true), &json!(1)), "{now:#}");
    let then = place.json(&["explain", "--call", "old/m1", "--revision", "0", "--json"])["legs"][0].clone();
    assert_eq!((&then["proved"], &then["revision"]), (&json!(true), &json!(0)), "{then:#}");
    assert!(nano(&now["cost"]) < nano(&then["cost"]));
    assert_eq!(place.json(&["verify", "--json"])["balanced"], true);
    assert!(place.run(&["verify", "--period", "2026-10"]).code(0).out().contains("as stored"));
    let again = place.json(&["rerate", "--period", "2026-10", "--json"]);
    assert_eq!(again["report"]["changed"], 0, "{again:#}");

    let undo = place.run(&["rerate", "undo", "1"]).code(0).out();
    assert!(undo.contains("dry run of taking back run 1") && !undo.contains("suspense"), "{undo}");
    assert!(undo.contains(&format!("{changed} of {changed} calls change")), "{undo}");
    assert_eq!(cost(&place, "2026-10"), after);
    place.run(&["rerate", "undo", "1", "--apply", "--why", "it was right"]).code(0);
    assert_eq!(cost(&place, "2026-10"), before);
    assert_eq!(nano(&legs(&place)["cost"]), nano(&then["cost"]));
    let runs = place.json(&["rerate", "list", "--json"])["runs"].clone();
    let told: Vec<_> =
        runs.as_array().unwrap().iter().map(|run| (&run["run"], &run["undoes"], &run["undone_by"])).collect();
    assert_eq!(told, [(&json!(2), &json!(1), &Value::Null), (&json!(1), &Value::Null, &json!(2))]);
    assert_eq!((&runs[1]["by"], &runs[1]["why"]), (&json!("nora"), &json!("wrong deck, ticket 1234")));
    assert!(place.run(&["rerate", "list"]).code(0).out().contains("taken back by 2"));
    assert!(place.run(&["rerate", "undo", "1"]).code(1).err().contains("changed since"), "once is enough");
    assert_eq!(place.json(&["verify", "--json"])["balanced"], true);
}

#[test]
fn a_sealed_month_stays_and_its_open_one_credits_and_charges() {
    let place = corrected();
    place.run(&["seal", "2026-10"]).code(0);
    let manifest = place.run(&["seal", "2026-10", "--manifest"]).code(0).out();
    let before = cost(&place, "2026-10");
    in_force_from_october(&place);
    let done = place.json(&["rerate", "--period", "2026-10", "--apply", "--why", "wrong deck", "--json"]);
    let report = &done["report"];
    assert!(report["reversals"].as_u64().unwrap() > 20 && report["revisions"] == 0, "{report:#}");
    let difference = nano(&report["total"][0]["difference"]);
    assert!(difference < 0);
    assert_eq!(cost(&place, "2026-10"), before, "a sealed month does not change");
    assert_eq!(place.run(&["seal", "2026-10", "--manifest"]).code(0).out(), manifest);

    // What the open month has of it: each call credited and charged anew, to the digit.
    let open = place.run(&["seal"]).code(0).out();
    let month =
        open.lines().find(|line| line.contains(" open ")).unwrap().split_whitespace().next().unwrap().to_owned();
    assert_eq!(cost(&place, &month), difference);
    let rows = place.run(&["export", &month, "--json"]).code(0).out();
    let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().map(|row| nano(&row["cost"])).sum::<i128>(), difference);
    let of: Vec<&Value> = rows.iter().filter(|row| row["id"] == "m1").collect();
    assert_eq!(of.len(), 2, "{of:#?}");
    let reversal = of.iter().find(|row| row["reversal"] == true).unwrap();
    let charge = of.iter().find(|row| row["reversal"] != true).unwrap();
    let billed = place.json(&["explain", "--call", "old/m1", "--revision", "0", "--json"])["legs"][0].clone();
    assert_eq!(nano(&reversal["cost"]), -nano(&billed["cost"]));
    assert_eq!((&reversal["adjusts"], &charge["adjusts"]), (&json!("2026-10"), &json!("2026-10")));
    assert_eq!((&reversal["run"], &charge["revision"]), (&json!(1), &json!(1)));
    assert!(reversal["billable_seconds"].as_i64().unwrap() < 0);
    assert_eq!(nano(&legs(&place)["cost"]), nano(&charge["cost"]));
    assert_eq!(place.json(&["verify", "--json"])["balanced"], true);
    assert!(place.run(&["verify", "--period", "2026-10"]).code(0).out().contains("2026-10 is as stored"));
    assert!(place.run(&["verify", "--period", &month]).code(0).out().contains("as stored"));

    place.run(&["rerate", "undo", "1", "--apply", "--why", "it was right"]).code(0);
    assert_eq!((cost(&place, "2026-10"), cost(&place, &month)), (before, 0));
    assert_eq!(legs(&place)["revision"], 0);
    assert_eq!(place.json(&["verify", "--json"])["balanced"], true);
    assert_eq!(place.run(&["seal", "2026-10", "--manifest"]).code(0).out(), manifest);

    // Over the daemon it is the same, with the rows of a call and what made them so.
    let daemon = place.serve("");
    let redone = place.json(&["rerate", "undo", "2", "--apply", "--why", "it was wrong after all", "--json"]);
    assert_eq!(redone["state"], "counts", "{redone:#}");
    let call = got(daemon.api, "/v1/calls/old/m1");
    let shown: Vec<_> = call["revisions"].as_array().unwrap().iter().map(|row| (&row["run"], &row["counts"])).collect();
    assert_eq!(shown.len(), 5, "{call:#}");
    assert_eq!(shown.iter().filter(|(_, counts)| **counts == true).count(), 3, "{call:#}");
    assert_eq!(call["revisions"][4]["why"], "it was wrong after all");
    drop(daemon);
    assert_eq!(cost(&place, &month), difference);
    assert_eq!(place.json(&["verify", "--json"])["balanced"], true);
}
