//! Formats by configuration: where in a message each field of a record is found, and how it is written there.
//!
//! A message is first read into *values*: the cells, keys or pointers that the mapping names, each with a number. What they
//! mean is then the same for every kind: conditions skip a record or say that it was not answered, and each field takes the
//! first of its candidates that is not empty. Values are places in the message wherever they were written plainly, so that
//! nothing is allocated and the journal stores them as places.
//!
//! What is not UTF-8 in a value is replaced, never refused: a caller's name in another encoding must not lose a call.
//!
//! Does not know where messages come from, nor what a call costs.

mod cells;
mod compile;
mod fields;
mod json;
mod pairs;
pub mod settings;
mod xml;

use std::sync::Arc;

use super::formats::{Decode, Framing};
use super::place::Place;
use super::{Line, Origin, Refusal, Scratch, Skip, trim};
use crate::piece::{Piece, PieceKind, Step};
use crate::record::Record;
use crate::time::{Micros, Reading, TimeFormat, Timestamp};
use settings::{PartStep, Quotes, Round, Unit};

pub use compile::BadMapping;
pub(super) use json::at as json_at;

/// A mapping, checked.
#[derive(Debug)]
pub struct Mapping {
    /// One sentence.
    pub about: String,
    reader: Reader,
    /// What the values are called in the message, in the order of their numbers.
    values: Box<[Box<str>]>,
    prefix: Box<[u8]>,
    suffix: Box<[u8]>,
    percent: bool,
    absent: Box<[Box<[u8]>]>,
    fields: [Box<[Candidate]>; FIELDS],
    clock: Box<[Candidate]>,
    at: Box<[Candidate]>,
    answered: Box<[Test]>,
    skips: Box<[(Test, Skip)]>,
    /// Which part of a call a record is; none: records are whole calls.
    parts: Box<[Part]>,
}

/// Which records are which part of a call.
#[derive(Debug)]
struct Part {
    step: PartStep,
    when: Box<[Test]>,
}

/// Fields of a record.
const FIELDS: usize = super::Field::ALL.len();

/// How a message falls into values.
#[derive(Debug)]
enum Reader {
    Cells { separator: u8, quotes: Quotes, layouts: Box<[cells::Layout]>, header: bool },
    Json { tree: Tree, root: Box<[u8]> },
    Xml { tree: Tree, root: Box<[u8]> },
    Pairs { separator: Box<[u8]>, assign: u8, keys: Box<[(Box<[u8]>, u16)]> },
    Fixed(pairs::Fixed),
}

/// Pointers as a tree of their steps.
#[derive(Debug, Default)]
struct Tree {
    name: Box<[u8]>,
    value: Option<u16>,
    below: Vec<Tree>,
}

impl Tree {
    /// The branch of that name.
    #[inline]
    fn step(&self, name: &[u8]) -> Option<&Tree> {
        self.below.iter().find(|branch| *branch.name == *name)
    }
}

/// Bytes of the mapping's own.
type Text = Box<[u8]>;

/// One way to find a field.
#[derive(Debug)]
struct Candidate {
    parts: Box<[u16]>,
    /// The parts are talk times to be added up.
    sum: bool,
    /// Seconds to be added to a time.
    plus: Option<u16>,
    with: Box<[u8]>,
    /// A text that is always the same, where there are no parts.
    constant: Box<[u8]>,
    uri: bool,
    strip: Box<[u8]>,
    map: Box<[(Text, Text)]>,
    time: When,
    unit: Unit,
    round: Round,
}

/// How a time is written.
#[derive(Clone, Debug)]
enum When {
    /// As most write it.
    Format(TimeFormat),
    /// As Cisco and those who took over from it: `15:54:56.868 PST Mon Dec 18 2017`.
    Cisco,
}

/// A condition on one value; an absent one counts as empty.
#[derive(Debug)]
struct Test {
    value: u16,
    is: Is,
}

#[derive(Debug)]
enum Is {
    In(Box<[Box<[u8]>]>),
    NotIn(Box<[Box<[u8]>]>),
    Prefix(Box<[u8]>),
    Empty(bool),
    SameAs(u16),
}

