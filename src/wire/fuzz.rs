//! Entry points for a fuzzer: any bytes, no panic, and whatever is accepted survives the canonical form.
//!
//! The property tests call them too, so that they stay true without a fuzzer at hand.
//!
//! Does not know how bytes are made up.

use super::elements::{Element, Elements};
use super::formats::BUILT_IN;
use super::octets::{Frame, Frames};
use super::session::{Heard, Login, Protocol, Session, Step};
use super::{Carrier, Decoder, Format, Key, Line, Origin, Scratch, csv, hep, json, sip, syslog};
use crate::piece::Piece;
use crate::record::Record;

/// The house's own formats and all that are built in.
pub fn every_format() -> impl Iterator<Item = Format> {
    // Made once: a fuzzer comes here many thousand times a second.
    static EVERY: std::sync::LazyLock<Vec<Format>> = std::sync::LazyLock::new(|| made().collect());
    EVERY.iter().cloned()
}

fn made() -> impl Iterator<Item = Format> {
    [Format::Auto, Format::Json, Format::Csv]
        .into_iter()
        .chain(BUILT_IN.iter().filter_map(|built_in| built_in.format().ok()))
}

/// Every line of the bytes, by every format.
pub fn lines(bytes: &[u8]) {
    for format in every_format() {
        let mut decoder = Decoder::new(format, "fuzz");
        let mut scratch = Scratch::default();
        for line in bytes.split(|b| *b == b'\n') {
            message(&mut decoder, &mut scratch, line);
        }
    }
}

/// Every line of the bytes by the short way and by the general one: both say the same. The first line may be a header.
pub fn plain(bytes: &[u8]) {
    let (mut scratch, mut general) = (Scratch::default(), Scratch::default());
    let mut lines = bytes.split(|b| *b == b'\n');
    let columns = lines.clone().next().and_then(|line| csv::Columns::from_header(line).ok());
    for line in &mut lines {
        assert_eq!(json::decode(line, b"fuzz", &mut scratch), json::general(line, b"fuzz", &mut general));
        if let Some(columns) = &columns {
            let short = csv::decode(line, columns, b"fuzz", &mut scratch);
            assert_eq!(short, csv::general(line, columns, b"fuzz", &mut general));
        }
    }
}

/// The bytes as one message, and as a body or file, by every format; as they are and as what they may wrap.
pub fn messages(bytes: &[u8]) {
    for format in every_format() {
        let mut decoder = Decoder::new(format.clone(), "fuzz");
        let mut scratch = Scratch::default();
        let mut check = |bytes: &[u8]| message(&mut decoder, &mut scratch, bytes);
        check(bytes);
        super::messages::each(&format, &super::posted::unwrap(bytes), |_, message| {
            if let Ok(message) = message {
                check(message);
            }
        });
    }
}

/// The bytes as a mapping in configuration: refused, or usable on the same bytes.
pub fn mapping(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(settings) = toml::from_str(text)
        && let Ok(mapping) = super::mapping::Mapping::new(&settings)
    {
        let mut decoder = std::sync::Arc::new(mapping).decoder(&super::Origin::new("fuzz"));
        let _ = decoder.decode(bytes, &mut Scratch::default());
    }
}

fn message(decoder: &mut Decoder, scratch: &mut Scratch, message: &[u8]) {
    let mut canonical = Vec::new();
    match decoder.decode(message, scratch) {
        Ok(Line::Record(record)) => {
            record.encode(&mut canonical);
            assert_eq!(Record::decode(&canonical), Ok(record));
        }
        Ok(Line::Piece(piece)) => {
            piece.encode(&mut canonical);
            assert_eq!(Piece::decode(&canonical), Ok(piece));
        }
        _ => {}
    }
}

/// The bytes as syslog messages in every format, as packets of capture agents, and as the SIP within.
pub fn carried(bytes: &[u8]) {
    let origin = Origin { talk_includes_ringing: Some(false), ..Origin::new("fuzz") };
    let mut scratch = Scratch::default();
    let _ = (syslog::read(bytes), sip::read(bytes));
    for format in every_format() {
        let mut decoder = Decoder::carried(&format, &origin, Carrier::Syslog { host_is_node: true });
        for line in [bytes].into_iter().chain(bytes.split(|b| *b == b'\n')) {
            message(&mut decoder, &mut scratch, line);
        }
    }
    let mut decoder = Decoder::carried(&Format::Auto, &origin, Carrier::Hep { key: None });
    message(&mut decoder, &mut scratch, bytes);
    // The same as the message within a packet.
    if let Ok(length) = u16::try_from(bytes.len() + 6 + 10 + 6) {
        let chunk = length.wrapping_sub(16).to_be_bytes();
        let head =
            [b"HEP3".as_slice(), &length.to_be_bytes(), &[0, 0, 0, 9, 0, 10, 0x6b, 2, 0x11, 0x36, 0, 0, 0, 15], &chunk];
        message(&mut decoder, &mut scratch, &[&head.concat(), bytes].concat());
    }
}

