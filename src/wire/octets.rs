//! The frames of syslog over TCP: counted octets, or an end mark, told anew for each message (RFC 6587).
//!
//! A message that begins with a digit from 1 to 9 behind which, after at most six digits, a space and `<` stand, is
//! counted: `205 <173>1 …`. Any other ends at LF or NUL. So senders of either kind, and one that changes its mind, are
//! understood; a text line that happens to begin with a number is not taken for a count.
//!
//! Does not know sockets, nor what a message says.

/// What was found at the front of the buffer; the caller takes `consumed` bytes off it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A message from `from` to `to`; it may be empty.
    Whole {
        /// Where it begins.
        from: usize,
        /// Where it ends.
        to: usize,
        /// Bytes to take off the front of the buffer.
        consumed: usize,
    },
    /// A message longer than is taken. Its rest is passed over.
    TooLong {
        /// Bytes to take off the front of the buffer.
        consumed: usize,
    },
    /// Bytes of a message already said to be too long.
    Nothing {
        /// Bytes to take off the front of the buffer.
        consumed: usize,
    },
}

impl Frame {
    /// Bytes to take off the front of the buffer.
    pub fn consumed(self) -> usize {
        match self {
            Frame::Whole { consumed, .. } | Frame::TooLong { consumed } | Frame::Nothing { consumed } => consumed,
        }
    }
}

/// Digits of a count: 999,999 bytes are more than any message has.
const DIGITS_MAX: usize = 6;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Skip {
    #[default]
    No,
    /// So many bytes of a counted message are still to come.
    Counted(usize),
    /// Up to the next end mark.
    Marked,
}

/// The state between two pieces of a stream.
#[derive(Debug)]
pub struct Frames {
    skip: Skip,
    /// Up to here there is no end mark.
    scanned: usize,
    message_max: usize,
}

impl Frames {
    /// Frames of at most `message_max` bytes each.
    pub fn new(message_max: usize) -> Frames {
        Frames { skip: Skip::No, scanned: 0, message_max }
    }

    /// Looks at the buffer, which begins where the last call's `consumed` ended. None: more bytes are needed. With `last`
    /// nothing more will come, and what stands there is a message.
    pub fn next(&mut self, buffer: &[u8], last: bool) -> Option<Frame> {
        if buffer.is_empty() {
            return None;
        }
        match self.skip {
            Skip::Counted(left) => {
                let consumed = left.min(buffer.len());
                self.skip = if left > consumed { Skip::Counted(left - consumed) } else { Skip::No };
                Some(Frame::Nothing { consumed })
            }
            Skip::Marked => {
                let end = memchr::memchr2(b'\n', b'\0', buffer);
                if end.is_some() {
                    self.skip = Skip::No;
                }
                Some(Frame::Nothing { consumed: end.map_or(buffer.len(), |at| at + 1) })
            }
            Skip::No => match count(buffer, last) {
                Count::Short => None,
                Count::Of { head, length } => self.counted(buffer, head, length, last),
                Count::None => self.marked(buffer, last),
            },
        }
    }

    fn counted(&mut self, buffer: &[u8], head: usize, length: usize, last: bool) -> Option<Frame> {
        if length > self.message_max {
            self.skip = Skip::Counted(length);
            return Some(Frame::TooLong { consumed: head });
        }
        let to = head + length;
        match buffer.len() < to {
            true if last => Some(Frame::Whole { from: head, to: buffer.len(), consumed: buffer.len() }),
            true => None,
            false => Some(Frame::Whole { from: head, to, consumed: to }),
        }
    }

    fn marked(&mut self, buffer: &[u8], last: bool) -> Option<Frame> {
        let unseen = buffer.get(self.scanned..).unwrap_or_default();
        let Some(at) = memchr::memchr2(b'\n', b'\0', unseen).map(|at| self.scanned + at) else {
            if buffer.len() > self.message_max {
                self.scanned = 0;
                self.skip = Skip::Marked;
                return Some(Frame::TooLong { consumed: buffer.len() });
            }
            self.scanned = if last { 0 } else { buffer.len() };
            return last.then_some(Frame::Whole { from: 0, to: buffer.len(), consumed: buffer.len() });
        };
        self.scanned = 0;
        if at > self.message_max {
            return Some(Frame::TooLong { consumed: at + 1 });
        }
        Some(Frame::Whole { from: 0, to: at, consumed: at + 1 })
    }
}

enum Count {
    /// It cannot be told yet.
    Short,
    /// Not counted.
    None,
    /// A message of that length behind `head` bytes.
    Of { head: usize, length: usize },
}

