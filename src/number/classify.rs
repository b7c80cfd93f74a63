//! Country and kind of a number by the numbering plan: prefix and total length.

use super::{Country, Number, NumberKind};

/// What the numbering plan says of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Class {
    pub country: Country,
    pub kind: NumberKind,
}

/// One row of `numbering.csv`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NumberingRow {
    pub prefix: Number,
    pub country: Country,
    pub kind: NumberKind,
    /// Bit n set: total length n allowed; 0: any length.
    pub lengths: u32,
}

/// Reads `numbering.csv`.
pub fn parse(_csv: &str) -> Result<Vec<NumberingRow>, String> {
    todo!()
}

/// Section bytes of the numbering plan for the tariff image.
pub fn build(_rows: &[NumberingRow]) -> Vec<u8> {
    todo!()
}

/// View over the section.
#[derive(Clone, Copy)]
pub struct NumberingPlan<'a> {
    pub bytes: &'a [u8],
}

impl<'a> NumberingPlan<'a> {
    pub fn validate(_bytes: &'a [u8]) -> Result<NumberingPlan<'a>, &'static str> {
        todo!()
    }
    pub fn trusted(bytes: &'a [u8]) -> NumberingPlan<'a> {
        NumberingPlan { bytes }
    }
    /// None: not known as valid; the caller gives it the main territory of its calling code and `Unknown`.
    pub fn classify(&self, _number: Number) -> Option<Class> {
        todo!()
    }
}
