//! One table per rule of rating, and the worked examples.

mod common;
#[path = "rating/bands.rs"]
mod bands;
#[path = "rating/conditions.rs"]
mod conditions;
#[path = "rating/convert.rs"]
mod convert;
#[path = "rating/costs.rs"]
mod costs;
#[path = "rating/exchange.rs"]
mod exchange;
#[path = "rating/free.rs"]
mod free;
#[path = "rating/minimum.rs"]
mod minimum;
#[path = "rating/pools.rs"]
mod pools;
#[path = "rating/successive.rs"]
mod successive;
#[path = "rating/volume.rs"]
mod volume;

use callrated::entry::{Ambiguous, LegsPolicy, Talk};
use callrated::rating::{MAX_AHEAD, MAX_TALK, durations_differ};
use callrated::record::Direction::{Inbound, Outbound};
use common::call;
use common::world::{BERLIN, BOOKS, MOBILE, check, de, from};

#[test]
fn r1_answered() {
    check(vec![
        (de(MOBILE).answered("").lasts("0"), "unanswered"),
        (de(MOBILE).answered("").lasts("").ended("2026-10-05T09:00:00Z"), "unanswered"),
        (de(MOBILE).answered("").lasts("12"), "suspense no_answer_time NoAnswerTime"),
        (de(MOBILE).answered("").lasts("-1"), "suspense implausible NegativeTalkTime"),
        (de(MOBILE).answered("").lasts("12").talk(Talk::EndAnswer), "suspense no_answer_time NoAnswerTime"),
        // Answered and nothing said: rated, at nothing.
        (de(MOBILE).lasts("0"), "outbound de included R9 0 s (0 in) 0.0000"),
        (from("de", "0900512345").lasts("0"), "outbound de domestic_premium R10 0 s (0 in) 0.0000"),
        // Whether it was answered is asked before whose it was.
        (call("", "").answered("").lasts("0"), "unanswered"),
    ]);
}

#[test]
fn r1_a_local_time_that_came_twice() {
    let twice = |ambiguous| de(MOBILE).twice(ambiguous).received_at("2026-10-05T08:30:00Z");
    let measured = |ambiguous, end| de(MOBILE).twice(ambiguous).lasts("").ended(end);
    check(vec![
        (twice(Ambiguous::Suspense), "suspense ambiguous_time AmbiguousTime"),
        // Which of the two it was shows by the hour that an answer may lie ahead of its receipt.
        (twice(Ambiguous::Earlier), "outbound de included R9 60 s (60 in) 0.0000"),
        (twice(Ambiguous::Later), "suspense implausible FromTheFuture"),
        // Unanswered is unanswered at any time.
        (twice(Ambiguous::Suspense).answered("").lasts("0"), "unanswered"),
        (measured(Ambiguous::Earlier, "2026-10-05T09:00:30Z"), "outbound de included R9 60 s (60 in) 0.0000"),
        (measured(Ambiguous::Later, "2026-10-05T10:01:30Z"), "outbound de included R9 120 s (120 in) 0.0000"),
        // The end was read from the same clock.
        (measured(Ambiguous::Later, "2026-10-05T09:01:30Z"), "outbound de included R9 120 s (120 in) 0.0000"),
    ]);
}

