//! Judges from when until when calls find no row, though a deck has one for them: rows that begin later than those before them
//! ended, and rows that end where nothing follows.
//!
//! A row of a shorter prefix, or of another deck of the plan, covers what it prices as well. What has ended already is not told.
//!
//! Does not know prices.

use std::collections::BTreeMap;

use super::{Kind, NAMED, Remark, World};
use crate::number::prefix::lexicographic;
use crate::number::{Country, Number};
use crate::tariff::deck::{Deck, DeckRow};
use crate::time::Timestamp;

/// From one microsecond up to another, that one not included.
type Span = (i64, i64);

/// For ever.
const EVER: i64 = i64::MAX;

/// Judges decks that are asked together, as of an instant; each remark with the place of its deck among them. Nothing is said of
/// `elsewhere`, the countries that are priced by other means. `before` is the deck that the first of them replaces.
pub fn uncovered(
    decks: &[&Deck],
    world: &World<'_>,
    elsewhere: &[Country],
    now: Timestamp,
    before: Option<&Deck>,
) -> Vec<(usize, Remark)> {
    // Most decks have no dates, and are long.
    if !decks.iter().any(|deck| has_dates_behind(deck, now)) {
        return Vec::new();
    }
    let mut rows: Vec<(u64, usize, &DeckRow)> = Vec::new();
    for (place, deck) in decks.iter().enumerate() {
        rows.extend(deck.rows.iter().map(|row| (lexicographic(row.prefix), place, row)));
    }
    rows.sort_by_key(|(prefix, place, row)| (*prefix, *place, row.line));
    let before = before.map(|deck| Fronts::of(deck, now));
    let mut found: Vec<(Number, usize, u32, Span)> = Vec::new();
    let mut all = Covers(Vec::new());
    // Shorter prefixes at the front of the one looked at, and what rows of each and those before it cover.
    let mut fronts: Vec<(Number, Vec<Span>)> = Vec::new();
    for same in rows.chunk_by(|one, next| one.0 == next.0) {
        let Some((_, _, first)) = same.first() else { continue };
        let prefix = first.prefix;
        while fronts.last().is_some_and(|(front, _)| !prefix.starts_with(*front)) {
            fronts.pop();
        }
        let mut covered = fronts.last().map(|(_, covered)| covered.clone()).unwrap_or_default();
        if !is_for_ever(&covered, now) {
            covered.extend(same.iter().filter_map(|(_, place, row)| span(decks.get(*place)?, row)));
            covered = joined(covered, now);
            for hole in holes_of(&covered, now) {
                // What a shorter prefix's rows leave out is told of that.
                let Some((place, row)) = at_its_edge(decks, same, hole) else { continue };
                if !is_elsewhere(world, prefix, elsewhere) {
                    found.push((prefix, place, row.line, hole));
                }
            }
        }
        all.0.push((prefix, covered.clone()));
        fronts.push((prefix, covered));
    }
    let mut holes: BTreeMap<(usize, Span), Hole> = BTreeMap::new();
    for (prefix, place, line, hole) in found {
        if all.split_up(world, prefix, hole) {
            continue;
        }
        let known = holes.entry((place, hole)).or_default();
        known.count += 1;
        known.line = if known.line == 0 { line } else { known.line.min(line) };
        if known.first.len() < NAMED {
            known.first.push(prefix);
        }
        let had = place == 0 && hole.0 == now.0 && before.as_ref().is_some_and(|deck| deck.covers(prefix));
        known.replaced += usize::from(had);
    }
    holes.into_iter().map(|((place, span), hole)| (place, hole.remark(span, now))).collect()
}

/// Prefixes of a deck that have no row for the same time.
#[derive(Default)]
struct Hole {
    count: usize,
    /// Of these, priced by the deck that is replaced.
    replaced: usize,
    first: Vec<Number>,
    line: u32,
}

impl Hole {
    fn remark(self, (from, to): Span, now: Timestamp) -> Remark {
        let at = |micros: i64| Timestamp(micros).to_string();
        let when = match (from == now.0, to == EVER) {
            (true, _) => format!("until {}", at(to)),
            (false, true) => format!("from {} on", at(from)),
            (false, false) => format!("from {} until {}", at(from), at(to)),
        };
        let named = self.first.iter().map(Number::to_string).collect::<Vec<_>>().join(", ");
        let mut message = match self.count {
            1 => format!("{named} has no row {when}"),
            n if n > self.first.len() => {
                format!("{n} prefixes have no row {when}: {named} and {} more", n - self.first.len())
            }
            n => format!("{n} prefixes have no row {when}: {named}"),
        };
        if self.replaced > 0 {
            message += &format!("; the deck that this one replaces prices {} of them now", self.replaced);
        }
        let wait = "calls answered then will wait in suspense as no_rate";
        let hint = match (from == now.0, to == EVER) {
            (true, _) => format!("{wait}: keep the rows of now in the deck, with valid_to where these begin"),
            (false, true) => format!("{wait}: add the rows that follow, or take valid_to away"),
            (false, false) => format!("{wait}: let the rows before end where these begin"),
        };
        let prefix = self.first.first().map(Number::to_string).unwrap_or_default();
        Remark { kind: Kind::Uncovered, severity: Kind::Uncovered.severity(), line: self.line, prefix, message, hint }
    }
}

