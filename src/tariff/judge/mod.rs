//! Judges decks that can be read: what is likely to be wrong though it is well written.
//!
//! An error is what no honest deck says, a warning what somebody should look at. Each remark names its kind, so that
//! programs can sort them and people can accept a kind they know to be right.
//!
//! Does not know files, suppliers, or which tariff is in force.

mod codes;
mod coverage;
mod dates;
mod folder;
mod names;
mod prices;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::{Serialize, Serializer};

use super::Severity;
use super::deck::{Deck, DeckRow};
use crate::money::Money;
use crate::nearest::did_you_mean;
use crate::number::classify::NumberingRow;
use crate::number::countries::Countries;
use crate::number::prefix::lexicographic;
use crate::number::{Country, Number, NumberKind};

pub use dates::uncovered;
pub use folder::{DeckRemarks, folder, in_plans};

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A long code that ends in zeros: a spreadsheet rounded it.
    RuinedCode,
    /// Digits that begin several calling codes.
    ShortCode,
    /// Digits that begin no calling code.
    NoCallingCode,
    /// A price that lost its decimal point.
    LostPoint,
    /// Far dearer or cheaper than its neighbours.
    OutOfLine,
    /// Costs nothing among neighbours that cost something.
    Free,
    /// Far from its price in the deck that is replaced.
    Jump,
    /// Prices per second taken for prices per minute.
    PerSecond,
    /// Two rows of one prefix hold at once.
    Overlap,
    /// The destination's country is not the prefix's.
    WrongCountry,
    /// Countries without a row.
    NoCountry,
    /// Mobile numbers without a row, in a country that has others.
    NoMobile,
    /// Premium numbers priced by a row for ordinary ones.
    PremiumInherits,
    /// Mobile numbers priced by a row for the landline, which is far cheaper than the country's other mobile numbers.
    MobileInherits,
    /// Prefixes without a row for a time, though they have one for another.
    Uncovered,
}

/// Prefixes named in one remark.
const NAMED: usize = 5;

/// Each kind, its name, and whether it is an error.
const KINDS: [(Kind, &str, Severity); 15] = [
    (Kind::RuinedCode, "ruined_code", Severity::Error),
    (Kind::ShortCode, "short_code", Severity::Error),
    (Kind::LostPoint, "lost_point", Severity::Error),
    (Kind::PerSecond, "per_second", Severity::Error),
    (Kind::NoCallingCode, "no_calling_code", Severity::Warning),
    (Kind::OutOfLine, "out_of_line", Severity::Warning),
    (Kind::Free, "free", Severity::Warning),
    (Kind::Jump, "jump", Severity::Warning),
    (Kind::Overlap, "overlap", Severity::Warning),
    (Kind::WrongCountry, "wrong_country", Severity::Warning),
    (Kind::NoCountry, "no_country", Severity::Warning),
    (Kind::NoMobile, "no_mobile", Severity::Warning),
    (Kind::PremiumInherits, "premium_inherits", Severity::Warning),
    (Kind::MobileInherits, "mobile_inherits", Severity::Warning),
    (Kind::Uncovered, "uncovered", Severity::Warning),
];