#[test]
fn r2_duration() {
    let ended = |lasts, end| de(MOBILE).lasts(lasts).ended(end);
    check(vec![
        // The stated duration wins, unless the source's is none of talk time.
        (ended("10", "2026-10-05T09:01:01Z"), "outbound de included R9 60 s (60 in) 0.0000"),
        (ended("10", "2026-10-05T09:01:01Z").talk(Talk::EndAnswer), "outbound de included R9 120 s (120 in) 0.0000"),
        (ended("", "2026-10-05T09:01:00.000001Z"), "outbound de included R9 120 s (120 in) 0.0000"),
        (de(MOBILE).lasts("61").talk(Talk::EndAnswer), "outbound de included R9 120 s (120 in) 0.0000"),
        (de(MOBILE).lasts(""), "suspense implausible NoTalkTime"),
        // Nothing is clamped.
        (de(MOBILE).lasts("-0.000001"), "suspense implausible NegativeTalkTime"),
        (ended("", "2026-10-05T08:59:59Z"), "suspense implausible NegativeTalkTime"),
        (de(MOBILE).lasts("86400"), "outbound de included R9 86400 s (60000 in) 6.6000"),
        (de(MOBILE).lasts("86400.000001"), "suspense implausible TooLong"),
        (de(MOBILE).received_at("2026-10-05T08:00:00Z"), "outbound de included R9 60 s (60 in) 0.0000"),
        (de(MOBILE).received_at("2026-10-05T07:59:59.999999Z"), "suspense implausible FromTheFuture"),
        (de(MOBILE).received_at("2027-01-03T09:00:00Z"), "outbound de included R9 60 s (60 in) 0.0000"),
        (de(MOBILE).received_at("2027-01-03T09:00:00.000001Z"), "suspense implausible TooOld"),
        // Implausible comes before unknown_account.
        (call("", "").lasts("-1"), "suspense implausible NegativeTalkTime"),
    ]);
    let mut import = de(MOBILE).received_at("2029-10-05T09:00:00Z");
    import.profile.max_age_days = 4000;
    BOOKS.check(&import, "outbound de included R9 60 s (60 in) 0.0000");
    import.profile.max_age_days = u32::MAX;
    BOOKS.check(&import, "outbound de included R9 60 s (60 in) 0.0000");
    assert_eq!((MAX_TALK.0, MAX_AHEAD.0), (86_400_000_000, 3_600_000_000));
}

#[test]
fn r2_a_difference_over_two_seconds_is_told() {
    for (lasts, end, expected) in [
        ("10", "2026-10-05T09:00:12Z", false),
        ("10", "2026-10-05T09:00:12.000001Z", true),
        ("10", "2026-10-05T09:00:08Z", false),
        ("10", "2026-10-05T09:00:07.999999Z", true),
        ("", "2026-10-05T09:00:10Z", false),
    ] {
        assert_eq!(durations_differ(&de(MOBILE).lasts(lasts).ended(end).record()), expected, "{lasts} {end}");
    }
    assert!(!durations_differ(&de(MOBILE).lasts("10").record()));
}

#[test]
fn r3_numbers() {
    let mobile = "outbound de included R9 60 s (60 in) 0.0000";
    let spain = "outbound de international R10 60 s (0 in) 0.0200";
    check(vec![
        (de("+49 151 234-567/89"), mobile),
        (de("0049 (0)151 23456789"), mobile),
        (de("sip:+4915123456789@example.org;user=phone"), mobile),
        (de("tel:+49-151-23456789"), mobile),
        (de("015123456789;ext=12"), mobile),
        (de("0034 911 234567"), spain),
        (de("+34911234567"), spain),
        // Special numbers come first, on the digits as dialled.
        (de("112"), "outbound de emergency R6 60 s (0 in) 0.0000"),
        (de("101"), "outbound de included R7 60 s (60 in) 0.0000"),
        (de("118"), "outbound de included R7 60 s (60 in) 0.0000"),
        (de("11833"), "outbound de suspense no_rate NoRow"),
        // The node's prefixes are taken off before the special numbers are asked again.
        (de("99914015123456789").strip(&["99914"]), mobile),
        (de("*67015123456789").strip(&["99914", "*67"]), mobile),
        (de("99914112").strip(&["99914"]), "outbound de emergency R6 60 s (0 in) 0.0000"),
        (de("99914101").strip(&["99914"]), "outbound de included R7 60 s (60 in) 0.0000"),
        (de("*67015123456789"), "outbound de suspense bad_number BadNumber(NotDigits)"),
        // What cannot be a number.
        (de("00 1 555 123"), "outbound de suspense bad_number BadNumber(WrongLength)"),
        (de("+1555123456789"), "outbound de suspense bad_number BadNumber(WrongLength)"),
        (de("+4915a123456"), "outbound de suspense bad_number BadNumber(NotDigits)"),
        (de(""), "outbound de suspense bad_number BadNumber(Absent)"),
        (de("+999123456"), "outbound de suspense bad_number BadNumber(UnknownCallingCode)"),
        (de("+49151234567890123"), "outbound de suspense bad_number BadNumber(TooLong)"),
        // Destination by the payer's country, else the node's; source by the named account's, else the node's.
        (from("us-a", "011 34 911 234567"), "outbound us-a international R10 60 s (0 in) 0.0200"),
        (
            call("12125550123", "34911234567").node_country("US"),
            "outbound us-a suspense bad_number BadNumber(WrongLength)",
        ),
        (call("2125550123", "01134911234567").node_country("US"), "outbound us-a international R10 60 s (0 in) 0.0200"),
        // A source that cannot be read stops nothing.
        (call("anonymous", "0034911234567").account("de"), spain),
    ]);
}

