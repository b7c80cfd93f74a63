//! An image of what was changed by itself, as rows to be changed further.
//!
//! Does not know who changes anything, nor where images lie.

use std::collections::BTreeMap;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::field::LANGUAGES;
use super::hash;
use zerocopy::byteorder::little_endian::{I64, U16, U32};

use super::back::Back;
use super::image::{Row, Section};
use super::read::{AccountRow, EVER, NEVER, NumberRow, Rows};
use super::{Directory, Image};
use crate::number::Number;
use crate::time::Zone;

/// What an account is for a while.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Terms {
    /// Name of the plan.
    pub plan: Box<str>,
    /// ISO 3166.
    pub country: [u8; 2],
    /// IANA name of the zone.
    pub zone: Box<str>,
    /// Place in the list of languages.
    pub language: u8,
    /// Microseconds; the first billed instant.
    pub billing_start: i64,
    /// Exclusive; `i64::MAX`: open.
    pub billing_end: i64,
    /// None: a group of the account's own name.
    pub group: Option<Box<str>>,
    /// What people call it; empty: its name.
    pub display: Box<str>,
    /// Ranges of extensions, sorted, apart from each other; each end holds length and value.
    pub extensions: Vec<(u64, u64)>,
    /// Names of lists of free numbers, `;` between them.
    pub free: Box<str>,
}

impl Terms {
    /// `en`, `de` or `it`.
    pub fn language_name(&self) -> &'static str {
        LANGUAGES.get(usize::from(self.language)).copied().unwrap_or("en")
    }

    /// Extensions as they are written in a file: `100-199;2001`.
    pub fn extensions_text(&self) -> String {
        let digits = |key: u64| {
            let (length, value) = ((key >> 56) as usize, key & ((1 << 56) - 1));
            format!("{value:0length$}")
        };
        let range = |(low, high): &(u64, u64)| match low == high {
            true => digits(*low),
            false => format!("{}-{}", digits(*low), digits(*high)),
        };
        self.extensions.iter().map(range).collect::<Vec<_>>().join(";")
    }
}

impl Default for Terms {
    /// Of an account of which nothing was said yet.
    fn default() -> Terms {
        Terms {
            plan: "".into(),
            country: [0; 2],
            zone: "UTC".into(),
            language: 0,
            billing_start: EVER,
            billing_end: NEVER,
            group: None,
            display: "".into(),
            extensions: Vec::new(),
            free: "".into(),
        }
    }
}

/// A dated row of an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Dated {
    /// Microseconds; `i64::MIN`: since ever.
    pub from: i64,
    /// Exclusive; `i64::MAX`: open.
    pub to: i64,
    /// What it says.
    pub terms: Terms,
}

/// A number belongs to an account for a while.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Owned {
    /// Microseconds; `i64::MIN`: since ever.
    pub from: i64,
    /// Exclusive; `i64::MAX`: open.
    pub to: i64,
    /// The account.
    pub account: Box<str>,
}

/// Names what an account's rows, or a number's owners, are: others, another revision.
pub fn revision<T: Serialize>(rows: &[T]) -> String {
    // Plain text and numbers always serialise.
    format!("{:016x}", xxh3_64(&serde_json::to_vec(rows).unwrap_or_default()))
}

/// Rows of an image on top of others: whole accounts and whole numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Layer {
    /// Each account's rows in order; never empty, never overlapping.
    pub accounts: BTreeMap<Box<str>, Vec<Dated>>,
    /// Each number's owners in order; never empty, never overlapping.
    pub numbers: BTreeMap<Number, Vec<Owned>>,
    /// Of these, what is again what the files say: no upper image is to name it.
    pub back: Back,
}

impl Layer {
    /// How many accounts and numbers.
    pub fn items(&self) -> usize {
        self.accounts.len() + self.numbers.len()
    }

    /// Takes what only a lower one says.
    pub fn absorb(&mut self, lower: Layer) {
        for (name, rows) in lower.accounts {
            self.accounts.entry(name).or_insert(rows);
        }
        for (number, owners) in lower.numbers {
            self.numbers.entry(number).or_insert(owners);
        }
    }

