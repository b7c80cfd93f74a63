//! Opens an image: checks everything once, so that look-ups can trust it.
//!
//! Does not know how rows are chosen.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use zerocopy::FromBytes;
use zerocopy::little_endian::U32;

use super::bands::Calendar;
use super::exchange::DatedRate;
use super::free::FreeList;
use super::image::{ENTRY_MANY, Kind, Meta, Sections, StoredCondition, StoredDeck, StoredPlan, StoredRow, StoredTerms};
use super::rollover::Rollover;
use super::states::States;
use super::{ImageError, Plan, PlanName, Tariff};
use crate::money::MONEY_INPUT_MAX;
use crate::number::classify::{self, NumberingPlan};
use crate::number::countries::Countries;
use crate::number::prefix::{self, PrefixMap, codes::Codes};
use crate::number::{Country, Number};
use crate::time::Zone;

/// What was found in an image: small things read, big things located.
pub(super) struct Opened {
    pub digest: String,
    pub plans: Vec<Plan>,
    /// Parallel to `plans`: [`PlanName::front`] of each name.
    pub plan_fronts: Vec<u128>,
    /// Parallel to `plans`.
    pub details: Vec<PlanDetails>,
    pub decks: Vec<StoredDeck>,
    pub countries: Countries,
    pub prefixes: u64,
    pub numbering: Range<usize>,
    pub numbering_parts: classify::Parts,
    rows: Bytes,
    pub row_prefixes: Range<usize>,
    terms: Bytes,
    pub conditions: Range<usize>,
    pub calendars: Vec<Calendar>,
    pub exchange: Vec<DatedRate>,
    pub carriers: Vec<String>,
    pub free: Vec<FreeList>,
    /// Of each deck, where it says one; empty where none does.
    pub currencies: Vec<Option<[u8; 3]>>,
    pub names: Range<usize>,
    pub state_map: Range<usize>,
    pub states: Range<usize>,
    /// Two for each deck list: all rows, and rows that name a call type.
    pub indexes: Vec<Index>,
}

/// What look-ups need of a plan.
pub(super) struct PlanDetails {
    pub included: Vec<(Country, u16)>,
    pub outbound_list: usize,
    pub inbound_list: usize,
}

/// A prefix map and the rows its ids stand for.
pub(super) struct Index {
    section: Range<usize>,
    pub map: prefix::Parts,
    entries: Bytes,
    /// Set where id n is row `first_row + n`.
    pub first_row: Option<u32>,
}

impl Index {
    #[inline]
    pub fn entries(&self) -> &[U32] {
        <[U32]>::ref_from_bytes(&self.entries).unwrap_or(&[])
    }
}

/// The largest exchange rate that is read, as any amount.
const RATE_MAX: i64 = MONEY_INPUT_MAX * 1_000_000_000;

/// A view of a part of an image, so that no look-up has to cut it out.
fn part(bytes: &Bytes, range: &Range<usize>) -> Bytes {
    bytes.slice_ref(slice(bytes, range))
}

fn damaged<T>(what: &'static str) -> Result<T, ImageError> {
    Err(ImageError::Damaged(what))
}

