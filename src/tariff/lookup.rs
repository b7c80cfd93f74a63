//! Asks an opened image: which row prices a number at a moment of a call (R8, R16, R17), which steps apply (R14), what is in
//! the plan (R9). Nothing here allocates.
//!
//! Does not know calls, accounts or allowances.

use super::buying::DeckList;
use super::condition::{Asked, Jurisdiction};
use super::exchange::{self, DatedRate};
use super::image::{ENTRY_MANY, StoredRow, StoredTerms};
use super::open::{Index, many};
use super::{Found, Plan, PlanId, PlanName, Row, RowId, Side, Tariff, compile, plans};
use crate::call::StepRule;
use crate::number::classify::{Class, NumberingPlan};
use crate::number::countries::Countries;
use crate::number::prefix::PrefixMap;
use crate::number::{Country, DIGITS_MAX, Number, NumberKind};
use crate::time::Timestamp;

use zerocopy::little_endian::U32;

/// Look-ups handed to the prefix map at a time: its lock-step width.
const BATCH: usize = 64;

impl Tariff {
    /// BLAKE3 of the image without its last 32 bytes, which hold it; lower-case hex.
    pub fn digest(&self) -> &str {
        &self.opened.digest
    }

    /// The image itself.
    pub fn bytes(&self) -> &bytes::Bytes {
        &self.bytes
    }

    /// All plans; a [`PlanId`] is the place in this list.
    pub fn plans(&self) -> &[Plan] {
        &self.opened.plans
    }

    /// The plan of that name.
    pub fn plan_named(&self, name: &str) -> Option<PlanId> {
        self.plan_called(PlanName::of(name))
    }

    /// [`Tariff::plan_named`], the name being read already.
    #[inline]
    pub fn plan_called(&self, name: PlanName<'_>) -> Option<PlanId> {
        let fronts = &self.opened.plan_fronts;
        let mut at = fronts.partition_point(|other| *other < name.front);
        while fronts.get(at) == Some(&name.front) {
            if name.is(&self.opened.plans.get(at)?.name) {
                return u16::try_from(at).ok().map(PlanId);
            }
            at += 1;
        }
        None
    }

    /// A plan.
    ///
    /// # Panics
    /// If the id is not one of this image's.
    pub fn plan(&self, id: PlanId) -> &Plan {
        &self.opened.plans[usize::from(id.0)]
    }

    /// Dialling rules, emergency numbers and step rules of all territories.
    pub fn countries(&self) -> &Countries {
        &self.opened.countries
    }

