//! Incumbents made by hand, each of one kind; their costs are computed by a decimal library, as a billing clerk would.

use proptest::prelude::*;
use rust_decimal::RoundingStrategy as Strategy_;

use super::*;
use crate::call::{AccountKey, Basis, CallType, GroupKey, LegKey, RatedCall, StepMode, StepRule, TariffSlot};
use crate::money::{Money, Price};
use crate::number::Number;

const SECOND: i64 = 1_000_000;

fn steps(initial: u32, increment: u32) -> StepRule {
    StepRule { mode: StepMode::Up, initial, increment, minimum: 0, free_below: Micros(0) }
}

/// A charged call of ours.
fn ours(talk: i64, rate: i64, fee: i64, steps: StepRule) -> RatedCall {
    let price = Price { rate: Money(rate), connect_fee: Money(fee), minimum_cost: None, maximum_cost: None };
    let billable_seconds = steps.billable(Micros(talk));
    RatedCall {
        key: LegKey { position: Position(4711), leg: Direction::Outbound },
        account: AccountKey(0),
        group: GroupKey(0),
        period: Period::of(2026, 10),
        answer: Timestamp(1_791_190_800_000_000),
        duration: Micros(talk),
        source: None,
        destination: Number::from_digits(b"551198765432"),
        call_type: CallType::International,
        billable_seconds,
        reversal: false,
        included_seconds: 0,
        used_before: None,
        adjusts: None,
        cost: price.cost(i64::from(billable_seconds), 4),
        basis: Basis {
            tariff: TariffSlot(0),
            plan: 0,
            rule: 10,
            row: None,
            steps,
            price,
            currency: *b"EUR",
            decimals: 4,
            exchange: None,
        },
    }
}

fn explained(call: &RatedCall, told: &str, seconds: Option<u32>) -> Vec<String> {
    let start = Some(Timestamp(call.answer.0 - 7 * SECOND));
    let told = amount(told.as_bytes()).unwrap();
    let rules = rules(&Compared { call, start, tariff: None, told, seconds });
    rules.into_iter().map(|rule| rule.words).collect()
}

#[test]
fn each_kind_of_incumbent_is_known_by_its_digits() {
    let minute = steps(60, 60);
    // Talk, rate, fee, our steps, what they charge, and by which rule.
    for (talk, rate, fee, own, told, rule) in [
        (61.0, 0.12, 0.0, minute, "0.1800", "steps 90/60 instead of 60/60"),
        (61.0, 0.12, 0.0, minute, "0.1220", "steps 1/1 instead of 60/60"),
        (60.0, 0.02, 0.0, minute, "0.0198", "the price of a second rounded to 5 decimals before it is multiplied"),
        (77.0, 0.0123, 0.0, steps(1, 1), "0.0157", "rounded down"),
        (77.0, 0.0123, 0.0, steps(1, 1), "0.02", "rounded to 2 decimals instead of 4"),
        (77.0, 0.0123, 0.0, steps(1, 1), "0.015785", "rounded to 6 decimals instead of 4"),
        (61.0, 0.12, 0.05, minute, "0.2400", "without the connect fee"),
        (91.0, 0.12, 0.0, steps(90, 60), "0.2400", "the whole call in steps of 60, not what is behind the initial 90"),
        (60.4, 0.12, 0.0, minute, "0.1200", "fractions of a second cut off before the steps"),
        (58.0, 0.12, 0.0, minute, "0.2400", "from the set-up, ringing included"),
        (61.0, 0.12, 0.0, minute, "0", "they charge nothing"),
        (61.0, 0.12, 0.0, minute, "-0.2400", "the same amount with the other sign"),
    ] {
        let nanos = |units: f64| (units * 1e9).round() as i64;
        let call = ours((talk * 1e6) as i64, nanos(rate), nanos(fee), own);
        let found = explained(&call, told, None);
        assert!(found.iter().any(|words| words == rule), "{told}: {found:?}, not {rule}");
    }
    let call = ours(61 * SECOND, 120_000_000, 0, minute);
    assert_eq!(explained(&call, "0.3333", None), [""; 0], "nothing is made up");
}

#[test]
fn two_deviations_are_found_where_one_is_not_enough() {
    let found = explained(&ours(7 * SECOND, 120_000_000, 50_000_000, steps(60, 60)), "0.0140", None);
    assert_eq!(found.first().map(String::as_str), Some("steps 1/1 instead of 60/60, and without the connect fee"));
}

#[test]
fn seconds_that_they_say_they_bill_settle_what_is_ambiguous() {
    // 31 s: by 60/1 and by 60/6 and by the nearest minute it is 60 s.
    let call = ours(31 * SECOND, 120_000_000, 0, steps(30, 6));
    let all = explained(&call, "0.1200", None);
    assert!(all.len() > 3, "{all:?}");
    let call = ours(59 * SECOND, 120_000_000, 0, steps(60, 60));
    // Nothing is billed for 59 s that comes to 0.118 but by the second.
    let found = explained(&call, "0.1180", Some(59));
    assert_eq!(found[0], "steps 1/1 instead of 60/60");
    assert!(found.iter().all(|words| words.contains("/1 ") || words.contains("nearest 1")), "{found:?}");
    assert!(explained(&call, "0.1180", Some(60)).len() >= found.len(), "told seconds that fit nothing settle nothing");
    assert_eq!(explained(&call, "0.0860", Some(43)), ["our price, by the seconds that they say they bill"]);
}

