//! The numbering plan against libphonenumber (as rlibphonenumber): country and kind of every example number, of numbers
//! at and beside every row of `numbering.csv`, and of random digits behind every calling code; valid or not.
//!
//! rlibphonenumber is given the very metadata of which `numbering.csv` is made, for its own is of another version. It
//! walks the expressions with a regex engine and knows nothing of prefixes. [`DIFFERENCES`] lists where the two may differ.

// The crate marks the fields of its metadata so, for whoever would read them from what it gives out. Here it is given them.
#![allow(deprecated)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::LazyLock;

use quick_xml::events::Event;
use rlibphonenumber::{PhoneMetadata, PhoneMetadataCollection, PhoneNumber, PhoneNumberDesc, PhoneNumberUtil};

use super::random::kind_name;
use super::*;

const METADATA: &[u8] = include_bytes!("../data/PhoneNumberMetadata.xml.gz");

static LIBPHONENUMBER: LazyLock<PhoneNumberUtil> = LazyLock::new(|| {
    let mut xml = String::new();
    flate2::read::GzDecoder::new(METADATA).read_to_string(&mut xml).unwrap();
    PhoneNumberUtil::new_for_metadata(PhoneMetadataCollection { metadata: territories(&xml) }).unwrap()
});

/// What tells kinds apart, as libphonenumber's own build step makes it of the XML: a kind that a territory has not is
/// possible at no length.
fn territories(xml: &str) -> Vec<PhoneMetadata> {
    let none = || Some(PhoneNumberDesc { possible_length: vec![-1], ..PhoneNumberDesc::default() });
    let mut found: Vec<PhoneMetadata> = Vec::new();
    let (mut reader, mut path) = (quick_xml::Reader::from_str(xml), Vec::<String>::new());
    loop {
        let event = reader.read_event().unwrap();
        let (Event::Start(tag) | Event::Empty(tag)) = &event else {
            match event {
                Event::Text(text) if path.last().is_some_and(|tag| tag == "nationalNumberPattern") => {
                    let pattern = text.decode().unwrap().split_whitespace().collect::<String>();
                    let kind = &path[path.len() - 2];
                    if let Some(desc) = found.last_mut().and_then(|territory| desc(territory, kind)) {
                        desc.national_number_pattern = Some(anchored(&pattern));
                    }
                }
                Event::End(_) => drop(path.pop()),
                Event::Eof => break,
                _ => {}
            }
            continue;
        };
        let name = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
        let attribute = |key: &str| {
            let value = tag.try_get_attribute(key).unwrap()?.value;
            Some(String::from_utf8(value.to_vec()).unwrap().split_whitespace().collect::<String>())
        };
        if name == "territory" {
            found.push(PhoneMetadata {
                id: attribute("id").unwrap(),
                country_code: attribute("countryCode").map(|code| code.parse().unwrap()),
                main_country_for_code: attribute("mainCountryForCode").map(|main| main == "true"),
                leading_digits: attribute("leadingDigits").map(|digits| anchored(&digits)),
                general_desc: Some(PhoneNumberDesc::default()),
                fixed_line: none(),
                mobile: none(),
                toll_free: none(),
                premium_rate: none(),
                shared_cost: none(),
                personal_number: none(),
                voip: none(),
                pager: none(),
                uan: none(),
                voicemail: none(),
                ..PhoneMetadata::default()
            });
        } else if name == "possibleLengths"
            && let Some(desc) = found.last_mut().and_then(|territory| desc(territory, path.last().unwrap()))
        {
            desc.possible_length = lengths(&attribute("national").unwrap());
        }
        if matches!(event, Event::Start(_)) {
            path.push(name);
        }
    }
    for territory in &mut found {
        territory.same_mobile_and_fixed_line_pattern =
            Some(pattern(&territory.fixed_line) == pattern(&territory.mobile));
    }
    found
}

/// The form in which the crate keeps expressions.
fn anchored(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}

fn pattern(desc: &Option<PhoneNumberDesc>) -> &str {
    desc.as_ref().map_or("", |desc| desc.national_number_pattern())
}

