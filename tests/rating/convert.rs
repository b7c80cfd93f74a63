//! A converted CGRateS tariff plan rates calls as CGRateS does: compared with its rules, told again below from the
//! fixture's figures and not from its files.
//!
//! A call is cut into increments. Each is paid at the rate of the slot in which it begins: the last slot that starts at or
//! before that second of the call, of the timing that holds at that second. Of the timings that hold the one of most
//! weight counts, and of equals the one that began last. The fee is that of the first slot of the timing at the answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use callrated::number::Number;
use callrated::tariff::convert::{Converted, FILES, Product, Wishes, cgrates, exports};

use crate::common::Books;
use crate::common::world::from;

/// Nano-units for a unit of seconds, increment, start.
type Slot = (i64, i64, i64, i64);

struct Rate {
    fee: i64,
    slots: &'static [Slot],
}

const CENT: i64 = 10_000_000;
const PEAK: Rate = Rate { fee: 10 * CENT, slots: &[(30 * CENT, 60, 60, 0), (12 * CENT, 60, 1, 60)] };
const LOW: Rate = Rate { fee: 0, slots: &[(6 * CENT, 60, 60, 0), (6 * CENT / 10, 60, 1, 60)] };
const MOBILE: Rate = Rate { fee: 5 * CENT, slots: &[(CENT / 10, 1, 6, 0)] };
const LATER: Rate = Rate { fee: 0, slots: &[(CENT * 5 / 4, 30, 30, 0), (2 * CENT, 60, 30, 180)] };
const CAPPED: Rate = Rate { fee: 0, slots: &[(60 * CENT, 60, 1, 0)] };
const ELSEWHERE: Rate = Rate { fee: 20 * CENT, slots: &[(50 * CENT, 60, 60, 0)] };

const HOUR: i64 = 3600;
const WEEKDAYS: &[i64] = &[0, 1, 2, 3, 4];
const WEEK: &[i64] = &[0, 1, 2, 3, 4, 5, 6];

/// Weight, days from Monday, first and last second of the day, rate.
type Timed = (u32, &'static [i64], i64, i64, &'static Rate);

const SPAIN: &[Timed] = &[
    (10, WEEKDAYS, 8 * HOUR, 24 * HOUR, &PEAK),
    (10, WEEKDAYS, 0, 24 * HOUR, &LOW),
    (10, WEEKDAYS, 19 * HOUR, 24 * HOUR, &LOW),
    (10, &[5, 6], 0, 24 * HOUR, &LOW),
];
const NETHERLANDS: &[Timed] = &[(20, WEEKDAYS, 9 * HOUR, 17 * HOUR, &PEAK), (10, WEEK, 0, 24 * HOUR, &LOW)];

/// Seconds billed, and the cost in ten-thousandths, halves up. `begin`: seconds since Monday 00:00 by the clock.
fn told(timings: &[Timed], begin: i64, talked: i64, cap: Option<i64>) -> (i64, i64) {
    let at = |second: i64| {
        let (day, of_day) = ((begin + second) / (24 * HOUR) % 7, (begin + second) % (24 * HOUR));
        let holds =
            timings.iter().filter(|(_, days, from, to, _)| days.contains(&day) && (*from..*to).contains(&of_day));
        holds.max_by_key(|(weight, _, from, ..)| (*weight, *from)).unwrap().4
    };
    let (mut second, mut nanos) = (0, at(0).fee);
    while second < talked {
        let (rate, unit, increment, _) = *at(second).slots.iter().rfind(|slot| slot.3 <= second).unwrap();
        // Once the cap is reached the rest is free.
        if cap.is_none_or(|cap| nanos < cap) {
            assert_eq!(rate * increment % unit, 0, "the fixture's increments cost whole nano-units");
            nanos += rate * increment / unit;
        }
        second += increment;
    }
    (second, (nanos + 50_000) / 100_000)
}

