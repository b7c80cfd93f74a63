//! What is in a posted body: nodes wrap documents in forms and encodings, and their Content-Type does not say which.
//!
//! FreeSWITCH sends raw JSON or XML, `cdr=` and the document raw, percent-encoded or in base64, all under content types that
//! its modules mix up. So the body itself is looked at.
//!
//! Does not know HTTP, nor what a document says.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The field of a form in which FreeSWITCH posts.
const FIELD: &[u8] = b"cdr=";

/// Whether a body begins like a wrapped document, as far as its first bytes tell; fewer than `FIELD` never do.
pub fn is_wrapped(start: &[u8]) -> bool {
    let start = start.trim_ascii_start();
    start.starts_with(FIELD) || start.first() == Some(&b'%')
}

/// The document in a body, which is the body itself unless it is wrapped. What cannot be unwrapped is given back as it is,
/// to be refused by whoever reads it.
pub fn unwrap(body: &[u8]) -> Cow<'_, [u8]> {
    let trimmed = body.trim_ascii();
    let inner = trimmed.strip_prefix(FIELD).unwrap_or(trimmed);
    match inner.first() {
        Some(b'{' | b'[' | b'<') | None => Cow::Borrowed(inner),
        Some(b'%') => Cow::Owned(percent_encoding::percent_decode(inner).collect()),
        Some(_) if inner.len() < trimmed.len() => match STANDARD.decode(inner) {
            Ok(document) => Cow::Owned(document),
            // The characters of base64 that mean something in forms may be encoded once more.
            Err(_) => {
                let plain: Vec<u8> = percent_encoding::percent_decode(inner).collect();
                STANDARD.decode(plain.trim_ascii()).map_or(Cow::Borrowed(inner), Cow::Owned)
            }
        },
        Some(_) => Cow::Borrowed(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_found_in_their_wrappings() {
        let base64 = |text: &str| format!("cdr={}", STANDARD.encode(text));
        for (body, expected) in [
            (r#"{"a":1}"#.to_owned(), r#"{"a":1}"#),
            (" [1] ".to_owned(), "[1]"),
            ("<cdr/>".to_owned(), "<cdr/>"),
            (r#"cdr={"a":"%2B"}"#.to_owned(), r#"{"a":"%2B"}"#),
            ("cdr=<cdr/>\r\n".to_owned(), "<cdr/>"),
            ("cdr=%7B%22a%22%3A%22%252B%22%7D".to_owned(), r#"{"a":"%2B"}"#),
            ("cdr=%3C%3Fxml%20version%3D%221.0%22%3F%3E".to_owned(), r#"<?xml version="1.0"?>"#),
            ("%7b%7d".to_owned(), "{}"),
            (base64(r#"{"a":1}"#), r#"{"a":1}"#),
            // `=` at the end of base64 may be encoded once more.
            (base64(r#"{"a":"?>~"}"#).replace('=', "%3D").replacen("%3D", "=", 1), r#"{"a":"?>~"}"#),
            ("cdr=!".to_owned(), "!"),
            ("a,b\n1,2\n".to_owned(), "a,b\n1,2\n"),
            ("".to_owned(), ""),
        ] {
            assert_eq!(String::from_utf8_lossy(&unwrap(body.as_bytes())), expected, "{body}");
        }
        assert!(
            is_wrapped(b"cdr=") && is_wrapped(b" %7B") && !is_wrapped(b"{") && !is_wrapped(b"cdr") && !is_wrapped(b"")
        );
    }
}
