//! The short way beside the general one: the same record, or the same refusal, for any bytes.

use proptest::prelude::*;

use crate::wire::csv::Columns;
use crate::wire::plain::Day;
use crate::wire::{Field, Scratch, csv, json};

/// A value as it stands in a row, and as it stands in an object.
fn value(field: Field) -> BoxedStrategy<(String, bool)> {
    let text = |regex: &'static str| regex.prop_map(|text| (text, true));
    let number = |regex: &'static str| regex.prop_map(|text| (text, false));
    let usual = match field {
        Field::Start | Field::Answer | Field::End => prop_oneof![
            4 => text("2026-10-0[45]T(0[0-9]|1[0-9]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?Z"),
            1 => text("2026-1[0-3]-[0-3][0-9][T ]2[0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,8})?(Z|\\+02:00)"),
            1 => number("1[0-9]{9}(\\.[0-9]{1,7})?|1[0-9]{11,13}"),
        ]
        .boxed(),
        Field::Duration => {
            prop_oneof![2 => number("[1-9][0-9]{0,3}(\\.[0-9]{1,8})?"), 1 => text("[0-9]{0,3}(\\.[0-9]{0,2})?")].boxed()
        }
        Field::Direction => text("outbound|inbound").boxed(),
        Field::Seq => number("0|[1-9][0-9]{0,20}").boxed(),
        Field::Cause => prop_oneof![number("1[0-9]{0,2}"), text("[A-Z ]{0,9}")].boxed(),
        _ => text("[+0-9a-z@.:-]{1,20}").boxed(),
    };
    let unusual = prop_oneof![
        text("[ -~]{0,9}"),
        number("-?0?[0-9]{1,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9])?|null|true|\\[1\\]|\\{\\}"),
        text("[ é\\\\\"\u{1}\t,;]{0,3}"),
        Just(("x".repeat(1025), true)),
        Just(("y".repeat(256), true)),
    ];
    prop_oneof![30 => usual, 1 => unusual].boxed()
}

fn members() -> impl Strategy<Value = Vec<(Field, (String, bool))>> {
    let one = |field: Field| value(field).prop_map(move |value| (field, value));
    let needed = [Field::Id, Field::Source, Field::Destination, Field::Duration].map(one);
    let more = prop::sample::select(Field::ALL.to_vec()).prop_flat_map(one);
    // A field that comes twice is rare: the first of its kind stays in nearly all.
    (needed, proptest::collection::vec(more, 0..5), prop::bool::weighted(0.05)).prop_map(|(needed, more, twice)| {
        let mut all: Vec<_> = needed.into();
        for one in more {
            if twice || all.iter().all(|(field, _)| *field != one.0) {
                all.push(one);
            }
        }
        all
    })
}

fn object(members: &[(Field, (String, bool))], comma: &str, colon: &str) -> String {
    let quoted = |text: &str| format!("\"{text}\"");
    let value = |(text, is_text): &(String, bool)| if *is_text { quoted(text) } else { text.clone() };
    let members: Vec<_> =
        members.iter().map(|(field, one)| format!("{}{colon}{}", quoted(field.name()), value(one))).collect();
    format!("{{{}}}", members.join(comma))
}

fn row(members: &[(Field, (String, bool))], separator: &str) -> (String, String) {
    let names: Vec<_> = members.iter().map(|(field, _)| field.name()).collect();
    let cells: Vec<_> = members.iter().map(|(_, (text, _))| text.as_str()).collect();
    (names.join(separator), cells.join(separator))
}

fn check_object(line: &[u8], scratch: &mut Scratch) {
    let general = json::general(line, b"listener", &mut Scratch::default()).map(|r| format!("{r:?}"));
    let short = json::decode(line, b"listener", scratch).map(|r| format!("{r:?}"));
    assert_eq!(short, general, "{}", String::from_utf8_lossy(line));
}

fn check_row(line: &[u8], columns: &Columns, scratch: &mut Scratch) {
    let general = csv::general(line, columns, b"listener", &mut Scratch::default()).map(|r| format!("{r:?}"));
    let short = csv::decode(line, columns, b"listener", scratch).map(|r| format!("{r:?}"));
    assert_eq!(short, general, "{}", String::from_utf8_lossy(line));
}

/// A change to one byte of a line.
fn spoiled(line: &str, at: prop::sample::Index, byte: u8) -> Vec<u8> {
    let mut bytes = line.as_bytes().to_vec();
    let at = at.index(bytes.len());
    bytes[at] = byte;
    bytes
}

/// Bytes that mean something, and any other.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![prop::sample::select(b"\"\\,:{}[] .-0Ze\t;\n\x7f\x80".to_vec()), any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn objects(lines in proptest::collection::vec(members(), 1..3), spaces in "(, ?|,  |\n,):( ?|  )", at in any::<prop::sample::Index>(), byte in byte()) {
        let (comma, colon) = spaces.split_at(spaces.find(':').unwrap());
        let mut scratch = Scratch::default();
        for members in lines {
            let line = object(&members, comma, colon);
            check_object(line.as_bytes(), &mut scratch);
            check_object(&spoiled(&line, at, byte), &mut scratch);
            check_object(line.get(..at.index(line.len())).unwrap_or_default().as_bytes(), &mut scratch);
        }
    }

    #[test]
    fn rows(lines in proptest::collection::vec(members(), 1..3), separator in "[,;\t]", at in any::<prop::sample::Index>(), byte in byte()) {
        let mut scratch = Scratch::default();
        for members in lines {
            let (header, line) = row(&members, &separator);
            let Ok(columns) = Columns::from_header(header.as_bytes()) else { continue };
            check_row(line.as_bytes(), &columns, &mut scratch);
            check_row(&spoiled(&line, at, byte), &columns, &mut scratch);
            check_row(line.get(..at.index(line.len())).unwrap_or_default().as_bytes(), &columns, &mut scratch);
        }
    }
}

/// The comparison says little if nothing goes the short way, or everything does.
#[test]
fn both_ways_are_gone() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut objects, mut rows) = (0, 0);
    for _ in 0..1000 {
        let members = members().new_tree(&mut runner).unwrap().current();
        objects += usize::from(json::is_plain(object(&members, ", ", ": ").as_bytes(), &mut Day::default()));
        let (header, line) = row(&members, ",");
        let columns = Columns::from_header(header.as_bytes());
        rows += usize::from(columns.is_ok_and(|c| csv::is_plain(line.as_bytes(), &c, &mut Day::default())));
    }
    assert!((500..950).contains(&objects), "{objects} of 1000 objects");
    assert!((500..950).contains(&rows), "{rows} of 1000 rows");
}
