//! Asks an opened image: which row prices a number at a moment of a call (R8, R16, R17), which steps apply (R14), what is in
//! the plan (R9). Nothing here allocates.
//!
//! Does not know calls, accounts or allowances.

use super::buying::DeckList;
use super::condition::{Asked, Jurisdiction};
use super::exchange::{self, DatedRate};
use super::image::{ENTRY_MANY, StoredRow, StoredTerms};
use super::open::{Index, many, name_front};
use super::{Plan, PlanId, Row, RowId, Side, Tariff, compile, plans};
use crate::call::StepRule;
use crate::money::{Money, Price};
use crate::number::classify::{Class, NumberingPlan};
use crate::number::countries::Countries;
use crate::number::prefix::{PrefixMap, codes::Codes};
use crate::number::{Country, DIGITS_MAX, Number, NumberKind};
use crate::time::Timestamp;

use zerocopy::little_endian::U32;

/// Look-ups handed to the prefix map at a time: its lock-step width.
const BATCH: usize = 32;

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
        let front = name_front(name);
        let first = self.opened.plan_fronts.partition_point(|other| *other < front);
        let alike = self.opened.plan_fronts.get(first..)?.iter().take_while(|other| **other == front).count();
        let at = self.opened.plans.get(first..first + alike)?.iter().position(|plan| plan.name == name)?;
        u16::try_from(first + at).ok().map(PlanId)
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
    pub fn numbering(&self) -> NumberingPlan<'_> {
        NumberingPlan::trusted(self.section(&self.opened.numbering))
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
        let index = self.index(plan, side, false)?;
        let id = self.map(index).longest(number)?;
        let mut met = Met::nothing();
        let row = self.in_force(index, id, number, &asked.into(), &mut met)?;
        Some(met.tell(self.row_matching(row, number)))
    }

    /// R16, R17 among the decks of a list of this image, such as [`Plan::buying`](crate::tariff::Plan) names.
    pub fn lookup_list(&self, list: DeckList, number: Number, asked: impl Into<Asked>) -> Option<Row<'_>> {
        let index = self.opened.indexes.get(2 * usize::from(list.0))?;
        let id = self.map(index).longest(number)?;
        let mut met = Met::nothing();
        let row = self.in_force(index, id, number, &asked.into(), &mut met)?;
        Some(met.tell(self.row_matching(row, number)))
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
        let map = self.map(index);
        let mut ids = [u32::MAX; BATCH];
        for ((numbers, answers), out) in numbers.chunks(BATCH).zip(answers.chunks(BATCH)).zip(out.chunks_mut(BATCH)) {
            map.longest_batch(numbers, &mut ids);
            for (((number, answer), out), id) in numbers.iter().zip(answers).zip(out).zip(ids) {
                if id != u32::MAX {
                    *out = self.in_force(index, id, *number, &Asked::from(*answer), &mut Met::nothing());
                }
            }
        }
    }

    /// R8: the longest row in force that names a call type. A row superseded within its own deck at its own prefix is
    /// not in force.
    pub fn lookup_typed(&self, plan: PlanId, number: Number, asked: impl Into<Asked>) -> Option<Row<'_>> {
        let asked = asked.into();
        let mut met = Met::nothing();
        let index = self.index(plan, Side::Outbound, true)?;
        let map = self.map(index);
        let mut id = map.longest(number)?;
        // Each round is at least one digit shorter.
        for _ in 0..DIGITS_MAX {
            let mut decided = None;
            let mut digits = 0;
            for row in self.candidates(index, id) {
                let (stored, terms) = self.stored(row)?;
                digits = stored.digits();
                let deck = self.deck_of(row);
                if decided != Some(deck) && self.holds(terms, number, &asked, &mut met) {
                    if terms.names_a_type() {
                        return Some(met.tell(self.row_matching(RowId(row), number)));
                    }
                    decided = Some(deck);
                }
            }
            id = map.shorter(number.prefix(digits))?;
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

    /// R14: the row's steps where it sets the price and has them; else the plan's; else the country rules. `row` is
    /// given only where a deck row sets the price. Without a destination (an extension, a short code) the call is taken
    /// to stay in the home country.
    pub fn steps(&self, plan: PlanId, home: Country, destination: Option<Class>, row: Option<&Row<'_>>) -> StepRule {
        let of_plan = || self.opened.plans.get(usize::from(plan.0)).and_then(|p| p.steps);
        row.and_then(|row| row.steps).or_else(of_plan).unwrap_or_else(|| {
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

    fn index(&self, plan: PlanId, side: Side, typed: bool) -> Option<&Index> {
        let details = self.opened.details.get(usize::from(plan.0))?;
        let list = match side {
            Side::Outbound => details.outbound_list,
            Side::Inbound => details.inbound_list,
        };
        self.opened.indexes.get(2 * list + usize::from(typed))
    }

    fn map(&self, index: &Index) -> PrefixMap<'_> {
        PrefixMap::trusted(self.section(&index.map))
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

    /// The first row in force of a prefix, else of the next shorter one, and so on.
    #[inline]
    fn in_force(&self, index: &Index, id: u32, number: Number, asked: &Asked, met: &mut Met) -> Option<RowId> {
        let mut id = id;
        // Each round is at least one digit shorter.
        for _ in 0..DIGITS_MAX {
            let mut digits = 0;
            for row in self.candidates(index, id) {
                let (stored, terms) = self.stored(row)?;
                if self.holds(terms, number, asked, met) {
                    return Some(RowId(row));
                }
                digits = stored.digits();
            }
            id = self.map(index).shorter(number.prefix(digits))?;
        }
        None
    }

    /// Rows of a prefix, first choice first.
    #[inline]
    fn candidates<'a>(&'a self, index: &'a Index, id: u32) -> impl Iterator<Item = u32> + 'a {
        let entries = self.entries(index);
        let (one, several): (Option<u32>, &[U32]) = match (index.first_row, entries.get(id as usize)) {
            (Some(first), _) => (first.checked_add(id), &[]),
            (None, Some(entry)) if entry.get() & ENTRY_MANY != 0 => (None, many(entries, entry.get())),
            (None, entry) => (entry.map(|e| e.get()), &[]),
        };
        one.into_iter().chain(several.iter().map(|row| row.get()))
    }

    #[inline]
    fn stored(&self, row: u32) -> Option<(&StoredRow, &StoredTerms)> {
        let stored = self.rows().get(row as usize)?;
        Some((stored, self.terms_table().get(stored.terms())?))
    }

    fn deck_of(&self, row: u32) -> usize {
        self.opened.decks.partition_point(|deck| deck.first_row <= row).saturating_sub(1)
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
        // Empty decks share their first row with the next; the last that begins there has it.
        let deck = self.deck_of(id.0);
        Row {
            id,
            prefix,
            deck: self.opened.decks.get(deck).map_or("", |deck| deck.name.as_str()),
            destination: self.name(stored).unwrap_or(""),
            call_type: terms.call_type,
            price: terms.price,
            currency: self.opened.currencies.get(deck).copied().flatten(),
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

/// What a look-up met on its way to a row that may decide otherwise at another moment of the call.
struct Met {
    by_band: bool,
    next_after: u32,
}

impl Met {
    fn nothing() -> Met {
        Met { by_band: false, next_after: u32::MAX }
    }

    fn tell<'a>(&self, row: Row<'a>) -> Row<'a> {
        Row { by_band: self.by_band, next_after: self.next_after, ..row }
    }
}
