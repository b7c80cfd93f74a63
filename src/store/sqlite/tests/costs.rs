//! What calls cost us: kept beside them, added up in their transaction, and for other calls not a byte.

use super::*;
use crate::store::{Margin, MarginAccount};

/// The sums of an account, the slow way: one amount after the other.
fn expected(model: &Model, period: Period) -> BTreeMap<(u32, [u8; 3]), Margin> {
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

#[test]
fn a_batch_that_is_sent_twice_counts_once() {
    let (_folder, store) = open();
    let mut dice = Dice(5);
    let calls: Vec<OwnedCall> = (0..50).map(|i| OwnedCall { revision: 0, ..any_call(&mut dice, i * 10, 1) }).collect();
    let accounts = [Account { key: AccountKey(0), name: "acme".into() }];
    let groups: Vec<Group> = (0..20).map(|i| Group { key: GroupKey(i), name: format!("group{i}") }).collect();
    let rows = rows(&calls);
    let batch = FlushBatch::empty(Position(0), Position(1000), Timestamp(0));
    let batch = FlushBatch { accounts: &accounts, groups: &groups, calls: &rows, describe: &describe, ..batch };
    store.flush(&batch).unwrap();
    let sums = |store: &SqliteStore| -> Vec<_> {
        let mut all: Vec<Period> = calls.iter().map(|call| call.call.period).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(|period| store.margin_accounts(period).unwrap()).collect()
    };
    let before = sums(&store);
    assert!(store.flush(&batch).unwrap().already_done);
    assert_eq!(sums(&store), before);
}

#[test]
fn calls_without_costs_take_nothing() {
    let (_folder, store) = open();
    let mut dice = Dice(5);
    let calls: Vec<OwnedCall> =
        (0..50).map(|i| OwnedCall { revision: 0, costs: None, ..any_call(&mut dice, i * 10, 1) }).collect();
    let accounts = [Account { key: AccountKey(0), name: "acme".into() }];
    let groups: Vec<Group> = (0..20).map(|i| Group { key: GroupKey(i), name: format!("group{i}") }).collect();
    let rows = rows(&calls);
    let batch = FlushBatch::empty(Position(0), Position(1000), Timestamp(0));
    store
        .flush(&FlushBatch { accounts: &accounts, groups: &groups, calls: &rows, describe: &describe, ..batch })
        .unwrap();
    let writer = store.writer();
    for table in ["call_costs", "cost_bases", "margin_routes", "margin_accounts"] {
        let rows: i64 =
            writer.connection().query_row(&format!("SELECT count(*) FROM {table}"), (), |r| r.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    // And the table of calls has the columns it had.
    let columns: i64 =
        writer.connection().query_row("SELECT count(*) FROM pragma_table_info('calls')", (), |r| r.get(0)).unwrap();
    assert_eq!(columns, 20);
}
