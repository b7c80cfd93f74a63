//! The formats by name: the house's own, those built in, and those of configuration.
//!
//! A built-in format is a line in [`BUILT_IN`] and a file beside this one: a mapping as it could stand in configuration
//! (`*.toml`), or code where a mapping cannot say it. What comes from where is the door's: it cuts its bytes by the format's
//! [`Framing`] and gives each piece to the format's decoder.
//!
//! Does not know sockets, bodies or files.

pub mod acc;
pub mod audiocodes;
pub mod carried;
pub mod cisco;
mod dialog;
mod freeswitch;
pub mod hep;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mapping::settings::MappingSettings;
use super::mapping::{BadMapping, Mapping};
use super::{Line, Origin, Refusal, Scratch};
use crate::time::Timestamp;

/// Reads one message after the other: a line, a datagram, a document, as the format's [`Framing`] cuts them.
pub trait Decode: std::fmt::Debug + Send {
    /// What the message is.
    fn decode<'a>(&'a mut self, message: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal>;

    /// Forgets what was learnt from earlier messages (a header): what follows stands for itself, as each datagram does.
    fn restart(&mut self) {}

    /// Tells roughly what time it is, for times that come without their year.
    fn now(&mut self, _now: Timestamp) {}
}

/// How a stream of bytes falls into messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// Each line is a message.
    Lines,
    /// JSON values one after the other, or in an array; line ends do not matter.
    Json,
    /// XML elements one after the other.
    Xml,
    /// Blocks of lines, parted by empty lines.
    Blocks,
}

/// What a sender is expected to write.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// JSON or CSV with the native record's names, told by the first byte.
    #[default]
    Auto,
    /// The native record, one JSON object a line.
    Json,
    /// Rows under a header with the native record's field names.
    Csv,
    /// Any other.
    Named(Arc<Named>),
}

/// A format that is not the house's own.
#[derive(Debug)]
pub struct Named {
    /// Its name in configuration, on the command line and in metrics.
    pub name: Arc<str>,
    /// One sentence.
    pub about: String,
    /// How its messages are told apart.
    pub framing: Framing,
    /// How they are read.
    pub build: Build,
}

/// How a named format is read.
#[derive(Debug)]
pub enum Build {
    /// By a mapping.
    Mapping(Arc<Mapping>),
    /// By code.
    Code(fn(&Origin) -> Box<dyn Decode>),
}

impl PartialEq for Named {
    fn eq(&self, other: &Named) -> bool {
        self.name == other.name
    }
}

impl Eq for Named {}

impl Named {
    /// A decoder of what comes from there.
    pub fn decoder(&self, origin: &Origin) -> Box<dyn Decode> {
        match &self.build {
            Build::Mapping(mapping) => mapping.decoder(origin),
            Build::Code(build) => build(origin),
        }
    }

    /// Whether the first line of a file names its columns.
    pub fn has_header(&self) -> bool {
        matches!(&self.build, Build::Mapping(mapping) if mapping.has_header())
    }
}

impl Format {
    /// The name in configuration and metrics.
    pub fn name(&self) -> &str {
        match self {
            Format::Auto => "auto",
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Named(named) => &named.name,
        }
    }

    /// How its messages are told apart.
    pub fn framing(&self) -> Framing {
        match self {
            Format::Named(named) => named.framing,
            _ => Framing::Lines,
        }
    }

    /// Where in a document its records are: a pointer in JSON, an element's name in XML; empty: the document is one.
    pub fn root(&self) -> &[u8] {
        match self {
            Format::Named(named) => match &named.build {
                Build::Mapping(mapping) => mapping.root(),
                Build::Code(_) => &[],
            },
            _ => &[],
        }
    }

    /// The house's own or built-in format of that name.
    pub fn named(name: &str) -> Option<Format> {
        match name {
            "auto" => Some(Format::Auto),
            "json" => Some(Format::Json),
            "csv" => Some(Format::Csv),
            // A built-in mapping that cannot be read does not pass the tests.
            _ => BUILT_IN.iter().find(|built_in| built_in.name == name)?.format().ok(),
        }
    }
}

/// The formats that configuration adds.
#[derive(Clone, Debug, Default)]
pub struct Formats {
    own: BTreeMap<Arc<str>, Format>,
}

/// Formats that are `like` one another at most so often in a row.
const LIKE_MAX: usize = 8;