#[test]
fn r4_whose_call() {
    let mobile = "outbound de included R9 60 s (60 in) 0.0000";
    check(vec![
        // Who pays: the named account, the forwarder, the node's account, the owner of the source.
        (call("+12125550123", MOBILE).account("de").forwarded_by("+4940111222").node_account("us-b"), mobile),
        (call("+12125550123", MOBILE).forwarded_by("030 600").node_account("us-b"), mobile),
        (call("+12125550123", MOBILE).forwarded_by("+4989111").node_account("de"), mobile),
        (call("+12125550123", MOBILE).node_account("de"), mobile),
        (call("030600", MOBILE), mobile),
        (call("+12125559999", MOBILE), "suspense unknown_account NobodyPays"),
        (call("", ""), "suspense unknown_account NobodyPays"),
        // A named account that does not exist is not replaced by another.
        (call(BERLIN, MOBILE).account("nobody"), "suspense unknown_account NoSuchAccount"),
        (call(BERLIN, MOBILE).node_account("nobody"), "suspense unknown_account NoSuchNodeAccount"),
        (call("+12125559999", MOBILE).forwarded_by("030600").node_account("nobody"), mobile),
        // Both legs, one leg, the leg of a direction.
        (
            call(BERLIN, "+18005550199").lasts("125"),
            "outbound de international R10 180 s (0 in) 0.1500 | inbound us-b toll_free R11 120 s (0 in) 0.0400",
        ),
        (
            call(BERLIN, "040111222"),
            "outbound de included R9 60 s (60 in) 0.0000 | inbound de2 inbound R11 60 s (0 in) 0.0000",
        ),
        (call("+12125559999", "030600"), "inbound de inbound R11 60 s (0 in) 0.0000"),
        (call(BERLIN, "030600"), "outbound de included R7 60 s (60 in) 0.0000"),
        (call(BERLIN, "040111222").direction(Outbound), "outbound de included R9 60 s (60 in) 0.0000"),
        (call(BERLIN, "040111222").direction(Inbound), "inbound de2 inbound R11 60 s (0 in) 0.0000"),
        (call(BERLIN, "040111222").legs(LegsPolicy::Outbound), "outbound de included R9 60 s (60 in) 0.0000"),
        (call(BERLIN, "040111222").legs(LegsPolicy::Inbound), "inbound de2 inbound R11 60 s (0 in) 0.0000"),
        (
            call(BERLIN, "040111222").legs(LegsPolicy::Outbound).direction(Inbound),
            "inbound de2 inbound R11 60 s (0 in) 0.0000",
        ),
        (call("+12125559999", "030600").legs(LegsPolicy::Outbound), "suspense unknown_account NobodyPays"),
        // An inbound leg: the named account, the owner of the destination, the node's account.
        (call("", "040111222").account("de").direction(Inbound), "inbound de inbound R11 60 s (0 in) 0.0000"),
        (call("", "040111222").node_account("de").direction(Inbound), "inbound de2 inbound R11 60 s (0 in) 0.0000"),
        (call("", "101").node_account("de").direction(Inbound), "inbound de inbound R11 60 s (0 in) 0.0000"),
        (call("", "s").node_account("de").direction(Inbound), "inbound de suspense bad_number BadNumber(NotDigits)"),
        (call("", "+4989111").direction(Inbound), "suspense unknown_account NobodyPays"),
        (call("", "+4989111").node_account("nobody").direction(Inbound), "suspense unknown_account NoSuchNodeAccount"),
        (call("", "+18005550199").account("us-a").direction(Inbound), "inbound us-a inbound R11 60 s (0 in) 0.0000"),
        // The owner at the answer instant: the number moved at midnight in its account's zone.
        (call("+493055001", MOBILE).answered("2026-10-04T21:59:59Z"), mobile),
        (call("+493055001", MOBILE).answered("2026-10-04T22:00:00Z"), "outbound de2 included R9 60 s (60 in) 0.0000"),
        // The account's row at the answer instant.
        (
            from("moved", "0034911234567").answered("2026-10-04T21:59:59Z"),
            "outbound moved international R10 60 s (0 in) 0.0200",
        ),
        (
            from("moved", "0034911234567").answered("2026-10-04T22:00:00Z"),
            "outbound moved suspense bad_number BadNumber(WrongLength)",
        ),
    ]);
}

