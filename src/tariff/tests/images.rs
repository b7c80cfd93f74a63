//! Images: digest, damage, foreign bytes.

use super::*;
use proptest::prelude::*;

fn image() -> Vec<u8> {
    let plans = r#"
        [plan.p]
        country = "DE"
        currency = "EUR"
        included_minutes = "unlimited"
        decks = ["a", "b"]
        [plan.q]
        country = "DE"
        currency = "EUR"
        overage_rate = "1"
        included = ["BR:mobile"]
        decks = ["b"]
        steps = { increment = 6 }
    "#;
    let a: String = (100..200).map(|i| format!("{i},0.{i},,Somewhere {}\n", i / 7)).collect();
    let a = format!("prefix,rate,valid_from,destination\n{a}150,1,2026-01-01,Late\n");
    let b = "prefix,rate,call_type,days,hours,origin,length,after,rate_interstate\n\
             1,0.5,,,,,,,0.4\n15,0.25,international,,,,,,\n4930,0.01,,mon-fri,8-18,,,,\n4930,0.02,,sat;sun,,,,,\n\
             4930,0.03,,,,49,10-12,,\n4930,0.04,,mon-fri,8-18,,,60,\n4930,0.05,,,,anonymous,,,\nDE:118,2,,,,,,,\n";
    let states = "prefix,state\n1234,NY\n1501,CA\n".into();
    compile(&RatesText { states, ..rates(plans, &[("a", &a), ("b", b)]) }).unwrap().image
}

/// The image of a folder that version 0.1.0 wrote opens and answers.
#[test]
fn images_of_layout_1_stay_readable() {
    const IMAGE: &[u8] = include_bytes!(
        "../../../tests/data/folder-v1/images/e80f1155b14b324636b2c5ea1e886aa7e022f6cf9fae36fd4c16d7b1789735b9.tariff.gz"
    );
    let mut image = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(IMAGE), &mut image).unwrap();
    assert_eq!(image[8..12], [1, 0, 0, 0]);
    let tariff = Tariff::open(Bytes::from(image)).unwrap();
    let plan = tariff.plan_named("de").unwrap();
    let row = tariff.lookup(plan, Side::Outbound, number("442079460018"), at("2026-06-01T00:00:00Z")).unwrap();
    assert_eq!((row.deck, row.condition, row.by_band, row.next_after), ("world", 0, false, u32::MAX));
    assert_eq!(tariff.plan(plan).bands, Bands::Start);
    exercise(&tariff);
}

/// Asks everything that can be asked.
fn exercise(tariff: &Tariff) {
    let numbers: Vec<Number> = (0..64)
        .map(|i| Number(0x1234_5678_9AAA_AAAA_u64.rotate_left(i) ^ u64::from(i)))
        .chain([number("1501"), number("4930")])
        .collect();
    let mut out = vec![None; numbers.len()];
    for plan in (0..tariff.plans().len() as u16 + 1).map(PlanId) {
        for answer in [Timestamp(i64::MIN), Timestamp(0), at("2026-06-01T00:00:00Z"), Timestamp(i64::MAX)] {
            let asked = Asked { second: 60, ..Asked::at_answer(answer, Some(number("1234"))) };
            for number in &numbers {
                tariff.lookup_typed(plan, *number, asked);
                tariff.lookup(plan, Side::Outbound, *number, asked).map(|row| tariff.condition_words(&row));
            }
            for side in [Side::Outbound, Side::Inbound] {
                for number in &numbers {
                    tariff.lookup(plan, side, *number, answer);
                }
                tariff.lookup_batch(plan, side, &numbers, &vec![answer; numbers.len()], &mut out);
            }
            numbers.iter().for_each(|number| {
                tariff.lookup_typed(plan, *number, answer);
            });
        }
        for number in &numbers {
            let class = tariff.classify(*number);
            tariff.plan_includes(plan, class);
            tariff.steps(plan, class.country, Some(class), None);
        }
    }
    (0..tariff.row_count() + 2).for_each(|row| {
        tariff.row(RowId(row));
    });
    tariff.short_code(Country::parse("DE").unwrap(), b"118");
}

