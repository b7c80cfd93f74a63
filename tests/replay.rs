//! What was rated stays rated by what was in force: tariffs and directories change on the road, by every way in which they
//! can, nothing is stored meanwhile, the process is killed, and the replay gives every call the price it had.

mod daemon;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use daemon::{Daemon, Place, SHARED, deck, from_now, record, wait_for};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Nothing is stored by itself.
const NEVER: &str = "[flush]\nevery = \"1d\"\ncalls = 1000000000";
const A: &str = "+4930231251";

/// What each call must be when everything is over: its account, its cost, its tariff.
#[derive(Default)]
struct Expected(BTreeMap<String, (&'static str, Decimal, String)>);

impl Expected {
    /// Sends calls of one minute and more, answered at an instant, which must be rated at `rate` by `tariff`.
    fn call(&mut self, daemon: &Daemon, source: &str, account: &'static str, answer: &str, rate: &str, tariff: &str) {
        let mut lines = Vec::new();
        for minutes in 1..=7 {
            let id = format!("c{}", self.0.len());
            lines.push(record(&id, source, answer, minutes));
            let cost = rate.parse::<Decimal>().unwrap() * Decimal::from(minutes);
            self.0.insert(id, (account, cost, tariff.to_owned()));
        }
        daemon.records(&lines);
    }

    fn costs(&self, account: &str) -> Decimal {
        self.0.values().filter(|call| call.0 == account).map(|call| call.1).sum()
    }

    /// Live totals, which read nothing from the store.
    #[track_caller]
    fn live(&self, daemon: &Daemon, periods: &[String]) {
        for account in ["a", "b"] {
            assert_eq!(live(daemon, account, periods), self.costs(account), "{account}");
        }
    }

    /// Every stored call, one by one.
    #[track_caller]
    fn stored(&self, daemon: &Daemon, periods: &[String]) {
        let mut found = BTreeMap::new();
        for account in ["a", "b"] {
            for period in periods {
                let calls = daemon.get(&format!("/v1/accounts/{account}/calls?period={period}"));
                for call in calls.as_array().unwrap() {
                    let text = |name: &str| call[name].as_str().unwrap_or_else(|| panic!("{name}: {call}")).to_owned();
                    let before = found.insert(text("id"), (account, decimal(&call["cost"]), text("tariff")));
                    assert_eq!(before, None, "{call}");
                }
            }
        }
        assert_eq!(found, self.0);
    }
}

fn decimal(amount: &Value) -> Decimal {
    amount.as_str().unwrap_or_else(|| panic!("{amount} is no text")).parse().unwrap()
}

fn live(daemon: &Daemon, account: &str, periods: &[String]) -> Decimal {
    periods
        .iter()
        .map(|period| decimal(&daemon.get(&format!("/v1/accounts/{account}/usage?period={period}"))["cost"]))
        .sum()
}

/// Digests in force, asked without anything being stored.
fn in_force(daemon: &Daemon) -> (String, String) {
    let status = daemon.get("/v1/status");
    (status["tariff"].as_str().unwrap().to_owned(), status["directory"].as_str().unwrap().to_owned())
}

/// The months that yesterday, today and tomorrow may touch.
fn periods() -> Vec<String> {
    let mut periods: Vec<String> = [-86_400, 0, 86_400].iter().map(|s| from_now(*s)[..7].to_owned()).collect();
    periods.dedup();
    periods
}

#[test]
fn a_replay_after_reloads_rates_as_before() {
    let place = Place::new("0.01");
    // A deck that lies elsewhere: its changes are not seen by themselves, so that a signal can be told from a change.
    place.write("elsewhere/world.csv", &deck("0.01"));
    fs::remove_file(place.path("rates/decks/world.csv")).unwrap();
    symlink(place.path("elsewhere/world.csv"), place.path("rates/decks/world.csv")).unwrap();
    let (yesterday, periods) = (from_now(-86_400), periods());
    let daemon = place.start(NEVER, &[]);
    let mut expected = Expected::default();
    let first = in_force(&daemon);
    expected.call(&daemon, A, "a", &from_now(0), "0.01", &first.0);
    expected.call(&daemon, SHARED, "a", &yesterday, "0.01", &first.0);

    // By a change of the folder: another deck in place of the link, and a number in other hands.
    place.write("rates/decks/other.csv", &deck("0.02"));
    place.accounts("b");
    fs::rename(place.path("rates/decks/other.csv"), place.path("rates/decks/world.csv")).unwrap();
    wait_for("the change to be seen", || {
        let now = in_force(&daemon);
        now.0 != first.0 && now.1 != first.1
    });
    let second = in_force(&daemon);
    expected.call(&daemon, A, "a", &from_now(0), "0.02", &second.0);
    // A tariff holds for calls answered since; a directory for whatever comes.
    expected.call(&daemon, SHARED, "b", &yesterday, "0.01", &first.0);

    // By a signal: the link again, and what it leads to.
    place.write("elsewhere/world.csv", &deck("0.03"));
    fs::remove_file(place.path("rates/decks/world.csv")).unwrap();
    symlink(place.path("elsewhere/world.csv"), place.path("rates/decks/world.csv")).unwrap();
    wait_for("the link to be seen", || in_force(&daemon).0 != second.0);
    let third = in_force(&daemon);
    expected.call(&daemon, A, "a", &from_now(0), "0.03", &third.0);
    place.write("elsewhere/world.csv", &deck("0.04"));
    daemon.signal("-HUP");
    wait_for("the signal to be followed", || in_force(&daemon).0 != third.0);
    let fourth = in_force(&daemon);
    assert_eq!(fourth.1, second.1);
    expected.call(&daemon, SHARED, "b", &from_now(0), "0.04", &fourth.0);

    // By the API: back to before yesterday's calls, and half an hour ahead.
    place.write("elsewhere/world.csv", &deck("0.05"));
    let done = daemon.post("/v1/tariff/reload", &json!({ "effective_from": from_now(-90_000) }).to_string());
    assert_eq!((&done["tariff_changed"], &done["directory_changed"]), (&json!(true), &json!(false)));
    let fifth = done["tariff"].as_str().unwrap();
    expected.call(&daemon, A, "a", &yesterday, "0.05", fifth);
    expected.call(&daemon, A, "a", &from_now(0), "0.05", fifth);
    place.write("elsewhere/world.csv", &deck("0.06"));
    let done = daemon.post("/v1/tariff/reload", &json!({ "effective_from": from_now(1800) }).to_string());
    let sixth = done["tariff"].as_str().unwrap();
    expected.call(&daemon, A, "a", &from_now(0), "0.05", fifth);
    expected.call(&daemon, A, "a", &from_now(2700), "0.06", sixth);
    // And the very first again: the same content is the same image, in force anew.
    place.write("elsewhere/world.csv", &deck("0.01"));
    let done = daemon.post("/v1/tariff/reload", "{}");
    assert_eq!(done["tariff"], first.0);
    // What was to come in half an hour does not any more.
    assert_eq!(
        (&done["overtaken"][0]["tariff"], &done["overtaken"][0]["by"]),
        (&json!(sixth), &json!(first.0)),
        "{done}"
    );
    expected.call(&daemon, A, "a", &from_now(0), "0.01", &first.0);
    expected.live(&daemon, &periods);
    daemon.kill();

    // Nothing of it was stored: all that follows is the replay's work.
    let store = rusqlite::Connection::open(place.path("data/callrated.db")).unwrap();
    let position: i64 = store.query_row("SELECT count(*) FROM calls", (), |row| row.get(0)).unwrap();
    assert_eq!(position, 0);
    drop(store);

    // Yet another folder, which must have no say in what was before.
    place.write("elsewhere/world.csv", &deck("9.99"));
    place.accounts("a");
    let daemon = place.start(NEVER, &[]);
    expected.live(&daemon, &periods);
    let seventh = in_force(&daemon);
    expected.call(&daemon, SHARED, "a", &from_now(0), "9.99", &seventh.0);
    expected.live(&daemon, &periods);
    daemon.kill();

    // Once more from the journal, and then from the store.
    let daemon = place.start(NEVER, &[]);
    expected.live(&daemon, &periods);
    expected.stored(&daemon, &periods);
    let by: Vec<Value> =
        daemon.get("/v1/tariff")["tariffs"].as_array().unwrap().iter().map(|t| t["by"].clone()).collect();
    assert_eq!(by, ["start", "file change", "file change", "sighup", "api", "api", "api", "start"]);
    assert_eq!(daemon.get("/v1/verify")["balanced"], true);
    daemon.kill();
    let daemon = place.start(NEVER, &[]);
    expected.live(&daemon, &periods);
    expected.stored(&daemon, &periods);
}

#[test]
fn changes_over_the_api_outlive_a_kill_and_what_the_folder_says() {
    let (place, periods) = (Place::new("0.01"), periods());
    let daemon = place.start(NEVER, &[]);
    let mut expected = Expected::default();
    let first = in_force(&daemon);
    let put = |daemon: &Daemon, path: &str, body: Value| -> Value {
        let (status, answer) = daemon.ask("PUT", path, &body.to_string()).unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        serde_json::from_str(&answer).unwrap()
    };
    let own = "+4930231777";
    expected.call(&daemon, SHARED, "a", &from_now(0), "0.01", &first.0);
    let mut directories = vec![first.1.clone()];
    for (account, from) in [("a", -7200), ("b", -3600), ("a", -1800)] {
        let done =
            put(&daemon, &format!("/v1/numbers/{own}"), json!({ "account": account, "valid_from": from_now(from) }));
        directories.push(done["directory"].as_str().unwrap().to_owned());
    }
    expected.call(&daemon, own, "a", &from_now(-5400), "0.01", &first.0);
    expected.call(&daemon, own, "b", &from_now(-2400), "0.01", &first.0);
    expected.call(&daemon, own, "a", &from_now(-600), "0.01", &first.0);
    put(&daemon, &format!("/v1/numbers/{SHARED}?take_over=true"), json!({ "account": "b", "valid_from": null }));
    expected.call(&daemon, SHARED, "b", &from_now(0), "0.01", &first.0);
    // More changes than a byte counts, one behind the other: each is a directory of its own.
    for i in 0..300 {
        put(&daemon, &format!("/v1/numbers/+49302318{i:03}"), json!({ "account": "ab"[i % 2..=i % 2] }));
    }
    expected.call(&daemon, "+49302318299", "b", &from_now(0), "0.01", &first.0);
    let last = in_force(&daemon);
    expected.live(&daemon, &periods);
    daemon.kill();

    // Nothing was stored. The folder says another owner meanwhile, which is passed over.
    place.accounts("a");
    let daemon = place.start(NEVER, &[]);
    assert_eq!(in_force(&daemon), last);
    expected.live(&daemon, &periods);
    expected.call(&daemon, SHARED, "b", &from_now(0), "0.01", &first.0);
    expected.stored(&daemon, &periods);
    let history = daemon.get(&format!("/v1/numbers/{own}/history"));
    let told: Vec<&str> =
        history["changes"].as_array().unwrap().iter().map(|c| c["directory"].as_str().unwrap()).collect();
    assert_eq!(told, directories[1..]);
    let images = fs::read_dir(place.path("data/images")).unwrap().map(|e| e.unwrap().metadata().unwrap().len());
    let (count, bytes) = images.fold((0_u64, 0), |sum, length| (sum.0 + 1, sum.1 + length));
    assert!(bytes < 12 << 20, "{count} images of {bytes} bytes");
    daemon.kill();

    // From the store, with what was killed before it was stored; a call's proof names the directory of its time.
    let daemon = place.start(NEVER, &[]);
    assert_eq!(in_force(&daemon), last);
    expected.live(&daemon, &periods);
    expected.stored(&daemon, &periods);
    assert_eq!(daemon.get("/v1/verify")["balanced"], true);
    for i in [0, expected.0.len() - 1] {
        let (status, proof) = daemon.ask("GET", &format!("/v1/calls/sbc/c{i}/explain"), "").unwrap();
        assert_eq!(status, 200, "{proof}");
    }
}

#[test]
fn a_roll_back_outlives_a_kill_and_a_signal() {
    let (place, periods) = (Place::new("0.01"), periods());
    let daemon = place.start(NEVER, &[]);
    let mut expected = Expected::default();
    let first = in_force(&daemon);
    place.deck("0.09");
    wait_for("the change to be seen", || in_force(&daemon).0 != first.0);
    let mistake = in_force(&daemon);
    expected.call(&daemon, A, "a", &from_now(0), "0.09", &mistake.0);
    let done = daemon.post("/v1/tariff/activate", &json!({ "tariff": first.0, "by": "desk" }).to_string());
    assert_eq!((&done["tariff"], &done["before"]), (&json!(first.0), &json!(mistake.0)));
    expected.call(&daemon, A, "a", &from_now(0), "0.01", &first.0);

    // The signal is followed: it takes in the accounts, and leaves the prices.
    place.accounts("b");
    daemon.signal("-HUP");
    wait_for("the accounts to be seen", || in_force(&daemon).1 != first.1);
    assert_eq!(in_force(&daemon).0, first.0);
    expected.call(&daemon, SHARED, "b", &from_now(0), "0.01", &first.0);
    expected.live(&daemon, &periods);
    daemon.kill();

    // The activation is in the journal alone; the start looks at the same folder, and says what it leaves.
    let daemon = place.start(NEVER, &[]);
    assert_eq!(in_force(&daemon).0, first.0);
    assert!(daemon.log().contains("was rolled back from"), "{}", daemon.log());
    expected.live(&daemon, &periods);
    let by = |daemon: &Daemon| -> Vec<Value> {
        daemon.get("/v1/tariff")["tariffs"].as_array().unwrap().iter().map(|t| t["by"].clone()).collect()
    };
    assert_eq!(by(&daemon), ["start", "file change", "activate, desk"]);
    daemon.kill();

    // The same from the store; then it is asked for.
    let daemon = place.start(NEVER, &[]);
    assert_eq!(in_force(&daemon).0, first.0);
    let done = daemon.post("/v1/tariff/reload", "{}");
    assert_eq!((&done["tariff"], &done["tariff_changed"]), (&json!(mistake.0), &json!(true)));
    expected.call(&daemon, A, "a", &from_now(0), "0.09", &mistake.0);
    expected.live(&daemon, &periods);
    expected.stored(&daemon, &periods);
    assert_eq!(daemon.get("/v1/verify")["balanced"], true);
}

#[test]
fn a_broken_folder_keeps_the_last_good_images_and_every_row_is_named() {
    let place = Place::new("0.01");
    let periods = periods();
    let daemon = place.start(NEVER, &[]);
    let mut expected = Expected::default();
    let good = in_force(&daemon);
    expected.call(&daemon, A, "a", &from_now(0), "0.01", &good.0);
    place.write(
        "rates/decks/world.csv",
        "prefix,destination,rate\n44,United Kingdom,0.5\n4x,nowhere,0.1\n33,France,cheap\n49,Germany,0.1\n1,,-1\n",
    );
    let (status, body) = daemon.ask("POST", "/v1/tariff/reload", "{}").unwrap();
    assert_eq!(status, 422, "{body}");
    let problem: Value = serde_json::from_str(&body).unwrap();
    let errors: Vec<&str> = problem["errors"].as_array().unwrap().iter().map(|e| e.as_str().unwrap()).collect();
    for line in [3, 4, 6] {
        let place = format!("decks/world.csv:{line}:");
        assert_eq!(errors.iter().filter(|e| e.contains(&place)).count(), 1, "{line}: {errors:#?}");
    }
    assert_eq!(errors.len(), 3, "{errors:#?}");
    assert!(problem["detail"].as_str().unwrap().contains("what is in force stays"), "{problem}");
    // The folder's watch and a signal find the same and say it in the log.
    daemon.signal("-HUP");
    wait_for("the log", || {
        let log = daemon.log();
        [3, 4, 6].iter().all(|line| log.contains(&format!("decks/world.csv:{line}:"))) && log.contains("(sighup)")
    });
    assert_eq!(in_force(&daemon), good);
    expected.call(&daemon, A, "a", &from_now(0), "0.01", &good.0);
    daemon.kill();

    // A start finds the folder broken too, and goes on with what it has.
    let daemon = place.start(NEVER, &[]);
    wait_for("the log of the start", || daemon.log().contains("the last good images stay in force"));
    assert_eq!(in_force(&daemon), good);
    expected.call(&daemon, A, "a", &from_now(0), "0.01", &good.0);
    expected.live(&daemon, &periods);
    expected.stored(&daemon, &periods);
    place.deck("0.02");
    wait_for("the mended deck", || in_force(&daemon).0 != good.0);
}

/// Records keep coming while the folder is put in force again and again: none is lost, each is rated once, by one of the
/// tariffs that were in force, and the calls add up to the totals.
#[test]
fn a_reload_under_load_loses_nothing() {
    const RELOADS: usize = 20;
    let place = Place::new("0.01");
    let periods = periods();
    let daemon = place.start("[flush]\nevery = \"100ms\"", &[]);
    let done = AtomicBool::new(false);
    let (answer, mut rates) =
        (from_now(-60), BTreeMap::from([(in_force(&daemon).0, "0.01".parse::<Decimal>().unwrap())]));
    let sent = std::thread::scope(|scope| {
        let (daemon, done) = (&daemon, &done);
        let senders: Vec<_> = (0..3)
            .map(|sender| {
                let answer = answer.clone();
                scope.spawn(move || {
                    let mut sent = 0;
                    while !done.load(Ordering::Relaxed) {
                        let call = |i| record(&format!("{sender}-{i}"), [A, SHARED][i % 2], &answer, 1 + i as u64 % 3);
                        daemon.records(&(sent..sent + 50).map(call).collect::<Vec<_>>());
                        sent += 50;
                    }
                    sent
                })
            })
            .collect();
        for i in 0..RELOADS {
            let rate = format!("0.{:02}", 2 + i % 5);
            place.deck(&rate);
            place.accounts(["a", "b"][i % 2]);
            let loaded =
                daemon.post("/v1/tariff/reload", &json!({ "effective_from": "2020-01-01T00:00:00Z" }).to_string());
            rates.insert(loaded["tariff"].as_str().unwrap().to_owned(), rate.parse().unwrap());
        }
        done.store(true, Ordering::Relaxed);
        senders.into_iter().map(|sender| sender.join().unwrap()).sum::<usize>()
    });
    let (mut calls, mut used) = (0, BTreeMap::new());
    for account in ["a", "b"] {
        let mut sum = Decimal::ZERO;
        for period in &periods {
            for call in daemon.get(&format!("/v1/accounts/{account}/calls?period={period}")).as_array().unwrap() {
                let minutes = Decimal::from(call["billable_seconds"].as_u64().unwrap() / 60);
                let cost = decimal(&call["cost"]);
                assert_eq!(cost, rates[call["tariff"].as_str().unwrap()] * minutes, "{call}");
                *used.entry(call["tariff"].as_str().unwrap().to_owned()).or_insert(0) += 1;
                sum += cost;
                calls += 1;
            }
        }
        assert_eq!(live(&daemon, account, &periods), sum, "{account}");
    }
    assert_eq!(calls, sent);
    assert!(used.len() > 1, "{used:?}");
    assert_eq!(daemon.metric("callrated_suspense_open", ""), 0);
    assert_eq!(daemon.metric("callrated_books_unbalanced", ""), 0);
    assert_eq!(daemon.get("/v1/verify")["balanced"], true);
}

/// `journal.max_delay` is a bound and not a pause: however large, a lone record and a crowd are answered at once; however
/// small, nothing is refused for it, but every sync that takes longer is counted.
#[test]
fn the_longest_delay_of_a_sync_is_a_bound() {
    for (delay, late) in [("1d", false), ("1us", true)] {
        let place = Place::new("0.01");
        let daemon = place.start(&format!("[journal]\nmax_delay = \"{delay}\"\n{NEVER}"), &[]);
        let answer = from_now(0);
        daemon.records(&[record("lone", A, &answer, 1)]);
        std::thread::scope(|scope| {
            for sender in 0..8 {
                let (daemon, answer) = (&daemon, &answer);
                scope.spawn(move || {
                    (0..5).for_each(|i| daemon.records(&[record(&format!("{sender}-{i}"), A, answer, 1)]));
                });
            }
        });
        wait_for("all records", || daemon.metric("callrated_records_resolved_total", "") == 41);
        assert_eq!(daemon.metric("callrated_journal_late_syncs_total", "") > 0, late, "{delay}");
    }
}

/// R2: a record whose duration and end contradict each other is rated by its duration, and counted.
#[test]
fn durations_that_differ_are_counted() {
    let place = Place::new("0.01");
    let daemon = place.start(NEVER, &[]);
    let answer: jiff::Timestamp = from_now(-3600).parse().unwrap();
    let after = |millis: i64| (answer + jiff::SignedDuration::from_millis(millis)).to_string();
    let lines: Vec<String> = [Some(60_000), Some(62_000), Some(62_001), Some(57_999), None]
        .into_iter()
        .enumerate()
        .map(|(i, end)| {
            let line = record(&format!("d{i}"), A, &answer.to_string(), 1);
            match end {
                Some(millis) => line.replace("\"duration\"", &format!("\"end\":\"{}\",\"duration\"", after(millis))),
                None => line,
            }
        })
        .collect();
    daemon.records(&lines);
    assert_eq!(live(&daemon, "a", &[answer.to_string()[..7].to_owned()]), "0.05".parse().unwrap());
    assert_eq!(daemon.metric("callrated_durations_differ_total", ""), 2);
}
