//! What the spend guard keeps: the rules that were in force, what it holds of accounts, what it told, and who heard it.
//!
//! Does not know SQL or files.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::batch::Position;
use crate::call::{AccountKey, GroupKey};
use crate::guard::Rules;
use crate::time::Timestamp;

/// Rules that came into force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GuardsRow {
    /// Position of the entry.
    pub position: Position,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who or what asked.
    pub by: String,
    /// All of them.
    #[serde(serialize_with = "shared", deserialize_with = "owned")]
    pub rules: Arc<Rules>,
}

fn shared<S: serde::Serializer>(rules: &Arc<Rules>, to: S) -> Result<S::Ok, S::Error> {
    rules.as_ref().serialize(to)
}

fn owned<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Arc<Rules>, D::Error> {
    Rules::deserialize(from).map(Arc::new)
}

/// What is held of an account, on its way into the store: replaces what was held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GuardedRow<'a> {
    /// Which account.
    pub account: AccountKey,
    /// In whose group its calls were made.
    pub group: GroupKey,
    /// In the bytes of [`crate::guard`].
    pub state: &'a [u8],
}

/// An event on its way into the store; one whose id is known is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GuardEventRow<'a> {
    /// Its id.
    pub id: &'a str,
    /// Whose.
    pub account: AccountKey,
    /// When the record came whose call set it off.
    pub at: Timestamp,
    /// Which rule.
    pub rule: &'a str,
    /// At which level.
    pub level: &'a str,
    /// A sentence.
    pub summary: &'a str,
    /// All of it, JSON.
    pub body: &'a str,
}

/// Which events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GuardPage {
    /// Only those behind this number.
    pub after: u64,
    /// Only those of records that came from then on.
    pub since: Option<Timestamp>,
    /// Only this account's.
    pub account: Option<AccountKey>,
    /// The newest first.
    pub newest_first: bool,
    /// At most so many.
    pub limit: usize,
}

/// A stored event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuardEvent {
    /// In the order of flushes, from 1.
    pub number: u64,
    /// The event.
    pub event: crate::guard::Event,
    /// What became of it at each webhook, by name.
    pub deliveries: Vec<GuardDelivery>,
}

/// What became of an event at a webhook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuardDelivery {
    /// Id of the event.
    pub event: String,
    /// The webhook.
    pub webhook: String,
    /// When.
    pub at: Timestamp,
    /// None: it was taken; else why it was given up.
    pub given_up: Option<String>,
}
