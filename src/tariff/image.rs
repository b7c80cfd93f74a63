//! The tariff image: sections in one file that can be mapped and read in place, little-endian, known by its digest.
//!
//! ```text
//! head      "cRtariff" │ version u32 │ sections u32
//! directory kind u16 │ index u16 │ zero u32 │ offset u64 │ length u64     for each section
//! sections  each on a cache line of its own
//! digest    BLAKE3 of everything before it, 32 bytes: `head -c -32 FILE | b3sum`
//! ```
//!
//! The digest at the end is the image's name everywhere: file name, activation, proof.
//!
//! Does not know what rows mean or how they are found.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::buying::StoredBuying;
use super::deck::Terms;
use super::exchange::DatedRate;
use super::free::FreeList;
use super::pools::StoredPool;
use super::rollover::RolloverTerms;
use super::tiers::StoredTier;
use super::{Allowance, Bands, ImageError, Internal, Overage};
use crate::call::{CallType, StepMode, StepRule};
use crate::money::{MONEY_INPUT_MAX, Money, Price};
use crate::time::{Micros, Timestamp};

mod condition;
mod decks;
mod steps;
mod writer;

pub use condition::{StoredCalendar, StoredCondition};
pub use decks::{StoredDeck, StoredList};
pub use steps::StoredSteps;
pub use writer::Writer;

const MAGIC: [u8; 8] = *b"cRtariff";
/// Layout version; a reader keeps every version ever released.
///
/// - 1: rows hold always, for every caller.
/// - 2: [`Kind::Conditions`], [`Meta::calendars`] and states; absent from version 1, whose terms have no condition.
const VERSION: u32 = 2;
const DIGEST_BYTES: usize = 32;
const LINE: usize = 64;
/// Two sections for each index of each deck list are by far the most; more than this is damage.
const SECTIONS_MAX: u32 = 1 << 18;

/// What a section holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Kind {
    /// [`Meta`] as JSON.
    Meta = 1,
    /// [`crate::number::countries::Countries`] as JSON.
    Countries = 2,
    /// The numbering plan.
    Numbering = 3,
    /// [`StoredRow`]s of all decks, by deck name, prefix, later first.
    Rows = 4,
    /// The rows' prefixes, [`crate::number::prefix::codes`].
    RowPrefixes = 5,
    /// [`StoredTerms`].
    Terms = 6,
    /// Destination names, each behind its length in a u16.
    Names = 7,
    /// A prefix map: index is twice the deck list's, one more for rows that name a call type.
    Map = 8,
    /// What each id of that map stands for: u32s, see [`ENTRY_MANY`].
    Entries = 9,
    /// [`StoredCondition`]s.
    Conditions = 10,
    /// A prefix map of states; empty where there are none.
    StateMap = 11,
    /// Their names, one for each id of that map.
    States = 12,
}

/// An entry without this bit is a row; with it, the place in the same section of a count and as many rows, first
/// choice first.
pub const ENTRY_MANY: u32 = 1 << 31;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
struct Head {
    magic: [u8; 8],
    version: U32,
    sections: U32,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
struct Section {
    kind: U16,
    index: U16,
    zero: U32,
    offset: U64,
    length: U64,
}

/// A row: which terms, which destination, how many digits.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub struct StoredRow {
    /// Index of the terms (28 bits), and the prefix's digits less one (low 4 bits).
    terms_and_digits: U32,
    /// Offset of the destination in [`Kind::Names`].
    pub name: U32,
}

impl StoredRow {
    pub fn new(terms: u32, digits: usize, name: u32) -> StoredRow {
        StoredRow { terms_and_digits: U32::new(terms << 4 | (digits.clamp(1, 16) - 1) as u32), name: U32::new(name) }
    }

    pub fn terms(&self) -> usize {
        (self.terms_and_digits.get() >> 4) as usize
    }

    pub fn digits(&self) -> usize {
        (self.terms_and_digits.get() & 0xF) as usize + 1
    }
}

