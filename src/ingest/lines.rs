//! A stream of bytes as lines that end in LF or CRLF, however it is cut into pieces.
//!
//! Does not know what a line says, nor where the bytes come from.

use bytes::{Buf, BytesMut};

use crate::wire::Refusal;

/// A line with its number, from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Framed<'a> {
    /// Refused lines count too.
    pub number: u64,
    /// Without its LF; a CR may still stand at its end. One that is too long is passed over up to the next LF.
    pub line: Result<&'a [u8], Refusal>,
}

/// Bytes received and not yet read as lines.
#[derive(Debug)]
pub struct Lines {
    buffer: BytesMut,
    /// Front of the buffer that was handed out already.
    taken: usize,
    /// Up to here there is no LF.
    scanned: usize,
    /// Within a line that is too long.
    skipping: bool,
    line_max: usize,
    number: u64,
}

impl Lines {
    /// Lines of at most `line_max` bytes, LF not counted.
    pub fn new(line_max: usize) -> Lines {
        Lines { buffer: BytesMut::new(), taken: 0, scanned: 0, skipping: false, line_max, number: 0 }
    }

    /// The buffer, with room for `more` bytes to be appended. What was handed out is gone.
    pub fn room(&mut self, more: usize) -> &mut BytesMut {
        self.buffer.advance(self.taken);
        self.scanned -= self.taken;
        self.taken = 0;
        self.buffer.reserve(more);
        &mut self.buffer
    }

    /// Counts lines anew from the next one.
    pub fn restart_numbers(&mut self) {
        self.number = 0;
    }

    /// The next whole line.
    pub fn take_next(&mut self) -> Option<Framed<'_>> {
        loop {
            let rest = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(length) = memchr::memchr(b'\n', rest) else {
                self.scanned = self.buffer.len();
                if self.skipping {
                    self.taken = self.buffer.len();
                } else if self.buffer.len() - self.taken > self.line_max + 1 {
                    // The one byte more may be the CR of a line that is just short enough.
                    self.skipping = true;
                    self.taken = self.buffer.len();
                    self.number += 1;
                    return Some(Framed { number: self.number, line: Err(self.too_long()) });
                }
                return None;
            };
            let from = std::mem::replace(&mut self.taken, self.scanned + length + 1);
            let to = self.scanned + length;
            self.scanned = self.taken;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            self.number += 1;
            return Some(self.framed(from, to));
        }
    }

    /// What stands behind the last LF, at the end of the stream; then nothing is left.
    pub fn take_last(&mut self) -> Option<Framed<'_>> {
        let (from, to) = (self.taken, self.buffer.len());
        self.taken = to;
        self.scanned = to;
        if std::mem::take(&mut self.skipping) || from == to {
            return None;
        }
        self.number += 1;
        Some(self.framed(from, to))
    }

    fn framed(&self, from: usize, to: usize) -> Framed<'_> {
        let line = self.buffer.get(from..to).unwrap_or_default();
        let bare = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if bare.len() > self.line_max { Err(self.too_long()) } else { Ok(line) };
        Framed { number: self.number, line }
    }

    fn too_long(&self) -> Refusal {
        Refusal::Line(u32::try_from(self.line_max).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], piece: usize) -> Vec<(u64, String)> {
        let mut lines = Lines::new(5);
        let mut found = Vec::new();
        let show = |framed: Framed<'_>| match framed.line {
            Ok(line) => (framed.number, String::from_utf8_lossy(line).into_owned()),
            Err(refusal) => (framed.number, format!("<{}>", refusal.reason())),
        };
        for chunk in text.chunks(piece) {
            lines.room(chunk.len()).extend_from_slice(chunk);
            while let Some(line) = lines.take_next().map(show) {
                found.push(line);
            }
        }
        found.extend(lines.take_last().map(show));
        assert_eq!(lines.take_last(), None);
        found
    }

    #[test]
    fn lines_do_not_depend_on_how_the_stream_is_cut() {
        for (text, expected) in [
            ("", vec![]),
            ("a\nbc\n", vec!["a", "bc"]),
            ("a\n\n\r\nb", vec!["a", "", "\r", "b"]),
            ("12345\n12345\r\n123456\n12345\r", vec!["12345", "12345\r", "<line_too_long>", "12345\r"]),
            ("1234567890\n1\n1234567", vec!["<line_too_long>", "1", "<line_too_long>"]),
            ("\n1234567890", vec!["", "<line_too_long>"]),
        ] {
            let expected: Vec<_> = expected.into_iter().zip(1..).map(|(t, n)| (n, t.to_owned())).collect();
            for piece in 1..=text.len().max(1) {
                assert_eq!(lines(text.as_bytes(), piece), expected, "{text:?} in pieces of {piece}");
            }
        }
    }
}
