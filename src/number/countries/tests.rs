use super::*;
use crate::call::{StepMode, StepRule};
use crate::time::Micros;

const SHIPPED: &str = include_str!("../../../rates/countries.toml");

fn shipped() -> Countries {
    Countries::parse(SHIPPED).unwrap()
}

fn country(name: &str) -> Country {
    Country::parse(name).unwrap()
}

#[test]
fn the_shipped_file_has_every_territory() {
    let countries = shipped();
    // 245 territories of libphonenumber and 001 for its nine calling codes of no country.
    assert_eq!(countries.territories().count(), 246);
    for (i, territory) in countries.territories().enumerate() {
        assert_eq!(countries.ordinal(territory), Some(i as u16));
        assert_eq!(countries.territory(i as u16), Some(territory));
        assert_eq!(countries.get(territory).is_some(), territory != Country::WORLD, "{territory}");
    }
    for unlisted in ["AQ", "ZZ", "QQ"] {
        assert_eq!(countries.ordinal(country(unlisted)), None);
        assert!(countries.get(country(unlisted)).is_none());
    }
    assert_eq!(countries.ordinal(Country(*b"\xFF\xFF\xFF")), None);
}

#[test]
fn calling_codes() {
    let countries = shipped();
    let table: &[(&str, Option<(u16, &str)>)] = &[
        ("4930123456", Some((49, "DE"))),
        ("14165550123", Some((1, "US"))),
        ("74951234567", Some((7, "RU"))),
        ("442079460123", Some((44, "GB"))),
        ("390669812345", Some((39, "IT"))),
        ("80012345678", Some((800, "001"))),
        ("21112345", Some((211, "SS"))),
        ("599712345", Some((599, "CW"))),
        ("2101234567", None),
        ("0301234567", None),
        ("99912345", None),
        ("49", None),
    ];
    for (number, expected) in table {
        let number = Number::from_digits(number.as_bytes()).unwrap();
        let expected = expected.map(|(code, main)| (code, country(main)));
        assert_eq!(countries.calling_code(number), expected, "{number}");
    }
}

#[test]
fn home() {
    let countries = shipped();
    for (home, other, expected) in [
        ("US", "PR", true),
        ("US", "MP", true),
        ("US", "CA", false),
        ("PR", "US", false),
        ("GB", "IM", true),
        ("IM", "GB", false),
        ("IT", "VA", true),
        ("VA", "IT", false),
        ("DE", "DE", true),
        ("DE", "AT", false),
        ("DE", "001", false),
    ] {
        assert_eq!(countries.is_home(country(home), country(other)), expected, "{home} {other}");
    }
}

#[test]
fn steps_by_specificity() {
    let up = |initial, increment, minimum| StepRule {
        mode: StepMode::Up,
        initial,
        increment,
        minimum,
        free_below: Micros(0),
    };
    let nearest = StepRule { mode: StepMode::Nearest, ..up(60, 60, 0) };
    let countries = shipped();
    for (home, destination, kind, expected) in [
        ("DE", "DE", NumberKind::Fixed, up(60, 60, 0)),
        ("DE", "BR", NumberKind::Mobile, up(60, 60, 0)),
        ("US", "US", NumberKind::FixedOrMobile, nearest),
        ("US", "BR", NumberKind::Mobile, up(30, 6, 30)),
        ("US", "BR", NumberKind::Fixed, nearest),
        ("BR", "BR", NumberKind::Mobile, up(30, 6, 30)),
        ("BR", "BR", NumberKind::Fixed, up(60, 60, 0)),
        ("BR", "US", NumberKind::Mobile, up(60, 60, 0)),
        ("FR", "BR", NumberKind::Mobile, up(60, 60, 0)),
        ("AQ", "001", NumberKind::Unknown, up(60, 60, 0)),
    ] {
        assert_eq!(countries.steps(country(home), country(destination), kind), expected, "{home} {destination}");
    }

    // All six ranks of R14, each told by its increment, listed in the wrong order.
    let ranks = countries_of(
        r#"
        [[steps]]
        increment = 1
        source = "t"
        [[steps]]
        home = "DE"
        increment = 2
        source = "t"
        [[steps]]
        destination = "FR"
        increment = 3
        source = "t"
        [[steps]]
        destination = "FR"
        type = "mobile"
        increment = 4
        source = "t"
        [[steps]]
        home = "DE"
        destination = "FR"
        increment = 5
        source = "t"
        [[steps]]
        home = "DE"
        destination = "FR"
        type = "mobile"
        increment = 6
        source = "t"
        "#,
    )
    .unwrap();
    for (home, destination, kind, increment) in [
        ("DE", "FR", NumberKind::Mobile, 6),
        ("DE", "FR", NumberKind::Fixed, 5),
        ("FR", "FR", NumberKind::Mobile, 4),
        ("FR", "FR", NumberKind::Fixed, 3),
        ("DE", "DE", NumberKind::Mobile, 2),
        ("FR", "DE", NumberKind::Mobile, 1),
    ] {
        let rule = ranks.steps(country(home), country(destination), kind);
        assert_eq!(rule.increment, increment, "{home} {destination} {kind:?}");
    }
}

/// Two territories and what is given.
fn countries_of(more: &str) -> Result<Countries, String> {
    Countries::parse(&format!("{TWO}{more}"))
}

/// Nine lines.
const TWO: &str = r#"[[territory]]
country = "DE"
calling_code = 49
lengths = { fixed = "5-15" }
[[territory]]
country = "FR"
calling_code = 33
lengths = { fixed = "9" }
# nothing
"#;

