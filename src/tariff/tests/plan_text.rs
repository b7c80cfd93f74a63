//! `plans.toml`: what is read, what is refused.

use super::*;
use crate::call::StepMode;
use crate::time::Micros;
use proptest::prelude::*;

const DECK: (&str, &str) = ("world", "prefix,rate,increment\n49,0.02,\n55,0.12,6\n");

#[test]
fn a_plan_with_everything() {
    let tariff = open(&rates(
        r#"
        [plan.full]
        country = "DE"
        currency = "EUR"
        included_minutes = 1000
        included = ["BR", "DE:premium", "BR:premium"]
        overage_rate = "0.015"
        decks = ["world"]
        inbound_decks = []
        steps = { increment = 6, initial = 30, minimum = 30, mode = "up", free_below = "2.5" }
        bands = "start"
        prorate_first = true
        cost_decimals = 6
        [plan.all]
        country = "BR"
        currency = "EUR"
        included_minutes = "unlimited"
        overage = "deck"
        decks = ["world"]
        [plan.bare]
        country = "DE"
        currency = "EUR"
        overage_rate = 1
        [deck.world]
        currency = "EUR"
        timezone = "Europe/Berlin"
        source = "a test"
        "#,
        &[DECK],
    ));
    let full = tariff.plan(tariff.plan_named("full").unwrap());
    assert_eq!((full.country.as_str(), &full.currency, full.cost_decimals), ("DE", b"EUR", 6));
    assert_eq!((full.allowance, full.overage), (Allowance::Seconds(60_000), Overage::Rate(Money(15_000_000))));
    let steps = StepRule { mode: StepMode::Up, initial: 30, increment: 6, minimum: 30, free_below: Micros(2_500_000) };
    assert_eq!(full.steps, Some(steps));
    assert!(full.prorate_first && full.decks == ["world"] && full.inbound_decks.is_empty());
    let all = tariff.plan(tariff.plan_named("all").unwrap());
    assert_eq!((all.allowance, all.overage, all.steps), (Allowance::Unlimited, Overage::Deck, None));
    let bare = tariff.plan(tariff.plan_named("bare").unwrap());
    assert_eq!((bare.allowance, bare.overage), (Allowance::Seconds(0), Overage::Rate(Money(1_000_000_000))));
    assert_eq!((bare.cost_decimals, bare.prorate_first), (4, false));
    assert_eq!(tariff.plan_named("none"), None);
    assert_eq!(tariff.plans().iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["all", "bare", "full"]);
}

#[test]
fn a_country_in_included_means_its_in_plan_kinds() {
    let plans = r#"plan.p = { country = "DE", currency = "EUR", overage_rate = "1", included = ["BR", "DE:premium"] }"#;
    let tariff = open(&rates(plans, &[]));
    let plan = tariff.plan_named("p").unwrap();
    for (country, kind, included) in [
        ("BR", NumberKind::Fixed, true),
        ("BR", NumberKind::Mobile, true),
        ("BR", NumberKind::FixedOrMobile, true),
        ("BR", NumberKind::Voip, true),
        ("BR", NumberKind::Uan, true),
        ("BR", NumberKind::Premium, false),
        ("BR", NumberKind::Unknown, false),
        ("DE", NumberKind::Premium, true),
        ("DE", NumberKind::Fixed, false),
    ] {
        let class = Class { country: Country::parse(country).unwrap(), kind };
        assert_eq!(tariff.plan_includes(plan, class), included, "{country} {kind:?}");
    }
}

/// R14: the row's own steps, else the plan's, else the country's; none is mixed with another.
#[test]
fn which_steps_apply() {
    let tariff = open(&rates(
        r#"
        [plan.plain]
        country = "DE"
        currency = "EUR"
        overage_rate = "1"
        decks = ["world"]
        [plan.stepped]
        country = "DE"
        currency = "EUR"
        overage_rate = "1"
        decks = ["world"]
        steps = { increment = 1 }
        "#,
        &[DECK],
    ));
    let (de, br) = (Country::parse("DE").unwrap(), Country::parse("BR").unwrap());
    let mobile = Some(Class { country: br, kind: NumberKind::Mobile });
    let fixed = Some(Class { country: br, kind: NumberKind::Fixed });
    let now = at("2026-10-05T09:00:00Z");
    for (plan, destination, row, increment, initial) in [
        ("plain", mobile, Some("5511"), 6, 6),
        ("plain", mobile, Some("4930"), 6, 30),
        ("plain", mobile, None, 6, 30),
        ("plain", fixed, None, 60, 60),
        ("plain", None, None, 60, 60),
        ("stepped", mobile, Some("5511"), 6, 6),
        ("stepped", mobile, Some("4930"), 1, 1),
        ("stepped", mobile, None, 1, 1),
        ("stepped", None, None, 1, 1),
    ] {
        let id = tariff.plan_named(plan).unwrap();
        let row = row.and_then(|n| tariff.lookup(id, Side::Outbound, number(n), now));
        let rule = tariff.steps(id, de, destination, row.and_then(|row| row.steps));
        assert_eq!((rule.increment, rule.initial), (increment, initial), "{plan} {destination:?} {row:?}");
    }
}

