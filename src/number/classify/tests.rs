use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const SHIPPED: &str = include_str!("../../../rates/numbering.csv");

fn number(digits: &str) -> Number {
    Number::from_digits(digits.as_bytes()).unwrap()
}

fn class(country: &str, kind: NumberKind) -> Option<Class> {
    Some(Class { country: Country::parse(country).unwrap(), kind })
}

fn plan_of(rows: &str) -> Vec<u8> {
    build(&parse(&format!("{HEADER}\n{rows}")).unwrap())
}

#[test]
fn the_longest_prefix_with_a_row_for_the_length() {
    let bytes = plan_of(
        "49,DE,fixed,\n\
         491,DE,uan,9;10\n\
         4916,DE,mobile,12 13\n\
         4916,DE,voicemail,14\n\
         49160,DE,pager,8\n\
         1,US,fixed_or_mobile,11\n\
         18,US,unknown,11\n\
         1876,JM,mobile,\n\
         44,GB,fixed,9-11\n\
         447,GB,unknown,10-20\n\
         4477,JE,mobile,11;13-14\n",
    );
    let plan = NumberingPlan::validate(&bytes).unwrap();
    assert_eq!(plan.len(), 10);
    for (digits, expected) in [
        ("4930123456", class("DE", NumberKind::Fixed)),
        ("491601234567", class("DE", NumberKind::Mobile)),
        ("4916012345678", class("DE", NumberKind::Mobile)),
        ("49160123456789", class("DE", NumberKind::Voicemail)),
        ("49160123", class("DE", NumberKind::Pager)),
        // 4916 has no row for nine or ten digits, 491 has.
        ("491601234", class("DE", NumberKind::Uan)),
        ("4916012345", class("DE", NumberKind::Uan)),
        // Nor has 491 one for eleven: back to 49.
        ("49160123456", class("DE", NumberKind::Fixed)),
        ("491601234567890", class("DE", NumberKind::Fixed)),
        ("49", class("DE", NumberKind::Fixed)),
        ("14155550100", class("US", NumberKind::FixedOrMobile)),
        ("1415555010", None),
        ("1876555", class("JM", NumberKind::Mobile)),
        ("18155550100", None),
        // The row that says unknown is for eleven digits only, and none is left for fewer.
        ("1815555010", None),
        ("18765550100", class("JM", NumberKind::Mobile)),
        ("447712345", class("GB", NumberKind::Fixed)),
        ("44771234567", class("JE", NumberKind::Mobile)),
        ("447712345678", None),
        ("44771234567890", class("JE", NumberKind::Mobile)),
        ("44712345678", None),
        ("447123456", class("GB", NumberKind::Fixed)),
        ("4", None),
        ("33123456789", None),
    ] {
        assert_eq!(plan.classify(number(digits)), expected, "{digits}");
    }
}

#[test]
fn refused_rows() {
    let after_header = |row: &str| format!("{HEADER}\n1,US,fixed,\n{row}\n");
    let table: &[(String, &str)] = &[
        (String::new(), "line 1: the file is empty"),
        ("prefix,country\n".into(), "line 1: the header must be"),
        (after_header("49,DE,fixed"), "line 3: `49,DE,fixed` has not the four fields"),
        (after_header("49,DE,fixed,,"), "line 3: "),
        (after_header("+49,DE,fixed,"), "line 3: `+49` is no prefix"),
        (after_header(",DE,fixed,"), "line 3: `` is no prefix"),
        (after_header("1234567890123456,DE,fixed,"), "line 3: `1234567890123456` is no prefix"),
        (after_header("49,Germany,fixed,"), "line 3: `Germany` is no territory"),
        (after_header("49,DE,landline,"), "line 3: `landline` is no kind of number; there are fixed,"),
        (after_header("49,DE,fixed,ten"), "line 3: `ten` is no length"),
        (after_header("49,DE,fixed,0"), "line 3: `0` is no length"),
        (after_header("49,DE,fixed,99"), "line 3: `99` is no length"),
        (after_header("49,DE,fixed,10 9-7"), "line 3: `9-7` is no length"),
        (after_header("49,DE,fixed,7-"), "line 3: `7-` is no length"),
        (after_header("49,DE,fixed,7-8-9"), "line 3: `7-8-9` is no length"),
        (after_header("1,CA,fixed,"), "line 3: prefix 1 has a row for the same length in line 2"),
        (
            after_header("49,DE,fixed,10 11\n7,RU,fixed,\n49,DE,mobile,11 12"),
            "line 5: prefix 49 has a row for the same",
        ),
    ];
    for (csv, expected) in table {
        let error = parse(csv).unwrap_err();
        assert!(error.starts_with(expected), "{csv}: {error}");
    }
}

