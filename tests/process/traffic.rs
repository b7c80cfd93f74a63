//! Calls from a seed, and what they come to.

use rust_decimal::Decimal;

use super::model::{Model, decimal, minutes_up};
use super::{GERMANS, german};

/// SplitMix64: the moments and the calls of a seed are the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// The day before yesterday: recent enough to be plausible, whatever the hour.
pub fn day() -> String {
    let then = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48)).to_zoned(jiff::tz::TimeZone::UTC);
    then.strftime("%Y-%m-%d").to_string()
}

/// The calls of one round, all of one account, and what they come to.
pub fn calls(round: usize, count: usize, day: &str, random: &mut Random, model: &mut Model) -> Vec<String> {
    let a = round % GERMANS;
    (0..count)
        .map(|i| {
            let millis = 1 + random.below(600_000);
            let minutes = minutes_up(millis);
            let account = format!("de{a:02}");
            let destination = match random.below(10) {
                0 => {
                    let cost = decimal("0.05") + decimal("0.031") * Decimal::from(minutes);
                    model.add(account, "international", minutes, cost);
                    "00442079460123"
                }
                1 => {
                    model.add(account, "domestic_premium", minutes, decimal("0.79") * Decimal::from(minutes));
                    "0900 5 123456"
                }
                _ => {
                    model.add(account, "in_plan", minutes, Decimal::ZERO);
                    "0151 23456789"
                }
            };
            format!(
                r#"{{"id":"k{round}-{i}","node":"sbc","source":"{}","destination":"{destination}","answer":"{day}T{:02}:{:02}:{:02}Z","duration":{}.{:03}}}"#,
                german(a),
                i / 3600 % 24,
                i / 60 % 60,
                i % 60,
                millis / 1000,
                millis % 1000,
            ) + "\n"
        })
        .collect()
}
