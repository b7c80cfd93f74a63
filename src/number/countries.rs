//! `countries.toml`: dialling rules, emergency numbers, short codes, step rules of every territory.
//!
//! Every look-up is an index into a small table: by two letters, by calling code. Nothing is allocated after reading.
//!
//! Does not know files, decks, accounts, or who asks.

use serde::{Deserialize, Serialize};

use super::classify::Class;
use super::dialling::DiallingPlan;
use super::{Country, Number, NumberKind};
use crate::call::StepRule;

mod file;
#[cfg(test)]
mod tests;

/// Stands for "no entry" in the tables of indexes.
const NONE: u16 = u16::MAX;

/// All territories, indexed by country and calling code.
///
/// Serialises into the tariff image as the content of the file, in its order, so that equal files give equal bytes;
/// what is read back is checked like the file itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "file::CountriesFile", into = "file::CountriesFile")]
pub struct Countries {
    file: file::CountriesFile,
    /// In alphabetical order; the place is the ordinal.
    territories: Vec<Entry>,
    /// Ordinal by two letters.
    by_letters: Vec<u16>,
    /// Ordinal of 001.
    world: Option<u16>,
    codes: Vec<CallingCode>,
    /// Index of the calling code by the first three digits of a number.
    by_digits: Vec<u16>,
    /// The most specific first.
    steps: Vec<StepEntry>,
}

#[derive(Clone, Debug)]
struct Entry {
    country: Country,
    /// None for 001: nobody dials from there.
    plan: Option<DiallingPlan>,
    /// Bit n set: a national number of this kind may have n digits.
    lengths: [u32; 12],
    /// Ordinals; empty: only itself.
    domestic: Vec<u16>,
}

/// One calling code and what all its territories have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallingCode {
    pub code: u16,
    /// How many digits it has, 1 to 3.
    pub digits: u8,
    /// Its digits as nibbles, the last one lowest.
    packed: u64,
    /// Ordinal of the main territory.
    main: u16,
    /// Digits of every number, calling code included, where there is but one length.
    pub total_length: Option<u8>,
    /// Bit n set: some national number has n digits.
    pub lengths: u32,
    /// Whether some number begins with 0 behind the calling code.
    pub leading_zero: bool,
    /// Whether what follows the code may have to be rewritten (`after_code` of the main territory).
    pub rewrites: bool,
}

impl CallingCode {
    /// What follows this calling code, if the digits begin with it.
    pub fn strip<'d>(&self, digits: &'d [u8]) -> Option<&'d [u8]> {
        let (front, rest) = digits.split_at_checked(usize::from(self.digits))?;
        let value = front.iter().fold(0, |sum, b| sum * 10 + u16::from(b.wrapping_sub(b'0') & 0xF));
        (value == self.code).then_some(rest)
    }

    /// How many digits of a number this calling code is, if the number begins with it.
    #[inline]
    pub fn front_of(&self, number: Number) -> Option<usize> {
        let shift = 64 - 4 * u32::from(self.digits);
        (number.0 >> shift == self.packed).then_some(usize::from(self.digits))
    }

    /// The number with this calling code in front of a national number.
    #[inline]
    pub fn in_front_of(&self, national: Number) -> Number {
        let shift = 4 * u32::from(self.digits);
        Number(self.packed << (64 - shift) | national.0 >> shift)
    }
}

#[derive(Clone, Debug)]
struct StepEntry {
    home: Option<Country>,
    destination: Option<Country>,
    kind: Option<NumberKind>,
    rule: StepRule,
    /// The same three as one word, zeros where any will do, and which bits of it count: one comparison a rule.
    scope: u64,
    asked: u64,
}

/// Home, destination and kind of number as one word.
#[inline]
fn scope(home: Country, destination: Country, kind: NumberKind) -> u64 {
    let ([a, b, c], [d, e, f]) = (home.0, destination.0);
    u64::from_be_bytes([0, a, b, c, d, e, f, kind as u8])
}

impl StepEntry {
    fn new(home: Option<Country>, destination: Option<Country>, kind: Option<NumberKind>, rule: StepRule) -> StepEntry {
        let all = |asked: bool| Country([if asked { 0xFF } else { 0 }; 3]);
        let asked = scope(all(home.is_some()), all(destination.is_some()), NumberKind::Fixed);
        let asked = asked | if kind.is_some() { 0xFF } else { 0 };
        let any = Country([0; 3]);
        let scope = scope(home.unwrap_or(any), destination.unwrap_or(any), kind.unwrap_or(NumberKind::Fixed));
        StepEntry { home, destination, kind, rule, scope, asked }
    }

    /// R14: destination and type with a home country first, the home country alone late, the default last.
    fn specificity(&self) -> u8 {
        match (self.home.is_some(), self.destination.is_some(), self.kind.is_some()) {
            (true, true, true) => 5,
            (true, true, false) => 4,
            (false, true, true) => 3,
            (false, true, false) => 2,
            (true, false, _) => 1,
            (false, false, _) => 0,
        }
    }

    fn same_scope(&self, other: &StepEntry) -> bool {
        (self.home, self.destination, self.kind) == (other.home, other.destination, other.kind)
    }
}

impl Countries {
    /// Reads `countries.toml`; the error begins with the line: `line 12: …`.
    pub fn parse(toml: &str) -> Result<Countries, String> {
        file::parse(toml)
    }

