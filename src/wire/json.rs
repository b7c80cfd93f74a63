//! The native record: one JSON object (interfaces.md §4.1 in the project's words: README, "Records in").
//!
//! A scanner for the known set of fields, by hand: one pass, no allocation unless a text has escapes, and numbers are read
//! from their own digits, so that no instant or duration ever passes through binary floating point. What it accepts is
//! what `serde_json` accepts (a property test holds the two together), with two limits: values nest at most 128 deep, and
//! a known field stands once. Objects as nearly all senders write them are read by a shorter way (`plain`).
//!
//! Does not know which listener the line came from, nor how lines are told apart.

mod members;
mod plain;

pub(super) use members::{Value, members};

use super::field::{Draft, Field};
use super::place::Place;
use super::{Refusal, Scratch, column, utf8};
use crate::record::Record;

/// How deep values of unknown fields may nest; what `serde_json` allows.
const DEPTH_MAX: u32 = 128;

/// Decodes one object. `node` is given to a record that names none.
// Inlined, so that the record is written where the caller wants it.
#[inline(always)]
pub fn decode<'a>(line: &'a [u8], node: &'a [u8], scratch: &'a mut Scratch) -> Result<Record<'a>, Refusal> {
    if let Some(record) = plain::read(line, node, &mut scratch.day) {
        return Ok(record);
    }
    general(line, node, scratch)
}

/// Whether the short way reads it.
#[cfg(test)]
pub(super) fn is_plain(line: &[u8], day: &mut super::plain::Day) -> bool {
    plain::read(line, b"", day).is_some()
}

/// Any object at all, and what is wrong with it.
#[inline(never)]
pub(super) fn general<'a>(line: &'a [u8], node: &'a [u8], scratch: &'a mut Scratch) -> Result<Record<'a>, Refusal> {
    utf8(line)?;
    scratch.text.clear();
    let mut draft = Draft::default();
    let mut scanner = Scanner { text: line, at: 0 };
    scanner.object(&mut draft, scratch)?;
    draft.finish(line, scratch, node, false)
}

