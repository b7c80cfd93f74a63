//! Look-ups in an opened directory: by name, by number, by row, at an instant.
//!
//! A look-up allocates nothing and reads, for most numbers, two cache lines: the number's slot and the row. Each image on top
//! of the lowest costs one line more to see that it does not name the number.
//!
//! Does not know how the image came about; it was checked whole when it was opened.

use std::collections::BTreeMap;
use std::fmt;

use xxhash_rust::xxh3::xxh3_64;
use zerocopy::byteorder::little_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::field::LANGUAGES;
use super::hash::{self, Slot};
use super::image::{ExtensionRange, Row, Section, Span, TextAt};
use super::read::{EVER, NEVER};
use super::{Account, AccountIndex, Directory, Image};
use crate::number::{Country, Number};
use crate::time::{Timestamp, Zone};

impl Directory {
    /// BLAKE3 of the image, or of what says which images it consists of; lower-case hex.
    pub fn digest(&self) -> &str {
        &self.layers.digest
    }

    /// How many accounts.
    pub fn accounts(&self) -> u32 {
        self.layers.accounts
    }

    /// Every [`AccountIndex`] of this directory is below this.
    pub fn account_index_count(&self) -> u32 {
        self.top().map_or(0, |top| top.first.account + top.account_count())
    }

    /// How many dated rows; every row is below this. Rows that an upper image says anew are among them.
    pub fn rows(&self) -> u32 {
        self.top().map_or(0, |top| top.first.row + top.row_items().len() as u32)
    }

    /// How many groups; every `group_index` is below this.
    pub fn groups(&self) -> u32 {
        self.top().map_or(0, |top| top.first.group + top.group_count())
    }

    /// How many time zones; every `zone_index` is below this.
    pub fn zones(&self) -> u16 {
        self.top().map_or(0, |top| top.first.zone + top.tables.zones.len() as u16)
    }

    /// How many distinct numbers.
    pub fn numbers(&self) -> u64 {
        self.layers.numbers
    }

    /// Names of the plans in use, in order.
    pub fn plan_names(&self) -> &[String] {
        &self.layers.plans
    }

    /// How many accounts and groups have the same index in another directory, since it has the same images below.
    pub fn shared_with(&self, other: &Directory) -> (u32, u32) {
        let pairs = self.layers.images.iter().zip(&other.layers.images);
        let last = pairs.take_while(|(a, b)| a.tables.digest == b.tables.digest).last();
        last.map_or((0, 0), |(a, _)| (a.first.account + a.account_count(), a.first.group + a.group_count()))
    }

    /// The account's row in force at the instant.
    pub fn account_at(&self, name: &[u8], at: Timestamp) -> Option<Account<'_>> {
        self.row_at(name, at).map(|row| row.account())
    }

    /// The account of a name, whether or not a row of it is in force.
    pub fn account_named(&self, name: &[u8]) -> Option<AccountIndex> {
        self.holder(name).map(|(image, account, _)| AccountIndex(image.first.account + account))
    }

    /// The first row of the account of a name, whether or not it is in force.
    pub fn first_row(&self, name: &[u8]) -> Option<Account<'_>> {
        let (image, _, first) = self.holder(name)?;
        let item = image.row_items().get(first as usize)?;
        Some(image.account(first, item))
    }

    /// Who owns the number at the instant.
    pub fn owner_at(&self, number: Number, at: Timestamp) -> Option<Account<'_>> {
        self.owner_row_at(number, at).map(|row| row.account())
    }

    /// The row, as an [`Account`] of this directory gave it.
    ///
    /// A row that is not in this directory is an account without a name, whose billing never starts.
    pub fn row(&self, row: u32) -> Account<'_> {
        self.account_row(row).map_or(NOBODY, |row| row.account())
    }

    /// Whether the dialled digits are an extension of the account (row).
    pub fn is_extension(&self, row: u32, digits: &[u8]) -> bool {
        self.account_row(row).is_some_and(|row| row.has_extension(digits))
    }

    /// Every account name with its latest row, in name order, after a name (for paging).
    pub fn accounts_after(&self, after: &str, limit: usize) -> Vec<Account<'_>> {
        if let [image] = &self.layers.images[..] {
            return image.accounts_after(after, limit).collect();
        }
        // The first names of all images are among the first names of each; an upper image says anew what a lower one said.
        let mut found = BTreeMap::new();
        for image in &self.layers.images {
            found.extend(image.accounts_after(after, limit).map(|account| (account.name(), account)));
        }
        found.into_values().take(limit).collect()
    }

    fn top(&self) -> Option<&Image> {
        self.layers.images.last()
    }

    #[inline]
    pub(super) fn image_of(&self, row: u32) -> Option<(&Image, u32)> {
        let image = self.layers.images.iter().rfind(|image| image.first.row <= row)?;
        Some((image, row - image.first.row))
    }

    /// The uppermost image that says something of the account, with its number there and its first row.
    pub(super) fn holder(&self, name: &[u8]) -> Option<(&Image, u32, u32)> {
        self.layers.images.iter().rev().find_map(|image| {
            let (account, first) = image.account_slot(name)?;
            Some((image, account, first))
        })
    }

    #[inline]
    pub(super) fn number_slot(&self, number: Number) -> Option<(&Image, &Slot)> {
        self.layers.images.iter().rev().find_map(|image| Some((image, image.slot_of(number)?)))
    }
}

