//! Accounts, numbers and extensions as one content-addressed image, looked up at an instant.
//!
//! ```text
//! accounts.csv ─┐  table     read                compile           image             lookup
//! numbers.csv  ─┴─▶ cells ─▶ checked rows ─────▶ sorted sections ─▶ bytes, opened ──▶ row at an instant
//! ```
//!
//! The same rows in any order give the same bytes, so the BLAKE3 of an image names what it says. Rows are dated: an
//! account may change its plan, country or zone at an instant, and a number may move between accounts.
//!
//! What is changed by itself lies in further images on top of that one: `change` reads and applies a change, `layer` holds
//! the rows of such an image.
//!
//! Does not know files, tariffs (a plan is only a name here), how a dialled number is read, or what a call costs.

mod ahead;
mod apply;
mod back;
mod change;
mod compile;
mod composition;
mod dated;
mod field;
mod hash;
mod image;
mod import;
mod layer;
mod line;
mod lookup;
mod read;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use crate::number::{Country, Number};
use crate::tariff::{Finding, ImageError, Severity};
use crate::time::{Timestamp, Zone};

pub use ahead::OwnerPlace;
pub use apply::changed;
pub use back::Back;
pub use change::{AccountSet, Asked, Change, Conflict, Edited, NumberSet, Refusal};
pub use composition::Composition;
pub use image::{FORMAT, MAGIC};
pub use layer::{Dated, Layer, Owned, Terms, revision};
pub use line::AccountRow;

/// Text → image.
///
/// `accounts_csv` must have a header row; an empty `numbers_csv` means that there are no numbers. The image comes with
/// the warnings; if anything is an error there is no image and all findings are given, in the order of the files' lines.
/// A file is read up to its thousandth error.
pub fn compile(accounts_csv: &[u8], numbers_csv: &[u8]) -> Result<(Vec<u8>, Vec<Finding>), Vec<Finding>> {
    let (rows, findings) = read::read(accounts_csv, numbers_csv);
    if findings.iter().any(|f| f.severity == Severity::Error) {
        return Err(findings);
    }
    match compile::image(&rows) {
        Ok(image) => Ok((image, findings)),
        Err(too_large) => {
            let mut findings = findings;
            findings.push(Finding {
                severity: Severity::Error,
                file: read::ACCOUNTS.to_owned(),
                line: 0,
                column: 0,
                message: format!("too large for one image: {too_large}"),
                hint: "split it over several installations".to_owned(),
            });
            Err(findings)
        }
    }
}

/// What a row of `accounts.csv` says of plan and country; for findings about rows that fit no plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowUse {
    /// Line of the row.
    pub line: u32,
    /// Account.
    pub account: String,
    /// Plan.
    pub plan: String,
    /// Where in the line it stands.
    pub plan_column: u32,
    /// Country.
    pub country: Country,
    /// Where in the line it stands.
    pub country_column: u32,
    /// Lists of free numbers.
    pub free: Vec<String>,
    /// Where in the line they stand.
    pub free_column: u32,
}

/// The plans and countries that the good rows of `accounts.csv` name, in the order of lines.
pub fn uses(accounts_csv: &[u8]) -> Vec<RowUse> {
    let (rows, _) = read::read(accounts_csv, b"");
    let mut uses: Vec<RowUse> = rows
        .accounts
        .iter()
        .map(|row| RowUse {
            line: row.line,
            account: row.name.to_string(),
            plan: rows.plans.list.get(row.plan as usize).map_or_else(String::new, |(name, ())| name.to_string()),
            plan_column: row.plan_column,
            country: Country::parse(&String::from_utf8_lossy(&row.country)).unwrap_or(Country::WORLD),
            country_column: row.country_column,
            free: row.free.split(';').filter(|list| !list.is_empty()).map(str::to_owned).collect(),
            free_column: row.free_column,
        })
        .collect();
    uses.sort_by_key(|row| row.line);
    uses
}

