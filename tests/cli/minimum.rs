//! Minimum spends as whoever bills and whoever asks sees them: an open month, a sealed one, and one that bills a late call of it.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::{Place, nano};

/// A call to a premium number: each begun minute at 0.79.
fn call(id: &str, day: u32, seconds: u32) -> String {
    let answer = format!("2026-10-{day:02}T09:00:00Z");
    let to = "0900 5 123456";
    json!({ "id": id, "node": "old", "account": "acme", "source": "+4930600", "destination": to, "answer": answer, "duration": seconds })
        .to_string()
}

fn place() -> Place {
    let place = Place::new();
    let read = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    let plans =
        read("rates/plans.toml").replacen("currency = \"EUR\"", "currency = \"EUR\"\nminimum_spend = \"20.00\"", 1);
    place.write("rates/plans.toml", plans);
    let accounts = read("rates/accounts.csv");
    let quiet = accounts.lines().nth(1).unwrap().replacen("acme,", "quiet,", 1);
    place.write("rates/accounts.csv", format!("{accounts}{quiet}\n"));
    place
}

fn billed(usage: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |one: &Value| ["period", "minimum", "charged", "cost", "amount"].map(|key| text(&one[key])).join(" ");
    usage["minimums"].as_array().into_iter().flatten().map(of).collect()
}

fn csv(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/csv\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer[answer.find("\r\n\r\n").unwrap() + 4..].to_owned()
}

#[test]
fn what_is_short_is_billed_and_given_back() {
    let place = place();
    place.run(&["check"]).code(0);
    place.write("month.json", call("c1", 5, 10));
    place.run(&["import", "month.json"]).code(0);
    // By now, of a month that is over and not sealed: 20.00 − 0.79.
    let usage = place.json(&["usage", "acme", "--period", "2026-10", "--json"]);
    assert_eq!(billed(&usage), ["2026-10 20.00 0.7900 19.2100 19.21"], "{usage:#}");
    assert_eq!((&usage["cost"], &usage["due"][0]["cost"]), (&json!("0.7900"), &json!("20.0000")));
    let shown = place.run(&["usage", "acme", "--period", "2026-10"]).code(0).out();
    assert!(shown.contains("0.7900 charged, 19.2100 billed beside calls by now"), "{shown}");
    // Who never called is told, too.
    let quiet = place.json(&["usage", "quiet", "--period", "2026-10", "--json"]);
    assert_eq!(billed(&quiet), ["2026-10 20.00 0.00 20.00 20.00"], "{quiet:#}");

    let sealed = place.run(&["seal", "2026-10"]).code(0).out();
    assert!(sealed.contains("minimum spends, billed beside calls: EUR 39.21"), "{sealed}");
    assert!(sealed.contains("on invoices, each line rounded once: EUR 40.00"), "{sealed}");
    let manifest = place.run(&["seal", "2026-10", "--manifest"]).code(0).out();
    let shown = place.run(&["usage", "acme", "--period", "2026-10"]).code(0).out();
    assert!(
        shown.contains("minimum spend of 2026-10: 20.00 EUR, 0.7900 charged, 19.2100 billed beside calls\n"),
        "{shown}"
    );
    assert!(shown.contains("calls and minimum spend: 20.0000 EUR, on an invoice 20.00"), "{shown}");
    let all = place.run(&["usage", "--period", "2026-10"]).code(0).out();
    assert!(all.contains("2026-10: 2 accounts") && all.contains("quiet"), "{all}");

    // A late call of October, two minutes: 1.58 of what was short is given back in the month that bills it.
    place.write("late.json", call("c2", 6, 61));
    place.run(&["import", "late.json"]).code(0);
    let open = place.run(&["seal"]).code(0).out();
    let month = open.lines().find(|line| line.contains(" open ")).unwrap().split_whitespace().next().unwrap();
    let usage = place.json(&["usage", "acme", "--period", month, "--json"]);
    let expected = [format!("{month} 20.00 0.0000 20.0000 20.00"), "2026-10 20.00 2.3700 -1.5800 -1.58".to_owned()];
    assert_eq!(billed(&usage), expected, "{usage:#}");
    // 1.58 for the call, 1.58 back, and the open month's own minimum.
    assert_eq!((nano(&usage["cost"]), nano(&usage["due"][0]["cost"])), (1_580_000_000, 20_000_000_000));
    assert_eq!(place.run(&["seal", "2026-10", "--manifest"]).code(0).out(), manifest);
    assert_eq!(place.json(&["verify", "--json"])["balanced"], true);
    assert!(place.run(&["verify", "--period", "2026-10"]).code(0).out().contains("2026-10 is as stored"));

    let daemon = place.serve("");
    let rows = csv(daemon.api, "/v1/periods/2026-10/usage");
    let rows: Vec<&str> = rows.lines().collect();
    assert_eq!(
        rows[1..],
        [
            "acme,domestic_premium,1,10,60,1,EUR,0.7900,0.79",
            "acme,minimum_spend,0,0,0,0,EUR,19.2100,19.21",
            "quiet,minimum_spend,0,0,0,0,EUR,20.00,20.00",
        ]
    );
    assert_eq!(csv(daemon.api, "/v1/periods/2026-10/usage?after=acme").lines().count(), 2);
    assert_eq!(csv(daemon.api, "/v1/periods/2026-10/usage?limit=1").lines().count(), 3);
    drop(daemon);

    // A line that somebody changed in the store is named.
    let store = rusqlite::Connection::open(place.path("data/callrated.db")).unwrap();
    let changed = store.execute("UPDATE minimums SET cost_units = 9 WHERE cost_units = 19", ()).unwrap();
    assert_eq!(changed, 1);
    drop(store);
    for arguments in [&["verify", "--json"][..], &["verify", "--period", "2026-10", "--json"]] {
        let found = place.run(arguments).code(1).last_json();
        assert_eq!(found["differences_count"], 2, "{found:#}");
        assert!(
            found["differences"][0]["what"].as_str().unwrap().contains("minimum spend billed in 2026-10"),
            "{found:#}"
        );
    }
}
