//! A deck row that a look-up found, where it lies.
//!
//! A [`Row`] is all that a row says, its deck and destination too, gathered for whoever shows it; a call asks a handful of it.
//!
//! Does not know how rows are chosen.

use super::image::{StoredRow, StoredTerms};
use super::lookup::Met;
use super::{Row, RowId, Tariff};
use crate::call::{CallType, StepRule};
use crate::money::{Money, Price};
use crate::number::{Number, prefix::codes::Codes};

/// A deck row, as far as rating asks it. [`Tariff::whole`] gives all of it.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// For a later [`Tariff::row`] in the same image.
    pub id: RowId,
    terms: &'a StoredTerms,
    /// A number that begins with its prefix, and how many digits that has.
    number: Number,
    digits: usize,
    /// See [`Row::by_band`].
    pub by_band: bool,
    /// See [`Row::next_after`].
    pub next_after: u32,
}

impl<'a> Found<'a> {
    #[inline]
    pub(super) fn new(id: u32, stored: &StoredRow, terms: &'a StoredTerms, number: Number, met: &Met) -> Found<'a> {
        let (by_band, next_after) = (met.by_band, met.next_after);
        Found { id: RowId(id), terms, number, digits: stored.digits(), by_band, next_after }
    }

    /// How many digits its prefix has.
    pub fn digits(&self) -> usize {
        self.digits
    }

    /// Call type, where the row names one.
    #[inline]
    pub fn call_type(&self) -> Option<CallType> {
        self.terms.call_type()
    }

    /// Rate, fee and bounds, in the currency of the deck.
    #[inline]
    pub fn price(&self) -> Price {
        self.terms.price()
    }

    /// Billing steps of the row; none: those of the plan, else of the country rules.
    #[inline]
    pub fn steps(&self) -> Option<StepRule> {
        self.terms.steps()
    }

    /// Calls there are not allowed and go into suspense.
    #[inline]
    pub fn blocked(&self) -> bool {
        self.terms.blocked()
    }
}

impl std::fmt::Debug for Found<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.id)
    }
}

impl Tariff {
    /// All that a row says that was found.
    pub fn whole(&self, found: &Found<'_>) -> Row<'_> {
        let row = self.row_with_prefix(found.id, Some(found.number.prefix(found.digits)));
        Row { by_band: found.by_band, next_after: found.next_after, ..row }
    }

    /// A row by its id. An id that is not this image's gives a blocked row without digits.
    pub fn row(&self, id: RowId) -> Row<'_> {
        let prefixes = Codes::trusted(self.section(&self.opened.row_prefixes));
        self.row_with_prefix(id, prefixes.get(id.0))
    }

    /// A row that matched this number: [`Tariff::row`] without searching the prefix.
    pub fn row_matching(&self, id: RowId, number: Number) -> Row<'_> {
        let digits = self.rows().get(id.0 as usize).map(StoredRow::digits);
        self.row_with_prefix(id, digits.map(|n| number.prefix(n)))
    }

    /// The currency of the deck that has a row, where it says one; none: the plan's.
    #[inline]
    pub fn currency_of(&self, id: RowId) -> Option<[u8; 3]> {
        if self.opened.currencies.is_empty() {
            return None;
        }
        self.opened.currencies.get(self.deck_of(id.0)).copied().flatten()
    }

    fn row_with_prefix(&self, id: RowId, prefix: Option<Number>) -> Row<'_> {
        let price = Price { rate: Money::ZERO, connect_fee: Money::ZERO, minimum_cost: None, maximum_cost: None };
        let nothing = Row {
            id,
            prefix: Number(0xAAAA_AAAA_AAAA_AAAA),
            deck: "",
            destination: "",
            call_type: None,
            price,
            currency: None,
            steps: None,
            blocked: true,
            valid_from: None,
            valid_to: None,
            condition: 0,
            by_band: false,
            next_after: u32::MAX,
        };
        let (Some((stored, terms)), Some(prefix)) = (self.stored(id.0), prefix) else { return nothing };
        let terms = terms.terms();
        Row {
            id,
            prefix,
            // Empty decks share their first row with the next; the last that begins there has it.
            deck: self.opened.decks.get(self.deck_of(id.0)).map_or("", |deck| deck.name.as_str()),
            destination: self.name(stored).unwrap_or(""),
            call_type: terms.call_type,
            price: terms.price,
            currency: self.currency_of(id),
            steps: terms.steps,
            blocked: terms.blocked,
            valid_from: terms.valid_from,
            valid_to: terms.valid_to,
            condition: terms.condition,
            by_band: false,
            next_after: u32::MAX,
        }
    }
}