impl Image {
    #[inline]
    pub(super) fn section(&self, section: Section) -> &[u8] {
        &self.sections[section as usize]
    }

    /// A section of equal things.
    #[inline]
    fn items<T: FromBytes + KnownLayout + Immutable + Unaligned>(&self, section: Section) -> &[T] {
        <[T]>::ref_from_bytes(self.section(section)).unwrap_or(&[])
    }

    #[inline]
    pub(super) fn slot_of(&self, number: Number) -> Option<&Slot> {
        self.table(Section::Numbers)?.find(hash::mix(number.0)).next()
    }

    pub(super) fn account_count(&self) -> u32 {
        (self.firsts().len() as u32).saturating_sub(1)
    }

    pub(super) fn number_count(&self) -> u64 {
        let head = self.section(Section::Numbers).first_chunk();
        head.map_or(0, |head| u64::from_le_bytes(*head))
    }

    pub(super) fn group_count(&self) -> u32 {
        self.items::<TextAt>(Section::Groups).len() as u32
    }

    #[inline]
    pub(super) fn row_items(&self) -> &[Row] {
        self.items(Section::Rows)
    }

    pub(super) fn firsts(&self) -> &[U32] {
        self.items(Section::Accounts)
    }

    #[inline]
    pub(super) fn table(&self, section: Section) -> Option<hash::Table<'_>> {
        hash::Table::view(self.section(section))
    }

    pub(super) fn extensions(&self, item: &Row) -> &[ExtensionRange] {
        let ranges: &[ExtensionRange] = self.items(Section::Extensions);
        let from = item.extensions_at.get() as usize;
        ranges.get(from..).and_then(|rest| rest.get(..item.extensions.get() as usize)).unwrap_or(&[])
    }

    /// Spans of a number that does not belong to one account for ever.
    pub(super) fn spans(&self, slot: &Slot) -> &[Span] {
        let spans: &[Span] = self.items(Section::Spans);
        let spans = spans.get(slot.value.get() as usize..);
        spans.and_then(|spans| spans.get(..slot.extra.get() as usize)).unwrap_or(&[])
    }

    /// First row of the number's owner at the instant.
    #[inline]
    pub(super) fn owner(&self, slot: &Slot, at: Timestamp) -> Option<u32> {
        if slot.extra.get() == 0 {
            return Some(slot.value.get());
        }
        // A number changes hands a few times in its life: a short walk from the latest owner back.
        let span = self.spans(slot).iter().rev().find(|span| span.from.get() <= at.0)?;
        (at.0 < span.to.get()).then_some(span.row.get())
    }

    /// The account's number and first row. An account that is only named here, as a number's owner, is not meant.
    pub(super) fn account_slot(&self, name: &[u8]) -> Option<(u32, u32)> {
        let rows = self.row_items();
        let named = |slot: &&Slot| {
            rows.get(slot.value.get() as usize)
                .is_some_and(|row| !row.is_elsewhere() && self.text(row.text_at, row.name_length) == name)
        };
        let slot = self.table(Section::AccountNames)?.find(xxh3_64(name)).find(named)?;
        Some((slot.extra.get(), slot.value.get()))
    }

    fn accounts_after(&self, after: &str, limit: usize) -> impl Iterator<Item = Account<'_>> {
        let (rows, firsts) = (self.row_items(), self.firsts());
        let starts = firsts.split_last().map_or(&[][..], |(_, starts)| starts);
        let name = |first: &U32| rows.get(first.get() as usize).map_or(&[][..], |row| self.name(row).as_bytes());
        let at = starts.partition_point(|first| name(first) <= after.as_bytes());
        let latest = firsts.get(at + 1..).unwrap_or(&[]).iter().map(|end| end.get().wrapping_sub(1));
        let latest = latest.filter_map(|i| Some((i, rows.get(i as usize)?)));
        latest.filter(|(_, row)| !row.is_elsewhere()).take(limit).map(|(i, row)| self.account(i, row))
    }

    fn text(&self, at: U32, length: u8) -> &[u8] {
        let text = self.section(Section::Text);
        text.get(at.get() as usize..).and_then(|rest| rest.get(..usize::from(length))).unwrap_or(&[])
    }

    pub(super) fn name(&self, row: &Row) -> &str {
        std::str::from_utf8(self.text(row.text_at, row.name_length)).unwrap_or("")
    }

    /// What people call it; empty: its name.
    pub(super) fn display(&self, row: &Row) -> &str {
        let at = U32::new(row.text_at.get().saturating_add(u32::from(row.name_length)));
        std::str::from_utf8(self.text(at, row.display_length)).unwrap_or("")
    }

    /// Names of lists of free numbers, `;` between them.
    pub(super) fn free(&self, row: &Row) -> &str {
        let before = u32::from(row.name_length) + u32::from(row.display_length);
        let at = U32::new(row.text_at.get().saturating_add(before));
        std::str::from_utf8(self.text(at, row.free_length)).unwrap_or("")
    }

    pub(super) fn group_name(&self, group: u32) -> &str {
        let groups: &[TextAt] = self.items(Section::Groups);
        let text = self.section(Section::Text);
        let name = groups
            .get(group as usize)
            .and_then(|group| text.get(group.at.get() as usize..)?.get(..group.length.get() as usize));
        name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("")
    }

    /// Name and rules of a row's time zone.
    #[inline]
    pub(super) fn zone(&self, item: &Row) -> (&str, &Zone) {
        self.tables.zones.get(usize::from(item.zone.get())).map_or(("", NOBODY.zone), |(n, z)| (n.as_str(), z))
    }

    /// `row` is its place in this image.
    pub(super) fn account<'a>(&'a self, row: u32, item: &'a Row) -> Account<'a> {
        let (zone_name, zone) = self.zone(item);
        let bounded = |at: i64| (at != EVER && at != NEVER).then_some(Timestamp(at));
        Account {
            index: AccountIndex(self.first.account + item.account.get()),
            row: self.first.row + row,
            plan: self.tables.plans.get(usize::from(item.plan.get())).map_or("", String::as_str),
            plan_index: self.first.plan + item.plan.get(),
            country: Country([item.country[0], item.country[1], b' ']),
            valid_from: bounded(item.valid_from.get()),
            valid_to: bounded(item.valid_to.get()),
            billing_start: Timestamp(item.billing_start.get()),
            billing_end: bounded(item.billing_end.get()),
            zone,
            zone_name,
            zone_index: self.first.zone + item.zone.get(),
            language: LANGUAGES.get(usize::from(item.language)).copied().unwrap_or("en"),
            group_index: self.first.group + item.group.get(),
            names: Some(Names { image: self, row: item }),
        }
    }
}

