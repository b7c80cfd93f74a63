//! What is said of an order while something keeps it.

use rusqlite::Connection;

use super::*;
use crate::entry::Retention;
use crate::store::sqlite::SqliteStore;

fn row(what: Kept, stored: bool, done_at: Option<Timestamp>) -> OrderRow {
    let entry = Retention {
        what,
        account: if what == Kept::Delete { String::new() } else { "acme".to_owned() },
        periods: vec![2026 * 12 + 9],
        conflicts_before: None,
        discarded_before: None,
        images_before: None,
        why: "a test".to_owned(),
        by: "nora".to_owned(),
        at: 0,
    };
    OrderRow { position: Position(50), entry, stored, done_at }
}

#[test]
fn an_order_says_how_far_it_is_and_what_it_waits_for() {
    let seal = || vec![(Position(49), "the seal of 2026-11".to_owned())];
    let behind =
        || vec![(Position(50), "the seal of 2026-11".to_owned()), (Position(51), "run 3 of re-rating".to_owned())];
    let (delete, erase) =
        (|stored, done| row(Kept::Delete, stored, done), |stored, done| row(Kept::Erase, stored, done));
    let done = Some(Timestamp(7));
    // The order, whether its account is held, what is at work; its state, and what it waits for.
    let table = [
        (delete(false, None), false, vec![], "deleting", None),
        (delete(false, None), false, seal(), "waiting", Some("the seal of 2026-11")),
        (delete(false, None), false, behind(), "deleting", None),
        (delete(false, None), false, [behind(), seal()].concat(), "waiting", Some("the seal of 2026-11")),
        (
            erase(false, None),
            false,
            vec![(Position(3), "run 3 of re-rating".to_owned())],
            "waiting",
            Some("run 3 of re-rating"),
        ),
        (erase(false, None), true, seal(), "held", None),
        (erase(true, None), false, seal(), "in the journal", None),
        // The store has nothing more of a deletion: images go.
        (delete(true, None), false, seal(), "deleting", None),
        (erase(true, done), false, seal(), "done", None),
        (delete(true, done), false, vec![], "done", None),
    ];
    for (row, held, at_work, state, waits_for) in table {
        let shown = order(&row, held, &at_work);
        assert_eq!((shown.state, shown.waits_for.as_deref()), (state, waits_for), "{row:?} {held} {at_work:?}");
    }
}

#[test]
fn what_is_at_work_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("callrated.db");
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(at_work(&store).unwrap(), []);
    let facts = "INSERT INTO periods VALUES (202610, 'sealed', 11, 12, 3, 'x', 'd', x'7b7d');
                 INSERT INTO periods VALUES (202611, 'sealing', 21, NULL, 3, 'x', NULL, NULL);
                 INSERT INTO rerate_runs (run, state, begun, entry) VALUES (1, 'counts', 13, '{}'), (2, 'given up', 15, '{}'),
                     (3, 'rating', 17, '{}');";
    Connection::open(&path).unwrap().execute_batch(facts).unwrap();
    let named = [(Position(21), "the seal of 2026-11".to_owned()), (Position(17), "run 3 of re-rating".to_owned())];
    assert_eq!(at_work(&store).unwrap(), named);
}