impl Formats {
    /// Checks the tables `[format.NAME]`; on a fault, the name of the table with it.
    pub fn new(tables: &BTreeMap<String, MappingSettings>) -> Result<Formats, (String, BadMapping)> {
        let mut own = BTreeMap::new();
        for (name, settings) in tables {
            let bad = |bad: BadMapping| (name.clone(), bad);
            if ["auto", "json", "csv"].contains(&name.as_str()) || BUILT_IN.iter().any(|b| b.name == name) {
                return Err(bad(BadMapping::new(format!(
                    "a format of the name {name:?} is built in: take another name, and like = {name:?}"
                ))));
            }
            if name.is_empty()
                || name.len() > 64
                || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            {
                return Err(bad(BadMapping::new(
                    "a format's name is 1 to 64 letters, digits, hyphens, dots and underscores",
                )));
            }
            let mapping = whole(settings.clone(), tables, 0).and_then(|whole| Mapping::new(&whole)).map_err(bad)?;
            own.insert(name.as_str().into(), by_mapping(name, mapping));
        }
        Ok(Formats { own })
    }

    /// The format of that name.
    pub fn named(&self, name: &str) -> Option<Format> {
        self.own.get(name).cloned().or_else(|| Format::named(name))
    }

    /// Every name, the house's own first, then the built-in ones, then those of configuration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let native = ["auto", "json", "csv"].into_iter();
        native.chain(BUILT_IN.iter().map(|built_in| built_in.name)).chain(self.own.keys().map(|name| &**name))
    }
}

fn by_mapping(name: &str, mapping: Mapping) -> Format {
    Format::Named(Arc::new(Named {
        name: name.into(),
        about: mapping.about.clone(),
        framing: mapping.framing(),
        build: Build::Mapping(Arc::new(mapping)),
    }))
}

/// The settings with everything that they take over by `like`.
fn whole(
    settings: MappingSettings,
    tables: &BTreeMap<String, MappingSettings>,
    depth: usize,
) -> Result<MappingSettings, BadMapping> {
    let Some(like) = settings.like.clone() else { return Ok(settings) };
    let (name, span) = (like.get_ref().as_str(), like.span());
    if depth == LIKE_MAX {
        return Err(BadMapping::new(format!("like = {name:?} leads in a circle")).at(span));
    }
    let base = match tables.get(name) {
        Some(base) => base.clone(),
        None => match BUILT_IN.iter().find(|built_in| built_in.name == name).map(|built_in| &built_in.made) {
            Some(Made::Mapping(text)) => parsed(text)?,
            _ => {
                let mut bad = BadMapping::new(format!("like = {name:?} is no mapping")).at(span);
                let mappings =
                    BUILT_IN.iter().filter(|b| matches!(b.made, Made::Mapping(_))).map(|b| b.name.to_owned());
                bad.unknown = Some((name.to_owned(), mappings.chain(tables.keys().cloned()).collect()));
                return Err(bad);
            }
        },
    };
    Ok(settings.or(whole(base, tables, depth + 1)?))
}

/// A built-in mapping's text, which the tests read before anybody else does.
fn parsed(text: &str) -> Result<MappingSettings, BadMapping> {
    toml::from_str(text).map_err(|e| BadMapping::new(e.to_string()))
}

/// A format that comes with the program.
#[derive(Debug)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// How it is made.
    pub made: Made,
}

