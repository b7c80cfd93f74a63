//! The layout of a directory image, and its complete check when it is opened.
//!
//! ```text
//! magic 8 │ version u32 │ sections u32 │ (kind u32, 0 u32, offset u64, length u64) × sections │ sections … │ BLAKE3 32
//! ```
//!
//! Everything is little-endian. Sections stand in order of their kind, each at a multiple of 64 bytes, with zeros between.
//! The trailing BLAKE3 is of everything before it; the digest that names the image is the BLAKE3 of the whole file, as
//! `b3sum` prints it.
//!
//! Does not know CSV or findings, nor which row holds at an instant.

use std::ops::Range;

use bytes::Bytes;
use zerocopy::byteorder::little_endian::{I64, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::field::{DISPLAY_BYTES_MAX, NAME_BYTES_MAX, key_digits};
use super::hash::{self, Slot};
use crate::tariff::{ImageError, PlanName};
use crate::time::Zone;

mod rows;

use rows::{Limits, Lists, rows_in_order};

/// First bytes; the line end shows whether a transfer took the image for text.
pub const MAGIC: [u8; 8] = *b"cRdir1\r\n";

/// Version of the layout.
pub const FORMAT: u32 = 1;

/// Sections begin at multiples of a cache line, so that a row of 64 bytes lies in one.
const ALIGN: usize = 64;
const HEAD: usize = 16;
const ENTRY: usize = 24;
const CHECKSUM: usize = 32;

/// What a section holds; the number is its kind.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Section {
    /// [`Row`]s by account name and instant.
    Rows,
    /// UTF-8 text without separators.
    Text,
    /// u32: each account's first row, and the number of rows.
    Accounts,
    /// [`hash`]: XXH3 of the name → first row, account.
    AccountNames,
    /// [`hash`]: mixed packed number → first row of the owner, 0; or first [`Span`], how many.
    Numbers,
    /// [`Span`]s of numbers that do not belong to one account for ever.
    Spans,
    /// [`ExtensionRange`]s, those of a row together.
    Extensions,
    /// [`TextAt`] of group names in order.
    Groups,
    /// [`TextAt`] of plan names in order.
    Plans,
    /// [`TextAt`] of zone names in order.
    Zones,
}

pub const SECTIONS: usize = Section::Zones as usize + 1;

/// A dated row of an account: one cache line.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Row {
    /// Microseconds; `i64::MIN` since ever.
    pub valid_from: I64,
    /// Exclusive; `i64::MAX` open-ended.
    pub valid_to: I64,
    pub billing_start: I64,
    /// Exclusive; `i64::MAX` open-ended.
    pub billing_end: I64,
    pub account: U32,
    pub group: U32,
    /// The account's name and, right behind it, the display name and the names of free-number lists.
    pub text_at: U32,
    pub extensions_at: U32,
    pub extensions: U32,
    pub plan: U16,
    pub zone: U16,
    pub country: [u8; 2],
    pub name_length: u8,
    /// 0: the account's name.
    pub display_length: u8,
    /// Index in [`LANGUAGES`].
    pub language: u8,
    /// 1: the group has the account's name.
    pub own_group: u8,
    /// 1: this image says nothing of the account but its name, as the owner of a number; its rows stand in another image.
    pub elsewhere: u8,
    /// Bytes right behind the display name: names of lists of free numbers, `;` between them.
    pub free_length: u8,
}

const _: () = assert!(size_of::<Row>() == ALIGN);
const _: () = assert!(NAME_BYTES_MAX <= u8::MAX as usize);
const _: () = assert!(DISPLAY_BYTES_MAX <= u8::MAX as usize);

/// A number belongs to an account for a while.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Span {
    pub from: I64,
    pub to: I64,
    /// First row of the owner.
    pub row: U32,
    pub zero: U32,
}

/// Extensions from one key to another, both included.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct ExtensionRange {
    pub low: zerocopy::little_endian::U64,
    pub high: zerocopy::little_endian::U64,
}

/// A text in the text section.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct TextAt {
    pub at: U32,
    pub length: U32,
}

/// What opening an image leaves in memory: where things are, and the few distinct names.
pub struct Tables {
    sections: [Range<usize>; SECTIONS],
    pub digest: String,
    pub plans: Vec<String>,
    /// Parallel to `plans`, for [`PlanName`].
    pub plan_fronts: Vec<u128>,
    /// Digits of the longest extension of any account.
    pub extension_digits_max: usize,
    pub zones: Vec<(String, Zone)>,
}

