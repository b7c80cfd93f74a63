//! What the tests from outside share: the rates, an independent model of what calls come to, and the program as a process.
//!
//! The model knows the records it made and computes what they come to with loops and `rust_decimal`; it calls nothing of
//! the program.
#![allow(dead_code, reason = "each test file uses its own part of this")]
// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

pub mod daemon;
pub mod model;
pub mod program;
pub mod streams;
pub mod traffic;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

pub const GERMANS: usize = 40;
pub const AMERICANS: usize = 10;

pub const PLANS: &str = r#"
[plan.de]
country = "DE"
currency = "EUR"
included_minutes = 2000
overage_rate = "0.015"
decks = ["premium", "world"]

[plan.us]
country = "US"
currency = "USD"
included_minutes = 0
overage_rate = "0.02"
decks = ["world"]
inbound_decks = ["tollfree"]
"#;
pub const WORLD: &str = "prefix,destination,rate,connect_fee\n44,United Kingdom,0.031,0.05\n1800,US toll-free,0.01,0\n";
pub const PREMIUM: &str = "prefix,destination,rate,call_type\n499005,0900-5,0.79,domestic_premium\n";
pub const TOLLFREE: &str = "prefix,destination,rate\n1800,Toll-free,0.02\n";

pub fn german(a: usize) -> String {
    format!("+4930231250{a:02}")
}

pub fn american(a: usize) -> String {
    format!("+180055501{a:02}")
}

/// A folder with the shipped countries and numbering plan, and plans, decks and accounts of the test's own.
pub fn rates_folder(folder: &Path) -> PathBuf {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
    let rates = folder.join("rates");
    std::fs::create_dir_all(rates.join("decks")).unwrap();
    for file in ["countries.toml", "numbering.csv"] {
        std::fs::copy(shipped.join(file), rates.join(file)).unwrap();
    }
    let (mut accounts, mut numbers) =
        ("account,plan,country,billing_start,timezone,language,extensions\n".to_owned(), "number,account\n".to_owned());
    for a in 0..GERMANS {
        writeln!(accounts, "de{a:02},de,DE,2020-01-01,UTC,de,100-199").unwrap();
        writeln!(numbers, "{},de{a:02}", german(a)).unwrap();
    }
    for a in 0..AMERICANS {
        writeln!(accounts, "us{a:02},us,US,2020-01-01,UTC,en,").unwrap();
        writeln!(numbers, "{},us{a:02}", american(a)).unwrap();
    }
    for (file, text) in [
        ("plans.toml", PLANS),
        ("decks/world.csv", WORLD),
        ("decks/premium.csv", PREMIUM),
        ("decks/tollfree.csv", TOLLFREE),
        ("accounts.csv", &accounts),
        ("numbers.csv", &numbers),
    ] {
        std::fs::write(rates.join(file), text).unwrap();
    }
    rates
}
