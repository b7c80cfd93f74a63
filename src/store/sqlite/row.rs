//! A row of calls while SQLite shows it, column by column.
//!
//! Does not know what becomes of it.

use super::damaged;
use crate::os::shown::Shown;
use crate::store::StoreError;

/// Where columns stand in what [`show_calls`] shows.
///
/// The last one of the table comes first: the places of all are found with it, in one go.
pub mod column {
    pub const CORRECTION: usize = 0;
    pub const ROW: usize = 1;
    pub const POSITION: usize = 2;
    pub const ACCOUNT: usize = 3;
    pub const GROUP: usize = 4;
    pub const ANSWER: usize = 5;
    pub const SETUP: usize = 6;
    pub const DURATION: usize = 7;
    pub const SOURCE: usize = 8;
    pub const SOURCE_DIALLED: usize = 9;
    pub const DESTINATION: usize = 10;
    pub const DESTINATION_DIALLED: usize = 11;
    pub const RATING: usize = 12;
    pub const BILLABLE_SECONDS: usize = 13;
    pub const INCLUDED_SECONDS: usize = 14;
    pub const COST: usize = 15;
    pub const NODE: usize = 16;
    pub const CALL_ID: usize = 17;
    pub const GROUNDS: usize = 18;
    pub const USED_BEFORE: usize = 19;
    pub const REVISION: usize = 20;
    pub const RUN: usize = 21;
    pub const SUPERSEDED: usize = 22;
    /// And those behind it.
    pub const COSTS: usize = 23;
}

/// Shows the rows of a stretch to [`Page::push`](super::page::Page::push).
macro_rules! show_calls {
    // All that is known of a row.
    (all) => {
        show_calls!(all, "", "")
    };
    // The same of rows of a record, whose position is the third parameter. The others are passed over: a condition beside the
    // function might as well be asked behind it.
    (of_record) => {
        show_calls!(all, "CASE WHEN position = ?3 THEN ", " ELSE 0 END")
    };
    // Without what says which flush took it out of count.
    (costs) => {
        show_calls!(
            "",
            ", NULL",
            ", k.basis, k.billable_seconds, k.cost, k.resale_1, k.resale_2, k.resale_3",
            "",
            " LEFT JOIN call_costs k USING (row)"
        )
    };
    // And without what it costs us.
    (calls) => {
        show_calls!("", "", "", "", "")
    };
    (all, $before:literal, $behind:literal) => {
        show_calls!(
            $before,
            ", (SELECT flush FROM superseded WHERE superseded.row = calls.row)",
            ", k.basis, k.billable_seconds, k.cost, k.resale_1, k.resale_2, k.resale_3",
            $behind,
            " LEFT JOIN call_costs k USING (row)"
        )
    };
    ($before:literal, $superseded:literal, $costs:literal, $behind:literal, $join:literal) => {
        concat!(
            "SELECT 1 FROM calls",
            $join,
            " WHERE row BETWEEN ?1 AND ?2 AND ",
            $before,
            "shown(correction, row, position, account, billing_group, answer, setup, duration, source, source_dialled, \
             destination, destination_dialled, rating, calls.billable_seconds, included_seconds, calls.cost, node, \
             call_id, grounds, used_before, revision, run",
            $superseded,
            $costs,
            ")",
            $behind,
            " ORDER BY row"
        )
    };
}
pub(super) use show_calls;

/// What a row should not have. Small, so that it comes in a register where nothing is wrong.
#[derive(Clone, Copy)]
pub struct Damaged(pub &'static str);

impl Damaged {
    #[cold]
    pub fn told(self) -> StoreError {
        damaged(self.0)
    }
}

/// Why a row is not decoded.
pub enum Fault {
    Damaged(Damaged),
    Store(StoreError),
}

impl From<Damaged> for Fault {
    fn from(damaged: Damaged) -> Fault {
        Fault::Damaged(damaged)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        Fault::Store(error)
    }
}

impl Fault {
    #[cold]
    pub fn told(self) -> StoreError {
        match self {
            Fault::Damaged(damaged) => damaged.told(),
            Fault::Store(error) => error,
        }
    }
}

pub const BAD_NUMBER: Damaged = Damaged("a call's number");

#[inline(always)]
pub fn whole(row: Shown<'_>, column: usize) -> Result<Option<i64>, Damaged> {
    row.whole(column).map_err(|_| BAD_NUMBER)
}

#[inline(always)]
pub fn whole_or_none(row: Shown<'_>, column: usize) -> Result<Option<u64>, Damaged> {
    whole(row, column)?.map(u64::try_from).transpose().map_err(|_| BAD_NUMBER)
}

#[inline(always)]
pub fn number(row: Shown<'_>, column: usize) -> Result<i64, Damaged> {
    whole(row, column)?.ok_or(BAD_NUMBER)
}

#[inline(always)]
pub fn small(row: Shown<'_>, column: usize) -> Result<u32, Damaged> {
    u32::try_from(number(row, column)?).map_err(|_| BAD_NUMBER)
}

#[inline(always)]
pub fn small_or_none(row: Shown<'_>, column: usize) -> Result<Option<u32>, Damaged> {
    whole(row, column)?.map(u32::try_from).transpose().map_err(|_| BAD_NUMBER)
}

/// The number of a row that is shown.
#[inline]
pub fn row_of(row: Shown<'_>) -> Result<i64, StoreError> {
    number(row, column::ROW).map_err(Damaged::told)
}
