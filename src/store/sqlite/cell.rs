//! How single values are packed into SQLite cells: numbers as numbers, hexadecimal ids as bytes, the rest as text.
//!
//! SQLite types values, not columns; a column without a type may hold a whole number in one row and text in the next.
//! Whatever cannot be packed is kept as it came, so packing never changes a value.
//!
//! Does not know tables.

use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::number::Number;

/// A value on its way into a statement, borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cell<'a> {
    Null,
    Int(i64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

impl rusqlite::ToSql for Cell<'_> {
    #[inline]
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Int(value) => ValueRef::Integer(*value),
            Cell::Text(bytes) => ValueRef::Text(bytes),
            Cell::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl<'a> Cell<'a> {
    /// Bytes as they are: text where every tool can show them as text, else a blob.
    pub fn bytes(bytes: &'a [u8]) -> Cell<'a> {
        // A NUL ends a text for many tools.
        if !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok() { Cell::Text(bytes) } else { Cell::Blob(bytes) }
    }

    pub fn option(value: Option<i64>) -> Cell<'static> {
        value.map_or(Cell::Null, Cell::Int)
    }
}

/// What [`Cell::bytes`] wrote.
pub fn bytes_of(value: ValueRef<'_>) -> Option<&[u8]> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    }
}

/// ASCII digits of a number, in place.
#[derive(Clone, Copy)]
pub struct Digits {
    bytes: [u8; 16],
    length: usize,
}

impl Digits {
    #[inline]
    pub fn of(number: Option<Number>) -> Digits {
        let Some(Number(packed)) = number else { return Digits { bytes: [0; 16], length: 0 } };
        // Unused nibbles are 0xA and stand at the end; no digit is 0xA.
        let length = 16 - ((packed ^ 0xAAAA_AAAA_AAAA_AAAA).trailing_zeros() / 4).min(16) as usize;
        let mut bytes = [0; 16];
        for (i, pair) in packed.to_be_bytes().into_iter().enumerate() {
            if let Some(two) = bytes.get_mut(2 * i..2 * i + 2) {
                two.copy_from_slice(&[b'0' + (pair >> 4), b'0' + (pair & 15)]);
            }
        }
        Digits { bytes, length }
    }

    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// As a whole number, or as text where a leading zero would be lost.
    pub fn cell(&self) -> Cell<'_> {
        match self.as_slice() {
            [] => Cell::Null,
            digits @ [b'0', ..] => Cell::Text(digits),
            // Sixteen digits at most: no overflow.
            digits => Cell::Int(digits.iter().fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'))),
        }
    }

    /// What [`Digits::cell`] wrote.
    #[inline]
    pub fn read(value: ValueRef<'_>) -> Option<Digits> {
        let mut digits = Digits { bytes: [0; 16], length: 0 };
        match value {
            ValueRef::Null => {}
            ValueRef::Integer(number) => return Digits::of_whole(number),
            ValueRef::Text(text) => {
                digits.bytes.get_mut(..text.len())?.copy_from_slice(text);
                digits.length = text.len();
            }
            _ => return None,
        }
        Some(digits)
    }

    /// Digits of a whole number, without zeros in front of them.
    #[inline]
    fn of_whole(number: i64) -> Option<Digits> {
        const HALF: u64 = 100_000_000;
        let number = u64::try_from(number).ok().filter(|number| *number < HALF * HALF)?;
        // First digits in the lowest bytes.
        let all = u128::from(eight_digits(number / HALF)) | (u128::from(eight_digits(number % HALF)) << 64);
        // One digit at least.
        let zeros = all.trailing_zeros().min(127) / 8;
        let ascii = (all | ZEROS) >> (8 * zeros);
        Some(Digits { bytes: ascii.to_le_bytes(), length: 16 - zeros as usize })
    }

    pub fn number(&self) -> Option<Number> {
        Number::from_digits(self.as_slice())
    }
}

/// Sixteen times the digit zero.
const ZEROS: u128 = u128::from_le_bytes([b'0'; 16]);

/// The digits of a number below a hundred million, the first in the lowest byte.
#[inline]
fn eight_digits(number: u64) -> u64 {
    // Halves side by side, then pairs, then digits: each is divided by a multiplication whose surplus is cut off.
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7F_0000_007F;
    let pairs = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | ((pairs - 10 * tens) << 8)
}

/// How a dialled number differs from its E.164 digits: `prefix` stands where the first `dropped` digits were.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DialForm {
    /// At most eight visible ASCII characters, NUL behind them.
    pub prefix: [u8; 8],
    pub dropped: u8,
}

