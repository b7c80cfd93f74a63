//! What is watched, as checked values: the form in which rules are journalled.
//!
//! Does not know the file they came from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::call::CallType;
use crate::time::Micros;

/// Most rules: each has a place in the state of every account that it watches, and a label in the metrics.
pub const RULES_MAX: usize = 64;
/// Most levels of a rule.
pub const LEVELS_MAX: usize = 8;

/// The rules in force.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Rules {
    /// A call that ended longer than this before its record came is counted, and sets nothing off.
    pub judge_within: Micros,
    /// In the order of the file.
    pub rules: Vec<Rule>,
    /// Account → rule → what is different there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, BTreeMap<String, Override>>,
}

/// One thing that is watched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// Its name in events and metrics.
    pub name: String,
    /// Whose accounts; with `accounts` empty too, everybody's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<String>,
    /// These accounts, beside those of the plans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// What is measured.
    pub what: What,
    /// Over which time.
    pub per: Per,
    /// 100 %: nano-units, microseconds of talk, or calls; 0 where nothing is measured.
    #[serde(default)]
    pub limit: i64,
    /// Per cent of the limit at which it is told, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<u32>,
    /// Only calls charged in this currency, ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Bit n set: the call type with discriminant n.
    pub call_types: u16,
    /// Only calls to these countries, or to `prefixes`; none of both: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// Digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// For how long after its first call an account only learns where it calls.
    #[serde(default)]
    pub learn: Micros,
}

/// What a rule measures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Cost of calls.
    Amount,
    /// Talk time of calls.
    Minutes,
    /// How many calls.
    Calls,
    /// A country that was never called before.
    NewCountry,
    /// A call type that never was before.
    NewCallType,
}

/// The time over which a rule adds up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// A calendar month in the account's zone.
    Month,
    /// A calendar day in the account's zone.
    Day,
    /// The last so long, wherever it begins.
    Last(Micros),
    /// Nothing is added up: each call by itself. Told once an hour at most.
    Call,
    /// Since ever.
    Ever,
}

/// What an account has otherwise than the rule says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Override {
    /// It is not watched by this rule.
    Off,
    /// Another limit.
    Limit(i64),
}

/// Payload of a journal entry that changes the guard, JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Entered {
    /// These rules are in force from here on.
    Rules {
        /// All of them.
        rules: Rules,
        /// When that was asked for.
        at: i64,
        /// Who or what asked.
        by: String,
    },
}

impl Rule {
    /// Whether it watches an account.
    pub fn watches(&self, account: &str, plan: &str) -> bool {
        self.plans.is_empty() && self.accounts.is_empty()
            || self.plans.iter().any(|one| one == plan)
            || self.accounts.iter().any(|one| one == account)
    }
}

/// The bit of a call type in [`Rule::call_types`].
pub(super) const fn bit(call_type: CallType) -> u16 {
    1 << call_type as u16
}

impl What {
    /// As in events.
    pub const fn name(self) -> &'static str {
        match self {
            What::Amount => "amount",
            What::Minutes => "minutes",
            What::Calls => "calls",
            What::NewCountry => "new_country",
            What::NewCallType => "new_call_type",
        }
    }

    /// Whether it is a first time that is watched, not a measure.
    pub const fn is_first(self) -> bool {
        matches!(self, What::NewCountry | What::NewCallType)
    }
}

impl std::fmt::Display for Per {
    /// `month`, `day`, `call`, `ever`, `15m`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Per::Month => f.write_str("month"),
            Per::Day => f.write_str("day"),
            Per::Call => f.write_str("call"),
            Per::Ever => f.write_str("ever"),
            Per::Last(length) => {
                let seconds = length.0 / crate::time::MICROS_PER_SECOND;
                let (name, size) = [("d", 86_400), ("h", 3_600), ("m", 60)]
                    .into_iter()
                    .find(|u| seconds % u.1 == 0)
                    .unwrap_or(("s", 1));
                write!(f, "{}{name}", seconds / size)
            }
        }
    }
}
