//! Writes what was read as the sections of an image: rows, terms, conditions, names, deck lists and plans.
//!
//! Does not know text or findings.

use std::collections::HashMap;

use zerocopy::IntoBytes;

use super::NamedDeck;
use crate::number::Number;
use crate::number::prefix::{self, codes, lexicographic};
use crate::tariff::buying::StoredBuying;
use crate::tariff::condition::Condition;
use crate::tariff::deck::{Deck, Terms};
use crate::tariff::exchange::DatedRate;
use crate::tariff::findings::Place;
use crate::tariff::free::FreeList;
use crate::tariff::image::{
    ENTRY_MANY, Kind, Meta, StoredCalendar, StoredCondition, StoredList, StoredPlan, StoredRow, StoredSteps,
    StoredTerms, Writer,
};
use crate::tariff::plans::{self, PlanText, Plans};
use crate::tariff::pools::StoredPool;
use crate::tariff::tiers::StoredTier;

/// Image indexes of deck lists have 16 bits, of which one tells typed rows apart.
const LISTS_MAX: usize = 1 << 15;

/// Writes everything that comes of decks and plans; gives prefixes and rows.
pub(super) fn write(
    read: &Plans,
    decks: &[NamedDeck],
    exchange: Vec<DatedRate>,
    free: Vec<FreeList>,
    writer: &mut Writer,
) -> Result<(u64, u64), String> {
    let (rows, calendars) = write_rows(decks, writer)?;
    let mut lists: Vec<Vec<u16>> = Vec::new();
    let mut stored_plans = Vec::new();
    let carriers = plans::carriers(&read.plans);
    for plan in &read.plans {
        let mut list = |names: &[(String, Place)]| -> u16 {
            let list: Vec<u16> = names
                .iter()
                .filter_map(|(name, _)| decks.iter().position(|d| d.stored.name == *name).map(|i| i as u16))
                .collect();
            let at = lists.iter().position(|known| *known == list).unwrap_or(lists.len());
            if at == lists.len() {
                lists.push(list);
            }
            at as u16
        };
        let (outbound_list, inbound_list) = (list(&plan.decks), list(&plan.inbound_decks));
        let buying = plans::resolved(plan, &read.plans).map(|buying| StoredBuying::new(&buying, &carriers, &mut list));
        stored_plans.push(StoredPlan { buying, ..stored_plan(plan, outbound_list, inbound_list) });
    }
    if lists.len() > LISTS_MAX || decks.len() > usize::from(u16::MAX) || read.plans.len() > usize::from(u16::MAX) {
        return Err("too many plans, decks or different lists of decks".to_owned());
    }
    let lists = lists.into_iter().enumerate().map(|(i, list)| write_list(i, list, decks, &rows, writer)).collect();
    let mut keys: Vec<u64> = rows.iter().map(|r| lexicographic(r.prefix)).collect();
    keys.sort_unstable();
    keys.dedup();
    let prefixes = keys.len() as u64;
    let decks = decks.iter().map(|d| d.stored.clone()).collect();
    let meta = Meta { plans: stored_plans, decks, lists, prefixes, calendars, exchange, carriers, free };
    let meta = serde_json::to_vec(&meta).map_err(|bad| bad.to_string())?;
    writer.section(Kind::Meta, 0, meta);
    Ok((prefixes, rows.len() as u64))
}