impl Test {
    fn holds(&self, values: &Values<'_>) -> bool {
        let text = values.text(self.value);
        match &self.is {
            Is::In(words) => words.iter().any(|word| **word == *text),
            Is::NotIn(words) => !words.iter().any(|word| **word == *text),
            Is::Prefix(prefix) => text.starts_with(prefix),
            Is::Empty(empty) => text.is_empty() == *empty,
            Is::SameAs(other) => values.text(*other) == text,
        }
    }
}

/// The values of a message while they are read and used.
struct Values<'a> {
    message: &'a [u8],
    scratch: &'a mut Scratch,
}

impl Values<'_> {
    fn place(&self, value: u16) -> Option<Place> {
        self.scratch.places.get(usize::from(value)).copied().flatten()
    }

    fn text(&self, value: u16) -> &[u8] {
        self.place(value).map_or(&[], |place| place.of(self.message, &self.scratch.text))
    }

    fn set(&mut self, value: u16, place: Place) {
        if let Some(slot) = self.scratch.places.get_mut(usize::from(value)) {
            *slot = Some(place);
        }
    }

    /// The place of `start..end` of the message.
    fn at(start: usize, end: usize) -> Place {
        Place { start: start as u32, end: end as u32, in_scratch: false }
    }

    /// Appends to the scratch.
    fn write(&mut self, bytes: &[u8]) {
        self.scratch.text.extend_from_slice(bytes);
    }

    /// The place in the scratch from there to its end.
    fn written(&self, from: usize) -> Place {
        Place { start: from as u32, end: self.scratch.text.len() as u32, in_scratch: true }
    }
}

/// What reading a message into values came to.
enum Read {
    Values,
    Header,
}

impl Mapping {
    /// How its messages are told apart.
    pub fn framing(&self) -> Framing {
        match &self.reader {
            Reader::Json { .. } => Framing::Json,
            Reader::Xml { .. } => Framing::Xml,
            // Pairs a line each: the message is more than a line.
            Reader::Pairs { separator, .. } if **separator == *b"\n" => Framing::Blocks,
            Reader::Cells { .. } | Reader::Pairs { .. } | Reader::Fixed(_) => Framing::Lines,
        }
    }

    /// Where in a document its records are.
    pub fn root(&self) -> &[u8] {
        match &self.reader {
            Reader::Json { root, .. } | Reader::Xml { root, .. } => root,
            _ => &[],
        }
    }

    /// Whether the first line names the columns.
    pub fn has_header(&self) -> bool {
        matches!(self.reader, Reader::Cells { header: true, .. })
    }

    /// A decoder of what comes from there.
    pub fn decoder(self: &Arc<Mapping>, origin: &Origin) -> Box<dyn Decode> {
        Box::new(Mapped { mapping: self.clone(), origin: origin.clone(), header: None })
    }

    /// Makes the values' own peculiarities undone: percent signs, words for nothing, other encodings.
    fn tidy(&self, values: &mut Values<'_>) {
        for value in 0..self.values.len() as u16 {
            let Some(place) = values.place(value) else { continue };
            let text = place.of(values.message, &values.scratch.text);
            if self.absent.iter().any(|word| **word == *text) {
                values.set(value, Place::default());
                continue;
            }
            let percent = self.percent && text.contains(&b'%');
            if !percent && text.is_ascii() {
                continue;
            }
            let from = values.scratch.text.len();
            if percent {
                fields::percent_decode(place, values);
                let written = values.written(from);
                values.set(value, written);
            }
            fields::make_utf8(value, values);
        }
    }
}

/// Decodes by a mapping.
#[derive(Debug)]
struct Mapped {
    mapping: Arc<Mapping>,
    origin: Origin,
    /// What a header line said, and the line.
    header: Option<(cells::Layout, Box<[u8]>)>,
}

