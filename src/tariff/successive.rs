//! Calls in quick succession that a plan counts as one (R28): how quick, and from which numbers.
//!
//! Does not know which calls there were.

use serde::{Deserialize, Serialize};

use crate::number::NumberKind;

/// Most seconds that may lie between two calls that count as one.
pub const WITHIN_MAX: u32 = 3600;

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Successive {
    /// Most seconds from the end of a call to the answer of the next one.
    pub within: u32,
    /// From which numbers.
    #[serde(default)]
    pub from: Origin,
}

/// From which numbers of the account's country calls are joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Mobile ones.
    #[default]
    Mobile,
    /// All.
    Any,
}

impl Origin {
    /// Whether numbers of a kind are meant.
    pub fn has(self, kind: NumberKind) -> bool {
        self == Origin::Any || matches!(kind, NumberKind::Mobile | NumberKind::FixedOrMobile)
    }

    /// As `plans.toml` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Origin::Mobile => "mobile",
            Origin::Any => "any",
        }
    }
}