#[test]
fn r5_billing_start_and_end() {
    check(vec![
        // 00:00 in Los Angeles is 07:00 UTC.
        (
            call("+12125550177", "+12125559999").answered("2026-10-05T06:59:59.999999Z"),
            "outbound later suspense before_billing_start BeforeBillingStart",
        ),
        (
            call("+12125550177", "+12125559999").answered("2026-10-05T07:00:00Z"),
            "outbound later included R9 60 s (60 in) 0.0000",
        ),
        // Before bad_number and no_rate.
        (
            call("+12125550177", "+1").answered("2026-10-05T06:59:59Z"),
            "outbound later suspense before_billing_start BeforeBillingStart",
        ),
        // Each leg by its own account.
        (
            call("+12125550177", "+18005550199").answered("2026-10-05T06:59:59Z"),
            "outbound later suspense before_billing_start BeforeBillingStart | inbound us-b toll_free R11 60 s (0 in) 0.0200",
        ),
        // Ends are exclusive, in the account's zone.
        (from("gone", MOBILE).answered("2026-10-04T21:59:59Z"), "outbound gone included R9 60 s (60 in) 0.0000"),
        (from("gone", MOBILE).answered("2026-10-04T22:00:00Z"), "suspense unknown_account AccountEnded"),
        (call("+493077001", MOBILE), "suspense unknown_account AccountEnded"),
        (call("+12125559999", "+493077001"), "suspense unknown_account AccountEnded"),
        (call("+12125559999", "+493077001").direction(Inbound), "suspense unknown_account AccountEnded"),
        (call("+12125559999", MOBILE).forwarded_by("+493077001"), "suspense unknown_account AccountEnded"),
        // A caller does not wait for the called side's books.
        (call(BERLIN, "+493077001"), "outbound de included R9 60 s (60 in) 0.0000"),
        // An account whose plan the tariff lacks waits, and its bad numbers are told first.
        (from("noplan", MOBILE), "outbound noplan suspense no_rate NoPlan"),
        (from("noplan", "112"), "outbound noplan suspense no_rate NoPlan"),
        (from("noplan", "x"), "outbound noplan suspense bad_number BadNumber(NotDigits)"),
    ]);
}

#[test]
fn r6_emergency() {
    assert!(BOOKS.called(&from("us-a", "9115551212")).starts_with("+19115551212"));
    check(vec![
        (from("de", "112").used(60_000), "outbound de emergency R6 60 s (0 in) 0.0000"),
        (from("de", "110"), "outbound de emergency R6 60 s (0 in) 0.0000"),
        (from("us-a", "911"), "outbound us-a emergency R6 60 s (0 in) 0.0000"),
        (from("br", "190"), "outbound br emergency R6 60 s (0 in) 0.0000"),
        (from("gb", "999"), "outbound gb emergency R6 60 s (0 in) 0.0000"),
        // Exactly, and of the account's country.
        (from("us-a", "+911"), "outbound us-a suspense bad_number BadNumber(TooShort)"),
    ]);
}

#[test]
fn r7_inside_the_account() {
    check(vec![
        (from("de", "199"), "outbound de included R7 60 s (60 in) 0.0000"),
        (from("de", "2001").used(60_000), "outbound de overage R7 60 s (0 in) 0.0150"),
        (from("de", "+49 30 600"), "outbound de included R7 60 s (60 in) 0.0000"),
        // Its own toll-free number, too; one leg.
        (call(BERLIN, "+4980012345678"), "outbound de included R7 60 s (60 in) 0.0000"),
        // An extension of another account is none.
        (from("de2", "199"), "outbound de2 suspense bad_number BadNumber(Local)"),
    ]);
}

