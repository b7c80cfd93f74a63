use proptest::prelude::*;

use super::*;
use crate::piece::PieceKind;
use crate::time::Zone;
use crate::wire::formats::Formats;
use crate::wire::{Decoder, Format, fuzz, messages};

/// What a mapping makes of messages that follow one another, in a zone.
fn read(mapping: &str, zone: &str, text: &str) -> Vec<String> {
    let mapping =
        Mapping::new(&toml::from_str(mapping).unwrap_or_else(|e| panic!("{e}"))).unwrap_or_else(|e| panic!("{e}"));
    let origin = Origin { zone: Zone::named(zone).unwrap(), ..Origin::new("n") };
    let mut decoder = Arc::new(mapping).decoder(&origin);
    text.split('\n').map(|line| shown(decoder.decode(line.as_bytes(), &mut Scratch::default()))).collect()
}

fn shown(line: Result<Line<'_>, Refusal>) -> String {
    match line {
        Ok(Line::Record(r)) => {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let time = |t: Option<crate::time::Timestamp>| t.map_or("-".to_owned(), |t| t.to_string());
            let fold = r.fold.map_or(String::new(), |f| format!("(+{f})"));
            let talk = r.duration.map_or("-".to_owned(), |d| d.to_string());
            format!("{} {}>{} {}{fold} {talk}", text(r.id), text(r.source), text(r.destination), time(r.answer))
        }
        Ok(Line::Skipped(skip)) => skip.reason().to_owned(),
        Ok(Line::Header) => "header".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(refusal) => refusal.to_string(),
    }
}

const FIELDS_OF: &str = "fields.id = \"i\"\nfields.source = \"s\"\nfields.destination = \"d\"\nfields.answer = \"a\"\nfields.duration = \"t\"\n";

fn built_in(name: &str, zone: &str, text: &str) -> Vec<String> {
    let format = Format::named(name).unwrap();
    let origin = Origin { zone: Zone::named(zone).unwrap(), ..Origin::new("n") };
    let mut decoder = Decoder::of(&format, &origin);
    let mut lines = Vec::new();
    messages::each(&format, text.as_bytes(), |_, m| {
        let mut scratch = Scratch::default();
        lines.push(shown(m.and_then(|m| decoder.decode(m, &mut scratch))));
    });
    lines
}

