//! A mapping as it is written: the table `[format.NAME]`.
//!
//! Does not know whether what is written makes sense.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

/// How a message falls into values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Cells between separators, by their place or under a header.
    Csv,
    /// Values by JSON pointers.
    Json,
    /// Texts of elements, and attributes.
    Xml,
    /// `name=value` between separators.
    KeyValue,
    /// Columns of a fixed width.
    Fixed,
}

/// Unit of a talk time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub enum Unit {
    /// Seconds.
    #[default]
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Hundredths of a second.
    #[serde(rename = "cs")]
    Centiseconds,
    /// `[[H]H:]MM:SS[.mmm]`; in a sum also plain seconds.
    #[serde(rename = "clock")]
    Clock,
}

/// What becomes of parts of a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Round {
    /// They are kept.
    #[default]
    None,
    /// They are dropped.
    Down,
    /// They count as a second.
    Up,
    /// They count as a second from half a second on.
    HalfUp,
}

/// Whether text in double quotes has its quotes doubled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quotes {
    /// A quote within quotes is written twice.
    #[default]
    Doubled,
    /// Quotes are characters like any other.
    None,
    /// Nothing is escaped: a quote ends its cell only before a separator or the end of the row.
    Literal,
}

/// One column of rows.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedColumn {
    /// What fields call it.
    pub name: String,
    /// Its first character, from 1; in CSV the number of its cell, from 1.
    pub at: usize,
    /// Its width in characters; not in CSV.
    #[serde(default)]
    pub width: Option<usize>,
}

/// Columns: names in order; or several such lists, told apart by the number of cells; or places.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Columns {
    /// By name.
    Names(Vec<String>),
    /// By name, the list that has as many as the row has cells.
    Layouts(Vec<Vec<String>>),
    /// By place: in CSV the number of the cell, and rows may have more; else the first character.
    Placed(Vec<PlacedColumn>),
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Columns, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a name, a list of names, or {name, at, width}")]
        enum One {
            Name(String),
            Names(Vec<String>),
            Placed(PlacedColumn),
        }
        let (mut names, mut layouts, mut placed) = (Vec::new(), Vec::new(), Vec::new());
        for one in Vec::<One>::deserialize(deserializer)? {
            match one {
                One::Name(name) => names.push(name),
                One::Names(names) => layouts.push(names),
                One::Placed(column) => placed.push(column),
            }
        }
        match (names.is_empty(), layouts.is_empty(), placed.is_empty()) {
            (false, true, true) => Ok(Columns::Names(names)),
            (true, false, true) => Ok(Columns::Layouts(layouts)),
            (true, true, false) => Ok(Columns::Placed(placed)),
            (true, true, true) => Err(serde::de::Error::custom("there must be a column")),
            _ => {
                Err(serde::de::Error::custom("columns must be all names, all lists of names, or all {name, at, width}"))
            }
        }
    }
}

/// One way to find a field.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CandidateSettings {
    /// Column, key, or pointer.
    pub from: Option<String>,
    /// Several, joined; all must be in the record, and the first must not be empty.
    pub join: Vec<String>,
    /// What stands between joined ones; `/`.
    pub with: Option<String>,
    /// A text that is always the same.
    pub value: Option<String>,
    /// Several talk times, added up.
    pub sum: Vec<String>,
    /// How a time is written.
    pub time: Option<String>,
    /// Seconds by which a time is later than it is written; what is no number adds nothing.
    pub plus: Option<String>,
    /// Unit of a duration.
    pub unit: Option<Unit>,
    /// Rounding of a duration.
    pub round: Option<Round>,
    /// The user part of a SIP or tel URI, or of a name-and-address.
    pub uri: Option<bool>,
    /// Text taken off the front, once.
    pub strip: Option<String>,
    /// Other words for these; what is not among them is absent.
    pub map: BTreeMap<String, String>,
}

/// The ways to find a field, in the order of preference: the first that is not empty counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Candidates(pub Vec<CandidateSettings>);

