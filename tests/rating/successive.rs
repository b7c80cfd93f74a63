//! R28: calls in quick succession between the same two numbers count as one call.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use callrated::call::{Chain, Meter, Pair};
use callrated::rating::{self, Drawn, Draws, Rated, Resolution, Standing, Told};
use callrated::time::{Micros, Period, Timestamp};
use proptest::prelude::*;

use crate::common::{Books, Call, at, call, worked_out};

/// Brazil as Anatel has it: 30 s at least, then steps of 6 s; up to 3 s nothing; joined within 120 s from mobiles.
const PLANS: &str = r#"
[plan.movel]
country = "BR"
currency = "BRL"
included_minutes = 0
overage = "deck"
decks = ["br"]
steps = { increment = 6, initial = 30, minimum = 30, free_below = "3.000001" }
successive = { within = 120 }

[plan.todos]
country = "BR"
currency = "BRL"
included_minutes = 2
overage_rate = "0.60"
decks = ["br"]
steps = { increment = 6, initial = 30, minimum = 30 }
successive = { within = 120, from = "any" }

[plan.faixa]
country = "BR"
currency = "BRL"
included_minutes = 0
overage = "deck"
decks = ["br"]
steps = { increment = 6, initial = 30, minimum = 30 }
successive = { within = 120, from = "any" }
[plan.faixa.tiers.all]
levels = [{ after_minutes = 1, discount = "50%" }]

[plan.sem]
country = "BR"
currency = "BRL"
included_minutes = 0
overage = "deck"
decks = ["br"]
steps = { increment = 6, initial = 30, minimum = 30 }
"#;
const DECK: &str = "\
prefix,destination,rate,connect_fee,minimum_cost,maximum_cost
55,Brasil,0.60,0.05,,
5521,Rio,0.60,,0.40,0.90
";
const ACCOUNTS: &str = "\
account,plan,country,billing_start,timezone,language,group
m,movel,BR,2020-01-01,America/Sao_Paulo,en,
t,todos,BR,2020-01-01,America/Sao_Paulo,en,
s,sem,BR,2020-01-01,America/Sao_Paulo,en,
f,faixa,BR,2020-01-01,America/Sao_Paulo,en,
";
const MOBILE: &str = "+5511987654321";
const FIXED: &str = "+551133334444";
const SAO_PAULO: &str = "+551144445555";
const RIO: &str = "+552122223333";
const ANOTHER: &str = "+551144445556";

static BOOKS: LazyLock<Books> =
    LazyLock::new(|| Books::of(PLANS, &[("br", DECK)], ACCOUNTS, "number,account\n+551155550000,m\n"));

/// What one group has drawn, and its chains.
#[derive(Default)]
struct Kept(BTreeMap<u32, u64>, BTreeMap<Pair, Chain>);

impl Drawn for Kept {
    fn seconds(&self, _month: Period, meter: Meter) -> u64 {
        self.0.get(&meter.0).copied().unwrap_or(0)
    }

    fn chain(&self, pair: Pair) -> Option<Chain> {
        self.1.get(&pair).copied()
    }
}

