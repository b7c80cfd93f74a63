//! What an account spends at least in a month (R26): how large it is. What is billed of it is told in `simulation::minimum`.

use std::sync::LazyLock;

use callrated::money::minor_unit;
use callrated::rating;
use callrated::tariff::{self, RatesText};
use callrated::time::{Period, Timestamp, parse_rfc3339};

use crate::common::{Books, COUNTRIES, NUMBERING};
use crate::pools::findings_of;

const PLANS: &str = r#"
[plan.whole]
country = "DE"
currency = "EUR"
included_minutes = 0
overage_rate = "0.10"
minimum_spend = "20.00"

[plan.none]
country = "DE"
currency = "EUR"
included_minutes = 0
overage_rate = "0.10"
prorate_change = true

[plan.gold]
country = "DE"
currency = "EUR"
included_minutes = 0
overage_rate = "0.10"
minimum_spend = "20.00"
prorate_first = true
prorate_change = true

[plan.silver]
country = "DE"
currency = "EUR"
included_minutes = 0
overage_rate = "0.10"
minimum_spend = "6.20"
prorate_change = true

[plan.yen]
country = "JP"
currency = "JPY"
included_minutes = 0
overage_rate = "10"
minimum_spend = "1000"
prorate_first = true
prorate_change = true
"#;
const ACCOUNTS: &str = "\
account,plan,country,billing_start,billing_end,timezone,valid_from,valid_to
whole,whole,DE,2020-01-01,,Europe/Berlin,,
later,whole,DE,2026-11-01,,Europe/Berlin,,
ended,whole,DE,2020-01-01,2026-10-01,Europe/Berlin,,
leaves,whole,DE,2020-01-01,2026-10-02,Europe/Berlin,,
gone,whole,DE,2020-01-01,,Europe/Berlin,,2026-10-12
fresh,whole,DE,2026-10-17,,Europe/Berlin,,
first,gold,DE,2026-10-17,,Europe/Berlin,,
last-day,gold,DE,2026-10-31,,Europe/Berlin,,
on-the-first,gold,DE,2026-10-01,,Europe/Berlin,,
changes,gold,DE,2020-01-01,,Europe/Berlin,,2026-10-17
changes,silver,DE,2020-01-01,,Europe/Berlin,2026-10-17,
stays-whole,gold,DE,2020-01-01,,Europe/Berlin,,2026-10-17
stays-whole,whole,DE,2020-01-01,,Europe/Berlin,2026-10-17,
to-none,gold,DE,2020-01-01,,Europe/Berlin,,2026-10-17
to-none,none,DE,2020-01-01,,Europe/Berlin,2026-10-17,
there-and-back,gold,DE,2020-01-01,,Europe/Berlin,,2026-10-11
there-and-back,silver,DE,2020-01-01,,Europe/Berlin,2026-10-11,2026-10-21
there-and-back,gold,DE,2020-01-01,,Europe/Berlin,2026-10-21,
abroad,gold,DE,2020-01-01,,Europe/Berlin,,2026-10-17
abroad,yen,JP,2020-01-01,,Europe/Berlin,2026-10-17,
both,silver,DE,2026-10-17,,Europe/Berlin,,2026-10-20
both,gold,DE,2026-10-17,,Europe/Berlin,2026-10-20,
";

static BOOKS: LazyLock<Books> = LazyLock::new(|| Books::of(PLANS, &[], ACCOUNTS, "number,account\n"));

