//! R20 from outside: the same record again, the same identity with other content, and attempts that were not answered.

use serde_json::Value;

use crate::process::daemon::{Daemon, wait_for};
use crate::process::rates_folder;
use crate::process::traffic::day;

fn record(id: &str, duration: u32, cause: &str) -> String {
    let answer = if duration > 0 { format!(r#","answer":"{}T10:00:00Z""#, day()) } else { String::new() };
    format!(
        r#"{{"id":"{id}","node":"sbc","source":"+493023125000","destination":"0151 23456789"{answer},"duration":{duration},"cause":"{cause}"}}"#
    )
}

/// Sends one line, and waits until it is stored.
fn send(daemon: &Daemon, line: &str) {
    daemon.send_http(&[line]);
    daemon.get("/v1/suspense");
}

fn json(daemon: &Daemon, path: &str) -> Value {
    serde_json::from_str(&daemon.get(path)).unwrap()
}

fn counted(daemon: &Daemon, what: &str) -> u64 {
    daemon.metric(&format!("callrated_{what}_total"), "")
}

#[test]
fn a_record_that_comes_again_is_charged_once_across_flushes_restarts_and_kills() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    // What happens between the first time and the next; the cause does not make another call of it.
    let line = record("again", 61, "16");
    let mut daemon = Daemon::start(folder.path());
    daemon.send_http(&[&line, &line, &record("again", 61, "31")]);
    wait_for("duplicates before a flush", || counted(&daemon, "records_duplicate") == 2);
    send(&daemon, &line);
    assert_eq!(counted(&daemon, "records_duplicate"), 3, "after a flush");
    assert_eq!(daemon.metric("callrated_identity_entries", ""), 1);
    // The first table has room for 65,536 identities: half a megabyte, and the log's buffer.
    let bytes = daemon.metric("callrated_identity_bytes", "");
    assert!((400_000..4_000_000).contains(&bytes), "{bytes}");

    assert_eq!(daemon.terminate().0.code(), Some(0));
    daemon = Daemon::start(folder.path());
    send(&daemon, &line);
    assert_eq!(counted(&daemon, "records_duplicate"), 1, "after a restart");

    daemon.send_http(&[&line]);
    daemon.kill();
    daemon = Daemon::start(folder.path());
    send(&daemon, &line);
    assert!(counted(&daemon, "records_duplicate") >= 1, "after a kill");

    let usage = json(&daemon, &format!("/v1/accounts/de00/usage?period={}", &day()[..7]));
    let calls: u64 = usage["totals"].as_array().unwrap().iter().map(|line| line["calls"].as_u64().unwrap()).sum();
    assert_eq!(calls, 1, "{usage}");
    assert_eq!(json(&daemon, "/v1/conflicts")["items"], serde_json::json!([]));
    assert_eq!(daemon.metric("callrated_books_unbalanced", ""), 0);
    daemon.kill();
}

#[test]
fn other_content_is_a_conflict_and_both_versions_stay_visible() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let (first, second, third) = (record("c/1", 60, "16"), record("c/1", 7200, "16"), record("c/1", 90, "16"));
    let mut daemon = Daemon::start(folder.path());
    // One in the same batch, one behind a flush.
    daemon.send_http(&[&first, &second]);
    send(&daemon, &third);
    for restarted in [false, true] {
        if restarted {
            daemon = Daemon::start(&daemon.kill());
            send(&daemon, &first);
            assert_eq!((counted(&daemon, "records_duplicate"), counted(&daemon, "records_conflict")), (1, 0));
        } else {
            assert_eq!(counted(&daemon, "records_conflict"), 2);
        }
        let fate = &json(&daemon, "/v1/records/sbc/c%2F1")["records"][0];
        assert_eq!(fate["disposition"], "resolved");
        assert_eq!(fate["legs"].as_array().unwrap().len(), 1, "{fate}");
        assert_eq!(fate["received"]["raw"], first.as_str());
        let versions: Vec<&Value> = fate["conflicts"].as_array().unwrap().iter().map(|c| &c["raw"]).collect();
        assert_eq!(versions, [second.as_str(), third.as_str()]);

        let page = json(&daemon, "/v1/conflicts?limit=1");
        let rest = json(&daemon, &format!("/v1/conflicts?after={}", page["next"]));
        assert_eq!((&page["items"][0]["raw"], &rest["items"][0]["raw"]), (versions[0], versions[1]));
        assert_eq!(page["items"][0]["first"], fate["position"]);
        assert_eq!(rest["next"], Value::Null);
    }
    let (code, listed, _) = Daemon::command(folder.path(), &["suspense", "conflicts"]);
    assert!(code == 0 && listed.contains("c/1") && listed.contains("7200"), "{listed}");
    assert_eq!(daemon.terminate().0.code(), Some(0));
    // And without a daemon.
    let (code, listed, _) = Daemon::command(folder.path(), &["suspense", "conflicts", "--json", "--limit", "1"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((code, &listed["items"][0]["raw"]), (0, &Value::from(second)));
}

#[test]
fn an_unanswered_attempt_claims_nothing() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let daemon = Daemon::start(folder.path());
    let (attempt, call) = (record("retry", 0, "486"), record("retry", 60, "16"));
    // Unanswered before and after: neither takes the identity away from the call, nor contradicts it.
    for line in [&attempt, &call, &attempt, &call] {
        send(&daemon, line);
    }
    let counts = ["calls_unanswered", "records_resolved", "records_duplicate", "records_conflict"];
    assert_eq!(counts.map(|what| counted(&daemon, what)), [2, 1, 1, 0]);
    assert_eq!(daemon.metric("callrated_identity_entries", ""), 1);
    assert_eq!(json(&daemon, "/v1/records/sbc/retry")["records"][0]["received"]["raw"], call.as_str());
    daemon.kill();
}