fn desc<'a>(territory: &'a mut PhoneMetadata, kind: &str) -> Option<&'a mut PhoneNumberDesc> {
    match kind {
        "generalDesc" => territory.general_desc.as_mut(),
        "fixedLine" => territory.fixed_line.as_mut(),
        "mobile" => territory.mobile.as_mut(),
        "tollFree" => territory.toll_free.as_mut(),
        "premiumRate" => territory.premium_rate.as_mut(),
        "sharedCost" => territory.shared_cost.as_mut(),
        "personalNumber" => territory.personal_number.as_mut(),
        "voip" => territory.voip.as_mut(),
        "pager" => territory.pager.as_mut(),
        "uan" => territory.uan.as_mut(),
        "voicemail" => territory.voicemail.as_mut(),
        _ => None,
    }
}

/// `7,[9-11]` → 7, 9, 10, 11.
fn lengths(text: &str) -> Vec<i32> {
    let part = |part: &str| {
        let bounds = part.trim_matches(['[', ']']);
        let (low, high) = bounds.split_once('-').unwrap_or((bounds, bounds));
        low.parse().unwrap()..=high.parse().unwrap()
    };
    text.split(',').flat_map(part).collect()
}

/// What libphonenumber says of these digits: `DE fixed`, or `invalid`.
fn theirs(code: &str, national: &str) -> String {
    let zeros = national.len() - national.trim_start_matches('0').len();
    let zeros = zeros.min(national.len() - 1);
    let number = PhoneNumber {
        country_code: code.parse().unwrap(),
        national_number: national.parse().unwrap(),
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: (zeros > 0).then_some(zeros as i32),
        ..PhoneNumber::default()
    };
    match LIBPHONENUMBER.get_region_for_number(&number) {
        Some(region) if LIBPHONENUMBER.is_valid_number(&number) => {
            let name = format!("{region:?}").replace("World", "001");
            format!("{name} {}", kind_name(LIBPHONENUMBER.get_number_type(&number)))
        }
        _ => "invalid".to_owned(),
    }
}

fn ours(world: &World, digits: &str) -> String {
    let number = Number::from_digits(digits.as_bytes()).unwrap();
    world.plan().classify(number).map_or("invalid".to_owned(), |c| format!("{} {}", c.country, c.kind.name()))
}

/// Every class of difference: what it is, the digits with which all its numbers begin, and the most that any test finds.
///
/// 07924 is the Isle of Man's: Ofcom says so, and so does the metadata's Manx expression, but libphonenumber asks the British
/// one first. `generate_numbering.py` has it by hand.
const DIFFERENCES: [(&str, &str, usize); 1] = [("44: IM mobile, theirs GB mobile", "447924", 60)];

/// Differences by what they are: `91: IN fixed_or_mobile, theirs IN mobile` → numbers.
struct Compared {
    world: World,
    codes: BTreeSet<String>,
    numbers: usize,
    valid: usize,
    differing: BTreeMap<String, Vec<String>>,
}

impl Compared {
    fn new() -> Compared {
        let file: toml::Table = COUNTRIES.parse().unwrap();
        let territories = file["territory"].as_array().unwrap();
        let codes = territories.iter().map(|t| t["calling_code"].to_string()).collect();
        Compared { world: World::shipped(), codes, numbers: 0, valid: 0, differing: BTreeMap::new() }
    }

    fn number(&mut self, digits: &str) {
        let code = (1..=3).map(|n| digits.get(..n).unwrap_or("")).find(|code| self.codes.contains(*code));
        let Some(code) = code.filter(|code| code.len() < digits.len() && (5..=15).contains(&digits.len())) else {
            return;
        };
        let (ours, theirs) = (ours(&self.world, digits), theirs(code, &digits[code.len()..]));
        self.numbers += 1;
        self.valid += usize::from(theirs != "invalid");
        if ours != theirs {
            self.differing.entry(format!("{code}: {ours}, theirs {theirs}")).or_default().push(digits.to_owned());
        }
    }

