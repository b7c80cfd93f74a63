use std::sync::OnceLock;

use super::*;
use crate::number::classify;
use crate::tariff::deck as reader;
use crate::tariff::findings::Findings;
use crate::time::Zone;

fn shipped() -> &'static (Countries, Vec<NumberingRow>) {
    static SHIPPED: OnceLock<(Countries, Vec<NumberingRow>)> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let countries = Countries::parse(include_str!("../../../rates/countries.toml")).unwrap();
        (countries, classify::parse(include_str!("../../../rates/numbering.csv")).unwrap())
    })
}

fn read(text: &str) -> Deck {
    reader::read(text.as_bytes(), &Zone::UTC, &|_, _| None, &mut Findings::new("t"))
}

fn shown(remarks: &[Remark]) -> Vec<String> {
    remarks.iter().map(|r| format!("{} {} {}", r.kind.name(), r.line, r.prefix).trim_end().to_owned()).collect()
}

fn check(body: &str, expected: &[&str]) {
    let (countries, plan) = shipped();
    let deck = read(&format!("prefix,rate,destination,valid_from,valid_to\n{body}"));
    let remarks = super::deck(&deck, &World::new(countries, plan), None);
    assert_eq!(shown(&remarks), expected, "{body}\n{remarks:#?}");
}

#[test]
fn codes() {
    check("49,0.01,,,\n1,0.01,,,\n7,0.02,,,\n355,0.1,,,\n1204,0.1,,,\n", &[]);
    check("4950000000000,0.01,,,\n", &["ruined_code 2 4950000000000"]);
    check("4,0.01,,,\n35,0.01,,,\n", &["short_code 2 4", "short_code 3 35"]);
    check("684,13.65,American Samoa (old),,\n2101,0.1,,,\n", &["no_calling_code 2 684", "no_calling_code 3 2101"]);
}

#[test]
fn dates() {
    check("49,0.01,,2026-01-01,2026-06-01\n49,0.02,,2026-03-01,\n", &["overlap 3 49"]);
    check("49,0.01,,2026-01-01,2026-03-01\n49,0.02,,2026-03-01,\n", &[]);
    check("49,0.01,,2026-01-01,\n49,0.02,,2026-03-01,\n", &[]);
}

#[test]
fn prices() {
    // Albania's landline without its point; the middle is a tenth.
    check("355,0.1,,,\n3554,0.1,,,\n3555,0.1,,,\n35534606,1200,,,\n", &["lost_point 5 35534606"]);
    // A currency of small units has no point to lose.
    check("355,60,,,\n3554,60,,,\n3555,70,,,\n", &[]);
    let cities = "49,0.01,,,\n4930,0.01,,,\n4940,0.01,,,\n4989,0.012,,,\n49221,0.01,,,\n";
    check(&format!("{cities}49511,0.5,,,\n"), &["out_of_line 7 49511"]);
    check(&format!("{cities}49511,0.19,,,\n"), &[]);
    check(&format!("{cities}49511,0,,,\n"), &["free 7 49511"]);
    // Premium numbers are dear, toll-free ones free.
    check(&format!("{cities}49900,2,,,\n49800,0,,,\n"), &[]);
}

/// Good decks of the world have rows for a few special prefixes beside each other; the judge must not cry wolf.
#[test]
fn what_the_numbering_plan_explains_is_no_fault() {
    // Most of these neighbours are dear services: the landline among them is not cheap.
    let services = "4219000,2,,,\n4219001,2,,,\n4219002,2,,,\n4219003,2,,,\n4219004,2,,,\n";
    check(&format!("421,0.02,,,\n{services}421902,0.02,,,\n"), &[]);
    // 3480 prices premium numbers, since a longer row takes the toll-free ones.
    let spain =
        "34,0.045,,,\n3481,0.045,,,\n3482,0.045,,,\n3483,0.045,,,\n3484,0.045,,,\n3485,0.045,,,\n3480,2.25,,,\n";
    check(&format!("{spain}34800,0.06,,,\n"), &[]);
    check(spain, &["out_of_line 8 3480"]);
    // Australia beside its islands.
    let islands = "618916200,0.5,,,\n618916201,0.5,,,\n618916202,0.5,,,\n618916203,0.5,,,\n618916204,0.5,,,\n";
    check(&format!("61,0.017,,,\n{islands}"), &[]);
}