#[test]
fn every_kind() {
    let check = |kind: &str, text: &str, expected: &[&str]| {
        assert_eq!(read(&format!("{kind}\ntime = \"seconds\"\n{FIELDS_OF}"), "UTC", text), expected, "{kind}\n{text}");
    };
    const ONE: &str = "1 2>3 1970-01-01T00:00:09Z 5";
    check(
        "kind = \"csv\"\ncolumns = [\"i\", \"x\", \"s\", \"d\", \"a\", \"t\"]",
        "1,,2,3,9,5\n1, \"x\",\"2\" , 3 ,9,5\n1,2",
        &[
            ONE,
            ONE,
            "the row has 2 cells and the header 6: a cell that holds the separator must stand in double quotes",
        ],
    );
    check(
        "kind = \"csv\"\nheader = true\nseparator = \"|\"",
        "T|I|y|S|D|A\n5|1||2|3|9\nT|I|y|S|D|A\n5",
        &[
            "header",
            ONE,
            "header",
            "the row has 1 cells and the header 6: a cell that holds the separator must stand in double quotes",
        ],
    );
    check(
        "kind = \"csv\"\nheader = true",
        "what,is,this",
        &["the first line must name the columns, and names none that this format reads"],
    );
    check(
        "kind = \"csv\"\ncolumns = [[\"i\", \"s\", \"d\"], [\"i\", \"x\", \"s\", \"d\", \"a\", \"t\"]]",
        "1,x,2,3,9,5\n1,2,3\n1,2",
        &[
            ONE,
            "neither \"duration\" nor \"end\": how long the call was cannot be known",
            "the row has 2 cells, and no layout of this format has so many",
        ],
    );
    check(
        "kind = \"json\"",
        "{\"x\":{\"i\":7},\"i\":1,\"s\":\"2\",\"d\":\"\\u0033\",\"a\":9.0,\"t\":\"5\"}\n{}\n[]\n{\"i\":1,\"s\":2,\"d\":3,\"t\":null}",
        &[
            ONE,
            "field \"id\" is missing",
            "malformed JSON at column 1: a record is a JSON object and begins with {",
            "neither \"duration\" nor \"end\": how long the call was cannot be known",
        ],
    );
    check(
        "kind = \"xml\"\nroot = \"r\"",
        "<?xml version=\"1.0\"?><x><i>0</i><r><i>1</i><i>4</i><s>2</s><d>&#51;</d><a>9</a><t><![CDATA[5]]></t></r></x>\n<r><i>1\n<x/>",
        &[
            ONE,
            "malformed XML at column 8: the document ends within the record",
            "malformed XML at column 1: no element of a record",
        ],
    );
    check("kind = \"key_value\"", "i=1;x;s=2;d= 3 ;a=9;t=5;\n;;", &[ONE, "field \"id\" is missing"]);
    check(
        "kind = \"fixed\"\ncolumns = [{name=\"i\",at=1,width=2},{name=\"s\",at=3,width=3},{name=\"d\",at=6,width=1},{name=\"a\",at=7,width=2},{name=\"t\",at=9,width=9}]",
        " 1 2 3 95\n1",
        &[ONE, "neither \"duration\" nor \"end\": how long the call was cannot be known"],
    );
}

#[test]
fn pointers() {
    let mapping = "kind = \"json\"\n[fields]\nid = \"/l/-/i\"\nsource = \"/l/0/i\"\ndestination = \"/m/a~1b/x\"\nduration = { from = \"/t\", unit = \"ms\" }";
    let text = "{\"l\":[{\"i\":\"a\"},{\"i\":\"b\"},{\"i\":\"c\"}],\"m\":\"{\\\"a/b\\\":{\\\"x\\\":\\\"\\\\u0039\\\"}}\",\"t\":1500}";
    assert_eq!(read(mapping, "UTC", text), ["c a>9 - 1.5"]);
    // Records below the top of a document.
    let tables = toml::from_str("[x]\nkind = \"json\"\nroot = \"/data/list\"\nfields = { id = \"i\", source = \"i\", destination = \"i\", duration = \"i\" }").unwrap();
    let format = Formats::new(&tables).unwrap().named("x").unwrap();
    let mut found = Vec::new();
    messages::each(&format, b"{\"n\":[1],\"data\":{\"list\":[{\"i\":1},{\"i\":2}]}} {\"data\":{}}", |n, m| {
        found.push((n, m.map(|m| String::from_utf8_lossy(m).into_owned()).map_err(|e| e.to_string())));
    });
    let expected = [
        (1, Ok("{\"i\":1}".to_owned())),
        (2, Ok("{\"i\":2}".to_owned())),
        (3, Err("field \"root\" is missing".to_owned())),
    ];
    assert_eq!(found, expected);
}