impl Kind {
    /// As in JSON and in `accept`: `ruined_code`.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| *name)
    }

    /// The kind behind a name, or which names there are.
    pub fn named(name: &str) -> Result<Kind, String> {
        let known = KINDS.map(|(_, name, _)| name);
        let found = KINDS.iter().find(|(_, known, _)| *known == name.replace('-', "_"));
        found
            .map(|(kind, ..)| *kind)
            .ok_or_else(|| did_you_mean(name, known, &format!("there are {}", known.join(", "))))
    }

    fn severity(self) -> Severity {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or(Severity::Warning, |(.., severity)| *severity)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Something that was noticed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Remark {
    /// Of what kind.
    pub kind: Kind,
    /// Whether it refuses the deck.
    pub severity: Severity,
    /// Line of the deck, 1-based; 0 where the whole deck is meant.
    pub line: u32,
    /// Digits of the prefix that is meant; empty for the whole deck.
    pub prefix: String,
    /// What is wrong, for people.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

/// Remarks in the making.
#[derive(Default)]
struct Remarks(Vec<Remark>);

impl Remarks {
    fn push(&mut self, kind: Kind, row: Option<&DeckRow>, message: impl Into<String>, hint: impl Into<String>) {
        self.0.push(Remark {
            kind,
            severity: kind.severity(),
            line: row.map_or(0, |r| r.line),
            prefix: row.map_or_else(String::new, |r| r.prefix.to_string()),
            message: message.into(),
            hint: hint.into(),
        });
    }
}

/// What the world looks like: calling codes and the numbering plan, sorted once for many decks.
pub struct World<'a> {
    countries: &'a Countries,
    /// Rows for valid numbers, in the order of prefixes.
    plan: Vec<&'a NumberingRow>,
    /// Total lengths, as bits, for which each prefix has a row, valid or not.
    lengths: HashMap<Number, u32>,
}

impl<'a> World<'a> {
    /// From `countries.toml` and `numbering.csv`, read.
    pub fn new(countries: &'a Countries, plan: &'a [NumberingRow]) -> World<'a> {
        let mut lengths: HashMap<Number, u32> = HashMap::new();
        for row in plan {
            *lengths.entry(row.prefix).or_default() |= row.lengths;
        }
        let mut plan: Vec<&NumberingRow> = plan.iter().filter(|row| row.kind != NumberKind::Unknown).collect();
        plan.sort_by_key(|row| lexicographic(row.prefix));
        World { countries, plan, lengths }
    }

    /// Rows of the plan below a prefix, itself included.
    fn below(&self, prefix: Number) -> impl Iterator<Item = &'a NumberingRow> + '_ {
        let from = self.plan.partition_point(|row| lexicographic(row.prefix) < lexicographic(prefix));
        self.plan.get(from..).unwrap_or(&[]).iter().take_while(move |row| row.prefix.starts_with(prefix)).copied()
    }

    /// Rows of the longest prefix of the plan that is at most as long as `prefix`.
    fn above(&self, prefix: Number) -> &[&'a NumberingRow] {
        for n in (1..=prefix.len()).rev() {
            let front = prefix.prefix(n);
            let from = self.plan.partition_point(|row| lexicographic(row.prefix) < lexicographic(front));
            let rest = self.plan.get(from..).unwrap_or(&[]);
            let same = rest.iter().take_while(|row| row.prefix == front).count();
            if same > 0 {
                return rest.get(..same).unwrap_or(&[]);
            }
        }
        &[]
    }

    /// Whether ordinary numbers begin with a special row's prefix, too, told apart from its own by their total length alone:
    /// no deck can price both.
    fn is_shared(&self, special: &NumberingRow) -> bool {
        let digits = special.prefix.len();
        let has = |n: usize| self.lengths.get(&special.prefix.prefix(n)).copied().unwrap_or(0);
        let mut decided = 0;
        for n in (1..=digits).rev() {
            let prefix = special.prefix.prefix(n);
            let from = self.plan.partition_point(|row| lexicographic(row.prefix) < lexicographic(prefix));
            let same = self.plan.get(from..).unwrap_or(&[]).iter().take_while(|row| row.prefix == prefix);
            // A longer row on the way has decided what numbers of its lengths are.
            if same.filter(|row| is_ordinary(row.kind)).any(|row| row.lengths & !decided != 0) {
                return true;
            }
            decided |= has(n);
        }
        false
    }

    /// The calling code that every number below a prefix has; none if there are several, or none.
    fn calling_code(&self, prefix: Number) -> Option<u16> {
        let (digits, n) = prefix.digits();
        let code = |tail: &[u8]| {
            let whole = [digits.get(..n).unwrap_or(&[]), tail].concat();
            self.countries.calling_code(Number::from_digits(&whole)?).map(|(code, _)| code)
        };
        match n {
            0 => None,
            // A number of three digits and more tells its calling code.
            3.. => code(&[]),
            _ => {
                let first = code(b"00").or_else(|| code(b"10"))?;
                let same = (0..100u8).all(|i| code(&[b'0' + i / 10, b'0' + i % 10]).is_none_or(|c| c == first));
                same.then_some(first).filter(|c| c.to_string().len() <= n)
            }
        }
    }
}

