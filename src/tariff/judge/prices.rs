//! Judges prices: lost decimal points, prices out of line with their neighbours', prices per second.
//!
//! Does not know names.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Prefixes, Remarks, World, is_short_code, median, rate};
use crate::money::Money;
use crate::number::prefix::lexicographic;
use crate::number::{Country, Number, NumberKind};
use crate::tariff::deck::{Deck, DeckRow};

/// No honest price per minute is as high: the dearest one seen in real decks is 13.65.
const HONEST: i64 = 50_000_000_000;
/// How many times the median a price without a decimal point has at least: three decimals are a thousand, and a currency
/// of small units has no decimals to lose.
const LOST: i64 = 100;
/// Out of line: so many times dearer or cheaper than the neighbours' median.
const TIMES: i64 = 20;
/// Neighbours by which a row is judged: fewer have no middle.
const NEIGHBOURS: usize = 5;
/// Cheaper differences are worth nobody's time: half a hundredth.
const SMALL: i64 = 5_000_000;
/// A deck of the world has at least so many calling codes.
const WORLD_CODES: usize = 30;
/// The middle of the world's prices per minute lies above a twentieth, that of prices per second below: real decks of the
/// world have middles from 0.02 to 0.3.
const PER_SECOND: i64 = 4_000_000;
/// Prefixes two decks have in common by which they are compared.
const SHARED: usize = 20;
/// So many times dearer or cheaper than in the deck before is worth a look: honest changes of a week stay far below.
const JUMP: i64 = 5;

pub(super) fn judge(deck: &Deck, world: &World<'_>, before: Option<&Deck>, remarks: &mut Remarks) {
    let mut rates: Vec<i64> =
        deck.rows.iter().filter_map(|row| rate(deck, row)).map(|r| r.0).filter(|r| *r > 0).collect();
    rates.sort_unstable();
    let middle = median(&rates);
    let mut lost = BTreeSet::new();
    for (i, row) in deck.rows.iter().enumerate() {
        let Some(Money(price)) = rate(deck, row) else { continue };
        if price >= HONEST && price / LOST >= middle {
            let message = format!(
                "{} costs {} per minute, the middle of the deck is {}",
                row.prefix,
                Money(price),
                Money(middle)
            );
            remarks.push(Kind::LostPoint, Some(row), message, "has the decimal point been lost?");
            lost.insert(i);
        }
    }
    neighbours(deck, world, &lost, remarks);
    match before.map(|before| (before, times(deck, before))) {
        Some((before, Some(times))) => beside(deck, before, times, remarks),
        Some((before, None)) => {
            per_second(deck, world, remarks);
            jumps(deck, before, remarks);
        }
        None => per_second(deck, world, remarks),
    }
}

/// Rows of one country with the same next shorter prefix, or the same calling code where there is none.
fn neighbours(deck: &Deck, world: &World<'_>, lost: &BTreeSet<usize>, remarks: &mut Remarks) {
    let prefixes = Prefixes::new(deck.rows.iter().map(|row| row.prefix));
    let country = |prefix| prefixes.priced(world, prefix).next().or(world.above(prefix).first().copied());
    let mut groups: BTreeMap<(u64, Option<Country>), Vec<usize>> = BTreeMap::new();
    let mut above: Vec<Number> = Vec::new();
    for (i, row) in deck.rows.iter().enumerate() {
        while above.last().is_some_and(|p| *p == row.prefix || !row.prefix.starts_with(*p)) {
            above.pop();
        }
        let parent = above.last().copied().or_else(|| {
            let code = world.calling_code(row.prefix)?.to_string();
            Number::from_digits(code.as_bytes())
        });
        above.push(row.prefix);
        if let Some(parent) = parent
            && !is_short_code(row.prefix)
            && !lost.contains(&i)
        {
            groups.entry((lexicographic(parent), country(row.prefix).map(|r| r.country))).or_default().push(i);
        }
    }
    for group in groups.values() {
        let priced: Vec<(&DeckRow, i64)> =
            group.iter().filter_map(|i| deck.rows.get(*i)).filter_map(|row| Some((row, rate(deck, row)?.0))).collect();
        if priced.len() < NEIGHBOURS {
            continue;
        }
        // What the numbering plan makes dear or cheap says nothing of what is usual.
        let special = |row: &DeckRow| [true, false].iter().any(|dear| honest(world, &prefixes, row.prefix, *dear));
        let mut prices: Vec<i64> = priced.iter().filter(|(row, _)| !special(row)).map(|(_, price)| *price).collect();
        prices.sort_unstable();
        let middle = median(&prices);
        if prices.len() < NEIGHBOURS || middle == 0 {
            continue;
        }
        for (row, price) in priced {
            let fee = deck.terms.get(row.terms as usize).is_some_and(|t| t.price.connect_fee != Money::ZERO);
            let dear = price > middle.saturating_mul(TIMES) && price - middle > SMALL;
            let cheap = price > 0 && price.saturating_mul(TIMES) < middle && middle - price > SMALL;
            let free = price == 0 && !fee;
            if !(dear || cheap || free) || (!dear || price < HONEST) && honest(world, &prefixes, row.prefix, dear) {
                continue;
            }
            let shown = format!(
                "{} costs {}, the middle of its {} neighbours is {}",
                row.prefix,
                Money(price),
                prices.len(),
                Money(middle)
            );
            if free {
                remarks.push(
                    Kind::Free,
                    Some(row),
                    shown,
                    "is it a toll-free number, or has the price been forgotten?",
                );
            } else {
                remarks.push(Kind::OutOfLine, Some(row), shown, moved(price, middle));
            }
        }
    }
}

