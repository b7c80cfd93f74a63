//! Entry points for a fuzzer: any bytes, no panic, and whatever is accepted survives the canonical form.
//!
//! The property tests call them too, so that they stay true without a fuzzer at hand.
//!
//! Does not know how bytes are made up.

use super::elements::{Element, Elements};
use super::formats::BUILT_IN;
use super::{Decoder, Format, Line, Scratch};
use crate::piece::Piece;
use crate::record::Record;

/// The house's own formats and all that are built in.
pub fn every_format() -> impl Iterator<Item = Format> {
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

/// The bytes as a RADIUS datagram, its signature not asked for.
pub fn radius(bytes: &[u8]) {
    let Some(packet) = super::radius::Packet::read(bytes) else { return };
    let mut scratch = Scratch::default();
    let _ = super::radius::sign::is_genuine(&packet, b"secret");
    assert!(super::radius::Packet::read(&super::radius::sign::response(&packet, b"secret")).is_some());
    let mut canonical = Vec::new();
    match super::radius::decode(&packet, &super::radius::Reading::default(), None, &mut scratch) {
        Ok(Line::Record(record)) => {
            record.encode(&mut canonical);
            assert_eq!(Record::decode(&canonical), Ok(record));
        }
        Ok(Line::Piece(piece)) => {
            piece.encode(&mut canonical);
            assert_eq!(Piece::decode(&canonical), Ok(piece));
        }
        _ => {}
    }
}
