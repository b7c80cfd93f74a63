//! Minutes that roll over (R12) and prices by how much was billed in the month (R25).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use callrated::call::Meter;
use callrated::rating::{self, DrawOf, Drawn, Draws, Proof, Resolution, Standing};
use callrated::tariff::{self, RatesText};
use callrated::time::Period;

use crate::common::{Books, COUNTRIES, Call, NUMBERING, call, worked_out};
use crate::pools::findings_of;

const PLANS: &str = r#"
[plan.keeps]
country = "DE"
currency = "EUR"
included_minutes = 10
rollover = { months = 2, at_most_minutes = 15 }
overage_rate = "0.02"
decks = ["world"]
[plan.keeps.allowances.mobile]
minutes = 3
of = ["DE:mobile"]
rollover = { months = 1 }

[plan.forgets]
country = "DE"
currency = "EUR"
included_minutes = 10
overage_rate = "0.02"

[plan.volume]
country = "DE"
currency = "EUR"
included_minutes = 1
overage_rate = "0.03"
decks = ["world", "dollars"]
[plan.volume.allowances.abroad]
minutes = 2
of = ["+43"]
[plan.volume.tiers.world]
of = ["international"]
levels = [{ after_minutes = 10, discount = "10%" }, { after_minutes = 20, rate = "0.05" }]
[plan.volume.tiers.britain]
of = ["GB"]
levels = [{ after_minutes = 0, discount = "12.5%" }]
[plan.volume.tiers.home]
of = ["included"]
levels = [{ after_minutes = 5, rate = "0.01" }]

[plan.all]
country = "DE"
currency = "EUR"
included_minutes = 0
overage_rate = "0.03"
decks = ["world"]
bands = "split"
[plan.all.tiers.everything]
levels = [{ after_minutes = 2, discount = "50%" }]

[deck.dollars]
currency = "USD"
"#;
const WORLD: &str = "\
prefix,destination,rate,connect_fee,increment,initial,minimum_cost,after
43,Austria,0.10,0.05,60,,,
33,France,0.07,,1,1,,
44,United Kingdom,0.20,0.01,60,,,
39,Italy,0.30,,60,,,
39,Italy,0.10,,,,,60
";
const DOLLARS: &str = "prefix,rate,increment\n34,0.10,60\n";
const ACCOUNTS: &str = "\
account,plan,country,billing_start,timezone,language,extensions
k,keeps,DE,2020-01-01,UTC,en,
f,forgets,DE,2020-01-01,UTC,en,
v,volume,DE,2020-01-01,UTC,en,
a,all,DE,2020-01-01,UTC,en,
";

static BOOKS: LazyLock<Books> = LazyLock::new(|| {
    let text = RatesText {
        countries: COUNTRIES.into(),
        numbering: NUMBERING.into(),
        plans: PLANS.into(),
        decks: [("world", WORLD), ("dollars", DOLLARS)].map(|(name, deck)| (name.to_owned(), deck.into())).into(),
        exchange: b"from,to,rate,valid_from\nUSD,EUR,0.9,2020-01-01\n".to_vec(),
        ..RatesText::default()
    };
    let tariff = tariff::compile(&text).unwrap_or_else(|findings| panic!("{findings:#?}")).image;
    let directory = callrated::directory::compile(ACCOUNTS.as_bytes(), b"number,account\n").unwrap().0;
    Books {
        directory: callrated::directory::Directory::open(directory.into()).unwrap(),
        tariff: tariff::Tariff::open(tariff.into()).unwrap(),
    }
});

#[derive(Default)]
struct Counted(BTreeMap<Meter, u64>);

impl Drawn for Counted {
    fn seconds(&self, _month: Period, meter: Meter) -> u64 {
        self.0.get(&meter).copied().unwrap_or(0)
    }
}

impl Counted {
    fn of(counted: &[(&str, u64)]) -> Counted {
        Counted(counted.iter().map(|(name, seconds)| (Meter::named(name), *seconds)).collect())
    }

