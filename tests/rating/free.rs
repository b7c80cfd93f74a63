//! R24: numbers that cost an account nothing and draw none of its minutes.

use std::sync::LazyLock;

use bytes::Bytes;
use callrated::directory::{self, Directory};
use callrated::record::Direction;
use callrated::tariff::{self, RatesText, Tariff};

use crate::common::{Books, COUNTRIES, Call, NUMBERING, call};

const PLANS: &str = r#"
[plan.de]
country = "DE"
currency = "EUR"
included_minutes = 10
overage_rate = "0.10"
decks = ["all"]

[plan.operator]
country = "DE"
currency = "EUR"
included_minutes = 0
overage_rate = "0.10"
decks = ["all"]
free = ["service"]
"#;
/// France is 0.20, premium 0.79, one Spanish range is forbidden.
const DECK: &str = "prefix,rate,blocked\n33,0.20,\n34,,true\n49900,0.79,\nDE:118,1.99,\n";
const HOTLINE: &str = "number,valid_from,valid_to,name\n+49 30 600,,,own hotline\n+33 1 23 45 67 89,2026-10-01,2026-11-01,a fair\n\
                       0049 900 5123456,,,ours\n";
const SERVICE: &str = "prefix\n+49 151\nDE:118\n34911\n4989110\n";
const ACCOUNTS: &str = "account,plan,country,billing_start,timezone,valid_from,valid_to,extensions,free\n\
                        plain,de,DE,2020-01-01,UTC,,,,\n\
                        listed,de,DE,2020-01-01,UTC,,2027-01-01,100-199,hotline\nlisted,de,DE,2020-01-01,UTC,2027-01-01,,100-199,\n\
                        both,operator,DE,2020-01-01,UTC,,,,hotline\nlate,operator,DE,2030-01-01,UTC,,,,\n";

fn text(plans: &str) -> RatesText {
    RatesText {
        countries: COUNTRIES.into(),
        numbering: NUMBERING.into(),
        plans: plans.into(),
        decks: vec![("all".to_owned(), DECK.into())],
        free: [("hotline", HOTLINE), ("service", SERVICE)].map(|(name, text)| (name.to_owned(), text.into())).into(),
        ..RatesText::default()
    }
}

static BOOKS: LazyLock<Books> = LazyLock::new(|| {
    let compiled = tariff::compile(&text(PLANS)).unwrap_or_else(|findings| panic!("{findings:#?}"));
    let tariff = Tariff::open(Bytes::from(compiled.image)).unwrap();
    let numbers = b"number,account\n+4930600,listed\n+4989110,both\n";
    let (image, _) =
        directory::compile(ACCOUNTS.as_bytes(), numbers).unwrap_or_else(|findings| panic!("{findings:#?}"));
    Books { tariff, directory: Directory::open(Bytes::from(image)).unwrap() }
});

fn check(cases: Vec<(Call, &str)>) {
    for (call, expected) in cases {
        BOOKS.check(&call, expected);
    }
}

/// 61 seconds, which are two minutes of ten.
fn of(account: &str, to: &str) -> Call {
    call("+49221471000", to).account(account).lasts("61").direction(Direction::Outbound)
}

#[test]
fn numbers_on_a_list_cost_and_draw_nothing() {
    check(vec![
        // Without a list: two minutes of the plan, two at 0.20, two at 0.79.
        (of("plain", "030 600"), "outbound plain included R9 120 s (120 in) 0.0000"),
        (of("plain", "0033 123456789"), "outbound plain international R10 120 s (0 in) 0.4000"),
        (of("plain", "0900 5 123456"), "outbound plain domestic_premium R10 120 s (0 in) 1.5800"),
        // With one: nothing, and the ten minutes stay ten.
        (of("both", "030 600"), "outbound both free R24 120 s (0 in) 0.0000"),
        (of("listed", "0900 5 123456"), "outbound listed free R24 120 s (0 in) 0.0000"),
        (of("listed", "0900 5 123457"), "outbound listed domestic_premium R10 120 s (0 in) 1.5800"),
        (of("listed", "0033 123456789"), "outbound listed free R24 120 s (0 in) 0.0000"),
        // The allowance is gone, and the number is free all the same.
        (of("listed", "0900 5 123456").used(600), "outbound listed free R24 120 s (0 in) 0.0000"),
        // A whole number is no prefix.
        (of("listed", "030 6001"), "outbound listed included R9 120 s (120 in) 0.0000"),
    ]);
}

#[test]
fn lists_of_the_plan_hold_prefixes_and_short_codes() {
    check(vec![
        (of("both", "0151 23456789"), "outbound both free R24 120 s (0 in) 0.0000"),
        (of("plain", "0151 23456789"), "outbound plain included R9 120 s (120 in) 0.0000"),
        (of("both", "118 33"), "outbound both free R24 120 s (0 in) 0.0000"),
        (of("plain", "118 33"), "outbound plain domestic_premium R10 120 s (0 in) 3.9800"),
        // A blocked row blocks no free number, and every other one.
        (of("both", "0034 911 234567"), "outbound both free R24 120 s (0 in) 0.0000"),
        (of("both", "0034 912 234567"), "outbound both suspense blocked Blocked"),
        // Two minutes beyond none at 0.10.
        (of("both", "040 123456"), "outbound both overage R9 120 s (0 in) 0.2000"),
    ]);
}

