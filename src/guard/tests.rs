//! Each rule in a table, with its arithmetic in words; and random calls beside a judge that keeps every call in a list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::event::{Circumstances, shown};
use super::read::{Known, read};
use super::{AccountState, Event, Fired, Judge, Per, Rules, Seen, States, What};
use crate::batch::Position;
use crate::call::{AccountKey, Basis, CallType, GroupKey, LegKey, RatedCall, StepMode, StepRule, TariffSlot};
use crate::directory::{self, Directory};
use crate::money::{Money, Price};
use crate::number::{Country, Number};
use crate::record::Direction;
use crate::time::{Micros, Period, Timestamp, parse_rfc3339};

const ACCOUNTS: &str = "account,plan,country,billing_start,timezone\n\
                        berlin,p,DE,2020-01-01,Europe/Berlin\nny,p,US,2020-01-01,America/New_York\nother,q,DE,2020-01-01,UTC\n";

fn known() -> Known<'static> {
    Known {
        plans: vec![("p", "EUR".to_owned()), ("q", "USD".to_owned())],
        accounts: BTreeSet::from(["berlin", "ny", "other"]),
    }
}

fn directory() -> Directory {
    let (image, _) = directory::compile(ACCOUNTS.as_bytes(), b"").unwrap();
    Directory::open(bytes::Bytes::from(image)).unwrap()
}

fn rules(text: &str) -> Arc<Rules> {
    let (rules, findings) = read(text.as_bytes(), &known());
    Arc::new(rules.unwrap_or_else(|| panic!("{findings:#?}")))
}

fn at(text: &str) -> Timestamp {
    parse_rfc3339(text.as_bytes()).unwrap()
}

/// A call of the account with this name, answered then, so long, at such a cost, to such a number.
fn call(account: &str, answer: Timestamp, minutes: i64, cost: &str, to: &str) -> RatedCall {
    let key = ["berlin", "ny", "other"].iter().position(|name| *name == account).unwrap() as u32;
    let rule = StepRule { mode: StepMode::Up, initial: 60, increment: 60, minimum: 0, free_below: Micros(0) };
    RatedCall {
        key: LegKey { position: Position(answer.0 as u64), leg: Direction::Outbound },
        account: AccountKey(key),
        group: GroupKey(key),
        period: Period(0),
        answer,
        duration: Micros::seconds(60 * minutes),
        source: None,
        destination: Number::from_digits(to.as_bytes()),
        call_type: if to.starts_with("49900") { CallType::DomesticPremium } else { CallType::International },
        billable_seconds: 60,
        included_seconds: 0,
        used_before: None,
        adjusts: None,
        cost: Money::parse(cost).unwrap(),
        basis: Basis {
            tariff: TariffSlot(0),
            plan: 0,
            rule: 10,
            row: None,
            steps: rule,
            price: Price { rate: Money::ZERO, connect_fee: Money::ZERO, minimum_cost: None, maximum_cost: None },
            currency: *b"EUR",
            decimals: 2,
            exchange: None,
        },
    }
}

/// +53 is Cuba, +371 Latvia, all else Germany.
fn country(number: Number) -> Country {
    let text = number.to_string();
    Country::parse(if text.starts_with("53") {
        "CU"
    } else if text.starts_with("371") {
        "LV"
    } else {
        "DE"
    })
    .unwrap()
}

struct Watch {
    directory: Directory,
    judge: Judge,
}

impl Watch {
    fn new(text: &str) -> Watch {
        let mut judge = Judge::default();
        judge.use_rules(rules(text));
        Watch { directory: directory(), judge }
    }

    /// What a call sets off whose record came so many seconds after its end.
    fn fired(&mut self, account: &str, call: &RatedCall, late: i64) -> Vec<Fired> {
        let row = self.directory.account_at(account.as_bytes(), call.answer).unwrap();
        let received_at = Timestamp(call.answer.0 + call.duration.0 + late * 1_000_000);
        let mut fired = Vec::new();
        self.judge.judge(Seen { call, account: &row, received_at }, country, &mut fired);
        fired
    }

    /// The same in words: rule, level, value.
    fn says(&mut self, account: &str, answer: &str, minutes: i64, cost: &str, to: &str) -> String {
        let fired = self.fired(account, &call(account, at(answer), minutes, cost, to), 1);
        words(&fired)
    }
}

