//! What was captured from the wire, beside what the nodes themselves told of the same calls: the same calls, the same
//! numbers, answered and ended at the same time as finely as each can say it.

use std::collections::BTreeMap;

use callrated::wire::radius;
use callrated::wire::{Format, messages, posted};

use super::*;

/// Of an answered call: numbers, answer and talk in microseconds.
type Answered = BTreeMap<String, (String, String, i64, i64)>;
/// Calls by Call-ID: those that were answered, those that were not.
type Told = (Answered, Vec<String>);

/// What pieces and records come to, by Call-ID.
fn told(pieces: &[Vec<u8>], records: &[Vec<u8>]) -> Told {
    let (mut answered, mut failed) = (Answered::new(), Vec::new());
    let call = |record: &Record<'_>| text(record.id).split(';').next().unwrap().to_owned();
    let mut whole = |record: &Record<'_>| {
        let answer = record.answer.unwrap().0;
        let talk = record.duration.map_or_else(|| record.end.unwrap().0 - answer, |d| d.0);
        let numbers = (text(record.source).to_owned(), text(record.destination).to_owned());
        assert!(answered.insert(call(record), (numbers.0, numbers.1, answer, talk)).is_none());
    };
    records.iter().for_each(|bytes| whole(&Record::decode(bytes).unwrap()));
    let pieces: Vec<Piece<'_>> = pieces.iter().map(|bytes| Piece::decode(bytes).unwrap()).collect();
    let mut keys: Vec<&[u8]> = pieces.iter().map(|piece| piece.key).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let own: Vec<Piece<'_>> = pieces.iter().filter(|piece| piece.key == key).copied().collect();
        match fold(&own) {
            Fold::Whole(record) => whole(&record),
            Fold::Unanswered(record) => failed.push(call(&record)),
            // An answer of which the end is told in another record.
            Fold::Open(..) => {}
        }
    }
    (answered, failed)
}

/// Reads messages into pieces and records, as their canonical bytes.
fn read<'m>(decoder: &mut Decoder, messages: impl IntoIterator<Item = &'m [u8]>) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut pieces, mut records) = (Vec::new(), Vec::new());
    for message in messages {
        let mut bytes = Vec::new();
        match decoder.decode(message, &mut Scratch::default()) {
            Ok(Line::Piece(piece)) => {
                piece.encode(&mut bytes);
                pieces.push(bytes);
            }
            Ok(Line::Record(record)) => {
                record.encode(&mut bytes);
                records.push(bytes);
            }
            Ok(_) => {}
            Err(refusal) => panic!("{refusal}: {}", String::from_utf8_lossy(message)),
        }
    }
    (pieces, records)
}

fn captured(name: &str) -> Told {
    let capture = capture(name);
    told(&pieces(&mut hep(), packets(&capture)), &[])
}

/// Compares with what was captured. `clock`: how far the two may lie apart, since they look at different moments of the
/// same message's way; `unit`: how finely the node tells. Tells how many calls were compared.
#[track_caller]
fn same(captured: &Told, own: &Told, clock: i64, unit: i64) -> usize {
    for (id, (from, to, answer, talk)) in &own.0 {
        let seen = captured.0.get(id).unwrap_or_else(|| panic!("{id} was not captured: {captured:?}"));
        assert_eq!((from, to), (&seen.0, &seen.1), "{id}");
        // A time that is cut to its unit lies before the moment itself, never behind it.
        assert!((seen.2 - unit - clock..=seen.2 + clock).contains(answer), "{id}: answered {answer}, seen {}", seen.2);
        assert!((talk - seen.3).abs() <= unit + clock, "{id}: talked {talk}, seen {}", seen.3);
    }
    for id in &own.1 {
        assert!(captured.1.contains(id), "{id} failed, and was seen otherwise: {captured:?}");
    }
    own.0.len()
}

