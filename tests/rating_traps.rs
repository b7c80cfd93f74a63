//! Where rating goes wrong in other billing systems: one test per trap, with the answer that the rules give.
//!
//! Not here, because they are not the heart's: interim and re-INVITE records, conferences (they are put together before
//! rating); repeats and identities (tested with the identity index); time bands at a daylight-saving change or in the
//! middle of a call (24 in part, 25), the order in which late calls draw (28 in part, 46), foreign currencies (58) and
//! reversals (57), which come with bands, sealing, exchange rates and re-rating; taxes (52) and leap seconds (29), which
//! come with documents and decoders. `tests/README.md` says where each trap is tested.

mod common;

use callrated::entry::{LegsPolicy, Talk};
use callrated::money::Money;
use callrated::rating::{Draws, Resolution, Standing, rate, resolve};
use callrated::record::Direction::{Inbound, Outbound};
use common::world::{BERLIN, BOOKS, MOBILE, check, de, from};
use common::{Call, call};

fn called(rows: Vec<(Call, &str)>) {
    let wrong: Vec<_> = rows.into_iter().map(|(call, expected)| (BOOKS.called(&call), expected, call)).collect();
    let wrong: Vec<_> = wrong.iter().filter(|(called, expected, _)| called != expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

// A. Duration and answer state

#[test]
fn trap_01_answered_but_zero_seconds() {
    let short = de(MOBILE).answered("2026-10-05T12:00:00.900Z").lasts("").ended("2026-10-05T12:00:01.300Z");
    check(vec![
        (short, "outbound de included R9 60 s (60 in) 0.0000"),
        (de(MOBILE).lasts("0.4"), "outbound de included R9 60 s (60 in) 0.0000"),
        (de(MOBILE).lasts("0"), "outbound de included R9 0 s (0 in) 0.0000"),
    ]);
}

#[test]
fn trap_02_milliseconds() {
    check(vec![
        (from("de-seconds", "+45 32 123456").lasts("6.1"), "outbound de-seconds international R10 12 s (0 in) 0.12"),
        (from("de-seconds", "+45 32 123456").lasts("6"), "outbound de-seconds international R10 6 s (0 in) 0.06"),
    ]);
}

#[test]
fn trap_03_initial_is_no_multiple_of_the_increment() {
    check(vec![
        (from("de-seconds", "+46 8 1234567").lasts("91"), "outbound de-seconds international R10 150 s (0 in) 1.50"),
        (from("de-seconds", "+47 22 123456").lasts("21"), "outbound de-seconds international R10 26 s (0 in) 0.26"),
        (from("de-seconds", "+48 22 1234567").lasts("61"), "outbound de-seconds international R10 105 s (0 in) 1.05"),
    ]);
}

#[test]
fn trap_04_exactly_on_the_boundary() {
    let brazil = |lasts| from("us-a", "011 55 11 98765 4321").lasts(lasts);
    check(vec![
        (de(MOBILE).lasts("60.000"), "outbound de included R9 60 s (60 in) 0.0000"),
        (de(MOBILE).lasts("60.001"), "outbound de included R9 120 s (120 in) 0.0000"),
        (brazil("30.000"), "outbound us-a international R10 30 s (0 in) 0.0600"),
        (brazil("30.001"), "outbound us-a international R10 36 s (0 in) 0.0720"),
    ]);
}

#[test]
fn trap_05_free_threshold_and_minimum() {
    let portugal = |lasts| from("de-seconds", "+351 21 1234567").lasts(lasts);
    check(vec![
        (portugal("2.999"), "outbound de-seconds international R10 0 s (0 in) 0.00"),
        (portugal("3.000"), "outbound de-seconds international R10 30 s (0 in) 0.55"),
        (portugal("3.001"), "outbound de-seconds international R10 30 s (0 in) 0.55"),
        (portugal("36.001"), "outbound de-seconds international R10 42 s (0 in) 0.67"),
    ]);
}

/// Each record is a call of its own: nothing is merged.
#[test]
fn trap_06_successive_calls() {
    let first = from("us-a", "011 55 11 98765 4321").answered("2026-10-05T12:00:00Z").lasts("20");
    let second = from("us-a", "011 55 11 98765 4321").answered("2026-10-05T12:01:50Z").lasts("20");
    check(vec![
        (first, "outbound us-a international R10 30 s (0 in) 0.0600"),
        (second, "outbound us-a international R10 30 s (0 in) 0.0600"),
    ]);
}

#[test]
fn trap_07_ring_time_in_the_duration() {
    let call = from("de-seconds", MOBILE).answered("2026-10-05T14:35:36.8Z").ended("2026-10-05T14:35:57.8Z");
    check(vec![
        (call.clone().lasts(""), "outbound de-seconds overage R9 21 s (0 in) 0.02"),
        (call.clone().lasts("22.4").talk(Talk::EndAnswer), "outbound de-seconds overage R9 21 s (0 in) 0.02"),
        (call.lasts("22.4"), "outbound de-seconds overage R9 23 s (0 in) 0.02"),
    ]);
}

/// Long is not absurd: up to 24 hours are billed as they are, and nothing is capped.
#[test]
fn trap_08_phantom_long_call() {
    check(vec![
        (de(MOBILE).lasts("43201"), "outbound de included R9 43260 s (43260 in) 0.0000"),
        (de(MOBILE).lasts("86401"), "suspense implausible TooLong"),
    ]);
}

#[test]
fn trap_09_negative_and_absurd() {
    check(vec![
        (de(MOBILE).lasts("").ended("2026-10-05T08:59:58Z"), "suspense implausible NegativeTalkTime"),
        (de(MOBILE).lasts("-5"), "suspense implausible NegativeTalkTime"),
        (de(MOBILE).lasts("136298900"), "suspense implausible TooLong"),
        (de(MOBILE).lasts("32768"), "outbound de included R9 32820 s (32820 in) 0.0000"),
        // 49.7 days of milliseconds, where 32 bits begin again.
        (de(MOBILE).lasts("4294968"), "suspense implausible TooLong"),
    ]);
}

#[test]
fn trap_10_causes_do_not_decide() {
    check(vec![
        (de(MOBILE).answered("").lasts("0").cause("16"), "unanswered"),
        (de(MOBILE).answered("").lasts("0").cause("487"), "unanswered"),
        (de(MOBILE).lasts("61").cause("603"), "outbound de included R9 120 s (120 in) 0.0000"),
    ]);
}

#[test]
fn trap_11_abnormal_end_still_talked() {
    check(vec![(
        de(MOBILE).lasts("72").cause("RECOVERY_ON_TIMER_EXPIRE"),
        "outbound de included R9 120 s (120 in) 0.0000",
    )]);
}

// B. Legs and transfers

/// In on a toll-free number, forwarded to a mobile: two records, two legs, each once.
#[test]
fn trap_12_hairpin() {
    check(vec![
        (call("+12125559999", "+4980012345678").lasts("61"), "inbound de toll_free R11 120 s (0 in) 0.0600"),
        (
            call("+12125559999", MOBILE).forwarded_by("+4980012345678").lasts("61"),
            "outbound de included R9 120 s (120 in) 0.0000",
        ),
        // On to another account: its inbound leg, and none for the forwarder.
        (
            call("+12125559999", "+4940111222").forwarded_by("+4930600"),
            "outbound de included R9 60 s (60 in) 0.0000 | inbound de2 inbound R11 60 s (0 in) 0.0000",
        ),
    ]);
}

/// The second leg is charged to who transferred, from the transfer on: it is a record of its own.
#[test]
fn trap_13_blind_transfer() {
    let first = call("+4940111222", "+4930600").lasts("300");
    let second = call("+4940111222", "+34911234567").forwarded_by("+4930600").lasts("600");
    check(vec![
        (first, "outbound de2 included R9 300 s (300 in) 0.0000 | inbound de inbound R11 300 s (0 in) 0.0000"),
        (second, "outbound de international R10 600 s (0 in) 0.2000"),
    ]);
}

/// Legs that overlap in time are legs all the same.
#[test]
fn trap_14_attended_transfer() {
    check(vec![
        (de(MOBILE).lasts("600"), "outbound de included R9 600 s (600 in) 0.0000"),
        (de(MOBILE).answered("2026-10-05T09:01:00Z").lasts("30"), "outbound de included R9 60 s (60 in) 0.0000"),
    ]);
}

#[test]
fn trap_15_hunt_group() {
    for _phone in 0..12 {
        BOOKS.check(&de(MOBILE).answered("").lasts("0"), "unanswered");
    }
    BOOKS.check(&de(MOBILE), "outbound de included R9 60 s (60 in) 0.0000");
}

#[test]
fn trap_20_extension_to_extension() {
    check(vec![
        (call("100", "101").node_account("de"), "outbound de included R7 60 s (60 in) 0.0000"),
        (call("100", "101").node_account("de").used(60_000), "outbound de overage R7 60 s (0 in) 0.0150"),
        // Between two accounts it is a call like any other.
        (
            call(BERLIN, "+4940111222").used(60_000),
            "outbound de overage R9 60 s (0 in) 0.0150 | inbound de2 inbound R11 60 s (0 in) 0.0000",
        ),
    ]);
}

#[test]
fn trap_21_callback_has_two_outbound_legs() {
    check(vec![
        (de(MOBILE).account("de").direction(Outbound), "outbound de included R9 60 s (60 in) 0.0000"),
        (de("+34911234567").account("de").direction(Outbound), "outbound de international R10 60 s (0 in) 0.0200"),
    ]);
}

// C. Time

#[test]
fn trap_22_month_crossing() {
    let call = de(MOBILE).answered("2026-01-31T22:58:00Z").lasts("720");
    assert_eq!(BOOKS.period(&call), "2026-01");
    BOOKS.check(&call, "outbound de included R9 720 s (720 in) 0.0000");
}

#[test]
fn trap_23_period_in_the_accounts_zone() {
    for (account, answered, period) in [
        ("guatemala", "2026-03-01T03:30:00Z", "2026-02"),
        ("guatemala", "2026-03-01T06:00:00Z", "2026-03"),
        ("us-a", "2026-03-01T04:59:59.999999Z", "2026-02"),
        ("us-a", "2026-03-01T05:00:00Z", "2026-03"),
        ("kiritimati", "2026-02-28T10:00:00Z", "2026-03"),
        ("kiritimati", "2026-02-28T09:59:59.999999Z", "2026-02"),
        ("kathmandu", "2026-02-28T18:15:00Z", "2026-03"),
        ("kathmandu", "2026-02-28T18:14:59.999999Z", "2026-02"),
        // Lord Howe is at +10:30 in winter and +11:00 in summer.
        ("lord-howe", "2026-05-31T13:30:00Z", "2026-06"),
        ("lord-howe", "2026-05-31T13:29:59.999999Z", "2026-05"),
        ("lord-howe", "2026-01-31T13:00:00Z", "2026-02"),
        ("lord-howe", "2026-01-31T12:59:59.999999Z", "2026-01"),
    ] {
        assert_eq!(BOOKS.period(&from(account, "+12125559999").answered(answered)), period, "{account} {answered}");
    }
}

/// From 01:59:30 to 03:00:30 on the night of the change is a minute; the hour that comes twice is two.
#[test]
fn trap_24_daylight_saving() {
    let night = |answered, ended| from("us-a", "+12125559999").answered(answered).lasts("").ended(ended);
    check(vec![
        (
            night("2026-03-08T01:59:30-05:00", "2026-03-08T03:00:30-04:00"),
            "outbound us-a included R9 60 s (60 in) 0.0000",
        ),
        (
            night("2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"),
            "outbound us-a included R9 3600 s (3600 in) 0.0000",
        ),
    ]);
}

#[test]
fn trap_26_rate_change_during_the_call() {
    check(vec![
        (
            de("+33 612345678").answered("2026-10-05T23:59:30Z").lasts("120"),
            "outbound de international R10 120 s (0 in) 0.0400",
        ),
        (
            de("+33 612345678").answered("2026-10-06T00:00:00Z").lasts("120"),
            "outbound de international R10 120 s (0 in) 0.0600",
        ),
    ]);
}

#[test]
fn trap_27_clock_skew() {
    check(vec![
        (de(MOBILE).received_at("2026-10-05T08:59:53Z"), "outbound de included R9 60 s (60 in) 0.0000"),
        (de(MOBILE).received_at("2026-10-05T07:59:59Z"), "suspense implausible FromTheFuture"),
    ]);
}

/// A late call draws what is left when it is rated: the heart is told, and remembers nothing.
#[test]
fn trap_28_late_and_out_of_order() {
    let late = de(MOBILE).answered("2026-11-30T12:00:00Z").received_at("2026-12-03T12:00:00Z").lasts("120");
    check(vec![
        (late.clone().used(59_880), "outbound de included R9 120 s (120 in) 0.0000"),
        (late.clone().used(59_940), "outbound de included R9 120 s (60 in) 0.0150"),
    ]);
    assert_eq!(BOOKS.period(&late), "2026-11");
}

// D. Numbers

#[test]
fn trap_30_international_prefixes() {
    called(vec![
        (de("00441624756789"), "+441624756789 IM Fixed"),
        (de("+441624756789"), "+441624756789 IM Fixed"),
        (from("us-a", "011441624756789"), "+441624756789 IM Fixed"),
        (from("ru", "810441624756789"), "+441624756789 IM Fixed"),
        (from("br", "0015441624756789"), "+441624756789 IM Fixed"),
        // No number of Man begins so: one of the main territory then, of which nothing is known.
        (de("00441624123456"), "+441624123456 GB Unknown"),
        // In Brazil 0 11 is São Paulo.
        (from("br", "011 3876 5432"), "+551138765432 BR Fixed"),
    ]);
}

#[test]
fn trap_31_no_plus_at_all() {
    called(vec![
        (call("+12125550123", "2065551234"), "+12065551234 US FixedOrMobile"),
        (from("us-a", "12065551234"), "+12065551234 US FixedOrMobile"),
    ]);
}

#[test]
fn trap_32_trunk_prefixes() {
    called(vec![
        (from("gb", "020 7946 0018"), "+442079460018 GB Fixed"),
        (from("hu", "06 1 234 5678"), "+3612345678 HU Fixed"),
        (from("ru", "8 800 555 35 35"), "+78005553535 RU TollFree"),
        (from("ru", "8 10 49 30 23125000"), "+493023125000 DE Fixed"),
        (from("it", "06 698 12345"), "+390669812345 VA Fixed"),
        (from("it", "333 1234567"), "+393331234567 IT Mobile"),
        (from("de", "+49 (0)30 23125000"), "+493023125000 DE Fixed"),
    ]);
    check(vec![(from("ru", "8 800 555 35 35"), "outbound ru toll_free_outbound R10 60 s (0 in) 0.0000")]);
}

#[test]
fn trap_33_vatican() {
    check(vec![
        (de("+39 06 698 12345"), "outbound de international R10 60 s (0 in) 0.5500"),
        (de("+39 06 697 12345"), "outbound de international R10 60 s (0 in) 0.0200"),
        (from("it", "06 698 12345"), "outbound it included R9 60 s (60 in) 0.0000"),
    ]);
}

#[test]
fn trap_34_plus_one_is_many_territories() {
    check(vec![
        (from("us-a", "+1 876 923 4567"), "outbound us-a international R10 60 s (0 in) 0.3000"),
        (from("us-a", "+1 787 234 5678"), "outbound us-a included R9 60 s (60 in) 0.0000"),
        (from("us-a", "+1 787 555 1234"), "outbound us-a domestic_premium R8 60 s (0 in) 0.9900"),
        (from("us-a", "+1 416 234 5678"), "outbound us-a international R10 60 s (0 in) 0.0500"),
        (from("us-ca", "+1 416 234 5678"), "outbound us-ca included R9 60 s (60 in) 0.0000"),
    ]);
}

#[test]
fn trap_35_shared_calling_codes() {
    check(vec![
        (from("ru", "+7 701 234 5678"), "outbound ru international R10 60 s (0 in) 0.1900"),
        (from("ru", "+7 912 345 6789"), "outbound ru included R9 60 s (60 in) 0.0000"),
        (de("+44 1534 456789"), "outbound de international R10 60 s (0 in) 0.0900"),
        (de("+44 20 7946 0018"), "outbound de international R10 60 s (0 in) 0.0120"),
    ]);
    called(vec![
        (from("gb", "07924 123456"), "+447924123456 IM Mobile"),
        (from("gb", "07925 123456"), "+447925123456 GB Mobile"),
        (from("gb", "07781 123456"), "+447781123456 GG Mobile"),
        (de("+47 79 123456"), "+4779123456 SJ Fixed"),
    ]);
}

#[test]
fn trap_36_premium_among_mobiles() {
    check(vec![
        (from("gb", "070 1234 5678"), "outbound gb domestic_premium R10 60 s (0 in) 0.6500"),
        (from("gb", "07624 123456"), "outbound gb included R9 60 s (60 in) 0.0000"),
        (from("gb", "0843 123 4567"), "outbound gb domestic_premium R10 60 s (0 in) 0.0500"),
        (de("+881 6 12345678"), "outbound de international R10 60 s (0 in) 4.5000"),
        (de("+979 123456789"), "outbound de international R10 60 s (0 in) 2.5000"),
    ]);
}

#[test]
fn trap_37_toll_free() {
    check(vec![
        (from("us-a", "+1 833 234 5678"), "outbound us-a toll_free_outbound R10 60 s (0 in) 0.0000"),
        // Reserved, not toll-free: not known as valid, so no cheap default.
        (from("us-a", "+1 822 234 5678"), "outbound us-a suspense no_rate RowTooShort"),
        (from("us-a", "+1 880 234 5678"), "outbound us-a suspense no_rate RowTooShort"),
        (from("us-a", "+1 887 234 5678"), "outbound us-a suspense no_rate RowTooShort"),
        (from("us-a", "+1 889 234 5678"), "outbound us-a suspense no_rate RowTooShort"),
        (from("us-a", "+1 911 555 1212"), "outbound us-a suspense no_rate RowTooShort"),
        (call("+551138765432", "+18005550199"), "inbound us-b toll_free R11 60 s (0 in) 0.0200"),
        (de("+1 800 234 5678"), "outbound de international R10 60 s (0 in) 0.0500"),
    ]);
}

#[test]
fn trap_38_brazil() {
    called(vec![
        (from("br", "0 15 11 98765 4321"), "+5511987654321 BR Mobile"),
        (from("br", "0 11 98765 4321"), "+5511987654321 BR Mobile"),
        (from("br", "00 15 1 212 555 0100"), "+12125550100 US FixedOrMobile"),
    ]);
    // Reverse charge: a short code of 15 digits and more, priced by its front.
    check(vec![(from("br", "90 15 11 98765 4321"), "outbound br domestic_premium R10 60 s (0 in) 1.0000")]);
}

#[test]
fn trap_39_tech_prefixes() {
    let us = |to| from("us-a", to).strip(&["1234#", "999", "*67"]);
    called(vec![
        (us("1234#14155551212"), "+14155551212 US FixedOrMobile"),
        (us("99914155551212"), "+14155551212 US FixedOrMobile"),
        (us("*6714155551212"), "+14155551212 US FixedOrMobile"),
        (us("14155551212"), "+14155551212 US FixedOrMobile"),
    ]);
}

/// The routing number of a ported number says who carries it, not what it is: the number itself decides and is shown.
#[test]
fn trap_40_ported_numbers() {
    called(vec![
        (de("sip:+493023125000;npdi;rn=+49151000@host"), "+493023125000 DE Fixed"),
        (from("us-a", "tel:+12125550100;npdi;rn=+15125550000"), "+12125550100 US FixedOrMobile"),
    ]);
}

#[test]
fn trap_41_emergency_exactly() {
    assert!(BOOKS.called(&from("us-a", "9115551212")).starts_with("+19115551212"));
    check(vec![
        (from("us-a", "911"), "outbound us-a emergency R6 60 s (0 in) 0.0000"),
        (from("us-a", "112"), "outbound us-a emergency R6 60 s (0 in) 0.0000"),
        (from("gb", "999"), "outbound gb emergency R6 60 s (0 in) 0.0000"),
        (from("br", "190"), "outbound br emergency R6 60 s (0 in) 0.0000"),
        (from("us-a", "411"), "outbound us-a suspense no_rate NoRow"),
    ]);
}

#[test]
fn trap_42_no_calling_number() {
    for source in ["anonymous", "Restricted", "+266696687", "", "sip:anonymous@anonymous.invalid"] {
        BOOKS.check(&call(source, "+18005550199"), "inbound us-b toll_free R11 60 s (0 in) 0.0200");
        BOOKS.check(&call(source, MOBILE).account("de"), "outbound de included R9 60 s (60 in) 0.0000");
    }
}

#[test]
fn trap_43_longest_match() {
    check(vec![
        // Same prefix in two decks: the deck listed first, though the other is dearer.
        (de("+34 911 234567"), "outbound de international R10 60 s (0 in) 0.0200"),
        (de("+34 611 234567"), "outbound de international R10 60 s (0 in) 0.0800"),
        (de("+34 600 234567"), "outbound de international R10 60 s (0 in) 0.0000"),
        (de("+34 600 134567"), "outbound de suspense blocked Blocked"),
        // When the longer prefix ends, the shorter one is there again.
        (de("+33 123456789").answered("2026-10-05T09:59:59Z"), "outbound de international R10 60 s (0 in) 0.0500"),
        (de("+33 123456789").answered("2026-10-05T10:00:00Z"), "outbound de international R10 60 s (0 in) 0.0200"),
    ]);
}

#[test]
fn trap_44_no_digits() {
    for to in
        ["hotline", "+49151+23456789", "+49\u{661}\u{662}\u{663}\u{664}\u{665}", "+491234567890123456", "\u{0}", "+"]
    {
        let outcome = BOOKS.outcome(&de(to));
        assert!(outcome.starts_with("outbound de suspense bad_number"), "{to:?}: {outcome}");
    }
}

// E. Allowances and money

#[test]
fn trap_45_straddle() {
    // 100 minutes, 98.5 used, 4 min 10 s in whole minutes: stepped first, then split to the second.
    let call = from("gb", "020 7946 0018").lasts("250").used(5_910);
    check(vec![(call, "outbound gb included R9 300 s (90 in) 0.0700")]);
}

#[test]
fn trap_47_first_month() {
    // Half of October from the 16th on: ceil(1000 × 16 / 31) = 517 minutes = 31,020 s.
    let call = from("de-16th", MOBILE).answered("2026-10-20T09:00:00Z");
    check(vec![
        (call.clone().used(30_960), "outbound de-16th included R9 60 s (60 in) 0.0000"),
        (call.clone().used(31_019), "outbound de-16th included R9 60 s (1 in) 0.0148"),
        (call.used(31_020), "outbound de-16th overage R9 60 s (0 in) 0.0150"),
    ]);
}

#[test]
fn trap_48_each_call_is_stepped_never_the_counter() {
    let used: u64 = [0, 60, 120].iter().map(|used| seconds(&de(MOBILE).lasts("10").used(*used)).1).sum();
    assert_eq!(used, 180);
}

#[test]
fn trap_49_a_forgiven_call_draws_nothing() {
    let call = from("de-seconds", MOBILE);
    assert_eq!(seconds(&call.clone().lasts("2.9")), (0, 0));
    check(vec![(call.lasts("2.9"), "outbound de-seconds included R9 0 s (0 in) 0.00")]);
}

#[test]
fn trap_50_no_fee_on_free_minutes() {
    check(vec![
        (from("de-deck", "089 12345678"), "outbound de-deck included R9 60 s (60 in) 0.0000"),
        (from("de-deck", "089 12345678").used(120), "outbound de-deck overage R9 60 s (0 in) 0.0800"),
    ]);
}

#[test]
fn trap_51_rounded_per_call() {
    let call = from("de-seconds", "+385 1 2345678");
    check(vec![(call.clone(), "outbound de-seconds international R10 60 s (0 in) 0.01")]);
    assert_eq!((0..1000).map(|_| cost(&call)).sum::<i64>(), 10_000_000_000);
}

#[test]
fn trap_53_currencies_without_decimals() {
    check(vec![
        (from("hu", "06 1 234 5678").used(6_000).lasts("61"), "outbound hu overage R9 120 s (0 in) 4"),
        (from("hu", "0049 30 23125000").lasts("61"), "outbound hu international R10 120 s (0 in) 0"),
    ]);
}

#[test]
fn trap_54_rates_that_do_not_divide() {
    // 0.00333 × 7 / 60 = 0.0003885, and 0.00333 × 1 / 60 = 0.0000555 to the last of eight decimals.
    check(vec![
        (from("de-fine", "+420 2 12345678").lasts("7"), "outbound de-fine international R10 7 s (0 in) 0.00038850"),
        (from("de-fine", "+420 2 12345678").lasts("1"), "outbound de-fine international R10 1 s (0 in) 0.00005550"),
        (from("de-fine", MOBILE).used(59), "outbound de-fine included R9 60 s (1 in) 0.00327450"),
    ]);
}

#[test]
fn trap_56_the_largest_price_fits() {
    // 1,000,000 a minute for 24 hours and a fee of 1,000,000, the most that a deck may hold.
    check(vec![(
        from("de-fine", "+421 2 22345678").lasts("86400"),
        "outbound de-fine international R10 86400 s (0 in) 1441000000.00000000",
    )]);
}

#[test]
fn trap_59_caps_bound_the_call() {
    check(vec![
        (de("0900 15 12345").lasts("1"), "outbound de domestic_premium R10 60 s (0 in) 2.0000"),
        (de("0900 15 12345").lasts("86400"), "outbound de domestic_premium R10 86400 s (0 in) 3.0000"),
    ]);
}

#[test]
fn trap_60_free_is_a_price_and_no_row_is_none() {
    check(vec![
        (de("+34 600 234567"), "outbound de international R10 60 s (0 in) 0.0000"),
        (de("+32 2 1234567"), "outbound de suspense no_rate NoRow"),
    ]);
}

/// Neither the caller's number nor the node's country makes a call international: the billing address does.
#[test]
fn trap_61_international_is_seen_from_the_billing_address() {
    check(vec![
        (call("+12125550150", "+4930600000").account("de"), "outbound de included R9 60 s (60 in) 0.0000"),
        (call("+4930999", "+12125559999").account("us-a"), "outbound us-a included R9 60 s (60 in) 0.0000"),
        (call("+390612345678", "+12125559999").account("de"), "outbound de international R10 60 s (0 in) 0.0500"),
    ]);
}

/// The column adds up to the total: a thousand calls at 0.00005 are a thousand times what one shows.
#[test]
fn trap_62_the_sum_of_what_is_shown() {
    let call = de("+376 712345");
    check(vec![(call.clone(), "outbound de international R10 60 s (0 in) 0.0001")]);
    assert_eq!((0..1000).map(|_| cost(&call)).sum::<i64>(), 100_000_000);
}

/// A record that says on which side it is yields that leg alone, whatever the listener says.
#[test]
fn legs_are_never_doubled() {
    for policy in [LegsPolicy::Both, LegsPolicy::Outbound, LegsPolicy::Inbound] {
        let call = call(BERLIN, "+18005550199").legs(policy);
        let outbound = BOOKS.outcome(&call.clone().direction(Outbound));
        let inbound = BOOKS.outcome(&call.direction(Inbound));
        assert_eq!(outbound, "outbound de international R10 60 s (0 in) 0.0500");
        assert_eq!(inbound, "inbound us-b toll_free R11 60 s (0 in) 0.0200");
    }
}

fn rated(call: &Call) -> callrated::rating::Rated {
    let world = BOOKS.world();
    match resolve(&call.record(), call.received(), &call.profile, world) {
        Resolution::Legs(Some(leg), None) => {
            rate(&leg, world, leg.period(world), Standing::of(&call.used), &mut Draws::default()).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

fn seconds(call: &Call) -> (u32, u64) {
    let rated = rated(call);
    (rated.billable_seconds, u64::from(rated.included_seconds))
}

fn cost(call: &Call) -> i64 {
    let Money(nanos) = rated(call).cost;
    nanos
}