/// [`Terms`] as stored.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub struct StoredTerms {
    rate: I64,
    connect_fee: I64,
    /// [`ABSENT`]: none.
    minimum_cost: I64,
    /// [`ABSENT`]: none.
    maximum_cost: I64,
    /// First instant, `i64::MIN` if there is none.
    valid_from: I64,
    /// First instant after, `i64::MAX` if there is none.
    valid_to: I64,
    free_below: I64,
    /// 0: the row has no steps.
    increment: U32,
    initial: U32,
    minimum: U32,
    mode: u8,
    /// 255: none.
    call_type: u8,
    blocked: u8,
    zero: u8,
    /// What else the row asks of a call: 0: nothing, else the place in [`Kind::Conditions`], counted from 1.
    pub condition: U32,
    reserved: U32,
}

const _: () = assert!(size_of::<StoredRow>() == 8 && size_of::<StoredTerms>() == 80);
const ABSENT: i64 = i64::MIN;
const NO_TYPE: u8 = 255;

impl StoredTerms {
    pub fn new(terms: &Terms) -> StoredTerms {
        let optional = |money: Option<Money>| I64::new(money.map_or(ABSENT, |m| m.0));
        let steps = terms.steps;
        let seconds = |get: fn(StepRule) -> u32| U32::new(steps.map_or(0, get));
        StoredTerms {
            rate: I64::new(terms.price.rate.0),
            connect_fee: I64::new(terms.price.connect_fee.0),
            minimum_cost: optional(terms.price.minimum_cost),
            maximum_cost: optional(terms.price.maximum_cost),
            valid_from: I64::new(terms.valid_from.map_or(i64::MIN, |t| t.0)),
            valid_to: I64::new(terms.valid_to.map_or(i64::MAX, |t| t.0)),
            free_below: I64::new(steps.map_or(0, |s| s.free_below.0)),
            increment: seconds(|s| s.increment),
            initial: seconds(|s| s.initial),
            minimum: seconds(|s| s.minimum),
            mode: steps.map_or(0, |s| s.mode as u8),
            call_type: terms.call_type.map_or(NO_TYPE, |t| t as u8),
            blocked: u8::from(terms.blocked),
            zero: 0,
            condition: U32::new(terms.condition),
            reserved: U32::new(0),
        }
    }

    #[inline]
    pub fn in_force(&self, at: Timestamp) -> bool {
        self.valid_from.get() <= at.0 && at.0 < self.valid_to.get()
    }

    #[inline]
    pub fn names_a_type(&self) -> bool {
        self.call_type != NO_TYPE
    }

    #[inline]
    pub fn call_type(&self) -> Option<CallType> {
        CallType::ALL.get(usize::from(self.call_type)).copied()
    }

    #[inline]
    pub fn blocked(&self) -> bool {
        self.blocked != 0
    }

    #[inline]
    pub fn price(&self) -> Price {
        let optional = |money: I64| (money.get() != ABSENT).then_some(Money(money.get()));
        Price {
            rate: Money(self.rate.get()),
            connect_fee: Money(self.connect_fee.get()),
            minimum_cost: optional(self.minimum_cost),
            maximum_cost: optional(self.maximum_cost),
        }
    }

    #[inline]
    pub fn steps(&self) -> Option<StepRule> {
        let mode = StepMode::ALL.get(usize::from(self.mode)).copied().unwrap_or(StepMode::Up);
        (self.increment.get() != 0).then_some(StepRule {
            mode,
            initial: self.initial.get(),
            increment: self.increment.get(),
            minimum: self.minimum.get(),
            free_below: Micros(self.free_below.get()),
        })
    }

    pub fn terms(&self) -> Terms {
        Terms {
            call_type: self.call_type(),
            price: self.price(),
            steps: self.steps(),
            blocked: self.blocked(),
            valid_from: (self.valid_from.get() != i64::MIN).then_some(Timestamp(self.valid_from.get())),
            valid_to: (self.valid_to.get() != i64::MAX).then_some(Timestamp(self.valid_to.get())),
            condition: self.condition.get(),
        }
    }

    /// Whether these are terms a deck could have given, in an image of so many conditions: a call can be priced with them
    /// without overflow.
    pub fn sound(&self, conditions: usize) -> bool {
        let most = MONEY_INPUT_MAX * 1_000_000_000;
        let terms = self.terms();
        let priced =
            [Some(terms.price.rate), Some(terms.price.connect_fee), terms.price.minimum_cost, terms.price.maximum_cost];
        priced.into_iter().flatten().all(|m| (0..=most).contains(&m.0))
            && terms.steps.is_none_or(|s| s.check().is_ok())
            && usize::from(self.mode) < StepMode::ALL.len()
            && (self.call_type == NO_TYPE || usize::from(self.call_type) < CallType::ALL.len())
            && self.blocked <= 1
            && self.condition.get() as usize <= conditions
    }
}

