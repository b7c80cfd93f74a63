//! Look-ups in an opened image: by name, by number, by row, at an instant.
//!
//! A look-up allocates nothing and reads, for most numbers, two cache lines: the number's slot and the row.
//!
//! Does not know how the image came about; it was checked whole when it was opened.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;
use zerocopy::byteorder::little_endian::U32;

use super::field::{LANGUAGES, extension_key};
use super::hash::{self, Slot};
use super::image::{ExtensionRange, Row, Section, Span, TextAt};
use super::read::{EVER, NEVER};
use super::{Account, AccountIndex, Directory};
use crate::number::{Country, Number};
use crate::time::{Timestamp, Zone};

impl Directory {
    /// BLAKE3 of the image, lower-case hex.
    pub fn digest(&self) -> &str {
        &self.tables.digest
    }

    /// How many accounts.
    pub fn accounts(&self) -> u32 {
        (self.firsts().len() as u32).saturating_sub(1)
    }

    /// Every [`AccountIndex`] of this image is below this.
    pub fn account_index_count(&self) -> u32 {
        self.accounts()
    }

    /// How many dated rows; every row is below this.
    pub fn rows(&self) -> u32 {
        self.row_items().len() as u32
    }

    /// How many groups; every `group_index` is below this.
    pub fn groups(&self) -> u32 {
        self.tables.items::<TextAt>(&self.bytes, Section::Groups).len() as u32
    }

    /// How many time zones; every `zone_index` is below this.
    pub fn zones(&self) -> u16 {
        self.tables.zones.len() as u16
    }

    /// How many distinct numbers.
    pub fn numbers(&self) -> u64 {
        let head = self.tables.bytes(&self.bytes, Section::Numbers).first_chunk();
        head.map_or(0, |head| u64::from_le_bytes(*head))
    }

    /// Names of the plans in use, in order.
    pub fn plan_names(&self) -> &[String] {
        &self.tables.plans
    }

    /// The account's row in force at the instant.
    pub fn account_at(&self, name: &[u8], at: Timestamp) -> Option<Account<'_>> {
        let (_, first) = self.account_slot(name)?;
        self.in_force(first, at).map(|(row, item)| self.account(row, item))
    }

    /// The account of a name, whether or not a row of it is in force.
    pub fn account_named(&self, name: &[u8]) -> Option<AccountIndex> {
        self.account_slot(name).map(|(account, _)| AccountIndex(account))
    }

    /// Who owns the number at the instant.
    pub fn owner_at(&self, number: Number, at: Timestamp) -> Option<Account<'_>> {
        let slot = self.table(Section::Numbers)?.find(hash::mix(number.0)).next()?;
        let (value, count) = (slot.value.get(), slot.extra.get() as usize);
        let first = match count {
            0 => value,
            _ => {
                let spans: &[Span] = self.tables.items(&self.bytes, Section::Spans);
                let spans = spans.get(value as usize..)?.get(..count)?;
                // A number changes hands a few times in its life: a short walk from the latest owner back.
                let span = spans.iter().rev().find(|span| span.from.get() <= at.0)?;
                (at.0 < span.to.get()).then_some(span.row.get())?
            }
        };
        self.in_force(first, at).map(|(row, item)| self.account(row, item))
    }

    /// The row, as an [`Account`] of this image gave it.
    ///
    /// A row that is not in this image is an account without a name, whose billing never starts.
    pub fn row(&self, row: u32) -> Account<'_> {
        match self.row_items().get(row as usize) {
            Some(item) => self.account(row, item),
            None => NOBODY,
        }
    }

    /// Whether the dialled digits are an extension of the account (row).
    pub fn is_extension(&self, row: u32, digits: &[u8]) -> bool {
        let Some(item) = self.row_items().get(row as usize) else { return false };
        let ranges: &[ExtensionRange] = self.tables.items(&self.bytes, Section::Extensions);
        let from = item.extensions_at.get() as usize;
        let ranges = ranges.get(from..).and_then(|rest| rest.get(..item.extensions.get() as usize)).unwrap_or(&[]);
        let Some(key) = extension_key(digits) else { return false };
        let after = ranges.partition_point(|range| range.low.get() <= key);
        after.checked_sub(1).and_then(|i| ranges.get(i)).is_some_and(|range| key <= range.high.get())
    }

    /// Every account name with its latest row, in name order, after a name (for paging).
    pub fn accounts_after(&self, after: &str, limit: usize) -> Vec<Account<'_>> {
        let (rows, firsts) = (self.row_items(), self.firsts());
        let starts = firsts.split_last().map_or(&[][..], |(_, starts)| starts);
        let name = |first: &U32| rows.get(first.get() as usize).map_or(&[][..], |row| self.name(row).as_bytes());
        let at = starts.partition_point(|first| name(first) <= after.as_bytes());
        let ends = firsts.get(at + 1..).unwrap_or(&[]).iter().take(limit);
        ends.map(|end| self.row(end.get().wrapping_sub(1))).collect()
    }

    fn row_items(&self) -> &[Row] {
        self.tables.items(&self.bytes, Section::Rows)
    }

    fn firsts(&self) -> &[U32] {
        self.tables.items(&self.bytes, Section::Accounts)
    }

    fn table(&self, section: Section) -> Option<hash::Table<'_>> {
        hash::Table::view(self.tables.bytes(&self.bytes, section))
    }

    fn account_slot(&self, name: &[u8]) -> Option<(u32, u32)> {
        let rows = self.row_items();
        let named = |slot: &&Slot| {
            rows.get(slot.value.get() as usize).is_some_and(|row| self.text(row.text_at, row.name_length) == name)
        };
        let slot = self.table(Section::AccountNames)?.find(xxh3_64(name)).find(named)?;
        Some((slot.extra.get(), slot.value.get()))
    }

    /// The row of an account, given its first one, that holds at the instant.
    fn in_force(&self, first: u32, at: Timestamp) -> Option<(u32, &Row)> {
        let rows = self.row_items().get(first as usize..)?;
        let account = rows.first()?.account;
        let same = rows.iter().take_while(|row| row.account == account);
        let (i, row) = same.enumerate().find(|(_, row)| at.0 < row.valid_to.get())?;
        (row.valid_from.get() <= at.0).then_some((first + i as u32, row))
    }

    fn text(&self, at: U32, length: u8) -> &[u8] {
        let text = self.tables.bytes(&self.bytes, Section::Text);
        text.get(at.get() as usize..).and_then(|rest| rest.get(..usize::from(length))).unwrap_or(&[])
    }

    fn name(&self, row: &Row) -> &str {
        std::str::from_utf8(self.text(row.text_at, row.name_length)).unwrap_or("")
    }

    fn group_name(&self, group: u32) -> &str {
        let groups: &[TextAt] = self.tables.items(&self.bytes, Section::Groups);
        let text = self.tables.bytes(&self.bytes, Section::Text);
        let name = groups
            .get(group as usize)
            .and_then(|group| text.get(group.at.get() as usize..)?.get(..group.length.get() as usize));
        name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("")
    }

    fn account<'a>(&'a self, row: u32, item: &'a Row) -> Account<'a> {
        let (zone_name, zone) =
            self.tables.zones.get(usize::from(item.zone.get())).map_or(("", NOBODY.zone), |(n, z)| (n.as_str(), z));
        let bounded = |at: i64| (at != EVER && at != NEVER).then_some(Timestamp(at));
        Account {
            index: AccountIndex(item.account.get()),
            row,
            plan: self.tables.plans.get(usize::from(item.plan.get())).map_or("", String::as_str),
            plan_index: item.plan.get(),
            country: Country([item.country[0], item.country[1], b' ']),
            valid_from: bounded(item.valid_from.get()),
            valid_to: bounded(item.valid_to.get()),
            billing_start: Timestamp(item.billing_start.get()),
            billing_end: bounded(item.billing_end.get()),
            zone,
            zone_name,
            zone_index: item.zone.get(),
            language: LANGUAGES.get(usize::from(item.language)).copied().unwrap_or("en"),
            group_index: item.group.get(),
            names: Some(Names { directory: self, row: item }),
        }
    }
}

