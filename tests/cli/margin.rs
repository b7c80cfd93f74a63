//! What calls cost us, through every way in which a month changes: rated again, taken back, sealed, credited, erased.

use serde_json::{Value, json};

use super::{Place, nano, records};

const CALLS: usize = 200;
/// Brazil is sold by the minute and bought by the second; the carrier does not know the other ways.
const SOLD: &str = "prefix,destination,rate\n55,Brazil,0.10\n";

fn bought(rate: &str) -> String {
    format!("prefix,rate,destination,increment\n55,{rate},Brazil,1\n")
}

fn place() -> Place {
    let place = Place::new();
    let plans = std::fs::read_to_string(place.path("rates/plans.toml")).unwrap();
    let named = "[plan.de-business]\ncost_decks = [\"carrier\"]\n";
    place.write("rates/plans.toml", plans.replacen("[plan.de-business]\n", named, 1));
    place.write("rates/decks/world-eur.csv", SOLD);
    place.write("rates/decks/carrier.csv", bought("0.06"));
    place.write("month.json", records(CALLS, "m").join("\n"));
    place.run(&["import", "month.json"]).code(0);
    place
}

/// What the calls to Brazil cost us at so many hundredths of a cent a minute: each rounded once, halves away from zero.
fn expected(rate: i128) -> i128 {
    let seconds = |i: usize| 1 + (i * 13 % 700) as i128;
    let answered = (0..CALLS).filter(|i| i % 7 > 0 && i % 4 == 1);
    answered.map(|i| (2 * rate * seconds(i) + 60) / 120 * 100_000).sum()
}

/// Revenue, cost and margin of a month.
fn sums(place: &Place, period: &str) -> [i128; 3] {
    let total = place.json(&["margin", "--by", "plan", "--period", period, "--json"])["total"][0].clone();
    let [revenue, cost, margin] = ["revenue", "cost", "margin"].map(|key| match &total[key] {
        Value::Null => 0,
        amount => nano(amount),
    });
    let unknown = if total.is_null() { 0 } else { nano(&total["unknown_revenue"]) };
    assert_eq!(revenue - unknown - cost, margin, "{total}");
    [revenue, cost, margin]
}

fn adds_up(place: &Place, months: &[&str]) {
    let all = place.json(&["verify", "--json"]);
    assert_eq!(all["balanced"], true, "{all:#}");
    for month in months {
        place.run(&["verify", "--period", month]).code(0);
    }
}

/// The folder's prices from the first of October on.
fn from_october(place: &Place) {
    let now = place.json(&["tariff", "history", "--json"])["tariff"].as_str().unwrap().to_owned();
    let digest = now.trim_start_matches("blake3:");
    place.run(&["tariff", "activate", digest, "--from", "2026-10-01T00:00:00Z"]).code(0);
}

