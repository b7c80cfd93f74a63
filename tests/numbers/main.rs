//! Numbers from the outside: the shipped country rules and numbering plan against checked facts, example numbers of
//! every territory, and another implementation.

mod plan;
mod random;
mod traps;

use callrated::number::classify::{self, Class, NumberingPlan};
use callrated::number::countries::Countries;
use callrated::number::dialling::{BadNumber, Dialled, Special, normalise_international};
use callrated::number::{Country, Number};

const COUNTRIES: &str = include_str!("../../rates/countries.toml");
const NUMBERING: &str = include_str!("../../rates/numbering.csv");
const FACTS: &str = include_str!("../data/numbering_facts.csv");
const EXAMPLES: &str = include_str!("../data/example_numbers.csv");

struct World {
    countries: Countries,
    numbering: Vec<u8>,
}

impl World {
    fn shipped() -> World {
        let rows = classify::parse(NUMBERING).unwrap();
        World { countries: Countries::parse(COUNTRIES).unwrap(), numbering: classify::build(&rows) }
    }

    fn plan(&self) -> NumberingPlan<'_> {
        NumberingPlan::trusted(&self.numbering)
    }

    /// What a dialled text means at home: E.164 with `+`, or the error's text, or what special number it is.
    fn read(&self, home: &str, text: &str) -> String {
        let dialled = Dialled::read(text.as_bytes());
        let Some(plan) = Country::parse(home).and_then(|home| self.countries.get(home)) else {
            return self.show(normalise_international(&dialled, &self.countries));
        };
        match plan.special(&dialled) {
            Some(Special::Emergency) => "emergency".to_owned(),
            Some(Special::ShortCode) => "short code".to_owned(),
            None => self.show(plan.normalise(&dialled, &self.countries, Some(self.plan()))),
        }
    }

    fn show(&self, number: Result<Number, BadNumber>) -> String {
        match number {
            Ok(number) => format!("+{number}"),
            Err(error) => format!("{error:?}"),
        }
    }

    fn class(&self, number: Number) -> Option<Class> {
        self.plan().classify(number).or_else(|| self.countries.unknown_class(number))
    }

    /// `DE fixed`
    fn class_of(&self, e164: &str) -> String {
        let number = Number::from_digits(e164.trim_start_matches('+').as_bytes()).unwrap();
        self.class(number).map_or("none".to_owned(), |c| format!("{} {}", c.country, c.kind.name()))
    }

    fn check(&self, table: &[(&str, &str, &str)]) {
        let wrong: Vec<String> = table
            .iter()
            .map(|(home, text, expected)| (home, text, expected, self.read(home, text)))
            .filter(|(_, _, expected, got)| got != *expected)
            .map(|(home, text, expected, got)| format!("{text} dialled at {home}: {got}, not {expected}"))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

fn rows(csv: &str) -> impl Iterator<Item = Vec<&str>> {
    csv.lines().filter(|l| !l.starts_with('#')).skip(1).map(|l| l.split(',').collect())
}

#[test]
fn checked_facts() {
    let world = World::shipped();
    let mut count = 0;
    for row in rows(FACTS) {
        let [dialled, home, e164, country, kind, ..] = row[..] else { panic!("{row:?}") };
        assert_eq!(world.read(home, dialled), e164, "{dialled} dialled at {home}");
        assert_eq!(world.class_of(e164), format!("{country} {kind}"), "{dialled} dialled at {home}");
        count += 1;
    }
    assert_eq!(count, 64);
}

/// What a caller in a country can dial in front: one text for each pattern of `international` or `trunk`.
fn fronts(territory: &toml::Table, key: &str) -> Vec<String> {
    let patterns = territory.get(key).and_then(|v| v.as_array()).cloned().unwrap_or_default();
    patterns.iter().map(|p| sample(p.as_str().unwrap())).collect()
}

/// A text of a pattern: the first digit of each class, 1 for any.
fn sample(pattern: &str) -> String {
    let mut text = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '[' => {
                text.push(rest.next().unwrap());
                assert!(rest.any(|c| c == ']'));
            }
            'x' => text.push('1'),
            digit => text.push(digit),
        }
    }
    text
}

/// Bare digits of these countries' examples may be a local number, so they are none of ours: area codes and subscriber
/// numbers of any length (AT, AX, DE, FI), or short national numbers beside local ones as long.
const LOCAL_LOOKALIKES: [&str; 13] = ["AL", "AT", "AX", "BR", "CA", "DE", "FI", "HR", "IE", "IR", "PK", "SE", "UY"];

/// Examples of a fixed or mobile number that some pattern of the other kind matches too, so that libphonenumber itself
/// calls them both.
const BOTH_KINDS: [&str; 12] = ["CL", "DK", "DO", "FM", "IN", "JM", "MU", "MX", "PM", "TN", "UZ", "WF"];

#[test]
fn example_numbers_in_every_dialled_form() {
    let world = World::shipped();
    let file: toml::Table = COUNTRIES.parse().unwrap();
    let territories = file["territory"].as_array().unwrap();
    let code = |country: &str| {
        territories.iter().find(|t| t["country"].as_str() == Some(country)).unwrap()["calling_code"].as_integer()
    };
    let (mut forms, mut lookalikes) = (0, std::collections::BTreeSet::new());
    for row in rows(EXAMPLES) {
        let [country, kind, national, e164] = row[..] else { panic!("{row:?}") };
        let territory = territories.iter().find(|t| t["country"].as_str() == Some(country)).unwrap();
        let territory = territory.as_table().unwrap();
        // Canada's 310-XXXX exists only as dialled inside Canada: R3 gives +1 eleven digits.
        let plus = if e164.starts_with("1310") && e164.len() == 8 { "WrongLength".into() } else { format!("+{e164}") };
        let mut dialled =
            vec![(country, format!("+{e164}")), ("DE", format!("00{e164}")), ("US", format!("011{e164}"))];
        if country != "001" {
            let international = fronts(territory, "international");
            let trunk = fronts(territory, "trunk");
            assert!(!international.is_empty(), "{country} has no international prefix");
            dialled.extend(international.iter().map(|front| (country, format!("{front}{e164}"))));
            dialled.extend(trunk.iter().map(|front| (country, format!("{front}{national}"))));
        }
        for (home, text) in dialled {
            assert_eq!(world.read(home, &text), plus, "{text} dialled at {home}: {country} {kind}");
            forms += 1;
        }
        if country != "001" {
            match world.read(country, national) {
                local if local == "Local" => drop(lookalikes.insert(country)),
                number => assert_eq!(number, plus, "{national} dialled at {country}"),
            }
        }
        let class = world.class_of(e164);
        let (class_country, class_kind) = class.split_once(' ').unwrap();
        let kind_fits = class_kind == kind
            || class_kind == "fixed_or_mobile" && matches!(kind, "fixed" | "mobile") && BOTH_KINDS.contains(&country);
        // Toll-free numbers and the like belong to the whole calling code: the metadata lists them under each
        // territory and gives them to the main one.
        let country_fits = class_country == country || code(class_country) == code(country);
        assert!(kind_fits && country_fits, "{e164} of {country} {kind} is {class}");
    }
    assert_eq!(lookalikes.into_iter().collect::<Vec<_>>(), LOCAL_LOOKALIKES);
    assert!(forms > 5_000, "{forms}");
}
