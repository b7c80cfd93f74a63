//! E.164 numbers: what was dialled becomes a [`Number`] by the home country's dialling plan, and a number has a country
//! and a kind by the numbering plan.
//!
//! ```text
//! text ─▶ dialling::Dialled ─▶ DiallingPlan::normalise ─▶ Number ─▶ classify::NumberingPlan ─▶ country, kind
//!                                     ▲
//!                          countries::Countries (rates/countries.toml)
//! ```
//!
//! Does not know files, accounts, extensions, decks or prices.

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(target_arch = "x86_64")]
use crate::os::cpu::pack_sixteen;

pub mod classify;
pub mod countries;
pub mod dialling;
mod pattern;
pub mod prefix;
#[cfg(test)]
mod tests;

/// An E.164 number, or a prefix of one: 1 to 15 digits packed as BCD, left-aligned in a `u64`, unused nibbles `0xA`.
///
/// The filler makes every number comparable digit by digit and lets a look-up index with the end of the number as an
/// eleventh digit; numeric order of the packed form is lexicographic order with a prefix after its extensions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Number(pub u64);

/// Most digits a [`Number`] holds: E.164's 15 and one to spare for keys that are not numbers.
pub const DIGITS_MAX: usize = 16;

/// Every nibble "no digit".
const FILLER: u64 = 0xAAAA_AAAA_AAAA_AAAA;

impl Number {
    /// Packs ASCII digits; none if empty, longer than [`DIGITS_MAX`] or not all digits.
    #[inline]
    pub fn from_digits(digits: &[u8]) -> Option<Number> {
        let n = digits.len();
        // Two loads that overlap, where there is room for them: the same nibbles fall on each other.
        let (front, end) = match n {
            8..=DIGITS_MAX => {
                let both = pack_both(*digits.first_chunk()?, *digits.last_chunk()?)?;
                (both >> 32 << 32, both & 0xFFFF_FFFF)
            }
            4..8 => {
                let (front, end): (&[u8; 4], &[u8; 4]) = (digits.first_chunk()?, digits.last_chunk()?);
                let [a, b, c, d] = *front;
                let [e, f, g, h] = *end;
                let both = pack_eight([a, b, c, d, e, f, g, h])?;
                (both >> 16 << 48, both & 0xFFFF)
            }
            1..4 => (0, pack_few(digits)?),
            _ => return None,
        };
        let unused = 64 - 4 * n as u32;
        Some(Number(front | end << unused | FILLER >> 4 >> (60 - unused)))
    }

    /// How many digits.
    #[inline]
    pub fn len(self) -> usize {
        // Of all nibbles in use only the filler 0b1010 has bits 3 and 1 set; the first one ends the number.
        let ends = self.0 >> 3 & self.0 >> 1 & 0x1111_1111_1111_1111;
        ends.leading_zeros() as usize / 4
    }

    /// Whether there is no digit: true of no number and no prefix that was made from digits.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The digit at a place, if there is one.
    pub fn digit(self, i: usize) -> Option<u8> {
        if i >= DIGITS_MAX {
            return None;
        }
        let nibble = (self.0 >> (60 - 4 * i as u32) & 0xF) as u8;
        (nibble < 10).then_some(nibble)
    }

    /// The first `n` digits.
    pub fn prefix(self, n: usize) -> Number {
        if n >= DIGITS_MAX {
            return self;
        }
        let keep = !(u64::MAX >> (4 * n as u32));
        Number(self.0 & keep | FILLER & !keep)
    }

    /// What follows the first `n` digits.
    #[inline]
    pub fn behind(self, n: usize) -> Number {
        match n {
            0 => self,
            1..DIGITS_MAX => Number(self.0 << (4 * n) | FILLER >> (64 - 4 * n)),
            _ => Number(FILLER),
        }
    }

    /// Whether this begins with all digits of `prefix`.
    pub fn starts_with(self, prefix: Number) -> bool {
        self.prefix(prefix.len()) == prefix
    }

    /// ASCII digits in a buffer, and how many.
    pub fn digits(self) -> ([u8; DIGITS_MAX], usize) {
        let mut out = [0; DIGITS_MAX];
        let mut n = 0;
        while let Some(d) = self.digit(n) {
            out[n] = b'0' + d;
            n += 1;
        }
        (out, n)
    }
}

