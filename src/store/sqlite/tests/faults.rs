//! All or nothing, retries, foreign and newer files, readers beside the writer.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::store::faulty::{Faults, FaultyStore, Played};
use crate::store::schema;

fn kind(error: &StoreError) -> &'static str {
    match error {
        StoreError::Busy => "busy",
        StoreError::Full => "full",
        StoreError::Newer { .. } => "newer",
        StoreError::Damaged(_) => "damaged",
        StoreError::OutOfOrder { .. } => "out of order",
        StoreError::Unstorable(_) => "unstorable",
        StoreError::Io(_) => "io",
    }
}

#[test]
fn batches_follow_each_other() {
    let (_folder, store) = open();
    let mut model = Model::default();
    model.flush(&store, &mut Dice(1), 20).unwrap();
    let end = model.position;
    let empty = |from, upto| FlushBatch::empty(Position(from), Position(upto), Timestamp(0));
    // from, upto, outcome
    for (from, upto, expected) in [
        (0, end, "done"),
        (end, end, "done"),
        (0, end + 5, "out of order"),
        (end + 1, end + 5, "out of order"),
        (end + 5, end + 1, "unstorable"),
        (end, u64::MAX, "unstorable"),
        (end, end + 5, "written"),
    ] {
        let outcome = match store.flush(&empty(from, upto)) {
            Ok(report) if report.already_done => "done",
            Ok(_) => "written",
            Err(StoreError::OutOfOrder { stored }) => {
                assert_eq!(stored, Position(end));
                "out of order"
            }
            Err(error) => kind(&error),
        };
        assert_eq!(outcome, expected, "{from} {upto}");
    }
}

#[test]
fn a_batch_sent_again_changes_nothing() {
    let (_folder, store) = open();
    let (mut model, mut dice) = (Model::default(), Dice(5));
    model.flush(&store, &mut dice, 50).unwrap();
    let before = store.load().unwrap();
    let calls = rows(&model.calls);
    let again = FlushBatch {
        calls: &calls,
        accounts: &model.accounts,
        describe: &describe,
        ..FlushBatch::empty(Position(0), Position(model.position), Timestamp(9))
    };
    let report = store.flush(&again).unwrap();
    assert_eq!(report, FlushReport { already_done: true, flush: 1, calls: 0 });
    assert_eq!(store.load().unwrap(), before);
    assert_eq!(everything(&store, None, ScanOrder::Stored).len(), 50);
    model.flush(&store, &mut dice, 50).unwrap();
    assert_eq!(store.load().unwrap().usage, model.usage());
}

/// The disk is full in the middle of a flush: nothing of it is there, and the same batch goes through later.
#[test]
fn a_flush_is_written_whole_or_not_at_all() {
    let (_folder, store) = open();
    let (mut model, mut dice) = (Model::default(), Dice(7));
    for _ in 0..20 {
        model.flush(&store, &mut dice, 50).unwrap();
    }
    let before = (store.load().unwrap(), everything(&store, None, ScanOrder::Stored));
    let pages: i64 = store.writer().connection().query_row("PRAGMA page_count", (), |row| row.get(0)).unwrap();
    let mut failures = 0;
    for spare in [0, 1, 3, 9, 27, 1000] {
        let limit = format!("PRAGMA max_page_count = {}", pages + spare);
        store.writer().connection().query_row(&limit, (), |_| Ok(())).unwrap();
        let mut attempt = Model {
            position: model.position,
            calls: model.calls.clone(),
            accounts: model.accounts.clone(),
            groups: model.groups.clone(),
            flushes: model.flushes,
        };
        let mut same_dice = Dice(99);
        match attempt.flush(&store, &mut same_dice, 3000) {
            Ok(_) => {
                assert_eq!(store.load().unwrap().usage, attempt.usage());
                assert_eq!(everything(&store, None, ScanOrder::Account), sorted(attempt.calls, by_account));
            }
            Err(error) => {
                assert_eq!(kind(&error), "full");
                assert!((store.load().unwrap(), everything(&store, None, ScanOrder::Stored)) == before);
                failures += 1;
            }
        }
    }
    assert_eq!(failures, 5, "only the last attempt had room");
}

#[test]
fn an_unknown_account_is_refused() {
    let (_folder, store) = open();
    let calls = [any_call(&mut Dice(1), 3, 5)];
    let batch = FlushBatch {
        calls: &rows(&calls),
        describe: &describe,
        ..FlushBatch::empty(Position(0), Position(10), Timestamp(0))
    };
    assert_eq!(kind(&store.flush(&batch).unwrap_err()), "unstorable");
    assert_eq!(store.load().unwrap(), StoredState::default());
}

