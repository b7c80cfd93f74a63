//! Number portability in what was dialled (RFC 4694): `tel:+1-202-533-1234;npdi;rn=+1-202-544-0000`, the same in the user of a
//! `sip:` URI, and `;rn=2025440000;rn-context=+1`.
//!
//! `rn` names the number by which the network found the called one. Where it is a network's code and no number (a hexadecimal
//! digit in it, as Germany's `+49D146…` and Russia's `d2701`, or a domain as its context) it says nothing of prices, and the
//! dialled number is all there is. `npdi` says that the database was asked, `cic` which carrier was chosen: neither is a number.
//!
//! Does not know countries, nor whether the record names a routing number itself.

use super::{BadNumber, Dialled};

/// Most bytes of a context and a number behind it.
const LOCAL_MAX: usize = 64;

impl Dialled {
    /// The routing number that stands beside a dialled one, read but not yet brought to E.164.
    #[inline]
    pub fn routing(text: &[u8]) -> Option<Result<Dialled, BadNumber>> {
        if super::read::is_usual(text) {
            return None;
        }
        memchr::memchr(b';', text)?;
        beside(text)
    }
}

#[inline(never)]
fn beside(text: &[u8]) -> Option<Result<Dialled, BadNumber>> {
    let (mut number, mut context) = (None, None);
    for parameter in parameters(text) {
        let Some(equals) = memchr::memchr(b'=', parameter) else { continue };
        let (name, value) = (parameter[..equals].trim_ascii(), parameter[equals + 1..].trim_ascii());
        let known = match name {
            name if name.eq_ignore_ascii_case(b"rn") => &mut number,
            name if name.eq_ignore_ascii_case(b"rn-context") => &mut context,
            _ => continue,
        };
        match known {
            // It must not stand twice, and which of the two is meant nobody knows.
            Some(other) if *other != value => return Some(Err(BadNumber::NotDigits)),
            _ => *known = Some(value),
        }
    }
    let number: &[u8] = number.filter(|number| !number.is_empty())?;
    if is_code(number) {
        return None;
    }
    match context {
        _ if number.starts_with(b"+") => Some(Ok(Dialled::read(number))),
        // As the caller's country writes its numbers.
        None => Some(Ok(Dialled::read(number))),
        Some(context) if context.starts_with(b"+") && !is_code(context) => {
            let mut whole = [0; LOCAL_MAX];
            let length = context.len() + number.len();
            let Some(room) = whole.get_mut(..length) else { return Some(Err(BadNumber::TooLong)) };
            room[..context.len()].copy_from_slice(context);
            room[context.len()..].copy_from_slice(number);
            Some(Ok(Dialled::read(room)))
        }
        Some(_) => None,
    }
}

/// The parameters of the number: behind it, and in a `sip:` URI before the host.
fn parameters(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = match memchr::memrchr(b'<', text) {
        Some(open) => {
            let inner = &text[open + 1..];
            &inner[..memchr::memchr(b'>', inner).unwrap_or(inner.len())]
        }
        None => text,
    };
    let end = text.iter().position(|b| matches!(b, b'@' | b'?')).unwrap_or(text.len());
    text[..end].split(|b| *b == b';').skip(1)
}

/// Whether this is a network's code: digits of which some are hexadecimal.
fn is_code(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    digits.iter().any(u8::is_ascii_alphabetic)
        && digits.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b'-' | b'.' | b'(' | b')'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match Dialled::routing(text.as_bytes()) {
            None => "-".to_owned(),
            Some(Err(bad)) => format!("!{bad:?}"),
            Some(Ok(dialled)) => {
                let plus = if dialled.has_plus() { "+" } else { "" };
                format!("{plus}{}", String::from_utf8_lossy(dialled.digits()))
            }
        }
    }

    #[test]
    fn routing_numbers_of_uris() {
        for (text, expected) in [
            // As RFC 4694 has them: global, local with a context, the database asked and nothing found, carriers.
            ("tel:+1-202-533-1234;npdi;rn=+1-202-544-0000", "+12025440000"),
            ("tel:+1-202-533-1234;npdi;rn=202-544-0000;rn-context=+1", "+12025440000"),
            ("tel:+1-202-533-1234;npdi", "-"),
            ("tel:+1-800-123-4567;cic=+1-6789", "-"),
            ("tel:+1-202-533-1234;npdi;rn=+1-202-000-0000;cic=+1-6789", "+12020000000"),
            ("sip:+1-202-533-1234;npdi;rn=+1-202-544-0000@example.com;user=phone", "+12025440000"),
            ("\"A\" <sip:+12025331234;RN=+12025440000;npdi@h>;tag=1", "+12025440000"),
            // What remains of a URI whose host was taken off, and of one without a scheme.
            ("+12025331234;npdi;rn=2025440000", "2025440000"),
            ("2025331234;rn=%2B12025440000", "+12025440000"),
            // Codes of networks are no numbers.
            ("tel:+493012345;npdi;rn=+49D1463012345", "-"),
            ("tel:+73422461703;npdi;rn=d2701;rn-context=+7", "-"),
            ("tel:+12025331234;npdi;rn=2025440000;rn-context=example.com", "-"),
            // The host's parameters, a header, a number without any, and words that only look alike.
            ("sip:+12025331234@h;rn=+12025440000", "-"),
            ("sip:+12025331234@h?x=;rn=+12025440000", "-"),
            ("+12025331234", "-"),
            ("tel:+12025331234;xrn=+12025440000;rnx=1;rn-context=+1", "-"),
            // Twice the same is once; two different ones are none.
            ("tel:+12025331234;rn=+12025440000;rn=+12025440000", "+12025440000"),
            ("tel:+12025331234;rn=+12025440000;rn=+12025440001", "!NotDigits"),
            (
                "tel:+12025331234;rn=1;rn-context=+11111111111111111111111111111111111111111111111111111111111111111",
                "!TooLong",
            ),
            ("tel:+12025331234;rn=", "-"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80), ours in proptest::bool::ANY) {
            let bytes = if ours { [b"tel:1;rn=".as_slice(), &bytes].concat() } else { bytes };
            let _ = Dialled::routing(&bytes);
        }
    }
}