    /// Rates a call and counts it: `overage 60 s 0.0200: plan 0`; and its proof, which comes to the same digits.
    fn rate(&mut self, call: &Call) -> (String, Proof) {
        let (world, mut draws) = (BOOKS.world(), Draws::default());
        let record = call.record();
        let Resolution::Legs(Some(leg), None) = rating::resolve(&record, call.received(), &call.profile, world) else {
            panic!("{call:?}");
        };
        let before = Standing::of(self);
        let rated = rating::rate(&leg, world, leg.period(world), before, &mut draws).unwrap();
        let proof = rating::prove(&record, call.received(), &call.profile, world, leg.direction, &|_, _| before);
        let quote = proof.quote.as_ref().unwrap();
        assert_eq!((&quote.cost, quote.included_seconds), (&rated.cost.fixed(4), rated.included_seconds));
        let last = &proof.lines.last().unwrap().text;
        assert!(last.contains(&rated.cost.fixed(4)), "{last}");
        let mut drew = Vec::new();
        for draw in &draws.list {
            *self.0.entry(draw.meter).or_default() += u64::from(draw.seconds);
            drew.push(match draw.of {
                DrawOf::Plan => format!("plan {}", draw.seconds),
                DrawOf::Pool(_) => format!("pool {}", draw.seconds),
                DrawOf::Tier(_) => format!("{} {}", quote.tier.as_ref().unwrap().name, draw.seconds),
            });
        }
        if draws.list.is_empty() {
            *self.0.entry(Meter::PLAN).or_default() += u64::from(rated.included_seconds);
            drew.push(format!("alone {}", rated.included_seconds));
        }
        if !quote.arithmetic.is_empty() {
            assert_eq!(worked_out(&quote.arithmetic, 4), quote.cost, "{}", quote.arithmetic);
        }
        let covered: u32 = draws.list.iter().filter(|d| !matches!(d.of, DrawOf::Tier(_))).map(|d| d.seconds).sum();
        assert!(draws.list.is_empty() || covered == rated.included_seconds);
        (format!("{} {} s {}: {}", rated.call_type, rated.billable_seconds, quote.cost, drew.join(", ")), proof)
    }
}

#[track_caller]
fn check(account: &str, counted: &[(&str, u64)], calls: &[(&str, &str, &str)]) {
    let mut counted = Counted::of(counted);
    for (to, seconds, expected) in calls {
        let (line, proof) = counted.rate(&call("+49891234567", to).account(account).lasts(seconds));
        assert_eq!(line, *expected, "{:#?}", proof.lines);
    }
}

const MUNICH: &str = "089123456";
const MOBILE: &str = "015123456789";
const VIENNA: &str = "004312345678";
const LONDON: &str = "00442079460000";
const PARIS: &str = "0033123456789";
const ROME: &str = "00390612345678";
const MADRID: &str = "0034912345678";