const DEFAULT: &str = "[[steps]]\nincrement = 60\nsource = \"t\"\n";

#[test]
fn errors_name_line_and_remedy() {
    let table: &[(&str, &str)] = &[
        ("[[territory]\n", "line 10: "),
        ("[[steps]]\nincrement = 60\nsource = \"t\"\nfree = 3\n", "line 13: unknown field `free`"),
        ("", "line 1: no [[steps]] without home and destination; add it"),
        (
            "[[territory]]\ncountry = \"de\"\ncalling_code = 1\nlengths = {}\n",
            "line 11: `de` is no territory; write ISO",
        ),
        ("[[territory]]\ncountry = \"DE\"\ncalling_code = 1\nlengths = {}\n", "line 11: DE is there twice"),
        (
            "[[territory]]\ncountry = \"AT\"\ncalling_code = 49\nlengths = {}\n",
            "line 3: +49 is shared; write `main = true`",
        ),
        ("[[territory]]\ncountry = \"AT\"\ncalling_code = 4\nlengths = {}\n", "line 3: +49 begins like another"),
        ("[[territory]]\ncountry = \"AT\"\ncalling_code = 4300\nlengths = {}\n", "line 12: 4300 is no calling code"),
        ("[[territory]]\ncountry = \"AT\"\ncalling_code = 0\nlengths = {}\n", "line 12: 0 is no calling code"),
        (
            "[[territory]]\ncountry = \"AT\"\ncalling_code = 43\ntrunk = [\"0*\"]\nlengths = {}\n",
            "line 13: `0*` has no fixed length",
        ),
        ("[[territory]]\ncountry = \"AT\"\ncalling_code = 43\ntrunk = [\"\"]\nlengths = {}\n", "line 13: `` is empty"),
        (
            "[[territory]]\ncountry = \"AT\"\ncalling_code = 43\nlengths = { fixd = \"3\" }\n",
            "line 13: `fixd` is no kind of number",
        ),
        (
            "[[territory]]\ncountry = \"AT\"\ncalling_code = 43\nlengths = { fixed = \"3-x\" }\n",
            "line 13: `3-x` are no lengths; write",
        ),
        (
            "[[territory]]\ncountry = \"AT\"\ncalling_code = 43\ndomestic = [\"XX\"]\nlengths = {}\n",
            "line 13: `XX` is none of the territories",
        ),
        (
            "[[territory]]\ncountry = \"AT\"\ncalling_code = 43\ntotal_length = 99\nlengths = {}\n",
            "line 13: write 5 to 15",
        ),
        (
            "[[territory]]\ncountry = \"AT\"\ncalling_code = 43\nrules = [{ dialled = \"0(<a>)\" }]\nlengths = {}\n",
            "line 13: `0(<a>)`: the territory has no list `a`",
        ),
        (&format!("{DEFAULT}{DEFAULT}"), "line 13: a second rule for the same home"),
        (&format!("{DEFAULT}[[steps]]\nhome = \"AT\"\nincrement = 1\nsource = \"t\"\n"), "line 14: `AT` is none"),
        (&format!("{DEFAULT}[[steps]]\nincrement = 0\nhome = \"DE\"\nsource = \"t\"\n"), "line 14: at least 1 second"),
        (
            &format!(
                "{DEFAULT}[[steps]]\nhome = \"DE\"\nmode = \"nearest\"\nincrement = 6\ninitial = 30\nsource = \"t\"\n"
            ),
            "line 16: at least 1 second; with nearest",
        ),
        (
            &format!("{DEFAULT}[[steps]]\nhome = \"DE\"\ntype = \"mobile\"\nincrement = 6\nsource = \"t\"\n"),
            "line 15: needs a destination",
        ),
        (
            &format!("{DEFAULT}[[steps]]\nhome = \"DE\"\nmode = \"down\"\nincrement = 6\nsource = \"t\"\n"),
            "line 15: `down`",
        ),
        (&format!("{DEFAULT}[[steps]]\nhome = \"DE\"\nincrement = 6\nsource = \" \"\n"), "line 16: say who says so"),
        (&format!("{DEFAULT}[[steps]]\nhome = \"DE\"\nincrement = 99999\nsource = \"t\"\n"), "line 15: 99999 seconds"),
    ];
    for (more, expected) in table {
        // A territory that is refused has the default rule behind it, so that nothing else is missing.
        let more = if more.starts_with("[[terr") { format!("{more}{DEFAULT}") } else { (*more).to_owned() };
        let error = countries_of(&more).map(|_| ()).unwrap_err();
        // What the reader of TOML says has a column, too.
        let (place, what) = error.split_once(": ").unwrap();
        let error = format!("{}: {what}", place.split(", column ").next().unwrap());
        assert!(error.starts_with(expected), "{more}\n  {error}\n  {expected}");
    }
    assert!(countries_of(DEFAULT).is_ok());
}

#[test]
fn the_image_form_is_stable_and_checked() {
    let countries = shipped();
    let json = serde_json::to_vec(&countries).unwrap();
    let again: Countries = serde_json::from_slice(&json).unwrap();
    assert_eq!(again.file, countries.file);
    assert_eq!(serde_json::to_vec(&again).unwrap(), json);
    assert_eq!(again.steps(country("US"), country("BR"), NumberKind::Mobile).increment, 6);
    let damaged = String::from_utf8(json).unwrap().replacen("\"calling_code\":49", "\"calling_code\":4", 1);
    assert!(serde_json::from_str::<Countries>(&damaged).is_err());
}
