//! Free-number lists: `free/NAME.csv`, numbers that cost nothing for the plans and accounts that name the list.
//!
//! ```csv
//! number,prefix,valid_from,valid_to,name
//! +49 30 600,,,,our own hotline
//! ,+49 800 330,,,the operator's service
//! ,DE:115,2026-10-01,,authorities
//! ```
//!
//! A row has a whole number or what numbers begin with. Dates are 00:00 UTC, ends exclusive. A look-up costs a binary search
//! for each length of number that the list has, 16 at most.
//!
//! Does not know who names a list.

use serde::{Deserialize, Serialize};

use super::csv::{BadQuote, Decoded, Rows, decode};
use super::deck::ShortCodes;
use super::findings::{Findings, Place};
use super::{Tariff, cells, prefixes};
use crate::nearest::did_you_mean;
use crate::number::Number;
use crate::time::{Timestamp, Zone};

/// Most rows of a list, ranges written out: an operator's service numbers are a few thousand at most, and they are opened with
/// every image.
const ROWS_MAX: usize = 100_000;
/// Most dated rows of one number, by which a look-up is bounded.
const DATES_MAX: usize = 16;
/// Most bytes of a list's name.
pub const NAME_MAX: usize = 64;
const COLUMNS: [&str; 5] = ["number", "prefix", "valid_from", "valid_to", "name"];

/// A number or a prefix that is free for a while.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its digits, or a short code's key.
    pub digits: Number,
    /// Whether these are all digits of the number.
    pub whole: bool,
    /// First instant, `i64::MIN` if there is none.
    pub from: i64,
    /// First instant behind, `i64::MAX` if there is none.
    pub to: i64,
}

/// A list, in the order of its entries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FreeList {
    /// Of its file.
    pub name: String,
    /// In their order.
    pub entries: Vec<Entry>,
}

/// What made a number free.
#[derive(Clone, Copy, Debug)]
pub struct Freed<'a> {
    /// Name of the list.
    pub list: &'a str,
    /// The entry.
    pub entry: Entry,
}

/// Letters, digits, `-`, `_` and `.`: names of lists stand beside each other in one cell.
pub fn is_name(name: &str) -> bool {
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(sound)
}

/// Reads a list. It is complete only if `findings` hold no error.
pub fn read(name: &str, bytes: &[u8], short_codes: ShortCodes<'_>, findings: &mut Findings) -> FreeList {
    let mut list = FreeList { name: name.to_owned(), entries: Vec::new() };
    if !is_name(name) {
        findings.error(Place::default(), format!("{name:?} is no name of a list"), "letters, digits, -, _ and . only");
    }
    let text = match decode(bytes) {
        Decoded::Utf8(text) => text,
        Decoded::Latin1(_) | Decoded::Utf16 => {
            findings.error(Place::default(), "not UTF-8", "save the file as UTF-8");
            return list;
        }
    };
    let (mut rows, mut fields) = (Rows::new(text), Vec::new());
    let mut places: Option<[Option<usize>; 5]> = None;
    while let Some(row) = rows.next(&mut fields) {
        let line = match row {
            Ok(line) => line,
            Err(BadQuote(at)) => {
                findings.error(at, "a quote that does not end", "close it, or leave it out");
                continue;
            }
        };
        let Some(places) = &places else {
            let mut found = [None; 5];
            for (i, field) in fields.iter().enumerate() {
                let name = field.text.to_ascii_lowercase();
                match COLUMNS.iter().position(|column| *column == name) {
                    Some(column) if found[column].is_none() => found[column] = Some(i),
                    _ => {
                        let hint =
                            did_you_mean(&name, COLUMNS, "columns are number, prefix, valid_from, valid_to, name");
                        findings.error(field.place(text), format!("unknown column {:?}", field.text), hint);
                    }
                }
            }
            if found[0].or(found[1]).is_none() {
                findings.error(
                    Place { line, column: 1 },
                    "neither a column number nor a column prefix",
                    "begin with number",
                );
                return list;
            }
            places = Some(found);
            continue;
        };
        let cell = |column: usize| places[column].and_then(|at| fields.get(at)).filter(|field| !field.text.is_empty());
        let mut wrong = |at: usize, (message, hint): (String, String)| {
            let place = cell(at).map_or(Place { line, column: 1 }, |field| field.place(text));
            findings.error(place, message, hint);
        };
        let (column, whole) = match (cell(0), cell(1)) {
            (Some(_), None) => (0, true),
            (None, Some(_)) => (1, false),
            (None, None) => {
                wrong(0, ("neither a number nor a prefix".to_owned(), "write one of them".to_owned()));
                continue;
            }
            (Some(_), Some(_)) => {
                wrong(
                    1,
                    ("a number and a prefix".to_owned(), "a row has one of them: leave the other empty".to_owned()),
                );
                continue;
            }
        };
        let mut date = |column: usize, none: i64| match cell(column) {
            None => none,
            Some(field) => match cells::date(&field.text, &Zone::UTC) {
                Ok(at) => at.0,
                Err(bad) => {
                    wrong(column, bad);
                    none
                }
            },
        };
        let (from, to) = (date(2, i64::MIN), date(3, i64::MAX));
        if to <= from {
            wrong(
                3,
                (
                    "the row ends before it begins".to_owned(),
                    "valid_to is the first day on which it is not free".to_owned(),
                ),
            );
        }
        let cell = cell(column).map_or("", |field| field.text.as_ref());
        match prefixes::read(cell, short_codes) {
            Ok(all) => list.entries.extend(all.into_iter().map(|digits| Entry { digits, whole, from, to })),
            Err(bad) => wrong(column, bad),
        }
        if list.entries.len() > ROWS_MAX {
            findings.error(Place { line, column: 1 }, format!("more than {ROWS_MAX} numbers"), "write prefixes");
            break;
        }
    }
    if places.is_none() && !findings.refused() {
        findings.error(Place::default(), "empty: not even a header row", "begin with the line number");
    }
    list.entries.sort_unstable();
    list.entries.dedup();
    for same in list.entries.chunk_by(|a, b| a.digits == b.digits) {
        if same.len() > DATES_MAX {
            let message = format!("{} stands in more than {DATES_MAX} rows", same[0].digits);
            findings.error(Place::default(), message, "join their dates");
        }
    }
    list
}