#[test]
fn prices_per_second() {
    let (countries, plan) = shipped();
    let world = World::new(countries, plan);
    let of = |rate: &dyn Fn(u64) -> u64, codes: std::ops::Range<u64>| {
        let rows: String = codes.map(|c| format!("49{c},0.{:06}\n", rate(c))).collect();
        read(&format!("prefix,rate\n{rows}"))
    };
    let minute = of(&|c| 60 * c, 200..260);
    for (deck, expected) in [
        (of(&|c| c, 200..260), &["per_second 0"][..]),
        (of(&|c| 3600 * c, 200..260), &["per_second 0"]),
        (of(&|c| 50 * c, 200..260), &[]),
    ] {
        assert_eq!(shown(&super::deck(&deck, &world, Some(&minute))), expected);
    }
    // Too few to tell it of all: each is told by itself.
    let few = super::deck(&of(&|c| c, 200..210), &world, Some(&minute));
    assert!(
        few.len() == 10 && few.iter().all(|r| r.kind == Kind::Jump && r.hint.starts_with("is it per second?")),
        "{few:#?}"
    );
    // In cents, and back.
    for (deck, expected) in [
        ([6, 600], "all prices are about a hundred times those before: they are in cents"),
        ([600, 6], "all prices are about a hundredth of those before: these or those were in cents"),
    ] {
        let [before, deck] = deck.map(|times| of(&|c| times * c, 200..260));
        let remarks = super::deck(&deck, &world, Some(&before));
        let whole: Vec<&str> = remarks.iter().filter(|r| r.line == 0).map(|r| r.message.as_str()).collect();
        assert_eq!(whole, [expected]);
    }
    // By itself a deck of the world must be as cheap as no deck of the world is.
    let codes = [
        93, 355, 213, 376, 244, 54, 374, 297, 61, 43, 994, 973, 880, 375, 32, 501, 229, 975, 591, 387, 267, 55, 673,
        359, 226, 257, 855, 237, 238, 236, 235, 56,
    ];
    let world_deck =
        |rate: &str| read(&codes.iter().fold("prefix,rate\n".to_owned(), |t, c| t + &format!("{c},{rate}\n")));
    assert_eq!(shown(&super::deck(&world_deck("0.0015"), &world, None)), ["per_second 0"]);
    assert_eq!(shown(&super::deck(&world_deck("0.02"), &world, None)), [] as [&str; 0]);
}

#[test]
fn names_of_other_countries() {
    check("49,0.01,Germany,,\n4915,0.01,Germany Mobile,,\n1204,0.01,Canada,,\n1876,0.1,Jamaica,,\n", &[]);
    check("49,0.01,Austria,,\n1204,0.01,United States,,\n", &["wrong_country 2 49", "wrong_country 3 1204"]);
    check("7727,0.1,Russia Mobile,,\n882,1,Satellite,,\n", &["wrong_country 2 7727"]);
}

#[test]
fn what_decks_leave_out() {
    let (countries, plan) = shipped();
    let world = World::new(countries, plan);
    let missing = |texts: &[&str]| {
        let decks: Vec<Deck> = texts.iter().map(|t| read(&format!("prefix,rate\n{t}"))).collect();
        shown(&super::coverage(&decks.iter().collect::<Vec<_>>(), &world, &[]))
    };
    assert_eq!(missing(&["4930,0.01\n"]), ["no_mobile 0"]);
    assert_eq!(missing(&["49,0.01\n"]), ["premium_inherits 2 49"]);
    assert_eq!(missing(&["49,0.01\n49900,2\n491371,1\n"]).len(), 1, "137-7 and others still inherit");
    // Blocked is not priced.
    let blocked = read("prefix,rate,blocked\n49,,true\n");
    assert_eq!(shown(&super::coverage(&[&blocked], &world, &[])), [] as [&str; 0]);
    // Ireland's 15x premium numbers begin as Dublin's do and are only longer: no row could tell them apart.
    assert_eq!(missing(&["353,0.02\n"]), [] as [&str; 0]);
    // A row for the special ones inherits nothing from ordinary ones that have rows of their own.
    assert_eq!(missing(&["34,0.045\n3480,2.25\n34800,0.06\n34905,2\n3490,2\n"]), [] as [&str; 0]);
    // What one deck lacks another has; a deck of premium numbers alone lacks nothing.
    let germany = Country::parse("DE").unwrap();
    let premium: String = plan
        .iter()
        .filter(|r| r.kind == NumberKind::Premium && r.country == germany)
        .map(|r| format!("{},2\n", r.prefix))
        .collect();
    assert_eq!(missing(&["49,0.01\n", &premium]), [] as [&str; 0]);
    assert_eq!(missing(&[&premium]), [] as [&str; 0]);
}