impl DialForm {
    /// What no dialled number has: nobody drops so many digits.
    pub const NONE: DialForm = DialForm { prefix: [0; 8], dropped: u8::MAX };

    /// The form, if the dialled number ends like the E.164 digits and begins with something short.
    #[inline]
    pub fn of(dialled: &[u8], digits: &[u8]) -> Option<DialForm> {
        let common = common_end(dialled, digits);
        let front = dialled.get(..dialled.len() - common)?;
        // Shorter matches are chance; they would only fill the table of forms.
        if common < 3 || front.len() > 8 || !front.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut prefix = [0; 8];
        prefix.get_mut(..front.len())?.copy_from_slice(front);
        Some(DialForm { prefix, dropped: (digits.len() - common) as u8 })
    }

    #[inline]
    pub fn prefix(&self) -> &[u8] {
        // What follows the first NUL is NUL too.
        let unused = u64::from_le_bytes(self.prefix).leading_zeros() / 8;
        self.prefix.get(..8 - unused as usize).unwrap_or_default()
    }

    /// Appends the dialled number.
    #[inline]
    pub fn write(&self, digits: &Digits, out: &mut Vec<u8>) {
        // Both are moved in registers, and what they make together is copied once.
        let mut text = [0; 24];
        let (front, kept) = (self.prefix().len(), digits.length.saturating_sub(usize::from(self.dropped)));
        let rest = u128::from_le_bytes(digits.bytes).checked_shr(8 * u32::from(self.dropped)).unwrap_or(0);
        text[..8].copy_from_slice(&self.prefix);
        if let Some(place) = text.get_mut(front..front + 16) {
            place.copy_from_slice(&rest.to_le_bytes());
        }
        out.extend_from_slice(text.get(..front + kept).unwrap_or_default());
    }
}

