use super::*;
use crate::number::classify;

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

/// What the short way answers is what the long way comes to, whether or not there is a numbering plan to ask; and it answers
/// most of what is dialled.
#[test]
fn the_short_way_equals_the_long_way() {
    let (rows, countries) = (classify::parse(include_str!("../../../rates/numbering.csv")).unwrap(), countries());
    let bytes = classify::build(&rows);
    let numbering = NumberingPlan::trusted(&bytes);
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as usize % below
    };
    let plans: Vec<&DiallingPlan> = countries.territories().filter_map(|country| countries.get(country)).collect();
    let fronts = ["", "", "+", "0", "00", "011", "1", "8", "06", "810", "0011", "000", "9"];
    let (mut asked, mut answered) = (0, 0);
    for round in 0..200_000 {
        let plan = plans[random(plans.len())];
        let row = &rows[random(rows.len())];
        let digits = format!("{}{:012}", row.prefix, random(1_000_000_000_000));
        // A number of any country, as it is dialled there, from abroad, or by nobody.
        let digits = &digits[..5 + random(digits.len() - 4)];
        let code = countries.code_of(row.prefix).map_or(0, |code| usize::from(code.digits));
        let digits = if round % 2 == 0 { digits } else { digits.get(code..).unwrap_or(digits) };
        let text = format!("{}{digits}", fronts[random(fronts.len())]);
        let Some(packed) = Packed::read(text.as_bytes()) else { continue };
        let short = plan.normalise_packed(&packed, countries);
        let dialled = Dialled::read(text.as_bytes());
        if let Some(number) = short {
            for numbering in [None, Some(numbering)] {
                let long = plan.normalise(&dialled, countries, numbering);
                assert_eq!(long, Ok(number), "{text} at {:?}", plan.country());
            }
        }
        if let Some(number) = packed.international(countries) {
            assert_eq!(normalise_international(&dialled, countries), Ok(number), "{text}");
        }
        if !packed.has_plus() && plan.special(&dialled).is_some() {
            assert!(plan.may_be_special(&packed), "{text} at {:?}", plan.country());
        }
        if plan.normalise(&dialled, countries, Some(numbering)).is_ok() {
            (asked, answered) = (asked + 1, answered + usize::from(short.is_some()));
        }
    }
    assert!(answered * 10 > asked * 7, "{answered} of {asked}: slow where it need not be");
}

#[test]
fn the_short_way_knows_the_usual_shapes() {
    for (home, text, number) in [
        ("DE", "+4930123456", "4930123456"),
        ("DE", "030123456", "4930123456"),
        ("DE", "015112345678", "4915112345678"),
        ("DE", "00442012345678", "442012345678"),
        ("GB", "02012345678", "442012345678"),
        ("US", "+12125550100", "12125550100"),
        ("US", "12125550100", "12125550100"),
        ("US", "2125550100", "12125550100"),
        ("US", "01149301234567", "49301234567"),
        ("HU", "0612345678", "3612345678"),
        ("RU", "89261234567", "79261234567"),
        ("IT", "0612345678", "390612345678"),
    ] {
        let plan = countries().get(Country::parse(home).unwrap()).unwrap();
        let packed = Packed::read(text.as_bytes()).unwrap();
        let got = plan.normalise_packed(&packed, countries()).map(|number| number.to_string());
        assert_eq!(got.as_deref(), Some(number), "{text} at {home}");
    }
    for text in ["+266696687", "+7378742833", "+86282452253", "1234567", "12345678901234567", "+4930 123456", ""] {
        assert!(Packed::read(text.as_bytes()).is_none(), "{text}");
    }
}
