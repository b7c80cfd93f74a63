//! Decks in another currency than their plan's (R18): converted within the one rounding, by the rate of the answer's day.

use std::sync::LazyLock;

use bytes::Bytes;
use callrated::batch::Position;
use callrated::call::{AccountKey, Exchange, GroupKey, LegKey};
use callrated::directory::{self, Directory};
use callrated::explain::{Language, customer};
use callrated::money::Money;
use callrated::rating::{self, Draws, Leg, Proof, Rated, Resolution, Standing};
use callrated::record::Direction;
use callrated::store::{BasisText, OwnedCall};
use callrated::tariff::{self, Finding, RatesText, Tariff};

use crate::common::{Books, COUNTRIES, Call, NUMBERING, call};

const PLANS: &str = r#"
[plan.eur]
country = "DE"
currency = "EUR"
included_minutes = 1
overage = "deck"
decks = ["usd", "own", "gbp"]
bands = "split"
[plan.jpy]
country = "DE"
currency = "JPY"
overage_rate = "1"
cost_decimals = 0
decks = ["usd"]
[deck.usd]
currency = "USD"
[deck.gbp]
currency = "GBP"
"#;
const USD: &str = "\
prefix,rate,connect_fee,minimum_cost,maximum_cost,hours,increment
34,0.10,,,,,60
346,0.00333,0.01,,,,1
33,0.10,0.20,,0.50,,60
39,0.01,,0.10,,,60
43,0.60,,,,8-18,60
4930,0.10,,,,,60
";
/// In the plan's own currency, as it says none.
const OWN: &str = "prefix,rate,hours,increment\n41,0.10,,60\n43,0.60,18-20,60\n";
const GBP: &str = "prefix,rate,hours,increment\n43,0.60,20-22,60\n45,0.10,,60\n";
const EXCHANGE: &str = "\
from,to,rate,valid_from
USD,EUR,0.92,2026-01-01
USD,EUR,0.9,2026-10-06
USD,JPY,151.7,2026-01-01
GBP,EUR,1.15,2026-10-01
EUR,USD,1.5,2026-01-01
";

fn text(exchange: &str) -> RatesText {
    let decks = [("usd", USD), ("own", OWN), ("gbp", GBP)];
    RatesText {
        countries: COUNTRIES.into(),
        numbering: NUMBERING.into(),
        plans: PLANS.into(),
        decks: decks.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect(),
        exchange: exchange.into(),
        ..RatesText::default()
    }
}

static BOOKS: LazyLock<Books> = LazyLock::new(|| {
    let compiled = tariff::compile(&text(EXCHANGE)).unwrap_or_else(|findings| panic!("{findings:#?}"));
    let tariff = Tariff::open(Bytes::from(compiled.image)).unwrap();
    let accounts = "account,plan,country,billing_start,timezone,language\neur,eur,DE,2020-01-01,UTC,de\njpy,jpy,DE,2020-01-01,UTC,de\n";
    let (image, _) = directory::compile(accounts.as_bytes(), b"number,account\n").unwrap();
    Books { directory: Directory::open(Bytes::from(image)).unwrap(), tariff }
});

fn to(account: &str, number: &str, lasts: &str) -> Call {
    call("", number).account(account).lasts(lasts)
}

