//! Accounts, numbers and extensions as one content-addressed image, looked up at an instant.

use bytes::Bytes;

use crate::number::{Country, Number};
use crate::tariff::{Finding, ImageError};
use crate::time::{Timestamp, Zone};

/// Text → image.
pub fn compile(_accounts_csv: &[u8], _numbers_csv: &[u8]) -> Result<(Vec<u8>, Vec<Finding>), Vec<Finding>> {
    todo!()
}

/// An account in this directory image, whatever its dated rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AccountIndex(pub u32);

/// A dated row of an account.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    pub index: AccountIndex,
    /// The row, for a later `Directory::row`.
    pub row: u32,
    pub name: &'a str,
    pub plan: &'a str,
    /// Index of the plan name in `Directory::plan_names`, so that a plan is looked up once per image.
    pub plan_index: u16,
    pub country: Country,
    /// 00:00 of the billing start date in the account's zone.
    pub billing_start: Timestamp,
    pub billing_end: Option<Timestamp>,
    pub zone: &'a Zone,
    pub zone_name: &'a str,
    pub language: &'a str,
    pub group: &'a str,
    pub display_name: &'a str,
}

/// An opened directory image.
#[derive(Clone)]
pub struct Directory {
    pub bytes: Bytes,
}

impl Directory {
    pub fn open(_bytes: Bytes) -> Result<Directory, ImageError> {
        todo!()
    }
    pub fn digest(&self) -> &str {
        todo!()
    }
    pub fn accounts(&self) -> u32 {
        todo!()
    }
    pub fn plan_names(&self) -> &[String] {
        todo!()
    }
    /// The account's row in force at the instant.
    pub fn account_at(&self, _name: &[u8], _at: Timestamp) -> Option<Account<'_>> {
        todo!()
    }
    /// Who owns the number at the instant.
    pub fn owner_at(&self, _number: Number, _at: Timestamp) -> Option<Account<'_>> {
        todo!()
    }
    pub fn row(&self, _row: u32) -> Account<'_> {
        todo!()
    }
    /// Whether the dialled digits are an extension of the account (row).
    pub fn is_extension(&self, _row: u32, _digits: &[u8]) -> bool {
        todo!()
    }
    /// Every account name with its latest row, in name order, after a name (for paging).
    pub fn accounts_after(&self, _after: &str, _limit: usize) -> Vec<Account<'_>> {
        todo!()
    }
}
