//! Rows that ask for more than a prefix: who calls, how long the number is, in which state both ends are, how long the
//! call has lasted; and prices by the call.

use std::sync::LazyLock;

use bytes::Bytes;
use callrated::directory::{self, Directory};
use callrated::record::Direction;
use callrated::tariff::{self, RatesText, Tariff};

use crate::common::{Books, COUNTRIES, Call, NUMBERING, call};

const PLANS: &str = r#"
[plan.us]
country = "US"
currency = "USD"
included_minutes = 0
overage = "deck"
decks = ["us"]
inbound_decks = ["tollfree"]
steps = { increment = 60 }
[plan.low]
country = "DE"
currency = "EUR"
included_minutes = 50
overage_rate = "0.02"
internal = "free"
decks = ["de"]
[plan.de]
country = "DE"
currency = "EUR"
overage_rate = "1"
decks = ["first", "de"]
[plan.split]
country = "DE"
currency = "EUR"
overage_rate = "1"
decks = ["chain"]
bands = "split"
[plan.start]
country = "DE"
currency = "EUR"
included_minutes = 2
overage = "deck"
decks = ["chain"]
"#;

/// Interstate and intrastate, with a price for calls of which that is not known; and one for 1 212 alone.
const US: &str = "\
prefix,rate,rate_interstate,rate_intrastate,destination
1,0.05,0.03,0.06,US
1212,,0.02,0.08,New York
1212555,0.09,,,New York 555
1415,,0.01,,San Francisco
";

/// The owner of a toll-free number pays by the caller's origin.
const TOLLFREE: &str = "\
prefix,origin,rate,destination
1800,1,0.02,Toll-free
1800,1212;1646,0.01,Toll-free from Manhattan
1800,anonymous,0.10,Toll-free from nobody
1888,,0.30,Toll-free 888
1888,1,0.03,Toll-free 888 from home
";

/// The longest destination before the longest origin; lengths; both.
const DE: &str = "\
prefix,origin,length,rate,destination
34,,,0.05,Spain
34,49,,0.04,Spain from Germany
34,4930,,0.03,Spain from Berlin
346,,,0.20,Spain Mobile
346,+49 151;+49 160,,0.15,Spain Mobile from mobiles
43,,,0.10,Austria
43,,10-12,0.20,Austria 10 to 12
43,,11,0.30,Austria 11
43,49,,0.40,Austria from Germany
33,,,0.50,France
";
/// Listed before: what it says of a prefix comes first, whatever the other says of callers.
const FIRST: &str = "prefix,origin,rate,destination\n33,49,0.60,France from Germany\n346009,,0.77,Spain Mobile 009\n";

/// Three minutes at one price, up to ten at another, then a third. Premium by the call. Chains that know the hour and
/// a row's type.
const CHAIN: &str = "\
prefix,rate,after,connect_fee,increment,initial,hours,maximum_cost,call_type,valid_from,per_call,destination
34,0.30,,0.10,60,,,,,,,Spain
34,0.12,180,,,,,,,,,Spain after 3
34,0.06,600,,,,,,,,,Spain after 10
351,0.60,,,1,90,,,,,,Portugal
351,0.06,100,,,,,,,,,Portugal later
33,0.30,,,60,,8-18,2,,,,France by day
33,0.12,60,,,,8-18,,,,,France by day later
33,0.06,,,60,,18-8,,,,,France by night
49900,1.20,,,60,,,,domestic_premium,,,Premium
49900,0.60,60,,,,,,,,,Premium later
49137,,,,,,,,,,0.14,Per call
43,0.30,,,60,,,,,,,Austria
43,0.06,60,,,,,,,2026-10-05,,Austria later
43,0.24,,,60,,,,,2026-10-05,,Austria since October
4930,0.60,,,60,,,,,,,Berlin
4930,0.06,180,,,,,,,,,Berlin later
";

const STATES: &str = "prefix,state\n1212,NY\n1646,NY\n1518,NY\n1201,NJ\n1415,CA\n1416,ON\n1201555,NY\n";

