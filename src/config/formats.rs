//! The tables `[format.NAME]`: their faults in words, with the line and the nearest known name.
//!
//! Does not know what a mapping does.

use std::collections::BTreeMap;

use super::{Fault, nearest};
use crate::ingest::settings::BadListen;
use crate::wire::formats::Formats;
use crate::wire::mapping::settings::MappingSettings;

/// The formats of configuration, or what is wrong with one of them.
pub(super) fn checked(tables: &BTreeMap<String, MappingSettings>) -> Result<Formats, Fault> {
    Formats::new(tables).map_err(|(name, bad)| Fault {
        offset: bad.span.map(|span| span.start),
        message: format!("[format.{name}]: {}", bad.message),
        hint: bad.unknown.and_then(|(word, known)| near(&word, known.iter().map(String::as_str))).unwrap_or_default(),
    })
}

/// "Did you mean" for a listener's format that is not known.
pub(super) fn hint(bad: &BadListen, formats: &Formats) -> String {
    match bad {
        BadListen::Format(name) => near(name, formats.names()).unwrap_or_default(),
        _ => String::new(),
    }
}

fn near<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean {near:?}?"))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn faults_of_formats_have_their_place() {
        let fields = "fields.id = \"a\"\nfields.source = \"b\"\nfields.destination = \"c\"\nfields.duration = \"d\"\n";
        let csv = format!("[format.x]\nkind = \"csv\"\ncolumns = [\"a\", \"b\", \"c\", \"d\"]\n{fields}");
        Config::parse(&csv, None).unwrap();
        for (text, expected) in [
            (
                csv.replace("= \"c\"\n", "= \"ch\"\n"),
                ":6:22: [format.x]: \"ch\" is none of the columns (hint: did you mean \"c\"?)",
            ),
            (csv.replace("kind", "kin"), "did you mean `kind`"),
            (csv.replace("fields.id = \"a\"\n", ""), "[format.x]: fields.id is missing"),
            (format!("{csv}time = \"soon\""), ":8:8: [format.x]: \"soon\" is no time format"),
            (
                format!("{csv}skip_when = [{{ field = \"a\", equals = \"x\", reason = \"othr_leg\" }}]"),
                "did you mean \"other_leg\"",
            ),
            (format!("{csv}answered_when = [{{ field = \"a\" }}]"), "one of equals, in, not_in, prefix and empty"),
            (
                format!("{csv}fields.direction = {{ from = \"a\", map = {{ I = \"in\" }} }}"),
                "must be \"outbound\" or \"inbound\"",
            ),
            (format!("{csv}fields.cause = {{ from = \"a\", unit = \"ms\" }}"), "unit is not for this field"),
            (format!("{csv}fields.cause = {{ form = \"a\" }}"), "did you mean `from`"),
            (csv.replace("[format.x]", "[format.asterisk-csv]"), "is built in: take another name"),
            (
                "[format.x]\nlike = \"asterisk-cvs\"\n".to_owned(),
                ":2:8: [format.x]: like = \"asterisk-cvs\" is no mapping (hint: did you mean \"asterisk-csv\"?)",
            ),
            ("[format.x]\nlike = \"y\"\n[format.y]\nlike = \"x\"\n".to_owned(), "leads in a circle"),
            ("[format.x]\n".to_owned(), "kind is missing"),
            ("[[listen]]\nprotocol = \"udp\"\nformat = \"asterisk\"\n".to_owned(), "did you mean \"asterisk-csv\""),
        ] {
            let error = Config::parse(&text, None).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}\n{error}");
        }
        // One's own format may begin where a built-in one ends.
        let config = Config::parse(
            "[format.mine]\nlike = \"asterisk-csv\"\nfields.account = []\n[[listen]]\nprotocol = \"tcp\"\nformat = \"mine\"\n",
            None,
        );
        assert_eq!(config.unwrap().listeners[0].format.name(), "mine");
    }
}
