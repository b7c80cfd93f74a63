//! Questions, compared with a filter over all calls.

use super::*;
use crate::call::SuspenseReason;
use crate::store::{ActivationRow, ConflictRow, Retried, SourceRow, SuspendedRow, SuspenseKey};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// The locators lead to exactly the calls that a filter finds, in order, over flushes of all sizes.
    #[test]
    fn calls_are_found(seed in any::<u64>(), sizes in proptest::collection::vec(0..60_u64, 1..40)) {
        let (_folder, store) = open();
        let (mut model, mut dice) = (Model::default(), Dice(seed));
        for size in sizes {
            model.flush(&store, &mut dice, size).unwrap();
        }
        for period in [None, Some(Period(24_320)), Some(Period(24_322)), Some(Period(24_400))] {
            let expected: Vec<OwnedCall> =
                model.calls.iter().filter(|c| period.is_none_or(|p| c.call.period == p)).cloned().collect();
            prop_assert_eq!(
                sorted(everything(&store, period, ScanOrder::Stored), by_account),
                sorted(expected.clone(), by_account)
            );
            prop_assert_eq!(everything(&store, period, ScanOrder::Account), sorted(expected, by_account));
        }
        for account in (0..ACCOUNTS as u32).step_by(7) {
            let (account, period) = (AccountKey(account), Period(24_321));
            let of = |c: &&OwnedCall| (c.call.account, c.call.period) == (account, period);
            let expected = sorted(model.calls.iter().filter(of).cloned().collect(), by_account);
            // Page by page, and all at once.
            for limit in [None, Some(3)] {
                let mut found = Vec::new();
                let mut after = None;
                loop {
                    let page = CallPage { after, limit };
                    after = store.calls(account, period, page, &mut |call| {
                        found.push(call.to_owned_call());
                        Visit::Continue(())
                    }).unwrap();
                    if after.is_none() { break; }
                }
                prop_assert_eq!(&found, &expected);
            }
            let usage: Vec<UsageLine> =
                model.usage().into_iter().filter(|l| (l.account, l.period) == (account, period)).collect();
            prop_assert_eq!(store.usage(account, period).unwrap(), usage);
        }
        for line in model.allowances() {
            prop_assert!(store.allowances(line.group, line.period).unwrap().contains(&line), "{line:?}");
        }
        for call in model.calls.iter().step_by(5) {
            let legs = store.legs(call.call.key.position).unwrap();
            let expected: Vec<OwnedCall> =
                model.calls.iter().filter(|c| c.call.key.position == call.call.key.position).cloned().collect();
            prop_assert_eq!(sorted(legs, by_account), sorted(expected, by_account));
        }
        prop_assert_eq!(store.legs(Position(model.position + 9)).unwrap(), vec![]);
    }

    /// Totals of a period come by name, whole or in pages.
    #[test]
    fn period_usage_is_paged_by_name(seed in any::<u64>(), flushes in 1..20_usize) {
        let (_folder, store) = open();
        let (mut model, mut dice) = (Model::default(), Dice(seed));
        for _ in 0..flushes {
            model.flush(&store, &mut dice, 6).unwrap();
        }
        let period = Period(24_320);
        let mut expected: BTreeMap<String, Vec<UsageLine>> = BTreeMap::new();
        for line in model.usage().into_iter().filter(|line| line.period == period) {
            expected.entry(model.accounts[line.account.0 as usize].name.clone()).or_default().push(line);
        }
        for limit in [1, 4, usize::MAX] {
            let mut found: Vec<(String, Vec<UsageLine>)> = Vec::new();
            loop {
                let before = found.len();
                let after = found.last().map(|last| last.0.clone());
                store.period_usage(period, after.as_deref(), limit, &mut |account, lines| {
                    found.push((account.name.clone(), lines.to_vec()));
                    Visit::Continue(())
                }).unwrap();
                if found.len() == before { break; }
            }
            prop_assert_eq!(&found, &expected.clone().into_iter().collect::<Vec<_>>());
        }
    }
}

/// An account with more calls than are sorted at once.
#[test]
fn a_large_account_is_in_order() {
    let (_folder, store) = open();
    let mut dice = Dice(3);
    let mut calls: Vec<OwnedCall> = Vec::new();
    for flush in 0..2_u64 {
        let new: Vec<OwnedCall> = (0..20_000_u64)
            .map(|i| {
                let mut call = any_call(&mut dice, flush * 100_000 + i, 1);
                call.call.period = Period(24_321);
                call
            })
            .collect();
        let accounts = [Account { key: AccountKey(0), name: "a".into() }];
        store
            .flush(&FlushBatch {
                accounts: if flush == 0 { &accounts } else { &[] },
                calls: &rows(&new),
                describe: &describe,
                ..FlushBatch::empty(Position(flush * 100_000), Position(flush * 100_000 + 100_000), Timestamp(0))
            })
            .unwrap();
        calls.extend(new);
    }
    let expected = sorted(calls, by_account);
    assert!(everything(&store, Some(Period(24_321)), ScanOrder::Account) == expected);
    let (account, period) = (AccountKey(0), Period(24_321));
    let after = CallCursor { answer: expected[30_000].call.answer, key: expected[30_000].call.key };
    let mut found = Vec::new();
    let page = CallPage { after: Some(after), limit: Some(9_000) };
    let end = store
        .calls(account, period, page, &mut |call| {
            found.push(call.to_owned_call());
            Visit::Continue(())
        })
        .unwrap();
    assert!(found == expected[30_001..39_001]);
    assert_eq!(end.map(|end| end.key), Some(expected[39_000].call.key));
}

