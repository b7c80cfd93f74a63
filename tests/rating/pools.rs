//! Allowances of several kinds (R12): which pool a call draws, how much, and what the rest costs; and a month in which the
//! account's plan changes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use callrated::call::Meter;
use callrated::rating::{self, Drawn, Draws, Resolution, Standing, Told};
use callrated::tariff::{self, RatesText};
use callrated::time::Period;

use crate::common::{Books, COUNTRIES, Call, NUMBERING, call, worked_out};

const PLANS: &str = r#"
[plan.pooled]
country = "DE"
currency = "EUR"
included_minutes = 10
overage_rate = "0.02"
decks = ["world"]
inbound_decks = ["inbound"]
[plan.pooled.allowances.mobile]
minutes = 3
of = ["DE:mobile"]
[plan.pooled.allowances.berlin]
minutes = 2
of = ["+4930"]
[plan.pooled.allowances.neighbours]
minutes = 5
of = ["AT", "FR", "+4420"]
[plan.pooled.allowances.world]
minutes = 4
of = ["international"]
[plan.pooled.allowances.hotline]
minutes = 6
of = ["toll_free"]

[plan.devices]
country = "DE"
currency = "EUR"
included_minutes = 0
overage_rate = "0.05"
[plan.devices.allowances.low-usage]
minutes = 3
of = ["off_net"]

[plan.silent-devices]
country = "DE"
currency = "EUR"
included_minutes = 0
overage_rate = "0.05"
internal = "free"
[plan.silent-devices.allowances.low-usage]
minutes = 3
of = ["off_net"]

[plan.small]
country = "DE"
currency = "EUR"
included_minutes = 100
overage_rate = "0.05"
prorate_change = true
[plan.small.allowances.mobile]
minutes = 31
of = ["DE:mobile"]
[plan.big]
country = "DE"
currency = "EUR"
included_minutes = 1000
overage_rate = "0.01"
prorate_change = true
[plan.big.allowances.mobile]
minutes = 62
of = ["DE:mobile"]
"#;
const WORLD: &str = "\
prefix,destination,rate,connect_fee,increment,call_type,blocked
43,Austria,0.10,0.05,60,,
44,United Kingdom,0.20,,60,,
4420,London,0.20,0.01,60,,
33,France,0.30,,60,,
339,France VoIP,0.30,,60,,true
4915555,Premium,0.90,,60,domestic_premium,
";
const ACCOUNTS: &str = "\
account,plan,country,billing_start,timezone,language,extensions,group,valid_from,valid_to
p,pooled,DE,2020-01-01,UTC,en,100-199,,,
d,devices,DE,2020-01-01,UTC,en,100-199,,,
d1,devices,DE,2020-01-01,UTC,en,100-199,lobby,,
d2,devices,DE,2020-01-01,UTC,en,200-299,lobby,,
d3,devices,DE,2020-01-01,UTC,en,300-399,,,
s,silent-devices,DE,2020-01-01,UTC,en,100-199,,,
c,small,DE,2020-01-01,Europe/Berlin,en,,,,2026-10-11
c,big,DE,2020-01-01,Europe/Berlin,en,,,2026-10-11,2026-10-21
c,big,DE,2020-01-01,Europe/Berlin,de,,,2026-10-21,2026-10-26
c,small,DE,2020-01-01,Europe/Berlin,en,,,2026-10-26,
";
const NUMBERS: &str = "number,account\n+498001234567,p\n+493022222,d\n+493033333,s\n";

static BOOKS: LazyLock<Books> = LazyLock::new(|| {
    let inbound = "prefix,rate,increment\n49800,0.04,60\n";
    Books::of(PLANS, &[("world", WORLD), ("inbound", inbound)], ACCOUNTS, NUMBERS)
});

/// What one group has drawn in one month.
#[derive(Default)]
struct Counted(BTreeMap<u32, u64>);

impl Drawn for Counted {
    fn seconds(&self, _month: Period, meter: Meter) -> u64 {
        self.0.get(&meter.0).copied().unwrap_or(0)
    }
}

