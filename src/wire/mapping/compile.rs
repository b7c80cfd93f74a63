//! From a table as it is written to a mapping: every name looked up, every layout known.
//!
//! Does not know which file the table came from: faults carry their place in its text.

use std::ops::Range;

use toml::Spanned;

use super::cells::Layout;
use super::pairs::Fixed;
use super::settings::{CandidateSettings, Candidates, Columns, ConditionSettings, Kind, MappingSettings};
use super::settings::{PartSettings, PartStep, PlacedColumn, Quotes};
use super::{Candidate, Is, Mapping, Part, Reader, Test, Tree, When};
use crate::time::TimeFormat;
use crate::wire::{Field, Skip};

/// A mapping that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct BadMapping {
    /// What is wrong, and how to mend it.
    pub message: String,
    /// Where in the text, if it is known.
    pub span: Option<Range<usize>>,
    /// A name that is not known, and those that are.
    pub unknown: Option<(String, Vec<String>)>,
}

impl BadMapping {
    pub(in crate::wire) fn new(message: impl Into<String>) -> BadMapping {
        BadMapping { message: message.into(), span: None, unknown: None }
    }

    pub(in crate::wire) fn at(mut self, span: Range<usize>) -> BadMapping {
        // What was taken over from another format has no place here.
        self.span = self.span.or(Some(span)).filter(|span| !span.is_empty());
        self
    }
}

/// Names of values, numbered as they are met.
struct Names<'a> {
    met: Vec<Box<str>>,
    /// The names there are; none: any.
    known: Option<&'a [String]>,
}

impl Names<'_> {
    fn number(&mut self, name: &str) -> Result<u16, BadMapping> {
        if let Some(known) = self.known
            && !known.iter().any(|known| known == name)
        {
            let mut bad = BadMapping::new(format!("{name:?} is none of the columns"));
            bad.unknown = Some((name.to_owned(), known.to_vec()));
            return Err(bad);
        }
        if name.is_empty() {
            return Err(BadMapping::new("a name is empty"));
        }
        let at = self.met.iter().position(|met| **met == *name).unwrap_or_else(|| {
            self.met.push(name.into());
            self.met.len() - 1
        });
        u16::try_from(at).map_err(|_| BadMapping::new("a mapping reads at most 65,536 values"))
    }
}

