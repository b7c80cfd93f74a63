//! The same records read another way: JSON by `serde_json`, rows by `csv-core`, numbers by `rust_decimal`, instants by `jiff`.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::record::Record;
use crate::wire::csv::Columns;
use crate::wire::{Refusal, Scratch, csv, json};

#[derive(Deserialize)]
struct Bare<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    node: Option<&'a RawValue>,
    account: Option<&'a RawValue>,
    forwarded_by: Option<&'a RawValue>,
    source: Option<&'a RawValue>,
    destination: Option<&'a RawValue>,
    cause: Option<&'a RawValue>,
    routing_number: Option<&'a RawValue>,
    incumbent_cost: Option<&'a RawValue>,
    incumbent_currency: Option<&'a RawValue>,
    incumbent_seconds: Option<&'a RawValue>,
    carrier: Option<&'a RawValue>,
    direction: Option<&'a RawValue>,
    start: Option<&'a RawValue>,
    answer: Option<&'a RawValue>,
    end: Option<&'a RawValue>,
    duration: Option<&'a RawValue>,
    seq: Option<&'a RawValue>,
}

/// Texts and microseconds of a record, or nothing where it is to be refused.
type Plain = Option<([String; 12], Option<String>, [Option<i128>; 4], Option<u64>)>;

fn plain(record: Result<Record<'_>, Refusal>) -> Plain {
    let r = record.ok()?;
    let text = |t: &[u8]| String::from_utf8(t.to_vec()).unwrap();
    let [a, b, c] = [r.incumbent_cost, r.incumbent_currency, r.incumbent_seconds];
    let own = [r.id, r.node, r.account, r.forwarded_by, r.source, r.destination, r.cause, r.routing_number];
    let [id, node, account, by, source, destination, cause, routing] = own;
    let texts = [id, node, account, by, source, destination, cause, routing, a, b, c, r.carrier].map(text);
    let times = [r.start.map(|t| t.0), r.answer.map(|t| t.0), r.end.map(|t| t.0), r.duration.map(|t| t.0)];
    Some((texts, r.direction.map(|d| d.name().to_owned()), times.map(|t| t.map(i128::from)), r.seq))
}

/// The text of a text or number; `Err` for any other kind.
fn text(value: Option<&RawValue>) -> Result<Option<String>, ()> {
    let Some(raw) = value.map(RawValue::get) else { return Ok(None) };
    match raw.as_bytes()[0] {
        b'"' => serde_json::from_str(raw).map(Some).map_err(|_| ()),
        b'-' | b'0'..=b'9' => Ok(Some(raw.to_owned())),
        _ => Err(()),
    }
}

/// A field whose kind does not matter: another kind is none, but a text must be one.
fn remark(value: Option<&RawValue>) -> Option<Option<String>> {
    match text(value) {
        Ok(text) => Some(text),
        Err(()) if value?.get().starts_with('"') => None,
        Err(()) => Some(None),
    }
}

fn seconds(text: &str) -> Option<(i128, bool)> {
    // rust_decimal takes a plus sign, JSON and we do not.
    if text.starts_with('+') {
        return None;
    }
    let decimal = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok()?;
    let micros = (decimal * Decimal::from(1_000_000)).trunc();
    Some((micros.try_into().ok()?, !text.contains(['.', 'e', 'E'])))
}

fn instant(text: &str) -> Option<i128> {
    if let Ok(t) = text.parse::<jiff::Timestamp>() {
        return Some(t.as_nanosecond().div_euclid(1000));
    }
    let (micros, whole) = seconds(text)?;
    Some(if whole && micros.abs() > 100_000_000_000_000_000 { micros / 1000 } else { micros })
}

fn by_serde(line: &str) -> Plain {
    let bare: Bare<'_> = serde_json::from_str(line).ok()?;
    let some = |value| text(value).ok();
    let id = some(bare.id)?.filter(|id| (1..=255).contains(&id.len()))?;
    let node = some(bare.node)?.filter(|n| !n.is_empty()).unwrap_or("listener".to_owned());
    let account = some(bare.account)?.unwrap_or_default();
    if [&id, &node, &account].iter().any(|t| t.bytes().any(|b| b < 32)) {
        return None;
    }
    let texts = [
        id,
        node,
        account,
        some(bare.forwarded_by)?.unwrap_or_default(),
        some(bare.source)??,
        some(bare.destination)??,
        remark(bare.cause)?.unwrap_or_default(),
        some(bare.routing_number)?.unwrap_or_default(),
        remark(bare.incumbent_cost)?.unwrap_or_default(),
        remark(bare.incumbent_currency)?.unwrap_or_default(),
        remark(bare.incumbent_seconds)?.unwrap_or_default(),
        remark(bare.carrier)?.unwrap_or_default(),
    ];
    let direction = some(bare.direction)?.filter(|d| !d.is_empty());
    if direction.as_ref().is_some_and(|d| d != "outbound" && d != "inbound") {
        return None;
    }
    let time = |value| -> Option<Option<i128>> {
        match some(value)?.filter(|t| !t.is_empty()) {
            None => Some(None),
            Some(text) => Some(Some(instant(&text)?)),
        }
    };
    let duration = match some(bare.duration)?.filter(|t| !t.is_empty()) {
        None => None,
        Some(text) => Some(seconds(&text)?.0),
    };
    let times = [time(bare.start)?, time(bare.answer)?, time(bare.end)?, duration];
    if times[2].is_none() && times[3].is_none() {
        return None;
    }
    Some((texts, direction, times, remark(bare.seq)?.and_then(|t| t.parse().ok())))
}

