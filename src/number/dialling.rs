//! From what was dialled to E.164, by the home country's dialling plan (R3).

use serde::{Deserialize, Serialize};

use super::{Number, countries::Countries};

/// One territory's dialling plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DiallingPlan {
    // calling code, international and trunk prefixes, lengths, emergency numbers, short codes, …
}

/// Dialled digits without scheme and separators; the extension of `;ext=` apart. Held on the stack.
#[derive(Clone, Copy, Debug)]
pub struct Dialled {
    // digits buffer, length, plus sign, flags for letters and overflow
}

/// Why a number cannot be one (R3, suspense `bad_number`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadNumber {
    #[error("empty or anonymous")]
    Absent,
    #[error("holds something that is no digit")]
    NotDigits,
    #[error("fewer than 5 digits")]
    TooShort,
    #[error("more than 15 digits")]
    TooLong,
    #[error("its calling code does not exist")]
    UnknownCallingCode,
    #[error("its calling code has another length")]
    WrongLength,
}

/// What dialled digits mean before they are a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Special {
    Emergency,
    ShortCode,
}

impl Dialled {
    /// Reads `+49 (0)30 …`, `sip:…@…`, `tel:…`, `;ext=`, separators.
    pub fn read(_text: &[u8]) -> Dialled {
        todo!()
    }
    /// The digits as dialled (ASCII; a leading `+` is told apart by `has_plus`).
    pub fn digits(&self) -> &[u8] {
        todo!()
    }
    pub fn has_plus(&self) -> bool {
        todo!()
    }
    /// Without the node's tech prefixes and service codes, if one of them stands in front.
    pub fn stripped(&self, _strip: &[String]) -> Dialled {
        todo!()
    }
}

impl DiallingPlan {
    /// Emergency number (exact) or short code (exact or by prefix) of this country.
    pub fn special(&self, _dialled: &Dialled) -> Option<Special> {
        todo!()
    }
    /// To E.164.
    pub fn normalise(&self, _dialled: &Dialled, _countries: &Countries) -> Result<Number, BadNumber> {
        todo!()
    }
}

/// To E.164 where no country is known: only `+…` and bare E.164 with a valid calling code and a number the caller vouches for.
pub fn normalise_international(_dialled: &Dialled, _countries: &Countries) -> Result<Number, BadNumber> {
    todo!()
}