impl Mapping {
    /// Checks a table in which nothing is left to be taken from another.
    pub fn new(settings: &MappingSettings) -> Result<Mapping, BadMapping> {
        let kind = settings.kind.ok_or_else(|| {
            BadMapping::new("kind is missing: write kind = \"csv\", \"json\", \"xml\", \"key_value\" or \"fixed\", or like = a format")
        })?;
        let columns = column_names(settings, kind)?;
        let mut names = Names { met: Vec::new(), known: columns.as_deref() };
        let time = match &settings.time {
            None => When::Format(TimeFormat::Rfc3339),
            Some(text) => time_format(text.get_ref()).map_err(|e| e.at(text.span()))?,
        };
        let f = &settings.fields;
        let mut compile = |field: Field, written: &Option<Spanned<Candidates>>| match written {
            None => Ok(Box::default()),
            Some(written) => {
                let mut compiled = Vec::new();
                for one in &written.get_ref().0 {
                    match candidate(field, one, &time, &mut names) {
                        // A format that is like another and has other columns does without what stood in those it lacks.
                        Err(bad) if bad.unknown.is_some() && written.span().is_empty() => {}
                        other => compiled.push(other.map_err(|e| e.at(written.span()))?),
                    }
                }
                Ok(compiled.into())
            }
        };
        let fields: [Box<[Candidate]>; super::FIELDS] = [
            compile(Field::Id, &f.id)?,
            compile(Field::Node, &f.node)?,
            compile(Field::Account, &f.account)?,
            compile(Field::ForwardedBy, &f.forwarded_by)?,
            compile(Field::Source, &f.source)?,
            compile(Field::Destination, &f.destination)?,
            compile(Field::Cause, &f.cause)?,
            compile(Field::RoutingNumber, &f.routing_number)?,
            compile(Field::IncumbentCost, &f.incumbent_cost)?,
            compile(Field::IncumbentCurrency, &f.incumbent_currency)?,
            compile(Field::IncumbentSeconds, &f.incumbent_seconds)?,
            compile(Field::Carrier, &f.carrier)?,
            compile(Field::Direction, &f.direction)?,
            compile(Field::Start, &f.start)?,
            compile(Field::Answer, &f.answer)?,
            compile(Field::End, &f.end)?,
            compile(Field::Duration, &f.duration)?,
            compile(Field::Seq, &f.seq)?,
        ];
        let clock = compile(Field::Seq, &f.clock)?;
        let at = compile(Field::Start, &f.at)?;
        for field in [Field::Id, Field::Source, Field::Destination] {
            if fields.get(field as usize).is_none_or(|candidates| candidates.is_empty()) {
                return Err(BadMapping::new(format!("fields.{0} is missing: no record is without {0}", field.name())));
            }
        }
        let none = |field: Field| fields.get(field as usize).is_none_or(|candidates| candidates.is_empty());
        let written = settings.parts.as_ref().map(Spanned::get_ref);
        let segment = |part: &PartSettings| matches!(part.step, PartStep::Segment | PartStep::LastSegment);
        let (segments, steps) = written.map_or((0, 0), |parts| {
            let segments = parts.iter().filter(|part| segment(part)).count();
            (segments, parts.len() - segments)
        });
        match (segments, steps) {
            (1.., 1..) => return Err(BadMapping::new("parts are either segments or steps of a call, not both")),
            (1.., 0) if none(Field::Duration) => {
                return Err(BadMapping::new("fields.duration is missing: the talk time of a segment"));
            }
            (0, 1..) if at.is_empty() => {
                return Err(BadMapping::new("fields.at is missing: when what a part tells of happened"));
            }
            (0, 0) if none(Field::Duration) && (none(Field::End) || none(Field::Answer)) => {
                return Err(BadMapping::new("fields.duration is missing, and so is answer or end"));
            }
            _ => {}
        }
        let mut conditions = |written: &Option<Spanned<Vec<ConditionSettings>>>| match written {
            None => Ok(Vec::new()),
            Some(written) => {
                let tests = written.get_ref().iter().map(|one| Ok((test(one, &mut names)?, skip(one)?)));
                tests.collect::<Result<Vec<_>, BadMapping>>().map_err(|e| e.at(written.span()))
            }
        };
        let answered = conditions(&settings.answered_when)?.into_iter().map(|(test, _)| test).collect();
        let skips = conditions(&settings.skip_when)?.into_iter().collect();
        let parts = match &settings.parts {
            None => Box::default(),
            Some(written) => {
                let compiled = written.get_ref().iter().map(|part| {
                    let when = part.when.iter().map(|one| test(one, &mut names)).collect::<Result<_, _>>()?;
                    Ok(Part { step: part.step, when })
                });
                compiled.collect::<Result<Box<[_]>, BadMapping>>().map_err(|e| e.at(written.span()))?
            }
        };
        let values: Box<[Box<str>]> = names.met.into();
        Ok(Mapping {
            about: settings.about.clone().unwrap_or_default(),
            reader: reader(settings, kind, &values)?,
            values,
            prefix: settings.prefix.as_deref().unwrap_or_default().as_bytes().into(),
            suffix: settings.suffix.as_deref().unwrap_or_default().as_bytes().into(),
            percent: settings.percent.unwrap_or(false),
            absent: settings.absent.iter().flatten().map(|word| word.as_bytes().into()).collect(),
            fields,
            clock,
            at,
            answered,
            skips,
            parts,
        })
    }
}

/// The names of columns that there are; none where a header or the messages themselves bring them.
fn column_names(settings: &MappingSettings, kind: Kind) -> Result<Option<Vec<String>>, BadMapping> {
    let columns = settings.columns.as_ref();
    let wrong = |message: &str| Err(BadMapping::new(message).at(columns.map_or(0..0, Spanned::span)));
    let header = settings.header.unwrap_or(false);
    match (kind, columns.map(Spanned::get_ref)) {
        (Kind::Csv, Some(_)) if header => wrong("header = true and columns: a header names the columns itself"),
        (Kind::Csv, None) if !header => wrong("columns are missing: list them, or write header = true"),
        (Kind::Csv, Some(Columns::Names(names))) => Ok(Some(names.clone())),
        (Kind::Csv, Some(Columns::Layouts(layouts))) => Ok(Some(layouts.concat())),
        (Kind::Fixed | Kind::Csv, Some(Columns::Placed(columns))) => {
            match columns.iter().find(|c| c.at == 0 || c.width.is_some() != (kind == Kind::Fixed)) {
                None => Ok(Some(columns.iter().map(|c| c.name.clone()).collect())),
                Some(_) if kind == Kind::Fixed => wrong("a column has its first character, from 1, and its width"),
                Some(_) => wrong("a column has the number of its cell, from 1, and no width"),
            }
        }
        (Kind::Fixed, _) => wrong("columns are missing: list them as {name, at, width}"),
        (Kind::Csv, None) => Ok(None),
        (_, Some(_)) => wrong("columns are for kind = \"csv\" and \"fixed\""),
        (_, None) => Ok(None),
    }
}

