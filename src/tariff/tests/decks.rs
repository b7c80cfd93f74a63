//! Which row prices a number: tables, and an oracle that reads decks row by row.

use super::*;
use proptest::prelude::*;

const PLANS: &str = r#"
[plan.p]
country = "DE"
currency = "EUR"
overage_rate = "0.01"
decks = ["b", "a"]
inbound_decks = ["c"]
[plan.q]
country = "DE"
currency = "EUR"
overage_rate = "0.01"
decks = ["a"]
[deck.a]
timezone = "Europe/Berlin"
"#;

fn shown(row: Option<Row<'_>>) -> String {
    row.map_or("-".to_owned(), |r| {
        let blocked = if r.blocked { " blocked" } else { "" };
        format!("{}:{} {}{blocked}", r.deck, r.prefix, r.price.rate)
    })
}

#[test]
fn longest_prefix_then_deck_order_then_later_row() {
    let tariff = open(&rates(
        PLANS,
        &[
            (
                "a",
                "prefix,rate,valid_from,valid_to,blocked\n49,1,,,\n4930,2,,,\n4930,3,2026-10-01,,\n49301,4,,2026-10-01,\n49305,,,,yes\n55,0,,,\n",
            ),
            ("b", "prefix,rate,valid_from\n49,5,\n4930,6,2027-01-01\n49302,7,\nDE:118,9,\n"),
            ("c", "prefix,rate\n49800,0.02\n"),
        ],
    ));
    // Midnight in Berlin, summer time.
    let (before, after, later) =
        (at("2026-09-30T21:59:59.999999Z"), at("2026-09-30T22:00:00Z"), at("2027-01-01T00:00:00Z"));
    let key = tariff.short_code(Country::parse("DE").unwrap(), b"11833").unwrap().to_string();
    for (side, dialled, answer, expected) in [
        (Side::Outbound, "491", before, "b:49 5"),
        (Side::Outbound, "4930", before, "a:4930 2"),
        (Side::Outbound, "4930", after, "a:4930 3"),
        (Side::Outbound, "4930", later, "b:4930 6"),
        (Side::Outbound, "493012", before, "a:49301 4"),
        (Side::Outbound, "493012", after, "a:4930 3"),
        (Side::Outbound, "493022", before, "b:49302 7"),
        (Side::Outbound, "493055", before, "a:49305 0 blocked"),
        (Side::Outbound, "4", before, "-"),
        (Side::Outbound, "48", before, "-"),
        (Side::Outbound, "5511987654321", before, "a:55 0"),
        (Side::Outbound, "1", later, "-"),
        (Side::Outbound, &key, later, ""),
        (Side::Inbound, "49800123", before, "c:49800 0.02"),
        (Side::Inbound, "4930", before, "-"),
    ] {
        let plan = tariff.plan_named("p").unwrap();
        let found = shown(tariff.lookup(plan, side, number(dialled), answer));
        if dialled == key {
            assert!(found.starts_with("b:0") && found.ends_with("118 9"), "{found}");
        } else {
            assert_eq!(found, expected, "{side:?} {dialled} at {answer}");
        }
    }
    let alone = tariff.plan_named("q").unwrap();
    assert_eq!(shown(tariff.lookup(alone, Side::Outbound, number("493022"), after)), "a:4930 3");
    assert_eq!(shown(tariff.lookup(alone, Side::Inbound, number("4930"), after)), "-");
    assert_eq!(tariff.prefixes(), 8);
}

#[test]
fn typed_rows_win_over_longer_untyped_ones() {
    let tariff = open(&rates(
        PLANS,
        &[
            (
                "a",
                "prefix,rate,call_type,valid_from\n4915555,1,domestic_premium,\n4915555,2,,2026-06-01\n49155556,3,,\n1787555,4,domestic_premium,\n178,5,international,\n",
            ),
            ("b", "prefix,rate,call_type\n4915555,6,international\n491,7,included\n"),
            ("c", "prefix,rate\n"),
        ],
    ));
    let (spring, summer) = (at("2026-03-01T00:00:00Z"), at("2026-07-01T00:00:00Z"));
    for (plan, dialled, answer, expected) in [
        // The longer row names no type; deck b is listed first.
        ("p", "491555561", spring, "b:4915555 6"),
        ("q", "491555561", spring, "a:4915555 1"),
        // Its own deck took the type back in June.
        ("q", "491555561", summer, "-"),
        ("p", "491555561", summer, "b:4915555 6"),
        ("p", "4916", summer, "b:491 7"),
        ("q", "17875551234", summer, "a:1787555 4"),
        ("q", "17875561234", summer, "a:178 5"),
        ("q", "4930", summer, "-"),
    ] {
        let id = tariff.plan_named(plan).unwrap();
        assert_eq!(shown(tariff.lookup_typed(id, number(dialled), answer)), expected, "{plan} {dialled} at {answer}");
    }
}

