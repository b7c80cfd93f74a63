use proptest::prelude::*;

use super::elements::{Element, Elements};
use super::*;
use crate::record::Direction;
use crate::time::{Micros, Timestamp};

mod oracle;
mod plain;

/// Decodes one line as JSON and hands the record, or the refusal's label, to a check.
fn json<T>(line: &str, look: impl FnOnce(Result<Record<'_>, Refusal>) -> T) -> T {
    look(json::decode(line.as_bytes(), b"listener", &mut Scratch::default()))
}

const NATIVE: &str = r#"{"id":"c1","node":"lab","source":"+4930123456","destination":"015123456789","answer":"2026-10-05T09:00:00Z","duration":61}"#;
const ANSWER: i64 = 1_791_190_800_000_000;

#[test]
fn the_native_record_of_the_manual() {
    json(NATIVE, |record| {
        let record = record.unwrap();
        assert_eq!(
            record,
            Record {
                id: b"c1",
                node: b"lab",
                source: b"+4930123456",
                destination: b"015123456789",
                answer: Some(Timestamp(ANSWER)),
                duration: Some(Micros(61_000_000)),
                raw: NATIVE.as_bytes(),
                ..Record::default()
            }
        );
        // Every text is a place in the raw bytes: the canonical form is its head and the line.
        let mut canonical = Vec::new();
        record.encode(&mut canonical);
        assert_eq!(canonical.len(), 88 + NATIVE.len());
    });
}

#[test]
fn every_field_is_read() {
    let line = r#" { "seq" : 7 , "cause":16, "direction":"inbound","start":1791190790.5,"answer":1791190800123,"end":"1791190861.0000019",
        "forwarded_by":"+49301","account":"acme","source":4930123456,"destination":110,"id":12.50,"x":[{"y":null}], "duration":"6.1E1"} "#;
    json(line, |record| {
        let record = record.unwrap();
        assert_eq!((record.id, record.node), (&b"12.50"[..], &b"listener"[..]));
        assert_eq!((record.source, record.destination), (&b"4930123456"[..], &b"110"[..]));
        assert_eq!((record.account, record.forwarded_by, record.cause), (&b"acme"[..], &b"+49301"[..], &b"16"[..]));
        assert_eq!((record.direction, record.seq), (Some(Direction::Inbound), Some(7)));
        assert_eq!(record.start, Some(Timestamp(ANSWER - 9_500_000)));
        assert_eq!(record.answer, Some(Timestamp(ANSWER + 123_000)));
        assert_eq!(record.end, Some(Timestamp(ANSWER + 61_000_001)));
        assert_eq!(record.duration, Some(Micros(61_000_000)));
    });
}

