//! Numbers from the outside: the shipped country rules and numbering plan against checked facts, example numbers of every
//! territory, and another implementation.

use callrated::number::classify::{self, Class, NumberingPlan};
use callrated::number::countries::Countries;
use callrated::number::dialling::{BadNumber, Dialled, Special, normalise_international};
use callrated::number::{Country, Number, NumberKind};

const COUNTRIES: &str = include_str!("../rates/countries.toml");
const NUMBERING: &str = include_str!("../rates/numbering.csv");
const FACTS: &str = include_str!("data/numbering_facts.csv");
const EXAMPLES: &str = include_str!("data/example_numbers.csv");

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
        for (home, text, expected) in table {
            assert_eq!(self.read(home, text), *expected, "{text} dialled at {home}");
        }
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
