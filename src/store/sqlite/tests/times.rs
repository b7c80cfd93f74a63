//! Times take as few bytes as they can, and come back to the microsecond; also beside those of earlier versions.

use super::*;

#[test]
fn times_are_counted_in_the_largest_unit_that_keeps_them() {
    let (_folder, store) = open();
    let (month, mut dice) = (Period(2026 * 12 + 9), Dice(3));
    let middle = 1_792_152_000_000_000; // 2026-10-16 12:00 in UTC: half of its 31 days
    // answer, set-up before it, duration; what stands in the columns, and the tick
    let rows_of = [
        (middle + 7_000_000, Some(3_000_000), 61_000_000, (7, Some(3), 61), 1_000_000),
        (middle - 1000, Some(2000), 61_200_000, (-1, Some(2), 61_200), 1000),
        (middle + 7_000_000, None, 61_200_000, (7000, None, 61_200), 1000),
        (middle, Some(1), 1_000_000, (0, Some(1), 1_000_000), 1),
        (middle + 1, Some(0), 0, (1, Some(0), 0), 1),
        (middle + 1_000_000, Some(-5_000_000), 0, (1, Some(-5), 0), 1_000_000),
        // Answered in another month, and when no clock was set.
        (0, None, 0, (-1_792_152_000, None, 0), 1_000_000),
        (i64::MIN, Some(0), 5, (i64::MIN, Some(0), 5), 1),
        (i64::MAX, None, 5, (i64::MAX - middle, None, 5), 1),
    ];
    let mut calls: Vec<OwnedCall> = (0..rows_of.len() as u64).map(|i| any_call(&mut dice, i, 1)).collect();
    for (call, (answer, setup, duration, ..)) in calls.iter_mut().zip(rows_of) {
        (call.call.period, call.call.group, call.call.adjusts) = (month, GroupKey(0), None);
        (call.call.answer, call.call.duration) = (Timestamp(answer), Micros(duration));
        call.start = setup.map(|setup| Timestamp(answer.wrapping_sub(setup)));
    }
    let batch = FlushBatch {
        accounts: &[Account { key: AccountKey(0), name: "a".into() }],
        groups: &[Group { key: GroupKey(0), name: "g".into() }],
        calls: &rows(&calls),
        describe: &describe,
        ..FlushBatch::empty(Position(0), Position(100), Timestamp(0))
    };
    store.flush(&batch).unwrap();
    assert!(everything(&store, None, ScanOrder::Account) == sorted(calls, by_account));
    let writer = store.writer();
    let sql = "SELECT answer, setup, duration, tick FROM calls JOIN ratings ON id = rating ORDER BY position";
    let mut statement = writer.connection().prepare(sql).unwrap();
    let columns = statement.query_map((), |row| Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?)));
    let columns: Vec<_> = columns.unwrap().collect::<Result<_, _>>().unwrap();
    type Columns = (i64, Option<i64>, i64);
    let expected: Vec<(Columns, i64)> = rows_of.iter().map(|row| (row.3, row.4)).collect();
    assert_eq!(columns, expected);
    let shown = |position: i64| -> (String, String, String) {
        let sql = "SELECT start, answer, duration_seconds FROM call_details WHERE position = ?1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        writer.connection().query_row(sql, [position], row).unwrap()
    };
    for (position, start, answer, duration) in [
        (0, "2026-10-16T12:00:04.000000Z", "2026-10-16T12:00:07.000000Z", "61.000000"),
        (1, "2026-10-16T11:59:59.997000Z", "2026-10-16T11:59:59.999000Z", "61.200000"),
        (3, "2026-10-16T11:59:59.999999Z", "2026-10-16T12:00:00.000000Z", "1.000000"),
    ] {
        assert_eq!(shown(position), (start.into(), answer.into(), duration.into()));
    }
}