#[test]
fn an_accepted_kind_only_warns_and_many_are_counted() {
    let (countries, plan) = shipped();
    let deck = read("prefix,rate\n4,0.01\n35,0.01\n3,0.01\n684,0.1\n");
    let mut remarks = super::deck(&deck, &World::new(countries, plan), None);
    let (shown, counts) = bounded(&remarks, 2);
    assert_eq!(shown.len(), 3);
    let counted = [(Kind::ShortCode, Severity::Error, 3), (Kind::NoCallingCode, Severity::Warning, 1)];
    assert_eq!(counts, counted);
    accept(&mut remarks, &[Kind::named("short-code").unwrap()]);
    assert!(remarks.iter().all(|r| r.severity == Severity::Warning));
    assert_eq!(Kind::named("short_cod"), Err("did you mean \"short_code\"?".to_owned()));
}

/// Decks of a plan, each a list of rows `prefix,valid_from,valid_to`; what is told as of 10 October 2026.
fn uncovered_in(decks: &[&str], before: Option<&str>, elsewhere: &[&str]) -> Vec<String> {
    let (countries, plan) = shipped();
    let world = World::new(countries, plan);
    let of = |rows: &str| {
        let rows: Vec<String> = rows
            .split_whitespace()
            .map(|row| {
                let mut cells = row.split(',');
                let mut cell = || cells.next().unwrap_or("");
                format!("{},0.01,{},{}\n", cell(), cell(), cell())
            })
            .collect();
        read(&format!("prefix,rate,valid_from,valid_to\n{}", rows.concat()))
    };
    let decks: Vec<Deck> = decks.iter().map(|rows| of(rows)).collect();
    let elsewhere: Vec<Country> = elsewhere.iter().map(|code| Country::parse(code).unwrap()).collect();
    let now = crate::time::parse_rfc3339(b"2026-10-10T00:00:00Z").unwrap();
    let found = uncovered(&decks.iter().collect::<Vec<_>>(), &world, &elsewhere, now, before.map(of).as_ref());
    found.iter().map(|(deck, remark)| format!("{deck}:{}: {}", remark.line, remark.message)).collect()
}

#[test]
fn times_without_a_row() {
    let none: [&str; 0] = [];
    // Nothing is dated, or nothing later than now; what ended before is not told.
    for rows in ["33 44", "33,2026-10-01 44,,", "33,2025-01-01,2026-01-01 44", "33,2026-10-10"] {
        assert_eq!(uncovered_in(&[rows], None, &[]), none, "{rows}");
    }
    // The rows of December alone: until then there is none, counted once for each date.
    let december =
        "33,2026-12-01 331,2026-12-01 34,2026-12-01 44,2026-12-01 4420,2026-12-01 45,2026-12-01 46,2026-12-15";
    assert_eq!(
        uncovered_in(&[december], Some("33 44,,2026-11-01 45,2026-11-01"), &[]),
        [
            "0:2: 6 prefixes have no row until 2026-12-01T00:00:00Z: 33, 331, 34, 44, 4420 and 1 more; the deck that this one \
             replaces prices 4 of them now",
            "0:8: 46 has no row until 2026-12-15T00:00:00Z",
        ]
    );
    // Those of now beside them, up to the very instant; a day too few.
    assert_eq!(uncovered_in(&["33,,2026-12-01 33,2026-12-01"], None, &[]), none);
    assert_eq!(
        uncovered_in(&["33,,2026-11-30 33,2026-12-01"], None, &[]),
        ["0:3: 33 has no row from 2026-11-30T00:00:00Z until 2026-12-01T00:00:00Z"]
    );
    // An open row goes on beneath a later one that ends.
    assert_eq!(uncovered_in(&["33 33,2026-12-01,2027-01-01"], None, &[]), none);
    // What ends, and nothing follows.
    assert_eq!(uncovered_in(&["33,,2027-01-01 44"], None, &[]), ["0:2: 33 has no row from 2027-01-01T00:00:00Z on"]);
    // A shorter prefix prices it meanwhile; for as long as it does.
    assert_eq!(uncovered_in(&["33 336,2026-12-01"], None, &[]), none);
    assert_eq!(
        uncovered_in(&["33,,2026-11-15 336,2026-12-01"], None, &[]),
        [
            "0:3: 336 has no row from 2026-11-15T00:00:00Z until 2026-12-01T00:00:00Z",
            "0:2: 33 has no row from 2026-11-15T00:00:00Z on",
        ]
    );
    // A prefix that is split up has its place taken by longer ones, if these are all there are, and for as long.
    let split: String = (0..=9).map(|digit| format!("352{digit},2026-12-01 ")).collect();
    assert_eq!(uncovered_in(&[&format!("352,,2026-12-01 {split}")], None, &[]), none);
    for (rows, expected) in [
        (split.replace("3526,2026-12-01 ", ""), "0:2: 352 has no row from 2026-12-01T00:00:00Z on"),
        (
            split.replace("3526,2026-12-01", "3526,2026-12-05"),
            "0:9: 3526 has no row from 2026-12-01T00:00:00Z until 2026-12-05T00:00:00Z",
        ),
    ] {
        let told = uncovered_in(&[&format!("352,,2026-12-01 {rows}")], None, &[]);
        assert!(told.contains(&expected.to_owned()), "{told:?}");
    }
    // So does another deck of the plan, by the same prefix or a shorter one.
    assert_eq!(uncovered_in(&["33,2026-12-01 448,2026-12-01", "33 44"], None, &[]), none);
    assert_eq!(uncovered_in(&["33", "44,2026-12-01"], None, &[]), ["1:2: 44 has no row until 2026-12-01T00:00:00Z"]);
    // At home and where calls are included no row is needed.
    assert_eq!(uncovered_in(&["49,2026-12-01 33,2026-12-01"], None, &["DE", "FR"]), none);
    // A fifth of a million rows of one date are one remark.
    let many: String = (0..200_000).map(|n| format!("33{n:06},2026-12-01 ")).collect();
    let told = uncovered_in(&[&many], None, &[]);
    assert!(told.len() == 1 && told[0].contains("200000 prefixes") && told[0].ends_with("and 199995 more"), "{told:?}");
}

