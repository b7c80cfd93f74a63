//! Nodes that speak without being asked: Kamailio's evapi, with netstrings or without, and lines.
//!
//! Does not know what a message says.

use super::{Heard, LINE_MAX, MESSAGE_MAX, Session, Step, step};
use crate::wire::elements::{Element, Elements};

/// Digits of a netstring's length: 9,999,999 bytes are more than evapi can send.
const DIGITS_MAX: usize = 7;
const STRANGER: &str = "it does not speak as Kamailio's evapi does";

impl Session {
    pub(super) fn evapi(&mut self, buffer: &[u8]) -> Option<Step> {
        if let Some(values) = &mut self.values {
            return Some(match values.next(buffer)? {
                Element::Whole { from, to, consumed } => Step { consumed, heard: Heard::Message(from..to) },
                Element::TooLong { consumed } => Step { consumed, heard: Heard::TooLong },
                Element::Nothing { consumed } => Step { consumed, heard: Heard::Nothing },
                Element::Broken { .. } => Step { consumed: 0, heard: Heard::Stranger(STRANGER) },
            });
        }
        let digits = buffer.iter().take(DIGITS_MAX + 1).take_while(|b| b.is_ascii_digit()).count();
        match (digits, buffer.get(digits)) {
            (0, Some(b'{' | b' ' | b'\r' | b'\n')) => {
                // netstring_format = 0.
                self.values = Some(Elements::stream(MESSAGE_MAX));
                self.evapi(buffer)
            }
            (1..=DIGITS_MAX, None) => None,
            (1..=DIGITS_MAX, Some(b':')) => {
                let length = buffer.iter().take(digits).fold(0, |sum, b| sum * 10 + usize::from(b - b'0'));
                let from = digits + 1;
                if length > MESSAGE_MAX {
                    self.skip = length + 1;
                    return step(from, Heard::TooLong);
                }
                match buffer.get(from + length)? {
                    b',' => step(from + length + 1, Heard::Message(from..from + length)),
                    _ => step(0, Heard::Stranger(STRANGER)),
                }
            }
            _ => step(0, Heard::Stranger(STRANGER)),
        }
    }

    pub(super) fn line(&mut self, buffer: &[u8]) -> Option<Step> {
        let unseen = buffer.get(self.scanned..).unwrap_or_default();
        let Some(at) = memchr::memchr(b'\n', unseen).map(|at| self.scanned + at) else {
            self.scanned = buffer.len();
            if self.skipping || buffer.len() > LINE_MAX {
                self.scanned = 0;
                let heard = if std::mem::replace(&mut self.skipping, true) { Heard::Nothing } else { Heard::TooLong };
                return step(buffer.len(), heard);
            }
            return None;
        };
        self.scanned = 0;
        let heard = match std::mem::take(&mut self.skipping) {
            true => Heard::Nothing,
            false if at > LINE_MAX => Heard::TooLong,
            false => Heard::Message(0..at),
        };
        step(at + 1, heard)
    }
}
