//! The tariff: plans, decks, numbering plan and country rules as one content-addressed image.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::call::{CallType, StepRule};
use crate::money::{Money, Price};
use crate::number::classify::Class;
use crate::number::countries::Countries;
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

/// Text → image; all findings if any is an error.
pub fn compile(_text: &RatesText) -> Result<Compiled, Vec<Finding>> {
    todo!()
}

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
    // + what `included` lists, look-up section ids
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

/// An opened tariff image.
#[derive(Clone)]
pub struct Tariff {
    pub bytes: Bytes,
}

impl Tariff {
    /// Checks everything once: magic, version, BLAKE3, every offset. Look-ups trust it afterwards.
    pub fn open(_bytes: Bytes) -> Result<Tariff, ImageError> {
        todo!()
    }
    /// BLAKE3 of the image, hex.
    pub fn digest(&self) -> &str {
        todo!()
    }
    pub fn plans(&self) -> &[Plan] {
        todo!()
    }
    pub fn plan_named(&self, _name: &str) -> Option<PlanId> {
        todo!()
    }
    pub fn plan(&self, _id: PlanId) -> &Plan {
        todo!()
    }
    pub fn countries(&self) -> &Countries {
        todo!()
    }
    /// Country and kind; unknown ones get the main territory of their calling code.
    pub fn classify(&self, _number: Number) -> Class {
        todo!()
    }
    /// Look-up key of a short code such as `DE:118…`.
    pub fn short_code(&self, _country: Country, _digits: &[u8]) -> Option<Number> {
        todo!()
    }
    /// R16, R17: the longest prefix among the plan's decks with a row in force at the answer instant.
    pub fn lookup(&self, _plan: PlanId, _side: Side, _number: Number, _answer: Timestamp) -> Option<Row<'_>> {
        todo!()
    }
    /// R8: the longest row in force that names a call type.
    pub fn lookup_typed(&self, _plan: PlanId, _number: Number, _answer: Timestamp) -> Option<Row<'_>> {
        todo!()
    }
    /// R9: whether the plan's `included` lists this country and kind.
    pub fn plan_includes(&self, _plan: PlanId, _class: Class) -> bool {
        todo!()
    }
    pub fn row(&self, _id: RowId) -> Row<'_> {
        todo!()
    }
    /// R14.
    pub fn steps(
        &self,
        _plan: PlanId,
        _home: Country,
        _destination: Option<Class>,
        _row: Option<&Row<'_>>,
    ) -> StepRule {
        todo!()
    }
    /// Distinct prefixes over all decks.
    pub fn prefixes(&self) -> u64 {
        todo!()
    }
}
