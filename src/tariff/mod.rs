//! The tariff: plans, decks, numbering plan and country rules as one content-addressed image.
//!
//! Text is read and checked ([`compile()`]), written as an image, opened from bytes wherever they lie
//! ([`Tariff::open`]), and asked while calls are rated ([`Tariff::lookup`]).
//!
//! Does not know files, which tariff is in force, accounts, or what a call costs.

mod cells;
mod compile;
mod csv;
pub mod deck;
pub mod findings;
mod image;
mod lookup;
mod open;
pub mod plans;
mod prefixes;
pub mod steps;
#[cfg(test)]
mod tests;
mod toml_cells;

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::call::{CallType, StepRule};
use crate::money::{Money, Price};
use crate::number::{Country, Number};
use crate::time::Timestamp;

/// The text of a rates folder, read by whoever may touch files.
#[derive(Clone, Debug, Default)]
pub struct RatesText {
    pub countries: Vec<u8>,
    pub numbering: Vec<u8>,
    pub plans: Vec<u8>,
    /// Deck name → bytes of `decks/NAME.csv`.
    pub decks: Vec<(String, Vec<u8>)>,
}

/// Something found while reading: an error refuses the image, a warning tells.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    /// `decks/world.csv`
    pub file: String,
    /// 1-based; 0 where the whole file is meant.
    pub line: u32,
    pub column: u32,
    pub message: String,
    pub hint: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Error,
    Warning,
}

/// A compiled image and what was noticed on the way.
#[derive(Debug)]
pub struct Compiled {
    pub image: Vec<u8>,
    pub findings: Vec<Finding>,
    pub prefixes: u64,
    pub rows: u64,
}

pub use compile::compile;

/// A damaged, foreign or newer image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("not a tariff image")]
    Foreign,
    #[error("written by a newer version ({0})")]
    Newer(u32),
    #[error("damaged: {0}")]
    Damaged(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PlanId(pub u16);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RowId(pub u32);

/// Seconds of in-plan talk per month.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Allowance {
    Seconds(u64),
    Unlimited,
}

/// What in-plan seconds beyond the allowance cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Overage {
    /// Per minute, no fee.
    Rate(Money),
    /// The deck row's price and, once, its fee.
    Deck,
}

/// A plan, checked.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    pub country: Country,
    pub currency: [u8; 3],
    pub allowance: Allowance,
    pub overage: Overage,
    pub steps: Option<StepRule>,
    pub prorate_first: bool,
    pub cost_decimals: u8,
    pub decks: Vec<String>,
    pub inbound_decks: Vec<String>,
}

/// One deck row as the look-up gives it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub id: RowId,
    pub prefix: Number,
    pub deck: &'a str,
    pub destination: &'a str,
    pub call_type: Option<CallType>,
    pub price: Price,
    pub steps: Option<StepRule>,
    pub blocked: bool,
    pub valid_from: Option<Timestamp>,
    pub valid_to: Option<Timestamp>,
}

/// Which decks of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Outbound,
    Inbound,
}

/// An opened tariff image. Cloning shares it.
#[derive(Clone)]
pub struct Tariff {
    bytes: Bytes,
    opened: Arc<open::Opened>,
}