impl<'de> Deserialize<'de> for CandidatesOrOne {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CandidatesOrOne, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = CandidatesOrOne;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a column or pointer, or a table such as { from = \"…\", time = \"…\" }, or a list of these",
                )
            }
            fn visit_str<E>(self, text: &str) -> Result<CandidatesOrOne, E> {
                let one = CandidateSettings { from: Some(text.to_owned()), ..CandidateSettings::default() };
                Ok(CandidatesOrOne(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<CandidatesOrOne, A::Error> {
                let lists = Vec::<CandidatesOrOne>::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(CandidatesOrOne(lists.into_iter().flat_map(|one| one.0).collect()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CandidatesOrOne, A::Error> {
                CandidateSettings::deserialize(MapAccessDeserializer::new(map)).map(|one| CandidatesOrOne(vec![one]))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The same while it is read.
struct CandidatesOrOne(Vec<CandidateSettings>);

impl<'de> Deserialize<'de> for Candidates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Candidates, D::Error> {
        CandidatesOrOne::deserialize(deserializer).map(|all| Candidates(all.0))
    }
}

/// Where each field of the native record is found. An empty list in a format that is `like` another takes a field away.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct FieldSettings {
    pub id: Option<Spanned<Candidates>>,
    pub node: Option<Spanned<Candidates>>,
    pub account: Option<Spanned<Candidates>>,
    pub forwarded_by: Option<Spanned<Candidates>>,
    pub source: Option<Spanned<Candidates>>,
    pub destination: Option<Spanned<Candidates>>,
    pub cause: Option<Spanned<Candidates>>,
    pub routing_number: Option<Spanned<Candidates>>,
    #[serde(alias = "incumbent")]
    pub incumbent_cost: Option<Spanned<Candidates>>,
    pub incumbent_currency: Option<Spanned<Candidates>>,
    pub incumbent_seconds: Option<Spanned<Candidates>>,
    pub carrier: Option<Spanned<Candidates>>,
    pub direction: Option<Spanned<Candidates>>,
    pub start: Option<Spanned<Candidates>>,
    pub answer: Option<Spanned<Candidates>>,
    pub end: Option<Spanned<Candidates>>,
    pub duration: Option<Spanned<Candidates>>,
    pub seq: Option<Spanned<Candidates>>,
    /// Something that begins with Unix seconds near the call's start: tells the hours apart that autumn repeats.
    pub clock: Option<Spanned<Candidates>>,
    /// Where a call is told in parts: when what the part tells of happened.
    pub at: Option<Spanned<Candidates>>,
}

/// What a value must be.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConditionSettings {
    /// Column, key, or pointer.
    pub field: String,
    /// This.
    pub equals: Option<String>,
    /// One of these.
    #[serde(rename = "in")]
    pub one_of: Vec<String>,
    /// None of these.
    pub not_in: Vec<String>,
    /// Begins so.
    pub prefix: Option<String>,
    /// Is absent or empty, or is not.
    pub empty: Option<bool>,
    /// The same as that column's, key's or pointer's.
    pub same_as: Option<String>,
    /// For `skip_when`: `not_a_call`, `other_leg` or `omitted`.
    pub reason: Option<String>,
}

/// What a part of a call tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartStep {
    /// The call was set up.
    Begin,
    /// It was answered.
    Answer,
    /// It goes on.
    Update,
    /// It ended.
    End,
    /// It is over, and was not answered unless an answer was told.
    Over,
    /// A segment of it, with a talk time of its own; more follow.
    Segment,
    /// Its last segment.
    LastSegment,
}

/// Which records are which part of a call.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartSettings {
    /// Which part.
    pub step: PartStep,
    /// When a record is that part: all must hold.
    #[serde(default)]
    pub when: Vec<ConditionSettings>,
}

/// The whole table.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MappingSettings {
    /// One sentence for `callrated formats list`.
    pub about: Option<String>,
    /// The format whose keys hold where this one has none.
    pub like: Option<Spanned<String>>,
    /// How a message falls into values.
    pub kind: Option<Kind>,
    /// Between cells, or between pairs.
    pub separator: Option<Spanned<String>>,
    /// Between a key and its value; `=`.
    pub assign: Option<Spanned<String>>,
    /// How quotes are written in cells.
    pub quotes: Option<Quotes>,
    /// Whether the first line names the columns.
    pub header: Option<bool>,
    /// The columns, where no header names them.
    pub columns: Option<Spanned<Columns>>,
    /// For `fixed`: a space stands between columns; a value that reaches beyond its column is of another layout, and the
    /// line is refused.
    pub apart: Option<bool>,
    /// The column to which surplus cells belong, where values may hold the separator.
    pub wide: Option<Spanned<String>>,
    /// Where in a JSON document the array of records is; in XML, the name of the element of a record.
    pub root: Option<Spanned<String>>,
    /// Text in front of each message, taken off where it stands.
    pub prefix: Option<String>,
    /// Text behind each message, taken off where it stands.
    pub suffix: Option<String>,
    /// How times are written.
    pub time: Option<Spanned<String>>,
    /// Whether `%20` stands for a space in values, and so on.
    pub percent: Option<bool>,
    /// Texts that mean that there is no value.
    pub absent: Option<Vec<String>>,
    /// Where fields are found.
    pub fields: FieldSettings,
    /// When a call counts as answered: all must hold. Without any: if there is an answer time or a talk time.
    pub answered_when: Option<Spanned<Vec<ConditionSettings>>>,
    /// Which records are passed over: if any holds.
    pub skip_when: Option<Spanned<Vec<ConditionSettings>>>,
    /// Where records are parts of calls, joined by their `id`: the first that fits says which part a record is, and one
    /// that is none is passed over.
    pub parts: Option<Spanned<Vec<PartSettings>>>,
}

impl MappingSettings {
    /// Fills what is not said here from another. What is taken over has no place in this text.
    pub fn or(self, base: MappingSettings) -> MappingSettings {
        fn far<T>(own: Option<Spanned<T>>, base: Option<Spanned<T>>) -> Option<Spanned<T>> {
            own.or_else(|| base.map(|base| Spanned::new(0..0, base.into_inner())))
        }
        let (a, b) = (self.fields, base.fields);
        MappingSettings {
            about: self.about.or(base.about),
            like: None,
            kind: self.kind.or(base.kind),
            separator: far(self.separator, base.separator),
            assign: far(self.assign, base.assign),
            quotes: self.quotes.or(base.quotes),
            header: self.header.or(base.header),
            columns: far(self.columns, base.columns),
            apart: self.apart.or(base.apart),
            wide: far(self.wide, base.wide),
            root: far(self.root, base.root),
            prefix: self.prefix.or(base.prefix),
            suffix: self.suffix.or(base.suffix),
            time: far(self.time, base.time),
            percent: self.percent.or(base.percent),
            absent: self.absent.or(base.absent),
            fields: FieldSettings {
                id: far(a.id, b.id),
                node: far(a.node, b.node),
                account: far(a.account, b.account),
                forwarded_by: far(a.forwarded_by, b.forwarded_by),
                source: far(a.source, b.source),
                destination: far(a.destination, b.destination),
                cause: far(a.cause, b.cause),
                routing_number: far(a.routing_number, b.routing_number),
                incumbent_cost: far(a.incumbent_cost, b.incumbent_cost),
                incumbent_currency: far(a.incumbent_currency, b.incumbent_currency),
                incumbent_seconds: far(a.incumbent_seconds, b.incumbent_seconds),
                carrier: far(a.carrier, b.carrier),
                direction: far(a.direction, b.direction),
                start: far(a.start, b.start),
                answer: far(a.answer, b.answer),
                end: far(a.end, b.end),
                duration: far(a.duration, b.duration),
                seq: far(a.seq, b.seq),
                clock: far(a.clock, b.clock),
                at: far(a.at, b.at),
            },
            answered_when: far(self.answered_when, base.answered_when),
            skip_when: far(self.skip_when, base.skip_when),
            parts: far(self.parts, base.parts),
        }
    }
}
