//! Two decks beside each other: what is told of them, and that it is what a look at every instant tells.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::tariff::deck;
use crate::tariff::findings::Findings;
use crate::time::Zone;

fn read(text: &str) -> Deck {
    let mut findings = Findings::new("deck.csv");
    let deck = deck::read(text.as_bytes(), &Zone::UTC, &|_, _| None, &mut findings);
    assert!(!findings.refused(), "{text}");
    deck
}

/// Changes in words, and how many rows are the same.
fn told(before: &str, after: &str, from: Option<Timestamp>) -> (Vec<String>, u64) {
    let (before, after) = (read(before), read(after));
    let mut told = Vec::new();
    let unchanged = rows(lines_of("d", "UTC", &before), lines_of("d", "UTC", &after), from, &mut |change| {
        let line = change.line().unwrap();
        let mut text = format!("{} {}", line.prefix, change.kind.name());
        text += &change.hundredths.map_or_else(String::new, |by| format!(" {by}"));
        text += &change.from.map_or_else(String::new, |t| format!(" from {t}"));
        text += &change.to.map_or_else(String::new, |t| format!(" to {t}"));
        let asks = line.condition.words(line.zone);
        text += &if asks.is_empty() { asks } else { format!(" [{asks}]") };
        told.push(text);
    });
    (told, unchanged)
}

#[track_caller]
fn check(before: &str, after: &str, expected: &[&str], unchanged: u64) {
    let (told, same) = told(&format!("prefix,{before}"), &format!("prefix,{after}"), None);
    assert_eq!((told.iter().map(String::as_str).collect::<Vec<_>>(), same), (expected.to_vec(), unchanged));
}

#[test]
fn rows_by_prefix() {
    check("rate\n49,0.02\n44,0.01\n", "rate\n44,0.01\n49,0.02\n", &[], 2);
    check("rate\n49,0.02\n", "rate\n49,0.02\n4930,0.03\n", &["4930 added"], 1);
    check("rate\n49,0.02\n4930,0.03\n", "rate\n49,0.02\n", &["4930 removed"], 1);
    // 0.025 is a quarter more than 0.02; two thirds of 0.03 are a third less: 33.33 %.
    check("rate\n49,0.02\n44,0.03\n", "rate\n49,0.025\n44,0.02\n", &["44 down -3333", "49 up 2500"], 0);
    // A half of a hundredth is rounded away from nought: 1/80,000 is 0.00125 %, 1/16,000 is 0.00625 %.
    check("rate\n1,0.8\n2,1.6\n", "rate\n1,0.80001\n2,1.6001\n", &["1 up 0", "2 up 1"], 0);
    check("rate\n49,0\n", "rate\n49,0.01\n", &["49 up"], 0);
    check("rate\n49,0.01\n", "rate\n49,0\n", &["49 down -10000"], 0);
}

#[test]
fn what_else_prices_a_call() {
    check("rate,connect_fee\n49,0.02,0.10\n", "rate,connect_fee\n49,0.02,0.15\n", &["49 up 5000"], 0);
    // Where several parts move the rate decides, as it is what most of a call costs.
    check("rate,connect_fee\n49,0.02,0.10\n", "rate,connect_fee\n49,0.01,0.15\n", &["49 down -5000"], 0);
    check("rate,maximum_cost\n49,0.02,\n", "rate,maximum_cost\n49,0.02,1\n", &["49 down"], 0);
    check("rate,maximum_cost\n49,0.02,1\n", "rate,maximum_cost\n49,0.02,2\n", &["49 up 10000"], 0);
    check("rate,minimum_cost\n49,0.02,\n", "rate,minimum_cost\n49,0.02,1\n", &["49 up"], 0);
    check("rate,increment\n49,0.02,60\n", "rate,increment\n49,0.02,1\n", &["49 other"], 0);
    check("rate,destination\n49,0.02,A\n", "rate,destination\n49,0.02,B\n", &["49 other"], 0);
    check("rate,blocked\n49,0.02,no\n", "rate,blocked\n49,0.02,yes\n", &["49 other"], 0);
}

#[test]
fn conditions_are_rows_of_their_own() {
    check(
        "rate,days\n49,0.02,mon-fri\n49,0.01,sat-sun\n",
        "rate,days\n49,0.02,mon-fri\n49,0.02,sat-sun\n",
        &["49 up 10000 [sat-sun UTC]"],
        1,
    );
    check("rate\n49,0.02\n", "rate,origin\n49,0.02,1212\n", &["49 removed", "49 added [callers from 1212]"], 0);
    check("rate,after\n49,0.02,\n49,0.01,60\n", "rate,after\n49,0.02,\n", &["49 removed [after 60 s]"], 1);
}

