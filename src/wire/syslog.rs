//! The envelope of a syslog message: what stands around the text, in the many shapes in which it is sent.
//!
//! RFC 5424 is told by its version; everything else is taken for RFC 3164, of which any part may be missing: no priority,
//! no time, no host, no tag; Cisco's sequence number, its `*` before the time and its `:` behind it; an ISO time where a
//! relay writes one. What cannot be told from text is left in the text: formats look for their own marks in it, so a tag too
//! many does no harm, a word too few would.
//!
//! Does not know sockets, what the text says, nor what time it is: the header's times are not used, since every record
//! carries its own.

/// A message, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Message<'a> {
    /// Facility times eight plus severity, 0 to 191.
    pub priority: Option<u8>,
    /// Who says so; empty where the header names none.
    pub host: &'a [u8],
    /// Program, without its process number; empty where the header names none.
    pub app: &'a [u8],
    /// The text, without byte order mark and without white space around it.
    pub text: &'a [u8],
}

/// Longest tag: RFC 3164 says 32, programs write their whole path.
const TAG_MAX: usize = 128;

/// Takes a message apart. Any bytes are a message: at worst all of them are text.
pub fn read(message: &[u8]) -> Message<'_> {
    let message = trim(message);
    let (priority, rest) = match priority(message) {
        Some((priority, rest)) => (Some(priority), rest),
        None => (None, message),
    };
    let (host, app, text) = match new_header(rest) {
        Some(found) if priority.is_some() => found,
        _ => old_header(rest),
    };
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    Message { priority, host, app, text: text.trim_ascii_start() }
}

/// Without what senders put around a message: line ends, and the NUL of a C string.
fn trim(mut message: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r' | b'\0' | b' ' | b'\t'] = message {
        message = rest;
    }
    message.trim_ascii_start()
}

fn priority(message: &[u8]) -> Option<(u8, &[u8])> {
    let digits = message.strip_prefix(b"<")?;
    let end = digits.iter().take(4).position(|b| *b == b'>')?;
    let value = number(digits.get(..end)?, 3)?;
    Some((u8::try_from(value).ok().filter(|p| *p <= 191)?, digits.get(end + 1..)?))
}

/// RFC 5424 behind the priority: `1 TIME HOST APP PROCID MSGID SD MSG`. None: not of that kind.
fn new_header(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let rest = text.strip_prefix(b"1 ")?;
    let (time, rest) = word(rest)?;
    if time != b"-" && !is_iso_time(time) {
        return None;
    }
    let (host, rest) = word(rest)?;
    let (app, rest) = word(rest)?;
    let (_process, rest) = word(rest)?;
    let (_kind, rest) = word(rest)?;
    let named = |name| if name == b"-".as_slice() { &[][..] } else { name };
    Some((named(host), named(app), behind_data(rest)))
}

/// Behind the structured data: `-`, or elements in brackets, in whose quoted values `"`, `\` and `]` are escaped. Data that
/// is not closed is text.
fn behind_data(text: &[u8]) -> &[u8] {
    if let Some(rest) = text.strip_prefix(b"-") {
        return rest;
    }
    let mut rest = text;
    while rest.first() == Some(&b'[') {
        match element_end(rest) {
            Some(end) => rest = rest.get(end..).unwrap_or_default(),
            None => return rest,
        }
    }
    rest
}

