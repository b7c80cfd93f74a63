//! From what was dialled to E.164, by the home country's dialling plan (R3).
//!
//! A dialled text is read once into [`Dialled`] and asked in this order: emergency number, extension (the caller's
//! business), short code, and then what number it is. A text may be read in several ways (`8 10 …`, `00 15 1 …`,
//! bare digits): the home country's readings are gathered in the order in which its exchanges take them, readings that
//! have no possible length fall away, and if more than one is left the numbering plan says which is a number. Nothing
//! is guessed beyond that: what has no reading is a [`BadNumber`].
//!
//! Bare digits, without `+`, international or trunk prefix, are
//!
//! - a national number, where that is how one dials (`415 555 2671` in the US, `312 345 6789` in Italy), and also
//!   behind a required trunk prefix that someone left out, unless the digits may be a local number;
//! - E.164 without its `+`, if they begin with the home country's own calling code and the numbering plan knows the
//!   number. Where a trunk prefix is required this comes first: `4930123456` in Germany can't be dialled any other way;
//! - otherwise a local number, whose area code nobody knows: [`BadNumber::Local`]. So `30123456` in Germany is not
//!   Berlin, and `15123456789` neither a German mobile nor Texas.
//!
//! Bare digits are never a foreign number.
//!
//! Does not know accounts, extensions, prices, or what a number's country and kind are.

use super::classify::{Class, NumberingPlan};
use super::countries::{CallingCode, Countries};
use super::pattern::{Digits, Pattern, Rule};
use super::{Country, Number, NumberKind};

mod packed;
mod read;
mod routing;
#[cfg(test)]
mod tests;

pub use packed::Packed;
pub use read::Dialled;

/// Fewest digits of a number, calling code included (R3).
pub const NUMBER_MIN: usize = 5;
/// Most digits of a number, calling code included (E.164).
pub const NUMBER_MAX: usize = 15;

/// Why a number cannot be one (R3, suspense `bad_number`).
///
/// As wide as a number: what is either of the two is then handed on in registers. Copied as bytes, which were written in other
/// pieces just before, it made the processor wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[repr(u64)]
pub enum BadNumber {
    /// Nothing was sent, or a word that stands for a withheld number.
    #[error("empty or anonymous")]
    Absent,
    /// A sign other than digits and what is written between them.
    #[error("holds something that is no digit")]
    NotDigits,
    /// Too short for any number of the world.
    #[error("fewer than {NUMBER_MIN} digits")]
    TooShort,
    /// Longer than E.164 allows.
    #[error("more than {NUMBER_MAX} digits")]
    TooLong,
    /// No country or network has the leading digits.
    #[error("its calling code does not exist")]
    UnknownCallingCode,
    /// The calling code exists, but its numbers are longer or shorter.
    #[error("its calling code has another length")]
    WrongLength,
    /// As long as a number without area code; whose area it is nobody knows.
    #[error("a local number without its area code")]
    Local,
}

/// What dialled digits mean before they are a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Special {
    /// Always free (R6). Only when dialled exactly: `9115551212` is not one.
    Emergency,
    /// Priced by rows like `DE:118`.
    ShortCode,
}

/// One territory's dialling plan, from `countries.toml`.
#[derive(Clone, Debug)]
pub struct DiallingPlan {
    pub(super) country: Country,
    pub(super) code: u16,
    /// Bit n set: some national number has n digits.
    pub(super) lengths: u32,
    /// Bit n set: a local number may have n digits.
    pub(super) local: u32,
    pub(super) leading_zero: bool,
    pub(super) trunk_required: bool,
    pub(super) international: Vec<Pattern>,
    pub(super) trunk: Vec<Pattern>,
    pub(super) rules: Vec<Rule>,
    pub(super) after_code: Vec<Rule>,
    pub(super) lists: Vec<Vec<Pattern>>,
    pub(super) emergency: Shorts,
    pub(super) short: Shorts,
}

/// Numbers that are dialled as they are.
#[derive(Clone, Debug)]
pub(super) struct Shorts {
    patterns: Vec<Pattern>,
    /// By length: first digits that occur. Nearly every call is told by this alone that it is none of them.
    first: [u16; SHORT_MAX + 1],
}

/// Longest dialled text that is compared with short codes; Brazil's collect calls have 18 digits.
const SHORT_MAX: usize = 20;

impl Shorts {
    pub fn new(patterns: Vec<Pattern>) -> Shorts {
        let mut first = [0; SHORT_MAX + 1];
        for pattern in &patterns {
            for length in pattern.lengths() {
                if let Some(set) = first.get_mut(length) {
                    *set |= pattern.first_digits();
                }
            }
        }
        Shorts { patterns, first }
    }

    fn holds(&self, digits: &[u8]) -> bool {
        let (Some(set), Some(digit)) = (self.first.get(digits.len()), digits.first()) else { return false };
        set >> (digit & 0xF) & 1 == 1 && self.patterns.iter().any(|p| p.whole(digits))
    }
}

impl DiallingPlan {
    /// Whose dialling plan this is.
    pub fn country(&self) -> Country {
        self.country
    }

