//! Formats of real nodes: what was captured from them decodes to a reviewed table, and traps are decided.
//!
//! The captures under `tests/data/captures` were made from Asterisk 22.10, FreeSWITCH 1.11 and Kamailio 5.6 by test calls of
//! our own.

use std::path::Path;

use callrated::assembly::{Fold, fold};
use callrated::piece::Piece;
use callrated::time::{Micros, Timestamp, Zone};
use callrated::wire::formats::{BUILT_IN, Formats, Made};
use callrated::wire::session::{Heard, Login, Protocol, Session, Step};
use callrated::wire::{Decoder, Format, Key, Line, Origin, Scratch, messages, posted};

fn text(bytes: &[u8]) -> String {
    if bytes.is_empty() { "-".to_owned() } else { String::from_utf8_lossy(bytes).into_owned() }
}

/// Each message of a text as a line of what became of it.
fn shown(format: &Format, zone: &str, body: &[u8]) -> String {
    let origin = Origin { zone: Zone::named(zone).unwrap(), ..Origin::new("pbx") };
    let mut decoder = Decoder::of(format, &origin);
    let mut scratch = Scratch::default();
    let mut table = String::new();
    messages::each(format, body, |number, message| {
        let line = match message.and_then(|message| decoder.decode(message, &mut scratch)) {
            Ok(Line::Record(r)) => format!(
                "{} | account {} | {} → {} | {} | start {} | answer {}{} | end {} | talk {} | cause {}",
                text(r.id),
                text(r.account),
                text(r.source),
                text(r.destination),
                r.direction.map_or("-", |d| d.name()),
                r.start.map_or("-".to_owned(), |t| t.to_string()),
                r.answer.map_or("-".to_owned(), |t| t.to_string()),
                r.fold.map_or(String::new(), |f| format!(" or {f} s later")),
                r.end.map_or("-".to_owned(), |t| t.to_string()),
                r.duration.map_or("-".to_owned(), |d| d.to_string()),
                text(r.cause),
            ),
            Ok(Line::Piece(piece)) => format!(
                "{:?} of {} at {} | {} → {}{}",
                piece.step,
                text(piece.key),
                piece.at.map_or("-".to_owned(), |t| t.to_string()),
                text(piece.record.source),
                text(piece.record.destination),
                piece.record.duration.map_or(String::new(), |d| format!(" | talk {d}")),
            ),
            Ok(Line::Skipped(skip)) => format!("skipped: {}", skip.reason()),
            Ok(Line::Header) => "header".to_owned(),
            Ok(Line::Blank) => "blank".to_owned(),
            Err(refusal) => format!("refused: {refusal}"),
        };
        table += &format!("{number}: {line}\n");
    });
    table
}

fn named(name: &str) -> Format {
    Format::named(name).unwrap_or_else(|| panic!("no format {name}"))
}

fn capture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The bodies of requests that follow one another, each with its Content-Length.
fn bodies(requests: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let mut rest = requests;
    while let Some(end) = rest.windows(4).position(|w| w == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&rest[..end]).to_ascii_lowercase();
        let length: usize =
            head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap().trim().parse().unwrap();
        bodies.push(rest[end + 4..end + 4 + length].to_vec());
        rest = &rest[end + 4 + length..];
    }
    assert!(rest.is_empty());
    bodies
}

#[test]
fn every_built_in_format_is_made() {
    for built_in in BUILT_IN {
        let format = built_in.format().unwrap_or_else(|e| panic!("{}: {e}", built_in.name));
        let Format::Named(named) = &format else { panic!("{}", built_in.name) };
        assert!(!named.about.is_empty() && named.about.len() < 120, "{}", built_in.name);
        if let Made::Mapping(text) = &built_in.made {
            assert!(text.starts_with("about = "), "{}", built_in.name);
        }
    }
    let mut names: Vec<_> = BUILT_IN.iter().map(|b| b.name).collect();
    names.dedup();
    assert_eq!(names.len(), BUILT_IN.len());
}

