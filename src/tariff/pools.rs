//! Allowances beside the plan's minutes: pools of minutes for some calls, and which calls those are.
//!
//! Of the pools whose `of` fits a call the most specific one gives first: a prefix before a country, a country before a
//! call type, the longer prefix before the shorter one; of two alike the one whose name stands first. What it cannot give
//! the next one gives, in-plan calls the plan's minutes last.
//!
//! Does not know what was drawn.

use serde::{Deserialize, Serialize};

use super::Allowance;
use super::rollover::{Rollover, RolloverTerms, handed_on};
use crate::call::{CallType, Meter};
use crate::number::classify::Class;
use crate::number::{Country, Number};
use crate::tariff::plans::kind_bit;

/// Most pools a plan may have: a call looks through all of them.
pub const POOLS_MAX: usize = 8;

/// A pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pool {
    /// Its key in `plans.toml`.
    pub name: String,
    /// What counts it.
    pub meter: Meter,
    /// What counts all that a month has handed on of it, by whatever plan.
    pub handed_on: Meter,
    /// Of a month.
    pub allowance: Allowance,
    /// Whether what is left of it carries over.
    pub rollover: Option<Rollover>,
    /// Calls that draw it.
    pub of: Vec<PoolOf>,
}

/// Calls that draw a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PoolOf {
    /// To a country's numbers of some kinds (bit n: the kind with discriminant n): in-plan and international calls. A
    /// number that a deck names a premium one is not meant by the country that its prefix belongs to.
    Country(Country, u16),
    /// To numbers that begin so, whatever the call type.
    Prefix(Number),
    /// Of a call type; `included` stands for all in-plan calls.
    CallType(CallType),
    /// In-plan calls that leave the account: neither to its extensions nor to its other numbers.
    OffNet,
}

/// What pools ask of a call.
#[derive(Clone, Copy, Debug)]
pub struct PoolCall {
    /// `included` where it is in-plan.
    pub call_type: CallType,
    /// Inside the account.
    pub on_net: bool,
    /// The number by which it is rated, where it has one.
    pub number: Option<Number>,
    /// Country and kind of that.
    pub class: Option<Class>,
}

impl PoolOf {
    /// How closely it means the call; 0: not at all.
    pub fn fits(&self, call: &PoolCall) -> u8 {
        let outbound = call.call_type != CallType::TollFree;
        match *self {
            PoolOf::Prefix(prefix) if outbound && call.number.is_some_and(|number| number.starts_with(prefix)) => {
                10 + prefix.len() as u8
            }
            PoolOf::Country(country, kinds)
                if matches!(call.call_type, CallType::Included | CallType::International)
                    && call.class.is_some_and(|c| c.country == country && kinds & kind_bit(c.kind) != 0) =>
            {
                if kinds.is_power_of_two() { 4 } else { 3 }
            }
            PoolOf::OffNet if call.call_type == CallType::Included && !call.on_net => 2,
            PoolOf::CallType(call_type) if call_type == call.call_type => 1,
            _ => 0,
        }
    }
}

/// The pools that a call draws, in order, and how many.
pub fn asked(pools: &[Pool], call: &PoolCall) -> ([u8; POOLS_MAX], usize) {
    let (mut order, mut ranks, mut count) = ([0_u8; POOLS_MAX], [0_u8; POOLS_MAX], 0);
    for (i, pool) in pools.iter().enumerate().take(POOLS_MAX) {
        let rank = pool.of.iter().map(|of| of.fits(call)).max().unwrap_or(0);
        if rank == 0 {
            continue;
        }
        // Pools come by name: one alike goes behind.
        let at = ranks[..count].iter().position(|other| *other < rank).unwrap_or(count);
        order.copy_within(at..count, at + 1);
        ranks.copy_within(at..count, at + 1);
        (order[at], ranks[at]) = (i as u8, rank);
        count += 1;
    }
    (order, count)
}

/// A pool as an image has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredPool {
    /// See [`Pool`].
    pub name: String,
    /// See [`Pool`].
    pub allowance: Allowance,
    /// See [`Pool`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<RolloverTerms>,
    /// As [`PoolOf`] is written in `plans.toml`; kinds as a number behind the country: `DE:18`.
    pub of: Vec<String>,
}

impl StoredPool {
    /// As it is stored.
    pub fn new(pool: &Pool) -> StoredPool {
        let rollover = pool.rollover.as_ref().map(|rollover| rollover.terms);
        StoredPool { name: pool.name.clone(), allowance: pool.allowance, rollover, of: stored(&pool.of) }
    }

    /// Back from there; none: damaged.
    pub fn pool(&self) -> Option<Pool> {
        Some(Pool {
            name: self.name.clone(),
            meter: Meter::named(&self.name),
            handed_on: handed_on(&self.name),
            allowance: self.allowance,
            rollover: self.rollover.map(|terms| Rollover::new(&self.name, terms)),
            of: opened(&self.of)?,
        })
    }
}

/// Calls that are meant, as they are stored.
pub(super) fn stored(of: &[PoolOf]) -> Vec<String> {
    let mut all: Vec<String> = of.iter().map(stored_one).collect();
    // The order in which a list has them changes nothing.
    all.sort();
    all.dedup();
    all
}

/// Back from there; none: damaged.
pub(super) fn opened(of: &[String]) -> Option<Vec<PoolOf>> {
    of.iter().map(|text| opened_one(text)).collect()
}

fn stored_one(of: &PoolOf) -> String {
    match of {
        PoolOf::Country(country, kinds) => format!("{country}:{kinds}"),
        PoolOf::Prefix(prefix) => format!("+{prefix}"),
        PoolOf::CallType(call_type) => call_type.name().to_owned(),
        PoolOf::OffNet => "off_net".to_owned(),
    }
}

fn opened_one(text: &str) -> Option<PoolOf> {
    if let Some(digits) = text.strip_prefix('+') {
        return Some(PoolOf::Prefix(Number::from_digits(digits.as_bytes())?));
    }
    if let Some((country, kinds)) = text.split_once(':') {
        return Some(PoolOf::Country(Country::parse(country)?, kinds.parse().ok()?));
    }
    match text {
        "off_net" => Some(PoolOf::OffNet),
        _ => CallType::named(text).map(PoolOf::CallType),
    }
}

impl std::fmt::Display for PoolOf {
    /// As `plans.toml` has it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PoolOf::Country(country, kinds) if *kinds == super::plans::IN_PLAN => write!(f, "{country}"),
            PoolOf::Country(country, kinds) => {
                let names = super::plans::KINDS.iter().filter(|(_, kind)| kinds & kind_bit(*kind) != 0);
                for (i, (name, _)) in names.enumerate() {
                    write!(f, "{}{country}:{name}", if i == 0 { "" } else { " " })?;
                }
                Ok(())
            }
            other => f.write_str(&stored_one(other)),
        }
    }
}