fn of(account: &str, month: &str) -> String {
    let (world, month) = (BOOKS.world(), month.parse::<Period>().unwrap());
    let any = world.directory.first_row(account.as_bytes()).unwrap();
    let Some((row, _)) = rating::billed(world.directory, &any, month) else { return "nothing at all".to_owned() };
    let asked = rating::minimum_spend(world, &row, month).into_iter();
    let shown = asked.map(|(currency, least)| {
        format!("{} {}", String::from_utf8_lossy(&currency), least.fixed(minor_unit(currency)))
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_month_asks_for_its_share() {
    for (account, expected) in [
        ("whole", "EUR 20.00"),
        // Billing begins behind the month, or ended before it.
        ("later", "nothing at all"),
        ("ended", "nothing at all"),
        // A last month is not prorated, as its minutes are not.
        ("leaves", "EUR 20.00"),
        ("gone", "EUR 20.00"),
        // Nor a first one, unless the plan says so.
        ("fresh", "EUR 20.00"),
        // 15 days of 31, the 17th and the 31st among them: 20.00 × 15 / 31 = 9.6774…
        ("first", "EUR 9.68"),
        // 20.00 / 31 = 0.645161…
        ("last-day", "EUR 0.65"),
        ("on-the-first", "EUR 20.00"),
        // 16 days of gold, 15 of silver: 20.00 × 16 / 31 + 6.20 × 15 / 31 = 10.32258… + 3.00 = 13.32258…, rounded once.
        ("changes", "EUR 13.32"),
        // The last plan does not prorate: what it asks is asked whole.
        ("stays-whole", "EUR 20.00"),
        // 16 days of gold: 10.32258…
        ("to-none", "EUR 10.32"),
        // 10 and 11 days of gold, 10 of silver: (20.00 × 21 + 6.20 × 10) / 31 = 482 / 31 = 15.5483…
        ("there-and-back", "EUR 15.55"),
        // Two currencies are two minimums: 20.00 × 16 / 31; 1000 × 15 / 31 = 483.87…, and there is no half yen.
        ("abroad", "EUR 10.32, JPY 484"),
        // Three days of silver, twelve of gold, and none before it began: (6.20 × 3 + 20.00 × 12) / 31 = 258.6 / 31 = 8.3419…
        ("both", "EUR 8.34"),
    ] {
        assert_eq!(of(account, "2026-10"), expected, "{account}");
    }
    for (account, month, expected) in [
        ("later", "2026-11", "EUR 20.00"),
        ("ended", "2026-09", "EUR 20.00"),
        ("leaves", "2026-11", "nothing at all"),
        ("gone", "2026-11", "nothing at all"),
        ("first", "2026-11", "EUR 20.00"),
        ("first", "2026-09", "nothing at all"),
        ("changes", "2026-09", "EUR 20.00"),
        ("changes", "2026-11", "EUR 6.20"),
        ("to-none", "2026-11", ""),
    ] {
        assert_eq!(of(account, month), expected, "{account} in {month}");
    }
}

#[test]
fn the_last_instant_decides() {
    let world = BOOKS.world();
    let at = |text: &[u8]| Timestamp(parse_rfc3339(text).unwrap().0 - 1);
    for (account, plan, last) in [
        ("whole", "whole", at(b"2026-11-01T00:00:00+01:00")),
        ("leaves", "whole", at(b"2026-10-02T00:00:00+02:00")),
        ("gone", "whole", at(b"2026-10-12T00:00:00+02:00")),
        ("changes", "silver", at(b"2026-11-01T00:00:00+01:00")),
    ] {
        let any = world.directory.first_row(account.as_bytes()).unwrap();
        let (row, found) = rating::billed(world.directory, &any, "2026-10".parse().unwrap()).unwrap();
        assert_eq!((row.plan, found), (plan, last), "{account}");
    }
}

#[test]
fn mistakes_are_found_with_their_place() {
    let found = |currency: &str, least: &str| -> Vec<String> {
        findings_of(format!(
            "[plan.p]\ncountry = \"DE\"\ncurrency = \"{currency}\"\nincluded_minutes = 5\noverage_rate = \"0.01\"\nminimum_spend = {least}\n"
        ))
    };
    for (currency, least, expected) in [
        ("EUR", "\"20.00\"", vec![]),
        ("EUR", "\"20\"", vec![]),
        ("EUR", "20", vec![]),
        ("JPY", "\"2000\"", vec![]),
        ("KWD", "\"0.125\"", vec![]),
        ("EUR", "\"-1\"", vec!["6:17 minimum_spend: -1 is negative (credits are not prices)"]),
        ("EUR", "\"0\"", vec!["6:17 minimum_spend: 0 is no minimum (leave it out)"]),
        (
            "EUR",
            "\"20,00\"",
            vec![
                "6:17 minimum_spend: \"20,00\" is not a decimal number (write a plain decimal number such as \"0.0125\")",
            ],
        ),
        (
            "EUR",
            "20.5",
            vec![
                "6:17 minimum_spend: 20.5 is a binary fraction (write it in quotes: \"20.5\"; a binary fraction is not exact)",
            ],
        ),
        (
            "EUR",
            "true",
            vec![
                "6:17 minimum_spend: a decimal number in quotes is expected, not true or false (write a decimal number in quotes)",
            ],
        ),
        (
            "EUR",
            "\"1000001\"",
            vec![
                "6:17 minimum_spend: \"1000001\" is larger than 1000000 (write a plain decimal number such as \"0.0125\")",
            ],
        ),
        (
            "EUR",
            "\"20.005\"",
            vec!["6:17 minimum_spend: 20.005 EUR cannot be paid (EUR has 2 decimals: write \"20.01\")"],
        ),
        ("JPY", "\"99.5\"", vec!["6:17 minimum_spend: 99.5 JPY cannot be paid (JPY has 0 decimals: write \"100\")"]),
        (
            "KWD",
            "\"0.1254\"",
            vec!["6:17 minimum_spend: 0.1254 KWD cannot be paid (KWD has 3 decimals: write \"0.125\")"],
        ),
    ] {
        assert_eq!(found(currency, least), expected, "{currency} {least}");
    }
}

/// A tariff that uses none of it is, byte for byte, what it was; one that does is another, and is opened as it was written.
#[test]
fn images_say_it() {
    let image = |extra: &str| {
        let plans = format!(
            "[plan.p]\ncountry = \"DE\"\ncurrency = \"EUR\"\nincluded_minutes = 5\noverage_rate = \"0.01\"\n{extra}\n"
        );
        let text = RatesText {
            countries: COUNTRIES.into(),
            numbering: NUMBERING.into(),
            plans: plans.into(),
            ..RatesText::default()
        };
        tariff::compile(&text).unwrap().image
    };
    let plain = image("");
    let meta = String::from_utf8_lossy(&plain).into_owned();
    assert!(meta.contains("prorate_first") && !meta.contains("minimum_spend"));
    let open = |image: Vec<u8>| tariff::Tariff::open(image.into()).unwrap();
    let (plain, asks) = (open(plain), open(image("minimum_spend = \"20.00\"")));
    assert_ne!(asks.digest(), plain.digest());
    assert_eq!(open(image("minimum_spend = 20")).digest(), asks.digest());
    assert_eq!(
        asks.plan(asks.plan_named("p").unwrap()).minimum_spend.map(|least| least.fixed(2)).as_deref(),
        Some("20.00")
    );
    let differ = format!("{:?}", tariff::diff::plans(&plain, &asks));
    assert!(differ.contains("minimum_spend") && differ.contains("20.00"), "{differ}");
}