#[test]
fn a_row_says_everything() {
    let deck = "prefix,rate,destination,connect_fee,increment,minimum_cost,maximum_cost,call_type,valid_from,valid_to\n\
                4930,0.02,Berlin,0.1,60/6,0.05,9,included,2026-01-01,2027-01-01\n49,1,,,,,,,,\n";
    let tariff = open(&rates(PLANS, &[("a", deck), ("b", "prefix,rate\n"), ("c", "prefix,rate\n")]));
    let plan = tariff.plan_named("p").unwrap();
    let row = tariff.lookup(plan, Side::Outbound, number("4930123"), at("2026-06-01T00:00:00Z")).unwrap();
    assert_eq!((row.prefix, row.deck, row.destination), (number("4930"), "a", "Berlin"));
    assert_eq!((row.call_type, row.blocked), (Some(CallType::Included), false));
    let price = Price {
        rate: Money(20_000_000),
        connect_fee: Money(100_000_000),
        minimum_cost: Some(Money(50_000_000)),
        maximum_cost: Some(Money(9_000_000_000)),
    };
    assert_eq!(row.price, price);
    assert_eq!(row.steps.map(|s| (s.initial, s.increment)), Some((60, 6)));
    assert_eq!((row.valid_from, row.valid_to), (Some(at("2025-12-31T23:00:00Z")), Some(at("2026-12-31T23:00:00Z"))));
    assert_eq!(format!("{:?}", tariff.row(row.id)), format!("{row:?}"), "the same by id");
    let nothing = tariff.row(RowId(u32::MAX));
    assert!(nothing.blocked && nothing.prefix.is_empty());
}

#[test]
fn numbers_are_classified_and_unknown_ones_have_a_main_territory() {
    let tariff = open(&rates("", &[]));
    for (digits, country, kind) in [
        ("4930123456", "DE", NumberKind::Fixed),
        ("4915112345678", "DE", NumberKind::Mobile),
        ("4999", "DE", NumberKind::Unknown),
        ("999", "001", NumberKind::Unknown),
    ] {
        let class = tariff.classify(number(digits));
        assert_eq!((class.country.as_str(), class.kind), (country, kind), "{digits}");
    }
}

/// A row of the property test.
#[derive(Clone, Debug, PartialEq)]
struct OracleRow {
    prefix: String,
    /// Days since 1970.
    from: Option<i64>,
    to: Option<i64>,
    rate: u32,
    typed: bool,
    blocked: bool,
}

impl OracleRow {
    fn holds(&self, day: i64) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day < to)
    }

    fn line(&self) -> String {
        let date = |day: Option<i64>| {
            day.map_or(String::new(), |d| {
                jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(d)).unwrap().to_string()
            })
        };
        let call_type = if self.typed { "international" } else { "" };
        format!("{},{},{call_type},{},{},{}\n", self.prefix, self.rate, date(self.from), date(self.to), self.blocked)
    }
}

const HEADER: &str = "prefix,rate,call_type,valid_from,valid_to,blocked\n";

fn row() -> impl Strategy<Value = OracleRow> {
    let prefix = prop_oneof!["[4-5][0-2]{0,4}", "4[0-9]{1,8}", "[1-9][0-9]{0,14}"];
    let day = proptest::option::weighted(0.5, 20_700..20_710_i64);
    (
        prefix,
        day,
        proptest::option::weighted(0.5, 1..8_i64),
        0..1000_u32,
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.1),
    )
        .prop_map(|(prefix, from, length, rate, typed, blocked)| {
            let to = length.map(|l| from.unwrap_or(20_700) + l);
            OracleRow { prefix, from, to, rate, typed, blocked }
        })
}

/// A deck without two rows of one prefix and one beginning.
fn deck() -> impl Strategy<Value = Vec<OracleRow>> {
    proptest::collection::vec(row(), 0..40).prop_map(|rows| {
        let mut kept: Vec<OracleRow> = Vec::new();
        for row in rows {
            if !kept.iter().any(|k| k.prefix == row.prefix && k.from == row.from) {
                kept.push(row);
            }
        }
        kept
    })
}