#[test]
fn values_are_made_plain() {
    let check = |field: &str, value: &str, expected: &str| {
        let mapping = format!(
            "kind = \"csv\"\npercent = true\nabsent = [\"NULL\"]\ncolumns = [\"v\"]\nfields.id = {{ value = \"i\" }}\nfields.source = {field}\nfields.destination = \"v\"\nfields.duration = {{ value = \"1\" }}"
        );
        let got = read(&mapping, "UTC", value);
        let source = got[0].split(' ').nth(1).unwrap().split('>').next().unwrap();
        assert_eq!(source, expected, "{field} {value} {got:?}");
    };
    let uri = "{ from = \"v\", uri = true }";
    check(uri, "sip:+491@host;user=phone", "+491");
    check(uri, "\"'Name' <sip:1@2> <sips:49%231;npdi@h>\"", "49#1");
    check(uri, "tel:+49-1;ext=2", "+49-1");
    check(uri, "1005", "1005");
    check(uri, "sip:+12025331234;npdi;rn=+12025440000@h;rn=1", "+12025331234;npdi;rn=+12025440000");
    check("\"v\"", "%2B491%2", "+491%2");
    check("\"v\"", "NULL", "");
    check("{ from = \"v\", strip = \"Ext.\" }", "Ext.960", "960");
    check("{ from = \"v\", map = { x = \"y\" } }", "x", "y");
    check("{ from = \"v\", map = { x = \"y\" } }", "z", "");
    check("[{ from = \"v\", map = { x = \"y\" } }, { value = \"else\" }]", "z", "else");
}

#[test]
fn talk_times() {
    let check = |how: &str, value: &str, expected: &str| {
        let mapping = format!(
            "kind = \"csv\"\ncolumns = [\"v\"]\nfields = {{ id = {{ value = \"i\" }}, source = \"v\", destination = \"v\", duration = {{ from = \"v\", {how} }} }}"
        );
        let got = read(&mapping, "UTC", value);
        assert_eq!(got[0].rsplit(' ').next().unwrap(), expected, "{how} {value} {got:?}");
    };
    check("unit = \"s\"", "61.25", "61.25");
    check("unit = \"ms\"", "3006", "3.006");
    check("unit = \"us\"", "3020001", "3.020001");
    check("unit = \"cs\"", "150", "1.5");
    check("unit = \"clock\"", "00:05:36", "336");
    check("unit = \"clock\"", "1:02.5", "62.5");
    check("unit = \"clock\"", "100:00:00", "360000");
    // Refused, with a sentence that ends so.
    check("unit = \"clock\"", "17", "61.25");
    for (round, expected) in [("none", "1.5"), ("down", "1"), ("up", "2"), ("half_up", "2")] {
        check(&format!("unit = \"ms\", round = \"{round}\""), "1500", expected);
    }
    check("unit = \"ms\", round = \"half_up\"", "1499", "1");
    check("unit = \"ms\", round = \"up\"", "1000", "1");
}