/// Calls one after the other: call type, seconds and cost, and what each pool of the account's group gave:
/// `included 180 s 0.0000: mobile 120, plan 60`.
fn told(calls: &[Call]) -> Vec<String> {
    let (mut groups, mut draws, world) = (BTreeMap::<String, Counted>::new(), Draws::default(), BOOKS.world());
    let mut lines = Vec::new();
    for call in calls {
        let record = call.record();
        let Resolution::Legs(Some(leg), None) = rating::resolve(&record, call.received(), &call.profile, world) else {
            panic!("{call:?}");
        };
        let group = world.directory.row(leg.account_row).group().to_owned();
        let counted = groups.entry(group).or_default();
        let before = Standing::of(counted);
        let rated = rating::rate(&leg, world, leg.period(world), before, &mut draws);
        // The proof comes to the same digits, and tells of every pool.
        let proof = rating::prove(&record, call.received(), &call.profile, world, leg.direction, &|_, _| before);
        let Ok(rated) = rated else {
            lines.push(proof.suspended.unwrap().reason.to_owned());
            continue;
        };
        let quote = proof.quote.unwrap();
        assert_eq!(quote.cost, rated.cost.fixed(4));
        if !quote.arithmetic.is_empty() {
            assert_eq!(worked_out(&quote.arithmetic, 4), quote.cost, "{}", quote.arithmetic);
        }
        assert_eq!(quote.included_seconds, rated.included_seconds);
        let shown: Vec<_> = quote.allowances.iter().map(|a| (a.name.as_str(), a.included_seconds)).collect();
        let kept = Told::read(&draws.text);
        assert_eq!(shown, kept.iter().map(|t| (t.0.as_str(), t.1)).collect::<Vec<_>>());
        for draw in &draws.list {
            *counted.0.entry(draw.meter.0).or_default() += u64::from(draw.seconds);
        }
        if draws.list.is_empty() {
            *counted.0.entry(0).or_default() += u64::from(rated.included_seconds);
        } else {
            let sum: u32 = draws.list.iter().map(|draw| draw.seconds).sum();
            assert_eq!(sum, rated.included_seconds);
        }
        let gave: Vec<String> = match kept.is_empty() {
            true => vec![format!("plan {}", rated.included_seconds)],
            false => kept.iter().map(|t| format!("{} {}", if t.0.is_empty() { "plan" } else { &t.0 }, t.1)).collect(),
        };
        lines.push(format!("{} {} s {}: {}", rated.call_type, rated.billable_seconds, quote.cost, gave.join(", ")));
    }
    lines
}

#[track_caller]
fn check(account: &str, calls: &[(&str, &str, &str)]) {
    let made: Vec<Call> = calls
        .iter()
        .map(|(to, seconds, _)| {
            let call = call("+49891234567", to).account(account).lasts(seconds);
            // What comes in for the toll-free number.
            if *to == "+498001234567" {
                call.account("p").direction(callrated::record::Direction::Inbound)
            } else {
                call
            }
        })
        .collect();
    let expected: Vec<&str> = calls.iter().map(|(.., line)| *line).collect();
    assert_eq!(told(&made), expected);
}

#[test]
fn the_most_specific_pool_gives_first_and_the_next_what_it_has_not() {
    check(
        "p",
        &[
            // 3 minutes of mobile: 2 for the first call, 1 for the second, whose other minute the plan gives.
            ("015123456789", "120", "included 120 s 0.0000: mobile 120"),
            ("015123456789", "120", "included 120 s 0.0000: mobile 60, plan 60"),
            // Now mobile is empty; of the plan's 10 minutes 9 are left: 9 included, 1 beyond at 0.02.
            ("015123456789", "600", "included 600 s 0.0200: mobile 0, plan 540"),
            ("015123456789", "60", "overage 60 s 0.0200: mobile 0, plan 0"),
            // Berlin has 2 minutes of its own: 2 of 3 included, 1 beyond.
            ("030123456", "180", "included 180 s 0.0200: berlin 120, plan 0"),
            // No pool means Munich.
            ("089123456", "60", "overage 60 s 0.0200: plan 0"),
        ],
    );
}

#[test]
fn pools_cover_calls_that_a_row_prices() {
    check(
        "p",
        &[
            // Austria is a neighbour (5 min), and abroad (4 min): the country means it closer. Nothing is due, no fee either.
            ("004312345678", "180", "international 180 s 0.0000: neighbours 180"),
            // 2 + 4 minutes are left of 7: 1 minute at 0.10 and the fee of 0.05, once.
            ("004312345678", "420", "international 420 s 0.1500: neighbours 120, world 240"),
            ("004312345678", "60", "international 60 s 0.1500: neighbours 0, world 0"),
            // A row that blocks blocks, whatever is left; and a call without a price waits.
            ("0033912345678", "60", "blocked"),
            ("0034912345678", "60", "no_rate"),
        ],
    );
    check(
        "p",
        &[
            // London is a prefix of neighbours; the rest of the United Kingdom is abroad only.
            ("00442079460000", "60", "international 60 s 0.0000: neighbours 60"),
            ("00441619460000", "300", "international 300 s 0.2000: world 240"),
            // A premium number with a German mobile's digits is no mobile: 0.90.
            ("015555123456", "60", "domestic_premium 60 s 0.9000: plan 0"),
        ],
    );
    // What comes in on the toll-free number: 6 minutes, then 0.04.
    check(
        "p",
        &[
            ("+498001234567", "300", "toll_free 300 s 0.0000: hotline 300"),
            ("+498001234567", "120", "toll_free 120 s 0.0400: hotline 60"),
        ],
    );
}