#[test]
fn the_allowance_ends_elsewhere() {
    let mut call = ours(600 * SECOND, 15_000_000, 0, steps(60, 60));
    call.call_type = CallType::Included;
    call.included_seconds = 240;
    call.cost = call.basis.price.cost(360, 4);
    assert_eq!(explained(&call, "0.1500", None), ["as if nothing were left of the allowance"]);
    assert_eq!(explained(&call, "0", None)[0], "they charge nothing: to them the allowance covers it");
    let found = explained(&call, "0.0600", None);
    assert!(found.contains(&"their allowance ends at another second of the call".to_owned()), "{found:?}");
}

#[test]
fn amounts_are_read_as_systems_write_them() {
    for (text, digits) in [
        ("0.0198", "0.0198"),
        ("0,0198", "0.0198"),
        (" 1.98e-2 ", "0.0198"),
        ("0.020000000000000004", "0.020000000000000004"),
        ("12", "12"),
        ("0.00", "0"),
        ("-0.5", "-0.5"),
    ] {
        assert_eq!(amount(text.as_bytes()).map(|a| a.to_string()).as_deref(), Some(digits), "{text}");
    }
    for bad in ["", "free", "1.2.3", "EUR 1", "1,234.5"] {
        assert_eq!(amount(bad.as_bytes()), None, "{bad}");
    }
}

/// What a system charges, and the words for its way.
fn incumbent(kind: usize, call: &RatedCall) -> (Decimal, String) {
    let (talk, rule) = (call.duration.0, call.basis.steps);
    let rate = call.basis.price.rate.decimal();
    let fee = call.basis.price.connect_fee.decimal();
    // In whole blocks, counted one by one.
    let stepped = |initial: u32, increment: u32, talk: i64| {
        let mut seconds = i64::from(initial);
        while seconds * SECOND < talk {
            seconds += i64::from(increment);
        }
        seconds
    };
    let of = |seconds: i64| fee + rate * Decimal::from(seconds) / Decimal::from(60);
    let own = |talk: i64| stepped(rule.initial, rule.increment, talk);
    let half_up = |exact: Decimal, decimals| exact.round_dp_with_strategy(decimals, Strategy_::MidpointAwayFromZero);
    let shown = format!("{}/{}", rule.initial, rule.increment);
    match kind {
        0..=23 => {
            let (initial, increment) = STEPS[kind];
            (
                half_up(of(stepped(initial, increment, talk)), 4),
                format!("steps {initial}/{increment} instead of {shown}"),
            )
        }
        24 => (of(own(talk)).round_dp_with_strategy(4, Strategy_::ToZero), "rounded down".into()),
        25 => (of(own(talk)).round_dp_with_strategy(4, Strategy_::AwayFromZero), "rounded up".into()),
        26 => {
            (of(own(talk)).round_dp_with_strategy(4, Strategy_::MidpointNearestEven), "halves rounded to even".into())
        }
        27 => (half_up(of(own(talk)), 2), "rounded to 2 decimals instead of 4".into()),
        28 => (half_up(of(own(talk)), 6), "rounded to 6 decimals instead of 4".into()),
        29 => {
            let second = half_up(rate / Decimal::from(60), 5);
            let words = "the price of a second rounded to 5 decimals before it is multiplied";
            (half_up(fee + second * Decimal::from(own(talk)), 4), words.into())
        }
        30 => (half_up(of(own(talk)) - fee, 4), "without the connect fee".into()),
        31 => (half_up(of(own(talk / SECOND * SECOND)), 4), "fractions of a second cut off before the steps".into()),
        32 => (half_up(of(own(talk + 7 * SECOND)), 4), "from the set-up, ringing included".into()),
        _ => {
            let blocks = i64::from(rule.increment);
            let whole = ((talk + blocks * SECOND - 1) / (blocks * SECOND) * blocks).max(i64::from(rule.initial));
            let words = format!(
                "the whole call in steps of {}, not what is behind the initial {}",
                rule.increment, rule.initial
            );
            (half_up(of(whole), 4), words)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever a system does of what is known here, its way is among those that are told.
    #[test]
    fn every_way_is_recognised(kind in 0_usize..34, talk in 1_i64..7_200_000_000, rate in 1_i64..10_000, fee in 0_i64..3, own in 0_usize..24) {
        let (initial, increment) = STEPS[own];
        let call = ours(talk, rate * 100_000, fee * 50_000_000, steps(initial, increment));
        let (told, words) = incumbent(kind, &call);
        prop_assume!(told != call.cost.decimal());
        let found = explained(&call, &told.to_string(), None);
        prop_assert!(found.contains(&words), "{} s at {} in {initial}/{increment}: {told} by {words}, found {found:?}", talk as f64 / 1e6, call.basis.price.rate);
    }
}