/// Whether the numbering plan says why: premium numbers are dear, toll-free ones cheap.
fn honest(world: &World<'_>, prefixes: &Prefixes, prefix: Number, dear: bool) -> bool {
    let fits = |kind: NumberKind| match kind {
        NumberKind::Premium | NumberKind::SharedCost | NumberKind::Personal | NumberKind::Pager | NumberKind::Uan => {
            dear
        }
        NumberKind::TollFree => !dear,
        _ => false,
    };
    let mut below = prefixes.priced(world, prefix).peekable();
    if below.peek().is_some() {
        below.all(|row| fits(row.kind))
    } else {
        world.above(prefix).iter().any(|row| fits(row.kind))
    }
}

/// What may be the matter with a price that is far from another.
fn moved(price: i64, usual: i64) -> &'static str {
    match usual.checked_div(price) {
        Some(45..=80) => "is it per second? else: is the decimal point where it should be?",
        _ => "is the decimal point where it should be?",
    }
}

const PER_SECOND_HINT: &str = "per = \"second\" in the mapping, if that is what they are";

/// Beside the deck that is replaced: what happened to all prices, else which of them are far from what they were.
fn beside(deck: &Deck, before: &Deck, times: i64, remarks: &mut Remarks) {
    let (kind, message, hint) = match times {
        // In thousandths: a sixtieth is 16.
        13..=21 => {
            (Kind::PerSecond, "all prices are about a sixtieth of those before: they are per second", PER_SECOND_HINT)
        }
        48_000..=75_000 => (
            Kind::PerSecond,
            "all prices are about sixty times those before: these or those were per second",
            "per = \"minute\" in the mapping",
        ),
        8..=12 => (
            Kind::LostPoint,
            "all prices are about a hundredth of those before: these or those were in cents",
            "cents = false in the mapping",
        ),
        80_000..=125_000 => (
            Kind::LostPoint,
            "all prices are about a hundred times those before: they are in cents",
            "cents = true in the mapping, if that is what they are",
        ),
        _ => return jumps(deck, before, remarks),
    };
    remarks.push(kind, None, message, hint);
}

fn jumps(deck: &Deck, before: &Deck, remarks: &mut Remarks) {
    // What a row asks besides its number is seldom the same in two decks.
    let plain =
        |deck: &Deck, row: &DeckRow| deck.terms.get(row.terms as usize).is_some_and(|terms| terms.condition == 0);
    let old: Vec<(u64, i64)> =
        newest(before).filter(|row| plain(before, row)).filter_map(|row| priced(before, row)).collect();
    for row in newest(deck).filter(|row| plain(deck, row)) {
        let Some((prefix, price)) = priced(deck, row) else { continue };
        let Some((_, was)) = old.binary_search_by_key(&prefix, |(p, _)| *p).ok().and_then(|i| old.get(i)) else {
            continue;
        };
        let far = |less: i64, more: i64| more - less > SMALL && more >= less.saturating_mul(JUMP);
        if far(*was, price) && *was > 0 || far(price, *was) {
            let message = format!(
                "{} costs {}, and {} in the deck that this one replaces",
                row.prefix,
                Money(price),
                Money(*was)
            );
            remarks.push(Kind::Jump, Some(row), message, moved(price, *was));
        }
    }
}

/// The row of each prefix that holds last, in the order of prefixes.
fn newest(deck: &Deck) -> impl Iterator<Item = &DeckRow> {
    deck.rows.chunk_by(|row, next| row.prefix == next.prefix).filter_map(|same| same.first())
}

fn priced(deck: &Deck, row: &DeckRow) -> Option<(u64, i64)> {
    Some((lexicographic(row.prefix), rate(deck, row)?.0))
}

fn per_second(deck: &Deck, world: &World<'_>, remarks: &mut Remarks) {
    let mut by_code: BTreeMap<u16, Vec<i64>> = BTreeMap::new();
    for row in &deck.rows {
        if let (Some(code), Some(Money(price))) = (world.calling_code(row.prefix), rate(deck, row))
            && price > 0
        {
            by_code.entry(code).or_default().push(price);
        }
    }
    let mut middles: Vec<i64> = by_code
        .values_mut()
        .map(|prices| {
            prices.sort_unstable();
            median(prices)
        })
        .collect();
    middles.sort_unstable();
    let middle = median(&middles);
    if middles.len() >= WORLD_CODES && middle < PER_SECOND {
        let message =
            format!("{} calling codes have a middle price of {}: are prices per second?", middles.len(), Money(middle));
        remarks.push(Kind::PerSecond, None, message, PER_SECOND_HINT);
    }
}

/// The middle ratio of prices to those before, in thousandths; none where too few can be compared.
fn times(deck: &Deck, before: &Deck) -> Option<i64> {
    let of = |deck: &Deck| -> Vec<(u64, i64)> { newest(deck).filter_map(|row| priced(deck, row)).collect() };
    let (new, old) = (of(deck), of(before));
    let same = |prefix: u64| {
        old.binary_search_by_key(&prefix, |(p, _)| *p).ok().and_then(|i| old.get(i)).map(|(_, price)| *price)
    };
    let ratio = |(prefix, price): &(u64, i64)| {
        let old = same(*prefix).filter(|old| *old > 0)?;
        i64::try_from(i128::from(*price) * 1000 / i128::from(old)).ok()
    };
    let mut ratios: Vec<i64> = new.iter().filter(|(_, price)| *price > 0).filter_map(ratio).collect();
    ratios.sort_unstable();
    (ratios.len() >= SHARED).then(|| median(&ratios))
}
