//! What a start reads: little at once, and the many rows beside, by threads of their own.
//!
//! Does not know SQL, nor who takes the rows.

use super::state::{AllowanceLine, StoredState, UsageLine};
use crate::call::{AccountKey, GroupKey};
use crate::store::StoreError;

/// One of many rows.
#[derive(Clone, Copy, Debug)]
pub enum StoredRow<'a> {
    /// So many accounts follow, or billing groups: told before them.
    Names(usize),
    /// The name of the next account, by key.
    Account(&'a str),
    /// The name of the next billing group, by key.
    Group(&'a str),
    /// A line of the totals; of one key the latest that is told counts.
    Usage(&'a UsageLine),
    /// Allowance drawn; of one key the latest that is told counts.
    Allowance(&'a AllowanceLine),
    /// What the spend guard holds of an account.
    Guarded(AccountKey, GroupKey, &'a [u8]),
}

/// Tells rows as of the position of the state it came with, whatever is flushed meanwhile.
pub type Reading = Box<dyn FnOnce(&mut dyn FnMut(StoredRow<'_>)) -> Result<(), StoreError> + Send>;

/// Everything the daemon needs to go on from a position, with what is long to be read by whoever needs it.
pub struct StoredStart {
    /// Without accounts, groups, totals, allowances and what the spend guard holds.
    pub state: StoredState,
    /// Accounts, then billing groups.
    pub names: Reading,
    /// Totals.
    pub usage: Reading,
    /// Allowances, and what the spend guard holds.
    pub drawn: Reading,
}

impl StoredStart {
    /// From what was read whole.
    pub fn of(mut state: StoredState) -> StoredStart {
        let (accounts, groups) = (std::mem::take(&mut state.accounts), std::mem::take(&mut state.groups));
        let (usage, allowances) = (std::mem::take(&mut state.usage), std::mem::take(&mut state.allowances));
        let guarded = std::mem::take(&mut state.guarded);
        StoredStart {
            state,
            names: Box::new(move |take| {
                accounts.iter().for_each(|account| take(StoredRow::Account(&account.name)));
                groups.iter().for_each(|group| take(StoredRow::Group(&group.name)));
                Ok(())
            }),
            usage: Box::new(move |take| {
                usage.iter().for_each(|line| take(StoredRow::Usage(line)));
                Ok(())
            }),
            drawn: Box::new(move |take| {
                allowances.iter().for_each(|line| take(StoredRow::Allowance(line)));
                guarded.iter().for_each(|(account, group, held)| take(StoredRow::Guarded(*account, *group, held)));
                Ok(())
            }),
        }
    }
}
