//! Reads delimited text as spreadsheets write it: separator found out, quotes, any line end, places kept.
//!
//! Does not know what the columns mean.

use std::borrow::Cow;

use super::findings::Place;

/// One cell.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// Without quotes and surrounding blanks.
    pub text: Cow<'a, str>,
    /// Stood in quotes.
    pub quoted: bool,
    line: u32,
    line_start: usize,
    at: usize,
}

impl Field<'_> {
    /// Where it begins in the text it was read from. Characters are counted only when somebody asks.
    pub fn place(&self, text: &str) -> Place {
        place(text, self.line, self.line_start, self.at)
    }
}

fn place(text: &str, line: u32, line_start: usize, at: usize) -> Place {
    let column = text.get(line_start..at).map_or(0, |before| before.chars().count());
    Place { line, column: column as u32 + 1 }
}

/// A file's text: UTF-8 with or without a mark, else Windows' western letters.
pub enum Decoded<'a> {
    Utf8(&'a str),
    /// Not UTF-8: each byte taken as the letter Latin-1 has there.
    Latin1(String),
    /// UTF-16, which nothing here reads.
    Utf16,
}

/// Finds out the encoding.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Decoded::Utf16;
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Decoded::Utf8(text),
        Err(_) => Decoded::Latin1(bytes.iter().map(|b| char::from(*b)).collect()),
    }
}

/// A quote that is not closed, or goes on behind its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadQuote(pub Place);

/// Walks the rows of a text.
pub struct Rows<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    line_start: usize,
    separator: u8,
}