    /// Country and kind of a number by prefix and length, where they are known.
    #[inline]
    pub fn numbering(&self) -> NumberingPlan<'_> {
        NumberingPlan::of(&self.opened.numbering_parts)
    }

    /// Whether another tariff makes the same legs of every record: by its dialling rules, numbering plan and carriers.
    pub fn reads_numbers_like(&self, other: &Tariff) -> bool {
        let countries = |of: &Tariff| serde_json::to_vec(of.countries()).ok();
        let numbering = |of: &Tariff| of.section(&of.opened.numbering).to_vec();
        self.digest() == other.digest()
            || self.carriers() == other.carriers()
                && numbering(self) == numbering(other)
                && countries(self) == countries(other)
    }

    /// Country and kind; unknown ones get the main territory of their calling code.
    #[inline]
    pub fn classify(&self, number: Number) -> Class {
        self.numbering().classify(number).unwrap_or_else(|| {
            let country = self.opened.countries.calling_code(number).map_or(Country::WORLD, |(_, main)| main);
            Class { country, kind: NumberKind::Unknown }
        })
    }

    /// Look-up key of a short code such as `DE:118…`; none if the country is unknown or the code longer than 12 digits.
    pub fn short_code(&self, country: Country, digits: &[u8]) -> Option<Number> {
        compile::short_code(&self.opened.countries, country, digits)
    }

    /// R16, R17: the longest prefix among the plan's decks with a row that is in force at the answer and holds for this
    /// call at this moment of it.
    pub fn lookup(&self, plan: PlanId, side: Side, number: Number, asked: impl Into<Asked>) -> Option<Row<'_>> {
        self.find(plan, side, number, &asked.into()).map(|found| self.whole(&found))
    }

    /// [`Tariff::lookup`] as far as rating goes.
    pub fn find(&self, plan: PlanId, side: Side, number: Number, asked: &Asked) -> Option<Found<'_>> {
        self.in_force(self.index(plan, side, false)?, number, asked)
    }

    /// R16, R17 among the decks of a list of this image, such as [`Plan::buying`](crate::tariff::Plan) names.
    pub fn find_in_list(&self, list: DeckList, number: Number, asked: &Asked) -> Option<Found<'_>> {
        self.in_force(self.opened.indexes.get(2 * usize::from(list.0))?, number, asked)
    }

    /// The number of a carrier in this image; none where no plan tells it from others.
    #[inline]
    pub fn carrier_named(&self, name: &[u8]) -> Option<u16> {
        if name.is_empty() {
            return None;
        }
        let place = self.opened.carriers.binary_search_by(|known| known.as_bytes().cmp(name)).ok()?;
        u16::try_from(place).ok()
    }

    /// The carriers that plans tell apart; a number is the place in this list.
    pub fn carriers(&self) -> &[String] {
        &self.opened.carriers
    }

    /// [`Tariff::lookup`] of many numbers, each at its own instant; where there is no row, none. All three slices are
    /// of one length. [`Tariff::row_matching`] then gives a row.
    pub fn lookup_batch(
        &self,
        plan: PlanId,
        side: Side,
        numbers: &[Number],
        answers: &[Timestamp],
        out: &mut [Option<RowId>],
    ) {
        out.fill(None);
        let Some(index) = self.index(plan, side, false) else { return };
        let map = PrefixMap::of(&index.map);
        let mut ids = [u32::MAX; BATCH];
        for ((numbers, answers), out) in numbers.chunks(BATCH).zip(answers.chunks(BATCH)).zip(out.chunks_mut(BATCH)) {
            map.longest_batch(numbers, &mut ids);
            for (((number, answer), out), id) in numbers.iter().zip(answers).zip(out).zip(ids) {
                if id != u32::MAX {
                    *out = self.in_force_from(index, id, *number, &Asked::from(*answer)).map(|found| found.id);
                }
            }
        }
    }

    /// R8: the longest row in force that names a call type. A row superseded within its own deck at its own prefix is
    /// not in force.
    pub fn lookup_typed(&self, plan: PlanId, number: Number, asked: impl Into<Asked>) -> Option<Row<'_>> {
        self.find_typed(plan, number, &asked.into()).map(|found| self.whole(&found))
    }

    /// [`Tariff::lookup_typed`] as far as rating goes.
    #[inline]
    pub fn find_typed(&self, plan: PlanId, number: Number, asked: &Asked) -> Option<Found<'_>> {
        let index = self.index(plan, Side::Outbound, true)?;
        // Most numbers are below no such row.
        let id = PrefixMap::of(&index.map).longest(number)?;
        self.typed_from(index, id, number, asked)
    }

    fn typed_from(&self, index: &Index, mut id: u32, number: Number, asked: &Asked) -> Option<Found<'_>> {
        let mut met = Met::nothing();
        // Each round is at least one digit shorter.
        for _ in 0..DIGITS_MAX {
            let mut decided = None;
            let mut digits = 0;
            for row in self.candidates(index, id) {
                let (stored, terms) = self.stored(row)?;
                digits = stored.digits();
                let deck = self.deck_of(row);
                if decided != Some(deck) && self.holds(terms, number, asked, &mut met) {
                    if terms.names_a_type() {
                        return Some(Found::new(row, stored, terms, number, &met));
                    }
                    decided = Some(deck);
                }
            }
            id = PrefixMap::of(&index.map).shorter(number.prefix(digits))?;
        }
        None
    }

    /// R9: whether the plan's `included` lists this country and kind.
    pub fn plan_includes(&self, plan: PlanId, class: Class) -> bool {
        let bit = plans::kind_bit(class.kind);
        self.opened.details.get(usize::from(plan.0)).is_some_and(|details| {
            details.included.iter().any(|(country, kinds)| *country == class.country && kinds & bit != 0)
        })
    }

    /// R14: the row's steps where it sets the price and has them (`own`); else the plan's; else the country rules. Without a
    /// destination (an extension, a short code) the call is taken to stay in the home country.
    #[inline]
    pub fn steps(&self, plan: PlanId, home: Country, destination: Option<Class>, own: Option<StepRule>) -> StepRule {
        let of_plan = || self.opened.plans.get(usize::from(plan.0)).and_then(|p| p.steps);
        own.or_else(of_plan).unwrap_or_else(|| {
            let class = destination.unwrap_or(Class { country: home, kind: NumberKind::Unknown });
            self.opened.countries.steps(home, class.country, class.kind)
        })
    }

    /// Distinct prefixes over all decks.
    pub fn prefixes(&self) -> u64 {
        self.opened.prefixes
    }

    /// Rows over all decks.
    pub fn row_count(&self) -> u32 {
        self.rows().len() as u32
    }

    /// Names of the decks, in order.
    pub fn decks(&self) -> impl Iterator<Item = &str> {
        self.opened.decks.iter().map(|deck| deck.name.as_str())
    }

    /// The rows of a deck, by prefix.
    pub fn rows_of(&self, deck: &str) -> impl Iterator<Item = RowId> + use<> {
        let deck = self.opened.decks.iter().find(|known| known.name == deck);
        deck.map_or(0..0, |deck| deck.first_row..deck.first_row + deck.rows).map(RowId)
    }

    #[inline]
    fn index(&self, plan: PlanId, side: Side, typed: bool) -> Option<&Index> {
        let details = self.opened.details.get(usize::from(plan.0))?;
        let list = match side {
            Side::Outbound => details.outbound_list,
            Side::Inbound => details.inbound_list,
        };
        self.opened.indexes.get(2 * list + usize::from(typed))
    }

    /// What a row asks of a call besides its number, in words; none where it asks nothing.
    pub fn condition_words(&self, row: &Row<'_>) -> Option<String> {
        let condition = self.conditions().get((row.condition as usize).checked_sub(1)?)?;
        let deck = self.opened.decks.get(self.deck_of(row.id.0));
        Some(condition.condition().words(deck.map_or("", |deck| deck.timezone.as_str())))
    }

    /// Whether a row is in force and, beyond that, holds for this call at this moment of it.
    #[inline]
    fn holds(&self, terms: &StoredTerms, number: Number, asked: &Asked, met: &mut Met) -> bool {
        terms.in_force(asked.answer)
            && (terms.condition.get() == 0 || self.condition_holds(terms.condition.get(), number, asked, met))
    }

    #[cold]
    fn condition_holds(&self, condition: u32, number: Number, asked: &Asked, met: &mut Met) -> bool {
        let place = (condition as usize).wrapping_sub(1);
        let Some(condition) = self.conditions().get(place) else { return false };
        if !condition.origin_holds(asked.source) || !condition.lengths_hold(number.len()) {
            return false;
        }
        if condition.jurisdiction().is_some_and(|of| Some(of) != self.jurisdiction(asked.source, number)) {
            return false;
        }
        // From here on it is a matter of the moment: another one may find another row.
        if condition.after.get() > asked.second {
            met.next_after = met.next_after.min(condition.after.get());
            return false;
        }
        if !condition.has_band() {
            return true;
        }
        met.by_band = true;
        let Some(calendar) = self.opened.calendars.get(usize::from(condition.calendar.get())) else { return false };
        let wall = calendar.zone.wall(asked.at);
        condition.band_holds(calendar.day(&wall), wall.minute)
    }

    /// What one unit of a currency is worth in another at an instant; none where no rate is in force.
    pub fn exchange(&self, from: [u8; 3], to: [u8; 3], at: Timestamp) -> Option<&DatedRate> {
        exchange::in_force(&self.opened.exchange, from, to, at)
    }

    /// Whether two numbers of one country are in one state; none if that is not known.
    pub fn jurisdiction(&self, source: Option<Number>, called: Number) -> Option<Jurisdiction> {
        let (source, states) = (source?, self.states());
        let (one, other) = (states.of(source)?, states.of(called)?);
        let together = self.classify(source).country == self.classify(called).country;
        together.then_some(if one == other { Jurisdiction::Intrastate } else { Jurisdiction::Interstate })
    }

    /// The first row in force of the longest prefix, else of the next shorter one, and so on.
    #[inline]
    fn in_force(&self, index: &Index, number: Number, asked: &Asked) -> Option<Found<'_>> {
        self.in_force_from(index, PrefixMap::of(&index.map).longest(number)?, number, asked)
    }

    #[inline]
    fn in_force_from(&self, index: &Index, id: u32, number: Number, asked: &Asked) -> Option<Found<'_>> {
        let (mut id, mut met) = (id, Met::nothing());
        // Each round is at least one digit shorter.
        for _ in 0..DIGITS_MAX {
            let mut digits = 0;
            for row in self.candidates(index, id) {
                let (stored, terms) = self.stored(row)?;
                if self.holds(terms, number, asked, &mut met) {
                    return Some(Found::new(row, stored, terms, number, &met));
                }
                digits = stored.digits();
            }
            id = PrefixMap::of(&index.map).shorter(number.prefix(digits))?;
        }
        None
    }

    /// Rows of a prefix, first choice first.
    #[inline]
    fn candidates<'a>(&'a self, index: &'a Index, id: u32) -> impl Iterator<Item = u32> + 'a {
        let entries = index.entries();
        let (one, several): (Option<u32>, &[U32]) = match (index.first_row, entries.get(id as usize)) {
            (Some(first), _) => (first.checked_add(id), &[]),
            (None, Some(entry)) if entry.get() & ENTRY_MANY != 0 => (None, many(entries, entry.get())),
            (None, entry) => (entry.map(|e| e.get()), &[]),
        };
        one.into_iter().chain(several.iter().map(|row| row.get()))
    }

    #[inline]
    pub(super) fn stored(&self, row: u32) -> Option<(&StoredRow, &StoredTerms)> {
        let stored = self.rows().get(row as usize)?;
        Some((stored, self.terms_table().get(stored.terms())?))
    }

    pub(super) fn deck_of(&self, row: u32) -> usize {
        self.opened.decks.partition_point(|deck| deck.first_row <= row).saturating_sub(1)
    }
}

/// What a look-up met on its way to a row that may decide otherwise at another moment of the call.
pub(super) struct Met {
    pub by_band: bool,
    pub next_after: u32,
}

impl Met {
    fn nothing() -> Met {
        Met { by_band: false, next_after: u32::MAX }
    }
}
