//! A SIP message as far as calls are concerned: its start line and the seven headers that tell which call it belongs to,
//! who calls whom, and where it was seen.
//!
//! A tolerant scanner, not a parser: compact header names, folded lines, bare LF, any bytes and any other headers are taken
//! as they come; what cannot be read is absent. Nothing is copied: every part is a slice of the message.
//!
//! Does not know transactions or dialogs, nor who captured the message.

/// A message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// Request or response.
    pub start: Start<'a>,
    /// Names the call.
    pub call_id: &'a [u8],
    /// Number of the transaction.
    pub cseq: Option<u32>,
    /// What was asked for, in a response too.
    pub method: &'a [u8],
    /// Who calls, or who asks within a call.
    pub from: Party<'a>,
    /// Who is called, or asked.
    pub to: Party<'a>,
    /// The user of the first `P-Asserted-Identity` that has one; empty: none.
    pub asserted: &'a [u8],
    /// Branch of the topmost `Via`; empty: none.
    pub branch: &'a [u8],
    /// `Via` entries: how many hops it has come, or in a response how many it has before it.
    pub hops: u32,
}

/// The first line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start<'a> {
    /// A request to that URI.
    Request(&'a [u8]),
    /// A response with that code, 100 to 699.
    Response(u16),
}

/// One side of a dialog.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Party<'a> {
    /// User part of the URI, as written; empty: none.
    pub user: &'a [u8],
    /// Its tag; empty: none yet.
    pub tag: &'a [u8],
}

/// Why bytes are no message of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadSip {
    /// Neither request nor response.
    #[error("the first line is neither a SIP request nor a SIP response")]
    Start,
    /// It cannot be told to which call it belongs.
    #[error("the SIP message has no Call-ID")]
    CallId,
    /// It cannot be told what it is about.
    #[error("the SIP message has no CSeq with a method")]
    Cseq,
}

/// Reads the start line and the headers; the body is not looked at.
pub fn read(message: &[u8]) -> Result<Message<'_>, BadSip> {
    // Clients keep their way through NAT open with empty lines, and may send one before a message.
    let message = message.trim_ascii_start();
    let mut lines = Headers { rest: message };
    let start = start_line(lines.line()).ok_or(BadSip::Start)?;
    let mut found = Message {
        start: start.0,
        call_id: b"",
        cseq: None,
        method: b"",
        from: Party::default(),
        to: Party::default(),
        asserted: b"",
        branch: b"",
        hops: 0,
    };
    while let Some((name, value)) = lines.next() {
        match Name::of(name) {
            // A header that must stand once and stands twice: the first counts.
            Name::CallId if found.call_id.is_empty() => found.call_id = first_word(value),
            Name::Cseq if found.method.is_empty() => (found.cseq, found.method) = cseq(value),
            Name::From if found.from == Party::default() => found.from = party(value),
            Name::To if found.to == Party::default() => found.to = party(value),
            Name::Asserted if found.asserted.is_empty() => found.asserted = first_user(value),
            Name::Via => {
                if found.hops == 0 {
                    found.branch = parameter(entries(value).next().unwrap_or_default(), b"branch");
                }
                found.hops += entries(value).count() as u32;
            }
            _ => {}
        }
    }
    if found.call_id.is_empty() {
        return Err(BadSip::CallId);
    }
    if found.method.is_empty() {
        // Without it a request still says itself what it is.
        found.method = start.1;
    }
    if found.method.is_empty() { Err(BadSip::Cseq) } else { Ok(found) }
}

/// Start line, and the method of a request.
fn start_line(line: &[u8]) -> Option<(Start<'_>, &[u8])> {
    const VERSION: &[u8] = b"SIP/2.0";
    let mut words = line.split(|b| matches!(b, b' ' | b'\t')).filter(|w| !w.is_empty());
    let first = words.next()?;
    let second = words.next()?;
    if first.eq_ignore_ascii_case(VERSION) {
        let code = std::str::from_utf8(second).ok()?.parse().ok().filter(|code| (100..700).contains(code))?;
        return Some((Start::Response(code), b""));
    }
    let named = first.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    (named && words.next_back()?.eq_ignore_ascii_case(VERSION)).then_some((Start::Request(second), first))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    CallId,
    Cseq,
    From,
    To,
    Via,
    Asserted,
    Other,
}

impl Name {
    fn of(name: &[u8]) -> Name {
        const NAMES: [(&[u8], Name); 10] = [
            (b"v", Name::Via),
            (b"f", Name::From),
            (b"t", Name::To),
            (b"i", Name::CallId),
            (b"via", Name::Via),
            (b"from", Name::From),
            (b"to", Name::To),
            (b"call-id", Name::CallId),
            (b"cseq", Name::Cseq),
            (b"p-asserted-identity", Name::Asserted),
        ];
        let found = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or(Name::Other, |(_, name)| *name)
    }
}

