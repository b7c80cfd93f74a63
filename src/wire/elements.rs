//! A posted JSON document, taken apart as it arrives: one object, an array of objects, or objects one after the other.
//!
//! Only brackets and quotes are looked at; each element then goes to the decoder, which checks it. So an array of any
//! length streams, and one bad element does not spoil the others.
//!
//! Does not know what an element says, nor where the bytes come from.

/// What was found; `consumed` bytes of the buffer are done with, and the caller takes them off its front.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Element {
    /// An element.
    Whole {
        /// Where in the buffer it begins.
        from: usize,
        /// Where it ends.
        to: usize,
        /// Bytes to take off the front of the buffer.
        consumed: usize,
    },
    /// An element that grew too long. Its rest is passed over in silence.
    TooLong {
        /// Bytes to take off the front of the buffer.
        consumed: usize,
    },
    /// Something that does not belong there; everything behind is passed over in silence.
    Broken {
        /// Bytes to take off the front of the buffer.
        consumed: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// Nothing of interest.
    Nothing {
        /// Bytes to take off the front of the buffer.
        consumed: usize,
    },
}

impl Element {
    /// Bytes to take off the front of the buffer.
    pub fn consumed(self) -> usize {
        match self {
            Element::Whole { consumed, .. }
            | Element::TooLong { consumed }
            | Element::Broken { consumed, .. }
            | Element::Nothing { consumed } => consumed,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Place {
    /// Before the first byte that counts.
    #[default]
    Start,
    /// Before an element of an array; `first`: it may also be empty.
    Before { first: bool },
    /// Behind an element of an array.
    Behind,
    /// Between objects that follow one another.
    Stream,
    /// Behind the closing bracket of an array.
    End,
    /// Nothing more can be made of the document.
    Broken,
}

/// The state between two pieces of a document.
#[derive(Debug)]
pub struct Elements {
    place: Place,
    /// Where in the buffer the element under way begins.
    element: Option<usize>,
    scanned: usize,
    depth: u32,
    in_text: bool,
    /// The byte before was a backslash, perhaps in the piece before.
    escaped: bool,
    too_long: bool,
    element_max: usize,
}

impl Elements {
    /// Takes apart a document whose elements have at most `element_max` bytes.
    pub fn new(element_max: usize) -> Elements {
        Elements {
            place: Place::Start,
            element: None,
            scanned: 0,
            depth: 0,
            in_text: false,
            escaped: false,
            too_long: false,
            element_max,
        }
    }

    /// Takes apart a stream of values with or without white space between them, in which `[` begins a value too.
    pub fn stream(element_max: usize) -> Elements {
        Elements { place: Place::Stream, ..Elements::new(element_max) }
    }

    /// Looks at the buffer, which begins where the last call's `consumed` ended. None: more bytes are needed.
    pub fn next(&mut self, buffer: &[u8]) -> Option<Element> {
        while let Some(byte) = buffer.get(self.scanned).copied() {
            let found = match self.element {
                Some(from) => self.inside(from, byte, buffer),
                None => self.between(byte),
            };
            if found.is_some() {
                return found;
            }
        }
        match self.element {
            Some(from) if self.too_long || buffer.len() - from > self.element_max => {
                let first = !std::mem::replace(&mut self.too_long, true);
                let consumed = std::mem::take(&mut self.scanned);
                self.element = Some(0);
                let found = if first { Element::TooLong { consumed } } else { Element::Nothing { consumed } };
                (consumed > 0).then_some(found)
            }
            None if self.scanned > 0 => Some(Element::Nothing { consumed: std::mem::take(&mut self.scanned) }),
            _ => None,
        }
    }

    /// Whether the document ended where it may end; else what is missing.
    pub fn end(&self) -> Result<(), &'static str> {
        match (self.element, self.place) {
            (Some(_), _) if self.too_long => Ok(()),
            (Some(_), _) => Err("the document ends within a record"),
            (None, Place::Before { .. } | Place::Behind) => Err("the document ends before its array does"),
            (None, Place::Start | Place::Stream | Place::End | Place::Broken) => Ok(()),
        }
    }

    fn between(&mut self, byte: u8) -> Option<Element> {
        let at = self.scanned;
        self.scanned += 1;
        if self.place == Place::Broken || matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return None;
        }
        let expected = match (self.place, byte) {
            (Place::Start, b'[') => {
                self.place = Place::Before { first: true };
                return None;
            }
            (Place::Before { first: true } | Place::Behind, b']') => {
                self.place = Place::End;
                return None;
            }
            (Place::Behind, b',') => {
                self.place = Place::Before { first: false };
                return None;
            }
            (Place::Behind, _) => "expected , or ] behind a record",
            (Place::Before { .. }, b',' | b']') => "expected a record",
            (Place::End, _) => "expected nothing more behind the array",
            (Place::Start | Place::Stream | Place::Before { .. } | Place::Broken, _) => {
                if self.place == Place::Start {
                    self.place = Place::Stream;
                }
                self.element = Some(at);
                self.depth = u32::from(matches!(byte, b'{' | b'['));
                self.in_text = byte == b'"';
                return None;
            }
        };
        self.place = Place::Broken;
        Some(Element::Broken { consumed: std::mem::take(&mut self.scanned), expected })
    }

    fn inside(&mut self, from: usize, byte: u8, buffer: &[u8]) -> Option<Element> {
        if std::mem::take(&mut self.escaped) {
            self.scanned += 1;
            return None;
        }
        if self.in_text {
            let rest = buffer.get(self.scanned..).unwrap_or_default();
            let Some(length) = memchr::memchr2(b'"', b'\\', rest) else {
                self.scanned = buffer.len();
                return None;
            };
            self.scanned += length + 1;
            if rest.get(length) == Some(&b'\\') {
                self.escaped = true;
                return None;
            }
            self.in_text = false;
            return if self.depth == 0 { self.whole(from, self.scanned) } else { None };
        }
        if self.depth == 0 {
            // A bare number or word: refused by the decoder, but its end must be found.
            let next_begins = self.place == Place::Stream && matches!(byte, b'{' | b'[');
            if next_begins || matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b']') {
                return self.whole(from, self.scanned);
            }
            self.scanned += 1;
            return None;
        }
        self.scanned += 1;
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    return self.whole(from, self.scanned);
                }
            }
            _ => {}
        }
        None
    }

    fn whole(&mut self, from: usize, to: usize) -> Option<Element> {
        self.element = None;
        self.scanned = 0;
        if matches!(self.place, Place::Before { .. }) {
            self.place = Place::Behind;
        }
        if std::mem::take(&mut self.too_long) {
            // Its refusal was said when it grew too long.
            return (to > 0).then_some(Element::Nothing { consumed: to });
        }
        if to - from > self.element_max {
            return Some(Element::TooLong { consumed: to });
        }
        Some(Element::Whole { from, to, consumed: to })
    }
}
