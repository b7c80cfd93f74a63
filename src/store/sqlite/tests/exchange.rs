//! The exchange rate by which a price became a cost stays with the call.

use super::*;
use crate::call::Exchange;

#[test]
fn exchange_rates_are_kept() {
    let (folder, store) = open();
    let mut dice = Dice(5);
    let exchange = |i: usize| match i % 3 {
        0 => None,
        1 => Some(Exchange { from: *b"USD", rate: Money(920_000_000) }),
        _ => Some(Exchange { from: *b"XDR", rate: Money(1 + i as i64) }),
    };
    let mut calls: Vec<OwnedCall> = (0..30).map(|i| any_call(&mut dice, i, 1)).collect();
    for (i, call) in calls.iter_mut().enumerate() {
        (call.call.account, call.call.group) = (AccountKey(0), GroupKey(0));
        call.call.basis.exchange = exchange(i);
    }
    let batch = FlushBatch {
        accounts: &[Account { key: AccountKey(0), name: "a".into() }],
        groups: &[Group { key: GroupKey(0), name: "g".into() }],
        calls: &rows(&calls),
        describe: &describe,
        ..FlushBatch::empty(Position(0), Position(100), Timestamp(0))
    };
    store.flush(&batch).unwrap();
    let expected = sorted(calls, by_account);
    assert!(everything(&store, None, ScanOrder::Account) == expected);
    drop(store);
    let store = SqliteStore::open(&folder.path().join("callrated.db")).unwrap();
    assert!(everything(&store, None, ScanOrder::Account) == expected, "also by another process");
    let writer = store.writer();
    let count = |sql: &str| -> i64 { writer.connection().query_row(sql, (), |row| row.get(0)).unwrap() };
    let kept = count("SELECT count(*) FROM ratings WHERE exchange_from = 'USD' AND exchange_rate = 920000000");
    assert_eq!(kept, 10, "ten calls, each with a basis of its own");
    let shown =
        count("SELECT count(*) FROM call_details WHERE exchange_from = 'USD' AND exchange_rate = '0.920000000'");
    assert_eq!(shown, 10);
    let without = count("SELECT count(*) FROM call_details WHERE exchange_from IS NULL AND exchange_rate IS NULL");
    assert_eq!((without, count("SELECT count(*) FROM call_details")), (10, 30));
}
