//! `callrated shadow`: prices of another system, told by records, beside ours.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::{Place, nano};

/// A month of a system that bills by 90/60, rounds the price of a second first, and takes the shorter prefix.
fn month() -> Vec<Value> {
    let call = |id: &str, to: &str, seconds: &str, told: &str| {
        json!({
            "id": id, "node": "old", "source": "+4930123456", "destination": to, "answer": "2026-10-05T09:00:00Z",
            "duration": seconds.parse::<f64>().unwrap(), "incumbent_cost": told, "incumbent_currency": "EUR",
        })
    };
    let sao_paulo = "005511987654321";
    let rio = "005521987654321";
    let mut month = vec![
        call("s1", sao_paulo, "61", "0.1800"),
        call("s2", sao_paulo, "20", "0.1800"),
        call("s3", sao_paulo, "100.5", "0.3000"),
        call("r1", rio, "60", "0.0198"),
        call("r2", rio, "60", "0.0198"),
        call("p1", rio, "61", "0.2"),
        call("x1", sao_paulo, "61", "77.77"),
        call("a1", sao_paulo, "61", "0.24"),
        call("a2", "015123456789", "61", "0"),
        call("u1", "00551", "61", "0.5"),
        call("n1", sao_paulo, "0", "0.1"),
        call("n1", sao_paulo, "0", "0.1"),
        call("c1", sao_paulo, "61", "0.24"),
        call("w1", sao_paulo, "61", "free"),
        call("none", sao_paulo, "61", ""),
    ];
    for (at, id) in [(10, "n1"), (11, "n1")] {
        assert_eq!(month[at]["id"], id);
        month[at].as_object_mut().unwrap().remove("answer");
        month[at]["start"] = json!("2026-10-05T09:00:00Z");
    }
    month[12]["incumbent_currency"] = json!("USD");
    month[14].as_object_mut().unwrap().remove("incumbent_cost");
    month[14].as_object_mut().unwrap().remove("incumbent_currency");
    month
}

/// What the daemon answers to a plain request.
fn get(api: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", api)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn place() -> Place {
    let place = Place::new();
    place.write("rates/decks/world-eur.csv", "prefix,rate\n55,0.10\n5511,0.12\n5521,0.02\n");
    place
}

fn group<'a>(report: &'a Value, words: &str) -> &'a Value {
    let groups = report["groups"].as_array().unwrap();
    groups.iter().find(|group| group["words"] == words).unwrap_or_else(|| panic!("no {words:?} in {report:#}"))
}

#[test]
fn differences_are_counted_under_the_rule_that_explains_them() {
    let place = place();
    let lines: String = month().iter().map(|record| format!("{record}\n")).collect();
    place.write("old.json", lines);
    let imported = place.json(&["import", "--format", "json", "--json", "old.json"]);
    assert_eq!(imported["refused"], 0, "{imported}");
    let report = place.json(&["shadow", "--period", "2026-10", "--json"]);
    let total = &report["totals"][0];
    assert_eq!((&total["calls"], &total["agree"], &total["differ"]), (&json!(9), &json!(2), &json!(7)), "{report:#}");
    let steps = group(&report, "steps 90/60 instead of 60/60");
    assert_eq!((&steps["calls"], &steps["difference"]), (&json!(3), &json!("0.0600")), "{steps:#}");
    let first = group(&report, "the price of a second rounded to 5 decimals before it is multiplied");
    assert_eq!((&first["calls"], &first["rule"]), (&json!(2), &json!("price_rounded_first")));
    assert_eq!(group(&report, "the price of a shorter prefix of the decks")["calls"], 1);
    assert_eq!(group(&report, "no rule that is known here gives their digits")["examples"][0]["id"], "x1");
    assert_eq!(report["accounts"][0]["account"], "acme");
    assert_eq!(report["only_ours"][0]["calls"], 1);
    let why: Vec<&Value> = report["only_theirs"].as_array().unwrap().iter().map(|one| &one["why"]).collect();
    assert_eq!(why, ["suspense: bad_number", "unanswered: they charge for a call that nobody answered"]);
    assert!(
        report["only_theirs"].as_array().unwrap().iter().all(|one| one["calls"] == 1),
        "a repeat is no second call"
    );
    let not: Vec<&Value> = report["not_compared"].as_array().unwrap().iter().map(|one| &one["why"]).collect();
    assert_eq!(not, ["in USD, where we charge EUR", "the cost is no amount"]);

    // As people see it, and the single calls.
    let shown = place.run(&["shadow", "--period", "2026-10"]).code(0).out();
    assert!(shown.contains("3 calls: steps 90/60 instead of 60/60"), "{shown}");
    assert!(shown.contains("callrated explain --call 'old/r1'"), "{shown}");
    let calls = place.run(&["shadow", "--period", "2026-10", "--calls"]).code(0).out();
    assert_eq!(calls.lines().count(), 1 + 7 + 2, "{calls}");
    let one = calls.lines().find(|line| line.starts_with("old,s2,")).unwrap();
    assert!(one.contains(",0.1200,0.1800,") && one.contains("steps 90/60 instead of 60/60"), "{one}");
    let proof = place.run(&["explain", "--call", "old/r1"]).code(0).out();
    assert!(proof.lines().last().unwrap().contains("0.0200"), "{proof}");
    let nothing = place.run(&["shadow", "--period", "2026-09"]).code(0).out();
    assert_eq!(nothing, "no record of 2026-09 tells another price\n");

    // Kept with the call, and only with calls that tell it.
    let store = rusqlite::Connection::open(place.path("data/callrated.db")).unwrap();
    let count = |table: &str| -> i64 {
        store.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get(0)).unwrap()
    };
    assert_eq!((count("incumbents"), count("incumbents_unanswered"), count("calls")), (11, 2, 12));
}

