//! Details that go: in steps that may be cut off, with what they added up to left behind.

use std::collections::BTreeMap;

use super::super::order::Order;
use super::super::retire;
use super::*;
use crate::entry::{Kept, Retention};
use crate::record::Record;

const OLD: [i32; 2] = [24_320, 24_321];
const HELD: &str = "acc07";

fn order(store: &dyn Store, model: &mut Model, what: Kept, periods: &[i32]) -> Position {
    ordered(store, model, entry_of(what, periods))
}

fn entry_of(what: Kept, periods: &[i32]) -> Retention {
    let account = if what == Kept::Delete { "" } else { HELD };
    Retention {
        what,
        account: account.into(),
        periods: periods.to_vec(),
        conflicts_before: None,
        discarded_before: None,
        images_before: None,
        why: "a test".into(),
        by: "test".into(),
        at: 5,
    }
}

fn ordered(store: &dyn Store, model: &mut Model, entry: Retention) -> Position {
    let position = Position(model.position);
    model.position += 1;
    model.flushes += 1;
    let rows = [RetentionRow { position, entry }];
    let batch = FlushBatch::empty(position, Position(model.position), Timestamp(1));
    store.flush(&FlushBatch { retention: &rows, ..batch }).unwrap();
    position
}

/// Goes through an order, with a start between any two steps; how many steps it took.
fn go(folder: &std::path::Path, store: &mut SqliteStore, order: Position) -> usize {
    for step in 1.. {
        if store.retire(order).unwrap() == Retired::Stored {
            return step;
        }
        *store = SqliteStore::open(&folder.join("callrated.db")).unwrap();
    }
    0
}

