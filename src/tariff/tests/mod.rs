//! The tariff from text to answers.

mod decks;
mod images;
mod plan_text;

use bytes::Bytes;

use super::*;
use crate::money::Money;
use crate::number::NumberKind;
use crate::number::classify::Class;
use crate::time::parse_rfc3339;

/// Two countries are enough to look up; the shipped file is tried where it is read.
pub const COUNTRIES: &str = r#"
[[territory]]
country = "DE"
calling_code = 49
main = true
lengths = { fixed = "5-11", mobile = "10-11" }

[[territory]]
country = "BR"
calling_code = 55
main = true
lengths = { mobile = "11" }

[[steps]]
increment = 60
source = "test"

[[steps]]
home = "DE"
destination = "BR"
type = "mobile"
increment = 6
initial = 30
minimum = 30
source = "test"
"#;

pub const NUMBERING: &str = "prefix,country,type,total_lengths\n4930,DE,fixed,\n4915,DE,mobile,\n55119,BR,mobile,\n";

pub fn rates(plans: &str, decks: &[(&str, &str)]) -> RatesText {
    RatesText {
        countries: COUNTRIES.into(),
        numbering: NUMBERING.into(),
        plans: plans.into(),
        decks: decks.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect(),
        ..RatesText::default()
    }
}

pub fn open(rates: &RatesText) -> Tariff {
    let compiled = compile(rates).unwrap_or_else(|findings| panic!("{findings:#?}"));
    Tariff::open(Bytes::from(compiled.image)).unwrap()
}

pub fn number(text: &str) -> Number {
    Number::from_digits(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
}

pub fn at(text: &str) -> Timestamp {
    parse_rfc3339(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
}