#[test]
fn calls_inside_the_account_draw_no_minutes_of_low_usage_devices() {
    check(
        "d",
        &[
            // To an extension: not off net; the plan itself has no minutes.
            ("150", "60", "overage 60 s 0.0500: plan 0"),
            ("+493022222", "60", "overage 60 s 0.0500: plan 0"),
            ("030123456", "120", "included 120 s 0.0000: low-usage 120"),
            ("030123456", "120", "included 120 s 0.0500: low-usage 60, plan 0"),
        ],
    );
    // With internal = "free" they are not counted at all, and take nothing from the pool.
    check(
        "s",
        &[
            ("150", "600", "included 0 s 0.0000: plan 0"),
            ("+493033333", "600", "included 0 s 0.0000: plan 0"),
            ("030123456", "180", "included 180 s 0.0000: low-usage 180"),
        ],
    );
}

/// A device is an account, its billing group the pool: three minutes for both of the lobby.
#[test]
fn the_devices_of_a_group_share_their_minutes() {
    let of = |account: &str, to: &str, seconds: &str| call("+49891234567", to).account(account).lasts(seconds);
    let calls = [
        of("d1", "030123456", "61"),
        // To an extension of its own: ten minutes at 0.05 that the pool does not know of.
        of("d1", "150", "600"),
        // One of the three minutes is left, and one costs 0.05.
        of("d2", "030123456", "61"),
        of("d1", "030123456", "60"),
        // Another group has its own.
        of("d3", "030123456", "180"),
    ];
    assert_eq!(
        told(&calls),
        [
            "included 120 s 0.0000: low-usage 120",
            "overage 600 s 0.5000: plan 0",
            "included 120 s 0.0500: low-usage 60, plan 0",
            "overage 60 s 0.0500: low-usage 0, plan 0",
            "included 180 s 0.0000: low-usage 180",
        ]
    );
}

#[test]
fn calls_of_no_billed_second_draw_nothing() {
    check("p", &[("015123456789", "0", "included 0 s 0.0000: plan 0")]);
}

#[test]
fn a_month_of_two_plans_has_each_plans_share_by_days() {
    // October has 31 days. small: the 1st to the 10th and the 26th to the 31st, 10 + 6 = 16 days; big: the 11th to the 25th,
    // 15 days, though its row changes (a language) on the 21st. 16 + 15 = 31: no day twice, none lost.
    // small: 100 min × 16/31 = 51.6 → 52; big: 1000 min × 15/31 = 483.9 → 484. Together 536 min.
    let of = |pool: Option<&str>, at: &str, month: Period| {
        let world = BOOKS.world();
        let account = BOOKS.directory.account_at(b"c", crate::common::at(at)).unwrap();
        let plan = world.tariff.plan(world.tariff.plan_named(account.plan).unwrap());
        let pool = pool.map(|name| plan.pools.iter().find(|pool| pool.name == name).unwrap());
        rating::allowance(world, plan, &account, month, pool)
    };
    let october = Period::of(2026, 10);
    let minutes = |minutes: u64| tariff::Allowance::Seconds(minutes * 60);
    for at in ["2026-10-05T12:00:00Z", "2026-10-15T12:00:00Z", "2026-10-22T12:00:00Z", "2026-10-31T12:00:00Z"] {
        assert_eq!(of(None, at, october), minutes(52 + 484), "{at}");
        // The pool of the same name: 31 × 16/31 = 16, 62 × 15/31 = 30.
        assert_eq!(of(Some("mobile"), at, october), minutes(16 + 30), "{at}");
    }
    // The months beside it have one plan each.
    assert_eq!(of(None, "2026-09-20T12:00:00Z", Period::of(2026, 9)), minutes(100));
    assert_eq!(of(None, "2026-11-20T12:00:00Z", Period::of(2026, 11)), minutes(100));

    // 536 minutes for the month, whoever calls when; what is beyond costs what the plan of that day says.
    let on = |day: &str, minutes: u64| {
        call("", "030123456")
            .account("c")
            .answered(&format!("2026-10-{day}T12:00:00Z"))
            .lasts(&(minutes * 60).to_string())
    };
    assert_eq!(
        told(&[on("02", 500), on("12", 40), on("30", 10)]),
        [
            "included 30000 s 0.0000: plan 30000",
            // 36 left: 4 beyond at big's 0.01.
            "included 2400 s 0.0400: plan 2160",
            // 10 at small's 0.05.
            "overage 600 s 0.5000: plan 0",
        ]
    );
    let call = on("12", 1);
    let world = BOOKS.world();
    let proof = rating::prove(
        &call.record(),
        call.received(),
        &call.profile,
        world,
        callrated::record::Direction::Outbound,
        &|_, _| Standing::of(&0),
    );
    let words = "allowance of 2026-10: 32160 s (the plan changes: 100 min of small × 16/31 days + 1000 min of big × 15/31 days, \
                 each up to the minute), 0 s used before, 32160 s left; 60 s drawn, 32100 s left after; 0 s beyond";
    assert!(proof.lines.iter().any(|line| line.text == words), "{:#?}", proof.lines);
}