impl<'a> Rows<'a> {
    /// Finds the separator in the first line: comma, semicolon or tab, whichever stands there most; or as a line
    /// `sep=;` states.
    pub fn new(text: &'a str) -> Rows<'a> {
        let mut rows = Rows { text, at: 0, line: 1, line_start: 0, separator: b',' };
        let first = text.lines().next().unwrap_or("").trim();
        if let Some([separator @ (b',' | b';' | b'\t')]) = first.strip_prefix("sep=").map(str::as_bytes) {
            rows.separator = *separator;
            rows.skip_line();
            return rows;
        }
        let header = text.lines().find(|l| !l.trim().is_empty()).unwrap_or("");
        let count = |wanted: u8| {
            let mut inside = false;
            header
                .bytes()
                .filter(|b| {
                    inside ^= *b == b'"';
                    !inside && *b == wanted
                })
                .count()
        };
        // The comma where nothing stands out: the last of equals wins.
        rows.separator = [b'\t', b';', b','].into_iter().max_by_key(|s| count(*s)).unwrap_or(b',');
        rows
    }

    /// With a separator that is known; a line `sep=…` is passed over.
    pub fn separated(text: &'a str, separator: u8) -> Rows<'a> {
        let mut rows = Rows { text, at: 0, line: 1, line_start: 0, separator };
        if text.starts_with("sep=") && text.lines().next().is_some_and(|l| l.trim_end().len() == 5) {
            rows.skip_line();
        }
        rows
    }

    /// What stands between fields.
    pub fn separator(&self) -> u8 {
        self.separator
    }

    /// The next row that holds anything, into `fields`, and its line; none at the end.
    pub fn next(&mut self, fields: &mut Vec<Field<'a>>) -> Option<Result<u32, BadQuote>> {
        loop {
            fields.clear();
            if self.at >= self.text.len() {
                return None;
            }
            let line = self.line;
            if let Err(bad) = self.row(fields) {
                return Some(Err(bad));
            }
            if fields.iter().any(|f| !f.text.is_empty()) {
                return Some(Ok(line));
            }
        }
    }

    fn row(&mut self, fields: &mut Vec<Field<'a>>) -> Result<(), BadQuote> {
        loop {
            let field = self.field()?;
            fields.push(field);
            match self.byte() {
                Some(b) if b == self.separator => self.at += 1,
                _ => {
                    self.line_end();
                    return Ok(());
                }
            }
        }
    }

    fn field(&mut self) -> Result<Field<'a>, BadQuote> {
        self.skip_blanks();
        let (line, line_start, from) = (self.line, self.line_start, self.at);
        if self.byte() == Some(b'"') {
            let text = self.quoted().map_err(|()| BadQuote(place(self.text, line, line_start, from)))?;
            return Ok(Field { text, quoted: true, line, line_start, at: from });
        }
        let rest = &self.text.as_bytes()[from..];
        let length = rest.iter().position(|b| *b == self.separator || matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
        self.at = from + length;
        // All that is searched for is ASCII, so both ends are ends of characters.
        let text = self.text.get(from..self.at).unwrap_or("").trim();
        Ok(Field { text: Cow::Borrowed(text), quoted: false, line, line_start, at: from })
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, ()> {
        let mut text: Cow<'a, str> = Cow::Borrowed("");
        loop {
            let from = self.at + 1;
            let Some(length) = self.text.get(from..).and_then(|rest| rest.find('"')) else {
                self.at = self.text.len();
                return Err(());
            };
            let part = &self.text[from..from + length];
            for (i, _) in part.match_indices('\n') {
                self.line += 1;
                self.line_start = from + i + 1;
            }
            if text.is_empty() {
                text = Cow::Borrowed(part)
            } else {
                text.to_mut().push_str(part)
            }
            self.at = from + length + 1;
            if self.byte() == Some(b'"') {
                text.to_mut().push('"');
            } else {
                break;
            }
        }
        self.skip_blanks();
        match self.byte() {
            None | Some(b'\n' | b'\r') => {}
            Some(b) if b == self.separator => {}
            Some(_) => {
                self.skip_line();
                return Err(());
            }
        }
        Ok(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        })
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.byte().is_some_and(|b| (b == b' ' || b == b'\t') && b != self.separator) {
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
        self.line_end();
    }

    fn line_end(&mut self) {
        let Some(end) = self.byte() else { return };
        self.at += 1;
        if end == b'\r' && self.byte() == Some(b'\n') {
            self.at += 1;
        }
        self.line += 1;
        self.line_start = self.at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut fields, mut out) = (Rows::new(text), Vec::new(), Vec::new());
        while let Some(row) = rows.next(&mut fields) {
            out.push(match row {
                Ok(_) => fields.iter().map(|f| f.text.to_string()).collect(),
                Err(BadQuote(at)) => vec![format!("!{}:{}", at.line, at.column)],
            });
        }
        out
    }

    #[test]
    fn rows_as_spreadsheets_write_them() {
        for (text, expected) in [
            ("a,b\n1,2\n", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("a;b\r\n\"1,5\";2\r\n\r\n;;\r\n", vec![vec!["a", "b"], vec!["1,5", "2"]]),
            ("a\tb\r 1 \t 2 x", vec![vec!["a", "b"], vec!["1", "2 x"]]),
            ("sep=;\na,x;b\n", vec![vec!["a,x", "b"]]),
            ("a,b\n \"x \"\"y\"\"\" ,\"\"\n", vec![vec!["a", "b"], vec!["x \"y\"", ""]]),
            ("a,b\n\"two\nlines\",1\n\"open,2\n3,4\n", vec![vec!["a", "b"], vec!["two\nlines", "1"], vec!["!4:1"]]),
            ("a,b\n1,\"x\"y\n3,4\n", vec![vec!["a", "b"], vec!["!2:3"], vec!["3", "4"]]),
            ("only\n49\n", vec![vec!["only"], vec!["49"]]),
            ("", vec![]),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn places_are_lines_and_characters() {
        let text = "é,b\n\"x\ny\",  2\n";
        let mut rows = Rows::new(text);
        let mut fields = Vec::new();
        rows.next(&mut fields).unwrap().unwrap();
        assert_eq!(fields[1].place(text), Place { line: 1, column: 3 });
        assert_eq!(rows.next(&mut fields).unwrap().unwrap(), 2);
        assert_eq!(fields[1].place(text), Place { line: 3, column: 6 });
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_walked_to_its_end(text in "[a\",;\r\n\té ]{0,60}") {
            read(&text);
        }
    }
}