/// Rates calls one after the other, and proves each of them from what is kept with it.
fn rate(books: &Books, calls: &[Call]) -> Vec<(Rated, Vec<String>)> {
    let (mut kept, mut draws, world) = (Kept::default(), Draws::default(), books.world());
    let (mut all, mut drawn) = (Vec::new(), 0);
    for call in calls {
        let record = call.record();
        let Resolution::Legs(Some(leg), None) = rating::resolve(&record, call.received(), &call.profile, world) else {
            panic!("{call:?}");
        };
        let before = Standing::of(&kept);
        let rated = rating::rate(&leg, world, leg.period(world), before, &mut draws);
        let proof = rating::prove(&record, call.received(), &call.profile, world, leg.direction, &|_, _| before);
        let rated = rated.unwrap();
        let quote = proof.quote.unwrap();
        if !quote.arithmetic.is_empty() {
            assert_eq!(worked_out(&quote.arithmetic, 4), quote.cost, "{}", quote.arithmetic);
        }
        assert_eq!((quote.cost, quote.billable_seconds), (rated.cost.fixed(4), rated.billable_seconds));
        let cost = rated.cost.fixed(4);
        assert!(proof.lines.last().unwrap().text.ends_with(&format!("{cost} BRL")), "{:#?}", proof.lines);
        // What is kept with the call tells the chain that it went on with.
        let stored = rated.call(
            &leg,
            callrated::call::LegKey { position: callrated::batch::Position(0), leg: leg.direction },
            callrated::call::AccountKey(0),
            callrated::call::GroupKey(0),
        );
        let told = Chain::told(&stored, &draws.text);
        assert_eq!(told, draws.follows.map(|chain| Chain { end: leg.answer, ..chain }));
        rating::drawn(&stored, &draws.text, |meter, seconds| {
            *kept.0.entry(meter.0).or_default() += u64::from(seconds);
        });
        let tiered: u32 = Told::read(&draws.text).iter().filter(|told| told.is_tier()).map(|told| told.1).sum();
        let sum: u64 = kept.0.values().sum();
        drawn += u64::from(rated.included_seconds + tiered);
        assert_eq!(sum, drawn, "what is told of draws is what was included, and what a tier counts");
        assert!(tiered == 0 || tiered == stored.charged_seconds(), "a tier counts what this call adds");
        assert_eq!(quote.tier.map_or(0, |tier| tier.seconds()), tiered);
        if let Some(linked) = draws.linked {
            kept.1.insert(linked.pair, linked.chain);
        }
        let own = proof.lines.into_iter().filter(|line| line.rule == "R28").map(|line| line.text).collect();
        all.push((rated, own));
    }
    all
}

/// Calls as `(from, to, answer on 5 October 2026, seconds)` and what each comes to: `36 s (0 in) 0.4100`.
#[track_caller]
fn check(account: &str, calls: &[(&str, &str, &str, &str, &str)]) {
    let made: Vec<Call> = calls
        .iter()
        .map(|(from, to, time, seconds, _)| {
            let answer = if time.contains('T') { (*time).to_owned() } else { format!("2026-10-05T{time}Z") };
            call(from, to).account(account).node_country("BR").lasts(seconds).answered(&answer)
        })
        .collect();
    let found: Vec<String> = rate(&BOOKS, &made)
        .into_iter()
        .map(|(rated, _)| {
            let (billed, included) = (rated.billable_seconds, rated.included_seconds);
            format!("{billed} s ({included} in) {}", rated.cost.fixed(4))
        })
        .collect();
    let expected: Vec<&str> = calls.iter().map(|call| call.4).collect();
    assert_eq!(found, expected);
}

#[test]
fn calls_within_two_minutes_are_one_of_their_added_talk_time() {
    // 0.01 a second, 0.05 a call.
    check(
        "m",
        &[
            // 20 s: 30 s, 0.30 + 0.05.
            (MOBILE, SAO_PAULO, "12:00:00", "20", "30 s (0 in) 0.3500"),
            // Ended 12:00:20, again at 12:02:20: 120 s. 20 + 25 = 45 s talked are 30 + 3 × 6 = 48 s; 18 s more.
            (MOBILE, SAO_PAULO, "12:02:20", "25", "18 s (0 in) 0.1800"),
            // Ended 12:02:45. 45 + 3.5 = 48.5 s are 54 s: 6 more.
            (MOBILE, SAO_PAULO, "12:03:00", "3.5", "6 s (0 in) 0.0600"),
            // Ended 12:03:03.5; a microsecond more than 120 s after it: a call of its own, with its minimum and fee.
            (MOBILE, SAO_PAULO, "12:05:03.500001", "10", "30 s (0 in) 0.3500"),
            // And that is gone on with: 10 + 10 = 20 s are still 30 s.
            (MOBILE, SAO_PAULO, "12:05:20", "10", "0 s (0 in) 0.0000"),
            (MOBILE, SAO_PAULO, "12:05:40", "10", "0 s (0 in) 0.0000"),
            // 40 s: 42 s.
            (MOBILE, SAO_PAULO, "12:06:00", "10", "12 s (0 in) 0.1200"),
        ],
    );
}

