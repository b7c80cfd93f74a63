//! Values of an XML element: the texts of elements below it by their path, and attributes as `@name`.
//!
//! Tolerant where nodes are careless: element names need not be names, and ends need not match. Of elements that repeat, the
//! first counts.
//!
//! Does not know what a value means.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Read, Tree, Values};
use crate::wire::place::Place;
use crate::wire::{Refusal, column};

/// Elements within elements that are followed; deeper ones are passed over.
const DEPTH_MAX: usize = 32;

/// The way from the record's element down to here.
struct Path<'t> {
    steps: [Option<&'t Tree>; DEPTH_MAX],
    depth: usize,
    /// The value whose text is being read, and the depth of its element.
    reading: Option<(u16, usize)>,
    /// The record's element was met, and has ended.
    done: bool,
}

pub(super) fn read(tree: &Tree, root: &[u8], values: &mut Values<'_>) -> Result<Read, Refusal> {
    let message = values.message;
    let mut reader = Reader::from_reader(message);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut path = Path { steps: [None; DEPTH_MAX], depth: 0, reading: None, done: false };
    loop {
        let wrong =
            |at: u64, expected| Refusal::Xml { column: column(usize::try_from(at).unwrap_or(usize::MAX)), expected };
        let event = reader
            .read_event()
            .map_err(|_| wrong(reader.error_position(), "a tag, comment or reference is not closed"))?;
        match event {
            Event::Start(element) => path.open(&element, tree, root, values),
            Event::Empty(element) => {
                path.open(&element, tree, root, values);
                path.close();
            }
            Event::End(_) => path.close(),
            Event::Text(text) => path.text(&text, values),
            Event::CData(text) => path.text(&text, values),
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(character)) => path.written(character, values),
                _ => path.entity(&reference, values),
            },
            Event::Eof if path.depth > 0 => {
                return Err(wrong(reader.buffer_position(), "the document ends within the record"));
            }
            Event::Eof if !path.done => return Err(wrong(0, "no element of a record")),
            Event::Eof => return Ok(Read::Values),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

impl<'t> Path<'t> {
    fn open(&mut self, element: &BytesStart<'_>, tree: &'t Tree, root: &[u8], values: &mut Values<'_>) {
        let name = element.name();
        let here = if self.depth > 0 {
            let above = self.depth.checked_sub(1).and_then(|at| self.steps.get(at)).copied().flatten();
            above.and_then(|above| above.step(name.as_ref()))
        } else {
            let wanted = !self.done && (root.is_empty() || name.as_ref() == root);
            if !wanted {
                return;
            }
            Some(tree)
        };
        if let Some(slot) = self.steps.get_mut(self.depth) {
            *slot = here;
        }
        self.depth += 1;
        let Some(here) = here else { return };
        if here.below.iter().any(|branch| branch.name.first() == Some(&b'@')) {
            for attribute in element.attributes().with_checks(false).flatten() {
                let key = attribute.key.as_ref();
                let found = here.below.iter().find(|branch| branch.name.strip_prefix(b"@") == Some(key));
                if let Some(value) = found.and_then(|branch| branch.value)
                    && values.place(value).is_none()
                {
                    let place = place_of(&attribute.value, values);
                    values.set(value, place);
                }
            }
        }
        if let Some(value) = here.value.filter(|value| values.place(*value).is_none()) {
            values.set(value, Place::default());
            self.reading = Some((value, self.depth));
        }
    }

    fn close(&mut self) {
        // Ends of elements around the record, or of none.
        if self.depth == 0 {
            return;
        }
        if self.reading.is_some_and(|(_, depth)| depth == self.depth) {
            self.reading = None;
        }
        self.depth -= 1;
        self.done |= self.depth == 0;
    }

    /// Text as it stands in the message.
    fn text(&mut self, text: &[u8], values: &mut Values<'_>) {
        let Some((value, depth)) = self.reading else { return };
        if depth != self.depth {
            return;
        }
        if values.place(value) == Some(Place::default()) {
            let place = place_of(text.trim_ascii(), values);
            values.set(value, place);
        } else {
            self.append(text, value, values);
        }
    }

    /// A character that was written as a reference.
    fn written(&mut self, character: char, values: &mut Values<'_>) {
        if let Some((value, depth)) = self.reading
            && depth == self.depth
        {
            let mut utf8 = [0; 4];
            self.append(character.encode_utf8(&mut utf8).as_bytes(), value, values);
        }
    }

    fn entity(&mut self, name: &[u8], values: &mut Values<'_>) {
        match name {
            b"amp" => self.written('&', values),
            b"lt" => self.written('<', values),
            b"gt" => self.written('>', values),
            b"quot" => self.written('"', values),
            b"apos" => self.written('\'', values),
            _ => {}
        }
    }

    /// Adds to a value that has a beginning: it is written anew.
    fn append(&mut self, text: &[u8], value: u16, values: &mut Values<'_>) {
        let place = values.place(value).unwrap_or_default();
        let from = if place.in_scratch {
            // Nothing else is written while an element's text is read.
            place.start as usize
        } else {
            let from = values.scratch.text.len();
            values.scratch.text.extend_from_slice(place.of(values.message, &[]));
            from
        };
        values.write(text);
        let written = values.written(from);
        values.set(value, written);
    }
}

/// Where a slice of the message lies in it; what is none is copied.
fn place_of(text: &[u8], values: &mut Values<'_>) -> Place {
    let at = (text.as_ptr() as usize).wrapping_sub(values.message.as_ptr() as usize);
    if values.message.get(at..at.saturating_add(text.len())) == Some(text) {
        return Values::at(at, at + text.len());
    }
    let from = values.scratch.text.len();
    values.write(text);
    values.written(from)
}
