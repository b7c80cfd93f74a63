//! How long what is kept: details go by rule and on request, nothing else moves, and what was erased is in no file.

use std::path::Path;

use serde_json::{Value, json};

use crate::process::daemon::{Daemon, EACH_SECOND, wait_for};
use crate::process::{german, rates_folder};

/// Two months ago: over everywhere, and its second half within the 90 days of R2. And the month after it.
pub fn months() -> [String; 2] {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().first_of_month();
    [2, 1].map(|back| now.checked_sub(jiff::Span::new().months(back)).unwrap().strftime("%Y-%m").to_string())
}

pub fn call(id: &str, account: &str, source: &str, destination: &str, month: &str, second: usize) -> String {
    json!({
        "id": id, "node": "sbc", "account": account, "direction": "outbound", "source": source,
        "destination": destination, "answer": format!("{month}-20T10:{:02}:{:02}Z", second / 60 % 60, second % 60),
        "duration": 61,
    })
    .to_string()
}

pub fn seal(daemon: &Daemon, month: &str) {
    let (status, said) = daemon.ask("POST", &format!("/v1/periods/{month}/seal"), r#"{"early":true}"#);
    assert!(status == 200 || status == 202, "{said}");
    wait_for("the seal", || json_of(daemon, &format!("/v1/periods/{month}"))["state"] == "sealed");
}

pub fn json_of(daemon: &Daemon, path: &str) -> Value {
    let (status, said) = daemon.ask("GET", path, "");
    assert_eq!(status, 200, "{path}: {said}");
    serde_json::from_str(&said).unwrap()
}

/// Everything balances, of all and of a month; what is said of the month.
pub fn verified(daemon: &Daemon, month: &str) -> Value {
    let all = json_of(daemon, "/v1/verify");
    assert_eq!(all["balanced"], true, "{all:#}");
    let one = json_of(daemon, &format!("/v1/verify?period={month}"));
    assert_eq!(one["balanced"], true, "{one:#}");
    one
}

#[test]
fn details_go_by_the_rule_and_everything_else_stands() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let [old, young] = months();
    let daemon = Daemon::start(folder.path());
    let mut lines = Vec::new();
    for (a, account) in ["de00", "de01", "de02"].into_iter().enumerate() {
        for i in 0..20 {
            let to = if i % 4 == 0 { "00442079460123" } else { "0151 23456789" };
            lines.push(call(&format!("o{a}-{i}"), account, &german(a), to, &old, 40 * i + a));
            lines.push(call(&format!("y{a}-{i}"), account, &german(a), to, &young, 40 * i + a));
        }
    }
    let (other, third) = (lines[42].replace("\"duration\":61", "\"duration\":62"), lines[44].clone());
    lines.push(other);
    daemon.send_http(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    seal(&daemon, &old);
    let usage = ["de00", "de01", "de02"].map(|a| json_of(&daemon, &format!("/v1/accounts/{a}/usage?period={old}")));
    let manifest = daemon.ask("GET", &format!("/v1/periods/{old}/manifest"), "");
    assert_eq!(verified(&daemon, &old)["calls"], 60);
    assert_eq!(daemon.ask("PUT", "/v1/accounts/de00/hold", r#"{"why":"dispute 4711"}"#).0, 200);
    assert_eq!(daemon.metric("callrated_accounts_held", ""), 1);
    assert_eq!(daemon.ask("PUT", "/v1/accounts/nobody/hold", r#"{"why":"x"}"#).0, 404);
    assert_eq!(daemon.ask("PUT", "/v1/accounts/de00/hold", r#"{"why":" "}"#).0, 400);
    assert_eq!(json_of(&daemon, "/v1/retention")["due"]["periods"], json!([]));
    assert_eq!(daemon.terminate().0.code(), Some(0));

    // A rule, and a daemon that goes by it by itself.
    let daemon = Daemon::start_with(folder.path(), &format!("{EACH_SECOND}[retention]\ncalls = \"1 month\"\n"));
    wait_for("the rule", || {
        let shown = json_of(&daemon, "/v1/retention");
        shown["orders"]
            .as_array()
            .is_some_and(|orders| orders.iter().any(|order| order["what"] == "delete" && order["state"] == "done"))
    });
    let of =
        |account: &str, month: &str| daemon.ask("GET", &format!("/v1/accounts/{account}/calls?period={month}"), "");
    for account in ["de01", "de02"] {
        let (status, said) = of(account, &old);
        assert_eq!(status, 410, "{said}");
        for words in ["under the retention rule calls", "1 months", "manifest and totals stand", "blake3:", &old] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
    let rows = |(status, said): (u16, String)| {
        assert_eq!(status, 200, "{said}");
        serde_json::from_str::<Value>(&said).unwrap().as_array().unwrap().len()
    };
    assert_eq!(rows(of("de00", &old)), 20, "held");
    assert_eq!(rows(of("de01", &young)), 20, "not sealed");
    for path in ["/v1/calls/sbc/o1-3", "/v1/calls/sbc/o1-3/explain", &format!("/v1/periods/{old}/calls")] {
        assert_eq!(daemon.ask("GET", path, "").0, 410, "{path}");
    }
    assert_eq!(daemon.ask("GET", "/v1/calls/sbc/o0-3", "").0, 200);
    for (i, account) in ["de00", "de01", "de02"].into_iter().enumerate() {
        assert_eq!(json_of(&daemon, &format!("/v1/accounts/{account}/usage?period={old}")), usage[i]);
    }
    assert_eq!(daemon.ask("GET", &format!("/v1/periods/{old}/manifest"), ""), manifest);
    let month = verified(&daemon, &old);
    assert_eq!((&month["calls"], &month["deleted"]), (&json!(20), &json!(40)), "{month:#}");
    assert!(month["gone"].as_str().unwrap().contains("under the retention rule"), "{month:#}");

    // A repeat is one, a contradiction is one, a late call is an adjustment.
    let count = |name: &str| daemon.metric(&format!("callrated_records_{name}_total"), "");
    let (duplicates, conflicts) = (count("duplicate"), count("conflict"));
    let changed = third.replace("\"duration\":61", "\"duration\":99");
    let late = call("late", "de01", &german(1), "00442079460123", &old, 3000);
    daemon.send_http(&[&third, &changed, &late]);
    wait_for("the repeat", || (count("duplicate"), count("conflict")) == (duplicates + 1, conflicts + 1));
    assert_eq!(json_of(&daemon, "/v1/calls/sbc/late")["legs"][0]["adjusts"], *old);
    verified(&daemon, &old);

    // Released, the rest goes as well; a daemon that is killed and comes again says the same.
    let released = daemon.ask("DELETE", "/v1/accounts/de00/hold", r#"{"why":"settled"}"#);
    assert_eq!((released.0, released.1.contains("\"hold\":null")), (200, true), "{}", released.1);
    let dry: Value = serde_json::from_str(&daemon.ask("POST", "/v1/retention/run", "{}").1).unwrap();
    assert_eq!((&dry["applied"], &dry["periods"][0]["calls"]), (&json!(false), &json!(20)), "{dry:#}");
    let folder = daemon.kill();
    let (code, said, wrong) = Daemon::command(&folder, &["retention", "run", "--apply"]);
    assert_eq!(code, 0, "{said}{wrong}");
    assert!(said.contains(&format!("{old}: details of 20 calls goes")), "{said}");
    let (code, said, wrong) = Daemon::command(&folder, &["verify", "--period", &old]);
    assert_eq!(code, 0, "{said}{wrong}");
    assert_eq!(Daemon::command(&folder, &["verify"]).0, 0);
    let (_, said, _) = Daemon::command(&folder, &["retention"]);
    assert!(said.contains("nothing is due") && said.contains("details of 3 accounts are gone"), "{said}");
}

/// Whether bytes stand in any file of a folder: which file.
fn found(folder: &Path, bytes: &[u8]) -> Option<String> {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            if let Some(file) = found(&path, bytes) {
                return Some(file);
            }
        } else {
            // A segment takes its room beforehand: what was not written is zeros, and no secret ends in one.
            let content = std::fs::read(&path).unwrap();
            let written = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            if memchr::memmem::find(&content[..written], bytes).is_some() {
                return Some(path.display().to_string());
            }
        }
    }
    None
}

/// A whole number as SQLite stores it: 6 bytes below 2^47.
fn packed(number: &str) -> Vec<u8> {
    number.parse::<u64>().unwrap().to_be_bytes()[2..].to_vec()
}

#[test]
fn what_was_erased_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let [old, young] = months();
    let daemon = Daemon::start(folder.path());
    // Packed as hexadecimal, as a UUID, as a number; and as text.
    let ids = ["deadbeefcafe0123", "6f1c2b9e-8d47-4a35-9c1e-0b7a5d3f2e19", "918273645546", "zq-private/1@pbx"];
    let (source, forwarder) = ("+498976543218", "+498976543227");
    let destinations = ["447946012345", "447946054321", "447946098765", "447946013579"];
    let mut lines: Vec<String> = ids
        .iter()
        .zip(destinations)
        .enumerate()
        .map(|(i, (id, to))| {
            let mut one: Value = serde_json::from_str(&call(id, "de01", source, &format!("00{to}"), &old, i)).unwrap();
            one["forwarded_by"] = json!(forwarder);
            one.to_string()
        })
        .collect();
    lines.push(lines[0].replace("\"duration\":61", "\"duration\":75"));
    // One that cannot be priced, and is discarded; and what contradicts it.
    lines.push(call("zq-no-rate", "de01", source, "0033142685399", &old, 50));
    lines.push(call("zq-no-rate", "de01", source, "0033142685398", &old, 50));
    for i in 0..200 {
        lines.push(call(&format!("n{i}"), "de02", &german(2), "00442079460123", [&old, &young][i % 2], i));
    }
    daemon.send_http(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let waits = json_of(&daemon, "/v1/suspense");
    let key = waits["items"][0]["key"].as_str().unwrap_or_else(|| panic!("{waits:#}"));
    let erase = |apply: bool| {
        let asked = json!({ "why": "request of the customer", "apply": apply }).to_string();
        let (status, said) = daemon.ask("POST", "/v1/accounts/de01/erase", &asked);
        (status, serde_json::from_str::<Value>(&said).unwrap())
    };
    assert_eq!(erase(true).0, 409, "its month is open");
    let discard = json!({ "key": key, "why": "nobody pays for it" }).to_string();
    assert_eq!(daemon.ask("POST", "/v1/suspense/discard", &discard).0, 200);
    seal(&daemon, &old);
    let manifest = json_of(&daemon, &format!("/v1/periods/{old}/manifest"));
    let usage = json_of(&daemon, &format!("/v1/accounts/de01/usage?period={old}"));

    // Everything of it can be had before it goes.
    let data = daemon.ask("GET", "/v1/accounts/de01/data", "").1;
    let kinds: Vec<String> = data
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    let count = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
    assert_eq!((count("call"), count("conflict"), count("discarded"), count("directory")), (4, 2, 1, 1), "{data}");
    assert!(!data.contains("\"n1\""), "{data}");

    let mut secrets: Vec<Vec<u8>> = destinations.iter().map(|to| to.as_bytes().to_vec()).collect();
    secrets.extend(destinations.iter().map(|to| packed(to)));
    secrets.extend([source, forwarder].map(|number| number.as_bytes()[1..].to_vec()));
    secrets.push(packed(&source[1..]));
    secrets.extend(ids.iter().map(|id| id.as_bytes().to_vec()));
    secrets.extend([b"zq-no-rate".to_vec(), b"33142685399".to_vec(), b"33142685398".to_vec()]);
    secrets.push(vec![0xde, 0xad, 0xbe, 0xef, 0xca, 0xfe, 0x01, 0x23]);
    secrets.push(packed(ids[2]));
    secrets.push(vec![0x6f, 0x1c, 0x2b, 0x9e, 0x8d, 0x47, 0x4a, 0x35, 0x9c, 0x1e, 0x0b, 0x7a, 0x5d, 0x3f, 0x2e, 0x19]);
    let data_folder = folder.path().join("data");
    for secret in &secrets {
        assert!(found(&data_folder, secret).is_some(), "{secret:02x?} is looked for wrongly");
    }

    assert_eq!(daemon.ask("PUT", "/v1/accounts/de01/hold", r#"{"why":"dispute"}"#).0, 200);
    assert_eq!(erase(true).0, 409, "it is held");
    assert_eq!(daemon.ask("DELETE", "/v1/accounts/de01/hold", r#"{"why":"settled"}"#).0, 200);
    let (status, dry) = erase(false);
    assert_eq!((status, &dry["calls"][&old], &dry["discarded"]), (200, &json!(4), &json!(1)), "{dry:#}");
    let (status, done) = erase(true);
    assert_eq!((status, &done["order"]["state"]), (200, &json!("done")), "{done:#}");
    for secret in &secrets {
        assert_eq!(found(&data_folder, secret), None, "{:?} {secret:02x?}", String::from_utf8_lossy(secret));
    }

    // The manifest stays but for the name and number of its contradiction, which no digest covers.
    let mut unnamed = manifest;
    unnamed["conflicts"][0]["id"] = json!("erased");
    unnamed["conflicts"][0]["destination"] = json!("erased");
    assert_eq!(json_of(&daemon, &format!("/v1/periods/{old}/manifest")), unnamed);
    assert_eq!(json_of(&daemon, &format!("/v1/accounts/de01/usage?period={old}")), usage);
    assert_eq!(daemon.ask("GET", &format!("/v1/accounts/de01/calls?period={old}"), "").0, 410);
    let month = verified(&daemon, &old);
    assert_eq!((&month["calls"], &month["deleted"]), (&json!(100), &json!(4)), "{month:#}");
    // A repeat of what was erased is still a repeat, and so it stays over a restart.
    let duplicates = || daemon.metric("callrated_records_duplicate_total", "");
    let before = duplicates();
    daemon.send_http(&[&lines[1]]);
    wait_for("the repeat", || duplicates() == before + 1);
    let folder = daemon.kill();
    let daemon = Daemon::start(&folder);
    let month = verified(&daemon, &old);
    assert_eq!(month["deleted"], 4, "{month:#}");
    assert_eq!(json_of(&daemon, "/v1/retention")["orders"][0]["what"], "hold");
}

/// A seal that cannot be made now keeps what is to be erased; whoever asks is told which, and it goes on by itself.
#[test]
fn an_order_says_which_seal_it_waits_for_and_goes_on_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let [old, young] = months();
    let daemon = Daemon::start(folder.path());
    daemon.send_http(&[&call("a", "de01", &german(1), "00442079460123", &old, 1)]);
    daemon.send_http(&[&call("b", "de02", &german(2), "00442079460123", &young, 1)]);
    seal(&daemon, &old);
    // Something stands where the seal puts aside what it sorts.
    let sealing = folder.path().join("data/sealing");
    std::fs::remove_dir_all(&sealing).unwrap();
    std::fs::write(&sealing, "").unwrap();
    let failed = || daemon.metric("callrated_seal_failures_total", "");
    let before = failed();
    let (status, said) = daemon.ask("POST", &format!("/v1/periods/{young}/seal"), r#"{"early":true}"#);
    assert_ne!(status, 200, "{said}");
    wait_for("the seal that fails", || failed() > before);
    let erase = json!({ "why": "request of the customer", "apply": true }).to_string();
    let (status, said) = daemon.ask("POST", "/v1/accounts/de01/erase", &erase);
    let order = serde_json::from_str::<Value>(&said).unwrap()["order"].clone();
    let waits = format!("the seal of {young}");
    assert_eq!((status, &order["state"], &order["waits_for"]), (202, &json!("waiting"), &json!(waits)), "{said}");
    let shown = |daemon: &Daemon| json_of(daemon, "/v1/retention")["orders"][0].clone();
    assert_eq!((&shown(&daemon)["state"], &shown(&daemon)["waits_for"]), (&json!("waiting"), &json!(waits)));
    let (code, said, wrong) = Daemon::command(folder.path(), &["retention"]);
    assert_eq!(code, 0, "{wrong}");
    assert!(said.contains(&format!("erase de01: waiting for {waits} to end")), "{said}");
    assert_eq!(daemon.ask("GET", "/v1/calls/sbc/a", "").0, 200, "nothing of it is gone");

    // Over a kill it waits on; once the seal can be made, both are done without anybody's asking.
    let folder_of = daemon.kill();
    let daemon = Daemon::start(&folder_of);
    assert_eq!(shown(&daemon)["waits_for"], json!(waits));
    let folder_of = daemon.kill();
    std::fs::remove_file(&sealing).unwrap();
    let daemon = Daemon::start(&folder_of);
    wait_for("the seal", || json_of(&daemon, &format!("/v1/periods/{young}"))["state"] == "sealed");
    let folder_of = daemon.kill();
    let daemon = Daemon::start(&folder_of);
    wait_for("the erasure", || shown(&daemon)["state"] == "done");
    assert_eq!(shown(&daemon)["waits_for"], Value::Null);
    assert_eq!(daemon.ask("GET", "/v1/calls/sbc/a", "").0, 410);
    assert_eq!(daemon.ask("GET", "/v1/calls/sbc/b", "").0, 200);
}

/// Names of the directories' images.
fn directories(folder: &Path) -> std::collections::BTreeSet<String> {
    let names = std::fs::read_dir(folder.join("data/images")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".directory")).collect()
}

#[test]
fn directories_that_nothing_needs_go_and_what_is_kept_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let [_, month] = months();
    let daemon = Daemon::start(folder.path());
    let changed = |daemon: &Daemon, billing_start: &str| {
        let plan = json!({ "plan": "de", "country": "DE", "billing_start": billing_start, "timezone": "UTC" });
        let (status, said) = daemon.ask("PUT", "/v1/accounts/acme?by=nora", &plan.to_string());
        assert!(status == 200 || status == 201, "{said}");
    };
    // Resolved by the first directory and by the third; the others see no call.
    daemon.send_http(&[&call("a", "de01", &german(1), "00442079460123", &month, 1)]);
    changed(&daemon, "2024-01-01");
    changed(&daemon, "2024-01-02");
    daemon.send_http(&[&call("b", "de01", &german(1), "00442079460123", &month, 2)]);
    changed(&daemon, "2024-01-03");
    changed(&daemon, "2024-01-04");
    assert_eq!(daemon.terminate().0.code(), Some(0));
    let all = directories(folder.path());
    crate::store_of(folder.path()).execute("UPDATE directories SET activated_at = 1", ()).unwrap();

    // As long as the journal has what names them, nothing goes.
    let rule = format!("{EACH_SECOND}[retention]\nimages = \"1 month\"\n");
    let daemon = Daemon::start_with(folder.path(), &rule);
    assert_eq!(json_of(&daemon, "/v1/retention")["due"]["images"], 0);
    let asked = json!({ "why": "the journal is to go", "apply": true }).to_string();
    let (status, said) = daemon.ask("POST", "/v1/accounts/de03/erase", &asked);
    assert_eq!(status, 200, "{said}");
    let due = json_of(&daemon, "/v1/retention")["due"].clone();
    let images = due["images"].as_u64().unwrap();
    assert!(images >= 2 && due["image_bytes"].as_u64().unwrap() > 0, "{due:#}");
    assert_eq!(directories(folder.path()), all, "a dry run deletes nothing");
    let folder_of = daemon.kill();
    let daemon = Daemon::start(&folder_of);
    assert_eq!(json_of(&daemon, "/v1/retention")["due"]["images"], 0, "no rule, nothing goes");
    assert_eq!(daemon.terminate().0.code(), Some(0));
    let (code, said, wrong) = Daemon::command(&folder_of, &["retention"]);
    assert_eq!((code, said.contains("directories that nothing needs: kept for ever")), (0, true), "{said}{wrong}");
    let config = folder_of.join("callrated.toml");
    let text = std::fs::read_to_string(&config).unwrap() + "[retention]\nimages = \"1 month\"\n";
    std::fs::write(&config, text).unwrap();
    let (code, said, wrong) = Daemon::command(&folder_of, &["retention", "run"]);
    assert!(code == 0 && said.contains(&format!("{images} images of directories replaced before")), "{said}{wrong}");
    assert_eq!(directories(&folder_of), all);
    // What goes is seen on a copy.
    let copy = tempfile::tempdir().unwrap();
    crate::copy_folder(&folder_of, copy.path());
    let (code, said, wrong) = Daemon::command(copy.path(), &["retention", "run", "--apply"]);
    assert_eq!(code, 0, "{said}{wrong}");
    let goes = &all - &directories(copy.path());
    assert_eq!(goes.len() as u64, images);
    // One that consists of others cannot go: the order is not done, and the next start ends it.
    let path = |name: &String| folder_of.join("data/images").join(name);
    let consists = |name: &&String| std::fs::read(path(name)).unwrap().starts_with(b"cRdirL");
    let stuck = path(goes.iter().rfind(consists).unwrap());
    let image = std::fs::read(&stuck).unwrap();
    std::fs::remove_file(&stuck).unwrap();
    std::fs::create_dir(&stuck).unwrap();
    let order = |daemon: &Daemon| {
        let shown = json_of(daemon, "/v1/retention");
        let orders = shown["orders"].as_array().unwrap();
        orders.iter().rev().find(|order| order["what"] == "delete").map(|order| order["state"].clone())
    };
    let daemon = Daemon::start_with(&folder_of, &rule);
    wait_for("some of them", || directories(&folder_of).len() < all.len());
    wait_for("the order", || order(&daemon) == Some(json!("deleting")));
    drop(daemon.kill());
    std::fs::remove_dir(&stuck).unwrap();
    std::fs::write(&stuck, image).unwrap();
    let daemon = Daemon::start_with(&folder_of, &rule);
    wait_for("the end of the order", || order(&daemon) == Some(json!("done")));
    assert_eq!(daemon.terminate().0.code(), Some(0));
    let left = directories(&folder_of);
    assert_eq!((all.len() - left.len()) as u64, images, "{left:?}");
    assert!(left.is_subset(&all));
    let (_, said, _) = Daemon::command(&folder_of, &["retention"]);
    assert!(said.contains("nothing is due"), "{said}");

    // What is kept is proved, balances, and goes on.
    let daemon = Daemon::start(&folder_of);
    for id in ["a", "b"] {
        let proof = json_of(&daemon, &format!("/v1/calls/sbc/{id}/explain"));
        assert_eq!(proof["legs"][0]["proved"], true, "{proof:#}");
    }
    verified(&daemon, &month);
    changed(&daemon, "2024-01-05");
    daemon.send_http(&[&call("c", "de01", &german(1), "00442079460123", &month, 3)]);
    seal(&daemon, &month);
    verified(&daemon, &month);
}