impl<'a> Account<'a> {
    /// 1 to 128 bytes without control characters and `/`.
    pub fn name(&self) -> &'a str {
        self.names.map_or("", |names| names.directory.name(names.row))
    }

    /// Whose allowance is drawn; the account's own name where it has no group.
    pub fn group(&self) -> &'a str {
        self.names.map_or("", |names| match names.row.own_group {
            1 => names.directory.name(names.row),
            _ => names.directory.group_name(self.group_index),
        })
    }

    /// Names of the lists of numbers that cost it nothing, as the tariff has them.
    pub fn free_lists(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let lists = self.names.filter(|names| names.row.free_length > 0).map(|Names { directory, row }| {
            let before = u32::from(row.name_length) + u32::from(row.display_length);
            let at = U32::new(row.text_at.get().saturating_add(before));
            std::str::from_utf8(directory.text(at, row.free_length)).unwrap_or("")
        });
        lists.into_iter().flat_map(|lists| lists.split(';'))
    }

    /// What people call it; the account's name where none is given.
    pub fn display_name(&self) -> &'a str {
        self.names.map_or("", |Names { directory, row }| match row.display_length {
            0 => directory.name(row),
            length => {
                let at = U32::new(row.text_at.get().saturating_add(u32::from(row.name_length)));
                std::str::from_utf8(directory.text(at, length)).unwrap_or("")
            }
        })
    }
}

/// Where an account's names are.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    directory: &'a Directory,
    row: &'a Row,
}

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.directory.name(self.row))
    }
}

/// Stands for a row that is not there.
const NOBODY: Account<'static> = Account {
    index: AccountIndex(u32::MAX),
    row: u32::MAX,
    plan: "",
    plan_index: u16::MAX,
    country: Country::WORLD,
    valid_from: None,
    valid_to: None,
    billing_start: Timestamp(i64::MAX),
    billing_end: None,
    zone: &Zone::UTC,
    zone_name: "UTC",
    zone_index: u16::MAX,
    language: "en",
    group_index: u32::MAX,
    names: None,
};
