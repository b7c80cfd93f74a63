//! Texts as gateways write them: addresses, conference ids, causes, and numbers within headers of SIP. Each has a usual shape,
//! which is read or written at once.
//!
//! Does not know which attribute a text stands in.

/// The user of a SIP header's text, `"Name"<sip:+12513001300@host;user=phone>;tag=1`; anything else as it is.
pub(super) fn user_of(text: &[u8]) -> &[u8] {
    if is_bare(text) { text } else { user_of_header(text) }
}

fn user_of_header(text: &[u8]) -> &[u8] {
    let inside = match (memchr::memrchr(b'<', text), memchr::memrchr(b'>', text)) {
        (Some(from), Some(to)) if from < to => &text[from + 1..to],
        _ => text,
    };
    let scheme = inside.get(..4).unwrap_or_default();
    let rest = if scheme.eq_ignore_ascii_case(b"sip:") || scheme.eq_ignore_ascii_case(b"tel:") {
        &inside[4..]
    } else if inside.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"sips:")) {
        &inside[5..]
    } else {
        return inside;
    };
    &rest[..rest.iter().position(|b| matches!(b, b'@' | b';' | b'?')).unwrap_or(rest.len())]
}

/// A number as nearly all are written: 8 to 16 bytes and none beyond the digits, so neither a bracket nor a scheme.
fn is_bare(text: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Two loads that overlap; what is beyond `9` gets the high bit of its byte, or has it.
    let (Some(front), Some(end)) = (text.first_chunk(), text.last_chunk()) else { return false };
    let beyond = |eight: &[u8; 8]| {
        let eight = u64::from_le_bytes(*eight);
        eight | ((eight & !HIGH) + 0x4646_4646_4646_4646)
    };
    text.len() <= 16 && (beyond(front) | beyond(end)) & HIGH == 0
}

/// Up to four hexadecimal digits, perhaps with a sign or white space around them.
pub(super) fn hexadecimal(text: &[u8]) -> Option<u16> {
    // Nearly always two digits.
    let digit = |b: u8| char::from(b).to_digit(16);
    if let [tens, ones] = *text
        && let (Some(tens), Some(ones)) = (digit(tens), digit(ones))
    {
        return Some((tens * 16 + ones) as u16);
    }
    any_hexadecimal(text)
}

fn any_hexadecimal(text: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= 4)?;
    u16::from_str_radix(text.trim(), 16).ok()
}

/// Cisco's conference id without its spaces; a group may have lost its leading zeros.
pub(super) fn conference(id: &[u8], out: &mut Vec<u8>) {
    match whole_conference(id) {
        Some(whole) => out.extend_from_slice(&whole),
        None => any_conference(id, out),
    }
}

fn any_conference(id: &[u8], out: &mut Vec<u8>) {
    for group in id.split(|b| *b == b' ').filter(|group| !group.is_empty()) {
        out.extend_from_slice(b"00000000".get(group.len()..).unwrap_or_default());
        let from = out.len();
        out.extend_from_slice(group);
        out[from..].make_ascii_uppercase();
    }
}

/// The same where all four groups are there and none has lost a zero.
fn whole_conference(id: &[u8]) -> Option<[u8; 32]> {
    let id: &[u8; 35] = id.try_into().ok()?;
    let mut whole = [0; 32];
    for group in 0..4 {
        whole[8 * group..8 * group + 8].copy_from_slice(&id[9 * group..9 * group + 8]);
    }
    let apart = [8, 17, 26].iter().all(|at| id[*at] == b' ');
    whole.make_ascii_uppercase();
    // Counted, not searched: all bytes are looked at at once.
    let spaces = whole.iter().filter(|b| **b == b' ').count();
    (apart && spaces == 0).then_some(whole)
}

/// An address as people write it.
pub(super) fn dotted(octets: [u8; 4], out: &mut Vec<u8>) {
    let (mut text, mut length) = ([0; 16], 0);
    for octet in octets {
        let digits = [b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10, b'.'];
        let zeros = usize::from(octet < 100) + usize::from(octet < 10);
        for byte in digits.into_iter().skip(zeros) {
            text[length] = byte;
            length += 1;
        }
    }
    // Without the last dot.
    out.extend_from_slice(&text[..length - 1]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_shapes_are_the_usual_way() {
        assert!(is_bare(b"+4930123456") && !is_bare(b"<sip:1@example>") && !is_bare(b"1234567"));
        assert!(whole_conference(b"0012ABCD 00112233 44556677 8899aabb").is_some());
    }

    proptest! {
        #[test]
        fn the_short_ways_come_to_what_the_long_ones_do(
            number in prop_oneof!["[+0-9]{6,18}", "[+0-9a-z<>:;@? -]{0,18}", "(sip:|<tel:)[0-9]{1,9}[@>]{0,2}"],
            mut bytes in proptest::collection::vec(any::<u8>(), 0..20),
            id in prop_oneof!["([0-9A-Fa-f]{8} ){3}[0-9a-f]{8}", "[0-9a-f ]{33,37}", "([0-9A-F]{6,8} {1,2}){4}"],
            cause in prop_oneof!["[0-9A-Fa-f]{1,4}", "[ +0-9a-g-]{0,5}"],
            octets in any::<[u8; 4]>(),
        ) {
            bytes.extend_from_slice(number.as_bytes());
            for text in [number.as_bytes(), &bytes] {
                prop_assert_eq!(user_of(text), user_of_header(text));
            }
            prop_assert_eq!(hexadecimal(cause.as_bytes()), any_hexadecimal(cause.as_bytes()));
            let (mut short, mut long) = (Vec::new(), Vec::new());
            conference(id.as_bytes(), &mut short);
            any_conference(id.as_bytes(), &mut long);
            prop_assert_eq!(&short, &long);
            short.clear();
            dotted(octets, &mut short);
            prop_assert_eq!(short, std::net::Ipv4Addr::from(octets).to_string().into_bytes());
        }
    }
}