fn suspended(position: u64, leg: Option<Direction>, reason: SuspenseReason) -> SuspendedRow<'static> {
    SuspendedRow {
        key: SuspenseKey { position: Position(position), leg },
        reason,
        attempt: Position(position),
        account: leg.map(|_| AccountKey(1)),
        period: leg.map(|_| Period(24_321)),
        node: b"lab",
        id: b"c\xff1",
        source_dialled: b"+49301",
        destination_dialled: b"",
        answer: Some(Timestamp(5)),
        record: b"\x01canonical",
        source: SourceId(2),
        received_at: Timestamp(77),
        detail: "no row for it",
    }
}

fn listed(store: &SqliteStore, page: SuspensePage) -> Vec<SuspenseItem> {
    let mut items = Vec::new();
    store
        .suspense(page, &mut |item| {
            items.push(item.clone());
            Visit::Continue(())
        })
        .unwrap();
    items
}

#[test]
fn suspense_is_kept_until_released() {
    let (_folder, store) = open();
    let (out, none) = (Some(Direction::Outbound), None);
    let first = [
        suspended(10, out, SuspenseReason::NoRate),
        suspended(10, Some(Direction::Inbound), SuspenseReason::Blocked),
        suspended(30, none, SuspenseReason::UnknownAccount),
        suspended(20, out, SuspenseReason::NoRate),
    ];
    let batch = |from, upto| FlushBatch::empty(Position(from), Position(upto), Timestamp(1));
    store.flush(&FlushBatch { suspended: &first, ..batch(0, 100) }).unwrap();
    let counts = [(SuspenseReason::UnknownAccount, 1), (SuspenseReason::NoRate, 2), (SuspenseReason::Blocked, 1)];
    assert_eq!(store.suspense_counts().unwrap(), counts);
    assert_eq!(store.load().unwrap().suspense, counts);
    let items = store.suspense_of(Position(10)).unwrap();
    assert_eq!(
        items.iter().map(|i| (i.key.leg, i.reason)).collect::<Vec<_>>(),
        [(out, SuspenseReason::NoRate), (Some(Direction::Inbound), SuspenseReason::Blocked)]
    );
    assert_eq!(
        items[0],
        SuspenseItem {
            key: first[0].key,
            reason: SuspenseReason::NoRate,
            attempt: Position(10),
            account: Some(AccountKey(1)),
            period: Some(Period(24_321)),
            node: b"lab".to_vec(),
            id: b"c\xff1".to_vec(),
            source_dialled: b"+49301".to_vec(),
            destination_dialled: vec![],
            answer: Some(Timestamp(5)),
            record: b"\x01canonical".to_vec(),
            source: SourceId(2),
            received_at: Timestamp(77),
            detail: "no row for it".into(),
        }
    );
    let all = SuspensePage { reason: None, after: None, limit: 99 };
    let keys = |items: Vec<SuspenseItem>| items.iter().map(|i| i.key.position.0).collect::<Vec<_>>();
    assert_eq!(keys(listed(&store, all)), [10, 10, 20, 30]);
    assert_eq!(keys(listed(&store, SuspensePage { limit: 1, after: Some(first[0].key), ..all })), [10]);
    assert_eq!(keys(listed(&store, SuspensePage { reason: Some(SuspenseReason::NoRate), ..all })), [10, 20]);
    assert!(listed(&store, all).iter().all(|item| item.record.is_empty()));

    // Tried again in vain, for another reason; tried again and resolved; a key that is not there.
    let again = [SuspendedRow { attempt: Position(150), ..suspended(20, out, SuspenseReason::Blocked) }];
    let released = [first[0].key, first[2].key, SuspenseKey { position: Position(99), leg: none }];
    let retried = [
        Retried { key: first[3].key, attempt: Position(150) },
        Retried { key: first[2].key, attempt: Position(160) },
        Retried { key: first[0].key, attempt: Position(140) },
    ];
    store.flush(&FlushBatch { suspended: &again, released: &released, retried: &retried, ..batch(100, 200) }).unwrap();
    assert_eq!(store.suspense_counts().unwrap(), [(SuspenseReason::Blocked, 2)]);
    assert_eq!(store.suspense_of(Position(20)).unwrap()[0].attempt, Position(150));
    assert_eq!(store.load().unwrap().retried, [retried[2], retried[0], retried[1]]);
}

