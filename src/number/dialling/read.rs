//! What was dialled, as text: separators and schemes fall away, the digits stay.
//!
//! Does not know countries: no prefix is recognised here.

use super::BadNumber;

/// Most symbols kept: 15 digits behind a carrier's international prefix, a tech prefix and a service code have about
/// 35.
const SYMBOLS_MAX: usize = 40;

/// Fewest digits that can be all of a dialled number. A pause after that is followed by tones for the called party
/// (`+4930123456,,123#`); one before that stands behind an outside line's digit, and is refused, for `0,030…` without
/// its pause would be a call to Greece. Only the second dial tone of `8w10…` is like `8~10…`.
const BEFORE_TONES_MIN: usize = 3;

/// How a number that was not given is spelled (RFC 3323 says `anonymous`, SS7 gateways the others).
const ABSENT: [&str; 10] =
    ["anonymous", "restricted", "unavailable", "unknown", "private", "withheld", "blocked", "hidden", "none", "null"];

/// The same words on a telephone's keypad behind a `+`, as some carriers send them. None of them is a possible number.
pub(super) const ABSENT_ON_KEYPAD: [&[u8]; 5] = [b"266696687", b"7378742833", b"86282452253", b"8656696", b"2562533"];

/// Dialled digits without scheme and separators. Held on the stack.
#[derive(Clone, Copy, Debug)]
pub struct Dialled {
    /// Digits, `*` and `#`.
    bytes: [u8; SYMBOLS_MAX],
    length: u8,
    /// Place of the `0` of a `(0)`.
    bracket_zero: Option<u8>,
    /// Place of a `+` behind other symbols: no number, unless what stands in front of it is stripped.
    inner_plus: Option<u8>,
    plus: bool,
    absent: bool,
    not_digits: bool,
    symbols: bool,
    overflow: bool,
    help: bool,
}

impl Dialled {
    /// Reads `+49 (0)30 …`, `sip:…@…`, `"Name" <sip:…>`, `tel:…`, `;ext=`, `;phone-context=`, separators.
    ///
    /// Any bytes are read; what cannot be a number says so when it is asked for.
    #[inline]
    pub fn read(text: &[u8]) -> Dialled {
        Dialled::read_usual(text).unwrap_or_else(|| Dialled::read_any(text))
    }

    const NOTHING: Dialled = Dialled {
        bytes: [0; SYMBOLS_MAX],
        length: 0,
        bracket_zero: None,
        inner_plus: None,
        plus: false,
        absent: false,
        not_digits: false,
        symbols: false,
        overflow: false,
        help: false,
    };

    /// Digits, or `+` and digits: nearly every text. Three loads of eight, which overlap, hold what 8 to 24 digits are.
    #[inline]
    fn read_usual(text: &[u8]) -> Option<Dialled> {
        let Usual { plus, digits, front, middle, end } = usual(text)?;
        let n = digits.len();
        let mut dialled = Dialled { plus, length: n as u8, ..Dialled::NOTHING };
        dialled.bytes[..8].copy_from_slice(front);
        if n > 16 {
            dialled.bytes[8..16].copy_from_slice(middle);
        }
        dialled.bytes.get_mut(n - 8..n)?.copy_from_slice(end);
        dialled.absent = plus && n < 12 && ABSENT_ON_KEYPAD.contains(&digits);
        Some(dialled)
    }

    #[inline(never)]
    fn read_any(text: &[u8]) -> Dialled {
        let mut dialled = Dialled::NOTHING;
        let text = text.trim_ascii();
        match text.first() {
            Some(b'+' | b'0'..=b'9') => dialled.number(text),
            Some(_) => dialled.address(text),
            None => {}
        }
        let on_keypad = dialled.plus && ABSENT_ON_KEYPAD.contains(&dialled.digits());
        dialled.absent |= on_keypad || dialled.length == 0 && !dialled.not_digits;
        dialled
    }

    /// The digits as dialled (ASCII; a leading `+` is told apart by `has_plus`). May hold `*` and `#`.
    pub fn digits(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }

    /// Whether a `+` stood in front.
    pub fn has_plus(&self) -> bool {
        self.plus
    }