#[test]
fn what_is_forgiven_stands_outside() {
    check(
        "m",
        &[
            (MOBILE, SAO_PAULO, "12:00:00", "3", "0 s (0 in) 0.0000"),
            // Nothing to go on with: 3 s are not counted.
            (MOBILE, SAO_PAULO, "12:00:10", "28", "30 s (0 in) 0.3500"),
            // Neither goes on nor ends: 38 → 42 s after it.
            (MOBILE, SAO_PAULO, "12:01:00", "2", "0 s (0 in) 0.0000"),
            (MOBILE, SAO_PAULO, "12:02:00", "10", "12 s (0 in) 0.1200"),
            // The end that counts is 12:02:10: what is forgiven moves it no further.
            (MOBILE, SAO_PAULO, "12:03:30", "2", "0 s (0 in) 0.0000"),
            (MOBILE, SAO_PAULO, "12:04:15", "10", "30 s (0 in) 0.3500"),
        ],
    );
}

#[test]
fn only_calls_between_the_same_two_numbers_of_a_mobile() {
    check(
        "m",
        &[
            (MOBILE, SAO_PAULO, "12:00:00", "20", "30 s (0 in) 0.3500"),
            (MOBILE, "+551144445556", "12:00:30", "20", "30 s (0 in) 0.3500"),
            ("+5511987654322", SAO_PAULO, "12:00:30", "20", "30 s (0 in) 0.3500"),
            // The other two did not come between.
            (MOBILE, SAO_PAULO, "12:01:00", "20", "12 s (0 in) 0.1200"),
            // From a fixed line every call is one; from nobody, too.
            (FIXED, SAO_PAULO, "12:00:00", "20", "30 s (0 in) 0.3500"),
            (FIXED, SAO_PAULO, "12:00:30", "20", "30 s (0 in) 0.3500"),
            ("", SAO_PAULO, "12:00:00", "20", "30 s (0 in) 0.3500"),
            ("", SAO_PAULO, "12:00:30", "20", "30 s (0 in) 0.3500"),
            // A mobile of another country is none of these.
            ("+4915123456789", SAO_PAULO, "12:00:00", "20", "30 s (0 in) 0.3500"),
            ("+4915123456789", SAO_PAULO, "12:00:30", "20", "30 s (0 in) 0.3500"),
        ],
    );
    // A plan that does not say so has none of it.
    check(
        "s",
        &[
            (MOBILE, SAO_PAULO, "12:00:00", "20", "30 s (0 in) 0.3500"),
            (MOBILE, SAO_PAULO, "12:00:30", "20", "30 s (0 in) 0.3500"),
        ],
    );
}

#[test]
fn calls_at_the_same_time_are_calls_of_their_own() {
    check(
        "m",
        &[
            (MOBILE, SAO_PAULO, "12:00:00", "60", "60 s (0 in) 0.6500"),
            // Answered before that ended; ended before it, too, so that what follows goes on with the longer one.
            (MOBILE, SAO_PAULO, "12:00:30", "10", "30 s (0 in) 0.3500"),
            // 60 + 12 = 72 s; at the very instant of its end.
            (MOBILE, SAO_PAULO, "12:01:00", "12", "12 s (0 in) 0.1200"),
        ],
    );
}