impl Decode for Mapped {
    fn decode<'a>(&'a mut self, message: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal> {
        let mapping = &*self.mapping;
        let mut message = match mapping.reader {
            // Where columns are places, leading spaces count; some systems send zeros between lines.
            Reader::Fixed(_) => without_zeros(message),
            Reader::Cells { .. } => trim(without_zeros(message)),
            _ => trim(message),
        };
        message = message.strip_prefix(&*mapping.prefix).unwrap_or(message);
        message = message.strip_suffix(&*mapping.suffix).unwrap_or(message);
        if message.is_empty() {
            return Ok(Line::Blank);
        }
        // Places are 32 bits; doors take far less.
        if u32::try_from(message.len()).is_err() {
            return Err(Refusal::Line(u32::MAX));
        }
        scratch.text.clear();
        scratch.places.clear();
        scratch.places.resize(mapping.values.len(), None);
        let mut values = Values { message, scratch };
        let read = match &mapping.reader {
            Reader::Cells { separator, quotes, layouts, header } => {
                let cut = cells::Cut { separator: *separator, quotes: *quotes };
                if *header {
                    cells::read_under_header(cut, &mapping.values, &mut self.header, &mut values)?
                } else {
                    cells::read(cut, layouts, &mut values)?
                }
            }
            Reader::Json { tree, .. } => json::read(tree, &mut values)?,
            Reader::Xml { tree, root } => xml::read(tree, root, &mut values)?,
            Reader::Pairs { separator, assign, keys } => pairs::read(separator, *assign, keys, &mut values),
            Reader::Fixed(fixed) => pairs::read_fixed(fixed, &mut values)?,
        };
        if let Read::Header = read {
            return Ok(Line::Header);
        }
        mapping.tidy(&mut values);
        if let Some((_, skip)) = mapping.skips.iter().find(|(test, _)| test.holds(&values)) {
            return Ok(Line::Skipped(*skip));
        }
        let step = match &*mapping.parts {
            [] => None,
            parts => match parts.iter().find(|part| part.when.iter().all(|test| test.holds(&values))) {
                Some(part) => Some(part.step),
                None => return Ok(Line::Skipped(Skip::NotACall)),
            },
        };
        let at = match step {
            None | Some(PartStep::Segment | PartStep::LastSegment) => None,
            Some(step) => match (step, fields::at(mapping, &self.origin, &mut values)?) {
                // The talk time would be guessed by an hour; a doubtful answer waits in suspense for somebody to say.
                (PartStep::End, Reading::Twice(..)) => return Err(Refusal::Twice("at")),
                (_, read) => Some(read),
            },
        };
        let answered = mapping.answered.iter().all(|test| test.holds(&values));
        let draft = fields::draft(mapping, answered, &self.origin, &mut values)?;
        let record = draft.finish(message, scratch, &self.origin.node, at.is_some())?;
        Ok(match step {
            None => Line::Record(record),
            Some(step) => Line::Piece(piece(step, at, record)),
        })
    }

    fn restart(&mut self) {
        self.header = None;
    }

    fn now(&mut self, now: Timestamp) {
        self.origin.now = now;
    }
}

/// A record as the part of a call that it is; all parts of a call have its id.
fn piece<'a>(step: PartStep, read: Option<Reading>, record: Record<'a>) -> Piece<'a> {
    let (kind, step) = match step {
        PartStep::Begin => (PieceKind::Steps, Step::Begin),
        PartStep::Answer => (PieceKind::Steps, Step::Answer),
        PartStep::Update => (PieceKind::Steps, Step::Update),
        PartStep::End => (PieceKind::Steps, Step::End),
        PartStep::Over => (PieceKind::Steps, Step::Fail),
        PartStep::Segment => (PieceKind::Segments, Step::Update),
        PartStep::LastSegment => (PieceKind::Segments, Step::End),
    };
    let at = read.map(Reading::earlier);
    let record = match kind {
        // When each happened is all that a step says of times.
        PieceKind::Steps => {
            let of = |one: Step| at.filter(|_| step == one);
            let (start, answer, end) = (of(Step::Begin), of(Step::Answer), of(Step::End));
            let fold = match read {
                Some(Reading::Twice(_, more)) if answer.is_some() => Some(more),
                _ => None,
            };
            Record { start, answer, end, duration: None, fold, ..record }
        }
        _ => record,
    };
    // Segments of a call begin together where the node tells when the call began; then they count as they come.
    let at = at.or(record.start).or(record.answer);
    Piece { kind, step, key: record.id, at, delay: Micros(0), record }
}

/// A line without its ends and without the zero bytes around it; blank if nothing but spaces is left.
fn without_zeros(line: &[u8]) -> &[u8] {
    let zeros = line.iter().take_while(|byte| **byte == 0).count();
    let line = line.get(zeros..).unwrap_or_default();
    let end = line.iter().rposition(|byte| !matches!(byte, 0 | b' ' | b'\r' | b'\n')).map_or(0, |at| at + 1);
    line.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