#[test]
fn each_item_in_suspense_is_in_one_part() {
    let (_folder, store) = open();
    let out = Some(Direction::Outbound);
    // Several in a stretch of the journal, several stretches side by side, stretches without any, and the last place there is.
    let far = [7 << 20, (7 << 20) + 1, 40 << 20, i64::MAX as u64 - 1];
    let positions = [0, 9, (1 << 20) - 1, 1 << 20, 2 << 20].into_iter().chain(far);
    let rows: Vec<SuspendedRow<'_>> = positions
        .flat_map(|position| [None, out].map(|leg| suspended(position, leg, SuspenseReason::NoRate)))
        .collect();
    store
        .flush(&FlushBatch {
            suspended: &rows,
            ..FlushBatch::empty(Position(0), Position(i64::MAX as u64), Timestamp(1))
        })
        .unwrap();
    let mut all = Vec::new();
    let whole = SuspensePage { reason: None, after: None, limit: usize::MAX };
    let keep = |items: &mut Vec<SuspenseItem>, item: &SuspenseItem| {
        items.push(item.clone());
        Visit::Continue(())
    };
    store.suspense_whole(whole, &mut |item| keep(&mut all, item)).unwrap();
    assert_eq!(all.len(), rows.len());
    for parts in [1, 2, 3, 7] {
        let mut found = Vec::new();
        for part in 0..parts {
            let before = found.len();
            store.suspense_part((part, parts), &mut |item| keep(&mut found, item)).unwrap();
            assert!(found[before..].is_sorted_by_key(|item| item.key));
        }
        found.sort_by_key(|item| item.key);
        assert_eq!(found, all, "{parts} parts");
    }
}

#[test]
fn small_tables_come_back() {
    let (_folder, store) = open();
    let activation = |slot: u16, digest: &str| ActivationRow {
        slot: slot.into(),
        position: Position(u64::from(slot) * 10),
        digest: digest.into(),
        effective_from: (slot == 1).then_some(Timestamp(-5)),
        activated_at: Timestamp(9),
        by: "sighup".into(),
    };
    let source =
        |position, json: &str| SourceRow { source: SourceId(3), position: Position(position), json: json.into() };
    let conflict = |position, first| ConflictRow {
        position: Position(position),
        first: Position(first),
        record: b"\0r",
        source: SourceId(1),
        received_at: Timestamp(5),
    };
    let batch = |from, upto| FlushBatch::empty(Position(from), Position(upto), Timestamp(upto as i64));
    store
        .flush(&FlushBatch {
            tariffs: &[activation(0, "aa")],
            directories: &[activation(0, "dd")],
            sources: &[source(0, "{}")],
            conflicts: &[conflict(40, 2), conflict(30, 1)],
            ..batch(0, 50)
        })
        .unwrap();
    store
        .flush(&FlushBatch { tariffs: &[activation(1, "bb")], sources: &[source(60, "{\"a\":1}")], ..batch(50, 90) })
        .unwrap();
    let state = store.load().unwrap();
    assert_eq!(state.tariffs, [activation(0, "aa"), activation(1, "bb")]);
    assert_eq!(state.directories, [activation(0, "dd")]);
    assert_eq!(state.sources, [source(0, "{}"), source(60, "{\"a\":1}")]);
    let conflicts = store.conflicts(None, 9).unwrap();
    assert_eq!(conflicts.iter().map(|c| (c.position.0, c.first.0)).collect::<Vec<_>>(), [(30, 1), (40, 2)]);
    assert_eq!(store.conflicts(Some(Position(30)), 9).unwrap(), conflicts[1..]);
    let flushes = store.flushes(None, 9).unwrap();
    let shown: Vec<_> = flushes.iter().map(|f| (f.number, f.from.0, f.upto.0, f.at.0, f.calls)).collect();
    assert_eq!(shown, [(1, 0, 50, 50, 0), (2, 50, 90, 90, 0)]);
    assert_eq!(store.flushes(Some(1), 9).unwrap(), flushes[1..]);
}

#[test]
fn accounts_have_names() {
    let (_folder, store) = open();
    let mut model = Model::default();
    model.flush(&store, &mut Dice(1), 3).unwrap();
    assert_eq!(store.account_named("acc07").unwrap(), Some(AccountKey(1)));
    assert_eq!(store.account_named("nobody").unwrap(), None);
    assert_eq!(store.account_name(AccountKey(1)).unwrap().as_deref(), Some("acc07"));
    assert_eq!(store.account_name(AccountKey(4000)).unwrap(), None);
}
