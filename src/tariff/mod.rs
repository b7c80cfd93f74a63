//! The tariff: plans, decks, numbering plan and country rules as one content-addressed image.
//!
//! Text is read and checked ([`compile()`]), written as an image, opened from bytes wherever they lie
//! ([`Tariff::open`]), and asked while calls are rated ([`Tariff::lookup`]).
//!
//! Does not know files, which tariff is in force, accounts, or what a call costs.

mod bands;
pub mod buying;
mod cells;
mod compile;
mod condition;
pub mod convert;
mod csv;
pub mod deck;
pub mod diff;
mod exchange;
pub mod free;
pub mod findings;
mod found;
mod image;
pub mod judge;
mod lookup;
mod open;
pub mod plans;
pub mod pools;
mod prefixes;
pub mod rollover;
mod states;
pub mod steps;
pub mod successive;
pub mod supplier;
#[cfg(test)]
mod tests;
pub mod tiers;
pub(crate) mod toml_cells;

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
    /// Bytes of `countries.toml`: how each country dials.
    pub countries: Vec<u8>,
    /// Bytes of `numbering.csv`: country and kind of number by prefix.
    pub numbering: Vec<u8>,
    /// Bytes of `plans.toml`: plans, and what is said of decks.
    pub plans: Vec<u8>,
    /// Deck name → bytes of `decks/NAME.csv`.
    pub decks: Vec<(String, Vec<u8>)>,
    /// List name → bytes of `free/NAME.csv`: numbers that cost nothing for plans and accounts that name the list.
    pub free: Vec<(String, Vec<u8>)>,
    /// Bytes of `exchange.csv`, for decks in another currency than their plan's; empty where there is none.
    pub exchange: Vec<u8>,
    /// Bytes of `states.csv`, for interstate and intrastate prices; empty where there is none.
    pub states: Vec<u8>,
}

/// Something found while reading: an error refuses the image, a warning tells.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Whether it refuses the image.
    pub severity: Severity,
    /// `decks/world.csv`
    pub file: String,
    /// 1-based; 0 where the whole file is meant.
    pub line: u32,
    /// In characters, 1-based; 0 where the whole line or file is meant.
    pub column: u32,
    /// What is wrong, for people.
    pub message: String,
    /// How to mend it; empty where there is nothing to say.
    pub hint: String,
}

/// How much a finding weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// No image is made.
    Error,
    /// An image is made; somebody should look.
    Warning,
}

/// A compiled image and what was noticed on the way.
#[derive(Debug)]
pub struct Compiled {
    /// Bytes for [`Tariff::open`].
    pub image: Vec<u8>,
    /// Warnings, file by file; with an error there is no image.
    pub findings: Vec<Finding>,
    /// Distinct prefixes over all decks, ranges written out.
    pub prefixes: u64,
    /// Rows over all decks: one for each deck, prefix and date.
    pub rows: u64,
}

pub use buying::Buying;
pub use compile::compile;
pub use condition::Asked;
pub use exchange::DatedRate;
pub use found::Found;

/// A damaged, foreign or newer image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It does not begin as an image of its kind does.
    #[error("not an image of this kind")]
    Foreign,
    /// Its format version, which this program does not read.
    #[error("written by a newer version ({0})")]
    Newer(u32),
    /// Which part contradicts its checksum or another part.
    #[error("damaged: {0}")]
    Damaged(&'static str),
}

/// Place of a plan in one image, from 0; means nothing in another image.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PlanId(pub u16);

/// A plan's name and its beginning, so that two are compared in one step.
#[derive(Clone, Copy, Debug)]
pub struct PlanName<'a> {
    /// The name.
    pub name: &'a str,
    /// Its first sixteen bytes, zeros behind a shorter one: in the order of names.
    pub front: u128,
}