#[test]
fn what_earlier_months_left_is_there_before_the_months_own_minutes() {
    // 10 minutes of its own, 5 of the last month, 2 of the one before: 17. 16 and 1 are included, then 0.02 a minute.
    let left = [("<1", 300), ("<2", 120)];
    check(
        "k",
        &left,
        &[
            (MUNICH, "960", "included 960 s 0.0000: plan 960"),
            (MUNICH, "120", "included 120 s 0.0200: plan 60"),
            (MUNICH, "60", "overage 60 s 0.0200: plan 0"),
        ],
    );
    // A lot that is older than the plan keeps any is not there: a third month, and of the allowance `mobile` a second.
    check("k", &[("<3", 600), ("mobile<2", 600)], &[(MOBILE, "900", "included 900 s 0.0400: pool 180, plan 600")]);
    // Each allowance has its own: 3 + 4 minutes of mobile, then the plan's 10, then 1 beyond.
    check("k", &[("mobile<1", 240)], &[(MOBILE, "1080", "included 1080 s 0.0200: pool 420, plan 600")]);
    // What the month has handed on already is not given a second time: 10 + 5 − 12 are left.
    check("k", &[("<1", 300), (">", 720)], &[(MUNICH, "240", "included 240 s 0.0200: plan 180")]);
    // More handed on than there is, since the plan has fewer minutes now: nothing is left, and nothing is below that.
    check("k", &[(">", 6000)], &[(MUNICH, "60", "overage 60 s 0.0200: plan 0")]);
    // A plan that does not let minutes roll over has none, whatever was left under another.
    check("f", &left, &[(MUNICH, "660", "included 660 s 0.0200: alone 600")]);
    // What the plan after it handed on of this month is gone for its late calls: 10 − 1 drawn − 6 handed on are 3.
    check("f", &[("", 60), (">", 360)], &[(MUNICH, "240", "included 240 s 0.0200: plan 180")]);
    check("f", &[(">", 6000)], &[(MUNICH, "60", "overage 60 s 0.0200: plan 0")]);
    // What was handed on of another allowance is another matter.
    check("f", &[("mobile>", 360)], &[(MUNICH, "600", "included 600 s 0.0000: alone 600")]);
}

#[test]
fn the_proof_says_what_was_carried() {
    let (_, proof) =
        Counted::of(&[("<1", 300), ("<2", 120), ("", 60)]).rate(&call("+49891234567", MUNICH).account("k").lasts("60"));
    let words = "the plan's minutes of 2026-10: 600 s + 420 s that earlier months left, 60 s used before, 960 s left; 60 s drawn, 900 s left after";
    assert!(proof.lines.iter().any(|line| line.rule == "R12" && line.text == words), "{:#?}", proof.lines);
    assert_eq!(proof.quote.unwrap().allowances[0].carried_seconds, 420);
    let (_, proof) = Counted::of(&[("", 60), (">", 360)]).rate(&call("+49891234567", MUNICH).account("f").lasts("60"));
    let words = "the plan's minutes of 2026-10: 600 s − 360 s handed on to later months, 60 s used before, 180 s left; 60 s drawn, 120 s left after";
    assert!(proof.lines.iter().any(|line| line.rule == "R12" && line.text == words), "{:#?}", proof.lines);
}

#[test]
fn a_call_is_split_where_the_next_level_begins() {
    check(
        "v",
        &[],
        &[
            // France, 0.07 a minute, by the second: 9 min = 0.63.
            (PARIS, "540", "international 540 s 0.6300: world 540"),
            // 1 min at 0.07, then behind 10 min 2 min at 0.063: 0.07 + 0.126 = 0.196.
            (PARIS, "180", "international 180 s 0.1960: world 180"),
            // 12 min so far: 8 min at 0.063 = 0.504, then behind 20 min 2 min at 0.05 = 0.10.
            (PARIS, "600", "international 600 s 0.6040: world 600"),
            // One second at 0.05: 0.05 / 60 = 0.00083, rounded once.
            (PARIS, "1", "international 1 s 0.0008: world 1"),
        ],
    );
    // 599 s and then 7: one at 0.07 and six at 0.063, 0.07/60 + 0.378/60 = 0.0074666, rounded once.
    check("v", &[("tier:world", 599)], &[(PARIS, "7", "international 7 s 0.0075: world 7")]);
}

