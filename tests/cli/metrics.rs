//! What a dashboard sees: every metric of the interface under its name, before and after anything has happened.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};

use super::*;

/// Name, type, and what stands behind the name.
const METRICS: &[(&str, &str, &str)] = &[
    ("records_received_total", "counter", "{listener=\"tcp:127.0.0.1:"),
    ("records_received_total", "counter", "{listener=\"udp:127.0.0.1:"),
    ("records_received_total", "counter", "{listener=\"http\",format=\""),
    ("records_refused_total", "counter", "{listener=\"http\",reason=\""),
    ("records_durable_total", "counter", " "),
    ("records_resolved_total", "counter", " "),
    ("records_duplicate_total", "counter", " "),
    ("records_conflict_total", "counter", " "),
    ("calls_unanswered_total", "counter", " "),
    ("calls_before_billing_start_total", "counter", " "),
    ("calls_suspense_total", "counter", "{reason=\"no_rate\"}"),
    ("legs_rated_total", "counter", "{call_type=\"included\"}"),
    ("charged_total", "counter", "{currency=\"EUR\"}"),
    ("udp_dropped_total", "counter", "{listener=\"udp:127.0.0.1:"),
    ("udp_sequence_gaps_total", "counter", " "),
    ("journal_append_bytes_total", "counter", " "),
    ("journal_sync_seconds", "histogram", "_bucket{le=\""),
    ("journal_lag_records", "gauge", " "),
    ("rating_seconds", "histogram", "_bucket{le=\""),
    ("flush_seconds", "histogram", "_bucket{le=\""),
    ("flush_failures_total", "counter", " "),
    ("flush_pending_calls", "gauge", " "),
    ("store_up", "gauge", " "),
    ("books_unbalanced", "gauge", " "),
    ("suspense_open", "gauge", "{reason=\"no_rate\"}"),
    ("identity_entries", "gauge", " "),
    ("tariff_info", "gauge", "{digest=\""),
    ("tariff_prefixes", "gauge", " "),
    ("accounts", "gauge", " "),
    ("build_info", "gauge", "{version=\""),
];

/// `/metrics` as it is scraped.
pub fn exposition(api: SocketAddr) -> String {
    let mut stream = TcpStream::connect(api).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn every_metric_is_there(text: &str) {
    for (name, kind, behind) in METRICS {
        let has = |front: String| text.lines().any(|line| line.starts_with(&front));
        assert!(has(format!("callrated_{name}{behind}")), "{name}{behind} is missing:\n{text}");
        assert!(has(format!("# TYPE callrated_{name} {kind}")), "{name} is no {kind}:\n{text}");
        assert!(has(format!("# HELP callrated_{name} ")), "{name} is not described:\n{text}");
    }
}

#[test]
fn a_dashboard_sees_nought_before_it_sees_more() {
    let place = Place::new();
    let udp = free_port();
    let daemon = place.serve(&format!("[[listen]]\nprotocol = \"udp\"\naddress = \"127.0.0.1:{udp}\"\n"));
    let api = SocketAddr::from(([127, 0, 0, 1], daemon.api));
    let before = exposition(api);
    every_metric_is_there(&before);
    let counters = |line: &&str| line.contains("_total") && !line.starts_with('#') && !line.contains("_journal_");
    for line in before.lines().filter(counters) {
        assert!(line.ends_with(" 0"), "{line}");
    }

    // 200 records, every seventh unanswered; one again, one with other content, one of no country, one of nobody.
    let mut lines = records(200, "m");
    lines.push(lines[1].clone());
    lines.push(lines[2].replace("+4930123456", "+493023125100"));
    lines.push(lines[3].replace("\"m3\"", "\"abroad\"").replace("+4930600", "0099912345"));
    lines.push(lines[4].replace("\"m4\"", "\"nobody\"").replace("+4930123456", "+4930999"));
    lines.push("no record".to_owned());
    place.write("old.json", lines.join("\n"));
    place.run(&["import", "old.json"]).code(1);
    place.json(&["verify", "--json"]);
    let after = exposition(api);
    every_metric_is_there(&after);
    let value = |series: &str| {
        let found = after.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{series} is missing:\n{after}"))
    };
    for (series, expected) in [
        ("callrated_records_durable_total", "204"),
        ("callrated_records_duplicate_total", "1"),
        ("callrated_records_conflict_total", "1"),
        ("callrated_calls_unanswered_total", "29"),
        ("callrated_records_resolved_total", "172"),
        ("callrated_identity_entries", "173"),
        ("callrated_suspense_open{reason=\"bad_number\"}", "1"),
        ("callrated_suspense_open{reason=\"unknown_account\"}", "1"),
        ("callrated_books_unbalanced", "0"),
        ("callrated_store_up", "1"),
        ("callrated_flush_pending_calls", "0"),
    ] {
        assert_eq!(value(series), expected, "{series}");
    }
    assert_eq!(daemon.stop(), 0);
}
