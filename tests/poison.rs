//! A record on which the program dies, from outside: it dies of it twice, sets it aside, and rates all others; once the
//! program no longer dies of it, a retry rates it too.
//!
//! Only a build with debug assertions can be made to die.
#![cfg(debug_assertions)]

mod daemon;

use std::fs;

use daemon::{Daemon, Place, from_now, record};
use serde_json::Value;

const QUICK: &str = "[flush]\nevery = \"200ms\"";
const RECORDS: u64 = 300;
const POISON: &str = "poisonous";

fn lines(answer: &str) -> Vec<String> {
    (0..RECORDS)
        .map(|i| match i {
            100 => record(POISON, "+4930231251", answer, 5),
            i => record(&format!("r{i}"), ["+4930231251", "+4930231252"][i as usize % 2], answer, 1 + i % 7),
        })
        .collect()
}

/// Minutes of both accounts' calls.
fn minutes(daemon: &Daemon, period: &str) -> u64 {
    ["a", "b"]
        .iter()
        .map(|account| {
            let usage = daemon.get(&format!("/v1/accounts/{account}/usage?period={period}"));
            let lines = usage["totals"].as_array().unwrap();
            lines.iter().map(|line| line["billable_seconds"].as_u64().unwrap() / 60).sum::<u64>()
        })
        .sum()
}

/// One record aside, all others exact.
fn all_but_one(daemon: &Daemon, period: &str) {
    let expected: u64 = (0..RECORDS).filter(|i| *i != 100).map(|i| 1 + i % 7).sum();
    assert_eq!(minutes(daemon, period), expected);
    let suspense = daemon.get("/v1/suspense");
    assert_eq!(suspense["counts"], serde_json::json!({ "internal_error": 1 }));
    assert_eq!(suspense["items"][0]["id"], POISON);
    assert_eq!(suspense["items"][0]["leg"], Value::Null);
    assert_eq!(daemon.metric("callrated_suspense_open", "internal_error"), 1);
    assert_eq!(daemon.metric("callrated_books_unbalanced", ""), 0);
}

fn dies_twice_and_goes_on(stage: &str) {
    let place = Place::new("0.1");
    let pretend = format!("{stage}:{POISON}");
    let poisoned = [("CALLRATED_PRETEND_POISON", pretend.as_str())];
    // Not at midnight between two months: all calls lie in one.
    let answer = from_now(-60);
    let period = &answer[..7].to_owned();

    let daemon = place.start(QUICK, &poisoned);
    // Whether an answer comes depends on who is faster; the records are durable before anything can die of them.
    let _ = daemon.ask("POST", "/v1/calls", &lines(&answer).join("\n"));
    daemon.aborted();
    place.launch(QUICK, &poisoned).aborted();
    let deaths: Value = serde_json::from_slice(&fs::read(place.path("data/deaths.json")).unwrap()).unwrap();
    assert_eq!((deaths.as_array().unwrap().len(), &deaths[0]["deaths"]), (1, &Value::from(2)), "{deaths}");

    let daemon = place.start(QUICK, &poisoned);
    all_but_one(&daemon, period);
    assert!(daemon.log().contains("ended the process twice; it is kept in suspense"), "{}", daemon.log());
    assert_eq!(daemon.metric("callrated_calls_suspense_total", "internal_error"), 1);
    // It is known all the same: the same record again is a repeat, and nobody dies.
    daemon.records(&[lines(&answer)[100].clone(), record("new", "+4930231251", &answer, 1)]);
    assert_eq!(minutes(&daemon, period), (0..RECORDS).filter(|i| *i != 100).map(|i| 1 + i % 7).sum::<u64>() + 1);
    assert_eq!(daemon.metric("callrated_records_duplicate_total", ""), 1);
    daemon.kill();

    // It was stored as set aside, so the note about it is gone, and a start without the note leaves it where it is.
    let daemon = place.start(QUICK, &poisoned);
    assert_eq!(daemon.metric("callrated_suspense_open", "internal_error"), 1);
    assert_eq!(fs::read_to_string(place.path("data/deaths.json")).unwrap(), "[]");

    // A retry while it is still poison: the same again, at the position of the retry.
    let _ = daemon.ask("POST", "/v1/suspense/retry", r#"{"reason":"internal_error"}"#);
    daemon.aborted();
    place.launch(QUICK, &poisoned).aborted();
    let daemon = place.start(QUICK, &poisoned);
    assert_eq!(daemon.get("/v1/suspense")["counts"], serde_json::json!({ "internal_error": 1 }));
    daemon.kill();

    // The program is mended.
    let daemon = place.start(QUICK, &[]);
    let retried = daemon.post("/v1/suspense/retry", r#"{"reason":"internal_error"}"#);
    assert_eq!(retried, serde_json::json!({ "tried": 1, "left": 0 }));
    let all = (0..RECORDS).filter(|i| *i != 100).map(|i| 1 + i % 7).sum::<u64>() + 1 + 5;
    assert_eq!(minutes(&daemon, period), all);
    assert_eq!(daemon.get("/v1/verify")["balanced"], true);
    daemon.kill();
    let daemon = place.start(QUICK, &[]);
    assert_eq!(minutes(&daemon, period), all);
    assert_eq!(daemon.metric("callrated_suspense_open", ""), 0);
}

#[test]
fn a_record_that_kills_where_it_is_rated_is_set_aside() {
    dies_twice_and_goes_on("rated");
}

#[test]
fn a_record_that_kills_where_it_is_resolved_is_set_aside() {
    dies_twice_and_goes_on("resolved");
}

#[test]
fn a_record_that_kills_where_it_is_stored_is_set_aside() {
    dies_twice_and_goes_on("stored");
}