/// Berlin's clocks went back from 03:00 to 02:00 on 25 October 2026, at 01:00 UTC.
#[test]
fn an_hour_that_came_twice() {
    let mapping = "kind = \"csv\"\ntime = \"%Y-%m-%d %H:%M:%S\"\ncolumns = [\"i\", \"b\", \"a\", \"e\", \"t\"]\n
        fields = { id = \"i\", source = \"i\", destination = \"i\", start = \"b\", answer = \"a\", end = \"e\", duration = \"t\", clock = \"i\" }";
    let check = |start: &str, answer: &str, end: &str, talk: u32, id: &str, expected: &str| {
        let at = |time: &str| if time.is_empty() { String::new() } else { format!("2026-10-25 {time}") };
        let got = read(mapping, "Europe/Berlin", &format!("{id},{},{},{},{talk}", at(start), at(answer), at(end)));
        assert!(got[0].contains(&format!("2026-10-25T{expected} ")), "{start} {answer} {end} {talk} {id}: {got:?}");
    };
    // Nothing tells.
    check("02:29:50", "02:30:00", "02:31:00", 60, "x", "00:30:00Z(+3600)");
    check("", "02:30:00", "", 60, "x", "00:30:00Z(+3600)");
    // The set-up lies before that hour, the end behind it.
    check("01:59:50", "02:00:05", "02:01:05", 60, "x", "00:00:05Z");
    check("02:59:00", "02:59:10", "03:00:10", 60, "x", "01:59:10Z");
    check("", "02:59:10", "03:59:10", 7200, "x", "00:59:10Z");
    // The end shows an earlier hour than the answer, or the channel was made at a known second.
    check("02:29:50", "02:30:00", "02:31:00", 60, "pbx-1-1792888190.4", "00:30:00Z");
    check("02:29:50", "02:30:00", "02:31:00", 60, "pbx-1-1792891790.4", "01:30:00Z");
    check("", "12:00:00", "", 60, "x", "11:00:00Z");
}

/// Asterisk's rows in every number of columns, and what its dispositions mean.
#[test]
fn rows_of_asterisk() {
    let base = r#""acct","1","2","in","""A, B"" <1>","SIP/a-1","SIP/b-2","Dial","SIP/b,20","2026-11-21 21:56:51","2026-11-21 21:56:52","2026-11-21 21:56:54",3,2,"ANSWERED","DOCUMENTATION""#;
    let answered = "1>2 2026-11-21T21:56:52Z 2";
    for (more, id) in [
        ("", "SIP/a-1/SIP/b-2/2026-11-21 21:56:51/Dial"),
        (r#","17.0""#, "17.0/SIP/b-2/2026-11-21 21:56:51/Dial"),
        (r#","17.0","uf, x""#, "17.0/SIP/b-2/2026-11-21 21:56:51/Dial"),
        (r#","","17.0",4"#, "SIP/a-1/SIP/b-2/2026-11-21 21:56:51/4"),
        (r#","17.0","","17.0",4"#, "17.0/4"),
        (r#","17.0","uf","","17.0",4"#, "17.0/4"),
    ] {
        let row = format!("{base}{more}");
        let got = built_in("asterisk-csv", "UTC", &row);
        let (got_id, rest) = got[0].split_at(id.len());
        assert_eq!((got_id, rest.trim()), (id, answered), "{row}");
    }
    // A channel that Asterisk itself answered is not a call that somebody answered.
    let rang = base.replace("3,2,\"ANSWERED\"", "60,60,\"NO ANSWER\"");
    assert!(built_in("asterisk-csv", "UTC", &rang)[0].ends_with("- 0"));
    let local = base.replace("3,2,", "0,0,");
    assert!(built_in("asterisk-csv", "UTC", &local)[0].ends_with("- 0"));
    assert_eq!(built_in("asterisk-csv", "UTC", &base.replace("DOCUMENTATION", "OMIT")), ["omitted"]);
    // A name in another encoding loses no call; in a number it is replaced.
    let latin = [base.replace("A, B", "J").into_bytes(), b",\"17.0\",\"J\xFCrgen\"".to_vec()].concat();
    let format = Format::named("asterisk-csv").unwrap();
    let mut decoder = Decoder::new(format, "n");
    assert!(matches!(decoder.decode(&latin, &mut Scratch::default()), Ok(Line::Record(_))));
}

#[test]
fn values_that_nobody_escaped() {
    let row = r#""Al "Big", Jr","1","2","public","2026-11-21 21:52:12","2026-11-21 21:52:12","2026-11-21 21:52:15","3","3","NORMAL_CLEARING","u-1","","acct","PCMU","PCMU""#;
    assert_eq!(built_in("freeswitch-csv", "UTC", row), ["u-1 1>2 2026-11-21T21:52:12Z 3"]);
    let worse = row.replace("Jr", r#"x","y"#);
    assert_eq!(built_in("freeswitch-csv", "UTC", &worse), ["u-1 1>2 2026-11-21T21:52:12Z 3"]);
    // Grandstream quotes nothing, so that arguments of applications fall apart.
    let row = r#"62,,5300,5301,from-internal,"pn01" <5300>,SIP/5300-00000000,SIP/5301-00000001,Dial,SIP/5301,60,,2013-12-03 11:46:40,2013-12-03 11:46:43,2013-12-03 11:46:49,9,6,ANSWERED,DOCUMENTATION,1386092800.0,EXT,5300,5301,s"#;
    assert_eq!(built_in("grandstream", "UTC", row), ["1386092800.0/62 5300>5301 2013-12-03T11:46:43Z 6"]);
}

#[test]
fn other_nodes() {
    for (format, zone, text, expected) in [
        (
            "3cx",
            "UTC",
            "Call 612504,0000_6531,00:05:36,2023/09/19 13:33:54,2023/09/19 13:33:54,2023/09/19 13:39:31,TerminatedBySrc,+353860000001,Ext.960,10021,960,960,QFwdToDNA,Ext.504,504,,,,,Chain: x;\r",
            "612504/0000_6531 +353860000001>960 2023-09-19T13:33:54Z 336",
        ),
        (
            "cucm",
            "UTC",
            "cdrRecordType,pkid,callingPartyNumber,finalCalledPartyNumber,dateTimeConnect,duration\nINTEGER,VARCHAR(50),VARCHAR(50),VARCHAR(50),INTEGER,INTEGER\n1,\"p-1\",\"+1555\",\"+1556\",1587324160,125",
            "header|not_a_call|p-1 +1555>+1556 2020-04-19T19:22:40Z 125",
        ),
        (
            "yeastar-p",
            "Asia/Shanghai",
            r#"{"type":30012,"sn":"3","msg":"{\"call_id\":\"1651057476.362\",\"time_start\":\"2022-04-27 19:04:36\",\"call_from\":\"2005\",\"call_to\":\"2002\",\"talk_duration\":21,\"status\":\"ANSWERED\"}"}{"type":30005,"msg":""}"#,
            "1651057476.362/2005/2002 2005>2002 2022-04-27T11:04:36Z 21|not_a_call",
        ),
        (
            "avaya-cm",
            "UTC",
            "112126 2156 00061 7 0011441132960100         2001            4711",
            "112126 2156/00061/2001/0011441132960100 2001>0011441132960100 2026-11-21T21:56:00Z 61",
        ),
    ] {
        assert_eq!(built_in(format, zone, text).join("|"), expected, "{format}");
    }
}

/// Parts of calls: steps and segments, their times in the hour that comes twice, and what is refused.
#[test]
fn parts_of_calls() {
    let mapping = "kind = \"csv\"\ncolumns = [\"what\", \"when\", \"i\", \"l\", \"s\", \"d\"]\ntime = \"%Y-%m-%d %H:%M:%S\"\n\
                   parts = [{ step = \"begin\", when = [{ field = \"what\", equals = \"B\" }, { field = \"i\", same_as = \"l\" }] },\n\
                   { step = \"answer\", when = [{ field = \"what\", equals = \"A\" }] }, { step = \"end\", when = [{ field = \"what\", equals = \"E\" }] },\n\
                   { step = \"over\", when = [{ field = \"what\", equals = \"O\" }] }]\n\
                   fields = { id = \"l\", source = \"s\", destination = \"d\", at = \"when\", clock = \"i\" }";
    let compiled = Arc::new(Mapping::new(&toml::from_str(mapping).unwrap()).unwrap());
    let origin = Origin { zone: Zone::named("Europe/Berlin").unwrap(), ..Origin::new("n") };
    let check = |line: &str, expected: &str| {
        let mut scratch = Scratch::default();
        let mut decoder = compiled.decoder(&origin);
        let found = match decoder.decode(line.as_bytes(), &mut scratch) {
            Ok(Line::Piece(p)) => {
                let set = [(p.record.start, "start"), (p.record.answer, "answer"), (p.record.end, "end")];
                let set: Vec<&str> = set.iter().filter(|(at, _)| at.is_some()).map(|(_, name)| *name).collect();
                assert_eq!((p.kind, p.key, p.record.duration), (PieceKind::Steps, p.record.id, None));
                let fold = p.record.fold.map_or(String::new(), |more| format!(" or {more} later"));
                format!("{:?} {} {}{fold}", p.step, p.at.unwrap(), set.concat())
            }
            other => shown(other),
        };
        assert_eq!(found, expected, "{line}");
    };
    check("B,2026-10-05 10:00:00,1,1,2,3", "Begin 2026-10-05T08:00:00Z start");
    check("B,2026-10-05 10:00:00,1,7,2,3", "not_a_call");
    check("X,2026-10-05 10:00:00,1,1,2,3", "not_a_call");
    check("A,2026-10-25 02:30:00,1,1,2,3", "Answer 2026-10-25T00:30:00Z answer or 3600 later");
    // The channel's own name tells when it was made: 00:29:50 and 01:29:50 UTC.
    check("A,2026-10-25 02:30:00,1792888190.4,1,2,3", "Answer 2026-10-25T00:30:00Z answer");
    check("A,2026-10-25 02:30:00,1792891790.4,1,2,3", "Answer 2026-10-25T01:30:00Z answer");
    check("E,2026-10-25 03:30:00,1,1,2,3", "End 2026-10-25T02:30:00Z end");
    check(
        "E,2026-10-25 02:30:00,1,1,2,3",
        "the time in \"at\" came twice when the clocks went back: let the node write UTC, or Unix seconds",
    );
    check("O,2026-10-05 10:00:00,1,1,2,3", "Fail 2026-10-05T08:00:00Z ");
    check("A,,1,1,2,3", "field \"at\" is missing");
    for (parts, expected) in [
        ("[{ step = \"end\" }, { step = \"segment\" }]", "either segments or steps"),
        ("[{ step = \"segment\" }]", "fields.duration is missing"),
        ("[{ step = \"finish\" }]", "unknown variant `finish`"),
        ("[{ step = \"end\", when = [{ field = \"x\", same_as = \"i\" }] }]", "\"x\" is none of the columns"),
    ] {
        let at = mapping.find("parts").unwrap();
        let end = mapping.find("fields").unwrap();
        let text = format!("{}parts = {parts}\n{}", &mapping[..at], &mapping[end..]);
        let bad = match toml::from_str(&text) {
            Ok(settings) => Mapping::new(&settings).unwrap_err().to_string(),
            Err(bad) => bad.message().to_owned(),
        };
        assert!(bad.contains(expected), "{parts}: {bad}");
    }
    let bad = Mapping::new(&toml::from_str(&mapping.replace(", at = \"when\"", "")).unwrap()).unwrap_err();
    assert!(bad.message.contains("fields.at is missing"), "{bad}");
}

#[test]
fn cells_by_number_sums_and_later_times() {
    let mapping = |rest: &str| {
        format!(
            "kind = \"csv\"\ncolumns = [{{ name = \"s\", at = 1 }}, {{ name = \"d\", at = 3 }}, {{ name = \"a\", at = 4 }}, {{ name = \"t\", at = 5 }}, {{ name = \"h\", at = 6 }}]\n\
             time = \"seconds\"\nfields.id = \"s\"\nfields.source = \"s\"\nfields.destination = \"d\"\n{rest}"
        )
    };
    let sum = mapping(
        "fields.answer = { from = \"a\", plus = \"h\" }\nfields.duration = { sum = [\"t\", \"h\"], unit = \"clock\" }",
    );
    for (line, expected) in [
        ("1,x,2,9,00:01:00,5", "1 1>2 1970-01-01T00:00:14Z 65"),
        ("1,x,2,9,00:01:00,,y,z", "1 1>2 1970-01-01T00:00:09Z 60"),
        ("1,x,2,9,,2.5,y", "1 1>2 1970-01-01T00:00:11.5Z 2.5"),
        ("1,x,2,9,00:01:00,y", "field \"duration\" is not a number of seconds such as 61 or 61.25"),
        ("1,x,2,9,,", "neither \"duration\" nor \"end\": how long the call was cannot be known"),
        (
            "1,x,2,9,1:0",
            "the row has 5 cells and the header 6: a cell that holds the separator must stand in double quotes",
        ),
    ] {
        assert_eq!(read(&sum, "UTC", line), [expected], "{line}");
    }
    for (rest, expected) in [
        ("fields.duration = { sum = [\"t\"], join = [\"h\"] }", "one of from, join, sum and value"),
        ("fields.duration = \"t\"\nfields.cause = { sum = [\"t\"] }", "sum is not for this field"),
        ("fields.duration = \"t\"\nfields.cause = { from = \"a\", plus = \"t\" }", "plus is not for this field"),
    ] {
        let bad = Mapping::new(&toml::from_str(&mapping(rest)).unwrap()).unwrap_err();
        assert!(bad.message.contains(expected), "{rest}: {bad}");
    }
    for (columns, expected) in [
        ("[{ name = \"s\", at = 0 }]", "the number of its cell, from 1"),
        ("[{ name = \"s\", at = 1, width = 2 }]", "and no width"),
        ("[{ name = \"s\", at = 99999 }]", "at most 4096 cells"),
    ] {
        let text = format!(
            "kind = \"csv\"\ncolumns = {columns}\nfields = {{ id = \"s\", source = \"s\", destination = \"s\", duration = \"s\" }}"
        );
        let bad = Mapping::new(&toml::from_str(&text).unwrap()).unwrap_err();
        assert!(bad.message.contains(expected), "{columns}: {bad}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzz::messages(&bytes);
        fuzz::mapping(&bytes);
    }

    /// Damage in the middle of what formats do read.
    #[test]
    fn damaged_messages_are_read_or_refused(which in 0usize..5, at in 0usize..400, byte in any::<u8>(), cut in 1usize..400) {
        let samples = [
            r#"{"variables":{"uuid":"7","direction":"inbound","sip_from_user":"%2B1","answer_epoch":"1795297932","billsec":"1"},"callflow":[{"times":{"answered_time":"5"}}]}"#,
            r#"<cdr core-uuid="x"><variables><uuid>7</uuid><sip_from_user>%2B1</sip_from_user><x>&amp;</x></variables><callflow/></cdr>"#,
            r#""acct","1","2","in","""A"" <1>","c","d","Dial","","2026-11-21 21:56:51","2026-11-21 21:56:52","2026-11-21 21:56:54",3,2,"ANSWERED","DOCUMENTATION","17.0""#,
            r#"{"type":30012,"msg":"{\"call_id\":\"1.3\",\"talk_duration\":21,\"time_start\":\"2022-04-27 19:04:36\"}"}"#,
            "cdr=%7B%22variables%22%3A%7B%22uuid%22%3A%221%22%7D%7D",
        ];
        let mut bytes = samples[which].as_bytes().to_vec();
        if let Some(b) = bytes.get_mut(at) {
            *b = byte;
        }
        bytes.truncate(cut);
        fuzz::messages(&bytes);
    }

    /// What a row says is what is read, whatever stands in its cells.
    #[test]
    fn quoted_cells_come_back(cells in proptest::collection::vec("[ -~é]{1,12}", 3)) {
        let trimmed: Vec<&str> = cells.iter().map(|c| c.as_str()).collect();
        let line: Vec<String> = trimmed.iter().map(|c| format!("\"{}\"", c.replace('"', "\"\""))).collect();
        let mapping = Mapping::new(&toml::from_str("kind = \"csv\"\ncolumns = [\"i\", \"s\", \"d\"]\nfields = { id = { value = \"1\" }, account = \"i\", source = \"s\", destination = \"d\", duration = { value = \"1\" } }").unwrap()).unwrap();
        let mut decoder = Arc::new(mapping).decoder(&Origin::new("n"));
        let line = line.join(",");
        let mut scratch = Scratch::default();
        let Ok(Line::Record(record)) = decoder.decode(line.as_bytes(), &mut scratch) else { panic!("{line}") };
        let texts = [record.account, record.source, record.destination].map(|t| String::from_utf8_lossy(t).into_owned());
        prop_assert_eq!(texts.to_vec(), cells);
    }
}
