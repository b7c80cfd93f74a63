//! Books and `verify`: what every listener brought balances across restarts, and whatever is changed in the store or the
//! journal is named.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::process::daemon::{Daemon, Dialogue, EACH_SECOND};
use crate::process::model::{Model, compare};
use crate::process::rates_folder;
use crate::process::traffic::{Random, calls, day};
use crate::{copy_folder, store_of};

/// Calls over three doors with refusals among them, a repeat and a contradiction, and a restart between.
fn fill(folder: &Path) -> Model {
    rates_folder(folder);
    let (mut random, day, mut model, mut ports) = (Random(5), day(), Model::default(), None);
    for round in 0..2 {
        // The same listeners again: their counts go on.
        let daemon = match ports {
            None => Daemon::start(folder),
            Some(ports) => Daemon::start_at(folder, EACH_SECOND, ports),
        };
        ports = Some([daemon.tcp, daemon.udp, daemon.http]);
        let http = calls(10 * round, 200, &day, &mut random, &mut model);
        let tcp = calls(10 * round + 1, 100, &day, &mut random, &mut model);
        let udp = calls(10 * round + 2, 40, &day, &mut random, &mut model);
        let lines = |calls: &[String]| calls.iter().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
        let (http, udp) = (lines(&http), lines(&udp));
        let mut posted: Vec<&str> = http.iter().map(String::as_str).collect();
        let other = http[0].replace("\"duration\":", "\"duration\":1");
        posted.extend([http[0].as_str(), &other]);
        daemon.send_http(&posted);
        daemon.send_udp(&udp.iter().map(String::as_str).collect::<Vec<_>>());
        let mut dialogue = Dialogue::open(daemon.tcp);
        std::io::Write::write_all(&mut dialogue.stream, (tcp.concat() + "not a record\nnor this\n").as_bytes())
            .unwrap();
        drop(dialogue);
        crate::process::daemon::wait_for("the refusals", || {
            daemon.metric("callrated_records_refused_total", "tcp") == 2
        });
        compare(&daemon, &model, &day[..7]);
        assert_eq!(daemon.terminate().0.code(), Some(0));
    }
    model
}

fn books(store: &Connection) -> BTreeMap<String, i128> {
    let mut statement = store.prepare("SELECT name, value FROM books").unwrap();
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get::<_, String>(1)?.parse().unwrap()))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Runs `verify` on a copy of the folder after something was done to it.
fn verify_after(folder: &Path, tamper: &dyn Fn(&Path)) -> (i32, Value, String) {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder, copy.path());
    tamper(copy.path());
    let (code, said, wrong) = Daemon::command(copy.path(), &["verify", "--json"]);
    (code, serde_json::from_str(&said).unwrap_or(Value::Null), wrong)
}

/// Adds one to a number of the latest lines of a table.
fn raise_a_column(store: &rusqlite::Connection, table: &str, column: usize) {
    let lowest = format!("$.lowest[{column}]");
    let sql = format!(
        "UPDATE {table} SET shape = json_set(shape, ?1, json_extract(shape, ?1) + 1) WHERE row = (SELECT max(row) FROM {table})"
    );
    assert_eq!(store.execute(&sql, [lowest]).unwrap(), 1);
}

/// Adds one to the costs of the latest lines of totals.
fn raise_a_total(folder: &Path) {
    let store = store_of(folder);
    // period, account, group, type, currency, calls, talk, billable, nanos
    raise_a_column(&store, "usage_recent", 8);
}