fn reader(settings: &MappingSettings, kind: Kind, values: &[Box<str>]) -> Result<Reader, BadMapping> {
    let number = |name: &str| values.iter().position(|v| **v == *name).and_then(|at| u16::try_from(at).ok());
    let one_byte = |written: &Option<Spanned<String>>, usual: u8, what: &str| match written {
        None => Ok(usual),
        Some(text) => match text.get_ref().as_bytes() {
            [byte] => Ok(*byte),
            _ => {
                Err(BadMapping::new(format!("{what} {:?} is not one ASCII character", text.get_ref())).at(text.span()))
            }
        },
    };
    let root = || settings.root.as_ref().map(|root| root.get_ref().as_bytes().into()).unwrap_or_default();
    Ok(match kind {
        Kind::Csv => {
            let wide = settings.wide.as_ref();
            let layout = |names: &Vec<String>| Layout {
                values: names.iter().map(|name| number(name)).collect(),
                wide: wide.and_then(|wide| names.iter().position(|name| name == wide.get_ref())),
                open: false,
            };
            let layouts: Box<[Layout]> = match settings.columns.as_ref().map(Spanned::get_ref) {
                Some(Columns::Names(names)) => [layout(names)].into(),
                Some(Columns::Layouts(layouts)) => layouts.iter().map(layout).collect(),
                Some(Columns::Placed(columns)) => [by_number(columns, number)?].into(),
                None => Box::default(),
            };
            if let Some(wide) = wide
                && layouts.iter().all(|layout| layout.wide.is_none())
            {
                return Err(
                    BadMapping::new(format!("wide = {:?} is none of the columns", wide.get_ref())).at(wide.span())
                );
            }
            Reader::Cells {
                separator: one_byte(&settings.separator, b',', "separator")?,
                quotes: settings.quotes.unwrap_or(Quotes::Doubled),
                header: settings.header.unwrap_or(false),
                layouts,
            }
        }
        Kind::Json => Reader::Json { tree: tree(values)?, root: root() },
        Kind::Xml => Reader::Xml { tree: tree(values)?, root: root() },
        Kind::KeyValue => {
            let separator = settings.separator.as_ref().map_or(";", |text| text.get_ref());
            if separator.is_empty() {
                return Err(BadMapping::new("separator is empty"));
            }
            let keys = values.iter().zip(0..).map(|(name, at)| (name.as_bytes().into(), at)).collect();
            Reader::Pairs {
                separator: separator.as_bytes().into(),
                assign: one_byte(&settings.assign, b'=', "assign")?,
                keys,
            }
        }
        Kind::Fixed => {
            let Some(Columns::Placed(columns)) = settings.columns.as_ref().map(Spanned::get_ref) else {
                return Err(BadMapping::new("columns are missing"));
            };
            let place = |c: &PlacedColumn| Some((c.at.saturating_sub(1), c.width?, number(&c.name)?));
            let columns = columns.iter().filter_map(place).collect();
            Reader::Fixed(Fixed { columns, apart: settings.apart.unwrap_or(false) })
        }
    })
}

/// Cells by their number; those behind the last that is named may be as many as they like.
fn by_number(columns: &[PlacedColumn], number: impl Fn(&str) -> Option<u16>) -> Result<Layout, BadMapping> {
    /// More than any node writes.
    const CELLS_MAX: usize = 4096;
    let last = columns.iter().map(|column| column.at).max().unwrap_or(0);
    if last > CELLS_MAX {
        return Err(BadMapping::new(format!("a row has at most {CELLS_MAX} cells")));
    }
    let mut values = vec![None; last];
    for column in columns {
        if let Some(slot) = values.get_mut(column.at.saturating_sub(1)) {
            *slot = number(&column.name);
        }
    }
    Ok(Layout { values: values.into(), wide: None, open: true })
}

/// Pointers as a tree. `name` alone means `/name`.
fn tree(values: &[Box<str>]) -> Result<Tree, BadMapping> {
    let mut root = Tree::default();
    for (pointer, number) in values.iter().zip(0u16..) {
        let mut at = &mut root;
        for step in pointer.strip_prefix('/').unwrap_or(pointer).split('/') {
            // RFC 6901: a slash in a name is written ~1, a tilde ~0.
            let name = step.replace("~1", "/").replace("~0", "~").into_bytes();
            let found = at.below.iter().position(|branch| *branch.name == *name);
            let index = found.unwrap_or_else(|| {
                at.below.push(Tree { name: name.into(), value: None, below: Vec::new() });
                at.below.len() - 1
            });
            at = at.below.get_mut(index).ok_or_else(|| BadMapping::new("a pointer leads nowhere"))?;
        }
        if at.value.is_some() {
            return Err(BadMapping::new(format!("{pointer:?} is written in two ways")));
        }
        at.value = Some(number);
    }
    Ok(root)
}

