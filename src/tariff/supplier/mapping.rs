//! What is known of a supplier's files: a TOML text kept beside the decks, so that next week's deck is read like this
//! week's and nothing is guessed twice.
//!
//! ```toml
//! separator = ";"
//! decimal = ","
//! dates = "dmy"
//! currency = "USD"
//! increment = 60
//! [bands]
//! peak = "mon-fri 8-18"  # off-peak is the rest
//! [columns]
//! prefix = "Code"      # a heading, or its place counted from 1
//! rate = 4
//! ```
//!
//! Does not know where it is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::amounts::Mark;
use super::bands::BandText;
use super::dates::Order;

/// A column by its heading or its place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ColumnName {
    /// Counted from 1.
    Place(usize),
    /// In any letters.
    Heading(String),
}

/// Unit of prices.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// Of talk time.
    Minute,
    /// Of talk time.
    Second,
}

/// Whether a row still holds on the day of its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// It holds on that day.
    Inclusive,
    /// It ends when that day begins.
    Exclusive,
}

/// What a column of grace times means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grace {
    /// Calls below it are free, others are charged from the start.
    FreeBelow,
    /// Not taken.
    Ignore,
}

/// How a supplier writes decks. What is absent is found out, or asked.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// One of `,` `;` `|` and tab.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
    /// `.` or `,`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<Mark>,
    /// `dmy`, `mdy` or `ymd`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dates: Option<Order>,
    /// `inclusive` or `exclusive`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_dates: Option<End>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// `minute` or `second`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<Per>,
    /// Prices are in hundredths of the currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cents: Option<bool>,
    /// Seconds of the first step, where a row has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial: Option<u32>,
    /// Seconds of each step, where a row has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub increment: Option<u32>,
    /// `free_below` or `ignore`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<Grace>,
    /// Fronts of codes that stand for an international call; `00` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub international: Option<Vec<String>>,
    /// Kinds of the validator's errors that are known to be right and only warn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<String>,
    /// Headings that are passed over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// When peak, off-peak and weekend are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bands: BTreeMap<String, BandText>,
    /// Role → column.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnName>,
}

impl Mapping {
    /// Reads a saved mapping; the error says what is wrong and where.
    pub fn parse(text: &str) -> Result<Mapping, String> {
        let mapping: Mapping = toml::from_str(text).map_err(|e| e.to_string())?;
        match mapping.separator {
            Some(separator) if !matches!(separator, ',' | ';' | '|' | '\t') => {
                return Err(format!("separator {separator:?}: write one of , ; | or a tab"));
            }
            _ => {}
        }
        if mapping.increment == Some(0) {
            return Err("increment = 0: write seconds from 1".to_owned());
        }
        if mapping.initial.is_some() && mapping.increment.is_none() {
            return Err("initial without increment".to_owned());
        }
        Ok(mapping)
    }

    /// As text to be kept.
    pub fn text(&self) -> String {
        let body = toml::to_string(self).unwrap_or_default();
        format!("# How this supplier writes decks; read by `callrated tariff import`.\n{body}")
    }

    /// Whether a heading is named here.
    pub fn names(&self, heading: &str) -> bool {
        let same =
            |c: &ColumnName| matches!(c, ColumnName::Heading(h) if h.trim().eq_ignore_ascii_case(heading.trim()));
        self.columns.values().any(same)
    }
}