/// R16, R17 word by word: of each deck and prefix the row in force that began last; of all that match the longest, of
/// equally long ones that of the deck listed first.
fn oracle<'r>(decks: &[&'r Vec<OracleRow>], query: &str, day: i64, typed: bool) -> Option<(usize, &'r OracleRow)> {
    let mut best: Option<(usize, &OracleRow)> = None;
    for (rank, deck) in decks.iter().enumerate() {
        for row in deck.iter().filter(|r| query.starts_with(&r.prefix) && r.holds(day)) {
            let superseded = deck.iter().any(|o| o.prefix == row.prefix && o.holds(day) && o.from > row.from);
            if superseded || typed && !row.typed {
                continue;
            }
            if best.is_none_or(|(_, b)| row.prefix.len() > b.prefix.len()) {
                best = Some((rank, row));
            }
        }
    }
    best
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn look_ups_equal_reading_row_by_row(
        a in deck(), b in deck(), c in deck(), tails in proptest::collection::vec("[0-9]{0,8}", 1..20), seed in any::<u64>(),
    ) {
        let text = |rows: &[OracleRow]| format!("{HEADER}{}", rows.iter().map(OracleRow::line).collect::<String>());
        let (ta, tb, tc) = (text(&a), text(&b), text(&c));
        let straight = rates(&PLANS.replace("Europe/Berlin", "UTC"), &[("a", &ta), ("b", &tb), ("c", &tc)]);
        let image = compile(&straight).unwrap().image;
        // Another order of rows, decks and tables says the same, to the byte.
        let shuffled = |rows: &[OracleRow]| {
            let mut rows = rows.to_vec();
            rows.sort_by_key(|r| xxhash_rust::xxh3::xxh3_64_with_seed(r.line().as_bytes(), seed));
            text(&rows)
        };
        let mut turned = rates(&PLANS.replace("Europe/Berlin", "UTC"), &[("c", &shuffled(&c)), ("b", &shuffled(&b)), ("a", &shuffled(&a))]);
        let plans = String::from_utf8(turned.plans).unwrap();
        let (p, rest) = plans.split_at(plans.find("[plan.q]").unwrap());
        turned.plans = format!("{rest}{p}").into_bytes();
        prop_assert!(compile(&turned).unwrap().image == image);

        let tariff = Tariff::open(Bytes::from(image)).unwrap();
        let queries: Vec<String> = a.iter().chain(&b).chain(&c).map(|r| r.prefix.clone()).chain(["4".to_owned()])
            .zip(tails.iter().cycle()).map(|(p, t)| format!("{p}{t}").chars().take(15).collect()).collect();
        for (plan, side, decks) in [
            ("p", Side::Outbound, vec![&b, &a]), ("p", Side::Inbound, vec![&c]), ("q", Side::Outbound, vec![&a]), ("q", Side::Inbound, vec![]),
        ] {
            let id = tariff.plan_named(plan).unwrap();
            for day in [20_699, 20_703, 20_707, 20_720] {
                let answer = Timestamp(day * 86_400_000_000);
                let said = |r: Row<'_>| (r.deck.to_owned(), r.prefix.to_string(), r.price.rate, r.blocked, r.call_type.is_some());
                let names = if plan == "p" && side == Side::Outbound { ["b", "a"] } else if plan == "p" { ["c", ""] } else { ["a", ""] };
                let meant = |(rank, r): (usize, &OracleRow)| (names[rank].to_owned(), r.prefix.clone(), Money(i64::from(r.rate) * 1_000_000_000), r.blocked, r.typed);
                for query in &queries {
                    let expected = oracle(&decks, query, day, false).map(meant);
                    prop_assert_eq!(tariff.lookup(id, side, number(query), answer).map(said), expected, "{} on {}", query, day);
                    if side == Side::Outbound {
                        let expected = oracle(&decks, query, day, true).map(meant);
                        prop_assert_eq!(tariff.lookup_typed(id, number(query), answer).map(said), expected, "typed {} on {}", query, day);
                    }
                }
                let numbers: Vec<Number> = queries.iter().map(|q| number(q)).collect();
                let mut out = vec![None; numbers.len()];
                tariff.lookup_batch(id, side, &numbers, &vec![answer; numbers.len()], &mut out);
                for (number, out) in numbers.iter().zip(out) {
                    let one = tariff.lookup(id, side, *number, answer);
                    prop_assert_eq!(one.map(|r| r.id), out);
                    if let (Some(row), Some(id)) = (one, out) {
                        prop_assert_eq!(format!("{:?}", tariff.row(id)), format!("{row:?}"));
                    }
                }
            }
        }
    }
}