/// Lines put into a sound plan, and the error: line, column, parts of message and hint.
#[test]
fn mistakes_are_named_with_place_and_hint() {
    for (lines, line, column, message, hint) in [
        ("include_minutes = 5", 6, 1, "unknown key \"include_minutes\"", "did you mean \"included_minutes\"?"),
        ("colour = 5", 6, 1, "unknown key", "known keys: country"),
        ("included_minutes = -1", 6, 20, "not between", ""),
        ("included_minutes = 1.5", 6, 20, "binary fraction", "\"1.5\""),
        ("included_minutes = \"many\"", 6, 20, "not known", "unlimited"),
        ("included = [\"ca\"]", 6, 13, "names no country", ""),
        ("included = [\"BR:mobil\"]", 6, 13, "no kind", "did you mean \"mobile\"?"),
        ("included = \"BR\"", 6, 12, "a list", ""),
        ("decks = [\"word\"]", 6, 10, "has no file", "did you mean \"world\"?"),
        ("decks = [\"world\", \"world\"]", 6, 19, "listed twice", ""),
        ("steps = { initial = 60 }", 6, 9, "increment is missing", ""),
        ("steps = { increment = 0 }", 6, 9, "at least 1 second", ""),
        ("steps = { increment = 60, initial = 30, mode = \"nearest\" }", 6, 9, "nearest", ""),
        ("steps = { increment = 60, minimun = 30 }", 6, 27, "unknown key", "did you mean \"minimum\"?"),
        ("steps = { increment = 60, free_below = 2.5 }", 6, 40, "binary fraction", "\"2.5\""),
        ("internal = \"off\"", 6, 12, "not known", "\"included\" or \"free\""),
        ("bands = \"splitt\"", 6, 9, "not known", "split"),
        ("[deck.world]\nholidays = \"germny\"\n[holidays.germany]", 7, 12, "no list", "did you mean \"germany\"?"),
        ("[holidays.h]\nyearly = [\"02-29\", \"02-30\"]", 7, 20, "no day", "12-25"),
        ("[holidays.h]\ndates = [\"2026-2-3\"]", 7, 10, "no date", "2026-12-25"),
        ("[holidays.h]\neaster = [1, 1000]", 7, 14, "number of days", "Good Friday"),
        ("[holidays.h]\neaster = 1", 7, 10, "a list", ""),
        ("[holidays.h]\nyearl = []", 7, 1, "unknown key", "did you mean \"yearly\"?"),
        ("cost_decimals = 9", 6, 17, "not between 0 and 8", ""),
        ("prorate_first = 1", 6, 17, "true or false", ""),
        ("overage = \"deck\"", 6, 11, "beside an overage_rate", ""),
        ("overage = \"row\"", 6, 11, "not known", ""),
        ("[deck.word]", 6, 7, "has no file", "did you mean \"world\"?"),
        ("[deck.world]\ntimezone = \"Europe/Berln\"", 7, 12, "unknown time zone", ""),
        ("decks = [\"world\"]\n[deck.world]\ncurrency = \"USD\"", 6, 10, "in another currency", "USD,EUR,0.92"),
        ("[plan.q]\ncurrency = \"EUR\"\noverage_rate = \"1\"", 6, 7, "country is missing", ""),
        ("[plan.q]\ncountry = \"DE\"\ncurrency = \"EUR\"", 6, 7, "overage_rate is missing", "deck"),
        ("[plan.q]\ncountry = \"DE\"\ncurrency = \"EUR\"\noverage_rate = 0.1", 9, 16, "binary fraction", "\"0.1\""),
        ("[plan.q]\ncountry = \"FR\"\ncurrency = \"EUR\"\noverage_rate = \"1\"", 7, 11, "not in countries.toml", ""),
        ("[plan.q]\ncountry = \"DE\"\ncurrency = \"eur\"\noverage_rate = \"1\"", 8, 12, "no currency", ""),
        ("[plans.q]", 6, 2, "unknown key", "did you mean \"plan\"?"),
        ("x = ", 6, 5, "", ""),
    ] {
        let plans =
            format!("# one\n[plan.p]\ncountry = \"DE\"\ncurrency = \"EUR\"\noverage_rate = \"0.015\"\n{lines}\n");
        let findings = compile(&rates(&plans, &[DECK])).expect_err(lines);
        let errors: Vec<_> = findings.iter().filter(|f| f.severity == Severity::Error).collect();
        let [error] = errors.as_slice() else { panic!("{lines}: {findings:#?}") };
        assert_eq!((error.file.as_str(), error.line, error.column), ("plans.toml", line, column), "{lines}: {error:?}");
        assert!(error.message.contains(message) && error.hint.contains(hint), "{lines}: {error:?}");
    }
}

