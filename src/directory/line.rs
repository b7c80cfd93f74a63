//! A dated row where it lies: what resolving and rating ask of an account, read when it is asked for.
//!
//! An [`Account`] is all that a row says, gathered; a call asks a handful of it, and looks two or three accounts up.
//!
//! Does not know which row holds at an instant.

use std::ptr;

use super::field::{extension_key, key_digits};
use super::image::Row;
use super::read::{EVER, NEVER};
use super::{Account, AccountIndex, Directory, Image};
use crate::number::{Country, Number};
use crate::tariff::PlanName;
use crate::time::{Timestamp, Zone};

/// A dated row of an account. Two words, which are handed on in registers.
#[derive(Clone, Copy)]
pub struct AccountRow<'a> {
    pub(super) image: &'a Image,
    /// One of that image's.
    pub(super) item: &'a Row,
}

impl Directory {
    /// The row that an [`Account`] or [`AccountRow`] of this directory names; none: it is not in this directory.
    #[inline]
    pub fn account_row(&self, row: u32) -> Option<AccountRow<'_>> {
        let (image, place) = self.image_of(row)?;
        Some(AccountRow { image, item: image.row_items().get(place as usize)? })
    }

    /// The account's row in force at the instant.
    pub fn row_at(&self, name: &[u8], at: Timestamp) -> Option<AccountRow<'_>> {
        let (image, _, first) = self.holder(name)?;
        image.in_force(first, at)
    }

    /// The row of the number's owner at the instant.
    #[inline]
    pub fn owner_row_at(&self, number: Number, at: Timestamp) -> Option<AccountRow<'_>> {
        self.owner_row(self.owner_place(number, at)?, at)
    }
}

impl Image {
    /// The row of an account, given its first one, that holds at the instant.
    #[inline]
    pub(super) fn in_force(&self, first: u32, at: Timestamp) -> Option<AccountRow<'_>> {
        let rows = self.row_items().get(first as usize..)?;
        let account = rows.first()?.account;
        for item in rows.iter().take_while(|item| item.account == account) {
            if at.0 < item.valid_to.get() {
                return (item.valid_from.get() <= at.0).then_some(AccountRow { image: self, item });
            }
        }
        None
    }
}

impl<'a> AccountRow<'a> {
    /// All of it.
    pub fn account(&self) -> Account<'a> {
        self.image.account(self.place(), self.item)
    }

    /// Which account, whatever its dated rows.
    #[inline]
    pub fn index(&self) -> AccountIndex {
        AccountIndex(self.image.first.account + self.item.account.get())
    }

    /// The row, for a later [`Directory::account_row`].
    #[inline]
    pub fn row(&self) -> u32 {
        self.image.first.row + self.place()
    }

    /// Its place in the image.
    #[inline]
    fn place(&self) -> u32 {
        let rows = self.image.row_items().as_ptr().addr();
        ((ptr::from_ref(self.item).addr() - rows) / size_of::<Row>()) as u32
    }

    /// Name of the plan, as the tariff has it.
    #[inline]
    pub fn plan(&self) -> PlanName<'a> {
        let plan = usize::from(self.item.plan.get());
        match (self.image.tables.plans.get(plan), self.image.tables.plan_fronts.get(plan)) {
            (Some(name), Some(front)) => PlanName { name, front: *front },
            _ => PlanName::of(""),
        }
    }

    /// Home country: decides how dialled digits are read and what counts as home.
    #[inline]
    pub fn country(&self) -> Country {
        Country([self.item.country[0], self.item.country[1], b' '])
    }

    /// 00:00 of the billing start date in the account's zone.
    #[inline]
    pub fn billing_start(&self) -> Timestamp {
        Timestamp(self.item.billing_start.get())
    }

    /// Whether an instant lies behind the last that is billed.
    #[inline]
    pub fn has_ended(&self, at: Timestamp) -> bool {
        let end = self.item.billing_end.get();
        end != NEVER && end != EVER && at.0 >= end
    }

    /// Index of the group, below [`Directory::groups`]. Accounts of one group share it.
    #[inline]
    pub fn group_index(&self) -> u32 {
        self.image.first.group + self.item.group.get()
    }

    /// Index of the zone, below [`Directory::zones`].
    #[inline]
    pub fn zone_index(&self) -> u16 {
        self.image.first.zone + self.item.zone.get()
    }

    /// Time zone in which months and days of the account begin.
    #[inline]
    pub fn zone(&self) -> &'a Zone {
        self.image.zone(self.item).1
    }

    /// Whether the dialled digits are an extension of the account.
    #[inline]
    pub fn has_extension(&self, digits: &[u8]) -> bool {
        // Most of what is dialled is longer than any extension: it needs no look.
        digits.len() <= self.image.tables.extension_digits_max && self.is_in_ranges(digits)
    }

    fn is_in_ranges(&self, digits: &[u8]) -> bool {
        let ranges = self.image.extensions(self.item);
        match ranges.last() {
            Some(longest) if digits.len() <= key_digits(longest.high.get()) => {}
            _ => return false,
        }
        let Some(key) = extension_key(digits) else { return false };
        let after = ranges.partition_point(|range| range.low.get() <= key);
        after.checked_sub(1).and_then(|i| ranges.get(i)).is_some_and(|range| key <= range.high.get())
    }

    /// Whether this row says nothing but a name: what the account is stands in another image.
    pub fn is_only_named(&self) -> bool {
        self.item.is_elsewhere()
    }

    /// Whether it names any list of numbers that cost it nothing.
    #[inline]
    pub fn has_free_lists(&self) -> bool {
        self.item.free_length > 0
    }
}