#[test]
fn a_mapping_names_the_column() {
    let place = place();
    place.write(
        "callrated.toml",
        "[format.old-switch]\nkind = \"csv\"\nseparator = \";\"\nheader = true\n[format.old-switch.fields]\n\
         id = \"CallID\"\nsource = \"Caller\"\ndestination = \"Called\"\nanswer = \"Date\"\nduration = \"Sec\"\n\
         incumbent = \"Debit\"\nincumbent_seconds = \"Billed\"\n",
    );
    place.write(
        "cdr.csv",
        "CallID;Caller;Called;Date;Sec;Debit;Billed\n\
         1;+4930123456;005511987654321;2026-10-05T09:00:00Z;61;0,1800;90\n\
         2;+4930123456;005511987654321;2026-10-05T09:10:00Z;61;0,1220;61\n",
    );
    let imported = place.json(&["import", "--format", "old-switch", "--node", "old", "--json", "cdr.csv"]);
    assert_eq!((&imported["refused"], &imported["resolved"]), (&json!(0), &json!(2)), "{imported}");
    let report = place.json(&["shadow", "--period", "2026-10", "--json"]);
    assert_eq!(group(&report, "steps 1/1 instead of 60/60")["calls"], 1);
    assert_eq!(report["totals"][0]["differ"], 2, "{report:#}");
}

