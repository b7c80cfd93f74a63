//! What calls cost us: kept beside them, added up in their transaction, and for other calls not a byte.

use super::*;
use crate::store::{DecidedRow, Margin, MarginAccount};

/// The sums of an account, the slow way: one amount after the other.
pub fn expected(model: &Model, period: Period) -> BTreeMap<(u32, [u8; 3]), Margin> {
    let mut sums: BTreeMap<(u32, [u8; 3]), Margin> = BTreeMap::new();
    for stored in model.calls.iter().filter(|call| call.call.period == period) {
        let (call, Some(costs)) = (&stored.call, &stored.costs) else { continue };
        let sum = sums.entry((call.account.0, call.basis.currency)).or_default();
        sum.calls += 1;
        sum.talk += call.duration.0;
        sum.billable_seconds += i64::from(call.billable_seconds);
        sum.revenue += i128::from(call.cost.0);
        match costs.carrier_cost {
            Some(cost) => {
                sum.revenue_known += i128::from(call.cost.0);
                sum.cost += i128::from(cost.0);
            }
            None => sum.unknown += 1,
        }
        for (level, price) in costs.resale.iter().enumerate() {
            if let Some(price) = price {
                sum.resale[level].0 += 1;
                sum.resale[level].1 += i128::from(price.0);
            }
        }
    }
    sums
}

fn periods(model: &Model) -> Vec<Period> {
    let mut periods: Vec<Period> = model.calls.iter().map(|call| call.call.period).collect();
    periods.sort_unstable();
    periods.dedup();
    periods
}

#[test]
fn totals_are_what_the_calls_add_up_to() {
    let (folder, store) = open();
    let (mut model, mut dice) = (Model::default(), Dice(77));
    for _ in 0..5 {
        model.flush(&store, &mut dice, 150).unwrap();
    }
    // Whoever opens it next goes on with the same sums.
    drop(store);
    let store = SqliteStore::open(&folder.path().join("callrated.db")).unwrap();
    model.flush(&store, &mut dice, 150).unwrap();
    let mut seen = 0;
    for period in periods(&model) {
        let found = store.margin_accounts(period).unwrap();
        let names: Vec<&String> = found.iter().map(|line: &MarginAccount| &line.name).collect();
        assert!(names.is_sorted());
        let found: BTreeMap<_, _> = found.iter().map(|line| ((line.account.0, line.currency), line.margin)).collect();
        let expected = expected(&model, period);
        assert_eq!(found, expected, "{period}");
        let (mut by_route, mut all) = (Margin::default(), Margin::default());
        store.margin_routes(period).unwrap().iter().for_each(|route| by_route.add(&route.margin, 1));
        expected.values().for_each(|margin| all.add(margin, 1));
        assert_eq!(by_route, all, "{period}");
        seen += all.calls;
    }
    assert!(seen > 300, "{seen} calls with costs");
}

/// Calls of one account, as first rated.
fn some(dice: &mut Dice, count: u64) -> Vec<OwnedCall> {
    (0..count).map(|i| OwnedCall { revision: 0, ..any_call(dice, i * 10, 1) }).collect()
}

/// Flushes calls of one account; further flushes name neither account nor groups.
fn flush(store: &SqliteStore, (from, upto): (u64, u64), calls: &[OwnedCall], more: FlushBatch<'_>) -> FlushReport {
    let accounts = [Account { key: AccountKey(0), name: "acme".into() }];
    let groups: Vec<Group> = (0..20).map(|i| Group { key: GroupKey(i), name: format!("group{i}") }).collect();
    let first = from == 0;
    store
        .flush(&FlushBatch {
            from: Position(from),
            upto: Position(upto),
            accounts: if first { &accounts } else { &[] },
            groups: if first { &groups } else { &[] },
            calls: &rows(calls),
            describe: &describe,
            ..more
        })
        .unwrap()
}

fn empty<'a>() -> FlushBatch<'a> {
    FlushBatch::empty(Position(0), Position(0), Timestamp(0))
}

fn all_sums(store: &SqliteStore) -> Vec<MarginAccount> {
    store.months().unwrap().into_iter().flat_map(|period| store.margin_accounts(period).unwrap()).collect()
}