fn time_format(text: &str) -> Result<When, BadMapping> {
    match text {
        "cisco" => Ok(When::Cisco),
        _ => TimeFormat::named(text).map(When::Format).map_err(|e| BadMapping::new(e.to_string())),
    }
}

fn candidate(
    field: Field,
    written: &CandidateSettings,
    time: &When,
    names: &mut Names<'_>,
) -> Result<Candidate, BadMapping> {
    let name = field.name();
    let sum = !written.sum.is_empty();
    let listed = if sum { &written.sum } else { &written.join };
    let parts: Box<[u16]> = match (&written.from, listed.as_slice(), &written.value) {
        _ if sum && !written.join.is_empty() => {
            return Err(BadMapping::new(format!("fields.{name}: write one of from, join, sum and value")));
        }
        (Some(from), [], None) => [names.number(from)?].into(),
        (None, list @ [_, ..], None) => list.iter().map(|part| names.number(part)).collect::<Result<_, _>>()?,
        (None, [], Some(_)) => Box::default(),
        _ => return Err(BadMapping::new(format!("fields.{name}: write one of from, join, sum and value"))),
    };
    let is_time = matches!(field, Field::Start | Field::Answer | Field::End);
    for (key, given, fits) in [
        ("time", written.time.is_some(), is_time),
        ("plus", written.plus.is_some(), is_time),
        ("sum", sum, field == Field::Duration),
        ("unit", written.unit.is_some(), field == Field::Duration),
        ("round", written.round.is_some(), field == Field::Duration),
    ] {
        if given && !fits {
            return Err(BadMapping::new(format!("fields.{name}: {key} is not for this field")));
        }
    }
    for to in written.map.values() {
        if field == Field::Direction && !matches!(to.as_str(), "outbound" | "inbound" | "") {
            return Err(BadMapping::new(format!("fields.direction: {to:?} must be \"outbound\" or \"inbound\"")));
        }
    }
    let bytes = |text: &Option<String>| -> Box<[u8]> { text.as_deref().unwrap_or_default().as_bytes().into() };
    Ok(Candidate {
        parts,
        sum,
        plus: written.plus.as_deref().map(|plus| names.number(plus)).transpose()?,
        with: written.with.as_deref().unwrap_or("/").as_bytes().into(),
        constant: bytes(&written.value),
        uri: written.uri.unwrap_or(false),
        strip: bytes(&written.strip),
        map: written.map.iter().map(|(from, to)| (from.as_bytes().into(), to.as_bytes().into())).collect(),
        time: written.time.as_deref().map_or_else(|| Ok(time.clone()), time_format)?,
        unit: written.unit.unwrap_or_default(),
        round: written.round.unwrap_or_default(),
    })
}

fn test(written: &ConditionSettings, names: &mut Names<'_>) -> Result<Test, BadMapping> {
    let words = |words: &[String]| words.iter().map(|word| word.as_bytes().into()).collect();
    let ConditionSettings { equals, one_of, not_in, prefix, empty, same_as, .. } = written;
    let is = match (equals, one_of.as_slice(), not_in.as_slice(), prefix, empty, same_as) {
        (Some(word), [], [], None, None, None) => Is::In([word.as_bytes().into()].into()),
        (None, list @ [_, ..], [], None, None, None) => Is::In(words(list)),
        (None, [], list @ [_, ..], None, None, None) => Is::NotIn(words(list)),
        (None, [], [], Some(prefix), None, None) => Is::Prefix(prefix.as_bytes().into()),
        (None, [], [], None, Some(empty), None) => Is::Empty(*empty),
        (None, [], [], None, None, Some(other)) => Is::SameAs(names.number(other)?),
        _ => return Err(BadMapping::new("a condition has one of equals, in, not_in, prefix, empty and same_as")),
    };
    Ok(Test { value: names.number(&written.field)?, is })
}

fn skip(written: &ConditionSettings) -> Result<Skip, BadMapping> {
    let Some(reason) = &written.reason else { return Ok(Skip::NotACall) };
    Skip::named(reason).ok_or_else(|| {
        let mut bad = BadMapping::new(format!("{reason:?} is no reason to skip"));
        bad.unknown = Some((reason.clone(), Skip::ALL.map(|skip| skip.reason().to_owned()).into()));
        bad
    })
}