impl Tables {
    /// The bytes of a section.
    fn bytes<'a>(&self, image: &'a [u8], section: Section) -> &'a [u8] {
        image.get(self.sections[section as usize].clone()).unwrap_or(&[])
    }

    /// Each section by itself, so that no look-up has to cut it out.
    pub fn sections(&self, image: &Bytes) -> [Bytes; SECTIONS] {
        self.sections.clone().map(|range| image.get(range).map_or_else(Bytes::new, |section| image.slice_ref(section)))
    }
}

/// Puts sections, in order of kind, together.
pub fn write(sections: [Vec<u8>; SECTIONS]) -> Vec<u8> {
    let length: usize = sections.iter().map(|s| s.len().next_multiple_of(ALIGN)).sum();
    let mut image = Vec::with_capacity(HEAD + ENTRY * SECTIONS + ALIGN + length + CHECKSUM);
    image.extend_from_slice(&MAGIC);
    image.extend_from_slice(&FORMAT.to_le_bytes());
    image.extend_from_slice(&(SECTIONS as u32).to_le_bytes());
    let mut at = (HEAD + ENTRY * SECTIONS).next_multiple_of(ALIGN);
    for (kind, section) in sections.iter().enumerate() {
        image.extend_from_slice(&(kind as u64).to_le_bytes());
        image.extend_from_slice(&(at as u64).to_le_bytes());
        image.extend_from_slice(&(section.len() as u64).to_le_bytes());
        at = (at + section.len()).next_multiple_of(ALIGN);
    }
    for section in sections {
        image.resize(image.len().next_multiple_of(ALIGN), 0);
        image.extend_from_slice(&section);
    }
    image.resize(image.len().next_multiple_of(ALIGN), 0);
    let checksum = blake3::hash(&image);
    image.extend_from_slice(checksum.as_bytes());
    image
}

/// Checks everything: the checksum against accidents, then every offset, order and name, so that even an image made to
/// mislead can neither crash a look-up nor make it search without end.
pub fn open(image: &[u8]) -> Result<Tables, ImageError> {
    let (sections, digest) = frame(image)?;
    let (plans, plan_fronts, zones) = (Vec::new(), Vec::new(), Vec::new());
    let mut tables = Tables { sections, digest, plans, plan_fronts, extension_digits_max: 0, zones };
    contents(image, &mut tables).map_err(ImageError::Damaged)?;
    Ok(tables)
}

/// Header, section table and checksum.
fn frame(image: &[u8]) -> Result<([Range<usize>; SECTIONS], String), ImageError> {
    let u32_at = |at: usize| Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(image.get(at..at + 8)?.try_into().ok()?));
    if image.get(..MAGIC.len()) != Some(&MAGIC) {
        return Err(ImageError::Foreign);
    }
    let cut = ImageError::Damaged("cut short");
    let Some((body, checksum)) = image.split_last_chunk::<CHECKSUM>() else { return Err(cut) };
    let mut hasher = blake3::Hasher::new();
    hasher.update(body);
    let sound = hasher.finalize() == *checksum;
    // The version of a damaged image is not believed: a flipped bit there is damage, not a newer program.
    match (sound, u32_at(8)) {
        (false, _) => return Err(ImageError::Damaged("the checksum does not match")),
        (true, Some(FORMAT)) => {}
        (true, Some(version)) if version > FORMAT => return Err(ImageError::Newer(version)),
        _ => return Err(ImageError::Damaged("no such version")),
    }
    let mut sections = std::array::from_fn(|_| 0..0);
    let bad = ImageError::Damaged("the section table does not fit");
    let mut end = HEAD + ENTRY * SECTIONS;
    for (kind, section) in sections.iter_mut().enumerate() {
        let entry = HEAD + ENTRY * kind;
        let at = u64_at(entry + 8).and_then(|at| usize::try_from(at).ok());
        let length = u64_at(entry + 16).and_then(|length| usize::try_from(length).ok());
        let (Some(at), Some(length), Some(found)) = (at, length, u64_at(entry)) else { return Err(bad) };
        let gap = body.get(end..at);
        let zeros = gap.is_some_and(|gap| gap.iter().all(|b| *b == 0));
        if found != kind as u64 || at != end.next_multiple_of(ALIGN) || !zeros {
            return Err(bad);
        }
        end = at.checked_add(length).filter(|end| *end <= body.len()).ok_or(ImageError::Damaged("cut short"))?;
        *section = at..end;
    }
    let tail = body.get(end..).unwrap_or(&[]);
    if u32_at(12) != Some(SECTIONS as u32) || tail.len() >= ALIGN || tail.iter().any(|b| *b != 0) {
        return Err(bad);
    }
    let digest = hasher.update(checksum).finalize().to_hex().to_string();
    Ok((sections, digest))
}