/// A contradiction is decided, what waits is exported, mended and put in its place, what was given up is told.
#[test]
fn somebody_decides_what_counts_and_mends_what_waits() {
    let place = place();
    let call = |id: &str, to: &str, seconds: u32| {
        json!({
            "id": id, "node": "old", "source": "+4930123456", "destination": to, "answer": "2026-10-05T09:00:00Z",
            "duration": seconds,
        })
    };
    let told = [
        call("c1", "005511987654321", 61),
        call("c1", "005511987654321", 181),
        call("b1", "00551", 61),
        call("b2", "00551", 61),
    ];
    place.write("old.json", told.iter().map(|record| format!("{record}\n")).collect::<String>());
    let imported = place.json(&["import", "--format", "json", "--json", "old.json"]);
    assert_eq!((&imported["conflict"], &imported["resolved"]), (&json!(1), &json!(3)), "{imported}");

    // The second version counts, by its own word.
    let decided = ["suspense", "decide", "old/c1", "--keep", "second", "--why", "ticket 1"];
    let said = place.run(&decided).code(0).out();
    assert!(said.contains("before outbound EUR 0.2400, now outbound EUR 0.4800"), "{said}");
    let usage = place.json(&["usage", "acme", "--period", "2026-10", "--json"]);
    assert_eq!(usage["cost"], "0.4800");
    let conflicts = place.json(&["suspense", "conflicts", "--json"]);
    assert_eq!(conflicts["items"][0]["decided"]["why"], "ticket 1", "{conflicts}");
    let back = place.json(&["suspense", "decide", "old/c1", "--keep", "first", "--why", "ticket 2", "--json"]);
    assert_eq!((&back["now"][0]["cost"], &back["now"][0]["revision"]), (&json!("0.2400"), &json!(2)), "{back}");
    place.run(&decided).code(0);
    let proof = place.run(&["explain", "--call", "old/c1"]).code(0).out();
    assert!(proof.contains("181 s") && proof.contains("0.4800"), "{proof}");
    place.run(&["suspense", "decide", "old/b1", "--keep", "second", "--why", "none"]).code(1);

    // What waits, with the bytes as they came; by age.
    let list = place.run(&["suspense", "list"]).code(0).out();
    assert!(list.contains("< 1 hour") && list.contains("bad_number"), "{list}");
    let exported = place.run(&["suspense", "export", "--format", "ndjson"]).code(0).out();
    let items: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(items.len(), 2);
    assert_eq!(
        (&items[0]["id"], &items[0]["reason"], &items[0]["raw"]),
        (&json!("b1"), &json!("bad_number"), &json!(told[2].to_string()))
    );
    let csv = place.run(&["suspense", "export", "--reason", "bad_number"]).code(0).out();
    assert!(csv.starts_with("id,node,account,direction,source,destination,"), "{csv}");
    assert_eq!(csv.lines().count(), 3);

    // Mended, imported, and decided: it is rated.
    let mended =
        exported.lines().next().unwrap().replace("\"destination\":\"00551\"", "\"destination\":\"005511987654321\"");
    place.write("mended.json", mended + "\n");
    let imported = place.json(&["import", "--format", "json", "--json", "mended.json"]);
    assert_eq!(imported["conflict"], 1, "{imported}");
    let decided = place.json(&["suspense", "decide", "old/b1", "--keep", "second", "--why", "mended", "--json"]);
    assert_eq!((&decided["now"][0]["cost"], &decided["waiting"]), (&json!("0.2400"), &json!(0)), "{decided}");

    let key = items[1]["key"].as_str().unwrap().to_owned();
    place.run(&["suspense", "discard", &key, "--why", "a test call"]).code(0);
    place.run(&["verify"]).code(0);
    place.run(&["seal", "2026-10"]).code(0);
    // The month is closed and stays: the open one credits what was charged and charges what is.
    let manifest = place.run(&["seal", "2026-10", "--manifest"]).code(0).out();
    let late = place.json(&["suspense", "decide", "old/c1", "--keep", "first", "--why", "late", "--json"]);
    let mut legs: Vec<(i128, bool)> =
        late["now"].as_array().unwrap().iter().map(|leg| (nano(&leg["cost"]), leg["reversal"] == true)).collect();
    legs.sort_unstable();
    assert_eq!(legs, [(-480_000_000, true), (240_000_000, false), (480_000_000, false)], "{late:#}");
    assert_eq!((&late["run"], &late["now"][2]["adjusts"]), (&json!(1), &json!("2026-10")), "{late:#}");
    let conflicts = place.json(&["suspense", "conflicts", "--json"]);
    assert_eq!(conflicts["items"][0]["decided"]["why"], "late", "{conflicts}");
    assert_eq!(place.run(&["seal", "2026-10", "--manifest"]).code(0).out(), manifest);
    let again = place.json(&["suspense", "decide", "old/c1", "--keep", "first", "--why", "so be it", "--json"]);
    assert_eq!((&again["run"], &again["now"]), (&json!(2), &late["now"]), "nothing is left to change");
    let undo = place.run(&["rerate", "undo", "1"]).code(1).err();
    assert!(undo.contains("decide for the other version"), "{undo}");
    place.run(&["verify"]).code(0);
    place.run(&["verify", "--period", "2026-10"]).code(0);

    let daemon = place.serve("");
    let record: Value = serde_json::from_str(&get(daemon.api, "/v1/records/old/b2")).unwrap();
    let record = &record["records"][0];
    assert_eq!(
        (&record["disposition"], &record["discarded"][0]["why"]),
        (&json!("discarded"), &json!("a test call")),
        "{record}"
    );
    let status: Value = serde_json::from_str(&get(daemon.api, "/v1/status")).unwrap();
    assert_eq!((&status["conflicts"], &status["suspense"]), (&json!(0), &json!([])), "{status}");
    assert!(get(daemon.api, "/metrics").contains("callrated_suspense_oldest_seconds{reason=\"no_rate\"} 0"));
    let page = get(daemon.api, "/calls/old/c1?lang=de");
    assert!(page.contains("/page/call.js"), "{page}");
}