#[test]
fn captures() {
    for (name, format, file) in [
        ("asterisk_cdr_csv", "asterisk-csv", "asterisk/cdr_csv.csv"),
        ("asterisk_cdr_custom", "asterisk-custom", "asterisk/cdr_custom.csv"),
        ("asterisk_cdr_custom_json", "asterisk-json", "asterisk/cdr_custom.json"),
        ("asterisk_manager", "asterisk-ami", "asterisk/ami.bin"),
        ("asterisk_manager_cel", "asterisk-cel-ami", "asterisk/ami.bin"),
        ("asterisk_cel_custom", "asterisk-cel", "asterisk/cel_custom.csv"),
        ("freeswitch_event_socket_lines", "freeswitch-event", "freeswitch/esl_plain.bin"),
        ("freeswitch_cdr_csv", "freeswitch-csv", "freeswitch/cdr_csv.csv"),
        ("freeswitch_file_b_leg", "freeswitch-json", "freeswitch/cdr_0.json"),
        ("freeswitch_file_a_leg", "freeswitch-json", "freeswitch/cdr_1.json"),
        ("freeswitch_file_busy", "freeswitch-json", "freeswitch/cdr_2.json"),
    ] {
        insta::assert_snapshot!(name, of_interest(&shown(&named(format), "UTC", &capture(file))));
    }
}

/// Without the many events of a connection that are none of ours.
fn of_interest(shown: &str) -> String {
    let skipped = shown.lines().filter(|line| line.ends_with("skipped: not_a_call")).count();
    let lines: String =
        shown.lines().filter(|line| !line.ends_with("skipped: not_a_call")).map(|l| format!("{l}\n")).collect();
    if skipped == 0 { lines } else { format!("{lines}{skipped} skipped: not_a_call\n") }
}

/// The same calls, told by the event socket as lines and as JSON, and posted.
#[test]
fn the_same_calls_told_in_three_ways() {
    let heard = |file: &str| {
        let login = Login { user: "".into(), secret: Key(b"x".as_slice().into()), events: "" };
        let (mut session, capture) = (Session::new(Protocol::Esl, login), capture(file));
        let (mut table, mut rest) = (String::new(), &capture[..]);
        while let Some(Step { consumed, heard }) = session.next(rest) {
            if let Heard::Message(place) = heard {
                table += &shown(&named("freeswitch-event"), "UTC", &rest[place]);
            }
            rest = &rest[consumed..];
        }
        assert!(rest.is_empty());
        table
    };
    let lines = heard("freeswitch/esl_plain.bin");
    assert_eq!(lines, heard("freeswitch/esl_json.bin"));
    // They were also posted: what is heard and posted is one call.
    let posts = bodies(&capture("freeswitch/http_json_cdr.bin"));
    let posted: String = posts.iter().map(|body| shown(&named("freeswitch"), "UTC", &posted::unwrap(body))).collect();
    assert_eq!(lines, posted);
}

/// Channel events of a file: three calls, of which one was answered, to the microsecond; the CDR says 3 s of it.
#[test]
fn calls_from_channel_events() {
    let capture = capture("asterisk/cel_custom.csv");
    let mut decoder = Decoder::of(&named("asterisk-cel"), &Origin::new("pbx"));
    let mut pieces = Vec::new();
    for line in capture.split(|b| *b == b'\n') {
        let mut scratch = Scratch::default();
        if let Ok(Line::Piece(piece)) = decoder.decode(line, &mut scratch) {
            let mut bytes = Vec::new();
            piece.encode(&mut bytes);
            pieces.push(bytes);
        }
    }
    let pieces: Vec<Piece<'_>> = pieces.iter().map(|bytes| Piece::decode(bytes).unwrap()).collect();
    let call = |key: &str| {
        let own: Vec<_> = pieces.iter().filter(|piece| piece.key == key.as_bytes()).copied().collect();
        match fold(&own) {
            Fold::Whole(r) => {
                let talk = Micros(r.end.unwrap().0 - r.answer.unwrap().0);
                format!(
                    "{} of {}: {} → {}, {talk} s from {}",
                    text(r.id),
                    text(r.account),
                    text(r.source),
                    text(r.destination),
                    r.answer.unwrap()
                )
            }
            Fold::Unanswered(r) => {
                format!("{}: {} → {}, not answered", text(r.id), text(r.source), text(r.destination))
            }
            other => format!("{other:?}"),
        }
    };
    assert_eq!(
        ["1795298211.0", "1795298215.4", "1795298215.8"].map(call),
        [
            "1795298211.0 of acct-42: 442079460001 → 441132960100, 3.010362 s from 2026-11-21T21:56:51.982319Z",
            "1795298215.4: 442079460001 → 486100, not answered",
            "1795298215.8: 442079460002 → 487100, not answered",
        ]
    );
}