/// The small things, as JSON.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Meta {
    pub plans: Vec<StoredPlan>,
    pub decks: Vec<StoredDeck>,
    /// Distinct deck lists of plans.
    pub lists: Vec<StoredList>,
    /// Distinct prefixes over all decks.
    pub prefixes: u64,
    /// Whose clocks and holidays bands mean.
    #[serde(default)]
    pub calendars: Vec<StoredCalendar>,
    /// By pair and date.
    #[serde(default)]
    pub exchange: Vec<DatedRate>,
    /// Names of the carriers that plans tell apart, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carriers: Vec<String>,
    /// By name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub free: Vec<FreeList>,
}

/// A plan as stored; plans are in the order of their names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredPlan {
    pub name: String,
    pub country: String,
    pub currency: String,
    pub allowance: Allowance,
    pub overage: Overage,
    pub steps: Option<StoredSteps>,
    pub prorate_first: bool,
    pub cost_decimals: u8,
    /// Country and kinds (bit n: the kind with discriminant n).
    pub included: Vec<(String, u16)>,
    pub outbound_list: u16,
    pub inbound_list: u16,
    #[serde(default)]
    pub bands: Bands,
    #[serde(default)]
    pub internal: Internal,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buying: Option<StoredBuying>,
    /// Lists of free numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub free: Vec<String>,
    // Left out where they say nothing, so that images of plans without them are what they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<StoredPool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<RolloverTerms>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<StoredTier>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prorate_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successive: Option<super::successive::Successive>,
}

/// Where the sections of an image lie, its digest checked.
#[derive(Clone, Debug)]
pub struct Sections {
    list: Vec<(u16, u16, Range<usize>)>,
    /// BLAKE3, lower-case hex.
    pub digest: String,
}

impl Sections {
    pub fn read(bytes: &[u8]) -> Result<Sections, ImageError> {
        let (head, rest) = Head::read_from_prefix(bytes).map_err(|_| ImageError::Foreign)?;
        if head.magic != MAGIC {
            return Err(ImageError::Foreign);
        }
        if head.version.get() > VERSION {
            return Err(ImageError::Newer(head.version.get()));
        }
        if head.version.get() == 0 || head.sections.get() > SECTIONS_MAX {
            return Err(ImageError::Damaged("head"));
        }
        let content = bytes.len().checked_sub(DIGEST_BYTES).ok_or(ImageError::Damaged("cut short"))?;
        let (content, digest) = bytes.split_at(content);
        let computed = blake3::hash(content);
        if computed.as_bytes().as_slice() != digest {
            return Err(ImageError::Damaged("the digest is another"));
        }
        let (directory, _) = <[Section]>::ref_from_prefix_with_elems(rest, head.sections.get() as usize)
            .map_err(|_| ImageError::Damaged("directory"))?;
        let mut list = Vec::with_capacity(directory.len());
        for section in directory {
            let range = usize::try_from(section.offset.get()).ok().and_then(|offset| {
                let end = offset.checked_add(usize::try_from(section.length.get()).ok()?)?;
                (end <= content.len()).then_some(offset..end)
            });
            let range = range.ok_or(ImageError::Damaged("a section leaves the file"))?;
            list.push((section.kind.get(), section.index.get(), range));
        }
        list.sort_by_key(|(kind, index, _)| (*kind, *index));
        Ok(Sections { list, digest: computed.to_hex().to_string() })
    }

    /// A section that images of older layouts do not have.
    pub fn find_or_empty(&self, kind: Kind) -> Range<usize> {
        self.find(kind, 0).unwrap_or(0..0)
    }

    pub fn find(&self, kind: Kind, index: usize) -> Result<Range<usize>, ImageError> {
        let wanted = (kind as u16, index);
        self.list
            .binary_search_by_key(&wanted, |(kind, index, _)| (*kind, usize::from(*index)))
            .ok()
            .and_then(|i| self.list.get(i))
            .map(|(_, _, range)| range.clone())
            .ok_or(ImageError::Damaged("a section is missing"))
    }
}