/// Sixteen ASCII digits as nibbles, eight and eight; none if one is no digit.
#[inline]
fn pack_both(front: [u8; 8], end: [u8; 8]) -> Option<u64> {
    #[cfg(target_arch = "x86_64")]
    return pack_sixteen(front, end);
    #[cfg(not(target_arch = "x86_64"))]
    Some(pack_eight(front)? << 32 | pack_eight(end)?)
}

/// Up to fifteen digits, the last one lowest.
fn pack_few(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |packed, b| {
        let digit = b.wrapping_sub(b'0');
        (digit < 10).then_some(packed << 4 | u64::from(digit))
    })
}

/// Eight ASCII digits as eight nibbles, the last one lowest; none if one is no digit.
#[inline]
fn pack_eight(digits: [u8; 8]) -> Option<u64> {
    let x = u64::from_be_bytes(digits) ^ 0x3030_3030_3030_3030;
    // A digit is below 10, so that six more do not reach its high nibble; a carry only comes from a byte that is no
    // digit.
    if (x | x.wrapping_add(0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0 != 0 {
        return None;
    }
    let pairs = (x | x >> 4) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF;
    Some((fours | fours >> 16) & 0xFFFF_FFFF)
}

impl fmt::Display for Number {
    /// Digits without `+`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, n) = self.digits();
        f.write_str(std::str::from_utf8(&digits[..n]).unwrap_or(""))
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({self})")
    }
}

/// A territory: ISO 3166 alpha-2, or `001` for numbers of no country.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(pub [u8; 3]);

impl Country {
    /// Numbers that belong to no country: +800, +870, +979, …
    pub const WORLD: Country = Country(*b"001");

    /// From `DE` or `001`.
    pub fn parse(text: &str) -> Option<Country> {
        match text.as_bytes() {
            b"001" => Some(Country::WORLD),
            [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Some(Country([*a, *b, b' '])),
            _ => None,
        }
    }

    /// `DE` or `001`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("").trim_end()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Kind of number by the numbering plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum NumberKind {
    /// A line at a place.
    Fixed,
    /// A mobile subscription.
    Mobile,
    /// Either of the two: the plan does not tell them apart, as in North America.
    FixedOrMobile,
    /// The caller pays more than for the way, as for a service sold by telephone.
    Premium,
    /// The called party pays.
    TollFree,
    /// Caller and called party each pay a part.
    SharedCost,
    /// Served over the internet, bound to no place.
    Voip,
    /// Universal access number: one number for all sites of a company.
    Uan,
    /// Reaches a pager.
    Pager,
    /// Follows a person from line to line.
    Personal,
    /// Reaches a mailbox, not a person.
    Voicemail,
    /// Not known as valid.
    Unknown,
}

impl NumberKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [NumberKind; 12] = [
        NumberKind::Fixed,
        NumberKind::Mobile,
        NumberKind::FixedOrMobile,
        NumberKind::Premium,
        NumberKind::TollFree,
        NumberKind::SharedCost,
        NumberKind::Voip,
        NumberKind::Uan,
        NumberKind::Pager,
        NumberKind::Personal,
        NumberKind::Voicemail,
        NumberKind::Unknown,
    ];

    /// As written in `numbering.csv` and in answers: `fixed_or_mobile`.
    pub const fn name(self) -> &'static str {
        match self {
            NumberKind::Fixed => "fixed",
            NumberKind::Mobile => "mobile",
            NumberKind::FixedOrMobile => "fixed_or_mobile",
            NumberKind::Premium => "premium",
            NumberKind::TollFree => "toll_free",
            NumberKind::SharedCost => "shared_cost",
            NumberKind::Voip => "voip",
            NumberKind::Uan => "uan",
            NumberKind::Pager => "pager",
            NumberKind::Personal => "personal",
            NumberKind::Voicemail => "voicemail",
            NumberKind::Unknown => "unknown",
        }
    }

    /// The kind behind a name.
    pub fn named(name: &str) -> Option<NumberKind> {
        NumberKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