/// The bodies of posts that follow one another.
fn bodies(name: &str) -> Vec<Vec<u8>> {
    let requests = capture(name);
    let mut rest = &requests[..];
    let mut bodies = Vec::new();
    while let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") {
        let head = text(&rest[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
        let (body, behind) = rest[end + 4..].split_at(length.trim().parse().unwrap());
        bodies.push(posted::unwrap(body).into_owned());
        rest = behind;
    }
    bodies
}

fn kamailio(ringing: Option<bool>) -> Decoder {
    let origin = Origin { talk_includes_ringing: ringing, ..Origin::new("kam") };
    Decoder::of(&Format::named("kamailio").unwrap(), &origin)
}

/// Proxy, accounting by syslog and HTTP and RADIUS: whole seconds; its CDRs: milliseconds, ringing included.
#[test]
fn kamailio_in_every_way() {
    for (run, radius_too) in [("kamailio", false), ("kamailio_radius", true)] {
        let seen = captured(&format!("{run}/hep.bin"));
        assert_eq!((seen.0.len(), seen.1.len()), (2, 2));
        let lines = capture(&format!("{run}/devlog.bin"));
        let posts = bodies(&format!("{run}/http_json.bin"));
        let origin = Origin { talk_includes_ringing: Some(true), ..Origin::new("kam") };
        let (pieces, records) = read(&mut syslog("kamailio", &origin), datagrams(&lines));
        assert!(records.is_empty());
        let by_syslog = told(&pieces, &[]);
        assert_eq!((same(&seen, &by_syslog, 5000, 1_000_000), by_syslog.1.len()), (2, 2));
        let (pieces, records) = read(&mut kamailio(Some(true)), posts.iter().map(Vec::as_slice));
        assert!(records.is_empty());
        assert_eq!(told(&pieces, &[]), by_syslog);
        if radius_too {
            let packets = capture(&format!("{run}/radius_raw.bin"));
            let by_radius = told(&radius_pieces(&packets), &[]);
            assert_eq!(by_radius, by_syslog);
        }
        // Its CDRs count from the INVITE, as they do unless told otherwise: the end is right, the talk is not.
        let (_, records) = read(&mut kamailio(Some(false)), posts.iter().map(Vec::as_slice));
        let cdrs = told(&[], &records);
        assert_eq!(cdrs.0.len(), 2);
        for (id, (_, _, answer, talk)) in &cdrs.0 {
            let seen = &seen.0[id];
            assert!((answer + talk - seen.2 - seen.3).abs() <= 5000, "{id}");
            assert!((500_000..530_000).contains(&(talk - seen.3)), "{id} rang for half a second");
        }
    }
}

/// The pieces of accounting packets that follow one another.
pub fn radius_pieces(mut packets: &[u8]) -> Vec<Vec<u8>> {
    let (reading, mut pieces) = (radius::Reading::default(), Vec::new());
    while packets.len() >= 20 {
        let (packet, behind) = packets.split_at(usize::from(u16::from_be_bytes([packets[2], packets[3]])));
        let packet = radius::Packet::read(packet).unwrap();
        if let Ok(Line::Piece(piece)) = radius::decode(&packet, &reading, None, &mut Scratch::default()) {
            let mut bytes = Vec::new();
            piece.encode(&mut bytes);
            pieces.push(bytes);
        }
        packets = behind;
    }
    pieces
}

/// Its CDR of the dialog: the answer to the second, the talk to the millisecond.
#[test]
fn opensips_events() {
    let seen = captured("opensips/hep.bin");
    assert_eq!((seen.0.len(), seen.1.len()), (2, 2));
    let events = capture("opensips/evi_udp.bin");
    let format = Format::named("opensips").unwrap();
    let mut decoder = Decoder::of(&format, &Origin::new("osips"));
    let mut values = Vec::new();
    messages::each(&format, &events, |_, message| values.push(message.unwrap().to_vec()));
    let (pieces, records) = read(&mut decoder, values.iter().map(Vec::as_slice));
    let own = told(&pieces, &records);
    assert_eq!(own.1.len(), 2);
    for (id, (_, _, answer, talk)) in &own.0 {
        assert!((talk - seen.0[id].3).abs() <= 5000, "{id}: talked {talk}, seen {}", seen.0[id].3);
        assert_eq!(answer / 1_000_000, seen.0[id].2 / 1_000_000, "{id}");
    }
    assert_eq!(same(&seen, &own, 5000, 1_000_000), 1);
}

/// A back-to-back user agent: the caller's leg is the call. Its own clock ticks every 20 ms.
#[test]
fn freeswitch_posts() {
    let seen = captured("freeswitch/hep.bin");
    let format = Format::named("freeswitch").unwrap();
    for capture in ["freeswitch/http_json_cdr.bin", "freeswitch/http_xml_cdr.bin", "freeswitch/http_format_cdr.bin"] {
        let (mut compared, mut failed) = (0, 0);
        for body in bodies(capture) {
            let (_, records) = read(&mut Decoder::of(&format, &Origin::new("fs")), [&body[..]]);
            let Some(bytes) = records.first() else { continue };
            let record = Record::decode(bytes).unwrap();
            // The Call-ID stands beside the switch's own identity; an @ may be percent-encoded.
            let is_of = |id: &str| {
                let escaped = id.replace('@', "%40").replace(':', "%3A");
                [id, &escaped].iter().any(|id| memchr::memmem::find(&body, id.as_bytes()).is_some())
            };
            if record.answer.is_none() {
                failed += usize::from(seen.1.iter().any(|id| is_of(id)));
                continue;
            }
            let (id, _) = seen.0.iter().find(|(id, _)| is_of(id)).unwrap_or_else(|| panic!("{capture}: {seen:?}"));
            let numbers = (text(record.source).to_owned(), text(record.destination).to_owned());
            let call = (numbers.0, numbers.1, record.answer.unwrap().0, record.duration.unwrap().0);
            compared += same(&seen, &([(id.clone(), call)].into(), vec![]), 20_000, 1);
        }
        assert_eq!((compared, failed), (2, 1), "{capture}");
    }
}

/// The caller's leg again; `cdr_custom` with fractions says how long to the microsecond, and when to the second.
#[test]
fn asterisk_rows() {
    let seen = captured("asterisk_sid/hep.bin");
    // Which Call-ID is which channel's stands in the JSON form of the same rows.
    let json = capture("asterisk/cdr_custom.json");
    let call_ids: BTreeMap<String, String> = json
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap())
        .map(|row| (row["uniqueid"].as_str().unwrap().to_owned(), row["sipcallid"].as_str().unwrap().to_owned()))
        .collect();
    let rows = capture("asterisk/cdr_custom.csv");
    let format = Format::named("asterisk-custom").unwrap();
    let lines = rows.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    let (_, records) = read(&mut Decoder::of(&format, &Origin::new("pbx")), lines);
    let mut own = (Answered::new(), Vec::new());
    for record in records.iter().map(|bytes| Record::decode(bytes).unwrap()) {
        let call_id = call_ids[text(record.id).split('/').next().unwrap()].clone();
        let numbers = (text(record.source).to_owned(), text(record.destination).to_owned());
        match record.answer {
            Some(answer) => drop(own.0.insert(call_id, (numbers.0, numbers.1, answer.0, record.duration.unwrap().0))),
            None => own.1.push(call_id),
        }
    }
    assert_eq!((same(&seen, &own, 5000, 1_000_000), own.1.len()), (1, 2));
    for (id, (.., talk)) in &own.0 {
        assert!((talk - seen.0[id].3).abs() <= 5000, "{id}: talked {talk}, seen {}", seen.0[id].3);
    }
}