#[test]
fn converted_within_the_one_rounding() {
    BOOKS.check_all([
        // 0.10 × 2 × 0.92 = 0.184.
        (to("eur", "+34911234567", "61"), "outbound eur international R10 120 s (0 in) 0.1840"),
        // From 6 October: 0.10 × 2 × 0.9; the day begins in UTC.
        (
            to("eur", "+34911234567", "61").answered("2026-10-05T23:59:59Z"),
            "outbound eur international R10 120 s (0 in) 0.1840",
        ),
        (
            to("eur", "+34911234567", "61").answered("2026-10-06T00:00:00Z"),
            "outbound eur international R10 120 s (0 in) 0.1800",
        ),
        // (0.01 + 0.00333 × 7 / 60) × 0.92 = 0.0103885 × 0.92 = 0.00955742; rounded before, it were 0.0104 × 0.92 = 0.0096.
        (to("eur", "+34612345678", "7"), "outbound eur international R10 7 s (0 in) 0.0096"),
        // (0.01 + 0.00333 × 99 / 60) × 0.92 = 0.0154945 × 0.92 = 0.01425494; rounded before, 0.0155 × 0.92 = 0.0143.
        (to("eur", "+34612345678", "99"), "outbound eur international R10 99 s (0 in) 0.0143"),
        // (0.01 + 0.00333 × 100 / 60) × 151.7 = 0.01555 × 151.7 = 2.358935, to whole yen.
        (to("jpy", "+34612345678", "100"), "outbound jpy international R10 100 s (0 in) 2"),
        // Caps are in the deck's currency: 0.20 + 10 × 0.10 = 1.20, at most 0.50, × 0.92; at least 0.10 × 0.92.
        (to("eur", "+33123456789", "600"), "outbound eur international R10 600 s (0 in) 0.4600"),
        (to("eur", "+390612345678", "60"), "outbound eur international R10 60 s (0 in) 0.0920"),
        // Nothing is converted where there is nothing to convert; what is in the plan draws its minutes first.
        (to("eur", "+41441234567", "60"), "outbound eur international R10 60 s (0 in) 0.1000"),
        (to("eur", "+4930123456", "120"), "outbound eur included R9 120 s (60 in) 0.0920"),
        (to("eur", "+4930123456", "60"), "outbound eur included R9 60 s (60 in) 0.0000"),
    ]);
}

#[test]
fn without_a_rate_in_force_a_call_waits() {
    BOOKS.check_all([
        (to("eur", "+4532123456", "60"), "outbound eur international R10 60 s (0 in) 0.1150"),
        (
            to("eur", "+4532123456", "60").answered("2026-09-30T23:59:59Z"),
            "outbound eur suspense no_rate NoExchangeRate",
        ),
    ]);
}

#[test]
fn parts_of_several_currencies() {
    let at = |answer: &str| to("eur", "+436601234567", "120").answered(answer);
    BOOKS.check_all([
        // 17:59 to 18:01: 0.60 × 0.92 + 0.60.
        (at("2026-10-05T17:59:00Z"), "outbound eur international R10 120 s (0 in) 1.1520"),
        // 19:59 to 20:01: 0.60 + 0.60 × 1.15.
        (at("2026-10-05T19:59:00Z"), "outbound eur international R10 120 s (0 in) 1.2900"),
    ]);
}

/// A call abroad by a plan in EUR whose deck is in USD: rated, and proved.
fn rated_and_proved() -> (Leg, Rated, Proof) {
    let call = to("eur", "+33123456789", "61");
    let world = BOOKS.world();
    let Resolution::Legs(Some(leg), None) = rating::resolve(&call.record(), call.received(), &call.profile, world)
    else {
        panic!("no leg");
    };
    let rated = rating::rate(&leg, world, leg.period(world), Standing::of(&0), &mut Draws::default()).unwrap();
    let proof = rating::prove(&call.record(), call.received(), &call.profile, world, Direction::Outbound, &|_, _| {
        Standing::of(&0)
    });
    (leg, rated, proof)
}

#[test]
fn the_call_keeps_the_rate_and_the_proof_shows_it() {
    let (_, rated, proof) = rated_and_proved();
    assert_eq!(rated.basis.exchange, Some(Exchange { from: *b"USD", rate: Money(920_000_000) }));
    assert_eq!((rated.basis.price.rate, rated.basis.currency), (Money(100_000_000), *b"EUR"));
    let lines: Vec<&str> = proof.lines.iter().filter(|l| l.rule == "R18").map(|l| l.text.as_str()).collect();
    assert_eq!(
        lines,
        [
            "the deck's prices are in USD: 0.92 EUR/USD, in force from 2026-01-01T00:00:00Z",
            // 0.184 + 0.184, at most 0.46.
            "0.2 × 0.92 + 0.1/min × 120 s / 60 × 0.92 = 0.368, at most 0.5 × 0.92: 0.368 \
             → rounded once to 4 decimals, halves away from zero: 0.3680 EUR",
        ]
    );
    assert_eq!(proof.quote.unwrap().exchange.as_deref(), Some("0.92 EUR/USD"));
}

