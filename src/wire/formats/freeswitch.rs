//! FreeSWITCH over HTTP: JSON or XML, told by the first byte, since one switch may have both modules.
//!
//! Does not know how either is read.

use super::{Decode, Format};
use crate::wire::{Line, Origin, Refusal, Scratch};

/// One sentence.
pub(super) const ABOUT: &str = "FreeSWITCH mod_json_cdr, mod_xml_cdr and mod_format_cdr, told by the body; A legs";

/// Reads both.
#[derive(Debug)]
struct Either {
    json: Option<Box<dyn Decode>>,
    xml: Option<Box<dyn Decode>>,
}

/// A decoder of either.
pub(super) fn decoder(origin: &Origin) -> Box<dyn Decode> {
    let named = |name: &str| match Format::named(name) {
        Some(Format::Named(named)) => Some(named.decoder(origin)),
        _ => None,
    };
    Box::new(Either { json: named("freeswitch-json"), xml: named("freeswitch-xml") })
}

impl Decode for Either {
    fn decode<'a>(&'a mut self, message: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        let xml = message.trim_ascii_start().first() == Some(&b'<');
        match if xml { &mut self.xml } else { &mut self.json } {
            Some(decoder) => decoder.decode(message, scratch),
            None => Err(Refusal::Unknown),
        }
    }
}