impl<'a> PlanName<'a> {
    /// Reads a name.
    pub fn of(name: &'a str) -> PlanName<'a> {
        let mut front = [0; 16];
        front.iter_mut().zip(name.bytes()).for_each(|(place, b)| *place = b);
        PlanName { name, front: u128::from_be_bytes(front) }
    }

    /// Whether this is the name, of which the front is the same.
    #[inline]
    fn is(&self, other: &str) -> bool {
        self.name.len() == other.len() && (other.len() <= size_of::<u128>() || self.name == other)
    }
}

/// A deck row in one image; means nothing in another image.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RowId(pub u32);

/// Seconds of in-plan talk per month.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Allowance {
    /// So many seconds, shared by the billing group.
    Seconds(u64),
    /// All in-plan talk is included.
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

/// What calls inside an account are (R7): to its extensions and to its other numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Internal {
    /// In the plan: they draw the allowance.
    #[default]
    Included,
    /// Not counted: no seconds are billed.
    Free,
}

/// By which time band a call is priced (R17).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Bands {
    /// The whole call by the band in which it begins.
    #[default]
    Start,
    /// Each increment by the band in which it begins.
    Split,
}

/// A plan, checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name in `plans.toml`; accounts name it so.
    pub name: String,
    /// Country for which the plan is made.
    pub country: Country,
    /// ISO 4217, capital letters: of overage and of every cost.
    pub currency: [u8; 3],
    /// Included talk of a month.
    pub allowance: Allowance,
    /// Whether what is left of it carries over.
    pub rollover: Option<rollover::Rollover>,
    /// Pools of minutes for some calls, by name.
    pub pools: Vec<pools::Pool>,
    /// Prices by how much was billed in the month, by name.
    pub tiers: Vec<tiers::Tier>,
    /// What in-plan talk costs beyond that.
    pub overage: Overage,
    /// Billing steps where the row that sets the price has none; none: those of the country rules.
    pub steps: Option<StepRule>,
    /// Whether the first month has only its share of the allowance.
    pub prorate_first: bool,
    /// Whether a month in which the plan changes has of each plan's minutes its share by days.
    pub prorate_change: bool,
    /// Decimals to which the cost of a call is rounded, 0 to 8.
    pub cost_decimals: u8,
    /// Names of the decks for calls made.
    pub decks: Vec<String>,
    /// Names of the decks for calls to the account's own toll-free numbers; other received calls cost nothing.
    pub inbound_decks: Vec<String>,
    /// By which time band a call is priced.
    pub bands: Bands,
    /// What calls inside the account are.
    pub internal: Internal,
    /// What its calls cost us; none where nothing is said of it.
    pub buying: Option<Box<Buying>>,
    /// Names of the lists of numbers that cost nothing.
    pub free: Vec<String>,
    /// Calls in quick succession that count as one; none: each call is one.
    pub successive: Option<successive::Successive>,
}

/// One deck row as the look-up gives it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// For a later `Tariff::row` in the same image.
    pub id: RowId,
    /// Leading digits for which the row holds; the longest that fits decides.
    pub prefix: Number,
    /// Name of the deck that has the row.
    pub deck: &'a str,
    /// Destination name, for invoices.
    pub destination: &'a str,
    /// Call type, where the row names one.
    pub call_type: Option<CallType>,
    /// Rate, fee and bounds, in the currency of the deck.
    pub price: Price,
    /// ISO 4217, where the deck says one; none: the plan's.
    pub currency: Option<[u8; 3]>,
    /// Billing steps of the row; none: those of the plan, else of the country rules.
    pub steps: Option<StepRule>,
    /// Calls there are not allowed and go into suspense.
    pub blocked: bool,
    /// First instant from which it holds; none: since ever.
    pub valid_from: Option<Timestamp>,
    /// First instant from which it does not hold any more; none: open-ended.
    pub valid_to: Option<Timestamp>,
    /// What else it asks of a call; 0: nothing. [`Tariff::condition_words`] says what.
    pub condition: u32,
    /// Whether another row may hold at another time of day: this one has a band, or one with a band was passed over.
    pub by_band: bool,
    /// Billed seconds of the call from which on another row may hold; `u32::MAX`: none.
    pub next_after: u32,
}

/// Which decks of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// For calls that an account made.
    Outbound,
    /// For calls to toll-free numbers of the account.
    Inbound,
}

/// An opened tariff image. Cloning shares it.
#[derive(Clone)]
pub struct Tariff {
    bytes: Bytes,
    opened: Arc<open::Opened>,
}