#[test]
fn the_shipped_plan() {
    let rows = parse(SHIPPED).unwrap();
    assert_eq!(rows.len(), 35_671);
    let bytes = build(&rows);
    let plan = NumberingPlan::validate(&bytes).unwrap();
    assert_eq!(plan.len(), 35_493);
    // Every row answers for its own prefix, filled up to a length it allows.
    for row in &rows {
        let length = if row.lengths == 0 { row.prefix.len() } else { row.lengths.trailing_zeros() as usize };
        if length <= NUMBER_MAX && length >= row.prefix.len() {
            let filled = format!("{:0<length$}", row.prefix.to_string());
            let oracle = by_scanning(&rows, number(&filled));
            assert_eq!(plan.classify(number(&filled)), oracle, "{filled}");
        }
        if row.lengths != 0 {
            continue;
        }
        let own = class(row.country.as_str(), row.kind).filter(|_| row.kind != NumberKind::Unknown);
        assert_eq!(plan.classify(row.prefix), own, "{}", row.prefix);
    }
}

/// The same question, asked of a plain table of prefixes.
fn by_scanning(rows: &[NumberingRow], number: Number) -> Option<Class> {
    thread_local! {
        static TABLE: std::cell::RefCell<HashMap<String, Vec<usize>>> = std::cell::RefCell::default();
    }
    TABLE.with_borrow_mut(|table| {
        if table.is_empty() {
            for (i, row) in rows.iter().enumerate() {
                table.entry(row.prefix.to_string()).or_default().push(i);
            }
        }
        let digits = number.to_string();
        let longest = (1..=digits.len()).rev().find_map(|n| {
            let found = table.get(&digits[..n])?.iter().map(|i| &rows[*i]);
            let fits = |row: &&NumberingRow| row.lengths == 0 || row.lengths >> digits.len() & 1 == 1;
            found.into_iter().find(fits).map(|row| Class { country: row.country, kind: row.kind })
        });
        longest.filter(|class| class.kind != NumberKind::Unknown)
    })
}

fn shipped() -> &'static (Vec<NumberingRow>, Vec<u8>) {
    static SHIPPED_PLAN: std::sync::OnceLock<(Vec<NumberingRow>, Vec<u8>)> = std::sync::OnceLock::new();
    SHIPPED_PLAN.get_or_init(|| {
        let rows = parse(SHIPPED).unwrap();
        let bytes = build(&rows);
        (rows, bytes)
    })
}

proptest! {
    #[test]
    fn agrees_with_scanning(row in 0usize..35_671, more in "[0-9]{0,12}") {
        let (rows, bytes) = shipped();
        let digits = format!("{}{more}", rows[row].prefix);
        let number = number(&digits[..digits.len().min(NUMBER_MAX)]);
        prop_assert_eq!(NumberingPlan::trusted(bytes).classify(number), by_scanning(rows, number));
    }

    #[test]
    fn damaged_bytes_never_panic(
        digits in "[0-9]{1,15}",
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let mut bytes = plan_of("49,DE,fixed,\n4916,DE,mobile,12 13\n4916,DE,voicemail,14\n1876,JM,mobile,\n39,IT,fixed,9\n");
        for (place, byte) in &damage {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = NumberingPlan::validate(&bytes).map(|plan| plan.classify(number(&digits)));
        let _ = NumberingPlan::trusted(&bytes).classify(number(&digits));
    }

    #[test]
    fn foreign_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(NumberingPlan::validate(&bytes).is_err());
        prop_assert_eq!(NumberingPlan::trusted(&bytes).classify(number("4930123456")), None);
    }
}
