//! What came of a reload or a roll-back, or why nothing changed.
//!
//! Does not know how it came about.

use crate::daemon::schedule::Overtaken;
use crate::images::ImageMissing;
use crate::ingest::NotTaken;
use crate::rates::RatesError;
use crate::tariff::Finding;

/// What a reload did.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// Digest of the tariff in force.
    pub tariff: String,
    /// It is another one than before.
    pub tariff_changed: bool,
    /// Digest of the directory in force.
    pub directory: String,
    /// It is another one than before.
    pub directory_changed: bool,
    /// Accounts are watched by other rules than before.
    pub guards_changed: bool,
    /// How many rules these are.
    pub guards: usize,
    /// Distinct prefixes of the tariff.
    pub prefixes: u64,
    /// Accounts of the directory.
    pub accounts: u32,
    /// The folder's tariff, where it was left alone because it was rolled back from.
    pub left: Option<String>,
    /// Tariffs planned for later that will not apply since.
    pub overtaken: Vec<Overtaken>,
    /// Warnings.
    pub findings: Vec<Finding>,
}

/// What a roll-back did.
#[derive(Clone, Debug)]
pub struct Activated {
    /// Digest of the tariff that was the latest before.
    pub before: Option<String>,
    /// For calls answered from then on.
    pub effective_from: i64,
    /// Distinct prefixes of the tariff.
    pub prefixes: u64,
    /// Tariffs planned for later that will not apply since.
    pub overtaken: Vec<Overtaken>,
}

/// Why nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The folder is wrong or cannot be read.
    #[error(transparent)]
    Rates(#[from] RatesError),
    /// The images cannot be kept.
    #[error(transparent)]
    Image(#[from] ImageMissing),
    /// The activation could not be journalled.
    #[error(transparent)]
    Journal(#[from] NotTaken),
    /// What was changed by itself and the rates folder do not go together.
    #[error(
        "the number +{number} belongs to the account {account:?} over the API, and accounts.csv no longer has that account: \
         give the number to another one, or put the row back"
    )]
    OwnerGone {
        /// The number.
        number: String,
        /// Its account.
        account: String,
    },
    /// Tariff and directory do not go together.
    #[error(
        "accounts have the plan {plan:?}, which the tariff {tariff} does not have; none of their calls could be rated"
    )]
    NoPlan {
        /// Name of the plan.
        plan: String,
        /// Digest of the tariff.
        tariff: String,
    },
}