/// A column beside its neighbours is read by its number, whatever stands behind; a row that ends before is refused.
#[test]
fn rows_of_any_length() {
    let row = |from: &str, to: &str, cells: usize| {
        let mut row: Vec<String> = (1..=cells).map(|cell| format!("\"x{cell}\"")).collect();
        for (at, text) in [
            (1, "2"),
            (4, "\"s-1\""),
            (10, from),
            (11, to),
            (13, "12"),
            (14, "15:54:56.868 PST DEC 18 2017"),
            (15, "\"15:54:58.100 PST DEC 18 2017\""),
            (16, "15:55:10.350 PST DEC 18 2017"),
            (17, "1"),
        ] {
            row[at - 1] = text.to_owned();
        }
        row.join(",")
    };
    let (from, to) = ("\"\"Bob\"<sip:+12513001300@h:5060;user=phone>;tag=SD1\"", "<sip:911@h>");
    let expected = "1: s-1 | account - | +12513001300 → 911 | - | start 2017-12-18T23:54:56.868Z | answer 2017-12-18T23:54:58.1Z | end 2017-12-18T23:55:10.35Z | talk - | cause 1\n";
    for cells in [17, 175, 269] {
        let shown = shown(&named("acme-csv"), "America/Los_Angeles", row(from, to, cells).as_bytes());
        assert_eq!(shown, expected, "{cells} cells");
    }
    let short = row(from, to, 17);
    let short = &short[..short.rfind(',').unwrap()];
    assert!(shown(&named("acme-csv"), "America/Los_Angeles", short.as_bytes()).contains("16 cells"));
    // A name in quotes that do not close shifts the row: then no time stands where one must.
    let shifted = row("\"Bob\"<sip:1@h>", to, 175);
    let refused = shown(&named("acme-csv"), "America/Los_Angeles", shifted.as_bytes());
    assert!(refused.contains("refused"), "{refused}");
    let attempt = row(from, to, 20).replace("\"15:54:58.100 PST DEC 18 2017\"", "");
    assert!(
        shown(&named("acme-csv"), "America/Los_Angeles", attempt.as_bytes())
            .contains("answer - | end 2017-12-18T23:55:10.35Z | talk 0")
    );
    let interim = row(from, to, 20).replacen('2', "3", 1);
    assert_eq!(shown(&named("acme-csv"), "UTC", interim.as_bytes()), "1: skipped: not_a_call\n");
}