impl<'a> Account<'a> {
    /// Whether this row says nothing but a name: what the account is stands in another image.
    pub fn is_only_named(&self) -> bool {
        self.names.is_none_or(|names| names.row.is_elsewhere())
    }

    /// 1 to 128 bytes without control characters and `/`.
    pub fn name(&self) -> &'a str {
        self.names.map_or("", |names| names.image.name(names.row))
    }

    /// Whose allowance is drawn; the account's own name where it has no group.
    pub fn group(&self) -> &'a str {
        self.names.map_or("", |names| match names.row.own_group {
            1 => names.image.name(names.row),
            _ => names.image.group_name(names.row.group.get()),
        })
    }

    /// Names of the lists of numbers that cost it nothing, as the tariff has them.
    pub fn free_lists(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let lists = self.names.filter(|names| names.row.free_length > 0).map(|Names { image, row }| image.free(row));
        lists.into_iter().flat_map(|lists| lists.split(';'))
    }

    /// What people call it; the account's name where none is given.
    pub fn display_name(&self) -> &'a str {
        self.names.map_or("", |Names { image, row }| match row.display_length {
            0 => image.name(row),
            _ => image.display(row),
        })
    }
}

/// Where an account's names are.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    image: &'a Image,
    row: &'a Row,
}

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.image.name(self.row))
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
