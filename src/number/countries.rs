//! `countries.toml`: dialling rules, emergency numbers, short codes, step rules of every territory.

use serde::{Deserialize, Serialize};

use super::{Country, NumberKind};
use crate::call::StepRule;

/// All territories, indexed by country and calling code. Serialises into the tariff image as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Countries {
    // fields private to this module
}

impl Countries {
    /// Reads `countries.toml`; every error with its line.
    pub fn parse(_toml: &str) -> Result<Countries, String> {
        todo!()
    }
    /// The rules of one territory.
    pub fn get(&self, _country: Country) -> Option<&super::dialling::DiallingPlan> {
        todo!()
    }
    /// `domestic` list of a home country (itself if not listed). R6–R10.
    pub fn is_home(&self, _home: Country, _other: Country) -> bool {
        todo!()
    }
    /// Country step rules by R14's specificity; `from_plan` decides before this is asked.
    pub fn steps(&self, _home: Country, _destination: Country, _kind: NumberKind) -> StepRule {
        todo!()
    }
    /// Calling code at the front of a number (1 to 3 digits), and its main territory.
    pub fn calling_code(&self, _number: super::Number) -> Option<(u16, Country)> {
        todo!()
    }
    /// Stable small ordinal of a territory in this image (for short-code keys).
    pub fn ordinal(&self, _country: Country) -> Option<u16> {
        todo!()
    }
}
