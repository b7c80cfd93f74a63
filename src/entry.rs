//! What the journal holds beside records: settings of listeners, activations, retries.
//!
//! Whatever can change an amount enters through the journal; these are the rare kinds, kept as JSON so that
//! `callrated journal inspect` and a person can read them.
//!
//! Does not know who wrote an entry or who acts on it.

use serde::{Deserialize, Serialize};

use crate::time::{Micros, Timestamp};

mod rerate;

pub use rerate::{Decides, Rerate, RerateBegin, RerateScope};

/// Which legs a record without `direction` yields (R4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegsPolicy {
    /// The payer's outbound leg and, if the called number has an owner, that one's inbound leg.
    #[default]
    Both,
    /// Each record is the caller's leg.
    Outbound,
    /// Each record is the called side's leg.
    Inbound,
}

/// What talk time is taken from (R2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Talk {
    /// The record's `duration`, else end − answer.
    #[default]
    Duration,
    /// Always end − answer.
    EndAnswer,
}

/// Which instant a local time means that came twice, when the clocks went back (R1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ambiguous {
    /// Nobody knows: the record waits for somebody to say.
    #[default]
    Suspense,
    /// The first.
    Earlier,
    /// The second.
    Later,
}

/// The settings of a listener that can change an amount; journalled when first seen and when changed, so that a replay
/// rates as before whatever the configuration says by then.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SourceProfile {
    /// Index by which frames name it.
    pub index: u16,
    /// The listener's name in metrics and books, `tcp:127.0.0.1:7070`.
    pub listener: String,
    /// Dialling plan where no account is known yet, ISO 3166 alpha-2; empty: none.
    #[serde(default)]
    pub country: String,
    /// Account to which everything from here belongs, empty: none.
    #[serde(default)]
    pub account: String,
    /// Legs of records without direction.
    #[serde(default)]
    pub legs: LegsPolicy,
    /// What talk time is.
    #[serde(default)]
    pub talk: Talk,
    /// What a local time means that came twice.
    #[serde(default)]
    pub ambiguous: Ambiguous,
    /// Tech prefixes and service codes taken off the front of dialled numbers (R3).
    #[serde(default)]
    pub strip: Vec<String>,
    /// Oldest answer accepted, in days before receipt (R2: 90; an import may widen it).
    #[serde(default = "default_max_age_days")]
    pub max_age_days: u32,
    /// Longest time for which a call told in parts may be open, seconds; 0: [`MAX_OPEN_SECONDS`].
    #[serde(default)]
    pub max_open_seconds: u32,
}

impl SourceProfile {
    /// Longest time for which a call told in parts may be open.
    pub fn max_open(&self) -> Micros {
        Micros::seconds(i64::from(if self.max_open_seconds == 0 { MAX_OPEN_SECONDS } else { self.max_open_seconds }))
    }
}

/// R2: an answer more than this many days before receipt is implausible.
pub const MAX_AGE_DAYS: u32 = 90;

/// R2's longest call is 24 hours; its end may come an hour later.
pub const MAX_OPEN_SECONDS: u32 = 25 * 3600;

fn default_max_age_days() -> u32 {
    MAX_AGE_DAYS
}

/// A tariff or directory image comes into force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Activation {
    /// BLAKE3 of the image, lower-case hex.
    pub digest: String,
    /// For calls answered from this instant on; none: for every call rated from here on.
    pub effective_from: Option<i64>,
    /// When it was asked for.
    pub activated_at: i64,
    /// Who or what asked: `start`, `sighup`, `file change`, `api`, `command line`; [`BY_DIGEST`] and who, where an image
    /// was asked for by its digest.
    #[serde(default)]
    pub by: String,
}

/// What [`Activation::by`] begins with where not the rates folder was put in force, but an image by its digest.
pub const BY_DIGEST: &str = "activate";

/// What [`Activation::by`] begins with where not the rates folder was put in force, but what was changed by itself.
pub const BY_CHANGE: &str = "change";

/// Accounts and numbers that were changed by themselves: kept for people, and so that a history finds where to look. What
/// they are from then on says the directory that comes into force behind it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DirectoryChange {
    /// Who asked.
    pub by: String,
    /// When.
    pub at: i64,
    /// Names of the accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// The numbers, `+4930123456`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<String>,
    /// What was asked, where it was few enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<serde_json::Value>,
}

impl Activation {
    /// Whether it applies to a call answered then.
    pub fn applies(&self, answer: Timestamp) -> bool {
        self.effective_from.is_none_or(|from| from <= answer.0)
    }
}

/// R17: which of these, in the order in which they were activated, applies to a call answered then, and its place: the newest
/// whose time has come; the first one reaches back for ever. `from`: since when one applies, none: ever.
#[inline]
pub fn in_force<T>(activated: &[T], from: impl Fn(&T) -> Option<i64>, answer: Timestamp) -> Option<(usize, &T)> {
    let place = activated.iter().rposition(|one| from(one).is_none_or(|from| from <= answer.0)).unwrap_or(0);
    Some((place, activated.get(place)?))
}

/// Whether the rates folder was put in force, by what is said of who asked.
pub fn of_folder(by: &str) -> bool {
    !by.starts_with(BY_DIGEST)
}

/// Stands in the journal where damaged bytes were given up by an operator's word; the bytes themselves are kept in a
/// file beside the journal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lost {
    /// Bytes given up from this entry's frame on.
    pub bytes: u64,
    /// File in the journal's folder that holds them as they were found.
    pub kept_in: String,
    /// What was wrong with them.
    pub why: String,
    /// When they were given up.
    pub accepted_at: i64,
}