#[test]
fn an_order_that_is_cut_off_goes_on_and_everything_adds_up() {
    let (folder, mut store) = open();
    let (mut model, mut dice) = (Model::default(), Dice(11));
    for _ in 0..25 {
        model.flush(&store, &mut dice, 480).unwrap();
    }
    for month in OLD {
        let (month, sql) =
            (period_number(Period(month)), "INSERT INTO periods VALUES (?1, 'sealed', 1, 2, 3, 'x', 'd', x'7b7d')");
        store.writer().connection().execute(sql, [month]).unwrap();
    }
    let held = store.account_named(HELD).unwrap().unwrap();
    order(&store, &mut model, Kept::Hold, &[]);
    assert_eq!(store.holds().unwrap().len(), 1);
    let due = |store: &SqliteStore| store.deletion_due(Period(24_322)).unwrap();
    assert_eq!(due(&store), OLD.map(Period));
    // The open month may be named; nothing of it goes.
    let delete = order(&store, &mut model, Kept::Delete, &[OLD[0], OLD[1], 24_322]);
    assert!(go(folder.path(), &mut store, delete) >= 3, "12,000 rows do not go at once");
    assert_eq!(due(&store), []);

    let stays = |call: &OwnedCall| !OLD.contains(&call.call.period.0) || call.call.account == held;
    let check = |store: &SqliteStore, model: &Model, stays: &dyn Fn(&OwnedCall) -> bool| {
        let left: Vec<OwnedCall> = model.calls.iter().filter(|call| stays(call)).cloned().collect();
        assert_eq!(everything(store, None, ScanOrder::Account), sorted(left.clone(), by_account));
        assert_eq!(
            everything(store, Some(Period(OLD[0])), ScanOrder::Stored).len(),
            left.iter().filter(|c| c.call.period.0 == OLD[0]).count()
        );
        let mut lines: BTreeMap<_, Usage> = BTreeMap::new();
        for call in &left {
            for (call_type, usage) in call.call.usage_lines() {
                let c = &call.call;
                lines.entry((c.period, c.account, c.group, call_type, c.basis.currency)).or_default().add(&usage);
            }
        }
        for sum in store.deleted_sums(None).unwrap() {
            let key = (sum.period, sum.account, sum.group, sum.call_type, sum.currency);
            lines.entry(key).or_default().add(&sum.usage);
        }
        let told = store.load().unwrap().usage.into_iter();
        let told: BTreeMap<_, Usage> = told
            .map(|line| ((line.period, line.account, line.group, line.call_type, line.currency), line.usage))
            .collect();
        assert_eq!(lines, told);
        let kept = Model { calls: left.clone(), ..Model::default() };
        let mut drawn: BTreeMap<_, u64> = BTreeMap::new();
        for line in kept.allowances().into_iter().chain(store.deleted_draws().unwrap()) {
            *drawn.entry((line.period, line.group, line.meter)).or_default() += line.used_seconds;
        }
        let told = store.load().unwrap().allowances.into_iter();
        let told: BTreeMap<_, u64> =
            told.map(|line| ((line.period, line.group, line.meter), line.used_seconds)).collect();
        for month in store.months().unwrap() {
            let mut sums = super::costs::expected(&kept, month);
            for line in store.deleted_margins(month).unwrap() {
                sums.entry((line.account.0, line.currency)).or_default().add(&line.margin, 1);
            }
            let told = store.margin_accounts(month).unwrap().into_iter();
            let told: BTreeMap<_, _> = told.map(|line| ((line.account.0, line.currency), line.margin)).collect();
            assert_eq!(sums, told, "{month}");
        }
        let (costs, sql) = (left.iter().filter(|call| call.costs.is_some()).count(), "SELECT count(*) FROM call_costs");
        let stored: i64 = store.writer().connection().query_row(sql, (), |row| row.get(0)).unwrap();
        assert_eq!(stored as usize, costs);
        // What the model draws of an account's own month it draws of the month that bills it, as it flushes.
        let whole = |of: &BTreeMap<_, u64>| of.values().sum::<u64>();
        assert_eq!(whole(&drawn), whole(&told));
        let gone: u64 = store.deleted(None).unwrap().iter().map(|row| row.rows).sum();
        assert_eq!(gone as usize, model.calls.len() - left.len());
        let strays =
            "SELECT count(*) FROM grounds WHERE id NOT IN (SELECT grounds FROM calls WHERE grounds IS NOT NULL)
                      AND (account <> '' OR forwarded_by <> '' OR routing_number <> '')";
        let strays: i64 = store.writer().connection().query_row(strays, (), |row| row.get(0)).unwrap();
        assert_eq!(strays, 0);
    };
    check(&store, &model, &stays);

    // Held, then released: the rule finds what it left, and a request takes the rest of the account.
    let erase = order(&store, &mut model, Kept::Erase, &[]);
    assert_eq!(store.retire(erase).unwrap(), Retired::Held);
    order(&store, &mut model, Kept::Release, &[]);
    assert_eq!(due(&store), OLD.map(Period));
    // Beside calls, of the account and of another: what the spend guard told, and attempts that somebody else charges for.
    let count = |store: &SqliteStore, table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        store.writer().connection().query_row(&sql, (), |row| row.get(0)).unwrap()
    };
    for (number, name) in [(900, HELD), (901, "acc14")] {
        let mut record = Vec::new();
        Record { id: b"i", node: b"n", account: name.as_bytes(), ..Record::default() }.encode(&mut record);
        let writer = store.writer();
        let event =
            "INSERT INTO guard_events VALUES (?1, ?2, (SELECT key FROM accounts WHERE name = ?2), 0, '', '', '', '')";
        writer.connection().execute(event, (number, name)).unwrap();
        let attempt = "INSERT INTO incumbents_unanswered VALUES (?1, 0, ?2)";
        writer.connection().execute(attempt, (number, record)).unwrap();
    }
    go(folder.path(), &mut store, erase);
    assert_eq!((count(&store, "guard_events"), count(&store, "incumbents_unanswered")), (1, 1));
    assert_eq!(due(&store), []);
    store.retired(erase, Timestamp(9)).unwrap();
    let mine = store.retention().unwrap().into_iter().find(|order| order.position == erase).unwrap();
    assert_eq!((mine.stored, mine.done_at), (true, Some(Timestamp(9))));
    check(&store, &model, &|call| !OLD.contains(&call.call.period.0));
    assert!(store.scrub().unwrap());

    // Numbers of rows are never given again: what comes later is found, and nothing else.
    let (before, gone) = (model.calls.len(), |call: &OwnedCall| OLD.contains(&call.call.period.0));
    model.flush(&store, &mut dice, 200).unwrap();
    let later = model.calls.split_off(before);
    let mut left: Vec<OwnedCall> = model.calls.iter().filter(|call| !gone(call)).cloned().collect();
    left.extend(later);
    assert_eq!(everything(&store, None, ScanOrder::Account), sorted(left, by_account));
}