#[test]
fn times() {
    let check = |text: &str, expected: Option<i64>| {
        let line = format!(r#"{{"id":"1","source":"a","destination":"b","duration":0,"answer":{text}}}"#);
        let got = json(&line, |r| r.map(|r| r.answer.map(|t| t.0)));
        match expected {
            Some(micros) => assert_eq!(got, Ok(Some(micros)), "{text}"),
            None => assert_eq!(got, Err(Refusal::Time("answer")), "{text}"),
        }
    };
    check("1791190800", Some(ANSWER));
    check("1791190800.1234567", Some(ANSWER + 123_456));
    check("\"1791190800.25\"", Some(ANSWER + 250_000));
    check("1791190800250", Some(ANSWER + 250_000));
    // 10¹¹ is still seconds, one more is milliseconds; a point makes it seconds.
    check("100000000000", Some(100_000_000_000_000_000));
    check("100000000001", Some(100_000_000_001_000));
    check("100000000001.0", Some(100_000_000_001_000_000));
    check("-1.5", Some(-1_500_000));
    check("0", Some(0));
    check("1.7911908e9", Some(ANSWER));
    check("17911908000E-1", Some(ANSWER));
    check("1e-400", Some(0));
    check("\"2026-10-05T11:00:00.5+02:00\"", Some(ANSWER + 500_000));
    check("\"2026-10-05T09:00:00\"", None);
    check("\"05.10.2026 09:00\"", None);
    check("\"12/11/26 09:00\"", None);
    check("\"soon\"", None);
    check("\"-\"", None);
    check("\".\"", None);
    check("1e400", None);
    check("99999999999999999999999999", None);
    let line = r#"{"id":"1","source":"a","destination":"b","duration":0,"answer":"","start":null}"#;
    json(line, |r| assert_eq!((r.unwrap().answer, r.unwrap().start), (None, None)));
}

#[test]
fn durations_are_cut_to_microseconds() {
    for (text, expected) in [
        ("61", Some(61_000_000)),
        ("0", Some(0)),
        ("0.0000019", Some(1)),
        ("61.999999999999999999999999", Some(61_999_999)),
        ("-3.5", Some(-3_500_000)),
        ("\"61.2\"", Some(61_200_000)),
        ("\".5\"", Some(500_000)),
        ("\"61.\"", Some(61_000_000)),
        ("6.1e1", Some(61_000_000)),
        ("\"61,2\"", None),
        ("\"00:01:01\"", None),
        ("\"61 s\"", None),
        ("\"0x10\"", None),
        ("9999999999999", None),
    ] {
        let line = format!(r#"{{"id":"1","source":"a","destination":"b","duration":{text}}}"#);
        let got = json(&line, |r| r.map(|r| r.duration.map(|d| d.0)));
        let expected = expected.map_or(Err(Refusal::Duration), |d| Ok(Some(d)));
        assert_eq!(got, expected, "{text}");
    }
}

#[test]
fn refusals() {
    let long = "x".repeat(256);
    let longer = "x".repeat(1025);
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for (line, expected) in [
        ("", "malformed JSON at column 1: a record is a JSON object and begins with {"),
        ("[1]", "malformed JSON at column 1: a record is a JSON object and begins with {"),
        (r#"{"id":"1""#, "malformed JSON at column 10: expected , or }"),
        (r#"{"id" "1"}"#, "malformed JSON at column 7: expected : behind the field name"),
        (r#"{"id":"1}"#, "malformed JSON at column 10: the text is not closed"),
        (
            r#"{"id":01}"#,
            "malformed JSON at column 9: a number does not begin with 0: write it as a text in double quotes",
        ),
        (r#"{"id":tru}"#, "malformed JSON at column 7: expected a value"),
        (r#"{"id":"\ud800"}"#, "malformed JSON at column 14: half of a surrogate pair"),
        (r#"{"id":1,}"#, "malformed JSON at column 9: expected a field name in double quotes"),
        (r#"{} {}"#, "malformed JSON at column 4: expected nothing more behind the record"),
        (&format!(r#"{{"x":{deep}}}"#), "malformed JSON at column 134: values nest too deeply"),
        ("{}", r#"field "id" is missing"#),
        (r#"{"id":null}"#, r#"field "id" is missing"#),
        (r#"{"id":""}"#, r#"field "id" has 0 bytes: it must have 1 to 255"#),
        (&format!(r#"{{"id":"{long}"}}"#), r#"field "id" has 256 bytes: it must have 1 to 255"#),
        (r#"{"id":"a\nb"}"#, r#"field "id" holds a control character"#),
        (r#"{"id":1,"destination":1,"duration":1}"#, r#"field "source" is missing"#),
        (r#"{"id":1,"source":"","destination":null,"duration":1}"#, r#"field "destination" is missing"#),
        (
            r#"{"id":1,"source":1,"destination":1}"#,
            r#"neither "duration" nor "end": how long the call was cannot be known"#,
        ),
        (r#"{"id":1,"id":2}"#, r#"field "id" stands twice"#),
        (r#"{"id":true}"#, r#"field "id" must be a text or a number"#),
        (r#"{"duration":[1]}"#, r#"field "duration" must be a text or a number"#),
        (r#"{"direction":"sideways"}"#, r#"field "direction" must be "outbound" or "inbound""#),
        (&format!(r#"{{"source":"{longer}"}}"#), r#"field "source" is longer than 1024 bytes"#),
    ] {
        let got = json(line, |r| r.map(|_| ()).unwrap_err().to_string());
        assert_eq!(got, expected, "{line}");
    }
    let latin = b"{\"id\":\"\xE9\"}";
    assert_eq!(json::decode(latin, b"", &mut Scratch::default()), Err(Refusal::NotUtf8(8)));
}

#[test]
fn what_cannot_change_an_amount_is_no_reason_to_refuse() {
    let long = "x".repeat(1025);
    for extra in [r#""seq":-1"#, r#""seq":"x""#, r#""seq":{}"#, r#""cause":true"#, &format!(r#""cause":"{long}""#)] {
        let line = format!(r#"{{"id":"1","source":"","destination":"b","duration":0,{extra}}}"#);
        json(&line, |r| {
            let r = r.unwrap_or_else(|e| panic!("{extra}: {e}"));
            assert_eq!((r.seq, r.cause), (None, &b""[..]), "{extra}");
        });
    }
}

#[test]
fn escaped_text_is_resolved_and_kept_beside_the_line() {
    let line =
        r#"{"i\u0064":"a\"b\\\/\u00e9\ud83d\ude00","source":"\u002b49","destination":"\t","duration":1,"x":"\ud800"}"#;
    json(line, |r| {
        let r = r.unwrap();
        assert_eq!(r.id, "a\"b\\/é😀".as_bytes());
        assert_eq!((r.source, r.destination), (&b"+49"[..], &b"\t"[..]));
    });
}

/// All lines through one decoder: `id source destination duration`, `header`, or the refusal.
fn lines(format: Format, text: &str) -> Vec<String> {
    let mut decoder = Decoder::new(format, "listener");
    let mut scratch = Scratch::default();
    text.split('\n')
        .map(|line| match decoder.decode(line.as_bytes(), &mut scratch) {
            Ok(Line::Record(r)) => {
                let text = |t: &[u8]| String::from_utf8(t.to_vec()).unwrap();
                let duration = r.duration.map_or("-".to_owned(), |d| d.to_string());
                format!("{} {} {} {duration}", text(r.id), text(r.source), text(r.destination))
            }
            Ok(Line::Piece(_)) => "a piece".to_owned(),
            Ok(Line::Skipped(skip)) => skip.reason().to_owned(),
            Ok(Line::Header) => "header".to_owned(),
            Ok(Line::Blank) => "blank".to_owned(),
            Err(refusal) => refusal.to_string(),
        })
        .collect()
}

#[test]
fn rows() {
    for (text, expected) in [
        ("id,source,destination,duration\nc1,+491,0151,61.5", vec!["header", "c1 +491 0151 61.5"]),
        ("\u{feff}DURATION;extra;Destination;Source;ID\r\n61;;0151;+491;c1\r", vec!["header", "c1 +491 0151 61"]),
        (
            "id\tsource\tdestination\tend\n a \t\t b \t5\t\n1\t2\t3\t\n",
            vec![
                "header",
                "the row has 5 cells and the header 4: a cell that holds the separator must stand in double quotes",
                "neither \"duration\" nor \"end\": how long the call was cannot be known",
                "blank",
            ],
        ),
        (
            r#"id,source,destination,duration,note
"c,1","a ""b""","","1","x"
"c1" , "a","b" ,2, """"
c1,a,b,2
c1,a,b,2,x,y
"c1,a,b,2,x
"c1"x,a,b,2,x
id,source,destination,duration,note
,a,b,2,x"#,
            vec![
                "header",
                "field \"destination\" is missing",
                "c1 a b 2",
                "the row has 4 cells and the header 5: a cell that holds the separator must stand in double quotes",
                "the row has 6 cells and the header 5: a cell that holds the separator must stand in double quotes",
                "malformed CSV at column 1: the quoted cell is not closed on its line",
                "malformed CSV at column 5: expected the separator behind the closing quote",
                "header",
                "field \"id\" is missing",
            ],
        ),
        (
            "c1,+491,0151,61.5\nid,id,source",
            vec![
                "the first line must name the columns, and names none \"id\": write a header such as id,source,destination,answer,duration",
                "field \"id\" stands twice",
            ],
        ),
        (
            "id,source,destination",
            vec![
                "the first line must name the columns, and names none \"duration\": write a header such as id,source,destination,answer,duration",
            ],
        ),
    ] {
        assert_eq!(lines(Format::Csv, text), expected, "{text}");
    }
}

#[test]
fn the_first_byte_tells_the_format() {
    let json = r#"{"id":"c1","source":"a","destination":"b","duration":1}"#;
    let unknown =
        "neither a JSON record nor a CSV header with the columns id, source, destination, and duration or end";
    assert_eq!(lines(Format::Auto, &format!("\n{json}\n  {json}\r\nhuh")), ["blank", "c1 a b 1", "c1 a b 1", unknown]);
    assert_eq!(
        lines(Format::Auto, "huh\nid,source,destination,duration\nc1,a,b,1\n \t\r"),
        [unknown, "header", "c1 a b 1", "blank"]
    );
}

#[test]
fn every_refusal_has_its_own_place_among_the_labels() {
    let mut labels = Refusal::REASONS.to_vec();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), Refusal::REASONS.len());
    assert_eq!(Refusal::Truncated.reason(), "truncated");
    assert_eq!(Refusal::Line(1).reason(), "line_too_long");
    assert_eq!(Refusal::Id(0).reason(), "bad_id");
    assert_eq!(Refusal::NoDuration.reason(), "no_duration");
}

/// The elements of a document that arrives in pieces of that size, as text; refusals in angle brackets.
fn document(text: &[u8], piece: usize, element_max: usize) -> Vec<String> {
    let mut elements = Elements::new(element_max);
    let mut buffer: Vec<u8> = Vec::new();
    let mut found = Vec::new();
    for chunk in text.chunks(piece) {
        buffer.extend_from_slice(chunk);
        while let Some(element) = elements.next(&buffer) {
            match element {
                Element::Whole { from, to, .. } => found.push(String::from_utf8_lossy(&buffer[from..to]).into_owned()),
                Element::TooLong { .. } => found.push("<too long>".to_owned()),
                Element::Broken { expected, .. } => found.push(format!("<{expected}>")),
                Element::Nothing { .. } => {}
            }
            buffer.drain(..element.consumed());
        }
        assert!(buffer.len() <= element_max + piece);
    }
    if let Err(missing) = elements.end() {
        found.push(format!("<{missing}>"));
    }
    found
}

#[test]
fn documents() {
    let check = |text: &str, expected: &[&str]| {
        for piece in 1..=text.len().max(1) {
            assert_eq!(document(text.as_bytes(), piece, 20), expected, "{text} in pieces of {piece}");
        }
    };
    check("", &[]);
    check(" [ ] \n", &[]);
    check(r#"{"a":1}"#, &[r#"{"a":1}"#]);
    check("[\n {\"a\":\n[1]} , {\"b\":\"]}\\\"\"}\n]\n", &["{\"a\":\n[1]}", r#"{"b":"]}\""}"#]);
    check("{}\n{}{}", &["{}", "{}", "{}"]);
    check(r#"[1,"x\\",null]"#, &["1", r#""x\\""#, "null"]);
    check("[{}{}]", &["{}", "<expected , or ] behind a record>"]);
    check("[{},]", &["{}", "<expected a record>"]);
    check("[{}] {}", &["{}", "<expected nothing more behind the array>"]);
    check("[{}", &["{}", "<the document ends before its array does>"]);
    check(r#"[{"a"#, &["<the document ends within a record>"]);
    check(r#"[{"a":"1234567890123456"},{}]"#, &["<too long>", "{}"]);
    check(r#"[{},{"a":"1234567890123456"#, &["{}", "<too long>"]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzz::lines(&bytes);
        fuzz::document(&bytes);
        fuzz::carried(&bytes);
        fuzz::stream(&bytes);
    }

    #[test]
    fn damaged_records_are_read_or_refused(at in 0usize..200, byte in any::<u8>(), cut in 0usize..200) {
        let mut bytes = NATIVE.as_bytes().to_vec();
        if let Some(b) = bytes.get_mut(at) {
            *b = byte;
        }
        bytes.truncate(cut.max(1));
        fuzz::lines(&bytes);
        fuzz::document(&bytes);
        fuzz::carried(&bytes);
        fuzz::stream(&bytes);
    }
}