    /// Without the node's tech prefixes and service codes, where they stand in front: any number of codes that hold
    /// `*` or `#` (`*67`, `#31#`), and at most one prefix of digits alone (`99914`), the longest. Only what is
    /// configured is stripped: whether the rest looks like a number plays no part. Behind a `+` nothing is stripped.
    pub fn stripped(&self, strip: &[String]) -> Dialled {
        let mut dialled = *self;
        let mut digits_stripped = false;
        while !dialled.plus {
            let in_front = |prefix: &&String| {
                let prefix = prefix.as_bytes();
                let only_digits = prefix.iter().all(u8::is_ascii_digit);
                !prefix.is_empty() && dialled.digits().starts_with(prefix) && !(only_digits && digits_stripped)
            };
            let Some(prefix) = strip.iter().filter(in_front).max_by_key(|p| p.len()) else { break };
            digits_stripped |= prefix.bytes().all(|b| b.is_ascii_digit());
            dialled.drop_front(prefix.len());
        }
        dialled
    }

    /// The digits, if they are nothing but digits.
    pub(super) fn plain(&self) -> Result<&[u8], BadNumber> {
        if self.absent {
            Err(BadNumber::Absent)
        } else if self.not_digits || self.symbols || self.inner_plus.is_some() {
            Err(BadNumber::NotDigits)
        } else if self.overflow {
            Err(BadNumber::TooLong)
        } else {
            Ok(self.digits())
        }
    }

    /// Place of the `0` of a `(0)` among the digits.
    pub(super) fn bracket_zero(&self) -> Option<usize> {
        self.bracket_zero.map(usize::from)
    }

    /// Whether this was `urn:service:sos`, the emergency call of RFC 5031.
    pub(super) fn calls_for_help(&self) -> bool {
        self.help
    }

    fn drop_front(&mut self, n: usize) {
        let length = usize::from(self.length).saturating_sub(n);
        self.bytes.copy_within(n..n + length, 0);
        self.length = length as u8;
        let n = n as u8;
        self.plus = self.inner_plus == Some(n);
        self.inner_plus = self.inner_plus.and_then(|at| at.checked_sub(n)).filter(|at| *at > 0);
        self.bracket_zero = self.bracket_zero.and_then(|at| at.checked_sub(n));
        self.symbols = self.digits().iter().any(|b| !b.is_ascii_digit());
        self.absent = length == 0 && !self.not_digits;
    }

    /// `"Name" <sip:user@host>`, `sip:user@host`, `tel:…`, or a number that begins with a separator.
    fn address(&mut self, text: &[u8]) {
        let text = match text.iter().rposition(|b| *b == b'<') {
            Some(open) => {
                let inner = &text[open + 1..];
                let close = inner.iter().position(|b| *b == b'>').unwrap_or(inner.len());
                inner[..close].trim_ascii()
            }
            None => text,
        };
        let scheme = |name: &str| {
            let front = text.get(..name.len())?;
            front.eq_ignore_ascii_case(name.as_bytes()).then(|| &text[name.len()..])
        };
        if let Some(rest) = scheme("sip:").or_else(|| scheme("sips:")) {
            let user = match rest.iter().position(|b| *b == b'@') {
                Some(at) => &rest[..at],
                // Without a user there is only a host, and no number has the shape of 192.0.2.1.
                None if rest.contains(&b'.') || rest.first() == Some(&b'[') => {
                    self.not_digits = true;
                    return;
                }
                None => rest,
            };
            // A password may follow the user, never a number.
            let end = user.iter().position(|b| *b == b':').unwrap_or(user.len());
            self.number(&user[..end]);
        } else if let Some(rest) = scheme("tel:") {
            self.number(rest);
        } else if let Some(service) = scheme("urn:service:sos") {
            self.help = matches!(service.first(), None | Some(b'.' | b';' | b'@'));
            self.not_digits = true;
        } else {
            self.number(text);
        }
    }