/// The lines of the head.
struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    /// One line, without its end.
    fn line(&mut self) -> &'a [u8] {
        let end = memchr::memchr(b'\n', self.rest);
        let line = self.rest.get(..end.unwrap_or(self.rest.len())).unwrap_or_default();
        self.rest = end.and_then(|end| self.rest.get(end + 1..)).unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// Name and value of the next header; a value that goes on in further lines has their line ends in it, which count as
    /// white space. None: the head has ended.
    fn next(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        loop {
            let from = self.rest;
            let line = self.line();
            if line.is_empty() {
                return None;
            }
            while matches!(self.rest.first(), Some(b' ' | b'\t')) {
                self.line();
            }
            let header = from.get(..from.len() - self.rest.len())?;
            // A line without a colon says nothing.
            if let Some(colon) = memchr::memchr(b':', header) {
                let (name, value) = header.split_at(colon);
                return Some((name.trim_ascii(), value.get(1..)?.trim_ascii()));
            }
        }
    }
}

fn first_word(value: &[u8]) -> &[u8] {
    value.split(u8::is_ascii_whitespace).find(|w| !w.is_empty()).unwrap_or_default()
}

fn cseq(value: &[u8]) -> (Option<u32>, &[u8]) {
    let mut words = value.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty());
    let number = words.next().and_then(|w| std::str::from_utf8(w).ok()).and_then(|w| w.parse().ok());
    (number, words.next().unwrap_or_default())
}

/// The entries of a list, parted by commas outside quotes and angle brackets.
fn entries(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let list = rest?;
        let end = outside(list, b',');
        rest = end.and_then(|end| list.get(end + 1..));
        Some(list.get(..end.unwrap_or(list.len()))?.trim_ascii())
    })
}

/// Where the byte stands first outside quotes and angle brackets.
fn outside(text: &[u8], byte: u8) -> Option<usize> {
    let (mut quoted, mut bracketed) = (false, false);
    let mut at = 0;
    loop {
        let here = *text.get(at)?;
        match here {
            b'\\' if quoted => at += 1,
            b'"' if !bracketed => quoted = !quoted,
            b'<' if !quoted => bracketed = true,
            b'>' if !quoted => bracketed = false,
            _ if here == byte && !quoted && !bracketed => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

/// `"Name" <sip:user@host;p=v>;tag=x`, `Name <tel:+49…>`, `sip:user@host;tag=x`.
fn party(value: &[u8]) -> Party<'_> {
    Party { user: user(uri(value)), tag: parameter(value, b"tag") }
}

/// The URI of an address. Without angle brackets its parameters belong to the header.
fn uri(address: &[u8]) -> &[u8] {
    if let Some(open) = open_bracket(address) {
        let inner = address.get(open + 1..).unwrap_or_default();
        return inner.get(..memchr::memchr(b'>', inner).unwrap_or(inner.len())).unwrap_or_default().trim_ascii();
    }
    address.get(..memchr::memchr(b';', address).unwrap_or(address.len())).unwrap_or_default().trim_ascii()
}

/// Where the angle bracket opens, which may also stand within the quotes of a name without meaning it.
fn open_bracket(address: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut at = 0;
    loop {
        match (address.get(at)?, quoted) {
            (b'\\', true) => at += 1,
            (b'"', _) => quoted = !quoted,
            (b'<', false) => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

/// The user of a URI, without password and, unless one of them is a routing number, without parameters; empty where it names
/// only a host.
pub fn user(uri: &[u8]) -> &[u8] {
    let Some(colon) = memchr::memchr(b':', uri) else { return b"" };
    let (scheme, rest) = uri.split_at(colon);
    let rest = rest.get(1..).unwrap_or_default();
    let user = if scheme.eq_ignore_ascii_case(b"tel") {
        rest
    } else if scheme.eq_ignore_ascii_case(b"sip") || scheme.eq_ignore_ascii_case(b"sips") {
        // The last @ parts user and host: users that carry one of their own are wrong and do occur.
        let rest = rest.get(..memchr::memchr(b'?', rest).unwrap_or(rest.len())).unwrap_or_default();
        match memchr::memrchr(b'@', rest) {
            Some(at) => rest.get(..at).unwrap_or_default(),
            None => b"",
        }
    } else {
        b""
    };
    let user = user.get(..memchr::memchr(b':', user).unwrap_or(user.len())).unwrap_or_default();
    user.get(..number_end(user)).unwrap_or_default()
}

/// Where the parameters of a user begin. Its end where they name a routing number (RFC 4694): that may change the price, and
/// rating reads it.
pub(in crate::wire) fn number_end(user: &[u8]) -> usize {
    let Some(end) = memchr::memchr(b';', user) else { return user.len() };
    let routed = user[end..].windows(4).any(|four| four.eq_ignore_ascii_case(b";rn="));
    if routed { user.len() } else { end }
}

/// The user of the first address of a list that has one.
fn first_user(value: &[u8]) -> &[u8] {
    entries(value).map(|address| user(uri(address))).find(|user| !user.is_empty()).unwrap_or_default()
}

/// A parameter of a header's value, behind its address.
fn parameter<'a>(value: &'a [u8], name: &[u8]) -> &'a [u8] {
    let mut rest = value;
    while let Some(semicolon) = outside(rest, b';') {
        rest = rest.get(semicolon + 1..).unwrap_or_default();
        let end = outside(rest, b';').unwrap_or(rest.len());
        let one = rest.get(..end).unwrap_or_default();
        let Some(equals) = memchr::memchr(b'=', one) else { continue };
        let (key, text) = one.split_at(equals);
        if key.trim_ascii().eq_ignore_ascii_case(name) {
            return text.get(1..).unwrap_or_default().trim_ascii();
        }
    }
    b""
}

#[cfg(test)]
mod tests;