#[test]
fn dated_rows_are_a_price_over_time() {
    let next = "2027-01-01T00:00:00Z";
    // A price that ends where the next begins does not change before that.
    check(
        "rate,valid_from\n49,0.02,\n",
        "rate,valid_from\n49,0.02,\n49,0.03,2027-01-01\n",
        &[&format!("49 up 5000 from {next}")],
        0,
    );
    check(
        "rate,valid_from,valid_to\n49,0.02,,\n",
        "rate,valid_from,valid_to\n49,0.02,,2027-01-01\n",
        &[&format!("49 removed from {next}")],
        0,
    );
    check(
        "rate,valid_from,valid_to\n49,0.02,,2027-01-01\n49,0.02,2027-01-01,\n",
        "rate,valid_from,valid_to\n49,0.02,,\n",
        &[],
        1,
    );
    let (before, after) = ("prefix,rate\n49,0.02\n", "prefix,rate,valid_from\n49,0.02,2027-01-01\n");
    assert_eq!(told(before, after, None).0, [format!("49 removed to {next}")]);
    let from = crate::time::parse_rfc3339(next.as_bytes());
    assert_eq!(told(before, after, from), (Vec::new(), 1));
}

/// Row cells: a prefix, cents, a day to begin with and one to end before.
type Cells = (u8, u8, Option<u8>, Option<u8>);

fn deck_text(rows: &[Cells]) -> String {
    let mut text = "prefix,rate,valid_from,valid_to\n".to_owned();
    let day = |day: Option<u8>| day.map_or_else(String::new, |day| format!("2027-01-{day:02}"));
    // Two rows that begin together contradict each other.
    let once: BTreeMap<_, _> = rows.iter().map(|row| ((row.0, row.2), row)).collect();
    for (prefix, cents, from, to) in once.into_values() {
        let to = to.filter(|to| from.is_none_or(|from| *to > from));
        text += &format!("4{prefix},0.{cents},{},{}\n", day(*from), day(to));
    }
    text
}

fn cells() -> impl Strategy<Value = Vec<Cells>> {
    let day = || proptest::option::of(1..5_u8);
    proptest::collection::vec((1..4_u8, 1..4_u8, day(), day()), 1..8)
}

/// The price in cents that a deck's text gives a prefix on a day, read from the cells alone: of the rows that hold, the one that
/// begins last.
fn price(text: &str, prefix: &str, day: &str) -> Option<String> {
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    let holds = |row: &Vec<&str>| row[0] == prefix && row[2] <= day && (row[3].is_empty() || day < row[3]);
    rows.filter(holds).max_by_key(|row| row[2].to_owned()).map(|row| row[1].to_owned())
}

proptest! {
    /// At every prefix and on every day exactly one change is told if the prices there differ, and none if not.
    #[test]
    fn changes_are_where_prices_differ(before in cells(), after in cells()) {
        let (before, after) = (deck_text(&before), deck_text(&after));
        let (old, new) = (read(&before), read(&after));
        let mut changes = Vec::new();
        rows(lines_of("d", "UTC", &old), lines_of("d", "UTC", &new), None, &mut |change| changes.push(change));
        for prefix in ["41", "42", "43"] {
            for day in ["2026-06-01", "2027-01-01", "2027-01-02", "2027-01-03", "2027-01-04", "2027-06-01"] {
                let at = crate::time::parse_rfc3339(format!("{day}T00:00:00Z").as_bytes()).unwrap();
                let told: Vec<Move> = changes.iter().filter(|change| {
                    change.line().unwrap().prefix.to_string() == prefix
                        && change.from.is_none_or(|from| from <= at) && change.to.is_none_or(|to| at < to)
                }).map(|change| change.kind).collect();
                let expected = match (price(&before, prefix, day), price(&after, prefix, day)) {
                    (None, None) => vec![],
                    (None, Some(_)) => vec![Move::Added],
                    (Some(_), None) => vec![Move::Removed],
                    (Some(old), Some(new)) if old == new => vec![],
                    (Some(old), Some(new)) => vec![if new > old { Move::Up } else { Move::Down }],
                };
                prop_assert_eq!(told, expected, "{} on {}\n{}\n{}", prefix, day, before, after);
            }
        }
    }
}