/// How many bytes at their ends are equal.
#[inline]
fn common_end(a: &[u8], b: &[u8]) -> usize {
    // Nearly always more than eight are, so these are looked at together.
    if let (Some(a8), Some(b8)) = (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        let differ = u64::from_be_bytes(*a8) ^ u64::from_be_bytes(*b8);
        if differ != 0 {
            return (differ.trailing_zeros() / 8) as usize;
        }
        let (a, b) = (&a[..a.len() - 8], &b[..b.len() - 8]);
        return 8 + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    }
    a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

// First byte of a packed call id. The view `call_details` knows the same numbers.
const RAW: u8 = 0;
const HEX_LOWER: u8 = 1;
const HEX_UPPER: u8 = 2;
const UUID_LOWER: u8 = 3;
const UUID_UPPER: u8 = 4;

/// Shorter hexadecimal texts gain nothing.
const HEX_MIN: usize = 8;

/// Packs a call id; `scratch` lends its bytes to the cell.
#[inline]
pub fn pack_id<'a>(id: &'a [u8], scratch: &'a mut Vec<u8>) -> Cell<'a> {
    scratch.clear();
    if let [first, ..] = id
        && id.len() <= 18
        && (*first != b'0' || id.len() == 1)
        && id.iter().all(u8::is_ascii_digit)
    {
        return Cell::Int(id.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')));
    }
    if id.len() >= HEX_MIN && id.len().is_multiple_of(2) {
        let (lower, upper) = if uuid_shape(id) { (UUID_LOWER, UUID_UPPER) } else { (HEX_LOWER, HEX_UPPER) };
        for (tag, table) in [(lower, &LOWER), (upper, &UPPER)] {
            scratch.clear();
            scratch.push(tag);
            if pack_hex(id, tag >= UUID_LOWER, table, scratch) {
                return Cell::Blob(scratch);
            }
        }
    }
    match Cell::bytes(id) {
        Cell::Text(text) => Cell::Text(text),
        _ => {
            scratch.clear();
            scratch.push(RAW);
            scratch.extend_from_slice(id);
            Cell::Blob(scratch)
        }
    }
}

/// Appends what [`pack_id`] packed; none if it is not of its making.
#[inline]
pub fn unpack_id(value: ValueRef<'_>, out: &mut Vec<u8>) -> Option<()> {
    match value {
        ValueRef::Integer(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        ValueRef::Text(text) => out.extend_from_slice(text),
        ValueRef::Blob(blob) => {
            let (tag, bytes) = blob.split_first()?;
            let digits: &[u8; 16] = match *tag {
                RAW => {
                    out.extend_from_slice(bytes);
                    return Some(());
                }
                HEX_LOWER | UUID_LOWER => b"0123456789abcdef",
                HEX_UPPER | UUID_UPPER => b"0123456789ABCDEF",
                _ => return None,
            };
            let uuid = *tag >= UUID_LOWER;
            // Sixteen bytes are what nearly all ids have.
            if let Ok(bytes) = <[u8; 16]>::try_from(bytes) {
                let text = hex(bytes, digits);
                if uuid {
                    out.extend_from_slice(&dashed(&text));
                } else {
                    out.extend_from_slice(&text);
                }
                return Some(());
            }
            for (i, byte) in bytes.iter().enumerate() {
                if uuid && matches!(i, 4 | 6 | 8 | 10) {
                    out.push(b'-');
                }
                out.extend([byte >> 4, byte & 15].map(|nibble| digits[usize::from(nibble)]));
            }
        }
        _ => return None,
    }
    Some(())
}

/// Two digits for each byte.
#[inline]
fn hex(bytes: [u8; 16], digits: &[u8; 16]) -> [u8; 32] {
    let mut text = [0; 32];
    for (two, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *two = [byte >> 4, byte & 15].map(|nibble| digits[usize::from(nibble)]);
    }
    text
}

/// The digits of a UUID with its dashes.
fn dashed(digits: &[u8; 32]) -> [u8; 36] {
    let mut text = [b'-'; 36];
    for (from, to, length) in [(0, 0, 8), (8, 9, 4), (12, 14, 4), (16, 19, 4), (20, 24, 12)] {
        text[to..to + length].copy_from_slice(&digits[from..from + length]);
    }
    text
}

fn uuid_shape(id: &[u8]) -> bool {
    id.len() == 36 && [8, 13, 18, 23].iter().all(|i| id.get(*i) == Some(&b'-'))
}

fn pack_hex(id: &[u8], uuid: bool, table: &[u8; 256], out: &mut Vec<u8>) -> bool {
    // Where a UUID has its dashes the digits still come in pairs.
    let parts: [&[u8]; 5] = if uuid {
        match id {
            [parts @ .., _, _, _, _, _, _, _, _, _, _, _, _] if parts.len() == 24 => {
                [&parts[..8], &parts[9..13], &parts[14..18], &parts[19..23], &id[24..]]
            }
            _ => return false,
        }
    } else {
        [id, b"", b"", b"", b""]
    };
    // Marks are gathered, not looked at one by one: nearly every id that comes here is hexadecimal.
    let mut bad = 0;
    for part in parts {
        for pair in part.as_chunks::<2>().0 {
            let (high, low) = (table[usize::from(pair[0])], table[usize::from(pair[1])]);
            bad |= high | low;
            out.push(high << 4 | low & 15);
        }
    }
    bad < 16
}

const LOWER: [u8; 256] = hex_table(b'a');
const UPPER: [u8; 256] = hex_table(b'A');

const fn hex_table(a: u8) -> [u8; 256] {
    let mut table = [255; 256];
    let mut i = 0;
    while i < 16_u8 {
        table[(if i < 10 { b'0' + i } else { a + i - 10 }) as usize] = i;
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value<'a>(cell: &Cell<'a>) -> ValueRef<'a> {
        match *cell {
            Cell::Null => ValueRef::Null,
            Cell::Int(i) => ValueRef::Integer(i),
            Cell::Text(t) => ValueRef::Text(t),
            Cell::Blob(b) => ValueRef::Blob(b),
        }
    }

    #[test]
    fn ids_are_packed() {
        // id, bytes in the cell (none: a number or text)
        for (id, packed) in [
            ("0123456789abcdef0123456789abcdef", Some(17)),
            ("0123456789ABCDEF0123456789ABCDEF", Some(17)),
            ("01234567-89ab-cdef-0123-456789abcdef", Some(17)),
            ("01234567-89AB-CDEF-0123-456789ABCDEF", Some(17)),
            ("01234567-89ab-CDEF-0123-456789abcdef", None),
            ("0123456789abcdef0123456789abcdeF", None),
            ("abcdefg", None),
            ("17", None),
            ("017", None),
            ("", None),
        ] {
            let mut scratch = Vec::new();
            let cell = pack_id(id.as_bytes(), &mut scratch);
            let length = if let Cell::Blob(blob) = cell { Some(blob.len()) } else { None };
            assert_eq!(length, packed, "{id}");
        }
        assert_eq!(pack_id(b"1700000000", &mut Vec::new()), Cell::Int(1_700_000_000));
        assert_eq!(pack_id(b"\xff\0", &mut Vec::new()), Cell::Blob(b"\0\xff\0"));
    }

    #[test]
    fn forms_are_found() {
        // dialled, E.164, prefix and digits dropped
        for (dialled, digits, form) in [
            ("+4915123", "4915123", Some(("+", 0))),
            ("015123", "4915123", Some(("0", 2))),
            ("0698", "390698", Some(("", 2))),
            ("0114915123", "4915123", Some(("011", 0))),
            ("sip:4915123", "4915123", Some(("sip:", 0))),
            ("12345678904915123", "4915123", None),
            ("110", "", None),
            ("+49 1512", "491512", Some(("+49 ", 2))),
            ("x y4915123", "4915123", None),
            ("23", "23", None),
        ] {
            let found = DialForm::of(dialled.as_bytes(), digits.as_bytes());
            let expected = form.map(|(prefix, dropped)| (prefix.as_bytes().to_vec(), dropped));
            // A blank is not a visible character.
            let expected = expected.filter(|(prefix, _)| !prefix.contains(&b' '));
            assert_eq!(found.map(|f| (f.prefix().to_vec(), f.dropped)), expected, "{dialled}");
        }
    }

    proptest! {
        #[test]
        fn any_id_comes_back(id in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40), "[0-9a-f]{0,40}".prop_map(String::into_bytes),
            "[0-9A-F]{0,40}".prop_map(String::into_bytes), "[0-9]{0,20}".prop_map(String::into_bytes),
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}".prop_map(String::into_bytes),
        ]) {
            let mut scratch = Vec::new();
            let cell = pack_id(&id, &mut scratch);
            let mut out = Vec::new();
            prop_assert!(unpack_id(value(&cell), &mut out).is_some());
            prop_assert_eq!(out, id);
        }

        #[test]
        fn any_number_comes_back(digits in "[0-9]{1,16}") {
            let number = Number::from_digits(digits.as_bytes());
            let packed = Digits::of(number);
            let read = Digits::read(value(&packed.cell())).unwrap();
            prop_assert_eq!(read.number(), number);
        }

        #[test]
        fn any_dialled_number_comes_back(front in "[+0-9a-z*#]{0,9}", digits in "[0-9]{1,15}", cut in 0..6_usize) {
            let dialled = format!("{front}{}", &digits[cut.min(digits.len())..]);
            if let Some(form) = DialForm::of(dialled.as_bytes(), digits.as_bytes()) {
                let mut out = Vec::new();
                let number = Digits::of(Number::from_digits(digits.as_bytes()));
                form.write(&number, &mut out);
                prop_assert_eq!(out, dialled.into_bytes());
            }
        }

        #[test]
        fn any_blob_is_unpacked_or_refused(blob in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = unpack_id(ValueRef::Blob(&blob), &mut Vec::new());
        }
    }
}