#[test]
fn r8_a_row_names_the_type() {
    check(vec![
        (de("015555123456"), "outbound de domestic_premium R8 60 s (0 in) 0.4900"),
        // The longest row that names a type gives type and price, a longer one without a type does not …
        (de("015555771234"), "outbound de domestic_premium R8 60 s (0 in) 0.4900"),
        // … except that it may block.
        (de("015555881234"), "outbound de suspense blocked Blocked"),
        (de("015566123456"), "outbound de international R8 60 s (0 in) 0.3000"),
        (de("015567123456"), "outbound de toll_free_outbound R8 60 s (0 in) 0.0000"),
        // Included: the allowance, and a block is ignored.
        (de("015577123456"), "outbound de included R8 60 s (60 in) 0.0000"),
        (de("015577123456").used(60_000), "outbound de overage R8 60 s (0 in) 0.0150"),
        (from("us-a", "+1 787 555 1234"), "outbound us-a domestic_premium R8 60 s (0 in) 0.9900"),
        (from("us-a", "+1 900 976 1234"), "outbound us-a domestic_premium R8 60 s (0 in) 2.5000"),
        // A short code's row may name one.
        (from("de-codes", "11880"), "outbound de-codes international R8 60 s (0 in) 2.4900"),
    ]);
}

#[test]
fn r9_in_plan() {
    check(vec![
        (de("030 23125999"), "outbound de included R9 60 s (60 in) 0.0000"),
        (de("0151 23456789"), "outbound de included R9 60 s (60 in) 0.0000"),
        // A block is ignored for in-plan calls.
        (de("030 99912345"), "outbound de included R9 60 s (60 in) 0.0000"),
        // The home of the US has territories, that of Germany none.
        (from("us-a", "+1 787 234 5678"), "outbound us-a included R9 60 s (60 in) 0.0000"),
        (from("us-a", "+1 684 633 1234"), "outbound us-a included R9 60 s (60 in) 0.0000"),
        (from("us-a", "+1 204 234 5678"), "outbound us-a international R10 60 s (0 in) 0.0500"),
        (from("gb", "+44 1534 456789"), "outbound gb included R9 60 s (60 in) 0.0000"),
        (from("it", "+39 06698 12345"), "outbound it included R9 60 s (60 in) 0.0000"),
        // What the plan lists.
        (from("us-ca", "+1 204 234 5678"), "outbound us-ca included R9 60 s (60 in) 0.0000"),
        (from("de-flat", "+43 1 234567"), "outbound de-flat included R9 60 s (60 in) 0.0000"),
    ]);
}

#[test]
fn r10_toll_free_premium_international() {
    check(vec![
        (de("0800 1234567"), "outbound de toll_free_outbound R10 60 s (0 in) 0.0000"),
        (from("us-a", "+1 888 555 1234"), "outbound us-a toll_free_outbound R10 60 s (0 in) 0.0000"),
        // By the calling code of home, not by the territory that the numbering plan names.
        (from("us-a", "+1 800 234 5678"), "outbound us-a toll_free_outbound R10 60 s (0 in) 0.0000"),
        (de("+1 888 555 1234"), "outbound de international R10 60 s (0 in) 0.0500"),
        (de("+800 12345678"), "outbound de international R10 60 s (0 in) 0.0700"),
        (de("0800 7771234"), "outbound de suspense blocked Blocked"),
        (de("0900 5 123456"), "outbound de domestic_premium R10 60 s (0 in) 0.7900"),
        (de("+43 1 234567"), "outbound de international R10 60 s (0 in) 0.0300"),
        // International is seen from the billing address.
        (from("it", "0049 151 23456789"), "outbound it international R10 60 s (0 in) 0.0200"),
        (de("+39 06698 12345"), "outbound de international R10 60 s (0 in) 0.5500"),
        (de("+44 1534 456789"), "outbound de international R10 60 s (0 in) 0.0900"),
        (from("de-codes", "118 33"), "outbound de-codes domestic_premium R10 60 s (0 in) 1.9900"),
    ]);
}