#[test]
fn a_batch_that_is_sent_twice_counts_once() {
    let (_folder, store) = open();
    let calls = some(&mut Dice(5), 50);
    flush(&store, (0, 1000), &calls, empty());
    let before = all_sums(&store);
    assert!(!before.is_empty());
    assert!(flush(&store, (0, 1000), &calls, empty()).already_done);
    assert_eq!(all_sums(&store), before);
}

#[test]
fn a_call_that_is_taken_back_leaves_nothing_and_adds_up_below_zero() {
    let (_folder, store) = open();
    let calls = some(&mut Dice(6), 50);
    flush(&store, (0, 1000), &calls, empty());
    let back = |call: &OwnedCall| OwnedCall {
        call: call.call.reversed(),
        costs: call.costs.map(|costs| costs.reversed()),
        run: Some(1),
        ..call.clone()
    };
    let back: Vec<OwnedCall> = calls.iter().map(back).collect();
    flush(&store, (1000, 2000), &back, empty());
    assert_eq!(all_sums(&store), []);
    for period in store.months().unwrap() {
        assert_eq!(store.margin_routes(period).unwrap(), []);
    }
    // It comes out as it went in, and whoever adds up columns gets nothing.
    let mut both = calls;
    both.extend(back);
    let order = |call: &OwnedCall| (by_account(call), call.call.reversal);
    assert_eq!(sorted(everything(&store, None, ScanOrder::Account), order), sorted(both, order));
    let sql = "SELECT sum(billable_seconds), sum(cost), sum(resale_1) FROM call_costs";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let sums: (i64, i64, i64) = store.writer().connection().query_row(sql, (), read).unwrap();
    assert_eq!(sums, (0, 0, 0));
}

#[test]
fn a_version_that_was_decided_takes_the_costs_of_the_other_back() {
    let (_folder, store) = open();
    let calls = some(&mut Dice(8), 20);
    flush(&store, (0, 1000), &calls, empty());
    // The first record with costs is told anew; so is one that had none.
    let some_costs = (0..).find_map(|seed| any_costs(&mut Dice(seed)));
    for (at, costs) in [(true, None), (false, some_costs)] {
        let old = calls.iter().find(|call| call.costs.is_some() == at).unwrap();
        let new = OwnedCall { revision: 1, costs, ..old.clone() };
        let upto = if at { 2000 } else { 3000 };
        let decided = [DecidedRow {
            entry: Position(upto - 1),
            first: old.call.key.position,
            kept: Position(upto - 2),
            why: "a test".into(),
            by: "test".into(),
            at: Timestamp(1),
            revision: 1,
        }];
        let before = all_sums(&store);
        flush(&store, (upto - 1000, upto), &[new], FlushBatch { decided: &decided, ..empty() });
        assert_ne!(all_sums(&store), before);
    }
    let model = Model { calls: everything(&store, None, ScanOrder::Account), ..Model::default() };
    assert_eq!(model.calls.len(), calls.len(), "each counts once");
    for period in periods(&model) {
        let found = store.margin_accounts(period).unwrap();
        let found: BTreeMap<_, _> = found.iter().map(|line| ((line.account.0, line.currency), line.margin)).collect();
        assert_eq!(found, expected(&model, period));
    }
}

#[test]
fn calls_without_costs_take_nothing() {
    let (_folder, store) = open();
    let calls: Vec<OwnedCall> =
        some(&mut Dice(5), 50).into_iter().map(|call| OwnedCall { costs: None, ..call }).collect();
    flush(&store, (0, 1000), &calls, empty());
    let writer = store.writer();
    for table in ["call_costs", "cost_bases", "margin_routes", "margin_accounts"] {
        let rows: i64 =
            writer.connection().query_row(&format!("SELECT count(*) FROM {table}"), (), |r| r.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    // And the table of calls has the columns it had.
    let columns: i64 =
        writer.connection().query_row("SELECT count(*) FROM pragma_table_info('calls')", (), |r| r.get(0)).unwrap();
    assert_eq!(columns, 22);
}