impl FreeList {
    /// Whether an image may hold it: in order, and bounded.
    pub(super) fn sound(&self) -> bool {
        is_name(&self.name)
            && self.entries.len() <= ROWS_MAX
            && self.entries.is_sorted_by(|a, b| a < b)
            && self.entries.iter().all(|entry| !entry.digits.is_empty())
            && self.entries.chunk_by(|a, b| a.digits == b.digits).all(|same| same.len() <= DATES_MAX)
    }

    /// The longest entry by which a number is free at an instant.
    fn find(&self, number: Number, at: Timestamp) -> Option<Entry> {
        let length = number.len();
        (1..=length).rev().find_map(|n| {
            let digits = number.prefix(n);
            let first = self.entries.partition_point(|entry| entry.digits < digits);
            let same = self.entries.get(first..)?.iter().take_while(|entry| entry.digits == digits);
            same.copied().find(|entry| (!entry.whole || n == length) && entry.from <= at.0 && at.0 < entry.to)
        })
    }
}

impl Tariff {
    /// All lists, by name.
    pub fn free_lists(&self) -> &[FreeList] {
        &self.opened.free
    }

    /// A list by its name.
    pub fn free_list(&self, name: &str) -> Option<&FreeList> {
        let lists = self.free_lists();
        lists.binary_search_by(|list| list.name.as_str().cmp(name)).ok().and_then(|at| lists.get(at))
    }

    /// What makes a number, or the key of a short code, free at an instant by lists that are named: the first list that has it.
    /// A name that this tariff does not have says nothing.
    pub fn freed<'n>(&self, names: impl Iterator<Item = &'n str>, number: Number, at: Timestamp) -> Option<Freed<'_>> {
        let mut lists = names.filter_map(|name| self.free_list(name));
        lists.find_map(|list| Some(Freed { list: &list.name, entry: list.find(number, at)? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tariff::Severity;

    fn read_list(text: &str) -> (FreeList, Vec<String>) {
        let mut findings = Findings::new("free/t.csv");
        let key = |_, digits: &[u8]| Number::from_digits(&[b"0001", digits].concat());
        let list = read("t", text.as_bytes(), &key, &mut findings);
        let found = findings.finish();
        assert!(found.iter().all(|f| f.severity == Severity::Error));
        (list, found.iter().map(|f| format!("{}:{} {}", f.line, f.column, f.message)).collect())
    }

    #[test]
    fn whole_numbers_prefixes_and_dates() {
        let (list, found) = read_list(
            "number,prefix,valid_from,valid_to,name\n+49 30 600,,,,hotline\n,4980033,,,service\n\
             493060012;493060013,,2026-10-01,2026-11-01,fair\n,DE:115,,,authorities\n,493,2027-01-01,,later\n",
        );
        assert_eq!(found, Vec::<String>::new());
        assert!(list.sound());
        let free = |digits: &str, at: &str| {
            let at = crate::time::parse_rfc3339(at.as_bytes()).unwrap();
            let entry = list.find(Number::from_digits(digits.as_bytes()).unwrap(), at);
            entry.map_or("-".to_owned(), |e| format!("{}{}", e.digits, if e.whole { "" } else { "…" }))
        };
        let october = "2026-10-05T09:00:00Z";
        for (digits, at, expected) in [
            ("4930600", october, "4930600"),
            ("49306001", october, "-"),
            ("493060", october, "-"),
            ("498003301000", october, "4980033…"),
            ("498003201000", october, "-"),
            ("493060012", october, "493060012"),
            ("493060012", "2026-09-30T23:59:59Z", "-"),
            ("493060013", "2026-11-01T00:00:00Z", "-"),
            ("0001115", october, "0001115…"),
            ("00011151", october, "0001115…"),
            // The whole number is longer than the prefix that holds from 2027.
            ("4930600", "2027-02-01T00:00:00Z", "4930600"),
            ("49306001", "2027-02-01T00:00:00Z", "493…"),
        ] {
            assert_eq!(free(digits, at), expected, "{digits} {at}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, expected) in [
            ("", "0:0 empty: not even a header row"),
            ("numbr\n1\n", "1:1 unknown column \"numbr\""),
            ("name\nx\n", "1:1 neither a column number nor a column prefix"),
            ("number,prefix,name\n,,x\n", "2:1 neither a number nor a prefix"),
            ("number,prefix\n4930,4930\n", "2:6 a number and a prefix"),
            ("number\n030600\n", "2:1 \"030600\" begins with 0"),
            ("number,valid_from,valid_to\n4930,2026-10-02,2026-10-01\n", "2:17 the row ends before it begins"),
            ("number,valid_from\n4930,soon\n", "2:6 \"soon\" is not a date"),
        ] {
            let (_, found) = read_list(text);
            assert_eq!(found.first().map(String::as_str), Some(expected), "{text}: {found:?}");
        }
    }
}
