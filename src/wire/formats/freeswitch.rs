//! FreeSWITCH over HTTP, JSON or XML, and its events, lines or JSON: told by the first byte, since one switch may have both.
//!
//! Does not know how either is read.

use super::{Decode, Format};
use crate::time::Timestamp;
use crate::wire::{Line, Origin, Refusal, Scratch};

/// One sentence.
pub(super) const ABOUT: &str = "FreeSWITCH mod_json_cdr, mod_xml_cdr and mod_format_cdr, told by the body; A legs";
/// One sentence.
pub(super) const EVENT_ABOUT: &str = "FreeSWITCH events CHANNEL_HANGUP_COMPLETE, as lines or as JSON; A legs";

/// Reads both.
#[derive(Debug)]
struct Either {
    /// Of messages that begin so.
    first: u8,
    one: Option<Box<dyn Decode>>,
    other: Option<Box<dyn Decode>>,
}

/// A decoder of what is posted.
pub(super) fn decoder(origin: &Origin) -> Box<dyn Decode> {
    either(b'<', "freeswitch-xml", "freeswitch-json", origin)
}

/// A decoder of events.
pub(super) fn event_decoder(origin: &Origin) -> Box<dyn Decode> {
    either(b'{', "freeswitch-event-json", "freeswitch-event-plain", origin)
}

fn either(first: u8, one: &str, other: &str, origin: &Origin) -> Box<dyn Decode> {
    let named = |name: &str| match Format::named(name) {
        Some(Format::Named(named)) => Some(named.decoder(origin)),
        _ => None,
    };
    Box::new(Either { first, one: named(one), other: named(other) })
}

impl Decode for Either {
    fn decode<'a>(&'a mut self, message: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        let one = message.trim_ascii_start().first() == Some(&self.first);
        match if one { &mut self.one } else { &mut self.other } {
            Some(decoder) => decoder.decode(message, scratch),
            None => Err(Refusal::Unknown),
        }
    }

    fn now(&mut self, now: Timestamp) {
        self.one.iter_mut().chain(&mut self.other).for_each(|decoder| decoder.now(now));
    }
}