    /// Digits, separators, and parameters behind `;`.
    fn number(&mut self, text: &[u8]) {
        let mut at = 0;
        while let Some(&b) = text.get(at) {
            at += 1;
            match b {
                b'0'..=b'9' => self.push(b),
                b' ' | b'\t' | b'-' | b'.' | b'/' | b')' | b'~' => {}
                b'(' => {
                    if text.get(at..at + 2) == Some(b"0)") && self.length > 0 {
                        self.bracket_zero = Some(self.length);
                    }
                }
                b'+' => self.push_plus(),
                b'*' | b'#' => {
                    self.symbols = true;
                    self.push(b);
                }
                b'%' => match text.get(at..at + 2) {
                    Some(b"2B" | b"2b") => (at += 2, self.push_plus()).1,
                    Some(b"23") => (at += 2, self.symbols = true, self.push(b'#')).2,
                    Some(b"2A" | b"2a") => (at += 2, self.symbols = true, self.push(b'*')).2,
                    Some(b"20") => at += 2,
                    _ => return self.no_digits(text),
                },
                b',' | b'p' | b'P' | b'w' | b'W' if usize::from(self.length) >= BEFORE_TONES_MIN => return,
                b'w' | b'W' if self.digits() == b"8" => {}
                b'@' | b'?' => return,
                b';' => return self.parameters(&text[at..]),
                _ => return self.no_digits(text),
            }
        }
    }

    /// `;phone-context=+4930` stands for what goes in front of a number that is not global (RFC 3966); extensions
    /// (`;ext=`), sub-addresses and everything else is not part of the number.
    fn parameters(&mut self, text: &[u8]) {
        let end = text.iter().position(|b| *b == b'@' || *b == b'?').unwrap_or(text.len());
        for parameter in text[..end].split(|b| *b == b';') {
            let name = b"phone-context=+";
            let Some(front) = parameter.get(..name.len()) else { continue };
            if self.plus || !front.eq_ignore_ascii_case(name) {
                continue;
            }
            let local = *self;
            (self.length, self.plus, self.bracket_zero) = (0, true, None);
            for &b in &parameter[name.len()..] {
                match b {
                    b'0'..=b'9' => self.push(b),
                    b'-' | b'.' | b'(' | b')' => {}
                    _ => self.not_digits = true,
                }
            }
            local.digits().iter().for_each(|b| self.push(*b));
        }
    }

    fn push(&mut self, b: u8) {
        match self.bytes.get_mut(usize::from(self.length)) {
            Some(place) => {
                *place = b;
                self.length += 1;
            }
            None => self.overflow = true,
        }
    }

    fn push_plus(&mut self) {
        if self.length == 0 && !self.plus {
            self.plus = true;
        } else if self.inner_plus.is_none() && !self.plus {
            self.inner_plus = Some(self.length);
        } else {
            self.not_digits = true;
        }
    }

    fn no_digits(&mut self, text: &[u8]) {
        let end = text.iter().position(|b| matches!(b, b'@' | b';')).unwrap_or(text.len());
        let word = text[..end].trim_ascii();
        self.absent = ABSENT.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()));
        self.not_digits = true;
    }
}

/// A text of digits, or of `+` and digits: its first eight, its last eight, and the eight between where there are more than
/// sixteen.
struct Usual<'t> {
    plus: bool,
    digits: &'t [u8],
    front: &'t [u8; 8],
    middle: &'t [u8; 8],
    end: &'t [u8; 8],
}

/// Takes a text apart, if it is such a one of 8 to 24 digits.
#[inline]
fn usual(text: &[u8]) -> Option<Usual<'_>> {
    let plus = text.first() == Some(&b'+');
    let digits = text.get(usize::from(plus)..)?;
    let n = digits.len();
    if !(8..=24).contains(&n) {
        return None;
    }
    let (front, end) = (digits.first_chunk::<8>()?, digits.last_chunk::<8>()?);
    let middle = if n > 16 { digits.get(8..)?.first_chunk::<8>()? } else { front };
    (others(*front) | others(*middle) | others(*end) == 0).then_some(Usual { plus, digits, front, middle, end })
}

/// Whether a text is nothing but 8 to 24 digits, perhaps behind a `+`.
#[inline]
pub(super) fn is_usual(text: &[u8]) -> bool {
    usual(text).is_some()
}

/// Zero if all eight bytes are digits.
fn others(eight: [u8; 8]) -> u64 {
    // As in `Number::from_digits`: a digit is below 10, so that six more do not reach its high nibble.
    let x = u64::from_ne_bytes(eight) ^ 0x3030_3030_3030_3030;
    (x | x.wrapping_add(0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0
}