#[test]
fn what_allowances_cover_does_not_count_and_the_fee_is_due_whole() {
    check(
        "v",
        &[("tier:world", 600)],
        &[
            // Austria: 2 minutes are covered, 1 is charged: 0.05 and 0.10 less 10 %: 0.05 + 0.09.
            (VIENNA, "180", "international 180 s 0.1400: pool 120, world 60"),
            (VIENNA, "60", "international 60 s 0.1400: pool 0, world 60"),
        ],
    );
    // A country means a call closer than its type does: 0.01 + 0.20 × 0.875 = 0.185, from the first second on.
    check("v", &[("tier:world", 60_000)], &[(LONDON, "60", "international 60 s 0.1850: britain 60")]);
    // At home: 1 minute is included, the overage costs 0.03, behind 5 minutes of it 0.01: 5 × 0.03 + 4 × 0.01.
    check(
        "v",
        &[],
        &[(MUNICH, "60", "included 60 s 0.0000: plan 60"), (MUNICH, "540", "overage 540 s 0.1900: plan 0, home 540")],
    );
    // Nothing charged, nothing counted.
    check("v", &[], &[(MUNICH, "0", "included 0 s 0.0000: alone 0"), ("112", "60", "emergency 60 s 0.0000: alone 0")]);
}

#[test]
fn prices_in_another_currency_and_prices_that_change_are_split_as_well() {
    // 0.10 USD at 0.9: 0.09 a minute below 10 min, 0.081 behind it, and behind 20 min 0.05 EUR: that is the plan's own.
    check("v", &[("tier:world", 540)], &[(MADRID, "120", "international 120 s 0.1710: world 120")]);
    check("v", &[("tier:world", 1140)], &[(MADRID, "120", "international 120 s 0.1310: world 120")]);
    // Italy: the first minute at 0.30, those behind at 0.10; half of each behind 2 minutes in the month. One minute was
    // charged: 0.30 at its price, then 2 × 0.10 / 2.
    check("a", &[("tier:everything", 60)], &[(ROME, "180", "international 180 s 0.4000: everything 180")]);
    check("a", &[("tier:everything", 120)], &[(ROME, "180", "international 180 s 0.2500: everything 180")]);
    // Whatever costs something counts where nothing else is said: the overage, too. 2 × 0.03 + 1 × 0.015.
    check("a", &[], &[(MUNICH, "180", "overage 180 s 0.0750: plan 0, everything 180")]);
}

#[test]
fn the_proof_says_which_level_and_the_quote_too() {
    let (_, proof) = Counted::of(&[("tier:world", 540)]).rate(&call("+49891234567", PARIS).account("v").lasts("120"));
    let line = |rule: &str| proof.lines.iter().rfind(|line| line.rule == rule).unwrap().text.clone();
    assert_eq!(
        line("R25"),
        "tier world (of international) of 2026-10: 540 s charged before; 60 s below the first level, 60 s behind 600 s: 10 % less"
    );
    assert_eq!(
        line("R18"),
        "0.07/min × 60 s / 60 + 0.07/min × 60 s / 60 × 0.9 = 0.133 → rounded once to 4 decimals, halves away from zero: 0.1330 EUR"
    );
    let tier = proof.quote.as_ref().unwrap().tier.as_ref().unwrap();
    let levels: Vec<_> =
        tier.levels.iter().map(|l| (l.after_seconds, l.seconds, l.discount_percent.as_deref())).collect();
    assert_eq!((tier.name.as_str(), tier.used_seconds), ("world", 540));
    assert_eq!(levels, [(None, 60, None), (Some(600), 60, Some("10"))]);
}

