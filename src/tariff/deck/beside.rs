//! Rows of one prefix beside each other: bands, origins, lengths and price steps put in the order in which they are
//! asked; what contradicts itself is refused.
//!
//! Does not know what a row says of money.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::{Deck, DeckRow, Terms, told_twice};
use crate::call::CallType;
use crate::number::prefix::lexicographic;
use crate::tariff::condition::Condition;
use crate::tariff::findings::{Findings, Place};
use crate::time::Timestamp;

/// Sorts the rows of a deck in which some have conditions, drops what is said twice, refuses what is said in two ways,
/// and gives the rows of a chain the call type of its first.
pub(super) fn sort(deck: &mut Deck, findings: &mut Findings) {
    let from = |deck: &Deck, row: &DeckRow| deck.terms.get(row.terms as usize).and_then(|t| t.valid_from);
    let mut rows = std::mem::take(&mut deck.rows);
    rows.sort_by_cached_key(|row| {
        let condition = deck.condition(row);
        let dates = (Reverse(from(deck, row)), Reverse(condition.after));
        (lexicographic(row.prefix), condition.rank(), dates, row.line)
    });
    let mut kept: Vec<DeckRow> = Vec::with_capacity(rows.len());
    let mut chains = Vec::new();
    for same in rows.chunk_by(|a, b| a.prefix == b.prefix) {
        // Only rows that begin together, for the same callers, can contradict each other.
        type Rival = (Option<Timestamp>, Condition);
        let mut rivals: HashMap<Rival, Vec<DeckRow>> = HashMap::new();
        for row in same {
            let condition = deck.condition(row);
            let key = Condition { band: None, lengths: None, ..condition };
            let known = rivals.entry((from(deck, row), key)).or_default();
            match known.iter().find(|other| condition.contradicts(&deck.condition(other))) {
                Some(other) => {
                    let (row, other) = if row.line < other.line { (other, row) } else { (row, other) };
                    told_twice(row, other, from(deck, row), &deck.names, findings, HINT);
                }
                None => {
                    known.push(*row);
                    kept.push(*row);
                }
            }
        }
        for row in same.iter().filter(|row| deck.condition(row).after > 0) {
            let condition = deck.condition(row);
            let begins = |other: &&DeckRow| {
                from(deck, other) == from(deck, row) && deck.condition(other).begins_chain(&condition)
            };
            match same.iter().find(begins) {
                Some(first) => chains.push((*row, deck.terms.get(first.terms as usize).and_then(|t| t.call_type))),
                None => findings.error(
                    Place { line: row.line, column: 1 },
                    format!("prefix {}: no row says what is paid before {} s", row.prefix, condition.after),
                    "a chain begins with a row without after, of the same days, hours, origin, length and valid_from",
                ),
            }
        }
    }
    deck.rows = kept;
    take_types(deck, &chains);
}

const HINT: &str = "leave one out, or give them different valid_from, or days and hours that do not overlap; a row without \
                    days and hours holds at all times";

/// A look-up for the row that names a type (R8) must find the whole chain.
fn take_types(deck: &mut Deck, chains: &[(DeckRow, Option<CallType>)]) {
    let typed: HashMap<(u64, u32), CallType> = chains
        .iter()
        .filter_map(|(row, call_type)| Some(((lexicographic(row.prefix), row.terms), (*call_type)?)))
        .collect();
    if typed.is_empty() {
        return;
    }
    let mut ids: HashMap<Terms, u32> = deck.terms.iter().copied().zip(0..).collect();
    for row in &mut deck.rows {
        let Some(call_type) = typed.get(&(lexicographic(row.prefix), row.terms)) else { continue };
        let Some(terms) = deck.terms.get(row.terms as usize) else { continue };
        let terms = Terms { call_type: Some(*call_type), ..*terms };
        row.terms = super::intern(&mut ids, &mut deck.terms, terms);
    }
}