#[test]
fn mistakes_in_other_files_are_named() {
    let plan = r#"plan.p = { country = "DE", currency = "EUR", overage_rate = "1", decks = ["world"] }"#;
    let mut text = rates(plan, &[("world", "prefix,rate\n49,x\n"), ("spare", "prefix,rate\n49,y\n")]);
    text.countries = b"[[territory]]\ncountry = \"de\"\n".to_vec();
    let findings = compile(&text).unwrap_err();
    let places: Vec<_> = findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| format!("{}:{}:{}", f.file, f.line, f.column))
        .collect();
    assert_eq!(places[1..], ["decks/spare.csv:2:4", "decks/world.csv:2:4"]);
    assert!(places[0].starts_with("countries.toml:"), "{places:?}");
}

#[test]
fn a_deck_that_no_plan_uses_is_told() {
    let compiled = compile(&rates("", &[DECK])).unwrap();
    assert_eq!(compiled.findings.len(), 1, "{:?}", compiled.findings);
    assert_eq!((compiled.prefixes, compiled.rows), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(plans in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut findings = findings::Findings::new("plans.toml");
        plans::read(&plans, &mut findings);
    }

    /// Values of every type under every key.
    #[test]
    fn any_values_are_answered(
        values in proptest::collection::vec(prop_oneof![
            Just("1"), Just("-1"), Just("1.5"), Just("nan"), Just("\"DE\""), Just("\"deck\""), Just("[]"), Just("[1, \"x\"]"),
            Just("{}"), Just("{ increment = 0x10 }"), Just("true"), Just("2026-01-01"), Just("99999999999999999999"), Just("0xff"),
        ], 17),
    ) {
        let keys = ["country", "currency", "included_minutes", "included", "overage_rate", "overage", "decks", "inbound_decks",
            "steps", "bands", "prorate_first", "cost_decimals", "timezone", "source", "prorate_change", "allowances.a.minutes",
            "allowances.a.of"];
        let lines: String = keys.iter().zip(&values).map(|(k, v)| format!("{k} = {v}\n")).collect();
        let steps = format!("[plan.p.steps]\nincrement = {}\n", values[1]);
        for text in [steps, format!("[plan.p]\n{lines}"), format!("[deck.d]\n{lines}"), lines, format!("plan = {}\ndeck = {}", values[0], values[1])] {
            let mut findings = findings::Findings::new("plans.toml");
            plans::read(text.as_bytes(), &mut findings);
        }
    }
}

#[test]
fn steps_that_bill_nothing_are_told() {
    for (steps, told) in [
        ("{ increment = 60, mode = \"nearest\" }", true),
        ("{ increment = 60, mode = \"nearest\", minimum = 60 }", false),
        ("{ increment = 1, mode = \"nearest\" }", false),
        ("{ increment = 60 }", false),
    ] {
        let plans = format!("[plan.p]\ncountry = \"DE\"\ncurrency = \"EUR\"\noverage_rate = \"1\"\nsteps = {steps}\n");
        let findings = compile(&rates(&plans, &[])).unwrap().findings;
        let messages: Vec<_> = findings.iter().map(|f| (f.severity, f.message.as_str())).collect();
        let expected = (Severity::Warning, "plan \"p\": calls under 30 s are billed 0 seconds, steps being nearest 60");
        assert_eq!(messages, if told { vec![expected] } else { vec![] }, "{steps}");
    }
}
