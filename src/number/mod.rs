//! E.164 numbers.

use std::fmt;

/// An E.164 number, or a prefix of one: 1 to 15 digits packed as BCD, left-aligned in a `u64`, unused nibbles `0xA`.
///
/// The filler makes every number comparable digit by digit and lets a look-up index with the end of the number as an
/// eleventh digit; numeric order of the packed form is lexicographic order with a prefix after its extensions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(pub u64);

/// Most digits a [`Number`] holds: E.164's 15 and one to spare for keys that are not numbers.
pub const DIGITS_MAX: usize = 16;

impl Number {
    /// Packs ASCII digits; none if empty, longer than [`DIGITS_MAX`] or not all digits.
    pub fn from_digits(digits: &[u8]) -> Option<Number> {
        if digits.is_empty() || digits.len() > DIGITS_MAX {
            return None;
        }
        let mut packed = 0xAAAA_AAAA_AAAA_AAAA_u64;
        for (i, b) in digits.iter().enumerate() {
            let digit = b.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            let shift = 60 - 4 * i as u32;
            packed = packed & !(0xF << shift) | u64::from(digit) << shift;
        }
        Some(Number(packed))
    }

    /// How many digits.
    pub fn len(self) -> usize {
        (0..DIGITS_MAX).take_while(|i| self.0 >> (60 - 4 * *i as u32) & 0xF != 0xA).count()
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
        Number(self.0 & keep | 0xAAAA_AAAA_AAAA_AAAA & !keep)
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

pub mod classify;
pub mod countries;
pub mod dialling;
mod pattern;
pub mod prefix;

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
    Fixed,
    Mobile,
    FixedOrMobile,
    Premium,
    TollFree,
    SharedCost,
    Voip,
    Uan,
    Pager,
    Personal,
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
