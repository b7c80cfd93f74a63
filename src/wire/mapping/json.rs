//! Values of a JSON object by pointers.
//!
//! Objects and arrays on the way to a pointer are walked, all else is checked and passed over. A text on the way is taken
//! for JSON once more, since some nodes wrap a record in one. `-` is the last element of an array.
//!
//! Does not know what a value means.

use super::{Read, Tree, Values};
use crate::wire::json::Scanner;
use crate::wire::{Refusal, Scratch};

/// How deep pointers may go; far more than any record.
const DEPTH_MAX: u32 = 32;

pub(super) fn read(tree: &Tree, values: &mut Values<'_>) -> Result<Read, Refusal> {
    // Not checked to be UTF-8: a caller's name in another encoding loses no call, and what fields take is made so.
    let mut scanner = Scanner::new(values.message);
    if scanner.next() != Some(b'{') {
        return Err(scanner.wrong("a record is a JSON object and begins with {"));
    }
    walk(&mut scanner, tree, 0, values, false)?;
    match scanner.next() {
        None => Ok(Read::Values),
        Some(_) => Err(scanner.wrong("expected nothing more behind the record")),
    }
}

/// The value to which a pointer leads in a JSON text, if there is one.
pub(in crate::wire) fn at<'a>(text: &'a [u8], pointer: &[u8]) -> Result<Option<&'a [u8]>, Refusal> {
    let mut scanner = Scanner::new(text);
    let mut scratch = Scratch::default();
    let pointer = pointer.strip_prefix(b"/").unwrap_or(pointer);
    'steps: for step in pointer.split(|b| *b == b'/') {
        if scanner.next() != Some(b'{') {
            return Ok(None);
        }
        scanner.expect(b'{', "expected {")?;
        while scanner.next() == Some(b'"') {
            let key = scanner.string(&mut scratch)?;
            let here = scanner.slice(key, &scratch) == step;
            scanner.expect(b':', "expected : behind the field name")?;
            if here {
                continue 'steps;
            }
            scanner.skip(0)?;
            if scanner.next() != Some(b',') {
                return Ok(None);
            }
            scanner.expect(b',', "expected ,")?;
        }
        return Ok(None);
    }
    scanner.rest().map(Some)
}

/// Any value at which the scanner stands. `nested`: the text is not the message, so values are copied.
fn walk(
    scanner: &mut Scanner<'_>,
    tree: &Tree,
    depth: u32,
    values: &mut Values<'_>,
    nested: bool,
) -> Result<(), Refusal> {
    if tree.value.is_none() && tree.below.is_empty() || depth == DEPTH_MAX {
        return scanner.skip(depth);
    }
    match scanner.next() {
        Some(b'{') if !tree.below.is_empty() => object(scanner, tree, depth, values, nested),
        Some(b'[') if !tree.below.is_empty() => array(scanner, tree, depth, values, nested),
        Some(b'"') => {
            let place = scanner.string(values.scratch)?;
            if let Some(value) = tree.value {
                keep(scanner, place, value, values, nested);
            }
            if tree.below.is_empty() || nested {
                return Ok(());
            }
            let mut inner = std::mem::take(&mut values.scratch.nested);
            inner.clear();
            inner.extend_from_slice(scanner.slice(place, values.scratch));
            let inside = Scanner::new(&inner);
            let outcome = again(inside, tree, depth, values);
            values.scratch.nested = inner;
            outcome
        }
        Some(b'-' | b'0'..=b'9') => {
            let place = scanner.number()?;
            if let Some(value) = tree.value {
                keep(scanner, place, value, values, nested);
            }
            Ok(())
        }
        // `null`, `true`, `false`, and lists where one value was expected: words count as texts, the others as absent.
        Some(b't' | b'f') => {
            let place = scanner.constant()?;
            if let Some(value) = tree.value {
                keep(scanner, place, value, values, nested);
            }
            Ok(())
        }
        _ => scanner.skip(depth),
    }
}

/// A text that is JSON itself; one that is not is no reason to refuse the record.
fn again(mut inside: Scanner<'_>, tree: &Tree, depth: u32, values: &mut Values<'_>) -> Result<(), Refusal> {
    if matches!(inside.next(), Some(b'{' | b'[')) {
        let _ = walk(&mut inside, tree, depth + 1, values, true);
    }
    Ok(())
}

fn keep(scanner: &Scanner<'_>, place: crate::wire::place::Place, value: u16, values: &mut Values<'_>, nested: bool) {
    if !nested || place.in_scratch {
        return values.set(value, place);
    }
    let from = values.scratch.text.len();
    values.scratch.text.extend_from_slice(scanner.slice(place, &Scratch::default()));
    let written = values.written(from);
    values.set(value, written);
}

fn object(
    scanner: &mut Scanner<'_>,
    tree: &Tree,
    depth: u32,
    values: &mut Values<'_>,
    nested: bool,
) -> Result<(), Refusal> {
    scanner.expect(b'{', "expected {")?;
    if scanner.next() == Some(b'}') {
        return scanner.expect(b'}', "expected }");
    }
    loop {
        if scanner.next() != Some(b'"') {
            return Err(scanner.wrong("expected a field name in double quotes"));
        }
        let key = scanner.string(values.scratch)?;
        let branch = tree.step(scanner.slice(key, values.scratch));
        scanner.expect(b':', "expected : behind the field name")?;
        match branch {
            Some(branch) => walk(scanner, branch, depth + 1, values, nested)?,
            None => scanner.skip(depth + 1)?,
        }
        match scanner.next() {
            Some(b',') => scanner.expect(b',', "expected ,")?,
            Some(b'}') => return scanner.expect(b'}', "expected }"),
            _ => return Err(scanner.wrong("expected , or }")),
        }
    }
}

fn array(
    scanner: &mut Scanner<'_>,
    tree: &Tree,
    depth: u32,
    values: &mut Values<'_>,
    nested: bool,
) -> Result<(), Refusal> {
    scanner.expect(b'[', "expected [")?;
    if scanner.next() == Some(b']') {
        return scanner.expect(b']', "expected ]");
    }
    let mut count: usize = 0;
    let last = tree.step(b"-");
    loop {
        let mut digits = itoa::Buffer::new();
        let branch = tree.step(digits.format(count).as_bytes()).or(last);
        match branch {
            Some(branch) => walk(scanner, branch, depth + 1, values, nested)?,
            None => scanner.skip(depth + 1)?,
        }
        count += 1;
        match scanner.next() {
            Some(b',') => scanner.expect(b',', "expected ,")?,
            Some(b']') => return scanner.expect(b']', "expected ]"),
            _ => return Err(scanner.wrong("expected , or the end of the list")),
        }
    }
}
