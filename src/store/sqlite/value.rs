//! How values stand in the store, and what a failure of SQLite means.
//!
//! Does not know tables.

use rusqlite::ErrorCode;

use crate::call::CallType;
use crate::record::Direction;
use crate::store::StoreError;

/// An SQLite error as the caller acts on it.
pub(in crate::store) fn failed(error: rusqlite::Error) -> StoreError {
    match &error {
        rusqlite::Error::SqliteFailure(cause, text) => match cause.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
            ErrorCode::DiskFull => StoreError::Full,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged(error.to_string()),
            ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => {
                StoreError::Unstorable(text.clone().unwrap_or_else(|| error.to_string()))
            }
            ErrorCode::CannotOpen => StoreError::Io(
                "the file cannot be opened or created; does its folder exist, and may we write there?".into(),
            ),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
                StoreError::Io("the file or its folder is not writable".into())
            }
            // A missing table or column: the file is not what its version says.
            ErrorCode::Unknown => StoreError::Damaged(error.to_string()),
            _ => StoreError::Io(error.to_string()),
        },
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => StoreError::Damaged(error.to_string()),
        _ => StoreError::Io(error.to_string()),
    }
}

/// A stored value that no version of this program wrote.
pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}

/// A position or counter as SQLite holds it.
pub(super) fn whole(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Unstorable(format!("{value} is beyond 63 bits")))
}

pub(super) fn leg_number(leg: Option<Direction>) -> i64 {
    match leg {
        Some(Direction::Outbound) => 0,
        Some(Direction::Inbound) => 1,
        None => -1,
    }
}

pub(super) fn leg_of(number: i64) -> Option<Option<Direction>> {
    Some(match number {
        0 => Some(Direction::Outbound),
        1 => Some(Direction::Inbound),
        -1 => None,
        _ => return None,
    })
}

pub(super) fn call_type_of(number: i64) -> Option<CallType> {
    CallType::ALL.get(usize::try_from(number).ok()?).copied()
}
