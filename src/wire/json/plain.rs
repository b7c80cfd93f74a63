//! Objects as nearly all senders write them: plain texts and numbers, at most one space behind a colon or a comma.
//!
//! Does not know what is wrong with a line: whatever is not so simple is for the general way.

use crate::record::Record;
use crate::wire::field::Field;
use crate::wire::marks::Marks;
use crate::wire::plain::{Day, Plain};

/// The record; none: not so simple.
#[inline(always)]
pub(super) fn read<'a>(line: &'a [u8], node: &'a [u8], day: &mut Day) -> Option<Record<'a>> {
    let mut quotes = Marks::new(line, b'"', b'\\');
    let mut plain = Plain::new(line, node);
    let mut at = 1;
    if line.first() != Some(&b'{') {
        return None;
    }
    loop {
        let (from, to) = text(line, at, &mut quotes)?;
        let field = Field::named(line.get(from..to)?);
        if line.get(to + 1) != Some(&b':') {
            return None;
        }
        at = behind_space(line, to + 2);
        let value = match line.get(at)? {
            b'"' => {
                let (from, to) = text(line, at, &mut quotes)?;
                at = to + 1;
                line.get(from..to)?
            }
            b'-' | b'0'..=b'9' => {
                let from = at;
                at = number_end(line, from)?;
                line.get(from..at)?
            }
            _ => return None,
        };
        if let Some(field) = field {
            plain.set(field, value, day)?;
        }
        match line.get(at)? {
            b',' => at = behind_space(line, at + 1),
            b'}' if at + 1 == line.len() => break,
            _ => return None,
        }
    }
    // No mark is left; with the last one the last block was looked at.
    if quotes.next() != line.len() || !quotes.is_plain() {
        return None;
    }
    plain.finish()
}

/// Where a text begins and ends whose opening quote stands at `at`.
#[inline]
fn text(line: &[u8], at: usize, quotes: &mut Marks<'_>) -> Option<(usize, usize)> {
    if quotes.next() != at {
        return None;
    }
    let end = quotes.next();
    (end < line.len()).then_some((at + 1, end))
}

#[inline]
fn behind_space(line: &[u8], at: usize) -> usize {
    at + usize::from(line.get(at) == Some(&b' '))
}

/// The end of a number as JSON writes it, without exponent.
#[inline]
fn number_end(line: &[u8], from: usize) -> Option<usize> {
    let digits = |mut at: usize| {
        while line.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let first = from + usize::from(line.get(from) == Some(&b'-'));
    let whole = digits(first);
    // A number of several digits does not begin with 0.
    if whole == first || (whole > first + 1 && line.get(first) == Some(&b'0')) {
        return None;
    }
    match line.get(whole)? {
        b'.' => {
            let end = digits(whole + 1);
            (end > whole + 1 && !matches!(line.get(end), Some(b'e' | b'E'))).then_some(end)
        }
        b'e' | b'E' => None,
        _ => Some(whole),
    }
}