    /// The image of these rows. Owners that are not among them are named only: other images say what they are.
    ///
    /// # Errors
    /// More than an image can number, in words.
    pub fn image(&self) -> Result<Vec<u8>, String> {
        super::compile::image(&self.rows()).map_err(|e| e.to_string())
    }

    /// The rows as a file's are read.
    pub(super) fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        let owners = self.numbers.values().flatten().map(|owned| &owned.account);
        let mut names: Vec<&Box<str>> = self.accounts.keys().chain(owners).collect();
        names.sort_unstable();
        names.dedup();
        for name in &names {
            match self.accounts.get(*name) {
                Some(dated) => {
                    for row in dated {
                        let row = account_row(name, row, &mut rows);
                        rows.accounts.push(row);
                    }
                }
                None => rows.accounts.push(elsewhere(name)),
            }
        }
        for (number, owners) in &self.numbers {
            for owned in owners {
                // Every owner is among the names.
                let account = names.partition_point(|name| **name < owned.account) as u32;
                rows.numbers.push(NumberRow { line: 0, number: *number, account, from: owned.from, to: owned.to });
            }
        }
        rows.names = names.into_iter().cloned().collect();
        rows
    }
}

/// A row that was read, by itself.
pub(super) fn dated(row: &AccountRow, rows: &Rows) -> Dated {
    let zone = rows.zones.list.get(row.zone as usize).map_or("UTC", |(name, _)| name);
    let terms = Terms {
        plan: rows.plans.list.get(row.plan as usize).map_or("", |(name, ())| name).into(),
        country: row.country,
        zone: zone.into(),
        language: row.language,
        billing_start: row.billing_start,
        billing_end: row.billing_end,
        group: row.group.clone(),
        display: row.display.clone(),
        extensions: row.extensions.clone(),
        free: row.free.clone(),
    };
    Dated { from: row.from, to: row.to, terms }
}

fn account_row(name: &str, row: &Dated, rows: &mut Rows) -> AccountRow {
    let Dated { from, to, terms } = row;
    let zone = |zones: &mut super::read::Names<Zone>| {
        // The zone was found by this very name before.
        zones.add(&terms.zone, Zone::named(&terms.zone).unwrap_or(Zone::UTC))
    };
    AccountRow {
        line: 0,
        plan_column: 0,
        country_column: 0,
        name: name.into(),
        plan: rows.plans.get(&terms.plan).unwrap_or_else(|| rows.plans.add(&terms.plan, ())),
        zone: rows.zones.get(&terms.zone).unwrap_or_else(|| zone(&mut rows.zones)),
        country: terms.country,
        language: terms.language,
        billing_start: terms.billing_start,
        billing_end: terms.billing_end,
        from: *from,
        to: *to,
        group: terms.group.clone(),
        display: terms.display.clone(),
        extensions: terms.extensions.clone(),
        free: terms.free.clone(),
        free_column: 0,
        elsewhere: false,
    }
}

fn elsewhere(name: &str) -> AccountRow {
    AccountRow {
        line: 0,
        plan_column: 0,
        country_column: 0,
        name: name.into(),
        plan: 0,
        zone: 0,
        country: [0; 2],
        language: 0,
        billing_start: 0,
        billing_end: 0,
        from: EVER,
        to: NEVER,
        group: None,
        display: "".into(),
        extensions: Vec::new(),
        free: "".into(),
        free_column: 0,
        elsewhere: true,
    }
}

impl Directory {
    /// Every dated row of an account, in order; empty if it is not known.
    pub fn rows_of(&self, name: &str) -> Vec<Dated> {
        self.holder(name.as_bytes()).map_or_else(Vec::new, |(image, _, first)| image.dated(first))
    }

    /// Every owner of a number, in order; empty if it is not known.
    pub fn owners_of(&self, number: Number) -> Vec<Owned> {
        self.number_slot(number).map_or_else(Vec::new, |(image, slot)| image.owners(slot))
    }

    /// Whether the account is what the lowest image says: nothing on top of it names it.
    pub fn account_lies_lowest(&self, name: &str) -> bool {
        self.holder(name.as_bytes()).is_some_and(|(image, ..)| image.first.row == 0 && self.layers.images[0].is(image))
    }

    /// The same for a number.
    pub fn number_lies_lowest(&self, number: Number) -> bool {
        self.number_slot(number).is_some_and(|(image, _)| self.layers.images[0].is(image))
    }