impl Tariff {
    /// Checks everything once: magic, version, BLAKE3, every offset. Look-ups trust it afterwards.
    pub fn open(bytes: Bytes) -> Result<Tariff, ImageError> {
        let sections = Sections::read(&bytes)?;
        let meta: Meta = match serde_json::from_slice(slice(&bytes, &sections.find(Kind::Meta, 0)?)) {
            Ok(meta) => meta,
            Err(_) => return damaged("plans"),
        };
        let Ok(countries) = serde_json::from_slice(slice(&bytes, &sections.find(Kind::Countries, 0)?)) else {
            return damaged("countries");
        };
        let numbering = sections.find(Kind::Numbering, 0)?;
        NumberingPlan::validate(slice(&bytes, &numbering)).map_err(ImageError::Damaged)?;
        let numbering_parts =
            NumberingPlan::parts(&part(&bytes, &numbering)).ok_or(ImageError::Damaged("numbering plan"))?;
        let (mut plans, mut details) = (Vec::new(), Vec::new());
        for stored in &meta.plans {
            let (plan, detail) = plan(stored, &meta).ok_or(ImageError::Damaged("a plan"))?;
            plans.push(plan);
            details.push(detail);
        }
        if !meta.carriers.is_sorted_by(|a, b| a < b) {
            return damaged("carriers are not in order");
        }
        if !plans.is_sorted_by(|a, b| a.name < b.name) {
            return damaged("plans are not in order");
        }
        let mut indexes = Vec::new();
        for (i, list) in meta.lists.iter().enumerate() {
            for (index, first_row) in [(2 * i, list.first_row), (2 * i + 1, None)] {
                let (section, entries) = (sections.find(Kind::Map, index)?, sections.find(Kind::Entries, index)?);
                let (map, entries) = (PrefixMap::parts(&part(&bytes, &section)), part(&bytes, &entries));
                let map = map.ok_or(ImageError::Damaged("prefix map: cut short or foreign"))?;
                indexes.push(Index { section, map, entries, first_row });
            }
        }
        let calendars = meta.calendars.into_iter().map(|stored| {
            let zone = Zone::named(&stored.timezone).map_err(|_| ImageError::Damaged("a time zone"))?;
            Ok(Calendar { zone, holidays: stored.holidays })
        });
        let currency = |deck: &StoredDeck| {
            let code = deck.currency.as_ref().map(|code| <[u8; 3]>::try_from(code.as_bytes()));
            code.transpose().map_err(|_| ImageError::Damaged("a currency"))
        };
        let rates_in_order = meta.exchange.is_sorted_by_key(|rate| (rate.from, rate.to, rate.valid_from));
        if !rates_in_order || meta.exchange.iter().any(|rate| !(1..=RATE_MAX).contains(&rate.rate.0)) {
            return damaged("exchange rates");
        }
        let in_order = meta.free.is_sorted_by(|a, b| a.name < b.name);
        let there = |name: &String| meta.free.binary_search_by(|list| list.name.cmp(name)).is_ok();
        if !in_order || !meta.free.iter().all(FreeList::sound) || !plans.iter().all(|plan| plan.free.iter().all(there))
        {
            return damaged("lists of free numbers");
        }
        let mut currencies = meta.decks.iter().map(currency).collect::<Result<Vec<_>, ImageError>>()?;
        if currencies.iter().all(Option::is_none) {
            currencies.clear();
        }
        let opened = Opened {
            currencies,
            exchange: meta.exchange,
            carriers: meta.carriers,
            free: meta.free,
            calendars: calendars.collect::<Result<_, ImageError>>()?,
            conditions: sections.find_or_empty(Kind::Conditions),
            state_map: sections.find_or_empty(Kind::StateMap),
            states: sections.find_or_empty(Kind::States),
            plan_fronts: plans.iter().map(|plan| PlanName::of(&plan.name).front).collect(),
            plans,
            details,
            decks: meta.decks,
            countries,
            prefixes: meta.prefixes,
            numbering,
            numbering_parts,
            rows: part(&bytes, &sections.find(Kind::Rows, 0)?),
            row_prefixes: sections.find(Kind::RowPrefixes, 0)?,
            terms: part(&bytes, &sections.find(Kind::Terms, 0)?),
            names: sections.find(Kind::Names, 0)?,
            indexes,
            digest: sections.digest,
        };
        States::validate(slice(&bytes, &opened.state_map), slice(&bytes, &opened.states))
            .map_err(ImageError::Damaged)?;
        let tariff = Tariff { bytes, opened: Arc::new(opened) };
        tariff.check_rows()?;
        tariff.opened.indexes.iter().try_for_each(|index| tariff.check_index(index))?;
        Ok(tariff)
    }

    fn check_rows(&self) -> Result<(), ImageError> {
        if !self.opened.rows.len().is_multiple_of(size_of::<StoredRow>())
            || !self.opened.terms.len().is_multiple_of(size_of::<StoredTerms>())
            || !self.opened.conditions.len().is_multiple_of(size_of::<StoredCondition>())
        {
            return damaged("rows are cut short");
        }
        let (conditions, calendars) = (self.conditions(), self.opened.calendars.len());
        if !conditions.iter().all(|condition| condition.sound(calendars)) {
            return damaged("a condition that no deck could have");
        }
        if !self.terms_table().iter().all(|terms| terms.sound(conditions.len())) {
            return damaged("terms that no deck could have");
        }
        let rows = self.rows();
        let terms = self.terms_table().len();
        let mut name_before = None;
        let check = |id: u32, prefix: Number| {
            let row = rows.get(id as usize).ok_or("more prefixes than rows")?;
            if row.terms() >= terms || row.digits() != prefix.len() {
                return Err("a row");
            }
            // Neighbours mostly share their destination.
            if name_before != Some(row.name) && self.name(row).is_none() {
                return Err("a destination name");
            }
            name_before = Some(row.name);
            Ok(())
        };
        let prefixes = slice(&self.bytes, &self.opened.row_prefixes);
        let prefixes = Codes::validate(prefixes, check).map_err(ImageError::Damaged)?;
        if prefixes.len() as usize != rows.len() {
            return damaged("more rows than prefixes");
        }
        let mut next = 0;
        for deck in &self.opened.decks {
            if deck.first_row as usize != next {
                return damaged("decks do not follow each other");
            }
            next += deck.rows as usize;
        }
        if next == rows.len() { Ok(()) } else { damaged("rows of no deck") }
    }