#[test]
fn r11_inbound() {
    check(vec![
        (call("+12125559999", "+18005550199"), "inbound us-b toll_free R11 60 s (0 in) 0.0200"),
        (call("+12125559999", "0800 12345678"), "inbound de toll_free R11 60 s (0 in) 0.0300"),
        (call("+12125559999", "+12125550150"), "inbound us-b inbound R11 60 s (0 in) 0.0000"),
        (call("+12125559999", "+18885550199"), "inbound us-b suspense blocked Blocked"),
        (call("+12125559999", "+18445550199"), "inbound us-b suspense no_rate NoRow"),
        // Who calls does not matter, nor whether the caller can be read.
        (call("anonymous", "+18005550199"), "inbound us-b toll_free R11 60 s (0 in) 0.0200"),
    ]);
}

#[test]
fn r12_allowance() {
    let left = |seconds: u64| 60_000 - seconds;
    check(vec![
        (de(MOBILE).lasts("61").used(left(120)), "outbound de included R9 120 s (120 in) 0.0000"),
        (de(MOBILE).lasts("61").used(left(119)), "outbound de included R9 120 s (119 in) 0.0003"),
        (de(MOBILE).lasts("61").used(left(60)), "outbound de included R9 120 s (60 in) 0.0150"),
        (de(MOBILE).lasts("61").used(left(1)), "outbound de included R9 120 s (1 in) 0.0298"),
        (de(MOBILE).lasts("61").used(left(0)), "outbound de overage R9 120 s (0 in) 0.0300"),
        (de(MOBILE).lasts("61").used(u64::MAX), "outbound de overage R9 120 s (0 in) 0.0300"),
        (de(MOBILE).lasts("0").used(left(0)), "outbound de included R9 0 s (0 in) 0.0000"),
        // By deck: the row's price and, once, its fee, for what goes beyond; its steps for the whole call.
        (from("de-deck", "089 12345678").lasts("61"), "outbound de-deck included R9 120 s (120 in) 0.0000"),
        (from("de-deck", "089 12345678").lasts("61").used(60), "outbound de-deck included R9 120 s (60 in) 0.0800"),
        (from("de-deck", "089 12345678").lasts("61").used(120), "outbound de-deck overage R9 120 s (0 in) 0.1100"),
        (from("de-deck", "030 12345678").lasts("61").used(60), "outbound de-deck included R9 61 s (60 in) 0.1010"),
        (from("de-deck", "030 12345678").lasts("61"), "outbound de-deck included R9 61 s (61 in) 0.0000"),
        (from("de-deck", "069 12345678").lasts("61").used(60), "outbound de-deck included R9 120 s (60 in) 0.5000"),
        (
            from("de-deck", "040 66969123").answered("2026-10-06T00:00:00Z").used(120),
            "outbound de-deck overage R9 60 s (0 in) 0.0600",
        ),
        (from("de-deck", "040 66969123").used(120), "outbound de-deck overage R9 60 s (0 in) 0.0300"),
        // A block is ignored, but a blocked row without a price prices nothing.
        (from("de-deck", "0221 4710123").used(120), "outbound de-deck overage R9 60 s (0 in) 0.1200"),
        (from("de-deck", "0771 4710123").used(60), "outbound de-deck included R9 60 s (60 in) 0.0000"),
        (from("de-deck", "0771 4710123").used(61), "outbound de-deck suspense no_rate NoOverageRow"),
        // No row: only what goes beyond the allowance needs one.
        (from("de-deck", "101").lasts("61"), "outbound de-deck included R7 120 s (120 in) 0.0000"),
        (from("de-deck", "101").lasts("61").used(1), "outbound de-deck suspense no_rate NoOverageRow"),
        // Without limit.
        (
            from("de-flat", MOBILE).lasts("86400").used(u64::MAX),
            "outbound de-flat included R9 86400 s (86400 in) 0.0000",
        ),
        // The first month, from the 5th to the 31st: ceil(1000 × 27 / 31) = 871 minutes = 52,260 s.
        (from("de-first", MOBILE).used(52_200), "outbound de-first included R9 60 s (60 in) 0.0000"),
        (from("de-first", MOBILE).used(52_201), "outbound de-first included R9 60 s (59 in) 0.0003"),
        (from("de-first", MOBILE).used(52_260), "outbound de-first overage R9 60 s (0 in) 0.0150"),
        (
            from("de-first", MOBILE).used(59_940).answered("2026-11-01T09:00:00Z"),
            "outbound de-first included R9 60 s (60 in) 0.0000",
        ),
        (from("de-first-whole", MOBILE).used(59_940), "outbound de-first-whole included R9 60 s (60 in) 0.0000"),
    ]);
}