    /// Digests of its images, from the lowest to the uppermost.
    pub fn images(&self) -> Vec<&str> {
        self.layers.images.iter().map(|image| &*image.tables.digest).collect()
    }

    /// Accounts and numbers that each image names.
    pub fn image_items(&self) -> Vec<usize> {
        let items = |image: &Image| image.account_count() as usize + image.number_count() as usize;
        self.layers.images.iter().map(items).collect()
    }

    /// The rows of one of its images, counted from the lowest.
    pub fn layer(&self, at: usize) -> Layer {
        self.layers.images.get(at).map_or_else(Layer::default, Image::layer)
    }
}

impl Image {
    pub(super) fn is(&self, other: &Image) -> bool {
        std::ptr::eq(self, other)
    }

    /// First rows of the accounts of which it says more than a name.
    fn accounts(&self) -> impl Iterator<Item = (u32, &Row)> {
        let starts = self.firsts().split_last().map_or(&[][..], |(_, starts)| starts);
        let rows = starts.iter().filter_map(|first| Some((first.get(), self.row_items().get(first.get() as usize)?)));
        rows.filter(|(_, row)| !row.is_elsewhere())
    }

    pub(super) fn account_names(&self) -> impl Iterator<Item = &str> {
        self.accounts().map(|(_, row)| self.name(row))
    }

    fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        for (first, row) in self.accounts() {
            layer.accounts.insert(self.name(row).into(), self.dated(first));
        }
        for slot in self.table(Section::Numbers).iter().flat_map(hash::Table::iter) {
            layer.numbers.insert(Number(hash::unmix(slot.key.get())), self.owners(slot));
        }
        layer
    }

    pub(super) fn dated(&self, first: u32) -> Vec<Dated> {
        let rows = self.row_items().get(first as usize..).unwrap_or(&[]);
        let Some(account) = rows.first().map(|row| row.account) else { return Vec::new() };
        let same = rows.iter().take_while(|row| row.account == account);
        same.map(|row| Dated { from: row.valid_from.get(), to: row.valid_to.get(), terms: self.terms(row) }).collect()
    }

    fn terms(&self, row: &Row) -> Terms {
        let extensions = self.extensions(row).iter().map(|range| (range.low.get(), range.high.get())).collect();
        let zones = &self.tables.zones;
        Terms {
            plan: self.tables.plans.get(usize::from(row.plan.get())).map_or("", String::as_str).into(),
            country: row.country,
            zone: zones.get(usize::from(row.zone.get())).map_or("UTC", |(name, _)| name).into(),
            language: row.language,
            billing_start: row.billing_start.get(),
            billing_end: row.billing_end.get(),
            group: (row.own_group == 0).then(|| self.group_name(row.group.get()).into()),
            display: self.display(row).into(),
            extensions,
            free: self.free(row).into(),
        }
    }

    pub(super) fn owners(&self, slot: &hash::Slot) -> Vec<Owned> {
        let name = |row: u32| self.row_items().get(row as usize).map_or("", |row| self.name(row));
        if slot.extra.get() == 0 {
            return vec![Owned { from: EVER, to: NEVER, account: name(slot.value.get()).into() }];
        }
        let owned = |span: &super::image::Span| Owned {
            from: span.from.get(),
            to: span.to.get(),
            account: name(span.row.get()).into(),
        };
        self.spans(slot).iter().map(owned).collect()
    }
}

impl Row {
    /// All that such a row says, but for the name.
    pub const ELSEWHERE: Row = Row {
        valid_from: I64::new(i64::MIN),
        valid_to: I64::new(i64::MAX),
        billing_start: I64::ZERO,
        billing_end: I64::ZERO,
        account: U32::ZERO,
        group: U32::ZERO,
        text_at: U32::ZERO,
        extensions_at: U32::ZERO,
        extensions: U32::ZERO,
        plan: U16::ZERO,
        zone: U16::ZERO,
        country: [0; 2],
        name_length: 0,
        display_length: 0,
        language: 0,
        own_group: 0,
        elsewhere: 1,
        free_length: 0,
    };

    pub fn is_elsewhere(&self) -> bool {
        self.elsewhere == 1
    }
}