#[test]
fn fee_and_caps_count_once() {
    check(
        "m",
        &[
            // At least 0.40 and at most 0.90: 30 s would be 0.30.
            (MOBILE, RIO, "12:00:00", "20", "30 s (0 in) 0.4000"),
            // 36 s are 0.36, still 0.40 at least.
            (MOBILE, RIO, "12:00:30", "16", "6 s (0 in) 0.0000"),
            // 60 s: 0.60, of which 0.40 were charged.
            (MOBILE, RIO, "12:01:00", "24", "24 s (0 in) 0.2000"),
            // 120 s would be 1.20: 0.90 at most, 0.60 charged.
            (MOBILE, RIO, "12:02:00", "60", "60 s (0 in) 0.3000"),
            (MOBILE, RIO, "12:04:00", "60", "60 s (0 in) 0.0000"),
        ],
    );
}

#[test]
fn allowances_give_to_each_part() {
    // 2 minutes, then 0.01 a second; a fixed line this time.
    check(
        "t",
        &[
            (FIXED, SAO_PAULO, "12:00:00", "50", "54 s (54 in) 0.0000"),
            // 50 + 40 = 90 s: 36 more, all of them included; 30 s are left.
            (FIXED, SAO_PAULO, "12:01:00", "40", "36 s (36 in) 0.0000"),
            // 90 + 60 = 150 s: 60 more, 30 of them included, 30 s beyond.
            (FIXED, SAO_PAULO, "12:02:00", "60", "60 s (30 in) 0.3000"),
            // 180 s: 30 more beyond: 0.60 for 60 s, less 0.30.
            (FIXED, SAO_PAULO, "12:04:00", "30", "30 s (0 in) 0.3000"),
            // In the minutes' next call nothing is left, and nothing is joined.
            (FIXED, RIO, "12:05:00", "30", "30 s (0 in) 0.3000"),
        ],
    );
}

/// 0.01 a second, half of it behind a minute in the month; 0.05 a call.
#[test]
fn a_tier_counts_what_each_part_adds() {
    check(
        "f",
        &[
            (FIXED, SAO_PAULO, "12:00:00", "40", "42 s (0 in) 0.4700"),
            (FIXED, SAO_PAULO, "12:01:00", "20", "18 s (0 in) 0.1800"),
            // The minute is full.
            (FIXED, SAO_PAULO, "12:02:00", "60", "60 s (0 in) 0.3000"),
            (FIXED, "+551144445556", "12:05:00", "10", "30 s (0 in) 0.2000"),
            // Nothing is added, and the 30 s of both are at half the price as before.
            (FIXED, "+551144445556", "12:05:30", "10", "0 s (0 in) 0.0000"),
            // 36 s: 0.18 + 0.05.
            (FIXED, "+551144445556", "12:06:00", "16", "6 s (0 in) 0.0300"),
        ],
    );
    // Another call between, which passes the minute: 18 s at the full price, 24 s at half.
    check(
        "f",
        &[
            (FIXED, SAO_PAULO, "12:00:00", "40", "42 s (0 in) 0.4700"),
            (FIXED, "+551144445556", "12:00:50", "40", "42 s (0 in) 0.3500"),
            // 42 s were counted before it at the full price, and stay so; 18 s more at half: 0.05 + 0.42 + 0.09.
            (FIXED, SAO_PAULO, "12:01:30", "20", "18 s (0 in) 0.0900"),
            // 80 s are 84: 24 s more at half.
            (FIXED, SAO_PAULO, "12:02:00", "20", "24 s (0 in) 0.1200"),
            // The other one has 18 s at full and 24 s at half, and 6 s more.
            (FIXED, "+551144445556", "12:03:00", "8", "6 s (0 in) 0.0300"),
        ],
    );
    // Seconds of one price are not split where another call passes the level; those of both are where it lies within them.
    check(
        "f",
        &[
            (FIXED, SAO_PAULO, "12:00:00", "28", "30 s (0 in) 0.3500"),
            (FIXED, "+551144445556", "12:00:30", "18", "30 s (0 in) 0.3500"),
            // The minute is full since the other call: all that is added is at half.
            (FIXED, SAO_PAULO, "12:01:00", "32", "30 s (0 in) 0.1500"),
        ],
    );
}

