use super::*;

fn countries() -> &'static Countries {
    static COUNTRIES: std::sync::OnceLock<Countries> = std::sync::OnceLock::new();
    COUNTRIES.get_or_init(|| Countries::parse(include_str!("../../../rates/countries.toml")).unwrap())
}

#[test]
fn read_keeps_digits_and_what_stood_around_them() {
    // (text, digits, plus)
    for (text, digits, plus) in [
        ("+49 (0)30 123", "49030123", true),
        ("030/12-3.4~5", "03012345", false),
        ("*67#0301", "*67#0301", false),
        ("sip:%2B49%2030@h", "4930", true),
        ("tel:7042;phone-context=+1-914", "19147042", true),
        ("tel:+7042;phone-context=+1", "7042", true),
        ("1234,,5", "1234", false),
        ("12345678901234567890123456789012345678901234567890", "1234567890123456789012345678901234567890", false),
        ("", "", false),
    ] {
        let dialled = Dialled::read(text.as_bytes());
        assert_eq!(dialled.digits(), digits.as_bytes(), "{text}");
        assert_eq!(dialled.has_plus(), plus, "{text}");
    }
}

#[test]
fn stripping_moves_everything() {
    let strip = ["1234#".to_owned(), "99914".to_owned()];
    for (text, digits, plus) in [
        ("1234#030", "030", false),
        ("99914+4930", "4930", true),
        ("1234#99914+4930", "4930", true),
        ("+1234#", "1234#", true),
        ("99914", "", false),
        ("030", "030", false),
    ] {
        let dialled = Dialled::read(text.as_bytes()).stripped(&strip);
        assert_eq!(dialled.digits(), digits.as_bytes(), "{text}");
        assert_eq!(dialled.has_plus(), plus, "{text}");
    }
    // The (0) behind the calling code is still found when something in front of it has gone.
    let dialled = Dialled::read(b"99914 0049 (0)30 123456").stripped(&strip);
    let plan = countries().get(Country(*b"DE ")).unwrap();
    assert_eq!(plan.normalise(&dialled, countries(), None).map(|n| n.to_string()), Ok("4930123456".to_owned()));
    assert_eq!(Dialled::read(b"030").stripped(&[String::new()]).digits(), b"030");
}

/// Without a numbering plan the first reading of a possible length is taken.
#[test]
fn without_a_numbering_plan() {
    for (home, text, expected) in [
        ("DE", "030123456", Ok("4930123456")),
        ("DE", "4930123456", Ok("4930123456")),
        ("US", "2065551234", Ok("12065551234")),
        // 00 12 is a carrier's prefix only where a number follows.
        ("BR", "0012125550100", Ok("12125550100")),
        ("DE", "30123456", Err(BadNumber::Local)),
    ] {
        let plan = countries().get(Country::parse(home).unwrap()).unwrap();
        let got = plan.normalise(&Dialled::read(text.as_bytes()), countries(), None).map(|n| n.to_string());
        assert_eq!(got, expected.map(str::to_owned), "{text} at {home}");
    }
}

#[test]
fn a_plan_knows_whose_it_is() {
    let plan = countries().get(Country(*b"GB ")).unwrap();
    assert_eq!((plan.country(), plan.calling_code()), (Country(*b"GB "), 44));
}