/// The bytes as a stream of syslog messages, and as one of packets, that arrives in two pieces.
pub fn stream(bytes: &[u8]) {
    let mut frames = Frames::new(1000);
    let mut at = 0;
    for end in [bytes.len() / 2, bytes.len()] {
        while let Some(frame) = frames.next(bytes.get(at..end).unwrap_or_default(), end == bytes.len()) {
            if let Frame::Whole { from, to, consumed } = frame {
                assert!(from <= to && to <= consumed && to - from <= 1000);
            }
            assert!(frame.consumed() > 0 && at + frame.consumed() <= end);
            at += frame.consumed();
        }
    }
    assert_eq!(at, bytes.len());
    if let hep::Length::Of(length) = hep::length(bytes) {
        assert!(length >= 6);
    }
}

/// The bytes as what a node says that we call, in every protocol, arriving in two pieces; what it tells is decoded.
pub fn session(bytes: &[u8]) {
    for (protocol, greeting, format) in [
        (Protocol::Ami, &b"Asterisk Call Manager/1\r\nResponse: Success\r\n\r\n"[..], "asterisk-ami"),
        (Protocol::Esl, b"Content-Type: auth/request\n\n", "freeswitch-event"),
        (Protocol::Evapi, b"", "kamailio"),
        (Protocol::Tcp, b"", "mitel"),
    ] {
        let Some(format) = Format::named(format) else { continue };
        let mut decoder = Decoder::new(format, "fuzz");
        let mut scratch = Scratch::default();
        let login = Login { user: "u".into(), secret: Key(b"s".as_slice().into()), events: "cdr" };
        let mut session = Session::new(protocol, login);
        let (stream, mut at) = ([greeting, bytes].concat(), 0);
        'pieces: for end in [stream.len() / 2, stream.len()] {
            while let Some(Step { consumed, heard }) = session.next(stream.get(at..end).unwrap_or_default()) {
                match heard {
                    Heard::Message(place) => {
                        assert!(place.start <= place.end && place.end <= end - at);
                        message(&mut decoder, &mut scratch, &stream[at..end][place]);
                    }
                    Heard::Stranger(_) => break 'pieces,
                    _ => {}
                }
                assert!(consumed > 0 && at + consumed <= end);
                at += consumed;
            }
        }
    }
}

/// The bytes as a posted JSON document that arrives in two pieces.
pub fn document(bytes: &[u8]) {
    let mut elements = Elements::new(1000);
    let mut at = 0;
    for end in [bytes.len() / 2, bytes.len()] {
        while let Some(element) = elements.next(bytes.get(at..end).unwrap_or_default()) {
            if let Element::Whole { from, to, consumed } = element {
                assert!(from < to && to <= consumed && to - from <= 1000);
            }
            assert!(element.consumed() > 0 && at + element.consumed() <= end);
            at += element.consumed();
        }
    }
    let _ = elements.end();
}

/// The bytes as a RADIUS datagram, its signature not asked for.
pub fn radius(bytes: &[u8]) {
    let Some(packet) = super::radius::Packet::read(bytes) else { return };
    let mut scratch = Scratch::default();
    let _ = super::radius::sign::is_genuine(&packet, b"secret");
    assert!(super::radius::Packet::read(&super::radius::sign::response(&packet, b"secret")).is_some());
    let mut canonical = Vec::new();
    match super::radius::decode(&packet, &super::radius::Reading::default(), None, &mut scratch) {
        Ok(Line::Record(record)) => {
            record.encode(&mut canonical);
            assert_eq!(Record::decode(&canonical), Ok(record));
        }
        Ok(Line::Piece(piece)) => {
            piece.encode(&mut canonical);
            assert_eq!(Piece::decode(&canonical), Ok(piece));
        }
        _ => {}
    }
}