#[test]
fn a_month_begins_anew() {
    check(
        "m",
        &[
            // Midnight in São Paulo is 03:00 UTC.
            (MOBILE, SAO_PAULO, "2026-11-01T02:59:30Z", "20", "30 s (0 in) 0.3500"),
            (MOBILE, SAO_PAULO, "2026-11-01T03:00:10Z", "20", "30 s (0 in) 0.3500"),
        ],
    );
}

#[test]
fn the_proof_says_how() {
    let made = [("12:00:00", "20"), ("12:01:00", "25")].map(|(time, seconds)| {
        let answer = format!("2026-10-05T{time}Z");
        call(MOBILE, SAO_PAULO).account("m").node_country("BR").lasts(seconds).answered(&answer)
    });
    let rated = rate(&BOOKS, &made);
    let words: Vec<&Vec<String>> = rated.iter().map(|one| &one.1).collect();
    assert!(words[0].is_empty());
    assert_eq!(
        words[1],
        &[
            "soon after another call between the same two numbers: one call with what began 2026-10-05T12:00:00Z; \
             20 s talked before, 45 s in all",
            "30 s of these were billed before, 18 s are this call's",
            "0.5300 − 0.3500 charged before: 0.1800 BRL",
        ]
    );
}

/// Price steps inside a call and time bands go by the whole: as if it had not been interrupted.
#[test]
fn rows_of_the_whole_call() {
    let deck = "prefix,rate,after\n55,0.60,\n55,0.06,60\n";
    let plans = PLANS.replace("free_below = \"3.000001\"", "free_below = 0");
    let books = Books::of(&plans, &[("br", deck)], ACCOUNTS, "number,account\n");
    let made = [("12:00:00", "60"), ("12:01:30", "60")].map(|(time, seconds)| {
        let answer = format!("2026-10-05T{time}Z");
        call(MOBILE, SAO_PAULO).account("m").node_country("BR").lasts(seconds).answered(&answer)
    });
    // The first minute at 0.60, the second at 0.06.
    let costs: Vec<String> = rate(&books, &made).iter().map(|one| one.0.cost.fixed(4)).collect();
    assert_eq!(costs, ["0.6000", "0.0600"]);
}

/// Where the first call is rounded to nothing, it is gone on with all the same, and what is drawn is told.
#[test]
fn what_was_billed_at_nothing_is_gone_on_with() {
    let plans = PLANS.replace(
        "steps = { increment = 6, initial = 30, minimum = 30 }\nsuccessive",
        "steps = { increment = 60, mode = \"nearest\" }\nsuccessive",
    );
    let books = Books::of(&plans, &[("br", DECK)], ACCOUNTS, "number,account\n");
    let made = [("12:00:00", "20"), ("12:01:00", "20"), ("12:02:00", "60")].map(|(time, seconds)| {
        let answer = format!("2026-10-05T{time}Z");
        call(FIXED, SAO_PAULO).account("t").node_country("BR").lasts(seconds).answered(&answer)
    });
    // 20 s are 0, 40 s are 60, 100 s are 120; the plan's two minutes cover them.
    let billed: Vec<_> =
        rate(&books, &made).iter().map(|one| (one.0.billable_seconds, one.0.included_seconds)).collect();
    assert_eq!(billed, [(0, 0), (60, 60), (60, 60)]);
}

/// A call of so many microseconds by arithmetic of its own: seconds billed, and ten-thousandths.
fn plainly(talk: i64) -> (i64, i64) {
    if talk == 0 {
        return (0, 0);
    }
    let (mut billed, mut covered) = (30, 30_000_000);
    while covered < talk {
        billed += 6;
        covered += 6_000_000;
    }
    // 0.60 a minute is 100 ten-thousandths a second; the fee is 500.
    (billed, billed * 100 + 500)
}