fn words(fired: &[Fired]) -> String {
    let one = |one: &Fired| match &one.first {
        Some(first) => format!("{} {first}", one.rule.name),
        None => format!("{} {}% {}", one.rule.name, one.level, shown(one.rule.what, one.value, 2)),
    };
    fired.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_budget_of_a_month_tells_each_level_once() {
    let mut watch = Watch::new("[[rule]]\nname = \"m\"\namount = \"500\"\nper = \"month\"\nlevels = [50, 80, 100]");
    for (answer, cost, expected) in [
        // 249.99 of 500 is less than half.
        ("2026-10-05T09:00:00Z", "249.99", ""),
        // + 0.01 = 250.00, which is half.
        ("2026-10-05T09:10:00Z", "0.01", "m 50% 250.00"),
        // + 100 = 350.00: half was told.
        ("2026-10-06T09:00:00Z", "100", ""),
        // + 160 = 510.00: 400 and 500 are crossed by one call, and both are told.
        ("2026-10-07T09:00:00Z", "160", "m 80% 510.00, m 100% 510.00"),
        ("2026-10-07T10:00:00Z", "1000", ""),
        // In Berlin (UTC+1 since 25 October) November begins at 23:00 UTC.
        ("2026-10-31T22:59:59Z", "1", ""),
        ("2026-10-31T23:00:00Z", "260", "m 50% 260.00"),
        // A call of October that is told late belongs to October, where all is told.
        ("2026-10-31T22:00:00Z", "900", ""),
        ("2026-11-02T22:00:00Z", "139.99", ""),
        ("2026-11-02T23:00:00Z", "0.01", "m 80% 400.00"),
    ] {
        assert_eq!(watch.says("berlin", answer, 1, cost, "5312345"), expected, "{answer}");
    }
}

#[test]
fn days_are_those_of_the_accounts_zone() {
    let text = "[[rule]]\nname = \"d\"\nminutes = 60\nper = \"day\"";
    for (account, calls) in [
        // 24 October 2026 in Berlin ends at 22:00 UTC, the 25th lasts 25 hours, until 23:00 UTC of the same day.
        (
            "berlin",
            [
                ("2026-10-24T21:59:00Z", 59, ""),
                ("2026-10-24T22:00:00Z", 30, ""),
                ("2026-10-25T22:59:59Z", 30, "d 100% 60"),
                ("2026-10-25T23:00:00Z", 59, ""),
            ],
        ),
        // 29 March 2026 in Berlin lasts 23 hours, from 23:00 to 22:00 UTC.
        (
            "berlin",
            [
                ("2026-03-28T22:59:59Z", 59, ""),
                ("2026-03-28T23:00:00Z", 59, ""),
                ("2026-03-29T21:59:59Z", 1, "d 100% 60"),
                ("2026-03-29T22:00:00Z", 59, ""),
            ],
        ),
        // In New York it is four hours behind UTC in summer: the day begins at 04:00.
        (
            "ny",
            [
                ("2026-07-01T03:59:59Z", 59, ""),
                ("2026-07-01T04:00:00Z", 59, ""),
                ("2026-07-02T03:59:59Z", 1, "d 100% 60"),
                ("2026-07-02T04:00:00Z", 59, ""),
            ],
        ),
    ] {
        let mut watch = Watch::new(text);
        for (answer, minutes, expected) in calls {
            assert_eq!(watch.says(account, answer, minutes, "0", "5312345"), expected, "{account} {answer}");
        }
    }
}

#[test]
fn a_window_that_rolls_does_not_mind_the_clock() {
    // A quarter of an hour is twelve buckets of 75 seconds.
    let mut watch = Watch::new("[[rule]]\nname = \"v\"\ncalls = 3\nper = \"15m\"");
    for (answer, expected) in [
        // Three calls within two minutes, over the end of an hour, a day and a month.
        ("2026-10-31T22:59:00Z", ""),
        ("2026-10-31T22:59:59Z", ""),
        ("2026-10-31T23:00:59Z", "v 100% 3"),
        // Told once for as long as the window lasts, …
        ("2026-10-31T23:01:30Z", ""),
        ("2026-10-31T23:10:00Z", ""),
        // … and again when a whole one has gone by since then: 23:10:00, 23:17:30 and 23:18:00.
        ("2026-10-31T23:17:30Z", ""),
        ("2026-10-31T23:18:00Z", "v 100% 3"),
        // Half an hour apart they never meet.
        ("2026-11-01T00:00:00Z", ""),
        ("2026-11-01T00:30:00Z", ""),
        ("2026-11-01T01:00:00Z", ""),
        // Told out of order: 01:00, 01:10 and, late, 01:05 lie within a quarter of an hour.
        ("2026-11-01T01:10:00Z", ""),
        ("2026-11-01T01:05:00Z", "v 100% 3"),
    ] {
        assert_eq!(watch.says("berlin", answer, 1, "0", "5312345"), expected, "{answer}");
    }
}

#[test]
fn one_dear_or_long_call_is_told_once_an_hour() {
    let mut watch = Watch::new(
        "[[rule]]\nname = \"dear\"\namount = \"20\"\nper = \"call\"\n[[rule]]\nname = \"long\"\nminutes = 120\nper = \"call\"",
    );
    for (answer, minutes, cost, expected) in [
        ("2026-10-05T09:00:00Z", 119, "19.99", ""),
        ("2026-10-05T09:10:00Z", 1, "20", "dear 100% 20.00"),
        ("2026-10-05T09:20:00Z", 120, "25", "long 100% 120"),
        ("2026-10-05T09:59:59Z", 500, "99", ""),
        ("2026-10-05T10:00:00Z", 500, "99", "dear 100% 99.00, long 100% 500"),
    ] {
        assert_eq!(watch.says("berlin", answer, minutes, cost, "5312345"), expected, "{answer}");
    }
}

#[test]
fn a_first_call_is_told_after_the_time_of_learning() {
    let mut watch = Watch::new(
        "[[rule]]\nname = \"c\"\nfirst = \"country\"\nlearn = \"7d\"\n[[rule]]\nname = \"t\"\nfirst = \"call_type\"\nlearn = \"7d\"",
    );
    for (answer, to, expected) in [
        // The first week is for learning: Cuba and international calls are known from then on.
        ("2026-10-01T09:00:00Z", "5312345", ""),
        ("2026-10-08T09:00:00Z", "5312345", ""),
        ("2026-10-08T09:01:00Z", "37112345", "c LV"),
        ("2026-10-08T09:02:00Z", "37112345", ""),
        // Home is no country to be told of; the type is new.
        ("2026-10-08T09:03:00Z", "4990012345", "t domestic_premium"),
        ("2026-10-08T09:04:00Z", "4990012345", ""),
    ] {
        assert_eq!(watch.says("berlin", answer, 1, "0", to), expected, "{answer}");
    }
    // Who is new learns for himself.
    assert_eq!(watch.says("ny", "2026-10-20T09:00:00Z", 1, "0", "37112345"), "");
}

#[test]
fn only_what_a_rule_is_about_counts() {
    let mut watch = Watch::new(
        "[[rule]]\nname = \"cu\"\nminutes = 10\nper = \"day\"\ncountries = [\"CU\"]\nprefixes = [\"+3711\"]\n\
         [[rule]]\nname = \"premium\"\nminutes = 10\nper = \"day\"\ncall_types = [\"domestic_premium\"]\nplans = [\"p\"]\n\
         [[rule]]\nname = \"usd\"\namount = \"1\"\nper = \"day\"\ncurrency = \"USD\"",
    );
    for (account, to, minutes, expected) in [
        ("berlin", "37122345", 60, ""),
        ("berlin", "37112345", 9, ""),
        ("berlin", "5312345", 1, "cu 100% 10"),
        ("berlin", "4990012345", 9, ""),
        ("berlin", "4990012345", 1, "premium 100% 10"),
        ("other", "4990012345", 60, ""),
    ] {
        assert_eq!(watch.says(account, "2026-10-05T09:00:00Z", minutes, "5", to), expected, "{account} {to}");
    }
}

#[test]
fn an_account_may_have_another_limit_or_none() {
    let mut watch = Watch::new(
        "[[rule]]\nname = \"d\"\namount = \"10\"\nper = \"day\"\nplans = [\"p\"]\n\
         [account.berlin]\nd = \"100\"\n[account.ny]\nd = false",
    );
    for (account, cost, expected) in [
        ("berlin", "99", ""),
        ("berlin", "1", "d 100% 100.00"),
        ("ny", "1000", ""),
        // The rule is for another plan.
        ("other", "1000", ""),
    ] {
        assert_eq!(watch.says(account, "2026-10-05T09:00:00Z", 1, cost, "5312345"), expected, "{account}");
    }
}

#[test]
fn what_is_imported_counts_and_sets_nothing_off() {
    let text = "judge_within = \"6h\"\n[[rule]]\nname = \"m\"\namount = \"100\"\nper = \"month\"\n\
                [[rule]]\nname = \"c\"\nfirst = \"country\"\nlearn = \"7d\"";
    let mut watch = Watch::new(text);
    let late = |watch: &mut Watch, answer: &str, cost: &str, seconds: i64| {
        words(&watch.fired("berlin", &call("berlin", at(answer), 1, cost, "5312345"), seconds))
    };
    // Years ago: nothing, though it is a thousand.
    assert_eq!(late(&mut watch, "2024-03-01T09:00:00Z", "1000", 86_400 * 365), "");
    // This month, told a day late: it counts.
    assert_eq!(late(&mut watch, "2026-10-05T09:00:00Z", "90", 86_400), "");
    // 90 + 5 = 95, and 95 + 5 = 100. Six hours late is early enough, and a second more is not.
    assert_eq!(late(&mut watch, "2026-10-06T09:00:00Z", "5", 1), "");
    assert_eq!(late(&mut watch, "2026-10-06T10:00:00Z", "5", 6 * 3600 + 1), "");
    assert_eq!(late(&mut watch, "2026-10-06T11:00:00Z", "0", 6 * 3600), "m 100% 100.00");
    // What was imported has taught where the account calls.
    assert_eq!(watch.says("berlin", "2026-10-07T09:00:00Z", 1, "0", "37112345"), "c LV");
}

#[test]
fn an_account_that_nothing_watches_leaves_nothing() {
    let mut watch = Watch::new("[[rule]]\nname = \"d\"\namount = \"10\"\nper = \"day\"\naccounts = [\"ny\"]");
    assert_eq!(watch.says("berlin", "2026-10-05T09:00:00Z", 1, "99", "5312345"), "");
    assert_eq!(watch.judge.changes(), []);
    assert_eq!(watch.says("ny", "2026-10-05T09:00:00Z", 1, "99", "5312345"), "d 100% 99.00");
    assert_eq!(watch.judge.changes().len(), 1);
    assert_eq!(watch.judge.changes(), [], "nothing has changed since");
}

/// What was told stays told when the limit is raised, and what is above it is told.
#[test]
fn a_limit_that_is_raised_is_told_again() {
    let text =
        |limit: &str| format!("[[rule]]\nname = \"m\"\namount = \"{limit}\"\nper = \"month\"\nlevels = [50, 100]");
    let mut watch = Watch::new(&text("100"));
    assert_eq!(watch.says("berlin", "2026-10-05T09:00:00Z", 1, "100", "53"), "m 50% 100.00, m 100% 100.00");
    watch.judge.use_rules(rules(&text("200")));
    // 100 of 200 is half, but 100 was told of.
    assert_eq!(watch.says("berlin", "2026-10-05T10:00:00Z", 1, "50", "53"), "");
    assert_eq!(watch.says("berlin", "2026-10-05T11:00:00Z", 1, "50", "53"), "m 100% 200.00");
}

#[test]
fn where_an_account_stands() {
    let mut watch = Watch::new(
        "[[rule]]\nname = \"m\"\namount = \"100\"\nper = \"month\"\nlevels = [50, 80]\n[[rule]]\nname = \"v\"\ncalls = 9\nper = \"1h\"",
    );
    let directory = watch.directory.clone();
    let stands = |watch: &mut Watch, now: &str| {
        let row = directory.account_at(b"berlin", at(now)).unwrap();
        let standings = watch.judge.standings((AccountKey(0), GroupKey(0)), &row, at(now));
        let one = |s: &super::Standing| {
            let (from, to) = s.window.unwrap();
            format!("{} {} {:?} {from} {to}", s.rule.name, shown(s.rule.what, s.value, 2), s.told)
        };
        standings.iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(
        stands(&mut watch, "2026-10-05T09:02:00Z"),
        ["m 0.00 None 2026-09-30T22:00:00Z 2026-10-31T23:00:00Z", "v 0 None 2026-10-05T08:05:00Z 2026-10-05T09:05:00Z"]
    );
    watch.says("berlin", "2026-10-05T09:00:00Z", 1, "60", "53");
    assert_eq!(
        stands(&mut watch, "2026-10-05T09:59:00Z"),
        [
            "m 60.00 Some(50) 2026-09-30T22:00:00Z 2026-10-31T23:00:00Z",
            "v 1 None 2026-10-05T09:00:00Z 2026-10-05T10:00:00Z"
        ]
    );
    assert_eq!(
        stands(&mut watch, "2026-11-05T10:00:00Z"),
        ["m 0.00 None 2026-10-31T23:00:00Z 2026-11-30T23:00:00Z", "v 0 None 2026-11-05T09:05:00Z 2026-11-05T10:05:00Z"]
    );
}

#[test]
fn an_event_says_what_a_script_needs_and_its_id_says_what_it_is() {
    let mut watch = Watch::new(
        "[[rule]]\nname = \"m\"\namount = \"500\"\nper = \"month\"\nlevels = [50, 80]\ncountries = [\"CU\"]",
    );
    let dear = call("berlin", at("2026-10-05T09:00:00Z"), 2, "260", "5312345");
    let fired = watch.fired("berlin", &dear, 1);
    let event = |fired: &Fired, account: &str| {
        let about = Circumstances {
            account,
            plan: "p",
            zone: "Europe/Berlin",
            call: &dear,
            country: dear.destination.map(country),
            node: "sbc",
            call_id: "c1",
            received_at: at("2026-10-05T09:02:01Z"),
        };
        Event::new(fired, &about)
    };
    let told = event(&fired[0], "berlin");
    let body = told.data();
    let expected = serde_json::json!({
        "type": "guard.threshold", "timestamp": "2026-10-05T09:02:01Z",
        "data": {
            "id": told.id, "account": "berlin", "plan": "p", "rule": "m", "what": "amount", "per": "month",
            "timezone": "Europe/Berlin", "value": "260.00", "limit": "500.00", "threshold": "250.00", "level": 50, "unit": "EUR",
            "window": { "from": "2026-09-30T22:00:00Z", "to": "2026-10-31T23:00:00Z" },
            "summary": "account berlin: 260.00 EUR per month, which is 50% or more of 500.00 EUR",
            "call": {
                "node": "sbc", "id": "c1", "leg": "outbound", "source": null, "destination": "+5312345", "country": "CU",
                "call_type": "international", "answer": "2026-10-05T09:00:00Z", "duration": "120", "cost": "260.00",
                "currency": "EUR",
            },
        },
    });
    assert_eq!(body, expected);
    assert_eq!(event(&fired[0], "berlin").id, told.id);
    let other = |change: &dyn Fn(&mut Fired)| {
        let mut fired = fired[0].clone();
        change(&mut fired);
        event(&fired, "berlin").id
    };
    let ids = BTreeSet::from([
        told.id.clone(),
        event(&fired[0], "ny").id,
        other(&|fired| fired.level = 80),
        other(&|fired| fired.from = Timestamp(0)),
        other(&|fired| Arc::make_mut(&mut fired.rule).limit += 1),
        other(&|fired| Arc::make_mut(&mut fired.rule).name = "n".into()),
        other(&|fired| fired.first = Some("CU".into())),
    ]);
    assert_eq!(ids.len(), 7);
    // What was measured, and by which call, does not make it another one.
    assert_eq!(other(&|fired| fired.value += 1), told.id);
}

#[test]
fn what_is_wrong_in_the_file_is_said_at_its_place() {
    let rule = "[[rule]]\nname = \"r\"\n";
    for (text, expected) in [
        (
            "judge_withn = \"1h\"".to_owned(),
            "1:1 guards.toml: unknown key \"judge_withn\" | did you mean \"judge_within\"?",
        ),
        ("[[rule]]\namount = \"5\"\nper = \"day\"".to_owned(), "1:1 [[rule]]: name is missing"),
        (format!("{rule}per = \"day\""), "1:1 r: nothing is measured | write amount, minutes, calls or first"),
        (format!("{rule}amount = \"5\"\ncalls = 3\nper = \"day\""), "4:9 r: amount and calls | write a rule for each"),
        (format!("{rule}amount = 5.5\nper = \"day\""), "3:10 amount: a number is expected"),
        (format!("{rule}amount = \"0\"\nper = \"day\""), "3:10 amount: \"0\" is no limit"),
        (format!("{rule}amount = \"1.0000000001\"\nper = \"day\""), "3:10 amount: \"1.0000000001\" is no limit"),
        (format!("{rule}amount = \"5\""), "1:1 r: per is missing"),
        (format!("{rule}amount = \"5\"\nper = \"week\""), "4:7 per: \"week\" is not known"),
        (format!("{rule}amount = \"5\"\nper = \"90s\""), "4:7 per: \"90s\" | write whole minutes, from 1m to 7d"),
        (format!("{rule}calls = 5\nper = \"call\""), "4:7 per: calls of a call are one"),
        (format!("{rule}amount = 5\nper = \"day\"\nlevels = [0]"), "5:10 levels: 1 to 8 of them"),
        (
            format!("{rule}amount = 5\nper = \"day\"\nplans = [\"pp\"]"),
            "5:10 r: there is no plan \"pp\" | did you mean \"p\"?",
        ),
        (
            format!("{rule}minutes = 5\nper = \"day\"\ncall_types = [\"internationl\"]"),
            "5:15 call_types: \"internationl\" is not known | did you mean \"international\"?",
        ),
        (format!("{rule}minutes = 5\nper = \"day\"\ncountries = [\"Cuba\"]"), "5:14 countries: \"Cuba\" is no country"),
        (format!("{rule}minutes = 5\nper = \"day\"\nprefixes = [\"x\"]"), "5:13 prefixes: \"x\" is no prefix"),
        (format!("{rule}minutes = 5\nper = \"day\"\nprefixes = []"), "5:12 prefixes: the list is empty"),
        (format!("{rule}first = \"country\"\nper = \"day\""), "4:7 per: a first time has none"),
        (format!("{rule}first = \"number\""), "3:9 first: \"number\" is not known"),
        (
            format!(
                "{rule}amount = 5\nper = \"day\"\nplans = [\"p\"]\n{rule}amount = 5\nper = \"day\"\nplans = [\"p\"]"
            ),
            "6:1 [[rule]] \"r\" stands there twice",
        ),
        (
            format!("{rule}amount = 5\nper = \"day\"\nplans = [\"p\"]\n[account.ny]\nrr = false"),
            "7:1 there is no rule \"rr\" | did you mean \"r\"?",
        ),
    ] {
        let (rules, findings) = read(text.as_bytes(), &known());
        assert_eq!(rules, None, "{text}");
        let said: Vec<String> =
            findings.iter().map(|f| format!("{}:{} {} | {}", f.line, f.column, f.message, f.hint)).collect();
        assert!(said.iter().any(|line| line.starts_with(expected)), "{text}\n{expected}\n{said:#?}");
    }
    // Worth a word, and no fault.
    for (text, expected) in [
        (
            format!("{rule}amount = 5\nper = \"day\""),
            "r: its accounts are charged in EUR and USD, and it has one limit",
        ),
        (format!("{rule}calls = 5\nper = \"day\"\naccounts = [\"nyy\"]"), "r: there is no account \"nyy\""),
        (format!("{rule}calls = 5\nper = \"day\"\n[account.nyy]\nr = false"), "there is no account \"nyy\""),
    ] {
        let (rules, findings) = read(text.as_bytes(), &known());
        assert!(rules.is_some(), "{findings:#?}");
        assert_eq!(findings.iter().map(|f| f.message.as_str()).collect::<Vec<_>>(), [expected], "{text}");
    }
    assert_eq!(read(b"", &known()).0.map(|rules| rules.rules.len()), Some(0));
}

/// Keeps every call, and adds up from the beginning each time.
#[derive(Default)]
struct Naive {
    calls: BTreeMap<(String, u32), Vec<(i64, i128)>>,
    newest: BTreeMap<(String, u32), i64>,
    told: BTreeMap<(String, u32), Vec<(i64, u32)>>,
}

impl Naive {
    fn judge(&mut self, rules: &Rules, zone: &str, call: &RatedCall, fresh: bool) -> Vec<(String, u32, i128)> {
        let mut fired = Vec::new();
        for rule in &rules.rules {
            let key = (rule.name.clone(), call.account.0);
            let instant = jiff::Timestamp::from_microsecond(call.answer.0).unwrap();
            let date = instant.in_tz(zone).unwrap().date();
            let (place, span) = match rule.per {
                Per::Month => (i64::from(date.year()) * 12 + i64::from(date.month()), 1),
                Per::Day => (date.duration_since(jiff::civil::date(1970, 1, 1)).as_hours() / 24, 1),
                Per::Last(length) => (call.answer.0 / (length.0 / 12), 12),
                _ => unreachable!(),
            };
            let newest = self.newest.entry(key.clone()).or_insert(place);
            *newest = (*newest).max(place);
            let newest = *newest;
            if place < newest - span {
                continue;
            }
            let value = match rule.what {
                What::Amount => i128::from(call.cost.0),
                What::Minutes => i128::from(call.duration.0),
                _ => 1,
            };
            let calls = self.calls.entry(key.clone()).or_default();
            calls.push((place, value));
            let sum = |end: i64| -> i128 {
                calls.iter().filter(|(at, _)| *at <= end && *at > end - span).map(|(_, value)| *value).sum()
            };
            let mut ends: Vec<i64> = (place..=newest.min(place + span - 1)).collect();
            // The fullest; of equals the earliest.
            ends.sort_by_key(|end| (-sum(*end), *end));
            let (end, value) = (ends[0], sum(ends[0]));
            let told = self.told.entry(key).or_default();
            if !fresh {
                continue;
            }
            let before: Vec<u32> = match rule.per {
                // For as long as the window in which it was told last lies less than a whole one back.
                Per::Last(_) if told.last().is_none_or(|(last, _)| end - last >= span) => Vec::new(),
                Per::Last(_) => told.iter().map(|(_, level)| *level).collect(),
                _ => told.iter().filter(|(window, _)| *window == place).map(|(_, level)| *level).collect(),
            };
            let reached = |level: u32| value * 100 >= i128::from(rule.limit) * i128::from(level);
            let new: Vec<u32> = rule.levels.iter().copied().filter(|l| reached(*l) && !before.contains(l)).collect();
            if matches!(rule.per, Per::Last(_)) && before.is_empty() && !new.is_empty() {
                told.clear();
            }
            for level in new {
                told.push((end, level));
                fired.push((rule.name.clone(), level, value));
            }
        }
        fired
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    /// Calls in any order over five days around the end of a month and a change of clocks, some told late, with a restart
    /// in the middle: as if every call were kept and added up anew.
    #[test]
    fn random_calls_are_judged_as_by_a_list(
        calls in prop::collection::vec((0u32..2, 0i64..5 * 86_400, 0i64..40, 0i64..3000, 0u8..10), 1..120),
        restart in 0usize..120,
    ) {
        let text = "[[rule]]\nname = \"m\"\namount = \"200\"\nper = \"month\"\nlevels = [25, 50, 100, 200]\n\
                    [[rule]]\nname = \"d\"\nminutes = 120\nper = \"day\"\nlevels = [50, 100]\n\
                    [[rule]]\nname = \"v\"\ncalls = 4\nper = \"6h\"\nlevels = [50, 100]\n\
                    [[rule]]\nname = \"w\"\namount = \"30\"\nper = \"24h\"";
        let rules = rules(text);
        let mut watch = Watch::new(text);
        let mut naive = Naive::default();
        let begin = at("2026-10-23T00:00:00Z").0 + 6 * 86_400_000_000;
        for (nth, (account, seconds, minutes, cents, late)) in calls.into_iter().enumerate() {
            if nth == restart {
                let held: States = watch.judge.changes().into_iter()
                    .map(|(key, bytes)| (key, AccountState::read(&bytes).unwrap())).collect();
                watch.judge = Judge::new(held);
                watch.judge.use_rules(rules.clone());
            }
            let (name, zone) = [("berlin", "Europe/Berlin"), ("ny", "America/New_York")][account as usize];
            let answer = Timestamp(begin + seconds * 1_000_000);
            let cost = format!("{}.{:02}", cents / 100, cents % 100);
            let call = call(name, answer, minutes, &cost, "5312345");
            let fresh = late > 0;
            let fired = watch.fired(name, &call, if fresh { 1 } else { 86_401 });
            let fired: Vec<_> = fired.into_iter().map(|f| (f.rule.name.clone(), f.level, f.value)).collect();
            prop_assert_eq!(fired, naive.judge(&rules, zone, &call, fresh));
        }
    }

    /// Any text is rules or findings.
    #[test]
    fn any_text_is_read_or_refused(text in "(\\[\\[rule\\]\\]|name = \"[a-z]\"|amount = [0-9\"]{0,3}|per = \"(day|1m|x)\"|levels = \\[[0-9,]{0,4}\\]|\\[account.ny\\]|a = false|\n| |.){0,40}") {
        let (rules, findings) = read(text.as_bytes(), &known());
        prop_assert!(rules.is_some() || !findings.is_empty());
    }
}