#[test]
fn r14_which_steps() {
    check(vec![
        // DE up 60/60; US nearest 60; elsewhere up 60/60; the plan's own; the row's own before the plan's.
        (from("de", MOBILE).lasts("60.001"), "outbound de included R9 120 s (120 in) 0.0000"),
        (from("us-a", "+12125559999").lasts("89.9"), "outbound us-a included R9 60 s (60 in) 0.0000"),
        (from("gb", "02079460018").lasts("60.001"), "outbound gb included R9 120 s (120 in) 0.0000"),
        (from("de-seconds", MOBILE).lasts("60.001"), "outbound de-seconds overage R9 61 s (0 in) 0.06"),
        (from("de-seconds", "0043 1 234567").lasts("90"), "outbound de-seconds international R10 120 s (0 in) 1.31"),
        (from("de-seconds", "0033 123456789").lasts("7"), "outbound de-seconds international R10 7 s (0 in) 0.57"),
        // A row's rule is whole: it does not inherit the plan's free_below, nor the plan its minimum.
        (from("de-seconds", "0041 44 2345678").lasts("4"), "outbound de-seconds international R10 0 s (0 in) 0.00"),
        (from("de-seconds", "0041 44 2345678").lasts("5"), "outbound de-seconds international R10 36 s (0 in) 0.36"),
        // By home and destination: a Brazilian mobile, from the US and from Brazil; a Brazilian fixed line.
        (from("us-a", "011 55 11 98765 4321").lasts("31"), "outbound us-a international R10 36 s (0 in) 0.0720"),
        (from("br", "011 98765 4321").lasts("31"), "outbound br overage R9 36 s (0 in) 0.0600"),
        (from("us-a", "011 55 11 3876 5432").lasts("31"), "outbound us-a international R10 60 s (0 in) 0.1200"),
        (from("de", "0055 11 98765 4321").lasts("31"), "outbound de international R10 60 s (0 in) 0.1200"),
    ]);
}

#[test]
fn r15_billable_minutes() {
    for (seconds, expected) in [
        (0, "0"),
        (60, "1"),
        (120, "2"),
        (36, "0.6"),
        (42, "0.7"),
        (61, "1.016667"),
        (1, "0.016667"),
        (3601, "60.016667"),
    ] {
        assert_eq!(callrated::rating::billable_minutes(seconds), expected);
    }
}

#[test]
fn r16_longest_prefix() {
    check(vec![
        (de("+34 911 234567"), "outbound de international R10 60 s (0 in) 0.0200"),
        (de("+34 611 234567"), "outbound de international R10 60 s (0 in) 0.0800"),
        // Zero is a price, blocked is a block; price plays no part in which is taken.
        (de("+34 600 234567"), "outbound de international R10 60 s (0 in) 0.0000"),
        (de("+34 600 134567"), "outbound de suspense blocked Blocked"),
        // A longer prefix of a later deck wins; on equal length the deck listed first.
        (de("+34 711 234567"), "outbound de international R10 60 s (0 in) 0.4400"),
        (de("+32 2 1234567"), "outbound de suspense no_rate NoRow"),
        // Not known as valid: three digits beyond the calling code, or a row that names a call type.
        (de("+43 12399"), "outbound de international R10 60 s (0 in) 0.0400"),
        (de("+39 999999999"), "outbound de suspense no_rate RowTooShort"),
        (from("us-a", "+1 999 234 5678"), "outbound us-a suspense no_rate RowTooShort"),
    ]);
}

#[test]
fn r17_in_force_at_the_answer() {
    let france = |answered| de("+33 612345678").answered(answered);
    check(vec![
        (france("2026-10-04T23:59:59.999999Z"), "outbound de international R10 60 s (0 in) 0.0100"),
        (france("2026-10-05T00:00:00Z"), "outbound de international R10 60 s (0 in) 0.0200"),
        // A change during the call changes nothing.
        (france("2026-10-05T23:59:30Z"), "outbound de international R10 60 s (0 in) 0.0200"),
        (france("2026-10-06T00:00:00Z"), "outbound de international R10 60 s (0 in) 0.0300"),
        // Where the longer prefix is not in force, the next shorter one speaks.
        (de("+33 123456789").answered("2026-10-05T09:00:00Z"), "outbound de international R10 60 s (0 in) 0.0500"),
        (de("+33 123456789").answered("2026-10-05T10:00:00Z"), "outbound de international R10 60 s (0 in) 0.0200"),
    ]);
}