/// What is found in plans, with its place and hint.
pub fn findings_of(plans: String) -> Vec<String> {
    let text = RatesText {
        countries: COUNTRIES.into(),
        numbering: NUMBERING.into(),
        plans: plans.into(),
        ..RatesText::default()
    };
    let findings = tariff::compile(&text).map_or_else(|findings| findings, |compiled| compiled.findings);
    findings.iter().map(|f| format!("{}:{} {} ({})", f.line, f.column, f.message, f.hint)).collect()
}

#[test]
fn mistakes_in_allowances_are_found() {
    let found = |pools: &str| -> Vec<String> {
        let plans = format!(
            "[plan.p]\ncountry = \"DE\"\ncurrency = \"EUR\"\noverage_rate = \"0.01\"\n[plan.p.allowances]\n{pools}\n"
        );
        findings_of(plans)
    };
    let kinds = "write a country \"CA\", one of its kinds \"DE:mobile\", a prefix \"+4479\", or a call type";
    for (pools, expected) in [
        ("m = { minutes = 5, of = [\"DE:mobile\"] }", vec![]),
        ("m = { minutes = 5 }", vec!["6:1 m: of is missing (write of = [\"DE:mobile\", \"+4479\", \"international\"])".to_owned()]),
        ("m = { of = [\"DE\"] }", vec!["6:1 m: minutes is missing (write minutes = 200)".to_owned()]),
        ("m = { minutes = 5, of = [] }", vec!["6:25 m: no call draws it (name calls: of = [\"DE:mobile\"])".to_owned()]),
        ("m = { minutes = 0, of = [\"DE\"] }", vec!["6:17 m: an allowance of 0 minutes gives nothing (leave it out)".to_owned()]),
        ("m = { minutes = 5, of = [\"XQ\"] }", vec!["6:26 of: country XQ is not in countries.toml ()".to_owned()]),
        ("m = { minutes = 5, of = [\"nowhere\"] }", vec![format!("6:26 of: \"nowhere\" names no calls ({kinds})")]),
        ("m = { minutes = 5, of = [\"internatonal\"] }", vec!["6:26 of: \"internatonal\" names no calls (did you mean \"international\"?)".to_owned()]),
        ("m = { minutes = 5, of = [\"DE:mobil\"] }", vec!["6:26 of: \"mobil\" is no kind of number (did you mean \"mobile\"?)".to_owned()]),
        ("m = { minutes = 5, of = [\"+44a\"] }", vec!["6:26 of: \"+44a\" is no prefix (write + and the first digits with the calling code: +4479)".to_owned()]),
        ("m = { minutes = 5, of = [\"emergency\"] }", vec!["6:26 of: emergency calls draw no minutes (call types that do: included, international, domestic_premium, toll_free)".to_owned()]),
        ("m = { minutes = 5, of = [\"FR\"] }", vec!["6:26 m: no call draws it by FR (the plan neither includes that country nor has decks)".to_owned()]),
        ("m = { minutes = 5, of = [\"international\"] }", vec!["6:26 m: no call draws it by international (the plan has no decks)".to_owned()]),
        ("m = { minutes = 5, of = [\"toll_free\"] }", vec!["6:26 m: no call draws it by toll_free (the plan has no inbound_decks)".to_owned()]),
        ("m = { minute = 5, of = [\"DE\"] }", vec![
            "6:1 m: minutes is missing (write minutes = 200)".to_owned(),
            "6:7 m: unknown key \"minute\" (did you mean \"minutes\"?)".to_owned(),
        ]),
        ("\"Mobile 1\" = { minutes = 5, of = [\"DE\"] }", vec!["6:1 allowances: \"Mobile 1\" cannot be a name (write at most 32 of a-z, 0-9, - and _)".to_owned()]),
        ("a = { minutes = 5, of = [\"DE\"] }\nb = { minutes = 5, of = [\"+49\", \"DE\"] }", vec![
            "7:33 allowances \"a\" and \"b\" overlap at DE (\"a\" is drawn first, by its name)".to_owned(),
        ]),
    ] {
        assert_eq!(found(pools), expected, "{pools}");
    }
}
