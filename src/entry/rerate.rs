//! Entries of re-rating (R22): a run begins, counts from here on, or is given up.

use serde::{Deserialize, Serialize};

/// What becomes of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Rerate {
    /// It begins: what stands before this entry is rated again by what is known here. Void while a month is being sealed
    /// or another run is under way.
    Begin(Box<RerateBegin>),
    /// Its changes count from here on; void unless it is under way.
    Count {
        /// Its number.
        run: u32,
        /// Position of the entry that began it.
        begun: u64,
        /// Digest of its changes.
        digest: String,
    },
    /// Nothing comes of it.
    GiveUp {
        /// Its number.
        run: u32,
        /// Why.
        why: String,
    },
}

/// How a run begins.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RerateBegin {
    /// Which calls, and by what.
    pub scope: RerateScope,
    /// It takes this run back: the scope is that of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<u32>,
    /// It takes a version of one record (R20): the scope is that of the record's months.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decides: Option<Decides>,
    /// Who asked.
    pub by: String,
    /// Why, in the words of whoever asked.
    pub why: String,
    /// When.
    pub at: i64,
}

/// Which version of a record is taken, where a month of it is closed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Decides {
    /// Position of the record that came first.
    pub first: u64,
    /// Position of the version taken.
    pub kept: u64,
    /// Source profile of its frame.
    pub source: u16,
    /// Receipt of its frame.
    pub received_at: i64,
    /// The version in canonical form, base64; empty once its call details were deleted.
    pub record: String,
}

/// Which calls are rated again, and by what. An empty list asks nothing; what is asked must all hold.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RerateScope {
    /// First month of the answer, `year * 12 + month − 1`.
    pub first: i32,
    /// Last month.
    pub last: i32,
    /// Who pays.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Whose allowance is drawn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// First digits of the called number, E.164 without `+`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// Destination names of the rows by which calls were priced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<String>,
    /// Call types as rated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub call_types: Vec<String>,
    /// Digests of the tariffs by which calls were priced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tariffs: Vec<String>,
    /// Nodes of the records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// Digest of the tariff by which they are rated, whatever was in force; none: what is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_tariff: Option<String>,
    /// With it: only calls answered from this instant on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
}
