//! Proofs as people read them: every line of a few calls, and the shape that programs read.

mod common;

use callrated::rating::{Standing, prove};
use callrated::record::Direction;
use common::world::BOOKS;
use common::{Call, call};

fn proof(call: &Call, side: Direction) -> callrated::rating::Proof {
    prove(&call.record(), call.received(), &call.profile, BOOKS.world(), side, &|_, _| Standing::of(&call.used))
}

fn lines(call: &Call, side: Direction) -> String {
    let lines = proof(call, side).lines;
    // The digests change with the shipped tables.
    lines.iter().skip(1).map(|line| format!("{} {}\n", line.rule, line.text)).collect()
}

#[test]
fn a_call_that_straddles_the_allowance() {
    let call = call("+4930123456", "0151 23456789").lasts("61.2").used(59_940);
    insta::assert_snapshot!(lines(&call, Direction::Outbound));
}

#[test]
fn a_call_abroad_with_a_fee_and_a_tech_prefix() {
    let call = call("", "99914 0033 123456789").account("de-seconds").lasts("7.5").strip(&["99914"]);
    insta::assert_snapshot!(lines(&call, Direction::Outbound));
}

#[test]
fn a_price_that_does_not_end() {
    let call = call("", "020 7946 0018").account("gb").used(5_941);
    insta::assert_snapshot!(lines(&call, Direction::Outbound));
}

#[test]
fn the_called_side() {
    let call = call("+4930123456", "+18005550199").lasts("125");
    insta::assert_snapshot!(lines(&call, Direction::Inbound));
}

#[test]
fn a_forgiven_call_in_a_short_month() {
    let call = call("", "0151 23456789").account("de-16th").answered("2026-10-20T09:00:00Z").lasts("0");
    insta::assert_snapshot!(lines(&call, Direction::Outbound));
}

#[test]
fn what_could_not_be_priced() {
    for (call, expected) in [
        (call("+4930123456", "118 33"), "R16 suspense no_rate: no row of the plan's decks in force matches the number"),
        (call("", "118 33"), "R4 suspense unknown_account: no account is named and neither number belongs to one"),
        (call("+4930123456", "1"), "R3 suspense bad_number: the called number has fewer than 5 digits"),
    ] {
        let lines = lines(&call, Direction::Outbound);
        assert_eq!(lines.lines().last(), Some(expected), "{lines}");
        assert!(proof(&call, Direction::Outbound).quote.is_none());
    }
}

#[test]
fn a_short_code_is_shown_as_its_deck_writes_it() {
    let proof = proof(&call("", "118 33").account("de-codes"), Direction::Outbound);
    assert_eq!(proof.quote.unwrap().prefix.as_deref(), Some("DE:118"));
    let row = proof.lines.iter().find(|line| line.rule == "R16").unwrap();
    assert_eq!(row.text, "longest prefix DE:118 of deck de-codes (Enquiries): 1.99 a minute; always in force");
}

/// The fields of `POST /v1/quote`.
#[test]
fn the_quote() {
    let call = call("", "0055 11 98765 4321").account("de").lasts("61");
    let mut quote = serde_json::to_value(proof(&call, Direction::Outbound).quote).unwrap();
    let tariff = quote["tariff"].take();
    assert!(tariff.as_str().is_some_and(|digest| digest.starts_with("blake3:") && digest.len() == 71), "{tariff}");
    insta::assert_snapshot!(serde_json::to_string_pretty(&quote).unwrap());
}
