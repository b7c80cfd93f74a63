//! Minimum spends: what a sealed month bills beside its calls.
//!
//! Does not know SQL or files, nor how a minimum comes about.

use crate::call::{AccountKey, GroupKey};
use crate::money::Money;
use crate::time::Period;

/// What a month bills of a minimum spend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MinimumRow {
    /// The month that bills it.
    pub period: Period,
    /// The month whose minimum it is: `period` itself, or an earlier one that was sealed, some of whose calls `period` bills.
    pub own: Period,
    /// Who pays.
    pub account: AccountKey,
    /// The account's billing group at the end of `own`.
    pub group: GroupKey,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// In which amounts are shown.
    pub decimals: u8,
    /// What the account is to spend at least in `own`.
    pub minimum: Money,
    /// What its calls of `own` come to, as far as they are billed by `period` and the months that were closed before it, nano-units.
    pub charged: i128,
    /// What `period` bills, nano-units: what is short. Below zero: given back.
    pub cost: i128,
}

/// Which of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MinimumsOf<'a> {
    /// What a month bills an account, its own first.
    Account(AccountKey, Period),
    /// What became of an account's minimum of a month, the month itself first.
    Own(AccountKey, Period),
    /// One of those of a month, if there is any.
    Any(Period),
    /// What a month bills accounts, in the order of their names.
    Page {
        /// The month.
        period: Period,
        /// Only accounts whose name comes after this.
        after: Option<&'a str>,
        /// Only accounts up to this name.
        upto: Option<&'a str>,
        /// Of at most so many accounts.
        limit: usize,
    },
}
