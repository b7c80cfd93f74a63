//! Changes by themselves: what is said anew from an instant on, against a list that knows nothing of rows or images.

use proptest::prelude::*;

use super::*;
use crate::directory::{AccountSet, Asked, Change, Conflict, Edited, NumberSet, changed};

const DAY: i64 = 86_400_000_000;
/// Days that changes name.
const DAYS: usize = 12;

fn said(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn change(asked: Asked) -> Change {
    Change { asked: vec![(0, asked)], take_over: false, now: at("2026-10-05T12:00:00Z") }
}

fn account(json: &str) -> Asked {
    Asked::Account(serde_json::from_str::<AccountSet>(json).unwrap())
}

/// The directory with a layer on top of all it has.
fn on(directory: &Directory, layer: &Layer) -> Directory {
    let upper: Vec<_> = directory.layers.held.to_vec();
    let mut images = if upper.is_empty() { vec![Arc::new(directory.clone())] } else { upper };
    images.push(Arc::new(Directory::open(layer.image().unwrap().into()).unwrap()));
    Directory::compose(&Composition::of(&images), images).unwrap()
}

fn done(directory: &Directory, asked: Asked) -> Directory {
    on(directory, &changed(directory, &Layer::default(), &change(asked)).unwrap().layer)
}

fn refused(directory: &Directory, asked: Asked) -> Vec<String> {
    let refusals = changed(directory, &Layer::default(), &change(asked)).unwrap_err();
    refusals.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_not_said_stays_also_in_rows_planned_for_later() {
    let empty = open(&format!("{HEADER}lowest,p,DE,2020-01-01,,,,,,,,\n"), "");
    let new = r#"{"account":"a","plan":"basic","country":"DE","billing_start":"2026-10-01","timezone":"Europe/Berlin","name":"A"}"#;
    let one = done(&empty, account(new));
    assert_eq!(one.rows_of("a").len(), 1, "since ever");
    let two = done(&one, account(r#"{"account":"a","plan":"large","valid_from":"2026-11-01"}"#));
    let three = done(&two, account(r#"{"account":"a","language":"de","valid_from":"2026-10-15"}"#));
    let rows = three.rows_of("a");
    let shown: Vec<_> =
        rows.iter().map(|r| (Timestamp(r.from).to_string(), &*r.terms.plan, r.terms.language)).collect();
    let (october, november) = ("2026-10-14T22:00:00Z".to_owned(), "2026-10-31T23:00:00Z".to_owned());
    assert_eq!(shown[1..], [(october, "basic", 1), (november, "large", 1)]);
    assert!(rows.iter().all(|row| &*row.terms.display == "A" && &*row.terms.zone == "Europe/Berlin"));
    // The same again is nothing, and null takes away.
    let again = changed(
        &three,
        &Layer::default(),
        &change(account(r#"{"account":"a","plan":"large","valid_from":"2026-11-01"}"#)),
    );
    assert_eq!(again.unwrap().layer, Layer::default());
    let four = done(&three, account(r#"{"account":"a","name":null,"valid_from":null}"#));
    assert!(four.rows_of("a").iter().all(|row| row.terms.display.is_empty()));
    assert_eq!(four.accounts(), 2);
}

#[test]
fn faults_are_those_of_the_files_with_their_field() {
    let d = sample();
    for (asked, expected) in [
        (r#"{"account":"new"}"#, "plan: plan is missing (hint: a new account needs it, such as \"de-business\")"),
        (
            r#"{"account":"ne/w","plan":"p","country":"DE","billing_start":"2026-10-01"}"#,
            "account: account \"ne/w\" holds a /",
        ),
        (
            r#"{"account":"new","plan":"p","country":"UK","billing_start":"2026-10-01"}"#,
            "country: \"UK\" is not a country of ISO 3166 (hint: the United Kingdom is GB)",
        ),
        (
            r#"{"account":"new","plan":"p","country":"DE","billing_start":"1.10.2026"}"#,
            "billing_start: billing_start \"1.10.2026\" is neither",
        ),
        (
            r#"{"account":"new","plan":"p","country":"DE","billing_start":"2026-10-01","timezone":"Berlin"}"#,
            "timezone: unknown time zone \"Berlin\" (hint: did you mean \"Europe/Berlin\"?)",
        ),
        (
            r#"{"account":"new","plan":"p","country":"DE","billing_start":"2026-10-01","billing_end":"2026-09-01"}"#,
            "billing_end: billing_end",
        ),
        (
            r#"{"account":"new","plan":"p","country":"DE","billing_start":"2026-10-01","extensions":"9-1"}"#,
            "extensions: \"9-1\" is not a range",
        ),
        (
            r#"{"account":"new","plan":"p","country":"DE","billing_start":"2026-10-01","valid_from":"2026-10-01","valid_to":"2026-10-01"}"#,
            "valid_to: valid_to",
        ),
        (
            r#"{"account":"acme","plan":"p"}"#,
            "account: account \"acme\" comes from accounts.csv (hint: change it there, or",
        ),
    ] {
        let found = refused(&d, account(asked));
        assert!(found[0].starts_with(expected), "{asked}: {found:?}");
    }
    let number = |number: &str, account: &str| {
        Asked::Number(NumberSet { number: number.into(), account: account.into(), ..NumberSet::default() })
    };
    assert_eq!(
        refused(&d, number("+4940123", "acne")),
        ["account: account \"acne\" is not known (hint: did you mean \"acme\"?)"]
    );
    assert!(
        refused(&d, number("+4930123456", "acme-us"))[0]
            .starts_with("number: number +4930123456 comes from numbers.csv")
    );
    let gone = changed(&d, &Layer::default(), &change(Asked::EndNumber("+4940123".into(), None))).unwrap_err();
    assert_eq!(gone[0].conflict, Some(Conflict::Unknown));
    let files = Asked::AccountsFile(
        b"account,plan,country,billing_start\nx,p,DE,2026-10-01\ny,,DE,2026-10-01\nz,p,de,2026-10-01\n".to_vec(),
    );
    let found = refused(&d, files);
    assert_eq!(found.len(), 2);
    assert!(
        found[0].starts_with("line 3: column 3: the plan is empty")
            && found[1].starts_with("line 4: column 5: \"de\" is"),
        "{found:?}"
    );
}

#[test]
fn what_is_taken_over_is_no_longer_what_the_files_say_and_the_rest_is() {
    let d = sample();
    let over =
        Change { take_over: true, ..change(account(r#"{"account":"acme","plan":"large","valid_from":"2026-10-05"}"#)) };
    let Edited { layer, .. } = changed(&d, &Layer::default(), &over).unwrap();
    let d = on(&d, &layer);
    assert!(!d.account_lies_lowest("acme") && d.account_lies_lowest("zeta"));
    assert_eq!((d.accounts(), d.numbers(), d.said_anew()), (3, 3, (1, "acme".to_owned())));
    // Its numbers are still told by the files, and lead to what it is now.
    let owner =
        |when: &str| d.owner_at(number("4930123456"), at(when)).map(|a| (a.name().to_owned(), a.plan.to_owned()));
    assert_eq!(owner("2026-10-04T21:59:59Z"), Some(("acme".into(), "basic".into())));
    assert_eq!(owner("2026-10-04T22:00:00Z"), Some(("acme".into(), "large".into())));
    assert_eq!(owner("2026-12-01T00:00:00Z"), Some(("acme-us".into(), "basic".into())));
    let names: Vec<&str> = d.accounts_after("", 10).iter().map(|a| a.name()).collect();
    assert_eq!(names, ["acme", "acme-us", "zeta"]);
    for row in 0..d.rows() {
        let account = d.row(row);
        assert_eq!(account.row, row);
        assert!(
            account.group_index < d.groups()
                && account.zone_index < d.zones()
                && account.index.0 < d.account_index_count()
        );
    }
    let row = d.account_at(b"acme", at("2026-10-05T09:00:00Z")).unwrap();
    assert!(d.is_extension(row.row, b"150") && !d.is_extension(row.row, b"99"));
}

#[test]
fn a_composition_reads_back_and_no_other_bytes_are_one() {
    let composition = Composition { layers: vec!["a".repeat(64), "b".repeat(64)], accounts: 3, numbers: 4 };
    let bytes = composition.bytes();
    assert_eq!(Composition::read(&bytes).unwrap().unwrap(), composition);
    assert!(Composition::read(b"cRdir1\r\n").is_none());
    for i in 8..bytes.len() {
        let mut other = bytes.clone();
        other[i] ^= 0x20;
        // A digit may become another one: then it is another composition.
        if let Some(Ok(read)) = Composition::read(&other) {
            assert_ne!(read.digest(), composition.digest());
        }
    }
}

/// One change among few accounts and numbers: which, from and to which day (none: for ever), and what.
#[derive(Clone, Debug)]
enum Step {
    Account(usize, Option<usize>, Option<usize>, usize),
    EndAccount(usize, usize),
    Number(usize, Option<usize>, Option<usize>, usize),
    EndNumber(usize, usize),
    /// The uppermost images become one.
    Merge,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let day = || prop::option::of(0..DAYS);
    let step = prop_oneof![
        6 => (0..3_usize, day(), day(), 0..3_usize).prop_map(|(a, from, to, what)| Step::Account(a, from, to, what)),
        1 => (0..3_usize, 0..DAYS).prop_map(|(a, day)| Step::EndAccount(a, day)),
        6 => (0..4_usize, day(), day(), 0..3_usize).prop_map(|(n, from, to, what)| Step::Number(n, from, to, what)),
        1 => (0..4_usize, 0..DAYS).prop_map(|(n, day)| Step::EndNumber(n, day)),
        2 => Just(Step::Merge),
    ];
    prop::collection::vec(step, 1..25)
}

/// What holds on each day; the first is before all days.
type Days = [Option<usize>; DAYS + 1];

fn range(from: Option<usize>, to: Option<usize>) -> std::ops::Range<usize> {
    from.map_or(0, |day| day + 1)..to.map_or(DAYS + 1, |day| day + 1)
}

fn text(day: Option<usize>) -> Option<String> {
    said(&day.map_or(String::new(), |day| Timestamp(day as i64 * DAY).to_string()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn changes_come_to_what_a_list_of_days_says(steps in steps()) {
        let mut directory = open(&format!("{HEADER}lowest,p,DE,2020-01-01,,,,,,,,\n"), "");
        let (mut accounts, mut numbers): ([Days; 3], [Days; 4]) = Default::default();
        for step in steps {
            let asked = match step {
                Step::Account(a, from, to, what) => {
                    let plan = said(&format!("p{what}"));
                    let set = AccountSet { account: format!("a{a}"), plan, valid_from: text(from), valid_to: text(to), ..AccountSet::default() };
                    // A new one must be whole.
                    let new = accounts[a].iter().all(Option::is_none).then_some(());
                    let set = AccountSet { country: new.and(said("DE")), billing_start: new.and(said("2020-01-01")), ..set };
                    let range = range(from, to);
                    if !range.is_empty() {
                        let days = &mut accounts[a];
                        let gap = (range.start..range.end).take_while(|i| days[*i].is_none()).count();
                        days[range.start..range.start + gap].fill(Some(what));
                        days[range].iter_mut().flatten().for_each(|day| *day = what);
                    }
                    Asked::Account(set)
                }
                Step::EndAccount(a, day) => {
                    if accounts[a][..=day].iter().any(Option::is_some) {
                        accounts[a][day + 1..].fill(None);
                    }
                    Asked::EndAccount(format!("a{a}"), text(Some(day)))
                }
                Step::Number(n, from, to, owner) => {
                    if accounts[owner].iter().any(Option::is_some) && !range(from, to).is_empty() {
                        numbers[n][range(from, to)].fill(Some(owner));
                    }
                    Asked::Number(NumberSet { number: format!("4930{n}"), account: format!("a{owner}"), valid_from: text(from), valid_to: text(to) })
                }
                Step::EndNumber(n, day) => {
                    if numbers[n][..=day].iter().any(Option::is_some) {
                        numbers[n][day + 1..].fill(None);
                    }
                    Asked::EndNumber(format!("4930{n}"), text(Some(day)))
                }
                Step::Merge => {
                    let held = &directory.layers.held;
                    if held.len() > 2 {
                        let mut top = directory.layer(held.len() - 1);
                        top.absorb(directory.layer(held.len() - 2));
                        let mut images = held[..held.len() - 2].to_vec();
                        images.push(Arc::new(Directory::open(top.image().unwrap().into()).unwrap()));
                        let merged = Directory::compose(&Composition::of(&images), images).unwrap();
                        prop_assert_eq!((merged.accounts(), merged.numbers()), (directory.accounts(), directory.numbers()));
                        directory = merged;
                    }
                    continue;
                }
            };
            if let Ok(edited) = changed(&directory, &Layer::default(), &change(asked)) && edited.layer.items() > 0 {
                directory = on(&directory, &edited.layer);
            }
            for day in 0..=DAYS {
                let edges = [day as i64 * DAY - DAY, day as i64 * DAY - 1].map(Timestamp);
                for (when, (a, days)) in edges.into_iter().flat_map(|when| accounts.iter().enumerate().map(move |a| (when, a))) {
                    let found = directory.account_at(format!("a{a}").as_bytes(), when).map(|row| row.plan.to_owned());
                    prop_assert_eq!(found, days[day].map(|plan| format!("p{plan}")), "a{} day {}", a, day);
                }
                for (when, (n, days)) in edges.into_iter().flat_map(|when| numbers.iter().enumerate().map(move |n| (when, n))) {
                    // An account that has no row then owns nothing.
                    let owner = days[day].filter(|owner| accounts[*owner][day].is_some());
                    let found = directory.owner_at(number(&format!("4930{n}")), when).map(|row| row.name().to_owned());
                    prop_assert_eq!(found, owner.map(|owner| format!("a{owner}")), "number {} day {}", n, day);
                }
            }
            let known = accounts.iter().filter(|days| days.iter().any(Option::is_some)).count();
            prop_assert_eq!(directory.accounts() as usize, known + 1);
        }
    }
}