    /// Its calling code.
    pub fn calling_code(&self) -> u16 {
        self.code
    }

    /// Emergency number or short code of this country; both only as all that was dialled. With `+` it is neither.
    pub fn special(&self, dialled: &Dialled) -> Option<Special> {
        if dialled.calls_for_help() {
            return Some(Special::Emergency);
        }
        let digits = dialled.plain().ok().filter(|_| !dialled.has_plus())?;
        if self.emergency.holds(digits) {
            Some(Special::Emergency)
        } else {
            self.short.holds(digits).then_some(Special::ShortCode)
        }
    }

    /// To E.164. The numbering plan decides only where the digits can be read in more than one way; without one, the
    /// first reading that has a possible length is taken.
    pub fn normalise(
        &self,
        dialled: &Dialled,
        countries: &Countries,
        numbering: Option<NumberingPlan<'_>>,
    ) -> Result<Number, BadNumber> {
        self.normalise_by(dialled, countries, || numbering)
    }

    /// [`DiallingPlan::normalise`] where the numbering plan is asked for only if it has a say: of most numbers it has none.
    #[inline]
    pub fn normalise_by<'p>(
        &self,
        dialled: &Dialled,
        countries: &Countries,
        numbering: impl FnOnce() -> Option<NumberingPlan<'p>>,
    ) -> Result<Number, BadNumber> {
        let digits = dialled.plain()?;
        if dialled.has_plus() {
            return international(digits, dialled.bracket_zero(), countries);
        }
        let mut readings = Readings::none();
        let mut refused = None;
        for prefix in &self.international {
            // No calling code begins with 0, so what follows with a 0 was no international prefix.
            if let Some(n) = prefix.front(digits) {
                let bracket = dialled.bracket_zero().and_then(|at| at.checked_sub(n));
                match international(&digits[n..], bracket, countries) {
                    // The usual case: no other prefix, and nothing else that begins like this.
                    Ok(number) if self.international.len() == 1 && digits.first() == Some(&b'0') => return Ok(number),
                    Ok(number) => readings.offer(number, Proof::Length),
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
        }
        // A 0 in front can't be both an international prefix and the beginning of a national number.
        let is_international = readings.count > 0 && digits.first() == Some(&b'0');
        let code = countries.code_at_home(self.code).ok_or(BadNumber::UnknownCallingCode)?;
        if !is_international {
            self.national(digits, code, |national| readings.offer_checked(code, national));
            self.bare(digits, code, &mut readings);
        }
        if let Some(number) = readings.choose(countries, numbering) {
            return Ok(number);
        }
        // Nothing has a possible length. A trunk prefix still says what was meant; R3 refuses only what is surely
        // wrong.
        let trunk = self.trunk.iter().find_map(|t| digits.get(t.front(digits)?..));
        match (refused, trunk) {
            (Some(error), _) => Err(error),
            (None, Some(national)) if self.may_begin(national) => checked(code, national),
            _ if bit(self.local, digits.len()) => Err(BadNumber::Local),
            _ if digits.len() < NUMBER_MIN => Err(BadNumber::TooShort),
            _ if digits.len() > NUMBER_MAX => Err(BadNumber::TooLong),
            _ => Err(BadNumber::WrongLength),
        }
    }

    /// Gives every national number that rules and trunk prefixes make of these digits.
    fn national(&self, digits: &[u8], code: &CallingCode, mut give: impl FnMut(&[u8])) {
        // A shared calling code's numbers have the lengths of all its territories.
        let lengths = self.lengths | code.lengths;
        let fits = |national: &[u8]| bit(lengths, national.len()) && self.may_begin(national);
        for rule in &self.rules {
            if let Some(national) = rule.apply(digits, &self.lists, &fits) {
                give(national.as_slice());
            }
        }
        for trunk in &self.trunk {
            if let Some(national) = trunk.front(digits).and_then(|n| digits.get(n..)).filter(|n| fits(n)) {
                give(national);
            }
        }
    }

    /// Digits without any prefix: a national number, or E.164 without its `+`.
    fn bare(&self, digits: &[u8], code: &CallingCode, readings: &mut Readings) {
        if !self.may_begin(digits) {
            return;
        }
        let is_national = bit(self.lengths, digits.len()) && !bit(self.local, digits.len());
        let behind_code = code.strip(digits).filter(|n| bit(code.lengths, n.len()) && self.may_begin(n));
        let offer_national = |readings: &mut Readings| {
            if is_national {
                readings.offer_checked(code, digits);
            }
        };
        if !self.trunk_required {
            offer_national(readings);
        }
        if let Some(number) = behind_code.and_then(|n| checked(code, n).ok()) {
            readings.offer(number, Proof::Known);
        }
        if self.trunk_required {
            offer_national(readings);
        }
    }

    /// Whether a national number may begin like this.
    fn may_begin(&self, national: &[u8]) -> bool {
        self.leading_zero || national.first() != Some(&b'0')
    }
}

/// What a reading needs to be taken when it is the only one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// Its length is enough.
    Length,
    /// The numbering plan must know it.
    Known,
}