/// What contradicts a discarded record is of whoever would have paid: a hold keeps it, and an erasure takes it.
#[test]
fn what_contradicts_a_discarded_record_is_held_and_erased_with_its_account() {
    let (_folder, store) = open();
    let (mut model, mut dice) = (Model::default(), Dice(5));
    model.flush(&store, &mut dice, 100).unwrap();
    let record = |id: &str, account: &str| {
        let mut bytes = Vec::new();
        Record { id: id.as_bytes(), node: b"n", account: account.as_bytes(), ..Record::default() }.encode(&mut bytes);
        bytes
    };
    for (number, id, name) in [(900, "mine", HELD), (910, "theirs", "acc14")] {
        let writer = store.writer();
        let discarded = "INSERT INTO discarded (position, leg, reason, why, by, at, entry, node, call_id, record, account)
                         VALUES (?1, 0, 'no_rate', '', '', 0, 0, 'n', ?2, ?3, (SELECT key FROM accounts WHERE name = ?4))";
        writer.connection().execute(discarded, (number, id, record(id, name), name)).unwrap();
        let conflict = "INSERT INTO conflicts (position, first_position, record, received_at) VALUES (?1, ?2, ?3, 5)";
        writer.connection().execute(conflict, (number + 5, number, record(id, name))).unwrap();
    }
    let manifest = |first: &str| {
        let of = |id: &str| format!(r#"{{"node":"n","id":"{id}","destination":"44"}}"#);
        format!(r#"{{"conflicts":[{first},{}]}}"#, of("theirs"))
    };
    let sql = "INSERT INTO periods VALUES (?1, 'sealed', 1, 2, 3, 'x', 'd', ?2)";
    let mine = manifest(r#"{"node":"n","id":"mine","destination":"44"}"#);
    store.writer().connection().execute(sql, (period_number(Period(OLD[0])), mine.as_bytes())).unwrap();
    let left = |store: &SqliteStore| -> Vec<u64> {
        store.conflicts(None, 100).unwrap().iter().map(|conflict| conflict.position.0).collect()
    };
    order(&store, &mut model, Kept::Hold, &[]);
    let old = Retention { conflicts_before: Some(9), ..entry_of(Kept::Delete, &[]) };
    let delete = ordered(&store, &mut model, old);
    while store.retire(delete).unwrap() != Retired::Stored {}
    assert_eq!(left(&store), [905], "held");
    order(&store, &mut model, Kept::Release, &[]);
    let erase = order(&store, &mut model, Kept::Erase, &[]);
    while store.retire(erase).unwrap() != Retired::Stored {}
    assert_eq!(left(&store), Vec::<u64>::new());
    let unnamed = manifest(r#"{"node":"n","id":"erased","destination":"erased"}"#);
    assert_eq!(store.manifest(Period(OLD[0])).unwrap().unwrap(), unnamed.into_bytes());
}

/// Two that found the same rows, and one that found rows of an account which is held by now: what was found is looked at again.
#[test]
fn what_was_found_is_not_deleted_where_it_is_otherwise_by_now() {
    let (_folder, store) = open();
    let (mut model, mut dice) = (Model::default(), Dice(7));
    for _ in 0..4 {
        model.flush(&store, &mut dice, 300).unwrap();
    }
    for month in OLD {
        let sql = "INSERT INTO periods VALUES (?1, 'sealed', 1, 2, 3, 'x', 'd', x'7b7d')";
        store.writer().connection().execute(sql, [period_number(Period(month))]).unwrap();
    }
    let delete = order(&store, &mut model, Kept::Delete, &OLD);
    let found = || retire::found(&store, delete).unwrap().unwrap();
    let goes = |(order, going): &(Order, Option<retire::Going>)| {
        retire::goes(&store, delete, order, going.as_ref().unwrap()).unwrap()
    };
    let (one, other) = (found(), found());
    let Retired::More(rows) = goes(&one) else { panic!("nothing keeps it") };
    assert!(rows > 0);
    let left = everything(&store, None, ScanOrder::Stored).len();
    assert_eq!(left, model.calls.len() - rows as usize);
    assert_eq!(goes(&other), Retired::More(0), "they are gone");
    assert_eq!(everything(&store, None, ScanOrder::Stored).len(), left);
    let gone: u64 = store.deleted(None).unwrap().iter().map(|row| row.rows).sum();
    assert_eq!(gone, rows, "and are counted once");

    // The months take one window, so the next order is another.
    assert_eq!(store.retire(delete).unwrap(), Retired::Stored);
    model.flush(&store, &mut dice, 300).unwrap();
    let again = order(&store, &mut model, Kept::Delete, &OLD);
    let (found, going) = retire::found(&store, again).unwrap().unwrap();
    order(&store, &mut model, Kept::Hold, &[]);
    let stood = everything(&store, None, ScanOrder::Stored);
    assert_eq!(retire::goes(&store, again, &found, going.as_ref().unwrap()).unwrap(), Retired::More(0));
    assert_eq!(everything(&store, None, ScanOrder::Stored), stood);
    while store.retire(again).unwrap() != Retired::Stored {}
    let held = store.account_named(HELD).unwrap().unwrap();
    let of = |calls: &[OwnedCall]| calls.iter().filter(|call| call.call.account == held).count();
    let left = everything(&store, None, ScanOrder::Stored);
    assert_eq!(of(&left), of(&stood));
    assert!(left.len() < stood.len());
}

#[test]
fn the_order_of_a_large_account_is_found_in_as_many_goes_as_it_takes() {
    let (_folder, store) = open();
    let (mut model, mut dice) = (Model::default(), Dice(3));
    for _ in 0..4 {
        model.flush(&store, &mut dice, 300).unwrap();
    }
    for most in [1, 7, 100, 10_000] {
        let (mut found, mut page) = (Vec::new(), page::Page::default());
        store
            .read(|reader| {
                let last = reader.last_row()?;
                let account = (AccountKey(5), AccountKey(5));
                let runs = segments::runs(&reader.connection, None, account, last)?;
                account_order::large_account(reader, &runs, &mut page, None, most, &mut |call| {
                    found.push(call.to_owned_call());
                    Visit::Continue(())
                })
            })
            .map(|_| ())
            .unwrap();
        let own = model.calls.iter().filter(|call| call.call.account == AccountKey(5)).cloned().collect();
        assert_eq!(found, sorted(own, by_account), "{most}");
        // However many of them one flush brought.
        assert!(page.room() <= most.max(4) * 2, "{most}: {}", page.room());
    }
}
