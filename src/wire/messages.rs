//! A whole body or file as messages, by the framing of its format.
//!
//! Does not know what a message says; documents that arrive in pieces are taken apart by [`super::elements`].

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::elements::{Element, Elements};
use super::formats::{Format, Framing};
use super::session::block_end;
use super::{Refusal, mapping};
use crate::record::RAW_MAX;

/// Takes one message after the other.
type Next<'n> = &'n mut dyn FnMut(Result<&[u8], Refusal>);

/// Gives each message of a whole text its number, from 1; what is none, with its refusal.
pub fn each(format: &Format, text: &[u8], mut take: impl FnMut(u64, Result<&[u8], Refusal>)) {
    let mut number = 0;
    let mut next = |message: Result<&[u8], Refusal>| {
        number += 1;
        let long = |message: &&[u8]| message.len() > RAW_MAX;
        take(number, if message.as_ref().is_ok_and(long) { Err(Refusal::Line(RAW_MAX as u32)) } else { message });
    };
    match format.framing() {
        Framing::Lines => {
            text.strip_suffix(b"\n").unwrap_or(text).split(|b| *b == b'\n').for_each(|line| next(Ok(line)))
        }
        Framing::Blocks => blocks(text, &mut next),
        Framing::Xml => xml(format.root(), text, &mut next),
        Framing::Json if text.trim_ascii_start().first() == Some(&b'<') => xml(b"cdr", text, &mut next),
        Framing::Json => json(text, &mut |element| match (element, format.root()) {
            (Ok(element), root) if !root.is_empty() => match mapping::json_at(element, root) {
                Ok(Some(inner)) => json(inner, &mut next),
                Ok(None) => next(Err(Refusal::Missing("root"))),
                Err(refusal) => next(Err(refusal)),
            },
            (element, _) => next(element),
        }),
    }
}

/// The same as places in the text, for whoever must do something else between two messages.
pub fn places(format: &Format, text: &[u8]) -> Vec<Result<Range<usize>, Refusal>> {
    let mut places = Vec::new();
    each(format, text, |_, message| {
        places.push(message.map(|message| {
            // A message is a slice of the text.
            let start = (message.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
            start..start.wrapping_add(message.len())
        }));
    });
    places
}

/// Blocks of lines between empty ones.
fn blocks(text: &[u8], next: Next<'_>) {
    let mut rest = text;
    while !rest.is_empty() {
        let end = block_end(rest, 0, true).unwrap_or(rest.len());
        let (block, behind) = rest.split_at(end);
        rest = behind;
        if !block.trim_ascii().is_empty() {
            next(Ok(block));
        }
    }
}

/// The values of a JSON text, one after the other or in an array.
fn json(text: &[u8], next: Next<'_>) {
    let mut elements = Elements::new(text.len().max(1));
    let mut rest = text;
    while let Some(element) = elements.next(rest) {
        match element {
            Element::Whole { from, to, .. } => next(Ok(rest.get(from..to).unwrap_or_default())),
            Element::Broken { expected, .. } => next(Err(Refusal::Json { column: 1, expected })),
            Element::TooLong { .. } => next(Err(Refusal::Line(RAW_MAX as u32))),
            Element::Nothing { .. } => {}
        }
        rest = rest.get(element.consumed()..).unwrap_or_default();
    }
    if let Err(expected) = elements.end() {
        next(Err(Refusal::Json { column: 1, expected }));
    }
}

/// The elements of that name, or the document's own where there is no name. A document without one is one message, to be
/// refused by its decoder.
fn xml(root: &[u8], text: &[u8], next: Next<'_>) {
    let mut reader = Reader::from_reader(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    // Depth within the record's element, and where that began.
    let (mut depth, mut begun, mut any) = (0usize, 0usize, false);
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    loop {
        let before = place(reader.buffer_position());
        let event = reader.read_event();
        let after = place(reader.buffer_position());
        match event {
            Ok(Event::Start(element)) => {
                if depth > 0 {
                    depth += 1;
                } else if root.is_empty() || element.name().as_ref() == root {
                    (depth, begun) = (1, before);
                }
            }
            Ok(Event::Empty(element)) if depth == 0 && (root.is_empty() || element.name().as_ref() == root) => {
                any = true;
                next(Ok(text.get(before..after).unwrap_or_default()));
            }
            Ok(Event::End(_)) if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    any = true;
                    next(Ok(text.get(begun..after).unwrap_or_default()));
                }
            }
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    if depth > 0 || !any && !text.trim_ascii().is_empty() {
        next(Ok(text.get(begun..).unwrap_or_default()));
    }
}