/// A place in a JSON text.
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// At the beginning of a text.
    pub fn new(text: &'a [u8]) -> Scanner<'a> {
        Scanner { text, at: 0 }
    }

    /// The value at which it stands.
    pub fn rest(&mut self) -> Result<&'a [u8], Refusal> {
        self.next();
        let start = self.at;
        self.skip(0)?;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// `true` or `false`.
    pub fn constant(&mut self) -> Result<Place, Refusal> {
        let start = self.at;
        self.skip(0)?;
        Ok(Place { start: start as u32, end: self.at as u32, in_scratch: false })
    }

    fn object(&mut self, draft: &mut Draft, scratch: &mut Scratch) -> Result<(), Refusal> {
        self.expect(b'{', "a record is a JSON object and begins with {")?;
        if self.next() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                self.member(draft, scratch)?;
                match self.next() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => {
                        self.at += 1;
                        break;
                    }
                    _ => return Err(self.wrong("expected , or }")),
                }
            }
        }
        match self.next() {
            None => Ok(()),
            Some(_) => Err(self.wrong("expected nothing more behind the record")),
        }
    }

    #[inline]
    fn member(&mut self, draft: &mut Draft, scratch: &mut Scratch) -> Result<(), Refusal> {
        if self.next() != Some(b'"') {
            return Err(self.wrong("expected a field name in double quotes"));
        }
        let key = self.string(scratch)?;
        let field = Field::named(self.slice(key, scratch));
        self.expect(b':', "expected : behind the field name")?;
        let Some(field) = field else { return self.skip(0) };
        draft.meet(field)?;
        match self.next() {
            Some(b'"') => {
                let place = self.string(scratch)?;
                draft.set(field, self.slice(place, scratch), place)
            }
            Some(b'-' | b'0'..=b'9') => {
                let place = self.number()?;
                draft.set(field, self.slice(place, scratch), place)
            }
            Some(b'n') => self.word(b"null"),
            _ => {
                self.skip(0)?;
                draft.other_kind(field)
            }
        }
    }

    pub fn slice<'b>(&self, place: Place, scratch: &'b Scratch) -> &'b [u8]
    where
        'a: 'b,
    {
        place.of(self.text, &scratch.text)
    }

    /// The next byte that is not white space, which is not taken.
    #[inline]
    pub fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    #[inline]
    pub fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), Refusal> {
        if self.next() != Some(byte) {
            return Err(self.wrong(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Refusal> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.wrong("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// A text, standing at its opening quote: where it lies, with escapes resolved.
    #[inline]
    pub fn string(&mut self, scratch: &mut Scratch) -> Result<Place, Refusal> {
        let start = self.at + 1;
        let end = plain_end(self.text, start);
        match self.text.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                Ok(Place { start: start as u32, end: end as u32, in_scratch: false })
            }
            _ => self.string_with_escapes(start, end, scratch),
        }
    }

    #[cold]
    fn string_with_escapes(&mut self, start: usize, stop: usize, scratch: &mut Scratch) -> Result<Place, Refusal> {
        let from = scratch.text.len();
        let (mut start, mut stop) = (start, stop);
        loop {
            scratch.text.extend_from_slice(self.text.get(start..stop).unwrap_or_default());
            self.at = stop;
            match self.text.get(stop) {
                Some(b'"') => {
                    self.at = stop + 1;
                    return Ok(Place { start: from as u32, end: scratch.text.len() as u32, in_scratch: true });
                }
                Some(b'\\') => {
                    let resolved = self.escape()?;
                    let mut utf8 = [0; 4];
                    scratch.text.extend_from_slice(resolved.encode_utf8(&mut utf8).as_bytes());
                }
                Some(_) => return Err(self.wrong("a control character in a text must be escaped")),
                None => return Err(self.wrong("the text is not closed")),
            }
            start = self.at;
            stop = plain_end(self.text, start);
        }
    }

    /// One escape, standing at its backslash.
    fn escape(&mut self) -> Result<char, Refusal> {
        let kind = self.text.get(self.at + 1).copied();
        self.at += 2;
        Ok(match kind {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.wrong("not an escape")),
        })
    }

    fn unicode(&mut self) -> Result<char, Refusal> {
        const LONE: &str = "half of a surrogate pair";
        let first = self.hex()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if self.text.get(self.at..self.at + 2) != Some(b"\\u") {
                    return Err(self.wrong(LONE));
                }
                self.at += 2;
                let second = self.hex()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(self.wrong(LONE));
                }
                0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            _ => first,
        };
        char::from_u32(code).ok_or_else(|| self.wrong(LONE))
    }

    /// Four hexadecimal digits.
    fn hex(&mut self) -> Result<u32, Refusal> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.text.get(self.at).and_then(|b| char::from(*b).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.wrong("expected four hexadecimal digits"))?;
            self.at += 1;
        }
        Ok(code)
    }

    /// A number, by JSON's grammar.
    #[inline]
    pub fn number(&mut self) -> Result<Place, Refusal> {
        let start = self.at;
        if self.text.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let first = self.at;
        self.digits("expected digits")?;
        if self.text.get(first) == Some(&b'0') && self.at > first + 1 {
            return Err(self.wrong("a number does not begin with 0: write it as a text in double quotes"));
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits("expected digits behind the point")?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.digits("expected digits of the exponent")?;
        }
        Ok(Place { start: start as u32, end: self.at as u32, in_scratch: false })
    }

    #[inline]
    fn digits(&mut self, expected: &'static str) -> Result<(), Refusal> {
        let from = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == from { Err(self.wrong(expected)) } else { Ok(()) }
    }

    /// Any value, checked and passed over.
    pub fn skip(&mut self, depth: u32) -> Result<(), Refusal> {
        if depth == DEPTH_MAX {
            return Err(self.wrong("values nest too deeply"));
        }
        match self.next() {
            Some(b'"') => self.skip_string(),
            Some(b'-' | b'0'..=b'9') => self.number().map(|_| ()),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b'[') => self.skip_list(b']', depth, |_| Ok(())),
            Some(b'{') => self.skip_list(b'}', depth, |scanner| {
                if scanner.next() != Some(b'"') {
                    return Err(scanner.wrong("expected a field name in double quotes"));
                }
                scanner.skip_string()?;
                scanner.expect(b':', "expected : behind the field name")
            }),
            _ => Err(self.wrong("expected a value")),
        }
    }

    fn skip_list(
        &mut self,
        close: u8,
        depth: u32,
        name: fn(&mut Scanner<'a>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        self.at += 1;
        if self.next() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            name(self)?;
            self.skip(depth + 1)?;
            match self.next() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.wrong("expected , or the end of the list")),
            }
        }
    }

    /// A text nobody reads: its escapes are checked as far as `serde_json` checks them.
    fn skip_string(&mut self) -> Result<(), Refusal> {
        self.at += 1;
        loop {
            self.at = plain_end(self.text, self.at);
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => match self.text.get(self.at + 1) {
                    Some(b'u') => {
                        self.at += 2;
                        self.hex()?;
                    }
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
                    _ => return Err(self.wrong("not an escape")),
                },
                Some(_) => return Err(self.wrong("a control character in a text must be escaped")),
                None => return Err(self.wrong("the text is not closed")),
            }
        }
    }

    #[cold]
    pub fn wrong(&self, expected: &'static str) -> Refusal {
        Refusal::Json { column: column(self.at.min(self.text.len())), expected }
    }
}

/// Where the plain part of a text ends: at a quote, a backslash, a control character, or the end of the line.
///
/// Eight bytes at a time: in `x − 0x20…`, `x ^ quote − 1`, `x ^ backslash − 1` the high bit of a byte rises where the
/// byte is below 0x20, a quote, a backslash. A borrow can only raise false bits above the first true one, and only the
/// first is asked for.
#[inline]
fn plain_end(text: &[u8], from: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = from;
    while let Some(eight) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*eight);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        let found = (word.wrapping_sub(ONES * 0x20) & !word)
            | (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash);
        let found = found & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while text.get(at).is_some_and(|b| *b >= 0x20 && *b != b'"' && *b != b'\\') {
        at += 1;
    }
    at
}
