//! The short way to E.164, for what nearly everybody sends: digits and nothing else, perhaps behind a `+`. They are packed
//! once, and no rule reads them as text again.
//!
//! It answers where the digits can be read in one way only, and is silent otherwise: what it is silent on goes the long way
//! ([`DiallingPlan::normalise_by`]), and what it answers is what the long way would come to.
//!
//! Does not know what the digits are besides a number: emergency number, extension, short code.

use super::read::ABSENT_ON_KEYPAD;
use super::{CallingCode, Countries, DiallingPlan, NUMBER_MAX, NUMBER_MIN, bit};
use crate::number::{DIGITS_MAX, Number};

/// Fewer digits than these are seldom a number, and packed in another way.
const PACKED_MIN: usize = 8;

/// Dialled digits, packed.
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    digits: Number,
    length: usize,
    plus: bool,
}

impl Packed {
    /// Reads 8 to 16 digits, or `+` and so many; none: it is something else, for [`Dialled`](super::Dialled) to read.
    #[inline]
    pub fn read(text: &[u8]) -> Option<Packed> {
        let plus = text.first() == Some(&b'+');
        let digits = text.get(usize::from(plus)..)?;
        let length = digits.len();
        if !(PACKED_MIN..=DIGITS_MAX).contains(&length) {
            return None;
        }
        let packed = Packed { digits: Number::from_digits(digits)?, length, plus };
        (!plus || length >= 12 || !ABSENT_ON_KEYPAD.contains(&digits)).then_some(packed)
    }

    /// Whether a `+` stood in front.
    #[inline]
    pub fn has_plus(&self) -> bool {
        self.plus
    }

    /// To E.164 where no country is known: only what stands behind a `+`.
    #[inline]
    pub fn international(&self, countries: &Countries) -> Option<Number> {
        if self.plus { international(self.digits, self.length, countries) } else { None }
    }

    fn first(&self) -> u32 {
        (self.digits.0 >> 60) as u32
    }
}

impl DiallingPlan {
    /// Whether the digits may be an emergency number or a short code here: nearly all are told by their first one and how
    /// many they are that they are neither.
    #[inline]
    pub fn may_be_special(&self, dialled: &Packed) -> bool {
        let begins = self.emergency.first[dialled.length] | self.short.first[dialled.length];
        begins >> dialled.first() & 1 == 1
    }

    /// [`DiallingPlan::normalise_by`] where it is plain; none: it must be asked.
    #[inline]
    pub fn normalise_packed(&self, dialled: &Packed, countries: &Countries) -> Option<Number> {
        let Packed { digits, length, plus } = *dialled;
        if plus {
            return international(digits, length, countries);
        }
        if !self.rules.is_empty() {
            return None;
        }
        for prefix in &self.international {
            if let Some(n) = prefix.front_of(digits) {
                // With several of them, or none but a national number beginning so, there is more than one way to read it.
                let only = self.international.len() == 1 && dialled.first() == 0;
                return if only { international(digits.behind(n), length - n, countries) } else { None };
            }
        }
        let code = countries.code_at_home(self.code)?;
        let trunk = self.behind_trunk(dialled, code)?;
        let begins = |national: Number| self.leading_zero || national.0 >> 60 != 0;
        if !begins(digits) {
            return trunk.found();
        }
        // E.164 without its `+` must be known to the numbering plan, unless the trunk prefix comes to the same.
        if let Some(n) = code.front_of(digits)
            && bit(code.lengths, length - n)
            && begins(digits.behind(n))
            && checked(code, digits.behind(n), length - n).is_some_and(|number| trunk.found() != Some(number))
        {
            return None;
        }
        let is_national = bit(self.lengths, length) && !bit(self.local, length);
        trunk.and(if is_national { checked(code, digits, length) } else { None })?.found()
    }

    /// The number behind a trunk prefix. None: two prefixes lead to two numbers.
    #[inline]
    fn behind_trunk(&self, dialled: &Packed, code: &CallingCode) -> Option<Reading> {
        let Packed { digits, length, .. } = *dialled;
        let mut reading = Reading(None);
        for n in self.trunk.iter().filter_map(|trunk| trunk.front_of(digits)) {
            let (national, left) = (digits.behind(n), length - n);
            // A shared calling code's numbers have the lengths of all its territories.
            if bit(self.lengths | code.lengths, left) && (self.leading_zero || national.0 >> 60 != 0) {
                reading = reading.and(checked(code, national, left))?;
            }
        }
        Some(reading)
    }
}

/// The one way in which digits can be read, so far.
#[derive(Clone, Copy)]
struct Reading(Option<Number>);

impl Reading {
    fn found(self) -> Option<Number> {
        self.0
    }

    /// With another way; none: they differ.
    #[inline]
    fn and(self, other: Option<Number>) -> Option<Reading> {
        match (self.0, other) {
            (Some(one), Some(other)) if one != other => None,
            (one, other) => Some(Reading(one.or(other))),
        }
    }
}

/// What follows `+` or an international prefix, where no dialling plan of the country it goes to has a say.
#[inline]
fn international(digits: Number, length: usize, countries: &Countries) -> Option<Number> {
    if !(NUMBER_MIN..=NUMBER_MAX).contains(&length) {
        return None;
    }
    let code = countries.code_of(digits)?;
    let plain = !code.rewrites && code.total_length.is_none_or(|n| usize::from(n) == length);
    (plain && digits.digit(usize::from(code.digits)) != Some(0)).then_some(digits)
}

/// A number of this calling code, if its length is allowed (R3).
#[inline]
fn checked(code: &CallingCode, national: Number, length: usize) -> Option<Number> {
    let total = usize::from(code.digits) + length;
    let allowed =
        (NUMBER_MIN..=NUMBER_MAX).contains(&total) && code.total_length.is_none_or(|n| usize::from(n) == total);
    (allowed && length > 0).then(|| code.in_front_of(national))
}
