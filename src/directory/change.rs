//! Dated changes of accounts and numbers: what is asked, as text, and what stands against it.
//!
//! A change of an account says some of its cells anew, from an instant on; what it does not say stays, also in rows that
//! are planned for later. A change of a number says whose it is from an instant on. A file says the whole life of each
//! account, or number, that it names.
//!
//! Does not know the rows there are, who asks, nor what becomes of calls.

use serde::{Deserialize, Deserializer, Serialize};

use super::layer::Layer;
use crate::time::Timestamp;

/// Cells of an account from an instant on, as in a row of `accounts.csv`; what is not there stays, what is empty or null is
/// taken away.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSet {
    /// Name of the account.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// Name of the plan.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// ISO 3166.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// First billed day, or instant.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub billing_start: Option<String>,
    /// IANA name.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `en`, `de`, `it`.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// `100-199;2001`.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub extensions: Option<String>,
    /// Names of lists of free numbers, `hotline;service`.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub free: Option<String>,
    /// First day, or instant, that is not billed any more.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub billing_end: Option<String>,
    /// Whose allowance is drawn.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What people call it.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// From when on; not there: from now on, or since ever for an account that is not known yet; empty: since ever.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// Until when, exclusive; not there or empty: from then on.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<String>,
}

/// Whose a number is from an instant on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NumberSet {
    /// E.164.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub number: String,
    /// The account.
    pub account: String,
    /// As with an account.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// As with an account.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<String>,
}

/// Null takes away, as an empty text does.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(Option::<String>::deserialize(deserializer)?.unwrap_or_default()))
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::large_enum_variant, reason = "one lives for a moment, and is mostly an account")]
pub enum Asked {
    /// Cells of an account.
    Account(AccountSet),
    /// An account ends at an instant; none: now.
    EndAccount(String, Option<String>),
    /// Whose a number is.
    Number(NumberSet),
    /// A number is nobody's from an instant on; none: now.
    EndNumber(String, Option<String>),
    /// An account is what `accounts.csv` says again; true: also where that says something else of the past.
    AccountToFiles(String, bool),
    /// The same for a number.
    NumberToFiles(String, bool),
    /// The whole life of accounts, as `accounts.csv`.
    AccountsFile(Vec<u8>),
    /// The whole life of numbers, as `numbers.csv`.
    NumbersFile(Vec<u8>),
}

/// Some of it, which is done whole or not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// In the order in which it is done; each with the line on which it stands, 0: it is alone.
    pub asked: Vec<(u32, Asked)>,
    /// What the files say may be changed, and is kept here from now on.
    pub take_over: bool,
    /// Now.
    pub now: Timestamp,
}

/// What stands against a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// From 1; 0: there is only one.
    pub line: u32,
    /// Which cell; empty: the whole.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
    /// Not wrong by itself, but as things stand.
    pub conflict: Option<Conflict>,
}

/// What things stand against it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conflict {
    /// The files keep it.
    OfFiles,
    /// The files do not have it, or say something else of the past.
    FilesDiffer,
    /// There is no such thing.
    Unknown,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "{}", self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, " (hint: {})", self.hint) }
    }
}

/// What a change comes to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Edited {
    /// Whole accounts and numbers that are no longer what they were.
    pub layer: Layer,
    /// Warnings.
    pub warnings: Vec<Refusal>,
    /// The earliest instant from which something is said anew; a file says whole lives, and counts for nothing here.
    pub since: i64,
}