#[test]
fn the_digest_names_the_content() {
    let image = image();
    let tariff = Tariff::open(Bytes::from(image.clone())).unwrap();
    assert_eq!(tariff.digest(), blake3::hash(&image[..image.len() - 32]).to_hex().as_str());
    // Another layout of the same rates is another version of it: see the crate's first page.
    assert_eq!(tariff.digest(), "a6a668f1d97ea10662c361d7a9852ceb7c2848a19e6473831dbfd7bef70071e4");
    assert_eq!(tariff.bytes().as_ref(), image);
    exercise(&tariff);
}

#[test]
fn foreign_newer_and_short_images_are_told_apart() {
    let open = |bytes: Vec<u8>| Tariff::open(Bytes::from(bytes)).err();
    let good = image();
    assert_eq!(open(Vec::new()), Some(ImageError::Foreign));
    assert_eq!(open(b"PK\x03\x04 something else entirely".to_vec()), Some(ImageError::Foreign));
    let mut newer = good.clone();
    newer[8] = 3;
    assert_eq!(open(newer), Some(ImageError::Newer(3)));
    assert_eq!(open(good[..good.len() - 1].to_vec()), Some(ImageError::Damaged("the digest is another")));
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(open(longer), Some(ImageError::Damaged("the digest is another")));
}

#[test]
fn an_image_lies_anywhere_in_memory() {
    let image = image();
    let mut shifted = vec![0];
    shifted.extend_from_slice(&image);
    let tariff = Tariff::open(Bytes::from(shifted).slice(1..)).unwrap();
    exercise(&tariff);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any one bit is noticed.
    #[test]
    fn a_flipped_bit_is_refused(place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = image();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Tariff::open(Bytes::from(bytes)).is_err());
    }

    /// Damage by somebody who makes the digest fit: refused, or every question is answered.
    #[test]
    fn forged_images_never_panic(places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 20)) {
        let good = image();
        for (place, value) in places {
            let mut bytes = good.clone();
            let content = bytes.len() - 32;
            bytes[place.index(content)] = value;
            let digest = blake3::hash(&bytes[..content]);
            bytes[content..].copy_from_slice(digest.as_bytes());
            if let Ok(tariff) = Tariff::open(Bytes::from(bytes)) {
                exercise(&tariff);
            }
        }
    }

    #[test]
    fn foreign_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), version in 0..3_u8) {
        let _ = Tariff::open(Bytes::from(bytes.clone()));
        // With magic, version and a digest that fits.
        if bytes.len() > 60 {
            bytes[..8].copy_from_slice(b"cRtariff");
            let sections = bytes[12] % 8;
            bytes[8..16].copy_from_slice(&[version, 0, 0, 0, sections, 0, 0, 0]);
            let content = bytes.len() - 32;
            let digest = blake3::hash(&bytes[..content]);
            bytes[content..].copy_from_slice(digest.as_bytes());
            let _ = Tariff::open(Bytes::from(bytes));
        }
    }

    /// Rates that somebody damaged: refused with findings, or an image that opens.
    #[test]
    fn damaged_rates_are_refused_or_compiled(
        file in 0..4_usize, place in any::<prop::sample::Index>(), cut in 0..4_usize, put in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let plans = "[plan.p]\ncountry = \"DE\"\ncurrency = \"EUR\"\noverage_rate = \"1\"\ndecks = [\"a\"]\nsteps = { increment = 6 }\n";
        let mut text = rates(plans, &[("a", "prefix,rate,increment,valid_from,destination\n49,0.02,60/60,2026-01-01,\"x, y\"\nDE:118,1,,,\n")]);
        let bytes = match file {
            0 => &mut text.countries,
            1 => &mut text.numbering,
            2 => &mut text.plans,
            _ => &mut text.decks[0].1,
        };
        let at = place.index(bytes.len());
        bytes.splice(at..(at + cut).min(bytes.len()), put);
        match compile(&text) {
            Ok(compiled) => exercise(&Tariff::open(Bytes::from(compiled.image)).unwrap()),
            Err(findings) => prop_assert!(findings.iter().any(|f| f.severity == Severity::Error)),
        }
    }
}
