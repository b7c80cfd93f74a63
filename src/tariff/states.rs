//! States by the front of a number: what interstate and intrastate prices ask for.
//!
//! `states.csv` has `prefix,state`: `1212,NY`, or area code and exchange where a code crosses a border; the longest
//! prefix decides.
//!
//! Does not know countries or prices.

use super::csv::{BadQuote, Decoded, Rows, decode};
use super::findings::{Findings, Place};
use super::prefixes;
use crate::number::Number;
use crate::number::prefix::{self, PrefixMap, lexicographic};

/// Longest name of a state, in letters; it is stored in so many bytes.
pub const STATE_BYTES: usize = 4;

/// Reads the file: prefixes in order, each once, and their states. Nothing is no states.
pub fn read(bytes: &[u8], findings: &mut Findings) -> Vec<(Number, [u8; STATE_BYTES])> {
    let text = match decode(bytes) {
        Decoded::Utf8(text) => text,
        Decoded::Latin1(_) | Decoded::Utf16 => {
            findings.error(Place::default(), "not UTF-8", "save the file as UTF-8");
            return Vec::new();
        }
    };
    let (mut rows, mut fields, mut read) = (Rows::new(text), Vec::new(), Vec::new());
    let mut header = true;
    while let Some(row) = rows.next(&mut fields) {
        let line = match row {
            Ok(line) => line,
            Err(BadQuote(at)) => {
                findings.error(at, "a quote that does not end", "close it, or leave it out");
                continue;
            }
        };
        let cells: Vec<&str> = fields.iter().map(|field| field.text.as_ref()).collect();
        let place = Place { line, column: 1 };
        let [prefix, state, ..] = cells.as_slice() else {
            findings.error(place, "one field where prefix and state are expected", "write 1212,NY");
            continue;
        };
        if std::mem::take(&mut header) {
            if (*prefix, *state) != ("prefix", "state") {
                findings.error(place, "the header is another", "begin with the line prefix,state");
            }
            continue;
        }
        let mut name = [0; STATE_BYTES];
        let letters = state.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        match name.get_mut(..state.len()).filter(|_| letters && !state.is_empty()) {
            Some(room) => room.copy_from_slice(state.as_bytes()),
            None => findings.error(place, format!("{state:?} is no state"), "write up to four capital letters: NY"),
        }
        match prefixes::read(prefix, &|_, _| None) {
            Ok(prefixes) => read.extend(prefixes.into_iter().map(|prefix| (prefix, name, line))),
            Err((message, hint)) => findings.error(place, message, hint),
        }
    }
    read.sort_by_key(|(prefix, _, line)| (lexicographic(*prefix), *line));
    read.dedup_by(|next, first| {
        if next.0 != first.0 {
            return false;
        }
        if next.1 != first.1 {
            let message = format!("prefix {} stands in line {} with another state", next.0, first.2);
            findings.error(Place { line: next.2, column: 1 }, message, "leave one out");
        }
        true
    });
    read.into_iter().map(|(prefix, name, _)| (prefix, name)).collect()
}

/// The two sections of an image: a prefix map, and a name for each of its ids.
pub fn build(states: &[(Number, [u8; STATE_BYTES])]) -> (Vec<u8>, Vec<u8>) {
    let prefixes: Vec<Number> = states.iter().map(|(prefix, _)| *prefix).collect();
    (prefix::build(&prefixes), states.iter().flat_map(|(_, name)| *name).collect())
}

/// Where states lie in an image.
#[derive(Clone, Copy)]
pub struct States<'a> {
    pub map: PrefixMap<'a>,
    pub names: &'a [u8],
}

impl<'a> States<'a> {
    /// Checks sections that may both be empty.
    pub fn validate(map: &'a [u8], names: &'a [u8]) -> Result<(), &'static str> {
        if map.is_empty() && names.is_empty() {
            return Ok(());
        }
        let map = PrefixMap::validate(map)?;
        if names.len() == map.len() as usize * STATE_BYTES { Ok(()) } else { Err("states: names and prefixes differ") }
    }

    /// The state of a number, where it is known.
    pub fn of(&self, number: Number) -> Option<&'a [u8]> {
        let at = self.map.longest(number)? as usize * STATE_BYTES;
        self.names.get(at..at + STATE_BYTES)
    }
}
