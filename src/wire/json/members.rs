//! Walks the members of a JSON object whose names are not ours.
//!
//! Does not know what a member means.

use super::Scanner;
use crate::wire::place::Place;
use crate::wire::{Refusal, Scratch, utf8};

/// A value as [`members`] meets it.
#[derive(Clone, Copy)]
pub(in crate::wire) enum Value {
    /// A text, with escapes resolved, or a number as it is written.
    Plain(Place),
    /// Anything else.
    Other,
}

/// Takes a member: its name, whether it stands in the nested object, its value and the value's text.
type Each<'e> = dyn FnMut(&[u8], bool, Value, &[u8]) -> Result<(), Refusal> + 'e;

/// Walks the members of an object, and of the objects in it whose member is called `nested`: gives each member's name,
/// whether it stands in such an object, and its value with its text.
pub(in crate::wire) fn members(
    line: &[u8],
    nested: &[u8],
    scratch: &mut Scratch,
    each: &mut Each<'_>,
) -> Result<(), Refusal> {
    utf8(line)?;
    let mut scanner = Scanner { text: line, at: 0 };
    scanner.walk(nested, false, scratch, each)?;
    match scanner.next() {
        None => Ok(()),
        Some(_) => Err(scanner.wrong("expected nothing more behind the record")),
    }
}

impl Scanner<'_> {
    fn walk(&mut self, nested: &[u8], inside: bool, scratch: &mut Scratch, each: &mut Each<'_>) -> Result<(), Refusal> {
        self.expect(b'{', "a record is a JSON object and begins with {")?;
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.next() != Some(b'"') {
                return Err(self.wrong("expected a field name in double quotes"));
            }
            let name = self.string(scratch)?;
            self.expect(b':', "expected : behind the field name")?;
            let value = match self.next() {
                Some(b'"') => Value::Plain(self.string(scratch)?),
                Some(b'-' | b'0'..=b'9') => Value::Plain(self.number()?),
                Some(b'{') if !inside && self.slice(name, scratch) == nested => {
                    self.walk(nested, true, scratch, each)?;
                    Value::Other
                }
                _ => {
                    self.skip(0)?;
                    Value::Other
                }
            };
            let text = match value {
                Value::Plain(place) => self.slice(place, scratch),
                Value::Other => b"",
            };
            each(self.slice(name, scratch), inside, value, text)?;
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.wrong("expected , or }")),
            }
        }
    }
}