#[test]
fn what_comes_before_and_what_does_not() {
    check(vec![
        // Emergency is emergency on any list; an extension is inside the account.
        (of("both", "110"), "outbound both emergency R6 120 s (0 in) 0.0000"),
        (of("listed", "150"), "outbound listed included R7 120 s (120 in) 0.0000"),
        // Its own number, were it not on the list, would draw minutes (R7).
        (of("listed", "030 600"), "outbound listed free R24 120 s (0 in) 0.0000"),
        // What was dialled decides, not where it leads.
        (of("listed", "0033 123456789").routing_number("+34911234567"), "outbound listed free R24 120 s (0 in) 0.0000"),
        (of("both", "0033 198765432").routing_number("+4915123456789"), "outbound both overage R9 120 s (0 in) 0.2000"),
        // Incoming calls know no lists; before billing starts there is nothing to be free of.
        (
            call("+4915123456789", "+4989110").account("both").lasts("61").direction(Direction::Inbound),
            "inbound both inbound R11 120 s (0 in) 0.0000",
        ),
        (of("late", "0151 23456789"), "outbound late suspense before_billing_start BeforeBillingStart"),
    ]);
}

#[test]
fn rows_and_accounts_are_dated() {
    let at = |account: &str, to: &str, answered: &str| of(account, to).answered(answered).received_at(answered);
    check(vec![
        // The fair lasts through October.
        (
            at("listed", "0033 123456789", "2026-09-30T23:59:59Z"),
            "outbound listed international R10 120 s (0 in) 0.4000",
        ),
        (at("listed", "0033 123456789", "2026-10-01T00:00:00Z"), "outbound listed free R24 120 s (0 in) 0.0000"),
        (
            at("listed", "0033 123456789", "2026-11-01T00:00:00Z"),
            "outbound listed international R10 120 s (0 in) 0.4000",
        ),
        // From 2027 the account has no list.
        (at("listed", "0900 5 123456", "2026-12-31T23:59:59Z"), "outbound listed free R24 120 s (0 in) 0.0000"),
        (
            at("listed", "0900 5 123456", "2027-01-01T00:00:00Z"),
            "outbound listed domestic_premium R10 120 s (0 in) 1.5800",
        ),
    ]);
}

#[test]
fn the_proof_names_the_list() {
    let lines = |call: Call| {
        let side = Direction::Outbound;
        let proof =
            callrated::rating::prove(&call.record(), call.received(), &call.profile, BOOKS.world(), side, &|_, _| {
                callrated::rating::Standing::of(&0_u64)
            });
        let lines: Vec<String> = proof.lines.into_iter().filter(|l| l.rule == "R24").map(|l| l.text).collect();
        lines
    };
    assert_eq!(
        lines(of("listed", "0033 123456789")),
        [
            "the list of free numbers hotline has 33123456789, from 2026-10-01T00:00:00Z, until 2026-11-01T00:00:00Z",
            "it costs this account nothing and draws no minutes → free",
        ]
    );
    assert_eq!(
        lines(of("both", "0151 23456789"))[0],
        "the list of free numbers service has 49151, which it begins with"
    );
    assert!(lines(of("plain", "0151 23456789")).is_empty());
}

#[test]
fn a_list_that_is_not_there_is_refused_and_no_list_changes_no_image() {
    let findings = tariff::compile(&text(&PLANS.replace("[\"service\"]", "[\"servce\"]"))).unwrap_err();
    let said = findings.iter().find(|f| f.file == "plans.toml").unwrap();
    assert_eq!(said.message, "list of free numbers \"servce\" has no file");
    assert!(said.hint.contains("service"), "{}", said.hint);

    let bad =
        directory::compile(b"account,plan,country,billing_start,free\na,de,DE,2020-01-01,a/b\n", b"").unwrap_err();
    assert!(bad[0].message.contains("no name of a list"), "{bad:?}");

    // Whoever has no list has the image that he had: a column that says nothing is no column.
    let accounts = "account,plan,country,billing_start\na,de,DE,2020-01-01\n";
    let (without, _) = directory::compile(accounts.as_bytes(), b"").unwrap();
    let with = accounts.replace("start\n", "start,free\n").replace("01-01\n", "01-01,\n");
    assert_eq!(directory::compile(with.as_bytes(), b"").unwrap().0, without);
    let plain = RatesText { free: Vec::new(), ..text(&PLANS.replace("free = [\"service\"]", "")) };
    let image = tariff::compile(&plain).unwrap().image;
    assert!(!image.windows(6).any(|bytes| bytes == b"\"free\""));
}
