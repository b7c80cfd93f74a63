//! The formats by name: the house's own, those built in, and those of configuration.
//!
//! A built-in format is a line in [`BUILT_IN`] and a file beside this one: a mapping as it could stand in configuration
//! (`*.toml`), or code where a mapping cannot say it. What comes from where is the door's: it cuts its bytes by the format's
//! [`Framing`] and gives each piece to the format's decoder.
//!
//! Does not know sockets, bodies or files.

use std::sync::Arc;

use super::{Line, Origin, Refusal, Scratch};

/// Reads one message after the other: a line, a datagram, a document, as the format's [`Framing`] cuts them.
pub trait Decode: std::fmt::Debug + Send {
    /// What the message is.
    fn decode<'a>(&'a mut self, message: &'a [u8], scratch: &'a mut Scratch) -> Result<Line<'a>, Refusal>;

    /// Forgets what was learnt from earlier messages (a header): what follows stands for itself, as each datagram does.
    fn restart(&mut self) {}
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
            Build::Code(build) => build(origin),
        }
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

    /// The house's own or built-in format of that name.
    pub fn named(name: &str) -> Option<Format> {
        match name {
            "auto" => Some(Format::Auto),
            "json" => Some(Format::Json),
            "csv" => Some(Format::Csv),
            _ => BUILT_IN.iter().find(|built_in| built_in.name == name).map(BuiltIn::format),
        }
    }
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
    /// In code: one sentence about it, its framing, its decoder.
    Code(&'static str, Framing, fn(&Origin) -> Box<dyn Decode>),
}

/// Every built-in format, in the order in which they are listed.
pub const BUILT_IN: &[BuiltIn] = &[];

impl BuiltIn {
    /// The format itself.
    pub fn format(&self) -> Format {
        let (about, framing, build) = match &self.made {
            Made::Code(about, framing, build) => ((*about).to_owned(), *framing, Build::Code(*build)),
        };
        Format::Named(Arc::new(Named { name: self.name.into(), about, framing, build }))
    }
}