/// How a built-in format is made.
#[derive(Debug)]
pub enum Made {
    /// As text in the words of configuration: the table `[format.NAME]` without its heading.
    Mapping(&'static str),
    /// In code: one sentence about it, its framing, its decoder.
    Code(&'static str, Framing, fn(&Origin) -> Box<dyn Decode>),
}

/// Every built-in format, in the order in which they are listed.
#[rustfmt::skip]
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "kamailio",
        made: Made::Code("Kamailio's accounting and CDRs, as text or JSON", Framing::Lines, acc::build),
    },
    BuiltIn {
        name: "opensips",
        made: Made::Code("OpenSIPS' accounting events and CDRs, JSON-RPC or text", Framing::Json, acc::build),
    },
    BuiltIn {
        name: carried::AUDIOCODES,
        made: Made::Code(
            "rows of an AudioCodes SBC, with or without syslog around them",
            Framing::Lines,
            carried::audiocodes,
        ),
    },
    BuiltIn {
        name: carried::CISCO,
        made: Made::Code(
            "call history of Cisco gateways, as it stands in their syslog",
            Framing::Lines,
            carried::cisco,
        ),
    },
    BuiltIn { name: "3cx", made: Made::Mapping(include_str!("3cx.toml")) },
    BuiltIn { name: "acme-csv", made: Made::Mapping(include_str!("acme-csv.toml")) },
    BuiltIn { name: "asterisk-ami", made: Made::Mapping(include_str!("asterisk-ami.toml")) },
    BuiltIn { name: "asterisk-cel", made: Made::Mapping(include_str!("asterisk-cel.toml")) },
    BuiltIn { name: "asterisk-cel-ami", made: Made::Mapping(include_str!("asterisk-cel-ami.toml")) },
    BuiltIn { name: "asterisk-csv", made: Made::Mapping(include_str!("asterisk-csv.toml")) },
    BuiltIn { name: "asterisk-custom", made: Made::Mapping(include_str!("asterisk-custom.toml")) },
    BuiltIn { name: "asterisk-json", made: Made::Mapping(include_str!("asterisk-json.toml")) },
    BuiltIn { name: "avaya-cm", made: Made::Mapping(include_str!("avaya-cm.toml")) },
    BuiltIn { name: "avaya-ipo", made: Made::Mapping(include_str!("avaya-ipo.toml")) },
    BuiltIn { name: "cucm", made: Made::Mapping(include_str!("cucm.toml")) },
    BuiltIn { name: "freeswitch", made: Made::Code(freeswitch::ABOUT, Framing::Json, freeswitch::decoder) },
    BuiltIn { name: "freeswitch-json", made: Made::Mapping(include_str!("freeswitch-json.toml")) },
    BuiltIn { name: "freeswitch-xml", made: Made::Mapping(include_str!("freeswitch-xml.toml")) },
    BuiltIn { name: "freeswitch-csv", made: Made::Mapping(include_str!("freeswitch-csv.toml")) },
    BuiltIn { name: "freeswitch-csv-asterisk", made: Made::Mapping(include_str!("freeswitch-csv-asterisk.toml")) },
    BuiltIn { name: "freeswitch-csv-linksys", made: Made::Mapping(include_str!("freeswitch-csv-linksys.toml")) },
    BuiltIn { name: "freeswitch-csv-opencdrrate", made: Made::Mapping(include_str!("freeswitch-csv-opencdrrate.toml")) },
    BuiltIn { name: "freeswitch-csv-snom", made: Made::Mapping(include_str!("freeswitch-csv-snom.toml")) },
    BuiltIn { name: "freeswitch-csv-sql", made: Made::Mapping(include_str!("freeswitch-csv-sql.toml")) },
    BuiltIn {
        name: "freeswitch-event",
        made: Made::Code(freeswitch::EVENT_ABOUT, Framing::Blocks, freeswitch::event_decoder),
    },
    BuiltIn { name: "freeswitch-event-json", made: Made::Mapping(include_str!("freeswitch-event-json.toml")) },
    BuiltIn { name: "freeswitch-event-plain", made: Made::Mapping(include_str!("freeswitch-event-plain.toml")) },
    BuiltIn { name: "grandstream", made: Made::Mapping(include_str!("grandstream.toml")) },
    BuiltIn { name: "mitel", made: Made::Mapping(include_str!("mitel.toml")) },
    BuiltIn { name: "yeastar", made: Made::Mapping(include_str!("yeastar.toml")) },
    BuiltIn { name: "yeastar-p", made: Made::Mapping(include_str!("yeastar-p.toml")) },
];

impl BuiltIn {
    /// The format itself.
    ///
    /// Errors: a fault in its mapping, which no release has.
    pub fn format(&self) -> Result<Format, BadMapping> {
        match &self.made {
            Made::Mapping(text) => {
                let settings = whole(parsed(text)?, &BTreeMap::new(), 0)?;
                Ok(by_mapping(self.name, Mapping::new(&settings)?))
            }
            Made::Code(about, framing, build) => Ok(Format::Named(Arc::new(Named {
                name: self.name.into(),
                about: (*about).to_owned(),
                framing: *framing,
                build: Build::Code(*build),
            }))),
        }
    }
}