    /// The dialling rules of one territory; none if it is not listed, and for 001, where nobody dials.
    #[inline]
    pub fn get(&self, country: Country) -> Option<&DiallingPlan> {
        self.entry(self.ordinal(country)?)?.plan.as_ref()
    }

    /// Whether `other` counts as home for an account of `home`: its `domestic` list, itself if there is none (R6 to
    /// R10).
    #[inline]
    pub fn is_home(&self, home: Country, other: Country) -> bool {
        if home == other {
            return true;
        }
        let (Some(home), Some(other)) = (self.ordinal(home), self.ordinal(other)) else { return false };
        self.entry(home).is_some_and(|entry| entry.domestic.contains(&other))
    }

    /// Country step rules by R14's specificity; the plan's own steps are the caller's business, and come first.
    #[inline]
    pub fn steps(&self, home: Country, destination: Country, kind: NumberKind) -> StepRule {
        let call = scope(home, destination, kind);
        let fits = |e: &&StepEntry| call & e.asked == e.scope;
        // `file::compile` refuses a file without a default, so the last entry always fits.
        let rule = self.steps.iter().find(fits).map(|e| e.rule);
        rule.unwrap_or(StepRule {
            mode: crate::call::StepMode::Up,
            initial: 60,
            increment: 60,
            minimum: 0,
            free_below: crate::time::Micros(0),
        })
    }

    /// Calling code at the front of a number, and its main territory.
    pub fn calling_code(&self, number: Number) -> Option<(u16, Country)> {
        let code = self.code_of(number)?;
        Some((code.code, self.entry(code.main)?.country))
    }

    /// Small number of a territory, stable in this file: its place in alphabetical order (for short-code keys).
    #[inline]
    pub fn ordinal(&self, country: Country) -> Option<u16> {
        match place_of_letters(country) {
            Some(place) => self.by_letters.get(place).copied().filter(|o| *o != NONE),
            None => self.world.filter(|_| country == Country::WORLD),
        }
    }

    /// The territory behind an ordinal.
    pub fn territory(&self, ordinal: u16) -> Option<Country> {
        Some(self.entry(ordinal)?.country)
    }

    /// All territories, in alphabetical order.
    pub fn territories(&self) -> impl Iterator<Item = Country> + '_ {
        self.territories.iter().map(|e| e.country)
    }

    /// Country and kind of a number that the numbering plan does not know as valid (R9): the main territory of its
    /// calling code, `Unknown`. None if even the calling code does not exist.
    pub fn unknown_class(&self, number: Number) -> Option<Class> {
        let (_, country) = self.calling_code(number)?;
        Some(Class { country, kind: NumberKind::Unknown })
    }

    /// Whether a number of this class can have this many digits in all.
    pub fn length_fits(&self, number: Number, class: Class) -> bool {
        let lengths = self.ordinal(class.country).and_then(|o| self.entry(o)).map(|e| e.lengths[class.kind as usize]);
        let national = self.code_of(number).and_then(|code| number.len().checked_sub(usize::from(code.digits)));
        matches!((lengths, national), (Some(lengths), Some(n)) if lengths >> n & 1 == 1)
    }

    #[inline]
    pub(super) fn code_of(&self, number: Number) -> Option<&CallingCode> {
        let digit = |i: u32| (number.0 >> (60 - 4 * i) & 0xF) as usize;
        // A calling code is never all of a number, so one of fewer than three digits has none.
        if number.len() < 3 {
            return None;
        }
        self.code_at(digit(0) * 100 + digit(1) * 10 + digit(2))
    }

    /// The calling code at the front of ASCII digits.
    #[inline]
    pub(super) fn code_in_front(&self, digits: &[u8]) -> Option<&CallingCode> {
        let &[a, b, c, ..] = digits else { return None };
        let digit = |b: u8| Some(usize::from(b.wrapping_sub(b'0'))).filter(|d| *d < 10);
        self.code_at(digit(a)? * 100 + digit(b)? * 10 + digit(c)?)
    }

    /// A territory's own calling code.
    #[inline]
    pub(super) fn code_at_home(&self, code: u16) -> Option<&CallingCode> {
        let scale = match code {
            0..10 => 100,
            10..100 => 10,
            _ => 1,
        };
        self.code_at(usize::from(code) * scale)
    }

    #[inline]
    fn code_at(&self, first_three: usize) -> Option<&CallingCode> {
        self.codes.get(usize::from(*self.by_digits.get(first_three)?))
    }

    /// Dialling rules of the main territory of a calling code.
    pub(super) fn main_plan(&self, code: &CallingCode) -> Option<&DiallingPlan> {
        self.entry(code.main)?.plan.as_ref()
    }

    fn entry(&self, ordinal: u16) -> Option<&Entry> {
        self.territories.get(usize::from(ordinal))
    }
}

/// Place of two capital letters in a table of 26 × 26; none for 001.
fn place_of_letters(country: Country) -> Option<usize> {
    let [a, b, blank] = country.0;
    let letter = |b: u8| b.is_ascii_uppercase().then(|| usize::from(b - b'A'));
    if blank != b' ' {
        return None;
    }
    Some(letter(a)? * 26 + letter(b)?)
}

impl TryFrom<file::CountriesFile> for Countries {
    type Error = String;
    fn try_from(file: file::CountriesFile) -> Result<Countries, String> {
        file::compile(file).map_err(|fault| fault.to_string())
    }
}

impl From<Countries> for file::CountriesFile {
    fn from(countries: Countries) -> file::CountriesFile {
        countries.file
    }
}
