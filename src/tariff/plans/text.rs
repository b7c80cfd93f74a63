//! What `plans.toml` says, as values with their places.
//!
//! Does not know how the file is read.

use super::{BuyingText, PoolText, TierText};
use crate::call::StepRule;
use crate::money::Money;
use crate::number::Country;
use crate::tariff::bands::Holidays;
use crate::tariff::findings::Place;
use crate::tariff::rollover::RolloverTerms;
use crate::tariff::successive::Successive;
use crate::tariff::{Allowance, Bands, Internal, Overage};
use crate::time::Zone;

/// A plan as its file has it, checked.
#[derive(Clone, Debug)]
pub struct PlanText {
    /// The plan's key in the file; accounts name it so.
    pub name: String,
    /// Where its table begins.
    pub at: Place,
    /// Country for which the plan is made.
    pub country: Country,
    /// Where the country stands, for findings about it.
    pub country_at: Place,
    /// ISO 4217, capital letters.
    pub currency: [u8; 3],
    /// Included talk of a month.
    pub allowance: Allowance,
    /// Whether what is left of it carries over.
    pub rollover: Option<RolloverTerms>,
    /// Pools of minutes for some calls, by name.
    pub pools: Vec<PoolText>,
    /// Prices by how much was billed in the month, by name.
    pub tiers: Vec<TierText>,
    /// What counts as in-plan talk.
    pub included: Vec<Included>,
    /// What in-plan talk costs beyond the allowance.
    pub overage: Overage,
    /// Billing steps where the row that sets the price has none; none: those of the country rules.
    pub steps: Option<StepRule>,
    /// Whether the first month has only its share of the allowance.
    pub prorate_first: bool,
    /// Whether a month in which the plan changes has of each plan's minutes its share by days.
    pub prorate_change: bool,
    /// Decimals to which the cost of a call is rounded, 0 to 8.
    pub cost_decimals: u8,
    /// Decks for calls made, each with the place that names it.
    pub decks: Vec<(String, Place)>,
    /// Decks for calls to own toll-free numbers, each with the place that names it.
    pub inbound_decks: Vec<(String, Place)>,
    /// By which time band a call is priced.
    pub bands: Bands,
    /// What calls inside the account are.
    pub internal: Internal,
    /// What its calls cost us.
    pub buying: BuyingText,
    /// Lists of free numbers, each with the place that names it.
    pub free: Vec<(String, Place)>,
    /// Calls in quick succession that count as one.
    pub successive: Option<Successive>,
    /// What an account spends at least in a month, in the plan's currency.
    pub minimum_spend: Option<Money>,
}

impl PlanText {
    /// Every deck that it names, each with its place.
    pub fn all_decks(&self) -> impl Iterator<Item = &(String, Place)> {
        self.decks.iter().chain(&self.inbound_decks).chain(self.buying.all_decks())
    }
}

/// One entry of `included`: a country and kinds of number.
#[derive(Clone, Debug)]
pub struct Included {
    /// Country of the called number.
    pub country: Country,
    /// Bit n set: the kind with discriminant n.
    pub kinds: u16,
    /// Where the entry stands.
    pub at: Place,
}

/// What `plans.toml` says of a deck.
#[derive(Clone, Debug)]
pub struct DeckText {
    /// The deck's key in the file; its rows are in `decks/NAME.csv`.
    pub name: String,
    /// Where its table begins.
    pub at: Place,
    /// ISO 4217, capital letters, where the file says one.
    pub currency: Option<[u8; 3]>,
    /// IANA name of the zone in which the dates of the deck are meant.
    pub timezone: String,
    /// The zone of that name.
    pub zone: Zone,
    /// Its holidays, where the file names a list.
    pub holidays: Option<Holidays>,
    /// Where the deck came from, for people; empty where nothing is said.
    pub source: String,
}

/// What was read, in the order of names.
#[derive(Debug, Default)]
pub struct Plans {
    /// What the tables of plans say.
    pub plans: Vec<PlanText>,
    /// What the tables of decks say; a deck without a table is not here.
    pub decks: Vec<DeckText>,
}