#[test]
fn whatever_is_changed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());

    // Each listener's counts came across the restart; 2 refusals in each round.
    let books = books(&store_of(folder.path()));
    let of = |door: &str, what: &str| -> i128 {
        let names =
            books.iter().filter(|(name, _)| name.starts_with(&format!("listener/{door}")) && name.ends_with(what));
        assert!(names.clone().count() <= 1, "{door}{what}: {books:?}");
        names.map(|(_, count)| count).sum()
    };
    for (door, received, refused) in [("tcp", 204, 4), ("udp", 80, 0), ("http", 404, 0)] {
        let found = (of(door, "/received"), of(door, "/refused"), of(door, "/durable"));
        assert_eq!(found, (received, refused, received - refused), "{door}: {books:?}");
    }
    assert_eq!((books["records/duplicate"], books["records/conflict"]), (2, 2));
    let month = &day()[..7];
    assert_eq!((books[&format!("period/{month}/legs")], books[&format!("period/{month}/rated")]), (680, 680));

    let (code, untouched, _) = verify_after(folder.path(), &|_| {});
    assert_eq!((code, &untouched["balanced"], &untouched["calls"]), (0, &Value::Bool(true), &Value::from(680)));
    assert_eq!((&untouched["journal"]["from"], &untouched["journal"]["calls"]), (&Value::from(0), &Value::from(680)));

    let sql = |text: &'static str| {
        move |folder: &Path| {
            let changed = store_of(folder).execute(text, ()).unwrap();
            assert_eq!(changed, 1, "{text}");
        }
    };
    // What is done, and what the first difference says: account, field, and a part of what is expected and found.
    type Row<'a> = (&'a str, &'a dyn Fn(&Path), &'a str, &'a str, [&'a str; 2]);
    let rows: [Row<'_>; 9] = [
        ("a total", &raise_a_total, "", "totals of account de", ["cost 0", "cost 0"]),
        (
            "one call's cost",
            &sql("UPDATE calls SET cost = cost + 1 WHERE row = (SELECT min(row) FROM calls WHERE cost > 0)"),
            "de",
            "cost",
            [".", "."],
        ),
        (
            "one call's account",
            &sql("UPDATE calls SET account = account + 1 WHERE row = 3"),
            "de00",
            "account",
            ["de00", "de"],
        ),
        (
            "one call's dialled number",
            &sql("UPDATE calls SET destination_dialled = '0151 1' WHERE row = 7"),
            "de00",
            "destination as dialled",
            ["0151 23456789", "0151 1"],
        ),
        (
            "one call removed",
            &sql("DELETE FROM calls WHERE row = 50"),
            "de00",
            "the call itself",
            ["EUR", "no such call"],
        ),
        (
            "one call added",
            &sql(
                "INSERT INTO calls SELECT (SELECT max(row) + 1 FROM calls), position, account, billing_group, answer, \
                  setup, duration, source, source_dialled, destination, destination_dialled, rating, billable_seconds, \
                  included_seconds, cost, node, call_id, grounds, used_before, revision, run, correction FROM calls WHERE row = (SELECT max(row) FROM calls)",
            ),
            "de",
            "the call itself",
            ["no such call", "EUR"],
        ),
        (
            "a contradiction forgotten",
            &sql("DELETE FROM conflicts WHERE position = (SELECT min(position) FROM conflicts)"),
            "",
            "the contradicting record at position",
            ["kept", "not kept"],
        ),
        (
            "a listener's book",
            &sql("UPDATE books SET value = '205' WHERE name LIKE 'listener/udp%/received'"),
            "",
            "books, listener udp",
            ["80", "205"],
        ),
        (
            "a drawn allowance",
            // period, group, meter, seconds
            &|folder: &Path| raise_a_column(&store_of(folder), "allowances_recent", 3),
            "",
            "allowance seconds drawn by group de",
            ["0", "1"],
        ),
    ];
    for (what, tamper, account, field, [expected, found]) in rows {
        let (code, verified, wrong) = verify_after(folder.path(), tamper);
        assert_eq!(code, 1, "{what}: {verified:#} {wrong}");
        let first = &verified["differences"][0];
        let text = |name: &str| first[name].as_str().unwrap_or("").to_owned();
        assert!(text("account").starts_with(account), "{what}: {first:#}");
        // A line of totals or a book has no call.
        assert!(text("field") == field || text("what").starts_with(field), "{what}: {first:#}");
        assert_eq!(text("call").is_empty(), account.is_empty(), "{what}: {first:#}");
        assert!(text("recomputed").contains(expected) && text("stored").contains(found), "{what}: {first:#}");
        // The sentence on standard error names it, too.
        assert!(wrong.contains(&text("what")), "{what}: {wrong}");
    }
}

#[test]
fn a_damaged_byte_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let flip = |path: &Path, at: u64| {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
    };
    // In the middle of the journal, long stored.
    let segment = "data/journal/00000000000000000000.seg";
    let (code, verified, wrong) = verify_after(folder.path(), &|folder| flip(&folder.join(segment), 20_000));
    // The last segment is read whole at every start, which then refuses; nothing is printed.
    assert!(code == 4 && verified.is_null(), "{code} {verified:#}");
    assert!(wrong.contains(".seg is damaged at offset"), "{wrong}");

    // While the daemon runs, `verify` is the one who reads there.
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), copy.path());
    let daemon = Daemon::start(copy.path());
    flip(&copy.path().join(segment), 20_000);
    let (code, verified, wrong) = Daemon::command(copy.path(), &["verify", "--json"]);
    let verified: Value = serde_json::from_str(&verified).unwrap();
    assert!(code == 4 && wrong.contains(".seg is damaged at offset"), "{code} {wrong}");
    assert_eq!(verified["balanced"], Value::Bool(false));
    assert!(verified["damaged"].as_str().unwrap().contains(".seg is damaged at offset"), "{verified:#}");
    daemon.kill();

    // An image by which calls were rated.
    let (code, _, wrong) = verify_after(folder.path(), &|folder| {
        for image in std::fs::read_dir(folder.join("data/images")).unwrap() {
            flip(&image.unwrap().path(), 1000);
        }
    });
    assert!(code == 4 && wrong.contains("images"), "{code} {wrong}");
}