/// A customer adds up what he is told: prices in the deck's currency, and what one unit of it is worth.
#[test]
fn a_customer_is_told_both_currencies() {
    let (leg, rated, proof) = rated_and_proved();
    let quote = proof.quote.unwrap();
    let key = LegKey { position: Position(0), leg: Direction::Outbound };
    let stored = OwnedCall {
        call: rated.call(&leg, key, AccountKey(0), GroupKey(0)),
        node: b"lab".to_vec(),
        id: b"c1".to_vec(),
        source_dialled: Vec::new(),
        destination_dialled: b"+33123456789".to_vec(),
        start: None,
        text: BasisText::default(),
        grounds: None,
        revision: 0,
        run: None,
        named_tariff: false,
        costs: None,
        draws: Vec::new(),
    };
    // The first 0.1 of two minutes and the fee of 0.2, in dollars of 0.92: 0.184 + 0.184.
    let words = |language| customer(language, &stored, &quote, None).split_off(4);
    assert_eq!(
        words(Language::En),
        [
            "Price: 0.1 USD a minute, and once 0.2 USD, at most 0.5 USD (numbers that begin with 33); 1 USD is 0.92 EUR.",
            "0.2 × 0.92 + 0.1 × 120 s / 60 s × 0.92, at most 0.5 × 0.92, rounded to 4 decimals: EUR 0.3680",
        ]
    );
    assert_eq!(
        words(Language::De),
        [
            "Preis: 0.1 USD je Minute, und einmalig 0.2 USD, höchstens 0.5 USD (Rufnummern, die mit 33 beginnen); 1 USD sind 0.92 EUR.",
            "0.2 × 0.92 + 0.1 × 120 s / 60 s × 0.92, höchstens 0.5 × 0.92, gerundet auf 4 Nachkommastellen: EUR 0.3680",
        ]
    );
    // Beside a cost in euros the price per minute of details is in euros, too.
    assert_eq!(stored.call.basis.rate_in_currency(), Money(92_000_000));
    assert_eq!(stored.call.basis.exchange_words().as_deref(), Some("0.92 EUR/USD"));
}

#[test]
fn what_no_rate_can_convert_is_refused() {
    let errors = |exchange: &str| -> Vec<String> {
        let shown = |f: &Finding| format!("{}:{}:{} {} ({})", f.file, f.line, f.column, f.message, f.hint);
        tariff::compile(&text(exchange)).unwrap_err().iter().map(shown).collect()
    };
    let without_pounds = errors("from,to,rate,valid_from\nUSD,EUR,1,\nUSD,JPY,1,\n");
    assert_eq!(
        without_pounds,
        [
            "plans.toml:7:24 deck \"gbp\" is in another currency than plan \"eur\" (give a rate in exchange.csv: GBP,EUR,0.92,2026-10-01)"
        ]
    );
    // 0.60 × 1,000,000 is more than a price may be … were it not the largest rate.
    let too_much = EXCHANGE.replace("151.7", "1000000");
    assert!(tariff::compile(&text(&too_much)).is_ok());
    let dear = RatesText {
        decks: text("")
            .decks
            .into_iter()
            .map(|(name, deck)| {
                let deck = if name == "usd" { b"prefix,rate\n34,2\n".to_vec() } else { deck };
                (name, deck)
            })
            .collect(),
        ..text(&too_much)
    };
    let findings = tariff::compile(&dear).unwrap_err();
    assert!(
        findings.iter().any(|f| f.file == "exchange.csv" && f.message.contains("more than 1000000")),
        "{findings:#?}"
    );
}
