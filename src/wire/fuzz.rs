//! Entry points for a fuzzer: any bytes, no panic, and whatever is accepted survives the canonical form.
//!
//! The property tests call them too, so that they stay true without a fuzzer at hand.
//!
//! Does not know how bytes are made up.

use super::elements::{Element, Elements};
use super::formats::{BUILT_IN, BuiltIn};
use super::{Decoder, Format, Line, Scratch};
use crate::record::Record;

/// The house's own formats and all that are built in.
pub fn every_format() -> impl Iterator<Item = Format> {
    [Format::Auto, Format::Json, Format::Csv].into_iter().chain(BUILT_IN.iter().map(BuiltIn::format))
}

/// Every line of the bytes, by every format.
pub fn lines(bytes: &[u8]) {
    for format in every_format() {
        let mut decoder = Decoder::new(format, "fuzz");
        let mut scratch = Scratch::default();
        for line in bytes.split(|b| *b == b'\n') {
            if let Ok(Line::Record(record)) = decoder.decode(line, &mut scratch) {
                let mut canonical = Vec::new();
                record.encode(&mut canonical);
                assert_eq!(Record::decode(&canonical), Ok(record));
            }
        }
    }
}

/// The bytes as a posted JSON document that arrives in two pieces.
pub fn document(bytes: &[u8]) {
    let mut elements = Elements::new(1000);
    let mut at = 0;
    for end in [bytes.len() / 2, bytes.len()] {
        while let Some(element) = elements.next(bytes.get(at..end).unwrap_or_default()) {
            if let Element::Whole { from, to, consumed } = element {
                assert!(from < to && to <= consumed && to - from <= 1000);
            }
            assert!(element.consumed() > 0 && at + element.consumed() <= end);
            at += element.consumed();
        }
    }
    let _ = elements.end();
}