static BOOKS: LazyLock<Books> = LazyLock::new(|| {
    let decks = [("us", US), ("tollfree", TOLLFREE), ("de", DE), ("first", FIRST), ("chain", CHAIN)];
    let text = RatesText {
        countries: COUNTRIES.into(),
        numbering: NUMBERING.into(),
        plans: PLANS.into(),
        decks: decks.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect(),
        states: STATES.into(),
        ..RatesText::default()
    };
    let compiled = tariff::compile(&text).unwrap_or_else(|findings| panic!("{findings:#?}"));
    let tariff = Tariff::open(Bytes::from(compiled.image)).unwrap();
    let accounts = "account,plan,country,billing_start,timezone,language\nus,us,US,2020-01-01,UTC,en\n\
                    de,de,DE,2020-01-01,UTC,de\nsplit,split,DE,2020-01-01,UTC,de\nlow,low,DE,2020-01-01,UTC,de\nstart,start,DE,2020-01-01,UTC,de\n";
    let numbers = "number,account\n+18005550199,us\n+18885550199,us\n+493023125001,low\n+493023125002,low\n";
    let (image, _) = directory::compile(accounts.as_bytes(), numbers.as_bytes()).unwrap();
    Books { directory: Directory::open(Bytes::from(image)).unwrap(), tariff }
});

fn check(rows: Vec<(Call, &str)>) {
    BOOKS.check_all(rows);
}

#[test]
fn toll_free_is_priced_by_the_callers_origin() {
    let from = |source: &str, to: &str| call(source, to).direction(Direction::Inbound).account("us");
    check(vec![
        (from("+14155550100", "+18005550199"), "inbound us toll_free R11 60 s (0 in) 0.0200"),
        (from("+12125550100", "+18005550199"), "inbound us toll_free R11 60 s (0 in) 0.0100"),
        (from("+16465550100", "+18005550199"), "inbound us toll_free R11 60 s (0 in) 0.0100"),
        // Trap 42: who withholds the number has a price of its own …
        (from("anonymous", "+18005550199"), "inbound us toll_free R11 60 s (0 in) 0.1000"),
        (from("", "+18005550199"), "inbound us toll_free R11 60 s (0 in) 0.1000"),
        // … and who calls from abroad has none.
        (from("+4930123456", "+18005550199"), "inbound us suspense no_rate NoRow"),
        // A row without origin is for all others, the anonymous among them.
        (from("+4930123456", "+18885550199"), "inbound us toll_free R11 60 s (0 in) 0.3000"),
        (from("Restricted", "+18885550199"), "inbound us toll_free R11 60 s (0 in) 0.3000"),
        (from("+14155550100", "+18885550199"), "inbound us toll_free R11 60 s (0 in) 0.0300"),
    ]);
}

#[test]
fn the_longest_destination_then_the_longest_origin() {
    let to = |source: &str, to: &str| call(source, to).account("de");
    check(vec![
        (to("+12125550100", "+34911234567"), "outbound de international R10 60 s (0 in) 0.0500"),
        (to("+4940123456", "+34911234567"), "outbound de international R10 60 s (0 in) 0.0400"),
        (to("+4930123456", "+34911234567"), "outbound de international R10 60 s (0 in) 0.0300"),
        (to("anonymous", "+34911234567"), "outbound de international R10 60 s (0 in) 0.0500"),
        // 346 is longer than 34, whatever 34 says of Berlin.
        (to("+4930123456", "+34612345678"), "outbound de international R10 60 s (0 in) 0.2000"),
        (to("+4915112345678", "+34612345678"), "outbound de international R10 60 s (0 in) 0.1500"),
        (to("+4916012345678", "+34612345678"), "outbound de international R10 60 s (0 in) 0.1500"),
        // A deck listed first is asked first; where it has no row for the caller, the next.
        (to("+4930123456", "+33123456789"), "outbound de international R10 60 s (0 in) 0.6000"),
        (to("+12125550100", "+33123456789"), "outbound de international R10 60 s (0 in) 0.5000"),
    ]);
}

#[test]
fn rows_by_the_length_of_the_number() {
    let to = |source: &str, to: &str| call(source, to).account("de");
    check(vec![
        // 43 1 and six digits are nine in all, seven ten, eight eleven, nine twelve.
        (to("", "+431234567"), "outbound de international R10 60 s (0 in) 0.1000"),
        (to("", "+4312345678"), "outbound de international R10 60 s (0 in) 0.2000"),
        (to("", "+43123456789"), "outbound de international R10 60 s (0 in) 0.3000"),
        (to("", "+431234567890"), "outbound de international R10 60 s (0 in) 0.2000"),
        (to("", "+4312345678901"), "outbound de international R10 60 s (0 in) 0.1000"),
        // Who calls says more than how long the number is.
        (to("+4930123456", "+43123456789"), "outbound de international R10 60 s (0 in) 0.4000"),
    ]);
}