#[test]
fn mistakes_are_found_with_their_place() {
    let found = |plan: &str| -> Vec<String> {
        let plans = format!(
            "[plan.p]\ncountry = \"DE\"\ncurrency = \"EUR\"\nincluded_minutes = 5\noverage_rate = \"0.01\"\n{plan}\n"
        );
        findings_of(plans)
    };
    let example =
        "levels = [{ after_minutes = 10000, discount = \"10%\" }, { after_minutes = 50000, rate = \"0.008\" }]";
    let tier = |levels: &str| format!("tiers.t = {{ of = [\"included\"], levels = [{levels}] }}");
    for (plan, expected) in [
        ("rollover = { months = 1 }".to_owned(), vec![]),
        ("rollover = { months = 3, at_most_minutes = 20 }".to_owned(), vec![]),
        ("rollover = { at_most_minutes = 20 }".to_owned(), vec![
            "6:12 rollover: months is missing (write rollover = { months = 1 }: for how many months minutes are kept)".to_owned(),
        ]),
        ("rollover = { months = 0 }".to_owned(), vec!["6:23 months: 0 months keep nothing (leave rollover out)".to_owned()]),
        ("rollover = { months = 13 }".to_owned(), vec!["6:23 months: 13 is not between 0 and 12 ()".to_owned()]),
        ("rollover = { months = 1, at_most_minutes = 0 }".to_owned(), vec![
            "6:44 at_most_minutes: 0 minutes keep nothing (leave rollover out)".to_owned(),
        ]),
        ("rollover = { month = 1 }".to_owned(), vec![
            "6:12 rollover: months is missing (write rollover = { months = 1 }: for how many months minutes are kept)".to_owned(),
            "6:14 rollover: unknown key \"month\" (did you mean \"months\"?)".to_owned(),
        ]),
        ("allowances.m = { minutes = \"unlimited\", of = [\"DE\"], rollover = { months = 1 } }".to_owned(), vec![
            "6:65 rollover: of unlimited minutes nothing is left (leave it out)".to_owned(),
        ]),
        (tier("{ after_minutes = 10, discount = \"10%\" }"), vec![]),
        (tier("{ after_minutes = 10 }"), vec![format!("6:42 a level has either a rate or a discount (write {example})")]),
        (tier("{ discount = \"10%\" }"), vec![format!("6:42 levels: after_minutes is missing (write {example})")]),
        (tier("{ after_minutes = 10, discount = \"ten\" }"), vec![
            "6:75 discount: \"ten\" is no discount (write a percentage with at most one decimal, up to 100: \"10%\", \"12.5%\")".to_owned(),
        ]),
        (tier("{ after_minutes = 10, rate = 0.5 }"), vec![
            "6:71 rate: 0.5 is a binary fraction (write it in quotes: \"0.5\"; a binary fraction is not exact)".to_owned(),
        ]),
        (tier("{ after_minutes = 9, rate = \"1\" }, { after_minutes = 9, rate = \"1\" }"), vec![
            "6:77 t: a level after 9 min behind one after 9 min (write levels in the order in which they are reached)".to_owned(),
        ]),
        (tier("{ after_minutes = 5, discount = \"9%\" }, { after_minutes = 9, discount = \"5%\" }"), vec![
            "6:82 t: 5 % less after 9 % less: who talks more pays more ()".to_owned(),
        ]),
        (tier(""), vec!["6:41 t: 0 levels (write 1 to 16)".to_owned()]),
        ("tiers.t = { of = [\"included\"] }".to_owned(), vec![format!("6:7 t: levels is missing (write {example})")]),
        ("tiers.t = { of = [\"international\"], levels = [{ after_minutes = 1, rate = \"1\" }] }".to_owned(), vec![
            "6:19 t: no call draws it by international (the plan has no decks)".to_owned(),
        ]),
    ] {
        assert_eq!(found(&plan), expected, "{plan}");
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
        tariff::Tariff::open(tariff::compile(&text).unwrap().image.into()).unwrap()
    };
    let plain = image("");
    for extra in [
        "rollover = { months = 1 }",
        "rollover = { months = 2, at_most_minutes = 7 }",
        "tiers.t = { levels = [{ after_minutes = 1, discount = \"12.5%\" }, { after_minutes = 2, rate = \"0.5\" }] }",
    ] {
        let tariff = image(extra);
        assert_ne!(tariff.digest(), plain.digest(), "{extra}");
        let differ = tariff::diff::plans(&plain, &tariff);
        assert_eq!(differ.len(), 1, "{differ:?}");
    }
    let differ = format!("{:?}", tariff::diff::plans(&plain, &image("rollover = { months = 2, at_most_minutes = 7 }")));
    assert!(differ.contains("2 months, at most 7 min"), "{differ}");
}
