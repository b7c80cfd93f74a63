//! Values with units: `"2ms"`, `"40d"`, `"1GiB"`.
//!
//! Does not know which key holds them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};

/// A length of time in microseconds, written with its unit: `us`, `ms`, `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Length(pub i64);

/// A number of bytes, written with its unit: `B`, `KiB`, `MiB`, `GiB`, `TiB` (or `kB`, `MB`, `GB`, `TB`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteSize(pub u64);

/// A number of calendar months, at least one: `month`, `months`, `year`, `years`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Months(pub u32);

const MONTHS: &[(&str, i64)] = &[("month", 1), ("months", 1), ("year", 12), ("years", 12)];

const LENGTHS: &[(&str, i64)] =
    &[("us", 1), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000)];

const SIZES: &[(&str, i64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

fn parse(text: &str, units: &[(&str, i64)]) -> Result<i64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim());
    let names = || units.iter().map(|u| u.0).collect::<Vec<_>>().join(", ");
    let number: i64 =
        number.parse().map_err(|_| format!("{text:?} is not a whole number with a unit ({})", names()))?;
    let factor = units.iter().find(|u| u.0 == unit).ok_or_else(|| format!("{text:?} needs a unit: {}", names()))?.1;
    number.checked_mul(factor).ok_or_else(|| format!("{text:?} is too large"))
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Length, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text, LENGTHS).map(Length).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Months {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Months, D::Error> {
        let text = String::deserialize(deserializer)?;
        match parse(&text, MONTHS).map_err(D::Error::custom)? {
            months @ 1..=1200 => Ok(Months(months as u32)),
            _ => Err(D::Error::custom(format!("{text:?}: 1 month to 100 years; leave the key out to keep for ever"))),
        }
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text, SIZES).map(|n| ByteSize(n as u64)).map_err(D::Error::custom)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, factor) = SIZES[..5].iter().rev().find(|u| self.0 >= u.1 as u64).copied().unwrap_or(("B", 1));
        let tenths = self.0 * 10 / factor as u64;
        write!(f, "{}.{} {name}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_or_refused() {
        assert_eq!(parse("2ms", LENGTHS), Ok(2_000));
        assert_eq!(parse("40 d", LENGTHS), Ok(40 * 86_400_000_000));
        assert_eq!(parse("1GiB", SIZES), Ok(1 << 30));
        assert_eq!(parse("2 years", MONTHS), Ok(24));
        assert!(parse("2 yers", MONTHS).is_err());
        for bad in ["", "5", "ms", "1.5s", "-1s", "5 years", "99999999999999999d"] {
            assert!(parse(bad, LENGTHS).is_err(), "{bad}");
        }
        assert_eq!(ByteSize(1536).to_string(), "1.5 KiB");
    }
}