/// Every section, each in one pass.
fn contents(image: &[u8], tables: &mut Tables) -> Result<(), &'static str> {
    let text = std::str::from_utf8(tables.bytes(image, Section::Text)).map_err(|_| "text is not UTF-8")?;
    tables.plans =
        names(text, image, tables, Section::Plans)?.map(|n| n.map(str::to_owned)).collect::<Result<_, _>>()?;
    tables.plan_fronts = tables.plans.iter().map(|name| PlanName::of(name).front).collect();
    let zone = |name: Result<&str, _>| {
        let name = name?;
        Ok((name.to_owned(), Zone::named(name).map_err(|_| "a time zone is not known to this program")?))
    };
    tables.zones = names(text, image, tables, Section::Zones)?.map(zone).collect::<Result<_, &'static str>>()?;
    let groups: Vec<&str> = names(text, image, tables, Section::Groups)?.collect::<Result<_, _>>()?;
    let extensions: &[ExtensionRange] = sized(image, tables, Section::Extensions)?;
    if extensions.iter().any(|range| range.low > range.high) {
        return Err("a range of extensions is upside down");
    }
    tables.extension_digits_max = extensions.iter().map(|range| key_digits(range.high.get())).max().unwrap_or(0);
    let limits = Limits {
        text,
        groups: &groups,
        plans: tables.plans.len(),
        zones: tables.zones.len(),
        extensions: Lists::new(extensions),
    };
    let rows: &[Row] = sized(image, tables, Section::Rows)?;
    let firsts: &[U32] = sized(image, tables, Section::Accounts)?;
    let first_rows = rows_in_order(rows, firsts, &limits)?;
    let spans: &[Span] = sized(image, tables, Section::Spans)?;
    let good_span = |span: &Span| span.from < span.to && first_rows.has(span.row.get()) && span.zero.get() == 0;
    if !spans.iter().all(good_span) {
        return Err("a number's span");
    }
    let account = |slot: &Slot| {
        let account = slot.extra.get() as usize;
        account + 1 < firsts.len() && firsts.get(account).is_some_and(|first| first.get() == slot.value.get())
    };
    let accounts = hash::Table::validate(tables.bytes(image, Section::AccountNames), account);
    if accounts != Some(firsts.len() as u64 - 1) {
        return Err("the table of account names");
    }
    let mut spans_left = spans.len();
    let number = |slot: &Slot| match (slot.value.get(), slot.extra.get() as usize) {
        (row, 0) => first_rows.has(row),
        (at, count) => {
            // No span serves two numbers, so that this walks each at most once.
            let Some(left) = spans_left.checked_sub(count) else { return false };
            spans_left = left;
            let spans = spans.get(at as usize..(at as usize).saturating_add(count));
            spans.is_some_and(|spans| spans.windows(2).all(|pair| pair[0].to <= pair[1].from))
        }
    };
    hash::Table::validate(tables.bytes(image, Section::Numbers), number).ok_or("the table of numbers")?;
    if spans_left == 0 { Ok(()) } else { Err("spans of no number") }
}

fn sized<'a, T: FromBytes + KnownLayout + Immutable + Unaligned>(
    image: &'a [u8],
    tables: &Tables,
    section: Section,
) -> Result<&'a [T], &'static str> {
    <[T]>::ref_from_bytes(tables.bytes(image, section)).map_err(|_| "a section is not a whole number of items")
}

/// Texts of a section, refused unless they rise.
fn names<'a>(
    text: &'a str,
    image: &'a [u8],
    tables: &Tables,
    section: Section,
) -> Result<impl Iterator<Item = Result<&'a str, &'static str>> + use<'a>, &'static str> {
    let items: &[TextAt] = sized(image, tables, section)?;
    let mut last = "";
    Ok(items.iter().map(move |item| {
        let name = slice(text, item.at, item.length.get() as usize).ok_or("a name lies outside the text")?;
        if name <= last {
            return Err("names are not in order");
        }
        last = name;
        Ok(name)
    }))
}

fn slice(text: &str, at: U32, length: usize) -> Option<&str> {
    let at = at.get() as usize;
    text.get(at..at.checked_add(length)?)
}