fn count(buffer: &[u8], last: bool) -> Count {
    let digits = buffer.iter().take(DIGITS_MAX).take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || buffer.first() == Some(&b'0') {
        return Count::None;
    }
    match (buffer.get(digits), buffer.get(digits + 1)) {
        (Some(b' '), Some(b'<')) => {
            let length = buffer.iter().take(digits).fold(0, |sum, b| sum * 10 + usize::from(b - b'0'));
            Count::Of { head: digits + 1, length }
        }
        (None, _) | (Some(b' '), None) if !last => Count::Short,
        _ => Count::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = 20;

    /// The messages of a stream that arrives in pieces of these lengths, over and over; `!` for one that was too long.
    fn messages(stream: &[u8], pieces: &[usize]) -> Vec<Vec<u8>> {
        let mut frames = Frames::new(MAX);
        let mut found = Vec::new();
        let mut buffer = Vec::new();
        let mut rest = stream;
        let mut lengths = pieces.iter().cycle();
        loop {
            let length = rest.len().min(*lengths.next().unwrap_or(&1));
            let (piece, behind) = rest.split_at(length);
            rest = behind;
            buffer.extend_from_slice(piece);
            while let Some(frame) = frames.next(&buffer, rest.is_empty()) {
                match frame {
                    Frame::Whole { from, to, .. } => found.push(buffer[from..to].to_vec()),
                    Frame::TooLong { .. } => found.push(b"!".to_vec()),
                    Frame::Nothing { .. } => {}
                }
                buffer.drain(..frame.consumed());
            }
            assert!(buffer.len() <= MAX + DIGITS_MAX + 1, "what waits stays short");
            if rest.is_empty() {
                return found;
            }
        }
    }

    #[test]
    fn frames_are_told_message_by_message() {
        for (stream, expected) in [
            ("", vec![]),
            ("<1>a\n<2>b\n", vec!["<1>a", "<2>b"]),
            ("<1>a\0<2>b\r\n<3>c", vec!["<1>a", "<2>b\r", "<3>c"]),
            ("4 <1>a5 <2>bc4 <3>d", vec!["<1>a", "<2>bc", "<3>d"]),
            // A counted message may hold line ends, and one kind may follow the other.
            ("6 <1>a\nb<2>c\n7 <3>d\0\n\n<4>e", vec!["<1>a\nb", "<2>c", "<3>d\0\n\n", "<4>e"]),
            // rsyslog puts a line end behind a counted message: an empty message that nobody counts.
            ("4 <1>a\n4 <2>b\n", vec!["<1>a", "", "<2>b", ""]),
            // Text that begins with a number, and a count that is none.
            ("205 calls\n0 <1>a\n1234567 <1>a\n", vec!["205 calls", "0 <1>a", "1234567 <1>a"]),
            // Longer than is taken, of either kind; what follows is understood.
            ("<1>45678901234567890123\n<2>b\n", vec!["!", "<2>b"]),
            ("22 <1>45678901234567890124 <2>b", vec!["!", "<2>b"]),
            ("22 <1>4567890123456789012<2>b", vec!["!", "<2>b"]),
            // Cut at the end of the stream.
            ("9 <1>a", vec!["<1>a"]),
            ("12", vec!["12"]),
            ("12 ", vec!["12 "]),
        ] {
            for piece in 1..=stream.len().max(1) {
                let found = messages(stream.as_bytes(), &[piece]);
                let found: Vec<_> = found.iter().map(|m| String::from_utf8_lossy(m).into_owned()).collect();
                assert_eq!(found, expected, "{stream:?} in pieces of {piece}");
            }
        }
    }

    proptest! {
        /// However a stream is cut, it says the same.
        #[test]
        fn pieces_do_not_matter(
            stream in proptest::collection::vec(prop_oneof![Just(b'<'), Just(b'\n'), Just(b' '), Just(b'\0'), b'0'..=b'9', any::<u8>()], 0..200),
            pieces in proptest::collection::vec(1usize..30, 1..10),
        ) {
            prop_assert_eq!(messages(&stream, &pieces), messages(&stream, &[stream.len().max(1)]));
        }

        /// What was framed is found, whatever it holds.
        #[test]
        fn framed_messages_are_found(texts in proptest::collection::vec("<[0-9]>[^\n\0]{0,4}", 0..10), kinds in proptest::collection::vec(0..3u8, 10), pieces in proptest::collection::vec(1usize..30, 1..10)) {
            let mut stream = Vec::new();
            for (text, kind) in texts.iter().zip(kinds) {
                match kind {
                    0 => stream.extend(format!("{text}\n").bytes()),
                    1 => stream.extend(format!("{text}\0").bytes()),
                    _ => stream.extend(format!("{} {text}", text.len()).bytes()),
                }
            }
            let expected: Vec<_> = texts.iter().map(|t| if t.len() > MAX { b"!".to_vec() } else { t.clone().into_bytes() }).collect();
            prop_assert_eq!(messages(&stream, &pieces), expected);
        }
    }
}
