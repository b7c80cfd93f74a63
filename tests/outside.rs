//! The program from outside: 100,000 records of every kind over UDP, TCP and HTTP, killed in the middle, and every account's
//! totals equal to an independent model; the books balance.
//!
//! `CALLRATED_OUTSIDE_RECORDS` changes the number of records.

// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

mod process;

use rust_decimal::Decimal;

use process::daemon::Daemon;
use process::model::{Model, compare, decimal, minutes_nearest, minutes_up};
use process::{AMERICANS, GERMANS, american, german, rates_folder};

const RECORDS: usize = 100_000;

// -------------------------------------------------------------------------------------------------------- the records

/// One record and the way it goes.
struct Sent {
    line: String,
    way: Way,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Udp,
    Tcp,
    Http,
}

/// Makes the records and, beside them, what they must come to.
fn make(records: usize, day: &str) -> (Vec<Sent>, Model) {
    let (mut sent, mut model) = (Vec::with_capacity(records), Model::default());
    let mut i = 0usize;
    while sent.len() < records {
        let a = i % GERMANS;
        let account = format!("de{a:02}");
        let millis = 1 + (i as u64 * 7919) % 600_000;
        let seconds = format!("{}.{:03}", millis / 1000, millis % 1000);
        let answer = format!("{day}T{:02}:{:02}:{:02}Z", i / 3600 % 24, i / 60 % 60, i % 60);
        let way = match i % 10 {
            0 => Way::Udp,
            1 | 2 => Way::Http,
            _ => Way::Tcp,
        };
        let record = |source: &str, destination: &str, duration: &str, more: &str| {
            format!(
                r#"{{"id":"call-{i}","node":"sbc","source":"{source}","destination":"{destination}","answer":"{answer}","duration":{duration}{more}}}"#
            )
        };
        let mobile = format!("0151 2345{:04}", i % 10_000);
        let mut push = |line: String, way: Way| sent.push(Sent { line, way });
        match i / 10 % 20 {
            0..10 => {
                model.add(account, "in_plan", minutes_up(millis), Decimal::ZERO);
                push(record(&german(a), &mobile, &seconds, ""), way);
            }
            10 => {
                let minutes = minutes_up(millis);
                let cost = decimal("0.05") + decimal("0.031") * Decimal::from(minutes);
                model.add(account, "international", minutes, cost);
                push(record(&german(a), "00442079460123", &seconds, ""), way);
            }
            11 => {
                let minutes = minutes_up(millis);
                model.add(account, "domestic_premium", minutes, decimal("0.79") * Decimal::from(minutes));
                push(record(&german(a), "0900 5 123456", &seconds, ""), way);
            }
            12 => {
                // One record, two accounts: the caller's leg abroad, and the toll-free number's inbound leg.
                let minutes = minutes_up(millis);
                model.add(account, "international", minutes, decimal("0.01") * Decimal::from(minutes));
                let nearest = minutes_nearest(millis);
                let owner = format!("us{:02}", i % AMERICANS);
                model.add(owner, "toll_free", nearest, decimal("0.02") * Decimal::from(nearest));
                push(record(&german(a), &american(i % AMERICANS), &seconds, ""), way);
            }
            13 => {
                model.add(account, "in_plan", minutes_up(millis), Decimal::ZERO);
                let forwarded = format!(r#","forwarded_by":"{}""#, german(a));
                push(record("+4915199999999", &mobile, &seconds, &forwarded), way);
            }
            14 => {
                model.unanswered += 1;
                let line = format!(
                    r#"{{"id":"call-{i}","node":"sbc","source":"{}","destination":"{mobile}","duration":0,"cause":"486"}}"#,
                    german(a)
                );
                push(line, way);
            }
            15 => {
                *model.suspense.entry("unknown_account").or_default() += 1;
                push(record("+4915188888888", "+4915177777777", &seconds, ""), way);
            }
            16 => {
                model.add(account, "in_plan", minutes_up(millis), Decimal::ZERO);
                model.duplicates += 1;
                let line = record(&german(a), &mobile, &seconds, "");
                push(line.clone(), Way::Tcp);
                push(line, Way::Tcp);
            }
            17 => {
                model.add(account, "in_plan", minutes_up(millis), Decimal::ZERO);
                model.conflicts += 1;
                push(record(&german(a), &mobile, &seconds, ""), Way::Tcp);
                push(record(&german(a), &mobile, "7200", ""), Way::Tcp);
            }
            18 => {
                *model.suspense.entry("no_rate").or_default() += 1;
                push(record(&german(a), "+33123456789", &seconds, ""), way);
            }
            _ => {
                *model.suspense.entry("bad_number").or_default() += 1;
                push(record(&german(a), "00 1 555 123", &seconds, ""), way);
            }
        }
        i += 1;
    }
    (sent, model)
}

// ---------------------------------------------------------------------------------------------------------- the test

#[test]
fn totals_equal_the_model_and_a_kill_changes_nothing() {
    let records = std::env::var("CALLRATED_OUTSIDE_RECORDS").ok().and_then(|n| n.parse().ok()).unwrap_or(RECORDS);
    let yesterday = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48)).to_zoned(jiff::tz::TimeZone::UTC);
    let day = yesterday.strftime("%Y-%m-%d").to_string();
    let period = &day[..7];
    let (sent, model) = make(records, &day);
    assert!(model.unanswered > 0 && model.duplicates > 0 && model.conflicts > 0);
    let way = |way: Way| -> Vec<&str> { sent.iter().filter(|s| s.way == way).map(|s| s.line.as_str()).collect() };
    let (udp, tcp, http) = (way(Way::Udp), way(Way::Tcp), way(Way::Http));

    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let daemon = Daemon::start(folder.path());
    daemon.send_udp(&udp);
    daemon.send_http(&http[..http.len() / 2]);
    let durable = daemon.send_tcp(&tcp, tcp.len() / 2);
    let folder_again = daemon.kill();

    // What was said to be durable is not sent again; what was not, is.
    let daemon = Daemon::start(&folder_again);
    daemon.send_http(&http[http.len() / 2..]);
    assert_eq!(daemon.send_tcp(&tcp[durable..], tcp.len() - durable), tcp.len() - durable);
    compare(&daemon, &model, period);

    // And once more, after everything is stored.
    let daemon = Daemon::start(&daemon.kill());
    compare(&daemon, &model, period);
    assert_eq!(daemon.metric("callrated_udp_dropped_total", ""), 0);
    daemon.kill();
}