#[test]
fn interstate_and_intrastate() {
    let to = |source: &str, to: &str| call(source, to).account("us");
    check(vec![
        // New York to New Jersey, and within New York, where 1 212 has prices of its own.
        (to("+12125550100", "+12015560100"), "outbound us overage R9 60 s (0 in) 0.0300"),
        (to("+15185550100", "+12125560100"), "outbound us overage R9 60 s (0 in) 0.0800"),
        (to("+14155550100", "+12125560100"), "outbound us overage R9 60 s (0 in) 0.0200"),
        (to("+14155560100", "+14155550100"), "outbound us overage R9 60 s (0 in) 0.0600"),
        (to("+12125550100", "+14155550100"), "outbound us overage R9 60 s (0 in) 0.0100"),
        // An exchange that lies in another state than its area code.
        (to("+12125550100", "+12015550100"), "outbound us overage R9 60 s (0 in) 0.0600"),
        // A row that asks nothing is as good, where it is longer.
        (to("+15185550100", "+12125550111"), "outbound us overage R9 60 s (0 in) 0.0900"),
        // Where one end's state is not known, or the caller is not of the country: the price for neither.
        (to("+12135550100", "+14155550100"), "outbound us overage R9 60 s (0 in) 0.0500"),
        (to("anonymous", "+12125560100"), "outbound us overage R9 60 s (0 in) 0.0500"),
        (to("+14165550100", "+14155550100"), "outbound us overage R9 60 s (0 in) 0.0500"),
    ]);
}

#[test]
fn price_steps_inside_a_call() {
    let to = |account: &str, to: &str, lasts: &str| call("", to).account(account).lasts(lasts);
    check(vec![
        // The first three minutes at 0.30, to ten at 0.12, then 0.06; the fee once.
        (to("split", "+34911234567", "60"), "outbound split international R10 60 s (0 in) 0.4000"), // 0.10 + 1 × 0.30
        (to("split", "+34911234567", "180"), "outbound split international R10 180 s (0 in) 1.0000"), // 0.10 + 3 × 0.30
        (to("split", "+34911234567", "181"), "outbound split international R10 240 s (0 in) 1.1200"), // … + 1 × 0.12
        (to("split", "+34911234567", "600"), "outbound split international R10 600 s (0 in) 1.8400"), // 1.00 + 7 × 0.12
        (to("split", "+34911234567", "3600"), "outbound split international R10 3600 s (0 in) 4.8400"), // 1.84 + 50 × 0.06
        // The same where bands do not split: a price step is no band.
        (to("start", "+34911234567", "3600"), "outbound start international R10 3600 s (0 in) 4.8400"),
        // 90/1: the first block ends at 90 s, what begins before 100 s is 0.60: 100 s × 0.60 + 20 s × 0.06.
        (to("start", "+351211234567", "120"), "outbound start international R10 120 s (0 in) 1.0200"),
        (to("start", "+351211234567", "80"), "outbound start international R10 90 s (0 in) 0.9000"),
        // The chain of the row that begins latest: 0.24, then 0.06.
        (
            to("start", "+436601234567", "120").answered("2026-10-04T10:00:00Z"),
            "outbound start international R10 120 s (0 in) 0.6000",
        ),
        (to("start", "+436601234567", "120"), "outbound start international R10 120 s (0 in) 0.3000"),
        // A chain has the type of its first row: 1.20 + 0.60.
        (to("start", "090012345678", "120"), "outbound start domestic_premium R8 120 s (0 in) 1.8000"),
        // Two included minutes are the front of the call: 60 × 0.60 from the third, then 0.06.
        (to("start", "+4930123456", "300"), "outbound start included R9 300 s (120 in) 0.7200"),
    ]);
}

