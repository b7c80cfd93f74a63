//! Nodes that are called instead of calling: what is said to them, and how what they say falls into messages.
//!
//! ```text
//! ami     banner ◀ · Action: Login ▶ · Response: Success ◀ · Event: … ◀ … · Action: Ping ▶ · Response ◀
//! esl     auth/request ◀ · auth ▶ · +OK ◀ · event plain CHANNEL_HANGUP_COMPLETE ▶ · +OK ◀ · text/event-… ◀ …
//! evapi   299:{…},284:{…}, ◀ …   or the values back to back
//! tcp     a line ◀ …
//! ```
//!
//! A [`Session`] is one connection. It is shown what has come and not been read yet, and says what that is: a message for a
//! decoder, something to be said, the end of the login.
//!
//! Does not know sockets or clocks, nor what a message says.

mod ami;
mod esl;
mod frames;

use std::ops::Range;

use serde::Deserialize;

use super::Key;
use super::elements::Elements;

/// Longest message of a node that is called: an event of FreeSWITCH has some 11 KB, with a script's own variables more.
pub const MESSAGE_MAX: usize = 256 << 10;
/// Longest line where a line is the message, as of other senders of lines.
pub const LINE_MAX: usize = 64 << 10;

/// What a node speaks that is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Asterisk's manager.
    Ami,
    /// FreeSWITCH's event socket.
    Esl,
    /// Kamailio's evapi.
    Evapi,
    /// Lines, without a word of ours.
    Tcp,
}

impl Protocol {
    /// The name in configuration and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Ami => "ami",
            Protocol::Esl => "esl",
            Protocol::Evapi => "evapi",
            Protocol::Tcp => "tcp",
        }
    }

    /// Whether somebody logs in.
    pub const fn has_login(self) -> bool {
        matches!(self, Protocol::Ami | Protocol::Esl)
    }
}

/// Who logs in, and for what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// The name; empty: none.
    pub user: Box<str>,
    /// The secret.
    pub secret: Key,
    /// Classes of events that the manager is asked for.
    pub events: &'static str,
}

/// What stands at the front of the buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Bytes to take off the front; never none, but where nothing behind can be understood.
    pub consumed: usize,
    /// What they are.
    pub heard: Heard,
}

/// What was heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// A message, at that place in the buffer.
    Message(Range<usize>),
    /// Something that is to be answered so.
    Say(Vec<u8>),
    /// The login was accepted: events come from here on.
    Open,
    /// The login was refused, with the node's words.
    Refused(String),
    /// A message that is longer than is taken; it is passed over.
    TooLong,
    /// Nothing of weight.
    Nothing,
    /// Whoever speaks there is not whom we called.
    Stranger(&'static str),
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    protocol: Protocol,
    login: Login,
    stage: Stage,
    /// Up to here the buffer holds no end of a message.
    scanned: usize,
    /// So many bytes of a message that is too long are still to come.
    skip: usize,
    /// The rest of a message that is too long is passed over up to its end mark.
    skipping: bool,
    /// Values back to back, where evapi frames nothing.
    values: Option<Elements>,
}

/// How far a login is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// The node has said nothing.
    Greeting,
    /// We have named ourselves.
    LoggingIn,
    /// We have asked for events.
    Subscribing,
    /// Events come.
    Open,
}

impl Session {
    /// A connection that was just made.
    pub fn new(protocol: Protocol, login: Login) -> Session {
        let stage = if protocol.has_login() { Stage::Greeting } else { Stage::Open };
        Session { protocol, login, stage, scanned: 0, skip: 0, skipping: false, values: None }
    }

    /// Whether events come.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// What to say now and then, so that a node which is gone is noticed; none: the protocol has no such word.
    pub fn ping(&self) -> Option<&'static [u8]> {
        match self.protocol {
            Protocol::Ami if self.is_open() => Some(b"Action: Ping\r\n\r\n"),
            _ => None,
        }
    }

    /// Looks at the buffer, which begins where the last step ended. None: more bytes are needed.
    pub fn next(&mut self, buffer: &[u8]) -> Option<Step> {
        if buffer.is_empty() {
            return None;
        }
        if self.skip > 0 {
            let consumed = self.skip.min(buffer.len());
            self.skip -= consumed;
            return step(consumed, Heard::Nothing);
        }
        match self.protocol {
            Protocol::Ami => self.ami(buffer),
            Protocol::Esl => self.esl(buffer),
            Protocol::Evapi => self.evapi(buffer),
            Protocol::Tcp => self.line(buffer),
        }
    }

    /// Where the block of lines at the front ends, with its empty line; none: not yet.
    fn block(&mut self, buffer: &[u8]) -> Option<usize> {
        let end = block_end(buffer, self.scanned, !self.skipping);
        // The end mark may be cut anywhere.
        self.scanned = if end.is_some() { 0 } else { buffer.len().saturating_sub(2) };
        end
    }
}

fn step(consumed: usize, heard: Heard) -> Option<Step> {
    Some(Step { consumed, heard })
}

/// Where a block of lines ends, the empty line with it; nothing before `from` ends it. `whole`: it begins at the front of
/// the buffer, so that an empty line there ends a block of nothing.
pub(super) fn block_end(buffer: &[u8], from: usize, whole: bool) -> Option<usize> {
    let mut at = from;
    loop {
        let end = at + memchr::memchr(b'\n', buffer.get(at..)?)?;
        let lines = buffer.get(..end).unwrap_or_default();
        let lines = lines.strip_suffix(b"\r").unwrap_or(lines);
        if lines.is_empty() && whole || lines.ends_with(b"\n") {
            return Some(end + 1);
        }
        at = end + 1;
    }
}

/// The value behind a name in a block of lines; empty where there is none.
fn value<'b>(block: &'b [u8], name: &str) -> &'b [u8] {
    let of = |line: &'b [u8]| {
        let (head, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
        head.trim_ascii().eq_ignore_ascii_case(name.as_bytes()).then(|| value.get(1..).unwrap_or_default().trim_ascii())
    };
    block.split(|b| *b == b'\n').find_map(of).unwrap_or_default()
}

/// What a node said, for people: short, without control characters.
fn words(text: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).take(200).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests;
