//! Entry points for a fuzzer: any bytes, no panic, and whatever is accepted survives the canonical form.
//!
//! The property tests call them too, so that they stay true without a fuzzer at hand.
//!
//! Does not know how bytes are made up.

use super::elements::{Element, Elements};
use super::formats::BUILT_IN;
use super::{Decoder, Format, Line, Scratch};
use crate::record::Record;

/// The house's own formats and all that are built in.
pub fn every_format() -> impl Iterator<Item = Format> {
    // Made once: a fuzzer comes here many thousand times a second.
    static EVERY: std::sync::LazyLock<Vec<Format>> = std::sync::LazyLock::new(|| made().collect());
    EVERY.iter().cloned()
}

fn made() -> impl Iterator<Item = Format> {
    [Format::Auto, Format::Json, Format::Csv]
        .into_iter()
        .chain(BUILT_IN.iter().filter_map(|built_in| built_in.format().ok()))
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

/// The bytes as one message, and as a body or file, by every format; as they are and as what they may wrap.
pub fn messages(bytes: &[u8]) {
    for format in every_format() {
        let mut decoder = Decoder::new(format.clone(), "fuzz");
        let mut scratch = Scratch::default();
        let mut check = |message: &[u8]| {
            if let Ok(Line::Record(record)) = decoder.decode(message, &mut scratch) {
                let mut canonical = Vec::new();
                record.encode(&mut canonical);
                assert_eq!(Record::decode(&canonical), Ok(record));
                for text in [record.id, record.node, record.account, record.source, record.destination] {
                    assert!(std::str::from_utf8(text).is_ok());
                }
            }
        };
        check(bytes);
        super::messages::each(&format, &super::posted::unwrap(bytes), |_, message| {
            if let Ok(message) = message {
                check(message);
            }
        });
    }
}

/// The bytes as a mapping in configuration: refused, or usable on the same bytes.
pub fn mapping(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(settings) = toml::from_str(text)
        && let Ok(mapping) = super::mapping::Mapping::new(&settings)
    {
        let mut decoder = std::sync::Arc::new(mapping).decoder(&super::Origin::new("fuzz"));
        let _ = decoder.decode(bytes, &mut Scratch::default());
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
