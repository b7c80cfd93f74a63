//! FreeSWITCH's event socket: a block of headers, and as many bytes behind it as its `Content-Length` says.
//!
//! Does not know what an event says.

use super::{Heard, MESSAGE_MAX, Session, Stage, Step, block_end, step, value, words};

/// Longest block of headers: they are few and short, what is long stands behind them.
const HEAD_MAX: usize = 4096;

impl Session {
    pub(super) fn esl(&mut self, buffer: &[u8]) -> Option<Step> {
        const STRANGER: &str = "it does not speak as FreeSWITCH's event socket does: is this its port (8021)?";
        let Some(end) = self.block(buffer) else {
            return if buffer.len() > HEAD_MAX { step(0, Heard::Stranger(STRANGER)) } else { None };
        };
        let head = buffer.get(..end).unwrap_or_default();
        if head.trim_ascii().is_empty() {
            return step(end, Heard::Nothing);
        }
        let length = match value(head, "Content-Length") {
            b"" => 0,
            digits => match std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()) {
                Some(length) => length,
                None => return step(0, Heard::Stranger(STRANGER)),
            },
        };
        let kind = value(head, "Content-Type");
        if length > MESSAGE_MAX {
            self.skip = length;
            return step(end, if kind.starts_with(b"text/event-") { Heard::TooLong } else { Heard::Nothing });
        }
        if buffer.len() < end + length {
            return None;
        }
        let (from, to) = (end, end + length);
        let body = buffer.get(from..to).unwrap_or_default();
        let reply = value(head, "Reply-Text");
        let heard = match kind {
            b"auth/request" if self.stage == Stage::Greeting => {
                self.stage = Stage::LoggingIn;
                Heard::Say(self.auth())
            }
            b"command/reply" if !reply.starts_with(b"+OK") && self.stage != Stage::Open => Heard::Refused(words(reply)),
            b"command/reply" if self.stage == Stage::LoggingIn => {
                self.stage = Stage::Subscribing;
                Heard::Say(b"event plain CHANNEL_HANGUP_COMPLETE\n\n".to_vec())
            }
            b"command/reply" if self.stage == Stage::Subscribing => {
                self.stage = Stage::Open;
                Heard::Open
            }
            // Behind its first empty line an event may carry a text of its own.
            b"text/event-plain" => Heard::Message(from..from + block_end(body, 0, true).unwrap_or(length)),
            b"text/event-json" => Heard::Message(from..to),
            b"text/rude-rejection" => Heard::Refused(format!("{} (apply-inbound-acl)", words(body))),
            _ if self.stage == Stage::Greeting => return step(0, Heard::Stranger(STRANGER)),
            _ => Heard::Nothing,
        };
        step(to, heard)
    }

    fn auth(&self) -> Vec<u8> {
        let mut words = match &*self.login.user {
            "" => b"auth ".to_vec(),
            user => format!("userauth {user}:").into_bytes(),
        };
        words.extend_from_slice(&self.login.secret.0);
        words.extend_from_slice(b"\n\n");
        words
    }
}