fn stored_plan(plan: &PlanText, outbound_list: u16, inbound_list: u16) -> StoredPlan {
    // Kinds of one country are joined, so that the order in which `included` lists them changes nothing.
    let mut included: Vec<(String, u16)> = Vec::new();
    for entry in &plan.included {
        match included.iter_mut().find(|(country, _)| country == entry.country.as_str()) {
            Some((_, kinds)) => *kinds |= entry.kinds,
            None => included.push((entry.country.as_str().to_owned(), entry.kinds)),
        }
    }
    included.sort();
    StoredPlan {
        name: plan.name.clone(),
        country: plan.country.as_str().to_owned(),
        currency: String::from_utf8_lossy(&plan.currency).into_owned(),
        allowance: plan.allowance,
        overage: plan.overage,
        steps: plan.steps.map(StoredSteps::new),
        prorate_first: plan.prorate_first,
        cost_decimals: plan.cost_decimals,
        included,
        outbound_list,
        inbound_list,
        bands: plan.bands,
        internal: plan.internal,
        buying: None,
        free: plan.free.iter().map(|(name, _)| name.clone()).collect(),
        pools: plan.pools.iter().map(|text| StoredPool::new(&text.pool)).collect(),
        prorate_change: plan.prorate_change,
        rollover: plan.rollover,
        tiers: plan.tiers.iter().map(|text| StoredTier::new(&text.tier)).collect(),
        successive: plan.successive,
        minimum_spend: plan.minimum_spend,
    }
}

/// A row as maps need it; its place in the list is its id.
struct MapRow {
    prefix: Number,
    typed: bool,
}

/// Writes rows, their prefixes, terms, conditions and names, numbered in the order in which rows need them; gives the
/// calendars of conditions.
fn write_rows(decks: &[NamedDeck], writer: &mut Writer) -> Result<(Vec<MapRow>, Vec<StoredCalendar>), String> {
    let count = decks.iter().map(|d| d.deck.rows.len()).sum();
    if count >= ENTRY_MANY as usize {
        return Err("too many rows".to_owned());
    }
    let (mut term_ids, mut name_ids) = (HashMap::new(), HashMap::new());
    let (mut rows, mut prefixes, mut map_rows) =
        (Vec::with_capacity(count * 8), Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut terms, mut names) = (Vec::new(), Vec::<u8>::new());
    let mut conditions = Conditions::default();
    for NamedDeck { deck, calendar, .. } in decks {
        conditions.begin(deck);
        for row in &deck.rows {
            let (Some(row_terms), Some(name)) = (deck.terms.get(row.terms as usize), deck.names.get(row.name as usize))
            else {
                return Err("a row without terms".to_owned());
            };
            let row_terms = Terms { condition: conditions.id(row_terms.condition, deck, calendar), ..*row_terms };
            let next = term_ids.len() as u32;
            let term = *term_ids.entry(row_terms).or_insert_with(|| {
                terms.extend_from_slice(StoredTerms::new(&row_terms).as_bytes());
                next
            });
            let name = *name_ids.entry(name.as_str()).or_insert_with(|| {
                let at = names.len();
                names.extend_from_slice(&(name.len() as u16).to_le_bytes());
                names.extend_from_slice(name.as_bytes());
                at
            });
            let name = u32::try_from(name).map_err(|_| "destination names of more than 4 GiB")?;
            rows.extend_from_slice(StoredRow::new(term, row.prefix.len(), name).as_bytes());
            prefixes.push(row.prefix);
            map_rows.push(MapRow { prefix: row.prefix, typed: row_terms.call_type.is_some() });
        }
    }
    if term_ids.len() >= 1 << 28 {
        return Err("too many different prices".to_owned());
    }
    writer.section(Kind::Rows, 0, rows);
    writer.section(Kind::RowPrefixes, 0, codes::build(&prefixes));
    writer.section(Kind::Terms, 0, terms);
    writer.section(Kind::Names, 0, names);
    if conditions.calendars.len() > usize::from(u16::MAX) {
        return Err("too many calendars".to_owned());
    }
    writer.section(Kind::Conditions, 0, conditions.bytes);
    Ok((map_rows, conditions.calendars))
}

/// The conditions of all decks, numbered in the order in which rows need them.
#[derive(Default)]
struct Conditions {
    bytes: Vec<u8>,
    calendars: Vec<StoredCalendar>,
    ids: HashMap<(usize, Condition), u32>,
    /// Of the deck being written: its own numbers to those of the image, 0 where none has been given yet.
    of_deck: Vec<u32>,
}