/// Fixed and mobile: what most calls are to.
fn is_ordinary(kind: NumberKind) -> bool {
    matches!(kind, NumberKind::Fixed | NumberKind::Mobile | NumberKind::FixedOrMobile)
}

/// The prefixes of rows, by which it is known which row prices what.
struct Prefixes(Vec<u64>);

impl Prefixes {
    fn new(prefixes: impl Iterator<Item = Number>) -> Prefixes {
        let mut all: Vec<u64> = prefixes.map(lexicographic).collect();
        all.sort_unstable();
        all.dedup();
        Prefixes(all)
    }

    /// The longest one at the front.
    fn over(&self, number: Number) -> Option<Number> {
        let mut fronts = (1..=number.len()).rev().map(|n| number.prefix(n));
        fronts.find(|front| self.0.binary_search(&lexicographic(*front)).is_ok())
    }

    /// Rows of the plan that a prefix prices: those below it which no longer prefix takes from it.
    fn priced<'w>(&self, world: &'w World<'_>, prefix: Number) -> impl Iterator<Item = &'w NumberingRow> {
        world.below(prefix).filter(move |row| self.over(row.prefix) == Some(prefix))
    }
}

/// Rate of a row.
fn rate(deck: &Deck, row: &DeckRow) -> Option<Money> {
    let terms = deck.terms.get(row.terms as usize)?;
    (!terms.blocked).then_some(terms.price.rate)
}

/// The row in the middle of a sorted list.
fn median(sorted: &[i64]) -> i64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// Short codes stand in a deck under a key that begins with 0.
fn is_short_code(prefix: Number) -> bool {
    prefix.digit(0) == Some(0)
}

/// Judges a deck by itself, and beside the deck it replaces.
pub fn deck(deck: &Deck, world: &World<'_>, before: Option<&Deck>) -> Vec<Remark> {
    let mut remarks = Remarks::default();
    codes::judge(deck, world, &mut remarks);
    prices::judge(deck, world, before, &mut remarks);
    names::judge(deck, world, &mut remarks);
    sorted(remarks.0)
}

/// Judges what decks that are asked together leave out: what one lacks another may have. Nothing is said of `elsewhere`,
/// the countries that are priced by other means.
pub fn coverage(decks: &[&Deck], world: &World<'_>, elsewhere: &[Country]) -> Vec<Remark> {
    let mut remarks = Remarks::default();
    coverage::judge(decks, world, elsewhere, &mut remarks);
    sorted(remarks.0)
}

/// Errors first, then by kind and line.
fn sorted(mut remarks: Vec<Remark>) -> Vec<Remark> {
    remarks.sort_by(|a, b| (a.severity, a.kind, a.line, &a.prefix).cmp(&(b.severity, b.kind, b.line, &b.prefix)));
    remarks
}

/// Makes warnings of errors of kinds that somebody has accepted.
pub fn accept(remarks: &mut [Remark], kinds: &[Kind]) {
    for remark in remarks.iter_mut().filter(|r| kinds.contains(&r.kind)) {
        remark.severity = Severity::Warning;
    }
}

/// The first so many of each kind, and how many there are of each.
pub fn bounded(remarks: &[Remark], most: usize) -> (Vec<&Remark>, Vec<(Kind, Severity, usize)>) {
    let mut counts: Vec<(Kind, Severity, usize)> = Vec::new();
    let mut shown = Vec::new();
    for remark in remarks {
        let at = counts.iter().position(|(kind, ..)| *kind == remark.kind).unwrap_or_else(|| {
            counts.push((remark.kind, remark.severity, 0));
            counts.len() - 1
        });
        if let Some((.., count)) = counts.get_mut(at) {
            *count += 1;
            if *count <= most {
                shown.push(remark);
            }
        }
    }
    (shown, counts)
}