#[test]
fn price_steps_and_bands_together() {
    let to = |account: &str, answer: &str, lasts: &str| {
        call("", "+33123456789").account(account).answered(answer).lasts(lasts)
    };
    check(vec![
        // 0.30, then 2 × 0.12.
        (to("split", "2026-10-05T09:00:00Z", "180"), "outbound split international R10 180 s (0 in) 0.5400"),
        // 17:58 to 18:01: 0.30 + 0.12 by day, then 0.06 by night, which has no steps.
        (to("split", "2026-10-05T17:58:00Z", "180"), "outbound split international R10 180 s (0 in) 0.4800"),
        // 07:59 to 08:02: 0.06 by night, then 2 × 0.12: more than a minute of the call is over.
        (to("split", "2026-10-05T07:59:00Z", "180"), "outbound split international R10 180 s (0 in) 0.3000"),
        // By the beginning: 0.30 + 2 × 0.12.
        (to("start", "2026-10-05T17:58:00Z", "180"), "outbound start international R10 180 s (0 in) 0.5400"),
        // 0.30 + 29 × 0.12 = 3.78, at most 2.
        (to("start", "2026-10-05T09:00:00Z", "1800"), "outbound start international R10 1800 s (0 in) 2.0000"),
    ]);
}

#[test]
fn a_ported_number_is_rated_by_its_routing_number() {
    let to = |to: &str, routing: &str| call("+12125550100", to).account("us").routing_number(routing);
    check(vec![
        // 1 415 556 0100 is in California; ported to New York it is intrastate for a caller from there, by the row of 1 212.
        (to("+14155560100", ""), "outbound us overage R9 60 s (0 in) 0.0100"),
        (to("+14155560100", "+12125560100"), "outbound us overage R9 60 s (0 in) 0.0800"),
        (to("+14155560100", "2125560100"), "outbound us overage R9 60 s (0 in) 0.0800"),
        (to("+14155560100", "+14155560100"), "outbound us overage R9 60 s (0 in) 0.0100"),
        // Nothing is guessed.
        (to("+14155560100", "D015"), "outbound us suspense bad_number BadRoutingNumber"),
        // A toll-free number leads somewhere, and costs nothing all the same.
        (to("+18665550100", "+12125560100"), "outbound us toll_free_outbound R10 60 s (0 in) 0.0000"),
        (to("911", "+12125560100"), "outbound us emergency R6 60 s (0 in) 0.0000"),
        // Country and type are those of the routing number: a Spanish mobile behind a number of Madrid.
        (
            call("+12125550100", "+34911234567").account("de").routing_number("+34612345678"),
            "outbound de international R10 60 s (0 in) 0.2000",
        ),
        // The owner of the dialled number receives the call.
        (
            to("+18005550199", "+12125560100").direction(Direction::Inbound),
            "inbound us toll_free R11 60 s (0 in) 0.0100",
        ),
    ]);
    let ported = to("+14155560100", "+12125560100");
    let side = Direction::Outbound;
    let proof =
        callrated::rating::prove(&ported.record(), ported.received(), &ported.profile, BOOKS.world(), side, &|_, _| {
            callrated::rating::Standing::of(&0)
        });
    let quote = proof.quote.unwrap();
    assert_eq!((quote.destination.as_deref(), quote.prefix.as_deref()), (Some("+14155560100"), Some("1212")));
    let said = r#"routing number "+12125560100": rated by +12125560100, the dialled one is shown"#;
    assert!(proof.lines.iter().any(|line| line.text == said), "{:#?}", proof.lines);
}