/// Head of a retry entry's payload; the record's canonical form follows it.
///
/// ```text
/// head length u32 │ this as JSON │ canonical record
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Retry {
    /// Position of the record's own entry.
    pub position: u64,
    /// Leg in suspense, none for the whole record.
    pub leg: Option<u8>,
    /// Position of the latest attempt; a retry that names an older one is void.
    pub attempt: u64,
    /// The reason it was kept for, as stored.
    pub reason: String,
    /// Period of a leg in suspense (the count the books take it from).
    pub period: Option<i32>,
    /// Source profile of the record's frame.
    pub source: u16,
    /// Receipt of the record's frame.
    pub received_at: i64,
}

impl Retry {
    /// Appends head and record.
    pub fn encode(&self, record: &[u8], out: &mut Vec<u8>) -> serde_json::Result<()> {
        encode(self, record, out)
    }

    /// Head and record, or none if the payload is not a retry.
    pub fn decode(payload: &[u8]) -> Option<(Retry, &[u8])> {
        decode(payload)
    }
}

/// Head of a discard entry's payload; the record's canonical form follows it, as with [`Retry`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Discard {
    /// What is discarded; it must name the latest attempt.
    pub item: Retry,
    /// Why, in the words of whoever asked.
    pub why: String,
    /// Who or what asked.
    pub by: String,
    /// When.
    pub at: i64,
}

impl Discard {
    /// Appends head and record.
    pub fn encode(&self, record: &[u8], out: &mut Vec<u8>) -> serde_json::Result<()> {
        encode(self, record, out)
    }

    /// Head and record, or none if the payload is not a discard.
    pub fn decode(payload: &[u8]) -> Option<(Discard, &[u8])> {
        decode(payload)
    }
}

/// Head of an entry by which somebody takes a version of a record (R20); the version's canonical form follows it, as with
/// [`Retry`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Decide {
    /// Position of the record that came first.
    pub first: u64,
    /// Position of the version taken.
    pub kept: u64,
    /// Source profile of its frame.
    pub source: u16,
    /// Receipt of its frame.
    pub received_at: i64,
    /// What is said here of the record holds up to this position; void if anything changed since.
    pub seen: u64,
    /// Revision of the legs that come of it; 0: what is rated stands on this version already, and stays.
    pub revision: u32,
    /// The legs that count until here, as they were rated, each with what it drew besides the plan's
    /// minutes (pairs of [`crate::call::RatedCall`] and bytes).
    pub rated: serde_json::Value,
    /// What waits of the record until here.
    pub waiting: Vec<Retry>,
    /// Why, in the words of whoever decided.
    pub why: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: i64,
}

impl Decide {
    /// Appends head and record.
    pub fn encode(&self, record: &[u8], out: &mut Vec<u8>) -> serde_json::Result<()> {
        encode(self, record, out)
    }

    /// Head and record, or none if the payload is not a decision.
    pub fn decode(payload: &[u8]) -> Option<(Decide, &[u8])> {
        decode(payload)
    }
}

/// A month is closed (R19): what stands before this entry counts, and is rated again by what is known here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seal {
    /// The month, `year * 12 + month − 1`.
    pub period: i32,
    /// When it was asked for.
    pub at: i64,
    /// Who or what asked.
    pub by: String,
}

/// The revisions of a closed month count from here on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sealed {
    /// The month.
    pub period: i32,
    /// Position of the entry that closed it.
    pub seal: u64,
    /// BLAKE3 of what its manifest covers.
    pub digest: String,
}

/// A job took the manifest of a sealed month.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ack {
    /// The month.
    pub period: i32,
    /// Digest of the manifest it took.
    pub digest: String,
    /// The job.
    pub job: String,
    /// When.
    pub at: i64,
}

/// What [`Retention`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// What is older than a rule allows goes.
    Delete,
    /// Nothing of an account goes from here on.
    Hold,
    /// The hold of an account ends.
    Release,
    /// The personal data of an account goes.
    Erase,
}

/// Data is deleted, held or erased. Nothing of it changes an amount; an erasure ends calls in quick succession that are under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Retention {
    /// What is to happen.
    pub what: Kept,
    /// Hold, release, erase: whose.
    #[serde(default)]
    pub account: String,
    /// Delete: sealed months whose call details go, `year * 12 + month − 1`.
    #[serde(default)]
    pub periods: Vec<i32>,
    /// Delete: contradicting records that came before this instant go.
    #[serde(default)]
    pub conflicts_before: Option<i64>,
    /// Delete: what was discarded before this instant goes.
    #[serde(default)]
    pub discarded_before: Option<i64>,
    /// Delete: images of directories that were replaced before this instant go, where nothing kept needs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images_before: Option<i64>,
    /// The rule, or the reason in the words of whoever asked.
    pub why: String,
    /// Who or what asked.
    pub by: String,
    /// When.
    pub at: i64,
}

fn encode(head: &impl Serialize, record: &[u8], out: &mut Vec<u8>) -> serde_json::Result<()> {
    let head = serde_json::to_vec(head)?;
    out.extend_from_slice(&(head.len() as u32).to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(record);
    Ok(())
}

fn decode<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Option<(T, &[u8])> {
    let length = u32::from_le_bytes(payload.get(..4)?.try_into().ok()?) as usize;
    let head = payload.get(4..4usize.checked_add(length)?)?;
    Some((serde_json::from_slice(head).ok()?, &payload[4 + length..]))
}