impl Conditions {
    fn begin(&mut self, deck: &Deck) {
        self.of_deck = vec![0; deck.conditions.len()];
    }

    fn id(&mut self, condition: u32, deck: &Deck, calendar: &StoredCalendar) -> u32 {
        let Some(place) = (condition as usize).checked_sub(1) else { return 0 };
        let (Some(known), Some(condition)) = (self.of_deck.get_mut(place), deck.conditions.get(place)) else {
            return 0;
        };
        if *known == 0 {
            let at = match condition.band {
                // Without a band no clock is asked.
                None => 0,
                Some(_) => self.calendars.iter().position(|c| c == calendar).unwrap_or_else(|| {
                    self.calendars.push(calendar.clone());
                    self.calendars.len() - 1
                }),
            };
            let next = self.ids.len() as u32 + 1;
            *known = *self.ids.entry((at, *condition)).or_insert_with(|| {
                self.bytes.extend_from_slice(StoredCondition::new(condition, at as u16).as_bytes());
                next
            });
        }
        *known
    }
}

/// Writes the two indexes of a deck list: over all rows, and over rows that name a call type.
fn write_list(index: usize, list: Vec<u16>, decks: &[NamedDeck], rows: &[MapRow], writer: &mut Writer) -> StoredList {
    // (prefix, place of the deck in the list, row): rows of one deck and prefix are already later first.
    let mut all: Vec<(u64, u16, u32)> = Vec::new();
    for (rank, deck) in list.iter().enumerate() {
        let Some(NamedDeck { stored, .. }) = decks.get(usize::from(*deck)) else { continue };
        let ids = stored.first_row..stored.first_row + stored.rows;
        all.extend(ids.filter_map(|id| Some((lexicographic(rows.get(id as usize)?.prefix), rank as u16, id))));
    }
    if list.len() > 1 {
        all.sort_unstable();
    }
    let single = list.len() == 1 && all.windows(2).all(|w| w[0].0 != w[1].0);
    let first_row = if single { all.first().map(|(_, _, id)| *id) } else { None };
    let is_typed = |id: u32| rows.get(id as usize).is_some_and(|r| r.typed);
    // A row that names no type ends the force of an older one of its deck that does, so such decks stay whole.
    let typed: Vec<(u64, u16, u32)> = all
        .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
        .filter(|same| same.iter().any(|(_, _, id)| is_typed(*id)))
        .flatten()
        .copied()
        .collect();
    write_index(2 * index, &all, first_row.is_some(), rows, writer);
    write_index(2 * index + 1, &typed, false, rows, writer);
    StoredList { decks: list, first_row }
}

fn write_index(index: usize, sorted: &[(u64, u16, u32)], implied: bool, rows: &[MapRow], writer: &mut Writer) {
    let (mut prefixes, mut entries, mut many) = (Vec::new(), Vec::<u32>::new(), Vec::<u32>::new());
    for same in sorted.chunk_by(|a, b| a.0 == b.0) {
        let Some((_, _, id)) = same.first() else { continue };
        prefixes.extend(rows.get(*id as usize).map(|r| r.prefix));
        if same.len() == 1 {
            entries.push(*id);
        } else {
            entries.push(ENTRY_MANY | many.len() as u32);
            many.push(same.len() as u32);
            many.extend(same.iter().map(|(_, _, id)| *id));
        }
    }
    let shift = entries.len() as u32;
    let mut bytes = Vec::new();
    if !implied {
        for entry in entries {
            let entry = if entry & ENTRY_MANY != 0 { entry + shift } else { entry };
            bytes.extend_from_slice(&entry.to_le_bytes());
        }
        many.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    }
    writer.section(Kind::Map, index, prefix::build(&prefixes));
    writer.section(Kind::Entries, index, bytes);
}
