//! What differs between two tariffs: rows by deck, prefix and conditions, plans field by field, and what else an image holds.
//!
//! The rows of one deck, prefix and condition are a price over time. Both sides are cut wherever either of them changes, and
//! each stretch in which they differ is one [`Change`]: so a price that only ends later than it did is no change before that.
//! Both sides are walked once, side by side; nothing is held but the rows of one prefix.
//!
//! Does not know files, nor how a change is shown.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::iter::Peekable;

use super::condition::Condition;
use super::deck::{Deck, Terms};
use super::{Allowance, Bands, Internal, Overage, Plan, Tariff};
use crate::money::Money;
use crate::number::prefix::{codes::Codes, lexicographic};
use crate::number::{Number, NumberKind};
use crate::time::Timestamp;

#[cfg(test)]
mod tests;

/// One row of either side.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Name of its deck.
    pub deck: &'a str,
    /// Zone of its deck's bands, IANA.
    pub zone: &'a str,
    /// Leading digits for which it holds.
    pub prefix: Number,
    /// What else it asks of a call.
    pub condition: Condition,
    /// Destination name.
    pub destination: &'a str,
    /// Price, steps, dates; its condition means nothing here.
    pub terms: Terms,
}

/// What a change does to the price of calls there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Move {
    /// Only the second side has a row.
    Added,
    /// Only the first side has a row.
    Removed,
    /// Dearer.
    Up,
    /// Cheaper.
    Down,
    /// The same price; name, steps, call type or whether calls are allowed differ.
    Other,
}

impl Move {
    /// All of them.
    pub const ALL: [Move; 5] = [Move::Added, Move::Removed, Move::Up, Move::Down, Move::Other];

    /// As tables and JSON write it.
    pub const fn name(self) -> &'static str {
        match self {
            Move::Added => "added",
            Move::Removed => "removed",
            Move::Up => "up",
            Move::Down => "down",
            Move::Other => "other",
        }
    }
}

/// A stretch of time in which the sides differ at one deck, prefix and condition.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The row of the first side.
    pub before: Option<Line<'a>>,
    /// The row of the second side; with `before` there is at least one of them.
    pub after: Option<Line<'a>>,
    /// First instant; none: since ever.
    pub from: Option<Timestamp>,
    /// First instant behind; none: open-ended.
    pub to: Option<Timestamp>,
    /// What it does.
    pub kind: Move,
    /// By how much, in hundredths of a per cent: of the rate, or of what else of the price differs first (fee, minimum, maximum).
    /// None where one side has no row, where nothing of the price differs, and where it was nothing before.
    pub hundredths: Option<i64>,
}

impl<'a> Change<'a> {
    /// The row to name it by: the second side's where there is one.
    pub fn line(&self) -> Option<Line<'a>> {
        self.after.or(self.before)
    }
}

/// How many rows are the same, and calls `tell` with every change. Stretches that end at `from` or before are left out.
///
/// Both sides must be in the order of decks' names, then of prefixes as [`Tariff::lines`] and [`lines_of`] give them.
pub fn rows<'a>(
    before: impl Iterator<Item = Line<'a>>,
    after: impl Iterator<Item = Line<'a>>,
    from: Option<Timestamp>,
    tell: &mut dyn FnMut(Change<'a>),
) -> u64 {
    let (mut before, mut after) = (before.peekable(), after.peekable());
    let (mut old, mut new): (Vec<Line<'a>>, Vec<Line<'a>>) = (Vec::new(), Vec::new());
    let mut unchanged = 0;
    loop {
        let place = match (before.peek(), after.peek()) {
            (None, None) => return unchanged,
            (Some(line), None) | (None, Some(line)) => *line,
            (Some(one), Some(other)) => match order(one, other) {
                Ordering::Greater => *other,
                _ => *one,
            },
        };
        at_place(&mut before, &place, &mut old);
        at_place(&mut after, &place, &mut new);
        while let Some(first) = old.first().or(new.first()).copied() {
            let same = |line: &Line<'_>| line.condition == first.condition && line.zone == first.zone;
            let (some_old, rest_old): (Vec<_>, Vec<_>) = old.iter().copied().partition(same);
            let (some_new, rest_new): (Vec<_>, Vec<_>) = new.iter().copied().partition(same);
            unchanged += u64::from(over_time(&some_old, &some_new, from, tell));
            (old, new) = (rest_old, rest_new);
        }
    }
}