fn open_month(place: &Place) -> String {
    let months = place.run(&["seal"]).code(0).out();
    months.lines().find(|line| line.contains(" open ")).unwrap().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_carriers_deck_that_was_wrong_is_put_right_and_taken_back() {
    let place = place();
    let before = sums(&place, "2026-10");
    assert_eq!(before[1], expected(600));
    let total = place.json(&["margin", "--by", "plan", "--period", "2026-10", "--json"])["total"][0].clone();
    let unknown = (0..CALLS).filter(|i| i % 7 > 0 && i % 4 % 2 == 0).count();
    assert_eq!(total["unknown"], json!(unknown), "mobile and premium: {total}");
    adds_up(&place, &["2026-10"]);

    // A tenth less to the carrier, from the month's first day on: no customer pays anything else.
    place.write("rates/decks/carrier.csv", bought("0.054"));
    from_october(&place);
    let dry = place.json(&["rerate", "--period", "2026-10", "--json"])["report"].clone();
    let line = &dry["total"][0];
    assert_eq!((nano(&line["difference"]), &dry["reversals"]), (0, &json!(0)), "{dry:#}");
    let margin = &line["margin"];
    let of = |key: &str| nano(&margin[key]);
    assert_eq!((of("cost_before"), of("cost_after")), (expected(600), expected(540)), "{margin:#}");
    assert_eq!(of("cost_difference"), expected(540) - expected(600));
    assert_eq!((of("before"), of("after")), (before[2], before[2] + expected(600) - expected(540)));
    assert_eq!(of("difference"), -of("cost_difference"));
    assert_eq!((&margin["unknown_before"], &margin["unknown_after"]), (&json!(unknown), &json!(unknown)));
    assert_eq!(sums(&place, "2026-10"), before, "a dry run changes nothing");
    let shown = place.run(&["rerate", "--period", "2026-10"]).code(0).out();
    assert!(shown.contains("what they cost us") && shown.contains("margin"), "{shown}");

    let usage = place.json(&["usage", "acme", "--period", "2026-10", "--json"]);
    place.run(&["rerate", "--period", "2026-10", "--apply", "--why", "the carrier's new deck"]).code(0);
    assert_eq!(sums(&place, "2026-10"), [before[0], expected(540), of("after")]);
    assert_eq!(place.json(&["usage", "acme", "--period", "2026-10", "--json"]), usage);
    adds_up(&place, &["2026-10"]);
    assert_eq!(place.json(&["rerate", "--period", "2026-10", "--json"])["report"]["changed"], 0);

    place.run(&["rerate", "undo", "1", "--apply", "--why", "it was right"]).code(0);
    assert_eq!(sums(&place, "2026-10"), before);
    adds_up(&place, &["2026-10"]);
    // The seal goes by what is known then, which is the newer deck: another revision, and the same manifest either way.
    place.run(&["seal", "2026-10"]).code(0);
    assert_eq!(sums(&place, "2026-10"), [before[0], expected(540), of("after")]);
    adds_up(&place, &["2026-10"]);
}

#[test]
fn a_sealed_month_keeps_its_costs_and_a_credit_takes_them_off() {
    let place = place();
    place.run(&["seal", "2026-10"]).code(0);
    let sealed = sums(&place, "2026-10");
    let manifest = place.run(&["seal", "2026-10", "--manifest"]).code(0).out();
    // Nobody is credited and charged the same again because a carrier's price changes.
    place.write("rates/decks/carrier.csv", bought("0.054"));
    from_october(&place);
    let report = place.json(&["rerate", "--period", "2026-10", "--json"])["report"].clone();
    assert_eq!((&report["changed"], &report["reversals"]), (&json!(0), &json!(0)), "{report:#}");
    assert_eq!(nano(&report["total"][0]["margin"]["cost_difference"]), 0);

    // Where the price changes, too, the open month has the difference of both.
    place.write("rates/decks/world-eur.csv", SOLD.replace("0.10", "0.08"));
    from_october(&place);
    let done = place.json(&["rerate", "--period", "2026-10", "--apply", "--why", "both were wrong", "--json"]);
    let (line, open) = (&done["report"]["total"][0], open_month(&place));
    let [revenue, cost, margin] = sums(&place, &open);
    assert_eq!(revenue, nano(&line["difference"]));
    assert_eq!(cost, expected(540) - expected(600));
    assert_eq!(cost, nano(&line["margin"]["cost_difference"]));
    assert_eq!(margin, nano(&line["margin"]["difference"]));
    assert_eq!(sums(&place, "2026-10"), sealed);
    assert_eq!(place.run(&["seal", "2026-10", "--manifest"]).code(0).out(), manifest);
    adds_up(&place, &["2026-10", &open]);

    place.run(&["rerate", "undo", "1", "--apply", "--why", "they were right"]).code(0);
    assert_eq!(sums(&place, &open), [0, 0, 0]);
    adds_up(&place, &["2026-10", &open]);

    // Details go, sums stay, and are still checked.
    place.run(&["account-data", "erase", "acme", "--why", "asked for", "--apply"]).code(0);
    assert!(place.run(&["export", "2026-10", "--json"]).code(1).err().contains("were erased"));
    assert_eq!(sums(&place, "2026-10"), sealed);
    adds_up(&place, &["2026-10", &open]);
}