/// Beside the deck that is replaced: a point that moved by one place, a price that is per second, one that is free now.
#[test]
fn prices_far_from_those_before() {
    let (countries, plan) = shipped();
    let world = World::new(countries, plan);
    let before = read("prefix,rate\n33,0.01\n336,0.06\n34,0.02\n39,0.05\n393,0.3\n44,0\n447,0.03\n45,0.004\n46,0.02\n");
    // 33 as it was; 336 ten times as much; 34 four times; 39 free; 393 a sixtieth; 44 costs something now; 447 is new; 45 is small.
    let deck = read("prefix,rate\n33,0.01\n336,0.6\n34,0.08\n39,0\n393,0.005\n44,0.5\n4470,0.03\n45,0.0005\n46,0.1\n");
    let remarks = super::deck(&deck, &world, Some(&before));
    let told: Vec<String> = remarks
        .iter()
        .filter(|r| r.kind == Kind::Jump)
        .map(|r| format!("{}: {} ({})", r.line, r.message, r.hint))
        .collect();
    assert_eq!(
        told,
        [
            "3: 336 costs 0.6, and 0.06 in the deck that this one replaces (is the decimal point where it should be?)",
            "5: 39 costs 0, and 0.05 in the deck that this one replaces (is the decimal point where it should be?)",
            "6: 393 costs 0.005, and 0.3 in the deck that this one replaces (is it per second? else: is the decimal point where it should be?)",
            "10: 46 costs 0.1, and 0.02 in the deck that this one replaces (is the decimal point where it should be?)",
        ]
    );
    // Without one before nothing is said of it; a row for some callers, or some hours, is not compared.
    assert!(super::deck(&deck, &world, None).iter().all(|r| r.kind != Kind::Jump));
    let bands = read("prefix,rate,days,hours\n336,0.6,mon-fri,8-18\n336,0.06,,\n");
    assert!(super::deck(&bands, &world, Some(&before)).iter().all(|r| r.kind != Kind::Jump));
}

/// A row for some mobile prefixes of a country is missing: they fall to the landline's price.
#[test]
fn mobiles_that_fall_to_the_landline() {
    let (countries, plan) = shipped();
    let world = World::new(countries, plan);
    let told = |rows: &str| {
        let deck = read(&format!("prefix,rate\n{rows}"));
        let found = super::coverage(&[&deck], &world, &[]);
        found.into_iter().filter(|r| r.kind == Kind::MobileInherits).map(|r| r.message).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    // Every mobile prefix of Luxembourg begins with 6; the landline is as dear; one price for the country; no row for some is another
    // matter; what is blocked costs nothing.
    assert_eq!(told("352,0.01\n3526,0.1\n"), none);
    assert_eq!(told("352,0.08\n352621,0.1\n"), none);
    assert_eq!(told("352,0.01\n"), none);
    assert_eq!(told("3522,0.01\n352621,0.1\n"), none);
    let missing = told("352,0.01\n352621,0.1\n352661,0.12\n352671,0.1\n");
    assert_eq!(missing.len(), 1, "{missing:?}");
    let begins = "LU: mobile numbers priced as the landline by 352 at 0.01, where others cost 0.1: 352";
    assert!(missing[0].starts_with(begins) && !missing[0].contains("352621,"), "{missing:?}");
}
