//! Accounts and numbers changed over the API: what it answers, what becomes of calls, who changed what.

use serde_json::{Value, json};

use super::{Answer, Daemon, last_month, wait_until};

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn put(daemon: &Daemon, path: &str, body: &Value) -> Answer {
    daemon.ask("PUT", path, &[JSON], &body.to_string())
}

#[track_caller]
fn done(answer: Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn new_account(plan: &str) -> Value {
    json!({ "plan": plan, "country": "DE", "billing_start": "2026-01-01", "timezone": "Europe/Berlin" })
}

fn call(id: &str, source: &str, answer: &str, seconds: u32) -> Value {
    json!({ "id": id, "node": "lab", "source": source, "destination": "030123450", "answer": answer, "duration": seconds })
}

fn whose(daemon: &Daemon, id: &str) -> Vec<String> {
    let calls = daemon.get(&format!("/v1/calls/lab/{id}")).json();
    let legs = calls["legs"].as_array().or(calls.as_array()).cloned().unwrap_or_else(|| vec![calls.clone()]);
    legs.iter().map(|leg| leg["account"].as_str().unwrap_or_else(|| panic!("{calls}")).to_owned()).collect()
}

#[test]
fn an_account_is_made_changed_and_remembered() {
    let mut daemon = Daemon::start("");
    let made = done(put(&daemon, "/v1/accounts/bluth?by=anna", &new_account("de-business")));
    assert_eq!((&made["changed"], &made["rows"][0]["valid_from"]), (&json!(true), &Value::Null));
    let first = daemon.get("/v1/accounts/bluth");
    let tag = first.header("etag").to_owned();
    assert_eq!((&first.json()["kept"], tag.trim_matches('"')), (&json!("api"), made["revision"].as_str().unwrap()));
    let again = done(put(&daemon, "/v1/accounts/bluth", &new_account("de-business")));
    assert_eq!((&again["changed"], &again["directory"]), (&json!(false), &made["directory"]));

    // Two writers who saw the same: the second is told.
    let change = json!({ "plan": "de-payg", "valid_from": "2026-11-01T00:00:00.000001Z" }).to_string();
    let with = |tag: &str| daemon.ask("PUT", "/v1/accounts/bluth?by=ben", &[JSON, ("If-Match", tag)], &change);
    let changed = done(with(&tag));
    assert_eq!(changed["rows"][1]["valid_from"], "2026-11-01T00:00:00.000001Z");
    let late = with(&tag);
    assert_eq!((late.status, &late.json()["revision"]), (412, &changed["revision"]), "{}", late.body);
    assert_eq!(daemon.ask("PUT", "/v1/accounts/bluth", &[JSON, ("If-None-Match", "*")], &change).status, 412);

    // What the files keep is theirs until it is taken over.
    let files = put(&daemon, "/v1/accounts/acme", &json!({ "plan": "de-payg" }));
    assert_eq!(files.status, 409, "{}", files.body);
    assert!(files.body.contains("comes from accounts.csv") && files.body.contains("take_over=true"), "{}", files.body);
    assert_eq!(done(put(&daemon, "/v1/accounts/acme?take_over=true", &json!({ "plan": "de-payg" })))["changed"], true);
    let reload = done(daemon.ask("POST", "/v1/tariff/reload", &[], ""));
    assert!(reload["findings"].to_string().contains("kept over the API"), "{reload}");

    for (path, body, status, part) in [
        ("/v1/accounts/bluth", json!({ "plan": "de-busines" }), 422, "did you mean \\\"de-business\\\""),
        ("/v1/accounts/bluth", json!({ "pln": "x" }), 422, "unknown field `pln`"),
        ("/v1/accounts/bluth", json!({ "country": "ZZ" }), 422, "countries.toml does not have"),
        ("/v1/accounts/bluth", json!({ "account": "other" }), 400, "which the path names"),
        ("/v1/accounts/new", json!({ "plan": "de-payg" }), 422, "\"field\":\"country\""),
        ("/v1/numbers/+49301", json!({ "account": "blut" }), 422, "did you mean \\\"bluth\\\""),
        ("/v1/numbers/+49-301", json!({ "account": "bluth" }), 400, "such as +4930123456"),
    ] {
        let answer = put(&daemon, path, &body);
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
        assert!(answer.body.contains(part), "{path} {body}: {}", answer.body);
    }
    assert_eq!(daemon.ask("DELETE", "/v1/accounts/nobody", &[], "").status, 404);
    let ended = done(daemon.ask("DELETE", "/v1/accounts/bluth?at=2027-01-01", &[], ""));
    assert_eq!(ended["rows"][1]["valid_to"], "2026-12-31T23:00:00Z");

    let history = daemon.get("/v1/accounts/bluth/history").json();
    let changes = history["changes"].as_array().unwrap();
    let by: Vec<&str> = changes.iter().map(|change| change["by"].as_str().unwrap()).collect();
    assert_eq!(by, ["change, anna", "change, ben", "change, api"]);
    assert_eq!((&changes[0]["before"], &changes[1]["before"]), (&json!([]), &changes[0]["after"]));
    assert_eq!(changes[2]["after"], ended["rows"]);
    let acme = daemon.get("/v1/accounts/acme/history").json();
    assert_eq!(acme["changes"].as_array().unwrap().len(), 2, "at the start, and taken over: {acme}");
    assert_eq!(daemon.get("/v1/accounts/never/history").status, 404);

    // The same after a restart, though the folder says less.
    let before = daemon.get("/v1/directory").json();
    daemon.end().unwrap();
    let folder = std::mem::replace(&mut daemon.folder, tempfile::tempdir().unwrap());
    let daemon = Daemon::start_in(folder, "");
    assert_eq!(daemon.get("/v1/directory").json()["directory"], before["directory"]);
    assert_eq!(daemon.get("/v1/accounts/bluth/history").json(), history);
    let listed = daemon.get("/v1/accounts?after=acme&limit=2").json();
    assert_eq!((&listed["accounts"][0]["account"], &listed["after"]), (&json!("bluth"), &json!("depot-hamburg")));
    assert_eq!(daemon.get("/v1/verify").json()["balanced"], true);
}

#[test]
fn what_was_taken_over_is_given_back_to_the_files() {
    let daemon = Daemon::start("");
    let delete = |path: &str| daemon.ask("DELETE", path, &[], "");
    let in_force = || daemon.get("/v1/directory").json()["directory"].clone();
    let (of_files, acme) = (in_force(), daemon.get("/v1/accounts/acme/history").json()["changes"][0]["after"].clone());
    // Something of its own stays when others go.
    done(put(&daemon, "/v1/accounts/bluth", &new_account("de-business")));
    let with_bluth = in_force();
    done(put(&daemon, "/v1/numbers/+4930777001", &json!({ "account": "bluth" })));
    done(delete("/v1/numbers/+4930777001?at=2030-01-01"));

    // Taken over for the future only: what the files say of the past is what it was.
    let future = json!({ "plan": "de-payg", "valid_from": "2099-01-01" });
    done(put(&daemon, "/v1/accounts/acme?take_over=true&by=anna", &future));
    let back = done(delete("/v1/accounts/acme?to=files&by=ben"));
    assert_eq!((&back["changed"], &back["rows"]), (&json!(true), &acme));
    assert_eq!(daemon.get("/v1/accounts/acme").json()["kept"], "files");
    let again = done(delete("/v1/accounts/acme?to=files"));
    assert_eq!(again["changed"], false);

    // For the past, too: only with a word.
    done(put(&daemon, "/v1/accounts/acme?take_over=true", &json!({ "plan": "de-payg", "valid_from": "2026-02-01" })));
    let refused = delete("/v1/accounts/acme?to=files");
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(refused.body.contains("says something else of account") && refused.body.contains("since 2026-0"));
    assert_eq!(daemon.get("/v1/accounts/acme").json()["kept"], "api");
    done(delete("/v1/accounts/acme?to=files&rewrite=true&by=cleo"));
    let history = daemon.get("/v1/accounts/acme/history").json();
    let told: Vec<(&str, &str)> = (history["changes"].as_array().unwrap().iter())
        .map(|change| (change["by"].as_str().unwrap(), change["kept"].as_str().unwrap()))
        .collect();
    let expected =
        [("change, anna", "api"), ("change, ben", "files"), ("change, api", "api"), ("change, cleo", "files")];
    assert_eq!(told[1..], expected, "{history}");
    assert_eq!(history["changes"][4]["after"], acme);

    // A number, and an account taken over as it was: nothing but its keeper changes, and that is told.
    let number = daemon.get("/v1/numbers/+4930123456").json();
    let owner = number["owners"][0]["account"].as_str().unwrap_or_else(|| panic!("{number}")).to_owned();
    done(put(&daemon, "/v1/numbers/+4930123456?take_over=true", &json!({ "account": owner, "valid_from": "" })));
    done(delete("/v1/numbers/+4930123456?to=files"));
    let history = daemon.get("/v1/numbers/+4930123456/history").json();
    assert_eq!(history["changes"][2]["kept"], "files", "{history}");
    assert_eq!(daemon.get("/v1/numbers/+4930123456").json()["owners"], number["owners"]);

    for (path, status, part) in [
        ("/v1/accounts/bluth?to=files", 409, "accounts.csv does not have account"),
        ("/v1/accounts/nobody?to=files", 404, "is not known"),
        ("/v1/numbers/+4930777001?to=files", 409, "numbers.csv does not have number"),
        ("/v1/accounts/bluth?to=file", 400, "write to=files"),
        ("/v1/accounts/bluth?to=files&at=2027-01-01", 400, "gives it back whole"),
        ("/v1/accounts/bluth?rewrite=true", 400, "belongs to to=files"),
    ] {
        let answer = delete(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body.contains(part), "{path}: {}", answer.body);
    }
    // Nothing of what was given back is left on top of the files.
    assert!(in_force() != of_files && in_force() != with_bluth);
    let reload = done(daemon.ask("POST", "/v1/tariff/reload", &[], ""));
    assert!(!reload["findings"].to_string().contains("kept over the API"), "{reload}");
    assert_eq!(daemon.get("/v1/accounts/bluth").json()["kept"], "api");
    assert_eq!(daemon.get("/v1/verify").json()["balanced"], true);
}

#[test]
fn a_number_moves_at_an_instant() {
    let daemon = Daemon::start("");
    let (period, day) = last_month();
    for account in ["old", "new"] {
        done(put(&daemon, &format!("/v1/accounts/{account}"), &new_account("de-business")));
    }
    let number = "/v1/numbers/+4930777001";
    done(put(&daemon, number, &json!({ "account": "old" })));
    daemon.send(&[call("early", "+4930777001", &format!("{day}T10:00:00.000000Z"), 60)]);
    let moved =
        done(put(&daemon, number, &json!({ "account": "new", "valid_from": format!("{day}T10:00:00.000001Z") })));
    assert_eq!(
        (moved["owners"][0]["account"].as_str(), moved["owners"][1]["account"].as_str()),
        (Some("old"), Some("new"))
    );
    assert_eq!(moved["owners"][0]["valid_to"], moved["owners"][1]["valid_from"]);
    // It lies in the past: what was rated is counted, and stays.
    assert_eq!(moved["rated_calls"], json!({ period.clone(): 1 }));
    daemon.send(&[
        call("before", "+4930777001", &format!("{day}T10:00:00.000000Z"), 60),
        call("after", "+4930777001", &format!("{day}T10:00:00.000001Z"), 60),
    ]);
    for (id, owner) in [("early", "old"), ("before", "old"), ("after", "new")] {
        assert_eq!(whose(&daemon, id), [owner], "{id}");
        let proof = daemon.ask("GET", &format!("/v1/calls/lab/{id}/explain"), &[("Accept", "application/json")], "");
        assert_eq!(proof.status, 200, "{id}: {}", proof.body);
    }
    let shown = daemon.get(number).json();
    assert_eq!((&shown["account"], &shown["kept"]), (&json!("new"), &json!("api")));
    done(daemon.ask("DELETE", number, &[], ""));
    assert_eq!(daemon.get(number).json()["account"], Value::Null);
    let history = daemon.get(&format!("{number}/history")).json();
    assert_eq!(history["changes"].as_array().unwrap().len(), 3, "{history}");
    assert_eq!(daemon.get("/v1/numbers/+4930999999").status, 404);
}

#[test]
fn many_are_changed_all_or_none() {
    let daemon = Daemon::start("");
    let csv = [("Content-Type", "text/csv")];
    let lines = [("Content-Type", "application/x-ndjson")];
    let before = daemon.get("/v1/directory").json()["directory"].clone();
    let rows = "account,plan,country,billing_start,valid_from,valid_to\nm1,de-business,DE,2026-01-01,,2026-05-01\n\
                m1,de-payg,DE,2026-01-01,2026-05-01,\nm2,de-payg,DE,2026-01-01,,\n";
    let bad = format!("{rows}m3,,DE,2026-01-01,,\nm4,de-payg,DE,soon,,\n");
    let refused = daemon.ask("POST", "/v1/accounts", &csv, &bad);
    assert_eq!(refused.status, 422);
    let faults = refused.json()["faults"].clone();
    assert_eq!((&faults[0]["line"], &faults[1]["line"]), (&json!(5), &json!(6)), "{faults}");
    assert_eq!(daemon.get("/v1/directory").json()["directory"], before);
    assert_eq!(done(daemon.ask("POST", "/v1/accounts", &csv, rows))["accounts"], 2);
    assert_eq!(done(daemon.ask("POST", "/v1/accounts", &csv, rows))["accounts"], 0, "the same again");
    let numbers = "number,account\n+4930777101,m1\n+4930777102,m2\n+4930600,m2\n";
    let refused = daemon.ask("POST", "/v1/numbers", &csv, numbers);
    assert_eq!((refused.status, &refused.json()["faults"][0]["line"]), (409, &json!(4)), "{}", refused.body);
    assert_eq!(done(daemon.ask("POST", "/v1/numbers?take_over=true", &csv, numbers))["numbers"], 3);
    assert_eq!(daemon.get("/v1/numbers/4930600").json()["account"], "m2");
    let unknown = daemon.ask("POST", "/v1/numbers", &csv, "number,account\n+4930777103,m9\n");
    assert!(unknown.status == 422 && unknown.body.contains("\\\"m9\\\" is not known"), "{}", unknown.body);
    // Lines are changes, one behind the other; a bad one spoils all.
    let good = "{\"account\":\"m2\",\"plan\":\"de-business\",\"valid_from\":\"2026-06-01\"}\n{\"account\":\"m2\",\"language\":\"de\",\"valid_from\":\"2026-07-01\"}\n";
    let refused = daemon.ask("POST", "/v1/accounts", &lines, &format!("{good}{{\"account\":\"m2\",\"plan\":3}}\n"));
    assert_eq!((refused.status, &refused.json()["faults"][0]["line"]), (422, &json!(3)), "{}", refused.body);
    assert_eq!(done(daemon.ask("POST", "/v1/accounts", &lines, good))["accounts"], 1);
    let changes = daemon.get("/v1/accounts/m2/history").json()["changes"].clone();
    assert_eq!(changes[1]["after"].as_array().unwrap().len(), 3, "{changes}");
    assert_eq!(daemon.ask("POST", "/v1/accounts", &[], rows).status, 415);
}

#[test]
fn who_moves_to_another_group_draws_there_and_leaves_what_was_drawn() {
    // The same calls and changes, the calls told in two orders: live they may differ, sealed they must not.
    let (period, day) = last_month();
    let seal = |reversed: bool| {
        let daemon = Daemon::start("");
        for account in ["mover", "stayer"] {
            let mut cells = new_account("de-business");
            cells["group"] = json!(if account == "mover" { "left" } else { "right" });
            done(put(&daemon, &format!("/v1/accounts/{account}"), &cells));
        }
        done(put(&daemon, "/v1/numbers/+4930777201", &json!({ "account": "mover" })));
        done(put(&daemon, "/v1/numbers/+4930777202", &json!({ "account": "stayer" })));
        let at = format!("{day}T12:00:00Z");
        let moved = done(put(&daemon, "/v1/accounts/mover", &json!({ "group": "right", "valid_from": at })));
        assert_eq!(moved["rows"].as_array().unwrap().len(), 2);
        // De-business has 1000 minutes. The left group: 900. The right one: 600, and 500 of who came.
        let mut calls = Vec::new();
        for i in 0..9 {
            calls.push(call(&format!("l{i}"), "+4930777201", &format!("{day}T0{i}:00:00Z"), 6000));
        }
        for i in 0..6 {
            calls.push(call(&format!("r{i}"), "+4930777202", &format!("{day}T0{i}:30:00Z"), 6000));
        }
        for i in 2..7 {
            calls.push(call(&format!("m{i}"), "+4930777201", &format!("{day}T1{i}:00:00Z"), 6000));
        }
        if reversed {
            calls.reverse();
        }
        daemon.send(&calls);
        let month = format!("/v1/periods/{period}");
        let asked = daemon.ask("POST", &format!("{month}/seal"), &[JSON], "{\"early\":true}");
        assert!(matches!(asked.status, 200 | 202), "{}", asked.body);
        wait_until("the month is sealed", || daemon.get(&month).json()["state"] == "sealed");
        let usage = daemon.get(&format!("/v1/accounts/mover/usage?period={period}")).json();
        let stayer = daemon.get(&format!("/v1/accounts/stayer/usage?period={period}")).json();
        assert_eq!(daemon.get("/v1/verify").json()["balanced"], true);
        (daemon.get(&month).json()["digest"].clone(), usage, stayer)
    };
    let (digest, mover, stayer) = seal(false);
    assert_eq!(seal(true), (digest, mover.clone(), stayer.clone()));
    let of = |usage: &Value, kind: &str| {
        let totals = usage["totals"].as_array().unwrap();
        totals.iter().find(|line| line["call_type"] == kind).map_or(json!(0), |line| line["billable_seconds"].clone())
    };
    // 900 minutes left + 400 of the right group's thousand that were free when its last call came: 100 are overage.
    assert_eq!(of(&stayer, "included"), 36_000);
    assert_eq!((of(&mover, "included"), of(&mover, "overage")), (json!(78_000), json!(6_000)), "{mover}");
    assert_eq!(
        mover["allowance"]["used_seconds"], 60_000,
        "the group that it is in draws no more than it has: {mover}"
    );
}
