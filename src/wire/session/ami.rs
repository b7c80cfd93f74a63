//! Asterisk's manager: blocks of `Name: value`, each ended by an empty line.
//!
//! Does not know what an event says.

use super::{Heard, MESSAGE_MAX, Session, Stage, Step, step, value, words};

/// Longest greeting.
const BANNER_MAX: usize = 256;

impl Session {
    pub(super) fn ami(&mut self, buffer: &[u8]) -> Option<Step> {
        if self.stage == Stage::Greeting {
            return self.banner(buffer);
        }
        let Some(end) = self.block(buffer) else {
            if buffer.len() <= MESSAGE_MAX {
                return None;
            }
            // What was seen of an end mark stays in the buffer.
            let consumed = self.scanned;
            self.scanned = 0;
            let heard = if std::mem::replace(&mut self.skipping, true) { Heard::Nothing } else { Heard::TooLong };
            return step(consumed, heard);
        };
        let block = buffer.get(..end).unwrap_or_default();
        if std::mem::take(&mut self.skipping) || block.trim_ascii().is_empty() {
            return step(end, Heard::Nothing);
        }
        if end > MESSAGE_MAX {
            return step(end, Heard::TooLong);
        }
        let heard = match (self.stage, value(block, "Response")) {
            (Stage::LoggingIn, b"Success") => {
                self.stage = Stage::Open;
                Heard::Open
            }
            (Stage::LoggingIn, b"") => Heard::Nothing,
            (Stage::LoggingIn, _) => Heard::Refused(words(value(block, "Message"))),
            (_, b"") => Heard::Message(0..end),
            // Answers to our pings.
            _ => Heard::Nothing,
        };
        step(end, heard)
    }

    fn banner(&mut self, buffer: &[u8]) -> Option<Step> {
        const STRANGER: &str = "it does not greet as an Asterisk manager does: is this the manager's port (5038)?";
        let expected = b"Asterisk Call Manager";
        let begun = expected.iter().zip(buffer).all(|(ours, theirs)| ours == theirs);
        if !begun || buffer.len() > BANNER_MAX && memchr::memchr(b'\n', buffer).is_none() {
            return step(0, Heard::Stranger(STRANGER));
        }
        let end = memchr::memchr(b'\n', buffer)? + 1;
        self.stage = Stage::LoggingIn;
        let login = &self.login;
        let mut words = format!("Action: Login\r\nUsername: {}\r\nSecret: ", login.user).into_bytes();
        words.extend_from_slice(&login.secret.0);
        words.extend_from_slice(format!("\r\nEvents: {}\r\n\r\n", login.events).as_bytes());
        step(end, Heard::Say(words))
    }
}
