//! Formats of real nodes: what was captured from them decodes to a reviewed table, and traps are decided.
//!
//! The captures under `tests/data/captures` were made from Asterisk 22.10, FreeSWITCH 1.11 and Kamailio 5.6 by test calls of
//! our own.

use std::path::Path;

use callrated::time::Zone;
use callrated::wire::formats::{BUILT_IN, Made};
use callrated::wire::{Decoder, Format, Line, Origin, Scratch, messages, posted};

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
                "{:?} of {} at {} | {} → {}",
                piece.step,
                text(piece.key),
                piece.at.map_or("-".to_owned(), |t| t.to_string()),
                text(piece.record.source),
                text(piece.record.destination),
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
        ("freeswitch_cdr_csv", "freeswitch-csv", "freeswitch/cdr_csv.csv"),
        ("freeswitch_file_b_leg", "freeswitch-json", "freeswitch/cdr_0.json"),
        ("freeswitch_file_a_leg", "freeswitch-json", "freeswitch/cdr_1.json"),
        ("freeswitch_file_busy", "freeswitch-json", "freeswitch/cdr_2.json"),
    ] {
        insta::assert_snapshot!(name, shown(&named(format), "UTC", &capture(file)));
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