fn order(one: &Line<'_>, other: &Line<'_>) -> Ordering {
    (one.deck, lexicographic(one.prefix)).cmp(&(other.deck, lexicographic(other.prefix)))
}

/// Takes the lines of a deck and prefix.
fn at_place<'a>(lines: &mut Peekable<impl Iterator<Item = Line<'a>>>, place: &Line<'a>, out: &mut Vec<Line<'a>>) {
    out.clear();
    while let Some(line) = lines.next_if(|line| order(line, place) == Ordering::Equal) {
        out.push(line);
    }
}

/// Compares two prices over time; whether they are one.
fn over_time<'a>(
    before: &[Line<'a>],
    after: &[Line<'a>],
    from: Option<Timestamp>,
    tell: &mut dyn FnMut(Change<'a>),
) -> bool {
    let cuts: BTreeSet<i64> = before
        .iter()
        .chain(after)
        .flat_map(|line| [begin(line), end(line)])
        .chain([i64::MIN, i64::MAX, from.map_or(i64::MIN, |from| from.0)])
        .collect();
    let cuts: Vec<i64> = cuts.into_iter().filter(|cut| from.is_none_or(|from| *cut >= from.0)).collect();
    let mut open: Option<(usize, usize, Change<'a>)> = None;
    let mut same = true;
    for (start, stop) in cuts.iter().zip(cuts.iter().skip(1)) {
        // Later rows come first, and supersede.
        let at = |lines: &[Line<'a>]| lines.iter().position(|line| begin(line) <= *start && *start < end(line));
        let (old, new) = (at(before), at(after));
        let place = (old.map_or(usize::MAX, |i| i), new.map_or(usize::MAX, |i| i));
        if let Some((was_old, was_new, change)) = &mut open {
            if (*was_old, *was_new) == place {
                change.to = instant(*stop);
                continue;
            }
            tell(*change);
            open = None;
        }
        let line = |lines: &[Line<'a>], at: Option<usize>| at.and_then(|at| lines.get(at)).copied();
        let (old, new) = (line(before, old), line(after, new));
        if let Some((kind, hundredths)) = moved(old.as_ref(), new.as_ref()) {
            same = false;
            let (from, to) = (instant(*start), instant(*stop));
            open = Some((place.0, place.1, Change { before: old, after: new, from, to, kind, hundredths }));
        }
    }
    if let Some((_, _, change)) = open {
        tell(change);
    }
    same
}

fn begin(line: &Line<'_>) -> i64 {
    line.terms.valid_from.map_or(i64::MIN, |t| t.0)
}

fn end(line: &Line<'_>) -> i64 {
    line.terms.valid_to.map_or(i64::MAX, |t| t.0)
}

fn instant(cut: i64) -> Option<Timestamp> {
    (cut != i64::MIN && cut != i64::MAX).then_some(Timestamp(cut))
}

/// What a step from one row to another does, and by how much; none if nothing.
fn moved(before: Option<&Line<'_>>, after: Option<&Line<'_>>) -> Option<(Move, Option<i64>)> {
    let (before, after) = match (before, after) {
        (None, None) => return None,
        (None, Some(_)) => return Some((Move::Added, None)),
        (Some(_), None) => return Some((Move::Removed, None)),
        (Some(before), Some(after)) => (before, after),
    };
    let (old, new) = (before.terms.price, after.terms.price);
    // A maximum that was not there is lower than none, a minimum higher.
    let least = |cost: Option<Money>| cost.unwrap_or(Money::ZERO);
    let most = |cost: Option<Money>| cost.unwrap_or(Money(i64::MAX));
    let parts = [
        (old.rate, new.rate),
        (old.connect_fee, new.connect_fee),
        (least(old.minimum_cost), least(new.minimum_cost)),
        (most(old.maximum_cost), most(new.maximum_cost)),
    ];
    if let Some((old, new)) = parts.into_iter().find(|(old, new)| old != new) {
        let kind = if new.0 > old.0 { Move::Up } else { Move::Down };
        let bounded = old.0 != i64::MAX && new.0 != i64::MAX;
        return Some((kind, hundredths(old, new).filter(|_| bounded)));
    }
    let dateless = |terms: Terms| Terms { valid_from: None, valid_to: None, condition: 0, ..terms };
    let same = dateless(before.terms) == dateless(after.terms) && before.destination == after.destination;
    (!same).then_some((Move::Other, None))
}

/// By how much an amount changes, in hundredths of a per cent, halves away from zero; none from nothing.
pub fn hundredths(old: Money, new: Money) -> Option<i64> {
    let (was, by) = (i128::from(old.0), i128::from(new.0) - i128::from(old.0));
    if was == 0 {
        return None;
    }
    let twice = by * 20_000 / was;
    i64::try_from((twice + twice.signum()) / 2).ok()
}

/// Rows of a deck that was read, under a name.
pub fn lines_of<'a>(name: &'a str, zone: &'a str, deck: &'a Deck) -> impl Iterator<Item = Line<'a>> {
    deck.rows.iter().filter_map(move |row| {
        Some(Line {
            deck: name,
            zone: if deck.condition(row).band.is_some() { zone } else { "" },
            prefix: row.prefix,
            condition: deck.condition(row),
            destination: deck.names.get(row.name as usize)?,
            terms: *deck.terms.get(row.terms as usize)?,
        })
    })
}

impl Tariff {
    /// The rows of all decks, by deck, prefix, the more particular condition first, later `valid_from` first.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let prefixes = Codes::trusted(self.section(&self.opened.row_prefixes));
        let mut decks = self.opened.decks.iter().peekable();
        self.rows().iter().zip(prefixes.iter()).enumerate().filter_map(move |(id, (row, prefix))| {
            while decks.next_if(|deck| (deck.first_row + deck.rows) as usize <= id).is_some() {}
            let deck = decks.peek()?;
            let terms = self.terms_table().get(row.terms())?;
            let condition = (terms.condition.get() as usize).checked_sub(1).and_then(|at| self.conditions().get(at));
            let condition = condition.map(|stored| stored.condition()).unwrap_or_default();
            Some(Line {
                deck: &deck.name,
                zone: if condition.band.is_some() { &deck.timezone } else { "" },
                prefix,
                condition,
                destination: self.name(row).unwrap_or(""),
                terms: terms.terms(),
            })
        })
    }

    /// Zone of a deck, IANA; none if there is no such deck.
    pub fn deck_zone(&self, name: &str) -> Option<&str> {
        self.opened.decks.iter().find(|deck| deck.name == name).map(|deck| deck.timezone.as_str())
    }
}

/// A field of a plan or a deck that differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Differs {
    /// `plan de-business`, `deck world-eur`.
    pub of: String,
    /// Which field; empty where one side does not have it at all.
    pub field: &'static str,
    /// On the first side.
    pub before: String,
    /// On the second side.
    pub after: String,
}

/// What plans and decks say of themselves differently, by name.
pub fn plans(before: &Tariff, after: &Tariff) -> Vec<Differs> {
    let mut found = Vec::new();
    let facts = |tariff: &Tariff| -> Vec<(String, Vec<(&'static str, String)>)> {
        let plans = tariff.plans().iter().zip(&tariff.opened.details);
        let plans = plans.map(|(plan, details)| (format!("plan {}", plan.name), plan_facts(plan, &details.included)));
        let decks = tariff.opened.decks.iter().map(|deck| {
            let currency = deck.currency.clone().unwrap_or_else(|| "the plan's".to_owned());
            (format!("deck {}", deck.name), vec![("currency", currency), ("timezone", deck.timezone.clone())])
        });
        plans.chain(decks).collect()
    };
    let (old, new) = (facts(before), facts(after));
    let names: BTreeSet<&String> = old.iter().chain(&new).map(|(name, _)| name).collect();
    for name in names {
        let of = |side: &[(String, Vec<(&'static str, String)>)]| side.iter().find(|(n, _)| n == name).cloned();
        let there = |here: bool| if here { "there" } else { "not there" }.to_owned();
        match (of(&old), of(&new)) {
            (Some((_, old)), Some((_, new))) => {
                for ((field, before), (_, after)) in old.into_iter().zip(new) {
                    if before != after {
                        found.push(Differs { of: name.clone(), field, before, after });
                    }
                }
            }
            (old, new) => {
                let (before, after) = (there(old.is_some()), there(new.is_some()));
                found.push(Differs { of: name.clone(), field: "", before, after });
            }
        }
    }
    found
}

fn plan_facts(plan: &Plan, included: &[(crate::number::Country, u16)]) -> Vec<(&'static str, String)> {
    let included = included.iter().map(|(country, kinds)| {
        let kinds = NumberKind::ALL.into_iter().filter(|kind| kinds & super::plans::kind_bit(*kind) != 0);
        format!("{country} {}", kinds.map(NumberKind::name).collect::<Vec<_>>().join("+"))
    });
    let steps = |steps: crate::call::StepRule| {
        let minimum = if steps.minimum > 0 { format!(" minimum {}", steps.minimum) } else { String::new() };
        let free = if steps.free_below.0 > 0 { format!(" free below {} s", steps.free_below) } else { String::new() };
        format!("{} {}/{}{minimum}{free}", steps.mode, steps.initial, steps.increment)
    };
    vec![
        ("country", plan.country.to_string()),
        ("currency", String::from_utf8_lossy(&plan.currency).into_owned()),
        ("included_minutes", minutes(plan.allowance)),
        ("included", included.collect::<Vec<_>>().join(", ")),
        (
            "overage_rate",
            match plan.overage {
                Overage::Rate(rate) => rate.fixed(0),
                Overage::Deck => "deck".to_owned(),
            },
        ),
        ("steps", plan.steps.map_or_else(|| "the country's".to_owned(), steps)),
        ("prorate_first", plan.prorate_first.to_string()),
        ("cost_decimals", plan.cost_decimals.to_string()),
        ("decks", plan.decks.join(", ")),
        ("inbound_decks", plan.inbound_decks.join(", ")),
        ("bands", if plan.bands == Bands::Start { "start" } else { "split" }.to_owned()),
        ("allowances", plan.pools.iter().map(pool_facts).collect::<Vec<_>>().join("; ")),
        ("rollover", plan.rollover.as_ref().map_or_else(String::new, ToString::to_string)),
        ("tiers", plan.tiers.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        ("prorate_change", plan.prorate_change.to_string()),
        ("internal", if plan.internal == Internal::Free { "free" } else { "included" }.to_owned()),
        ("free", plan.free.join(", ")),
        (
            "successive",
            plan.successive.map_or_else(String::new, |s| format!("within {} s from {}", s.within, s.from.name())),
        ),
    ]
}

fn minutes(allowance: Allowance) -> String {
    match allowance {
        Allowance::Unlimited => "unlimited".to_owned(),
        Allowance::Seconds(seconds) if seconds.is_multiple_of(60) => (seconds / 60).to_string(),
        Allowance::Seconds(seconds) => format!("{seconds} s"),
    }
}

fn pool_facts(pool: &super::pools::Pool) -> String {
    let of: Vec<String> = pool.of.iter().map(|of| of.to_string()).collect();
    let rollover = pool.rollover.as_ref().map_or_else(String::new, |rollover| format!(", rollover {rollover}"));
    format!("{} {} of {}{rollover}", pool.name, minutes(pool.allowance), of.join(" "))
}

/// What else differs, by the files that say it: dialling rules, numbering plan, exchange rates, states, free numbers, holidays.
pub fn beside(before: &Tariff, after: &Tariff) -> Vec<&'static str> {
    let (old, new) = (&before.opened, &after.opened);
    let countries = |opened: &super::open::Opened| serde_json::to_string(&opened.countries).unwrap_or_default();
    let holidays = |opened: &super::open::Opened| -> Vec<super::bands::Holidays> {
        opened.calendars.iter().map(|calendar| calendar.holidays.clone()).collect()
    };
    let states =
        |tariff: &Tariff| [&tariff.opened.state_map, &tariff.opened.states].map(|range| tariff.section(range).to_vec());
    let mut found = Vec::new();
    found.extend((countries(old) != countries(new)).then_some("countries.toml"));
    found.extend((before.section(&old.numbering) != after.section(&new.numbering)).then_some("numbering.csv"));
    found.extend((old.exchange != new.exchange).then_some("exchange.csv"));
    found.extend((states(before) != states(after)).then_some("states.csv"));
    found.extend((old.free != new.free).then_some("free/"));
    found.extend((holidays(old) != holidays(new)).then_some("holidays of plans.toml"));
    found
}
