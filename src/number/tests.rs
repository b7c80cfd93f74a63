use proptest::prelude::*;

use super::*;

fn number(digits: &str) -> Number {
    Number::from_digits(digits.as_bytes()).unwrap()
}

#[test]
fn packed() {
    assert_eq!(number("49").0, 0x49AA_AAAA_AAAA_AAAA);
    assert_eq!(number("4930123").0, 0x4930_123A_AAAA_AAAA);
    assert_eq!(number("49301234").0, 0x4930_1234_AAAA_AAAA);
    assert_eq!(number("4930123456789012").0, 0x4930_1234_5678_9012);
    for refused in ["", "a", "12a", "1234567a", "123456789:", "/2345678", "12345678901234567", "+4930123456", "４９"]
    {
        assert_eq!(Number::from_digits(refused.as_bytes()), None, "{refused}");
    }
}

#[test]
fn prefixes() {
    for (whole, prefix, expected) in [
        ("4930123456", "49", true),
        ("4930123456", "4930123456", true),
        ("4930123456", "50", false),
        ("49", "4930", false),
        ("4930123456789012", "4930123456789012", true),
    ] {
        assert_eq!(number(whole).starts_with(number(prefix)), expected, "{whole} {prefix}");
    }
}

#[test]
fn countries_are_two_capitals_or_001() {
    for (text, expected) in
        [("DE", true), ("001", true), ("de", false), ("D", false), ("DEU", false), ("", false), ("D1", false)]
    {
        assert_eq!(Country::parse(text).map(|c| c.as_str().to_owned()), expected.then(|| text.to_owned()), "{text}");
    }
}

#[test]
fn kinds_have_their_place_and_name() {
    for (i, kind) in NumberKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, i);
        assert_eq!(NumberKind::named(kind.name()), Some(kind));
    }
    assert_eq!(NumberKind::named("landline"), None);
}

/// Mostly digits.
fn any_eight() -> impl Strategy<Value = [u8; 8]> {
    let digits = || proptest::array::uniform8(b'0'..=b'9');
    prop_oneof![digits(), digits(), proptest::array::uniform8(b'/'..=b':'), any::<[u8; 8]>()]
}

proptest! {
    #[test]
    fn any_bytes_are_digits_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
        let digits = (1..=DIGITS_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit);
        prop_assert_eq!(Number::from_digits(&bytes).is_some(), digits);
    }

    /// Wide or not, the same nibbles: digits, and what lies beside them.
    #[test]
    fn sixteen_at_once_are_eight_and_eight(front in any_eight(), end in any_eight()) {
        let one_by_one = pack_eight(front).zip(pack_eight(end)).map(|(front, end)| front << 32 | end);
        prop_assert_eq!(pack_both(front, end), one_by_one);
    }

    #[test]
    fn one_odd_byte_is_seen(digits in "[0-9]{1,16}", place in any::<proptest::sample::Index>(), odd in any::<u8>()) {
        let mut bytes = digits.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = odd;
        prop_assert_eq!(Number::from_digits(&bytes).is_some(), odd.is_ascii_digit());
    }

    #[test]
    fn the_text_is_the_model(a in "[0-9]{1,16}", b in "[0-9]{1,16}", n in 0usize..20) {
        let x = number(&a);
        prop_assert_eq!(x.to_string(), a.clone());
        prop_assert_eq!(x.len(), a.len());
        prop_assert_eq!(x.digit(n), a.as_bytes().get(n).map(|d| d - b'0'));
        let front = &a[..n.min(a.len())];
        prop_assert_eq!(x.prefix(n).digits().0[..front.len()].to_vec(), front.as_bytes().to_vec());
        prop_assert_eq!(x.prefix(n).len(), front.len());
        prop_assert_eq!(x.starts_with(number(&b)), a.starts_with(&b));
        // Digits by digits, a prefix behind its extensions.
        let key = |s: &str| s.bytes().chain([b':']).collect::<Vec<_>>();
        prop_assert_eq!(x.cmp(&number(&b)), key(&a).cmp(&key(&b)));
    }
}