#[test]
fn lines_of_pbxs() {
    let check = |format: &str, line: &str, expected: &str| {
        let origin = Origin {
            now: "2026-11-26T10:00:00Z".parse().map(|t: jiff::Timestamp| Timestamp(t.as_microsecond())).unwrap(),
            ..Origin::new("pbx")
        };
        let mut decoder = Decoder::of(&named(format), &origin);
        let mut scratch = Scratch::default();
        let shown = match decoder.decode(line.as_bytes(), &mut scratch) {
            Ok(Line::Record(r)) => format!(
                "{} → {} | answer {} | talk {}",
                text(r.source),
                text(r.destination),
                r.answer.map_or("-".to_owned(), |t| t.to_string()),
                r.duration.map_or("-".to_owned(), |d| d.to_string())
            ),
            Ok(Line::Piece(p)) => format!(
                "{:?} {}: {} → {} {} | answer {} | talk {}",
                p.step,
                text(p.key),
                text(p.record.source),
                text(p.record.destination),
                p.record.direction.map_or("-", |d| d.name()),
                p.record.answer.map_or("-".to_owned(), |t| t.to_string()),
                p.record.duration.map_or("-".to_owned(), |d| d.to_string())
            ),
            other => format!("{other:?}"),
        };
        assert_eq!(shown, expected, "{line}");
    };
    // Avaya's own examples: a transfer, a lost call, an outgoing one; 17 cells, 30 and more.
    check(
        "avaya-ipo",
        "2008/06/28 09:30:57,00:00:13,7,01707392200,I,299999,299999,,0,1000014160,1,E4750,John Smith,T9002,LINE 1.2,11,0",
        "Update 1000014160/2008/06/28 09:30:57: 01707392200 → 299999 inbound | answer 2008-06-28T09:31:04Z | talk 24",
    );
    check(
        "avaya-ipo",
        "2008/06/28 09:30:57,00:00:21,0,01707392200,I,299999,299999,,0,1000014160,0,V9502,VM Channel 2,T9002,LINE 1.2,0,0",
        "End 1000014160/2008/06/28 09:30:57: 01707392200 → 299999 inbound | answer 2008-06-28T09:30:57Z | talk 21",
    );
    check(
        "avaya-ipo",
        "2008/06/28 09:28:41,00:00:00,9,8004206,I,4324,4324,,0,1000014155,0,E4324,Joe Bloggs,T9161,LINE 5.1,0,0",
        "End 1000014155/2008/06/28 09:28:41: 8004206 → 4324 inbound | answer 2008-06-28T09:28:50Z | talk 0",
    );
    check(
        "avaya-ipo",
        "2008/06/28 08:55:02,00:08:51,9,4797,O,08000123456,08000123456,,0,1000014129,0,E4797,Joe Bloggs,T9001,LINE 1.1,0,0,,,,,,,,,,,,,,",
        "End 1000014129/2008/06/28 08:55:02: 4797 → 08000123456 outbound | answer 2008-06-28T08:55:11Z | talk 531",
    );
    // A comma in a name moves the times away: refused, not guessed.
    check(
        "avaya-ipo",
        "2008/06/28 08:55:02,00:08:51,9,4797,O,0800,0800,,0,1000014129,0,E4797,Bloggs, Joe,T9001,LINE 1.1,0,0",
        "Err(Duration)",
    );
    // By the documented columns.
    let mitel = |start: &str, duration: &str, calling: &str, tta: &str, digits: &str, called: &str| {
        format!(" {start:<12} {duration:<8} {calling:<4}  {tta:<4}{digits:<26} {called:<4}{:23}001", "")
    };
    check(
        "mitel",
        &mitel("11/26 09:30", "00:01:05", "1234", "", "901132960100", "T001"),
        "1234 → 901132960100 | answer 2026-11-26T09:30:00Z | talk 65",
    );
    check(
        "mitel",
        &mitel("11/26 09:30", "00:01:05", "T001", "012", "", "1234"),
        "T001 → 1234 | answer 2026-11-26T09:30:12Z | talk 65",
    );
    check("mitel", &mitel("12/31 23:59", "00:00:30", "T001", "***", "", "1234"), "T001 → 1234 | answer - | talk 0");
    check("mitel", &mitel("11/26 09:30p", "00:01:05", "1234", "", "9", "T001"), "Err(Clock(\"answer\"))");
    // Wider numbers, as of another layout: refused, not cut.
    check("mitel", &mitel("11/26 09:30", "00:01:05", "12345", "", "901132960100", "T001"), "Err(Beyond(28))");
    check("mitel", "", "Ok(Blank)");
}

/// 3CX lets its administrator choose fields and their order: a format that is like the built-in one and lists them, and what
/// stood in columns that are not there is done without.
#[test]
fn fields_of_3cx_in_another_order() {
    let text = "like = \"3cx\"\ncolumns = [\"time-answered\", \"time-end\", \"duration\", \"from-no\", \"to-no\", \"historyid\", \"callid\"]";
    let tables = [("mine".to_owned(), toml::from_str(text).unwrap())].into();
    let format = Formats::new(&tables).unwrap_or_else(|(_, bad)| panic!("{bad}")).named("mine").unwrap();
    let shown = shown(
        &format,
        "Europe/Dublin",
        b"2023/09/19 13:33:54,2023/09/19 13:39:31,00:05:36,+353860000001,Ext.960,612504,0C_6531\r\n",
    );
    assert_eq!(
        shown,
        "1: 612504/0C_6531 | account - | +353860000001 → 960 | - | start - | answer 2023-09-19T12:33:54Z | end 2023-09-19T12:39:31Z | talk 336 | cause -\n"
    );
    // What no record is without must be somewhere.
    let text = "like = \"3cx\"\ncolumns = [\"duration\", \"from-no\", \"historyid\", \"callid\"]";
    let tables = [("mine".to_owned(), toml::from_str(text).unwrap())].into();
    let (_, bad) = Formats::new(&tables).unwrap_err();
    assert!(bad.message.contains("fields.destination is missing"), "{bad}");
}

