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
        (of(&|c| c, 200..210), &[]),
    ] {
        assert_eq!(shown(&super::deck(&deck, &world, Some(&minute))), expected);
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
