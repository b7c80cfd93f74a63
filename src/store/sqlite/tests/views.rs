//! What any SQLite tool shows, compared with the values formatted here.

use super::*;
use crate::money::Sum;

fn iso(at: Timestamp) -> String {
    let (seconds, micros) = (at.0.div_euclid(1_000_000), at.0.rem_euclid(1_000_000));
    let text = Timestamp(seconds * 1_000_000).to_string();
    format!("{}.{micros:06}Z", text.trim_end_matches('Z'))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn call_details_show_everything() {
    let (_folder, store) = open();
    let (mut model, mut dice) = (Model::default(), Dice(23));
    for _ in 0..4 {
        model.flush(&store, &mut dice, 200).unwrap();
    }
    let mut expected: Vec<Vec<String>> = Vec::new();
    for call in &model.calls {
        let c = &call.call;
        expected.push(vec![
            model.accounts[c.account.0 as usize].name.clone(),
            c.period.to_string(),
            c.key.leg.name().into(),
            c.call_type.name().into(),
            c.source.map_or("NULL".into(), |n| n.to_string()),
            c.destination.map_or("NULL".into(), |n| n.to_string()),
            lossy(&call.source_dialled),
            lossy(&call.destination_dialled),
            iso(c.answer),
            format!("{}.{:06}", c.duration.0 / 1_000_000, c.duration.0 % 1_000_000),
            // The cost as rounded to the basis's decimals, or all nine where it was not rounded.
            {
                let fine = c.cost.0 % 10_i64.pow(9 - u32::from(c.basis.decimals)) != 0;
                c.cost.fixed(if fine { 9 } else { u32::from(c.basis.decimals) })
            },
            c.basis.price.rate.fixed(9),
            call.text.plan.clone(),
            call.text.destination.clone(),
            lossy(&call.node),
            lossy(&call.id),
            c.key.position.to_string(),
            if model.groups.len() > c.group.0 as usize { format!("group{}", c.group.0) } else { "NULL".into() },
        ]);
    }
    let writer = store.writer();
    let mut statement = writer
        .connection()
        .prepare(
            "SELECT account, period, leg, call_type, source, destination, source_dialled, destination_dialled, answer,
             duration_seconds, cost, rate, plan, destination_name, node, call_id, CAST(position AS TEXT), billing_group
             FROM call_details",
        )
        .unwrap();
    let mut found: Vec<Vec<String>> = statement
        .query_map((), |row| {
            (0..18).map(|i| Ok(row.get::<_, Option<String>>(i)?.unwrap_or_else(|| "NULL".into()))).collect()
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// The totals' view is the sum of the calls at every moment, whatever has been folded.
#[test]
#[expect(clippy::type_complexity, reason = "a row of the view, column by column")]
fn account_usage_is_the_sum_of_calls() {
    let (_folder, store) = open();
    let (mut model, mut dice) = (Model::default(), Dice(29));
    for _ in 0..40 {
        model.flush(&store, &mut dice, 9).unwrap();
        let mut expected: Vec<(String, Option<String>, String, String, String, i64, String, i64, String)> = model
            .usage()
            .into_iter()
            .map(|line| {
                let usage = line.usage;
                (
                    model.accounts[line.account.0 as usize].name.clone(),
                    // Some calls of the model name a group that was never announced.
                    model.groups.get(line.group.0 as usize).map(|group| group.name.clone()),
                    line.period.to_string(),
                    line.call_type.name().into(),
                    lossy(&line.currency),
                    usage.calls,
                    format!("{}.{:06}", usage.talk / 1_000_000, usage.talk % 1_000_000),
                    usage.billable_seconds,
                    Sum(usage.cost).fixed(9),
                )
            })
            .collect();
        expected.sort();
        let writer = store.writer();
        let mut statement = writer.connection().prepare("SELECT * FROM account_usage").unwrap();
        let mut found: Vec<_> = statement
            .query_map((), |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                    row.get(6)?,
                    row.get(7)?,
                    row.get(8)?,
                ))
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        found.sort();
        assert_eq!(found, expected);
    }
}

/// A sum beyond 63 bits of nano-units (any currency of small units reaches it) is kept and shown to the digit.
#[test]
fn large_totals_are_exact() {
    let (_folder, store) = open();
    let account = Account { key: AccountKey(0), name: "a".into() };
    for (i, cost) in [i128::from(i64::MAX) * 1_000_000 + 7, -1, -1_500_000_000, 0].into_iter().enumerate() {
        let line = UsageLine {
            account: AccountKey(0),
            group: GroupKey(0),
            decimals: 9,
            period: Period(24_321),
            call_type: CallType::International,
            currency: *b"IDR",
            usage: Usage { calls: 1, talk: 1, billable_seconds: 1, cost },
        };
        let position = |i: usize| Position(i as u64 * 10);
        store
            .flush(&FlushBatch {
                accounts: if i == 0 { std::slice::from_ref(&account) } else { &[] },
                usage: &[line],
                ..FlushBatch::empty(position(i), position(i + 1), Timestamp(0))
            })
            .unwrap();
        assert_eq!(store.usage(AccountKey(0), Period(24_321)).unwrap(), [line]);
        let shown: String =
            store.writer().connection().query_row("SELECT cost FROM account_usage", (), |row| row.get(0)).unwrap();
        assert_eq!(shown, Sum(cost).fixed(9));
    }
    let line = UsageLine {
        account: AccountKey(0),
        group: GroupKey(0),
        decimals: 9,
        period: Period(24_321),
        call_type: CallType::International,
        currency: *b"IDR",
        usage: Usage { cost: i128::MAX, ..Usage::default() },
    };
    let batch = FlushBatch { usage: &[line], ..FlushBatch::empty(Position(40), Position(50), Timestamp(0)) };
    assert!(matches!(store.flush(&batch), Err(StoreError::Unstorable(_))));
}