#[test]
fn r18_money() {
    check(vec![
        // The fee counts once, the caps bound the whole.
        (de("0900 1 123456").lasts("61"), "outbound de domestic_premium R10 120 s (0 in) 4.0800"),
        (de("0900 15 12345").lasts("61"), "outbound de domestic_premium R10 120 s (0 in) 2.0000"),
        (de("0900 15 12345").lasts("400"), "outbound de domestic_premium R10 420 s (0 in) 3.0000"),
        (de("0900 12 12345").lasts("61"), "outbound de domestic_premium R10 120 s (0 in) 0.0000"),
        (de("0900 13 12345").lasts("61"), "outbound de suspense blocked Blocked"),
        (de("0900 15 12345").lasts("0"), "outbound de domestic_premium R10 0 s (0 in) 0.0000"),
        // Nearest 60 of 20 s is nothing: the fee is due, the caps are not.
        (from("de-seconds", "0043 1 234567").lasts("20"), "outbound de-seconds international R10 0 s (0 in) 0.11"),
        (from("de-seconds", "0043 1 234567").lasts("0"), "outbound de-seconds international R10 0 s (0 in) 0.00"),
        (from("de-seconds", "0043 1 234567").lasts("30"), "outbound de-seconds international R10 60 s (0 in) 0.71"),
        // Forgiven talk time costs no fee; talk time that is not forgiven does.
        (
            from("de-seconds", "0033 123456789").lasts("2.999999"),
            "outbound de-seconds international R10 0 s (0 in) 0.00",
        ),
        (from("de-seconds", "0033 123456789").lasts("3"), "outbound de-seconds international R10 3 s (0 in) 0.53"),
        (from("de-seconds", "0033 123456789").lasts("60"), "outbound de-seconds international R10 60 s (0 in) 0.70"),
    ]);
}

/// The worked examples, 1 to 12.
#[test]
fn worked_examples() {
    let us = |lasts| from("us-a", "+1 212 555 0100").lasts(lasts);
    let brazil = |lasts| from("us-a", "011 55 11 98765 4321").lasts(lasts);
    let to_b = call("+12125550123", "+18005550199").lasts("125").node_country("US");
    check(vec![
        (de("0151 23456789").lasts("61.0"), "outbound de included R9 120 s (120 in) 0.0000"),
        (de("0151 23456789").lasts("61.0").used(59_940), "outbound de included R9 120 s (60 in) 0.0150"),
        (de("0900 5 123456").lasts("10"), "outbound de domestic_premium R10 60 s (0 in) 0.7900"),
        (de("00 1 555 123"), "outbound de suspense bad_number BadNumber(WrongLength)"),
        (us("89.9"), "outbound us-a included R9 60 s (60 in) 0.0000"),
        (us("90.0"), "outbound us-a included R9 120 s (120 in) 0.0000"),
        (brazil("10"), "outbound us-a international R10 30 s (0 in) 0.0600"),
        (brazil("31"), "outbound us-a international R10 36 s (0 in) 0.0720"),
        (brazil("36.001"), "outbound us-a international R10 42 s (0 in) 0.0840"),
        (
            to_b,
            "outbound us-a toll_free_outbound R10 120 s (0 in) 0.0000 | inbound us-b toll_free R11 120 s (0 in) 0.0400",
        ),
        (de("+34 911 234567"), "outbound de international R10 60 s (0 in) 0.0200"),
        (from("br", "011 3876 5432").lasts("180"), "outbound br overage R9 180 s (0 in) 0.3000"),
        (
            call("+12125559999", "0151 23456789").forwarded_by("+49 30 600"),
            "outbound de included R9 60 s (60 in) 0.0000",
        ),
        (de("118 33"), "outbound de suspense no_rate NoRow"),
    ]);
}
