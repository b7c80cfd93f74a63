//! Random numbers: what must hold for all of them, and what libphonenumber (as rlibphonenumber) says of them.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rlibphonenumber::enums::{PhoneNumberFormat, PhoneNumberType};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber};

use super::*;

fn world() -> &'static (World, Vec<classify::NumberingRow>) {
    static WORLD: std::sync::OnceLock<(World, Vec<classify::NumberingRow>)> = std::sync::OnceLock::new();
    WORLD.get_or_init(|| (World::shipped(), classify::parse(NUMBERING).unwrap()))
}

pub fn kind_name(kind: PhoneNumberType) -> &'static str {
    match kind {
        PhoneNumberType::FixedLine => "fixed",
        PhoneNumberType::Mobile => "mobile",
        PhoneNumberType::FixedLineOrMobile => "fixed_or_mobile",
        PhoneNumberType::TollFree => "toll_free",
        PhoneNumberType::PremiumRate => "premium",
        PhoneNumberType::SharedCost => "shared_cost",
        PhoneNumberType::VoIP => "voip",
        PhoneNumberType::PersonalNumber => "personal",
        PhoneNumberType::Pager => "pager",
        PhoneNumberType::UAN => "uan",
        PhoneNumberType::VoiceMail => "voicemail",
        PhoneNumberType::Unknown => "unknown",
    }
}

/// Where the two differ, and why it is right that they do.
fn may_differ(country: &str, ours: &str, theirs: &str) -> bool {
    match country {
        // Canada's 310-XXXX numbers exist only as dialled inside Canada; R3 gives +1 eleven digits.
        "CA" if ours == "WrongLength" => theirs.starts_with("+1310"),
        // Bulgaria's 00 800 1234567 is a number of its own plan; they read an international prefix and +800, one digit short.
        "BG" => ours.starts_with("+35900800") && theirs.starts_with("+800"),
        // They write pager and voice mailbox numbers without a trunk prefix, and read any bare digits as national ones.
        _ => ours == "Local" && LOCAL_LOOKALIKES.contains(&country),
    }
}

/// Valid numbers from the rows of the numbering plan: the same number from the way in which their own country writes them.
/// Their metadata is newer than ours here, so only what both hold to be valid is compared; `plan` compares classes.
#[test]
fn agrees_with_libphonenumber() {
    let (world, rows) = world();
    let valid = Cell::new(0);
    let config = Config { cases: 4_000, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let numbers = (0..rows.len(), "[0-9]{15}", 9usize..=15);
    let outcome = runner.run(&numbers, |(row, more, length)| {
        let row = &rows[row];
        let digits = format!("{}{more}", row.prefix);
        // The first length from the random one on that the kind can have.
        let fits = |n: &usize| {
            let number = Number::from_digits(&digits.as_bytes()[..*n]).unwrap();
            let class = Class { country: row.country, kind: row.kind };
            row.lengths >> n & 1 == 1 || row.lengths == 0 && world.countries.length_fits(number, class)
        };
        let Some(length) = (length..=15).chain(row.prefix.len().max(5)..length).find(fits) else { return Ok(()) };
        let e164 = format!("+{}", &digits[..length]);
        let e164_of = |number: &PhoneNumber| number.format_as(PhoneNumberFormat::E164).to_string();
        let Ok(number) = PHONE_NUMBER_UTIL.parse(&e164, None) else { return Ok(()) };
        if !number.is_valid() || e164_of(&number) != e164 || world.class_of(&e164).ends_with("unknown") {
            return Ok(());
        }
        valid.set(valid.get() + 1);
        let region = PHONE_NUMBER_UTIL.get_region_for_number(&number);
        let name = region.map_or("?".to_owned(), |r| format!("{r:?}").replace("World", "001"));
        let mut pairs = vec![(world.read("", &e164), e164.clone())];
        if let Some(region) = region.filter(|_| name != "001") {
            let written = number.format_as(PhoneNumberFormat::National).to_string();
            let read = PHONE_NUMBER_UTIL.parse(&written, Some(region)).map(|n| e164_of(&n));
            pairs.push((world.read(&name, &written), read.unwrap_or_default()));
        }
        for (ours, theirs) in pairs {
            prop_assert!(ours == theirs || may_differ(&name, &ours, &theirs), "{e164}: {ours}, theirs {theirs}");
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    assert!(valid.get() > 1_500, "only {} of the numbers were valid", valid.get());
}

/// Texts near to numbers, and any others.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let near = "(\"A\" <)?(sip:|sips:|tel:|\\+)?[0-9+()*#,.pw/ ~-]{0,25}(;ext=[0-9]{1,3}|;phone-context=\\+[0-9]{1,4})?(@h)?>?";
    prop_oneof![near.prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..80)]
}

proptest! {
    #![proptest_config(Config { cases: 2_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in texts(), strip in "[0-9*#]{0,5}", home in any::<prop::sample::Index>()) {
        let (world, _) = world();
        let territories: Vec<Country> = world.countries.territories().collect();
        let Some(plan) = world.countries.get(territories[home.index(territories.len())]) else { return Ok(()) };
        let dialled = Dialled::read(&text);
        let stripped = dialled.stripped(&[strip]);
        for dialled in [dialled, stripped] {
            let _ = plan.special(&dialled);
            let _ = normalise_international(&dialled, &world.countries);
            for numbering in [None, Some(world.plan())] {
                if let Ok(number) = plan.normalise(&dialled, &world.countries, numbering) {
                    prop_assert!((5..=15).contains(&number.len()));
                    prop_assert!(world.countries.calling_code(number).is_some());
                }
            }
        }
    }

    #[test]
    fn what_was_normalised_stays(digits in "(00|011|0|8|1)?[0-9]{5,14}", home in any::<prop::sample::Index>()) {
        let (world, _) = world();
        let territories: Vec<Country> = world.countries.territories().collect();
        let Some(plan) = world.countries.get(territories[home.index(territories.len())]) else { return Ok(()) };
        let normalise = |text: &str| {
            plan.normalise(&Dialled::read(text.as_bytes()), &world.countries, Some(world.plan()))
        };
        if let Ok(number) = normalise(&digits) {
            prop_assert_eq!(normalise(&format!("+{number}")), Ok(number));
        }
    }
}