/// The ways in which digits can be read, the likeliest first. More than a few do not occur.
struct Readings {
    numbers: [Number; READINGS_MAX],
    /// Bit i set: reading i must be known to the numbering plan.
    must_be_known: u8,
    count: usize,
}

const READINGS_MAX: usize = 6;

impl Readings {
    fn none() -> Readings {
        Readings { numbers: [Number(0); READINGS_MAX], must_be_known: 0, count: 0 }
    }

    fn all(&self) -> &[Number] {
        self.numbers.get(..self.count).unwrap_or(&[])
    }

    fn offer(&mut self, number: Number, proof: Proof) {
        if self.all().contains(&number) {
            return;
        }
        if let Some(place) = self.numbers.get_mut(self.count) {
            *place = number;
            self.must_be_known |= u8::from(proof == Proof::Known) << self.count;
            self.count += 1;
        }
    }

    fn offer_checked(&mut self, code: &CallingCode, national: &[u8]) {
        if let Ok(number) = checked(code, national) {
            self.offer(number, Proof::Length);
        }
    }

    #[inline]
    fn choose<'p>(
        &self,
        countries: &Countries,
        numbering: impl FnOnce() -> Option<NumberingPlan<'p>>,
    ) -> Option<Number> {
        let (all, first) = (self.all(), *self.all().first()?);
        if self.count == 1 && self.must_be_known == 0 {
            return Some(first);
        }
        let Some(plan) = numbering() else { return Some(first) };
        // A voice mailbox is a mobile number and two digits more, and so as long as E.164 of the same country without
        // its `+`: it proves nothing.
        let proves =
            |number: Number, class: Class| class.kind != NumberKind::Voicemail && countries.length_fits(number, class);
        let known = |number: &&Number| plan.classify(**number).is_some_and(|class| proves(**number, class));
        let by_length = || (0..self.count).find(|i| self.must_be_known >> i & 1 == 0).map(|i| &all[i]);
        all.iter().find(known).or_else(by_length).copied()
    }
}

/// To E.164 where no country is known: only `+…`, and bare digits that begin with a calling code and have a possible
/// length behind it.
pub fn normalise_international(dialled: &Dialled, countries: &Countries) -> Result<Number, BadNumber> {
    let digits = dialled.plain()?;
    let number = international(digits, dialled.bracket_zero(), countries)?;
    let fits = |code: &CallingCode| bit(code.lengths, number.len().saturating_sub(usize::from(code.digits)));
    if dialled.has_plus() || countries.code_of(number).is_some_and(fits) {
        Ok(number)
    } else {
        Err(BadNumber::WrongLength)
    }
}

/// What follows `+` or an international prefix. `bracket_zero` is the place of a `(0)` in the digits.
#[inline]
fn international(digits: &[u8], bracket_zero: Option<usize>, countries: &Countries) -> Result<Number, BadNumber> {
    if digits.len() < NUMBER_MIN {
        return Err(BadNumber::TooShort);
    }
    let code = countries.code_in_front(digits).ok_or(BadNumber::UnknownCallingCode)?;
    let rest = &digits[usize::from(code.digits)..];
    // Nearly all numbers end here, without a look at the dialling plan of the country they go to.
    if rest.first() != Some(&b'0') && !code.rewrites {
        return checked(code, rest);
    }
    let Some(main) = countries.main_plan(code) else { return checked(code, rest) };
    let mut kept = None;
    if rest.first() == Some(&b'0') {
        // A trunk prefix that stayed in: `+49 (0)30`, `+44 020`. Italy's 0 is no trunk prefix: Italy has none.
        let bracketed = bracket_zero == Some(usize::from(code.digits));
        if bracketed || !code.leading_zero || !bit(code.lengths, rest.len()) {
            main.national(rest, code, |national| kept = kept.or(Digits::from(national)));
            if kept.is_none() && bracketed && !code.leading_zero {
                kept = Digits::from(&rest[1..]);
            }
        }
    }
    let rest = kept.as_ref().map_or(rest, Digits::as_slice);
    let fits = |national: &[u8]| bit(code.lengths, national.len());
    match main.after_code.iter().find_map(|rule| rule.apply(rest, &main.lists, &fits)) {
        Some(national) => checked(code, national.as_slice()),
        None => checked(code, rest),
    }
}

/// A number of this calling code, if its length is allowed (R3).
#[inline]
fn checked(code: &CallingCode, national: &[u8]) -> Result<Number, BadNumber> {
    let total = usize::from(code.digits) + national.len();
    if total < NUMBER_MIN {
        Err(BadNumber::TooShort)
    } else if total > NUMBER_MAX {
        Err(BadNumber::TooLong)
    } else if code.total_length.is_some_and(|n| usize::from(n) != total) {
        Err(BadNumber::WrongLength)
    } else {
        let national = Number::from_digits(national).ok_or(BadNumber::NotDigits)?;
        Ok(code.in_front_of(national))
    }
}

/// Whether bit `n` of a set of lengths is set.
fn bit(lengths: u32, n: usize) -> bool {
    n < 32 && lengths >> n & 1 == 1
}