/// End of the last call, talk time of all, what each second costs, what was charged.
type Held = (i64, i64, Vec<i64>, i64);

/// Calls to two numbers by turns: each second keeps the level at which the month stood when it was added.
fn tiered(calls: &[(i64, i64, bool)]) -> Result<(), TestCaseError> {
    let (mut now, mut made) = (at("2026-10-05T12:00:00Z").0, Vec::new());
    // By the words of the rules: seconds charged in the month, and of each number the end of the last call, the talk time of all
    // and what each second of them costs, in ten-thousandths.
    let mut month = 0_u32;
    let mut held: [Option<Held>; 2] = [None, None];
    let mut expected = Vec::new();
    for (gap, talk, other) in calls {
        now += gap;
        let mut one = call(FIXED, if *other { ANOTHER } else { SAO_PAULO }).account("f").node_country("BR");
        one.answer = Some(Timestamp(now));
        one.duration = Some(Micros(*talk));
        made.push(one);
        let before = held[usize::from(*other)].take().filter(|(end, ..)| now - end <= 120_000_000);
        let (_, talked, mut seconds, charged) = before.unwrap_or((0, 0, Vec::new(), 0));
        let (billed, _) = plainly(talked + talk);
        let added = billed - seconds.len() as i64;
        for _ in 0..added {
            // 100 ten-thousandths a second, half of it behind a minute.
            seconds.push(if month < 60 { 100 } else { 50 });
            month += 1;
        }
        let whole = seconds.iter().sum::<i64>() + 500;
        expected.push((added, whole - charged));
        now += talk;
        held[usize::from(*other)] = Some((now, talked + talk, seconds, whole));
    }
    let found: Vec<_> =
        rate(&BOOKS, &made).iter().map(|one| (i64::from(one.0.billable_seconds), one.0.cost.0 / 100_000)).collect();
    prop_assert_eq!(found, expected);
    Ok(())
}

proptest! {
    /// Whatever calls to whom: those joined are one call of which each second has the level at which it was counted.
    #[test]
    fn any_calls_by_volume(
        calls in proptest::collection::vec((0_i64..90_000_000, 1_i64..25_000_000, any::<bool>()), 1..12),
    ) {
        tiered(&calls)?;
    }

    /// Whatever the calls: each group comes to one call of its talk time.
    #[test]
    fn any_calls(calls in proptest::collection::vec((0_i64..200_000_000, 0_i64..100_000_000), 1..12)) {
        let begin = at("2026-10-05T12:00:00Z").0;
        let (mut now, mut made) = (begin, Vec::new());
        // By the words of the rule: gaps and talk times, put into groups.
        let mut groups: Vec<(i64, Vec<usize>)> = Vec::new();
        let mut end = None;
        for (gap, talk) in &calls {
            now += gap;
            let mut one = call(MOBILE, SAO_PAULO).account("m").node_country("BR");
            one.answer = Some(Timestamp(now));
            one.duration = Some(Micros(*talk));
            made.push(one);
            now += talk;
            if *talk <= 3_000_000 {
                groups.insert(0, (0, vec![made.len() - 1]));
            } else {
                match (groups.last_mut(), end) {
                    (Some(group), Some(end)) if now - talk - end <= 120_000_000 => {
                        group.0 += talk;
                        group.1.push(made.len() - 1);
                    }
                    _ => groups.push((*talk, vec![made.len() - 1])),
                }
                end = Some(now);
            }
        }
        let rated = rate(&BOOKS, &made);
        for (talk, members) in groups {
            let sum = |of: &dyn Fn(&Rated) -> i64| -> i64 {
                members.iter().map(|at| of(&rated[*at].0)).sum()
            };
            let (billed, cost) = plainly(talk);
            prop_assert_eq!(sum(&|rated| i64::from(rated.billable_seconds)), billed);
            prop_assert_eq!(sum(&|rated| rated.cost.0), cost * 100_000);
        }
    }
}