fn wishes() -> Wishes {
    let code = |digits: &[u8]| Number::from_digits(digits).unwrap();
    Wishes {
        country: "DE".into(),
        currency: "EUR".into(),
        timezone: "Europe/Berlin".into(),
        category: "call".into(),
        calling_codes: vec![code(b"1"), code(b"34"), code(b"49")],
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/convert").join(name)
}

fn converted(folder: &str) -> Converted {
    let folder = data(folder);
    let files: BTreeMap<String, Vec<u8>> =
        FILES.into_iter().map(|name| (name.to_owned(), std::fs::read(folder.join(name)).unwrap())).collect();
    let converted = cgrates(&files, &wishes());
    assert!(converted.findings.is_empty(), "{:#?}", converted.findings);
    converted
}

fn books(converted: &Converted) -> Books {
    let decks: Vec<(&str, &str)> = converted.plans.iter().map(|p| (p.name.as_str(), p.deck.as_str())).collect();
    let mut accounts = "account,plan,country,billing_start,timezone,language\n".to_owned();
    converted.plans.iter().for_each(|p| accounts += &format!("{0},{0},DE,2010-01-01,UTC,en\n", p.name));
    Books::of(&converted.toml, &decks, &accounts, "number,account\n")
}

static BOOKS: LazyLock<Books> = LazyLock::new(|| books(&converted("new")));

/// Answers in October 2026, and seconds since Monday in Berlin, two hours ahead of UTC until the 25th.
const ANSWERS: [(&str, i64); 8] = [
    ("2026-10-05T09:00:00Z", 11 * HOUR),
    ("2026-10-05T05:59:20Z", 8 * HOUR - 40),
    ("2026-10-05T16:59:30Z", 19 * HOUR - 30),
    ("2026-10-05T14:59:59Z", 17 * HOUR - 1),
    ("2026-10-09T21:58:00Z", 4 * 24 * HOUR + 24 * HOUR - 120),
    ("2026-10-10T10:00:00Z", 5 * 24 * HOUR + 12 * HOUR),
    ("2026-10-11T21:59:30Z", 7 * 24 * HOUR - 30),
    ("2026-10-06T07:00:00Z", 24 * HOUR + 9 * HOUR),
];
const TALKED: [i64; 12] = [1, 29, 30, 31, 60, 61, 90, 91, 180, 181, 400, 3599];

#[test]
fn calls_cost_what_cgrates_says() {
    let always = |rate: &'static Rate| vec![(10, WEEK, 0, 24 * HOUR, rate)];
    let destinations: [(&str, Vec<Timed>, Option<i64>); 6] = [
        ("+34911234567", SPAIN.to_vec(), None),
        ("+34612345678", always(&MOBILE), None),
        ("+33142345678", always(&LATER), None),
        ("+390612345678", always(&CAPPED), Some(90 * CENT)),
        ("+31201234567", NETHERLANDS.to_vec(), None),
        ("+12125551234", always(&ELSEWHERE), None),
    ];
    let mut wrong = String::new();
    for (number, timings, cap) in &destinations {
        for (answer, begin) in ANSWERS {
            for talked in TALKED {
                let (billed, cost) = told(timings, begin, talked, *cap);
                let expected = format!("{billed} s (0 in) {}.{:04}", cost / 10_000, cost % 10_000);
                let got = BOOKS.outcome(&from("RP_RETAIL", number).answered(answer).lasts(&talked.to_string()));
                if !got.starts_with("outbound RP_RETAIL international ") || !got.ends_with(&format!(" {expected}")) {
                    wrong += &format!("\n{number} at {answer}, {talked} s: expected {expected}, but got {got}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_has_no_counterpart_waits_and_is_named() {
    BOOKS.check_all([
        // Steps of 30 s and then of 10 s; a price per seven seconds.
        (from("RP_RETAIL", "+351211234567"), "outbound RP_RETAIL suspense blocked Blocked"),
        (from("RP_RETAIL", "+3225123456"), "outbound RP_RETAIL suspense blocked Blocked"),
        // No timing holds on Sunday.
        (from("RP_GAP", "+34911234567").answered("2026-10-11T10:00:00Z"), "outbound RP_GAP suspense blocked Blocked"),
        // Of two rating plans, the one in force at the answer: a second at 0.60 a minute; no Italy any more.
        (
            from("RP_SECOND", "+34911234567").answered("2026-10-05T23:59:59Z").lasts("1"),
            "outbound RP_SECOND international R10 60 s (0 in) 0.0600",
        ),
        (
            from("RP_SECOND", "+34911234567").answered("2026-10-06T00:00:00Z").lasts("1"),
            "outbound RP_SECOND international R10 1 s (0 in) 0.0100",
        ),
        (
            from("RP_SECOND", "+390612345678").answered("2026-10-06T00:00:00Z"),
            "outbound RP_SECOND suspense no_rate NoRow",
        ),
    ]);
    let lost: Vec<String> = converted("new")
        .lost
        .iter()
        .map(|lost| format!("{}:{:?} {}", lost.file.trim_end_matches(".csv"), lost.lines, lost.what))
        .collect();
    assert_eq!(
        lost,
        [
            "Destinations:[10] prefix 0800",
            "Timings:[7] timing CHRISTMAS",
            "Rates:[7, 8] rate RT_STEPS",
            "Rates:[12] rate RT_SEVENTH",
            "DestinationRates:[2] rounding *up to 4",
            "DestinationRates:[6] max cost 0.9 *free",
            "RatingPlans:[11] rating plan RP_SMS",
            "RatingPlans:[12] destination DST_ES of RP_GAP",
            "RatingPlans:[12] destination DST_ES of RP_GAP",
            "RatingProfiles:[3] fallback subject *any",
            "RatingProfiles:[6] category sms",
        ]
    );
}

#[test]
fn the_layout_of_before_0_10() {
    let converted = converted("old");
    assert!(converted.lost.is_empty(), "{:#?}", converted.lost);
    let expected = "outbound STANDARD international R10 120 s (0 in) 0.06";
    books(&converted).check(&from("STANDARD", "+34911234567").lasts("61"), expected);
}

/// Fee, rate in cents, first block, increment.
type Row = (i64, i64, i64, i64);

fn export(product: Product, file: &str) -> (Converted, Books) {
    let converted = exports(product, &[(file.to_owned(), std::fs::read(data(file)).unwrap())], &wishes());
    assert!(converted.findings.is_empty(), "{:#?}", converted.findings);
    let books = books(&converted);
    (converted, books)
}

#[test]
fn exported_decks_cost_what_their_products_say() {
    let up = |seconds: i64, step: i64| (seconds + step - 1) / step * step;
    let astpp = |(_, _, first, step): Row, talked: i64| first + up((talked - first).max(0), step);
    // No longer than the first block: that block; else a multiple of the increment, where there is one.
    let a2billing =
        |(_, _, first, step): Row, talked: i64| if talked <= first { first } else { up(talked, step.max(1)) };
    type Billed<'a> = &'a dyn Fn(Row, i64) -> i64;
    let cases: [(Product, &str, Billed<'_>, [Row; 2]); 2] = [
        (Product::Astpp, "astpp", &astpp, [(1, 2, 30, 60), (0, 5, 30, 6)]),
        (Product::A2billing, "a2billing", &a2billing, [(10, 2, 18, 6), (0, 6, 60, 0)]),
    ];
    for (product, name, billed, rows) in cases {
        let (converted, books) = export(product, &format!("{name}.csv"));
        for (number, row) in ["+34911234567", "+34612345678"].into_iter().zip(rows) {
            for talked in TALKED {
                let billed = billed(row, talked);
                // Cents a minute are ten thousandths for 60/100 seconds.
                let cost = row.0 * 100 + (row.1 * billed * 100 * 2 + 60) / 120;
                let cost = format!("{billed} s (0 in) {}.{:04}", cost / 10_000, cost % 10_000);
                let expected = format!("outbound {name} international R10 {cost}");
                books.check(&from(name, number).lasts(&talked.to_string()), &expected);
            }
        }
        // Free seconds, and a charge at the end. Then a first block of which versions say two things, and one of 20 s
        // beside increments of 6 s: a call of 19 s is 20 s there and one of 21 s is 24 s, which no row of ours says.
        books.check(&from(name, "+351211234567"), &format!("outbound {name} suspense blocked Blocked"));
        books.check(&from(name, "+33142345678"), &format!("outbound {name} suspense blocked Blocked"));
        let lost: Vec<_> = converted.lost.iter().map(|lost| (lost.lines[0], lost.what.as_str())).collect();
        match product {
            Product::Astpp => {
                assert_eq!(lost, [(4, "column Grace Time"), (5, "initial increment 0")]);
                // Neither says how it is stepped: by the second, 61 s at 0.03 a minute.
                books.check(
                    &from(name, "+390612345678").lasts("61"),
                    "outbound astpp international R10 61 s (0 in) 0.0305",
                );
            }
            Product::A2billing => {
                assert_eq!(lost, [(4, "column disconnectcharge"), (5, "defaultprefix"), (6, "first block")])
            }
        }
    }
}

/// ASTPP's origination rates have other headings, and A2Billing's columns may all be left out but two: no steps are steps of a
/// second then, whatever the country's are.
#[test]
fn headings_of_other_exports_and_steps_that_nobody_wrote() {
    let origination = "Code,Destination,Connect Cost,Included Seconds,Per Minute Cost,Initial Increment,Increment\n\
                       34,Spain,0.01,0,0.02,6,6\n33,France,0,30,0.02,6,6\n";
    let bare = "dialprefix,destination,rateinitial\n34,Spain,0.02\n";
    let cases: [(Product, &str, &str, &str); 2] = [
        // 0.01 + 66 s at 0.02 a minute.
        (Product::Astpp, "tariff", origination, "66 s (0 in) 0.0320"),
        // 61 s at 0.02 a minute: 0.02033.
        (Product::A2billing, "tariff", bare, "61 s (0 in) 0.0203"),
    ];
    for (product, name, text, expected) in cases {
        let converted = exports(product, &[(format!("{name}.csv"), text.into())], &wishes());
        assert!(converted.findings.is_empty(), "{:#?}", converted.findings);
        let expected = format!("outbound {name} international R10 {expected}");
        books(&converted).check(&from(name, "+34911234567").lasts("61"), &expected);
        let lost: Vec<_> = converted.lost.iter().map(|lost| (lost.lines[0], lost.what.as_str())).collect();
        let included: &[(u32, &str)] = if product == Product::Astpp { &[(3, "column Included Seconds")] } else { &[] };
        assert_eq!(lost, included);
    }
}

/// No unit is seconds to some versions and nanoseconds to others; where no second costs anything that is no matter.
#[test]
fn what_is_free_is_free_in_any_steps() {
    let files = [
        ("Destinations.csv", "ES,34\nFR,33\n"),
        ("Rates.csv", "RT_FREE,0,0,1,1,0\nRT_CALL,0.1,0,1,1,0\n"),
        ("DestinationRates.csv", "DR,ES,RT_FREE,*middle,4,0,\nDR,FR,RT_CALL,*middle,4,0,\n"),
        ("RatingPlans.csv", "RP,DR,*any,10\n"),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).into();
    let converted = cgrates(&files, &wishes());
    assert!(converted.findings.is_empty() && converted.lost.is_empty(), "{converted:#?}");
    let books = books(&converted);
    books.check(&from("RP", "+34911234567").lasts("61"), "outbound RP international R10 61 s (0 in) 0.0000");
    // 0.1 for the call.
    books.check(&from("RP", "+33142345678").lasts("61"), "outbound RP international R10 61 s (0 in) 0.1000");
}

/// A rate that cannot be read is named where it stands, and not once more by every row that names it.
#[test]
fn what_cannot_be_read_is_named_once() {
    let files = [
        ("Destinations.csv", "ES,34\n"),
        ("Rates.csv", "RT,1e-2,0.1,60s,60s,0s\n"),
        ("DestinationRates.csv", "DR,ES,RT,*middle,4,0,\nDR,FR,RT,*middle,4,0,\n"),
        ("RatingPlans.csv", "RP,DR,*any,ten\n"),
        ("RatingProfiles.csv", "org,call,1001,,RP,\n"),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).into();
    let converted = cgrates(&files, &wishes());
    let found: Vec<_> = converted.findings.iter().map(|f| (f.file.as_str(), f.line, f.message.as_str())).collect();
    assert_eq!(
        found,
        [
            ("Rates.csv", 1, "connect fee: \"1e-2\" is no amount: not a decimal number"),
            ("RatingPlans.csv", 1, "weight: \"ten\" is no amount: not a decimal number"),
            ("DestinationRates.csv", 2, "there is no destination \"FR\" in Destinations.csv"),
        ]
    );
}