/// Fragments that are JSON values, or nearly.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\"[a-z0-9+:/ é]{0,12}\"",
        1 => r#""([a-c]|\\n|\\"|\\u00e9|\\ud83d\\ude00|\\ud800|\\x|\\u12){0,4}""#,
        3 => "-?(0|[1-9][0-9]{0,11})(\\.[0-9]{1,9})?",
        1 => "[0-9]{1,3}(\\.[0-9]{1,3})?[eE][+-]?[0-9]",
        1 => "0[0-9]|-|1\\.|\\.5|\"[0-9]{1,12}(\\.[0-9]{0,8})?\"",
        2 => Just("\"2026-10-05T09:00:00.25+02:00\"".to_owned()),
        1 => "\"(out|in)bound\"",
        2 => prop_oneof![Just("null"), Just("true"), Just("[1,{\"a\":[]}]"), Just("{}"), Just("[1,]"), Just("\"x")].prop_map(str::to_owned),
    ]
}

fn member() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        6 => prop::sample::select(super::super::Field::ALL.to_vec()).prop_map(|f| f.name().to_owned()),
        1 => "[a-z_]{0,4}|\\\\u0069d",
    ];
    (name, " ?", value()).prop_map(|(name, space, value)| format!("\"{name}\"{space}:{space}{value}"))
}

/// Records most of which are good: the required fields stand in front unless they are dropped.
fn object() -> impl Strategy<Value = String> {
    let required = (any::<[bool; 4]>(), "[a-z]{1,5}").prop_map(|(drop, id)| {
        let all = [
            format!("\"id\":\"{id}\""),
            "\"source\":\"+49\"".into(),
            "\"destination\":112".into(),
            "\"duration\":1.25".into(),
        ];
        // Two coins to drop one field: a quarter each would leave few good records.
        all.into_iter()
            .enumerate()
            .filter(|(i, _)| !(drop[*i] && drop[(i + 1) % 4] && drop[(i + 2) % 4]))
            .map(|(_, m)| m)
            .collect::<Vec<_>>()
    });
    (required, proptest::collection::vec(member(), 0..4), prop_oneof![8 => Just(""), 1 => Just(","), 1 => Just(" x")])
        .prop_map(|(mut members, more, end)| {
            members.extend(more);
            format!("{{{}{}}}", members.join(","), end)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn json_is_what_serde_json_reads(line in object()) {
        let ours = plain(json::decode(line.as_bytes(), b"listener", &mut Scratch::default()));
        prop_assert_eq!(ours, by_serde(&line), "{}", line);
    }
}

#[test]
fn the_records_made_up_here_are_good_and_bad() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let good = (0..1000).filter(|_| by_serde(&object().new_tree(&mut runner).unwrap().current()).is_some()).count();
    assert!((200..900).contains(&good), "{good} of 1000 are good: the comparison says little");
}

fn by_csv_core(row: &str) -> Vec<String> {
    let mut reader = csv_core::Reader::new();
    let (mut out, mut ends) = ([0; 1000], [0; 20]);
    let mut input = row.as_bytes().to_vec();
    input.push(b'\n');
    let (_, _, _, cells) = reader.read_record(&input, &mut out, &mut ends);
    let mut from = 0;
    ends[..cells]
        .iter()
        .map(|end| String::from_utf8(out[std::mem::replace(&mut from, *end)..*end].to_vec()).unwrap())
        .collect()
}

proptest! {
    #[test]
    fn rows_are_what_csv_core_reads(cells in proptest::collection::vec(prop_oneof!["[a-z0-9]{1,9}", "\"([a-z,;é]|\"\"){1,9}\""], 5)) {
        let columns = Columns::from_header(b"id,source,destination,node,duration").unwrap();
        let row = format!("{},{},{},{},1", cells[0], cells[1], cells[2], cells[3]);
        let mut scratch = Scratch::default();
        let record = csv::decode(row.as_bytes(), &columns, b"", &mut scratch).unwrap();
        let ours: Vec<_> = [record.id, record.source, record.destination, record.node].iter().map(|t| std::str::from_utf8(t).unwrap()).collect();
        prop_assert_eq!(&by_csv_core(&row)[..4], ours);
    }
}