/// Whether any row begins or ends later.
fn has_dates_behind(deck: &Deck, now: Timestamp) -> bool {
    deck.terms.iter().any(|terms| [terms.valid_from, terms.valid_to].into_iter().flatten().any(|at| at > now))
}

/// When a row holds; none: it begins no call.
fn span(deck: &Deck, row: &DeckRow) -> Option<Span> {
    let terms = deck.terms.get(row.terms as usize)?;
    let begins = deck.condition(row).after == 0;
    begins.then_some((terms.valid_from.map_or(i64::MIN, |from| from.0), terms.valid_to.map_or(EVER, |to| to.0)))
}

/// Sorted, without overlaps, from now on.
fn joined(mut spans: Vec<Span>, now: Timestamp) -> Vec<Span> {
    spans.iter_mut().for_each(|span| span.0 = span.0.max(now.0));
    spans.retain(|(from, to)| from < to);
    spans.sort_unstable();
    spans.dedup_by(|next, span| {
        let joins = next.0 <= span.1;
        if joins {
            span.1 = span.1.max(next.1);
        }
        joins
    });
    spans
}

fn is_for_ever(covered: &[Span], now: Timestamp) -> bool {
    covered == [(now.0, EVER)]
}

/// What is left out from now on; nothing where nothing is covered: that has ended.
fn holes_of(covered: &[Span], now: Timestamp) -> Vec<Span> {
    let ends = covered.iter().map(|(_, to)| *to);
    let begins = covered.iter().map(|(from, _)| *from).skip(1).chain([EVER]);
    let between = ends.zip(begins);
    let first = covered.first().map(|(from, _)| (now.0, *from));
    first.into_iter().chain(between).filter(|(from, to)| from < to).collect()
}

/// The row of a prefix that begins where a hole ends, or else ends where it begins.
fn at_its_edge<'a>(decks: &[&Deck], rows: &[(u64, usize, &'a DeckRow)], hole: Span) -> Option<(usize, &'a DeckRow)> {
    let edge = |is: &dyn Fn(Span) -> bool| {
        let found =
            rows.iter().find(|(_, place, row)| decks.get(*place).and_then(|deck| span(deck, row)).is_some_and(is));
        found.map(|(_, place, row)| (*place, *row))
    };
    edge(&|(from, _)| from == hole.1).or_else(|| edge(&|(_, to)| to == hole.0))
}

/// Whether all numbers of a prefix belong to countries that are priced by other means.
fn is_elsewhere(world: &World<'_>, prefix: Number, elsewhere: &[Country]) -> bool {
    if elsewhere.is_empty() {
        return false;
    }
    let mut below = world.below(prefix).peekable();
    if below.peek().is_some() {
        return below.all(|row| elsewhere.contains(&row.country));
    }
    let above = world.above(prefix);
    !above.is_empty() && above.iter().all(|row| elsewhere.contains(&row.country))
}

/// What rows of each prefix and of those at its front cover, in the order of prefixes.
struct Covers(Vec<(Number, Vec<Span>)>);

impl Covers {
    /// Whether longer prefixes take a prefix's place for as long: every number that begins so has a row of theirs.
    fn split_up(&self, world: &World<'_>, prefix: Number, hole: Span) -> bool {
        let (digits, n) = prefix.digits();
        let mut any = false;
        for digit in b'0'..=b'9' {
            let child = [digits.get(..n).unwrap_or(&[]), &[digit]].concat();
            let Some(child) = Number::from_digits(&child) else { return false };
            let at = self.0.partition_point(|(known, _)| lexicographic(*known) < lexicographic(child));
            let next = self.0.get(at).filter(|(known, _)| known.starts_with(child));
            let whole = next.is_some_and(|(known, covered)| {
                *known == child && covered.iter().any(|(from, to)| *from <= hole.0 && hole.1 <= *to)
            });
            if whole || next.is_some() && self.split_up(world, child, hole) {
                any = true;
            } else if world.below(child).next().is_some() || !world.above(child).is_empty() {
                return false;
            }
        }
        any
    }
}

/// Prefixes of a deck that have a row at an instant.
struct Fronts(Vec<u64>);

impl Fronts {
    fn of(deck: &Deck, at: Timestamp) -> Fronts {
        let holds = |row: &&DeckRow| span(deck, row).is_some_and(|(from, to)| from <= at.0 && at.0 < to);
        // Sorted, as the deck's rows are.
        Fronts(deck.rows.iter().filter(holds).map(|row| lexicographic(row.prefix)).collect())
    }

    fn covers(&self, number: Number) -> bool {
        (1..=number.len()).any(|n| self.0.binary_search(&lexicographic(number.prefix(n))).is_ok())
    }
}