    fn nothing_else_differs(&self, at_least: usize, at_least_valid: usize) {
        let allowed = |what: &str, numbers: &[String]| {
            let listed = DIFFERENCES.iter().find(|(class, ..)| *class == what);
            listed
                .is_some_and(|(_, front, most)| numbers.len() <= *most && numbers.iter().all(|n| n.starts_with(front)))
        };
        let classes = self.differing.iter().filter(|(what, numbers)| !allowed(what, numbers));
        let classes: Vec<String> =
            classes.map(|(what, n)| format!("{what}: {} numbers, such as {}", n.len(), n[0])).collect();
        assert!(classes.is_empty(), "of {} numbers: {classes:#?}", self.numbers);
        let (numbers, valid) = (self.numbers, self.valid);
        assert!(numbers >= at_least && valid >= at_least_valid, "{numbers} compared, {valid} of them valid");
    }
}

/// A generator of one's own: the same numbers in every run and under every version of a library.
struct Seeded(u64);

impl Seeded {
    fn digit(&mut self) -> char {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        char::from(b'0' + ((self.0 >> 20) % 10) as u8)
    }

    fn fill(&mut self, prefix: &str, length: usize) -> String {
        let mut digits = prefix.to_owned();
        while digits.len() < length {
            digits.push(self.digit());
        }
        digits
    }
}

#[test]
fn every_example_number_and_its_neighbours() {
    let mut compared = Compared::new();
    for row in rows(EXAMPLES) {
        let [_, _, _, e164] = row[..] else { panic!("{row:?}") };
        compared.number(e164);
        // One digit more or less, and each digit replaced by each other.
        compared.number(&e164[..e164.len() - 1]);
        compared.number(&format!("{e164}0"));
        for at in 0..e164.len() {
            for digit in '0'..='9' {
                let (front, rest) = (&e164[..at], &e164[at + 1..]);
                if !e164[at..].starts_with(digit) {
                    compared.number(&format!("{front}{digit}{rest}"));
                }
            }
        }
    }
    compared.nothing_else_differs(100_000, 40_000);
}

#[test]
fn at_and_beside_every_row() {
    let mut compared = Compared::new();
    let mut random = Seeded(0x2026_1122);
    for row in classify::parse(NUMBERING).unwrap() {
        let prefix = row.prefix.to_string();
        let (front, last) = prefix.split_at(prefix.len() - 1);
        let beside = char::from(b'0' + (last.as_bytes()[0] - b'0' + 1) % 10);
        for length in (5..=15).filter(|length| row.lengths >> length & 1 == 1 || row.lengths == 0) {
            compared.number(&random.fill(&prefix, length));
            compared.number(&random.fill(&format!("{front}{beside}"), length));
            compared.number(&random.fill(front, length));
        }
        // One length that the row does not speak of.
        if let Some(length) = (prefix.len().max(5)..=15).find(|length| row.lengths >> length & 1 == 0) {
            compared.number(&random.fill(&prefix, length));
        }
    }
    compared.nothing_else_differs(150_000, 60_000);
}

#[test]
fn random_digits_behind_every_calling_code() {
    let mut compared = Compared::new();
    let mut random = Seeded(0x0911_0880);
    for code in compared.codes.clone() {
        for length in 5..=15 {
            for _ in 0..60 {
                compared.number(&random.fill(&code, length));
            }
        }
        // The first three national digits, all of them, at the lengths that most plans have.
        for front in 0..1000 {
            for length in [code.len() + 8, code.len() + 9, code.len() + 10] {
                if code == "1" && length == 11 || code.len() > 1 && front % 7 == length % 7 {
                    compared.number(&random.fill(&format!("{code}{front:03}"), length));
                }
            }
        }
    }
    compared.nothing_else_differs(200_000, 14_000);
}

/// Every area code of +1: only those of libphonenumber are known, and toll-free are 800, 833, 844, 855, 866, 877, 888
/// alone (trap 37).
#[test]
fn every_area_code_of_north_america() {
    let world = World::shipped();
    let mut toll_free = Vec::new();
    for area in 0..1000 {
        for line in ["2345678", "9999999", "0345678", "1345678", "2005550"] {
            let national = format!("{area:03}{line}");
            let ours = ours(&world, &format!("1{national}"));
            assert_eq!(ours, theirs("1", &national), "+1{national}");
            if ours == "US toll_free" && line == "2345678" {
                toll_free.push(area);
            }
        }
    }
    assert_eq!(toll_free, [800, 833, 844, 855, 866, 877, 888]);
}