    fn check_index(&self, index: &Index) -> Result<(), ImageError> {
        let (rows, entries) = (self.rows(), index.entries());
        let fits = |row: u32, digits: usize| rows.get(row as usize).is_some_and(|r| r.digits() == digits);
        let check = |id: u32, prefix: Number| {
            let digits = prefix.len();
            let sound = match (index.first_row, entries.get(id as usize).map(|e| e.get())) {
                (Some(first), _) => first.checked_add(id).is_some_and(|row| fits(row, digits)),
                (None, Some(entry)) if entry & ENTRY_MANY == 0 => fits(entry, digits),
                (None, Some(entry)) => {
                    let many = many(entries, entry);
                    !many.is_empty() && many.iter().all(|row| fits(row.get(), digits))
                }
                (None, None) => false,
            };
            if sound { Ok(()) } else { Err("a prefix leads to no row") }
        };
        let map = slice(&self.bytes, &index.section);
        PrefixMap::validate_with(map, check).map(|_| ()).map_err(ImageError::Damaged)
    }

    #[inline]
    pub(super) fn rows(&self) -> &[StoredRow] {
        <[StoredRow]>::ref_from_bytes(&self.opened.rows).unwrap_or(&[])
    }

    #[inline]
    pub(super) fn terms_table(&self) -> &[StoredTerms] {
        <[StoredTerms]>::ref_from_bytes(&self.opened.terms).unwrap_or(&[])
    }

    pub(super) fn conditions(&self) -> &[StoredCondition] {
        <[StoredCondition]>::ref_from_bytes(slice(&self.bytes, &self.opened.conditions)).unwrap_or(&[])
    }

    pub(super) fn states(&self) -> States<'_> {
        let map = PrefixMap::trusted(slice(&self.bytes, &self.opened.state_map));
        States { map, names: slice(&self.bytes, &self.opened.states) }
    }

    pub(super) fn name(&self, row: &StoredRow) -> Option<&str> {
        let names = slice(&self.bytes, &self.opened.names);
        let (length, rest) = names.get(row.name.get() as usize..)?.split_first_chunk::<2>()?;
        std::str::from_utf8(rest.get(..usize::from(u16::from_le_bytes(*length)))?).ok()
    }

    pub(super) fn section(&self, range: &Range<usize>) -> &[u8] {
        slice(&self.bytes, range)
    }
}

/// The rows behind an entry that stands for several; empty if it leads astray.
pub(super) fn many(entries: &[U32], entry: u32) -> &[U32] {
    let place = (entry & !ENTRY_MANY) as usize;
    let Some((count, rest)) = entries.get(place..).and_then(<[U32]>::split_first) else { return &[] };
    rest.get(..count.get() as usize).unwrap_or(&[])
}

fn slice<'a>(bytes: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    bytes.get(range.clone()).unwrap_or(&[])
}

fn plan(stored: &StoredPlan, meta: &Meta) -> Option<(Plan, PlanDetails)> {
    let deck_names = |list: u16| -> Option<Vec<String>> {
        let list = meta.lists.get(usize::from(list))?;
        list.decks.iter().map(|deck| Some(meta.decks.get(usize::from(*deck))?.name.clone())).collect()
    };
    let steps = match stored.steps {
        None => None,
        Some(steps) => Some(steps.rule()?),
    };
    let plan = Plan {
        name: stored.name.clone(),
        country: Country::parse(&stored.country)?,
        currency: stored.currency.as_bytes().try_into().ok()?,
        allowance: stored.allowance,
        rollover: stored.rollover.map(|terms| Rollover::new("", terms)),
        pools: stored.pools.iter().map(|pool| pool.pool()).collect::<Option<_>>()?,
        tiers: stored.tiers.iter().map(|tier| tier.tier()).collect::<Option<_>>()?,
        prorate_change: stored.prorate_change,
        overage: stored.overage,
        steps,
        prorate_first: stored.prorate_first,
        cost_decimals: (stored.cost_decimals <= 8).then_some(stored.cost_decimals)?,
        decks: deck_names(stored.outbound_list)?,
        inbound_decks: deck_names(stored.inbound_list)?,
        bands: stored.bands,
        internal: stored.internal,
        buying: match &stored.buying {
            None => None,
            Some(buying) => Some(Box::new(buying.open(meta, &deck_names)?)),
        },
        free: stored.free.clone(),
        successive: stored.successive,
    };
    let included = stored
        .included
        .iter()
        .map(|(country, kinds)| Some((Country::parse(country)?, *kinds)))
        .collect::<Option<_>>()?;
    let (outbound_list, inbound_list) = (usize::from(stored.outbound_list), usize::from(stored.inbound_list));
    Some((plan, PlanDetails { included, outbound_list, inbound_list }))
}