/// Behind the bracket that closes the element at the front.
fn element_end(text: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut at = 1;
    loop {
        match (text.get(at)?, quoted) {
            (b'\\', true) => at += 1,
            (b'"', _) => quoted = !quoted,
            (b']', false) => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
}

/// RFC 3164 behind the priority, whatever there is of it.
fn old_header(text: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let mut rest = behind_sequence(text);
    let mut host = &b""[..];
    let mut timed = behind_time(rest);
    if timed.is_none()
        && let Some((origin, behind)) = origin(rest)
    {
        // Cisco with `logging origin-id`: `host: *Dec 16 10:16:25.486: %…`.
        timed = behind_time(behind);
        host = if timed.is_some() { origin } else { host };
    }
    if let Some(behind) = timed {
        rest = behind.trim_ascii_start();
        // Cisco ends its time with a colon and has neither host nor tag behind it.
        if let Some(text) = rest.strip_prefix(b":") {
            return (host, b"", text);
        }
        if let Some((name, behind)) = word(rest)
            && host.is_empty()
            && is_host(name)
        {
            host = name;
            rest = behind;
        }
    }
    match tag(rest) {
        Some((app, text)) => (host, app, text),
        None => (host, b"", rest),
    }
}

/// Cisco's counter of messages: `123: `.
fn behind_sequence(text: &[u8]) -> &[u8] {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let sequence = || text.get(digits..)?.strip_prefix(b": ");
    if (1..=10).contains(&digits) { sequence().map_or(text, |rest| rest.trim_ascii_start()) } else { text }
}

/// A host and a colon, as Cisco writes it before the time.
fn origin(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, behind) = word(text)?;
    let name = name.strip_suffix(b":")?;
    is_host(name).then_some((name, behind))
}

/// Behind `Mmm dd [yyyy] hh:mm:ss[.mmm][ ZONE]` or an ISO time; none: no time stands there.
fn behind_time(text: &[u8]) -> Option<&[u8]> {
    // `*`: the clock was never set; `.`: it has lost its source.
    let text = text.strip_prefix(b"*").or_else(|| text.strip_prefix(b".")).unwrap_or(text);
    let (first, rest) = word(text)?;
    if is_iso_time(first.strip_suffix(b":").unwrap_or(first)) {
        return Some(if first.ends_with(b":") { text.get(first.len() - 1..)? } else { rest });
    }
    const MONTHS: [&[u8; 3]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    if !MONTHS.iter().any(|month| month.eq_ignore_ascii_case(first)) {
        return None;
    }
    let (day, rest) = word(rest.trim_ascii_start())?;
    number(day, 2)?;
    let (mut clock, mut rest) = word(rest.trim_ascii_start())?;
    if number(clock, 4).is_some_and(|year| year > 1900) {
        (clock, rest) = word(rest)?;
    }
    let bare = clock.strip_suffix(b":");
    if !is_clock(bare.unwrap_or(clock)) {
        return None;
    }
    if bare.is_some() {
        // The colon stays: it tells Cisco's messages from others.
        return text.get(text.len() - rest.len() - 2..).map(|rest| rest.trim_ascii_start());
    }
    // `show-timezone`: `10:16:25.486 CET: %…`.
    if let Some((zone, _)) = word(rest)
        && let Some(name) = zone.strip_suffix(b":")
        && (2..=5).contains(&name.len())
        && name.iter().all(u8::is_ascii_uppercase)
        && rest.get(zone.len()..).is_some_and(|behind| behind.starts_with(b" %"))
    {
        return rest.get(zone.len() - 1..);
    }
    Some(rest)
}

/// `2026-11-21T22:01:47…`.
fn is_iso_time(text: &[u8]) -> bool {
    let shape = b"0000-00-00T00:00:00";
    text.len() >= shape.len()
        && text.iter().zip(shape).all(|(b, s)| if *s == b'0' { b.is_ascii_digit() } else { b == s })
}

/// `hh:mm:ss`, with or without fractions.
fn is_clock(text: &[u8]) -> bool {
    let mut parts = text.splitn(3, |b| *b == b':');
    let two = |part: Option<&[u8]>| part.is_some_and(|p| number(p, 2).is_some());
    let (hour, minute) = (two(parts.next()), two(parts.next()));
    let second = parts.next().is_some_and(|p| {
        let (whole, fraction) = p.split_at(p.len().min(2));
        number(whole, 2).is_some() && (fraction.is_empty() || fraction.first() == Some(&b'.'))
    });
    hour && minute && second
}

/// A name or an address: it has no brackets, and no colon at its end as tags do.
fn is_host(text: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    !text.is_empty() && text.len() <= 255 && text.iter().all(plain) && !text.ends_with(b":")
}

/// `tag: `, `tag[123]: `. Kamailio's own mark `ACC:` looks like one and is none.
fn tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/' | b'@');
    let length = text.iter().take(TAG_MAX + 1).take_while(|b| plain(b)).count();
    let (name, mut rest) = text.split_at_checked(length).filter(|(name, _)| (1..=TAG_MAX).contains(&name.len()))?;
    if rest.first() == Some(&b'[') {
        let process = rest.iter().take(TAG_MAX).position(|b| *b == b']')?;
        rest = rest.get(process + 1..)?;
    }
    let rest = rest.strip_prefix(b":")?;
    (name != b"ACC").then_some((name, rest))
}

/// The word at the front, and what is behind the space after it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', text).unwrap_or(text.len());
    let word = text.get(..end).filter(|w| !w.is_empty())?;
    Some((word, text.get(end + 1..).unwrap_or_default()))
}

/// One to `max` digits.
fn number(text: &[u8], max: usize) -> Option<u32> {
    if text.is_empty() || text.len() > max || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |sum, b| sum * 10 + u32::from(b - b'0')))
}

#[cfg(test)]
mod tests;