/// Every stock template of FreeSWITCH's mod_cdr_csv.
#[test]
fn templates_of_freeswitch() {
    let first = "\"Alice, A\",\"442079460001\",\"441132960100\",\"public\",\"2026-11-21 21:52:12\",\"2026-11-21 21:52:12\",\"2026-11-21 21:52:15\",\"3\",\"3\",\"NORMAL_CLEARING\",\"u-1\",\"u-0\"";
    for (format, row) in [
        ("freeswitch-csv", format!("{first},\"acct-42\",\"PCMU\",\"PCMU\"")),
        ("freeswitch-csv-linksys", format!("{first},\"acct-42\",\"PCMU\",\"PCMU\",\"Linksys/SPA\",\"PS=1,OS=2\"")),
        ("freeswitch-csv-snom", format!("{first}, \"acct-42\",\"PCMU\",\"PCMU\",\"snom370/8\",\"\",\"rx\",\"tx\",\"\"")),
        ("freeswitch-csv-sql", format!("INSERT INTO cdr VALUES ({first}, \"acct-42\");")),
        (
            "freeswitch-csv-asterisk",
            "\"acct-42\",\"442079460001\",\"441132960100\",\"public\",\"\"Alice, A\" <442079460001>\",\"sofia/lo/1\",\"sofia/lo/2\",\"bridge\",\"{a=1,b=2}sofia/lo/2\",\"2026-11-21 21:52:12\",\"2026-11-21 21:52:12\",\"2026-11-21 21:52:15\",\"3\",\"3\",\"NORMAL_CLEARING\",\"DOCUMENTATION\",\"u-1\",\"\"".to_owned(),
        ),
    ] {
        assert_eq!(
            shown(&named(format), "UTC", row.as_bytes()),
            "1: u-1 | account acct-42 | 442079460001 → 441132960100 | - | start 2026-11-21T21:52:12Z | answer 2026-11-21T21:52:12Z | end 2026-11-21T21:52:15Z | talk 3 | cause NORMAL_CLEARING\n",
            "{format}"
        );
    }
}

/// Samples under others' licences, where they are at hand.
#[test]
fn samples_at_the_desk() {
    let Some(samples) = std::env::var_os("CALLRATED_SAMPLES").map(std::path::PathBuf::from) else {
        println!("skipped: set CALLRATED_SAMPLES to the folder of samples");
        return;
    };
    for (format, file, records, refused) in [
        ("3cx", "3cx/3cx_cdr_lines.txt", 1, 0),
        ("avaya-ipo", "avaya_ipoffice_smdr/smdr_lines.csv", 2, 0),
        ("asterisk-csv", "asterisk_csv/dj-asterisk-cdr_Master.csv", 84, 0),
    ] {
        let shown = shown(&named(format), "Europe/Berlin", &std::fs::read(samples.join(file)).unwrap());
        let found = (shown.matches(" → ").count(), shown.matches("refused: ").count());
        assert_eq!(found, (records, refused), "{file}\n{shown}");
    }
}

#[test]
fn captured_posts() {
    for (name, format, file) in [
        ("freeswitch_http_json_cdr", "freeswitch", "freeswitch/http_json_cdr.bin"),
        ("freeswitch_http_format_cdr", "freeswitch", "freeswitch/http_format_cdr.bin"),
        ("freeswitch_http_xml_cdr", "freeswitch", "freeswitch/http_xml_cdr.bin"),
        ("kamailio_http_json", "kamailio", "kamailio/http_json.bin"),
    ] {
        let shown: String =
            bodies(&capture(file)).iter().map(|body| shown(&named(format), "UTC", &posted::unwrap(body))).collect();
        insta::assert_snapshot!(name, shown);
    }
}