/// The numbers of the good rows, each with the country of its first owner, in the order of numbers.
pub fn owned(accounts_csv: &[u8], numbers_csv: &[u8]) -> Vec<(Number, Country)> {
    let (rows, _) = read::read(accounts_csv, numbers_csv);
    let country_of = |account: u32| {
        let name = rows.names.get(account as usize)?;
        let row = rows.accounts.iter().find(|row| row.name == *name)?;
        Country::parse(&String::from_utf8_lossy(&row.country))
    };
    let mut owned: Vec<(Number, Country)> =
        rows.numbers.iter().filter_map(|row| Some((row.number, country_of(row.account)?))).collect();
    owned.dedup_by_key(|(number, _)| *number);
    owned
}

/// An account in this directory image, whatever its dated rows: its place in name order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountIndex(pub u32);

/// A dated row of an account.
///
/// What rating asks for is at hand; the names, which lie elsewhere in memory, are fetched when asked for.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Which account, whatever its dated rows.
    pub index: AccountIndex,
    /// The row, for a later `Directory::row`.
    pub row: u32,
    /// Name of the plan, as the tariff has it.
    pub plan: &'a str,
    /// Index of the plan name in `Directory::plan_names`, so that a plan is looked up once per image.
    pub plan_index: u16,
    /// Home country: decides how dialled digits are read and what counts as home.
    pub country: Country,
    /// First instant from which this row holds; none: since ever.
    pub valid_from: Option<Timestamp>,
    /// First instant from which it does not hold any more; none: open-ended.
    pub valid_to: Option<Timestamp>,
    /// 00:00 of the billing start date in the account's zone.
    pub billing_start: Timestamp,
    /// First instant that is not billed any more.
    pub billing_end: Option<Timestamp>,
    /// Time zone in which months and days of the account begin.
    pub zone: &'a Zone,
    /// IANA name of the zone, such as `Europe/Berlin`.
    pub zone_name: &'a str,
    /// Index of the zone in this image, below `Directory::zones`.
    pub zone_index: u16,
    /// `en`, `de` or `it`.
    pub language: &'a str,
    /// Index of the group in this image, below `Directory::groups`. Accounts of one group share it.
    pub group_index: u32,
    /// Where the names are; none for a row that is not there.
    names: Option<lookup::Names<'a>>,
}

/// An opened directory: one image, or several of which the upper ones say anew what they name. Cheap to clone.
///
/// An account or a number is what the uppermost image says that names it. So a change of one account among a million is an
/// image of one account, on top of those that were there before.
#[derive(Clone)]
pub struct Directory {
    layers: Arc<Layers>,
}

/// What a directory consists of.
struct Layers {
    /// From the lowest to the uppermost; never empty.
    images: Vec<Image>,
    digest: String,
    /// Names of plans, distinct, in order.
    plans: Vec<String>,
    accounts: u32,
    numbers: u64,
    /// What it consists of, as others hold it, too: as long as this one is open, so are they.
    #[allow(dead_code, reason = "held, not read")]
    held: Vec<Arc<Directory>>,
}

/// One image of a directory, and where its rows and names begin among those of all.
#[derive(Clone)]
struct Image {
    bytes: Bytes,
    /// Views of its sections, in the order of their kinds.
    sections: [Bytes; image::SECTIONS],
    tables: Arc<image::Tables>,
    first: First,
}

/// How much of each the images below have.
#[derive(Clone, Copy, Default)]
struct First {
    row: u32,
    account: u32,
    group: u32,
    plan: u16,
    zone: u16,
}

impl Directory {
    /// Checks everything once: magic, version, BLAKE3, every offset. Look-ups trust it afterwards.
    pub fn open(bytes: Bytes) -> Result<Directory, ImageError> {
        let tables = Arc::new(image::open(&bytes)?);
        let (digest, plans) = (tables.digest.clone(), tables.plans.clone());
        let image = Image { sections: tables.sections(&bytes), bytes, tables, first: First::default() };
        let (accounts, numbers) = (image.account_count(), image.number_count());
        Ok(Directory {
            layers: Arc::new(Layers { images: vec![image], digest, plans, accounts, numbers, held: Vec::new() }),
        })
    }

    /// The lowest image itself, to be kept or sent: of a directory of one image, its BLAKE3 is [`Directory::digest`].
    pub fn bytes(&self) -> &Bytes {
        &self.layers.images[0].bytes
    }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Directory({})", self.digest())
    }
}