#[test]
fn a_lock_held_elsewhere_is_busy() {
    let (folder, store) = open();
    let mut model = Model::default();
    store.writer().connection().busy_timeout(Duration::ZERO).unwrap();
    let other = Connection::open(folder.path().join("callrated.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(kind(&Model::default().flush(&store, &mut Dice(1), 5).unwrap_err()), "busy");
    other.execute_batch("ROLLBACK").unwrap();
    model.flush(&store, &mut Dice(1), 5).unwrap();
}

/// Two processes on one file: the second writer's memory is of the past, and it notices.
#[test]
fn another_writer_is_noticed() {
    let (folder, store) = open();
    let (mut model, mut dice) = (Model::default(), Dice(11));
    let other = SqliteStore::open(&folder.path().join("callrated.db")).unwrap();
    for i in 0..40 {
        let store: &dyn Store = if i % 3 == 0 { &other } else { &store };
        model.flush(store, &mut dice, 10).unwrap();
    }
    assert_eq!(store.load().unwrap().usage, model.usage());
    assert_eq!(everything(&other, None, ScanOrder::Account), sorted(model.calls, by_account));
}

#[test]
fn files_that_are_no_store_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("callrated.db");
    let refused = |expected: &str| {
        let error = SqliteStore::open(&path).err().unwrap();
        assert_eq!(kind(&error), expected, "{error}");
        let bytes = std::fs::read(&path).unwrap();
        let _ = std::fs::remove_file(&path);
        (error.to_string(), bytes)
    };
    let junk = b"this is no database, and it is long enough to be looked at as one: ".repeat(20);
    std::fs::write(&path, &junk).unwrap();
    assert_eq!(refused("damaged").1, junk);
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
    let (text, _) = refused("damaged");
    assert!(text.ends_with("callrated.db: it is an SQLite file of another program"), "{text}");
    drop(SqliteStore::open(&path).unwrap());
    Connection::open(&path).unwrap().execute("INSERT INTO schema_version VALUES (77)", ()).unwrap();
    let (text, _) = refused("newer");
    let known = schema::KNOWN;
    assert_eq!(
        text,
        format!("the store has schema version 77, this program knows up to {known}: use the newer program")
    );
}

#[test]
fn a_folder_that_is_not_there_is_said_in_one_sentence() {
    let error = SqliteStore::open(Path::new("/nowhere/callrated.db")).err().unwrap();
    assert_eq!(
        error.to_string(),
        "cannot open the store /nowhere/callrated.db: the file cannot be opened or created; does its folder exist, \
         and may we write there?"
    );
}

/// A store written by the first schema, as text: it opens, gains the views, keeps everything, and goes on.
#[test]
fn the_first_schema_is_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("callrated.db");
    Connection::open(&path).unwrap().execute_batch(include_str!("../../../../tests/data/store-v1.db.sql")).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let version = schema::version(store.writer().connection()).unwrap();
    assert_eq!(version, schema::KNOWN);
    let mut model = Model::default();
    let mut dice = Dice(42);
    // The fixture was written by this very seed.
    let (scratch_folder, scratch) = open();
    for _ in 0..3 {
        model.flush(&scratch, &mut dice, 8).unwrap();
    }
    drop((scratch_folder, scratch));
    let kept = model.calls.iter().map(of_the_first_schema).collect();
    assert!(everything(&store, None, ScanOrder::Account) == sorted(kept, by_account));
    let state = store.load().unwrap();
    assert_eq!((state.position, &state.usage), (Position(model.position), &model.usage()));
    model.flush(&store, &mut dice, 8).unwrap();
    assert_eq!(store.load().unwrap().usage, model.usage());
}

/// Readers see whole flushes only, and the writer is never held up by them.
#[test]
fn readers_see_whole_flushes() {
    let (_folder, store) = open();
    let (mut model, mut dice) = (Model::default(), Dice(13));
    model.flush(&store, &mut dice, 30).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|i| {
                let (store, done) = (&store, &done);
                scope.spawn(move || {
                    let mut rounds = 0;
                    while !done.load(Ordering::Relaxed) || rounds == 0 {
                        let order = if i == 0 { ScanOrder::Stored } else { ScanOrder::Account };
                        assert_eq!(everything(store, None, order).len() % 30, 0);
                        // Totals and books are of one moment.
                        let state = store.load().unwrap();
                        let calls: i64 = state.usage.iter().map(|line| line.usage.calls).sum();
                        assert_eq!(state.books[0].1, i128::from(calls));
                        rounds += 1;
                    }
                })
            })
            .collect();
        for _ in 0..40 {
            model.flush(&store, &mut dice, 30).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn a_backup_is_a_store() {
    let (folder, store) = open();
    let (mut model, mut dice) = (Model::default(), Dice(17));
    for _ in 0..5 {
        model.flush(&store, &mut dice, 30).unwrap();
    }
    let path = folder.path().join("backup.db");
    store.backup_to(&path).unwrap();
    let state = store.load().unwrap();
    model.flush(&store, &mut dice, 30).unwrap();
    let copy = SqliteStore::open(&path).unwrap();
    assert_eq!(copy.load().unwrap(), state);
    assert_eq!(everything(&copy, None, ScanOrder::Stored).len(), 150);
    assert_eq!(kind(&store.backup_to(&path).unwrap_err()), "io");
    assert!(!folder.path().join("backup.db.partial").exists());
}

/// A flush thread that sends its batch again until it hears yes ends with the same books, whatever went wrong.
#[test]
fn a_faulty_store_ends_with_the_same_books() {
    let (_folder, store) = open();
    let faults = Faults { busy: 100, full: 100, lost_before: 100, lost_after: 200, slow: 50, delay: Duration::ZERO };
    let store = FaultyStore::new(store, 4, faults);
    let (mut model, mut dice) = (Model::default(), Dice(31));
    let mut heard_late = 0;
    for _ in 0..60 {
        loop {
            let mut attempt = Model {
                position: model.position,
                calls: model.calls.clone(),
                accounts: model.accounts.clone(),
                groups: model.groups.clone(),
                flushes: model.flushes,
            };
            let mut same_dice = Dice(dice.0);
            match attempt.flush(&store, &mut same_dice, 10) {
                Ok(report) => {
                    heard_late += u64::from(report.already_done);
                    (model, dice) = (attempt, same_dice);
                    break;
                }
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    }
    let played = store.played();
    assert!(heard_late > 5 && played.refused > 5, "{played:?}");
    assert_eq!(played.flushes, 60 + played.refused + played.lost_after);
    assert_eq!(store.load().unwrap().usage, model.usage());
    assert!(everything(&store, None, ScanOrder::Account) == sorted(model.calls, by_account));
    store.set_away(true);
    assert_eq!(kind(&store.load().unwrap_err()), "io");
    store.set_away(false);
    assert_eq!(store.played(), Played { ..played });
}