/// RFC 4694: the network writes beside the dialled number where it leads.
#[test]
fn a_routing_number_may_stand_in_the_dialled_uri() {
    let to = |to: &str| call("+12125550100", to).account("us");
    let (plain, ported) = ("outbound us overage R9 60 s (0 in) 0.0100", "outbound us overage R9 60 s (0 in) 0.0800");
    check(vec![
        // California to a caller from New York is 0.01 a minute, New York to New York 0.08.
        (to("tel:+1-415-556-0100;npdi;rn=+1-212-556-0100"), ported),
        (to("tel:+1-415-556-0100;npdi;rn=212-556-0100;rn-context=+1"), ported),
        (to("sip:+14155560100;npdi;rn=+12125560100@gw.example;user=phone"), ported),
        (to("\"B\" <sip:4155560100;rn=2125560100;npdi@gw>"), ported),
        // Asked, and not ported; a carrier's code; a code of the network that is no number.
        (to("tel:+1-415-556-0100;npdi"), plain),
        (to("tel:+1-415-556-0100;cic=+1-6789"), plain),
        (to("tel:+1-415-556-0100;npdi;rn=D146;rn-context=+1"), plain),
        // What the record names goes before it, and what is no number is not guessed at.
        (to("tel:+14155560100;rn=+12125560100").routing_number("+14155560100"), plain),
        (to("tel:+14155560100;rn=+1212"), "outbound us suspense bad_number BadRoutingNumber"),
        // Toll-free stays toll-free; the owner of the dialled number receives the call.
        (to("tel:+18665550100;npdi;rn=+12125560100"), "outbound us toll_free_outbound R10 60 s (0 in) 0.0000"),
        (
            to("tel:+18005550199;rn=+12125560100").direction(Direction::Inbound),
            "inbound us toll_free R11 60 s (0 in) 0.0100",
        ),
    ]);
    let proved = |call: &Call| {
        let side = Direction::Outbound;
        callrated::rating::prove(&call.record(), call.received(), &call.profile, BOOKS.world(), side, &|_, _| {
            callrated::rating::Standing::of(&0)
        })
    };
    let proof = proved(&to("tel:+1-415-556-0100;npdi;rn=+1-212-556-0100"));
    let quote = proof.quote.unwrap();
    assert_eq!(quote.destination.as_deref(), Some("+14155560100"), "the dialled number is shown");
    assert_eq!(quote.routing_number.as_deref(), Some("+12125560100"));
    let said = "routing number in what was dialled: rated by +12125560100, the dialled one is shown";
    assert!(proof.lines.iter().any(|line| line.text == said), "{:#?}", proof.lines);
    let proof = proved(&to("tel:+18665550100;rn=+12125560100"));
    assert_eq!(proof.quote.unwrap().routing_number, None);
    assert!(proof.lines.iter().any(|line| line.text.ends_with("which decides nothing here")), "{:#?}", proof.lines);
}

/// A low-usage device's minutes are for calls to others; its pool is that of the billing group.
#[test]
fn calls_inside_the_account_need_not_count() {
    let to = |to: &str| call("+493023125001", to).lasts("61");
    check(vec![
        (to("030 23125002"), "outbound low included R7 0 s (0 in) 0.0000"),
        (to("030 23125002").used(3_000), "outbound low included R7 0 s (0 in) 0.0000"),
        (to("030 999999"), "outbound low included R9 120 s (120 in) 0.0000"),
        (to("030 999999").used(3_000), "outbound low overage R9 120 s (0 in) 0.0400"),
    ]);
}

#[test]
fn a_price_by_the_call() {
    let to = |lasts: &str| call("", "01371234567").account("start").lasts(lasts);
    check(vec![
        (to("1"), "outbound start domestic_premium R10 60 s (0 in) 0.1400"),
        (to("3600"), "outbound start domestic_premium R10 3600 s (0 in) 0.1400"),
        (to("0"), "outbound start domestic_premium R10 0 s (0 in) 0.0000"),
    ]);
}

#[test]
fn the_proof_says_what_a_row_asks() {
    let row = |call: &Call, side, rule: &str| {
        let used = call.used;
        let proof =
            callrated::rating::prove(&call.record(), call.received(), &call.profile, BOOKS.world(), side, &|_, _| {
                callrated::rating::Standing::of(&used)
            });
        proof.lines.into_iter().find(|l| l.rule == rule).map(|l| l.text).unwrap()
    };
    for (call, side, rule, expected) in [
        (
            call("+12125550100", "+18005550199").direction(Direction::Inbound).account("us"),
            Direction::Inbound,
            "R16",
            "longest prefix 1800 of deck tollfree (Toll-free from Manhattan), callers from 1212: 0.01 a minute; always in force",
        ),
        (
            call("", "+43123456789").account("de"),
            Direction::Outbound,
            "R16",
            "longest prefix 43 of deck de (Austria 11), numbers of 11 digits: 0.3 a minute; always in force",
        ),
        (
            call("+12125550100", "+12015560100").account("us"),
            Direction::Outbound,
            "R16",
            "longest prefix 1 of deck us (US), interstate: 0.03 a minute; always in force",
        ),
        (
            call("", "01371234567").account("start"),
            Direction::Outbound,
            "R16",
            "longest prefix 49137 of deck chain (Per call): 0.14 a call; always in force",
        ),
        (
            call("", "+4930123456").account("start").lasts("300"),
            Direction::Outbound,
            "R17",
            "the price changes while the call lasts; each increment by the row that holds where it begins: \
             120 s to 180 s at 0.6 a minute by 4930 of deck chain; \
             180 s to 300 s at 0.06 a minute by 4930 of deck chain (after 180 s)",
        ),
    ] {
        assert_eq!(row(&call, side, rule), expected);
    }
}
